"""What several tests share: small data, small settings, importable fitness functions, fresh interpreters."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings

from genreg_np import backends, infer, strategies
from genreg_np.backends.base import Backend
from genreg_np.backends.cuda.backend import CupyBackend
from genreg_np.data.dataset import Dataset, Split
from genreg_np.errors import BackendError, MissingExtraError
from genreg_np.infer import ModelError
from genreg_np.model import Model, Network, Standardise
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution

infer.complete([{"kind": kind} for kind in infer.ELSEWHERE])
KINDS = dict(infer.LAYERS)  # of layers, and what makes them at run time
INT8 = set(infer.INT8)  # of which, what `--int8` makes of a model: they are run, and never trained
MAPS = (
    {*infer.WEIGHTED, *infer.PLAIN} - INT8 - {"dense", *infer.REMEMBERS}
)  # of which, those of maps, and stacks of them
ROOT = Path(__file__).resolve().parents[1]

patient = settings(deadline=None)  # for @given: a busy machine is no failure


def thinned(cases: Iterable[Any], step: int = 3) -> list[Any]:
    """Return cases for `parametrize`, of which only `make soak` runs all: without it every `step`-th is run."""
    soaked = pytest.mark.soak
    return [pytest.param(case, marks=soaked) if place % step else case for place, case in enumerate(cases)]


def tiny_dataset(classes: int = 4, per_class: int = 24, kind: str = "u", noise: float = 40.0) -> Dataset:
    """Return classes that differ by a random 4x4 pattern under noise, as uint8 images or float32 features."""
    rng = np.random.default_rng(7)
    patterns = rng.uniform(40, 215, (classes, 4, 4))

    def split(count: int) -> Split:
        labels = np.arange(count * classes) % classes
        pixels = np.clip(patterns[labels] + rng.normal(0, noise, (len(labels), 4, 4)), 0, 255)
        return Split(pixels.astype(np.uint8 if kind == "u" else np.float32), labels.astype(np.int64))

    names = tuple(f"class {k}" for k in range(classes))
    return Dataset("tiny", split(per_class), split(per_class), split(8), names, (0.0, 255.0) if kind == "u" else None)


# Strategies' settings for a run that takes milliseconds; of others their own, with the sizes below where they have any.
TINY: dict[str, dict[str, object]] = {
    "genreg": {"population_size": 20, "images_per_class": 6, "survival_cutoff": 0.25, "elites": 1},
    "node-perturbation": {"pairs": 4, "batch_size": 24},
    "evolution-strategy": {"population_size": 20, "batch_size": 24},
    "random-search": {"population_size": 20, "batch_size": 48},
    "detector-bank": {"pairs": 4, "batch_size": 24, "detectors": 4, "detector_size": 3, "window": 2, "stride": 1},
    "mixed": {"population_size": 4, "newcomers": 0.25, "batch_size": 24},
    "gradient": {"batch_size": 24, "learning_rate": 0.02, "averaging": 0.5},
    "genreg-2": {
        "hidden": [],
        "filter_rounds": 2,
        "filter_population": 8,
        "filter_generations": 3,
        "filter_images": 6,
        "axes": 12,
        "population_size": 20,
    },
}


SMALL = {"population_size": 20, "batch_size": 24, "pairs": 4}

# Settings with which strategies learn a small task in forty generations; others do by their own.
LEARNING: dict[str, dict[str, Any]] = {
    "genreg": {
        "population_size": 60,
        "images_per_class": 10,
        "fitness": "log-probability",
        "elites": 2,
        "trust_decay": 1.0,
        "trust_decay_per": "generation",
        "trust_inheritance": 0.0,
    },
    "node-perturbation": {"batch_size": 60, "pairs": 4, "step_size": 0.02},
    "evolution-strategy": {"population_size": 60, "batch_size": 60, "sigma": 0.05, "step_size": 0.1},
    "cma-es": {"population_size": 30, "batch_size": 60, "sigma": 0.3},
    "detector-bank": {"batch_size": 60, "pairs": 4, "step_size": 0.02, "deskew": False},
    "mixed": {"population_size": 4, "batch_size": 8, "learning_rate": 0.05},
    "gradient": {"batch_size": 60, "learning_rate": 0.02},
    "genreg-2": {"hidden": [], "filter_generations": 6},
}


# Which shared tests a strategy is not for, and why: by test, then by strategy. All others are run on it.
NOT_FOR: dict[str, dict[str, str]] = {
    "better than random search": {"random-search": "it is what others are compared with"},
    "layers that only gradients train": {"gradient": "it follows gradients, so that it takes them"},
    "layers too large": {"genreg-2": "it takes no hidden layers"},
    "population too large": {
        "genreg-2": "the largest population it takes are 10,000 heads of a few axes, which fit",
        "random-search": "genomes are built where they are judged, so that any population fits",
    },
}


def strategies_for(test: str) -> list[str]:
    """Return the strategies of the registry that a shared test is for."""
    return [name for name in strategies.REGISTRY if name not in NOT_FOR[test]]


def tiny_settings(strategy: str) -> dict[str, object]:
    """Return a strategy's settings for a run that takes milliseconds, whether or not it is in the table."""
    known = {item.name for item in dataclasses.fields(strategies.strategy_class(strategy).Options)}
    return TINY.get(strategy, {name: value for name, value in SMALL.items() if name in known})


