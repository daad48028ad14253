"""The pictures of a forecast: a person's timeline, and the chances under each plan."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.clinic import scale as scales
from afterglow.clinic.drugs import DRUGS
from afterglow.interfaces import canvas
from afterglow.interfaces.plot import Plot, ticks

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.course import Course
    from afterglow.interfaces.canvas import Dashes, FloatArray, Panel, Picture, Sheet
    from afterglow.study.forecast_study import Forecast

WIDE, NARROW = 780, canvas.PANEL_WIDTH  # widths of the timeline on a desk or paper, and on a phone
SMALL = 270  # width of the panels of chances: three stand side by side on paper
LEFT, RIGHT, ROW = 30, 78, 16
DAY_H, WEEK_H = 24.0, 168.0
PAST = 0.34  # least share of the timeline for the past
RELAPSE_MADRS = 22.0  # the rule of relapse of the forecast, `clinic.outcome`
PLAN_COLOURS = (canvas.BLUE, canvas.GREEN, canvas.ORANGE, canvas.PINK, canvas.RED, canvas.SKY)
PLAN_DASHES: tuple[Dashes, ...] = ((), (8, 3), (9, 3, 2, 3), (2, 2))  # for paper without colours
CHANCES = {
    "p_response": "Chance of response at the visit",
    "p_remission": "Chance of remission at the visit",
    "p_relapse": "Chance of having relapsed by then",
}


def pictures(result: Forecast, compared: pd.DataFrame | None = None) -> list[Picture]:
    """All pictures of a forecast in the order of its page; `compared` sets an earlier forecast beside it."""
    return [timeline(result, compared), chances(result)]


def plan_styles(result: Forecast) -> dict[str, dict[str, Any]]:
    """Plan -> colour and dashes of its lines."""
    return {
        one.plan.name: {"colour": PLAN_COLOURS[k % len(PLAN_COLOURS)], "dashes": PLAN_DASHES[k % len(PLAN_DASHES)]}
        for k, one in enumerate(result.outlooks)
    }


def on_scale(result: Forecast, score: Any, name: str) -> FloatArray:
    """A score on the scale `name`, put on the scale of the forecast by way of the MADRS."""
    if name == result.scale:
        return np.asarray(score, dtype=np.float64)
    known = result.person.baseline_madrs()
    base = result.updated.person.prior.people["baseline_madrs"].mean() if known is None else known
    return scales.convert(scales.to_madrs(score, name), base, result.scale)


def seen(result: Forecast) -> pd.DataFrame:
    """Scores so far, as written and on the scale of the forecast, with the bands in which they were expected.

    Returns:
        Columns day, written, the name of the scale of the forecast, expected, lo90, hi90 (given the scores before),
        population_lo90, population_hi90; all but `written` on the scale of the forecast.
    """
    import pandas as pd

    names = {"expected": "mean", "lo90": "lo90", "hi90": "hi90"}
    names |= {"population_lo90": "prior_lo90", "population_hi90": "prior_hi90"}
    rows = []
    for one in result.fitted.to_dict("records"):
        row = {"day": 1 + one["time_h"] / DAY_H, "written": f"{one['scale']} {one['score']:g}"}
        row[result.scale] = float(on_scale(result, one["score"], one["scale"]))
        rows.append(row | {name: float(on_scale(result, one[key], one["scale"])) for name, key in names.items()})
    return pd.DataFrame(rows, columns=pd.Index(["day", "written", result.scale, *names]))


# ------------------------------------------------------------------------------------------------ timeline


class Clock:
    """Hours on an axis from 0 to 1, even up to now and even after now; the past has room enough to be read."""

    def __init__(self, now_h: float, end_h: float, least: float = PAST) -> None:
        """`least` is the smallest share of the axis for the past."""
        self.first, self.now, self.end = -max(0.05 * now_h, 6.0), now_h, end_h
        share = (self.now - self.first) / (self.end - self.first)
        self.share = float(np.clip(share, least, 0.6))

    def at(self, hours: Any) -> FloatArray:
        """Places from 0 to 1."""
        h = np.asarray(hours, dtype=np.float64)
        before = self.share * (h - self.first) / (self.now - self.first)
        after = self.share + (1 - self.share) * (h - self.now) / (self.end - self.now)
        return np.where(h <= self.now, before, after)

    def draw(self, plot: Plot) -> None:
        """Days up to now, weeks from now on."""
        wide = plot.box[2]
        days, weeks = self.now / DAY_H, (self.end - self.now) / WEEK_H
        step = _step((1, 2, 7, 14, 28, 56, 112, 182, 364), days, self.share * wide / 40)
        past = np.arange(0.0, days, step)
        past = past[(self.share - self.at(past * DAY_H)) * wide > 30]
        later = _step((1, 2, 4, 8, 12, 26, 52), weeks, (1 - self.share) * wide / 48)
        ahead = np.arange(later, weeks + 0.01, later)
        places = [*self.at(past * DAY_H), self.share, *self.at(self.now + ahead * WEEK_H)]
        first = "day " if len(past) else ""
        names = [f"{first if k == 0 else ''}{1 + day:g}" for k, day in enumerate(past)]
        plot.x_axis(np.array(places), [*names, "now", *(f"+{one:g} wk" for one in ahead)])


def _step(steps: Sequence[int], length: float, most: float) -> int:
    """The smallest step that makes at most so many."""
    return next((one for one in steps if length / one <= most), steps[-1])


def timeline(result: Forecast, compared: pd.DataFrame | None = None) -> Picture:
    """What has been done and seen, what may come, and where `compared` is given, what was expected to come."""
    import pandas as pd

    past = seen(result).rename(columns={result.scale: "mean or score"}).assign(what="score")
    ahead, before = result.table, result.population.table()
    ahead = ahead.assign(day=1 + ahead["time_h"] / DAY_H).rename(columns={"plan": "what", "mean": "mean or score"})
    place = {hour: k for k, hour in enumerate(before["time_h"])}
    own = (ahead["what"] == result.outlooks[0].plan.name).to_numpy()
    at = [place[hour] for hour in ahead["time_h"]]
    for end in ("lo90", "hi90"):
        ahead[f"population_{end}"] = np.where(own, before[end].to_numpy()[at], np.nan)
    names = ["day", "what", "written", "mean or score", "expected", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90"]
    names += ["population_lo90", "population_hi90"]
    rows = [*past.to_dict("records"), *ahead.to_dict("records")]
    table = pd.DataFrame(rows, columns=pd.Index(names)).round(1)
    first = result.outlooks[0].plan.name
    others = "Other lines: means under the other plans. " if len(result.outlooks) > 1 else ""
    scores = outline = ""
    waits = any(one.future.given is not None for one in result.outlooks)
    decided = " but for doses that wait for a score" if waits else ""
    if len(past):
        scores = (
            f"Left of now: dots are scores as written down, on the {result.scale}; bars hold 90 % of what was to be "
            "expected given the scores before each, thin frames 90 % of the population. "
        )
        outline = "Thin grey lines: 90 % of the population under the same plan, without these scores. "
    if len(_earlier(compared, first)):
        outline += f"Dashed dark lines: 90 % under {first} in the earlier forecast. "
    return canvas.Picture(
        name="timeline",
        title=f"So far, and the next {result.weeks:g} weeks ({result.scale})",
        caption=(
            f"Lower is better. {scores}Right of now: mean and the middle 50, 80 and 90 % of scores that may be written "
            f"down under {first}. {others}{outline}The clock runs at another pace left of now. Marks below: doses "
            f"given, and those of the plans{decided}. {_conversion_words(result)}"
        ).strip(),
        panels=[timeline_panel(result, WIDE, compared)],
        table=table.assign(written=table["written"].fillna("")),
        columns=1,
    )


def _conversion_words(result: Forecast) -> str:
    used = {one.scale for one in result.history.observed} | {result.scale}
    assumed = sorted(name for name in used if scales.get(name).assumed)
    return f"Assumed: how {' and '.join(assumed)} follows from the MADRS." if assumed else ""


def _earlier(compared: pd.DataFrame | None, plan: str) -> pd.DataFrame:
    """Rows of a comparison that speak of a plan."""
    import pandas as pd

    return pd.DataFrame() if compared is None else compared.loc[compared["plan"] == plan]


def timeline_panel(result: Forecast, width: int, compared: pd.DataFrame | None = None) -> Panel:
    """The timeline, so many pixels wide."""
    now, end = result.history.last_h, float(result.outlooks[0].future.time_h[-1])
    done, styles, rows = result.history.course(), plan_styles(result), seen(result)
    # Without a past the names of the plans still need some room.
    clock = Clock(now, end) if now > 0 else Clock(now, end, 100 / (width - LEFT - RIGHT))
    kind, tables = scales.get(result.scale), {one.plan.name: one.future.table() for one in result.outlooks}
    first = result.outlooks[0].plan.name
    before, earlier = result.population.table(), _earlier(compared, first)
    high = max(tables[first]["hi90"].max(), before["hi90"].max(), *(one["mean"].max() for one in tables.values()))
    if len(earlier):
        high = max(high, earlier["hi90_before"].max())
    if len(rows):
        high = max(high, rows[[result.scale, "hi90", "population_hi90"]].to_numpy().max())
    limits = (kind.low, min(1.04 * high, kind.high) if high < kind.high else kind.high)
    tall = 220 if width > NARROW else 210

    def draw(sheet: Sheet) -> None:
        plot = Plot(sheet, (LEFT, 10, width - LEFT - RIGHT, tall), (0, 1), limits)
        plot.area([0, clock.share], *limits, colour=canvas.MUTED, alpha=0.07)
        plot.y_axis(*ticks(limits, 6))
        _lines(plot, result)
        _to_come(plot, clock, tables, first, before, bool(len(rows)), styles)
        for end in ("lo90_before", "hi90_before") if len(earlier) else ():
            plot.line(clock.at(earlier["time_h"]), earlier[end], colour=canvas.INK, width=0.9, dashes=(4, 3))
        plot.uprights([clock.share], colour=canvas.MUTED, width=1)
        _seen(plot, clock, rows, result.scale)
        clock.draw(plot)
        _rows(plot, clock, result, done, styles)

    last = tables[first].iloc[-1]
    words = (
        f"Timeline of person {result.person.person}: {len(rows)} scores so far; under {first} a mean {result.scale} of "
        f"{last['mean']:.0f} after {result.weeks:g} weeks, 90 % between {last['lo90']:.0f} and {last['hi90']:.0f}."
    )
    count = len(_rows_below(result, done))
    return canvas.Panel("timeline", words, 10 + tall + 28 + ROW * count, draw, width)


def _lines(plot: Plot, result: Forecast) -> None:
    """Remission and relapse, named at the right."""
    relapse = float(on_scale(result, RELAPSE_MADRS, "MADRS"))
    found = [(relapse, f"relapse {relapse:.0f}+")]
    if scales.get(result.scale).remission:
        cut = scales.remission_cut(result.scale)
        found.append((cut, f"remission ≤{cut:g}"))
    for value, name in found:
        plot.across(value, colour=canvas.INK, width=0.9, dashes=(1, 3))
        up = float(plot.at(1.0, value)[1])
        plot.sheet.words(plot.right + 5, up, name, size=9.5, colour=canvas.MUTED, va="digits")


def _to_come(
    plot: Plot,
    clock: Clock,
    tables: dict[str, pd.DataFrame],
    first: str,
    before: pd.DataFrame,
    informed: bool,
    styles: dict[str, dict[str, Any]],
) -> None:
    """Bands of the first plan, where scores tell it apart the population's outline, and the means of all plans."""
    own = tables[first]
    at = clock.at(own["time_h"])
    for level, alpha in (("90", 0.14), ("80", 0.14), ("50", 0.2)):
        plot.area(at, own[f"lo{level}"], own[f"hi{level}"], colour=styles[first]["colour"], alpha=alpha)
    for end in ("lo90", "hi90") if informed else ():
        plot.line(clock.at(before["time_h"]), before[end], colour=canvas.MUTED, width=0.9)
    for name, table in reversed(tables.items()):
        plot.line(clock.at(table["time_h"]), table["mean"], **styles[name], width=2.2 if name == first else 1.8)


