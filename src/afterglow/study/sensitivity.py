"""Which numbers the outcomes hang on: what is uncertain in the model, and what differs between people.

    result = study(FULL, patients=64, seed=1)

Every input is a point in (0, 1): `Input.values` turns it into a value by the quantiles of its spread; the methods of
`study.indices` see nothing else. Each set of values meets the same virtual patients with the same luck; noise of
measurement is integrated, or drawn from the same numbers. So what differs is due to the inputs alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from afterglow.clinic import outcome, scale
from afterglow.clinic.course import load_course
from afterglow.clinic.population import VARIABLES, load_population
from afterglow.clinic.visits import FIRST_DAY
from afterglow.data.fitted import measurement
from afterglow.simulate import Arm, CourseRun
from afterglow.study.columns import column
from afterglow.study.draws import HEAD, split_draws
from afterglow.study.indices import HIGH, LOW, FloatArray, Run, indices, screen, swings
from afterglow.study.published import Noise
from afterglow.study.tables import RELAPSE_RULE
from afterglow.study.uncertain import FURTHEST, Input, inputs

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str, float], None]

BLOCK = 32  # sets of values that are simulated together

COURSE, DAY_1_H, DAY_28_H = "iv-induction", 24.0, 672.0
RISK_FROM_H, RISK_WEEKS, WEEK_H = 336.0, 12, 168.0  # relapse is looked for weekly from day 14 on
PEAK_H = tuple(t for t in FIRST_DAY if t <= 4.0)
COVARIATES = ("AGE", "SEXF", "WT", "baseline_madrs", "failed_trials", "met_carrier", "crp")
FIT = "the fit"  # all fitted numbers, varied together
PATHS = 8  # noise paths a patient, for relapse


@dataclass(frozen=True)
class Outcome:
    """What is read from a run: name, what it is, unit."""

    name: str
    meaning: str
    unit: str


OUTCOMES = (
    Outcome("day1_change", "change of MADRS a day after the first infusion", "points"),
    Outcome("remission_28d", "in remission on day 28, after six infusions", "%"),
    Outcome("relapse_days", "mean days to relapse after six infusions, of 84, in those who had responded", "d"),
    Outcome("cadss_peak", "highest CADSS in the first session, mean of the patients", "points"),
)
NAMES = tuple(one.name for one in OUTCOMES)


@dataclass(frozen=True)
class Plan:
    """How much work it is: trajectories of Morris, base samples (powers of 2), draws of the fit, inputs chosen."""

    trajectories: int = 12
    base: int = 256
    system_base: int = 128
    people_base: int = 128
    draws: int = 256
    chosen: int = 16


FULL = Plan()
QUICK = Plan(trajectories=4, base=32, system_base=16, people_base=16, draws=64)


# ------------------------------------------------------------------------------------------------ what is read


class Clinic:
    """Six infusions in the same virtual patients, at any values of the inputs.

    Until the second infusion (day 3) they are one: day 1 and the first session are those of `iv-single` too.
    """

    def __init__(self, patients: int, seed: int, tell: Tell | None = None) -> None:
        """`patients` > 0 are simulated at each set of values; `tell` is called with a stage and the share done."""
        self.patients, self.seed, self.stage, self._tell = patients, seed, "starting", tell
        self.risk_h = RISK_FROM_H + WEEK_H * np.arange(RISK_WEEKS + 1)
        self.visits_h = np.union1d([0.0, DAY_1_H, DAY_28_H], self.risk_h)
        self.weeks = float(self.visits_h[-1] / WEEK_H)
        self.course, self.usual = load_course(COURSE), Noise(**measurement())
        self.population = load_population()
        self.people = self.population.draw(seed, 0, range(patients))
        self.arm = self._arm(None)

    def _arm(self, people: pd.DataFrame | None) -> Arm:
        return Arm(
            self.course, patients=self.patients, weeks=self.weeks, seed=self.seed, population=people,
            outputs=("mood.madrs", "acute_effects.cadss"), visits_h=self.visits_h.tolist(), extra_h=PEAK_H, rtol=1e-4,
        )  # fmt: skip

    def tell(self, done: int, of: int) -> None:
        """Say how far the present stage is."""
        if self._tell is not None:
            self._tell(self.stage, done / of)

    def outcomes(self, sets: Sequence[Mapping[str, float]]) -> FloatArray:
        """Outcomes [sets, outcomes] at these values by full name; what is not named keeps its typical value."""
        found = []
        for start in range(0, len(sets), BLOCK):
            block = sets[start : start + BLOCK]
            typical = [{k: v for k, v in one.items() if not k.startswith(HEAD)} for one in block]
            noises = [{k.removeprefix(HEAD): v for k, v in one.items() if k.startswith(HEAD)} for one in block]
            runs = self.arm.run_each(typical)
            found += [self.read(run, replace(self.usual, **noise)) for run, noise in zip(runs, noises, strict=True)]
            self.tell(start + len(block), len(sets))
        return np.array(found)

    def run(self, moved: Sequence[Input], draws: Sequence[Mapping[str, float]] = ()) -> Run:
        """The outcomes as a function of points of these inputs; with `draws` the last column picks one of them.

        A draw is a set of values that belong together, by full name; they go before those of the inputs.
        """

        def at(points: FloatArray) -> FloatArray:
            columns = [one.values(points[:, j]) for j, one in enumerate(moved)]
            sets = [
                {name: float(values[i]) for one, values in zip(moved, columns, strict=True) for name in one.parameters}
                for i in range(len(points))
            ]
            if draws:
                places = np.minimum((points[:, -1] * len(draws)).astype(int), len(draws) - 1)
                sets = [one | draws[place] for one, place in zip(sets, places, strict=True)]
            return self.outcomes(sets)

        return at

    def run_people(self, moved: Sequence[str]) -> Run:
        """The outcomes as a function of points of these covariates, which then are the same for all patients.

        Points are of independent numbers, each variable given those before it in the population's order; so what comes
        with sex (weight) counts as sex.
        """

        def at(points: FloatArray) -> FloatArray:
            tables = self.covariates(moved, points)
            found = []
            for i in range(len(points)):
                people = self.population.derive(self.people.assign(**{n: v[i] for n, v in tables.items()}))
                found.append(self.read(self._arm(people).run(), self.usual))
                self.tell(i + 1, len(points))
            return np.array(found)

        return at

    def covariates(self, moved: Sequence[str], points: FloatArray) -> dict[str, FloatArray]:
        """Values of these covariates at points [sets, covariates], by name."""
        order = sorted(moved, key=VARIABLES.index)
        correlation = np.eye(len(order))
        for one in self.population.correlations:
            if set(one.between) <= set(order):
                i, j = map(order.index, one.between)
                correlation[i, j] = correlation[j, i] = one.r
        alone = ndtri(np.clip(points[:, [moved.index(name) for name in order]], 1 - FURTHEST, FURTHEST))
        z = alone @ np.linalg.cholesky(correlation).T
        return {name: self.population.marginals()[name].values(z[:, j]) for j, name in enumerate(order)}

    def read(self, run: CourseRun, noise: Noise) -> list[float]:
        """The outcomes of one run, in the order of `OUTCOMES`; NaN where there is nobody to ask.

        Remission is integrated over the noise; relapse is read from `PATHS` noise paths a patient, always the same.
        """
        madrs = np.where((run.status == 0)[:, None], run.true["MADRS"], np.nan)
        at = np.searchsorted(run.visit_h, [0.0, DAY_1_H, DAY_28_H])
        start, day_1, day_28 = madrs[:, at].T
        cut = scale.remission_cut("MADRS") + 0.5
        remitted = ndtr((cut - day_28) / noise.visit(DAY_28_H, day_28))
        first = (run.time_h >= 0) & (run.time_h <= PEAK_H[-1] + 1e-6)
        felt = np.asarray(run.values["acute_effects.cadss"][:, first], np.float64).max(axis=1)
        cadss = np.where(run.status == 0, felt, np.nan)
        return [
            _mean(day_1 - start),
            100 * _mean(remitted),
            self._relapse_days(madrs, run.visit_h, noise),
            _mean(cadss),
        ]

    def _relapse_days(self, madrs: FloatArray, visit_h: FloatArray, noise: Noise) -> float:
        """Restricted mean days from day 14 to relapse, of those in response then, by the product's rule."""
        chosen = np.isin(visit_h, [0.0, *self.risk_h])
        true = np.tile(madrs[:, chosen], (PATHS, 1))
        scores = scale.measure(true, visit_h[chosen], range(len(true)), self.seed, **asdict(noise))
        found = outcome.relapse(scores, scores[:, 0], visit_h[chosen], RELAPSE_RULE, start_h=RISK_FROM_H)
        return _mean(found.time_h) / 24


