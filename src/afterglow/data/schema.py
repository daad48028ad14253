"""What a record of evidence looks like: the base of all records, citations and parameters.

Every number in `afterglow/data` is a record, checked when it is read: parameters here, results of trials in
`outcome_schema`, trials and how they are simulated in `trial_schema`, the list of fitted rows in `fit_schema`. Grades
say how a number came here:

* `page`     printed in the cited paper, its open copy, or its abstract;
* `derived`  computed from other records, and `derivation` says from which and how;
* `assumed`  chosen by us, and a reason is given. Outcomes of trials are never assumed.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Grade = Literal["page", "derived", "assumed"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+\-]*$")]
Percent = Annotated[float, Field(ge=0, le=100)]

# Addresses that are not a source: numeric hosts, ports, proxies, mirrors, document scrapers.
_NOT_A_SOURCE = re.compile(r"//\d+\.\d+\.\d+\.\d+|://[^/]*:\d|proxy|mirror|scribd|weglot|qxmd", re.IGNORECASE)


class Record(BaseModel):
    """Base of all records: unknown fields are refused, types are not guessed, nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Citation(Record):
    """Where a number was published."""

    authors: str = Field(description="first authors, as in a reference list")
    year: int | None = Field(default=None, ge=1950, le=2100, description="year of publication")
    title: str | None = Field(default=None, description="title of the paper")
    journal: str | None = Field(default=None, description="journal, volume, pages; or the kind of document")
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$", description="DOI without the resolver")
    pmid: str | None = Field(default=None, pattern=r"^\d{5,9}$", description="PubMed identifier")
    pmcid: str | None = Field(default=None, pattern=r"^PMC\d{5,9}$", description="PubMed Central identifier")
    url: str | None = Field(
        default=None, pattern=r"^https?://\S+$", description="page of the publisher or of an archive"
    )
    note: str | None = Field(default=None, description="what a reader should know; why an identifier is missing")

    @model_validator(mode="after")
    def _findable(self) -> Citation:
        if not (self.doi or self.pmid or self.pmcid or self.url or self.note):
            raise ValueError("give a DOI, PMID, PMC identifier or url, or say in `note` why there is none")
        if self.url and _NOT_A_SOURCE.search(self.url):
            raise ValueError(f"'{self.url}' is a proxy, mirror or copy: cite the paper instead")
        return self

    @property
    def link(self) -> str | None:
        """Address that leads to the paper, or None."""
        if self.doi:
            return f"https://doi.org/{self.doi}"
        if self.pmcid:
            return f"https://pmc.ncbi.nlm.nih.gov/articles/{self.pmcid}/"
        if self.pmid:
            return f"https://pubmed.ncbi.nlm.nih.gov/{self.pmid}/"
        return self.url

    def __str__(self) -> str:
        return " ".join(
            str(part) for part in (self.authors, f"({self.year})" if self.year else "", self.journal) if part
        )


class Spread(Record):
    """How far a quantity varies, between people unless the record says otherwise."""

    kind: Literal["cv", "sd", "se", "omega2", "range", "ci95", "iqr"] = Field(
        description="cv: coefficient of variation as a fraction; sd, se: in the record's unit; omega2: variance on the "
        "log scale; range, ci95, iqr: [low, high] in the record's unit"
    )
    value: float | list[float] = Field(
        description="one number, or [low, high]; one entry a value where the record has a list"
    )

    @model_validator(mode="after")
    def _shape(self) -> Spread:
        if self.kind in ("range", "ci95", "iqr"):
            if not (isinstance(self.value, list) and len(self.value) == 2 and self.value[0] <= self.value[1]):
                raise ValueError(f"a spread of kind '{self.kind}' is [low, high]")
        elif any(number < 0 for number in (self.value if isinstance(self.value, list) else [self.value])):
            raise ValueError(f"a spread of kind '{self.kind}' cannot be negative")
        return self


class ParameterRecord(Record):
    """One published, derived or assumed number that a model may use."""

    id: Identifier = Field(description="unique name; what `source=` of a model parameter points to")
    quantity: str = Field(description="what was measured, in own words")
    value: float | list[float] | None = Field(
        description="as published, in `unit`; None when published but not readable"
    )
    unit: str = Field(description="unit that pint reads; '1' for a pure number")
    spread: Spread | None = Field(default=None, description="spread as published")
    population: str | None = Field(default=None, description="who was studied, and how many")
    site: str | None = Field(default=None, description="where it was measured: arterial, venous, plasma, tissue ...")
    conditions: str | None = Field(default=None, description="dose, route, species, assay: what the number depends on")
    note: str | None = Field(default=None, description="conflicts, caveats")
    citation: Citation | None = Field(default=None, description="where it was published; needed for grade 'page'")
    grade: Grade = Field(description="page, derived or assumed")
    derivation: str | None = Field(
        default=None, description="from which records or inputs, and how; needed unless 'page'"
    )

    @model_validator(mode="after")
    def _grounded(self) -> ParameterRecord:
        if self.grade == "page" and self.citation is None:
            raise ValueError("a number of grade 'page' needs a citation")
        if self.grade == "derived" and not self.derivation:
            raise ValueError("a derived number needs a derivation")
        if self.grade == "assumed" and not (self.derivation or self.note):
            raise ValueError("an assumed number needs a reason, as derivation or note")
        return self


class ParameterFile(Record):
    """One file of `data/parameters`."""

    records: list[ParameterRecord]
