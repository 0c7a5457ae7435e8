"""Continual learning: how much of the first task is retained after the last one?

    Split       ten classes as five tasks of two, in order; Permuted: ten tasks of all classes, each with the pixels in
                another order, except the first
    task        the task is known at test time: one head per task (van de Ven's Task-IL)
    domain      the task is unknown, and all share the outputs: which of its two classes, or which digit (Domain-IL)
    class       the task is unknown, and each class has an output (Class-IL)

    R[i, j]     accuracy on task j after task i was learned, T tasks
    accuracy    mean of R[T, j];      forgetting    mean over j < T of the largest R[i, j] less R[T, j]
    backward    mean over j < T of R[T, j] - R[j, j];      forward    mean over j > 1 of R[j - 1, j] less chance

"none" trains on one task after the other; "joint" on all at once, for the same total number of steps; "replay" keeps
some samples of each class seen, with equally many of each class in a batch; an anchor pulls weights back to those at
the end of the last task; "both" is replay and an anchor; learning.py has the other ways. The bank is 24 random filters
(preset `fast`), scaled by the first task's images alone, with one layer of outputs.

Sources: van de Ven, Tuytelaars & Tolias 2022, "Three types of incremental learning"; Lopez-Paz & Ranzato 2017,
"Gradient episodic memory" (R, backward and forward transfer); Chaudhry et al. 2018 (forgetting); Kirkpatrick et al.
2017 (EWC).
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset, Split
from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.learning import LEARNERS, ByNodes, Learner
from genreg_np.experiments.summary import percent
from genreg_np.experiments.training import backend, config_of, images
from genreg_np.model import Float32, Network, mapped
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.strategies.detector_bank import DetectorBank
from genreg_np.strategies.problem import HiddenLayers
from genreg_np.streams import Purpose, Stream

SCENARIOS = ("task", "domain", "class")
PICTURED = "split class"
HIDDEN, REPLAYED = 100, 20
TASKS, PERMUTED = 5, 10
STEPS = {"SGD": 400, "node perturbation": 300, "selection": 150, "bank": 300}  # per task
BATCH = {"SGD": 128, "node perturbation": 250, "selection": 400, "bank": 250}
WAYS = ("none", "joint", "replay", "both")  # in addition to those of a learner
CAPTIONS = {"none": "nothing", "joint": "all at once", "replay": f"replay, {REPLAYED} a class",
            "both": "replay and an anchor", "anchored": "an anchor", "ewc": "EWC", "sparse": "sparse mutation",
            "elites": "elites by task"}  # fmt: skip
BANK = {"preset": "fast"}
MEASURES = ("accuracy", "forgetting", "backward", "forward")


class Continual(Study):
    """The study `continual`."""

    name = "continual"
    question = "One task after the other: how much is forgotten, and what helps?"
    about = """
