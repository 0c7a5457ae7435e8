"""Layers with a backward pass: each slope is what finite differences say, for any shapes, shared inputs and parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.backends.gradients import Descent, joined, separate, stack_of
from genreg_np.errors import UsageError
from genreg_np.layers.base import Layer, Parameter
from genreg_np.layers.composite import Parallel, Stack
from genreg_np.layers.dense import SMOOTH, Activation, Dense
from genreg_np.layers.loss import log_softmax, negative_log_likelihood
from genreg_np.layers.optimisers import MEMORIES, Optimiser
from genreg_np.model import Network
from tests.helpers import one_line, patient

STEP = 1e-6  # of finite differences, in float64
SMALL = st.integers(1, 4)


def draw(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Return numbers that keep away from 0, where some activations have a kink."""
    values = rng.uniform(0.1, 1, shape)
    return np.where(rng.random(shape) < 0.5, values, -values)


def slopes_by_differences(function: Callable[[], float], array: np.ndarray) -> np.ndarray:
    """Return the slope of a number by each value of an array that it depends on."""
    slopes = np.empty_like(array)
    for place in np.ndindex(array.shape):
        before, found = array[place], []
        for step in (STEP, -STEP):
            array[place] = before + step
            found.append(function())
        array[place] = before
        slopes[place] = (found[0] - found[1]) / (2 * STEP)
    return slopes


def check_layer(
    layer: Layer, networks: int, input_shape: tuple[int, ...], images: int, shared: bool, seed: int
) -> None:
    """Hold all slopes of a layer against finite differences of the weighted sum of what comes out."""
    rng = np.random.default_rng(seed)
    lead = () if shared else (networks,)
    values = draw(rng, *lead, *input_shape, images)
    parameters = [draw(rng, networks, *parameter.shape) for parameter in layer.parameters]
    outputs, kept = layer.forward(parameters, values)
    weights = rng.normal(size=outputs.shape)
    by_input, by_parameters = layer.backward(parameters, kept, weights)

    def weighted(network: int | None = None) -> float:
        found = layer.forward(parameters, values)[0] * weights
        return float(found.sum() if network is None else found[network].sum())

    assert len(by_parameters) == len(parameters)
    for array, found in zip(parameters, by_parameters, strict=True):
        assert found == pytest.approx(slopes_by_differences(weighted, array), abs=1e-6)
    if shared:  # every network has a slope of its own
        expected = np.stack([slopes_by_differences(lambda p=p: weighted(p), values) for p in range(networks)])
    else:
        expected = slopes_by_differences(weighted, values)
    assert by_input == pytest.approx(expected, abs=1e-6)
    unwanted, again = layer.backward(parameters, kept, weights, wanted=False)
    assert unwanted is None or unwanted.shape == by_input.shape
    assert all(np.array_equal(one, other) for one, other in zip(again, by_parameters, strict=True))
    back, none = layer.backward(parameters, kept, weights, learning=False)
    assert np.array_equal(back, by_input)
    assert none == []


@patient
@given(SMALL, SMALL, SMALL, SMALL, st.booleans(), st.integers(0, 99))
def test_slopes_of_a_dense_layer(
    networks: int, inputs: int, outputs: int, images: int, shared: bool, seed: int
) -> None:
    """By weights, biases and inputs, where all networks share the input and where each has its own."""
    check_layer(Dense(inputs, outputs), networks, (inputs,), images, shared, seed)


@patient
@given(st.sampled_from(["linear", *SMOOTH]), SMALL, SMALL, SMALL, st.integers(0, 99))
def test_slopes_of_activations(name: str, networks: int, units: int, images: int, seed: int) -> None:
    """Told from the values alone, each is the slope of what infer.py computes."""
    check_layer(Activation(name), networks, (units,), images, False, seed)