def _seen(plot: Plot, clock: Clock, rows: pd.DataFrame, name: str) -> None:
    """Scores upon the bands in which they were expected; those of one time stand side by side."""
    beside: dict[float, int] = {}
    thick = 4.0 if plot.box[2] > NARROW else 2.5
    for row in rows.to_dict("records"):
        k = beside[row["day"]] = beside.get(row["day"], -1) + 1
        x = float(clock.at((row["day"] - 1) * DAY_H)) + 11 * k / plot.box[2]
        half, wide = thick / plot.box[2], (thick + 1.5) / plot.box[2]
        plot.area([x - half, x + half], row["lo90"], row["hi90"], colour=canvas.BLUE, alpha=0.3)
        low, high = row["population_lo90"], row["population_hi90"]
        frame = np.array([[x - wide, low], [x + wide, low], [x + wide, high], [x - wide, high], [x - wide, low]])
        plot.line(frame[:, 0], frame[:, 1], colour=canvas.MUTED, width=0.8)
        plot.line([x - half, x + half], [row["expected"]] * 2, colour=canvas.BLUE, width=1.6)
        plot.dot(x, row[name], 7, canvas.INK, canvas.PAGE)


def dose_hours(course: Course, until_h: float) -> FloatArray:
    """Hours of the sessions with an active drug, up to and with the end."""
    sessions = course.sessions((until_h + 1.0) / WEEK_H)
    return np.array([t for t, lines in sessions if any(DRUGS[one.drug].kind != "inert" for one in lines)])


