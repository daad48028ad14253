"""Rating scales: bounds, conversion from the MADRS, and measurement.

The model's symptom state is read as MADRS points. Other scales follow from it by published tables and regressions where
they exist; the rest is marked assumed in `data/scales.yaml`.

A *measured* score is the true one plus two kinds of noise, rounded to whole points and kept inside the scale:

* rater noise, independent between visits, the same for a given patient and hour in every arm and any list of visits;
* fluctuation: an Ornstein-Uhlenbeck process that starts at 0 at the baseline (time 0) and is drawn on a fixed 6-hour
  grid, so that a patient has the same path in every arm and for any list of visits; straight lines between grid points.
  Its size follows how ill the person truly is: SD at a MADRS of 30 points times (true / 30)^power. People who are well
  swing less, which is what lets a remission last.

Both are stated in MADRS points; other scales get them times `noise_ratio`, the slope of their conversion.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from afterglow import streams
from afterglow.clinic.files import Strict, Wrong, model_from_text, shipped_text
from afterglow.clinic.quantity import Number
from afterglow.clinic.source import Source
from afterglow.errors import Fault, InputError, nearest

FloatArray = NDArray[np.float64]

GRID_H = 6.0  # grid of the fluctuation
SWING_AT = 30.0  # true MADRS at which the size of the fluctuation is stated, points


class Relation(Strict):
    """How a scale follows from another one; see the head of `data/scales.yaml`."""

    kind: Literal["identity", "table", "linear", "relative"]
    via: str = "MADRS"
    points: tuple[tuple[Number, Number], ...] = ()
    intercept: Number = 0.0
    slope: Number = 1.0
    share: Number = 0.0
    power: Number = 1.0
    source: Source | None = None

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Tables rise, and everything but the identity has a source."""
        points = good.get("points", ())
        if any(b[0] <= a[0] or b[1] < a[1] for a, b in pairwise(points)):
            yield Wrong("the points of the table do not rise", "sort them", ("points",))
        if good.get("kind") == "table" and len(points) < 2:
            yield Wrong("a table needs two points at least", "add `points`", ("points",))
        if "source" in good and good["source"] is None and good.get("kind") != "identity":
            yield Wrong("the relation has no source", "add `source:`")


class RemissionRule(Strict):
    """A published cut-off: remission is a score of at most this."""

    at_most: Number
    source: Source


class Scale(Strict):
    """One rating scale."""

    title: str
    low: Number
    high: Number
    rated_by: Literal["clinician", "patient"]
    remission: tuple[RemissionRule, ...] = ()
    relation: Relation = Field(alias="from")

    @property
    def assumed(self) -> bool:
        """Whether the relation to the MADRS is assumed."""
        return self.relation.source is not None and self.relation.source.grade == "assumed"


class _ScaleFile(Strict):
    scales: dict[str, Scale]


@cache
def _table() -> dict[str, Scale]:
    return model_from_text(_ScaleFile, shipped_text("scales.yaml"), "data/scales.yaml").scales


def names() -> tuple[str, ...]:
    """Names of all scales."""
    return tuple(_table())


def get(name: str) -> Scale:
    """One scale, or an `InputError` with the nearest name."""
    table = _table()
    if name not in table:
        same = [known for known in table if known.lower() == name.lower()]
        raise InputError(Fault("scale", f"there is no scale '{name}'", nearest(same[0] if same else name, table)))
    return table[name]


def remission_cut(name: str, at_most: float | None = None) -> float:
    """The cut-off of remission: the scale's first rule, or a given one, which must be published."""
    rules = [rule.at_most for rule in get(name).remission]
    if at_most is not None and at_most not in rules:
        known = ", ".join(f"<= {cut:g}" for cut in rules) or "none"
        raise InputError(
            Fault("remission", f"{name} <= {at_most:g} is not a published rule", f"rules of {name}: {known}")
        )
    if not rules:
        raise InputError(
            Fault("remission", f"{name} has no published remission rule", "use MADRS, HAM-D17, QIDS-SR16 or PHQ-9")
        )
    return rules[0] if at_most is None else at_most


