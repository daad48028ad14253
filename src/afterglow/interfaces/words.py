"""The sentences that go with every result. They are written once, here."""

from __future__ import annotations

from collections.abc import Sequence

NOTICE = (
    "Research and planning model with virtual patients. Not a medical device: it does not diagnose, and it is not "
    "for decisions about any person's treatment."
)
NOT_MODELLED = "Not modelled: psilocybin and MDMA."
RATED_WORDS = {"site": "raters at the site", "remote": "remote raters"}
BLIND_WORDS = {"open": "open label", "double-blind": "double-blind", "masked": "perfectly masked"}

CAPTIONS = {
    "shared-clock": (
        "One clock from minutes to weeks. Tinted: drug in the body (above 1 % of its own peak). Line: median "
        "patient; bands: the middle 50, 80 and 90 % of the patients; daily drugs as means of the day. The reaction"
        " is the course minus its matched control in the same patients. In the score it includes what people "
        "expect once they feel the drug. The dashed line, from 4 hours on, is the same with no more expectation "
        "than under the control: the share of the reaction itself, and the least certain number on this page."
    ),
    "weeks": (
        "MADRS, true score: without rater noise and fluctuation. Line: median patient; bands: the middle 50, 80 "
        "and 90 % of the patients. Dashed: median of the matched control (same visits and sessions without the "
        "studied ingredient). Marks at the foot: doses. Dotted: remission."
    ),
    "contrasts": (
        "Mean difference in measured MADRS between a course and its matched control in the same virtual patients; "
        "left is better. It contains the drug, and what people expect when they notice the drug. "
    ),
    "outcomes": (
        "Response: at least half of the baseline MADRS gone. Remission: MADRS at or under the cut-off. Filled: "
        "last visit; open ring: day 1. "
    ),
    "safety": (
        "Highest value of each patient during the whole run: median, and bands for the middle 50, 80 and 90 % of "
        "the patients; one patient in 20 is above the last number. Read that number, not the middle: supervision "
        "is needed because of the worst cases. The model under-predicts blood pressure "
        "(14 mmHg for 16 published after an infusion, means), and a person's worst moment is in their first session "
        "here. Serious harms - hypertensive crisis, deep sedation and slowed "
        "breathing, misuse and dependence, bladder damage, worsening mood and suicidal crisis - are not counted "
        "here. That does not mean that they are absent."
    ),
    "doses": "Each mark is a day with a dose; its height is the share of the patients who got it.",
    "systems": (
        "Median and the middle 50, 80 and 90 % of the patients, on the clock from minutes to weeks. Dashed: median"
        " of the matched control."
    ),
}

DRUG_SHARE_SHORT = "How much of the effect is the drug itself is not known."
NOT_A_PERSON = (
    "Bands show how much virtual patients differ, as far as the model holds their differences. They are not the "
    "odds of any real person."
)
STUDIED = (
    "No dose of these courses lies outside the range that has been studied in people with depression. That does "
    "not make a course as a whole a studied one."
)
MISSING = (
    "Other diseases and drugs, interactions, pregnancy, rare and late harms, dropping out, the quality of care, "
    "and what nobody has measured. Long-term safety is qualitative. Psilocybin and MDMA are not modelled."
)
LEGEND = (
    "− control: course minus its matched control. half by: day by which half have responded. relapse: of responders, "
    "a crude share (early responders are at risk for longer). "
    "CADSS: worst dissociation, mean (1 in 20 has more). mmHg: rise of systolic pressure that 1 in 20 exceeds; "
    "the model under-predicts pressure (14 mmHg for 16 published after an infusion, means). A person's worst moment is "
    "in their first session here. "
    "nausea: in any of the sessions (tablets taken daily have none here; their nausea is not modelled). sedated: "
    "chance of being sedated at the worst moment, daily tablets too."
)
COUNTING = (
    "Response, remission and relapse are counted on measured scores, which go up and down from week to week as in "
    "trials, under control and without treatment too: part of each is chance. Time to response and relapse need "
    "two ratings running. Relapse is a crude share: who responded early is at risk for longer."
)


def count(number: int | float, what: str) -> str:
    """A number with its noun: "1 week", "1,000 virtual patients"."""
    return f"{number:,g} {what}{'' if number == 1 else 's'}" if number < 1e6 else f"{number:,.0f} {what}s"


def interval_words(covers: Sequence[str], patients: int) -> str:
    """Which sources of uncertainty the intervals cover, in a sentence."""
    if patients == 1:
        return "One patient has no interval."
    if "parameters" in covers:
        return (
            f"Intervals (90 %): chance among {patients:,} virtual patients, and what the calibration leaves open in "
            "parameters and noise. Not in them: another structure of the model, what one trial has of its own, and "
            "whatever the calibration held fixed."
        )
    return (
        f"Intervals (90 %): chance among {patients:,} virtual patients only. The uncertainty of the model's "
        "parameters and structure is larger and not in them."
    )


def visit_words(hours: float) -> str:
    """Name of a time: "4 h", "day 1", "week 8"."""
    if hours < 24:
        return f"{hours:g} h"
    return f"week {hours / 168:g}" if hours % 168 == 0 else f"day {hours / 24:g}"


def signed(value: float, digits: int = 1) -> str:
    """A number with its sign, a true minus, and no minus zero."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("−" if value < 0 else "+") + text


def drug_share() -> str:
    """What the posterior and the inert rival say of the drug's own share, with their numbers."""
    from afterglow.data.fitted import drug_share as record

    found = record()
    alone, on_top = (
        f"{part['percent']:.0f} % ({part['lo90']:.0f} to {part['hi90']:.0f} %, 90 % interval)"
        for part in (found["alone"], found["on_top"])
    )
    apart, se = found["inert_minus_base"], found["inert_minus_base_se"]
    told = apart < -2 * se
    scores = f"log score a trial {signed(apart, 2)}, standard error {se:.2f}, {found['trials']} trials"
    so = (
        "So some share is likely the drug's own, but how much hangs on trials in which people noticed what they got"
        if told
        else "So the drug's share lies anywhere between nothing and these numbers"
    )
    return (
        "In trials most people notice whether they got ketamine, and then expect more. In the fit the drug itself "
        f"takes {on_top} off the baseline score a day after one infusion, on top of what is expected, and would take "
        f"{alone} if nothing were. But a rival in which the drug does nothing except reveal itself (unblinding) was "
        f"fitted with the same freedom and predicts trials it has not seen {'less well' if told else 'about as well'} "
        f"({scores}). {so}, every difference here holds an assumed share, and only masked trials can tell. "
        "`--variant inert` shows the same courses under the rival."
    )
