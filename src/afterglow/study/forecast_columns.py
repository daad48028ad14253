"""What each column of the tables of a forecast holds: unit and meaning, for `units.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Known = Mapping[str, tuple[str, str]]
_POINTS = "points of the scale"


def _ends(of: str, head: str = "", levels: Sequence[int] = (90,), unit: str = _POINTS) -> dict[str, tuple[str, str]]:
    words = {"lo": "lower", "hi": "upper"}
    return {f"{head}{end}{n}": (unit, f"{words[end]} end of {n} % of {of}") for n in levels for end in words}


_SHARED: Known = {
    "time_h": ("h", "time since the first dose"),
    "plan": ("", "name of the plan, the same in all tables"),
    "scale": ("", "rating scale"),
}
_TABLES: Mapping[str, Known] = {
    "forecast": {
        "mean": (_POINTS, "mean of scores that may be written down"),
        **_ends("scores that may be written down, before they are rounded", levels=(50, 80, 90)),
        "p_response": ("fraction", "futures with at least half of the baseline gone at the visit"),
        "p_remission": ("fraction", "futures in remission at the visit"),
        "p_relapse": ("fraction", "futures that have relapsed by then, after a stable response before or since"),
    },
    "summary": {
        "what": ("", "the plan in words"),
        "days_in_remission": ("d", "weeks at whose visit the score is at or under the cut-off, times seven: mean"),
        **_ends("people", "days_in_remission_", unit="d"),
        "mean_at_end": (_POINTS, "mean score at the last visit"),
        "lo90_at_end": (_POINTS, "lower end of 90 % of scores at the last visit"),
        "hi90_at_end": (_POINTS, "upper end of 90 % of scores at the last visit"),
        "p_response_at_end": ("fraction", "futures in response at the last visit"),
        "p_remission_at_end": ("fraction", "futures in remission at the last visit"),
        "relapse_even_after_d": ("d", "time from now to the first visit by which more than half have relapsed"),
        "sessions": ("sessions", "to come, with ketamine in any form; the mean where scores decide"),
        "ketamine_mg": ("mg", "ketamine in any form to come, mean"),
        "cadss_worst": ("points", "worst dissociation of each person in planned sessions to come, mean"),
        "cadss_worst_p95": ("points", "the same, what one person in 20 exceeds"),
        "systolic_worst": ("mmHg", "highest rise of systolic pressure in planned sessions to come, mean"),
        "systolic_worst_p95": ("mmHg", "the same, what one person in 20 exceeds"),
        "contraindications": ("rules", "contraindications that the screening finds"),
    },
    "fitted": {
        "score": (_POINTS, "as written down"),
        "mean": (_POINTS, "expected from the scores before it"),
        **_ends("scores expected from those before it"),
        "prior_mean": (_POINTS, "expected in the population"),
        **_ends("scores expected in the population", "prior_"),
    },
    "compared": {
        "mean": (_POINTS, "mean score"),
        **_ends("scores"),
        "width90": (_POINTS, "width of the band of 90 %"),
    },
}


def column(table: str, name: str) -> tuple[str, str]:
    """Unit and meaning of a column of a table of a forecast.

    Raises:
        KeyError: nobody has said what it means.
    """
    for known in (_TABLES[table], _SHARED):
        if name in known:
            return known[name]
    if table == "compared" and name.endswith("_before"):
        unit, meaning = column(table, name.removesuffix("_before"))
        return unit, f"{meaning}, in the earlier forecast"
    raise KeyError(f"{table}: {name}")


def units(tables: Mapping[str, pd.DataFrame], covers: Sequence[str]) -> dict[str, Any]:
    """The contents of `units.json`."""
    return {
        "intervals": {
            "level": 0.9,
            "cover": list(covers),
            "do_not_cover": ["structure of the model"],
            "method": "equal-tailed quantiles over futures of people who might be this one",
        },
        "tables": {
            name: {str(c): dict(zip(("unit", "meaning"), column(name, str(c)), strict=True)) for c in table.columns}
            for name, table in tables.items()
        },
    }
