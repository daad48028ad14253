"""Is the forecast true? Virtual people with known scores to come, forecast from their first visits.

    python bench/forecast_truth.py --people 1000 --seed 7
    python bench/forecast_truth.py --quick --out /tmp/forecast

People are drawn from the calibrated population, each with luck, a draw of the posterior and trial effects of their own,
go through six infusions in two weeks (open label), and are rated by `clinic.scale.measure`. The forecaster's virtual
people come from another seed. One cloud serves everybody: it is lived once at all visits, and each person only weighs
it; a few people are forecast by `update` and `foresee` as well and must come out the same. Futures have chance of each
person's own. Needs `afterglow[trial]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from forecast_page import figure, page
from numpy.typing import NDArray

from afterglow import streams
from afterglow.clinic import outcome, scale
from afterglow.clinic.course import Course, load_course
from afterglow.clinic.population import load_population
from afterglow.compile.vector import LANES
from afterglow.study import forecast
from afterglow.study.cloud import Cloud, live, prior
from afterglow.study.forecast import BANDS, ENOUGH, FUTURES, UNUSUAL, Future, Person, Seen, foresee, update
from afterglow.study.rating import Ratings, ratings
from afterglow.study.written import Writer, bounded, written_down

FloatArray = NDArray[np.float64]
DAYS = np.array([0.0, 1.0, 5.0, 8.0, 12.0, 15.0, 22.0, 29.0, 36.0, 43.0, 50.0])
VISITS_H = 24.0 * DAYS
SEEN = (1, 3, 6)  # visits after the baseline that the forecast is given
HORIZONS = (7, 14, 28)  # days after the last visit seen
CLOUD = 8192
TRAINING = 500  # people to whom the linear mixed model is fitted
MISFITS = 300  # people of each set for the warning
CHECKED = 20  # people forecast by `update` and `foresee` too
RIVALS = ("inert", "no-spines", "no-belief", "no-mtor", "direct-trkb", "metabolite", "opioid-gated", "r-weighted")
Row = dict[str, Any]


def course() -> Course:
    """Six infusions in two weeks, open label."""
    return load_course("iv-induction").model_copy(update={"blinding": "open"})


# ------------------------------------------------------------------------------------------------ people


@dataclass(frozen=True, eq=False)
class Lived:
    """People of a cloud with their true scores [people, visits]."""

    cloud: Cloud
    true: FloatArray

    @property
    def ratings(self) -> Ratings:
        """What may be written down of each."""
        names = ["MADRS"] * len(VISITS_H)
        return ratings(self.true, forecast.baseline(self.cloud), VISITS_H, names, self.cloud.noise)

    def rated(self, seed: int, swing: float = 1.0) -> FloatArray:
        """Scores as `clinic.scale.measure` writes them down, [people, visits]; fluctuation `swing` times as large."""
        noise, scores = self.cloud.noise, np.empty_like(self.true)
        for i, madrs in enumerate(self.true):
            own: dict[str, Any] = {name: float(values[i]) for name, values in noise.items()}
            own["fluctuation_sd"] *= swing
            scores[i] = scale.measure(madrs[None, :], VISITS_H, range(i, i + 1), seed, **own)[0]
        return scores


def people(count: int, seed: int, variant: str | None = None) -> Lived:
    """So many people of the population (a multiple of LANES), who have gone through the course."""
    number = -(-count // LANES) * LANES
    table = load_population().draw(seed, 0, range(number))
    table["row"] = np.arange(number)
    cloud = prior(table, seed, variant)
    return Lived(cloud, live(cloud, course(), VISITS_H, seed, variant)[0])


@dataclass(frozen=True, eq=False)
class Misfit:
    """People to be warned of: scores [people, visits]; of a rival mechanism also what may be written down of them."""

    name: str
    scores: FloatArray
    ratings: Ratings | None = None


def misfits(count: int, seed: int) -> Iterator[Misfit]:
    """People who are not of the population, set by set."""
    for variant in RIVALS:
        lived, other = people(count, seed, variant), people(forecast.SIZE, seed + 1, variant)
        yield Misfit(f"rival: {variant}", lived.rated(seed)[:count], other.ratings)
    usual = people(count, seed)
    yield Misfit("fluctuation three times as large", usual.rated(seed, swing=3.0)[:count])
    base = forecast.baseline(usual.cloud)[:, None]
    courses = {
        "no change at all": np.ones_like(DAYS),
        "no change until day 5, then well": np.where(DAYS < 8, 1.0, 0.1),
        "worse by 30 % over two weeks": 1.0 + 0.3 * np.minimum(DAYS / 14, 1.0),
        "well at 24 h only": np.where(DAYS == 1, 0.1, 1.0),
        "well from 24 h to the end": np.where(DAYS > 0, 0.05, 1.0),
    }
    for name, shape in courses.items():
        yield Misfit(name, Lived(usual.cloud, np.minimum(base * shape, 60.0)).rated(seed)[:count])


# ------------------------------------------------------------------------------------------------ forecasts


@dataclass(frozen=True, eq=False)
class Forecaster:
    """The prior cloud, lived once."""

    cloud: Cloud
    true: FloatArray
    ratings: Ratings
    seed: int

    def person(self, scores: FloatArray, number: int = 0) -> Person:
        """A person with these first scores; forecasts of another `number` have other chance."""
        seen = [Seen(hour, "MADRS", score) for hour, score in zip(VISITS_H, scores.tolist(), strict=False)]
        return Person(self.cloud, course(), seen, self.seed + number)

    def weighted(self, scores: FloatArray) -> Cloud:
        """The cloud, weighted by these first scores."""
        return self.cloud.weighted(self.ratings.pick(range(len(scores))).log_likelihood(scores))

    def of(self, scores: FloatArray, cloud: Cloud, number: int = 0) -> Future:
        """What `foresee` gives for the later visits from a weighted cloud; `number` as of `person`."""
        n, seed = len(scores), self.seed + number
        rows = cloud.resampled(FUTURES, seed, "futures").people["row"].to_numpy()
        writer = Writer(self.cloud.take(rows), VISITS_H[:n], ["MADRS"] * n, scores, float(VISITS_H[-1]), seed)
        drawn = bounded(writer.drawn("MADRS", VISITS_H[n:], self.true[rows, n:], self.true[rows, :n]), "MADRS")
        start, seen = np.full(FUTURES, scores[0]), (scores[1:], VISITS_H[1:n])
        return Future("as it is", "MADRS", VISITS_H[n:], written_down(drawn, "MADRS"), start, seen, drawn=drawn)


def forecaster(size: int, seed: int) -> Forecaster:
    """A cloud of the population."""
    lived = people(size, seed)
    return Forecaster(lived.cloud, lived.true, lived.ratings, seed)


def drawn(future: Future) -> FloatArray:
    """Scores before they are rounded, [futures, visits]."""
    assert future.drawn is not None
    return future.drawn


def judged(future: Future, scores: FloatArray, chance: float) -> Iterator[Row]:
    """One row for each later visit: bands and centre of the forecast against what came."""
    seen = len(VISITS_H) - len(future.time_h)
    for k, score in enumerate(scores[seen:]):
        values = drawn(future)[:, k]
        row: Row = {"visit": seen + k, "ahead_d": DAYS[seen + k] - DAYS[seen - 1], "score": score}
        row |= {"mean": values.mean(), "median": np.median(values)}
        for level, tail in BANDS.items():
            low, high = np.quantile(values, [tail, 1 - tail])
            row[f"in{level}"] = low <= score <= high
        whole = future.scores[:, k]
        below, same = np.mean(whole < score), np.mean(whole == score)
        yield row | {"pit": below + chance * same}


def events(future: Future, scores: FloatArray) -> Iterator[Row]:
    """Foretold and true events: relapse within 7 and 28 days of the last visit, response at the next one."""
    seen = len(VISITS_H) - len(future.time_h)
    response = outcome.response(future.scores[:, :1], future.baseline).mean()
    came = outcome.response(scores[None, seen : seen + 1], scores[:1])[0, 0]
    yield {"event": "response at the next visit", "p": float(response), "came": bool(came)}
    truth = Future(future.plan, "MADRS", future.time_h, scores[None, seen:], scores[:1], future.before)
    foretold, happened = future.relapsed().mean(axis=0), truth.relapsed()[0]
    for ahead in (7, 28):
        at = int(np.searchsorted(future.time_h, VISITS_H[seen - 1] + 24.0 * ahead, side="right")) - 1
        yield {"event": f"relapse within {ahead} d", "p": float(foretold[at]), "came": bool(happened[at])}


@dataclass(frozen=True, eq=False)
class Found:
    """What the forecasts of all people came to."""

    visits: pd.DataFrame
    events: pd.DataFrame
    effective: pd.DataFrame


def run(of: Forecaster, scores: FloatArray, seed: int) -> Found:
    """Forecast everybody after 1, 3 and 6 visits."""
    visits: list[Row] = []
    happenings: list[Row] = []
    effective: list[Row] = []
    chance = streams.generator(seed, "bench/pit")
    small = forecast.SIZE
    for i, mine in enumerate(scores):
        for k in SEEN:
            first = mine[: k + 1]
            cloud = of.weighted(first)
            fewer = cloud.weight[:small] / cloud.weight[:small].sum()
            refined = cloud.effective < ENOUGH
            if refined:
                later = VISITS_H[k + 1 :]
                future = foresee(update(of.person(first, i)), "as it is", course(), later)
            else:
                future = of.of(first, cloud, i)
            key: Row = {"person": i, "k": k}
            visits += [key | row for row in judged(future, mine, float(chance.random()))]
            happenings += [key | row for row in events(future, mine)]
            needs = bool(1.0 / np.sum(fewer**2) < ENOUGH)
            effective.append(key | {"effective": cloud.effective, "refined": refined, "tool_needs": needs})
    return Found(pd.DataFrame(visits), pd.DataFrame(happenings), pd.DataFrame(effective))


def largest_difference(of: Forecaster, scores: FloatArray) -> float:
    """Largest difference of mean forecasts by the short way from those of `update` and `foresee`, points."""
    worst = 0.0
    for mine in scores:
        for k in SEEN:
            first = mine[: k + 1]
            cloud = of.weighted(first)
            if cloud.effective < ENOUGH:
                continue
            short = drawn(of.of(first, cloud)).mean(axis=0)
            long = drawn(foresee(update(of.person(first)), "as it is", course(), VISITS_H[k + 1 :])).mean(axis=0)
            worst = max(worst, float(np.abs(short - long).max()))
    return worst


# ------------------------------------------------------------------------------------------------ other forecasts


@dataclass(frozen=True, eq=False)
class Mixed:
    """A linear mixed model of the later scores: mean and slope on the baseline at each visit, random effects.

    Attributes:
        centre: mean score at the baseline.
        mean: of each later visit.
        slope: of each later visit on the baseline.
        covariance: of the later scores of a person: random intercept and slope on log(1 + day), residual.
    """

    centre: float
    mean: FloatArray
    slope: FloatArray
    covariance: FloatArray

    def predict(self, scores: FloatArray) -> FloatArray:
        """Best linear predictions of the later visits from the first scores [people, seen]."""
        n = scores.shape[1] - 1
        fixed = self.mean + (scores[:, :1] - self.centre) * self.slope
        gain = np.linalg.solve(self.covariance[:n, :n], self.covariance[:n, n:])
        return np.clip(fixed[:, n:] + (scores[:, 1:] - fixed[:, :n]) @ gain, 0.0, 60.0)


def mixed(scores: FloatArray) -> Mixed:
    """Fit to the scores [people, visits] of a training set, by REML."""
    from statsmodels.regression.mixed_linear_model import MixedLM

    later, log_day = scores[:, 1:], np.log1p(DAYS[1:])
    count, visits = later.shape
    design = np.column_stack([np.ones(visits), log_day - log_day.mean()])
    each = np.tile(np.eye(visits), (count, 1))
    centre = scores[:, 0].mean()
    fixed = np.hstack([each, each * np.repeat(scores[:, 0] - centre, visits)[:, None]])
    groups = np.repeat(np.arange(count), visits)
    found = MixedLM(later.ravel(), fixed, groups, np.tile(design, (count, 1))).fit(reml=True, method="bfgs")
    if not found.converged:
        raise RuntimeError("the linear mixed model did not converge")
    own = design @ np.asarray(found.cov_re) @ design.T
    effects = np.asarray(found.fe_params)
    return Mixed(centre, effects[:visits], effects[visits:], own + found.scale * np.eye(visits))


def regression(scores: FloatArray, first: FloatArray) -> FloatArray:
    """Linear regression of each later visit on all first ones [people, seen], by the moments of a training set."""
    n = first.shape[1]
    centre, joint = scores.mean(axis=0), np.cov(scores, rowvar=False)
    gain = np.linalg.solve(joint[:n, :n], joint[:n, n:])
    return np.clip(centre[n:] + (first - centre[:n]) @ gain, 0.0, 60.0)


def compared(found: Found, scores: FloatArray, training: FloatArray, population: FloatArray) -> pd.DataFrame:
    """Coverage and mean absolute errors by k and horizon, each with its standard error."""
    model, table = mixed(training), []
    for k in SEEN:
        linear, straight = model.predict(scores[:, : k + 1]), regression(training, scores[:, : k + 1])
        for ahead in HORIZONS:
            visit = int(np.searchsorted(DAYS, DAYS[k] + ahead))
            rows = found.visits.query("k == @k and visit == @visit")
            came = rows["score"].to_numpy(float)
            row: Row = {"k": k, "ahead_d": ahead, "day": DAYS[visit], "people": len(rows)}
            for level, tail in BANDS.items():
                row |= share(f"cover{level}", rows[f"in{level}"].to_numpy(bool))
                row |= share(f"split{level}", np.abs(rows["pit"].to_numpy() - 0.5) <= 0.5 - tail)
            ours = np.abs(rows["median"].to_numpy() - came)
            errors = {
                "forecast_median": ours,
                "forecast_mean": np.abs(rows["mean"].to_numpy() - came),
                "last_value": np.abs(scores[:, k] - came),
                "population": np.abs(population[visit] - came),
                "mixed_model": np.abs(linear[:, visit - k - 1] - came),
                "regression": np.abs(straight[:, visit - k - 1] - came),
            }
            for name, error in errors.items():
                row |= mean(f"mae_{name}", error)
            for name in ("last_value", "population", "mixed_model", "regression"):
                row |= mean(f"gain_{name}", errors[name] - ours)
            table.append(row)
    return pd.DataFrame(table)


def mean(name: str, values: FloatArray) -> Row:
    """A mean and its standard error."""
    return {name: values.mean(), f"{name}_se": values.std(ddof=1) / np.sqrt(len(values))}


def share(name: str, values: NDArray[np.bool_]) -> Row:
    """A percentage and its standard error."""
    part = values.mean()
    return {name: 100 * part, f"{name}_se": 100 * np.sqrt(part * (1 - part) / len(values))}


def reliability(happenings: pd.DataFrame, bins: int = 10) -> pd.DataFrame:
    """Foretold against observed by tenths of probability, with Brier scores of all rows of an event."""
    table = []
    for event, k in sorted(set(zip(happenings["event"], happenings["k"], strict=True))):
        rows = happenings.query("event == @event and k == @k")
        p, came = rows["p"].to_numpy(float), rows["came"].to_numpy(bool)
        brier, usual = float(np.mean((p - came) ** 2)), float(came.mean() * (1 - came.mean()))
        place = np.minimum((p * bins).astype(int), bins - 1)
        for b in range(bins):
            here = place == b
            if here.any():
                row: Row = {"event": event, "k": k, "bin": f"{b / bins:.1f}-{(b + 1) / bins:.1f}", "n": int(here.sum())}
                row |= {"foretold": 100 * p[here].mean(), **share("observed", came[here])}
                table.append(row | {"brier": brier, "brier_base_rate": usual, "people": len(rows)})
    return pd.DataFrame(table)


def warned(of: Forecaster, sets: Sequence[Misfit], usual: FloatArray) -> pd.DataFrame:
    """How often the warning of an odd history comes, by set and visits seen, and what the forecasts are worth.

    `marginal` is the same with the marginal likelihood as the distance. `best_test` is the share that the likelihood
    ratio of the rival mechanism against the base model finds at the same rate of false alarms: no other statistic of
    the scores can find more.
    """
    table: list[Row] = []
    few = Ratings(of.ratings.mean[: forecast.SIZE], of.ratings.covariance[: forecast.SIZE])
    for k in SEEN[1:]:
        found, visit = few.pick(range(k + 1)), int(np.searchsorted(DAYS, DAYS[k] + 14))
        of_usual = marginal(found, usual[:MISFITS, : k + 1])
        for one in sets:
            first = one.scores[:, : k + 1]
            odd = np.array([forecast.oddness(found, mine, ["MADRS"] * (k + 1), of.seed) for mine in first])
            row: Row = {"set": one.name, "k": k, "people": len(odd), **share("warned", odd < UNUSUAL)}
            likely = marginal(found, first)
            row |= share("marginal", likely < np.quantile(of_usual, UNUSUAL))
            if one.ratings is not None:
                rival = one.ratings.pick(range(k + 1))
                usual_ratio = marginal(rival, usual[:MISFITS, : k + 1]) - of_usual
                ratio = marginal(rival, first) - likely
                row |= share("best_test", ratio > np.quantile(usual_ratio, 1 - UNUSUAL))
            later = np.array(
                [drawn(of.of(mine, of.weighted(mine), i))[:, visit - k - 1] for i, mine in enumerate(first[:MISFITS])]
            )
            came = one.scores[:MISFITS, visit]
            low, high = np.quantile(later, [BANDS["90"], 1 - BANDS["90"]], axis=1)
            row |= share("cover90", (low <= came) & (came <= high))
            table.append(row | mean("error", later.mean(axis=1) - came))
    return pd.DataFrame(table)


def marginal(found: Ratings, scores: FloatArray) -> FloatArray:
    """Log density of each person's scores among these virtual people, up to a constant."""
    return np.array([np.logaddexp.reduce(found.log_likelihood(mine)) for mine in scores])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="100 people, and 40 of each set of misfits")
    parser.add_argument("--out", type=Path, default=Path("docs/forecast"))
    asked = parser.parse_args()
    count, few = (100, 40) if asked.quick else (asked.people, MISFITS)
    of = forecaster(CLOUD, asked.seed)
    # three other seeds: nobody shares people, luck or order of draws with the forecaster
    scores = people(count, asked.seed + 1000).rated(asked.seed + 1000)[:count]
    training = people(TRAINING, asked.seed + 2000).rated(asked.seed + 2000)[:TRAINING]
    difference = largest_difference(of, scores[: 3 if asked.quick else CHECKED])
    if difference > 0.5:
        raise RuntimeError(f"the short way differs from `update` and `foresee` by {difference:.2f} points")
    found = run(of, scores, asked.seed)
    normal = streams.generator(asked.seed, "bench/population").standard_normal(of.ratings.mean.shape)
    unseen = np.median(np.clip(np.rint(of.ratings.sample(normal)), 0, 60), axis=0)
    table, events = compared(found, scores, training, unseen), reliability(found.events)
    sets = [Misfit("the population itself", scores[:1000]), *misfits(few, asked.seed + 3000)]
    odd = warned(of, sets, scores)
    size = "--quick" if asked.quick else f"--people {count}"
    command = f"python bench/forecast_truth.py {size} --seed {asked.seed}"
    asked.out.mkdir(parents=True, exist_ok=True)
    tables = {"truth": table, "reliability": events, "warning": odd}
    for name, rows in tables.items():
        with (asked.out / f"{name}.csv").open("w") as file:
            file.write(f"# {command}\n")
            rows.to_csv(file, index=False, float_format="%.4g")
    figure(events, asked.out / "reliability")
    effort = pd.DataFrame(
        [
            {"k": k, "effective": rows["effective"].median(), "refined": rows["refined"].mean()}
            | {"tool": rows["tool_needs"].mean()}
            for k in SEEN
            for rows in [found.effective.query("k == @k")]
        ]
    )
    text = page(command, table, events, odd, effort, difference)
    (asked.out / "truth.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
