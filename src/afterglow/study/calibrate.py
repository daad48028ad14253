"""Declared free parameters against declared rows of the trial records by least squares: where the posterior begins.

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

from afterglow.compiled import OMEGA, compiled
from afterglow.data import answered_rows, fit_version, read_yaml, trial
from afterglow.data.fit_schema import FitRow
from afterglow.data.fitted import MEASUREMENT
from afterglow.data.outcome_schema import MEASURES
from afterglow.lang import FlatModel
from afterglow.study.likelihood import Rows
from afterglow.study.published import Noise, predict
from afterglow.study.trials import Laboratory, Own
from afterglow.systems.variants import VARIANTS

FloatArray = NDArray[np.float64]
PULL = 2.0  # residuals count as squares up to about this many standard errors, then as lines
LAYERS: tuple[str, ...] = ("noise", "course", "expectancy", "drug", "setting", "therapy", "relapse")
LAYER_ROUNDS = 3
STEP_OWN = 0.2  # half-width of the difference that measures what a trial's own effects do
LEAST_SE = {"response": 3.0, "remission": 3.0, "relapse": 3.0}  # a rate of 0 or 1 % has no useful binomial error, %


@dataclass(frozen=True)
class Free:
    """One free number: where it starts, and how far its prior lets it go (SD of its logarithm)."""

    name: str
    start: float
    prior_sd: float
    bounds: tuple[float, float] = (1e-6, math.inf)
    layer: str = ""

    @property
    def log_bounds(self) -> tuple[float, float]:
        """Bounds of the log ratio to the start."""
        low, high = self.bounds
        return math.log(max(low, 1e-6) / self.start), math.log(high / self.start) if high < math.inf else math.inf


@dataclass(frozen=True)
class Fit:
    """Result of a fit; `x` are log ratios to the start, `covariance` theirs, `layered` those before the joint fit."""

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
    layered: FloatArray
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
    found = []
    for name, entry in declared["parameters"].items():
        if name not in fixed:
            p = model.params[name]
            found.append(Free(name, p.value_, own.get(name, entry)["prior_sd"], p.bounds, entry["layer"]))
    for name, entry in declared["omega"].items():
        spread = model.params[name].spread
        if spread is not None and name not in fixed:
            found.append(Free(OMEGA + name, spread.size, entry["prior_sd"], layer=entry["layer"]))
    for name, entry in declared["measurement"].items():
        found.append(Free(f"{MEASUREMENT}{name}", entry["start"], entry["prior_sd"], layer=entry["layer"]))
    return found


def between_trials() -> tuple[float, float, float]:
    """Prior SDs of the spreads of trial effects u, v and e."""
    declared = read_yaml("fit/free.yaml")["between_trials"]
    return declared["u"]["prior_sd"], declared["v"]["prior_sd"], declared["e"]["prior_sd"]


def noise_of(values: Mapping[str, float]) -> Noise:
    """Measurement parameters among fitted values."""
    head = MEASUREMENT
    held = {name: entry["value"] for name, entry in read_yaml("fit/free.yaml")["fixed"].items()}
    return Noise(**held, **{name.removeprefix(head): v for name, v in values.items() if name.startswith(head)})


def on_scale(row: FitRow, value: float) -> float:
    """A value on the scale on which its error is symmetric: logarithm for ratios."""
    return math.log(max(value, 1e-3)) if MEASURES[row.outcome.measure].logarithmic else value


def standard_error(row: FitRow) -> float | None:
    """Standard error of a row on that scale, with a floor for rates."""
    se = row.outcome.se
    return None if se is None else max(se, LEAST_SE.get(row.outcome.measure, 0.0))


def numbers(rows: Sequence[FitRow], by_u: FloatArray, by_v: FloatArray) -> Rows:
    """Published rows as numbers, with the change of each per unit of its trial's effects, [rows]."""
    names = list(dict.fromkeys(r.trial for r in rows))
    return Rows(
        observed=np.array([on_scale(r, r.outcome.value) for r in rows]),
        se=np.array([standard_error(r) or math.nan for r in rows]) / np.sqrt([r.weight for r in rows]),
        trial=np.array([names.index(r.trial) for r in rows]),
        by_u=np.nan_to_num(by_u),  # no answer at one side: nothing is known of what an effect does
        by_v=np.nan_to_num(by_v),
    )


