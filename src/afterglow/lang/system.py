"""`System`: a biological system written as a class body of declarations and equations, traced once at import."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from afterglow.errors import ModelError, UnitError
from afterglow.lang.expr import Expr, Number, Symbol, _place, as_expr, order, rescale, show
from afterglow.lang.units import Unit

HOUR = Unit.parse("1") / Unit.parse("h")  # the engine's time is hours


@dataclass(frozen=True)
class Spread:
    """How a parameter differs between people.

    kind "lognormal": value * exp(size * ETA); "logitnormal": ETA is added on the logit scale; "normal": value + size *
    ETA; ETA is standard normal, `size` is its standard deviation (OMEGA^0.5).
    """

    kind: str
    size: float


def lognormal(*, cv: float | None = None, omega: float | None = None) -> Spread:
    """Log-normal spread, by coefficient of variation (omega^2 = ln(cv^2 + 1)) or by omega."""
    if (cv is None) == (omega is None):
        raise ModelError(f"{_place()}: give either cv or omega")
    return Spread("lognormal", math.sqrt(math.log(cv * cv + 1.0)) if cv is not None else float(omega or 0.0))


def logitnormal(sd: float) -> Spread:
    """Normal spread of a fraction on the logit scale."""
    return Spread("logitnormal", sd)


def normal(sd: float) -> Spread:
    """Normal spread, in the parameter's unit."""
    return Spread("normal", sd)


class Input(Symbol):
    """What comes in: wired to an output of another system, or left open with a default (a covariate, a signal)."""

    __slots__ = ("default", "meaning")

    def __init__(self, unit: str, meaning: str, default: float | None = None) -> None:
        super().__init__("?", _unit(unit))
        self.meaning = meaning
        self.default = default


class State(Symbol):
    """What changes. `init` is its untreated value (a number, or an expression of parameters and open inputs)."""

    __slots__ = ("_dot", "bounds", "init", "meaning", "size")

    def __init__(
        self,
        unit: str,
        meaning: str,
        init: Expr | Number = 0.0,
        bounds: tuple[float, float] = (-math.inf, math.inf),
        size: float = 1.0,
    ) -> None:
        """`bounds` hold at all times; `size` is a typical magnitude in the state's unit, for error control."""
        super().__init__("?", _unit(unit))
        if not size > 0.0 or not bounds[0] < bounds[1]:
            raise ModelError(f"{_place()}: a state needs a size above zero and bounds in order, not {size!r}, {bounds}")
        self.meaning = meaning
        self.init = as_expr(init)
        self.bounds = bounds
        self.size = size
        self._dot: Expr | None = None

    @property
    def dot(self) -> Expr:
        """The rate of change per hour."""
        if self._dot is None:
            raise ModelError(f"{_place()}: state '{self.name}' has no equation: write {self.name}.dot = ...")
        return self._dot

    @dot.setter
    def dot(self, rate: Expr | Number) -> None:
        if self._dot is not None:
            raise ModelError(f"{_place()}: state '{self.name}' has two equations")
        rate = as_expr(rate)
        assert self.unit is not None
        self._dot = _into(rate, self.unit * HOUR, f"the rate of '{self.name}'")


class Param(Symbol):
    """What is known: value, unit, meaning, evidence and spread between people.

    `source` is the id of an evidence record, "assumed", or "fitted" (then `value` is where the fit starts).
    """

    __slots__ = ("bounds", "meaning", "source", "spread", "value_")

    def __init__(
        self,
        value: float,
        unit: str,
        meaning: str,
        source: str = "",
        spread: Spread | None = None,
        bounds: tuple[float, float] = (0.0, math.inf),
    ) -> None:
        super().__init__("?", _unit(unit))
        if not source:
            raise ModelError(f"{_place()}: a parameter has no source: give a record's id, 'assumed' or 'fitted'")
        if not math.isfinite(value):
            raise ModelError(f"{_place()}: parameter value {value!r} is not a finite number")
        if not bounds[0] <= value <= bounds[1]:
            raise ModelError(f"{_place()}: parameter value {value!r} is outside its bounds {bounds}")
        self.value_ = float(value)
        self.meaning = meaning
        self.source = source
        self.spread = spread
        self.bounds = bounds


