"""The analysis of one replicate: every endpoint, every arm against the reference, beside the truth it looks for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.trial import Trial
from afterglow.clinic.trial_parts import Endpoint
from afterglow.study.statistics.ancova import ancova
from afterglow.study.statistics.binary import logistic, risk_difference
from afterglow.study.statistics.crossover import crossover
from afterglow.study.statistics.imputation import Rule, imputed_ancova
from afterglow.study.statistics.mmrm import TrialMmrm, trial_mmrm
from afterglow.study.statistics.multiplicity import fixed_sequence, holm
from afterglow.study.statistics.result import Estimate
from afterglow.study.statistics.sequential_parallel import combined
from afterglow.study.statistics.survival import cox, log_rank, rmst, rmst_difference
from afterglow.study.trial_data import Events, Observed, events, hits, intercurrent
from afterglow.study.virtual_trial import Conducted

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

RULES: dict[str, Rule] = {"jump-to-reference": "jump to reference", "copy-increments": "copy increments"}


@dataclass(frozen=True)
class Contrast:
    """One estimate of one replicate.

    Attributes:
        endpoint: its number in the file.
        analysis: how it was made; sensitivity analyses are named after their rule.
        arm: number of the arm.
        estimate: arm minus reference; the logarithm of a ratio for logistic and cox.
        truth: what it looks for, from what everybody would have scored in both arms; NaN where that is not defined.
        n: patients behind it, arm and reference.
    """

    endpoint: int
    analysis: str
    arm: int
    estimate: Estimate
    truth: float
    n: tuple[int, int]


class Analysis:
    """Analyses of one replicate; models that several endpoints share are fitted once."""

    def __init__(self, trial: Trial, found: Conducted) -> None:
        """Of a replicate as it was conducted."""
        self.trial, self.found, self.data = trial, found, Observed(trial, found)
        self.reference = trial.reference_arm
        self._mmrm: dict[str, TrialMmrm] = {}

    def contrasts(self) -> list[Contrast]:
        """All estimates, in the order of endpoints and arms; sensitivity analyses of the primary endpoint last."""
        main = [one for k, endpoint in enumerate(self.trial.endpoints) for one in self._endpoint(k, endpoint)]
        return main + list(self._sensitivity())

    def mmrm(self, scale: str) -> TrialMmrm:
        """The mixed model of the change on a scale, all visits after the baseline."""
        if scale not in self._mmrm:
            scores = self.data.scores(scale)
            base = scores[:, 0]
            self._mmrm[scale] = trial_mmrm(scores[:, 1:] - base[:, None], self.data.arm, base, self._strata())
        return self._mmrm[scale]

    def _strata(self) -> FloatArray | None:
        """Covariates of stratified allocation that vary."""
        table = self.data.strata
        varies = np.ptp(table, axis=0) > 0 if len(table) else np.zeros(table.shape[1], bool)
        return table[:, varies] if varies.any() else None

    # ------------------------------------------------------------------------------------------------ endpoints

    def _endpoint(self, number: int, endpoint: Endpoint) -> Iterator[Contrast]:
        method = endpoint.method
        if method in ("crossover", "sequential-parallel"):
            yield self._designed(number, endpoint)
            return
        visit = self.trial.visit_number(endpoint.at) + 1
        truth = self._truths(endpoint, visit)
        for arm in range(len(self.trial.arms)):
            if arm == self.reference:
                continue
            sizes = tuple(int(self._counted(endpoint, visit, k)) for k in (arm, self.reference))
            estimate = self._estimate(endpoint, visit, arm)
            yield Contrast(number, method, arm, estimate, truth.get(arm, math.nan), (sizes[0], sizes[1]))

    def _estimate(self, endpoint: Endpoint, visit: int, arm: int) -> Estimate:
        data, reference = self.data, self.reference
        if not (np.any(data.arm == arm) and np.any(data.arm == reference)):
            return Estimate.missing("an arm is empty")
        match endpoint.method:
            case "mmrm":
                return self.mmrm(endpoint.scale).contrast(arm, reference, visit - 1)
            case "ancova":
                scores = data.scores(endpoint.scale)
                return ancova(scores[:, visit] - scores[:, 0], data.arm, self._covariates(scores[:, 0])).contrast(
                    arm, reference
                )
            case "risk-difference":
                return risk_difference(data.hits(endpoint, visit), data.arm, arm, reference)
            case "logistic":
                base = data.scores(endpoint.scale)[:, 0]
                return logistic(data.hits(endpoint, visit), data.arm, arm, reference, self._covariates(base))
        return self._in_time(endpoint, arm)

    def _covariates(self, base: FloatArray) -> FloatArray:
        layers = self._strata()
        return base[:, None] if layers is None else np.column_stack([base, layers])

    def _in_time(self, endpoint: Endpoint, arm: int) -> Estimate:
        found = self.data.events(endpoint)
        risk = found.at_risk & np.isin(self.data.arm, (arm, self.reference))
        days, happened, arms = found.days[risk], found.happened[risk], self.data.arm[risk]
        if len(np.unique(arms)) < 2:
            return Estimate.missing("an arm is empty")
        if endpoint.method == "cox":
            return cox(days, happened, arms, arm, self.reference)
        if endpoint.method == "rmst":
            return rmst_difference(days, happened, arms, arm, self.reference, self._until(found, arm))
        p = log_rank(days, happened, arms)
        return Estimate(math.nan, math.nan, p_value=p, problem="" if math.isfinite(p) else "no event")

    def _until(self, found: Events, arm: int) -> float:
        """Days up to which both arms were followed."""
        pair = (found.at_risk & (self.data.arm == k) for k in (arm, self.reference))
        return min(float(np.max(found.days, initial=0.0, where=mine)) for mine in pair)

    def _counted(self, endpoint: Endpoint, visit: int, arm: int) -> int:
        mine = self.data.arm == arm
        if endpoint.measure in ("relapse", "time-to-response"):
            return int((self.data.events(endpoint).at_risk & mine).sum())
        seen = ~np.isnan(self.data.scores(endpoint.scale))
        return int((seen[mine][:, 1:].any(axis=1) if endpoint.method == "mmrm" else seen[mine, visit]).sum())

    # ------------------------------------------------------------------------------------------------ designs

    def _designed(self, number: int, endpoint: Endpoint) -> Contrast:
        """Crossover and sequential parallel comparison: one estimate for the whole trial."""
        names = [one.name for one in self.trial.arms]
        if endpoint.method == "crossover":
            plan = self.trial.crossover
            assert plan is not None
            first, second = names.index(plan.first), names.index(plan.second)
            arm, estimate = first, self._crossed(endpoint, plan.period, first, second)
            truth, sizes = math.nan, [int((self.data.arm == k).sum()) for k in (first, second)]
        else:
            arm, estimate, truth, sizes = self._two_stages(endpoint)
        return Contrast(number, endpoint.method, arm, estimate, truth, (sizes[0], sizes[1]))

    def _crossed(self, endpoint: Endpoint, period: float, first: int, second: int) -> Estimate:
        """Change within each period, at the endpoint's visit and as long after the second period began."""
        scores, hours = self.data.scores(endpoint.scale), self.data.visit_h
        visit = self.trial.visit_number(endpoint.at) + 1
        later = [int(np.argmin(np.abs(hours - t))) for t in (period, period + hours[visit])]
        y = np.column_stack([scores[:, visit] - scores[:, 0], scores[:, later[1]] - scores[:, later[0]]])
        chosen = np.isin(self.data.arm, (first, second))
        return crossover(y[chosen], self.data.arm[chosen] == first).treatment

    def _two_stages(self, endpoint: Endpoint) -> tuple[int, Estimate, float, list[int]]:
        plan = self.trial.second_stage
        assert plan is not None
        names = [one.name for one in self.trial.arms]
        drug, delayed, placebo = (names.index(one) for one in (plan.drug, plan.delayed, plan.placebo))
        middle, last = self.trial.visit_number(plan.at) + 1, len(self.data.visit_h) - 1
        scores, arm = self.data.scores(endpoint.scale), self.data.arm

        def stage(chosen: BoolArray, treated: BoolArray, begin: int, end: int) -> Estimate:
            groups = treated[chosen].astype(np.int64)
            if len(np.unique(groups)) < 2:
                return Estimate.missing("a stage has an empty arm")
            y = scores[chosen, end] - scores[chosen, begin]
            return ancova(y, groups, scores[chosen, begin][:, None]).contrast(1, 0)

        own = {name: self.data.full(name) for name in plan.condition.scales}
        still_ill = plan.condition.holds_at(own, middle) & np.isin(arm, (delayed, placebo))
        still_ill &= ~np.isnan(scores[:, middle])
        one = stage(np.isin(arm, (drug, delayed, placebo)), arm == drug, 0, middle)
        two = stage(still_ill, arm == delayed, middle, last)
        full = [self._potential(endpoint.scale, k) for k in (drug, delayed, placebo)]
        ill = plan.condition.holds_at(self.found.arms[placebo].scores, middle)[self.data.chosen]
        truths = (
            np.nanmean(full[0][:, middle] - full[2][:, middle]),
            np.nanmean((full[1][:, last] - full[2][:, last])[ill]) if ill.any() else math.nan,
        )
        truth = plan.weight * truths[0] + (1 - plan.weight) * truths[1]
        sizes = [int((arm == drug).sum() + (still_ill & (arm == delayed)).sum()), int((arm != drug).sum())]
        return drug, combined(one, two, plan.weight), float(truth), sizes

    # ------------------------------------------------------------------------------------------------ truth

    def _potential(self, scale: str, arm: int) -> FloatArray:
        """What all randomised people would have scored in an arm, as the estimand counts it, nothing missing."""
        of, chosen, trial = self.found.arms[arm], self.data.chosen, self.trial
        scores = (of.undisturbed or of.scores)[scale][chosen]
        if trial.estimand != "composite":
            return scores
        failed = np.minimum(of.rescued_h, of.left_h)[chosen, None] < self.data.visit_h[None, :]
        return np.where(failed, scores[:, :1], scores)

    def _truths(self, endpoint: Endpoint, visit: int) -> dict[int, float]:
        """What each arm's contrast looks for."""
        if endpoint.method in ("cox", "log-rank"):
            return {}  # hazards are not in proportion, so there is no one number
        scores = [self._potential(endpoint.scale, k) for k in range(len(self.trial.arms))]
        if not len(self.data.chosen):
            return {}
        if endpoint.measure == "change":
            means = [float(np.mean(one[:, visit])) for one in scores]
        elif endpoint.method == "rmst":
            return dict(self._mean_times(endpoint, scores))
        else:
            shares = [float(np.mean(hits(endpoint, one, visit))) for one in scores]
            if endpoint.method == "logistic":
                return {}  # the odds ratio given a baseline is not the one of the whole population
            means = shares
        return {k: means[k] - means[self.reference] for k in range(len(means))}

    def _mean_times(self, endpoint: Endpoint, scores: list[FloatArray]) -> Iterator[tuple[int, float]]:
        """Differences of restricted mean times up to the days of the analysis, everybody being in both arms."""
        chosen = self.data.chosen
        ended = [intercurrent(self.trial, one.rescued_h[chosen], one.left_h[chosen]) for one in self.found.arms]
        found = [
            events(self.trial, endpoint, one, self.data.visit_h, event_h)
            for one, event_h in zip(scores, ended, strict=True)
        ]
        observed = self.data.events(endpoint)
        for arm in range(len(found)):
            if arm == self.reference:
                continue
            until = self._until(observed, arm)
            means = [
                rmst(one.days[one.at_risk], one.happened[one.at_risk], until)
                for one in (found[arm], found[self.reference])
            ]
            yield arm, means[0].estimate - means[1].estimate

    # ------------------------------------------------------------------------------------------------ sensitivity

    def _sensitivity(self) -> Iterator[Contrast]:
        """Reference-based imputation of the primary endpoint at its visit."""
        primary, trial = self.trial.primary, self.trial
        if primary.measure != "change":
            return
        visit = trial.visit_number(primary.at) + 1
        truth = self._truths(primary, visit) if trial.missing.sensitivity else {}
        for rule in trial.missing.sensitivity:
            for arm, estimate in self._imputed(rule, visit).items():
                sizes = [int((self.data.arm == k).sum()) for k in (arm, self.reference)]
                yield Contrast(0, rule, arm, estimate, truth.get(arm, math.nan), (sizes[0], sizes[1]))

    def _imputed(self, rule: str, visit: int) -> dict[int, Estimate]:
        """Estimates of the change at a visit, by arm."""
        arms, scores = len(self.trial.arms), self.data.scores(self.trial.primary.scale)
        if len(np.unique(self.data.arm)) < arms:
            active = (arm for arm in range(arms) if arm != self.reference)
            return dict.fromkeys(active, Estimate.missing("an arm is empty"))
        return imputed_ancova(
            scores[:, 1 : visit + 1] - scores[:, :1], self.data.arm, self.reference, scores[:, 0], RULES[rule],
            imputations=self.trial.missing.imputations, seed=self.found.setting.replicate,
        )  # fmt: skip


def decided(trial: Trial, contrasts: list[Contrast]) -> Mapping[int, bool]:
    """Which of the main contrasts (by place) are significant, after multiplicity and in the arm's favour or not."""
    main = [k for k, one in enumerate(contrasts) if one.analysis == trial.endpoints[one.endpoint].method]
    p = [contrasts[k].estimate.p for k in main]
    if trial.multiplicity == "none":
        rejected = [value < trial.alpha for value in p]
    else:
        found = (holm if trial.multiplicity == "holm" else fixed_sequence)(p, trial.alpha)
        rejected = list(found.rejected)
    return {k: bool(one) for k, one in zip(main, rejected, strict=True)}
