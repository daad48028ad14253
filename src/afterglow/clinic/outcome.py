"""Response, remission and relapse, on measured scores at visits.

Arrays are [patients, visits] of one scale in points; `baseline` is the measured baseline, [patients]. A missing score
(NaN) never counts as response, remission or relapse. Times are hours of the visits, [visits], rising.

Relapse rules (a patient relapses at the first of two visits in a row that both meet the rule):

* `score-22`: at least 22 MADRS points; the rule of the randomised withdrawal trial of esketamine (SUSTAIN-1, Daly 2019,
  doi:10.1001/jamapsychiatry.2019.1189; wording of the rule assumed), whose other criteria (hospital, attempt) are not
  simulated. Other scales use the score that corresponds to 22 MADRS points.
* `half-baseline`: half of the improvement rule turned round, a score of at least half of the baseline.
* `half-baseline-18`: that and at least 18 MADRS points, as in the follow-up after six infusions (Murrough 2013,
  doi:10.1016/j.biopsych.2012.06.022; wording of the rule assumed).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from afterglow.clinic import scale as scales
from afterglow.errors import Fault, InputError, nearest

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
RelapseRule = Literal["score-22", "half-baseline", "half-baseline-18"]
RELAPSE_RULES: tuple[RelapseRule, ...] = ("score-22", "half-baseline", "half-baseline-18")

RESPONSE_PERCENT = 50.0  # convention of the trials: at least half of the baseline score gone


def improvement(scores: ArrayLike, baseline: ArrayLike) -> FloatArray:
    """Percent fall from baseline, [patients, visits]; NaN where the baseline is 0."""
    score, base = np.asarray(scores, dtype=np.float64), np.asarray(baseline, dtype=np.float64)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(base > 0, 100.0 * (base - score) / base, np.nan)


def response(scores: ArrayLike, baseline: ArrayLike) -> BoolArray:
    """Whether at least half of the baseline score is gone, [patients, visits]."""
    return improvement(scores, baseline) >= RESPONSE_PERCENT


def remission(scores: ArrayLike, scale: str = "MADRS", at_most: float | None = None) -> BoolArray:
    """Whether the score is at or under the scale's cut-off, [patients, visits].

    `at_most` chooses among the published rules of the scale (MADRS: 10 by default, or 12).
    """
    return np.asarray(scores, dtype=np.float64) <= scales.remission_cut(scale, at_most)


def time_to_first(met: BoolArray, time_h: ArrayLike) -> FloatArray:
    """Time of the first visit after time 0 at which something is met, h, [patients]; infinite for never."""
    time = np.asarray(time_h, dtype=np.float64)
    return np.min(np.where(met & (time > 0), time, np.inf), axis=1, initial=np.inf)


def time_to_response(scores: ArrayLike, baseline: ArrayLike, time_h: ArrayLike) -> FloatArray:
    """Time of the first response, h, [patients]; infinite for never."""
    return time_to_first(response(scores, baseline), time_h)


@dataclass(frozen=True)
class Relapse:
    """Relapse after response: for each patient whether at risk, how long observed (h), and whether it came."""

    at_risk: BoolArray
    time_h: FloatArray  # from the beginning of the risk to the relapse or the last visit; NaN when not at risk
    event: BoolArray

    def median_h(self) -> float:
        """Median time to relapse by Kaplan-Meier, h; infinite when half never relapse, NaN when nobody is at risk."""
        return kaplan_meier_median(self.time_h[self.at_risk], self.event[self.at_risk])


def relapse(
    scores: ArrayLike,
    baseline: ArrayLike,
    time_h: ArrayLike,
    rule: RelapseRule = "score-22",
    start_h: float | None = None,
    scale: str = "MADRS",
) -> Relapse:
    """Relapse of patients who have responded.

    Args:
        scores: measured scores, [patients, visits].
        baseline: measured baseline, [patients].
        time_h: times of the visits, h, rising.
        rule: one of `RELAPSE_RULES`.
        start_h: risk begins at the first visit from here on (for instance the end of the sessions), for those in
            response at that visit. None: at each patient's own first response.
        scale: scale of the scores.
    """
    if rule not in RELAPSE_RULES:
        raise InputError(Fault("relapse", f"there is no rule '{rule}'", nearest(rule, RELAPSE_RULES)))
    score, time = np.asarray(scores, dtype=np.float64), np.asarray(time_h, dtype=np.float64)
    base = np.asarray(baseline, dtype=np.float64)
    responded = response(score, base) & (time > 0)
    if start_h is None:
        at_risk, first = responded.any(axis=1), np.argmax(responded, axis=1)
    else:
        visit = int(np.searchsorted(time, start_h))
        at_risk = responded[:, visit] if visit < len(time) else np.zeros(len(score), dtype=bool)
        first = np.full(len(score), min(visit, len(time) - 1))
    ill = meets(rule, score, base, scale)
    pair = ill[:, :-1] & ill[:, 1:] & (np.arange(len(time) - 1) > first[:, None])
    event = pair.any(axis=1) & at_risk
    last = np.where(event, np.argmax(pair, axis=1) if pair.shape[1] else 0, len(time) - 1)
    return Relapse(np.asarray(at_risk), np.where(at_risk, time[last] - time[first], np.nan), np.asarray(event))


def meets(rule: RelapseRule, score: FloatArray, base: FloatArray, scale: str) -> BoolArray:
    """Whether a score is bad enough for a relapse, [patients, visits]; `base` is [patients]."""

    def points(madrs: float) -> FloatArray:
        base_madrs = base if scale == "MADRS" else np.full_like(base, 37.0)  # read by assumed relations only
        return scales.convert(np.full_like(base, madrs), base_madrs, scale)[:, None]

    half = score >= 0.5 * base[:, None]
    if rule == "half-baseline":
        return half
    return score >= points(22.0) if rule == "score-22" else half & (score >= points(18.0))


def kaplan_meier(time: ArrayLike, event: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Kaplan-Meier estimate: times of events, and the share still free of it just after each.

    Source: Kaplan EL, Meier P (1958) J Am Stat Assoc 53:457-481, doi:10.1080/01621459.1958.10501452.
    """
    observed, happened = np.asarray(time, dtype=np.float64), np.asarray(event, dtype=bool)
    times, events = np.unique(observed[happened], return_counts=True)
    at_risk = len(observed) - np.searchsorted(np.sort(observed), times, side="left")
    free = np.cumprod(1.0 - events / at_risk).astype(np.float64)
    return times, free


def kaplan_meier_median(time: ArrayLike, event: ArrayLike) -> float:
    """First time at which at most half are free of the event; infinite when that never comes, NaN for nobody."""
    if np.size(np.asarray(time)) == 0:
        return float("nan")
    times, free = kaplan_meier(time, event)
    reached = times[free <= 0.5 + 1e-12]
    return float(reached[0]) if len(reached) else float("inf")
