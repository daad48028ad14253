"""Where a number of the clinic comes from, and how sure that is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from afterglow.clinic.files import Strict, Wrong

Grade = Literal["page", "derived", "assumed"]


class Source(Strict):
    """A source record.

    `page`: printed in the cited document. `derived`: computed from printed numbers, `note` says how. `assumed`: chosen
    by us, `note` says why.
    """

    citation: str = Field(default="", description="authors, year, journal; or the label and its section")
    doi: str | None = Field(default=None, pattern=r"^10\.\d{4,9}/\S+$", description="DOI without the resolver")
    grade: Grade = Field(description="page, derived or assumed")
    note: str = Field(default="", description="what a reader should know; for assumed numbers: why")

    @classmethod
    def rules(cls, good: dict[str, Any]) -> Any:
        """A published number has a citation, an assumed one a reason."""
        if good.get("grade") == "assumed" and not good.get("note"):
            yield Wrong("an assumed number has no reason", "add `note: why`")
        elif good.get("grade") in ("page", "derived") and not good.get("citation"):
            yield Wrong("a published number has no citation", "add `citation:`, or say `grade: assumed` with a note")

    def __str__(self) -> str:
        cited = self.citation + (f" doi:{self.doi}" if self.doi else "")
        return f"assumed: {self.note}" if self.grade == "assumed" else cited
