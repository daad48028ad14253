"""The part of the calibration that PEtab (version 1) can say, and the same objective worked out by our own engine.

PEtab holds one system of ODEs, conditions that set its parameters, observables with independent noise, and priors of
single parameters. Our likelihood is about means over virtual people. What is left of it in PEtab is the typical person
of each arm: mean scores and mean changes of the fitted rows, their standard errors and weights, the priors of the
typical values, and what trials have of their own (effects u and v of each trial as parameters with their spreads as
hyperparameters, the effect e of each row within its noise). `study.export_words` says what is lost.

Source: Schmiester L, et al. (2021) PLoS Comput Biol 17:e1008646 (PEtab).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from afterglow.clinic.course import parse_course
from afterglow.clinic.relief import moved
from afterglow.compile.sbml import identifier, sbml
from afterglow.compile.sbml_switched import Addition, with_additions
from afterglow.compiled import compiled
from afterglow.data import trial
from afterglow.data.fit_schema import FitRow
from afterglow.data.fitted import TAU, posterior
from afterglow.study.calibrate import Free, between_trials, free_parameters
from afterglow.study.export_typical import TypicalArm, additions, covariate_slots
from afterglow.study.surface import shipped
from afterglow.study.trials import arm_population

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
RTOL = 1e-10  # of our engine: the objective is to agree with other simulators to six digits
FAR = 6.0  # a bound where none is declared: so many prior SDs away
MOST_TAU = 3.0  # bound of the spreads between trials, log scale
DIGITS = 9  # of event times: those that differ by rounding alone are one event
OUTPUTS = ("mood.madrs", "mood.drug_part")
PROBLEM = {
    "format_version": 1,
    "parameter_file": "parameters.tsv",
    "problems": [
        {
            "sbml_files": ["model.xml"],
            "condition_files": ["conditions.tsv"],
            "observable_files": ["observables.tsv"],
            "measurement_files": ["measurements.tsv"],
        }
    ],
}
EFFECTS = {"u": "relief that is not the drug's", "v": "relief by the drug"}


@dataclass(frozen=True)
class CentralRow:
    """A fitted row that is the mean of one arm at one time.

    Attributes:
        of: the published row.
        se: its standard error, larger where its weight is below 1, points.
        by_effects: its change per unit of the trial effects u and v together, points: what e multiplies.
    """

    of: FitRow
    se: float
    by_effects: float

    @property
    def condition(self) -> str:
        """The PEtab id of its arm."""
        return f"{self.of.trial}__{self.of.outcome.arm}"

    @property
    def observable(self) -> str:
        """The PEtab id of what is observed: "change" or "score"."""
        return "change" if self.of.outcome.measure == "change" else "score"

    @property
    def time_h(self) -> float:
        """Hours after the first dose."""
        assert self.of.outcome.time_h is not None
        return self.of.outcome.time_h


@dataclass(frozen=True)
class Estimated:
    """A number that is estimated: a normal prior, of its logarithm where `log`, cut off at its bounds."""

    name: str
    meaning: str
    log: bool
    middle: float  # of the prior, on its scale
    sd: float
    bounds: tuple[float, float]  # of the number itself

    def log_density(self, value: float) -> float:
        """Of the number on its scale; minus infinity outside the bounds."""
        if not self.bounds[0] <= value <= self.bounds[1]:
            return -math.inf
        x, low, high = ((self._scaled(v) - self.middle) / self.sd for v in (value, *self.bounds))
        inside = float(ndtr(high) - ndtr(low))
        return -0.5 * x * x - math.log(self.sd * math.sqrt(2 * math.pi) * inside)

    def _scaled(self, value: float) -> float:
        return math.log(value) if self.log else value

    def row(self, nominal: float) -> dict[str, Any]:
        """Its row of PEtab's parameter table."""
        return {
            "parameterId": petab_id(self.name),
            "parameterName": self.meaning,
            "parameterScale": "log" if self.log else "lin",
            "lowerBound": self.bounds[0],
            "upperBound": self.bounds[1],
            "nominalValue": nominal,
            "estimate": 1,
            "objectivePriorType": "parameterScaleNormal",
            "objectivePriorParameters": f"{self.middle!r};{self.sd!r}",
        }


