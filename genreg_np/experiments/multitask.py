"""Multitask: digits and letters in one network, with two heads on the same hidden units; does this help or hinder?

    shared      one hidden layer of 64 units, ten outputs for digits, twenty-six for letters
    halves      two networks of 32 units, one per task: the same number of hidden units in total
    single      one network of 64 units for one task alone

    interference        accuracy of a task in the shared network minus that in the single one

Letters are 28x28, drawn in several sizes, rotations and places (typeset.py). Batches have as many digits as letters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.learning import LEARNERS, Learner
from genreg_np.experiments.summary import mean_text, percent, points
from genreg_np.experiments.training import backend, images
from genreg_np.experiments.typeset import small_letters
from genreg_np.model import Float32, Network, mapped
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.streams import Purpose, Stream

TASKS = ("digits", "letters")
HIDDEN, BATCH = 64, 250
STEPS = {"SGD": 4000, "node perturbation": 3000, "selection": 800}
BATCHES = {"selection": 600}
KINDS = {"shared": (TASKS, HIDDEN), "single": (None, HIDDEN), "halves": (None, HIDDEN // 2)}
LEVEL, LOOKS = 0.5, 40
VIEWS = {"full": 300, "quick": 40, "toy": 8}


class Multitask(Study):
    """The study `multitask`."""

    name = "multitask"
    question = "Digits and letters in one network: do two tasks help or hinder each other?"
    about = """
One hidden layer of 64 units with a head for digits and a head for letters, compared with single networks of 64 units
and two halves of 32, by three methods; all networks of a method are trained on the same number of samples of a task.
Letters are drawn at 28x28, in many sizes, rotations and places. Test accuracy in per cent, of the network at the end of
a run.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each kind of network with each method."""
        found = []
        for method in LEARNERS:
            common = {"dataset": size.data, "method": method, "steps": size.generations(STEPS[method]),
                      "views": VIEWS[size.name]}  # fmt: skip
            for kind, (tasks, hidden) in KINDS.items():
                for own in (tasks,) if tasks else [(task,) for task in TASKS]:
                    name = f"{method}, {kind}" + ("" if tasks else f", {own[0]}")
                    found.append(Case(name, common | {"tasks": list(own), "hidden": hidden}))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one network on one task or both."""
        tasks, method = settings["tasks"], settings["method"]
        data = samples(settings["dataset"], settings["views"])
        groups: list[int] = []
        firsts, names = {}, 0
        for number, task in enumerate(tasks):
            firsts[task] = names
            names += data[task].classes
            groups += [number] * data[task].classes
        width = data["digits"].splits["train"][0].shape[1]
        network = Network.build((width,), (settings["hidden"],), names, "relu")
        learner = LEARNERS[method](network, backend(), seed, settings["steps"], tuple(groups))
        stream, size = Stream(seed), BATCHES.get(method, BATCH)
        looks = {round(settings["steps"] * (look + 1) / LOOKS) for look in range(LOOKS)}
        curve: list[list[float]] = []
        for step in range(settings["steps"]):
            parts = []
            for number, task in enumerate(tasks):
                features, labels = data[task].splits["train"]
                rows = stream.integers(Purpose.BATCH, step, number, size, len(labels))
                parts.append((features[rows], labels[rows] + firsts[task]))
            learner.learn(*(np.concatenate(part) for part in zip(*parts, strict=True)))
            if step + 1 in looks:
                curve.append([step + 1, *(_right(learner, data[task], firsts[task], "validation")
                                          for task in tasks)])  # fmt: skip
        return {
            **{task: _right(learner, data[task], firsts[task], "test") for task in tasks},
            "curve": curve, "tasks": list(tasks), "parameters": network.gene_count,
        }  # fmt: skip

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield accuracies, and interference."""
        rows = []
        for method in LEARNERS:
            for task in TASKS:
                own = {kind: _numbers(results, method, kind, task) for kind in KINDS}
                if all(own.values()):
                    rows.append([method, task, *(percent(own[kind]) for kind in KINDS),
                                 _interference(results, method, task)])  # fmt: skip
        head = ["", "task", "shared, 64 units", "single, 64 units", "halves, 32 units", "interference, points"]
        yield Shown("Accuracy", "Interference is the shared network's accuracy minus a single network's.",
                    (Table(head, rows),))  # fmt: skip
        rows = [[method, *(mean_text(_half_way(results, method, task), 100, 0) for task in TASKS)]
                for method in LEARNERS if results.measured(f"{method}, shared")]  # fmt: skip
        words = (
            "Per cent of a shared run until the task's validation accuracy first reaches half of its final value; "
            "measured forty times, so 2.5 is the minimum."
        )
        yield Shown("Which is learned first", words, (*_picture(results), Table(["", *TASKS], rows)))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield the cost of sharing."""
        told = []
        for method in LEARNERS:
            gaps = {task: (_interference(results, method, task), _interference(results, method, task, "halves"))
                    for task in TASKS}  # fmt: skip
            if not any("-" in pair for pair in gaps.values()):
                each = " and ".join(f"{task} {single} ({halves})" for task, (single, halves) in gaps.items())
                told.append(f"{method} {each}")
        if told:
            yield Answer(
                "000", "Multi-task learning: MNIST and the alphabet at once",
                "difference in points of a shared network from single ones with as many units, and in brackets from "
                f"two halves with as many in total: {'; '.join(told)}.",
            )  # fmt: skip


