"""Small models with known answers, and a compiled one ready to run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import Program, program
from afterglow.compile.vector import vector_code
from afterglow.engine.actions import Actions, Table
from afterglow.engine.batch import Engine, Result
from afterglow.engine.judge import judge
from afterglow.lang import Input, Model, Output, Param, Route, State, System, exp, hill, where


class TwoCompartments(System):
    """Depot, centre and periphery: all classic closed forms are special cases."""

    depot = State("mg", "at the site of administration", size=10.0)
    central = State("mg", "in the centre", size=10.0)
    peripheral = State("mg", "in the periphery", size=10.0)
    ka = Param(1.2, "1/h", "absorption", source="assumed")
    k10 = Param(0.3, "1/h", "elimination", source="assumed")
    k12 = Param(0.5, "1/h", "to the periphery", source="assumed")
    k21 = Param(0.2, "1/h", "back", source="assumed")
    depot.dot = -ka * depot
    central.dot = ka * depot - (k10 + k12) * central + k21 * peripheral
    peripheral.dot = k12 * central - k21 * peripheral
    c = Output(central, "mg", "in the centre")
    p = Output(peripheral, "mg", "in the periphery")
    d = Output(depot, "mg", "in the depot")
    bolus = Route("into the centre", {central: 1.0})
    oral = Route("into the depot", {depot: 1.0})


class Stiff(System):
    """Nonlinear, with time constants from seconds to days: a drug, its block, a surge, a slow suppressor, learning."""

    tone = Input("1", "tone of the background", default=0.1)
    drug = State("mg", "drug", size=1.0)
    site = State("1", "effect site", size=0.1)
    surge = State("1", "surge", size=0.1)
    brake = State("1", "slow suppressor", size=0.1)
    memory = State("1", "learned", init=0.05, size=0.1)
    k = Param(0.4, "1/h", "elimination", source="assumed")
    fast = Param(600.0, "1/h", "equilibration", source="assumed")
    half = Param(0.7, "1", "half effect", source="assumed")
    n = Param(2.5, "1", "steepness", source="fitted")  # fitted: may differ between patients, so it keeps a slot
    gain = Param(3.0, "1", "gain", source="assumed")
    tau = Param(0.7, "h", "decay of the surge", source="assumed")
    tau_on = Param(0.3, "h", "onset of the brake", source="assumed")
    tau_off = Param(24.0, "h", "release of the brake", source="assumed")
    tau_memory = Param(96.0, "h", "forgetting", source="assumed")
    mg = Param(1.0, "mg", "reference", source="assumed")
    block = hill(site, half, n)
    drug.dot = -k * drug
    site.dot = fast * (drug / mg - site)
    surge.dot = (gain * block * (1 - brake) ** 3 - surge) / tau
    # a smooth switch between the two time constants
    brake.dot = (block - brake) / (tau_off + (tau_on - tau_off) / (1 + exp(-20.0 * (block - brake))))
    memory.dot = surge * (1 - memory) / tau - (memory - 0.05 * (1 + tone)) / tau_memory
    m = Output(memory, "1", "learned")
    s = Output(surge, "1", "surge")
    level = Output(drug, "mg", "drug")
    b = Output(brake, "1", "brake")
    iv = Route("into a vein", {drug: 1.0})


class BlowsUp(System):
    """y' = r y^2 from y(0) = 1 ends at t = 1/r."""

    y = State("1", "grows without bound", init=1.0)
    r = Param(0.0, "1/h", "speed", source="assumed")
    y.dot = r * y * y
    out = Output(y, "1", "y")


class Jump(System):
    """A rate that changes at once when an input does."""

    on = Input("1", "switch", default=0.0)
    y = State("1", "y")
    hour = Param(1.0, "h", "an hour", source="assumed")
    y.dot = where(on > 0.5, 1.0, 0.0) / hour
    out = Output(y, "1", "y")
    seen = Output(on, "1", "switch")


@dataclass
class Toy:
    """A system compiled three ways."""

    program: Program
    rtol: float = 1e-8

    @property
    def code(self):
        if not hasattr(self, "_code"):
            self._code = vector_code(self.program)
        return self._code

    def engine(self, rtol: float | None = None, threads: int = 1) -> Engine:
        return Engine(self.code, self.program.sizes, rtol or self.rtol, threads)

    def slots(self, patients: int, **values) -> np.ndarray:
        p = np.repeat(np.array(self.program.defaults)[:, None], patients, axis=1)
        for name, value in values.items():
            p[self.program.slot[f"toy.{name}"]] = value
        return p

    def place(self, name: str) -> int:
        known = self.program.state if f"toy.{name}" in self.program.state else self.program.slot
        return known[name if name.startswith("rate:") else f"toy.{name}"]

    def run(self, slots, actions=None, times=(0.0, 1.0), rtol=None, threads=1, **options) -> Result:
        outputs = range(len(self.program.outputs))
        engine = self.engine(rtol, threads)
        return engine.run(
            slots, Actions() if actions is None else actions, np.asarray(times, float), outputs, **options
        )

    def judged(self, slots, table: Table, patient: int, times, rtol=1e-10) -> np.ndarray:
        p = self.program
        f, out = (numpy_function(x, p.y, p.p) for x in (p.rhs, p.values))
        jacobian = numpy_function(list(p.jacobian.values()), p.y, p.p)
        places = tuple(np.array(list(p.jacobian)).T)

        def matrix(y, q):
            j = np.zeros((len(p.y), len(p.y)))
            j[places] = jacobian(y, q)
            return j

        own = slots[:, patient]
        start = np.array(numpy_function(p.init, p.y, p.p)(np.zeros(len(p.y)), own), float)
        sizes = np.array(p.sizes)
        return judge(
            f, out, start, own, table, patient, np.asarray(times, float), matrix, sizes=sizes, rtol=rtol, method="Radau"
        )


def toy(system: type[System], **params: Param) -> Toy:
    m = Model("toy")
    m.add(system, "toy", **params)
    return Toy(program(m.flatten()))