def _rows_below(result: Forecast, done: Course) -> list[str]:
    """Names of the rows under the axis: what has been done, then the plans."""
    therapy = ["therapy held"] if done.therapy else []
    given = ["doses given"] if done.doses else []
    return [*given, *therapy, *(one.plan.name for one in result.outlooks)]


def _rows(plot: Plot, clock: Clock, result: Forecast, done: Course, styles: dict[str, dict[str, Any]]) -> None:
    """A row of marks for what has been done, and one for each plan; its name stands where it has no marks."""
    sheet, x = plot.sheet, float(plot.at(clock.share, 0)[0])
    plans = {one.plan.name: one.plan.course for one in result.outlooks}
    for k, name in enumerate(_rows_below(result, done)):
        middle = plot.foot + 28 + ROW * k + ROW / 2 - 2
        if name in plans:
            hours = dose_hours(plans[name], clock.end)
            hours, style = hours[hours > clock.now], styles[name]
            most = max(int((x - 34) / 6.3), 12)
            sheet.words(x - 34, middle, _short(name, most), size=10.5, ha="right", va="digits")
            sheet.line(np.array([[x - 30, middle], [x - 6, middle]]), **style, width=2.2)
        else:
            therapy = np.array([(day - 1) * DAY_H for line in done.therapy for day in line.days])
            hours, style = therapy if name == "therapy held" else dose_hours(done, clock.now), {"colour": canvas.INK}
            sheet.words(x + 6, middle, name, size=10.5, va="digits")
        marks = [plot.at(place, 0)[0] for place in clock.at(hours)]
        paths = [np.array([[at, middle - 5], [at, middle + 5]]) for at in marks]
        if paths:
            sheet.line(*paths, colour=style["colour"], width=2.4, alpha=0.7 if name in plans else 1.0)