class Problem:
    """Published rows as a function of log ratios of the free numbers to their start.

    Attributes:
        rows: those that the model speaks of; `silent` are the others.
        fitted: which of them are fitted, [rows].
        published: observed values, standard errors and what trial effects do to each row.
    """

    def __init__(
        self,
        patients: int,
        seed: int,
        variant: str | None = None,
        *,
        everything: bool = False,
        without: Sequence[str] = (),
    ) -> None:
        """The rows to fit, or with `everything` all published rows of simulated trials, fitted ones first.

        `without` names trials that are left out altogether, such as long ones where time is short.
        """
        rows = [r for r in answered_rows() if (r.role == "fit" and standard_error(r) is not None) or everything]
        rows = [r for r in rows if r.trial not in without]
        names = dict.fromkeys(r.trial for r in rows)
        pairs = [(r.trial, r.outcome) for r in rows]
        self.laboratory = Laboratory([trial(n) for n in names], patients, seed, variant, pairs)
        self.free = free_parameters(compiled(variant).program.model, variant)
        self.low, self.high = np.array([f.log_bounds for f in self.free]).T
        self.prior = np.array([f.prior_sd for f in self.free])
        at_start = self._predict(rows, np.zeros(len(self.free)))
        self.rows = [r for r, p in zip(rows, at_start, strict=True) if p is not None]
        self.silent = [r for r in rows if r not in self.rows]
        self.fitted = np.array([r.role == "fit" and standard_error(r) is not None for r in self.rows])
        self.evaluations = 0
        self.published = self._published()

    def _published(self) -> Rows:
        """What was published, and what trial effects do to it at the start."""
        h, x = STEP_OWN, np.zeros(len(self.free))
        by_u, by_v = (
            (self.predictions(x, plus) - self.predictions(x, minus)) / (2 * h)
            for plus, minus in (((h, 0.0), (-h, 0.0)), ((0.0, h), (0.0, -h)))
        )
        return numbers(self.rows, by_u, by_v)

    def values(self, x: FloatArray) -> dict[str, float]:
        """Parameter values at `x`."""
        return {f.name: float(f.start * math.exp(v)) for f, v in zip(self.free, x, strict=True)}

    def _predict(self, rows: Sequence[FitRow], x: FloatArray, own: Own = (0.0, 0.0)) -> list[float | None]:
        values = self.values(x)
        typical = {k: v for k, v in values.items() if not k.startswith(MEASUREMENT)}
        arms = self.laboratory.run(typical, noise_of(values), own, {r.trial for r in rows})
        return [predict(r.outcome, arms.get(r.trial, {})) for r in rows]

    def predictions(self, x: FloatArray, own: Own = (0.0, 0.0), rows: Sequence[FitRow] | None = None) -> FloatArray:
        """Predicted rows at `x`, on the scale of their errors; `own` are the effects that every trial has.

        All rows, or only the given ones; trials without such a row are not run.
        """
        self.evaluations += 1
        rows = self.rows if rows is None else rows
        found = self._predict(rows, x, own)
        return np.array([on_scale(r, math.nan if p is None else p) for r, p in zip(rows, found, strict=True)])

    def learn(self, j: int, x: FloatArray, moved: FloatArray) -> None:
        """Let the arms remember that parameter j changes nothing in them, so that they are not run again for it."""
        one, other = ({k: v for k, v in self.values(at).items() if not k.startswith(MEASUREMENT)} for at in (x, moved))
        if self.free[j].name in one:
            for arm in self.laboratory.arms.values():
                arm.learn_inert(self.free[j].name, one, other)

    def residuals(self, x: FloatArray, layer: str | None = None) -> FloatArray:
        """Residuals of the fitted rows in units of their spread, limited, then those of the priors.

        Trial effects of their declared size count as noise here; they are sampled by `posterior`. With `layer`, only
        the rows of this layer.
        """
        at = [i for i, r in enumerate(self.rows) if self.fitted[i] and layer in (None, r.layer)]
        some = self.published.only(np.array(at, dtype=np.intp))
        miss = self.predictions(x, rows=[self.rows[i] for i in at]) - some.observed
        miss = np.where(np.isfinite(miss), miss, 5.0 * some.se)
        root = np.linalg.cholesky(some.covariance(np.array(between_trials())))
        spread = np.asarray(np.linalg.solve(root, miss), dtype=np.float64)
        return np.concatenate([_limited(spread), x / self.prior])


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
    without: Sequence[str] = (),
) -> Fit:
    """Fit the declared parameters to the declared rows: layer by layer, each held for the next, then all at once.

    Layers keep unblinding from taking the drug's place before control arms have spoken.

    Args:
        patients: virtual patients an arm.
        seed: seed of the virtual patients.
        variant: a rival mechanism, fitted with the same freedom.
        rounds: most steps of the optimiser; each needs one simulation more than there are parameters.
        progress: called with a line a step.
        without: trials that are left out.
    """
    problem = Problem(patients, seed, variant, without=without)
    x = np.zeros(len(problem.free))
    for layer in LAYERS:
        x, _, _ = _descend(problem, x, layer, LAYER_ROUNDS, progress)
    layered = x
    x, r, jacobian = _descend(problem, x, None, rounds, progress)
    predicted = problem.predictions(x)
    m = int(problem.fitted.sum())
    return Fit(
        free=problem.free,
        x=x,
        covariance=np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64),
        rows=problem.rows,
        observed=problem.published.observed,
        predicted=predicted,
        se=problem.published.se,
        data_loss=float(r[:m] @ r[:m]),
        prior_loss=float(r[m:] @ r[m:]),
        evaluations=problem.evaluations,
        layered=layered,
        variant=variant,
        settings={"patients": patients, "seed": seed, "rounds": rounds, "rows_version": fit_version()},
    )


