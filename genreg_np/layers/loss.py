"""The loss that descent follows: the negative log-likelihood of the right class under softmax, mean over a batch.

    log p = z - log sum exp z,    loss = -mean over images of log p(label),    dz = (p - [k = label]) / N

Shapes: P networks, K classes, N images.
"""

from __future__ import annotations

from genreg_np.layers.base import Array, array_module


def log_softmax(logits: Array) -> Array:
    """Return log p (P, K, N) of logits (P, K, N)."""
    xp = array_module(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


def negative_log_likelihood(logits: Array, labels: Array) -> tuple[Array, Array]:
    """Return each network's mean loss (P,), and its gradient by the logits (P, K, N).

    Parameters
    ----------
    logits : (P, K, N)
    labels : (N,) int64
        An array of the same kind as the logits.
    """
    xp = array_module(logits)
    images = logits.shape[2]
    log_probability = log_softmax(logits)
    right = (labels == xp.arange(logits.shape[1])[:, None]).astype(logits.dtype)
    losses = (log_probability * right).sum(axis=(1, 2)) * (-1 / images)
    return losses, (xp.exp(log_probability) - right) * (1 / images)
