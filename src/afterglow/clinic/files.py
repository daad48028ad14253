"""Read a YAML file into a pydantic model and report every fault at once, each with its line and a remedy.

A file is composed (not only loaded), so that every key and value keeps its line. `Strict` is the base of all models
that users write: it refuses unknown keys, translates pydantic's errors into words, and checks rules across fields even
when other fields of the same model are wrong, so that one reading shows all faults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, TypeAdapter, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from afterglow.errors import Fault, InputError, nearest

if TYPE_CHECKING:
    import yaml

Loc = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

_MAX_NODES = 50_000  # far above any course; stops files whose aliases multiply without end


class Wrong(ValueError):
    """A value that cannot be used: what is wrong with it, what to do, and where inside the model it stands."""

    def __init__(self, problem: str, remedy: str = "", at: Loc = ()) -> None:
        super().__init__(problem)
        self.problem, self.remedy, self.at = problem, remedy, at

    def __str__(self) -> str:
        return self.problem + (f" ({self.remedy})" if self.remedy else "")


# ------------------------------------------------------------------------------------------------ models


class Strict(BaseModel):
    """Base of the models that users write: unknown keys are refused, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Iterator[Wrong]:
        """Rules across fields. `good` holds the fields that are fine by themselves, under their Python names."""
        del good
        return iter(())

    @classmethod
    def unknown_key(cls, key: str) -> str:
        """What to do about a key that this model does not have."""
        return nearest(key, _keys(cls))

    @model_validator(mode="wrap")
    @classmethod
    def _report_all(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        value, found = None, []
        try:
            value = handler(data)
            good = {name: getattr(value, name) for name in cls.model_fields}
        except ValidationError as error:
            found = [_detail(cls, one) for one in error.errors() if not _follows(one, error.errors())]
            good = _good_fields(cls, data)
        found += [_custom(wrong.problem, wrong.remedy, wrong.at, data) for wrong in cls.rules(good)]
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return value


def _follows(error: Any, errors: list[Any]) -> bool:
    """Whether a list is called too short only because its entries are wrong, which is said by itself."""
    loc = error["loc"]
    return error["type"] == "too_short" and any(
        len(o["loc"]) > len(loc) and o["loc"][: len(loc)] == loc for o in errors
    )


def _custom(problem: str, remedy: str, loc: Loc, data: Any) -> InitErrorDetails:
    kind = PydanticCustomError("afterglow", "{problem}", {"problem": problem, "remedy": remedy})
    return InitErrorDetails(type=kind, loc=loc, input=data)


def _keys(model: type[BaseModel]) -> dict[str, str]:
    """The model's keys as a user writes them, and the Python names behind them."""
    return {field.alias or name: name for name, field in model.model_fields.items()}


def _detail(model: type[Strict], error: Any) -> InitErrorDetails:
    """One of pydantic's errors in our words."""
    loc, kind, value, context = error["loc"], error["type"], error["input"], error.get("ctx", {})
    key = str(loc[-1]) if loc else "this"
    wrong = context.get("error")
    if kind == "afterglow":
        problem, remedy = context["problem"], context["remedy"]
    elif isinstance(wrong, Wrong):
        problem, remedy = wrong.problem, wrong.remedy
    elif kind == "extra_forbidden":
        problem, remedy = f"unknown key '{key}'", model.unknown_key(key)
    elif kind == "missing":
        problem, remedy = f"'{key}' is missing", _description(model, key)
    elif kind == "literal_error":
        known = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        problem, remedy = f"{key} {_shown(value)} is not known", nearest(str(value).lower(), known)
    elif kind in ("model_type", "model_attributes_type"):
        problem, remedy = f"{key} must be a block of keys, not {_shown(value)}", "keys: " + ", ".join(_keys(model))
    elif kind == "string_pattern_mismatch":
        problem, remedy = f"{key} {_shown(value)} is not allowed", _description(model, key)
    elif kind in ("tuple_type", "list_type"):
        problem, remedy = f"{key} must be a list, not {_shown(value)}", "write each entry behind a '- ', or [a, b, c]"
    else:
        message = str(error["msg"]).removeprefix("Input should be ").removeprefix("Value error, ")
        problem, remedy = f"{key} is {_shown(value)}", message
    return _custom(problem, remedy, loc, value)


def _description(model: type[BaseModel], key: str) -> str:
    names = _keys(model)
    return (model.model_fields[names[key]].description or "") if key in names else ""


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


@cache
def _field_adapters(model: type[BaseModel]) -> dict[str, TypeAdapter[Any]]:
    return {name: TypeAdapter(field.rebuild_annotation()) for name, field in model.model_fields.items()}


def _good_fields(model: type[BaseModel], data: Any) -> dict[str, Any]:
    """The fields of `data` that are fine by themselves."""
    good: dict[str, Any] = {}
    if not isinstance(data, dict):
        return good
    for key, name in _keys(model).items():
        field = model.model_fields[name]
        if key in data:
            try:
                good[name] = _field_adapters(model)[name].validate_python(data[key])
            except ValidationError:
                continue
        elif not field.is_required():
            good[name] = field.get_default(call_default_factory=True)
    return good


# ------------------------------------------------------------------------------------------------ documents


@dataclass(frozen=True)
class Document:
    """A YAML text: its contents, the line of every key and value, and what is wrong with it as YAML."""

    name: str
    data: Any
    lines: dict[Loc, int]
    faults: tuple[Fault, ...] = ()

    def place(self, loc: Loc) -> str:
        """`name:line` of the innermost known part of a path."""
        while loc not in self.lines and loc:
            loc = loc[:-1]
        return f"{self.name}:{self.lines.get(loc, 1)}"


def parse(text: str, name: str) -> Document:
    """Parse one YAML document; broken YAML raises `InputError`, repeated or odd keys are kept as faults."""
    import yaml

    loader = yaml.SafeLoader(text)
    try:
        node = _fast_node(text) or loader.get_single_node()
        if node is None:
            raise InputError(Fault(f"{name}:1", "the file is empty", "see the shipped courses for the form"))
        walk = _Walk(loader, name)
        data = walk.value(node, ())
    except yaml.YAMLError as error:
        raise InputError(_yaml_fault(error, name)) from error
    finally:
        loader.dispose()
    return Document(name, data, walk.lines, tuple(walk.faults))


def _fast_node(text: str) -> yaml.Node | None:
    """The document by libyaml, ten times as fast; None where it is missing or refuses, as its messages are worse."""
    import yaml

    if not hasattr(yaml, "CSafeLoader"):
        return None
    loader = yaml.CSafeLoader(text)
    try:
        return loader.get_single_node()
    except yaml.YAMLError:
        return None
    finally:
        loader.dispose()


def _yaml_fault(error: yaml.YAMLError, name: str) -> Fault:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    place = f"{name}:{mark.line + 1}" if mark else name
    remedy = (
        "use spaces, not tabs"
        if "\\t" in str(problem)
        else "check indentation, colons, quotes and brackets here or above"
    )
    return Fault(place, f"not valid YAML: {problem}", remedy)


class _Walk:
    """Turns composed nodes into Python values and remembers lines."""

    def __init__(self, loader: yaml.SafeLoader, name: str) -> None:
        self.loader, self.name = loader, name
        self.lines: dict[Loc, int] = {}
        self.faults: list[Fault] = []
        self.count = 0

    def value(self, node: Any, loc: Loc) -> Any:
        import yaml

        self.count += 1
        if self.count > _MAX_NODES or len(loc) > 50:
            raise InputError(Fault(f"{self.name}:{node.start_mark.line + 1}", "the file is too large or too deep"))
        self.lines.setdefault(loc, node.start_mark.line + 1)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*loc, i)) for i, item in enumerate(node.value)]
        if not isinstance(node, yaml.MappingNode):
            return self.loader.construct_object(node)
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                self.faults.append(Fault(f"{self.name}:{line}", "a key must be a word", "write `key: value`"))
            elif key in result:
                first = self.lines[(*loc, key)]
                problem = f"the key '{key}' is written twice"
                self.faults.append(Fault(f"{self.name}:{line}", problem, f"first in line {first}; keep one"))
            else:
                self.lines[(*loc, key)] = line
                result[key] = self.value(value_node, (*loc, key))
        return result


