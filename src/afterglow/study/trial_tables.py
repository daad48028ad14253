"""Tables of some replicates of a trial: what is kept of each, small enough for thousands of them.

| table | one row is |
|---|---|
| estimates | an estimate of an endpoint, arm against reference, in one replicate |
| visits | an arm at a visit in one replicate |
| flow | an arm in one replicate: who was randomised, stayed, left, was rescued |
| guesses | what an arm believes and guesses at a visit in one replicate |

Every table begins with scenario, world and replicate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome, scale
from afterglow.clinic.conduct import Reason
from afterglow.clinic.trial import Trial
from afterglow.clinic.trial_parts import AT_ALL_VISITS
from afterglow.clinic.visits import label
from afterglow.study.trial_analysis import Analysis, Contrast, decided
from afterglow.study.virtual_trial import Conducted

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Row = dict[str, Any]

TABLES: dict[str, tuple[str, ...]] = {
    "estimates": (
        "scenario", "world", "replicate", "endpoint", "measure", "scale", "analysis", "arm", "control", "visit",
        "time_h", "estimate", "se", "df", "p", "lo95", "hi95", "significant", "confirmed", "favours", "truth",
        "n_arm", "n_control", "problem",
    ),
    "visits": (
        "scenario", "world", "replicate", "arm", "visit", "time_h", "scale", "n", "mean", "sd", "change",
        "change_sd", "response", "remission", "lsmean", "lsmean_se",
    ),
    "flow": (
        "scenario", "world", "replicate", "arm", "rated", "enrolled", "randomised", "left_at_random",
        "left_lack_of_effect", "left_side_effects", "rescued", "completed", "missed_visits", "failed", "with_event",
    ),
    "guesses": ("scenario", "world", "replicate", "arm", "visit", "time_h", "asked", "believed", "guessed_active"),
}  # fmt: skip


def tables(trial: Trial, found: Iterable[Conducted], scenario: int, world: str) -> dict[str, pd.DataFrame]:
    """All tables of these replicates."""
    import pandas as pd

    rows: dict[str, list[Row]] = {name: [] for name in TABLES}
    for one in found:
        head = {"scenario": scenario, "world": world, "replicate": one.setting.replicate}
        analysis = Analysis(trial, one)
        rows["estimates"] += [head | row for row in _estimates(trial, analysis.contrasts())]
        rows["visits"] += [head | row for row in _visits(trial, analysis)]
        rows["flow"] += [head | row for row in _flow(trial, analysis)]
        rows["guesses"] += [head | row for row in _guesses(trial, one)]
    return {name: pd.DataFrame(rows[name], columns=pd.Index(columns)) for name, columns in TABLES.items()}


def _estimates(trial: Trial, contrasts: list[Contrast]) -> Iterable[Row]:
    confirmed = decided(trial, contrasts)
    for k, one in enumerate(contrasts):
        endpoint, found = trial.endpoints[one.endpoint], one.estimate
        low, high = (math.nan, math.nan) if math.isnan(found.estimate) else found.interval(1 - trial.alpha)
        in_time = endpoint.measure in AT_ALL_VISITS
        time_h = math.nan if in_time else trial.ordered_visits[trial.visit_number(endpoint.at)].at
        significant = bool(found.p < trial.alpha)
        yield {
            "endpoint": one.endpoint + 1,
            "measure": endpoint.measure,
            "scale": endpoint.scale,
            "analysis": one.analysis,
            "arm": trial.arms[one.arm].name,
            "control": trial.arms[trial.reference_arm].name,
            "visit": "all" if in_time else label(time_h),
            "time_h": time_h,
            "estimate": found.estimate,
            "se": found.se,
            "df": found.df,
            "p": found.p,
            "lo95": low,
            "hi95": high,
            "significant": significant,
            "confirmed": confirmed.get(k, False),
            "favours": better(endpoint.measure, one.analysis, found.estimate),
            "truth": one.truth,
            "n_arm": one.n[0],
            "n_control": one.n[1],
            "problem": found.problem,
        }


def better(measure: str, analysis: str, estimate: float) -> bool:
    """Whether an estimate favours the arm; a log-rank test has no direction and always counts."""
    if analysis == "log-rank":
        return True
    more_is_better = measure in ("response", "remission") or (measure == "relapse") == (analysis == "rmst")
    if measure == "change":
        more_is_better = False
    return estimate > 0 if more_is_better else estimate < 0


def _visits(trial: Trial, analysis: Analysis) -> Iterable[Row]:
    data = analysis.data
    by_mmrm = {one.scale for one in trial.endpoints if one.method == "mmrm"}
    for name in sorted({one.scale for one in trial.endpoints}):
        scores = data.scores(name)
        base = scores[:, 0]
        change = scores - base[:, None]
        hit = {"response": outcome.response(scores, base)}
        if scale.get(name).remission:
            hit["remission"] = outcome.remission(scores, name)
        for k, arm in enumerate(trial.arms):
            mine = data.arm == k
            for v, time in enumerate(data.visit_h.tolist()):
                seen = mine & ~np.isnan(scores[:, v])
                row = {"arm": arm.name, "visit": label(time), "time_h": time, "scale": name, "n": int(seen.sum())}
                row |= _moments(scores[seen, v], change[seen, v])
                for what in ("response", "remission"):
                    row[what] = float(hit[what][seen, v].mean()) if what in hit and seen.any() else math.nan
                row |= {"lsmean": math.nan, "lsmean_se": math.nan}
                if name in by_mmrm and v and mine.any():
                    found = analysis.mmrm(name).ls_mean(k, v - 1)
                    row |= {"lsmean": found.estimate, "lsmean_se": found.se}
                yield row


def _moments(scores: FloatArray, change: FloatArray) -> Row:
    n = len(scores)
    return {
        "mean": float(scores.mean()) if n else math.nan,
        "sd": float(scores.std(ddof=1)) if n > 1 else math.nan,
        "change": float(change.mean()) if n else math.nan,
        "change_sd": float(change.std(ddof=1)) if n > 1 else math.nan,
    }


def _flow(trial: Trial, analysis: Analysis) -> Iterable[Row]:
    data, found = analysis.data, analysis.found
    for k, arm in enumerate(trial.arms):
        mine = data.arm == k
        left = np.isfinite(data.left_h) & mine
        yield {
            "arm": arm.name,
            "rated": found.rated,
            "enrolled": len(found.people),
            "randomised": int(mine.sum()),
            "left_at_random": int((left & (data.reason == Reason.AT_RANDOM)).sum()),
            "left_lack_of_effect": int((left & (data.reason == Reason.LACK_OF_EFFECT)).sum()),
            "left_side_effects": int((left & (data.reason == Reason.SIDE_EFFECTS)).sum()),
            "rescued": int((np.isfinite(data.rescued_h) & mine).sum()),
            "completed": int((mine & ~left).sum()),
            "missed_visits": int((data.expected & ~data.attended)[mine].sum()),
            "failed": int(found.failed.sum()),
            "with_event": _with_event(trial, analysis, mine),
        }


def _with_event(trial: Trial, analysis: Analysis, mine: NDArray[np.bool_]) -> float:
    """Crude share of those at risk with the event of the first endpoint in time; NaN without such an endpoint."""
    endpoint = next((one for one in trial.endpoints if one.measure in AT_ALL_VISITS), None)
    if endpoint is None:
        return math.nan
    found = analysis.data.events(endpoint)
    risk = found.at_risk & mine
    return float(found.happened[risk].mean()) if risk.any() else math.nan


def _guesses(trial: Trial, found: Conducted) -> Iterable[Row]:
    for column, at in enumerate(trial.blinding.asked):
        visit = trial.visit_number(at) + 1
        for k, arm in enumerate(trial.arms):
            asked = (found.arm == k) & found.kept[:, visit] & (found.visit_h[visit] <= found.arms[k].left_h)
            yield {
                "arm": arm.name,
                "visit": label(at),
                "time_h": at,
                "asked": int(asked.sum()),
                "believed": float(found.believed[asked, column].mean()) if asked.any() else math.nan,
                "guessed_active": float(found.guessed[asked, column].mean()) if asked.any() else math.nan,
            }
