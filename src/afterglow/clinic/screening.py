"""Screening: what speaks against a course for a person, what asks for caution and what has to be watched.

Every answer names its rule and its source, and says what would change it. It is a reading aid: a clinician decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from afterglow.clinic.drugs import DRUGS, DrugName, RouteName
from afterglow.clinic.files import Strict, Wrong, model_from_text, shipped_text
from afterglow.clinic.quantity import Number
from afterglow.clinic.source import Source
from afterglow.errors import nearest

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.course import Course
    from afterglow.clinic.person import Person

NOTE = "A reading aid from labels, not medical advice and not complete: a clinician decides."
SEVERITIES = ("contraindication", "caution", "monitoring")
COLUMNS = ("rule", "severity", "reason", "source", "what_would_change_it")


class When(Strict):
    """For whom a rule holds: any of these."""

    conditions: tuple[str, ...] = ()
    current_drugs: tuple[str, ...] = ()
    age_at_least: Number | None = None
    age_under: Number | None = None
    systolic_above: Number | None = None
    diastolic_above: Number | None = None


class Rule(Strict):
    """One rule of the shipped file."""

    rule: str
    severity: Literal["contraindication", "caution", "monitoring"]
    drugs: tuple[DrugName, ...] = Field(min_length=1)
    routes: tuple[RouteName, ...] = ()
    when: When | None = None
    reason: str
    would_change: str
    source: Source


class ScreeningFile(Strict):
    """The shipped file: the words that a person file may use, and the rules."""

    conditions: dict[str, str]
    current_drugs: dict[str, str]
    rules_: tuple[Rule, ...] = Field(alias="rules")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Rules use known words only."""
        for i, rule in enumerate(good.get("rules_", ())):
            for field in ("conditions", "current_drugs"):
                known = good.get(field, {})
                for j, word in enumerate(getattr(rule.when, field) if rule.when else ()):
                    if word not in known:
                        yield Wrong(f"'{word}' is not in {field}", nearest(word, known), ("rules", i, "when", field, j))


@cache
def shipped_rules() -> ScreeningFile:
    """The shipped words and rules."""
    return model_from_text(ScreeningFile, shipped_text("screening.yaml"), "data/screening.yaml")


class _Facts(Strict):
    """What is known of a person; None is unknown."""

    conditions: frozenset[str] = frozenset()
    current_drugs: frozenset[str] = frozenset()
    ages: tuple[float, float] | None = None  # youngest and oldest that the person may be, years
    systolic: float | None = None
    diastolic: float | None = None


def _facts(who: Person | Mapping[Any, Any] | pd.Series) -> _Facts:
    from afterglow.clinic.person import Person

    if isinstance(who, Person):
        systolic, diastolic = who.blood_pressure or (None, None)
        return _Facts(
            conditions=frozenset(who.conditions),
            current_drugs=frozenset(who.current_drugs),
            ages=who.age_band if who.age is None else (who.age, who.age),
            systolic=systolic,
            diastolic=diastolic,
        )
    age = who.get("AGE")
    flags = {"anxiety": "anxiety", "ptsd": "ptsd", "pain": "chronic-pain"}
    return _Facts(
        conditions=frozenset(word for column, word in flags.items() if who.get(column, 0)),
        current_drugs=frozenset({"benzodiazepine"} if who.get("benzodiazepine", 0) else set()),
        ages=None if age is None else (float(str(age)), float(str(age))),
    )


def _holds(when: When | None, facts: _Facts) -> str | None:
    """Why a rule holds for a person ("" for everybody), or None."""
    if when is None:
        return ""
    found = sorted(facts.conditions.intersection(when.conditions)) + sorted(
        facts.current_drugs.intersection(when.current_drugs)
    )
    if facts.ages is not None:  # of a band, the end that the rule warns of
        young, old = facts.ages
        if when.age_at_least is not None and old >= when.age_at_least:
            found.append(f"{old:.0f} years")
        if when.age_under is not None and young < when.age_under:
            found.append(f"{young:.0f} years")
    for name, value, bound in (
        ("systolic", facts.systolic, when.systolic_above),
        ("diastolic", facts.diastolic, when.diastolic_above),
    ):
        if value is not None and bound is not None and value > bound:
            found.append(f"{name} {value:g} mmHg")
    return ", ".join(found) if found else None


def screen(who: Person | Mapping[Any, Any] | pd.Series, course: Course) -> pd.DataFrame:
    """Rules that hold for this person and course, the gravest first.

    Args:
        who: a person, or one row of a population table (which knows age, anxiety, PTSD, pain and benzodiazepine only).
        course: the course.

    Returns:
        Columns rule, severity, reason, source, what_would_change_it. `attrs["note"]` says that a clinician decides.
    """
    import pandas as pd

    facts = _facts(who)
    given = {
        (line.drug, line.route) for line in (*course.doses, *course.background) if DRUGS[line.drug].kind != "inert"
    }
    rows = []
    for rule in shipped_rules().rules_:
        if not any(drug in rule.drugs and (not rule.routes or route in rule.routes) for drug, route in given):
            continue
        why = _holds(rule.when, facts)
        if why is not None:
            reason = f"{why}: {rule.reason}" if why else rule.reason
            rows.append((rule.rule, rule.severity, reason, str(rule.source), rule.would_change))
    rows.sort(key=lambda row: SEVERITIES.index(row[1]))
    table = pd.DataFrame(rows, columns=pd.Index(list(COLUMNS)))
    table.attrs["note"] = NOTE
    return table
