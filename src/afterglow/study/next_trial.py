"""What a further trial would narrow: the drug's own share after it, and whether it could tell the drug from unblinding.

    python -m afterglow.study.next_trial > docs/validation/next_trial.csv

Two designs of one infusion: masked (under anaesthesia, nobody can feel what they got) and against an active placebo
(midazolam). Each draw of the posterior foresees the difference between the arms; the trial adds effects of its own and
sampling error. The share is then updated as if everything were normal (linear Bayes), averaged over what may come out.

A trial tells the base model from the inert rival when what it finds is ten times as probable under the one that is true
(`ODDS`, assumed; ten is usually called strong).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from afterglow import streams
from afterglow.data import trial
from afterglow.data.fitted import measurement
from afterglow.data.trial_schema import TrialRecord
from afterglow.study.calibrate import STEP_OWN
from afterglow.study.draws import split_draws, tau_draws
from afterglow.study.drug_share import shares
from afterglow.study.published import Noise, predict
from afterglow.study.trials import Laboratory

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
SIZES = (20, 50, 100, 200, 400, math.inf)  # patients an arm; the last is what no number of patients can pass
ODDS = 10.0
ASSURANCE = 0.9
LARGEST = 2000  # patients an arm that are looked at
OUTCOMES = 4000  # imagined results behind an assurance
_AROUND = ((0.0, 0.0), (STEP_OWN, 0.0), (-STEP_OWN, 0.0), (0.0, STEP_OWN), (0.0, -STEP_OWN))


@dataclass(frozen=True)
class Design:
    """A published trial that the further one is like.

    Attributes:
        trial, row: its record, and the difference that would be measured.
        arms: patients behind that difference in the published trial, by arm.
    """

    trial: str
    row: str
    arms: tuple[float, float]


DESIGNS = {
    "masked": Design("lii2023_masked", "ket-v-saline/MADRS/difference/24-72h", (20, 20)),
    "midazolam": Design("murrough2013_ajp", "ket-v-midazolam/MADRS/difference/24h", (73 * 2 / 3, 73 / 3)),
}


@dataclass(frozen=True)
class Foreseen:
    """The difference between the arms of a further trial, as draws of a posterior foresee it, MADRS points.

    Attributes:
        mean: [draws].
        own_sd: SD of the trial's own effects on it, [draws].
        patient_sd: SD of one patient's value, as the published standard error implies it.
    """

    mean: FloatArray
    own_sd: FloatArray
    patient_sd: float

    def sampling(self, n: float) -> float:
        """Sampling variance with n patients an arm."""
        return 2 * self.patient_sd**2 / n


def foresee(design: Design, draws: int, patients: int, seed: int, variant: str | None = None) -> Foreseen:
    """What draws of the shipped posterior, or of a rival's, foresee; both arms alike before treatment.

    Args:
        design: of the trial.
        draws: how many.
        patients: virtual patients an arm.
        seed: of draws and patients.
        variant: a rival that has a posterior of its own.
    """
    record = _alike(trial(design.trial))
    row = next(r for r in record.answered() if r.key == design.row)
    assert row.se is not None
    laboratory = Laboratory([record], patients, seed, variant, [(record.id, row)])
    held = measurement(variant)

    def at(typical: Mapping[str, float], noise: Noise, own: tuple[float, float]) -> float:
        found = predict(row, laboratory.run(typical, noise, own)[record.id])
        assert found is not None
        return found

    mean, slopes = [], []
    for typical, noise in split_draws(draws, seed, variant):
        ask = [at(typical, Noise(**(held | noise)), own) for own in _AROUND]
        mean.append(ask[0])
        slopes.append([(ask[1] - ask[2]) / (2 * STEP_OWN), (ask[3] - ask[4]) / (2 * STEP_OWN)])
    u, v = np.array(slopes).T
    by = np.column_stack([u, v, u + v])  # the row's own effect works on all relief
    own_sd = np.sqrt(((by * tau_draws(draws, seed, variant)) ** 2).sum(axis=1))
    return Foreseen(np.array(mean), own_sd, row.se / math.sqrt(sum(1 / n for n in design.arms)))


def _alike(record: TrialRecord) -> TrialRecord:
    """The trial with the same people in all arms: a further one need not repeat the chance of the first."""
    assert record.simulate is not None
    arms = [arm.model_copy(update={"population": None}) for arm in record.simulate.arms]
    return record.model_copy(update={"simulate": record.simulate.model_copy(update={"arms": arms})})


def narrowed(share: FloatArray, seen: Foreseen, n: float) -> float:
    """SD of the share after a trial with n patients an arm, by linear Bayes.

    Args:
        share: [draws], the same draws as in `seen`.
        seen: what they foresee.
        n: patients an arm.
    """
    total = seen.mean.var() + np.mean(seen.own_sd**2) + seen.sampling(n)
    shared = np.mean((share - share.mean()) * (seen.mean - seen.mean.mean()))
    return math.sqrt(max(float(share.var() - shared**2 / total), 0.0))


def told_apart(base: Foreseen, rival: Foreseen, n: float, seed: int = 1) -> tuple[float, float]:
    """Chance that the trial favours the truth by `ODDS`, if base is true and if the rival is.

    Args:
        base, rival: what both foresee of the same trial.
        n: patients an arm.
        seed: of the imagined results.
    """
    found = []
    for name, truth, other in (("base", base, rival), ("rival", rival, base)):
        rng = streams.generator(seed, "next trial", name)
        k = rng.integers(0, len(truth.mean), OUTCOMES)
        sd = np.sqrt(truth.own_sd[k] ** 2 + truth.sampling(n))
        results = truth.mean[k] + sd * rng.standard_normal(OUTCOMES)
        favour = _log_density(results, truth, n) - _log_density(results, other, n)
        found.append(float(np.mean(favour >= math.log(ODDS))))
    return found[0], found[1]


def _log_density(results: FloatArray, seen: Foreseen, n: float) -> FloatArray:
    """Log density of results [results] under a mixture of normals."""
    sd = np.sqrt(np.maximum(seen.own_sd**2 + seen.sampling(n), 1e-12))
    each = -0.5 * ((results[:, None] - seen.mean) / sd) ** 2 - np.log(sd)
    return np.asarray(logsumexp(each, axis=1), dtype=np.float64) - math.log(len(sd)) - 0.5 * math.log(2 * math.pi)


def enough(base: Foreseen, rival: Foreseen, sizes: Iterable[int] = range(10, LARGEST + 1, 10)) -> int | None:
    """Fewest patients an arm with which both truths are told with `ASSURANCE`; None where none of `sizes` does."""
    return next((n for n in sizes if min(told_apart(base, rival, n)) >= ASSURANCE), None)


def table(
    draws: int = 200, patients: int = 256, seed: int = 1, designs: Sequence[str] = tuple(DESIGNS)
) -> pd.DataFrame:
    """What each design would do at each size.

    Returns:
        Columns: design, per_arm, share_sd_before, share_sd (both % of the baseline score, the drug's share on top of
        what is expected), width90 (of its interval), tells_base, tells_inert (chance that the truth is favoured by
        `ODDS`), enough (fewest patients an arm that tell both with `ASSURANCE`; empty where none up to `LARGEST` do).
    """
    import pandas as pd

    share = shares([one for one, _ in split_draws(draws, seed)], patients, seed)[:, 1]
    lines = []
    for name in designs:
        base = foresee(DESIGNS[name], draws, patients, seed)
        inert = foresee(DESIGNS[name], draws, patients, seed, "inert")
        least = enough(base, inert)
        for n in SIZES:
            after = narrowed(share, base, n)
            tells = told_apart(base, inert, n)
            line = {"design": name, "per_arm": n, "share_sd_before": share.std(), "share_sd": after}
            line |= {"width90": 2 * 1.645 * after, "tells_base": tells[0], "tells_inert": tells[1], "enough": least}
            lines.append(line)
    return pd.DataFrame(lines)


if __name__ == "__main__":
    table().to_csv(sys.stdout, index=False, float_format="%.3g")
