"""`afterglow trial` on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from afterglow.interfaces.options import Force, Out, Resume, Seed, Variant, command_line, guarded


@guarded
def trial(
    design: Annotated[
        str | None, typer.Argument(metavar="TRIAL", help="A shipped trial or a trial file.", show_default=False)
    ] = None,
    replicates: Annotated[int, typer.Option("--replicates", help="How often the trial is repeated.")] = 200,
    seed: Seed = 1,
    workers: Annotated[int, typer.Option("--workers", help="Processes on this machine.")] = 1,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", help="A Dask scheduler, tcp://..., or local to start one.", show_default=False),
    ] = None,
    assurance: Annotated[
        float | None,
        typer.Option("--assurance", help="Also look for the size that reaches it: 0.8.", show_default=False),
    ] = None,
    null: Annotated[bool, typer.Option("--null", help="Also with every arm as the reference: type-I error.")] = False,
    bracket: Annotated[
        bool, typer.Option("--bracket", help="Also if the drug does nothing but reveal itself (inert).")
    ] = False,
    people: Annotated[bool, typer.Option("--people", help="Keep patients and scores of every replicate.")] = False,
    variant: Variant = None,
    yes: Annotated[bool, typer.Option("--yes", help="Run it even if it takes many hours.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the shipped trials.")] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the trial file, to begin one of your own from it.")
    ] = False,
    out: Out = None,
    force: Force = False,
    resume: Resume = False,
) -> None:
    """Design, run and analyse a virtual trial: power, bias, and what expectancy and unblinding do to it.

    A field of the file that takes one value may be given a list: each combination is run as a scenario.
    """
    from afterglow.clinic.scenarios import load_scenarios
    from afterglow.interfaces import terminal
    from afterglow.interfaces import trial as steps

    if listed or design is None:
        terminal.show_table(steps.catalogue(), "Shipped trials: afterglow trial NAME")
        return
    if show:
        typer.echo(steps.text(design), nl=False)
        return
    scenarios = load_scenarios(design)
    asked = steps.plan(scenarios, replicates, seed, variant, null=null, bracket=bracket, people=people)
    place = out or Path(f"afterglow-{scenarios[0].trial.name}")
    options = {"replicates": replicates, "seed": seed, "assurance": assurance, "null": null, "bracket": bracket}
    command = command_line("trial", [design], {**options, "people": people, "variant": variant})
    how = steps.How(place, force, resume, workers, cluster, yes, assurance)
    with terminal.progress(lines=True) as tell:
        result = steps.run(asked, how, command, tell)
    steps.show(result)
    typer.echo(f"Report: {place / 'report.html'}")