@patient
@given(SMALL, st.lists(SMALL, min_size=1, max_size=3), SMALL, st.booleans(), st.integers(0, 99))
def test_slopes_of_parallel_branches(networks: int, widths: list[int], images: int, shared: bool, seed: int) -> None:
    """The input's slope is the sum of the branches', which may be of any depth and width."""
    branches = [Stack((Dense(3, width), Activation("tanh"))) for width in widths]
    branches[0] = Stack((*branches[0].layers, Dense(widths[0], 2)))
    check_layer(Parallel(tuple(branches)), networks, (3,), images, shared, seed)


@patient
@given(SMALL, st.sampled_from(list(SMOOTH)), st.booleans(), st.integers(0, 99))
def test_slopes_of_whole_networks(networks: int, activation: str, vertical: bool, seed: int) -> None:
    """Layers one after the other, with a layer cut in halves or whole."""
    stack = stack_of(Network.build((3,), (3, 4), 2, activation), (1, 2, 1) if vertical else ())
    check_layer(stack, networks, (3,), 3, True, seed)


@patient
@given(SMALL, st.integers(2, 5), st.integers(1, 5), st.integers(0, 99))
def test_slope_of_the_loss(networks: int, classes: int, images: int, seed: int) -> None:
    """Each network's loss is the mean of -log p of the right classes; its slope is what differences say."""
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(0, 3, (networks, classes, images)), rng.integers(0, classes, images)
    losses, slope = negative_log_likelihood(logits, labels)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = -np.log(probabilities[:, labels, np.arange(images)]).mean(axis=1)
    assert losses == pytest.approx(expected)

    def total() -> float:
        return float(negative_log_likelihood(logits, labels)[0].sum())

    assert slope == pytest.approx(slopes_by_differences(total, logits), abs=1e-6)


def test_probabilities_of_huge_logits_are_finite() -> None:
    """Softmax does not overflow, and its logarithms sum to probability 1."""
    found = log_softmax(np.array([[[1e4], [0.0], [-1e4]]], np.float32))
    assert found.ravel().tolist() == [0.0, -1e4, -2e4]


# Layers that are to come: the contract is enough for them


@dataclass(frozen=True)
class Convolution(Layer):
    """Filters (F, C, 2, 2) slid over maps (P, C, H, W, N), as one may be written later."""

    channels: int
    filters: int

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        return (Parameter((self.filters, self.channels, 2, 2), 4 * self.channels),)

    def forward(self, parameters: Sequence[Any], values: Any) -> tuple[Any, Any]:
        maps = values[None] if values.ndim == 4 else values
        patches = np.lib.stride_tricks.sliding_window_view(maps, (2, 2), axis=(2, 3))
        equation = "pfcyx,pchwnyx->pfhwn" if values.ndim == 5 else "pfcyx,qchwnyx->pfhwn"
        return np.einsum(equation, parameters[0], patches), values

    def backward(
        self, parameters: Sequence[Any], kept: Any, slope: Any, *, wanted: bool = True, learning: bool = True
    ) -> Any:
        networks = len(slope)
        maps = np.broadcast_to(kept, (networks, *kept.shape[-4:]))
        back = np.zeros(maps.shape)
        for y, x in np.ndindex(2, 2):
            height, width = slope.shape[2:4]
            by_tap = np.einsum("pfc,pfhwn->pchwn", parameters[0][..., y, x], slope)
            back[:, :, y : y + height, x : x + width] += by_tap
        if not learning:
            return back, []
        patches = np.lib.stride_tricks.sliding_window_view(maps, (2, 2), axis=(2, 3))
        return back, [np.einsum("pfhwn,pchwnyx->pfcyx", slope, patches)]


@dataclass(frozen=True)
class MeanOfMaps(Layer):
    """The mean of each map."""

    def forward(self, parameters: Sequence[Any], values: Any) -> tuple[Any, Any]:
        return values.mean(axis=(2, 3)), values.shape

    def backward(
        self, parameters: Sequence[Any], kept: Any, slope: Any, *, wanted: bool = True, learning: bool = True
    ) -> Any:
        share = slope[:, :, None, None] / (kept[2] * kept[3])
        return np.broadcast_to(share, kept), []


