"""What is shown of the running model: one table of names, labels, units and layers.

Figures, tables and `units.json` read their words from here. A quantity is a value of `CourseRun.values`, or the sum of
several; a rename in a system is mended in this one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class HasValues(Protocol):
    """Anything with the values of a run: name -> array [patients, times]."""

    @property
    def time_h(self) -> NDArray[np.float64]:
        """Times of the values, h, sorted."""
        ...

    @property
    def values(self) -> Mapping[str, NDArray[np.floating]]:
        """Name -> array [patients, times]."""
        ...


@dataclass(frozen=True)
class Quantity:
    """One thing to show: `parts` are the model's values that are added up; `factor` converts to `unit`."""

    name: str
    label: str
    unit: str
    layer: str  # drug | target | plasticity | mind | mood | safety: chooses the colour
    parts: tuple[str, ...]
    factor: float = 1.0


ANTIDEPRESSANTS = ("escitalopram.plasma", "sertraline.plasma", "venlafaxine.plasma", "bupropion.plasma")
BENZODIAZEPINES = ("benzodiazepine.diazepam_plasma", "benzodiazepine.midazolam_plasma")

QUANTITIES: dict[str, Quantity] = {
    quantity.name: quantity
    for quantity in (
        Quantity("ketamine", "Ketamine in blood", "ng/mL", "drug", ("ketamine_s.plasma", "ketamine_r.plasma")),
        Quantity("antidepressant", "Antidepressant in blood", "ng/mL", "drug", ANTIDEPRESSANTS),
        Quantity("benzodiazepine", "Benzodiazepine in blood", "ng/mL", "drug", BENZODIAZEPINES),
        Quantity("nmda", "NMDA receptors blocked", "%", "target", ("nmda_block.tonic",), 100),
        Quantity("transporter", "Serotonin transporters blocked", "%", "target", ("monoamines.sert_occupancy",), 100),
        Quantity("gaba", "Benzodiazepine at its receptor", "%", "target", ("benzodiazepine.gaba",), 100),
        Quantity("glutamate", "Glutamate", "x baseline", "plasticity", ("glutamate.level",)),
        Quantity("plasticity", "BDNF and TrkB signal", "1", "plasticity", ("plasticity.signal",)),
        Quantity("fast_gain", "Fast synaptic gain", "1", "plasticity", ("synapses.fast",)),
        Quantity("spines", "Spine density", "1 = healthy", "plasticity", ("synapses.spines",)),
        Quantity("window", "Plasticity window", "1", "plasticity", ("synapses.open_window",)),
        Quantity(
            "connectivity", "Connections in the mood circuit", "1 = healthy", "plasticity", ("network.connectivity",)
        ),
        Quantity("adaptation", "Slow serotonin adaptation", "1", "plasticity", ("monoamines.adaptation",)),
        Quantity("belief", "Negative belief", "x untreated", "mind", ("belief.negative_belief",)),
        Quantity("expectancy", "Relief by expectation", "1", "mind", ("expectancy.relief",)),
        Quantity("drug_part", "Symptoms lifted by the reaction itself", "%", "mood", ("mood.drug_part",), 100),
        Quantity("symptom", "Symptom state", "x baseline", "mood", ("mood.symptom",)),
        Quantity("madrs", "Depression score (MADRS)", "points", "mood", ("mood.madrs",)),
        Quantity("cadss", "Dissociation (CADSS)", "points", "safety", ("acute_effects.cadss",)),
        Quantity("systolic", "Rise of systolic blood pressure", "mmHg", "safety", ("acute_effects.systolic_rise",)),
        Quantity("nausea", "Chance of nausea in a session", "%", "safety", ("acute_effects.nausea_risk",), 100),
        Quantity("sedation", "Sedation", "%", "safety", ("acute_effects.sedation",), 100),
        Quantity("bladder", "Bladder load", "1", "safety", ("long_term_safety.bladder_load",)),
    )
}

# What the figures and the summary of a comparison read.
FIGURES = (
    "ketamine", "antidepressant", "benzodiazepine", "nmda", "transporter", "gaba", "glutamate", "connectivity",
    "belief", "expectancy", "madrs", "cadss", "systolic", "nausea",
)  # fmt: skip


def read(run: HasValues, name: str, at: NDArray[np.float64] | None = None) -> NDArray[np.floating] | None:
    """The quantity in a run, array [patients, times] in its unit; None when the run does not hold it.

    Args:
        run: the run.
        name: name of the quantity.
        at: other times (h) than the run's own; straight lines between.
    """
    quantity = QUANTITIES[name]
    parts = [run.values[part] for part in quantity.parts if part in run.values]
    if not parts:
        return None
    values = sum(parts[1:], start=parts[0]) * quantity.factor
    return values if at is None or np.array_equal(at, run.time_h) else read_at(run.time_h, values, at)


def read_at(time_h: NDArray[np.float64], values: NDArray[np.floating], at: NDArray[np.float64]) -> NDArray[np.floating]:
    """Values [patients, times] at other times: straight lines between, the ends kept."""
    after = np.clip(np.searchsorted(time_h, at), 1, len(time_h) - 1)
    before = after - 1
    share = np.clip((at - time_h[before]) / (time_h[after] - time_h[before]), 0, 1)
    return values[:, before] * (1 - share) + values[:, after] * share


def needed(*, everything: bool = False) -> tuple[str, ...]:
    """Model values that a run must keep for the tables and figures; all that have a place here with `everything`."""
    names = QUANTITIES if everything else FIGURES
    return tuple(dict.fromkeys(part for name in names for part in QUANTITIES[name].parts))