def _mean(values: FloatArray) -> float:
    """Mean of what is finite; NaN for nothing."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else math.nan


# ------------------------------------------------------------------------------------------------ the whole


@dataclass(frozen=True)
class Result:
    """The tables, and what they leave out.

    Attributes:
        tables: `tornado`, `morris`, `sobol`, `systems`, `ranges`.
        inert: names of the inputs that move none of the outcomes.
        chosen: names of the inputs in the Sobol analysis.
    """

    tables: dict[str, pd.DataFrame]
    inert: tuple[str, ...]
    chosen: tuple[str, ...]


def study(plan: Plan, patients: int, seed: int, tell: Tell | None = None) -> Result:
    """Both questions: which uncertain numbers move the outcomes ("numbers"), and which covariates ("people").

    Args:
        plan: how much work it is.
        patients: virtual patients behind each outcome, > 0.
        seed: of the patients and of all samples.
        tell: called with a stage and the share of it that is done.
    """
    import pandas as pd

    clinic, known = Clinic(patients, seed, tell), inputs()
    clinic.stage = "one number at a time"
    typical, ends = swings(clinic.run(known), len(known))
    moves = (ends != typical).any(axis=(0, 2))
    live = [one for one, moved in zip(known, moves, strict=True) if moved]
    clinic.stage = "Morris screening"
    names = [one.name for one in live]
    morris = screen(clinic.run(live), names, NAMES, plan.trajectories, seed)
    chosen = leading(morris, plan.chosen)
    clinic.stage = "Sobol indices"
    few = [one for one in live if one.name in chosen]
    sobol, of_few = indices(clinic.run(few), [one.name for one in few], NAMES, plan.base, seed)
    clinic.stage = "Sobol indices of systems"
    draws = _draws(plan.draws, seed)
    rest = [one for one in live if not draws or not set(one.parameters) & set(draws[0])]
    fit = [FIT] if draws else []
    kinds = [one.system for one in rest] + fit
    everything = clinic.run(rest, draws)
    systems, of_all = indices(everything, [one.name for one in rest] + fit, NAMES, plan.system_base, seed, kinds)
    clinic.stage = "draws of the fit"
    of_fit = clinic.outcomes(draws or [{}])
    clinic.stage = "covariates"
    people = list(COVARIATES)
    by_person, _ = indices(clinic.run_people(people), people, NAMES, plan.people_base, seed)
    middle, apart = swings(clinic.run_people(people), len(people))
    samples = {FIT: of_fit, "all": of_all, "chosen, independent": of_few}
    person = _tornado("people", _people_rows(clinic), middle, apart)
    tables = {
        "tornado": pd.concat([_tornado("numbers", _number_rows(live), typical, ends[:, moves]), person]),
        "morris": morris.merge(_number_rows(live)[["input", "system", "ground"]], on="input", validate="many_to_one"),
        "sobol": pd.concat([table.assign(question=q) for q, table in (("numbers", sobol), ("people", by_person))]),
        "systems": systems.rename(columns={"input": "system"}),
        "ranges": _ranges(typical, samples),
    }
    inert = tuple(one.name for one, moved in zip(known, moves, strict=True) if not moved)
    return Result({name: table.reset_index(drop=True) for name, table in tables.items()}, inert, chosen)


def leading(morris: pd.DataFrame, count: int) -> tuple[str, ...]:
    """The first inputs of every outcome in turn, by place; at one place, those with more of its effects."""
    best: dict[str, tuple[int, float]] = {}
    for _, rows in morris.groupby("outcome"):
        effects = rows["mu_star"].to_numpy(np.float64)
        shares = effects / (effects.sum() or 1.0)
        place = np.argsort(np.argsort(-shares, kind="stable"))
        for name, found in zip(rows["input"], zip(place.tolist(), (-shares).tolist(), strict=True), strict=True):
            best[name] = min(best.get(name, found), found)
    return tuple(sorted(best, key=lambda name: (best[name], name))[:count])


def _draws(count: int, seed: int) -> list[dict[str, float]]:
    """Draws of the fit, the noise of measurement included: what the data say of the fitted numbers together."""
    return [values | {HEAD + k: v for k, v in noise.items()} for values, noise in split_draws(count, seed)]


def _ranges(typical: FloatArray, samples: Mapping[str, FloatArray]) -> pd.DataFrame:
    """Mean, SD and 90 % range of each outcome, by what varies."""
    import pandas as pd

    rows = []
    for j, one in enumerate(OUTCOMES):
        for what, sample in samples.items():
            values = sample[np.isfinite(sample[:, j]), j]
            low, high = np.quantile(values, [LOW, HIGH]) if len(values) else (math.nan, math.nan)
            row = {"outcome": one.name, "unit": one.unit, "varied": what, "n": len(values), "typical": typical[j]}
            rows.append(row | {"mean": _mean(values), "sd": float(np.std(values)), "lo90": low, "hi90": high})
    return pd.DataFrame(rows)


def _number_rows(live: Sequence[Input]) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for one in live:
        low, high = one.values(np.array([LOW, HIGH])).tolist()
        row = {"input": one.name, "system": one.system, "ground": one.ground, "unit": one.unit}
        rows.append(row | {"low": low, "typical": one.typical, "high": high, "meaning": one.meaning})
    return pd.DataFrame(rows)


def _people_rows(clinic: Clinic) -> pd.DataFrame:
    import pandas as pd

    names, rows = list(COVARIATES), []
    for j, name in enumerate(names):
        points = np.full((3, len(names)), 0.5)
        points[:, j] = LOW, 0.5, HIGH
        low, typical, high = clinic.covariates(names, points)[name].tolist()
        unit, meaning = column(name)
        row = {"input": name, "system": "population", "ground": "population", "unit": unit}
        rows.append(row | {"low": low, "typical": typical, "high": high, "meaning": meaning})
    return pd.DataFrame(rows)


def _tornado(question: str, rows: pd.DataFrame, typical: FloatArray, ends: FloatArray) -> pd.DataFrame:
    """What each outcome is with one input at its 5 % and at its 95 % value; the largest swing first."""
    import pandas as pd

    parts = []
    for j, one in enumerate(OUTCOMES):
        low, high = ends[0, :, j], ends[1, :, j]
        found = {"at_low": low, "at_typical": typical[j], "at_high": high, "swing": np.abs(high - low)}
        table = rows.assign(question=question, outcome=one.name, outcome_unit=one.unit, **found)
        parts.append(table.sort_values(["swing", "input"], ascending=[False, True]))
    return pd.concat(parts)
