"""Images that are in more than one split are counted, and said of pictures that are read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genreg_np.data import load_dataset
from genreg_np.data.cifar import CIFAR_10
from genreg_np.data.cifar_files import read_cifar
from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.folder import load_folder
from genreg_np.data.idx import read_idx, write_idx
from genreg_np.data.mnist import FILES
from genreg_np.data.shared import shared_between, with_shared_noted
from tests.data.making_cifar import contents_of, small, write_folder
from tests.helpers import tiny_dataset


def dataset(train: list[int], validation: list[int], test: list[int], kind: type = np.uint8) -> Dataset:
    """Return splits of 2x2 images that are equal where their numbers are."""

    def split(numbers: list[int]) -> Split:
        levels = np.array(numbers)[:, None, None] + np.array([[0, 1], [2, 3]])
        return Split(levels.astype(kind), np.arange(len(numbers), dtype=np.int64) % 2)

    return Dataset("some", split(train), split(validation), split(test), ("a", "b"), note="known; before")


def test_each_pair_of_splits_is_counted() -> None:
    """By images of the later split: one that lies twice in test counts twice, one twice in train once."""
    found = shared_between(dataset([1, 2, 3, 3, 4], [3, 4, 5, 6], [5, 3, 3, 7]))
    assert found == {("validation", "train"): 2, ("test", "train"): 2, ("test", "validation"): 3}


def test_pairs_that_share_none_are_left_out() -> None:
    assert shared_between(dataset([1, 2, 2], [3, 3], [4])) == {}
    assert shared_between(dataset([1], [2], [1])) == {("test", "train"): 1}
    assert shared_between(tiny_dataset()) == {}


def test_a_mirrored_image_is_another() -> None:
    one = dataset([1], [5], [9])
    mirrored = Split(one.train.inputs[:, :, ::-1], one.train.labels)
    assert shared_between(replace(one, test=mirrored)) == {}
    back = Split(mirrored.inputs[:, :, ::-1], one.train.labels)
    assert shared_between(replace(one, test=back)) == {("test", "train"): 1}


@pytest.mark.parametrize("kind", [np.uint8, np.int64, np.float32])
def test_any_values_are_compared(kind: type) -> None:
    assert shared_between(dataset([1, 2], [3, 4], [2, 5], kind)) == {("test", "train"): 1}


def test_an_empty_split_shares_nothing() -> None:
    whole = dataset([1], [1], [2])
    empty = Split(whole.test.inputs[:0], whole.test.labels[:0])
    assert shared_between(Dataset("some", whole.train, empty, empty, ("a", "b"))) == {}


def test_it_is_said_in_one_line() -> None:
    noted = with_shared_noted(dataset([1, 2], [3], [1, 2, 3, 4]))
    assert noted.note == (
        "known; before; 2 images of test are also in train, 1 image of test is also in validation: "
        "accuracy on those says nothing about new ones"
    )
    silent = dataset([1], [2], [3])
    assert with_shared_noted(silent) is silent


def test_a_folder_with_splits_says_it(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for split, numbers in {"train": range(8), "test": range(6, 10), "validation": range(20, 24)}.items():
        for number in numbers:
            path = tmp_path / split / "ab"[number % 2] / f"{split}-{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.new("L", (4, 4), 20 * number % 256).save(path)
    read = load_folder(tmp_path)
    assert shared_between(read) == {("test", "train"): 2}
    assert "2 images of test are also in train: accuracy" in read.note
    (tmp_path / "test" / "a" / "test-6.png").unlink()
    assert "1 image of test is also in train: accuracy" in load_folder(tmp_path).note
    (tmp_path / "test" / "b" / "test-7.png").unlink()
    assert "also in train" not in load_folder(tmp_path).note


@pytest.mark.usefixtures("bare_machine")
def test_a_folder_of_idx_files_says_it(originals: Path) -> None:
    assert load_dataset(originals).note.startswith("validation split held out of train")
    train, test = (read_idx(originals / f"{FILES[place]}.gz") for place in (0, 2))
    test[:3] = train[0]
    write_idx(originals / f"{FILES[2]}.gz", test)
    note = load_dataset(originals).note
    assert note.endswith("accuracy on those says nothing about new ones")
    assert "3 images of test are also in " in note


def test_cifar_says_it(tmp_path: Path) -> None:
    source = small(CIFAR_10, 100, 20)
    form = source.forms[0]
    contents = contents_of(source, form)
    folder = write_folder(contents, tmp_path / "whole")
    assert read_cifar(source, (form, folder)).note == ""
    first = contents[form.train[0]]
    records = np.frombuffer(contents[form.test], np.uint8).reshape(20, -1).copy()
    records[4, 1:] = np.frombuffer(first, np.uint8)[1:3073]
    folder = write_folder(contents | {form.test: records.tobytes()}, tmp_path / "shared")
    assert read_cifar(source, (form, folder)).note.startswith("1 image of test is also in train: ")
