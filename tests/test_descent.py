"""Gradient descent of a population: every backend takes the specification's steps, whatever the threads."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends.base import Backend
from genreg_np.backends.gradients import Descent
from genreg_np.errors import UsageError
from genreg_np.layers.optimisers import MOMENTS, Optimiser
from genreg_np.model import Network
from genreg_np.strategies.mixed.networks import in_parts
from tests.helpers import BACKENDS, create_or_skip, one_line
from tests.test_gradients import SMOOTH

NETWORK = Network.build((20,), (9, 6), 4, "relu")
SGD = Optimiser("sgd", 0.05, 0.9)
needs_numba = pytest.mark.skipif(
    not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return create_or_skip(request.param)


def example(network: Network = NETWORK, networks: int = 3, images: int = 57, dark: float = 0.0) -> tuple[Any, ...]:
    """Return networks, images of which some pixels are dark in all, labels, and an order that ends in a part batch."""
    rng = np.random.default_rng(0)
    genes = rng.normal(0, 0.3, (networks, network.gene_count)).astype(np.float32)
    features = rng.random((images, network.dense[0].inputs), np.float32)
    features[:, rng.random(features.shape[1]) < dark] = 0
    return genes, features, rng.integers(0, network.outputs, images), rng.permutation(images)


def descended(backend: Backend, descent: Descent, what: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return trained genes and losses on the host."""
    genes, features, labels, order = what
    trained, losses = backend.descend(descent, genes, backend.to_device(features), labels, order)
    return backend.to_host(trained), losses


def by_hand(descent: Descent, what: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return what plain steps of SGD, one network and layer at a time in float64, come to; hidden layers are ReLU."""
    genes, features, labels, order = what
    trained, losses = genes.astype(np.float64), np.zeros(len(genes))
    for p in range(len(genes)):
        layers, memory = descent.network.unpack(trained[p]), np.zeros(genes.shape[1])
        for start in range(0, len(order), descent.batch_size):
            rows = order[start : start + descent.batch_size]
            values = [features[rows].astype(np.float64)]
            for index, (weights, biases) in enumerate(layers):
                sums = values[-1] @ weights.T + biases
                values.append(sums if index == len(layers) - 1 else np.maximum(sums, 0))
            odds = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
            odds /= odds.sum(axis=1, keepdims=True)
            losses[p] -= np.log(odds[np.arange(len(rows)), labels[rows]]).sum() / len(order)
            odds[np.arange(len(rows)), labels[rows]] -= 1
            slope, change = odds / len(rows), np.zeros(genes.shape[1])
            slices = descent.network.weight_slices
            for index in range(len(layers) - 1, -1, -1):
                change[slices[index][0]] = (slope.T @ values[index]).ravel()
                change[slices[index][1]] = slope.sum(axis=0)
                slope = (slope @ layers[index][0]) * (values[index] > 0)
            memory = descent.optimiser.momentum * memory + change
            trained[p] -= descent.optimiser.learning_rate * memory
    return trained, losses


@pytest.mark.parametrize("dark", [0.0, 0.6])
@pytest.mark.parametrize("parts", [(), (3, 2)])
def test_descent_does_the_steps_written_out(backend: Backend, dark: float, parts: tuple[int, ...]) -> None:
    """All networks, a part batch at the end, inputs that are dark in a batch, and parallel parts."""
    descent, what = Descent(in_parts(NETWORK, parts), SGD, 10), example(dark=dark)
    genes, losses = descended(backend, descent, what)
    expected_genes, expected_losses = by_hand(descent, what)
    assert genes.dtype == np.float32
    assert genes == pytest.approx(expected_genes, abs=2e-5)
    assert losses == pytest.approx(expected_losses, rel=1e-5)
    assert np.abs(genes - what[0]).max() > 0.01


@pytest.mark.parametrize("optimiser", list(MOMENTS))
@pytest.mark.parametrize("activation", [*SMOOTH, "linear"])
def test_backends_take_the_same_steps(backend: Backend, optimiser: str, activation: str) -> None:
    """With every optimiser and activation, within rounding."""
    network = Network.build((20,), (9,), 4, activation)
    descent, what = Descent(network, Optimiser(optimiser, 0.01, 0.9), 19), example(network, dark=0.3)
    genes, losses = descended(backend, descent, what)
    expected, expected_losses = descended(backends.create("numpy"), descent, what)
    assert genes == pytest.approx(expected, abs=2e-5)
    assert losses == pytest.approx(expected_losses, rel=1e-5)


def test_descent_changes_nothing_that_it_was_given(backend: Backend) -> None:
    """Genes, images and the order are read, never written."""
    what = example()
    before = [array.tobytes() for array in what]
    descended(backend, Descent(NETWORK, SGD, 10), what)
    assert [array.tobytes() for array in what] == before


def test_a_network_learns_the_same_whoever_learns_beside_it(backend: Backend) -> None:
    """Networks have nothing to do with each other."""
    genes, *rest = example(networks=5)
    descent = Descent(NETWORK, SGD, 10)
    together, losses = descended(backend, descent, (genes, *rest))
    alone, loss = descended(backend, descent, (genes[3:4], *rest))
    assert alone == pytest.approx(together[3:4], abs=1e-6)
    assert loss == pytest.approx(losses[3:4], rel=1e-5)


def test_a_network_that_diverges_says_so(backend: Backend) -> None:
    """Its loss is not a finite number, and the others learn on."""
    genes, *rest = example()
    genes[1] *= 1e25
    trained, losses = descended(backend, Descent(NETWORK, SGD, 10), (genes, *rest))
    assert np.isfinite(losses).tolist() == [True, False, True]
    assert np.isfinite(trained[[0, 2]]).all()


def test_what_has_no_gradient_is_refused() -> None:
    """Hard steps cannot be descended, and the line says what can."""
    with pytest.raises(UsageError, match="'step' has no gradient") as raised:
        Descent(Network.build((3,), (4,), 2, "step"), SGD, 10)
    one_line(raised.value)


@needs_numba
def test_neither_threads_nor_steps_at_a_time_change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network is wholly one thread's, and how long it stays there makes no difference."""
    from genreg_np.backends.numba import gradients as numba_gradients

    network = Network.build((300,), (150, 140), 10, "relu")
    descent, what = Descent(network, SGD, 20), example(network, 5, 500, dark=0.5)
    whole = descended(backends.create("numba", 1), descent, what)
    for found, expected in zip(descended(backends.create("numba", 2), descent, what), whole, strict=True):
        assert found.tobytes() == expected.tobytes()
    monkeypatch.setattr(numba_gradients, "MOST_STEPS", 3)
    for found, expected in zip(descended(backends.create("numba"), descent, what), whole, strict=True):
        assert found.tobytes() == expected.tobytes()


def test_a_gpu_is_sent_labels_and_order_and_gives_losses() -> None:
    """Networks and images stay where they are."""
    backend = create_or_skip("cupy by g++")
    genes, features, labels, order = example()
    there, images = backend.to_device(genes), backend.to_device(features)
    transfers = backend._cupy.transfers
    for counts in transfers.values():
        counts.clear()
    backend.descend(Descent(NETWORK, SGD, 10), there, images, labels, order)
    assert sorted(transfers["up"]) == sorted([labels.nbytes, order.nbytes])
    assert transfers["down"] == [4 * len(genes)]
