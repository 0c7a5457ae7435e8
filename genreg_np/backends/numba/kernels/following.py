"""A gradient step of one network, in one pass over the genes; layers/optimisers.py is the specification.

Each operation is rounded as in NumPy's arithmetic on arrays, so the bytes are the same. No loop reads what it has
just written, which could take several times as long.
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
    if len(decay) > 0 and apart:
        for d in range(len(genes)):
            genes[d] -= genes[d] * decay[d] * rate
    elif len(decay) > 0:
        gradient = gradient + genes * decay
    if code == SGD:  # a loop for each optimiser: one loop for all would not be vectorised
        for d in range(len(genes)):
            velocity = first[d] * momentum + gradient[d]
            first[d] = velocity
            genes[d] -= velocity * rate
    elif code == NESTEROV:
        for d in range(len(genes)):
            velocity = first[d] * momentum + gradient[d]
            first[d] = velocity
            genes[d] -= (gradient[d] + velocity * momentum) * rate
    elif code == RMSPROP:
        for d in range(len(genes)):
            square = second[d] * kept + gradient[d] * gradient[d] * new
            second[d] = square
            genes[d] -= gradient[d] / (np.sqrt(square) + epsilon) * rate
    elif code == RMSPROP_MOMENTUM:
        for d in range(len(genes)):
            square = second[d] * kept + gradient[d] * gradient[d] * new
            velocity = first[d] * momentum + gradient[d] / (np.sqrt(square) + epsilon)
            first[d], second[d] = velocity, square
            genes[d] -= velocity * rate
    else:
        for d in range(len(genes)):
            square = second[d] * kept + gradient[d] * gradient[d] * new
            velocity = first[d] * momentum + gradient[d] * fresh
            first[d], second[d] = velocity, square
            genes[d] -= velocity / (np.sqrt(square) * adam_scale + epsilon) * adam_rate
