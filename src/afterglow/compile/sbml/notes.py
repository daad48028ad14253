"""What a document says besides equations: notes for people, and sources and terms for programs.

Sources are MIRIAM annotations (qualifier `isDescribedBy`), terms are those of the Systems Biology Ontology (SBO). Who
made the model, and its licence, stand in Dublin Core terms beside them: the model history of SBML would ask for dates,
and the same model is to give the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from afterglow.lang.units import Unit

# Terms of SBO by number, with their names there.
QUANTITY = 2  # quantitative systems description parameter
KINETIC_CONSTANT = 9
HILL_COEFFICIENT = 190
CONCENTRATION = 196  # concentration of an entity pool
CONTINUOUS_FRAMEWORK = 293  # non-spatial continuous framework

_XHTML = "http://www.w3.org/1999/xhtml"
_TERMS = "http://purl.org/dc/terms/"
_PER_VOLUME = ((("gram", 1.0), ("meter", -3.0)), (("meter", -3.0), ("mole", 1.0)))


@dataclass(frozen=True)
class Note:
    """What is known of a symbol or of the model: lines for people, addresses of sources."""

    lines: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class About:
    """The model itself: its name, what to know of it, who made it, and the address of its licence."""

    name: str = ""
    note: Note = Note()
    creator: str = ""
    licence: str = ""


def term(unit: Unit | None, exponent: bool = False) -> int:
    """The SBO term that a symbol's unit and use allow without guessing."""
    if exponent:
        return HILL_COEFFICIENT
    if unit is not None and unit.dims in _PER_VOLUME:
        return CONCENTRATION
    return KINETIC_CONSTANT if unit is not None and unit.dims == (("second", -1.0),) else QUANTITY


def annotate(lib: Any, element: Any, note: Note, sbo: int | None = None) -> None:
    """Put notes, sources and a term into an element of a document; it has an id."""
    if sbo is not None:
        element.setSBOTerm(sbo)
    if note.lines:
        paragraphs = "".join(f"<p>{escape(line)}</p>" for line in note.lines)
        element.setNotes(f'<body xmlns="{_XHTML}">{paragraphs}</body>')
    if note.sources:
        element.setMetaId(f"meta__{element.getId()}")
        element.addCVTerm(_described_by(lib, note.sources))


def annotate_model(lib: Any, sheet: Any, about: About) -> None:
    """The same for a whole model, with creator and licence."""
    annotate(lib, sheet, about.note, CONTINUOUS_FRAMEWORK)
    if about.name:
        sheet.setName(about.name)
    said = {"creator": about.creator, "license": about.licence}
    parts = "".join(f"<dcterms:{key}>{escape(value)}</dcterms:{key}>" for key, value in said.items() if value)
    if parts:
        kind = "dcterms:BibliographicResource"
        sheet.appendAnnotation(f'<{kind} xmlns:dcterms="{_TERMS}">{parts}</{kind}>')


def _described_by(lib: Any, sources: Sequence[str]) -> Any:
    found = lib.CVTerm(lib.BIOLOGICAL_QUALIFIER)
    found.setBiologicalQualifierType(lib.BQB_IS_DESCRIBED_BY)
    for address in sources:
        found.addResource(address)
    return found
