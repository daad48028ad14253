"""Populations: moments, streams, correlations, matching a paper's table, faults."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from afterglow.clinic.files import model_from_data, model_from_text, shipped_text
from afterglow.clinic.population import VARIABLES, Correlation, Count, Cut, Population, load_population
from afterglow.errors import InputError

SOURCE = {"citation": "a paper", "grade": "page"}
N = 20_000


@pytest.fixture(scope="module")
def table():
    return load_population("trd").draw(3, 0, range(N))


def test_moments_are_those_declared(table):
    population = load_population("trd")
    for column, declared in (
        ("AGE", population.age),
        ("WT", population.weight),
        ("baseline_madrs", population.madrs),
        ("failed_trials", population.failed_trials),
    ):
        values = table[column].to_numpy()
        assert values.mean() == pytest.approx(declared.mean, abs=5 * declared.sd / np.sqrt(N))
        assert values.std() == pytest.approx(declared.sd, rel=0.04)
        assert values.min() >= declared.low
    assert table["baseline_madrs"].max() <= 60
    for column in ("anxiety", "ptsd", "pain", "benzodiazepine", "met_carrier"):
        assert table[column].mean() == pytest.approx(getattr(population, column).share, abs=0.02)
    assert table["SEXF"].mean() == pytest.approx(population.female.share, abs=0.02)


def test_inflammation_agrees_with_both_published_shares(table):
    assert (table["crp"] > 3).mean() == pytest.approx(0.27, abs=0.015)
    assert (table["crp"] > 1).mean() == pytest.approx(0.58, abs=0.015)
    assert table["crp_high"].mean() == (table["crp"] > 3).mean()
    assert table["inflammation"].std() == pytest.approx(1.0, abs=0.03)


def test_treatment_resistance_means_two_failed_trials(table):
    assert (table["trd"] == 1).all()
    assert (table["failed_trials"] == table["failed_trials"].round()).all()
    other = load_population("mdd").draw(3, 0, range(2000))
    assert ((other["failed_trials"] >= 2) == (other["trd"] == 1)).all()
    assert other["trd"].mean() < 0.2


def test_declared_correlations_have_their_sign_and_others_vanish(table):
    population = load_population("trd")
    declared = {frozenset(one.between): one.r for one in population.correlations}
    found = table[list(VARIABLES)].corr(method="spearman").to_numpy()
    for i, a in enumerate(VARIABLES):
        for j, b in enumerate(VARIABLES[:i]):
            r = declared.get(frozenset((a, b)), 0.0)
            if r:
                assert np.sign(found[i, j]) == np.sign(r)
                assert 0.4 * abs(r) < abs(found[i, j]) < 1.05 * abs(r) + 0.02
    assert abs(found[0, VARIABLES.index("met_carrier")]) < 0.03


def test_first_patients_stay_the_same_when_more_are_drawn():
    population = load_population("trd")
    few, many = population.draw(1, 0, range(50)), population.draw(1, 0, range(100))
    assert few.equals(many.iloc[:50])
    assert population.draw(1, 0, range(20, 40)).equals(many.iloc[20:40])
    assert not population.draw(1, 1, range(50)).equals(few)
    assert not population.draw(2, 0, range(50)).equals(few)


def test_zero_patients_are_refused():
    with pytest.raises(InputError, match="0 patients"):
        load_population("trd").draw(1, 0, range(0))


@settings(max_examples=30, deadline=None)
@given(st.floats(20, 45), st.floats(2, 9))
def test_a_papers_table_is_matched(mean: float, sd: float):
    population = load_population("trd").matching(
        "x", "a paper", madrs=(mean, sd), entry_madrs=max(0.0, mean - 2.5 * sd)
    )
    assert population.madrs.low == max(0.0, mean - 2.5 * sd)
    z = np.linspace(-6, 6, 4001)
    weight = np.exp(-0.5 * z * z)
    values = population.madrs.values(z)
    found = np.average(values, weights=weight)
    assert found == pytest.approx(mean, abs=0.01)
    assert np.sqrt(np.average((values - found) ** 2, weights=weight)) == pytest.approx(sd, rel=0.01)
    assert (np.diff(values) >= 0).all()


def test_matching_changes_what_is_given_only():
    base = load_population("trd")
    moved = base.matching("paper", "A, 2020", age=(70.0, 4.5), female=0.5, failed_trials=(0.5, 0.8, 0))
    assert (moved.age.mean, moved.female.share, moved.trd) == (70.0, 0.5, False)
    assert (moved.weight, moved.anxiety, moved.madrs) == (base.weight, base.anxiety, base.madrs)
    assert moved.draw(1, 0, range(4000))["AGE"].mean() == pytest.approx(70.0, abs=0.4)
    with pytest.raises(InputError, match="no cut normal"):
        base.matching("x", "x", madrs=(30.0, 25.0))


@pytest.mark.parametrize(("mean", "sd"), [(3.0, 3.0), (2.0, 1.0), (0.5, 0.8), (0.0, 0.0), (7.5, 2.0)])
def test_counts(mean: float, sd: float):
    count = model_from_data(Count, {"mean": 2 + mean, "sd": sd, "low": 2, "source": SOURCE}, "x")
    values = count.values(np.random.default_rng(0).standard_normal(100_000))
    assert values.min() == 2
    assert values.mean() == pytest.approx(2 + mean, abs=0.05)
    expected = sd if sd * sd > mean else np.sqrt(mean)  # a Poisson is the narrowest
    assert values.std() == pytest.approx(expected, abs=0.05)


def test_a_fixed_value_is_possible():
    cut = model_from_data(Cut, {"mean": 5.0, "sd": 0.0, "low": 0.0, "high": 9.0, "source": SOURCE}, "x")
    assert (cut.values(np.array([-1.0, 2.0])) == 5.0).all()


def test_assumed_numbers_are_counted_and_have_reasons():
    population = load_population("trd")
    assumed = population.assumed()
    assert len(assumed) == 4 + len(population.correlations)
    assert all(": " in one and len(one.split(": ", 1)[1]) > 5 for one in assumed)


def test_faults_come_with_lines():
    text = shipped_text("populations/trd.yaml")
    broken = (
        text.replace("share: 0.67", "share: 1.67")
        .replace("mean: 37.4", "mean: 17.4")
        .replace("between: [SEXF, WT]", "between: [SEX, WT]")
        .replace("pain:\n", "pian:\n", 1)
    )
    with pytest.raises(InputError) as caught:
        model_from_text(Population, broken, "p.yaml")
    text = str(caught.value)
    for expected in (
        "did you mean 'pain'?",
        "did you mean 'SEXF'?",
        "is not between low 28",
        "less than or equal to 1",
    ):
        assert expected in text
    lines = broken.splitlines()
    for fault in caught.value.faults:
        name, line = fault.place.rsplit(":", 1)
        assert name == "p.yaml"
        assert 1 <= int(line) <= len(lines)
    (sex,) = (fault for fault in caught.value.faults if "SEXF" in fault.remedy)
    assert "[SEX, WT]" in lines[int(sex.place.rsplit(":", 1)[1]) - 1]


def test_impossible_correlations_are_refused():
    text = shipped_text("populations/trd.yaml")
    text += "  - {between: [AGE, WT], r: 0.95, source: {grade: assumed, note: x}}\n"
    text += "  - {between: [AGE, SEXF], r: 0.95, source: {grade: assumed, note: x}}\n"
    with pytest.raises(InputError, match="cannot hold together"):
        model_from_text(Population, text, "p.yaml")
    with pytest.raises(InputError, match="less than 1"):
        model_from_data(Correlation, {"between": ["AGE", "WT"], "r": 1.0, "source": SOURCE}, "x")


def test_unknown_population():
    with pytest.raises(InputError, match=r"no population 'trt'.*did you mean 'trd'"):
        load_population("trt")
