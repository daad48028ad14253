"""A course unfolded into plain data: single intakes and piecewise constant signals.

Times are hours from the first day: day 1 of a course begins at 0 h. A signal keeps its value until its next entry and
is 0 before its first. Signals of one name are sorted by time and never repeat a value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from afterglow.clinic.drugs import DRUGS, NASAL

# A session lasts as long as the label keeps people under observation: SPRAVATO US prescribing information, section 2.
SESSION_H = 2.0
# One device holds 28 mg, 5 min of rest between devices: SPRAVATO US prescribing information, sections 2 and 3.
DEVICE_MG = 28.0
DEVICE_GAP_H = 5.0 / 60.0

Blinding = Literal["double-blind", "open", "masked"]


@dataclass(frozen=True)
class Administration:
    """One intake of one drug."""

    time_h: float
    drug: str
    route: str
    amount: float  # mg, or mg/kg when per_kg
    per_kg: bool
    over_h: float  # 0 for a bolus
    session: int | None  # number of the treatment session (1, 2, ...); None for daily background drugs

    def mg(self, weight_kg: float) -> float:
        """The dose of a person of this weight, mg."""
        return self.amount * weight_kg if self.per_kg else self.amount


@dataclass(frozen=True)
class Signal:
    """A piecewise constant input of the model: it has this value from `time_h` on."""

    time_h: float
    name: str
    value: float


@dataclass(frozen=True)
class Regimen:
    """Everything that is done to a person, decisions on scores aside; both lists are sorted by time."""

    administrations: tuple[Administration, ...]
    signals: tuple[Signal, ...]


def session_signal(drug: str, route: str, blinding: Blinding = "double-blind") -> str:
    """The expectancy signal of a session: what a person is given, or believes to get.

    Under masking (for instance anaesthesia) nobody can tell the arms apart, so injections of every kind count as the
    active placebo. Tablets share the signal of the nasal spray (assumed: same visits, no infusion).
    """
    if route in NASAL or route in ("sublingual", "oral"):
        return "expectancy.nasal_session"
    if drug == "midazolam" or blinding == "masked":
        return "expectancy.midazolam_session"
    return "expectancy.saline_session" if DRUGS[drug].kind == "inert" else "expectancy.iv_session"


def windows(name: str, spans: Iterable[tuple[float, float, float]], horizon_h: float) -> list[Signal]:
    """Signal of spans (start_h, end_h, value); where spans overlap, their largest value."""
    spans = [span for span in spans if span[0] < horizon_h and span[1] > span[0]]
    edges = sorted({edge for start, end, _ in spans for edge in (start, end) if edge < horizon_h})
    signals: list[Signal] = []
    last = 0.0
    for edge in edges:
        active = [value for start, end, value in spans if start <= edge < end]
        value = max(active, default=0.0)
        if value != last:
            signals.append(Signal(edge, name, value))
            last = value
    return signals


def session_signals(
    administrations: Iterable[Administration], horizon_h: float, blinding: Blinding = "double-blind"
) -> list[Signal]:
    """Expectancy signals of the sessions among these intakes: on at a session's first dose, off 2 h later.

    Useful again after a decision has changed the sessions of a patient.
    """
    spans: dict[str, dict[float, tuple[float, float, float]]] = {}
    first: dict[tuple[int, str], float] = {}
    for one in sorted(administrations, key=lambda one: one.time_h):
        if one.session is None:
            continue
        name = session_signal(one.drug, one.route, blinding)
        start = first.setdefault((one.session, name), one.time_h)
        spans.setdefault(name, {})[start] = (start, start + SESSION_H, 1.0)
    return [signal for name, found in spans.items() for signal in windows(name, found.values(), horizon_h)]
