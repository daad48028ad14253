"""The first picture: one clock from minutes to weeks, the drug at the top and the mood at the bottom.

One column a course. The tinted times are those with drug in the body. An effect that lives outside the tint is a
reaction to the drug and not its presence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from afterglow.clinic.drugs import DRUGS
from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, padded
from afterglow.interfaces.plot import ticks as round_ticks
from afterglow.interfaces.words import CAPTIONS, signed
from afterglow.study.given import intakes
from afterglow.study.quantities import QUANTITIES, read, read_at
from afterglow.study.tables import QUANTILES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from afterglow.clinic.course import Course
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.simulate import CourseRun

LINEAR_H = 0.4  # the clock is linear up to about here and logarithmic beyond
TICKS = {"10 min": 1 / 6, "1 h": 1, "4 h": 4, "1 d": 24, "3 d": 72, "1 w": 168, "2 w": 336, "4 w": 672, "8 w": 1344}
PRESENT = 0.01  # of the drug's own peak
LEFT, RIGHT, TOP = 40, 14, 80
UNFELT_FROM_H = 4.0  # mood lags behind expectation by an hour; before this their ratio says nothing
KINDS = ("ketamine", "antidepressant", "benzodiazepine")
MOST_POINTS = 600
GROUP: dict[str, Any] = {"size": 10, "colour": canvas.MUTED, "bold": True}
GROUP_HEIGHT = 20


@dataclass(frozen=True)
class Row:
    """One row of the picture: a quantity, as it is or minus the matched control."""

    quantity: str
    label: str
    unit: str
    height: int
    against_control: bool = False
    factor: float = 1.0


BLOOD = {"ketamine": "ketamine", "antidepressant": "antidepressant", "benzodiazepine": "benzodiazepine"}
TARGET = {"ketamine": "nmda", "antidepressant": "transporter", "benzodiazepine": "gaba"}
SHARED = (
    Row("glutamate", "Glutamate", "%", 58, True, 100),
    Row("connectivity", "Connections in the mood circuit", "%", 66, True, 100),
    Row("belief", "Negative belief", "%", 66, True, 100),
    Row("madrs", "Depression score (MADRS)", "points", 104, True),
)


def kind(run: CourseRun) -> str | None:
    """What sort of drug the course studies: "ketamine", "antidepressant", "benzodiazepine", or None."""
    control = run.course.control()
    left = _drugs(control) if control is not None else set()
    kinds = {DRUGS[drug].kind for drug in _drugs(run.course) - left}
    return next((one for one in KINDS if one in kinds), None)


def choose(runs: Mapping[str, CourseRun]) -> list[str]:
    """The arms of the picture: of each sort of drug the course with the fewest sessions."""
    kinds = {arm: kind(run) for arm, run in runs.items() if not arm.endswith("/control")}
    chosen = []
    for wanted in KINDS:
        fitting = [arm for arm in kinds if kinds[arm] == wanted]
        chosen += sorted(fitting, key=lambda arm: len(set(runs[arm].doses["session"])))[:1]
    return chosen


def _drugs(course: Course) -> set[str]:
    return {line.drug for line in (*course.doses, *course.background)}


def picture(runs: Mapping[str, CourseRun]) -> Picture | None:
    """The shared clock of the chosen arms; None when no course gives a drug."""
    columns = [Column(runs[arm], runs.get(f"{arm}/control")) for arm in choose(runs)]
    if not columns:
        return None
    limits = _shared_limits(columns)
    panels = [column.panel(limits) for column in columns]
    return canvas.Picture(
        name="shared-clock",
        title="What remains when the drug is gone",
        caption=CAPTIONS["shared-clock"],
        panels=panels,
        table=pd.concat([column.table() for column in columns], ignore_index=True),
    )


class Column:
    """One course on the clock."""

    def __init__(self, run: CourseRun, control: CourseRun | None) -> None:
        self.run, self.control, self.kind = run, control, kind(run) or "none"
        self.title = run.course.title
        rows = [Row(name, "", "", 58) for name in (BLOOD[self.kind], TARGET[self.kind])]
        self.rows = [*rows, *SHARED]
        self.fine = run.status == 0
        if control is not None:
            self.fine = self.fine & (control.status == 0)
        self.at = _grid(run.time_h)
        self.quantiles = [self._quantiles(row) for row in self.rows]
        self.present = self._present()
        self.unfelt = self._unfelt()

    def _values(self, row: Row) -> NDArray[np.floating] | None:
        if row.quantity not in QUANTITIES:
            return None
        values = read(self.run, row.quantity)
        if values is None or not row.against_control:
            return values
        baseline = values[:, :1] if self.control is None else read(self.control, row.quantity, self.run.time_h)
        return None if baseline is None else (values - baseline) * row.factor

    def _quantiles(self, row: Row) -> dict[str, FloatArray] | None:
        values = self._values(row)
        if values is None or not self.fine.any():
            return None
        if self.kind != "ketamine" and not row.against_control:
            values = self._daily(values)
        found = np.quantile(values[self.fine], list(QUANTILES.values()), axis=0)
        return dict(zip(QUANTILES, found, strict=True))

    def _daily(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Means of the day after the first one: daily doses make ripples that no log clock can show."""
        late = self.run.time_h >= 24
        twice = [read_at(self.run.time_h, values, self.run.time_h[late] + shift) for shift in (-6.0, 6.0)]
        smooth = values.copy()
        smooth[:, late] = (twice[0] + twice[1]) / 2
        return smooth

    def _unfelt(self) -> FloatArray | None:
        """Median MADRS difference had these patients expected no more than under the control; relief adds as logs."""
        if self.control is None or not self.fine.any():
            return None
        time = self.run.time_h
        score, hope = (read(self.run, name) for name in ("madrs", "expectancy"))
        base_score, base_hope = (read(self.control, name, time) for name in ("madrs", "expectancy"))
        if score is None or hope is None or base_score is None or base_hope is None:
            return None
        return np.median((score * np.exp(hope - base_hope) - base_score)[self.fine], axis=0)

    def _present(self) -> list[tuple[float, float]]:
        """Spans (hours) in which the median patient has drug in the body."""
        level = next((q["median"] for q in self.quantiles[:2] if q is not None), None)
        if level is None or level.max() <= 0:
            return []
        on = np.concatenate([[False], level > PRESENT * level.max(), [False]])
        starts, ends = np.flatnonzero(on[1:] & ~on[:-1]), np.flatnonzero(on[:-1] & ~on[1:])
        time = self.run.time_h
        return [
            (float(time[max(a - 1, 0)]), float(time[min(b, len(time) - 1)])) for a, b in zip(starts, ends, strict=True)
        ]

    def panel(self, limits: Sequence[tuple[float, float] | None]) -> Panel:
        """The column as a panel; `limits` are the y ranges that the columns share."""
        height = TOP + sum(row.height + 30 for row in self.rows) + 2 * GROUP_HEIGHT + 28
        return canvas.Panel(f"clock-{self.run.arm}", self.alt(), height, lambda sheet: self._draw(sheet, limits))

    def _draw(self, sheet: Sheet, limits: Sequence[tuple[float, float] | None]) -> None:
        canvas.heading(sheet, self.title, size=14)
        sheet.words(0, canvas.HEADING_HEIGHT, self._lead(), size=11.5, colour=canvas.MUTED)
        top = TOP
        sheet.words(0, top - 2, "THE DRUG", **GROUP)
        top += GROUP_HEIGHT
        for number, (row, quantiles, limit) in enumerate(zip(self.rows, self.quantiles, limits, strict=True)):
            if number == 2:
                sheet.words(0, top + 2, "THE REACTION, against the same patients' control", **GROUP)
                top += GROUP_HEIGHT + 6
            known = QUANTITIES.get(row.quantity)
            label, unit = row.label or (known.label if known else "In blood"), row.unit or (known.unit if known else "")
            sheet.words(0, top, label, size=11.5, bold=True)
            sheet.words(canvas.PANEL_WIDTH - RIGHT, top, unit, size=10.5, colour=canvas.MUTED, ha="right")
            width = canvas.PANEL_WIDTH - LEFT - RIGHT
            box = (LEFT, top + 18, width, row.height)
            colour = canvas.LAYER_COLOUR[known.layer] if known else canvas.MUTED
            self._draw_row(sheet, box, row, quantiles, limit, colour, last=number == len(self.rows) - 1)
            top += row.height + 30

    def _draw_row(self, sheet: Sheet, box, row: Row, quantiles, limit, colour: str, *, last: bool) -> None:
        end_h = float(self.run.time_h[-1])
        if limit is None and quantiles is not None:
            limit = padded(float(quantiles["p05"].min()), float(quantiles["p95"].max()))
        plot = Plot(sheet, box, (0, float(clock(end_h))), limit or (0, 1))
        for start, stop in self.present:
            plot.area(clock(np.array([start, stop])), *plot.y, colour=canvas.ORANGE, alpha=0.13)
        days(plot, end_h)
        if quantiles is None:
            plot.words(plot.x[1] / 2, 0.5, "not recorded", ha="center", va="center", colour=canvas.MUTED)
            axis(plot, end_h, label=last)
            return
        plot.y_axis(*round_ticks(plot.y, 3))
        curves = {name: np.interp(self.at, self.run.time_h, curve) for name, curve in quantiles.items()}
        plot.bands(clock(self.at), curves, colour)
        if row.against_control:
            plot.across(0, colour=canvas.INK, width=0.8, dashes=(2.4, 2.4))
        if row.quantity == "madrs":
            if self.unfelt is not None:
                late = self.at[self.at >= UNFELT_FROM_H]
                plot.control(clock(late), np.interp(late, self.run.time_h, self.unfelt), width=1.3)
                for line, words in ((17, "dashed: with the"), (5, "control's expectation")):
                    place = (plot.left + 0.02 * box[2], plot.foot - line)
                    sheet.words(*place, words, size=9.5, colour=canvas.MUTED, va="bottom")
            self._label_mood(plot, quantiles["median"])
        axis(plot, end_h, label=last)

    def _label_mood(self, plot: Plot, median: FloatArray) -> None:
        end, roof = plot.x[1], plot.y[1]
        for hours in (4, 24, 168, float(self.run.time_h[-1])):
            if hours > self.run.time_h[-1]:
                continue
            x, y = float(clock(hours)), float(np.interp(hours, self.run.time_h, median))
            plot.line(x, [y, 0.72 * roof], colour=canvas.MUTED, width=0.7)
            plot.dot(x, y, 5, canvas.BLUE, edge=canvas.PAGE)
            plot.words(x, roof, signed(y), ha="right" if x > 0.95 * end else "center", size=11, bold=True)

    def _lead(self) -> str:
        if not self.present:
            return ""
        gone = self.present[-1][1] if len(self.present) > 1 or self.present[0][0] > 0 else self.present[0][1]
        if gone >= self.run.time_h[-1] - 24:
            return "Tinted: drug in the body, day after day"
        given = intakes(self.run)
        last = given.loc[given["mg"] > 0, "time_h"].max()
        return f"Tinted: drug in the body, until {_span(gone - last)} after the last dose"

    def alt(self) -> str:
        """The picture in words."""
        mood = self.quantiles[-1]
        words = f"{self.title}. {self._lead()}."
        if mood is None:
            return words
        found = []
        for name, hours in {"4 hours": 4, "day 1": 24, "week 1": 168, "the end": self.run.time_h[-1]}.items():
            if hours <= self.run.time_h[-1]:
                found.append(f"{signed(float(np.interp(hours, self.run.time_h, mood['median'])))} at {name}")
        return f"{words} Median MADRS against control: {', '.join(found)}."

    def table(self) -> pd.DataFrame:
        """Medians and 90 % ranges at the ticks of the clock."""
        rows = []
        hours = [h for h in TICKS.values() if h <= self.run.time_h[-1] + 1]
        for row, quantiles in zip(self.rows, self.quantiles, strict=True):
            if quantiles is None:
                continue
            quantity = QUANTITIES[row.quantity]
            line = {"course": self.run.arm, "quantity": row.label or quantity.label, "unit": row.unit or quantity.unit}
            for name, hour in zip(TICKS, hours, strict=False):
                low, mid, high = (np.interp(hour, self.run.time_h, quantiles[q]) for q in ("p05", "median", "p95"))
                line[name] = f"{_plain(mid)} ({_plain(low)} to {_plain(high)})"
            rows.append(line)
        return pd.DataFrame(rows)


