"""Exported C: on every kind of model it compiles without a warning and gives what infer.py gives, on any machine."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genreg_np import infer_images
from genreg_np.errors import UsageError
from genreg_np.export import c_text, files_of
from genreg_np.layers.images import Branches, Deskew, Detectors, FixedLayer, Levels, Project, Standardise
from genreg_np.layers.responses import Responses, Statistics
from genreg_np.model import Model, Network
from tests import zoo
from tests.export.c_build import (
    AARCH64,
    ARMV7,
    CLANG,
    CORTEX_M3,
    GCC,
    Tools,
    compiled,
    predictions,
    ran,
    taken,
)  # fmt: skip
from tests.helpers import model_of, one_line, thinned

LOGITS = 1e-5  # of floats: the largest difference from infer.py, relative to the largest |logit|
PROBABILITIES = 1e-6  # of integers
EMULATED = ("dense, sigmoid", "standardised features", "deskew and detectors", "int8, deep")
MAPS = ("maps, two stages", "layer of transposed-convolution", "layer of group-norm")
INT8 = ("int8, maps, two stages", "int8, maps, stacks in stacks", "int8, two stages", "int8, layer of group-norm")


def agree(
    model: Model, inputs: NDArray[np.generic], folder: Path, tools: Tools = GCC, options: tuple[str, ...] = ("-O2",)
) -> None:
    """Hold C to infer.py on inputs: integers exactly, floats and their classes within LOGITS."""
    found = predictions(model, inputs, folder, tools.need(), options)
    expected = model.outputs(inputs)
    unit = model.header["network"]["layers"][-1].get("unit")
    bound = LOGITS * float(np.abs(expected).max())
    if unit is None:
        assert np.abs(found["logits"] - expected).max() <= bound
    else:
        assert np.array_equal(found["logits"] * unit, expected)
    if not model.class_names:
        return
    best = expected.argmax(axis=1)
    assert np.abs(found["probabilities"] - model.predict_proba(inputs)).max() <= max(PROBABILITIES, 2 * bound)
    assert np.array_equal(found["best"], found["logits"].argmax(axis=1))
    if unit is None:
        clear = np.diff(np.partition(expected, -2)[:, -2:]).ravel() > 2 * bound
        assert clear.sum() > len(inputs) / 2
        assert np.array_equal(found["best"][clear], best[clear])
    else:
        assert np.array_equal(found["best"], best)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_c_gives_what_infer_gives(name: str, tmp_path: Path) -> None:
    """Every kind of model, with a compiler's warnings as errors; the example agrees with the test vector."""
    check_exhibit(name, GCC, tmp_path)


@pytest.mark.parametrize("name", thinned(zoo.ZOO))
def test_another_compiler_gives_the_same(name: str, tmp_path: Path) -> None:
    check_exhibit(name, CLANG, tmp_path)


def check_exhibit(name: str, tools: Tools, tmp_path: Path) -> None:
    """Compile a model and the example, and run both."""
    exhibit = zoo.exhibit_for("c", name)
    agree(exhibit.model, exhibit.inputs, tmp_path, tools)
    compiled(tools, tmp_path, "model.o", "main.c", "-o", "example", "-lm")
    assert ran(tools, tmp_path, "example", "--check") == (0, b"the test vector agrees\n", "")


def test_the_header_names_every_input() -> None:
    """Beside its place, as a string that cannot end the comment; nothing of it where inputs have no names."""
    header = files_of(zoo.exhibit_of("standardised features with names").model, "c")["model.h"].decode("ascii")
    assert 'features[0]  "width / cm"' in header
    assert 'features[1]  "\\052/ evil /\\052 \\?\\?/"' in header
    assert 'features[3]  ""' in header
    assert "Inputs and outputs" not in files_of(zoo.exhibit_of("standardised features").model, "c")["model.h"].decode()


