"""`afterglow plan` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterglow.interfaces.options import Force, Out, Seed, Variant, command_line, guarded

if TYPE_CHECKING:
    from afterglow.clinic.person import Person as PersonFile


@guarded
def plan(
    person: Annotated[
        Path | None, typer.Argument(metavar="[PERSON]", help="A person file.", show_default=False)
    ] = None,
    population: Annotated[
        str | None,
        typer.Option("--population", help="Instead of a person: trd, mdd or a population file.", show_default=False),
    ] = None,
    objective: Annotated[
        list[str] | None,
        typer.Option(
            "--objective",
            help="What plans are judged by; repeat it: days-in-remission, doses, visits, ketamine-mg, cadss, days-ill. "
            "Without it: days-in-remission and doses.",
            show_default=False,
        ),
    ] = None,
    weeks: Annotated[float, typer.Option("--weeks", help="How far to look, 4 to 104.")] = 12.0,
    seed: Seed = 1,
    variant: Variant = None,
    out: Out = None,
    force: Force = False,
) -> None:
    """Screening first, then rules for further doses side by side, with and without psychotherapy.

    Nothing is added up into one number: objectives stand beside each other, and plans that no other beats are marked.
    Also what one more visit is worth before the next dose, and how few infusions are enough. What is contraindicated or
    above a limit is listed, and never simulated.
    """
    from afterglow.interfaces import plan as steps
    from afterglow.interfaces import terminal
    from afterglow.study import plan_study
    from afterglow.study.plan_front import USUAL_OBJECTIVES

    place = out or Path("afterglow-plan" if person is None else f"afterglow-plan-{person.stem}")
    asked = tuple(objective or USUAL_OBJECTIVES)
    known = _read(person, population, asked, weeks, seed, place, force=force)
    with terminal.progress() as tell:
        found = plan_study.plan(
            known, population or "trd", weeks=weeks, objectives=asked, seed=seed, variant=variant, progress=tell
        )
    settings = {"population": population, "weeks": weeks, "seed": seed, "variant": variant}
    command = command_line("plan", [person.name] if person else [], settings)
    command += "".join(f" --objective {name}" for name in objective or ())
    steps.save(found, place, command, {**settings, "objectives": list(asked)}, force=force)
    steps.show(found)
    typer.echo(f"Report: {place / 'report.html'}")


def _read(
    person: Path | None,
    population: str | None,
    asked: tuple[str, ...],
    weeks: float,
    seed: int,
    place: Path,
    *,
    force: bool,
) -> PersonFile | None:
    """The person, if there is one; everything that is wrong at once."""
    from afterglow.clinic.person import load_person
    from afterglow.clinic.population import load_population
    from afterglow.errors import Fault, InputError
    from afterglow.interfaces import output
    from afterglow.study import plan_study
    from afterglow.study.compare import check_numbers

    faults = [one for one in check_numbers(1, 1.0, seed) if one.place == "--seed"]
    faults += [*plan_study.week_faults(weeks), *plan_study.objective_faults(asked)]
    known = None
    if (person is None) == (population is None):
        faults.append(Fault("PERSON", "a plan is for a person or for a population", "name one of the two"))
    try:
        output.check_free(place, force=force)
    except InputError as error:
        faults += error.faults
    try:
        known = None if person is None else load_person(person)
    except InputError as error:
        faults += error.faults
    try:
        if population is not None:
            load_population(population)
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)
    return known
