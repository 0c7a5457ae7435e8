"""Exported C of 8-bit integers: layers of any width, any range of raw values, equal at the very ends of 8 bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.export import files_of
from genreg_np.model import Model
from tests.export.c_build import CLANG, GCC, Tools
from tests.export.test_c import CHECKED, agree

RANGES = [(0.0, 255.0), (0.0, 16.0), (-5.0, 5.0), (10.0, 200.0)]


def two_layers(inputs: int, hidden: int, bounds: tuple[float, float] | None, low: int = 0) -> Model:
    """Return inputs-hidden-3, a quarter of its weights at the ends of 8 bits."""
    rng = np.random.default_rng(inputs * hidden)
    arrays: dict[str, np.ndarray] = {
        "layers.0.a": np.full(inputs, 127 - low, np.float32),
        "layers.0.b": np.full(inputs, low + 0.5, np.float32),
    }
    layers: list[dict[str, object]] = [{"kind": "quantise", "inputs": inputs, "low": low}]
    for number, (taken, given) in enumerate(((inputs, hidden), (hidden, 3)), start=1):
        weight = rng.integers(-128, 128, (given, taken))
        weight = np.where(rng.random(weight.shape) < 0.25, rng.choice([-128, 127], weight.shape), weight)
        arrays[f"layers.{number}.weight"] = weight.astype(np.int8)
        arrays[f"layers.{number}.bias"] = rng.integers(-9999, 10000, given).astype(np.int32)
        arrays[f"layers.{number}.multiplier"] = rng.integers(0, 99, given).astype(np.int32)
        layers.append({"kind": "dense-int8", "inputs": taken, "outputs": given, "shift": 15})
    layers[1] |= {"activation": "tanh", "low": -127}
    arrays["layers.1.table"] = np.arange(-127, 128, dtype=np.int8)
    layers[2]["unit"] = 1.0
    header: dict[str, object] = {
        "network": {"input_shape": [inputs], "layers": layers},
        "class_names": [],
        "input_range": bounds,
    }
    return Model(header, arrays)


def values(inputs: int, bounds: tuple[float, float]) -> np.ndarray:
    """Return inputs that are the smallest nearly everywhere, nowhere, or that alone; the largest; one after another."""
    rng, (low, high) = np.random.default_rng(7), (int(bound) for bound in bounds)
    drawn = rng.integers(low, high, (60, inputs), endpoint=True)
    kept = rng.random((60, 1)) < rng.random((60, inputs)) ** 2
    ends = np.repeat([[low], [high]], inputs, axis=1)
    first = np.where(np.arange(inputs) < np.arange(min(inputs, 9))[:, None], high, low)
    return np.concatenate([np.where(kept, drawn, low), ends, first]).astype(np.int64)


@pytest.mark.parametrize("bounds", RANGES, ids=str)
@pytest.mark.parametrize(("inputs", "hidden"), [(1, 16), (127, 17), (128, 64), (129, 31), (257, 16), (300, 5)])
def test_raw_values_of_any_number_are_multiplied_alike(
    inputs: int, hidden: int, bounds: tuple[float, float], tmp_path: Path
) -> None:
    """An odd number of them that count, none and all; more than are listed at a time; nothing undefined."""
    given = values(inputs, bounds)
    agree(two_layers(inputs, hidden, bounds), given, tmp_path, GCC, CHECKED)


@pytest.mark.parametrize("tools", [GCC, CLANG], ids=["gcc", "clang"])
@pytest.mark.parametrize("options", [("-O2",), ("-O3",), ("-O3", "-march=native")], ids=" ".join)
def test_vectors_change_nothing(tools: Tools, options: tuple[str, ...], tmp_path: Path) -> None:
    """Sums of two products in 16 bits, at their very ends, and q below 0, by every instruction there is."""
    model = two_layers(300, 40, RANGES[0], low=-127)
    agree(model, values(300, RANGES[0]), tmp_path, tools, options)
    ends = {"layers.1.weight": np.full((40, 300), -128, np.int8)}
    agree(Model(model.header, {**model.arrays, **ends}), values(300, RANGES[0]), tmp_path, tools, options)


def test_few_outputs_have_inputs_looked_up_first() -> None:
    """Where sums are too few for vectors each is computed by itself; otherwise no room is taken for inputs."""
    few, many = (files_of(two_layers(99, width, RANGES[0]), "c")["model.c"].decode() for width in (15, 16))
    assert "multiply_raw" not in few
    assert "look_up" in few
    assert "multiply_raw" in many
    assert "look_up" not in many
