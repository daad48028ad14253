"""Pharmacokinetics of a ketamine course for NONMEM: a dataset of simulated people and a control stream.

Names of columns are NONMEM's; RTE is ours and says by which route a dose came, as its fractions and durations follow
from that. Amounts are what a route receives: availability (F) and duration (D) stand in $PK. NONMEM is not here: the
control stream was never run by it.

Source of the rules: NONMEM Users Guide IV (NM-TRAN) and VI (PREDPP).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from afterglow.clinic.course import Course
from afterglow.clinic.regimen import Administration
from afterglow.compile.nmtran import PlacedSystem, individual
from afterglow.errors import Fault, InputError
from afterglow.lang import Model
from afterglow.simulate import Arm
from afterglow.systems.ketamine import R_KETAMINE, Ketamine
from afterglow.systems.whole import COVARIATES, ROUTES

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
RTOL = 1e-9  # so that a reader of the dataset finds the same curve to six digits
FORMS = {"ketamine_s": "_S", "ketamine_r": "_R"}
SEEN = ("plasma", "norketamine")  # what is measured, by compartment
SEEN_IN = {"plasma": "central", "norketamine": "nk_central"}
FIRST_H = (1 / 12, 0.25, 0.5, 2 / 3, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0)  # after the first session
LATER_H = (2 / 3, 2.0, 24.0)  # after every other
COLUMNS = ("ID", "TIME", "AMT", "RATE", "EVID", "CMT", "DV", "MDV", "RTE", "WT", "AGE", "SEXF", "SIM")
# Routes by number of RTE.
RTE = {
    "iv": 1, "im": 2, "sc": 3, "nasal_device_first": 4, "nasal_device_later": 5, "nasal_atomiser": 6, "sublingual": 7,
    "oral": 8,
}  # fmt: skip
PROPORTIONAL = 0.2  # SD of the residual error in the control stream: assumed, the data have none


class NonmemExport:
    """A course in virtual people, as NONMEM sees it.

    Attributes:
        parts: the enantiomers that are given, by full name.
        left_out: drugs of the course that are not part of the kinetics.
    """

    def __init__(self, course: Course, patients: int, weeks: float, seed: int, threads: int | None = None) -> None:
        """Simulate the people.

        Raises:
            InputError: the course gives no ketamine, or the numbers make no sense.
        """
        drugs = {a.drug for a in course.regimen(weeks).administrations if weeks > 0}
        drugs |= {d.drug for d in course.decisions(weeks) if d.action == "give"} if weeks > 0 else set()
        given = {full.split(".")[0] for (d, _), parts in ROUTES.items() if d in drugs for full, _ in parts}
        self.parts = [name for name in FORMS if name in given]
        self.left_out = sorted(d for d in drugs if not self._kinetic(d))
        faults = []
        if weeks > 0 and not self.parts:
            faults.append(Fault(course.name, "gives no ketamine", "choose a course with ketamine or esketamine"))
        if patients < 1:
            faults.append(Fault("--patients", f"{patients} patients", "at least 1"))
        if not (np.isfinite(weeks) and weeks > 0):
            faults.append(Fault("--weeks", f"a horizon of {weeks} weeks is empty", "more than 0"))
        if faults:
            raise InputError(faults)
        self.course = course
        starts = [t for t, _ in course.sessions(weeks)]
        times = {s + h for k, s in enumerate(starts) for h in (LATER_H if k else FIRST_H)}
        self.outputs = [f"{part}.{what}" for part in self.parts for what in SEEN]
        self.arm = Arm(
            course, patients=patients, weeks=weeks, seed=seed, outputs=self.outputs, rtol=RTOL, threads=threads,
            visits_h=sorted({0.0, *(round(t, 9) for t in times if t <= weeks * 168.0)}),
        )  # fmt: skip
        self.patients = patients
        self.values = self.arm.trajectories()[:patients]

    @staticmethod
    def _kinetic(drug: str) -> bool:
        return any(d == drug and parts[0][0].split(".")[0] in FORMS for (d, _), parts in ROUTES.items())

    # -- the model
    @cached_property
    def model(self) -> Model:
        """The kinetics alone."""
        m = Model("pharmacokinetics")
        for part in self.parts:
            m.add(Ketamine, part, **(R_KETAMINE if part == "ketamine_r" else {}))
        return m

    @cached_property
    def compartments(self) -> list[str]:
        """States by number of compartment, from 1."""
        return [f"{part}.{state}" for part in self.parts for state in Ketamine.states]

    def parameters(self) -> dict[str, FloatArray]:
        """Everybody's own parameters and covariates by full name, [people]."""
        slots = self.arm.model.program.slot
        names = [n for n in slots if n.split(".")[0] in self.parts]
        return {name: self.arm.slots[slots[name], : self.patients] for name in names if not name.startswith("rate:")}

    def of_rows(self, what: str) -> dict[str, Callable[[pd.DataFrame], FloatArray]]:
        """Fraction ("F") or duration in h ("D") of each row's dose by compartment, for whoever reads the dataset."""
        names = {number: name for name, number in RTE.items()}

        def find(state: str, frame: pd.DataFrame) -> FloatArray:
            found = np.ones(len(frame)) if what == "F" else np.zeros(len(frame))
            for k, (who, rte) in enumerate(zip(frame["ID"], frame["RTE"], strict=True)):
                full = f"{state.split('.')[0]}.{names.get(int(rte), '')}"
                for name, fraction, over in self.arm.routes.get(full, ([], None))[0]:
                    if name == state:
                        value = fraction if what == "F" else over
                        found[k] = found[k] if value is None else value[int(who) - 1]
            return found

        return {state: lambda frame, state=state: find(state, frame) for state in self.compartments}

    # -- the dataset
    def dataset(self) -> pd.DataFrame:
        """All records, by person and time; at one time what is seen comes before what is given."""
        import pandas as pd

        rows = [*self._observations(), *self._doses()]
        table = pd.DataFrame(rows).sort_values(["ID", "TIME", "EVID"], kind="stable").reset_index(drop=True)
        people = self.arm.people.iloc[table["ID"].to_numpy() - 1]
        table = table.assign(SIM=1, **{name: people[name].to_numpy() for name in ("WT", "AGE", "SEXF")})
        return pd.DataFrame(table[list(COLUMNS)].astype({"SEXF": int}))

    def _observations(self) -> list[dict[str, Any]]:
        seen, found = self.arm.visit_index, []
        for output in self.outputs:
            part, what = output.split(".")
            cmt = self.compartments.index(f"{part}.{SEEN_IN[what]}") + 1
            for i in range(self.patients):
                for j in seen:
                    row = {"ID": i + 1, "TIME": self.arm.time_h[j], "EVID": 0, "CMT": cmt, "MDV": 0, "RTE": 0}
                    found.append(
                        row | {"AMT": np.nan, "RATE": np.nan, "DV": self.values[i, j, self.arm.outputs.index(output)]}
                    )
        return found

    def _doses(self) -> list[dict[str, Any]]:
        found = []
        for who, one, mg, _ in self.arm.given:
            for full, share in self._routes(one):
                route = full.split(".")[1]
                for state, _, over in self.arm.routes[full][0]:
                    cmt = self.compartments.index(state) + 1
                    for i in np.flatnonzero(who < self.patients):
                        amount = mg[i] * share
                        rate = -2.0 if over is not None else amount / one.over_h if one.over_h > 0 else 0.0
                        row = {"ID": int(who[i]) + 1, "TIME": one.time_h, "EVID": 1, "CMT": cmt, "MDV": 1}
                        found.append(row | {"RTE": RTE[route], "AMT": amount, "RATE": rate, "DV": np.nan})
        return found

    @cached_property
    def first_device(self) -> dict[int | None, float]:
        """Time of the first nasal device of each session, h."""
        found: dict[int | None, float] = {}
        for _, one, _, _ in self.arm.given:
            if one.route == "nasal-device":
                found[one.session] = min(one.time_h, found.get(one.session, np.inf))
        return found

    def _routes(self, one: Administration) -> list[tuple[str, float]]:
        """Full names of the routes of an intake with their shares, as the arm chose them when it gave it."""
        device = one.route == "nasal-device" and one.session is not None
        route = "nasal-device-later" if device and one.time_h > self.first_device[one.session] else one.route
        parts = ROUTES.get((one.drug, route), ())
        return [(full, share) for full, share in parts if full.split(".")[0] in FORMS]

    # -- the control stream
    def control(self, data: str) -> str:
        """The control stream for a dataset of this name."""
        return "\n".join(Control(self).lines(data)) + "\n"


