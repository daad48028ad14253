"""The page of a forecast: self-contained, and its numbers are those of the tables."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from matplotlib.textpath import TextPath

from afterglow.clinic import adequacy
from afterglow.clinic import scale as scales
from afterglow.clinic.files import parse
from afterglow.clinic.person import Person, person_from_data
from afterglow.interfaces import canvas, drawing, forecast_figures, forecast_report
from afterglow.interfaces import forecast as steps
from afterglow.study.forecast_study import Forecast, forecast

COMMAND = "afterglow forecast <person>.yaml --seed 3"
VOID = {"meta", "br", "hr", "img", "input", "link"}
SEEN = """
person: A
age: 44
sex: female
weight: 81 kg
trials:
  - {drug: sertraline, dose: 150 mg, weeks: 8}
  - {drug: venlafaxine, weeks: 10}
conditions: [anxiety, hypertension]
current_drugs: [sertraline]
doses:
  - {day: 1, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
  - {day: 4, drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min}
therapy: [{day: 3, kind: cbt}]
scores:
  - {day: 1, scale: MADRS, score: 34}
  - {day: 1, scale: PHQ-9, score: 20}
  - {day: 5, scale: HAM-D17, score: 12}
  - {day: 9, scale: MADRS, score: 14}
"""
NOTHING = "{person: B, age_band: 30-39, scale: MADRS}"


def person(text: str) -> Person:
    return person_from_data(parse(text, "person.yaml").data)


@pytest.fixture(scope="module")
def result() -> Forecast:
    return forecast(person(SEEN), weeks=6.0, seed=3)


@pytest.fixture(scope="module")
def page(result) -> str:
    return forecast_report.build(result, COMMAND)


@pytest.fixture(scope="module")
def unseen() -> Forecast:
    return forecast(person(NOTHING), weeks=6.0)


@pytest.fixture(scope="module")
def without_rule() -> Forecast:
    """A forecast on a scale that has no published rule of remission, from scores on others."""
    return forecast(person(SEEN), weeks=6.0, scale="BDI", seed=3)


class Tags(HTMLParser):
    """Open tags, and all ids and addresses."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.ids, self.loads, self.links = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.loads += [found[key] for key in ("src", "srcset", "data", "poster", "action") if key in found]
        self.links += [found[key] for key in ("href", "xlink:href") if key in found]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def words_of(html: str) -> str:
    plain = re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ").replace("\N{NON-BREAKING HYPHEN}", "-")
    return " ".join(plain.split())


def rows_of(page: str, name: str) -> list[list[str]]:
    """The cells of the first table of a section, as words."""
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, name
    body = re.findall(r"<tbody>(.*?)</tbody>", found[0], re.DOTALL)[0]
    return [[words_of(cell) for cell in re.findall(r"<td.*?</td>", row)] for row in body.split("</tr>")[:-1]]


def marks(panel: canvas.Panel) -> list[canvas.Mark]:
    sheet = canvas.Sheet()
    panel.draw(sheet)
    return sheet.marks


@pytest.mark.parametrize("name", ["result", "unseen", "without_rule"])
def test_it_is_well_formed_and_asks_for_nothing(name, request):
    page = forecast_report.build(request.getfixturevalue(name), COMMAND)
    tags = Tags(page)
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)
    assert not tags.loads
    assert "http" not in re.sub(r"doi:\S+|http-equiv", "", re.sub(r' xmlns="[^"]*"', "", page))
    assert "<script" not in page
    assert re.findall(r"url\(|@import", page) == []
    assert "default-src 'none'" in page
    assert "nan" not in re.findall(r"[a-z]+", words_of(page[page.index("<body>") :]))


@pytest.mark.parametrize("name", ["result", "unseen", "without_rule"])
def test_every_figure_has_words_and_a_table(name, request):
    found = request.getfixturevalue(name)
    page = forecast_report.build(found, COMMAND)
    pictures = forecast_report.pictures(found)
    assert [one.name for one in pictures] == ["timeline", "chances"]
    for one in pictures:
        assert len(one.table)
        assert len(one.caption) > 40
        for panel in one.panels:
            assert len(panel.alt) > 20
            assert "nan" not in panel.alt
            ET.fromstring(canvas.svg(panel))
    for section in re.findall(r"<section.*?</section>", page, re.DOTALL):
        if "<svg" in section:
            assert "<figcaption>" in section
            assert "<table>" in section
            assert section.count('role="img" aria-label="') == section.count("<svg")


