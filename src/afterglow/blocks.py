"""Who goes through a course together, and what a trial may do to them on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.ledger import Given, Ledger
from afterglow.clinic.relief import Own

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.course import Course
    from afterglow.clinic.regimen import Administration
    from afterglow.simulate import Arm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ScoresByScale = Mapping[str, FloatArray]
LATER_SESSION = 10_000  # sessions of a course that takes the place of another are numbered from here


@dataclass(frozen=True, eq=False)
class Block:
    """People who go through a course beside others: who they are, their luck, and the numbers they live by.

    Attributes:
        people: one row each, a multiple of LANES rows.
        who: numbers of patients that key their luck.
        keep: places in `who` of these people; None for all.
        replicate: replicate whose luck it is.
        typical: parameter values that replace the fitted ones, by full name.
        noise: numbers of the measurement that replace the fitted ones (`clinic.scale.measure`).
        own: effects of a trial of its own on relief without and by the drug, log scale.
        error: errors of the raters at these times (h), MADRS points, [people, times].
        luck: standard normal numbers of everybody by purpose, in place of those of the streams.
    """

    people: pd.DataFrame
    who: range
    keep: IntArray | None = None
    replicate: int = 0
    typical: Mapping[str, float | FloatArray] | None = None
    noise: Mapping[str, float] = field(default_factory=dict)
    own: Own = (0.0, 0.0)
    error: Callable[[FloatArray], FloatArray] | None = None
    luck: Mapping[str, FloatArray] | None = None


class Conduct(Protocol):
    """What happens to people in a trial besides their course: rescue, the end of treatment, missed sessions."""

    times_h: Sequence[float]

    def missed(self, session: int, time_h: float) -> BoolArray | None:
        """Who misses a session that begins at this hour [people]; None for nobody."""
        ...

    def at(self, time_h: float, scores: ScoresByScale, baseline: ScoresByScale, doing: Doing) -> None:
        """Act at one of `times_h` on the scores measured then, through `doing`."""
        ...


class Doing:
    """What a `Conduct` may do to some people of an arm."""

    def __init__(self, arm: Arm, ledger: Ledger) -> None:
        """Of this arm, whose sessions the ledger keeps; `values` are the outputs so far, NaN for what is to come."""
        self.arm, self.ledger = arm, ledger
        self.values = np.empty((0, 0, 0))

    def end(self, who: IntArray) -> None:
        """No further sessions of their course."""
        self.ledger.stop(who)

    def give(self, who: IntArray, intakes: tuple[Administration, ...], reason: str) -> None:
        """One more session."""
        if len(who):
            self.arm.session(Given(who, intakes, reason))

    def begin(self, who: IntArray, course: Course, time_h: float, reason: str) -> None:
        """Their course ends and another one begins; `reason` goes into the table of doses."""
        self.ledger.stop(who)
        arm = self.arm
        weeks = (arm.horizon - time_h) / 168.0
        if not len(who) or weeks <= 0:
            return
        regimen = course.regimen(weeks)
        sessions: dict[int, list[Administration]] = {}
        for one in regimen.administrations:
            later = replace(one, time_h=one.time_h + time_h)
            if one.session is None:
                arm.give(who, later, reason)
            else:
                sessions.setdefault(one.session, []).append(replace(later, session=LATER_SESSION + one.session))
        for intakes in sessions.values():
            arm.session(Given(who, tuple(intakes), reason))
        for signal in regimen.signals:
            if not signal.name.endswith("_session"):
                arm.signal(who, replace(signal, time_h=signal.time_h + time_h))
