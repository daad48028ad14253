"""What each column of the result tables holds: unit and meaning. Goes into `units.json` and into the Parquet files."""

from __future__ import annotations

from afterglow.study.quantities import QUANTITIES

_KEYS = {
    "patient": ("", "number of the virtual patient; the same person with the same luck in every arm"),
    "arm": ("", "course, or course/control for its matched control"),
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
    "power": ("fraction", "power of a parallel trial, 50 patients a group, two-sided t-test of the change at 5 %"),
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
_ENDS = {"_lo90": "lower end of the 90 % interval: ", "_hi90": "upper end of the 90 % interval: "}


def column(name: str) -> tuple[str, str]:
    """Unit and meaning of a column; empty strings for one that is not known."""
    for known in (_KEYS, _ESTIMATES, _TRAJECTORIES, _DOSES, _PATIENTS):
        if name in known:
            return known[name]
    for end, words in _ENDS.items():
        if name.endswith(end):
            unit, meaning = column(name.removesuffix(end))
            return unit, words + meaning
    if name.startswith("day1_"):
        unit, meaning = column(name.removeprefix("day1_"))
        return unit, f"a day after the first dose: {meaning}"
    return "", ""


def quantities() -> dict[str, dict[str, str]]:
    """Names, units and model values of the quantities of `trajectories`."""
    return {
        name: {"label": quantity.label, "unit": quantity.unit, "model": " + ".join(quantity.parts)}
        for name, quantity in QUANTITIES.items()
    }
