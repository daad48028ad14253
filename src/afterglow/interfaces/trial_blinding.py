"""What unblinding does to a trial: its primary estimate with and without it, and what patients guess."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.interfaces import canvas, forest
from afterglow.interfaces.plot import Plot, padded
from afterglow.interfaces.trial_marks import (
    WORLD_COLOURS,
    WORLD_WORDS,
    Unit,
    against,
    arm_titles,
    endpoint_words,
    main_world,
    primary,
    records,
    unit,
)
from afterglow.interfaces.words import signed, visit_words

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.study.trial_result import TrialResult

LEAST_BINS, MOST_BINS = 10, 30
LEVEL = 0.9  # of the ranges over replicates
ESTIMATES = (
    "Estimates of the primary endpoint ({what}) in all replicates, each world with the same people and luck. Line: "
    "mean of the estimates. Diamond: the truth, the mean over replicates of what the same people would have scored in "
    "both arms, where that is one number. Bar: 90 % of the replicates. The distance between as designed and perfectly "
    "masked is what noticing the drug adds. "
)
GUESSES = (
    "Guesses: mean over replicates with 90 % of them; open ring: perfectly masked. What people make of noticing the "
    "drug and of getting better (the weights) is assumed, guided by few published guesses; guesses change no score. "
)
BANG = (
    "Bang's index of an arm is the share of right guesses less that of wrong ones: 1 all right, 0 as by chance, −1 all "
    "wrong."
)
NO_BANG = "Bang's index is not given: arms change treatment, so that no one guess is right."


def unblinding(result: TrialResult) -> Picture | None:
    """Estimates by world, and guesses; None where there is neither."""
    import pandas as pd

    trial = result.scenarios[0].trial
    of, found = unit(trial.primary.measure, trial.primary.method), estimates(result)
    guesses = guess_rows(result)
    panels = [
        _estimate_panel(against(result, {"arm": arm, "control": control}), of, worlds)
        for (arm, control), worlds in found.items()
    ]
    panels += _guess_panels(result, guesses) if guesses else []
    if not panels:
        return None
    what = f"{endpoint_words(trial.primary, trial)}; {of.noun}"
    what += ", in the table their logarithms" if of.ratio else ""
    rows = [
        {"what": "estimate", "arm": arm, "world": name, **_summary(values)}
        for (arm, _), worlds in found.items()
        for name, values in worlds.items()
    ]
    kinds = {"guess": "guess active", "bang": "Bang's index"} if one_answer(result) else {"guess": "guess active"}
    for row in guesses:
        place = {"arm": row["arm"], "world": row["world"]}
        for name, words in kinds.items():
            ends = {end: row[f"{name}_{end}"] for end in ("lo90", "hi90")}
            rows.append({"what": f"{words}, {row['visit']}", **place, "mean": row[name], **ends})
    return canvas.Picture(
        name="unblinding",
        title="What unblinding does",
        caption=(ESTIMATES.format(what=what) if found else "") + _guess_words(result, guesses),
        panels=panels,
        table=pd.DataFrame(rows).round(3),
    )


# ------------------------------------------------------------------------------------------------ estimates


def estimates(result: TrialResult) -> dict[tuple[str, str], dict[str, FloatArray]]:
    """Primary estimates and truths [replicates, 2] by arm and control, then world; only what has an estimate."""
    found: dict[tuple[str, str], dict[str, list[list[float]]]] = {}
    for row in primary(result, "estimates"):
        if row["world"] != "null" and math.isfinite(row["estimate"]):
            worlds = found.setdefault((row["arm"], row["control"]), {})
            worlds.setdefault(row["world"], []).append([row["estimate"], row["truth"]])
    return {key: {name: np.array(rows) for name, rows in worlds.items()} for key, worlds in found.items()}


def _summary(values: FloatArray) -> dict[str, float]:
    """Mean estimate, the ends between which 90 % lie, and the mean truth, of [replicates, 2]."""
    estimate, truth = values[:, 0], values[np.isfinite(values[:, 1]), 1]
    low, high = np.quantile(estimate, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2]).tolist()
    mean_truth = float(truth.mean()) if len(truth) else math.nan
    return {"mean": float(estimate.mean()), "lo90": low, "hi90": high, "truth": mean_truth}


def _estimate_panel(title: str, of: Unit, found: Mapping[str, FloatArray]) -> Panel:
    every = np.concatenate([values[:, 0] for values in found.values()])
    limits = padded(min(float(every.min()), 0.0), max(float(every.max()), 0.0), 0.03)
    bins = np.linspace(*limits, int(np.clip(math.sqrt(len(every)), LEAST_BINS, MOST_BINS)) + 1)
    heights = {name: np.histogram(values[:, 0], bins)[0] for name, values in found.items()}
    highest = max(int(one.max()) for one in heights.values())
    pitch, top = 78, canvas.HEADING_HEIGHT

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, title)
        whole = Plot(sheet, (8, top, canvas.PANEL_WIDTH - 16, pitch * len(found)), limits, (0, 1))
        whole.x_axis(*of.ticks(limits))
        sheet.words(canvas.PANEL_WIDTH - 8, whole.foot + 22, of.noun, size=10.5, colour=canvas.MUTED, ha="right")
        for number, (name, values) in enumerate(found.items()):
            _strip(sheet, top + pitch * number, (limits, bins), heights[name] / highest, name, _summary(values), of)

    said = "; ".join(f"{WORLD_WORDS[name]} {_estimate_words(of, _summary(values))}" for name, values in found.items())
    return canvas.Panel(f"estimates-{title}", f"{title}: {said}.", top + pitch * len(found) + 40, draw)


def _estimate_words(of: Unit, one: Mapping[str, float]) -> str:
    return f"{of.text(one['mean'])} ({of.between(one['lo90'], one['hi90'])})"


def _strip(
    sheet: Sheet,
    top: float,
    scale: tuple[tuple[float, float], FloatArray],
    heights: FloatArray,
    name: str,
    one: Mapping[str, float],
    of: Unit,
) -> None:
    """The estimates of one world: a histogram with mean, truth and range."""
    limits, bins = scale
    plot = Plot(sheet, (8, top + 22, canvas.PANEL_WIDTH - 16, 44), limits, (0, 1))
    colour = WORLD_COLOURS[name]
    plot.uprights(of.ticks(limits)[0], colour=canvas.GRID, width=0.7)
    plot.uprights([0], colour=canvas.INK, width=0.8, dashes=(2.4, 2.4))
    plot.area(np.repeat(bins, 2)[1:-1], 0.0, np.repeat(heights, 2), colour=colour, alpha=0.45)
    plot.line([one["lo90"], one["hi90"]], 0.0, colour=colour, width=5)
    plot.line(one["mean"], [0.0, 1.05], colour=colour, width=2)
    if math.isfinite(one["truth"]):
        corners = np.array([[0.0, -5], [5, 0], [0, 5], [-5, 0]])
        sheet.shape(plot.at(one["truth"], 0.0) + corners, colour=canvas.INK)
    sheet.words(8, top + 5, WORLD_WORDS[name], size=11, bold=True)
    words = _estimate_words(of, one)
    sheet.words(canvas.PANEL_WIDTH - 8, top + 5, words, size=11, ha="right")


# ------------------------------------------------------------------------------------------------ guesses


def one_answer(result: TrialResult) -> bool:
    """Whether each arm has one right guess: no arm goes over to another course."""
    return not any(arm.then for arm in result.scenarios[0].trial.arms)


def _guess_words(result: TrialResult, guesses: list[dict[str, Any]]) -> str:
    if not guesses:
        return "Nobody is asked to guess."
    return GUESSES + (BANG if one_answer(result) else NO_BANG)


def guess_rows(result: TrialResult) -> list[dict[str, Any]]:
    """Share guessing active and Bang's index by world, visit and arm, each with the ends of 90 % of the replicates."""
    of = result.example.of
    active = {course.name: bool(one) for course, one in zip(of.courses, of.active, strict=True)}
    rows = []
    for row in records(result.tables["guesses"], scenario=result.scenarios[0].number):
        share, low, high = (row[f"guessed_active{end}"] for end in ("", "_lo90", "_hi90"))
        if math.isnan(share):  # nobody of the arm was there to be asked
            continue
        sign = 1.0 if active[row["arm"]] else -1.0
        bang, *ends = (sign * (2.0 * value - 1.0) for value in (share, low, high))
        rows.append({
            "world": row["world"], "visit": row["visit"], "time_h": row["time_h"], "arm": row["arm"],
            "guess": share, "guess_lo90": low, "guess_hi90": high,
            "bang": bang, "bang_lo90": min(ends), "bang_hi90": max(ends),
        })  # fmt: skip
    return rows


