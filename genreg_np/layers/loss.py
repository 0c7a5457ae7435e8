"""Losses of gradient descent: one per network, a mean over a batch, with its gradient with respect to the outputs.

For classes, from labels, with label smoothing s (Szegedy et al. 2016; 0: none):

    log p = z - log sum exp z,  t = (1 - s) [k = label] + s / K       - sum over k of t log p            dz = p - t

For values, and for discriminators of GANs, from targets t, also averaged over outputs:

    binary cross-entropy   t of 0 .. 1, z a logit    max(z, 0) - z t + log(1 + exp(-|z|))       dz = sigmoid(z) - t
    least squares                                    (z - t)^2                                  dz = 2 (z - t)
    absolute                                         |z - t|                                    dz = sign(z - t)
    Huber                  e = z - t, d = delta      e^2 / 2, or d (|e| - d / 2) where |e| > d  dz = e within -d .. d
    hinge                  t of -1 or 1              max(0, 1 - t z)                            dz = -t where t z < 1
    Wasserstein            t of -1 or 1              -t z                                       dz = -t

The last two are losses of a critic; with t = 1 the Wasserstein loss is also that of its generator (Arjovsky et al.
2017; Lim & Ye 2017). Each dz is divided by the number of values in the mean.

Shapes: P networks, K outputs, N images. Arrays are NumPy's or CuPy's.
"""

from __future__ import annotations

from collections.abc import Callable

from genreg_np.layers.base import Array, array_module

Loss = Callable[[Array, Array], tuple[Array, Array]]  # takes outputs (P, K, N) and labels or targets


def log_softmax(logits: Array) -> Array:
    """Return log p (P, K, N) for logits (P, K, N)."""
    xp = array_module(logits)
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - xp.log(xp.exp(shifted).sum(axis=1, keepdims=True))


def negative_log_likelihood(logits: Array, labels: Array, smoothing: float = 0.0) -> tuple[Array, Array]:
    """Return each network's mean loss (P,), and its gradient with respect to the logits (P, K, N).

    Parameters
    ----------
    logits : (P, K, N)
    labels : (N,) int64
        An array of the same kind as the logits.
    smoothing : float
        s, the share of each image's target probability that is spread evenly over all classes, 0 .. 1.
    """
    xp = array_module(logits)
    classes, images = logits.shape[1:]
    log_probability = log_softmax(logits)
    wanted = (labels == xp.arange(classes)[:, None]).astype(logits.dtype)
    if smoothing:
        wanted = wanted * (1 - smoothing) + smoothing / classes
    losses = (log_probability * wanted).sum(axis=(1, 2)) * (-1 / images)
    return losses, (xp.exp(log_probability) - wanted) * (1 / images)


def binary_cross_entropy(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Return losses (P,) and gradient (P, K, N) of logits (P, K, N) for targets (K, N) of 0 .. 1."""
    xp = array_module(logits)
    losses = xp.maximum(logits, 0) - logits * targets + xp.log1p(xp.exp(-abs(logits)))
    return _mean(losses, xp.tanh(logits * 0.5) * 0.5 + 0.5 - targets)


def least_squares(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return losses (P,) and gradient (P, K, N) of values (P, K, N) for targets (K, N)."""
    errors = values - targets
    return _mean(errors * errors, errors * 2)


def absolute(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return losses (P,) and gradient (P, K, N) of values (P, K, N) for targets (K, N)."""
    errors = values - targets
    return _mean(abs(errors), array_module(values).sign(errors))


def huber(values: Array, targets: Array, delta: float = 1.0) -> tuple[Array, Array]:
    """Return losses (P,), linear beyond delta, and gradient (P, K, N) of values (P, K, N) for targets (K, N)."""
    xp = array_module(values)
    errors = values - targets
    within = xp.minimum(xp.maximum(errors, -delta), delta)
    return _mean(within * (errors - within * 0.5), within)


def hinge(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return losses (P,) and gradient (P, K, N) of values (P, K, N) for targets (K, N) of -1 or 1."""
    lacking = 1 - values * targets
    return _mean(array_module(values).maximum(lacking, 0), (lacking > 0).astype(values.dtype) * -targets)


def wasserstein(values: Array, targets: Array) -> tuple[Array, Array]:
    """Return losses (P,) and gradient (P, K, N) of values (P, K, N) for targets (K, N) of -1 or 1."""
    return _mean(values * targets * -1, array_module(values).zeros_like(values) - targets)


def _mean(losses: Array, gradients: Array) -> tuple[Array, Array]:
    """Return each network's mean of losses (P, K, N), (P,), and its gradient."""
    share = 1 / (losses.shape[1] * losses.shape[2])
    return losses.sum(axis=(1, 2)) * share, gradients * share


BY_LABELS: dict[str, Callable[..., tuple[Array, Array]]] = {"negative-log-likelihood": negative_log_likelihood}
BY_TARGETS: dict[str, Callable[..., tuple[Array, Array]]] = {
    "binary-cross-entropy": binary_cross_entropy,
    "least-squares": least_squares,
    "absolute": absolute,
    "huber": huber,
    "hinge": hinge,
    "wasserstein": wasserstein,
}
LOSSES = BY_LABELS | BY_TARGETS
