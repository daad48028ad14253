"""Read a model of somebody else's, written in SBML (Levels 2 and 3), into equations that the engine runs.

A species is a state that holds its amount; in formulas its id stands for amount or concentration as the file says. What
an event changes is a state too, with no rate of its own. What never changes is an open input and may be given another
value. Comparisons of time with something constant become inputs that are switched when the time has come. Units are
not converted: numbers are taken as they stand, and time is in the file's unit.

Delays, algebraic rules, events that states trigger, priorities, fast reactions and whatever a package adds are refused
by name, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from afterglow.compile.sbml.formulas import Formulas, compared, opposite
from afterglow.compile.sbml.refusals import errors, flattened, refusals
from afterglow.compile.sbml.writer import libsbml
from afterglow.errors import Fault, InputError
from afterglow.lang import FlatModel, Input, Output, State
from afterglow.lang.expr import Expr, add, as_expr, const, div, mul, order
from afterglow.lang.model import FlatRoute

TIME = "csymbol.time"


@dataclass(frozen=True)
class Switch:
    """An input that is 0, and 1 from a time on. The time is made of inputs."""

    slot: str
    time: Expr


@dataclass(frozen=True)
class Event:
    """Something that happens once, at a time made of inputs: states get values, made of states and inputs.

    `at_start` says whether a time before the start, and one at the start, still counts; `frozen` whether values are
    those from before other events of the same time.
    """

    name: str
    time: Expr
    at_start: tuple[bool, bool]
    frozen: bool
    values: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True)
class Imported:
    """A model that was read: equations, what happens by time, and the name of its unit of time."""

    name: str
    model: FlatModel
    switches: tuple[Switch, ...]
    events: tuple[Event, ...]
    time_unit: str


def read_sbml(path: str | Path) -> Imported:
    """The model of an SBML file. Raises InputError, which names all that cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise InputError(Fault(str(path), f"cannot be read: {e}", "check the path")) from None
    return parse_sbml(text, Path(path).name)


def parse_sbml(text: str, place: str = "text") -> Imported:
    """The model of an SBML document; `place` names it in faults."""
    lib = libsbml()
    document = lib.readSBMLFromString(text)
    if faults := errors(lib, document, place):
        raise InputError(faults)
    faults = refusals(document, place)
    reader = _Reader(lib, flattened(lib, document), place)
    found = reader.model()
    if faults := [*faults, *dict.fromkeys(reader.faults)]:
        raise InputError(faults)
    return found


