"""Spell a Hill term out in arithmetic, so that the term and its slopes share their parts.

    hill(x, k, n)    = u g                       v = max(x, 0) / k,  u = v^n,  g = 1 / (1 + u)
    d hill / d x     = n / k  v^(n-1)  g^2       0 where x < 0; for n < 1 not nearer to zero than v = FLAT

A right-hand side and its Jacobian written together then need one division for each Hill term instead of four.
"""

from __future__ import annotations

from collections.abc import Sequence

from afterglow.lang.expr import FLAT, Expr, add, const, div, mul, order, power, rebuild, sub, where


def spelled_out(roots: Sequence[Expr]) -> list[Expr]:
    """Expressions equal to `roots` without `hill` and `hill_dx`; units are dropped."""
    done: dict[int, Expr] = {}
    for node in order(roots):
        args = tuple(done[id(a)] for a in node.args)
        match node.op:
            case "symbol":
                done[id(node)] = node
            case "const":
                done[id(node)] = const(node.value, None)
            case "hill":
                u = power(_ratio(args[0], args[1]), args[2])
                done[id(node)] = mul(u, _rest(u))
            case "hill_dx":
                done[id(node)] = _slope(*args)
            case _:
                done[id(node)] = rebuild(node.op, args)
    return [done[id(r)] for r in roots]


def _number(x: float) -> Expr:
    return const(x, None)


def _ratio(x: Expr, half: Expr) -> Expr:
    return div(rebuild("max", (x, _number(0.0))), half)


def _rest(u: Expr) -> Expr:
    return div(_number(1.0), add(_number(1.0), u))


def _slope(x: Expr, half: Expr, n: Expr) -> Expr:
    v = _ratio(x, half)
    if n.op != "const":
        v = where(rebuild("gt", (_number(1.0), n)), rebuild("max", (v, _number(FLAT))), v)
    elif n.value < 1.0:
        v = rebuild("max", (v, _number(FLAT)))
    g = _rest(power(v, n))
    steep = mul(div(n, half), mul(power(v, sub(n, _number(1.0))), mul(g, g)))
    return where(rebuild("gt", (_number(0.0), x)), _number(0.0), steep)
