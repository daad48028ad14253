"""Answers of the HTTP interface, as OpenAPI describes them. What is asked is in `bodies`.

Numbers may be null where there is no value: a median that is not reached, an estimate that cannot be made.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Number = float | None
Series = list[Number]
Row = dict[str, Any]


class Answer(BaseModel):
    """Base: nothing that is not described here is sent."""

    model_config = ConfigDict(extra="forbid")


class FaultAnswer(Answer):
    """One thing that is wrong."""

    where: str = Field(description="place in the body, header or option")
    problem: str
    remedy: str


class Faults(Answer):
    """Why a request is refused: all that is wrong with it."""

    faults: list[FaultAnswer]


class Band(Answer):
    """Over people at each time: median, mean, and the ends between which 50, 80 and 90 % of them lie."""

    median: Series
    mean: Series
    lo50: Series
    hi50: Series
    lo80: Series
    hi80: Series
    lo90: Series
    hi90: Series
    one: Series | None = Field(default=None, description="the person drawn, with `who.kind` person")


class Health(Answer):
    """The server is there."""

    status: str


class Working(Answer):
    """An answer is being worked out; `share` of it is done. Ask again."""

    share: float


class Begun(Answer):
    """A job was begun."""

    id: str


class System(Answer):
    """A system of the model, as listed; `assumed` and `fitted` count among its `parameters`."""

    name: str
    title: str
    states: int
    parameters: int
    assumed: int
    fitted: int
    chain: str | None = Field(description="part of the chain from dose to mood, if any")


class Parameter(Answer):
    """One number of the model with its source."""

    system: str
    name: str
    value: Number
    unit: str
    meaning: str
    spread: str
    source: str
    grade: str = Field(description="page, derived, assumed or fitted")
    citation: str
    link: str | None


class Wire(Answer):
    """A connection between two systems."""

    source: str
    target: str
    factor: Number
    feedback: bool


class SystemDetail(Answer):
    """A system with its equations and numbers."""

    name: str
    title: str
    doc: str
    equations: list[str]
    parameters: list[Parameter]
    inputs: list[str]
    outputs: list[str]
    wires: list[Wire]


class Code(Answer):
    """What the page shows, as lines that can be run where the `files` are."""

    python: str
    cli: str
    course_yaml: str
    files: dict[str, str]


# ------------------------------------------------------------------------------------------------ curves


class Link(Answer):
    """A link of the chain from dose to mood; `quantity` is the panel it is read from."""

    key: str
    title: str
    systems: list[str]
    quantity: str


class Panel(Answer):
    """A quantity that is drawn; `chain` is the link that it stands for, if any."""

    name: str
    label: str
    unit: str
    layer: str
    chain: str | None


class About(Answer):
    """What the page needs to begin."""

    version: str
    model_sha256: str
    notice: str
    not_modelled: str
    drug_share: str
    bands: str
    limits: dict[str, float]
    drugs: list[Row]
    routes: dict[str, str]
    doses: list[Row] = Field(description="by drug and route: a dose to begin with, the studied range, the bound")
    presets: list[Row] = Field(description="the shipped courses, as their files have them")
    comparators: list[str]
    default: Row = Field(description="the scenario with which the page begins")
    panels: list[Panel]
    chain: list[Link]
    parameters: dict[str, int]
    variants: list[Row]
    scales: list[Row]


class Given(Answer):
    """One dose of a session, over the people who got it."""

    time_h: float
    drug: str
    route: str
    mg_mean: Number
    over_h: float
    people: int
    title: str
    reason: str


class Estimate(Answer):
    """A number with its 90 % interval; without a value, `help` says why."""

    key: str
    label: str
    unit: str
    value: Number
    lo90: Number
    hi90: Number
    help: str


class Risk(Answer):
    """A worst moment over the sessions: mean over people, and what one in 20 exceeds."""

    key: str
    label: str
    unit: str
    value: Number
    p95: Number


class Versus(Answer):
    """The course laid beside, in the same people; `difference` is the course minus this one."""

    name: str
    title: str
    panels: dict[str, Band]
    chain: dict[str, Series]
    difference: dict[str, Band]


class Run(Answer):
    """What the page shows of a scenario."""

    people: int = Field(description="virtual people behind it, without those who could not be simulated")
    time_h: list[float]
    panels: dict[str, Band]
    rated: Band = Field(description="MADRS as it would be written down")
    chain: dict[str, Series] = Field(description="how far each link is from untreated, 0 to 1 of its own largest")
    present: list[int] = Field(description="1 while a drug of the sessions is in the body")
    daily: list[int] = Field(description="1 while a drug taken daily is in the body")
    doses: list[Given]
    versus: Versus | None
    numbers: list[Estimate]
    safety: list[Risk]
    warnings: list[str]
    covers: str
    milliseconds: float
    scenario_sha256: str


class Interval(Answer):
    """A 90 % range at each time, and the mean over time of its width, MADRS points."""

    lo90: Series
    hi90: Series
    width_mean: Number


class Part(Answer):
    """The range that one source alone would give."""

    source: str
    title: str
    help: str
    lo90: Series
    hi90: Series
    width_mean: Number


class Why(Answer):
    """The range of scores as written down, and of each source alone."""

    time_h: list[float]
    total: Interval
    parts: list[Part]


# ------------------------------------------------------------------------------------------------ claims


class ClaimRecord(Answer):
    """A published finding, and which way it speaks."""

    citation: str
    link: str | None
    says: str
    direction: str


class ClaimModel(Answer):
    """What the model gives."""

    value: Number
    lo90: Number
    hi90: Number
    unit: str
    asked: str = Field(description="what was simulated and read, in words")
    scenario: Row | None = Field(description="the same for the page, where it can show it")


class Claim(Answer):
    """A statement with its verdict."""

    id: str
    says: str
    group: str
    verdict: str
    sentence: str
    records: list[ClaimRecord]
    model: ClaimModel | None
