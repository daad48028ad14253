"""The engines that are compared, all with the same two calls: `build` once, `run` for the first so many patients.

Each has a ladder of settings, from loose to tight; `bench/run.py` takes the fastest that is accurate enough.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from models import Case, Lean, lean

from afterglow.compile.numpy_code import FloatArray, numpy_function, numpy_source
from afterglow.compile.sbml import identifier, sbml
from afterglow.engine.actions import ADD_SLOT, ADD_STATE, SET_SLOT
from afterglow.engine.judge import SAME_TIME, judge
from afterglow.machine import Machine

Setting = tuple[float, float]  # relative tolerance; absolute tolerance over the size of a state
THREADS = os.cpu_count() or 1


class Afterglow:
    """The batch engine."""

    name, needs = "afterglow", None
    ladder: Sequence[Setting] = tuple((r, r) for r in (1e-3, 5e-4, 2e-4, 1e-4, 5e-5, 2e-5, 1e-5, 1e-6))

    def __init__(self, case: Case, count: int, first: int = 0) -> None:
        self.case, self.slots, self.actions, self.first = case, case.people(count, first), case.actions(count), first

    def build(self) -> None:
        """Machine code of what the course moves, from the cache where it is there."""
        self.engine = Machine(self.case.model, 1e-4, 1)
        self.engine.part(self.engine.moved(self.actions, self.slots))

    def run(self, setting: Setting, count: int, threads: int = 1) -> FloatArray:
        """The output [patients, times]."""
        if (self.engine.rtol, self.engine.threads) != (setting[0], threads):
            self.engine = Machine(self.case.model, setting[0], threads)
        wanted = [self.case.model.output[self.case.output]]
        actions = self.actions if count == self.slots.shape[1] else self.case.actions(count)
        result = self.engine.run(self.slots[:, :count], actions, self.case.times, wanted)
        if result.status.any():
            raise RuntimeError(str(result.failures(range(self.first, self.first + count))[0]))
        return result.values[:, :, 0]


class Scipy:
    """SciPy, one patient at a time, with the equations as a NumPy function."""

    name, needs, method, with_jacobian = "scipy-lsoda", None, "LSODA", False
    ladder: Sequence[Setting] = ((1e-3, 1e-3), (1e-4, 1e-4), (1e-5, 1e-5), (1e-6, 1e-6))

    def __init__(self, case: Case, count: int, first: int = 0) -> None:
        assert first == 0
        self.case, self.lean = case, lean(case, count)

    def build(self) -> None:
        """NumPy functions of the equations."""
        m = self.lean.model
        self.rhs, self.values = (numpy_function(x, m.y, m.p) for x in (m.rhs, m.values))
        if self.with_jacobian:
            self.entries = numpy_function(list(m.jacobian.values()), m.y, m.p)
            self.places = tuple(np.array(list(m.jacobian)).T)

    def jacobian(self, y: FloatArray, p: FloatArray) -> FloatArray:
        """Dense."""
        matrix = np.zeros((len(y), len(y)))
        matrix[self.places] = self.entries(y, p)
        return matrix

    def run(self, setting: Setting, count: int, threads: int = 1) -> FloatArray:
        """The output [patients, times]."""
        assert threads == 1
        own, sizes = self.lean, np.array(self.lean.model.sizes)
        return np.array([
            judge(
                self.rhs, self.values, own.start[:, k], own.slots[:, k], own.table, k, self.case.times,
                self.jacobian if self.with_jacobian else None, sizes=sizes, rtol=setting[0], method=self.method,
            )[:, 0]
            for k in range(count)
        ])  # fmt: skip


class ScipyJacobian(Scipy):
    """The same, and it is told the Jacobian."""

    name, with_jacobian = "scipy-lsoda-jacobian", True


class Radau(ScipyJacobian):
    """Another method, to check the reference."""

    name, method = "scipy-radau", "Radau"


def pieces(case: Case, lean: Lean, patient: int) -> list[tuple[list[float], FloatArray, dict[int, float]]]:
    """Between two changes: times that are asked for, values of the inputs, what is added to states before."""
    table, slots = lean.table, lean.slots[:, patient].copy()
    rows = range(table.start[patient], table.start[patient + 1])
    times = case.times
    edges = sorted({0.0, *(float(table.time[q]) for q in rows), float(times[-1])})
    out = []
    for begin, end in pairwise(edges):
        added: dict[int, float] = {}
        for q in rows:
            place, value = int(table.place[q]), float(table.value[q])
            if abs(table.time[q] - begin) > SAME_TIME:
                continue
            if table.kind[q] == ADD_STATE:
                added[place] = added.get(place, 0.0) + value
            elif table.kind[q] == ADD_SLOT:
                slots[place] += value
            else:
                assert table.kind[q] == SET_SLOT
                slots[place] = value
        asked = [begin, *(float(t) for t in times if begin < t < end), end]
        out.append((asked, slots[: len(lean.changing)].copy(), added))
    return out


class RoadRunner:
    """libRoadRunner: CVODE with BDF on the exported model, one call of `simulate` between two changes of an input.

    Tuned as an expert would: no `piecewise` in the file (it stops at each switch), constants worked out beforehand, an
    absolute tolerance for every state (a scalar one is scaled by values near zero), one output, arrays, not names.
    """

    name, needs, reduced = "libroadrunner", "roadrunner", False
    ladder: Sequence[Setting] = (
        (1e-3, 1e-5),
        (1e-3, 1e-7),
        (1e-4, 1e-5),
        (1e-4, 1e-6),
        (1e-4, 1e-7),
        (3e-5, 3e-6),
        (1e-5, 1e-5),
        (1e-5, 1e-6),
        (1e-6, 1e-6),
    )

    def __init__(self, case: Case, count: int, first: int = 0) -> None:
        assert first == 0
        self.case, self.lean = case, lean(case, count, self.reduced)
        m, own = self.lean.model, self.lean
        self.text = sbml(m, changing=own.changing)
        self.values = np.concatenate([own.slots, own.start]).T.copy()
        self.segments = [pieces(case, self.lean, k) for k in range(count)]
        self.sizes = np.array(m.sizes)

    def build(self) -> None:
        """Load the file, which compiles it."""
        import roadrunner

        self.rr = roadrunner.RoadRunner(self.text)
        self.rr.timeCourseSelections = ["time", identifier(self.case.output)]
        places = {name: k for k, name in enumerate(self.rr.model.getGlobalParameterIds())}
        m = self.lean.model
        self.everything = np.array([places[identifier(n)] for n in (*m.slots, *m.states)], np.int32)
        self.inputs = np.array([places[identifier(n)] for n in self.lean.changing], np.int32)
        self.states = np.array([places[identifier(n)] for n in m.states], np.int32)
        ids = [self.rr.model.getStateVectorId(k) for k in range(len(m.states))]
        self.order = [ids.index(identifier(n)) for n in m.states]

    def run(self, setting: Setting, count: int, threads: int = 1) -> FloatArray:
        """The output [patients, times]."""
        assert threads == 1
        rtol, share = setting
        tolerances = np.empty(len(self.sizes))
        tolerances[self.order] = share * self.sizes
        self.rr.integrator.relative_tolerance = rtol
        self.rr.integrator.absolute_tolerance = tolerances.tolist()
        return np.array([self._one(k) for k in range(count)])

    def _one(self, patient: int) -> FloatArray:
        model, simulate, times = self.rr.model, self.rr.simulate, self.case.times
        model.setGlobalParameterValues(self.everything, self.values[patient])
        pieces = []
        for asked, inputs, added in self.segments[patient]:
            if len(inputs):
                model.setGlobalParameterValues(self.inputs, inputs)
            for place, amount in added.items():
                where = self.states[place : place + 1]
                model.setGlobalParameterValues(where, model.getGlobalParameterValues(where) + amount)
            pieces.append(np.array(simulate(times=asked)))
        seen = np.concatenate([pieces[0][:1], *(p[1:] for p in pieces)])  # seen before what is done at the same time
        return seen[np.searchsorted(seen[:, 0], times - SAME_TIME), 1]


class RoadRunnerReduced(RoadRunner):
    """libRoadRunner on the part of the model that the course moves, as afterglow finds it by algebra."""

    name, reduced = "libroadrunner-reduced", True


class Diffrax:
    """diffrax (JAX): Kvaerno5, all patients at once under `vmap`; only courses without boluses."""

    name, needs = "diffrax", "diffrax"
    ladder: Sequence[Setting] = ((1e-4, 1e-4), (1e-5, 1e-5), (1e-6, 1e-6))

    def __init__(self, case: Case, count: int, first: int = 0) -> None:
        assert first == 0
        self.case, self.lean = case, lean(case, count)
        if (self.lean.table.kind == ADD_STATE).any():
            raise RuntimeError("boluses are not written for diffrax here")
        # everybody has the same course: inputs over time, [edges, inputs]
        segments = pieces(self.case, self.lean, 0)
        self.edges = np.array([asked[0] for asked, _, _ in segments])
        self.inputs = np.array([inputs for _, inputs, _ in segments])

    def build(self) -> None:
        """Trace; the machine code is made by the first run."""
        import diffrax as dx
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)

        def hill(x, k, n):
            x = jnp.maximum(x, 0.0)
            return x**n / (k**n + x**n)

        m, moving = self.lean.model, len(self.lean.changing)
        scope: dict[str, Any] = {"np": jnp, "_hill": hill}
        exec(numpy_source("rhs", m.rhs, m.y, m.p) + numpy_source("values", m.values, m.y, m.p), scope)
        rhs, values = scope["rhs"], scope["values"]
        edges, inputs, sizes = jnp.array(self.edges), jnp.array(self.inputs), jnp.array(m.sizes)
        times = jnp.array(self.case.times)

        def rate(t, y, held):
            now = inputs[jnp.clip(jnp.searchsorted(edges, t, side="right") - 1, 0, len(edges) - 1)]
            return jnp.stack(rhs(y, jnp.concatenate([now, held])))

        def one(y, held, rtol, share):
            steps = dx.PIDController(rtol=rtol, atol=share * sizes)
            steps = dx.ClipStepSizeController(steps, jump_ts=edges[1:])
            end = dx.diffeqsolve(
                dx.ODETerm(rate), dx.Kvaerno5(), 0.0, float(self.case.times[-1]), 0.001, y, held,
                saveat=dx.SaveAt(ts=times), stepsize_controller=steps, max_steps=100_000,
            )  # fmt: skip
            return jax.vmap(lambda y: values(y, jnp.concatenate([inputs[-1], held]))[0])(end.ys)

        self.solve = jax.jit(jax.vmap(one, in_axes=(0, 0, None, None)))
        self.moving = moving

    def run(self, setting: Setting, count: int, threads: int = 1) -> FloatArray:
        """The output [patients, times]; JAX chooses its threads itself."""
        assert threads == 1
        return np.array(self.solve(self.lean.start.T[:count], self.lean.slots[self.moving :].T[:count], *setting))


ENGINES = {e.name: e for e in (Afterglow, Scipy, ScipyJacobian, Radau, RoadRunner, RoadRunnerReduced, Diffrax)}


def installed(name: str) -> bool:
    """Whether an engine's package is there."""
    needs = ENGINES[name].needs
    return needs is None or importlib.util.find_spec(needs) is not None
