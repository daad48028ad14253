"""The exception tree, and errors that say where, what and what to do."""

import inspect
import re

import pytest

from afterglow import errors
from afterglow.errors import AfterglowError, EngineError, Fault, InputError, ModelError, UnitError, nearest


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    drawn, path = {}, []
    for line in inspect.getdoc(errors).splitlines():
        found = re.match(r"( *)([A-Z]\w+Error)\b", line)
        if found:
            path = [*path[: len(found[1]) // 2], found[2]]
            drawn[found[2]] = path[-2] if len(path) > 1 else "Exception"
    real = {n: c.__base__.__name__ for n, c in vars(errors).items() if inspect.isclass(c) and issubclass(c, Exception)}
    assert drawn == real


@pytest.mark.parametrize("kind", [InputError, ModelError, UnitError, EngineError])
def test_everything_raised_on_purpose_has_one_base(kind):
    assert issubclass(kind, AfterglowError)


def test_a_fault_says_where_what_and_what_to_do():
    assert str(Fault("course.yaml:7", "unknown drug 'ketamin'", "did you mean 'ketamine'?")) == (
        "course.yaml:7: unknown drug 'ketamin' (did you mean 'ketamine'?)"
    )
    assert str(Fault("--weeks", "0 weeks")) == "--weeks: 0 weeks"


def test_all_faults_at_once():
    faults = [Fault("a.yaml:1", "one"), Fault("a.yaml:9", "two", "remedy")]
    error = InputError(iter(faults))
    assert error.faults == faults
    assert str(error) == "a.yaml:1: one\na.yaml:9: two (remedy)"
    assert InputError(faults[0]).faults == faults[:1]


def test_the_nearest_name_or_all_of_them():
    known = {"ketamine", "esketamine", "diazepam"}
    assert nearest("ketamin", known) == "did you mean 'ketamine'?"
    assert nearest("xyz", known) == "one of: diazepam, esketamine, ketamine"
