"""Event tables in tests: rows, a compiled model that takes them, and what closed forms expect."""

import numpy as np
import pandas as pd

from afterglow.compile.numpy_code import numpy_function
from afterglow.engine.dosing import Compartments
from afterglow.engine.records import read_events
from afterglow.library.textbook import OneCompartment
from toys import toy

DEPOT, CENTRAL = 1, 2


def ready(system):
    """A compiled model and its compartments."""
    model = toy(system)
    p = model.program
    rates, initial = (numpy_function(x, p.y, p.p) for x in (p.rhs, p.init))
    return model, Compartments.of(p, rates=rates, initial=initial)


def table(rows, times=()):
    """A frame of rows and of observations at `times` after them."""
    looks = [{"TIME": float(t), "EVID": 0} for t in times]
    return pd.DataFrame([{"ID": 1} | r for r in [*rows, *looks]])


def simulate(ready_model, frame, values=None, rtol=1e-8, **options):
    """The outputs seen by each row of the frame."""
    model, compartments = ready_model
    events = read_events(frame)
    slots = model.slots(events.patients, **(values or {}))
    schedule = events.schedule(compartments, slots, **options)
    result = model.run(schedule.parameters, schedule.actions, schedule.times, rtol, t0=schedule.start)
    assert not result.failures()
    return schedule.read(result.values)


def dose(amt, cmt=DEPOT, time=0.0, **more):
    return {"TIME": time, "EVID": 1, "AMT": amt, "CMT": cmt} | {k.upper(): v for k, v in more.items()}


def look(time):
    return {"TIME": time, "EVID": 0}


# ---- closed forms ---------------------------------------------------------------------------------------------------


def exponentials(system):
    """Concentration after 1 mg as a sum of c exp(-k t): {compartment: (c, k)}."""
    p = {n: x.value_ for n, x in system.params.items()}
    k10, ka = p["CL"] / p["VC"], p["KA"]
    if system is OneCompartment:
        c, k = np.array([1 / p["VC"]]), np.array([k10])
    else:
        k12, k21 = p["Q"] / p["VC"], p["Q"] / p["VP"]
        total = k10 + k12 + k21
        root = np.sqrt(total**2 - 4 * k10 * k21)
        k = np.array([(total + root) / 2, (total - root) / 2])
        c = np.array([(k[0] - k21) / (k[0] - k[1]), (k21 - k[1]) / (k[0] - k[1])]) / p["VC"]
    slow = c * ka / (ka - k)
    return {"central": (c, k), "depot": (np.append(slow, -slow.sum()), np.append(k, ka))}


def one(c, k, t, amount, duration):
    """Concentration `t` hours after the start of a dose."""
    t = np.asarray(t, float)[:, None]
    if duration == 0:
        return np.where(t >= 0, amount * c * np.exp(-k * np.maximum(t, 0)), 0).sum(axis=1)
    inside, after = np.clip(t, 0, duration), np.maximum(t - duration, 0)
    return (amount / duration * c / k * -np.expm1(-k * inside) * np.exp(-k * after)).sum(axis=1)


def past(c, k, t, amount, duration, lag, interval):
    """Concentration `t` hours after a dose from endlessly many like it before, one each `interval`; t >= -lag."""
    done = max(1, int(np.ceil((duration + lag) / interval - 1e-12)))  # this and all earlier ones have ended by -lag
    t = np.asarray(t, float)
    running = sum((one(c, k, t + n * interval, amount, duration) for n in range(1, done)), np.zeros_like(t))
    height = c * amount if duration == 0 else c * amount / duration / k * np.expm1(k * duration)
    old = height * np.exp(-k * done * interval) / -np.expm1(-k * interval) * np.exp(-k * t[:, None])
    return running + old.sum(axis=1)


def expected(system, plan, times):
    """Superposition of a plan: (start, compartment, amount, duration) or (..., lag, interval of a steady state)."""
    times, out = np.asarray(times, float), np.zeros(len(times))
    for start, place, amount, duration, *steady in plan:
        c, k = exponentials(system)[place]
        if not steady:
            out += one(c, k, times - start, amount, duration)
            continue
        lag, interval = steady  # the record is at `start`, the dose comes `lag` later
        new = one(c, k, times - start - lag, amount, duration)
        out += np.where(times > start, past(c, k, times - start - lag, amount, duration, lag, interval) + new, 0)
    return out
