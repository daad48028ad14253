"""A writer of straight-line vector code: LLVM IR in which LANES patients advance together.

Memory is rows of LANES doubles, reached through the pointers that a function is called with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any

from llvmlite import ir

from afterglow.compile.vector_math import VectorMath
from afterglow.errors import ModelError
from afterglow.lang.expr import Expr, Symbol, order

LANES = 8
F64, I64 = ir.DoubleType(), ir.IntType(64)
VEC = ir.VectorType(F64, LANES)
FAST = ("contract", "nsz")  # NaN and infinity must stay visible: they are how a failed patient is found


class Body:
    """Writes one function, straight-line except for loops over rows."""

    def __init__(self, module: ir.Module, name: str, pointers: Sequence[str]) -> None:
        kind = ir.FunctionType(ir.VoidType(), [F64.as_pointer()] * len(pointers))
        self.function = ir.Function(module, kind, name)
        self.function.attributes.add("noinline")
        self.b: Any = ir.IRBuilder(self.function.append_basic_block())  # llvmlite has no types
        self.math = VectorMath(self.b, LANES)
        self.at = dict(zip(pointers, self.function.args, strict=True))
        self.known: dict[int, ir.Value] = {}
        for a in self.function.args:
            a.add_attribute("noalias")

    # ruff: noqa: D102 -- the names say it: LLVM instructions on vectors
    def close(self) -> None:
        self.b.ret_void()

    def address(self, pointer: str, row: int | ir.Value) -> ir.Value:
        offset = I64(row * LANES) if isinstance(row, int) else self.b.mul(row, I64(LANES))
        return self.b.bitcast(self.b.gep(self.at[pointer], [offset]), VEC.as_pointer())

    def load(self, pointer: str, row: int | ir.Value) -> ir.Value:
        return self.b.load(self.address(pointer, row), align=8)

    def store(self, value: ir.Value, pointer: str, row: int | ir.Value) -> None:
        self.b.store(value, self.address(pointer, row), align=8)

    def spread(self, pointer: str, place: int | ir.Value = 0) -> ir.Value:
        """One double, in all lanes."""
        place = I64(place) if isinstance(place, int) else place
        return self.broadcast(self.b.load(self.b.gep(self.at[pointer], [place])))

    def broadcast(self, value: ir.Value) -> ir.Value:
        one = self.b.insert_element(ir.Constant(VEC, ir.Undefined), value, I64(0))
        return self.b.shuffle_vector(
            one, ir.Constant(VEC, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        )

    def rows(self, count: int) -> Rows:
        return Rows(self.b, count)

    # -- arithmetic
    def add(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fadd(a, b, flags=FAST)

    def sub(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fsub(a, b, flags=FAST)

    def mul(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fmul(a, b, flags=FAST)

    def div(self, a: ir.Value, b: ir.Value) -> ir.Value:
        return self.b.fdiv(a, b, flags=FAST)

    def call(self, name: str, *args: ir.Value) -> ir.Value:
        """A function of the C library, lane by lane, or an LLVM intrinsic that the processor has."""
        module = self.function.module
        if name in ("fabs", "maxnum", "minnum", "rint", "sqrt"):
            full = f"llvm.{name}.v{LANES}f64"
            f = module.globals.get(full) or ir.Function(module, ir.FunctionType(VEC, [VEC] * len(args)), full)
            return self.b.call(f, args)
        f = module.globals.get(name) or ir.Function(module, ir.FunctionType(F64, [F64] * len(args)), name)
        out: ir.Value = ir.Constant(VEC, ir.Undefined)
        for lane in range(LANES):
            y = self.b.call(f, [self.b.extract_element(a, I64(lane)) for a in args])
            out = self.b.insert_element(out, y, I64(lane))
        return out

    def total(self, terms: Iterable[ir.Value]) -> ir.Value:
        return reduce(self.add, terms)

    # -- expressions
    def write(self, roots: Sequence[Expr]) -> list[ir.Value]:
        for node in _needed(roots, self.known):
            if id(node) not in self.known and not isinstance(node, Symbol):
                self.known[id(node)] = self.one(node)
        return [self.known[id(r)] for r in roots]

    def one(self, node: Expr) -> ir.Value:
        if node.op == "const":
            return number(node.value)
        a = [self.known[id(x)] for x in node.args]
        b = self.b
        match node.op:
            case "add":
                return self.add(*a)
            case "sub":
                return self.sub(*a)
            case "mul":
                return self.mul(*a)
            case "div":
                return self.div(*a)
            case "pow":
                n = node.args[1]
                return self.power(a[0], n.value) if n.op == "const" else self.any_power(*a)
            case "exp":
                return self.math.exp(a[0])
            case "log":
                return self.math.log(a[0])
            case "tanh":
                return self.call("tanh", a[0])
            case "max":
                return b.select(b.fcmp_ordered(">", a[0], a[1]), a[0], a[1])
            case "min":
                return b.select(b.fcmp_ordered("<", a[0], a[1]), a[0], a[1])
            case "gt":
                return b.select(b.fcmp_ordered(">", a[0], a[1]), number(1.0), number(0.0))
            case "where":
                return b.select(b.fcmp_ordered(">", a[0], number(0.5)), a[1], a[2])
            case "hill_dn":
                inside = b.fcmp_ordered(">", a[0], number(0.0))
                v = b.select(inside, self.div(a[0], a[1]), number(1.0))
                u = self.any_power(v, a[2])
                below = self.power(self.add(number(1.0), u), 2.0)
                return b.select(inside, self.mul(self.div(u, below), self.math.log(v)), number(0.0))
        raise ModelError(f"there is no vector code for '{node.op}'")

    def any_power(self, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.math.power(x, y, lambda v: self.call("rint", v), lambda v: self.call("fabs", v))

    def power(self, x: ir.Value, n: float) -> ir.Value:
        """x^n by multiplication, and a square root for halves."""
        if 2 * n != int(2 * n) or abs(n) > 64:
            return self.any_power(x, number(n))
        if n < 0:
            return self.div(number(1.0), self.power(x, -n))
        if n != int(n):
            root = self.call("sqrt", x)
            return root if n == 0.5 else self.mul(self.power(x, n - 0.5), root)
        out, square, k = None, x, int(n)
        while k:
            if k & 1:
                out = square if out is None else self.mul(out, square)
            k >>= 1
            square = self.mul(square, square) if k else square
        return number(1.0) if out is None else out


class Rows:
    """`with body.rows(n) as i:` runs its block for every row i < n."""

    def __init__(self, builder: Any, count: int) -> None:
        self.b, self.count = builder, count

    def __enter__(self) -> ir.Value:
        before = self.b.block
        self.head = self.b.append_basic_block()
        self.b.branch(self.head)
        self.b.position_at_end(self.head)
        self.i = self.b.phi(I64)
        self.i.add_incoming(I64(0), before)
        return self.i

    def __exit__(self, *_: object) -> None:
        after = self.b.append_basic_block()
        following = self.b.add(self.i, I64(1))
        self.i.add_incoming(following, self.b.block)
        self.b.cbranch(self.b.icmp_unsigned("<", following, I64(self.count)), self.head, after)
        self.b.position_at_end(after)


def number(x: float) -> ir.Constant:
    """`x` in all lanes."""
    return ir.Constant(VEC, [float(x)] * LANES)


def _needed(roots: Sequence[Expr], known: dict[int, ir.Value]) -> list[Expr]:
    """Nodes still to write: like `roots`, but not looking below what is known."""
    out: list[Expr] = []
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        n = stack.pop()
        if id(n) in seen or id(n) in known:
            continue
        seen.add(id(n))
        out.append(n)
        stack.extend(n.args)
    return [n for n in order(roots) if id(n) in seen]
