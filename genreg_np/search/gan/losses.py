"""The losses of a pair: one for the discriminator, and one for the generator.

    non-saturating  -log D(x) - log(1 - D(G(z)));  -log D(G(z))            Goodfellow et al. 2014, section 3
    minimax         the same;                       log(1 - D(G(z)))        there, equation 1
    least-squares   (D(x) - 1)^2 + D(G(z))^2;       (D(G(z)) - 1)^2         Mao et al. 2017, equation 9
    hinge           max(0, 1 - D(x)) + max(0, 1 + D(G(z)));  -D(G(z))       Lim & Ye 2017
    wasserstein     -D(x) + D(G(z));                -D(G(z))                Arjovsky et al. 2017; D is kept smooth by
                                                                            its spectral norm

Shapes: values (1, 1, N), one number per image.
"""

from __future__ import annotations

from dataclasses import dataclass

from genreg_np.layers.base import Array, array_module
from genreg_np.layers.loss import Loss, binary_cross_entropy, hinge, least_squares, wasserstein


@dataclass(frozen=True)
class Adversarial:
    """A pair of losses, with their targets for real and generated images."""

    judging: Loss
    real: float
    generated: float
    making: Loss
    wanted: float  # the generator's target for its images
    away: bool = False  # whether that target is to be avoided rather than reached
    smooths: bool = False  # whether the target for real images can be smoothed

    def of_real(self, values: Array, smoothing: float) -> Array:
        """Return the discriminator's gradient with respect to its outputs for real images."""
        return self.judging(values, _all(values, self.real - (smoothing if self.smooths else 0)))[1]

    def of_generated(self, values: Array) -> Array:
        """Return the discriminator's gradient with respect to its outputs for generated images."""
        return self.judging(values, _all(values, self.generated))[1]

    def of_making(self, values: Array) -> Array:
        """Return the generator's gradient with respect to the discriminator's outputs for its images."""
        gradient = self.making(values, _all(values, self.wanted))[1]
        return -gradient if self.away else gradient


def _all(values: Array, target: float) -> Array:
    return array_module(values).zeros(values.shape[1:], values.dtype) + target


LOSSES = {
    "non-saturating": Adversarial(binary_cross_entropy, 1, 0, binary_cross_entropy, 1, smooths=True),
    "minimax": Adversarial(binary_cross_entropy, 1, 0, binary_cross_entropy, 0, away=True, smooths=True),
    "least-squares": Adversarial(least_squares, 1, 0, least_squares, 1, smooths=True),
    "hinge": Adversarial(hinge, 1, -1, wasserstein, 1),
    "wasserstein": Adversarial(wasserstein, 1, -1, wasserstein, 1),
}
