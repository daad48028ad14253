"""The evidence as data: trial files hold to the schema, their numbers agree with each other, nobody counts twice."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections import defaultdict
from urllib.parse import urlsplit

import pytest
from scipy import stats

from afterglow import data
from afterglow.data.json_schema import write_json_schemas
from afterglow.data.outcome_schema import MEASURES, Outcome
from afterglow.data.schema import Citation, ParameterRecord, Spread
from afterglow.data.trial_schema import TrialRecord
from afterglow.errors import InputError
from afterglow.lang.units import Unit

TRIALS = data.trials()
ROWS = [(name, row) for name, trial in TRIALS.items() for row in trial.outcomes]
SIMULATED = [(name, arm) for name, trial in TRIALS.items() if trial.simulate for arm in trial.simulate.arms]
FIT_ROWS = data.fit_rows()
LEVEL = {"mean", "change", "difference", "smd", "standardised_beta", "response", "remission", "response_rr", "share"}
REQUIRED = [
    "daly2018",
    "murrough2013_bp",
    "phillips2019",
    "transform2",
    "transform_by_sex",
    "sustain1",
    "aspire_pooled",
    "price2022_asat",
    "stard_level1",
    "taylor2006_ssri_onset",
    "wilkinson2019_control",
    "kishimoto2016_meta",
    "price2022_ipd",
    "benzo_rebound",
    "correia_melo2020",
    "su2017_taiwan_dose",
    "zheng2019_six_infusions",
    "canuso2018",
    "hu2016_escitalopram",
    "hieronymus2016_ssri_fixed_dose",
    "cochrane2021_ket_vs_mid",
    "han2016_meta",
    "jones2021_trd_placebo",
    "turkoz2021_transform_pooled",
    "glue2017_anxiety",
    "feder2014_ptsd",
    "sigtermans2009_crps",
    "wilkinson2017_cbt",
    "esk_ae_course_pooled",
    "nasal_esketamine_teae",
    "lii2023_masked",
]
# Where an address may stand beside or instead of an identifier: publishers and preprint servers.
HOSTS = {"www.psychiatrist.com", "www.researchsquare.com"}


def row(**changes: object) -> Outcome:
    """A sound outcome row with changes."""
    base: dict[str, object] = {"arm": "a", "scale": "MADRS", "time_h": 24.0, "measure": "change", "value": -10.0}
    return Outcome.model_validate(base | changes)


# ---------------------------------------------------------------- files


def test_the_trials_that_the_model_is_judged_by_are_there():
    assert set(REQUIRED) <= set(TRIALS)


@pytest.mark.parametrize("name", TRIALS)
def test_only_numbers_that_were_read_enter(name):
    text = data.data_files("trials")[name].read_text(encoding="utf-8")
    assert not re.search(r"recalled|verified|proxy|mirror|scribd|from memory", text, re.IGNORECASE)
    assert all(row.grade in ("page", "derived") for row in TRIALS[name].outcomes)


@pytest.mark.parametrize("name", TRIALS)
def test_citations_can_be_found(name):
    trial = TRIALS[name]
    for citation in [trial.citation, *trial.more_citations.values()]:
        assert citation.doi or citation.pmid or citation.pmcid or citation.url or citation.note
        assert citation.link is None or citation.link.startswith("https://")
        if citation.url:
            assert urlsplit(citation.url).netloc in HOSTS
    used = {row.source for row in trial.outcomes} - {None}
    assert used == set(trial.more_citations)


def test_without_identifier_is_the_exception():
    missing = [n for n, t in TRIALS.items() if not (t.citation.doi or t.citation.pmid or t.citation.pmcid)]
    assert sorted(missing) == ["glue2024_bedroc", "turkoz2021_transform_pooled", "zheng2019_six_infusions"]


@pytest.mark.parametrize("name", TRIALS)
def test_units_of_doses_are_units(name):
    for arm in TRIALS[name].arms:
        assert (arm.unit is None) == (arm.dose is None and arm.dose_range is None), arm.name
        if arm.unit:
            Unit.parse(arm.unit)


def test_units_of_parameters_are_units():
    for record in data.parameter_records().values():
        Unit.parse(record.unit)


# ---------------------------------------------------------------- numbers agree with each other


def expected_se(one: Outcome) -> float | None:
    """Standard error from what was published, by other means than the schema's."""
    if one.se_kind == "binomial":
        x = one.value / 100 * one.n
        return 100 * stats.beta(x + 0.5, one.n - x + 0.5).std()
    if one.se_kind == "sd/sqrt(n)":
        return one.sd / one.n**0.5
    if one.se_kind == "sd/sqrt(2(n-1))":
        return one.value / (2 * (one.n - 1)) ** 0.5
    if one.se_kind == "ci":
        low, high = map(math.log, one.ci95) if MEASURES[one.measure].logarithmic else one.ci95
        return (high - low) / (2 * stats.norm.ppf(0.975))
    return one.se


