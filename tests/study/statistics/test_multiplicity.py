"""Procedures for several hypotheses."""

import math

import numpy as np
import pytest

from afterglow.streams import generator
from afterglow.study.statistics.multiplicity import fixed_sequence, holm


@pytest.mark.parametrize("trial", range(5))
def test_holms_procedure_is_that_of_an_independent_library(trial):
    from statsmodels.stats.multitest import multipletests

    p = generator(trial, "holm").uniform(size=6) ** 3
    theirs = multipletests(p, 0.05, method="holm")
    assert holm(p).adjusted == pytest.approx(list(theirs[1]))
    assert holm(p).rejected == theirs[0].tolist()


def test_a_sequence_stops_at_the_first_that_is_not_rejected():
    found = fixed_sequence([0.01, 0.04, 0.06, 0.001])
    assert found.rejected == [True, True, False, False]
    assert found.adjusted == [0.01, 0.04, 0.06, 0.06]


def test_one_hypothesis_needs_no_adjustment():
    assert holm([0.03]) == fixed_sequence([0.03])
    assert holm([0.03]).adjusted == [0.03]


def test_a_missing_p_is_never_rejected():
    assert holm([0.001, math.nan]).rejected == [True, False]
    assert fixed_sequence([math.nan, 0.001]).rejected == [False, False]


@pytest.mark.parametrize("procedure", [holm, fixed_sequence])
def test_the_adjusted_p_is_the_smallest_alpha_that_rejects(procedure):
    p = [0.012, 0.3, 0.021, 0.04]
    adjusted = np.array(procedure(p).adjusted)
    for alpha in (0.011, 0.02, 0.05, 0.085, 0.31):
        assert procedure(p, alpha).rejected == (adjusted <= alpha).tolist()
