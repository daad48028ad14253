"""Kinetics of ketamine: against closed forms, its own bookkeeping, and published concentrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import simpson
from scipy.linalg import expm

from afterglow import data, streams
from afterglow.compile.program import program
from afterglow.compile.vector import vector_code
from afterglow.engine.actions import Actions
from afterglow.engine.batch import Engine
from afterglow.lang import Model, Unit, evaluate
from afterglow.systems.ketamine import R_KETAMINE, Ketamine

FloatArray = NDArray[np.float64]
S, R = "ketamine_s", "ketamine_r"
HOURS = np.linspace(0.0, 96.0, 96 * 60 + 1)  # every minute for four days


@dataclass(frozen=True)
class Dose:
    """`amount` mg of one enantiomer by `route` ("ketamine_s.iv") at `time`, over `over` hours."""

    route: str
    amount: float
    over: float = 0.0
    time: float = 0.0


def racemate(route: str, amount: float, over: float = 0.0) -> list[Dose]:
    return [Dose(f"{part}.{route}", amount / 2, over) for part in (S, R)]


def devices(count: int) -> list[Dose]:
    return [Dose(f"{S}.nasal_device_{'later' if k else 'first'}", 28.0) for k in range(count)]


@dataclass
class Run:
    time: FloatArray
    values: Mapping[str, FloatArray]
    end: Mapping[str, FloatArray] = field(default_factory=dict)

    def __getitem__(self, name: str) -> FloatArray:
        return self.values[name]

    def total(self, name: str) -> FloatArray:
        return self[f"{S}.{name}"] + self[f"{R}.{name}"]


class Bench:
    """Both enantiomers, compiled, and the few lines that turn doses into actions."""

    def __init__(self) -> None:
        model = Model("kinetics")
        model.add(Ketamine, S)
        model.add(Ketamine, R, **R_KETAMINE)
        self.program = program(model.flatten())
        self.engine = Engine(vector_code(self.program), self.program.sizes, rtol=1e-8, threads=1)

    def run(self, doses: Sequence[Dose], time: ArrayLike = HOURS, **people: ArrayLike) -> Run:
        """Simulate; `people` gives parameters or inputs with "__" for the dot, one value or one a person."""
        p = self.program
        n = max([1, *(np.size(v) for v in people.values())])
        slots = np.repeat(np.array(p.defaults)[:, None], n, axis=1)
        for name, value in people.items():
            slots[p.slot[name.replace("__", ".")]] = value
        actions = Actions()
        for dose in doses:
            for place, fraction, over in self.entries(dose, slots):
                hours = over if over else dose.over
                if hours:
                    actions.infusion(range(n), dose.time, p.slot[f"rate:{place}"], dose.amount * fraction, hours)
                else:
                    actions.bolus(range(n), dose.time, p.state[place], dose.amount * fraction)
        time = np.asarray(time, float)
        result = self.engine.run(slots, actions, time, range(len(p.outputs)))
        assert not result.status.any(), result.failures()
        values = result.values if n > 1 else result.values[0]
        end = {name: result.end.states[0, k, :n] for name, k in p.state.items()}
        return Run(time, {name: values[..., k] for name, k in p.output.items()}, end)

    def entries(self, dose: Dose, slots: FloatArray) -> list[tuple[str, FloatArray, float]]:
        """State, fraction for each person, and the route's own duration."""
        into = self.program.model.routes[dose.route].into
        known = [dict(zip(self.program.p, column, strict=True)) for column in slots.T]
        fractions = [evaluate([f for _, f, _ in into], values) for values in known]
        overs = [0.0 if over is None else evaluate([over], known[0])[0] for _, _, over in into]
        return [(state, np.array([f[k] for f in fractions]), overs[k]) for k, (state, _, _) in enumerate(into)]


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


def value(name: str, part: str = S) -> float:
    return (Ketamine.params | (R_KETAMINE if part == R else {}))[name].value_


