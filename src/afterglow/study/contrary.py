"""Evidence against the simple story, put to the shipped model: one finding, one number, one published interval.

python -m afterglow.study.contrary > docs/contrary_evidence.md

`data/contrary.yaml` says what was published and what is asked; this module runs the model. A finding outside its
interval is a known failure and is listed as one; no number of the model is moved for it.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import spearmanr

from afterglow.clinic.course import Course, load_course, parse_course
from afterglow.compiled import compiled
from afterglow.course_run import CourseRun
from afterglow.data import read_yaml
from afterglow.data.schema import Citation, Grade, Record
from afterglow.simulate import simulate_course
from afterglow.study.validate import validate

FloatArray = NDArray[np.float64]

OUTPUTS = (
    "mood.madrs", "mood.drug_part", "synapses.spines", "glutamate.level", "acute_effects.cadss",
    "brain_exposure.hydroxynorketamine", "inflammation.level",
)  # fmt: skip
END_OF_INFUSION_H, MRS_H, DAY, WEEK = 40 / 60, 193 / 60, 24.0, 168.0
PATIENTS = 2048  # correlations over people come out within 0.05 of any other seed
TINY = 1e-3  # points, %, correlations: below what any finding tells apart
FIRST_HOURS = tuple(np.arange(0.0, 4.01, 1 / 6).tolist())  # a peak within the first hours, h
THREE_DOSES = (1, 3, 5)  # days; the mice got three doses, when is not on the page read (assumed)


class Finding(Record):
    """One number that the model must give, with the interval that evidence allows."""

    key: str = Field(description="name, also of its test")
    claim: str = Field(description="what is computed")
    unit: str = Field(description="its unit; 1 for none")
    low: float = Field(description="lowest value that the evidence allows")
    high: float = Field(description="highest value that the evidence allows")
    grade: Grade = Field(description="where the interval comes from, as for all records")
    interval: str = Field(description="the same in words")
    known_failure: str | None = Field(default=None, description="why the shipped model is outside, if it is")

    def allows(self, value: float) -> bool:
        """Whether a value lies in the interval."""
        return self.low <= value <= self.high


class Item(Record):
    """One piece of evidence and what it asks of the model."""

    id: str
    title: str
    against: str = Field(description="which part of the simple story it speaks against")
    published: str = Field(description="the published figures")
    citations: tuple[Citation, ...] = Field(strict=False)
    findings: tuple[Finding, ...] = Field(strict=False)


def items() -> tuple[Item, ...]:
    """The items of `data/contrary.yaml`."""
    return tuple(Item.model_validate(one) for one in read_yaml("contrary.yaml")["items"])


@dataclass
class Runs:
    """Runs of the shipped model that several findings share; each is made once.

    Attributes:
        patients: virtual patients a run.
        seed: seed of the patients.
    """

    patients: int = PATIENTS
    seed: int = 1
    _kept: dict[tuple[object, ...], CourseRun] = field(default_factory=dict)

    def of(
        self, course: Course, weeks: float, variant: str | None = None, typical: Mapping[str, float] | None = None
    ) -> CourseRun:
        """The run of a course."""
        key = (course.name, weeks, variant, *sorted((typical or {}).items()))
        if key not in self._kept:
            self._kept[key] = simulate_course(
                course, patients=self.patients, weeks=weeks, seed=self.seed, variant=variant, typical=typical,
                outputs=OUTPUTS, extra_h=(*FIRST_HOURS, END_OF_INFUSION_H, MRS_H),
            )  # fmt: skip
        return self._kept[key]

    def single(self, variant: str | None = None, typical: Mapping[str, float] | None = None) -> CourseRun:
        """One infusion of 0.5 mg/kg over 40 min, followed for two weeks."""
        return self.of(load_course("iv-single"), 2, variant, typical)

    @cached_property
    def repeated(self) -> CourseRun:
        """Three infusions in five days, followed for four weeks."""
        dose = {"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": list(THREE_DOSES)}
        return self.of(parse_course({"course": "three", "doses": [dose]}, "three"), 4)

    @cached_property
    def spray(self) -> CourseRun:
        """Esketamine spray with a new antidepressant for four weeks."""
        return self.of(load_course("nasal-esketamine"), 4)


def measure(patients: int = PATIENTS, seed: int = 1) -> dict[str, float]:
    """What the model gives for every finding, by key.

    Args:
        patients: virtual patients a run.
        seed: seed of the patients.
    """
    runs = Runs(patients, seed)
    parts = (_mtor, _spines, _metabolite, _glutamate, _opioid, _dissociation, _cytokines, _benzodiazepines)
    return {key: value for part in parts for key, value in part(runs).items()}


# -- reading runs
def _at(run: CourseRun, name: str, time_h: float) -> FloatArray:
    """An output [patients] at a time that the run has kept."""
    at = int(np.abs(run.time_h - time_h).argmin())
    return run.values[name][:, at].astype(np.float64)


def _effect(run: CourseRun, time_h: float) -> float:
    """Mean share of symptoms that the drug lifts."""
    return float(_at(run, "mood.drug_part", time_h).mean())


def _fall(run: CourseRun, time_h: float, scale: str = "MADRS", percent: bool = False) -> FloatArray:
    """Measured change [patients] from baseline, points or %."""
    scores = run.measured[scale]
    change = scores[:, int(np.abs(run.visit_h - time_h).argmin())] - scores[:, 0]
    return 100 * change / scores[:, 0] if percent else change


def _response(run: CourseRun, time_h: float) -> float:
    """Share of patients whose measured MADRS has fallen by half, %."""
    return 100 * float(np.mean(_fall(run, time_h, percent=True) <= -50))


def _shift(run: CourseRun, other: CourseRun) -> FloatArray:
    """True MADRS at 24 h, points [patients] by which two runs of the same people differ."""
    return _at(run, "mood.madrs", DAY) - _at(other, "mood.madrs", DAY)


def _rank(x: FloatArray, y: FloatArray) -> float:
    """Spearman's correlation."""
    return float(np.asarray(spearmanr(x, y))[0])


