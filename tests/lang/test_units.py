"""Units carry dimension and scale."""

import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afterglow.errors import UnitError
from afterglow.lang import Unit, units

WORDS = ("mg", "ug", "L", "h", "d", "umol", "kg", "year", "mmHg")
registry = pint.UnitRegistry(cache_folder=None)


@pytest.mark.parametrize(
    ("one", "other", "factor"),
    [
        ("mg/L", "ug/L", 1e3),
        ("ug/L", "mg/L", 1e-3),
        ("ng/mL", "ug/L", 1.0),
        ("d", "h", 24.0),
        ("1/d", "1/h", 1 / 24),
        ("min", "h", 1 / 60),
        ("%", "1", 0.01),
        ("umol/L", "nmol/mL", 1.0),
    ],
)
def test_factor(one, other, factor):
    assert Unit.parse(one).factor_to(Unit.parse(other)) == pytest.approx(factor, rel=1e-12)


def test_a_scale_of_one_is_exactly_one():
    assert Unit.parse("ng/mL").factor_to(Unit.parse("ug/L")) == 1.0


def test_scale_counts_as_much_as_dimension():
    assert Unit.parse("mg/L").dims == Unit.parse("ug/L").dims
    assert not Unit.parse("mg/L").same(Unit.parse("ug/L"))


def test_a_point_on_a_scale_is_a_pure_number():
    assert Unit.parse("point").pure
    assert (Unit.parse("point") / Unit.parse("h")).same(Unit.parse("1/h"))


@pytest.mark.parametrize("text", ["degC", "degF", "dB"])
def test_units_with_an_offset_or_a_logarithm_are_refused(text):
    with pytest.raises(UnitError, match="offset or is logarithmic"):
        Unit.parse(text)


@pytest.mark.parametrize("text", ["mgg", "mg/", "(mg", "mg**", "3 mg", "log(mg)", "drop"])
def test_what_is_not_a_unit_is_refused_by_name(text):
    with pytest.raises(UnitError) as e:
        Unit.parse(text)
    assert f"'{text}' is not a unit" in str(e.value)


def test_a_misspelt_unit_gets_a_suggestion():
    with pytest.raises(UnitError, match=r"did you mean 'mg/L'\?"):
        Unit.parse("mgg/L")


def test_no_conversion_between_dimensions():
    with pytest.raises(UnitError, match=r"\[mg\] cannot be converted to \[h\]: gram against second"):
        Unit.parse("mg").factor_to(Unit.parse("h"))


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from([-2, -1, 1, 2])), min_size=1, max_size=5))
def test_products_agree_with_pint_and_their_text_reads_back(factors):
    unit, judge = Unit.parse("1"), registry.Quantity(1.0, "1")
    for word, power in factors:
        unit, judge = unit * Unit.parse(word) ** power, judge * registry.Quantity(1.0, word) ** power
    root = judge.to_root_units()
    assert unit.scale == pytest.approx(root.magnitude, rel=1e-9)
    assert dict(unit.dims) == pytest.approx({str(d): float(p) for d, p in root.units._units.items()})
    assert Unit.parse(str(unit)).same(unit)


@pytest.mark.parametrize(
    ("build", "text"),
    [
        (lambda u: u("L/h") / u("L") * u("mg"), "mg/h"),
        (lambda u: u("mg/L") / u("h"), "mg/L/h"),
        (lambda u: u("1") / u("h"), "1/h"),
        (lambda u: u("mg^2") / u("mg"), "mg"),
        (lambda u: u("mg/L") ** 2, "mg^2/L^2"),
    ],
)
def test_composed_units_read_as_a_person_would_write_them(build, text):
    assert str(build(Unit.parse)) == text


@pytest.mark.parametrize("text", list(units._KNOWN))
def test_the_units_kept_here_are_those_of_pint(text):
    assert units._by_pint(text) == Unit.parse(text)
