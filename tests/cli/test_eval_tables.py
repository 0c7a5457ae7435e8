"""What `eval` says of the rows it measures: whether the model may have learned from them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np.infer import load
from tests.cli import save_relabelled

CHANGED = "the file is not the same as when the model was trained on 'plants.csv'"


def write(path: str, rows: int = 90, end: str = "\n", seed: int = 0) -> str:
    """Write a table of two numbers, a word and a kind."""
    draw = np.random.default_rng(seed)
    lines = ["high,wide,place,kind"]
    for row in range(rows):
        high, wide = draw.normal(row % 3, 0.3), draw.normal(-(row % 2), 0.3)
        lines.append(f"{high:.3f},{wide:.3f},{'wood' if row % 5 else 'field'},{'abc'[row % 3]}")
    Path(path).write_bytes("".join(line + end for line in lines).encode())
    return path


def trained(genreg, *options: str) -> str:
    """Return a model trained on plants.csv with the settings for tables."""
    write("plants.csv")
    done = genreg("train", "--dataset", "plants.csv", "--generations", 30, "--out", "run", "--quiet", *options)
    assert done.code == 0, done.err
    return "run/model.npz"


def packed(path: str) -> str:
    """Return a compressed copy of a file."""
    Path(f"{path}.gz").write_bytes(gzip.compress(Path(path).read_bytes()))
    return f"{path}.gz"


def test_the_training_file_is_told_of_when_its_bytes_have_changed(genreg) -> None:
    """The ends of its lines, more rows, compressed: learned rows are measured, and that is said."""
    model = trained(genreg)
    assert CHANGED not in genreg("eval", model, "--dataset", "plants.csv").out
    held = json.loads(genreg("eval", model, "--dataset", "plants.csv", "--json").out)
    for change in ({"packed": True}, {"end": "\r\n"}, {"rows": 120}):
        path = packed("plants.csv") if "packed" in change else write("plants.csv", **change)
        out = genreg("eval", model, "--dataset", path).out
        assert "all rows, " in out
        assert f"{CHANGED}: rows that it has learned from may be among these; --split test measures the others" in out
        told = json.loads(genreg("eval", model, "--dataset", path, "--json").out)
        assert any(note.startswith(CHANGED) for note in told["notes"])
        split = genreg("eval", model, "--dataset", path, "--split", "test").out
        assert f"{CHANGED}: its test split is that of training only if the rows are the same" in split
        if "rows" not in change:
            same = json.loads(genreg("eval", model, "--dataset", path, "--split", "test", "--json").out)
            assert same["confusion"] == held["confusion"]


def test_of_another_file_all_rows_are_measured_and_none_is_called_new(genreg) -> None:
    """It may be the file that was trained on, saved again with another name."""
    model = trained(genreg)
    for path in (write("others.csv", seed=1), write("again.csv", end="\r\n")):
        out = genreg("eval", model, "--dataset", path).out
        assert "all rows, " in out
        assert "the model was trained on another file, 'plants.csv': rows of that file may be among these" in out
        assert "new" not in out
        assert CHANGED not in out


def test_a_model_of_a_search_is_doubted_likewise(genreg) -> None:
    """Its held-out rows are none of a split, so no split is offered."""
    model = trained(genreg)
    header = load(model).header["training"]
    searched = header | {"method": "search", "config": {"dataset": "plants"}, "sha256": "0" * 64}
    out = genreg("eval", save_relabelled(Path(model), training=searched), "--dataset", "plants.csv").out
    assert "trained on 'plants': rows that it has learned from may be among these\n" in out
    assert "--split" not in out


@pytest.mark.parametrize("keep", ["refit", "best"])
def test_a_split_that_was_learned_from_is_said_to_be(genreg, keep: str) -> None:
    """The validation split if the model was trained again on it, the training split, and all rows."""
    model = trained(genreg, "--set", f"keep={keep}")
    assert bool(load(model).trained("refit")) is (keep == "refit")
    measured = {
        split: genreg("eval", model, "--dataset", "plants.csv", "--split", split).out
        for split in ("test", "validation", "train", "all")
    }
    assert ("the validation split, which it learned from in the end; " in measured["validation"]) is (keep == "refit")
    assert "the train split, which it learned from; " in measured["train"]
    assert "it has learned from most of these rows" in measured["all"]
    assert "learned" not in measured["test"]


def test_the_note_of_a_model_is_printed_for_numbers_too(genreg) -> None:
    """That its validation score is from before it was trained again."""
    write("plants.csv")
    run = ("--label", "high", "--generations", 30, "--out", "run", "--quiet")
    assert genreg("train", "--dataset", "plants.csv", *run).code == 0
    assert "the model's note: trained again" in genreg("eval", "run/model.npz", "--dataset", "plants.csv").out
