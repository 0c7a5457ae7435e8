"""8-bit integers: what quantise() makes keeps every bound, and infer.py computes it as docs/int8.md defines."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genreg_np import infer, infer_layers
from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise
from genreg_np.files import pack_arrays
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.images import Levels, Project
from genreg_np.layers.normalise import InstanceNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.model import Model, Network, Standardise, load
from tests import zoo
from tests.export import mnist
from tests.export.int8_reference import reference
from tests.helpers import model_of, one_line, patient, read_or_refuse, refusal
from tests.test_infer_headers import JSON_VALUES, array, at, header_bytes, without

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


# Files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("int8")


def write_model(
    path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object], name: str = "int8, deep"
) -> Path:
    """Write a good int8 model after `change(header, arrays)` has spoilt it."""
    model = zoo.exhibit_of(name).model
    header, arrays = json.loads(json.dumps(model.header)), dict(model.arrays)
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    return path


LAYERS = ("network", "layers")  # quantise, then dense-int8 of 9, 8, 5 and 3 outputs


def _swapped(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    header["network"]["layers"][0]["kind"] = "standardise"
    arrays["layers.0.mean"], arrays["layers.0.scale"] = arrays["layers.0.a"], arrays["layers.0.b"]


def _float_layer_after(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    header["network"]["layers"].append({"kind": "dense", "inputs": 3, "outputs": 3, "activation": "linear"})
    arrays["layers.5.weight"], arrays["layers.5.bias"] = np.eye(3, dtype=np.float32), np.zeros(3, np.float32)


SPOILT = {
    "low of a word": (at(*LAYERS, 0, "low", value="0"), "whole number"),
    "low beyond 8 bits": (at(*LAYERS, 0, "low", value=-128), "beyond 8 bits"),
    "low above 0": (at(*LAYERS, 0, "low", value=1), "beyond 8 bits"),
    "no low": (without(*LAYERS, 0, "low"), "low"),
    "other inputs": (at(*LAYERS, 0, "inputs", value=99), "'layers.0.a' is (100,)"),
    "a that is infinite": (array("layers.0.a", np.full(100, np.inf, np.float32)), "infinite"),
    "b of doubles": (array("layers.0.b", np.zeros(100)), "float64"),
    "weights of 16 bits": (array("layers.1.weight", np.zeros((9, 100), np.int16)), "int16"),
    "no weights": (array("layers.1.weight", None), "is missing"),
    "bias of another length": (array("layers.1.bias", np.zeros(8, np.int32)), "(8,)"),
    "bias of floats": (array("layers.1.bias", np.zeros(9, np.float32)), "float32"),
    "bias that overflows": (array("layers.1.bias", np.full(9, -(2**31), np.int32)), "impossible"),
    "negative multiplier": (array("layers.1.multiplier", np.full(9, -1, np.int32)), "impossible"),
    "multiplier of 64 bits": (array("layers.1.multiplier", np.zeros(9, np.int64)), "int64"),
    "products beyond 53 bits": (
        lambda header, arrays: arrays.update(
            {"layers.1.multiplier": np.full(9, 2**31 - 1, np.int32), "layers.1.bias": np.full(9, 2**30, np.int32)}
        ),
        "beyond 53 bits",
    ),
    "negative shift": (at(*LAYERS, 1, "shift", value=-1), "impossible shift"),
    "large shift": (at(*LAYERS, 1, "shift", value=47), "impossible shift"),
    "shift of a fraction": (at(*LAYERS, 1, "shift", value=3.0), "whole number"),
    "no shift": (without(*LAYERS, 1, "shift"), "shift"),
    "other outputs": (at(*LAYERS, 1, "outputs", value=8), "(9, 100) int8"),
    "no table": (array("layers.1.table", None), "layer 1 cuts at -"),
    "table of nothing": (array("layers.1.table", np.zeros(0, np.int8)), "impossible table"),
    "table of -128": (array("layers.1.table", np.full(5, -128, np.int8)), "impossible table"),
    "table of words": (array("layers.1.table", np.zeros(5, np.int32)), "int32"),
    "table of rows": (array("layers.1.table", np.zeros((5, 1), np.int8)), "(5, 1)"),
    "table that begins far away": (at(*LAYERS, 1, "low", value=10**9), "impossible table"),
    "table that begins nowhere": (without(*LAYERS, 1, "low"), "low"),
    "unit of a third": (at(*LAYERS, 4, "unit", value=1 / 3), "no power of two"),
    "unit of a word": (at(*LAYERS, 4, "unit", value="1"), "no power of two"),
    "unit of nothing": (at(*LAYERS, 4, "unit", value=0.0), "no power of two"),
    "unit below zero": (at(*LAYERS, 4, "unit", value=-0.5), "no power of two"),
    "unit beyond reason": (at(*LAYERS, 4, "unit", value=2.0**41), "no power of two"),
    "logits beyond 24 bits": (at(*LAYERS, 4, "shift", value=0), "beyond 24 bits"),
    "no unit": (without(*LAYERS, 4, "unit"), "the last layer gives 8-bit integers"),
    "a unit too early": (at(*LAYERS, 2, "unit", value=0.5), "layer 2 has a unit"),
    "a unit early": (at(*LAYERS, 3, "unit", value=0.5), "layer 3 has a unit"),
    "quantise as another layer": (_swapped, "layer 1 takes 8-bit integers, but other numbers arrive"),
    "a float layer after": (_float_layer_after, "layer 4 has a unit, but only the last layer may"),
    "integers for a float layer": (
        at(*LAYERS, 1, value={"kind": "standardise", "inputs": 100}),
        "layer 1 takes none, but 8-bit integers arrive",
    ),
}


MAPS = "int8, maps, stacks in stacks"  # quantise, convolution, lookup, residual, concatenate, upsample, convolution ...
LOGITS = {"kind": "dense-int8", "inputs": 600, "outputs": 1, "shift": 0, "unit": 1.0}
SPOILT_MAPS = {
    "sums beyond 24 bits": (array("layers.1.bias", np.full(6, 2**24, np.int32)), "layer 1 has sums beyond 24 bits"),
    "filters of another shape": (array("layers.1.weight", np.zeros((6, 1, 5, 5), np.int8)), "(6, 1, 5, 5)"),
    "too few multipliers": (array("layers.1.multiplier", np.zeros(5, np.int32)), "(5,)"),
    "more channels than there are": (at(*LAYERS, 1, "shape", 0, value=2), "(6, 2, 3, 3)"),
    "lookup of another length": (array("layers.2.table", np.zeros((6, 256), np.int8)), "(6, 256)"),
    "lookup of some channels": (array("layers.2.table", np.zeros((4, 255), np.int8)), "(1, 255)"),
    "lookup of -128": (array("layers.2.table", np.full((6, 255), -128, np.int8)), "layer 2 has an impossible table"),
    "no lookup": (array("layers.2.table", None), "is missing"),
    "a multiplier alone": (at(*LAYERS, 3, "multipliers", value=[1]), "layer 3 has impossible multipliers"),
    "a multiplier below zero": (at(*LAYERS, 3, "multipliers", value=[1, -1]), "impossible multipliers"),
    "a multiplier of 32 bits": (at(*LAYERS, 3, "multipliers", value=[2**31, 1]), "impossible multipliers"),
    "a large shift": (at(*LAYERS, 3, "shift", value=47), "layer 3 has impossible multipliers or an impossible shift"),
    "low above 0": (at(*LAYERS, 3, "low", value=1), "layer 3 cuts at 1"),
    "other groups": (at(*LAYERS, 3, "layers", 1, "groups", value=4), "layer 3.1 cannot cut 6 channels into 4"),
    "nothing near zero": (at(*LAYERS, 3, "layers", 1, "near_zero", value=0), "layer 3.1 has sums beyond 53 bits"),
    "far from zero": (at(*LAYERS, 3, "layers", 1, "near_zero", value=2**52), "layer 3.1 has sums beyond 53 bits"),
    "infinite scales": (array("layers.3.1.a", np.full(6, np.inf, np.float32)), "infinite"),
    "a float layer within": (
        at(*LAYERS, 3, "layers", 2, value={"kind": "activation", "inputs": 600, "function": "relu"}),
        "layer 3.2 takes none, but 8-bit integers arrive",
    ),
    "logits within": (at(*LAYERS, 3, "layers", 3, "layers", 0, value=LOGITS), "layer 3.3.0 has a unit, but only"),
    "a float residual": (at(*LAYERS, 3, "kind", value="residual"), "layer 3 takes none, but 8-bit integers arrive"),
    "quantised twice": (
        at(*LAYERS, 2, value={"kind": "quantise", "inputs": 600, "low": 0}),
        "layer 2 takes none, but 8-bit integers arrive",
    ),
    "levels among integers": (at(*LAYERS, 11, "levels", value=True), "layer 11 takes levels, but 8-bit integers"),
    "levels or not": (at(*LAYERS, 11, "levels", value=1), "neither true nor false"),
    "a mean of integers": (at(*LAYERS, 7, "method", value="avg"), "layer 7 takes none, but 8-bit integers arrive"),
    "the largest, rescaled": (at(*LAYERS, 10, "method", value="max"), "layer 10 takes no mean"),
    "means of other windows": (array("layers.10.multiplier", np.zeros(1, np.int32)), "(1,)"),
}


@pytest.mark.parametrize("name", list(SPOILT_MAPS))
def test_maps_of_integers_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which layer, array or entry is wrong, within stacks, too."""
    change, words = SPOILT_MAPS[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change, MAPS))


