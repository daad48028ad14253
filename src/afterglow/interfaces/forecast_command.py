"""`afterglow forecast` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterglow.interfaces.options import Force, Out, Seed, Variant, command_line, guarded

if TYPE_CHECKING:
    from afterglow.clinic.course import Course
    from afterglow.clinic.person import Person as PersonFile


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

    place = out or Path(f"afterglow-{person.stem}")
    output.check_free(place, force=force)
    known, others = _read(person, course or [], weeks, seed, scale)
    before = None if previous is None else steps.earlier(previous)
    from afterglow.study.forecast_study import forecast as study

    result = study(known, others, weeks=weeks, scale=scale, seed=seed, variant=variant)
    settings = {"weeks": weeks, "scale": scale, "seed": seed, "variant": variant}
    command = command_line(
        "forecast", [person.name], {**settings, "course": tuple(Path(one).name for one in course or ())}
    )
    steps.save(result, place, command, settings, force=force, before=before)
    steps.show(result)
    typer.echo(f"Report: {place / 'report.html'}")


def _read(person: Path, courses: list[str], weeks: float, seed: int, scale: str) -> tuple[PersonFile, list[Course]]:
    """The person and the courses; all faults at once."""
    from afterglow.clinic import scale as scales
    from afterglow.clinic.course import load_course
    from afterglow.clinic.person import load_person
    from afterglow.errors import Fault, InputError, nearest
    from afterglow.study.compare import check_numbers

    faults = check_numbers(1, weeks, seed)
    if weeks < 1.0:
        faults.append(Fault("--weeks", f"a forecast of {weeks:g} weeks", "at least 1"))
    if scale not in scales.names():
        faults.append(Fault("--scale", f"there is no scale '{scale}'", nearest(scale, scales.names())))
    known, others = None, []
    try:
        known = load_person(person)
    except InputError as error:
        faults += error.faults
    for one in courses:
        try:
            others.append(load_course(one))
        except InputError as error:
            faults += error.faults
    if faults or known is None:
        raise InputError(faults)
    return known, others


@guarded
def plan(
    person: Annotated[
        Path | None, typer.Argument(metavar="[PERSON]", help="A person file.", show_default=False)
    ] = None,
    population: Annotated[
        str | None,
        typer.Option("--population", help="Instead of a person: trd, mdd or a population file.", show_default=False),
    ] = None,
    weeks: Annotated[float, typer.Option("--weeks", help="How far to look.")] = 12.0,
    seed: Seed = 1,
    variant: Variant = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Screening first, then rules for further doses side by side: fixed, by symptoms, by a forecast.

    Nothing is added up into one number: days in remission stand beside doses, and rules that no other beats are marked.
    Also how little is enough: the fewest infusions that keep 90 % of the benefit of six.
    """
    from afterglow.errors import Fault, InputError
    from afterglow.interfaces import output, terminal
    from afterglow.study import plan_study
    from afterglow.study.compare import check_numbers

    if (person is None) == (population is None):
        raise InputError(Fault("PERSON", "a plan is for a person or for a population", "name one of the two"))
    place = out or Path("afterglow-plan" if person is None else f"afterglow-plan-{person.stem}")
    output.check_free(place, force=force)
    if person is None and (faults := check_numbers(1, weeks, seed)):
        raise InputError(faults)
    known = None if person is None else _read(person, [], weeks, seed, "MADRS")[0]
    with terminal.progress() as tell:
        found = plan_study.plan(known, population or "trd", weeks=weeks, seed=seed, variant=variant, progress=tell)
    tables = {
        "rules": found.rules,
        "screening": found.screening,
        "resistance": found.resistance,
        "little": found.little,
    }
    settings = {"population": population, "weeks": weeks, "seed": seed, "variant": variant}
    command = command_line("plan", [person.name] if person else [], settings)
    warnings = found.updated.warnings + ([f"not used: {line}" for line in known.not_used] if known else [])
    with output.new_folder(place, force=force) as work:
        kept = {name: table for name, table in tables.items() if len(table)}
        output.write_tables(work, kept)
        output.write_units(work, kept, ("people", "ratings", "parameters"))
        output.write_manifest(work, command, settings, warnings)
    if len(found.screening):
        terminal.show_table(found.screening.drop(columns=["source"]), "Screening: a reading aid; a clinician decides")
    if len(found.resistance):
        terminal.show_table(found.resistance, "Treatment resistance, from the listed trials")
    terminal.show_table(plan_study.short(found), f"Rules for {found.who}, {weeks:g} weeks")
    terminal.show_table(found.little, "How little is enough: the first infusions of six, as for a new start")
    terminal.show_notice(warnings)
    typer.echo(f"Results: {place}")
