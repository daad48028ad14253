"""What a simulated arm gives: trajectories, scores, doses, status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import scale
from afterglow.clinic.course import Course

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.regimen import Administration

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class ByScale(Mapping[str, FloatArray]):
    """Scores [patients, visits] by scale; each is worked out when it is first asked for."""

    def __init__(self, make: Callable[[str], FloatArray]) -> None:
        self._make = make
        self._made: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._made:
            if name not in scale.names():
                raise KeyError(name)
            self._made[name] = self._make(name)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(scale.names())

    def __len__(self) -> int:
        return len(scale.names())


@dataclass(frozen=True)
class CourseRun:
    """One arm: trajectories [patients, times] and scores [patients, visits]; see docs/architecture.md."""

    arm: str
    course: Course
    population: pd.DataFrame
    time_h: FloatArray
    visit: list[str]
    visit_index: IntArray
    values: dict[str, NDArray[np.float32]]
    measured: Mapping[str, FloatArray]
    true: Mapping[str, FloatArray]
    make_doses: Callable[[], pd.DataFrame]
    status: IntArray
    problems: list[str] = field(default_factory=list)

    @property
    def visit_h(self) -> FloatArray:
        """Times of the visits, h."""
        return self.time_h[self.visit_index]

    @cached_property
    def doses(self) -> pd.DataFrame:
        """Intakes of the treatment sessions, sorted by patient and time; made when first asked for."""
        return self.make_doses()


def dose_table(given: Sequence[tuple[IntArray, Administration, FloatArray, str]], numbers: range) -> pd.DataFrame:
    """Intakes of the treatment sessions of the patients at these places, numbered from 0, by patient and time.

    Args:
        given: who, what, mg for each, and why.
        numbers: places of the patients wanted.
    """
    import pandas as pd

    columns = ["patient", "time_h", "drug", "route", "mg", "session", "reason"]
    sessions = [one for one in given if one[1].session is not None]
    if not sessions:
        return pd.DataFrame(columns=pd.Index(columns))
    counts = [len(who) for who, _, _, _ in sessions]
    who, mg = np.concatenate([one[0] for one in sessions]), np.concatenate([one[2] for one in sessions])
    shared = [[one.time_h, one.drug, one.route, one.session, reason] for _, one, _, reason in sessions]
    time_h, drug, route, session, reason = (np.repeat(column, counts) for column in zip(*shared, strict=True))
    order = np.lexsort((drug, time_h, who))
    order = order[(who[order] >= numbers.start) & (who[order] < numbers.stop)]
    made = dict(zip(columns, (who - numbers.start, time_h, drug, route, mg, session, reason), strict=True))
    return pd.DataFrame({name: column[order] for name, column in made.items()})