Split-MNIST, five tasks of two digits each, in three scenarios: the task is known (task), unknown with the same two
outputs (domain), or unknown with ten outputs (class); and Permuted-MNIST, ten tasks. A network of 100 hidden units is
trained by gradient descent, node perturbation and selection. *Nothing* is one task after the other, *all at once* is
training without separate tasks. Numbers are per cent of test images over all tasks, after the last one. The strengths
of EWC and of an anchor were chosen once, not tuned per scenario; SGD has momentum, and steps that fall over a task.
With ten outputs, forward transfer has no meaning: a class not seen yet is never predicted. Each learner has its own
budget: 400 steps per task, 300 steps, and 150 generations. *Bank* is 24 random filters, drawn anew for each seed and
scaled by the first task's images, with one layer of outputs trained by node perturbation.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each way against forgetting, for each learner, in each scenario."""
        found = []
        for scenario in size.pick(SCENARIOS, SCENARIOS, SCENARIOS[-1:]):
            for method, learner in LEARNERS.items():
                for way in (*WAYS, *learner.holds):
                    found.append(self._case(size, f"split {scenario}", method, way))
        for way in WAYS:
            found.append(self._case(size, "split class", "bank", way))
        for method in LEARNERS:
            ways = (*WAYS[:3], *(("ewc",) if method == "SGD" else ()))
            found += [self._case(size, "permuted domain", method, way) for way in ways]
        return found

    def _case(self, size: Size, scenario: str, method: str, way: str) -> Case:
        tasks = TASKS if scenario.startswith("split") else size.pick([PERMUTED], [3])[0]
        steps = max(3, size.generations(STEPS[method])) if size.name != "quick" else STEPS[method] // 4
        settings = {"dataset": size.data, "scenario": scenario, "method": method, "way": way, "tasks": tasks,
                    "steps": steps, "batch": BATCH[method]}  # fmt: skip
        return Case(f"{scenario}, {method}, {way}", settings)

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train on all tasks, and test them after each."""
        kind, scenario = settings["scenario"].split()
        data = images(settings["dataset"])
        if kind == "permuted":
            given = permuted_tasks(data, settings["tasks"], seed)
        else:
            given = split_tasks(data, scenario, settings["tasks"], seed if settings["method"] == "bank" else None)
        return taught(settings, given, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield a table for each scenario."""
        for scenario in (*(f"split {name}" for name in SCENARIOS), "permuted domain"):
            rows = []
            for method in (*LEARNERS, "bank"):
                for way, words in CAPTIONS.items():
                    name = f"{scenario}, {method}, {way}"
                    if results.measured(name):
                        parts = [results.numbers(name, part) for part in MEASURES]
                        shown = [percent(part) for part in parts] if way != "joint" else [percent(parts[0]), *"---"]
                        shown[3] = "-" if scenario == "split class" else shown[3]
                        rows.append([method, words, *shown])
            if rows:
                head = ["learner", "against forgetting", *MEASURES]
                pictures = _picture(results) if scenario == PICTURED else ()
                yield Shown(scenario.capitalize(), "", (*pictures, Table(head, rows)))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield how much each learner forgets, and what helps."""
        wanted = [f"split class, {method}, none" for method in LEARNERS]
        if not results.measured(*wanted):
            return
        forgets = ", ".join(f"{method} {_percent(results, method, 'none')} %" for method in LEARNERS)
        helps = []
        for method, learner in LEARNERS.items():
            ways = [way for way in ("replay", "both", *learner.holds) if _percent(results, method, way) != "-"]
            told = ", ".join(f"{CAPTIONS[way]} {_percent(results, method, way)} %" for way in ways)
            helps.append(f"{method}: {told}")
        yield Answer(
            "000", "Continual learning (catastrophic forgetting resistance?)",
            f"after five tasks of two digits, one after the other, with ten outputs, accuracy is {forgets}; knowing "
            f"only the last task would give 20 %. With something against forgetting: {'; '.join(helps)}.",
        )  # fmt: skip
        permuted = {
            method: [results.numbers(f"permuted domain, {method}, none", part) for part in ("accuracy", "forgetting")]
            + [results.numbers(f"permuted domain, {method}, joint", "accuracy")]
            for method in LEARNERS
        }
        if all(all(parts) for parts in permuted.values()):
            told = "; ".join(
                f"{method} has {percent(known)} % and forgets {percent(lost)} points (all at once {percent(most)} %)"
                for method, (known, lost, most) in permuted.items()
            )
            yield Answer(
                "000", "Continual learning, where all tasks share their outputs",
                f"after ten tasks of permuted pixels, one after the other: {told}. A learner that learned less has "
                "less to forget.", added=True,
            )  # fmt: skip
        if _percent(results, "bank", "both") != "-":
            yield Answer(
                "000", "Continual learning, without gradients",
                "with five tasks and ten outputs, random filters that never change, one layer of outputs trained by "
                f"node perturbation, {REPLAYED} images of each class kept, and weights pulled to those at the end of "
                f"the last task reach {_percent(results, 'bank', 'both')} "
                f"% (all at once {_percent(results, 'bank', 'joint')} %). What the filters and what the method "
                "contribute was not separated.", added=True,
            )  # fmt: skip


def _picture(results: Results) -> Iterator[Picture]:
    """Yield a picture of the accuracy on the tasks so far, after each of them."""
    named: dict[str, plots.Line] = {}
    for method, way in itertools.product((*LEARNERS, "bank"), ("none", "both")):
        runs = [np.array(run["left"]) for run in results.of(f"{PICTURED}, {method}, {way}")]
        if runs:
            known = range(1, len(runs[0]) + 1)
            named[f"{method}, {way}"] = (known, [[run[count - 1, :count].mean() for run in runs] for count in known])
    if named:
        png = plots.lines(named, "tasks learned", "accuracy on them, %", scale=100)
        says = "Accuracy on the tasks learned so far, after each task, without and with replay and an anchor."
        told = f"Split-MNIST with ten outputs; both: {CAPTIONS['both']}. Bands are 95 % intervals over seeds."
        yield Picture("course", png, says, told)


def _percent(results: Results, method: str, way: str) -> str:
    """Return the final accuracy on Split-MNIST in the class scenario."""
    return percent(results.numbers(f"split class, {method}, {way}", "accuracy"))


@dataclass(frozen=True)
class Task:
    """One task; classes are numbers of outputs."""

    train: tuple[Float32, NDArray[np.int64]]
    test: tuple[Float32, NDArray[np.int64]]
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
def features_of(name: str, bank: int | None = None) -> tuple[Float32, Float32]:
    """Return the features of training and test images, (n, I): pixels, or those of a bank of filters of a seed."""
    data = images(name)
    if bank is None:
        return mapped(data.train.inputs, data.input_range), mapped(data.test.inputs, data.input_range)
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
    network = problem.network
    return (backend().features(network, data.train.inputs, data.input_range),
            backend().features(network, data.test.inputs, data.input_range))  # fmt: skip


def fitting(data: Dataset) -> dict[str, object]:
    """Return the changes to the bank's settings for images smaller than MNIST's."""
    return {} if min(data.input_shape) >= 20 else {"detector_size": 3, "window": 3, "stride": 2, "deskew": False}


def split_tasks(data: Dataset, scenario: str, count: int, bank: int | None) -> Tasks:
    """Return a dataset split by classes into `count` tasks of adjacent classes."""
    train, test = features_of(data.name, bank)
    classes = len(data.class_names)
    each = classes // count
    tasks = []
    for number in range(count):
        own = np.arange(number * each, (number + 1) * each)
        parts = []
        for features, labels in ((train, data.train.labels), (test, data.test.labels)):
            rows = np.flatnonzero(np.isin(labels, own))
            parts.append((features[rows], labels[rows] % each if scenario == "domain" else labels[rows]))
        asked = {"task": own, "domain": np.arange(each), "class": np.arange(classes)}[scenario]
        tasks.append(Task(parts[0], parts[1], asked))
    outputs = each if scenario == "domain" else classes
    groups = tuple(output // each for output in range(outputs)) if scenario == "task" else (0,) * outputs
    return Tasks(tasks, outputs, groups, 1 / classes if scenario == "class" else 1 / each)


def permuted_tasks(data: Dataset, count: int, seed: int) -> Tasks:
    """Return a dataset as `count` tasks with pixels in different orders, the first unchanged."""
    train, test = features_of(data.name)
    classes, stream = len(data.class_names), Stream(seed)
    tasks = []
    for number in range(count):
        order = stream.permutation(Purpose.SPLIT, 0, number, train.shape[1]) if number else None
        both = (train, data.train.labels), (test, data.test.labels)
        tasks.append(Task(*both, np.arange(classes), order))
    return Tasks(tasks, classes, (0,) * classes, 1 / classes)


def taught(settings: Settings, given: Tasks, seed: int) -> Values:
    """Train on all tasks one after the other, or at once; return the accuracy on each and its measures."""
    method, way, steps, size = (settings[name] for name in ("method", "way", "steps", "batch"))
    kind: type[Learner] = ByNodes if method == "bank" else LEARNERS[method]
    hidden = () if method == "bank" else (HIDDEN,)
    width, count = given.tasks[0].train[0].shape[1], len(given.tasks)
    network = Network.build((width,), hidden, given.outputs, "relu")
    total = steps * count if way == "joint" else steps
    hold = "anchored" if way == "both" else way if way in kind.holds else ""
    learner = kind(network, backend(), seed, total, given.groups, hold)
    stream, left = Stream(seed), []
    if way == "joint":
        for step in range(total):
            learner.learn(*_drawn(given.tasks, stream, step, size))
        left = [[_right(learner, task) for task in given.tasks]]
    else:
        kept: list[tuple[Float32, NDArray[np.int64]]] = []
        for number, task in enumerate(given.tasks):
            for step in range(steps):
                learner.learn(*_with_old(task, kept, stream, number * steps + step, size))
            left.append([_right(learner, other) for other in given.tasks])
            learner.remember(*_drawn([task], stream, (number + 1) * steps, size * 4, again=1))
            learner.switch()
            if way in ("replay", "both"):
                kept += _kept(task, stream, number)
    return {"left": left} | measures(np.array(left), given.chance)


def measures(left: NDArray[np.float64], chance: float) -> Values:
    """Return the measures of R (T, T); for a single row, from learning all at once, the accuracy alone."""
    last, tasks = left[-1], left.shape[1]
    found: Values = {"accuracy": round(float(last.mean()), 5)}
    if len(left) == tasks and tasks > 1:
        best = np.array([left[task:, task].max() for task in range(tasks - 1)])
        found["forgetting"] = round(float((best - last[:-1]).mean()), 5)
        found["backward"] = round(float((last - np.diag(left))[:-1].mean()), 5)
        found["forward"] = round(float(np.mean([left[task - 1, task] for task in range(1, tasks)]) - chance), 5)
    return found


def _right(learner: Learner, task: Task) -> float:
    """Return a task's accuracy by the outputs that may be predicted."""
    features, labels = task.test
    answers = task.asked[learner.logits(task.seen(features))[:, task.asked].argmax(axis=1)]
    return round(float((answers == labels).mean()), 5)