# ------------------------------------------------------------------------------------------------ conversion


def convert(madrs: ArrayLike, baseline_madrs: ArrayLike, name: str) -> FloatArray:
    """Score on another scale, any shape.

    Args:
        madrs: true MADRS, points 0-60.
        baseline_madrs: MADRS at baseline, broadcast against `madrs`; used by assumed relations only.
        name: the scale.

    Returns:
        Points of the scale, not rounded; rises with `madrs` and stays inside the scale's bounds.
    """
    scale = get(name)
    relation = scale.relation
    score = np.asarray(madrs, dtype=np.float64)
    if relation.kind == "relative":
        base = np.asarray(baseline_madrs, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = np.where(base > 0, np.maximum(score, 0.0) / base, 0.0)
        score = relation.share * base * left**relation.power
    elif relation.kind != "identity":
        inner = convert(score, baseline_madrs, relation.via)
        score = _forward(relation, inner)
    return np.clip(score, scale.low, scale.high)


def _forward(relation: Relation, score: FloatArray) -> FloatArray:
    if relation.kind == "linear":
        return relation.intercept + relation.slope * score
    x, y = np.array(relation.points).T
    return np.interp(score, x, y)


def to_madrs(score: ArrayLike, name: str) -> FloatArray:
    """MADRS points of a score on another scale, by the same published relation; assumed relations are refused."""
    relation = get(name).relation
    value = np.asarray(score, dtype=np.float64)
    if relation.kind == "identity":
        return np.clip(value, 0.0, 60.0)
    if relation.kind == "relative":
        fault = Fault("scale", f"{name} cannot be converted to MADRS", "give MADRS, HAM-D17, QIDS-SR16, PHQ-9 or BDI")
        raise InputError(fault)
    if relation.kind == "linear":
        return to_madrs((value - relation.intercept) / relation.slope, relation.via)
    x, y = np.array(relation.points).T
    return to_madrs(np.interp(value, y, x), relation.via)


@cache
def noise_ratio(name: str) -> float:
    """Points of this scale for one MADRS point, over the range 13-39 where most tables have their points."""
    low, high = convert(np.array([13.0, 39.0]), 39.0, name)
    return float((high - low) / 26.0)


# ------------------------------------------------------------------------------------------------ measurement


_STEPS = 112  # shocks are drawn in blocks of four weeks, so that runs of different length share them


def _shocks(seed: int, replicate: int, patients: range, steps: int) -> FloatArray:
    """Standard normal shocks of the fluctuation, [patients, steps]."""
    size = -(-steps // _STEPS) * _STEPS
    draw = _kept_shocks if len(patients) * size <= 2_000_000 else _kept_shocks.__wrapped__
    return draw(seed, replicate, patients.start, patients.stop, size)[:, :steps]


@lru_cache(maxsize=24)  # scales, decisions and refits ask for the same ones again
def _kept_shocks(seed: int, replicate: int, start: int, stop: int, size: int) -> FloatArray:
    draws = streams.normal(seed, replicate, range(start, stop), "fluctuation", size)
    draws.setflags(write=False)
    return draws


def fluctuation(
    time_h: ArrayLike, patients: range, seed: int, replicate: int = 0, sd: float = 9.6, tau_d: float = 6.4
) -> FloatArray:
    """Week-scale fluctuation of mood, MADRS points, [patients, times].

    Variance sd^2 (1 - exp(-2 t / tau)) at grid times, correlation exp(-lag / tau) once stationary; 0 up to time 0. The
    defaults are those of a preliminary fit to trials; the model's own fit passes its values.

    Args:
        time_h: times, h, in any order.
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
        sd: stationary standard deviation, MADRS points.
        tau_d: correlation time, days.
    """
    time = np.maximum(np.atleast_1d(np.asarray(time_h, dtype=np.float64)), 0.0)
    steps = int(np.ceil(np.max(time, initial=0.0) / GRID_H))
    path = np.zeros((steps + 1, len(patients)))
    if steps and sd:
        keep = np.exp(-GRID_H / (24.0 * tau_d))
        shocks = sd * np.sqrt(1.0 - keep**2) * _shocks(seed, replicate, patients, steps).T
        for step in range(steps):
            path[step + 1] = keep * path[step] + shocks[step]
    before = np.minimum((time / GRID_H).astype(np.int64), max(steps - 1, 0))
    part = (time / GRID_H - before)[:, None]
    return np.ascontiguousarray((path[before] * (1.0 - part) + path[np.minimum(before + 1, steps)] * part).T)


def rater_noise(
    time_h: ArrayLike, patients: range, seed: int, replicate: int = 0, scale: str = "MADRS", sd: float = 3.5
) -> FloatArray:
    """Rater noise, MADRS points, [patients, times]; keyed by scale and hour, so visits do not disturb each other."""
    time = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
    noise = np.empty((len(patients), len(time)))
    for column, hour in enumerate(time):
        noise[:, column] = streams.normal(seed, replicate, patients, f"rater/{scale}/{hour:.4f}")[:, 0]
    return sd * noise


def swing(madrs: ArrayLike, power: float) -> FloatArray:
    """Size of the fluctuation at a true MADRS, against that at `SWING_AT` points; same shape."""
    return (np.maximum(np.asarray(madrs, dtype=np.float64), 0.0) / SWING_AT) ** power


def measure(
    madrs: ArrayLike,
    time_h: ArrayLike,
    patients: range,
    seed: int,
    replicate: int = 0,
    scale: str = "MADRS",
    baseline_madrs: ArrayLike = np.nan,
    rater_sd: float = 3.5,
    fluctuation_sd: float = 9.6,
    fluctuation_tau_d: float = 6.4,
    fluctuation_power: float = 0.0,
    keep: NDArray[np.int64] | None = None,
    error: ArrayLike = 0.0,
) -> FloatArray:
    """Measured scores: true ones with rater noise and fluctuation, whole points inside the scale, [patients, visits].

    Args:
        madrs: true MADRS, [patients, visits].
        time_h: times of the visits, h; 0 is the baseline.
        patients: numbers of the patients, in the order of `madrs`.
        seed: the run's seed.
        replicate: number of the trial replicate.
        scale: the scale of the result.
        baseline_madrs: true MADRS at baseline, broadcast against `madrs`; scales with an assumed relation need it.
        rater_sd: SD of rater noise, MADRS points.
        fluctuation_sd: stationary SD of the fluctuation at a true MADRS of `SWING_AT`, MADRS points.
        fluctuation_tau_d: correlation time of the fluctuation, days.
        fluctuation_power: how the SD follows the true score; 0: not at all, 1: in proportion.
        keep: places in `patients` of those whose scores these are; without it, all.
        error: further error of the ratings, MADRS points, broadcast against `madrs`.
    """
    kind, score = get(scale), np.asarray(madrs, dtype=np.float64)
    times = np.atleast_1d(np.asarray(time_h, dtype=np.float64))
    people = len(patients) if keep is None else len(keep)
    if score.shape != (people, len(times)):
        raise ValueError(f"madrs has shape {score.shape}, expected {(people, len(times))}")
    own = slice(None) if keep is None else keep
    noise = fluctuation(times, patients, seed, replicate, fluctuation_sd, fluctuation_tau_d)[own]
    noise *= swing(score, fluctuation_power)
    noise += rater_noise(times, patients, seed, replicate, scale, rater_sd)[own]
    noise += np.asarray(error, dtype=np.float64)
    true = convert(score, baseline_madrs, scale)
    return np.clip(np.rint(true + noise_ratio(scale) * noise), kind.low, kind.high)
