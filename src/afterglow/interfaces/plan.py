"""`afterglow plan`: the result folder and the tables on the screen.

report.html     one page, made to be printed
plans.csv       expected scores and chances by plan and week: the columns of a forecast
rules.csv       one row a plan: every outcome with its intervals, and whether it is on the front
front.csv       one row a plan and chosen objective: its mean, and its difference from nothing more and weekly doses
waiting.csv     what one more visit is worth before the next dose
little.csv      how few infusions are enough
screening.csv, excluded.csv, resistance.csv   the reasons, and what is not in the comparison
forecast.json   the same for programs, with the person file and how sure it is
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afterglow.clinic.screening import SEVERITIES
from afterglow.interfaces import output
from afterglow.interfaces.words import DRUG_SHARE_SHORT
from afterglow.study import plan_columns, plan_little, plan_waiting

if TYPE_CHECKING:
    import pandas as pd

    from afterglow.study.plan_study import Planned

COVERS = ("people", "ratings", "parameters", "place of treatment")
PLANS = (
    "time_h", "scale", "plan", "mean", "lo50", "hi50", "lo80", "hi80", "lo90", "hi90", "p_response", "p_remission",
    "p_relapse",
)  # fmt: skip


def tables(found: Planned) -> dict[str, pd.DataFrame]:
    """The tables of the folder, those without rows left out, but for `excluded`: that nothing is, is an answer."""
    every = {
        "plans": found.table.filter(list(PLANS)),
        "rules": found.rules,
        "front": found.front,
        "waiting": found.waiting,
        "little": found.little,
        "screening": found.screening,
        "resistance": found.resistance,
    }
    return {name: table for name, table in every.items() if len(table)} | {"excluded": found.excluded}


def save(found: Planned, out: Path, command: str, settings: Mapping[str, Any], *, force: bool) -> None:
    """Write the result folder."""
    from afterglow.interfaces import plan_report

    kept = tables(found)
    with output.new_folder(out, force=force) as work:
        output.write_tables(work, kept)
        output.write_json(work / "units.json", plan_columns.units(kept, COVERS))
        output.write_json(work / "forecast.json", contents(found))
        (work / "report.html").write_text(plan_report.build(found, command), encoding="utf-8")
        output.write_manifest(work, command, settings, found.warnings, drug_share=DRUG_SHARE_SHORT)


def contents(found: Planned) -> dict[str, Any]:
    """The plan as plain data."""
    people, different = found.people
    return {
        "who": found.who,
        "person": None if found.person is None else found.person.written(),
        "weeks": found.weeks,
        "objectives": [{"name": one.name, "aim": one.aim} for one in found.objectives],
        "doses": found.doses,
        "effective_people": found.updated.effective,
        "refined": found.updated.refined,
        "oddness": found.updated.odd,
        "people": people,
        "different_people": different,
        "warnings": found.warnings,
        "waiting_in_words": plan_waiting.sentence(found.waiting, found.weeks) if len(found.waiting) else None,
        "fewest_sessions": dict(zip(("value", "lo90", "hi90"), plan_little.fewest(found.little), strict=True))
        if len(found.little)
        else None,
        **{name: table.to_dict("list") for name, table in tables(found).items()},
    }


def summary(found: Planned) -> pd.DataFrame:
    """The short table of plans for the screen, best in the first objective first."""
    import pandas as pd

    first = found.objectives[0]
    rows = []
    for one in sorted(
        found.rules.to_dict("records"), key=lambda row: -row[first.name] if first.more else row[first.name]
    ):
        rows.append(
            {
                "plan": one["plan"],
                "days in remission": f"{one['days_in_remission']:.1f}",
                "mean (90 %)": f"{one['days_in_remission_lo90']:.1f} to {one['days_in_remission_hi90']:.1f}",
                "people (90 %)": f"{one['days_in_remission_p05']:.0f} to {one['days_in_remission_p95']:.0f}",
                "doses": f"{one['doses']:.1f}".removesuffix(".0"),
                "visits": f"{one['visits']:.1f}".removesuffix(".0"),
                "mg": f"{one['ketamine_mg']:.0f}",
                "CADSS": f"{one['cadss']:.0f}",
                "days ill": f"{one['days_ill']:.0f}",
                "not beaten": "yes" if one["front"] else "same therapy" if one["front_alike"] else "",
                "in resamples": f"{100 * one['front_share']:.0f} %",
            }
        )
    return pd.DataFrame(rows)


def reasons(found: Planned) -> pd.DataFrame:
    """Each rule of the screening once, with how many of the doses it speaks of."""
    import pandas as pd

    names = ("severity", "reason", "what_would_change_it")
    doses: dict[tuple[str, ...], set[str]] = {}
    for row in found.screening.to_dict("records"):
        doses.setdefault(tuple(row[name] for name in names), set()).add(row["dose"])
    total = found.screening["dose"].nunique()
    rows = [
        {**dict(zip(names, rule, strict=True)), "doses": "all" if len(one) == total else f"{len(one)} of {total}"}
        for rule, one in doses.items()
    ]
    return pd.DataFrame(sorted(rows, key=lambda row: SEVERITIES.index(row["severity"])))


def show(found: Planned) -> None:
    """Print the reasons, the plans, what waiting is worth and how little is enough."""
    import typer

    from afterglow.interfaces import terminal

    if len(found.screening):
        terminal.show_table(reasons(found), "Screening: a reading aid; a clinician decides")
    if len(found.resistance):
        shown = found.resistance.drop(columns=["source", "missing"])
        terminal.show_table(shown, f"Treatment resistance: {found.resistance.attrs['count']}")
    if len(found.excluded):
        terminal.show_table(found.excluded.drop(columns="source"), "Excluded, never simulated")
    words = " and ".join(one.title for one in found.objectives)
    terminal.show_table(summary(found), f"Plans for {found.who}, {found.weeks:g} weeks; not beaten in {words}")
    if len(found.waiting):
        typer.echo(plan_waiting.sentence(found.waiting, found.weeks))
    if len(found.little):
        fewest, low, high = plan_little.fewest(found.little)
        typer.echo(
            f"How little is enough: the first {fewest} of {len(found.little)} infusions keep {plan_little.ENOUGH:.0%} "
            f"of the benefit of all over {plan_little.WEEKS} weeks (90 % interval {low} to {high})."
        )
    terminal.show_notice(found.warnings)
