"""Files of models of 8-bit integers: whatever contradicts itself is refused in a line, by its layer, array or entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer
from genreg_np.files import pack_arrays
from genreg_np.infer_int8 import counts_of
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.model import load
from tests import zoo
from tests.helpers import patient, read_or_refuse, refusal
from tests.test_infer_headers import JSON_VALUES, array, at, header_bytes, without


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
    "unit of a third": (at(*LAYERS, 4, "unit", value=1 / 3), "not a power of two"),
    "unit of a word": (at(*LAYERS, 4, "unit", value="1"), "not a power of two"),
    "unit of nothing": (at(*LAYERS, 4, "unit", value=0.0), "not a power of two"),
    "unit below zero": (at(*LAYERS, 4, "unit", value=-0.5), "not a power of two"),
    "unit beyond reason": (at(*LAYERS, 4, "unit", value=2.0**41), "not a power of two"),
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


MAPS = "int8, maps, stacks in stacks"  # quantise, convolution, lookup, residual, concatenate, mean, dense, dense
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
    "other groups": (at(*LAYERS, 3, "layers", 1, "groups", value=4), "layer 3.1 cannot split 6 channels into 4"),
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
    "levels among integers": (at(*LAYERS, 6, "levels", value=True), "layer 6 takes levels, but 8-bit integers"),
    "levels or not": (at(*LAYERS, 6, "levels", value=1), "neither true nor false"),
    "a unit of a lookup": (at(*LAYERS, 2, "unit", value=1.0), "layer 2 has a unit, but only sums may"),
    "a unit of a residual": (at(*LAYERS, 3, "unit", value="x"), "layer 3 has a unit, but only sums may"),
    "a mean of integers": (
        at(*LAYERS, 4, "branches", 2, 0, "method", value="avg"),
        "layer 4.2.0 takes none, but 8-bit integers",
    ),
    "the largest, rescaled": (at(*LAYERS, 5, "method", value="max"), "layer 5 takes no mean"),
    "means of other windows": (array("layers.5.multiplier", np.zeros(1, np.int32)), "(1,)"),
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
    *((*LAYERS, 5, key) for key in ("kind", "shape", "method", "size", "low", "shift", "unit")),
    *((*LAYERS, 6, key) for key in ("levels", "inputs")),
]


@patient
@given(st.sampled_from(MAP_PLACES), JSON_VALUES | st.integers(-2, 60) | st.lists(st.integers(-1, 9), max_size=3))
def test_any_value_anywhere_in_maps_of_integers_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value), MAPS))


@pytest.mark.parametrize(
    "layer",
    [Pooling((2, 5, 7), "avg", 3, 2), AdaptivePooling((2, 5, 7), "avg", 3), AdaptivePooling((1, 4, 4), "avg", 4)],
)
def test_windows_have_as_many_values_as_are_counted(layer: Pooling | AdaptivePooling) -> None:
    """As many as ones add up to."""
    header = {"kind": f"{layer.kind}-int8", **layer.header()}
    inputs, _, sums = infer.LAYERS[layer.kind](header, {}, "", "")
    found = sums(np.ones((1, inputs), np.float32)).reshape(layer.shape[0], -1)[0]
    assert np.array_equal(np.broadcast_to(counts_of(header), found.shape), found)


def test_nothing_is_pooled_before_there_are_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of many large layers is read at once: what they would take is bounded, and nothing of it is done yet."""
    makers = {kind: infer.LAYERS[kind] for kind in ("pooling", "adaptive-pooling")}

    def idle(layer: dict[str, Any], *rest: Any) -> infer.Layer:
        inputs, outputs, _ = makers[layer["kind"].removesuffix("-int8")](layer, *rest)
        return inputs, outputs, lambda x: pytest.fail("pooled")

    for kind in makers:
        monkeypatch.setitem(infer.LAYERS, kind, idle)
    model = zoo.exhibit_of(MAPS).model
    infer.Model(model.header, model.arrays)
