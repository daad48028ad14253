"""The baseline that a sceptic would propose: random-effects meta-regression, each cohort predicted from the others.

Three regressions, none of which knows any pharmacology:

* **change** from baseline, MADRS points: rows of measure `change`, and `mean` less the arm's baseline;
* **response**, on the logit scale;
* **difference** of changes between two arms, MADRS points.

Columns (8, 8 and 7) are coarse on purpose: 8 to 11 cohorts inform each regression. Of an arm at a time they say: a
drug of the ketamine family or not; that drug infused or not; midazolam (an active placebo) or not; how far a new
antidepressant pill has come (weeks since day 1 over four, at most 1); the logarithm of time; more than one session so
far or not; for the ketamine family the logarithm of the time since the last session, over which its effect can wane;
the baseline score. Saline, placebo spray and placebo pill share the first column: too few trials have each of them
without a new antidepressant to tell them apart, and the cohort's effect carries what is left. A difference is regressed
on the contrast of its two arms' columns, so whatever the arms share cancels, and two arms of one class differ by 0; it
has no baseline and no time but the last session's, and an interaction of the drug with a new antidepressant instead.
Dose, raters and blinding have no column.

Coefficients have a normal prior around 0 (ridge); the first column is free. Its SD is 3 points or 0.54 logit (assumed:
0.3 standard deviations of a change, which are about 10 points, and times pi / sqrt(3) on the logit scale). So a column
that no other cohort informs costs uncertainty, not nonsense. The columns were written down before any score was looked
at; the prior was first 5 points and 1 logit and was tightened because the baseline scored better so, in its own favour.

A cohort's effect is shared by all its rows, and arm-times differ beyond sampling error on top. Cohort and not trial, as
trials of one cohort share patients. REML gives the two variances; with so few cohorts it often gives 0, and predictions
that take it at its word are too sure of themselves. So predictions are averaged over both variances, weighted by their
restricted likelihood (flat on the two SDs); `plug_in` takes the REML values instead. The sampling errors of rows are
known and taken as independent; so are the three regressions.

Sources: Berkey CS, Hoaglin DC, Mosteller F, Colditz GA (1995) A random-effects regression model for meta-analysis. Stat
Med 14:395-411. doi:10.1002/sim.4780140406 (regression with known sampling variances). Patterson HD, Thompson R (1971)
Recovery of inter-block information when block sizes are unequal. Biometrika 58:545-554. doi:10.1093/biomet/58.3.545
(REML). Gelman A (2006) Prior distributions for variance parameters in hierarchical models. Bayesian Anal 1:515-534.
doi:10.1214/06-BA117A (flat on the SD of groups). Chinn S (2000) A simple method for converting an odds ratio to effect
size for use in meta-analysis. Stat Med 19:3127-3131 (pi / sqrt(3)).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag
from scipy.optimize import minimize
from scipy.special import expit, softmax

from afterglow.clinic.course import parse_course
from afterglow.clinic.scale import noise_ratio
from afterglow.data import trial, trials
from afterglow.data.outcome_schema import Outcome
from afterglow.study.calibrate import LEAST_SE
from afterglow.study.scoring import Predictive, Published

FloatArray = NDArray[np.float64]
Target = Literal["change", "response", "difference"]

TARGETS: dict[str, Target] = {
    "change": "change",
    "mean": "change",
    "response": "response",
    "difference": "difference",
}
SCALES = {
    "change": {"MADRS"},
    "mean": {"MADRS"},
    "response": {"MADRS", "HAM-D17", "MADRS or HAM-D"},
    "difference": {"MADRS", "HAM-D17"},
}
COLUMNS: dict[Target, tuple[str, ...]] = {
    "change": ("one", "ketamine", "infusion", "new pill", "log time", "repeated", "waning", "baseline"),
    "response": ("one", "ketamine", "infusion", "midazolam", "new pill", "log time", "repeated", "waning"),
    "difference": ("ketamine", "infusion", "midazolam", "new pill", "ketamine + pill", "ketamine, repeated", "waning"),
}
PRIOR_SD: dict[Target, float] = {"change": 3.0, "response": 0.54, "difference": 3.0}  # assumed; see the head
KETAMINES = {"ketamine", "esketamine", "arketamine"}
GRID = 8  # values of each of the two SDs in the average over them
BASELINE_MADRS = 33.0  # where the column of the baseline is 0


# ------------------------------------------------------------------------------------------------ rows


@dataclass(frozen=True)
class BaselineRow:
    """One published row that the baseline predicts.

    Attributes:
        trial, cohort: where it is from.
        outcome: the row as published.
        value: the published number, in the row's unit.
        se: its standard error, with the floor that the fit gives rates (`calibrate.LEAST_SE`).
    """

    trial: str
    cohort: str
    outcome: Outcome
    value: float
    se: float

    @property
    def key(self) -> str:
        """Key of the row within its trial."""
        return self.outcome.key

    @property
    def target(self) -> Target:
        """The regression that it belongs to."""
        return TARGETS[self.outcome.measure]


def baseline_rows() -> list[BaselineRow]:
    """The rows that the baseline predicts, by trial and key, whatever their role in the fit.

    Rows of simulated trials with a standard error, of the measures and scales of `SCALES`. Left out: scores at time 0
    (an input), changes that count from a later time, and rows about patients chosen by an earlier score (`among`), for
    which a regression over arms has no column.
    """
    rows = []
    for record in trials().values():
        for row in record.answered():
            if row.scale not in SCALES.get(row.measure, set()) or row.se is None or not row.time_h or row.among:
                continue
            if row.measure == "change" and row.from_h is not None:
                continue
            se = max(row.se, LEAST_SE.get(row.measure, 0.0))
            rows.append(BaselineRow(record.id, record.cohort, row, row.value, se))
    return sorted(rows, key=_place)


def _place(row: BaselineRow) -> tuple[str, str]:
    return row.trial, row.key


def published(rows: Iterable[BaselineRow] | None = None) -> list[Published]:
    """The rows (default all) by trial, for `scoring`; their values and errors are symmetric as they stand."""
    out = []
    for name, mine in _by_trial(rows).items():
        value, se = np.array([r.value for r in mine]), np.array([r.se for r in mine])
        out.append(Published(name, tuple(r.key for r in mine), tuple(r.outcome.measure for r in mine), value, se))
    return out


def _by_trial(rows: Iterable[BaselineRow] | None) -> dict[str, list[BaselineRow]]:
    found: dict[str, list[BaselineRow]] = {}
    for row in sorted(baseline_rows() if rows is None else rows, key=_place):
        found.setdefault(row.trial, []).append(row)
    return found


# ------------------------------------------------------------------------------------------------ columns


def _time_h(row: Outcome) -> float:
    """Time of a row, h; the geometric middle where it covers a window."""
    assert row.time_h is not None
    return row.time_h if not row.from_h else math.sqrt(row.from_h * row.time_h)


@cache
def _sessions(name: str, arm: str) -> tuple[float, ...]:
    """Hours of the arm's treatment sessions in its first year."""
    course = parse_course(trial(name).course_data(arm), f"{name}/{arm}")
    return tuple(time for time, _ in course.sessions(52.0))


