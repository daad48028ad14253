"""`afterglow forecast`: the result folder of one person, and the comparison with an earlier one.

report.html     one page, made to be printed
forecast.csv    every plan at every visit: mean, bands, chances of response, remission and relapse
summary.csv     one row a plan: where it leads and what it costs
fitted.csv      each score beside the band in which it was to be expected
forecast.json   the same for programs, with the person file and how sure the forecast is
compared.csv    with --previous: how the forecast has changed
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from afterglow.errors import Fault, InputError
from afterglow.interfaces import output
from afterglow.interfaces.words import DRUG_SHARE_SHORT

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.study.forecast_study import Forecast

COMPARED = ("mean", "lo90", "hi90")
COVERS = ("people", "ratings", "parameters", "place of treatment")


def save(
    result: Forecast,
    out: Path,
    command: str,
    settings: Mapping[str, Any],
    *,
    force: bool,
    before: pd.DataFrame | None = None,
) -> None:
    """Write the result folder; `before` is the table of an earlier forecast to compare with."""
    from afterglow.interfaces import forecast_report
    from afterglow.study import forecast_columns

    tables = {"forecast": result.table, "summary": result.summary, "fitted": result.fitted}
    tables = {name: table for name, table in tables.items() if len(table)}
    if before is not None:
        tables["compared"] = compared(result.table, before)
    with output.new_folder(out, force=force) as work:
        output.write_tables(work, tables)
        output.write_json(work / "units.json", forecast_columns.units(tables, COVERS))
        output.write_json(work / "forecast.json", contents(result))
        page = forecast_report.build(result, command, tables.get("compared"))
        (work / "report.html").write_text(page, encoding="utf-8")
        output.write_manifest(work, command, settings, result.warnings, drug_share=DRUG_SHARE_SHORT)


def contents(result: Forecast) -> dict[str, Any]:
    """The forecast as plain data."""
    updated = result.updated
    return {
        "person": result.person.written(),
        "scale": result.scale,
        "weeks": result.weeks,
        "effective_people": updated.effective,
        "refined": updated.refined,
        "oddness": updated.odd,
        "warnings": result.warnings,
        "summary": result.summary.to_dict("list"),
        "forecast": result.table.to_dict("list"),
        "fitted": result.fitted.to_dict("list"),
    }


def earlier(folder: Path) -> pd.DataFrame:
    """The forecast of an earlier result folder."""
    import pandas as pd

    path = folder / "forecast.parquet"
    if not path.is_file():
        raise InputError(Fault("--previous", f"'{folder.name}' holds no forecast", "name the folder of an earlier one"))
    return pd.read_parquet(path)


def compared(now: pd.DataFrame, before: pd.DataFrame) -> pd.DataFrame:
    """Plans that both forecasts have, where they overlap: mean and 90 % band, before and now.

    Times of the earlier forecast that fall between its visits are read off straight lines.
    """
    import pandas as pd

    rows: list[pd.DataFrame] = []
    for plan in dict.fromkeys(now["plan"]):
        new, old = now[now["plan"] == plan], before[before["plan"] == plan]
        if not len(old) or set(old["scale"]) != set(new["scale"]):
            continue
        inside = new[(new["time_h"] >= old["time_h"].min()) & (new["time_h"] <= old["time_h"].max())]

        def earlier_at(name: str, old: Any = old, inside: Any = inside) -> Any:
            return np.interp(inside["time_h"], old["time_h"], old[name])

        found = {"time_h": inside["time_h"], "plan": plan}
        for name in COMPARED:
            found |= {f"{name}_before": earlier_at(name), name: inside[name]}
        found["width90_before"] = found["hi90_before"] - found["lo90_before"]
        found["width90"] = found["hi90"] - found["lo90"]
        rows.append(pd.DataFrame(found))
    names = ["time_h", "plan", *(f"{name}{when}" for name in COMPARED for when in ("_before", ""))]
    names += ["width90_before", "width90"]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame(columns=pd.Index(names))


def short(result: Forecast) -> pd.DataFrame:
    """The short table of plans for the screen."""
    import pandas as pd

    rows = []
    for one in result.summary.to_dict("records"):
        after = one["relapse_even_after_d"]
        rows.append(
            {
                "plan": one["plan"],
                "days in remission (90 %)": _ends(
                    one, "days_in_remission", "days_in_remission_lo90", "days_in_remission_hi90"
                ),
                f"{result.scale} at the end (90 %)": _ends(one, "mean_at_end", "lo90_at_end", "hi90_at_end"),
                "response": f"{one['p_response_at_end']:.0%}",
                "remission": f"{one['p_remission_at_end']:.0%}",
                "relapse 50 % by": "" if after != after else f"day {after:.0f}",
                "sessions": f"{one['sessions']:.3g}",
                "mg": round(one["ketamine_mg"]),
                "CADSS (1 in 20)": f"{one['cadss_worst']:.0f} ({one['cadss_worst_p95']:.0f})",
                "mmHg (1 in 20)": f"{one['systolic_worst']:.0f} ({one['systolic_worst_p95']:.0f})",
                "against it": one["contraindications"],
            }
        )
    return pd.DataFrame(rows)


def _ends(row: Mapping[Any, Any], *names: str) -> str:
    value, low, high = (row[name] for name in names)
    return "" if value != value else f"{value:.0f} ({low:.0f} to {high:.0f})"


def show(result: Forecast) -> None:
    """Print the plans, how sure the forecast is, the warnings and the notice."""
    import typer

    from afterglow.interfaces import terminal

    seen = len(result.updated.person.seen)
    title = f"Person {result.person.person}: {seen} scores, the next {result.weeks:g} weeks"
    terminal.show_table(short(result), title)
    refined = ", refined" if result.updated.refined else ""
    typer.echo(f"{result.updated.effective:.0f} effective virtual people{refined}. A clinician decides.")
    terminal.show_notice(result.warnings)
