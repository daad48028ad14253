"""How things may be in a replicate of a virtual trial: which parameters hold, and what the trial has of its own.

posterior   each replicate takes a draw of the calibration, and effects u, v of the trial itself: assurance
mean        the medians of the calibration in all replicates, no effects of the trial: power at the mean
masked      as posterior, the same draws and people, but nobody can feel what they got
null        as posterior, but every arm has the treatment of the reference: type-I error
inert       as posterior, in the rival in which the drug does nothing but reveal itself: the low end of its share
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from afterglow import streams
from afterglow.clinic.relief import Own
from afterglow.data import fitted
from afterglow.study.draws import split_draws

PROMISED = 0.5  # chance of active treatment that the trials of the calibration are taken to have promised (assumed)


@dataclass(frozen=True)
class World:
    """A way things may be; see the top of this file."""

    name: str
    posterior: bool = True
    masked: bool = False
    null: bool = False
    variant: str | None = None


WORLDS = {
    world.name: world
    for world in (
        World("posterior"),
        World("mean", posterior=False),
        World("masked", masked=True),
        World("null", null=True),
        World("inert", variant="inert"),
        World("inert-masked", variant="inert", masked=True),
    )
}


def world(name: str, variant: str | None = None) -> World:
    """A world by name; `variant` is the rival mechanism of those that do not have one of their own."""
    found = WORLDS[name]
    return found if found.variant else replace(found, variant=variant)


@dataclass(frozen=True)
class Setting:
    """Numbers of one replicate: parameters by full name, noise of the ratings, effects of the trial (log scale)."""

    replicate: int
    typical: Mapping[str, float]
    noise: Mapping[str, float]
    own: Own


@lru_cache(maxsize=8)
def _draws(seed: int, variant: str | None) -> Sequence[tuple[dict[str, float], dict[str, float], Own]]:
    """All draws of the shipped posterior in the order of the seed, with their spreads of trial effects."""
    count = len(next(iter(fitted.posterior(variant).values())))
    drawn = fitted.parameter_draws(count, seed, variant)
    taus = [(one["tau_u"], one["tau_v"]) for one in drawn]
    return [(values, noise, tau) for (values, noise), tau in zip(split_draws(count, seed, variant), taus, strict=True)]


def setting(of: World, replicate: int, seed: int, promised: float | None = None) -> Setting:
    """The numbers of a replicate: the same whatever other replicates are run.

    Args:
        of: the world.
        replicate: number of the replicate.
        seed: the run's seed.
        promised: chance of active treatment that the consent form promises. What sessions make people expect is taken
            to be in proportion to it (assumed); None for as much as in the trials of the calibration.
    """
    held = fitted.measurement(of.variant)
    typical: dict[str, float] = {}
    noise, own = held, (0.0, 0.0)
    if of.posterior:
        draws = _draws(seed, of.variant)
        values, drawn, tau = draws[replicate % len(draws)]
        u, v = streams.normal(seed, replicate, range(1), "trial/own effects", 2)[0]
        typical, noise, own = dict(values), held | drawn, (float(u * tau[0]), float(v * tau[1]))
    if promised is not None:
        typical["expectancy.trait"] = typical.get("expectancy.trait", 1.0) * promised / PROMISED
    return Setting(replicate, typical, noise, own)
