"""The flow of people through a trial, from the first rating to the analysis, in the manner of CONSORT."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from afterglow.interfaces import canvas
from afterglow.interfaces.trial_marks import Row, arm_titles, main_world, primary, records
from afterglow.study.trial_tables import tables

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import Picture, Sheet
    from afterglow.study.trial_result import TrialResult


@dataclass(frozen=True)
class Count:
    """A number of people: in the example trial, and its mean over replicates."""

    words: str
    example: float
    mean: float


LEAVING = {
    "left_lack_of_effect": "left: no effect",
    "left_side_effects": "left: side effects",
    "left_at_random": "left: other reasons",
}
TRUNK, SIDE, ARM, ROW, SPINE = 192, 156, 172, 15, 180  # widths and heights in pixels


def flow(result: TrialResult) -> Picture:
    """People from the first rating to the analysis."""
    import pandas as pd

    top, arms = flow_counts(result)
    titles = arm_titles(result)
    heads = {arm: textwrap.wrap(titles[arm], 25)[:2] for arm in arms}
    tall = {arm: 10 + 14 * len(heads[arm]) + ROW * len(counts) for arm, counts in arms.items()}
    pairs = [list(arms)[k : k + 2] for k in range(0, len(arms), 2)]
    trunk = [26 + 54 * k for k in range(len(top))]
    height = trunk[-1] + 34 + sum(max(tall[one] for one in pair) + 14 for pair in pairs)

    def draw(sheet: Sheet) -> None:
        sheet.words(0, 2, "bold: example trial", size=11, bold=True)
        sheet.words(360, 2, f"mean of {result.replicates} trials", size=11, colour=canvas.MUTED, ha="right")
        sheet.line(np.array([[100.0, trunk[0] + 12], [100.0, trunk[-1]]]), colour=canvas.MUTED)
        for place, count, after in zip(trunk, top, (*top[1:], None), strict=True):
            _box(sheet, (0, place, TRUNK), [], [count])
            if after is not None and (lost := _lost(count, after)) is not None:
                sheet.line(np.array([[100.0, place + 40], [360.0 - SIDE, place + 40]]), colour=canvas.MUTED)
                _box(sheet, (360 - SIDE, place + 28, SIDE), [], [lost])
        place = trunk[-1] + 42
        ends = [place + sum(max(tall[one] for one in pair) + 14 for pair in pairs[:k]) for k in range(len(pairs))]
        sheet.line(np.array([[SPINE, trunk[-1] + 24.0], [SPINE, ends[-1] + 12]]), colour=canvas.MUTED)
        for start, pair in zip(ends, pairs, strict=True):
            sheet.line(
                np.array([[SPINE - 8.0, start + 12], [SPINE + 8.0 * (len(pair) - 1), start + 12]]), colour=canvas.MUTED
            )
            for left, arm in zip((0, 360 - ARM), pair, strict=False):
                _box(sheet, (left, start, ARM), heads[arm], arms[arm])

    rows = [{"arm": "", "people": one.words, "example": one.example, "mean": round(one.mean, 2)} for one in top]
    for arm, counts in arms.items():
        rows += [
            {"arm": arm, "people": one.words, "example": one.example, "mean": round(one.mean, 2)} for one in counts
        ]
    alt = "; ".join(f"{row['arm']} {row['people']}: {row['example']:g} (mean {row['mean']:g})".strip() for row in rows)
    return canvas.Picture(
        name="flow",
        title="Who takes part, and who stays",
        caption=(
            "People of one trial, the example (bold), beside means over all replicates. The example is the first "
            "replicate at the central values of the calibration. Analysed: behind the primary estimate; who left may "
            "be among them, by the scores before that."
        ),
        panels=[canvas.Panel("flow", f"Flow of people. {alt}.", height, draw)],
        table=pd.DataFrame(rows),
    )


def flow_counts(result: TrialResult) -> tuple[list[Count], dict[str, list[Count]]]:
    """Numbers of people before the allocation, and after it by arm."""
    first = result.scenarios[0]
    shown = tables(first.trial, [result.example.found], first.number, "mean")
    own = {row["arm"]: row for row in records(shown["flow"])}
    mean = {row["arm"]: row for row in records(result.tables["flow"], scenario=first.number, world=main_world(result))}
    one, all_ = next(iter(own.values())), next(iter(mean.values()))
    total = [sum(row["randomised"] for row in rows.values()) for rows in (own, mean)]
    top = [Count("rated for entry", one["rated"], all_["rated"]), Count("enrolled", one["enrolled"], all_["enrolled"])]
    top = [
        *(top if first.trial.population.entry is not None else top[1:]),
        Count("randomised" if len(own) > 1 else "treated", *total),
    ]
    analysed = _analysed(primary(result, "estimates", world=main_world(result)))
    of_example = records(shown["estimates"], endpoint=1, analysis=first.trial.primary.method)
    seen = _analysed(of_example)
    arms = {}
    for arm, row in own.items():
        counts = [Count("allocated", row["randomised"], mean[arm]["randomised"])]
        for name, words in {**LEAVING, "rescued": "rescued"}.items():
            if row[name] or mean[arm][name]:
                counts.append(Count(words, row[name], mean[arm][name]))
        counts.append(Count("completed", row["completed"], mean[arm]["completed"]))
        if arm in seen and first.trial.primary.method != "sequential-parallel":
            counts.append(Count("analysed", seen[arm], analysed.get(arm, math.nan)))
        arms[arm] = counts
    return top, arms


def _analysed(rows: Sequence[Row]) -> dict[str, float]:
    """Mean numbers of people behind the primary estimates, by arm."""
    found: dict[str, list[float]] = {}
    for row in rows:
        found.setdefault(row["arm"], []).append(row["n_arm"])
        found.setdefault(row["control"], []).append(row["n_control"])
    return {arm: float(np.mean(numbers)) for arm, numbers in found.items()}


def _lost(before: Count, after: Count) -> Count | None:
    example, mean = before.example - after.example, before.mean - after.mean
    words = "not eligible" if before.words == "rated for entry" else "not randomised"
    return Count(words, example, mean) if example or mean else None


def _box(sheet: Sheet, place: tuple[float, float, float], head: Sequence[str], counts: Sequence[Count]) -> None:
    """A box with a heading and lines of counts; `place` is left, top, width."""
    left, top, width = place
    height = 9 + 14 * len(head) + ROW * len(counts)
    right, foot = left + width, top + height
    corners = np.array([[left, top], [right, top], [right, foot], [left, foot], [left, top]], dtype=float)
    sheet.shape(corners[:4], colour=canvas.PAGE)
    sheet.line(corners, colour=canvas.MUTED)
    for number, line in enumerate(head):
        sheet.words(left + 7, top + 5 + 14 * number, line, size=10.5, bold=True)
    for number, one in enumerate(counts):
        y = top + 6 + 14 * len(head) + ROW * number
        sheet.words(left + 7, y, one.words, size=10.5)
        sheet.words(left + width - 38, y, f"{one.example:.0f}", size=10.5, bold=True, ha="right")
        mean = f"{one.mean:.{1 if one.mean < 100 else 0}f}" if math.isfinite(one.mean) else "–"
        sheet.words(left + width - 6, y, mean, size=10.5, colour=canvas.MUTED, ha="right")
