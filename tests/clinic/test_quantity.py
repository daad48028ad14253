"""Quantities with units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.clinic.files import Wrong
from afterglow.clinic.quantity import Amount, amount, duration_text, hours, kilograms, percent, spacing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.5 mg/kg", Amount(0.5, True)),
        ("0.5mg/kg", Amount(0.5, True)),
        (".5 mg / kg", Amount(0.5, True)),
        ("0.5 mg per kg", Amount(0.5, True)),
        ("500 ug/kg", Amount(0.5, True)),
        ("56 mg", Amount(56.0, False)),
        ("5.6e1 mg", Amount(56.0, False)),
        ("0.056 g", Amount(56.0, False)),
        ("56000 mcg", Amount(56.0, False)),
        ("56000 \u00b5g", Amount(56.0, False)),
    ],
)
def test_amounts(text: str, expected: Amount):
    found = amount(text)
    assert found.value == pytest.approx(expected.value)
    assert found.per_kg is expected.per_kg


def test_an_amount_of_a_person():
    assert Amount(0.5, True).mg(80.0) == 40.0
    assert Amount(56.0).mg(80.0) == 56.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [("40 min", 2 / 3), ("90 s", 0.025), ("2 h", 2.0), ("7 d", 168.0), ("26 weeks", 4368.0), ("1 day", 24.0)],
)
def test_durations(text: str, expected: float):
    assert hours(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 per 7 d", 168.0),
        ("2 per 7 d", 84.0),
        ("1 per week", 168.0),
        ("1x per 2 weeks", 336.0),
        ("1 every 3 days", 72.0),
    ],
)
def test_spacings(text: str, expected: float):
    assert spacing(text) == pytest.approx(expected)


def test_percent_and_weight():
    assert percent("20 %") == percent("20%") == 20.0
    assert kilograms("81 kg") == 81.0
    assert kilograms("180 lb") == pytest.approx(81.65, abs=0.01)


@pytest.mark.parametrize("text", ["", "mg", "five mg", None, [1], "1 furlong", "--1 mg", "1 mg mg", "1 /kg", "1 kg/mg"])
def test_nonsense_is_refused(text: object):
    with pytest.raises(Wrong) as caught:
        amount(text)
    assert caught.value.remedy


@given(st.floats(min_value=1e-3, max_value=1e4), st.booleans())
def test_printing_and_reading_an_amount_returns_it(value: float, per_kg: bool):
    found = amount(str(Amount(value, per_kg)))
    assert found.per_kg is per_kg
    assert found.value == pytest.approx(value, rel=1e-5)


@given(st.integers(1, 10_000), st.sampled_from(["min", "h", "d", "weeks"]))
def test_printing_and_reading_a_duration_returns_it(number: int, unit: str):
    time = hours(f"{number} {unit}")
    assert hours(duration_text(time)) == pytest.approx(time, rel=1e-9)
