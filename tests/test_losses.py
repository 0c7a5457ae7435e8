"""Losses: each gradient is what finite differences say, and each value what its formula says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.layers.loss import BY_LABELS, BY_TARGETS, LOSSES, binary_cross_entropy, huber, negative_log_likelihood
from tests.helpers import patient, standin
from tests.test_gradients import by_differences

OF_SIGNS = ("hinge", "wasserstein")
SIZES = (st.integers(1, 3), st.integers(2, 4), st.integers(1, 4), st.integers(0, 999))


def example(name: str, networks: int, outputs: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return what comes out of networks, and what was wanted; away from kinks."""
    rng = np.random.default_rng(seed)
    values = rng.normal(0, 2, (networks, outputs, images))
    if name in BY_LABELS:
        return values, rng.integers(0, outputs, images)
    targets = rng.random((outputs, images))
    if name in OF_SIGNS:
        targets = np.where(targets < 0.5, -1.0, 1.0)
    kinks = (0.0, 1.0, -1.0)
    errors = values * targets if name == "hinge" else values - targets
    near = np.any([abs(errors - kink) < 1e-3 for kink in kinks], axis=0)
    return values + 0.01 * near, targets


@patient
@given(st.sampled_from(list(LOSSES)), *SIZES)
def test_a_gradient_is_what_differences_say(name: str, networks: int, outputs: int, images: int, seed: int) -> None:
    """Of every loss, for each network on its own."""
    values, wanted = example(name, networks, outputs, images, seed)
    losses, gradient = LOSSES[name](values, wanted)
    assert losses.shape == (networks,)
    assert gradient.shape == values.shape
    found = by_differences(lambda: float(LOSSES[name](values, wanted)[0].sum()), values)
    assert gradient == pytest.approx(found, abs=1e-5)


@patient
@given(st.floats(0.01, 1), *SIZES)
def test_smoothed_labels(smoothing: float, networks: int, classes: int, images: int, seed: int) -> None:
    """A share of each label is spread over all classes: the loss is the cross-entropy with such targets."""
    logits, labels = example("negative-log-likelihood", networks, classes, images, seed)
    losses, gradient = negative_log_likelihood(logits, labels, smoothing)
    targets = np.full((classes, images), smoothing / classes)
    targets[labels, np.arange(images)] += 1 - smoothing
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert losses == pytest.approx(-(targets * np.log(probability)).sum(axis=1).mean(axis=1))
    found = by_differences(lambda: float(negative_log_likelihood(logits, labels, smoothing)[0].sum()), logits)
    assert gradient == pytest.approx(found, abs=1e-5)


@patient
@given(st.floats(0.1, 3), *SIZES)
def test_hubers_loss_turns_linear_at_delta(delta: float, networks: int, outputs: int, images: int, seed: int) -> None:
    values, targets = example("least-squares", networks, outputs, images, seed)
    errors = abs(values - targets)
    expected = np.where(errors <= delta, errors**2 / 2, delta * (errors - delta / 2)).mean(axis=(1, 2))
    assert huber(values, targets, delta)[0] == pytest.approx(expected)


FORMULAS = {
    "binary-cross-entropy": lambda z, t: t * math.log(1 + math.exp(-z)) + (1 - t) * math.log(1 + math.exp(z)),
    "least-squares": lambda z, t: (z - t) ** 2,
    "absolute": lambda z, t: abs(z - t),
    "huber": lambda z, t: (z - t) ** 2 / 2 if abs(z - t) <= 1 else abs(z - t) - 0.5,
    "hinge": lambda z, t: max(0.0, 1 - t * z),
    "wasserstein": lambda z, t: -t * z,
}


@pytest.mark.parametrize("name", list(BY_TARGETS))
def test_a_loss_is_the_mean_of_its_formula(name: str) -> None:
    """Over outputs and images, for each network."""
    values, targets = example(name, 2, 3, 4, 0)
    for network, loss in zip(values, LOSSES[name](values, targets)[0], strict=True):
        each = [FORMULAS[name](z, t) for z, t in zip(network.ravel(), targets.ravel(), strict=True)]
        assert loss == pytest.approx(sum(each) / len(each))


def test_a_cross_entropy_of_huge_logits_is_finite() -> None:
    """Nothing overflows, in float32, on either side."""
    logits = np.array([[[1e4, -1e4, 1e4, -1e4]]], np.float32)
    losses, gradient = binary_cross_entropy(logits, np.array([[1, 0, 0, 1]], np.float32))
    assert losses.tolist() == [5000.0]
    assert gradient.ravel().tolist() == [0.0, 0.0, 0.25, -0.25]


@pytest.mark.parametrize("name", list(LOSSES))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_keeps_the_type_of_floats(name: str, dtype: type) -> None:
    values, wanted = example(name, 2, 3, 4, 0)
    wanted = wanted if name in BY_LABELS else wanted.astype(dtype)
    losses, gradient = LOSSES[name](values.astype(dtype), wanted)
    assert losses.dtype == gradient.dtype == dtype


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_loss_is_the_same_on_a_device(name: str) -> None:
    """No array comes down in between."""
    cupy = standin()
    values, wanted = example(name, 2, 3, 4, 0)
    there = LOSSES[name](cupy.asarray(values), cupy.asarray(wanted))
    for found, expected in zip(there, LOSSES[name](values, wanted), strict=True):
        assert np.array_equal(cupy.asnumpy(found), expected)