def exposure(time: FloatArray, curve: FloatArray, until: float = np.inf) -> float:
    """Area under the curve; after the end it falls with its last half-life."""
    area = simpson(curve[time <= until], x=time[time <= until])
    if until < time[-1]:
        return float(area)
    rate = np.log(curve[-601] / curve[-1]) / (time[-1] - time[-601])
    return float(area + curve[-1] / rate)


def published(name: str) -> FloatArray:
    return np.atleast_1d(np.asarray(data.record(name).value, float))


# ---- closed forms ---------------------------------------------------------------------------------------------------


def test_bolus_is_the_tri_exponential(bench: Bench) -> None:
    k10, k12, k13 = (value(k) / value("V1") for k in ("CL", "Q2", "Q3"))
    k21, k31 = value("Q2") / value("V2"), value("Q3") / value("V3")
    a2, a1 = k10 + k12 + k13 + k21 + k31, k10 * (k21 + k31) + k12 * k31 + k13 * k21 + k21 * k31
    rates = -np.roots([1.0, a2, a1, k10 * k21 * k31]).real
    expected = np.zeros(len(HOURS))
    for i, rate in enumerate(rates):
        others = np.delete(rates, i)
        share = (k21 - rate) * (k31 - rate) / np.prod(others - rate)
        expected += 1000 * 20.0 / value("V1") * share * np.exp(-rate * HOURS)
    got = bench.run([Dose(f"{S}.iv", 20.0)])[f"{S}.plasma"]
    np.testing.assert_allclose(got[1:], expected[1:], rtol=1e-5, atol=1e-5)


def chain(ka: float) -> FloatArray:
    """Rates between depot, three compartments, two of norketamine and hydroxynorketamine."""
    k = {name: value(name) for name in Ketamine.params}
    out = np.zeros((7, 7))

    def flow(source: int, target: int | None, rate: float) -> None:
        out[source, source] -= rate
        if target is not None:
            out[target, source] += rate

    flow(0, 1, ka)
    flow(1, 2, k["Q2"] / k["V1"])
    flow(2, 1, k["Q2"] / k["V2"])
    flow(1, 3, k["Q3"] / k["V1"])
    flow(3, 1, k["Q3"] / k["V3"])
    flow(1, 4, k["CL"] / k["V1"])
    flow(4, 5, k["Q_NK"] / k["V_NK"])
    flow(5, 4, k["Q_NK"] / k["VP_NK"])
    flow(4, 6, k["FM_HNK"] * k["CL_NK"] / k["V_NK"])
    flow(4, None, (1 - k["FM_HNK"]) * k["CL_NK"] / k["V_NK"])
    flow(6, None, k["CL_HNK"] / k["V_HNK"])
    return out


def concentrations(amounts: FloatArray) -> FloatArray:
    k = {name: value(name) for name in Ketamine.params}
    scale = [1000 / k["V1"], 1000 / k["V_NK"], 1000 / k["V_HNK"] * k["MW_HNK"] / k["MW"]]
    return amounts[:, [1, 4, 6]] * scale


def test_first_order_absorption_and_metabolites_are_the_matrix_exponential(bench: Bench) -> None:
    time = np.array([0.05, 0.2, 0.5, 1.0, 3.0, 8.0, 24.0])
    matrix, start = chain(value("KA_IM")), np.array([value("F_IM") * 20.0, 0, 0, 0, 0, 0, 0])
    expected = concentrations(np.array([expm(matrix * t) @ start for t in time]))
    got = bench.run([Dose(f"{S}.im", 20.0)], time)
    for k, name in enumerate(("plasma", "norketamine", "hydroxynorketamine")):
        np.testing.assert_allclose(got[f"{S}.{name}"], expected[:, k], rtol=1e-5, atol=1e-5)


