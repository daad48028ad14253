"""The one place where clinic, compiled model and engine meet.

A course and a population go in, trajectories and scores come out:

    run = simulate_course(load_course("iv-induction"), patients=1000, weeks=8, seed=1)
    run.measured["MADRS"]                # [patients, visits]

Steps: draw the population, give everybody parameters (typical value x spread x covariates), unfold the course into
actions, run the engine from decision to decision, and read the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow.blocks import Block, Conduct, Doing, ScoresByScale
from afterglow.clinic import scale
from afterglow.clinic.course import Course
from afterglow.clinic.ledger import Given, Ledger
from afterglow.clinic.population import Population, load_population
from afterglow.clinic.regimen import SESSION_H, Administration, Signal, session_signals
from afterglow.clinic.relief import moved
from afterglow.clinic.visits import clock, label, visits
from afterglow.compile.numpy_code import numpy_function
from afterglow.compile.vector import LANES
from afterglow.compiled import compiled, parameters
from afterglow.course_run import ByScale, CourseRun, dose_table
from afterglow.data.fitted import measurement
from afterglow.engine.actions import Actions
from afterglow.errors import Fault, InputError
from afterglow.machine import PartPause
from afterglow.systems.whole import INERT, ROUTES

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

# Outputs of the model that every run keeps; "all" keeps every output.
KEPT = (
    "ketamine_s.plasma", "ketamine_r.plasma", "ketamine_s.norketamine", "ketamine_r.norketamine",
    "nmda_block.tonic", "nmda_block.synaptic", "glutamate.level", "plasticity.signal",
    "synapses.fast", "synapses.spines", "synapses.open_window", "network.connectivity",
    "belief.negative_belief", "belief.prediction_error", "belief.rumination",
    "expectancy.relief", "expectancy.belief_in_drug",
    "acute_effects.cadss", "acute_effects.systolic_rise", "acute_effects.diastolic_rise", "acute_effects.sedation",
    "acute_effects.nausea_risk", "acute_effects.dizziness_risk",
    "long_term_safety.bladder_load", "long_term_safety.misuse_risk",
    "escitalopram.plasma", "venlafaxine.plasma", "bupropion.plasma", "sertraline.plasma",
    "monoamines.sert_occupancy", "monoamines.adaptation", "monoamines.relief",
    "benzodiazepine.diazepam_plasma", "benzodiazepine.midazolam_plasma", "benzodiazepine.gaba", "benzodiazepine.relief",
    "psychotherapy.drive", "stress.load", "inflammation.load",
    "mood.symptom", "mood.madrs", "mood.drug_part",
)  # fmt: skip


def simulate_course(
    course: Course,
    *,
    patients: int,
    weeks: float = 8.0,
    seed: int = 1,
    replicate: int = 0,
    population: Population | pd.DataFrame | None = None,
    variant: str | None = None,
    typical: Mapping[str, float] | None = None,
    outputs: Sequence[str] = KEPT,
    visits_h: Sequence[float] | None = None,
    extra_h: Iterable[float] = (),
    progress: Callable[[float], None] | None = None,
    device: str = "cpu",
) -> CourseRun:
    """Put a virtual population through a course.

    Args:
        course: what is done.
        patients: number of virtual patients, > 0.
        weeks: horizon, > 0.
        seed: the same seed gives the same people with the same luck in every arm.
        replicate: number of the replicate; another one gives other people.
        population: who is drawn (default: people with treatment-resistant depression), or a ready table of people.
        variant: a rival mechanism (see `systems.variants`).
        typical: typical parameter values that replace the fitted ones, by full name.
        outputs: outputs of the model to keep; pass `("all",)` for every one.
        visits_h: times of the visits (h), instead of the usual ones and the denser clock.
        extra_h: further times (h) to keep.
        progress: called with the share done.
        device: "cpu", or "cuda" for the first GPU.
    """
    return Arm(
        course, patients=patients, weeks=weeks, seed=seed, replicate=replicate, population=population, variant=variant,
        outputs=outputs, visits_h=visits_h, extra_h=extra_h, device=device,
    ).run(typical, progress)  # fmt: skip


class Arm:
    """A course and the people who go through it, ready to run, also again with other parameter values."""

    def __init__(
        self,
        course: Course,
        *,
        patients: int,
        weeks: float = 8.0,
        seed: int = 1,
        replicate: int = 0,
        population: Population | pd.DataFrame | None = None,
        variant: str | None = None,
        outputs: Sequence[str] = KEPT,
        visits_h: Sequence[float] | None = None,
        extra_h: Iterable[float] = (),
        rtol: float = 1e-5,
        device: str = "cpu",
        first: int = 0,
        threads: int | None = None,
    ) -> None:
        """Arguments as of `simulate_course`.

        `rtol` is the engine's relative tolerance; `first` is the number of the first patient, a multiple of LANES, for
        whoever simulates a population block by block; `threads` as for `Engine`.
        """
        if first % LANES:
            raise ValueError(f"first must be a multiple of {LANES}, not {first}")
        faults = []
        if patients < 1:
            faults.append(Fault("patients", f"{patients} patients cannot be simulated", "at least 1"))
        if not (np.isfinite(weeks) and weeks > 0):
            faults.append(Fault("weeks", f"a horizon of {weeks} weeks is empty", "more than 0"))
        if faults:
            raise InputError(faults)
        self.course, self.weeks = course, weeks
        self.horizon = round(weeks * 168.0, 6)  # 3096 h are 18.4... weeks, and these a hair less than 3096 h
        self.seed, self.replicate, self.asked = seed, replicate, patients
        # Whole groups of lanes are always simulated, with real people in them, so that one more patient changes
        # nobody's step size.
        self.who = range(first, first + -(-patients // LANES) * LANES)
        self.model, self.variant = compiled(variant, rtol, threads, device), variant
        if population is None or isinstance(population, Population):
            self.people = (population or load_population()).draw(seed, replicate, self.who)
        else:
            # A ready table fills what it lacks of the last group with copies of the last row asked for.
            rows = np.arange(len(self.who))
            rows[max(patients, len(population)) :] = patients - 1
            self.people = population.iloc[rows % len(population)].reset_index(drop=True)
        prog = self.model.program
        self.outputs = prog.outputs if tuple(outputs) == ("all",) else tuple(dict.fromkeys((*outputs, "mood.madrs")))
        self.visits = visits(weeks) if visits_h is None else [(t, label(t)) for t in sorted(visits_h)]
        at = np.array([v[0] for v in self.visits])
        dense = clock(course, weeks) if visits_h is None else np.empty(0)
        self.time_h = np.union1d(np.union1d(at, dense), np.array(list(extra_h), float))
        self.regimen, self.decisions = course.regimen(weeks), course.decisions(weeks)
        if self.decisions:  # people are rated then, whether or not the tables show it
            rated = np.array([0.0, *(d.time_h for d in self.decisions)])
            lag = rated - self.time_h[np.maximum(np.searchsorted(self.time_h, rated, side="right") - 1, 0)]
            self.time_h = np.union1d(self.time_h, rated[(lag < 0) | (lag > 1e-6)])
        self.visit_index = np.searchsorted(self.time_h, at)
        self._clear([self._block()])

    def _block(self, typical: Mapping[str, float] | None = None, noise: Mapping[str, float] | None = None) -> Block:
        """This arm's own people."""
        return Block(self.people, self.who, replicate=self.replicate, typical=typical, noise=noise or {})

    def _clear(self, blocks: Sequence[Block]) -> None:
        """Nothing done yet; the people of the blocks stand one block after the other."""
        self.blocks, self.actions = list(blocks), Actions()
        self.starts = np.cumsum([0, *(len(one.people) for one in blocks)]).tolist()
        self.weight, self.baseline = (
            np.concatenate([one.people[name].to_numpy(float) for one in blocks]) for name in ("WT", "baseline_madrs")
        )
        self.given: list[tuple[IntArray, Administration, FloatArray, str]] = []
        self.status = np.zeros(self.starts[-1], np.int64)
        self.problems: dict[int, str] = {}  # by patient
        self._session_ends: dict[str, FloatArray] = {}
        self._first_device: dict[int, float] = {}  # time of a session's first nasal device, h

    def parameters(self, typical: Mapping[str, float] | None = None) -> FloatArray:
        """Parameter slots [slots, patients] of this arm's people."""
        return parameters(self.model, self.people, self.seed, self.replicate, self.who, typical)

    def trajectories(
        self, typical: Mapping[str, float] | None = None, progress: Callable[[float], None] | None = None
    ) -> FloatArray:
        """Outputs [patients, times, outputs], at `typical` parameter values where given."""
        return self.trajectories_of([self._block(typical)], progress=progress)

    def trajectories_of(
        self,
        blocks: Sequence[Block],
        conduct: Conduct | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> FloatArray:
        """Outputs [people of all blocks, times, outputs]; `conduct` acts on the same people in the same order."""
        return self._run(self._begin(blocks), conduct, progress)

    def planned(self, block: Block) -> tuple[FloatArray, Actions]:
        """Parameter slots [slots, people] of a block, and all that the course plans for them; nothing is run."""
        ledger = self._begin([block])
        for given in ledger.planned(0.0, self.horizon):
            self.session(given)
        return self.slots, self.actions

    def _begin(self, blocks: Sequence[Block]) -> Ledger:
        """The people of the blocks, with what they take besides sessions; the ledger of the sessions to come."""
        self._clear(blocks)
        self.slots, self.routes = np.hstack([self._parameters_of(one) for one in blocks]), {}
        everyone = np.arange(len(self.status))
        for a in self.regimen.administrations:
            if a.session is None:
                self.give(everyone, a, "planned")
        for s in self.regimen.signals:
            if not s.name.endswith("_session"):  # those come with the sessions that are really given
                self.signal(everyone, s)
        return Ledger(len(everyone), self.regimen.administrations)

    def _parameters_of(self, block: Block) -> FloatArray:
        """Parameter slots [slots, people] of a block."""
        keep = np.arange(len(block.who)) if block.keep is None else block.keep
        return parameters(
            self.model, block.people, self.seed, block.replicate, block.who, block.typical, keep, block.luck
        )

    def run(
        self, typical: Mapping[str, float] | None = None, progress: Callable[[float], None] | None = None
    ) -> CourseRun:
        """Simulate, and read the scores."""
        return self._result(self.trajectories(typical, progress), 0)

    def run_each(
        self,
        typical: Sequence[Mapping[str, float]],
        progress: Callable[[float], None] | None = None,
        noise: Sequence[Mapping[str, float]] = (),
    ) -> list[CourseRun]:
        """What `run` gives for each of these, simulated together: the same people, once for each.

        `noise` replaces numbers of the measurement (`clinic.scale.measure`), one entry for each of `typical`.
        """
        blocks = [self._block(one, noise[k] if noise else None) for k, one in enumerate(typical)]
        values = self.trajectories_of(blocks, progress=progress)
        return [self._result(values, block) for block in range(len(typical))]

    # -- what is done
    def session(self, given: Given) -> None:
        """One session of a group of patients: its intakes and what they make people expect."""
        for a in given.intakes:
            self.give(given.who, a, given.reason)
        signals = session_signals(given.intakes, self.horizon, self.course.blinding)
        for s in signals:
            self.signal(given.who, s)
        for s in signals:
            if s.value:
                self._keep_on(given.who, s)

    def _session_without(self, given: Given, conduct: Conduct | None) -> None:
        """A planned session without those who miss it."""
        number, time_h = given.intakes[0].session, given.intakes[0].time_h
        missed = None if conduct is None or number is None else conduct.missed(number, time_h)
        if missed is not None:
            given = Given(given.who[~missed[given.who]], given.intakes, given.reason)
        if len(given.who):
            self.session(given)

    def _keep_on(self, who: IntArray, s: Signal) -> None:
        """Where two sessions overlap, the end of the earlier one does not end the other: it is on again at once."""
        ends = self._session_ends.setdefault(s.name, np.full(len(self.status), -np.inf))
        before, end = ends[who], s.time_h + SESSION_H
        first = np.minimum(before, end)
        on = (first > s.time_h) & (before != end)
        self.actions.set(who[on], first[on], self.model.program.slot[s.name], s.value)
        ends[who] = np.maximum(before, end)

    def signal(self, who: IntArray, s: Signal) -> None:
        """Set an input of the model for these patients."""
        self.actions.set(who, s.time_h, self.model.program.slot[s.name], s.value)

    def give(self, who: IntArray, a: Administration, reason: str) -> None:
        """Unfold one intake into actions for these patients."""
        mg = a.amount * self.weight[who] if a.per_kg else np.full(len(who), a.amount)
        self.given.append((who, a, mg, reason))
        if a.drug in INERT:
            return
        route = self._route_name(a)
        for full, share in ROUTES[a.drug, route]:
            parts, lag = self._route(full)
            for state, fraction, over in parts:
                amount, start = mg * share * fraction[who], a.time_h + lag[who]
                duration = np.full(len(who), a.over_h) if over is None else over[who]
                if (duration > 0).all():
                    self.actions.infusion(who, start, self.model.program.slot[f"rate:{state}"], amount, duration)
                else:
                    self.actions.bolus(who, start, self.model.program.state[state], amount)

    def _route_name(self, a: Administration) -> str:
        """The second and later nasal devices of a session deliver less: they have a route of their own."""
        if a.route == "nasal-device" and a.session is not None:
            first = self._first_device.setdefault(a.session, a.time_h)
            return "nasal-device-later" if first < a.time_h else a.route
        return a.route

    def _route(self, full: str) -> tuple[list[tuple[str, FloatArray, FloatArray | None]], FloatArray]:
        """States, fractions [patients] and durations of a route, and its lag [patients]."""
        if full not in self.routes:
            prog = self.model.program
            route = prog.model.routes[full]
            exprs = [f for _, f, _ in route.into] + [o for _, _, o in route.into if o is not None]
            exprs += [route.lag] if route.lag is not None else []
            n = len(self.status)
            found = [np.broadcast_to(v, n) for v in numpy_function(exprs, prog.y, prog.p)(np.empty((0, n)), self.slots)]
            fractions, rest = found[: len(route.into)], iter(found[len(route.into) :])
            into = zip(route.into, fractions, strict=True)
            parts = [(state, f, None if over is None else next(rest)) for (state, _, over), f in into]
            self.routes[full] = parts, next(rest, np.zeros(n))
        return self.routes[full]

    # -- running
    def _run(self, ledger: Ledger, conduct: Conduct | None, progress: Callable[[float], None] | None) -> FloatArray:
        """Run from decision to decision; each is taken on the scores measured at its visit."""
        values = np.empty((0, 0, 0))
        moments = set(conduct.times_h if conduct else ())
        doing = Doing(self, ledger)
        stops = sorted({d.time_h for d in self.decisions} | {self.horizon} | moments)
        pause, begin = None, 0.0
        for stop in stops:
            for given in ledger.planned(begin, stop):
                self._session_without(given, conduct)
            values, pause = self._advance(values, pause, stop)
            for d in self.decisions:
                if d.time_h == stop:
                    holds = d.condition.holds(*self._scores_at(values, stop))
                    for given in ledger.decide(d, holds & (self.status == 0)):
                        self.session(given)
            if conduct and stop in moments:
                doing.values = values
                conduct.at(stop, *self._scores_at(values, stop), doing)
            begin = stop
            if progress:
                progress(stop / self.horizon)
        return values

    def _advance(self, values: FloatArray, pause: PartPause | None, stop: float) -> tuple[FloatArray, PartPause]:
        """Go on until `stop`: the values so far with those of the further times, and where the engine stands."""
        begin = -1.0 if pause is None else pause.time
        chosen = np.flatnonzero((self.time_h > begin) & (self.time_h <= stop))
        wanted = [self.model.program.output[name] for name in self.outputs]
        result = self.model.engine.run(self.slots, self.actions, self.time_h[chosen], wanted, start=pause, until=stop)
        if len(chosen) == len(self.time_h):  # all at once: no copy of what may be large
            values = result.values
        else:
            values = values if values.size else np.full((len(self.status), len(self.time_h), len(wanted)), np.nan)
            values[:, chosen] = result.values
        numbers = [np.array(one.who)[slice(None) if one.keep is None else one.keep] for one in self.blocks]
        lines = result.failures(np.concatenate(numbers).tolist())
        for i, problem in zip(np.flatnonzero(result.status).tolist(), lines, strict=True):
            self.problems.setdefault(i, problem)
        self.status = np.where(self.status == 0, result.status, self.status)
        return values, result.end

    # -- reading
    def _scores_at(self, values: FloatArray, time: float) -> tuple[ScoresByScale, ScoresByScale]:
        """Measured scores at the time of a decision, and measured baselines; a table with this visit shows the same."""
        at = np.searchsorted(self.time_h, [0.0, time], side="right") - 1
        true = [self.true_scores(values, block, at) for block in range(len(self.blocks))]

        def column(name: str, which: int) -> FloatArray:
            pairs = zip(true, self.blocks, strict=True)
            found = [self.measured(name, some, self.time_h[at], of) for some, of in pairs]
            return np.concatenate(found)[:, which]

        return ByScale(lambda name: column(name, 1)), ByScale(lambda name: column(name, 0))

    def true_scores(self, values: FloatArray, block: int, at: IntArray) -> FloatArray:
        """True MADRS [people, times] of a block at these places of `time_h`, with what a trial has of its own."""
        here = slice(self.starts[block], self.starts[block + 1])
        madrs = values[here, at, self.outputs.index("mood.madrs")]
        own = self.blocks[block].own
        if own == (0.0, 0.0):
            return madrs
        drug = values[here, at, self.outputs.index("mood.drug_part")]
        return moved(madrs, drug, self.baseline[here], own)

    def measured(self, name: str, madrs: FloatArray, times: FloatArray, of: Block) -> FloatArray:
        """Measured scores [people, times] of a block on a scale, from true MADRS at these times."""
        baseline = of.people["baseline_madrs"].to_numpy(float)[:, None]
        error = 0.0 if of.error is None else of.error(times)
        noise = measurement(self.variant) | dict(of.noise)
        return scale.measure(
            madrs, times, of.who, self.seed, of.replicate, name, baseline, keep=of.keep, error=error, **noise
        )

    def _result(self, values: FloatArray, block: int) -> CourseRun:
        """The run of one block of this arm's own people."""
        n, start = self.asked, block * len(self.who)
        madrs = self.true_scores(values, block, self.visit_index)
        values = values[start : start + len(self.who)]
        columns = {name: values[:n, :, k].astype(np.float32) for k, name in enumerate(self.outputs)}
        baseline = self.baseline[: len(self.who), None]
        given, visit_h, of = self.given, self.time_h[self.visit_index], self.blocks[block]
        return CourseRun(
            arm=self.course.name,
            course=self.course,
            population=self.people.iloc[:n],
            time_h=self.time_h,
            visit=[v[1] for v in self.visits],
            visit_index=self.visit_index,
            values=columns,
            measured=ByScale(lambda name: self.measured(name, madrs, visit_h, of)[:n]),
            true=ByScale(lambda name: scale.convert(madrs, baseline, name)[:n]),
            make_doses=lambda: dose_table(given, range(start, start + n)),
            status=self.status[start : start + n],
            problems=[text for i, text in sorted(self.problems.items()) if start <= i < start + n],
        )
