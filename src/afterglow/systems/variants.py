"""Rival mechanisms as small declared differences from the base model, to be scored against the same data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from afterglow.errors import Fault, InputError, nearest
from afterglow.lang import Model


@dataclass(frozen=True)
class Variant:
    """A named set of parameter values that differ from the base model."""

    meaning: str
    values: dict[str, float]


VARIANTS: dict[str, Variant] = {
    "disinhibition": Variant("the base model: interneuron block lets glutamate through", {}),
    "direct-trkb": Variant(
        "direct binding to TrkB instead of the glutamate surge",
        {"glutamate.disinhibition": 0.0, "plasticity.trkb_weight": 5.0},
    ),
    "metabolite": Variant(
        "hydroxynorketamine drives AMPA throughput",
        {"glutamate.disinhibition": 0.0, "plasticity.metabolite_weight": 2.0},
    ),
    "no-mtor": Variant("mTOR blocked, as by rapamycin: no new spines, no window", {"plasticity.mtor": 0.0}),
    "opioid-gated": Variant("half of the fast gain needs opioid receptors, here blocked", {"plasticity.ampa": 0.5}),
    "equal-enantiomers": Variant(
        "S- and R-ketamine count the same", {"nmda_block.weight_r": 1.0, "nmda_block.r_synaptic": 1.0}
    ),
    "ki-weighted": Variant(
        "S- and R-ketamine count by their affinities",
        {"nmda_block.weight_r": 0.3 / 1.4, "nmda_block.r_synaptic": 0.3 / 1.4},
    ),
    "no-spines": Variant("spine formation switched off", {"synapses.formation": 0.0}),
    "no-belief": Variant("belief does not learn", {"belief.learning_rate": 0.0}),
    "inert": Variant(
        "the drug does nothing but reveal itself: unblinding alone",
        {
            "glutamate.disinhibition": 0.0,
            "inflammation.acute_rise": 0.0,
            "inflammation.restraining": 0.0,
            "belief.acute_loss": 0.0,
        },
    ),
}


def apply(model: Model, name: str) -> Model:
    """A copy of `model` with the values of a variant. Raises InputError for an unknown name."""
    if name not in VARIANTS:
        raise InputError(Fault("--variant", f"'{name}' is not a variant", nearest(name, VARIANTS)))
    return replace(model, fixed={**model.fixed, **VARIANTS[name].values})