def _peak(run: CourseRun, name: str) -> FloatArray:
    """Highest value [patients] within the first session's hours."""
    return run.values[name][:, run.time_h <= FIRST_HOURS[-1]].max(axis=1).astype(np.float64)


# -- findings
def _mtor(runs: Runs) -> dict[str, float]:
    base, blocked, slowed = runs.single(), runs.single("no-mtor"), runs.single("rapamycin")
    return {
        "rapamycin_leaves_the_first_day": _effect(blocked, DAY) / _effect(base, DAY),
        "rapamycin_prolongs_the_response": _response(blocked, 2 * WEEK) - _response(base, 2 * WEEK),
        "rapamycin_prolongs_the_response_if_loss_slows": _response(slowed, 2 * WEEK) - _response(base, 2 * WEEK),
    }


def _spines(runs: Runs) -> dict[str, float]:
    base, bare, three = runs.single(), runs.single("no-spines"), runs.repeated
    first, day, late = (
        float(_at(run, "synapses.spines", time_h).mean())
        for run, time_h in ((base, 0.0), (base, DAY), (three, DAY * (THREE_DOSES[-1] - 1) + 3 * WEEK))
    )
    lost = {t: 100 * (1 - _effect(bare, t) / _effect(base, t)) for t in (DAY, 2 * WEEK)}
    return {
        "spines_stay_below_what_pet_sees_at_a_day": 100 * (day / first - 1),
        "spines_carry_little_of_the_first_day": lost[DAY],
        "spines_carry_more_after_weeks": lost[2 * WEEK] - lost[DAY],
        "spines_are_more_three_weeks_after_repeated_doses": 100 * (late - day) / first,
        "spines_are_restored_three_weeks_after_repeated_doses": 100 * (late - first) / (1 - first),
    }


