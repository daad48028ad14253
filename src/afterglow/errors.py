"""All exceptions of afterglow.

AfterglowError
  InputError       bad input of a user: a list of faults, each with place, value and remedy (exit code 2)
  ModelError       a system or the wiring between systems is wrong
    UnitError      a sum, a wire or an equation mixes units
  EngineError      the engine was called with arrays that do not fit
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class AfterglowError(Exception):
    """Base of every exception that afterglow raises on purpose."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with an input.

    `place` is a file and line, an option or a path inside a document; `problem` names the value; `remedy` says what to
    do.
    """

    place: str
    problem: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}" + (f" ({self.remedy})" if self.remedy else "")


class InputError(AfterglowError):
    """Bad input: all faults at once."""

    def __init__(self, faults: Iterable[Fault] | Fault) -> None:
        self.faults = [faults] if isinstance(faults, Fault) else list(faults)
        super().__init__("\n".join(map(str, self.faults)))

    def __reduce__(self) -> tuple[type[InputError], tuple[list[Fault]]]:
        """Pickled by its faults, from which it makes its message again."""
        return type(self), (self.faults,)


class ModelError(AfterglowError):
    """A system or the wiring between systems is wrong."""


class UnitError(ModelError):
    """Two things with different units, or different scales of one unit, are added, wired or equated."""


class EngineError(AfterglowError):
    """The engine was called with arrays that do not fit each other or the model."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A remedy naming the nearest valid name, or listing all of them when none is near."""
    from difflib import get_close_matches

    known = sorted(known)
    near = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean '{near[0]}'?" if near else "one of: " + ", ".join(known)
