"""Activations of rows of values, forward and backward; layers/activation.py is the specification.

    relu     max(x, 0)
    leaky    x, or p x where x <= 0                        also prelu, with one p per channel
    curved   q x, or r (exp(x) - 1) where x <= 0           elu: q = r = 1, selu
    tanh     t q + 1 - q with t = tanh(q x)                tanh: q = 1, sigmoid: q = .5

`below` is exp(x) - 1 for x <= 0, which a loop around it computes for a register of x at once: with n the whole number
nearest to x / ln 2 and r = x - n ln 2, |r| <= ln 2 / 2,

    exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1)              exp(r) - 1 by 8 terms of its series

It is within a unit of the last place. 2^n is built from its bits; n is rounded by adding a number so large that no
bits are left after the point (Cody & Waite 1980 for r in two parts). tanh(x) = -e / (e + 2) with e = exp(-2 |x|) - 1,
times the sign of x.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import math

import numpy as np

from genreg_np.backends.numba.kernels.jit import part

LINEAR, RELU, LEAKY, CURVED, TANH = range(5)
ZERO, ONE, TWO = np.float32(0), np.float32(1), np.float32(2)
LEAST = np.float32(-30)  # exp(x) - 1 is -1 from there on
BY_LN2 = np.float32(1 / math.log(2))
HIGH = np.float32(0.693359375)  # ln 2 in two parts: products of the first with whole numbers are exact
LOW = np.float32(math.log(2) - 0.693359375)
ROUNDING = np.float32(1.5 * 2**23)
BIAS, MANTISSA = np.int32(127 << 23), np.int32(23)  # of the bits of a float32
C2, C3, C4, C5, C6, C7, C8 = (np.float32(1 / math.factorial(number)) for number in range(2, 9))


@part()
def below(x):
    """Return exp(x) - 1 for x <= 0; NaN for NaN."""
    x = LEAST if x < LEAST else x
    shifted = x * BY_LN2 + ROUNDING
    n = shifted - ROUNDING
    r = (x - n * HIGH) - n * LOW
    curve = r * (r * (r * (r * (r * (r * C8 + C7) + C6) + C5) + C4) + C3) + C2
    bits = np.int32(np.float32(shifted).view(np.int32) << MANTISSA)
    two = np.int32(bits + BIAS).view(np.float32)
    return two * (r + r * r * curve) + (two - ONE)


@part()
def tanh(x):
    """Return tanh(x); NaN for NaN."""
    e = below(-TWO * x if x > ZERO else TWO * x)
    t = e / (e + TWO)
    return -t if x > ZERO else t


@part()
def activate_row(row, code, p, q, r):
    """Replace values (n,) by their activations."""
    if code == RELU:
        for t in range(len(row)):
            row[t] = ZERO if row[t] <= ZERO else row[t]
    elif code == LEAKY:
        for t in range(len(row)):
            row[t] = row[t] if row[t] > ZERO else row[t] * p
    elif code == CURVED:
        for t in range(len(row)):
            x = row[t]
            row[t] = x * q if x > ZERO else below(ZERO if x > ZERO else x) * r
    elif code == TANH:
        for t in range(len(row)):
            row[t] = tanh(row[t] * q) * q + (ONE - q)


@part()
def give_back_row(by, row, code, p, q, r):
    """Turn gradients (n,) of the activation's outputs into gradients of its inputs (n,)."""
    if code == RELU:
        for t in range(len(row)):
            by[t] = by[t] * (ONE if row[t] > ZERO else ZERO)
    elif code == LEAKY:
        for t in range(len(row)):
            by[t] = by[t] if row[t] > ZERO else by[t] * p
    elif code == CURVED:
        for t in range(len(row)):
            x = row[t]
            by[t] = by[t] * (q if x > ZERO else below(ZERO if x > ZERO else x) * r + r)
    elif code == TANH:
        for t in range(len(row)):
            a = tanh(row[t] * q)
            by[t] = by[t] * (q * q * (ONE - a * a))
