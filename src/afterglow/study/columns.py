"""What each column of the result tables holds: unit and meaning. Goes into `units.json` and into the Parquet files."""

from __future__ import annotations

import re

from afterglow.study.quantities import QUANTITIES

_KEYS = {
    "patient": ("", "number of the virtual patient; the same person with the same luck in every arm"),
    "arm": ("", "course, or course/control for its matched control; of a trial, the name of the arm"),
    "control": ("", "matched control of the arm"),
    "title": ("", "the course in words"),
    "visit": ("", "name of the visit"),
    "time_h": ("h", "time since the first day of the course"),
    "scale": ("", "rating scale"),
    "n": ("patients", "patients with a result; failed simulations are left out"),
}
_ESTIMATES = {
    "value": ("points of the scale", "measured score, with rater noise and day-to-day fluctuation, rounded"),
    "mean": ("points of the scale", "mean measured score"),
    "sd": ("points of the scale", "standard deviation of the score between patients"),
    "change": ("points of the scale", "mean change from baseline; negative is better on depression scales"),
    "change_sd": ("points of the scale", "standard deviation of the change between patients"),
    "response": ("fraction", "patients with at least half of the baseline score gone"),
    "remission": ("fraction", "patients at or under the remission cut-off of the scale"),
    "difference": ("points of the scale", "mean of arm minus its control in the same patients; negative is better"),
    "lo90": ("points of the scale", "lower end of the 90 % interval of difference"),
    "hi90": ("points of the scale", "upper end of the 90 % interval of difference"),
    "power": (
        "fraction",
        "power of a parallel trial, 50 patients a group, two-sided t-test of the change at 5 %; of a trial file, the "
        "share of replicates that are significant in the arm's favour",
    ),
    "of": ("", "the estimate whose interval is taken apart: change, or difference from the control"),
    "sd_sampling": ("points of the scale", "standard error by chance among the virtual patients"),
    "sd_parameters": ("points of the scale", "standard error by what the calibration leaves open"),
    "from_parameters": ("fraction", "share of the variance that the parameters make; the rest is chance"),
    "responded_ever": ("fraction", "patients with a response at two ratings running"),
    "time_to_response_d": (
        "d",
        "day by which half of all patients have responded, confirmed by the next rating; empty when fewer do",
    ),
    "relapse": (
        "fraction",
        (
            "of those who responded, patients who relapsed by the end of the run; a crude share: early responders are "
            "at risk for longer than late ones"
        ),
    ),
    "time_to_relapse_d": ("d", "days from response to relapse, median of all who responded; empty when fewer relapse"),
    "cadss_worst": ("points", "highest dissociation score of each patient, mean"),
    "cadss_worst_p95": ("points", "highest dissociation score, exceeded by one patient in 20"),
    "systolic_worst": ("mmHg", "highest rise of systolic blood pressure of each patient, mean"),
    "systolic_worst_p95": ("mmHg", "highest rise of systolic blood pressure, exceeded by one patient in 20"),
    "nausea": (
        "fraction",
        "chance of nausea in any session of the course, mean of the patients; empty where there are no sessions",
    ),
    "sedated": ("fraction", "chance of being sedated at each patient's worst moment, mean of the patients"),
}
_TRAJECTORIES = {
    "quantity": ("", "what is followed; see the section quantities"),
    "unit": ("", "unit of the quantiles in this row"),
    "median": ("as in column unit", "half of the patients are below"),
    "p05": ("as in column unit", "5 % of the patients are below"),
    "p10": ("as in column unit", "10 % of the patients are below"),
    "p25": ("as in column unit", "25 % of the patients are below"),
    "p75": ("as in column unit", "75 % of the patients are below"),
    "p90": ("as in column unit", "90 % of the patients are below"),
    "p95": ("as in column unit", "95 % of the patients are below"),
}
_DOSES = {
    "drug": ("", "what was given"),
    "route": ("", "how it was given"),
    "share": ("fraction", "largest share of the patients that got it at one time"),
    "doses_mean": ("doses", "doses a patient, mean"),
    "mg": ("mg", "amount of a dose, median over all doses of all patients"),
    "mg_p05": ("mg", "amount of a dose, lowest 5th percentile of any time"),
    "mg_p95": ("mg", "amount of a dose, highest 95th percentile of any time"),
    "first_h": ("h", "first dose"),
    "last_h": ("h", "last dose"),
    "planned": (
        "fraction",
        "of all doses of all patients, those that were planned; the rest came from checks and boosters",
    ),
}
_PATIENTS = {
    "AGE": ("year", "age"),
    "SEXF": ("", "1 female, 0 male"),
    "WT": ("kg", "body weight"),
    "baseline_madrs": ("points", "true MADRS before treatment"),
    "failed_trials": ("trials", "adequate antidepressant trials without response"),
    "trd": ("", "1 with two or more failed trials"),
    "anxiety": ("", "1 with a comorbid anxiety disorder or marked anxiety"),
    "ptsd": ("", "1 with post-traumatic stress disorder"),
    "pain": ("", "1 with chronic pain"),
    "benzodiazepine": ("", "1 takes a benzodiazepine"),
    "met_carrier": ("", "1 with a Met allele of BDNF Val66Met"),
    "crp": ("mg/L", "C-reactive protein"),
    "crp_high": ("", "1 with C-reactive protein above 3 mg/L"),
    "inflammation": ("SD", "log C-reactive protein in SDs from the population mean"),
}
_TRIAL = {
    "randomised": ("", "whether the person was randomised"),
    "baseline": ("points of the scale", "measured score before treatment on the scale of the primary endpoint"),
    "left_h": ("h", "when the person left or, if still followed, stopped treatment; empty for those who did not"),
    "left_reason": ("", "why the person left: at random, lack of effect or side effects"),
    "rescued_h": ("h", "when the person got rescue treatment; empty for those who did not"),
    "sessions_planned": ("sessions", "treatment sessions that the course plans for the time the person was treated"),
    "sessions": ("sessions", "treatment sessions that the person had"),
    "actual_h": ("h", "when the person really came, since the first dose"),
}
_REPLICATES = {
    "scenario": ("", "number of the scenario, from 0, in the order of the trial file"),
    "world": ("", "how things are taken to be: posterior, mean, masked, null, inert, inert-masked"),
    "replicate": ("", "number of the replicate, from 0; the same people and luck in every world"),
    "replicates": ("replicates", "how many replicates are behind the row"),
    "endpoint": ("", "number of the endpoint in the trial file; 1 is the primary one"),
    "measure": ("", "what is compared"),
    "analysis": ("", "how it is compared; sensitivity analyses are named after their rule"),
    "estimate": ("as the analysis", "arm minus control; the logarithm of the ratio for cox and logistic"),
    "se": ("as the analysis", "standard error of the estimate; over replicates their mean"),
    "df": ("", "degrees of freedom"),
    "p": ("", "two-sided p of no difference"),
    "lo95": ("as the analysis", "lower end of the interval with level 1 - alpha (95 % unless the file says otherwise)"),
    "hi95": ("as the analysis", "upper end of that interval"),
    "significant": ("", "whether p is below alpha, in either direction"),
    "confirmed": ("", "whether it is significant after multiplicity; over replicates their share"),
    "favours": ("", "whether the estimate favours the arm"),
    "truth": ("as the analysis", "the same for what these people would have scored in both arms, nothing missing"),
    "n_arm": ("patients", "patients of the arm in the analysis"),
    "n_control": ("patients", "patients of the control in the analysis"),
    "problem": ("", "why there is no estimate; empty when there is one"),
    "without_estimate": ("replicates", "replicates whose data did not allow the analysis"),
    "lsmean": ("points of the scale", "least-squares mean of the change from baseline (MMRM)"),
    "lsmean_se": ("points of the scale", "its standard error"),
    "assurance": (
        "fraction",
        "replicates that are significant in the arm's favour, over draws of the calibration",
    ),
    "power_at_mean": ("fraction", "the same where the medians of the calibration hold"),
    "power_masked": ("fraction", "the same where nobody can feel what they got"),
    "power_inert": ("fraction", "the same where the drug does nothing but reveal itself"),
    "power_inert_masked": ("fraction", "the same where that cannot be felt either"),
    "type_1_error": ("fraction", "replicates with a significant result where all arms are treated like the control"),
    "bias": ("as the analysis", "mean of estimate minus truth"),
    "bias_se": ("as the analysis", "standard error of the bias by the number of replicates"),
    "coverage95": ("fraction", "intervals (lo95, hi95) that hold the truth"),
    "near": ("fraction", "estimates within `margin` of the truth"),
    "margin": ("points of the scale", "distance from the truth that counts as near"),
    "estimate_masked": ("as the analysis", "mean estimate where nobody can feel what they got"),
    "estimate_mean": ("as the analysis", "mean estimate where the medians of the calibration hold"),
    "estimate_inert": ("as the analysis", "mean estimate where the drug does nothing but reveal itself"),
    "n_rated": ("patients", "candidates rated until the trial was full, mean"),
    "n_randomised": ("patients", "patients randomised, mean"),
    "n_completed": ("patients", "patients who stayed to the end, mean"),
    "rated": ("patients", "candidates rated until the trial was full"),
    "enrolled": ("patients", "people let in"),
    "left_at_random": ("patients", "patients who left for no reason of the model"),
    "left_lack_of_effect": ("patients", "patients who left because treatment did not help"),
    "left_side_effects": ("patients", "patients who left because of what a session felt like"),
    "rescued": ("patients", "patients who got rescue treatment"),
    "completed": ("patients", "patients who stayed to the end"),
    "missed_visits": ("visits", "visits that were missed"),
    "failed": ("patients", "people whom the engine could not simulate"),
    "with_event": ("fraction", "of those at risk, with the event of the first endpoint in time; crude"),
    "asked": ("patients", "patients who were asked what they got"),
    "believed": ("fraction", "probability of active treatment that patients give, mean"),
    "guessed_active": ("fraction", "patients who guess active treatment"),
    "published": ("points of the scale, percent or ratio", "the published number"),
    "published_se": ("as published", "its standard error; of ratios that of the logarithm"),
    "simulated": ("as published", "mean of the same over replicates"),
    "guessed": ("fraction", "assurance as the power curve foresaw it"),
}
_ADAM = {
    "SIMULATED": ("", "Y: the person does not exist"),
    "STUDYID": ("", "name of the trial file"),
    "USUBJID": ("", "the person, unique over trials"),
    "SUBJID": ("", "number of the virtual patient within the trial"),
    "ARM": ("", "planned arm in words; empty if not randomised"),
    "ARMCD": ("", "name of the planned arm; empty if not randomised"),
    "TRT01P": ("", "planned treatment; empty if not randomised"),
    "TRT01A": ("", "actual treatment, always the planned one; rescue is told by RESCUEFL"),
    "TRTP": ("", "planned treatment; empty if not randomised"),
    "TRTA": ("", "actual treatment, always the planned one"),
    "AGEU": ("", "unit of AGE"),
    "SEX": ("", "F or M"),
    "WTBL": ("kg", "body weight at baseline"),
    "RANDFL": ("", "Y: randomised"),
    "ITTFL": ("", "Y: in the intention-to-treat population, all who were randomised"),
    "SAFFL": ("", "Y: in the safety population, all who had at least one dose of anything"),
    "COMPLFL": ("", "Y: randomised and in the trial to its end"),
    "RESCUEFL": ("", "Y: had rescue treatment"),
    "EOSSTT": ("", "status at the end of the study"),
    "DCSREAS": ("", "why the person left the study; OTHER for those who left at random"),
    "EOTSTT": ("", "status at the end of treatment"),
    "DCTREAS": ("", "why treatment ended early"),
    "TRTSDY": ("day", "study day of the first dose; 1 for all who were treated"),
    "TRTEDY": ("day", "study day of the last dose"),
    "PARCAT1": ("", "rating scale"),
    "PARAM": ("", "what AVAL is"),
    "PARAMCD": ("", "code of PARAM, ours"),
    "AVISIT": ("", "scheduled visit, by its study day"),
    "AVISITN": ("day", "scheduled study day of the visit; 0 for the baseline"),
    "ATPT": ("", "hour within the scheduled day, where a visit is not at its beginning"),
    "ATPTN": ("h", "hour within the scheduled day, where a visit is not at its beginning"),
    "ADY": ("day", "study day on which it really happened; day 1 is that of the first dose, there is no day 0"),
    "AVAL": ("as in column PARAM", "value; points, days, or 1 for yes and 0 for no"),
    "AVALC": ("", "value as Y or N, of response and remission"),
    "BASE": ("points of the scale", "AVAL of the record with ABLFL = Y"),
    "CHG": ("points of the scale", "AVAL - BASE; negative is better on depression scales"),
    "PCHG": ("%", "change as a percentage of BASE"),
    "ABLFL": ("", "Y: the baseline record"),
    "ANL01FL": ("", "Y: the record that the analysis under the trial's estimand has"),
    "DTYPE": ("", "BOCF: not observed, the baseline carried forward under the composite estimand; else empty"),
    "ICEFL": ("", "Y: after an intercurrent event"),
    "CNSR": ("", "0 for an event, 1 for a censored time"),
    "EVNTDESC": ("", "the event, or why the time was censored"),
    "STARTDY": ("day", "study day from which AVAL counts"),
    "AESEQ": ("", "number of the event of the person"),
    "AETERM": ("", "the adverse event"),
    "AEDECOD": ("", "the adverse event; nothing is coded by a dictionary"),
    "AESTDY": ("day", "study day of the event"),
    "TRTEMFL": ("", "Y: after the first dose, as all are"),
    "SESSION": ("", "treatment session, numbered as the person had them; empty for daily drugs"),
    "EXSEQ": ("", "number of the record of the person"),
    "EXTRT": ("", "what was given"),
    "EXDOSE": ("as in column EXDOSU", "amount of a dose; 0 for placebo"),
    "EXDOSU": ("", "unit of EXDOSE"),
    "EXDOSFRQ": ("", "how often from EXSTDY to EXENDY: ONCE, QD (daily), or every so many hours"),
    "EXROUTE": ("", "how it was given"),
    "EXADJ": ("", "why it was given where the course had not planned it: CHECK, MAINTENANCE or RESCUE"),
    "EXSTDY": ("day", "study day of the first dose"),
    "EXENDY": ("day", "study day of the last dose"),
}
_PATTERNS = {
    r"believed_\w+": ("fraction", "probability that the person gives to active treatment when asked at this visit"),
    r"guessed_\w+": ("", "what the person guesses when asked at this visit: active or control; empty if not asked"),
    r"[A-Z]+BASE": ("points of the scale", "measured baseline on the scale whose parameter codes begin so"),
    r"STRAT\dD": ("", "covariate that the allocation was balanced by"),
    r"STRAT\dR": ("", "its level, used for the allocation; empty if not randomised"),
}
_ENDS = {"_lo90": "lower end of the 90 % interval: ", "_hi90": "upper end of the 90 % interval: "}


def column(name: str) -> tuple[str, str]:
    """Unit and meaning of a column; empty strings for one that is not known."""
    for known in (_KEYS, _ESTIMATES, _TRAJECTORIES, _DOSES, _PATIENTS, _REPLICATES, _TRIAL, _ADAM):
        if name in known:
            return known[name]
    for end, words in _ENDS.items():
        if name.endswith(end):
            unit, meaning = column(name.removesuffix(end))
            return unit, words + meaning
    if name.startswith("day1_"):
        unit, meaning = column(name.removeprefix("day1_"))
        return unit, f"a day after the first dose: {meaning}"
    return next((known for pattern, known in _PATTERNS.items() if re.fullmatch(pattern, name)), ("", ""))


def quantities() -> dict[str, dict[str, str]]:
    """Names, units and model values of the quantities of `trajectories`."""
    return {
        name: {"label": quantity.label, "unit": quantity.unit, "model": " + ".join(quantity.parts)}
        for name, quantity in QUANTITIES.items()
    }
