"""What layers do in training only: running statistics, dropout, power iteration, deviations over a batch."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.layers.adversarial import MinibatchDeviation, SpectralNorm
from genreg_np.layers.base import PREDICTING, Passing
from genreg_np.layers.branching import Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.upsample import TransposedConvolution
from genreg_np.streams import Stream
from tests.helpers import one_line

SHAPE = (2, 3, 2)


def batch(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1, 2, shape).astype(np.float32)


# Batch norm


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("shape", [(2,), SHAPE])
def test_running_statistics_follow_their_formula(shape: tuple[int, ...], shared: bool) -> None:
    """Of each network: .9 of what was and .1 of the batch's, of the variance the unbiased one."""
    layer, networks = BatchNorm(shape), 2
    arrays = [np.full((networks, *one.shape), one.first) for one in (*layer.parameters, *layer.statistics)]
    mean, variance = np.zeros((networks, 2)), np.ones((networks, 2))
    for step in range(4):
        values = batch(*(() if shared else (networks,)), int(np.prod(shape)), 5, seed=step).astype(np.float64)
        layer.forward(arrays, values, Passing(True))
        of_channel = np.broadcast_to(values, (networks, *values.shape[-2:])).reshape(networks, 2, -1)
        mean = 0.9 * mean + 0.1 * of_channel.mean(axis=2)
        variance = 0.9 * variance + 0.1 * of_channel.var(axis=2, ddof=1)
        layer.forward(arrays, values)  # predictions change nothing
    assert arrays[2] == pytest.approx(mean)
    assert arrays[3] == pytest.approx(variance)


def test_a_batch_of_a_single_value_leaves_the_running_variance_as_it_was() -> None:
    """It has no unbiased variance; nothing becomes infinite."""
    layer = BatchNorm((3,))
    arrays = [np.full((1, 3), value, np.float32) for value in (1, 0, 0, 2)]
    found, _ = layer.forward(arrays, batch(3, 1), Passing(True))
    assert arrays[3].tolist() == [[2.0] * 3]
    assert np.all(found == 0)


def test_statistics_within_a_residual_are_brought_up_to_date() -> None:
    """The arrays that were given change, not copies of them."""
    layer = Residual(SHAPE, (BatchNorm(SHAPE), Convolution(SHAPE, 2, 1)))
    assert [one.name for one in layer.parameters] == ["0.scale", "0.shift", "1.weight", "1.bias"]
    assert [one.name for one in layer.statistics] == ["0.mean", "0.variance"]
    arrays = [np.full((1, *one.shape), one.first, np.float32) for one in (*layer.parameters, *layer.statistics)]
    layer.forward(arrays, batch(12, 5), Passing(True))
    assert np.all(arrays[-2] != 0)
    assert np.all(arrays[-1] != 1)


@pytest.mark.parametrize("kind", [BatchNorm, InstanceNorm, LayerNorm, GroupNorm, MinibatchDeviation])
def test_a_shape_that_is_neither_flat_nor_maps_is_refused(kind: type) -> None:
    with pytest.raises(UsageError, match=r"flat values \(C,\) or maps \(C, H, W\), not \(2, 3\)") as raised:
        kind((2, 3))
    one_line(raised.value)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: GroupNorm((3, 2, 2), 2), "3 channels cannot be put into 2 equal groups"),
        (lambda: GroupNorm((3, 2, 2), 0), "groups of a group norm"),
        (lambda: InstanceNorm((3,)), "leaves nothing of it"),
        (lambda: GroupNorm((4, 1, 1), 4), "leaves nothing of it"),
        (lambda: Dropout(3, 1.0), "must be a number from 0 to below 1"),
        (lambda: Dropout(3, float("nan")), "must be a number from 0 to below 1"),
        (lambda: Dropout(3, "much"), "must be a number from 0 to below 1"),  # type: ignore[arg-type]
        (lambda: TransposedConvolution((3, 2), 1, 3), r"takes maps \(C, H, W\)"),
        (lambda: TransposedConvolution(SHAPE, 1, 10), "size 10 of a transposed convolution is more than 9"),
        (lambda: SpectralNorm(BatchNorm((3,))), "one layer of dense, convolution"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(make, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        make()
    one_line(raised.value)


# Dropout


def dropped(step: int = 0, seed: int = 1, first: int = 0, networks: int = 3, rate: float = 0.3) -> np.ndarray:
    """Return what is left of ones, (P, 200, 50)."""
    layer = Dropout(200, rate)
    found, _ = layer.forward([], np.ones((networks, 200, 50), np.float32), Passing(True, Stream(seed), step, first))
    return found


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.9])
def test_dropout_keeps_its_share_and_makes_it_larger(rate: float) -> None:
    """Of 10,000 values of each network, within five standard deviations."""
    for found in dropped(rate=rate):
        assert set(np.unique(found)) <= {np.float32(0), np.float32(1 / (1 - rate))}
        assert abs((found == 0).mean() - rate) <= 5 * np.sqrt(rate * (1 - rate) / found.size)


