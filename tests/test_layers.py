"""Fixed layers of images: against loops that follow the definitions, in every backend to the bit, through files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import backends, infer, infer_images
from genreg_np.backends import images
from genreg_np.backends.base import Backend
from genreg_np.errors import UsageError
from genreg_np.layers.images import Branches, Deskew, Detectors, FixedLayer, Levels, Project, Standardise
from genreg_np.model import Network, load
from tests.helpers import BACKENDS, create_or_skip, model_of, one_line, patient


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return create_or_skip(request.param)


def drawing(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    """Return levels (count, height * width) uint8: dark images with some bright pixels, one of them all dark."""
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 256, (count, height * width)) * (rng.random((count, height * width)) < 0.3)
    levels[0] = 0
    return levels.astype(np.uint8)


def filters(count: int, size: int, seed: int = 0) -> np.ndarray:
    """Return filters as strong as 16 bits allow."""
    taps = np.random.default_rng(seed).normal(size=(count, size * size))
    sums = np.maximum(np.maximum(taps, 0).sum(1), np.maximum(-taps, 0).sum(1))[:, None]
    return np.trunc(taps * 128 / sums).clip(-127, 127).astype(np.int8).reshape(count, size, size)


def stage(shape: tuple[int, int, int], count: int = 3, size: int = 3, **changes: Any) -> Detectors:
    """Return a stage of detectors."""
    settings: dict[str, Any] = {"margin": 1, "window": 2, "stride": 1, "signed": True, "gain": 1.5}
    return Detectors(shape, filters(count, size), **(settings | changes))


# Against the definitions


def slow_detect(image: np.ndarray, taps: np.ndarray, layer: Detectors) -> list[int]:
    """Return one filter's levels of one image (H, W), loop by loop, in Python's whole numbers."""
    height, width, size, margin = *image.shape, len(taps), layer.margin

    def pixel(y: int, x: int) -> int:
        return int(image[y, x]) if 0 <= y < height and 0 <= x < width else 0

    def response(y: int, x: int) -> int:
        places = [(i, j) for i in range(size) for j in range(size)]
        return sum(int(taps[i, j]) * pixel(y + i - margin, x + j - margin) for i, j in places)

    found = []
    for sign in (1, -1) if layer.signed else (0,):
        for row in range(layer.grid[0]):
            for column in range(layer.grid[1]):
                window = [(y, x) for y in range(layer.window) for x in range(layer.window)]
                answers = [response(row * layer.stride + y, column * layer.stride + x) for y, x in window]
                total = sum(max(0, sign * answer) if sign else abs(answer) for answer in answers)
                found.append(min(255, math.floor(np.float32(layer.gain) * np.sqrt(np.float32(total)))))
    return found


@given(
    st.tuples(st.integers(1, 3), st.integers(3, 9), st.integers(3, 9)),
    st.integers(1, 5),
    st.integers(0, 4),
    st.integers(1, 4),
    st.integers(1, 3),
    st.booleans(),
    st.sampled_from([0.01, 0.3, 7.0]),
)
@patient
def test_detectors_do_what_they_are_defined_to_do(
    shape: tuple[int, int, int], size: int, margin: int, window: int, stride: int, signed: bool, gain: float
) -> None:
    """Any extents: levels equal those of loops over whole numbers, channel by channel, filter by filter."""
    if margin >= size or min(shape[1:]) + 2 * margin - size + 1 < window:
        return
    layer = stage(shape, 2, size, margin=margin, window=window, stride=stride, signed=signed, gain=gain)
    levels = drawing(2, math.prod(shape), 1, seed=size)
    expected = [
        [slow_detect(channel, taps, layer) for channel in image.reshape(shape) for taps in layer.filters]
        for image in levels
    ]
    assert np.array_equal(layer.apply(levels.astype(np.float32)), np.array(expected).reshape(2, -1))


def slow_deskew(image: np.ndarray, warp: tuple[float, ...]) -> np.ndarray:
    """Return an image (H, W) sheared upright and centred, pixel by pixel, without rounding."""
    height, width = image.shape
    total = float(image.sum())
    if total == 0:
        return image.astype(float)
    pixels = [(y, x, float(image[y, x]) / total) for y in range(height) for x in range(width)]
    cx, cy = sum(x * p for _, x, p in pixels), sum(y * p for y, _, p in pixels)
    mixed, vertical = (sum((x - cx) * (y - cy) * p for y, x, p in pixels), sum((y - cy) ** 2 * p for y, _, p in pixels))
    slant = min(1.0, max(-1.0, mixed / vertical)) if vertical > 1e-12 else 0.0
    a, b, c, d, e, f = warp

    def sampled(y: float, x: float) -> float:
        top, left = math.floor(y), math.floor(x)
        return sum(
            image[top + i, left + j] * (1 - abs(y - top - i)) * (1 - abs(x - left - j))
            for i in (0, 1)
            for j in (0, 1)
            if 0 <= top + i < height and 0 <= left + j < width
        )

    def output(row: int, column: int) -> float:
        u, v = column - (width - 1) / 2, row - (height - 1) / 2
        p, q = a * u + b * v + e, c * u + d * v + f
        return sampled(cy + q, cx + p + slant * q)

    return np.array([[output(row, column) for column in range(width)] for row in range(height)])


@pytest.mark.parametrize("warp", [(1, 0, 0, 1, 0, 0), (0.9, 0.1, -0.1, 1.1, 0.7, -0.4)])
@pytest.mark.parametrize("shape", [(28, 28), (9, 14), (1, 5), (5, 1)])
def test_deskew_is_a_shear_about_the_centre(shape: tuple[int, int], warp: tuple[float, ...]) -> None:
    """Every level is within rounding of the definition: half a level, and 1/512 pixel of the steepest slope."""
    levels = drawing(4, *shape).astype(np.float32)
    found = infer_images.deskew(levels, *shape, True, np.array([warp], float))
    expected = np.stack([slow_deskew(image.reshape(shape), warp) for image in levels]).reshape(4, -1)
    assert np.abs(found - expected).max() <= 0.5 + 2 * 255 / 512 + 1e-6
    assert np.array_equal(found, np.floor(found))


def test_a_slanted_stroke_becomes_upright_and_central() -> None:
    """A line of slope 1/2 far from the middle ends as a vertical one in the middle, however it was shifted."""
    image = np.zeros((28, 28), np.float32)
    for step in range(12):
        image[3 + step, 4 + step // 2 : 6 + step // 2] = 200
    for shift in (0, 5):
        upright = infer_images.deskew(np.roll(image, shift, 1).reshape(1, -1), 28, 28).reshape(28, 28)
        columns = upright.sum(axis=0) / upright.sum()
        middle = (columns * np.arange(28)).sum()
        assert middle == pytest.approx(13.5, abs=0.05)
        assert (columns * (np.arange(28) - middle) ** 2).sum() < 1


def test_levels_round_and_stay_within_their_range() -> None:
    """0 .. 1 becomes 0 .. 255; a value a little outside, as readers allow, becomes the nearest level."""
    x = np.array([[0, 1, 0.5, -0.001, 1.001, 1 / 255]], np.float32)
    assert Levels(6).apply(x).tolist() == [[0, 255, 128, 0, 255, 1]]


def test_branches_are_their_stacks_end_to_end() -> None:
    """Each stack sees the same input; their outputs follow one another."""
    one, two = stage((1, 5, 6)), stage((1, 5, 6), 1, signed=False)
    levels = drawing(3, 5, 6).astype(np.float32)
    expected = np.concatenate([one.apply(levels), two.apply(levels)], axis=1)
    assert np.array_equal(Branches(((one,), (two,))).apply(levels), expected)


# Backends


IMAGE_STACKS: dict[str, tuple[FixedLayer, ...]] = {
    "deskew": (Deskew((9, 12)),),
    "shear": (Deskew((9, 12), centred=False),),
    "one stage": (Deskew((9, 12)), stage((1, 9, 12))),
    "two stages": (stage((1, 9, 12), 2), stage((4, 9 - 1, 12 - 1), 3, 5, margin=2, signed=False, gain=0.4)),
    "branches": (Deskew((9, 12)), Branches(((stage((1, 9, 12)),), (stage((1, 9, 12), 1), stage((2, 8, 11)))))),
    "widest window": (stage((1, 9, 12), 1, 1, margin=0, window=9, stride=2),),
}


@pytest.mark.parametrize("name", list(IMAGE_STACKS))
@pytest.mark.parametrize("count", [1, 31, 33, 70])
def test_levels_are_the_same_bits_in_every_backend(backend: Backend, name: str, count: int) -> None:
    """Backends give infer.py's levels exactly, warped or not, whatever number of images fills the blocks."""
    layers, levels = IMAGE_STACKS[name], drawing(count, 9, 12)
    expected = levels.astype(np.float32)
    for layer in layers:
        expected = layer.apply(expected)
    found = backend.levels(layers, levels)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)
    warps = np.tile([0.9, 0.1, -0.1, 1.1, 0.7, -0.4], (count, 1)) + 0.01 * np.arange(count)[:, None]
    reference = images.ImageBackend().levels(layers, levels, warps)
    assert np.array_equal(backend.levels(layers, levels, warps), reference)


