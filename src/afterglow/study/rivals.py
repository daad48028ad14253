"""Rival mechanisms on one yardstick: each refitted with the same freedom, each scored on trials it has not seen.

Every rival of `systems/variants.py` gets what the base model gets: least squares, a design of runs around the optimum,
an emulator, and for every cohort the posterior without it. The budget is smaller than that of the shipped calibration,
the same for all, and the base model is run under it too. The yardstick is the joint log density of a trial's rows
(`scoring`); a difference from the base model that lies within two standard errors over trials says nothing.

`rapamycin` is no rival but an interaction of two drugs, and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.study import calibrate as least_squares
from afterglow.study import loo, posterior, scoring
from afterglow.study.likelihood import log_likelihood
from afterglow.study.scoring import Predictive, Published
from afterglow.study.surface import Surface

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
BASE, INERT = "base", "inert"
RIVALS = (
    INERT, "direct-trkb", "metabolite", "no-spines", "no-belief", "equal-enantiomers", "no-mtor", "opioid-gated",
    "ki-weighted", "r-weighted",
)  # fmt: skip
WITHOUT = (
    "sustain1",  # a year of many arms: most of the time of a run
    # only acute effects and their rebound, of which no rival has its own idea
    "benzo_rebound", "esk_ae_course_pooled", "nasal_esketamine_teae", "vanschalkwyk2018_cadss", "yale_bp_2024",
)  # fmt: skip
TOP = 3  # trials and rows that are named for each side
SAME = 1e-6  # nats that count as no difference
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Budget:
    """How much work a refit is; the same for all that are compared.

    Attributes:
        patients: virtual patients an arm.
        rounds: steps of the least squares with all numbers at once, after its layers.
        design: runs of the model around the optimum; with `draws` more than a full quadratic has terms (378).
        draws: runs at draws of the posterior, which sharpen the emulator where it matters.
        steps: of each walker of the sampler.
    """

    patients: int = 64
    rounds: int = 4
    design: int = 336
    draws: int = 64
    steps: int = 1000


@dataclass(frozen=True)
class Refit:
    """A model that was refitted and has predicted each cohort from the others.

    Attributes:
        name: of the variant, or "base".
        surface: its runs.
        data_loss, prior_loss: of the least squares.
        said: predictions of left-out trials.
    """

    name: str
    surface: Surface
    data_loss: float
    prior_loss: float
    said: list[Predictive]


def variant_of(name: str) -> str | None:
    """The variant as the rest of the package calls it."""
    return None if name == BASE else name


# ------------------------------------------------------------------------------------------------ refits


def refit(name: str, budget: Budget, seed: int, folder: Path, tell: Tell = lambda _: None) -> Refit:
    """Fit a rival and predict every cohort from the others; what stands in `folder` is not done again.

    Args:
        name: one of `RIVALS`, or "base".
        budget: how much work.
        seed: of virtual patients, design and sampler; the same for all gives all the same patients.
        folder: of this rival, budget and seed alone.
        tell: called with a line now and then.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = _least_squares(name, budget, seed, folder / "start.json", tell)
    surface = _surface(name, start, budget, seed, folder, tell)
    said = _left_out(surface, budget, seed, folder / "left_out.npz", tell)
    return Refit(name, surface, start["data_loss"], start["prior_loss"], said)


def _least_squares(name: str, budget: Budget, seed: int, file: Path, tell: Tell) -> dict[str, Any]:
    if not file.exists():
        found = least_squares.fit(
            budget.patients,
            seed,
            variant_of(name),
            budget.rounds,
            without=WITHOUT,
            progress=lambda s: tell(f"{name}: {s}"),
        )
        kept = {"x": found.x.tolist(), "covariance": found.covariance.tolist()}
        kept |= {"data_loss": found.data_loss, "prior_loss": found.prior_loss}
        file.write_text(json.dumps(kept), encoding="utf-8")
    return json.loads(file.read_text(encoding="utf-8"))


