"""Arrays, lists and tables in memory: the dataset that their file would be, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import Dataset, GenregError, Split, TrainConfig, load_dataset, train
from genreg_np.data.dataset import SPLITS
from genreg_np.errors import DataError, UsageError
from tests.helpers import one_line

N = 30
IMAGES = (np.arange(N * 4) % 256).astype(np.uint8).reshape(N, 2, 2)
LABELS = np.arange(N) % 3
WORDS = np.array(["cat", "ant", "bee"])[LABELS]
ROWS = np.random.default_rng(0).normal(size=(N, 3)).round(3)
INTEGERS = IMAGES.astype(np.int64).reshape(N, 4) - 7


def assert_same(one: Dataset, other: Dataset) -> None:
    """Everything about two datasets is equal, to the byte."""
    for split in SPLITS:
        for item in dataclasses.fields(Split):
            left, right = (getattr(dataset.split(split), item.name) for dataset in (one, other))
            if left is None:
                assert right is None
                continue
            assert left.dtype == right.dtype
            np.testing.assert_array_equal(left, right)
    for name in ("name", "class_names", "input_range", "note", "feature_names"):
        assert getattr(one, name) == getattr(other, name), name


@pytest.mark.parametrize("labels", [LABELS, WORDS, LABELS > 0, LABELS.astype(np.float32), LABELS[:, None] + 10])
@pytest.mark.parametrize("inputs", [IMAGES, IMAGES > 3, INTEGERS, ROWS, ROWS.astype(np.float32)])
@pytest.mark.parametrize("given", [(), ("test",), ("validation", "test")])
def test_arrays_give_what_their_file_gives(
    tmp_path: Path, inputs: np.ndarray, labels: np.ndarray, given: tuple[str, ...]
) -> None:
    """The same samples in the same splits, classes, range and note as load_dataset of an .npz file."""
    splits = dict.fromkeys(given, (inputs[:9], labels[:9]))
    files = {f"{kind}_{split}": array for split, pair in splits.items() for kind, array in zip("xy", pair, strict=True)}
    np.savez(tmp_path / "d.npz", x_train=inputs, y_train=labels, **files)
    assert_same(Dataset.from_arrays(inputs, labels, name="d", **splits), load_dataset(tmp_path / "d.npz"))


def test_names_of_classes_and_columns_are_those_of_a_file(tmp_path: Path) -> None:
    """Labels may be positions among class names, or the names; columns have one each."""
    names, columns = ["zero", "one", "two"], ["length", "width", "height"]
    np.savez(tmp_path / "d.npz", x=ROWS, y=LABELS, class_names=names, feature_names=columns)
    loaded = load_dataset(tmp_path / "d.npz")
    for labels in (LABELS, np.array(names)[LABELS]):
        assert_same(Dataset.from_arrays(ROWS, labels, class_names=names, feature_names=columns, name="d"), loaded)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_table_gives_what_its_csv_file_gives(tmp_path: Path, library: str) -> None:
    """Numbers, whole numbers and booleans are features by their columns' names, words are labels."""
    frames = pytest.importorskip(library)
    table = frames.DataFrame({"length": ROWS[:, 0], "count": LABELS * 7 + 1, "flag": LABELS > 1})
    text = "\n".join(
        f"{row[0]!r},{label * 7 + 1},{int(label > 1)},{word}"
        for row, label, word in zip(ROWS.tolist(), LABELS, WORDS, strict=True)
    )
    (tmp_path / "d.csv").write_text(f"length,count,flag,kind\n{text}\n")
    loaded = dataclasses.replace(load_dataset(tmp_path / "d.csv"), note="")
    for labels in (WORDS, frames.Series(WORDS.tolist())):
        assert_same(dataclasses.replace(Dataset.from_arrays(table, labels, name="d"), note=""), loaded)
    assert loaded.feature_names == ("length", "count", "flag")


