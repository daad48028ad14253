"""Plasma kinetics of an antidepressant tablet: a depot, a central and a peripheral compartment.

The declared values are those of escitalopram. The model places the system four times; each dictionary below holds the
declarations that replace them for one drug. Clearances and volumes are apparent (divided by bioavailability), as in
the published models, so a dose enters whole. Venlafaxine stands for itself and its equally active metabolite,
bupropion for itself and its metabolites: their concentrations serve as a measure of the sum.
"""

from math import inf

from afterglow.lang import Output, Param, Route, State, System, lognormal


class OralAntidepressant(System):
    """One drug, once or twice daily by mouth."""

    # what changes
    depot = State("mg", "drug in the gut, not yet absorbed", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the central compartment", bounds=(0.0, inf), size=10.0)
    peripheral = State("mg", "drug in the peripheral compartment", bounds=(0.0, inf), size=10.0)

    # what is known
    KA = Param(3.6, "1/h", "absorption", source="areberg2006.KA", spread=lognormal(cv=1.48))
    LAG = Param(0.93, "h", "time before absorption starts", source="areberg2006.LAG")
    CL = Param(19.0, "L/h", "apparent clearance", source="areberg2006.CL", spread=lognormal(cv=0.34))
    V1 = Param(800.0, "L", "apparent central volume", source="areberg2006.V1", spread=lognormal(cv=0.17))
    Q = Param(98.0, "L/h", "apparent flow to the peripheral compartment", source="areberg2006.Q")
    V2 = Param(470.0, "L", "apparent peripheral volume", source="areberg2006.V2")

    # how it changes
    absorbed = KA * depot
    exchanged = Q * (central / V1 - peripheral / V2)
    depot.dot = -absorbed
    central.dot = absorbed - CL * central / V1 - exchanged
    peripheral.dot = exchanged

    # what goes out
    plasma = Output(central / V1, "ng/mL", "concentration in plasma")
    amount = Output(depot + central + peripheral, "mg", "drug in the body and in the gut")

    # how doses enter
    oral = Route("swallowed", {depot: 1.0}, lag=LAG)


ESCITALOPRAM: dict[str, Param] = {}  # the declared values

SERTRALINE = {
    "KA": Param(0.098, "1/h", "absorption", source="zhang2024.KA"),
    "LAG": Param(0.0, "h", "time before absorption starts", source="zhang2024.LAG"),
    "CL": Param(
        64.2, "L/h", "apparent clearance at 45 years", source="derived.sertraline_CL", spread=lognormal(cv=0.10)
    ),
    "V1": Param(803.0, "L", "apparent volume", source="zhang2024.V", spread=lognormal(cv=0.57)),
    "Q": Param(0.0, "L/h", "no peripheral compartment", source="zhang2024.Q"),
    "V2": Param(1.0, "L", "not used: nothing flows to the peripheral compartment", source="assumed"),
}

VENLAFAXINE = {
    "KA": Param(0.16, "1/h", "absorption from extended-release capsules", source="derived.venlafaxine_KA"),
    "LAG": Param(0.0, "h", "time before absorption starts: none reported, taken as none", source="assumed"),
    "CL": Param(91.0, "L/h", "apparent clearance", source="derived.venlafaxine_CL", spread=lognormal(cv=0.46)),
    "V1": Param(525.0, "L", "apparent volume", source="derived.venlafaxine_V", spread=lognormal(cv=0.49)),
    "Q": Param(0.0, "L/h", "the label describes one compartment", source="effexor_label.Q"),
    "V2": Param(1.0, "L", "not used: nothing flows to the peripheral compartment", source="assumed"),
}

BUPROPION = {
    "KA": Param(0.22, "1/h", "absorption from extended-release tablets", source="derived.bupropion_KA"),
    "LAG": Param(0.0, "h", "time before absorption starts: published, value not read; taken as none", source="assumed"),
    "CL": Param(221.0, "L/h", "apparent clearance", source="bupropion_xl2019.CL", spread=lognormal(cv=0.25)),
    "V1": Param(1240.0, "L", "apparent central volume", source="derived.bupropion_V1"),
    "Q": Param(63.0, "L/h", "apparent flow to the peripheral compartment", source="derived.bupropion_Q"),
    "V2": Param(1420.0, "L", "apparent peripheral volume", source="derived.bupropion_V2"),
}