def _surface(name: str, start: dict[str, Any], budget: Budget, seed: int, folder: Path, tell: Tell) -> Surface:
    file = folder / "surface.npz"
    if not file.exists():
        problem = least_squares.Problem(budget.patients, seed, variant_of(name), everything=True, without=WITHOUT)
        plan = posterior.Plan(budget.patients, (budget.design,), budget.draws, budget.draws, budget.steps)
        found = posterior.calibrate(
            np.array(start["x"]), np.array(start["covariance"]), problem, plan, seed, folder / "runs.jsonl",
            lambda s: tell(f"{name}: {s}"),
        )  # fmt: skip
        found.surface.save(file)
    return Surface.load(file, variant_of(name), WITHOUT)


def _left_out(surface: Surface, budget: Budget, seed: int, file: Path, tell: Tell) -> list[Predictive]:
    if not file.exists():
        said = loo.leave_one_out(surface, seed, budget.steps, lambda cohort, done: tell(f"{done:.0%} without {cohort}"))
        held: dict[str, Any] = {}
        for k, one in enumerate(said):
            held |= {f"{k}/mean": one.mean, f"{k}/covariance": one.covariance, f"{k}/rows": np.array(one.rows)}
            held[f"{k}/trial"] = np.array(one.trial)
        np.savez_compressed(file, **held)
    with np.load(file) as kept:
        return [
            Predictive(
                str(kept[f"{k}/trial"]), tuple(kept[f"{k}/rows"].tolist()), kept[f"{k}/mean"], kept[f"{k}/covariance"]
            )
            for k in range(len(kept.files) // 4)
        ]


def draws(surface: Surface, count: int, seed: int, steps: int) -> pd.DataFrame:
    """Draws of the posterior on a surface, named as in `data/fit/posterior.csv`; not corrected by runs of the model."""
    import pandas as pd

    x, tau = surface.posterior(surface.fitted, seed, steps)
    chosen = streams.generator(seed, "rivals/draws").choice(len(x), count, replace=False)
    start = np.array([f.start for f in surface.free])
    table = pd.DataFrame(start * np.exp(x[chosen]), columns=pd.Index([f.name for f in surface.free]))
    table[["tau_u", "tau_v", "tau_e"]] = tau[chosen]
    return table


# ------------------------------------------------------------------------------------------------ scores


def score(said: Mapping[str, Sequence[Predictive]], observed: Sequence[Published]) -> pd.DataFrame:
    """One line a model, all on the rows of which all of them speak; the base model first.

    Args:
        said: predictions of left-out trials by name of the model, "base" among them.
        observed: what was published.

    Returns:
        Columns: name, trials, rows, log_score (joint, mean over trials, nats), minus_base and minus_base_se (the same
        less that of the base model, with its standard error over trials), log_score_rows, rows_minus_base,
        rows_minus_base_se (rows alone), mae_change, mae_difference, mae_response, inside_90 (share of arm rows).
    """
    import pandas as pd

    shared = scoring.shared_rows(said.values(), observed)
    base, rows = _log_scores(said[BASE], shared), sum(len(one.rows) for one in shared)
    lines = []
    for name in sorted(said, key=lambda one: one != BASE):
        table = scoring.score(said[name], shared, name)
        value = dict(zip(table["metric"], table["value"], strict=True))
        mine = _log_scores(said[name], shared)
        line = {"name": name, "trials": len(shared), "rows": rows}
        for metric, heading, less in ((scoring.JOINT, "log_score", ""), (scoring.SINGLE, "log_score_rows", "rows_")):
            apart = mine[metric] - base[metric]
            se = float(apart.std(ddof=1)) / len(apart) ** 0.5 if len(apart) > 1 else np.nan
            line |= {heading: value[metric], f"{less}minus_base": float(apart.mean()), f"{less}minus_base_se": se}
        line |= {f"mae_{m}": value.get(f"mae {m}", np.nan) for m in scoring.ERROR_MEASURES}
        lines.append(line | {"inside_90": value.get("inside 90 %", np.nan)})
    return pd.DataFrame(lines)


def _log_scores(said: Sequence[Predictive], observed: Sequence[Published]) -> dict[str, FloatArray]:
    """Log score of each trial, [trials] in the order of `observed`, joint and rows alone."""
    table = scoring.by_trial(said, observed)
    metric, value = table["metric"].to_numpy(str), table["value"].to_numpy(float)
    return {name: value[metric == name] for name in (scoring.JOINT, scoring.SINGLE)}


def speaks_against(said: Mapping[str, Sequence[Predictive]], observed: Sequence[Published]) -> pd.DataFrame:
    """Which observation speaks against which: for each rival the trials and rows that tell it from the base model most.

    Returns:
        Columns: rival, against ("base" or the rival's name), kind ("trial": all its rows together; "row": on its own),
        trial, row (empty for a trial), nats (how much less log density the one spoken against gave it), observed,
        base, predicted (means of both, on the scale of the row's error; NaN for a trial).
    """
    import pandas as pd

    shared = scoring.shared_rows(said.values(), observed)
    lines: list[dict[str, Any]] = []
    for name in said:
        if name != BASE:
            found = _apart(said[BASE], said[name], shared)
            for kind in ("trial", "row"):
                mine = sorted((f for f in found if f["kind"] == kind), key=lambda f: f["nats"])
                better = [f | {"nats": -f["nats"]} for f in mine[:TOP] if f["nats"] < -SAME]
                worse = [f for f in mine[::-1][:TOP] if f["nats"] > SAME]
                lines += [{"rival": name, "against": name} | f for f in worse]
                lines += [{"rival": name, "against": BASE} | f for f in better]
    return pd.DataFrame(lines)


def _apart(
    base: Sequence[Predictive], rival: Sequence[Predictive], observed: Sequence[Published]
) -> list[dict[str, Any]]:
    """Log density under the base model less that under the rival, by trial and by row."""
    first, second = ({one.trial: one for one in side} for side in (base, rival))
    found: list[dict[str, Any]] = []
    for of in observed:
        one, other = (side[of.trial].select(of.rows) for side in (first, second))
        nats = one.log_density(of.value) - other.log_density(of.value)
        none = {"observed": np.nan, "base": np.nan, "predicted": np.nan}
        found.append({"kind": "trial", "trial": of.trial, "row": "", "nats": nats} | none)
        by_row = one.row_log_densities(of.value) - other.row_log_densities(of.value)
        for k, row in enumerate(of.rows):
            seen = {"observed": of.value[k], "base": one.point()[k], "predicted": other.point()[k]}
            found.append({"kind": "row", "trial": of.trial, "row": row, "nats": float(by_row[k])} | seen)
    return found


def in_sample(one: Refit, budget: Budget, seed: int) -> dict[str, float]:
    """How a model fits what it was fitted to.

    Returns:
        data_loss, prior_loss of the least squares; log_likelihood (mean over the posterior of the fitted rows' log
        density, nats); emulator_error (median over fitted rows, in their standard errors).
    """
    surface = one.surface
    emulator, rows = surface.emulator.only(surface.fitted), surface.rows.only(surface.fitted)
    x, tau = surface.posterior(surface.fitted, seed, budget.steps)
    some = np.linspace(0, len(x) - 1, loo.COMPONENTS).astype(int)
    inside = log_likelihood(rows, emulator(x[some]), tau[some], emulator.error).sum(axis=1)
    return {
        "data_loss": one.data_loss,
        "prior_loss": one.prior_loss,
        "log_likelihood": float(inside.mean()),
        "emulator_error": float(np.median(emulator.error / rows.se)),
    }


def settings(budget: Budget, seed: int) -> dict[str, Any]:
    """What decides the result of a refit, beside the model."""
    return {**asdict(budget), "seed": seed, "without": list(WITHOUT), "rows_version": least_squares.fit_version()}
