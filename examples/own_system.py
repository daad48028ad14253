"""A system of one's own, wired to the whole model: sleep gained a night follows synaptic strength with a lag.

All its numbers are made up, to show the form. Run: python own_system.py
"""

import pandas as pd

from afterglow.data.fitted import fitted_values
from afterglow.event_run import EventModel
from afterglow.lang import Input, Output, Param, State, System, hill
from afterglow.systems.whole import whole


class Sleep(System):
    """Sleep gained a night."""

    # what comes in
    strength = Input("1", "fast gain of synapses")

    # what is known
    most = Param(1.5, "h", "sleep gained at full strength", source="assumed")
    half = Param(0.2, "1", "strength that gives half of it", source="assumed")
    tau = Param(36.0, "h", "lag of sleep behind synapses", source="assumed")

    # what changes, and how
    gained = State("h", "sleep gained a night", size=0.5)
    gained.dot = (most * hill(strength, half, 2) - gained) / tau

    # what goes out
    sleep = Output(gained, "h", "sleep gained a night")


model = whole()
mine = model.add(Sleep, "sleep")
model.wire(model.parts["synapses"].fast, mine.strength)
fitted = {name: value for name, value in fitted_values().items() if name.split(".")[0] in model.parts}
model.fixed = fitted | model.fixed  # the calibrated numbers in place of those the fit began from

# 0.5 mg/kg over 40 minutes in 80 kg: half S-, half R-ketamine, mg and mg/h. Then looks at later times.
halves = [
    {"ID": 1, "TIME": 0, "EVID": 1, "CMT": f"ketamine_{form}.central", "AMT": 20, "RATE": 30} for form in ("s", "r")
]
looks = [{"ID": 1, "TIME": hours, "EVID": 0} for hours in (0.67, 4, 24, 72, 168, 336)]
run = EventModel(model).run(pd.DataFrame(halves + looks))
seen = run.frame.loc[run.frame["EVID"] == 0, ["TIME", "sleep", "madrs"]]
print(seen.round(2).to_string(index=False))
