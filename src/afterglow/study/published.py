"""What a simulated trial arm would have published: every measure of the trial records, from true scores.

Means, SDs, response and remission rates are integrated over rater noise and fluctuation: no sampling noise, smooth in
the parameters. Outcomes that depend on a path of visits (relapse, time to response, patients selected by their scores)
are read from sampled scores.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from afterglow.clinic import scale
from afterglow.data.outcome_schema import Condition, Outcome
from afterglow.data.trial_schema import RelapseRule

if TYPE_CHECKING:
    from afterglow.study.trials import TrialArm

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
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
PATHS = 4  # paths of noise and fluctuation that every simulated patient has, for outcomes read from sampled scores
LEAST = 5  # simulated patients or paths that a prediction needs


@dataclass(frozen=True)
class Noise:
    """What lies between true and measured scores, MADRS points and days; see `clinic.scale.measure`."""

    rater_sd: float
    fluctuation_sd: float
    fluctuation_tau_d: float
    fluctuation_power: float

    def drift(self, time_h: float, madrs: FloatArray) -> FloatArray:
        """SD of the fluctuation at a time after baseline, by true MADRS."""
        grown = np.sqrt(1 - np.exp(-2 * time_h / 24 / self.fluctuation_tau_d))
        return self.fluctuation_sd * grown * scale.swing(madrs, self.fluctuation_power)

    def visit(self, time_h: float, madrs: FloatArray) -> FloatArray:
        """SD of a measured score around the true one."""
        return np.hypot(self.rater_sd, self.drift(time_h, madrs))


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
        """Measured MADRS at all times, [paths, patients, times]."""
        of, noise = self.of, asdict(self.noise)
        return np.array([scale.measure(self.madrs, of.times, of.arm.who, of.seed, k, **noise) for k in range(PATHS)])

    def on(self, times_h: Iterable[float]) -> FloatArray:
        """Measured MADRS at these times, [paths, patients, times]."""
        return self.sampled[..., np.searchsorted(self.of.times, np.array([*times_h]) - 1e-6)]

    def selected(self, conditions: Iterable[Condition] | None) -> BoolArray:
        """Who meets all conditions on sampled scores, [paths, patients]."""
        keep = np.ones((PATHS, len(self.baseline)), bool)
        for c in conditions or []:
            scores, first = self.on(c.times_h), self.on([0.0])
            if c.at_most is not None:
                good = scores <= scale.to_madrs(c.at_most, c.scale)
            elif c.fall_at_least is not None:
                good = scores <= (1 - c.fall_at_least) * first
            else:
                good = scores > (1 - (c.fall_below or 0)) * first
            keep &= good.sum(axis=-1) >= (c.at_least_visits or good.shape[-1])
        return keep

    def kept(self, row: Outcome) -> BoolArray:
        """Who counts for a row, [paths, patients]."""
        keep = self.selected([*(self.of.design.select or []), *(row.among or [])])
        other = self.of.design.select_not
        return keep if other is None else keep & ~self.selected(self.of.trial.simulated_arm(other).select)

    def weights(self, row: Outcome) -> FloatArray:
        """Share of everybody's paths that count for a row, [patients]."""
        if not (self.of.design.select or self.of.design.select_not or row.among):
            return np.ones(len(self.baseline))
        return self.kept(row).mean(axis=0)

    def _moments(self, t: float) -> tuple[FloatArray, FloatArray]:
        """First two moments of everybody's measured score; scores cannot fall below 0."""
        return _clipped(self.at(t), self.noise.visit(t, self.at(t)))

    # -- measures
    def mean_score(self, t: float, w: FloatArray) -> float:
        """Mean measured score."""
        return float(np.average(self._moments(t)[0], weights=w))

    def change(self, t: float, w: FloatArray) -> float:
        """Mean change from baseline."""
        return self.mean_score(t, w) - float(np.average(self.baseline, weights=w))

    def sd(self, t: float, w: FloatArray) -> float:
        """SD of measured scores over patients."""
        mean, square = self._moments(t)
        m = np.average(mean, weights=w)
        return float(np.sqrt(max(np.average(square, weights=w) - m * m, 1e-6)))

    def change_sd(self, t: float, w: FloatArray) -> float:
        """SD of measured changes over patients."""
        mean, square = self._moments(t)
        d = mean - self.baseline
        spread = np.average(square - mean**2, weights=w) + self.noise.rater_sd**2
        return float(np.sqrt(np.average((d - np.average(d, weights=w)) ** 2, weights=w) + spread))

    def response(self, t: float, w: FloatArray) -> float:
        """Share with response, %."""
        rule = self.of.rules.response
        left = 1 - rule.fall_at_least
        if rule.times_h:
            low = (self.on(rule.times_h) <= left * self.on([0.0])).sum(axis=-1)
            hits = low >= (rule.at_least_visits or len(rule.times_h))
            return 100 * float(np.average(hits.mean(axis=0), weights=w))
        sd = np.sqrt(self.noise.rater_sd**2 * (1 + left**2) + self.noise.drift(t, self.at(t)) ** 2)
        return 100 * float(np.average(ndtr((left * self.baseline - self.at(t)) / sd), weights=w))

    def remission(self, t: float, w: FloatArray) -> float:
        """Share in remission by the trial's rule, %."""
        rule = self.of.rules.remission
        cut = 10.0 if rule is None else float(scale.to_madrs(rule.at_most, rule.scale))
        return 100 * float(np.average(ndtr((cut + 0.5 - self.at(t)) / self.noise.visit(t, self.at(t))), weights=w))

    def relapse_times(self, rule: RelapseRule, keep: BoolArray) -> FloatArray:
        """Days from `from_h` to relapse of the paths that count, inf for none; no censoring before the end."""
        chosen = (self.of.times >= rule.from_h - 1e-6) & (self.of.times <= rule.until_h + 1e-6)
        scores = self.sampled[keep][:, chosen]
        limit = np.full(len(scores), -np.inf)
        if rule.at_least is not None:
            limit = np.maximum(limit, scale.to_madrs(rule.at_least, rule.scale))
        if rule.at_least_fraction is not None:
            limit = np.maximum(limit, rule.at_least_fraction * self.sampled[keep][:, 0])
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


