"""What trials like the published ones would show if the model were right: for pictures, trial by trial.

Every picture is a spread over settings (`settings`). A setting is one draw of the posterior with effects u and v that a
trial has of its own, drawn from N(0, tau) and applied to the simulated scores in full, not to first order.

* `curves`: published means, differences and response over time, with what a published point adds to them: the effect e
  of a row and its standard error.
* `replicates`: the trial repeated with its number of patients, score by score with rater noise and fluctuation, rounded
  and bounded as people are rated: mean, SD, response and remission by visit.
* `relapses`: the share still well over time of those who were followed, without censoring before the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from afterglow import streams
from afterglow.clinic import scale
from afterglow.data.fitted import measurement
from afterglow.data.outcome_schema import Outcome
from afterglow.data.trial_schema import TrialRecord
from afterglow.study.calibrate import STEP_OWN
from afterglow.study.draws import split_draws, tau_draws
from afterglow.study.published import DIRECT, IN_POINTS, LEAST, PATHS, Noise, SimulatedTrialArm, predict
from afterglow.study.scoring import Predictive
from afterglow.study.trials import Laboratory, Own

FloatArray = NDArray[np.float64]
Bands = dict[str, FloatArray]
Arms = Mapping[str, SimulatedTrialArm]

LEVELS = ("change", "mean", "difference", "response")  # what is drawn over time
REPLICATED = ("mean", "change", "sd", "change_sd", "response", "remission")  # what replicates are compared by
QUANTILES = {"p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}
EFFECTS = 4  # pairs of trial effects for each draw of the posterior
RELAPSE_EFFECTS = 2  # the same for long trials, whose sampled paths take longest
TRIALS_A_SETTING = 4  # replicates taken from the followed paths of one setting
FIRST_DAY_H = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0, 20.0, 24.0)
MOST_POINTS = 60  # of a curve after the first day
STRIDE = 1 << 16  # patients of one arm are numbered from a multiple of this, so arms have luck of their own


@dataclass(frozen=True)
class Setting:
    """One way things may be: parameters, noise, the trial's own effects (u, v), and the SD of the row effect e."""

    number: int
    values: Mapping[str, float]
    noise: Noise
    own: Own
    tau_e: float


@dataclass(frozen=True)
class Curve:
    """One published quantity of an arm, or of one arm against another, over time.

    Attributes:
        rows: the published points, by time.
        time_h: [times].
        bands: quantiles over settings by name (`QUANTILES`), each [times].
        scatter: 5 % and 95 % of what would be published, [2, times]; None where no point has a standard error.
    """

    rows: tuple[Outcome, ...]
    time_h: FloatArray
    bands: Bands
    scatter: FloatArray | None


@dataclass(frozen=True)
class Replicated:
    """One statistic of one arm at one visit over replicates of the trial; `value` and `se` are the published ones."""

    arm: str
    n: int
    time_h: float
    measure: str
    bands: Mapping[str, float]
    value: float | None
    se: float | None


@dataclass(frozen=True)
class Relapse:
    """Share of an arm that is still well.

    Attributes:
        arm: name of the arm.
        n: patients that were followed.
        days: from the start of observation, [visits].
        bands: quantiles over settings of the share, %, each [visits].
        scatter: 5 % and 95 % over replicates of n patients, [2, visits].
        rows: published shares and medians of this arm.
    """

    arm: str
    n: int
    days: FloatArray
    bands: Bands
    scatter: FloatArray
    rows: tuple[Outcome, ...]


@dataclass(frozen=True)
class Ratio:
    """A published hazard ratio, and quantiles of the predicted one."""

    row: Outcome
    bands: Mapping[str, float]


