"""The restricted likelihood of a linear model whose errors have one unstructured covariance Sigma across visits.

People who were seen at the same visits share a covariance, so all matrices are made once for each pattern. The
parameters are the entries of Sigma on and below its diagonal: the covariance of the data is linear in them, so first
and second derivatives are exact and short. With V the covariance of one person's values, W = V^-1, X the design,
C = (sum X'WX)^-1 and P = W - W X C X' W, an entry a moves V by E_a, and

    score:     (y'P E_a P y - tr P E_a) / 2
    expected:  tr(P E_a P E_b) / 2
    observed:  y'P E_a P E_b P y - tr(P E_a P E_b) / 2

Sources: Harville DA (1977) doi:10.1080/01621459.1977.10480998; Jennrich RI, Schluchter MD (1986) doi:10.2307/2530695;
Gilmour AR, Thompson R, Cullis BR (1995) Biometrics 51:1440-1450.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.study.statistics.linear import Estimable, estimable

FloatArray = NDArray[np.float64]
MOST_STEPS = 60
SINGULAR = 1e-12  # share of a visit's variance that the visits before must leave unexplained
FLAT = 1e-22  # share of a visit's sum of squares below which residuals are rounding
CLOSE = 1e-10  # Newton decrement at the optimum; its root is a distance in standard errors


@dataclass(frozen=True)
class Rows:
    """People ordered by pattern, or fewer rows with the same sums of products.

    Attributes:
        x: [m, V, p], zero where a value is missing.
        y: [m, V], zero where missing.
        first: first row of each pattern [S].
        pattern: pattern of each row [m].
        seen: which visits a pattern has [S, V].
        people: how many people have it [S].
    """

    x: FloatArray
    y: FloatArray
    first: NDArray[np.intp]
    pattern: NDArray[np.intp]
    seen: NDArray[np.bool_]
    people: FloatArray

    def summed(self, per_row: FloatArray) -> FloatArray:
        """Sums over the rows of each pattern [S, ...] of something per row [m, ...]."""
        return np.add.reduceat(per_row, self.first, axis=0)


def rows(y: FloatArray, x: FloatArray) -> Rows:
    """Order people by pattern; many with one pattern shrink to the triangle of a QR decomposition.

    Args:
        y: [n, V] with NaN.
        x: [n, V, p].
    """
    seen = ~np.isnan(y)
    code = seen @ (1 << np.arange(y.shape[1]))
    blocks, patterns, people = [], [], []
    for one in np.unique(code[code > 0]):
        mine = np.flatnonzero(code == one)
        pattern = seen[mine[0]]
        block = np.concatenate([x[mine], y[mine, :, None]], axis=2)
        block[:, ~pattern] = 0.0
        blocks.append(_shrunk(block))
        patterns.append(pattern)
        people.append(len(mine))
    sizes = [len(b) for b in blocks]
    z = np.concatenate(blocks)
    first = np.cumsum([0, *sizes[:-1]])
    which = np.repeat(np.arange(len(sizes)), sizes)
    return Rows(
        z[:, :, :-1].copy(), z[:, :, -1].copy(), first, which, np.array(patterns), np.array(people, dtype=float)
    )


def _shrunk(block: FloatArray) -> FloatArray:
    """At most as many rows as columns that are not zero, with the same products of all columns."""
    flat = block.reshape(len(block), -1)
    used = flat.any(axis=0)
    if len(flat) <= 2 * used.sum():
        return block
    triangle = np.linalg.qr(flat[:, used], mode="r")
    out = np.zeros((len(triangle), flat.shape[1]))
    out[:, used] = triangle
    return out.reshape(len(out), *block.shape[1:])


@dataclass(frozen=True)
class Point:
    """The likelihood at one Sigma.

    Attributes:
        loglik: restricted log-likelihood, without the constant -(N - p) log(2 pi) / 2.
        beta: [p], generalised least squares.
        half: C = half @ half.T is the covariance of beta.
        inverse: W of each pattern [S, V, V], zero where missing.
        weighted: W X of each row [m, V, p].
        error: W (y - X beta) of each row [m, V].
    """

    sigma: FloatArray
    loglik: float
    beta: FloatArray
    half: FloatArray
    inverse: FloatArray
    weighted: FloatArray
    error: FloatArray

    @property
    def covariance(self) -> FloatArray:
        """C, of beta [p, p]."""
        return self.half @ self.half.T


def at(data: Rows, sigma: FloatArray) -> Point | None:
    """The likelihood at Sigma [V, V]; None where Sigma or X'WX is not safely positive definite."""
    m, visits, p = data.x.shape
    pairs = data.seen[:, :, None] & data.seen[:, None, :]
    covariance = np.where(pairs, sigma, np.eye(visits))
    try:
        roots = np.linalg.cholesky(covariance)
        inverse = np.linalg.inv(covariance) * pairs
        weighted = inverse[data.pattern] @ data.x
        information = data.x.reshape(m * visits, p).T @ weighted.reshape(m * visits, p)
        root = np.linalg.cholesky(information)
        half = np.asarray(np.linalg.inv(root).T, dtype=float)
    except np.linalg.LinAlgError:
        return None
    deviations = np.diagonal(roots, axis1=1, axis2=2)  # of each visit given the visits before
    if (deviations**2 <= SINGULAR * np.diagonal(covariance, axis1=1, axis2=2)).any():
        return None
    beta = half @ (half.T @ np.einsum("mvp,mv->p", weighted, data.y))
    residual = (data.y - data.x @ beta) * data.seen[data.pattern]
    error = (inverse[data.pattern] @ residual[:, :, None])[:, :, 0]
    log_det = data.people @ np.log(deviations).sum(axis=1) + np.log(np.diag(root)).sum()
    loglik = -float(log_det) - 0.5 * float(np.vdot(residual, error))
    return Point(sigma, loglik, beta, half, inverse, weighted, error) if math.isfinite(loglik) else None


