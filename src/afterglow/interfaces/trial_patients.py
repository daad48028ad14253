"""Pictures of the patients of a trial's example: each one's change, and times to events with numbers at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from afterglow.clinic.outcome import RESPONSE_PERCENT, improvement
from afterglow.clinic.trial_parts import AT_ALL_VISITS, Endpoint
from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, ticks
from afterglow.interfaces.trial_marks import ARM_COLOURS, arm_titles, legend, legend_rows, square
from afterglow.interfaces.words import visit_words

if TYPE_CHECKING:
    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.study.trial_result import TrialResult

LEFT, RIGHT = 46, 14
EVENT_FREE = {"relapse": "still well", "time-to-response": "not yet responded"}


def waterfall(result: TrialResult) -> Picture:
    """The change of every patient of the example trial at the primary visit, by arm."""
    import pandas as pd

    trial, data = result.scenarios[0].trial, result.example.analysis.data
    visit = trial.visit_number(trial.primary.at) + 1
    scale = trial.primary.scale
    scores = data.scores(scale)
    change = -improvement(scores[:, visit : visit + 1], scores[:, 0])[:, 0]
    by_arm = [np.sort(change[(data.arm == k) & ~np.isnan(change)])[::-1] for k in range(len(trial.arms))]
    top = max(10.0, *(float(np.max(one, initial=0.0)) for one in by_arm))
    titles = list(arm_titles(result).values())
    panels = [
        _waterfall_panel(title, one, int((data.arm == k).sum()), top)
        for k, (title, one) in enumerate(zip(titles, by_arm, strict=True))
    ]
    table = pd.concat(
        [
            pd.DataFrame({"arm": arm.name, "change_percent": one.round(1), "responder": one <= -RESPONSE_PERCENT})
            for arm, one in zip(trial.arms, by_arm, strict=True)
        ],
        ignore_index=True,
    ).astype({"responder": str})
    when = visit_words(data.visit_h[visit])
    return canvas.Picture(
        name="waterfall",
        title=f"Every patient of the example trial, {when}",
        caption=(
            f"Change of {scale} from baseline at {when}, percent, one bar a patient, as analysed; those with a missing "
            "score are left out. Green: responders, at least half of the baseline gone (dashed)."
        ),
        panels=panels,
        table=table,
    )


def _waterfall_panel(title: str, change: FloatArray, randomised: int, top: float) -> Panel:
    responders = int((change <= -RESPONSE_PERCENT).sum())
    said = f"{responders} of {len(change)} responded"
    if len(change) < randomised:
        said += f", {randomised - len(change)} without a score"

    def draw(sheet: Sheet) -> None:
        canvas.heading(sheet, title)
        sheet.words(LEFT, canvas.HEADING_HEIGHT, said, size=11, colour=canvas.MUTED)
        box = (LEFT, canvas.HEADING_HEIGHT + 22, canvas.PANEL_WIDTH - LEFT - RIGHT, 150)
        plot = Plot(sheet, box, (0, max(len(change), 1)), (-100, top))
        places, names = ticks(plot.y, 5)
        plot.y_axis(places, [f"{name} %" for name in names])
        for hit, colour in ((False, canvas.MUTED), (True, canvas.GREEN)):
            places = np.flatnonzero((change <= -RESPONSE_PERCENT) == hit)
            bars = [plot.at([k + 0.1, k + 0.9, k + 0.9, k + 0.1], [0, 0, change[k], change[k]]) for k in places]
            if bars:
                sheet.shape(*bars, colour=colour, alpha=0.85)
        plot.across(0.0, colour=canvas.INK, width=0.8)
        plot.across(-RESPONSE_PERCENT, colour=canvas.INK, width=1, dashes=(4, 3))

    height = canvas.HEADING_HEIGHT + 22 + 150 + 10
    return canvas.Panel(f"waterfall-{title}", f"{title}: {said}.", height, draw)


# ------------------------------------------------------------------------------------------------ times to events


@dataclass(frozen=True)
class Followed:
    """Times to an event of one arm.

    Attributes:
        title: the arm's.
        days: until the event or the last visit, of those at risk.
        happened: whether it is an event.
    """

    title: str
    days: FloatArray
    happened: np.ndarray

    def at_risk(self, days: FloatArray) -> list[int]:
        """People still followed without an event just before these days."""
        return [int((self.days >= day).sum()) for day in days]

    def steps(self) -> tuple[FloatArray, FloatArray]:
        """Corners of the Kaplan-Meier curve, days and percent, to the end of the follow-up."""
        from afterglow.study.statistics.survival import curve

        found = curve(self.days, self.happened)
        x = np.concatenate([[0.0], found.times, [self.days.max()]])
        y = 100 * np.concatenate([[1.0], found.share, found.share[-1:] if len(found.share) else [1.0]])
        return np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1]


def timed(result: TrialResult) -> list[Endpoint]:
    """Endpoints that are times to an event, each once however often it is analysed."""
    found: dict[tuple[str, str, str], Endpoint] = {}
    for one in result.scenarios[0].trial.endpoints:
        if one.measure in AT_ALL_VISITS:
            found.setdefault((one.measure, one.scale, one.rule), one)
    return list(found.values())


def followed(result: TrialResult, endpoint: Endpoint) -> list[Followed]:
    """Times to an event in the example trial, by arm; arms with nobody at risk are empty."""
    data = result.example.analysis.data
    found = data.events(endpoint)
    chosen = [found.at_risk & (data.arm == k) for k in range(len(result.scenarios[0].trial.arms))]
    titles = arm_titles(result).values()
    return [Followed(title, found.days[m], found.happened[m]) for title, m in zip(titles, chosen, strict=True)]


def survival(result: TrialResult) -> Picture | None:
    """Kaplan-Meier curves of the example trial; None without such an endpoint."""
    import pandas as pd

    panels, rows = [], []
    for endpoint in timed(result):
        arms = followed(result, endpoint)
        end = max((float(one.days.max()) for one in arms if len(one.days)), default=0.0)
        if end <= 0:
            continue
        places, names = ticks((0.0, end), 5, whole=end >= 5)
        what = EVENT_FREE[endpoint.measure]
        panels.append(_survival_panel(f"{what} ({endpoint.scale})", arms, end, (places, names)))
        for one in arms:
            for day, risk in zip(places.tolist(), one.at_risk(places), strict=True):
                row = {"endpoint": what, "arm": one.title, "day": day, "at_risk": risk}
                rows.append(row | {"events_before": int((one.happened & (one.days < day)).sum())})
    if not panels:
        return None
    return canvas.Picture(
        name="survival",
        title="Time to an event, example trial",
        caption=(
            "Kaplan-Meier curves, with the numbers still at risk below. Small strokes: people whose follow-up ended. "
            "Days count from the randomisation (relapse after a run-in), from each patient's first response (relapse "
            "without one), or from the first dose (response). Events are only seen at visits."
        ),
        panels=panels,
        table=pd.DataFrame(rows),
        columns=2,
    )


def _survival_panel(title: str, arms: Sequence[Followed], end: float, axis: tuple[FloatArray, list[str]]) -> Panel:
    colours = [ARM_COLOURS[k % len(ARM_COLOURS)] for k in range(len(arms))]
    entries = [(colour, one.title) for colour, one in zip(colours, arms, strict=True)]
    top = 26 + 16 * legend_rows(entries)
    foot = top + 170

    def draw(sheet: Sheet) -> None:
        sheet.words(0, 2, f"{title[:1].upper()}{title[1:]}, %", size=13, bold=True)
        legend(sheet, 22, entries)
        plot = Plot(sheet, (LEFT, top, canvas.PANEL_WIDTH - LEFT - RIGHT, 160), (0, end), (0, 100))
        plot.y_axis(*ticks((0, 100), 4))
        for colour, one in zip(colours, arms, strict=True):
            if len(one.days):
                _curve(plot, one, colour)
        plot.x_axis(*axis)
        sheet.words(canvas.PANEL_WIDTH - RIGHT, foot + 12, "days", size=10.5, colour=canvas.MUTED, ha="right")
        sheet.words(0, foot + 12, "at risk", size=10.5, colour=canvas.MUTED)
        for number, (colour, one) in enumerate(zip(colours, arms, strict=True)):
            y = foot + 30 + 15 * number
            square(sheet, 0, y, colour)
            for day, risk in zip(axis[0].tolist(), one.at_risk(axis[0]), strict=True):
                sheet.words(float(plot.at(day, 0)[0]), y - 1, f"{risk}", size=10.5, ha="center")

    said = "; ".join(f"{one.title}: {int(one.happened.sum())} events in {len(one.days)} at risk" for one in arms)
    return canvas.Panel(f"survival-{title}", f"{title}. {said}.", foot + 36 + 15 * len(arms), draw)


def _curve(plot: Plot, one: Followed, colour: str) -> None:
    x, y = one.steps()
    plot.line(x, y, colour=colour, width=1.8)
    ended = np.unique(one.days[~one.happened])
    heights = y[np.searchsorted(x, ended, side="right") - 1]
    marks = [place + np.array([[0.0, -3], [0, 3]]) for place in plot.at(ended, heights)]
    if marks:
        plot.sheet.line(*marks, colour=colour, width=1)
    half = np.flatnonzero(y <= 50)
    if len(half) and math.isfinite(x[half[0]]):
        plot.dot(float(x[half[0]]), 50.0, 5, canvas.PAGE, edge=colour)
