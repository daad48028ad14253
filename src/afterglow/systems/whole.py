"""The whole chain: every system, and the wires between them, in the order of cause.

Three wires run backwards and say so: belief feeds stress and psychotherapy, mood feeds nothing.
"""

from __future__ import annotations

from afterglow.lang import Model
from afterglow.systems import variants
from afterglow.systems.acute_effects import AcuteEffects
from afterglow.systems.belief import Belief
from afterglow.systems.benzodiazepine import Benzodiazepine
from afterglow.systems.brain_exposure import BrainExposure
from afterglow.systems.expectancy import Expectancy
from afterglow.systems.glutamate import Glutamate
from afterglow.systems.inflammation import Inflammation
from afterglow.systems.ketamine import R_KETAMINE, Ketamine
from afterglow.systems.long_term_safety import LongTermSafety
from afterglow.systems.monoamines import Monoamines
from afterglow.systems.mood import Mood
from afterglow.systems.network import Network
from afterglow.systems.nmda_block import NmdaBlock
from afterglow.systems.oral_antidepressant import BUPROPION, ESCITALOPRAM, SERTRALINE, VENLAFAXINE, OralAntidepressant
from afterglow.systems.plasticity import Plasticity
from afterglow.systems.psychotherapy import Psychotherapy
from afterglow.systems.stress import Stress
from afterglow.systems.synapses import Synapses


def whole(variant: str | None = None) -> Model:
    """The model of DESIGN's chain; `variant` names a rival mechanism (see `variants`)."""
    m = Model("whole")

    # -- drugs in the body
    s = m.add(Ketamine, "ketamine_s")
    r = m.add(Ketamine, "ketamine_r", **R_KETAMINE)
    drugs = {
        "escitalopram": m.add(OralAntidepressant, "escitalopram", **ESCITALOPRAM),
        "sertraline": m.add(OralAntidepressant, "sertraline", **SERTRALINE),
        "venlafaxine": m.add(OralAntidepressant, "venlafaxine", **VENLAFAXINE),
        "bupropion": m.add(OralAntidepressant, "bupropion", **BUPROPION),
    }
    benzo = m.add(Benzodiazepine, "benzodiazepine")
    brain = m.add(BrainExposure, "brain_exposure")

    # -- minutes to hours
    nmda = m.add(NmdaBlock, "nmda_block")
    glutamate = m.add(Glutamate, "glutamate")
    acute = m.add(AcuteEffects, "acute_effects")

    # -- days to weeks
    monoamines = m.add(Monoamines, "monoamines")
    stress = m.add(Stress, "stress")
    inflammation = m.add(Inflammation, "inflammation")
    plasticity = m.add(Plasticity, "plasticity")
    synapses = m.add(Synapses, "synapses")
    network = m.add(Network, "network")
    expectancy = m.add(Expectancy, "expectancy")
    therapy = m.add(Psychotherapy, "psychotherapy")
    belief = m.add(Belief, "belief")
    safety = m.add(LongTermSafety, "long_term_safety")
    mood = m.add(Mood, "mood")

    for part, letter in ((s, "s"), (r, "r")):
        m.wire(part["free"], brain[f"plasma_{letter}"])
        m.wire(part["norketamine_free"], brain[f"plasma_{letter}_norketamine"])
        m.wire(part["hydroxynorketamine_free"], brain[f"plasma_{letter}_hydroxynorketamine"])
        m.wire(part["plasma"], acute[f"{letter}_plasma"])
        m.wire(part["plasma"], safety[f"{letter}_plasma"])
        m.wire(brain[f"{letter}_ketamine"], nmda[f"{letter}_ketamine"])
        m.wire(brain[f"{letter}_norketamine"], nmda[f"{letter}_norketamine"])
        m.wire(brain[f"{letter}_ketamine"], acute[f"{letter}_ketamine"])
        m.wire(brain[f"{letter}_ketamine"], plasticity[f"{letter}_ketamine"])
    m.wire(brain.s_ketamine, inflammation.s_ketamine)
    m.wire(brain.hydroxynorketamine, plasticity.metabolite)
    m.wire(benzo.gaba, acute.gaba)

    m.wire(nmda.tonic, glutamate.tonic_block)
    m.wire(nmda.synaptic, glutamate.synaptic_block)
    m.wire(benzo.surge_attenuation, glutamate.gaba)
    m.wire(glutamate.release, plasticity.release)
    m.wire(nmda.synaptic, plasticity.synaptic_block)

    for name, drug in drugs.items():
        m.wire(drug["plasma"], monoamines[name])
    m.wire(monoamines.adaptation, plasticity.monoamine)
    m.wire(monoamines.adaptation, belief.monoamine)

    m.wire(plasticity.fast_drive, synapses.fast_drive)
    m.wire(plasticity.spine_drive, synapses.spine_drive)
    m.wire(plasticity.window_drive, synapses.window_drive)
    m.wire(stress.load, inflammation.stress)
    m.wire(stress.load, synapses.stress)
    m.wire(inflammation.load, synapses.inflammation)
    m.wire(synapses.fast, network.fast_gain)
    m.wire(synapses.spine_gain, network.spines_gain)

    m.wire(synapses.open_window, therapy.window)
    m.wire(belief.negative_belief, therapy.negative_belief, feedback=True)
    m.wire(belief.negative_belief, stress.negative_belief, feedback=True)
    m.wire(synapses.fast, belief.fast_gain)
    m.wire(synapses.spine_gain, belief.spine_gain)
    m.wire(synapses.open_window, belief.window)
    m.wire(therapy.drive, belief.therapy)
    m.wire(stress.load, belief.stress)
    m.wire(acute.dissociation, belief.dissociation)
    m.wire(acute.dissociation, expectancy.dissociation)

    m.wire(synapses.fast, mood.fast_gain)
    m.wire(synapses.spine_gain, mood.spine_gain)
    m.wire(belief.negative_belief, mood.negative_belief)
    m.wire(expectancy.relief, mood.expectancy)
    m.wire(expectancy.remote, mood.remote_raters)
    m.wire(monoamines.relief, mood.monoamine)
    m.wire(benzo.relief, mood.benzodiazepine)
    m.wire(stress.load, mood.stress)
    m.wire(inflammation.load, mood.inflammation)
    return m if variant is None else variants.apply(m, variant)


