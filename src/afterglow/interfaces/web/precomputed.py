"""Which scenarios a static copy of the page holds: what can be chosen there, each with what it may be laid beside."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from afterglow.study.live_facts import facts
from afterglow.study.live_scenario import DEFAULT_COURSE

DOSES = (0.1, 0.25, 0.5, 0.75, 1.0)  # mg/kg of each infusion
COUNTS = (1, 2, 4, 6)  # infusions
NOTHING, DRUG, PLACEBOS = "usual-care", "ssri", ("midazolam-single", "saline-single")
BESIDE_DEFAULT = (NOTHING, "psychotherapy", "benzodiazepine")  # further ones
PERSONS = 4  # drawn in the story
KETAMINES = ("ketamine", "esketamine")

Data = dict[str, Any]


@dataclass(frozen=True)
class Precomputed:
    """A scenario of the copy.

    Attributes:
        scenario: as it is sent to POST /api/run.
        preset: the shipped course it began from.
        dose: mg/kg, where it was varied.
        count: infusions, where they were varied.
    """

    scenario: Data
    preset: str
    dose: float | None = None
    count: int | None = None

    @property
    def key(self) -> str:
        """A name of its own, that files can have."""
        asked = self.scenario
        varied = [] if self.count is None else [f"{self.dose:g}mgkg", f"x{self.count}"]
        beside = [] if asked["versus"] is None else ["versus", asked["versus"]]
        more = [f"w{asked['weeks']:g}", asked["variant"] or ""]
        if asked["who"]["kind"] == "person":
            more.append(f"person{asked['who']['number']}")
        if asked["course"]["course"] != self.preset and self.count is None:
            line = asked["course"]["doses"][-1]
            more.append(f"{line['route']}-{len(line['days'])}")
        return re.sub(r"[^\w.-]+", "-", "_".join(part for part in (self.preset, *varied, *beside, *more) if part))


def scenarios(doses: Sequence[float] = DOSES, counts: Sequence[int] = COUNTS) -> list[Precomputed]:
    """The surface of doses and numbers of infusions, all shipped courses, and the scenes of the story.

    The page takes the first of what is equally near: scenarios with nothing beside them stand first.
    """
    about = facts()
    found = {one.key: one for part in (_surface(about, doses, counts), _shipped(about), _story(about)) for one in part}
    return list(found.values())


def _surface(about: Data, doses: Sequence[float], counts: Sequence[int]) -> Iterator[Precomputed]:
    first = about["default"]
    for dose in doses:
        for count in counts:
            course = _infusions(first["course"], dose, count)
            beside = [None, DRUG, *(PLACEBOS[:1] if count == 1 else ())]
            if course == first["course"]:
                beside += BESIDE_DEFAULT
            for versus in beside:
                yield Precomputed(first | {"course": course, "versus": versus}, DEFAULT_COURSE, dose, count)


def _infusions(course: Data, dose: float, count: int) -> Data:
    """The first infusions of a course at another dose; under the name that the page gives to a changed course."""
    (line,) = course["doses"]
    changed = line | {"dose": f"{dose:g} mg/kg", "days": line["days"][:count]}
    if changed == line:
        return course
    title = f"{count} ketamine infusion{'s' * (count > 1)} of {dose:g} mg/kg"
    return {"course": f"{course['course']}-changed", "title": title, "doses": [changed]}


def _shipped(about: Data) -> Iterator[Precomputed]:
    for course in about["presets"]:
        name = course["course"]
        if name == DEFAULT_COURSE:
            continue  # on the surface
        drugs = {line["drug"] for line in course.get("doses", ())}
        beside = [None, DRUG if drugs.intersection(KETAMINES) else NOTHING]
        if name == "iv-single":
            beside += PLACEBOS
        for versus in beside:
            if versus != name:
                yield Precomputed(about["default"] | {"course": course, "versus": versus}, name)


# ------------------------------------------------------------------------------------------------ the story


def _story(about: Data) -> Iterator[Precomputed]:
    """The scenes of `static/js/views/story_steps.js`, with what can be tried in each."""
    presets = {course["course"]: course for course in about["presets"]}
    single, six = presets["iv-single"], presets[DEFAULT_COURSE]

    def scene(course: Data, weeks: int, **more: Any) -> Precomputed:
        name = course["course"].removesuffix("-changed")
        return Precomputed(about["default"] | {"course": course, "weeks": weeks} | more, name)

    yield scene(single, 2)
    for route in ("oral", "sublingual", "nasal-atomiser"):
        limit = next(one for one in about["doses"] if (one["drug"], one["route"]) == ("ketamine", route))["published"]
        line = {"drug": "ketamine", "route": route, "dose": f"{limit['dose']:g} {limit['unit']}", "days": [1]}
        yield scene(_changed(single, line), 2)
    yield scene(single, 4)
    for number in range(PERSONS):
        yield scene(single, 4, who=about["default"]["who"] | {"kind": "person", "number": number, "failed_trials": 3})
    for versus in PLACEBOS:
        yield scene(single, 2, versus=versus)
    yield scene(single, 2, versus=PLACEBOS[0], variant="inert")
    yield scene(six, 16)
    (line,) = six["doses"]
    for every in (14, 7):
        boosters = range(line["days"][-1] + every, 16 * 7, every)
        yield scene(_changed(six, line | {"days": [*line["days"], *boosters]}), 16)


def _changed(course: Data, line: Data) -> Data:
    """A course with another line of doses, as the page writes it."""
    return {"course": f"{course['course']}-changed", "title": f"{course['title']}, changed", "doses": [line]}
