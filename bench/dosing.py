"""Every kind of dosing event against closed forms or SciPy, at the default tolerance of event tables (1e-8).

    python bench/dosing.py [--json FILE]

Prints scenario, models, judge and the largest relative difference of the first output (of the models together; the file
has each); the last line is the worst. The exit code is 1 when it is above 1e-6. Scenarios and judges are those of the
tests (`tests/dosing_scenarios.py`).
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from dosing_scenarios import SCENARIOS, TOLERANCE, difference

SHORT = {"OneCompartment": "one", "TwoCompartments": "two"}  # compartments


def measured() -> list[dict[str, str | float]]:
    """A row for each scenario and model."""
    return [
        {"scenario": name, "model": s.__name__, "judge": scenario.judge, "difference": difference(scenario, s)}
        for name, scenario in SCENARIOS.items()
        for s in scenario.systems
    ]


def main() -> int:
    """Measure, print, write."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--json", type=Path, help="write all rows there too")
    asked = ask.parse_args()
    rows = measured()
    print(f"{'scenario':53}{'model':21}{'judge':13}{'difference':>10}")
    for name, scenario in SCENARIOS.items():
        mine = [row for row in rows if row["scenario"] == name]
        models = ", ".join(SHORT.get(str(row["model"]), str(row["model"])) for row in mine)
        print(f"{name:53}{models:21}{scenario.judge:13}{max(float(row['difference']) for row in mine):10.1e}")
    worst = max(rows, key=lambda row: row["difference"])
    print(f"\n{len(rows)} rows, the worst {worst['difference']:.1e}: {worst['scenario']}, {worst['model']}", end="")
    print(f" (at most {TOLERANCE:g} allowed)")
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(float(worst["difference"]) > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
