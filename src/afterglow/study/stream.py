"""A population too large for memory: simulated block by block, each block's tables handed on and forgotten.

What is kept of a block are sums; the tables over all patients (`arms`, `contrasts`) come from them. Scores are whole
points, so the sums are exact and the tables do not depend on the size of a block.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic import outcome, scale
from afterglow.clinic.population import Population, load_population
from afterglow.clinic.visits import visits
from afterglow.compile.vector import LANES
from afterglow.study import intervals

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from afterglow.clinic.course import Course
    from afterglow.simulate import CourseRun

FloatArray = NDArray[np.float64]
BLOCK = 8192  # patients; about 0.3 GB at work
# Sums over patients at each visit: score, change from baseline and difference to the matched control, with squares.
SUMS: tuple[str, ...] = (
    "n", "score", "score2", "change", "change2", "response", "remission", "pairs", "difference", "difference2"
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """Patients of one block: the tables of their rows, and sums [len(SUMS), visits] by arm and scale."""

    number: int
    patients: pd.DataFrame
    scores: pa.Table
    sums: dict[str, FloatArray]
    failures: list[str]


class Stream:
    """Courses and their matched controls in a large population."""

    def __init__(
        self,
        courses: Sequence[Course],
        *,
        patients: int,
        weeks: float,
        seed: int,
        variant: str | None = None,
        scales: Sequence[str] = ("MADRS",),
        population: Population | None = None,
        block: int = BLOCK,
    ) -> None:
        """Arguments as of `study.compare.compare`; `block` patients are simulated at a time."""
        self.arms = [arm for course in courses for arm in (course, course.control()) if arm is not None]
        self.patients, self.block = patients, -(-block // LANES) * LANES
        self.scales = tuple(scales)
        self.options: dict[str, Any] = {"weeks": weeks, "seed": seed, "variant": variant}
        self.population = population or load_population()
        self.visits = visits(weeks)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.patients // self.block)

    def run(self, skip: Sequence[int] = ()) -> Iterator[Block]:
        """The blocks in their order, without those to `skip`."""
        for number in range(self.blocks):
            if number not in skip:
                yield self._block(number)

    def _block(self, number: int) -> Block:
        import pyarrow as pa

        from afterglow.simulate import Arm

        first = number * self.block
        count = min(self.block, self.patients - first)
        runs: dict[str, CourseRun] = {}
        for course in self.arms:
            arm = Arm(
                course, patients=count, first=first, population=self.population, outputs=("mood.madrs",),
                visits_h=[time for time, _ in self.visits], **self.options,
            )  # fmt: skip
            runs[course.name] = arm.run()
        some = next(iter(runs.values()))
        parts = [self._rows(run, name, first) for run in runs.values() for name in self.scales]
        sums = {
            f"{name}/{kind}": _sums(run, runs.get(f"{name}/control"), kind)
            for name, run in runs.items()
            for kind in self.scales
        }
        failures = [f"{name}: {line}" for name, run in runs.items() for line in run.problems]
        return Block(number, some.population.reset_index(), pa.concat_tables(parts), sums, failures)

    def _rows(self, run: CourseRun, kind: str, first: int) -> pa.Table:
        """Rows of `scores`; words are stored once and numbered."""
        import pyarrow as pa

        fine = np.flatnonzero(run.status == 0)
        rows = len(fine) * len(run.visit)
        turn = np.tile(np.arange(len(run.visit), dtype=np.int32), len(fine))

        def word(text: str) -> pa.Array:
            return pa.DictionaryArray.from_arrays(np.zeros(rows, np.int32), [text])

        columns = {
            "patient": np.repeat(first + fine, len(run.visit)),
            "arm": word(run.arm),
            "visit": pa.DictionaryArray.from_arrays(turn, run.visit),
            "time_h": np.tile(run.visit_h, len(fine)),
            "scale": word(kind),
            "value": run.measured[kind][fine].ravel(),
        }
        return pa.table(columns)

    def tables(self, sums: Sequence[Mapping[str, FloatArray]]) -> dict[str, pd.DataFrame]:
        """`arms` and `contrasts` over all blocks; columns as in `study.tables`, intervals of sampling alone."""
        import pandas as pd

        total = {key: np.sum([one[key] for one in sums], axis=0) for key in sums[0]}
        arms, contrasts = [], []
        for course in self.arms:
            for kind in self.scales:
                found = dict(zip(SUMS, total[f"{course.name}/{kind}"], strict=True))
                keys = {**self._keys(course), "scale": kind}
                arms.append(pd.DataFrame({**keys, "n": found["n"].astype(int), **_estimates(found)}))
                control = f"{course.name}/control"
                if f"{control}/{kind}" in total:
                    other = dict(zip(SUMS, total[f"{control}/{kind}"], strict=True))
                    contrasts.append(pd.DataFrame({**keys, "control": control, **_contrast(found, other)}))
        names = ["arm", "control", "visit", "time_h", "scale", "difference", "lo90", "hi90", "power"]
        both = pd.concat(contrasts, ignore_index=True) if contrasts else None
        return {"arms": pd.concat(arms, ignore_index=True), "contrasts": pd.DataFrame(both, columns=pd.Index(names))}

    def _keys(self, course: Course) -> dict[str, Any]:
        times, labels = zip(*self.visits, strict=True)
        return {"arm": course.name, "visit": list(labels), "time_h": list(times)}


def _sums(run: CourseRun, control: CourseRun | None, kind: str) -> FloatArray:
    """Sums over patients, in the order of `SUMS`, [.., visits]; failed patients count nowhere."""
    fine = run.status == 0
    values = run.measured[kind][fine]
    change = values - values[:, :1]
    responded = outcome.response(values, values[:, 0])
    has_rule = bool(scale.get(kind).remission)
    remitted = outcome.remission(values, kind) if has_rule else np.full(values.shape, np.nan)
    rows = [np.full(values.shape[1], float(len(values))), values.sum(0), (values**2).sum(0)]
    rows += [change.sum(0), (change**2).sum(0), responded.sum(0), remitted.sum(0)]
    if control is None:
        return np.array([*rows, *np.zeros((3, values.shape[1]))])
    both = fine & (control.status == 0)
    difference = run.measured[kind][both] - control.measured[kind][both]
    pairs = np.full(values.shape[1], float(both.sum()))
    return np.array([*rows, pairs, difference.sum(0), (difference**2).sum(0)])


def _moments(total: FloatArray, squares: FloatArray, n: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation."""
    mean = total / n
    return mean, np.sqrt(np.maximum(squares - n * mean**2, 0.0) / np.maximum(n - 1, 1))


