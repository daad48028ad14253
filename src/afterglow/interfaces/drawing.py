"""Pictures as PNG and as matplotlib figures: the marks of all panels in a grid on white.

PNGs are drawn with matplotlib's renderer alone: its figures, which `plot` gives to notebooks, take four times as long.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import Affine2D

from afterglow.interfaces.canvas import PAGE, Dot, FloatArray, Line, Mark, Picture, Shape, Sheet, Words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PIXELS_PER_INCH = 72  # one point is one pixel: sizes of fonts and lines are in pixels
SHARPNESS = 2  # pixels of a PNG for each of ours, for dense screens
OUTLINE_SIZE = 96  # of letters before they are scaled
MARGIN, GAP, HEAD = 24, 28, 44


@dataclass(frozen=True)
class _Stroke:
    """A path filled with a colour, drawn with an edge, or both."""

    path: Path
    fill: str | None = None
    edge: str | None = None
    width: float = 0.0
    dashes: tuple[float, ...] = ()
    alpha: float = 1.0


def figure(picture: Picture) -> Figure:
    """The picture as a figure of matplotlib, which notebooks show by themselves."""
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch

    class Drawing(Figure):
        def _repr_png_(self) -> bytes:
            return png(picture)

    sheet, wide, high = _laid_out(picture)
    size = (wide / PIXELS_PER_INCH, high / PIXELS_PER_INCH)
    made = Drawing(figsize=size, dpi=PIXELS_PER_INCH, facecolor=PAGE)
    place = Affine2D().scale(1 / wide, -1 / high).translate(0, 1) + made.transFigure
    for one in _strokes(sheet.marks):
        dashes: Any = (0, [length / one.width for length in one.dashes]) if one.dashes else "solid"
        style: dict[str, Any] = {"linewidth": one.width, "linestyle": dashes, "alpha": one.alpha}
        style |= {"facecolor": one.fill or "none", "edgecolor": one.edge or "none"}
        made.add_artist(PathPatch(one.path, capstyle="butt", joinstyle="round", transform=place, **style))
    return made


def png(picture: Picture) -> bytes:
    """The picture as PNG, sharp on dense screens."""
    from PIL import Image

    sheet, wide, high = _laid_out(picture)
    dpi = SHARPNESS * PIXELS_PER_INCH
    renderer = RendererAgg(SHARPNESS * wide, SHARPNESS * high, dpi)  # scales the pen by itself
    place = Affine2D().scale(SHARPNESS, -SHARPNESS).translate(0, SHARPNESS * high)
    page = np.array([[0.0, 0], [wide, 0], [wide, high], [0, high]])
    for one in (_Stroke(_path([page]), fill=PAGE), *_strokes(sheet.marks)):
        pen = renderer.new_gc()
        pen.set_foreground(to_rgb(one.edge or one.fill or PAGE), isRGBA=False)
        pen.set_alpha(one.alpha)
        pen.set_linewidth(one.width if one.edge else 0.0)
        pen.set_capstyle("butt")
        pen.set_joinstyle("round")
        if one.dashes:
            pen.set_dashes(0, list(one.dashes))
        renderer.draw_path(pen, one.path, place, to_rgb(one.fill) if one.fill else None)
    buffer = io.BytesIO()
    # Flat colours pack well with little effort; more takes longer than the drawing.
    image = Image.fromarray(np.ascontiguousarray(np.asarray(renderer.buffer_rgba())[:, :, :3]))
    image.save(buffer, "png", compress_level=3, dpi=(dpi, dpi))
    return buffer.getvalue()


def _laid_out(picture: Picture) -> tuple[Sheet, int, int]:
    """A sheet with all panels and the title, and its width and height."""
    panels, columns = list(picture.panels), min(picture.columns, len(picture.panels))
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    widths = [max(row[k].width for row in rows if k < len(row)) for k in range(columns)]
    heights = [max(panel.height for panel in row) for row in rows]
    sheet = Sheet()
    sheet.words(MARGIN, MARGIN, picture.title, size=17, bold=True)
    top = MARGIN + HEAD
    for row, tall in zip(rows, heights, strict=True):
        left = MARGIN
        for panel, width in zip(row, widths, strict=False):
            panel.draw(Sheet(left, top, sheet.marks))
            left += width + GAP
        top += tall + GAP
    return sheet, sum(widths) + GAP * (columns - 1) + 2 * MARGIN, top - GAP + MARGIN


def _strokes(marks: Sequence[Mark]) -> Iterator[_Stroke]:
    """What to draw; all words of a colour are one path on top, because one path is faster than many."""
    letters: dict[str, list[Path]] = {}
    for mark in marks:
        if isinstance(mark, Words):
            letters.setdefault(mark.colour, []).append(_letters(mark))
        elif isinstance(mark, Dot):
            disc = Path.circle((mark.x, mark.y), mark.diameter / 2)
            yield _Stroke(disc, fill=mark.colour, edge=mark.edge, width=1.0)
        elif isinstance(mark, Shape):
            yield _Stroke(_path(mark.paths), fill=mark.colour, alpha=mark.alpha)
        elif isinstance(mark, Line):
            yield _Stroke(_path(mark.paths), None, mark.colour, mark.width, mark.dashes, mark.alpha)
    for colour, paths in letters.items():
        yield _Stroke(Path.make_compound_path(*paths), fill=colour)


def _letters(mark: Words) -> Path:
    """Outlines of a text at its place."""
    vertices, codes, width = _outlines(mark.text, mark.bold)
    share = mark.size / OUTLINE_SIZE
    left = mark.x - {"left": 0.0, "center": 0.5, "right": 1.0}[mark.ha] * width * share
    return Path(vertices * (share, -share) + (left, mark.y), codes)


@cache
def _outlines(text: str, bold: bool) -> tuple[FloatArray, Any, float]:
    """Outlines of a text at `OUTLINE_SIZE` and its width; the same words stand in many panels."""
    font = FontProperties(family=["DejaVu Sans"], weight="bold" if bold else "normal", size=OUTLINE_SIZE)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    vertices, codes = text_to_path.get_text_path(font, text)
    return np.asarray(vertices, float).reshape(-1, 2), codes, width


def _path(paths: Sequence[FloatArray]) -> Path:
    codes = np.full(sum(map(len, paths)), Path.LINETO, dtype=Path.code_type)
    codes[np.cumsum([0, *map(len, paths)])[:-1]] = Path.MOVETO
    return Path(np.vstack(paths), codes)
