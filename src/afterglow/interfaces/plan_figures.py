"""The picture of a plan: two objectives against each other, each plan a point with the intervals of its means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, Range, ticks

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.interfaces.canvas import FloatArray, Panel, Picture, Sheet
    from afterglow.study.plan_front import Objective
    from afterglow.study.plan_study import Planned

WIDE, NARROW = 780, canvas.PANEL_WIDTH
LEFT, RIGHT, TOP, FOOT = 42, 30, 26, 44
LABEL = 11.0  # size of the number of a point, px
REACHES, FAR = (11.0, 16.0, 22.0, 28.0, 36.0), 18.0  # of a number from its point; beyond `FAR` a line leads to it, px


def front(found: Planned) -> Picture:
    """The first two objectives; plans that no other beats are filled, and joined where there is no third one."""
    up, across = found.objectives[:2]
    rules, others = found.rules, found.objectives[2:]
    listed = [one.name + end for one in (across, up) for end in ("", "_lo90", "_hi90")]
    table = rules.filter(["plan", *listed, "front", "front_share"]).round(2)
    table.insert(0, "number", np.arange(1, len(rules) + 1))
    counted = {one.name for one in found.objectives}
    free = ""
    if "visits" not in counted and any(rules["therapy"]):
        free = " Therapy takes no doses, so it looks free here; `--objective visits` counts its sessions."
    aims = f"{up.title} ({up.aim} is better) against {across.title} ({across.aim} is better)"
    third = f", {_and([one.title for one in others])} counted too" if others else ""
    return canvas.Picture(
        name="front",
        title=f"What {across.title} buy in {up.title}",
        caption=(
            f"{aims[0].upper() + aims[1:]}, means over virtual people; numbers as in the table below. "
            "Bars: 90 % interval of the means, by chance among the simulated people. Full points: no other plan beats "
            f"them{third}; rings with a dot: none with the same therapy does; empty rings: another plan is as good in "
            "everything and better in something."
            f"{free}"
        ),
        panels=[panel(found, WIDE), panel(found, NARROW)],
        table=table,
        columns=2,
    )


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def panel(found: Planned, width: int) -> Panel:
    """The picture, so many pixels wide."""
    up, across = found.objectives[:2]
    rules = found.rules
    tall = 380 if width > NARROW else 400
    x, y = _limits(rules, across), _limits(rules, up)

    def draw(sheet: Sheet) -> None:
        plot = Plot(sheet, (LEFT, TOP, width - LEFT - RIGHT, tall), x, y)
        sheet.words(0, 2, up.title, size=11, colour=canvas.MUTED)
        plot.y_axis(*ticks(y, 6))
        plot.x_axis(*ticks(x, 8 if width > NARROW else 5))
        sheet.words(plot.right, plot.foot + 24, across.title, size=11, colour=canvas.MUTED, ha="right")
        best = rules.loc[rules["front"], [across.name, up.name]].to_numpy(float)
        best = best[np.argsort(best[:, 0], kind="stable")]
        if len(found.objectives) == 2:  # of more, the front is no line in this picture
            plot.line(best[:, 0], best[:, 1], colour=canvas.BLUE, width=1.2, dashes=(5, 3), alpha=0.8)
        for row in rules.to_dict("records"):
            colour = canvas.BLUE if row["front"] else canvas.MUTED
            here = row[across.name], row[up.name]
            plot.line(
                [here[0]] * 2, [row[f"{up.name}_lo90"], row[f"{up.name}_hi90"]], colour=colour, width=1.4, alpha=0.7
            )
            plot.line([row[f"{across.name}_lo90"], row[f"{across.name}_hi90"]], [here[1]] * 2, colour=colour, width=1.4)
        for row in rules.to_dict("records"):
            _point(plot, row[across.name], row[up.name], bool(row["front"]), bool(row["front_alike"]))
        _numbers(plot, plot.at(rules[across.name], rules[up.name]), rules["front"].to_numpy(float))

    best = ", ".join(rules.loc[rules["front"], "plan"])
    words = f"{len(rules)} plans by {up.title} and {across.title}; no other beats: {best}."
    return canvas.Panel("front", words, TOP + tall + FOOT, draw, width)


def _limits(rules: pd.DataFrame, one: Objective) -> Range:
    low, high = float(rules[f"{one.name}_lo90"].min()), float(rules[f"{one.name}_hi90"].max())
    room = 0.06 * max(high - low, 1e-3)
    return (0.0 if one.name == "doses" else max(low - room, 0.0)) - 0.4 * room, high + room


def _point(plot: Plot, x: float, y: float, full: bool, alike: bool) -> None:
    if full:
        plot.dot(x, y, 9, canvas.BLUE, canvas.PAGE)
        return
    plot.dot(x, y, 8, canvas.PAGE, canvas.MUTED)
    if alike:
        plot.dot(x, y, 3, canvas.MUTED)


def _numbers(plot: Plot, places: FloatArray, full: FloatArray) -> None:
    """A number beside each point; where points crowd it moves away, and a hairline leads to it."""
    names = [f"{k + 1}" for k in range(len(places))]
    for name, bold, place, label in zip(names, full, places, beside(places, names), strict=True):
        if np.hypot(*(label - place)) > FAR:
            plot.sheet.line(np.array([place, label]), colour=canvas.MUTED, width=0.6)
        plot.sheet.words(float(label[0]), float(label[1]), name, LABEL, bold=bool(bold), ha="center", va="digits")


def beside(places: FloatArray, names: Sequence[str]) -> FloatArray:
    """Middles of the labels of points [n, 2], px: as near as can be without touching points or other labels."""
    angles = np.linspace(0.0, 2 * np.pi, 16, endpoint=False)
    around = np.column_stack([np.cos(angles), np.sin(angles)])
    wanted = np.vstack([reach * around[np.argsort(-np.abs(around[:, 0]), kind="stable")] for reach in REACHES])
    done, sizes = np.empty((0, 2)), np.empty((0, 2))
    for place, name in zip(places, names, strict=True):
        size = np.array([0.32 * LABEL * len(name) + 1.0, 0.45 * LABEL])  # half of the label
        spots = place + wanted + np.sign(wanted) * [0.2 * LABEL * (len(name) - 1), 0.0]
        free = ~_touching(spots, done, sizes + size) & ~_touching(spots, places, np.full((len(places), 2), 4.5) + size)
        spot = spots[np.argmax(free)]  # the first one where none is free
        done, sizes = np.vstack([done, spot]), np.vstack([sizes, size])
    return done


def _touching(spots: FloatArray, others: FloatArray, least: FloatArray) -> NDArray[np.bool_]:
    """Which spots are nearer to one of the others than that, both across and up."""
    apart = np.abs(spots[:, None, :] - others)
    near = (apart[..., 0] < least[:, 0]) & (apart[..., 1] < least[:, 1])
    return np.asarray(near.any(axis=1), dtype=np.bool_)
