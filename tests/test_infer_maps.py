"""Layers of maps at run time: headers and arrays that contradict themselves or ask for too much; pieces of a batch."""

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

from genreg_np import infer
from genreg_np.files import pack_arrays
from genreg_np.infer import Model
from tests.helpers import KINDS, MAPS, patient, read_or_refuse, refusal
from tests.test_infer_bounds import MEBIBYTE, at_most
from tests.test_infer_headers import JSON_VALUES, array, at, header_bytes, without

LAYERS = ("network", "layers")


def convolution(shape: list[int], filters: int, **changes: object) -> dict[str, Any]:
    return {"kind": "convolution", "shape": shape, "filters": filters, "size": 3, "stride": 1, "same": True, **changes}


HEADERS: list[dict[str, Any]] = [
    convolution([2, 6, 6], 4),
    {"kind": "group-norm", "shape": [4, 6, 6], "groups": 2},
    {"kind": "activation", "inputs": 144, "function": "selu"},
    {
        "kind": "residual",
        "shape": [4, 6, 6],
        "layers": [convolution([4, 6, 6], 4), {"kind": "instance-norm", "shape": [4, 6, 6]}],
    },
    {"kind": "pooling", "shape": [4, 6, 6], "method": "max", "size": 2, "stride": 2},
    {"kind": "upsample", "shape": [4, 3, 3], "factor": 2},
    {**convolution([4, 6, 6], 3, stride=2), "kind": "transposed-convolution"},
    {"kind": "prelu", "shape": [3, 12, 12]},
    {"kind": "concatenate", "shape": [3, 12, 12], "branches": [[], [{"kind": "scale-shift", "shape": [3, 12, 12]}]]},
    {"kind": "layer-norm", "shape": [6, 12, 12]},
    {"kind": "adaptive-pooling", "shape": [6, 12, 12], "method": "avg", "size": 2},
    {"kind": "minibatch-deviation", "shape": [6, 2, 2]},
    {"kind": "dense", "inputs": 28, "outputs": 3, "activation": "linear"},
]
SHAPES = {
    "layers.0.weight": (4, 2, 3, 3),
    "layers.0.bias": (4,),
    "layers.1.scale": (4,),
    "layers.1.shift": (4,),
    "layers.3.0.weight": (4, 4, 3, 3),
    "layers.3.0.bias": (4,),
    "layers.3.1.scale": (4,),
    "layers.3.1.shift": (4,),
    "layers.6.weight": (4, 3, 3, 3),
    "layers.6.bias": (3,),
    "layers.7.slope": (3,),
    "layers.8.1.0.scale": (3,),
    "layers.8.1.0.shift": (3,),
    "layers.9.scale": (6,),
    "layers.9.shift": (6,),
    "layers.12.weight": (3, 28),
    "layers.12.bias": (3,),
}


def model_of(layers: list[dict[str, Any]], shapes: dict[str, tuple[int, ...]], inputs: list[int]) -> Model:
    """Return a model of these layers, its weights at random."""
    rng = np.random.default_rng(3)
    arrays = {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}
    header = {
        "format": infer.FORMAT_NAME,
        "version": infer.FORMAT_VERSION,
        "network": {"input_shape": inputs, "layers": layers},
        "class_names": [],
        "input_range": None,
    }
    return Model(header, arrays)


EVERY = model_of(HEADERS, SHAPES, [2, 6, 6])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


