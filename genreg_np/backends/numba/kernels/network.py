"""Products and activations of genomes, and the parts of their scores.

Shapes: K classes, N images, one image per column. The innermost loops run over images, so that they vectorise.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.base import ACTIVATION_CODES
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.fitness import Score
from genreg_np.streams import Purpose

PREDICTION = np.uint64(Purpose.PREDICTION)
REWARD_SAMPLED, REWARD_ARGMAX = int(Score.REWARD_SAMPLED), int(Score.REWARD_ARGMAX)
LOG_PROBABILITY, MARGIN = int(Score.LOG_PROBABILITY), int(Score.MARGIN)
LINEAR, TANH, RELU = ACTIVATION_CODES["linear"], ACTIVATION_CODES["tanh"], ACTIVATION_CODES["relu"]
LEAKY_RELU, SIGMOID, STEP = ACTIVATION_CODES["leaky-relu"], ACTIVATION_CODES["sigmoid"], ACTIVATION_CODES["step"]


@part()
def tanh(x):
    """Tanh by its continued fraction x/(1 + x^2/(3 + x^2/(5 + ...))) (Lambert, 1761), truncated after 12 terms.

    All coefficients are positive, so float32 loses nothing to cancellation; |error| < 1e-6. It is written out so that
    the compiler can vectorise it, unlike a library call.
    """
    x = min(max(x, np.float32(-9)), np.float32(9))
    y = x * x
    p = np.float32(78) * y + np.float32(75075)
    p = p * y + np.float32(18378360)
    p = p * y + np.float32(1571349780)
    p = p * y + np.float32(45831035250)
    p = p * y + np.float32(316234143225)
    q = y + np.float32(3003)
    q = q * y + np.float32(1351350)
    q = q * y + np.float32(192972780)
    q = q * y + np.float32(9820936125)
    q = q * y + np.float32(151242416325)
    q = q * y + np.float32(316234143225)
    return x * (p / q)


@part()
def product(weights, values, sums):
    """Fill sums (O, N) with the product of weights (O, I) and values (I, N)."""
    np.dot(weights, values, sums)


@kernel()
def multiply(weights, values, sums):
    """Fill sums (G, O, N) with the products of weights (G, O, I) and values (G, I, N)."""
    for g in range(len(sums)):
        product(weights[g], values[g], sums[g])


@kernel()
def multiply_turned(weights, values, sums):
    """Fill sums (O, N) with weights values^T, from weights (O, I) and values (N, I), which are not copied."""
    np.dot(weights, values.T, sums)


@kernel()
def activate(values, biases, code):
    """Replace values (O, N) by a(values + biases); `code` as in base.ACTIVATION_CODES."""
    for unit in range(values.shape[0]):
        bias = biases[unit]
        row = values[unit]
        if code == LINEAR:
            for i in range(len(row)):
                row[i] += bias
        elif code == TANH:
            for i in range(len(row)):
                row[i] = tanh(row[i] + bias)
        elif code == RELU:
            for i in range(len(row)):
                row[i] = max(row[i] + bias, np.float32(0))
        elif code == LEAKY_RELU:
            for i in range(len(row)):
                z = row[i] + bias
                row[i] = z if z > 0 else z * np.float32(0.01)
        elif code == SIGMOID:
            for i in range(len(row)):
                row[i] = np.float32(0.5) * (tanh(np.float32(0.5) * (row[i] + bias)) + np.float32(1))
        elif code == STEP:
            for i in range(len(row)):
                row[i] = np.float32(1) if row[i] + bias > 0 else np.float32(0)
        else:
            for i in range(len(row)):
                row[i] = np.float32(1) if row[i] + bias > 0 else np.float32(-1)


@part()
def exponential(x):
    """exp(x) for -87 <= x <= 0: 2**n * exp(r) with |r| <= ln(2) / 2, and seven terms of the Taylor series of exp(r).

    |relative error| < 3e-7; it vectorises, unlike a library call.
    """
    n = np.floor(x * np.float32(1.4426950408889634) + np.float32(0.5))
    r = (x - n * np.float32(0.693359375)) + n * np.float32(2.12194440e-4)
    e = r * np.float32(1 / 720) + np.float32(1 / 120)
    e = e * r + np.float32(1 / 24)
    e = e * r + np.float32(1 / 6)
    e = e * r + np.float32(0.5)
    e = e * r + np.float32(1)
    e = e * r + np.float32(1)
    # 2**n directly from its exponent bits.
    return e * np.int32((np.int32(n) + np.int32(127)) << np.int32(23)).view(np.float32)


@part()
def logarithm(x):
    """log(x) for normal x > 0: x = 2**n * y with y in [sqrt(1/2), sqrt(2)), log(y) = 2 artanh((y - 1) / (y + 1)).

    |error| < 2e-7 (1 + |n|); it vectorises, unlike a library call.
    """
    bits = np.float32(x).view(np.int32)
    n = (bits - np.int32(0x3F3504F3)) >> np.int32(23)
    y = np.int32(bits - (n << np.int32(23))).view(np.float32)
    t = (y - np.float32(1)) / (y + np.float32(1))
    q = t * t
    series = ((q * np.float32(1 / 9) + np.float32(1 / 7)) * q + np.float32(1 / 5)) * q + np.float32(1 / 3)
    return np.float32(n) * np.float32(0.6931471805599453) + (t + t) * (np.float32(1) + q * series)


@part()
def best_classes(logits, best, top):
    """Fill best (N,) with the most probable class, the lowest if several are, and top (N,) with its logit."""
    for i in range(len(top)):
        best[i], top[i] = 0, logits[0, i]
    for k in range(1, len(logits)):
        row = logits[k]
        for i in range(len(top)):
            better = row[i] > top[i]
            best[i] = k if better else best[i]
            top[i] = row[i] if better else top[i]
