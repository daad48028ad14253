"""The page of a simulated trial: what it would find, how often, how far from the truth, and what was assumed.

One self-contained file in the style of `report`: no scripts, and no request leaves the machine.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from html import escape
from typing import TYPE_CHECKING, Any

from afterglow.clinic.guess import ASSUMED
from afterglow.clinic.population import load_population
from afterglow.interfaces import output, report, words
from afterglow.interfaces.numbers import NEVER, percent
from afterglow.interfaces.report import Cell
from afterglow.interfaces.trial_blinding import guess_rows
from afterglow.interfaces.trial_figures import pictures
from afterglow.interfaces.trial_marks import (
    ANALYSIS_WORDS,
    Row,
    against,
    arm_titles,
    endpoint_words,
    main_world,
    primary,
    records,
    unit,
)
from afterglow.interfaces.trial_power import scenario_labels, scenario_rows
from afterglow.study.trial_summary import POWERS
from afterglow.study.worlds import PROMISED

if TYPE_CHECKING:
    from afterglow.clinic.trial import Trial
    from afterglow.interfaces.canvas import Picture
    from afterglow.study.trial_result import TrialResult

__all__ = ["build", "pictures"]

MOST_SCENARIOS = 200  # rows of the table
POWER_WORDS = {
    "assurance": "Assurance",
    "power_at_mean": "Power at the central values",
    "power_masked": "Assurance, perfectly masked",
    "power_inert": "Power if the drug only reveals itself",
    "power_inert_masked": "The same, masked",
    "type_1_error": "Type I error",
}
MEANINGS = {
    "Assurance": (
        "Share of replicates in which the primary endpoint was significant in the arm's favour, each with its own draw "
        "of the calibration and effects of its own trial. It says how likely such a trial is to succeed."
    ),
    "Power at the central values": "The same if the medians of the calibration held exactly. It ignores doubt.",
    "Expected estimate": (
        "Mean over replicates of what is reported, and the range of 90 % of them: what one such trial may report."
    ),
    "If perfectly masked": "The same trial, people and luck, but nobody can feel what they got.",
    "If the drug only reveals itself": (
        "The low end: a rival in which the drug does nothing but that people notice it, fitted with the same freedom."
    ),
}
MISSING = (
    "Other diseases and drugs, interactions, pregnancy, rare and late harms, the quality of care, and what nobody has "
    "measured. Psilocybin and MDMA are not modelled."
)


def build(result: TrialResult, command: str) -> str:
    """The whole page."""
    trial = result.scenarios[0].trial
    title = trial.title or trial.name
    drawn = {one.name: one for one in pictures(result)}
    body = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{report.POLICY}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)} - afterglow</title><style>{report.css()}</style></head><body>",
        f'<header><p class="mark">AFTERGLOW</p><h1>{escape(title)}</h1>',
        f"<p>{escape(design_words(result))}</p>",
        f'<p class="notice"><strong>Simulated. {escape(words.NOTICE)}</strong> '
        '<a href="#assumed">What was assumed</a></p>',
        report.warnings(result.warnings),
        "</header><main>",
        _answer(result),
        *_figures(drawn, "flow", "visits", "unblinding", "waterfall", "survival", "power"),
        _published(result),
        _sample_size(result),
        _endpoints(result),
        _scenarios(result, drawn.get("scenarios")),
        _assumed(result),
        _design(result),
        "</main>",
        _footer(result, command),
        "</body></html>\n",
    ]
    return "\n".join(part for part in body if part)


def _figures(drawn: Mapping[str, Picture], *names: str) -> list[str]:
    return [report.figure(drawn[name]) for name in names if name in drawn]


def design_words(result: TrialResult) -> str:
    """Who takes part, what is compared, and what is measured when, in one sentence for each."""
    first, titles = result.scenarios[0], arm_titles(result)
    trial = first.trial
    base = load_population(trial.population.base).title
    people = base[:1].lower() + base[1:] + (f", {trial.population.entry}" if trial.population.entry else "")
    arms = [f"{titles[arm.name]} ({n})" for arm, n in zip(trial.arms, trial.sizes, strict=True)]
    if trial.randomised is not None:  # how many of each is not known before the run-in
        arms = [titles[arm.name] for arm in trial.arms]
    visits = trial.ordered_visits
    begin = "enrol, and those who qualify are randomised to" if trial.randomised else "are randomised to"
    begin = begin if len(arms) > 1 else "get"
    text = (
        f"{sum(trial.sizes)} patients ({people}) {begin} "
        f"{' or '.join([', '.join(arms[:-1]), arms[-1]] if len(arms) > 1 else arms)}, "
        f"{words.BLIND_WORDS[trial.blinding.patients]}, with {words.RATED_WORDS[trial.blinding.raters]}. "
        f"{words.count(len(visits), 'visit')} up to {words.visit_words(visits[-1].at)}. Primary endpoint: "
        f"{endpoint_words(trial.primary, trial)}, {ANALYSIS_WORDS[trial.primary.method]}."
    )
    if len(result.scenarios) > 1:
        label = scenario_labels(result)[first.number]
        text += f" This is the first of {len(result.scenarios)} scenarios ({label}); all are compared below."
    return text


# ------------------------------------------------------------------------------------------------ numbers


def _share(row: Row, name: str) -> Cell:
    """A share with its interval, in percent."""
    low, high = row.get(f"{name}_lo90", math.nan), row.get(f"{name}_hi90", math.nan)
    interval = () if math.isnan(low) else (f"{100 * low:.0f} to {100 * high:.0f} %",)
    return (percent(row.get(name, math.nan)), *interval)


def _reported(row: Row | None) -> Cell:
    """The mean estimate of a row of contrasts, and what 90 % of trials would report."""
    if row is None or not math.isfinite(row["difference"]):
        return (NEVER,)
    of = unit(row["measure"], row["analysis"])
    return f"{of.text(row['difference'])} {of.noun}", of.between(row["lo90"], row["hi90"])


def _answer(result: TrialResult) -> str:
    """The three numbers of the primary endpoint, and what each means."""
    if not primary(result, "contrasts"):
        return _alone(result)
    method = result.scenarios[0].trial.primary.method
    found = {(row["arm"], row["world"]): row for row in primary(result, "contrasts")}
    chances = primary(result, "operating_characteristics")
    rows = []
    for chance in chances:
        arm = chance["arm"]
        row: dict[str, Cell] = {"Primary endpoint": (against(result, chance), ANALYSIS_WORDS[method])}
        for name in ("assurance", "power_at_mean"):
            if name in chance:
                row[POWER_WORDS[name]] = _share(chance, name)
        row["Expected estimate"] = _reported(found.get((arm, main_world(result))))
        for world, head in (("masked", "If perfectly masked"), ("inert", "If the drug only reveals itself")):
            if (arm, world) in found:
                row[head] = (*_reported(found[arm, world]), f"success {percent(chance[POWERS[world]])}")
        rows.append(row)
    shown = {name for row in rows for name in row}
    listed = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{report.prose(text)}</dd></div>"
        for name, text in MEANINGS.items()
        if name in shown
    )
    alpha = (
        f"Two-sided level {100 * result.scenarios[0].trial.alpha:g} %, {words.count(result.replicates, 'replicate')}"
    )
    return (
        f'<section id="answer"><h2>The answer</h2>{report.cards(rows)}'
        f'<p class="caption">{report.prose(alpha)}; intervals of shares are what that number leaves open (90 %).</p>'
        f'<div class="trust"><p><strong>{escape(words.DRUG_SHARE_SHORT)}</strong> '
        f"{report.prose(words.drug_share())}</p><dl>{listed}</dl></div></section>"
    )


def _alone(result: TrialResult) -> str:
    """What a trial of one arm would find: there is nothing to compare it with."""
    first = result.scenarios[0]
    endpoint = first.trial.primary
    visit = first.trial.ordered_visits[first.trial.visit_number(endpoint.at)]
    known = {"scenario": first.number, "world": main_world(result), "scale": endpoint.scale, "time_h": visit.at}
    rows = []
    for one in records(result.tables["arms"], **known):
        row: dict[str, Cell] = {"Arm": (arm_titles(result)[one["arm"]], words.visit_words(visit.at))}
        mean, low, high = (words.signed(one[name]) for name in ("change", "change_lo90", "change_hi90"))
        row[f"Change of {endpoint.scale}"] = (f"{mean} points", f"{low} to {high}")
        row |= {name.capitalize(): _share(one, name) for name in ("response", "remission")}
        rows.append(row)
    note = f"Means over {words.count(result.replicates, 'replicate')} and the range of 90 % of them."
    return (
        f'<section id="answer"><h2>The answer</h2>{report.cards(rows)}<p class="caption">One arm: nothing is compared. '
        f"{report.prose(note)}</p></section>"
    )


def _endpoints(result: TrialResult) -> str:
    """Every endpoint with all that is known of its analysis."""
    first = result.scenarios[0]
    found = {
        (row["endpoint"], row["analysis"], row["arm"]): row
        for row in records(result.tables["contrasts"], scenario=first.number, world=main_world(result))
    }
    rows = []
    for one in records(result.tables["operating_characteristics"], scenario=first.number):
        key = (one["endpoint"], one["analysis"], one["arm"])
        endpoint = first.trial.endpoints[one["endpoint"] - 1]
        row: dict[str, Cell] = {
            "Endpoint": (endpoint_words(endpoint, first.trial), f"{one['arm']}, {ANALYSIS_WORDS[one['analysis']]}")
        }
        row["Estimate"] = _reported(found.get(key))
        row |= {head: _share(one, name) for name, head in POWER_WORDS.items() if name in one}
        if one["analysis"] == endpoint.method:
            row["After multiplicity"] = _share(one, "confirmed")
        row["Bias"] = _bias(one)
        row["Coverage"] = _share(one, "coverage95")
        rows.append(row)
    if not rows:
        return ""
    rules = {"fixed-sequence": "in fixed sequence", "holm": "by Holm's rule", "none": "without adjustment"}
    note = (
        "Bias: mean of estimate minus truth with its standard error, on the scale of the analysis; the truth is what "
        "the same people would have scored in both arms. Coverage: share of 95 % intervals that hold it. Neither is "
        "defined where there is no one true number. After multiplicity: "
        f"{rules[first.trial.multiplicity]} over contrasts and endpoints. Hazard ratio below 1: fewer events."
    )
    return (
        f'<section id="endpoints"><h2>All endpoints</h2>{report.cards(rows)}'
        f'<p class="caption">{report.prose(note)}</p></section>'
    )


def _bias(row: Row) -> Cell:
    if not math.isfinite(row["bias"]):
        return (NEVER,)
    of = unit(row["measure"], row["analysis"])
    factor, digits = (1.0, 2) if of.ratio else (of.factor, of.digits + 1)
    error = row["bias_se"]
    interval = () if math.isnan(error) else (f"SE {factor * error:.{digits}f}",)
    return (words.signed(factor * row["bias"], digits), *interval)


# ------------------------------------------------------------------------------------------------ parts


def _published(result: TrialResult) -> str:
    """What a trial of the literature reported, beside what its replicates report."""
    table = result.tables.get("published")
    if table is None or not len(table):
        return ""
    note = (
        "Means over replicates and 90 % of them (`lo90` to `hi90`); shares in percent. The calibration saw some "
        "of these: `afterglow validate --loo` shows how the model predicts trials that it has not seen."
    )
    shown = table.assign(**{name: table[name].astype(float).round(2) for name in ("simulated", "lo90", "hi90")})
    return (
        f'<section id="published"><h2>Published beside simulated</h2>{report.table(shown)}'
        f'<p class="caption">{report.prose(note)}</p></section>'
    )


def _sample_size(result: TrialResult) -> str:
    """The search for a size, where one was asked for."""
    if "sample_size" not in result.tables:
        return ""
    found = report.table(result.tables["sample_size"].round(3))
    return f'<section id="sample-size"><h2>Sizes that were tried</h2>{found}</section>'


def _scenarios(result: TrialResult, picture: Picture | None) -> str:
    """All scenarios side by side."""
    if len(result.scenarios) == 1:
        return ""
    varied = list(dict.fromkeys(path for one in result.scenarios for path in one.varied))
    values = {one.number: one.varied for one in result.scenarios}
    found = scenario_rows(result)
    rows = []
    for one in found[:MOST_SCENARIOS]:
        of = unit(one["measure"], one["analysis"])
        row: dict[str, Cell] = {"Scenario": (str(one["scenario"] + 1), one["arm"])}
        row |= {path: (str(values[one["scenario"]].get(path, NEVER)),) for path in varied}
        row |= {head: _share(one, name) for name, head in POWER_WORDS.items() if name in one}
        row["Estimate"] = (of.text(one["estimate"]), of.noun)
        if "estimate_masked" in one:
            row["Perfectly masked"] = (of.text(one["estimate_masked"]), of.noun)
        row["Bias"] = _bias(one)
        rows.append(row)
    more = "" if len(found) <= MOST_SCENARIOS else f"The first {MOST_SCENARIOS} of {len(found)} rows. "
    drawn = "" if picture is None else report.figure(picture)
    return (
        f'{drawn}\n<section id="scenario-table"><h2>All scenarios</h2>{report.cards(rows)}<p class="caption">{more}'
        "Primary endpoint. Everything is in operating_characteristics.csv.</p></section>"
    )


def assumptions(result: TrialResult) -> dict[str, str]:
    """What is assumed of conduct, blinding and raters, by heading."""
    trial, mean = result.scenarios[0].trial, 100 * PROMISED
    ratings, leaving, blinding = trial.ratings, trial.leaving, trial.blinding
    noise = "as fitted to the trials" if ratings.noise is None else f"SD {ratings.noise:g} points"
    told = 100 * result.example.of.promised
    as_read = "as in the trials of the calibration"
    if blinding.promised is not None:
        as_read = (
            f"in proportion to it, from the {mean:.0f} % that the trials of the calibration are taken to have told"
        )
    promised = (
        f"People are told a chance of {told:.0f} % to get active treatment. What sessions make them expect is taken to "
        f"be {as_read}."
    )
    left = [f"{100 * leaving.at_random:g} % a week for no reason of treatment"] if leaving.at_random else []
    if leaving.lack_of_effect is not None:
        lack = leaving.lack_of_effect
        left.append(f"{100 * lack.chance:g} % at each visit with {lack.condition}")
    if leaving.side_effects is not None:
        side = leaving.side_effects
        left.append(f"{100 * side.chance:g} % after each session with a CADSS of {side.cadss:g} or more")
    stays = "They are rated on." if leaving.followed else "They are not rated any more."
    found = {
        "Blinding": f"{promised} " + (_guess_words(result) if blinding.asked else "Nobody is asked to guess."),
        "Raters": (
            f"{words.count(ratings.raters, 'rater')}, {words.RATED_WORDS[blinding.raters]}; noise {noise}; SD between "
            f"raters {ratings.between:g}, drift {ratings.drift:g} (SD {ratings.drift_sd:g}) points a week."
        ),
        "Leaving": f"{'; '.join(left)}. {stays}" if left else "Nobody leaves.",
        "Missed": f"Visits {100 * trial.missed_visits:g} %, sessions {100 * trial.missed_sessions:g} %, by chance.",
        "After rescue or the end of treatment": _estimand_words(trial),
        "Who takes part": trial.population.source or "As the population has it.",
    }
    if result.example.of.world.variant is not None:
        found["Mechanism"] = f"The rival {result.example.of.world.variant} in place of the base model."
    return found


def _guess_words(result: TrialResult) -> str:
    spoken = [
        f"{row['arm']} ({row['visit']}) {100 * row['guess']:.0f} %"
        for row in guess_rows(result)
        if row["world"] == main_world(result)
    ]
    return (
        f"Guesses of active treatment: {'; '.join(spoken)}. Their weights are assumed: {ASSUMED.weight_dissociation:g} "
        f"log odds for full recognition of the drug against none, {ASSUMED.weight_benefit:g} for full improvement."
    )


def _estimand_words(trial: Trial) -> str:
    rescue = "Nobody is rescued." if trial.rescue is None else f"Rescue if {trial.rescue.condition}."
    counted = {
        "treatment-policy": "Scores are taken as they are (treatment policy).",
        "hypothetical": "Scores are taken as missing (hypothetical).",
        "composite": "Scores count as no change (composite).",
    }
    return f"{rescue} {counted[trial.estimand]}"


def _assumed(result: TrialResult) -> str:
    trial = result.scenarios[0].trial
    chosen = "".join(f"<li>{report.prose(one)}</li>" for one in trial.assumed)
    papers = "".join(f"<li>{report.prose(one)}</li>" for one in trial.sources)
    found = {**assumptions(result), "What is missing": MISSING}
    listed = "".join(f"<div><dt>{escape(name)}</dt><dd>{report.prose(text)}</dd></div>" for name, text in found.items())
    return (
        '<section id="assumed" class="trust"><h2>What was assumed</h2>'
        + (f"<p>{report.prose(trial.notes)}</p>" if trial.notes else "")
        + (f"<h3>Chosen in the design, without a source</h3><ul>{chosen}</ul>" if chosen else "")
        + (f"<h3>Papers behind the design</h3><ul>{papers}</ul>" if papers else "")
        + f"<dl>{listed}</dl></section>"
    )


def _design(result: TrialResult) -> str:
    import yaml

    text = yaml.safe_dump(result.scenarios[0].document.data, sort_keys=False, allow_unicode=True, width=76)
    return (
        '<section id="design"><h2>The design file</h2><p>What is not in it has its default.</p>'
        '<div class="scroll" tabindex="0" role="region" aria-label="design file">'
        f'<pre style="padding: 0 12px; font-size: .86rem">{escape(text)}</pre></div></section>'
    )


def _footer(result: TrialResult, command: str) -> str:
    known: dict[str, Any] = {"afterglow": output.package_version(), **output.library_versions()}
    versions = ", ".join(f"{name} {version}" for name, version in known.items())
    return (
        f"<footer><h3>To repeat this</h3><p><code>{escape(command)}</code></p>"
        f"<p>Seed {result.seed}; {words.count(result.replicates, 'replicate')} of each scenario in the worlds "
        f"{', '.join(result.worlds)}; model <code>{output.model_hash()[:16]}</code>; {escape(versions)}. "
        "The tables (CSV and Parquet) and manifest.json lie beside this page.</p>"
        f"<p>{escape(words.NOT_MODELLED)} {escape(words.NOTICE)}</p></footer>"
    )