def test_infusion_is_the_matrix_exponential(bench: Bench) -> None:
    time, over = np.array([0.1, 0.4, 2 / 3, 1.0, 4.0, 24.0]), 2 / 3
    matrix = np.zeros((8, 8))
    matrix[:7, :7] = chain(1.0)
    matrix[1, 7] = 17.5 / over  # a constant eighth state feeds the central compartment
    on = np.append(np.zeros(7), 1.0)
    off = expm(matrix * over) @ on * np.append(np.ones(7), 0.0)
    amounts = [expm(matrix * t) @ on if t <= over else expm(matrix * (t - over)) @ off for t in time]
    got = bench.run([Dose(f"{S}.iv", 17.5, over)], time)
    expected = concentrations(np.array(amounts))
    for k, name in enumerate(("plasma", "norketamine", "hydroxynorketamine")):
        np.testing.assert_allclose(got[f"{S}.{name}"], expected[:, k], rtol=1e-5, atol=1e-5)


# ---- bookkeeping ----------------------------------------------------------------------------------------------------

ROUTES = sorted(Ketamine.routes)


@pytest.mark.parametrize("route", ROUTES)
def test_what_enters_is_in_the_body_or_eliminated(bench: Bench, route: str) -> None:
    dose = Dose(f"{S}.{route}", 28.0, 0.5 if route == "iv" else 0.0)
    entered = 28.0 * sum(float(f[0]) for _, f, _ in bench.entries(dose, np.array(bench.program.defaults)[:, None]))
    got = bench.run([dose])
    hnk = got[f"{S}.hydroxynorketamine"] * value("MW") / value("MW_HNK")
    loss = (1 - value("FM_HNK")) * value("CL_NK") * got[f"{S}.norketamine"] + value("CL_HNK") * hnk
    for at in (6.0, 24.0, 96.0):
        upto = got.time <= at
        lost = simpson(loss[upto], x=got.time[upto]) / 1000
        assert got[f"{S}.amount"][upto][-1] + lost == pytest.approx(entered, rel=2e-4)
    assert got[f"{S}.amount"][-1] < 0.001 * entered


@pytest.mark.parametrize("route", ROUTES)
def test_no_route_makes_drug(bench: Bench, route: str) -> None:
    extreme = np.array([1e-6, 0.5, 1 - 1e-6])
    slots = np.repeat(np.array(bench.program.defaults)[:, None], 3, axis=1)
    for name in ("F_NOSE", "F_ATOM", "F_SL", "F_ORAL"):
        slots[bench.program.slot[f"{S}.{name}"]] = extreme
    fractions = np.array([f for _, f, _ in bench.entries(Dose(f"{S}.{route}", 1.0), slots)])
    assert (fractions >= 0).all()
    assert (fractions.sum(axis=0) <= 1 + 1e-12).all()


def test_twice_the_dose_twice_the_concentration(bench: Bench) -> None:
    one, two = bench.run(devices(1), HOURS[:1440]), bench.run([Dose(f"{S}.nasal_device_first", 56.0)], HOURS[:1440])
    for name in bench.program.outputs:
        np.testing.assert_allclose(two[name], 2 * one[name], rtol=1e-5, atol=1e-7)


def test_no_dose_nothing(bench: Bench) -> None:
    got = bench.run([], [0.0, 24.0, 8760.0])
    assert all((got[name] == 0.0).all() for name in bench.program.outputs)


def test_what_no_dose_reaches_stays_empty(bench: Bench) -> None:
    got = bench.run([Dose(f"{S}.iv", 20.0, 0.5)], [0.0, 6.0])
    empty = {f"{S}.{k}" for k in ("muscle", "skin", "nose", "mouth", "gut", "portal")}
    for name, amount in got.end.items():
        assert (amount == 0.0).all() == (name in empty or name.startswith(R)), name


def test_unbound_is_a_fraction_of_total(bench: Bench) -> None:
    got = bench.run([Dose(f"{S}.iv", 20.0, 0.5)], [0.5, 3.0])
    np.testing.assert_allclose(got[f"{S}.free"], 0.56 * got[f"{S}.plasma"] / 237.73)
    np.testing.assert_allclose(got[f"{S}.norketamine_free"], 0.56 * got[f"{S}.norketamine"] / 223.70)
    np.testing.assert_allclose(got[f"{S}.hydroxynorketamine_free"], 0.56 * got[f"{S}.hydroxynorketamine"] / 239.70)