def expressible(row: FitRow) -> bool:
    """Whether a row is a mean of a whole arm at one time, in MADRS points: what a typical person can stand for."""
    one, design = row.outcome, trial(row.trial).simulated_arm(row.outcome.arm)
    return (
        not design.select
        and not design.select_not
        and one.measure in ("mean", "change")
        and one.scale == "MADRS"
        and one.time_h is not None
        and one.from_h is None
        and not one.among
    )


class CentralProblem:
    """The rows that PEtab can hold, and the log density of a point given them, by our own engine.

    A point has a value for every one of `numbers`: parameters by full name, "tau_u", "tau_v", "tau_e", and for each
    trial the effects in units of these spreads, "z_u.<trial>" and "z_v.<trial>".
    """

    def __init__(self) -> None:
        surface = shipped()
        chosen = [k for k in np.flatnonzero(surface.fitted) if expressible(surface.listed[k])]
        by = surface.rows.by_u + surface.rows.by_v
        self.rows = [CentralRow(surface.listed[k], float(surface.rows.se[k]), float(by[k])) for k in chosen]
        self.program = compiled().program
        known = self.program.model.params
        self.free = [f for f in free_parameters(self.program.model) if f.name in known]
        self.trials = list(dict.fromkeys(r.of.trial for r in self.rows))
        self.arms = {r.condition: self._arm(r) for r in self.rows}

    def _arm(self, row: CentralRow) -> TypicalArm:
        record, name = trial(row.of.trial), row.of.outcome.arm
        design = record.simulated_arm(name)
        course = parse_course(record.course_data(name), f"{record.id}/{name}")
        times = {r.time_h for r in self.rows if r.condition == row.condition}
        return TypicalArm(course, arm_population(record, design), times, OUTPUTS, RTOL)

    @cached_property
    def numbers(self) -> list[Estimated]:
        """All numbers of a point."""
        found = [self._typical(f) for f in self.free]
        for name, sd in zip("uve", between_trials(), strict=True):
            found.append(Estimated(TAU + name, f"SD over trials of the effect {name}", False, 0.0, sd, (0.0, MOST_TAU)))
        for effect, said in EFFECTS.items():
            for name in self.trials:
                said_here = f"{said} in {name}, in SDs over trials"
                found.append(Estimated(f"z_{effect}.{name}", said_here, False, 0.0, 1.0, (-FAR, FAR)))
        return found

    def _typical(self, f: Free) -> Estimated:
        far = math.exp(FAR * f.prior_sd)
        bounds = max(f.bounds[0], f.start / far), min(f.bounds[1], f.start * far)
        return Estimated(f.name, self.program.model.params[f.name].meaning, True, math.log(f.start), f.prior_sd, bounds)

    @cached_property
    def nominal(self) -> dict[str, float]:
        """Posterior means, of logarithms for typical values; trials as the average one."""
        draws = posterior()
        found = {f.name: float(np.exp(np.log(draws[f.name]).mean())) for f in self.free}
        found |= {TAU + name: float(draws[TAU + name].mean()) for name in "uve"}
        return {one.name: 0.0 for one in self.numbers} | found

    # -- our own objective
    def predictions(self, point: Mapping[str, float]) -> FloatArray:
        """Scores or changes of the typical people, [rows], points."""
        typical = {f.name: point[f.name] for f in self.free}
        found = {}
        for condition, arm in self.arms.items():
            own = tuple(point[TAU + x] * point[f"z_{x}.{condition.split('__')[0]}"] for x in EFFECTS)
            values, baseline = arm.run(typical), arm.person["baseline_madrs"]
            score = moved(values[None, :, 0], values[None, :, 1], np.array([baseline]), (own[0], own[1]))[0]
            found |= {(condition, t): (s, s - baseline) for t, s in zip(arm.times.tolist(), score, strict=True)}
        return np.array([found[r.condition, r.time_h][r.observable == "change"] for r in self.rows])

    def log_likelihood(self, point: Mapping[str, float]) -> float:
        """Log density of the published rows, each with an independent error."""
        sd = np.hypot([r.se for r in self.rows], point["tau_e"] * np.array([r.by_effects for r in self.rows]))
        published = np.array([r.of.outcome.value for r in self.rows])
        return float(_log_normal(published, self.predictions(point), sd).sum())

    def log_prior(self, point: Mapping[str, float]) -> float:
        """Log density of the priors within their bounds, of logarithms for typical values."""
        return sum(one.log_density(point[one.name]) for one in self.numbers)


