"""How to say things: units, expressions, systems and the wires between them. No biology, no arrays.

A system file imports what it needs from here:

    from afterglow.lang import Input, Output, Param, State, System, hill, lognormal
"""

from afterglow.lang.derivative import differentiate
from afterglow.lang.expr import (
    Expr,
    Symbol,
    evaluate,
    exp,
    hill,
    log,
    maximum,
    minimum,
    show,
    sqrt,
    tanh,
    to,
    where,
)
from afterglow.lang.model import FlatModel, FlatRoute, Model, Part, Wire
from afterglow.lang.system import Input, Output, Param, Route, Spread, State, System, logitnormal, lognormal, normal
from afterglow.lang.units import Unit

__all__ = [
    "Expr",
    "FlatModel",
    "FlatRoute",
    "Input",
    "Model",
    "Output",
    "Param",
    "Part",
    "Route",
    "Spread",
    "State",
    "Symbol",
    "System",
    "Unit",
    "Wire",
    "differentiate",
    "evaluate",
    "exp",
    "hill",
    "log",
    "logitnormal",
    "lognormal",
    "maximum",
    "minimum",
    "normal",
    "show",
    "sqrt",
    "tanh",
    "to",
    "where",
]
