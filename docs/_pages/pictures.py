"""Each system's response to a treatment that moves it, as SVG: a panel an output."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np

from _pages.systems import by_file
from afterglow.clinic.course import Course, load_course, parse_course
from afterglow.course_run import CourseRun
from afterglow.interfaces.clock import TICKS, clock
from afterglow.lang import Part
from afterglow.simulate import simulate_course

PEOPLE, SEED, WEEKS = 128, 1, 4
COLUMNS, WIDTH, HEIGHT = 3, 2.6, 1.55
LINE, BAND = "#1f5f8b", "#9cc3dd"

# One infusion, unless the system does not feel one.
GIVEN = {
    "escitalopram": "ssri",
    "sertraline": {"course": "sertraline", "title": "Sertraline 100 mg a day",
                   "background": [{"drug": "sertraline", "dose": "100 mg"}]},
    "venlafaxine": "snri",
    "bupropion": "ndri",
    "monoamines": "ssri",
    "benzodiazepine": "benzodiazepine",
    "psychotherapy": "psychotherapy",
}  # fmt: skip


def draw(folder: Path) -> None:
    """Write `<system>.svg` of every placed system into `folder`, unless all are newer than the program's files."""
    import afterglow

    parts = [part for group in by_file().values() for part in group]
    files = [*Path(inspect.getfile(afterglow)).parent.rglob("*.*"), Path(__file__)]
    newest = max(path.stat().st_mtime for path in files if path.suffix in (".py", ".yaml", ".csv"))
    made = [folder / f"{part.name}.svg" for part in parts]
    if all(path.exists() and path.stat().st_mtime > newest for path in made):
        return
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, CourseRun] = {}
    for part, path in zip(parts, made, strict=True):
        course = _course(part.name)
        if course.name not in runs:
            runs[course.name] = simulate_course(course, patients=PEOPLE, weeks=WEEKS, seed=SEED, outputs=("all",))
        _picture(part, runs[course.name], path)


def _course(name: str) -> Course:
    given = GIVEN.get(name, "iv-single")
    return load_course(given) if isinstance(given, str) else parse_course(given, name)


def _picture(part: Part, run: CourseRun, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    outputs = part.system.outputs
    moved = [name for name in outputs if np.ptp(run.values[f"{part.name}.{name}"][run.status == 0]) > 1e-9]
    rows = -(-len(moved) // COLUMNS)
    figure = Figure(figsize=(COLUMNS * WIDTH, rows * HEIGHT + 0.35), layout="constrained")
    figure.suptitle(run.course.title, fontsize=9, x=0.01, ha="left")
    at = clock(run.time_h)
    ticks = {label: hours for label, hours in TICKS.items() if label in ("10 min", "1 h", "4 h", "1 d", "1 w", "4 w")}
    for i, name in enumerate(moved, start=1):
        axes = figure.add_subplot(rows, COLUMNS, i)
        values = run.values[f"{part.name}.{name}"][run.status == 0]
        low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
        axes.fill_between(at, low, high, color=BAND, linewidth=0)
        axes.plot(at, middle, color=LINE, linewidth=1.2)
        axes.set_title(f"{name}, {outputs[name].unit}".removesuffix(", 1"), fontsize=7.5, loc="left")
        axes.set_xticks([float(clock(hours)) for hours in ticks.values()], list(ticks))
        axes.tick_params(labelsize=6, length=2)
        axes.spines[["top", "right"]].set_visible(False)
    with mpl.rc_context({"svg.hashsalt": part.name, "svg.fonttype": "path"}):
        figure.savefig(path, format="svg", metadata={"Date": None})
