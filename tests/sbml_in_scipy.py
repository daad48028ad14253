"""SBML documents of rules and dated additions, solved by SciPy: a reader that shares nothing with ours but the file."""

import re
from pathlib import Path

import libsbml
import numpy as np
from scipy.integrate import solve_ivp

START = "from math import exp, log, tanh\nln = log\ndef piecewise(a, test, b): return a if test else b\n"


class Reader:
    """One document; `simulate` with other values of its parameters."""

    def __init__(self, path):
        self.document = libsbml.readSBMLFromString(Path(path).read_text(encoding="utf-8"))
        assert self.document.getNumErrors(libsbml.LIBSBML_SEV_ERROR) == 0
        m = self.sheet = self.document.getModel()
        self.settings = libsbml.L3ParserSettings()
        self.settings.setParseUnits(False)
        self.values = {p.getId(): p.getValue() for p in list(m.getListOfParameters())}
        self.once = [(x.getSymbol(), self.said(x)) for x in list(m.getListOfInitialAssignments())]
        rules = list(m.getListOfRules())
        self.always = [(x.getVariable(), self.said(x)) for x in rules if x.isAssignment()]
        rates = [(x.getVariable(), self.said(x)) for x in rules if x.isRate()]
        self.states = [name for name, _ in rates]
        functions = "".join(self.function(f) for f in list(m.getListOfFunctionDefinitions()))
        self.changing = sorted({a.getVariable() for e in list(m.getListOfEvents()) for a in self.assignments(e)})
        self.events = sorted(self.event(e) for e in list(m.getListOfEvents()))
        self.scope = {}
        exec(START + functions, self.scope)
        self.ordered = self.sorted([*self.once, *self.always], set(self.states))
        inside = self.sorted(self.always, set())
        body = [f"    {name} = {text}" for name, text in inside]
        slots = [name for name in self.changing if name not in self.states]
        body.insert(0, "".join(f"    {', '.join(x)}, = {y}\n" for x, y in ((self.states, "y"), (slots, "u")) if x))
        body.append("    return [" + ", ".join(text for _, text in rates) + "]")
        body.append("")
        wanted = [name for name, _ in self.always]
        self.slots = slots
        self.code = "\n".join(["def rate(t, y, u):", *body])
        self.look = "\n".join(
            ["def look(y, u):", *body[:-2], "    return {" + ", ".join(f"'{n}': {n}" for n in wanted) + "}"]
        )

    @staticmethod
    def assignments(event):
        return list(event.getListOfEventAssignments())

    def said(self, x):
        return self.python(libsbml.formulaToL3StringWithSettings(x.getMath(), self.settings))

    @staticmethod
    def python(text):
        text = re.sub(r"\s+(dimensionless|unit__\d+|[a-z]+__unit)\b", "", text)
        return text.replace("^", "**").replace("&&", " and ").replace("||", " or ")

    def function(self, f):
        names = [f.getArgument(k).getName() for k in range(f.getNumArguments())]
        body = self.python(libsbml.formulaToL3StringWithSettings(f.getBody(), self.settings))
        return f"def {f.getId()}({', '.join(names)}): return {body}\n"

    def event(self, e):
        found = re.fullmatch(r"time >= ([-+0-9.e]+)", self.said(e.getTrigger()))
        assert found, self.said(e.getTrigger())
        return float(found[1]), [(a.getVariable(), self.said(a)) for a in self.assignments(e)]

    @staticmethod
    def sorted(pairs, _states):
        """In an order in which each knows what it needs."""
        left, done, names = list(pairs), [], {name for name, _ in pairs}
        while left:
            ready = [p for p in left if not (set(re.findall(r"[A-Za-z_]\w*", p[1])) & names)]
            assert ready, "assignments that need each other"
            done += ready
            names -= {name for name, _ in ready}
            left = [p for p in left if p not in ready]
        return done

    def simulate(self, times, wanted, values=None, rtol=1e-10):
        """Wanted symbols [times, wanted]; what is dated at a time is done after it was looked at."""
        scope = {**self.scope, **self.values, **(values or {})}
        for name, text in self.ordered:
            scope[name] = eval(text, scope)
        exec(self.code + "\n" + self.look, scope)
        y, u, now, seen = np.array([scope[s] for s in self.states]), [scope[s] for s in self.slots], 0.0, []
        events = [e for e in self.events if e[0] <= max(times)]
        for stop in sorted({*times, *(t for t, _ in events)}):
            if stop > now:
                found = solve_ivp(scope["rate"], (now, stop), y, "LSODA", args=(u,), rtol=rtol, atol=1e-12)
                assert found.success, found.message
                y, now = found.y[:, -1], stop
            if stop in times:
                here = {**dict(zip(self.states, y, strict=True)), **scope["look"](list(y), u)}
                seen.append([here[name] for name in wanted])
            for _, assigned in (e for e in events if e[0] == stop):
                state, slot = dict(zip(self.states, y, strict=True)), dict(zip(self.slots, u, strict=True))
                for name, text in assigned:
                    new = eval(text, scope, {**state, **slot})
                    if name in slot:
                        slot[name] = new
                    else:
                        state[name] = new
                y, u = np.array([state[s] for s in self.states]), [slot[s] for s in self.slots]
        return np.array(seen)