@pytest.mark.parametrize("shared", [True, False])
def test_the_contract_is_enough_for_convolution_and_pooling(shared: bool) -> None:
    """Maps go through the same stacks and branches as columns, and their slopes are right."""
    branches = Parallel((Convolution(2, 2), Stack((Convolution(2, 1), Activation("tanh")))))
    stack = Stack((branches, Activation("sigmoid"), MeanOfMaps(), Dense(3, 2)))
    check_layer(stack, 2, (2, 3, 4), 2, shared, 0)


# Parameters, parts


@pytest.mark.parametrize("parts", [(), (1, 2, 1), (4, 3, 1)])
def test_genes_come_apart_and_together_again(parts: tuple[int, ...]) -> None:
    """Parameters of layers and parts are the genes, each in one piece, and the genes are found again to the bit."""
    network = Network.build((5,), (4, 6), 3)
    genes = np.random.default_rng(0).normal(size=(3, network.gene_count)).astype(np.float32)
    apart = separate(network, genes, parts)
    stack = stack_of(network, parts)
    assert [array.shape[1:] for array in apart] == [parameter.shape for parameter in stack.parameters]
    assert all(array.flags.c_contiguous and not np.shares_memory(array, genes) for array in apart)
    assert np.array_equal(joined(network, apart, parts), genes)


@pytest.mark.parametrize("parts", [(1, 2, 1), (2, 3, 1)])
def test_parallel_parts_compute_what_the_whole_layer_computes(parts: tuple[int, ...]) -> None:
    """Two halves that see the same layer are one dense layer: the vertical network is the horizontal one."""
    network = Network.build((5,), (4, 6), 3, "relu")
    genes = np.random.default_rng(0).normal(size=(3, network.gene_count)).astype(np.float32)
    columns = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)
    whole, cut = (
        stack_of(network, chosen).forward(separate(network, genes, chosen), columns)[0] for chosen in ((), parts)
    )
    assert cut == pytest.approx(whole, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("parts", "words"), [((1, 4, 1), "6 units cannot be cut into 4"), ((1, 2), "3 dense layers")])
def test_parts_that_do_not_fit_are_refused(parts: tuple[int, ...], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        Descent(Network.build((5,), (4, 6), 3, "relu"), Optimiser("sgd", 0.1, 0.0), 10, parts)
    one_line(raised.value)


@pytest.mark.parametrize(("name", "words"), [("sign", "no slope"), ("rellu", "did you mean 'relu'")])
def test_activations_without_a_slope_are_refused(name: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        Activation(name)
    one_line(raised.value)


# Optimisers


def scalar_steps(name: str, slopes: list[float]) -> float:
    """Return where a weight that begins at 1 is after some steps, by the formulas written out."""
    weight, velocity, square, rate = 1.0, 0.0, 0.0, 0.05
    for number, slope in enumerate(slopes, start=1):
        if name == "sgd":
            velocity = 0.9 * velocity + slope
            weight -= rate * velocity
        elif name == "rmsprop":
            square = 0.99 * square + 0.01 * slope**2
            weight -= rate * slope / (square**0.5 + 1e-8)
        else:
            velocity = 0.9 * velocity + 0.1 * slope
            square = 0.999 * square + 0.001 * slope**2
            corrected = velocity / (1 - 0.9**number), square / (1 - 0.999**number)
            weight -= rate * corrected[0] / (corrected[1] ** 0.5 + 1e-8)
    return weight


@pytest.mark.parametrize("name", list(MEMORIES))
def test_optimisers_follow_their_formulas(name: str) -> None:
    """Each weight of each network on its own, step after step."""
    slopes = np.random.default_rng(0).normal(size=(5, 2, 3))
    weights = [np.ones((2, 3))]
    optimiser = Optimiser(name, 0.05, 0.9)
    memories = optimiser.start(weights)
    for number, slope in enumerate(slopes, start=1):
        optimiser.step(weights, [slope], memories, number)
    for place in np.ndindex(2, 3):
        assert weights[0][place] == pytest.approx(scalar_steps(name, list(slopes[(..., *place)])), rel=1e-9)
