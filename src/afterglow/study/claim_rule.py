"""The rule that turns findings and a model's interval into a verdict. Nothing else decides one."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Literal

from afterglow.clinic.claim import Range, Speaks

Verdict = Literal["supported", "overstated", "contradicted", "open", "definition"]
Answer = Literal["agrees", "disagrees", "unsure"]
VERDICTS: tuple[Verdict, ...] = ("supported", "overstated", "contradicted", "open", "definition")


def answer(low: float, high: float, expected: Range) -> Answer:
    """What a 90 % interval says of the expected range: inside it, outside it, or partly both (or not finite)."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return "unsure"
    if expected.holds(low) and expected.holds(high):
        return "agrees"
    if high < expected.low or low > expected.high or (not expected.holds(low) and low == high):
        return "disagrees"
    touching = (high == expected.low and expected.open_low) or (low == expected.high and expected.open_high)
    return "disagrees" if touching else "unsure"


def verdict(speaks: Collection[Speaks], model: Answer | None, definition: bool = False) -> Verdict:
    """The verdict on a claim.

    1. Published findings come first. Any that contradicts makes the claim `contradicted`; if others support a part of
       it, `overstated`. Any that qualifies makes it `overstated`. Findings that only support make it `supported`.
    2. The model never outvotes findings that limit a claim. It can withhold support: where findings support and the
       model's interval lies outside the range that the claim asks for, the claim is `open`.
    3. Without findings the model alone decides: `supported` inside the range, `contradicted` outside, `open` across.
    4. What only says how a word or a practice is defined is a `definition`, unless a finding contradicts it.

    Args:
        speaks: the directions of the published findings.
        model: the model's answer; None where it is not asked, or where the answer was put into it by hand.
        definition: whether the claim defines a word or a practice.
    """
    if "contradicts" in speaks:
        return "overstated" if "supports" in speaks else "contradicted"
    if definition:
        return "definition"
    if "qualifies" in speaks:
        return "overstated"
    if "supports" in speaks:
        return "open" if model == "disagrees" else "supported"
    alone: dict[Answer | None, Verdict] = {"agrees": "supported", "disagrees": "contradicted"}
    return alone.get(model, "open")
