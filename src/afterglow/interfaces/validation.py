"""The command `afterglow validate`: published against simulated numbers, seen or unseen, with scores and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.data import trial
from afterglow.errors import Fault, InputError
from afterglow.interfaces import output, terminal
from afterglow.study import validate as study

if TYPE_CHECKING:
    import pandas as pd

Tell = Callable[[str, float], None]


@dataclass(frozen=True)
class Asked:
    """What is validated, and how; see `afterglow validate --help`."""

    trials: list[str] | None
    patients: int
    seed: int
    draws: int
    variant: str | None
    loo: bool


def run(asked: Asked, tell: Tell | None) -> dict[str, pd.DataFrame]:
    """The tables `validation` and `score`; with `loo` also `score_by_trial`."""
    if asked.loo:
        if find_spec("emcee") is None:
            raise InputError(Fault("--loo", "the sampler emcee is not installed", "pip install 'afterglow[fit]'"))
        if asked.variant is not None:
            where = "docs/rivals.md says how rivals are scored unseen"
            raise InputError(Fault("--variant", "only the base model is predicted unseen here", where))
        for name in asked.trials or ():
            trial(name)  # refuses one that does not exist, before minutes of work
        found = study.unseen(seed=asked.seed, progress=tell)
        table = found.table if not asked.trials else found.table.loc[found.table["trial"].isin(asked.trials)]
        return {"validation": table, "score": found.scores, "score_by_trial": found.by_trial}
    table = study.validate(
        asked.trials,
        patients=asked.patients,
        seed=asked.seed,
        draws=asked.draws,
        variant=asked.variant,
        progress=None if tell is None else lambda share: tell("trials", share),
    )
    return {"validation": table, "score": study.score(table)}


def show(asked: Asked, tables: dict[str, pd.DataFrame]) -> None:
    """Print every number, and how well all of it fits."""
    terminal.show_validation(tables["validation"])
    terminal.show_not_simulated(study.not_simulated(asked.trials))
    title = "How well it fits"
    if asked.loo:
        title = "Every trial predicted unseen: averages over trials, on the rows of model and baseline"
    terminal.show_table(tables["score"], title)


def save(
    out: Path,
    asked: Asked,
    tables: dict[str, pd.DataFrame],
    command: str,
    *,
    force: bool,
    settings: dict[str, Any],
    tell: Tell | None,
) -> None:
    """The result folder: tables, manifest, and the pictures in `figures`."""
    with output.new_folder(out, force=force) as folder:
        output.write_tables(folder, tables)
        output.write_manifest(folder, command, settings, [])
        pictures(folder / "figures", asked, tables["validation"], tell)


def pictures(folder: Path, asked: Asked, table: pd.DataFrame, tell: Tell | None) -> None:
    """Draw observed against predicted, differences, time courses, spread by visit and relapse."""
    from afterglow.interfaces import validation_figures

    validation_figures.draw(
        folder,
        table,
        asked.trials,
        seed=asked.seed,
        variant=asked.variant,
        progress=None if tell is None else lambda share: tell("pictures", share),
    )
