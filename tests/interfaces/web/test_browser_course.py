"""Changing the course, the people and what it is compared with, as a person does: with a mouse, a finger and keys."""

import numpy as np
import pytest
from playwright.sync_api import expect

from browser import PHONE, Visitor, at_time, numeral, same, until

DAY_H, WEEK_H = 24.0, 168.0
FEW, MANY = 104, 1000


def _days(seen: Visitor) -> list[float]:
    return [day for day, _, _ in seen.rows()]


def _places(seen: Visitor) -> list[tuple[float, float]]:
    """Where the heads of the marks are on the screen."""
    boxes = [one.bounding_box() for one in seen.at("dose-mark").locator(".foot").all()]
    return [(box["x"] + box["width"] / 2, box["y"] - 8) for box in boxes if box]


def _middle(answer: dict, panel: str, from_h: float, to_h: float) -> float:
    """Mean of a median over a span of time."""
    return float(
        np.mean([at_time(answer, answer["panels"][panel]["median"], h) for h in np.linspace(from_h, to_h, 200)])
    )


def test_a_dose_is_dragged_to_another_day_and_back_by_undo(visit):
    seen = visit()
    before, asked = _days(seen), len(seen.asked())
    places = _places(seen)
    (x, y), per_day = places[-1], (places[-1][0] - places[0][0]) / (before[-1] - before[0])
    mouse = seen.page.mouse
    mouse.move(x, y)
    mouse.down()
    for step in range(1, 11):
        mouse.move(x + step * per_day, y)
        seen.page.wait_for_timeout(40)
    assert _days(seen)[-1] == before[-1] + 10
    mouse.up()
    seen.rested()
    sent = seen.asked()[asked:]
    dragged = [one for one in sent if one["people"] == FEW and one["coarse"]]
    assert len(dragged) >= 2
    assert (sent[-1]["people"], sent[-1]["coarse"]) == (MANY, False)
    assert sent[-1]["scenario"]["course"]["doses"][-1]["days"][-1] == before[-1] + 10
    seen.at("undo").click()
    seen.rested()
    assert _days(seen) == before


def test_a_finger_drags_a_dose_on_a_phone(visit):
    seen = visit(PHONE)
    before = _days(seen)
    seen.at("timeline").scroll_into_view_if_needed()
    places = _places(seen)
    (x, y), per_day = places[-1], (places[-1][0] - places[0][0]) / (before[-1] - before[0])
    finger = seen.context.new_cdp_session(seen.page)

    def touch(kind: str, *points: float) -> None:
        at = [{"x": one, "y": y} for one in points]
        finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    touch("touchStart", x)
    for step in range(1, 15):
        touch("touchMove", x + step * per_day)
    touch("touchEnd")
    seen.rested()
    assert _days(seen)[:-1] == before[:-1]
    assert _days(seen)[-1] == pytest.approx(before[-1] + 14, abs=1)


def test_doses_are_added_and_removed(visit):
    seen = visit()
    before = _days(seen)
    places = _places(seen)
    per_day = (places[-1][0] - places[0][0]) / (before[-1] - before[0])
    seen.page.mouse.click(places[0][0] + (30 - before[0]) * per_day, places[0][1])
    seen.rested()
    assert _days(seen) == [*before, 30]
    seen.at("add-dose").click()
    assert len(_days(seen)) == 8
    seen.at("remove-dose").nth(0).click()
    seen.rested()
    assert _days(seen)[:-1] == [*before[1:], 30]
    assert len(seen.answer()["doses"]) == 7
    for _ in range(3):
        seen.at("undo").click()
    seen.rested()
    assert _days(seen) == before
    expect(seen.at("undo")).to_be_disabled()


def test_keys_move_choose_and_remove_a_dose(visit):
    seen = visit()
    before, keys = _days(seen), seen.page.keyboard
    seen.at("dose-mark").first.focus()
    keys.press("End")
    expect(seen.at("dose-mark").last).to_be_focused()
    for _ in range(3):
        keys.press("ArrowRight")
    assert _days(seen)[-1] == before[-1] + 3
    keys.press("Shift+ArrowLeft")
    assert _days(seen)[-1] == pytest.approx(before[-1] + 3 - 1 / 24, abs=1e-3)
    keys.press("ArrowUp")
    keys.press("Delete")
    assert len(_days(seen)) == 5
    assert before[-2] not in _days(seen)
    keys.press("Enter")
    expect(seen.at("dose-slider")).to_be_focused()
    seen.rested()


