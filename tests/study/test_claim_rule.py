"""The rule of verdicts, over every combination of directions and answers of the model."""

import itertools
import math

import pytest

from afterglow.clinic.claim import Range
from afterglow.study.claim_rule import VERDICTS, answer, verdict

SUPPORTS, QUALIFIES, CONTRADICTS = "supports", "qualifies", "contradicts"
ANSWERS = ("agrees", "disagrees", "unsure", None)
SUBSETS = [set(some) for n in range(4) for some in itertools.combinations((SUPPORTS, QUALIFIES, CONTRADICTS), n)]

# directions (s, q, c) -> verdict with the model inside, outside, across the range, not asked
TABLE = {
    "": "supported contradicted open open",
    "s": "supported open supported supported",
    "q": "overstated overstated overstated overstated",
    "sq": "overstated overstated overstated overstated",
    "c": "contradicted contradicted contradicted contradicted",
    "sc": "overstated overstated overstated overstated",
    "qc": "contradicted contradicted contradicted contradicted",
    "sqc": "overstated overstated overstated overstated",
}


@pytest.mark.parametrize("speaks", SUBSETS, ids=lambda one: "+".join(sorted(one)) or "none")
def test_every_combination(speaks):
    row = "".join(name[0] for name in (SUPPORTS, QUALIFIES, CONTRADICTS) if name in speaks)
    assert [verdict(speaks, said) for said in ANSWERS] == TABLE[row].split()


@pytest.mark.parametrize("speaks", SUBSETS, ids=lambda one: "+".join(sorted(one)) or "none")
@pytest.mark.parametrize("said", ANSWERS)
def test_a_definition_stays_one_unless_a_finding_contradicts(speaks, said):
    found = verdict(speaks, said, definition=True)
    assert found == (verdict(speaks, said) if CONTRADICTS in speaks else "definition")
    assert found in VERDICTS


@pytest.mark.parametrize("speaks", SUBSETS, ids=lambda one: "+".join(sorted(one)) or "none")
def test_how_often_a_direction_occurs_does_not_matter(speaks):
    assert all(verdict(list(speaks) * 3, said) == verdict(speaks, said) for said in ANSWERS)


@pytest.mark.parametrize("speaks", SUBSETS[1:], ids=lambda one: "+".join(sorted(one)))
def test_the_model_never_makes_supported_what_findings_do_not(speaks):
    without = verdict(speaks, None)
    assert without == "supported" or all(verdict(speaks, said) != "supported" for said in ANSWERS)


@pytest.mark.parametrize(
    ("low", "high", "expected", "said"),
    [
        (1, 2, Range(low=0, open_low=True), "agrees"),
        (0, 2, Range(low=0, open_low=True), "unsure"),
        (0, 2, Range(low=0), "agrees"),
        (-2, 0, Range(low=0, open_low=True), "disagrees"),
        (-2, 0, Range(low=0), "unsure"),
        (-2, -1, Range(low=0), "disagrees"),
        (-1, 1, Range(low=0), "unsure"),
        (61, 79, Range(60, 80), "agrees"),
        (50, 90, Range(60, 80), "unsure"),
        (81, 90, Range(60, 80), "disagrees"),
        (0, 0, Range(low=0, open_low=True), "disagrees"),
        (math.nan, 1, Range(low=0), "unsure"),
    ],
)
def test_an_interval_answers_inside_outside_or_across(low, high, expected, said):
    assert answer(low, high, expected) == said
