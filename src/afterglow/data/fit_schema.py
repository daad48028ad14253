"""The list of outcome rows that are fitted, or kept for checking."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from afterglow.data.outcome_schema import Outcome
from afterglow.data.schema import Identifier, Record

Layer = Literal["noise", "course", "expectancy", "drug", "setting", "therapy", "relapse", "safety"]


class FitGroup(Record):
    """Rows of one trial with the same role, weight and reason."""

    trial: Identifier
    role: Literal["fit", "check"]
    layer: Layer = Field(description="step of the calibration that the rows belong to")
    weight: float = Field(default=1.0, gt=0, le=1, description="weight in the loss (fit) or in the score (check)")
    rows: list[str] = Field(min_length=1, description="keys of outcome rows")
    why: str


class FitFile(Record):
    """`fit_rows.yaml`."""

    version: int = Field(ge=1, description="raised whenever a row, role or weight changes")
    groups: list[FitGroup]


class FitRow(Record):
    """One published row, flat; "unused" where the list does not name it."""

    trial: str
    row: str = Field(description="key of the outcome row")
    role: Literal["fit", "check", "unused"]
    layer: Layer | None = None
    weight: float = 1.0
    why: str = ""
    cohort: str = Field(description="cohort of the trial")
    outcome: Outcome