def _log_normal(x: FloatArray, mean: FloatArray | float, sd: FloatArray) -> FloatArray:
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd * math.sqrt(2 * math.pi))


# ---- the files


def petab_id(name: str) -> str:
    """The PEtab id of a number of a point."""
    return identifier(name)


def tables(problem: CentralProblem) -> dict[str, pd.DataFrame]:
    """The four tables of PEtab: parameters, conditions, observables, measurements."""
    import pandas as pd

    conditions, _ = _conditions(problem)
    return {
        "parameters": pd.DataFrame([one.row(problem.nominal[one.name]) for one in problem.numbers]),
        "conditions": conditions,
        "observables": pd.DataFrame(_observables()),
        "measurements": pd.DataFrame(_measurements(problem)),
    }


def model(problem: CentralProblem) -> str:
    """The SBML document: the whole model, with the events of all conditions."""
    _, events = _conditions(problem)
    text = sbml(
        problem.program, outputs=OUTPUTS, changing=sorted({a.name for a in events} & set(problem.program.slots)),
        name="afterglow",
    )  # fmt: skip
    return with_additions(text, events, {f"trial_{x}": f"effect of the trial on {said}" for x, said in EFFECTS.items()})


def _conditions(problem: CentralProblem) -> tuple[pd.DataFrame, list[Addition]]:
    """What each arm sets, and the events whose sizes are among it: one parameter for events that are always alike."""
    import pandas as pd

    sizes: dict[tuple[float, str], dict[str, float]] = {}
    for condition, arm in problem.arms.items():
        if not arm.changes:
            arm.run()
        for one in additions(arm.changes):
            at = sizes.setdefault((round(one.time_h, DIGITS), one.name), {})
            at[condition] = at.get(condition, 0.0) + one.value
    alike: dict[tuple[str, tuple[float, ...]], str] = {}
    events = []
    for (time_h, name), by_arm in sorted(sizes.items()):
        key = name, tuple(by_arm.get(condition, 0.0) for condition in problem.arms)
        events.append(Addition(time_h, name, alike.setdefault(key, f"size__{len(alike)}")))
    rows = []
    for k, (condition, arm) in enumerate(problem.arms.items()):
        name, arm_name = condition.split("__")
        row: dict[str, Any] = {"conditionId": condition, "conditionName": f"{name}: typical person of arm {arm_name}"}
        row |= {identifier(slot): value for slot, value in covariate_slots(arm.person).items()}
        row |= {f"trial_{effect}": petab_id(f"z_{effect}.{name}") for effect in EFFECTS}
        rows.append(row | {parameter: values[k] for (_, values), parameter in alike.items()})
    return pd.DataFrame(rows), events


def _observables() -> list[dict[str, Any]]:
    """Trial effects multiply what is lost of the logarithm of the score, as in `clinic.relief.moved`."""
    madrs, drug, baseline = (identifier(n) for n in (*OUTPUTS, "mood.baseline"))
    by_drug = f"ln(1 - {drug})"  # below zero
    rest = f"(ln({madrs} / {baseline}) - {by_drug})"
    score = f"{baseline} * exp(exp(tau_u * trial_u) * {rest} + exp(tau_v * trial_v) * {by_drug})"
    shared = {"observableTransformation": "lin", "noiseDistribution": "normal"}
    return [
        {
            "observableId": name,
            "observableName": said,
            "observableFormula": formula,
            "noiseFormula": f"sqrt(noiseParameter1_{name}^2 + (tau_e * noiseParameter2_{name})^2)",
            **shared,
        }
        for name, said, formula in (
            ("change", "change of MADRS from baseline, points", f"{score} - {baseline}"),
            ("score", "MADRS, points", score),
        )
    ]


def _measurements(problem: CentralProblem) -> list[dict[str, Any]]:
    return [
        {
            "observableId": r.observable,
            "simulationConditionId": r.condition,
            "time": r.time_h,
            "measurement": r.of.outcome.value,
            "noiseParameters": f"{r.se!r};{r.by_effects!r}",
            "datasetId": f"{r.condition}__{r.observable}",
        }
        for r in problem.rows
    ]