@pytest.mark.parametrize("name", TRIALS)
def test_standard_errors_follow_from_what_was_published(name):
    for one in TRIALS[name].outcomes:
        assert (one.se is None) == (one.se_kind is None)
        if one.se is not None:
            assert one.se == pytest.approx(expected_se(one), abs=1e-4), one.key
        if one.se_kind == "published" and one.ci95:
            assert one.se == pytest.approx((one.ci95[1] - one.ci95[0]) / 3.92, rel=0.05), one.key


def test_shares_are_whole_patients():
    for name, one in ROWS:
        if one.se_kind == "binomial" and one.grade == "page":
            printed = 0.6 if one.value == round(one.value) else 0.06
            nearest = 100 * round(one.value * one.n / 100) / one.n
            assert abs(one.value - nearest) < printed, (name, one.key)


def test_differences_agree_with_changes():
    found = 0
    for name, trial in TRIALS.items():
        changes = {(r.arm, r.scale, r.time_h): r.value for r in trial.outcomes if r.measure == "change" and not r.among}
        for one in trial.outcomes:
            mine, other = (changes.get((arm, one.scale, one.time_h)) for arm in (one.arm, one.versus))
            if one.measure == "difference" and mine is not None and other is not None:
                assert one.value == pytest.approx(mine - other, abs=0.75), (name, one.key)
                found += 1
    assert found > 10


def test_spreads_are_written_once():
    for name, trial in TRIALS.items():
        spreads = {(r.arm, r.scale, r.time_h, r.measure): r.value for r in trial.outcomes}
        for one in trial.outcomes:
            other = spreads.get(
                (one.arm, one.scale, one.time_h, {"mean": "sd", "change": "change_sd"}.get(one.measure))
            )
            if one.sd is not None and other is not None:
                assert one.sd == other, (name, one.key)


def pooled(rows: list[Outcome]) -> tuple[int, float, float]:
    """Size, mean and SD of groups taken together."""
    n = sum(r.n or 0 for r in rows)
    mean = sum((r.n or 0) * r.value for r in rows) / n
    squares = sum(((r.n or 0) - 1) * (r.sd or 0) ** 2 + (r.n or 0) * (r.value - mean) ** 2 for r in rows)
    return n, mean, math.sqrt(squares / (n - 1))


@pytest.mark.parametrize("age", ["", "older_"])
@pytest.mark.parametrize("arm", ["esk", "pbo"])
@pytest.mark.parametrize("key", ["mean/0h", "change/648h"])
def test_pooled_rows_follow_from_their_groups(age, arm, key):
    trial = TRIALS["transform_by_sex"]
    rows = {r.key: r for r in trial.outcomes}
    measure, time = key.split("/")
    one = rows.get(f"{age}{arm}/MADRS/{measure}/{time}")
    if one is None:  # the older group's baseline is only used for simulation
        assert (age, key) == ("older_", "mean/0h")
        return
    n, mean, sd = pooled([rows[f"{age}{sex}_{arm}/MADRS/{measure}/{time}"] for sex in ("women", "men")])
    assert (one.n, one.grade) == (n, "derived")
    assert one.value == pytest.approx(mean, abs=0.06)
    assert one.sd == pytest.approx(sd, abs=0.006)


