"""Whole numbers of every kind are taken wherever the public API takes one; true, false and halves are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genreg_np
from genreg_np.backends import create
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.model import Dense, Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.settings import whole_number, whole_numbers
from genreg_np.strategies.mixed.breeding import recombine
from tests.helpers import DATASET, model_of, one_line, outcome, own, smallness, tiny_config


class Three:
    """A number of somebody else's."""

    def __index__(self) -> int:
        return 3


THREES = [3, np.int64(3), np.int8(3), np.uint64(3), np.array(3), Three()]
NO_NUMBERS = [True, np.True_, 3.0, np.float64(3), "3", None, np.array([3, 3]), np.array(3.5), [[3]], np.ones((9, 9))]


def pictures(path: Path) -> Path:
    """Write a folder of two classes of images."""
    from PIL import Image

    for label in "ab":
        (path / label).mkdir(parents=True)
        for number in range(8):
            Image.fromarray(np.full((4, 5), 20 * number + 7, np.uint8)).save(path / label / f"{number}.png")
    return path


# Where a whole number is taken: what comes of it for one that is 3. The path is a folder of its own.
TAKEN: dict[str, Callable[[Any, Path], Any]] = {
    "outputs": lambda three, path: Network.build((2,), (4,), three),
    "a hidden layer": lambda three, path: Network.build((2,), (three, 4), 2),
    "an input's extent": lambda three, path: Network.build((three, 2), (4,), 2),
    "Dense inputs": lambda three, path: Dense(three, 2, "tanh"),
    "Dense outputs": lambda three, path: Dense(2, three, "tanh"),
    "Network": lambda three, path: Network((three,), (Dense(3, 2, "linear"),)),
    "a setting": lambda three, path: TrainConfig(generations=three),
    "a strategy's setting": lambda three, path: TrainConfig.from_dict({"elites": three}),
    "seed": lambda three, path: TrainConfig.from_preset("small", seed=three),
    "hidden": lambda three, path: TrainConfig(hidden=(three,)),
    "changed": lambda three, path: tiny_config().changed(images_per_class=three),
    "generations": lambda three, path: run_of(generations=three),
    "rescore": lambda three, path: run_of(generations=2, rescore=three),
    "variations": lambda three, path: seen(genreg_np.load_dataset("letters", variations=three)),
    "size": lambda three, path: seen(genreg_np.load_dataset(pictures(path), size=(three, 4))),
    "a child's seed": lambda three, path: child_of(three),
    "parts": lambda three, path: child_of(0, parts=(three,)),
}


def run_of(**arguments: Any) -> dict[str, bytes]:
    """Return what a run comes to."""
    run = own()
    run.run(fitness=smallness, **arguments)
    return outcome(run)


def seen(dataset: Dataset) -> tuple[Any, ...]:
    """Return what tells one dataset from another."""
    return dataset.train.inputs.shape, dataset.train.inputs.tobytes(), dataset.note


def child_of(seed: int, parts: Any = ()) -> bytes:
    """Return a child of two models."""
    network = Network.build((4,), (6,), 2)
    return recombine(model_of(network, 1), model_of(network, 2), "weight", seed, parts).pack()


@pytest.mark.parametrize("name", list(TAKEN))
@pytest.mark.parametrize("three", THREES[1:], ids=lambda three: type(three).__name__)
def test_every_kind_of_whole_number_is_taken(tmp_path: Path, name: str, three: Any) -> None:
    """NumPy's integers, arrays without dimensions, whatever has an index: the same as Python's own."""
    if name in ("variations", "size"):
        pytest.importorskip("PIL")
    assert TAKEN[name](three, tmp_path / "one") == TAKEN[name](3, tmp_path / "other")


@pytest.mark.parametrize("name", list(TAKEN))
@pytest.mark.parametrize("wrong", [True, np.True_, 2.5, "x", np.array([3, 3])], ids=repr)
def test_what_is_no_whole_number_is_refused_everywhere(tmp_path: Path, name: str, wrong: Any) -> None:
    """In one line that says so."""
    if name == "hidden" and isinstance(wrong, str):
        pytest.skip("widths may be written as text")
    with pytest.raises(UsageError, match=r"whole number|widths like") as raised:
        TAKEN[name](wrong, tmp_path / "one")
    one_line(raised.value)


@pytest.mark.parametrize("three", THREES, ids=lambda three: type(three).__name__)
def test_a_whole_number_becomes_pythons_own(three: Any) -> None:
    """So that it can be written as JSON and TOML."""
    assert type(whole_number(three, "n")) is int
    assert whole_numbers([three, 3], "n") == whole_numbers(np.array([3, 3]), "n") == (3, 3)
    assert whole_numbers(three, "n") == (3,)
    assert all(type(width) is int for width in whole_numbers((three,), "n"))


@pytest.mark.parametrize("wrong", NO_NUMBERS, ids=repr)
def test_what_is_no_whole_number_is_refused_by_its_name(wrong: Any) -> None:
    """The line has the name and the value."""
    with pytest.raises(UsageError, match=r"^n = .* must be a whole number$") as raised:
        whole_number(wrong, "n")
    assert len(one_line(raised.value)) < 100


def test_less_than_the_least_is_refused() -> None:
    """With the least in the line."""
    with pytest.raises(UsageError, match="n = 2 must be at least 3"):
        whole_number(np.int64(2), "n", least=3)


@pytest.mark.parametrize("threads", [np.int64(1), np.uint8(1)])
def test_threads_and_workers_may_be_numpys(threads: Any) -> None:
    """As a count of processors may come."""
    assert create("numpy", threads).name == "numpy"
    plain, counted = own(), Evolution(tiny_config(), network=own().network, backend="numpy", threads=threads)
    plain.run(1, fitness=smallness)
    counted.run(1, fitness=smallness, workers=threads)
    assert outcome(plain) == outcome(counted)
    with pytest.raises(UsageError, match="threads = True"):
        Evolution(tiny_config(), DATASET, backend="auto", threads=True)


def test_an_evolution_described_in_numpys_numbers_can_be_saved(tmp_path: Path) -> None:
    """Widths, settings and the range of inputs: all become plain numbers of its files."""
    network = Network.build((np.int64(3),), hidden=(np.int32(4),), outputs=np.uint8(2))
    config, given_range = tiny_config(seed=np.uint64(5)), (np.float32(0), np.uint8(9))
    run = Evolution(config, network=network, backend="numpy", input_range=given_range)
    run.run(np.int64(1), fitness=smallness, out=tmp_path / "run")
    again = Evolution.load(tmp_path / "run/checkpoint.npz", backend="numpy")
    assert again.network == network
    assert again.input_range == (0.0, 9.0)
    assert genreg_np.load(tmp_path / "run/model.npz").network == network
