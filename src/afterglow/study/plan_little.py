"""How little is enough: the fewest sessions of an induction that keep most of the benefit of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course
from afterglow.study.cloud import Cloud, live
from afterglow.study.forecast import Person, baseline
from afterglow.study.plan_front import TAILS, resampled_weights, same_people

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
ENOUGH = 0.9  # of the benefit of the whole course
WEEKS = 6  # over which the benefit is counted
COLUMNS = (
    "sessions", "change", "lo90", "hi90", "p05", "p95", "share", "share_lo90", "share_hi90", "enough", "enough_chance",
)  # fmt: skip


def little(known: Person, cloud: Cloud, whole: Course) -> pd.DataFrame:
    """Benefit of the first k sessions of a course against all of them, as for a new start.

    The benefit is the mean change of the true MADRS over six weekly visits from the first session on, without rating
    noise, in people who might be this one and who begin anew.

    Args:
        known: what is known of the person.
        cloud: people who might be this one, all of the same weight.
        whole: the course; its first line of doses is cut short.

    Returns:
        Columns `COLUMNS`: change (points, mean), lo90 and hi90 (of the mean), p05 and p95 (90 % of people), share (of
        the change of all sessions) with its interval, enough (the fewest that keep `ENOUGH` of it), enough_chance
        (share of bootstrap resamples in which it is these).
    """
    import pandas as pd

    days = [start / 24.0 + 1.0 for start, _ in whole.sessions(52.0)]
    times = np.array([0.0, *(168.0 * k for k in range(1, WEEKS + 1))])
    changes = []
    for count in range(1, len(days) + 1):
        line = whole.doses[0].model_copy(update={"days": tuple(days[:count])})
        true, _ = live(cloud, whole.model_copy(update={"doses": (line,)}), times, known.seed, known.variant)
        changes.append(true[:, 1:].mean(axis=1) - baseline(cloud))
    fine = np.flatnonzero(np.isfinite(changes).all(axis=0))
    found = np.array(changes)[:, fine]
    means = resampled_weights(same_people(cloud.take(fine)), known.seed) @ found.T
    columns = {"sessions": np.arange(1, len(days) + 1)} | counted(found, means)
    return pd.DataFrame(columns, columns=pd.Index(list(COLUMNS)))


def counted(changes: FloatArray, means: FloatArray) -> dict[str, Any]:
    """Columns of `little` from changes [counts, people] and their means in resamples [resamples, counts]."""
    mean = changes.mean(axis=1)
    low, high = np.quantile(means, TAILS, axis=0)
    shares = means / means[:, -1:]
    share_low, share_high = np.quantile(shares, TAILS, axis=0)
    fewest = int(_fewest(mean[None, :])[0])
    p05, p95 = np.quantile(changes, TAILS, axis=1)
    return {
        "change": mean, "lo90": low, "hi90": high, "p05": p05, "p95": p95,
        "share": mean / mean[-1], "share_lo90": share_low, "share_hi90": share_high,
        "enough": np.arange(len(mean)) == fewest,
        "enough_chance": np.bincount(_fewest(means), minlength=len(mean)) / len(means),
    }  # fmt: skip


def _fewest(means: FloatArray) -> NDArray[np.intp]:
    """Place of the fewest sessions whose mean change is enough, [resamples]; all are, where nothing helps."""
    enough = means <= ENOUGH * means[:, -1:]
    enough[:, -1] = True
    return np.argmax(enough, axis=1)


def fewest(table: pd.DataFrame) -> tuple[int, int, int]:
    """The fewest sessions that are enough, and the ends of the 90 % interval over resamples."""
    share = np.cumsum(table["enough_chance"].to_numpy())
    low, high = (int(table["sessions"].iloc[min(int(np.searchsorted(share, p)), len(share) - 1)]) for p in TAILS)
    return int(table.loc[table["enough"], "sessions"].iloc[0]), low, high