def test_other_derived_rows_follow_from_their_inputs():
    derived = {(n, r.key) for n, r in ROWS if r.grade == "derived" and n != "transform_by_sex"}
    ipd = {r.key: r.value for r in TRIALS["price2022_ipd"].outcomes}
    place = "ket-v-control/standardised depression score"
    ratio = ipd[f"{place}/standardised_beta/168h"] / ipd[f"{place}/standardised_beta/24h"]
    assert ipd[f"{place}/decay_ratio/24-168h"] == pytest.approx(ratio, abs=0.006)
    sustain = TRIALS["sustain1"]
    share = 100 * ((sustain.arm("remit_esk").n or 0) + (sustain.arm("remit_pbo").n or 0)) / (sustain.population.n or 1)
    assert sustain.outcome("randomised/MADRS/share:stable-remission/2688h").value == pytest.approx(share, abs=0.06)
    for name, median, by in (
        ("sustain1", "remit_pbo/MADRS/relapse_median_days/-", "remit_pbo/MADRS/relapse/9240h"),
        ("murrough2013_bp", "ket6/MADRS/relapse_median_days/-/among", "ket6/MADRS/relapse/696h/among"),
    ):
        rule = TRIALS[name].simulate.rules.relapse
        assert TRIALS[name].outcome(by).time_h == rule.from_h + 24 * TRIALS[name].outcome(median).value
        assert TRIALS[name].outcome(by).value == 50
    assert {n for n, _ in derived} == {
        "price2022_ipd", "sustain1", "murrough2013_bp", "kishimoto2016_meta", "phillips2019", "price2022_asat",
    }  # fmt: skip


# ---------------------------------------------------------------- simulation


@pytest.mark.parametrize(("name", "arm"), SIMULATED, ids=[f"{n}:{a.arm}" for n, a in SIMULATED])
def test_simulated_arms_are_sound(name, arm):
    trial = TRIALS[name]
    course = trial.course_data(arm.arm)
    assert re.fullmatch(r"[A-Za-z0-9-]+", course["course"])
    assert course["title"]
    assert (course["blinding"], course["raters"]) == (arm.blinding, arm.raters)
    inert = {"saline", "placebo-spray", "placebo-pill"}
    for line in course.get("doses", []):
        assert {"drug", "route"} <= set(line) <= {"drug", "route", "dose", "over", "days", "every", "from", "until"}
        assert ("dose" in line) == (line["drug"] not in inert)
        assert ("days" in line) != ("every" in line)
        assert ("over" in line) == (line["route"] == "iv")
    for line in course.get("background", []):
        assert set(line) <= {"drug", "dose", "route", "from_day", "until_day"}
        assert ("dose" in line) == (line["drug"] not in inert)
    for line in [*course.get("doses", []), *course.get("background", [])]:
        if "dose" in line:
            number, unit = line["dose"].split()
            assert float(number) > 0
            assert unit in ("mg", "mg/kg")
    for line in course.get("therapy", []):
        assert set(line) == {"kind", "days", "minutes"}
    given = {line["drug"] for line in course.get("doses", [])} or {d["drug"] for d in course.get("background", [])}
    if arm.control_kind != "none":
        assert arm.control_kind in given | {"placebo-pill"}
    elif trial.simulate.control != "none" or arm is trial.simulate.arms[0]:  # care without a placebo may be the control
        assert given - inert or course.get("therapy"), "an active arm gives something"
    assert arm.new_antidepressant <= any(d["drug"] not in inert for d in course.get("background", []))


