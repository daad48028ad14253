"""The typical person of a course, for formats that know no populations: nobody's spread, no chance, one set of scores.

Typical values of the parameters, means of continuous covariates, and the more frequent value of those that are shares.
Decisions of a course on scores are taken on true scores, as there is no rater.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Block
from afterglow.clinic.course import Course
from afterglow.clinic.population import CRP_HIGH, Population
from afterglow.compile.sbml import Change
from afterglow.engine.actions import ADD_SLOT, ADD_STATE, SET_STATE
from afterglow.simulate import Arm
from afterglow.systems.whole import COVARIATES

FloatArray = NDArray[np.float64]
NO_NOISE = {"rater_sd": 0.0, "fluctuation_sd": 0.0}


def typical_person(population: Population) -> dict[str, float]:
    """The covariates that the model reads, by column of a population."""
    return {
        "WT": population.weight.mean,
        "AGE": population.age.mean,
        "baseline_madrs": population.madrs.mean,
        "failed_trials": float(round(population.failed_trials.mean)),
        "met_carrier": float(population.met_carrier.share > 0.5),
        "crp_high": float(np.exp(population.crp.log_mean) > CRP_HIGH),
    }


def covariate_slots(person: Mapping[str, float]) -> dict[str, float]:
    """The same by input of the model: what a simulator sets to simulate this person."""
    return {slot: person[column] for column, slots in COVARIATES.items() for slot in slots}


class TypicalArm:
    """A course and its typical person.

    Attributes:
        person: covariates, as of `typical_person`.
        changes: doses and signals, in order of time; known after a run.
    """

    def __init__(
        self,
        course: Course,
        population: Population,
        times_h: Iterable[float],
        outputs: Sequence[str] = ("mood.madrs",),
        rtol: float = 1e-5,
        *,
        person: Mapping[str, float] | None = None,
    ) -> None:
        """Ready to run.

        Args:
            course: what is done.
            population: whose typical person goes through it.
            times_h: when outputs are wanted, h; 0 is always among them.
            outputs: full names.
            rtol: relative tolerance of the engine.
            person: covariates that take the place of the population's.
        """
        import pandas as pd

        times = sorted({0.0, *times_h})
        self.person = typical_person(population) | dict(person or {})
        self.changes: list[Change] = []
        self.outputs = list(outputs)
        self.arm = Arm(
            course, patients=1, weeks=max(times[-1], 1.0) / 168.0, visits_h=times, rtol=rtol, outputs=outputs,
            population=pd.DataFrame([self.person]),
        )  # fmt: skip
        self.times = np.array(times)

    def run(self, typical: Mapping[str, float] | None = None) -> FloatArray:
        """Outputs [times, outputs] at these typical values, by default the fitted ones."""
        arm = self.arm
        luck = {purpose: np.zeros(len(arm.who)) for purpose, _ in arm.model.etas.values()}
        block = Block(arm.people, arm.who, typical=typical, noise=NO_NOISE, luck=luck)
        values = arm.trajectories_of([block])[0]
        self.changes = self._changes()
        columns = [arm.outputs.index(name) for name in self.outputs]
        return values[np.searchsorted(arm.time_h, self.times - 1e-9)][:, columns]

    def _changes(self) -> list[Change]:
        table, model = self.arm.actions.table(len(self.arm.who)), self.arm.model.program
        found = []
        for k in range(table.start[1]):
            kind, place = table.kind[k], table.place[k]
            name = (model.states if kind in (ADD_STATE, SET_STATE) else model.slots)[place]
            found.append(Change(float(table.time[k]), name, float(table.value[k]), kind in (ADD_STATE, ADD_SLOT)))
        return found


def additions(changes: Iterable[Change]) -> list[Change]:
    """The same changes with every new value of a slot as what it adds to the last one; slots begin at 0."""
    now: dict[str, float] = {}
    found = []
    for one in changes:
        step = one.value if one.add else one.value - now.get(one.name, 0.0)
        now[one.name] = now.get(one.name, 0.0) + step
        if step:
            found.append(Change(one.time_h, one.name, step, add=True))
    return found