# ---- availability, body, spread -------------------------------------------------------------------------------------

AVAILABLE = {
    "im": 0.95,
    "sc": 0.95,
    "nasal_device_first": 0.54 + 0.46 * 0.186,
    "nasal_device_later": 0.54 * 0.62 + (1 - 0.54 * 0.62) * 0.186,
    "nasal_atomiser": 0.13,
    "sublingual": 0.29,
    "oral": 0.15,
}


@pytest.mark.parametrize("route", AVAILABLE)
def test_exposure_over_intravenous_exposure_is_availability(bench: Bench, route: str) -> None:
    vein, other = bench.run([Dose(f"{S}.iv", 28.0, 0.5)]), bench.run([Dose(f"{S}.{route}", 28.0)])
    ratio = exposure(HOURS, other[f"{S}.plasma"]) / exposure(HOURS, vein[f"{S}.plasma"])
    assert ratio == pytest.approx(AVAILABLE[route], rel=2e-3)


@pytest.mark.parametrize(("count", "total"), [(1, 0.626), (2, 0.54), (3, 0.51)])
def test_availability_of_a_session_with_several_devices(bench: Bench, count: int, total: float) -> None:
    got = exposure(HOURS, bench.run(devices(count))[f"{S}.plasma"]) * value("CL") / (28000 * count)
    assert got == pytest.approx(total, abs=0.006)  # 54 and 51 % are the paper's own totals


def test_enantiomers_differ_in_clearance(bench: Bench) -> None:
    got = bench.run(racemate("iv", 35.0, 2 / 3))
    s, r = (exposure(HOURS, got[f"{part}.plasma"]) for part in (S, R))
    assert r / s == pytest.approx(1.06, rel=2e-3)
    ratio = {part: exposure(HOURS, got[f"{part}.hydroxynorketamine"]) for part in (S, R)}
    expected = published("hasan2021.HNK_R") / published("hasan2021.HNK_S")
    assert (ratio[R] / r) / (ratio[S] / s) == pytest.approx(float(expected[0]), rel=5e-3)


def test_weight(bench: Bench) -> None:
    weight = [50.0, 70.0, 110.0]
    got = bench.run([Dose(f"{S}.iv", 20.0, 2 / 3)], ketamine_s__weight=weight)[f"{S}.plasma"]
    areas = [exposure(HOURS, curve) for curve in got]
    assert got.max(axis=1).tolist() == sorted(got.max(axis=1), reverse=True)
    np.testing.assert_allclose(areas, 20000 / (95.2 * (np.array(weight) / 70) ** 0.75), rtol=3e-3)


def test_age_acts_beyond_sixty_as_published(bench: Bench) -> None:
    """Age 70 raises exposure after a spray by 8-9 %, its peak by 2 %."""
    for count, young, old in zip(
        (1, 2, 3), published("observed.device.exposure"), published("observed.device.exposure_old"), strict=True
    ):
        got = bench.run(devices(count), ketamine_s__age=[30.0, 60.0, 70.0])[f"{S}.plasma"]
        area = [exposure(HOURS, curve, until=24.0) for curve in got]
        assert area[0] == pytest.approx(area[1], rel=1e-9)
        assert area[2] / area[1] == pytest.approx(old / young, rel=0.02)
        assert got[2].max() / got[1].max() == pytest.approx(1.02, abs=0.02)


def test_people_differ_as_published(bench: Bench) -> None:
    """Steady concentration varies as clearance (16.2 %), the first concentration after a bolus as volume (29.6 %)."""
    n = 1500
    drawn = {
        f"{S}__{name}": value(name) * np.exp(spread.size * streams.normal(1, 0, range(n), f"eta/{name}")[:, 0])
        for name in ("CL", "V1")
        if (spread := Ketamine.params[name].spread)
    }
    steady = bench.run([Dose(f"{S}.iv", 9600.0, 400.0)], [400.0], **drawn)[f"{S}.plasma"][:, 0]
    first = bench.run([Dose(f"{S}.iv", 20.0)], [1e-6], **drawn)[f"{S}.plasma"][:, 0]
    assert steady.std() / steady.mean() == pytest.approx(0.162, abs=0.012)
    assert first.std() / first.mean() == pytest.approx(0.296, abs=0.025)