@pytest.mark.parametrize("name", ["result", "unseen", "without_rule"])
def test_pictures_stay_in_their_panels(name, request):
    found = request.getfixturevalue(name)
    narrow = forecast_figures.timeline_panel(found, forecast_figures.NARROW)
    for panel in [narrow, *(panel for one in forecast_report.pictures(found) for panel in one.panels)]:
        for mark in marks(panel):
            if isinstance(mark, canvas.Words) and mark.text:
                wide = TextPath((0, 0), mark.text, size=mark.size).get_extents().width
                left = mark.x - {"left": 0.0, "center": 0.5, "right": 1.0}[mark.ha] * wide
                assert left >= -2, mark.text
                assert left + wide <= panel.width + 2, mark.text
                assert 0 <= mark.y <= panel.height, mark.text
            elif isinstance(mark, canvas.Line | canvas.Shape):
                places = np.vstack(list(mark.paths))
                assert np.isfinite(places).all()
                assert (places >= -1).all()
                assert (places <= (panel.width + 1, panel.height + 1)).all()


def test_pictures_can_be_saved(result):
    assert all(drawing.png(one).startswith(b"\x89PNG") for one in forecast_report.pictures(result))


def test_the_plans_are_those_of_the_tables(result, page):
    for cells, row in zip(rows_of(page, "plans"), result.summary.to_dict("records"), strict=True):
        even = row["relapse_even_after_d"]
        well = [f"{row[f'days_in_remission{end}']:.0f}" for end in ("", "_lo90", "_hi90")]
        assert cells == [
            f"{row['plan']} {row['what']}",
            f"{well[0]} {well[1]} to {well[2]}",
            f"{row['mean_at_end']:.0f} {row['lo90_at_end']:.0f} to {row['hi90_at_end']:.0f}",
            f"{100 * row['p_response_at_end']:.0f} %",
            f"{100 * row['p_remission_at_end']:.0f} %",
            "not within" if np.isnan(even) else f"{even:.0f} d",
            f"{row['sessions']:g}",
            f"{row['ketamine_mg']:.0f}",
            f"{row['cadss_worst']:.0f} 1 in 20: {row['cadss_worst_p95']:.0f}",
            f"{row['systolic_worst']:.0f} 1 in 20: {row['systolic_worst_p95']:.0f}",
            str(row["contraindications"]),
            "1",  # hypertension
        ]


def test_what_is_drawn_is_what_is_tabled(result):
    timeline, chances = forecast_report.pictures(result)
    for plan in result.table["plan"].unique():
        own = result.table[result.table["plan"] == plan]
        drawn = timeline.table[timeline.table["what"] == plan]
        for name, column in (("mean or score", "mean"), ("lo50", "lo50"), ("hi90", "hi90")):
            np.testing.assert_allclose(drawn[name], own[column], atol=0.051)
        shown = chances.table[chances.table["plan"] == plan]
        np.testing.assert_allclose(shown["p_relapse"], own["p_relapse"], atol=6e-4)
        assert shown["week"].tolist() == [1, 2, 3, 4, 5, 6]


def test_scores_of_several_scales_stand_on_one(result, page):
    shown = {row[1]: float(row[2]) for row in rows_of(page, "scores")}
    assert list(shown) == ["PHQ-9 20", "MADRS 34", "HAM-D17 12", "MADRS 14"]
    for written, value in shown.items():
        name, score = written.rsplit(" ", 1)
        assert value == round(float(scales.to_madrs(float(score), name)))
    found = forecast_figures.seen(result)
    assert (found["lo90"] < found["hi90"]).all()
    assert "Assumed: how PHQ-9 follows from the MADRS" in words_of(page)


def test_one_scale_is_not_converted(result):
    np.testing.assert_array_equal(forecast_figures.on_scale(result, [3.0, 30.0], "MADRS"), [3.0, 30.0])


def test_every_score_is_a_dot_and_every_dose_a_mark(result):
    drawn = marks(forecast_figures.timeline_panel(result, forecast_figures.WIDE))
    dots = [one for one in drawn if isinstance(one, canvas.Dot)]
    assert len(dots) == len(result.updated.person.seen)
    assert len({(one.x, one.y) for one in dots}) == len(dots)
    counts = [len(one.paths) for one in drawn if isinstance(one, canvas.Line) and one.width == 2.4]
    # Doses given, therapy held, then the plans with their sessions; nothing more has no row of marks.
    assert counts == [2, 1, *(n for n in result.summary["sessions"] if n)]


def test_time_runs_from_left_to_right_and_the_past_has_room():
    for now, end in ((0.0, 1008.0), (200.0, 2200.0), (9000.0, 10000.0)):
        clock = forecast_figures.Clock(now, end)
        places = clock.at(np.linspace(clock.first, end, 400))
        assert (np.diff(places) > 0).all()
        assert places[0] == pytest.approx(0)
        assert places[-1] == pytest.approx(1)
        assert forecast_figures.PAST <= float(clock.at(now)) <= 0.6


