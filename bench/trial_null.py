"""Trials without an effect: how often each analysis finds one all the same, and whether the arms are truly equal.

    python bench/trial_null.py --replicates 2000 --workers 2
    python bench/trial_null.py --quick --out /tmp/null

Three designs are run in the world "null", in which every arm has the treatment of the reference: two parallel arms with
every analysis of a trial file that they allow, a crossover, and a sequential parallel comparison. People miss visits
and leave, at random and for lack of effect. A fourth design gives two arms the same course without that shortcut, for
the difference between what people would score in either arm. A quarter of a second a replicate on one core, most of it
analysis. Needs `afterglow[trial]`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small products: threads make them slower, not faster

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import betaincinv

from afterglow.clinic.files import parse
from afterglow.clinic.scenarios import Scenario, scenarios
from afterglow.study.statistics.multiplicity import fixed_sequence, holm
from afterglow.study.trial_analysis import Analysis, Contrast
from afterglow.study.virtual_trial import Conducted, VirtualTrial
from afterglow.study.work import Task, each
from afterglow.study.worlds import world

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 0.05
BANDS = (0.95, 0.99)  # of a share of replicates that is truly ALPHA
PIECE = 25  # replicates done together

HEAD = """
trial: null-check
population: {from: trd, madrs: {mean: 33, sd: 5.5}, entry: MADRS >= 22}
missed_visits: 4 %
leaving: {at_random: 2 %, lack_of_effect: {if: improvement(MADRS) < 10 %, chance: 4 %}}
blinding: {patients: double-blind, raters: site}
multiplicity: holm
"""
DESIGNS = {
    # the reference has the drug, so that responses and relapses are frequent
    "parallel": """
arms: [{name: a, control: midazolam, n: 100}, {name: b, course: iv-induction, n: 100}]
visits: [4 h, 1 d, 2 d, 3 d, 7 d, 14 d, 21 d, 28 d]
missing: {sensitivity: [jump-to-reference, copy-increments], imputations: 20}
endpoints:
  - {measure: change, at: 28 d, analysis: mmrm}
  - {measure: change, at: 1 d, analysis: ancova}
  - {measure: response, at: 28 d, analysis: risk-difference}
  - {measure: response, at: 28 d, analysis: logistic}
  - {measure: remission, at: 28 d, analysis: risk-difference}
  - {measure: remission, at: 28 d, analysis: logistic}
  - {measure: time-to-response, analysis: cox}
  - {measure: time-to-response, analysis: log-rank}
  - {measure: time-to-response, analysis: rmst}
  - {measure: relapse, analysis: cox}
  - {measure: relapse, analysis: log-rank}
  - {measure: relapse, analysis: rmst}
""",
    "crossover": """
arms:
  - {name: a, course: iv-single, then: [{course: midazolam-single, day: 15}], n: 100}
  - {name: b, course: midazolam-single, then: [{course: iv-single, day: 15}], n: 100}
crossover: {period: 14 d, first: a, second: b}
visits: [1 d, 3 d, 7 d, 14 d, 15 d, 17 d, 21 d, 28 d]
endpoints: [{measure: change, at: 1 d, analysis: crossover}]
""",
    "sequential-parallel": """
n: 200
arms:
  - {name: a, course: iv-single, ratio: 2}
  - {name: b, course: midazolam-single, then: [{course: iv-single, day: 8}], ratio: 3}
  - {name: c, course: midazolam-single, then: [{course: midazolam-single, day: 8}], ratio: 3}
second_stage: {at: 7 d, if: improvement(MADRS) < 50 %, drug: a, delayed: b, placebo: c}
visits: [1 d, 3 d, 7 d, 8 d, 10 d, 14 d]
endpoints: [{measure: change, at: 14 d, analysis: sequential-parallel}]
""",
    "twins": """
