"""Tasks in sequence, for the study of continual learning: their images, outputs and batches.

    Split       ten classes as tasks of adjacent classes, in order
    Permuted    tasks of all classes, each with the pixels in another order, except the first
    replay      some samples of each class are kept, and are as frequent in a batch as a class of the current task

Shapes: n samples of I features.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset, Split
from genreg_np.experiments.training import backend, config_of, images
from genreg_np.model import Float32, mapped
from genreg_np.strategies.detector_bank import DetectorBank
from genreg_np.strategies.problem import HiddenLayers
from genreg_np.streams import Purpose, Stream

Samples = tuple[Float32, NDArray[np.int64]]  # features (n, I) and labels (n,)
TASKS, REPLAYED = 5, 20  # of Split; samples of each class that are kept
BANK = {"preset": "fast"}


@dataclass(frozen=True)
class Task:
    """One task; classes are numbers of outputs."""

    train: Samples
    held: Samples  # validation images, by which strengths are chosen
    test: Samples
    asked: NDArray[np.int64]  # the outputs that may be predicted
    order: NDArray[np.int64] | None = None  # of the features; None: unchanged

    def seen(self, features: Float32) -> Float32:
        """Return features (n, I) in the task's order."""
        return features if self.order is None else features[:, self.order]


@dataclass(frozen=True)
class Tasks:
    """All tasks of a scenario."""

    tasks: Sequence[Task]
    outputs: int
    groups: tuple[int, ...]  # the head of each output
    chance: float


@functools.lru_cache(maxsize=2)
def features_of(name: str, bank: int | None = None) -> tuple[Float32, Float32, Float32]:
    """Return the features of each split's images, (n, I): pixels, or those of a bank of filters of a seed."""
    data = images(name)
    splits = data.train, data.validation, data.test
    if bank is None:
        train, held, test = (mapped(split.inputs, data.input_range) for split in splits)
        return train, held, test
    first = data.train.labels < len(data.class_names) // TASKS
    seen = Dataset(
        data.name,
        Split(data.train.inputs[first], data.train.labels[first]),
        data.validation,
        data.test,
        data.class_names,
        data.input_range,
    )
    config = config_of(BANK | fitting(data), bank)
    problem = DetectorBank.problem(seen, HiddenLayers((), "relu"), config.options, Stream(bank), backend())
    train, held, test = (backend().features(problem.network, split.inputs, data.input_range) for split in splits)
    return train, held, test


def fitting(data: Dataset) -> dict[str, object]:
    """Return the changes to the bank's settings for images smaller than MNIST's."""
    return {} if min(data.input_shape) >= 20 else {"detector_size": 3, "window": 3, "stride": 2, "deskew": False}


def labels_of(data: Dataset) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return the labels of each split, (n,)."""
    return data.train.labels, data.validation.labels, data.test.labels


def split_tasks(data: Dataset, scenario: str, count: int, bank: int | None) -> Tasks:
    """Return a dataset split by classes into `count` tasks of adjacent classes."""
    features = features_of(data.name, bank)
    classes = len(data.class_names)
    each = classes // count
    tasks = []
    for number in range(count):
        own = np.arange(number * each, (number + 1) * each)
        parts = []
        for some, labels in zip(features, labels_of(data), strict=True):
            rows = np.flatnonzero(np.isin(labels, own))
            parts.append((some[rows], labels[rows] % each if scenario == "domain" else labels[rows]))
        asked = {"task": own, "domain": np.arange(each), "class": np.arange(classes)}[scenario]
        tasks.append(Task(parts[0], parts[1], parts[2], asked))
    outputs = each if scenario == "domain" else classes
    groups = tuple(output // each for output in range(outputs)) if scenario == "task" else (0,) * outputs
    return Tasks(tasks, outputs, groups, 1 / classes if scenario == "class" else 1 / each)


def permuted_tasks(data: Dataset, count: int, seed: int) -> Tasks:
    """Return a dataset as `count` tasks with pixels in different orders, the first unchanged."""
    train, held, test = zip(features_of(data.name), labels_of(data), strict=True)
    classes, stream = len(data.class_names), Stream(seed)
    tasks = []
    for number in range(count):
        order = stream.permutation(Purpose.SPLIT, 0, number, train[0].shape[1]) if number else None
        tasks.append(Task(train, held, test, np.arange(classes), order))
    return Tasks(tasks, classes, (0,) * classes, 1 / classes)


def drawn(tasks: Sequence[Task], stream: Stream, step: int, size: int, again: int = 0) -> Samples:
    """Draw samples, equally many of each task."""
    parts = []
    for number, task in enumerate(tasks):
        features, labels = task.train
        rows = stream.integers(Purpose.BATCH, step, number + again, -(-size // len(tasks)), len(labels))
        parts.append((task.seen(features[rows]), labels[rows]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def with_old(task: Task, kept: Sequence[Samples], stream: Stream, step: int, size: int) -> Samples:
    """Draw a batch of a task, with equally many samples of each of its classes and of each kept class."""
    if not kept:
        return drawn([task], stream, step, size)
    own = len(np.unique(task.train[1]))
    new = max(1, round(size * own / (own + len(kept))))
    features, labels = drawn([task], stream, step, new)
    which = stream.integers(Purpose.BATCH, step, 1, size - new, len(kept))
    rows = stream.integers(Purpose.BATCH, step, 2, size - new, min(len(labels) for _, labels in kept))
    old = [(kept[number][0][row], kept[number][1][row]) for number, row in zip(which, rows, strict=True)]
    return (np.concatenate([features, np.stack([sample for sample, _ in old])]),
            np.concatenate([labels, np.array([label for _, label in old])]))  # fmt: skip


def kept_of(task: Task, stream: Stream, number: int) -> list[Samples]:
    """Return REPLAYED samples of each class of a task, (k, I) and (k,)."""
    features, labels = task.train
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        some = rows[stream.permutation(Purpose.SPLIT, 1 + number, int(label), len(rows))[:REPLAYED]]
        found.append((task.seen(features[some]), labels[some]))
    return found
