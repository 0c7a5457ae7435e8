"""A gradient step of one network, in one pass over the genes; layers/optimisers.py is the specification.

Each operation is rounded as in NumPy's arithmetic on arrays, so the bytes are the same.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.jit import kernel

SGD, NESTEROV, RMSPROP, RMSPROP_MOMENTUM, ADAM = range(5)


@kernel()
def follow(genes, moments, gradient, decay, code, apart, numbers):
    """Update genes (D,) and moments (M, D) by a gradient (D,); decay (D,) or none, decoupled if `apart`.

    numbers: learning rate, momentum, 1 - momentum, square decay, 1 - square decay, epsilon, Adam's rate and scale.
    """
    rate, momentum, fresh, kept, new, epsilon, adam_rate, adam_scale = numbers
    first, second = moments[0], moments[1 if code in (RMSPROP_MOMENTUM, ADAM) else 0]
    for d in range(len(genes)):
        gene, g = genes[d], gradient[d]
        if len(decay) > 0:
            if apart:
                gene -= gene * decay[d] * rate
            else:
                g += gene * decay[d]
        if code == SGD:
            first[d] = first[d] * momentum + g
            change = first[d] * rate
        elif code == NESTEROV:
            first[d] = first[d] * momentum + g
            change = (g + first[d] * momentum) * rate
        else:
            square = second[d] * kept + g * g * new
            second[d] = square
            root = np.sqrt(square)
            if code == RMSPROP:
                change = g / (root + epsilon) * rate
            elif code == RMSPROP_MOMENTUM:
                first[d] = first[d] * momentum + g / (root + epsilon)
                change = first[d] * rate
            else:
                first[d] = first[d] * momentum + g * fresh
                change = first[d] / (root * adam_scale + epsilon) * adam_rate
        genes[d] = gene - change
