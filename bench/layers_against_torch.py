"""Outputs, gradients and running statistics of every kind of layer, compared with PyTorch's for the same numbers.

    python bench/layers_against_torch.py --peers .venv-peers/bin/python

PyTorch runs in a process of that Python (bench/peers/layers_torch.py). For each case, the largest difference of
outputs, gradients and statistics is written, relative to the largest value, in double and in single precision. Writes
bench/results/layers.json, from which docs/layers.md has a table.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine
import numpy as np

from genreg_np.errors import UsageError
from genreg_np.layers import REGISTRY, layer_class
from genreg_np.layers.activation import FUNCTIONS, Activation, Prelu
from genreg_np.layers.adversarial import MinibatchDeviation, SpectralNorm
from genreg_np.layers.base import Layer, Passing
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.upsample import TransposedConvolution, Upsample

HERE = Path(__file__).resolve().parent
MAPS, IMAGES = (4, 9, 8), 16
SIZES = [(1, 1), (3, 1), (5, 1), (1, 2), (3, 2), (4, 2), (1, 3), (3, 3), (4, 3)]  # PyTorch cannot pad 4 at stride 1
BLOCK = (Convolution(MAPS, 4, 3, same=True), BatchNorm(MAPS), Activation(math.prod(MAPS), "elu"))
LARGER: list[Layer] = [  # in addition to every kind's example
    *(Activation(50, name) for name, (_, gradient) in FUNCTIONS.items() if gradient),
    Dense(30, 20, "sigmoid"),
    Prelu(MAPS),
    *(Convolution(MAPS, 6, size, stride, same) for size in (1, 3, 4) for stride in (1, 2, 3) for same in (False, True)),
    *(TransposedConvolution(MAPS, 3, k, s, same) for k, s in SIZES for same in (False, True)),
    *(Pooling(MAPS, method, size, stride) for method in ("max", "avg") for size, stride in ((2, 2), (3, 2), (2, 3))),
    *(AdaptivePooling(MAPS, method, size) for method in ("max", "avg") for size in (1, 3, 5)),
    Upsample(MAPS, 3),
    *(norm(MAPS) for norm in (BatchNorm, InstanceNorm, LayerNorm, MinibatchDeviation)),
    *(norm((12,)) for norm in (BatchNorm, LayerNorm, MinibatchDeviation)),
    GroupNorm(MAPS, 2),
    GroupNorm((12,), 3),
    *(SpectralNorm(layer(MAPS, 6, 3)) for layer in (Convolution, TransposedConvolution)),
    Residual(MAPS, BLOCK),
    Concatenate(MAPS, ((), BLOCK, (Residual(MAPS, BLOCK),))),
]


@dataclass(frozen=True)
class Case:
    """A layer, in training or in prediction."""

    layer: Layer
    inputs: int
    training: bool

    @property
    def described(self) -> dict[str, Any]:
        """The description of the case for PyTorch."""
        return {"layer": {"kind": self.layer.kind, **self.layer.header()}, "training": self.training}


def inputs_of(layer: Layer) -> int:
    """Return how many inputs a layer of LARGER takes."""
    inner = layer.layer if isinstance(layer, SpectralNorm) else layer
    return int(getattr(inner, "inputs", 0)) or math.prod(inner.shape)  # type: ignore[attr-defined]


def cases() -> list[Case]:
    """Return cases for the example of every kind that has a gradient and for LARGER, in training and in prediction."""
    found = []
    for layer, inputs in [*examples(), *((layer, inputs_of(layer)) for layer in LARGER)]:
        found.append(Case(layer, inputs, training=True))
        if not isinstance(layer, SpectralNorm):  # PyTorch updates v too, so its predictions use another sigma
            found.append(Case(layer, inputs, training=False))
    return found


def examples() -> list[tuple[Layer, int]]:
    """Return the example of every kind that has a gradient, and its number of inputs."""
    found = []
    for kind in REGISTRY:
        layer, shape = layer_class(kind).example()
        try:
            layer.check_gradient()
        except UsageError:
            continue
        found.append((layer, math.prod(shape)))
    return found


def ours(case: Case, rng: np.random.Generator, dtype: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the inputs and the results of a case, by name; images are rows, as in PyTorch."""
    layer = case.layer
    learned = {one.name: rng.normal(0, 0.5, one.shape).astype(dtype) for one in layer.parameters}
    kept = {one.name: rng.uniform(0.5, 2, one.shape).astype(dtype) for one in layer.statistics}
    values = rng.normal(size=(case.inputs, IMAGES)).astype(dtype)
    arrays = [array[None].copy() for array in (*learned.values(), *kept.values())]
    outputs, needed = layer.forward(arrays, values[None], Passing(case.training))
    weights = rng.normal(size=outputs.shape).astype(dtype)
    by_input, by_parameters = layer.backward(arrays, needed, weights)
    statistics = dict(zip(kept, (array[0] for array in arrays[len(learned) :]), strict=True))
    if layer.kind == "dropout" and case.training:
        kept["factors"] = needed[0].T
    given = {"input": values.T, "weights": weights[0].T}
    given |= {f"parameter.{name}": array for name, array in learned.items()}
    given |= {f"statistic.{name}": array for name, array in kept.items()}
    found = {"output": outputs[0].T, "by_input": by_input[0].T}
    found |= {f"by_parameter.{name}": array[0] for name, array in zip(learned, by_parameters, strict=True)}
    found |= {f"statistic.{name}": array for name, array in statistics.items()}
    return given, found


def compared(peers: str, dtype: type) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return PyTorch's version, and for each kind the number of cases and the largest differences."""
    rng, all_cases = np.random.default_rng(0), cases()
    given: dict[str, Any] = {"cases": np.array(json.dumps([case.described for case in all_cases]))}
    expected = []
    for number, case in enumerate(all_cases):
        own, found = ours(case, rng, dtype)
        given |= {f"{number}.{name}": np.ascontiguousarray(array) for name, array in own.items()}
        expected.append(found)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder) / name) for name in ("in.npz", "out.npz")]
        np.savez(paths[0], **given)
        subprocess.run([peers, str(HERE / "peers" / "layers_torch.py"), *paths], check=True)
        with np.load(paths[1]) as file:
            theirs = dict(file)
    kinds: dict[str, dict[str, Any]] = {}
    for number, (case, found) in enumerate(zip(all_cases, expected, strict=True)):
        entry = kinds.setdefault(case.layer.kind, {"cases": 0, "output": 0.0, "gradient": 0.0, "statistic": 0.0})
        entry["cases"] += 1
        for what, begin in (("output", "output"), ("gradient", "by_"), ("statistic", "statistic.")):
            names = [name for name in found if name.startswith(begin)]
            pairs = [(found[name].ravel(), theirs[f"{number}.{name}"].ravel()) for name in names]
            mine, other = (np.concatenate(parts) for parts in zip(*pairs, strict=True)) if pairs else (np.zeros(1),) * 2
            off = float(np.abs(mine - other).max() / max(np.abs(other).max(), np.finfo(dtype).tiny))
            entry[what] = max(entry[what], off)
    return str(theirs["version"]), kinds


def main() -> int:
    """Compare, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="a Python that has PyTorch")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where the JSON goes")
    arguments = parser.parse_args()
    document: dict[str, Any] = {"machine": machine.describe()}
    for dtype in (np.float64, np.float32):
        version, kinds = compared(arguments.peers, dtype)
        document["machine"]["versions"]["torch"] = version
        document[dtype.__name__] = kinds
        for kind, entry in kinds.items():
            print(f"{dtype.__name__} {kind}: {entry}")
    (arguments.results / "layers.json").write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
