"""The two-period crossover."""

import numpy as np
import pytest
from scipy import stats

from afterglow.streams import generator
from afterglow.study.statistics.crossover import crossover


@pytest.fixture(scope="module")
def people():
    draw = generator(2, "crossover")
    first = np.arange(24) < 13
    y = draw.normal(30, 6, (24, 1)) + draw.normal(0, 3, (24, 2))
    y[:, 0] -= 4 * first
    y[:, 1] -= 4 * ~first + 2.5
    return y, first


def test_the_treatment_is_students_test_of_period_differences(people):
    y, first = people
    change = y[:, 0] - y[:, 1]
    judge = stats.ttest_ind(change[first], change[~first])
    found = crossover(y, first).treatment
    assert found.estimate == pytest.approx((change[first].mean() - change[~first].mean()) / 2)
    assert (found.p, found.df) == pytest.approx((judge.pvalue, 22))


def test_carry_over_and_first_period_compare_the_sequences(people):
    y, first = people
    found = crossover(y, first)
    total, start = y.sum(axis=1), y[:, 0]
    assert found.carry_over.p == pytest.approx(stats.ttest_ind(total[first], total[~first]).pvalue)
    assert found.first_period.p == pytest.approx(stats.ttest_ind(start[first], start[~first]).pvalue)


def test_neither_period_nor_person_touches_the_treatment(people):
    y, first = people
    moved = y + [0, 11] + 100 * np.arange(24)[:, None]
    assert crossover(moved, first).treatment.p == pytest.approx(crossover(y, first).treatment.p, rel=1e-6)


def test_carry_over_biases_the_treatment_by_half_of_itself(people):
    y, first = people
    before, after = crossover(y, first), crossover(y + 3.0 * np.outer(first, [0, 1]), first)
    assert after.carry_over.estimate - before.carry_over.estimate == pytest.approx(3)
    assert after.treatment.estimate - before.treatment.estimate == pytest.approx(-1.5)
    assert after.first_period == before.first_period


def test_who_missed_a_period_counts_in_the_first_alone(people):
    y, first = people
    gone = y.copy()
    gone[:3, 1] = np.nan
    assert crossover(gone, first).treatment == crossover(y[3:], first[3:]).treatment
    assert crossover(gone, first).first_period == crossover(y, first).first_period
    gone[first, 1] = np.nan
    assert crossover(gone, first).treatment.problem == "a sequence is empty"
