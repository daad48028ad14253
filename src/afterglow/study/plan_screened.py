"""Doses that a plan may give: the person's own and those of other routes, screened; what is excluded, and why.

Contraindications and limits are hard: a dose that screening contraindicates, that the course schema refuses, or that
is above the studied (or labelled) range is never simulated, and stands in the table of what is excluded with what would
change that. Cautions do not exclude; they are counted. Labels also limit how often a dose is given (the nasal spray:
weekly or every two weeks after its induction); rules dose at most once in `boosters.LEAST_D` days, so none is broken.

Routes are those of shipped courses whose dose and schedule come from a controlled trial or a label. Intramuscular and
sublingual courses are left out: their schedules are assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from afterglow.clinic import limits
from afterglow.clinic.course import Course, load_course
from afterglow.clinic.dosing import Dose
from afterglow.clinic.person import Person as PersonFile
from afterglow.clinic.screening import screen
from afterglow.study.candidates import last_dose

if TYPE_CHECKING:
    import pandas as pd

USUAL = "iv-induction"  # what a population has had, and whose dose a person gets who has had none
ROUTES = ("nasal-esketamine", USUAL, "sc-induction", "oral-induction")
SCREENING = ("dose", "rule", "severity", "reason", "source", "what_would_change_it")
EXCLUDED = ("rule", "dose", "reason", "source", "what_would_change_it")
EVERY_RULE = "every rule with this dose"


def dose_words(line: Dose) -> str:
    """A dose as in tables."""
    return f"{line.drug} {line.route} {line.dose}"


@dataclass(frozen=True, eq=False)
class Screened:
    """What may be given.

    Attributes:
        allowed: doses that are compared, the first one under every rule; empty where everything is excluded.
        screening: rules of labels that hold for the person, columns `SCREENING`; empty for a population.
        excluded: doses that are never simulated, columns `EXCLUDED`.
    """

    allowed: list[Dose]
    screening: pd.DataFrame
    excluded: pd.DataFrame

    def count(self, line: Dose, severity: str) -> int:
        """How many rules of this severity speak of a dose."""
        mine = (self.screening["dose"] == dose_words(line)) & (self.screening["severity"] == severity)
        return int(mine.sum())


def considered(done: Course) -> list[Dose]:
    """The last dose of the person (or the usual infusion), then one dose of each other route."""
    found = [last_dose(done) or load_course(USUAL).doses[0]]
    for name in ROUTES:
        line = load_course(name).doses[-1]
        if (line.drug, line.route) not in {(one.drug, one.route) for one in found}:
            found.append(line)
    return found


def screened(person: PersonFile | None, done: Course, lines: Sequence[Dose] | None = None) -> Screened:
    """Screen doses for a person; for a population only the limits of doses hold.

    Args:
        person: the file; None for a population.
        done: what has been done, with daily drugs that go on.
        lines: the doses; None for `considered`.
    """
    import pandas as pd

    lines = considered(done) if lines is None else lines
    tables, excluded, allowed = [], [], []
    for line in lines:
        words, reasons = dose_words(line), _beyond(line, done)
        if person is not None:
            found = screen(person, _once(line))
            found.insert(0, "dose", words)
            tables.append(found)
            reasons += [
                [str(row[name]) for name in ("reason", "source", "what_would_change_it")]
                for row in found.to_dict("records")
                if row["severity"] == "contraindication"
            ]
        excluded += [(EVERY_RULE, words, *reason) for reason in reasons]
        allowed += [] if reasons else [line]
    empty = pd.DataFrame(columns=pd.Index(list(SCREENING)))
    screening = pd.concat(tables, ignore_index=True) if tables else empty
    return Screened(allowed, screening, pd.DataFrame(excluded, columns=pd.Index(list(EXCLUDED))))


def _once(line: Dose) -> Course:
    once = line.model_copy(update={"days": (1.0,), "every": None, "first": 1.0, "until": None})
    return Course(course="candidate", doses=(once,))


def _beyond(line: Dose, done: Course) -> list[list[str]]:
    """Reason, source and remedy for each limit that a dose breaks: its range, and the bound of 24 hours."""
    found = []
    limit = limits.find(line.drug, line.route)
    if limit is not None and line.dose is not None and limit.value(line.dose) > limit.studied.high * (1 + 1e-9):
        reason = next(iter(limits.dose_warnings(line.drug, line.route, line.dose)))
        change = f"a dose of at most {limit.studied.high:g} {limit.dose_unit}"
        found.append([reason.split(" [")[0], str(limit.studied.source), change])
    weekly = line.model_copy(update={"days": None, "every": 168.0, "first": 1.0, "until": None})
    try:
        Course(course="candidate", doses=(weekly,), background=done.background)
    except ValidationError as error:
        for one in error.errors():
            context = one.get("ctx", {})
            reason, change = context.get("problem", one["msg"]), context.get("remedy", "")
            found.append([reason, "safety bounds of data/limits.yaml", change])
    return found