def _short(name: str, most: int) -> str:
    return name if len(name) <= most else name[: most - 1] + "…"


# ------------------------------------------------------------------------------------------------ chances


def chances(result: Forecast) -> Picture:
    """Response, remission and relapse over the weeks to come, by plan."""
    table, now = result.table, result.history.last_h
    shown = {name: title for name, title in CHANCES.items() if not np.isnan(table[name].to_numpy(float)).any()}
    weeks = (table["time_h"] - now) / WEEK_H
    rows = table.assign(week=weeks.round(1)).filter(["plan", "week", *shown]).round(3)
    return canvas.Picture(
        name="chances",
        title="Chances by plan",
        caption=(
            "Share of futures, on scores as they would be written down. Response: at least half of the baseline gone "
            "at that visit; scores swing from week to week, so part of every chance here is that. Relapse: response at "
            "all visits of a week, before or since, and then two visits running at the relapse line or above; it is "
            "dated to the first of the two, so the last week shows no new ones. Who is not in response for a week "
            "cannot relapse."
        ),
        panels=[_chance_panel(result, table, name, title) for name, title in shown.items()],
        table=rows,
    )


def _chance_panel(result: Forecast, table: pd.DataFrame, name: str, title: str) -> Panel:
    styles, now = plan_styles(result), result.history.last_h
    top, tall = 26, 112
    by_plan = {plan: table.loc[table["plan"] == plan, ["time_h", name]].to_numpy(float).T for plan in styles}

    def draw(sheet: Sheet) -> None:
        sheet.words(0, 4, title, size=12, bold=True)
        plot = Plot(sheet, (LEFT + 8, top, SMALL - LEFT - 30, tall), (0, result.weeks), (0, 100))
        plot.y_axis([0, 25, 50, 75, 100], ["0", "25", "50", "75", "100 %"])
        for plan, (hours, chance) in reversed(by_plan.items()):
            plot.line((hours - now) / WEEK_H, 100 * chance, **styles[plan], width=2)
        step = _step((1, 2, 4, 8, 12, 26, 52), result.weeks, 5)
        weeks = np.arange(step, result.weeks + 0.01, step)
        plot.x_axis([0, *weeks], ["now", *(f"+{one:g} wk" for one in weeks)])
        for k, (plan, style) in enumerate(styles.items()):
            middle = top + tall + 33 + 15 * k
            sheet.line(np.array([[plot.left, middle], [plot.left + 28, middle]]), **style, width=2)
            sheet.words(plot.left + 35, middle, _short(plan, 32), size=10.5, colour=canvas.MUTED, va="digits")

    last = ", ".join(f"{plan} {100 * found[1, -1]:.0f} %" for plan, found in by_plan.items())
    words = f"{title}, after {result.weeks:g} weeks: {last}."
    return canvas.Panel(name, words, top + tall + 28 + 15 * len(styles), draw, SMALL)
