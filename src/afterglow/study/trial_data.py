"""What a statistician is given of a replicate: scores by visit with holes in them, events in time, and the estimand.

Three things turn what happened into the data of an analysis:

* scores of visits that were missed, or that come after a person left, are missing;
* scores after an intercurrent event (rescue; the end of treatment of those still followed) are taken as they are under
  the treatment policy, made missing under the hypothetical estimand, and count as no change under the composite one;
* after a run-in, change and time count from the randomisation where the endpoint is a relapse, from the baseline else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome
from afterglow.clinic.trial import Trial
from afterglow.clinic.trial_parts import Endpoint
from afterglow.study.trial_people import strata
from afterglow.study.virtual_trial import Conducted

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

HOURS_A_DAY = 24.0


@dataclass(frozen=True)
class Events:
    """Time to an event, of those at risk."""

    at_risk: BoolArray
    days: FloatArray
    happened: BoolArray


class Observed:
    """The data set of one replicate: those who were randomised, each in their own arm."""

    def __init__(self, trial: Trial, found: Conducted) -> None:
        """Of a replicate as it was conducted."""
        self.trial, self.found = trial, found
        self.chosen = np.flatnonzero(found.randomised)
        self.arm = found.arm[self.chosen]
        self.visit_h = found.visit_h
        self.left_h = self._own("left_h")
        self.reason = self._own("reason").astype(np.int64)
        self.rescued_h = self._own("rescued_h")
        self.event_h = intercurrent(trial, self.rescued_h, self.left_h)
        gone_h = np.full(len(self.chosen), np.inf) if trial.leaving.followed else self.left_h
        self.expected = self.visit_h[None, :] <= gone_h[:, None]
        self.attended = self.expected & found.kept[self.chosen]
        self.after = self.visit_h[None, :] > self.event_h[:, None]
        self.strata = strata(trial, found.people.iloc[self.chosen]).astype(float)

    def _own(self, name: str) -> FloatArray:
        """A column of each person's own arm."""
        stacked = np.array([getattr(one, name) for one in self.found.arms], dtype=float)
        return stacked[self.arm, self.chosen]

    def full(self, scale: str) -> FloatArray:
        """Measured scores [people, visits] with nothing missing."""
        stacked = np.array([one.scores[scale] for one in self.found.arms])
        return stacked[self.arm, self.chosen]

    def scores(self, scale: str) -> FloatArray:
        """Scores [people, visits] as analysed; NaN is missing."""
        found = np.where(self.attended, self.full(scale), np.nan)
        if self.trial.estimand == "hypothetical":
            return np.where(self.after, np.nan, found)
        if self.trial.estimand == "composite":
            return np.where(self._failed(), found[:, :1], found)
        return found

    def _failed(self) -> BoolArray:
        """Visits after an intercurrent event or after leaving, [people, visits]: no change, under the composite."""
        return self.after | (self.visit_h[None, :] > self.left_h[:, None])

    def hits(self, endpoint: Endpoint, visit: int) -> FloatArray:
        """1 for response or remission at a visit, 0 without, NaN where not seen; `visit` counts the baseline."""
        return hits(endpoint, self.scores(endpoint.scale), visit)

    def events(self, endpoint: Endpoint) -> Events:
        """Time to relapse or to response, in days, from the randomisation (relapse) or the baseline."""
        return events(self.trial, endpoint, self.scores(endpoint.scale), self.visit_h, self.event_h)


def intercurrent(trial: Trial, rescued_h: FloatArray, left_h: FloatArray) -> FloatArray:
    """Hour of the intercurrent event: rescue, or the end of treatment of those who are still followed."""
    return np.minimum(rescued_h, left_h if trial.leaving.followed else np.inf)


def hits(endpoint: Endpoint, scores: FloatArray, visit: int) -> FloatArray:
    """1 for response or remission at a visit, 0 without, NaN where not seen."""
    now, base = scores[:, visit : visit + 1], scores[:, 0]
    remission = endpoint.measure == "remission"
    found = outcome.remission(now, endpoint.scale, endpoint.at_most) if remission else outcome.response(now, base)
    return np.where(np.isnan(now[:, 0]), np.nan, found[:, 0].astype(float))


def events(trial: Trial, endpoint: Endpoint, scores: FloatArray, visit_h: FloatArray, event_h: FloatArray) -> Events:
    """Time to an event from scores with holes: censored at the last visit that was attended.

    Relapse is met at the first of two attended visits in a row that both show it, and under the composite estimand at
    an intercurrent event (`event_h`) before. After a run-in everybody is at risk from the randomisation; otherwise
    those who responded, from their first response.
    """
    seen = ~np.isnan(scores)
    last = np.where(seen.any(axis=1), scores.shape[1] - 1 - np.argmax(seen[:, ::-1], axis=1), 0)
    base = scores[:, 0]
    responded = outcome.response(scores, base) & (visit_h > 0)
    if endpoint.measure == "time-to-response":
        happened = responded.any(axis=1)
        at = np.where(happened, np.argmax(responded, axis=1), last)
        return Events(np.ones(len(scores), bool), visit_h[at] / HOURS_A_DAY, np.asarray(happened))
    ill = outcome.meets(endpoint.rule, scores, base, endpoint.scale)
    if trial.randomised is not None:
        start_h = np.full(len(scores), (trial.randomised.day - 1) * HOURS_A_DAY)
        at_risk = np.ones(len(scores), bool)
    else:
        at_risk = responded.any(axis=1)
        start_h = np.where(at_risk, visit_h[np.argmax(responded, axis=1)], np.nan)
    counts = ill & (visit_h[None, :] > start_h[:, None])
    first = _two_running(counts, seen)
    happened = (first >= 0) & at_risk
    end_h = visit_h[np.where(happened, first, last)]
    if trial.estimand == "composite":
        earlier = at_risk & (event_h > start_h) & (event_h < end_h)
        happened, end_h = happened | earlier, np.where(earlier, event_h, end_h)
    days = (end_h - start_h) / HOURS_A_DAY
    return Events(at_risk & (days > 0), days, happened)


def _two_running(counts: BoolArray, seen: BoolArray) -> IntArray:
    """First of two attended visits in a row that both count, [people]; -1 for never."""
    found = np.full(len(counts), -1, dtype=np.int64)
    before = np.full(len(counts), -1, dtype=np.int64)  # the last attended visit, where it counted
    for visit in range(counts.shape[1]):
        hit = counts[:, visit] & (before >= 0) & (found < 0)
        found[hit] = before[hit]
        before = np.where(seen[:, visit], np.where(counts[:, visit], visit, -1), before)
    return found
