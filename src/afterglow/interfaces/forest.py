"""Forest panels: one line an arm, with an interval or with bands over patients.

Labels stand above their lines, so that a panel fits a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, ticks

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import Panel, Sheet

PITCH, TOP, RIGHT, NUMBERS = 36, 30, 14, 62


@dataclass(frozen=True)
class Mark:
    """One line: a value with its interval, or with bands over patients.

    `ghost` is an earlier value, drawn as an open ring; `text` and `second` are printed at the right.
    """

    label: str
    value: float
    text: str
    low: float = np.nan
    high: float = np.nan
    ghost: float = np.nan
    bands: Mapping[str, float] | None = None
    second: str = ""


@dataclass(frozen=True)
class Frame:
    """What all lines of a panel share; `heads` stand over the numbers at the right."""

    name: str
    title: str
    unit: str
    limits: tuple[float, float]
    colour: str
    zero: bool = False
    heads: tuple[str, str] = ("", "")


def panel(frame: Frame, marks: Sequence[Mark]) -> Panel:
    """The panel of these lines."""
    wide = NUMBERS + (34 if any(mark.second for mark in marks) else 0)

    def draw(sheet: Sheet) -> None:
        title = f"{frame.title}, {frame.unit}" if frame.unit else frame.title
        sheet.words(0, 2, title, size=13, bold=True)
        box = (8, TOP, canvas.PANEL_WIDTH - 8 - wide, PITCH * len(marks))
        plot = Plot(sheet, box, frame.limits, (len(marks) - 0.04, -0.12))
        plot.x_axis(*ticks(frame.limits, 5, whole=True), grid=True)
        if frame.zero:
            plot.uprights([0], colour=canvas.INK, width=0.8, dashes=(2.4, 2.4))
        ends = (
            (canvas.PANEL_WIDTH - RIGHT - 42, canvas.PANEL_WIDTH - RIGHT)
            if wide > NUMBERS
            else (canvas.PANEL_WIDTH - RIGHT,)
        )
        for end, head in zip(ends, frame.heads, strict=False):
            sheet.words(end, TOP - 8, head, size=9.5, colour=canvas.MUTED, ha="right")
        for number, mark in enumerate(marks):
            _draw(plot, number + 0.68, mark, frame.colour)
            middle = TOP + PITCH * (number + 0.68)
            sheet.words(8, TOP + PITCH * number + 4, mark.label, size=11)
            for end, text in zip(ends, (mark.text, mark.second), strict=False):
                sheet.words(end, middle, text, size=12, bold=True, ha="right", va="center")

    listed = "; ".join(f"{mark.label} {mark.text}" + (f" ({mark.second})" if mark.second else "") for mark in marks)
    names = " and ".join(head for head in frame.heads if head)
    words = f"{frame.title}{f' ({frame.unit})' if frame.unit else ''}{f', {names}' if names else ''}: {listed}."
    return canvas.Panel(frame.name, words, TOP + PITCH * len(marks) + 26, draw)


def _draw(plot: Plot, y: float, mark: Mark, colour: str) -> None:
    if mark.bands is not None:
        for low, high, alpha in (("p05", "p95", 0.18), ("p10", "p90", 0.2), ("p25", "p75", 0.3)):
            plot.bar(mark.bands[low], mark.bands[high], y, 0.3, colour=colour, alpha=alpha)
        plot.line(mark.value, [y - 0.15, y + 0.15], colour=colour, width=2.5)
        return
    if np.isfinite(mark.ghost):
        plot.line([mark.ghost, mark.value], y, colour=colour, alpha=0.45)
        plot.dot(mark.ghost, y, 6.5, canvas.PAGE, edge=colour)
    if np.isfinite(mark.low):
        plot.line([mark.low, mark.high], y, colour=colour, width=5, alpha=0.4)
    plot.dot(mark.value, y, 7.5, colour)
