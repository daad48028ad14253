"""How much of a trial's result is unblinding: one infusion of ketamine under three kinds of control.

    python bench/unblinding.py --replicates 1000
    python bench/unblinding.py --quick --out /tmp/unblinding

Runs the shipped designs `ketamine-saline`, `ketamine-midazolam` and `ketamine-masked` (47 and 25 patients, the same
people in all three) at both ends of what the drug itself may do: the calibration of the base model, and that of the
rival in which the drug does nothing but reveal itself. Beside them rows of `wilkinson2019_control` and of
`lii2023_masked` in `data/trials`.
Less than a tenth of a second a replicate on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow import data
from afterglow.clinic import outcome
from afterglow.clinic.scenarios import load_scenarios
from afterglow.study.trial_data import Observed
from afterglow.study.virtual_trial import Conducted, VirtualTrial
from afterglow.study.worlds import world

if TYPE_CHECKING:
    import pandas as pd

CONTROLS = ("saline", "midazolam", "masked")  # what the designs differ in
WORLDS = {"posterior": "base model", "inert": "inert drug"}
# published under this kind of control: record, its arm with the drug and that without
PUBLISHED = {
    "saline": ("wilkinson2019_control", "ket_in_saline_trials", "saline"),
    "midazolam": ("wilkinson2019_control", "ket_in_midazolam_trials", "midazolam"),
    "masked": ("lii2023_masked", "ket", "saline"),
}
TITLES = {
    "change": "difference of change, MADRS",
    "standardised": "the same over the SD",
    "response_drug": "response to ketamine, %",
    "response_control": "response to control, %",
}
Row = dict[str, Any]


def replicates(control: str, name: str, count: int, seed: int) -> Iterator[Row]:
    """What each replicate of a design says at 24 h."""
    (scenario,) = load_scenarios(f"ketamine-{control}")
    of = VirtualTrial(scenario, world(name), seed)
    visit = of.trial.visit_number(24.0) + 1
    for found in of.run(range(count)):
        head = {"world": name, "control": control, "replicate": found.setting.replicate}
        yield head | at(Observed(of.trial, found), visit) | {"truth": truth(found, visit)}


def at(seen: Observed, visit: int) -> Row:
    """Means of a visit as the trial sees them; the SD is that of the scores of both arms, each counted alike."""
    scores = seen.scores("MADRS")
    change, response = scores[:, visit] - scores[:, 0], outcome.response(scores, scores[:, 0])[:, visit]
    drug, control = seen.arm == 0, seen.arm == 1
    spread = np.sqrt((scores[drug, visit].var(ddof=1) + scores[control, visit].var(ddof=1)) / 2)
    difference = float(change[drug].mean() - change[control].mean())
    return {
        "change": difference,
        "standardised": difference / float(spread),
        "response_drug": 100 * float(response[drug].mean()),
        "response_control": 100 * float(response[control].mean()),
    }


def truth(found: Conducted, visit: int) -> float:
    """Difference of change with everybody in both arms."""
    drug, control = (arm.scores["MADRS"] for arm in found.arms)
    return float(np.mean(drug[:, visit] - control[:, visit]))


def published() -> dict[tuple[str, str], Row]:
    """Published rows by control and quantity: arm, value, 95 % interval or number of patients."""
    found: dict[tuple[str, str], Row] = {}
    for control, (name, drug, other) in PUBLISHED.items():
        rows = {(row.arm, row.measure): row for row in data.trial(name).outcomes if row.time_h == 24}
        asked = {
            "standardised": (drug, "smd"),
            "response_drug": (drug, "response"),
            "response_control": (other, "response"),
        }
        for quantity, key in asked.items():
            if key in rows:
                low, high = rows[key].ci95 or (None, None)
                found[control, quantity] = {
                    "record": name, "published_arm": key[0], "published": rows[key].value, "published_lo95": low,
                    "published_hi95": high, "published_n": rows[key].n,
                }  # fmt: skip
    return found


def summary(table: pd.DataFrame) -> Iterator[Row]:
    """Mean, its Monte-Carlo error and the middle 90 % over replicates of each quantity."""
    known = published()
    groups: Any = table.groupby(["world", "control"], sort=False)
    for (name, control), some in groups:
        for quantity in (*TITLES, "truth"):
            values = some[quantity].to_numpy(float)
            low, high = np.quantile(values, [0.05, 0.95])
            yield {
                "world": name, "control": control, "quantity": quantity, "mean": values.mean(),
                "mc_se": values.std(ddof=1) / np.sqrt(len(values)), "lo90": low, "hi90": high,
                "replicates": len(values), **known.get((control, quantity), {}),
            }  # fmt: skip


def order(table: pd.DataFrame, name: str) -> str:
    """Whether the effect falls from saline to midazolam to masking, replicate by replicate."""
    mine: Any = table[table["world"] == name]
    truths = {control: mine[mine["control"] == control]["truth"].to_numpy() for control in CONTROLS}
    steps = [truths["midazolam"] - truths["saline"], truths["masked"] - truths["midazolam"]]
    said = [
        f"{step.mean():.2f} points (Monte-Carlo SE {step.std(ddof=1) / np.sqrt(len(step)):.2f}; "
        f"{100 * np.mean(step > 0):.0f} % of replicates above 0)"
        for step in steps
    ]
    return (
        f"{WORLDS[name]}, the advantage shrinks by {said[0]} from saline to midazolam, and by {said[1]} on to masking"
    )


def line(row: Row) -> str:
    """A row of the page."""
    digits = 2 if row["quantity"] in ("change", "standardised") else 1
    was = ""
    if "published" in row:
        low, high = row["published_lo95"], row["published_hi95"]
        doubt = f"{row['published_n']} patients" if low is None else f"{low:g} to {high:g}"
        was = f"{row['published']:g} ({doubt}), `{row['published_arm']}` of {row['record']}"
    shown = [f"{row[name]:.{digits}f}" for name in ("mean", "lo90", "hi90")]
    cells = [WORLDS[row["world"]], row["control"], TITLES[row["quantity"]], shown[0], f"{shown[1]} to {shown[2]}", was]
    return "| " + " | ".join(cells) + " |"


def misses(found: list[Row], name: str) -> str:
    """Which published values lie outside the middle 90 % of replicates."""
    far = [
        f"{row['control']}, {TITLES[row['quantity']]}: {row['published']:g} against {row['mean']:.3g}"
        for row in found
        if row["world"] == name and "published" in row and not row["lo90"] <= row["published"] <= row["hi90"]
    ]
    return f"{WORLDS[name]}, {'; '.join(far) or 'none'}"


def page(table: pd.DataFrame, found: list[Row], command: str) -> str:
    """The section of the documentation."""
    lii = next(row for row in data.trial("lii2023_masked").outcomes if row.measure == "difference")
    low, high = lii.ci95 or (np.nan, np.nan)
    before = (
        "One infusion of 0.5 mg/kg at 24 hours, as trials of 47 and 25 people see it; the three controls meet the same "
        "people. Published: Wilkinson 2019, doi:10.1038/s41386-019-0317-8, individual data of nine trials of one "
        "infusion with 95 % intervals, the standardised difference of MADRS or HAM-D; all six rows were fitted, so "
        "they show how the fit stands in a whole trial and confirm nothing. Midazolam is 0.045 mg/kg here and was 0.02 "
        "to 0.045 mg/kg there. Under masking: Lii 2023, doi:10.1038/s44220-023-00140-x, not fitted, in less ill people "
        f"at one centre, response counted from screening; its difference over days 1 to 3 was {lii.value:g} points "
        f"({low:g} to {high:g})."
    )
    after = (
        "By what everybody would score in both arms: "
        + "; ".join(order(table, name) for name in WORLDS)
        + ". Masking and midazolam differ little by construction: an infusion under masking raises the expectation "
        "that midazolam raises, whatever is in it (assumed), so that only the ketamine arm changes, by what "
        "recognition adds to it. In the masked trial both arms got better than here, that without the drug most. "
        f"Published values outside the middle 90 % of replicates: {'. '.join(misses(found, name) for name in WORLDS)}."
    )
    head = [
        "| world | control | quantity | mean | middle 90 % of replicates | published |",
        "|---|---|---|---|---|---|",
    ]
    lines = [line(row) for row in found if row["quantity"] in TITLES]
    title = f"<!-- written by `{command}` -->\n\n# Unblinding: three controls\n"
    parts = [title, fill(before, 120), "", *head, *lines, "", fill(after, 120), ""]
    return "\n".join(parts)


def main() -> None:
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="50 replicates")
    parser.add_argument("--out", type=Path, default=Path("docs/trials"))
    asked = parser.parse_args()
    count = 50 if asked.quick else asked.replicates
    every = [row for name in WORLDS for control in CONTROLS for row in replicates(control, name, count, asked.seed)]
    table = pd.DataFrame(every)
    found = list(summary(table))
    command = f"python bench/unblinding.py --replicates {count} --seed {asked.seed}"
    text = page(table, found, command)
    asked.out.mkdir(parents=True, exist_ok=True)
    with (asked.out / "unblinding.csv").open("w") as file:
        file.write(f"# {command}\n")
        pd.DataFrame(found).to_csv(file, index=False, float_format="%.4g")
    (asked.out / "unblinding.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
