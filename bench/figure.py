"""The picture of a benchmark: time per patient, and how it grows with patients and doses."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

COLOURS = {
    "afterglow": "#1b6ca8", "libroadrunner": "#d1622b", "libroadrunner-reduced": "#e8a684", "diffrax": "#7a5195",
    "scipy-lsoda": "#6b6b6b", "scipy-lsoda-jacobian": "#a3a3a3",
}  # fmt: skip
NAMES = {
    "libroadrunner": "libRoadRunner", "libroadrunner-reduced": "libRoadRunner, reduced model",
    "scipy-lsoda": "SciPy LSODA", "scipy-lsoda-jacobian": "SciPy LSODA, Jacobian",
}  # fmt: skip
TITLES = {"whole": "Whole model, 8 weeks, six infusions", "pk": "Two compartments, 101 days, 10 doses"}
UNITS = {"whole": "points", "pk": "mg/L"}


def draw(result: dict[str, Any], file: Path) -> None:
    """Bars for every model, lines for every kind of growth that was measured."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = result["rows"]
    models = [m for m in TITLES if any(r["model"] == m and r["part"] == "speed" for r in rows)]
    lines = [p for p in ("patients", "doses") if any(r["part"] == p for r in rows)]
    panels = len(models) + len(lines)
    wide = 2 if panels > 1 else 1
    high = -(-panels // wide)
    figure, axes = plt.subplots(high, wide, figsize=(6.4 * wide, 3.7 * high), squeeze=False, layout="constrained")
    for axis, model in zip(axes.flat, models, strict=False):
        _bars(axis, model, [r for r in rows if r["part"] == "speed" and r["model"] == model])
    for axis, part in zip(list(axes.flat)[len(models) :], lines, strict=False):
        _lines(axis, part, [r for r in rows if r["part"] == part])
    for axis in list(axes.flat)[panels:]:
        axis.remove()
    about = result["machine"]
    note = f"{about['cpu']}, {about['cores']} cores, {about['platform']}.  ×: against afterglow, 1 thread, "
    figure.supxlabel(note + "at equal or better error", fontsize=8, color="#666666")
    figure.savefig(file, dpi=150)
    plt.close(figure)


def _label(row: dict[str, Any]) -> str:
    name = NAMES.get(row["engine"], row["engine"])
    if row["engine"] != "afterglow":
        return name
    return f"{name}, {row['threads']} thread" + "s" * (row["threads"] > 1)


def _time(us: float) -> str:
    """Microseconds as people say them."""
    for size, unit in ((1e6, "s"), (1e3, "ms")):
        if us >= size:
            return f"{us / size:.3g} {unit}"
    return f"{us:.3g} µs"


def _bars(axis: Any, model: str, rows: list[dict[str, Any]]) -> None:
    peer = next((r for r in rows if r["engine"] == "libroadrunner"), None)
    same = peer and peer["relative_to_rtol"]  # of afterglow's settings, the one that libRoadRunner is compared with
    rows = [r for r in rows if r["engine"] != "afterglow" or same is None or r["rtol"] == same]
    rows = sorted(rows, key=lambda r: -r["us_per_patient"])
    times = [r["us_per_patient"] for r in rows]
    axis.barh([_label(r) for r in rows], times, color=[COLOURS.get(r["engine"], "#444444") for r in rows], height=0.62)
    least = 10.0 ** math.floor(math.log10(min(times)) - 1)  # a bar on a log scale has to start somewhere
    axis.set(xscale="log", xlim=(least, max(times) * 40), xlabel="time per patient, µs", title=TITLES[model])
    for k, r in enumerate(rows):
        much = r.get("relative") or 1.0
        more = f"{much:,.0f}×" if much >= 10 else f"{much:.2g}×"
        where = {"xy": (r["us_per_patient"], k), "textcoords": "offset points", "va": "center"}
        axis.annotate(f"{_time(r['us_per_patient'])}   {more}", xytext=(5, 5), fontsize=9, **where)
        axis.annotate(
            f"error {r['max_error']:.1g} {UNITS[model]}", xytext=(5, -6), fontsize=7.5, color="#666666", **where
        )
    axis.spines[["top", "right"]].set_visible(False)


def _lines(axis: Any, part: str, rows: list[dict[str, Any]]) -> None:
    for engine in dict.fromkeys(r["engine"] for r in rows):
        own = sorted((r for r in rows if r["engine"] == engine), key=lambda r: r[part])
        x, y = [r[part] for r in own], [r["us_per_patient"] for r in own]
        colour = COLOURS.get(engine, "#444444")
        axis.plot(x, y, "o-", color=colour, markersize=4)
        axis.annotate(
            _label(own[-1]), (x[-1], y[-1]), xytext=(6, 0), textcoords="offset points",
            color=colour, va="center", fontsize=8,
        )  # fmt: skip
    title = "More patients (whole model)" if part == "patients" else "More doses (two compartments)"
    axis.set(xscale="log", yscale="log", xlabel=part, ylabel="time per patient, µs", title=title)
    low, high = axis.get_xlim()
    axis.set_xlim(low, high * (high / low) ** 0.35)  # room for the names
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