def test_dropout_is_a_function_of_seed_step_and_network() -> None:
    """The same again for the same; others for any other; a network's own whichever others are beside it."""
    found = dropped()
    assert np.array_equal(found, dropped())
    for other in (dropped(step=1), dropped(seed=2), dropped(first=3)):
        assert all(0.3 < (one != two).mean() < 0.55 for one, two in zip(found, other, strict=True))
    assert 0.3 < (found[0] != found[1]).mean() < 0.55
    assert np.array_equal(found[1:2], dropped(first=1, networks=1))


def test_two_dropouts_of_a_pass_draw_other_words() -> None:
    layer, passing, ones = Dropout(200, 0.5), Passing(True), np.ones((1, 200, 50), np.float32)
    one, two = (layer.forward([], ones, passing)[0] for _ in range(2))
    assert 0.4 < (one != two).mean() < 0.6


def test_dropout_does_nothing_in_prediction() -> None:
    values = batch(2, 6, 4)
    found, kept = Dropout(6, 0.9).forward([], values)
    assert found is values
    assert np.array_equal(Dropout(6, 0.9).backward([], kept, values)[0], values)


# Spectral norm, minibatch deviation


@pytest.mark.parametrize(
    "inner", [Dense(12, 4), Convolution(SHAPE, 3, 2), TransposedConvolution(SHAPE, 3, 2)], ids=lambda one: one.kind
)
def test_power_iteration_finds_the_largest_singular_value(inner) -> None:
    """Of each network's weights as a matrix with a unit or filter a row; training brings it nearer, prediction not."""
    layer, rng = SpectralNorm(inner), np.random.default_rng(0)
    arrays = [rng.normal(size=(2, *one.shape)) for one in layer.parameters]
    arrays += [np.full((2, *one.shape), one.first) for one in layer.statistics]
    assert np.linalg.norm(arrays[-1], axis=1) == pytest.approx(1)
    values = rng.normal(size=(12, 3))
    for _ in range(300):
        layer.forward(arrays, values, Passing(True))
    before = arrays[-1].copy()
    layer.forward(arrays, values, PREDICTING)
    assert np.array_equal(arrays[-1], before)
    for network in range(2):
        ((found, own),) = layer.finished([array[network] for array in arrays])
        assert found == inner
        rows = own[0] if inner.kind != "transposed-convolution" else own[0].swapaxes(0, 1)
        assert np.linalg.norm(rows.reshape(len(rows), -1), 2) == pytest.approx(1, abs=1e-6)
        assert np.array_equal(own[1], arrays[1][network])


def test_minibatch_deviation_is_a_channel_more() -> None:
    """The mean deviation of all values over the images of a batch; 0 for an image alone, which predictions are of."""
    layer, values = MinibatchDeviation(SHAPE), batch(2, 12, 5)
    for training in (True, False):
        found, _ = layer.forward([], values, Passing(training))
        maps = found.reshape(2, 3, 3, 2, 5)
        assert np.array_equal(maps[:, :2].reshape(values.shape), values)
        for network in range(2):
            expected = values[network].std(axis=1).mean() if training else 0.0
            assert maps[network, 2] == pytest.approx(np.full((3, 2, 5), expected), rel=1e-5)


def test_what_only_gradients_have_a_use_for_says_so() -> None:
    """Without gradients it is refused; norms of each image are not."""
    batch_norm, dense = BatchNorm(SHAPE), Dense(4, 4)
    assert batch_norm.only_by_gradient
    assert Residual(SHAPE, (batch_norm,)).only_by_gradient
    assert SpectralNorm(dense).only_by_gradient
    assert Dropout(4, 0.5).only_by_gradient
    assert MinibatchDeviation(SHAPE).only_by_gradient
    for layer in (LayerNorm(SHAPE), InstanceNorm(SHAPE), GroupNorm(SHAPE, 2), Residual(SHAPE, (LayerNorm(SHAPE),))):
        assert not layer.only_by_gradient