@dataclass(frozen=True)
class Samples:
    """The data of a task: features (n, I) and labels (n,) of each split."""

    classes: int
    splits: dict[str, tuple[Float32, NDArray[np.int64]]]


def samples(name: str, views: int) -> dict[str, Samples]:
    """Return both tasks: the images of a dataset, and letters of the same size."""
    data = images(name)
    side = data.input_shape[0]
    letters = small_letters(side, views)
    found = {}
    for task, own in (("digits", data), ("letters", letters)):
        splits = {split: own.split(split) for split in ("train", "validation", "test")}
        found[task] = Samples(len(own.class_names), {
            name: (mapped(split.inputs, own.input_range), split.labels) for name, split in splits.items()
        })  # fmt: skip
    return found


def _right(learner: Learner, own: Samples, first: int, split: str) -> float:
    """Return a task's accuracy with its own head."""
    features, labels = own.splits[split]
    answers = learner.logits(features)[:, first : first + own.classes].argmax(axis=1)
    return round(float((answers == labels).mean()), 5)


def _interference(results: Results, method: str, task: str, other: str = "single") -> str:
    """Return by how many points a task's accuracy is higher in the shared network than in a single or half one."""
    pairs = results.both(f"{method}, shared", f"{method}, {other}, {task}")
    return points([shared[task] - own[task] for shared, own in pairs])


def _numbers(results: Results, method: str, kind: str, task: str) -> list[float]:
    name = f"{method}, {kind}" + ("" if kind == "shared" else f", {task}")
    return results.numbers(name, task)


def _picture(results: Results) -> Iterator[Picture]:
    """Yield a picture of both tasks' validation accuracy in the course of shared runs."""
    named: dict[str, plots.Line] = {}
    for method in LEARNERS:
        runs = results.of(f"{method}, shared")
        for place, task in enumerate(runs[0]["tasks"] if runs else (), 1):
            looks = list(zip(*(run["curve"] for run in runs), strict=True))
            last = looks[-1][0][0]
            places = [100 * look[0][0] / last for look in looks]
            named[f"{method}, {task}"] = (places, [[one[place] for one in look] for look in looks])
    if named:
        png = plots.lines(named, "% of the run", "validation accuracy, %", scale=100)
        says = "Validation accuracy on digits and letters over shared runs, one line per method and task."
        yield Picture("course", png, says, "One network with two heads; bands are 95 % intervals over seeds.")


def _half_way(results: Results, method: str, task: str) -> list[float]:
    found = []
    for run in results.of(f"{method}, shared"):
        place = 1 + run["tasks"].index(task)
        last = run["curve"][-1]
        found.append(next(look[0] for look in run["curve"] if look[place] >= LEVEL * last[place]) / last[0])
    return found
