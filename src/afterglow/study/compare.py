"""Compare courses of treatment in the same virtual patients, each with its matched control.

The answer is a `Comparison`: the runs, the result tables and the warnings. Drawing and saving belong to
`afterglow.interfaces`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from afterglow.clinic.course import Course
    from afterglow.simulate import CourseRun

DEFAULT_COURSES = (
    "iv-induction",
    "nasal-esketamine",
    "ssri",
    "psychotherapy",
    "iv-psychotherapy",
    "benzodiazepine",
    "usual-care",
)
# One dose tells the story of the shared clock better than six; these arms are simulated for that picture only.
CLOCK_COURSE = "iv-single"
CLOCK_PATIENTS = 200
LONGEST_WEEKS = 520.0

Progress = Callable[[str, float], None]  # what is running; how much of everything is done, 0-1


@dataclass(frozen=True)
class Settings:
    """What a comparison was asked to do: enough to repeat it."""

    courses: tuple[str, ...]
    patients: int
    weeks: float
    seed: int
    variant: str | None = None
    scales: tuple[str, ...] = ("MADRS",)
    person: bool = False
    course_files: dict[str, str] = field(default_factory=dict)  # file name -> sha256, for courses that are not shipped


@dataclass(frozen=True)
class Comparison:
    """Courses compared in the same patients.

    Attributes:
        settings: what was asked.
        runs: arm -> run, in order, each course followed by its matched control.
        clock_runs: the same for the picture of the shared clock, when a single-dose course was added for it.
        tables: patients, scores, arms, contrasts, summary, doses and, if asked for, trajectories.
        warnings: doses outside studied ranges, failed patients and the like; to be shown with every result.
        covers: the sources of uncertainty that the intervals cover.
    """

    settings: Settings
    runs: dict[str, CourseRun]
    clock_runs: dict[str, CourseRun]
    tables: dict[str, pd.DataFrame]
    warnings: list[str]
    covers: tuple[str, ...] = ("sampling",)

    @property
    def active(self) -> list[CourseRun]:
        """The arms that are not matched controls."""
        return [run for arm, run in self.runs.items() if not arm.endswith("/control")]

    def to_xarray(self) -> xr.Dataset:
        """Measured scores as one labelled array `score(arm, scale, patient, time_h)`; NaN where an arm has no visit."""
        import xarray as xr

        known = ["arm", "scale", "patient", "time_h"]
        found = self.tables["scores"].set_index(known)["value"]
        dataset = xr.Dataset({"score": found.to_xarray()})
        dataset = dataset.sel(arm=list(self.runs), scale=list(self.settings.scales))
        dataset["score"].attrs = {"units": "points", "long_name": "measured score"}
        dataset["time_h"].attrs = {"units": "h"}
        asked = self.settings
        dataset.attrs = {"seed": asked.seed, "weeks": asked.weeks, "intervals_cover": ", ".join(self.covers)}
        return dataset

    def __repr__(self) -> str:
        names = ", ".join(run.arm for run in self.active)
        asked = self.settings
        return f"<Comparison of {names}: {asked.patients} patients, {asked.weeks:g} weeks, seed {asked.seed}>"


def compare(
    courses: Sequence[str | Path | Course] | None = None,
    *,
    patients: int = 1000,
    weeks: float = 8,
    seed: int = 1,
    variant: str | None = None,
    scales: Sequence[str] = ("MADRS",),
    population: Any = None,
    trajectories: bool = False,
    clock: bool = True,
    progress: Progress | None = None,
) -> Comparison:
    """Put a virtual population through courses of treatment.

    Args:
        courses: names of shipped courses, course files or `Course` objects; None for the default set.
        patients: how many virtual patients; patient 17 is the same person however many there are.
        weeks: how long to follow them.
        seed: of all chance.
        variant: a rival mechanism by name; None for the base model.
        scales: which scales go into the tables ("MADRS" always does).
        population: who is treated; None for the standard population with treatment-resistant depression.
        trajectories: also make the dense table of medians and quantiles.
        clock: also simulate a single infusion for the picture of the shared clock, when ketamine is compared.
        progress: called with what is running and the share of everything that is done.

    Raises:
        InputError: bad input, all faults at once, before anything runs.
    """
    wanted = list(DEFAULT_COURSES if courses is None else courses)
    scales = tuple(dict.fromkeys(("MADRS", *scales)))
    loaded, faults = _load(wanted)
    faults += check_numbers(patients, weeks, seed)
    faults += _scale_faults(scales) + _variant_faults(variant)
    if faults:
        raise InputError(faults)
    asked = Settings(tuple(one.name for one in loaded), patients, float(weeks), seed, variant, scales)
    options = {"weeks": asked.weeks, "seed": seed, "variant": variant, "population": population}
    arms = [arm for course in loaded for arm in (course, course.control()) if arm is not None]
    extra = _clock_arms(loaded) if clock and population is None else []
    few = min(patients, CLOCK_PATIENTS)
    total = len(arms) * patients + len(extra) * few
    steps = _Steps(progress, total)
    runs = {arm.name: _run(arm, patients, options, steps) for arm in arms}
    clock_runs = {arm.name: _run(arm, few, options, steps) for arm in extra}
    return gather(asked, runs, clock_runs, trajectories=trajectories)


def gather(
    asked: Settings, runs: dict[str, CourseRun], clock_runs: dict[str, CourseRun], *, trajectories: bool = False
) -> Comparison:
    """Tables and warnings of finished runs."""
    from afterglow.study import tables

    found = list(runs.values())
    results = {
        "patients": tables.patients(found),
        "scores": tables.scores(found, asked.scales),
        "arms": tables.arms(found, asked.scales),
        "contrasts": tables.contrasts(found, asked.scales),
        "summary": tables.summary(found),
        "doses": tables.doses(found),
    }
    if trajectories:
        results["trajectories"] = tables.trajectories(found)
    return Comparison(asked, runs, clock_runs, results, _warnings(found))


def check_numbers(patients: int, weeks: float, seed: int) -> list[Fault]:
    """Faults of the three numbers that every study has."""
    faults = []
    if isinstance(patients, bool) or not isinstance(patients, int) or patients < 1:
        faults.append(
            Fault("--patients", f"{patients} patients", "write a whole number of at least 1, for instance 1000")
        )
    if not isinstance(weeks, int | float) or not math.isfinite(weeks) or not 0 < weeks <= LONGEST_WEEKS:
        remedy = f"write a number above 0 and up to {LONGEST_WEEKS:g}, for instance 8"
        faults.append(Fault("--weeks", f"a horizon of {weeks} weeks", remedy))
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        faults.append(Fault("--seed", f"seed {seed}", "write a whole number of at least 0"))
    return faults


def _load(wanted: Sequence[str | Path | Course]) -> tuple[list[Course], list[Fault]]:
    """The courses, and every fault in any of them."""
    from afterglow.clinic.course import Course, load_course

    loaded: list[Course] = []
    faults: list[Fault] = []
    if not wanted:
        faults.append(Fault("COURSE", "no course to compare", "name at least one, or none at all for the default set"))
    for one in wanted:
        try:
            course = one if isinstance(one, Course) else load_course(one)
        except InputError as error:
            faults += error.faults
            continue
        if course.name in {known.name for known in loaded}:
            faults.append(Fault("COURSE", f"'{course.name}' is named twice", "give each course its own name"))
        loaded.append(course)
    return loaded, faults


def _scale_faults(scales: Sequence[str]) -> list[Fault]:
    from afterglow.clinic.scale import names

    known = names()
    return [Fault("--scales", f"there is no scale '{s}'", nearest(s, known)) for s in scales if s not in known]


def _variant_faults(variant: str | None) -> list[Fault]:
    from afterglow.systems.variants import VARIANTS

    if variant is None or variant in VARIANTS:
        return []
    return [Fault("--variant", f"there is no variant '{variant}'", nearest(variant, VARIANTS))]


def _clock_arms(loaded: Sequence[Course]) -> list[Course]:
    """A single infusion and its control, when ketamine is compared but never as a single dose."""
    from afterglow.clinic.course import load_course
    from afterglow.clinic.drugs import DRUGS

    with_ketamine = [course for course in loaded if any(DRUGS[dose.drug].kind == "ketamine" for dose in course.doses)]
    if not with_ketamine or any(course.name == CLOCK_COURSE for course in loaded):
        return []
    single = load_course(CLOCK_COURSE)
    return [arm for arm in (single, single.control()) if arm is not None]


class _Steps:
    """Progress over all arms, counted in patients."""

    def __init__(self, tell: Progress | None, total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def inside(self, arm: str, patients: int) -> Callable[[float], None]:
        """A callback for one arm: takes the share of that arm that is done."""

        def tell(share: float) -> None:
            if self._tell is not None:
                self._tell(arm, (self._done + share * patients) / self._total)

        return tell

    def finish(self, arm: str, patients: int) -> None:
        """One arm is done."""
        self._done += patients
        self.inside(arm, 0)(1.0)


def _run(course: Course, patients: int, options: dict[str, Any], steps: _Steps) -> CourseRun:
    from afterglow.simulate import simulate_course

    steps.inside(course.name, patients)(0.0)
    run = simulate_course(course, patients=patients, progress=steps.inside(course.name, patients), **options)
    steps.finish(course.name, patients)
    return run


def _warnings(runs: Sequence[CourseRun]) -> list[str]:
    found: list[str] = []
    for run in runs:
        found += run.course.warnings() if not run.arm.endswith("/control") else []
        failed = int((run.status != 0).sum())
        if failed:
            found.append(f"{run.arm}: {failed} of {len(run.status)} patients could not be simulated and are left out")
    return list(dict.fromkeys(map(str, found)))
