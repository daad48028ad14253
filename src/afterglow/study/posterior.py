"""The calibration: a posterior of the free parameters, from declared rows under declared priors.

    1. a least-squares fit finds the region                                    (`calibrate.fit`)
    2. the model is run at a design of points around it, and every row is emulated  (`emulator`)
    3. emcee samples the posterior of parameters and trial effects on the emulator  (`likelihood`)
    4. steps 2 and 3 are repeated with points drawn from that posterior
    5. the last draws are run through the model itself, weighted by how much the emulator misjudged them, and resampled

The emulator makes the sampler's 10^5 questions cheap; step 5 makes sure that nothing of it is left in the answer. emcee
was taken (nautilus and pocoMC were not measured) because a vectorised likelihood on an emulator needs no adaptive
proposal: 96 walkers with differential-evolution moves mix within about 60 steps in 21 dimensions.

Sources: Foreman-Mackey D et al. (2013) PASP 125:306; ter Braak CJF, Vrugt JA (2008) Stat Comput 18:435.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.study.calibrate import Problem
from afterglow.study.emulator import Emulator, emulate
from afterglow.study.likelihood import Rows, log_likelihood

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
TAU_PRIOR = (0.3, 0.4)  # half-normal SDs of tau_u and tau_v, log scale (assumed)
WALKERS, STEPS, BURN, THIN = 96, 4000, 1500, 20
STEP_OWN = 0.2  # half-width of the difference that measures what a trial's own effects do


@dataclass(frozen=True)
class Plan:
    """How much work a calibration does."""

    patients: int = 256
    rounds: tuple[int, ...] = (512, 256)  # points of the design, round by round
    draws: int = 400  # of the last posterior, run through the model itself
    keep: int = 250  # draws that are shipped
    steps: int = STEPS  # of each walker


QUICK = Plan(patients=96, rounds=(256, 96), draws=96, keep=96)


@dataclass(frozen=True)
class Posterior:
    """Draws of the free parameters (log ratios to their start) and of the spread between trials.

    Attributes:
        x: [draws, parameters]; tau: [draws, 2].
        emulator: the last one.
        effective: effective number of the draws before resampling.
    """

    problem: Problem
    rows: Rows
    emulator: Emulator
    x: FloatArray
    tau: FloatArray
    effective: float

    def tau_summary(self) -> dict[str, list[float]]:
        """Median and 90 % interval of the SDs of trial effects."""
        found = np.quantile(self.tau, [0.5, 0.05, 0.95], axis=0).T
        return {name: [round(float(v), 3) for v in row] for name, row in zip(("u", "v"), found, strict=True)}


def sample(
    rows: Rows, emulator: Emulator, problem: Problem, seed: int, steps: int = STEPS
) -> tuple[FloatArray, FloatArray]:
    """Posterior draws on the emulator: x [draws, parameters] and tau [draws, 2].

    Args:
        rows: the rows that speak.
        emulator: of these rows.
        problem: for priors and bounds.
        seed: of the sampler.
        steps: of each walker.
    """
    import emcee

    n = len(problem.free)
    prior = np.array([f.prior_sd for f in problem.free])
    low, high = problem.low, problem.high

    def log_density(points: FloatArray) -> FloatArray:
        x, tau = points[:, :n], np.exp(points[:, n:])
        inside = ((x >= low) & (x <= high)).all(1) & (np.abs(x - emulator.centre) <= 5 * emulator.scale).all(1)
        before = -0.5 * ((x / prior) ** 2).sum(1) - 0.5 * ((tau / TAU_PRIOR) ** 2).sum(1) + points[:, n:].sum(1)
        given = log_likelihood(rows, emulator(x), tau[:, 0], tau[:, 1], emulator.error)
        total = before + given.sum(1)
        return np.where(inside & np.isfinite(total), total, -np.inf)

    rng = streams.generator(seed, "calibrate/sampler")
    start = emulator.centre + 0.5 * emulator.scale * rng.standard_normal((WALKERS, n))
    start = np.clip(start, low + 1e-6, high - 1e-6)
    start = np.hstack([start, rng.normal(-1.5, 0.2, (WALKERS, 2))])
    moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)]
    walk = emcee.EnsembleSampler(WALKERS, n + 2, log_density, vectorize=True, moves=moves)
    walk.random_state = streams.twister_state(seed, "calibrate/moves")
    walk.run_mcmc(start, steps)
    kept = walk.get_chain(discard=min(BURN, steps // 2), thin=THIN, flat=True)
    assert kept is not None
    return kept[:, :n], np.exp(kept[:, n:])


class Evaluations:
    """Runs of the model at points, kept in a file so that a stopped calibration loses none."""

    def __init__(self, problem: Problem, file: Path | None, progress: Callable[[str], None]) -> None:
        self.problem, self.file, self.progress = problem, file, progress
        self.known: dict[str, list[float]] = {}
        text = file.read_text(encoding="utf-8") if file is not None and file.exists() else ""
        if file is not None and text and not text.endswith("\n"):
            with file.open("a", encoding="utf-8") as f:
                f.write("\n")  # the next line must not join one that was cut short
        for line in text.splitlines():
            try:
                one = json.loads(line)
            except ValueError:
                continue  # it was being written when the run stopped
            self.known[one["x"]] = one["y"]

    def __call__(self, points: FloatArray, what: str) -> FloatArray:
        """Predictions [points, rows]."""
        found = []
        for k, x in enumerate(points):
            found.append(self.at(x))
            if (k + 1) % 32 == 0 or k + 1 == len(points):
                self.progress(f"{what}: {k + 1} of {len(points)} points")
        return np.array(found)

    def at(self, x: FloatArray, own: tuple[float, float] = (0.0, 0.0)) -> FloatArray:
        """Predictions [rows] at one point."""
        key = " ".join(float(v).hex() for v in (*x, *own))
        if key not in self.known:
            y = self.problem.predictions(x, own)
            self.known[key] = y.tolist()
            if self.file is not None:
                with self.file.open("a", encoding="utf-8") as f:
                    f.write(json.dumps({"x": key, "y": self.known[key]}) + "\n")
        return np.array(self.known[key])


def trial_rows(problem: Problem, runs: Evaluations, centre: FloatArray) -> Rows:
    """The published rows, and what trial effects do to them at `centre`."""
    names = list(dict.fromkeys(r.trial for r in problem.rows))
    trial = np.array([names.index(r.trial) for r in problem.rows])
    h = STEP_OWN
    by_u = (runs.at(centre, (h, 0.0)) - runs.at(centre, (-h, 0.0))) / (2 * h)
    by_v = (runs.at(centre, (0.0, h)) - runs.at(centre, (0.0, -h))) / (2 * h)
    return Rows(problem.observed, problem.se / problem.weight, trial, by_u, by_v)


def calibrate(
    centre: FloatArray,
    covariance: FloatArray,
    problem: Problem,
    plan: Plan,
    seed: int,
    file: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Posterior:
    """The posterior, from a least-squares fit that says where to look.

    Args:
        centre, covariance: of that fit, log ratios of the free parameters to their start.
        problem: the rows to fit, and the priors.
        plan: how much work.
        seed: of design and sampler.
        file: where the runs of the model are kept, to go on from after a stop.
        progress: called with a line now and then.
    """
    from scipy.special import ndtri
    from scipy.stats import qmc

    runs = Evaluations(problem, file, progress)
    root = np.linalg.cholesky(covariance + 1e-6 * np.eye(len(centre)))
    rows = trial_rows(problem, runs, centre)
    x_all, y_all = [], []
    emulator, x, tau = None, np.empty((0, len(centre))), np.empty((0, 2))
    for k, points in enumerate(plan.rounds):
        if k == 0:
            cube = qmc.Sobol(len(centre), scramble=False).random_base2(int(points).bit_length())[1 : points + 1]
            z = ndtri(np.clip(cube, 1e-3, 1 - 1e-3))
            design = centre + 1.5 * z @ root.T
        else:
            middle = x.mean(0)
            chosen = streams.generator(seed, "calibrate/round", k).choice(len(x), points, replace=False)
            design = middle + 1.2 * (x[chosen] - middle)
        design = np.clip(design, problem.low, problem.high)
        x_all.append(design)
        y_all.append(runs(design, f"round {k + 1}"))
        y = np.vstack(y_all)
        spoken = np.isfinite(y).all(1)  # where the model has no answer for a row, the point is lost
        emulator = emulate(np.vstack(x_all)[spoken], y[spoken])
        x, tau = sample(rows, emulator, problem, seed + k, plan.steps)
    assert emulator is not None
    chosen = streams.generator(seed, "calibrate/last").choice(len(x), plan.draws, replace=False)
    x, tau = x[chosen], tau[chosen]
    predicted = runs(x, "last draws")
    weight = _correction(rows, predicted, emulator(x), tau, emulator.error)
    effective = float(1 / (weight**2).sum())
    kept = _resampled(weight, plan.keep, streams.generator(seed, "calibrate/resample"))
    return Posterior(problem, rows, emulator, x[kept], tau[kept], effective)


def _correction(rows: Rows, model: FloatArray, emulated: FloatArray, tau: FloatArray, error: FloatArray) -> FloatArray:
    """Importance weights of draws from the emulator's posterior; the largest are limited, as is usual.

    Source: Ionides EL (2008) J Comput Graph Stat 17:295 (truncation at sqrt(n) times the mean).
    """
    true = log_likelihood(rows, model, tau[:, 0], tau[:, 1]).sum(1)
    stand_in = log_likelihood(rows, emulated, tau[:, 0], tau[:, 1], error).sum(1)
    ratio = np.exp(true - stand_in - np.max(true - stand_in))
    ratio = np.minimum(ratio, ratio.mean() * np.sqrt(len(ratio)))
    return ratio / ratio.sum()


def _resampled(weight: FloatArray, count: int, rng: streams.Generator) -> NDArray[np.intp]:
    """Systematic resampling, in random order."""
    places = (rng.random() + np.arange(count)) / count
    return rng.permutation(np.minimum(np.searchsorted(np.cumsum(weight), places), len(weight) - 1))


def tables(posterior: Posterior) -> dict[str, pd.DataFrame]:
    """`posterior` (a row a draw), `identifiability` and `emulator` (how well each row is emulated)."""
    import pandas as pd

    problem = posterior.problem
    start = np.array([f.start for f in problem.free])
    draws = pd.DataFrame(start * np.exp(posterior.x), columns=pd.Index([f.name for f in problem.free]))
    draws[["tau_u", "tau_v"]] = posterior.tau
    emulated = {
        "trial": [r.trial for r in problem.rows],
        "row": [r.row for r in problem.rows],
        "error_over_se": posterior.emulator.error / posterior.rows.se,
        "explained": posterior.emulator.explained,
        "by_u": posterior.rows.by_u,
        "by_v": posterior.rows.by_v,
    }
    return {
        "posterior": draws,
        "identifiability": pd.DataFrame(identifiability(posterior)),
        "emulator": pd.DataFrame(emulated),
    }


def identifiability(posterior: Posterior) -> list[dict[str, Any]]:
    """Prior against posterior for each parameter, and the parameter it can least be told apart from."""
    x = posterior.x
    correlation = np.corrcoef(x.T) - np.eye(x.shape[1])
    found = []
    for j, f in enumerate(posterior.problem.free):
        values = f.start * np.exp(x[:, j])
        other = int(np.abs(correlation[j]).argmax())
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95])
        found.append(
            {
                "name": f.name,
                "start": f.start,
                "prior_sd": f.prior_sd,
                "median": float(middle),
                "lo90": float(low),
                "hi90": float(high),
                "posterior_over_prior_sd": float(x[:, j].std() / f.prior_sd),
                "tied_to": posterior.problem.free[other].name,
                "correlation": float(correlation[j, other]),
            }
        )
    return found
