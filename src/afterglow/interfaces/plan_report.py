"""The page of a plan: who, what is bought with what, the plans side by side, one more visit, and the reasons.

One self-contained file in the style of the page of a forecast, made to be printed on A4.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from afterglow.clinic import screening
from afterglow.interfaces import person_page, plan_figures, report
from afterglow.interfaces.numbers import percent
from afterglow.interfaces.person_page import DECIDES, LIMITS
from afterglow.study import boosters, plan_little, plan_study, plan_waiting
from afterglow.study.plan_front import OBJECTIVES, RESAMPLES

if TYPE_CHECKING:
    from afterglow.interfaces.report import Cell
    from afterglow.study.plan_study import Planned

STYLE = """
#front .panels { display: block; max-width: none; }
#front .panels svg { max-width: 900px; }
#front .panels > div:nth-child(2) { display: none; }
#rules table { font-size: .88rem; }
#rules td:first-child { min-width: 13rem; }
#rules td:first-child .range { white-space: normal; }
#waiting .wide, #little .wide { max-width: 860px; }
#waiting td:first-child { min-width: 12rem; }
#little td:first-child { min-width: 6rem; }
@media screen and (max-width: 700px) {
  #front .panels > div:first-child { display: none; }
  #front .panels > div:nth-child(2) { display: block; }
}
@media print {
  #front .panels svg { max-width: 150mm; }
  #rules table { font-size: 7.2pt; }
  #rules td:first-child { min-width: 8rem; }
  #reasons td:nth-child(2) { width: 16%; }
}
"""
FILES = (
    "The tables (CSV and Parquet), forecast.json, units.json and manifest.json lie beside this page. plans.csv holds "
    "the expected scores of every plan week by week."
)


def build(found: Planned, command: str) -> str:
    """The whole page."""
    body = [
        person_page.opening(f"Plan for {found.who}", who_words(found), found.warnings, STYLE),
        report.figure(plan_figures.front(found)),
        _rules(found),
        _waiting(found),
        _little(found),
        _reasons(found),
        _excluded(found),
        _trust(found),
        person_page.closing(command, found.updated, FILES, _definitions()),
    ]
    return "\n".join(part for part in body if part)


def who_words(found: Planned) -> str:
    """Who it is, and what is compared."""
    compared = (
        f"Compared over {found.weeks:g} weeks: {len(found.rules)} plans with {_listed(found.doses)}."
        if found.doses
        else f"Nothing may be given; compared over {found.weeks:g} weeks: {len(found.rules)} plans without doses."
    )
    if found.person is None or found.history is None:
        return f"Virtual people of a population who have had six open infusions in twelve days. {compared}"
    return f"{person_page.who_words(found.person, found.history)} {compared}"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _definitions() -> str:
    return (
        f"Remission: MADRS at or under {boosters.WELL:g}. Ill: {boosters.RELAPSE:g} or more. A week counts by the "
        "score at its visit. "
    )


# ------------------------------------------------------------------------------------------------ parts


def _mean(row: dict[Any, Any], name: str, *, ends: bool = True) -> Cell:
    digits = next(one.digits for one in OBJECTIVES.values() if one.name == name)
    value, low, high = (f"{row[key]:.{digits}f}" for key in (name, f"{name}_lo90", f"{name}_hi90"))
    p05, p95 = (f"{row[f'{name}_{end}']:.0f}" for end in ("p05", "p95"))
    small = (f"mean {low} to {high}",) if low != high else ()
    people = (f"people {p05} to {p95}",) if p05 != p95 else ()
    return (value if ends else value.removesuffix(".0"), *(small if ends else ()), *people)


def _rules(found: Planned) -> str:
    """Every plan, what it brings and what it costs."""
    apart = found.front[found.front["objective"] == found.objectives[0].name].set_index("plan")
    rows = []
    for number, row in enumerate(found.rules.to_dict("records"), start=1):
        against = apart.loc[row["plan"]]
        ends = f"{against['vs_nothing_lo90']:+.1f} to {against['vs_nothing_hi90']:+.1f}".replace("-", "\N{MINUS SIGN}")
        change = f"{against['vs_nothing']:+.1f}".replace("-", "\N{MINUS SIGN}")
        same = row["plan"] == plan_study.NOTHING
        rows.append(
            {
                "Plan": (f"{number}  {row['plan']}", row["dose"] or "no doses"),
                "Days in remission": _mean(row, "days_in_remission"),
                f"{_first(found)} over nothing more": ("–",) if same else (change, ends),
                "Doses": _mean(row, "doses", ends=False),
                "Visits": _mean(row, "visits", ends=False),
                "Ketamine, mg": (f"{row['ketamine_mg']:.0f}",),
                "Worst CADSS": (f"{row['cadss']:.0f}", f"1 in 20: {row['cadss_p95']:.0f}"),
                "Days ill": (f"{row['days_ill']:.0f}",),
                "Cautions": (f"{row['cautions']}",),
                "Not beaten": (_front_words(row), f"{percent(row['front_share'])} of resamples"),
            }
        )
    days = 7 * int(found.weeks)
    note = (
        f"Means over {found.people[0]:,} virtual people in the same {days} days. Small print: the 90 % interval of the "
        "mean is chance among the simulated people; that of people is what one person may see. Visits: days with a "
        "dose, a session of therapy, or a score that the rule needs. Not beaten: no other plan "
        f"is as good in {_listed([one.title for one in found.objectives])} and better in one of them; same therapy: no "
        f"other plan with the same therapy is. No plan is best in every column. {DECIDES}"
    )
    return (
        f'<section id="rules"><h2>The plans side by side</h2>{report.cards(rows)}'
        f'<p class="caption">{report.prose(note)}</p>{_rules_words(found)}</section>'
    )


def _first(found: Planned) -> str:
    title = found.objectives[0].title
    return title[0].upper() + title[1:]


def _front_words(row: dict[Any, Any]) -> str:
    return "yes" if row["front"] else "same therapy" if row["front_alike"] else "no"


def _rules_words(found: Planned) -> str:
    """What the rules that do not speak for themselves do."""
    if not found.doses:
        return ""
    said = (
        "Tapering: weekly four times, every two weeks twice, then every four weeks. Stretching while well: begins "
        f"weekly; a dose given in remission makes the interval a week longer, up to {boosters.LONGEST_WK:g}, and a "
        "score of a relapse at any visit a week shorter. "
        f"Stop rules: no dose after {plan_study.WELL_VISITS} weekly scores running in remission; no dose "
        f"when after {plan_study.USELESS_DOSES} doses no score has been a response. P(relapse in a week): a logistic "
        "regression on the last two scores, the baseline and the days since the last dose. CBT: "
        f"{plan_study.CBT_SESSIONS} weekly sessions. All of these schedules and limits are assumed."
    )
    return f'<p class="caption">{report.prose(said)}</p>'


def _waiting(found: Planned) -> str:
    """What one more score would be worth before the next dose."""
    if not len(found.waiting):
        return ""
    rows = []
    for row in found.waiting.to_dict("records"):
        rows.append(
            {
                "Decision": (f"{row['choice']}", f"each has to bring {row['price_d']:g} d"),
                "Now": (row["now"],),
                "Dosed after the score": (percent(row["dosed_after_score"]),),
                "Days in remission": _signed(row, "days_in_remission"),
                "Doses": _signed(row, "doses"),
                "Worth of the score, d": _signed(row, "worth_of_score_d"),
                "Waiting, all in all, d": _signed(row, "value_d"),
            }
        )
    note = (
        "Now: the better decision without another score. Days in remission and doses: what waiting a week for a "
        "score, and deciding by it, changes against deciding now (90 % interval of the mean). Worth of the score: what "
        "deciding by it brings over deciding at that time without it; all in all: that, less the cost of the delay, "
        "with every dose at its price in days. The price is nobody's to set but the person's."
    )
    said = plan_waiting.sentence(found.waiting, found.weeks)
    return (
        f'<section id="waiting"><h2>Decide now, or after one more visit?</h2><p>{report.prose(said)}</p>'
        f'{report.cards(rows)}<p class="caption">{report.prose(note)}</p></section>'
    )


def _signed(row: dict[Any, Any], name: str) -> Cell:
    value, low, high = (_plus(row[key]) for key in (name, f"{name}_lo90", f"{name}_hi90"))
    return (value,) if low == high else (value, f"{low} to {high}")


def _plus(value: float) -> str:
    text = f"{value:+.1f}".replace("-", "\N{MINUS SIGN}")
    return "0" if text[1:] == "0.0" else text


def _little(found: Planned) -> str:
    """How few infusions of an induction are enough."""
    if not len(found.little):
        return ""
    rows = []
    for row in found.little.to_dict("records"):
        ends = f"{100 * row['share_lo90']:.0f} to {100 * row['share_hi90']:.0f} %"
        last = row["sessions"] == len(found.little)
        rows.append(
            {
                "Infusions": (f"{row['sessions']:.0f}",),
                "Mean change of MADRS": (_plus(row["change"]), f"people {_plus(row['p05'])} to {_plus(row['p95'])}"),
                "Of the change of all": (percent(row["share"]), *(() if last else (ends,))),
                "Fewest that are enough": (
                    "yes" if row["enough"] else "",
                    f"{percent(row['enough_chance'])} of resamples",
                ),
            }
        )
    fewest, low, high = plan_little.fewest(found.little)
    sure = f"{low} in nearly all resamples" if low == high else f"90 % interval {low} to {high}"
    said = (
        f"For a new start, the first {fewest} of {len(found.little)} infusions keep {percent(plan_little.ENOUGH)} of "
        f"the benefit of all ({sure}): the mean change of the true MADRS over {plan_little.WEEKS} weeks from the first "
        "one. What a later infusion adds beyond those weeks is not counted."
    )
    return (
        f'<section id="little"><h2>How little is enough?</h2><p>{report.prose(said)}</p>{report.cards(rows)}</section>'
    )


def _reasons(found: Planned) -> str:
    """Each rule of the screening once, with its doses; then the count of treatment resistance."""
    if found.person is None:
        return (
            '<section id="reasons"><h2>Reasons</h2><p>A population is not screened: every person has reasons of their '
            "own.</p></section>"
        )
    doses: dict[tuple[str, ...], list[str]] = {}
    names = ("rule", "severity", "reason", "source", "what_would_change_it")
    for row in found.screening.to_dict("records"):
        doses.setdefault(tuple(str(row[name]) for name in names), []).append(" ".join(row["dose"].split()[:2]))
    total = found.screening["dose"].nunique()
    rows = []
    for rule in sorted(doses, key=lambda rule: screening.SEVERITIES.index(rule[1])):
        name, severity, reason, source, change = rule
        rows.append(
            {
                "Severity": (severity, name),
                "Doses": ("all" if len(doses[rule]) == total else ", ".join(doses[rule]),),
                "Reason": (reason,),
                "What would change it": (change,),
                "Source": (source,),
            }
        )
    table = report.cards(rows, "reasons") if rows else "<p>No rule of the screening speaks of these doses.</p>"
    return (
        f'<section id="reasons"><h2>Reasons</h2>{table}<p class="caption">{escape(screening.NOTE)}</p>'
        f"{person_page.resistance(found.person)}</section>"
    )


def _excluded(found: Planned) -> str:
    """What is not in the comparison."""
    if not len(found.excluded):
        said = "Nothing: no contraindication and no limit of a dose speaks against any of these doses."
        return f'<section id="excluded"><h2>Excluded</h2><p>{said}</p></section>'
    rows = [
        {
            "Dose": (row["dose"], row["rule"]),
            "Reason": (row["reason"],),
            "What would change it": (row["what_would_change_it"],),
            "Source": (row["source"],),
        }
        for row in found.excluded.to_dict("records")
    ]
    said = (
        ""
        if found.doses
        else "<p><strong>Every dose is excluded. What stays is nothing more, and therapy.</strong></p>"
    )
    return f'<section id="excluded"><h2>Excluded</h2>{said}{report.cards(rows, "reasons")}</section>'


# ------------------------------------------------------------------------------------------------ trust


def _trust(found: Planned) -> str:
    updated, (people, different) = found.updated, found.people
    entries = {
        "How many virtual people": (
            f"{people:,} ran every plan, {different:,} of them different; {updated.effective:,.0f} (effective number) "
            f"carry what the scores say. Intervals of means: {RESAMPLES:,} resamples of people, the same in every plan."
        ),
        "Whether this person fits": person_page.odd_words(updated)
        if found.person is not None
        else "This is a population, not a person.",
        "What the intervals leave out": (
            "Another structure of the model, and what the calibration held fixed. Plans that differ by less than that "
            "are not told apart by narrow intervals here."
        ),
        "What is assumed of care": (
            "Rules are kept to the day; nobody misses a visit, stops or leaves; daily drugs go on; no stress but what "
            "the file names. Everybody knows what they get."
        ),
        "Limits": LIMITS,
    }
    return person_page.trust(entries)