def _baseline(name: str, arm: str) -> float:
    """Mean MADRS of an arm at baseline, as the trial is simulated."""
    record = trial(name)
    assert record.simulate is not None
    own = record.simulated_arm(arm).population
    whole = record.simulate.population.madrs_mean
    return whole if own is None or own.madrs_mean is None else own.madrs_mean


def arm_columns(name: str, arm: str, time_h: float) -> dict[str, float]:
    """What the regressions know of an arm at a time, by column.

    Args:
        name: id of the trial.
        arm: name of the arm.
        time_h: hours from the first dose, above 0.
    """
    record, design = trial(name).arm(arm), trial(name).simulated_arm(arm)
    before = [s for s in _sessions(name, arm) if s < time_h]
    ketamine = float(record.drug in KETAMINES)
    pill = min(time_h / 672.0, 1.0) if design.new_antidepressant else 0.0
    since_h = time_h - before[-1] if before else 24.0
    repeated = float(len(before) > 1)
    return {
        "one": 1.0,
        "ketamine": ketamine,
        "infusion": ketamine * (record.route == "iv"),
        "midazolam": float(record.drug == "midazolam"),
        "new pill": pill,
        "ketamine + pill": ketamine * design.new_antidepressant,
        "log time": math.log10(time_h / 24.0),
        "repeated": repeated,
        "ketamine, repeated": ketamine * repeated,
        "waning": ketamine * math.log10(since_h / 24.0),
        "baseline": (_baseline(name, arm) - BASELINE_MADRS) / 10.0,
    }


def design(rows: Sequence[BaselineRow]) -> FloatArray:
    """Columns of rows of one regression, [rows, columns]; of a difference the contrast of its arms."""
    table = []
    for row in rows:
        time = _time_h(row.outcome)
        line = arm_columns(row.trial, row.outcome.arm, time)
        if row.outcome.versus is not None:
            other = arm_columns(row.trial, row.outcome.versus, time)
            line = {name: value - other[name] for name, value in line.items()}
        table.append([line[name] for name in COLUMNS[row.target]])
    return np.array(table, dtype=np.float64).reshape(len(table), len(COLUMNS[rows[0].target]) if rows else 0)


