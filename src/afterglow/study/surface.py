"""Everything that is asked of the posterior once the model has been run: published rows, an emulator of each, priors.

A `Surface` is made by a calibration, fits in a small file, and answers in seconds what would take the model an hour:
the posterior, the posterior without one trial, the posterior of made-up data.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.data import answered_rows
from afterglow.data.fit_schema import FitRow
from afterglow.errors import Fault, InputError
from afterglow.study.calibrate import Free, between_trials, free_parameters, numbers, standard_error
from afterglow.study.emulator import Emulator, emulate
from afterglow.study.likelihood import Rows, log_likelihood

if TYPE_CHECKING:
    from afterglow.study.calibrate import Problem

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
WALKERS, STEPS, BURN, THIN = 96, 4000, 1500, 20
REACH = 5.0  # the emulator is trusted so many SDs of its design around the centre


@dataclass(frozen=True)
class Surface:
    """Runs of the model at points of its free numbers, and what was published.

    Attributes:
        free: the free numbers with their priors.
        listed: the published rows that the model speaks of.
        rows: the same as numbers; `se` is NaN where none is published.
        x: log ratios of the free numbers to their start, [points, parameters].
        y: predicted rows, on the scale on which their errors are symmetric, [points, rows].
    """

    free: list[Free]
    listed: list[FitRow]
    rows: Rows
    x: FloatArray
    y: FloatArray

    @cached_property
    def emulator(self) -> Emulator:
        """Of all rows; points where the model had no answer to a fitted row are left out."""
        spoken = np.isfinite(self.y[:, self.fitted]).all(axis=1)
        y = self.y[spoken]
        known = np.isfinite(y)  # a row for checking may lack an answer here and there
        middle = np.where(known, y, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        return emulate(self.x[spoken], np.where(known, y, middle))

    @cached_property
    def fitted(self) -> BoolArray:
        """Which rows are fitted, [rows]."""
        return np.array([r.role == "fit" for r in self.listed]) & np.isfinite(self.rows.se)

    @cached_property
    def cohort(self) -> NDArray[np.str_]:
        """Cohort of each row: trials of one cohort share patients."""
        return np.array([r.cohort for r in self.listed])

    def posterior(
        self, chosen: BoolArray, seed: int, steps: int = STEPS, observed: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Draws given some of the rows: x [draws, parameters] and tau [draws, 3] (u, v, e).

        Args:
            chosen: the rows that speak, [rows].
            seed: of the sampler.
            steps: of each of `WALKERS` walkers.
            observed: other values than the published ones, [rows].
        """
        rows = self.rows if observed is None else self.rows.seen(observed)
        return sample(rows.only(chosen), self.emulator.only(chosen), self.free, seed, steps)

    # -- file
    def save(self, file: Path) -> None:
        """Write points and predictions with half of the digits: rounding is far below the emulator's error."""
        known = {"x": self.x, "y": self.y, "by_u": self.rows.by_u, "by_v": self.rows.by_v}
        small: dict[str, Any] = {name: values.astype(np.float32) for name, values in known.items()}
        small["names"] = np.array([f.name for f in self.free])
        small["start"] = np.array([f.start for f in self.free])
        small["rows"] = np.array([f"{r.trial} {r.row}" for r in self.listed])
        held = io.BytesIO()
        np.savez_compressed(held, **small)
        file.write_bytes(held.getvalue())

    @classmethod
    def load(cls, file: Path, variant: str | None = None, without: Sequence[str] = ()) -> Surface:
        """Read what `save` wrote, for the rows and priors that are declared now; `without` names trials left out.

        Raises:
            InputError: the file belongs to other free numbers, or lacks a fitted row.
        """
        from afterglow.compiled import compiled

        free = free_parameters(compiled(variant).program.model, variant)
        with np.load(file) as held:
            names, keys = held["names"].tolist(), held["rows"].tolist()
            x, y, by_u, by_v = (held[name].astype(float) for name in ("x", "y", "by_u", "by_v"))
            start = held["start"].astype(float)
        again = "run `afterglow calibrate` again"
        if names != [f.name for f in free] or not np.allclose(start, [f.start for f in free]):
            raise InputError(Fault(file.name, "made for other free numbers or other starts", again))
        asked = [r for r in answered_rows() if r.trial not in without]
        fitted = [r for r in asked if r.role == "fit" and standard_error(r) is not None]
        if lacking := [key for r in fitted if (key := f"{r.trial} {r.row}") not in keys]:
            raise InputError(Fault(file.name, f"lacks the fitted row {lacking[0]}", again))
        spoken = {key for key, some in zip(keys, np.isfinite(y).any(axis=0), strict=True) if some}
        listed = [r for r in asked if f"{r.trial} {r.row}" in spoken]
        column = [keys.index(f"{r.trial} {r.row}") for r in listed]
        return cls(free, listed, numbers(listed, by_u[column], by_v[column]), x, y[:, column])


@cache
def shipped() -> Surface:
    """The surface of the shipped calibration."""
    with as_file(files("afterglow.data").joinpath("fit/surface.npz")) as file:
        return Surface.load(file)


def of_problem(problem: Problem, x: FloatArray, y: FloatArray) -> Surface:
    """The surface of a problem that was run at x [points, parameters] with the result y [points, rows]."""
    return Surface(problem.free, problem.rows, problem.published, x, y)


def sample(
    rows: Rows, emulator: Emulator, free: Sequence[Free], seed: int, steps: int = STEPS
) -> tuple[FloatArray, FloatArray]:
    """Posterior draws on an emulator: x [draws, parameters] and tau [draws, 3].

    Args:
        rows: the rows that speak.
        emulator: of these rows.
        free: priors and bounds.
        seed: of the sampler.
        steps: of each walker.
    """
    import emcee

    n, scale = len(free), np.array(between_trials())
    prior = np.array([f.prior_sd for f in free])
    low, high = np.array([f.log_bounds for f in free]).T

    def log_density(points: FloatArray) -> FloatArray:
        x, tau = points[:, :n], np.exp(points[:, n:])
        inside = ((x >= low) & (x <= high)).all(1) & (np.abs(x - emulator.centre) <= REACH * emulator.scale).all(1)
        before = -0.5 * ((x / prior) ** 2).sum(1) - 0.5 * ((tau / scale) ** 2).sum(1) + points[:, n:].sum(1)
        total = before + log_likelihood(rows, emulator(x), tau, emulator.error).sum(1)
        return np.where(inside & np.isfinite(total), total, -np.inf)

    rng = streams.generator(seed, "calibrate/sampler")
    start = emulator.centre + 0.5 * emulator.scale * rng.standard_normal((WALKERS, n))
    start = np.clip(start, low + 1e-6, high - 1e-6)
    start = np.hstack([start, rng.normal(np.log(scale / 2), 0.2, (WALKERS, 3))])
    moves = [(emcee.moves.DEMove(), 0.8), (emcee.moves.DESnookerMove(), 0.2)]
    walk = emcee.EnsembleSampler(WALKERS, n + 3, log_density, vectorize=True, moves=moves)
    walk.random_state = streams.twister_state(seed, "calibrate/moves")
    walk.run_mcmc(start, steps)
    kept = walk.get_chain(discard=min(BURN, steps // 2), thin=THIN, flat=True)
    assert kept is not None
    return kept[:, :n], np.exp(kept[:, n:])
