"""Print a system as plain equations, the way the methods section of a paper has them.

    print(text(GlutamateSurge))

A number that converts units is marked with the unit that it leads to: `1000[to ug/L]*x`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from afterglow.lang import Expr, Param, Part, Spread, Symbol, System, Unit
from afterglow.lang.expr import order

SUM, PRODUCT, POWER, ATOM = 1, 2, 4, 9  # how tightly a piece of text holds together


class Printer:
    """Writes expressions; `names` are the terms that are shown by name. Subclasses write another language."""

    def __init__(self, names: Mapping[Expr, str]) -> None:
        self.names = names

    def say(self, x: Expr, level: int = 0, top: bool = False) -> str:
        """The expression, in parentheses where a place needs something that holds together at `level`."""
        sign, text, mine = self._signed(x, top)
        if sign < 0:
            text, mine = f"-{text}", SUM
        return self.parentheses(text) if mine < level else text

    def _signed(self, x: Expr, top: bool = False) -> tuple[int, str, int]:
        """Sign, text without it, and how tightly the text holds together."""
        if x in self.names and not top:
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
            case "pow":
                return 1, self.power(*x.args), POWER
            case "gt":
                return 1, f"{self.say(x.args[0], SUM)} > {self.say(x.args[1], SUM)}", 0
        return 1, self.call(x.op, [self.say(a) for a in x.args]), ATOM

    def _sum(self, x: Expr) -> str:
        left, right = x.args
        sign, text, mine = self._signed(right)
        if mine < PRODUCT and (x.op == "sub" or sign < 0):
            text = self.parentheses(text)
        minus = (sign < 0) != (x.op == "sub")
        if minus and left.op == "const" and left.value == 0:
            return f"-{text}"
        return f"{self.say(left, SUM)} {'-' if minus else '+'} {text}"

    def _product(self, x: Expr) -> tuple[int, str, int]:
        a, b = x.args
        if a.op == "const" and x.op == "mul":
            if _converts(a, b, x):
                sign, text, mine = self._signed(b)
                text = self.parentheses(text) if mine < PRODUCT else text
                return sign, text if a.value == 1.0 else self.conversion(a.value, x.unit, text), PRODUCT
            if abs(a.value) == 1.0:
                sign, text, mine = self._signed(b)
                if mine < PRODUCT:
                    text, mine = self.parentheses(text), ATOM
                return (sign if a.value > 0 else -sign), text, mine
        if x.op == "div" and a.op == "div" and a not in self.names:  # a/b/c is read more easily as a/(b*c)
            sign, top, level = self._signed(a.args[0])
            return sign, self.quotient((top, level), [a.args[1], b]), PRODUCT
        sign, left, mine = self._signed(a)
        if x.op == "div":
            return sign, self.quotient((left, mine), [b]), PRODUCT
        other, right, its = self._signed(b)
        left, right = (self.parentheses(t) if m < PRODUCT else t for t, m in ((left, mine), (right, its)))
        return sign * other, self.times(left, right), PRODUCT

    # -- what another language writes differently
    def name(self, name: str) -> str:
        """A symbol."""
        return name

    def parentheses(self, text: str) -> str:
        """Around `text`."""
        return f"({text})"

    def times(self, left: str, right: str) -> str:
        """A product of two pieces that hold together."""
        return f"{left}*{right}"

    def quotient(self, top: tuple[str, int], below: list[Expr]) -> str:
        """A piece of text with its level, over the product of `below`."""
        text = self.parentheses(top[0]) if top[1] < PRODUCT else top[0]
        if len(below) == 1:
            return f"{text}/{self.say(below[0], PRODUCT + 1)}"
        return f"{text}/({'*'.join(self.say(b, PRODUCT + 1) for b in below)})"

    def power(self, base: Expr, n: Expr) -> str:
        """`base` to the power `n`."""
        if n.op == "const" and n.value == 0.5:
            return f"sqrt({self.say(base)})"
        return f"{self.say(base, POWER + 1)}^{self.say(n, POWER + 1)}"

    def call(self, op: str, args: list[str]) -> str:
        """A function of arguments."""
        if op == "where":
            return f"[{args[1]} if {args[0]}, else {args[2]}]"
        return f"{op}({', '.join(args)})"

    def conversion(self, factor: float, unit: Unit | None, text: str) -> str:
        """A factor that only changes the unit of what follows."""
        return f"{factor:.10g}[to {unit}]*{text}"


def _converts(factor: Expr, x: Expr, product: Expr) -> bool:
    """Whether a product with a number only changes the unit of `x`."""
    a, b = x.unit, product.unit
    return a is not None and b is not None and a.dims == b.dims and math.isclose(a.scale, factor.value * b.scale) and a != b


def printed(system: type[System] | Part) -> tuple[type[System], Mapping[str, Param], dict[Expr, str]]:
    """The class, the parameters as placed, and the names of intermediate terms that equations use."""
    kind = system.system if isinstance(system, Part) else system
    return kind, system.params if isinstance(system, Part) else kind.params, {x: k for k, x in kind.terms.items()}


def hills(expressions: Iterable[Expr]) -> bool:
    """Whether a Hill term occurs."""
    return any(x.op == "hill" for x in order(expressions))


def spread_words(p: Param) -> str:
    """The spread between people in words."""
    return "" if p.spread is None else _spread(p.spread, p.unit)


def _spread(s: Spread, unit: Unit | None) -> str:
    if s.kind == "lognormal":
        return f"CV {100 * math.sqrt(math.exp(s.size**2) - 1):.3g} %"
    return f"SD {s.size:.3g}" + (" on the logit scale" if s.kind == "logitnormal" else f" {unit}")


def aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows as columns of text, indented; the last column is free."""
    widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]) - 1)] if rows else []
    return ["  " + "  ".join([*(c.ljust(w) for c, w in zip(r, widths, strict=False)), r[-1]]).rstrip() for r in rows]


