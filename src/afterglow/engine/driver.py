"""The stepping loop: advances groups of LANES patients with one common step, acting and observing at each patient's own times.

Model-independent: the model comes as addresses of its machine code. Compiled once by Numba and kept in its cache.
"""

# No annotations below: these are Numba kernels; every array is float64 or int64, rows of LANES.
import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

LANES = 8
FINE, NOT_FINITE, TOO_MANY_STEPS, STEP_TOO_SMALL = range(4)


def _caller(count):
    """An intrinsic that calls the function at an address with `count` pointers, all passed as integers."""

    def typer(context, address, *pointers):
        def codegen(ctx, builder, signature, args):
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

    P [groups, slots, LANES] and Y [groups, states, LANES] are read and left at t1; save [T] times, wanted [K] output numbers;
    actions as in `actions.Table`; out [patients, T, K]; status, bad_time, steps [groups * LANES].
    """
    n, n_slots, n_out, n_prepared, n_factors = sizes
    a_prepare, a_outputs, a_step, a_dense = addresses
    H, O = np.empty((n_prepared, LANES)), np.empty((n_out, LANES))
    U, F, W = np.empty((6 * n, LANES)), np.empty((n, LANES)), np.empty((n_factors, LANES))
    Z, V, E = np.empty((n, LANES)), np.empty((n, LANES)), np.empty(LANES)
    h_, theta = np.empty(1), np.empty(1)
    at = np.empty(LANES, np.int64)
    for g in range(first, last):
        p, y = P[g], Y[g]
        for l in range(LANES):
            at[l] = start[g * LANES + l]
            while at[l] < start[g * LANES + l + 1] and when[at[l]] < t0:
                at[l] += 1
        t, h, s = t0, first_step, 0
        count, rejected, alive = 0, False, True
        # a patient who starts with a number that is not finite borrows a neighbour's place, so that nobody waits for him
        for l in range(LANES):
            good = True
            for i in range(n_slots):
                good = good and np.isfinite(p[i, l])
            for i in range(n):
                good = good and np.isfinite(y[i, l])
            if not good:
                status[g * LANES + l], bad_time[g * LANES + l] = NOT_FINITE, t0
        alive = _borrow(g, p, y, status, n_slots, n)
        while s < save.size and save[s] < t0:
            s += 1
        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
        while alive:
            # -- observe, then act, at the present time
            while s < save.size and save[s] <= t:
                _call3(a_outputs, y.ctypes.data, H.ctypes.data, O.ctypes.data)
                _keep(g, s, O, wanted, out, status)
                s += 1
            acted = 0
            upcoming = t1
            for l in range(LANES):
                q, end = at[l], start[g * LANES + l + 1]
                while q < end and when[q] <= t and t < t1:
                    if kind[q] == 0:
                        y[place[q], l] += value[q]
                        acted = max(acted, 2)
                    elif kind[q] == 1:
                        p[place[q], l] += value[q]
                        acted = max(acted, 2)
                    elif kind[q] == 2:
                        acted = max(acted, 1 if p[place[q], l] != value[q] else 0)
                        p[place[q], l] = value[q]
                    else:
                        y[place[q], l] = value[q]
                        acted = max(acted, 2)
                    q += 1
                at[l] = q
                if q < end and when[q] < upcoming:
                    upcoming = when[q]
            if acted:
                _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                h = min(h, first_step)
                rejected = False
            if t >= t1:
                break
            # -- step to the next action
            while t < upcoming:
                close = upcoming - t <= h * 1.0000001
                size = upcoming - t if close else min(h, 0.5 * (upcoming - t)) if upcoming - t < 2 * h else h
                h_[0] = size
                _call9(
                    a_step, y.ctypes.data, H.ctypes.data, h_.ctypes.data, tol.ctypes.data, U.ctypes.data,
                    F.ctypes.data, W.ctypes.data, Z.ctypes.data, E.ctypes.data,
                )  # fmt: skip
                count += 1
                worst, finite = 0.0, True
                for l in range(LANES):
                    if not np.isfinite(E[l]):
                        finite = False
                    elif E[l] > worst:
                        worst = E[l]
                if finite and worst <= 1.0:
                    new = upcoming if close else t + size
                    while s < save.size and save[s] < new:
                        theta[0] = (save[s] - t) / size
                        _call5(a_dense, y.ctypes.data, Z.ctypes.data, U.ctypes.data, theta.ctypes.data, V.ctypes.data)
                        _call3(a_outputs, V.ctypes.data, H.ctypes.data, O.ctypes.data)
                        _keep(g, s, O, wanted, out, status)
                        s += 1
                    for i in range(n):
                        for l in range(LANES):
                            y[i, l] = Z[i, l]
                    t = new
                    grow = 6.0 if worst < 2e-7 else 0.9 * worst**-0.125
                    grow = min(6.0, max(0.2, grow))
                    if not close or grow < 1.0:
                        h = size * (min(1.0, grow) if rejected else grow)
                    elif size * grow > h:
                        h = size * grow
                    rejected = False
                else:
                    h = size * (max(0.2, 0.9 * worst**-0.125) if finite else 0.2)
                    rejected = True
                    code = FINE
                    if h < 1e-12:
                        code = STEP_TOO_SMALL if finite else NOT_FINITE
                    if code:
                        for l in range(LANES):
                            if (not finite and not np.isfinite(E[l])) or (finite and E[l] > 1.0):
                                status[g * LANES + l], bad_time[g * LANES + l] = code, t
                        alive = _borrow(g, p, y, status, n_slots, n)
                        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                        h = first_step
                if count > max_steps:
                    for l in range(LANES):
                        if status[g * LANES + l] == FINE:
                            status[g * LANES + l], bad_time[g * LANES + l] = TOO_MANY_STEPS, t
                    alive = False
                if not alive:
                    break
        for l in range(LANES):
            steps[g * LANES + l] = count
            if status[g * LANES + l] != FINE:
                for i in range(n):
                    y[i, l] = np.nan
                for k in range(out.shape[1]):
                    if save[k] > bad_time[g * LANES + l] or save[k] >= t0 >= bad_time[g * LANES + l]:
                        out[g * LANES + l, k, :] = np.nan


@nb.njit(nogil=True, cache=True)
def _borrow(g, p, y, status, n_slots, n):
    """Overwrite failed lanes with a good one; False when none is left."""
    good = -1
    for l in range(LANES):
        if status[g * LANES + l] == FINE:
            good = l
    if good < 0:
        return False
    for l in range(LANES):
        if status[g * LANES + l] != FINE:
            for i in range(n_slots):
                p[i, l] = p[i, good]
            for i in range(n):
                y[i, l] = y[i, good]
    return True


@nb.njit(nogil=True, cache=True)
def _keep(g, s, O, wanted, out, status):
    for l in range(LANES):
        if status[g * LANES + l] == FINE:
            for k in range(wanted.size):
                out[g * LANES + l, s, k] = O[wanted[k], l]


@nb.njit(nogil=True, cache=True)
def start_states(address, P, Y):
    """Initial states of all groups."""
    for g in range(P.shape[0]):
        _call2(address, P[g].ctypes.data, Y[g].ctypes.data)