def settings(draws: int, seed: int, trial: str, variant: str | None = None, effects: int = EFFECTS) -> list[Setting]:
    """Settings of a trial, `effects` for each of `draws` draws; those of one draw follow each other.

    Effects are spread evenly over the quantiles of their distribution (a Latin hypercube), so that few do.

    Args:
        draws: draws of the shipped posterior.
        seed: of the draws and of the effects.
        trial: id of the trial; each has effects of its own.
        variant: a rival mechanism.
        effects: pairs of trial effects a draw.
    """
    held = measurement(variant)
    chance = streams.generator(seed, "predictive", trial)
    ranks = np.stack([chance.permutation(draws * effects) for _ in range(2)], axis=-1)
    normal = ndtri((ranks + 0.5) / (draws * effects)).reshape(draws, effects, 2)
    found = []
    for (values, noise), tau, pairs in zip(
        split_draws(draws, seed, variant), tau_draws(draws, seed, variant), normal, strict=True
    ):
        for u, v in pairs * tau[:2]:
            found.append(Setting(len(found), values, Noise(**(held | noise)), (float(u), float(v)), float(tau[2])))
    return found


def quantiles(values: FloatArray) -> Bands:
    """Quantiles over the first axis, by name."""
    return dict(zip(QUANTILES, np.quantile(values, list(QUANTILES.values()), axis=0), strict=True))


# ------------------------------------------------------------------------------------------------ curves over time


def level_rows(record: TrialRecord) -> list[tuple[Outcome, ...]]:
    """Published rows that make up curves: one group an arm (or pair) and measure, each sorted by time.

    Left out are rows of subgroups picked by their scores, over a window, on scales that the model does not rate, and
    responses that need several visits.
    """
    groups: dict[tuple[str, str, str | None, str | None], list[Outcome]] = {}
    several = record.simulate is not None and record.simulate.rules.response.times_h
    for row in record.answered():
        if row.measure not in LEVELS or not row.time_h or row.from_h is not None or row.among:
            continue
        if row.scale in DIRECT or (row.measure in IN_POINTS and row.scale not in scale.names()):
            continue
        if not (row.measure == "response" and several):
            groups.setdefault((row.measure, row.arm, row.versus, row.scale), []).append(row)
    ordered = sorted(groups, key=lambda key: LEVELS.index(key[0]))
    return [tuple(sorted(groups[key], key=lambda row: row.time_h or 0.0)) for key in ordered]


def time_grid(end_h: float) -> FloatArray:
    """Times from 0 to the end, h: close in the first day, then half days or multiples of them."""
    first = [t for t in FIRST_DAY_H if t <= end_h]
    step = 12.0 * max(1.0, np.ceil((end_h - 24.0) / (12.0 * MOST_POINTS)))
    return np.union1d(first, [*np.arange(24.0, end_h, step), end_h])


def curves(
    record: TrialRecord, *, draws: int = 24, patients: int = 128, seed: int = 1, variant: str | None = None
) -> list[Curve]:
    """Curves of all groups of `level_rows`; empty where there is none."""
    groups = level_rows(record)
    if not groups:
        return []
    grids = [np.union1d(time_grid(end), _times(rows)) for rows, end in zip(groups, _ends(groups), strict=True)]
    everything = np.unique(np.concatenate(grids))
    needed = [(record.id, row) for rows in groups for row in rows]
    laboratory = Laboratory([record], patients, seed, variant, rows=needed, times_h=everything)

    def over_time(values: Mapping[str, float], noise: Noise, own: Own) -> list[FloatArray]:
        arms = laboratory.run(values, noise, own)[record.id]
        return [_course(rows[0], grid, arms) for rows, grid in zip(groups, grids, strict=True)]

    chosen = settings(draws, seed, record.id, variant)
    found = [over_time(one.values, one.noise, one.own) for one in chosen]
    usual = Noise(**measurement(variant))
    up, down = (over_time({}, usual, (h, h)) for h in (STEP_OWN, -STEP_OWN))
    tau_e = np.array([one.tau_e for one in chosen])
    made = []
    for k, (rows, grid) in enumerate(zip(groups, grids, strict=True)):
        predicted = np.array([one[k] for one in found])
        own = tau_e[:, None] * (up[k] - down[k]) / (2 * STEP_OWN)
        known = np.isfinite(predicted + own).all(axis=1)  # of people picked by their scores there may be too few
        if known.any():
            scatter = _scatter(rows, grid, predicted[known], own[known])
            made.append(Curve(rows, grid, quantiles(predicted[known]), scatter))
    return made


