"""How many patients a trial needs for an assurance: guessed from its replicates, then simulated.

The power curve of the replicates (`trial_summary.power_curve`) says where to look; trials of those sizes are then
simulated with the same luck, until one reaches the target and a smaller one does not, or no size can. What draws of the
posterior say against the effect puts a ceiling on assurance that no number of patients lifts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from afterglow.errors import Fault, InputError
from afterglow.study import trial_summary
from afterglow.study.trial_result import TrialResult
from afterglow.study.trial_study import Plan, pieces, resized, work
from afterglow.study.trial_summary import Loose

if TYPE_CHECKING:
    import pandas as pd

LARGEST = 4000  # patients
ROUNDS = 6  # sizes that are simulated at most


def faults(plan: Plan, target: float) -> list[Fault]:
    """Why a size cannot be looked for; to be asked before the long run."""
    found = []
    if not 0 < target < 1:
        found.append(Fault("--assurance", f"an assurance of {target:g}", "between 0 and 1, for instance 0.8"))
    if len(plan.scenarios[0].trial.arms) < 2:
        found.append(Fault("--assurance", "this trial compares nothing", "give it a second arm"))
    return found


def added(
    plan: Plan, result: TrialResult, target: float, tell: Callable[[str, float], None] | None = None
) -> TrialResult:
    """The result with a table `sample_size`, and what it says in words among the warnings."""
    table, words = search(plan, result, target, tell)
    return replace(result, tables={**result.tables, "sample_size": table}, warnings=[*result.warnings, words])


def search(
    plan: Plan, result: TrialResult, target: float, tell: Callable[[str, float], None] | None = None
) -> tuple[pd.DataFrame, str]:
    """Sizes that were simulated with their assurance, and the answer in a sentence.

    Returns:
        Columns: n (patients in all), assurance, its 90 % interval by the number of replicates, guessed (by the power
        curve).
    """
    if wrong := faults(plan, target):
        raise InputError(wrong)
    scenario = plan.scenarios[0]
    planned = sum(scenario.trial.sizes)
    least = max(8, 2 * len(scenario.trial.arms))
    grid = np.unique(np.geomspace(least, LARGEST, 200).round().astype(int))
    estimates = result.tables["estimates"]
    drawn: Loose = estimates[estimates["world"] == "posterior"]
    share = trial_summary.compared(drawn) / planned  # of all patients those whom the primary analysis compares
    curve: Loose = trial_summary.power_curve(drawn, scenario.trial.alpha, (grid * share).tolist())
    arm = curve["arm"].iloc[0]
    guessed = dict(zip(grid.tolist(), curve.loc[curve["arm"] == arm, "power"], strict=True))
    found: dict[int, tuple[float, float, float]] = {planned: _share(estimates, arm)}
    low, high = least, LARGEST
    for step in range(ROUNDS):
        n = _next(found, guessed, target, low, high)
        if n in found:
            break
        if tell is not None:
            tell(f"simulating {n} patients", step / ROUNDS)
        found[n] = _simulated(plan, n, arm)
        reached = [size for size, (value, _, _) in found.items() if value >= target]
        missed = [size for size, (value, _, _) in found.items() if value < target]
        low, high = max(missed, default=least), min(reached, default=LARGEST)
        if reached and high - low <= max(2, 0.05 * high):
            break
    import pandas as pd

    rows = [
        {"n": n, "assurance": value, "assurance_lo90": lo, "assurance_hi90": hi, "guessed": guessed.get(n, math.nan)}
        for n, (value, lo, hi) in sorted(found.items())
    ]
    return pd.DataFrame(rows), _words(found, target)


def _next(
    found: dict[int, tuple[float, float, float]], guessed: dict[int, float], target: float, low: int, high: int
) -> int:
    """The next size to simulate: by the curve, shifted by what it got wrong at the size that was simulated nearest."""
    from scipy.special import ndtri

    inner = [n for n in guessed if low < n < high]
    if not inner:
        return high
    nearest = min(found, key=lambda n: abs(found[n][0] - target))
    sizes = np.array(inner, dtype=float)
    close = min(guessed, key=lambda n: abs(n - nearest))
    shift = ndtri(np.clip(found[nearest][0], 0.001, 0.999)) - ndtri(np.clip(guessed[close], 0.001, 0.999))
    power = ndtri(np.clip([guessed[n] for n in inner], 1e-6, 1 - 1e-6)) + shift
    above = sizes[power >= ndtri(target)]
    return int(above[0]) if len(above) else int(sizes[-1])


def _simulated(plan: Plan, n: int, arm: str) -> tuple[float, float, float]:
    """Assurance with so many patients, by the same replicates."""
    import pandas as pd

    one = replace(plan, scenarios=[resized(plan.scenarios[0], n)], worlds=["posterior"], people=False)
    tables = [work(task.argument)["estimates"] for task in pieces(one)]
    return _share(pd.concat(tables, ignore_index=True), arm)


def _share(estimates: pd.DataFrame, arm: str) -> tuple[float, float, float]:
    first = estimates["endpoint"] == 1
    mine: Loose = estimates[first & (estimates["arm"] == arm) & (estimates["world"] == "posterior")]
    row = trial_summary.contrasts(mine).iloc[0]
    return float(row["power"]), float(row["power_lo90"]), float(row["power_hi90"])


def _words(found: dict[int, tuple[float, float, float]], target: float) -> str:
    reached = sorted(n for n, (value, _, _) in found.items() if value >= target)
    if reached:
        value, low, high = found[reached[0]]
        return (
            f"an assurance of {target:.0%} needs about {reached[0]} patients in all "
            f"(simulated: {value:.1%}, {low:.1%} to {high:.1%})"
        )
    most = max(found)
    return (
        f"no size up to {most} patients reaches an assurance of {target:.0%} (there {found[most][0]:.1%}): "
        "what the calibration leaves open about the effect stands in the way, not chance"
    )
