"""Textbook pharmacokinetics: one to three compartments, four ways of absorption, one metabolite.

Amounts are in mg, volumes in L, clearances in L/h, times in h. Values are round numbers for a made-up drug, so every
source is "assumed": give your own by wiring or by parameter slots. States that doses can enter have a route each.

Equations: Gibaldi M, Perrier D (1982) Pharmacokinetics, 2nd edition, Marcel Dekker, chapters 1 to 3; zero-order and
parallel absorption: Gabrielsson J, Weiner D (2016) Pharmacokinetic and Pharmacodynamic Data Analysis, 5th edition.
"""

from math import inf

from afterglow.lang import Output, Param, Route, State, System


class OneCompartment(System):
    """A depot with first-order absorption and one compartment; intravenous doses go straight into the centre."""

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    CL = Param(1.1, "L/h", "clearance", source="assumed")
    VC = Param(20.0, "L", "volume of distribution", source="assumed")
    KA = Param(1.5, "1/h", "first-order absorption", source="assumed")
    depot.dot = -KA * depot
    central.dot = KA * depot - CL / VC * central
    CP = Output(central / VC, "mg/L", "concentration in plasma")
    oral = Route("swallowed, by way of the depot", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})


class TwoCompartments(System):
    """As `OneCompartment`, with one peripheral compartment."""

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the centre", bounds=(0.0, inf), size=10.0)
    peripheral = State("mg", "drug in the periphery", bounds=(0.0, inf), size=10.0)
    CL = Param(5.0, "L/h", "clearance", source="assumed")
    VC = Param(20.0, "L", "central volume", source="assumed")
    Q = Param(8.0, "L/h", "distribution clearance", source="assumed")
    VP = Param(40.0, "L", "peripheral volume", source="assumed")
    KA = Param(1.2, "1/h", "first-order absorption", source="assumed")
    exchange = Q * (central / VC - peripheral / VP)
    depot.dot = -KA * depot
    central.dot = KA * depot - CL / VC * central - exchange
    peripheral.dot = exchange
    CP = Output(central / VC, "mg/L", "concentration in plasma")
    oral = Route("swallowed, by way of the depot", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})


class ThreeCompartments(System):
    """As `TwoCompartments`, with a second, slower peripheral compartment."""

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the centre", bounds=(0.0, inf), size=10.0)
    shallow = State("mg", "drug in the shallow periphery", bounds=(0.0, inf), size=10.0)
    deep = State("mg", "drug in the deep periphery", bounds=(0.0, inf), size=10.0)
    CL = Param(10.0, "L/h", "clearance", source="assumed")
    VC = Param(15.0, "L", "central volume", source="assumed")
    Q2 = Param(20.0, "L/h", "clearance to the shallow periphery", source="assumed")
    VP2 = Param(30.0, "L", "shallow volume", source="assumed")
    Q3 = Param(2.0, "L/h", "clearance to the deep periphery", source="assumed")
    VP3 = Param(100.0, "L", "deep volume", source="assumed")
    KA = Param(1.2, "1/h", "first-order absorption", source="assumed")
    to_shallow = Q2 * (central / VC - shallow / VP2)
    to_deep = Q3 * (central / VC - deep / VP3)
    depot.dot = -KA * depot
    central.dot = KA * depot - CL / VC * central - to_shallow - to_deep
    shallow.dot = to_shallow
    deep.dot = to_deep
    CP = Output(central / VC, "mg/L", "concentration in plasma")
    oral = Route("swallowed, by way of the depot", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})


class ZeroOrderAbsorption(System):
    """One compartment; the dose enters at an even rate over a duration of its own.

    In an event table: RATE = -2 with the duration D of `central`, or a DUR.
    """

    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    CL = Param(1.1, "L/h", "clearance", source="assumed")
    VC = Param(20.0, "L", "volume of distribution", source="assumed")
    D = Param(3.0, "h", "duration of absorption", source="assumed")
    central.dot = -CL / VC * central
    CP = Output(central / VC, "mg/L", "concentration in plasma")
    oral = Route("swallowed, released evenly", {central: 1.0}, over={central: D})


class ParallelAbsorption(System):
    """One compartment; a fraction of the dose is absorbed by first order, the rest evenly over a duration.

    In an event table: two rows a dose, one into `depot` (F = FR), one into `central` (RATE = -2, F = 1 - FR,
    duration D).
    """

    depot = State("mg", "drug that is absorbed by first order", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    CL = Param(1.1, "L/h", "clearance", source="assumed")
    VC = Param(20.0, "L", "volume of distribution", source="assumed")
    KA = Param(1.5, "1/h", "first-order absorption", source="assumed")
    FR = Param(0.4, "1", "fraction absorbed by first order", source="assumed", bounds=(0.0, 1.0))
    D = Param(3.0, "h", "duration of the even absorption", source="assumed")
    depot.dot = -KA * depot
    central.dot = KA * depot - CL / VC * central
    CP = Output(central / VC, "mg/L", "concentration in plasma")
    oral = Route("swallowed, two ways at once", {depot: FR, central: 1.0 - FR}, over={central: D})
    first_order = Route("by way of the depot alone", {depot: 1.0})


class ParentMetabolite(System):
    """A drug that is absorbed by first order and leaves as one metabolite (a fraction FM) or otherwise.

    Amounts of the metabolite are in mg of parent equivalents.
    """

    depot = State("mg", "drug at the site of administration", bounds=(0.0, inf), size=10.0)
    central = State("mg", "drug in the body", bounds=(0.0, inf), size=10.0)
    metabolite = State("mg", "metabolite in the body, parent equivalents", bounds=(0.0, inf), size=10.0)
    CL = Param(1.1, "L/h", "clearance of the drug", source="assumed")
    VC = Param(20.0, "L", "volume of the drug", source="assumed")
    KA = Param(1.5, "1/h", "first-order absorption", source="assumed")
    FM = Param(0.6, "1", "fraction of the drug that becomes the metabolite", source="assumed", bounds=(0.0, 1.0))
    CLM = Param(4.0, "L/h", "clearance of the metabolite", source="assumed")
    VM = Param(12.0, "L", "volume of the metabolite", source="assumed")
    depot.dot = -KA * depot
    central.dot = KA * depot - CL / VC * central
    metabolite.dot = FM * (CL / VC * central) - CLM / VM * metabolite
    CP = Output(central / VC, "mg/L", "concentration of the drug in plasma")
    CM = Output(metabolite / VM, "mg/L", "concentration of the metabolite in plasma, parent equivalents")
    oral = Route("swallowed, by way of the depot", {depot: 1.0})
    iv = Route("into a vein", {central: 1.0})
