"""Small virtual trials for tests: as files, and made up by hand."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from afterglow.clinic.files import parse
from afterglow.clinic.scenarios import Scenario, scenarios
from afterglow.clinic.trial import Trial
from afterglow.study.virtual_trial import ByArm, Conducted, VirtualTrial
from afterglow.study.worlds import Setting, world

ONE_INFUSION = {"doses": [{"drug": "ketamine", "route": "iv", "dose": "0.5 mg/kg", "over": "40 min", "days": [1]}]}
DESIGN: dict[str, Any] = {
    "trial": "small",
    "population": {"from": "trd", "madrs": {"mean": 33, "sd": 5.5}},
    "arms": [{"name": "drug", "course": ONE_INFUSION, "n": 12}, {"name": "control", "control": "saline", "n": 12}],
    "visits": ["24 h", "7 d"],
    "endpoints": [{"measure": "change", "at": "24 h", "analysis": "ancova"}],
}


def scenario(**changes: Any) -> Scenario:
    """The small design with other fields."""
    (one,) = scenarios(parse(json.dumps(DESIGN | changes), "small.yaml"))
    return one


def trial(**changes: Any) -> Trial:
    """The small design as a trial."""
    return scenario(**changes).trial


def virtual(name: str = "mean", seed: int = 1, threads: int | None = None, **changes: Any) -> VirtualTrial:
    """The small design in a world."""
    return VirtualTrial(scenario(**changes), world(name), seed, threads=threads)


def conducted(name: str = "mean", replicate: int = 0, **changes: Any) -> Conducted:
    """One replicate of the small design in a world."""
    return next(virtual(name, **changes).run([replicate]))


def arms(*n: int, course: Any = ONE_INFUSION, control: str = "saline") -> list[dict[str, Any]]:
    """Drug and control of these sizes."""
    return [{"name": "drug", "course": course, "n": n[0]}, {"name": "control", "control": control, "n": n[-1]}]


def by_arm(scores: Any, **changes: Any) -> ByArm:
    """An arm in which people would have these MADRS scores [people, visits], and nothing else happens."""
    table = np.asarray(scores, dtype=float)
    people = len(table)
    never = np.full(people, np.inf)
    known: dict[str, Any] = {
        "scores": {"MADRS": table},
        "undisturbed": None,
        "left_h": never,
        "reason": np.zeros(people, np.int64),
        "rescued_h": never,
        "recognised": np.zeros_like(table),
        "acute": {},
    }
    return ByArm(**known | changes)


def made_up(visit_h: Any, arm: Any, *of_arms: ByArm, **changes: Any) -> Conducted:
    """A replicate made by hand: `arm` is -1 for people who are not randomised."""
    allocated = np.asarray(arm, dtype=np.int64)
    hours, people = np.asarray(visit_h, dtype=float), len(allocated)
    known: dict[str, Any] = {
        "setting": Setting(0, {}, {}, (0.0, 0.0)),
        "people": pd.DataFrame({"AGE": np.linspace(20, 70, people)}),
        "rated": people,
        "visit_h": hours,
        "actual_h": np.tile(hours, (people, 1)),
        "kept": np.ones((people, len(hours)), bool),
        "arms": of_arms,
        "randomised": allocated >= 0,
        "arm": allocated,
        "believed": np.empty((people, 0)),
        "guessed": np.empty((people, 0), bool),
        "failed": np.zeros(people, bool),
    }
    return Conducted(**known | changes)