def _guess_panels(result: TrialResult, rows: list[dict[str, Any]]) -> list[Panel]:
    several = len({row["time_h"] for row in rows}) > 1
    titles = arm_titles(result)
    masked = {(row["arm"], row["time_h"]): row for row in rows if row["world"] == "masked"}
    shares, indices = [], []
    for row in (one for one in rows if one["world"] == main_world(result)):
        label = titles[row["arm"]] + (f", {visit_words(row['time_h'])}" if several else "")
        unfelt = masked.get((row["arm"], row["time_h"]), {"guess": math.nan, "bang": math.nan})
        share, low, high = (100 * row[name] for name in ("guess", "guess_lo90", "guess_hi90"))
        shares.append(forest.Mark(label, share, f"{share:.0f} %", low, high, ghost=100 * unfelt["guess"]))
        ends = row["bang_lo90"], row["bang_hi90"]
        indices.append(forest.Mark(label, row["bang"], signed(row["bang"], 2), *ends, ghost=unfelt["bang"]))
    guess = forest.Frame("guess", "Guess active treatment", "% of patients", (0, 100), canvas.PINK)
    bang = forest.Frame("bang", "Bang's blinding index", "", (-1, 1), canvas.PINK, zero=True)
    return [forest.panel(guess, shares), *([forest.panel(bang, indices)] if one_answer(result) else [])]
