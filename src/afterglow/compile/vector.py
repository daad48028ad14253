"""Write a program as vector machine code: LLVM IR in which LANES patients advance together.

Memory is rows of LANES doubles. The functions written here, all `void`:

    init(P, Y)              initial states from the parameter slots
    prepare(P, H)           everything that depends on P alone
    outputs(Y, H, O)        the model's outputs
    step(Y, H, h, tol, U, F, W, Z, E)
                            one Rosenbrock step of size h[0]: Z new states, U stage increments (for dense output),
                            E mean squared error over states in units of tol (rtol in tol[0], then atol of each state)
    dense(Y, Z, U, theta, V)    states at the fraction theta[0] of the last step

The method and its numbers are in `rodas`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from llvmlite import ir

from afterglow.compile.program import Program, hoisted, tidy
from afterglow.compile.rodas import DENSE, GAMMA, A, C
from afterglow.errors import ModelError
from afterglow.lang.expr import FLAT, Expr, Symbol, order

LANES = 8
F64, I64 = ir.DoubleType(), ir.IntType(64)
VEC = ir.VectorType(F64, LANES)
FAST = ("contract", "nsz")  # NaN and infinity must stay visible: they are how a failed patient is found


@dataclass(frozen=True)
class VectorCode:
    """LLVM IR of a program with the sizes of its work arrays (in rows of LANES doubles)."""

    text: str
    hash: str
    states: int
    slots: int
    outputs: int
    prepared: int
    factors: int


class _Body:
    """Writes one function, straight-line except for loops over rows."""

    def __init__(self, module: ir.Module, name: str, pointers: Sequence[str]) -> None:
        kind = ir.FunctionType(ir.VoidType(), [F64.as_pointer()] * len(pointers))
        self.function = ir.Function(module, kind, name)
        self.function.attributes.add("noinline")
        self.b: Any = ir.IRBuilder(self.function.append_basic_block())  # llvmlite has no types
        self.at = dict(zip(pointers, self.function.args, strict=True))
        self.known: dict[int, ir.Value] = {}
        for a in self.function.args:
            a.add_attribute("noalias")

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

    def rows(self, count: int) -> _Rows:
        return _Rows(self.b, count)

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
        if name in ("fabs", "maxnum", "minnum", "sqrt"):
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
                return self.power(a[0], n.value) if n.op == "const" else self.call("pow", *a)
            case "exp" | "log" | "tanh":
                return self.call(node.op, a[0])
            case "max":
                return b.select(b.fcmp_ordered(">", a[0], a[1]), a[0], a[1])
            case "min":
                return b.select(b.fcmp_ordered("<", a[0], a[1]), a[0], a[1])
            case "gt":
                return b.select(b.fcmp_ordered(">", a[0], a[1]), number(1.0), number(0.0))
            case "where":
                return b.select(b.fcmp_ordered(">", a[0], number(0.5)), a[1], a[2])
            case "hill":
                u = self.ratio_power(node, a, 0.0)
                return self.div(u, self.add(number(1.0), u))
            case "hill_dx":
                low, high = self.ratio_power(node, a, 1.0, slope=True), self.ratio_power(node, a, 0.0, slope=True)
                below = self.mul(a[1], self.power(self.add(number(1.0), high), 2.0))
                slope = self.div(self.mul(a[2], low), below)
                return b.select(b.fcmp_ordered("<", a[0], number(0.0)), number(0.0), slope)
            case "hill_dn":
                u = self.ratio_power(node, a, 0.0)
                below = self.power(self.add(number(1.0), u), 2.0)
                inside = b.fcmp_ordered(">", a[0], number(0.0))
                ln = self.call("log", b.select(inside, self.div(a[0], a[1]), number(1.0)))
                return self.mul(self.div(u, below), ln)
        raise ModelError(f"there is no vector code for '{node.op}'")

    def ratio_power(self, node: Expr, a: Sequence[ir.Value], less: float, slope: bool = False) -> ir.Value:
        """(max(x, 0) / half)^(n - less); for a `slope` not nearer to zero than FLAT where n < 1."""
        b = self.b
        r = self.div(b.select(b.fcmp_ordered(">", a[0], number(0.0)), a[0], number(0.0)), a[1])
        n = node.args[2]
        if slope and (n.op != "const" or n.value < 1.0):
            steep = b.and_(b.fcmp_ordered("<", a[2], number(1.0)), b.fcmp_ordered("<", r, number(FLAT)))
            r = b.select(steep, number(FLAT), r)
        if n.op == "const":
            return self.power(r, n.value - less)
        return self.call("pow", r, self.sub(a[2], number(less)))

    def power(self, x: ir.Value, n: float) -> ir.Value:
        if n == 0.5:
            return self.call("sqrt", x)
        if n != int(n) or abs(n) > 64:
            return self.call("pow", x, number(n))
        if n < 0:
            return self.div(number(1.0), self.power(x, -n))
        out, square, k = None, x, int(n)
        while k:
            if k & 1:
                out = square if out is None else self.mul(out, square)
            k >>= 1
            square = self.mul(square, square) if k else square
        return number(1.0) if out is None else out


class _Rows:
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


def elimination(n: int, entries: Iterable[tuple[int, int]]) -> tuple[list[int], set[tuple[int, int]]]:
    """Minimum-degree elimination order of a sparse matrix and its pattern with fill-in."""
    pattern = set(entries) | {(i, i) for i in range(n)}
    rows = {i: {j for a, j in pattern if a == i} for i in range(n)}
    columns = {j: {i for i, a in pattern if a == j} for j in range(n)}
    rest, sequence = set(range(n)), []
    while rest:
        k = min(rest, key=lambda q: ((len(columns[q] & rest) - 1) * (len(rows[q] & rest) - 1), q))
        rest.discard(k)
        sequence.append(k)
        for i in columns[k] & rest:
            for j in rows[k] & rest:
                rows[i].add(j)
                columns[j].add(i)
    return sequence, {(i, j) for i in range(n) for j in rows[i]}


def vector_code(program: Program) -> VectorCode:
    """The program as LLVM IR, for any processor; see the head of this file for the functions."""
    fixed: set[Expr] = set(program.p)
    jacobian = program.jacobian
    pieces = tidy([*program.rhs, *jacobian.values(), *program.values], fixed)
    n, nj = len(program.rhs), len(jacobian)
    rhs, jac, values = pieces[:n], pieces[n : n + nj], pieces[n + nj :]
    once = hoisted(pieces, fixed)
    sequence, pattern = elimination(n, jacobian)
    module = ir.Module("afterglow")
    _write_parameters(module, program, once)
    _write_outputs(module, program, once, values)
    rhs_f = _write_rhs(module, program, once, rhs)
    place = _write_factor(module, program, once, dict(zip(jacobian, jac, strict=True)), sequence, pattern)
    solve_f = _write_solve(module, sequence, place)
    _write_step(module, n, rhs_f, module.get_global("factor"), solve_f)
    _write_dense(module, n)
    return VectorCode(str(module), program.hash, n, len(program.p), len(values), len(once), len(place))


def _bind(body: _Body, program: Program, once: Sequence[Expr], used: Sequence[Expr]) -> None:
    """Load the states and the prepared values that `used` needs."""
    wanted = {id(x) for x in order(used)}
    for i, x in enumerate(once):
        if id(x) in wanted:
            body.known[id(x)] = body.load("H", i)
    for i, s in enumerate(program.y):
        if id(s) in wanted:
            body.known[id(s)] = body.load("Y", i)


def _write_parameters(module: ir.Module, program: Program, once: Sequence[Expr]) -> None:
    for name, target, roots in (("init", "Y", list(program.init)), ("prepare", "H", list(once))):
        body = _Body(module, name, ["P", target])
        used = {id(x) for x in order(roots)}
        for i, s in enumerate(program.p):
            if id(s) in used:
                body.known[id(s)] = body.load("P", i)
        for i, v in enumerate(body.write(roots)):
            body.store(v, target, i)
        body.close()


def _write_outputs(module: ir.Module, program: Program, once: Sequence[Expr], values: Sequence[Expr]) -> None:
    body = _Body(module, "outputs", ["Y", "H", "O"])
    _bind(body, program, once, values)
    for i, v in enumerate(body.write(values)):
        body.store(v, "O", i)
    body.close()


def _write_rhs(module: ir.Module, program: Program, once: Sequence[Expr], rhs: Sequence[Expr]) -> ir.Function:
    body = _Body(module, "rhs", ["Y", "H", "F"])
    _bind(body, program, once, rhs)
    for i, v in enumerate(body.write(rhs)):
        body.store(v, "F", i)
    body.close()
    return body.function


def _write_factor(
    module: ir.Module,
    program: Program,
    once: Sequence[Expr],
    jacobian: dict[tuple[int, int], Expr],
    sequence: Sequence[int],
    pattern: set[tuple[int, int]],
) -> dict[tuple[int, int], int]:
    """W <- sparse LU of (g I - J), diagonal stored inverted. Returns where each entry lies."""
    body = _Body(module, "factor", ["Y", "H", "g", "W"])
    _bind(body, program, once, list(jacobian.values()))
    rank = {k: r for r, k in enumerate(sequence)}
    place = {ij: n for n, ij in enumerate(sorted(pattern, key=lambda t: (rank[t[0]], rank[t[1]])))}
    g = body.spread("g")
    entries = dict(zip(jacobian, body.write(list(jacobian.values())), strict=True))
    w: dict[tuple[int, int], ir.Value] = {}
    for i, j in place:
        base = g if i == j else None
        if (i, j) in entries:
            w[i, j] = body.sub(number(0.0) if base is None else base, entries[i, j])
        elif base is not None:
            w[i, j] = base
    for k in sequence:
        w[k, k] = body.div(number(1.0), w[k, k])
        later = sequence[rank[k] + 1 :]
        for i in later:
            if (i, k) in w:
                w[i, k] = body.mul(w[i, k], w[k, k])
                for j in later:
                    if (k, j) in w:
                        term = body.mul(w[i, k], w[k, j])
                        w[i, j] = body.sub(w.get((i, j), number(0.0)), term)
    for ij, n in place.items():
        body.store(w.get(ij, number(0.0)), "W", n)
    body.close()
    return place


def _write_solve(module: ir.Module, sequence: Sequence[int], place: dict[tuple[int, int], int]) -> ir.Function:
    """B <- W^-1 B."""
    body = _Body(module, "solve", ["W", "B"])
    rank = {k: r for r, k in enumerate(sequence)}
    s: dict[int, ir.Value] = {}
    for k in sequence:
        v = body.load("B", k)
        for j in sequence[: rank[k]]:
            if (k, j) in place:
                v = body.sub(v, body.mul(body.load("W", place[k, j]), s[j]))
        s[k] = v
    for k in reversed(sequence):
        v = s[k]
        for j in sequence[rank[k] + 1 :]:
            if (k, j) in place:
                v = body.sub(v, body.mul(body.load("W", place[k, j]), s[j]))
        s[k] = body.mul(v, body.load("W", place[k, k]))
    for k in sequence:
        body.store(s[k], "B", k)
    body.close()
    return body.function


def _write_step(module: ir.Module, n: int, rhs: ir.Function, factor: ir.Function, solve: ir.Function) -> None:
    body = _Body(module, "step", ["Y", "H", "h", "tol", "U", "F", "W", "Z", "E"])
    b, at = body.b, body.at
    size = b.load(at["h"])
    g = b.alloca(F64)
    b.store(b.fdiv(F64(1.0 / GAMMA), size), g)
    b.call(factor, [at["Y"], at["H"], g, at["W"]])
    per_h = body.broadcast(b.fdiv(F64(1.0), size))
    for s in range(6):
        with body.rows(n) as i:
            z = body.load("Y", i)
            for j in range(s):
                if A[s, j]:
                    u = body.load("U", b.add(I64(j * n), i))
                    z = body.add(z, u if A[s, j] == 1.0 else body.mul(number(A[s, j]), u))
            body.store(z, "Z", i)
        b.call(rhs, [at["Z"], at["H"], at["F"]])
        with body.rows(n) as i:
            terms = [body.mul(number(C[s, j]), body.load("U", b.add(I64(j * n), i))) for j in range(s) if C[s, j]]
            f = body.load("F", i)
            if terms:
                f = body.add(f, body.mul(per_h, body.total(terms)))
            body.store(f, "U", b.add(I64(s * n), i))
        b.call(solve, [at["W"], b.gep(at["U"], [I64(s * n * LANES)])])
    rtol = body.spread("tol")
    body.store(number(0.0), "E", 0)
    with body.rows(n) as i:
        e = body.load("U", b.add(I64(5 * n), i))
        new = body.add(body.load("Z", i), e)
        body.store(new, "Z", i)
        largest = body.call("maxnum", body.call("fabs", body.load("Y", i)), body.call("fabs", new))
        scale = body.add(body.spread("tol", b.add(i, I64(1))), body.mul(rtol, largest))
        ratio = body.div(e, scale)
        body.store(body.add(body.load("E", 0), body.mul(ratio, ratio)), "E", 0)
    body.store(body.mul(body.load("E", 0), number(1.0 / n)), "E", 0)
    body.close()


def _write_dense(module: ir.Module, n: int) -> None:
    body = _Body(module, "dense", ["Y", "Z", "U", "theta", "V"])
    theta = body.spread("theta")
    rest = body.sub(number(1.0), theta)
    with body.rows(n) as i:
        u = [body.load("U", body.b.add(I64(j * n), i)) for j in range(5)]
        c3, c4 = (body.total(body.mul(number(DENSE[k, j]), u[j]) for j in range(5)) for k in (0, 1))
        inner = body.add(c3, body.mul(theta, c4))
        value = body.add(body.load("Z", i), body.mul(rest, inner))
        value = body.add(body.mul(body.load("Y", i), rest), body.mul(theta, value))
        body.store(value, "V", i)
    body.close()
