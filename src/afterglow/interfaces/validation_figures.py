"""The pictures of the validation, as files: published numbers upon what the model would have trials publish.

`draw` makes them all. Filled marks were fitted, open ones were not; in pictures of the table fitted, checked and other
numbers differ in shape and colour. The same seed gives the same bytes.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from afterglow.data import answered_rows, trial
from afterglow.data import trials as all_trials
from afterglow.data.outcome_schema import MEASURES, Outcome
from afterglow.interfaces import canvas, drawing
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.interfaces.validation_marks import SE95, diamond, differences, observed_predicted
from afterglow.study import predictive

if TYPE_CHECKING:
    from afterglow.data.trial_schema import TrialRecord
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.study.predictive import Curve, Ratio, Relapse, Replicated

LEAST_POINTS = 3  # published points that make a picture over time
WIDE = 560  # of panels that stand two in a row
MARGIN, GAP, TITLE_HEIGHT, LINE_HEIGHT = 24, 28, 22, 17
DAY_H, WEEK_D = 24.0, 7
FONT = "DejaVu Sans, Verdana, sans-serif"
FIRST_DAY = 0.4  # share of an axis that the first day takes where something was seen in it
MEASURE_COLOUR = {"change": canvas.BLUE, "mean": canvas.BLUE, "difference": canvas.RED, "response": canvas.GREEN}
WORDS = {
    "mean": "mean score, points",
    "change": "change from baseline, points",
    "difference": "difference in change, points",
    "response": "response, %",
    "sd": "SD of scores over patients, points",
    "change_sd": "SD of changes over patients, points",
    "remission": "remission, %",
}
CAPTION_TRIAL = (
    "Line: median of the model. Bands: 50 and 90 % over the posterior and what trials have of their own; palest: where "
    "9 of 10 trials of this size would publish their number. Dots: published, ± 1.96 SE; filled: fitted, open: not."
)
CAPTION_VPC = (
    "The trial repeated with its number of patients, scores rounded as rated: median, middle 50 and 90 % of the "
    "repeats, over the posterior and what trials have of their own. Dots: published, ± 1.96 SE."
)
CAPTION_RELAPSE = (
    "Share without relapse (product limit). Line: median of the model. Bands: 50 and 90 % over the posterior and what "
    "trials have of their own; palest: 90 % of repeats with the trial's number of patients. Dots: published crude "
    "shares, ± 1.96 SE, drawn at the end where no time is given; red diamond: published median."
)
Progress = Callable[[float], None]
Point = tuple[float, float, float]  # value, low, high


def draw(
    folder: Path,
    table: pd.DataFrame,
    trials: Sequence[str] | None = None,
    draws: int = 24,
    patients: int = 128,
    seed: int = 1,
    progress: Progress | None = None,
    variant: str | None = None,
) -> list[Path]:
    """Draw all pictures into a folder, which is made where it is missing.

    Args:
        folder: where.
        table: of `validate`, also of trials predicted unseen.
        trials: ids; None for all that can be simulated. Those with too little to draw are passed over.
        draws: draws of the posterior.
        patients: virtual patients an arm.
        seed: of the draws, the virtual patients and their luck.
        progress: called with the share done.
        variant: a rival mechanism.

    Returns:
        The files, in the order in which they were made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    chosen = [trial(name) for name in trials] if trials else [t for t in all_trials().values() if t.simulate]
    made: list[Path] = []

    def keep(picture: Picture | None) -> None:
        if picture is not None:
            made.append(folder / f"{picture.name}.svg")
            made[-1].write_text(page(picture), encoding="utf-8")

    scatter = observed_predicted(table)
    keep(scatter)
    if scatter is not None:
        made.append(folder / f"{scatter.name}.png")
        made[-1].write_bytes(drawing.png(scatter))
    keep(differences(table))
    asked: dict[str, Any] = {"draws": draws, "patients": patients, "seed": seed, "variant": variant}
    for number, record in enumerate(chosen):
        if sum(map(len, predictive.level_rows(record))) >= LEAST_POINTS:
            keep(over_time(record, predictive.curves(record, **asked)))
        keep(replicated(record, predictive.replicates(record, **asked)))
        keep(relapse(record, *predictive.relapses(record, **asked)))
        if progress:
            progress((number + 1) / len(chosen))
    return made


# ------------------------------------------------------------------------------------------------ pages


