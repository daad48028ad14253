"""The whole model compiled, and the parameters of everybody: typical values, spreads between people, covariates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from afterglow import streams
from afterglow.compile.program import Program, program
from afterglow.data.fitted import fitted_values
from afterglow.errors import Fault, InputError, nearest
from afterglow.lang import Model, Spread
from afterglow.machine import Machine
from afterglow.systems.whole import COVARIATES, whole

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
OMEGA = "omega."  # head of the name of a spread between people: "omega.expectancy.care"


@dataclass(frozen=True)
class Compiled:
    """A model ready to run."""

    model: Model
    program: Program
    engine: Machine
    omega: Mapping[str, float]  # fitted spreads, by parameter

    @cached_property
    def etas(self) -> dict[str, tuple[str, Spread]]:
        """Parameters that differ between people: full name -> (purpose of the draw, declared or fitted spread).

        The purpose names the system's class, so that both enantiomers share a person's luck.
        """
        out = {}
        for name, p in self.program.model.params.items():
            if p.spread is not None:
                part, key = name.split(".")
                spread = replace(p.spread, size=self.omega.get(name, p.spread.size))
                out[name] = (f"eta/{self.model.parts[part].system.__name__}.{key}", spread)
        return out


def compiled(
    variant: str | None = None, rtol: float = 1e-5, threads: int | None = None, device: str = "cpu"
) -> Compiled:
    """The whole model (or a variant), compiled for the CPU or a GPU; machine code comes from the cache where it can."""
    return _compiled(variant, rtol, threads, device)


@cache  # of one spelling of the arguments: `cache` tells f(None) from f()
def _compiled(variant: str | None, rtol: float, threads: int | None, device: str) -> Compiled:
    model, prog, omega = _program(variant)
    if device == "cuda":
        from afterglow.machine_cuda import CudaMachine

        return Compiled(model, prog, CudaMachine(prog, rtol), omega)
    return Compiled(model, prog, Machine(prog, rtol, threads), omega)


@cache
def _program(variant: str | None) -> tuple[Model, Program, dict[str, float]]:
    """The model with its fitted values, its program, and the fitted spreads."""
    model = whole(variant)
    known = {p.name for p in model.parts.values()}
    fitted = fitted_values(variant)
    model.fixed = {**{k: v for k, v in fitted.items() if k.split(".")[0] in known}, **model.fixed}
    omega = {k.removeprefix(OMEGA): v for k, v in fitted.items() if k.startswith(OMEGA)}
    return model, program(model.flatten()), omega


def parameters(
    model: Compiled,
    population: pd.DataFrame,
    seed: int,
    replicate: int,
    patients: range,
    typical: Mapping[str, float | FloatArray] | None = None,
    keep: NDArray[np.int64] | None = None,
    luck: Mapping[str, FloatArray] | None = None,
) -> FloatArray:
    """Parameter slots [slots, people]: typical values with everybody's own spread, and covariates.

    Args:
        model: the compiled model.
        population: one row a patient, columns as in `COVARIATES`.
        seed: seed of the run.
        replicate: replicate of the run.
        patients: numbers of the patients (the keys of their luck).
        typical: typical values that replace the model's own, of all or of each [people]; "omega.<parameter>" replaces
            the SD of its ETA (of the logarithm, of the logit, or of the value itself, by the kind of its spread).
        keep: places in `patients` of the people in `population`; without it, all.
        luck: standard normal numbers [people] of everybody by purpose (`Compiled.etas`), in place of those of the
            streams.
    """
    prog, n = model.program, len(population)
    slots = np.repeat(np.array(prog.defaults)[:, None], n, axis=1)
    typical = dict(typical or {})
    omega = {name: typical.pop(OMEGA + name, spread.size) for name, (_, spread) in model.etas.items()}
    for name, value in [*typical.items(), *((OMEGA + name, size) for name, size in omega.items())]:
        if not np.all(np.isfinite(value)):
            raise InputError(Fault(name, f"parameter value {value} is not a finite number", "give a number"))
    for name, value in typical.items():
        if name not in prog.slot:
            known = [*prog.slot, *(OMEGA + one for one in model.etas)]
            raise InputError(Fault(name, "no parameter of this name can be set for a run", nearest(name, known)))
        slots[prog.slot[name]] = value
    for name, (purpose, spread) in model.etas.items():
        if luck is not None:
            z = luck[purpose]
        else:
            z = streams.normal(seed, replicate, patients, purpose)[:, 0]
            z = z if keep is None else z[keep]
        eta = z * omega[name]
        row = slots[prog.slot[name]]
        if spread.kind == "lognormal":
            row *= np.exp(eta)
        elif spread.kind == "logitnormal":
            row[:] = 1 / (1 + (1 - row) / row * np.exp(-eta))
        else:
            low, high = prog.model.params[name].bounds
            row[:] = np.clip(row + eta, low, high)
    for column, inputs in COVARIATES.items():
        if column in population:
            for name in inputs:
                slots[prog.slot[name]] = population[column].to_numpy(float)
    return slots
