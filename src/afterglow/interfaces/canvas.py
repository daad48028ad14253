"""Drawing surface: marks in pixels, written as theme-aware SVG for pages; `drawing` shows the same marks as PNG.

A picture is a list of panels about as wide as a phone. A page lets them flow (side by side on a desk, stacked on a
phone); a PNG sets them in a grid. A panel draws four sorts of marks on a sheet: lines, shapes, dots and words. In SVG
text stays text, and colours become CSS variables, so that one drawing serves light and dark pages.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Dashes = tuple[float, ...]

# Okabe-Ito, told apart by colour-blind readers; a page may replace each by a tone for dark backgrounds.
INK, MUTED, GRID, PAGE = "#1f2328", "#5d6871", "#dfe3e6", "#fefefe"
ORANGE, SKY, GREEN, BLUE, RED, PINK = "#e69f00", "#56b4e9", "#009e73", "#0072b2", "#d55e00", "#cc79a7"
LAYER_COLOUR = {"drug": RED, "target": ORANGE, "plasticity": GREEN, "mind": PINK, "mood": BLUE, "safety": RED}
CSS_NAMES = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    PAGE: "page",
    ORANGE: "orange",
    SKY: "sky",
    GREEN: "green",
    BLUE: "blue",
    RED: "red",
    PINK: "pink",
}

PANEL_WIDTH = 360
HEADING_HEIGHT = 44
# Of the size of a font: height of its ascenders, depth of its descenders, half the height of its digits.
ASCENT, DESCENT, HALF_DIGIT = 0.76, 0.236, 0.365
BASELINE = {"top": ASCENT, "baseline": 0.0, "bottom": -DESCENT, "center": (ASCENT - DESCENT) / 2, "digits": HALF_DIGIT}
ANCHOR = {"left": "start", "center": "middle", "right": "end"}


@dataclass(frozen=True)
class Line:
    """Lines through points [n, 2]; `dashes` are lengths on and off."""

    paths: Sequence[FloatArray]
    colour: str
    width: float = 1.0
    dashes: Dashes = ()
    alpha: float = 1.0


@dataclass(frozen=True)
class Shape:
    """Filled polygons with these corners [n, 2]."""

    paths: Sequence[FloatArray]
    colour: str
    alpha: float = 1.0


@dataclass(frozen=True)
class Dot:
    """A disc with an edge of one pixel."""

    x: float
    y: float
    diameter: float
    colour: str
    edge: str


@dataclass(frozen=True)
class Words:
    """One line of text; `y` is its baseline, `ha` the end that stands at `x`: left, center or right."""

    x: float
    y: float
    text: str
    size: float
    colour: str
    bold: bool
    ha: str


Mark = Line | Shape | Dot | Words


@dataclass(frozen=True)
class Sheet:
    """A surface in which places are pixels from its upper left corner; it collects marks, the last one on top."""

    left: float = 0.0
    top: float = 0.0
    marks: list[Mark] = field(default_factory=list)

    def line(
        self, *paths: FloatArray, colour: str, width: float = 1.0, dashes: Dashes = (), alpha: float = 1.0
    ) -> None:
        """Lines through these points."""
        self.marks.append(Line([np.add(path, (self.left, self.top)) for path in paths], colour, width, dashes, alpha))

    def shape(self, *paths: FloatArray, colour: str, alpha: float = 1.0) -> None:
        """Filled polygons with these corners."""
        self.marks.append(Shape([np.add(path, (self.left, self.top)) for path in paths], colour, alpha))

    def dot(self, x: float, y: float, diameter: float, colour: str, edge: str = "") -> None:
        """A disc around this place."""
        self.marks.append(Dot(self.left + x, self.top + y, diameter, colour, edge or colour))

    def words(
        self,
        x: float,
        y: float,
        text: str,
        size: float = 12,
        colour: str = INK,
        bold: bool = False,
        ha: str = "left",
        va: str = "top",
    ) -> None:
        """Text that has its side `ha` and its height `va` (see `BASELINE`) at this place."""
        base = self.top + y + BASELINE[va] * size
        self.marks.append(Words(self.left + x, base, text, size, colour, bold, ha))


@dataclass(frozen=True)
class Panel:
    """One drawing of `width` x `height` pixels: `draw(sheet)` fills a sheet of that size. `alt` says what it shows."""

    name: str
    alt: str
    height: int
    draw: Callable[[Sheet], None]
    width: int = PANEL_WIDTH


@dataclass(frozen=True)
class Picture:
    """A figure of the report: panels, words and the numbers behind them."""

    name: str
    title: str
    caption: str
    panels: Sequence[Panel]
    table: pd.DataFrame
    columns: int = 3


def heading(sheet: Sheet, text: str, *, size: float = 13, width: float = PANEL_WIDTH) -> None:
    """A bold heading of one or two lines, on the ground of `HEADING_HEIGHT`."""
    lines = textwrap.wrap(text, int(width / (0.66 * size)), max_lines=2, placeholder=" …")
    for number, line in enumerate(lines):
        sheet.words(0, HEADING_HEIGHT - 4 - (len(lines) - number) * (size + 4), line, size=size, bold=True)


# ------------------------------------------------------------------------------------------------ SVG


def svg(panel: Panel) -> str:
    """One panel as inline SVG: no absolute size, no ids, colours as CSS variables."""
    sheet = Sheet()
    panel.draw(sheet)
    drawn = "\n".join(map(_element, sheet.marks))
    size = f'viewBox="0 0 {panel.width} {panel.height}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(panel.alt)}">'
    return f'{start}<g style="font-family: var(--sans)">\n{drawn}\n</g></svg>'


def _element(mark: Mark) -> str:
    colour = f"var(--{CSS_NAMES[mark.colour]})"
    if isinstance(mark, Words):
        weight = "; font-weight: 700" if mark.bold else ""
        style = f"font-size: {mark.size:g}px; text-anchor: {ANCHOR[mark.ha]}; fill: {colour}{weight}"
        return f'<text x="{mark.x:.5g}" y="{mark.y:.5g}" style="{style}">{escape(mark.text)}</text>'
    if isinstance(mark, Dot):
        style = f"fill: {colour}; stroke: var(--{CSS_NAMES[mark.edge]})"
        return f'<circle cx="{mark.x:.5g}" cy="{mark.y:.5g}" r="{mark.diameter / 2:g}" style="{style}"/>'
    opacity = "" if mark.alpha == 1 else f"; opacity: {mark.alpha:g}"
    if isinstance(mark, Shape):
        return f'<path d="{"".join(_way(path) + "Z" for path in mark.paths)}" style="fill: {colour}{opacity}"/>'
    dashes = f"; stroke-dasharray: {' '.join(f'{one:g}' for one in mark.dashes)}" if mark.dashes else ""
    style = f"fill: none; stroke: {colour}; stroke-width: {mark.width:g}{dashes}{opacity}"
    return f'<path d="{"".join(map(_way, mark.paths))}" style="{style}"/>'


def _way(path: FloatArray) -> str:
    """The points of a path, to a tenth of a pixel."""
    return "M" + ("%g %g " * len(path)) % tuple(np.round(path, 1).ravel().tolist())
