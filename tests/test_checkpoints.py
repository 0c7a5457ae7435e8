"""Checkpoints: what is not one, or is damaged, is refused in one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.errors import RunError
from genreg_np.evolution import Evolution
from genreg_np.files import pack_arrays
from genreg_np.model import Network
from tests.helpers import DATASET, NETWORK, model_of, one_line, own, smallness


def checkpoint(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write the checkpoint of a short run after `change(header, arrays)` has spoilt it."""
    run = own()
    run.run(2, fitness=smallness)
    run.save(path)
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
    "no genes": lambda header, arrays: header.pop("genes"),
    "genes of null": lambda header, arrays: header.update(genes=None),
    "other genes": lambda header, arrays: header.update(genes=5),
    "network of a number": lambda header, arrays: header.update(network=3),
    "no seconds": lambda header, arrays: header.pop("seconds"),
    "seconds of a word": lambda header, arrays: header.update(seconds="x"),
    "no trust": lambda header, arrays: arrays.pop("state.trust"),
    "more arrays": lambda header, arrays: arrays.update({"state.more": np.zeros(3)}),
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