def _descend(
    problem: Problem, x: FloatArray, layer: str | None, rounds: int, progress: Callable[[str], None] | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Levenberg-Marquardt steps in the numbers of a layer (or all) on its rows: x, residuals, Jacobian there."""
    active = [j for j, f in enumerate(problem.free) if layer in (None, f.layer)]
    r = problem.residuals(x, layer)
    jacobian = np.zeros((len(r), len(active)))
    damping, step = 1.0, 0.06
    for k in range(rounds if active and len(r) > len(x) else 0):
        for i, j in enumerate(active):
            h = step if x[j] + step <= problem.high[j] else -step
            moved = x.copy()
            moved[j] += h
            jacobian[:, i] = (problem.residuals(moved, layer) - r) / h
            if k == 0:
                problem.learn(j, x, moved)
        before = float(r @ r)
        for _ in range(6):
            lhs = jacobian.T @ jacobian + damping * np.eye(len(active))
            new = x.copy()
            new[active] -= np.linalg.solve(lhs, jacobian.T @ r)
            new = np.clip(new, problem.low, problem.high)
            tried = problem.residuals(new, layer)
            if float(tried @ tried) < before:
                x, r, damping = new, tried, damping / 4
                break
            damping *= 4
        after = float(r @ r)
        if progress:
            what = f"{layer or 'all'}, step {k + 1}"
            progress(f"{what}: loss {after:.2f} (before {before:.2f}), {problem.evaluations} evaluations")
        if before - after < 0.05:
            break
    return x, r, jacobian


def as_record(result: Fit, command: str) -> dict[str, Any]:
    """The least-squares fit as plain data: where the posterior begins."""
    from importlib.metadata import version

    sd = np.sqrt(np.diag(result.covariance))
    entry = {
        f.name: {
            "value": float(f"{v:.5g}"),
            "start": float(f"{f.start:.5g}"),
            "prior_sd": f.prior_sd,
            "sd": round(float(s), 4),
            "after_layers": float(f"{f.start * math.exp(layered):.5g}"),
        }
        for f, v, s, layered in zip(result.free, result.values().values(), sd, result.layered, strict=True)
    }
    head = MEASUREMENT
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
