"""The whole chain: every system, and the wires between them, in the order of cause.

A wire stands with those that go into the same system; the heads of the functions say which systems these are. Two wires
run backwards and say so: belief feeds stress and psychotherapy. Mood feeds nothing.
"""

from __future__ import annotations

from afterglow.lang import Model, Part
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
    """The model of the whole chain; `variant` names a rival mechanism (see `variants`)."""
    m = Model("whole")
    _place(m)
    _wire_exposure(m)
    _wire_plasticity(m)
    _wire_mind(m)
    _wire_mood(m)
    return m if variant is None else variants.apply(m, variant)


def _place(m: Model) -> None:
    """All systems, in the order of cause."""
    # drugs in the body
    m.add(Ketamine, "ketamine_s")
    m.add(Ketamine, "ketamine_r", **R_KETAMINE)
    m.add(OralAntidepressant, "escitalopram", **ESCITALOPRAM)
    m.add(OralAntidepressant, "sertraline", **SERTRALINE)
    m.add(OralAntidepressant, "venlafaxine", **VENLAFAXINE)
    m.add(OralAntidepressant, "bupropion", **BUPROPION)
    m.add(Benzodiazepine, "benzodiazepine")
    m.add(BrainExposure, "brain_exposure")

    # minutes to hours
    m.add(NmdaBlock, "nmda_block")
    m.add(Glutamate, "glutamate")
    m.add(AcuteEffects, "acute_effects")

    # days to weeks
    m.add(Monoamines, "monoamines")
    m.add(Stress, "stress")
    m.add(Inflammation, "inflammation")
    m.add(Plasticity, "plasticity")
    m.add(Synapses, "synapses")
    m.add(Network, "network")
    m.add(Expectancy, "expectancy")
    m.add(Psychotherapy, "psychotherapy")
    m.add(Belief, "belief")
    m.add(LongTermSafety, "long_term_safety")
    m.add(Mood, "mood")


def _parts(m: Model, *names: str) -> list[Part]:
    return [m.parts[name] for name in names]


def _wire_exposure(m: Model) -> None:
    """Wires into brain_exposure, nmda_block, acute_effects, long_term_safety: what drugs touch within minutes."""
    brain, nmda, acute, safety = _parts(m, "brain_exposure", "nmda_block", "acute_effects", "long_term_safety")
    for form in ("s", "r"):
        ketamine = m.parts[f"ketamine_{form}"]
        m.wire(ketamine.free, brain[f"plasma_{form}"])
        m.wire(ketamine.norketamine_free, brain[f"plasma_{form}_norketamine"])
        m.wire(ketamine.hydroxynorketamine_free, brain[f"plasma_{form}_hydroxynorketamine"])

        m.wire(brain[f"{form}_ketamine"], nmda[f"{form}_ketamine"])
        m.wire(brain[f"{form}_norketamine"], nmda[f"{form}_norketamine"])

        m.wire(ketamine.plasma, acute[f"{form}_plasma"])
        m.wire(brain[f"{form}_ketamine"], acute[f"{form}_ketamine"])

        m.wire(ketamine.plasma, safety[f"{form}_plasma"])
    m.wire(m.parts["benzodiazepine"].gaba, acute.gaba)


def _wire_plasticity(m: Model) -> None:
    """Wires into glutamate, monoamines, plasticity, synapses, network: from receptors to synapses."""
    brain, nmda, benzodiazepine = _parts(m, "brain_exposure", "nmda_block", "benzodiazepine")
    glutamate, monoamines, plasticity = _parts(m, "glutamate", "monoamines", "plasticity")
    synapses, network, stress, inflammation = _parts(m, "synapses", "network", "stress", "inflammation")

    m.wire(nmda.tonic, glutamate.tonic_block)
    m.wire(nmda.synaptic, glutamate.synaptic_block)
    m.wire(benzodiazepine.surge_attenuation, glutamate.gaba)

    for drug in ("escitalopram", "sertraline", "venlafaxine", "bupropion"):
        m.wire(m.parts[drug].plasma, monoamines[drug])

    m.wire(glutamate.release, plasticity.release)
    m.wire(nmda.synaptic, plasticity.synaptic_block)
    m.wire(brain.s_ketamine, plasticity.s_ketamine)
    m.wire(brain.r_ketamine, plasticity.r_ketamine)
    m.wire(brain.hydroxynorketamine, plasticity.metabolite)
    m.wire(monoamines.adaptation, plasticity.monoamine)

    m.wire(plasticity.fast_drive, synapses.fast_drive)
    m.wire(plasticity.spine_drive, synapses.spine_drive)
    m.wire(plasticity.window_drive, synapses.window_drive)
    m.wire(stress.load, synapses.stress)
    m.wire(inflammation.load, synapses.inflammation)

    m.wire(synapses.fast, network.fast_gain)
    m.wire(synapses.spine_gain, network.spines_gain)


def _wire_mind(m: Model) -> None:
    """Wires into stress, inflammation, expectancy, psychotherapy, belief: what a person lives, expects and learns."""
    brain, acute, monoamines, synapses = _parts(m, "brain_exposure", "acute_effects", "monoamines", "synapses")
    stress, inflammation, expectancy = _parts(m, "stress", "inflammation", "expectancy")
    psychotherapy, belief = _parts(m, "psychotherapy", "belief")

    m.wire(belief.negative_belief, stress.negative_belief, feedback=True)

    m.wire(stress.load, inflammation.stress)
    m.wire(brain.s_ketamine, inflammation.s_ketamine)

    m.wire(acute.dissociation, expectancy.dissociation)

    m.wire(synapses.open_window, psychotherapy.window)
    m.wire(belief.negative_belief, psychotherapy.negative_belief, feedback=True)

    m.wire(synapses.fast, belief.fast_gain)
    m.wire(synapses.spine_gain, belief.spine_gain)
    m.wire(synapses.open_window, belief.window)
    m.wire(monoamines.adaptation, belief.monoamine)
    m.wire(psychotherapy.drive, belief.therapy)
    m.wire(stress.load, belief.stress)
    m.wire(acute.dissociation, belief.dissociation)


def _wire_mood(m: Model) -> None:
    """Wires into mood: everything that lifts or lowers symptoms."""
    synapses, belief, expectancy = _parts(m, "synapses", "belief", "expectancy")
    monoamines, benzodiazepine, stress = _parts(m, "monoamines", "benzodiazepine", "stress")
    inflammation, mood = _parts(m, "inflammation", "mood")

    m.wire(synapses.fast, mood.fast_gain)
    m.wire(synapses.spine_gain, mood.spine_gain)
    m.wire(belief.negative_belief, mood.negative_belief)
    m.wire(expectancy.relief, mood.expectancy)
    m.wire(expectancy.remote, mood.remote_raters)
    m.wire(monoamines.relief, mood.monoamine)
    m.wire(benzodiazepine.relief, mood.benzodiazepine)
    m.wire(stress.load, mood.stress)
    m.wire(inflammation.load, mood.inflammation)


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
ROUTES |= {("midazolam", route): (("benzodiazepine.midazolam_injected", 1.0),) for route in ("im", "sc")}
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
