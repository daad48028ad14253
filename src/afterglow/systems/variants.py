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
    "no-mtor": Variant("mTOR blocked and nothing else: no new spines, no window", {"plasticity.mtor": 0.0}),
    # Abdallah CG et al. 2020 (doi 10.1038/s41386-020-0644-9): the same at 24 h, more response at two weeks
    "rapamycin": Variant(
        "mTOR blocked, and fast gain lost more slowly (time constant 10 d, assumed; only the direction is published)",
        {"plasticity.mtor": 0.0, "synapses.tau_fast": 10.0},
    ),
    # Williams NR et al. 2018 (doi 10.1176/appi.ajp.2018.18020138): weaker with naltrexone, in 12 patients; contested
    "opioid-gated": Variant(
        "half of the drive on fast gain and spines needs opioid receptors, here blocked (half is assumed)",
        {"plasticity.ampa": 0.5},
    ),
    "equal-enantiomers": Variant(
        "S- and R-ketamine count the same", {"nmda_block.weight_r": 1.0, "nmda_block.r_synaptic": 1.0}
    ),
    "ki-weighted": Variant(
        "S- and R-ketamine count by their affinities",
        {"nmda_block.weight_r": 0.3 / 1.4, "nmda_block.r_synaptic": 0.3 / 1.4},
    ),
    # Zhang JC et al. 2014 (doi 10.1016/j.pbb.2013.11.033): in mice R-ketamine is the more potent and lasts longer
    "r-weighted": Variant(
        "R-ketamine counts more than S-ketamine, by the affinities turned round (assumed; mice give no ratio)",
        {"nmda_block.weight_r": 1.4 / 0.3},
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
