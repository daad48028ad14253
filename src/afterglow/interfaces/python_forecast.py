"""The Python interface to the forecast of one person.

import afterglow

person = afterglow.load_person("examples/person.yaml")
result = afterglow.forecast(person)
result.table
result.what_if().dose("ketamine", "iv", "0.5 mg/kg", "40 min", day=40).outlook.future.table()
later = afterglow.forecast(person.with_score("MADRS", 17, day=30))
later.save("my-forecast", previous=result)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from afterglow.study import forecast_study as study

if TYPE_CHECKING:
    from afterglow.clinic.course import Course
    from afterglow.clinic.person import Person
    from afterglow.interfaces.canvas import Picture

__all__ = ["Forecast", "forecast"]


@dataclass(frozen=True, eq=False, repr=False)
class Forecast(study.Forecast):
    """A forecast that can draw and save itself; see `afterglow.study.forecast_study.Forecast` for what it holds."""

    def pictures(self) -> list[Picture]:
        """The pictures of the report."""
        from afterglow.interfaces import forecast_figures

        return forecast_figures.pictures(self)

    def save(self, folder: str | Path, *, force: bool = False, previous: study.Forecast | None = None) -> Path:
        """Write the result folder: report, tables, forecast.json, units.json and manifest.json.

        Args:
            folder: where; it must not exist.
            force: replace an earlier result folder.
            previous: an earlier forecast to compare with.
        """
        from afterglow.interfaces import forecast as steps

        known = self.updated.person
        settings = {"weeks": self.weeks, "scale": self.scale, "seed": known.seed, "variant": known.variant}
        asked = ", ".join(f"{name}={value!r}" for name, value in settings.items() if value is not None)
        before = None if previous is None else previous.table
        steps.save(self, Path(folder), f"afterglow.forecast(person, {asked})", settings, force=force, before=before)
        return Path(folder)


def forecast(
    person: Person | str | Path,
    courses: Sequence[str | Path | Course] = (),
    *,
    weeks: float = 12.0,
    scale: str = "MADRS",
    seed: int = 1,
    variant: str | None = None,
) -> Forecast:
    """Forecast one person from the scores written down; see `afterglow.study.forecast_study.forecast`.

    Args:
        person: a person, or the path of a person file.
        courses: courses to consider beside nothing more and boosters: names, files or courses.
        weeks: how far to look, at least 1.
        scale: of the bands.
        seed: of all chance.
        variant: a rival mechanism.

    Raises:
        InputError: what is wrong with the person, the courses or the options, all at once.
    """
    known, others = study.inputs(person, courses, weeks, seed, scale)
    found = study.forecast(known, others, weeks=weeks, scale=scale, seed=seed, variant=variant)
    return Forecast(**{field.name: getattr(found, field.name) for field in fields(found)})
