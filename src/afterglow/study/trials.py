"""Simulate a trial record under its own design; `published` reads from it the numbers that the trial published."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import parse_course
from afterglow.clinic.population import Population, load_population
from afterglow.clinic.relief import Own, moved
from afterglow.clinic.visits import PEAK_H
from afterglow.data.outcome_schema import Outcome
from afterglow.data.trial_schema import SimulatedArm, TrialRecord
from afterglow.simulate import Arm
from afterglow.study.published import DIRECT, EVENTS, Noise, SimulatedTrialArm

FloatArray = NDArray[np.float64]
Key = tuple[tuple[str, float], ...]
RTOL = (
    1e-3  # predicted rows differ by 0.08 standard errors at most, all but three by less than 0.01, from those at 1e-4
)
LONG_WEEKS = 26.0  # arms that last longer are simulated with half of the patients
KEPT_RUNS = 3  # a fit moves one parameter at a time, and many leave an arm unchanged
REMISSION_VISITS_D = (1, 4, 8, 11, 15, 18, 22, 25, 28, 39, 53, 67, 90)  # visits that see a first remission, days


def _window(from_h: float, time_h: float) -> FloatArray:
    """Visits behind a mean over a window, where the record does not list them: every two days (assumed)."""
    return np.arange(from_h, time_h, 48.0)


class TrialArm:
    """One arm of a trial record, simulated once for given parameter values."""

    def __init__(
        self,
        trial: TrialRecord,
        design: SimulatedArm,
        patients: int,
        seed: int,
        variant: str | None,
        times_h: Iterable[float] = (),
    ) -> None:
        """Ready to run; `times_h` are further times at which scores are wanted, beside those of the arm's rows."""
        assert trial.simulate is not None
        self.trial, self.design, self.rules = trial, design, trial.simulate.rules
        rows = [row for row in trial.answered() if design.arm in (row.arm, row.versus)]
        self.events = sorted({EVENTS[r.event] for r in rows if r.measure == "ae_rate" and r.event in EVENTS})
        self.direct = sorted({DIRECT[r.scale] for r in rows if r.scale in DIRECT})
        times = {0.0, *times_h, *(r.time_h for r in rows if r.time_h), *(r.from_h for r in rows if r.from_h)}
        conditions = [*(design.select or []), *(c for r in rows for c in r.among or [])]
        times |= {t for c in conditions for t in c.times_h}
        times |= {t for r in rows if r.from_h is not None and r.time_h for t in _window(r.from_h, r.time_h)}
        times |= set(self.rules.response.times_h or ())
        if self.rules.relapse is not None:
            r = self.rules.relapse
            times |= set(np.arange(r.from_h, r.until_h + r.every_h / 2, r.every_h))
        if any(row.measure == "remission_median_days" for row in rows):
            times |= {24.0 * d for d in REMISSION_VISITS_D}
        if any(row.measure == "fraction_of_week6" for row in rows):
            times.add(1008.0)
        course = parse_course(trial.course_data(design.arm), f"{trial.id}/{design.arm}")
        weeks = max(max(times), 1.0) / 168.0
        self.sessions = [t for t, _ in course.sessions(weeks)]
        if any(row.measure == "median_infusions_to_response" for row in rows):
            times |= {t for t in (*self.sessions[1:], self.sessions[-1] + 24.0) if t <= weeks * 168.0}
        peaks = [s + h for s in self.sessions for h in PEAK_H if s + h <= weeks * 168.0] if self.events else []
        self.times = np.array(sorted(times))
        outputs = ["mood.madrs", "mood.drug_part", *self.events, *self.direct]
        some = patients if weeks <= LONG_WEEKS else -(-patients // 2)
        self.arm = Arm(
            course, patients=some, weeks=weeks, seed=seed, population=arm_population(trial, design), variant=variant,
            outputs=outputs, visits_h=self.times.tolist(), extra_h=peaks, rtol=RTOL,
        )  # fmt: skip
        self.seed = seed
        self.inert: set[str] = set()  # parameters that are known to change nothing in this arm
        self._kept: dict[Key, tuple[FloatArray, FloatArray, dict[str, FloatArray], dict[str, FloatArray]]] = {}

    def simulate(self, typical: Mapping[str, float] | None, noise: Noise, own: Own = (0.0, 0.0)) -> SimulatedTrialArm:
        """Run the arm at these parameter values and effects of the trial; the last few runs are kept."""
        key = self._key(typical or {})
        if key not in self._kept:
            values = self.arm.trajectories(typical)
            at_visits = values[:, self.arm.visit_index]
            column = self.arm.outputs.index
            found = (
                at_visits[:, :, column("mood.madrs")],
                at_visits[:, :, column("mood.drug_part")],
                {e: self._ever(values[:, :, column(e)]) for e in self.events},
                {d: at_visits[:, :, column(d)] for d in self.direct},
            )
            if len(self._kept) >= KEPT_RUNS:
                del self._kept[next(iter(self._kept))]
            self._kept[key] = found
        madrs, drug, risk, direct = self._kept[key]
        return SimulatedTrialArm(
            self, self.arm.baseline, moved(madrs, drug, self.arm.baseline, own), risk, direct, noise
        )

    def learn_inert(self, name: str, one: Mapping[str, float], other: Mapping[str, float]) -> None:
        """Remember that a parameter changes nothing here, from two runs that differ in it alone."""
        base = self._key(one)
        first, second = self._kept.pop(base, None), self._kept.get(self._key(other))
        if first is None:
            return
        if second is not None and np.array_equal(first[0], second[0], equal_nan=True):
            self.inert.add(name)
            self._kept.clear()
            base = self._key(one)
        self._kept[base] = first  # the newest again: a fit compares every move with it

    def _key(self, typical: Mapping[str, float]) -> Key:
        """What a run depends on."""
        return tuple((name, value) for name, value in sorted(typical.items()) if name not in self.inert)

    def _ever(self, risk: FloatArray) -> FloatArray:
        """Chance of an event in any session, [patients], from the risk [patients, times].

        Sessions count as independent.
        """
        none = np.ones(len(risk))
        for s in self.sessions:
            inside = (self.arm.time_h >= s) & (self.arm.time_h <= s + PEAK_H[-1] + 1e-6)
            if inside.any():
                none *= 1 - risk[:, inside].max(axis=1)
        return 1 - none


def arm_population(trial: TrialRecord, design: SimulatedArm) -> Population:
    """The default population moved to the trial's (or arm's) means and SDs."""
    assert trial.simulate is not None
    whole_trial, arm = trial.simulate.population, design.population

    def pick(name: str) -> Any:
        own = getattr(arm, name, None)
        return getattr(whole_trial, name) if own is None else own

    age = (pick("age_mean"), pick("age_sd") or 12.0) if pick("age_mean") is not None else None
    share = None if pick("pct_female") is None else pick("pct_female") / 100
    base = load_population("trd" if pick("trd") else "mdd")
    return base.matching(
        trial.id, str(trial.citation), age=age, madrs=(pick("madrs_mean"), pick("madrs_sd")), female=share
    )


class Laboratory:
    """All simulated arms of a set of trials, ready to be run again and again with other parameter values."""

    def __init__(
        self,
        trials: Iterable[TrialRecord],
        patients: int = 256,
        seed: int = 1,
        variant: str | None = None,
        rows: Iterable[tuple[str, Outcome]] | None = None,
        times_h: Iterable[float] = (),
    ) -> None:
        """All simulated arms of `trials`, or only those that the given (trial, row) pairs need.

        `times_h` are further times at which scores are wanted, for all arms. Measures that look at all visits of an arm
        (means over a window, relapse, first remission) then look at these too.
        """
        more = [*times_h]
        wanted = None if rows is None else {(t, name) for t, row in rows for name in (row.arm, row.versus)}
        self.arms = {
            (t.id, d.arm): TrialArm(t, d, patients, seed, variant, more)
            for t in trials
            if t.simulate
            for d in t.simulate.arms
            if wanted is None or (t.id, d.arm) in wanted
        }

    def run(
        self,
        typical: Mapping[str, float] | None,
        noise: Noise,
        own: Own = (0.0, 0.0),
        only: Container[str] | None = None,
    ) -> dict[str, dict[str, SimulatedTrialArm]]:
        """Simulated arms by trial and arm, of all trials or `only` some; `own` are the effects that every trial has."""
        out: dict[str, dict[str, SimulatedTrialArm]] = {}
        for (trial, name), arm in self.arms.items():
            if only is None or trial in only:
                out.setdefault(trial, {})[name] = arm.simulate(typical, noise, own)
        return out
