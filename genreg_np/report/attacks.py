"""Adversarial images: small changes that mislead a network, along the gradient of its loss by the pixels.

fgsm         x' = x + e sign(dL/dx), pixels kept in 0 .. 1                             (Goodfellow et al. 2015)
pgd          x_0 = x + U(-e, e);  x_(k+1) = x_k + a sign(dL/dx_k), kept within e of x and in 0 .. 1, 10 steps of
             a = e / 4                                                                  (Madry et al. 2018)
paper-fgsm   as in the notebook of Cooke and de Alfaro: x' = x + 0.1623 sign(dL/dx) if the attacked network is right,
             else x' = x. It treats pixels of 0 .. 1 as normalised ones, so that its e of 0.05 becomes 0.05 / 0.3081
             and pixels leave 0 .. 1

Attacks are for networks that see pixels. Shapes: N images, I pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend
from genreg_np.backends.gradients import separate
from genreg_np.backends.threads import in_order
from genreg_np.errors import UsageError
from genreg_np.layers.base import Array, array_module
from genreg_np.layers.loss import negative_log_likelihood
from genreg_np.model import Float32, Network
from genreg_np.streams import Purpose, Stream

ATTACKED_AT_A_TIME = 512  # images, fixed so that results do not depend on threads
PGD_STEPS, PGD_STRIDE = 10, 0.25  # a as a fraction of e
PAPER_EPSILON = 0.05 / 0.3081


@dataclass(frozen=True)
class Attack:
    """How images are changed.

    Raises
    ------
    UsageError
        For an epsilon out of range.
    """

    name: str  # fgsm, pgd, paper-fgsm
    epsilon: float  # the largest change of a pixel, 0 .. 1

    def __post_init__(self) -> None:
        if not 0 < self.epsilon <= 1:
            raise UsageError(f"eps {self.epsilon:g} must be greater than 0 and at most 1: pixels are 0 .. 1")

    @property
    def in_range(self) -> bool:
        """Whether pixels are kept in 0 .. 1."""
        return self.name != "paper-fgsm"

    def __str__(self) -> str:
        return f"{self.name} eps {self.epsilon:.4g}"


PAPER_FGSM = Attack("paper-fgsm", PAPER_EPSILON)


def attack_images(
    backend: Backend,
    network: Network,
    genes: Float32,
    features: Array,
    labels: NDArray[np.int64],
    attack: Attack,
    stream: Stream,
) -> Array:
    """Return images (N, I) changed to mislead one network, on the backend.

    Parameters
    ----------
    backend : Backend
    network : Network
        A network without fixed layers, which sees pixels.
    genes : (D,) float32
        The network that is attacked.
    features : (N, I) float32
        Images of 0 .. 1, on the backend.
    labels : (N,) int64
    attack : Attack
    stream : Stream
        Source of pgd's random start.
    """
    if network.fixed:
        raise UsageError(f"attacks change pixels, but this network begins with a layer of {network.fixed[0].kind}")
    stack = network.stack
    with backend.computing():
        parameters = separate(network, backend.to_device(genes[None]))
        xp = array_module(parameters[0])

        def piece(start: int) -> Array:
            own = xp.asarray(labels[start : start + ATTACKED_AT_A_TIME])
            clean = xp.ascontiguousarray(features[start : start + len(own)].T)

            def up(images: Array, length: float) -> Array:
                logits, kept = stack.forward(parameters, images)
                by_logits = negative_log_likelihood(logits, own)[1]
                gradient, _ = stack.backward(parameters, kept, by_logits, learning=False)
                assert gradient is not None
                return images + xp.sign(gradient[0]) * length

            if attack.name == "pgd":
                noise = xp.asarray(_uniform(stream, start, len(own), clean.shape[0]))
                images = _within(clean + noise * attack.epsilon, clean, attack)
                for _ in range(PGD_STEPS):
                    images = _within(up(images, PGD_STRIDE * attack.epsilon), clean, attack)
            else:
                images = up(clean, attack.epsilon)
                images = _within(images, clean, attack) if attack.in_range else images
            return xp.ascontiguousarray(images.T)

        found = xp.concatenate(list(in_order(piece, range(0, len(labels), ATTACKED_AT_A_TIME), backend.threads)))
    if attack.name == "paper-fgsm":
        errs = backend.logits(network, genes, features).argmax(axis=1) != labels
        with backend.computing():
            found = xp.where(xp.asarray(errs)[:, None], features, found)
    return found


def _within(images: Array, clean: Array, attack: Attack) -> Array:
    """Return images (I, N) clipped to within epsilon of the clean ones and to 0 .. 1."""
    xp = array_module(images)
    images = xp.minimum(xp.maximum(images, clean - attack.epsilon), clean + attack.epsilon)
    return xp.minimum(xp.maximum(images, 0.0), 1.0)


def _uniform(stream: Stream, first: int, images: int, pixels: int) -> Float32:
    """Return one of 256 numbers in -1 .. 1 for each pixel, (I, N); image i draws as genome i for any network."""
    numbers = np.arange(first, first + images)[:, None]
    words = stream.blocks(Purpose.ATTACK, 0, numbers, np.arange(-(-pixels // 16))).reshape(images, -1)
    levels = np.ascontiguousarray(words, "<u4").view(np.uint8)[:, :pixels].T
    return (levels.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 127.5)


@dataclass(frozen=True)
class Outcome:
    """The effect of images made for one network, the source, on one target; fractions, NaN without images."""

    clean: float  # of all unchanged images, those the target gets right
    attacked: float  # of all changed images, those the target gets right
    both: int  # number of unchanged images that source and target both get right
    attacked_of_both: float  # of these, those the target still gets right when changed
    transfer: float  # of these that now fool the source, those that fool the target too


def outcome(
    labels: NDArray[np.int64],
    source: tuple[NDArray[np.int64], NDArray[np.int64]],
    target: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> Outcome:
    """Return the outcome for predicted classes (N,) on clean and changed images, of the source and of the target."""
    right = [predicted == labels for predicted in (*source, *target)]
    both, still = right[0] & right[2], right[3]
    fooled = both & ~right[1]
    return Outcome(
        _fraction(right[2]), _fraction(still), int(both.sum()), _fraction(still[both]), _fraction(~still[fooled])
    )


def _fraction(values: NDArray[np.bool_]) -> float:
    return float(values.mean()) if len(values) else float("nan")
