"""Claims: statements that can be checked, the published findings that bear on them, and a scenario for the model.

A file holds one claim, or several under `claims:`. A scenario names a measure, the course it is read from (and another
course or time to compare with) and the range that the statement asks for:

    id: W1
    says: Six infusions lower the score by more than sham infusions after four weeks.
    scenario:
      weeks: 4
      measure: change
      of: {course: iv-induction, at: 28 d}
      minus: {course: iv-induction/control}
      expects: "< 0"

What `minus` or `over` leaves out is taken from `of`. No verdict is written here: it follows from the directions of the
findings and the model's interval (`study.claim_rule`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from afterglow.clinic import scale as scales
from afterglow.clinic.files import (
    Strict,
    Wrong,
    model_from_document,
    model_from_text,
    parse,
    read_text,
    shipped_names,
    shipped_text,
)
from afterglow.clinic.population import VARIABLES
from afterglow.clinic.quantity import Hours, Number, duration_text
from afterglow.errors import Fault, InputError, nearest

Speaks = Literal["supports", "qualifies", "contradicts"]
Measure = Literal["change", "score", "response", "remission", "relapse", "output", "share"]
LONGEST_WEEKS = 520.0
_NUMBER = r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))"
_AT = ("change", "score", "response", "remission", "relapse")  # read at one visit


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`; `open_low`, `open_high`: that end itself is left out."""

    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        above = value > self.low if self.open_low else value >= self.low
        return above and (value < self.high if self.open_high else value <= self.high)

    def written(self) -> str:
        """The comparison as a file would have it."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"between {self.low:g} and {self.high:g}"
        if math.isfinite(self.low):
            return f"{'>' if self.open_low else '>='} {self.low:g}"
        return f"{'<' if self.open_high else '<='} {self.high:g}"

    def __str__(self) -> str:
        if math.isfinite(self.low) and math.isfinite(self.high):
            return f"{self.low:g} to {self.high:g}"
        if math.isfinite(self.low):
            return f"{'above' if self.open_low else 'at least'} {self.low:g}"
        return f"{'below' if self.open_high else 'at most'} {self.high:g}"


def comparison(text: object) -> Range:
    """A range as people write it: "> 0", "<= 12" or "between 60 and 80"."""
    if isinstance(text, Range):
        return text
    if sides := re.fullmatch(rf"\s*(<=|>=|<|>)\s*{_NUMBER}\s*", str(text)):
        sign, bound = sides[1], float(sides[2])
        strict = len(sign) == 1
        return Range(low=bound, open_low=strict) if sign[0] == ">" else Range(high=bound, open_high=strict)
    if both := re.fullmatch(rf"\s*between\s+{_NUMBER}\s+and\s+{_NUMBER}\s*", str(text)):
        low, high = float(both[1]), float(both[2])
        if low >= high:
            raise Wrong(f"'{text}' is an empty range", "write the smaller number first")
        return Range(low, high)
    raise Wrong(f"'{text}' is not a comparison", "write '> 0', '<= 12' or 'between 60 and 80'")


Expects = Annotated[Range, BeforeValidator(comparison, json_schema_input_type=str)]


class Finding(Strict):
    """A published finding that bears on a claim: where it stands, what was found, and which way it speaks.

    Where: an outcome row of a trial record of the package, a parameter record, or a citation of its own. `qualifies`
    means that the statement holds only in part, or says more than was found.
    """

    trial: str | None = Field(default=None, description="id of a trial record of the package")
    row: str | None = Field(default=None, description="key of one of its outcomes, which brings figure and unit")
    record: str | None = Field(default=None, description="id of a parameter record of the package")
    citation: str | None = Field(default=None, description="authors, year, journal; or the label and its section")
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$", description="DOI without the resolver")
    pmid: str | None = Field(default=None, pattern=r"^\d{5,9}$", description="PubMed identifier, in quotes")
    pmcid: str | None = Field(default=None, pattern=r"^PMC\d{5,9}$", description="PubMed Central identifier")
    url: str | None = Field(default=None, pattern=r"^https?://\S+$", description="page of the publisher or an archive")
    found: str = Field(default="", description="what was found, in own words")
    value: Number | tuple[Number, Number] | None = Field(default=None, description="the figure, or [low, high]")
    unit: str = Field(default="", description="unit of the figure; 1 for a pure number")
    speaks: Speaks = Field(description="supports, qualifies or contradicts")
    because: str = Field(min_length=1, description="why it speaks so, one sentence in own words")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """One source, a way to find it, and a figure or words."""
        named = [key for key in ("trial", "record", "citation") if good.get(key)]
        if len(named) != 1:
            yield Wrong("a finding has one source", "give one of trial, record, citation")
        elif named == ["citation"] and not any(good.get(key) for key in ("doi", "pmid", "pmcid", "url")):
            yield Wrong("this citation cannot be found", "add doi, pmid, pmcid or url")
        if good.get("row") and not good.get("trial"):
            yield Wrong("a row belongs to a trial", "add `trial:`", ("row",))
        brings = bool(good.get("row") or good.get("record"))
        if named and not brings and not good.get("found"):
            yield Wrong("it is not said what was found", "add `found:`")
        if brings and good.get("value") is not None:
            yield Wrong("the figure is already in the record", "leave `value` out", ("value",))
        if (good.get("value") is not None) != bool(good.get("unit")):
            yield Wrong("value and unit belong together", "give both or neither; '1' for a pure number", ("unit",))


class Reading(Strict):
    """Where a measure is read; in `minus` and `over` what is left out is taken from `of`."""

    course: str | None = Field(default=None, description="a shipped course, a course file, or COURSE/control")
    at: Hours | None = Field(default=None, description="time after the first dose, for instance '24 h' or '28 d'")
    since: Hours | None = Field(default=None, description="start of the window that ends at `at`")
    output: str | None = Field(default=None, description="full name of an output of the model")
    among: dict[str, Expects] = Field(default={}, description="only these people, for instance {AGE: '>= 65'}")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Variables exist, and windows end after they begin."""
        for name in good.get("among", {}):
            if name not in VARIABLES:
                yield Wrong(f"there is no variable '{name}'", nearest(name, VARIABLES), ("among", name))
        at, since = good.get("at"), good.get("since")
        if at is not None and since is not None and since >= at:
            yield Wrong("the window is empty", "`since` must come before `at`", ("since",))

    def filled(self, other: Reading) -> Reading:
        """This reading, with what it leaves out taken from another."""
        return self.model_copy(
            update={key: getattr(other, key) for key in other.model_fields_set - self.model_fields_set}
        )