def _clipped(mean: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First two moments of a normal score that cannot fall below 0."""
    z = mean / sd
    inside, edge = ndtr(z), np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)
    return mean * inside + sd * edge, (mean**2 + sd**2) * inside + mean * sd * edge


def predict(row: Outcome, arms: Mapping[str, SimulatedTrialArm]) -> float | None:
    """The number that the simulation gives for a published row, or None where the model does not speak of it."""
    a = arms.get(row.arm)
    b = arms.get(row.versus) if row.versus is not None else None
    if a is None or (row.versus is not None and b is None):
        return None
    if row.measure in SAMPLED:
        return _predict_path(row, a, b)
    w, t = a.weights(row), row.time_h
    if w.sum() < LEAST:
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
    rule = a.of.rules.relapse
    if row.measure == "median_infusions_to_response":
        after = [*a.of.sessions[1:], a.of.sessions[-1] + 24.0]
        hit = a.on(after) <= 0.5 * a.on([0.0])
        first = np.where(hit.any(axis=-1), hit.argmax(axis=-1) + 1, 0)
        return float(np.median(first[first > 0])) if (first > 0).any() else None
    if row.measure == "remission_median_days":
        hit = a.sampled[..., 1:] <= 12
        day = np.where(hit.any(axis=-1), a.of.times[1:][hit.argmax(axis=-1)] / 24, np.inf)
        return float(np.median(day))
    keep = a.kept(row)
    if rule is None or keep.sum() < LEAST:
        return None
    times = a.relapse_times(rule, keep)
    end = (rule.until_h - rule.from_h) / 24
    if row.measure == "relapse":
        limit = end if row.time_h is None else (row.time_h - rule.from_h) / 24
        return 100 * float(np.mean(times <= limit + 1e-6))
    if row.measure == "hazard_ratio":
        assert b is not None
        if (other_kept := b.kept(row)).sum() < LEAST:
            return None
        other = b.relapse_times(b.of.rules.relapse or rule, other_kept)
        share = [np.clip(np.mean(x <= end), 1e-3, 1 - 1e-3) for x in (times, other)]
        return float(np.log1p(-share[0]) / np.log1p(-share[1]))
    quantile = {"relapse_median_days": 0.5, "relapse_q1_days": 0.25, "relapse_q3_days": 0.75}[row.measure]
    ordered = np.sort(times)
    value = ordered[min(int(np.ceil(quantile * len(ordered))) - 1, len(ordered) - 1)]
    return float(min(value, end))