@pytest.mark.parametrize("options", [("-O0",), ("-Os",), ("-O3", "-march=native")], ids=" ".join)
@pytest.mark.parametrize(
    "name", ["dense, tanh", "deskew and detectors", "genreg-2", "maps, two stages", "int8, deep", *INT8]
)
def test_the_optimiser_changes_nothing(name: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Without optimisation, for size, and with every instruction this processor has."""
    exhibit = zoo.exhibit_of(name)
    agree(exhibit.model, exhibit.inputs[:30], tmp_path, GCC, options)


CHECKED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wshadow", "-Wcast-qual", "-Wundef")
CHECKED += ("-Wdouble-promotion", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wvla", "-Wwrite-strings")
SOONER = ("-O0", *CHECKED[1:])  # for many small models


@pytest.mark.parametrize(
    "name", ["branches, hidden layer", "genreg-2", "int8, deep", "int8, standardised features", *INT8]
)
def test_nothing_is_undefined(name: str, tmp_path: Path) -> None:
    """No read or write beyond an array, no overflow, no shift of a negative; and no warning of many more."""
    exhibit = zoo.exhibit_of(name)
    agree(exhibit.model, exhibit.inputs[:30], tmp_path, GCC, CHECKED)


@pytest.mark.parametrize("tools", [CORTEX_M3, AARCH64, ARMV7], ids=["Cortex-M3", "aarch64", "armv7"])
@pytest.mark.parametrize("name", [*EMULATED, *MAPS, *INT8])
def test_emulated_machines_give_the_same(name: str, tools: Tools, tmp_path: Path) -> None:
    """A microcontroller without floating point, and ARM of 64 and of 32 bits."""
    exhibit = zoo.exhibit_of(name)
    agree(exhibit.model, exhibit.inputs[:20], tmp_path, tools)


# Layers

SLANTED = (
    np.abs(np.arange(11) - 5 - np.multiply.outer([-2.0, 1.7], np.arange(9) - 4)[..., None]) < 1.2
)  # beyond 45 degrees
IMAGES = np.concatenate(
    [
        np.random.default_rng(1).integers(0, 256, (12, 9, 11)),
        np.random.default_rng(2).integers(0, 2, (12, 9, 11)) * 255,  # many slopes of exactly 45 degrees
        np.eye(99, dtype=np.int64)[::9].reshape(-1, 9, 11) * 200,  # one bright pixel, also in the corners
        SLANTED * 250,
        np.zeros((1, 9, 11), np.int64),
        np.full((1, 9, 11), 255),
    ]
).astype(np.uint8)


def shown(*layers: FixedLayer, input_range: tuple[float, float] | None = (0.0, 255.0)) -> Model:
    """Return a model whose outputs are what fixed layers give."""
    width = layers[-1].outputs
    network = Network.build((9, 11), (), width, fixed=layers)
    genes = np.concatenate([np.eye(width, dtype=np.float32).ravel(), np.zeros(width, np.float32)])
    return Model.build(network, genes, (), input_range)


def taps(count: int, size: int) -> NDArray[np.int8]:
    """Return filters whose responses stay within 16 bits."""
    drawn = np.random.default_rng(size).normal(size=(count, size, size))
    return np.trunc(drawn * 128 / np.abs(drawn).sum(axis=(1, 2), keepdims=True)).clip(-127, 127).astype(np.int8)


PLAIN = Detectors((1, 9, 11), taps(3, 3), 1, 4, 3, True, 0.7)
LEVELS: dict[str, tuple[FixedLayer, ...]] = {
    "levels": (Levels(99),),
    "deskew, centred": (Levels(99), Deskew((9, 11))),
    "deskew, sheared only": (Levels(99), Deskew((9, 11), centred=False)),
    "detectors, signed": (Levels(99), PLAIN),
    "detectors, unsigned": (Levels(99), Detectors((1, 9, 11), taps(2, 4), 0, 3, 2, False, 0.31)),
    "detectors, wide margin": (Levels(99), Detectors((1, 9, 11), taps(2, 5), 4, 2, 2, True, 40.0)),
    "detectors, one window": (Levels(99), Detectors((1, 9, 11), taps(2, 1), 0, 9, 1, True, 0.05)),
    "two stages": (Levels(99), PLAIN, Detectors((6, 2, 3), taps(2, 2), 1, 2, 1, False, 0.9)),
    "branches": (Levels(99), Branches(((PLAIN,), (), (Deskew((9, 11)),)))),
    "branches of raw values": (Branches(((Levels(99), PLAIN), (Levels(99),))),),
}


@pytest.mark.parametrize("tools", [GCC, CLANG], ids=["gcc", "clang"])
@pytest.mark.parametrize("name", list(LEVELS))
def test_levels_are_equal(name: str, tools: Tools, tmp_path: Path) -> None:
    """Images that are dark, bright, noise, or one pixel: whole numbers, the same with fused multiply-adds at hand."""
    model = shown(*LEVELS[name])
    found = predictions(model, IMAGES, tmp_path, tools.need(), ("-O3", "-march=native"))["logits"]
    assert np.array_equal(found, model.outputs(IMAGES))
    assert np.array_equal(found, np.rint(found))


@pytest.mark.parametrize("input_range", [(0.0, 16.0), (10.0, 200.0), (-5.0, 1000.0), None], ids=str)
def test_levels_of_any_range_are_equal(input_range: tuple[float, float] | None, tmp_path: Path) -> None:
    """By a table where raw values are few, computed where they are many, or floats."""
    low, high = input_range or (-0.2, 1.2)
    inputs = np.linspace(low, high, 99 * 40).reshape(40, 9, 11)
    model = shown(Levels(99), input_range=input_range)
    given = inputs.astype(np.int64)
    if input_range is None:  # also the last float32 below, and the first above, each edge between two levels
        edges = ((np.arange(-5, 262) - 0.5) / 255).astype(np.float32)
        edges = np.concatenate([edges, *(np.nextafter(edges, np.float32(end)) for end in (-9, 9))])
        given = np.concatenate([inputs.ravel(), np.resize(edges, 99 * 9)]).astype(np.float32).reshape(-1, 9, 11)
    assert np.array_equal(predictions(model, given, tmp_path, GCC.need())["logits"], model.outputs(given))


RNG = np.random.default_rng(6)
FLOATS: dict[str, tuple[FixedLayer, ...]] = {
    "responses": (
        Levels(99),
        Responses((9, 11), RNG.normal(size=(8, 3, 3)).astype(np.float32), (*infer_images.RESPONSES,), ((2, 2), (3, 1))),
    ),
    "statistics": (Levels(99), Statistics((9, 11))),
    "project": (Project(RNG.normal(size=(7, 99)).astype(np.float32)),),
    "standardise": (Standardise(*RNG.normal(size=(2, 99)).astype(np.float32)),),
    "standardised levels": (Levels(99), Standardise(*RNG.normal(size=(2, 99)).astype(np.float32))),
    "branches of floats": (
        Branches(((Standardise(*RNG.normal(size=(2, 99)).astype(np.float32)),), (), (Levels(99), PLAIN))),
    ),
}


@pytest.mark.parametrize("name", list(FLOATS))
def test_floats_agree(name: str, tmp_path: Path) -> None:
    """Layers that give floats, each number within a few roundings of the largest."""
    agree(shown(*FLOATS[name]), IMAGES, tmp_path)


# Inputs


@pytest.mark.parametrize(
    ("input_range", "ctype"),
    [
        ((0.0, 255.0), "uint8_t"),
        ((0.4, 9.7), "uint8_t"),
        ((-5.0, 5.0), "int16_t"),
        ((0.0, 65535.0), "uint16_t"),
        ((-100000.0, 7.0), "int32_t"),
        ((0.0, 1e12), "int64_t"),
        ((-(2.0**63), 0.0), "int64_t"),
    ],
    ids=str,
)
@pytest.mark.parametrize("whole", [False, True], ids=["float", "int8"])
def test_raw_values_of_any_range_are_mapped_alike(
    input_range: tuple[float, float], ctype: str, whole: bool, tmp_path: Path
) -> None:
    """In the smallest type that holds them, by a table of 8-bit integers where they are few."""
    model = model_of(Network.build((2, 3), (4,), 3, "tanh"), input_range=input_range)
    least, most = (int(bound) for bound in (np.ceil(input_range[0]), np.floor(input_range[1])))
    inputs = np.random.default_rng(3).integers(least, most, (300, 2, 3), endpoint=True)
    if whole:
        model = zoo.quantise(model, inputs)
    agree(model, inputs, tmp_path)
    assert taken((tmp_path / "model.h").read_text()) == ctype


def test_features_of_any_scale_are_quantised_alike(tmp_path: Path) -> None:
    """floor(a x + b) in doubles: the same whole numbers, also on the edge between two and far beyond the range."""
    model = zoo.exhibit_of("int8, standardised features").model
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(4000, 4)) * 10.0 ** rng.integers(-3, 30, (4000, 1))
    layer = {name: model.arrays[f"layers.0.{name}"].astype(np.float64) for name in "ab"}
    edges = (rng.integers(-130, 131, (4000, 4)) - layer["b"]) / layer["a"]
    agree(model, np.concatenate([spread, edges]).astype(np.float32), tmp_path)


@pytest.mark.parametrize("shift", [0, 1, 5, 46])
def test_sums_are_rescaled_alike(shift: int, tmp_path: Path) -> None:
    """On the edge between two integers, far below zero, and as large as files may ask for."""
    rng = np.random.default_rng(shift)
    small, large = rng.integers(-300, 300, 300), rng.integers(-(2**30), 2**30, 300)
    bias = np.concatenate([small, large, [2**31 - 128, 128 - 2**31]])
    most = np.abs(bias) + 127
    multiplier = np.minimum(min(2.0**53 - 2.0**46, 2.0 ** (23 + shift)) / most, 2**31 - 1).astype(np.int64)
    multiplier[:300] = rng.integers(0, 9, 300)  # every remainder comes up
    layers = [
        {"kind": "quantise", "inputs": 1, "low": -127},
        {"kind": "dense-int8", "inputs": 1, "outputs": len(bias), "shift": shift, "unit": 1.0},
    ]
    arrays = {
        "layers.0.a": np.ones(1, np.float32),
        "layers.0.b": np.full(1, 0.5, np.float32),
        "layers.1.weight": rng.choice(np.array([-1, 0, 1], np.int8), (len(bias), 1)),
        "layers.1.bias": bias.astype(np.int32),
        "layers.1.multiplier": multiplier.astype(np.int32),
    }
    header = {"network": {"input_shape": [1], "layers": layers}, "class_names": [], "input_range": None}
    agree(Model(header, arrays), np.arange(-127, 128, dtype=np.float32)[:, None], tmp_path)


# Weights


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_floats_read_back_to_the_same_bits(value: float) -> None:
    """The text of a number, read as a float32, is that number."""
    text = c_text.number(value)
    assert re.fullmatch(r"-?\d+(\.\d+)?(e[+-]\d+)?F", text)
    assert struct.pack("f", np.float32(text[:-1])) == struct.pack("f", value)


@pytest.mark.parametrize("tools", [GCC, CLANG], ids=["gcc", "clang"])
def test_compilers_read_weights_to_the_same_bits(tools: Tools, tmp_path: Path) -> None:
    """The smallest and the largest float32, and many others, come through both compilers unchanged."""
    bits = np.random.default_rng(9).integers(0, 2**32, 3000, dtype=np.uint32)
    weights = bits.view(np.float32)
    weights = weights[np.isfinite(weights)]
    weights[:4] = 1e-45, -3.4028235e38, 1.1754944e-38, 16777216
    model = Model.build(Network.build((1,), (), len(weights)), np.concatenate([weights, 0 * weights]), (), None)
    found = predictions(model, np.ones((1, 1), np.float32), tmp_path, tools.need())["logits"][0]
    assert np.array_equal(found, weights)


# What cannot be expressed


@pytest.mark.parametrize("name", ["main", "Main", "math", "stdint", "features"])
def test_names_of_c_itself_are_refused(name: str) -> None:
    """They would stand in the way of main.c, or of the header that everybody includes."""
    with pytest.raises(UsageError) as raised:
        files_of(zoo.exhibit_of("dense, relu").model, "c", name)
    assert f"name {name!r}" in one_line(raised.value)


def test_what_c_cannot_express_is_refused() -> None:
    """One line names the layer, class or range, and the target."""
    network = Network.build((9, 11), (), 2, fixed=(Deskew((9, 11)),))
    plain = Network.build((3,), (), 2)
    refused = {
        "layer 0 (deskew) cannot be expressed in c: it takes levels, but its inputs are raw values": model_of(network),
        "class name 1 cannot be expressed in c": model_of(plain, class_names=("a", "b\0")),
        "at most 4,095 bytes": model_of(plain, class_names=("a", "é" * 2048)),
        "input_range 0.2 .. 0.7 cannot be expressed in c": model_of(plain, input_range=(0.2, 0.7)),
        "input_range 0 .. 1e+20 cannot be expressed in c": model_of(plain, input_range=(0.0, 1e20)),
    }
    for words, model in refused.items():
        with pytest.raises(UsageError) as raised:
            files_of(model, "c")
        assert words in one_line(raised.value)
