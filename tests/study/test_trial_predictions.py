"""Predictions of published numbers: against closed forms, against sampled scores, and by hand for paths of visits."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from afterglow.clinic import scale
from afterglow.data.outcome_schema import MEASURES, Condition, Outcome
from afterglow.data.trial_schema import RelapseRule, RemissionRule, ResponseRule, Rules
from afterglow.study.published import PATHS, Noise, SimulatedTrialArm, predict

NOISE = Noise(3.5, 9.0, 6.4, 0.0)
SWINGING = Noise(3.5, 9.0, 6.4, 0.7)  # the ill swing more than the well
QUIET = Noise(1e-6, 0.0, 6.4, 0.0)
TIMES = np.array([0.0, 24.0, 168.0, 672.0])  # whole steps of the grid on which the fluctuation is drawn
ILL = 30.0  # true MADRS at which the size of the fluctuation is stated
CHECKS = 4.5  # standard errors within which samples must agree; all seeds are fixed


def arm(madrs, baseline=None, *, times=TIMES, noise=NOISE, rules=None, sampled=None, select=None, **more):
    """A simulated arm with these true scores [patients, times], as if the model had run."""
    madrs = np.asarray(madrs, float)
    design = SimpleNamespace(select=select, select_not=more.pop("select_not", None))
    of = SimpleNamespace(
        times=np.asarray(times, float),
        rules=rules or Rules(),
        design=design,
        trial=more.pop("trial", None),
        arm=SimpleNamespace(who=range(len(madrs))),
        seed=more.pop("seed", 3),
        sessions=more.pop("sessions", []),
    )
    found = SimulatedTrialArm(
        of, madrs[:, 0] if baseline is None else baseline, madrs, more.get("risk", {}), more.get("direct", {}), noise
    )
    if sampled is not None:
        given = np.asarray(sampled, float)
        found.__dict__["sampled"] = given if given.ndim == 3 else np.tile(given, (PATHS, 1, 1))
    return found


def flat(score, patients=64, **more):
    return arm(np.full((patients, len(more.get("times", TIMES))), float(score)), **more)


def crowd(seed=7, patients=3000, low=8.0, noise=NOISE):
    """People who differ in baseline and in how much they improve."""
    rng = np.random.default_rng(seed)
    baseline = rng.normal(32, 5, patients).clip(20, 48)
    left = np.stack([np.ones(patients), *rng.uniform(low / 40, 1, (3, patients))])
    return arm((baseline * left).T, seed=seed, noise=noise)


def row(measure, **parts):
    """A published row of arm a, against arm b where the measure compares."""
    versus = "b" if MEASURES[measure].compares else None
    given = {"arm": "a", "versus": versus, "scale": "MADRS", "time_h": 168, "value": 1.0}
    return Outcome(measure=measure, **given | parts)


def everyone(a):
    return np.ones(len(a.baseline))


# ------------------------------------------------------------------------------------ noise


def test_noise_starts_with_the_rater_and_grows_to_its_stationary_spread():
    assert NOISE.drift(0, ILL) == 0
    assert NOISE.visit(0, ILL) == 3.5
    assert NOISE.drift(24 * 6.4, ILL) == pytest.approx(9 * np.sqrt(1 - np.exp(-2)))
    assert NOISE.visit(24 * 365, ILL) == pytest.approx(np.hypot(3.5, 9.0))


def test_the_well_swing_less_by_the_power_and_the_rater_errs_the_same():
    scores = np.array([0.0, 7.5, 15.0, 30.0, 60.0])
    assert NOISE.drift(672, scores) == pytest.approx(NOISE.drift(672, ILL) * np.ones(5))
    drift = SWINGING.drift(672, scores)
    assert drift / NOISE.drift(672, ILL) == pytest.approx([0.0, 0.25**0.7, 0.5**0.7, 1.0, 2.0**0.7])
    assert SWINGING.visit(672, scores) == pytest.approx(np.hypot(3.5, drift))
    assert SWINGING.visit(0, scores) == pytest.approx(3.5 * np.ones(5))


@pytest.mark.parametrize(("noise", "score"), [(NOISE, 30.0), (SWINGING, 20.0)], ids=["plain", "swinging"])
@pytest.mark.parametrize("time", TIMES.tolist())
def test_noise_is_that_of_measured_scores(time, noise, score):
    a = flat(score, 2000, noise=noise)
    got = (a.on([time]) - score).std()
    wanted = np.sqrt(noise.visit(time, score) ** 2 + 1 / 12)  # rounding to whole points adds 1/12
    assert got == pytest.approx(wanted, rel=CHECKS / np.sqrt(2 * 2000 * PATHS))


def test_paths_are_those_of_replicates_and_differ():
    """A patient has several paths of noise around one true course; each is what `measure` gives that replicate."""
    a = flat(30, 16, noise=SWINGING)
    assert a.sampled.shape == (PATHS, 16, len(TIMES))
    for k in range(PATHS):
        alone = scale.measure(
            a.madrs, TIMES, range(16), 3, k,
            rater_sd=3.5, fluctuation_sd=9.0, fluctuation_tau_d=6.4, fluctuation_power=0.7,
        )  # fmt: skip
        assert np.array_equal(a.sampled[k], alone)
    assert len({a.sampled[k].tobytes() for k in range(PATHS)}) == PATHS
    assert np.array_equal(a.on([168, 24]), a.sampled[..., [2, 1]])


# ------------------------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("score", [0.0, 2.0, 9.0, 30.0])
@pytest.mark.parametrize("time", [0.0, 24.0, 672.0])
@pytest.mark.parametrize("noise", [NOISE, SWINGING], ids=["plain", "swinging"])
def test_mean_and_sd_are_those_of_a_normal_score_that_stops_at_zero(score, time, noise):
    a, sd = flat(score, noise=noise), noise.visit(time, score)

    def moment(k):
        return quad(lambda x: x**k * norm.pdf(x, score, sd), 0, score + 12 * sd)[0]

    w = everyone(a)
    assert a.mean_score(time, w) == pytest.approx(moment(1), rel=1e-6)
    assert a.sd(time, w) == pytest.approx(np.sqrt(moment(2) - moment(1) ** 2), rel=1e-5)
    assert a.change(time, w) == pytest.approx(moment(1) - score, rel=1e-6, abs=1e-6)


def test_spread_of_people_and_noise_add_up_as_variances():
    madrs = np.repeat([[35.0], [45.0]], 50, axis=0) + np.array([0.0, 0.0, -2.0, -4.0])
    madrs[:50, 3] -= 6.0
    a = arm(madrs)
    w = everyone(a)
    assert a.sd(168, w) == pytest.approx(np.hypot(5.0, NOISE.visit(168, ILL)), rel=1e-3)  # next to nobody reaches 0
    within = np.hypot(NOISE.visit(672, ILL), NOISE.rater_sd)  # the baseline is rated too
    assert a.change_sd(672, w) == pytest.approx(np.hypot(3.0, within), rel=2e-3)
    assert a.change(672, w) == pytest.approx(-7.0, abs=0.02)


@pytest.mark.parametrize("fall", [0.3, 0.5])
@pytest.mark.parametrize("noise", [NOISE, SWINGING], ids=["plain", "swinging"])
def test_response_is_the_chance_that_one_normal_lies_below_a_share_of_another(fall, noise):
    rules = Rules(response=ResponseRule(fall_at_least=fall))
    a = arm(np.tile([30.0, 30.0, 18.0, 12.0], (10, 1)), rules=rules, noise=noise)
    left = 1 - fall
    sd = np.sqrt(noise.visit(168, 18.0) ** 2 + (left * noise.rater_sd) ** 2)
    assert a.response(168, everyone(a)) == pytest.approx(100 * norm.cdf(0, 18 - left * 30, sd))


@pytest.mark.parametrize("noise", [NOISE, SWINGING], ids=["plain", "swinging"])
def test_remission_counts_whole_points(noise):
    w, sd = np.ones(64), noise.visit(168, 14.0)
    plain = flat(14.0, noise=noise)
    assert plain.remission(168, w) == pytest.approx(100 * norm.cdf(10.5, 14, sd))
    strict = flat(14.0, noise=noise, rules=Rules(remission=RemissionRule(at_most=12.0)))
    assert strict.remission(168, w) == pytest.approx(100 * norm.cdf(12.5, 14, sd))
    hamd = flat(14.0, noise=noise, rules=Rules(remission=RemissionRule(scale="HAM-D17", at_most=7.0)))
    cut = float(scale.to_madrs(7.0, "HAM-D17"))
    assert hamd.remission(168, w) == pytest.approx(100 * norm.cdf(cut + 0.5, 14, sd))


def test_weights_choose_who_counts():
    a = arm(np.repeat([[20.0], [40.0]], 8, axis=0) + np.zeros(4), noise=QUIET)
    first = np.repeat([1.0, 0.0], 8)
    assert a.mean_score(168, first) == pytest.approx(20)
    assert a.mean_score(168, 1 - first) == pytest.approx(40)
    assert a.sd(168, first) == pytest.approx(0, abs=1e-2)
    assert a.sd(168, np.ones(16)) == pytest.approx(10, abs=1e-3)


# ------------------------------------------------------------------------------------ against sampled scores


@pytest.fixture(scope="module", params=[NOISE, SWINGING], ids=["plain", "swinging"])
def people(request):
    return crowd(noise=request.param)


@pytest.mark.parametrize("time", [24.0, 168.0, 672.0])
def test_integrated_predictions_are_what_sampled_scores_show(people, time):
    a, w = people, everyone(people)
    x, first = a.on([time])[..., 0], a.on([0.0])[..., 0]
    n = x.size  # true scores are the same on both sides: only noise is sampled, and every path has its own
    change = x - first
    assert a.mean_score(time, w) == pytest.approx(x.mean(), abs=CHECKS * x.std() / np.sqrt(n))
    assert a.change(time, w) == pytest.approx(change.mean(), abs=CHECKS * change.std() / np.sqrt(n))
    assert a.sd(time, w) == pytest.approx(x.std(), rel=CHECKS / np.sqrt(2 * n))
    assert a.change_sd(time, w) == pytest.approx(change.std(), rel=CHECKS / np.sqrt(2 * n))
    share = 100 * CHECKS * 0.5 / np.sqrt(n)
    assert a.remission(time, w) == pytest.approx(100 * (x <= 10).mean(), abs=share)
    # half of a whole score is whole or a half: on average a quarter of a point is lost to rounding
    rounding = 100 * 0.25 * norm.pdf(0) * np.mean(1 / a.noise.visit(time, a.at(time)))
    assert a.response(time, w) == pytest.approx(100 * (x <= 0.5 * first).mean(), abs=share + rounding)


# ------------------------------------------------------------------------------------ who is selected


def test_selection_by_each_kind_of_condition():
    scores = [[30, 10, 12, 14], [30, 15, 16, 14], [30, 25, 10, 20], [30, 16, 16, 16]]
    a = arm(scores, sampled=scores)

    def chosen(*conditions):
        every_path = a.selected(conditions)
        assert every_path.shape == (PATHS, 4)
        assert every_path.dtype == bool
        assert (every_path == every_path[0]).all()  # the same scores in all paths
        return every_path[0].tolist()

    assert chosen() == [1, 1, 1, 1]
    assert chosen(Condition(times_h=[24], at_most=15)) == [1, 1, 0, 0]
    assert chosen(Condition(times_h=[24, 168], fall_at_least=0.5)) == [1, 0, 0, 0]
    assert chosen(Condition(times_h=[24, 168], fall_at_least=0.5, at_least_visits=1)) == [1, 1, 1, 0]
    assert chosen(Condition(times_h=[24], fall_below=0.5)) == [0, 0, 1, 1]
    both = (Condition(times_h=[24], fall_at_least=0.5), Condition(times_h=[672], at_most=13))
    assert chosen(*both) == [0, 0, 0, 0]


def test_selection_on_another_scale_uses_its_published_relation():
    scores = np.repeat(np.arange(0, 40.0)[:, None], 4, axis=1)
    a = arm(scores, sampled=scores)
    assert a.selected([Condition(scale="HAM-D17", times_h=[24], at_most=7)]).sum() == PATHS * sum(
        scores[:, 1] <= scale.to_madrs(7, "HAM-D17")
    )


def test_a_row_adds_its_own_condition_and_select_not_takes_the_others():
    scores = [[30, 10, 12, 14], [30, 15, 16, 20], [30, 25, 10, 20], [30, 16, 16, 16]]
    responders = [Condition(times_h=[24], fall_at_least=0.5)]
    trial = SimpleNamespace(simulated_arm=lambda name: {"first": SimpleNamespace(select=responders)}[name])
    assert arm(scores, sampled=scores, select=responders).weights(row("mean")).tolist() == [1, 1, 0, 0]
    both = arm(scores, sampled=scores, select=[Condition(times_h=[168], at_most=12)], select_not="first", trial=trial)
    assert both.weights(row("mean")).tolist() == [0, 0, 1, 0]
    late = row("mean", among=[Condition(times_h=[672], at_most=14)])
    assert arm(scores, sampled=scores, select=responders).weights(late).tolist() == [1, 0, 0, 0]
    others = arm(scores, sampled=scores, select_not="first", trial=trial)
    assert others.weights(row("mean")).tolist() == [0, 0, 1, 1]


def test_a_patient_weighs_by_the_share_of_paths_that_count():
    scores = np.full((PATHS, 2, 4), 30.0)
    scores[0, 0, 1:] = 10.0  # the first patient responds in one path, the second in all but one
    scores[1:, 1, 1:] = 12.0
    responders = [Condition(times_h=[24], fall_at_least=0.5)]
    a = arm(np.tile([30.0, 20.0, 20.0, 20.0], (2, 1)), sampled=scores, select=responders)
    assert a.weights(row("mean")) == pytest.approx([1 / PATHS, 1 - 1 / PATHS])
    strict = row("mean", among=[Condition(times_h=[672], at_most=11)])
    assert a.weights(strict) == pytest.approx([1 / PATHS, 0.0])
    assert a.kept(strict).sum() == 1


# ------------------------------------------------------------------------------------ relapse


def relapse_by_hand(scores, times, rule):
    """Days to relapse, one patient and one visit after the other."""
    out = []
    for mine in scores:
        limits = [] if rule.at_least is None else [rule.at_least]
        limits += [] if rule.at_least_fraction is None else [rule.at_least_fraction * mine[0]]
        run, day = 0, np.inf
        for t, score in zip(times, mine, strict=True):
            if not rule.from_h <= t <= rule.until_h:
                continue
            run = run + 1 if all(score >= limit for limit in limits) else 0
            if run == rule.visits:
                day = (t - rule.from_h) / 24
                break
        out.append(day)
    return np.array(out)


RULES = [
    RelapseRule(at_least=22, visits=1, from_h=48, every_h=24, until_h=480),
    RelapseRule(at_least=22, visits=2, from_h=48, every_h=24, until_h=480),
    RelapseRule(at_least_fraction=0.7, visits=3, from_h=96, every_h=24, until_h=400),
    RelapseRule(at_least=18, at_least_fraction=0.5, visits=2, from_h=0, every_h=24, until_h=240),
]


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_relapse_is_found_at_the_last_of_its_visits(rule):
    times = np.arange(0, 505, 24.0)
    scores = np.random.default_rng(5).integers(0, 45, (PATHS, 300, len(times))).astype(float)
    a = arm(scores[0], sampled=scores, times=times)
    keep = np.random.default_rng(6).random((PATHS, 300)) > 0.3
    found = a.relapse_times(rule, keep)
    assert np.array_equal(
        found, np.concatenate([relapse_by_hand(scores[k, mine], times, rule) for k, mine in enumerate(keep)])
    )
    assert 0 < np.isinf(found).mean() < 1 or rule.visits == 1


def exponential(rate, patients=6000, days=200, seed=1):
    """An arm whose patients relapse for good at exponential times, seen once a day."""
    times = np.arange(0, 24 * days + 1, 24.0)
    rule = RelapseRule(at_least=22, visits=1, from_h=0, every_h=24, until_h=24.0 * days)
    when = np.random.default_rng(seed).exponential(1 / rate, patients)
    scores = np.where(times[None, :] / 24 >= when[:, None], 30.0, 5.0)
    return arm(scores, sampled=scores, times=times, rules=Rules(relapse=rule))


def test_relapse_shares_and_quantiles_follow_the_survival_curve():
    rate = 0.02
    arms = {"a": exponential(rate)}
    slack = 100 * CHECKS * 0.5 / np.sqrt(6000)
    shown = predict(row("relapse", time_h=24 * 30), arms)
    assert shown == pytest.approx(100 * (1 - np.exp(-rate * 30)), abs=slack)
    for measure, quantile in (("relapse_q1_days", 0.25), ("relapse_median_days", 0.5), ("relapse_q3_days", 0.75)):
        days = predict(row(measure, time_h=None, when="to the end"), arms)
        assert days == pytest.approx(-np.log(1 - quantile) / rate + 0.5, rel=0.1)  # seen half a day late, on average


def test_relapse_by_a_time_counts_the_visit_at_that_time():
    times = np.arange(0, 241, 24.0)
    when = np.array([2, 5, 9, 99])  # days of the first bad visit; days count from the second visit, when care stops
    scores = np.where(times / 24 >= when[:, None], 30.0, 5.0)
    rule = RelapseRule(at_least=22, visits=1, from_h=24, every_h=24, until_h=240)
    arms = {"a": arm(scores, sampled=scores, times=times, rules=Rules(relapse=rule))}
    by = {day: predict(row("relapse", time_h=24 * day), arms) for day in (1, 2, 4, 5, 8, 9)}
    assert by == pytest.approx({1: 0, 2: 25, 4: 25, 5: 50, 8: 50, 9: 75})
    assert predict(row("relapse", time_h=None, when="to the end"), arms) == pytest.approx(75)
    assert predict(row("relapse_q1_days", time_h=None, when="to the end"), arms) == 1  # day 2


def test_a_quantile_that_is_not_reached_is_the_end_of_observation():
    arms = {"a": exponential(0.001, days=50)}
    assert predict(row("relapse_median_days", time_h=None, when="to the end"), arms) == 50
    share = predict(row("relapse", time_h=None, when="to the end"), arms)
    assert share == pytest.approx(100 * (1 - np.exp(-0.001 * 50)), abs=1.5)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 3.0])
def test_the_hazard_ratio_of_exponential_times_is_the_ratio_of_their_rates(ratio):
    arms = {"a": exponential(0.004 * ratio), "b": exponential(0.004, seed=2)}
    assert predict(row("hazard_ratio"), arms) == pytest.approx(ratio, rel=0.12)


def test_a_hazard_ratio_stays_finite_when_nobody_or_everybody_relapses():
    arms = {"a": exponential(10.0), "b": exponential(1e-9)}
    assert np.isfinite(predict(row("hazard_ratio"), arms))
    assert predict(row("hazard_ratio"), arms) > 100


def test_infusions_until_response_and_days_until_remission():
    times = np.array([0.0, 48.0, 96.0, 120.0])
    scores = [[40, 18, 10, 8], [40, 30, 19, 9], [40, 35, 30, 20], [40, 39, 38, 37]]
    a = arm(scores, sampled=scores, times=times, sessions=[0.0, 48.0, 96.0])
    found = predict(row("median_infusions_to_response", time_h=None, when="at any visit", scale=None), {"a": a})
    assert found == 2  # after the first, the second and the third; the last patient never responds
    days = predict(row("remission_median_days", time_h=None, when="first time"), {"a": a})
    assert days == pytest.approx(np.median([4, 5, np.inf, np.inf]))
    nobody = arm(np.full((4, 4), 40.0), sampled=np.full((4, 4), 40.0), times=times, sessions=[0.0, 48.0, 96.0])
    never = row("median_infusions_to_response", time_h=None, when="at any visit", scale=None)
    assert predict(never, {"a": nobody}) is None


# ------------------------------------------------------------------------------------ comparisons


def two(one=(30.0, 24.0, 20.0, 16.0), other=(30.0, 27.0, 26.0, 24.0), noise=NOISE):
    return {name: arm(np.tile(path, (64, 1)), noise=noise) for name, path in (("a", one), ("b", other))}


def test_differences_and_their_windows():
    arms = two(noise=QUIET)
    assert predict(row("difference"), arms) == pytest.approx(-6.0)
    assert predict(row("difference", time_h=672, from_h=24), arms) == pytest.approx(np.mean([-3, -6, -8]))
    hamd = predict(row("difference", scale="HAM-D17"), arms)
    assert hamd == pytest.approx(-6 * scale.noise_ratio("HAM-D17"))
    assert predict(row("change", time_h=672, from_h=24), arms) == pytest.approx(-8.0)
    assert predict(row("change_percent"), arms) == pytest.approx(-100 / 3)


def test_standardised_differences_divide_by_the_pooled_spread():
    arms, smd = two(), {t: d / NOISE.visit(t, ILL) for t, d in ((24, -3), (168, -6), (672, -8))}
    for measure in ("smd", "standardised_beta"):
        assert predict(row(measure), arms) == pytest.approx(smd[168], rel=0.02)
        window = predict(row(measure, time_h=672, from_h=24), arms)
        assert window == pytest.approx(np.mean(list(smd.values())), rel=0.02)
    assert predict(row("decay_ratio", from_h=24), arms) == pytest.approx(smd[168] / smd[24], rel=0.02)


@pytest.mark.parametrize("noise", [NOISE, SWINGING], ids=["plain", "swinging"])
def test_a_standardised_difference_is_that_of_sampled_scores(noise):
    a, b = crowd(7, low=4.0, noise=noise), crowd(8, low=20.0, noise=noise)
    x, y = a.sampled[..., 2].ravel(), b.sampled[..., 2].ravel()
    wanted = (x.mean() - y.mean()) / np.sqrt((x.var() + y.var()) / 2)
    assert predict(row("smd"), {"a": a, "b": b}) == pytest.approx(wanted, abs=CHECKS * np.sqrt(2 / len(x)))


def test_ratio_of_responses_and_share_of_the_six_week_effect():
    arms = two()
    a, b = (100 * norm.cdf(0, x - 15, np.hypot(NOISE.visit(168, ILL), 1.75)) for x in (20, 26))
    assert predict(row("response_rr"), arms) == pytest.approx(a / b)
    times = [0.0, 168.0, 1008.0]
    paths = {"a": (30.0, 24.0, 15.0), "b": (30.0, 26.0, 21.0)}
    weeks = {k: arm(np.tile(p, (64, 1)), times=times, noise=QUIET) for k, p in paths.items()}
    assert predict(row("fraction_of_week6"), weeks) == pytest.approx(2 / 6)
    same = {"a": weeks["a"], "b": weeks["a"]}
    assert predict(row("fraction_of_week6"), same) is None


def test_events_and_scales_of_the_model_itself():
    risk = {"acute_effects.nausea_risk": np.array([0.1, 0.3] * 8)}
    cadss = {"acute_effects.cadss": np.tile(np.arange(4.0) * 10, (16, 1)) + np.repeat([0, 4], 8)[:, None]}
    arms = {"a": flat(30, 16, risk=risk, direct=cadss)}
    assert predict(row("ae_rate", event="nausea"), arms) == pytest.approx(20.0)
    assert predict(row("ae_rate", event="vomiting"), arms) is None
    assert predict(row("mean", scale="CADSS", time_h=24), arms) == pytest.approx(12.0)
    assert predict(row("sd", scale="CADSS", time_h=24), arms) == pytest.approx(2.0)


@pytest.mark.parametrize(
    "asked",
    [
        row("mean", arm="nobody"),
        row("difference", versus="nobody"),
        row("mean", scale="a scale that is not modelled"),
        row("mean", among=[Condition(times_h=[24], at_most=0)]),
        row("relapse"),  # the trial has no rule
        row("share", event="seen by nobody"),
        row("response", time_h=None, when="at some time"),
    ],
    ids=lambda r: r.key,
)
def test_what_the_model_does_not_speak_of_is_none(asked):
    assert predict(asked, two()) is None
