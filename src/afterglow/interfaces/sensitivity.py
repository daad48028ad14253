"""The sensitivity analysis as a command: its result folder, its picture, and what the terminal shows."""

from __future__ import annotations

from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError
from afterglow.interfaces import canvas, drawing, output
from afterglow.interfaces.canvas import BLUE, INK, MUTED, ORANGE, Panel, Picture, Sheet
from afterglow.interfaces.numbers import NEVER
from afterglow.interfaces.plot import Plot, padded, ticks
from afterglow.study import sensitivity as study
from afterglow.study.compare import check_numbers
from afterglow.study.uncertain import FACTOR, HELD

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

BARS, LEADING = 10, 3
LEAST = 0.01  # smaller shares, and swings smaller than this part of the largest, are not shown
PITCH, TOP, FOOT, NUMBERS = 33, 30, 28, 46
COLUMNS = {
    "question": "numbers: uncertain numbers of the model; people: covariates, the same for all patients",
    "low, high": "5 % and 95 % value of the input, in its unit",
    "at_low, at_typical, at_high": "the outcome there, all other inputs at their typical values",
    "swing": "at_high - at_low without its sign, in the outcome's unit",
    "mu_star": "mean absolute change of the outcome when the input goes from its 5 % to its 95 % value (Morris)",
    "mu": "the same with its sign",
    "sigma": "SD of these changes: interactions and curves",
    "first": "share of the outcome's variance by the input alone (Sobol)",
    "total": "share of the variance with all interactions of the input (Sobol)",
    "*_conf": "half width of the 90 % interval (bootstrap)",
    "varied": "what varies: the draws of the fit, these and all else, or the chosen inputs as if independent",
    "n": "trajectories (morris), base samples (sobol, systems) or runs (ranges) that count",
}


def run(
    out: Path, command: str, *, patients: int, seed: int, quick: bool, force: bool, tell: study.Tell | None
) -> study.Result:
    """Analyse, and write the result folder.

    Raises:
        InputError: a number cannot be, SALib is missing, or the place is taken.
    """
    faults = check_numbers(patients, 1.0, seed)
    if find_spec("SALib") is None:
        faults.append(Fault("sensitivity", "the library SALib is not installed", "pip install 'afterglow[fit]'"))
    try:
        output.check_free(out, force=force)
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)
    plan = study.QUICK if quick else study.FULL
    result = study.study(plan, patients, seed, tell and _now_and_then(tell))
    picture = tornado(result.tables["tornado"])
    settings: dict[str, Any] = {"patients": patients, "seed": seed, "quick": quick, "plan": asdict(plan)}
    found = {"chosen": result.chosen, "inert": result.inert, "held": HELD, "assumed_factors": FACTOR}
    with output.new_folder(out, force=force) as folder:
        output.write_tables(folder, result.tables)
        (folder / "figures").mkdir()
        (folder / "figures" / "tornado.png").write_bytes(drawing.png(picture))
        write_svg(folder / "figures" / "tornado.svg", picture)
        outcomes = {one.name: f"{one.meaning} ({one.unit})" for one in study.OUTCOMES}
        output.write_manifest(folder, command, settings, [], outcomes=outcomes, columns=COLUMNS, **found)
    return result


def _now_and_then(tell: study.Tell) -> study.Tell:
    """Called often, tells at every tenth of a stage."""
    last: tuple[str, int] = ("", 0)

    def sparing(stage: str, share: float) -> None:
        nonlocal last
        if (stage, int(10 * share)) != last:
            last = (stage, int(10 * share))
            tell(stage, share)

    return sparing


# ------------------------------------------------------------------------------------------------ picture


def tornado(table: pd.DataFrame) -> Picture:
    """A panel for each question and outcome: bars from the outcome at the 5 % to that at the 95 % value of an input."""
    panels = [
        _panel(question, one, _of(table, one.name, "question", question))
        for question in ("numbers", "people")
        for one in study.OUTCOMES
    ]
    return Picture(
        name="tornado",
        title="What moves the outcomes: one uncertain number (above) or one covariate (below) at a time",
        caption="Blue: the outcome with the number at its 5 % value; orange: at its 95 % value; the rest as usual.",
        panels=panels,
        table=table,
        columns=len(study.OUTCOMES),
    )


