"""The panels of the page and the chain from the drug to the mood, and what bands say of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course
from afterglow.clinic.drugs import DRUGS
from afterglow.study.live_bands import Band

FloatArray = NDArray[np.float64]
PRESENT = 0.01  # of a drug's own peak
MOVED = 1e-4  # of the untreated value: less than that is not told from nothing
DRUG_PANELS = ("ketamine", "antidepressant", "benzodiazepine")
# All panels in the order of cause, each with the kind of drug without which it is left out.
PANELS: dict[str, str | None] = {
    "ketamine": None, "antidepressant": "antidepressant", "benzodiazepine": "benzodiazepine",
    "nmda": None, "transporter": "antidepressant", "gaba": "benzodiazepine",
    "glutamate": None, "plasticity": None, "spines": None, "fast_gain": None, "connectivity": None,
    "belief": None, "expectancy": None, "madrs": None,
}  # fmt: skip


@dataclass(frozen=True)
class Link:
    """One link of the chain from the drug to the mood: the systems in it, and the panels it is read from."""

    key: str
    title: str
    systems: tuple[str, ...]
    quantities: tuple[str, ...]

    @property
    def quantity(self) -> str:
        """The first of its panels."""
        return self.quantities[0]


CHAIN = (
    Link(
        "plasma", "Drug in blood",
        ("ketamine_s", "ketamine_r", "escitalopram", "sertraline", "venlafaxine", "bupropion", "benzodiazepine"),
        ("ketamine", "antidepressant", "benzodiazepine"),
    ),
    Link("receptor", "Receptors", ("brain_exposure", "nmda_block", "monoamines"), ("nmda", "transporter", "gaba")),
    Link("glutamate", "Glutamate", ("glutamate",), ("glutamate",)),
    Link("bdnf", "BDNF and TrkB", ("plasticity",), ("plasticity",)),
    Link("synapses", "Synapses", ("synapses",), ("spines", "fast_gain")),
    Link("network", "Mood circuit", ("network",), ("connectivity",)),
    Link("belief", "Belief", ("belief", "psychotherapy", "expectancy"), ("belief",)),
    Link("mood", "Mood", ("mood",), ("madrs",)),
)  # fmt: skip


def panels_of(courses: Sequence[Course]) -> tuple[str, ...]:
    """Panels that some courses need: those of the chain, and those of their drugs."""
    kinds = {DRUGS[line.drug].kind for course in courses for line in (*course.doses, *course.background)}
    return tuple(name for name, kind in PANELS.items() if kind is None or kind in kinds)


def chain(panels: Mapping[str, Band]) -> dict[str, FloatArray]:
    """How far the mean of each link is from its start, 0 to 1 of its own largest; the nearest panel counts."""
    return {
        link.key: np.max([_away(panels[name]) for name in link.quantities if name in panels], axis=0) for link in CHAIN
    }


def _away(one: Band) -> FloatArray:
    """Distance of the mean from its first value as a share of the largest; 0 where nothing moves."""
    away = np.abs(one.mean - one.mean[0])
    largest = float(away.max())
    return away / largest if largest > MOVED * max(abs(float(one.mean[0])), 1.0) else np.zeros_like(away)


def drugs_of(course: Course) -> tuple[frozenset[str], frozenset[str]]:
    """Panels of the drugs of sessions, and of drugs taken daily; what is both counts as daily."""
    daily = frozenset(DRUGS[line.drug].kind for line in course.background)
    return frozenset(DRUGS[line.drug].kind for line in course.doses) - daily, daily


def present(panels: Mapping[str, Band], drugs: Collection[str]) -> NDArray[np.int64]:
    """1 while any of these drugs, named by their panels, is in the body."""
    means = [panels[name].mean for name in DRUG_PANELS if name in panels and name in drugs]
    found = [(one > PRESENT * one.max()) & (one > 0) for one in means]
    times = len(next(iter(panels.values())).mean)
    return np.any(found, axis=0).astype(np.int64) if found else np.zeros(times, dtype=np.int64)