def write_model(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write a good model after `change(header, arrays)` has spoilt it."""
    header, arrays = json.loads(json.dumps(EVERY.header)), dict(EVERY.arrays)
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    return path


def kinds_within(layers: list[dict[str, Any]]) -> set[str]:
    inner = [stack for layer in layers for stack in (layer.get("layers", []), *layer.get("branches", []))]
    return {layer["kind"] for layer in layers}.union(*map(kinds_within, inner))


def test_the_unspoilt_model_has_every_kind_of_maps_and_is_read(folder: Path) -> None:
    """What the following tests spoil is good to begin with."""
    assert kinds_within(HEADERS) == MAPS | {"dense"}
    assert infer.load(write_model(folder / "good.npz", lambda header, arrays: None)).output_count == 3


def nested(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Put a residual within a residual within a residual."""
    for _ in range(20):
        header["network"]["layers"][3] = {
            "kind": "residual",
            "shape": [4, 6, 6],
            "layers": [header["network"]["layers"][3]],
        }


SPOILT = {
    "maps of two extents": (at(*LAYERS, 0, "shape", value=[2, 36]), "layer 0 has impossible extents"),
    "maps of no rows": (at(*LAYERS, 0, "shape", value=[2, 0, 6]), "impossible extents"),
    "a shape of nothing": (at(*LAYERS, 1, "shape", value=[]), "impossible extents"),
    "a shape of a fraction": (at(*LAYERS, 7, "shape", value=[3, 12.0, 12]), "whole number"),
    "a shape beyond any memory": (at(*LAYERS, 10, "shape", value=[1, 10**30, 10**30]), "more than the limit"),
    "maps of another width": (at(*LAYERS, 4, "shape", value=[4, 6, 7]), "takes 168 inputs, but 144 arrive"),
    "no filters": (at(*LAYERS, 0, "filters", value=0), "impossible extents"),
    "filters larger than maps": (
        lambda header, arrays: header["network"]["layers"][0].update(size=7, same=False),
        "filters larger than its maps",
    ),
    "filters of another size": (at(*LAYERS, 0, "size", value=5), "(4, 2, 5, 5)"),
    "a stride of nothing": (at(*LAYERS, 0, "stride", value=0), "impossible extents"),
    "a stride beyond any map": (at(*LAYERS, 0, "stride", value=10**30), "impossible extents"),
    "zeros around of a number": (at(*LAYERS, 0, "same", value=1), "neither true nor false"),
    "no margin": (without(*LAYERS, 0, "same"), "same"),
    "no weights": (array("layers.0.weight", None), "'layers.0.weight' is missing"),
    "weights of integers": (array("layers.0.weight", np.zeros((4, 2, 3, 3), np.int8)), "int8"),
    "weights turned round": (array("layers.6.weight", np.zeros((3, 4, 3, 3), np.float32)), "(4, 3, 3, 3)"),
    "weights of NaN": (array("layers.0.bias", np.full(4, np.nan, np.float32)), "NaN"),
    "groups that are not equal": (at(*LAYERS, 1, "groups", value=3), "4 channels into 3 equal groups"),
    "no groups": (at(*LAYERS, 1, "groups", value=0), "4 channels into 0 equal groups"),
    "scales of each value": (array("layers.9.scale", np.zeros((6, 12, 12), np.float32)), "(6,)"),
    "slopes of other channels": (array("layers.7.slope", np.zeros(4, np.float32)), "(3,)"),
    "an unknown function": (at(*LAYERS, 2, "function", value="gelu"), "unknown function 'gelu'"),
    "no function": (at(*LAYERS, 2, "function", value="linear"), "unknown function 'linear'"),
    "a function of a list": (at(*LAYERS, 2, "function", value=[]), "malformed"),
    "activations of nothing": (at(*LAYERS, 2, "inputs", value=0), "takes 0 inputs"),
    "windows larger than maps": (at(*LAYERS, 4, "size", value=7), "windows larger than its maps"),
    "an unknown pooling": (at(*LAYERS, 4, "method", value="median"), "unknown way"),
    "a pooling of a list": (at(*LAYERS, 4, "method", value=["max"]), "unknown way"),
    "windows beyond any map": (at(*LAYERS, 4, "size", value=10**30), "impossible extents"),
    "more windows than rows": (at(*LAYERS, 10, "size", value=13), "more windows than its maps have rows"),
    "windows of nothing": (at(*LAYERS, 10, "size", value=0), "impossible extents"),
    "a factor of nothing": (at(*LAYERS, 5, "factor", value=0), "impossible extents"),
    "a factor beyond any memory": (at(*LAYERS, 5, "factor", value=10**6), "bytes for one input, more than the limit"),
    "a factor too large": (at(*LAYERS, 5, "factor", value=1000), "36,000,000 outputs, more than the limit"),
    "a residual of another width": (at(*LAYERS, 3, "layers", 0, "filters", value=5), "layers.3.0.weight"),
    "a residual that does not fit": (
        at(*LAYERS, 3, "layers", value=[{"kind": "minibatch-deviation", "shape": [4, 6, 6]}]),
        "layer 3 adds 180 values to 144",
    ),
    "a residual of a mapping": (at(*LAYERS, 3, "layers", value={}), "not a list"),
    "residuals without end": (nested, "nested deeper than 32 levels"),
    "an unknown kind within": (at(*LAYERS, 3, "layers", 0, "kind", value="conv"), "layer 3.0 is of the unknown kind"),
    "no branches": (at(*LAYERS, 8, "branches", value=[]), "no branches"),
    "branches of null": (at(*LAYERS, 8, "branches", value=[None]), "malformed"),
    "branches of another width": (
        at(*LAYERS, 8, "branches", 1, 0, "shape", value=[3, 12, 11]),
        "layer 8.1.0 takes 396 inputs",
    ),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_layers_of_maps_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which layer, array or entry is wrong; nothing is set aside before."""
    change, words = SPOILT[name]
    path = write_model(folder / "spoilt.npz", change)
    with at_most(4 * MEBIBYTE):
        assert words in refusal(path)


PLACES = [
    *((*LAYERS, index, key) for index, layer in enumerate(HEADERS) for key in layer),
    *((*LAYERS, index, "shape", axis) for index in (0, 1, 4, 6, 10, 11) for axis in (0, 1, 2)),
    *((*LAYERS, 3, "layers", 0, key) for key in HEADERS[0]),
    *((*LAYERS, 8, "branches", *place) for place in ((0,), (1,), (1, 0), (1, 0, "shape"), (1, 0, "kind"))),
]


@patient
@given(st.sampled_from(PLACES), JSON_VALUES | st.integers(-2, 30) | st.sampled_from(sorted(KINDS)))
def test_any_value_anywhere_in_a_layer_of_maps_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value)))


def test_a_batch_is_computed_as_its_inputs_one_by_one() -> None:
    """Of any length, of none, and however it lies in memory."""
    inputs = np.random.default_rng(4).normal(size=(70, 2, 6, 6)).astype(np.float32)
    kept, found = inputs.copy(), EVERY.outputs(inputs)
    assert np.allclose(found, np.concatenate([EVERY.outputs(one) for one in inputs]), atol=1e-5)
    assert np.array_equal(EVERY.outputs(np.asfortranarray(inputs)), found)
    assert np.allclose(EVERY.outputs(inputs[::2]), found[::2], atol=1e-5)
    assert EVERY.outputs(inputs[:0]).shape == (0, 3)
    assert np.array_equal(inputs, kept)


def test_a_long_batch_of_maps_is_computed_in_pieces() -> None:
    """What filters see takes nine times the maps: not of the whole batch at once."""
    layers = [
        convolution([1, 64, 64], 8),
        {"kind": "adaptive-pooling", "shape": [8, 64, 64], "method": "max", "size": 1},
        {"kind": "dense", "inputs": 8, "outputs": 2, "activation": "linear"},
    ]
    shapes = {"0.weight": (8, 1, 3, 3), "0.bias": (8,), "2.weight": (2, 8), "2.bias": (2,)}
    model = model_of(layers, {f"layers.{name}": shape for name, shape in shapes.items()}, [1, 64, 64])
    inputs = np.random.default_rng(5).random((600, 1, 64, 64), np.float32)
    with at_most(16 * MEBIBYTE):
        found = model.outputs(inputs)
    assert np.allclose(found[[0, 599]], model.outputs(inputs[[0, 599]]), atol=1e-5)


@pytest.mark.parametrize("function", ["relu", "leaky-relu", "elu", "selu", "tanh", "sigmoid", "step", "sign"])
@pytest.mark.parametrize("method", ["max", "avg"])
def test_an_activation_before_pooling_is_what_it_is_without_its_neighbour(function: str, method: str) -> None:
    """The largest of activations may be computed as the activation of the largest; a mean may not."""
    layers: list[dict[str, Any]] = [
        {"kind": "activation", "inputs": 72, "function": function},
        {"kind": "pooling", "shape": [2, 6, 6], "method": method, "size": 3, "stride": 2},
    ]
    x = np.random.default_rng(6).normal(size=(5, 72)).astype(np.float32)
    expected = x
    for layer in layers:
        expected = KINDS[layer["kind"]](layer, {}, "layers.0", "layer 0")[2](expected)
    found = infer.stack(layers, {}, "layers", math.prod((2, 6, 6)))[2](x)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
