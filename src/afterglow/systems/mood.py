"""Mood: what synapses, belief, expectancy, stress and co-medication together make of the symptoms.

The readout multiplies: score = baseline * (what fast gain, spines and belief each leave) * exp(-expectancy, care, other
drugs). An additive readout cannot put a four-point difference on top of a sixteen-point fall of the control arm.
"""

from afterglow.lang import Input, Output, Param, State, System, exp


class Mood(System):
    """Symptom severity relative to the person's untreated baseline."""

    # what comes in
    fast_gain = Input("1", "spine-independent gain of synapses")
    spine_gain = Input("1", "share of the lost spines that is restored")
    negative_belief = Input("1", "negative belief, 1 = untreated depression")
    expectancy = Input("1", "relief by expectancy and care, log scale")
    monoamine = Input("1", "relief by a monoamine drug, log scale", default=0.0)
    benzodiazepine = Input("1", "relief by a benzodiazepine, log scale; negative in rebound", default=0.0)
    stress = Input("1", "stress load above the untreated baseline", default=0.0)
    inflammation = Input("1", "cytokine load above the person's own baseline", default=0.0)
    remote_raters = Input("1", "1 when blinded remote raters score", default=0.0)
    baseline = Input("point", "MADRS before treatment", default=33.0)

    # what is known
    weight_fast = Param(0.45, "1", "share of symptoms that full fast gain lifts", source="fitted", bounds=(0, 0.95))
    weight_spines = Param(0.20, "1", "share that full restoration of spines lifts", source="fitted", bounds=(0, 1))
    weight_belief = Param(0.45, "1", "share that goes when the negative belief goes", source="assumed", bounds=(0, 1))
    setting = Param(
        0.45,
        "1",
        "drug effect seen by remote raters in multicentre trials / by site raters",
        source="fitted",
        bounds=(0, 1.5),
    )
    by_stress = Param(0.15, "1", "symptoms added by one stress load, log scale", source="assumed")
    by_inflammation = Param(0.05, "1", "symptoms added by one cytokine load, log scale", source="assumed")
    tau = Param(1.0, "h", "lag of mood behind its causes", source="fitted", bounds=(0.05, 12))

    # what changes
    severity = State("1", "symptoms / untreated baseline", init=1.0, bounds=(0, 10), size=0.5)

    # how it changes
    seen = 1 - (1 - setting) * remote_raters
    by_synapses = (1 - seen * weight_fast * fast_gain) * (1 - seen * weight_spines * spine_gain)
    left = by_synapses * (1 - seen * weight_belief * (1 - negative_belief))
    log_change = by_stress * stress + by_inflammation * inflammation - expectancy - monoamine - benzodiazepine
    severity.dot = (left * exp(log_change) - severity) / tau

    # what goes out
    symptom = Output(severity, "1", "symptoms / untreated baseline")
    madrs = Output(baseline * severity, "point", "MADRS, true score")
    drug_part = Output(1 - left, "1", "share of symptoms lifted through synapses and belief, without expectancy")
