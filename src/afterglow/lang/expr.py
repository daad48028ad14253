"""The expression graph: what an equation is made of.

Nodes are immutable and shared: writing the same thing twice gives the same node. Each node built from user code knows
its unit; nodes made by differentiation or flattening do not need one (`unit is None`).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from afterglow.errors import ModelError, UnitError
from afterglow.lang.units import ONE, Unit, of_factor

Number = int | float
FLAT = 1e-8  # a Hill term with n < 1 has no steeper slope than at this fraction of its half-effect value


class Expr:
    """One node: an operation `op` on `args`; leaves are `const` (with `value`) and `symbol` (see `Symbol`)."""

    __slots__ = ("args", "op", "unit", "value")

    def __init__(self, op: str, args: tuple[Expr, ...] = (), value: float = 0.0, unit: Unit | None = None) -> None:
        self.op = op
        self.args = args
        self.value = value
        self.unit = unit

    def __add__(self, other: Expr | Number) -> Expr:
        return add(self, other)

    def __radd__(self, other: Number) -> Expr:
        return add(other, self)

    def __sub__(self, other: Expr | Number) -> Expr:
        return sub(self, other)

    def __rsub__(self, other: Number) -> Expr:
        return sub(other, self)

    def __mul__(self, other: Expr | Number) -> Expr:
        return mul(self, other)

    def __rmul__(self, other: Number) -> Expr:
        return mul(other, self)

    def __truediv__(self, other: Expr | Number) -> Expr:
        return div(self, other)

    def __rtruediv__(self, other: Number) -> Expr:
        return div(other, self)

    def __pow__(self, other: Expr | Number) -> Expr:
        return power(self, other)

    def __neg__(self) -> Expr:
        return mul(-1.0, self)

    def __gt__(self, other: Expr | Number) -> Expr:
        return _compare("gt", self, other)

    def __lt__(self, other: Expr | Number) -> Expr:
        return _compare("gt", other, self)

    def __bool__(self) -> bool:
        raise ModelError(f"{_place()}: the truth of '{self}' is not known while a model is traced; use where(...)")

    def __str__(self) -> str:
        return show(self)

    __repr__ = __str__


class Symbol(Expr):
    """A leaf with a name and a unit: a state, an input or a parameter."""

    __slots__ = ("name",)

    def __init__(self, name: str, unit: Unit | None) -> None:
        super().__init__("symbol", unit=unit)
        self.name = name


# ---- building nodes ------------------------------------------------------------------------------------------------

_nodes: dict[tuple[object, ...], Expr] = {}


def const(value: float, unit: Unit | None = ONE) -> Expr:
    """A number."""
    return _nodes.setdefault(("const", float(value), unit), Expr("const", value=float(value), unit=unit))


def _node(op: str, *args: Expr, unit: Unit | None = None) -> Expr:
    if op not in ("symbol", "const") and all(a.op == "const" for a in args):
        try:
            return const(EVALUATE[op](*(a.value for a in args)), unit)
        except (ArithmeticError, ValueError, TypeError) as e:
            raise ModelError(f"{_place()}: {op}({', '.join(map(show, args))}) has no value: {e}") from None
    key = (op, *map(id, args), unit)
    found = _nodes.get(key)
    if found is None:
        found = _nodes[key] = Expr(op, args, unit=unit)
    return found


def as_expr(x: Expr | Number) -> Expr:
    """`x` itself, or a number as a node."""
    if isinstance(x, Expr):
        return x
    if isinstance(x, bool) or not isinstance(x, (int, float)):
        raise ModelError(f"{_place()}: {x!r} is neither a number nor an expression")
    if not math.isfinite(x):
        raise ModelError(f"{_place()}: {x!r} is not a finite number")
    return const(x)


def is_const(x: Expr, value: float) -> bool:
    """Whether `x` is the number `value`."""
    return x.op == "const" and x.value == value


def _joint(what: str, a: Expr, b: Expr) -> Unit | None:
    """The common unit of two things that are added or compared; a literal zero fits any unit."""
    if a.unit is None or b.unit is None:
        return None
    if is_const(a, 0.0):
        return b.unit
    if is_const(b, 0.0) or a.unit.same(b.unit):
        return a.unit
    if a.unit.dims == b.unit.dims:
        factor = a.unit.factor_to(b.unit)
        why = f"same dimension, but their scales differ by a factor {factor:g}; convert one: to({show(a)}, '{b.unit}')"
    else:
        why = (
            f"{a.unit.dimension} against {b.unit.dimension}; multiply one by a parameter that carries the missing unit"
        )
    raise UnitError(f"{_place()}: cannot {what} '{show(a)}' [{a.unit}] and '{show(b)}' [{b.unit}]: {why}")


def _pure(what: str, x: Expr) -> None:
    if x.unit is not None and not x.unit.pure:
        raise UnitError(
            f"{_place()}: {what} needs a pure number, but '{show(x)}' is in [{x.unit}]; divide it by a reference value"
        )


def add(a: Expr | Number, b: Expr | Number) -> Expr:
    """a + b, same unit and scale."""
    a, b = as_expr(a), as_expr(b)
    unit = _joint("add", a, b)
    if is_const(a, 0.0):
        return b
    if is_const(b, 0.0):
        return a
    return _node("add", a, b, unit=unit)


def sub(a: Expr | Number, b: Expr | Number) -> Expr:
    """a - b, same unit and scale."""
    a, b = as_expr(a), as_expr(b)
    unit = _joint("subtract", a, b)
    if is_const(b, 0.0):
        return a
    if is_const(a, 0.0):
        return mul(-1.0, b)
    if a is b:
        return const(0.0, unit)
    return _node("sub", a, b, unit=unit)


def mul(a: Expr | Number, b: Expr | Number) -> Expr:
    """a * b."""
    a, b = as_expr(a), as_expr(b)
    unit = None if a.unit is None or b.unit is None else a.unit * b.unit
    if is_const(a, 0.0) or is_const(b, 0.0):
        return const(0.0, unit)
    if is_const(a, 1.0) and (a.unit is None or a.unit.pure):
        return b
    if is_const(b, 1.0) and (b.unit is None or b.unit.pure):
        return a
    return _node("mul", a, b, unit=unit)


def div(a: Expr | Number, b: Expr | Number) -> Expr:
    """a / b."""
    a, b = as_expr(a), as_expr(b)
    if is_const(b, 0.0):
        raise ModelError(f"{_place()}: '{show(a)}' is divided by zero")
    unit = None if a.unit is None or b.unit is None else a.unit / b.unit
    if is_const(a, 0.0):
        return const(0.0, unit)
    if is_const(b, 1.0) and (b.unit is None or b.unit.pure):
        return a
    return _node("div", a, b, unit=unit)


def power(a: Expr | Number, n: Expr | Number) -> Expr:
    """a ** n; the exponent is a pure number, and a plain one where `a` has a unit."""
    a, n = as_expr(a), as_expr(n)
    _pure("an exponent", n)
    if a.unit is None:
        unit = None
    elif a.unit.pure:
        unit = ONE
    elif n.op == "const":
        unit = a.unit**n.value
    else:
        raise UnitError(f"{_place()}: '{show(a)}' is in [{a.unit}]: its exponent '{show(n)}' must be a plain number")
    if is_const(n, 1.0):
        return a
    if is_const(n, 0.0):
        return const(1.0, unit)
    return _node("pow", a, n, unit=unit)


def _compare(op: str, a: Expr | Number, b: Expr | Number) -> Expr:
    a, b = as_expr(a), as_expr(b)
    _joint("compare", a, b)
    return _node(op, a, b, unit=ONE)


def _function(op: str) -> Callable[[Expr | Number], Expr]:
    def build(x: Expr | Number) -> Expr:
        x = as_expr(x)
        _pure(f"{op}()", x)
        return _node(op, x, unit=None if x.unit is None else ONE)

    build.__name__ = build.__qualname__ = op
    build.__doc__ = f"{op}(x) of a pure number."
    return build


exp, log, tanh = _function("exp"), _function("log"), _function("tanh")


def sqrt(x: Expr | Number) -> Expr:
    """Square root; halves the unit's powers."""
    return power(x, 0.5)


