"""Plasma kinetics of one ketamine enantiomer, norketamine and hydroxynorketamine, by seven ways of giving it.

Concentrations are venous, as in the trials; arterial ones are up to twice as high while an infusion runs. Disposition
is the three-compartment model of Fanta (2015) with the norketamine of Otto (2021). Doses enter through a depot at their
site; of what is swallowed a part arrives unchanged, most as norketamine. What was measured for S-ketamine alone serves
both enantiomers; `R_KETAMINE` holds what is known to differ. Amounts are mg of ketamine, metabolites counted as the
ketamine they were made from.

One disposition does not meet every published curve: peaks after a nasal device come out 30 % high, and peaks after an
atomiser (a quarter) or a swallowed dose (a third) far below the published ones, at the published availability.
"""

from math import inf

from afterglow.lang import Input, Output, Param, Route, State, System, logitnormal, lognormal, maximum


def _amount(meaning: str, size: float) -> State:
    return State("mg", meaning, bounds=(0.0, inf), size=size)


class Ketamine(System):
    """One enantiomer; the declared values are those of S-ketamine."""

    # what comes in
    weight = Input("kg", "body weight", default=70.0)
    age = Input("year", "age", default=45.0)

    # what changes
    muscle = _amount("injected into muscle, not yet absorbed", 10.0)
    skin = _amount("injected under the skin, not yet absorbed", 10.0)
    nose = _amount("on the nasal mucosa", 10.0)
    mouth = _amount("on the mucosa of the mouth", 10.0)
    gut = _amount("swallowed, will reach the circulation unchanged", 2.0)
    portal = _amount("swallowed, will reach the circulation as norketamine", 10.0)
    central = _amount("in the central compartment", 5.0)
    peripheral1 = _amount("in the slow peripheral compartment", 5.0)
    peripheral2 = _amount("in the fast peripheral compartment", 5.0)
    nk_central = _amount("norketamine in its central compartment", 5.0)
    nk_peripheral = _amount("norketamine in its peripheral compartment", 5.0)
    hnk = _amount("hydroxynorketamine", 2.0)

    # what is known: disposition
    CL = Param(95.2, "L/h", "clearance, all to norketamine", source="otto2021.CL", spread=lognormal(omega=0.161))
    V1 = Param(133.0, "L", "central volume", source="otto2021.V1", spread=lognormal(omega=0.290))
    Q2 = Param(23.2, "L/h", "flow to the slow peripheral compartment", source="otto2021.Q2")
    V2 = Param(187.0, "L", "slow peripheral volume", source="otto2021.V2")
    Q3 = Param(157.0, "L/h", "flow to the fast peripheral compartment", source="otto2021.Q3")
    V3 = Param(98.8, "L", "fast peripheral volume", source="otto2021.V3")
    CL_NK = Param(57.7, "L/h", "norketamine: clearance", source="otto2021.CL_NK", spread=lognormal(omega=0.321))
    V_NK = Param(98.6, "L", "norketamine: central volume", source="otto2021.V_NK", spread=lognormal(omega=0.201))
    Q_NK = Param(42.8, "L/h", "norketamine: flow to its peripheral compartment", source="otto2021.Q_NK")
    VP_NK = Param(160.0, "L", "norketamine: peripheral volume", source="otto2021.VP_NK")
    FM_HNK = Param(0.56, "1", "fraction that ends as hydroxynorketamine (HNK)", source="simons2022.FM_HNK")
    CL_HNK = Param(55.98, "L/h", "HNK: clearance", source="simons2022.CL_HNK", spread=lognormal(omega=0.321))
    V_HNK = Param(91.9, "L", "HNK: volume", source="derived.V_HNK")
    FU = Param(0.56, "1", "ketamine unbound in plasma", source="derived.FU")
    FU_NK = Param(0.56, "1", "norketamine unbound: not measured, taken as that of ketamine", source="assumed")
    FU_HNK = Param(0.56, "1", "HNK unbound: not measured, taken as that of ketamine", source="assumed")
    MW = Param(237.73, "g/mol", "molar mass of ketamine", source="derived.MW")
    MW_NK = Param(223.70, "g/mol", "molar mass of norketamine", source="derived.MW_NK")
    MW_HNK = Param(239.70, "g/mol", "molar mass of hydroxynorketamine", source="derived.MW_HNK")
    # the body
    WT_REF = Param(70.0, "kg", "weight of the reference person", source="otto2021.WT_REF")
    WT_CL = Param(0.75, "1", "exponent of weight on clearances; 1 on central volumes", source="otto2021.WT_CL")
    AGE_REF = Param(60.0, "year", "age from which hepatic blood flow falls", source="perezruixo2021.AGE_REF")
    QH = Param(151.0, "L/h", "hepatic blood flow up to that age", source="perezruixo2021.QH")
    QH_AGE = Param(2.19, "L/h/year", "fall of hepatic blood flow beyond it", source="perezruixo2021.QH_AGE")
    CL_INT = Param(392.0, "L/h", "intrinsic clearance: decides how much flow matters", source="derived.CL_INT")
    # absorption
    F_IM = Param(0.95, "1", "available from muscle: no human figure read; little is lost on the way", source="assumed")
    KA_IM = Param(6.0, "1/h", "absorption from muscle: chosen for a peak after about 20 min", source="assumed")
    F_SC = Param(0.95, "1", "available from skin: no human figure read; in rats as from muscle", source="assumed")
    KA_SC = Param(3.0, "1/h", "absorption from skin: chosen half as fast as from muscle", source="assumed")
    F_NOSE = Param(
        0.54,
        "1",
        "absorbed in the nose from the first device",
        source="perezruixo2021.F_NOSE",
        spread=logitnormal(0.708),
    )
    F_LATER = Param(0.62, "1", "the same from a later device / from the first", source="perezruixo2021.F_LATER")
    KA_NOSE = Param(2.93, "1/h", "absorption in the nose", source="perezruixo2021.KA_NOSE", spread=lognormal(cv=0.615))
    F_ATOM = Param(
        0.13, "1", "unchanged into blood from an atomiser", source="intranasal2022.F_ATOM", spread=logitnormal(0.708)
    )
    F_SL = Param(0.29, "1", "unchanged into blood from the mouth", source="rolan2014.F_SL", spread=logitnormal(0.345))
    D_SL = Param(13.1, "min", "time in which a film gives its dose to the mucosa", source="simons2022.D_SL")
    KA_SL = Param(2.4, "1/h", "absorption in the mouth", source="simons2022.KA_SL", spread=lognormal(omega=0.249))
    F_ORAL = Param(0.15, "1", "unchanged into blood from a tablet", source="hasan2021.F_S", spread=logitnormal(0.627))
    F_SPRAY = Param(0.186, "1", "unchanged into blood from swallowed spray", source="perezruixo2021.F_SPRAY")
    D_SPRAY = Param(0.53, "h", "time in which spray is swallowed", source="perezruixo2021.D_SPRAY")
    D_ORAL = Param(0.32, "h", "time in which a swallowed dose dissolves", source="perezruixo2021.D_ORAL")
    KA_GUT = Param(1.45, "1/h", "absorption in the gut", source="perezruixo2021.KA_GUT", spread=lognormal(cv=1.32))
    FM_PORTAL = Param(0.78, "1", "share of what is lost that arrives as norketamine", source="derived.FM_PORTAL")

    # how it changes
    size = weight / WT_REF
    flow = QH - QH_AGE * maximum(age - AGE_REF, 0.0)
    liver = flow / QH * (QH + CL_INT) / (flow + CL_INT)  # well-stirred: clearance and what survives a pass fall alike
    cl, cl_nk, cl_hnk = CL * liver * size**WT_CL, CL_NK * size**WT_CL, CL_HNK * size**WT_CL
    c, c1, c2 = central / (V1 * size), peripheral1 / V2, peripheral2 / V3
    c_nk, c_nk1, c_hnk = nk_central / (V_NK * size), nk_peripheral / VP_NK, hnk / (V_HNK * size)

    muscle.dot = -KA_IM * muscle
    skin.dot = -KA_SC * skin
    nose.dot = -KA_NOSE * nose
    mouth.dot = -KA_SL * mouth
    gut.dot = -KA_GUT * gut
    portal.dot = -KA_GUT * portal
    absorbed = KA_IM * muscle + KA_SC * skin + KA_NOSE * nose + KA_SL * mouth + KA_GUT * gut
    central.dot = absorbed - cl * c - Q2 * (c - c1) - Q3 * (c - c2)
    peripheral1.dot = Q2 * (c - c1)
    peripheral2.dot = Q3 * (c - c2)
    nk_central.dot = KA_GUT * portal + cl * c - cl_nk * c_nk - Q_NK * (c_nk - c_nk1)
    nk_peripheral.dot = Q_NK * (c_nk - c_nk1)
    hnk.dot = FM_HNK * cl_nk * c_nk - cl_hnk * c_hnk

    # what goes out
    plasma = Output(c, "ng/mL", "ketamine, total, venous plasma")
    free = Output(FU * c / MW, "umol/L", "ketamine, unbound")
    norketamine = Output(c_nk, "ng/mL", "norketamine, total; its volumes take mg of ketamine, as in the paper")
    norketamine_free = Output(FU_NK * c_nk / MW_NK, "umol/L", "norketamine, unbound")
    hydroxynorketamine = Output(c_hnk * MW_HNK / MW, "ng/mL", "2,6-hydroxynorketamine, total")
    hydroxynorketamine_free = Output(FU_HNK * c_hnk / MW, "umol/L", "2,6-hydroxynorketamine, unbound")
    depots = muscle + skin + nose + mouth + gut + portal
    parent, nk = central + peripheral1 + peripheral2, nk_central + nk_peripheral
    amount = Output(depots + parent + nk + hnk, "mg", "ketamine and metabolites not yet eliminated, as ketamine")

    # how doses enter, in mg of this enantiomer; where availability was measured in all, swallowed parts are within it
    spray, tablet, later = F_SPRAY * liver, F_ORAL * liver, F_NOSE * F_LATER
    iv = Route("into a vein", {central: 1.0})
    im = Route("into a muscle", {muscle: F_IM})
    sc = Route("under the skin", {skin: F_SC})
    nasal_device_first = Route(
        "first 28 mg device of a session",
        {nose: F_NOSE, gut: (1 - F_NOSE) * spray, portal: (1 - F_NOSE) * (1 - spray) * FM_PORTAL},
        over={gut: D_SPRAY, portal: D_SPRAY},
    )
    nasal_device_later = Route(
        "each further device of the session",
        {nose: later, gut: (1 - later) * spray, portal: (1 - later) * (1 - spray) * FM_PORTAL},
        over={gut: D_SPRAY, portal: D_SPRAY},
    )
    nasal_atomiser = Route(
        "drops or atomiser", {nose: F_ATOM, portal: (1 - F_ATOM) * FM_PORTAL}, over={portal: D_SPRAY}
    )
    sublingual = Route(
        "wafer, film or tablet in the mouth",
        {mouth: F_SL, portal: (1 - F_SL) * FM_PORTAL},
        over={mouth: D_SL, portal: D_SPRAY},
    )
    oral = Route("swallowed", {gut: tablet, portal: (1 - tablet) * FM_PORTAL}, over={gut: D_ORAL, portal: D_ORAL})


R_KETAMINE = {
    "CL": Param(89.8, "L/h", "clearance, all to norketamine", source="derived.CL_R", spread=lognormal(omega=0.161)),
    "CL_HNK": Param(29.0, "L/h", "HNK: clearance", source="derived.CL_HNK_R", spread=lognormal(omega=0.321)),
    "F_ORAL": Param(0.19, "1", "unchanged into blood from a tablet", source="hasan2021.F_R", spread=logitnormal(0.65)),
}
