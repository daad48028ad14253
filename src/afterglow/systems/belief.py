"""Belief and prediction error: a negative belief about oneself that is held by precision and corrected by new evidence.

Rescorla-Wagner learning in continuous time. Fast synaptic gain and the plasticity window raise precision (the weight of
a prediction error) and shift what the world seems to say; therapy gives the new evidence.
"""

from afterglow.lang import Input, Output, Param, State, System, lognormal, maximum


class Belief(System):
    """Negative belief, 1 in untreated depression, 0 when gone."""

    # what comes in
    fast_gain = Input("1", "spine-independent gain of synapses")
    spine_gain = Input("1", "share of the lost spines that is restored")
    window = Input("1", "plasticity window")
    monoamine = Input("1", "adaptation to a monoamine drug, 0 to 1", default=0.0)
    therapy = Input("1", "learning drive of psychotherapy", default=0.0)
    stress = Input("1", "stress load above the untreated baseline", default=0.0)
    dissociation = Input("1", "acute dissociation, 0 to 1", default=0.0)

    # what is known
    learning_rate = Param(
        0.38, "1/d", "belief learned per unit of precision", source="assumed", spread=lognormal(omega=0.5)
    )
    by_window = Param(0.6, "1", "precision added by an open window", source="assumed")
    by_fast_gain = Param(0.3, "1", "precision added by full fast gain", source="assumed")
    by_monoamine = Param(0.15, "1", "precision added by monoamine adaptation", source="assumed")
    by_therapy = Param(1.0, "1", "precision added by therapy", source="fitted", bounds=(0.02, 10))
    toward_fast_gain = Param(0.75, "1", "how far full fast gain shifts the evidence", source="assumed")
    toward_spines = Param(0.5, "1", "how far restored spines shift the evidence", source="assumed")
    toward_therapy = Param(1.5, "1", "how far therapy shifts the evidence", source="assumed")
    toward_stress = Param(0.35, "1", "how far stress shifts the evidence back", source="assumed")
    stress_learning = Param(0.3, "1", "precision that stress gives to bad news", source="assumed")
    tau_back = Param(31.0, "d", "pull back to the old belief", source="assumed")
    tau_precision = Param(
        3.0, "h", "rise and fall of precision: changed at about 3 h", source="derived.prediction_error_time"
    )
    acute_loss = Param(0.3, "1", "precision lost in full dissociation", source="assumed")

    # what changes
    precision = State("1", "weight of a prediction error above baseline", bounds=(-1, 5), size=0.1)
    negative = State("1", "negative belief, 1 = untreated depression", init=1.0, bounds=(0, 2), size=0.5)

    # how it changes
    raised = by_window * window + by_fast_gain * fast_gain + by_monoamine * monoamine + by_therapy * therapy
    gains = toward_fast_gain * fast_gain + toward_spines * spine_gain + toward_therapy * therapy
    evidence = maximum(1 - gains + toward_stress * stress, 0.0)
    precision.dot = (raised + stress_learning * stress - acute_loss * dissociation - precision) / tau_precision
    weight = maximum(precision, 0.0)  # less precision than at baseline means no learning, not learning the opposite
    negative.dot = learning_rate * weight * (evidence - negative) + (1 - negative) / tau_back

    # what goes out
    negative_belief = Output(negative, "1", "negative belief, 1 = untreated depression")
    rumination = Output(negative * (1 - by_fast_gain * fast_gain), "1", "rumination, 1 = untreated depression")
    prediction_error = Output(1 + precision, "1", "response to a prediction error / baseline")