class Scenario(Strict):
    """A question to the model: courses, people, a measure, and the range that the statement asks for.

    Measures: `change`, `score` (points of `scale`); `response`, `remission` (% of people at `at`); `relapse` (% of
    those in response at `since` who relapse by `at`: at least half of the baseline score at two weekly ratings
    running); `output` (an output of the model, or a quantity that adds several up: `take` of it from `since` to `at`);
    `share` (% of people in whom that is at least `at_least`).
    """

    population: str = Field(default="trd", description="a shipped population or a population file")
    weeks: Number = Field(gt=0, le=LONGEST_WEEKS, description="how long people are followed")
    patients: int = Field(default=512, ge=32, le=8192, description="virtual patients a course")
    measure: Measure = Field(description="change, score, response, remission, relapse, output or share")
    scale: str = Field(default="MADRS", description="rating scale of scores")
    take: Literal["highest", "lowest", "mean", "value"] = Field(
        default="highest", description="of an output: its highest, lowest or mean value in the window, or that at `at`"
    )
    at_least: Number | None = Field(default=None, description="for `share`: the value that counts")
    of: Reading
    minus: Reading | None = Field(default=None, description="subtract this reading")
    over: Reading | None = Field(default=None, description="divide by this reading")
    expects: Expects = Field(description="range that the statement asks for: '> 0', 'between 60 and 80'")
    published: Number | None = Field(default=None, description="the same quantity as published, to compare with")
    assumes: str = Field(default="", description="what of the answer was put into the model by hand, if it decides")
    misses: str = Field(default="", description="where the model is known to be off in this, in own words")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Each measure has what it needs, within the horizon."""
        measure, of = good.get("measure"), good.get("of")
        if good.get("scale") and good["scale"] not in scales.names():
            yield Wrong(f"there is no scale '{good['scale']}'", nearest(good["scale"], scales.names()), ("scale",))
        if good.get("minus") is not None and good.get("over") is not None:
            yield Wrong("a difference and a ratio at once", "give one of minus, over", ("over",))
        if (measure == "share") != (good.get("at_least") is not None) and measure is not None:
            yield Wrong("`at_least` and `measure: share` belong together", "give both or neither", ("at_least",))
        for key in ("of", "minus", "over"):
            if of is not None and good.get(key) is not None:
                for wrong in _reading_faults(good[key].filled(of), measure, good.get("take", ""), good.get("weeks")):
                    yield Wrong(wrong.problem, wrong.remedy, (key, *wrong.at))

    def readings(self) -> tuple[Reading, ...]:
        """The readings in full: `of`, then the one it is compared with."""
        other = self.minus or self.over
        return (self.of,) if other is None else (self.of, other.filled(self.of))

    def written(self) -> dict[str, Any]:
        """The scenario as a file would have it: what was left out stays out, times and ranges in words."""
        return _written(self)


def _reading_faults(one: Reading, measure: str | None, take: str, weeks: float | None) -> Iterator[Wrong]:
    if one.course is None:
        yield Wrong("no course to read from", "add `course:`")
    if measure in ("output", "share") and one.output is None:
        yield Wrong(f"`measure: {measure}` needs an output", "add `output:`, for instance nmda_block.tonic")
    if measure in _AT and one.output is not None:
        yield Wrong(f"`measure: {measure}` has no output", "leave it out, or write `measure: output`", ("output",))
    if one.at is None and (measure in _AT or (measure in ("output", "share") and take == "value")):
        yield Wrong("no time to read at", "add `at:`, for instance '28 d'")
    if measure == "relapse" and one.since is None:
        yield Wrong("relapse since when?", "add `since:`, the visit of the response")
    if weeks is not None and one.at is not None and one.at > weeks * 168.0 + 1e-9:
        yield Wrong(f"{one.at:g} h lies after the {weeks:g} weeks", "raise `weeks`", ("at",))


def _written(model: Scenario | Reading) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in type(model).model_fields:
        if key not in model.model_fields_set:
            continue
        value = getattr(model, key)
        if isinstance(value, Reading):
            value = _written(value)
        elif key in ("at", "since"):
            value = duration_text(value)
        elif isinstance(value, Range):
            value = value.written()
        elif isinstance(value, dict):
            value = {name: one.written() for name, one in value.items()}
        found[key] = value
    return found


class Claim(Strict):
    """A statement, the findings that bear on it, and a scenario."""

    id: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$", description="a short name without spaces")
    says: str = Field(min_length=1, description="the statement, in own words")
    check: Literal["model", "evidence", "both", "definition"] | None = Field(
        default=None, description="what answers it; left out: what is given"
    )
    records: tuple[Finding, ...] = ()
    scenario: Scenario | None = None
    not_asked: str = Field(default="", description="why the model is not asked, where it should answer")
    note: str = Field(default="", description="what a reader should know, in own words")
    group: str = Field(default="", description="heading under which it is shown")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """There is something to answer it with, and a reason where the model is not asked."""
        records, scenario = good.get("records", ()), good.get("scenario")
        if "records" in good and "scenario" in good and not records and scenario is None:
            yield Wrong("nothing to answer this claim with", "add `records:` or `scenario:`")
        to_answer = good.get("check") in ("model", "both") and "scenario" in good
        if to_answer and (scenario is None) != bool(good.get("not_asked")):
            yield Wrong("the model is to answer this", "give one of `scenario:` and `not_asked:`")


class ClaimFile(Strict):
    """Several claims in one file."""

    group: str = Field(default="", description="heading of the claims of this file")
    claims: tuple[Claim, ...] = Field(min_length=1)

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Ids are unique."""
        ids = [one.id for one in good.get("claims", ())]
        for i, name in enumerate(ids):
            if name in ids[:i]:
                yield Wrong(f"the id '{name}' is used twice", "ids are unique", ("claims", i, "id"))

    def grouped(self) -> list[Claim]:
        """The claims, each with the heading of the file where it has none."""
        return [one.model_copy(update={"group": one.group or self.group}) for one in self.claims]


def shipped_claims() -> list[Claim]:
    """The claims of the package, in the order of their files."""
    found: list[Claim] = []
    for name in shipped_names("claims"):
        found += model_from_text(ClaimFile, shipped_text(f"claims/{name}.yaml"), f"claims/{name}.yaml").grouped()
    if len({one.id for one in found}) < len(found):
        raise InputError(Fault("data/claims", "an id is used in two files", "ids are unique"))
    return found


def load_claims(path: str | Path) -> list[Claim]:
    """The claims of a user's file, one or several; all faults at once, each with its line."""
    document = parse(read_text(path), str(path))
    faults, found = list(document.faults), []
    try:
        if isinstance(document.data, dict) and "claims" not in document.data:
            found = [model_from_document(Claim, document.data, document)]
        else:
            found = model_from_document(ClaimFile, document.data, document).grouped()
    except InputError as error:
        faults += error.faults
    if faults:
        raise InputError(faults)
    return found