def _times(rows: Iterable[Outcome]) -> list[float]:
    return [row.time_h or 0.0 for row in rows]


def _ends(groups: Sequence[Sequence[Outcome]]) -> list[float]:
    """Last visit of each group's arms, whatever was published there, h."""
    last: dict[str | None, float] = {}
    for rows in groups:
        for name in (rows[0].arm, rows[0].versus):
            last[name] = max(last.get(name, 0.0), *_times(rows))
    return [min(last[name] for name in (rows[0].arm, rows[0].versus) if name) for rows in groups]


def _course(row: Outcome, grid: FloatArray, arms: Arms) -> FloatArray:
    """The row's measure at all times of a grid; NaN where too few count."""
    found = [predict(row.model_copy(update={"time_h": float(t)}), arms) for t in grid]
    return np.array([np.nan if value is None else value for value in found])


def _scatter(rows: Sequence[Outcome], grid: FloatArray, predicted: FloatArray, own: FloatArray) -> FloatArray | None:
    """5 % and 95 % of published points, [2, times], from predictions and SDs of the row effect [settings, times].

    Between visits the standard error is interpolated on a logarithmic clock (assumed). At time 0 a change, a difference
    and a response are 0 by definition.
    """
    known = [(row.time_h or 0.0, row.se) for row in rows if row.se]
    if not known:
        return None
    if rows[0].measure != "mean":
        known.insert(0, (0.0, 0.0))
    at, errors = np.array(known).T
    se = np.maximum(np.interp(np.log1p(grid), np.log1p(at), errors), 1e-3)
    spread = (own**2 + se**2)[:, :, None] * np.eye(len(grid))
    found = Predictive("", tuple(map(str, range(len(grid)))), predicted, spread).interval(0.9).T
    return np.clip(found, 0.0, 100.0) if rows[0].measure == "response" else found


# ------------------------------------------------------------------------------------------------ replicates


def replicated_arms(record: TrialRecord) -> dict[str, list[Outcome]]:
    """Arms whose people can be compared with repeats, and the rows to compare by.

    They publish a spread over patients or response at more than one visit, and how many they are.
    Arms of people picked by their scores, and ratings on other scales than the MADRS, are left out.
    """
    found: dict[str, list[Outcome]] = {}
    for design in record.simulate.arms if record.simulate else ():
        rows = [r for r in record.answers(design.arm) if r.measure in REPLICATED and r.scale == "MADRS"]
        rows = [r for r in rows if r.time_h and r.from_h is None and not r.among]
        spread = any(r.measure in ("sd", "change_sd") or r.sd for r in rows)
        spread = spread or sum(r.measure == "response" for r in rows) > 1
        picked = design.select or design.select_not
        if spread and not picked and _patients(record, design.arm):
            found[design.arm] = rows
    return found


def _patients(record: TrialRecord, arm: str, rows: Iterable[Outcome] = ()) -> int:
    """Patients behind an arm's numbers, 0 where nobody says."""
    own = record.arm(arm).n
    return max((row.n or 0 for row in rows), default=0) or own or 0