def page(picture: Picture) -> str:
    """A picture as an SVG file of its own: title, caption, panels in rows, fixed colours on a light page."""
    panels, columns = list(picture.panels), min(picture.columns, len(picture.panels))
    rows = [panels[i : i + columns] for i in range(0, len(panels), columns)]
    wide = max(sum(panel.width for panel in row) + GAP * (len(row) - 1) for row in rows)
    wide = max(wide, WIDE) + 2 * MARGIN
    title = textwrap.wrap(picture.title, int((wide - 2 * MARGIN) / 11))
    caption = textwrap.wrap(picture.caption, int((wide - 2 * MARGIN) / 6.4))
    below = MARGIN + 14 + TITLE_HEIGHT * len(title)
    top, placed = below + LINE_HEIGHT * len(caption) + 8, []
    for row in rows:
        left = MARGIN
        for panel in row:
            place = f'<svg x="{left}" y="{top}" width="{panel.width}" height="{panel.height}" '
            placed.append(canvas.svg(panel).replace("<svg ", place, 1))
            left += panel.width + GAP
        top += max(panel.height for panel in row) + GAP
    texts = [
        _text(MARGIN, MARGIN + 14 + TITLE_HEIGHT * number, line, 17, canvas.INK, "700")
        for number, line in enumerate(title)
    ]
    for number, line in enumerate(caption):
        texts.append(_text(MARGIN, below + LINE_HEIGHT * number, line, 12, canvas.MUTED, "400"))
    size = f'width="{wide}" height="{top}" viewBox="0 0 {wide} {top}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{FONT}">'
    whole = "\n".join([head, f'<rect width="100%" height="100%" fill="{canvas.PAGE}"/>', *texts, *placed, "</svg>\n"])
    for colour, name in canvas.CSS_NAMES.items():
        whole = whole.replace(f"var(--{name})", colour)
    return whole.replace("var(--sans)", FONT)


def _text(x: float, y: float, words: str, size: float, colour: str, weight: str) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(words)}</text>'


def _picture(name: str, title: str, caption: str, panels: Sequence[Panel], columns: int) -> Picture:
    return canvas.Picture(name, title, caption, panels, pd.DataFrame(), columns)


def _title(record: TrialRecord) -> str:
    return f"{record.id}: {record.title}"


def _whiskers(row: Outcome) -> Point:
    """A published value with ± 1.96 SE, rates within 0 and 100."""
    reach = SE95 * (row.se or 0.0)
    ends = np.array([row.value - reach, row.value + reach])
    low, high = np.clip(ends, 0, 100) if MEASURES[row.measure].percent else ends
    return row.value, float(low), float(high)


def _published(plot: Plot, x: float, point: Point, *, filled: bool) -> None:
    value, low, high = point
    plot.line(x, [low, high], colour=canvas.INK, width=1.3)
    plot.dot(x, value, 6.5, canvas.INK if filled else canvas.PAGE, edge=canvas.INK)


def _roles() -> dict[tuple[str, str], str]:
    return {(one.trial, one.row): one.role for one in answered_rows()}


# ------------------------------------------------------------------------------------------------ over time


class Clock:
    """A time axis: even, or with more room for the first day where something was seen in it."""

    def __init__(self, end_h: float, *, early: bool) -> None:
        self.end_h, self.broken = end_h, early and end_h > 2 * DAY_H

    def at(self, hours: Any) -> FloatArray:
        """Places from 0 to 1."""
        h = np.asarray(hours, float)
        if not self.broken:
            return h / self.end_h
        later = FIRST_DAY + (1 - FIRST_DAY) * (h - DAY_H) / (self.end_h - DAY_H)
        return np.where(h < DAY_H, FIRST_DAY * h / DAY_H, later)

    def axis(self, plot: Plot) -> None:
        """Ticks in hours for the first day, days or weeks beyond."""
        days = self.end_h / DAY_H
        step = next(step for step in (1, 2, 7, 14, 28, 56, 112) if days / step <= 5.2)
        later = [d for d in np.arange(step, days + 0.01, step) if not self.broken or d > 0.25 * step + 1]
        names = {d * DAY_H: f"{d / WEEK_D:g} wk" if step >= WEEK_D else f"{d:g} d" for d in later}
        if days <= 2:
            shown = (1, 2, 3, 4, 6) if self.end_h <= 6 else (4, 12, 24, 36, 48)
            names = {float(h): f"{h:g} h" for h in shown if h <= self.end_h}
        elif self.broken:
            names = {4.0: "4 h", 12.0: "12 h", DAY_H: "1 d", **names}
        names = {0.0: "0", **names}
        if self.broken:
            plot.area([0, FIRST_DAY], *plot.y, colour=canvas.MUTED, alpha=0.07)
        plot.x_axis(self.at(list(names)), list(names.values()))


def over_time(record: TrialRecord, curves: Sequence[Curve]) -> Picture | None:
    """Bands over time with the published points, one panel an arm (or pair) and measure."""
    if not curves:
        return None
    roles = _roles()
    limits = {m: _limits([c for c in curves if c.rows[0].measure == m]) for m in {c.rows[0].measure for c in curves}}
    panels = [_curve_panel(record.id, curve, limits[curve.rows[0].measure], roles) for curve in curves]
    return _picture(f"trial_{record.id}", _title(record), CAPTION_TRIAL, panels, 3)


