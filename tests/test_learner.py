"""The gradient of one network on a batch: the same on every backend, and what finite differences say."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends.base import Backend
from genreg_np.errors import UsageError
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import PREDICTING, Finished, Layer, Parameter, Passing
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.loss import least_squares, negative_log_likelihood
from genreg_np.layers.pooling import Pooling
from genreg_np.model import Network
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, create_or_skip, one_line

STEP = 1e-2  # of finite differences, in float32


@dataclass(frozen=True)
class Centred(Layer):
    """Values less their running mean, which training brings up to date: a statistic, and no gene."""

    kind = "centred"
    width: int

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    @property
    def statistics(self) -> tuple[Parameter, ...]:
        return (Parameter("mean", (self.width,), role="statistic", first=0.5),)

    @property
    def needs_finishing(self) -> bool:
        return True

    def finished(self, arrays: Sequence[Any]) -> Finished:
        return [(Dense(self.width, self.width), [np.eye(self.width, dtype=np.float32), -arrays[0]])]

    def header(self) -> dict[str, Any]:
        return {"width": self.width}

    @classmethod
    def read(cls, described: Any, arrays: Any, where: str) -> Centred:
        return cls(described["width"])

    def check_gradient(self) -> None:
        """Follow it."""

    def forward(self, parameters: Sequence[Any], values: Any, passing: Passing = PREDICTING) -> tuple[Any, Any]:
        (mean,) = parameters
        if passing.training:
            mean *= 0.9
            mean += values.sum(axis=-1) * (0.1 / values.shape[-1])
        return values - mean[:, :, None], None

    def backward(
        self, parameters: Sequence[Any], kept: Any, gradient: Any, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Any, list[Any]]:
        return gradient, []


DENSE = Network.build((12,), (5,), 3)
MAPS = Network(
    (1, 6, 6),
    (Convolution((1, 6, 6), 3, 3), Activation(48, "tanh"), Pooling((3, 4, 4), "avg", 2), Dense(12, 3)),
)
WITH_STATISTICS = Network((12,), (Dense(12, 5), Centred(5), Activation(5, "tanh"), Dense(5, 3)))
NETWORKS = {"dense": DENSE, "maps": MAPS, "with statistics": WITH_STATISTICS}


def example(network: Network, images: int = 9) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return genes, features and labels."""
    rng = np.random.default_rng(1)
    genes = rng.normal(0, 0.4, network.gene_count).astype(np.float32)
    features = rng.normal(size=(images, int(np.prod(network.input_shape)))).astype(np.float32)
    return genes, features, rng.integers(0, 3, images)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return create_or_skip(request.param)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_a_gradient_is_what_differences_say(name: str) -> None:
    """Of the mean loss by each gene; the loss is that of the values that came out, and nothing given changes."""
    network = NETWORKS[name]
    learner = backends.create("numpy").learner(network, negative_log_likelihood)
    genes, features, labels = example(network)
    statistics, before = network.first_statistics, genes.tobytes()
    found = learner.gradient(genes, statistics, features, labels)
    assert (genes.tobytes(), statistics.tobytes()) == (before, network.first_statistics.tobytes())
    assert found.gradient.shape == genes.shape
    odds = np.exp(found.values) / np.exp(found.values).sum(axis=1, keepdims=True)
    assert found.loss == pytest.approx(-np.log(odds[np.arange(9), labels]).mean(), rel=1e-5)
    assert found.accuracy == np.mean(found.values.argmax(axis=1) == labels)
    for gene in np.random.default_rng(0).choice(len(genes), 12, replace=False):
        losses = []
        for step in (STEP, -STEP):
            moved = genes.copy()
            moved[gene] += step
            losses.append(learner.gradient(moved, statistics, features, labels).loss)
        assert found.gradient[gene] == pytest.approx((losses[0] - losses[1]) / (2 * STEP), abs=2e-3)


@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_backend_finds_the_same_gradient(backend: Backend, name: str) -> None:
    """Within rounding: loss, accuracy, gradient, statistics, in NumPy's arrays."""
    network = NETWORKS[name]
    genes, features, labels = example(network)
    passing = Passing(True, Stream(3), 5)

    def found(which: Backend) -> dict[str, Any]:
        learner = which.learner(network, negative_log_likelihood)
        gradient = learner.gradient(genes, network.first_statistics, which.to_device(features), labels, passing)
        return dataclasses.asdict(gradient)

    expected = found(backends.create("numpy"))
    for field, value in found(backend).items():
        assert isinstance(value, np.ndarray | float)
        assert value == pytest.approx(expected[field], abs=1e-5), field


def test_only_training_brings_statistics_up_to_date() -> None:
    network = WITH_STATISTICS
    learner = backends.create("numpy").learner(network, negative_log_likelihood)
    what = example(network)
    predicted = learner.gradient(what[0], network.first_statistics, *what[1:])
    trained = learner.gradient(what[0], network.first_statistics, *what[1:], Passing(True))
    assert np.array_equal(predicted.statistics, network.first_statistics)
    weights, biases = network.parameters_of(what[0])[:2]
    means = (what[1] @ weights.T + biases).mean(axis=0)
    assert trained.statistics == pytest.approx(0.9 * 0.5 + 0.1 * means, abs=1e-5)


def test_values_are_learned_by_targets(backend: Backend) -> None:
    """A step against the gradient comes nearer to them; there is no accuracy then."""
    learner = backend.learner(DENSE, least_squares)
    genes, features, _ = example(DENSE)
    targets = np.random.default_rng(2).normal(size=(9, 3)).astype(np.float32)
    there = backend.to_device(features)
    found = learner.gradient(genes, DENSE.first_statistics, there, targets)
    assert found.accuracy is None
    assert found.loss == pytest.approx(((found.values - targets) ** 2).mean(), rel=1e-5)
    again = learner.gradient(genes - np.float32(0.05) * found.gradient, DENSE.first_statistics, there, targets)
    assert again.loss < found.loss


def test_a_network_that_diverged_has_no_finite_loss_and_nothing_is_warned_of() -> None:
    learner = backends.create("numpy").learner(DENSE, negative_log_likelihood)
    genes, features, labels = example(DENSE)
    assert not np.isfinite(learner.gradient(genes * np.float32(1e38), DENSE.first_statistics, features, labels).loss)


def test_a_layer_without_a_gradient_is_refused_in_one_line(backend: Backend) -> None:
    with pytest.raises(UsageError, match="'step' has no gradient to follow") as raised:
        backend.learner(Network.build((3,), (4,), 2, "step"), negative_log_likelihood)
    one_line(raised.value)


def test_threads_change_no_byte() -> None:
    """BLAS has one thread, however many the machine has."""
    network = Network.build((784,), (300,), 10, "relu")
    rng = np.random.default_rng(0)
    genes, features = rng.normal(0, 0.05, network.gene_count).astype(np.float32), rng.random((200, 784), np.float32)
    found = [
        backends.create("numpy")
        .learner(network, negative_log_likelihood)
        .gradient(genes, network.first_statistics, features, rng.integers(0, 1, 200))
        for _ in range(2)
    ]
    assert found[0].gradient.tobytes() == found[1].gradient.tobytes()
