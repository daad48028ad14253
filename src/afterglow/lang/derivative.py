"""Derivatives of expressions, node by node."""

from __future__ import annotations

from collections.abc import Mapping

from afterglow.errors import ModelError
from afterglow.lang.expr import Expr, _node, add, const, div, is_const, mul, order, power, sub, substitute, where


def differentiate(root: Expr, symbol: Expr, memo: dict[int, Expr] | None = None) -> Expr:
    """d root / d symbol, simplified. `memo` may be shared between calls with the same symbol."""
    memo = {} if memo is None else memo
    zero, one = const(0.0, None), const(1.0, None)
    for node in order([root]):
        if id(node) in memo:
            continue
        if node is symbol:
            memo[id(node)] = one
            continue
        if node.op in ("where", "max", "min"):
            memo[id(node)] = _chosen(node, memo)
            continue
        total = zero
        for k, a in enumerate(node.args):
            inner = memo[id(a)]
            if not is_const(inner, 0.0):
                total = add(total, mul(_partial(node, k), inner))
        memo[id(node)] = total
    return memo[id(root)]


def _chosen(node: Expr, memo: Mapping[int, Expr]) -> Expr:
    """The derivative of a choice: chosen among the derivatives, so that what is not chosen cannot spoil it."""
    a, b = node.args[-2:]
    da, db = memo[id(a)], memo[id(b)]
    if da is db:
        return da
    if node.op == "where":
        return where(strip(node.args[0]), da, db)
    high, low = (a, b) if node.op == "max" else (b, a)
    return where(_node("gt", strip(high), strip(low)), da, db)


def _partial(node: Expr, k: int) -> Expr:
    """The derivative of a node with respect to its k-th argument."""
    a = tuple(strip(x) for x in node.args)
    me = strip(node)
    one, zero = const(1.0, None), const(0.0, None)
    match node.op, k:
        case "add", _:
            return one
        case "sub", _:
            return one if k == 0 else const(-1.0, None)
        case "mul", _:
            return a[1 - k]
        case "div", 0:
            return div(one, a[1])
        case "div", _:
            return mul(const(-1.0, None), div(me, a[1]))
        case "pow", 0:
            return mul(a[1], power(a[0], sub(a[1], one)))
        case "pow", _:
            return mul(me, _node("log", a[0]))
        case "exp", _:
            return me
        case "log", _:
            return div(one, a[0])
        case "tanh", _:
            return sub(one, mul(me, me))
        case "gt", _:
            return zero
        case "hill", 0:
            return _node("hill_dx", *a)
        case "hill", 1:  # hill depends on x / half, so d/dhalf = -(x / half) d/dx
            return mul(const(-1.0, None), mul(div(a[0], a[1]), _node("hill_dx", *a)))
        case "hill", _:
            return _node("hill_dn", *a)
    raise ModelError(f"no derivative of '{node.op}' for its argument {k + 1}")


_stripped: dict[int, tuple[Expr, Expr]] = {}


def strip(root: Expr) -> Expr:
    """The same expression without units (symbols keep theirs)."""
    found = _stripped.get(id(root))
    if found is None or found[0] is not root:
        found = _stripped[id(root)] = (root, substitute([root], {})[0])
    return found[1]
