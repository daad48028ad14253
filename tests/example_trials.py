"""Small example trials for tests: shipped designs and a few of our own, run once in full."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml

from afterglow.clinic.files import parse, shipped_text
from afterglow.clinic.scenarios import scenarios
from afterglow.study.trial_analysis import Analysis
from afterglow.study.trial_result import Example
from afterglow.study.virtual_trial import VirtualTrial
from afterglow.study.worlds import world

INDUCTION = """\
trial: induction
arms:
  - {name: ketamine, course: iv-induction, n: 40}
  - {name: saline, control: saline, n: 40}
visits: [24 h, 4 d, 12 d, 26 d]
endpoints: [{measure: change, at: 12 d}]
"""
MISSED = INDUCTION + "missed_visits: 20 %\nmissed_sessions: 20 %\n"
# people leave for all reasons, and are not followed
LEAVING = (
    MISSED
    + """\
leaving:
  at_random: 10 %
  lack_of_effect: {if: improvement(MADRS) < 20 %, chance: 20 %}
  side_effects: {cadss: 15, chance: 50 %}
"""
)
# the composite estimand, with rescue
COMPOSITE = (
    LEAVING.replace(
        "[{measure: change, at: 12 d}]", "[{measure: change, at: 12 d}, {measure: relapse, analysis: rmst}]"
    )
    + """\
rescue: {if: MADRS >= 0.7 * baseline, after: 12 d, course: nasal-esketamine}
estimand: composite
"""
)
WAITING = """\
trial: waiting
arms:
  - {name: ketamine, course: iv-single, n: 12}
  - {name: waiting, control: waiting-list, n: 12}
visits: [4 h, 7 d]
endpoints: [{measure: change, at: 7 d, scale: HAM-D17}]
"""
SMALL = {"full": 60, "sustain1": 96, "step-up": 60}  # patients in all


@cache
def example(text: str, replicate: int = 0, seed: int = 1) -> Example:
    """A trial file's text, or the name of a shipped one with fewer patients, run in full; made once."""
    if text in SMALL:
        data: dict[str, Any] = yaml.safe_load(shipped_text(f"designs/{text}.yaml"))
        text = yaml.safe_dump(data | {"n": SMALL[text]})
    (scenario,) = scenarios(parse(text, "t.yaml"))
    trial = VirtualTrial(scenario, world("mean"), seed, detailed=True)
    found = next(trial.run([replicate]))
    return Example(trial, found, Analysis(trial.trial, found))