@pytest.mark.parametrize("name", TRIALS)
def test_simulations_answer_and_say_what_is_assumed(name):
    trial = TRIALS[name]
    if trial.simulate is None:
        assert trial.not_simulated
        assert trial.answered() == []
        return
    assert trial.answered()
    assert all(one.why for one in trial.simulate.assumed)
    assert trial.simulate.assumed, "no paper says everything that a simulation needs"
    if any(row.measure.startswith(("relapse", "hazard")) for row in trial.answered()):
        assert trial.simulate.rules.relapse


# ---------------------------------------------------------------- rows that are fitted


def test_every_listed_row_can_be_answered_and_compared():
    assert data.fit_version() >= 1
    answered = {name: {r.key for r in trial.answered()} for name, trial in TRIALS.items()}
    for one in FIT_ROWS:
        assert one.row in answered[one.trial], (one.trial, one.row)
        assert one.outcome.se, (one.trial, one.row)
        assert one.outcome.measure in LEVEL | {
            "sd", "change_sd", "relapse", "hazard_ratio", "decay_ratio", "fraction_of_week6", "correlation", "ae_rate",
            "median_infusions_to_response",
        }  # fmt: skip


def test_nobody_is_counted_twice():
    fitted = [one for one in FIT_ROWS if one.role == "fit"]
    trials_at: dict[tuple[str, float | None], set[str]] = defaultdict(set)
    weights: dict[tuple[str, str, float | None], float] = defaultdict(float)
    for one in fitted:
        if one.outcome.measure in LEVEL:
            trials_at[one.cohort, one.outcome.time_h].add(one.trial)
            weights[one.trial, one.outcome.arm, one.outcome.time_h] += one.weight
    assert {key: names for key, names in trials_at.items() if len(names) > 1} == {}
    assert {key: total for key, total in weights.items() if total > 1 + 1e-9} == {}


def test_layers_and_roles():
    assert {one.layer for one in FIT_ROWS if one.role == "fit"} == {
        "noise", "course", "expectancy", "drug", "setting", "therapy", "relapse",
    }  # fmt: skip
    assert all(one.why for one in FIT_ROWS)
    assert sum(one.role == "check" for one in FIT_ROWS) > sum(one.role == "fit" for one in FIT_ROWS) / 2
    assert {one.role for one in FIT_ROWS if one.trial == "lii2023_masked"} == {"check"}


# ---------------------------------------------------------------- what the schema refuses


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"measure": "difference"}, "needs `versus`"),
        ({"versus": "b"}, "has no `versus`"),
        ({"measure": "changes"}, "did you mean 'change'"),
        ({"measure": "response", "value": 120.0}, "not a percentage"),
        ({"measure": "ae_rate", "value": 3.0}, "needs `event`"),
        ({"time_h": None}, "say `when`"),
        ({"from_h": 48.0}, "before time_h"),
        ({"ci95": [-9.0, -5.0]}, "outside its interval"),
        ({"se": 1.0}, "go together"),
        ({"se": 1.0, "se_kind": "declared"}, "needs se_note"),
        ({"se_kind": "sd/sqrt(n)", "n": 10}, "needs sd"),
        ({"se_kind": "sd/sqrt(n)", "n": 100, "sd": 10.0, "se": 2.0}, "is 1.0, not 2.0"),
        ({"se_kind": "binomial", "n": 10}, "for percentages"),
        ({"grade": "derived"}, "derivation"),
        ({"grade": "assumed"}, "page"),
        ({"value": "3"}, "number"),
        ({"colour": 1}, "Extra inputs"),
    ],
)
def test_unsound_rows_are_refused(changes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        row(**changes)


def test_a_row_survives_writing_and_reading():
    one = row(se_kind="sd/sqrt(n)", n=100, sd=10.0)
    assert one.se == 1.0
    assert Outcome.model_validate(one.model_dump()) == one
    assert one.key == "a/MADRS/change/24h"


def test_a_trial_with_loose_ends_is_refused():
    plain = TRIALS["arketamine_leal2021"].model_dump()
    plain["outcomes"][0]["arm"] = "nobody"
    plain["simulate"]["arms"][0]["answers"] = ["nothing"]
    plain["arms"].append(plain["arms"][0])
    with pytest.raises(ValueError, match="no arm 'nobody'") as caught:
        TrialRecord.model_validate(plain)
    assert "no outcome 'nothing'" in str(caught.value)
    assert "two arms are called 'arket'" in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://47.251.13.51:8081/1", "https://proxy.example.org/x", "https://www.scribd.com/document/1"]
)
def test_copies_are_not_citations(url):
    with pytest.raises(ValueError, match="cite the paper"):
        Citation(authors="A", year=2020, url=url)


