"""The two pictures of the validation table: observed against predicted, and a forest of differences.

What was fitted, kept for checking and in neither list differs in shape and in colour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.interfaces.words import signed
from afterglow.study.published import DIRECT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet

    Line = Mapping[str, Any]

SE95 = 1.96
FULL, LABELS, NUMBERS, PITCH, TOP = 1148, 470, 250, 28, 62
SIDE, SQUARE_TOP = 290, 98  # of a square plot
ROLE = {"fit": "fitted", "check": "kept for checking", "unused": "in neither list"}
ROLE_COLOUR = {"fit": canvas.BLUE, "check": canvas.RED, "unused": canvas.MUTED}
SCATTERED = {
    "change": "Change from baseline, points",
    "response": "Response, %",
    "difference": "Difference between arms, points",
}
FOREST = {"difference": "Difference in change, points", "smd": "Standardised difference, SDs"}
CAPTION_SCATTER = (
    "Bars: the interval into which 9 of 10 such trials would fall, were the model right. Dashed: observed = predicted."
)
CAPTION_FOREST = (
    "Green: predicted, with the interval into which 9 of 10 such trials would fall. Other marks: published, ± 1.96 SE. "
    "Below 0 favours the first arm."
)


def diamond(place: FloatArray, size: float = 9.0) -> FloatArray:
    """Corners of a diamond around a place in pixels."""
    half = size / 2
    return place + np.array([[0, -half], [half, 0], [0, half], [-half, 0]])


def role_mark(sheet: Sheet, place: FloatArray, role: str) -> None:
    """A disc for what was fitted, a diamond for what was kept for checking, a triangle for the rest."""
    colour = ROLE_COLOUR[role]
    if role == "fit":
        sheet.dot(float(place[0]), float(place[1]), 7, colour)
    elif role == "check":
        sheet.shape(diamond(place), colour=colour)
    else:
        sheet.shape(place + np.array([[0, -4.5], [4.4, 3.5], [-4.4, 3.5]]), colour=colour)


def _picture(name: str, title: str, caption: str, panels: list[Panel], columns: int) -> Picture | None:
    return canvas.Picture(name, title, caption, panels, pd.DataFrame(), columns) if panels else None


def _lines(table: pd.DataFrame, measure: str) -> list[Line]:
    """Lines of a measure that are predicted, on rating scales."""
    lines: list[Line] = [*table.dropna(subset=["observed", "predicted", "lo90", "hi90"]).to_dict("records")]
    return [line for line in lines if line["measure"] == measure and line["scale"] not in DIRECT]


# ------------------------------------------------------------------------------------------------ scatter


def observed_predicted(table: pd.DataFrame) -> Picture | None:
    """Observed against predicted: changes, response and differences.

    Args:
        table: of `validate`.
    """
    found = {measure: _lines(table, measure) for measure in SCATTERED}
    panels = [_scatter_panel(measure, lines) for measure, lines in found.items() if lines]
    return _picture("observed_predicted", "Observed against predicted", CAPTION_SCATTER, panels, 3)


def _scatter_panel(measure: str, lines: list[Line]) -> Panel:
    rates = measure == "response"
    ends = [float(line[name]) for line in lines for name in ("observed", "predicted", "lo90", "hi90")]
    limits = (0.0, 100.0) if rates else padded(min(ends), max(ends), 0.04)
    counts = {role: _inside([line for line in lines if line["role"] == role]) for role in ROLE}

    def paint(sheet: Sheet) -> None:
        sheet.words(0, 0, SCATTERED[measure], size=13, bold=True)
        for number, (role, words) in enumerate(counts.items()):
            y = 26 + 16 * number
            role_mark(sheet, np.array([8.0, y + 6.0]), role)
            sheet.words(18, y, f"{ROLE[role]}: {words}", size=11, colour=canvas.MUTED)
        plot = Plot(sheet, (46, SQUARE_TOP, SIDE, SIDE), limits, limits)
        plot.y_axis(*ticks(limits, 6))
        plot.x_axis(*ticks(limits, 6), grid=True)
        plot.line(limits, limits, colour=canvas.INK, width=1, dashes=(4, 3))
        for role in reversed(ROLE):
            mine = [line for line in lines if line["role"] == role]
            for line in mine:
                plot.line(line["observed"], [line["lo90"], line["hi90"]], colour=ROLE_COLOUR[role], alpha=0.4)
            for line in mine:
                role_mark(sheet, plot.at(line["observed"], line["predicted"]), role)
        sheet.words(46 + SIDE, plot.foot + 24, "observed", size=11, colour=canvas.MUTED, ha="right")
        sheet.words(46, SQUARE_TOP - 5, "predicted", size=11, colour=canvas.MUTED, ha="left", va="bottom")

    listed = "; ".join(f"{ROLE[role]}: {words}" for role, words in counts.items())
    return canvas.Panel(measure, f"{SCATTERED[measure]}. {listed}.", SQUARE_TOP + SIDE + 44, paint)


def _inside(lines: list[Line]) -> str:
    if not lines:
        return "none"
    hits = sum(line["lo90"] <= line["observed"] <= line["hi90"] for line in lines)
    return f"{hits} of {len(lines)} inside the interval"


# ------------------------------------------------------------------------------------------------ forest


def differences(table: pd.DataFrame) -> Picture | None:
    """Every published difference between arms beside the predicted one, in points and in SDs.

    Args:
        table: of `validate`.
    """
    found = {measure: _lines(table, measure) for measure in FOREST}
    panels = [_forest_panel(measure, lines) for measure, lines in found.items() if lines]
    return _picture("differences", "Differences between arms: published and predicted", CAPTION_FOREST, panels, 1)


def _reach(line: Line) -> float:
    """Half of the 95 % interval of a published number; 0 where no standard error is known."""
    return SE95 * float(np.nan_to_num(line["observed_se"]))


def _forest_panel(measure: str, lines: list[Line]) -> Panel:
    digits = 1 if measure == "difference" else 2
    ends = [0.0, *(float(line[name]) for line in lines for name in ("lo90", "hi90"))]
    ends += [line["observed"] + sign * _reach(line) for line in lines for sign in (-1, 1)]
    limits = padded(min(ends), max(ends), 0.03)

    def paint(sheet: Sheet) -> None:
        sheet.words(0, 0, FOREST[measure], size=13, bold=True)
        _legend(sheet)
        box = (LABELS, TOP, FULL - LABELS - NUMBERS, PITCH * len(lines))
        plot = Plot(sheet, box, limits, (len(lines), 0))
        plot.x_axis(*ticks(limits, 8), grid=True)
        plot.uprights([0], colour=canvas.INK, width=0.8, dashes=(2.4, 2.4))
        sheet.words(FULL - 150, TOP - 18, "published", size=10.5, colour=canvas.MUTED, ha="right")
        sheet.words(FULL, TOP - 18, "predicted (90 %)", size=10.5, colour=canvas.MUTED, ha="right")
        for number, line in enumerate(lines):
            _forest_line(plot, number, line, digits)

    listed = "; ".join(
        f"{line['trial']} {line['arm']} {line['visit']}: {signed(line['observed'], digits)}, "
        f"predicted {signed(line['predicted'], digits)}"
        for line in lines
    )
    return canvas.Panel(measure, f"{FOREST[measure]}. {listed}.", TOP + PITCH * len(lines) + 30, paint, FULL)


def _legend(sheet: Sheet) -> None:
    left = 0.0
    for role, words in ROLE.items():
        role_mark(sheet, np.array([left + 5, 32.0]), role)
        sheet.words(left + 15, 26, words, size=11, colour=canvas.MUTED)
        left += 40 + 7.2 * len(words)
    sheet.dot(left + 5, 32, 7, canvas.GREEN)
    sheet.words(left + 15, 26, "predicted", size=11, colour=canvas.MUTED)


def _forest_line(plot: Plot, number: int, line: Line, digits: int) -> None:
    sheet, role = plot.sheet, line["role"]
    above, below, middle = number + 0.3, number + 0.68, TOP + PITCH * (number + 0.5)
    if number % 2:
        plot.area(plot.x, number, number + 1, colour=canvas.MUTED, alpha=0.05)
    plot.line([line["lo90"], line["hi90"]], below, colour=canvas.GREEN, width=5, alpha=0.4)
    plot.dot(line["predicted"], below, 7, canvas.GREEN)
    reach = _reach(line)
    plot.line([line["observed"] - reach, line["observed"] + reach], above, colour=ROLE_COLOUR[role], width=1.5)
    role_mark(sheet, plot.at(line["observed"], above), role)
    style: dict[str, Any] = {"size": 11, "va": "center"}
    sheet.words(0, middle, line["trial"], bold=True, **style)
    sheet.words(LABELS - 66, middle, line["arm"], size=10, va="center", ha="right", colour=canvas.MUTED)
    sheet.words(LABELS - 10, middle, line["visit"], ha="right", **style)
    sheet.words(FULL - 150, middle, signed(line["observed"], digits), ha="right", **style)
    low, high = signed(line["lo90"], digits), signed(line["hi90"], digits)
    sheet.words(FULL, middle, f"{signed(line['predicted'], digits)} ({low} to {high})", ha="right", **style)
