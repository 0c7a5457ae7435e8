"""8-bit integers: what quantise() makes keeps every bound, and infer.py computes it as docs/int8.md defines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genreg_np import infer, infer_layers
from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.images import Levels, Project
from genreg_np.layers.normalise import InstanceNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.model import Model, Network, Standardise
from tests import zoo
from tests.export import mnist
from tests.export.int8_reference import reference
from tests.helpers import model_of, one_line, patient

INT8 = [name for name in zoo.ZOO if name.startswith("int8")]


def logits(model: infer.Model, inputs: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return infer.py's logits in units."""
    return model.outputs(inputs).astype(np.float64) / model.header["network"]["layers"][-1]["unit"]


@pytest.mark.parametrize("name", INT8)
def test_infer_computes_what_is_defined(name: str) -> None:
    """Floating point in infer.py, integers here: the same t."""
    exhibit = zoo.exhibit_of(name)
    inputs = exhibit.inputs[:12]
    assert np.array_equal(reference(exhibit.model, inputs), logits(exhibit.model, inputs))


def test_the_example_of_the_documentation_holds() -> None:
    """docs/int8.md goes through a network of two inputs by hand."""
    layers = [
        {"kind": "quantise", "inputs": 2, "low": 0},
        {"kind": "dense-int8", "inputs": 2, "outputs": 1, "shift": 6, "low": -2},
        {"kind": "dense-int8", "inputs": 1, "outputs": 2, "shift": 4, "unit": 0.25},
    ]
    arrays = {
        "layers.0.a": np.full(2, 127, np.float32),
        "layers.0.b": np.full(2, 0.5, np.float32),
        "layers.1.weight": np.array([[100, -50]], np.int8),
        "layers.1.bias": np.array([7], np.int32),
        "layers.1.multiplier": np.array([3], np.int32),
        "layers.1.table": np.array([-9, -4, 0, 5, 11, 20], np.int8),
        "layers.2.weight": np.array([[1], [-2]], np.int8),
        "layers.2.bias": np.array([0, 5], np.int32),
        "layers.2.multiplier": np.array([8, 8], np.int32),
    }
    header = {"network": {"input_shape": [2], "layers": layers}, "class_names": ["a", "b"], "input_range": [0, 255]}
    model = infer.Model(header, arrays)
    inputs = np.array([[255, 128], [0, 2]], np.uint8)
    assert model.outputs(inputs).tolist() == [[2.5, -4.25], [-1, 3]]
    assert np.array_equal(reference(model, inputs), [[10, -17], [-4, 12]])


MAGNITUDES = st.sampled_from([0.0, 1e-45, 1e-30, 1e-6, 0.01, 1.0, 100.0, 1e6, 1e30])


