"""Monoamines: transporters are blocked within hours, transmission adapts over weeks.

Occupancy follows plasma at once, so the slow climb of relief is not kinetics. Two things are slow: serotonin neurons
brake themselves until their autoreceptors desensitise, and what they act on adapts. A part of the relief is there
from the first days, because a third of the six-week difference from placebo is seen after one week.
"""

from afterglow.lang import Input, Output, Param, State, System, hill, lognormal, maximum


class Monoamines(System):
    """Serotonin, noradrenaline and dopamine transporters, and relief by blocking them."""

    # what comes in
    escitalopram = Input("ng/mL", "escitalopram in plasma", default=0.0)
    sertraline = Input("ng/mL", "sertraline in plasma", default=0.0)
    venlafaxine = Input("ng/mL", "venlafaxine in plasma", default=0.0)
    bupropion = Input("ng/mL", "bupropion in plasma", default=0.0)
    failed_trials = Input("1", "adequate antidepressant trials that failed", default=2.0)

    # what changes
    desensitised = State("1", "autoreceptors that no longer brake", bounds=(0, 1), size=0.3)
    adapted = State("1", "slow adaptation to raised transmission", bounds=(0, 1), size=0.3)

    # what is known
    sert_escitalopram = Param(
        5.0, "ng/mL", "escitalopram that occupies half of SERT", source="derived.sert_escitalopram"
    )
    sert_sertraline = Param(6.0, "ng/mL", "sertraline that occupies half of SERT", source="derived.sert_sertraline")
    sert_venlafaxine = Param(
        8.6, "ng/mL", "venlafaxine that goes with half of SERT occupied", source="derived.sert_venlafaxine"
    )
    net_venlafaxine = Param(
        100.0,
        "ng/mL",
        "venlafaxine that goes with half of NET occupied: the mean of 225 mg a day, where NET block begins to show",
        source="assumed",
    )
    dat_bupropion = Param(
        240.0, "ng/mL", "bupropion that goes with half of DAT occupied", source="derived.dat_bupropion"
    )
    net_bupropion = Param(
        240.0, "ng/mL", "bupropion that goes with half of NET occupied: never imaged, taken as DAT's", source="assumed"
    )
    brake = Param(0.5, "1", "transmission held back by fresh autoreceptors; only seen in rats", source="assumed")
    most_desensitised = Param(0.70, "1", "autoreceptors that can desensitise", source="derived.most_desensitised")
    tau_desensitise = Param(3.5, "d", "desensitisation of autoreceptors", source="derived.tau_desensitise")
    occupancy_desensitise = Param(0.1, "1", "SERT occupancy that starts it half-way", source="assumed")
    weight_net = Param(0.5, "1", "transmission gained when all NET is blocked, all SERT = 1", source="assumed")
    dat_half = Param(
        0.12,
        "1",
        "DAT occupancy of half the effect: low, as bupropion occupies a fifth at most and works like the others",
        source="assumed",
    )
    n_dat = Param(2.0, "1", "steepness of that", source="assumed")
    tau = Param(25.0, "d", "slow adaptation", source="fitted", bounds=(5, 60))
    at_once = Param(0.10, "1", "share of relief that does not wait for adaptation", source="derived.at_once")
    relief_gain = Param(
        0.30,
        "1",
        "relief when transmission and adaptation are full, treatment-resistant, log scale; skewed over people",
        source="fitted",
        spread=lognormal(omega=1.2),
        bounds=(0, 3),
    )
    less_resistant = Param(
        1.25, "1", "relief with no failed trial / with two or more", source="fitted", bounds=(0.5, 3)
    )

    # how it changes
    by_venlafaxine = venlafaxine / sert_venlafaxine
    at_sert = escitalopram / sert_escitalopram + sertraline / sert_sertraline + by_venlafaxine
    at_net = venlafaxine / net_venlafaxine + bupropion / net_bupropion
    sert, net, dat = hill(at_sert, 1.0), hill(at_net, 1.0), hill(bupropion, dat_bupropion)
    serotonin = sert * (1 - brake * (1 - desensitised))
    others = (1 - weight_net * net) * (1 - hill(dat, dat_half, n_dat))
    transmission = 1 - (1 - serotonin) * others
    desensitised.dot = (most_desensitised * hill(sert, occupancy_desensitise) - desensitised) / tau_desensitise
    adapted.dot = (transmission - adapted) / tau
    resistance = 1 + (less_resistant - 1) * maximum(1 - failed_trials / 2, 0.0)

    # what goes out
    sert_occupancy = Output(sert, "1", "serotonin transporter occupied")
    net_occupancy = Output(net, "1", "noradrenaline transporter occupied")
    dat_occupancy = Output(dat, "1", "dopamine transporter occupied")
    adaptation = Output(adapted, "1", "slow adaptation, 0 to 1")
    relief = Output(
        relief_gain * resistance * (at_once * transmission + (1 - at_once) * adapted),
        "1",
        "relief by monoamine drugs, log scale",
    )
