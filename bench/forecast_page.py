"""The page and the picture of `forecast_truth.py`."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import pandas as pd

COLOURS = {1: "#7a5195", 3: "#1b6ca8", 6: "#d1622b"}
OTHERS = {
    "last_value": "last value",
    "population": "population",
    "mixed_model": "mixed model",
    "regression": "regression",
}


def figure(events: pd.DataFrame, file: Path) -> None:
    """Foretold against observed, a panel an event, a line a number of visits; as SVG and PNG."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "afterglow"
    import matplotlib.pyplot as plt

    names = sorted(events["event"].unique(), key=lambda name: (name.startswith("response"), len(name)))
    picture, axes = plt.subplots(1, len(names), figsize=(4.1 * len(names), 4.2), layout="constrained", sharey=True)
    for axis, name in zip(axes, names, strict=True):
        axis.plot([0, 100], [0, 100], color="#aaaaaa", linewidth=1)
        for k, colour in COLOURS.items():
            rows = events[(events["event"] == name) & (events["k"] == k) & (events["n"] >= 10)]
            bars = 1.96 * rows["observed_se"]
            axis.errorbar(
                rows["foretold"], rows["observed"], yerr=bars, color=colour, marker="o", markersize=4, linewidth=1.2,
                elinewidth=0.8, label=f"{k} visit" + "s" * (k > 1),
            )  # fmt: skip
        axis.set(title=name, xlabel="foretold, %", xlim=(0, 100), ylim=(0, 100), aspect="equal")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("observed, % (95 % interval)")
    axes[0].legend(frameon=False, title="seen after the baseline")
    picture.savefig(file.with_suffix(".svg"), metadata={"Date": None})
    picture.savefig(file.with_suffix(".png"), dpi=110)
    plt.close(picture)


def _rows(table: pd.DataFrame) -> list[Any]:
    return list(table.itertuples())


def _with_error(row: Any, name: str, digits: int) -> str:
    value, error = getattr(row, name), getattr(row, f"{name}_se")
    return "" if pd.isna(value) else f"{value:.{digits}f} ± {error:.{digits}f}"


def _table(head: list[str], lines: list[list[str]]) -> list[str]:
    rule = "|" + "---|" * len(head)
    return ["| " + " | ".join(head) + " |", rule, *("| " + " | ".join(line) + " |" for line in lines), ""]


def _coverage(table: pd.DataFrame) -> list[str]:
    levels = [f"{kind}{level}" for kind in ("cover", "split") for level in (50, 80, 90)]
    head = ["visits seen", "days ahead", "50 %", "80 %", "90 %", "50 %, split", "80 %, split", "90 %, split"]
    lines = [[str(row.k), str(row.ahead_d), *(_with_error(row, name, 1) for name in levels)] for row in _rows(table)]
    return _table(head, lines)


def _errors(table: pd.DataFrame) -> list[str]:
    head = ["visits seen", "days ahead", "forecast (median)", "forecast (mean)", *OTHERS.values()]
    names = ["forecast_median", "forecast_mean", *OTHERS]
    lines = [
        [str(row.k), str(row.ahead_d), *(_with_error(row, f"mae_{name}", 2) for name in names)] for row in _rows(table)
    ]
    return _table(head, lines)


def _gains(table: pd.DataFrame) -> list[str]:
    head = ["visits seen", "days ahead", *(f"less than {name}" for name in OTHERS.values())]
    lines = [
        [str(row.k), str(row.ahead_d), *(_with_error(row, f"gain_{name}", 2) for name in OTHERS)]
        for row in _rows(table)
    ]
    return _table(head, lines)


def _probabilities(events: pd.DataFrame) -> list[str]:
    lines = []
    for event, k in _rows(events[["event", "k"]].drop_duplicates().set_index("event")):
        rows = events.query("event == @event and k == @k")
        off = (rows["n"] * abs(rows["foretold"] - rows["observed"])).sum() / rows["n"].sum()
        first = rows.iloc[0]
        foretold = (rows["n"] * rows["foretold"]).sum() / rows["n"].sum()
        observed = (rows["n"] * rows["observed"]).sum() / rows["n"].sum()
        lines.append(
            [
                *(str(event), str(k), f"{first['people']:.0f}", f"{foretold:.1f}", f"{observed:.1f}", f"{off:.1f}"),
                *(f"{first['brier']:.3f}", f"{first['brier_base_rate']:.3f}"),
            ]
        )
    head = ["event", "visits seen", "people", "foretold, %", "observed, %", "mean distance of the bins, %"]
    return _table([*head, "Brier score", "of the base rate"], lines)


def _warnings(odd: pd.DataFrame) -> list[str]:
    head = ["people", "visits seen", "warned, %", "by marginal likelihood, %", "best possible test, %"]
    names = ["warned", "marginal", "best_test", "cover90", "error"]
    lines = [[row.set, str(row.k), *(_with_error(row, name, 1) for name in names)] for row in _rows(odd)]
    return _table([*head, "90 % bands cover, %", "mean error, points"], lines)


