"""What the shipped calibration says: a posterior of the fitted numbers, with the command that made it.

`data/fit/posterior.csv` holds one draw a row: free numbers by full parameter name, spreads between people as
"omega.<parameter>", noise as "measurement.<name>", and the spreads of trial effects as tau_u, tau_v, tau_e.
`data/fit/posterior.yaml` says how it was made. A rival mechanism that was fitted with the same freedom has files of its
own (`<variant>_posterior.*`); a variant without them runs on the base model's values.

Typical values are the medians of the draws.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MEASUREMENT = "measurement."
TAU = "tau_"


def _file(ending: str, variant: str | None) -> Traversable:
    """The file of a variant where it has one, else of the base model."""
    folder = files("afterglow.data").joinpath("fit")
    own = folder.joinpath(f"{variant}_posterior.{ending}")
    return own if own.is_file() else folder.joinpath(f"posterior.{ending}")


@cache
def fit_record(variant: str | None = None) -> dict[str, Any]:
    """How the shipped posterior of the base model or a variant was made: command, seed, versions, hashes."""
    import yaml

    return yaml.safe_load(_file("yaml", variant).read_text("utf-8"))


@cache
def posterior(variant: str | None = None) -> dict[str, NDArray[np.float64]]:
    """Draws of the shipped posterior by name, each [draws]; draws stand in random order."""
    import numpy as np

    with _file("csv", variant).open(encoding="utf-8") as f:
        names = f.readline().strip().split(",")
        columns = np.loadtxt(f, delimiter=",", ndmin=2).T
    return dict(zip(names, columns, strict=True))


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


@cache
def _medians(variant: str | None) -> dict[str, float]:
    import numpy as np

    return {name: float(np.median(column)) for name, column in posterior(variant).items()}


def fitted_values(variant: str | None = None) -> dict[str, float]:
    """Typical values of fitted parameters and spreads, e.g. "synapses.tau_fast", "omega.expectancy.care"."""
    return {k: v for k, v in _medians(variant).items() if not k.startswith((MEASUREMENT, TAU))}


def measurement(variant: str | None = None) -> dict[str, float]:
    """Rater SD and SD of week-scale fluctuation (MADRS points), its time constant (d) and its power."""
    held = {name: entry["value"] for name, entry in _declared()["fixed"].items()}
    found = _medians(variant).items()
    return held | {k.removeprefix(MEASUREMENT): v for k, v in found if k.startswith(MEASUREMENT)}


def between_trials(variant: str | None = None) -> dict[str, float]:
    """Spreads of what trials have of their own, SD of log relief: u (not the drug's), v (the drug's), e (a row's)."""
    return {k.removeprefix(TAU): v for k, v in _medians(variant).items() if k.startswith(TAU)}


def parameter_draws(count: int, seed: int, variant: str | None = None) -> list[dict[str, float]]:
    """Draws of all fitted numbers from the shipped posterior, no draw twice before each was taken once.

    Names as in the file: parameters, "omega.", "measurement." and "tau_".
    """
    from afterglow import streams

    known = posterior(variant)
    total = len(next(iter(known.values())))
    order = streams.generator(seed, "fit/draws").permutation(total)
    chosen = [int(order[k % total]) for k in range(count)]
    return [{name: float(column[k]) for name, column in known.items()} for k in chosen]
