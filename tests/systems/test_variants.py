"""Rival mechanisms: each is there, runs, and does what its name says."""

import numpy as np
import pytest

from afterglow.clinic.course import parse_course
from afterglow.compiled import compiled
from afterglow.errors import InputError
from afterglow.simulate import simulate_course
from afterglow.systems.variants import VARIANTS
from afterglow.systems.whole import whole

OUTPUTS = ("mood.drug_part", "synapses.fast", "synapses.spines", "belief.negative_belief", "glutamate.level")
DESIGNED = {
    "disinhibition", "direct-trkb", "metabolite", "no-mtor", "rapamycin", "opioid-gated", "equal-enantiomers",
    "ki-weighted", "r-weighted", "no-belief", "no-spines", "inert",
}  # fmt: skip


def infusion(drug="ketamine", dose="0.5 mg/kg"):
    name = f"one-{drug}"
    doses = [{"drug": drug, "route": "iv", "over": "40 min", "dose": dose, "days": [1]}]
    return parse_course({"course": name, "doses": doses}, name)


_RUNS = {}


def after(variant=None, time_h=24.0, drug="ketamine", dose="0.5 mg/kg"):
    """Mean outputs at a time after one infusion, by name."""
    key = variant, drug
    if key not in _RUNS:
        _RUNS[key] = simulate_course(infusion(drug, dose), patients=64, weeks=2, variant=variant, outputs=OUTPUTS)
    run = _RUNS[key]
    at = int(np.abs(run.time_h - time_h).argmin())
    return {name: float(run.values[name][:, at].mean()) for name in OUTPUTS}


def enantiomer(drug, variant):
    return after(variant, drug=drug, dose="0.25 mg/kg")["mood.drug_part"]


def test_every_designed_variant_exists_and_says_what_it_is():
    assert set(VARIANTS) == DESIGNED
    for name, variant in VARIANTS.items():
        assert variant.meaning, name


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_sets_parameters_of_the_model_inside_their_bounds(name):
    params = compiled().program.model.params
    for parameter, value in VARIANTS[name].values.items():
        low, high = params[parameter].bounds
        assert low <= value <= high, parameter


@pytest.mark.parametrize("name", sorted(DESIGNED - {"disinhibition"}))
def test_a_variant_does_something(name):
    assert abs(after(name, 168.0)["mood.drug_part"] - after(None, 168.0)["mood.drug_part"]) > 1e-3


def test_disinhibition_is_another_name_of_the_base_model():
    assert VARIANTS["disinhibition"].values == {}
    assert after("disinhibition") == after()


@pytest.mark.parametrize("name", ["direct-trkb", "metabolite"])
def test_a_rival_trigger_works_without_the_surge(name):
    assert after(name, 1.0)["glutamate.level"] == 1
    assert after()["glutamate.level"] == pytest.approx(1, abs=0.01)  # gone in a day
    assert after(None, 1.0)["glutamate.level"] > 1.01
    assert after(name)["mood.drug_part"] > 0.05


def test_without_mtor_no_spines_form_and_the_fast_gain_is_untouched():
    assert after("no-mtor")["synapses.spines"] <= after("no-mtor", 0.0)["synapses.spines"] + 1e-3
    assert after("no-mtor")["synapses.fast"] == pytest.approx(after()["synapses.fast"], rel=1e-4)


def test_under_rapamycin_no_spines_form_and_the_fast_gain_lasts():
    assert after("rapamycin")["synapses.spines"] <= after("rapamycin", 0.0)["synapses.spines"] + 1e-3
    assert after("rapamycin", 336.0)["synapses.fast"] > 1.5 * after("no-mtor", 336.0)["synapses.fast"]


def test_without_spines_none_form():
    assert after("no-spines")["synapses.spines"] <= after("no-spines", 0.0)["synapses.spines"] + 1e-3
    assert after()["synapses.spines"] > after(None, 0.0)["synapses.spines"] + 1e-2


def test_without_belief_it_does_not_learn():
    assert after("no-belief", 168.0)["belief.negative_belief"] == 1
    assert after(None, 168.0)["belief.negative_belief"] < 0.999


def test_an_opioid_gate_weakens_what_it_gates():
    for name in ("synapses.fast", "mood.drug_part"):
        assert 0 < after("opioid-gated")[name] < after()[name]


def test_an_inert_drug_lifts_nothing():
    assert after("inert")["mood.drug_part"] == 0


def test_enantiomers_are_ranked_as_the_variants_say():
    """The same mg of each alone, by vein."""
    ratio = {v: enantiomer("arketamine", v) / enantiomer("esketamine", v) for v in ("ki-weighted", "r-weighted")}
    ratio["equal"] = enantiomer("arketamine", "equal-enantiomers") / enantiomer("esketamine", "equal-enantiomers")
    assert ratio["ki-weighted"] < 0.8 < ratio["equal"] < 1.25 < ratio["r-weighted"]


def test_an_unknown_variant_is_refused():
    with pytest.raises(InputError, match="is not a variant"):
        whole("disinhibitoin")