@st.composite
def models(draw: st.DrawFn) -> tuple[Model, NDArray[np.float32]]:
    """Draw a network whose rows and biases differ by many orders of magnitude, and inputs to calibrate by."""
    inputs, outputs = draw(st.integers(1, 9)), draw(st.integers(1, 5))
    hidden = tuple(draw(st.lists(st.integers(1, 6), max_size=2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    values = rng.normal(size=(draw(st.integers(1, 5)), inputs)) * draw(MAGNITUDES)
    values = np.broadcast_to(values[:1], values.shape) if draw(st.booleans()) else values  # constant inputs
    fixed = ()
    if draw(st.booleans()):
        fixed = (Standardise(*(rng.normal(size=(2, inputs)) * draw(MAGNITUDES)).astype(np.float32)),)
    network = Network.build((inputs,), hidden, outputs, draw(st.sampled_from(list(infer.ACTIVATIONS))), fixed)
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    for weights, biases in network.unpack(genes):
        for row in range(len(biases)):
            weights[row] *= np.float32(draw(MAGNITUDES))
            biases[row] *= np.float32(draw(MAGNITUDES))
    return Model.build(network, genes, (), None), values.astype(np.float32)


def hold(model: Model, inputs: NDArray[np.float32]) -> None:
    """Quantise a model: what comes of it computes what is defined, far beyond its inputs too; or it is refused."""
    try:
        whole = quantise(model, inputs)
    except UsageError as error:
        line = one_line(error)
    else:
        line = ""
    if line:
        assert line.startswith("the model cannot be computed in 8-bit integers: ")
        return
    given = np.concatenate([inputs, -inputs, np.float32(100) * inputs]).clip(-3e38, 3e38)
    assert np.array_equal(reference(whole, given), logits(whole, given))
    assert np.abs(reference(whole, given)).max() < 2**24


@patient
@given(models())
def test_every_bound_holds_whatever_the_weights(drawn: tuple[Model, NDArray[np.float32]]) -> None:
    """The result is a model that infer.py reads and that computes what is defined, or a refusal of one line."""
    hold(*drawn)


def test_a_model_of_zeros_on_large_features_gives_zeros() -> None:
    """Its rows have any scale, which beside large inputs is beyond a multiplier's 31 bits: the multiplier is cut."""
    network = Network.build((1,), (), 1)
    inputs = np.array([[125730.0]], np.float32)
    whole = quantise(Model.build(network, np.zeros(2, np.float32), (), None), inputs)
    assert np.array_equal(whole.outputs(inputs), [[0.0]])
    assert np.array_equal(reference(whole, inputs), [[0]])


def _close(model: Model, inputs: NDArray[np.generic], part: float) -> None:
    """Compare with the float model: within a part of its largest logit."""
    expected = model.outputs(inputs)
    assert np.abs(quantise(model, inputs).outputs(inputs) - expected).max() < part * np.abs(expected).max()


def _small(bias: float = 0.0, weight: float = 1.0, row: int = 0, hidden: tuple[int, ...] = (4,)) -> Model:
    """Return a model of which one row of the first layer has other weights and another bias."""
    network = Network.build((6,), hidden, 3, "relu")
    model = model_of(network, 3, input_range=None, class_names=())
    genes = model.genes.copy()
    weights, biases = network.unpack(genes)[0]
    weights[row] *= np.float32(weight)
    biases[row] = bias
    return Model.build(network, genes, (), None)


INPUTS = np.random.default_rng(4).normal(size=(50, 6)).astype(np.float32)


@pytest.mark.parametrize("hidden", [(), (4,)], ids=["one layer", "two layers"])
@pytest.mark.parametrize(
    ("bias", "weight"),
    [(0.5, 1), (0.5, 0), (0, 0), (0.5, 1e-6), (300, 1e-6), (1e-9, 0), (0.5, 1e-30)],
    ids=["plain", "zeros", "all zeros", "small weights", "large bias", "tiny bias", "tiny weights"],
)
def test_rows_of_any_scale_keep_their_precision(bias: float, weight: float, hidden: tuple[int, ...]) -> None:
    """Neither zeros nor large biases make that row, or the others, coarse."""
    _close(_small(bias, weight, hidden=hidden), INPUTS, 0.02)


def test_a_bias_alone_is_nearly_exact() -> None:
    """A row without weights gives its bias, to the unit of logits."""
    whole = quantise(_small(0.3, 0, hidden=()), INPUTS)
    assert whole.outputs(INPUTS)[:, 0] == pytest.approx(0.3, abs=whole.header["network"]["layers"][-1]["unit"])


def test_one_row_of_huge_weights_leaves_the_others_fine() -> None:
    """A hidden unit that is always at its limit does not cost the others their multiplier's bits."""
    network = Network.build((6,), (4,), 3, "tanh")
    genes = model_of(network, 3).genes.copy()
    network.unpack(genes)[0][0][1] *= np.float32(1e9)
    _close(Model.build(network, genes, (), None), INPUTS[np.abs(INPUTS).min(axis=1) > 0.02], 0.03)


def test_constant_inputs_calibrate() -> None:
    """One input, all zeros: nothing is divided by nothing."""
    whole = quantise(_small(0.5), np.zeros((1, 6), np.float32))
    assert np.isfinite(whole.outputs(INPUTS)).all()


def _projected() -> Model:
    return model_of(Network.build((6,), (), 3, fixed=(Project(np.eye(4, 6, dtype=np.float32)),)))


def _ended(last: Layer) -> Model:
    return model_of(Network((6,), (Dense(6, 6), last)), class_names=())


def _levels_for(layer: Layer) -> Model:
    return model_of(Network((1, 2, 3), (Levels(6), layer, Dense(4, 3))))


@pytest.mark.parametrize(
    ("mean", "scale"), [(0.0, 10.0), (1e-6, 10.0), (0.0, 0.1), (-0.745, 10.0)], ids=["by 10", "aside", "by .1", "apart"]
)
@pytest.mark.parametrize("width", [1, 6])
def test_standardised_images_keep_their_range(mean: float, scale: float, width: int) -> None:
    """Raw values that are standardised are not within 0 .. 1, whatever they were before; of one value, too."""
    fixed = Standardise(np.full(width, mean, np.float32), np.full(width, scale, np.float32))
    model = model_of(Network.build((width,), (4,), 3, "relu", (fixed,)), input_range=(0.0, 255.0))
    _close(model, np.random.default_rng(7).integers(0, 256, (60, width)).astype(np.uint8), 0.04)


@pytest.mark.parametrize("function", ["elu", "selu"])
def test_an_activation_of_infinite_depth_is_tabled(function: str) -> None:
    """What is far below 0, -inf in float32, gives what the end of the table has."""
    network = Network((1,), (Dense(1, 2), Activation(2, function), Dense(2, 2)))
    genes = np.array([-3e38, 1, 0, 0, 1, 0, 0, 1, 0, 0], np.float32)
    with np.errstate(over="ignore"):
        _close(Model.build(network, genes, (), None), np.array([[3.0], [2.0]], np.float32), 0.02)


def test_what_is_normalised_may_not_be_next_to_nothing() -> None:
    """The line names the layer, not the bits of a sum."""
    network = Network((2, 4, 4), (InstanceNorm((2, 4, 4)), Dense(32, 2)))
    with pytest.raises(UsageError, match=r"the inputs of layer 0 \(instance-norm\) are too near 0") as raised:
        quantise(model_of(network, input_range=None, class_names=()), np.full((2, 2, 4, 4), 1e-30, np.float32))
    one_line(raised.value)


REFUSED: dict[str, tuple[Callable[[], Model], str]] = {
    "responses": (lambda: zoo.exhibit_of("genreg-2").model, "cannot be computed in 8-bit integers: leave out --int8"),
    "layer of project": (lambda: _projected(), "layer 0 (project) cannot be computed"),
    "a relu at the end": (lambda: _ended(Activation(6, "relu")), "layer 1 (activation, relu) cannot be computed"),
    "the largest at the end": (lambda: _ended(Pooling((1, 2, 3), "max", 2)), "layer 1 (pooling, max) cannot be"),
    "levels for filters": (lambda: _levels_for(Convolution((1, 2, 3), 2, 2)), "layer 1 (convolution) cannot be"),
    "int8 already": (lambda: zoo.exhibit_of("int8, tanh").model, "already"),
    "infinite layers": (lambda: _small(3.4e38, 0, hidden=(4, 40)), "infinite values"),
    "huge logits": (lambda: _small(1e30, hidden=()), "logits may reach"),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_quantised_is_refused(name: str) -> None:
    """One line says what stands in the way."""
    make, words = REFUSED[name]
    model = make()
    with pytest.raises(UsageError) as raised:
        quantise(model, np.ones((1, *model.input_shape), np.float32))
    assert words in one_line(raised.value)


def test_a_last_layer_with_an_activation_is_refused() -> None:
    """Logits of integers are linear."""
    model = _small()
    layers = json.loads(json.dumps(model.header["network"]["layers"]))
    layers[-1]["activation"] = "tanh"
    changed = Model(model.header | {"network": model.header["network"] | {"layers": layers}}, model.arrays)
    with pytest.raises(UsageError, match=r"layer 1 \(dense, tanh\).*must be linear"):
        quantise(changed, INPUTS)


def test_no_inputs_to_calibrate_by_are_refused() -> None:
    """An empty batch says nothing about magnitudes."""
    with pytest.raises(UsageError, match="at least one"):
        quantise(_small(), INPUTS[:0])


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Model, NDArray[np.float32]]:
    """Draw maps whose filters and biases differ by many orders of magnitude, and inputs to calibrate by."""
    shape = (draw(st.integers(1, 2)), draw(st.integers(3, 5)), 4)
    filters, size, stride, same = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), True
    layers: list[Layer] = [Convolution(shape, filters, size, stride, same=same)]
    shape = layers[-1].output_shape(shape)
    for kind in draw(st.lists(st.sampled_from(("activation", "norm", "scale", "residual", "mean")), max_size=3)):
        width = math.prod(shape)
        made: dict[str, Callable[[], Layer]] = {
            "activation": lambda width=width: Activation(width, draw(st.sampled_from(sorted(infer_layers.FUNCTIONS)))),
            "norm": lambda shape=shape: InstanceNorm(shape),
            "scale": lambda shape=shape: ScaleShift(shape),
            "residual": lambda shape=shape: Residual(shape, (Convolution(shape, shape[0], 3, same=True),)),
            "mean": lambda shape=shape: AdaptivePooling(shape, "avg", min(2, *shape[1:])),
        }
        layers.append(made[kind]())
        shape = layers[-1].output_shape(shape)
    network = Network((*layers[0].shape,), (*layers, Dense(math.prod(shape), 2)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    for weights in network.parameters_of(genes):
        weights *= np.float32(draw(MAGNITUDES))
    values = rng.normal(size=(draw(st.integers(1, 4)), *network.input_shape)) * draw(MAGNITUDES)
    return Model.build(network, genes, (), None), values.astype(np.float32)


@patient
@given(convolutions())
def test_every_bound_of_maps_holds_whatever_the_weights(drawn: tuple[Model, NDArray[np.float32]]) -> None:
    """The result is a model that infer.py reads and that computes what is defined, or a refusal of one line."""
    hold(*drawn)


@pytest.mark.data
def test_no_more_than_a_fifth_of_a_point_is_lost_on_real_digits() -> None:
    """784-64-10 in 8-bit integers is as good on MNIST's test images, calibrated on validation images."""
    dataset, model = mnist.dataset(), mnist.dense()
    whole = mnist.integers()
    right = [(each.predict(dataset.test.inputs) == dataset.test.labels).mean() for each in (model, whole)]
    assert right[0] - right[1] <= 0.002
