"""What labels are fit to learn: quantities, equal numbers, columns that count, classes that are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.data.arrays import load_npz
from genreg_np.data.dataset import MOST_CLASSES, Dataset, Split
from genreg_np.data.labels import merge_numbers
from genreg_np.data.splits import stratified_split
from genreg_np.data.table import load_csv
from genreg_np.errors import DataError
from genreg_np.runs.evaluation import Evaluation
from genreg_np.runs.evolution import Evolution
from tests.helpers import tiny_config

DRAW = np.random.default_rng(1)


def table(path: Path, labels: list[object]) -> Dataset:
    path.write_text("x,y,goal\n" + "".join(f"{DRAW.random():.3f},{DRAW.random():.3f},{label}\n" for label in labels))
    return load_csv(path)


QUANTITIES = {
    "whole numbers, as scikit-learn's diabetes": DRAW.integers(25, 347, 442).tolist(),
    "prices": [f"{value:.2f}" for value in DRAW.uniform(1, 9, 60)],
    "temperatures, each often": [f"{value:.1f}" for value in DRAW.uniform(0, 30, 4000)],
    "a few lengths": ["1.25", "2.5", "3.75", "4.1", "5.6", "6.3"],
}


@pytest.mark.parametrize("kind", QUANTITIES)
def test_a_quantity_is_predicted_unless_classes_are_asked_for(tmp_path: Path, kind: str) -> None:
    """In a table and in arrays; said in a line that names the way out."""
    labels = QUANTITIES[kind]
    dataset = table(tmp_path / "t.csv", labels)
    assert dataset.value_names == ("goal",)
    assert "numbers to predict" in dataset.note
    assert "task classes" in dataset.note
    assert sorted(dataset.everything.labels[:, 0].tolist()) == sorted(map(float, labels))
    assert load_csv(tmp_path / "t.csv", task="classes").value_names == ()
    np.savez(tmp_path / "d.npz", x=DRAW.random((len(labels), 2)), y=np.array(labels, float))
    loaded = load_npz(tmp_path / "d.npz")
    assert loaded.of_numbers
    assert loaded.counted == "1 number to predict"


@pytest.mark.parametrize(
    "labels",
    [
        [index % 26 for index in range(26 * 4)],
        [index % 100 for index in range(100 * 3)],
        [(1 + index % 9) / 2 for index in range(90)],
        [1901 + index for index in range(12)] * 3,
        [f"item {index}" for index in range(60)] * 3,
        [*range(100, 130), *[1, 2, 3] * 300],
        [3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 9, 9, 9, 1, 1, 1],
    ],
)
def test_classes_that_are_numbers_are_learned(tmp_path: Path, labels: list[object]) -> None:
    table(tmp_path / "t.csv", labels).check_trainable()


ZIPF = np.minimum(DRAW.zipf(1.3, 4000), 10**6)
DOUBTFUL = {
    "prices": np.rint(DRAW.lognormal(5, 0.8, 5000)).astype(int).tolist(),
    "ages": DRAW.integers(18, 90, 5000).tolist(),
    "differences": DRAW.integers(-400, 401, 2000).tolist(),
    "numbers of words, a few of them often": [*range(55), *ZIPF[ZIPF < 55][:345].tolist()],
}


@pytest.mark.parametrize("kind", DOUBTFUL)
def test_whole_numbers_that_may_be_either_are_learned_with_a_warning(tmp_path: Path, kind: str) -> None:
    labels = DOUBTFUL[kind]
    dataset = table(tmp_path / "t.csv", labels)
    dataset.check_trainable()
    classes, low, high = len(set(labels)), min(labels), max(labels)
    assert f"warning: {classes:,} classes which are all whole numbers from {low} to {high}: if" in dataset.note
    np.savez(tmp_path / "d.npz", x=DRAW.random((len(labels), 2)), y=np.array(labels))
    assert "if the label column is a quantity" in load_npz(tmp_path / "d.npz").note


@pytest.mark.parametrize(
    "labels",
    [
        [index % 49 for index in range(490)],
        [100 * (index % 60) for index in range(600)],
        [f"id {index % 60}" for index in range(600)],
    ],
)
def test_classes_that_are_few_or_far_apart_or_words_come_without_a_warning(
    tmp_path: Path, labels: list[object]
) -> None:
    assert "warning" not in table(tmp_path / "t.csv", labels).note


def test_very_many_different_words_are_no_classes(tmp_path: Path) -> None:
    """They are refused before anything is split by class; very many numbers are a quantity."""
    assert table(tmp_path / "t.csv", list(range(66_000))).of_numbers
    with pytest.raises(DataError, match=r"more than 65,536 different labels in column 'goal'"):
        table(tmp_path / "t.csv", [f"id {index}" for index in range(66_000)])


@pytest.mark.parametrize(
    ("texts", "classes"),
    [
        (["1.5", "1.50", "2"], {"1.5", "2"}),
        (["1", "1e0", "+1", "2"], {"1", "2"}),
        (["-0", "0"], {"0"}),
        (["007", "7", "8"], {"007", "7", "8"}),
        (["1", "1e0", "x"], {"1", "x"}),
        (["1.5", "1.50", "unknown"], {"1.5", "unknown"}),
        (["1.5", "1.50", "01", "unknown"], {"1.5", "1.50", "01", "unknown"}),
        (["1000", "1e3", "012f"], {"1000", "1e3", "012f"}),
        (["1e3"], {"1e3"}),
        (["9007199254740992", "9007199254740993"], {"9007199254740992", "9007199254740993"}),
        (["1_0", "10"], {"1_0", "10"}),
    ],
)
def test_equal_numbers_are_one_class_and_identifiers_are_not(texts: list[str], classes: set[str]) -> None:
    assert set(merge_numbers(texts).values()) == classes


def test_a_merger_is_said_in_tables_and_arrays(tmp_path: Path) -> None:
    for more in ([], ["unknown"] * 5):
        labels = ["1.5", "1.50", "2", "2e0"] * 5 + more
        np.savez(tmp_path / "d.npz", x=DRAW.random((len(labels), 2)), y=np.array(labels))
        for dataset in (table(tmp_path / "t.csv", labels), load_npz(tmp_path / "d.npz")):
            assert dataset.class_names == ("1.5", "2", *more[:1])
            assert "1.50 is 1.5" in dataset.note
            assert np.bincount(dataset.everything.labels).tolist() == [10, 10, 5][: len(dataset.class_names)]


@pytest.mark.parametrize("start", [0, 1])
def test_a_column_that_counts_the_rows_is_warned_of(tmp_path: Path, start: int) -> None:
    rows = [f"{index + start},{DRAW.random()},{'ab'[index // 10]}" for index in range(20)]
    (tmp_path / "t.csv").write_text("id,x,kind\n" + "\n".join(rows))
    assert "left out: 'id' (counts the rows)" in load_csv(tmp_path / "t.csv").note
    (tmp_path / "t.csv").write_text("id,x,kind\n" + "\n".join([*rows, "3,3,b"]))
    assert "counts" not in load_csv(tmp_path / "t.csv").note
    counted = np.stack([DRAW.random(20), np.arange(20) + start], axis=1)
    np.savez(tmp_path / "d.npz", x=counted, y=np.arange(20) % 2, feature_names=np.array(["x", "row"]))
    dataset = load_npz(tmp_path / "d.npz")
    assert "column 'row' counts the rows" in dataset.note
    assert dataset.feature_names == ("x", "row")
    np.savez(tmp_path / "d.npz", x=counted * (1, -7), y=np.arange(20) % 2, feature_names=np.array(["x", "row"]))
    assert "column 'row' counts the rows" in load_npz(tmp_path / "d.npz").note


@pytest.mark.parametrize("step", [-1, 10])
def test_a_column_that_counts_in_steps_or_backwards_is_kept_only_at_the_users_wish(tmp_path: Path, step: int) -> None:
    """As the index of a table that was turned around or thinned out."""
    rows = [f"{1000 + step * index},{DRAW.random()},{'ab'[index // 10]}" for index in range(20)]
    (tmp_path / "t.csv").write_text("row,x,kind\n" + "\n".join(rows))
    assert load_csv(tmp_path / "t.csv").feature_names == ("x",)
    assert load_csv(tmp_path / "t.csv", keep=["row"]).feature_names == ("row", "x")


def test_classes_that_fill_a_range_in_steps_are_pointed_out(tmp_path: Path) -> None:
    """As masses that are rounded to 25: 2700, 2725, ..."""
    rows = [f"{DRAW.random()},{2700 + 25 * (index % 70 + (index % 70 > 3))}" for index in range(400)]
    (tmp_path / "t.csv").write_text("x,mass\n" + "\n".join(rows))
    note = load_csv(tmp_path / "t.csv").note
    assert "warning: 70 classes which are all whole numbers from 2700 to 4450 in steps of 25" in note


@pytest.mark.parametrize("names", [["a"], ["a", "b", "c"], ["a", "a"]])
def test_feature_names_are_one_for_each_input_and_differ(tmp_path: Path, names: list[str]) -> None:
    np.savez(tmp_path / "d.npz", x=DRAW.random((20, 2)), y=np.arange(20) % 2, feature_names=np.array(names))
    with pytest.raises(DataError, match=r"feature names|called 'a'"):
        load_npz(tmp_path / "d.npz")


def test_data_may_lack_classes_but_not_to_be_learned_from() -> None:
    """One class, a class in the test split only, an empty split: read, and refused where training begins."""
    part, none = (
        Split(np.zeros((4, 2), np.uint8), np.array([0, 0, 1, 1])),
        Split(np.zeros((0, 2), np.uint8), np.zeros(0, int)),
    )
    one = Split(part.inputs, np.zeros(4, int))
    for dataset, words in (
        (Dataset("d", one, one, one, ("a",)), "at least two"),
        (Dataset("d", one, one, part, ("a", "b")), "no training sample of class b"),
        (Dataset("d", part, part, none, ("a", "b")), "nothing would be left for test"),
    ):
        with pytest.raises(DataError, match=words):
            Evolution(tiny_config(), dataset)


def test_everything_has_each_sample_once() -> None:
    part = Split(np.arange(8, dtype=np.uint8).reshape(4, 2), np.array([0, 0, 1, 1]))
    assert len(Dataset("letters", part, part, part, ("a", "b")).everything) == 4
    split = stratified_split(
        np.arange(40).reshape(40, 1), np.arange(40) % 2, ("a", "b"), name="d", input_range=(0.0, 39.0)
    )
    assert sorted(split.everything.inputs[:, 0].tolist()) == list(range(40))


def test_a_square_of_very_many_classes_is_not_made() -> None:
    labels = np.repeat(np.arange(MOST_CLASSES + 1), 3)
    names = tuple(f"c{index}" for index in range(MOST_CLASSES + 1))
    part = Split(np.zeros((len(labels), 1), np.uint8), labels)
    with pytest.raises(DataError, match="no more than 4,096"):
        Dataset("d", part, part, part, names).check_trainable()
    with pytest.raises(DataError, match="no more than 4,096"):
        stratified_split(part.inputs, labels, names, name="d", input_range=(0.0, 255.0))
    with pytest.raises(DataError, match="4,096 at most"):
        Evaluation.of(labels, labels, 1 << 22)
