"""One person, without identity.

    person: A
    age: 44
    sex: female
    weight: 81 kg
    baseline: {MADRS: 34}
    failed_trials: 3
    conditions: [anxiety, hypertension]
    current_drugs: [sertraline]
    blood_pressure: 128/82

Names, dates of birth, numbers and addresses are refused: nothing here needs them. What is not given is drawn from the
population, anew for each row, so that a forecast carries what is unknown. The draws of what is unknown do not look at
what is known (assumed: their correlations are weak).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic import scale
from afterglow.clinic.files import Strict, Wrong, read_model
from afterglow.clinic.quantity import Kilograms, Number
from afterglow.errors import nearest

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.population import Population

_IDENTITY = frozenset(
    [
        "name",
        "first_name",
        "last_name",
        "surname",
        "family_name",
        "given_name",
        "initials",
        "email",
        "mail",
        "phone",
        "telephone",
        "mobile",
        "address",
        "street",
        "city",
        "postcode",
        "zip",
        "zip_code",
        "date_of_birth",
        "dob",
        "birthday",
        "birth_date",
        "born",
        "ssn",
        "social_security",
        "mrn",
        "record_number",
        "patient_id",
        "patient_number",
        "id",
        "nhs_number",
        "insurance",
        "insurance_number",
        "passport",
        "photo",
        "employer",
    ]
)
_SEDATIVES = frozenset({"benzodiazepine", "diazepam", "lorazepam", "alprazolam", "clonazepam"})
_ORDER = ("MADRS", "HAM-D17", "QIDS-SR16", "PHQ-9", "BDI")  # which baseline is used first


def _word(field: str):
    def check(value: Any) -> Any:
        from afterglow.clinic.screening import shipped_rules

        known: dict[str, str] = getattr(shipped_rules(), field)
        word = str(value).strip().lower().replace(" ", "-")
        if word not in known:
            raise Wrong(f"{value!r} is not a known word of {field}", nearest(word, known))
        return word

    return check


def _pressure(value: Any) -> Any:
    match = re.match(r"^\s*(\d{2,3})\s*/\s*(\d{2,3})\s*(?:mmHg)?\s*$", str(value))
    if match is None or not 40 <= int(match[2]) < int(match[1]) <= 300:
        raise Wrong(f"{value!r} is not a blood pressure", "write for instance 128/82")
    return (float(match[1]), float(match[2]))


class Person(Strict):
    """A person file; see the top of this file for its form."""

    person: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,20}$", description="a short label such as A or case-3, never a name or number"
    )
    age: Number = Field(ge=18, le=100, description="years")
    sex: Literal["female", "male"]
    weight: Kilograms = Field(ge=30, le=250, description="add for instance `weight: 81 kg`")
    baseline: dict[str, Number] = Field(min_length=1, description="add for instance `baseline: {MADRS: 34}`")
    failed_trials: int | None = Field(default=None, ge=0, le=30, description="adequate trials without response")
    conditions: tuple[Annotated[str, BeforeValidator(_word("conditions"))], ...] = ()
    current_drugs: tuple[Annotated[str, BeforeValidator(_word("current_drugs"))], ...] = ()
    blood_pressure: Annotated[tuple[float, float], BeforeValidator(_pressure)] | None = None
    met_carrier: bool | None = Field(default=None, description="Met allele of BDNF Val66Met")
    crp: Number | None = Field(default=None, gt=0, le=500, description="C-reactive protein, mg/L")

    @classmethod
    def unknown_key(cls, key: str) -> str:
        """Identifying fields are refused with their own words."""
        if key.lower().replace("-", "_").replace(" ", "_") in _IDENTITY:
            return "remove it: no identity is needed or kept here"
        return super().unknown_key(key)

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Scores belong to known scales, and one of them can be turned into MADRS."""
        scores: dict[str, float] = good.get("baseline", {})
        known = scale.names()
        for name, score in scores.items():
            if name not in known:
                yield Wrong(f"scale '{name}' is not known", nearest(name.upper(), known), ("baseline", name))
            elif not scale.get(name).low <= score <= scale.get(name).high:
                low, high = scale.get(name).low, scale.get(name).high
                yield Wrong(f"{name} {score:g} is outside {low:g}-{high:g}", "check the score", ("baseline", name))
        if scores and not any(name in scores for name in _ORDER) and all(name in known for name in scores):
            yield Wrong("no score of depression among the baselines", "give one of " + ", ".join(_ORDER), ("baseline",))

    def baseline_madrs(self) -> float:
        """Baseline in MADRS points, converted by published tables where another scale is given."""
        name = next(name for name in _ORDER if name in self.baseline)
        return float(scale.to_madrs(self.baseline[name], name))

    def known(self) -> dict[str, float]:
        """What is known, under the columns of a population table."""
        found = {
            "AGE": self.age,
            "SEXF": float(self.sex == "female"),
            "WT": self.weight,
            "baseline_madrs": self.baseline_madrs(),
            "anxiety": float("anxiety" in self.conditions),
            "ptsd": float("ptsd" in self.conditions),
            "pain": float("chronic-pain" in self.conditions),
            "benzodiazepine": float(bool(_SEDATIVES.intersection(self.current_drugs))),
        }
        optional = {"failed_trials": self.failed_trials, "met_carrier": self.met_carrier, "crp": self.crp}
        return found | {column: float(value) for column, value in optional.items() if value is not None}

    def table(self, seed: int, replicate: int, patients: range, population: Population | None = None) -> pd.DataFrame:
        """This person once a row: known columns the same, unknown ones drawn from the population anew in each row."""
        from afterglow.clinic.population import load_population

        population = population or load_population("trd")
        return population.derive(population.draw(seed, replicate, patients).assign(**self.known()))


def load_person(path: str | Path) -> Person:
    """A person file; all faults at once, each with its line."""
    return read_model(Person, path)
