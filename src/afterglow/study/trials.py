"""Simulate a trial record under its own design and predict the numbers that it published.

Means, SDs, response and remission rates are integrated over rater noise and fluctuation: no sampling noise, smooth in
the parameters. Outcomes that depend on a path of visits (relapse, time to response, patients selected by their scores)
are read from sampled scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from afterglow.clinic import scale
from afterglow.clinic.course import parse_course
from afterglow.clinic.population import Population, load_population
from afterglow.data.outcome_schema import Condition, Outcome
from afterglow.data.trial_schema import RelapseRule, SimulatedArm, TrialRecord
from afterglow.simulate import Arm

FloatArray = NDArray[np.float64]
Key = tuple[tuple[str, float], ...]
Own = tuple[float, float]  # effects of a trial on relief without and by the drug, log scale
# Measures that are read from sampled scores.
SAMPLED = frozenset(
    {
        "relapse",
        "relapse_median_days",
        "relapse_q1_days",
        "relapse_q3_days",
        "hazard_ratio",
        "remission_median_days",
        "median_infusions_to_response",
    }
)
# Measures in points of the row's scale.
IN_POINTS = frozenset({"mean", "sd", "change", "change_sd", "difference"})
# Adverse events that the model knows: event -> output with a person's risk in a session, read at its worst moment.
EVENTS = {
    "nausea": "acute_effects.nausea_risk",
    "dizziness": "acute_effects.dizziness_risk",
}
# Scales that are outputs of the model themselves.
DIRECT = {
    "CADSS": "acute_effects.cadss",
    "systolic mmHg": "acute_effects.systolic_rise",
    "diastolic mmHg": "acute_effects.diastolic_rise",
}
KEPT_RUNS = 3  # a fit moves one parameter at a time, and many leave an arm unchanged
PEAK_H = (20 / 60, 40 / 60, 1.0, 1.5)  # when acute effects are looked at after a dose, h
REMISSION_VISITS_D = (1, 4, 8, 11, 15, 18, 22, 25, 28, 39, 53, 67, 90)  # visits that see a first remission, days


@dataclass(frozen=True)
class Noise:
    """What lies between true and measured scores, MADRS points and days."""

    rater_sd: float
    fluctuation_sd: float
    fluctuation_tau_d: float

    def drift(self, time_h: float) -> float:
        """SD of the fluctuation at a time after baseline."""
        return self.fluctuation_sd * float(np.sqrt(1 - np.exp(-2 * time_h / 24 / self.fluctuation_tau_d)))

    def visit(self, time_h: float) -> float:
        """SD of a measured score around the true one."""
        return float(np.hypot(self.rater_sd, self.drift(time_h)))


def _window(from_h: float, time_h: float) -> FloatArray:
    """Visits behind a mean over a window, where the record does not list them: every two days (assumed)."""
    return np.arange(from_h, time_h, 48.0)


class TrialArm:
    """One arm of a trial record, simulated once for given parameter values."""

    def __init__(self, trial: TrialRecord, design: SimulatedArm, patients: int, seed: int, variant: str | None) -> None:
        assert trial.simulate is not None
        self.trial, self.design, self.rules = trial, design, trial.simulate.rules
        rows = [row for row in trial.answered() if design.arm in (row.arm, row.versus)]
        self.events = sorted({EVENTS[r.event] for r in rows if r.measure == "ae_rate" and r.event in EVENTS})
        self.direct = sorted({DIRECT[r.scale] for r in rows if r.scale in DIRECT})
        times = {0.0, *(r.time_h for r in rows if r.time_h), *(r.from_h for r in rows if r.from_h)}
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
        self.arm = Arm(
            course, patients=patients, weeks=weeks, seed=seed, population=_population(trial, design), variant=variant,
            outputs=outputs, visits_h=self.times.tolist(), extra_h=peaks, rtol=1e-4,
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
            self, self.arm.baseline, _moved(madrs, drug, self.arm.baseline, own), risk, direct, noise
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


def _moved(madrs: FloatArray, drug: FloatArray, baseline: FloatArray, own: Own) -> FloatArray:
    """True scores [patients, times] where relief is exp(u) times as large without the drug, exp(v) times by the drug.

    Relief is the logarithm of what is left; `drug` is the share that the drug alone lifts.
    """
    if own == (0.0, 0.0):
        return madrs
    by_drug = -np.log1p(-np.clip(drug, -10.0, 0.999))
    rest = np.log(baseline[:, None] / np.maximum(madrs, 1e-9)) - by_drug
    return baseline[:, None] * np.exp(-np.exp(own[0]) * rest - np.exp(own[1]) * by_drug)


@dataclass(frozen=True)
class SimulatedTrialArm:
    """True scores [patients, times] of one arm, and the published measures predicted from them."""

    of: TrialArm
    baseline: FloatArray
    madrs: FloatArray
    risk: dict[str, FloatArray]
    direct: dict[str, FloatArray]
    noise: Noise

    def at(self, time_h: float) -> FloatArray:
        """True MADRS at a time, [patients]."""
        return self.madrs[:, int(np.searchsorted(self.of.times, time_h - 1e-6))]

    @cached_property
    def sampled(self) -> FloatArray:
        """Measured MADRS at all times, [patients, times]."""
        noise = self.noise
        return scale.measure(
            self.madrs,
            self.of.times,
            self.of.arm.who,
            self.of.seed,
            rater_sd=noise.rater_sd,
            fluctuation_sd=noise.fluctuation_sd,
            fluctuation_tau_d=noise.fluctuation_tau_d,
        )

    def selected(self, conditions: Iterable[Condition] | None) -> FloatArray:
        """Weight of each patient: 1 where all conditions hold on sampled scores."""
        keep = np.ones(len(self.baseline), bool)
        first = self.sampled[:, :1]
        for c in conditions or []:
            scores = self.sampled[:, np.searchsorted(self.of.times, np.array(c.times_h) - 1e-6)]
            if c.at_most is not None:
                good = scores <= scale.to_madrs(c.at_most, c.scale)
            elif c.fall_at_least is not None:
                good = scores <= (1 - c.fall_at_least) * first
            else:
                good = scores > (1 - (c.fall_below or 0)) * first
            keep &= good.sum(axis=1) >= (c.at_least_visits or good.shape[1])
        return keep.astype(float)

    def weights(self, row: Outcome) -> FloatArray:
        """Who counts for a row."""
        w = self.selected([*(self.of.design.select or []), *(row.among or [])])
        other = self.of.design.select_not
        return w if other is None else w * (1 - self.selected(self.of.trial.simulated_arm(other).select))

    # -- measures
    def mean_score(self, t: float, w: FloatArray) -> float:
        """Mean measured score; scores cannot fall below 0."""
        return float(np.average(_clipped(self.at(t), self.noise.visit(t))[0], weights=w))

    def change(self, t: float, w: FloatArray) -> float:
        """Mean change from baseline."""
        return self.mean_score(t, w) - float(np.average(self.baseline, weights=w))

    def sd(self, t: float, w: FloatArray) -> float:
        """SD of measured scores over patients."""
        mean, square = _clipped(self.at(t), self.noise.visit(t))
        m = np.average(mean, weights=w)
        return float(np.sqrt(max(np.average(square, weights=w) - m * m, 1e-6)))

    def change_sd(self, t: float, w: FloatArray) -> float:
        """SD of measured changes over patients."""
        mean, square = _clipped(self.at(t), self.noise.visit(t))
        d = mean - self.baseline
        spread = np.average(square - mean**2, weights=w) + self.noise.rater_sd**2
        return float(np.sqrt(np.average((d - np.average(d, weights=w)) ** 2, weights=w) + spread))

    def response(self, t: float, w: FloatArray) -> float:
        """Share with response, %."""
        rule = self.of.rules.response
        left = 1 - rule.fall_at_least
        if rule.times_h:
            scores = self.sampled[:, np.searchsorted(self.of.times, np.array(rule.times_h) - 1e-6)]
            hits = (scores <= left * self.sampled[:, :1]).sum(axis=1) >= (rule.at_least_visits or len(rule.times_h))
            return 100 * float(np.average(hits, weights=w))
        sd = np.sqrt(self.noise.rater_sd**2 * (1 + left**2) + self.noise.drift(t) ** 2)
        return 100 * float(np.average(ndtr((left * self.baseline - self.at(t)) / sd), weights=w))

    def remission(self, t: float, w: FloatArray) -> float:
        """Share in remission by the trial's rule, %."""
        rule = self.of.rules.remission
        cut = 10.0 if rule is None else float(scale.to_madrs(rule.at_most, rule.scale))
        return 100 * float(np.average(ndtr((cut + 0.5 - self.at(t)) / self.noise.visit(t)), weights=w))

    def relapse_times(self, rule: RelapseRule, w: FloatArray) -> FloatArray:
        """Days from `from_h` to relapse of the patients who count, inf for none; no censoring before the end."""
        chosen = (self.of.times >= rule.from_h - 1e-6) & (self.of.times <= rule.until_h + 1e-6)
        scores = self.sampled[w > 0][:, chosen]
        limit = np.full(len(scores), -np.inf)
        if rule.at_least is not None:
            limit = np.maximum(limit, scale.to_madrs(rule.at_least, rule.scale))
        if rule.at_least_fraction is not None:
            limit = np.maximum(limit, rule.at_least_fraction * self.sampled[w > 0, 0])
        bad = scores >= limit[:, None]
        runs = np.all(np.lib.stride_tricks.sliding_window_view(bad, rule.visits, axis=1), axis=2)
        first = np.where(runs.any(axis=1), runs.argmax(axis=1) + rule.visits - 1, -1)
        days = (self.of.times[chosen] - rule.from_h) / 24
        return np.where(first >= 0, days[first], np.inf)


