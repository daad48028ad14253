"""`afterglow export` on the command line: the model, its data and its runs for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afterglow.interfaces import export_files
from afterglow.interfaces.options import Force, Variant, Weeks, guarded

export = typer.Typer(
    name="export",
    help="Write the model, its data and its runs for other programs.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@export.command()
@guarded
def sbml(
    out: Annotated[Path, typer.Option("--out", help="The file to write, for instance whole.xml.", show_default=False)],
    system: Annotated[
        str | None, typer.Option("--system", help="One system alone, its inputs open.", show_default=False)
    ] = None,
    course: Annotated[
        str | None, typer.Option("--course", help="A course, its doses as events.", show_default=False)
    ] = None,
    person: Annotated[
        Path | None, typer.Option("--person", help="A person file, instead of the typical person.", show_default=False)
    ] = None,
    weeks: Weeks = 8.0,
    variant: Variant = None,
    force: Force = False,
) -> None:
    """Write the equations of one person as SBML (Level 3 Version 2), with units, sources and notes.

    Without --course nothing is done to the person: inputs and infusion rates stay open for whoever runs the file.
    """
    from afterglow.errors import Fault, InputError
    from afterglow.interfaces.words import NOTICE
    from afterglow.study.sbml_export import document

    if out.exists() and not force:
        raise InputError(Fault("--out", f"'{out}' exists", "name another file, or add --force"))
    text = document(system, course=course, person=person, weeks=weeks, variant=variant, notice=NOTICE)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")
    typer.echo(f"SBML: {out}")


export_files.register(export)
