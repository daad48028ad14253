"""Fitted parameter values: what the shipped fit says, with the command that made it."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def fit_record() -> dict[str, Any]:
    """The shipped fit (`data/fit/first_fit.yaml`): command, seed, rows, values, errors. Empty before the first fit."""
    import yaml

    path = files("afterglow.data").joinpath("fit/first_fit.yaml")
    return yaml.safe_load(path.read_text("utf-8")) if path.is_file() else {}


def fitted_values() -> dict[str, float]:
    """Fitted typical values by full parameter name, e.g. "synapses.tau_fast"."""
    return {name: entry["value"] for name, entry in fit_record().get("parameters", {}).items()}


def measurement() -> dict[str, float]:
    """Rater SD and SD of week-scale fluctuation (MADRS points), and its time constant (d)."""
    start = {"rater_sd": 3.5, "fluctuation_sd": 9.0, "fluctuation_tau_d": 6.4}
    return start | {name: entry["value"] for name, entry in fit_record().get("measurement", {}).items()}


def parameter_draws(count: int, seed: int) -> list[dict[str, float]]:
    """Draws of the fitted numbers: normal around the optimum on the log scale, none further out than 2.5 SD.

    Names are full parameter names, and "measurement.<name>" for rater noise and fluctuation. Empty before the first fit.
    """
    import numpy as np

    from afterglow import streams

    record = fit_record()
    if not record:
        return []
    names = record["covariance_of"]
    entries = record["parameters"] | {f"measurement.{n}": e for n, e in record["measurement"].items()}
    centre = np.log([entries[n]["value"] for n in names])
    values, vectors = np.linalg.eigh(np.array(record["covariance"]))
    z = np.clip(streams.normal(seed, 0, range(count), "fit/draws", len(names)), -2.5, 2.5)
    logs = centre + (z * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return [dict(zip(names, np.exp(row).tolist(), strict=True)) for row in logs]