def test_the_table_changes_day_dose_and_minutes(visit):
    seen = visit()
    row = seen.at("course-row").nth(1)
    for box, value in zip(row.locator("input").all(), ("4", "0.8", "60"), strict=True):
        box.fill(value)
        box.press("Tab")
    seen.rested()
    assert seen.rows()[1] == (4, 0.8, 60)
    given = seen.answer()["doses"][1]
    assert given["time_h"] == 3 * DAY_H
    assert given["over_h"] == pytest.approx(1.0)


def test_a_route_chip_changes_the_route_of_all_doses(visit):
    seen = visit()
    seen.at("route", name="sublingual").click()
    seen.rested()
    assert {one["route"] for one in seen.answer()["doses"]} == {"sublingual"}
    expect(seen.at("route", name="sublingual")).to_have_attribute("aria-pressed", "true")
    seen.at("scope-one").click()
    seen.at("route", name="iv").click()
    seen.rested()
    assert sorted(one["route"] for one in seen.answer()["doses"]) == ["iv", *["sublingual"] * 5]


def test_the_dose_slider_warns_outside_the_studied_range(visit):
    seen = visit()
    expect(seen.at("limits")).not_to_have_class("outside")
    cadss = seen.answer()["safety"][0]["value"]
    seen.at("dose-slider").focus()
    seen.page.keyboard.press("End")
    seen.page.keyboard.press("Tab")
    seen.rested()
    expect(seen.at("limits")).to_contain_text("Outside what has been studied")
    expect(seen.page.locator(".dose-note")).to_contain_text("Outside the studied range")
    assert seen.answer()["warnings"]
    assert seen.answer()["safety"][0]["value"] > cadss
    assert seen.rows()[0][1] > 0.5


def test_a_dose_above_the_bound_is_refused_at_its_row(visit):
    seen = visit()
    amount = seen.at("course-row").first.locator(".w-dose")
    amount.fill("500")
    amount.press("Tab")
    expect(seen.at("row-fault").first).to_contain_text("mg/kg")
    expect(seen.at("fault")).to_contain_text("What you see is the last answer")
    seen.at("undo").click()
    seen.rested()
    expect(seen.at("fault")).to_have_count(0)


@pytest.mark.parametrize("other", ["ssri", "benzodiazepine", "psychotherapy", "saline-single"])
def test_a_comparator_is_a_ghost_with_a_difference(visit, other):
    seen = visit()
    before = seen.page.locator('[data-name="madrs"] canvas').screenshot()
    seen.at("versus").select_option(other)
    seen.rested()
    answer, clock = seen.answer(), seen.state(lambda now: now["scenario"]["versus"] == other)["clock_h"]
    assert answer["versus"]["name"] == other
    said = seen.panel("difference")
    for key, shown in said.items():
        assert same(shown, at_time(answer, answer["versus"]["difference"]["madrs"][key], clock))
    ghost = at_time(answer, answer["versus"]["panels"]["madrs"]["median"], clock)
    told = seen.at("panel", name="madrs").locator(".panel-plot").get_attribute("aria-label") or ""
    assert same(numeral(told.split("comparator's median there is ")[1].rstrip(".")), ghost)
    assert seen.page.locator('[data-name="madrs"] canvas').screenshot() != before


def test_a_course_is_kept_and_changed_a_against_b(visit):
    seen = visit(clock_h=4 * WEEK_H)
    seen.at("keep").click()
    seen.rested()
    assert seen.panel("difference")["median"] == 0
    seen.at("preset").select_option("iv-single")
    seen.rested()
    assert seen.panel("difference")["median"] != 0
    assert len(seen.answer()["doses"]) == 1


@pytest.mark.slow
def test_stress_raises_and_therapy_lowers_the_score(visit):
    seen = visit(clock_h=14 * DAY_H)
    plain = _middle(seen.answer(), "madrs", 2 * WEEK_H, 4 * WEEK_H)
    seen.at("add-stress").click()
    seen.rested()
    expect(seen.at("stress-row")).to_have_count(1)
    stressed = _middle(seen.answer(), "madrs", 2 * WEEK_H, 4 * WEEK_H)
    assert stressed > plain
    for _ in range(4):
        seen.at("add-therapy").click()
    seen.rested()
    expect(seen.at("therapy-row").locator(".days")).to_have_value("15, 22, 29, 36")
    plain, treated = stressed, _middle(seen.answer(), "madrs", 4 * WEEK_H, 8 * WEEK_H)
    seen.at("remove-therapy").click()
    seen.rested()
    assert treated < _middle(seen.answer(), "madrs", 4 * WEEK_H, 8 * WEEK_H)


