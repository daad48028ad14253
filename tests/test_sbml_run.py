"""Models of others do what their equations say: closed forms, in the manner of the SBML semantic test suite."""

import numpy as np
import pytest
from scipy.special import lambertw

from afterglow.errors import InputError
from afterglow.event_run import EventModel
from afterglow.sbml_run import SbmlModel
from sbml_models import sbml_model, text_of

T = np.array([0.0, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
A0 = {"A": {"concentration": 3.0}}


def ran(times=T, values=None, change=None, **parts):
    document = sbml_model(**parts)
    if change is not None:
        change(document.getModel())
    return SbmlModel.of_text(text_of(document), rtol=1e-10).run(times, values)


def close(seen, expected):
    return np.asarray(seen) == pytest.approx(np.broadcast_to(np.asarray(expected), np.shape(seen)), rel=2e-8, abs=1e-9)


# ---- reactions


def test_decay_of_first_order():
    frame = ran(species=A0, parameters={"k": 0.7}, reactions={"r": ("A ->", "k * A * c")})
    assert close(frame["A"], 3 * np.exp(-0.7 * T))
    assert close(frame["r"], 0.7 * frame["A"])


def test_a_reversible_reaction_settles():
    two = {"A": {"amount": 5.0}, "B": {"amount": 1.0}}
    frame = ran(species=two, parameters={"f": 0.4, "b": 0.1}, reactions={"r": ("A -> B", "c * (f * A - b * B)")})
    assert close(frame["A"], 6 * 0.2 + (5 - 6 * 0.2) * np.exp(-0.5 * T))
    assert close(frame["A"] + frame["B"], 6.0)


def test_stoichiometry_counts():
    two = {"A": {"concentration": 1.0}, "B": {"concentration": 0.0}}
    frame = ran(species=two, parameters={"k": 0.3}, reactions={"r": ("2 A -> 3 B", "k * A * A * c")})
    assert close(frame["A"], 1 / (1 + 2 * 0.3 * T))
    assert close(frame["B"], 1.5 * (1 - frame["A"]))


def test_michaelis_and_menten_follow_the_w_function_of_lambert():
    two = {"S": {"concentration": 4.0}, "P": {"concentration": 0.0}}
    law = "c * Vmax * S / (Km + S)"
    frame = ran(species=two, parameters={"Vmax": 1.1, "Km": 0.6}, reactions={"r": ("S -> P", law)})
    assert close(frame["S"], 0.6 * lambertw(4 / 0.6 * np.exp((4 - 1.1 * T) / 0.6)).real)


def test_local_parameters_hide_global_ones():
    local = {"r": {"k": 2.0}}
    frame = ran(species=A0, parameters={"k": 0.1}, local=local, reactions={"r": ("A ->", "k * A * c")})
    assert close(frame["A"], 3 * np.exp(-2 * T))


def test_functions_are_written_out():
    functions = {"mass": "lambda(rate, x, rate * x)"}
    frame = ran(species=A0, parameters={"k": 0.7}, functions=functions, reactions={"r": ("A ->", "mass(k, A) * c")})
    assert close(frame["A"], 3 * np.exp(-0.7 * T))


# ---- amounts, concentrations, vessels


def test_concentrations_change_by_the_size_of_their_vessels():
    two = {"A": {"concentration": 2.0, "vessel": "big"}, "B": {"concentration": 0.0, "vessel": "small"}}
    vessels = {"big": 10.0, "small": 0.5}
    frame = ran(compartments=vessels, species=two, parameters={"k": 0.2}, reactions={"r": ("A -> B", "k * A * big")})
    assert close(frame["A"], 2 * np.exp(-0.2 * T))
    assert close(frame["B"], (2 - frame["A"]) * 10 / 0.5)


def test_a_species_in_amounts_does_not():
    one = {"A": {"concentration": 2.0, "in_amounts": True}}
    frame = ran(compartments={"c": 4.0}, species=one, parameters={"k": 0.2}, reactions={"r": ("A ->", "k * A")})
    assert close(frame["A"], 8 * np.exp(-0.2 * T))


def test_a_growing_vessel_dilutes():
    frame = ran(compartments={"c": 2.0}, species=A0, rates={"c": "0.5"})
    assert close(frame["A"], 6 / (2 + 0.5 * T))


def test_a_rate_rule_for_a_concentration_in_a_growing_vessel():
    frame = ran(compartments={"c": 2.0}, species=A0, rates={"c": "0.5 * c", "A": "-0.3 * A"})
    assert close(frame["A"], 3 * np.exp(-0.3 * T))


def test_a_boundary_species_drives_and_is_not_used_up():
    two = {"A": {"concentration": 2.0, "boundary": True}, "B": {"concentration": 0.0}}
    frame = ran(species=two, parameters={"k": 0.25}, reactions={"r": ("A -> B", "k * A * c")})
    assert close(frame["B"], 0.5 * T)


def test_a_conversion_factor_scales_the_species():
    def convert(m):
        m.setConversionFactor("per")

    parts = {"species": A0, "parameters": {"k": 0.5, "per": 3.0}, "reactions": {"r": ("A ->", "k * A * c")}}
    assert close(ran(change=convert, **parts)["A"], 3 * np.exp(-1.5 * T))


# ---- rules and starts


def test_rate_rules():
    frame = ran(parameters={"x": 1.0, "v": 0.0, "w": 2.0}, rates={"x": "v", "v": "-w^2 * x"})
    assert close(frame["x"], np.cos(2 * T))


def test_assignment_rules_hold_at_all_times_and_in_any_order():
    rules = {"twice": "2 * once", "once": "A + 1"}
    values = {"twice": None, "once": None, "k": 0.7}
    frame = ran(species=A0, parameters=values, rules=rules, reactions={"r": ("A ->", "k * A * c")})
    assert close(frame["twice"], 2 * (3 * np.exp(-0.7 * T) + 1))


def test_initial_assignments_follow_from_other_values():
    parts = {
        "species": A0, "parameters": {"k": None, "half": 2.0}, "initial": {"k": "ln(2) / half", "A": "4 * half"},
        "reactions": {"r": ("A ->", "k * A * c")},
    }  # fmt: skip
    assert close(ran(**parts)["A"], 8 * 2 ** (-T / 2))
    assert close(ran(values={"half": 1.0}, **parts)["A"], 4 * 2**-T)


def test_time_itself_is_known():
    assert close(ran(parameters={"x": 1.0}, rates={"x": "-time * x"})["x"], np.exp(-(T**2) / 2))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("abs(x - 3) + max(1, x, 2) + min(x, -1)", 2 + 2 - 1),
        ("root(3, 8) + log10(1000) + ln(exponentiale) + sqrt(x)", 2 + 3 + 1 + 1),
        ("sinh(x)^2 - cosh(x)^2", -1),
        ("piecewise(10, x > 1, 20, x == 1, 30)", 20),
        ("piecewise(1, x < 0.5 || !(x >= 1), 2, (x <= 1) && (x != 2), 3)", 2),
        ("pi + avogadro * 0", np.pi),
    ],
)
def test_functions_have_their_meaning(text, expected):
    assert close(ran(parameters={"x": 1.0, "y": None}, rates={"x": "0"}, rules={"y": text})["y"], expected)


