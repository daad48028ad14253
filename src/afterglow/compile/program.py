"""From a flat model to a program: numbered slots, right-hand sides, a sparse Jacobian and what can be computed once.

Slots of the parameter vector `p` are, in this order: parameters, open inputs, and one infusion rate for each state that
a route or an infusion can reach. Everything that depends on `p` alone is hoisted: it is computed when `p` changes, not
at every step of the solver.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from afterglow.lang import differentiate
from afterglow.lang.expr import Expr, Symbol, const, div, is_const, mul, order, rebuild, substitute
from afterglow.lang.model import FlatModel


@dataclass(frozen=True)
class Program:
    """A model in numbered form; expressions are made of `y` (states) and `p` (parameter slots) symbols."""

    model: FlatModel
    states: tuple[str, ...]
    slots: tuple[str, ...]
    defaults: tuple[float, ...]
    sizes: tuple[float, ...]
    outputs: tuple[str, ...]
    y: tuple[Symbol, ...]
    p: tuple[Symbol, ...]
    rhs: tuple[Expr, ...]
    init: tuple[Expr, ...]
    values: tuple[Expr, ...]

    @cached_property
    def slot(self) -> dict[str, int]:
        """Number of a parameter slot by name."""
        return {n: i for i, n in enumerate(self.slots)}

    @cached_property
    def state(self) -> dict[str, int]:
        """Number of a state by name."""
        return {n: i for i, n in enumerate(self.states)}

    @cached_property
    def output(self) -> dict[str, int]:
        """Number of an output by name."""
        return {n: i for i, n in enumerate(self.outputs)}

    @cached_property
    def jacobian(self) -> dict[tuple[int, int], Expr]:
        """Non-zero entries d rhs_i / d y_j."""
        number = {s: j for j, s in enumerate(self.y)}
        memos: list[dict[int, Expr]] = [{} for _ in self.y]
        out: dict[tuple[int, int], Expr] = {}
        for i, f in enumerate(self.rhs):
            for j in sorted(number[n] for n in order([f]) if isinstance(n, Symbol) and n in number):
                d = differentiate(f, self.y[j], memos[j])
                if not is_const(d, 0.0):
                    out[i, j] = d
        return out

    @cached_property
    def hash(self) -> str:
        """Fingerprint of the equations (not of the parameter values)."""
        roots = (*self.rhs, *self.init, *self.values)
        number = {id(n): str(k) for k, n in enumerate(order(roots))}
        lines = [*self.states, *self.slots, *self.outputs]
        for n in order(roots):  # node by node: written out, shared parts would make the text explode
            leaf = n.name if isinstance(n, Symbol) else repr(n.value) if n.op == "const" else ""
            lines.append(" ".join([n.op, leaf, *(number[id(a)] for a in n.args)]))
        lines += [number[id(r)] for r in roots]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def program(model: FlatModel) -> Program:
    """Number a flat model's states and parameters and add an infusion rate to every state that doses can reach.

    Exponents that are the same in everybody become numbers: a power with a known exponent is a few multiplications, one
    with a parameter costs as much as the rest of an equation. Such a parameter has no slot; change it by compiling
    another model.
    """
    exponents = _shared_exponents(model)
    known: dict[Expr, Expr] = {model.params[name]: const(model.values[name], None) for name in exponents}
    params = {name: p for name, p in model.params.items() if name not in exponents}
    reached = sorted({state for r in model.routes.values() for state, _, _ in r.into})
    rates = {name: Symbol(f"rate:{name}", None) for name in reached}
    dots = substitute(model.dots.values(), known)
    rhs = [rebuild("add", (f, rates[n])) if n in rates else f for n, f in zip(model.states, dots, strict=True)]
    return Program(
        model=model,
        states=tuple(model.states),
        slots=(*params, *model.open_inputs, *(f"rate:{n}" for n in reached)),
        defaults=(
            *(model.values[n] for n in params),
            *(0.0 if i.default is None else i.default for i in model.open_inputs.values()),
            *(0.0 for _ in reached),
        ),
        sizes=tuple(s.size for s in model.states.values()),
        outputs=tuple(model.outputs),
        y=tuple(model.states.values()),
        p=(*params.values(), *model.open_inputs.values(), *rates.values()),
        rhs=tuple(rhs),
        init=tuple(substitute(model.inits.values(), known)),
        values=tuple(substitute(model.outputs.values(), known)),
    )


def _shared_exponents(model: FlatModel) -> set[str]:
    """Parameters without spread that occur as exponents and nowhere else, not in routes either."""
    names: dict[Expr, str] = {p: n for n, p in model.params.items() if p.spread is None and p.source != "fitted"}
    exponents: set[Expr] = set()
    others: set[Expr] = set()
    for node in order([*model.dots.values(), *model.inits.values(), *model.outputs.values()]):
        for k, a in enumerate(node.args):
            is_exponent = (node.op, k) in (("hill", 2), ("pow", 1))
            (exponents if is_exponent else others).update({a} & names.keys())
    for route in model.routes.values():
        parts = [e for _, fraction, over in route.into for e in (fraction, over) if e is not None]
        others.update(order([*parts, *([route.lag] if route.lag is not None else [])]))
    return {names[e] for e in exponents - others}


def tidy(roots: list[Expr], fixed: set[Expr]) -> list[Expr]:
    """Rewrite products so that factors made of `fixed` symbols alone come together and no division by them is left.

    Returns expressions equal to `roots`; afterwards the hoisted parts are maximal.
    """
    free_of_state: dict[int, bool] = {}
    done: dict[int, Expr] = {}

    def still(x: Expr) -> bool:
        known = free_of_state.get(id(x))
        if known is None:
            known = x in fixed if isinstance(x, Symbol) else all(map(still, x.args))
            free_of_state[id(x)] = known
        return known

    def factors(x: Expr, sign: int, out: list[tuple[Expr, int]]) -> None:
        if x.op == "mul" and not still(x):
            factors(x.args[0], sign, out)
            factors(x.args[1], sign, out)
        elif x.op == "div" and not still(x) and sign > 0:
            factors(x.args[0], sign, out)
            out.append((x.args[1], -sign))
        else:
            out.append((x, sign))

    for node in order(roots):
        if not node.args or still(node):
            done[id(node)] = node
        elif node.op in ("mul", "div"):
            parts: list[tuple[Expr, int]] = []
            factors(node, 1, parts)
            steady, moving = const(1.0, None), None
            below = None
            for x, sign in parts:
                x = done.get(id(x), x)
                if still(x):
                    steady = mul(steady, x) if sign > 0 else div(steady, x)
                elif sign > 0:
                    moving = x if moving is None else mul(moving, x)
                else:
                    below = x if below is None else mul(below, x)
            top = steady if moving is None else mul(steady, moving)
            done[id(node)] = top if below is None else div(top, below)
            free_of_state[id(done[id(node)])] = False
        else:
            done[id(node)] = rebuild(node.op, tuple(done[id(a)] for a in node.args))
    return [done[id(r)] for r in roots]


def hoisted(roots: list[Expr], fixed: set[Expr]) -> list[Expr]:
    """The largest parts of `roots` that depend on `fixed` symbols alone (numbers excluded), in a stable order."""
    nodes = order(roots)
    still = {}
    for n in nodes:
        still[id(n)] = n in fixed if isinstance(n, Symbol) else all(still[id(a)] for a in n.args)
    out: dict[int, Expr] = {}
    for n in nodes:
        if not still[id(n)]:
            out.update({id(a): a for a in n.args if still[id(a)] and a.op != "const"})
    out.update({id(r): r for r in roots if still[id(r)] and r.op != "const"})
    return list(out.values())
