"""The stepping loop: groups of LANES patients take one common step, acting and observing at each patient's own times.

Model-independent: the model comes as addresses of its machine code. Compiled once by Numba and kept in its cache.
"""

# No annotations below: these are Numba kernels; every array is float64 or int64, rows of LANES. Loops are written out:
# assignments to slices take Numba seconds to compile.
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
    P, Y, start, when, kind, place, value, out, status, bad_time, bad_place, steps,
):  # fmt: skip
    """Advance groups first..last from t0 to t1 (h).

    P [groups, slots, LANES] and Y [groups, states, LANES] are read and left at t1; save [T] times, wanted [K] output
    numbers; actions as in `actions.Table`; out [patients, T, K]; status, bad_time, bad_place, steps [groups * LANES].
    bad_place is the state that failed, or -2 - slot for a parameter slot that is no finite number.
    """
    n, _, n_out, n_prepared, n_factors = sizes
    a_prepare, a_outputs, a_step, a_dense = addresses
    H, R = _rows(n_prepared), _rows(n_out)
    U, F, W = _rows(6 * n), _rows(n), _rows(n_factors)
    y, Z, V, E = _rows(n), _rows(n), _rows(n), np.empty(LANES)
    h_, theta, at, slowed = np.empty(1), np.empty(1), np.empty(LANES, np.int64), np.empty(LANES, np.int64)
    for g in range(first, last):
        p, seen = P[g], out[g * LANES : (g + 1) * LANES]
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


@nb.njit(nogil=True, cache=True)
def _first(save, t0):
    """Where the save times from t0 on begin."""
    s = 0
    while s < save.size and save[s] < t0:
        s += 1
    return s


@nb.njit(nogil=True, cache=True)
def _copy(source, target):
    for k in range(source.shape[0]):
        for lane in range(LANES):
            target[k, lane] = source[k, lane]


@nb.njit(nogil=True, cache=True)
def _rows(count):
    """Room for so many rows, each of them one line of the processor's cache."""
    room = np.empty((count + 1) * LANES)
    skip = (-(room.ctypes.data // 8)) % LANES
    return room[skip : skip + count * LANES].reshape(count, LANES)


@nb.njit(nogil=True, cache=True)
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
            for k in range(p.shape[0]):
                p[k, lane] = p[k, good]
            for k in range(y.shape[0]):
                y[k, lane] = y[k, good]
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


@nb.njit(nogil=True, cache=True)
def _drop_faulty(t, E, U, y, z, tol, bad, bad_at, bad_in):
    """Give up the lanes for which no step is small enough."""
    for lane in range(LANES):
        finite = np.isfinite(E[lane])
        if E[lane] > 1.0 or not finite:
            _give_up(STEP_TOO_SMALL if finite else NOT_FINITE, lane, t, U, y, z, tol, bad, bad_at, bad_in)


@nb.njit(nogil=True, cache=True)
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


@nb.njit(nogil=True, cache=True)
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


@nb.njit(nogil=True, cache=True)
def _next(h, size, grow, close, rejected):
    """The step to try after an accepted one; a step cut short by an action says little about the next."""
    if not close or grow < 1.0:
        return size * (min(1.0, grow) if rejected else grow)
    return max(h, size * grow)


@nb.njit(nogil=True, cache=True)
def _keep(outputs, y, H, R, s, wanted, seen, bad):
    """Write the wanted outputs at save time s."""
    _call3(outputs, y.ctypes.data, H.ctypes.data, R.ctypes.data)
    for lane in range(LANES):
        if bad[lane] == FINE:
            for k in range(wanted.size):
                seen[lane, s, k] = R[wanted[k], lane]


@nb.njit(nogil=True, cache=True)
def start_states(address, P, Y):
    """Initial states of all groups."""
    for g in range(P.shape[0]):
        _call2(address, P[g].ctypes.data, Y[g].ctypes.data)
