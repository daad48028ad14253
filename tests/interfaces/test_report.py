"""The report: self-contained, every arm in it, and honest."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

import afterglow.simulate
from afterglow.interfaces import python, words
from drawn_runs import fake_simulate

COURSES = ("iv-induction", "ssri", "benzodiazepine", "usual-care")
VOID = {"meta", "br", "hr", "img", "input", "link"}


@pytest.fixture(scope="module")
def result():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(afterglow.simulate, "simulate_course", fake_simulate)
        return python.compare(COURSES, patients=30, weeks=8, draws=0)


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    out = result.save(tmp_path_factory.mktemp("report") / "X")
    return (out / "report.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Open tags, and all ids and addresses."""

    def __init__(self, text):
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


def test_it_is_well_formed_with_unique_ids(page):
    tags = Tags(page)
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    targets = {link.removeprefix("#") for link in tags.links if link.startswith("#")}
    assert targets <= set(tags.ids)


def test_no_request_leaves_the_machine(page):
    tags = Tags(page)
    assert not [address for address in tags.loads + tags.links if not address.startswith(("#", "data:"))]
    without_names = re.sub(r' xmlns(:\w+)?="[^"]*"', "", page)
    assert "http" not in re.sub(r"doi:\S+|http-equiv", "", without_names)
    assert "<script" not in page
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []
    assert "default-src 'none'" in page


def test_every_course_and_its_numbers_are_there(page, result):
    for run in result.active:
        assert run.course.title in page
        assert f">{run.arm}<" in page
    for text in ("Response", "Remission", "Relapse", "Worst dissociation", "Nausea", "Sedated"):
        assert text in page


def test_it_says_how_far_to_trust_it(page):
    for text in (words.NOTICE, words.DRUG_SHARE_SHORT, "unblinding", "inert", "assumed", "chance among 30 virtual"):
        assert text.replace("'", "&#x27;") in page
    assert "psilocybin" in page


def test_every_figure_has_words_and_a_table(page, result):
    assert page.count("<figure>") == page.count("<details>") == len(result.pictures())
    svgs = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(svgs) == sum(len(picture.panels) for picture in result.pictures())
    for svg in svgs:
        drawing = ET.fromstring(svg)
        assert len(drawing.get("aria-label", "")) > 20


def test_colours_and_fonts_follow_the_page(page):
    svgs = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL))
    assert not re.findall(r"#[0-9a-fA-F]{6}\b", svgs)
    assert "var(--ink)" in svgs
    assert "DejaVu" not in svgs


def test_titles_are_text_not_markup(tmp_path, monkeypatch):
    monkeypatch.setattr(afterglow.simulate, "simulate_course", fake_simulate)
    file = tmp_path / "odd.yaml"
    line = "{drug: ketamine, route: iv, dose: 0.5 mg/kg, over: 40 min, days: [1]}"
    file.write_text(f"course: odd\ntitle: <b>$x_2$ & more</b>\ndoses:\n  - {line}\n")
    result = python.compare([file], patients=4, weeks=1, draws=0)
    text = (result.save(tmp_path / "X") / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "&lt;b&gt;$x_2$ &amp; more&lt;/b&gt;" in text


def test_the_same_runs_make_the_same_page(result, page, tmp_path):
    assert (result.save(tmp_path / "again") / "report.html").read_text(encoding="utf-8") == page
