"""What the page knows of the model before anything is asked: drugs, doses, courses, panels, links of the chain."""

from __future__ import annotations

from functools import cache
from typing import Any

from afterglow.clinic import limits, scale
from afterglow.clinic.course import shipped_courses
from afterglow.clinic.dosing import Background, Dose
from afterglow.clinic.drugs import DRUGS, ROUTES
from afterglow.clinic.files import parse, shipped_text
from afterglow.clinic.source import Source
from afterglow.study.live_panels import CHAIN, PANELS
from afterglow.study.live_scenario import (
    DEFAULT_COURSE,
    MOST_DECISIONS,
    MOST_INTAKES,
    MOST_PEOPLE,
    MOST_SESSIONS,
    MOST_WEEKS,
    shipped,
)
from afterglow.study.quantities import QUANTITIES
from afterglow.systems import catalogue
from afterglow.systems.variants import VARIANTS

# A dose to begin with is that of a shipped course, or else the lower end of the studied range; but 50 mg of ketamine by
# atomiser (in depression; less in volunteers) and 50 mg of sertraline (less at the start), both of `data/limits.yaml`.
_BEGIN = {("ketamine", "nasal-atomiser"): 50.0, ("sertraline", "oral"): 50.0}
_OVER_MIN = 40.0  # of the infusions of shipped courses


def facts() -> dict[str, Any]:
    """Plain data, keys as in the answer of `/api/about`."""
    found = catalogue.rows()
    counts = {key: sum(getattr(row, key) for row in found) for key in ("parameters", "assumed", "fitted")}
    return {
        "not_modelled": catalogue.NOT_MODELLED,
        "limits": {
            "people": MOST_PEOPLE, "weeks": MOST_WEEKS, "sessions": MOST_SESSIONS, "intakes": MOST_INTAKES,
            "decisions": MOST_DECISIONS,
        },
        "drugs": [
            {"name": one.name, "title": one.title, "kind": one.kind, "routes": list(one.routes)}
            for one in DRUGS.values()
        ],
        "routes": dict(ROUTES),
        "doses": [
            dose for one in DRUGS.values() for route in one.routes if (dose := _dose(one.name, route)) is not None
        ],
        "presets": presets(),
        "comparators": shipped_courses(),
        "default": default(),
        "panels": panels(),
        "chain": [
            {"key": one.key, "title": one.title, "systems": list(one.systems), "quantity": one.quantity}
            for one in CHAIN
        ],
        "parameters": {"total": counts["parameters"], "assumed": counts["assumed"], "fitted": counts["fitted"]},
        "variants": [{"name": name, "meaning": one.meaning} for name, one in VARIANTS.items()],
        "scales": [
            {"name": name, "low": one.low, "high": one.high}
            for name, one in ((name, scale.get(name)) for name in scale.names())
        ],
    }  # fmt: skip


def presets() -> list[dict[str, Any]]:
    """The shipped courses as plain data, as their files have them."""
    return [_written(name) for name in shipped_courses()]


@cache
def _written(name: str) -> dict[str, Any]:
    return {"title": shipped(name).title, **parse(shipped_text(f"courses/{name}.yaml"), name).data}


def default() -> dict[str, Any]:
    """The scenario with which the page begins, as plain data."""
    course = {key: value for key, value in _written(DEFAULT_COURSE).items() if key in ("course", "title", "doses")}
    return {
        "course": course,
        "versus": None,
        "who": {"kind": "population", "population": "trd"},
        "weeks": 8,
        "seed": 1,
        "variant": None,
    }


def panels() -> list[dict[str, Any]]:
    """All panels in the order of cause, each with the link of the chain that it shows."""
    links = {name: link.key for link in CHAIN for name in link.quantities}
    shown = [QUANTITIES[name] for name in PANELS]
    return [
        {"name": one.name, "label": one.label, "unit": one.unit, "layer": one.layer, "chain": links.get(one.name)}
        for one in shown
    ]


def _dose(drug: str, route: str) -> dict[str, Any] | None:
    """Doses of a drug by a route: one to begin with, the studied range, the bound; None for inert ones."""
    limit = limits.find(drug, route)
    if limit is None:
        return None
    unit, studied, found = limit.dose_unit, limit.studied, _of_courses(drug, route)
    value = limit.value(found.dose) if found is not None and found.dose is not None else None
    if value is None:
        value = _BEGIN.get((drug, route), studied.low)
    over = None if route != "iv" else 60.0 * found.over if isinstance(found, Dose) and found.over else _OVER_MIN
    row: dict[str, Any] = {
        "drug": drug,
        "route": route,
        "published": {"dose": value, "unit": unit, "over_min": over},
        "studied": {"low": studied.low, "high": studied.high, "unit": limit.unit, **_source(studied.source)},
        "bound": {"value": limit.bound.value, "unit": unit, **_source(limit.bound.source)},
    }
    if limit.label is not None:
        label = limit.label
        row["label"] = {"low": label.low, "high": label.high, "unit": limit.unit, **_source(label.source)}
    return row


def _of_courses(drug: str, route: str) -> Dose | Background | None:
    """The first line of a shipped course with this drug and route."""
    courses = [shipped(name) for name in (DEFAULT_COURSE, *shipped_courses())]
    lines = (line for course in courses for line in (*course.doses, *course.background))
    return next((line for line in lines if (line.drug, line.route) == (drug, route)), None)


def _source(source: Source) -> dict[str, str]:
    link = f"https://doi.org/{source.doi}" if source.doi else ""
    return {"source": source.citation or source.note, "link": link, "grade": source.grade, "note": source.note}
