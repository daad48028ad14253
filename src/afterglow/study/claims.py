"""Claims answered: what is said, what was published, what the model gives, the verdict and one plain sentence.

    for one in answers(["E2"]):
        print(one.verdict, one.sentence)

`python -m afterglow.study.claims > docs/claims.csv` writes the table of all shipped claims.

The verdict follows from `claim_rule.verdict`; this module gathers what goes into it and puts it into words.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from afterglow.clinic.claim import Claim, Finding, Reading, Scenario, Speaks, load_claims, shipped_claims
from afterglow.clinic.quantity import duration_text
from afterglow.data import record, trial
from afterglow.data.outcome_schema import MEASURES, Outcome
from afterglow.data.schema import Citation
from afterglow.errors import Fault, InputError, nearest
from afterglow.study import claim_runs
from afterglow.study.claim_rule import Answer, Verdict, answer, verdict
from afterglow.study.claim_runs import Question, Value

Progress = Callable[[str, float], None]
FORM = {"1": ""}  # units that are not printed


@dataclass(frozen=True)
class Published:
    """A published finding in full: figure, citation, and which way it speaks."""

    found: str
    figure: str
    unit: str
    citation: str
    locator: str
    speaks: Speaks
    because: str

    @property
    def short(self) -> str:
        """Citation and locator in one line."""
        return f"{self.citation}, {self.locator}"


@dataclass(frozen=True)
class Answered:
    """A claim with its answer.

    Attributes:
        claim: the claim as written.
        verdict: by the rule of `claim_rule.verdict`.
        sentence: the verdict with its reasons, plain words.
        records: published findings, with citation.
        asked: the scenario in words; empty without one.
        expects: the range that the claim asks for, in words; empty without a scenario.
        model: what the model gives, with its 90 % interval; None where it is not asked.
        answer: what the interval says of that range; None where it does not count (not asked, or assumed).
    """

    claim: Claim
    verdict: Verdict
    sentence: str
    records: tuple[Published, ...]
    asked: str
    expects: str
    model: Value | None
    answer: Answer | None

    def to_json(self) -> dict[str, Any]:
        """Plain data; the keys are those of the JSON that the command line writes."""
        found = self.model
        return {
            "id": self.claim.id,
            "group": self.claim.group,
            "says": self.claim.says,
            "verdict": self.verdict,
            "records": [
                {
                    "citation": one.citation,
                    "locator": one.locator,
                    "found": one.found,
                    "figure": one.figure,
                    "unit": one.unit,
                    "speaks": one.speaks,
                    "because": one.because,
                }
                for one in self.records
            ],
            "scenario": None if self.claim.scenario is None else self.claim.scenario.written(),
            "asked": self.asked,
            "expects": self.expects,
            "model": None
            if found is None
            else {"value": found.value, "lo90": found.lo90, "hi90": found.hi90, "unit": found.unit},
            "answer": self.answer,
            "sentence": self.sentence,
        }


def answers(
    wanted: Sequence[str | Path] = (), *, kept: bool = True, progress: Progress | None = None
) -> list[Answered]:
    """Answer claims.

    Args:
        wanted: ids of shipped claims and files of claims; empty for every shipped claim.
        kept: whether model values kept on disk may be used.
        progress: called with what is running and the share of everything that is done.

    Raises:
        InputError: all faults at once, before anything runs.
    """
    claims, faults = _chosen(wanted)
    questions: dict[int, Question] = {}
    records: list[tuple[Published, ...]] = []
    for number, (claim, folder) in enumerate(claims):
        found, wrong = _resolved(claim)
        records.append(found)
        faults += wrong
        if claim.scenario is not None:
            try:
                questions[number] = claim_runs.question(claim.scenario, f"{claim.id}.scenario", folder)
            except InputError as error:
                faults += error.faults
    if faults:
        raise InputError(faults)
    got = claim_runs.values(list(questions.values()), kept=kept, progress=progress)
    model = dict(zip(questions, got, strict=True))
    return [_answered(claim, records[k], model.get(k)) for k, (claim, _) in enumerate(claims)]


def _chosen(wanted: Sequence[str | Path]) -> tuple[list[tuple[Claim, Path | None]], list[Fault]]:
    """The claims asked for, each with the folder of its file."""
    shipped = {one.id: one for one in shipped_claims()}
    if not wanted:
        return [(one, None) for one in shipped.values()], []
    found: list[tuple[Claim, Path | None]] = []
    faults: list[Fault] = []
    for name in dict.fromkeys(map(str, wanted)):
        if name in shipped:
            found.append((shipped[name], None))
        elif Path(name).suffix in (".yaml", ".yml") or Path(name).is_file():
            try:
                found += [(one, Path(name).absolute().parent) for one in load_claims(name)]
            except InputError as error:
                faults += error.faults
        else:
            known = {one.lower(): one for one in shipped}
            same = known.get(name.lower())
            remedy = f"did you mean '{same}'?" if same else nearest(name, shipped) + " Or name a .yaml file."
            faults.append(Fault("ID", f"there is no claim '{name}'", remedy))
    return found, faults


def _answered(claim: Claim, records: tuple[Published, ...], found: Value | None) -> Answered:
    scenario, said = claim.scenario, None
    if scenario is not None and found is not None and not scenario.assumes:
        said = answer(found.lo90, found.hi90, scenario.expects)
    result = verdict([one.speaks for one in records], said, claim.check == "definition")
    by_model = claim.not_asked.rstrip(".") if scenario is None or found is None else _model_words(scenario, found)
    sentence = "; ".join(one for one in (_reason(result, records), by_model) if one)
    if scenario is None or found is None:
        return Answered(claim, result, sentence + ".", records, "", "", None, None)
    expects = _with_unit(str(scenario.expects), found.unit)
    return Answered(claim, result, sentence + ".", records, asked(scenario), expects, found, said)


# ------------------------------------------------------------------------------------------------ findings


def _resolved(claim: Claim) -> tuple[tuple[Published, ...], list[Fault]]:
    """The findings in full, and what cannot be found."""
    found: list[Published] = []
    faults: list[Fault] = []
    for number, one in enumerate(claim.records):
        try:
            found.append(_published(one))
        except InputError as error:
            faults += [Fault(f"{claim.id}.records[{number}]", f.problem, f.remedy) for f in error.faults]
    return tuple(found), faults


def _published(one: Finding) -> Published:
    said, value, unit = one.found, one.value, one.unit
    figure = _figure(value)
    if one.trial is not None:
        source = trial(one.trial)
        cited = source.citation
        if one.row is not None:
            rows = {row.key: row for row in source.outcomes}
            if one.row not in rows:
                raise InputError(Fault("row", f"there is no outcome '{one.row}'", nearest(one.row, rows)))
            row = rows[one.row]
            cited = source.more_citations.get(row.source or "", cited)
            cited = source.citation if cited.year is None else cited  # a review that repeats the trial's results
            said, figure, unit = said or _row_words(row), _row_figure(row), _row_unit(row)
    elif one.record is not None:
        entry = record(one.record)
        if entry.citation is None:
            raise InputError(Fault("record", f"'{one.record}' is {entry.grade}, not published", "name another"))
        cited, said, figure, unit = entry.citation, said or entry.quantity, _figure(entry.value), entry.unit
    else:
        return Published(said, figure, unit, str(one.citation), _locator(one), one.speaks, one.because)
    return Published(said, figure, unit, str(cited), _locator(cited), one.speaks, one.because)


def _locator(one: Finding | Citation) -> str:
    """How to find a publication: DOI where there is one."""
    if one.doi:
        return f"doi:{one.doi}"
    if one.pmcid:
        return str(one.pmcid)
    return f"PMID {one.pmid}" if one.pmid else str(one.url or "")


def _figure(value: float | Sequence[float] | None) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, int | float) else " to ".join(f"{v:g}" for v in value)


def _row_figure(row: Outcome) -> str:
    interval = f" (95 % interval {row.ci95[0]:g} to {row.ci95[1]:g})" if row.ci95 else ""
    return f"{row.value:g}{interval}"


def _row_unit(row: Outcome) -> str:
    """The measure's unit; blood pressure stands among the scales."""
    unit = MEASURES[row.measure].unit
    if unit != "points of the scale":
        return unit
    return "mmHg" if str(row.scale).endswith("mmHg") else "points"


