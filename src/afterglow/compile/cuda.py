"""Write a program as CUDA C++: the same equations as `vector`, one patient a thread.

The text has the sizes of the model as macros and these functions. Arrays belong to one patient; only the parameter
slots P lie apart, `n` doubles from slot to slot, because neighbouring threads are neighbouring patients.

    init(P, n, Y)           initial states from the parameter slots
    prepare(P, n, H)        everything that depends on P alone
    outputs(Y, H, O)        the model's outputs
    step(Y, H, h, tol, U, W, Z)     one Rosenbrock step: Z new states, U stage increments; returns the mean squared
                            error over states in units of tol (rtol in tol[0], then atol of each state)
    dense(Y, Z, U, theta, V)        states at the fraction theta of the last step

`engine/stepping.cu` is the loop around them. `engine/cuda.py` puts the whole together and defines FUNCTION, what stands
before a function: CUDA's words for NVRTC, `static` for a C++ compiler without a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from afterglow.compile.code import Code, laid_out
from afterglow.compile.lower import spelled_out
from afterglow.compile.program import Program
from afterglow.compile.rodas import DENSE, GAMMA, A, C
from afterglow.errors import ModelError
from afterglow.lang.expr import Expr

_P, _Y, _H = "const double *P, long long n", "const double *Y", "const double *H"
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}


def cuda_code(program: Program) -> Code:
    """The program as CUDA C++; see the head of this file for the functions."""
    laid, n = laid_out(program), len(program.rhs)
    once, place = laid.once, laid.place
    slots = {id(s): f"P[{i} * n]" for i, s in enumerate(program.p)}
    known = {id(x): f"H[{i}]" for i, x in enumerate(once)} | {id(s): f"Y[{i}]" for i, s in enumerate(program.y)}
    sizes = {
        "STATES": n,
        "SLOTS": len(program.p),
        "OUTPUTS": len(laid.values),
        "PREPARED": len(once),
        "FACTORS": len(place),
    }
    parts = [
        f"// equations {program.hash}",
        *(f"#define {name} {size}" for name, size in sizes.items()),
        _straight("init", f"{_P}, double *Y", slots, spelled_out(program.init), "Y"),
        _straight("prepare", f"{_P}, double *H", slots, once, "H"),
        _straight("outputs", f"{_Y}, {_H}, double *O", known, laid.values, "O"),
        _straight("rhs", f"{_Y}, {_H}, double *F", known, laid.rhs, "F"),
        _factor(known, laid.jacobian, laid.sequence, place),
        _solve(laid.sequence, place),
        _step(laid.counted),
        _dense(),
    ]
    return laid.code("\n".join(parts) + "\n")


class _Body:
    """The lines of one function: every operation a constant of its own."""

    def __init__(self, known: Mapping[int, str]) -> None:
        self.known = dict(known)
        self.lines: list[str] = []

    def say(self, text: str) -> str:
        """The name of a new constant with this value."""
        name = f"t{len(self.lines)}"
        self.lines.append(f"const double {name} = {text};")
        return name

    def function(self, name: str, arguments: str) -> str:
        return "\n".join([f"FUNCTION void {name}({arguments}) {{", *(f"    {one}" for one in self.lines), "}"])

    def write(self, root: Expr) -> str:
        """The name of the value of `root`."""
        for node in _needed(root, self.known):
            self.known[id(node)] = number(node.value) if node.op == "const" else self.one(node)
        return self.known[id(root)]

    def one(self, node: Expr) -> str:
        """One operation; what it means is said in `vector` and must stay the same."""
        a = [self.known[id(x)] for x in node.args]
        match node.op:
            case "add" | "sub" | "mul" | "div":
                return self.say(f"{a[0]} {_INFIX[node.op]} {a[1]}")
            case "pow":
                n = node.args[1]
                return self.power(a[0], n.value) if n.op == "const" else self.say(f"pow({a[0]}, {a[1]})")
            case "exp" | "log" | "tanh":
                return self.say(f"{node.op}({a[0]})")
            case "max":
                return self.say(f"{a[0]} > {a[1]} ? {a[0]} : {a[1]}")
            case "min":
                return self.say(f"{a[0]} < {a[1]} ? {a[0]} : {a[1]}")
            case "gt":
                return self.say(f"{a[0]} > {a[1]} ? 1.0 : 0.0")
            case "where":
                return self.say(f"{a[0]} > 0.5 ? {a[1]} : {a[2]}")
            case "hill_dn":
                v = self.say(f"{a[0]} > 0.0 ? {a[0]} / {a[1]} : 1.0")
                u = self.say(f"pow({v}, {a[2]})")
                return self.say(f"{a[0]} > 0.0 ? {u} / ((1.0 + {u}) * (1.0 + {u})) * log({v}) : 0.0")
        raise ModelError(f"there is no CUDA code for '{node.op}'")

    def power(self, x: str, n: float) -> str:
        """x^n by multiplication, and a square root for halves."""
        if 2 * n != int(2 * n) or abs(n) > 64:
            return self.say(f"pow({x}, {number(n)})")
        if n < 0:
            return self.say(f"1.0 / {self.power(x, -n)}")
        if n != int(n):
            root = self.say(f"sqrt({x})")
            return root if n == 0.5 else self.say(f"{self.power(x, n - 0.5)} * {root}")
        out, square, k = None, x, int(n)
        while k:
            if k & 1:
                out = square if out is None else self.say(f"{out} * {square}")
            k >>= 1
            square = self.say(f"{square} * {square}") if k else square
        return "1.0" if out is None else out


def number(x: float) -> str:
    """`x` to the last bit, as C writes it."""
    return repr(float(x)) if x >= 0 else f"({float(x)!r})"


def _needed(root: Expr, known: Mapping[int, str]) -> list[Expr]:
    """Nodes still to write, each after its arguments; what is known is not looked into."""
    out: list[Expr] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, ready = stack.pop()
        if ready:
            out.append(node)
        elif id(node) not in seen and id(node) not in known:
            seen.add(id(node))
            stack.append((node, True))
            stack.extend((a, False) for a in reversed(node.args))
    return out


def _straight(name: str, arguments: str, known: Mapping[int, str], roots: Sequence[Expr], target: str) -> str:
    """A function that stores the value of each of `roots` in `target`, as soon as it is known: registers are few."""
    body = _Body(known)
    for i, root in enumerate(roots):
        value = body.write(root)
        body.lines.append(f"{target}[{i}] = {value};")
    return body.function(name, arguments)


def _factor(
    known: Mapping[int, str],
    jacobian: Mapping[tuple[int, int], Expr],
    sequence: Sequence[int],
    place: Mapping[tuple[int, int], int],
) -> str:
    """W <- sparse LU of (g I - J), diagonal stored inverted; an entry is made when it is first needed."""
    body = _Body(known)
    w: dict[tuple[int, int], str] = {}

    def entry(i: int, j: int) -> str:
        if (i, j) not in w:
            w[i, j] = "g" if i == j else "0.0"
            if (i, j) in jacobian:
                w[i, j] = body.say(f"{w[i, j]} - {body.write(jacobian[i, j])}")
        return w[i, j]

    for r, k in enumerate(sequence):
        w[k, k] = body.say(f"1.0 / {entry(k, k)}")
        below = [i for i in sequence[r + 1 :] if (i, k) in place]
        right = [j for j in sequence[r + 1 :] if (k, j) in place]
        for i in below:
            w[i, k] = body.say(f"{entry(i, k)} * {w[k, k]}")
            for j in right:
                w[i, j] = body.say(f"{entry(i, j)} - {w[i, k]} * {entry(k, j)}")
        done = [(k, k), *((i, k) for i in below), *((k, j) for j in right)]
        body.lines += [f"W[{place[ij]}] = {entry(*ij)};" for ij in done]
    return body.function("factor", f"{_Y}, {_H}, double g, double *W")


def _solve(sequence: Sequence[int], place: Mapping[tuple[int, int], int]) -> str:
    """B <- W^-1 B."""
    body = _Body({})
    s: dict[int, str] = {}
    for r, k in enumerate(sequence):
        terms = [f" - W[{place[k, j]}] * {s[j]}" for j in sequence[:r] if (k, j) in place]
        s[k] = body.say(f"B[{k}]" + "".join(terms))
    for r, k in reversed(list(enumerate(sequence))):
        terms = [f" - W[{place[k, j]}] * {s[j]}" for j in sequence[r + 1 :] if (k, j) in place]
        s[k] = body.say(f"({s[k]}{''.join(terms)}) * W[{place[k, k]}]")
    body.lines += [f"B[{k}] = {s[k]};" for k in sequence]
    return body.function("solve", "const double *W, double *B")


def _sum(numbers: Iterable[float], row: str) -> str:
    """numbers[0] * U[0 * STATES + i] + ...; what is zero left out."""
    terms = [f"{number(x)} * {row.format(j)}" for j, x in enumerate(numbers) if x]
    return " + ".join(terms)


def _step(counted: int) -> str:
    """`counted` states are in the norm of the error: all of the model, also those that a part leaves at rest."""
    lines = [
        f"FUNCTION double step({_Y}, {_H}, double h, const double *tol, double *U, double *W, double *Z) {{",
        f"    factor(Y, H, {1.0 / GAMMA!r} / h, W);",
        "    const double per_h = 1.0 / h;",
    ]
    row = "U[{} * STATES + i]"
    for s in range(6):
        at = f"U[{s} * STATES + i]"
        z, c = (_sum(m[s, :s].tolist(), row) for m in (A, C))
        lines.append(f"    for (int i = 0; i < STATES; ++i) Z[i] = Y[i]{' + ' if z else ''}{z};")
        lines.append(f"    rhs(Z, H, U + {s} * STATES);")
        if c:
            lines.append(f"    for (int i = 0; i < STATES; ++i) {at} += per_h * ({c});")
        lines.append(f"    solve(W, U + {s} * STATES);")
    lines += [
        "    double total = 0.0;",
        "    for (int i = 0; i < STATES; ++i) {",
        "        const double e = U[5 * STATES + i], y = Z[i] + e;",
        "        const double ratio = e / (tol[i + 1] + tol[0] * fmax(fabs(Y[i]), fabs(y)));",
        "        Z[i] = y;",
        "        total += ratio * ratio;",
        "    }",
        f"    return total * {1.0 / counted!r};",
        "}",
    ]
    return "\n".join(lines)


def _dense() -> str:
    c3, c4 = (_sum(DENSE[k].tolist(), "U[{} * STATES + i]") for k in (0, 1))
    return "\n".join(
        [
            f"FUNCTION void dense({_Y}, const double *Z, const double *U, double theta, double *V) {{",
            "    const double rest = 1.0 - theta;",
            "    for (int i = 0; i < STATES; ++i) {",
            f"        const double c3 = {c3};",
            f"        const double c4 = {c4};",
            "        V[i] = Y[i] * rest + theta * (Z[i] + rest * (c3 + theta * c4));",
            "    }",
            "}",
        ]
    )
