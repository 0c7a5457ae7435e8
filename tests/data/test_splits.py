"""Stratified splits: disjoint, complete, the same every time, and a training sample for every class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreg_np.data.dataset import Split
from genreg_np.data.held_out import split_indices
from genreg_np.data.splits import complete_splits, stratified_split
from genreg_np.errors import DataError


@settings(max_examples=80, deadline=None)
@given(labels=st.lists(st.integers(0, 6), min_size=1, max_size=200), parts=st.integers(1, 2))
def test_parts_are_disjoint_complete_and_leave_each_class_something_to_train_on(labels: list[int], parts: int) -> None:
    classes = np.array(labels, np.int64)
    chosen = split_indices(classes, parts)
    assert len(chosen) == 1 + parts
    assert sorted(np.concatenate(chosen).tolist()) == list(range(len(labels)))
    for label in set(labels):
        counts = [int((classes[part] == label).sum()) for part in chosen]
        assert counts[0] >= 1
        if sum(counts) > parts:
            assert all(counts)
        for count in counts[1:]:
            assert abs(count - 0.15 * sum(counts)) <= 1.0


def test_a_hundred_of_each_class_are_70_15_15() -> None:
    labels = np.repeat(np.arange(3), 100)
    train, validation, test = split_indices(labels, 2)
    for part, size in ((train, 70), (validation, 15), (test, 15)):
        assert np.bincount(labels[part]).tolist() == [size] * 3


def test_the_split_is_the_same_every_time_and_other_classes_do_not_disturb_it() -> None:
    labels = np.repeat(np.arange(3), 20)
    alone = [part[labels[part] == 0].tolist() for part in split_indices(labels, 2)]
    with_more = np.concatenate([labels, np.full(50, 1)])
    again = [part[with_more[part] == 0].tolist() for part in split_indices(with_more, 2)]
    assert alone == again


def test_the_samples_of_a_class_are_found_without_a_search_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every comparison of all labels with one class would be a step of N for each of K classes."""
    compared = 0

    class Counting(np.ndarray):
        def __eq__(self, other: object) -> object:
            nonlocal compared
            compared += 1
            return super().__eq__(other)

    labels = np.arange(300).view(Counting) % 100
    assert [len(part) for part in split_indices(labels, 2)] == [100, 100, 100]
    assert compared <= 2


def test_classes_come_mixed() -> None:
    labels = np.repeat(np.arange(2), 100)
    train = split_indices(labels, 2)[0]
    assert 20 < labels[train][:70].sum() < 50


def test_a_dataset_says_how_it_was_split() -> None:
    labels = np.repeat(np.arange(2), 20)
    dataset = stratified_split(np.zeros((40, 3), np.float32), labels, ("a", "b"), name="x", input_range=None, note="n")
    assert dataset.note == "n; split by class: 28 train, 6 validation, 6 test"


def test_given_splits_are_left_alone_and_a_missing_one_is_held_out() -> None:
    train = Split(np.arange(40, dtype=np.uint8).reshape(40, 1), np.arange(40) % 2)
    test = Split(np.full((3, 1), 99, np.uint8), np.array([0, 1, 1]))
    dataset = complete_splits(train, None, test, ("a", "b"), name="x", input_range=(0.0, 255.0))
    assert dataset.test is test
    assert sorted(np.concatenate([dataset.train.inputs, dataset.validation.inputs])[:, 0].tolist()) == list(range(40))
    assert dataset.note == "validation split held out of train by class: 34 train, 6 validation, 3 test"
    whole = complete_splits(train, test, test, ("a", "b"), name="x", input_range=(0.0, 255.0))
    assert whole.train is train
    assert whole.note == ""


def test_too_few_samples_for_three_splits_cannot_be_trained_on() -> None:
    with pytest.raises(DataError, match="nothing would be left for test"):
        stratified_split(
            np.zeros((4, 1), np.uint8), np.array([0, 0, 1, 1]), ("a", "b"), name="x", input_range=None
        ).check_trainable()