def _metabolite(runs: Runs) -> dict[str, float]:
    base = runs.single()
    together = _rank(_at(base, "brain_exposure.hydroxynorketamine", 4.0), _fall(base, DAY))
    return {
        "hydroxynorketamine_has_no_weight_in_the_base_model": _default("plasticity.metabolite_weight"),
        "hydroxynorketamine_does_not_go_with_improvement": together,
        "hydroxynorketamine_goes_with_less_improvement": together,
    }


def _glutamate(runs: Runs) -> dict[str, float]:
    base = runs.single()
    mean = 100 * (base.values["glutamate.level"].mean(axis=0) - 1)
    scaled = runs.single(typical={"glutamate.rise": 10 * _default("glutamate.rise")})
    return {
        "glutamate_rises_as_in_people": float(mean.max()),
        "glutamate_is_back_at_three_hours": float(mean[np.abs(base.time_h - MRS_H).argmin()]),
        "glutamate_has_no_scale_that_mood_sees": float(np.abs(_shift(scaled, base)).max()),
    }


def _opioid(runs: Runs) -> dict[str, float]:
    base, gated = runs.single(), runs.single("opioid-gated")
    felt = _peak(gated, "acute_effects.cadss") - _peak(base, "acute_effects.cadss")
    return {
        "naltrexone_has_no_gate_in_the_base_model": _default("plasticity.ampa"),
        "naltrexone_weakens_the_first_day_if_gated": 100 * _effect(gated, DAY) / _effect(base, DAY),
        "naltrexone_leaves_dissociation": float(felt.mean()),
    }


def _dissociation(runs: Runs) -> dict[str, float]:
    spray, infusion = runs.spray, runs.single()
    felt = _peak(spray, "acute_effects.cadss")
    at_40_min = _at(infusion, "acute_effects.cadss", END_OF_INFUSION_H)

    def with_hamd(time_h: float) -> float:
        return float(np.corrcoef(at_40_min, _fall(infusion, time_h, "HAM-D17", percent=True))[0, 1])

    # as published, with baseline beside CADSS; true scores, as rater noise is drawn apart from CADSS and only blurs
    before, after = _at(spray, "mood.madrs", 0.0), _at(spray, "mood.madrs", DAY)
    slope = np.linalg.lstsq(np.column_stack([felt, before, np.ones_like(felt)]), after, rcond=None)[0][0]
    return {
        "dissociation_hardly_predicts_the_next_day_under_esketamine": float(slope),
        "dissociation_does_not_rank_with_the_next_day_under_esketamine": _rank(felt, _fall(spray, DAY)),
        "dissociation_does_not_rank_with_four_weeks_under_esketamine": _rank(felt, _fall(spray, 4 * WEEK)),
        "dissociation_goes_with_improvement_at_four_hours_under_infusions": with_hamd(4.0),
        "dissociation_goes_with_improvement_at_a_week_under_infusions": with_hamd(WEEK),
    }


def _cytokines(runs: Runs) -> dict[str, float]:
    base = runs.single()
    before, hours, day = (_at(base, "inflammation.level", t) for t in (0.0, 4.0, DAY))
    calm = runs.single(typical={"inflammation.acute_rise": 0.0})
    apart = runs.single(typical={"mood.by_inflammation": 0.0, "synapses.inflammation_weight": 0.0})
    return {
        "cytokines_rise_within_hours": 100 * float((hours / before - 1).mean()),
        "cytokines_do_not_go_with_the_next_day": _rank(day - before, _fall(base, DAY)),
        "cytokines_of_the_first_hours_have_no_arrow_to_mood": float(np.abs(_shift(calm, base)).max()),
        "cytokines_of_the_slow_kind_hardly_touch_the_next_day": float(_shift(base, apart).mean()),
    }


