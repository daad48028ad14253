"""What of SBML is not read, named all at once; and the file made plainer by libSBML's own converters."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType
from typing import Any

from afterglow.errors import Fault

_MATHS = "l3v2extendedmath"  # further functions: those that are not read are named where they stand
REMEDY = "take it out, or write the model in another way"


def errors(lib: ModuleType, document: Any, place: str) -> list[Fault]:
    """What is wrong with the file itself."""
    found = _errors(lib, document, place)
    if found:
        return found
    if document.getLevel() < 2:
        return [Fault(place, "SBML Level 1 is not read", "convert it to Level 3, for instance with libSBML")]
    document.setConsistencyChecks(lib.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(lib.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    return _errors(lib, document, place)


def refusals(document: Any, place: str) -> list[Fault]:
    """Parts of a sound document that are not read here; formulas are another matter."""
    return [Fault(f"{place}: {where}", f"{what} is not read", REMEDY) for where, what in _unread(document)]


def _errors(lib: ModuleType, document: Any, place: str) -> list[Fault]:
    found = (document.getError(k) for k in range(document.getNumErrors()))
    return [
        Fault(f"{place}:{e.getLine()}", " ".join(e.getMessage().split()), "mend the file")
        for e in found
        if e.getSeverity() >= lib.LIBSBML_SEV_ERROR
    ]


def _unread(document: Any) -> Iterator[tuple[str, str]]:
    """Where something stands that is not read, and what it is."""
    for k in range(document.getNumPlugins() if document.getLevel() > 2 else 0):  # there are none before Level 3
        package = document.getPlugin(k).getPackageName()
        if package != _MATHS and document.getPackageRequired(package):
            yield "sbml", f"the package '{package}'"
    sheet = document.getModel()
    for k in range(sheet.getNumRules()):
        if sheet.getRule(k).isAlgebraic():
            yield "rule", "an algebraic rule"
    if sheet.getNumConstraints():
        yield "model", "a constraint"
    for k in range(sheet.getNumReactions()):
        yield from _of_reaction(sheet.getReaction(k))
    for k in range(sheet.getNumEvents()):
        event = sheet.getEvent(k)
        for what, there in (("a delay", event.isSetDelay()), ("a priority", event.isSetPriority())):
            if there:
                yield f"event {event.getId()}", what


def _of_reaction(reaction: Any) -> Iterator[tuple[str, str]]:
    where = f"reaction {reaction.getId()}"
    if reaction.isSetFast() and reaction.getFast():
        yield where, "a fast reaction"
    references = [reaction.getReactant(k) for k in range(reaction.getNumReactants())]
    references += [reaction.getProduct(k) for k in range(reaction.getNumProducts())]
    for one in references:
        if one.isSetStoichiometryMath() or not (one.isSetStoichiometry() or one.getLevel() < 3):
            yield where, f"a stoichiometry of {one.getSpecies()} that is not a plain number"


def flattened(lib: ModuleType, document: Any) -> Any:
    """The model with its functions written out and local parameters made global."""
    for conversion in ("expandFunctionDefinitions", "promoteLocalParameters"):
        wanted = lib.ConversionProperties()
        wanted.addOption(conversion, True)
        document.convert(wanted)
    return document.getModel()
