"""The joint distribution of patients.

A Gaussian copula: each patient has correlated standard normal numbers, one a variable; each variable's own distribution
turns its number into a value. So marginals are exactly as declared, whatever the correlations.

| column | meaning | distribution |
|---|---|---|
| AGE | years | normal cut off at `low` and `high`, with the declared mean and SD *after* cutting |
| SEXF | 1 female, 0 male | share |
| WT | body weight, kg | as AGE |
| baseline_madrs | true MADRS at baseline, points; `low` is the entry threshold | as AGE |
| failed_trials | adequate antidepressant trials without response | `low` plus a negative binomial, by mean and SD |
| trd | 1 with two or more failed trials | follows |
| anxiety, ptsd, pain | 1 with a comorbid anxiety disorder or marked anxiety, PTSD, chronic pain | shares |
| benzodiazepine | 1 takes one | share |
| met_carrier | 1 with a Met allele of BDNF Val66Met | share |
| crp, crp_high | mg/L; 1 above 3 mg/L | log-normal |
| inflammation | log CRP in SDs from the population mean | follows |

Correlations are declared between the normal numbers; for shares a higher number means 1. Only `streams` makes chance,
one purpose a variable, so patient i is the same whatever the number drawn, and a new variable moves nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from afterglow import streams
from afterglow.clinic.files import (
    Strict,
    Wrong,
    model_from_data,
    model_from_text,
    read_model,
    shipped_names,
    shipped_text,
)
from afterglow.clinic.quantity import Number
from afterglow.clinic.source import Source
from afterglow.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

# Order matters: later variables are conditioned on earlier ones, so add new ones at the end.
VARIABLES = (
    "AGE",
    "SEXF",
    "WT",
    "baseline_madrs",
    "failed_trials",
    "anxiety",
    "ptsd",
    "pain",
    "benzodiazepine",
    "met_carrier",
    "crp",
)
TRD_FAILED = 2  # failed adequate trials that define treatment resistance
CRP_HIGH = 3.0  # mg/L, usual cut-off of low-grade inflammation
UNITS = {"AGE": "year", "WT": "kg", "baseline_madrs": "point", "crp": "mg/L"}


class Cut(Strict):
    """A normal distribution cut off at both ends, by its mean and SD after cutting."""

    mean: Number
    sd: Number = Field(ge=0)
    low: Number
    high: Number
    source: Source

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Such a distribution exists: flatter than uniform is impossible."""
        if not {"mean", "sd", "low", "high"} <= good.keys():
            return
        mean, sd, low, high = (good[key] for key in ("mean", "sd", "low", "high"))
        if not low < mean < high:
            yield Wrong(f"mean {mean:g} is not between low {low:g} and high {high:g}", "check the three", ("mean",))
        elif sd > 0 and _cut_parameters(mean, sd, low, high) is None:
            yield Wrong(
                f"no cut normal has SD {sd:g} between {low:g} and {high:g}", "widen low and high, or lower sd", ("sd",)
            )

    def values(self, z: FloatArray) -> FloatArray:
        """Values of standard normal numbers."""
        from scipy.special import ndtr, ndtri

        if self.sd == 0:
            return np.full_like(z, self.mean)
        found = _cut_parameters(self.mean, self.sd, self.low, self.high)
        assert found is not None  # checked when the model was read
        centre, spread = found
        below, above = ndtr((self.low - centre) / spread), ndtr((self.high - centre) / spread)
        return np.clip(centre + spread * ndtri(below + ndtr(z) * (above - below)), self.low, self.high)


class Share(Strict):
    """A part of the population."""

    share: Number = Field(ge=0, le=1)
    source: Source

    def values(self, z: FloatArray) -> FloatArray:
        """1 for the highest numbers, 0 for the rest."""
        from scipy.special import ndtri

        return (z > ndtri(1.0 - self.share)).astype(np.float64)


class Count(Strict):
    """A lowest number plus a negative binomial (Poisson when the variance is no larger than its mean)."""

    mean: Number
    sd: Number = Field(ge=0)
    low: int = Field(default=0, ge=0)
    source: Source

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """The mean lies above the lowest number."""
        if good.get("mean", float("inf")) < good.get("low", 0):
            yield Wrong(f"mean {good['mean']:g} is under low {good['low']}", "lower `low`", ("mean",))

    def values(self, z: FloatArray) -> FloatArray:
        """Values of standard normal numbers."""
        from scipy.special import ndtr

        return self.low + np.searchsorted(_count_cumulative(self.mean - self.low, self.sd), ndtr(z)).astype(np.float64)


