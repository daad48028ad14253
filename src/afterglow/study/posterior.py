"""The calibration: a posterior of the free parameters, from declared rows under declared priors.

    1. a least-squares fit finds the region                                    (`calibrate.fit`)
    2. the model is run at a design of points around it, and every row is emulated  (`emulator`)
    3. emcee samples the posterior of parameters and trial effects on the emulator  (`likelihood`)
    4. steps 2 and 3 are repeated with points drawn from that posterior
    5. the last draws are run through the model itself, weighted by how much the emulator misjudged them, and resampled

The emulator makes the sampler's 10^5 questions cheap; step 5 takes most of its error out of the answer, and
`effective` says how well. emcee
was taken (nautilus and pocoMC were not measured) because a vectorised likelihood on an emulator needs no adaptive
proposal: 96 walkers with differential-evolution moves. How long they take to mix in 29 dimensions was not measured.

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
from afterglow.study.emulator import Emulator
from afterglow.study.likelihood import Rows, log_likelihood
from afterglow.study.surface import STEPS, Surface, of_problem

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """How much work a calibration does."""

    patients: int = 160
    rounds: tuple[int, ...] = (448, 160)  # points of the design, round by round
    draws: int = 280  # of the last posterior, run through the model itself
    keep: int = 240  # draws that are shipped
    steps: int = STEPS  # of each walker


QUICK = Plan(patients=64, rounds=(224, 64), draws=64, keep=64)


@dataclass(frozen=True)
class Posterior:
    """Draws of the free parameters (log ratios to their start) and of the spread between trials.

    Attributes:
        surface: all runs of the model, those of the last draws included.
        emulator: of the fitted rows, as the last draws were taken from it.
        x: [draws, parameters]; tau: [draws, 3] (u, v, e).
        effective: effective number of the draws before resampling.
    """

    surface: Surface
    emulator: Emulator
    x: FloatArray
    tau: FloatArray
    effective: float

    @property
    def fitted_rows(self) -> Rows:
        """The rows that were fitted."""
        return self.surface.rows.only(self.surface.fitted)

    def tau_summary(self) -> dict[str, list[float]]:
        """Median and 90 % interval of the SDs of trial effects."""
        found = np.quantile(self.tau, [0.5, 0.05, 0.95], axis=0).T
        return {name: [round(float(v), 3) for v in row] for name, row in zip("uve", found, strict=True)}


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
    design, y = np.empty((0, len(centre))), np.empty((0, len(problem.rows)))
    x, tau = design, np.empty((0, 3))
    for k, points in enumerate(plan.rounds):
        if k == 0:
            cube = qmc.Sobol(len(centre), scramble=False).random_base2(int(points).bit_length())[1 : points + 1]
            further = centre + 1.5 * ndtri(np.clip(cube, 1e-3, 1 - 1e-3)) @ root.T
        else:
            middle = x.mean(0)
            chosen = streams.generator(seed, "calibrate/round", k).choice(len(x), points, replace=False)
            further = middle + 1.2 * (x[chosen] - middle)
        further = np.clip(further, problem.low, problem.high)
        design, y = np.vstack([design, further]), np.vstack([y, runs(further, f"round {k + 1}")])
        x, tau = of_problem(problem, design, y).posterior(problem.fitted, seed + k, plan.steps)
    emulator = of_problem(problem, design, y).emulator.only(problem.fitted)
    chosen = streams.generator(seed, "calibrate/last").choice(len(x), plan.draws, replace=False)
    x, tau = x[chosen], tau[chosen]
    last = runs(x, "last draws")
    rows = problem.published.only(problem.fitted)
    weight = _correction(rows, last[:, problem.fitted], emulator(x), tau, emulator.error)
    kept = _resampled(weight, plan.keep, streams.generator(seed, "calibrate/resample"))
    surface = of_problem(problem, np.vstack([design, x]), np.vstack([y, last]))
    return Posterior(surface, emulator, x[kept], tau[kept], float(1 / (weight**2).sum()))


def _correction(rows: Rows, model: FloatArray, emulated: FloatArray, tau: FloatArray, error: FloatArray) -> FloatArray:
    """Importance weights of draws from the emulator's posterior; the largest are limited, as is usual.

    Source: Ionides EL (2008) J Comput Graph Stat 17:295 (truncation at sqrt(n) times the mean).
    """
    true = log_likelihood(rows, model, tau).sum(1)
    true = np.where(np.isfinite(true), true, -np.inf)
    stand_in = log_likelihood(rows, emulated, tau, error).sum(1)
    ratio = np.exp(true - stand_in - np.max(true - stand_in))
    ratio = np.minimum(ratio, ratio.mean() * np.sqrt(len(ratio)))
    return ratio / ratio.sum()


def _resampled(weight: FloatArray, count: int, rng: streams.Generator) -> NDArray[np.intp]:
    """Systematic resampling, in random order."""
    places = (rng.random() + np.arange(count)) / count
    return rng.permutation(np.minimum(np.searchsorted(np.cumsum(weight), places), len(weight) - 1))


def tables(posterior: Posterior) -> dict[str, pd.DataFrame]:
    """`posterior` (a row a draw), `identifiability` and `emulator` (how well each fitted row is emulated)."""
    import pandas as pd

    surface, emulator = posterior.surface, posterior.emulator
    start = np.array([f.start for f in surface.free])
    names = [*(f.name for f in surface.free), "tau_u", "tau_v", "tau_e"]
    values = np.hstack([start * np.exp(posterior.x), posterior.tau])
    digits = 10.0 ** (5 - np.floor(np.log10(values)))  # six digits are far below the spread of the draws
    draws = pd.DataFrame(np.round(values * digits) / digits, columns=pd.Index(names))
    rows, listed = posterior.fitted_rows, np.array(surface.listed, object)[surface.fitted]
    emulated = {
        "trial": [r.trial for r in listed],
        "row": [r.row for r in listed],
        "error_over_se": emulator.error / rows.se,
        "explained": emulator.explained,
        "by_u": rows.by_u,
        "by_v": rows.by_v,
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
    for j, f in enumerate(posterior.surface.free):
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
                "tied_to": posterior.surface.free[other].name,
                "correlation": float(correlation[j, other]),
            }
        )
    return found
