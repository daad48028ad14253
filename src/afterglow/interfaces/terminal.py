"""What the terminal shows: the short result tables, faults, warnings and progress."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from afterglow.interfaces import words
from afterglow.interfaces.numbers import NEVER, Estimate, Line, days, lines, percent, whole

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

    from afterglow.errors import Fault
    from afterglow.study.compare import Comparison, Progress

WIDE = 150  # columns of a long table in a file or a pipe


def show(comparison: Comparison) -> None:
    """Print the short tables, the warnings and the notice."""
    from rich.console import Console

    console = Console(highlight=False)
    asked, found = comparison.settings, lines(comparison)
    one = f"one person, drawn {asked.patients:,} times"
    who = one if asked.person else words.count(asked.patients, "virtual patient")
    variant = f", variant {asked.variant}" if asked.variant else ""
    console.print(f"[bold]{who}, {words.count(asked.weeks, 'week')}, seed {asked.seed}{variant}[/bold]\n")
    console.print(_outcomes(found))
    console.print(_course(found))
    console.print(words.LEGEND, style="dim", markup=False)
    console.print(words.interval_words(comparison.covers, asked.patients), style="dim", markup=False)
    show_notice(comparison.warnings)


def _outcomes(found: Sequence[Line]) -> Table:
    grid = _grid(found[0].when, "response", "remission", "MADRS change", "− control")
    for line in found:
        shares = (_range(line.response), _range(line.remission))
        grid.add_row(line.arm, *shares, _plus_minus(line.change), _plus_minus(line.difference))
    return grid


def _range(share: Estimate) -> str:
    value, between = share.share()
    return f"{value} [dim]({between.removesuffix(' %').replace(' to ', '–')})[/dim]" if between else value


def _plus_minus(points: Estimate) -> str:
    value, between = points.points()
    return f"{value} [dim]± {(points.high - points.low) / 2:.1f}[/dim]" if between else value


def _course(found: Sequence[Line]) -> Table:
    grid = _grid("", "half by", "relapse", "CADSS", "mmHg", "nausea", "sedated")
    for line in found:
        cadss = f"{whole(line.cadss)} [dim]({whole(line.cadss_p95)})[/dim]"
        pressure = f"[dim]({whole(line.systolic_p95)})[/dim]"
        back = percent(line.relapse)
        events = (percent(line.nausea), percent(line.sedated))
        grid.add_row(line.arm, days(line.half_by_d), back, cadss, pressure, *events)
    return grid


def _grid(first: str, *names: str) -> Table:
    from rich import box
    from rich.table import Table

    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    grid.add_column(first, no_wrap=True)
    for name in names:
        grid.add_column(name, justify="right")
    return grid


def show_notice(warnings: Sequence[str]) -> None:
    """The warnings, how little is known of the drug's own share, and what this is not."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(words.DRUG_SHARE_SHORT, style="bold", markup=False)
    for warning in warnings:
        console.print(f"Warning: {warning}", style="yellow", markup=False)
    console.print(words.NOTICE, markup=False)


def show_table(table: pd.DataFrame, title: str = "") -> None:
    """Print any frame as a plain table."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, padding=(0, 1))
    for name in table.columns:
        number = table[name].dtype.kind in "if"
        grid.add_column(str(name), justify="right" if number else "left", overflow="fold")
    for record in table.itertuples(index=False):
        grid.add_row(*(Text(_value(value)) for value in record))
    _wide().print(grid)


def show_validation(table: pd.DataFrame) -> None:
    """Published against simulated numbers; misses by more than two standard errors stand out."""
    grid = _grid("trial", "arm", "when", "what", "published", "simulated (90 %)", "z", "use")
    for column in grid.columns[1:4]:
        column.justify = "left"
    for row in table.to_dict("records"):
        published = f"{row['observed']:.3g}" + ("" if _none(row["observed_se"]) else f" ± {row['observed_se']:.2g}")
        simulated, z, use = NEVER, "", ""
        if not _none(row["predicted"]):
            simulated = f"{row['predicted']:.3g} ({row['lo90']:.3g} to {row['hi90']:.3g})"
            z, use = "" if _none(row["z"]) else words.signed(row["z"]), row["role"]
        z = f"[bold red]{z}[/bold red]" if abs(row["z"]) > 2 else z
        what = f"{row['scale']} {row['measure']}".strip()
        numbers = (text.replace("-", "−") for text in (published, simulated))
        grid.add_row(row["trial"], row["arm"], row["visit"], what, *numbers, z, use)
    _wide().print(grid)


def show_not_simulated(reasons: Mapping[str, str]) -> None:
    """The trial records that have no row in the table, each with the reason."""
    if reasons:
        listed = "; ".join(f"{name} ({reason})" for name, reason in reasons.items())
        _wide().print(f"Not simulated: {listed}.", style="dim", markup=False)


def _wide() -> Console:
    """A console for long tables: as wide as the terminal, or wide enough when the output goes to a file."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDE)


def _none(value: float) -> bool:
    return value != value


def show_parameters(table: pd.DataFrame) -> None:
    """Print parameters one by one: name, value, unit and meaning, then where the number comes from."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    for system, rows in table.groupby("system", sort=False):
        console.print(Text(f"\n{system}", style="bold"))
        for row in rows.to_dict("records"):
            spread = f"; {row['spread']}" if row["spread"] else ""
            console.print(Text(f"  {row['name']} = {row['value']:.6g} {row['unit']}  {row['meaning']}{spread}"))
            source = ": ".join(part for part in (row["source"], row["citation"]) if part)
            console.print(Text(f"      {source}", style="yellow" if row["grade"] == "assumed" else "dim"))


def complain(faults: Sequence[Fault]) -> None:
    """Every fault on its own line on stderr: `place: problem (remedy)`."""
    for fault in faults:
        print(fault, file=sys.stderr)


@contextmanager
def progress(*, lines: bool = False) -> Iterator[Progress | None]:
    """A progress bar on stderr, if that is a terminal; if not, nothing, or with `lines` a line now and then."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _tell_in_lines if lines else None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:28}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting", total=1.0)

        def tell(what: str, share: float) -> None:
            bar.update(task, description=what, completed=share)

        yield tell


def _tell_in_lines(what: str, share: float) -> None:
    print(f"{share:6.1%}  {what}", file=sys.stderr, flush=True)


def _value(value: Any) -> str:
    if isinstance(value, float):
        return NEVER if value != value else f"{value:.4g}".replace("-", "−")
    return str(value)
