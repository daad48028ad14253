"""Acute effects of a session: dissociation, blood pressure, sedation, nausea, dizziness.

Dissociation follows the brain within minutes, is gone by two hours because people get accustomed within the session,
and is milder from session to session. No arrow leads from dissociation to mood. Risks are the probability of the
event in this session, read at the session's worst moment; without drug they are those under placebo.
"""

from afterglow.lang import Input, Output, Param, State, System, exp, hill, lognormal, minimum, to


class AcuteEffects(System):
    """What a person feels and a monitor shows in the hours of a session."""

    # what comes in
    s_ketamine = Input("umol/L", "free S-ketamine in the brain")
    r_ketamine = Input("umol/L", "free R-ketamine in the brain")
    s_plasma = Input("ng/mL", "S-ketamine in plasma")
    r_plasma = Input("ng/mL", "R-ketamine in plasma")
    gaba = Input("1", "effect of benzodiazepines at GABA-A receptors", default=0.0)

    # what changes
    accustomed = State("1", "getting accustomed within a session", bounds=(0, 1), size=0.3)
    tolerance = State("1", "tolerance over sessions", bounds=(0, 1), size=0.3)

    # what is known: dissociation
    weight_r = Param(0.214, "1", "effect of R- per S-ketamine, by affinity", source="derived.weight_r_dissociation")
    half = Param(
        0.119,
        "umol/L",
        "S-ketamine in the brain of half-maximal dissociation",
        source="derived.half_dissociation",
        spread=lognormal(cv=0.3),
    )
    n = Param(2.5, "1", "steepness of dissociation", source="derived.n_dissociation")
    accustoming = Param(3.0, "1", "rise of the half-maximal concentration when accustomed", source="assumed")
    tau_accustomed = Param(1.0, "h", "getting accustomed: chosen for an end by two hours", source="assumed")
    building = Param(1.05, "1/h", "tolerance built in full dissociation", source="derived.tolerance_building")
    tau_tolerance = Param(45.0, "d", "loss of tolerance; only seen with weekly sessions", source="assumed")
    scale = Param(
        21.0,
        "point",
        "CADSS at full dissociation, median person; skewed",
        source="derived.cadss_scale",
        spread=lognormal(cv=1.0),
    )
    highest = Param(92.0, "point", "highest CADSS: 23 items, 4 points each", source="assumed")
    # ... blood pressure
    pressure_half = Param(335.0, "ng/mL", "racemate in plasma of half the rise", source="derived.pressure_half")
    systolic_max = Param(35.2, "mmHg", "highest systolic rise", source="derived.systolic_max", spread=lognormal(cv=0.6))
    diastolic_max = Param(
        24.5, "mmHg", "highest diastolic rise", source="derived.diastolic_max", spread=lognormal(cv=0.6)
    )
    # ... sedation
    sedation_half = Param(0.159, "umol/L", "S-equivalents that sedate half of people", source="derived.sedation_half")
    n_sedation = Param(1.32, "1", "steepness of sedation", source="derived.n_sedation")
    sedating = Param(
        2.19, "1", "benzodiazepine that sedates half of people / of half effect on EEG", source="derived.sedating"
    )
    # ... nausea and dizziness
    nausea_placebo = Param(0.0137, "1", "hazard of nausea in a session without drug", source="derived.nausea_placebo")
    nausea_max = Param(0.267, "1", "highest hazard of nausea by the drug, first session", source="derived.nausea_max")
    nausea_half = Param(0.374, "umol/L", "S-equivalents of half of it", source="derived.nausea_half")
    dizziness_placebo = Param(
        0.0146, "1", "hazard of dizziness in a session without drug", source="derived.dizziness_placebo"
    )
    dizziness_max = Param(
        0.132, "1", "highest hazard of dizziness by the drug, first session", source="derived.dizziness_max"
    )
    dizziness_half = Param(0.143, "umol/L", "S-equivalents of half of it", source="derived.dizziness_half")
    n_events = Param(2.0, "1", "steepness of both", source="derived.n_events")

    # how it changes
    level = s_ketamine + weight_r * r_ketamine
    fresh = hill(level, half, n)
    felt = hill(level, half * (1 + accustoming * accustomed), n) * (1 - tolerance)
    accustomed.dot = (fresh - accustomed) / tau_accustomed
    tolerance.dot = building * felt * (1 - tolerance) - tolerance / to(tau_tolerance, "h")
    pressure = hill(s_plasma + r_plasma, pressure_half)
    by_benzodiazepine = gaba / (gaba + sedating * (1 - gaba))
    nausea_drug = nausea_max * hill(level, nausea_half, n_events) * (1 - tolerance)
    dizziness_drug = dizziness_max * hill(level, dizziness_half, n_events) * (1 - tolerance)

    # what goes out
    dissociation = Output(felt, "1", "dissociation, 0 none to 1 full")
    cadss = Output(minimum(scale * felt, highest), "point", "Clinician-Administered Dissociative States Scale")
    systolic_rise = Output(systolic_max * pressure, "mmHg", "rise of systolic blood pressure")
    diastolic_rise = Output(diastolic_max * pressure, "mmHg", "rise of diastolic blood pressure")
    sedation = Output(
        1 - (1 - hill(level, sedation_half, n_sedation)) * (1 - by_benzodiazepine), "1", "probability of being sedated"
    )
    nausea_risk = Output(1 - exp(-nausea_placebo - nausea_drug), "1", "probability of nausea in a session")
    dizziness_risk = Output(1 - exp(-dizziness_placebo - dizziness_drug), "1", "probability of dizziness in a session")