def maximum(a: Expr | Number, b: Expr | Number) -> Expr:
    """The larger of two, same unit."""
    a, b = as_expr(a), as_expr(b)
    return _node("max", a, b, unit=_joint("compare", a, b))


def minimum(a: Expr | Number, b: Expr | Number) -> Expr:
    """The smaller of two, same unit."""
    a, b = as_expr(a), as_expr(b)
    return _node("min", a, b, unit=_joint("compare", a, b))


def where(condition: Expr, yes: Expr | Number, no: Expr | Number) -> Expr:
    """`yes` where the condition (a comparison) holds, else `no`; same unit."""
    yes, no = as_expr(yes), as_expr(no)
    unit = _joint("choose between", yes, no)
    if condition.op == "const":
        return yes if condition.value else no
    return _node("where", condition, yes, no, unit=unit)


def hill(x: Expr | Number, half: Expr | Number, n: Expr | Number = 1.0) -> Expr:
    """x^n / (half^n + x^n), 0 where x <= 0. A primitive, so that it and its derivatives are right at zero.

    `x` and `half` share a unit, `n` is a pure number or parameter. For n < 1, where the slope at zero is infinite, the
    derivative is that at x = FLAT * half or above, so that a solver can start from zero.
    Source: Hill AV (1910) J Physiol 40(suppl):iv-vii.
    """
    x, half, n = as_expr(x), as_expr(half), as_expr(n)
    _joint("compare", x, half)
    _pure("a Hill exponent", n)
    if x.op == "const" and x.value <= 0.0:
        return const(0.0, None if x.unit is None else ONE)
    return _node("hill", x, half, n, unit=None if x.unit is None else ONE)