@dataclass(frozen=True)
class Derivatives:
    """Derivatives at a point in the entries of Sigma on and below the diagonal, of which there are q.

    Attributes:
        score: [q].
        expected: information [q, q].
        observed: information [q, q].
        slopes: minus the derivative of X'WX in each entry [q, p, p].
    """

    score: FloatArray
    expected: FloatArray
    observed: FloatArray
    slopes: FloatArray


def derivatives(data: Rows, point: Point) -> Derivatives:
    """Exact first and second derivatives of the restricted log-likelihood."""
    m, visits, p = data.x.shape
    w, b, c, e = point.inverse, point.weighted, point.covariance, point.error
    both = _entries(visits)
    spread = b @ point.half
    fitted = data.summed(spread @ spread.transpose(0, 2, 1))  # W X C X' W
    errors = data.summed(e[:, :, None] * e[:, None, :])
    weights = data.people[:, None, None] * w
    score = both.T @ (errors + fitted - weights).sum(axis=0).ravel() / 2

    flat = b.reshape(m, visits * p)
    products = (flat.T @ flat).reshape(visits, p, visits, p).transpose(1, 3, 0, 2)
    slopes = (products.reshape(p * p, visits * visits) @ both).T.reshape(-1, p, p)
    turned = c @ slopes
    moved = both.T @ (flat.T @ e).reshape(visits, p, visits).transpose(0, 2, 1).reshape(visits * visits, p)

    q = len(score)
    trace = _paired(weights - 2 * fitted, w, both)
    trace = trace + turned.reshape(q, -1) @ turned.transpose(0, 2, 1).reshape(q, -1).T
    square = _paired(errors, w, both) - moved @ c @ moved.T
    return Derivatives(score, trace / 2, square - trace / 2, slopes)


def _entries(visits: int) -> FloatArray:
    """[V * V, q]: the places of a V by V matrix that each entry on or below the diagonal fills."""
    row, column = np.tril_indices(visits)
    out = np.zeros((visits, visits, len(row)))
    out[row, column, np.arange(len(row))] = 1
    out[column, row, np.arange(len(row))] = 1
    return out.reshape(visits * visits, -1)


def _paired(left: FloatArray, right: FloatArray, both: FloatArray) -> FloatArray:
    """Sum over patterns of tr(left E_a right E_b) for all entries a and b [q, q]; left and right are [S, V, V]."""
    s, visits, _ = left.shape
    table = left.reshape(s, -1).T @ right.reshape(s, -1)
    table = table.reshape((visits,) * 4).transpose(0, 2, 3, 1).reshape(visits * visits, -1)
    return both.T @ table @ both


