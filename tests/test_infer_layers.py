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
from tests.zoo import exhibit_of

BANK = model_of(network_of("branches"))
LAYERS = ("network", "layers")
STACK = (*LAYERS, 2, "branches", 1)  # two stages of detectors
FILTERS = "layers.2.0.0.filters"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


def write_model(
    path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object], model: infer.Model = BANK
) -> Path:
    """Write a good model after `change(header, arrays)` has spoilt it."""
    header, arrays = json.loads(json.dumps(model.header)), dict(model.arrays)
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
    "branches of null": (at(*LAYERS, 2, "branches", value=[None]), "not a list of fixed layers"),
    "branches within branches": (at(*STACK, 0, "kind", value="branches"), "not a list of fixed layers"),
    "dense in a branch": (at(*STACK, 1, "kind", value="dense"), "not a list of fixed layers"),
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


COLOUR = "colour, six channels by threes"  # its layers: levels, detectors, deviations, standardise, dense
DEPTH, MIDDLE = (*LAYERS, 1, "depth"), "layers.2.middle"


def four_channels_a_filter(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Let filters see more channels at once than divide those of the images."""
    header["network"]["layers"][1]["depth"] = 4
    arrays["layers.1.filters"] = np.zeros((4, 4, 2, 2), np.int8)


def no_channels(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    """Let filters see no channel at all."""
    header["network"]["layers"][1]["depth"] = 0
    arrays["layers.1.filters"] = np.zeros((4, 0, 2, 2), np.int8)


SPOILT_COLOUR = {
    "a depth that does not divide the channels": (
        four_channels_a_filter,
        "of 4 channels, but its images have 6",
    ),
    "another depth than the filters have": (at(*DEPTH, value=2), "(4, 2, 2, 2) int8"),
    "filters of no channels": (no_channels, "impossible extents"),
    "a depth of nothing": (at(*DEPTH, value=0), "(4, 0, 2, 2) int8"),
    "a negative depth": (at(*DEPTH, value=-3), "(4, -3, 2, 2) int8"),
    "a huge depth": (at(*DEPTH, value=10**30), f"(4, {10**30}, 2, 2) int8"),
    "a depth of a word": (at(*DEPTH, value="3"), "'3' where a whole number belongs"),
    "a depth of null": (at(*DEPTH, value=None), "'None' where a whole number belongs"),
    "a depth of truth": (at(*DEPTH, value=True), "'True' where a whole number belongs"),
    "no depth": (without(*DEPTH), "(4, 2, 2) int8"),
    "no middle": (array(MIDDLE, None), f"'{MIDDLE}' is missing"),
    "a middle of floats": (array(MIDDLE, np.zeros(192, np.float32)), "float32, but the network needs (192,) uint8"),
    "a middle with signs": (array(MIDDLE, np.zeros(192, np.int8)), "int8, but the network needs (192,) uint8"),
    "a middle too short": (array(MIDDLE, np.zeros(191, np.uint8)), "(191,) uint8, but the network needs (192,) uint8"),
    "a middle of two dimensions": (array(MIDDLE, np.zeros((192, 1), np.uint8)), "needs (192,) uint8"),
    "deviations of a word": (at(*LAYERS, 2, "inputs", value="192"), "whole number"),
}


@pytest.mark.parametrize("name", list(SPOILT_COLOUR))
def test_layers_of_colour_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which layer, array or entry is wrong."""
    change, words = SPOILT_COLOUR[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change, exhibit_of(COLOUR).model))


COLOUR_PLACES = [DEPTH, (*LAYERS, 1, "shape", 0), (*LAYERS, 1, "filters"), (*LAYERS, 2, "inputs"), (*LAYERS, 2, "kind")]


@patient
@given(st.sampled_from(COLOUR_PLACES), JSON_VALUES | st.integers(-2, 30))
def test_any_value_anywhere_in_a_layer_of_colour_is_taken_or_refused(
    folder: Path, place: tuple[Any, ...], value: Any
) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value), exhibit_of(COLOUR).model))


def test_deviations_of_what_are_no_levels_are_none(folder: Path) -> None:
    """8-bit integers that take levels do not take what comes of numbers that are not whole."""

    def without_levels(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        _, _, deviations, dense = header["network"]["layers"]
        header["network"] = {"input_shape": [deviations["inputs"]], "layers": [deviations, dense]}
        for name in ("middle", "weight", "bias", "multiplier"):
            before = "layers.2" if name == "middle" else "layers.3"
            arrays[f"layers.{name != 'middle':d}.{name}"] = arrays.pop(f"{before}.{name}")
        del arrays["layers.1.filters"]

    path = write_model(folder / "spoilt.npz", without_levels, exhibit_of(f"int8, {COLOUR}").model)
    assert "layer 1 takes levels, but other numbers arrive" in refusal(path)


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