def _benzodiazepines(runs: Runs) -> dict[str, float]:
    table = validate(["aspire_pooled"], patients=runs.patients // 4, seed=runs.seed, draws=0)
    rows = table[(table["visit"] == "24 h") & (table["measure"] == "difference")]
    gap = dict(zip(rows["arm"], rows["predicted"].astype(float), strict=True))
    return {
        "benzodiazepines_hardly_weaken_esketamine": gap["esk84_bzd v pbo_bzd"] - gap["esk84_no_bzd v pbo_no_bzd"],
        "benzodiazepines_do_not_help_by_themselves": gap["pbo_bzd v pbo_no_bzd"],
    }


def _default(name: str) -> float:
    """The shipped value of a parameter of the base model."""
    prog = compiled().program
    return float(prog.defaults[prog.slot[name]])


# -- the page
def page(values: Mapping[str, float]) -> str:
    """The page docs/contrary_evidence.md, from what `measure` gave."""
    blocks = [_HEAD, *(_section(item, values) for item in items())]
    failures = [f for item in items() for f in item.findings if not f.allows(values[f.key])]
    lines = [
        _wrapped(f"* `{f.key}`: the model gives {_number(values[f.key])}, {_allowed(f)}. Why: {f.known_failure}.", "  ")
        for f in failures
    ]
    return "\n".join([*blocks, "## Known failures", "", *lines, ""])


_HEAD = f"""# Evidence against the simple story

Block, surge, spines, mood: a simple story, and much was published against it. Each finding below is a test of the
shipped model, `test_evidence[name]` in `tests/test_contrary_evidence.py`. A known failure is a strict expected failure:
when the model gets it right, the tests ask to strike it off. No number of the model was moved for this page.

The page is made by `python -m afterglow.study.contrary > docs/contrary_evidence.md` ({PATIENTS} virtual patients,
seed 1) from `src/afterglow/data/contrary.yaml`. Under "allowed" stands the interval that the evidence leaves, with its
grade: page (printed), derived (computed from what is printed) or assumed (chosen by us, with the reason).
"""


def _section(item: Item, values: Mapping[str, float]) -> str:
    """One item: what was published, by whom, and a table of what the model gives."""
    rows = [
        f"| `{f.key}` | {f.claim}{'' if f.unit == '1' else ', ' + f.unit} | {_number(f.low)} to {_number(f.high)}"
        f" ({f.grade}: {f.interval}) | {_number(values[f.key])} | {verdict(f, values[f.key])} |"
        for f in item.findings
    ]
    cited = [_wrapped(f"* {_cited(c)}", "  ") for c in item.citations]
    head = ["| test | what | allowed | model | verdict |", "|---|---|---|---|---|"]
    said = _wrapped(f"{_sentence(item.published)} It speaks against {item.against.strip()}")
    return "\n".join([f"## {item.title}", "", said, "", *cited, "", *head, *rows, ""])


def verdict(finding: Finding, value: float) -> str:
    """`pass` or `known failure`."""
    return "pass" if finding.allows(value) else "known failure"


def _allowed(finding: Finding) -> str:
    return f"allowed is {_number(finding.low)} to {_number(finding.high)}"


def _number(value: float) -> str:
    """Three figures; what only the integrator's steps leave is 0."""
    return "0" if abs(value) < TINY else f"{value:.3g}"


def _cited(c: Citation) -> str:
    parts = [c.authors, f"({c.year})" if c.year else "", _titled(c), c.journal or ""]
    text = " ".join(part for part in parts if part)
    mark = f"doi:{c.doi}" if c.doi else c.pmcid or c.pmid or c.note
    return f"{text}, {mark}" if mark else text


def _titled(c: Citation) -> str:
    """The title, with a full stop where the journal follows."""
    return "" if c.title is None else f"{c.title}." if c.journal else c.title


def _sentence(text: str) -> str:
    text = text.strip()
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


if __name__ == "__main__":
    print(page(measure()), end="")
