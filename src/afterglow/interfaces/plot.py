"""A plot: a box on a sheet with its own scales, ticks and bands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from afterglow.interfaces.canvas import GRID, INK, MUTED, FloatArray, Sheet

TICK_SIZE = 10.5
Range = tuple[float, float]


class Plot:
    """Data drawn into a box of the sheet; nothing is cut off at its edges."""

    def __init__(self, sheet: Sheet, box: tuple[float, float, float, float], x: Range, y: Range) -> None:
        """`box` is left, top, width, height in pixels; `x` are the values at left and right, `y` at foot and top."""
        self.sheet, self.box, self.x, self.y = sheet, box, x, y
        self.left, self.top = box[0], box[1]
        self.right, self.foot = box[0] + box[2], box[1] + box[3]

    def at(self, x: Any, y: Any) -> FloatArray:
        """Places [n, 2] of data."""
        across = self.left + (np.asarray(x, float) - self.x[0]) / (self.x[1] - self.x[0]) * self.box[2]
        up = self.foot - (np.asarray(y, float) - self.y[0]) / (self.y[1] - self.y[0]) * self.box[3]
        return np.stack(np.broadcast_arrays(across, up), axis=-1)

    def line(self, x: Any, y: Any, **style: Any) -> None:
        """A line through data; style as of `Sheet.line`."""
        self.sheet.line(self.at(x, y), **style)

    def area(self, x: Any, low: Any, high: Any, *, colour: str, alpha: float) -> None:
        """What lies between two curves."""
        self.sheet.shape(np.vstack([self.at(x, low), self.at(x, high)[::-1]]), colour=colour, alpha=alpha)

    def bar(self, start: float, end: float, middle: float, height: float, *, colour: str, alpha: float) -> None:
        """A horizontal bar."""
        self.area([start, end], middle - height / 2, middle + height / 2, colour=colour, alpha=alpha)

    def dot(self, x: float, y: float, diameter: float, colour: str, edge: str = "") -> None:
        """A disc; it keeps its size."""
        left, top = self.at(x, y).tolist()
        self.sheet.dot(left, top, diameter, colour, edge)

    def words(self, x: float, y: float, text: str, **style: Any) -> None:
        """Text at a place of the data; style as of `Sheet.words`."""
        left, top = self.at(x, y).tolist()
        self.sheet.words(left, top, text, **style)

    def across(self, y: float, **style: Any) -> None:
        """A horizontal line from edge to edge."""
        self.line(self.x, [y, y], **style)

    def uprights(self, places: Sequence[float] | FloatArray, height: float | None = None, **style: Any) -> None:
        """Vertical lines from the foot, up to the top or `height` pixels high."""
        tall = self.box[3] if height is None else height
        found = [self.at(x, self.y[0]) - np.array([[0.0, 0.0], [0.0, tall]]) for x in places]
        if found:
            self.sheet.line(*found, **style)

    def x_axis(self, places: Sequence[float] | FloatArray, names: Sequence[str], *, grid: bool = False) -> None:
        """The line at the foot; where there are names, also ticks and labels."""
        if grid:
            self.uprights(places, colour=GRID, width=0.7)
        edge = {"colour": MUTED, "width": 0.8}
        self.sheet.line(np.array([[self.left, self.foot], [self.right, self.foot]]), **edge)
        if names:
            self.uprights(places, -3, **edge)
        for x, name in zip(places, names, strict=False):
            self.sheet.words(float(self.at(x, 0)[0]), self.foot + 6.5, name, size=TICK_SIZE, colour=MUTED, ha="center")

    def y_axis(self, places: Sequence[float] | FloatArray, names: Sequence[str], *, grid: bool = True) -> None:
        """Labels at the left, and hairlines."""
        up = [float(self.at(0, y)[1]) for y in places]
        if grid and up:
            lines = [np.array([[self.left, y], [self.right, y]]) for y in up]
            self.sheet.line(*lines, colour=GRID, width=0.7)
        for y, name in zip(up, names, strict=True):
            self.sheet.words(self.left - 4, y, name, size=TICK_SIZE, colour=MUTED, ha="right", va="digits")

    def bands(self, x: FloatArray, quantiles: Mapping[str, FloatArray], colour: str) -> None:
        """Median with the ranges that hold 50, 80 and 90 % of the patients."""
        for low, high, alpha in (("p05", "p95", 0.16), ("p10", "p90", 0.16), ("p25", "p75", 0.24)):
            self.area(x, quantiles[low], quantiles[high], colour=colour, alpha=alpha)
        self.line(x, quantiles["median"], colour=colour, width=2)

    def control(self, x: Any, y: Any, width: float = 1.2) -> None:
        """The dashed line of a control."""
        self.line(x, y, colour=INK, width=width, dashes=(4 * width, 3 * width))


def ticks(limits: Range, most: int, *, whole: bool = False) -> tuple[FloatArray, list[str]]:
    """Round places within the limits, in at most `most` steps (where two fit), and their names."""
    low, high = min(limits), max(limits)
    if not (math.isfinite(low) and math.isfinite(high) and high > low):
        return np.empty(0), []
    power = 10.0 ** (math.floor(math.log10((high - low) / most)) + 1)
    steps = [k * p for p in (power, power / 10, power / 100) for k in (10, 8, 6, 5, 4, 3, 2.5, 2, 1.5, 1)]
    steps = [step for step in steps if not whole or (step >= 1 and step == round(step))] or [1.0]
    widest = min((step for step in steps if (high - low) / step <= most + 1e-9), default=steps[0])
    places, step = _multiples(widest, low, high), widest
    for step in (one for one in steps if one <= widest):
        places = _multiples(step, low, high)
        if len(places) > 1:
            break
    return places, [_name(place, step) for place in places.tolist()]


def _multiples(step: float, low: float, high: float) -> FloatArray:
    slack = 1e-9 * (high - low)
    return np.arange(math.ceil((low - slack) / step), math.floor((high + slack) / step) + 1.0) * step


def _name(value: float, step: float) -> str:
    digits = next((d for d in range(6) if math.isclose(step * 10**d, round(step * 10**d))), 6)
    text = f"{value:.{digits}f}" if 1e-4 <= step < 1e5 else f"{value:.4g}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def padded(low: float, high: float, share: float = 0.05) -> Range:
    """Limits with some room; never empty."""
    room = share * (high - low) or 0.5
    return low - room, high + room
