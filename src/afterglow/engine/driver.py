"""The stepping loop: groups of LANES patients take one common step, acting and observing at each patient's own times.

Model-independent: the model comes as addresses of its machine code. Compiled once by Numba and kept in its cache.
"""

# No annotations below: these are Numba kernels; every array is float64 or int64, rows of LANES.
import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

LANES = 8
SAME_TIME = 1e-9  # h; actions closer than this happen together
FINE, NOT_FINITE, TOO_MANY_STEPS, STEP_TOO_SMALL = range(4)
SMALLEST = 1e-12  # h


def _caller(count):
    """An intrinsic that calls the function at an address with `count` pointers, all passed as integers."""

    def typer(context, address, *pointers):  # noqa: ARG001
        def codegen(ctx, builder, signature, args):  # noqa: ARG001
            double = ir.DoubleType().as_pointer()
            kind = ir.FunctionType(ir.VoidType(), [double] * count)
            f = builder.inttoptr(args[0], kind.as_pointer())
            builder.call(f, [builder.inttoptr(a, double) for a in args[1:]])
            return ctx.get_dummy_value()

        return types.void(types.int64, *([types.int64] * count)), codegen

    names = ", ".join(f"a{i}" for i in range(count))
    scope = {"typer": typer}
    exec(f"def call{count}(context, address, {names}): return typer(context, address, {names})", scope)
    return intrinsic(scope[f"call{count}"])


_call2, _call3, _call5, _call9 = _caller(2), _caller(3), _caller(5), _caller(9)


@nb.njit(nogil=True, error_model="numpy", cache=True)
def run_groups(
    first, last, addresses, sizes, t0, t1, save, wanted, tol, first_step, max_steps,
    P, Y, start, when, kind, place, value, out, status, bad_time, steps,
):  # fmt: skip
    """Advance groups first..last from t0 to t1 (h).

    P [groups, slots, LANES] and Y [groups, states, LANES] are read and left at t1; save [T] times, wanted [K] output
    numbers; actions as in `actions.Table`; out [patients, T, K]; status, bad_time, steps [groups * LANES].
    """
    n, _, n_out, n_prepared, n_factors = sizes
    a_prepare, a_outputs, a_step, a_dense = addresses
    H, R = np.empty((n_prepared, LANES)), np.empty((n_out, LANES))
    U, F, W = np.empty((6 * n, LANES)), np.empty((n, LANES)), np.empty((n_factors, LANES))
    Z, V, E = np.empty((n, LANES)), np.empty((n, LANES)), np.empty(LANES)
    h_, theta, at = np.empty(1), np.empty(1), np.empty(LANES, np.int64)
    for g in range(first, last):
        p, y, seen = P[g], Y[g], out[g * LANES : (g + 1) * LANES]
        rows, bad = start[g * LANES : (g + 1) * LANES + 1], status[g * LANES : (g + 1) * LANES]
        bad_at = bad_time[g * LANES : (g + 1) * LANES]
        t, h, s, count, rejected = t0, first_step, 0, 0, False
        _begin(t0, p, y, rows, when, at, bad, bad_at)
        alive = _borrow(p, y, bad)
        while s < save.size and save[s] < t0:
            s += 1
        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
        while alive:
            # -- observe, then act, at the present time
            while s < save.size and save[s] <= t:
                _call3(a_outputs, y.ctypes.data, H.ctypes.data, R.ctypes.data)
                _keep(s, R, wanted, seen, bad)
                s += 1
            acted, upcoming = _act(t, t1, at, rows, when, kind, place, value, p, y)
            if acted:
                _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                h, rejected = min(h, first_step), False
            if t >= t1:
                break
            # -- step to the next action
            while alive and t < upcoming:
                close = upcoming - t <= h * 1.0000001
                size = upcoming - t if close else min(h, 0.5 * (upcoming - t)) if upcoming - t < 2 * h else h
                h_[0] = size
                _call9(
                    a_step, y.ctypes.data, H.ctypes.data, h_.ctypes.data, tol.ctypes.data, U.ctypes.data,
                    F.ctypes.data, W.ctypes.data, Z.ctypes.data, E.ctypes.data,
                )  # fmt: skip
                count += 1
                worst, finite = _worst(E)
                grow = 6.0 if worst < 2e-7 else min(6.0, max(0.2, 0.9 * worst**-0.125))
                if finite and worst <= 1.0:
                    new = upcoming if close else t + size
                    while s < save.size and save[s] < new:
                        theta[0] = (save[s] - t) / size
                        _call5(
                            a_dense, y.ctypes.data, Z.ctypes.data, U.ctypes.data, theta.ctypes.data, V.ctypes.data,
                        )  # fmt: skip
                        _call3(a_outputs, V.ctypes.data, H.ctypes.data, R.ctypes.data)
                        _keep(s, R, wanted, seen, bad)
                        s += 1
                    y[:] = Z
                    t = new
                    if not close or grow < 1.0:
                        h = size * (min(1.0, grow) if rejected else grow)
                    elif size * grow > h:
                        h = size * grow
                    rejected = False
                else:
                    h, rejected = size * (grow if finite else 0.2), True
                    if h < SMALLEST:
                        _give_up(STEP_TOO_SMALL if finite else NOT_FINITE, t, E, bad, bad_at)
                        alive = _borrow(p, y, bad)
                        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                        h = first_step
                if count > max_steps:
                    E[:] = np.inf
                    _give_up(TOO_MANY_STEPS, t, E, bad, bad_at)
                    alive = False
        steps[g * LANES : (g + 1) * LANES] = count
        _blot(t0, save, y, seen, bad, bad_at)


