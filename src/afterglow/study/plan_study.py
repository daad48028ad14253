"""What to do next: rules for further doses compared in people who might be one person, or in a population.

    screening and limits (`plan_screened`) -> plans -> runs (`boosters`) -> outcomes and the front (`plan_front`)
    one more visit first? (`plan_waiting`)    how few sessions are enough? (`plan_little`)

Every plan runs in the same people with the same luck. Outcomes are shown side by side; nothing is added up into one
number. What is excluded by screening or a limit is never simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course, Therapy, load_course
from afterglow.clinic.dosing import Dose
from afterglow.clinic.history import History
from afterglow.clinic.person import Person as PersonFile
from afterglow.clinic.population import load_population
from afterglow.errors import Fault, InputError, nearest
from afterglow.study import boosters
from afterglow.study.boosters import Ran, Rule
from afterglow.study.cloud import Cloud, prior
from afterglow.study.forecast import Future, Person, Updated, before, update
from afterglow.study.forecast_study import of_file
from afterglow.study.plan_front import (
    OBJECTIVES,
    USUAL_OBJECTIVES,
    Objective,
    front_table,
    resampled_weights,
    rules_table,
    same_people,
)
from afterglow.study.plan_little import little
from afterglow.study.plan_screened import USUAL, Screened, dose_words, screened
from afterglow.study.plan_waiting import waiting

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Progress = Callable[[str, float], None]

PEOPLE = 1024  # who run
WAITING_PEOPLE = 2048  # who show what a score is worth, which is little
LEAST_WEEKS, MOST_WEEKS = 4.0, 104.0
FIXED_D = (7.0, 14.0, 21.0, 28.0)
WELL_VISITS = 4  # weekly scores running in remission after which a stop rule ends doses
USELESS_DOSES = 4  # doses without a response after which a stop rule ends them
SYMPTOM = (22.0, 16.0)  # MADRS points
CHANCES = (0.3, 0.5)  # of a relapse at the next visit
CBT_SESSIONS = 6  # one a week
LATER_WK = 4  # weeks after which therapy begins where it comes later
NOTHING, WEEKLY = "nothing more", "every 7 days"


@dataclass(frozen=True)
class Option:
    """A plan to be compared.

    Attributes:
        rule: in words.
        decide: when to dose.
        dose: what is given; None where nothing is.
        therapy_wk: weeks from the first visit to the first session of cognitive behavioural therapy; None without.
        looks: whether the rule needs a score every week.
        route: names another route than the first dose's; empty for that.
    """

    rule: str
    decide: Rule
    dose: Dose | None
    therapy_wk: int | None = None
    looks: bool = False
    route: str = ""

    @property
    def therapy(self) -> str:
        """Therapy in words."""
        return {None: "", 0: "CBT now"}.get(self.therapy_wk, f"CBT in {self.therapy_wk} weeks")

    @property
    def plan(self) -> str:
        """Its name in all tables."""
        return ", ".join(filter(None, (self.rule, self.route, self.therapy)))


@dataclass(frozen=True, eq=False)
class Planned:
    """What came out.

    Attributes:
        who: whom it is about, in words.
        person: the file; None for a population.
        history: what has been done and seen; None for a population.
        updated: the person once the scores are taken in.
        weeks: how far it looks.
        objectives: that make the front.
        doses: that are compared, in words; the first one under every rule.
        people: virtual people who ran, and how many different ones.
        table: expected scores and chances by plan and visit (`forecast.Future.table`).
        rules: one row a plan (`plan_front.rules_table`).
        front: one row a plan and chosen objective (`plan_front.front_table`).
        waiting: what one more visit is worth (`plan_waiting.waiting`); empty where nothing may be given.
        little: how few sessions are enough (`plan_little.little`); empty where the usual infusion is excluded.
        screening: rules of labels that hold for the person, by dose; empty for a population.
        excluded: doses that are not in the comparison, and why.
        resistance: the listed trials, judged; empty where none are listed.
    """

    who: str
    person: PersonFile | None
    history: History | None
    updated: Updated
    weeks: float
    objectives: list[Objective]
    doses: list[str]
    people: tuple[int, int]
    table: pd.DataFrame
    rules: pd.DataFrame
    front: pd.DataFrame
    waiting: pd.DataFrame
    little: pd.DataFrame
    screening: pd.DataFrame
    excluded: pd.DataFrame
    resistance: pd.DataFrame

    @property
    def warnings(self) -> list[str]:
        """What a reader must know."""
        found = list(self.updated.warnings)
        if self.person is not None:
            found += [f"not used: {line}" for line in self.person.not_used]
        if not self.doses:
            found.append("every dose is excluded by screening or a limit: only plans without doses are compared")
        elif len(self.excluded):
            named = ", ".join(dict.fromkeys(self.excluded["dose"]))
            found.append(f"excluded by screening or a limit, and not in the comparison: {named}")
        return found


def objective_faults(asked: Sequence[str]) -> list[Fault]:
    """What is wrong with the chosen objectives."""
    known = [name for name in asked if name in OBJECTIVES]
    faults = [
        Fault("--objective", f"there is no objective '{name}'", nearest(name, OBJECTIVES))
        for name in asked
        if name not in OBJECTIVES
    ]
    if asked and not faults and len(set(known)) < 2:
        remedy = "name at least two, or leave it out"
        faults.append(Fault("--objective", f"'{known[0]}' alone hides what it costs", remedy))
    return faults


def week_faults(weeks: float) -> list[Fault]:
    """What is wrong with the horizon."""
    if LEAST_WEEKS <= weeks <= MOST_WEEKS:
        return []
    return [Fault("--weeks", f"a plan of {weeks:g} weeks", f"{LEAST_WEEKS:g} to {MOST_WEEKS:g}")]


def plan(
    person: PersonFile | None,
    population: str = "trd",
    *,
    weeks: float = 12.0,
    objectives: Sequence[str] = USUAL_OBJECTIVES,
    seed: int = 1,
    variant: str | None = None,
    progress: Progress | None = None,
) -> Planned:
    """Compare rules for a person, or for a population after six infusions.

    Args:
        person: a person file; None for a population.
        population: name or file of the population.
        weeks: how far to look.
        objectives: names in `plan_front.OBJECTIVES`, at least two.
        seed: of all chance.
        variant: a rival mechanism.
        progress: called with what is being done and the share that is.
    """
    tell = progress or _tell_nobody
    if faults := [*week_faults(weeks), *objective_faults(objectives)]:
        raise InputError(faults)
    tell("people who might be this one", 0.0)
    history, known, now, who = _known(person, population, seed, variant)
    updated = update(known)
    may = screened(person, known.course)
    some = updated.cloud.resampled(PEOPLE, seed, "plan")
    times = np.array([now + 168.0 * k for k in range(1, int(weeks) + 1)])
    first = may.allowed[0] if may.allowed else None
    options = offered(known, some, may.allowed, times)
    ran = _run(known, some, options, times, tell)
    fine = np.flatnonzero(np.isfinite([one.scores for one in ran]).all(axis=(0, 2)))  # whom the solver kept in all
    kept, ran = some.take(fine), [one.take(fine) for one in ran]
    people = same_people(kept)
    weights = resampled_weights(people, seed)
    outcomes = [_outcomes(one, found, kept, times) for one, found in zip(options, ran, strict=True)]
    chosen = [OBJECTIVES[name] for name in dict.fromkeys(objectives)]
    names = [one.plan for one in options]
    tell("one more visit first?", 0.85)
    many = updated.cloud.resampled(WAITING_PEOPLE, seed, "plan/waiting")
    later = _empty() if first is None else waiting(known, many, first, now, weeks)
    tell("how little is enough?", 0.95)
    usual = load_course(USUAL).model_copy(update={"blinding": known.course.blinding})
    fits = bool(screened(person, known.course, usual.doses).allowed)
    return Planned(
        who, person, history, updated, weeks, chosen, [dose_words(line) for line in may.allowed],
        (len(people), int(people.max()) + 1), _table(known, names, ran, times),
        rules_table([_described(one, may) for one in options], outcomes, chosen, weights),
        front_table(names, outcomes, chosen, weights, {"vs_nothing": NOTHING, "vs_weekly": WEEKLY}),
        later, little(known, some, usual) if fits else _empty(), may.screening, may.excluded, _resistance(person),
    )  # fmt: skip


def _tell_nobody(what: str, share: float) -> None:
    del what, share


def _known(
    person: PersonFile | None, population: str, seed: int, variant: str | None
) -> tuple[History | None, Person, float, str]:
    """History, what is known, the hour of the last entry, and who it is in words."""
    if person is not None:
        history, known = of_file(person, seed, variant)
        return history, known, history.last_h, f"person {person.person}"
    cloud = prior(load_population(population).draw(seed, 0, range(PEOPLE)), seed, variant)
    known = Person(cloud, load_course(USUAL).model_copy(update={"blinding": "open"}), (), seed, variant)
    return (
        None,
        known,
        max(start for start, _ in known.course.sessions(52.0)),
        f"population {population}, after {USUAL}",
    )


def offered(known: Person, some: Cloud, allowed: Sequence[Dose], times: FloatArray) -> list[Option]:
    """The plans to compare: every rule with the first dose that is allowed, few with the others, and therapy."""
    found = [Option(NOTHING, boosters.never, None, weeks) for weeks in (None, 0, LATER_WK)]
    if not allowed:
        return found
    own, weekly = allowed[0], boosters.fixed(7.0)
    beta = boosters.regression(known, some, own, times)
    found += [Option(_every(d), boosters.fixed(d), own) for d in FIXED_D]
    found += [
        Option("tapering", boosters.taper, own),
        Option("stretching while well", boosters.stretch, own, looks=True),
        Option(
            f"weekly, stop when well {WELL_VISITS} weeks", boosters.until_well(weekly, WELL_VISITS), own, looks=True
        ),
        Option(
            f"weekly, stop when {USELESS_DOSES} bring no response",
            boosters.while_useful(weekly, USELESS_DOSES),
            own,
            looks=True,
        ),
    ]
    found += [Option(f"when MADRS >= {at:g}", boosters.symptom(at), own, looks=True) for at in SYMPTOM]
    found += [
        Option(f"when P(relapse in a week) > {100 * p:.0f} %", boosters.foreseen(beta, p), own, looks=True)
        for p in CHANCES
    ]
    found += [Option(_every(d), boosters.fixed(d), own, 0) for d in (7.0, 14.0, 28.0)]
    found.append(Option(_every(14.0), boosters.fixed(14.0), own, LATER_WK))
    for line in allowed[1:]:
        intervals = (7.0, 14.0) if line.route == "nasal-device" else (14.0,)  # the label's, and one that trials had
        found += [Option(_every(d), boosters.fixed(d), line, route=f"{line.drug} {line.route}") for d in intervals]
    return found


def _every(days: float) -> str:
    return f"every {days:g} days"


def _run(known: Person, some: Cloud, options: Sequence[Option], times: FloatArray, tell: Progress) -> list[Ran]:
    found = []
    for k, one in enumerate(options):
        tell(one.plan, 0.1 + 0.75 * k / len(options))
        course = known.course if one.therapy_wk is None else _with_therapy(known.course, _sessions(one, times))
        person = Person(known.prior, course, known.seen, known.seed, known.variant)
        found.append(boosters.run(person, some, one.plan, one.decide, one.dose, times, acute=True))
    return found


def _sessions(one: Option, times: FloatArray) -> FloatArray:
    """Hours of the sessions of therapy, weekly from a visit on."""
    if one.therapy_wk is None:
        return np.empty(0)
    return np.array([times[0] + 168.0 * (one.therapy_wk + k) for k in range(CBT_SESSIONS)])


def _with_therapy(done: Course, hours: FloatArray) -> Course:
    line = Therapy(kind="cbt", days=tuple((hours / 24.0 + 1.0).tolist()))
    return done.model_copy(update={"therapy": (*done.therapy, line)})


def _outcomes(one: Option, ran: Ran, some: Cloud, times: FloatArray) -> dict[str, FloatArray]:
    """Every objective, of each person. A visit is a day with a dose, a session, or a score that the rule needs."""
    found = ran.outcomes()
    dose, weight = one.dose.dose if one.dose else None, some.people["WT"].to_numpy(float)
    mg = np.array([dose.mg(kg) for kg in weight]) if dose else np.zeros(len(weight))
    held = np.isin(times, _sessions(one, times))
    found |= {"visits": (ran.doses | held | one.looks).sum(axis=1).astype(np.float64)}
    return found | {"ketamine_mg": found["doses"] * mg, "cadss": ran.cadss}


def _described(one: Option, may: Screened) -> dict[str, Any]:
    return {
        "plan": one.plan,
        "rule": one.rule,
        "dose": dose_words(one.dose) if one.dose else "",
        "therapy": one.therapy,
        "cautions": may.count(one.dose, "caution") if one.dose else 0,
    }


def _table(known: Person, names: Sequence[str], ran: Sequence[Ran], times: FloatArray) -> pd.DataFrame:
    """Scores to come by plan and visit, with the columns of a forecast."""
    import pandas as pd

    past = before(known, "MADRS")
    futures = [
        Future(name, "MADRS", times, one.scores, one.baseline, past, drawn=one.drawn)
        for name, one in zip(names, ran, strict=True)
    ]
    return pd.concat([one.table() for one in futures], ignore_index=True)


def _resistance(person: PersonFile | None) -> pd.DataFrame:
    from afterglow.clinic.adequacy import resistance

    return _empty() if person is None or not person.trials else resistance(person.trials)


def _empty() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame()
