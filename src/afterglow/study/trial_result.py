"""What `afterglow trial` gives: tables over all replicates, and one trial in full as an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from afterglow.study.trial_analysis import Analysis
from afterglow.study.virtual_trial import Conducted, VirtualTrial

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.clinic.scenarios import Scenario


@dataclass(frozen=True)
class Example:
    """One replicate in full, at the central values of the calibration: the first scenario, world "mean", replicate 0.

    Attributes:
        of: the trial that it is a replicate of; its `courses` are the arms'.
        found: as it was conducted, acute effects of all sessions included.
        analysis: its analysis.
    """

    of: VirtualTrial
    found: Conducted
    analysis: Analysis


@dataclass(frozen=True)
class TrialResult:
    """All that came out.

    Attributes:
        scenarios: what was run.
        worlds: names of the worlds that were run (`study.worlds`).
        seed: of all chance.
        replicates: of each scenario and world.
        tables: arms, contrasts, operating_characteristics, flow, guesses, power_curve (all over replicates; see
            `study.trial_summary`), estimates (one row a replicate and contrast; only of the first scenario when there
            are several), and of the example: patients, scores, and the ADaM-named ones.
        example: one trial in full.
        warnings: what a reader must know.
    """

    scenarios: list[Scenario]
    worlds: list[str]
    seed: int
    replicates: int
    tables: Mapping[str, pd.DataFrame]
    example: Example
    warnings: list[str]