def replicates(
    record: TrialRecord, *, draws: int = 24, patients: int = 128, seed: int = 1, variant: str | None = None
) -> list[Replicated]:
    """Statistics of the trial repeated with its number of patients, one a visit, arm and measure."""
    groups = replicated_arms(record)
    if not groups:
        return []
    needed = [(record.id, row) for rows in groups.values() for row in rows]
    laboratory = Laboratory([record], patients, seed, variant, rows=needed)
    visits = {arm: sorted({row.time_h or 0.0 for row in rows}) for arm, rows in groups.items()}
    every = sorted({t for times in visits.values() for t in times})
    chance = streams.generator(seed, "predictive", record.id, "replicates")
    found: dict[str, list[dict[str, FloatArray]]] = {arm: [] for arm in groups}
    for one in settings(draws, seed, record.id, variant):
        row_effects = one.tau_e * chance.standard_normal(len(every))
        u, v = one.own
        moved = {
            t: laboratory.run(one.values, one.noise, (u + e, v + e))[record.id]
            for t, e in zip(every, row_effects.tolist(), strict=True)
        }
        for number, arm in enumerate(groups):
            n, times = _patients(record, arm), visits[arm]
            first = next(iter(moved.values()))[arm]
            who = chance.integers(0, len(first.baseline), n)
            true = np.column_stack([first.baseline[who], *(moved[t][arm].at(t)[who] for t in times)])
            people = range(STRIDE * number, STRIDE * number + n)
            scores = scale.measure(true, [0.0, *times], people, seed, one.number, **asdict(one.noise))
            found[arm].append(statistics(scores, record))
    return [line for arm, rows in groups.items() for line in _replicated(record, arm, rows, visits[arm], found[arm])]


def statistics(scores: FloatArray, record: TrialRecord) -> dict[str, FloatArray]:
    """What a trial would publish of measured MADRS [patients, baseline and visits], each [visits]."""
    assert record.simulate is not None
    rules = record.simulate.rules
    first, later = scores[:, :1], scores[:, 1:]
    cut = 10.0 if rules.remission is None else float(scale.to_madrs(rules.remission.at_most, rules.remission.scale))
    unknown = np.where(np.isnan(later), np.nan, 0.0)  # a time that the simulation does not reach
    return {
        "mean": later.mean(axis=0),
        "change": (later - first).mean(axis=0),
        "sd": later.std(axis=0, ddof=1),
        "change_sd": (later - first).std(axis=0, ddof=1),
        "response": 100 * (unknown + (later <= (1 - rules.response.fall_at_least) * first)).mean(axis=0),
        "remission": 100 * (unknown + (later <= cut + 0.5)).mean(axis=0),
    }


def _replicated(
    record: TrialRecord, arm: str, rows: Sequence[Outcome], times: Sequence[float], found: list[dict[str, FloatArray]]
) -> Iterator[Replicated]:
    """One line a visit and measure; measures of which the arm publishes nothing are left out."""
    published = _published(rows)
    for measure in REPLICATED:
        if not any(name == measure for name, _ in published):
            continue
        bands = quantiles(np.array([one[measure] for one in found]))
        for k, t in enumerate(times):
            value, se = published.get((measure, t), (None, None))
            mine = {name: float(band[k]) for name, band in bands.items()}
            if np.isfinite([*mine.values()]).all():
                yield Replicated(arm, _patients(record, arm), t, measure, mine, value, se)


def _published(rows: Sequence[Outcome]) -> dict[tuple[str, float], tuple[float, float | None]]:
    """Value and standard error by measure and time; an SD beside a mean counts as a row of its own."""
    found: dict[tuple[str, float], tuple[float, float | None]] = {}
    for row in rows:
        time = row.time_h or 0.0
        found[row.measure, time] = (row.value, row.se)
        if row.sd and row.measure in ("mean", "change"):
            error = row.sd / np.sqrt(2 * (row.n - 1)) if row.n and row.n > 1 else None
            found.setdefault(("sd" if row.measure == "mean" else "change_sd", time), (row.sd, error))
    return found


# ------------------------------------------------------------------------------------------------ relapse


