"""Synapses: a fast gain that needs no spines, nascent and stable spines, and a window in which synapses learn easily.

Mood turns with the fast gain within hours; spines follow half a day later and carry the effect on. Stress and
inflammation cost stable spines.
"""

from afterglow.lang import Input, Output, Param, State, System, lognormal


class Synapses(System):
    """Strength and number of prefrontal synapses. All rates are per day."""

    # what comes in
    fast_drive = Input("1", "drive on fast synaptic gain")
    spine_drive = Input("1", "drive on spine formation")
    window_drive = Input("1", "drive on the plasticity window")
    stress = Input("1", "stress load above the untreated baseline", default=0.0)
    inflammation = Input("1", "cytokine load above the person's own baseline", default=0.0)

    # what is known
    fast_rate = Param(
        20.0,
        "1/d",
        "build-up of fast gain at full drive; skewed over people",
        source="fitted",
        spread=lognormal(omega=1.5),
    )
    tau_fast = Param(
        3.6,
        "d",
        "decay of fast gain; before any fit, half in 2.5 days",
        source="fitted",
        spread=lognormal(omega=0.3),
        bounds=(1, 40),
    )
    formation = Param(4.8, "1/d", "spine formation at full drive; capped by unchanged SV2A at 24 h", source="assumed")
    nascent_loss = Param(0.173, "1/d", "nascent spines lost: half-life 4 days", source="derived.nascent_half_life")
    stabilise = Param(0.1155, "1/d", "nascent spines that become stable: half-life 6 days", source="assumed")
    tau_stable = Param(30.0, "d", "return of stable spines to the set point", source="assumed")
    set_point = Param(0.72, "1", "spine density in depression, healthy = 1", source="assumed")
    stress_loss = Param(0.01, "1/d", "stable spines lost per unit of stress load", source="assumed")
    inflammation_weight = Param(0.3, "1", "stress load that costs as much as one cytokine load", source="assumed")
    window_rate = Param(24.0, "1/d", "opening of the window at full drive", source="assumed")
    tau_window = Param(2.0, "d", "closing of the window", source="derived.window")

    # what changes
    fast_gain = State("1", "spine-independent gain of synapses", bounds=(0, 1), size=0.1)
    nascent = State("1", "new spines, not yet stable", bounds=(0, 1), size=0.05)
    stable = State("1", "stable spines, healthy = 1", init=set_point, bounds=(0, 1.2), size=0.5)
    window = State("1", "plasticity window, 1 = wide open", bounds=(0, 1), size=0.1)

    # how it changes
    cost = stress_loss * (stress + inflammation_weight * inflammation)
    fast_gain.dot = fast_rate * fast_drive * (1 - fast_gain) - fast_gain / tau_fast
    nascent.dot = formation * spine_drive * (1 - stable - nascent) - (nascent_loss + stabilise) * nascent
    stable.dot = stabilise * nascent + (set_point - stable) / tau_stable - cost * stable
    window.dot = window_rate * window_drive * (1 - window) - window / tau_window

    # what goes out
    fast = Output(fast_gain, "1", "spine-independent gain of synapses")
    spines = Output(stable + nascent / 2, "1", "spine density, healthy = 1")
    spine_gain = Output(
        (stable + nascent / 2 - set_point) / (1 - set_point),
        "1",
        "share of the lost spines that is restored; negative when more are lost",
    )
    open_window = Output(window, "1", "plasticity window, 1 = wide open")
