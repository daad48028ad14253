"""Pictures of a trial's chances: power by number of patients, and by scenario."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from afterglow.interfaces import canvas, forest
from afterglow.interfaces.plot import Plot, ticks
from afterglow.interfaces.trial_marks import (
    WORLD_COLOURS,
    WORLD_WORDS,
    Row,
    against,
    legend,
    legend_rows,
    main_world,
    primary,
    records,
    varied_words,
)
from afterglow.study.trial_summary import POWERS

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import Panel, Picture, Sheet
    from afterglow.study.trial_result import TrialResult

LEFT, RIGHT = 40, 14
WORLDS = ("posterior", "mean", "masked")  # with a curve
WANTED = 0.8  # the usual power, drawn as a line
MOST_SCENARIOS, A_COLUMN = 60, 20  # shown in the picture, and of these in a panel


def power(result: TrialResult) -> Picture | None:
    """Assurance and power of the primary endpoint by number of patients; None for a test without an estimate."""
    import pandas as pd

    table = result.tables["power_curve"]
    curves = [row for row in records(table) if row["world"] in WORLDS and math.isfinite(row["power"])]
    if not curves:
        return None
    found = primary(result, "contrasts")
    panels = []
    for arm in dict.fromkeys(row["arm"] for row in curves):
        mine = [row for row in curves if row["arm"] == arm]
        simulated = {row["world"]: row for row in found if row["arm"] == arm}
        panels.append(_power_panel(against(result, simulated[main_world(result)]), mine, simulated))
    return canvas.Picture(
        name="power",
        title="Chance to succeed by size",
        caption=(
            "Primary endpoint: significant, in the arm's favour. As designed: assurance, averaged over what the "
            "calibration leaves open. At the central values: power if these held. Curves are worked out from effect "
            "and error in the replicates; rings are the share of replicates that succeeded at the planned size "
            "(dotted), with its 90 % interval. Patients: those of the arm and its control."
        ),
        panels=panels,
        table=pd.DataFrame(curves).round(3),
    )


def _power_panel(title: str, curves: Sequence[Row], simulated: Mapping[str, Row]) -> Panel:
    worlds = [name for name in WORLDS if any(row["world"] == name for row in curves)]
    one = next(iter(simulated.values()))
    planned = one["n_arm"] + one["n_control"]
    end = max(row["n"] for row in curves)
    side = "left" if planned < 0.7 * end else "right"
    entries = [(WORLD_COLOURS[name], WORLD_WORDS[name]) for name in worlds]
    top = canvas.HEADING_HEIGHT + 22 + 16 * legend_rows(entries)

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, title)
        legend(sheet, canvas.HEADING_HEIGHT, entries)
        plot = Plot(sheet, (LEFT, top, canvas.PANEL_WIDTH - LEFT - RIGHT, 170), (0, end), (0, 100))
        places, names = ticks((0, 100), 5)
        plot.y_axis(places, [f"{name} %" for name in names])
        plot.across(100 * WANTED, colour=canvas.MUTED, dashes=(4, 3))
        plot.uprights([planned], colour=canvas.INK, width=1, dashes=(1.5, 2.5))
        plot.words(planned, 102, f"{planned:.0f} planned", size=10.5, va="bottom", ha=side)
        for name in reversed(worlds):
            mine = [row for row in curves if row["world"] == name]
            plot.line([r["n"] for r in mine], [100 * r["power"] for r in mine], colour=WORLD_COLOURS[name], width=2)
        for number, name in enumerate(worlds):
            _simulated(plot, planned + 0.012 * end * (number - 1), simulated.get(name), WORLD_COLOURS[name])
        plot.x_axis(*ticks((0, end), 6, whole=True))
        sheet.words(canvas.PANEL_WIDTH - RIGHT, plot.foot + 22, "patients", size=10.5, colour=canvas.MUTED, ha="right")

    said = "; ".join(
        f"{WORLD_WORDS[name]} {100 * simulated[name]['power']:.0f} %" for name in worlds if name in simulated
    )
    return canvas.Panel(f"power-{title}", f"{title}, {planned:.0f} patients: {said}.", top + 170 + 40, draw)


def _simulated(plot: Plot, place: float, row: Row | None, colour: str) -> None:
    if row is None or not math.isfinite(row["power"]):
        return
    plot.line(place, [100 * row["power_lo90"], 100 * row["power_hi90"]], colour=colour, width=1.5)
    plot.dot(place, 100 * row["power"], 6.5, canvas.PAGE, edge=colour)


# ------------------------------------------------------------------------------------------------ scenarios


def scenario_rows(result: TrialResult) -> list[Row]:
    """Operating characteristics of the primary endpoint, one row a scenario and arm."""
    method = {one.number: one.trial.primary.method for one in result.scenarios}
    rows = records(result.tables["operating_characteristics"], endpoint=1)
    return [row for row in rows if row["analysis"] == method[row["scenario"]]]


def scenario_labels(result: TrialResult) -> dict[int, str]:
    """What each scenario varies, in words."""
    return {one.number: varied_words(one.varied, one.trial) for one in result.scenarios}


def scenarios(result: TrialResult) -> Picture | None:
    """The chance to succeed in each scenario, in the order of the file."""
    import pandas as pd

    name = POWERS.get(main_world(result), "")
    rows, labels = scenario_rows(result), scenario_labels(result)
    rows = [row for row in rows if math.isfinite(row.get(name, math.nan))][:MOST_SCENARIOS]
    if not rows:
        return None
    several = len({row["arm"] for row in rows}) > 1
    marks = []
    for row in rows:
        label = labels[row["scenario"]] + (f": {row['arm']}" if several else "")
        low, value, high = (100 * row[key] for key in (f"{name}_lo90", name, f"{name}_hi90"))
        marks.append(forest.Mark(label, value, f"{value:.0f} %", low, high))
    title = "Assurance" if name == "assurance" else "Power"
    parts = [marks[k : k + A_COLUMN] for k in range(0, len(marks), A_COLUMN)]
    panels = [
        forest.panel(forest.Frame(f"scenarios-{k}", title, "%", (0, 100), canvas.BLUE), part)
        for k, part in enumerate(parts)
    ]
    shown = f"The first {len(rows)} are shown. " if len(scenario_rows(result)) > len(rows) else ""
    listed = [
        {"scenario": labels[row["scenario"]], "arm": row["arm"]}
        | {key: row[key] for key in (name, f"{name}_lo90", f"{name}_hi90")}
        for row in rows
    ]
    return canvas.Picture(
        name="scenarios",
        title="Chance to succeed by scenario",
        caption=(
            f"{shown}Share of replicates in which the primary endpoint was significant in the arm's favour, with the "
            f"90 % interval that {result.replicates} replicates leave. In the order of the file."
        ),
        panels=panels,
        table=pd.DataFrame(listed).round(3),
    )
