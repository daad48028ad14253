"""How quickly the page answers, measured in the browser; and pictures of its views.

    python bench/page.py --json FILE.json            # first screen, and slider to redraw
    python bench/page.py --pictures docs/img/page    # each view at two widths

`first screen`: from starting the process `afterglow serve` (its cache is warm) to three panels and three numbers drawn
in a browser that runs already. `slider to redraw`: from the event of the dose slider to the first frame after the
curves of 104 people (a multiple of 8 above 100) were drawn anew. The same 104 people without a page: the engine behind
it alone, and a person through SciPy's LSODA with the same equations.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from page_server import machine, serving
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
SIZES = {1440: 900, 390: 844}
DRAWN = """() => document.querySelectorAll('[data-testid="number"]').length === 3
    && document.querySelectorAll('.panel canvas').length >= 3"""
RESTED = '[data-testid="status"][data-busy="false"]'
# Moves the slider by one step, and waits until the panel of the score says something else and that has been painted.
STEP = """place => new Promise(done => {
    const slider = document.querySelector('[data-testid="dose-slider"]');
    const shown = document.querySelector('[data-testid="panel"][data-name="madrs"] .panel-plot');
    const start = performance.now();
    const watch = new MutationObserver(() => {
        watch.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    });
    watch.observe(shown, {attributes: true, attributeFilter: ['aria-label']});
    slider.value = String(place);
    slider.dispatchEvent(new Event('input', {bubbles: true}));
})"""
FEW = 104


def first_screen(browser: Browser, rounds: int) -> list[float]:
    """Seconds from starting the server to the first screen."""
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        with serving() as (address, _server):
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(address)
            page.wait_for_function(DRAWN)
            found.append(time.perf_counter() - start)
            page.close()
    return found


def slider(page: Page, steps: int) -> list[float]:
    """Milliseconds from each movement of the slider to the frame that shows its answer."""
    page.wait_for_selector(RESTED)
    places = 30 + 40 * np.modf(np.arange(1, steps + 5) * 0.618033988749895)[0]  # never the same dose twice in a row
    spent = [page.evaluate(STEP, round(2 * float(place)) / 2) for place in places]
    return spent[4:]


def alone(repeats: int = 15) -> dict[str, float]:
    """The same people without a page: what is asked of the engine alone, milliseconds."""
    from afterglow.study.live import run
    from afterglow.study.live_facts import default
    from afterglow.study.live_scenario import scenario_from_data

    asked, spent = default(), []
    for k in range(repeats):
        line = asked["course"]["doses"][0] | {"dose": f"{0.3 + 0.02 * k:.2f} mg/kg"}
        course = asked["course"] | {"doses": [line]}
        start = time.perf_counter()
        run(scenario_from_data(asked | {"course": course}), people=FEW, coarse=True)
        spent.append(1e3 * (time.perf_counter() - start))
    return {"median_ms": median(spent[2:]), "p95_ms": float(np.quantile(spent[2:], 0.95))}


def peer(people: int = 4, rtol: float = 1e-4) -> dict[str, Any]:
    """The whole model, six infusions and eight weeks, without a page: milliseconds a person, one thread."""
    from models import case
    from peers import ENGINES

    found: dict[str, Any] = {"rtol": rtol}
    for name, count in (("afterglow", FEW), ("scipy-lsoda", people)):
        engine = ENGINES[name](case("whole"), count)
        engine.build()
        engine.run((rtol, rtol), 1)
        start = time.perf_counter()
        engine.run((rtol, rtol), count)
        found[name] = 1e3 * (time.perf_counter() - start) / count
    return found


def measure(browser: Browser, rounds: int, steps: int) -> dict[str, Any]:
    """All of it, in one run on one machine."""
    found: dict[str, Any] = {"machine": machine()}
    starts = first_screen(browser, rounds + 1)[1:]  # the first warms the cache
    found["first_screen_s"] = {"median": median(starts), "most": max(starts), "rounds": rounds}
    with serving() as (address, _):
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(address)
        spent = slider(page, steps)
        page.close()
    quantiles = {f"p{q}": float(np.quantile(spent, q / 100)) for q in (50, 95)}
    found["slider_to_redraw_ms"] = {**quantiles, "most": max(spent), "steps": len(spent), "people": FEW}
    found["without_page_ms"] = alone()
    found["ms_per_person"] = peer()
    return found


# ---- pictures ------------------------------------------------------------------------------------------------------


def pictures(browser: Browser, out: Path) -> None:
    """Each view at two widths, light, as it looks at first; forecast and trial with their results."""
    out.mkdir(parents=True, exist_ok=True)
    with serving() as (address, _):
        for width, height in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": height}, reduced_motion="reduce")
            page.set_default_timeout(180_000)
            page.goto(address)
            page.wait_for_selector(RESTED)
            keep(page, out / f"explore-{width}.png")
            for view, done in (("forecast", "forecast-says"), ("trial", "trial-power"), ("claims", "claim-card")):
                page.click(f'[data-testid="tab-{view}"]')
                if view == "trial":
                    page.click('[data-testid="trial-run"]')
                page.locator(f'[data-testid="{done}"]').first.wait_for()
                page.wait_for_timeout(500)
                page.evaluate("scrollTo(0, 0)")
                if width < 600 and view != "claims":
                    page.locator(f'[data-testid="{done}"]').first.evaluate(
                        "one => one.closest('section').scrollIntoView()"
                    )
                keep(page, out / f"{view}-{width}.png")
            page.click('[data-testid="tab-explore"]')
            page.click('[data-testid="story"]')
            page.locator('[data-testid="story-answer"] dl.now').wait_for()
            page.wait_for_selector(RESTED)
            page.wait_for_timeout(1000)
            keep(page, out / f"story-{width}.png")
            page.close()


def keep(page: Page, file: Path) -> None:
    """What is on screen as a small PNG."""
    from PIL import Image

    page.screenshot(path=file)
    with Image.open(file) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(file, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="starts of the server")
    parser.add_argument("--steps", type=int, default=100, help="steps of the slider")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="only write pictures of the views")
    asked = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        if asked.pictures:
            pictures(browser, asked.pictures)
            return
        text = json.dumps(measure(browser, asked.rounds, asked.steps), indent=1)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