def test_parameter_records_are_grounded():
    citation = Citation(authors="A B", year=2020, journal="J", doi="10.1000/x")
    good = ParameterRecord(id="a.b", quantity="q", value=1.0, unit="mg/L", grade="page", citation=citation)
    assert good.citation is not None
    assert good.citation.link == "https://doi.org/10.1000/x"
    for changes in ({"citation": None}, {"grade": "derived"}, {"grade": "assumed"}):
        with pytest.raises(ValueError, match="needs"):
            ParameterRecord.model_validate(good.model_dump() | changes)
    with pytest.raises(ValueError, match="low, high"):
        Spread(kind="range", value=3.0)
    with pytest.raises(ValueError, match="note"):
        Citation(authors="A")


# ---------------------------------------------------------------- loaders


def test_unknown_names_get_a_remedy():
    with pytest.raises(InputError, match="did you mean 'daly2018'"):
        data.trial("daly2019")
    with pytest.raises(InputError, match="no parameter record"):
        data.record("nothing.like.it")
    with pytest.raises(InputError, match="no such file"):
        data.read_yaml("trials/none.yaml")
    with pytest.raises(InputError, match=r"place:\d: not valid YAML"):
        data.parse_yaml("a: 1\nb: [", "place")
    assert data.data_files("no-such-folder") == {}


def test_parameter_ids_are_unique(monkeypatch):
    record = {"id": "x", "quantity": "q", "value": 1.0, "unit": "1", "grade": "assumed", "note": "why"}
    monkeypatch.setattr(data, "data_files", lambda _: {"one": None, "two": None})
    monkeypatch.setattr(data, "read_yaml", lambda _: {"records": [record]})
    with pytest.raises(InputError, match=r"'x' is also in parameters/one\.yaml"):
        data.parameter_records.__wrapped__()


def test_a_wrong_file_is_named_with_the_place(monkeypatch):
    monkeypatch.setattr(data, "data_files", lambda _: {"bad": None})
    monkeypatch.setattr(data, "read_yaml", lambda _: {"id": "bad", "title": 3})
    with pytest.raises(InputError, match=r"data/trials/bad\.yaml: title") as caught:
        data.trials.__wrapped__()
    assert len(caught.value.faults) > 3


def test_json_schemas_are_written(tmp_path):
    names = {path.name for path in write_json_schemas(tmp_path / "new")}
    assert names == {"trial.schema.json", "parameters.schema.json", "fit_rows.schema.json"}
    schema = json.loads((tmp_path / "new" / "trial.schema.json").read_text(encoding="utf-8"))
    assert schema["$defs"]["Outcome"]["properties"]["measure"]["enum"] == list(MEASURES)
    done = subprocess.run(
        [sys.executable, "-m", "afterglow.data.json_schema", str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert len(done.stdout.split()) == 3


def test_importing_is_light():
    code = "import sys, afterglow.data; print([m for m in ('yaml', 'pydantic', 'numpy') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
