"""Benzodiazepines: relief while the drug is there, adaptation that opposes it and outlasts it.

Diazepam (two compartments, by mouth) and midazolam (three, into a vein) share one site. Adaptation builds up over
days; when the drug leaves faster than adaptation does, what remains is a rebound above baseline. Nordiazepam, the
long-lived metabolite of diazepam, is left out, so the drug leaves a little too early.
"""

from math import inf

from afterglow.lang import Output, Param, Route, State, System, hill, lognormal, to


class Benzodiazepine(System):
    """Diazepam, midazolam and what they do through GABA-A receptors."""

    # what changes
    gut = State("mg", "diazepam in the gut", bounds=(0.0, inf), size=5.0)
    diazepam = State("mg", "diazepam in its central compartment", bounds=(0.0, inf), size=5.0)
    diazepam_tissue = State("mg", "diazepam in its peripheral compartment", bounds=(0.0, inf), size=5.0)
    injected = State("mg", "midazolam in muscle or under the skin", bounds=(0.0, inf), size=1.0)
    midazolam = State("mg", "midazolam in its central compartment", bounds=(0.0, inf), size=1.0)
    midazolam_fast = State("mg", "midazolam in its fast peripheral compartment", bounds=(0.0, inf), size=1.0)
    midazolam_slow = State("mg", "midazolam in its slow peripheral compartment", bounds=(0.0, inf), size=1.0)
    adaptation = State("1", "adaptation against the drug", bounds=(0, 1), size=0.2)

    # what is known
    F = Param(0.97, "1", "oral diazepam that reaches the circulation", source="greenblatt1989.F")
    KA = Param(2.19, "1/h", "absorption of diazepam", source="derived.diazepam_KA")
    LAG = Param(0.2, "h", "time before absorption starts", source="greenblatt1989.LAG")
    CL = Param(2.36, "L/h", "clearance of diazepam", source="ku2018.CL", spread=lognormal(omega=0.249**0.5))
    V1 = Param(42.0, "L", "central volume of diazepam, 70 kg", source="ku2018.V1")
    Q = Param(22.6, "L/h", "peripheral flow of diazepam", source="ku2018.Q")
    V2 = Param(56.5, "L", "peripheral volume of diazepam", source="ku2018.V2")
    CL_MID = Param(21.54, "L/h", "clearance of midazolam", source="brill2014.CL", spread=lognormal(cv=0.181))
    F_INJ = Param(0.96, "1", "injected midazolam that reaches the circulation: nearly all of it", source="assumed")
    KA_INJ = Param(3.0, "1/h", "absorption of injected midazolam: as ketamine under the skin", source="assumed")
    V1_MID = Param(22.3, "L", "central volume of midazolam at 80 kg", source="derived.midazolam_V1")
    Q_FAST = Param(79.8, "L/h", "flow to its fast peripheral compartment", source="brill2014.Q")
    Q_SLOW = Param(9.0, "L/h", "flow to its slow peripheral compartment", source="brill2014.Q2")
    VP_MID = Param(33.8, "L", "each peripheral volume of midazolam at 80 kg", source="derived.midazolam_VP")
    half_midazolam = Param(31.0, "ng/mL", "midazolam of half the effect on the EEG", source="midazolam_eeg2004.EC50")
    half_diazepam = Param(124.0, "ng/mL", "diazepam of half the effect", source="derived.half_diazepam")
    tolerance = Param(0.7, "1", "share of the effect that adaptation takes back", source="assumed", bounds=(0, 1))
    tau = Param(
        5.0, "d", "rise and fall of adaptation: chosen for tolerance and rebound within weeks", source="assumed"
    )
    gain = Param(
        0.35, "1", "relief at full effect without adaptation, log scale", source="assumed", spread=lognormal(cv=0.5)
    )
    blunting = Param(
        0.35,
        "1",
        "share of the glutamate surge taken at full effect: seen with IV ketamine at day 1, not with nasal esketamine",
        source="assumed",
        bounds=(0, 1),
    )

    # how it changes
    c, c_tissue = diazepam / V1, diazepam_tissue / V2
    m, m_fast, m_slow = midazolam / V1_MID, midazolam_fast / VP_MID, midazolam_slow / VP_MID
    effect = hill(to(c / half_diazepam + m / half_midazolam, "1"), 1.0)
    gut.dot = -KA * gut
    diazepam.dot = KA * gut - CL * c - Q * (c - c_tissue)
    diazepam_tissue.dot = Q * (c - c_tissue)
    injected.dot = -KA_INJ * injected
    midazolam.dot = KA_INJ * injected - CL_MID * m - Q_FAST * (m - m_fast) - Q_SLOW * (m - m_slow)
    midazolam_fast.dot = Q_FAST * (m - m_fast)
    midazolam_slow.dot = Q_SLOW * (m - m_slow)
    adaptation.dot = (tolerance * effect - adaptation) / tau

    # what goes out
    diazepam_plasma = Output(c, "ng/mL", "diazepam in plasma")
    midazolam_plasma = Output(m, "ng/mL", "midazolam in plasma")
    gaba = Output(effect, "1", "effect at GABA-A receptors now, 0 to 1")
    relief = Output(gain * (effect - adaptation), "1", "relief by benzodiazepines, log scale; negative in rebound")
    surge_attenuation = Output(blunting * effect, "1", "share of the glutamate surge that is taken away")

    # how doses enter
    diazepam_oral = Route("diazepam, swallowed", {gut: F}, lag=LAG)
    midazolam_iv = Route("midazolam into a vein", {midazolam: 1.0})
    midazolam_injected = Route("midazolam into a muscle or under the skin", {injected: F_INJ})