# ---- evidence -------------------------------------------------------------------------------------------------------

PLACED = [(S, name) for name in Ketamine.params] + [(R, name) for name in R_KETAMINE]


@pytest.mark.parametrize(("part", "name"), PLACED)
def test_values_are_those_of_their_records(part: str, name: str) -> None:
    param = (Ketamine.params | (R_KETAMINE if part == R else {}))[name]
    if param.source == "assumed":
        assert param.spread is None
        return
    record = data.record(param.source)
    assert isinstance(record.value, float)
    assert param.unit is not None
    assert param.value_ == pytest.approx(record.value * Unit.parse(record.unit).factor_to(param.unit), rel=1e-9)


def test_assumed_numbers_are_few_and_listed() -> None:
    assumed = {name for name, p in Ketamine.params.items() if p.source == "assumed"}
    assert assumed == {"F_IM", "KA_IM", "F_SC", "KA_SC", "FU_NK", "FU_HNK"}


def test_spreads_are_those_of_their_records() -> None:
    """Log-normal spreads are in the record; those of fractions are brought to the logit scale."""
    logit = {
        "F_NOSE": published("perezruixo2021.F_NOSE_sd")[0],
        "F_ATOM": published("perezruixo2021.F_NOSE_sd")[0],  # none published: as the device
        "F_SL": 0.060**0.5 / (1 - 0.29),  # of a film, between occasions
        "F_ORAL": 0.08 / (0.15 * 0.85),
    }
    for name, param in Ketamine.params.items():
        if param.spread is None:
            continue
        if param.spread.kind == "logitnormal":
            assert param.spread.size == pytest.approx(logit[name], rel=5e-3), name
            continue
        published_spread = data.record(param.source).spread
        assert published_spread is not None, name
        assert isinstance(published_spread.value, float)
        size = published_spread.value**0.5
        if published_spread.kind == "cv":
            size = np.log(1 + published_spread.value**2) ** 0.5
        assert param.spread.size == pytest.approx(size, rel=5e-3), name
    for name, param in R_KETAMINE.items():
        assert param.spread is not None
        assert param.spread.size == pytest.approx(Ketamine.params[name].spread.size, rel=0.05)  # type: ignore[union-attr]


def test_derived_numbers_follow_from_their_records() -> None:
    v = {name: float(published(name)[0]) for name in data.parameter_records() if np.ndim(data.record(name).value) == 0}
    assert v["derived.CL_R"] == pytest.approx(v["otto2021.CL"] * v["hasan2021.CL_R"] / v["hasan2021.CL_S"], rel=2e-3)
    scaled = 55.98 * v["derived.CL_R"] / v["otto2021.CL"] * v["hasan2021.HNK_S"] / v["hasan2021.HNK_R"]
    assert v["derived.CL_HNK_R"] == pytest.approx(scaled, rel=2e-3)
    in_all = v["fanta2015.NK_ratio"] * v["fanta2015.F_ORAL"] * v["otto2021.CL_NK"] / v["otto2021.CL"]
    share = (in_all - v["fanta2015.F_ORAL"]) / (1 - v["fanta2015.F_ORAL"])
    assert v["derived.FM_PORTAL"] == pytest.approx(share, rel=5e-3)
    assert v["derived.CL_INT"] == pytest.approx(101 * (1.11 + 2.77), rel=1e-3)
    masses = {"C": 12.011, "H": 1.008, "Cl": 35.45, "N": 14.007, "O": 15.999}
    for name, formula in {"MW": (13, 16, 1), "MW_NK": (12, 14, 1), "MW_HNK": (12, 14, 2)}.items():
        c, h, o = formula
        mass = c * masses["C"] + h * masses["H"] + masses["Cl"] + masses["N"] + o * masses["O"]
        assert v[f"derived.{name}"] == pytest.approx(mass, abs=0.01)