def clock(hours: FloatArray | float) -> FloatArray:
    """Place on the clock: linear in minutes, logarithmic from hours on."""
    return np.arcsinh(np.asarray(hours, dtype=float) / LINEAR_H)


def days(plot: Plot, end_h: float) -> None:
    """Hairlines at a day and a week."""
    plot.uprights([float(clock(hours)) for hours in (24, 168) if hours <= end_h], colour=canvas.GRID, width=0.8)


def axis(plot: Plot, end_h: float, *, label: bool = True) -> None:
    """The clock's ticks."""
    shown = {name: hours for name, hours in TICKS.items() if hours <= end_h + 1}
    plot.x_axis([float(clock(hours)) for hours in shown.values()], list(shown) if label else [])


def _grid(time_h: FloatArray) -> FloatArray:
    """The run's own times; of very many, those that can be told apart on the clock."""
    if len(time_h) <= MOST_POINTS:
        return time_h
    places = clock(time_h)
    cell = np.floor(places / places[-1] * MOST_POINTS)
    keep = np.concatenate([[True], cell[1:] != cell[:-1]])
    keep[-1] = True
    return time_h[keep]


def _shared_limits(columns: Sequence[Column]) -> list[tuple[float, float] | None]:
    """One y range for a row over all columns, so that heights compare; the first row keeps its own."""
    limits: list[tuple[float, float] | None] = [None, (0, 100)]
    for number in range(2, 2 + len(SHARED)):
        found = [column.quantiles[number] for column in columns]
        low = min((float(q["p05"].min()) for q in found if q is not None), default=0.0)
        high = max((float(q["p95"].max()) for q in found if q is not None), default=1.0)
        room = 0.08 * max(high - low, 1e-9)
        limits.append((min(low, 0) - room, max(high, 0) + (3.2 if number == 5 else 1) * room))
    return limits


def _span(hours: float) -> str:
    if hours < 48:
        return f"{hours:.0f} h"
    return f"{hours / 24:.0f} days"


def _plain(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
