"""Psychotherapy: what is practised in a session and after it drives belief to change.

Practice outlasts a session by a day or two; the alliance grows from session to session. Neither knows of any drug:
with the plasticity window shut the drive is that of therapy alone, whatever was given before. While the window is
open defences soften, and the same practice drives belief harder.
"""

from afterglow.lang import Input, Output, Param, State, System, hill, logitnormal, lognormal, maximum, to


class Psychotherapy(System):
    """Work as in cognitive behavioural therapy: sessions and their homework."""

    # what comes in
    session = Input("1", "1 during a session, 0 otherwise", default=0.0)
    window = Input("1", "plasticity window, 0 shut to 1 wide open", default=0.0)
    negative_belief = Input("1", "negative belief, 1 = untreated depression", default=1.0)

    # what is known
    first_alliance = Param(
        0.5, "1", "engagement in the first session", source="assumed", spread=logitnormal(0.8), bounds=(0, 1)
    )
    tau_practice = Param(1.5, "d", "practice fades after a session", source="assumed")
    pick_up = Param(0.4, "h", "time in which a session brings practice up", source="assumed")
    build = Param(
        0.15, "1/h", "growth of the alliance during sessions: two thirds of what is possible in 8", source="assumed"
    )
    tau_alliance = Param(60.0, "d", "fading of the alliance without sessions", source="assumed")
    half_open = Param(
        0.15, "1", "window at which defences begin to give: met in the first days after an infusion", source="assumed"
    )
    n_open = Param(2.0, "1", "steepness of that: a closing window soon counts as shut", source="assumed")
    softening = Param(0.8, "1", "share of the defences that an open window softens", source="assumed", bounds=(0, 1))
    tau_defences = Param(12.0, "h", "softening and return of defences", source="assumed")
    in_window = Param(
        1.5, "1", "drive added in an open window without defences", source="assumed", spread=lognormal(cv=0.4)
    )

    # what changes
    practice = State("1", "what was worked on in sessions and is practised", bounds=(0, 1), size=0.5)
    alliance = State("1", "alliance beyond the first session's", bounds=(0, 1), size=0.3)
    defences = State("1", "defences, 1 = those of untreated depression", init=1.0, bounds=(0, 2), size=0.5)

    # how it changes
    opened = hill(window, half_open, n_open)
    practice.dot = session * (1 - practice) / pick_up - practice / to(tau_practice, "h")
    alliance.dot = build * session * (1 - alliance) - alliance / to(tau_alliance, "h")
    defences.dot = (negative_belief * (1 - softening * opened) - defences) / tau_defences

    engaged = first_alliance + (1 - first_alliance) * alliance

    # what goes out
    engagement = Output(engaged, "1", "engagement, 0 to 1")
    drive = Output(
        practice * engaged * (1 + in_window * opened * maximum(1 - defences, 0.0)),
        "1",
        "learning drive on belief; 1 = full practice and engagement with the window shut",
    )