# Measures of one arm at one time.
SINGLE = {
    "mean": SimulatedTrialArm.mean_score,
    "sd": SimulatedTrialArm.sd,
    "change": SimulatedTrialArm.change,
    "change_sd": SimulatedTrialArm.change_sd,
    "response": SimulatedTrialArm.response,
    "remission": SimulatedTrialArm.remission,
}


def _clipped(mean: FloatArray, sd: float) -> tuple[FloatArray, FloatArray]:
    """First two moments of a normal score that cannot fall below 0."""
    z = mean / sd
    inside, edge = ndtr(z), np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return mean * inside + sd * edge, (mean**2 + sd**2) * inside + mean * sd * edge


def _population(trial: TrialRecord, design: SimulatedArm) -> Population:
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


def predict(row: Outcome, arms: Mapping[str, SimulatedTrialArm]) -> float | None:
    """The number that the simulation gives for a published row, or None where the model does not speak of it."""
    a = arms.get(row.arm)
    b = arms.get(row.versus) if row.versus is not None else None
    if a is None or (row.versus is not None and b is None):
        return None
    if row.measure in SAMPLED:
        return _predict_path(row, a, b)
    w, t = a.weights(row), row.time_h
    if w.sum() < 5:
        return None
    if row.measure == "ae_rate":
        output = EVENTS.get(row.event or "")
        return None if output is None else 100 * float(np.average(a.risk[output], weights=w))
    if row.scale in DIRECT and t is not None:
        x = a.direct[DIRECT[row.scale]][:, int(np.searchsorted(a.of.times, t - 1e-6))]
        return float(x.std()) if row.measure.endswith("sd") else float(x.mean())
    in_points = row.measure in IN_POINTS
    if t is None or (in_points and row.scale not in scale.names()):
        return None
    ratio = scale.noise_ratio(row.scale or "MADRS") if in_points else 1.0
    if row.measure == "change" and row.from_h is not None:
        return ratio * (a.mean_score(t, w) - a.mean_score(row.from_h, w))
    if row.measure == "mean" and row.scale not in (None, "MADRS"):
        return float(np.average(scale.convert(a.at(t), a.baseline, row.scale), weights=w))
    if row.measure in SINGLE:
        return ratio * SINGLE[row.measure](a, t, w)
    if row.measure == "change_percent":
        return 100 * a.change(t, w) / float(np.average(a.baseline, weights=w))
    if b is None:
        return None
    return _predict_contrast(row, a, b, w, t, ratio)


