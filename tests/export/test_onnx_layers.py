"""Target onnx, layer by layer, on what is hard: exact layers are equal to the bit, the others near infer.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np import infer, infer_images, infer_int8, infer_layers
from genreg_np.export import files_of
from genreg_np.export.quantise import quantise
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.images import Deskew, Detectors, FixedLayer, Levels
from genreg_np.layers.normalise import ScaleShift
from genreg_np.layers.responses import Responses, Statistics
from genreg_np.model import Dense, Model, Network
from tests.export.hard_int8 import MAKERS, hard_int8, near_ties
from tests.export.hard_layers import HARD
from tests.export.test_onnx import BOUND, answers, onnx  # skips where they are not

UInt8 = NDArray[np.uint8]


def showing(*layers: FixedLayer, shape: tuple[int, ...], **changes: Any) -> Model:
    """Return a model whose outputs are what the layers give: a head that passes them on, exact for whole numbers."""
    width = layers[-1].outputs if layers else int(np.prod(shape))
    network = Network(shape, (*layers, Dense(width, width, "linear")))
    genes = np.concatenate([np.eye(width, dtype=np.float32).ravel(), np.zeros(width, np.float32)])
    return Model.build(network, genes, **({"input_range": (0.0, 255.0)} | changes))


def assert_equal(model: Model, inputs: NDArray[np.generic]) -> None:
    """The outputs are infer.py's, bit for bit."""
    assert np.array_equal(answers(model, inputs)["outputs"], model.outputs(inputs))