@dataclass(frozen=True)
class Optimum:
    """The restricted maximum.

    Attributes:
        data: rows on the columns `known.basis`, values as deviations from `offset`.
        known: what the data determine.
        offset: ordinary least squares coefficients on those columns.
        point: the likelihood there; its `beta` is a deviation from `offset`.
        slopes: minus the derivative of X'WX in each entry of Sigma [q, p, p].
        spread: covariance of the entries of Sigma [q, q], from the observed information.
    """

    data: Rows
    known: Estimable
    offset: FloatArray
    point: Point
    slopes: FloatArray
    spread: FloatArray


def maximise(y: FloatArray, x: FloatArray) -> Optimum | str:
    """The restricted maximum for y [n, V] on x [n, V, p], or why there is none. Every visit must have a value."""
    data = rows(y, x)
    joint = np.einsum("s,si,sj->ij", data.people, data.seen.astype(float), data.seen.astype(float))
    if (joint == 0).any():
        return "two visits have nobody in common"
    tall = data.x.reshape(-1, x.shape[2])
    known = estimable(tall.T @ tall)
    narrow = tall @ known.basis
    if joint.trace() <= narrow.shape[1]:
        return "fewer values than coefficients"
    offset = np.asarray(np.linalg.solve(narrow.T @ narrow, narrow.T @ data.y.ravel()), dtype=float)
    full = data.y
    left = (full.ravel() - narrow @ offset).reshape(full.shape)
    data = Rows(narrow.reshape(*full.shape, -1), left, data.first, data.pattern, data.seen, data.people)
    moments = np.einsum("mv,mv->v", left, left), np.einsum("mv,mv->v", full, full)
    if (moments[0] <= FLAT * moments[1]).any():
        return "the outcome of a visit does not vary within arms"
    with np.errstate(all="ignore"):  # a likelihood without maximum runs to where numbers end; `at` judges by finiteness
        return _climbed(data, known, offset, at(data, _start(data, joint)))


def _climbed(data: Rows, known: Estimable, offset: FloatArray, point: Point | None) -> Optimum | str:
    """Newton's steps on the observed information, scoring steps where that is not positive definite."""
    for _ in range(MOST_STEPS):
        if point is None:
            break
        slope = derivatives(data, point)
        observed = _positive(slope.observed)
        information = slope.observed if observed else slope.expected
        if not observed and not _positive(information):
            break
        step = np.linalg.solve(information, slope.score)
        if observed and slope.score @ step < CLOSE:
            spread = np.asarray(np.linalg.inv(slope.observed), dtype=float)
            return Optimum(data, known, offset, point, slope.slopes, spread)
        point = _uphill(data, point, _entries(len(point.sigma)) @ step)
    return "the likelihood of the repeated measures has no maximum: too few people for the visits, or visits that agree"


def _start(data: Rows, joint: FloatArray) -> FloatArray:
    """Pairwise covariances of the residuals, made positive definite."""
    sigma = data.y.T @ data.y / joint
    scale = np.sqrt(np.maximum(np.diag(sigma), 1e-300))
    values, vectors = np.linalg.eigh(sigma / np.outer(scale, scale))
    return (vectors * np.maximum(values, 0.02)) @ vectors.T * np.outer(scale, scale)


def _positive(matrix: FloatArray) -> bool:
    """Whether a symmetric matrix is safely positive definite, whatever the scales of its rows."""
    diagonal = np.diag(matrix)
    if not (np.isfinite(matrix).all() and (diagonal > 0).all()):
        return False
    scale = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(matrix / np.outer(scale, scale))[0] > 1e-10)


def _uphill(data: Rows, point: Point, step: FloatArray) -> Point | None:
    """The first of ever shorter steps that does not lower the likelihood."""
    move = step.reshape(point.sigma.shape)
    for halvings in range(20):
        there = at(data, point.sigma + move * 0.5**halvings)
        if there is not None and there.loglik >= point.loglik - 1e-9 - 1e-13 * abs(point.loglik):
            return there
    return None
