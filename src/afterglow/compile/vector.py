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

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from llvmlite import ir

from afterglow.compile.lower import spelled_out
from afterglow.compile.program import Program, hoisted, tidy
from afterglow.compile.rodas import DENSE, GAMMA, A, C
from afterglow.compile.vector_body import F64, I64, LANES, VEC, Body, number
from afterglow.errors import ModelError
from afterglow.lang.expr import Expr, order

__all__ = ["LANES", "VectorCode", "elimination", "vector_code"]


@dataclass(frozen=True)
class VectorCode:
    """Machine code to be: its sizes (in rows of LANES doubles), and LLVM IR, written when it is asked for.

    `key` names the machine code: the same key, the same code. `names` and `slot_names` are the states and slots.
    """

    emit: Callable[[], VectorCode] | str
    key: str
    hash: str
    names: tuple[str, ...]
    slot_names: tuple[str, ...]
    states: int
    slots: int
    outputs: int
    prepared: int
    factors: int

    @property
    def text(self) -> str:
        """LLVM IR."""
        return self.emit if isinstance(self.emit, str) else self.emit().text

    def __reduce__(self) -> tuple[Any, ...]:
        return VectorCode, (self.text, *(getattr(self, f.name) for f in fields(self)[1:]))

    def measures(self) -> dict[str, Any]:
        """All but the code itself, as plain data."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("emit", "key")}


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
    pieces = tidy(spelled_out([*program.rhs, *jacobian.values(), *program.values]), fixed)
    n, nj = len(program.rhs), len(jacobian)
    if n == 0:
        raise ModelError("a model without states cannot be stepped: give it one")
    rhs, jac, values = pieces[:n], pieces[n : n + nj], pieces[n + nj :]
    once = hoisted(pieces, fixed)
    sequence, pattern = elimination(n, jacobian)
    module = ir.Module("afterglow")
    _write_parameters(module, program, once)
    _write_outputs(module, program, once, values)
    rhs_f = _write_rhs(module, program, once, rhs)
    place = _write_factor(module, program, once, rhs, dict(zip(jacobian, jac, strict=True)), sequence, pattern)
    solve_f = _write_solve(module, sequence, place)
    _write_step(module, n, max(n, len(program.model.states)), rhs_f, module.get_global("factor"), solve_f)
    _write_dense(module, n)
    text = str(module)
    key = hashlib.sha256(text.encode()).hexdigest()[:32]
    sizes = n, len(program.p), len(values), len(once), len(place)
    return VectorCode(text, key, program.hash, program.states, program.slots, *sizes)


def _bind(body: Body, program: Program, once: Sequence[Expr], used: Sequence[Expr]) -> None:
    """Load the states and the prepared values that `used` needs."""
    wanted = {id(x) for x in order(used)}
    for i, x in enumerate(once):
        if id(x) in wanted:
            body.known[id(x)] = body.load("H", i)
    for i, s in enumerate(program.y):
        if id(s) in wanted:
            body.known[id(s)] = body.load("Y", i)


def _write_parameters(module: ir.Module, program: Program, once: Sequence[Expr]) -> None:
    for name, target, roots in (("init", "Y", spelled_out(program.init)), ("prepare", "H", list(once))):
        body = Body(module, name, ["P", target])
        used = {id(x) for x in order(roots)}
        for i, s in enumerate(program.p):
            if id(s) in used:
                body.known[id(s)] = body.load("P", i)
        for i, v in enumerate(body.write(roots)):
            body.store(v, target, i)
        body.close()


def _write_outputs(module: ir.Module, program: Program, once: Sequence[Expr], values: Sequence[Expr]) -> None:
    body = Body(module, "outputs", ["Y", "H", "O"])
    _bind(body, program, once, values)
    for i, v in enumerate(body.write(values)):
        body.store(v, "O", i)
    body.close()


def _write_rhs(module: ir.Module, program: Program, once: Sequence[Expr], rhs: Sequence[Expr]) -> ir.Function:
    body = Body(module, "rhs", ["Y", "H", "F"])
    _bind(body, program, once, rhs)
    for i, v in enumerate(body.write(rhs)):
        body.store(v, "F", i)
    body.close()
    return body.function


def _write_factor(
    module: ir.Module,
    program: Program,
    once: Sequence[Expr],
    rhs: Sequence[Expr],
    jacobian: dict[tuple[int, int], Expr],
    sequence: Sequence[int],
    pattern: set[tuple[int, int]],
) -> dict[tuple[int, int], int]:
    """F <- rhs(Y), W <- sparse LU of (g I - J), diagonal stored inverted. Returns where each entry lies.

    Right-hand side and Jacobian at one point share most of their parts.
    """
    body = Body(module, "factor", ["Y", "H", "g", "W", "F"])
    _bind(body, program, once, [*jacobian.values(), *rhs])
    rank = {k: r for r, k in enumerate(sequence)}
    place = {ij: n for n, ij in enumerate(sorted(pattern, key=lambda t: (rank[t[0]], rank[t[1]])))}
    g = body.spread("g")
    for i, v in enumerate(body.write(rhs)):
        body.store(v, "F", i)
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
    """X <- W^-1 (F + B)."""
    body = Body(module, "solve", ["W", "F", "B", "X"])
    rank = {k: r for r, k in enumerate(sequence)}
    s: dict[int, ir.Value] = {}
    for k in sequence:
        v = body.add(body.load("F", k), body.load("B", k))
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
        body.store(s[k], "X", k)
    body.close()
    return body.function


def _write_step(
    module: ir.Module, n: int, counted: int, rhs: ir.Function, factor: ir.Function, solve: ir.Function
) -> None:
    """`counted` states are in the norm of the error: all of the model, also those that a part leaves at rest."""
    body = Body(module, "step", ["Y", "H", "h", "tol", "U", "F", "W", "Z", "E"])
    b, at = body.b, body.at
    at["B"] = b.bitcast(b.alloca(VEC, n), F64.as_pointer())  # sum_j C_sj U_j / h
    size = b.load(at["h"])
    g = b.alloca(F64)
    b.store(b.fdiv(F64(1.0 / GAMMA), size), g)
    per_h = body.broadcast(b.fdiv(F64(1.0), size))
    b.call(factor, [at["Y"], at["H"], g, at["W"], at["F"]])
    with body.rows(n) as i:
        body.store(number(0.0), "B", i)
    for s in range(6):
        if s > 0:
            follows = s > 1 and (A[s, : s - 1] == A[s - 1, : s - 1]).all()  # this stage goes on from the last one's Z
            with body.rows(n) as i:
                u = [body.load("U", b.add(I64(j * n), i)) for j in range(s)]
                z = body.load("Z" if follows else "Y", i)
                for j in range(s - 1 if follows else 0, s):
                    z = body.add(z, u[j] if A[s, j] == 1.0 else body.mul(number(A[s, j]), u[j]))
                body.store(z, "Z", i)
                behind = body.total(body.mul(number(C[s, j]), u[j]) for j in range(s))
                body.store(body.mul(per_h, behind), "B", i)
            b.call(rhs, [at["Z"], at["H"], at["F"]])
        b.call(solve, [at["W"], at["F"], at["B"], b.gep(at["U"], [I64(s * n * LANES)])])
    _write_error(body, n, counted)
    body.close()


def _write_error(body: Body, n: int, counted: int) -> None:
    """Z <- Z + U_6, the new states, and E <- their mean squared error in units of the tolerance."""
    b = body.b
    rtol, total = body.spread("tol"), b.alloca(VEC)
    b.store(number(0.0), total)
    with body.rows(n) as i:
        e = body.load("U", b.add(I64(5 * n), i))
        new = body.add(body.load("Z", i), e)
        body.store(new, "Z", i)
        largest = body.call("maxnum", body.call("fabs", body.load("Y", i)), body.call("fabs", new))
        scale = body.add(body.spread("tol", b.add(i, I64(1))), body.mul(rtol, largest))
        ratio = body.div(e, scale)
        b.store(body.add(b.load(total), body.mul(ratio, ratio)), total)
    body.store(body.mul(b.load(total), number(1.0 / counted)), "E", 0)


def _write_dense(module: ir.Module, n: int) -> None:
    body = Body(module, "dense", ["Y", "Z", "U", "theta", "V"])
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