# Which routes a drug takes: (part.route, share of the dose). The racemate is half S, half R.
_HALVES = (("ketamine_s", 0.5), ("ketamine_r", 0.5))
_FORMS = {"ketamine": _HALVES, "esketamine": (("ketamine_s", 1.0),), "arketamine": (("ketamine_r", 1.0),)}
_ROUTES = {
    "iv": "iv",
    "im": "im",
    "sc": "sc",
    "nasal-device": "nasal_device_first",
    "nasal-device-later": "nasal_device_later",
    "nasal-atomiser": "nasal_atomiser",
    "sublingual": "sublingual",
    "oral": "oral",
}
ROUTES: dict[tuple[str, str], tuple[tuple[str, float], ...]] = {
    (drug, route): tuple((f"{part}.{name}", share) for part, share in parts)
    for drug, parts in _FORMS.items()
    for route, name in _ROUTES.items()
}
ROUTES |= {(d, "oral"): ((f"{d}.oral", 1.0),) for d in ("escitalopram", "sertraline", "venlafaxine", "bupropion")}
ROUTES[("diazepam", "oral")] = (("benzodiazepine.diazepam_oral", 1.0),)
ROUTES[("midazolam", "iv")] = (("benzodiazepine.midazolam_iv", 1.0),)
INERT = ("saline", "placebo-spray", "placebo-pill")

# Which inputs of the model a column of a population sets.
COVARIATES: dict[str, tuple[str, ...]] = {
    "WT": ("ketamine_s.weight", "ketamine_r.weight"),
    "AGE": ("ketamine_s.age", "ketamine_r.age"),
    "baseline_madrs": ("mood.baseline",),
    "failed_trials": ("monoamines.failed_trials",),
    "met_carrier": ("plasticity.met_carrier",),
    "crp_high": ("inflammation.crp_high",),
}
