"""One person, without identity: who they are, what has been given and what has been seen.

    person: A
    age: 44                    # or age_band: 40-49
    sex: female
    weight: 81 kg
    failed_trials: 3           # or trials: [{drug: sertraline, dose: 150 mg, weeks: 8}, ...]
    conditions: [anxiety, hypertension]
    current_drugs: [sertraline]
    blood_pressure: 128/82
    doses:
      - {day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
    scores:
      - {day: 0, scale: MADRS, score: 34}
      - {day: 2, scale: PHQ-9, score: 11}

An age or an age band and one scale are enough; docs/person.md lists every field. Names, dates of birth, numbers and
addresses are refused: nothing here needs them. What is not given is drawn from the population, anew for each row, so
that a forecast carries what is unknown. The draws of what is unknown do not look at what is known (assumed: their
correlations are weak).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, PlainSerializer

from afterglow import streams
from afterglow.clinic import scale
from afterglow.clinic.adequacy import DrugTrial, failed_range
from afterglow.clinic.files import Wrong, model_from_data, model_from_document, parse, read_text
from afterglow.clinic.history import DEPRESSION, History, history_faults
from afterglow.clinic.history_csv import TABLES, TableDocument, with_tables
from afterglow.clinic.history_lines import DailyDrug, Date, DayOrDate, DoseGiven, ScoreSeen, StressSeen, TherapyHeld
from afterglow.clinic.identity import Unnamed, unnamed_text
from afterglow.clinic.quantity import Kilograms, Number
from afterglow.clinic.regimen import Blinding
from afterglow.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.population import Population

_SEDATIVES = frozenset({"benzodiazepine", "diazepam", "lorazepam", "alprazolam", "clonazepam"})
_WOMEN_ONLY = ("pregnancy", "breastfeeding")
_AGES = (18, 100)


def _words(field: str) -> dict[str, str]:
    from afterglow.clinic.screening import shipped_rules

    return getattr(shipped_rules(), field)


def _word(field: str):
    def check(value: Any) -> Any:
        word = str(value).strip().lower().replace(" ", "-")
        if word in _words(field):
            return word
        if not word or len(word) > 60:
            raise Wrong(f"{value!r} is not a word of {field}", nearest(word, _words(field)))
        unnamed_text(str(value))
        return word

    return check


def _pressure(value: Any) -> Any:
    match = re.match(r"^\s*(\d{2,3})\s*/\s*(\d{2,3})\s*(?:mmHg)?\s*$", str(value))
    if match is None or not 40 <= int(match[2]) < int(match[1]) <= 300:
        raise Wrong(f"{value!r} is not a blood pressure", "write for instance 128/82")
    return (float(match[1]), float(match[2]))


def _band(value: Any) -> Any:
    match = re.match(r"^\s*(\d{2,3})\s*-\s*(\d{2,3})\s*$", str(value))
    if match is None or not _AGES[0] <= int(match[1]) < int(match[2]) <= _AGES[1]:
        raise Wrong(f"{value!r} is not a band of ages from {_AGES[0]} to {_AGES[1]}", "write for instance 40-49")
    return (int(match[1]), int(match[2]))


Weight = Annotated[Kilograms, PlainSerializer(lambda kg: f"{kg:.12g} kg")]
Pressure = Annotated[
    tuple[float, float],
    BeforeValidator(_pressure, json_schema_input_type=str),
    PlainSerializer(lambda both: f"{both[0]:g}/{both[1]:g}"),
]
Band = Annotated[
    tuple[int, int],
    BeforeValidator(_band, json_schema_input_type=str),
    PlainSerializer(lambda both: f"{both[0]}-{both[1]}"),
]
Text = Annotated[str, BeforeValidator(unnamed_text)]


class Person(Unnamed):
    """A person file; see the top of this file for its form."""

    person: str = Field(
        pattern=r"^[A-Za-z0-9_-]{1,20}$", description="a short label such as A or case-3, never a name or number"
    )
    age: Number | None = Field(default=None, ge=_AGES[0], le=_AGES[1], description="years")
    age_band: Band | None = Field(default=None, description="instead of `age`: completed years, for instance 40-49")
    sex: Literal["female", "male"] | None = None
    weight: Weight | None = Field(default=None, ge=30, le=250, description="for instance 81 kg")
    baseline: dict[str, Number] = Field(default_factory=dict, description="scores of day 0, for instance {MADRS: 34}")
    scale: str | None = Field(default=None, description="scale to speak in, where no score is given")
    failed_trials: int | None = Field(default=None, ge=0, le=30, description="adequate trials without response")
    trials: tuple[DrugTrial, ...] | None = Field(default=None, description="antidepressants tried, to count those")
    conditions: tuple[Annotated[str, BeforeValidator(_word("conditions"))], ...] = ()
    current_drugs: tuple[Annotated[str, BeforeValidator(_word("current_drugs"))], ...] = ()
    blood_pressure: Pressure | None = None
    met_carrier: bool | None = Field(default=None, description="Met allele of BDNF Val66Met")
    crp: Number | None = Field(default=None, gt=0, le=500, description="C-reactive protein, mg/L")
    start: Date | None = Field(default=None, description="date of day 1, the day of the first dose")
    until: DayOrDate | None = Field(default=None, description="last day of the history, a day or a date")
    doses: tuple[DoseGiven, ...] = ()
    background: tuple[DailyDrug, ...] = ()
    therapy: tuple[TherapyHeld, ...] = ()
    stress: tuple[StressSeen, ...] = ()
    scores: tuple[ScoreSeen, ...] = ()
    raters: Literal["site", "remote"] = "site"
    blinding: Blinding = "open"
    notes: Text = Field(default="", description="free words, without anything that tells who the person is")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Nothing contradicts something else, and the history holds together."""
        if re.search(r"\d{6,}", good.get("person", "")):
            yield Wrong("the label holds a long number", "write a short label such as A or case-3", ("person",))
        yield from _age_faults(good)
        yield from _trial_faults(good)
        for i, word in enumerate(good.get("conditions", ())):
            if word in _WOMEN_ONLY and good.get("sex") == "male":
                yield Wrong(f"{word}, and sex is male", "correct one of them", ("conditions", i))
        yield from _scale_faults(good)
        yield from history_faults(good)

    # -------------------------------------------------------------------------------------------- what is known

    def history(self) -> History:
        """What has been done and seen so far, in model time."""
        return History.of(self)

    @property
    def scales(self) -> tuple[str, ...]:
        """Scales of depression in this file, the preferred one first."""
        named = {self.scale, *self.baseline, *(one.scale for one in self.scores)}
        return tuple(name for name in DEPRESSION if name in named)

    @property
    def not_used(self) -> tuple[str, ...]:
        """What the file says and nothing here uses, in words."""
        found = [
            f"{field}: '{word}' is not a known word ({nearest(word, _words(field))})"
            for field, words in (("conditions", self.conditions), ("current_drugs", self.current_drugs))
            for word in words
            if word not in _words(field)
        ]
        return (*found, *self.history().not_used)

    def failed_range(self) -> tuple[int, int] | None:
        """Fewest and most adequate trials without success, or None where nothing is said."""
        if self.failed_trials is not None:
            return self.failed_trials, self.failed_trials
        return None if self.trials is None else failed_range(self.trials)

    def baseline_madrs(self) -> float | None:
        """Latest baseline in MADRS points, converted by published tables where another scale is given."""
        seen = self.history().baseline
        return float(scale.to_madrs(seen[-1].score, seen[-1].scale)) if seen else None

    def known(self) -> dict[str, float]:
        """What is known, under the columns of a population table."""
        found: dict[str, float | None] = {
            "AGE": self.age,
            "SEXF": None if self.sex is None else float(self.sex == "female"),
            "WT": self.weight,
            "baseline_madrs": self.baseline_madrs(),
            "met_carrier": self.met_carrier,
            "crp": self.crp,
        }
        if "conditions" in self.model_fields_set:
            flags = {"anxiety": "anxiety", "ptsd": "ptsd", "pain": "chronic-pain"}
            found |= {column: float(word in self.conditions) for column, word in flags.items()}
        taken = {*self.current_drugs, *(one.drug for one in self.background)}
        if "current_drugs" in self.model_fields_set or _SEDATIVES & taken:
            found["benzodiazepine"] = float(bool(_SEDATIVES & taken))
        failed = self.failed_range()
        if failed is not None and failed[0] == failed[1]:
            found["failed_trials"] = failed[0]
        return {column: float(value) for column, value in found.items() if value is not None}

    def table(
        self,
        seed: int,
        replicate: int,
        patients: range,
        population: Population | None = None,
        measured_baseline: bool = True,
    ) -> pd.DataFrame:
        """This person once a row: known columns the same, unknown ones drawn from the population anew in each row.

        An age band is drawn from uniformly. Failed trials that cannot all be judged are kept between what is sure and
        what is possible.

        Args:
            seed: the run's seed.
            replicate: number of the trial replicate (0 for a single run).
            patients: numbers of the rows, a range with step 1.
            population: where unknown columns come from; None for the standard one with treatment resistance.
            measured_baseline: take the measured baseline for the true one; False draws the true one, for whoever
                treats the baseline as a measurement like others.
        """
        from afterglow.clinic.population import load_population

        population = population or load_population("trd")
        known = self.known()
        if not measured_baseline:
            known.pop("baseline_madrs", None)
        table = population.draw(seed, replicate, patients).assign(**known)
        if self.age is None and self.age_band is not None:
            low, high = self.age_band
            share = streams.uniform(seed, replicate, patients, "person/age")[:, 0]
            table["AGE"] = np.minimum(low + (high + 1 - low) * share, _AGES[1])
        if (failed := self.failed_range()) is not None:
            table["failed_trials"] = table["failed_trials"].clip(*failed)
        return population.derive(table)

    # -------------------------------------------------------------------------------------------- what if

    def written(self) -> dict[str, Any]:
        """The file as plain data, as YAML would give it."""
        return _plain(self.model_dump(mode="json", exclude_unset=True, exclude_none=True))

    def save(self, path: str | Path) -> Path:
        """Write a YAML file that `load_person` reads as the same person, and return its path.

        Tables then stand in the file itself.
        """
        import yaml

        text = yaml.safe_dump(self.written(), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)
        Path(path).write_text(text, encoding="utf-8")
        return Path(path)

    def with_dose(
        self,
        drug: str,
        route: str,
        dose: str | None = None,
        over: str | None = None,
        *,
        day: float | None = None,
        on: date | None = None,
        at: str | None = None,
    ) -> Person:
        """This person with one more dose; the history reaches to it."""
        return self._with("doses", day=day, on=on, at=at, drug=drug, route=route, dose=dose, over=over)

    def with_score(
        self, scale: str, score: float, *, day: float | None = None, on: date | None = None, at: str | None = None
    ) -> Person:
        """This person with one more score."""
        return self._with("scores", day=day, on=on, at=at, scale=scale, score=score)

    def with_therapy(
        self,
        kind: str,
        minutes: float = 50.0,
        *,
        day: float | None = None,
        on: date | None = None,
        at: str | None = None,
    ) -> Person:
        """This person with one more session of psychotherapy; the history reaches to it."""
        return self._with("therapy", day=day, on=on, at=at, kind=kind, minutes=minutes)

    def with_stress(
        self, days: float, intensity: float = 1.0, *, day: float | None = None, on: date | None = None
    ) -> Person:
        """This person with one more stressful episode; it may lie ahead."""
        return self._with("stress", day=day, on=on, days=days, intensity=intensity)

    def without_visit(self, day: float | date) -> Person:
        """This person without the doses, scores and sessions of one day: a visit that was missed."""
        origin = self.history().origin
        if isinstance(day, date) and origin.on is None:
            raise InputError(Fault("day", f"{day}, but the file knows no dates", "name the day by its number"))
        missed = origin.day_number(day)
        data, found = self.written(), False
        for table in ("doses", "scores", "therapy"):
            entries = getattr(self, table)
            kept = [i for i, one in enumerate(entries) if origin.day_number(one.day_or_date) != missed]
            found = found or len(kept) < len(entries)
            if entries:
                data[table] = [data[table][i] for i in kept]
        if not found:
            raise InputError(Fault("day", f"there is no visit on day {missed}", "name a day with a dose or a score"))
        return person_from_data(data)

    def _with(self, table: str, **parts: Any) -> Person:
        line = {key: value for key, value in parts.items() if value is not None}
        added = model_from_data(TABLES[table], line, table)
        history, data = self.history(), self.written()
        origin = history.origin
        if added.on is not None and origin.on is None:
            raise InputError(Fault(f"{table}.on", "a date, but the file knows no dates", "give `day`, or add `start:`"))
        if origin.on is not None:
            data["start"] = origin.on.isoformat()
        lines = [*data.get(table, []), _plain(added.model_dump(mode="json", exclude_unset=True))]
        times = [origin.time(one) for one in (*getattr(self, table), added)]
        data[table] = [lines[i] for i in sorted(range(len(lines)), key=lambda i: times[i])]
        if table in ("doses", "therapy") or (table == "scores" and self.until is not None):
            data["until"] = 1 + int(max(history.last_h, times[-1]) // 24.0)
        return person_from_data(data)


def _plain(value: Any) -> Any:
    """Whole numbers without a point, as people write them."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


# ------------------------------------------------------------------------------------------------ rules


def _age_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    if not {"age", "age_band"} <= good.keys():
        return
    age, band = good["age"], good["age_band"]
    if age is None and band is None:
        yield Wrong("neither `age` nor `age_band` is given", "add for instance `age_band: 40-49`")
    elif age is not None and band is not None and not band[0] <= age < band[1] + 1:
        yield Wrong(f"age {age:g} is not in the age_band {band[0]}-{band[1]}", "keep one of them", ("age_band",))


def _trial_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    said, trials = good.get("failed_trials"), good.get("trials")
    if said is None or trials is None:
        return
    low, high = failed_range(trials)
    if not low <= said <= high:
        counted = f"{low}" if low == high else f"{low} to {high}"
        problem = f"failed_trials is {said}, but the listed trials make {counted}"
        yield Wrong(problem, "keep one of them, or correct the list", ("failed_trials",))


def _scale_faults(good: dict[str, Any]) -> Iterator[Wrong]:
    """One scale of depression at least."""
    if not {"scale", "baseline", "scores"} <= good.keys():
        return
    named, wanted = [*good["baseline"], *(one.scale for one in good["scores"])], good["scale"]
    scales = ", ".join(DEPRESSION)
    if wanted is not None and wanted not in DEPRESSION:
        yield Wrong(f"scale '{wanted}' is not one of depression", nearest(wanted.upper(), DEPRESSION), ("scale",))
    elif not named and wanted is None:
        yield Wrong("no scale is named", "add `scores`, or `baseline: {MADRS: 34}`, or only `scale: MADRS`")
    elif wanted is None and not set(named) & set(DEPRESSION) and set(named) <= set(scale.names()):
        where = ("baseline",) if good["baseline"] else ("scores",)
        yield Wrong("no score of depression among the baselines and scores", f"give one of {scales}", where)


# ------------------------------------------------------------------------------------------------ files


def person_from_data(data: dict[str, Any]) -> Person:
    """A person from plain data, as YAML would give it; all faults at once."""
    return model_from_data(Person, data, "person")


def load_person(path: str | Path) -> Person:
    """A person file with the CSV files it names; all faults at once, each with its file and line."""
    text = read_text(path)
    document = with_tables(parse(text, str(path)), Path(path).parent)
    faults = [*document.faults, *_bare_clocks(document, text.splitlines())]
    try:
        found = model_from_document(Person, document.data, document)
    except InputError as error:
        raise InputError([*faults, *error.faults]) from None
    if faults:
        raise InputError(faults)
    return found


def _bare_clocks(document: TableDocument, lines: list[str]) -> Iterator[Fault]:
    """`at: 930` and `at: 15:30` are the same number to YAML; only the second is a time of day."""
    for table in TABLES:
        rows = document.data.get(table) if isinstance(document.data, dict) and table not in document.tables else None
        for i, row in enumerate(rows if isinstance(rows, list) else ()):
            line = document.lines.get((table, i, "at"))
            if line and isinstance(row.get("at"), int) and not re.search(r"\bat['\"]?\s*:\s*\d+:\d", lines[line - 1]):
                problem = f"{row['at']} is not a time of day"
                yield Fault(document.place((table, i, "at")), problem, "write for instance `at: '10:30'`")
