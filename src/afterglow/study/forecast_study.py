"""The forecast of a person file: what is known, what may be done next, and what it may bring."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome
from afterglow.clinic import scale as scales
from afterglow.clinic.course import Course
from afterglow.clinic.history import History
from afterglow.clinic.person import Person as PersonFile
from afterglow.clinic.population import Population, load_population
from afterglow.errors import Fault, InputError, nearest
from afterglow.study.candidates import Burden, Candidate, burden, candidates
from afterglow.study.cloud import prior
from afterglow.study.forecast import SIZE, Future, Person, Seen, Updated, foresee, update

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.study.what_if import WhatIf

FloatArray = NDArray[np.float64]
VISIT_D = 7.0  # days between the visits of a forecast
POPULATION = 512  # people behind the bands of the population
RESISTANT = 2  # failed trials from which a person belongs to the treatment-resistant population


@dataclass(frozen=True, eq=False)
class Outlook:
    """One plan: what it may bring, and what it costs."""

    plan: Candidate
    future: Future
    burden: Burden
    screening: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Forecast:
    """All of a forecast.

    Attributes:
        person: the file.
        history: what has been done and seen.
        updated: the person once the scores are taken in.
        fitted: Bands of past scores, given all scores before each: the table of `one_ahead`.
        outlooks: the plans.
        population: what the first plan may bring to people of whom no score is known.
        scale: of the bands.
        weeks: how far it looks.

    `outlook` and `what_if` put the person through further plans.
    """

    person: PersonFile
    history: History
    updated: Updated
    fitted: pd.DataFrame
    outlooks: list[Outlook]
    population: Future
    scale: str
    weeks: float

    @property
    def table(self) -> pd.DataFrame:
        """`forecast.csv`: every plan at every visit."""
        import pandas as pd

        return pd.concat([one.future.table() for one in self.outlooks], ignore_index=True)

    @property
    def summary(self) -> pd.DataFrame:
        """One row a plan: where it leads, with 90 % intervals, and what it costs."""
        import pandas as pd

        return pd.DataFrame([_plan_row(one) for one in self.outlooks])

    @property
    def warnings(self) -> list[str]:
        """What a reader must know."""
        found = [*self.updated.warnings, *(f"not used: {line}" for line in self.person.not_used)]
        for one in self.outlooks:
            found += one.plan.course.warnings()
        return list(dict.fromkeys(found))

    def outlook(self, plan: Candidate) -> Outlook:
        """What a plan may bring this person, with the same luck as the others, and what it costs."""
        visits = _visits(self.history, self.weeks)
        return _outlook(self.person, self.updated, plan, visits, self.scale, self.history.last_h)

    def what_if(self, plan: str | None = None) -> WhatIf:
        """A plan of this forecast to be changed: the one of this name, else the first; see `study.what_if`."""
        from afterglow.study.what_if import WhatIf

        plans = {one.plan.name: one.plan for one in self.outlooks}
        chosen = next(iter(plans)) if plan is None else plan
        if chosen not in plans:
            raise InputError(Fault("plan", f"there is no plan '{chosen}'", nearest(chosen, plans)))
        return WhatIf(self, plans[chosen])


def inputs(
    person: PersonFile | str | Path, courses: Sequence[str | Path | Course], weeks: float, seed: int, scale: str
) -> tuple[PersonFile, list[Course]]:
    """The person and the courses of a forecast; all faults at once, those of the options among them."""
    from afterglow.clinic.course import load_course
    from afterglow.clinic.person import load_person
    from afterglow.study.compare import check_numbers

    faults = check_numbers(1, weeks, seed)
    if weeks < 1.0:
        faults.append(Fault("--weeks", f"a forecast of {weeks:g} weeks", "at least 1"))
    if scale not in scales.names():
        faults.append(Fault("--scale", f"there is no scale '{scale}'", nearest(scale, scales.names())))
    known, others = None, []
    try:
        known = load_person(person) if isinstance(person, str | Path) else person
    except InputError as error:
        faults += error.faults
    for one in courses:
        try:
            others.append(one if isinstance(one, Course) else load_course(one))
        except InputError as error:
            faults += error.faults
    if faults or known is None:
        raise InputError(faults)
    return known, others


def of_file(person: PersonFile, seed: int = 1, variant: str | None = None, size: int = SIZE) -> tuple[History, Person]:
    """The history of a person file, and the people who might be this one."""
    history = person.history()
    population = _population(person)
    # The baseline that was written down is a rating like others: the true one is drawn, and the rating weighed.
    table = person.table(seed, 0, range(size), population, measured_baseline=False)
    seen = [Seen(one.time_h, one.scale, one.score) for one in history.observed]
    return history, Person(prior(table, seed, variant), history.course(), seen, seed, variant)


def _population(person: PersonFile) -> Population:
    known = person.failed_range()
    return load_population("mdd" if known is not None and known[1] < RESISTANT else "trd")


def forecast(
    person: PersonFile,
    others: Sequence[Course] = (),
    *,
    weeks: float = 12.0,
    scale: str = "MADRS",
    seed: int = 1,
    variant: str | None = None,
) -> Forecast:
    """Take the scores in and put the person through the plans.

    Args:
        person: the file.
        others: courses to consider beside nothing more and boosters.
        weeks: how far to look.
        scale: of the bands.
        seed: of all chance.
        variant: a rival mechanism.
    """
    history, known = of_file(person, seed, variant)
    updated = update(known)
    now, visits = history.last_h, _visits(history, weeks)
    nothing = Updated(
        Person(known.prior, known.course, (), seed, variant), known.prior, float(len(known.prior)), False, 1.0
    )
    plans = candidates(known.course, now, weeks, others)
    outlooks = [_outlook(person, updated, plan, visits, scale, now) for plan in plans]
    first = outlooks[0].plan
    population = foresee(nothing, first.name, first.course, visits, scale, count=POPULATION)
    return Forecast(person, history, updated, one_ahead(known), outlooks, population, scale, weeks)


def _visits(history: History, weeks: float) -> FloatArray:
    return history.last_h + 24.0 * np.arange(VISIT_D, weeks * 7.0 + 1e-9, VISIT_D)


def _outlook(
    person: PersonFile, updated: Updated, plan: Candidate, visits: FloatArray, scale: str, now_h: float
) -> Outlook:
    from afterglow.clinic.screening import screen

    future = foresee(updated, plan.name, plan.course, visits, scale)
    cost = burden(updated, plan.course, now_h, float(visits[-1]))
    return Outlook(plan, future, cost, screen(person, plan.course))


def one_ahead(person: Person) -> pd.DataFrame:
    """Each score with the band in which it was to be expected: from the population, and from all scores before it.

    Returns:
        Columns: time_h, scale, score, mean, lo90, hi90 (given the scores before), prior_mean, prior_lo90, prior_hi90.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    if not person.seen:
        return pd.DataFrame(rows)
    found = person.expected
    normal = _normal(len(person.prior), person.seed)
    for k, one in enumerate(person.seen):
        row: dict[str, Any] = {"time_h": one.time_h, "scale": one.scale, "score": one.score}
        own = found.pick([k]).sample(normal)[:, 0]
        cloud = person.prior
        given = found.pick([k])
        if k:
            earlier = list(range(k))
            cloud = cloud.weighted(found.pick(earlier).log_likelihood(person.scores[:k]))
            given = found.given(earlier, person.scores[:k], [k])
        values = given.sample(normal)[:, 0]
        row |= _band("", values, cloud.weight, one.scale) | _band("prior_", own, person.prior.weight, one.scale)
        rows.append(row)
    return pd.DataFrame(rows)


