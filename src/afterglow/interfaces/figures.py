"""The pictures of a comparison, each a list of panels with its caption and the table behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from afterglow.clinic.scale import remission_cut
from afterglow.interfaces import canvas, clock, forest
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.interfaces.words import CAPTIONS, signed, visit_words
from afterglow.study import tables
from afterglow.study.given import intakes
from afterglow.study.quantities import QUANTITIES, read
from afterglow.study.tables import QUANTILES

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.simulate import CourseRun

    Runs = Mapping[str, CourseRun]
    Quantiles = Mapping[str, FloatArray]

LEFT, RIGHT, DRUG_HEIGHT = 34, 14, 66
WEEK_H = 168.0


def pictures(runs: Runs, results: Mapping[str, pd.DataFrame], first: Runs, interval_words: str) -> list[Picture]:
    """All pictures of a comparison in the order of the report.

    Args:
        runs: arm -> run, controls included.
        results: the result tables.
        first: the runs of the shared clock (they may hold a single-dose course that was added for it).
        interval_words: which sources of uncertainty the intervals cover.
    """
    made = [
        clock.picture(first),
        weeks(runs),
        contrasts(runs, results["contrasts"], interval_words),
        outcomes(runs, results["summary"], interval_words),
        safety(runs),
        doses(runs, results["doses"]),
    ]
    return [picture for picture in made if picture is not None]


def active(runs: Runs) -> list[CourseRun]:
    """The arms that are not matched controls."""
    return [run for arm, run in runs.items() if not arm.endswith("/control")]


def weeks(runs: Runs) -> Picture:
    """The score of every course over the weeks, with bands and the matched control."""
    found = {arm: quantiles(run, "madrs", runs[arm.removesuffix("/control")].time_h) for arm, run in runs.items()}
    top = max(float(np.nanmax(one["p95"])) for one in found.values()) * 1.08
    rows = []
    for run in active(runs):
        control = found.get(f"{run.arm}/control")
        for visit, at in zip(run.visit, run.visit_index, strict=True):
            if run.time_h[at] not in (0, 4, 24) and run.time_h[at] % WEEK_H:
                continue
            row = {"course": run.arm, "visit": visit} | {q: round(float(found[run.arm][q][at]), 1) for q in QUANTILES}
            rows.append(row | {"control (median)": round(float(control["median"][at]), 1) if control else np.nan})
    return canvas.Picture(
        name="weeks",
        title="Depression score over the weeks",
        caption=CAPTIONS["weeks"],
        panels=[_weeks_panel(run, found[run.arm], found.get(f"{run.arm}/control"), top) for run in active(runs)],
        table=pd.DataFrame(rows),
    )


def _weeks_panel(run: CourseRun, found: Quantiles, control: Quantiles | None, top: float) -> Panel:
    at, end = run.time_h / WEEK_H, float(run.time_h[-1]) / WEEK_H
    cut = remission_cut("MADRS")

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, run.course.title)
        box = (LEFT, canvas.HEADING_HEIGHT, canvas.PANEL_WIDTH - LEFT - RIGHT - 28, 140)
        plot = Plot(sheet, box, (0, end), (0, top))
        plot.y_axis(*ticks(plot.y, 4))
        plot.bands(at, found, canvas.BLUE)
        plot.across(cut, colour=canvas.MUTED, dashes=(1, 3))
        if control is not None:
            plot.control(at, control["median"])
        plot.uprights(_dose_times(run) / WEEK_H, 6, colour=canvas.RED)
        plot.x_axis(*_week_ticks(end))
        _weeks_labels(plot, found["median"][-1], None if control is None else control["median"][-1])

    words = (
        f"{run.course.title}: median MADRS {found['median'][0]:.0f} at the start, {found['median'][-1]:.0f} at the end"
    )
    words += f"; matched control {control['median'][-1]:.0f} at the end." if control is not None else "."
    return canvas.Panel(f"weeks-{run.arm}", words, canvas.HEADING_HEIGHT + 140 + 24, draw)


def _dose_times(run: CourseRun) -> FloatArray:
    """Times (h) of the sessions with a drug, or of the daily doses when there are no sessions."""
    given = np.asarray(run.doses["time_h"], dtype=float)[np.asarray(run.doses["mg"], dtype=float) > 0]
    if not len(given):
        given = np.array([row["time_h"] for row in intakes(run).to_dict("records") if row["mg"] > 0], dtype=float)
    return np.unique(given)


def _weeks_labels(plot: Plot, value: float, control: float | None) -> None:
    """The last medians at the right, kept apart, and the word control on its line."""
    end, top = plot.x[1], plot.y[1]
    style: dict[str, Any] = {"va": "digits", "size": 11, "bold": True}
    plot.words(end * 1.015, value, f"{value:.0f}", colour=canvas.BLUE, **style)
    if control is None:
        return
    gap, above = 0.095 * top, control >= value
    place = control if abs(control - value) > gap else value + (gap if above else -gap)
    plot.words(end * 1.015, place, f"{control:.0f}", **style)
    beside, va = control + (0.02 if above else -0.02) * top, "bottom" if above else "top"
    plot.words(end * 0.99, beside, "control", ha="right", size=10.5, va=va)


def contrasts(runs: Runs, table: pd.DataFrame, interval_words: str) -> Picture | None:
    """Course minus its control at day 1, halfway and at the end."""
    rows = {(row["arm"], row["visit"]): row for row in table.to_dict("records") if row["scale"] == "MADRS"}
    shown = [run for run in active(runs) if (run.arm, run.visit[-1]) in rows]
    if not shown:
        return None
    ends = [row[name] for row in rows.values() for name in ("difference", "lo90", "hi90")]
    low, high = min(float(np.nanmin(ends)), 0), max(float(np.nanmax(ends)), 0)
    room = 0.06 * max(high - low, 1.0)
    panels, listed = [], []
    for hours in _stages(shown):
        marks = []
        for run in shown:
            row = rows[run.arm, run.visit[int(np.argmin(np.abs(run.time_h[run.visit_index] - hours)))]]
            text = signed(row["difference"])
            marks.append(forest.Mark(run.course.title, row["difference"], text, row["lo90"], row["hi90"]))
            listed.append({key: row[key] for key in ("visit", "arm", "difference", "lo90", "hi90", "power")})
        name, title = f"contrast-{hours:.0f}", visit_words(hours).capitalize()
        frame = forest.Frame(name, title, "points", (low - room, high + room), canvas.BLUE, zero=True)
        panels.append(forest.panel(frame, marks))
    return canvas.Picture(
        name="contrasts",
        title="Course minus its matched control",
        caption=CAPTIONS["contrasts"] + interval_words,
        panels=panels,
        table=pd.DataFrame(listed).round(2),
    )


def outcomes(runs: Runs, table: pd.DataFrame, interval_words: str) -> Picture:
    """Response and remission at the last visit, with day 1 as an open ring."""
    rows, panels = {row["arm"]: row for row in table.to_dict("records")}, []
    for name in ("response", "remission"):
        marks = []
        for run in active(runs):
            row = rows[run.arm]
            value, low, high, early = (100 * row[k] for k in (name, f"{name}_lo90", f"{name}_hi90", f"day1_{name}"))
            marks.append(forest.Mark(run.course.title, value, f"{value:.0f} %", low, high, ghost=early))
        frame = forest.Frame(f"outcome-{name}", name.capitalize(), "% of patients", (0, 100), canvas.GREEN)
        panels.append(forest.panel(frame, marks))
    columns = [c for c in table.columns if c.removeprefix("day1_").startswith(("response", "remission")) or c == "arm"]
    return canvas.Picture(
        name="outcomes",
        title="Who responds, who is well",
        caption=CAPTIONS["outcomes"] + interval_words,
        panels=panels,
        table=pd.DataFrame([rows[run.arm] for run in active(runs)], columns=pd.Index(columns)).round(3),
        columns=2,
    )


def safety(runs: Runs) -> Picture:
    """The worst dissociation and blood pressure rise of each patient, and nausea in any session."""
    panels, rows = [], []
    for name in ("cadss", "systolic", "nausea"):
        quantity, marks = QUANTITIES[name], []
        label = "Chance of nausea in any session" if name == "nausea" else quantity.label
        for run in active(runs):
            worst = tables.ever(run, name) if name == "nausea" else tables.worst(run, name)
            if worst is None:
                continue
            found = {
                q: float(value)
                for q, value in zip(QUANTILES, np.quantile(worst, list(QUANTILES.values())), strict=True)
            }
            middle, bad = f"{found['median']:.0f}", f"{found['p95']:.0f}"
            marks.append(forest.Mark(run.course.title, found["median"], middle, bands=found, second=bad))
            line = {"course": run.arm, "worst value of": label, "unit": quantity.unit}
            rows.append(line | {key: round(value, 1) for key, value in found.items()})
        if marks:
            end = max(max(mark.bands["p95"] for mark in marks if mark.bands) * 1.08, 1.0)
            heads = ("median", "1 in 20")
            frame = forest.Frame(f"safety-{name}", label, quantity.unit, (0, end), canvas.RED, heads=heads)
            panels.append(forest.panel(frame, marks))
    return canvas.Picture(
        name="safety",
        title="Acute risks: each patient's worst moment",
        caption=CAPTIONS["safety"],
        panels=panels,
        table=pd.DataFrame(rows),
    )


def doses(runs: Runs, table: pd.DataFrame) -> Picture | None:
    """When drugs were actually given, checks and boosters included."""
    panels = [panel for run in active(runs) if (panel := _dose_panel(run)) is not None]
    if not panels:
        return None
    rows = [row for row in table.to_dict("records") if not row["arm"].endswith("/control")]
    return canvas.Picture(
        name="doses",
        title="Doses actually given",
        caption=CAPTIONS["doses"],
        panels=panels,
        table=pd.DataFrame(rows).round(3),
    )


def _dose_panel(run: CourseRun) -> Panel | None:
    drugs: dict[tuple[str, str], list[Mapping[Any, Any]]] = {}
    for row in intakes(run).to_dict("records"):
        if row["mg"] > 0:
            drugs.setdefault((row["drug"], row["route"]), []).append(row)
    if not drugs:
        return None
    end = float(run.time_h[-1]) / WEEK_H

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, run.course.title)
        top = canvas.HEADING_HEIGHT
        for (drug, route), given in drugs.items():
            sheet.words(0, top, f"{drug}, {route.replace('-', ' ')}", size=11.5)
            sheet.words(canvas.PANEL_WIDTH - RIGHT, top, _amount(given), size=11, colour=canvas.MUTED, ha="right")
            plot = Plot(sheet, (LEFT, top + 20, canvas.PANEL_WIDTH - LEFT - RIGHT, 24), (0, end), (0, 1.02))
            days = {row["time_h"] // 24: 0.0 for row in given}
            for row in given:
                days[row["time_h"] // 24] = max(days[row["time_h"] // 24], row["share"])
            marks = [plot.at((day + 0.5) / 7, [0, share]) for day, share in days.items()]
            sheet.line(*marks, colour=canvas.RED, width=2.2)
            plot.y_axis([0, 1], ["0", "all"], grid=False)
            plot.x_axis(*_week_ticks(end))
            top += DRUG_HEIGHT

    listed = "; ".join(
        f"{drug} {route} {_amount(given)}, {sum(row['share'] for row in given):.3g} doses"
        for (drug, route), given in drugs.items()
    )
    height = canvas.HEADING_HEIGHT + DRUG_HEIGHT * len(drugs)
    return canvas.Panel(f"doses-{run.arm}", f"{run.course.title}: {listed}.", height, draw)


def _amount(given: Sequence[Mapping[Any, Any]]) -> str:
    low, high = min(row["mg_p05"] for row in given), max(row["mg_p95"] for row in given)
    return f"{high:.3g} mg" if high - low < 0.05 * high else f"{low:.0f}–{high:.0f} mg"


def chain(run: CourseRun, control: CourseRun | None) -> Picture:
    """Every recorded quantity of one course on the shared clock, from dose to score."""
    panels, rows = [], []
    for name, quantity in QUANTITIES.items():
        values = read(run, name)
        if values is None or np.ptp(values) < 1e-9:  # not recorded, or not part of this course
            continue
        found = quantiles(run, name)
        beside = None if control is None else quantiles(control, name, run.time_h)
        panels.append(_chain_panel(run, name, found, beside))
        line = {"quantity": quantity.label, "unit": quantity.unit}
        for label, hours in clock.TICKS.items():
            if hours <= run.time_h[-1] + 1:
                line[label] = f"{np.interp(hours, run.time_h, found['median']):.3g}"
        rows.append(line)
    return canvas.Picture(
        name="systems",
        title="The whole chain, from dose to score",
        caption=CAPTIONS["systems"],
        panels=panels,
        table=pd.DataFrame(rows),
    )


def _chain_panel(run: CourseRun, name: str, found: Quantiles, control: Quantiles | None) -> Panel:
    quantity = QUANTITIES[name]

    def draw(sheet: Sheet) -> None:
        sheet.words(0, 2, quantity.label, size=12, bold=True)
        sheet.words(canvas.PANEL_WIDTH - RIGHT, 2, quantity.unit, size=10.5, colour=canvas.MUTED, ha="right")
        lowest, highest = [found["p05"]], [found["p95"]]
        if control is not None:
            lowest.append(control["median"])
            highest.append(control["median"])
        limits = padded(float(np.nanmin(lowest)), float(np.nanmax(highest)))
        at = clock.clock(run.time_h)
        plot = Plot(sheet, (LEFT + 10, 24, canvas.PANEL_WIDTH - LEFT - RIGHT - 10, 84), (0, float(at[-1])), limits)
        clock.days(plot, float(run.time_h[-1]))
        plot.y_axis(*ticks(limits, 3))
        plot.bands(at, found, canvas.LAYER_COLOUR[quantity.layer])
        if control is not None:
            plot.control(at, control["median"], width=1)
        clock.axis(plot, float(run.time_h[-1]))

    words = f"{quantity.label}: median {found['median'][0]:.3g} at the start, {found['median'][-1]:.3g} at the end."
    return canvas.Panel(f"chain-{name}", words, 134, draw)


def quantiles(run: CourseRun, name: str, at: FloatArray | None = None) -> dict[str, FloatArray]:
    """Median and other quantiles over the patients of one quantity, on the run's clock or at other times (h)."""
    values = read(run, name, at)
    if values is None or not (run.status == 0).any():
        return dict.fromkeys(QUANTILES, np.full(len(run.time_h if at is None else at), np.nan))
    found = np.quantile(values[run.status == 0], list(QUANTILES.values()), axis=0)
    return dict(zip(QUANTILES, found, strict=True))


def _stages(shown: Sequence[CourseRun]) -> list[float]:
    """Hours of day 1 (if there is a visit), the week nearest halfway, and the end."""
    end = max(float(run.time_h[-1]) for run in shown)
    half = round(end / 2 / WEEK_H) * WEEK_H
    early = [tables.DAY_1_H] if any(tables.day_1_visit(run) is not None for run in shown) else []
    return sorted({*early, *([half] if early and half > 48 and half < end else []), end})


def _week_ticks(end: float) -> tuple[FloatArray, list[str]]:
    step = next(step for step in (1, 2, 4, 8, 13, 26, 52, 104, 520) if end / step <= 9)
    at = np.arange(0, end + 0.01, step)
    names = [f"{value:.0f}" if value else "0" for value in at]
    names[-1] = f"{names[-1]} wk"
    return at, names