def test_a_drug_taken_daily_is_added_and_removed(visit):
    seen = visit()
    seen.at("add-daily").click()
    seen.rested()
    assert max(seen.answer()["daily"]) == 1
    seen.at("remove-daily").click()
    seen.rested()
    assert max(seen.answer()["daily"]) == 0


@pytest.mark.slow
def test_one_person_and_another_like_this(visit):
    seen = visit()
    assert seen.answer()["panels"]["madrs"]["one"] is None
    seen.at("who-person").click()
    seen.rested()
    first = seen.answer()["panels"]["madrs"]["one"]
    seen.at("another").click()
    seen.rested()
    second = seen.answer()["panels"]["madrs"]["one"]
    expect(seen.page.locator(".person")).to_contain_text("person 2")
    assert not np.allclose(first, second)
    mg = seen.answer()["doses"][0]["mg_mean"]
    seen.at("who-weight").fill("150")
    seen.at("who-weight").press("Tab")
    seen.rested()
    assert seen.answer()["doses"][0]["mg_mean"] == pytest.approx(2 * mg, rel=0.02)
    seen.at("who-mdd").click()
    seen.rested()
    expect(seen.page.locator(".person")).to_be_hidden()


def test_why_the_band_is_wide(visit, client, scenario):
    seen = visit()
    seen.at("why").click()
    picture = seen.page.locator("svg.why")
    told = picture.get_attribute("aria-label") or ""
    parts = client.post("/api/why", json={"scenario": scenario}).json()["parts"]
    for part in parts:
        shown = told.split(f"{part['title']}: ")[1].split(". ")[0]
        assert same(numeral(shown), part["width_mean"], 2)
    expect(seen.page.locator(".why-help dt")).to_have_text([one["title"] for one in parts])


def test_the_rated_score_is_wider_than_the_true_one(visit):
    seen = visit()
    true = seen.panel("madrs")
    seen.page.get_by_role("button", name="As rated").click()
    rated, answer = seen.panel("madrs"), seen.answer()
    expect(seen.at("panel", name="madrs")).to_contain_text("as rated")
    assert rated != true
    clock = seen.state(lambda now: now["rated"])["clock_h"]
    for key, shown in rated.items():
        assert same(shown, at_time(answer, answer["rated"][key], clock))


def test_the_tables_say_what_the_plots_show(visit):
    seen = visit()
    seen.at("versus").select_option("ssri")
    seen.rested()
    seen.at("table-toggle").click()
    answer = seen.answer()
    hours = np.linspace(0, 8 * WEEK_H, 15)
    for name in ("madrs", "difference"):
        bands = answer["versus"]["difference"]["madrs"] if name == "difference" else answer["panels"][name]
        rows = seen.at("panel", name=name).locator("tbody tr").all()
        assert len(rows) == 15
        for at, row in zip(hours, rows, strict=True):
            median, *ranges = row.locator("td").all_inner_texts()
            assert same(numeral(median), at_time(answer, bands["median"], at))
            for level, text in zip((50, 80, 90), ranges, strict=False):
                lo, hi = (numeral(part) for part in text.split(" to "))
                assert same(lo, at_time(answer, bands[f"lo{level}"], at), 2)
                assert same(hi, at_time(answer, bands[f"hi{level}"], at), 2)
    assert not seen.page.locator(".panel-plot:visible").count()


def test_panels_are_chosen(visit):
    seen = visit()
    seen.at("panel-menu").click()
    chip = seen.page.locator('[data-testid="panel-chip"][aria-pressed="false"]:visible').first
    name = chip.get_attribute("data-name") or ""
    chip = seen.at("panel-chip", name=name)
    chip.click()
    expect(seen.at("panel", name=name)).to_have_count(1)
    chip.click()
    expect(seen.at("panel", name=name)).to_have_count(0)


def test_a_rival_mechanism_takes_the_effect_away(visit):
    seen = visit()
    seen.at("variant").select_option("inert")
    until(lambda: seen.asked()[-1]["scenario"]["variant"] == "inert", seen)
    seen.rested()
    assert seen.state(lambda now: now["scenario"]["variant"] == "inert")