def _normal(people: int, seed: int) -> FloatArray:
    from afterglow import streams

    return streams.generator(seed, "forecast/one ahead").standard_normal((people, 1))


def _band(head: str, values: FloatArray, weight: FloatArray, name: str) -> dict[str, float]:
    kind = scales.get(name)
    values = np.clip(values, kind.low, kind.high)
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    low, high = (float(values[order][min(np.searchsorted(share, p), len(values) - 1)]) for p in (0.05, 0.95))
    return {f"{head}mean": float(values @ weight), f"{head}lo90": low, f"{head}hi90": high}


def _plan_row(one: Outlook) -> dict[str, Any]:
    future, cost = one.future, one.burden
    table = future.table()
    last = table.iloc[-1]
    well = _days_well(future)
    low, high = np.quantile(well, [0.05, 0.95])
    back = table.loc[table["p_relapse"] > 0.5, "time_h"]
    start = float(future.time_h[0]) - 24.0 * VISIT_D

    def worst(values: FloatArray) -> tuple[float, float]:
        return (float(values.mean()), float(np.quantile(values, 0.95))) if len(values) else (0.0, 0.0)

    row: dict[str, Any] = {"plan": one.plan.name, "what": one.plan.title}
    row |= {"days_in_remission": float(well.mean()), "days_in_remission_lo90": low, "days_in_remission_hi90": high}
    row |= {f"{name}_at_end": float(last[name]) for name in ("mean", "lo90", "hi90", "p_response", "p_remission")}
    row["relapse_even_after_d"] = (float(back.iloc[0]) - start) / 24.0 if len(back) else np.nan
    row |= {"sessions": cost.sessions, "ketamine_mg": cost.mg}
    if future.given is not None:  # decided on the scores of this forecast
        row["sessions"], row["ketamine_mg"] = (float(values.mean()) for values in future.given)
    row["cadss_worst"], row["cadss_worst_p95"] = worst(cost.cadss)
    row["systolic_worst"], row["systolic_worst_p95"] = worst(cost.systolic)
    severities = one.screening["severity"] if len(one.screening) else []
    row["contraindications"] = int(sum(severity == "contraindication" for severity in severities))
    return row


def _days_well(future: Future) -> FloatArray:
    """Days in remission, [futures]: weeks at whose visit the score is at or under the cut-off, times seven."""
    if not scales.get(future.scale).remission:
        return np.full(len(future.scores), np.nan)
    return VISIT_D * outcome.remission(future.scores, future.scale).sum(axis=1)
