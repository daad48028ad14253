"""AMPA, BDNF and TrkB: the surge, through open synapses, releases BDNF, TrkB starts translation, and spines follow.

Direct binding of ketamine to TrkB stands in the equations with weight 0; the variant `direct-trkb` gives it another.
"""

from afterglow.lang import Input, Output, Param, State, System, hill


class Plasticity(System):
    """From synaptic throughput to the drive on spines."""

    # what comes in
    release = Input("1", "glutamate release above baseline")
    synaptic_block = Input("1", "block of synaptic NMDA receptors on pyramidal cells")
    s_ketamine = Input("umol/L", "free S-ketamine in the brain")
    r_ketamine = Input("umol/L", "free R-ketamine in the brain")
    metabolite = Input("umol/L", "free hydroxynorketamine in the brain")
    monoamine = Input("1", "adaptation to a monoamine drug, 0 to 1", default=0.0)
    met_carrier = Input("1", "1 for carriers of BDNF Val66Met", default=0.0)

    # what changes
    bdnf = State("1", "BDNF/TrkB signal above baseline, 1 = maximal", bounds=(0, 1), size=0.1)
    translation = State("1", "mTOR-like protein synthesis", bounds=(0, 1), size=0.1)
    transit_1 = State("1", "proteins on their way to the membrane, first half", bounds=(0, 1), size=0.1)
    transit_2 = State("1", "proteins on their way to the membrane, second half", bounds=(0, 1), size=0.1)

    # what is known
    ampa = Param(1.0, "1", "share of AMPA receptors that answer; 0 = AMPA blocker", source="assumed")
    gain = Param(2.2, "1", "BDNF drive per release", source="assumed")
    half = Param(0.5, "1", "drive that releases half of the BDNF", source="assumed")
    top = Param(0.9, "1", "largest BDNF signal", source="assumed")
    tau_bdnf = Param(4.0, "h", "decay of the BDNF/TrkB signal", source="assumed")
    met_loss = Param(0.4, "1", "BDNF release lost in Met carriers; direction published, size not", source="assumed")
    threshold = Param(
        0.12,
        "1",
        "BDNF signal that starts half of the translation: spines then stay below SV2A's 5 % at 24 h",
        source="assumed",
    )
    steepness = Param(4.0, "1", "Hill exponent of translation", source="assumed")
    tau_translation = Param(1.5, "h", "decay of translation: back at baseline within hours", source="assumed")
    mtor = Param(1.0, "1", "working mTOR; 0 = rapamycin", source="assumed")
    transit = Param(12.0, "h", "delay from translation to spines", source="derived.spine_delay")
    trkb_weight = Param(
        0.0, "1", "drive by direct TrkB binding at full occupancy; 0 in the base model", source="assumed"
    )
    KD_trkb = Param(10.0, "umol/L", "ketamine that occupies half of TrkB", source="assumed")
    metabolite_weight = Param(0.0, "L/umol", "drive per hydroxynorketamine; 0 in the base model", source="assumed")
    monoamine_weight = Param(
        0.02, "1", "drive at full monoamine adaptation: stays below the threshold of translation", source="assumed"
    )

    # how it changes
    throughput = ampa * release * (1 - synaptic_block)
    direct = trkb_weight * hill(s_ketamine + r_ketamine, KD_trkb, 1) + metabolite_weight * metabolite
    drive = gain * throughput + gain * direct + monoamine_weight * monoamine
    bdnf.dot = (top * (1 - met_loss * met_carrier) * hill(drive, half, 1) - bdnf) / tau_bdnf
    translation.dot = (mtor * hill(bdnf, threshold, steepness) - translation) / tau_translation
    transit_1.dot = (translation - transit_1) / (transit / 2)
    transit_2.dot = (transit_1 - transit_2) / (transit / 2)

    # what goes out
    fast_drive = Output(throughput + direct, "1", "drive on fast synaptic gain, needs no protein synthesis")
    spine_drive = Output(transit_2, "1", "drive on spine formation, half a day late")
    window_drive = Output(translation, "1", "drive on the plasticity window")
    signal = Output(bdnf, "1", "BDNF/TrkB signal above baseline")
