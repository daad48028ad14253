"""`afterglow claims` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterglow.interfaces.options import Force, Out, command_line, guarded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from afterglow.study.claims import Answered

COLOUR = {
    "supported": "green", "overstated": "yellow", "contradicted": "red", "open": "cyan", "definition": "dim",
}  # fmt: skip
MARK = {"supports": "+", "qualifies": "~", "contradicts": "-"}
IN_FULL = 3  # so many claims are printed with their findings and scenario


@guarded
def claims(
    wanted: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID|FILE]...", help="Shipped claims by id, or files of claims.", show_default=False),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the answers as JSON.", show_default=False)
    ] = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Answer claims about the treatment: what was published, what the model gives, and a verdict by a stated rule.

    Without arguments all shipped claims; one to three are shown with their findings and scenario. docs/claims.md says
    how to write a claim of your own.
    """
    from afterglow.interfaces import output, terminal
    from afterglow.study.claims import answers

    if out is not None:
        output.check_free(out, force=force)
    if json_file is not None:
        _check_place(json_file)
    with terminal.progress() as tell:
        found = answers(wanted or (), progress=tell)
    if json_file is not None:
        output.write_json(json_file, [one.to_json() for one in found])
    show(found)
    if out is not None:
        save(found, out, command_line("claims", wanted, {}), force=force)
        typer.echo(f"Report: {out / 'report.html'}")


def _check_place(path: Path) -> None:
    from afterglow.errors import Fault, InputError

    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(Fault("--json", f"'{path.name}' cannot be written", "name a file in a folder that exists"))


def save(found: Sequence[Answered], out: Path, command: str, *, force: bool = False) -> None:
    """The result folder: page, answers as JSON, manifest."""
    from afterglow.interfaces import claims_report, output

    with output.new_folder(out, force=force) as folder:
        (folder / "report.html").write_text(claims_report.build(found, command), encoding="utf-8")
        output.write_json(folder / "claims.json", [one.to_json() for one in found])
        settings: dict[str, Any] = {"claims": [one.claim.id for one in found]}
        output.write_manifest(folder, command, settings, [])


def show(found: Sequence[Answered]) -> None:
    """Print the answers: a few in full, many as a table."""
    from rich.console import Console

    from afterglow.interfaces import terminal

    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=terminal.WIDE)
    if len(found) <= IN_FULL:
        for one in found:
            _in_full(console, one)
    else:
        _table(console, found)
    terminal.show_notice([])


def _table(console: Console, found: Sequence[Answered]) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from afterglow.study.claim_rule import VERDICTS

    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1), show_lines=False)
    for name, ratio in (("claim", 0), ("verdict", 0), ("what is said", 4), ("why", 7)):
        grid.add_column(name, ratio=ratio or None, no_wrap=not ratio, overflow="fold")
    for one in found:
        why = one.sentence.partition(": ")[2]
        grid.add_row(one.claim.id, Text(one.verdict, style=COLOUR[one.verdict]), Text(one.claim.says), Text(why))
    console.print(grid)
    counts = {name: sum(one.verdict == name for one in found) for name in VERDICTS}
    console.print(", ".join(f"{n} {name}" for name, n in counts.items()), style="bold")
    console.print("afterglow claims ID shows one with its findings and its scenario.", style="dim", markup=False)


def _in_full(console: Console, one: Answered) -> None:
    from rich.text import Text

    from afterglow.interfaces.claims_report import scenario_text
    from afterglow.study.claims import amount

    console.print(Text(f"{one.claim.id}  {one.claim.says}", style="bold"))
    console.print(Text(one.sentence, style=COLOUR[one.verdict]))
    console.print()
    for record in one.records:
        figure = f": {record.figure} {'' if record.unit == '1' else record.unit}" if record.figure else ""
        console.print(Text(f"  {MARK[record.speaks]} {record.speaks}: {record.because.rstrip('.')}."))
        console.print(Text(f"      {record.found}{figure}", style="dim"))
        console.print(Text(f"      {record.short}", style="dim"))
    if one.model is not None:
        console.print(Text(f"\n  The model: {amount(one.model)}; the statement asks for {one.expects}."))
        console.print(Text(f"      {one.asked}", style="dim"))
        console.print(Text("".join(f"      {line}\n" for line in scenario_text(one).splitlines()), style="dim"))
    if one.claim.note:
        console.print(Text(f"  Note: {one.claim.note.strip()}\n"))
