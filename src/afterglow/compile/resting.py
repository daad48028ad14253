"""Leave out of a program what a treatment never moves.

A drug that nobody is given stays at zero, and so does all that it alone drives. Such states need not be stepped: with
their initial values put into the other equations, the rest of the program is the same model with fewer states. This is
algebra, not approximation: a state rests only where its right-hand side simplifies to exactly zero.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from afterglow.compile.program import Program
from afterglow.lang.expr import Expr, const, is_const, substitute


def still_slots(program: Program) -> list[int]:
    """Slots that nothing but a treatment or a person's data ever changes: open inputs and rates of infusion."""
    names = [*program.model.open_inputs, *(s for s in program.slots if s.startswith("rate:"))]
    return [program.slot[n] for n in names]


def without_resting(program: Program, slots: Collection[int], states: Collection[int]) -> Program:
    """The program without the states that rest as long as only these are moved.

    Args:
        program: the whole.
        slots: numbers of the slots that may differ from their defaults; all others of `still_slots` keep them.
        states: numbers of the states that may be acted upon, or have left their initial values.

    Returns:
        A program with the same slots and outputs and the remaining states, in the same order.
    """
    closed: dict[Expr, Expr] = {
        program.p[k]: const(program.defaults[k], None) for k in still_slots(program) if k not in slots
    }
    init = substitute(program.init, closed)
    resting = set(range(len(program.y))) - set(states)
    while True:
        known = closed | {program.y[i]: init[i] for i in resting}
        rhs = substitute(program.rhs, known)
        moving = {i for i in resting if not is_const(rhs[i], 0.0)}
        if not moving:
            break
        resting -= moving
    live = [i for i in range(len(program.y)) if i not in resting] or [0]  # code that steps needs something to step
    return replace(
        program,
        states=tuple(program.states[i] for i in live),
        sizes=tuple(program.sizes[i] for i in live),
        y=tuple(program.y[i] for i in live),
        rhs=tuple(rhs[i] for i in live),
        init=tuple(init[i] for i in live),
        values=tuple(substitute(program.values, known)),
    )