def _limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """One range of values for all panels of a measure, so that heights compare."""
    if MEASURES[curves[0].rows[0].measure].percent:
        return 0.0, 100.0
    ends = [end for c in curves for row in c.rows for end in _whiskers(row)]
    ends += [float(c.bands[q].min()) for c in curves for q in ("p05", "p95")]
    ends += [float(c.bands[q].max()) for c in curves for q in ("p05", "p95")]
    ends += [float(end) for c in curves if c.scatter is not None for end in (c.scatter.min(), c.scatter.max())]
    return padded(min(ends), max(ends))


def _curve_panel(name: str, curve: Curve, limits: tuple[float, float], roles: Mapping[tuple[str, str], str]) -> Panel:
    first, times = curve.rows[0], [row.time_h or 0.0 for row in curve.rows]
    colour, x = MEASURE_COLOUR[first.measure], Clock(float(curve.time_h[-1]), early=times[0] <= DAY_H)
    label = first.arm if first.versus is None else f"{first.arm} v {first.versus}"
    at = x.at(curve.time_h)

    def paint(sheet: Sheet) -> None:
        sheet.words(0, 0, label, size=13, bold=True)
        scale = "" if MEASURES[first.measure].percent else f" ({first.scale})"
        sheet.words(0, 19, WORDS[first.measure] + scale, size=11, colour=canvas.MUTED)
        plot = Plot(sheet, (34, 42, canvas.PANEL_WIDTH - 54, 150), (0, 1), limits)
        plot.y_axis(*ticks(limits, 5))
        x.axis(plot)
        if curve.scatter is not None:
            plot.area(at, *curve.scatter, colour=colour, alpha=0.12)
        for low, high, alpha in (("p05", "p95", 0.2), ("p25", "p75", 0.28)):
            plot.area(at, curve.bands[low], curve.bands[high], colour=colour, alpha=alpha)
        plot.line(at, curve.bands["median"], colour=colour, width=2)
        if first.measure == "difference":
            plot.across(0, colour=canvas.INK, width=0.8, dashes=(2.4, 2.4))
        for time, row in zip(times, curve.rows, strict=True):
            _published(plot, float(x.at(time)), _whiskers(row), filled=roles.get((name, row.key)) == "fit")

    found = "; ".join(f"{t:g} h: published {row.value:g}" for t, row in zip(times, curve.rows, strict=True))
    return canvas.Panel(f"{first.measure}-{label}", f"{label}, {WORDS[first.measure]}. {found}.", 216, paint)


# ------------------------------------------------------------------------------------------------ replicates


def replicated(record: TrialRecord, lines: Sequence[Replicated]) -> Picture | None:
    """Repeats of the trial by arm and visit, one panel a statistic."""
    order = predictive.REPLICATED
    ordered = sorted(lines, key=lambda line: order.index(line.measure))
    panels = [_replicate_panel(list(found)) for _, found in groupby(ordered, key=lambda line: line.measure)]
    return _picture(f"vpc_{record.id}", _title(record), CAPTION_VPC, panels, 2) if panels else None


def _hours(time_h: float) -> str:
    return f"{time_h:g} h" if time_h < 2 * DAY_H else f"{time_h / DAY_H:g} d"


def _replicate_panel(lines: Sequence[Replicated]) -> Panel:
    measure = lines[0].measure
    points = [_around(line) for line in lines]
    ends = [end for line in lines for end in (line.bands["p05"], line.bands["p95"])]
    ends += [end for point in points if point is not None for end in point]
    limits = (0.0, 100.0) if MEASURES[measure].percent else padded(min(ends), max(ends))
    arms = {arm: len(list(found)) for arm, found in groupby(line.arm for line in lines)}
    crowded = any(0.75 * 10.5 * len(arm) > count / len(lines) * (WIDE - 50) for arm, count in arms.items())

    def paint(sheet: Sheet) -> None:
        sheet.words(0, 0, WORDS[measure], size=13, bold=True)
        plot = Plot(sheet, (36, 24, WIDE - 50, 190), (-0.6, len(lines) - 0.4), limits)
        plot.y_axis(*ticks(limits, 5))
        plot.x_axis(range(len(lines)), [_hours(line.time_h) for line in lines])
        start = 0
        for number, (arm, count) in enumerate(arms.items()):
            if number:
                plot.uprights([start - 0.5], colour=canvas.MUTED, width=0.8, dashes=(2.4, 2.4))
            middle = float(plot.at(start + (count - 1) / 2, 0)[0])
            below = plot.foot + 24 + (30 if crowded and number % 2 else 0)
            sheet.words(middle, below, arm, size=10.5, ha="center", bold=True)
            sheet.words(middle, below + 14, f"n {lines[start].n}", size=10, colour=canvas.MUTED, ha="center")
            start += count
        half = min(0.3, 22 * len(lines) / plot.box[2])
        for place, (line, point) in enumerate(zip(lines, points, strict=True)):
            x = [place - half, place + half]
            for low, high, alpha in (("p05", "p95", 0.25), ("p25", "p75", 0.35)):
                plot.area(x, line.bands[low], line.bands[high], colour=canvas.BLUE, alpha=alpha)
            plot.line(x, line.bands["median"], colour=canvas.BLUE, width=2)
            if point is not None:
                _published(plot, place, point, filled=True)

    listed = "; ".join(
        f"{line.arm} {_hours(line.time_h)}: {line.bands['median']:.3g}, published {line.value:g}"
        for line in lines
        if line.value is not None
    )
    return canvas.Panel(measure, f"{WORDS[measure]}. {listed}.", 24 + 190 + (88 if crowded else 58), paint, WIDE)


