"""Small pieces of Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def cell(text: object) -> str:
    """Text for a cell of a table, as it is: nothing in it is read as markup."""
    return re.sub(r"([\\`*_{}\[\]<>|$])", r"\\\1", " ".join(str(text).split()))


def described(text: str) -> str:
    """As `cell`, but words between backticks are code."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:
        return cell(text)
    return "".join(f"`{one}`".replace("|", r"\|") if i % 2 else cell(one) for i, one in enumerate(parts))


def prose(text: str) -> str:
    """Paragraphs of plain text, in which only words between backticks are marked."""
    return re.sub(r"([*<$])", r"\\\1", text.strip()) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of ready cells."""
    lines = [list(head), ["---"] * len(head), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def code(text: str, language: str = "text") -> str:
    """A block of code."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def folded(title: str, text: str) -> str:
    """Markdown that is shown on a click."""
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n</details>\n"


def slug(heading: str) -> str:
    """The anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