def text(system: type[System] | Part) -> str:
    """A system, or one placed in a model with its own parameter values, as plain text."""
    kind, params, names = printed(system)
    say = Printer(names).say
    rate = Unit.parse("h")
    out = [f"{system.name}: {kind.__name__}" if isinstance(system, Part) else kind.__name__]
    blocks: dict[str, list[str]] = {
        "What comes in": aligned(
            [
                (k, f"[{i.unit}]", i.meaning + ("" if i.default is None else f"; {i.default:g} unless driven"))
                for k, i in kind.inputs.items()
            ]
        ),
        "What changes": aligned(
            [(f"{k}(0) = {say(s.init)}", f"[{s.unit}]", s.meaning) for k, s in kind.states.items()]
        ),
        "Terms": aligned([(f"{k} = {say(x, top=True)}", f"[{x.unit}]") for k, x in kind.terms.items()]),
        "How it changes": aligned(
            [(f"d({k})/dt = {say(s.dot)}", f"[{s.unit / rate if s.unit else ''}]") for k, s in kind.states.items()]
        ),
        "What goes out": aligned(
            [(f"{k} = {say(o.value)}", f"[{o.unit}]", o.meaning) for k, o in kind.outputs.items()]
        ),
        "How doses enter": [
            line
            for k, r in kind.routes.items()
            for line in (
                f"  {k}: {r.meaning}" + ("" if r.lag is None else f"; after {say(r.lag)} h"),
                *(
                    f"    into {s.name}: {say(f)}" + (f", evenly over {say(r.over[s])} h" if s in r.over else "")
                    for s, f in r.fractions.items()
                ),
            )
        ],
        "What is known": aligned(
            [("symbol", "value", "unit", "between people", "source", "meaning")]
            + [(k, f"{p.value_:.6g}", str(p.unit), spread_words(p), p.source, p.meaning) for k, p in params.items()]
        )
        if params
        else [],
    }
    for title, lines in blocks.items():
        if lines:
            out += ["", title, *lines]
    if hills([*(s.dot for s in kind.states.values()), *(o.value for o in kind.outputs.values())]):
        out += ["", "hill(x, k, n) = x^n/(k^n + x^n); time in hours"]
    return "\n".join(out) + "\n"
