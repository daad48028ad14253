"""Time per patient of the batch engine against SciPy's LSODA, same equations, same machine, same run.

    python bench/speed.py [--patients 2048] [--judged 4] [--rtol 1e-5]

The course is the main one: six ketamine infusions of 0.5 mg/kg over 40 min in two weeks, followed for 56 days with an
output a day, in patients who differ. Errors are the largest difference in MADRS from SciPy's Radau at tight tolerance.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time

import numpy as np

from afterglow import streams
from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.program import Program, program
from afterglow.compile.vector import vector_code
from afterglow.engine.actions import Actions
from afterglow.engine.batch import Engine
from afterglow.engine.judge import judge
from afterglow.lang import evaluate
from afterglow.systems.whole import ROUTES, whole

DAYS, WEIGHT, DOSE_MG_KG, OVER_H = (1, 3, 5, 8, 10, 12), 70.0, 0.5, 40 / 60
TIMES = 24.0 * np.arange(57)


def people(model: Program, count: int) -> np.ndarray:
    """Parameter slots of patients who differ by every declared spread."""
    slots = np.repeat(np.array(model.defaults)[:, None], count, axis=1)
    for name, p in model.model.params.items():
        if p.spread is not None:
            eta = p.spread.size * streams.normal(1, 0, range(count), f"bench/{name}")[:, 0]
            row = slots[model.slot[name]]
            if p.spread.kind == "lognormal":
                row *= np.exp(eta)
            elif p.spread.kind == "logitnormal":
                row[:] = 1 / (1 + (1 - row) / row * np.exp(-eta))
            else:
                row[:] = np.clip(row + eta, *p.bounds)
    return slots


def course(model: Program, count: int) -> Actions:
    """Six infusions, and what a person notices of them."""
    who, actions = np.arange(count), Actions()
    values = {p: model.model.values[n] for n, p in model.model.params.items()}
    values |= {i: i.default or 0.0 for i in model.model.open_inputs.values()}
    actions.set(who, 0.0, model.slot["expectancy.contact"], 1.0)
    for start in (24.0 * (day - 1) for day in DAYS):
        for route, share in ROUTES[("ketamine", "iv")]:
            for state, fraction, _ in model.model.routes[route].into:
                amount = share * DOSE_MG_KG * WEIGHT * evaluate([fraction], values)[0]
                actions.infusion(who, start, model.slot[f"rate:{state}"], amount, OVER_H)
        actions.set(who, start, model.slot["expectancy.iv_session"], 1.0)
        actions.set(who, start + 2.0, model.slot["expectancy.iv_session"], 0.0)
    return actions


class Scipy:
    """The same model and course through SciPy, one patient at a time."""

    def __init__(self, model: Program, slots: np.ndarray, actions: Actions) -> None:
        self.model, self.slots, self.table = model, slots, actions.table(slots.shape[1])
        self.rhs, self.values = (numpy_function(x, model.y, model.p) for x in (model.rhs, model.values))
        self.start = numpy_function(model.init, model.y, model.p)
        self.entries = numpy_function(list(model.jacobian.values()), model.y, model.p)
        self.places = tuple(np.array(list(model.jacobian)).T)

    def jacobian(self, y: np.ndarray, p: np.ndarray) -> np.ndarray:
        """Dense Jacobian, for Radau."""
        matrix = np.zeros((len(y), len(y)))
        matrix[self.places] = self.entries(y, p)
        return matrix

    def run(self, patient: int, method: str, rtol: float) -> np.ndarray:
        """Outputs [times, outputs]."""
        own = self.slots[:, patient]
        start = np.array(self.start(np.zeros(len(self.model.y)), own), float)
        more = {} if method == "LSODA" else {"jacobian": self.jacobian}
        return judge(
            self.rhs, self.values, start, own, self.table, patient, TIMES, sizes=np.array(self.model.sizes),
            rtol=rtol, method=method, **more,
        )  # fmt: skip


def timed(call, *arguments, **options):
    """Seconds and result of a call."""
    begin = time.perf_counter()
    result = call(*arguments, **options)
    return time.perf_counter() - begin, result


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--patients", type=int, default=2048)
    ask.add_argument("--judged", type=int, default=4, help="patients that SciPy simulates too")
    ask.add_argument("--rtol", type=float, default=1e-5)
    asked = ask.parse_args()

    trace_s, model = timed(lambda: program(whole().flatten()))
    emit_s, code = timed(vector_code, model)
    with tempfile.TemporaryDirectory() as empty:  # a cold start: nothing in the cache
        os.environ["AFTERGLOW_CACHE"] = empty
        build_s, engine = timed(Engine, code, model.sizes, asked.rtol, 1)
    slots, actions = people(model, asked.patients), course(model, asked.patients)
    madrs = model.output["mood.madrs"]
    kernel_s, _ = timed(engine.run, slots[:, :8], Actions(), TIMES[:2], [madrs])
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(
        f"{len(model.y)} states, {len(model.p)} slots; Jacobian {len(model.jacobian)} entries, factors {code.factors}"
    )
    print(f"trace {trace_s:.2f} s, emit {emit_s:.2f} s; once and then cached: machine code {build_s:.2f} s,", end=" ")
    print(f"stepping loop {kernel_s:.2f} s")

    each_us: dict[str, float] = {}
    error: dict[str, float] = {}
    reference = Scipy(model, slots, actions)
    tight = [reference.run(k, "Radau", 1e-9)[:, madrs] for k in range(asked.judged)]
    for threads in sorted({1, os.cpu_count() or 1}):
        engine.threads = threads
        best, result = min((timed(engine.run, slots, actions, TIMES, [madrs]) for _ in range(3)), key=lambda t: t[0])
        label = f"afterglow, rtol {asked.rtol:g}, {threads} thread{'s' * (threads > 1)}"
        each_us[label] = 1e6 * best / asked.patients
        error[label] = float(abs(result.values[: asked.judged, :, 0] - tight).max())
        if result.status.any():
            print(f"{(result.status != 0).sum()} patients failed, the first: {result.failures()[0]}")
    for rtol in (1e-4, 1e-6):
        seconds, values = timed(lambda r=rtol: [reference.run(k, "LSODA", r)[:, madrs] for k in range(asked.judged)])
        label = f"SciPy LSODA, rtol {rtol:g}"
        each_us[label] = 1e6 * seconds / asked.judged
        error[label] = float(abs(np.array(values) - tight).max())

    first = next(iter(each_us.values()))
    print(f"\n{'':40}{'us a patient':>14}{'relative':>12}{'largest error, points':>24}")
    for label, us in each_us.items():
        print(f"{label:40}{us:14.1f}{us / first:12.2f}{error[label]:24.2g}")


if __name__ == "__main__":
    main()