def tiny_config(**changes: object) -> TrainConfig:
    """Return settings of a run that takes milliseconds."""
    values = {"hidden": [5], "generations": 6, "validate_every": 2, "seed": 3}
    return TrainConfig.from_dict(values | tiny_settings(str(changes.get("strategy", "genreg"))) | changes)


def answers(model: infer.Model, inputs: np.ndarray) -> np.ndarray:
    """Return what a model gives of inputs (N, *input_shape), one after another where it remembers: (N, K)."""
    if not model.start():
        return model.outputs(inputs)
    state, found = model.start(), []
    for one in inputs:
        state, outputs = model.step(state, one)
        found.append(outputs)
    return np.stack(found)


class Clock:
    """A clock that goes on by a tick, in seconds, whenever it is read: time is what is computed, on any machine."""

    def __init__(self, tick: float, start: float = 0.0) -> None:
        self.tick, self.now = tick, start

    def __call__(self) -> float:
        self.now += self.tick
        return self.now


PATIENCE = 600  # seconds, after which something that is waited for counts as missing


def one_line(error: object) -> str:
    """Return the message of an error, which must be one line, printable."""
    text = str(error)
    assert text == text.strip(), f"blank at an end: {text!r}"
    assert len(text.splitlines()) == 1, f"not one line: {text!r}"
    return text


def python(code: str, *arguments: object, cwd: Path = ROOT, **environment: str) -> str:
    """Run code in a fresh interpreter that sees `cwd` and the installed packages; return what it printed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def model_of(network: Network, seed: int = 0, **changes: object) -> Model:
    """Return a model with random weights."""
    genes = np.random.default_rng(seed).normal(size=network.gene_count).astype(np.float32)
    names = tuple("abcdefghijklmnop"[: network.outputs])
    return Model.build(network, genes, **({"class_names": names, "input_range": (0.0, 255.0)} | changes))


def enlarged(dataset: Dataset) -> Dataset:
    """Return a dataset of images with each pixel repeated three times each way."""

    def split(part: Split) -> Split:
        return Split(part.inputs.repeat(3, axis=1).repeat(3, axis=2), part.labels)

    splits = {name: split(dataset.split(name)) for name in ("train", "validation", "test")}
    return replace(dataset, **splits)


def dataset_for(strategy: str, dataset: Dataset) -> Dataset:
    """Return a dataset, with images as large as the strategy needs."""
    return enlarged(dataset) if strategy == "genreg-2" else dataset


DATASET = tiny_dataset()
NETWORK = Network.build((3,), (4,), 2)
FIXED = Standardise(np.zeros(6, np.float32), np.ones(6, np.float32))
STANDARDISED = model_of(Network.build((6,), (4,), 3, fixed=(FIXED,)))


def evolution(backend: str = "numpy", on: Dataset | None = None, **changes: Any) -> Evolution:
    """Return a small evolution on labelled images, or on a dataset."""
    chosen = on or dataset_for(str(changes.get("strategy")), DATASET)
    return Evolution(tiny_config(**changes), chosen, backend=backend)


def own(**changes: Any) -> Evolution:
    """Return a small evolution for a fitness of one's own."""
    return Evolution(tiny_config(**changes), network=NETWORK, backend="numpy")