def test_columns_of_given_splits_go_by_name() -> None:
    """In any order; another name is refused."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(ROWS, columns=list("abc"))
    data = Dataset.from_arrays(table, LABELS, test=(table[["c", "a", "b"]], LABELS))
    np.testing.assert_array_equal(data.test.inputs, ROWS.astype(np.float32))
    with pytest.raises(DataError, match="columns c, a, d, but those of train are a, b, c") as error:
        Dataset.from_arrays(table, LABELS, test=(table[["c", "a", "b"]].rename(columns={"b": "d"}), LABELS))
    one_line(error.value)


@pytest.mark.parametrize(
    ("labels", "class_names"),
    [
        (LABELS.tolist(), ("0", "1", "2")),
        (WORDS.tolist(), ("ant", "bee", "cat")),
        (WORDS.astype(object), ("ant", "bee", "cat")),
        (WORDS.astype(bytes), ("ant", "bee", "cat")),
        ((LABELS > 0).astype(object), ("0", "1")),
        (LABELS.astype(object), ("0", "1", "2")),
        (["1", "one", "1.0"] * 10, ("1", "one")),
        ([1, 2.0, np.int8(3)] * 10, ("1", "2", "3")),
    ],
)
def test_labels_of_any_kind_are_classes(labels: Any, class_names: tuple[str, ...]) -> None:
    """Lists and arrays of Python objects, too."""
    assert Dataset.from_arrays(IMAGES, labels).class_names == class_names


def test_a_range_is_taken_for_whole_numbers() -> None:
    """12 bits stay 12 bits, whatever the brightest pixel is."""
    assert Dataset.from_arrays(INTEGERS + 7, LABELS, input_range=(0, 4095)).input_range == (0.0, 4095.0)


def test_arrays_are_not_changed() -> None:
    """Neither values nor types of what was given."""
    inputs, labels = ROWS.copy(), WORDS.copy()
    Dataset.from_arrays(inputs, labels)
    np.testing.assert_array_equal(inputs, ROWS)
    np.testing.assert_array_equal(labels, WORDS)


HOLED = np.where(ROWS > 1, np.nan, ROWS)


@pytest.mark.parametrize(
    ("arguments", "keywords", "kind", "words"),
    [
        ((IMAGES, LABELS[:-1]), {}, DataError, "arrays: 30 train inputs, but 29 labels"),
        ((IMAGES, LABELS), {"test": (IMAGES, LABELS[:-1])}, DataError, "30 test inputs, but 29 labels"),
        ((ROWS * 1e300, LABELS), {}, DataError, "train inputs: .*e.299 is too large for float32; rescale"),
        ((HOLED, LABELS), {}, DataError, "NaN or infinite values"),
        ((ROWS, LABELS), {"validation": (HOLED, LABELS)}, DataError, "validation split: NaN"),
        ((LABELS, LABELS), {}, DataError, r"train inputs: an array of shape \(30,\)"),
        (([[1, 2], [3]], [0, 1]), {}, DataError, "train inputs: cannot be converted to an array"),
        ((None, LABELS), {}, DataError, r"train inputs: an array of shape \(\)"),
        ((np.ma.masked_greater(ROWS, 1), LABELS), {}, DataError, "train inputs: some are masked"),
        ((IMAGES.astype(str), LABELS), {}, DataError, "numbers are needed"),
        ((IMAGES, np.eye(3)[LABELS]), {}, DataError, "for one-hot rows, pass"),
        ((IMAGES, LABELS + 0.5), {"task": "classes"}, DataError, "not all are whole numbers"),
        ((IMAGES, [None, *WORDS[1:]]), {}, DataError, "train labels: number 0 is None"),
        ((IMAGES, np.array([*WORDS[1:], np.nan], object)), {}, DataError, "train labels: number 29 is nan"),
        ((IMAGES, ["", *WORDS[1:]]), {}, DataError, "train labels: some are '', which is not a label"),
        ((IMAGES, [np.nan, *WORDS[1:]]), {}, DataError, "some are 'nan', which is not a label"),
        ((IMAGES, [1, "1", 2] * 10), {}, DataError, "labels of several types, such as 1 and '1'; make all"),
        ((IMAGES, np.array([1, "1", 2] * 10, object)), {}, DataError, "several types, such as 1 and '1'"),
        ((IMAGES, np.array([True, "True"] * 15, object)), {}, DataError, "several types, such as True and 'True'"),
        ((IMAGES, np.array([np.True_, "True"] * 15, object)), {}, DataError, "labels of several types"),
        ((IMAGES, [True, 1, 0] * 10), {}, DataError, "several types, such as True and 1"),
        ((IMAGES, LABELS.astype("M8[s]")), {}, DataError, "integers or text are needed"),
        ((IMAGES, [b"\xff"] * N), {}, DataError, "not UTF-8"),
        ((IMAGES, LABELS), {"test": IMAGES}, UsageError, r"test must be a pair \(inputs, labels\), not ndarray"),
        ((IMAGES, LABELS), {"test": (ROWS, LABELS)}, DataError, "test split: inputs are"),
        ((IMAGES, LABELS), {"class_names": ["a", "b"]}, DataError, "labels run from 0 to 2, but there are 2 classes"),
        ((IMAGES, LABELS), {"class_names": ["a", "b", "a"]}, DataError, "twice"),
        ((IMAGES, LABELS), {"class_names": "abc"}, UsageError, "class_names = 'abc' must be a list"),
        ((IMAGES, WORDS), {"class_names": ["cat", "ant"]}, DataError, "'bee' is not among class_names"),
        ((ROWS, LABELS), {"feature_names": ["a", "b"]}, DataError, "2 feature names for inputs of shape"),
        ((ROWS, LABELS), {"feature_names": "abc"}, UsageError, "feature_names = 'abc' must be a list"),
        ((ROWS, LABELS), {"feature_names": ["a", "b", "b"]}, DataError, "called 'b'"),
        ((ROWS, LABELS), {"input_range": (0, 1)}, UsageError, "train inputs of arrays are floats"),
        ((IMAGES, LABELS), {"input_range": (1, 0)}, UsageError, r"input_range = \(1, 0\) must be"),
        ((IMAGES, LABELS), {"input_range": (0, 1e300)}, UsageError, "input_range = .* must be"),
        ((IMAGES, LABELS), {"input_range": 255}, UsageError, "input_range = 255 must be"),
        ((IMAGES, LABELS), {"input_range": (0, 99)}, DataError, "run from 0 to 119, outside input_range 0 .. 99"),
    ],
)
def test_each_fault_has_its_line(arguments: Any, keywords: Any, kind: type[GenregError], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        Dataset.from_arrays(*arguments, **keywords)
    one_line(error.value)


def test_a_table_is_told_what_is_for_arrays_only() -> None:
    """Whole numbers too: its columns are features, without a range; and the splits are tables, or none of them is."""
    pandas = pytest.importorskip("pandas")
    for values in (ROWS, INTEGERS):
        table = pandas.DataFrame(values, columns=list("abcd"[: values.shape[1]]))
        with pytest.raises(UsageError, match="are a table, whose columns are taken as features, without a range") as no:
            Dataset.from_arrays(table, LABELS, input_range=(-255, 255))
        one_line(no.value)
        for one, other in ((table, values), (values, table)):
            with pytest.raises(UsageError, match="only one of the train and the validation inputs is a table") as error:
                Dataset.from_arrays(one, LABELS, validation=(other, LABELS))
            one_line(error.value)


def test_two_names_for_one_column_are_refused() -> None:
    """A table has its names."""
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(ROWS, columns=list("abc"))
    assert Dataset.from_arrays(table, LABELS, feature_names=["a", "b", "c"]).feature_names == ("a", "b", "c")
    with pytest.raises(UsageError, match=r"feature_names differ .* a, b, c: leave them out") as error:
        Dataset.from_arrays(table, LABELS, feature_names=["x", "y", "z"])
    one_line(error.value)


@pytest.mark.parametrize(
    ("inputs", "labels", "words"),
    [
        (IMAGES, np.zeros(N, int), "two are needed"),
        (IMAGES[:1], LABELS[:1], "two are needed"),
        (IMAGES[:3], LABELS[:3], "too few samples"),
    ],
)
def test_what_cannot_be_learned_is_told_where_it_is_learned(inputs: np.ndarray, labels: np.ndarray, words: str) -> None:
    """One class, too few rows: as of a file, which may still be measured on."""
    data = Dataset.from_arrays(inputs, labels)
    with pytest.raises(DataError, match=words) as error:
        train(TrainConfig.from_preset("small"), data, backend="numpy")
    one_line(error.value)


def test_a_keyword_that_is_none_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'classes'"):
        Dataset.from_arrays(IMAGES, LABELS, classes=["a"])  # type: ignore[call-arg]