def test_lower_scores_are_drawn_lower(result):
    drawn = marks(forecast_figures.timeline_panel(result, forecast_figures.WIDE))
    dots = [one for one in drawn if isinstance(one, canvas.Dot)]
    scores = forecast_figures.seen(result)["MADRS"].to_numpy()
    assert np.argsort([-one.y for one in dots]).tolist() == np.argsort(scores).tolist()


def test_reasons_are_told_once_with_their_plans(result, page):
    rows = rows_of(page, "reasons")
    told = [row[0].split()[1] for row in rows]
    assert len(told) == len(set(told))
    assert set(told) == {rule for one in result.outlooks for rule in one.screening["rule"]}
    assert {row[1] for row in rows} == {"all"}
    assert "hypertension" in rows[0][2]
    assert "a clinician decides" in words_of(page)


def test_resistance_is_counted_and_says_what_is_missing(result, page):
    text = words_of(page)
    assert adequacy.resistance(result.person.trials).attrs["count"] in text
    assert "the daily dose" in text
    assert "1 to 2 failed trials" in text


def test_without_trials_nothing_is_counted(unseen):
    assert "Treatment resistance:" not in forecast_report.build(unseen, COMMAND)


def test_without_scores_the_population_speaks(unseen):
    page = forecast_report.build(unseen, COMMAND)
    text = words_of(page)
    assert "None is given: this is the forecast of the population" in text
    assert "without scores all count alike" in text
    assert "there is no score to compare" in text
    assert "30 to 39 years" in text
    assert [row[0] for row in rows_of(page, "plans")] == ["nothing-more no further doses; daily drugs go on"]
    assert not [one for one in marks(forecast_figures.timeline_panel(unseen, 780)) if isinstance(one, canvas.Dot)]


def test_no_remission_where_the_scale_has_no_rule(without_rule):
    page = forecast_report.build(without_rule, COMMAND)
    assert all(row[1] == row[4] == "–" for row in rows_of(page, "plans"))
    assert [panel.name for panel in forecast_report.pictures(without_rule)[1].panels] == ["p_response", "p_relapse"]
    assert "remission" not in canvas.svg(forecast_figures.timeline_panel(without_rule, 780))


def test_it_says_how_sure_it_is(result, page):
    text = words_of(page)
    assert f"{result.updated.effective:,.0f} (effective number)" in text
    assert f"{100 * result.updated.odd:.0f} % of histories" in text
    assert "How much of the effect is the drug itself is not known." in text
    assert "Not a medical device" in text
    assert "A clinician decides." in text
    for warning in result.warnings:
        assert warning in text
    footer = words_of(page[page.index("<footer>") :])
    assert "afterglow forecast &lt;person&gt;.yaml --seed 3" in footer
    assert "Seed 3;" in footer


def test_it_says_when_people_were_refined_or_the_history_is_odd(result):
    updated = replace(result.updated, refined=True, effective=12.0, odd=0.004)
    text = words_of(forecast_report.build(replace(result, updated=updated), COMMAND))
    assert "12 (effective number) fitted the scores: too few, so others were led to the scores" in text
    assert "odd, and the forecast may not fit this person: 0.4 % of histories" in text
    assert "nothing unusual" not in text


def test_one_result_makes_one_page(result, page):
    assert forecast_report.build(result, COMMAND) == page
    assert forecast_report.build(forecast(person(SEEN), weeks=6.0, seed=3), COMMAND) == page


def test_an_earlier_forecast_is_set_beside_it(result):
    before = forecast(person(SEEN.replace("  - {day: 9, scale: MADRS, score: 14}\n", "")), weeks=6.0, seed=3)
    table = steps.compared(result.table, before.table)
    page = forecast_report.build(result, COMMAND, table)
    rows = rows_of(page, "compared")
    assert [row[0] for row in rows] == [one.plan.name for one in result.outlooks]
    first, last = table.iloc[0], table[table["plan"] == rows[0][0]].iloc[-1]
    for row, (was, now) in ((first, rows[0][1:3]), (last, rows[0][3:])):
        assert was == f"{row['mean_before']:.0f} {row['lo90_before']:.0f} to {row['hi90_before']:.0f}"
        assert now == f"{row['mean']:.0f} {row['lo90']:.0f} to {row['hi90']:.0f}"
    assert not Tags(page).open
    alone, both = (marks(forecast_figures.timeline_panel(result, forecast_figures.WIDE, one)) for one in (None, table))
    assert len(both) == len(alone) + 2
    assert "earlier forecast" in forecast_figures.timeline(result, table).caption
    assert "earlier forecast" not in forecast_report.build(result, COMMAND)


def test_nothing_to_compare_is_said(result):
    table = steps.compared(result.table, result.table.assign(scale="PHQ-9"))
    assert "has no plan on this scale" in forecast_report.build(result, COMMAND, table)
