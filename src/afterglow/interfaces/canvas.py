"""Drawing surface: panels in pixels, one style, PNG for files and theme-aware SVG for pages.

A picture is a list of panels about as wide as a phone. A page lets them flow (side by side on a desk, stacked on a
phone); a PNG sets them in a grid. Text stays text in SVG, and colours become CSS variables, so that one drawing serves
light and dark pages.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

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

PIXELS_PER_INCH = 72  # one point is one pixel: font sizes below are in pixels
PANEL_WIDTH = 360
MARGIN, GAP, HEAD = 24, 28, 44
HEADING_HEIGHT = 44
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 11,
    "svg.fonttype": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.labelcolor": MUTED,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 10.5,
    "ytick.labelsize": 10.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "ytick.major.pad": 4,
    "lines.solid_capstyle": "round",
    "text.parse_math": False,
}


@dataclass(frozen=True)
class Sheet:
    """A piece of a figure in which places are pixels from its upper left corner."""

    figure: Figure
    size: tuple[float, float]
    left: float = 0
    top: float = 0

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes with the data area at this place."""
        wide, high = self.size
        bottom = self.top + top + height
        return self.figure.add_axes(((self.left + left) / wide, 1 - bottom / high, width / wide, height / high))

    def words(self, left: float, top: float, text: str, **style: Any) -> None:
        """Text with its upper left corner at this place."""
        wide, high = self.size
        style = {"va": "top", "ha": "left", "size": 12} | style
        self.figure.text((self.left + left) / wide, 1 - (self.top + top) / high, text, **style)


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


class Drawing(Figure):
    """A figure that notebooks show by themselves."""

    def _repr_png_(self) -> bytes:
        return _png(self)


def figure(picture: Picture) -> Drawing:
    """The panels in a grid on white."""
    panels, columns = list(picture.panels), min(picture.columns, len(picture.panels))
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    widths = [max(row[k].width for row in rows if k < len(row)) for k in range(columns)]
    heights = [max(panel.height for panel in row) for row in rows]
    wide = sum(widths) + GAP * (columns - 1) + 2 * MARGIN
    high = sum(heights) + GAP * (len(rows) - 1) + 2 * MARGIN + HEAD
    with mpl.rc_context(STYLE):
        made = Drawing(figsize=(wide / PIXELS_PER_INCH, high / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH, facecolor=PAGE)
        Sheet(made, (wide, high)).words(MARGIN, MARGIN, picture.title, size=17, weight="bold")
        top = MARGIN + HEAD
        for row, tall in zip(rows, heights, strict=True):
            left = MARGIN
            for panel, width in zip(row, widths, strict=False):
                panel.draw(Sheet(made, (wide, high), left, top))
                left += width + GAP
            top += tall + GAP
    return made


def png(picture: Picture) -> bytes:
    """The figure as PNG, sharp on dense screens."""
    with mpl.rc_context(STYLE):
        return _png(figure(picture))


def _png(made: Figure) -> bytes:
    buffer = io.BytesIO()
    made.savefig(buffer, format="png", dpi=2 * PIXELS_PER_INCH, metadata={"Software": None})
    return buffer.getvalue()


def svg(panel: Panel) -> str:
    """One panel as inline SVG: no absolute size, no ids shared with others, colours as CSS variables."""
    with mpl.rc_context({**STYLE, "svg.hashsalt": panel.name, "figure.facecolor": "none", "axes.facecolor": "none"}):
        made = Figure(figsize=(panel.width / PIXELS_PER_INCH, panel.height / PIXELS_PER_INCH), dpi=PIXELS_PER_INCH)
        panel.draw(Sheet(made, (panel.width, panel.height)))
        buffer = io.StringIO()
        made.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _tidy(buffer.getvalue(), panel)


def heading(sheet: Sheet, text: str, *, size: float = 13, width: float = PANEL_WIDTH) -> None:
    """A bold heading of one or two lines, on the ground of `HEADING_HEIGHT`."""
    lines = textwrap.wrap(text, int(width / (0.66 * size)), max_lines=2, placeholder=" …")
    for number, line in enumerate(lines):
        sheet.words(0, HEADING_HEIGHT - 4 - (len(lines) - number) * (size + 4), line, size=size, weight="bold")


def bands(axes: Axes, at: FloatArray, quantiles: Mapping[str, FloatArray], colour: str) -> None:
    """Median with the ranges that hold 50, 80 and 90 % of the patients."""
    for low, high, alpha in (("p05", "p95", 0.16), ("p10", "p90", 0.16), ("p25", "p75", 0.24)):
        axes.fill_between(at, quantiles[low], quantiles[high], color=colour, alpha=alpha, linewidth=0)
    axes.plot(at, quantiles["median"], color=colour, linewidth=2)


def clean(axes: Axes, *, ticks: int = 3) -> None:
    """Few ticks, horizontal hairlines, nothing else."""
    from matplotlib.ticker import MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(ticks, min_n_ticks=2))
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)


def _tidy(text: str, panel: Panel) -> str:
    """Matplotlib's SVG without metadata, unused ids, long decimals and fixed colours and fonts."""
    text = text[text.index("<svg") :]
    text = text[text.index(">") + 1 :]
    for waste in (r"<metadata>.*?</metadata>", r"<!--.*?-->", r"<style.*?</style>", r"<defs>\s*</defs>"):
        text = re.sub(waste, "", text, flags=re.DOTALL)
    text = re.sub(r'(?<= )(d|x|y|points|transform)="[^"]*"', lambda found: _short(found.group()), text)
    used = set(re.findall(r"#([\w.-]+)[)\"]", text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{panel.name}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(url\(|href=")#', rf"\1#{panel.name}-", text)
    text = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", text)
    for colour, name in CSS_NAMES.items():
        text = re.sub(colour, f"var(--{name})", text, flags=re.IGNORECASE)
    text = re.sub(r">\s+<", "><", text)
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    size = f'viewBox="0 0 {panel.width} {panel.height}"'
    return f'<svg {spaces} {size} role="img" aria-label="{escape(panel.alt)}">{text}'


def _short(attribute: str) -> str:
    numbers = re.sub(r"-?\d+\.\d+", lambda m: f"{float(m.group()):.1f}".removesuffix(".0"), attribute)
    return re.sub(r" +", " ", numbers.replace("\n", " "))
