"""Remake docs/validation: every published number against the shipped posterior, seen and unseen, and the pictures.

    python bench/validation.py

Takes about ten minutes on 2 cores; the same seed gives the same bytes.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from afterglow.interfaces import validation

PLACE = Path(__file__).parent.parent / "docs" / "validation"
SEEN = validation.Asked(None, patients=256, seed=1, draws=24, variant=None, loo=False)
UNSEEN = validation.Asked(None, patients=256, seed=1, draws=24, variant=None, loo=True)


def tell(what: str, share: float) -> None:
    """A line of progress."""
    print(f"{100 * share:3.0f} %  {what}", file=sys.stderr)


def main() -> None:
    """Simulate, score, draw, write."""
    seen, unseen = validation.run(SEEN, tell), validation.run(UNSEEN, tell)
    for name, table in seen.items():
        table.to_csv(PLACE / f"{name}.csv", index=False, float_format="%.6g")
    for name, table in unseen.items():
        table.to_csv(PLACE / f"unseen_{name}.csv", index=False, float_format="%.6g")
    shutil.rmtree(PLACE / "figures", ignore_errors=True)
    validation.pictures(PLACE / "figures", SEEN, seen["validation"], tell)
    print(unseen["score"].to_string(index=False))


if __name__ == "__main__":
    main()
