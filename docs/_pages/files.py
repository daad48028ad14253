"""The reference of file formats, from the JSON Schemas in docs/schema."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from _pages.markdown import cell, described, slug, table
from afterglow.clinic.drugs import DRUGS, ROUTES

SCHEMAS = Path(__file__).parents[1] / "schema"
TITLES = {
    "course": "Course file",
    "person": "Person file",
    "population": "Population file",
    "trial_design": "Trial file",
    "claims": "Claims file",
    "parameters": "Parameter records",
    "trial": "Trial records",
    "fit_rows": "Rows of the calibration",
}


EXAMPLES = {
    "course": "src/afterglow/data/courses/iv-boosters.yaml",
    "person": "examples/person.yaml",
    "population": "src/afterglow/data/populations/mdd.yaml",
    "trial_design": "src/afterglow/data/designs/ketamine-midazolam.yaml",
    "claims": "examples/claim.yaml",
    "trial": "src/afterglow/data/trials/phillips2019.yaml",
}


def pages() -> dict[str, str]:
    """A page a schema, by name, and the index."""
    index = "# File formats\n\nMade from the JSON Schemas, which editors read while one types. Rules across fields\n"
    index += "come on reading: a file that cannot be used is refused with all faults at once, each with its line.\n\n"
    index += "```{toctree}\n" + "".join(f"{name}\n" for name in TITLES) + "```\n"
    return {"index": index} | {name: page(name) for name in TITLES}


def page(name: str) -> str:
    """The page of one schema."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    parts = schema.get("$defs", {})
    text = f"# {TITLES[name]}\n\n[{name}.schema.json](../../schema/{name}.schema.json) is the schema.\n\n"
    if "properties" in schema:
        text += "## The file\n\n" + _block(schema)
    else:
        text += "The file is one of: " + ", ".join(_type(one) for one in schema["anyOf"]) + ".\n\n"
    text += "".join(f"## {key}\n\n" + _block(parts[key]) for key in _by_use(schema))
    text += _drugs() if name == "course" else ""
    if name in EXAMPLES:
        text += f"## Example\n\n`{EXAMPLES[name]}`\n\n"
        text += f"```{{literalinclude}} ../../../{EXAMPLES[name]}\n:language: yaml\n```\n"
    return text


def _drugs() -> str:
    """What may be given, and how."""
    rows = [(f"`{one.name}`", cell(one.title), ", ".join(f"`{way}`" for way in one.routes)) for one in DRUGS.values()]
    ways = [(f"`{name}`", cell(words)) for name, words in ROUTES.items()]
    head = "## Drugs and routes\n\n"
    return head + table(("drug", "what it is", "routes"), rows) + "\n" + table(("route", "what it is"), ways) + "\n"


def _by_use(schema: dict[str, Any]) -> list[str]:
    """The parts of a schema in the order in which the file leads to them."""
    found: list[str] = []

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for one in node:
                walk(one)
        elif isinstance(node, dict):
            key = str(node.get("$ref", "")).rpartition("/")[2]
            if key and key not in found:
                found.append(key)
                walk(schema["$defs"][key])
            walk([value for name, value in node.items() if name != "$defs"])

    walk(schema)
    return found


def _block(part: dict[str, Any]) -> str:
    """What a block is, and its fields."""
    lead = re.sub(r"; see the top of this file.*", ".", part.get("description", "").split("\n\n")[0])
    text = f"{described(lead)}\n\n" if lead else ""
    if "properties" not in part:
        return text + _type(part) + "\n\n"
    needed = part.get("required", [])
    rows = []
    for name, field in part["properties"].items():
        default = "required" if name in needed else _default(field)
        rows.append((f"`{name}`", _type(field), default, _meaning(name, field)))
    return text + table(("field", "type", "default", "meaning"), rows) + "\n"


def _meaning(name: str, field: dict[str, Any]) -> str:
    """A field's description; some are also what a reader is told who left the field out ("add `days: [2, 9]`")."""
    words = re.sub(r"^add (for instance )?", "", field.get("description", ""))
    return "" if words == f"`{name}:`" else described(words)


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    return "none" if value in (None, [], {}, "") else f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(field: dict[str, Any]) -> str:
    """A type in words, with links to the blocks of the page."""
    if "$ref" in field:
        key = field["$ref"].rpartition("/")[2]
        return f"[{key}](#{slug(key)})"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    for kind in ("anyOf", "oneOf", "allOf"):
        if kind in field:
            return " or ".join(dict.fromkeys(_type(one) for one in field[kind] if one.get("type") != "null"))
    if field.get("type") == "array":
        inner = field.get("items") or {"anyOf": field.get("prefixItems", [])}
        return f"list of {_type(inner)}" if inner.get("anyOf", True) else "list"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "`true`, `false`"}
    words |= {"object": "block"}
    bounds = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    limits = [f"{word} {field[key]:g}" for key, word in bounds.items() if key in field]
    return " ".join([words.get(field.get("type", ""), "any"), ", ".join(limits)]).strip()
