"""The drug's own share of one infusion's effect, as a bracket: what the fit says, and the rival in which it is nothing.

python -m afterglow.study.drug_share > src/afterglow/data/fit/drug_share.yaml
"""

from __future__ import annotations

from typing import Any

import numpy as np

from afterglow.clinic.course import load_course
from afterglow.data.fitted import fit_record, parameter_draws
from afterglow.simulate import simulate_course

OUTPUT = "mood.drug_part"  # share of symptoms lifted through synapses and belief, without expectancy and care
AT_H = 24.0


def drug_share(patients: int = 1000, draws: int = 40, draw_patients: int = 128, seed: int = 1) -> dict[str, Any]:
    """Mean drug part 24 h after 0.5 mg/kg over 40 min, % of the baseline score, with its 90 % interval over the fit.

    Args:
        patients: virtual patients behind the mean.
        draws: draws of the fitted parameters behind the interval.
        draw_patients: virtual patients a draw.
        seed: seed of patients and draws.
    """
    course = load_course("iv-single")

    def share(n: int, typical: dict[str, float]) -> float:
        run = simulate_course(
            course, patients=n, weeks=1, seed=seed, typical=typical, outputs=(OUTPUT,), visits_h=[0, AT_H]
        )
        return 100 * float(run.values[OUTPUT][:, int(np.searchsorted(run.time_h, AT_H))].mean())

    sets = [{k: v for k, v in d.items() if not k.startswith("measurement.")} for d in parameter_draws(draws, seed)]
    low, high = np.percentile([share(draw_patients, values) for values in sets], [5, 95])
    return {
        "command": "python -m afterglow.study.drug_share",
        "percent_of_baseline_at_24_h": round(share(patients, {}), 1),
        "lo90": round(float(low), 1),
        "hi90": round(float(high), 1),
        "rows": fit_record()["rows"],
        "data_loss": fit_record()["data_loss"],
        "data_loss_inert": fit_record("inert")["data_loss"],
    }


if __name__ == "__main__":
    import yaml

    print(yaml.safe_dump(drug_share(), sort_keys=False), end="")
