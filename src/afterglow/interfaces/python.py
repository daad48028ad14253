"""The Python interface: the command line's work in a few lines.

import afterglow

result = afterglow.compare(["iv-induction", "ssri"], patients=200)
result.tables["contrasts"]
result.plot()
result.save("my-result")
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.errors import Fault, InputError, nearest
from afterglow.study import compare as study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from afterglow.clinic.course import Course
    from afterglow.clinic.person import Person
    from afterglow.clinic.population import Population
    from afterglow.interfaces.canvas import Picture
    from afterglow.interfaces.report import Facts
    from afterglow.study.compare import Progress

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, repr=False)
class Comparison(study.Comparison):
    """A comparison that can draw and save itself; see `afterglow.study.compare.Comparison` for what it holds."""

    def pictures(self, *, systems: bool = False) -> list[Picture]:
        """The pictures of the report; with `systems` also the whole chain of the first course."""
        from afterglow.interfaces import figures, words

        covers = words.interval_words(self.covers, self.settings.patients)
        made = figures.pictures(self.runs, self.tables, {**self.clock_runs, **self.runs}, covers)
        if systems:
            first = self.active[0]
            made.insert(1, figures.chain(first, self.runs.get(f"{first.arm}/control")))
        return made

    def plot(self, name: str | None = None) -> Figure:
        """A figure (matplotlib): the first picture of the report, or the one of this name.

        Names: shared-clock, weeks, contrasts, outcomes, safety, doses, systems.
        """
        from afterglow.interfaces import drawing

        made = {picture.name: picture for picture in self.pictures(systems=name == "systems")}
        chosen = next(iter(made)) if name is None else name
        if chosen not in made:
            raise InputError(Fault("plot", f"there is no picture '{chosen}'", nearest(chosen, made)))
        return drawing.figure(made[chosen])

    def save(
        self, folder: str | Path, *, force: bool = False, command: str | None = None, systems: bool = False
    ) -> Path:
        """Write the result folder: report, figures, tables, units.json and manifest.json.

        Args:
            folder: where; it must not exist.
            force: replace an earlier result folder.
            command: what to put into the manifest as the command of this run.
            systems: add the picture of the whole chain.
        """
        from afterglow.data.fitted import drug_share
        from afterglow.interfaces import drawing, output, report, words

        out = Path(folder)
        facts = self._facts(command or self._command())
        with output.new_folder(out, force=force) as work, ThreadPoolExecutor(1) as beside:
            # Most of the time in tables is spent outside Python: they are written while the pictures are drawn.
            tables = beside.submit(output.write_tables, work, self.tables)
            pictures = self.pictures(systems=systems)
            output.write_units(work, self.tables, self.covers)
            (work / "figures").mkdir()
            for picture in pictures:
                (work / "figures" / f"{picture.name}.png").write_bytes(drawing.png(picture))
            (work / "report.html").write_text(report.build(self, pictures, facts), encoding="utf-8")
            tables.result()
            asked = {field.name: getattr(self.settings, field.name) for field in fields(self.settings)}
            clock = (
                {"courses": list(self.clock_runs), "patients": _patients(self.clock_runs)} if self.clock_runs else None
            )
            inputs = {run.arm: output.sha256(run.course.model_dump_json().encode()) for run in self.active}
            more = {"courses_sha256": inputs, "shared_clock": clock, "intervals_cover": list(self.covers)}
            more["drug_share"] = {"words": words.DRUG_SHARE_SHORT, **drug_share()}
            output.write_manifest(work, facts.command, asked, self.warnings, **more)
        return out

    def _facts(self, command: str) -> Facts:
        from afterglow.interfaces import output, report
        from afterglow.systems import catalogue
        from afterglow.systems.variants import VARIANTS

        rows = catalogue.rows()
        variant = self.settings.variant
        return report.Facts(
            parameters=sum(row.parameters for row in rows),
            assumed=sum(row.assumed for row in rows),
            fitted=sum(row.fitted for row in rows),
            variant=variant,
            variant_meaning=VARIANTS[variant].meaning if variant else "",
            population=self._population(),
            command=command,
            model_sha256=output.model_hash(),
            versions={"afterglow": output.package_version(), **output.library_versions()},
        )

    def _population(self) -> str:
        """Who was simulated, in a sentence."""
        table = self.tables["patients"]
        if self.settings.person:
            return "One person, simulated again and again with what is unknown about them drawn anew."
        words = [f"{len(table):,} virtual patients"]
        for column, name, unit in (
            ("AGE", "age", "years"),
            ("WT", "weight", "kg"),
            ("baseline_madrs", "MADRS", "points"),
        ):
            if column in table:
                words.append(f"{name} {table[column].mean():.0f} (SD {table[column].std(ddof=0):.0f}) {unit}")
        if "failed_trials" in table:
            words.append(f"{table['failed_trials'].mean():.1f} failed adequate trials on average")
        return ", ".join(words) + "."

    def _command(self) -> str:
        asked = self.settings
        options = f"patients={asked.patients}, weeks={asked.weeks:g}, seed={asked.seed}"
        options += f", variant={asked.variant!r}" if asked.variant else ""
        options += f", device={asked.device!r}" if asked.device != "cpu" else ""
        return f"afterglow.compare({list(asked.courses)!r}, {options})"


def compare(
    courses: Sequence[str | Path | Course] | None = None,
    *,
    patients: int = 1000,
    weeks: float = 8,
    seed: int = 1,
    variant: str | None = None,
    scales: Sequence[str] = ("MADRS",),
    population: Population | None = None,
    person: Person | str | Path | None = None,
    draws: int = study.DRAWS,
    trajectories: bool = False,
    progress: Progress | None = None,
    device: str = "cpu",
) -> Comparison:
    """Put a virtual population through courses of treatment; see `afterglow.study.compare.compare`."""
    found = study.compare(
        courses,
        patients=patients,
        weeks=weeks,
        seed=seed,
        variant=variant,
        scales=scales,
        population=population,
        person=person,
        draws=draws,
        trajectories=trajectories,
        progress=progress,
        device=device,
    )
    return Comparison(**{field.name: getattr(found, field.name) for field in fields(found)})


def _patients(runs: dict[str, Any]) -> int:
    return max(len(run.status) for run in runs.values())
