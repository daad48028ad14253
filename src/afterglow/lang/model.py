"""`Model`: systems put together by wires."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from afterglow.errors import ModelError, UnitError, nearest
from afterglow.lang.expr import Expr, _place, const, mul, order, substitute
from afterglow.lang.system import Input, Output, Param, State, System
from afterglow.lang.units import of_factor

Declared = TypeVar("Declared", State, Param, Input)


@dataclass(frozen=True)
class Part:
    """A system placed in a model under a name, with its own parameter declarations where they differ."""

    name: str
    system: type[System]
    params: Mapping[str, Param]

    def __getitem__(self, name: str) -> tuple[Part, str]:
        return self, name

    def __getattr__(self, name: str) -> tuple[Part, str]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self, name


@dataclass(frozen=True)
class Wire:
    """An output that drives an input. `factor` converts the unit; `feedback` marks a wire that runs backwards."""

    source: str
    target: str
    factor: float
    feedback: bool


@dataclass
class Model:
    """Named systems and the wires between them.

    Systems are added in the order of cause; a wire against that order has to say `feedback=True`. `fixed` are parameter
    values ("system.symbol") that replace the declared ones: fitted values, or those of a variant. `held` are values of
    inputs that nothing drives, in place of their defaults.
    """

    name: str
    parts: dict[str, Part] = field(default_factory=dict)
    wires: list[Wire] = field(default_factory=list)
    fixed: dict[str, float] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)

    def add(self, system: type[System], name: str, **params: Param) -> Part:
        """Place `system` under `name`; keyword arguments replace parameter declarations for this place only."""
        if name in self.parts:
            raise ModelError(f"{_place()}: the model has a system '{name}' already")
        for key, p in params.items():
            if key not in system.params:
                raise ModelError(
                    f"{_place()}: {system.__name__} has no parameter '{key}' ({nearest(key, system.params)})"
                )
            p.name = key
            mine, theirs = system.params[key].unit, p.unit
            assert mine is not None
            assert theirs is not None
            if not mine.same(theirs):
                raise UnitError(f"{_place()}: parameter '{key}' of {system.__name__} is in [{mine}], not [{theirs}]")
        part = Part(name, system, {**system.params, **params})
        self.parts[name] = part
        return part

    def wire(self, source: tuple[Part, str], target: tuple[Part, str], feedback: bool = False) -> None:
        """Let an output drive an input; units are converted, dimensions must agree."""
        (a, out_name), (b, in_name) = source, target
        place = _place()
        if out_name not in a.system.outputs:
            raise ModelError(f"{place}: {a.name} has no output '{out_name}' ({nearest(out_name, a.system.outputs)})")
        if in_name not in b.system.inputs:
            raise ModelError(f"{place}: {b.name} has no input '{in_name}' ({nearest(in_name, b.system.inputs)})")
        full = f"{b.name}.{in_name}"
        if any(w.target == full for w in self.wires):
            raise ModelError(f"{place}: input '{full}' is wired twice; add the two outputs in a system of their own")
        names = list(self.parts)
        if names.index(a.name) >= names.index(b.name) and not feedback:
            raise ModelError(
                f"{place}: '{a.name}.{out_name}' -> '{full}' runs backwards; say feedback=True if it is meant"
            )
        output, wanted = a.system.outputs[out_name], b.system.inputs[in_name].unit
        assert wanted is not None
        try:
            factor = output.unit.factor_to(wanted)
        except UnitError as e:
            raise UnitError(
                f"{place}: wire '{a.name}.{out_name}' [{output.unit}] -> '{full}' [{wanted}]: {e}"
            ) from None
        self.wires.append(Wire(f"{a.name}.{out_name}", full, factor, feedback))

    def flatten(self) -> FlatModel:
        """One set of equations, with inputs replaced by what drives them. Raises ModelError."""
        return _flatten(self)


@dataclass(frozen=True)
class FlatRoute:
    """A route of a placed system: (state name, fraction, duration or None) and a lag or None."""

    meaning: str
    into: tuple[tuple[str, Expr, Expr | None], ...]
    lag: Expr | None


@dataclass(frozen=True)
class FlatModel:
    """All equations of a model, names are `system.symbol`. Expressions are made of the symbols given here.

    `values` are the typical parameter values. `dots` are rates per hour. `open_inputs` are inputs that nothing drives
    (covariates and signals of a course).
    """

    states: dict[str, State]
    params: dict[str, Param]
    values: dict[str, float]
    open_inputs: dict[str, Input]
    inits: dict[str, Expr]
    dots: dict[str, Expr]
    outputs: dict[str, Expr]
    output_meta: dict[str, Output]
    routes: dict[str, FlatRoute]

    def with_values(self, values: Mapping[str, float]) -> FlatModel:
        """The same model with other typical parameter values."""
        unknown = [k for k in values if k not in self.params]
        if unknown:
            raise ModelError("; ".join(f"no parameter '{k}' ({nearest(k, self.params)})" for k in unknown))
        wrong = [f"{k} = {v!r}" for k, v in values.items() if not math.isfinite(v)]
        if wrong:
            raise ModelError("not a finite number: " + ", ".join(wrong))
        return replace(self, values={**self.values, **{k: float(v) for k, v in values.items()}})


def _copy(symbol: Declared, name: str) -> Declared:
    """A fresh symbol with the same declaration under a full name."""
    new = object.__new__(type(symbol))
    for cls in type(symbol).__mro__:
        for slot in getattr(cls, "__slots__", ()):
            setattr(new, slot, getattr(symbol, slot))
    new.name = name
    return new


def _flatten(model: Model) -> FlatModel:
    states: dict[str, State] = {}
    params: dict[str, Param] = {}
    open_inputs: dict[str, Input] = {}
    local: dict[str, dict[Expr, Expr]] = {}
    driven = {w.target: w for w in model.wires}
    missing: list[str] = []
    for name, part in model.parts.items():
        own: dict[Expr, Expr] = {}
        for key, s in part.system.states.items():
            own[s] = states[f"{name}.{key}"] = _copy(s, f"{name}.{key}")
        for key, p in part.params.items():
            fresh = _copy(p, f"{name}.{key}")
            own[part.system.params[key]] = params[f"{name}.{key}"] = fresh
        for key, i in part.system.inputs.items():
            full = f"{name}.{key}"
            if full not in driven:
                fresh = _copy(i, full)
                fresh.default = model.held.get(full, i.default)
                own[i] = open_inputs[full] = fresh
                if fresh.default is None:
                    missing.append(full)
        local[name] = own
    if missing:
        raise ModelError("inputs that nothing drives and that have no default: " + ", ".join(missing))

    if unknown := [full for full in model.held if full not in open_inputs]:
        raise ModelError("no open input of this name can be held: " + ", ".join(unknown))

    resolved: dict[str, Expr] = {}
    active: list[str] = []

    def output(full: str) -> Expr:
        if full in resolved:
            return resolved[full]
        if full in active:
            loop = " -> ".join([*active[active.index(full) :], full])
            raise ModelError(f"algebraic loop: {loop}; let one of these pass through a state")
        active.append(full)
        name, key = full.split(".")
        value = model.parts[name].system.outputs[key].value
        resolved[full] = _resolve([value], name)[0]
        active.pop()
        return resolved[full]

    def _resolve(exprs: list[Expr], name: str) -> list[Expr]:
        mapping = dict(local[name])
        used = set(order(exprs))
        for key, i in model.parts[name].system.inputs.items():
            wire = driven.get(f"{name}.{key}")
            if wire is not None and i in used:
                source = output(wire.source)
                mapping[i] = source if wire.factor == 1.0 else mul(const(wire.factor, of_factor(wire.factor)), source)
        return substitute(exprs, mapping)

    dots: dict[str, Expr] = {}
    inits: dict[str, Expr] = {}
    outputs: dict[str, Expr] = {}
    meta: dict[str, Output] = {}
    routes: dict[str, FlatRoute] = {}
    for name, part in model.parts.items():
        for key, s in part.system.states.items():
            dots[f"{name}.{key}"] = _resolve([s.dot], name)[0]
            inits[f"{name}.{key}"] = _resolve([s.init], name)[0]
        for key, o in part.system.outputs.items():
            outputs[f"{name}.{key}"] = output(f"{name}.{key}")
            meta[f"{name}.{key}"] = o
        for key, r in part.system.routes.items():
            into = tuple(
                (f"{name}.{s.name}", _resolve([f], name)[0], _resolve([r.over[s]], name)[0] if s in r.over else None)
                for s, f in r.fractions.items()
            )
            lag = None if r.lag is None else _resolve([r.lag], name)[0]
            routes[f"{name}.{key}"] = FlatRoute(r.meaning, into, lag)
    _before_states(inits, routes)
    values = {name: p.value_ for name, p in params.items()}
    flat = FlatModel(states, params, values, open_inputs, inits, dots, outputs, meta, routes)
    return flat.with_values(model.fixed)


def _before_states(inits: Mapping[str, Expr], routes: Mapping[str, FlatRoute]) -> None:
    """Refuse initial values and routes that depend on states: they are worked out before there are any."""
    early = [(f"the initial value of '{name}'", x) for name, x in inits.items()]
    for name, r in routes.items():
        early += [(f"route '{name}'", x) for _, share, over in r.into for x in (share, over, r.lag) if x is not None]
    wrong = [f"{what} depends on '{n.name}'" for what, x in early for n in order([x]) if isinstance(n, State)]
    if wrong:
        raise ModelError(
            "; ".join(dict.fromkeys(wrong)) + ": only parameters and open inputs are known before the start"
        )
