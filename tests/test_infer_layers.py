"""Headers and arrays of image layers: what contradicts itself or asks for too much is refused in one line."""

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
from tests.helpers import model_of, patient, read_or_refuse, refusal
from tests.test_infer_headers import JSON_VALUES, array, at, header_bytes, without
from tests.test_layers import network_of

BANK = model_of(network_of("branches"))
LAYERS = ("network", "layers")
STACK = (*LAYERS, 2, "branches", 1)  # two stages of detectors
FILTERS = "layers.2.0.0.filters"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


def write_model(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write a good model after `change(header, arrays)` has spoilt it."""
    header, arrays = json.loads(json.dumps(BANK.header)), dict(BANK.arrays)
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    return path


def many_filters(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Let two stages of many filters multiply."""
    stages = header["network"]["layers"][2]["branches"][1]
    for stage in stages:
        stage["filters"] = 3000
    stages[1]["shape"][0] = 6000
    for index in (0, 1):
        arrays[f"layers.2.1.{index}.filters"] = np.zeros((3000, 3, 3), np.int8)


SPOILT = {
    "deskew of three extents": (at(*LAYERS, 1, "shape", value=[1, 9, 12]), "malformed"),
    "deskew of nothing": (at(*LAYERS, 1, "shape", value=[0, 12]), "0 x 12 pixels"),
    "deskew of another size": (at(*LAYERS, 1, "shape", value=[9, 13]), "takes 117 inputs, but 108 arrive"),
    "deskew of words": (at(*LAYERS, 1, "shape", value="ab"), "not a list"),
    "no branches": (at(*LAYERS, 2, "branches", value=[]), "no branches"),
    "branches of null": (at(*LAYERS, 2, "branches", value=[None]), "no stack of fixed layers"),
    "branches within branches": (at(*STACK, 0, "kind", value="branches"), "no stack of fixed layers"),
    "dense in a branch": (at(*STACK, 1, "kind", value="dense"), "no stack of fixed layers"),
    "branches of another width": (at(*LAYERS, 2, "inputs", value=107), "takes 108 inputs, but 107 arrive"),
    "stages that do not fit": (at(*STACK, 1, "shape", value=[2, 8, 12]), "layer 2.1.1 takes 192 inputs"),
    "no filters": (array(FILTERS, None), f"'{FILTERS}' is missing"),
    "filters of another size": (at(*STACK, 0, "size", value=4), "(1, 4, 4) int8"),
    "filters of floats": (array(FILTERS, np.zeros((3, 3, 3), np.float32)), "float32"),
    "filters beyond 16 bits": (array(FILTERS, np.full((3, 3, 3), 127, np.int8)), "beyond 16 bits"),
    "filters below 16 bits": (array(FILTERS, np.full((3, 3, 3), -128, np.int8)), "beyond 16 bits"),
    "windows wider than images": (at(*STACK, 0, "window", value=50), "pools 50 x 50"),
    "a stride of nothing": (at(*STACK, 0, "stride", value=0), "impossible extents"),
    "a negative margin": (at(*STACK, 0, "margin", value=-1), "impossible extents"),
    "a gain of a word": (at(*STACK, 0, "gain", value="1"), "gain"),
    "a gain of nothing": (at(*STACK, 0, "gain", value=0.0), "gain"),
    "a sign of a number": (at(*STACK, 0, "signed", value=1), "gain or sign"),
    "no gain": (without(*STACK, 0, "gain"), "gain"),
    "more outputs than any model needs": (many_filters, "more than the limit"),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_image_layers_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which layer, array or entry is wrong."""
    change, words = SPOILT[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change))


PLACES = [
    *((*LAYERS, index, "kind") for index in range(4)),
    (*LAYERS, 0, "inputs"),
    (*LAYERS, 1, "shape"),
    (*LAYERS, 1, "shape", 0),
    (*LAYERS, 2, "inputs"),
    (*LAYERS, 2, "branches"),
    STACK,
    *((*STACK, 0, key) for key in ("kind", "shape", "filters", "size", "margin", "window", "stride", "signed", "gain")),
    (*STACK, 1, "shape", 0),
]


@patient
@given(st.sampled_from(PLACES), JSON_VALUES | st.integers(-2, 30))
def test_any_value_anywhere_in_an_image_layer_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value)))


def test_models_of_the_first_format_are_still_read(folder: Path) -> None:
    """A header with only dense and standardising layers means what it always meant."""
    header = {
        "format": "genreg-np model",
        "version": 1,
        "network": {
            "input_shape": [2],
            "layers": [
                {"kind": "standardise", "inputs": 2},
                {"kind": "dense", "inputs": 2, "outputs": 1, "activation": "linear"},
            ],
        },
        "class_names": [],
        "input_range": None,
        "training": {},
    }
    arrays = {
        "layers.0.mean": np.array([1, 2], np.float32),
        "layers.0.scale": np.array([2, 0.5], np.float32),
        "layers.1.weight": np.array([[3, 4]], np.float32),
        "layers.1.bias": np.array([5], np.float32),
    }
    path = folder / "old.npz"
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    assert infer.load(path).outputs(np.array([[2.0, 6.0]])).tolist() == [[19.0]]