def _around(line: Replicated) -> Point | None:
    if line.value is None:
        return None
    reach = SE95 * (line.se or 0.0)
    ends = np.array([line.value - reach, line.value + reach])
    low, high = np.clip(ends, 0, 100) if MEASURES[line.measure].percent else ends
    return line.value, float(low), float(high)


# ------------------------------------------------------------------------------------------------ relapse


def relapse(record: TrialRecord, found: Sequence[Relapse], ratios: Sequence[Ratio]) -> Picture | None:
    """Share still well over time, one panel an arm, with published shares, medians and hazard ratios."""
    panels = [_relapse_panel(record, one, [r for r in ratios if r.row.arm == one.arm]) for one in found]
    return _picture(f"relapse_{record.id}", _title(record), CAPTION_RELAPSE, panels, 2) if panels else None


def _steps(days: FloatArray, *shares: FloatArray) -> tuple[FloatArray, ...]:
    """Times and values of curves that fall at visits."""
    return np.repeat(days, 2)[1:], *(np.repeat(share, 2)[:-1] for share in shares)


def _relapse_panel(record: TrialRecord, one: Relapse, ratios: Sequence[Ratio]) -> Panel:
    assert record.simulate is not None
    rule = record.simulate.rules.relapse
    assert rule is not None
    end, roles = float(one.days[-1]), _roles()
    days = [end if row.time_h is None else (row.time_h - rule.from_h) / DAY_H for row in one.rows]
    notes = [_ratio_words(ratio) for ratio in ratios]

    def paint(sheet: Sheet) -> None:
        sheet.words(0, 0, f"{one.arm}, n {one.n}", size=13, bold=True)
        sheet.words(0, 19, "; ".join(["still well, %", *notes]), size=11, colour=canvas.MUTED)
        plot = Plot(sheet, (36, 42, WIDE - 60, 190), (0, end * 1.01), (0, 102))
        plot.y_axis(*ticks((0, 100), 5))
        plot.x_axis(*ticks((0, end), 7))
        sheet.words(plot.right, plot.foot + 22, "days observed", size=10.5, colour=canvas.MUTED, ha="right")
        x, low, high = _steps(one.days, *one.scatter)
        plot.area(x, low, high, colour=canvas.GREEN, alpha=0.12)
        for first, second, alpha in (("p05", "p95", 0.2), ("p25", "p75", 0.28)):
            x, low, high = _steps(one.days, one.bands[first], one.bands[second])
            plot.area(x, low, high, colour=canvas.GREEN, alpha=alpha)
        plot.line(*_steps(one.days, one.bands["median"]), colour=canvas.GREEN, width=2)
        for row in one.rows:
            if row.measure == "relapse_median_days":
                sheet.shape(diamond(plot.at(row.value, 50), 14), colour=canvas.RED)
        for day, row in zip(days, one.rows, strict=True):
            if row.measure == "relapse":
                value, near, far = _whiskers(row)
                point = (100 - value, 100 - far, 100 - near)
                _published(plot, day, point, filled=roles.get((record.id, row.key)) == "fit")

    published = "; ".join(f"{row.measure} {row.value:g}" for row in one.rows)
    middle = one.bands["median"][-1]
    alt = f"{one.arm}: {middle:.0f} % still well after {end:.0f} days (median); published: {published}. "
    return canvas.Panel(one.arm, alt + " ".join(notes), 42 + 190 + 44, paint, WIDE)


def _ratio_words(ratio: Ratio) -> str:
    row, bands = ratio.row, ratio.bands
    interval = f" ({row.ci95[0]:g}–{row.ci95[1]:g})" if row.ci95 else ""
    predicted = f"{bands['median']:.2f} ({bands['p05']:.2f}–{bands['p95']:.2f})"
    return f"hazard ratio v {row.versus}: published {row.value:g}{interval}, predicted {predicted}"