def to(x: Expr, unit: str) -> Expr:
    """`x` expressed in another unit of the same dimension; the factor becomes part of the expression."""
    target = Unit.parse(unit)
    if x.unit is None:
        raise ModelError(f"{_place()}: '{show(x)}' has no unit to convert from")
    try:
        factor = x.unit.factor_to(target)
    except UnitError as e:
        raise UnitError(f"{_place()}: '{show(x)}': {e}") from None
    return rescale(x, factor, target)


def rescale(x: Expr, factor: float, unit: Unit | None) -> Expr:
    """`x` times a conversion factor, carrying `unit`."""
    if factor == 1.0 and (x.unit is None or unit is None or x.unit == unit):
        return x
    return _node("mul", const(factor, None if unit is None else of_factor(factor)), x, unit=unit)


# ---- numbers -------------------------------------------------------------------------------------------------------


def _hill(x: float, k: float, n: float) -> float:
    r = max(x, 0.0) / k
    return r**n / (1.0 + r**n) if r <= 1.0 else 1.0 / (1.0 + r**-n)


def _hill_dx(x: float, k: float, n: float) -> float:
    if x < 0.0:
        return 0.0
    if n < 1.0:
        x = max(x, FLAT * k)
    if x == 0.0:
        return 1.0 / k if n == 1.0 else 0.0
    return n * _hill(x, k, n) * _hill(k, x, n) / x


def _hill_dn(x: float, k: float, n: float) -> float:
    if x <= 0.0:
        return 0.0
    return _hill(x, k, n) * _hill(k, x, n) * math.log(x / k)


