"""Dense layers and activations, forward and back.

Dense        z = W x + b             dW = dz x^T    db = sum of dz    dx = W^T dz
Activation   a = f(z)                dz = da f'(z), with f' told from a alone

Shapes: W (P, O, I), b (P, O), x (P, I, N) or shared (I, N), z and a (P, O, N). A shared x makes the products of all P
networks one: (P*O, I) @ (I, N) forward, (P*O, N) @ (N, I) back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.layers.base import Array, Kept, Layer, Parameter, array_module


@dataclass(frozen=True)
class Dense(Layer):
    """W x + b."""

    inputs: int  # I
    outputs: int  # O

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Weights (O, I) and biases (O,)."""
        return Parameter((self.outputs, self.inputs), self.inputs), Parameter((self.outputs,), self.inputs)

    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return W x + b (P, O, N), and x."""
        weights, biases = parameters
        xp = array_module(weights)
        if values.ndim == 2:
            products = xp.matmul(weights.reshape(-1, self.inputs), values).reshape(len(weights), self.outputs, -1)
        else:
            products = xp.matmul(weights, values)
        products += biases[..., None]
        return products, values

    def backward(
        self, parameters: Sequence[Array], kept: Kept, slope: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the slopes by x, W and b."""
        weights, _ = parameters
        xp = array_module(weights)
        by_input = xp.matmul(weights.swapaxes(1, 2), slope) if wanted else None
        if not learning:
            return by_input, []
        if kept.ndim == 2:
            by_weights = xp.matmul(slope.reshape(-1, slope.shape[-1]), kept.T).reshape(weights.shape)
        else:
            by_weights = xp.matmul(slope, kept.swapaxes(1, 2))
        return by_input, [by_weights, slope.sum(axis=2)]


def _tanh_slope(a: Array) -> Array:
    return 1 - a * a


def _relu_slope(a: Array) -> Array:
    return a > 0


def _leaky_slope(a: Array) -> Array:
    return (a > 0).astype(a.dtype) * 0.99 + 0.01


def _sigmoid_slope(a: Array) -> Array:
    return a * (1 - a)


def _relu(z: Array) -> Array:
    return array_module(z).maximum(z, 0)


def _leaky(z: Array) -> Array:
    return array_module(z).where(z > 0, z, z * 0.01)


def _tanh(z: Array) -> Array:
    return array_module(z).tanh(z)


def _sigmoid(z: Array) -> Array:
    return array_module(z).tanh(z * 0.5) * 0.5 + 0.5


# What each activation computes, and its slope where its value is a; those of infer.ACTIVATIONS that have slopes.
SMOOTH: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "tanh": (_tanh, _tanh_slope),
    "relu": (_relu, _relu_slope),
    "leaky-relu": (_leaky, _leaky_slope),
    "sigmoid": (_sigmoid, _sigmoid_slope),
}


@dataclass(frozen=True)
class Activation(Layer):
    """f(z), value by value.

    Raises
    ------
    UsageError
        For an activation that has no slope to follow.
    """

    name: str  # a key of SMOOTH, or linear

    def __post_init__(self) -> None:
        if self.name != "linear" and self.name not in SMOOTH:
            known = ("linear", *SMOOTH)
            flat = " has no slope to follow: choose one of " + ", ".join(known)
            raise UsageError(
                f"activation {self.name!r}"
                + (flat if self.name in ("step", "sign") else did_you_mean(self.name, known))
            )

    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return f(z), twice: its slope is told from it."""
        if self.name != "linear":
            values = SMOOTH[self.name][0](values)
        return values, values

    def backward(
        self, parameters: Sequence[Array], kept: Kept, slope: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Return the slope by z."""
        if not wanted:
            return None, []
        return (slope if self.name == "linear" else slope * SMOOTH[self.name][1](kept)), []