def _verdict(table: pd.DataFrame, odd: pd.DataFrame) -> str:
    """What was asked of the forecast, and where it is not met."""

    def outside(name: str, low: float, high: float) -> str:
        cells = [f"{row.k}/{row.ahead_d}" for row in _rows(table) if not low <= getattr(row, name) <= high]
        return ", ".join(cells) or "none"

    fortnight = table.query("ahead_d == 14")
    beaten = [
        f"{OTHERS[name]} after {row.k} (by {-getattr(row, f'gain_{name}'):.2f} ± {getattr(row, f'gain_{name}_se'):.2f})"
        for row in _rows(fortnight)
        for name in OTHERS
        if getattr(row, f"gain_{name}") <= 0
    ]
    false = odd[odd["set"] == "the population itself"]["warned"].max()
    rivals = odd[odd["set"].str.startswith("rival")]
    return (
        "Asked: 90 % bands that cover 86 to 94 %, 50 % bands that cover 44 to 56 %. Cells (visits seen/days ahead) "
        f"outside, edges included: {outside('cover90', 86, 94)} (90 %) and {outside('cover50', 44, 56)} (50 %); with "
        f"split edges: {outside('split90', 86, 94)} and {outside('split50', 44, 56)}. Asked: a smaller mean absolute "
        "error at two weeks than the last value carried forward and the linear mixed model. Better or equal at two "
        f"weeks: {'; '.join(beaten) or 'none of the others'}. Asked: a warning for most misfits and for under 10 % of "
        f"the population. False alarms: at most {false:.1f} %. Of people of rival mechanisms it finds "
        f"{rivals['warned'].min():.0f} to {rivals['warned'].max():.0f} %, and the best possible test "
        f"{rivals['best_test'].min():.0f} to {rivals['best_test'].max():.0f} %: the scores of one person cannot tell "
        "mechanisms apart."
    )


def page(
    command: str, table: pd.DataFrame, events: pd.DataFrame, odd: pd.DataFrame, effort: pd.DataFrame, difference: float
) -> str:
    """The page in Markdown."""
    effective = "; ".join(
        f"{row.effective:,.0f} people, {100 * row.refined:.1f} %, {100 * row.tool:.1f} % after {row.k}"
        for row in _rows(effort)
    )
    how = (
        f"{int(table['people'].iloc[0]):,} people drawn from the calibrated population, each with luck, a draw of the "
        "posterior and trial effects of their own; six infusions in two weeks, open label; rated at the baseline and "
        "on days 1, 5, 8, 12, 15, 22, 29, 36, 43 and 50 with their own draw's noise. They were forecast from the "
        "baseline and the first 1, 3 or 6 visits (the last on day 1, 8 and 22). The forecaster's 8,192 virtual people "
        "have another seed, but the same model and the same shipped posterior: this shows that the inference is right, "
        "not that people are like the model. Standard errors follow ±. Effective people (median), share refined "
        "because fewer than 150 were effective, and that share with the 2,048 people of `afterglow forecast`: "
        f"{effective} visits. The largest difference of a mean from `update` and `foresee` is {difference:.2f} points "
        "in the people who were forecast both ways."
    )
    bands = (
        "Share of later scores inside the bands, %. Bands are quantiles of scores before they are rounded. Where many "
        "scores are at the floor of the scale a band begins at 0, has no lower tail, and covers more than its name. In "
        "the columns `split` the scores are whole points and the chance of a tie is shared (randomised probability "
        "integral transform), which is the test of the distribution itself."
    )
    errors = (
        "Mean absolute error, points. The mixed model (statsmodels, REML, 500 other people) has a mean and a slope on "
        "the baseline at each visit, and a random intercept and slope on log(1 + day); the regression predicts each "
        "visit from all scores seen by the moments of the same 500 people, the most general linear forecast. The "
        "population's forecast is its median without any score."
    )
    gains = "How much smaller the error of the forecast's median is, in the same people, points:"
    chances = (
        "Relapse is two visits in a row of 22 points or more (`score-22`) after response at all visits of a week, seen "
        "at these visits; those who have yet to respond are not left out, and a relapse already seen does not count. "
        "Bins of a tenth stand in `reliability.csv`."
    )
    warnings = (
        "The warning that a history is odd comes below 5 % (Mahalanobis distance, as in `study.forecast.oddness`). The "
        "best possible test is the likelihood ratio of the rival against the base model at 5 % false alarms. Coverage "
        "and mean error (forecast less score) are those of forecasts two weeks ahead by weights alone, without "
        "refinement. `By marginal likelihood` is what the warning would find with the marginal likelihood of the "
        "history as its distance, at 5 % of the population."
    )
    parts = [
        [f"<!-- written by `{command}` -->", "", "# Is the forecast true?", "", fill(how, 120), ""],
        [fill(_verdict(table, odd), 120), "", "## Bands", "", fill(bands, 120), "", *_coverage(table)],
        ["## Errors", "", fill(errors, 120), "", *_errors(table), gains, "", *_gains(table)],
        ["## Probabilities", "", fill(chances, 120), "", *_probabilities(events)],
        ["![Foretold against observed](reliability.svg)", "", "## The warning", "", fill(warnings, 120), ""],
        _warnings(odd),
    ]
    return "\n".join(line for part in parts for line in part)
