"""The slow and simple path: one patient at a time, SciPy at tight tolerance. It judges the batch engine in tests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from afterglow.engine.actions import ADD_SLOT, ADD_STATE, SET_SLOT, Table
from afterglow.errors import EngineError

FloatArray = NDArray[np.float64]
SAME_TIME = 1e-9  # h; actions closer than this happen together, as in the batch engine
Equations = Callable[[FloatArray, FloatArray], Sequence[FloatArray]]


def judge(
    rhs: Equations,
    values: Equations,
    start: FloatArray,
    slots: FloatArray,
    table: Table,
    patient: int,
    times: FloatArray,
    jacobian: Callable[[FloatArray, FloatArray], FloatArray] | None = None,
    *,
    sizes: FloatArray | float = 1.0,
    rtol: float = 1e-10,
    method: str = "BDF",
) -> FloatArray:
    """Outputs [times, outputs] of one patient.

    Args:
        rhs: rates (y, p) per hour.
        values: outputs (y, p).
        start: initial states [n].
        slots: parameter slots [m].
        table: actions; only those of `patient` count.
        times: sorted times (h), starting no earlier than 0.
        jacobian: d rates / d states [n, n].
        sizes: typical magnitudes of the states; atol = rtol * size.
        rtol: relative tolerance of SciPy's solver.
        method: SciPy's solver.
    """
    from scipy.integrate import solve_ivp

    y, p, t = np.array(start, float), np.array(slots, float), 0.0
    rows = [q for q in range(table.start[patient], table.start[patient + 1]) if table.time[q] >= 0]
    out = np.empty((len(times), len(values(y, p))))
    breaks = sorted({float(table.time[q]) for q in rows if table.time[q] < times[-1]} | {float(times[-1])})
    done = 0
    for end in breaks:
        if end > t:
            ask = np.array([x for x in times[done:] if x <= end])
            points = np.unique(np.append(ask, end))
            sol = solve_ivp(
                lambda _, z: np.array(rhs(z, p)), (t, end), y, method=method, t_eval=points, rtol=rtol,
                atol=rtol * np.asarray(sizes), jac=None if jacobian is None else lambda _, z: jacobian(z, p),
            )  # fmt: skip
            if not sol.success:
                raise EngineError(f"SciPy stopped at {sol.t[-1] if len(sol.t) else t} h: {sol.message}")
            for x in ask:
                out[done] = np.array(values(sol.y[:, np.searchsorted(points, x)], p))
                done += 1
            y, t = sol.y[:, -1].copy(), end
        else:
            while done < len(times) and times[done] <= end:
                out[done] = np.array(values(y, p))
                done += 1
        while rows and table.time[rows[0]] <= t + SAME_TIME:
            q = rows.pop(0)
            if table.kind[q] == ADD_STATE:
                y[table.place[q]] += table.value[q]
            elif table.kind[q] == ADD_SLOT:
                p[table.place[q]] += table.value[q]
            elif table.kind[q] == SET_SLOT:
                p[table.place[q]] = table.value[q]
            else:
                y[table.place[q]] = table.value[q]
    return out