def outcome(evolution: Evolution) -> dict[str, bytes]:
    """Return the champions' files, and the state: what must be equal of equal runs."""
    champions = {name: model.pack() for name, model in evolution.champions().items()}
    return champions | {
        name: value.tobytes() for name, value in vars(evolution.state).items() if isinstance(value, np.ndarray)
    }


def refusal(path: Path) -> str:
    """Return the one line, naming the file, with which a file is refused as a model."""
    with pytest.raises(ModelError) as raised:
        infer.load(path)
    line = one_line(raised.value)
    assert line.startswith(f"{path}: ")
    return line


def read_or_refuse(path: Path) -> None:
    """Load a file; whatever is in it, the outcome is a usable model or a ModelError of one line."""
    try:
        model = infer.load(path)
    except ModelError as error:
        line = one_line(error)
    else:
        model.outputs(np.zeros((1, *model.input_shape)))
        return
    assert line.startswith(f"{path}: ")


STANDIN = ROOT / "tests" / "standin"  # a folder to import `cupy` from where there is no GPU
CPU_BACKENDS = [  # of the registry, those that run on any machine where their packages are
    pytest.param(name, marks=pytest.mark.skipif(name == "numba" and backends.resolve("cpu") != name, reason="no numba"))
    for name in backends.REGISTRY
    if name != "cupy"
]
BACKENDS = [*CPU_BACKENDS, "cupy by g++", pytest.param("cupy", marks=pytest.mark.gpu)]


def create_or_skip(name: str) -> Backend:
    """Return the backend, or skip the test where it cannot run."""
    if name == "cupy by g++":
        return emulated_cupy()
    try:
        return backends.create(name)
    except (BackendError, MissingExtraError) as error:
        pytest.skip(str(error))


def standin() -> Any:
    """Return the stand-in for the module cupy."""
    if not shutil.which("g++"):
        pytest.skip("needs g++")
    specification = importlib.util.spec_from_file_location("cupy_standin", STANDIN / "cupy.py")
    if "cupy_standin" not in sys.modules:
        module = sys.modules["cupy_standin"] = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(module)
    return sys.modules["cupy_standin"]


def emulated_cupy() -> CupyBackend:
    """Return the cupy backend over the stand-in."""
    module = standin()
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "cupy", module)
        return CupyBackend()


class OnHost(Backend):
    """A backend whose genomes are brought to the host, for tests that look at them."""

    def __init__(self, inner: Backend) -> None:
        self.name = inner.name
        self.score, self.outputs, self.logits, self.perturb = inner.score, inner.outputs, inner.logits, inner.perturb
        self.rebuild = lambda *arguments: inner.to_host(inner.rebuild(*arguments))
        self.mutate = lambda *arguments: inner.to_host(inner.mutate(*arguments))

    score = outputs = rebuild = mutate = logits = plan = perturb = None  # an instance has its own


# Fitness functions that worker processes can import.


def smallness(model: Model) -> float:
    """Prefer small weights."""
    return -float(np.abs(model.genes).sum())


def raises_above_zero(model: Model) -> float:
    """Fail on genomes whose first gene is positive."""
    if model.genes[0] > 0:
        raise KeyError("too large")
    return 0.0


def not_a_number_above_zero(model: Model) -> float:
    """Be undefined where the first gene is positive; prefer it large."""
    return float("nan") if model.genes[0] > 0 else float(model.genes[0])


def kills_its_process(model: Model) -> float:
    """End the process, as a crash in compiled code or a lack of memory would."""
    os._exit(3)


def gives_nothing(model: Model) -> None:
    """Forget to return."""


def gives_a_word(model: Model) -> str:
    """Give what looks like a number."""
    return "1.0"


def gives_a_pair(model: Model) -> np.ndarray:
    """Give an output for each class."""
    return model.outputs(np.ones((1, 3), np.float32))[0]


def first_output(model: Model) -> float:
    """Prefer a large first output."""
    return float(model.outputs(np.ones((1, 3), np.float32))[0, 0])


def first_output_as_an_array(model: Model) -> np.ndarray:
    """Do the same, as an array of one number."""
    return model.outputs(np.ones((1, 3), np.float32))[:, :1]


calls = itertools.count(1)


def fails_at_its_21st_call(model: Model) -> float:
    """Fail once a generation of twenty genomes is scored."""
    return 1.0 / (next(calls) - 21)
