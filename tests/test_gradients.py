"""Layers with a backward pass: each gradient is what finite differences say, for any shapes and parts."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.backends.gradients import Descent, joined, separate
from genreg_np.errors import UsageError
from genreg_np.layers.base import Kept, Layer, Passing
from genreg_np.layers.composite import Stack, dealt
from genreg_np.layers.dense import Dense
from genreg_np.layers.loss import log_softmax, negative_log_likelihood
from genreg_np.layers.optimisers import MOMENTS, Optimiser
from genreg_np.model import Network
from genreg_np.strategies.mixed.networks import in_parts
from genreg_np.streams import Stream
from tests.helpers import one_line, patient

STEP = 1e-6  # of finite differences, in float64
SMALL = st.integers(1, 4)
SMOOTH = ["tanh", "relu", "leaky-relu", "sigmoid"]
ACTIVATION = st.sampled_from(["linear", *SMOOTH])


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return numbers that keep away from 0, where some activations have a kink."""
    values = rng.uniform(0.1, 1, shape)
    return np.where(rng.random(shape) < 0.5, values, -values)


def by_differences(function: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """Return the gradient of a number by each value of an array that it depends on."""
    gradients = np.empty_like(array)
    for place in np.ndindex(array.shape):
        before, found = array[place], []
        for step in (STEP, -STEP):
            array[place] = before + step
            found.append(function())
        array[place] = before
        gradients[place] = (found[0] - found[1]) / (2 * STEP)
    return gradients


def close(found: np.ndarray, expected: np.ndarray) -> bool:
    """Return whether gradients are what differences say, as near as these are where a function is steep."""
    return found.shape == expected.shape and np.allclose(found, expected, 0, 1e-6 * max(1, np.abs(expected).max()))


def check_layer(
    layer: Layer | Stack,
    networks: int,
    input_shape: tuple[int, ...],
    images: int,
    shared: bool,
    seed: int,
    training: bool = False,
    statistics: list[np.ndarray] | None = None,
    passes: int = 0,
) -> None:
    """Hold all gradients of a layer against finite differences of the weighted sum of what comes out.

    Every pass draws the same words, and begins with the same statistics: those given, or positive ones, after so many
    passes in training.
    """
    rng = np.random.default_rng(seed)
    lead = () if shared else (networks,)
    values = draw(rng, *lead, int(np.prod(input_shape)), images)
    layers = layer.layers if isinstance(layer, Stack) else (layer,)
    parameters = [draw(rng, networks, *one.shape) for own in layers for one in own.parameters]
    if statistics is None:
        statistics = [np.abs(draw(rng, networks, *one.shape)) for own in layers for one in own.statistics]

    def forward() -> tuple[list[np.ndarray], np.ndarray, Kept]:
        arrays = list(itertools.chain(*dealt(layers, parameters, [kept.copy() for kept in statistics])))
        return arrays, *layer.forward(arrays, values, Passing(training, Stream(seed), step=1))

    for _ in range(passes):
        layer.forward(
            list(itertools.chain(*dealt(layers, parameters, statistics))), values, Passing(True, Stream(seed))
        )
    arrays, outputs, kept = forward()
    weights = rng.normal(size=(networks, *outputs.shape[-2:]))
    by_input, by_parameters = layer.backward(arrays, kept, weights)

    def weighted(network: int | None = None) -> float:
        found = forward()[1] * weights
        return float(found.sum() if network is None else found[network].sum())

    assert len(by_parameters) == len(parameters)
    for array, found in zip(parameters, by_parameters, strict=True):
        assert close(found, by_differences(weighted, array))
    if shared:  # every network has a gradient of its own
        expected = np.stack([by_differences(lambda p=p: weighted(p), values) for p in range(networks)])
    else:
        expected = by_differences(weighted, values)
    assert close(by_input, expected)
    unwanted, again = layer.backward(arrays, kept, weights, wanted=False)
    assert unwanted is None or unwanted.shape == by_input.shape
    assert all(np.array_equal(one, other) for one, other in zip(again, by_parameters, strict=True))
    back, none = layer.backward(arrays, kept, weights, learning=False)
    assert np.array_equal(back, by_input)
    assert none == []


@patient
@given(ACTIVATION, SMALL, SMALL, SMALL, SMALL, st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_gradients_of_a_dense_layer(
    activation: str, networks: int, inputs: int, width: int, images: int, parts: int, shared: bool, seed: int
) -> None:
    """By weights, biases and inputs, shared by all networks or not, whole or in parts, with any activation."""
    check_layer(Dense(inputs, parts * width, activation, parts), networks, (inputs,), images, shared, seed)


@patient
@given(SMALL, st.sampled_from(SMOOTH), st.booleans(), st.integers(0, 99))
def test_gradients_of_whole_networks(networks: int, activation: str, vertical: bool, seed: int) -> None:
    """Layers one after the other, with a layer cut in halves or whole."""
    network = in_parts(Network.build((3,), (3, 4), 2, activation), (1, 2) if vertical else ())
    check_layer(Stack(network.learning), networks, (3,), 3, True, seed)


@patient
@given(SMALL, st.integers(2, 5), st.integers(1, 5), st.integers(0, 99))
def test_gradient_of_the_loss(networks: int, classes: int, images: int, seed: int) -> None:
    """Each network's loss is the mean of -log p of the right classes; its gradient is what differences say."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (networks, classes, images)), rng.integers(0, classes, images)
    losses, gradient = negative_log_likelihood(logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(probabilities[:, labels, np.arange(images)]).mean(axis=1)
    assert losses == pytest.approx(expected)

    def total() -> float:
        return float(negative_log_likelihood(logits, labels)[0].sum())

    assert gradient == pytest.approx(by_differences(total, logits), abs=1e-6)


def test_probabilities_of_huge_logits_are_finite() -> None:
    """Softmax does not overflow, and its logarithms sum to probability 1."""
    found = log_softmax(np.array([[[1e4], [0.0], [-1e4]]], np.float32))
    assert found.ravel().tolist() == [0.0, -1e4, -2e4]


# Parameters, parts


def test_genes_come_apart_and_together_again() -> None:
    """Parameters of layers are the genes, each in one piece, and the genes are found again to the bit."""
    network = Network.build((5,), (4, 6), 3)
    genes = np.random.default_rng(0).normal(size=(3, network.gene_count)).astype(np.float32)
    apart = separate(network, genes)
    learned = [parameter for layer in network.learning for parameter in layer.parameters]
    assert [array.shape[1:] for array in apart] == [parameter.shape for parameter in learned]
    assert all(array.flags.c_contiguous and not np.shares_memory(array, genes) for array in apart)
    assert np.array_equal(joined(apart), genes)


@pytest.mark.parametrize("parts", [(1, 2), (2, 3)])
def test_parallel_parts_compute_what_the_whole_layer_computes(parts: tuple[int, ...]) -> None:
    """Two halves that see the same layer are one dense layer: the vertical network is the horizontal one."""
    network = Network.build((5,), (4, 6), 3, "relu")
    genes = np.random.default_rng(0).normal(size=(3, network.gene_count)).astype(np.float32)
    columns = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    apart = separate(network, genes)
    whole, cut = (Stack(in_parts(network, chosen).learning).forward(apart, columns)[0] for chosen in ((), parts))
    assert cut == pytest.approx(whole, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("parts", "words"), [((1, 4), "6 units cannot be cut into 4"), ((1, 2, 1), "2 hidden layers")])
def test_parts_that_do_not_fit_are_refused(parts: tuple[int, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        in_parts(Network.build((5,), (4, 6), 3, "relu"), parts)
    one_line(raised.value)


def test_activations_without_a_gradient_are_refused() -> None:
    """A step has nothing to follow; the line names those that have."""
    with pytest.raises(UsageError, match="'sign' has no gradient to follow: choose one of linear, tanh") as raised:
        Descent(Network.build((5,), (4,), 3, "sign"), Optimiser("sgd", 0.1, 0.0), 10)
    one_line(raised.value)


# Optimisers


def scalar_steps(name: str, gradients: list[float]) -> float:
    """Return where a weight that begins at 1 is after some steps, by the formulas written out."""
    weight, velocity, square, rate = 1.0, 0.0, 0.0, 0.05
    for number, gradient in enumerate(gradients, start=1):
        if name == "sgd":
            velocity = 0.9 * velocity + gradient
            weight -= rate * velocity
        elif name == "rmsprop":
            square = 0.99 * square + 0.01 * gradient**2
            weight -= rate * gradient / (square**0.5 + 1e-8)
        else:
            velocity = 0.9 * velocity + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            corrected = velocity / (1 - 0.9**number), square / (1 - 0.999**number)
            weight -= rate * corrected[0] / (corrected[1] ** 0.5 + 1e-8)
    return weight


@pytest.mark.parametrize("name", list(MOMENTS))
def test_optimisers_follow_their_formulas(name: str) -> None:
    """Each weight of each network on its own, step after step."""
    gradients = np.random.default_rng(0).normal(size=(5, 2, 3))
    weights = [np.ones((2, 3))]
    optimiser = Optimiser(name, 0.05, 0.9)
    memories = optimiser.start(weights)
    for number, gradient in enumerate(gradients, start=1):
        optimiser.step(weights, [gradient], memories, number)
    for place in np.ndindex(2, 3):
        assert weights[0][place] == pytest.approx(scalar_steps(name, list(gradients[(..., *place)])), rel=1e-9)