EVALUATE: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "exp": math.exp,
    "log": math.log,
    "tanh": math.tanh,
    "max": max,
    "min": min,
    "gt": lambda a, b: float(a > b),
    "where": lambda c, a, b: a if c else b,
    "hill": _hill,
    "hill_dx": _hill_dx,
    "hill_dn": _hill_dn,
}


def order(roots: Iterable[Expr]) -> list[Expr]:
    """All nodes below `roots`, each after its arguments."""
    seen: set[int] = set()
    out: list[Expr] = []
    stack = [(r, False) for r in roots]
    stack.reverse()
    while stack:
        node, ready = stack.pop()
        if ready:
            out.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args) if id(a) not in seen)
    return out


def evaluate(roots: Iterable[Expr], values: Mapping[Expr, float]) -> list[float]:
    """The numbers that `roots` have when every symbol has the value given in `values`."""
    roots = list(roots)
    known: dict[int, float] = {}
    for node in order(roots):
        if node.op == "symbol":
            known[id(node)] = values[node]
        elif node.op == "const":
            known[id(node)] = node.value
        else:
            known[id(node)] = EVALUATE[node.op](*(known[id(a)] for a in node.args))
    return [known[id(r)] for r in roots]


def substitute(roots: Iterable[Expr], replace: Mapping[Expr, Expr]) -> list[Expr]:
    """`roots` with symbols replaced, without units (they have been checked when the equations were written).

    Numbers that convert between two scales keep theirs: whoever prints the equations with units needs it.
    """
    roots = list(roots)
    done: dict[int, Expr] = {}
    for node in order(roots):
        if node.op == "symbol":
            done[id(node)] = replace.get(node, node)
        elif node.op == "const":
            done[id(node)] = const(node.value, node.unit if node.unit is not None and node.unit.converts else None)
        else:
            done[id(node)] = rebuild(node.op, tuple(done[id(a)] for a in node.args))
    return [done[id(r)] for r in roots]


def rebuild(op: str, args: tuple[Expr, ...]) -> Expr:
    """The node `op(args)`, simplified, without unit checks when the arguments carry none."""
    builders: dict[str, Callable[..., Expr]] = {
        "add": add,
        "sub": sub,
        "mul": mul,
        "div": div,
        "pow": power,
        "where": where,
        "hill": hill,
    }
    if op in builders:
        return builders[op](*args)
    return _node(op, *args)


# ---- showing -------------------------------------------------------------------------------------------------------

_INFIX = {"add": (" + ", 1), "sub": (" - ", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("^", 4), "gt": (" > ", 0)}


def show(x: Expr, names: Mapping[Expr, str] | None = None, top: bool = True) -> str:
    """The expression as one line of plain text. `names` gives nodes that are shown by name."""
    return _show(x, names or {}, 0, top)


def _show(x: Expr, names: Mapping[Expr, str], level: int, top: bool) -> str:
    if not top and x in names:
        return names[x]
    if isinstance(x, Symbol):
        return names.get(x, x.name)
    if x.op == "const":
        return f"{x.value:.10g}" if x.value >= 0 or level == 0 else f"({x.value:.10g})"
    if x.op == "mul" and is_const(x.args[0], -1.0):
        text, mine = "-" + _show(x.args[1], names, 3, False), 1
        return f"({text})" if level > mine else text
    if x.op in _INFIX:
        sign, mine = _INFIX[x.op]
        left = _show(x.args[0], names, mine + (x.op == "pow"), False)
        right = _show(x.args[1], names, mine + (x.op in ("sub", "div")), False)
        text = f"{left}{sign}{right}"
        return f"({text})" if mine < level else text
    inner = ", ".join(_show(a, names, 0, False) for a in x.args)
    return f"{x.op}({inner})"


def _place() -> str:
    """File and line of the nearest caller outside the language."""
    here = Path(__file__).parent
    frame = sys._getframe(1)
    while frame.f_back is not None and Path(frame.f_code.co_filename).parent == here:
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno}"