def pictures(height: int, width: int) -> UInt8:
    """Return images that are noise, dark, bright, single pixels, single rows and columns, diagonals, and faint.

    In the last two the centre of brightness lies 1/512 pixel off the grid, just between two places to sample.
    """
    rng = np.random.default_rng(5)
    noise = rng.integers(0, 256, (30, height, width))
    sparse = noise * (rng.random(noise.shape) < 0.1)
    row, column = np.indices((height, width))
    pixels = [(row == y) & (column == x) for y in {0, height // 2, height - 1} for x in {0, width // 2, width - 1}]
    lines = [row == height // 2, row == 0, column == width // 2, column == width - 1, row == column, row + column == 7]
    shapes = 255 * np.array([*pixels, *lines, row >= 0, row < 0, (row == 0) | (row == height - 1)])
    between = np.zeros((2, height, width), int)
    if min(height, width) > 3:
        between[0, 1, :3], between[0, 2, 0] = (255, 255, 1), 1
        between[1, :3, 1], between[1, 0, 2] = (255, 255, 1), 1
    return np.concatenate([noise, sparse, shapes, shapes // 255, between]).astype(np.uint8)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("shape", [(28, 28), (7, 11), (12, 5), (1, 6), (6, 1), (1, 1)])
def test_deskewed_images_are_equal(shape: tuple[int, int], centred: bool) -> None:
    """Every operation of float64 in infer.py's order: not one sample of 1/256 pixel differs."""
    layers = (Levels(shape[0] * shape[1]), Deskew(shape, centred))
    assert_equal(showing(*layers, shape=shape), pictures(*shape))


@pytest.mark.parametrize("signed", [True, False])
@pytest.mark.parametrize(
    ("size", "margin", "window", "stride"), [(3, 1, 2, 2), (5, 0, 3, 2), (4, 2, 6, 5), (1, 0, 1, 1)]
)
def test_detectors_are_equal(size: int, margin: int, window: int, stride: int, signed: bool) -> None:
    """One stage and two, a tap of -128 among them, with gains that saturate and gains that do not."""
    rng = np.random.default_rng(size)
    filters = rng.integers(-9, 10, (3, size, size)).astype(np.int8)
    filters[0] = 0
    filters[0, 0, 0] = -128
    settings = {"margin": margin, "window": window, "stride": stride, "signed": signed}
    first = Detectors((1, 13, 12), filters, **settings, gain=float(np.float32(0.7)))
    second = Detectors((first.maps, *first.grid), filters[:, :1, :1].copy(), 0, 1, 1, signed, gain=1.0)
    layers = (Levels(13 * 12), first, second)
    assert_equal(showing(*layers[:2], shape=(13, 12)), pictures(13, 12))
    assert_equal(showing(*layers, shape=(13, 12)), pictures(13, 12))


def test_the_largest_sums_that_a_detector_may_have_are_equal() -> None:
    """Bright images under filters of +-128, pooled 22 x 22: sums to 15.8 million, roots of all sizes."""
    filters = np.zeros((2, 2, 2), np.int8)
    filters[0, 0], filters[1, 1] = 64, -64
    layer = Detectors((1, 24, 24), filters, 0, 22, 1, signed=True, gain=float(np.float32(255 / 3980)))
    rng = np.random.default_rng(1)
    images = np.concatenate([np.full((1, 24, 24), 255), rng.integers(0, 256, (300, 24, 24)) * rng.random((300, 1, 1))])
    assert_equal(showing(Levels(576), layer, shape=(24, 24)), images.astype(np.uint8))


@pytest.mark.parametrize("bounds", [(0, 255), (0, 16), (-5, 7), (3, 1000), (0, 70_000)])
def test_raw_values_are_mapped_alike_and_give_equal_levels(bounds: tuple[int, int]) -> None:
    low, high = bounds
    values = np.linspace(low, high, 400).astype(np.int64).reshape(-1, 1)
    for layers in ((), (Levels(1),)):
        model = showing(*layers, shape=(1,), input_range=(float(low), float(high)))
        assert_equal(model, values.astype(np.uint8) if bounds == (0, 255) else values)


def test_features_are_cut_to_equal_levels() -> None:
    """Float features, the ends of every level and what is beyond 0 .. 1 among them."""
    ends = (np.arange(256, dtype=np.float32) + np.float32(0.5)) / np.float32(255)
    values = np.concatenate(
        [ends, np.nextafter(ends, np.float32(-1)), np.nextafter(ends, np.float32(2)), [-3, -0.0, 9]]
    )
    assert_equal(showing(Levels(1), shape=(1,), input_range=None), values.astype(np.float32)[:, None])


def slopes() -> UInt8:
    """Return 7 x 7 images whose middle pixel has every slope along an axis or within one level of a diagonal."""
    steps = np.arange(-255, 256)
    near = [(a, sign * a + off) for a in steps for sign in (-1, 1) for off in (-1, 0, 1)]
    across, down = np.array([*near, *((a, 0) for a in steps), *((0, a) for a in steps)]).clip(-255, 255).T
    images = np.zeros((len(across), 7, 7), np.int64)
    rng = np.random.default_rng(4)
    for step, before, after in ((across, (3, 2), (3, 4)), (down, (2, 3), (4, 3))):
        darkest = rng.integers(0, 256 - np.abs(step))
        images[:, *before], images[:, *after] = darkest + np.maximum(-step, 0), darkest + np.maximum(step, 0)
    return images.astype(np.uint8)


def test_directions_of_slopes_fall_in_the_same_eighths() -> None:
    """A slope in another eighth moves a whole pixel from one bin to the next; single pixels are the cells here."""
    model = showing(Levels(49), Statistics((7, 7)), shape=(7, 7))
    inputs = slopes()
    assert np.abs(answers(model, inputs)["outputs"] - model.outputs(inputs)).max() < 1e-6


@pytest.mark.parametrize("shape", [(28, 28), (9, 15), (16, 7)])
def test_statistics_are_near(shape: tuple[int, int]) -> None:
    """Extents that no grid divides leave rows and columns out, as in infer.py."""
    model = showing(Levels(shape[0] * shape[1]), Statistics(shape), shape=shape)
    inputs = pictures(*shape)
    assert np.abs(answers(model, inputs)["outputs"] - model.outputs(inputs)).max() < 1e-6


@pytest.mark.parametrize("order", [1, -1])
def test_responses_are_near_whatever_their_functions(order: int) -> None:
    """Every function, several filters of some, not side by side; cells that leave rows and columns out."""
    functions = (*infer_images.RESPONSES, "relu", "abs", "relu")[::order]
    taps = np.random.default_rng(2).normal(0, 0.7, (len(functions), 3, 3)).astype(np.float32)
    layer = Responses((9, 12), taps, functions, ((2, 3), (1, 1), (7, 10), (3, 4)))
    model = showing(Levels(108), layer, shape=(9, 12))
    inputs = pictures(9, 12)
    expected = model.outputs(inputs)
    assert np.abs(answers(model, inputs)["outputs"] - expected).max() < 1e-6 * np.abs(expected).max()


FAR = np.array([-1e30, -90, -3, -1e-3, -1e-30, -0.0, 0, 1e-30, 1e-3, 3, 90, 1e30], np.float32)[:, None]


@pytest.mark.parametrize("function", infer_layers.FUNCTIONS)
def test_activations_are_near_also_at_zero_and_far_from_it(function: str) -> None:
    """As layers of their own and, where it has them, at the end of a dense one."""
    layers: list[tuple[Layer, ...]] = [(ScaleShift((1,)), Activation(1, function))]
    if function in infer.ACTIVATIONS:
        layers.append((Dense(1, 1, function),))
    tolerance = {"sigmoid": 1e-6, "elu": 1e-7, "selu": 2e-7}.get(function, 0)
    for stack in layers:
        model = Model.build(Network((1,), stack), np.array([1, 0], np.float32))
        assert np.allclose(answers(model, FAR)["outputs"], model.outputs(FAR), rtol=1e-6, atol=tolerance)


@pytest.mark.parametrize("name", HARD)
def test_layers_of_maps_are_near_whatever_their_shapes(name: str) -> None:
    """The file is valid, and takes a batch, one image and none."""
    exhibit = HARD[name]
    message = onnx.load_from_string(files_of(exhibit.model, "onnx")["model.onnx"])
    onnx.checker.check_model(message, full_check=True)
    expected = exhibit.model.outputs(exhibit.inputs)
    for count in (len(exhibit.inputs), 1, 0):
        found = answers(exhibit.model, exhibit.inputs[:count])["outputs"]
        assert found.shape == expected[:count].shape
        assert np.abs(found - expected[:count]).max(initial=0) <= BOUND * np.abs(expected).max()


@pytest.mark.parametrize("name", MAKERS)
def test_layers_of_8_bit_integers_are_equal_whatever_their_shapes_and_numbers(name: str) -> None:
    """The file is valid; a batch, one image and none give the same bits."""
    exhibit = hard_int8(name)
    message = onnx.load_from_string(files_of(exhibit.model, "onnx")["model.onnx"])
    onnx.checker.check_model(message, full_check=True)
    for count in (len(exhibit.inputs), 1, 0):
        assert_equal(exhibit.model, exhibit.inputs[:count])


def test_a_quotient_would_be_seen_where_the_definition_has_a_product() -> None:
    """Runtimes turn a product with 1 / x into a quotient; on the models named for it that gives another integer."""
    ties = near_ties()
    assert len(ties) >= 5
    assert all(abs(int(right.view(np.int32)) - int(other.view(np.int32))) == 1 for _, right, other in ties)
    for name in (name for name in MAKERS if "near a tie" in name):
        assert hard_int8(name).model.outputs(hard_int8(name).inputs)[0, 0] == 1


def test_a_network_that_passes_its_input_on_has_an_output_of_another_name() -> None:
    """No network that is trained does, but a file may describe one."""
    layers = [{"kind": "concatenate", "shape": [4], "branches": [[]]}]
    model = Model({"network": {"input_shape": [4], "layers": layers}, "class_names": []}, {})
    inputs = np.random.default_rng(6).normal(size=(3, 4)).astype(np.float32)
    assert np.array_equal(answers(model, inputs)["outputs"], inputs)


def test_8_bit_integers_are_equal_where_float32_could_not_add_them_up() -> None:
    """2,000 inputs of 127 times weights of 127 are beyond 24 bits; odd sums would be rounded there."""
    network = Network.build((2000,), (), 3)
    rng = np.random.default_rng(3)
    genes = rng.choice([-0.01, 0.01], network.gene_count).astype(np.float32)
    model = quantise(Model.build(network, genes), np.ones((2, 2000), np.float32))
    weight = model.arrays["layers.1.weight"]
    assert infer_int8.MOST_INT8 * np.abs(weight.astype(int)).sum(axis=1).max() > 2**24
    inputs = np.sign(weight[rng.integers(0, 3, 300)]) * rng.uniform(0.8, 1, (300, 2000))
    assert_equal(model, inputs.astype(np.float32))


def test_8_bit_integers_are_equal_for_features_far_beyond_calibration() -> None:
    """What no int64 holds is cut first."""
    network = Network.build((4,), (5,), 3, "relu")
    genes = np.random.default_rng(6).normal(size=network.gene_count).astype(np.float32)
    model = quantise(Model.build(network, genes), np.eye(4, dtype=np.float32))
    far = np.array([1e38, -1e38, 1e20, -1e20, 127, 1.0039, -1.0039, 0], np.float32)
    assert_equal(model, np.stack(np.meshgrid(far, far, far, far), axis=-1).reshape(-1, 4))