@dataclass(frozen=True)
class _WithLuck(SimulatedTrialArm):
    """A simulated arm whose sampled paths have luck of their own, from replicate `first` on."""

    first: int = 0

    @cached_property
    def sampled(self) -> FloatArray:
        """Measured MADRS at all times, [paths, patients, times]."""
        of, noise, luck = self.of, asdict(self.noise), range(self.first, self.first + PATHS)
        return np.array([scale.measure(self.madrs, of.times, of.arm.who, of.seed, k, **noise) for k in luck])

    @classmethod
    def of_arm(cls, arm: SimulatedTrialArm, first: int) -> _WithLuck:
        """The same arm with other luck."""
        return cls(**{one.name: getattr(arm, one.name) for one in fields(SimulatedTrialArm)}, first=first)


def still_well(days: FloatArray, at: FloatArray) -> FloatArray:
    """Share without relapse, %, at these days, from days to relapse (inf: none): the product-limit estimate.

    Without censoring before the end it is the empirical share.
    """
    return 100.0 * (1.0 - np.searchsorted(np.sort(days), at + 1e-6) / len(days))


def relapse_rows(record: TrialRecord) -> dict[str, list[Outcome]]:
    """Published shares and medians of relapse by arm, where the rule of relapse is declared."""
    if record.simulate is None or record.simulate.rules.relapse is None:
        return {}
    found: dict[str, list[Outcome]] = {}
    for row in record.answered():
        if row.measure in ("relapse", "relapse_median_days"):
            found.setdefault(row.arm, []).append(row)
    return {arm: rows for arm, rows in found.items() if _patients(record, arm, rows)}


def relapses(
    record: TrialRecord, *, draws: int = 24, patients: int = 128, seed: int = 1, variant: str | None = None
) -> tuple[list[Relapse], list[Ratio]]:
    """Survival without relapse of every arm that publishes it, and hazard ratios."""
    groups = relapse_rows(record)
    if not groups:
        return [], []
    assert record.simulate is not None
    rule = record.simulate.rules.relapse
    assert rule is not None
    days = np.arange(0.0, rule.until_h - rule.from_h + rule.every_h / 2, rule.every_h) / 24
    ratios = [row for row in record.answered() if row.measure == "hazard_ratio"]
    needed = [(record.id, row) for row in (*ratios, *(row for rows in groups.values() for row in rows))]
    laboratory = Laboratory([record], patients, seed, variant, rows=needed)
    chance = streams.generator(seed, "predictive", record.id, "relapse")
    share: dict[str, list[FloatArray]] = {arm: [] for arm in groups}
    repeated: dict[str, list[FloatArray]] = {arm: [] for arm in groups}
    hazards: list[list[float]] = [[] for _ in ratios]
    for one in settings(draws, seed, record.id, variant, RELAPSE_EFFECTS):
        arms = laboratory.run(one.values, one.noise, one.own)[record.id]
        lucky = {name: _WithLuck.of_arm(arm, PATHS * one.number) for name, arm in arms.items()}
        for arm, rows in groups.items():
            kept = lucky[arm].kept(rows[0])
            if kept.sum() < LEAST:
                continue
            times, n = lucky[arm].relapse_times(rule, kept), _patients(record, arm, rows)
            share[arm].append(still_well(times, days))
            for _ in range(TRIALS_A_SETTING):
                repeated[arm].append(still_well(chance.choice(times, n, replace=len(times) < n), days))
        for row, into in zip(ratios, hazards, strict=True):
            value = predict(row, lucky)
            into += [] if value is None else [value]
    made = []
    for arm, rows in groups.items():
        if share[arm]:
            wide = quantiles(np.array(repeated[arm]))
            scatter = np.array([wide["p05"], wide["p95"]])
            number = _patients(record, arm, rows)
            made.append(Relapse(arm, number, days, quantiles(np.array(share[arm])), scatter, tuple(rows)))
    found = [(row, quantiles(np.array(values))) for row, values in zip(ratios, hazards, strict=True) if values]
    return made, [Ratio(row, {name: float(value) for name, value in bands.items()}) for row, bands in found]
