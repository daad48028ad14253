"""Glutamate surge: interneurons fall silent, prefrontal glutamate rises for an hour or two, a slow suppressor ends it.

The suppressor (an incoherent feed-forward loop) also prevents a second surge when the concentration after a high dose
falls back through the optimal range.
"""

from afterglow.lang import Input, Output, Param, State, System, where


class Glutamate(System):
    """Prefrontal glutamate release under disinhibition."""

    # what comes in
    tonic_block = Input("1", "block of tonic NMDA receptors on interneurons")
    synaptic_block = Input("1", "block of synaptic NMDA receptors on pyramidal cells")
    gaba = Input("1", "fraction of the surge removed by GABA-A agonists", default=0.0)

    # what changes
    suppressor = State("1", "slow suppression of synaptic throughput", bounds=(0, 1), size=0.02)
    surge = State("1", "glutamate release above baseline, 1 = full disinhibition", bounds=(0, 1), size=0.1)

    # what is known
    tau_surge = Param(0.7, "h", "decay of the surge", source="derived.surge_time_course")
    tau_on = Param(0.3, "h", "onset of suppression", source="assumed")
    tau_off = Param(24.0, "h", "recovery from suppression", source="assumed")
    disinhibition = Param(1.0, "1", "release by full tonic block; 0 = surge switched off", source="assumed")
    rise = Param(
        0.58,
        "1",
        "glutamate rise at full disinhibition; about 13 % after 0.5 mg/kg IV",
        source="derived.glutamate_rise",
    )

    # how it changes
    throughput = (1 - synaptic_block) * (1 - suppressor) ** 3
    suppressor.dot = (synaptic_block - suppressor) / where(synaptic_block > suppressor, tau_on, tau_off)
    surge.dot = (disinhibition * tonic_block * throughput * (1 - gaba) - surge) / tau_surge

    # what goes out
    level = Output(1 + rise * surge, "1", "prefrontal glutamate / baseline")
    release = Output(surge, "1", "glutamate release above baseline")
