"""The stepping loop: groups of LANES patients take one common step, acting and observing at each patient's own times.

Model-independent: the model comes as addresses of its machine code. Numba turns this file into LLVM IR; it is imported
only where the machine code of the loop is not stored yet (see `engine.driver`).
"""

# No annotations below: these are Numba kernels; every array is float64 or int64, rows of LANES. Loops are written out:
# assignments to slices take Numba seconds to compile. Nothing here allocates: the code has to run without Numba.
from typing import Any

import numba as nb
import numpy as np
from llvmlite import binding, ir
from numba.core import types
from numba.extending import intrinsic

from afterglow.engine.driver import FINE, LANES, NOT_FINITE, SAME_TIME, SMALLEST, STEP_TOO_SMALL, TOO_MANY_STEPS


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
_options: Any = {"error_model": "numpy", "_nrt": False}  # without Numba's runtime library
_kernel = nb.njit(**_options)


def run_groups(
    first, last, sizes, addresses, t0, t1, save, wanted, tol, first_step, max_steps,
    P, Y, start, when, kind, place, value, out, status, bad_time, bad_place, steps, room, marks,
):  # fmt: skip
    """Advance groups first..last from t0 to t1 (h); arguments as of `driver.run_groups`.

    `room` and `marks` are for the work: rows of LANES, as many as `driver.loop` lays out, and 2 rows of whole numbers.
    """
    n, n_prepared, n_out, _ = sizes
    a_prepare, a_outputs, a_step, a_dense = addresses
    U, F, y, Z, V = room[: 6 * n], room[6 * n : 7 * n], room[7 * n : 8 * n], room[8 * n : 9 * n], room[9 * n : 10 * n]
    E, few, rest = room[10 * n], room[10 * n + 1], room[10 * n + 2 :]
    H, R, W = rest[:n_prepared], rest[n_prepared : n_prepared + n_out], rest[n_prepared + n_out :]
    h_, theta, at, slowed = few[:1], few[1:2], marks[0], marks[1]
    for g in range(first, last):
        p, seen = P[g], out[:, g * LANES : (g + 1) * LANES]
        _copy(Y[g], y)
        rows, bad = start[g * LANES : (g + 1) * LANES + 1], status[g * LANES : (g + 1) * LANES]
        bad_at, bad_in = bad_time[g * LANES : (g + 1) * LANES], bad_place[g * LANES : (g + 1) * LANES]
        t, h, s, count, spared, rejected = t0, first_step, _first(save, t0), 0, 0, False
        _begin(t0, p, y, rows, when, at, slowed, bad, bad_at, bad_in)
        alive = _borrow(p, y, bad)
        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
        while alive:
            # -- observe, then act, at the present time
            while s < save.size and save[s] <= t:
                _keep(a_outputs, y, H, R, s, wanted, seen, bad)
                s += 1
            acted, upcoming = _act(t, t1, at, rows, when, kind, place, value, p, y)
            if acted:
                _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                h, rejected = min(h, first_step), False
            if t >= t1:
                break
            # -- step to the next action
            while alive and t < upcoming:
                if upcoming - t <= SMALLEST:
                    t = upcoming
                    break
                close = upcoming - t <= h * 1.0000001
                size = upcoming - t if close else min(h, 0.5 * (upcoming - t)) if upcoming - t < 2 * h else h
                h_[0] = size
                _call9(
                    a_step, y.ctypes.data, H.ctypes.data, h_.ctypes.data, tol.ctypes.data, U.ctypes.data,
                    F.ctypes.data, W.ctypes.data, Z.ctypes.data, E.ctypes.data,
                )  # fmt: skip
                count += 1
                worst, slowest, finite = _worst(E, bad)
                slowed[slowest] += 1
                grow = 6.0 if worst < 2e-7 else min(6.0, max(0.2, 0.9 * worst**-0.125))
                if finite and worst <= 1.0:
                    new = upcoming if close else t + size
                    while s < save.size and save[s] < new:
                        theta[0] = (save[s] - t) / size
                        _call5(
                            a_dense, y.ctypes.data, Z.ctypes.data, U.ctypes.data, theta.ctypes.data, V.ctypes.data,
                        )  # fmt: skip
                        _keep(a_outputs, V, H, R, s, wanted, seen, bad)
                        s += 1
                    _copy(Z, y)
                    t = new
                    h, rejected = _next(h, size, grow, close, rejected), False
                else:
                    h, rejected = size * (grow if finite else 0.2), True
                    if h < SMALLEST:
                        _drop_faulty(t, E, U, y, Z, tol, bad, bad_at, bad_in)
                        alive = _borrow(p, y, bad)
                        _call2(a_prepare, p.ctypes.data, H.ctypes.data)
                        h = first_step
                if count - spared > max_steps and alive:
                    spared += _drop_slowest(slowed, t, E, U, y, Z, tol, bad, bad_at, bad_in)
                    alive = _borrow(p, y, bad)
                    _call2(a_prepare, p.ctypes.data, H.ctypes.data)
        steps[g * LANES : (g + 1) * LANES] = count
        _copy(y, Y[g])