def _estimates(found: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    n = found["n"]
    mean, sd = _moments(found["score"], found["score2"], n)
    change, change_sd = _moments(found["change"], found["change2"], n)
    columns: dict[str, FloatArray] = {}
    for what, kind, estimate in (
        ("mean", "mean", intervals.Estimate(mean, sd**2 / n, n)),
        ("sd", "spread", intervals.Estimate(sd, sd**2 / (2 * (n - 1)), n)),
        ("change", "mean", intervals.Estimate(change, change_sd**2 / n, n)),
        ("change_sd", "spread", intervals.Estimate(change_sd, change_sd**2 / (2 * (n - 1)), n)),
        ("response", "fraction", intervals.share(found["response"], n)),
        ("remission", "fraction", intervals.share(found["remission"], n)),
    ):
        low, high = intervals.interval(kind, estimate)
        columns |= {what: estimate.value, f"{what}_lo90": low, f"{what}_hi90": high}
    return columns


def _contrast(found: Mapping[str, FloatArray], other: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    n = found["pairs"]
    mean, sd = _moments(found["difference"], found["difference2"], n)
    low, high = intervals.interval("mean", intervals.Estimate(mean, sd**2 / n, n))
    spreads = [_moments(one["change"], one["change2"], one["n"])[1] for one in (found, other)]
    pooled = np.sqrt((spreads[0] ** 2 + spreads[1] ** 2) / 2)
    return {"difference": mean, "lo90": low, "hi90": high, "power": intervals.power(mean, pooled)}
