"""The first screen without a click, and that what it says are the numbers of the Python API."""

import re
import socket
import subprocess
import sys

import pytest
from playwright.sync_api import expect

from afterglow.study import live
from afterglow.study.live_scenario import scenario_from_data
from browser import PHONE, WIDE, Visitor, at_time, numeral, same

FIRST_CLOCK_H = 26.0


@pytest.mark.parametrize(("size", "dark"), [(WIDE, False), (WIDE, True), (PHONE, False), (PHONE, True)])
def test_the_first_screen_is_there_without_a_click(visit, size, dark):
    seen = visit(size, dark)
    assert [(dose, minutes) for _, dose, minutes in seen.rows()] == [(0.5, 40.0)] * 6
    assert max(day for day, _, _ in seen.rows()) <= 14
    assert list(seen.chain()) == ["plasma", "receptor", "glutamate", "bdnf", "synapses", "network", "belief", "mood"]
    assert max(seen.chain().values()) > 20
    assert seen.at("panel").count() == 3
    assert seen.at("dose-mark").count() == 6
    expect(seen.page.locator("#strip")).to_contain_text("Not a medical device")
    for one in seen.at("number").all():
        expect(one.locator(".range")).to_contain_text(re.compile(r"\d+ to \d+|within 8 weeks"))
    page = seen.page
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    drawn = "all => all.every(one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some(v => v))"
    assert page.locator(".panel canvas").evaluate_all(drawn)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(int(v) for v in re.findall(r"\d+", ground)[:3]) < 200) == dark


def test_numbers_on_the_page_are_those_of_the_python_api(visit, scenario):
    seen = visit()
    same_run = live.run(scenario_from_data(scenario), people=1000)
    for one in same_run.numbers:
        card = seen.at("number", key=one.key)
        if one.value is None:
            expect(card.locator(".value")).to_have_text("not reached")
            continue
        lo, hi = re.findall(r"[\d.]+", card.locator(".range").inner_text())[:2]
        for shown, value in zip(
            (card.locator(".value").inner_text(), lo, hi), (one.value, one.lo90, one.hi90), strict=True
        ):
            assert abs(numeral(shown) - value) <= 0.5 if one.unit == "%" else same(numeral(shown), value, 2)
    for row in same_run.safety:
        cells = seen.at("safety").locator(f'tr[data-key="{row.key}"] td').all_inner_texts()
        assert same(numeral(cells[0]), row.value, 2)
        assert same(numeral(cells[1]), row.p95, 2)
    for name in seen.at("panel").evaluate_all("all => all.map(one => one.dataset.name)"):
        said, band = seen.panel(name), same_run.panels[name]
        for key, shown in said.items():
            value = at_time({"time_h": same_run.time_h}, getattr(band, key), FIRST_CLOCK_H)
            assert same(shown, value)


def test_the_command_serves_it(chromium):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "afterglow", "serve", "--port", str(port), "--no-browser", "--workers", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            assert address == f"http://127.0.0.1:{port}/"
            seen = Visitor(chromium, address).open()
            assert seen.at("number").count() == 3
            seen.close()
        finally:
            server.terminate()


def test_each_part_opens_its_equations_and_sources(visit):
    seen = visit()
    for part in seen.at("chain-part").all():
        part.click()
        dialog = seen.at("system-dialog")
        expect(dialog.locator("pre.equations")).to_contain_text("=")
        rows = dialog.locator("table.parameters tbody tr")
        assert rows.count() > 0
        assert all(text.strip() for text in rows.locator("td:last-child").all_inner_texts())
        assert all(one.get_attribute("href").startswith("https://") for one in rows.locator("a").all())
        seen.page.keyboard.press("Escape")
        expect(dialog).to_have_count(0)
        expect(part).to_be_focused()


def test_light_and_dark_can_be_chosen(visit):
    seen = visit()
    ground = "getComputedStyle(document.body).backgroundColor"
    light = seen.page.evaluate(ground)
    seen.at("theme").click()
    assert seen.page.evaluate(ground) != light
    seen.at("theme").click()
    assert seen.page.evaluate(ground) == light
    assert seen.page.evaluate("document.documentElement.dataset.theme") == "light"


def test_everything_is_reached_by_tab(visit):
    seen = visit()
    found = set()
    for _ in range(130):
        seen.page.keyboard.press("Tab")
        found.add(seen.page.evaluate("document.activeElement.dataset.testid ?? document.activeElement.tagName"))
    wanted = {
        "tab-explore", "tab-claims", "story", "code", "share", "download", "theme", "about", "preset", "remove-dose",
        "add-dose", "add-therapy", "add-stress", "drug", "route", "dose-slider", "who-person", "versus", "chain-part",
        "dose-mark", "weeks", "panel-menu", "table-toggle", "play", "clock", "window-1d", "why",
    }  # fmt: skip
    assert wanted <= found


def test_what_it_is_and_is_not_is_told(visit, client):
    seen = visit()
    about = client.get("/api/about").json()
    seen.at("about").click()
    for key in ("notice", "drug_share", "bands", "not_modelled"):
        expect(seen.at("dialog")).to_contain_text(about[key])
