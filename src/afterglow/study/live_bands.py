"""Bands over people at each time: medians, means and the middle 50, 80 and 90 %."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
DIGITS = 6  # significant ones of numbers in plain data
QUANTILES = {
    "median": 0.50, "lo50": 0.25, "hi50": 0.75, "lo80": 0.10, "hi80": 0.90, "lo90": 0.05, "hi90": 0.95,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Band:
    """A quantity over people at each time, each [times]; `one` is a single person's line."""

    median: FloatArray
    mean: FloatArray
    lo50: FloatArray
    hi50: FloatArray
    lo80: FloatArray
    hi80: FloatArray
    lo90: FloatArray
    hi90: FloatArray
    one: FloatArray | None = None


def band(values: NDArray[np.floating], one: NDArray[np.floating] | None = None) -> Band:
    """The band of values [times, people] without NaN; quantiles as of `np.quantile`, from one sorting."""
    ordered, last = np.sort(values, axis=1), values.shape[1] - 1
    found = {}
    for name, share in QUANTILES.items():
        place = share * last
        below = int(place)
        low, high = (ordered[:, k].astype(np.float64) for k in (below, min(below + 1, last)))
        found[name] = low + (place - below) * (high - low)
    line = None if one is None else one.astype(np.float64)
    return Band(mean=values.mean(axis=1, dtype=np.float64), one=line, **found)


def plain(value: Any) -> Any:
    """Dataclasses, mappings and arrays as dicts, lists and numbers that JSON can hold; what is not finite is None.

    Numbers of arrays are rounded to `DIGITS` significant digits.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return _numbers(value)
    if isinstance(value, float):
        return float(value) if np.isfinite(value) else None
    return value


def _numbers(values: NDArray[Any]) -> list[Any]:
    if not np.issubdtype(values.dtype, np.floating):
        return values.tolist()
    finite, exact = np.isfinite(values), values.astype(np.float64)
    size = np.clip(np.abs(np.where(finite, exact, 0.0)), 1e-30, None)  # smaller ones become 0
    scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(size)))
    rounded = (np.round(exact * scale) / scale).tolist()
    return rounded if finite.all() else [one if fine else None for one, fine in zip(rounded, finite, strict=True)]
