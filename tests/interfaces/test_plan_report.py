"""The page and the folder of a plan."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from afterglow.clinic.person import person_from_data
from afterglow.interfaces import canvas, plan_figures, plan_report
from afterglow.interfaces import plan as steps
from afterglow.study import plan_study

VOID = {"meta", "br", "hr", "img", "input", "link"}
COMMAND = "afterglow plan a.yaml --weeks 4"
INTERVALS = ("", "_lo90", "_hi90")
SPREAD = (*INTERVALS, "_p05", "_p95")
OUTCOMES = ("days_in_remission", "doses", "visits", "ketamine_mg", "cadss", "days_ill")


def ended(names, ends):
    return [f"{name}{end}" for name in names for end in ends]


CHANGES = ("days_in_remission", "doses", "worth_of_score_d", "value_d")
WORDS = {
    "plans": "time_h scale plan mean lo50 hi50 lo80 hi80 lo90 hi90 p_response p_remission p_relapse",
    "little": "sessions change lo90 hi90 p05 p95 share share_lo90 share_hi90 enough enough_chance",
    "screening": "dose rule severity reason source what_would_change_it",
    "excluded": "rule dose reason source what_would_change_it",
    "resistance": "drug dose weeks adequate reason missing source",
}
COLUMNS = {name: words.split() for name, words in WORDS.items()} | {
    "rules": [
        *("plan", "rule", "dose", "therapy", "cautions", "people"),
        *ended(OUTCOMES, SPREAD),
        *("front", "front_share", "front_alike"),
    ],
    "front": [
        *("plan", "objective", "aim", "mean", "lo90", "hi90"),
        *ended(("vs_nothing", "vs_weekly"), INTERVALS),
    ],
    "waiting": ["choice", "price_d", "now", "dosed_after_score", *ended(CHANGES, INTERVALS)],
}


def made(**facts):
    given = [{"day": 1, "drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min"}]
    seen = [{"day": 1, "scale": "MADRS", "score": 34}, {"day": 8, "scale": "MADRS", "score": 12}]
    tried = [{"drug": "sertraline", "dose": "150 mg", "weeks": 8}]
    data = {"person": "A", "age": 44, "doses": given, "scores": seen, "trials": tried, **facts}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_study, "PEOPLE", 64)
        patch.setattr(plan_study, "WAITING_PEOPLE", 64)
        return plan_study.plan(person_from_data(data), weeks=4)


@pytest.fixture(scope="module")
def found():
    return made(conditions=["hypertension"])


@pytest.fixture(scope="module")
def spray():
    return made(conditions=["cerebrovascular-disease"])


@pytest.fixture(scope="module")
def nothing():
    return made(conditions=["ketamine-hypersensitivity"])


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def words_of(html):
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ").split())


@pytest.mark.parametrize("name", ["found", "spray", "nothing"])
def test_it_is_well_formed_and_asks_for_nothing(name, request):
    page = plan_report.build(request.getfixturevalue(name), COMMAND)
    tags = Tags(page)
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)
    assert "http" not in re.sub(r"doi:\S+|http-equiv", "", re.sub(r' xmlns="[^"]*"', "", page))
    assert "<script" not in page
    assert "nan" not in re.findall(r"[a-z]+", words_of(page[page.index("<body>") :]))


@pytest.mark.parametrize("name", ["found", "nothing"])
def test_the_picture_has_words_and_stays_in_its_panel(name, request):
    picture = plan_figures.front(request.getfixturevalue(name))
    assert len(picture.table) == len(request.getfixturevalue(name).rules)
    for panel in picture.panels:
        assert "no other beats" in panel.alt
        ET.fromstring(canvas.svg(panel))
        sheet = canvas.Sheet()
        panel.draw(sheet)
        for mark in sheet.marks:
            if isinstance(mark, canvas.Line | canvas.Shape):
                places = np.vstack(list(mark.paths))
            else:
                places = np.array([[mark.x, mark.y]])
            assert np.isfinite(places).all()
            assert (places >= 0).all()
            assert (places <= (panel.width, panel.height)).all()


def test_every_plan_has_its_number_in_the_picture(found):
    for panel in plan_figures.front(found).panels:
        sheet = canvas.Sheet()
        panel.draw(sheet)
        labels = [mark for mark in sheet.marks if isinstance(mark, canvas.Words) and mark.size == plan_figures.LABEL]
        names = [one.text for one in labels if one.text.isdigit()]
        assert names == [str(k + 1) for k in range(len(found.rules))]
        bold = [one.bold for one in labels if one.text.isdigit()]
        assert bold == found.rules["front"].tolist()


def test_numbers_in_a_crowd_do_not_touch():
    chance = np.random.Generator(np.random.Philox(1))
    places = 200 + chance.uniform(-30, 30, (12, 2))
    labels = plan_figures.beside(places, [str(k) for k in range(12)])
    apart = np.abs(labels[:, None] - labels)
    near = (apart[..., 0] < 8) & (apart[..., 1] < 9) & ~np.eye(12, dtype=bool)
    assert not near.any()


def test_a_lonely_point_has_its_number_beside_it():
    assert plan_figures.beside(np.array([[100.0, 50.0]]), ["7"]) == pytest.approx(np.array([[111.0, 50.0]]), abs=1.0)


def test_the_table_is_that_of_the_rules(found):
    page = plan_report.build(found, COMMAND)
    section = re.search(r'<section id="rules">.*?</section>', page, re.DOTALL)
    assert section
    rows = re.findall(r"<tr>(.*?)</tr>", re.findall(r"<tbody>(.*?)</tbody>", section[0], re.DOTALL)[0])
    assert len(rows) == len(found.rules)
    for html, row in zip(rows, found.rules.to_dict("records"), strict=True):
        text = words_of(html).replace("&gt;", ">")
        assert row["plan"] in text
        assert f"{row['days_in_remission']:.1f} mean" in text
        assert f"{row['ketamine_mg']:.0f}" in text


def test_it_gives_reasons_with_sources_and_what_is_excluded(found, spray, nothing):
    fine = words_of(plan_report.build(found, COMMAND))
    assert "hypertension: blood pressure and heart rate rise" in fine
    assert "SPRAVATO (esketamine), US prescribing information" in fine
    assert "Nothing: no contraindication and no limit" in fine
    assert "Treatment resistance:" in fine
    assert "Every dose is excluded" not in fine
    some = words_of(plan_report.build(spray, COMMAND))
    assert "ketamine iv 0.5 mg/kg every rule with this dose" in some
    assert "Every dose is excluded" not in some
    none = words_of(plan_report.build(nothing, COMMAND))
    assert "Every dose is excluded. What stays is nothing more, and therapy." in none
    assert "Decide now, or after one more visit?" not in none


def test_it_says_what_it_is_not(found):
    text = words_of(plan_report.build(found, COMMAND))
    for part in (
        "Not a medical device",
        "A clinician decides.",
        "All of these schedules and limits are assumed",
        COMMAND,
    ):
        assert part in text


def test_the_folder_has_every_table_with_its_columns(found, tmp_path):
    out = tmp_path / "plan"
    steps.save(found, out, COMMAND, {"weeks": 4.0}, force=False)
    assert {path.stem for path in out.glob("*.csv")} == set(COLUMNS)
    for name, columns in COLUMNS.items():
        assert (out / f"{name}.csv").read_text().splitlines()[0].split(",") == columns
        assert list(pd.read_parquet(out / f"{name}.parquet").columns) == columns
    units = json.loads((out / "units.json").read_text())["tables"]
    assert {name: list(table) for name, table in units.items()} == COLUMNS
    kept = json.loads((out / "forecast.json").read_text())
    assert kept["person"]["person"] == "A"
    assert kept["effective_people"] > 0
    assert kept["warnings"] == found.warnings
    assert set(COLUMNS) <= set(kept)
    assert len(kept["plans"]["mean"]) == 4 * len(found.rules)
    manifest = json.loads((out / "manifest.json").read_text())
    assert "report.html" in manifest["files"]


def test_the_screen_gets_the_same(found, nothing, capsys):
    steps.show(found)
    text = capsys.readouterr().out
    assert text.index("Screening") < text.index("Plans for person A")
    assert "To wait a week for one more score" in " ".join(text.split())
    steps.show(nothing)
    assert "Excluded, never simulated" in capsys.readouterr().out