# ---- things that happen


@pytest.mark.parametrize("trigger", ["time >= 2", "2 <= time", "time > onset", "time >= onset"])
def test_an_event_resets(trigger):
    frame = ran(
        species=A0, parameters={"k": 0.7, "onset": 2.0}, reactions={"r": ("A ->", "k * A * c")},
        events=[(trigger, {"A": "5"})],
    )  # fmt: skip
    assert close(frame["A"], np.where(T < 2, 3 * np.exp(-0.7 * T), 5 * np.exp(-0.7 * (T - 2))))


def test_events_read_the_state_of_their_moment():
    frame = ran(
        compartments={"c": 2.0}, species=A0, parameters={"k": 0.7}, reactions={"r": ("A ->", "k * A * c")},
        events=[("time >= 1", {"A": "A + 2", "k": "2 * k"}), ("time >= 3", {"k": "0"})],
    )  # fmt: skip
    after = 3 * np.exp(-0.7) + 2
    later = after * np.exp(-1.4 * (np.minimum(T, 3) - 1))
    assert close(frame["A"], np.where(T < 1, 3 * np.exp(-0.7 * T), later))


def test_events_of_one_time_read_what_was_before_both():
    frame = ran(parameters={"x": 1.0, "y": 2.0}, events=[("time >= 1", {"x": "y"}), ("time >= 1", {"y": "x"})])
    assert close(frame["x"], np.where(T < 1, 1, 2))
    assert close(frame["y"], np.where(T < 1, 2, 1))


