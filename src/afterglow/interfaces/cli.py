"""The command line: parse, call, show. Nothing heavy is imported before a command runs.

Exit codes: 0 fine, 1 failed, 2 bad input. Results go to files and a short table, progress and faults to stderr.
"""

from __future__ import annotations

import gc
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from afterglow.interfaces.claims_command import claims
from afterglow.interfaces.doctor import doctor
from afterglow.interfaces.export_command import export
from afterglow.interfaces.forecast_command import forecast
from afterglow.interfaces.options import (
    Device,
    Draws,
    Force,
    Out,
    Patients,
    Resume,
    Scales,
    Seed,
    Variant,
    Weeks,
    command_line,
    guarded,
)
from afterglow.interfaces.plan_command import plan
from afterglow.interfaces.serve_command import serve
from afterglow.interfaces.trial_command import trial

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.interfaces.python import Comparison

app = typer.Typer(
    name="afterglow",
    help=(
        "From a dose of ketamine to a mood score, in virtual patients. "
        "A research and planning model, not a medical device."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"afterglow {version('afterglow')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """The options before the command."""


@app.command()
@guarded
def compare(
    courses: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COURSE]...", help="Shipped courses or course files.", show_default=False),
    ] = None,
    patients: Patients = 1000,
    weeks: Weeks = 8.0,
    seed: Seed = 1,
    out: Out = None,
    force: Force = False,
    variant: Variant = None,
    scales: Scales = "",
    draws: Draws = None,
    device: Device = "cpu",
    resume: Resume = False,
    trajectories: Annotated[
        bool, typer.Option("--trajectories", help="Also write the dense table of medians.")
    ] = False,
) -> None:
    """Compare courses of treatment in the same virtual patients, each with its matched control.

    Without COURSE: iv-induction, nasal-esketamine, ssri, psychotherapy, iv-psychotherapy, benzodiazepine, usual-care.
    """
    place = out or Path("afterglow-compare")
    options = {"patients": patients, "weeks": weeks, "seed": seed, "variant": variant, "scales": _scales(scales)}
    options["device"] = device
    if _many(patients) or resume:
        refused = {"--trajectories": trajectories, "--draws": draws, "--device cuda": device == "cuda"}
        _stream("compare", courses or None, place, force, resume, refused, options)
        return
    result = _run(courses or None, place, force, draws, trajectories=trajectories, **options)
    _finish(result, place, force, command_line("compare", courses, options, trajectories=trajectories, draws=draws))


@app.command()
@guarded
def simulate(
    course: Annotated[str, typer.Argument(metavar="COURSE", help="A shipped course or a course file.")],
    patients: Patients = 1000,
    person: Annotated[
        Path | None,
        typer.Option("--person", help="A person file: what is unknown about them is drawn anew.", show_default=False),
    ] = None,
    weeks: Weeks = 8.0,
    seed: Seed = 1,
    systems: Annotated[bool, typer.Option("--systems", help="Also show every step from dose to score.")] = False,
    out: Out = None,
    force: Force = False,
    variant: Variant = None,
    scales: Scales = "",
    draws: Draws = None,
    device: Device = "cpu",
    resume: Resume = False,
) -> None:
    """Put virtual patients, or one person, through one course."""
    place = out or Path(f"afterglow-{Path(course).stem}")
    options = {"patients": patients, "weeks": weeks, "seed": seed, "variant": variant, "scales": _scales(scales)}
    options["device"] = device
    if _many(patients) or resume:
        refused = {"--systems": systems, "--draws": draws, "--person": person, "--device cuda": device == "cuda"}
        _stream("simulate", [course], place, force, resume, refused, options)
        return
    result = _run([course], place, force, draws, person=person, trajectories=systems, **options)
    more = {"person": person and person.name, "systems": systems, "draws": draws}
    _finish(result, place, force, command_line("simulate", [course], options, **more), systems=systems)


@app.command()
@guarded
def systems(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="One system.", show_default=False)] = None,
    equations: Annotated[bool, typer.Option("--equations", help="Print its equations.")] = False,
    latex: Annotated[bool, typer.Option("--latex", help="Print its equations as LaTeX.")] = False,
    parameters: Annotated[bool, typer.Option("--parameters", help="Print its parameters with their sources.")] = False,
    wires: Annotated[bool, typer.Option("--wires", help="Print what it is wired to.")] = False,
) -> None:
    """List the systems of the model, or show one of them."""
    from afterglow.interfaces.terminal import show_parameters, show_table
    from afterglow.interfaces.words import NOT_MODELLED
    from afterglow.systems import catalogue

    if name is None and not (equations or latex or parameters or wires):
        show_table(_system_table())
        typer.echo(NOT_MODELLED)
        return
    if equations or latex or not (parameters or wires):
        for part in [name] if name else [row.name.split(",")[0] for row in catalogue.rows()]:
            typer.echo(catalogue.equations(part, style="latex" if latex else "text"))
    if parameters:
        show_parameters(catalogue.parameters(name))
    if wires:
        show_table(catalogue.wires(name))


@app.command()
@guarded
def validate(
    trials: Annotated[
        list[str] | None, typer.Argument(metavar="[TRIAL]...", help="Trial records.", show_default=False)
    ] = None,
    patients: Annotated[int, typer.Option("--patients", help="Virtual patients an arm.")] = 256,
    seed: Seed = 1,
    draws: Annotated[int, typer.Option("--draws", help="Draws of the posterior; 0 takes typical values.")] = 24,
    variant: Variant = None,
    loo: Annotated[bool, typer.Option("--loo", help="Predict each trial from the others; some minutes.")] = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """Published numbers against simulated ones, trial by trial, misses included.

    With --loo each trial is predicted by a posterior that has not seen it, beside a meta-regression as blind to it.
    """
    from afterglow.interfaces import output, terminal, validation

    _check(patients, seed, draws)
    if out is not None:
        output.check_free(out, force=force)
    settings = {"trials": trials, "patients": patients, "seed": seed, "draws": draws, "variant": variant, "loo": loo}
    asked = validation.Asked(**settings)
    with terminal.progress() as tell:
        tables = validation.run(asked, tell)
    validation.show(asked, tables)
    if out is not None:
        command = command_line("validate", trials, settings)
        with terminal.progress() as tell:
            validation.save(out, asked, tables, command, force=force, settings=settings, tell=tell)
        typer.echo(f"Results: {out}")


@app.command()
@guarded
def calibrate(
    patients: Annotated[int, typer.Option("--patients", help="Virtual patients an arm.")] = 160,
    seed: Seed = 1,
    rounds: Annotated[int, typer.Option("--rounds", help="Most steps of the optimiser.")] = 4,
    variant: Variant = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer patients and points: minutes, and rougher.")] = False,
    resume: Resume = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """Fit the declared parameters to the declared rows of the trial records, and sample their posterior.

    Takes about ten minutes on 2 cores, with --quick two or three; --resume goes on after a stop.
    """
    from afterglow.interfaces import calibration, terminal

    place = out or Path("afterglow-calibrate")
    _check(patients, seed)
    settings = {"patients": patients, "seed": seed, "rounds": rounds, "variant": variant, "quick": quick}
    command = command_line("calibrate", None, settings)
    tables = calibration.run(
        place, command, force=force, resume=resume, progress=lambda line: typer.echo(line, err=True), **settings
    )
    terminal.show_table(tables["identifiability"], f"Posterior of {len(tables['posterior'])} draws")
    typer.echo(f"Results: {place}")


@app.command()
@guarded
def sensitivity(
    patients: Annotated[int, typer.Option("--patients", help="Virtual patients behind each outcome.")] = 64,
    seed: Seed = 1,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer points: half a minute, and rougher.")] = False,
    out: Out = None,
    force: Force = False,
) -> None:
    """Which uncertain numbers, and which traits of people, the outcomes hang on (Morris and Sobol).

    Takes two to three minutes on 2 cores.
    """
    from afterglow.interfaces import sensitivity, terminal

    place = out or Path("afterglow-sensitivity")
    settings = {"patients": patients, "seed": seed, "quick": quick}
    with terminal.progress(lines=True) as tell:
        result = sensitivity.run(place, command_line("sensitivity", None, settings), force=force, tell=tell, **settings)
    sensitivity.show(result)
    typer.echo(f"Results: {place}")


app.command()(trial)
app.command()(claims)
app.command()(forecast)
app.command()(plan)
app.command()(serve)
app.command()(doctor)
app.add_typer(export)


def main() -> None:
    """Entry point of the command `afterglow`."""
    gc.set_threshold(100_000, 20, 20)  # modules and equations stay: usually the collector walks over them in vain
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # matrices are small: further threads only wait for each other
    app()


# ---------------------------------------------------------------------------------------------------- steps


def _run(courses: list[str] | None, place: Path, force: bool, draws: int | None, **options: Any) -> Comparison:
    """Check everything that can be wrong, all at once, then simulate."""
    from afterglow.errors import InputError
    from afterglow.interfaces import output, python, terminal
    from afterglow.study import compare as study
    from afterglow.study.device import usable

    draws = study.DRAWS if draws is None else draws
    checked = {name: value for name, value in options.items() if name != "trajectories"}
    faults = study.check(courses, draws=draws, **checked).faults
    try:
        output.check_free(place, force=force)
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)
    for line in usable(options["device"])[1]:  # loud and before the long wait; the result says it again
        typer.echo(f"afterglow: {line}", err=True)
    from afterglow.study import tables  # noqa: F401 -- pandas is not safe to be loaded by two threads at once

    with terminal.progress() as tell, ThreadPoolExecutor(1) as beside:
        beside.submit(_load_writers)  # while the engine works outside Python
        return python.compare(courses, draws=draws, progress=tell, **options)


def _load_writers() -> None:
    """What takes long to load and is needed for writing."""
    import pyarrow.parquet  # noqa: F401

    from afterglow.interfaces import drawing, figures, report  # noqa: F401


def _many(patients: int) -> bool:
    from afterglow.interfaces.streaming import STREAM_FROM

    return patients > STREAM_FROM


def _stream(
    verb: str,
    courses: list[str] | None,
    place: Path,
    force: bool,
    resume: bool,
    refused: dict[str, Any],
    options: dict[str, Any],
) -> None:
    """A run whose tables do not fit into memory: Parquet files, written block by block."""
    from afterglow.errors import Fault, InputError
    from afterglow.interfaces import streaming, terminal, unfinished
    from afterglow.study import compare as study

    asked = {name: value for name, value in options.items() if name != "device"}
    checked = study.check(courses, **asked)
    faults = list(checked.faults)
    for option in (name for name, given in refused.items() if given):
        remedy = f"leave it out, or ask for at most {streaming.STREAM_FROM:,} patients"
        faults.append(Fault(option, "not possible in a run that is written block by block", remedy))
    if faults:
        raise InputError(faults)
    from afterglow.study.stream import Stream

    scales = tuple(dict.fromkeys(("MADRS", *asked.pop("scales"))))
    run = Stream(checked.courses, **asked, scales=scales)
    settings = streaming.settings(checked.courses, {**asked, "scales": list(scales)}, run.block)
    if found := unfinished.faults(place, settings, force=force, resume=resume):
        raise InputError(found)
    warnings = [str(line) for one in checked.courses for line in one.warnings()]
    with terminal.progress(lines=True) as tell:
        command = command_line(verb, courses, options)
        tables = streaming.run(run, place, command, settings, resume=resume, warnings=warnings, progress=tell)
    terminal.show_table(streaming.summary(tables), f"{asked['patients']:,} virtual patients, 90 % intervals of chance")
    terminal.show_notice(warnings)
    typer.echo(f"Results: {place}")


def _finish(result: Comparison, place: Path, force: bool, command: str, *, systems: bool = False) -> None:
    from afterglow.interfaces import terminal

    result.save(place, force=force, command=command, systems=systems)
    terminal.show(result)
    typer.echo(f"Report: {place / 'report.html'}")


def _write(
    out: Path, force: bool, tables: dict[str, pd.DataFrame], command: str, settings: dict, more: dict | None = None
) -> None:
    """A result folder with tables and a manifest only."""
    from afterglow.interfaces import output

    with output.new_folder(out, force=force) as work:
        output.write_tables(work, tables)
        for name, contents in (more or {}).items():
            output.write_yaml(work / f"{name}.yaml", contents)
        output.write_manifest(work, command, settings, [])
    typer.echo(f"Results: {out}")


def _check(patients: int, seed: int, draws: int = 0) -> None:
    from afterglow.errors import InputError
    from afterglow.study.compare import check_numbers

    if faults := check_numbers(patients, 1.0, seed, draws):
        raise InputError(faults)


def _scales(text: str) -> tuple[str, ...]:
    """Scales named with commas; "all" for every one."""
    from afterglow.clinic.scale import names

    wanted = [one.strip() for one in text.split(",") if one.strip()]
    return tuple(names()) if wanted == ["all"] else tuple(wanted)


def _system_table() -> pd.DataFrame:
    import pandas as pd

    from afterglow.systems import catalogue

    found = catalogue.rows()
    rows = [
        {"system": r.name, "states": r.states, "parameters": r.parameters, "assumed": r.assumed, "what it is": title}
        for r in found
        for title in [r.title.split(":")[0].rstrip(".")]
    ]
    total = {"system": "all", "states": sum(r.states for r in found), "parameters": sum(r.parameters for r in found)}
    rows.append(total | {"assumed": sum(r.assumed for r in found), "what it is": ""})
    return pd.DataFrame(rows)
