"""Claims answered: the shipped ones rest on findings that can be found, and values follow from runs."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from afterglow import streams
from afterglow.clinic.claim import Scenario, shipped_claims
from afterglow.clinic.course import load_course
from afterglow.clinic.files import model_from_data
from afterglow.data import fitted
from afterglow.errors import InputError
from afterglow.simulate import simulate_course
from afterglow.study import claim_runs, claims
from afterglow.study.claim_rule import verdict
from afterglow.study.claim_runs import question, values

ROOT = Path(__file__).parents[2]
SHIPPED = {one.id: one for one in shipped_claims()}
SMALL = {
    "weeks": 1,
    "patients": 64,
    "measure": "change",
    "of": {"course": "iv-single", "at": "24 h"},
    "minus": {"course": "iv-single/control"},
    "expects": "< 0",
}
NOT_PLAINLY_SUPPORTED = ("M4", "D2", "D4", "E2", "E13", "D8", "S5")


@pytest.fixture(autouse=True)
def _fewer_draws(monkeypatch, tmp_path):
    """Values of these tests are kept apart from a user's, and rest on fewer draws."""
    monkeypatch.setattr(claim_runs, "DRAWS", 3)
    monkeypatch.setattr(claim_runs, "DRAW_PATIENTS", 32)
    monkeypatch.setattr(claim_runs, "_place", lambda key: tmp_path / "claims" / f"{key}.json")


def asked(**changes):
    return question(model_from_data(Scenario, {**SMALL, **changes}, "s"), "s")


def one_value(**changes):
    return values([asked(**changes)])[0]


def write(path, **changes):
    data = {"id": "mine", "says": "An infusion lowers the score.", "scenario": {**SMALL, **changes}}
    path.write_text(yaml.safe_dump(data), encoding="utf-8")
    return path


# -- the shipped claims
@pytest.mark.parametrize("name", SHIPPED)
def test_every_claim_can_be_answered(name):
    one = SHIPPED[name]
    records, faults = claims._resolved(one)
    assert not faults
    assert records or one.scenario
    assert one.check == "definition" or one.scenario or one.not_asked or one.check == "evidence"
    for record in records:
        assert len(record.citation) > 8
        assert record.locator.startswith(("doi:10.", "PMC", "PMID ", "https://", "http://"))
        assert record.found
        assert record.because
        assert bool(record.figure) == bool(record.unit)
    if one.scenario is not None:
        question(one.scenario, name)


def test_sources_are_no_mirrors():
    from afterglow.data.schema import _NOT_A_SOURCE

    cited = [record for one in SHIPPED.values() for record in claims._resolved(one)[0]]
    assert not [record.locator for record in cited if _NOT_A_SOURCE.search(record.locator)]


@pytest.mark.parametrize("name", NOT_PLAINLY_SUPPORTED)
@pytest.mark.parametrize("said", ["agrees", "disagrees", "unsure", None])
def test_what_findings_limit_is_not_supported_whatever_the_model_says(name, said):
    records = SHIPPED[name].records
    assert records
    assert verdict([one.speaks for one in records], said) in ("overstated", "contradicted")


def test_no_verdict_stands_in_the_data():
    folder = ROOT / "src" / "afterglow" / "data" / "claims"
    keys = {key for path in folder.glob("*.yaml") for one in yaml.safe_load(path.read_text())["claims"] for key in one}
    assert keys <= {"id", "says", "check", "records", "scenario", "not_asked", "note"}


