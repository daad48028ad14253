"""What is uncertain in the model, how far, and on what grounds.

Five grounds: the posterior of the calibration, a declared range of a record, and by the grade of its source alone:
assumed, derived, published. What stands in `HELD` is not uncertain.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit, ndtr, ndtri

from afterglow.compiled import OMEGA, compiled
from afterglow.data import parameter_records
from afterglow.data.fitted import measurement, posterior
from afterglow.study.draws import HEAD, TAU
from afterglow.study.indices import HIGH, FloatArray

FURTHEST = float(ndtr(2.5))  # nothing is moved further out than 2.5 SD, as in the draws of the fit
FACTOR_SD = float(ndtri(HIGH))  # SDs from the middle to the 95 % value

# A number that is neither fitted nor published with a range: 90 % within this factor either way (assumed). Numbers
# between 0 and 1 without a unit are mostly shares: for these it is the factor of the odds.
FACTOR = {"assumed": 2.0, "derived": 1.5, "published": 1.25}
HELD = {
    "ketamine.MW": "molar mass",
    "ketamine.MW_NK": "molar mass",
    "ketamine.MW_HNK": "molar mass",
    "ketamine.WT_REF": "reference person",
    "ketamine.AGE_REF": "reference person",
    "expectancy.trait": "median person; its size stands in the numbers it multiplies",
    "glutamate.disinhibition": "switch of a rival mechanism",
    "plasticity.ampa": "switch of a rival mechanism",
    "plasticity.mtor": "switch of a rival mechanism",
}


@dataclass(frozen=True)
class Input:
    """One uncertain number, or one that several parts of the model share.

    Attributes:
        parameters: full names that move together; "omega.<name>" for a spread between people, "measurement.<name>" for
            what lies between true and measured scores.
        typical: value in use, in `unit`.
        ground: posterior, range, assumed, derived or published.
        system: file of the system it belongs to.
        sd: of the logarithm, or of the log odds where `share`; 0 where `ends` are declared.
        ends: declared range, in `unit`: half of it below `typical`, each side even on the log scale (from 0, even).
        bounds: declared with the parameter, never left.
    """

    name: str
    parameters: tuple[str, ...]
    typical: float
    ground: str
    system: str
    unit: str
    meaning: str
    sd: float = 0.0
    share: bool = False
    ends: tuple[float, float] | None = None
    bounds: tuple[float, float] = (0.0, math.inf)

    def values(self, points: FloatArray) -> FloatArray:
        """Values of points in (0, 1), any shape: quantiles of the spread."""
        u = np.clip(points, 1 - FURTHEST, FURTHEST)
        if self.ends is not None:
            low, high = self.ends
            below, above = _between(low, self.typical, 2 * u), _between(self.typical, high, 2 * u - 1)
            found = np.where(u < 0.5, below, above)
        elif self.share:
            found = expit(logit(self.typical) + self.sd * ndtri(u))
        else:
            found = self.typical * np.exp(self.sd * ndtri(u))
        return np.clip(found, *self.bounds)


def _between(low: float, high: float, part: FloatArray) -> FloatArray:
    """Part of the way from low to high, in steps of equal ratio; of equal size from 0."""
    return low * (high / low) ** part if low > 0 else high * part


def spreads() -> dict[str, float]:
    """SD of the logarithm of every fitted number over the shipped posterior, by full name."""
    return {name: float(np.log(draws).std()) for name, draws in posterior().items() if not name.startswith(TAU)}


def inputs() -> list[Input]:
    """Every number that can be moved, sorted by name: parameters, spreads between people, noise of measurement.

    Left out are what stands in `HELD`, zeros, and exponents, which are part of the machine code. What several parts
    take from one place (the same system, symbol, source and value: both enantiomers share a volume) is one input.
    """
    model, free = compiled(), spreads()
    params, slot, defaults = model.program.model.params, model.program.slot, model.program.defaults
    together: dict[tuple[Any, ...], list[str]] = {}
    for name, p in params.items():
        part, key = name.split(".")
        kind = model.model.parts[part].system
        if name in slot and defaults[slot[name]] != 0.0:
            together.setdefault(("", kind, key, p.source, defaults[slot[name]]), []).append(name)
        if name in model.etas:  # both enantiomers share a person's luck
            together.setdefault((OMEGA, kind, key, "", model.etas[name][1].size), []).append(name)
    found = []
    for (head, kind, key, _, value), names in together.items():
        system = kind.__module__.rpartition(".")[2]
        if not head and f"{system}.{key}" in HELD:
            continue
        p, label = params[names[0]], names[0] if len(names) == 1 else f"{system}.{key}"
        known = Input(head + label, tuple(head + name for name in names), value, "", system, str(p.unit), p.meaning)
        if head:
            known = replace(known, unit="1", meaning=f"spread between people: {p.meaning}")
        else:
            known = replace(known, bounds=p.bounds)
        found.append(_spread_out(known, p.source, free))
    for key, value in measurement().items():
        unit = "d" if key.endswith("_d") else "1" if key.endswith("_power") else "point"
        meaning = f"noise between true and measured scores: {key}"
        known = Input(HEAD + key, (HEAD + key,), value, "", "measurement", unit, meaning)
        found.append(_spread_out(known, "assumed", free))
    return sorted(found, key=lambda one: one.name)


def _spread_out(one: Input, source: str, free: Mapping[str, float]) -> Input:
    """The input with how far it is moved, and on what ground; a record's range is about a value, not about people."""
    if fitted := [free[name] for name in one.parameters if name in free]:
        return replace(one, sd=fitted[0], ground="posterior")
    record, spread = parameter_records().get(source), one.name.startswith(OMEGA)
    if record is not None and record.spread is not None and record.spread.kind == "range" and not spread:
        centre, ends = record.value, record.spread.value
        if isinstance(centre, float) and isinstance(ends, list):
            low, high = (end / centre * one.typical for end in ends)
            return replace(one, ends=(low, high), ground="range")
    ground = "assumed" if record is None else {"page": "published"}.get(record.grade, record.grade)
    share = one.unit == "1" and 0.0 < one.typical < 1.0 and not spread
    return replace(one, sd=math.log(FACTOR[ground]) / FACTOR_SD, share=share, ground=ground)
