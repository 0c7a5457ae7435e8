"""Forward passes beside the equations written out as loops, for any shapes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.layers.base import Layer, Passing
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from tests.helpers import patient

FEW = st.integers(1, 3)
EXTENT = st.integers(3, 6)
SEED = st.integers(0, 99)
METHOD = st.sampled_from(["max", "avg"])
REDUCED = {"max": np.max, "avg": np.mean}


def of_one(layer: Layer, seed: int, training: bool = False) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Return arrays of one network, maps (C, H, W, N) that go in, and what comes out, (F, rows, columns, N)."""
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=one.shape) for one in layer.parameters]
    statistics = [rng.uniform(0.5, 2, one.shape) for one in layer.statistics]
    maps = rng.normal(size=(*layer.shape, 2))  # type: ignore[attr-defined]
    own = [array[None].copy() for array in (*arrays, *statistics)]
    found, _ = layer.forward(own, maps.reshape(1, -1, 2), Passing(training))
    return [*arrays, *statistics], maps, found[0].reshape(*layer.output_shape(maps.shape[:-1]), 2)


@patient
@given(FEW, EXTENT, EXTENT, FEW, st.integers(1, 3), FEW, st.booleans(), SEED)
def test_convolution(
    channels: int, height: int, width: int, filters: int, size: int, stride: int, same: bool, seed: int
) -> None:
    """A filter's sum at every place; of an odd number of zeros the larger half is at the end."""
    layer = Convolution((channels, height, width), filters, size, stride, same)
    (weights, biases), maps, found = of_one(layer, seed)
    margins = []
    for extent, places in zip((height, width), found.shape[1:3], strict=True):
        zeros = max(0, (places - 1) * stride + size - extent) if same else 0
        margins.append((zeros // 2, zeros - zeros // 2))
        assert places == (-(-extent // stride) if same else (extent - size) // stride + 1)
    padded = np.pad(maps, ((0, 0), *margins, (0, 0)))
    for f, y, x in itertools.product(*(range(extent) for extent in found.shape[:3])):
        window = padded[:, y * stride : y * stride + size, x * stride : x * stride + size]
        assert found[f, y, x] == pytest.approx((weights[f, ..., None] * window).sum(axis=(0, 1, 2)) + biases[f])


@patient
@given(FEW, st.integers(1, 4), st.integers(1, 4), FEW, st.integers(1, 4), FEW, st.booleans(), SEED)
def test_transposed_convolution(
    channels: int, height: int, width: int, filters: int, size: int, stride: int, same: bool, seed: int
) -> None:
    """Every value's share at every place it reaches; extents are what PyTorch's formula says, or H s with `same`."""
    layer = TransposedConvolution((channels, height, width), filters, size, stride, same)
    (weights, biases), maps, found = of_one(layer, seed)
    padding, beyond = layer.padding
    assert 0 <= beyond < max(2, stride)  # what PyTorch takes
    expected = np.zeros(found.shape) + biases[:, None, None, None]
    for extent, places in zip((height, width), found.shape[1:3], strict=True):
        assert places == (extent - 1) * stride - 2 * padding + size + beyond
        assert places == (extent * stride if same else (extent - 1) * stride + size)
    for y, x, i, j in itertools.product(range(height), range(width), range(size), range(size)):
        row, column = y * stride + i - padding, x * stride + j - padding
        if 0 <= row < found.shape[1] and 0 <= column < found.shape[2]:
            expected[:, row, column] += np.einsum("cf,cn->fn", weights[..., i, j], maps[:, y, x])
    assert found == pytest.approx(expected)


@patient
@given(FEW, EXTENT, EXTENT, METHOD, FEW, FEW, SEED)
def test_pooling(channels: int, height: int, width: int, method: str, size: int, stride: int, seed: int) -> None:
    """The largest, or the mean, of every window that lies within the maps."""
    layer = Pooling((channels, height, width), method, size, stride)
    _, maps, found = of_one(layer, seed)
    assert found.shape[1:3] == ((height - size) // stride + 1, (width - size) // stride + 1)
    for y, x in itertools.product(*(range(extent) for extent in found.shape[1:3])):
        window = maps[:, y * stride : y * stride + size, x * stride : x * stride + size]
        assert found[:, y, x] == pytest.approx(REDUCED[method](window, axis=(1, 2)))


@patient
@given(FEW, EXTENT, EXTENT, METHOD, FEW, SEED)
def test_adaptive_pooling(channels: int, height: int, width: int, method: str, size: int, seed: int) -> None:
    """Windows from floor(y H / R) to ceil((y + 1) H / R) - 1."""
    _, maps, found = of_one(AdaptivePooling((channels, height, width), method, size), seed)
    for y, x in itertools.product(range(size), repeat=2):
        (top, bottom), (left, right) = (
            (int(np.floor(place * extent / size)), int(np.ceil((place + 1) * extent / size)))
            for place, extent in ((y, height), (x, width))
        )
        assert found[:, y, x] == pytest.approx(REDUCED[method](maps[:, top:bottom, left:right], axis=(1, 2)))


@patient
@given(FEW, FEW, FEW, FEW, SEED)
def test_upsampling(channels: int, height: int, width: int, factor: int, seed: int) -> None:
    _, maps, found = of_one(Upsample((channels, height, width), factor), seed)
    for y, x in itertools.product(range(height * factor), range(width * factor)):
        assert np.array_equal(found[:, y, x], maps[:, y // factor, x // factor])


def normal(values: np.ndarray) -> np.ndarray:
    return (values - values.mean()) / np.sqrt(values.var() + 1e-5)


@patient
@given(st.sampled_from(["instance", "layer", "group"]), FEW, FEW, st.integers(2, 3), FEW, SEED)
def test_norms_of_each_image(kind: str, groups: int, each: int, height: int, width: int, seed: int) -> None:
    """Mean 0 and variance 1 of every group of every image, then each channel's scale and shift."""
    shape = (groups * each, height, width)
    layer = {"instance": InstanceNorm(shape), "layer": LayerNorm(shape), "group": GroupNorm(shape, groups)}[kind]
    (scale, shift), maps, found = of_one(layer, seed)
    count = {"instance": groups * each, "layer": 1, "group": groups}[kind]
    for image in range(2):
        for group in np.split(np.arange(groups * each), count):
            inside = normal(maps[group, ..., image])
            expected = inside * scale[group, None, None] + shift[group, None, None]
            assert found[group, ..., image] == pytest.approx(expected)


@patient
@given(FEW, FEW, FEW, st.booleans(), SEED)
def test_batch_norm(channels: int, height: int, width: int, training: bool, seed: int) -> None:
    """Each channel over all images and positions in training; by what was kept count of in prediction."""
    arrays, maps, found = of_one(BatchNorm((channels, height, width)), seed, training)
    for channel, (scale, shift, mean, variance) in enumerate(zip(*arrays, strict=True)):
        before = maps[channel]
        normed = normal(before) if training else (before - mean) / np.sqrt(variance + 1e-5)
        assert found[channel] == pytest.approx(normed * scale + shift)
