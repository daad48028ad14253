"""The drug's own share and what a further trial would narrow: closed forms, directions, and the rival's nothing."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from afterglow import streams
from afterglow.interfaces import words as sentences
from afterglow.study import next_trial
from afterglow.study.drug_share import drug_share, read_scores, shares
from afterglow.study.next_trial import DESIGNS, ODDS, Foreseen, enough, foresee, narrowed, told_apart

SCORES = """name,trials,rows,log_score,minus_base,minus_base_se
base,30,100,-9.876,0,0
inert,30,100,-10.123,-0.247,0.31
"""
DRAWS = 20000


def normal(purpose, size=DRAWS):
    return streams.generator(1, purpose).standard_normal(size)


def sharp(mean, own_sd=0.0, patient_sd=10.0):
    """A model with one idea of the difference."""
    return Foreseen(np.array([mean]), np.array([own_sd]), patient_sd)


# ------------------------------------------------------------------------------------ the share


@pytest.fixture(scope="module")
def found():
    rates = ({"synapses.fast_rate": rate} for rate in (5.0, 20.0, 60.0))
    return shares(rates, 24, 1)


def test_more_drug_is_a_larger_share_and_expectation_takes_its_part_first(found):
    alone, on_top = found.T
    assert (np.diff(alone) > 0).all()
    assert (np.diff(on_top) > 0).all()
    assert (on_top < alone).all()
    assert ((found > 0) & (found < 100)).all()


def test_the_inert_rival_has_no_share():
    assert shares([{}], 24, 1, "inert") == pytest.approx(np.zeros((1, 2)), abs=0.1)


def test_the_bracket_holds_both_ends_and_the_scores_beside_it(tmp_path):
    (tmp_path / "rivals.csv").write_text(SCORES)
    found = drug_share(read_scores(tmp_path / "rivals.csv"), draws=8, patients=16)
    for part in (found["alone"], found["on_top"]):
        assert found["inert"] == 0 < part["lo90"] <= part["percent"] <= part["hi90"]
    assert (found["trials"], found["log_score"], found["log_score_inert"]) == (30, -9.88, -10.12)
    assert (found["inert_minus_base"], found["inert_minus_base_se"]) == (-0.25, 0.31)


# ------------------------------------------------------------------------------------ what a trial narrows


def test_linear_bayes_in_closed_form():
    """share = 5 x, difference = -2 x: precision adds."""
    x, n = normal("x"), 50
    seen = Foreseen(-2 * x, np.full(DRAWS, 0.7), 10.0)
    noise = 0.7**2 + 2 * 10.0**2 / n
    exact = 5 * math.sqrt(1 / (1 + 4 / noise))
    assert narrowed(5 * x, seen, n) == pytest.approx(exact, rel=0.02)


def test_more_patients_narrow_more_down_to_what_one_trial_has_of_its_own():
    x = normal("x")
    seen = Foreseen(-2 * x, np.full(DRAWS, 1.5), 10.0)
    after = [narrowed(x, seen, n) for n in next_trial.SIZES]
    assert (np.diff(after) < 0).all()
    assert after[-1] == pytest.approx(math.sqrt(1 / (1 + 4 / 1.5**2)), rel=0.02)


def test_a_difference_that_says_nothing_of_the_share_narrows_nothing():
    x = normal("x")
    seen = Foreseen(normal("something else"), np.zeros(DRAWS), 10.0)
    assert narrowed(x, seen, math.inf) == pytest.approx(x.std(), rel=0.001)


# ------------------------------------------------------------------------------------ telling two models apart


@pytest.mark.parametrize("n", [20, 100])
def test_two_points_are_told_apart_as_the_normal_says(n):
    """Means 0 and -5, the same error: the log odds are normal with mean d^2 / 2 and SD d."""
    d = 5 / math.sqrt(2 * 10.0**2 / n)
    exact = norm.sf((math.log(ODDS) - d**2 / 2) / d)
    assert told_apart(sharp(-5.0), sharp(0.0), n) == pytest.approx((exact, exact), abs=0.02)


def test_what_foresees_the_same_is_never_told_apart():
    assert told_apart(sharp(-5.0), sharp(-5.0), 400) == (0.0, 0.0)
    assert enough(sharp(-5.0), sharp(-5.0), (100, 1000)) is None


def test_enough_is_the_first_size_that_is():
    n = enough(sharp(-5.0), sharp(0.0), range(10, 400, 10))
    assert n is not None
    assert min(told_apart(sharp(-5.0), sharp(0.0), n)) >= 0.9
    assert min(told_apart(sharp(-5.0), sharp(0.0), n - 10)) < 0.9


def test_what_a_trial_has_of_its_own_cannot_be_outnumbered():
    assert enough(sharp(-5.0, own_sd=5.0), sharp(0.0, own_sd=5.0), (100, 10**6)) is None


# ------------------------------------------------------------------------------------ the designs


def test_designs_are_rows_of_their_trials():
    for design in DESIGNS.values():
        record = next_trial.trial(design.trial)
        row = next(r for r in record.answered() if r.key == design.row)
        assert row.measure == "difference"
        assert row.se is not None
        assert {row.arm, row.versus} <= {arm.arm for arm in record.simulate.arms}


def test_where_nobody_feels_the_drug_an_inert_one_makes_no_difference():
    """The same people in both arms: no difference from the start may be left over."""
    inert, base = (foresee(DESIGNS["masked"], 3, 24, 1, variant) for variant in ("inert", None))
    assert inert.mean == pytest.approx(np.zeros(3), abs=0.1)
    assert inert.own_sd == pytest.approx(np.zeros(3), abs=0.1)
    assert (base.mean < -0.5).all()
    assert (base.own_sd > 0).all()


def test_the_error_of_one_patient_is_that_of_the_published_trial():
    seen = foresee(DESIGNS["masked"], 2, 16, 1)
    assert math.sqrt(seen.sampling(20)) == pytest.approx((13.3 + 1.64) / (2 * 1.96), rel=0.01)


# ------------------------------------------------------------------------------------ in words


@pytest.mark.parametrize(
    ("apart", "said"), [(-0.5, "about as well (log score a trial −0.50"), (-0.9, "less well (log score a trial −0.90")]
)
def test_the_sentence_says_whether_the_rival_is_told_apart(monkeypatch, apart, said):
    part = {"percent": 20.0, "lo90": 15.0, "hi90": 25.0}
    record = {"alone": part, "on_top": part, "trials": 30, "inert_minus_base": apart, "inert_minus_base_se": 0.3}
    monkeypatch.setattr("afterglow.data.fitted.drug_share", lambda: record)
    text = sentences.drug_share()
    assert said in text
    assert ("anywhere between nothing" in text) == (apart == -0.5)
    assert "only masked trials can tell" in text
