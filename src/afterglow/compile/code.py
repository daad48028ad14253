"""What the printers of running code share: how a program is laid out for stepping, and the code that comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Any

from afterglow.compile.lower import spelled_out
from afterglow.compile.program import Program, hoisted, tidy
from afterglow.errors import ModelError
from afterglow.lang.expr import Expr

Place = tuple[int, int]


@dataclass(frozen=True)
class Code:
    """Code to be: its text (LLVM IR or CUDA C++), written when it is asked for, and the sizes of its work arrays.

    `key` names the code: the same key, the same text. `names` and `slot_names` are the states and slots.
    """

    emit: Callable[[], Code] | str
    key: str
    hash: str
    names: tuple[str, ...]
    slot_names: tuple[str, ...]
    states: int
    slots: int
    outputs: int
    prepared: int
    factors: int

    @property
    def text(self) -> str:
        """The code itself."""
        return self.emit if isinstance(self.emit, str) else self.emit().text

    def __reduce__(self) -> tuple[Any, ...]:
        return Code, (self.text, *(getattr(self, f.name) for f in fields(self)[1:]))

    def measures(self) -> dict[str, Any]:
        """All but the code itself, as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("emit", "key")}


@dataclass(frozen=True)
class Layout:
    """A program made ready for stepping.

    Attributes:
        rhs, jacobian, values: right-hand sides, entries of the Jacobian, outputs.
        once: what depends on the parameter slots alone.
        sequence: in which order the states are eliminated.
        place: where each entry of the factors lies, fill-in included.
    """

    program: Program
    rhs: list[Expr]
    jacobian: dict[Place, Expr]
    values: list[Expr]
    once: list[Expr]
    sequence: list[int]
    place: dict[Place, int]

    @property
    def counted(self) -> int:
        """States in the norm of the error: all of the model, also those that a part leaves at rest."""
        return max(len(self.rhs), len(self.program.model.states))

    def code(self, text: str) -> Code:
        """Text written from this layout, as code."""
        p, key = self.program, hashlib.sha256(text.encode()).hexdigest()[:32]
        sizes = len(self.rhs), len(p.p), len(self.values), len(self.once), len(self.place)
        return Code(text, key, p.hash, p.states, p.slots, *sizes)


def laid_out(program: Program) -> Layout:
    """The layout of a program; ModelError where there is nothing to step."""
    fixed: set[Expr] = set(program.p)
    entries = program.jacobian
    pieces = tidy(spelled_out([*program.rhs, *entries.values(), *program.values]), fixed)
    n, nj = len(program.rhs), len(entries)
    if n == 0:
        raise ModelError("a model without states cannot be stepped: give it one")
    sequence, pattern = elimination(n, entries)
    rank = {k: r for r, k in enumerate(sequence)}
    place = {ij: k for k, ij in enumerate(sorted(pattern, key=lambda t: (rank[t[0]], rank[t[1]])))}
    jacobian = dict(zip(entries, pieces[n : n + nj], strict=True))
    return Layout(program, pieces[:n], jacobian, pieces[n + nj :], hoisted(pieces, fixed), sequence, place)


def elimination(n: int, entries: Iterable[tuple[int, int]]) -> tuple[list[int], set[tuple[int, int]]]:
    """Minimum-degree elimination order of a sparse matrix and its pattern with fill-in."""
    pattern = set(entries) | {(i, i) for i in range(n)}
    rows = {i: {j for a, j in pattern if a == i} for i in range(n)}
    columns = {j: {i for i, a in pattern if a == j} for j in range(n)}
    rest, sequence = set(range(n)), []
    while rest:
        k = min(rest, key=lambda q: ((len(columns[q] & rest) - 1) * (len(rows[q] & rest) - 1), q))
        rest.discard(k)
        sequence.append(k)
        for i in columns[k] & rest:
            for j in rows[k] & rest:
                rows[i].add(j)
                columns[j].add(i)
    return sequence, {(i, j) for i in range(n) for j in rows[i]}