arms: [{name: a, course: iv-induction, n: 100}, {name: b, course: iv-induction, n: 100}]
visits: [4 h, 1 d, 2 d, 3 d, 7 d, 14 d, 21 d, 28 d]
endpoints: [{measure: change, at: 28 d, analysis: ancova}]
""",
}


@dataclass(frozen=True)
class Piece:
    """Some replicates of a design."""

    design: str
    seed: int
    replicates: range


@cache
def trial(design: str, seed: int) -> VirtualTrial:
    """A design, ready to run; twins take no shortcut."""
    (one,) = designed(design)
    return VirtualTrial(one, world("posterior" if design == "twins" else "null"), seed, threads=1)


def designed(design: str) -> list[Scenario]:
    """The design as a trial file."""
    return scenarios(parse(HEAD + DESIGNS[design], f"{design}.yaml"))


def work(piece: Piece) -> list[dict[str, Any]]:
    """One row an estimate, and one for each family of hypotheses."""
    of = trial(piece.design, piece.seed)
    return [row for found in of.run(piece.replicates) for row in rows(piece.design, of, found)]


def rows(design: str, of: VirtualTrial, found: Conducted) -> Iterator[dict[str, Any]]:
    """What a replicate says."""
    head = {"design": design, "replicate": found.setting.replicate, "arms_differ": apart(found)}
    contrasts = Analysis(of.trial, found).contrasts()
    for one in contrasts:
        endpoint = of.trial.endpoints[one.endpoint]
        yield head | {"measure": endpoint.measure, "analysis": one.analysis, **estimated(one)}
    main = [one.estimate.p for one in contrasts if one.analysis == of.trial.endpoints[one.endpoint].method]
    if len(main) > 1:
        for procedure in (holm, fixed_sequence):
            low = min(procedure(main, ALPHA).adjusted)
            name = procedure.__name__.replace("_", " ")
            yield head | {"measure": f"any of {len(main)}", "analysis": name, "p": low, "covers": None, "problem": ""}


def apart(found: Conducted) -> float:
    """Largest difference, over people and visits, of what they would score in the arms."""
    first = found.arms[0]
    return max(
        float(np.abs(table - first.scores[name]).max()) for arm in found.arms for name, table in arm.scores.items()
    )


def estimated(one: Contrast) -> dict[str, Any]:
    """Test and interval of an estimate."""
    found, covers = one.estimate, None
    if np.isfinite(found.estimate):
        low, high = found.interval(1 - ALPHA)
        covers = bool(low <= 0 <= high)
    return {"p": found.p, "covers": covers, "estimate": found.estimate, "se": found.se, "problem": found.problem}


# ------------------------------------------------------------------------------------------------ results


def band(n: int, level: float, share: float = ALPHA) -> tuple[float, float]:
    """Central band of a binomial share of n that is truly `share`: the outermost counts are those still likely."""
    from scipy.stats import binom

    low, high = binom.ppf([(1 - level) / 2, (1 + level) / 2], n, share)
    return float(low / n), float(high / n)


def exact(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Interval of a share after Clopper and Pearson."""
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, n - hits + 1, tail))
    high = 1.0 if hits == n else float(betaincinv(hits + 1, n - hits, 1 - tail))
    return low, high


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Type-I error of each analysis with its interval, and beside the bands of 5 %."""
    import pandas as pd

    found = []
    every: Any = table[table["design"] != "twins"]
    for (design, measure, analysis), some in every.groupby(["design", "measure", "analysis"], sort=False):
        done = some[some["p"].notna()]
        n, hits = len(done), int((done["p"] < ALPHA).sum())
        covers = done["covers"].dropna()
        row = {"design": design, "measure": measure, "analysis": analysis, "replicates": n, "type_1_error": hits / n}
        row["lo95"], row["hi95"] = exact(hits, n)
        for level in BANDS:
            low, high = band(n, level)
            place = "below" if hits / n < low else "above" if hits / n > high else "inside"
            row[f"band{level * 100:.0f}"] = place
        row["coverage95"] = float(covers.mean()) if len(covers) else np.nan
        row["mean_estimate"], row["estimate_se"] = done["estimate"].mean(), done["estimate"].sem()
        row["se_ratio"] = done["se"].mean() / done["estimate"].std()
        row["without"] = len(some) - n
        found.append(row)
    return pd.DataFrame(found)


def percent(share: float, digits: int = 2) -> str:
    """A share as it is printed; nothing for what is not defined."""
    return "" if np.isnan(share) else f"{100 * share:.{digits}f} %"


def page(found: pd.DataFrame, table: pd.DataFrame, command: str) -> str:
    """The section of the documentation."""
    n, rows = int(found["replicates"].max()), len(found)
    inner, outer = (" to ".join(percent(end) for end in band(n, level)) for level in BANDS)
    far, farther = (int((found[f"band{level * 100:.0f}"] != "inside").sum()) for level in BANDS)
    twins, others = table[table["design"] == "twins"], table[table["design"] != "twins"]
    pairs = len(set(twins["replicate"]))
    before = (
        f"Two-sided tests at {percent(ALPHA, 0)} when every arm has the same treatment. With {n:,} replicates, an "
        f"analysis that keeps its level exactly gives {inner} in 95 % of such studies and {outer} in 99 %. Of {rows} "
        f"rows, {far} are outside the first band (by chance alone about {rows * 0.05:.1f}) and {farther} outside the "
        f"second (about {rows * 0.01:.1f}). Rows of one design share their people, so they are not independent. Two "
        "kinds of rows are expected to be low: reference-based imputation, since Rubin's rules give it a larger "
        "variance than it has over repeated trials, and Holm's procedure, which promises at most 5 % for any false "
        "rejection and whose hypotheses are correlated here."
    )
    apart_null, apart_twins = others["arms_differ"].max(), twins["arms_differ"].max()
    after = (
        "Largest difference between what a person would score in the arms, over all people, visits and replicates: "
        f"{apart_null:g} points in the null world, and {apart_twins:g} points with two arms that are simulated one "
        f"after the other with the same course ({pairs} replicates, {200 * pairs:,} people)."
    )
    head = [
        "| design | measure | analysis | type-I error | 95 % interval | 99 % band | coverage of the 95 % interval "
        "| mean estimate (SE) | without estimate |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    records: list[Any] = found.to_dict("records")
    title = f"<!-- written by `{command}` -->\n\n# Type-I error\n"
    lines = [title, fill(before, 120), "", *head, *map(line, records), ""]
    return "\n".join([*lines, fill(after, 120), ""])


def line(row: dict[str, Any]) -> str:
    """A row of the page."""
    mean, error = row["mean_estimate"], row["estimate_se"]
    cells = [
        row["design"], row["measure"], row["analysis"], percent(row["type_1_error"]),
        f"{percent(row['lo95'])} to {percent(row['hi95'])}", row["band99"], percent(row["coverage95"], 1),
        "" if np.isnan(mean) else f"{mean:.3f} ({error:.3f})", str(row["without"]),
    ]  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def pieces(replicates: int, seed: int) -> Iterator[Task]:
    """All that is done; a few replicates of the twins are enough."""
    for design in DESIGNS:
        total = max(1, replicates // 20) if design == "twins" else replicates
        for first in range(0, total, PIECE):
            yield Task(f"{design}/{first}", Piece(design, seed, range(first, min(first + PIECE, total))))


def main() -> None:
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="200 replicates")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/trials"))
    asked = parser.parse_args()
    replicates = 200 if asked.quick else asked.replicates
    tasks = list(pieces(replicates, asked.seed))
    done: dict[str, list[dict[str, Any]]] = {}
    for task, found in each(work, tasks, workers=asked.workers):
        done[task.key] = found
        print(f"{len(done)} of {len(tasks)}: {task.key}", flush=True)
    table = pd.DataFrame([row for task in tasks for row in done[task.key]])
    found = summary(table)
    command = f"python bench/trial_null.py --replicates {replicates} --seed {asked.seed}"
    asked.out.mkdir(parents=True, exist_ok=True)
    with (asked.out / "null.csv").open("w") as file:
        file.write(f"# {command}\n")
        found.to_csv(file, index=False, float_format="%.4g")
    (asked.out / "null.md").write_text(page(found, table, command))
    print(found.to_string(index=False, float_format=lambda v: f"{v:.3g}"))


if __name__ == "__main__":
    main()
