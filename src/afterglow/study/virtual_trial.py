"""A designed trial, simulated replicate by replicate.

Everybody is put through every arm with the same luck, then allocated: what a person would have scored in the other arms
is known, so that the truth that an analysis looks for is too, and people who are randomised after a run-in need no
second simulation. Replicates are simulated together, some at a time; each stands alone, so that its numbers do not
depend on which others are beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Block
from afterglow.clinic import guess
from afterglow.clinic.course import Course
from afterglow.clinic.drugs import DRUGS
from afterglow.clinic.files import Loc
from afterglow.clinic.phases import arm_courses, rescue_course
from afterglow.clinic.population import load_population
from afterglow.clinic.scenarios import Scenario
from afterglow.clinic.visits import PEAK_H
from afterglow.compile.vector import LANES
from afterglow.errors import Fault, InputError
from afterglow.simulate import Arm
from afterglow.study.trial_people import Enrolled, allocated, allocation_faults, enrol, errors, population, strata
from afterglow.study.trial_rules import (
    ACUTE,
    Diary,
    Luck,
    Rules,
    calendar,
    diary,
    felt_too_much,
    leave,
    session_peaks,
)
from afterglow.study.worlds import Setting, World, setting

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

RTOL = 1e-3  # as in the calibration: predicted means of trials then differ by 0.08 standard errors at most
PART = 4096  # people simulated together at most, of one arm; a multiple of LANES


@dataclass(frozen=True)
class ByArm:
    """What would happen to everybody in one arm.

    Attributes:
        scores: measured scores by scale, [people, visits], nothing missing; the first visit is the baseline.
        undisturbed: the same without rescue or an early end of treatment, where the estimand asks for that.
        left_h: when people leave the trial or, if they are still followed, stop treatment; infinite for others.
        reason: why (`clinic.conduct.Reason`).
        rescued_h: when they get rescue; infinite for others.
        recognised: how far people have recognised the drug, 0 to 1, [people, visits].
        acute: worst of each acute effect by session, [people, sessions]; empty unless it was asked for.
    """

    scores: dict[str, FloatArray]
    undisturbed: dict[str, FloatArray] | None
    left_h: FloatArray
    reason: IntArray
    rescued_h: FloatArray
    recognised: FloatArray
    acute: dict[str, FloatArray]

    def first(self, n: int) -> ByArm:
        """The same of the first n people."""
        return _mapped(lambda found: found[0][:n], [self])


def joined(parts: Sequence[ByArm]) -> ByArm:
    """The same arm of several groups of people, one after the other."""
    return _mapped(np.concatenate, parts)


def _mapped(change: Callable[[list[Any]], Any], parts: Sequence[ByArm]) -> ByArm:
    """An arm whose every array is made of those of `parts`."""

    def of(name: str) -> Any:
        found = [getattr(part, name) for part in parts]
        if isinstance(found[0], dict):
            return {key: change([one[key] for one in found]) for key in found[0]}
        return None if found[0] is None else change(found)

    return ByArm(**{field.name: of(field.name) for field in fields(ByArm)})


@dataclass(frozen=True)
class Conducted:
    """One replicate of a trial.

    Attributes:
        setting: the numbers it was simulated with.
        people: covariates, one row each.
        rated: candidates that were rated until the trial was full.
        visit_h: scheduled hours of the visits, the baseline first, [visits].
        actual_h: when people really came, [people, visits].
        kept: visits that were not missed, [people, visits].
        arms: what would happen in each arm.
        randomised: who was randomised, [people].
        arm: number of the arm; -1 for those who were not randomised.
        believed: probability that people give to active treatment when they are asked, [people, asked].
        guessed: what they guess then.
        failed: people whom the engine could not simulate.
    """

    setting: Setting
    people: pd.DataFrame
    rated: int
    visit_h: FloatArray
    actual_h: FloatArray
    kept: BoolArray
    arms: tuple[ByArm, ...]
    randomised: BoolArray
    arm: IntArray
    believed: FloatArray
    guessed: BoolArray
    failed: BoolArray


class VirtualTrial:
    """One scenario of a trial file in one world, ready to run replicates."""

    def __init__(
        self, scenario: Scenario, world: World, seed: int = 1, *, detailed: bool = False, threads: int | None = None
    ) -> None:
        """Check the design and make its arms ready.

        Args:
            scenario: the design.
            world: which parameters hold.
            seed: of all chance.
            detailed: keep acute effects of all sessions.
            threads: of the engine; all processors without it.
        """
        self.trial, self.world, self.seed, self.detailed = scenario.trial, world, seed, detailed
        self.place: Callable[[Loc], str] = scenario.document.place
        trial = self.trial
        self.courses = arm_courses(trial, self.place)
        if faults := [*allocation_faults(trial, self.place), *self._run_in_faults()]:
            raise InputError(faults)
        start = 0.0 if trial.randomised is None else (trial.randomised.day - 1) * 24.0
        self.active = active_arms(self.courses, start)  # as announced, also where nothing differs
        self.promised = self._promised()  # also where nobody gets the drug
        if world.null:
            self.courses = [self.courses[trial.reference_arm]] * len(self.courses)
        if world.masked:
            self.courses = [one.model_copy(update={"blinding": "masked", "open_until": None}) for one in self.courses]
        self.rescue = rescue_course(trial, self.place)
        self.population = population(trial)
        self.grid = calendar(trial)
        self.scales = sorted({one.scale for one in trial.endpoints} | {"MADRS"} | set(self._conditions()))
        self.arms = [self._arm(course, threads) for course in self.courses]

    def _promised(self) -> float:
        """Chance of active treatment that people are told, of the period or the trial: as promised, or as allocated."""
        if self.trial.blinding.promised is not None:
            return self.trial.blinding.promised
        active, sizes = self.active, np.array(self.trial.sizes)
        return 0.5 if self.trial.crossover else float(sizes[active].sum() / sizes.sum())

    def _conditions(self) -> Iterator[str]:
        trial = self.trial
        for one in (trial.rescue, trial.leaving.lack_of_effect, trial.randomised, trial.second_stage):
            if one is not None:
                yield from one.condition.scales

    def _run_in_faults(self) -> list[Fault]:
        """Before a randomisation that comes later all arms must be treated alike."""
        if self.trial.randomised is None:
            return []
        end = (self.trial.randomised.day - 1) * 24.0
        before = [planned_before(course, end) for course in self.courses]
        return [
            Fault(
                self.place(("arms", k)),
                f"arm '{self.courses[k].name}' differs from '{self.courses[0].name}' before the randomisation",
                "give all arms the same course up to that day",
            )
            for k in range(1, len(before))
            if before[k] != before[0]
        ]

    def _arm(self, course: Course, threads: int | None) -> Arm:
        times = self.grid.time_h
        weeks = max(float(times[-1]), 1.0) / 168.0
        outputs = ["mood.madrs", "mood.drug_part", "expectancy.belief_in_drug"]
        peaks: list[float] = []
        if self.detailed or self.trial.leaving.side_effects is not None:
            outputs += list(ACUTE.values()) if self.detailed else [ACUTE["CADSS"]]
            starts = [start for start, _ in course.sessions(weeks)]
            peaks = [start + after for start in starts for after in PEAK_H if start + after <= weeks * 168.0]
        return Arm(
            course, patients=LANES, weeks=weeks, seed=self.seed, population=load_population(),
            variant=self.world.variant, outputs=outputs, visits_h=times.tolist(), extra_h=peaks, rtol=RTOL,
            threads=threads,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------ running

    def run(self, replicates: Iterable[int]) -> Iterator[Conducted]:
        """Simulate replicates, as many together as `PART` allows; yields them in order."""
        batch: list[tuple[Setting, Enrolled]] = []
        for number in replicates:
            of = setting(self.world, number, self.seed, self.trial.blinding.promised)
            if self.trial.ratings.noise is not None:
                of = replace(of, noise={**of.noise, "rater_sd": self.trial.ratings.noise})
            batch.append((of, enrol(self.trial, self.population, of.noise, self.seed, number, self.place)))
            if sum(len(one.people) for _, one in batch) >= PART:
                yield from self._conducted(batch)
                batch = []
        if batch:
            yield from self._conducted(batch)

    def _conducted(self, batch: Sequence[tuple[Setting, Enrolled]]) -> Iterator[Conducted]:
        if len(batch) > 1 or len(batch[0][1].people) <= PART:
            for (of, who), (seen, arms, failed) in zip(batch, self._lived(batch), strict=True):
                yield self._allocated(of, who, seen, arms, failed)
            return
        of, who = batch[0]  # a large trial: part by part
        parts = [self._lived([(of, part)])[0] for part in who.parts(PART)]
        seen = Diary(
            np.concatenate([one.place for one, _, _ in parts]), np.concatenate([one.kept for one, _, _ in parts])
        )
        arms = tuple(joined([arms[k] for _, arms, _ in parts]) for k in range(len(self.arms)))
        yield self._allocated(of, who, seen, arms, np.concatenate([failed for _, _, failed in parts]))

    def _lived(self, batch: Sequence[tuple[Setting, Enrolled]]) -> list[tuple[Diary, tuple[ByArm, ...], BoolArray]]:
        """Of each replicate: its visits, what would happen in each arm, and whom the engine could not simulate."""
        lucks = [Luck(one.who, one.keep, self.seed, of.replicate) for of, one in batch]
        diaries = [diary(self.trial, self.grid, one.who, one.keep, self.seed, one.replicate) for one in lucks]
        blocks = [self._block(*pair) for pair in batch]
        by_arm: list[list[ByArm]] = []
        bad = np.zeros(sum(len(one.people) for _, one in batch), dtype=bool)
        for k, arm in enumerate(self.arms):
            if self.world.null and k:  # the same course for the same people
                by_arm.append(by_arm[0])
                continue
            by_arm.append(self._through(arm, blocks, lucks, diaries, [one.n for _, one in batch]))
            bad |= arm.status != 0
        starts = self.arms[0].starts
        return [
            (diaries[i], tuple(arms[i] for arms in by_arm), bad[starts[i] : starts[i] + one.n])
            for i, (_, one) in enumerate(batch)
        ]

    def _block(self, of: Setting, who: Enrolled) -> Block:
        def error(times: FloatArray) -> FloatArray:
            return errors(self.trial, who.who, times, self.seed, of.replicate)[who.keep]

        return Block(who.people, who.who, who.keep, of.replicate, of.typical, of.noise, of.own, error)

    def _through(
        self,
        arm: Arm,
        blocks: Sequence[Block],
        lucks: Sequence[Luck],
        diaries: Sequence[Diary],
        sizes: Sequence[int],
    ) -> list[ByArm]:
        """What would happen to everybody of these replicates in an arm."""
        rules = Rules(self.trial, self.grid.nominal_h, diaries, lucks, self.rescue)
        undisturbed: list[dict[str, FloatArray]] | None = None
        if rules.times_h and self.trial.estimand == "hypothetical":  # what it looks for: nobody rescued, nobody ended
            alone = Rules(self.trial, self.grid.nominal_h, diaries, lucks, None, baseline_only=True)
            values = arm.trajectories_of(blocks, alone)
            undisturbed = [self._scores(arm, values, i, seen) for i, seen in enumerate(diaries)]
        values = arm.trajectories_of(blocks, rules)  # last, so that the arm holds what was really given
        scores = [self._scores(arm, values, i, seen) for i, seen in enumerate(diaries)]
        felt = [self._recognised(arm, values, i, seen) for i, seen in enumerate(diaries)]
        acute = [session_peaks(arm, values[arm.starts[i] : arm.starts[i + 1]]) for i in range(len(blocks))]
        found = []
        for i, n in enumerate(sizes):
            mine = slice(rules.starts[i], rules.starts[i + 1])
            if rules.ends:
                left_h, reason = rules.ended(i)
            else:
                left_h, reason = self._left(arm, scores[i], acute[i], diaries[i], lucks[i])
            rescued_h = np.where(rules.rescued_h[mine] <= left_h, rules.rescued_h[mine], np.inf)  # if still there
            all_of_it = ByArm(
                scores[i], None if undisturbed is None else undisturbed[i], left_h, reason, rescued_h, felt[i], acute[i]
            )
            found.append(all_of_it.first(n))
        return found

    def _scores(self, arm: Arm, values: FloatArray, block: int, seen: Diary) -> dict[str, FloatArray]:
        """Measured scores [people, visits] by scale of a replicate, at the hours people came."""
        true, of = arm.true_scores(values, block, arm.visit_index), arm.blocks[block]
        return {
            name: np.take_along_axis(arm.measured(name, true, self.grid.time_h, of), seen.place, axis=1)
            for name in self.scales
        }

    def _recognised(self, arm: Arm, values: FloatArray, block: int, seen: Diary) -> FloatArray:
        column = arm.outputs.index("expectancy.belief_in_drug")
        mine = values[arm.starts[block] : arm.starts[block + 1], :, column]
        return np.take_along_axis(mine[:, arm.visit_index], seen.place, axis=1)

    def _left(
        self, arm: Arm, scores: dict[str, FloatArray], acute: dict[str, FloatArray], seen: Diary, luck: Luck
    ) -> tuple[FloatArray, IntArray]:
        plan, nominal = self.trial.leaving, self.grid.nominal_h
        poor = None
        if plan.lack_of_effect is not None:
            holds = [plan.lack_of_effect.condition.holds_at(scores, v) for v in range(1, len(nominal))]
            poor = np.column_stack([np.zeros(len(luck.keep), bool), *holds]) & seen.kept
        felt = felt_too_much(self.trial, arm, acute)
        return leave(self.trial, nominal, luck, poor, felt)

    # ------------------------------------------------------------------------------------------------ allocation

    def _allocated(
        self, of: Setting, who: Enrolled, seen: Diary, arms: tuple[ByArm, ...], failed: BoolArray
    ) -> Conducted:
        trial, people = self.trial, who.people.iloc[: who.n]
        luck = Luck(who.who, who.keep, self.seed, of.replicate)
        randomised = ~failed & self._qualified(arms[trial.reference_arm], seen.kept[: who.n])
        chosen = np.flatnonzero(randomised)
        arm = np.full(who.n, -1, dtype=np.int64)
        arm[chosen] = allocated(trial, strata(trial, people.iloc[chosen]), self.seed, of.replicate)
        actual = self.grid.time_h[seen.place[: who.n]]
        believed, guessed = self._guesses(of, arms, arm, luck, who.n)
        return Conducted(
            of, people, who.rated, self.grid.nominal_h, actual, seen.kept[: who.n], arms, randomised, arm, believed,
            guessed, failed,
        )  # fmt: skip

    def _qualified(self, before: ByArm, kept: BoolArray) -> BoolArray:
        """Who is randomised after the run-in, by the visits they kept; everybody where there is none."""
        rule, people = self.trial.randomised, len(before.left_h)
        if rule is None:
            return np.ones(people, dtype=bool)
        visits = [self.trial.visit_number(at) + 1 for at in rule.at]
        holds = [rule.condition.holds_at(before.scores, v) & kept[:, v] for v in visits]
        enough = np.sum(holds, axis=0) >= (rule.at_least or len(visits))
        return enough & (before.left_h >= (rule.day - 1) * 24.0)

    def _guesses(
        self, of: Setting, arms: tuple[ByArm, ...], arm: IntArray, luck: Luck, n: int
    ) -> tuple[FloatArray, BoolArray]:
        """What people believe and guess at the visits at which they are asked."""
        plan = self.trial.blinding
        believed, guessed = np.full((n, len(plan.asked)), np.nan), np.zeros((n, len(plan.asked)), dtype=bool)
        active = self.active
        for column, at in enumerate(plan.asked):
            visit = self.trial.visit_number(at) + 1
            for k, course in enumerate(self.courses):
                mine = arm == k
                scores = arms[k].scores["MADRS"]
                better = 1.0 - scores[mine, visit] / np.maximum(scores[mine, 0], 1.0)
                told = float(active[k]) if course.blinding == "open" else self.promised
                believed[mine, column] = guess.believed(
                    np.clip(told, 1e-6, 1 - 1e-6), arms[k].recognised[mine, visit], better,
                    masked=course.blinding == "masked",
                )  # fmt: skip
            everybody = np.full(len(luck.who), 0.5)
            everybody[luck.keep[:n]] = believed[:, column]
            with np.errstate(invalid="ignore"):
                answers = guess.guess(everybody, at, luck.who, luck.seed, of.replicate)
            guessed[:, column] = answers[luck.keep[:n]]
        return believed, guessed


def planned_before(course: Course, end_h: float) -> list[object]:
    """All that a course plans before an hour: intakes, what people are told and given besides, decisions."""
    weeks = max(end_h / 168.0, 0.1)
    regimen = course.regimen(weeks)
    every = (*regimen.administrations, *regimen.signals, *course.decisions(weeks))
    return [one for one in every if one.time_h < end_h]


def active_arms(courses: Sequence[Course], from_h: float = 0.0) -> BoolArray:
    """Which arms give what is studied, [arms]: an active drug that not all arms share, else therapy.

    Midazolam stands in for a placebo. Where all arms share everything they give (doses, schedules), or there is one arm
    only, every arm that gives something counts.

    Args:
        courses: of the arms.
        from_h: only what is given from this hour on counts: the randomisation after a run-in.
    """
    weeks = from_h / 168.0 + 52.0
    drugs = [
        {one.drug for one in course.regimen(weeks).administrations if one.time_h >= from_h and _is_drug(one.drug)}
        for course in courses
    ]
    therapy = [any((day - 1) * 24.0 >= from_h for line in course.therapy for day in line.days) for course in courses]
    shared = set.intersection(*drugs)
    differs = np.array([bool(one - shared) for one in drugs])
    if not differs.any() and not all(therapy):
        differs = np.array(therapy)
    return differs if differs.any() else np.array([bool(one) for one in drugs]) | np.array(therapy)


def _is_drug(name: str) -> bool:
    return DRUGS[name].kind != "inert" and name != "midazolam"
