"""Print expressions as a NumPy function: the slow and simple path that judges the fast one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from afterglow.lang.expr import FLAT, Expr, Symbol, order

FloatArray = NDArray[np.float64]

_BINARY = {
    "add": "{} + {}",
    "sub": "{} - {}",
    "mul": "{} * {}",
    "div": "{} / {}",
    "pow": "{} ** {}",
    "gt": "({} > {}) * 1.0",
}
_CALLS = {
    "exp": "np.exp",
    "log": "np.log",
    "tanh": "np.tanh",
    "max": "np.maximum",
    "min": "np.minimum",
    "hill": "_hill",
    "hill_dx": "_hill_dx",
    "hill_dn": "_hill_dn",
}


def _hill(x: FloatArray, k: FloatArray, n: FloatArray) -> FloatArray:
    r = np.maximum(x, 0.0) / k
    low, high = np.minimum(r, 1.0) ** n, np.maximum(r, 1.0) ** -n  # one of them is 1, and neither can overflow
    return low / (low + high)


def _hill_dx(x: FloatArray, k: FloatArray, n: FloatArray) -> FloatArray:
    r = np.maximum(np.maximum(x, 0.0) / k, np.where(n < 1.0, FLAT, 0.0))
    return np.where(x < 0.0, 0.0, n * r ** (n - 1.0) / (k * (1.0 + r**n) ** 2))


def _hill_dn(x: FloatArray, k: FloatArray, n: FloatArray) -> FloatArray:
    inside = np.where(x > 0.0, x, k)
    return np.where(x > 0.0, _hill(inside, k, n) * _hill(k, inside, n) * np.log(inside / k), 0.0)


def numpy_source(name: str, roots: Sequence[Expr], y: Sequence[Symbol], p: Sequence[Symbol]) -> str:
    """Source of `name(y, p)`, which returns a list with the value of each root; rows of `y` and `p` may be arrays."""
    where = {s: f"y[{i}]" for i, s in enumerate(y)} | {s: f"p[{i}]" for i, s in enumerate(p)}
    lines = [f"def {name}(y, p):"]
    said: dict[int, str] = {}
    for node in order(roots):
        if isinstance(node, Symbol):
            said[id(node)] = where[node]
        elif node.op == "const":
            said[id(node)] = repr(node.value)
        else:
            a = [said[id(x)] for x in node.args]
            if node.op in _BINARY:
                text = _BINARY[node.op].format(*a)
            elif node.op == "where":
                text = f"np.where({a[0]} > 0.5, {a[1]}, {a[2]})"
            else:
                text = f"{_CALLS[node.op]}({', '.join(a)})"
            said[id(node)] = f"t{len(lines)}"
            lines.append(f"    {said[id(node)]} = {text}")
    lines.append(f"    return [{', '.join(said[id(r)] for r in roots)}]")
    return "\n".join(lines) + "\n"


def numpy_function(
    roots: Sequence[Expr], y: Sequence[Symbol], p: Sequence[Symbol]
) -> Callable[[FloatArray, FloatArray], list[FloatArray]]:
    """A function (y [n_states, ...], p [n_slots, ...]) -> list of values of `roots`."""
    scope: dict[str, object] = {"np": np, "_hill": _hill, "_hill_dx": _hill_dx, "_hill_dn": _hill_dn}
    exec(compile(numpy_source("f", roots, y, p), "<afterglow equations>", "exec"), scope)
    return scope["f"]  # type: ignore[return-value]
