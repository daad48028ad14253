"""A test double of `CourseRun`: plausible shapes drawn with a pen, no model behind them. Never a source of results."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

SHIPPED = {
    "iv-single": "One ketamine infusion",
    "iv-induction": "Six ketamine infusions in two weeks",
    "nasal-esketamine": "Esketamine nasal spray with a new oral antidepressant",
    "ssri": "Escitalopram 10 mg, then 20 mg a day",
    "psychotherapy": "Cognitive behavioural therapy once a week",
    "iv-psychotherapy": "Six ketamine infusions with cognitive behavioural therapy",
    "benzodiazepine": "Diazepam 5 mg twice daily for four weeks, then none",
    "usual-care": "Usual care",
}
SESSIONS = {
    "iv-single": [0],
    "iv-induction": [0, 2, 4, 7, 9, 11],
    "nasal-esketamine": [0, 3, 7, 10, 14, 17, 21, 24, 28, 35, 42, 49],
    "iv-psychotherapy": [0, 2, 4, 7, 9, 11],
}
DAILY = {"ssri": ("escitalopram", 10.0, 365), "benzodiazepine": ("diazepam", 10.0, 28)}
NASAL = "nasal-esketamine"


@dataclass(frozen=True)
class Line:
    drug: str


@dataclass(frozen=True)
class Intake:
    time_h: float
    drug: str
    route: str
    amount: float
    per_kg: bool
    session: int | None


@dataclass(frozen=True)
class FakeCourse:
    course: str
    title: str
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.course

    @property
    def active(self) -> bool:
        return not self.course.endswith("/control")

    @property
    def plan(self) -> str:
        return self.course.removesuffix("/control")

    @property
    def doses(self) -> tuple[Line, ...]:
        drug = "esketamine" if self.plan == NASAL else "ketamine"
        return (Line(drug if self.active else "saline"),) if self.plan in SESSIONS else ()

    @property
    def background(self) -> tuple[Line, ...]:
        if self.plan == NASAL:
            return (Line("escitalopram"),)
        return (Line(DAILY[self.plan][0] if self.active else "placebo-pill"),) if self.plan in DAILY else ()

    def regimen(self, weeks: float) -> SimpleNamespace:
        daily = DAILY.get("ssri" if self.plan == NASAL else self.plan)
        found = []
        if daily and self.background:
            drug, mg, until = daily
            drug = self.background[0].drug
            mg = 0.0 if drug == "placebo-pill" else mg
            found = [Intake(24.0 * d, drug, "oral", mg, False, None) for d in range(min(until, int(weeks * 7)))]
        return SimpleNamespace(administrations=tuple(found))

    def warnings(self) -> list[str]:
        return list(self.notes)

    def control(self) -> FakeCourse | None:
        if self.course == "usual-care" or not self.active:
            return None
        return FakeCourse(f"{self.course}/control", f"{self.title} (matched control)")


@dataclass(frozen=True)
class FakeRun:
    arm: str
    course: Any
    time_h: np.ndarray
    visit: list[str]
    visit_index: np.ndarray
    values: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    true: dict[str, np.ndarray]
    doses: pd.DataFrame
    status: np.ndarray
    population: pd.DataFrame = field(default_factory=pd.DataFrame)


def course(name: str, *notes: str) -> FakeCourse:
    return FakeCourse(name, SHIPPED.get(name, name), tuple(notes))


def _patient_normal(seed: int, purpose: int, patients: int, size: int = 1) -> np.ndarray:
    """Row i depends on seed, purpose and i only: one more patient moves nobody."""
    return np.array([np.random.default_rng([seed, purpose, i]).standard_normal(size) for i in range(patients)])


def _visits(weeks: float) -> list[tuple[float, str]]:
    return [
        (0.0, "baseline"),
        (2.0, "2 h"),
        (4.0, "4 h"),
        *((24.0 * d, f"{d} d") for d in range(1, int(weeks * 7) + 1)),
    ]


def _clock(sessions: list[float], weeks: float) -> np.ndarray:
    after = np.array([0.0, 0.1, 0.2, 0.35, 0.5, 0.67, 0.8, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 20])
    end = weeks * 168
    grid = [np.arange(0, end + 1, 12.0), *(24 * day + after for day in sessions or [0])]
    grid.append(np.array([hours for hours, _ in _visits(weeks)]))
    times = np.unique(np.concatenate(grid))
    return times[times <= end]


def _decay(time_h: np.ndarray, starts: list[float], rise_h: float, fall_h: float) -> np.ndarray:
    """Sum of rise-and-fall curves, one from each start (days), each with height about 1."""
    out = np.zeros_like(time_h)
    for day in starts:
        t = np.clip(time_h - 24 * day, 0, None)
        out += np.exp(-t / fall_h) - np.exp(-t / rise_h)
    return out


def _values(name: str, time_h: np.ndarray, draw: np.ndarray, active: bool) -> dict[str, np.ndarray]:
    gain = np.exp(0.7 * draw[:, 0:1])
    n, on = len(draw), 1.0 if active else 0.0
    sessions = SESSIONS.get(name, [])
    zero = np.zeros((n, len(time_h)))
    clearance = np.exp(0.25 * draw[:, 1:2])
    plasma = on * 300 * _decay(time_h, sessions, 0.35, 2.6) / clearance + zero
    block = plasma / (plasma + 150)
    surge = 1.6 * block * np.exp(0.3 * draw[:, 2:3])
    fast = 0.25 * gain * on * np.clip(_decay(time_h, sessions, 3, 170), 0, 2.2)
    spines = 0.12 * gain * on * np.clip(_decay(time_h, sessions, 30, 700), 0, 2.2)
    slow = on * (1 - np.exp(-time_h / 700)) if name == "ssri" else np.zeros_like(time_h)
    occupancy = on * 0.8 * (1 - np.exp(-time_h / 40)) if name == "ssri" else np.zeros_like(time_h)
    taking = (time_h < 28 * 24) if name == "benzodiazepine" else np.zeros_like(time_h, dtype=bool)
    gaba = on * np.where(taking, 0.55 * (1 - np.exp(-time_h / 1.0)), 0.0)
    if name == "benzodiazepine":
        gaba = gaba + on * np.where(~taking, 0.55 * np.exp(-(time_h - 672) / 40), 0.0)
    rebound = on * 0.05 * np.clip(_decay(time_h, [29], 20, 150), 0, 1) if name == "benzodiazepine" else 0 * time_h
    therapy = 0.12 * (1 - np.exp(-time_h / 900)) if "psychotherapy" in name and active else 0 * time_h
    felt = 0.25 * on * np.clip(_decay(time_h, sessions, 0.2, 240), 0, 1.2)
    placebo = felt + 0.18 * (1 - np.exp(-time_h / 250)) * np.exp(0.4 * draw[:, 3:4]) + zero
    belief = 1 - 0.5 * (fast + spines) - 0.3 * slow * gain - therapy * gain
    relief = 0.6 * fast + 0.8 * spines + 0.4 * slow * gain + therapy * gain + 0.3 * gaba * gain - rebound
    symptom = np.exp(-placebo - relief)
    base = 33 + 5 * draw[:, 4:5]
    return {
        "ketamine_s.plasma": 0.5 * plasma,
        "ketamine_r.plasma": 0.5 * plasma,
        "nmda_block.tonic": block,
        "nmda_block.synaptic": 0.4 * block,
        "glutamate.level": 1 + surge,
        "plasticity.bdnf": 1 + 0.4 * fast,
        "synapses.fast": fast,
        "synapses.spines": 0.8 + spines,
        "synapses.open_window": np.clip(fast, 0, 1),
        "network.connectivity": 1 + 0.6 * fast + 0.4 * spines + 0.1 * slow * gain,
        "belief.negative_belief": np.clip(belief, 0.2, None),
        "expectancy.relief": placebo,
        "acute_effects.cadss": 40 * block * np.exp(0.5 * draw[:, 5:6]),
        "acute_effects.systolic_rise": 26 * block,
        "acute_effects.nausea_risk": 0.35 * block,
        "acute_effects.sedation": 0.6 * block + gaba,
        "escitalopram.plasma": 25 * occupancy + zero,
        "benzodiazepine.diazepam_plasma": 500 * gaba + zero,
        "mood.drug_part": 1 - np.exp(-0.6 * (fast + spines)),
        "monoamines.sert_occupancy": occupancy + zero,
        "monoamines.adaptation": slow + zero,
        "benzodiazepine.gaba": gaba + zero,
        "long_term_safety.bladder_load": np.cumsum(plasma, axis=1) * 1e-6,
        "mood.symptom": symptom,
        "mood.madrs": np.clip(base * symptom, 0, 60),
    }


def _doses(name: str, draw: np.ndarray, active: bool, weeks: float) -> pd.DataFrame:
    rows = []
    weight = 75 + 12 * draw[:, 6]
    for patient in range(len(draw)):
        for number, day in enumerate(d for d in SESSIONS.get(name, []) if d < weeks * 7):
            nasal = name == NASAL
            drug, route = ("esketamine", "nasal-device") if nasal else ("ketamine", "iv")
            mg = (56.0 if number == 0 else 84.0) if nasal else 0.5 * weight[patient]
            drug, mg = (drug, mg) if active else ("saline", 0.0)
            rows.append((patient, 24.0 * day, drug, route, mg, number + 1, "planned"))
    names = ["patient", "time_h", "drug", "route", "mg", "session", "reason"]
    return pd.DataFrame(rows, columns=names)


def fake_run(item: Any, patients: int = 60, weeks: float = 8, seed: int = 1) -> FakeRun:
    """One arm; the same patients and the same luck in every arm."""
    item = course(item) if isinstance(item, str) else item
    name, _, suffix = item.course.partition("/")
    active = not suffix
    draw = _patient_normal(seed, 0, patients, 8)
    time_h = _clock(SESSIONS.get(name, []), weeks)
    values = _values(name, time_h, draw, active)
    visits = _visits(weeks)
    at = np.searchsorted(time_h, [t for t, _ in visits])
    true = values["mood.madrs"][:, at]
    noise = 3 * _patient_normal(seed, 1, patients, len(visits))
    measured = np.clip(np.rint(true + noise), 0, 60)
    scores = {"MADRS": measured, "PHQ-9": np.clip(np.rint(measured * 27 / 60), 0, 27), "GAD-7": measured / 3}
    population = pd.DataFrame(
        {"AGE": 45 + 12 * draw[:, 7], "WT": 75 + 12 * draw[:, 6], "MADRS": 33 + 5 * draw[:, 4]},
        index=pd.RangeIndex(patients, name="patient"),
    )
    return FakeRun(
        arm=item.course,
        course=item,
        time_h=time_h,
        visit=[v for _, v in visits],
        visit_index=at,
        values=values,
        measured=scores,
        true={"MADRS": true, "PHQ-9": true * 27 / 60},
        doses=_doses(name, draw, active, weeks),
        status=np.zeros(patients, dtype=int),
        population=population,
    )


def fake_simulate(course, *, patients, weeks=8.0, seed=1, progress=None, typical=None, **_) -> FakeRun:
    """Stands in for `simulate_course`; `typical` moves the scores a little, as another draw of the parameters would."""
    run = fake_run(course, patients, weeks, seed)
    shift = sum(typical.values()) if typical else 0.0
    measured = {name: np.clip(values + shift, 0, 60) for name, values in run.measured.items()}
    if progress is not None:
        progress(1.0)
    return replace(run, measured=measured)


def fake_runs(*names: str, patients: int = 60, weeks: float = 8, seed: int = 1) -> dict[str, FakeRun]:
    """Arms and their controls, in the order that `compare` makes them."""
    runs = {}
    for name in names:
        item = course(name)
        control = item.control()
        runs[name] = fake_run(item, patients, weeks, seed)
        if control is not None:
            runs[control.course] = fake_run(control, patients, weeks, seed)
    return runs
