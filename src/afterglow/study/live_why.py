"""Why the band of the score is as wide as it is: people, calibration, ratings, and the number of virtual people.

Each part is what is left when everything else is held still, so parts neither add up nor need to: their variances do,
roughly, and none is much wider than the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.study.live_bands import plain
from afterglow.study.live_clock import COARSE, clock
from afterglow.study.live_people import MADRS, Crowd, Order, go
from afterglow.study.live_scenario import MOST_PEOPLE, Scenario

FloatArray = NDArray[np.float64]
ENDS = (0.05, 0.95)
# The calibration: the same people, once under each of so many draws.
DRAWS, SAME_PEOPLE = 60, 16
NORMAL_90 = 1.645


@dataclass(frozen=True, eq=False)
class Interval:
    """A 90 % range at each time, MADRS points, each [times]; `width_mean` is its mean over the weeks, points."""

    lo90: FloatArray
    hi90: FloatArray
    width_mean: float


@dataclass(frozen=True, eq=False)
class Part:
    """The range that one source alone would give; `width_mean` is its mean over the weeks, points."""

    source: str
    title: str
    help: str
    lo90: FloatArray
    hi90: FloatArray
    width_mean: float


@dataclass(frozen=True, eq=False)
class Why:
    """The range of scores as written down, and of each source alone."""

    time_h: FloatArray
    total: Interval
    parts: Sequence[Part]

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return plain(self)


def why(scenario: Scenario, people: int = MOST_PEOPLE) -> Why:
    """Split the width of the 90 % range of the score."""
    times = clock([scenario.course], scenario.weeks, COARSE)
    crowd, rows = Crowd(scenario.who.anyone, scenario.seed, scenario.variant), range(people)
    order = Order(scenario.course, crowd, rows, scenario.weeks, tuple(times.tolist()))
    blocks = [crowd.block(rows), crowd.at_medians(rows), crowd.under_draws(SAME_PEOPLE, DRAWS)]
    arm, values = go(order, blocks)
    madrs = np.where((arm.status == 0)[:, None], values[:, :, arm.outputs.index(MADRS)], np.nan)
    own, medians, drawn = np.split(madrs, np.cumsum([people, people]))
    middle = np.nanmedian(own, axis=0)
    written = arm.measured("MADRS", own, times, blocks[0]) + 0.0  # points without a minus zero
    ratings = arm.measured("MADRS", np.tile(middle, (people, 1)), times, blocks[1]) + 0.0
    means = np.nanmean(drawn.reshape(DRAWS, SAME_PEOPLE, -1), axis=1)
    found = (
        (
            "people", "People differ", _range(medians),
            "true scores of different people, all with the medians of the calibration: how ill they are at the start, "
            "their bodies, and how strongly they react",
        ),
        (
            "parameters", "What the calibration leaves open", _range(means),
            f"mean true score of the same {SAME_PEOPLE} people under each of {DRAWS} draws of the calibration",
        ),
        (
            "ratings", "Ratings go up and down", _range(ratings),
            "scores that would be written down of one true course, the median one: rater noise and the fluctuation "
            "from week to week",
        ),
        (
            "sample", "Number of virtual people", median_range(own),
            f"where the median of all people like these may lie, known from {people:,} of them; more people would "
            "narrow this part only",
        ),
    )  # fmt: skip
    parts = [
        Part(key, title, words, low, high, _mean_width(times, low, high)) for key, title, (low, high), words in found
    ]
    low, high = _range(written)
    return Why(times, Interval(low, high, _mean_width(times, low, high)), parts)


def _range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = np.nanquantile(values, ENDS, axis=0)
    return low, high


def median_range(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """90 % interval of the median of values [people, times] by order statistics, whatever their distribution."""
    ordered = np.sort(values[np.isfinite(values).all(axis=1)], axis=0)
    count = len(ordered)
    half = NORMAL_90 * np.sqrt(count) / 2.0
    low, high = int(np.floor(count / 2.0 - half)), int(np.ceil(count / 2.0 + half))
    return ordered[max(low - 1, 0)], ordered[min(high, count - 1)]


def _mean_width(time_h: FloatArray, low: FloatArray, high: FloatArray) -> float:
    return float(np.trapezoid(high - low, time_h) / (time_h[-1] - time_h[0]))
