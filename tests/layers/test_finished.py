"""What a saved model has in place of layers that are only for training: fewer layers, the same answers."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.layers.activation import Activation
from genreg_np.layers.adversarial import MinibatchDeviation, SpectralNorm
from genreg_np.layers.base import Layer, Passing
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm, LayerNorm, ScaleShift
from genreg_np.layers.pooling import Pooling
from genreg_np.layers.shaping import Flatten, Reshape
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.model import Model, Network
from genreg_np.streams import Stream
from tests.helpers import one_line

MAPS = (2, 4, 4)
CONV, NORM, TANH = Convolution(MAPS, 2, 3, same=True), BatchNorm(MAPS), Activation(32, "tanh")
END = Dense(32, 3)

# Layers in training, and the kinds that a saved model has in their place.
FINISHED: dict[str, tuple[tuple[Layer, ...], list[str]]] = {
    "batch norm after a convolution": ((CONV, NORM, TANH, END), ["convolution", "activation", "dense"]),
    "two of them": ((CONV, NORM, NORM, END), ["convolution", "dense"]),
    "after dropout": ((CONV, Dropout(32, 0.3), NORM, END), ["convolution", "dense"]),
    "after a dense layer": ((Dense(32, 5), BatchNorm((5,)), Dense(5, 3)), ["dense", "dense"]),
    "after a transposed one": (
        (TransposedConvolution(MAPS, 2, 3, same=True), NORM, END),
        ["transposed-convolution", "dense"],
    ),
    "after one of norm 1": ((SpectralNorm(CONV), NORM, TANH, END), ["convolution", "activation", "dense"]),
    "after an activation": ((CONV, TANH, NORM, END), ["convolution", "activation", "scale-shift", "dense"]),
    "after a dense one's activation": (
        (Dense(32, 5, "tanh"), BatchNorm((5,)), Dense(5, 3)),
        ["dense", "scale-shift", "dense"],
    ),
    "after pooling": (
        (CONV, Pooling(MAPS, "max", 2), BatchNorm((2, 2, 2)), Dense(8, 3)),
        ["convolution", "pooling", "scale-shift", "dense"],
    ),
    "first of all": ((NORM, END), ["scale-shift", "dense"]),
    "of every value of a convolution": (
        (CONV, Flatten(MAPS), BatchNorm((32,)), END),
        ["convolution", "scale-shift", "dense"],
    ),
    "of maps that a dense layer makes": (
        (Dense(32, 8), Reshape((2, 2, 2)), BatchNorm((2, 2, 2)), Dense(8, 3)),
        ["dense", "scale-shift", "dense"],
    ),
    "within a residual": ((CONV, Residual(MAPS, (CONV, NORM, TANH)), END), ["convolution", "residual", "dense"]),
    "before and within": (
        (CONV, Residual(MAPS, (NORM, TANH)), NORM, END),
        ["convolution", "residual", "scale-shift", "dense"],
    ),
    "a residual of nothing but dropout": ((Residual(MAPS, (Dropout(32, 0.5),)), END), ["residual", "dense"]),
    "within a concatenation": (
        (Concatenate(MAPS, ((), (CONV, NORM), (Dropout(32, 0.5), TANH))), Dense(96, 3)),
        ["concatenate", "dense"],
    ),
    "other maps of the same values": (
        (CONV, Flatten(MAPS), Reshape((8, 2, 2)), Convolution((8, 2, 2), 3, 2)),
        ["convolution", "convolution"],
    ),
    "spectral norm of a dense layer": (
        (SpectralNorm(Dense(32, 5, "tanh")), SpectralNorm(Dense(5, 3))),
        ["dense", "dense"],
    ),
    "minibatch deviation": (
        (CONV, MinibatchDeviation(MAPS), Dense(48, 3)),
        ["convolution", "minibatch-deviation", "dense"],
    ),
}


def trained(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return genes (D,) at random, and statistics (E,) after some steps in training."""
    rng = np.random.default_rng(3)
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    statistics = network.first_statistics.copy()
    for step in range(5):
        batch = rng.normal(1, 2, (32, 9)).astype(np.float32)
        arrays = network.arrays_of(genes[None], statistics[None])
        network.stack.forward(arrays, batch, Passing(True, Stream(1), step))
    return genes, statistics


@pytest.mark.parametrize("name", list(FINISHED))
def test_a_finished_network_answers_as_the_one_in_training_predicts(name: str) -> None:
    """Within rounding; and it is finished: what is finished once more is the same."""
    layers, kinds = FINISHED[name]
    network = Network(MAPS, layers)
    genes, statistics = trained(network)
    done, found = network.finish(genes, statistics)
    assert [layer.kind for layer in done.layers] == kinds
    assert done == network.finished
    assert done.finished is done
    assert done.statistic_slices == ()
    columns = np.random.default_rng(4).normal(size=(32, 7)).astype(np.float32)
    expected, _ = network.stack.forward(network.arrays_of(genes[None], statistics[None]), columns)
    answers, _ = done.stack.forward(done.parameters_of(found[None]), columns)
    assert found.dtype == np.float32
    assert np.allclose(answers, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize(
    "name", [name for name, (layers, _) in FINISHED.items() if any(layer.needs_finishing for layer in layers)]
)
def test_a_network_in_training_is_not_saved(name: str) -> None:
    """In one line that says what is; the finished one comes back from its header and arrays."""
    network = Network(MAPS, FINISHED[name][0])
    genes, statistics = trained(network)
    with pytest.raises(UsageError, match=r"save the result of Network\.finish") as raised:
        Model.build(network, genes)
    one_line(raised.value)
    done, found = network.finish(genes, statistics)
    values = iter(done.parameters_of(found))
    arrays = {
        f"layers.{index}.{key}": array
        for index, layer in enumerate(done.layers)
        for key, array in layer.arrays([next(values) for _ in layer.parameters]).items()
    }
    assert Network.read(done.header(), arrays) == done
    assert all(array.dtype == np.float32 for array in arrays.values())


def test_a_network_without_such_layers_is_finished_as_it_is() -> None:
    network = Network(MAPS, (CONV, LayerNorm(MAPS), ScaleShift(MAPS), END))
    genes = np.zeros(network.gene_count, np.float32)
    assert network.finish(genes, network.first_statistics) == (network, genes)
    assert network.finished is network


def test_scale_and_shift_after_one_another_are_one() -> None:
    """And none where channels are others."""
    layer = ScaleShift((3,))
    arrays = [np.array([1.0, 2, 3]), np.array([4.0, 5, 6])]
    scale, shift = np.array([2.0, 3, 4]), np.array([1.0, 1, 1])
    joined = layer.scaled(arrays, scale, shift)
    assert joined is not None
    assert [array.tolist() for array in joined] == [[2, 6, 12], [9, 16, 25]]
    assert layer.scaled(arrays, scale[:1], shift[:1]) is None
