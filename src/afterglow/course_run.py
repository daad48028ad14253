"""What a simulated arm gives: trajectories, scores, doses, status."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import scale
from afterglow.clinic.course import Course

if TYPE_CHECKING:
    import pandas as pd

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
    doses: pd.DataFrame
    status: IntArray
    problems: list[str] = field(default_factory=list)

    @property
    def visit_h(self) -> FloatArray:
        """Times of the visits, h."""
        return self.time_h[self.visit_index]
