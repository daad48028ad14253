"""Print a system as LaTeX: an `align` environment of equations and a table of parameters (needs amsmath)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from afterglow.compile.text import ATOM, NOTHING, POWER, PRODUCT, Printer, placed, rate_unit, spread
from afterglow.lang import Expr, Part, System, Unit
from afterglow.lang.expr import is_const

GREEK = (
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu", "nu", "xi",
    "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
)  # fmt: skip
_FUNCTIONS = {"exp": r"\exp", "log": r"\ln", "tanh": r"\tanh", "max": r"\max", "min": r"\min"}
_SPECIAL = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}


def words(text: str) -> str:
    """Plain text with LaTeX's special characters escaped."""
    return re.sub(r"[\\~^&%$#_{}]", lambda m: _SPECIAL.get(m[0], "\\" + m[0]), text)


def units(unit: Unit | str | None) -> str:
    """A unit as text."""
    return re.sub(
        r"\bu(?=mol|[gLM])", r"$\\mu$", re.sub(r"\\textasciicircum\{\}(-?[\d.]+)", r"$^{\1}$", words(str(unit)))
    )


def symbol(name: str) -> str:
    r"""A name in mathematics: `tau_on` is \tau_{on}, `V1` is V_{1}, `CL_NK` is CL_{NK}; longer words stay words."""
    head, _, rest = name.partition("_")
    split = re.fullmatch(r"([A-Za-z]+?)(\d+)", head)
    if split and len(split[1]) <= 2:
        head, rest = split[1], split[2] + (f",{rest}" if rest else "")
    if head in GREEK:
        first = f"\\{head}"
    elif len(head) == 1:
        first = head
    elif head.isupper() and len(head) <= 3:
        first = rf"\mathrm{{{head}}}"
    else:
        return rf"\mathit{{{words(name)}}}"
    return first + (rf"_{{\mathrm{{{words(rest)}}}}}" if rest else "")


class LatexPrinter(Printer):
    """Writes expressions for mathematics mode."""

    def name(self, name: str) -> str:
        """A symbol."""
        return symbol(name)

    def parentheses(self, text: str) -> str:
        """Around `text`."""
        return rf"\left({text}\right)"

    def times(self, left: str, right: str) -> str:
        """A product."""
        return rf"{left} \, {right}"

    def quotient(self, top: tuple[str, int], below: Sequence[Expr]) -> tuple[str, int]:
        """`top` over the product of `below`."""
        under = r" \, ".join(self.say(b, PRODUCT) for b in below) if len(below) > 1 else self.say(below[0])
        return rf"\frac{{{top[0]}}}{{{under}}}", PRODUCT

    def power(self, base: Expr, n: Expr) -> tuple[str, int]:
        """`base` to the power `n`."""
        if is_const(n, 0.5):
            return rf"\sqrt{{{self.say(base)}}}", ATOM
        return f"{{{self.say(base, POWER + 1)}}}^{{{self.say(n)}}}", POWER

    def call(self, op: str, args: Sequence[Expr]) -> tuple[str, int]:
        """A function; a Hill term is a fraction."""
        said = [self.say(a) for a in args]
        if op == "where":
            return rf"\begin{{cases}} {said[1]} & {said[0]} \\ {said[2]} & \text{{else}} \end{{cases}}", NOTHING
        if op == "hill":
            x, half = (self.say(a) if is_const(args[2], 1.0) else self.power(a, args[2])[0] for a in args[:2])
            return rf"\frac{{{x}}}{{{half} + {x}}}", PRODUCT
        return rf"{_FUNCTIONS[op]}{self.parentheses(', '.join(said))}", ATOM

    def conversion(self, factor: float, unit: Unit | None, what: tuple[str, int]) -> tuple[str, int]:
        """A factor that only changes the unit."""
        number = f"{factor:.10g}" if factor >= 1.0 else rf"\frac{{1}}{{{1 / factor:.10g}}}"
        return self.times(rf"\underset{{\text{{to {units(unit)}}}}}{{{number}}}", self._hold(what, PRODUCT)), PRODUCT


def latex(system: type[System] | Part, values: Mapping[str, float] | None = None) -> str:
    """A system, or one placed in a model, as LaTeX; `values` replace declared parameter values."""
    kind, params, names = placed(system)
    known = {k: p.value_ for k, p in params.items()} | dict(values or {})
    say = LatexPrinter(names).say
    lines = [(symbol(k), say(x, whole=True), str(x.unit)) for k, x in kind.terms.items()]
    for k, s in kind.states.items():
        lines.append((rf"\frac{{\mathrm{{d}}{symbol(k)}}}{{\mathrm{{d}}t}}", say(s.dot), rate_unit(s.unit)))
        lines.append((rf"{symbol(k)}(0)", say(s.init), str(s.unit)))
    lines += [(symbol(k), say(o.value), str(o.unit)) for k, o in kind.outputs.items() if say(o.value) != symbol(k)]
    title = f"{system.name} ({kind.__name__})" if isinstance(system, Part) else kind.__name__
    out = [f"% {title}", r"\begin{align*}"]
    out.append(" \\\\\n".join(rf"  {left} &= {right} && \text{{[{units(unit)}]}}" for left, right, unit in lines))
    out.append(r"\end{align*}")
    if params:
        head = r"  symbol & value & unit & between people & source & meaning \\ \hline"
        out += [r"\begin{tabular}{llllll}", head]
        for k, p in params.items():
            cells = (words(spread(p)), words(p.source), words(p.meaning))
            out.append(rf"  ${symbol(k)}$ & {known[k]:.6g} & {units(p.unit)} & {' & '.join(cells)} \\")
        out.append(r"\end{tabular}")
    return "\n".join(out) + "\n"