def _drawn(
    tasks: Sequence[Task], stream: Stream, step: int, size: int, again: int = 0
) -> tuple[Float32, NDArray[np.int64]]:
    """Draw samples, equally many of each task."""
    parts = []
    for number, task in enumerate(tasks):
        features, labels = task.train
        rows = stream.integers(Purpose.BATCH, step, number + again, -(-size // len(tasks)), len(labels))
        parts.append((task.seen(features[rows]), labels[rows]))
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])


def _with_old(
    task: Task, kept: Sequence[tuple[Float32, NDArray[np.int64]]], stream: Stream, step: int, size: int
) -> tuple[Float32, NDArray[np.int64]]:
    """Draw a batch of a task, with equally many samples of each of its classes and of each kept class."""
    if not kept:
        return _drawn([task], stream, step, size)
    own = len(np.unique(task.train[1]))
    new = max(1, round(size * own / (own + len(kept))))
    features, labels = _drawn([task], stream, step, new)
    which = stream.integers(Purpose.BATCH, step, 1, size - new, len(kept))
    rows = stream.integers(Purpose.BATCH, step, 2, size - new, min(len(labels) for _, labels in kept))
    old = [(kept[number][0][row], kept[number][1][row]) for number, row in zip(which, rows, strict=True)]
    return (np.concatenate([features, np.stack([sample for sample, _ in old])]),
            np.concatenate([labels, np.array([label for _, label in old])]))  # fmt: skip


def _kept(task: Task, stream: Stream, number: int) -> list[tuple[Float32, NDArray[np.int64]]]:
    """Return REPLAYED samples of each class of a task, (k, I) and (k,)."""
    features, labels = task.train
    found = []
    for label in np.unique(labels):
        rows = np.flatnonzero(labels == label)
        some = rows[stream.permutation(Purpose.SPLIT, 1 + number, int(label), len(rows))[:REPLAYED]]
        found.append((task.seen(features[some]), labels[some]))
    return found
