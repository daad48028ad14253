"""The condition language: meaning, precedence, faults with columns."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.condition import parse_condition
from afterglow.clinic.files import Wrong
from afterglow.errors import InputError

SCORES = {"MADRS": np.array([10.0, 20.0, 30.0, np.nan]), "PHQ-9": np.array([4.0, 20.0, 10.0, 3.0])}
BASE = {"MADRS": np.array([40.0, 40.0, 30.0, 40.0]), "PHQ-9": np.array([20.0, 20.0, 20.0, 20.0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MADRS >= 20", [0, 1, 1, 0]),
        ("20 <= MADRS", [0, 1, 1, 0]),
        ("MADRS < 20", [1, 0, 0, 0]),
        ("MADRS >= 0.5 * baseline", [0, 1, 1, 0]),
        ("MADRS >= 50 % * baseline", [0, 1, 1, 0]),
        ("2 * MADRS >= baseline", [0, 1, 1, 0]),
        ("improvement(MADRS) < 20 %", [0, 0, 1, 0]),
        ("improvement(MADRS) >= 50 %", [1, 1, 0, 0]),
        ("50 % <= improvement( MADRS )", [1, 1, 0, 0]),
        ("MADRS < 15 or PHQ-9 < 5", [1, 0, 0, 1]),
        ("MADRS < 15 and PHQ-9 < 5", [1, 0, 0, 0]),
        ("MADRS > 25 or MADRS > 15 and PHQ-9 > 15", [0, 1, 1, 0]),
        ("(MADRS > 25 or MADRS > 15) and PHQ-9 > 15", [0, 1, 0, 0]),
    ],
)
def test_meaning(text: str, expected: list[int]):
    found = parse_condition(text).holds(SCORES, BASE)
    assert found.dtype == bool
    assert found.tolist() == [bool(one) for one in expected]


@pytest.mark.parametrize(
    ("text", "column", "remedy"),
    [
        ("improvement(MADR) < 20 %", 13, "did you mean 'MADRS'?"),
        ("MADRS >=", 9, "MADRS >= 22"),
        ("MADRS = 22", 7, "use < or >"),
        ("MADRS", 6, "one of < <= > >="),
        ("MADRS >= 22 PHQ-9 > 4", 13, "'and' or 'or'"),
        ("(MADRS >= 22", 13, "write ')' here"),
        ("MADRS >= 22 and", 16, "MADRS >= 22"),
        ("MADRS # 22", 7, "use < <="),
        ("22 >= 20", 1, "MADRS >= 22"),
        ("improvement(MADRS) < 20", 1, "write '20 %'"),
        ("MADRS < 20 %", 1, "leave the % out"),
        ("MADRS >= 2 * 11", 14, "0.5 * baseline"),
        ("improvement MADRS < 20 %", 13, "write '(' here"),
        ("MADRS >= 20 < 30", 13, "'and' or 'or'"),
        ("__import__('os')", 1, "use < <="),
    ],
)
def test_faults_name_column_and_remedy(text: str, column: int, remedy: str):
    with pytest.raises(Wrong) as caught:
        parse_condition(text)
    assert f"column {column}:" in caught.value.problem
    assert remedy in caught.value.remedy


def test_which_scales_are_needed_and_that_they_must_be_there():
    condition = parse_condition("MADRS > 20 or improvement(PHQ-9) < 50 %")
    assert condition.scales == ("MADRS", "PHQ-9")
    with pytest.raises(InputError, match="no baseline of PHQ-9"):
        condition.holds(SCORES, {"MADRS": BASE["MADRS"]})


@given(st.text(alphabet="MADRSbaseline improvement()<>=%*0123456789.-and or", max_size=40))
def test_any_text_parses_or_is_refused_with_words(text: str):
    try:
        condition = parse_condition(text)
    except Wrong:
        return  # refused in words, which is what is asked
    assert condition.holds(SCORES, BASE).shape == (4,)


@given(st.floats(0, 60), st.floats(1, 60), st.floats(0, 100))
def test_improvement_is_the_relative_fall(score: float, base: float, cut: float):
    found = parse_condition(f"improvement(MADRS) >= {cut:.6f} %").holds(
        {"MADRS": np.array([score])}, {"MADRS": np.array([base])}
    )
    assert bool(found[0]) == (100 * (1 - score / base) >= float(f"{cut:.6f}"))