@nb.njit(nogil=True, cache=True)
def _begin(t0, p, y, rows, when, at, bad, bad_at):
    """Pass over actions before t0. Mark whoever starts with a number that is not finite."""
    for lane in range(LANES):
        at[lane] = rows[lane]
        while at[lane] < rows[lane + 1] and when[at[lane]] < t0:
            at[lane] += 1
        if not (np.isfinite(p[:, lane]).all() and np.isfinite(y[:, lane]).all()):
            bad[lane], bad_at[lane] = NOT_FINITE, t0


@nb.njit(nogil=True, cache=True)
def _borrow(p, y, bad):
    """Let failed lanes repeat a good one, so that nobody waits for them; False when none is left."""
    good = -1
    for lane in range(LANES):
        if bad[lane] == FINE:
            good = lane
    if good < 0:
        return False
    for lane in range(LANES):
        if bad[lane] != FINE:
            p[:, lane] = p[:, good]
            y[:, lane] = y[:, good]
    return True


@nb.njit(nogil=True, cache=True)
def _act(t, t1, at, rows, when, kind, place, value, p, y):
    """Carry out what is due at t (at t1 nothing: whoever goes on does that). Returns: any change, time of the next."""
    acted, upcoming = False, t1
    for lane in range(LANES):
        q, end = at[lane], rows[lane + 1]
        while q < end and when[q] <= t + SAME_TIME and t < t1:
            if kind[q] == 0:
                y[place[q], lane] += value[q]
            elif kind[q] == 1:
                p[place[q], lane] += value[q]
            elif kind[q] == 2:
                acted = acted or p[place[q], lane] != value[q]
                p[place[q], lane] = value[q]
            else:
                y[place[q], lane] = value[q]
            acted = acted or kind[q] != 2
            q += 1
        at[lane] = q
        if q < end and when[q] < upcoming:
            upcoming = when[q]
    return acted, upcoming


@nb.njit(nogil=True, cache=True)
def _worst(E):
    """The largest squared error that is finite, and whether all are."""
    worst, finite = 0.0, True
    for lane in range(LANES):
        if not np.isfinite(E[lane]):
            finite = False
        elif E[lane] > worst:
            worst = E[lane]
    return worst, finite


@nb.njit(nogil=True, cache=True)
def _give_up(code, t, E, bad, bad_at):
    """Mark the lanes that hold up the others: those that are not finite, or whose error is above the tolerance."""
    for lane in range(LANES):
        at_fault = E[lane] > 1.0 if code == STEP_TOO_SMALL else not np.isfinite(E[lane])
        if at_fault and bad[lane] == FINE:
            bad[lane], bad_at[lane] = code, t


@nb.njit(nogil=True, cache=True)
def _keep(s, R, wanted, seen, bad):
    for lane in range(LANES):
        if bad[lane] == FINE:
            for k in range(wanted.size):
                seen[lane, s, k] = R[wanted[k], lane]


@nb.njit(nogil=True, cache=True)
def _blot(t0, save, y, seen, bad, bad_at):
    """States and outputs of failed patients become NaN from the time of failure on."""
    for lane in range(LANES):
        if bad[lane] != FINE:
            y[:, lane] = np.nan
            for k in range(save.size):
                if save[k] > bad_at[lane] or save[k] >= t0 >= bad_at[lane]:
                    seen[lane, k, :] = np.nan


@nb.njit(nogil=True, cache=True)
def start_states(address, P, Y):
    """Initial states of all groups."""
    for g in range(P.shape[0]):
        _call2(address, P[g].ctypes.data, Y[g].ctypes.data)