@pytest.mark.parametrize("name", list(SPOILT))
def test_integer_layers_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which layer, array or entry is wrong."""
    change, words = SPOILT[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change))


def test_the_unspoilt_model_is_read(folder: Path) -> None:
    """What the tests above spoil is good to begin with, and comes back as it was."""
    path = write_model(folder / "good.npz", lambda header, arrays: None)
    assert load(path).pack() == zoo.exhibit_of("int8, deep").model.pack()


PLACES = [
    *((*LAYERS, 0, key) for key in ("kind", "inputs", "low")),
    *((*LAYERS, 1, key) for key in ("kind", "inputs", "outputs", "activation", "shift", "low", "unit")),
    *((*LAYERS, 4, key) for key in ("kind", "inputs", "outputs", "activation", "shift", "low", "unit")),
]


@patient
@given(st.sampled_from(PLACES), JSON_VALUES | st.integers(-2, 60) | st.integers(-40, 40).map(lambda power: 2.0**power))
def test_any_value_anywhere_in_an_integer_layer_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value)))


MAP_PLACES = [
    *((*LAYERS, 1, key) for key in ("kind", "shape", "filters", "size", "stride", "same", "low", "shift", "unit")),
    *((*LAYERS, 2, key) for key in ("kind", "shape")),
    *((*LAYERS, 3, key) for key in ("kind", "shape", "layers", "low", "multipliers", "shift", "unit")),
    *((*LAYERS, 3, "layers", 1, key) for key in ("kind", "shape", "groups", "near_zero", "low")),
    *((*LAYERS, 4, "branches"), (*LAYERS, 4, "branches", 0), (*LAYERS, 4, "branches", 0, 0, "kind")),
    *((*LAYERS, 10, key) for key in ("kind", "shape", "method", "size", "low", "shift", "unit")),
    *((*LAYERS, 11, key) for key in ("levels", "inputs")),
]


@patient
@given(st.sampled_from(MAP_PLACES), JSON_VALUES | st.integers(-2, 60) | st.lists(st.integers(-1, 9), max_size=3))
def test_any_value_anywhere_in_maps_of_integers_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value), MAPS))


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