def _predict_contrast(
    row: Outcome, a: SimulatedTrialArm, b: SimulatedTrialArm, w: FloatArray, t: float, ratio: float
) -> float | None:
    """Outcomes that compare two arms at a time, or over the times from `from_h` to it."""
    v = b.weights(row)

    def smd(time: float) -> float:
        pooled = np.sqrt((a.sd(time, w) ** 2 + b.sd(time, v) ** 2) / 2)
        return (a.mean_score(time, w) - b.mean_score(time, v)) / float(pooled)

    match row.measure:
        case "difference":
            times = [t] if row.from_h is None else [x for x in a.of.times if row.from_h <= x <= t]
            return ratio * float(np.mean([a.change(x, w) - b.change(x, v) for x in times]))
        case "smd" | "standardised_beta":
            # the coefficient of allocation on a standardised outcome is a difference in SDs
            if row.from_h is None:
                return smd(t)
            return float(np.mean([smd(x) for x in a.of.times if row.from_h <= x <= t]))
        case "decay_ratio":
            start = smd(row.from_h or 24.0)
            return smd(t) / start if start else None
        case "response_rr":
            return a.response(t, w) / max(b.response(t, v), 0.1)
        case "fraction_of_week6":
            last = a.change(1008.0, w) - b.change(1008.0, v)
            return (a.change(t, w) - b.change(t, v)) / last if abs(last) > 0.05 else None
    return None


