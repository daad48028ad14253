"""The example trial under the names of CDISC's Analysis Data Model (ADaM), for programs that expect them.

| table | one row is | class in ADaM |
|---|---|---|
| ADSL | a person | subject level |
| ADQS | a person, parameter (a score, response or remission) and visit | basic data structure |
| ADTTE | a person at risk and an event in time | basic data structure, time to event |
| ADAE | an adverse event of a session | occurrence data |
| ADEX | a session's dose, or a stretch of daily doses | occurrence data |

Nobody in them exists: every row says SIMULATED = "Y". Names follow CDISC's ADaM Implementation Guide; what it has no
name for is ours: SIMULATED, ICEFL, RESCUEFL, SESSION, STARTDY, TRTSDY, TRTEDY, WTBL and the baseline scores of ADSL.
There are no dates and no sites, so SITEID and all dates are left out and days stand for dates: day 1 is that of the
first dose, and there is no day 0. Parameter codes are ours too: CDISC's codes of the scales were not found.

Flags are "Y" or empty, those of populations "Y" or "N". A text that does not apply is empty, a number missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.clinic import outcome, scale
from afterglow.clinic.conduct import Reason
from afterglow.clinic.trial import Trial
from afterglow.clinic.trial_parts import AT_ALL_VISITS, Endpoint, Stratum
from afterglow.study import trial_example
from afterglow.study.trial_data import HOURS_A_DAY
from afterglow.study.trial_example import NEAR_H, Records
from afterglow.study.trial_people import strata
from afterglow.study.trial_result import Example

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Row = dict[str, Any]
Loose = Any  # a frame or a column of one: pandas' own types promise less than it keeps

# code of the score, and what codes of outcomes on the scale begin with
CODES = {
    "MADRS": ("MADRSTOT", "MAD"),
    "HAM-D17": ("HAMD17T", "HAM"),
    "QIDS-SR16": ("QIDST", "QID"),
    "PHQ-9": ("PHQ9T", "PHQ"),
    "BDI": ("BDIT", "BDI"),
    "SI": ("SIT", "SI"),
    "GAD-7": ("GAD7T", "GAD"),
    "HAM-A": ("HAMAT", "HAA"),
    "PCL-5": ("PCL5T", "PCL"),
    "NRS-PAIN": ("NRSPAINT", "NRS"),
}
RELAPSE_CODES = {"score-22": "22", "half-baseline": "HB", "half-baseline-18": "18"}
# in the words of CDISC's terminology for the end of a study; nothing is known of those who leave at random
END_REASONS = {
    Reason.NONE: "",
    Reason.AT_RANDOM: "OTHER",
    Reason.LACK_OF_EFFECT: "LACK OF EFFICACY",
    Reason.SIDE_EFFECTS: "ADVERSE EVENT",
}
ROUTES = {
    "iv": "INTRAVENOUS",
    "im": "INTRAMUSCULAR",
    "sc": "SUBCUTANEOUS",
    "nasal-device": "NASAL",
    "nasal-atomiser": "NASAL",
    "sublingual": "SUBLINGUAL",
    "oral": "ORAL",
}
# Events whose chance in a session the model gives: name, and the acute effect that is this chance.
BY_CHANCE = {"Nausea": "nausea", "Dizziness": "dizziness", "Sedation": "sedation"}
# Events that are a value at or above a limit: name, acute effect, limit. Both limits are those by which SPRAVATO's US
# prescribing information counts (warnings on dissociation and on blood pressure): CADSS above 4, and systolic pressure
# up by 40 mmHg or more.
BY_LIMIT = {
    "Dissociation": ("CADSS", float(np.nextafter(4.0, np.inf))),
    "Blood pressure increased": ("systolic", 40.0),
}


def adam(example: Example) -> dict[str, pd.DataFrame]:
    """All tables by name; see the top of this file. The example must be detailed, and the last that its trial ran."""
    people = _People(example)
    exposure = _exposure(people)
    return {
        "ADSL": _subjects(people, exposure),
        "ADQS": _scores(people),
        "ADTTE": _times(people),
        "ADAE": _events(people),
        "ADEX": exposure.drop(columns="patient"),
    }


class _People:
    """The people of the example: identifiers and treatments [people], and what is on record of them."""

    def __init__(self, example: Example) -> None:
        self.example, self.trial, self.found = example, example.of.trial, example.found
        self.records = Records(self.trial, self.found)
        self.data = example.analysis.data
        self.study = self.trial.name
        n = len(self.records.arm)
        width = max(4, len(str(n - 1)))
        self.number = np.array([f"{k:0{width}d}" for k in range(n)], dtype=object)
        titles = np.array([one.title or one.name for one in self.trial.arms], dtype=object)
        names = np.array([one.name for one in self.trial.arms], dtype=object)
        self.treatment = np.where(self.found.randomised, titles[self.records.arm], "")
        self.arm = np.where(self.found.randomised, names[self.records.arm], "")
        self.sessions: Loose = trial_example.sessions(example)

    def table(self, who: IntArray, columns: Row, *, treatments: bool = True) -> Loose:
        """Rows of these people: identifiers first, SIMULATED last."""
        import pandas as pd

        head: Row = {"STUDYID": self.study, "USUBJID": self.study + "-" + self.number[who]}
        if treatments:
            head |= {"TRTP": self.treatment[who], "TRTA": self.treatment[who]}
        return pd.DataFrame({**head, **columns, "SIMULATED": "Y"}, index=pd.RangeIndex(len(who)))


def _day(time_h: Any) -> IntArray:
    """Study day of a time: day 1 has the first dose; baselines are taken before it, on the same day."""
    return np.floor(np.asarray(time_h, dtype=np.float64) / HOURS_A_DAY + 1e-9).astype(np.int64) + 1


def _end_reasons(reasons: IntArray) -> NDArray[Any]:
    return np.array([END_REASONS[Reason(one)] for one in reasons], dtype=object)


def _flag(values: Any, no: str = "") -> NDArray[Any]:
    return np.where(values, "Y", no)


# ------------------------------------------------------------------------------------------------ subjects


def _subjects(people: _People, exposure: Loose) -> pd.DataFrame:
    """ADSL. A safety population is everybody who got at least one dose of anything, the run-in included."""
    trial, found, records = people.trial, people.found, people.records
    everybody = np.arange(len(records.arm))
    who: Loose = found.people
    last: Loose = exposure.groupby("patient")["EXENDY"].max().reindex(everybody)
    treated = last.notna().to_numpy()
    ended = np.isfinite(records.left_h)
    reasons = _end_reasons(records.reason)
    stays = np.full(len(ended), trial.leaving.followed) | ~ended
    out = ~found.randomised
    completed = stays & ~out
    columns: Row = {
        "SUBJID": people.number,
        "ARM": people.treatment,
        "ARMCD": people.arm,
        "TRT01P": people.treatment,
        "TRT01A": people.treatment,
        "AGE": np.floor(who["AGE"].to_numpy(float)).astype(np.int64),
        "AGEU": "YEARS",
        "SEX": np.where(who["SEXF"].to_numpy(float) > 0.5, "F", "M"),
        "WTBL": who["WT"].to_numpy(float),
        "RANDFL": _flag(found.randomised, "N"),
        "ITTFL": _flag(found.randomised, "N"),
        "SAFFL": _flag(treated, "N"),
        "COMPLFL": _flag(completed, "N"),
        "RESCUEFL": _flag(np.isfinite(records.rescued_h), "N"),
        "EOSSTT": np.where(completed, "COMPLETED", "DISCONTINUED"),
        "DCSREAS": np.where(~stays, reasons, np.where(out, "NOT RANDOMISED", "")),
        "EOTSTT": np.where(ended | out, "DISCONTINUED", "COMPLETED"),
        "DCTREAS": np.where(ended, reasons, np.where(out, "NOT RANDOMISED", "")),
        "TRTSDY": np.where(treated, 1.0, np.nan),
        "TRTEDY": last.to_numpy(float),
    }
    for name in sorted(found.arms[0].scores):
        columns[baseline_column(name)] = records.scores(name)[:, 0]
    levels = strata(trial, who)
    for number, one in enumerate(trial.allocation.by, start=1):
        columns[f"STRAT{number}D"] = one.column
        columns[f"STRAT{number}R"] = np.where(found.randomised, _strata_names(one)[levels[:, number - 1]], "")
    return people.table(everybody, columns, treatments=False)


def baseline_column(name: str) -> str:
    """Name of the column of ADSL that holds the baseline of a scale."""
    return CODES[name][1] + "BASE"


def _strata_names(one: Stratum) -> NDArray[Any]:
    """What the two levels of a stratum are called."""
    if one.cut is None:
        return np.array(["0", "1"], dtype=object)
    return np.array([f"< {one.cut:g}", f">= {one.cut:g}"], dtype=object)


# ------------------------------------------------------------------------------------------------ scores


def _scores(people: _People) -> pd.DataFrame:
    """ADQS. The records with ANL01FL = "Y" are those that the analysis under the estimand has.

    Under the composite estimand it counts visits after an intercurrent event as no change: such records are derived
    (DTYPE "BOCF", the baseline carried forward) beside those that were observed. Nothing else is imputed.
    """
    import pandas as pd

    parts = []
    for name in sorted(people.found.arms[0].scores):
        score = _score(people, name)
        parts += [score, *_outcomes(people.trial, score, name)]
    table: Loose = pd.concat(parts, ignore_index=True)
    keys = ["USUBJID", "PARAMN", "VISITN", "DTYPE"]
    table = table.assign(PARAMN=pd.factorize(table["PARAMCD"])[0]).sort_values(keys, kind="stable", ignore_index=True)
    return table.drop(columns=["PARAMN", "VISITN"])


def _score(people: _People, name: str) -> Loose:
    """Records of one scale; VISITN, the number of the visit, is for sorting."""
    records, data, visit_h = people.records, people.data, people.found.visit_h
    seen = records.scores(name)
    analysed = np.full(seen.shape, np.nan)
    analysed[data.chosen] = data.scores(name)
    after = np.zeros(seen.shape, dtype=bool)
    after[data.chosen] = data.after
    observed = ~np.isnan(seen)
    derived = ~np.isnan(analysed) & (analysed != seen)
    who, visit = (np.concatenate(pair) for pair in zip(np.nonzero(observed), np.nonzero(derived), strict=True))
    is_derived = np.arange(len(who)) >= observed.sum()
    value = np.where(is_derived, analysed[who, visit], seen[who, visit])
    base, first = seen[who, 0], visit == 0
    hour = visit_h[visit] % HOURS_A_DAY
    in_day = (hour > NEAR_H) & (hour < HOURS_A_DAY - NEAR_H)
    columns: Row = {
        "PARCAT1": name,
        "PARAM": f"{name} score ({scale.get(name).title})",
        "PARAMCD": CODES[name][0],
        "AVISIT": np.where(first, "Baseline", np.char.add("Day ", _day(visit_h[visit]).astype(str))),
        "AVISITN": np.where(first, 0, _day(visit_h[visit])),
        "ATPT": np.where(in_day, [f"{one:g} h" for one in hour], ""),
        "ATPTN": np.where(in_day, hour, np.nan),
        "ADY": _day(people.found.actual_h[who, visit]),
        "AVAL": value,
        "AVALC": "",
        "BASE": base,
        "CHG": np.where(first, np.nan, value - base),
        "PCHG": np.where(first, np.nan, -outcome.improvement(value[:, None], base)[:, 0]),
        "ABLFL": _flag(first),
        "ANL01FL": _flag(analysed[who, visit] == value),
        "DTYPE": np.where(is_derived, "BOCF", ""),
        "ICEFL": _flag(after[who, visit] | is_derived),
        "VISITN": visit,
    }
    return people.table(who, columns)


def _outcomes(trial: Trial, score: Loose, name: str) -> Iterator[Loose]:
    """Response and remission after the baseline, of the records of one scale."""
    later: Loose = score[score["AVISITN"] > 0]
    now, base = later["AVAL"].to_numpy(float)[:, None], later["BASE"].to_numpy(float)
    code = CODES[name][1]
    found = {(code + "RESP", f"{name} response (at least 50 % below baseline)"): outcome.response(now, base)}
    asked = [one.at_most for one in trial.endpoints if one.measure == "remission" and one.scale == name]
    usual = [rule.at_most for rule in scale.get(name).remission][:1]
    for cut in dict.fromkeys([*usual, *(one for one in asked if one is not None)]):
        suffix = "REM" if cut == usual[0] else f"REM{cut:g}"
        found[code + suffix, f"{name} remission ({name} <= {cut:g})"] = outcome.remission(now, name, cut)
    for (paramcd, param), hit in found.items():
        yes = hit[:, 0]
        empty = {"BASE": np.nan, "CHG": np.nan, "PCHG": np.nan}
        yield later.assign(PARAM=param, PARAMCD=paramcd, AVAL=yes.astype(float), AVALC=_flag(yes, "N"), **empty)


# ------------------------------------------------------------------------------------------------ events in time


def _times(people: _People) -> pd.DataFrame:
    """ADTTE: relapse and response where they are endpoints, and leaving; CNSR is 0 for an event, 1 for censoring."""
    import pandas as pd

    endpoints = [one for one in people.trial.endpoints if one.measure in AT_ALL_VISITS]
    known = {time_code(one): one for one in endpoints}  # one that is analysed twice is listed once
    parts = [_time(people, code, known[code]) for code in known]
    return pd.concat([*parts, _leaving(people)], ignore_index=True)


def time_code(endpoint: Endpoint) -> str:
    """Parameter code of relapse or time to response."""
    code = CODES[endpoint.scale][1]
    return f"{code}REL{RELAPSE_CODES[endpoint.rule]}" if endpoint.measure == "relapse" else f"{code}TTR"


def _time(people: _People, code: str, endpoint: Endpoint) -> Loose:
    """Records of the people at risk of one event."""
    trial, data = people.trial, people.data
    events = data.events(endpoint)
    risk = np.flatnonzero(events.at_risk)
    param, event = f"Time to response on {endpoint.scale} (days)", "RESPONSE"
    if endpoint.measure == "relapse":
        param = f"Time to relapse on {endpoint.scale}, rule {endpoint.rule} (days)"
        event = "RELAPSE OR INTERCURRENT EVENT" if trial.estimand == "composite" else "RELAPSE"
    start_h, days, happened = _start_h(people, endpoint)[risk], events.days[risk], events.happened[risk]
    why = np.where(happened, event, "LAST VISIT WITH AN ANALYSED SCORE")
    return _time_table(people, data.chosen[risk], code, param, start_h, days, happened, why)


def _start_h(people: _People, endpoint: Endpoint) -> FloatArray:
    """Hour from which the time of each randomised person counts, as `study.trial_data.events` has it."""
    trial, data = people.trial, people.data
    if endpoint.measure == "time-to-response":
        return np.zeros(len(data.chosen))
    if trial.randomised is not None:
        return np.full(len(data.chosen), (trial.randomised.day - 1) * HOURS_A_DAY)
    scores = data.scores(endpoint.scale)
    responded = outcome.response(scores, scores[:, 0]) & (data.visit_h > 0)
    return data.visit_h[np.argmax(responded, axis=1)]


def _leaving(people: _People) -> Loose:
    """Time from the first dose to leaving, or to the end of treatment of those who are still followed."""
    data = people.data
    left = np.isfinite(data.left_h)
    param = "Time to the end of treatment (days)" if people.trial.leaving.followed else "Time to leaving (days)"
    days = np.where(left, data.left_h, data.visit_h[-1]) / HOURS_A_DAY
    why = np.where(left, _end_reasons(data.reason), "END OF THE TRIAL")
    return _time_table(people, data.chosen, "TTDISC", param, np.zeros(len(left)), days, left, why)


def _time_table(
    people: _People, who: IntArray, code: str, param: str, start_h: FloatArray, days: FloatArray, happened: BoolArray,
    why: NDArray[Any],
) -> Loose:  # fmt: skip
    columns: Row = {
        "PARAM": param,
        "PARAMCD": code,
        "AVAL": days,
        "CNSR": np.where(happened, 0, 1),
        "EVNTDESC": why,
        "STARTDY": _day(start_h),
        "ADY": _day(start_h + days * HOURS_A_DAY),
    }
    return people.table(who, columns)


# ------------------------------------------------------------------------------------------------ adverse events


def _events(people: _People) -> pd.DataFrame:
    """ADAE: events of the sessions that were given, from the model's acute effects.

    Nausea, dizziness and sedation are drawn with the model's probability for the session, dissociation and blood
    pressure follow from a limit. Dissociation and sedation are therefore events as scales find them, in more people
    than trials report (data/trials/nasal_esketamine_teae, esk_ae_course_pooled). Severity is not simulated. Acute
    effects are known for the sessions that the arm's course plans; those that maintenance and rescue add have no events
    here.
    """
    import pandas as pd

    given: Loose = people.sessions.drop_duplicates(["patient", "session"])
    parts = []
    for k, arm in enumerate(people.example.of.arms):
        starts = [start for start, _ in arm.course.sessions(arm.weeks)]
        here: Loose = given[people.records.arm[given["patient"].to_numpy(np.int64)] == k]
        for column in range(people.found.arms[k].acute["CADSS"].shape[1]):
            some = here[(here["time_h"] - starts[column]).abs() < NEAR_H]
            parts += [some[happens].assign(AEDECOD=name) for name, happens in _happens(people, k, column, some)]
    table: Loose = pd.concat(parts) if parts else given.assign(AEDECOD="")[:0]
    table = table.sort_values(["patient", "time_h", "AEDECOD"], ignore_index=True)
    columns: Row = {
        "AESEQ": table.groupby("patient").cumcount() + 1,
        "AETERM": table["AEDECOD"].str.upper(),
        "AEDECOD": table["AEDECOD"],
        "AESTDY": _day(table["time_h"]),
        "SESSION": table["session"],
        "TRTEMFL": "Y",
    }
    return people.table(table["patient"].to_numpy(np.int64), columns)


def _happens(people: _People, arm: int, column: int, some: Loose) -> Iterator[tuple[str, BoolArray]]:
    """Which of these people have each event in one session."""
    of, found, who = people.example.of, people.found, some["patient"].to_numpy(np.int64)
    acute, everybody = found.arms[arm].acute, range(len(people.number))
    for name, (effect, limit) in BY_LIMIT.items():
        yield name, acute[effect][who, column] >= limit
    for name, effect in BY_CHANCE.items():
        purpose = f"trial/adverse event/{effect}/{column}"
        luck = streams.uniform(of.seed, found.setting.replicate, everybody, purpose)[:, 0]
        yield name, luck[who] < acute[effect][who, column]


# ------------------------------------------------------------------------------------------------ exposure


def _exposure(people: _People) -> Loose:
    """ADEX, with the number of the patient: every session's dose, and stretches of daily drugs at one dose.

    EXADJ says why a dose was given that the course had not planned: check, maintenance or rescue.
    """
    import pandas as pd

    single = people.sessions.assign(first_h=people.sessions["time_h"], last_h=people.sessions["time_h"], intakes=1)
    stretches: Loose = trial_example.daily(people.example)
    table: Loose = pd.concat([one for one in (single, stretches) if len(one)] or [single])
    table = table.sort_values(["patient", "first_h", "drug"], kind="stable", ignore_index=True)
    columns: Row = {
        "EXSEQ": table.groupby("patient").cumcount() + 1,
        "EXTRT": table["drug"].str.upper(),
        "EXDOSE": table["mg"].astype(float),
        "EXDOSU": "mg",
        "EXDOSFRQ": _frequency(table),
        "EXROUTE": table["route"].map(ROUTES),
        "EXADJ": table["reason"].where(table["reason"] != "planned", "").str.upper(),
        "EXSTDY": _day(table["first_h"]),
        "EXENDY": _day(table["last_h"]),
        "SESSION": table["session"].astype("Int64") if "session" in table else pd.NA,
        "patient": table["patient"],
    }
    return people.table(table["patient"].to_numpy(np.int64), columns)


def _frequency(table: Loose) -> NDArray[Any]:
    """How often a dose was taken: "ONCE", "QD" (daily) or every so many hours, as "Q12H"."""
    intakes = table["intakes"].to_numpy(np.int64)
    step = (table["last_h"] - table["first_h"]).to_numpy(float) / np.maximum(intakes - 1, 1)
    hourly = np.array(["QD" if abs(one - HOURS_A_DAY) < NEAR_H else f"Q{one:g}H" for one in step], dtype=object)
    return np.where(intakes == 1, "ONCE", hourly)