def _row_words(row: Outcome) -> str:
    arm = row.arm if row.versus is None else f"{row.arm} against {row.versus}"
    when = f"at {duration_text(row.time_h)}" if row.time_h else row.when or ""
    event = (row.event or "").replace("-", " ")
    what = re.sub(r", arm (minus|over) `versus`", "", MEASURES[row.measure].meaning).replace("`event`", f"'{event}'")
    return ", ".join(part for part in (what, row.scale or "", arm.replace("_", " "), when) if part)


# ------------------------------------------------------------------------------------------------ words


def _reason(result: Verdict, records: Sequence[Published]) -> str:
    """The verdict and the finding that decides it."""
    order: tuple[Speaks, ...] = ("contradicts", "qualifies", "supports")
    if result == "definition":
        order = ("supports", "qualifies", "contradicts")
    deciding = [one for speaks in order for one in records if one.speaks == speaks]
    if not deciding:
        return f"{result.capitalize()}: no published finding is listed"
    counts = {speaks: sum(one.speaks == speaks for one in records) for speaks in order}
    others = counts["supports"] if deciding[0].speaks != "supports" else 0
    beside = f" ({others} of {len(records)} listed findings support it)" if others else ""
    first = deciding[0].because.rstrip(".")
    return f"{result.capitalize()}: {first}{beside} [{_author(deciding[0].citation)}]"