# ---- published concentrations ---------------------------------------------------------------------------------------


def within(got: ArrayLike, record: str, factor: float) -> None:
    """`got` lies within a factor (1.35: from 26 % below to 35 % above) of a published figure."""
    ratio = np.asarray(got) / published(record)
    assert (ratio < factor).all(), ratio
    assert (ratio > 1 / factor).all(), ratio


def test_infusion_of_depression_trials(bench: Bench) -> None:
    got = bench.run(racemate("iv", 35.0, 2 / 3)).total("plasma")
    within(got.max(), "observed.iv40.peak_zarate", 1.25)
    within(got.max(), "observed.iv40.peak_lenze", 1.05)
    minutes = np.array([20, 40, 80, 110, 230, 360, 1440])
    within(got[minutes], "observed.iv40.series", 1.09)  # S values for both; here R is cleared more slowly
    assert got[24 * 60] < 0.01 * got.max()


def test_infusion_of_four_days(bench: Bench) -> None:
    got = bench.run(racemate("iv", 0.6 * 70 * 96, 96.0), [95.9]).total("plasma")
    within(got, "observed.iv96h.mean_lenze", 1.2)


def test_small_infusion(bench: Bench) -> None:
    got = bench.run(racemate("iv", 5.0, 0.5))
    within([got[f"{part}.plasma"].max() for part in (S, R)], "observed.iv5mg.peak_hasan", 1.35)


def test_nasal_device(bench: Bench) -> None:
    """Peaks come out 29-32 %, exposures 21 % above the model of the device, whose clearance is 109 L/h, not 95.2."""
    got = [bench.run(devices(k)) for k in (1, 2, 3)]
    within([g[f"{S}.plasma"].max() for g in got], "observed.device.peak", 1.35)
    within([exposure(HOURS, g[f"{S}.plasma"], until=24.0) for g in got], "observed.device.exposure", 1.25)
    within([g[f"{S}.norketamine"].max() for g in got], "observed.device.nk_peak", 1.25)
    within([exposure(HOURS, g[f"{S}.norketamine"], until=24.0) for g in got], "observed.device.nk_exposure", 1.65)


def test_peak_of_a_wafer_comes_when_it_was_seen(bench: Bench) -> None:
    got = bench.run(racemate("sublingual", 25.0)).total("plasma")
    assert HOURS[got.argmax()] == pytest.approx(published("observed.wafer.tmax")[0], abs=0.25)


def test_atomiser_exposure(bench: Bench) -> None:
    got = [bench.run(racemate("nasal_atomiser", mg)).total("plasma") for mg in (10.0, 30.0, 50.0)]
    within([exposure(HOURS, g) for g in got], "observed.atomiser.exposure", 1.4)


def test_swallowed_ketamine_is_mostly_norketamine(bench: Bench) -> None:
    got = bench.run(racemate("oral", 60.0))
    parent, metabolite = exposure(HOURS, got.total("plasma")), exposure(HOURS, got.total("norketamine"))
    within(metabolite / (parent + metabolite), "observed.oral.nk_share", 1.1)


@pytest.mark.xfail(
    strict=True, reason="a venous three-compartment disposition spreads the peak: 13.7, not 61 ng/mL at 30 mg"
)
def test_atomiser_peak(bench: Bench) -> None:
    got = [bench.run(racemate("nasal_atomiser", mg), HOURS[:240]).total("plasma").max() for mg in (10.0, 30.0, 50.0)]
    within(got, "observed.atomiser.peak", 1.5)


@pytest.mark.xfail(
    strict=True, reason="16, not 45 ng/mL: the published peak is the whole available dose in the central volume"
)
def test_oral_peak(bench: Bench) -> None:
    within(bench.run(racemate("oral", 35.0), HOURS[:360]).total("plasma").max(), "observed.oral.peak", 1.5)
