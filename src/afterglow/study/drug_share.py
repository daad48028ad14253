"""The drug's own share of one infusion's effect, as a bracket: what the fit says, and the rival in which it is nothing.

python -m afterglow.study.drug_share > src/afterglow/data/fit/drug_share.yaml
"""

from __future__ import annotations

from typing import Any

import numpy as np

from afterglow.clinic.course import load_course
from afterglow.data.fitted import fit_record
from afterglow.simulate import simulate_course
from afterglow.study.draws import bounded_draws

ALONE = "mood.drug_part"  # share of symptoms lifted through synapses and belief, were nothing expected
SYMPTOM = "mood.symptom"  # symptoms / baseline, with expectancy and care
AT_H = 24.0


def drug_share(patients: int = 1000, draws: int = 40, draw_patients: int = 128, seed: int = 1) -> dict[str, Any]:
    """Drug part 24 h after 0.5 mg/kg over 40 min, % of the baseline score, alone and on top of what is expected.

    Effects multiply, so the same drug takes away less where expectation has taken its part before.

    Args:
        patients: virtual patients behind the means.
        draws: draws of the fitted parameters behind the intervals.
        draw_patients: virtual patients a draw.
        seed: seed of patients and draws.
    """
    whole = _shares(patients, {}, seed)
    low, high = np.percentile(
        [_shares(draw_patients, values, seed) for values in bounded_draws(draws, seed)], [5, 95], axis=0
    )
    base, rival = fit_record(), fit_record("inert")
    return {
        "command": "python -m afterglow.study.drug_share",
        "at_h": AT_H,
        "alone": {"percent": _one(whole[0]), "lo90": _one(low[0]), "hi90": _one(high[0])},
        "on_top": {"percent": _one(whole[1]), "lo90": _one(low[1]), "hi90": _one(high[1])},
        "rows": base["rows"],
        "data_loss": base["data_loss"],
        "data_loss_inert": rival["data_loss"],
        "prior_loss": base["prior_loss"],
        "prior_loss_inert": rival["prior_loss"],
    }


def _shares(patients: int, typical: dict[str, float], seed: int) -> tuple[float, float]:
    """Mean drug part alone and on top, %."""
    run = simulate_course(
        load_course("iv-single"),
        patients=patients,
        weeks=1,
        seed=seed,
        typical=typical,
        outputs=(ALONE, SYMPTOM),
        visits_h=[0, AT_H],
    )
    at = int(np.searchsorted(run.time_h, AT_H))
    alone, symptom = run.values[ALONE][:, at], run.values[SYMPTOM][:, at]
    return 100 * float(alone.mean()), 100 * float((symptom / (1 - alone) * alone).mean())


def _one(x: float) -> float:
    return round(float(x), 1)


if __name__ == "__main__":
    import yaml

    print(yaml.safe_dump(drug_share(), sort_keys=False), end="")
