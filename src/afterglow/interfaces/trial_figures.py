"""The pictures of a simulated trial, in the order of its page; here that of the means by visit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from afterglow.interfaces import canvas, trial_blinding, trial_flow, trial_patients, trial_power
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.interfaces.trial_marks import (
    ARM_COLOURS,
    Row,
    TimeAxis,
    arm_titles,
    main_world,
    records,
    varied_words,
)
from afterglow.interfaces.words import signed, visit_words
from afterglow.study.statistics.result import Estimate

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.study.trial_result import TrialResult

LEFT, RIGHT = 34, 14
LEVEL = 0.9


def pictures(result: TrialResult) -> list[Picture]:
    """All pictures in the order of the page; a picture for which there is nothing to draw is left out."""
    made = [
        trial_flow.flow(result),
        visits(result),
        trial_blinding.unblinding(result),
        trial_patients.waterfall(result),
        trial_patients.survival(result),
        trial_power.power(result),
    ]
    found = [one for one in made if one is not None]
    if len(result.scenarios) == 1:
        return found
    first = result.scenarios[0]
    note = f" Of the first scenario: {varied_words(first.varied, first.trial)}."
    found = [replace(one, caption=one.caption + note) for one in found]
    by_scenario = trial_power.scenarios(result)
    return found if by_scenario is None else [*found, by_scenario]


# ------------------------------------------------------------------------------------------------ visits


def visits(result: TrialResult) -> Picture:
    """Change by visit: the example's means with intervals upon the band of what replicates gave."""
    import pandas as pd

    first, example = result.scenarios[0], result.example
    trial, scale = first.trial, first.trial.primary.scale
    rows = records(result.tables["arms"], scenario=first.number, world=main_world(result), scale=scale)
    modelled = any(math.isfinite(row["lsmean"]) for row in rows)
    name = "lsmean" if modelled else "change"
    bands = {arm.name: _band([row for row in rows if row["arm"] == arm.name], name) for arm in trial.arms}
    own = [_example_means(result, k, scale, modelled) for k in range(len(trial.arms))]
    ends = [bands[arm][q] for arm in bands for q in ("low", "high")] + [one[:, 1:].ravel() for one in own]
    limits = padded(float(np.nanmin(np.concatenate(ends))), float(np.nanmax(np.concatenate(ends))))
    axis = TimeAxis(example.found.visit_h.tolist())
    reference = trial.arms[trial.reference_arm].name
    panels, table = [], []
    for k, arm in enumerate(trial.arms):
        other = None if k == trial.reference_arm else bands[reference]["mean"]
        title = arm_titles(result)[arm.name]
        colour = ARM_COLOURS[k % len(ARM_COLOURS)]
        panels.append(_visit_panel(title, axis, limits, bands[arm.name], own[k], other, colour))
        for v, row in enumerate(one for one in rows if one["arm"] == arm.name):
            line = {"arm": arm.name, "visit": row["visit"], "replicates": bands[arm.name]["mean"][v]}
            line |= {"lo90": bands[arm.name]["low"][v], "hi90": bands[arm.name]["high"][v]}
            line |= dict(zip(("example", "example_lo90", "example_hi90"), own[k][v, 1:].tolist(), strict=True))
            table.append(line)
    what = "LS means (MMRM)" if modelled else "Means"
    dashed = f" Dashed: mean over replicates of {arm_titles(result)[reference]}." if len(trial.arms) > 1 else ""
    return canvas.Picture(
        name="visits",
        title=f"Change of {scale} by visit",
        caption=(
            f"{what} of the change from baseline; lower is better on depression scales. Line and band: mean over "
            "replicates, and the range of 90 % of them. Dots: the example trial with 90 % intervals." + dashed
        ),
        panels=panels,
        table=pd.DataFrame(table).round(2),
    )


def _band(rows: Sequence[Row], name: str) -> dict[str, FloatArray]:
    """Mean over replicates with the ends that hold 90 %, by visit; the change at baseline is 0."""
    found = {
        key: np.array([row[name + end] for row in rows], dtype=float)
        for key, end in (("mean", ""), ("low", "_lo90"), ("high", "_hi90"))
    }
    for values in found.values():
        values[0] = 0.0
    return {"hours": np.array([row["time_h"] for row in rows], dtype=float), **found}


def _example_means(result: TrialResult, arm: int, scale: str, modelled: bool) -> FloatArray:
    """Hour, mean change and its 90 % interval in the example trial, [visits, 4]."""
    analysis = result.example.analysis
    scores = analysis.data.scores(scale)[analysis.data.arm == arm]
    change = scores - scores[:, :1]
    out = np.full((len(analysis.data.visit_h), 4), np.nan)
    out[:, 0] = analysis.data.visit_h
    out[0, 1:] = 0.0
    for visit in range(1, len(out)):
        seen = change[~np.isnan(change[:, visit]), visit]
        if len(seen) < 2:
            continue
        found = Estimate(float(seen.mean()), float(seen.std(ddof=1)) / math.sqrt(len(seen)), df=len(seen) - 1.0)
        if modelled:
            found = analysis.mmrm(scale).ls_mean(arm, visit - 1)
        if math.isfinite(found.estimate):
            out[visit, 1:] = found.estimate, *found.interval(LEVEL)
    return out


def _visit_panel(
    title: str,
    axis: TimeAxis,
    limits: tuple[float, float],
    band: Mapping[str, FloatArray],
    own: FloatArray,
    reference: FloatArray | None,
    colour: str,
) -> Panel:
    at = axis.at(band["hours"])

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, title)
        plot = Plot(sheet, (LEFT, canvas.HEADING_HEIGHT, canvas.PANEL_WIDTH - LEFT - RIGHT, 170), (0, 1), limits)
        plot.y_axis(*ticks(limits, 5))
        plot.area(at, band["low"], band["high"], colour=colour, alpha=0.22)
        if reference is not None:
            plot.control(at, reference)
        plot.line(at, band["mean"], colour=colour, width=2)
        for hour, mean, low, high in own[1:]:
            if math.isfinite(mean):
                plot.line(axis.at(hour), [low, high], colour=canvas.INK, width=1.1)
                plot.dot(float(axis.at(hour)), mean, 5, canvas.INK)
        axis.draw(plot)

    last = int(np.flatnonzero(np.isfinite(band["mean"]))[-1])
    words = (
        f"{title}: mean change {signed(band['mean'][last])} points at {visit_words(band['hours'][last])}, 90 % of "
        f"replicates between {signed(band['low'][last])} and {signed(band['high'][last])}."
    )
    return canvas.Panel(f"visits-{title}", words, canvas.HEADING_HEIGHT + 170 + 24, draw)
