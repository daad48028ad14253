"""The calibration as a command: least squares, then the posterior, with everything kept that a stop would lose."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.errors import Fault, InputError
from afterglow.interfaces import output, unfinished
from afterglow.study import calibrate as least_squares
from afterglow.study import posterior as study

if TYPE_CHECKING:
    import pandas as pd


def run(
    out: Path,
    command: str,
    *,
    patients: int,
    seed: int,
    rounds: int,
    variant: str | None,
    quick: bool,
    force: bool,
    resume: bool,
    progress: Callable[[str], None],
) -> dict[str, pd.DataFrame]:
    """Fit, sample, write the result folder; returns its tables.

    Raises:
        InputError: the place is taken, or the interrupted run there is another one.
    """
    if find_spec("emcee") is None:
        raise InputError(Fault("calibrate", "the sampler emcee is not installed", "pip install 'afterglow[fit]'"))
    plan = study.QUICK if quick else replace(study.Plan(), patients=patients)
    asked = {"patients": plan.patients, "seed": seed, "rounds": rounds, "variant": variant, "quick": quick}
    settings = {**asked, "rows_version": least_squares.fit_version(), "model_sha256": output.model_hash()}
    if found := unfinished.faults(out, settings, force=force, resume=resume):
        raise InputError(found)
    work = unfinished.begin(out, settings, resume=resume)
    first = _start(work / "start.json", command, plan.patients, seed, variant, rounds, progress)
    problem = least_squares.Problem(plan.patients, seed, variant, everything=True)
    posterior = study.calibrate(
        np.array(first["x"]), np.array(first["covariance"]), problem, plan, seed, work / "runs.jsonl", progress
    )
    tables = study.tables(posterior)
    with output.new_folder(out, force=force) as folder:
        output.write_tables(folder, tables)
        output.write_yaml(folder / "fit.yaml", first["record"])
        posterior.surface.save(folder / "surface.npz")
        spoken = {"effective_draws": round(posterior.effective, 1), "tau": posterior.tau_summary()}
        output.write_yaml(folder / "posterior.yaml", record(posterior, command, settings))
        output.write_manifest(folder, command, settings, [], **spoken)
    shutil.rmtree(work)
    return tables


def record(posterior: study.Posterior, command: str, settings: dict[str, Any]) -> dict[str, Any]:
    """How a posterior was made, to be shipped beside its draws."""
    return {
        "command": command,
        "version": output.package_version(),
        "libraries": output.library_versions(),
        **settings,
        "rows": int(posterior.surface.fitted.sum()),
        "draws": len(posterior.x),
        "effective_draws": round(posterior.effective, 1),
        "emulator_error": {
            name: round(float(np.quantile(posterior.emulator.error / posterior.fitted_rows.se, share)), 3)
            for name, share in (("median_over_se", 0.5), ("worst_over_se", 1.0))
        },
        "between_trials": posterior.tau_summary(),
    }


def _start(
    file: Path,
    command: str,
    patients: int,
    seed: int,
    variant: str | None,
    rounds: int,
    progress: Callable[[str], None],
) -> dict[str, Any]:
    """The least-squares fit, from the file where an interrupted run has left it."""
    if file.exists():
        return json.loads(file.read_text(encoding="utf-8"))
    fit = least_squares.fit(patients, seed, variant, rounds, progress=progress)
    record = least_squares.as_record(fit, command)
    kept = {"x": fit.x.tolist(), "covariance": fit.covariance.tolist(), "record": record}
    unfinished.write_whole(file, kept)
    return kept