@_kernel
def _first(save, t0):
    """Where the save times from t0 on begin."""
    s = 0
    while s < save.size and save[s] < t0:
        s += 1
    return s


@_kernel
def _copy(source, target):
    for k in range(source.shape[0]):
        for lane in range(LANES):
            target[k, lane] = source[k, lane]


@_kernel
def _begin(t0, p, y, rows, when, at, slowed, bad, bad_at, bad_in):
    """Pass over actions before t0. Mark whoever starts with a number that is not finite."""
    for lane in range(LANES):
        at[lane], slowed[lane] = rows[lane], 0
        while at[lane] < rows[lane + 1] and when[at[lane]] < t0:
            at[lane] += 1
        for k in range(p.shape[0]):
            if not np.isfinite(p[k, lane]) and bad[lane] == FINE:
                bad[lane], bad_at[lane], bad_in[lane] = NOT_FINITE, t0, -2 - k
        for k in range(y.shape[0]):
            if not np.isfinite(y[k, lane]) and bad[lane] == FINE:
                bad[lane], bad_at[lane], bad_in[lane] = NOT_FINITE, t0, k


@_kernel
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
            for k in range(p.shape[0]):
                p[k, lane] = p[k, good]
            for k in range(y.shape[0]):
                y[k, lane] = y[k, good]
    return True


@_kernel
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


@_kernel
def _worst(E, bad):
    """The largest squared error that is finite, the lane that holds up the others, and whether all are finite."""
    worst, slowest, finite = 0.0, -1, True
    for lane in range(LANES):
        if bad[lane] != FINE:
            continue  # repeats a good lane
        if not np.isfinite(E[lane]):
            finite, slowest = False, lane
        elif finite and (slowest < 0 or E[lane] > worst):
            worst, slowest = E[lane], lane
    return worst, slowest, finite


@_kernel
def _drop_faulty(t, E, U, y, z, tol, bad, bad_at, bad_in):
    """Give up the lanes for which no step is small enough."""
    for lane in range(LANES):
        finite = np.isfinite(E[lane])
        if E[lane] > 1.0 or not finite:
            _give_up(STEP_TOO_SMALL if finite else NOT_FINITE, lane, t, U, y, z, tol, bad, bad_at, bad_in)


@_kernel
def _drop_slowest(slowed, t, E, U, y, z, tol, bad, bad_at, bad_in):
    """Give up the lane that has set the pace most often, and whoever is its copy; returns the steps it has cost."""
    cost, slowest = 0, 0
    for lane in range(LANES):
        if slowed[lane] > slowed[slowest]:
            slowest = lane
    worst = E[slowest]
    for lane in range(LANES):
        if E[lane] == worst and bad[lane] == FINE:
            _give_up(TOO_MANY_STEPS, lane, t, U, y, z, tol, bad, bad_at, bad_in)
            cost += slowed[lane]
            slowed[lane] = 0
    return cost


@_kernel
def _give_up(code, lane, t, U, y, z, tol, bad, bad_at, bad_in):
    """Mark a lane as failed, in the state that is not finite or has the largest error in units of its tolerance."""
    largest, n = -1.0, y.shape[0]
    for k in range(n):
        size = abs(U[5 * n + k, lane]) / (tol[k + 1] + tol[0] * max(abs(y[k, lane]), abs(z[k, lane])))
        if not np.isfinite(size):
            size = np.inf
        if size > largest:
            largest, bad_in[lane] = size, k
    bad[lane], bad_at[lane] = code, t


@_kernel
def _next(h, size, grow, close, rejected):
    """The step to try after an accepted one; a step cut short by an action says little about the next."""
    if not close or grow < 1.0:
        return size * (min(1.0, grow) if rejected else grow)
    return max(h, size * grow)


@_kernel
def _keep(outputs, y, H, R, s, wanted, seen, bad):
    """Write the wanted outputs at save time s."""
    _call3(outputs, y.ctypes.data, H.ctypes.data, R.ctypes.data)
    for lane in range(LANES):
        if bad[lane] == FINE:
            for k in range(wanted.size):
                seen[k, lane, s] = R[wanted[k], lane]


def text():
    """LLVM IR of `run_groups`, named so; like all functions of Numba it begins with room for a result and an error."""
    count, real = types.int64, types.float64

    def array(kind, dimensions):
        return types.Array(kind, dimensions, "C")

    four, numbers, reals = types.UniTuple(count, 4), array(count, 1), array(real, 1)
    signature = types.void(
        count, count, four, four, real, real, reals, numbers, reals, real, count,
        array(real, 3), array(real, 3), numbers, reals, numbers, numbers, reals,
        array(real, 3), numbers, reals, numbers, numbers, array(real, 2), array(count, 2),
    )  # fmt: skip
    alone: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    (result,) = nb.njit(signature, **_options, **alone)(run_groups).overloads.values()
    module = binding.parse_assembly(result.library.get_llvm_str())
    module.get_function(result.fndesc.llvm_func_name).name = "run_groups"
    return str(module)
