"""Inflammation: a slow cytokine load that stress raises and repeated ketamine lowers.

A single infusion first raises interleukin-6 for hours; a course of infusions lowers cytokines for weeks. The acute
rise is shown in `level` but is no part of `load`: cytokines after a single infusion do not follow mood. What is
handed on costs synapses and weighs a little on mood; it moves too slowly for the mood of the next day. A quarter of
depressed people start from a raised level.
"""

from afterglow.lang import Input, Output, Param, State, System, hill, lognormal, to


class Inflammation(System):
    """Cytokines in blood, 1 = typical of depression without raised C-reactive protein."""

    # what comes in
    stress = Input("1", "stress load above that of untreated depression", default=0.0)
    s_ketamine = Input("umol/L", "free S-ketamine in the brain", default=0.0)
    crp_high = Input("1", "1 with C-reactive protein above 3 mg/L, 0 without; default: the share with it", default=0.27)

    # what is known
    raised = Param(1.0, "1", "level added by raised C-reactive protein", source="assumed", spread=lognormal(cv=0.4))
    by_stress = Param(0.2, "1", "level that a stress load adds, share of own baseline", source="assumed")
    tau_level = Param(3.0, "d", "turnover of the slow level", source="assumed")
    acute_rise = Param(0.15, "1/h", "rise of interleukin-6 under full exposure", source="assumed")
    tau_acute = Param(12.0, "h", "fall of the acute rise: over by the third day", source="assumed")
    half = Param(0.13, "umol/L", "exposure of half the effect: that of an antidepressant infusion", source="assumed")
    restraining = Param(0.06, "1/h", "build-up of restraint under full exposure", source="assumed")
    tau_restraint = Param(21.0, "d", "loss of restraint: still there two weeks after a course", source="assumed")

    # what changes
    slow = State("1", "slow cytokine level", init=1 + raised * crp_high, bounds=(0, 20), size=1.0)
    acute = State("1", "acute rise of interleukin-6", bounds=(0, 10), size=0.1)
    restraint = State("1", "restraint of cytokines by repeated exposure", bounds=(0, 1), size=0.1)

    # how it changes
    own = 1 + raised * crp_high
    exposed = hill(s_ketamine, half)
    slow.dot = (own * (1 + by_stress * stress) * (1 - restraint) - slow) / tau_level
    acute.dot = acute_rise * exposed - acute / tau_acute
    restraint.dot = restraining * exposed * (1 - restraint) - restraint / to(tau_restraint, "h")

    # what goes out
    level = Output(slow + acute, "1", "cytokine level as a blood test would show it")
    load = Output(slow - own, "1", "slow cytokine level above the person's own baseline")