def _author(citation: str) -> str:
    """First author and year where the citation has them, else all of it."""
    citation = re.sub(r" \(authors not[^)]*\)", "", citation)
    found = re.match(r"([^,(]+)(,?)[^(]*(\(\d{4}\))", citation)
    return f"{found[1].strip()}{' et al.' if found[2] else ''} {found[3]}" if found else citation


def _model_words(scenario: Scenario, found: Value) -> str:
    """What the model gives, beside what the claim asks for and what was published."""
    text = f"the model gives {amount(found)}"
    said = answer(found.lo90, found.hi90, scenario.expects)
    side = {"agrees": "inside", "disagrees": "outside", "unsure": "not clearly inside or outside"}[said]
    text += f", {side} what the statement asks for ({_with_unit(str(scenario.expects), found.unit)})"
    if scenario.published is not None and math.isfinite(found.value):
        text += f", where {number(scenario.published)} was published: {_judged(scenario.published, found)}"
    if scenario.assumes:
        text += f", but the model assumes this: {scenario.assumes.rstrip('.')}"
    if scenario.misses:
        text += f"; known miss: {scenario.misses.rstrip('.')}"
    return text


def _judged(published: float, found: Value) -> str:
    if found.lo90 <= published <= found.hi90:
        return "its interval holds that"
    further = abs(found.value) > abs(published) and found.value * published >= 0
    return "it over-predicts" if further else "it under-predicts"


def amount(found: Value) -> str:
    """A value with its interval and unit."""
    unit = FORM.get(found.unit, f" {found.unit}")
    if not all(map(math.isfinite, (found.value, found.lo90, found.hi90))):
        return "no number"
    return f"{number(found.value)}{unit} ({number(found.lo90)} to {number(found.hi90)})"


def number(value: float) -> str:
    """Three figures at most, with a proper minus."""
    text = f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
    text = f"{value:.1f}" if 10 <= abs(value) < 100 else text
    return text.replace("-", "−") if float(text) else "0"


def _with_unit(text: str, unit: str) -> str:
    return text.replace("-", "−") + FORM.get(unit, f" {unit}")


def asked(scenario: Scenario) -> str:
    """The scenario in words."""
    readings = scenario.readings()
    until = "at" if scenario.measure not in ("output", "share") or scenario.take == "value" else "until"
    text = f"{_measured(scenario)}, {_read_words(readings[0], until)}"
    if len(readings) > 1:
        other = _read_words(_differs(*readings), until)
        text += f", {'less' if scenario.minus else 'divided by'} the same {other}"
    weeks = f"{scenario.weeks:g} week{'' if scenario.weeks == 1 else 's'}"
    return f"{text}; {scenario.patients} virtual patients ({scenario.population}), {weeks}"


def _differs(one: Reading, other: Reading) -> Reading:
    """The part of a reading in which it differs from another; all of it where it does not."""
    changed = {key: getattr(other, key) for key in Reading.model_fields if getattr(other, key) != getattr(one, key)}
    return Reading.model_construct(
        **{"course": None, "at": None, "since": None, "output": None, "among": {}, **changed}
    )


def _measured(scenario: Scenario) -> str:
    taken = {"value": "value", "mean": "mean", "highest": "highest value", "lowest": "lowest value"}[scenario.take]
    names = {
        "change": f"mean change of {scenario.scale}",
        "score": f"mean {scenario.scale}",
        "response": f"share of people with response on {scenario.scale}",
        "remission": f"share of people in remission on {scenario.scale}",
        "relapse": f"share of responders on {scenario.scale} who relapse",
        "output": f"mean over people of the {taken} of {scenario.of.output}",
        "share": f"share of people in whom the {taken} of {scenario.of.output} is at least {scenario.at_least or 0:g}",
    }
    return names[scenario.measure]


def _read_words(one: Reading, until: str) -> str:
    window = f"from {duration_text(one.since)}" if one.since else ""
    end = f"{'to' if one.since else until} {duration_text(one.at)}" if one.at else ""
    who = " and ".join(f"{name} {allowed}" for name, allowed in one.among.items())
    what = f"of {one.output}" if one.output and not one.course else ""
    parts = [f"under {one.course}" if one.course else "", what, window, end, f"in people with {who}" if who else ""]
    return " ".join(part for part in parts if part)


def table(found: Sequence[Answered]) -> str:
    """The answers as CSV."""
    import csv
    import io

    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n").writerow
    write(["id", "says", "verdict", "value", "lo90", "hi90", "unit", "expects", "records", "sentence"])
    for one in found:
        model = one.model
        numbers = ["", "", "", ""]
        if model is not None:
            numbers = [*(f"{value:.4g}" for value in (model.value, model.lo90, model.hi90)), model.unit]
        cited = "; ".join(f"{record.speaks}: {record.short}" for record in one.records)
        write([one.claim.id, one.claim.says, one.verdict, *numbers, one.expects, cited, one.sentence])
    return text.getvalue()


if __name__ == "__main__":
    print(table(answers()), end="")
