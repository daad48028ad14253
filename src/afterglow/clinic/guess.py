"""What people believe they were given, and how well a trial's blinding held.

A person starts from the probability of active treatment that the trial promised and takes what they notice as evidence
(Bayes, in log odds): having felt the drug, and getting better.

    logit P(active) = logit(promised) + weight_dissociation * (felt - felt_neutral)
                                      + weight_benefit * (improvement - benefit_neutral)

Where nobody can feel anything, as under anaesthesia, feeling nothing tells nothing: the first term falls away.

The weights are assumed, guided by three published findings, quoted in doi:10.1002/14651858.CD011612.pub3 but for the
last:

* Asked which of two sessions was ketamine and not remifentanil, 88 % of people were right (Sumner 2020). In the model,
  one infusion of 0.5 mg/kg against one of saline gives 88 % with the weights below.
* Between arms, after six sessions, 89 % of the midazolam arm and 50 % of the ketamine arm were right (Shiroma 2020,
  doi:10.1038/s41398-020-00897-0). The arms' distance in log odds, 2.1, is near that of the first finding. The lean to
  midazolam is not taken over: the trial is small, and its midazolam arm had one session of ketamine.
* Under anaesthesia both arms guess alike (Lii 2023, doi:10.1038/s44220-023-00140-x): benefit has a small weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, logit

from afterglow import streams

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Evidence:
    """How much people make of what they notice; all assumed, log odds."""

    weight_dissociation: float = 3.0  # of full recognition against none
    felt_neutral: float = 0.27  # recognition that tells nothing: half of that after one infusion in the model
    weight_benefit: float = 1.0  # of full improvement against none
    benefit_neutral: float = 0.35  # improvement that tells nothing, as a fraction of baseline


ASSUMED = Evidence()


def believed(
    promised: ArrayLike,
    felt: ArrayLike,
    improvement: ArrayLike,
    *,
    masked: ArrayLike = False,
    evidence: Evidence = ASSUMED,
) -> FloatArray:
    """Probability that a person gives to having had active treatment; arguments are broadcast, usually [patients].

    Args:
        promised: probability of active treatment by the trial's ratio, 0 to 1; 1 in open treatment.
        felt: recognition of the drug, 0 to 1 (`expectancy.belief_in_drug` of the model).
        improvement: fall of the measured score as a fraction of baseline; taken inside [-1, 1]. NaN, not measured,
            tells nothing.
        masked: whether nobody could feel what they got; `felt` then tells nothing.
        evidence: the weights.
    """
    by_feeling = evidence.weight_dissociation * (np.asarray(felt, dtype=np.float64) - evidence.felt_neutral)
    better = np.clip(np.asarray(improvement, dtype=np.float64), -1.0, 1.0)
    by_benefit = np.nan_to_num(evidence.weight_benefit * (better - evidence.benefit_neutral))
    return expit(logit(promised) + np.where(masked, 0.0, by_feeling) + by_benefit)


def guess(belief: FloatArray, time_h: float, patients: range, seed: int, replicate: int = 0) -> BoolArray:
    """Whether each person guesses "active" when asked at this hour, [patients].

    People guess by probability matching: "active" as often as they believe it. A rule of "active above one half" would
    let all who noticed the same guess the same, so that arms guess all right or all wrong, which trials do not show:
    people also go by cues that the model does not have.

    Args:
        belief: probability of active treatment, [patients], as of `believed`.
        time_h: when they are asked, h; it keys the chance.
        patients: numbers of the patients.
        seed: the run's seed.
        replicate: number of the trial replicate.
    """
    return streams.uniform(seed, replicate, patients, f"trial/guess/{time_h:.4f}")[:, 0] < belief


@dataclass(frozen=True)
class Blinding:
    """How well blinding held in each arm, arrays [arms]; NaN where nobody was asked."""

    asked: IntArray
    correct: FloatArray  # share of guesses that are correct
    bang: FloatArray  # Bang's index: 1 all guess right, 0 as by chance, -1 all guess the opposite
    bang_se: FloatArray


def blinding(guessed: ArrayLike, arm: ArrayLike, active: ArrayLike) -> Blinding:
    """Correct guesses and Bang's blinding index per arm.

    Without "don't know", which is not simulated, the index of an arm is the share of correct guesses less that of
    wrong ones, with the standard error of a binomial share times 2.

    Source: Bang H, Ni L, Davis CE (2004) Assessment of blinding in clinical trials. Control Clin Trials 25:143-156.
    doi:10.1016/j.cct.2003.10.016.

    Args:
        guessed: whether a patient guessed "active", [patients].
        arm: codes of the arms, [patients].
        active: whether an arm's treatment counts as active, [arms].
    """
    codes, is_active = np.asarray(arm, dtype=np.int64), np.asarray(active, dtype=np.bool_)
    hit = np.asarray(guessed, dtype=np.bool_) == is_active[codes]
    asked = np.bincount(codes, minlength=len(is_active))
    with np.errstate(invalid="ignore"):
        correct = np.bincount(codes, weights=hit, minlength=len(is_active)) / asked
        bang_se = 2.0 * np.sqrt(correct * (1.0 - correct) / asked)
    return Blinding(asked, correct, 2.0 * correct - 1.0, bang_se)
