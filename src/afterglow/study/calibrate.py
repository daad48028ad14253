"""The first fit: declared free parameters against declared rows of the trial records, all at once.

    afterglow calibrate --patients 256 --seed 1 --out data/fit

Non-linear least squares on log parameters with log-normal priors and a soft limit on the pull of single rows; common
random numbers and integrated noise make the predictions smooth. The standard errors that come out are the curvature at
the optimum, a first approximation; a calibration with a full posterior is a study of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.data import fit_rows, fit_version, read_yaml, trial
from afterglow.data.fit_schema import FitRow
from afterglow.data.outcome_schema import MEASURES
from afterglow.lang import FlatModel
from afterglow.simulate import compiled
from afterglow.study.trials import Laboratory, Noise, Own, predict
from afterglow.systems.variants import VARIANTS

FloatArray = NDArray[np.float64]
PULL = 2.0  # residuals count as squares up to about this many standard errors, then as lines
LEAST_SE = {"response": 3.0, "remission": 3.0, "relapse": 3.0}  # a rate of 0 or 1 % has no useful binomial error, %


@dataclass(frozen=True)
class Free:
    """One free number: where it starts, and how far its prior lets it go (SD of its logarithm)."""

    name: str
    start: float
    prior_sd: float
    bounds: tuple[float, float] = (1e-6, math.inf)


@dataclass(frozen=True)
class Fit:
    """Result of a fit; `x` are log ratios to the start, `covariance` theirs."""

    free: list[Free]
    x: FloatArray
    covariance: FloatArray
    rows: list[FitRow]
    observed: FloatArray
    predicted: FloatArray
    se: FloatArray
    data_loss: float
    prior_loss: float
    evaluations: int
    variant: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)

    def values(self) -> dict[str, float]:
        """Fitted values by name."""
        return {f.name: float(f.start * math.exp(x)) for f, x in zip(self.free, self.x, strict=True)}


def free_parameters(model: FlatModel, variant: str | None = None) -> list[Free]:
    """The declared free numbers, measurement ones under the name "measurement.<name>".

    What a variant fixes is not free, and a variant may declare priors of its own.
    """
    declared = read_yaml("fit/free.yaml")
    own = declared.get("variants", {}).get(variant, {})
    fixed = VARIANTS[variant].values if variant else {}
    found = [
        Free(name, model.params[name].value_, own.get(name, entry)["prior_sd"], model.params[name].bounds)
        for name, entry in declared["parameters"].items()
        if name not in fixed
    ]
    return found + [Free(f"measurement.{n}", e["start"], e["prior_sd"]) for n, e in declared["measurement"].items()]


def noise_of(values: Mapping[str, float]) -> Noise:
    """Measurement parameters among fitted values."""
    rater = read_yaml("fit/free.yaml")["fixed"]["rater_sd"]["value"]
    return Noise(rater, values["measurement.fluctuation_sd"], values["measurement.fluctuation_tau_d"])


def on_scale(row: FitRow, value: float) -> float:
    """A value on the scale on which its error is symmetric: logarithm for ratios."""
    return math.log(max(value, 1e-3)) if MEASURES[row.outcome.measure].logarithmic else value


def standard_error(row: FitRow) -> float | None:
    """Standard error of a row on that scale, with a floor for rates."""
    se = row.outcome.se
    return None if se is None else max(se, LEAST_SE.get(row.outcome.measure, 0.0))


class Problem:
    """The rows to fit as a function of log ratios to the start."""

    def __init__(self, patients: int, seed: int, variant: str | None = None) -> None:
        rows = [r for r in fit_rows() if r.role == "fit" and standard_error(r) is not None]
        names = dict.fromkeys(r.trial for r in rows)
        pairs = [(r.trial, r.outcome) for r in rows]
        self.laboratory = Laboratory([trial(n) for n in names], patients, seed, variant, pairs)
        self.free = free_parameters(compiled(variant).program.model, variant)
        low, high = np.array([f.bounds for f in self.free]).T
        start = np.array([f.start for f in self.free])
        self.low, self.high = np.log(np.maximum(low, 1e-6) / start), np.log(high / start)
        at_start = self._predict(rows, np.zeros(len(self.free)))
        self.rows = [r for r, p in zip(rows, at_start, strict=True) if p is not None]
        self.silent = [r for r in rows if r not in self.rows]
        self.observed = np.array([on_scale(r, r.outcome.value) for r in self.rows])
        self.se = np.array([standard_error(r) or math.nan for r in self.rows])
        self.weight = np.sqrt([r.weight for r in self.rows])
        self.evaluations = 0

    def values(self, x: FloatArray) -> dict[str, float]:
        """Parameter values at `x`."""
        return {f.name: float(f.start * math.exp(v)) for f, v in zip(self.free, x, strict=True)}

    def _predict(self, rows: Sequence[FitRow], x: FloatArray, own: Own = (0.0, 0.0)) -> list[float | None]:
        values = self.values(x)
        typical = {k: v for k, v in values.items() if not k.startswith("measurement.")}
        arms = self.laboratory.run(typical, noise_of(values), own)
        return [predict(r.outcome, arms.get(r.trial, {})) for r in rows]

    def predictions(self, x: FloatArray, own: Own = (0.0, 0.0)) -> FloatArray:
        """Predicted rows at `x`, on the scale of their errors; `own` are the effects that every trial has."""
        self.evaluations += 1
        found = self._predict(self.rows, x, own)
        return np.array([on_scale(r, math.nan if p is None else p) for r, p in zip(self.rows, found, strict=True)])

    def learn(self, j: int, x: FloatArray, moved: FloatArray) -> None:
        """Let the arms remember that parameter j changes nothing in them, so that they are not run again for it."""
        one, other = (
            {k: v for k, v in self.values(at).items() if not k.startswith("measurement.")} for at in (x, moved)
        )
        if self.free[j].name in one:
            for arm in self.laboratory.arms.values():
                arm.learn_inert(self.free[j].name, one, other)

    def residuals(self, x: FloatArray) -> FloatArray:
        """Weighted, limited residuals of the rows, then those of the priors."""
        z = (self.predictions(x) - self.observed) / self.se
        z = np.where(np.isfinite(z), z, 5.0)
        return np.concatenate([self.weight * _limited(z), x / np.array([f.prior_sd for f in self.free])])


def _limited(z: FloatArray) -> FloatArray:
    """A residual whose square grows like z^2 when small and like |z| when large (soft L1)."""
    u = (z / PULL) ** 2
    return np.sign(z) * PULL * np.sqrt(2 * (np.sqrt(1 + u) - 1))


def fit(
    patients: int = 256,
    seed: int = 1,
    variant: str | None = None,
    rounds: int = 12,
    progress: Callable[[str], None] | None = None,
) -> Fit:
    """Fit the declared parameters to the declared rows.

    Args:
        patients: virtual patients an arm.
        seed: seed of the virtual patients.
        variant: a rival mechanism, fitted with the same freedom.
        rounds: most steps of the optimiser; each needs one simulation more than there are parameters.
        progress: called with a line a step.
    """
    problem = Problem(patients, seed, variant)
    x, n = np.zeros(len(problem.free)), len(problem.free)
    r = problem.residuals(x)
    damping, step = 1.0, 0.06
    jacobian = np.empty((len(r), n))
    for k in range(rounds):
        for j in range(n):
            h = step if x[j] + step <= problem.high[j] else -step
            moved = x.copy()
            moved[j] += h
            jacobian[:, j] = (problem.residuals(moved) - r) / h
            if k == 0:
                problem.learn(j, x, moved)
        before = float(r @ r)
        for _ in range(6):
            lhs = jacobian.T @ jacobian + damping * np.eye(n)
            new = np.clip(x - np.linalg.solve(lhs, jacobian.T @ r), problem.low, problem.high)
            tried = problem.residuals(new)
            if float(tried @ tried) < before:
                x, r, damping = new, tried, damping / 4
                break
            damping *= 4
        after = float(r @ r)
        if progress:
            progress(f"step {k + 1}: loss {after:.2f} (before {before:.2f}), {problem.evaluations} evaluations")
        if before - after < 0.05:
            break
    predicted = problem.predictions(x)
    m = len(problem.rows)
    return Fit(
        free=problem.free,
        x=x,
        covariance=np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64),
        rows=problem.rows,
        observed=problem.observed,
        predicted=predicted,
        se=problem.se,
        data_loss=float(r[:m] @ r[:m]),
        prior_loss=float(r[m:] @ r[m:]),
        evaluations=problem.evaluations,
        variant=variant,
        settings={"patients": patients, "seed": seed, "rounds": rounds, "rows_version": fit_version()},
    )


def as_record(result: Fit, command: str) -> dict[str, Any]:
    """The fit as plain data, for `data/fit/first_fit.yaml`."""
    from importlib.metadata import version

    sd = np.sqrt(np.diag(result.covariance))
    entry = {
        f.name: {
            "value": float(f"{v:.5g}"),
            "start": float(f"{f.start:.5g}"),
            "prior_sd": f.prior_sd,
            "posterior_sd": round(float(s), 4),
        }
        for f, v, s in zip(result.free, result.values().values(), sd, strict=True)
    }
    head = "measurement."
    return {
        "command": command,
        "version": version("afterglow"),
        **result.settings,
        "rows": len(result.rows),
        "data_loss": round(result.data_loss, 2),
        "prior_loss": round(result.prior_loss, 2),
        "evaluations": result.evaluations,
        "parameters": {k: v for k, v in entry.items() if not k.startswith(head)},
        "measurement": {k.removeprefix(head): v for k, v in entry.items() if k.startswith(head)},
        "covariance_of": [f.name for f in result.free],
        "covariance": [[float(f"{c:.4g}") for c in row] for row in result.covariance],
    }
