"""Checkpoints: what is not one, or is damaged, is refused in one line."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.backends.base import Brood
from genreg_np.errors import RunError
from genreg_np.files import pack_arrays
from genreg_np.model import Network
from genreg_np.runs.checkpoint import read_checkpoint, restored
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY
from tests.helpers import DATASET, NETWORK, dataset_for, evolution, model_of, one_line, own, smallness


def checkpoint(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write the checkpoint of a short run after `change(header, arrays)` has spoilt it."""
    run = own()
    run.run(2, fitness=smallness)
    run.save(path)
    return changed(path, change)


def changed(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write a checkpoint again after `change(header, arrays)` has spoilt it."""
    arrays: dict[str, Any] = dict(infer.read_arrays(path))
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays}))
    return path


SPOILT: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "another format": lambda header, arrays: header.update(format="genreg-np model"),
    "another version": lambda header, arrays: header.update(version=2),
    "no version": lambda header, arrays: header.pop("version"),
    "no state": lambda header, arrays: header.pop("state"),
    "empty state": lambda header, arrays: header.update(state={}),
    "more state": lambda header, arrays: header["state"].update(weight=1),
    "state of a word": lambda header, arrays: header.update(state="x"),
    "no configuration": lambda header, arrays: header.pop("config"),
    "configuration of a number": lambda header, arrays: header.update(config=3),
    "a header of many megabytes": lambda header, arrays: header.update(more="x" * (5 << 20)),
    "no genes": lambda header, arrays: header.pop("genes"),
    "genes of null": lambda header, arrays: header.update(genes=None),
    "other genes": lambda header, arrays: header.update(genes=5),
    "network of a number": lambda header, arrays: header.update(network=3),
    "no seconds": lambda header, arrays: header.pop("seconds"),
    "seconds of a word": lambda header, arrays: header.update(seconds="x"),
    "no trust": lambda header, arrays: arrays.pop("state.trust"),
    "more arrays": lambda header, arrays: arrays.update({"state.more": np.zeros(3)}),
    "seconds without end": lambda header, arrays: header.update(seconds=1e999),
    "seconds below zero": lambda header, arrays: header.update(seconds=-1.0),
    "genes without end": lambda header, arrays: header.update(genes=1e999),
    "class names of numbers": lambda header, arrays: header.update(class_names=[1, 2]),
    "changes that are none": lambda header, arrays: header.update(changes=[{"generation": 1}]),
    "a range of words": lambda header, arrays: header.update(input_range=["0", "1"]),
    "a range of nothing": lambda header, arrays: header.update(input_range=[1, 1]),
    "negative inputs": lambda header, arrays: header["network"].update(input_shape=[-3, -1]),
    "inputs of a word": lambda header, arrays: header["network"].update(input_shape=["3"]),
    "an activation of a list": lambda header, arrays: header["network"]["layers"][0].__setitem__("activation", []),
    "genomes cut short": lambda header, arrays: arrays.update({"state.survivors": np.zeros((5, 3), np.float32)}),
    "genomes of another type": lambda header, arrays: arrays.update({"state.survivors": np.zeros((5, 26))}),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_damaged_checkpoints_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Nothing that is not this strategy's state of this network is gone on with."""
    path = checkpoint(tmp_path / "c.npz", SPOILT[name])
    with pytest.raises(RunError) as raised:
        Evolution.load(path, backend="numpy")
    assert one_line(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize("name", ["state.generation", "generation", "survivors"])
def test_an_array_takes_the_place_of_nothing(tmp_path: Path, name: str) -> None:
    """Or a run would be gone on with from a generation that is three numbers."""
    path = checkpoint(tmp_path / "c.npz", lambda header, arrays: arrays.update({name: np.arange(3)}))
    with pytest.raises(RunError) as raised:
        read_checkpoint(path)
    assert one_line(raised.value).startswith(f"{path}: ")


def test_the_unspoilt_checkpoint_is_loaded(tmp_path: Path) -> None:
    """What the test before spoils is good to begin with."""
    loaded = Evolution.load(checkpoint(tmp_path / "c.npz", lambda header, arrays: None), backend="numpy")
    assert loaded.generation == 2


@pytest.mark.parametrize("content", [None, b"", b"PK", b"x" * 999])
def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, or of another kind."""
    path = tmp_path / "c.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError) as raised:
        Evolution.load(path, DATASET)
    assert one_line(raised.value).startswith(f"{path}: ")


def test_a_model_is_not_a_checkpoint(tmp_path: Path) -> None:
    """The two files look alike and are told apart."""
    model_of(NETWORK).save(tmp_path / "model.npz")
    with pytest.raises(RunError, match="checkpoint"):
        Evolution.load(tmp_path / "model.npz", DATASET)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """The line shows both numbers of genes."""
    run = own()
    run.run(1, fitness=smallness)
    run.save(tmp_path / "c.npz")
    with pytest.raises(RunError, match="holds genomes of 26 genes") as raised:
        Evolution.load(tmp_path / "c.npz", network=Network.build((3,), (5,), 2), backend="numpy")
    one_line(raised.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], bytes]:
    """Return the checkpoint of a short run of a strategy, made once."""

    @functools.cache
    def made(strategy: str) -> bytes:
        run = evolution(strategy=strategy)
        run.run(2)
        return run.pack()

    return made


def fresh(strategy: str) -> Evolution:
    return evolution(strategy=strategy)


WRONG_ARRAYS: dict[str, Callable[[np.ndarray], np.ndarray | None]] = {
    "missing": lambda array: None,
    "no rows": lambda array: array[:0],
    "one row": lambda array: array[:1],
    "a row less": lambda array: array[:-1],
    "a row more": lambda array: np.concatenate([array, array[:1]]),
    "a column less": lambda array: array[..., :-1],
    "a length of one": lambda array: array.ravel()[:1],
    "a single number": lambda array: np.array(array.ravel()[:1].sum(), array.dtype),
    "one axis more": lambda array: array[None],
    "another type": lambda array: array.astype(np.int64),
    "the other byte order": lambda array: array.astype(array.dtype.newbyteorder()),
    "text": lambda array: array.astype("U8"),
    "NaN": lambda array: np.full_like(array, np.nan),
    "infinite": lambda array: np.full_like(array, np.inf),
}
WRONG_NUMBERS: tuple[Any, ...] = ("21", [1], {}, True, float("nan"), float("inf"), 1e999, 2**4096)
WRONG_COUNTS: tuple[Any, ...] = (-5, 1.5, None, 2**63, *WRONG_NUMBERS)


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_a_field_of_a_state_that_does_not_belong_to_the_run_is_refused(
    tmp_path: Path, saved: Callable[[str], bytes], strategy: str
) -> None:
    """Lengths, types and finiteness are checked before anything computes with them, a field at a time."""
    path, start = write(tmp_path / "c.npz", saved(strategy)), fresh(strategy).state
    right = infer.read_arrays(path)

    def refused(change: Callable[[dict[str, Any], dict[str, Any]], object]) -> None:
        write(path, saved(strategy))
        with pytest.raises(RunError) as raised:
            restored(start, read_checkpoint(changed(path, change))[1], path)
        assert one_line(raised.value).startswith(f"{path}: ")

    for name, like in vars(start).items():
        if isinstance(like, np.ndarray):
            array = right[f"state.{name}"]
            for spoil in WRONG_ARRAYS.values():
                wrong = spoil(array)
                if wrong is None or wrong.shape != array.shape or wrong.tobytes() != array.tobytes():
                    refused(lambda header, arrays, name=name, wrong=wrong: replace(arrays, f"state.{name}", wrong))
        else:
            for value in WRONG_COUNTS if type(like) is int else WRONG_NUMBERS:
                refused(lambda header, arrays, name=name, value=value: header["state"].update({name: value}))
    refused(lambda header, arrays: header["state"].update(generation=2**32))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def replace(arrays: dict[str, Any], name: str, array: np.ndarray | None) -> None:
    """Put an array in place of another, or take it away where it is None."""
    arrays.pop(name)
    if array is not None:
        arrays[name] = array


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_numbers_a_checkpoint_lacks_are_those_a_run_begins_with(
    tmp_path: Path, saved: Callable[[str], bytes], strategy: str
) -> None:
    """A version that recorded less wrote checkpoints that can be gone on with."""
    path, start = write(tmp_path / "c.npz", saved(strategy)), fresh(strategy).state
    optional = {item.name for item in dataclasses.fields(start) if item.default is not dataclasses.MISSING}

    def older(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        header["state"] = {name: value for name, value in header["state"].items() if name not in optional}

    loaded = Evolution.load(changed(path, older), dataset_for(strategy, DATASET), backend="numpy")
    assert loaded.generation == 2
    assert all(getattr(loaded.state, name) == getattr(start, name) for name in optional)


@pytest.mark.parametrize("parents", [[[0, 2]], [[-1, 0]]])
def test_a_brood_names_no_parent_that_is_not_there(parents: list[list[int]]) -> None:
    """Compiled kernels do not look at bounds, so nothing gets to them that was not looked at."""
    survivors = np.zeros((2, NETWORK.gene_count), np.float32)
    with pytest.raises(ValueError, match="of 2 survivors"):
        Brood(network=NETWORK, seed=0, generation=1, survivors=survivors, parents=np.array(parents, np.int32))


def test_a_checkpoint_that_names_dense_layers_alone_is_loaded(tmp_path: Path) -> None:
    """As they were written before a network was a tuple of layers: nothing that was saved is lost."""

    def as_before(header: dict, arrays: dict) -> None:
        layers = header["network"].pop("layers")
        header["network"]["dense"] = [[one["inputs"], one["outputs"], one["activation"]] for one in layers]

    before = Evolution.load(checkpoint(tmp_path / "before.npz", as_before), backend="numpy")
    now = Evolution.load(checkpoint(tmp_path / "now.npz", lambda header, arrays: None), backend="numpy")
    assert before.network == now.network
