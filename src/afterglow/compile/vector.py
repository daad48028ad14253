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

from collections.abc import Sequence

from llvmlite import ir

from afterglow.compile.code import Code, Layout, laid_out
from afterglow.compile.lower import spelled_out
from afterglow.compile.program import Program
from afterglow.compile.rodas import DENSE, GAMMA, A, C
from afterglow.compile.vector_body import F64, I64, LANES, VEC, Body, number
from afterglow.lang.expr import Expr, order

__all__ = ["LANES", "vector_code"]


def vector_code(program: Program) -> Code:
    """The program as LLVM IR, for any processor; see the head of this file for the functions."""
    laid, n = laid_out(program), len(program.rhs)
    module = ir.Module("afterglow")
    _write_parameters(module, program, laid.once)
    _write_outputs(module, program, laid.once, laid.values)
    rhs = _write_rhs(module, program, laid.once, laid.rhs)
    factor = _write_factor(module, laid)
    solve = _write_solve(module, laid.sequence, laid.place)
    _write_step(module, n, laid.counted, rhs, factor, solve)
    _write_dense(module, n)
    return laid.code(str(module))


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


def _write_factor(module: ir.Module, laid: Layout) -> ir.Function:
    """F <- rhs(Y), W <- sparse LU of (g I - J), diagonal stored inverted.

    Right-hand side and Jacobian at one point share most of their parts.
    """
    rhs, jacobian, sequence, place = laid.rhs, laid.jacobian, laid.sequence, laid.place
    body = Body(module, "factor", ["Y", "H", "g", "W", "F"])
    _bind(body, laid.program, laid.once, [*jacobian.values(), *rhs])
    rank = {k: r for r, k in enumerate(sequence)}
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
    return body.function


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
