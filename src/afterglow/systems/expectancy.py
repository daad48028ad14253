"""Expectancy: what a person believes they got, and what being in care does.

Each session sets expectancy anew, to a level that depends on what is felt and told. An infusion of ketamine that cannot
be felt counts as an inert one; the more it is felt, the more it counts as an active one, and dissociation tells the
person that it was the drug (unblinding). The day of a session lifts mood for some hours whatever is given. Care itself
(visits, ratings, hope) brings relief over weeks. All relief is on the log scale: symptoms are multiplied by
exp(-relief).
"""

from afterglow.lang import Input, Output, Param, State, System, hill, lognormal, to


class Expectancy(System):
    """Relief by expectation and by care."""

    # what comes in
    iv_session = Input("1", "1 during a session with an infusion or injection of ketamine", default=0.0)
    nasal_session = Input(
        "1", "1 during a session with a spray, a tablet under the tongue or a swallowed dose", default=0.0
    )
    saline_session = Input("1", "1 during an inert infusion", default=0.0)
    midazolam_session = Input("1", "1 during an infusion of midazolam", default=0.0)
    open_label = Input("1", "1 when the person knows what they get", default=0.0)
    masked = Input("1", "1 when the person cannot feel what they get, as under anaesthesia", default=0.0)
    contact = Input("1", "1 while in care: visits and ratings", default=0.0)
    remote_raters = Input("1", "1 when blinded remote raters score, as in multicentre trials", default=0.0)
    dissociation = Input("1", "acute dissociation, 0 to 1")

    # what is known
    trait = Param(
        1.0, "1", "how much this person expects, median person", source="assumed", spread=lognormal(omega=0.6)
    )
    k_active = Param(0.35, "1", "expectancy set by an infusion that can be felt", source="fitted")
    k_saline = Param(0.06, "1", "expectancy set by an inert infusion", source="fitted")
    k_nasal = Param(0.25, "1", "expectancy set by a spray", source="fitted")
    k_open = Param(0.06, "1", "added when the person knows what they get", source="assumed")
    k_unblind = Param(0.09, "1", "added when the person recognises the drug", source="fitted")
    lift = Param(0.2, "1", "lift of the day of a session itself, the same whatever is given", source="fitted")
    half_felt = Param(0.1, "1", "recognition at which an infusion half counts as one that is felt", source="assumed")
    recognition = Param(3.0, "1/h", "speed of recognising the drug in full dissociation", source="assumed")
    tau_session = Param(0.25, "h", "speed at which a session sets expectancy", source="assumed")
    tau_acute = Param(10.0, "h", "decay of that lift", source="assumed")
    tau_expectancy = Param(6.0, "d", "decay of lasting expectancy", source="fitted", bounds=(1, 60))
    tau_memory = Param(30.0, "d", "forgetting that the drug was recognised", source="assumed")
    care = Param(0.15, "1", "relief by care, median person; skewed", source="fitted", spread=lognormal(omega=1.2))
    tau_care = Param(14.0, "d", "build-up of relief by care", source="assumed")

    # what changes
    recognised = State("1", "belief that it was the drug", bounds=(0, 1), size=0.2)
    lasting = State("1", "relief by expectancy", bounds=(0, 20), size=0.1)
    acute = State("1", "lift of the day of a session", bounds=(0, 20), size=0.1)
    in_care = State("1", "relief by care", bounds=(0, 50), size=0.1)

    # how it changes
    infusion = iv_session + midazolam_session + saline_session
    session = infusion + nasal_session
    felt = midazolam_session + iv_session * hill(recognised, half_felt, 1)
    by_kind = k_saline * infusion + (k_active - k_saline) * felt + k_nasal * nasal_session
    by_knowledge = session * (k_open * open_label + k_unblind * recognised * (1 - masked))
    level = trait * (by_kind + by_knowledge)
    recognised.dot = session * recognition * dissociation * (1 - recognised) - recognised / to(tau_memory, "h")
    lasting.dot = (level - session * lasting) / tau_session - lasting / to(tau_expectancy, "h")
    acute.dot = session * (trait * lift - acute) / tau_session - acute / tau_acute
    in_care.dot = (care * contact - in_care) / tau_care

    # what goes out
    relief = Output(lasting + acute + in_care, "1", "relief by expectancy and care, log scale")
    belief_in_drug = Output(recognised, "1", "belief that it was the drug, 0 to 1")
    remote = Output(remote_raters, "1", "1 when blinded remote raters score")