def read_text(path: Path | str) -> str:
    """Text of a user's file, or an `InputError` that says why it cannot be read."""
    path = Path(path)
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        known = [one.name for one in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
        remedy = nearest(path.name, known) if known else "check the path"
        raise InputError(Fault(str(path), "no such file", remedy)) from None
    except UnicodeDecodeError:
        raise InputError(Fault(str(path), "is not text in UTF-8", "save it as UTF-8")) from None
    except OSError as error:
        raise InputError(Fault(str(path), f"cannot be read: {error.strerror}", "name a YAML file")) from None


def read_model(model: type[M], path: Path | str) -> M:
    """Read a user's YAML file into `model`; all faults with `path:line`."""
    return model_from_text(model, read_text(path), str(path))


def model_from_text(model: type[M], text: str, name: str) -> M:
    """Read YAML text into `model`; all faults with `name:line`."""
    document = parse(text, name)
    return _build(model, document.data, document.place, document.faults)


def model_from_data(model: type[M], data: Any, name: str) -> M:
    """Check plain Python data against `model`; faults are placed like `name.doses[0].drug`."""

    def place(loc: Loc) -> str:
        return name + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc)

    return _build(model, data, place, ())


def model_from_document(model: type[M], data: Any, document: Document) -> M:
    """Check data that stem from a parsed file against `model`; faults are placed in that file."""
    return _build(model, data, document.place, ())


def _build(model: type[M], data: Any, place: Callable[[Loc], str], known: tuple[Fault, ...]) -> M:
    value, faults = None, list(known)
    try:
        value = model.model_validate(data)
    except ValidationError as error:
        for one in error.errors():
            context = one.get("ctx", {})
            faults.append(Fault(place(one["loc"]), context.get("problem", one["msg"]), context.get("remedy", "")))
    if faults or value is None:
        raise InputError(sorted(faults, key=_by_line))
    return value


def _by_line(fault: Fault) -> tuple[str, int]:
    name, _, line = fault.place.rpartition(":")
    return (name, int(line)) if line.isdigit() else (fault.place, 0)


# ------------------------------------------------------------------------------------------------ package data


def shipped_text(path: str) -> str:
    """Text of a file of the package data, for instance `courses/ssri.yaml`."""
    return package_files("afterglow.data").joinpath(path).read_text(encoding="utf-8")


def shipped_names(folder: str) -> list[str]:
    """Names (without ending) of the YAML files in a folder of the package data, sorted."""
    entries = package_files("afterglow.data").joinpath(folder).iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))
