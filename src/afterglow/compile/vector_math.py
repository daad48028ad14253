"""exp, log and powers for a whole vector at once, as LLVM IR: the C library would take the lanes one by one.

Errors are a few units in the last place; infinities, zeros and NaN come out as in C, except that results below the
smallest normal number become zero.

Sources: exp: reduction by ln 2 in two parts (Cody WJ, Waite W (1980) Software Manual for the Elementary Functions) and
the Taylor polynomial of degree 13, whose remainder on |r| <= ln(2)/2 is below 2^-60; log: reduction to
sqrt(1/2)..sqrt(2) and the series 2 artanh(s), s = (m - 1) / (m + 1), to s^21, remainder below 2^-57.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # their sum is ln 2 to 84 bits
_ROUND = 1.5 * 2.0**52  # adding it to a small number leaves the nearest integer in the low bits
_LARGEST, _SMALLEST = 709.782712893384, -708.3964185322641  # exp stays a finite normal number between them


class VectorMath:
    """Writes calls-free code for vectors of `lanes` doubles through an IRBuilder."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.b, self.lanes = builder, lanes
        self.vector = ir.VectorType(ir.DoubleType(), lanes)
        self.integers = ir.VectorType(ir.IntType(64), lanes)

    def number(self, x: float) -> ir.Constant:
        """`x` in all lanes."""
        return ir.Constant(self.vector, [float(x)] * self.lanes)

    def _whole(self, k: int) -> ir.Constant:
        return ir.Constant(self.integers, [k] * self.lanes)

    def _choose(self, test: str, a: ir.Value, b: ir.Value, yes: ir.Value, no: ir.Value) -> ir.Value:
        return self.b.select(self.b.fcmp_ordered(test, a, b), yes, no)

    def _polynomial(self, x: ir.Value, coefficients: list[float]) -> ir.Value:
        """c0 + c1 x + c2 x^2 + ..., by Estrin's scheme: short chains keep the processor busy."""
        terms: list[ir.Value] = [self.number(c) for c in coefficients]
        while len(terms) > 1:
            pairs = [self._fma(terms[i + 1], x, terms[i]) for i in range(0, len(terms) - 1, 2)]
            terms = pairs + terms[len(pairs) * 2 :]
            x = self.b.fmul(x, x)
        return terms[0]

    def _fma(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        return self.b.fadd(self.b.fmul(a, b, flags=("contract",)), c, flags=("contract",))

    def exp(self, x: ir.Value) -> ir.Value:
        """e^x."""
        b = self.b
        shifted = self._fma(x, self.number(1 / math.log(2)), self.number(_ROUND))
        n = b.fsub(shifted, self.number(_ROUND))
        r = self._fma(n, self.number(-_LN2_HIGH), x)
        r = self._fma(n, self.number(-_LN2_LOW), r)
        p = self._polynomial(r, [1 / math.factorial(k) for k in range(14)])
        # 2^n by its exponent bits, in two factors because 2^1024 itself is no number
        bits = b.bitcast(shifted, self.integers)
        half = b.ashr(b.shl(bits, self._whole(32)), self._whole(33))
        rest = b.sub(b.ashr(b.shl(bits, self._whole(32)), self._whole(32)), half)
        out = b.fmul(b.fmul(p, self._two_to(half)), self._two_to(rest))
        out = self._choose(">", x, self.number(_LARGEST), self.number(math.inf), out)
        return self._choose("<", x, self.number(_SMALLEST), self.number(0.0), out)

    def _two_to(self, n: ir.Value) -> ir.Value:
        return self.b.bitcast(self.b.shl(self.b.add(n, self._whole(1023)), self._whole(52)), self.vector)

    def log(self, x: ir.Value) -> ir.Value:
        """Natural logarithm; NaN below zero."""
        b = self.b
        small = b.fcmp_ordered("<", x, self.number(2.0**-1022))
        scaled = b.select(small, b.fmul(x, self.number(2.0**54)), x)
        bits = b.bitcast(scaled, self.integers)
        # exponent and mantissa, the mantissa between sqrt(1/2) and sqrt(2)
        above = b.sub(bits, self._whole(0x3FE6A09E667F3BCD))
        exponent = b.ashr(above, self._whole(52))
        m = b.bitcast(b.sub(bits, b.shl(exponent, self._whole(52))), self.vector)
        e = b.sitofp(exponent, self.vector)
        e = b.fsub(e, b.select(small, self.number(54.0), self.number(0.0)))
        s = b.fdiv(b.fsub(m, self.number(1.0)), b.fadd(m, self.number(1.0)))
        s2 = b.fmul(s, s)
        tail = b.fmul(b.fmul(s, s2), self._polynomial(s2, [2 / (2 * k + 3) for k in range(10)]))
        out = b.fadd(b.fadd(self._fma(e, self.number(_LN2_LOW), tail), b.fadd(s, s)), b.fmul(e, self.number(_LN2_HIGH)))
        out = self._choose("==", x, self.number(math.inf), x, out)
        out = self._choose("==", x, self.number(0.0), self.number(-math.inf), out)
        return b.select(b.fcmp_unordered("<", x, self.number(0.0)), self.number(math.nan), out)

    def power(self, x: ir.Value, y: ir.Value, rounded: Any, absolute: Any) -> ir.Value:
        """x^y; `rounded` and `absolute` write rint and fabs."""
        b = self.b
        size = self.exp(b.fmul(y, self.log(absolute(x))))
        half = b.fmul(y, self.number(0.5))
        odd = b.fcmp_unordered("!=", rounded(half), half)
        signed = b.select(odd, b.fneg(size), size)
        signed = self._choose("==", rounded(y), y, signed, self.number(math.nan))
        out = self._choose("<", x, self.number(0.0), signed, size)
        return self._choose("==", y, self.number(0.0), self.number(1.0), out)
