"""NMDA-receptor block: tonic receptors of interneurons at low exposure, synaptic ones of pyramidal cells at high.

Two sites with different affinities are what makes the dose-response an inverted U: the first lets glutamate through,
the second shuts it off again.
"""

from afterglow.lang import Input, Output, Param, System, hill, lognormal


class NmdaBlock(System):
    """Fraction of NMDA receptors blocked at the two sites."""

    # what comes in
    s_ketamine = Input("umol/L", "free S-ketamine in the brain")
    r_ketamine = Input("umol/L", "free R-ketamine in the brain")
    s_norketamine = Input("umol/L", "free S-norketamine in the brain")
    r_norketamine = Input("umol/L", "free R-norketamine in the brain")

    # what is known
    KI_S = Param(0.30, "umol/L", "affinity of S-ketamine", source="ebert1997.KI_S")
    KI_SNK = Param(1.7, "umol/L", "affinity of S-norketamine", source="ebert1997.KI_SNK")
    KI_RNK = Param(13.0, "umol/L", "affinity of R-norketamine", source="ebert1997.KI_RNK")
    weight_r = Param(
        0.9,
        "1",
        "effect of R- per S-ketamine at the tonic site; affinity alone would say 0.21",
        source="fitted",
        bounds=(0.02, 5),
    )
    EC_tonic = Param(
        0.40, "umol/L", "S-equivalents that block half of the tonic site", source="fitted", spread=lognormal(omega=0.3)
    )
    EC_synaptic = Param(
        0.9, "umol/L", "S-equivalents that block half of the synaptic site; no human data see it", source="assumed"
    )
    r_synaptic = Param(0.6, "1", "effect of R- per S-ketamine at the synaptic site", source="assumed")
    n_tonic = Param(
        1.0, "1", "Hill exponent of the tonic site: one blocker a channel; trials are flat in dose", source="assumed"
    )
    n_synaptic = Param(2.0, "1", "Hill exponent of the synaptic site", source="assumed")

    # how it follows
    metabolites = s_norketamine * (KI_S / KI_SNK) + r_norketamine * (KI_S / KI_RNK)
    at_tonic = s_ketamine + weight_r * r_ketamine + metabolites
    at_synaptic = s_ketamine + r_synaptic * r_ketamine

    # what goes out
    tonic = Output(hill(at_tonic, EC_tonic, n_tonic), "1", "block of tonic receptors on interneurons")
    synaptic = Output(hill(at_synaptic, EC_synaptic, n_synaptic), "1", "block of synaptic receptors on pyramidal cells")
