"""Fitted parameter values: what the shipped fits say, with the commands that made them.

`data/fit/first_fit.yaml` belongs to the base model. A rival mechanism that was fitted with the same freedom has a fit
of its own (`data/fit/inert_fit.yaml`); a variant without one runs on the base model's values.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any


@cache
def fit_record(variant: str | None = None) -> dict[str, Any]:
    """The shipped fit of the base model or a variant: command, seed, rows, values, errors. Empty before a first fit."""
    import yaml

    folder = files("afterglow.data").joinpath("fit")
    for name in (f"{variant}_fit.yaml", "first_fit.yaml"):
        path = folder.joinpath(name)
        if path.is_file():
            return yaml.safe_load(path.read_text("utf-8"))
    return {}


@cache
def _declared() -> dict[str, Any]:
    """What a fit may move, and what it holds fixed (`data/fit/free.yaml`)."""
    import yaml

    return yaml.safe_load(files("afterglow.data").joinpath("fit/free.yaml").read_text("utf-8"))


@cache
def drug_share() -> dict[str, Any]:
    """The drug's own share of an infusion's effect (`data/fit/drug_share.yaml`, made by `study.drug_share`)."""
    import yaml

    return yaml.safe_load(files("afterglow.data").joinpath("fit/drug_share.yaml").read_text("utf-8"))


def fitted_values(variant: str | None = None) -> dict[str, float]:
    """Fitted typical values by full parameter name, e.g. "synapses.tau_fast"."""
    return {name: entry["value"] for name, entry in fit_record(variant).get("parameters", {}).items()}


def measurement(variant: str | None = None) -> dict[str, float]:
    """Rater SD and SD of week-scale fluctuation (MADRS points), and its time constant (d)."""
    declared = _declared()
    start = {name: entry["value"] for name, entry in declared["fixed"].items()}
    start |= {name: entry["start"] for name, entry in declared["measurement"].items()}
    return start | {name: entry["value"] for name, entry in fit_record(variant).get("measurement", {}).items()}


def parameter_draws(count: int, seed: int, variant: str | None = None) -> list[dict[str, float]]:
    """Draws of the fitted numbers: normal around the optimum on the log scale, none further out than 2.5 SD.

    Names are full parameter names, and "measurement.<name>" for rater noise and fluctuation. Empty before a fit.
    """
    import numpy as np

    from afterglow import streams

    record = fit_record(variant)
    if not record:
        return []
    names = record["covariance_of"]
    entries = record["parameters"] | {f"measurement.{n}": e for n, e in record["measurement"].items()}
    centre = np.log([entries[n]["value"] for n in names])
    values, vectors = np.linalg.eigh(np.array(record["covariance"]))
    z = np.clip(streams.normal(seed, 0, range(count), "fit/draws", len(names)), -2.5, 2.5)
    logs = centre + (z * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    return [dict(zip(names, np.exp(row).tolist(), strict=True)) for row in logs]
