"""Trial files that ask for several trials: a field that takes one value may be given a list of them.

    arms:
      - {name: ketamine, course: iv-single, n: [20, 40, 80]}
    blinding: {raters: [site, remote]}

means six scenarios, every combination, in the order of the file (the last list runs fastest). A field that itself takes
a list (visits, endpoints) varies when it is given a list of lists.
"""

from __future__ import annotations

import copy
import itertools
import math
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from afterglow.clinic.course import Course
from afterglow.clinic.files import Document, Loc, Strict, model_from_document, parse, read_text, shipped_text
from afterglow.clinic.trial import Trial, shipped_trials
from afterglow.errors import Fault, InputError, nearest

MOST = 100_000  # scenarios of one file


@dataclass(frozen=True)
class Scenario:
    """One combination of the varied fields."""

    number: int
    varied: Mapping[str, Any]  # by path in the file, as "arms[0].n"
    trial: Trial
    document: Document
    chosen: tuple[tuple[Loc, Any], ...] = ()  # the same by place


def filled(scenario: Scenario) -> Any:
    """The file as plain data, with the values of this scenario in place of their lists."""
    return _filled(scenario.document.data, scenario.chosen)


def load_scenarios(name_or_path: str | Path) -> list[Scenario]:
    """The scenarios of a shipped trial by name, or of a trial file by path; all faults at once, each with its line."""
    text = str(name_or_path)
    if text in shipped_trials():
        return scenarios(parse(shipped_text(f"designs/{text}.yaml"), f"{text}.yaml"))
    if Path(text).suffix in (".yaml", ".yml") or Path(text).is_file():
        return scenarios(parse(read_text(text), text))
    raise InputError(
        Fault("TRIAL", f"there is no trial '{text}'", nearest(text, shipped_trials()) + " Or name a .yaml file.")
    )


def scenarios(document: Document) -> list[Scenario]:
    """The scenarios of a parsed file."""
    axes = list(_axes(document.data, Trial, ()))
    if empty := [loc for loc, values in axes if not values]:
        raise InputError(
            [Fault(document.place(loc), f"{_path(loc)} is an empty list", "write a value") for loc in empty]
        )
    count = math.prod(len(values) for _, values in axes)
    if count > MOST:
        raise InputError(Fault(document.place(axes[0][0]), f"{count} scenarios", f"at most {MOST}; vary fewer fields"))
    found: list[Scenario] = []
    faults: list[Fault] = list(document.faults)
    for number, chosen in enumerate(itertools.product(*(values for _, values in axes))):
        chosen_at = tuple((loc, value) for (loc, _), value in zip(axes, chosen, strict=True))
        data = _filled(document.data, chosen_at)
        varied = {_path(loc): value for (loc, _), value in zip(axes, chosen, strict=True)}
        try:
            trial = model_from_document(Trial, data, document)
        except InputError as error:
            faults += [one for one in error.faults if one not in faults]
            continue
        found.append(Scenario(number, varied, trial, document, chosen_at))
    if faults:
        raise InputError(faults)
    return found


def _axes(data: Any, model: type[Strict], loc: Loc) -> Iterator[tuple[Loc, list[Any]]]:
    """Fields that hold several values: where, and which."""
    if not isinstance(data, dict):
        return
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    for key, value in data.items():
        if key not in fields:
            continue
        here = (*loc, key)
        listed, inner = _shape(fields[key].annotation)
        if key == "course":
            inner = Course
        if isinstance(value, list) and (not listed or (value and all(isinstance(one, list) for one in value))):
            yield here, value
        elif isinstance(value, list) and inner is not None:
            for k, one in enumerate(value):
                yield from _axes(one, inner, (*here, k))
        elif inner is not None:
            yield from _axes(value, inner, here)


def _shape(annotation: Any) -> tuple[bool, type[Strict] | None]:
    """Whether a field takes a list, and the model of its entries (or of itself), if any."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _shape(get_args(annotation)[0])
    if origin in (tuple, list):
        return True, _shape(get_args(annotation)[0])[1]
    if origin in (Union, types.UnionType):
        parts = [_shape(one) for one in get_args(annotation)]
        return any(listed for listed, _ in parts), next((inner for _, inner in parts if inner is not None), None)
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return False, annotation
    return False, None


def _filled(data: Any, chosen: tuple[tuple[Loc, Any], ...]) -> Any:
    if not chosen:
        return data
    out = copy.deepcopy(data)
    for loc, value in chosen:
        inner = out
        for part in loc[:-1]:
            inner = inner[part]
        inner[loc[-1]] = value
    return out


def _path(loc: Loc) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)
    return text.removeprefix(".")
