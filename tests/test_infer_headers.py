"""Headers of model files: what is not JSON, not ours, or contradicts the arrays is refused in one line."""

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
from tests.helpers import STANDARDISED, patient, read_or_refuse, refusal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


def header_bytes(header: Any) -> np.ndarray:
    return np.frombuffer(json.dumps(header).encode("utf-8"), np.uint8)


def write_model(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write a good model after `change(header, arrays)` has spoilt it."""
    header = json.loads(json.dumps(STANDARDISED.header))
    arrays: dict[str, Any] = dict(STANDARDISED.arrays)
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": header_bytes(header), **arrays}))
    return path


def test_the_unspoilt_model_is_read(folder: Path) -> None:
    """What the following tests spoil is good to begin with."""
    assert infer.load(write_model(folder / "good.npz", lambda header, arrays: None)).output_count == 3


@pytest.mark.parametrize(
    "header",
    [b"", b"{", b"\xff\xfe", b"null", b"[]", b'"x"', b"7", b"[" * 100_000, b'{"a":' * 100_000, b'{"format": "other"}'],
    ids=lambda header: ascii(header[:12]),
)
def test_headers_that_are_not_ours_are_refused(folder: Path, header: bytes) -> None:
    """Not JSON, not UTF-8, not a mapping, nested beyond any stack, or of another program."""
    path = folder / "json.npz"
    path.write_bytes(pack_arrays({"header": np.frombuffer(header, np.uint8), **STANDARDISED.arrays}))
    refusal(path)


def at(*path: Any, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that sets one place of the header."""

    def change(header: Any, arrays: dict[str, Any]) -> None:
        for key in path[:-1]:
            header = header[key]
        header[path[-1]] = value

    return change


def without(*path: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that removes one place of the header."""

    def change(header: Any, arrays: dict[str, Any]) -> None:
        for key in path[:-1]:
            header = header[key]
        del header[path[-1]]

    return change


def array(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Return a change that replaces an array, or removes it where the value is None."""

    def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        arrays.pop(name)
        if value is not None:
            arrays[name] = value

    return change


def with_nan(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    spoilt = arrays["layers.2.weight"].copy()
    spoilt[0, 0] = np.nan
    arrays["layers.2.weight"] = spoilt


def only_standardise(header: dict[str, Any], arrays: dict[str, Any]) -> None:
    header["network"]["layers"] = header["network"]["layers"][:1]
    header["class_names"] = []


EXTRA = {"kind": "dense", "inputs": 3, "outputs": 3, "activation": "tanh"}
SPOILT = {
    "unknown version": (at("version", value=2), "reads 1"),
    "version of several lines": (at("version", value="1\n2"), "version"),
    "no version": (without("version"), "version None"),
    "no network": (without("network"), "network"),
    "network of words": (at("network", value="tanh"), "malformed"),
    "no input shape": (without("network", "input_shape"), "input_shape"),
    "empty input shape": (at("network", "input_shape", value=[]), "no inputs"),
    "negative input shape": (at("network", "input_shape", value=[-2, -3]), "no inputs"),
    "infinite input shape": (at("network", "input_shape", value=[math.inf]), "header is damaged"),
    "other input shape": (at("network", "input_shape", value=[7]), "7 arrive"),
    "no dense layer": (only_standardise, "no layers of weights"),
    "outputs of a word": (at("network", "layers", 1, "outputs", value="4"), "whole number"),
    "inputs of a fraction": (at("network", "layers", 1, "inputs", value=6.0), "whole number"),
    "fixed inputs of a word": (at("network", "layers", 0, "inputs", value="6"), "whole number"),
    "input shape of words": (at("network", "input_shape", value=["6"]), "whole number"),
    "input shape of truth": (at("network", "input_shape", value=[6, True]), "whole number"),
    "input shape of text": (at("network", "input_shape", value="6"), "not a list"),
    "class names of text": (at("class_names", value="abc"), "not a list"),
    "layers of a mapping": (at("network", "layers", value={}), "not a list"),
    "range of words": (at("input_range", value=["0", "1"]), "malformed"),
    "no layers": (at("network", "layers", value=[]), "no layers"),
    "layers of null": (at("network", "layers", value=[None]), "malformed"),
    "an extra layer": (lambda header, arrays: header["network"]["layers"].append(EXTRA), "layers.3.weight"),
    "a layer too few": (lambda header, arrays: header["network"]["layers"].pop(), "class names"),
    "layers that do not fit": (at("network", "layers", 1, value=EXTRA), "layers.1.weight"),
    "unknown kind": (at("network", "layers", 1, "kind", value="conv"), "'conv'"),
    "no kind": (without("network", "layers", 1, "kind"), "kind"),
    "unknown activation": (at("network", "layers", 1, "activation", value="gelu"), "'gelu'"),
    "activation of a list": (at("network", "layers", 1, "activation", value=[]), "malformed"),
    "too many class names": (at("class_names", value=list("abcd")), "4 class names for 3 outputs"),
    "no class names": (without("class_names"), "class_names"),
    "class names of null": (at("class_names", value=None), "malformed"),
    "range of nothing": (at("input_range", value=[1, 1]), "not a range"),
    "range of NaN": (at("input_range", value=[math.nan, 1]), "header is damaged"),
    "range of three": (at("input_range", value=[0, 1, 2]), "malformed"),
    "range of a word": (at("input_range", value="ab"), "malformed"),
    "missing array": (array("layers.1.bias", None), "'layers.1.bias' is missing"),
    "missing fixed array": (array("layers.0.scale", None), "'layers.0.scale' is missing"),
    "wrong shape": (array("layers.1.weight", np.zeros((6, 4), np.float32)), "(4, 6)"),
    "wrong dimensions": (array("layers.1.bias", np.zeros((4, 1), np.float32)), "(4,)"),
    "float64": (array("layers.1.bias", np.zeros(4)), "float64"),
    "other byte order": (array("layers.1.bias", np.zeros(4, ">f4")), "float32"),
    "text": (array("layers.1.bias", np.array(list("abcd"))), "<U1"),
    "NaN": (with_nan, "NaN"),
    "infinite": (array("layers.0.scale", np.full(6, np.inf, np.float32)), "NaN or infinite"),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_models_that_contradict_themselves_are_refused(folder: Path, name: str) -> None:
    """The line says which array, layer or entry is wrong."""
    change, words = SPOILT[name]
    assert words in refusal(write_model(folder / "spoilt.npz", change))


@pytest.mark.parametrize("training", [None, [], "text", 7, {"config": None}, {"config": {"dataset": "mnist"}}])
def test_what_a_header_says_of_training_may_be_anything(folder: Path, training: Any) -> None:
    """Entries that are not there are None, whatever stands in their place."""
    model = infer.load(write_model(folder / "training.npz", at("training", value=training)))
    known = training == {"config": {"dataset": "mnist"}}
    assert model.trained("config", "dataset") == ("mnist" if known else None)
    assert model.trained("config", "dataset", "deeper") is None
    assert model.trained("accuracies") is None


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)
PLACES = [
    ("format",),
    ("version",),
    ("class_names",),
    ("class_names", 0),
    ("input_range",),
    ("input_range", 1),
    ("training",),
    ("network",),
    ("network", "input_shape"),
    ("network", "layers"),
    ("network", "layers", 0, "inputs"),
    ("network", "layers", 1),
    ("network", "layers", 1, "kind"),
    ("network", "layers", 1, "outputs"),
    ("network", "layers", 2, "activation"),
]


@patient
@given(st.sampled_from(PLACES), JSON_VALUES)
def test_any_value_anywhere_in_the_header_is_taken_or_refused(folder: Path, place: tuple[Any, ...], value: Any) -> None:
    """The outcome is a model that predicts or one line; never another exception."""
    read_or_refuse(write_model(folder / "any.npz", at(*place, value=value)))
