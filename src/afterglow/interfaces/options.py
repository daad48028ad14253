"""What the commands of the command line share: options, exit codes, the line that is written into manifests."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

P = ParamSpec("P")
R = TypeVar("R")

Patients = Annotated[int, typer.Option("--patients", help="How many virtual patients.")]
Weeks = Annotated[float, typer.Option("--weeks", help="How long to follow them.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of all chance: the same seed gives the same tables.")]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for the results; must not exist.", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Replace an earlier result folder.")]
Variant = Annotated[
    str | None, typer.Option("--variant", help="A rival mechanism, for instance inert.", show_default=False)
]
Scales = Annotated[
    str, typer.Option("--scales", help="Further rating scales for the tables, with commas: HAM-D17,PHQ-9 or all.")
]
Draws = Annotated[
    int | None,
    typer.Option(
        "--draws", help="Draws of the fitted parameters for the intervals; 0: chance only.", show_default=False
    ),
]

Resume = Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in the same place.")]
Device = Annotated[str, typer.Option("--device", help="cpu, or cuda for the first NVIDIA GPU.")]


def guarded(command: Callable[P, R]) -> Callable[P, R]:
    """Turn our exceptions into exit codes and lines on stderr."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        from afterglow.errors import AfterglowError, InputError

        try:
            return command(*args, **kwargs)
        except InputError as error:
            from afterglow.interfaces.terminal import complain

            complain(error.faults)
            raise typer.Exit(2) from error
        except AfterglowError as error:
            typer.echo(f"afterglow: {error}", err=True)
            raise typer.Exit(1) from error

    return run


def command_line(verb: str, names: list[str] | None, options: dict[str, Any], **more: Any) -> str:
    """The command line of this run, without folders of this machine; options that were left out stay out."""
    words = ["afterglow", verb, *(Path(name).name for name in names or [])]
    for option, value in (options | more).items():
        if value is None or value is False or value == () or option == "trials" or value == "cpu":
            continue
        words.append(f"--{option}")
        if value is not True:
            words.append(
                ",".join(value)
                if isinstance(value, tuple)
                else f"{value:g}"
                if isinstance(value, float)
                else str(value)
            )
    return shlex.join(words)
