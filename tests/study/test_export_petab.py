"""The PEtab problem: valid by PEtab's own linter, and the same objective from the files alone as from our engine."""

import logging
import math

import numpy as np
import pandas as pd
import pytest
import yaml

from afterglow.study import export_petab
from afterglow.study.export_petab import CentralProblem, petab_id

pytest.importorskip("petab")
pytest.importorskip("libsbml")

pytestmark = pytest.mark.xdist_group("petab")


@pytest.fixture(scope="module")
def problem():
    return CentralProblem()


@pytest.fixture(scope="module")
def folder(problem, tmp_path_factory):
    place = tmp_path_factory.mktemp("petab")
    for name, table in export_petab.tables(problem).items():
        table.to_csv(place / f"{name}.tsv", sep="\t", index=False)
    (place / "model.xml").write_text(export_petab.model(problem), encoding="utf-8")
    (place / "problem.yaml").write_text(yaml.safe_dump(export_petab.PROBLEM), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def read(folder):
    from petab.v1 import Problem

    return Problem.from_yaml(str(folder / "problem.yaml"))


def moved_point(problem):
    """A point away from the nominal one in every number."""
    rng = np.random.default_rng(3)
    return {
        one.name: problem.nominal[one.name] * math.exp(0.2 * one.sd * rng.normal()) if one.log
        else 1.2 * problem.nominal[one.name] if one.name.startswith("tau") else rng.normal()
        for one in problem.numbers
    }  # fmt: skip


def log_prior(read, values):
    """By PEtab's own priors, as densities on the scale of each parameter."""
    from petab.v1.priors import Prior

    total = 0.0
    for name, row in read.parameter_df.iterrows():
        prior = Prior.from_par_dict({**row.to_dict(), "parameterId": name}, type_="objective")
        x = math.log(values[name]) if row.parameterScale == "log" else values[name]
        total += math.log(prior.pdf(x, x_scaled=True, rescale=True))
    return total


def simulated(folder, read, values, conditions):
    """PEtab's table of simulations: the SBML file solved by SciPy, observables by PEtab's own formulas."""
    from petab.v1.math import sympify_petab

    from sbml_in_scipy import Reader

    sheet, rows = Reader(folder / "model.xml"), []
    formulas = {k: sympify_petab(f) for k, f in read.observable_df.observableFormula.items()}
    wanted = sorted({str(s) for f in formulas.values() for s in f.free_symbols if str(s) not in values})
    for condition in conditions:
        part = read.measurement_df[read.measurement_df.simulationConditionId == condition]
        own = read.condition_df.loc[condition].drop("conditionName").to_dict()
        changed = {k: v for k, v in values.items() if k in sheet.values}
        changed |= {k: float(values[v] if isinstance(v, str) else v) for k, v in own.items()}
        fixed = [n for n in wanted if n in changed]
        times = sorted({0.0, *part.time})
        seen = pd.DataFrame(
            sheet.simulate(times, [n for n in wanted if n not in fixed], changed),
            index=times, columns=[n for n in wanted if n not in fixed],
        )  # fmt: skip
        for _, row in part.iterrows():
            here = {**values, **{n: changed[n] for n in fixed}, **seen.loc[row.time].to_dict()}
            formula = formulas[row.observableId]
            value = formula.subs({s: here[str(s)] for s in formula.free_symbols})
            rows.append({**row.drop("measurement"), "simulation": float(value)})
    return pd.DataFrame(rows)


def log_likelihood(read, simulation, values, conditions):
    from petab.v1.calculate import calculate_llh

    measured = read.measurement_df[read.measurement_df.simulationConditionId.isin(conditions)].reset_index(drop=True)
    parameters = read.parameter_df.assign(nominalValue=pd.Series(values))
    return float(calculate_llh(measured, simulation, read.observable_df, parameters))


def test_petabs_own_linter_finds_nothing(read, caplog):
    from petab.v1.lint import lint_problem

    with caplog.at_level(logging.WARNING):
        assert not lint_problem(read)
    told = {record.getMessage() for record in caplog.records}
    assert told <= {"Visualization table not available. Skipping."}  # it is optional


def test_the_linter_would_find_something(read):
    from copy import deepcopy

    from petab.v1.lint import lint_problem

    wrong = deepcopy(read)
    wrong.parameter_df = wrong.parameter_df.drop(index="tau_e")
    assert lint_problem(wrong)


@pytest.mark.parametrize("where", ["posterior mean", "elsewhere"])
def test_priors_of_the_files_are_ours(problem, read, where):
    point = problem.nominal if where == "posterior mean" else moved_point(problem)
    values = {petab_id(k): v for k, v in point.items()}
    assert log_prior(read, values) == pytest.approx(problem.log_prior(point), abs=1e-6)


def test_nominal_values_are_those_of_the_posterior_mean(problem, read):
    assert read.parameter_df.nominalValue.to_dict() == pytest.approx(
        {petab_id(k): v for k, v in problem.nominal.items()}
    )


@pytest.mark.parametrize("where", ["posterior mean", "elsewhere"])
def test_arms_of_the_files_are_our_typical_people(problem, folder, read, where):
    """Two arms of three; the slow test has all."""
    point = problem.nominal if where == "posterior mean" else moved_point(problem)
    chosen = ["arketamine_leal2021__arket", "daly2018__placebo", "correia_melo2020__ket05"]
    found = simulated(folder, read, {petab_id(k): v for k, v in point.items()}, chosen)
    ours = [p for r, p in zip(problem.rows, problem.predictions(point), strict=True) if r.condition in chosen]
    assert sorted(found.simulation) == pytest.approx(sorted(ours), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["posterior mean", "elsewhere"])
def test_the_objective_of_the_files_alone_is_ours(problem, folder, read, where):
    point = problem.nominal if where == "posterior mean" else moved_point(problem)
    values = {petab_id(k): v for k, v in point.items()}
    conditions = list(dict.fromkeys(r.condition for r in problem.rows))
    likelihood = log_likelihood(read, simulated(folder, read, values, conditions), values, conditions)
    total = likelihood + log_prior(read, values)
    assert total == pytest.approx(problem.log_likelihood(point) + problem.log_prior(point), abs=1e-6)
    assert likelihood == pytest.approx(problem.log_likelihood(point), abs=1e-6)


def test_the_file_has_no_errors_and_its_units_agree(folder):
    import libsbml

    document = libsbml.readSBMLFromFile(str(folder / "model.xml"))
    document.checkConsistency()
    assert document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
    assert document.getNumErrors(libsbml.LIBSBML_SEV_WARNING) == 0


def test_every_row_is_a_published_mean_of_a_whole_arm(problem):
    assert {r.of.outcome.measure for r in problem.rows} == {"mean", "change"}
    assert all(r.of.role == "fit" and not r.of.outcome.among for r in problem.rows)
