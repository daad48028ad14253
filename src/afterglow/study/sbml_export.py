"""The whole model, or one system, as an SBML file that says where its numbers come from.

The file holds one person: the typical one, or what a person file says of somebody; what it does not say is typical. A
course becomes dated events. What depends on scores of the moment (checks, maintenance) SBML cannot say without raters,
and it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow import data
from afterglow.blocks import Block
from afterglow.clinic.course import Course, load_course
from afterglow.clinic.person import Person, load_person
from afterglow.clinic.population import CRP_HIGH
from afterglow.compile.program import Program, program
from afterglow.compile.sbml import About, Change, Note, sbml
from afterglow.compile.text import spread
from afterglow.compile.vector import LANES
from afterglow.compiled import Compiled, compiled, parameters
from afterglow.engine.actions import ADD_SLOT, ADD_STATE, Table
from afterglow.errors import Fault, InputError, ModelError, nearest
from afterglow.lang import Expr, Model, evaluate
from afterglow.simulate import Arm
from afterglow.study.compare import check_numbers
from afterglow.systems import catalogue
from afterglow.systems.variants import VARIANTS
from afterglow.systems.whole import COVARIATES

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.data.schema import Citation

FloatArray = NDArray[np.float64]
CREATOR = "The afterglow developers"
LICENCE = "https://spdx.org/licenses/Apache-2.0"


@dataclass(frozen=True)
class Written:
    """One person's model: the program with that person's numbers as defaults, and what a course does to them."""

    model: Program
    changes: tuple[Change, ...]


def document(
    system: str | None = None,
    *,
    course: str | Path | Course | None = None,
    person: Person | Path | None = None,
    weeks: float = 8.0,
    variant: str | None = None,
    notice: str = "",
) -> str:
    """The SBML document.

    Args:
        system: one system alone, its inputs open and held where they rest in the whole model; default the whole model.
        course: what is done, as events; of the whole model only.
        person: who it is; default the typical person.
        weeks: how much of the course.
        variant: a rival mechanism.
        notice: a line for the notes of the model.

    Raises InputError, and ModelError for what SBML cannot say.
    """
    if course is not None and not isinstance(course, Course):
        course = load_course(course)
    one = written(system, course=course, person=person, weeks=weeks, variant=variant)
    name = "afterglow" if system is None else system
    lines = (notice, *_words(course, person, weeks, variant))
    about = About(name, Note(tuple(line for line in lines if line)), CREATOR, LICENCE)
    return sbml(one.model, changes=one.changes, name=name, notes=notes(one.model), about=about)


def written(
    system: str | None = None,
    *,
    course: str | Path | Course | None = None,
    person: Person | Path | None = None,
    weeks: float = 8.0,
    variant: str | None = None,
) -> Written:
    """What a document says in numbers; arguments as of `document`."""
    faults = check_numbers(1, weeks, 1)
    known = compiled().model.parts
    if system is not None and system not in known:
        faults.append(Fault("--system", f"there is no system '{system}'", nearest(system, known)))
    if system is not None and course is not None:
        faults.append(Fault("--course", "a course acts on the whole model", "leave out --system or --course"))
    if variant is not None and variant not in VARIANTS:
        faults.append(Fault("--variant", f"'{variant}' is not a variant", nearest(variant, VARIANTS)))
    if faults:
        raise InputError(faults)
    model = compiled(variant)
    someone = load_person(person) if isinstance(person, Path) else person
    slots, changes = _planned(model, someone, course, weeks, variant)
    whole = replace(model.program, defaults=tuple(slots.tolist()))
    return Written(whole if system is None else _alone(model.model, whole, system), changes)


def _words(course: Course | None, person: Person | Path | None, weeks: float, variant: str | None) -> list[str]:
    found = ["One person: " + ("the typical one." if person is None else "what a person file says, else typical.")]
    if course is not None:
        found.append(f"Course: {course.name}, {weeks:g} weeks. Time 0 is the start of day 1.")
    if variant is not None:
        found.append(f"Variant {variant}: {VARIANTS[variant].meaning}.")
    return found


def _planned(
    model: Compiled, person: Person | None, course: str | Path | Course | None, weeks: float, variant: str | None
) -> tuple[FloatArray, tuple[Change, ...]]:
    """Parameter slots of the person, and what the course plans."""
    people = _people(model, person)
    block = Block(people, range(LANES), luck={purpose: np.zeros(LANES) for purpose, _ in model.etas.values()})
    if course is None:
        return parameters(model, people, 1, 0, block.who, luck=block.luck)[:, 0], ()
    course = course if isinstance(course, Course) else load_course(course)
    if decisions := course.decisions(weeks):
        rules = ", ".join(dict.fromkeys(one.rule for one in decisions))
        raise ModelError(
            f"course '{course.name}' decides by scores ({rules}), and SBML has dated events only: take a course "
            "without checks and maintenance, or fewer weeks"
        )
    arm = Arm(course, patients=LANES, weeks=weeks, population=people, variant=variant)
    slots, actions = arm.planned(block)
    return slots[:, 0], _changes(model.program, slots[:, 0], actions.table(LANES))


def _people(model: Compiled, person: Person | None) -> pd.DataFrame:
    """The same person in every row: what is known, and typical values for the rest."""
    import pandas as pd

    usual = {column: model.program.defaults[model.program.slot[names[0]]] for column, names in COVARIATES.items()}
    known = {} if person is None else person.known()
    if "crp" in known:
        known["crp_high"] = float(known["crp"] > CRP_HIGH)
    return pd.DataFrame([usual | known] * LANES)


def _changes(model: Program, slots: FloatArray, table: Table) -> tuple[Change, ...]:
    """The first person's actions, with names; slots get values, so that a simulator that runs again begins anew."""
    found, now = [], slots.copy()
    for k in range(table.start[0], table.start[1]):
        kind, place, time, value = (float(column[k]) for column in (table.kind, table.place, table.time, table.value))
        if kind == ADD_STATE:
            found.append(Change(time, model.states[int(place)], value, add=True))
        else:
            now[int(place)] = value + (now[int(place)] if kind == ADD_SLOT else 0.0)
            found.append(Change(time, model.slots[int(place)], float(now[int(place)])))
    return tuple(found)


