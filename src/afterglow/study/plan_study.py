"""What to do next: rules for further doses compared in people who might be one person, or in a population.

Every rule runs in the same people with the same luck. What is compared is shown side by side (days in remission, doses,
days ill, ketamine), with the rules that no other beats marked; nothing is added up into one number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course, Therapy, load_course
from afterglow.clinic.dosing import Dose
from afterglow.clinic.person import Person as PersonFile
from afterglow.clinic.population import load_population
from afterglow.errors import Fault, InputError
from afterglow.study import boosters
from afterglow.study.candidates import last_dose
from afterglow.study.cloud import Cloud, prior
from afterglow.study.forecast import Person, Updated, foresee, update
from afterglow.study.forecast_study import of_file

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

PEOPLE = 512  # who run
FIXED_D = (7.0, 14.0, 21.0, 28.0)
SYMPTOM = (22.0, 16.0)  # MADRS points
CHANCES = (0.3, 0.5)  # of a relapse at the next visit
USUAL = "iv-induction"  # what a population has had, and whose dose it gets
NASAL = "nasal-esketamine"
CBT_WEEKS = 6
ENOUGH = 0.9  # of the benefit of the whole course


@dataclass(frozen=True, eq=False)
class Planned:
    """What came out.

    Attributes:
        who: whom it is about, in words.
        rules: one row a rule (see `boosters.compared`), with dose, therapy, ketamine_mg and front (no other beats it).
        screening: rules of labels that hold for the person, by route; empty for a population.
        resistance: the listed trials, judged; empty where none are listed.
        little: benefit of the first k sessions of a course, against all of them.
        updated: the person once the scores are taken in.
    """

    who: str
    rules: pd.DataFrame
    screening: pd.DataFrame
    resistance: pd.DataFrame
    little: pd.DataFrame
    updated: Updated


def plan(
    person: PersonFile | None,
    population: str = "trd",
    *,
    weeks: float = 12.0,
    seed: int = 1,
    variant: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> Planned:
    """Compare rules for a person, or for a population after six infusions.

    Args:
        person: a person file; None for a population.
        population: name or file of the population.
        weeks: how far to look.
        seed: of all chance.
        variant: a rival mechanism.
        progress: called with what is being done and the share that is.
    """
    import pandas as pd

    if weeks < 4.0:
        raise InputError(Fault("--weeks", f"a plan of {weeks:g} weeks", "at least 4"))
    if person is None:
        cloud = prior(load_population(population).draw(seed, 0, range(PEOPLE)), seed, variant)
        known = Person(cloud, load_course(USUAL).model_copy(update={"blinding": "open"}), (), seed, variant)
        now, who = max(start for start, _ in known.course.sessions(52.0)), f"population {population}, after {USUAL}"
    else:
        history, known = of_file(person, seed, variant)
        now, who = history.last_h, f"person {person.person}"
    updated = update(known)
    some = updated.cloud.resampled(PEOPLE, seed, "plan")
    times = np.array([now + 168.0 * k for k in range(1, int(weeks) + 1)])
    rows = _rules(known, some, times, progress)
    return Planned(
        who, pd.DataFrame(rows), _screened(person, known), _resistance(person), _little(updated, known), updated
    )


def _rules(
    known: Person, some: Cloud, times: FloatArray, progress: Callable[[str, float], None] | None
) -> list[dict[str, Any]]:
    own = _own_dose(known.course)
    nasal = load_course(NASAL).doses[-1]
    weight = float(some.people["WT"].mean())
    beta = boosters.regression(known, some, own, times)
    wanted: list[tuple[str, boosters.Rule, Dose, bool]] = [("nothing more", boosters.never, own, False)]
    wanted += [(f"every {d:g} days", boosters.fixed(d), own, False) for d in FIXED_D]
    wanted += [(f"when MADRS >= {at:g}", boosters.symptom(at), own, False) for at in SYMPTOM]
    wanted += [(f"when P(relapse in a week) > {p:.0%}", boosters.foreseen(beta, p), own, False) for p in CHANCES]
    wanted.append(("nothing more", boosters.never, own, True))
    wanted.append((f"every {FIXED_D[1]:g} days", boosters.fixed(FIXED_D[1]), own, True))
    if (nasal.drug, nasal.route) != (own.drug, own.route):
        wanted += [(f"every {d:g} days", boosters.fixed(d), nasal, False) for d in FIXED_D[:2]]
    rows = []
    for k, (name, rule, dose, therapy) in enumerate(wanted):
        if progress is not None:
            progress(name, k / len(wanted))
        course = _with_therapy(known.course, float(times[0])) if therapy else known.course
        one = Person(known.prior, course, known.seen, known.seed, known.variant)
        row = boosters.compared([boosters.run(one, some, name, rule, dose, times)])[0]
        row |= {"dose": f"{dose.drug} {dose.route} {dose.dose}", "therapy": "weekly cbt" if therapy else ""}
        row["ketamine_mg"] = row["doses"] * (dose.dose.mg(weight) if dose.dose is not None else 0.0)
        rows.append(row)
    for row, front in zip(rows, boosters.pareto(rows), strict=True):
        row["front"] = front
    return rows


def _own_dose(done: Course) -> Dose:
    """The last dose of the person, or that of the usual infusion where there was none."""
    return last_dose(done) or load_course(USUAL).doses[0]


def _with_therapy(done: Course, from_h: float) -> Course:
    first = from_h / 24.0 + 1.0
    days = tuple(first + 7.0 * k for k in range(CBT_WEEKS))
    return done.model_copy(update={"therapy": (*done.therapy, Therapy(kind="cbt", days=days))})


def _screened(person: PersonFile | None, known: Person) -> pd.DataFrame:
    """Rules of labels for the person's own dose and for the spray."""
    import pandas as pd

    from afterglow.clinic.screening import screen

    if person is None:
        return pd.DataFrame()
    doses = [_own_dose(known.course), load_course(NASAL).doses[-1]]
    tables = []
    for line in doses:
        once = line.model_copy(update={"days": (1.0,), "every": None, "first": 1.0, "until": None})
        found = screen(person, Course(course="candidate", doses=(once,)))
        found.insert(0, "route", f"{line.drug} {line.route}")
        tables.append(found)
    return pd.concat(tables, ignore_index=True)


