"""Story, code, share and download, and that others can use the page too: axe at both widths, light and dark."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from browser import CLAIMS, PATIENCE_MS, PHONE, WIDE, Visitor, held

STEPS = 6
VIEWS = ("explore", "forecast", "trial", "claims")


@pytest.mark.slow
def test_the_story_goes_through_six_steps(visit):
    seen = visit()
    seen.at("story").click()
    card, answer = seen.at("story-card"), seen.at("story-answer")
    for step in range(1, STEPS + 1):
        expect(card).to_contain_text(f"{step} of {STEPS}")
        expect(answer).not_to_contain_text("Computing")
        expect(answer.locator("dl.now dd").first).to_be_visible()
        first = answer.locator("dl.now").inner_text()
        seen.at("story-try").nth(1).click()
        expect(answer).not_to_contain_text("Computing")
        expect(answer.locator("dl")).to_have_count(2)
        assert answer.locator("dl.now").inner_text() != first
        assert seen.page.locator(".spotlit").count() > 0
        seen.at("story-next").click()
    expect(card).to_have_count(0)


def test_leaving_the_story_brings_the_page_back(visit):
    seen = visit()
    before = seen.rows()
    seen.at("story").click()
    expect(seen.at("story-answer")).not_to_contain_text("Computing")
    assert seen.rows() != before
    seen.page.keyboard.press("Escape")
    seen.rested()
    assert seen.rows() == before
    expect(seen.at("story")).to_be_focused()


def test_the_code_holds_the_doses_on_screen(visit):
    seen = visit()
    amount = seen.at("course-row").first.locator(".w-dose")
    amount.fill("0.73")
    amount.press("Tab")
    seen.rested()
    seen.at("code").click()
    expect(seen.at("code-tab").first).to_be_visible()
    texts = {one.inner_text(): "" for one in seen.at("code-tab").all()}
    for name in texts:
        seen.page.get_by_role("tab", name=name, exact=True).click()
        texts[name] = seen.page.locator(".code-panel:visible pre").inner_text()
    assert "afterglow simulate course.yaml" in texts["Command line"]
    assert "from afterglow.study.live import run" in texts["Python"]
    assert "0.73 mg/kg" in texts["Course file"]
    assert json.loads(texts["scenario.json"]) == seen.state()["scenario"]


def test_a_shared_address_restores_what_matters(visit):
    first = visit()
    first.at("preset").select_option("iv-single")
    first.at("versus").select_option("midazolam-single")
    first.at("window-1w").click()
    first.at("clock").press("End")
    first.rested()
    first.at("share").click()
    expect(first.at("toast")).to_be_visible()
    address = first.page.evaluate("navigator.clipboard.readText()")
    second = visit()
    second.page.goto("about:blank")
    second.page.goto(address)
    second.rested()
    assert held(address)["scenario"] == second.asked()[-1]["scenario"]

    def looks(seen: Visitor) -> list:
        texts = [seen.at(name).all_inner_texts() for name in ("number", "safety", "clock-said", "versus")]
        pressed = seen.page.locator('.segment[aria-pressed="true"]').all_inner_texts()
        panels = [one.inner_text() for one in seen.page.locator(".panel-head").all()]
        return [*texts, pressed, panels, seen.rows(), seen.chain(), held(seen.page.url)["window_h"]]

    assert looks(first) == looks(second)
    picture = "one => one.toDataURL()"
    pictures = [one.page.locator('[data-name="madrs"] canvas').evaluate(picture) for one in (first, second)]
    assert pictures[0] == pictures[1]


def test_an_address_that_cannot_be_read_gives_the_first_screen(visit, client):
    seen = visit()
    seen.page.goto("about:blank")
    seen.page.goto(f"{client.base_url}/#s=notastate")
    seen.rested()
    assert len(seen.rows()) == 6
    expect(seen.page.locator("body")).to_contain_text("The address could not be read")


def test_downloads_hold_what_is_on_screen(visit, client):
    seen = visit()
    seen.at("versus").select_option("ssri")
    seen.rested()
    answer = seen.answer()
    seen.at("download").click()
    files = {}
    for kind in ("csv", "png", "svg", "manifest"):
        with seen.page.expect_download() as found:
            seen.at(f"download-{kind}").click()
        assert answer["scenario_sha256"][:8] in found.value.suggested_filename
        files[kind] = Path(found.value.path()).read_bytes()
    rows = list(csv.DictReader(io.StringIO(files["csv"].decode())))
    sources = {
        "course": answer["panels"],
        "ssri": answer["versus"]["panels"],
        "course minus ssri": answer["versus"]["difference"],
    }
    assert {row["arm"] for row in rows} == set(sources)
    for arm, panels in sources.items():
        mine = [row for row in rows if (row["arm"], row["panel"]) == (arm, "madrs")]
        assert [float(row["time_h"]) for row in mine] == answer["time_h"]
        for key in ("median", "lo90", "hi90"):
            assert [float(row[key]) for row in mine] == panels["madrs"][key]
    assert files["png"].startswith(b"\x89PNG\r\n\x1a\n")
    assert files["png"].endswith(b"IEND\xaeB`\x82")
    assert len(files["png"]) > 10_000
    assert ET.fromstring(files["svg"]).tag.endswith("svg")
    assert b"<path" in files["svg"]
    manifest = json.loads(files["manifest"])
    assert manifest["model_sha256"] == client.get("/api/about").json()["model_sha256"]
    assert manifest["seed"] == manifest["scenario"]["seed"] == 1
    assert manifest["numbers"] == answer["numbers"]


def _grave(seen: Visitor) -> list[str]:
    found = Axe().run(seen.page).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.slow
@pytest.mark.parametrize("view", [*VIEWS, "story", "tables"])
def test_axe_finds_nothing_serious(visit, view):
    shown = {"story": {"story": 4}, "tables": {"table": True}, "claims": {}}.get(view, {"view": view})
    seen = visit(**shown)
    if view == "claims":
        seen.page.route("**/api/claims", lambda route: route.fulfill(json=CLAIMS))
        seen.at("tab-claims").click()
        expect(seen.at("claim-card")).to_have_count(len(CLAIMS))
    if view == "forecast":
        expect(seen.at("forecast-run")).to_be_enabled(timeout=4 * PATIENCE_MS)
    found = []
    for size in (WIDE, PHONE):
        seen.page.set_viewport_size({"width": size[0], "height": size[1]})
        for scheme in ("light", "dark"):
            seen.page.emulate_media(color_scheme=scheme)
            found += [f"{size[0]} {scheme} {one}" for one in _grave(seen)]
    assert not found


@pytest.mark.parametrize("name", ["code", "download", "about"])
def test_axe_finds_nothing_serious_in_dialogs(visit, name):
    seen = visit()
    seen.at(name).click()
    expect(seen.at("dialog").locator("[aria-busy]")).to_have_count(0)
    assert not _grave(seen)


@pytest.mark.parametrize("view", ["explore", "forecast", "trial"])
def test_nothing_runs_over_the_edge_of_a_phone(visit, view):
    seen = visit(PHONE, view=view)
    for width in (390, 360):
        seen.page.set_viewport_size({"width": width, "height": 844})
        seen.page.wait_for_function(f"() => innerWidth === {width} && document.documentElement.scrollWidth <= {width}")
