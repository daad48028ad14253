"""Forest panels: one line an arm, with an interval or with bands over patients.

Labels stand above their lines, so that a panel fits a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import MaxNLocator

from afterglow.interfaces import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes

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
        sheet.words(0, 2, title, size=13, weight="bold")
        axes = sheet.axes(8, TOP, canvas.PANEL_WIDTH - 8 - wide, PITCH * len(marks))
        _prepare(axes, frame, len(marks))
        ends = (
            (canvas.PANEL_WIDTH - RIGHT - 42, canvas.PANEL_WIDTH - RIGHT)
            if wide > NUMBERS
            else (canvas.PANEL_WIDTH - RIGHT,)
        )
        for end, head in zip(ends, frame.heads, strict=False):
            sheet.words(end, TOP - 8, head, size=9.5, color=canvas.MUTED, ha="right")
        for number, mark in enumerate(marks):
            _draw(axes, number + 0.68, mark, frame.colour)
            middle = TOP + PITCH * (number + 0.68)
            sheet.words(8, TOP + PITCH * number + 4, mark.label, size=11)
            for end, text in zip(ends, (mark.text, mark.second), strict=False):
                sheet.words(end, middle, text, size=12, weight="bold", ha="right", va="center")

    listed = "; ".join(f"{mark.label} {mark.text}" + (f" ({mark.second})" if mark.second else "") for mark in marks)
    names = " and ".join(head for head in frame.heads if head)
    words = f"{frame.title}{f' ({frame.unit})' if frame.unit else ''}{f', {names}' if names else ''}: {listed}."
    return canvas.Panel(frame.name, words, TOP + PITCH * len(marks) + 26, draw)


def _prepare(axes: Axes, frame: Frame, count: int) -> None:
    axes.set_xlim(*frame.limits)
    axes.set_ylim(count - 0.04, -0.12)
    axes.set_yticks([])
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.grid(axis="x", color=canvas.GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    if frame.zero:
        axes.axvline(0, color=canvas.INK, linewidth=0.8, dashes=(3, 3))


def _draw(axes: Axes, y: float, mark: Mark, colour: str) -> None:
    if mark.bands is not None:
        for low, high, alpha in (("p05", "p95", 0.18), ("p10", "p90", 0.2), ("p25", "p75", 0.3)):
            axes.barh(
                y, mark.bands[high] - mark.bands[low], 0.3, mark.bands[low], color=colour, alpha=alpha, linewidth=0
            )
        axes.plot([mark.value, mark.value], [y - 0.15, y + 0.15], color=colour, linewidth=2.5, solid_capstyle="butt")
        return
    if np.isfinite(mark.ghost):
        axes.plot([mark.ghost, mark.value], [y, y], color=colour, linewidth=1, alpha=0.45)
        ring = {"markersize": 6.5, "markerfacecolor": canvas.PAGE, "markeredgecolor": colour, "clip_on": False}
        axes.plot([mark.ghost], [y], "o", **ring)
    if np.isfinite(mark.low):
        axes.plot([mark.low, mark.high], [y, y], color=colour, linewidth=5, alpha=0.4, solid_capstyle="butt")
    axes.plot([mark.value], [y], "o", color=colour, markersize=7.5, clip_on=False)
