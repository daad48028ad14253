"""The drug's own share of one infusion's effect, as a bracket: the posterior, and the rival in which it is nothing.

python -m afterglow.study.drug_share docs/validation/rivals.csv > src/afterglow/data/fit/drug_share.yaml
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import load_course
from afterglow.simulate import Arm
from afterglow.study.draws import bounded_draws

FloatArray = NDArray[np.float64]
ALONE = "mood.drug_part"  # share of symptoms lifted through synapses and belief, were nothing expected
SYMPTOM = "mood.symptom"  # symptoms / baseline, with expectancy and care
AT_H = 24.0


def shares(draws: Iterable[Mapping[str, float]], patients: int, seed: int, variant: str | None = None) -> FloatArray:
    """Mean drug part 24 h after 0.5 mg/kg over 40 min, % of the baseline score, [draws, (alone, on top)].

    Effects multiply, so the same drug takes away less where expectation has taken its part before.

    Args:
        draws: parameter values by full name, each on top of the shipped ones.
        patients: virtual patients a draw, the same for all.
        seed: of the patients.
        variant: a rival mechanism.
    """
    arm = Arm(
        load_course("iv-single"), patients=patients, weeks=1, seed=seed, outputs=(ALONE, SYMPTOM),
        visits_h=[0, AT_H], variant=variant,
    )  # fmt: skip
    return np.array([_mean_shares(arm, one) for one in draws])


def _mean_shares(arm: Arm, typical: Mapping[str, float]) -> tuple[float, float]:
    at = int(np.searchsorted(arm.time_h, AT_H))
    values = arm.trajectories(typical)[:, at]
    alone, symptom = (values[:, arm.outputs.index(name)].astype(float) for name in (ALONE, SYMPTOM))
    return 100 * float(alone.mean()), 100 * float((symptom / (1 - alone) * alone).mean())


def drug_share(
    scores: Mapping[str, Mapping[str, str]], draws: int = 200, patients: int = 256, seed: int = 1
) -> dict[str, Any]:
    """The bracket: medians and 90 % intervals over posterior draws, and how the inert rival scores beside them.

    Args:
        scores: lines of `rivals.csv` by name.
        draws: draws of the shipped posterior.
        patients: virtual patients a draw.
        seed: of patients and draws.
    """
    found = shares(bounded_draws(draws, seed), patients, seed)
    base, rival = scores["base"], scores["inert"]
    return {
        "command": "python -m afterglow.study.drug_share docs/validation/rivals.csv",
        "at_h": AT_H,
        "alone": _interval(found[:, 0]),
        "on_top": _interval(found[:, 1]),
        "inert": 0.0,
        "trials": int(base["trials"]),
        "log_score": round(float(base["log_score"]), 2),
        "log_score_inert": round(float(rival["log_score"]), 2),
        "inert_minus_base": round(float(rival["minus_base"]), 2),
        "inert_minus_base_se": round(float(rival["minus_base_se"]), 2),
    }


def _interval(x: FloatArray) -> dict[str, float]:
    low, middle, high = (round(float(q), 1) for q in np.quantile(x, [0.05, 0.5, 0.95]))
    return {"percent": middle, "lo90": low, "hi90": high}


def read_scores(file: Path) -> dict[str, dict[str, str]]:
    """Lines of `rivals.csv` by name."""
    with file.open(encoding="utf-8", newline="") as f:
        return {line["name"]: line for line in csv.DictReader(f)}


if __name__ == "__main__":
    import yaml

    print(yaml.safe_dump(drug_share(read_scores(Path(sys.argv[1]))), sort_keys=False), end="")
