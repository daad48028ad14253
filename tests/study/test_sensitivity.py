"""Sensitivity: indices that are known in closed form, spreads by hand, and outcomes against plain runs of the model."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import ndtri

from afterglow.clinic.course import load_course
from afterglow.compiled import compiled
from afterglow.data.fitted import fitted_values, posterior
from afterglow.simulate import simulate_course
from afterglow.study import sensitivity as study
from afterglow.study.indices import HIGH, LOW, indices, screen, swings
from afterglow.study.published import Noise
from afterglow.study.sensitivity import Clinic, leading
from afterglow.study.uncertain import FACTOR, HELD, Input, inputs

A, B = 7.0, 0.1


def ishigami(points):
    """Ishigami T, Homma T (1990); indices in closed form, see `known`. The second outcome is the last input."""
    x = math.pi * (2 * points - 1)
    first = np.sin(x[:, 0]) + A * np.sin(x[:, 1]) ** 2 + B * x[:, 2] ** 4 * np.sin(x[:, 0])
    return np.column_stack([first, points[:, 2]])


def known():
    """First-order and total indices."""
    both = 8 * B**2 * math.pi**8 / 225
    one, two = 0.5 * (1 + B * math.pi**4 / 5) ** 2, A**2 / 8
    whole = one + two + both
    return np.array([one, two, 0]) / whole, np.array([one + both, two, both]) / whole


def linear(*slopes):
    """Independent normal inputs: the share of each is its squared slope."""
    return lambda points: (ndtri(points) @ np.array(slopes, float))[:, None]


def by_input(table, outcome):
    return table[table["outcome"] == outcome].set_index("input")


class TestIndices:
    def test_ishigami(self):
        table, sample = indices(ishigami, ["a", "b", "c"], ["y", "z"], 1024, 1)
        found = by_input(table, "y").loc[["a", "b", "c"]]
        for column, true in zip(("first", "total"), known(), strict=True):
            assert found[column].to_numpy() == pytest.approx(true, abs=0.05)
            assert (np.abs(found[column] - true) < 2.5 * found[f"{column}_conf"] + 1e-9).all()
        other = by_input(table, "z")
        assert other.loc["c", ["first", "total"]].tolist() == pytest.approx([1, 1], abs=0.03)
        assert other.loc[["a", "b"], "total"].tolist() == [0, 0]
        assert sample.shape == (2048, 2)
        assert abs(np.corrcoef(sample[:1024, 0], sample[1024:, 0])[0, 1]) < 0.1  # independent halves
        whole = 0.5 + A**2 / 8 + B * math.pi**4 / 5 + B**2 * math.pi**8 / 18
        assert sample[:, 0].var() == pytest.approx(whole, rel=0.05)

    def test_a_linear_model_has_its_squared_slopes(self):
        slopes = np.array([3.0, 2.0, 1.0, 0.0])
        table, _ = indices(linear(*slopes), list("abcd"), ["y"], 1024, 2)
        found = by_input(table, "y").loc[list("abcd")]
        assert found["total"].to_numpy() == pytest.approx(slopes**2 / (slopes**2).sum(), abs=0.03)
        assert table["input"].tolist() == list("abcd")  # largest first

    def test_groups_of_a_linear_model_have_the_sum_of_their_inputs(self):
        table, _ = indices(linear(3, 2, 1, 0), list("abcd"), ["y"], 1024, 3, groups=["p", "q", "p", "r"])
        found = by_input(table, "y")["total"]
        assert found[["p", "q", "r"]].tolist() == pytest.approx([10 / 14, 4 / 14, 0], abs=0.03)

    def test_an_inert_input_is_zero_within_its_interval(self):
        table, _ = indices(ishigami, ["a", "b", "c"], ["y", "z"], 64, 4)
        row = by_input(table, "z").loc["a"]
        assert (row["total"], row["total_conf"]) == (0, 0)
        assert abs(row["first"]) <= row["first_conf"] + 1e-12

    def test_an_outcome_that_nothing_moves_has_no_shares(self):
        table, _ = indices(lambda points: np.full((len(points), 1), 5.0), ["a", "b"], ["y"], 16, 1)
        assert (table[["first", "total"]] == 0).all(axis=None)

    @pytest.mark.parametrize("groups", [None, ["p", "q", "p"]])
    def test_the_order_of_the_inputs_does_not_matter(self, groups):
        back = [2, 0, 1]
        table, sample = indices(ishigami, ["a", "b", "c"], ["y", "z"], 32, 5, groups)
        names = [["a", "b", "c"][i] for i in back]
        mixed, again = indices(
            lambda points: ishigami(points[:, np.argsort(back)]),
            names,
            ["y", "z"],
            32,
            5,
            groups and [groups[i] for i in back],
        )
        assert mixed.equals(table)
        assert np.array_equal(sample, again)

    def test_a_failed_run_spoils_its_own_sample_only(self):
        def failing(points):
            found = linear(3, 2)(points)
            found[7] = np.nan
            return found

        table, sample = indices(failing, ["a", "b"], ["y"], 256, 6)
        assert set(table["n"]) == {255}
        assert len(sample) == 510
        assert by_input(table, "y").loc["a", "total"] == pytest.approx(9 / 13, abs=0.06)


class TestScreening:
    def test_effects_of_a_straight_line_are_its_slopes(self):
        def run(points):
            return np.column_stack([points @ [4.0, -2.0, 0.0], points[:, 0] * points[:, 1]])

        table = screen(run, ["a", "b", "c"], ["y", "z"], 6, 1)
        found = by_input(table, "y")
        reach = HIGH - LOW
        assert found.loc[["a", "b", "c"], "mu"].tolist() == pytest.approx([4 * reach, -2 * reach, 0])
        assert found.loc[["a", "b", "c"], "mu_star"].tolist() == pytest.approx([4 * reach, 2 * reach, 0])
        assert found["sigma"].to_numpy() == pytest.approx(0, abs=1e-12)
        assert by_input(table, "z").loc["a", "sigma"] > 0.01  # an interaction
        assert table["input"].tolist()[:3] == ["a", "b", "c"]

    def test_the_order_of_the_inputs_does_not_matter(self):
        table = screen(ishigami, ["a", "b", "c"], ["y", "z"], 5, 2)
        mixed = screen(lambda points: ishigami(points[:, ::-1]), ["c", "b", "a"], ["y", "z"], 5, 2)
        assert mixed.equals(table)

    def test_the_leaders_of_every_outcome_are_chosen(self):
        def run(points):
            return np.column_stack([points @ [9.0, 8.0, 7.0, 0.0], points @ [0.0, 0.0, 0.1, 1.0]])

        table = screen(run, list("abcd"), ["y", "z"], 4, 1)
        assert leading(table, 2) == ("d", "a")
        assert set(leading(table, 4)) == set("abcd")

    def test_one_at_a_time(self):
        typical, ends = swings(lambda points: points @ np.array([[1.0, 0.0], [0.0, 2.0]]), 2)
        assert typical.tolist() == [0.5, 1.0]
        assert ends[:, 0].tolist() == [[pytest.approx(LOW), 1.0], [pytest.approx(HIGH), 1.0]]
        assert ends[:, 1].tolist() == [[0.5, pytest.approx(2 * LOW)], [0.5, pytest.approx(2 * HIGH)]]


@pytest.fixture(scope="module")
def listed():
    return {one.name: one for one in inputs()}


def at(one: Input, *points: float) -> list[float]:
    return one.values(np.array(points)).tolist()


class TestInputs:
    def test_the_middle_of_every_spread_is_the_value_in_use(self, listed):
        for one in listed.values():
            assert at(one, 0.5)[0] == pytest.approx(one.typical), one.name
            grid = one.values(np.linspace(0, 1, 21))
            assert (np.diff(grid) >= 0).all()
            assert grid[-1] > grid[0]
            assert (grid >= one.bounds[0]).all()
            assert (grid <= one.bounds[1]).all()

    def test_fitted_numbers_have_the_spread_of_the_posterior(self, listed):
        for name, value in fitted_values().items():
            assert (listed[name].typical, listed[name].ground) == (value, "posterior")
        one, draws = listed["synapses.fast_rate"], posterior()["synapses.fast_rate"]
        assert np.log(at(one, LOW, HIGH)) == pytest.approx(np.log(np.quantile(draws, [LOW, HIGH])), abs=0.2)
        assert one.sd == pytest.approx(np.log(draws).std())

    def test_declared_ranges_are_kept_to(self, listed):
        one = listed["plasticity.transit"]
        assert (one.ground, one.ends) == ("range", pytest.approx((8, 24)))
        assert at(one, 0.25) == [pytest.approx(math.sqrt(8 * 12))]
        assert at(listed["brain_exposure.T_KE0"], 0.25) == [pytest.approx(6.1 / 2)]  # from 0: even steps

    def test_assumed_numbers_move_by_the_declared_factor(self, listed):
        one = listed["belief.tau_back"]
        assert one.ground == "assumed"
        assert at(one, LOW, HIGH) == pytest.approx([one.typical / FACTOR["assumed"], one.typical * FACTOR["assumed"]])
        share = listed["synapses.set_point"]
        odds = [value / (1 - value) for value in at(share, LOW, 0.5, HIGH)]
        assert odds[2] / odds[1] == pytest.approx(FACTOR["assumed"])
        assert odds[1] / odds[0] == pytest.approx(FACTOR["assumed"])

    def test_one_number_in_two_places_is_one_input(self, listed):
        assert listed["ketamine.V1"].parameters == ("ketamine_s.V1", "ketamine_r.V1")
        assert listed["ketamine_s.CL"].parameters == ("ketamine_s.CL",)
        names = [name for one in listed.values() for name in one.parameters]
        assert len(names) == len(set(names))

    def test_what_is_not_uncertain_is_held(self, listed):
        names = {name for one in listed.values() for name in one.parameters}
        assert "omega.expectancy.trait" in names
        assert not {f"ketamine_{form}.MW" for form in "sr"} & names
        assert not set(HELD) & names
        parameters = compiled().program.model.params
        known = {f"{compiled().model.parts[n.split('.')[0]].system.__module__.rpartition('.')[2]}.{n.split('.')[1]}"
                 for n in parameters}  # fmt: skip
        assert set(HELD) <= known

    def test_spreads_between_people_are_uncertain_too(self, listed):
        assert listed["omega.ketamine.CL"].parameters == ("omega.ketamine_s.CL", "omega.ketamine_r.CL")  # one luck
        shared = listed["omega.ketamine.V1"]
        assert (shared.ground, shared.typical) == ("published", pytest.approx(0.29))
        assert listed["omega.synapses.tau_fast"].ground == "assumed"  # its value is fitted, its spread is not

    def test_noise_is_uncertain_too(self, listed):
        assert listed["measurement.fluctuation_sd"].ground == "posterior"
        assert listed["measurement.rater_sd"].ground == "assumed"


@pytest.fixture(scope="module")
def clinic():
    return Clinic(16, 1)


NAMES = study.NAMES


class TestClinic:
    def test_the_first_day_is_that_of_a_single_infusion(self, clinic):
        found = dict(zip(NAMES, clinic.outcomes([{}])[0], strict=True))
        run = simulate_course(load_course("iv-single"), patients=16, weeks=1, seed=1)
        true = run.true["MADRS"]
        assert found["day1_change"] == pytest.approx(np.mean(true[:, run.visit.index("1 d")] - true[:, 0]), abs=0.02)
        first = run.time_h <= 4
        worst = run.values["acute_effects.cadss"][:, first].max(axis=1)
        assert found["cadss_peak"] == pytest.approx(worst.mean(), rel=1e-3)

    def test_a_set_of_values_gives_the_same_in_any_company(self, clinic):
        one, other = {"mood.weight_fast": 0.3}, {"synapses.tau_fast": 6.0, "measurement.rater_sd": 5.0}
        together = clinic.outcomes([one, other, one])
        assert np.array_equal(together[0], together[2])
        assert together[1] == pytest.approx(clinic.outcomes([other])[0], rel=1e-6)

    def test_directions(self, clinic):
        usual, weak, noisy = clinic.outcomes([{}, {"mood.weight_fast": 0.2}, {"measurement.rater_sd": 8.0}])
        assert weak[0] > usual[0]
        assert weak[1] < usual[1]
        assert weak[3] == usual[3]
        assert noisy[0] == usual[0]
        assert noisy[1] != usual[1]
        assert 0 < usual[2] < 84

    def test_relapse_days_by_hand(self, clinic):
        """Well for good: all 84 days. Ill again from the visit a week later on: 7 days. Never well: nobody to ask."""
        still = Noise(rater_sd=1e-6, fluctuation_sd=0.0, fluctuation_tau_d=5.0, fluctuation_power=0.0)

        def read(scores):
            n, visits = scores.shape
            values = {"acute_effects.cadss": np.arange(n * visits, dtype=np.float32).reshape(n, visits)}
            run = SimpleNamespace(
                status=np.zeros(n, int), true={"MADRS": scores}, visit_h=clinic.visits_h, time_h=clinic.visits_h,
                values=values,
            )  # fmt: skip
            return dict(zip(NAMES, clinic.read(run, still), strict=True))

        ill, day_14, later = 32.0, clinic.visits_h >= 336.0, clinic.visits_h >= 504.0
        after = clinic.visits_h > 0
        well = np.where(after, 8.0, ill)[None]
        back = np.where(later, ill, np.where(day_14, 8.0, ill))[None]
        assert read(well) == {"day1_change": -24, "remission_28d": 100, "relapse_days": 84, "cadss_peak": 0}
        assert read(back)["relapse_days"] == 7
        assert read(back)["remission_28d"] == 0
        assert read(np.vstack([well, back]))["relapse_days"] == pytest.approx((84 + 7) / 2)
        late = np.where(later, 8.0, ill)[None]
        assert math.isnan(read(late)["relapse_days"])  # not in response on day 14
        assert math.isnan(read(np.full((1, len(after)), ill))["relapse_days"])

    def test_draws_go_before_inputs_and_stay_together(self, clinic):
        draws = [
            {"mood.weight_fast": 0.2, "synapses.tau_fast": 2.0},
            {"mood.weight_fast": 0.7, "synapses.tau_fast": 5.0},
        ]
        one = next(one for one in inputs() if one.name == "belief.tau_back")
        found = clinic.run([one], draws)(np.array([[0.5, 0.1], [0.5, 0.9], [0.5, 1.0]]))
        assert found[0] == pytest.approx(clinic.outcomes([draws[0]])[0], rel=1e-6)
        assert found[1] == pytest.approx(clinic.outcomes([draws[1]])[0], rel=1e-6)
        assert found[2] == pytest.approx(found[1])

    def test_weight_comes_with_sex_and_points_are_marginals(self, clinic):
        names = ["SEXF", "WT", "AGE"]
        points = np.array([[0.05, 0.5, 0.5], [0.95, 0.5, 0.5]])
        found = clinic.covariates(names, points)
        assert found["SEXF"].tolist() == [0, 1]
        assert found["WT"][0] > found["WT"][1]  # women weigh less
        assert found["AGE"][0] == found["AGE"][1]
        alone = clinic.covariates(["WT"], np.array([[0.05], [0.95]]))["WT"]
        assert alone == pytest.approx(clinic.population.weight.values(ndtri(np.array([0.05, 0.95]))))

    def test_covariates_act_as_in_a_population_of_such_people(self, clinic):
        names = list(study.COVARIATES)
        points = np.full((3, len(names)), 0.5)
        points[1, names.index("baseline_madrs")] = 0.9
        points[2, names.index("failed_trials")] = 0.9
        usual, severe, resistant = clinic.run_people(names)(points)
        assert severe[0] < usual[0]  # effects multiply: more points fall from a higher score
        assert severe[1] < usual[1]
        assert resistant == pytest.approx(usual)  # failed trials count for antidepressants alone


@pytest.fixture(scope="module")
def result():
    plan = study.Plan(trajectories=2, base=4, system_base=2, people_base=2, draws=4, chosen=6)
    return study.study(plan, 8, 1)


class TestStudy:
    def test_tables(self, result):
        assert set(result.tables) == {"tornado", "morris", "sobol", "systems", "ranges"}
        tables = result.tables
        assert set(tables["sobol"]["question"]) == {"numbers", "people"}
        numbers = tables["sobol"].query("question == 'numbers'")
        assert set(numbers["input"]) == set(result.chosen)
        assert len(result.chosen) == 6
        assert set(tables["systems"]["system"]) >= {study.FIT, "acute_effects", "synapses", "measurement"}
        for table in tables.values():
            assert set(table["outcome"]) == set(NAMES)

    def test_what_is_not_given_moves_nothing(self, result):
        for name in ("escitalopram.CL", "benzodiazepine.gain", "psychotherapy.build", "ketamine.KA_NOSE"):
            assert name in result.inert
        moved = set(result.tables["morris"]["input"])
        assert not moved & set(result.inert)
        assert len(moved) + len(result.inert) == len(inputs())

    def test_kinetics_move_dissociation_and_expectancy_does_not(self, result):
        found = by_input(result.tables["tornado"].query("question == 'numbers'"), "cadss_peak")["swing"]
        assert found["ketamine.V1"] > 0.1
        assert found["expectancy.care"] < 1e-3

    def test_the_fit_does_not_touch_dissociation(self, result):
        ranges = result.tables["ranges"].set_index(["outcome", "varied"])
        assert ranges.loc[("cadss_peak", study.FIT), "sd"] < 1e-3
        assert ranges.loc[("day1_change", study.FIT), "sd"] > 0.1
