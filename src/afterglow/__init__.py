"""From a dose of ketamine to a mood score: a simulator with sources, intervals and tests against trials.

    import afterglow

    result = afterglow.compare(["iv-induction", "ssri"], patients=200)
    result.tables["summary"]
    result.plot()
    afterglow.forecast("examples/person.yaml").summary

A research and planning model with virtual patients. Not a medical device.

The public names are those of `__all__`; each is imported when it is first used, so that `import afterglow` is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afterglow.clinic.course import Course as Course
    from afterglow.clinic.course import load_course as load_course
    from afterglow.clinic.course import shipped_courses as shipped_courses
    from afterglow.clinic.person import Person as Person
    from afterglow.clinic.person import load_person as load_person
    from afterglow.clinic.population import Population as Population
    from afterglow.clinic.population import load_population as load_population
    from afterglow.errors import AfterglowError as AfterglowError
    from afterglow.errors import EngineError as EngineError
    from afterglow.errors import Fault as Fault
    from afterglow.errors import InputError as InputError
    from afterglow.errors import ModelError as ModelError
    from afterglow.errors import UnitError as UnitError
    from afterglow.interfaces.python import Comparison as Comparison
    from afterglow.interfaces.python import compare as compare
    from afterglow.interfaces.python_forecast import Forecast as Forecast
    from afterglow.interfaces.python_forecast import forecast as forecast
    from afterglow.simulate import CourseRun as CourseRun
    from afterglow.simulate import simulate_course as simulate_course

    __version__: str

_HOMES = {
    "AfterglowError": "errors",
    "Comparison": "interfaces.python",
    "Course": "clinic.course",
    "CourseRun": "simulate",
    "EngineError": "errors",
    "Fault": "errors",
    "Forecast": "interfaces.python_forecast",
    "InputError": "errors",
    "ModelError": "errors",
    "Person": "clinic.person",
    "Population": "clinic.population",
    "UnitError": "errors",
    "compare": "interfaces.python",
    "forecast": "interfaces.python_forecast",
    "load_course": "clinic.course",
    "load_person": "clinic.person",
    "load_population": "clinic.population",
    "shipped_courses": "clinic.course",
    "simulate_course": "simulate",
}

__all__ = [
    "AfterglowError",
    "Comparison",
    "Course",
    "CourseRun",
    "EngineError",
    "Fault",
    "Forecast",
    "InputError",
    "ModelError",
    "Person",
    "Population",
    "UnitError",
    "__version__",
    "compare",
    "forecast",
    "load_course",
    "load_person",
    "load_population",
    "shipped_courses",
    "simulate_course",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        value: Any = version("afterglow")
    elif name in _HOMES:
        value = getattr(import_module(f"afterglow.{_HOMES[name]}"), name)
    else:
        raise AttributeError(f"module 'afterglow' has no attribute '{name}'")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
