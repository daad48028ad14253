"""What could tell who a person is: keys, columns and texts that a file about one person may not hold.

A list of words and patterns finds what people write by habit; it cannot find everything.
"""

from __future__ import annotations

import re

from afterglow.clinic.files import Strict, Wrong

REMEDY = "remove it: no identity is needed or kept here"

_WORDS = """
name firstname lastname fullname middlename maidenname surname familyname givenname forename initials patient
patientname email mail emailaddress phone phonenumber telephone mobile fax contact address homeaddress street city
town postcode postalcode zip zipcode dateofbirth dob birthday birthdate birthyear yearofbirth born ssn
socialsecurity socialsecuritynumber mrn recordnumber medicalrecordnumber patientid patientnumber hospitalnumber
chartnumber casenumber accountnumber id nhs nhsnumber insurance insurancenumber insuranceid passport passportnumber
nationalid personnummer photo employer
"""
_KEYS = frozenset(_WORDS.split())
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_TEXTS = (
    (re.compile(r"\S@\S"), "an e-mail address"),
    (re.compile(r"\d{6,}|(?:\d[ -]?){9,}"), "a long number"),
    (re.compile(r"\b\d{1,4}([./-])\d{1,2}\1\d{1,4}\b"), "a date"),
    (re.compile(rf"\b(?:\d{{1,2}}\.?\s+{_MONTH}|{_MONTH}\s+\d{{1,2}},?)\s+\d{{2,4}}\b", re.I), "a date"),
    (re.compile(r"\b(?:born|dob|mrn|ssn|nhs|date of birth)\b", re.I), "a birth or a record number"),
    (re.compile(r"\b(?:mr|mrs|ms|miss|dr|prof)\b\.?\s+[A-Z]", re.I), "a name"),
    (re.compile(r"\b[A-Z][a-zà-ÿ'’-]+\s+[A-Z][a-zà-ÿ'’-]+"), "a name"),
)


def identifies(key: object) -> bool:
    """Whether a key or a column is one that holds an identity, however it is spelt."""
    return re.sub(r"[\W_]+", "", str(key)).lower() in _KEYS


def identity_in(text: str) -> str | None:
    """What a text seems to hold that could tell who a person is ("a date"), or None."""
    return next((what for pattern, what in _TEXTS if pattern.search(text)), None)


def unnamed_text(text: object) -> str:
    """The text, or `Wrong` where it seems to hold an identity."""
    if not isinstance(text, str):
        raise Wrong(f"{text!r} is not a text", "write words, or leave it out")
    if what := identity_in(text):
        remedy = "remove it: no identity is needed or kept here; in small letters if it is none"
        raise Wrong(f"'{text}' looks like {what}", remedy if what == "a name" else REMEDY)
    return text


class Unnamed(Strict):
    """Base of the blocks of a file about one person: keys that identify are refused with the reason."""

    @classmethod
    def unknown_key(cls, key: str) -> str:
        """Identifying keys are refused with their own words."""
        return REMEDY if identifies(key) else super().unknown_key(key)
