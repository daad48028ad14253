"""The other exports of the command line: PEtab, NONMEM, ADaM, a COMBINE archive, an RO-Crate."""

from __future__ import annotations

import shutil
import zipfile
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from afterglow.errors import Fault
from afterglow.interfaces.options import Force, Seed, Variant, Weeks, command_line, guarded

Folder = Annotated[Path, typer.Option("--out", help="Folder to write; must not exist.", show_default=False)]
STAMP = (2020, 1, 1, 0, 0, 0)  # of files in an archive, so that the same results give the same bytes


def register(app: typer.Typer) -> None:
    """Add these commands to `afterglow export`."""
    for command in (petab, nonmem, adam, combine, crate):
        app.command()(command)


@guarded
def petab(out: Folder, force: Force = False) -> None:
    """Write the part of the calibration that PEtab can say: typical people, mean rows, priors."""
    import yaml

    from afterglow.interfaces import output
    from afterglow.study import export_petab
    from afterglow.study.export_words import PETAB

    output.check_free(out, force=force)
    problem = export_petab.CentralProblem()
    tables, model = export_petab.tables(problem), export_petab.model(problem)
    with output.new_folder(out, force=force) as folder:
        for name, table in tables.items():
            table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, lineterminator="\n")
        (folder / "model.xml").write_text(model, encoding="utf-8")
        text = yaml.safe_dump(export_petab.PROBLEM, sort_keys=False)
        (folder / "problem.yaml").write_text(text, encoding="utf-8")
        (folder / "README.md").write_text(
            PETAB.format(rows=len(problem.rows), arms=len(problem.arms)), encoding="utf-8"
        )
        output.write_manifest(folder, command_line("export", ["petab"], {}), {}, [])
    typer.echo(f"PEtab: {out / 'problem.yaml'}")


@guarded
def nonmem(
    course: Annotated[str, typer.Argument(metavar="COURSE", help="A shipped course or a course file.")],
    out: Folder,
    patients: Annotated[int, typer.Option("--patients", help="How many virtual patients.")] = 24,
    weeks: Weeks = 4.0,
    seed: Seed = 1,
    force: Force = False,
) -> None:
    """Write simulated concentrations of a ketamine course for NONMEM, and a control stream."""
    from afterglow.clinic.course import load_course
    from afterglow.interfaces import output
    from afterglow.study.export_nonmem import NonmemExport
    from afterglow.study.export_words import NONMEM

    output.check_free(out, force=force)
    made = NonmemExport(load_course(course), patients, weeks, seed)
    data = f"{made.course.name}_SIMULATED.csv"
    left = ", ".join(made.left_out) or "none"
    settings = {"patients": patients, "weeks": weeks, "seed": seed}
    with output.new_folder(out, force=force) as folder:
        made.dataset().to_csv(folder / data, index=False, na_rep=".", lineterminator="\n")
        (folder / f"{made.course.name}.ctl").write_text(made.control(data), encoding="utf-8")
        (folder / "README.md").write_text(NONMEM.format(data=data, left_out=left), encoding="utf-8")
        output.write_manifest(folder, command_line("export", ["nonmem", course], settings), settings, [])
    typer.echo(f"NONMEM: {out / data}")


@guarded
def adam(
    design: Annotated[str, typer.Argument(metavar="TRIAL", help="A shipped trial or a trial file.")],
    out: Folder,
    seed: Seed = 1,
    variant: Variant = None,
    force: Force = False,
) -> None:
    """Run one trial and write its data under the names of CDISC's ADaM."""
    from afterglow.clinic.scenarios import load_scenarios
    from afterglow.interfaces import output
    from afterglow.interfaces import trial as steps
    from afterglow.study import adam as named
    from afterglow.study import trial_study

    output.check_free(out, force=force)
    asked = steps.plan(load_scenarios(design)[:1], 1, seed, variant)
    trial_study.check(asked)
    tables = named.adam(trial_study.example(asked))
    options = {"seed": seed, "variant": variant}
    with output.new_folder(out, force=force) as folder:
        output.write_tables(folder, {f"{name.lower()}_SIMULATED": table for name, table in tables.items()})
        output.write_yaml(folder / "trial.yaml", steps.design(asked.scenarios[0]))
        output.write_manifest(
            folder, command_line("export", ["adam", design], options), options, trial_study.warnings(asked)
        )
    typer.echo(f"ADaM: {out}")


@guarded
def combine(
    courses: Annotated[list[str], typer.Argument(metavar="COURSE...", help="Shipped courses or course files.")],
    out: Annotated[Path, typer.Option("--out", help="The archive to write, FILE.omex.", show_default=False)],
    weeks: Weeks = 8.0,
    force: Force = False,
) -> None:
    """Write courses of the typical person as a COMBINE archive: SBML, and SED-ML of every panel."""
    from afterglow.clinic.course import load_course
    from afterglow.errors import InputError
    from afterglow.interfaces import terminal
    from afterglow.interfaces.words import NOTICE
    from afterglow.study.export_combine import archive

    faults, loaded = _taken(out, ".omex", force), []
    for name in courses:
        try:
            loaded.append(load_course(name))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(faults)
    with terminal.progress(lines=True) as tell:
        whole = archive(loaded, weeks, NOTICE, None if tell is None else partial(tell, "models"))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(whole)
    typer.echo(f"COMBINE: {out}")


@guarded
def crate(
    folder: Annotated[Path, typer.Argument(metavar="RESULT_FOLDER", help="A result folder of afterglow.")],
    out: Annotated[Path, typer.Option("--out", help="Folder or .zip to write.", show_default=False)],
    force: Force = False,
) -> None:
    """Write a result folder as an RO-Crate: the same files, and what made them as linked data."""
    from afterglow.errors import InputError
    from afterglow.interfaces import output
    from afterglow.study import export_crate

    zipped = out.suffix == ".zip"
    faults = _taken(out, ".zip", force) if zipped else []
    try:
        manifest = export_crate.read(folder)
    except InputError as error:
        raise InputError(faults + error.faults) from None
    if faults:
        raise InputError(faults)
    text = export_crate.crate(folder, manifest)
    names = [*manifest["files"], export_crate.MANIFEST]
    if zipped:
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as whole:
            whole.writestr(zipfile.ZipInfo(export_crate.METADATA, STAMP), text, zipfile.ZIP_DEFLATED)
            for name in names:
                whole.writestr(zipfile.ZipInfo(name, STAMP), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    else:
        with output.new_folder(out, force=force) as made:
            for name in names:
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, made / name)
            (made / export_crate.METADATA).write_text(text, encoding="utf-8")
    typer.echo(f"RO-Crate: {out}")


def _taken(out: Path, ending: str, force: bool) -> list[Fault]:
    """What is wrong with the place of one file."""
    found = []
    if out.suffix != ending:
        found.append(Fault("--out", f"'{out.name}' does not end in {ending}", f"write NAME{ending}"))
    if out.is_dir():
        found.append(Fault("--out", f"'{out.name}' is a folder", "name a file"))
    elif out.exists() and not force:
        found.append(Fault("--out", f"'{out.name}' exists", "name another file, or add --force"))
    return found