def test_a_vessel_that_is_made_larger_dilutes_at_once():
    frame = ran(species=A0, events=[("time >= 1", {"c": "3"})])
    assert close(frame["A"], np.where(T < 1, 3, 1))


def test_an_event_at_the_start():
    parts = {"parameters": {"x": 1.0}, "events": [("time >= 0", {"x": "7"})]}
    assert close(ran(**parts)["x"], 7)


def test_an_event_that_holds_already_does_not_happen():
    def already(m):
        m.getEvent(0).getTrigger().setInitialValue(True)

    assert close(ran(change=already, parameters={"x": 1.0}, events=[("time >= 0", {"x": "7"})])["x"], 1)


def test_an_input_that_is_switched_by_time():
    """An infusion written as a piecewise, however short."""
    rate = "piecewise(1000, (time >= 2) && (time < 2.001), 0) - 0.5 * x"
    frame = ran(parameters={"x": 0.0}, rates={"x": rate})
    top = 1000 / 0.5 * (1 - np.exp(-0.5 * 0.001))
    expected = np.where(T > 2, top * np.exp(-0.5 * (T - 2.001)), 0)
    assert close(frame["x"], expected)


@pytest.mark.parametrize("text", ["time >= 2", "2 < time", "time < 2", "2 >= time"])
def test_at_the_very_time_of_a_switch_it_is_switched(text):
    frame = ran([1.0, 2.0, 3.0], parameters={"y": None}, rules={"y": f"piecewise(1, {text}, 0)"})
    later = text in ("time >= 2", "2 < time")
    assert frame["y"].tolist() == ([0, 1, 1] if later else [1, 0, 0])


def test_what_is_past_at_the_start_is_switched_and_a_run_may_end_there():
    frame = ran([0.0], parameters={"y": None, "early": -1.0}, rules={"y": "piecewise(1, time > early, 0)"})
    assert frame["y"].tolist() == [1.0]


# ---- use


def test_level_2_is_read_too():
    parts = {"species": A0, "parameters": {"k": 0.7}, "reactions": {"r": ("A ->", "k * A * c")}}
    assert close(ran(version=(2, 4), **parts)["A"], 3 * np.exp(-0.7 * T))


def test_values_may_be_replaced_and_wrong_ones_are_named():
    document = text_of(sbml_model(species=A0, parameters={"k": 0.7}, reactions={"r": ("A ->", "k * A * c")}))
    model = SbmlModel.of_text(document)
    assert close(model.run([1.0], {"A": 1.0, "k": 2.0})["A"], np.exp(-2.0))
    with pytest.raises(InputError, match=r"kk(.|\n)*B"):
        model.run([1.0], {"kk": 1.0, "B": 2.0})
    for times in ([], [2.0, 1.0], [-1.0]):
        with pytest.raises(InputError, match="times"):
            model.run(times)


def test_an_imported_model_takes_event_tables(tmp_path):
    """Doses into its states, at once or over time, where the file has no events of its own."""
    path, table = tmp_path / "m.xml", tmp_path / "doses.csv"
    path.write_text(text_of(sbml_model(species=A0, parameters={"k": 0.7}, reactions={"r": ("A ->", "k * A * c")})))
    table.write_text("ID,TIME,EVID,CMT,AMT,RATE\n1,0,0,A,.,.\n1,1,1,A,2,0\n1,1,1,A,3,3\n1,3,0,A,.,.\n")
    frame = EventModel.of_sbml(path).run(table).frame
    infused = 3 / 0.7 * (1 - np.exp(-0.7)) * np.exp(-0.7)
    assert frame["A"].iloc[3] == pytest.approx(3 * np.exp(-2.1) + 2 * np.exp(-1.4) + infused, rel=1e-6)
    path.write_text(text_of(sbml_model(species=A0, events=[("time >= 1", {"A": "0"})])))
    with pytest.raises(InputError, match="events or switches"):
        EventModel.of_sbml(path)
