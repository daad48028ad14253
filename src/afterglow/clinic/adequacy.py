"""Treatment resistance counted from the trials a person has had: adequate in dose and duration, or not, or unknown.

    trials:
      - {drug: sertraline, dose: 150 mg, weeks: 8}
      - {drug: venlafaxine, weeks: 10}
      - {drug: mirtazapine, dose: 30 mg, weeks: 9, helped: true}

A trial that is listed counts as one that did not help, unless `helped: true`. What is adequate is in
`data/adequate_trials.yaml`, each number with its source. The answer is a table of reasons that says what is missing to
decide. Two trials of one drug count once: the European Medicines Agency asks for two different antidepressants (cited
in doi:10.1186/s12991-023-00478-7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer

from afterglow.clinic.files import Strict, Wrong, model_from_text, shipped_text
from afterglow.clinic.identity import Unnamed, unnamed_text
from afterglow.clinic.population import TRD_FAILED
from afterglow.clinic.quantity import Amount, Number, amount
from afterglow.clinic.source import Source

if TYPE_CHECKING:
    import pandas as pd

NOTE = "Counted from what is written, by published minimum doses and durations: a clinician decides."
COLUMNS = ("drug", "dose", "weeks", "adequate", "reason", "missing", "source")

Adequate = Literal["yes", "no", "unknown"]
DoseText = Annotated[
    Amount,
    BeforeValidator(amount, json_schema_input_type=str),
    PlainSerializer(lambda dose: f"{dose.value:.12g} {'mg/kg' if dose.per_kg else 'mg'}"),
]


def _drug(value: Any) -> str:
    word = unnamed_text(value).strip().lower()
    if not word or len(word) > 40:
        raise Wrong(f"{value!r} is not the name of a drug", "write for instance `drug: sertraline`")
    return word


class DrugTrial(Unnamed):
    """One line of `trials`: an antidepressant that was tried."""

    drug: Annotated[str, BeforeValidator(_drug)] = Field(description="add `drug:`")
    dose: DoseText | None = Field(default=None, description="highest daily dose that was kept, mg")
    weeks: Number | None = Field(default=None, ge=0, le=2000, description="weeks at that dose")
    helped: bool = Field(
        default=False, strict=True, description="true where the drug helped, so the trial did not fail"
    )


class _Least(Strict):
    value: Number = Field(gt=0)
    source: Source


class _Weeks(Strict):
    least: _Least
    enough: _Least


class _File(Strict):
    weeks: _Weeks
    drugs: dict[str, _Least]


@cache
def _shipped() -> _File:
    return model_from_text(_File, shipped_text("adequate_trials.yaml"), "data/adequate_trials.yaml")


@dataclass(frozen=True)
class Verdict:
    """Whether one trial was adequate and failed, why, and what is missing to decide."""

    trial: DrugTrial
    adequate: Adequate
    reason: str
    missing: str
    source: str

    @property
    def failed(self) -> Adequate:
        """Whether it counts as an adequate trial without success."""
        return "no" if self.trial.helped else self.adequate


def judge(trial: DrugTrial) -> Verdict:
    """Dose and duration of one trial against the published ones: no if either is too little, yes if both are enough."""
    dose, dose_reason, dose_missing = _dose(trial)
    long, long_reason, long_missing = _duration(trial)
    both = {dose, long}
    adequate: Adequate = "no" if "no" in both else "unknown" if "unknown" in both else "yes"
    reason = f"{dose_reason}; {long_reason}" + ("; it helped, so it did not fail" if trial.helped else "")
    missing = "; ".join(one for one in (dose_missing, long_missing) if one) if adequate == "unknown" else ""
    file = _shipped()
    sources = [file.drugs[trial.drug].source] if trial.drug in file.drugs else []
    sources += [file.weeks.least.source, file.weeks.enough.source]
    return Verdict(trial, adequate, reason, missing, "; ".join(map(str, sources)))


def _dose(trial: DrugTrial) -> tuple[Adequate, str, str]:
    known = _shipped().drugs.get(trial.drug)
    if known is None:
        return "unknown", f"no minimum dose of {trial.drug} has a source here", f"a minimum dose of {trial.drug}"
    if trial.dose is None:
        return "unknown", f"no dose is given, {known.value:g} mg a day needed", "the daily dose"
    if trial.dose.per_kg:
        return "unknown", f"{trial.dose} by body weight, {known.value:g} mg a day needed", "the daily dose in mg"
    if trial.dose.value < known.value:
        return "no", f"{trial.dose} a day is below {known.value:g} mg", ""
    return "yes", f"{trial.dose} a day is at least {known.value:g} mg", ""


def _duration(trial: DrugTrial) -> tuple[Adequate, str, str]:
    least, enough = _shipped().weeks.least.value, _shipped().weeks.enough.value
    if trial.weeks is None:
        return "unknown", f"no duration is given, {least:g} to {enough:g} weeks needed", "the number of weeks"
    said = f"{trial.weeks:g} weeks"
    if trial.weeks < least:
        return "no", f"{said} are fewer than {least:g}", ""
    if trial.weeks < enough:
        return (
            "unknown",
            f"{said} are enough for some definitions only",
            f"whether {least:g} or {enough:g} weeks are asked for",
        )
    return "yes", f"{said} are at least {enough:g}", ""


def failed_range(trials: Sequence[DrugTrial]) -> tuple[int, int]:
    """Fewest and most different drugs that can have failed in an adequate trial; equal where all is known."""
    found: dict[str, set[Adequate]] = {}
    for trial in trials:
        found.setdefault(trial.drug, set()).add(judge(trial).failed)
    sure = sum("yes" in one for one in found.values())
    return sure, sure + sum("unknown" in one and "yes" not in one for one in found.values())


def resistance(trials: Sequence[DrugTrial]) -> pd.DataFrame:
    """The trials, each with whether it was adequate, why, and what is missing to decide.

    Returns:
        Columns drug, dose (mg), weeks, adequate (yes, no, unknown), reason, missing, source. `attrs["note"]` says who
        decides, `attrs["count"]` how many adequate trials have failed.
    """
    import pandas as pd

    rows = [
        (
            one.trial.drug,
            "" if one.trial.dose is None else str(one.trial.dose),
            one.trial.weeks,
            one.adequate,
            one.reason,
            one.missing,
            one.source,
        )
        for one in map(judge, trials)
    ]
    table = pd.DataFrame(rows, columns=pd.Index(list(COLUMNS)))
    low, high = failed_range(trials)
    counted = f"{low}" if low == high else f"{low} to {high}"
    table.attrs["count"] = (
        f"{counted} different drugs failed in an adequate trial; treatment resistance needs {TRD_FAILED}"
    )
    table.attrs["note"] = NOTE
    return table
