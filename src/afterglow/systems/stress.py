"""Stress: life events and a negative outlook charge a slow load, as the stress hormones do.

An event raises an alarm within a day; the load follows over one to three weeks and falls as slowly. Belief feeds
back: as it lightens the load falls below that of untreated depression, as it darkens the load rises. The load is
counted from the untreated state, where it is zero.
"""

from afterglow.lang import Input, Output, Param, State, System, lognormal


class Stress(System):
    """Stress load of the hypothalamic-pituitary-adrenal axis."""

    # what comes in
    life_stress = Input("1", "0 ordinary life, 1 a severe stressful episode", default=0.0)
    negative_belief = Input("1", "negative belief, 1 = untreated depression", default=1.0)

    # what changes
    alarm = State("1", "alarm raised by life and outlook", bounds=(-1, 10), size=0.5)
    strain = State("1", "stress load above that of untreated depression", bounds=(-1, 10), size=0.3)

    # what is known
    reactivity = Param(1.0, "1", "load of a severe episode that lasts", source="assumed", spread=lognormal(cv=0.4))
    feedback = Param(
        0.3, "1", "load that comes with the negative belief of untreated depression", source="assumed", bounds=(0, 0.9)
    )
    tau_alarm = Param(1.0, "d", "alarm: hormones settle within a day", source="assumed")
    tau_load = Param(12.0, "d", "load: one to three weeks", source="assumed", bounds=(5, 30))

    # how it changes
    alarm.dot = (reactivity * life_stress + feedback * (negative_belief - 1) - alarm) / tau_alarm
    strain.dot = (alarm - strain) / tau_load

    # what goes out
    load = Output(strain, "1", "stress load above that of untreated depression; 1 = a severe episode that lasts")
