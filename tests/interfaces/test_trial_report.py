"""The page of a simulated trial: self-contained, and its numbers are those of the tables and of the example."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from matplotlib.textpath import TextPath

from afterglow.clinic.files import parse
from afterglow.clinic.scenarios import scenarios
from afterglow.clinic.trial_parts import Then
from afterglow.interfaces import canvas, drawing, trial_blinding, trial_flow, trial_marks, trial_patients, trial_report
from afterglow.study import trial_study, trial_summary
from afterglow.study.trial_result import TrialResult

COMMAND = "afterglow trial small --replicates 6 --seed 3"
REPLICATES, SEED = 6, 3
SUMMED = {"arms": "visits", "flow": "flow", "guesses": "guesses"}  # summary -> table of replicates
VOID = {"meta", "br", "hr", "img", "input", "link"}
SMALL = """
trial: small
title: "Ketamine & midazolam <small>"
population: {from: trd, madrs: {mean: 33, sd: 5.5}, entry: MADRS >= 28}
arms:
  - {name: ketamine, title: ketamine 0.5 mg/kg, course: iv-single, n: SIZE}
  - {name: midazolam, title: midazolam, control: midazolam, n: 8}
blinding: {patients: double-blind, raters: RATERS, asked: [24 h]}
leaving: {at_random: 20 %}
visits: [24 h, 7 d, 14 d]
endpoints:
  - {measure: change, at: 7 d, analysis: mmrm}
  - {measure: response, at: 24 h}
  - {measure: relapse, analysis: rmst}
