"""Clock and windows, forecasts, trials and claims, as a person uses them."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from afterglow.interfaces.web import models
from browser import CLAIMS, PATIENCE_MS, Visitor, at_time, numeral, until

WEEKS_H = 8 * 168
PATIENCE = 4 * PATIENCE_MS


def test_scrubbing_moves_the_clock_and_lights_the_chain(visit):
    seen = visit()
    seen.at("clock").focus()
    seen.page.keyboard.press("Home")
    expect(seen.at("clock-said")).to_have_text("0\u202fmin")
    assert set(seen.chain().values()) <= {0}
    seen.at("window-3h").click()
    for _ in range(40):
        seen.at("clock").press("ArrowRight")
    expect(seen.at("clock-said")).to_have_text("40\u202fmin")
    lit, answer = seen.chain(), seen.answer()
    for key, shown in lit.items():
        assert abs(shown - 100 * at_time(answer, answer["chain"][key], 40 / 60)) <= 1
    assert lit["plasma"] > 80
    assert lit["network"] < 20
    expect(seen.at("chain-part", key="plasma")).to_have_class(re.compile(r"\blit\b"))


def test_play_moves_the_clock_until_it_is_paused(visit):
    seen = visit(clock_h=0, window_h=[0, 3])
    seen.at("speed").select_option("4")
    seen.at("play").click()
    expect(seen.at("play")).to_have_attribute("aria-label", "Pause")
    until(lambda: seen.chain()["plasma"] > 10, seen)
    seen.at("play").click()
    stopped = seen.at("clock-said").inner_text()
    seen.page.wait_for_timeout(200)
    assert seen.at("clock-said").inner_text() == stopped
    assert stopped != "0\u202fmin"
    expect(seen.at("play")).to_have_attribute("aria-label", "Play")


def test_windows_go_from_hours_to_all_and_a_drag_zooms(visit):
    seen = visit()
    for testid, hours in (("3h", 3), ("1d", 24), ("1w", 168), ("2w", 336), ("all", WEEKS_H)):
        seen.at(f"window-{testid}").click()
        expect(seen.at(f"window-{testid}")).to_have_attribute("aria-pressed", "true")
        shown = seen.state(lambda now, hours=hours: now["window_h"][1] - now["window_h"][0] == hours)
        assert shown["window_h"][0] <= shown["clock_h"] <= shown["window_h"][1]
    plot = seen.at("panel", name="madrs").locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    seen.page.mouse.move(box["x"] + box["width"] / 4, y)
    seen.page.mouse.down()
    seen.page.mouse.move(box["x"] + box["width"] / 2, y, steps=5)
    seen.page.mouse.up()
    shown = seen.state(lambda now: now["window_h"][1] - now["window_h"][0] < WEEKS_H)["window_h"]
    assert np.allclose(shown, [WEEKS_H / 4, WEEKS_H / 2], atol=8)
    plot.dblclick()
    assert seen.state(lambda now: now["window_h"] == [0, WEEKS_H])
    plot.click(position={"x": box["width"] / 2, "y": 20})
    assert abs(seen.state(lambda now: now["clock_h"] > 600)["clock_h"] - WEEKS_H / 2) < 8


def test_the_window_pans(visit):
    seen = visit()
    seen.at("window-1w").click()
    seen.at("pan-on").click()
    assert seen.state(lambda now: now["window_h"] == [168, 336])
    seen.at("pan-back").click()
    assert seen.state(lambda now: now["window_h"] == [0, 168])


def _band(seen: Visitor) -> tuple[float, float]:
    """The 90 % range that the headline of a forecast says."""
    lo, hi = re.findall(r"between ([\d.−]+) and ([\d.−]+)", seen.at("forecast-says").inner_text())[0]
    return numeral(lo), numeral(hi.rstrip("."))


@pytest.mark.slow
def test_scores_shrink_the_prior(visit):
    seen = visit(view="forecast")
    run = seen.at("forecast-run")
    if run.is_enabled():
        run.click()
    expect(seen.at("forecast-says")).to_be_visible(timeout=PATIENCE)
    expect(run).to_be_enabled(timeout=PATIENCE)
    updated = _band(seen)
    assert seen.at("forecast-plot").locator("svg, canvas").count()
    assert seen.at("forecast-plan").count() >= 2
    seen.at("forecast-plan").nth(1).click()
    assert _band(seen) != updated
    seen.at("forecast-clear").click()
    run.click()
    expect(run).to_be_disabled()
    expect(run).to_be_enabled(timeout=PATIENCE)
    prior = _band(seen)
    assert updated[1] - updated[0] < prior[1] - prior[0]


@pytest.mark.slow
def test_a_wrong_score_is_said_at_its_field(visit):
    seen = visit(view="forecast", forecast={"scores": [{"day": 0, "scale": "MADRS", "score": 90}]})
    run = seen.at("forecast-run")
    expect(run).to_be_enabled(timeout=PATIENCE)
    run.click()
    expect(seen.page.locator(".field-fault").first).to_contain_text("60", timeout=PATIENCE)
    expect(seen.at("forecast-score").first).to_have_attribute("aria-invalid", "true")


@pytest.mark.slow
def test_a_plan_tells_its_progress_and_can_be_stopped(visit):
    seen = visit(view="forecast", forecast={"scores": [{"day": 0, "scale": "MADRS", "score": 34}]})
    if seen.at("forecast-run").is_enabled():
        seen.at("forecast-run").click()
    expect(seen.at("plan-run")).to_be_visible(timeout=PATIENCE)
    seen.at("plan-run").click()
    expect(seen.page.locator(".work-what:visible").last).to_contain_text("%", timeout=PATIENCE)
    _cancel(seen, "plan")
    expect(seen.at("plan-result")).to_have_count(0)


def _cancel(seen: Visitor, kind: str) -> None:
    with seen.page.expect_response(lambda one: one.request.method == "DELETE") as told:
        seen.at(f"{kind}-cancel").click()
    assert told.value.status == 204
    expect(seen.at(f"{kind}-run")).to_be_enabled()


@pytest.mark.slow
def test_a_trial_says_its_power_and_what_unblinding_does(visit):
    seen = visit(view="trial", trial={"replicates": 20})
    assert seen.at("trial-arm").count() == 2
    seen.at("trial-n").first.fill("30")
    seen.at("trial-n").first.press("Tab")
    seen.at("trial-run").click()
    expect(seen.at("trial-power")).to_be_visible(timeout=PATIENCE)
    sent = next(one.post_data_json for one in seen.requests if one.url.endswith("/api/jobs/trial"))
    assert (sent["replicates"], sent["trial"]["arms"][0]["n"]) == (20, 30)
    expect(seen.at("trial-power")).to_contain_text(re.compile(r"\d+\u202f%"))
    expect(seen.at("trial-power")).to_contain_text("20 repeats")
    for world in ("posterior", "masked"):
        expect(seen.at(f"world-{world}")).to_contain_text("power")


def test_a_trial_can_be_stopped(visit):
    seen = visit(view="trial", trial={"replicates": 200})
    seen.at("trial-run").click()
    expect(seen.page.locator(".work-what")).to_contain_text("%", timeout=PATIENCE)
    _cancel(seen, "trial")
    expect(seen.at("trial-power")).to_have_count(0)


def test_arms_are_added_and_taken_away(visit):
    seen = visit(view="trial")
    seen.at("trial-add").click()
    expect(seen.at("trial-arm")).to_have_count(3)
    seen.page.get_by_role("button", name="Remove arm 2").click()
    expect(seen.at("trial-arm")).to_have_count(2)
    seen.at("trial-design").select_option("ketamine-masked")
    expect(seen.at("trial-masked")).to_have_attribute("aria-pressed", "true")


def test_claims_are_filtered_and_tried(visit, scenario):
    seen = visit()
    asked = scenario | {"versus": "saline-single", "weeks": 4}
    claims = [*CLAIMS[:2], CLAIMS[2] | {"model": CLAIMS[2]["model"] | {"scenario": asked}}]
    for one in claims:
        models.Claim.model_validate(one)
    seen.page.route("**/api/claims", lambda route: route.fulfill(json=claims))
    seen.at("tab-claims").click()
    shown = seen.page.locator('[data-testid="claim-card"]:visible')
    expect(shown).to_have_count(3)
    seen.at("claim-filter", value="contradicted").click()
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("It cures for good.")
    seen.at("claim-filter", value="contradicted").click()
    seen.at("claim-search").fill("receptor")
    expect(shown).to_have_count(1)
    shown.locator("summary").click()
    seen.at("claim-try").click()
    seen.rested()
    expect(seen.at("versus")).to_have_value("saline-single")
    assert seen.answer()["time_h"][-1] == 4 * 168
