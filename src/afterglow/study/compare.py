"""Compare courses of treatment in the same virtual patients, each with its matched control.

The answer is a `Comparison`: the runs, the result tables and the warnings. Drawing and saving belong to
`afterglow.interfaces`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import PurePath
from threading import Lock
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError, nearest
from afterglow.study.device import device_faults, usable

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import xarray as xr

    from afterglow.clinic.course import Course
    from afterglow.clinic.person import Person
    from afterglow.clinic.population import Population
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
# Parameter uncertainty in the intervals: so many draws from the shipped fit, each with so many of the patients.
DRAWS = 8
DRAW_PATIENTS = 64
# Coarser than the main run: scores are whole points, and the ends of the intervals move by 0.01 points at either.
DRAW_RTOL = 1e-4
ARMS_AT_ONCE = 2

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
    device: str = "cpu"


@dataclass(frozen=True)
class Comparison:
    """Courses compared in the same patients.

    Attributes:
        settings: what was asked.
        runs: arm -> run, in order, each course followed by its matched control.
        clock_runs: the same for the picture of the shared clock, when a single-dose course was added for it.
        tables: patients, scores, arms, contrasts, summary, doses, uncertainty (with draws) and, if asked for,
            trajectories.
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
    population: Population | None = None,
    person: Person | str | Path | None = None,
    draws: int = DRAWS,
    trajectories: bool = False,
    clock: bool = True,
    progress: Progress | None = None,
    device: str = "cpu",
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
        person: one person (or a person file) instead of a population; what is unknown about them is drawn anew for
            each of the `patients`.
        draws: draws of the fitted parameters that the intervals cover besides chance, at least 2; 0 leaves chance
            alone.
        trajectories: also make the dense table of medians and quantiles.
        clock: also simulate a single infusion for the picture of the shared clock, when ketamine is compared.
        progress: called with what is running and the share of everything that is done.
        device: "cpu", or "cuda" for the first GPU; without one the CPU is used and `warnings` say so.

    Raises:
        InputError: bad input, all faults at once, before anything runs.
    """
    scales = tuple(dict.fromkeys(("MADRS", *scales)))
    found = check(
        courses, patients=patients, weeks=weeks, seed=seed, variant=variant, scales=scales, person=person, draws=draws,
        device=device,
    )  # fmt: skip
    if found.faults:
        raise InputError(found.faults)
    names = tuple(one.name for one in found.courses)
    used, lost = usable(device)
    asked = Settings(names, patients, float(weeks), seed, variant, scales, found.person is not None, used)
    who = population if found.person is None else found.person.table(seed, 0, range(patients), population)
    study = _Study(asked, found.courses, who, draws, progress)
    done = study.run(trajectories=trajectories, clock=clock and found.person is None)
    return replace(done, warnings=lost + (_screening(found) if found.person else []) + done.warnings)


@dataclass(frozen=True)
class Checked:
    """What was asked, read in, and everything that is wrong with it."""

    courses: list[Course]
    person: Person | None
    faults: list[Fault]


def check(
    courses: Sequence[str | Path | Course] | None,
    *,
    patients: int,
    weeks: float,
    seed: int,
    variant: str | None = None,
    scales: Sequence[str] = (),
    person: Person | str | Path | None = None,
    draws: int = 0,
    device: str = "cpu",
) -> Checked:
    """Read and check what `compare` is asked for, without running anything; arguments as there."""
    loaded, faults = _load(list(DEFAULT_COURSES if courses is None else courses))
    faults += check_numbers(patients, weeks, seed, draws)
    faults += _scale_faults(scales) + _variant_faults(variant) + device_faults(device)
    who = None
    if isinstance(person, str | PurePath):
        from afterglow.clinic.person import load_person

        try:
            who = load_person(person)
        except InputError as error:
            faults += error.faults
    else:
        who = person
    return Checked(loaded, who, faults)


def check_numbers(patients: int, weeks: float, seed: int, draws: int = 0) -> list[Fault]:
    """Faults of the numbers that every study has."""
    from afterglow.study.draws import draws_faults

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
    return faults + draws_faults(draws)


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


def _screening(found: Checked) -> list[str]:
    """What speaks against these courses for this person, and what asks for caution."""
    from afterglow.clinic.screening import screen

    lines: list[str] = []
    for course in found.courses if found.person is not None else ():
        for rule in screen(found.person, course).to_dict("records") if found.person is not None else ():
            if rule["severity"] != "monitoring":
                lines.append(f"{course.name}: {rule['severity']}: {rule['reason']} [{rule['source']}]")
    return lines


def _clock_arms(loaded: Sequence[Course]) -> list[Course]:
    """A single infusion and its control, when ketamine is compared but never as a single dose."""
    from afterglow.clinic.course import load_course
    from afterglow.clinic.drugs import DRUGS

    with_ketamine = [course for course in loaded if any(DRUGS[dose.drug].kind == "ketamine" for dose in course.doses)]
    if not with_ketamine or any(course.name == CLOCK_COURSE for course in loaded):
        return []
    single = load_course(CLOCK_COURSE)
    return [arm for arm in (single, single.control()) if arm is not None]


class _Study:
    """One comparison on its way: which arms run, with how many patients, and how far it is."""

    def __init__(
        self,
        asked: Settings,
        loaded: Sequence[Course],
        population: Population | pd.DataFrame | None,
        draws: int,
        progress: Progress | None,
    ) -> None:
        from afterglow.clinic.population import Population, load_population
        from afterglow.compile.vector import LANES
        from afterglow.study.draws import split_draws

        population = load_population() if population is None else population
        if isinstance(population, Population):  # the people of all arms, drawn once
            population = population.draw(asked.seed, 0, range(-(-asked.patients // LANES) * LANES))
        self.asked, self.loaded, self.progress = asked, loaded, progress
        self.arms = [arm for course in loaded for arm in (course, course.control()) if arm is not None]
        self.options = {"weeks": asked.weeks, "seed": asked.seed, "variant": asked.variant, "population": population}
        self.options |= {"device": asked.device} if asked.device != "cpu" else {}
        self.draws = split_draws(draws, asked.seed, asked.variant)
        self.done, self.total = 0.0, 1.0
        self._telling = Lock()

    def run(self, *, trajectories: bool, clock: bool) -> Comparison:
        """Simulate everything and make the tables."""
        from afterglow.study import tables
        from afterglow.study.quantities import QUANTITIES, needed

        asked = self.asked
        extra = _clock_arms(self.loaded) if clock else []
        few, fewer = min(asked.patients, CLOCK_PATIENTS), min(asked.patients, DRAW_PATIENTS)
        self.total = len(self.arms) * (asked.patients + fewer * len(self.draws)) + few * len(extra)
        kept = tuple(dict.fromkeys((*needed(everything=trajectories), *QUANTITIES["sedation"].parts)))
        # The engine works outside Python: one arm is prepared or read while another one runs.
        with ThreadPoolExecutor(1 if asked.device == "cuda" else ARMS_AT_ONCE) as pool:
            simulated = pool.map(lambda arm: self._simulate(arm, asked.patients, outputs=kept), self.arms)
            by_clock = pool.map(lambda arm: self._simulate(arm, few, outputs=kept), extra)
            by_draw = pool.map(lambda arm: self._repeat(arm, fewer), self.arms if self.draws else [])
            found = list(simulated)
            scores = tables.scores(found, asked.scales)
            clock_runs = {run.arm: run for run in by_clock}
            repeats = [list(draw) for draw in zip(*by_draw, strict=True)]
        runs = {run.arm: run for run in found}
        by_arm = tables.arms(found, asked.scales, repeats)
        results = {
            "patients": tables.patients(found),
            "scores": scores,
            "arms": by_arm,
            "contrasts": tables.contrasts(found, asked.scales, repeats),
            "summary": tables.summary(found, by_arm=by_arm),
            "doses": tables.doses(found),
        }
        if repeats:
            results["uncertainty"] = tables.uncertainty(found, asked.scales, repeats)
        if trajectories:
            results["trajectories"] = tables.trajectories(found)
        covers = ("sampling", "parameters") if repeats else ("sampling",)
        return Comparison(asked, runs, clock_runs, results, _warnings(found), covers)

    def _repeat(self, course: Course, patients: int) -> list[CourseRun]:
        """An arm at draws of the posterior, noise of the ratings included; only the scores are kept."""
        from afterglow.clinic.visits import visits
        from afterglow.simulate import Arm

        times = [time for time, _ in visits(self.asked.weeks)]
        arm = Arm(course, patients=patients, outputs=("mood.madrs",), visits_h=times, rtol=DRAW_RTOL, **self.options)
        values, noise = zip(*self.draws, strict=True)
        return arm.run_each(values, self._tell(course.name, patients * len(self.draws)), noise)

    def _simulate(self, course: Course, patients: int, **more: Any) -> CourseRun:
        from afterglow.simulate import simulate_course

        return simulate_course(
            course, patients=patients, progress=self._tell(course.name, patients), **self.options, **more
        )

    def _tell(self, name: str, patients: int) -> Callable[[float], None]:
        """What to call with the share done of a run with so many patients."""
        told = 0.0

        def tell(share: float) -> None:
            nonlocal told
            with self._telling:
                self.done += (share - told) * patients
                told = share
                if self.progress is not None:
                    self.progress(name, min(self.done / self.total, 1.0))

        tell(0.0)
        return tell


def _warnings(runs: Sequence[CourseRun]) -> list[str]:
    found: list[str] = []
    for run in runs:
        found += run.course.warnings() if not run.arm.endswith("/control") else []
        failed = int((run.status != 0).sum())
        if failed:
            found.append(f"{run.arm}: {failed} of {len(run.status)} patients could not be simulated and are left out")
    return list(dict.fromkeys(map(str, found)))
