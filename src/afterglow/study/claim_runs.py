"""The scenarios of claims, run: courses that several claims share are simulated once, and values are kept on disk.

The kept values are found by a hash over the code and data that decide them, the posterior, and the scenario with its
courses and people written out. A changed posterior therefore asks the model again.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome
from afterglow.clinic.claim import Reading, Scenario
from afterglow.clinic.course import Course, load_course
from afterglow.clinic.population import Population, load_population
from afterglow.clinic.visits import visits
from afterglow.compiled import compiled
from afterglow.data import fitted
from afterglow.engine.native import cache_folder
from afterglow.errors import Fault, InputError, nearest
from afterglow.study import intervals
from afterglow.study.draws import split_draws
from afterglow.study.intervals import Estimate
from afterglow.study.quantities import QUANTITIES, read_at

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from afterglow.course_run import CourseRun

FloatArray = NDArray[np.float64]
CONTROL = "/control"
DRAWS, DRAW_PATIENTS = 16, 128  # of the posterior, behind each interval
RELAPSE_RULE: outcome.RelapseRule = "half-baseline"
WEEK_H = 168.0
# What decides a model value, beside the scenario; texts of claims and published results do not.
_DECIDES = (
    "lang", "systems", "compile", "engine", "clinic", "blocks.py", "compiled.py", "course_run.py", "machine.py",
    "simulate.py", "streams.py", "study/claim_runs.py", "study/draws.py", "study/intervals.py", "study/quantities.py",
    "data/fit", "data/parameters", "data/scales.yaml", "data/limits.yaml",
)  # fmt: skip


@dataclass(frozen=True)
class Value:
    """What the model gives for a scenario, with its 90 % interval over people and draws of the posterior."""

    value: float
    lo90: float
    hi90: float
    unit: str


@dataclass(frozen=True)
class Question:
    """A scenario with its files read: the courses of its readings, and its people."""

    scenario: Scenario
    courses: tuple[Course, ...]  # of `scenario.readings()`, in order
    population: Population

    @property
    def key(self) -> str:
        """Hash of everything that decides the value; see the top of this file."""
        asked = self.scenario.model_dump(mode="json", exclude={"expects", "published", "assumes", "misses"})
        courses = [one.model_dump(mode="json") for one in self.courses]
        people = self.population.model_dump(mode="json")
        text = json.dumps([asked, courses, people, DRAWS, DRAW_PATIENTS], sort_keys=True, default=str)
        return hashlib.sha256(f"{_model()}\n{_posterior()}\n{text}".encode()).hexdigest()


def question(scenario: Scenario, place: str, folder: Path | None = None) -> Question:
    """Read and check everything that a scenario names; all faults at once.

    Args:
        scenario: what is asked.
        place: how faults name it.
        folder: where the files that it names are looked for first.
    """
    faults: list[Fault] = []
    courses: list[Course] = []
    for key, one in zip(("of", "compared"), scenario.readings(), strict=False):
        try:
            courses.append(_course(str(one.course), folder))
        except InputError as error:
            faults += [Fault(f"{place}.{key}: {f.place}", f.problem, f.remedy) for f in error.faults]
        known = [*compiled().program.output, *QUANTITIES]
        if one.output is not None and one.output not in known:
            faults.append(
                Fault(f"{place}.{key}", f"the model has no output '{one.output}'", nearest(one.output, known))
            )
        if scenario.measure not in ("output", "share"):
            faults += [
                Fault(f"{place}.{key}", f"nobody is rated at {time:g} h", "rated at 2 h, 4 h and every whole day")
                for time in (one.since, one.at)
                if time is not None and not any(abs(time - visit) < 1e-6 for visit, _ in visits(scenario.weeks))
            ]
    try:
        population = load_population(_here(scenario.population, folder))
    except InputError as error:
        raise InputError([*faults, *error.faults]) from error
    if faults:
        raise InputError(faults)
    return Question(scenario, tuple(courses), population)


def _here(name: str, folder: Path | None) -> str:
    """A file beside the claim where there is one, else the name as written."""
    beside = folder / name if folder is not None else None
    return str(beside) if beside is not None and beside.is_file() else name


def _course(name: str, folder: Path | None) -> Course:
    course = load_course(_here(name.removesuffix(CONTROL), folder))
    if not name.endswith(CONTROL):
        return course
    control = course.control()
    if control is None:
        raise InputError(Fault(name, "this course has no matched control", "compare it with another course"))
    return control


# ------------------------------------------------------------------------------------------------ running


def values(
    questions: Sequence[Question], *, kept: bool = True, progress: Callable[[str, float], None] | None = None
) -> list[Value]:
    """What the model gives, one value a question; those kept on disk are read, the rest simulated and kept.

    Args:
        questions: what is asked.
        kept: whether values on disk may be used.
        progress: called with what is running and the share of everything that is done.
    """
    found: dict[str, Value] = {one.key: known for one in questions if kept and (known := _stored(one.key))}
    missing = {one.key: one for one in questions if one.key not in found}
    runs: dict[str, list[CourseRun]] = {}
    arms = _arms(missing.values())
    for number, (arm, (asked, course, people, outputs)) in enumerate(arms.items()):
        if progress is not None:
            progress(course.name, number / len(arms))
        runs[arm] = _run(asked, course, people, outputs)
    for key, one in missing.items():
        found[key] = _value(one, [runs[_arm(one, course)] for course in one.courses])
        _store(key, found[key])
    return [found[one.key] for one in questions]


def _arm(one: Question, course: Course) -> str:
    """What two questions must share to share a run."""
    people = one.population.model_dump_json()
    return json.dumps([course.model_dump(mode="json"), people, one.scenario.weeks, one.scenario.patients], default=str)


def _arms(asked: Iterable[Question]) -> dict[str, tuple[Scenario, Course, Population, tuple[str, ...]]]:
    """The runs that these questions need, each with all outputs that any of them reads."""
    found: dict[str, tuple[Scenario, Course, Population, tuple[str, ...]]] = {}
    for one in asked:
        for course, reading in zip(one.courses, one.scenario.readings(), strict=True):
            arm = _arm(one, course)
            before = found[arm][3] if arm in found else ("mood.madrs",)
            wanted = tuple(dict.fromkeys((*before, *_parts(reading.output))))
            found[arm] = (one.scenario, course, one.population, wanted)
    return found


def _run(asked: Scenario, course: Course, people: Population, outputs: tuple[str, ...]) -> list[CourseRun]:
    """The run at typical values, then those at draws of the posterior in fewer people."""
    from afterglow.simulate import Arm

    options = {"weeks": asked.weeks, "population": people, "outputs": outputs}
    main = Arm(course, patients=asked.patients, **options).run()
    drawn, noise = zip(*split_draws(DRAWS, 1), strict=True)
    few = min(asked.patients, max(DRAW_PATIENTS, asked.patients // 8))
    return [main, *Arm(course, patients=few, **options).run_each(drawn, noise=noise)]


def _value(one: Question, runs: Sequence[Sequence[CourseRun]]) -> Value:
    """The value of a scenario from the runs of its readings."""
    scenario = one.scenario
    readings = scenario.readings()
    shares = scenario.measure in ("response", "remission", "relapse", "share")
    factor, unit = (100.0, "%") if shares else (1.0, _unit(scenario))
    found = [
        _estimate([_read(scenario, at, run) for at, run in zip(readings, same, strict=True)], scenario)
        for same in zip(*runs, strict=True)
    ]
    kind = "fraction" if shares and len(readings) == 1 else "mean"
    low, high = intervals.interval(kind, found[0], found[1:])
    factor = 1.0 if scenario.over is not None else factor
    return Value(float(found[0].value) * factor, float(low) * factor, float(high) * factor, unit)


def _unit(scenario: Scenario) -> str:
    if scenario.over is not None:
        return "1"
    if scenario.measure in ("change", "score"):
        return "points"
    name = str(scenario.of.output)
    unit = QUANTITIES[name].unit if name in QUANTITIES else str(compiled().program.model.output_meta[name].unit)
    return "points" if unit == "point" else unit


def _parts(output: str | None) -> tuple[str, ...]:
    """Outputs of the model behind a name: its own, or those that a quantity adds up."""
    if output is None:
        return ()
    return QUANTITIES[output].parts if output in QUANTITIES else (output,)


def _estimate(people: Sequence[FloatArray], scenario: Scenario) -> Estimate:
    """Mean over people of one reading, or the difference or ratio of two; the same people count as pairs."""
    a = people[0]
    if len(people) == 1:
        share = scenario.measure in ("response", "remission", "relapse", "share")
        return intervals.fraction(a) if share else intervals.mean(a)
    b = people[1]
    one, other = intervals.mean(a), intervals.mean(b)
    both = np.isfinite(a) & np.isfinite(b)
    paired = bool(np.array_equal(np.isfinite(a), np.isfinite(b))) and both.sum() > 1
    together = np.cov(a[both], b[both])[0, 1] / both.sum() if paired else 0.0
    n = np.minimum(one.n, other.n)
    if scenario.minus is not None:
        variance = one.variance + other.variance - 2 * together
        return Estimate(one.value - other.value, np.maximum(variance, 0.0), n)  # rounding: two equal runs
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = one.value / other.value
        variance = (one.variance + ratio**2 * other.variance - 2 * ratio * together) / other.value**2
    return Estimate(ratio, np.maximum(variance, 0.0), n)


def _read(scenario: Scenario, at: Reading, run: CourseRun) -> FloatArray:
    """The measure of each person [people]; NaN for who does not count."""
    read = _output if scenario.measure in ("output", "share") else _rated
    found = read(scenario, at, run)
    counted = run.status == 0
    for name, allowed in at.among.items():
        counted &= np.array([allowed.holds(value) for value in run.population[name]])
    return np.where(counted, found, np.nan)


def _output(scenario: Scenario, at: Reading, run: CourseRun) -> FloatArray:
    name, time = str(at.output), run.time_h
    factor = QUANTITIES[name].factor if name in QUANTITIES else 1.0
    parts = np.stack([run.values[part].astype(np.float64) for part in _parts(name)])
    course = np.asarray(factor * parts.sum(axis=0))
    if scenario.take == "value":
        found = read_at(time, course, np.array([at.at]))[:, 0]
    else:
        inside = (time >= (at.since or 0.0)) & (time <= (at.at or math.inf))
        course, time = course[:, inside], time[inside]
        if scenario.take == "mean":
            found = np.trapezoid(course, time, axis=1) / (time[-1] - time[0])
        else:
            found = course.max(axis=1) if scenario.take == "highest" else course.min(axis=1)
    counted = found if scenario.at_least is None else found >= scenario.at_least
    return np.asarray(counted, dtype=np.float64)


def _rated(scenario: Scenario, at: Reading, run: CourseRun) -> FloatArray:
    scores, time = run.measured[scenario.scale], run.visit_h
    visit, baseline = int(np.abs(time - float(at.at or 0.0)).argmin()), scores[:, 0]
    if scenario.measure == "change":
        return scores[:, visit] - baseline
    if scenario.measure == "score":
        return scores[:, visit]
    if scenario.measure == "response":
        return outcome.response(scores, baseline)[:, visit].astype(np.float64)
    if scenario.measure == "remission":
        return outcome.remission(scores, scenario.scale)[:, visit].astype(np.float64)
    since = float(at.since or 0.0)
    weekly = (np.round(time - since, 6) % WEEK_H == 0.0) & (time >= since) & (time <= time[visit])
    back = outcome.relapse(scores[:, weekly], baseline, time[weekly], RELAPSE_RULE, since, scenario.scale)
    return np.where(back.at_risk, back.event, np.nan)


# ------------------------------------------------------------------------------------------------ kept values


@cache
def _model() -> str:
    """Hash over the files that decide a model value."""
    total = hashlib.sha256()
    for part in _DECIDES:
        for name, entry in _walk(files("afterglow").joinpath(part), part):
            total.update(f"{name}\0{hashlib.sha256(entry.read_bytes()).hexdigest()}\n".encode())
    return total.hexdigest()


def _walk(entry: Traversable, name: str) -> Iterable[tuple[str, Traversable]]:
    if entry.is_file():
        yield name, entry
    elif entry.is_dir():
        for child in sorted(entry.iterdir(), key=lambda one: one.name):
            if child.name != "__pycache__" and not child.name.startswith("."):
                yield from _walk(child, f"{name}/{child.name}")


def _posterior() -> str:
    """Hash over the draws and typical values in use."""
    draws: Mapping[str, FloatArray] = fitted.posterior()
    total = hashlib.sha256(repr(sorted(fitted.fitted_values().items())).encode())
    for name in sorted(draws):
        total.update(name.encode() + np.ascontiguousarray(draws[name]).tobytes())
    return total.hexdigest()


def _place(key: str) -> Path:
    return cache_folder() / "claims" / f"{key[:32]}.json"


def _stored(key: str) -> Value | None:
    """A kept value, or None where it is missing or damaged."""
    try:
        data = json.loads(_place(key).read_text(encoding="utf-8"))
        return Value(float(data["value"]), float(data["lo90"]), float(data["hi90"]), str(data["unit"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _store(key: str, value: Value) -> None:
    """Keep a value; where the folder cannot be written, it is worked out anew next time."""
    path = _place(key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(asdict(value), file)
        Path(name).replace(path)
    except OSError:
        return