def _panel(question: str, one: study.Outcome, rows: pd.DataFrame) -> Panel:
    shown = [row for row in rows.head(BARS).to_dict("records") if row["swing"] > LEAST * rows["swing"].max()]
    count = max(len(shown), 1)
    values = [row[end] for row in shown for end in ("at_low", "at_typical", "at_high")] or [0.0, 1.0]
    limits = padded(min(values), max(values))

    def draw(sheet: Sheet) -> None:
        sheet.words(0, 0, f"{one.name} ({one.unit})", size=13, bold=True)
        _key(sheet)
        plot = Plot(sheet, (8, TOP, canvas.PANEL_WIDTH - 8 - NUMBERS, PITCH * count), limits, (count, 0))
        plot.x_axis(*ticks(limits, 5), grid=True)
        for number, row in enumerate(shown):
            top = TOP + PITCH * number
            for end, colour in (("at_low", BLUE), ("at_high", ORANGE)):
                plot.bar(row["at_typical"], row[end], number + 0.68, 0.34, colour=colour, alpha=0.9)
            sheet.words(8, top + 3, row["input"], size=11)
            plot.line(row["at_typical"], [number + 0.45, number + 0.91], colour=INK, width=1.2)
            swing = f"{row['swing']:.1f}" if row["swing"] >= 1 else f"{row['swing']:#.2g}"
            right, level = canvas.PANEL_WIDTH - 4, top + PITCH * 0.68
            sheet.words(right, level, swing, size=12, bold=True, ha="right", va="center")

    listed = "; ".join(f"{row['input']} {row['at_low']:.3g} to {row['at_high']:.3g}" for row in shown)
    height = TOP + PITCH * count + FOOT
    return Panel(f"{question}-{one.name}", f"{one.meaning}, {one.unit}: {listed or 'nothing moves it'}.", height, draw)


def _key(sheet: Sheet) -> None:
    right = canvas.PANEL_WIDTH - NUMBERS
    for left, colour, text in ((right - 96, BLUE, "at 5 %"), (right - 44, ORANGE, "at 95 %")):
        sheet.dot(left, 8, 7, colour)
        sheet.words(left + 6, 8, text, size=9.5, colour=MUTED, va="center")
    sheet.words(canvas.PANEL_WIDTH - 4, 8, "swing", size=9.5, colour=MUTED, ha="right", va="center")


def write_svg(path: Path, picture: Picture) -> None:
    """The picture as SVG that stands alone; the same picture gives the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "afterglow"}):
        drawing.figure(picture).savefig(path, format="svg", metadata={"Date": None})


# ------------------------------------------------------------------------------------------------ terminal


def show(result: study.Result) -> None:
    """One line an outcome: typical value, 90 % range, and what leads."""
    from rich.console import Console

    from afterglow.interfaces import terminal

    tables = result.tables
    console = Console(highlight=False) if Console().is_terminal else Console(highlight=False, width=terminal.WIDE)
    console.print(_lines(tables))
    console.print(WORDS, style="dim", markup=False)
    tested = tables["morris"]["input"].nunique()
    line = f"{tested} numbers move an outcome, {len(result.inert)} none; Sobol indices of {len(result.chosen)} of them."
    console.print(line, style="dim", markup=False)


WORDS = (
    "90 % range: draws of the fit with all other numbers varied. Numbers: share of the variance with interactions "
    "(Sobol, total), each number on its own, as if the fit tied none to another. Parts: the same, with the fitted "
    "numbers varied together as the data allow. People: covariates alone."
)


def _lines(tables: dict[str, pd.DataFrame]) -> Table:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    grid.add_column("outcome")
    for name in ("typical", "90 % range"):
        grid.add_column(name, justify="right", no_wrap=True)
    for name in ("numbers", "parts", "people"):
        grid.add_column(name, overflow="fold")
    sobol = tables["sobol"]
    for one in study.OUTCOMES:
        wide = _of(tables["ranges"], one.name, "varied", "all").iloc[0]
        leading = [
            _leading(_of(sobol, one.name, "question", "numbers"), "input"),
            _leading(_of(tables["systems"], one.name), "system"),
            _leading(_of(sobol, one.name, "question", "people"), "input"),
        ]
        between = f"{_number(wide['lo90'])} to {_number(wide['hi90'])}"
        grid.add_row(f"{one.name}, {one.unit}", _number(wide["typical"]), between, *leading)
    return grid


def _of(table: pd.DataFrame, outcome: str, column: str = "", value: str = "") -> pd.DataFrame:
    rows = table.loc[table["outcome"] == outcome]
    return rows.loc[rows[column] == value] if column else rows


def _leading(rows: pd.DataFrame, column: str) -> str:
    """The first few with their total shares; those below `LEAST` are not named, and more than all is chance."""
    found = [(row[column], min(row["total"], 1.0)) for row in rows.head(LEADING).to_dict("records")]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in found if share >= LEAST) or NEVER


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")
