"""Print a program as SBML Level 3 Version 2 core, for other simulators.

States are parameters with rate rules, because they are amounts, fractions and gains alike; outputs and shared parts of
the equations are assignment rules; what never changes is worked out once, by initial assignments. The id of
`system.symbol` is `system__symbol`, its name stays as it is. Time is in hours. Everything has its unit, numbers too;
a program whose symbols have none (a reduced one) is written without.

SBML core cannot say how parameters differ between people, nor routes of administration: the file holds one person, and
doses only as dated events.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

from afterglow.compile.program import Program
from afterglow.compile.sbml.notes import About, Note, annotate, annotate_model, term
from afterglow.compile.sbml.units import HOUR, Definitions, joint, units
from afterglow.errors import ModelError
from afterglow.lang.expr import Expr, Symbol, is_const, order
from afterglow.lang.units import ONE, Unit

# Minimum and maximum, not `piecewise`: simulators stop and restart at every switch of a piecewise (libRoadRunner does).
# Of the ratio alone, so that powers are of pure numbers.
_HILL = "lambda(x, k, n, max(x / k, 0 dimensionless)^n / (1 dimensionless + max(x / k, 0 dimensionless)^n))"
_FORMULAS = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "div": "({} / {})",
    "pow": "({})^({})",
    "exp": "exp({})",
    "log": "ln({})",
    "tanh": "tanh({})",
    "max": "max({}, {})",
    "min": "min({}, {})",
    "hill": "hill({}, {}, {})",
    "gt": "({} > {})",  # as a number: Level 3 Version 2 lets truth values be 0 and 1
    "where": "piecewise({1}, {0}, {2})",
}
_SHARING = ("add", "sub", "max", "min", "gt", "where")  # operations whose parts have one unit


class Change(NamedTuple):
    """An event: from `time_h` on, a state or slot has `value`, or that much more where `add` is true."""

    time_h: float
    name: str
    value: float
    add: bool = False


def identifier(name: str) -> str:
    """The SBML id of a state, slot or output."""
    return re.sub(r"\W", "__", name)


def sbml(
    model: Program,
    *,
    outputs: Sequence[str] | None = None,
    changing: Collection[str] | None = None,
    changes: Sequence[Change] = (),
    name: str = "model",
    notes: Mapping[str, Note] | None = None,
    about: About | None = None,
) -> str:
    """The program as an SBML document.

    Args:
        model: the equations, with their default values.
        outputs: names of the wanted outputs, default all.
        changing: slots that whoever runs the file may change on the way, default open inputs and infusion rates.
            Everything else is constant, and what depends on it alone is worked out once.
        changes: doses and signals, as events.
        name: id of the model.
        notes: what is known of states, slots and outputs, by name.
        about: what is known of the model.

    Raises ModelError, which names what SBML cannot say.
    """
    writer = _Writer(model, outputs, changing, changes)
    writer.write(identifier(name))
    writer.annotate(notes or {}, about or About())
    return writer.text()


def libsbml() -> ModuleType:
    """The library, or a ModelError that says how to get it."""
    with contextlib.suppress(ImportError):  # loaded after libSBML, libSEDML takes over types of its trees of formulas
        import_module("libsedml")
    try:
        return import_module("libsbml")
    except ImportError:
        raise ModelError("SBML needs python-libsbml: pip install 'afterglow[export]'") from None


class _Writer:
    """One document: which expressions have a name, and what they are called."""

    def __init__(
        self,
        model: Program,
        outputs: Sequence[str] | None,
        changing: Collection[str] | None,
        changes: Sequence[Change],
    ) -> None:
        self.model, self.lib, self.changes = model, libsbml(), changes
        self.wanted = list(model.outputs if outputs is None else outputs)
        self._known(self.wanted, model.outputs, "output")
        self._known(changing or (), model.slots, "slot")
        self._known([c.name for c in changes], (*model.slots, *model.states), "slot or state")
        free = {*model.model.open_inputs, *(s for s in model.slots if s.startswith("rate:"))}
        self.changing = (free if changing is None else set(changing)) | {c.name for c in changes}
        self.roots = [*model.rhs, *model.init, *(model.values[model.output[n]] for n in self.wanted)]
        self.names = self._names()
        self.units = units(model, self.roots)
        self.said: dict[int, str] = {}

    @staticmethod
    def _known(names: Collection[str], known: Collection[str], what: str) -> None:
        if unknown := [n for n in names if n not in known]:
            raise ModelError(f"no {what} called " + ", ".join(map(repr, unknown)))

    def _names(self) -> dict[int, str]:
        """Ids of symbols and of shared parts; a part that is an output has the output's id."""
        m = self.model
        ids = [*m.states, *m.slots, *self.wanted]
        twice = [n for n, k in Counter(map(identifier, ids)).items() if k > 1]
        if twice:
            raise ModelError("names that SBML cannot tell apart: " + ", ".join(twice))
        names = {id(s): identifier(n) for s, n in zip((*m.y, *m.p), (*m.states, *m.slots), strict=True)}
        for n in self.wanted:
            names.setdefault(id(m.values[m.output[n]]), identifier(n))
        nodes = order(self.roots)
        uses = Counter(id(a) for n in nodes for a in n.args) + Counter(map(id, self.roots))
        shared = [n for n in nodes if n.args and uses[id(n)] > 1 and id(n) not in names and not _test(n)]
        return names | {id(n): f"part__{k}" for k, n in enumerate(shared)}

    def text(self) -> str:
        """The document as XML."""
        return str(self.lib.writeSBMLToString(self.document))

    def annotate(self, notes: Mapping[str, Note], about: About) -> None:
        """Say what is known of the model, its symbols and outputs."""
        annotate_model(self.lib, self.sheet, about)
        m = self.model
        exponents = {id(n.args[2]) for n in order(self.roots) if n.op == "hill"}
        symbols = dict(zip((*m.states, *m.slots), (*m.y, *m.p), strict=True))
        for name in (*symbols, *self.wanted):
            node = symbols[name] if name in symbols else m.values[m.output[name]]
            what = term(self.units.get(id(node)), id(node) in exponents)
            annotate(self.lib, self.sheet.getParameter(identifier(name)), notes.get(name, Note()), what)

    def write(self, name: str) -> None:
        """The equations."""
        self.document: Any = self.lib.SBMLDocument(3, 2)
        self.sheet = self.document.createModel()
        self.sheet.setId(name)
        m = self.model
        declared = [s.unit for s in (*m.y, *m.p) if s.unit is not None]
        self.definitions = Definitions(self.lib, self.sheet, declared)
        if self.units:
            self.sheet.setTimeUnits(self.definitions.name(HOUR))
        self._functions()
        constant: dict[int, bool] = {id(s): False for s in m.y}
        for slot, symbol, value in zip(m.slots, m.p, m.defaults, strict=True):
            constant[id(symbol)] = slot not in self.changing
            self._parameter(identifier(slot), slot, value, constant[id(symbol)], self.units.get(id(symbol)))
        for state, symbol in zip(m.states, m.y, strict=True):
            self._parameter(identifier(state), state, None, False, self.units.get(id(symbol)))
        for n in order(self.roots):
            if isinstance(n, Symbol) and id(n) not in constant:
                raise ModelError(f"'{n.name}' is neither a state nor a slot of the program")
            if n.args:
                constant[id(n)] = all(constant.get(id(a), True) for a in n.args)  # numbers are not listed
                if id(n) in self.names:
                    self._named(self.names[id(n)], self._formula(n), constant[id(n)], self.units.get(id(n)))
                    self.said[id(n)] = self.names[id(n)]
                    continue
            self.said[id(n)] = self._formula(n)
        self._outputs()
        for state, symbol, rate, init in zip(m.states, m.y, m.rhs, m.init, strict=True):
            unit = self.units.get(id(symbol))
            self._rule(self.sheet.createInitialAssignment(), identifier(state), self._part(init, unit))
            self._rule(self.sheet.createRateRule(), identifier(state), self._part(rate, unit and unit / HOUR))
        times = sorted({change.time_h for change in self.changes})
        for k, time in enumerate(times):
            self._event(k, time, [change for change in self.changes if change.time_h == time])

    def _outputs(self) -> None:
        """Outputs that have no rule yet: those that are a state, a slot, a number or another output."""
        labels = {identifier(n): n for n in self.wanted}
        for ident, label in labels.items():
            value = self.model.values[self.model.output[label]]
            if self.sheet.getParameter(ident) is None:
                unit = self._declared(label)
                self._named(ident, self._part(value, unit), False, unit)
            self.sheet.getParameter(ident).setName(label)

    def _formula(self, n: Expr) -> str:
        """A node in SBML's formula language, shared parts by name."""
        if isinstance(n, Symbol):
            return self.names[id(n)]
        if n.op == "const":
            return self._number(n.value, self.units.get(id(n)))
        said = [self._part(a, self._beside(n)) for a in n.args]
        if n.op == "where":  # its condition is a number with us, a truth value in SBML
            test, (yes, no) = n.args[0], said[1:]
            pair = [self._part(x, self._beside(test)) for x in test.args]
            a, b = pair if _test(test) else (said[0], self._number(0.5, ONE if self.units else None))
            return f"piecewise({yes}, {a} > {b}, {no})"
        if n.op not in _FORMULAS:
            raise ModelError(f"SBML export knows no operation '{n.op}'")
        return _FORMULAS[n.op].format(*said)

    def _number(self, value: float, unit: Unit | None) -> str:
        if not math.isfinite(value):
            raise ModelError(f"SBML cannot say the number {value}")
        text = f"{value!r} {self.definitions.name(unit)}" if unit else repr(value)
        return text if value >= 0 else f"({text})"

    def _part(self, n: Expr, unit: Unit | None) -> str:
        """A part of a formula; a literal zero is in the unit that is wanted."""
        return self._number(0.0, unit) if is_const(n, 0.0) and unit else self.said[id(n)]

    def _beside(self, n: Expr) -> Unit | None:
        """The unit that parts of this node share, where they do."""
        if not self.units or n.op not in _SHARING:
            return None
        args = n.args[1:] if n.op == "where" else n.args[:2]
        return joint(args, [self.units[id(a)] for a in args])

    def _declared(self, output: str) -> Unit | None:
        return self.model.model.output_meta[output].unit if self.units else None

    def _functions(self) -> None:
        if any(n.op == "hill" for n in order(self.roots)):
            f = self.sheet.createFunctionDefinition()
            f.setId("hill")
            f.setMath(self._math(_HILL))

    def _parameter(self, ident: str, name: str | None, value: float | None, constant: bool, unit: Unit | None) -> None:
        p = self.sheet.createParameter()
        p.setId(ident)
        p.setConstant(constant)
        if unit is not None:
            p.setUnits(self.definitions.name(unit))
        if name is not None:
            p.setName(name)
        if value is not None:
            if not math.isfinite(value):
                raise ModelError(f"'{name}' is {value}, which is not a finite number")
            p.setValue(value)

    def _named(self, ident: str, formula: str, constant: bool, unit: Unit | None) -> None:
        """A parameter that follows from others, once or at all times."""
        self._parameter(ident, None, None, constant, unit)
        create = self.sheet.createInitialAssignment if constant else self.sheet.createAssignmentRule
        self._rule(create(), ident, formula)

    def _rule(self, rule: Any, ident: str, formula: str) -> None:
        if isinstance(rule, self.lib.InitialAssignment):
            rule.setSymbol(ident)
        else:
            rule.setVariable(ident)
        rule.setMath(self._math(formula))

    def _event(self, number: int, time_h: float, changes: Sequence[Change]) -> None:
        """All that happens at one time; fires once, when time reaches it, also at time 0."""
        for change in changes:
            if not (math.isfinite(time_h) and time_h >= 0 and math.isfinite(change.value)):
                raise ModelError(f"SBML events start at 0 h and hold finite numbers, not {change}")
        event = self.sheet.createEvent()
        event.setId(f"event__{number}")
        event.setUseValuesFromTriggerTime(True)
        trigger = event.createTrigger()
        trigger.setInitialValue(False)
        trigger.setPersistent(True)
        trigger.setMath(self._math(f"time >= {self._number(time_h, HOUR if self.units else None)}"))
        m, net = self.model, {}
        for change in changes:
            before = net.get(change.name, Change(time_h, change.name, 0.0, add=True))
            net[change.name] = (
                change._replace(value=before.value + change.value, add=before.add) if change.add else change
            )
        for name, change in net.items():
            symbol = m.y[m.state[name]] if name in m.state else m.p[m.slot[name]]
            ident, value = identifier(name), self._number(change.value, self.units.get(id(symbol)))
            assignment = event.createEventAssignment()
            assignment.setVariable(ident)
            assignment.setMath(self._math(f"{ident} + {value}" if change.add else value))

    def _math(self, formula: str) -> Any:
        math_ = self.lib.parseL3Formula(formula)
        if math_ is None:
            raise ModelError(f"libSBML cannot read '{formula}': {self.lib.getLastParseL3Error()}")
        return math_


def _test(n: Expr) -> bool:
    """A comparison."""
    return n.op == "gt"