def _alone(model: Model, whole: Program, name: str) -> Program:
    """One system of the whole, its inputs held where they are before anything is done."""
    slots: dict[Expr, float] = dict(zip(whole.p, whole.defaults, strict=True))
    start = slots | dict(zip(whole.y, evaluate(whole.init, slots), strict=True))
    driven = {w.target: w for w in model.wires if w.target.split(".")[0] == name}
    sources = [whole.values[whole.output[w.source]] for w in driven.values()]
    resting = dict(zip(driven, evaluate(sources, start), strict=True))
    held = {target: driven[target].factor * value for target, value in resting.items()}
    own = {n: v for n, v in zip(whole.slots, whole.defaults, strict=True) if n.split(".")[0] == name}
    inputs = {n: v for n, v in own.items() if n in whole.model.open_inputs}
    fixed = {n: v for n, v in model.fixed.items() if n.split(".")[0] == name}
    fixed |= {n: v for n, v in own.items() if n in whole.model.params}
    return program(Model(name, {name: model.parts[name]}, [], fixed, held | inputs).flatten())


def notes(model: Program) -> dict[str, Note]:
    """What is known of every state, input, parameter and output, by name."""
    flat, records = model.model, data.parameter_records()
    found = {n: Note((s.meaning,)) for n, s in (*flat.states.items(), *flat.open_inputs.items())}
    found |= {n: Note((f"Infusion into {n.removeprefix('rate:')}.",)) for n in model.slots if n.startswith("rate:")}
    for n, p in flat.params.items():
        record = records.get(p.source)
        cited = record.citation if record else None
        more = [f"Grade: {catalogue.grade(p.source)}."]
        more += [f"Source: {str(cited).rstrip('.')}."] if cited else []
        more += [f"Derived: {record.derivation}"] if record and record.derivation else []
        more += [f"Between people: {spread(p)}."] if p.spread else []
        found[n] = Note((p.meaning, *more), tuple(_addresses(cited)))
    return found | {n: Note((one.meaning,)) for n, one in flat.output_meta.items()}


def _addresses(cited: Citation | None) -> Sequence[str]:
    """Where a source is found, as MIRIAM writes it."""
    if cited is None:
        return ()
    named = {"doi": cited.doi, "pubmed": cited.pmid, "pmc": cited.pmcid}
    found = [f"https://identifiers.org/{kind}:{value}" for kind, value in named.items() if value]
    return found or ([cited.url] if cited.url else [])