def network_of(name: str) -> Network:
    """Return a network whose fixed layers are all that an image passes through."""
    layers = (Levels(108), *IMAGE_STACKS[name])
    rng = np.random.default_rng(3)
    outputs = layers[-1].outputs
    standardise = Standardise(*rng.normal(1, 0.1, (2, outputs)).astype(np.float32))
    return Network.build((9, 12), (), 3, fixed=(*layers, standardise))


@pytest.mark.parametrize("name", list(IMAGE_STACKS))
@pytest.mark.parametrize("kind", ["pixels", "sixteenths", "floats"])
def test_training_features_are_the_bytes_that_infer_computes(backend: Backend, name: str, kind: str) -> None:
    """Whatever images are given as, the features a head is trained on are those it will see."""
    network = network_of(name)
    levels = drawing(40, 9, 12).reshape(40, 9, 12)
    inputs: np.ndarray = {"pixels": levels, "sixteenths": levels // 16, "floats": levels / np.float32(255)}[kind]
    input_range = (0.0, 15.0) if kind == "sixteenths" else (0.0, 255.0)
    found = backend.features(network, inputs, input_range)
    assert found.dtype == np.float32
    assert found.tobytes() == network.features(inputs, input_range).tobytes()
    model = model_of(network, input_range=input_range)
    weights, biases = network.unpack(model.genes)[0]
    assert model.outputs(inputs).tobytes() == (found @ weights.T + biases).tobytes()


def test_features_of_projected_levels_are_those_of_infer(backend: Backend) -> None:
    """Layers after the standardising one are applied too."""
    base = network_of("one stage")
    matrix = np.random.default_rng(0).normal(size=(4, base.fixed[-1].outputs)).astype(np.float32)
    network = Network.build((9, 12), (), 3, fixed=(*base.fixed, Project(matrix)))
    inputs = drawing(20, 9, 12).reshape(20, 9, 12)
    assert np.array_equal(backend.features(network, inputs, (0.0, 255.0)), network.features(inputs, (0.0, 255.0)))


def test_read_only_images_are_taken(backend: Backend) -> None:
    """Arrays that come from files may not be written to; nothing needs to."""
    levels = drawing(3, 9, 12)
    levels.flags.writeable = False
    assert backend.levels(IMAGE_STACKS["one stage"], levels).shape[0] == 3


def test_no_images_have_no_features(backend: Backend) -> None:
    """An empty set gives an empty set of the right width."""
    layers = IMAGE_STACKS["branches"]
    assert backend.levels(layers, np.empty((0, 108), np.uint8)).shape == (0, layers[-1].outputs)


@pytest.mark.skipif(
    "numba" not in backends.REGISTRY or backends.resolve("cpu") != "numba", reason="numba is not installed"
)
def test_threads_change_no_level() -> None:
    """One and several threads give identical levels."""
    levels = drawing(300, 9, 12)
    found = [backends.create("numba", threads).levels(IMAGE_STACKS["branches"], levels) for threads in (1, 3)]
    assert np.array_equal(*found)


# Files


@pytest.mark.parametrize("name", list(IMAGE_STACKS))
def test_a_saved_bank_comes_back_the_same(name: str, tmp_path: Path) -> None:
    """Saved, loaded and saved again, the bytes are equal, and so are layers and predictions."""
    model = model_of(network_of(name))
    model.save(tmp_path / "a.npz")
    again = load(tmp_path / "a.npz")
    assert again.pack() == model.pack()
    assert again.network == model.network
    images = drawing(5, 9, 12).reshape(5, 9, 12)
    assert again.outputs(images).tobytes() == model.outputs(images).tobytes()
    assert infer.load(tmp_path / "a.npz").outputs(images).tobytes() == model.outputs(images).tobytes()


# Misfits


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"window": 20}, "pools 20 x 20"),
        ({"window": 23, "margin": 2, "size": 3, "shape": (1, 90, 90)}, "or than 22"),
        ({"margin": 3}, "impossible extents"),
        ({"margin": -1}, "impossible extents"),
        ({"stride": 0}, "impossible extents"),
        ({"shape": (0, 5, 6)}, "impossible extents"),
        ({"shape": (5, 6)}, "impossible extents"),
        ({"gain": 0.0}, "gain"),
        ({"gain": math.inf}, "gain"),
        ({"gain": 1}, "gain"),
    ],
)
def test_impossible_detectors_are_refused(changes: dict[str, Any], words: str) -> None:
    """One line says what cannot be."""
    shape = changes.pop("shape", (1, 5, 6))
    with pytest.raises(UsageError) as raised:
        stage(shape, **changes)
    assert words in one_line(raised.value)


def test_filters_beyond_16_bits_are_refused() -> None:
    """A response must fit in 16 bits, or backends could differ."""
    with pytest.raises(UsageError) as raised:
        Detectors((1, 5, 5), np.full((1, 3, 3), 15, np.int8), 1, 2, 1, True, 1.0)
    assert "beyond 16 bits" in one_line(raised.value)


def test_fixed_layers_that_do_not_fit_together_are_refused() -> None:
    """The error names the layer and both widths."""
    with pytest.raises(UsageError) as raised:
        Network.build((5, 6), (), 2, fixed=(Levels(30), Deskew((5, 5))))
    assert "layer 1 (deskew) takes 25 inputs, but 30 arrive" in one_line(raised.value)
