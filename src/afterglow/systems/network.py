"""Network: connectivity of the mood circuit follows synaptic strength with a lag of half a day.

The relation is steep, so that connectivity is normal two days after an infusion and back where it was by day ten,
although synaptic gain itself falls smoothly. Nothing acts back: connectivity is shown beside imaging, not used for
mood.
"""

from afterglow.lang import Input, Output, Param, State, System, hill


class Network(System):
    """Connectivity of the mood circuit, 1 in healthy people."""

    # what comes in
    fast_gain = Input("1", "spine-independent gain of synapses")
    spines_gain = Input("1", "share of the lost spines that is restored; negative when more are lost")

    # what is known
    depressed = Param(0.8, "1", "connectivity in depression; direction published, size not", source="assumed")
    weight_spines = Param(
        0.1, "1", "strength by restored spines / by fast gain: connectivity is lost while spines last", source="assumed"
    )
    half = Param(0.10, "1", "synaptic strength that restores half", source="derived.connectivity_half")
    n = Param(3.0, "1", "steepness: near normal at 2 days, lost by 10", source="derived.connectivity_n")
    tau = Param(12.0, "h", "lag of connectivity behind synapses", source="assumed")

    # what changes
    linked = State("1", "connectivity", init=depressed, bounds=(0, 1.2), size=0.2)

    # how it changes
    strength = fast_gain + weight_spines * spines_gain
    linked.dot = (depressed + (1 - depressed) * hill(strength, half, n) - linked) / tau

    # what goes out
    connectivity = Output(linked, "1", "connectivity of the mood circuit, healthy = 1")
    restored = Output((linked - depressed) / (1 - depressed), "1", "share of the lost connectivity that is restored")