def _resistance(person: PersonFile | None) -> pd.DataFrame:
    import pandas as pd

    from afterglow.clinic.adequacy import resistance

    return pd.DataFrame() if person is None or not person.trials else resistance(person.trials)


def _little(updated: Updated, known: Person) -> pd.DataFrame:
    """How little is enough: mean score over four weeks after the first k sessions of six infusions, as for a new start.

    Returns:
        Columns: sessions, change (mean over four weeks, points), lo90, hi90 (of people), share (of the full course's
        change), enough (the fewest that keep `ENOUGH` of it).
    """
    import pandas as pd

    fresh = Updated(Person(known.prior, known.course, (), known.seed, known.variant), updated.cloud, 0.0, False, 1.0)
    whole = load_course(USUAL).model_copy(update={"blinding": known.course.blinding})
    days = [start / 24.0 + 1.0 for start, _ in whole.sessions(52.0)]
    times = np.array([168.0 * k for k in range(1, 7)])
    rows: list[dict[str, Any]] = []
    for count in range(1, len(days) + 1):
        line = whole.doses[0].model_copy(update={"days": tuple(days[:count])})
        course = whole.model_copy(update={"doses": (line,)})
        future = foresee(fresh, str(count), course, times, count=PEOPLE)
        change = (future.scores - future.baseline[:, None]).mean(axis=1)
        low, high = np.quantile(change, [0.05, 0.95])
        rows.append({"sessions": count, "change": float(change.mean()), "lo90": low, "hi90": high})
    full = rows[-1]["change"]
    fewest = next(row["sessions"] for row in rows if row["change"] <= ENOUGH * full)
    for row in rows:
        row |= {"share": row["change"] / full, "enough": row["sessions"] == fewest}
    return pd.DataFrame(rows)


def short(found: Planned) -> pd.DataFrame:
    """The table of rules for the screen, most days in remission first."""
    import pandas as pd

    rows = []
    for one in sorted(found.rules.to_dict("records"), key=lambda row: -row["days_in_remission"]):
        therapy = f", {one['therapy']}" if one["therapy"] else ""
        rows.append(
            {
                "rule": one["rule"],
                "what": f"{one['dose']}{therapy}",
                "days in remission (90 % of people)": _ends(one, "days_in_remission"),
                "doses": _ends(one, "doses"),
                "days ill": f"{one['days_ill']:.0f}",
                "mg": f"{one['ketamine_mg']:.0f}",
                "on the front": "yes" if one["front"] else "",
            }
        )
    return pd.DataFrame(rows)


def _ends(row: dict[Any, Any], name: str) -> str:
    return f"{row[name]:.1f} ({row[f'{name}_p05']:.0f} to {row[f'{name}_p95']:.0f})"
