"""`afterglow forecast` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afterglow.interfaces.options import Force, Out, Seed, Variant, command_line, guarded


@guarded
def forecast(
    person: Annotated[Path, typer.Argument(metavar="PERSON", help="A person file: doses given, scores written down.")],
    course: Annotated[
        list[str] | None,
        typer.Option(
            "--course", help="Also consider this course from tomorrow on; may be repeated.", show_default=False
        ),
    ] = None,
    weeks: Annotated[float, typer.Option("--weeks", help="How far to look.")] = 12.0,
    scale: Annotated[str, typer.Option("--scale", help="Scale of the forecast.")] = "MADRS",
    seed: Seed = 1,
    variant: Variant = None,
    previous: Annotated[
        Path | None,
        typer.Option("--previous", help="Folder of an earlier forecast to compare with.", show_default=False),
    ] = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Forecast one person from the scores written down, under nothing more, boosters, or courses you name.

    The population is updated by the scores; the bands are those of scores as they would be written down.
    """
    from afterglow.interfaces import forecast as steps
    from afterglow.interfaces import output
    from afterglow.study import forecast_study as study

    place = out or Path(f"afterglow-{person.stem}")
    output.check_free(place, force=force)
    known, others = study.inputs(person, course or [], weeks, seed, scale)
    before = None if previous is None else steps.earlier(previous)
    result = study.forecast(known, others, weeks=weeks, scale=scale, seed=seed, variant=variant)
    settings = {"weeks": weeks, "scale": scale, "seed": seed, "variant": variant}
    command = command_line(
        "forecast", [person.name], {**settings, "course": tuple(Path(one).name for one in course or ())}
    )
    steps.save(result, place, command, settings, force=force, before=before)
    steps.show(result)
    typer.echo(f"Report: {place / 'report.html'}")