assumed: ["sizes < 20"]
"""


def simulated(text: str, worlds: tuple[str, ...]) -> TrialResult:
    plan = trial_study.Plan(scenarios(parse(text, "small.yaml")), worlds, REPLICATES, SEED)
    parts = [trial_study.work(task.argument) for task in trial_study.pieces(plan)]
    every = {name: pd.concat([part[name] for part in parts], ignore_index=True) for name in parts[0]}
    return trial_study.result(plan, every, ["dose < studied"])


@pytest.fixture(scope="module")
def result() -> TrialResult:
    worlds = ("posterior", "mean", "masked", "inert")
    return simulated(SMALL.replace("SIZE", "10").replace("RATERS", "site"), worlds)


@pytest.fixture(scope="module")
def page(result) -> str:
    return trial_report.build(result, COMMAND)


@pytest.fixture(scope="module")
def many() -> TrialResult:
    text = SMALL.replace("SIZE", "[6, 10]").replace("RATERS", "[site, remote]")
    return simulated(text.replace("  - {measure: relapse, analysis: rmst}\n", ""), ("posterior",))


class Tags(HTMLParser):
    """Open tags, and all ids and addresses."""

    def __init__(self, text: str):
        super().__init__()
        self.open, self.ids, self.loads, self.links, self.headings = [], [], [], [], []
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
    return re.sub(r"<[^>]+>", " ", html).replace("\u00a0", " ")


def section(page: str, name: str) -> str:
    found = re.search(rf'<section id="{name}".*?</section>', page, re.DOTALL)
    assert found, name
    return words_of(found[0])


def test_it_is_well_formed_with_unique_ids(page):
    tags = Tags(page)
    assert not tags.open
    assert len(tags.ids) == len(set(tags.ids))
    assert {link.removeprefix("#") for link in tags.links} <= set(tags.ids)
    assert "Ketamine &amp; midazolam &lt;small&gt;" in page
    assert "dose &lt; studied" in page


def test_no_request_leaves_the_machine(page):
    tags = Tags(page)
    assert not [address for address in tags.loads + tags.links if not address.startswith("#")]
    assert "http" not in re.sub(r"doi:\S+|http-equiv", "", re.sub(r' xmlns(:\w+)?="[^"]*"', "", page))
    assert "<script" not in page
    assert re.findall(r"url\(|@import", page) == []
    assert "default-src 'none'" in page


def test_every_figure_has_words_and_a_table(result, page):
    pictures = trial_report.pictures(result)
    assert [one.name for one in pictures] == ["flow", "visits", "unblinding", "waterfall", "survival", "power"]
    for one in pictures:
        assert len(one.table)
        assert len(one.caption) > 40
        for panel in one.panels:
            assert len(panel.alt) > 20
            assert "nan" not in panel.alt
            ET.fromstring(canvas.svg(panel))
    for found in re.findall(r"<section.*?</section>", page, re.DOTALL):
        if "<svg" in found:
            assert "<figcaption>" in found
            assert "<table>" in found
            assert found.count('role="img" aria-label="') == found.count("<svg")


def test_pictures_stay_in_their_panels(result, many):
    for picture in (*trial_report.pictures(result), *trial_report.pictures(many)):
        for panel in picture.panels:
            sheet = canvas.Sheet()
            panel.draw(sheet)
            for mark in sheet.marks:
                if isinstance(mark, canvas.Words) and mark.text:
                    assert -2 <= mark.y <= panel.height, (picture.name, mark.text)
                    wide = TextPath((0, 0), mark.text, size=mark.size).get_extents().width
                    left = mark.x - {"left": 0.0, "center": 0.5, "right": 1.0}[mark.ha] * wide
                    assert left >= -4, (picture.name, mark.text)
                    assert left + wide <= panel.width + 4, (picture.name, mark.text)
                elif isinstance(mark, canvas.Line | canvas.Shape):
                    places = np.vstack(list(mark.paths))
                    assert np.isfinite(places).all(), picture.name
                    assert places.min() >= -8, picture.name
                    assert (places.max(axis=0) <= (panel.width + 8, panel.height + 8)).all(), picture.name


def test_pictures_can_be_saved(result):
    assert all(drawing.png(one).startswith(b"\x89PNG") for one in trial_report.pictures(result)[:1])


def test_the_answer_is_that_of_the_tables(result, page):
    rows = result.tables["operating_characteristics"]
    row = rows[rows["endpoint"] == 1].iloc[0]
    answer = section(page, "answer")
    for name in ("assurance", "power_at_mean"):
        assert f"{100 * row[name]:.0f} %" in answer
        assert f"{100 * row[f'{name}_lo90']:.0f} to {100 * row[f'{name}_hi90']:.0f} %" in answer
    for name in ("power_masked", "power_inert"):
        assert f"success {100 * row[name]:.0f} %" in answer
    estimates = result.tables["estimates"]
    for name in ("posterior", "masked", "inert"):
        own = estimates[(estimates["endpoint"] == 1) & (estimates["world"] == name)]["estimate"]
        assert f"{trial_marks.signed(own.mean())} points" in answer


def test_every_endpoint_is_listed(result, page):
    listed = section(page, "endpoints")
    assert "change of MADRS, week 1" in listed
    assert "response (MADRS), day 1" in listed
    assert "relapse (MADRS)" in listed
    rows = result.tables["operating_characteristics"]
    for share in rows["coverage95"].dropna():
        assert f"{100 * share:.0f} %" in listed


def test_people_add_up(result):
    top, arms = trial_flow.flow_counts(result)
    counts = {one.words: one.example for one in top}
    found = result.example.found
    assert counts["rated for entry"] == found.rated > counts["enrolled"] == len(found.people)
    assert counts["randomised"] == found.randomised.sum() == sum(one[0].example for one in arms.values())
    for k, people in enumerate(arms.values()):
        by = {one.words: one.example for one in people}
        left = sum(number for name, number in by.items() if name.startswith("left"))
        assert by["allocated"] == by["completed"] + left == (found.arm == k).sum()
        assert by["analysed"] <= by["allocated"]
    means = result.tables["flow"][result.tables["flow"]["world"] == "posterior"]
    assert sum(one[0].mean for one in arms.values()) == pytest.approx(means["randomised"].sum())


def test_the_dots_are_the_means_of_the_example(result):
    table = next(one.table for one in trial_report.pictures(result) if one.name == "visits")
    mmrm = result.example.analysis.mmrm("MADRS")
    drawn = table[(table["arm"] == "midazolam") & (table["visit"] == "7 d")].iloc[0]
    found = mmrm.ls_mean(1, 1)
    low, high = found.interval(0.9)
    assert drawn["example"] == round(found.estimate, 2)
    assert (drawn["example_lo90"], drawn["example_hi90"]) == (round(low, 2), round(high, 2))
    arms = result.tables["arms"]
    row = arms[(arms["world"] == "posterior") & (arms["arm"] == "midazolam") & (arms["visit"] == "7 d")].iloc[0]
    assert drawn["replicates"] == round(row["lsmean"], 2)


def test_bangs_index_is_right_less_wrong(result):
    for row in trial_blinding.guess_rows(result):
        right = row["guess"] if row["arm"] == "ketamine" else 1 - row["guess"]
        assert row["bang"] == pytest.approx(right - (1 - right))
        assert row["bang_lo90"] <= row["bang_hi90"]


def test_no_index_where_arms_change_treatment(result):
    trial = result.scenarios[0].trial
    then = (Then(course="iv-single", day=8),)
    arms = tuple(arm.model_copy(update={"then": then}) for arm in trial.arms)
    changing = replace(result.scenarios[0], trial=trial.model_copy(update={"arms": arms}))
    one, other = (trial_blinding.unblinding(each) for each in (result, replace(result, scenarios=[changing])))
    assert one is not None
    assert other is not None
    assert "bang" in [panel.name for panel in one.panels]
    assert "bang" not in [panel.name for panel in other.panels]
    assert not other.table["what"].str.contains("Bang").any()


def test_every_patient_seen_is_a_bar(result):
    picture = next(one for one in trial_report.pictures(result) if one.name == "waterfall")
    scores = result.example.analysis.data.scores("MADRS")
    assert len(picture.table) == int((~np.isnan(scores[:, 2])).sum())
    halved = scores[:, 2] <= 0.5 * scores[:, 0]
    assert (picture.table["responder"] == "True").sum() == halved.sum()


def test_numbers_at_risk_are_counts(result):
    endpoint = trial_patients.timed(result)[0]
    table = next(one.table for one in trial_report.pictures(result) if one.name == "survival")
    found = result.example.analysis.data.events(endpoint)
    arm = result.example.analysis.data.arm
    for k, one in enumerate(trial_patients.followed(result, endpoint)):
        days = found.days[found.at_risk & (arm == k)]
        rows = table[table["arm"] == one.title]
        at_risk = rows["at_risk"].tolist()
        assert at_risk == [(days >= day).sum() for day in rows["day"]]
        assert at_risk[0] == len(days)
        x, y = one.steps()
        assert (np.diff(x) >= 0).all()
        assert (np.diff(y) <= 1e-9).all()
        assert y[0] == 100
        assert x[-1] == days.max()


def test_without_censoring_the_curve_is_the_share_left():
    days = np.array([1.0, 2.0, 2.0, 5.0])
    one = trial_patients.Followed("arm", days, np.ones(4, bool))
    x, y = one.steps()
    for day in (0.5, 1.5, 3.0):
        assert y[np.searchsorted(x, day) - 1] == pytest.approx(100 * (days > day).mean())


def test_scenarios_are_compared(many):
    page = trial_report.build(many, COMMAND)
    assert not Tags(page).open
    listed = section(page, "scenario-table")
    rows = many.tables["operating_characteristics"]
    rows = rows[rows["endpoint"] == 1]
    assert len(rows) == 4
    shown = re.search(r'<section id="scenario-table".*?</section>', page, re.DOTALL)
    assert shown is not None
    assert shown[0].count("<tr>") == 1 + len(rows)
    for row in rows.to_dict("records"):
        assert f"{100 * row['assurance']:.0f} %" in listed
    assert "n of ketamine 6, raters site" in section(page, "scenarios")
    assert "first of 4 scenarios" in words_of(page)
    assert page.count("Of the first scenario: n of ketamine 6, raters site.") == 5
    picture = trial_report.pictures(many)[-1]
    order = picture.table["scenario"].tolist()
    assert order == [f"n of ketamine {n}, raters {who}" for n in (6, 10) for who in ("site", "remote")]


def test_a_trial_of_one_arm_has_a_page_without_comparison():
    text = re.sub(r"  - {name: midazolam.*\n", "", SMALL.replace("SIZE", "10").replace("RATERS", "site"))
    plan = trial_study.Plan(scenarios(parse(text, "one.yaml")), ("posterior",), REPLICATES, SEED)
    parts = trial_study.work(next(iter(trial_study.pieces(plan))).argument)
    made = {name: getattr(trial_summary, name)(parts[table]) for name, table in SUMMED.items()}
    empty = dict.fromkeys(("contrasts", "operating_characteristics", "power_curve", "estimates"), pd.DataFrame())
    one = TrialResult(
        list(plan.scenarios), ["posterior"], SEED, REPLICATES, made | empty, trial_study.example(plan), []
    )
    page = trial_report.build(one, COMMAND)
    assert not Tags(page).open
    answer = section(page, "answer")
    at_7_d = made["arms"][made["arms"]["visit"] == "7 d"].iloc[0]
    assert "nothing is compared" in answer
    assert f"{trial_marks.signed(at_7_d['change'])} points" in answer
    assert 'id="endpoints"' not in page
    assert [picture.name for picture in trial_report.pictures(one)] == [
        "flow", "visits", "unblinding", "waterfall", "survival"
    ]  # fmt: skip


def test_what_was_assumed_and_how_to_repeat_it(page):
    assumed = section(page, "assumed")
    assert "sizes &lt; 20" in assumed
    assert "20 % a week" in assumed
    assert "Their weights are assumed" in assumed
    design = section(page, "design")
    assert "name: ketamine" in design
    assert "MADRS &gt;= 28" in design
    footer = words_of(page[page.index("<footer>") :])
    assert COMMAND in footer
    assert f"Seed {SEED};" in footer
    assert "posterior, mean, masked, inert" in footer
    assert "numpy" in footer


def test_it_says_that_it_is_simulated(page):
    text = words_of(page)
    assert "Simulated. Research and planning model" in text
    assert "Not a medical device" in text
    assert "How much of the effect is the drug itself is not known." in text


def test_one_result_makes_one_page(result, page):
    assert trial_report.build(result, COMMAND) == page


def test_a_ratio_is_written_as_a_ratio():
    hazard = trial_marks.unit("relapse", "cox")
    assert hazard.text(math.log(0.5)) == "0.50"
    assert hazard.between(math.log(0.25), 0.0) == "0.25 to 1.00"
    places, names = hazard.ticks((math.log(0.2), math.log(3)))
    assert [float(name) for name in names] == pytest.approx(np.exp(places))
    assert trial_marks.unit("response", "risk-difference").text(0.25) == "+25"
    assert trial_marks.unit("change", "mmrm").text(math.nan) == "–"


@pytest.mark.parametrize("visits_h", [[0.0, 4.0, 24.0], [0.0, 24.0, 168.0], [0.0, 168.0, 24.0 * 900]])
def test_time_runs_from_left_to_right(visits_h):
    axis = trial_marks.TimeAxis(visits_h)
    places = axis.at(np.linspace(0, visits_h[-1], 200))
    assert (np.diff(places) > 0).all()
    assert (places[0], places[-1]) == (0, pytest.approx(1))
    sheet = canvas.Sheet()
    axis.draw(trial_marks.Plot(sheet, (0, 0, 300, 100), (0, 1), (0, 1)))
    names = [mark for mark in sheet.marks if isinstance(mark, canvas.Words)]
    gaps = np.diff([mark.x for mark in names])
    assert len(names) >= 3
    assert gaps.min() > 12
