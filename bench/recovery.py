"""Known parameters found again from simulated trials: the coverage of the calibration's intervals.

    python bench/recovery.py --sets 24 --out docs/validation
    python bench/recovery.py --sets 24 --with-published --out docs/validation

Five to ten seconds a set on one core. Needs `afterglow[fit]`; see docs/rivals.md for what is tested and what is not.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads make them slower, not faster

import argparse
from pathlib import Path

import numpy as np

from afterglow import streams
from afterglow.data.fitted import posterior
from afterglow.study import recovery
from afterglow.study.calibrate import Problem, between_trials
from afterglow.study.surface import Surface, sample, shipped


def truths(surface: Surface, sets: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Draws of the shipped posterior: log ratios of the free numbers, and taus."""
    known = posterior()
    x = np.column_stack([np.log(known[f.name] / f.start) for f in surface.free])
    tau = np.column_stack([known[f"tau_{name}"] for name in "uve"])
    chosen = streams.generator(seed, "recovery/truths").choice(len(x), sets, replace=False)
    return [(x[k], tau[k]) for k in chosen]


def model_of(surface: Surface, patients: int, seed: int):
    """The model itself for the fitted rows of a surface, with virtual patients of its own; NaN where it is silent."""
    problem = Problem(patients, seed)
    wanted = [(r.trial, r.row) for r, fitted in zip(surface.listed, surface.fitted, strict=True) if fitted]

    def model(x: np.ndarray) -> np.ndarray:
        found = dict(zip([(r.trial, r.row) for r in problem.rows], problem.predictions(x), strict=True))
        return np.array([found.get(key, np.nan) for key in wanted])

    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=24, help="made-up data sets")
    parser.add_argument("--patients", type=int, default=192, help="virtual patients an arm")
    parser.add_argument("--steps", type=int, default=2500, help="steps of each walker of the sampler")
    parser.add_argument("--seed", type=int, default=7, help="not that of the calibration")
    parser.add_argument(
        "--with-published",
        action="store_true",
        help="infer from published and made-up rows together (see study/recovery)",
    )
    parser.add_argument("--out", type=Path, default=Path("docs/validation"))
    asked = parser.parse_args()
    surface = shipped()
    rows = surface.rows.only(surface.fitted)

    emulator = surface.emulator.only(surface.fitted)

    def sampler(observed: np.ndarray, seed: int):
        spoken = np.flatnonzero(np.isfinite(observed))
        found, of = rows.seen(observed).only(spoken), emulator.only(spoken)
        if asked.with_published:
            found, of = recovery.beside(rows, found), emulator.only(np.concatenate([np.arange(len(observed)), spoken]))
        return sample(found, of, surface.free, seed, asked.steps)

    table = recovery.recover(
        recovery.Asked.of(surface.free, between_trials()),
        truths(surface, asked.sets, asked.seed),
        model_of(surface, asked.patients, asked.seed),
        rows,
        sampler,
        asked.seed,
        progress=lambda line: print(line, flush=True),
    )
    found = recovery.summary(table)
    ending = "_joint" if asked.with_published else ""
    table.to_csv(asked.out / f"recovery_sets{ending}.csv", index=False, float_format="%.4g")
    found.to_csv(asked.out / f"recovery{ending}.csv", index=False, float_format="%.4g")
    print(found.to_string(index=False, float_format=lambda v: f"{v:.3g}"))
    every = found.iloc[-1]
    print(f"covered: {every.covered:.1%} (95 % interval {every.lo95:.1%} to {every.hi95:.1%}) of 90 %")


if __name__ == "__main__":
    main()
