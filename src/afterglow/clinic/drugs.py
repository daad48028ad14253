"""The drugs and routes that a course may use: one table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from afterglow.clinic.files import Wrong
from afterglow.errors import nearest

Kind = Literal["ketamine", "benzodiazepine", "antidepressant", "inert"]

ROUTES = {
    "iv": "intravenous infusion",
    "im": "intramuscular injection",
    "sc": "subcutaneous injection",
    "nasal-device": "metered nasal spray device",
    "nasal-atomiser": "nasal atomiser, drops or compounded spray",
    "sublingual": "tablet, wafer or film under the tongue",
    "oral": "swallowed",
}
INJECTED = frozenset({"iv", "im", "sc"})
NASAL = frozenset({"nasal-device", "nasal-atomiser"})
_INTO_BODY = ("iv", "im", "sc", "nasal-atomiser", "sublingual", "oral")


@dataclass(frozen=True)
class Drug:
    """One drug, what it is and how it may be given."""

    name: str
    kind: Kind
    routes: tuple[str, ...]
    title: str


DRUGS = {
    drug.name: drug
    for drug in (
        Drug("ketamine", "ketamine", _INTO_BODY, "racemic ketamine"),
        Drug("esketamine", "ketamine", ("nasal-device", *_INTO_BODY), "S-ketamine"),
        Drug("arketamine", "ketamine", _INTO_BODY, "R-ketamine"),
        Drug("midazolam", "benzodiazepine", ("iv", "im", "sc"), "midazolam, active placebo of infusion trials"),
        Drug("diazepam", "benzodiazepine", ("oral",), "diazepam"),
        Drug("escitalopram", "antidepressant", ("oral",), "escitalopram (SSRI)"),
        Drug("sertraline", "antidepressant", ("oral",), "sertraline (SSRI)"),
        Drug("venlafaxine", "antidepressant", ("oral",), "venlafaxine (SNRI)"),
        Drug("bupropion", "antidepressant", ("oral",), "bupropion (NDRI)"),
        Drug("saline", "inert", ("iv", "im", "sc"), "saline"),
        Drug("placebo-spray", "inert", ("nasal-device", "nasal-atomiser"), "placebo nasal spray"),
        Drug("placebo-pill", "inert", ("sublingual", "oral"), "placebo tablet"),
    )
}

# What people may look for and will not find, and what to do about it.
NOT_MODELLED = frozenset({"psilocybin", "mdma", "lsd", "ayahuasca", "dmt", "ect", "tms", "lithium", "zuranolone"})

_ROUTE_WORDS = {
    "intravenous": "iv",
    "infusion": "iv",
    "intramuscular": "im",
    "subcutaneous": "sc",
    "intranasal": "nasal-device",
    "nasal": "nasal-device",
    "in": "nasal-device",
    "spray": "nasal-device",
    "sl": "sublingual",
    "po": "oral",
    "by mouth": "oral",
}
_DRUG_WORDS = {"spravato": "esketamine", "s-ketamine": "esketamine", "r-ketamine": "arketamine", "ketalar": "ketamine"}


def drug_name(value: Any) -> str:
    """A known drug, or `Wrong` with the nearest one."""
    if isinstance(value, str) and value in DRUGS:
        return value
    word = str(value).strip().lower()
    if word in NOT_MODELLED:
        raise Wrong(f"{value} is not modelled", "drugs: " + ", ".join(DRUGS))
    remedy = f"did you mean '{_DRUG_WORDS[word]}'?" if word in _DRUG_WORDS else nearest(word, DRUGS)
    raise Wrong(f"drug {value!r} is not known", remedy)


def route_name(value: Any) -> str:
    """A known route, or `Wrong` with the nearest one."""
    if isinstance(value, str) and value in ROUTES:
        return value
    word = str(value).strip().lower()
    remedy = f"did you mean '{_ROUTE_WORDS[word]}'?" if word in _ROUTE_WORDS else nearest(word, ROUTES)
    raise Wrong(f"route {value!r} is not known", remedy)


DrugName = Annotated[str, BeforeValidator(drug_name)]
RouteName = Annotated[str, BeforeValidator(route_name)]
