"""What one more visit is worth: decide on the next dose now, or after one more weekly score.

Preposterior analysis on simulated people. Three courses run in the same people with the same luck: no dose, a dose as
soon as it may be given, and a dose a week later, when one more score has been written down. Deciding now is to take
the better of the first two for everybody. Waiting is to read the score and then take the better of the first and the
third, by what is to be expected given that score. So waiting may win by what the score tells, and lose by what the
delay costs:

    value of waiting = worth of the score - cost of the delay

The expectation given the score is a regression of each person's gain on the score, as Strong and others do for the
expected value of sample information. A regression that is judged on the people it was fitted to always finds
something, so every decision (also the one without a score) is made on nine tenths of the people and judged on the last
tenth, in turn. The worth of the score is at least 0 but for the error of that.

How many days in remission a dose has to bring to be worth giving is nobody's to say but the person's: the answer is
given for several such prices, with days and doses beside each other. At a price of 0 a dose costs nothing.

Sources: Raiffa H, Schlaifer R (1961) Applied Statistical Decision Theory, Harvard; Strong M, Oakley JE, Brennan A,
Breeze P (2015) Estimating the expected value of sample information using the probabilistic sensitivity analysis
sample: a fast, nonparametric regression-based method. Med Decis Making 35:570-583, doi:10.1177/0272989X15575286.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.dosing import Dose
from afterglow.study import boosters
from afterglow.study.cloud import Cloud
from afterglow.study.forecast import Person
from afterglow.study.plan_front import interval, resampled_weights, same_people

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

FOLDS, DEGREE = 10, 3
PRICES_D = (0.0, 0.5, 1.0, 1.5, 2.0)  # days in remission that a dose has to bring: assumed, to choose from
CHOICES: dict[str, float | None] = {"one dose": None, "a dose every 14 days": 14.0}  # interval, days
COLUMNS = (
    "choice", "price_d", "now", "dosed_after_score", "days_in_remission", "days_in_remission_lo90",
    "days_in_remission_hi90", "doses", "doses_lo90", "doses_hi90", "worth_of_score_d", "worth_of_score_d_lo90",
    "worth_of_score_d_hi90", "value_d", "value_d_lo90", "value_d_hi90",
)  # fmt: skip


@dataclass(frozen=True)
class Gain:
    """What dosing brings to each person over doing nothing: days in remission, and the doses it takes, [people]."""

    days: FloatArray
    doses: FloatArray

    def net(self, price_d: float) -> FloatArray:
        """Days in remission less the price of the doses."""
        return self.days - price_d * self.doses


@dataclass(frozen=True)
class Decided:
    """Who is dosed, [people]: by the decision now, by that after a week with the score, and by that without it."""

    now: BoolArray
    after: BoolArray
    blind: BoolArray


def decided(now: Gain, later: Gain, score: FloatArray, who: IntArray, price_d: float) -> Decided:
    """Decisions, each made on other people than those it is for.

    Args:
        now: what a dose now brings.
        later: what a dose a week later brings.
        score: the score then, without a dose, [people].
        who: number of each person; those who share one are kept together.
        price_d: days in remission that a dose has to bring.
    """
    fold = who % FOLDS
    found = Decided(*(np.zeros(len(score), dtype=bool) for _ in range(3)))
    for k in range(FOLDS):
        fit, use = fold != k, fold == k
        found.now[use] = now.net(price_d)[fit].mean() > 0
        found.blind[use] = later.net(price_d)[fit].mean() > 0
        found.after[use] = expected(score[fit], later.net(price_d)[fit], score[use]) > 0
    return found


def expected(score: FloatArray, gain: FloatArray, at: FloatArray) -> FloatArray:
    """What gain is to be expected at some scores: a polynomial with the degree that foretells people left out best.

    Degree 0, where the score tells nothing, to `DEGREE`; errors of people left out one by one are those of the fit
    divided by 1 - leverage.
    """
    middle, spread = score.mean(), max(float(score.std()), 1e-9)
    x, y = (np.vander((values - middle) / spread, DEGREE + 1, increasing=True) for values in (score, at))
    best, found = np.inf, np.zeros(len(at))
    for degree in range(DEGREE + 1):
        q, r = np.linalg.qr(x[:, : degree + 1])
        if np.abs(np.diag(r)).min() < 1e-6:
            break  # fewer different scores than that
        miss = (gain - q @ (q.T @ gain)) / (1.0 - (q**2).sum(axis=1))
        if (miss**2).sum() < best * (1.0 - 1e-9):
            best = (miss**2).sum()
            found[:] = y[:, : degree + 1] @ np.linalg.solve(r, q.T @ gain)
    return found


def weighed(
    now: Gain, later: Gain, score: FloatArray, who: IntArray, weights: FloatArray, price_d: float
) -> dict[str, Any]:
    """The value of waiting at one price; keys are the columns of `waiting` from `price_d` on.

    Intervals are of chance among the simulated people, with the decisions held: what chance does to the decisions is
    not in them, so a worth a little below 0 means that nothing was found.
    """
    made = decided(now, later, score, who, price_d)
    gains = {
        "days_in_remission": made.after * later.days - made.now * now.days,
        "doses": made.after * later.doses - made.now * now.doses,
        "worth_of_score_d": (made.after * 1.0 - made.blind) * later.net(price_d),
        "value_d": made.after * later.net(price_d) - made.now * now.net(price_d),
    }
    row: dict[str, Any] = {"price_d": price_d, "now": "dose" if now.net(price_d).mean() > 0 else "no dose"}
    row["dosed_after_score"] = float(made.after.mean())
    for name, values in gains.items():
        row[name] = float(values.mean())
        row[f"{name}_lo90"], row[f"{name}_hi90"] = interval(weights, values)
    return row


def waiting(person: Person, cloud: Cloud, dose: Dose, now_h: float, weeks: float) -> pd.DataFrame:
    """The value of one more weekly score before the next dose, or before a series of doses.

    The dose now is given a day after the last entry of the history, or a week after the last dose, whichever is later;
    the other one a week after that.

    Args:
        person: what has been done and seen.
        cloud: people who might be this one, all of the same weight.
        dose: that is to be given.
        now_h: hour of the last entry.
        weeks: over which days in remission are counted.

    Returns:
        Columns `COLUMNS`: one row a choice (see `CHOICES`) and price. `now` is the better decision now;
        `dosed_after_score` the share of people who get the dose once the score is read; days_in_remission and doses
        are what waiting adds; worth_of_score_d and value_d are in days in remission, with each dose at its price.
    """
    import pandas as pd

    starts = [start for start, _ in person.course.sessions(520.0)]
    first = max(now_h + 24.0, max(starts, default=-np.inf) + 168.0)
    times = np.array([first + 168.0 * k for k in range(int(weeks) + 1)])
    never = boosters.run(person, cloud, "never", boosters.never, None, times)
    rows = []
    for choice, every in CHOICES.items():
        ran = [
            boosters.run(person, cloud, choice, boosters.begun(day, every), dose, times)  # now, and a week later
            for day in (0.0, 7.0)
        ]
        fine = np.flatnonzero(np.isfinite([one.scores for one in (never, *ran)]).all(axis=(0, 2)))
        some = cloud.take(fine)
        who = same_people(some)
        now, later = (_gain(one.take(fine), never.take(fine)) for one in ran)
        weights = resampled_weights(who, person.seed)
        rows += [
            {"choice": choice, **weighed(now, later, never.scores[fine, 1], who, weights, price)} for price in PRICES_D
        ]
    return pd.DataFrame(rows, columns=pd.Index(list(COLUMNS)))


def _gain(ran: boosters.Ran, never: boosters.Ran) -> Gain:
    """Over the weeks after the first visit; a dose at the last visit comes too late to count."""

    def well(one: boosters.Ran) -> FloatArray:
        return 7.0 * (one.scores[:, 1:] <= boosters.WELL).sum(axis=1)

    return Gain(well(ran) - well(never), ran.doses[:, :-1].sum(axis=1).astype(np.float64))


def sentence(table: pd.DataFrame, weeks: float) -> str:
    """What waiting before the next dose means: where a dose costs nothing, and where the score is worth most."""
    rows = [row for row in table.to_dict("records") if row["choice"] == "one dose"]
    free, best = rows[0], max(rows, key=lambda row: row["worth_of_score_d"])
    said = (
        f"To wait a week for one more score before deciding on the next dose changes the days in remission within "
        f"{weeks:g} weeks by {_signed(free, 'days_in_remission')} and the doses by {free['doses']:+.1f}, where a dose "
        "costs nothing. "
    )
    if best["worth_of_score_d_lo90"] > 0:
        said += (
            f"The score is worth most, {_signed(best, 'worth_of_score_d')} days, where a dose has to bring "
            f"{best['price_d']:g} days in remission; with the delay taken off, waiting is worth "
            f"{_signed(best, 'value_d')} days there."
        )
    else:
        said += (
            "At no price of a dose could the score be told to be worth anything: it moves what to expect too little."
        )
    return said.replace("-", "\N{MINUS SIGN}").replace("+0.0", "0.0").replace("\N{MINUS SIGN}0.0", "0.0")


def _signed(row: dict[Any, Any], name: str) -> str:
    low, high = row[f"{name}_lo90"], row[f"{name}_hi90"]
    return f"{row[name]:+.1f} ({low:+.1f} to {high:+.1f})"