class Control:
    """The control stream: one THETA a parameter, one ETA a spread, names without suffix where both forms share them."""

    def __init__(self, of: NonmemExport) -> None:
        self.of, self.systems, first = of, {}, 1
        several = len(of.parts) > 1
        covariates = {slot.split(".")[1]: column for column, slots in COVARIATES.items() for slot in slots
                      if slot.split(".")[0] in FORMS}  # fmt: skip
        for part in of.parts:
            suffix = FORMS[part] if several else ""
            placed = PlacedSystem(of.model.parts[part], first, suffix, covariates, R_KETAMINE)
            self.systems[part] = placed
            first += len(placed.compartments)
        self.used = sorted({full for full in of.arm.routes if full.split(".")[0] in of.parts})

    def lines(self, data: str) -> list[str]:
        """All records in the order that NM-TRAN wants."""
        systems = self.systems.values()
        out = [
            f"$PROBLEM {self.of.course.name}: simulated ketamine concentrations; never run by NONMEM",
            "$INPUT " + " ".join(COLUMNS),
            f"$DATA {data} IGNORE=@",
            "$SUBROUTINES ADVAN13 TOL=9",
            "$MODEL",
            *(f"  COMP=({name})" for one in systems for name in one.compartments),
            "",
            "$PK",
            *self._individuals(),
            *(line for part, one in self.systems.items() for line in one.fixed_lines(self._of_routes(part))),
            *self._routes(),
            "",
            "$DES",
            *(line for one in systems for line in one.rate_lines()),
            "",
            "$ERROR",
            *self._seen(),
            "Y = IPRED*(1 + ERR(1))",
            "",
            *(f"$THETA {text}" for text in self.thetas.values()),
            "",
            *(f"$OMEGA {size * size:.6g} ; {purpose}" for purpose, size in self.omegas.items()),
            f"$SIGMA {PROPORTIONAL**2:.6g} ; proportional, assumed: the data have no residual error",
            "",
            "$ESTIMATION METHOD=1 INTERACTION MAXEVAL=9999",
            "$TABLE ID TIME CMT DV IPRED NOPRINT ONEHEADER FILE=table.txt",
        ]
        return [f"  {line}" if line and not line.startswith(("$", " ")) else line for line in out]

    def _individuals(self) -> list[str]:
        """Typical values and those of a person; what both forms share stands once."""
        self.thetas: dict[str, str] = {}
        self.omegas: dict[str, float] = {}
        lines = []
        for part, one in self.systems.items():
            for name, p in one.params.items():
                spelled = one.spelled[name]
                if spelled in self.thetas:
                    continue
                value, number = self.of.arm.model.program.model.values[f"{part}.{name}"], len(self.thetas) + 1
                typical, eta = f"THETA({number})", ""
                if p.spread is not None:
                    size = self.omegas.setdefault(name, p.spread.size)
                    eta = f"ETA({list(self.omegas).index(name) + 1})"
                    eta = eta if size == p.spread.size else f"{p.spread.size / size:.10g}*{eta}"
                    lines.append(f"TV{spelled} = {typical}")
                    typical = f"TV{spelled}"
                lines.append(f"{spelled} = {individual(typical, p.spread, eta)}")
                bounds = f"(0, {value:.10g})" if p.spread is not None else f"{value:.10g} FIX"
                self.thetas[spelled] = f"{bounds} ; {number} {spelled} [{p.unit}] {p.meaning}"
        return lines

    def _of_routes(self, part: str) -> list[Any]:
        routes = [Ketamine.routes[full.split(".")[1]] for full in self.used if full.split(".")[0] == part]
        return [x for r in routes for x in (*r.fractions.values(), *r.over.values())]

    def _routes(self) -> list[str]:
        """F and D of the compartments that doses enter: 1 and 0 unless the route says otherwise."""
        entered, blocks = {}, []
        for full in self.used:
            part, name = full.split(".")
            one, route = self.systems[part], Ketamine.routes[name]
            inside = []
            for state, share in route.fractions.items():
                number = one.number[state.name]
                entered[number] = entered.get(number, False) or state in route.over
                inside.append(f"  F{number} = {one.say(share)}")
                if state in route.over:
                    inside.append(f"  D{number} = {one.say(route.over[state])}")
            blocks += [f"IF (RTE.EQ.{RTE[name]}) THEN ; {route.meaning}", *inside, "ENDIF"]
        start = [
            line for n, timed in sorted(entered.items()) for line in (f"F{n} = 1", *([f"D{n} = 1"] if timed else []))
        ]
        return start + blocks

    def _seen(self) -> list[str]:
        lines = ["IPRED = 0"]
        for one in self.systems.values():
            for what in SEEN:
                value = Ketamine.outputs[what].value
                number = one.number[SEEN_IN[what]]
                lines.append(f"IF (CMT.EQ.{number}) IPRED = {one.say(value, whole=True)}")
        return lines