def test_the_table_in_the_docs_has_every_claim():
    import csv

    with (ROOT / "docs" / "claims.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == list(SHIPPED)
    assert {row["id"]: row["says"] for row in rows} == {one.id: one.says for one in SHIPPED.values()}


# -- values
def test_a_change_is_the_mean_over_people_of_the_run():
    run = simulate_course(load_course("iv-single"), patients=64, weeks=1)
    scores = run.measured["MADRS"]
    day = run.visit.index("1 d")
    found = one_value(minus=None)
    assert found.value == pytest.approx(np.mean(scores[:, day] - scores[:, 0]))
    assert found.lo90 < found.value < found.hi90


def test_a_share_is_counted_in_percent_and_stays_within():
    run = simulate_course(load_course("iv-single"), patients=64, weeks=1, outputs=("acute_effects.cadss",))
    highest = run.values["acute_effects.cadss"].max(axis=1)
    of = {"course": "iv-single", "output": "acute_effects.cadss"}
    found = one_value(measure="share", at_least=5, of=of, minus=None)
    assert found.value == pytest.approx(100 * np.mean(highest >= 5))
    assert 0 <= found.lo90 < found.value < found.hi90 <= 100
    none = one_value(measure="share", at_least=1e6, of=of, minus=None)
    assert (none.value, none.lo90) == (0, 0)
    assert none.hi90 > 0


def test_take_reads_highest_lowest_mean_and_value_in_their_order():
    of = {"course": "iv-single", "output": "ketamine", "at": "24 h"}
    got = {take: one_value(measure="output", take=take, of=of, minus=None).value for take in claim_take()}
    assert got["lowest"] == pytest.approx(0, abs=1e-9)
    assert got["lowest"] < got["value"] < got["mean"] < got["highest"]
    assert one_value(measure="output", of=of, minus=None).unit == "ng/mL"


def claim_take():
    return ("highest", "lowest", "mean", "value")


def test_a_course_less_itself_is_nothing_and_over_itself_is_one():
    same = one_value(minus={"course": "iv-single"})
    assert (same.value, same.lo90, same.hi90) == pytest.approx((0, 0, 0), abs=1e-6)
    ratio = one_value(minus=None, over={"course": "iv-single"})
    assert (ratio.value, ratio.lo90, ratio.hi90) == pytest.approx((1, 1, 1))


def test_among_picks_people():
    everybody, women = (
        one_value(minus=None, measure="score", of={"course": "usual-care", "at": "1 d", **more})
        for more in ({}, {"among": {"SEXF": ">= 1"}})
    )
    assert women.value != everybody.value
    assert women.hi90 - women.lo90 > 0


def test_more_people_relapse_later():
    of = {"course": "iv-induction", "since": "14 d", "at": "28 d"}
    early, late = (
        one_value(measure="relapse", weeks=8, minus=None, of={**of, "at": at}).value for at in ("28 d", "56 d")
    )
    assert 0 <= early < late <= 100


def test_paired_and_ratio_variances_are_those_of_the_textbook():
    rng = streams.generator(1, "test/claims")
    a = rng.normal(5, 1, 200)
    b = a + rng.normal(1, 0.2, 200)
    scenario = asked().scenario
    difference = claim_runs._estimate([a, b], scenario)
    assert difference.variance == pytest.approx(np.var(a - b, ddof=1) / 200)
    ratio = claim_runs._estimate([a, np.full(200, 2.0)], asked(minus=None, over={"at": "2 h"}).scenario)
    assert ratio.value == pytest.approx(a.mean() / 2)
    assert ratio.variance == pytest.approx(np.var(a, ddof=1) / 200 / 4)
    apart = claim_runs._estimate([a, np.where(np.arange(200) < 100, b, np.nan)], scenario)
    assert apart.variance == pytest.approx(np.var(a, ddof=1) / 200 + np.var(b[:100], ddof=1) / 100)


# -- kept values
def test_kept_values_are_the_values(monkeypatch):
    first = one_value()
    monkeypatch.setattr(claim_runs, "_run", lambda *_: pytest.fail("it was kept"))
    assert one_value() == first
    assert one_value(expects="> 3", published=-9, assumes="x") == first  # none of these changes the value


def test_a_damaged_value_is_worked_out_anew(tmp_path):
    first = one_value()
    for path in (tmp_path / "claims").iterdir():
        path.write_text('{"value": 1', encoding="utf-8")
    assert one_value() == first


def test_alone_or_with_others_a_value_is_the_same():
    alone = values([asked()], kept=False)[0]
    other = asked(measure="output", of={"course": "iv-single", "output": "glutamate.level"}, minus=None)
    assert values([other, asked()], kept=False)[1] == alone


@pytest.mark.parametrize(
    "change", [{"patients": 96}, {"weeks": 2}, {"of": {"course": "iv-single", "at": "48 h"}}, {"scale": "HAM-D17"}]
)
def test_what_changes_the_question_changes_the_key(change):
    assert asked(**change).key != asked().key


def test_a_changed_posterior_changes_the_key(monkeypatch):
    before = asked().key
    draws = dict(fitted.posterior())
    name = next(iter(draws))
    monkeypatch.setattr(fitted, "posterior", lambda _=None: {**draws, name: draws[name] * 1.001})
    assert asked().key != before


def test_a_changed_course_file_changes_the_key(tmp_path):
    path = tmp_path / "mine.yaml"
    text = "course: mine\ndoses:\n  - {drug: ketamine, route: iv, dose: %s mg/kg, over: 40 min, days: [1]}\n"
    keys = set()
    for dose in ("0.5", "0.4"):
        path.write_text(text % dose, encoding="utf-8")
        scenario = model_from_data(Scenario, {**SMALL, "of": {"course": "mine.yaml", "at": "24 h"}}, "s")
        keys.add(question(scenario, "s", tmp_path).key)
    assert len(keys) == 2


# -- answers
def test_a_claim_of_a_user_is_answered_and_a_flipped_comparison_flips_the_verdict(tmp_path):
    found = {sign: claims.answers([write(tmp_path / "c.yaml", expects=f"{sign} 0")])[0] for sign in "<>"}
    assert (found["<"].verdict, found[">"].verdict) == ("supported", "contradicted")
    assert (found["<"].answer, found[">"].answer) == ("agrees", "disagrees")
    assert found["<"].model == found[">"].model
    assert "no published finding is listed" in found["<"].sentence


def test_what_was_put_in_by_hand_does_not_count(tmp_path):
    one = claims.answers([write(tmp_path / "c.yaml", assumes="the drug works by construction")])[0]
    assert (one.verdict, one.answer) == ("open", None)
    assert "the model assumes this: the drug works by construction" in one.sentence


def test_the_sentence_says_which_way_the_model_misses(tmp_path):
    said = {}
    for published in (-100, -0.001):
        one = claims.answers([write(tmp_path / "c.yaml", published=published)])[0]
        said[published] = one.sentence
    assert "it under-predicts" in said[-100]
    assert "it over-predicts" in said[-0.001]


def test_the_example_runs_as_the_docs_show_it():
    example = (ROOT / "examples" / "claim.yaml").read_text("utf-8")
    shown = "\n".join(line for line in example.splitlines() if not line.startswith("#"))
    assert shown.strip() in (ROOT / "docs" / "claims.md").read_text("utf-8")
    one = claims.answers([ROOT / "examples" / "claim.yaml"])[0]
    assert one.verdict == "contradicted"
    assert one.model is not None
    assert one.model.lo90 <= one.model.value <= one.model.hi90


def test_ids_and_files_that_do_not_exist_are_told_together(tmp_path):
    bad = write(tmp_path / "bad.yaml", of={"course": "iv-singel", "at": "25 h"})
    with pytest.raises(InputError) as caught:
        claims.answers(["E22", "m4", bad, tmp_path / "none.yaml"])
    text = str(caught.value)
    for part in ("did you mean 'E2'?", "did you mean 'M4'?", "did you mean 'iv-single'?", "at 25 h", "none.yaml"):
        assert part in text


def test_a_control_that_is_not_there_is_told():
    with pytest.raises(InputError, match="no matched control"):
        asked(minus={"course": "usual-care/control"})


def test_an_output_that_is_not_there_is_told():
    with pytest.raises(InputError, match="did you mean 'glutamate"):
        asked(measure="output", of={"course": "iv-single", "output": "glutamate.levle"}, minus=None)


def test_evidence_alone_needs_no_run(monkeypatch):
    monkeypatch.setattr(claim_runs, "_run", lambda *_: pytest.fail("nothing is to be run"))
    found = claims.answers(["M4", "D2", "D4"])
    assert [one.verdict for one in found] == ["contradicted"] * 3
    assert all(one.model is None and one.records for one in found)


@pytest.mark.slow
def test_all_shipped_claims_are_answered():
    found = claims.answers()
    assert len(found) == 47
    verdicts = {one.claim.id: one.verdict for one in found}
    assert all(verdicts[name] in ("overstated", "contradicted") for name in NOT_PLAINLY_SUPPORTED)
    for one in found:
        assert one.sentence.lower().startswith(one.verdict)
        assert one.sentence.endswith(".")
        if one.model is not None:
            assert np.isfinite([one.model.value, one.model.lo90, one.model.hi90]).all()
            assert one.model.lo90 <= one.model.value <= one.model.hi90
        if one.claim.scenario is not None and one.claim.scenario.assumes:
            assert "the model assumes this" in one.sentence
            assert one.verdict == verdict([record.speaks for record in one.records], None)