class Output:
    """What goes out: an expression with a unit and a meaning; converted to the declared unit."""

    def __init__(self, value: Expr | Number, unit: str, meaning: str) -> None:
        self.name = "?"
        self.unit = _unit(unit)
        self.meaning = meaning
        self.value = _into(as_expr(value), self.unit, "an output")


class Route:
    """A way for a dose to enter: which states take which fraction of an amount, over how long.

    `fractions` maps states to pure expressions of parameters and open inputs. `over` gives a zero-order duration where
    the route itself has one (swallowed part of a spray); otherwise the course's own duration counts. `lag` delays the
    whole.
    """

    def __init__(
        self,
        meaning: str,
        fractions: Mapping[State, Expr | Number],
        over: Mapping[State, Expr] | None = None,
        lag: Expr | None = None,
    ) -> None:
        self.name = "?"
        self.meaning = meaning
        self.fractions = {s: as_expr(f) for s, f in fractions.items()}
        hour = Unit.parse("h")
        self.over = {s: _into(e, hour, "a duration") for s, e in (over or {}).items()}
        self.lag = None if lag is None else _into(lag, hour, "a lag")
        for s, f in self.fractions.items():
            if f.unit is not None and not f.unit.pure:
                raise UnitError(f"{_place()}: the fraction into '{s.name}' is in [{f.unit}], it must be a pure number")


def _unit(text: str) -> Unit:
    try:
        return Unit.parse(text)
    except UnitError as e:
        raise UnitError(f"{_place()}: {e}") from None


def _into(x: Expr, unit: Unit, what: str) -> Expr:
    if x.unit is None or (x.op == "const" and x.value == 0.0):
        return rescale(x, 1.0, unit) if x.unit is None else as_expr(0.0)
    if x.unit.dims != unit.dims:
        raise UnitError(
            f"{_place()}: {what} must be in [{unit}], but '{show(x)}' is in [{x.unit}]: "
            f"{unit.dimension} against {x.unit.dimension}; check for a missing or extra factor"
        )
    return rescale(x, x.unit.factor_to(unit), unit)


class _Body(dict[str, object]):
    """The namespace of a class body: names things as they are assigned."""

    def __setitem__(self, key: str, value: object) -> None:
        if isinstance(value, (Symbol, Output, Route)) and value.name == "?":
            value.name = key
        super().__setitem__(key, value)


class _Tracer(type):
    @classmethod
    def __prepare__(cls, name: str, bases: tuple[type, ...], **kwargs: object) -> dict[str, object]:
        return _Body()

    def __new__(cls, name: str, bases: tuple[type, ...], body: _Body) -> type:
        made = super().__new__(cls, name, bases, dict(body))
        if bases:
            _collect(cast("type[System]", made), body)
        return made


class System(metaclass=_Tracer):
    """Base of all systems: a subclass declares inputs, states, parameters, equations, outputs, routes."""

    inputs: dict[str, Input]
    states: dict[str, State]
    params: dict[str, Param]
    terms: dict[str, Expr]
    outputs: dict[str, Output]
    routes: dict[str, Route]


def _collect(made: type[System], body: Mapping[str, object]) -> None:
    kinds: dict[str, type[Input | State | Param | Output | Route]]
    kinds = {"inputs": Input, "states": State, "params": Param, "outputs": Output, "routes": Route}
    for field, kind in kinds.items():
        setattr(made, field, {k: v for k, v in body.items() if isinstance(v, kind) and v.name == k})
    made.terms = {k: v for k, v in body.items() if isinstance(v, Expr) and not isinstance(v, Symbol)}
    own: set[Expr] = {*made.inputs.values(), *made.states.values(), *made.params.values()}
    for x in (n for n in order(_equations(made)) if isinstance(n, Symbol)):
        if x not in own:
            problem = "is assigned twice" if x.name in body else "belongs to another system or has no name of its own"
            raise ModelError(f"{_place()}: an equation of {made.__name__} uses '{x.name}', which {problem}")


def _equations(made: type[System]) -> list[Expr]:
    out = [x for s in made.states.values() for x in (s.dot, s.init)]
    out += [o.value for o in made.outputs.values()]
    for r in made.routes.values():
        out += [*r.fractions.values(), *r.over.values(), *([] if r.lag is None else [r.lag])]
    return out
