"""Print a system as plain equations, the way the methods section of a paper has them.

A number that only converts units is marked with the unit that it leads to: `1000[to ug/L]*c`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from afterglow.lang import Expr, Param, Part, Symbol, System, Unit
from afterglow.lang.expr import order

NOTHING, SUM, PRODUCT, POWER, ATOM = 0, 1, 2, 4, 9  # how tightly a piece of text holds together
HOUR = Unit.parse("h")


class Printer:
    """Writes expressions; `names` are the terms that are shown by name. A subclass may write another language."""

    def __init__(self, names: Mapping[Expr, str]) -> None:
        self.names = names

    def say(self, x: Expr, level: int = NOTHING, whole: bool = False) -> str:
        """The expression, in parentheses where it holds together less than `level`; `whole` writes a term out."""
        sign, text, mine = self._signed(x, whole)
        return self._hold((f"-{text}", SUM) if sign < 0 else (text, mine), level)

    def _hold(self, piece: tuple[str, int], level: int) -> str:
        return self.parentheses(piece[0]) if piece[1] < level else piece[0]

    def _signed(self, x: Expr, whole: bool = False) -> tuple[int, str, int]:
        """Sign, the text without it, and how tightly that holds together."""
        if x in self.names and not whole:
            return 1, self.name(self.names[x]), ATOM
        if isinstance(x, Symbol):
            return 1, self.name(x.name), ATOM
        match x.op:
            case "const":
                return (-1 if x.value < 0 else 1), f"{abs(x.value):.10g}", ATOM
            case "add" | "sub":
                return 1, self._sum(x), SUM
            case "mul" | "div":
                return self._product(x)
            case "gt":
                return 1, f"{self.say(x.args[0], SUM)} > {self.say(x.args[1], SUM)}", NOTHING
            case "pow":
                return 1, *self.power(*x.args)
        return 1, *self.call(x.op, x.args)

    def _sum(self, x: Expr) -> str:
        left, right = x.args
        sign, text, mine = self._signed(right)
        minus = (sign < 0) != (x.op == "sub")
        text = self._hold((text, mine), PRODUCT if minus else SUM)
        return f"{self.say(left, SUM)} {'-' if minus else '+'} {text}"

    def _product(self, x: Expr) -> tuple[int, str, int]:
        a, b = x.args
        if a.op == "const" and x.op == "mul":
            sign, text, mine = self._signed(b)
            if _converts(a, b, x):
                return sign, *((text, mine) if a.value == 1.0 else self.conversion(a.value, x.unit, (text, mine)))
            if a.value == -1.0:
                text, mine = (self.parentheses(text), ATOM) if mine < PRODUCT else (text, mine)
                return -sign, text, mine
        if x.op == "div":
            again = a.op == "div" and a not in self.names  # a/b/c is read more easily as a/(b*c)
            sign, text, mine = self._signed(a.args[0] if again else a)
            return sign, *self.quotient((text, mine), [a.args[1], b] if again else [b])
        (s1, left, m1), (s2, right, m2) = self._signed(a), self._signed(b)
        return s1 * s2, self.times(self._hold((left, m1), PRODUCT), self._hold((right, m2), PRODUCT)), PRODUCT

    # -- what another language writes differently; pieces are text and how tightly it holds together
    def name(self, name: str) -> str:
        """A symbol."""
        return name

    def parentheses(self, text: str) -> str:
        """Around `text`."""
        return f"({text})"

    def times(self, left: str, right: str) -> str:
        """A product."""
        return f"{left}*{right}"

    def quotient(self, top: tuple[str, int], below: Sequence[Expr]) -> tuple[str, int]:
        """`top` over the product of `below`."""
        under = "*".join(self.say(b, PRODUCT + 1) for b in below)
        return f"{self._hold(top, PRODUCT)}/{under if len(below) == 1 else f'({under})'}", PRODUCT

    def power(self, base: Expr, n: Expr) -> tuple[str, int]:
        """`base` to the power `n`."""
        if n.op == "const" and n.value == 0.5:
            return f"sqrt({self.say(base)})", ATOM
        return f"{self.say(base, POWER + 1)}^{self.say(n, POWER + 1)}", POWER

    def call(self, op: str, args: Sequence[Expr]) -> tuple[str, int]:
        """A function."""
        said = [self.say(a) for a in args]
        if op == "where":
            return f"[{said[1]} if {said[0]}, else {said[2]}]", ATOM
        return f"{op}({', '.join(said)})", ATOM

    def conversion(self, factor: float, unit: Unit | None, what: tuple[str, int]) -> tuple[str, int]:
        """A factor that only changes the unit."""
        text = self._hold(what, PRODUCT)
        if factor < 1.0 and math.isclose(1 / factor, round(1 / factor), rel_tol=1e-9):
            return f"{text}/{1 / factor:.10g}[to {unit}]", PRODUCT
        return f"{factor:.10g}[to {unit}]*{text}", PRODUCT


def _converts(factor: Expr, x: Expr, product: Expr) -> bool:
    """Whether a product with a number only changes the unit of `x`."""
    a, b = x.unit, product.unit
    return a is not None and b is not None and a.dims == b.dims and a != b and _same(a.scale, factor.value * b.scale)


def _same(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9)


def placed(system: type[System] | Part) -> tuple[type[System], Mapping[str, Param], dict[Expr, str]]:
    """The class, the parameters as they were placed, and the names of intermediate terms."""
    kind = system.system if isinstance(system, Part) else system
    return kind, system.params if isinstance(system, Part) else kind.params, {x: k for k, x in kind.terms.items()}


def spread(p: Param) -> str:
    """How a parameter differs between people, in words."""
    if p.spread is None:
        return ""
    if p.spread.kind == "lognormal":
        return f"CV {100 * math.sqrt(math.exp(p.spread.size**2) - 1):.3g} %"
    return f"SD {p.spread.size:.3g}" + (" on the logit scale" if p.spread.kind == "logitnormal" else f" {p.unit}")


def rate_unit(unit: Unit | None) -> str:
    """The unit of a rate of change."""
    return "" if unit is None else str(unit / HOUR)


def aligned(rows: Iterable[Sequence[str]], most: int = 80) -> list[str]:
    """Rows as columns of text; a cell longer than `most` pushes its row to the right, the last column is free."""
    rows = list(rows)
    if not rows:
        return []
    widths = [max(len(r[k]) for r in rows if len(r[k]) <= most or k == 0) for k in range(len(rows[0]) - 1)]
    widths = [min(w, most) for w in widths]
    return ["  " + "  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[-1]]).rstrip() for r in rows]


def text(system: type[System] | Part, values: Mapping[str, float] | None = None) -> str:
    """A system, or one placed in a model, as plain text; `values` replace declared parameter values."""
    kind, params, names = placed(system)
    say = Printer(names).say
    known = {k: p.value_ for k, p in params.items()} | dict(values or {})
    inputs = ((k, f"[{i.unit}]", i.meaning, i.default) for k, i in kind.inputs.items())
    doses: list[str] = []
    for k, r in kind.routes.items():
        doses.append(f"  {k}: {r.meaning}" + (f"; after {say(r.lag)} h" if r.lag is not None else ""))
        for s, share in r.fractions.items():
            over = f", evenly over {say(r.over[s])} h" if s in r.over else ""
            doses.append(f"    {say(share)} of it into {s.name}{over}")
    table = [(k, f"{known[k]:.6g}", str(p.unit), spread(p), p.source, p.meaning) for k, p in params.items()]
    blocks = {
        "What comes in": aligned((k, u, m if d is None else f"{m}; {d:g} unless set") for k, u, m, d in inputs),
        "What changes": aligned(
            (f"{k}, at first {say(s.init)}", f"[{s.unit}]", s.meaning) for k, s in kind.states.items()
        ),
        "Terms": aligned((f"{k} = {say(x, whole=True)}", f"[{x.unit}]") for k, x in kind.terms.items()),
        "How it changes": aligned(
            (f"d({k})/dt = {say(s.dot)}", f"[{rate_unit(s.unit)}]") for k, s in kind.states.items()
        ),
        "What goes out": aligned((f"{k} = {say(o.value)}", f"[{o.unit}]", o.meaning) for k, o in kind.outputs.items()),
        "How doses enter": doses,
        "What is known": aligned([("symbol", "value", "unit", "between people", "source", "meaning"), *table]),
    }
    out = [f"{system.name} ({kind.__name__})" if isinstance(system, Part) else kind.__name__]
    for title, lines in blocks.items():
        if lines and not (title == "What is known" and not params):
            out += ["", title, *lines]
    everything = [*(s.dot for s in kind.states.values()), *(o.value for o in kind.outputs.values())]
    if any(x.op == "hill" for x in order(everything)):
        out += ["", "hill(x, k, n) = x^n/(k^n + x^n)"]
    return "\n".join(out) + "\n"
