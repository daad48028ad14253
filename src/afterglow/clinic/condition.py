"""The small language of `if` and `when`: conditions on measured scores.

    improvement(MADRS) < 20 %            percent fall from the measured baseline
    MADRS >= 0.5 * baseline              `baseline` is that of the scale on the other side
    MADRS >= 22 and PHQ-9 > 9            `and` binds closer than `or`; brackets are allowed

There is no `eval`: the text is cut into words, parsed by the rules above and evaluated on arrays, one entry a patient.
A missing score (NaN) makes its comparison false.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator

from afterglow.clinic.files import Wrong
from afterglow.errors import Fault, InputError, nearest

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
_Scores = Mapping[str, FloatArray]

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_TOKEN = re.compile(r"\s*(?:(?P<number>\d+(?:\.\d*)?|\.\d+)|(?P<name>[A-Za-z][A-Za-z0-9-]*)|(?P<sign><=|>=|[<>()*%=]))")


@dataclass(frozen=True)
class Side:
    """One side of a comparison: factor times points, percent improvement, a score or a baseline."""

    kind: Literal["points", "percent", "improvement", "score", "baseline"]
    factor: float = 1.0
    scale: str = ""

    def value(self, scores: _Scores, baseline: _Scores) -> FloatArray | float:
        """Value for each patient, points or percent."""
        if self.kind in ("points", "percent"):
            return self.factor
        if self.kind == "score":
            return self.factor * scores[self.scale]
        if self.kind == "baseline":
            return self.factor * baseline[self.scale]
        with np.errstate(divide="ignore", invalid="ignore"):
            return 100.0 * (1.0 - scores[self.scale] / baseline[self.scale])


@dataclass(frozen=True)
class Compare:
    """left sign right."""

    left: Side
    sign: str
    right: Side

    def holds(self, scores: _Scores, baseline: _Scores) -> BoolArray:
        """For each patient, whether the comparison is true."""
        return np.asarray(_COMPARE[self.sign](self.left.value(scores, baseline), self.right.value(scores, baseline)))


@dataclass(frozen=True)
class Join:
    """`and` or `or` of two conditions."""

    word: Literal["and", "or"]
    left: Compare | Join
    right: Compare | Join

    def holds(self, scores: _Scores, baseline: _Scores) -> BoolArray:
        """For each patient, whether the joined condition is true."""
        left, right = self.left.holds(scores, baseline), self.right.holds(scores, baseline)
        return left & right if self.word == "and" else left | right


@dataclass(frozen=True)
class Condition:
    """A parsed condition."""

    text: str
    tree: Compare | Join
    scales: tuple[str, ...]

    def holds(self, scores: _Scores, baseline: _Scores) -> BoolArray:
        """Whether the condition is true, [N].

        Args:
            scores: measured score of each scale at the moment of the decision, each [N].
            baseline: measured baseline of each scale, each [N].
        """
        for scale in self.scales:
            for name, table in (("scores", scores), ("baseline", baseline)):
                if scale not in table:
                    raise InputError(Fault(f"condition '{self.text}'", f"no {name} of {scale}", nearest(scale, table)))
        return self.tree.holds(scores, baseline)

    def holds_at(self, scores: _Scores, visit: int) -> BoolArray:
        """Whether the condition is true at a visit, [N].

        Args:
            scores: measured scores of each scale, each [N, visits]; the first visit is the baseline.
            visit: its number.
        """
        now = {name: table[:, visit] for name, table in scores.items()}
        return self.holds(now, {name: table[:, 0] for name, table in scores.items()})

    def __str__(self) -> str:
        return self.text


class _Parser:
    """Recursive descent over the words of a condition; every fault names its column."""

    def __init__(self, text: str, scales: tuple[str, ...]) -> None:
        self.text, self.known = text, scales
        self.words: list[tuple[str, str, int]] = []
        end = 0
        while text[end:].strip():
            match = _TOKEN.match(text, end)
            if match is None:
                column = end + len(text[end:]) - len(text[end:].lstrip()) + 1
                raise self.wrong(f"'{text[column - 1]}' is not understood", column, "use < <= > >= and or ( ) * %")
            kind = match.lastgroup or ""
            self.words.append((kind, match[kind], match.start(kind) + 1))
            end = match.end()
        self.at = 0

    def wrong(self, problem: str, column: int, remedy: str) -> Wrong:
        return Wrong(f"condition '{self.text}', column {column}: {problem}", remedy)

    def peek(self) -> tuple[str, str, int]:
        return self.words[self.at] if self.at < len(self.words) else ("end", "the end", len(self.text) + 1)

    def take(self, word: str | None = None) -> tuple[str, str, int]:
        found = self.peek()
        if word is not None and found[1] != word:
            raise self.wrong(f"'{word}' expected, found {found[1]}", found[2], f"write '{word}' here")
        self.at += 1
        return found

    def either(self) -> Compare | Join:
        left = self.both()
        while self.peek()[1] == "or":
            self.take()
            left = Join("or", left, self.both())
        return left

    def both(self) -> Compare | Join:
        left = self.single()
        while self.peek()[1] == "and":
            self.take()
            left = Join("and", left, self.single())
        return left

    def single(self) -> Compare | Join:
        if self.peek()[1] == "(":
            self.take()
            inner = self.either()
            self.take(")")
            return inner
        return self.comparison()

    def comparison(self) -> Compare:
        start = self.peek()[2]
        left = self.side()
        _, sign, column = self.peek()
        if sign not in _COMPARE:
            remedy = "use < or >" if sign == "=" else "write one of < <= > >="
            raise self.wrong(f"a comparison expected, found {sign}", column, remedy)
        self.take()
        right = self.side()
        scales = [side.scale for side in (left, right) if side.scale]
        if not scales:
            raise self.wrong("no scale is compared", start, "write for instance 'MADRS >= 22'")
        left, right = (
            Side("baseline", side.factor, scales[0]) if side.kind == "baseline" and not side.scale else side
            for side in (left, right)
        )
        improvement = [side.kind == "improvement" for side in (left, right)]
        percent = [side.kind == "percent" for side in (left, right)]
        if improvement != percent[::-1]:
            what, remedy = ("an improvement", "write '20 %'") if any(improvement) else ("points", "leave the % out")
            raise self.wrong(f"{what} cannot be compared with this", start, remedy)
        return Compare(left, sign, right)

    def side(self) -> Side:
        kind, word, column = self.take()
        if kind == "number":
            return self.number(float(word))
        if kind != "name":
            raise self.wrong(f"a scale or a number expected, found {word}", column, "write for instance 'MADRS >= 22'")
        if word == "baseline":
            return Side("baseline")
        if word == "improvement":
            self.take("(")
            scale = self.scale()
            self.take(")")
            return Side("improvement", 1.0, scale)
        self.at -= 1
        return Side("score", 1.0, self.scale())

    def number(self, factor: float) -> Side:
        percent = self.peek()[1] == "%"
        if percent:
            self.take()
        if self.peek()[1] != "*":
            return Side("percent" if percent else "points", factor)
        self.take()
        column = self.peek()[2]
        side = self.side()
        if side.kind not in ("baseline", "score"):
            raise self.wrong(
                "only a score or a baseline can be multiplied", column, "write for instance '0.5 * baseline'"
            )
        return Side(side.kind, side.factor * factor / (100.0 if percent else 1.0), side.scale)

    def scale(self) -> str:
        kind, word, column = self.take()
        if kind != "name" or word not in self.known:
            raise self.wrong(
                f"scale '{word}' is not known", column, nearest(word, (*self.known, "baseline", "improvement"))
            )
        return word


def parse_condition(text: Any, scales: tuple[str, ...] | None = None) -> Condition:
    """Parse a condition; `Wrong` names the column and the remedy. `scales` defaults to all shipped scales."""
    if isinstance(text, Condition):
        return text
    if not isinstance(text, str) or not text.strip():
        raise Wrong(f"{text!r} is not a condition", "write for instance 'MADRS >= 22'")
    if scales is None:
        from afterglow.clinic.scale import names

        scales = names()
    parser = _Parser(text, scales)
    tree = parser.either()
    kind, word, column = parser.peek()
    if kind != "end":
        raise parser.wrong(f"'{word}' is too much", column, "join conditions with 'and' or 'or'")
    return Condition(text, tree, tuple(sorted(_scales(tree))))


def _scales(tree: Compare | Join) -> set[str]:
    if isinstance(tree, Join):
        return _scales(tree.left) | _scales(tree.right)
    return {side.scale for side in (tree.left, tree.right) if side.scale}


# people write it as text, and so does the JSON Schema of a file
ConditionField = Annotated[Condition, BeforeValidator(lambda text: parse_condition(text), json_schema_input_type=str)]
