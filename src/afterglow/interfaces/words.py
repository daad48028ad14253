"""The sentences that go with every result. They are written once, here."""

from __future__ import annotations

from collections.abc import Sequence

NOTICE = (
    "Research and planning model with virtual patients. Not a medical device: it does not diagnose, and it is not for "
    "decisions about any person's treatment."
)
NOT_MODELLED = "Not modelled: psilocybin and MDMA."

CAPTIONS = {
    "shared-clock": (
        "One clock from minutes to weeks. Tinted: drug in the body (above 1 % of its own peak). Line: median patient; "
        "bands: the middle 50, 80 and 90 % of the patients. The reaction is the course minus its matched control in the "
        "same patients. In the score it includes what people expect once they feel the drug; the dashed line is the same "
        "with no more expectation than under the control: the share of the reaction itself, and the least certain number "
        "on this page."
    ),
    "weeks": (
        "MADRS, true score: without rater noise and day-to-day fluctuation. Line: median patient; bands: the middle 50, 80 and "
        "90 % of the patients. Dashed: median of the matched control (same visits, same sessions, without the studied "
        "ingredient). Marks at the foot: doses. Dotted: remission."
    ),
    "contrasts": (
        "Mean difference in measured MADRS between a course and its matched control in the same virtual patients; left is "
        "better. It contains the drug, and what people expect when they notice the drug. "
    ),
    "outcomes": (
        "Response: at least half of the baseline MADRS gone. Remission: MADRS at or under the cut-off. Filled: last visit; open "
        "ring: day 1. Both count on the day alone: a score that goes up and down crosses the line by luck, too. "
    ),
    "safety": (
        "Highest value of each patient during the whole run: median, and bands for the middle 50, 80 and 90 % of the patients; "
        "one patient in 20 is above the last number. Read that number, not the middle: supervision is needed because of the "
        "worst cases. Serious harms - hypertensive crisis, deep sedation and slowed breathing, misuse and dependence, bladder "
        "damage, worsening mood and suicidal crisis - are not counted here. That does not mean that they are absent."
    ),
    "doses": "Each mark is a day with a dose; its height is the share of the patients who got it.",
    "chain": (
        "Median and the middle 50, 80 and 90 % of the patients, on the clock from minutes to weeks. Dashed: median of the "
        "matched control."
    ),
}

DRUG_SHARE = (
    "The drug's own share of the effect is an assumption with a wide bracket, not a finding. In the trials most people notice "
    "whether they got the drug, and then expect more. When a chain like this one is fitted to the published trials, a drug part of "
    "3 % and one of 20 % of the baseline score after a day explain them about equally well; with the drug's action switched off "
    "and unblinding left free, the fit is nearly as good. Only masked trials can tell. Run with --variant inert to see the rival "
    "in which the drug does nothing but reveal itself."
)
NOT_A_PERSON = (
    "Bands show how much virtual patients differ, as far as the model holds their differences. They are not the odds of any real "
    "person."
)
RELAPSE = (
    "Response, remission and relapse are counted on measured scores, which fluctuate from day to day as in trials; part of both "
    "response and relapse is that fluctuation."
)


def interval_words(covers: Sequence[str], patients: int) -> str:
    """Which sources of uncertainty the intervals cover, in a sentence."""
    if "parameters" in covers:
        return f"Bars: 90 % interval over {patients} virtual patients and over the uncertainty of the parameters; not over model structure."
    return (
        f"Bars: 90 % interval for chance among {patients} virtual patients only. The uncertainty of the model's parameters and "
        "structure is larger and not in them."
    )


def visit_words(hours: float) -> str:
    """Name of a time: "4 h", "day 1", "week 8"."""
    if hours < 24:
        return f"{hours:g} h"
    return f"week {hours / 168:g}" if hours % 168 == 0 else f"day {hours / 24:g}"
