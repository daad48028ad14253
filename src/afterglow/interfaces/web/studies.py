"""The long studies of the page: the same functions as on the command line, their results as plain data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from afterglow.clinic.course import load_course
from afterglow.clinic.person import person_from_data
from afterglow.interfaces.web.bodies import ForecastBody, PlanBody, TrialBody, trial_scenario

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.study.trial_result import TrialResult

Tell = Callable[[str, float], None]
Rows = list[dict[str, Any]]


def rows(table: pd.DataFrame) -> Rows:
    """A table as a list of rows."""
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


# ------------------------------------------------------------------------------------------------ one person


def forecast(body: ForecastBody, tell: Tell) -> dict[str, Any]:
    """`afterglow forecast`: its JSON file, with the bands of people of whom no score is known."""
    from afterglow.interfaces.forecast import contents
    from afterglow.study.forecast_study import forecast as study

    tell("updating the population by the scores", 0.1)
    person = person_from_data(body.person)
    others = [load_course(name) for name in body.courses]
    result = study(person, others, weeks=body.weeks, scale=body.scale, seed=body.seed)
    population = result.population.table().to_dict("list")
    screening = [{"dose": one.plan.name, **row} for one in result.outlooks for row in rows(one.screening)]
    return {**contents(result), "population": population, "screening": screening}


def plan(body: PlanBody, tell: Tell) -> dict[str, Any]:
    """`afterglow plan`: its JSON file, tables as lists of rows."""
    from afterglow.interfaces.plan import contents, tables
    from afterglow.study.plan_study import plan as study

    person = None if body.person is None else person_from_data(body.person)
    found = study(person, body.population or "trd", weeks=body.weeks, seed=body.seed, progress=tell)
    return {**contents(found), **{name: rows(table) for name, table in tables(found).items()}}


# ------------------------------------------------------------------------------------------------ trials


def trial(body: TrialBody, tell: Tell) -> dict[str, Any]:
    """`afterglow trial`, in memory: arms, estimates with their power, what people guess, who left."""
    from afterglow.interfaces.trial import plan as planned
    from afterglow.study import trial_study
    from afterglow.study.trial_tables import TABLES

    asked = planned([trial_scenario(body.trial)], body.replicates, body.seed, None)
    tell("checking the design", 0.0)
    trial_study.check(asked)
    tasks = list(trial_study.pieces(asked))
    parts = []
    for number, task in enumerate(tasks):
        tell(f"piece {number + 1} of {len(tasks)}", number / len(tasks))
        parts.append(trial_study.work(task.argument))
    tell("putting the tables together", 1.0)
    found = {name: _together([part[name] for part in parts]) for name in TABLES}
    return trial_answer(trial_study.result(asked, found, trial_study.warnings(asked)))


def _together(tables: list[pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    filled = [table for table in tables if len(table)]  # an empty table has no types, and would change those of others
    return pd.concat(filled or tables[:1], ignore_index=True)


def trial_answer(result: TrialResult) -> dict[str, Any]:
    """A trial as the page shows it; shares of replicates with their Wilson intervals."""
    tables, world = result.tables, result.worlds[0]
    power = rows(tables["operating_characteristics"])
    main = [row for row in rows(tables["contrasts"]) if row["world"] == world]
    return {
        "arms": _arms(result, world),
        "estimates": [
            {
                "endpoint": f"{row['measure']} {row['scale']} {row['visit']}",
                "arm": row["arm"],
                "control": row["control"],
                "analysis": row["analysis"],
                "estimate": row["estimate"],
                **_reported(tables["estimates"], row, world),
                "lo90": ends["lo90"],
                "hi90": ends["hi90"],
                "truth": row["truth"],
                "power": row["assurance"],
                "power_lo": row["assurance_lo90"],
                "power_hi": row["assurance_hi90"],
            }
            for row, ends in zip(power, main, strict=True)
        ],
        "blinding": [row for row in rows(tables["guesses"]) if row["world"] in (world, "masked")],
        "worlds": [
            {
                "world": row["world"],
                "arm": row["arm"],
                "endpoint": f"{row['measure']} {row['scale']} {row['visit']}",
                "estimate": row["difference"],
                "lo90": row["lo90"],
                "hi90": row["hi90"],
                "power": row["power"],
                "power_lo": row["power_lo90"],
                "power_hi": row["power_hi90"],
            }
            for row in rows(tables["contrasts"])
        ],
        "power_curve": [row for row in rows(tables["power_curve"]) if row["world"] in (world, "masked")],
        "visits": [row for row in rows(tables["arms"]) if row["world"] in (world, "masked")],
        "flow": [row for row in rows(tables["flow"]) if row["world"] == world],
        "replicates": result.replicates,
        "warnings": list(result.warnings),
    }


def _arms(result: TrialResult, world: str) -> Rows:
    """Arms at the visit of the primary endpoint; ends hold 90 % of such trials."""
    primary = result.scenarios[0].trial.primary
    last = max(row["time_h"] for row in rows(result.tables["arms"]))
    at = last if primary.at is None else primary.at
    names = ("arm", "visit", "n", "response", "remission", "change")
    return [
        {name: row[name] for name in names} | {"lo90": row["change_lo90"], "hi90": row["change_hi90"]}
        for row in rows(result.tables["arms"])
        if row["world"] == world and abs(row["time_h"] - at) < 1e-6 and row["scale"] == primary.scale
    ]


def _reported(estimates: pd.DataFrame, row: Mapping[str, Any], world: str) -> dict[str, float]:
    """Ends of the 95 % interval that a trial reports, means over replicates."""
    same = estimates["world"] == world
    for name in ("endpoint", "analysis", "arm"):
        same &= estimates[name] == row[name]
    return {name: float(estimates.loc[same, name].mean()) for name in ("lo95", "hi95")}