class _Reader:
    """Turns the parts of one document into expressions; things are looked up by id when a formula needs them."""

    def __init__(self, lib: ModuleType, sheet: Any, place: str) -> None:
        self.sheet, self.place = sheet, place
        self.now = Formulas(lib, self.value, self.time, self.compare)
        self.start = Formulas(lib, self.first, lambda: const(0.0), compared)
        self.faults = self.now.faults
        self.start.faults = self.faults
        self.inputs: dict[str, Input] = {}
        self.states: dict[str, State] = {}
        self.dots: dict[str, Expr] = {}
        self.inits: dict[str, Expr] = {}
        self.switches: dict[Expr, Switch] = {}
        self.known: dict[tuple[bool, str], Expr | None] = {}
        self.elements = {x.getId(): x for x in _each(sheet, "Compartment", "Species", "Parameter", "Reaction")}
        rules = list(_each(sheet, "Rule"))
        self.assigned = {r.getVariable(): r for r in rules if r.isAssignment()}
        self.rates = {r.getVariable(): r for r in rules if r.isRate()}
        self.initial = {a.getSymbol(): a for a in _each(sheet, "InitialAssignment")}
        self.stoichiometry = {r.getId(): r for r in _references(sheet) if r.getId()}
        events = list(_each(sheet, "Event"))
        self.moved = {a.getVariable() for e in events for a in _each(e, "EventAssignment")}
        for name in [*self.stoichiometry]:
            if name in self.assigned or name in self.rates or name in self.initial or name in self.moved:
                self.now.refuse(self._of(name), "a stoichiometry that is not a plain number")
        self.changed_by_reaction = self._reacting()

    # -- what an id stands for

    def value(self, name: str) -> Expr:
        """What an id stands for at any time."""
        return self._once(False, name, self._value)

    def first(self, name: str) -> Expr:
        """What an id stands for at the start, made of inputs."""
        return self._once(True, name, self._first)

    def _once(self, at_start: bool, name: str, find: Callable[[str], Expr]) -> Expr:
        key = at_start, name
        if key in self.known:
            found = self.known[key]
            return self.now.refuse(self._of(name), "a value that depends on itself") if found is None else found
        self.known[key] = None
        found = self.known[key] = find(name)
        return found

    def _value(self, name: str) -> Expr:
        if name in self.assigned:
            return self._formula(self.now, self.assigned[name])
        if name in self.stoichiometry:
            return const(float(self.stoichiometry[name].getStoichiometry()))
        element = self.elements[name]
        if element.getElementName() == "reaction":
            return self._law(self.now, element)
        if not self._changes(name):
            amount = element.getElementName() == "species" and not self._is_amount(element)
            varying = amount and not self._still(element.getCompartment())
            return div(self._first_amount(name), self._size(element)) if varying else self.first(name)
        state = self._state(name)
        in_amount = element.getElementName() != "species" or self._is_amount(element)
        return state if in_amount else div(state, self._size(element))

    def _first(self, name: str) -> Expr:
        if name in self.initial:
            return self._formula(self.start, self.initial[name])
        if name in self.assigned:
            return self._formula(self.start, self.assigned[name])
        if name in self.stoichiometry:
            return const(float(self.stoichiometry[name].getStoichiometry()))
        element = self.elements[name]
        kind = element.getElementName()
        if kind == "reaction":
            return self._law(self.start, element)
        if kind != "species":
            given = element.isSetSize() if kind == "compartment" else element.isSetValue()
            return self._input(name, element.getSize() if kind == "compartment" else element.getValue(), given)
        return self._first_species(name, element)

    def _first_species(self, name: str, element: Any) -> Expr:
        """The initial amount or concentration, whichever the id stands for."""
        in_amount = self._is_amount(element)
        if element.isSetInitialConcentration():
            found = self._input(name, element.getInitialConcentration(), True)
            return mul(found, self.first(element.getCompartment())) if in_amount else found
        found = self._input(name, element.getInitialAmount(), element.isSetInitialAmount())
        return found if in_amount else div(found, self.first(element.getCompartment()))

    def _first_amount(self, name: str) -> Expr:
        element = self.elements[name]
        in_amount = self._is_amount(element)
        return self.first(name) if in_amount else mul(self.first(name), self.first(element.getCompartment()))

    def _input(self, name: str, value: float, given: bool) -> Expr:
        if not given:
            return self.now.refuse(self._of(name), "a quantity without a value")
        full = f"initial.{name}" if self._changes(name) else name
        return self.inputs.setdefault(full, _named(Input("1", self._label(name), float(value)), full))

    def _state(self, name: str) -> Expr:
        """The state of an id that changes, with its initial value and, later, its rate."""
        if name not in self.states:
            species = self.elements[name].getElementName() == "species"
            self.states[name] = _named(State("1", self._label(name)), name)
            self.inits[name] = self._first_amount(name) if species else self.first(name)
        return self.states[name]

    def _changes(self, name: str) -> bool:
        """Whether something other than a formula changes it."""
        return name in self.rates or name in self.moved or name in self.changed_by_reaction

    def _still(self, name: str) -> bool:
        return not self._changes(name) and name not in self.assigned

    def _is_amount(self, species: Any) -> bool:
        return species.getHasOnlySubstanceUnits() or self.elements[species.getCompartment()].getSpatialDimensions() == 0

    def _size(self, species: Any) -> Expr:
        return self.value(species.getCompartment())

    def _reacting(self) -> set[str]:
        found = {r.getSpecies() for r in _references(self.sheet)}
        species = (self.elements[name] for name in found)
        return {s.getId() for s in species if not s.getBoundaryCondition() and not s.getConstant()}

    # -- time

    def time(self) -> Expr:
        """The time, as a state that grows evenly."""
        if TIME not in self.states:
            self.states[TIME] = _named(State("1", "time"), TIME)
            self.inits[TIME], self.dots[TIME] = const(0.0), const(1.0)
        return self.states[TIME]

    def compare(self, kind: str, a: Expr, b: Expr) -> Expr:
        """A comparison as a number; one of time with something constant is an input that is switched."""
        time = self.states.get(TIME)
        if time is None or time not in order([a, b]):
            return compared(kind, a, b)
        late = (a is time, kind) in ((True, "gt"), (True, "geq"), (False, "lt"), (False, "leq"))
        other = b if a is time else a
        if time not in (a, b) or kind in ("eq", "neq") or _uses_states(other):
            return self.now.refuse(self.place, "a condition on time in another form than time > constant")
        after = self._switch(other)
        return after if late else opposite(after)

    def _switch(self, time: Expr) -> Expr:
        """1 from a time on."""
        if time not in self.switches:
            full = f"switch.{len(self.switches)}"
            self.inputs[full] = _named(Input("1", "whether a time has come", 0.0), full)
            self.switches[time] = Switch(full, time)
        return self.inputs[self.switches[time].slot]

    # -- the model

    def model(self) -> Imported:
        """Everything that is in the document."""
        for name, element in self.elements.items():
            self.value(name)
            if element.getElementName() == "species" and self._changes(name) and name in self.assigned:
                self.now.refuse(self._of(name), "a species that a rule and something else determine")
        for name in [n for n in self.elements if self._changes(n)]:
            self._state(name)
            self.dots[name] = self._rate(name)
        events = tuple(filter(None, [self._event(e) for e in _each(self.sheet, "Event")]))
        values = {n: self.value(n) for n in self.elements if self._is_shown(n)}
        meta = {n: _named(Output(value, "1", self._label(n)), n) for n, value in values.items()}
        self._sizes()
        flat = FlatModel(
            states=self.states, params={}, values={}, open_inputs=self.inputs,
            inits={n: self.inits[n] for n in self.states}, dots={n: self.dots[n] for n in self.states},
            outputs=values, output_meta=meta, routes=self._routes(),
        )  # fmt: skip
        name = self.sheet.getName() or self.sheet.getId() or self.place
        return Imported(name, flat, tuple(self.switches.values()), events, self.sheet.getTimeUnits())

    def _routes(self) -> dict[str, FlatRoute]:
        """Doses and infusions may go into every species that changes, as amounts."""
        species = [n for n in self.states if n != TIME and self.elements[n].getElementName() == "species"]
        return {n: FlatRoute(f"into {n}", ((n, const(1.0), None),), None) for n in species}

    def _is_shown(self, name: str) -> bool:
        """Whether it changes or follows from a formula."""
        is_reaction = self.elements[name].getElementName() == "reaction"
        return name in self.assigned or is_reaction or _uses_states(self.value(name))

    def _sizes(self) -> None:
        """Typical magnitudes for error control: the largest value at the start that a number gives, or 1."""
        values = [abs(i.default or 0.0) for n, i in self.inputs.items() if n.startswith("initial.")]
        size = max(values, default=0.0) or 1.0
        for state in self.states.values():
            state.size = size

    def _rate(self, name: str) -> Expr:
        """The rate of change of a state."""
        element = self.elements[name]
        if name in self.rates:
            rate = self._formula(self.now, self.rates[name])
            if element.getElementName() != "species" or self._is_amount(element):
                return rate
            vessel = element.getCompartment()
            if vessel in self.assigned:
                return self.now.refuse(self._of(name), "a rate rule for a concentration in a vessel that a rule sizes")
            growth = self._formula(self.now, self.rates[vessel]) if vessel in self.rates else const(0.0)
            return add(mul(rate, self._size(element)), mul(self.value(name), growth))
        total = const(0.0)
        if name in self.changed_by_reaction:
            for reaction in _each(self.sheet, "Reaction"):
                for count in _counts(reaction, name):
                    total = add(total, mul(count, self.value(reaction.getId())))
            factor = element.getConversionFactor() or self.sheet.getConversionFactor()
            total = mul(self.value(factor), total) if factor else total
        return total

    def _event(self, event: Any) -> Event | None:
        place = self._of("event", event)
        trigger = event.getTrigger()
        node = trigger.getMath() if event.isSetTrigger() else None
        if node is None:
            self.now.read(node, place)
            return None
        kind = self.now.kinds[node.getType()].removeprefix("RELATIONAL_")
        if node.getNumChildren() != 2 or kind not in ("GT", "GEQ", "LT", "LEQ"):
            self.now.refuse(place, "an event that something else than time triggers")
            return None
        late, early = (0, 1) if kind in ("GT", "GEQ") else (1, 0)
        when = self.now.read(node.getChild(early), place)
        if self.now.kinds[node.getChild(late).getType()] != "NAME_TIME" or _uses_states(when):
            self.now.refuse(place, "an event that something else than time triggers")
            return None
        level2 = event.getLevel() < 3
        true_before = level2 or trigger.getInitialValue()
        frozen = level2 or event.getUseValuesFromTriggerTime()
        at_start = (not true_before, not true_before or kind in ("GT", "LT"))
        values = {a.getVariable(): self.now.read(a.getMath(), place) for a in _each(event, "EventAssignment")}
        amounts = tuple((name, self._amount(name, value, values)) for name, value in values.items())
        return Event(event.getId(), when, at_start, frozen, amounts)

    def _amount(self, name: str, value: Expr, values: dict[str, Expr]) -> Expr:
        """What the state of an id becomes when its id becomes `value`."""
        element = self.elements[name]
        if element.getElementName() != "species" or self._is_amount(element):
            return value
        vessel = element.getCompartment()
        return mul(value, values.get(vessel, self.value(vessel)))

    def _law(self, formulas: Formulas, reaction: Any) -> Expr:
        law = reaction.getKineticLaw()
        return formulas.read(law.getMath() if law is not None else None, self._of("the law of", reaction))

    def _formula(self, formulas: Formulas, element: Any) -> Expr:
        return formulas.read(element.getMath(), self._of(element.getElementName(), element))

    def _of(self, what: str, element: Any = None) -> str:
        """The place of something in the file."""
        name = element.getId() if element is not None else ""
        return f"{self.place}: {what} {name}".rstrip()

    def _label(self, name: str) -> str:
        return self.elements[name].getName() or name


def _named(symbol: Any, name: str) -> Any:
    symbol.name = name
    return symbol


def _each(owner: Any, *kinds: str) -> Iterator[Any]:
    """All elements of these kinds in an element."""
    for kind in kinds:
        for k in range(getattr(owner, f"getNum{kind}s" if kind != "Species" else "getNumSpecies")()):
            yield getattr(owner, f"get{kind}")(k)


def _references(sheet: Any) -> Iterator[Any]:
    """All reactants and products of all reactions."""
    for reaction in _each(sheet, "Reaction"):
        yield from _each(reaction, "Reactant", "Product")


def _counts(reaction: Any, name: str) -> Iterator[Expr]:
    """How often a species is made by a reaction; less than zero where it is used up."""
    for sign, kind in ((-1.0, "Reactant"), (1.0, "Product")):
        for one in _each(reaction, kind):
            if one.getSpecies() == name:
                yield const(sign * float(one.getStoichiometry()))


def _uses_states(x: Expr) -> bool:
    return any(isinstance(n, State) for n in order([as_expr(x)]))
