"""What each column of the tables of a plan holds: unit and meaning, for `units.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from afterglow.study.plan_front import OBJECTIVES, RESAMPLES

if TYPE_CHECKING:
    import pandas as pd

Known = Mapping[str, tuple[str, str]]

_OUTCOMES: Known = {
    "days_in_remission": ("d", "weeks at whose visit the MADRS is at or under the cut-off, times seven"),
    "doses": ("doses", "further doses"),
    "visits": ("visits", "days with a dose, a session of therapy, or a score that the rule needs"),
    "ketamine_mg": ("mg", "ketamine in any form"),
    "cadss": ("points", "worst dissociation after any dose"),
    "days_ill": ("d", "weeks at whose visit the MADRS is that of a relapse, times seven"),
}
_SHARED: Known = {
    "plan": ("", "name of the plan, the same in all tables"),
    "rule": ("", "when a dose is given; in screening the rule of the label"),
    "dose": ("", "what is given"),
    "reason": ("", "why the rule holds"),
    "source": ("", "where that is written"),
    "what_would_change_it": ("", "what would change the answer"),
}
_TABLES: Mapping[str, Known] = {
    "plans": {
        "time_h": ("h", "time since the first dose"),
        "scale": ("", "rating scale"),
        "mean": ("points of the scale", "mean of scores as they would be written down"),
        **{f"{end}{level}": ("points of the scale", f"{words} end of {level} % of people")
           for level in (50, 80, 90) for end, words in (("lo", "lower"), ("hi", "upper"))},
        "p_response": ("fraction", "people with at least half of the baseline gone at the visit"),
        "p_remission": ("fraction", "people in remission at the visit"),
        "p_relapse": ("fraction", "people who have relapsed by then, after a stable response before or since"),
    },
    "rules": {
        "therapy": ("", "cognitive behavioural therapy, and when it begins"),
        "cautions": ("", "rules of the screening that ask for caution with the dose"),
        "people": ("people", "virtual people who ran"),
        "front": ("", "no other plan is as good in all chosen objectives and better in one"),
        "front_share": ("fraction", "bootstrap resamples of people in which it is on the front"),
        "front_alike": ("", "on the front of the plans with the same therapy"),
    },
    "front": {
        "objective": ("", "what the row is about"),
        "aim": ("", "whether more or less of it is better"),
        "mean": ("of the objective", "mean over people"),
        "lo90": ("of the objective", "lower end of the 90 % interval of the mean"),
        "hi90": ("of the objective", "upper end of the 90 % interval of the mean"),
        "vs_nothing": ("of the objective", "mean difference from nothing more, in the same people"),
        "vs_weekly": ("of the objective", "mean difference from weekly doses, in the same people"),
    },
    "waiting": {
        "choice": ("", "what is to be decided"),
        "price_d": ("d", "days in remission that a dose has to bring to be worth giving"),
        "now": ("", "the better decision now"),
        "dosed_after_score": ("fraction", "people who are dosed once the score is read"),
        "days_in_remission": ("d", "days in remission that waiting adds to deciding now"),
        "doses": ("doses", "doses that waiting adds to deciding now"),
        "worth_of_score_d": ("d", "net days by deciding with the score over deciding then without it"),
        "value_d": ("d", "net days that waiting adds: worth of the score less the cost of the delay"),
    },
    "little": {
        "sessions": ("sessions", "first sessions of the induction that are given"),
        "change": ("points of the MADRS", "mean change of the true score over six weeks"),
        "lo90": ("points of the MADRS", "lower end of the 90 % interval of the mean"),
        "hi90": ("points of the MADRS", "upper end of the 90 % interval of the mean"),
        "p05": ("points of the MADRS", "lower end of 90 % of people"),
        "p95": ("points of the MADRS", "upper end of 90 % of people"),
        "share": ("fraction", "of the change of all sessions"),
        "enough": ("", "the fewest sessions that keep 90 % of it"),
        "enough_chance": ("fraction", "bootstrap resamples in which these are the fewest"),
    },
    "screening": {"severity": ("", "contraindication, caution or monitoring")},
    "resistance": {
        "drug": ("", "antidepressant that was tried"),
        "dose": ("", "highest daily dose that was kept"),
        "weeks": ("weeks", "at that dose"),
        "adequate": ("", "yes, no or unknown"),
        "missing": ("", "what would have to be known to decide"),
    },
    "excluded": {"rule": ("", "which plans are not in the comparison")},
}  # fmt: skip
_ENDS = {
    "_lo90": "lower end of the 90 % interval of the mean: ",
    "_hi90": "upper end of the 90 % interval of the mean: ",
    "_p05": "lower end of 90 % of people: ",
    "_p95": "upper end of 90 % of people: ",
}


def column(table: str, name: str) -> tuple[str, str]:
    """Unit and meaning of a column of a table of a plan.

    Raises:
        KeyError: nobody has said what it means.
    """
    for known in (_TABLES[table], _OUTCOMES if table == "rules" else {}, _SHARED):
        if name in known:
            return known[name]
    for end, words in _ENDS.items():
        if name.endswith(end):
            unit, meaning = column(table, name.removesuffix(end))
            return unit, words + meaning
    raise KeyError(f"{table}: {name}")


def units(tables: Mapping[str, pd.DataFrame], covers: Sequence[str]) -> dict[str, Any]:
    """The contents of `units.json`."""
    return {
        "intervals": {
            "level": 0.9,
            "cover": list(covers),
            "do_not_cover": ["structure of the model"],
            "method": f"lo90, hi90: percentiles of {RESAMPLES} bootstrap resamples of people, paired between plans; "
            "p05, p95, and all ends in plans: quantiles over people",
        },
        "objectives": {one.name: one.title for one in OBJECTIVES.values()},
        "tables": {
            name: {str(c): dict(zip(("unit", "meaning"), column(name, str(c)), strict=True)) for c in table.columns}
            for name, table in tables.items()
        },
    }
