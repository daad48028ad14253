"""Figures: what they choose to show, and that odd runs can be drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from afterglow.interfaces import canvas, clock, drawing, figures
from afterglow.study import tables
from drawn_runs import fake_run, fake_runs

ALL = ("iv-induction", "iv-single", "ssri", "psychotherapy", "benzodiazepine", "usual-care")


@pytest.fixture(scope="module")
def runs():
    return fake_runs(*ALL, patients=30)


def draw_all(runs):
    found = list(runs.values())
    results = {"contrasts": tables.contrasts(found), "summary": tables.summary(found), "doses": tables.doses(found)}
    made = figures.pictures(runs, results, runs, "Intervals.")
    for picture in made:
        for panel in picture.panels:
            canvas.svg(panel)
    return {picture.name: picture for picture in made}


def test_the_clock_shows_a_single_dose_an_antidepressant_and_a_benzodiazepine(runs):
    assert clock.choose(runs) == ["iv-single", "ssri", "benzodiazepine"]
    assert clock.choose({"usual-care": runs["usual-care"]}) == []
    assert clock.kind(runs["psychotherapy"]) is None


def test_the_clock_tells_drug_from_reaction(runs):
    panels = {panel.name: panel for panel in clock.picture(runs).panels}
    alt = panels["clock-iv-single"].alt
    hours = float(alt.split("until ")[1].split(" h ")[0])
    assert 4 < hours < 24
    assert "at day 1" in alt
    assert "day after day" in panels["clock-ssri"].alt
    assert "days after the last dose" in panels["clock-benzodiazepine"].alt


def test_the_clock_runs_from_minutes_to_weeks():
    places = clock.clock(np.array(list(clock.TICKS.values())))
    assert (np.diff(places) > 0.5).all()
    assert clock.clock(0.0) == 0


def test_the_dashed_line_leaves_expectation_out(runs):
    column = clock.Column(runs["iv-single"], runs["iv-single/control"])
    day = int(np.searchsorted(column.run.time_h, 24))
    felt = column.quantiles[-1]["median"][day]
    assert felt < column.unfelt[day] < 0
    same = clock.Column(runs["ssri"], runs["ssri/control"])
    assert same.unfelt == pytest.approx(same.quantiles[-1]["median"])


def test_all_pictures_of_a_comparison(runs):
    made = draw_all(runs)
    assert list(made) == ["shared-clock", "weeks", "contrasts", "outcomes", "safety", "doses"]
    assert len(made["weeks"].panels) == len(ALL)
    assert [panel.name for panel in made["contrasts"].panels] == ["contrast-24", "contrast-672", "contrast-1344"]
    assert all(not picture.table.empty for picture in made.values())


@pytest.mark.parametrize("names", [("usual-care",), ("psychotherapy",), ("iv-single",)])
def test_single_courses_can_be_drawn(names):
    made = draw_all(fake_runs(*names, patients=5, weeks=1))
    assert "weeks" in made


def test_one_patient_and_half_a_week_can_be_drawn():
    draw_all(fake_runs("iv-single", patients=1, weeks=0.5))


def test_a_control_on_another_clock_can_be_drawn(runs):
    control = runs["iv-single/control"]
    kept = np.flatnonzero(np.isin(np.arange(len(control.time_h)), control.visit_index))
    values = {name: array[:, kept] for name, array in control.values.items()}
    index = np.arange(len(kept))
    other = replace(control, time_h=control.time_h[kept], visit_index=index, values=values)
    draw_all({"iv-single": runs["iv-single"], "iv-single/control": other})


def test_the_whole_chain_shows_what_the_course_touches(runs):
    made = figures.chain(runs["iv-single"], runs["iv-single/control"])
    names = {panel.name for panel in made.panels}
    assert {"chain-ketamine", "chain-belief", "chain-madrs", "chain-cadss"} <= names
    assert "chain-transporter" not in names


def test_png_is_sharp_and_repeatable(runs):
    picture = figures.weeks({"usual-care": runs["usual-care"]})
    first = drawing.png(picture)
    assert first[:8] == b"\x89PNG\r\n\x1a\n"
    assert first == drawing.png(picture)


def test_a_drawing_shows_itself_in_a_notebook(runs):
    made = drawing.figure(figures.weeks({"usual-care": runs["usual-care"]}))
    assert made._repr_png_()[:4] == b"\x89PNG"


def test_long_titles_stay_on_the_panel():
    run = fake_run("usual-care", 4, 1)
    long = replace(run, course=replace(run.course, title="A very long title " * 8))
    text = canvas.svg(figures.weeks({"usual-care": long}).panels[0])
    assert "…" in text