def _targets(rows: Sequence[BaselineRow]) -> tuple[FloatArray, FloatArray]:
    """Values and standard errors on the scale of the regression, each [rows]."""
    found = [_target(row) for row in rows]
    return np.array([value for value, _ in found]), np.array([se for _, se in found])


def _target(row: BaselineRow) -> tuple[float, float]:
    if row.target == "response":
        n = row.outcome.n or max(row.value * (100.0 - row.value), 1.0) / row.se**2
        share = (row.value / 100.0 * n + 0.5) / (n + 1.0)  # half a patient more on either side
        return math.log(share / (1.0 - share)), row.se / 100.0 / (share * (1.0 - share))
    if row.target == "difference":
        ratio = noise_ratio(row.outcome.scale or "MADRS")
        return row.value / ratio, row.se / ratio
    start = _baseline(row.trial, row.outcome.arm) if row.outcome.measure == "mean" else 0.0
    return row.value - start, row.se


# ------------------------------------------------------------------------------------------------ regression


@dataclass(frozen=True)
class Regression:
    """Random-effects meta-regression at given variances.

    Attributes:
        coefficients: [columns]; with their prior.
        covariance: theirs, [columns, columns].
        between: variance of the groups' effects.
        residual: variance of rows within a group beyond sampling error.
        log_likelihood: restricted, at the two variances.
    """

    coefficients: FloatArray
    covariance: FloatArray
    between: float
    residual: float
    log_likelihood: float

    def predict(self, columns: FloatArray, reached: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Mean [rows] and covariance [rows, rows] of rows of one new group, without sampling error.

        Args:
            columns: [rows, columns].
            reached: 1 where a row has its group's effect, else 0, [rows].
        """
        covariance = columns @ self.covariance @ columns.T
        covariance += self.between * np.outer(reached, reached) + self.residual * np.eye(len(columns))
        return columns @ self.coefficients, covariance


Weighted = list[tuple[float, Regression]]  # weights sum to 1


@dataclass(frozen=True)
class MetaRegression:
    """y = columns b + group effect + row effect + sampling error.

    Attributes:
        y: [rows].
        columns: [rows, columns].
        variance: known sampling variances, [rows].
        member: 1 where a row has the effect of a group, else 0, [rows, groups].
        prior_sd: SD of each coefficient's normal prior around 0, inf for a free one, [columns].
    """

    y: FloatArray
    columns: FloatArray
    variance: FloatArray
    member: FloatArray
    prior_sd: FloatArray

    def restricted(self, between: float, residual: float) -> tuple[float, FloatArray]:
        """Restricted log likelihood at two variances, and its slope in them, [2]."""
        free = np.isinf(self.prior_sd)
        fixed, shrunk = self.columns[:, free], self.columns[:, ~free] * self.prior_sd[~free]
        parts = (self.member @ self.member.T, np.eye(len(self.y)))
        total = np.diag(self.variance) + shrunk @ shrunk.T + between * parts[0] + residual * parts[1]
        inverse = np.linalg.inv(total)
        normal = fixed.T @ inverse @ fixed
        projection = inverse - inverse @ fixed @ np.linalg.solve(normal, fixed.T @ inverse)
        weighted = projection @ self.y
        logs = np.linalg.slogdet(total)[1] + np.linalg.slogdet(normal)[1]
        rank = len(self.y) - fixed.shape[1]
        slope = [(weighted @ part @ weighted - np.sum(projection * part)) / 2 for part in parts]
        return -0.5 * float(logs + self.y @ weighted + rank * math.log(2 * math.pi)), np.array(slope)

    def at(self, between: float, residual: float) -> Regression:
        """Coefficients by generalised least squares, with their prior, at two variances."""
        total = np.diag(self.variance + residual) + between * self.member @ self.member.T
        inverse = np.linalg.inv(total)
        precision = self.columns.T @ inverse @ self.columns + np.diag(self.prior_sd**-2.0)
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        coefficients = covariance @ (self.columns.T @ inverse @ self.y)
        return Regression(coefficients, covariance, between, residual, self.restricted(between, residual)[0])

    def reml(self) -> Regression:
        """At the two variances, none negative, that maximise the restricted likelihood."""
        unit = self._unit()

        def loss(theta: FloatArray) -> tuple[float, FloatArray]:
            value, slope = self.restricted(*(unit * theta))
            return -value, -unit * slope

        starts = ((0.3, 0.3), (0.05, 0.6), (0.6, 0.05))
        options = {"ftol": 1e-14, "gtol": 1e-8}
        found = [
            minimize(loss, s, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * 2, options=options) for s in starts
        ]
        between, residual = min(found, key=lambda one: one.fun).x
        return self.at(unit * float(between), unit * float(residual))

    def averaged(self) -> Weighted:
        """At a grid of both SDs up to the spread of y, weighted by restricted likelihood: flat on the SDs."""
        squares = self._unit() * ((np.arange(GRID) + 0.5) / GRID) ** 2
        found = [self.at(between, residual) for between in squares for residual in squares]
        weight = softmax(np.array([one.log_likelihood for one in found]))
        return [(float(w), one) for w, one in zip(weight, found, strict=True)]

    def _unit(self) -> float:
        """Variance of y, the unit in which variances are sought."""
        return max(float(np.var(self.y)), 1e-12)


def combined(fits: Weighted, columns: FloatArray, reached: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean [rows] and covariance [rows, rows] over weighted regressions, by the law of total covariance."""
    weight = np.array([w for w, _ in fits])
    each = [fit.predict(columns, reached) for _, fit in fits]
    means, covariances = np.array([m for m, _ in each]), np.array([c for _, c in each])
    mean = weight @ means
    apart = means - mean
    return mean, np.tensordot(weight, covariances, 1) + (weight[:, None] * apart).T @ apart


def regression(rows: Sequence[BaselineRow]) -> MetaRegression:
    """The regression over rows of one target."""
    columns, (y, se) = design(rows), _targets(rows)
    cohorts = sorted({row.cohort for row in rows})
    member = np.array([[row.cohort == name for name in cohorts] for row in rows]) * _reached(columns)[:, None]
    prior = np.full(columns.shape[1], PRIOR_SD[rows[0].target])
    prior[0] = math.inf
    return MetaRegression(y, columns, se**2, member, prior)


def _reached(columns: FloatArray) -> FloatArray:
    """1 for rows with a group effect: all but differences between arms of the same class, [rows]."""
    return np.any(columns != 0, axis=1).astype(float)


# ------------------------------------------------------------------------------------------------ predictions


def leave_one_out(rows: Iterable[BaselineRow] | None = None, plug_in: bool = False) -> list[Predictive]:
    """Predict every trial's rows from the other cohorts.

    The covariance of a trial's rows is the variance between cohorts, which they share, the residual heterogeneity, the
    uncertainty of the coefficients, and the published sampling variance. The three regressions are independent blocks.
    Responses are brought from logit to percent by the delta method: the mean is transformed as it is, the covariance
    with the slope there; the sampling error, known in percent, is added afterwards.

    Args:
        rows: default `baseline_rows()`; the values of a trial's own cohort are not used for it.
        plug_in: take the REML variances as if they were known, instead of averaging over them.

    Returns:
        One a trial, sorted by id, on the scale of the published rows. Rows are left out where no other cohort has any
        of their kind.
    """
    trials_rows = _by_trial(rows)
    every = [row for mine in trials_rows.values() for row in mine]
    fits: dict[tuple[str, Target], Weighted] = {}
    out = []
    for name, mine in trials_rows.items():
        parts = []
        for target in COLUMNS:
            wanted, cohort = [row for row in mine if row.target == target], mine[0].cohort
            if wanted and (cohort, target) not in fits:
                others = [row for row in every if row.target == target and row.cohort != cohort]
                fits[cohort, target] = _fitted(others, plug_in)
            if wanted and fits[cohort, target]:
                parts.append((wanted, *_predicted(fits[cohort, target], wanted)))
        if parts:
            keys = [row.key for wanted, _, _ in parts for row in wanted]
            mean = np.concatenate([m for _, m, _ in parts])
            covariance = np.asarray(block_diag(*[c for _, _, c in parts]), dtype=np.float64)
            out.append(Predictive(name, tuple(keys), mean, covariance).select(sorted(keys)))
    return out


def _fitted(rows: Sequence[BaselineRow], plug_in: bool) -> Weighted:
    if not rows:
        return []
    model = regression(rows)
    return [(1.0, model.reml())] if plug_in else model.averaged()


def _predicted(fits: Weighted, rows: Sequence[BaselineRow]) -> tuple[FloatArray, FloatArray]:
    """Mean [rows] and covariance [rows, rows] of rows of one trial and target, in their own units."""
    columns = design(rows)
    mean, covariance = combined(fits, columns, _reached(columns))
    slope = np.ones(len(rows))
    if rows[0].target == "response":
        share = expit(mean)
        mean, slope = 100.0 * share, 100.0 * share * (1.0 - share)
    elif rows[0].target == "difference":
        slope = np.array([noise_ratio(row.outcome.scale or "MADRS") for row in rows])
        mean = mean * slope
    else:
        start = [_baseline(row.trial, row.outcome.arm) if row.outcome.measure == "mean" else 0.0 for row in rows]
        mean = mean + np.array(start)
    sampling = np.diag([row.se**2 for row in rows])
    return mean, slope[:, None] * covariance * slope + sampling
