"""The people behind a page, and what a course does to them; both are kept, as one question follows the other.

Everybody has covariates, luck and a draw of the calibration of their own (`study.cloud.prior`), and the same in every
course. Effects that a place of treatment has of its own are left out, as in `simulate_course`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Block
from afterglow.clinic.course import Course
from afterglow.clinic.person import Person
from afterglow.clinic.population import load_population
from afterglow.clinic.regimen import Administration
from afterglow.compile.vector import LANES
from afterglow.simulate import Arm
from afterglow.study.cloud import RTOL, Cloud, prior
from afterglow.study.draws import bounded_draws
from afterglow.study.forecast_study import RESISTANT
from afterglow.study.live_scenario import MOST_PEOPLE, Who
from afterglow.study.quantities import QUANTITIES

FloatArray = NDArray[np.float64]
Values = NDArray[np.float32]
IntArray = NDArray[np.int64]
MADRS = "mood.madrs"


@dataclass(frozen=True)
class Crowd:
    """Which people: who they are, the seed of their luck, and the mechanism they live by."""

    who: Who
    seed: int
    variant: str | None

    def block(self, rows: range) -> Block:
        """Some of them, each with their own draw of the calibration."""
        cloud, some = _cloud(self), slice(rows.start, rows.stop)
        return Block(
            cloud.people.iloc[some].reset_index(drop=True),
            rows,
            typical={name: values[some] for name, values in cloud.typical.items()},
            luck={name: values[some] for name, values in cloud.luck.items()},
        )

    def at_medians(self, rows: range) -> Block:
        """Some of them, all with the medians of the calibration."""
        return replace(self.block(rows), typical=None)

    def under_draws(self, people: int, draws: int) -> Block:
        """The first of them once under each of some draws of the calibration, one draw after the other."""
        one, again = self.block(range(people)), np.tile(np.arange(people), draws)
        values = bounded_draws(draws, self.seed, self.variant)
        return Block(
            one.people.iloc[again].reset_index(drop=True),
            range(people),
            keep=again,
            typical={name: np.repeat([draw[name] for draw in values], people) for name in values[0]},
            luck={name: z[again] for name, z in (one.luck or {}).items()},
        )


@lru_cache(maxsize=16)
def _cloud(crowd: Crowd) -> Cloud:
    who = crowd.who
    if who.kind == "population":
        table = load_population(who.population).draw(crowd.seed, 0, range(MOST_PEOPLE))
    else:
        population = load_population("mdd" if who.failed_trials < RESISTANT else "trd")
        table = _person(who).table(crowd.seed, 0, range(MOST_PEOPLE), population)
    return replace(_luck(crowd.seed, crowd.variant), people=table.reset_index(drop=True))


@lru_cache(maxsize=8)
def _luck(seed: int, variant: str | None) -> Cloud:
    """Luck and draws are the same whoever has them."""
    return prior(load_population().draw(seed, 0, range(MOST_PEOPLE)), seed, variant)


def _person(who: Who) -> Person:
    return Person.model_validate(
        {
            "person": "page",
            "age": who.age,
            "sex": who.sex,
            "weight": f"{who.weight:.12g} kg",
            "failed_trials": who.failed_trials,
            "baseline": {"MADRS": who.severity},
        }
    )


# ------------------------------------------------------------------------------------------------ living


@dataclass(frozen=True)
class Intake:
    """One intake that was given: to whom, what, mg for each of them, and why."""

    people: IntArray
    what: Administration
    mg: FloatArray
    reason: str


@dataclass(frozen=True, eq=False)
class Lived:
    """What a course did to some people.

    Attributes:
        time_h: hours, [times].
        values: quantities by name in their units, each [times, people].
        rated: MADRS as it would be written down, [times, people].
        fine: who could be simulated, [people].
        intakes: of treatment sessions.
    """

    time_h: FloatArray
    values: Mapping[str, Values]
    rated: Values
    fine: NDArray[np.bool_]
    intakes: Sequence[Intake]


@dataclass(frozen=True)
class Order:
    """What to simulate.

    Attributes:
        course: what is done.
        crowd: whose people.
        rows: numbers of the people, whole groups of LANES.
        weeks: horizon.
        times: hours to keep, rising.
        names: quantities to keep.
    """

    course: Course
    crowd: Crowd
    rows: range
    weeks: float
    times: tuple[float, ...]
    names: tuple[str, ...] = ("madrs",)


@lru_cache(maxsize=4)  # 15 MB each at most
def lived(order: Order) -> Lived:
    """Put some people through a course, or remember what it did."""
    block = order.crowd.block(order.rows)
    arm, values = go(order, [block])
    time_h = np.array(order.times)
    found = {name: _quantity(arm, values, name) for name in order.names}
    madrs = values[:, :, arm.outputs.index(MADRS)]
    written = arm.measured("MADRS", madrs, time_h, block) + 0.0  # points without a minus zero
    rated = np.ascontiguousarray(written.T, dtype=np.float32)
    intakes = [Intake(*one) for one in arm.given if one[1].session is not None]
    for array in (*found.values(), rated):
        array.setflags(write=False)
    return Lived(time_h, found, rated, arm.status == 0, intakes)


def go(order: Order, blocks: Sequence[Block]) -> tuple[Arm, FloatArray]:
    """The arm that was run, and outputs [people of all blocks, times, outputs]."""
    arm = Arm(
        order.course, patients=LANES, weeks=order.weeks, seed=order.crowd.seed,
        population=blocks[0].people.iloc[:LANES], variant=order.crowd.variant,
        outputs=[part for name in order.names for part in QUANTITIES[name].parts], visits_h=order.times, rtol=RTOL,
    )  # fmt: skip
    values = arm.trajectories_of(blocks)
    # decisions on scores add times of their own
    return arm, values if len(order.times) == len(arm.time_h) else values[:, arm.visit_index]


def _quantity(arm: Arm, values: FloatArray, name: str) -> Values:
    """One quantity in its unit, [times, people]: whole rows of people are what is sorted later."""
    quantity = QUANTITIES[name]
    first, *rest = (values[:, :, arm.outputs.index(part)] for part in quantity.parts)
    total = sum(rest, start=first)
    return np.ascontiguousarray((total * quantity.factor if quantity.factor != 1 else total).T, dtype=np.float32)
