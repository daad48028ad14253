"""The comparison: bad input before anything runs, matched controls, intervals from draws."""

from __future__ import annotations

import pytest

import afterglow.simulate
from afterglow.errors import InputError
from afterglow.study import compare as study
from drawn_runs import fake_simulate


@pytest.fixture(autouse=True)
def no_engine(monkeypatch):
    calls = []

    def simulate(course, **options):
        calls.append((course.name, options))
        return fake_simulate(course, **options)

    monkeypatch.setattr(afterglow.simulate, "simulate_course", simulate)
    return calls


def compare(*courses, **options):
    return study.compare(courses, **({"patients": 8, "weeks": 2, "draws": 0} | options))


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"patients": 0}, "--patients"),
        ({"patients": -3}, "--patients"),
        ({"patients": 2.5}, "--patients"),
        ({"weeks": 0}, "--weeks"),
        ({"weeks": float("nan")}, "--weeks"),
        ({"weeks": float("inf")}, "--weeks"),
        ({"seed": -1}, "--seed"),
        ({"draws": -5}, "--draws"),
        ({"draws": 1}, "--draws"),
        ({"variant": "inrt"}, "--variant"),
        ({"scales": ("MADR",)}, "--scales"),
        ({"person": "nobody.yaml"}, "nobody.yaml"),
    ],
)
def test_bad_input_is_refused_before_anything_runs(options, place, no_engine):
    with pytest.raises(InputError) as caught:
        compare("iv-single", **options)
    assert place in str(caught.value)
    assert not no_engine


def test_all_faults_come_at_once():
    with pytest.raises(InputError) as caught:
        compare("iv-sngle", "sri", patients=0, weeks=-1)
    places = [fault.place for fault in caught.value.faults]
    assert places == ["course", "course", "--patients", "--weeks"]
    assert "iv-single" in str(caught.value)


def test_a_course_named_twice_is_refused():
    with pytest.raises(InputError, match="twice"):
        compare("ssri", "ssri")


def test_every_course_is_followed_by_its_control():
    found = compare("iv-single", "usual-care", "ssri")
    assert list(found.runs) == ["iv-single", "iv-single/control", "usual-care", "ssri", "ssri/control"]
    assert set(found.tables["contrasts"]["arm"]) == {"iv-single", "ssri"}


def test_the_default_is_the_seven_courses_with_a_single_infusion_for_the_clock():
    found = study.compare(patients=4, weeks=1, draws=0)
    assert [run.arm for run in found.active] == list(study.DEFAULT_COURSES)
    assert list(found.clock_runs) == ["iv-single", "iv-single/control"]
    assert not compare("ssri").clock_runs


def test_more_patients_change_nobody():
    small, large = compare("iv-single", patients=8), compare("iv-single", patients=16)
    both = large.tables["scores"].query("patient < 8").reset_index(drop=True)
    assert both.equals(small.tables["scores"])


def test_draws_of_the_parameters_widen_the_intervals(monkeypatch):
    draws = [{"mood.weight_fast": share} for share in (0.05, 0.4, 0.9)]
    monkeypatch.setattr("afterglow.data.fitted.parameter_draws", lambda _count, _seed, _variant: draws)
    narrow, wide = compare("iv-single", patients=40), compare("iv-single", patients=40, draws=3)
    width = [(one.tables["arms"]["mean_hi90"] - one.tables["arms"]["mean_lo90"]).iloc[-1] for one in (narrow, wide)]
    assert width[1] > 2 * width[0]
    assert (narrow.covers, wide.covers) == (("sampling",), ("sampling", "parameters"))
    assert "uncertainty" not in narrow.tables
    apart = wide.tables["uncertainty"]
    assert set(apart["of"]) == {"change", "difference"}
    day = apart.query("arm == 'iv-single' and time_h == 24").set_index("of")
    assert (day["sd_parameters"] > day["sd_sampling"]).all()
    assert day["from_parameters"].between(0.5, 1).all()


def test_draws_leave_alone_what_the_variant_fixes(monkeypatch):
    from afterglow.simulate import Arm

    seen = []
    run = Arm.run_each
    monkeypatch.setattr(Arm, "run_each", lambda self, values, *more: seen.extend(values) or run(self, values, *more))
    compare("iv-single", patients=4, weeks=1, variant="equal-enantiomers", draws=2)
    assert len(seen) == 4
    assert not any("nmda_block.weight_r" in values for values in seen)


def test_warnings_of_courses_and_failed_patients_are_kept(monkeypatch, tmp_path):
    file = tmp_path / "big.yaml"
    line = "{drug: ketamine, route: iv, dose: 1.5 mg/kg, over: 40 min, days: [1]}"
    file.write_text(f"course: big\ntitle: A large dose\ndoses:\n  - {line}\n")

    def simulate(course, **options):
        run = fake_simulate(course, **options)
        run.status[:2] = 1
        return run

    monkeypatch.setattr(afterglow.simulate, "simulate_course", simulate)
    text = " ".join(compare(file).warnings)
    assert "above the studied range" in text
    assert "2 of 8 patients" in text


def test_scores_as_xarray():
    found = compare("iv-single", "ssri", scales=("PHQ-9",))
    data = found.to_xarray()
    assert data["score"].dims == ("arm", "scale", "patient", "time_h")
    run = found.runs["ssri"]
    assert data["score"].sel(arm="ssri", scale="PHQ-9", patient=3, time_h=168.0) == run.measured["PHQ-9"][3, 9]
    assert data["score"].attrs["units"] == "points"


def test_progress_rises_to_one():
    seen = []
    compare("iv-single", progress=lambda _what, share: seen.append(share))
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