class LogNormal(Strict):
    """exp of a normal distribution."""

    log_mean: Number
    log_sd: Number = Field(ge=0)
    source: Source

    def values(self, z: FloatArray) -> FloatArray:
        """Values of standard normal numbers."""
        return np.exp(self.log_mean + self.log_sd * z)


class Correlation(Strict):
    """Correlation of the normal numbers of two variables."""

    between: tuple[str, str]
    r: Number = Field(gt=-1, lt=1)
    source: Source

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Both variables exist and differ."""
        between = good.get("between", ())
        for i, name in enumerate(between):
            if name not in VARIABLES:
                yield Wrong(f"there is no variable '{name}'", nearest(name, VARIABLES), ("between", i))
        if len(set(between)) < len(between):
            yield Wrong("a variable with itself", "name two", ("between",))


class Population(Strict):
    """A population file; see the top of this file for its variables."""

    population: str
    title: str
    trd: bool = Field(strict=True, description="treatment-resistant: two or more failed adequate trials")
    age: Cut
    female: Share
    weight: Cut
    madrs: Cut
    failed_trials: Count
    anxiety: Share
    ptsd: Share
    pain: Share
    benzodiazepine: Share
    met_carrier: Share
    crp: LogNormal
    correlations: tuple[Correlation, ...] = ()
    notes: str = ""

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """TRD has its trials, and the correlations belong together."""
        trials = good.get("failed_trials")
        if good.get("trd") and trials is not None and trials.low < TRD_FAILED:
            yield Wrong(
                f"`trd: true` with `low: {trials.low}` failed trials", "write `low: 2`", ("failed_trials", "low")
            )
        correlations = good.get("correlations")
        if correlations and np.linalg.eigvalsh(_matrix(correlations))[0] <= 1e-9:
            yield Wrong("these correlations cannot hold together", "weaken the strongest", ("correlations",))

    def marginals(self) -> dict[str, Cut | Share | Count | LogNormal]:
        """The distribution of each variable, in the order of `VARIABLES`."""
        fields = {"AGE": "age", "SEXF": "female", "WT": "weight", "baseline_madrs": "madrs"}
        return {name: getattr(self, fields.get(name, name)) for name in VARIABLES}

    def draw(self, seed: int, replicate: int, patients: range) -> pd.DataFrame:
        """Patients of these numbers: one row each, indexed by `patient`, columns as at the top of this file.

        Args:
            seed: the run's seed.
            replicate: number of the trial replicate (0 for a single run).
            patients: numbers of the patients, a range with step 1.
        """
        import pandas as pd

        if len(patients) == 0:
            raise InputError(Fault("patients", "0 patients", "ask for at least one"))
        independent = [streams.normal(seed, replicate, patients, f"population/{name}")[:, 0] for name in VARIABLES]
        z = np.column_stack(independent) @ np.linalg.cholesky(_matrix(self.correlations)).T
        columns = {name: one.values(z[:, i]) for i, (name, one) in enumerate(self.marginals().items())}
        table = pd.DataFrame(columns, index=pd.RangeIndex(patients.start, patients.stop, name="patient"))
        return self.derive(table)

    def derive(self, table: pd.DataFrame) -> pd.DataFrame:
        """Add or renew the columns that follow from others: trd, crp_high, inflammation."""
        spread = self.crp.log_sd or 1.0
        return table.assign(
            trd=(table["failed_trials"] >= TRD_FAILED).astype(float),
            crp_high=(table["crp"] > CRP_HIGH).astype(float),
            inflammation=(np.log(table["crp"]) - self.crp.log_mean) / spread,
        )

    def assumed(self) -> list[str]:
        """The assumed numbers of this population, each with its reason."""
        found = [
            f"{name}: {one.source.note}" for name, one in self.marginals().items() if one.source.grade == "assumed"
        ]
        return found + [
            f"correlation {one.between[0]} with {one.between[1]}: {one.source.note}"
            for one in self.correlations
            if one.source.grade == "assumed"
        ]

    def matching(
        self,
        name: str,
        citation: str,
        age: tuple[float, float] | None = None,
        weight: tuple[float, float] | None = None,
        madrs: tuple[float, float] | None = None,
        female: float | None = None,
        entry_madrs: float | None = None,
        failed_trials: tuple[float, float, int] | None = None,
    ) -> Population:
        """This population moved to a paper's table: means and SDs, share of women, entry threshold.

        Bounds are widened where the paper's moments need it (never below 18 years, 30 kg or 0 points).
        """
        source = {"citation": citation, "grade": "page"}
        change: dict[str, Any] = {"population": name, "title": citation}
        for field, moments, floor, top in (("age", age, 18, 100), ("weight", weight, 30, 250), ("madrs", madrs, 0, 60)):
            old: Cut = getattr(self, field)
            low, high = old.low, old.high
            if field == "madrs" and entry_madrs is not None:
                low = entry_madrs
            elif moments is not None:
                low, high = (
                    max(floor, min(low, moments[0] - 3 * moments[1])),
                    min(top, max(high, moments[0] + 3 * moments[1])),
                )
            mean, sd = moments or (old.mean, old.sd)
            data = {"mean": mean, "sd": sd, "low": low, "high": high, "source": source if moments else old.source}
            change[field] = model_from_data(Cut, data, f"{name}.{field}")
        if female is not None:
            change["female"] = model_from_data(Share, {"share": female, "source": source}, f"{name}.female")
        if failed_trials is not None:
            data = dict(zip(("mean", "sd", "low"), failed_trials, strict=True), source=source)
            change["failed_trials"] = model_from_data(Count, data, f"{name}.failed_trials")
            change["trd"] = failed_trials[2] >= TRD_FAILED
        return self.model_copy(update=change)


def _matrix(correlations: tuple[Correlation, ...]) -> FloatArray:
    matrix = np.eye(len(VARIABLES))
    for one in correlations:
        if all(name in VARIABLES for name in one.between):
            i, j = (VARIABLES.index(name) for name in one.between)
            matrix[i, j] = matrix[j, i] = one.r
    return matrix


@cache
def _cut_parameters(mean: float, sd: float, low: float, high: float) -> tuple[float, float] | None:
    """Centre and spread of the normal that has this mean and SD once it is cut off, or None when there is none."""
    from scipy.special import ndtr

    def moments(centre: float, spread: float) -> tuple[float, float]:
        a, b = (low - centre) / spread, (high - centre) / spread
        inside = ndtr(b) - ndtr(a)
        pa, pb = np.exp(-0.5 * a * a) / np.sqrt(2 * np.pi), np.exp(-0.5 * b * b) / np.sqrt(2 * np.pi)
        shift = (pa - pb) / inside
        return centre + spread * shift, spread * np.sqrt(max(1.0 + (a * pa - b * pb) / inside - shift**2, 0.0))

    def miss(x: FloatArray) -> list[float]:
        got = moments(float(x[0]), float(np.exp(x[1])))
        return [(got[0] - mean) / sd, (got[1] - sd) / sd]

    with np.errstate(all="ignore"):
        found = _newton(miss, np.array([mean, np.log(sd)]))
        if not max(map(abs, miss(found))) < 1e-12:  # a hard one; the solver below takes long to load
            from scipy.optimize import root

            found = root(miss, [mean, np.log(sd)], tol=1e-12).x
        good = bool(np.all(np.isfinite(found))) and max(map(abs, miss(found))) < 1e-6
    return (float(found[0]), float(np.exp(found[1]))) if good else None


def _newton(miss: Callable[[FloatArray], list[float]], x: FloatArray) -> FloatArray:
    """A root of two equations near `x`, where Newton's steps lead there; otherwise any place."""
    for _ in range(20):
        slopes = [(np.array(miss(x + shift)) - miss(x - shift)) / 2e-6 for shift in 1e-6 * np.eye(2)]
        if not np.isfinite(slopes).all() or abs(np.linalg.det(slopes)) < 1e-12:
            return x
        step = np.linalg.solve(np.transpose(slopes), miss(x))
        x = x - step
        if np.abs(step).max() < 1e-14 * max(1.0, np.abs(x).max()):
            break
    return x


@cache
def _count_cumulative(mean: float, sd: float) -> FloatArray:
    """Cumulative probabilities of 0, 1, 2, ... of a negative binomial, or of a Poisson for small SDs."""
    if mean <= 0:
        return np.array([1.0])
    probabilities, k = [], 0
    size = mean * mean / (sd * sd - mean) if sd * sd > mean * (1 + 1e-9) else np.inf
    term = np.exp(-mean) if np.isinf(size) else (size / (size + mean)) ** size
    while k < 1000 and (k <= mean or term > 1e-12):
        probabilities.append(term)
        k += 1
        term *= mean / k if np.isinf(size) else (size + k - 1) / k * mean / (size + mean)
    return np.cumsum(probabilities)


def load_population(name_or_path: str | Path = "trd") -> Population:
    """A shipped population by name, or a population file by path."""
    text, known = str(name_or_path), shipped_names("populations")
    if text in known:
        return model_from_text(Population, shipped_text(f"populations/{text}.yaml"), f"{text}.yaml")
    if Path(text).suffix in (".yaml", ".yml") or Path(text).is_file():
        return read_model(Population, text)
    raise InputError(
        Fault("population", f"there is no population '{text}'", nearest(text, known) + " Or name a .yaml file.")
    )
