"""Long-term safety: exposure over months, its load on the bladder, and how often the drug is taken.

QUALITATIVE. Harm to the bladder and dependence are known from heavy recreational use, not from treatment; the levels
at which risks rise are assumed. Use the outputs to compare courses and to see the distance from heavy use, not as
rates. One unit of exposure is one infusion of 0.5 mg/kg racemate in a person of 70 kg.
"""

from math import inf

from afterglow.lang import Input, Output, Param, State, System, hill, to


class LongTermSafety(System):
    """Exposure, bladder load and an indicator of misuse."""

    # what comes in
    s_plasma = Input("ng/mL", "S-ketamine in plasma", default=0.0)
    r_plasma = Input("ng/mL", "R-ketamine in plasma", default=0.0)

    # what changes
    total = State("1", "exposure so far, in infusions", bounds=(0.0, inf), size=5.0)
    bladder = State("1", "exposure that the bladder has not recovered from, in infusions", bounds=(0.0, inf), size=5.0)
    habit = State("1", "exposure of the last weeks, in infusions", bounds=(0.0, inf), size=5.0)

    # what is known
    one_infusion = Param(379.0, "ng*h/mL", "exposure by one infusion of 0.5 mg/kg", source="derived.AUC_infusion")
    tau_bladder = Param(
        90.0, "d", "recovery of the bladder: most improve after stopping, time unknown", source="assumed"
    )
    bladder_half = Param(
        1000.0, "1", "bladder load of half the risk: months of grams a day, not of weekly infusions", source="assumed"
    )
    tau_habit = Param(30.0, "d", "memory for frequent use", source="assumed")
    habit_half = Param(60.0, "1", "infusions a month of half the risk: two a day", source="assumed")
    steepness = Param(2.0, "1", "steepness of both risks", source="assumed")

    # how it changes
    rate = (s_plasma + r_plasma) / one_infusion
    total.dot = rate
    bladder.dot = rate - bladder / to(tau_bladder, "h")
    habit.dot = rate - habit / to(tau_habit, "h")

    # what goes out
    exposure = Output(total, "1", "exposure so far, in infusions of 0.5 mg/kg")
    bladder_load = Output(bladder, "1", "exposure the bladder has not recovered from, in infusions of 0.5 mg/kg")
    bladder_risk = Output(hill(bladder, bladder_half, steepness), "1", "urinary warning, 0 none to 1; qualitative")
    misuse_risk = Output(hill(habit, habit_half, steepness), "1", "misuse warning, 0 none to 1; qualitative")
