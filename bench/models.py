"""What is simulated: the whole model on the main course, and a two-compartment model with 1 to 200 doses."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from afterglow import streams
from afterglow.compile.numpy_code import FloatArray, numpy_function
from afterglow.compile.program import Program, hoisted, program, tidy
from afterglow.compile.resting import without_resting
from afterglow.engine.actions import ADD_SLOT, SET_SLOT, Actions, Table
from afterglow.lang import Model, evaluate
from afterglow.lang.expr import Expr, Symbol, order, rebuild
from afterglow.library.textbook import TwoCompartments
from afterglow.machine import Machine
from afterglow.systems.whole import ROUTES, whole

DAYS, WEIGHT, DOSE_MG_KG, OVER_H = (1, 3, 5, 8, 10, 12), 70.0, 0.5, 40 / 60
TIMES = 24.0 * np.arange(57)
PK_EVERY_H, PK_DOSE_MG, PK_DAYS = 12.0, 100.0, 101


@dataclass(frozen=True)
class Case:
    """A model, a course, the times (h) and the one output that is compared."""

    name: str
    model: Program
    output: str
    times: FloatArray
    doses: int

    def people(self, count: int, first: int = 0) -> FloatArray:
        """Parameter slots [slots, count] of patients first, first + 1, ..."""
        return people(self.model, count, first)

    def actions(self, count: int) -> Actions:
        """The course, the same for everybody."""
        return course(self.model, count) if self.name == "whole" else pk_doses(self.model, count, self.doses)


def case(name: str, doses: int = 10) -> Case:
    """Six infusions of 0.5 mg/kg in two weeks, 56 days, an output a day ("whole"), or swallowed doses ("pk")."""
    if name == "whole":
        return Case(name, program(whole().flatten()), "mood.madrs", TIMES, len(DAYS))
    m = Model("pk")
    m.add(TwoCompartments, "pk")
    return Case(name, program(m.flatten()), "pk.CP", 24.0 * np.arange(PK_DAYS + 1), doses)


def timed(call, *arguments, **options):
    """Seconds and result of a call."""
    begin = time.perf_counter()
    result = call(*arguments, **options)
    return time.perf_counter() - begin, result


def people(model: Program, count: int, first: int = 0) -> FloatArray:
    """Parameter slots of patients who differ by every declared spread; where there is none, by 30 % in everything."""
    slots = np.repeat(np.array(model.defaults)[:, None], count, axis=1)
    params = model.model.params
    bare = all(p.spread is None for p in params.values())
    for name, p in params.items():
        if name not in model.slot or (p.spread is None and not bare):
            continue
        eta = streams.normal(1, 0, range(first, first + count), f"bench/{name}")[:, 0]
        row = slots[model.slot[name]]
        if p.spread is None:
            row *= np.exp(0.3 * eta)
        elif p.spread.kind == "lognormal":
            row *= np.exp(p.spread.size * eta)
        elif p.spread.kind == "logitnormal":
            row[:] = 1 / (1 + (1 - row) / row * np.exp(-p.spread.size * eta))
        else:
            row[:] = np.clip(row + p.spread.size * eta, *p.bounds)
    return slots


def course(model: Program, count: int) -> Actions:
    """Six infusions, and what a person notices of them."""
    who, actions = np.arange(count), Actions()
    values: dict[Expr, float] = {p: model.model.values[n] for n, p in model.model.params.items()}
    values |= {i: i.default or 0.0 for i in model.model.open_inputs.values()}
    actions.set(who, 0.0, model.slot["expectancy.contact"], 1.0)
    for start in (24.0 * (day - 1) for day in DAYS):
        for route, share in ROUTES[("ketamine", "iv")]:
            for state, fraction, _ in model.model.routes[route].into:
                amount = share * DOSE_MG_KG * WEIGHT * evaluate([fraction], values)[0]
                actions.infusion(who, start, model.slot[f"rate:{state}"], amount, OVER_H)
        actions.set(who, start, model.slot["expectancy.iv_session"], 1.0)
        actions.set(who, start + 2.0, model.slot["expectancy.iv_session"], 0.0)
    return actions


def pk_doses(model: Program, count: int, doses: int) -> Actions:
    """Tablets, 12 h apart, then nothing; the time that is simulated is the same for 1 and for 200."""
    who, actions = np.arange(count), Actions()
    for k in range(doses):
        actions.bolus(who, PK_EVERY_H * k, model.state["pk.depot"], PK_DOSE_MG)
    return actions


@dataclass(frozen=True)
class Lean:
    """A case as the peers get it: only slots that change on the way are left, everything constant is worked out.

    What afterglow does by itself (`compile.program.hoisted`) is done for the peers too, so that they are not slow for
    want of it.
    """

    model: Program
    slots: FloatArray  # [slots, patients]
    start: FloatArray  # [states, patients]
    table: Table
    changing: tuple[str, ...]


def lean(of: Case, count: int, reduced: bool = False) -> Lean:
    """The first `count` patients of a case, ready for a peer; `reduced` to the states that the course moves."""
    model, table = of.model, of.actions(count).table(count)
    if reduced:
        moved = Machine(model).moved(table, of.people(count))
        small = without_resting(model, *moved)
        of_slot = np.isin(table.kind, (ADD_SLOT, SET_SLOT))
        number = {model.state[n]: k for k, n in enumerate(small.states)}
        place = [q if slot else number[q] for q, slot in zip(table.place.tolist(), of_slot, strict=True)]
        model, table = small, replace(table, place=np.array(place, np.int64))
    places = list(zip(table.place, np.isin(table.kind, (ADD_SLOT, SET_SLOT)), strict=True))
    changing = tuple(sorted({model.slots[q] for q, of_slot in places if of_slot}))
    fixed: set[Expr] = {s for n, s in zip(model.slots, model.p, strict=True) if n not in changing}
    roots = tidy([*model.rhs, *model.init, model.values[model.output[of.output]]], fixed)
    parts = hoisted(roots, fixed)
    held = [Symbol(f"held{k}", None) for k in range(len(parts))]
    done: dict[int, Expr] = {id(x): s for x, s in zip(parts, held, strict=True)}
    for n in order(roots):
        if id(n) not in done:
            done[id(n)] = _without_where(n.op, tuple(done[id(a)] for a in n.args)) if n.args else n
    new, k = [done[id(r)] for r in roots], len(model.y)
    moving = [model.p[model.slot[n]] for n in changing]
    work_out = numpy_function([*moving, *parts], model.y, model.p)
    slots = _rows(work_out(np.zeros((k, count)), of.people(count)), count)
    small = replace(
        model, slots=(*changing, *(s.name for s in held)), p=(*moving, *held), defaults=tuple(map(float, slots[:, 0])),
        rhs=tuple(new[:k]), init=tuple(new[k : 2 * k]), outputs=(of.output,), values=(new[-1],),
    )  # fmt: skip
    start = _rows(numpy_function(small.init, small.y, small.p)(np.zeros((k, count)), slots), count)
    moved = np.array([small.slot[model.slots[q]] if of_slot else q for q, of_slot in places], np.int64)
    return Lean(small, slots, start, replace(table, place=moved), changing)


def _rows(values: list[FloatArray], count: int) -> FloatArray:
    return np.array([np.broadcast_to(x, count) for x in values], float)


def _without_where(op: str, args: tuple[Expr, ...]) -> Expr:
    """A choice as arithmetic: libRoadRunner stops at every switch of a `piecewise`, many times for nothing."""
    if op != "where":
        return rebuild(op, args)
    test, yes, no = args
    return no + (yes - no) * test
