"""Layers that hold layers, and which genes of theirs, and of filters turned round, are exchanged as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.backends.genes import crossover_runs
from genreg_np.errors import UsageError
from genreg_np.layers import read_layer
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import Levels
from genreg_np.layers.normalise import BatchNorm, LayerNorm, ScaleShift
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.model import Network
from tests.helpers import one_line

SHAPE = (2, 3, 3)
CONV, TANH = Convolution(SHAPE, 2, 3, same=True), Activation(18, "tanh")
INNER = Residual(SHAPE, (BatchNorm(SHAPE), TANH, CONV))
DEEP = Concatenate(SHAPE, ((), (INNER, ScaleShift(SHAPE)), (Convolution(SHAPE, 5, 1),)))


def group_of_genes(layer: Layer, gene: Gene) -> np.ndarray:
    """Return the group of every gene."""
    groups = layer.groups(gene)
    starts, numbers = np.array(groups.runs).T
    assert set(numbers) == set(range(groups.count))
    assert list(starts) == sorted(set(starts))
    return np.repeat(numbers, np.diff(starts, append=layer.gene_count))


def test_inner_layers_are_described_and_named_after_their_places() -> None:
    """In the header and by the names of their arrays, and come back from both."""
    assert [one.name for one in DEEP.parameters] == [
        *("1.0.0.scale", "1.0.0.shift", "1.0.2.weight", "1.0.2.bias", "1.1.scale", "1.1.shift"),
        *("2.0.weight", "2.0.bias"),
    ]
    assert [one.name for one in DEEP.statistics] == ["1.0.0.mean", "1.0.0.variance"]
    assert read_layer({"kind": DEEP.kind, **DEEP.header()}, {}, "layers.3") == DEEP
    assert DEEP.output_shape(SHAPE) == (9, 3, 3)


def test_they_describe_themselves_in_words() -> None:
    """Which are to be read: the network line has no such words."""
    assert INNER.words() == "residual (batch-norm / tanh / conv 2 3 same)"
    assert DEEP.words() == f"concatenate (as it is | {INNER.words()} / scale-shift | conv 5 1)"
    network = Network(SHAPE, (DEEP, Dense(81, 2)))
    assert network.describe() == f"2 x 3 x 3: {DEEP.words()} / dense 2, 225 weights and biases"


def test_a_residual_adds_and_a_concatenation_joins() -> None:
    """What inner layers give alone, and what goes in."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2, 18, 4))
    arrays = [rng.normal(size=(2, *one.shape)) for one in CONV.parameters]
    alone, _ = CONV.forward(arrays, values)
    found, _ = Residual(SHAPE, (CONV,)).forward(arrays, values)
    assert np.array_equal(found, values + alone)
    found, _ = Concatenate(SHAPE, ((CONV,), ())).forward(arrays, values)
    assert np.array_equal(found, np.concatenate([alone, values], axis=1))
    flat = Concatenate((18,), ((Dense(18, 2),), (Dense(18, 3),)))
    assert flat.output_shape((18,)) == (5,)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Residual(SHAPE, (Convolution(SHAPE, 3, 3, same=True),)), r"\(3, 3, 3\) to \(2, 3, 3\)"),
        (lambda: Residual(SHAPE, (Dense(17, 18),)), r"layer 0 \(dense\) within residual takes 17 inputs"),
        (lambda: Residual(SHAPE, (Levels(18),)), "takes layers that learn"),
        (lambda: Residual(SHAPE, ("relu",)), "takes layers that learn, not 'relu'"),  # type: ignore[arg-type]
        (lambda: Concatenate(SHAPE, ()), "a concatenation joins"),
        (lambda: Concatenate(SHAPE, ((), (Convolution(SHAPE, 2, 3),))), "differ only in their channels"),
        (lambda: Concatenate(SHAPE, ((), (Dense(18, 9),))), "differ only in their channels"),
        (lambda: Residual((3, 3, 2), (TANH,)).output_shape((3, 2, 3)), "put channels first"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(make, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        make()
    one_line(raised.value)


# Crossover


@pytest.mark.parametrize("gene", [Gene.UNIT, Gene.LAYER, Gene.BLOCK])
def test_inner_layers_are_exchanged_as_they_would_be_alone(gene: Gene) -> None:
    """And as a network of the same layers exchanges them."""
    own = [CONV, LayerNorm(SHAPE), Dense(18, 18)]
    found = group_of_genes(Residual(SHAPE, (CONV, LayerNorm(SHAPE), TANH)), gene)
    alone = [group_of_genes(layer, gene) for layer in own[:2]]
    assert np.array_equal(found, np.concatenate([alone[0], alone[1] + alone[0].max() + 1]))
    network = Network(SHAPE, (CONV, TANH, LayerNorm(SHAPE), Dense(18, 18)))
    nested = Network(SHAPE, (Residual(SHAPE, (CONV, TANH, LayerNorm(SHAPE))), Dense(18, 18)))
    assert np.array_equal(crossover_runs(network, gene), crossover_runs(nested, gene))


def test_what_has_no_genes_within_has_none() -> None:
    with pytest.raises(UsageError, match="a layer of residual has no genes to exchange"):
        Residual(SHAPE, (TANH, Dropout(18, 0.5))).groups(Gene.UNIT)


def test_a_channel_is_exchanged_with_its_scale_and_shift() -> None:
    layer = BatchNorm((3, 2, 2))
    assert group_of_genes(layer, Gene.UNIT).tolist() == [0, 1, 2, 0, 1, 2]
    assert group_of_genes(layer, Gene.LAYER).tolist() == [0] * 6


@pytest.mark.parametrize(("channels", "filters"), [(1, 1), (3, 2), (70, 130)])
def test_a_filter_turned_round_is_exchanged_with_all_its_weights_and_its_bias(channels: int, filters: int) -> None:
    """Weights are (C, F, K, K): a filter's lie apart."""
    layer = TransposedConvolution((channels, 2, 2), filters, 2)
    expected = np.broadcast_to(np.arange(filters)[:, None], (channels, filters, 4))
    assert np.array_equal(group_of_genes(layer, Gene.UNIT), np.append(expected, np.arange(filters)))
    assert not group_of_genes(layer, Gene.LAYER).any()
    blocks = group_of_genes(layer, Gene.BLOCK)[: channels * filters * 4].reshape(channels, filters, 4)
    assert np.all(blocks == blocks[..., :1])
    sides = -(-channels // 64), -(-filters // 64)
    assert len(np.unique(blocks)) == sides[0] * sides[1]
    for number in np.unique(blocks):  # each is a rectangle
        inside = blocks[..., 0] == number
        assert inside.sum() == inside.any(axis=1).sum() * inside.any(axis=0).sum()
