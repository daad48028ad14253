"""Every rival mechanism refitted and scored on trials it has not seen; the inert one's posterior for the package.

    python bench/rivals.py --work FOLDER --out docs/validation
    python bench/rivals.py --work FOLDER --out docs/validation --inert src/afterglow/data/fit    # ships its posterior

About four minutes a model on two idle cores; a stopped run goes on where it was when it is given the same folder. Needs
`afterglow[fit]`; see docs/rivals.md for the result.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads make them slower, not faster

import argparse
import json
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import yaml

from afterglow.data import fit_version
from afterglow.study import loo, rivals
from afterglow.study.rivals import BASE, INERT, Budget, Refit

LIBRARIES = ("afterglow", "numpy", "scipy", "emcee")
SHIPPED = 250  # draws of the inert posterior


def say(line: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {line}", flush=True)


def work(name: str, budget: Budget, seed: int, folder: Path) -> Refit:
    """One refit in its folder, which belongs to this budget and seed alone."""
    mine = folder / name
    mine.mkdir(parents=True, exist_ok=True)
    file, asked = mine / "settings.json", json.loads(json.dumps(rivals.settings(budget, seed)))
    if file.exists() and json.loads(file.read_text()) != asked:
        raise SystemExit(f"{mine} holds another run: {file.read_text()}\ngive another --work, or remove it")
    file.write_text(json.dumps(asked))
    return rivals.refit(name, budget, seed, mine, say)


def write(found: Mapping[str, Refit], inside: list[dict], out: Path) -> pd.DataFrame:
    """`rivals.csv` and `rivals_rows.csv` of the models that are done."""
    said = {name: one.said for name, one in found.items()}
    observed = loo.observed(found[BASE].surface)
    scores = rivals.score(said, observed).merge(pd.DataFrame(inside), on="name")
    scores.to_csv(out / "rivals.csv", index=False, float_format="%.4g")
    rivals.speaks_against(said, observed).to_csv(out / "rivals_rows.csv", index=False, float_format="%.4g")
    return scores


def ship(inert: Refit, budget: Budget, seed: int, folder: Path, command: str) -> None:
    """The inert rival's posterior as `afterglow.data.fitted` reads it."""
    table = rivals.draws(inert.surface, SHIPPED, seed, budget.steps)
    table.to_csv(folder / "inert_posterior.csv", index=False, float_format="%.5g")
    about = {
        "command": command,
        "note": "sampled on the emulator, not corrected by runs of the model; smaller budget than the base model",
        "seed": seed,
        "rows_version": fit_version(),
        "rows": int(inert.surface.fitted.sum()),
        "draws": SHIPPED,
        "runs": len(inert.surface.x),
        "budget": rivals.settings(budget, seed),
        "versions": {name: version(name) for name in LIBRARIES},
    }
    (folder / "inert_posterior.yaml").write_text(yaml.safe_dump(about, sort_keys=False), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="where the runs of the models are kept")
    parser.add_argument("--out", type=Path, default=Path("docs/validation"))
    parser.add_argument("--inert", type=Path, help="write the inert rival's posterior into this folder")
    parser.add_argument("--only", nargs="+", default=rivals.RIVALS, help="these rivals")
    parser.add_argument("--patients", type=int, default=Budget.patients, help="virtual patients an arm")
    parser.add_argument("--design", type=int, default=Budget.design, help="runs around the optimum")
    parser.add_argument("--draws", type=int, default=Budget.draws, help="runs at draws of the posterior")
    parser.add_argument(
        "--rounds", type=int, default=Budget.rounds, help="steps of the least squares, all numbers at once"
    )
    parser.add_argument("--steps", type=int, default=Budget.steps, help="of each walker of the sampler")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    budget = Budget(asked.patients, asked.rounds, asked.design, asked.draws, asked.steps)
    found, inside = {}, []
    for name in dict.fromkeys((BASE, *asked.only)):
        found[name] = work(name, budget, asked.seed, asked.work)
        inside.append({"name": name} | rivals.in_sample(found[name], budget, asked.seed))
        if len(found) > 1:
            print(write(found, inside, asked.out).to_string(index=False, float_format="{:.3g}".format), flush=True)
    if asked.inert:
        ship(
            found[INERT],
            budget,
            asked.seed,
            asked.inert,
            "python bench/rivals.py --work FOLDER --inert src/afterglow/data/fit",
        )


if __name__ == "__main__":
    main()
