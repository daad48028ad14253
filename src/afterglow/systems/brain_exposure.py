"""Brain exposure: unbound ketamine and metabolites where receptors see them.

Ketamine follows unbound plasma with the delay of its acute effects and a ratio below one. The delay was measured with
arterial plasma; venous plasma, which drives it here, lags already, so peaks come a few minutes late. Metabolites change
over hours and follow at once.
"""

from math import inf

from afterglow.lang import Input, Output, Param, State, System, log


class BrainExposure(System):
    """Unbound concentrations in the brain, for each enantiomer of ketamine and its metabolites."""

    # what comes in
    plasma_s = Input("umol/L", "unbound S-ketamine in plasma")
    plasma_r = Input("umol/L", "unbound R-ketamine in plasma")
    plasma_s_norketamine = Input("umol/L", "unbound S-norketamine in plasma")
    plasma_r_norketamine = Input("umol/L", "unbound R-norketamine in plasma")
    plasma_s_hydroxynorketamine = Input("umol/L", "unbound hydroxynorketamine from S-ketamine in plasma")
    plasma_r_hydroxynorketamine = Input("umol/L", "unbound hydroxynorketamine from R-ketamine in plasma")

    # what changes
    site_s = State("umol/L", "unbound S-ketamine in the brain", bounds=(0.0, inf), size=0.1)
    site_r = State("umol/L", "unbound R-ketamine in the brain", bounds=(0.0, inf), size=0.1)

    # what is known
    T_KE0 = Param(6.1, "min", "half-life of equilibration with blood", source="olofsen2012.T_KE0")
    KPUU = Param(0.71, "1", "unbound ketamine, brain / plasma", source="derived.KPUU")
    KPUU_NK = Param(0.14, "1", "unbound norketamine, brain / plasma", source="derived.KPUU_NK")
    KPUU_HNK = Param(0.71, "1", "unbound hydroxynorketamine, brain / plasma: as ketamine, no figure", source="assumed")

    # how it changes
    KE0 = log(2.0) / T_KE0
    site_s.dot = KE0 * (KPUU * plasma_s - site_s)
    site_r.dot = KE0 * (KPUU * plasma_r - site_r)

    # what goes out
    s_ketamine = Output(site_s, "umol/L", "unbound S-ketamine in the brain")
    r_ketamine = Output(site_r, "umol/L", "unbound R-ketamine in the brain")
    s_norketamine = Output(KPUU_NK * plasma_s_norketamine, "umol/L", "unbound S-norketamine in the brain")
    r_norketamine = Output(KPUU_NK * plasma_r_norketamine, "umol/L", "unbound R-norketamine in the brain")
    hydroxynorketamine = Output(
        KPUU_HNK * (plasma_s_hydroxynorketamine + plasma_r_hydroxynorketamine),
        "umol/L",
        "unbound hydroxynorketamine in the brain, both enantiomers",
    )