def _predict_path(row: Outcome, a: SimulatedTrialArm, b: SimulatedTrialArm | None) -> float | None:
    """Outcomes that depend on a path of visits."""
    w = a.weights(row)
    rule = a.of.rules.relapse
    if row.measure == "median_infusions_to_response":
        after = [np.searchsorted(a.of.times, s - 1e-6) for s in (*a.of.sessions[1:], a.of.sessions[-1] + 24.0)]
        hit = a.sampled[:, after] <= 0.5 * a.sampled[:, :1]
        first = np.where(hit.any(axis=1), hit.argmax(axis=1) + 1, 0)
        return float(np.median(first[first > 0])) if (first > 0).any() else None
    if row.measure == "remission_median_days":
        hit = a.sampled[:, 1:] <= 12
        day = np.where(hit.any(axis=1), a.of.times[1:][hit.argmax(axis=1)] / 24, np.inf)
        return float(np.median(day))
    if rule is None or w.sum() < 5:
        return None
    times = a.relapse_times(rule, w)
    end = (rule.until_h - rule.from_h) / 24
    if row.measure == "relapse":
        limit = end if row.time_h is None else (row.time_h - rule.from_h) / 24
        return 100 * float(np.mean(times <= limit + 1e-6))
    if row.measure == "hazard_ratio":
        assert b is not None
        other = b.relapse_times(b.of.rules.relapse or rule, b.weights(row))
        share = [np.clip(np.mean(x <= end), 1e-3, 1 - 1e-3) for x in (times, other)]
        return float(np.log1p(-share[0]) / np.log1p(-share[1]))
    quantile = {"relapse_median_days": 0.5, "relapse_q1_days": 0.25, "relapse_q3_days": 0.75}[row.measure]
    ordered = np.sort(times)
    value = ordered[min(int(np.ceil(quantile * len(ordered))) - 1, len(ordered) - 1)]
    return float(min(value, end))


class Laboratory:
    """All simulated arms of a set of trials, ready to be run again and again with other parameter values."""

    def __init__(
        self,
        trials: Iterable[TrialRecord],
        patients: int = 256,
        seed: int = 1,
        variant: str | None = None,
        rows: Iterable[tuple[str, Outcome]] | None = None,
    ) -> None:
        """All simulated arms of `trials`, or only those that the given (trial, row) pairs need."""
        wanted = None if rows is None else {(t, name) for t, row in rows for name in (row.arm, row.versus)}
        self.arms = {
            (t.id, d.arm): TrialArm(t, d, patients, seed, variant)
            for t in trials
            if t.simulate
            for d in t.simulate.arms
            if wanted is None or (t.id, d.arm) in wanted
        }

    def run(
        self, typical: Mapping[str, float] | None, noise: Noise, own: Own = (0.0, 0.0)
    ) -> dict[str, dict[str, SimulatedTrialArm]]:
        """Simulated arms by trial and arm; `own` are the effects that every trial has."""
        out: dict[str, dict[str, SimulatedTrialArm]] = {}
        for (trial, name), arm in self.arms.items():
            out.setdefault(trial, {})[name] = arm.simulate(typical, noise, own)
        return out
