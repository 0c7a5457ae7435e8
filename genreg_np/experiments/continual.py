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
the end of the last task; "both" is replay and an anchor; learning.py has the other ways. For EWC the strength is chosen
for each scenario and seed by validation images of all tasks, after the last one. The bank is 24 random filters (preset
`fast`), scaled by the first task's images alone, with one layer of outputs.

Sources: van de Ven, Tuytelaars & Tolias 2022, "Three types of incremental learning"; Lopez-Paz & Ranzato 2017,
"Gradient episodic memory" (R, backward and forward transfer); Chaudhry et al. 2018 (forgetting); Kirkpatrick et al.
2017 (EWC).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.learning import LEARNERS, ByGradient, ByNodes, Learner
from genreg_np.experiments.sequences import (
    REPLAYED,
    TASKS,
    Task,
    Tasks,
    drawn,
    kept_of,
    permuted_tasks,
    split_tasks,
    with_old,
)
from genreg_np.experiments.sequences import Samples as Kept
from genreg_np.experiments.summary import listed, percent
from genreg_np.experiments.training import backend, images
from genreg_np.model import Network
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.streams import Stream

SCENARIOS = ("task", "domain", "class")
PICTURED, PERMUTED_CASES = "split class", "permuted domain"
HIDDEN, PERMUTED = 100, 10  # units; tasks of Permuted-MNIST
STRENGTHS = (3, 30, 300, 3000, 30_000)  # of EWC, to choose from
AIMED = 0.95  # accuracy that the bank was to reach with replay
STEPS = {"SGD": 400, "node perturbation": 300, "selection": 150, "bank": 300}  # per task
BATCH = {"SGD": 128, "node perturbation": 250, "selection": 400, "bank": 250}
WAYS = ("none", "joint", "replay", "both")  # in addition to those of a learner
CHOSEN = "ewc chosen"  # of SGD: EWC with the best of several strengths
CAPTIONS = {"none": "nothing", "joint": "all at once", "replay": f"replay, {REPLAYED} a class",
            "both": "replay and an anchor", "anchored": "an anchor",
            "ewc chosen": "EWC", "sparse": "sparse mutation", "elites": "elites by task"}  # fmt: skip
MEASURES = ("accuracy", "forgetting", "backward", "forward")


class Continual(Study):
    """The study `continual`."""

    name = "continual"
    question = "One task after the other: how much is forgotten, and what helps?"
    about = """
Split-MNIST, five tasks of two digits each, in three scenarios: the task is known (task), unknown with the same two
outputs (domain), or unknown with ten outputs (class); and Permuted-MNIST, ten tasks. A network of 100 hidden units is
trained by gradient descent, node perturbation and selection. Each learner has its own budget: 400 steps per task, 300
steps, and 150 generations. Numbers are per cent of test images, and are those of the network at the end.

*Accuracy* is over all tasks, after the last one. *Forgetting* is how much lower a task's accuracy is then than at its
best, *backward* how much higher it is than right after the task was learned (below 0: lower), *forward* how much higher
than chance it is right before the task is learned, all as means over tasks. With ten outputs, forward transfer has no
meaning: a class not seen yet is never predicted.

*Nothing* is one task after the other, *all at once* is training without separate tasks, *replay* keeps 20 images of
each class. *An anchor* pulls all weights a hundredth of the way back to those at the end of the last task in each step;
this strength was chosen once, not tuned per scenario. *EWC*, elastic weight consolidation, pulls each weight back by
its importance for earlier tasks (Kirkpatrick et al. 2017), with a strength chosen for each scenario and seed by
validation images of all tasks, after the last one. *Sparse mutation* mutates a tenth as many weights once the first
task is learned. *Elites by task* have the champion of each earlier task scored again in every generation, beside the
children. *Bank* is 24 random filters, drawn anew for each seed and scaled by the first task's images, with one layer of
outputs trained by node perturbation.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each way against forgetting, for each learner, in each scenario."""
        found = []
        for scenario in size.pick(SCENARIOS, SCENARIOS, SCENARIOS[-1:]):
            for method, learner in LEARNERS.items():
                for way in (*WAYS, *ways_of(learner)):
                    found.append(self._case(size, f"split {scenario}", method, way))
        for way in WAYS:
            found.append(self._case(size, "split class", "bank", way))
        for method, learner in LEARNERS.items():
            found += [self._case(size, "permuted domain", method, way) for way in (*WAYS[:3], *ways_of(learner))]
        return found

    def _case(self, size: Size, scenario: str, method: str, way: str) -> Case:
        tasks = TASKS if scenario.startswith("split") else size.pick([PERMUTED], [3])[0]
        steps = max(3, size.generations(STEPS[method])) if size.name != "quick" else STEPS[method] // 6
        settings = {"dataset": size.data, "scenario": scenario, "method": method, "way": way, "tasks": tasks,
                    "steps": steps, "batch": BATCH[method]}  # fmt: skip
        if way == CHOSEN:
            settings |= {"way": "ewc", "strengths": list(size.pick(STRENGTHS, STRENGTHS[1:4:2]))}
        more = 2 if method == "bank" and size.name == "full" else 0
        return Case(f"{scenario}, {method}, {way}", settings, more)

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train on all tasks, and test them after each."""
        kind, scenario = settings["scenario"].split()
        data = images(settings["dataset"])
        if kind == "permuted":
            given = permuted_tasks(data, settings["tasks"], seed)
        else:
            given = split_tasks(data, scenario, settings["tasks"], seed if settings["method"] == "bank" else None)
        return chosen(settings, given, seed) if "strengths" in settings else taught(settings, given, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield a table for each scenario."""
        for scenario in (*(f"split {name}" for name in SCENARIOS), PERMUTED_CASES):
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
                words = _left_out(results) if scenario == PERMUTED_CASES else ""
                yield Shown(scenario.capitalize(), words, (*pictures, Table(head, rows)))
        if results.measured(*(f"{scenario}, SGD, {CHOSEN}" for scenario in ("split class", PERMUTED_CASES))):
            yield Shown("Beside published figures", _beside(results))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield how much each learner forgets, and what helps."""
        wanted = [f"split class, {method}, none" for method in LEARNERS]
        if not results.measured(*wanted):
            return
        forgets = ", ".join(f"{method} {_percent(results, method, 'none')} %" for method in LEARNERS)
        helps = []
        for method, learner in LEARNERS.items():
            ways = [way for way in ("replay", "both", *ways_of(learner)) if _percent(results, method, way) != "-"]
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
                f"less to forget.{_held(results)}", added=True,
            )  # fmt: skip
        if _percent(results, "bank", "both") != "-":
            yield Answer(
                "000", "Continual learning, without gradients",
                "with five tasks and ten outputs, random filters that never change and one layer of outputs trained by "
                f"node perturbation reach {_percent(results, 'bank', 'replay')} % with {REPLAYED} images of each class "
                f"kept{_against(results, 'replay')}, {_percent(results, 'bank', 'both')} % if weights are also pulled "
                f"to those at the end of the last task{_against(results, 'both')}, and "
                f"{_percent(results, 'bank', 'joint')} % all at once. What the filters and what the method contribute "
                "was not separated.", added=True,
            )  # fmt: skip


def ways_of(learner: type[Learner]) -> tuple[str, ...]:
    """Return a learner's own ways against forgetting, as cases are named: EWC with its strength chosen."""
    return tuple(CHOSEN if hold == "ewc" else hold for hold in learner.holds)


def _held(results: Results) -> str:
    """Return what each learner's own ways against forgetting, and replay, reach on Permuted-MNIST, as a sentence."""
    told = []
    for method, learner in LEARNERS.items():
        ways = {CAPTIONS[way]: results.numbers(f"{PERMUTED_CASES}, {method}, {way}", "accuracy")
                for way in ("replay", *ways_of(learner))}  # fmt: skip
        each = ", ".join(f"{words} {percent(found)} %" for words, found in ways.items() if found)
        told += [f"{method}: {each}"] if each else []
    return f" With something against forgetting: {'; '.join(told)}." if told else ""


def _against(results: Results, way: str) -> str:
    """Return whether the bank reaches the aim, as part of a sentence."""
    found = results.numbers(f"split class, bank, {way}", "accuracy")
    if not found:
        return ""
    reached = "reached" if np.mean(found) >= AIMED else "missed"
    each = f", by seed {100 * min(found):.1f} to {100 * max(found):.1f} %" if len(found) > 1 else ""
    return f" (the aim, {100 * AIMED:.0f} %, is {reached} on average{each})"


def _left_out(results: Results) -> str:
    """Return which ways were not measured on Permuted-MNIST, as a sentence."""
    known = {name.split(", ")[2] for name in results.names(PERMUTED_CASES)}
    missing = [words for way, words in CAPTIONS.items()
               if way not in known and any(name.endswith(f", {way}") for name in results.names("split"))]  # fmt: skip
    return f"Not run in this scenario: {listed(missing)}." if missing else ""


def _beside(results: Results) -> str:
    """Return what differs from published protocols, and whether EWC's strength is the reason."""
    split, permuted = (percent(results.numbers(f"{scenario}, SGD, {CHOSEN}", "accuracy"))
                       for scenario in ("split class", PERMUTED_CASES))  # fmt: skip
    firsts = [np.diag(run["left"]) for run in results.of(f"{PERMUTED_CASES}, SGD, {CHOSEN}")]
    begun, ended = (100 * float(np.mean([first[place] for first in firsts])) for place in (0, -1))
    told = [
        "Rows here cannot be held against published ones number by number. Van de Ven & Tolias 2019, \"Three scenarios "
        "for continual learning\" (arXiv 1904.07734), the source of these scenarios, also has rows for nothing and for "
        "all at once; its repository trains two hidden layers of 400 units with Adam, by default for 2,000 steps a "
        f"task, where here one layer of {HIDDEN} units has {STEPS['SGD']} steps of SGD with momentum, which become "
        "smaller over a task.",
        "Avalanche, a library, says of its EWC example about 85 % on Permuted-MNIST and about 20 % on Split-MNIST with "
        f"ten outputs; here it has {permuted} % and {split} %.",
        f"On Permuted-MNIST, EWC's accuracy on a task right after it was learned goes from {begun:.0f} % for the first "
        f"to {ended:.0f} % for the last: "
        + ("later tasks are hardly learned, and the row says little about EWC." if ended < begun / 2 else
           "later tasks are still learned."),
    ]  # fmt: skip
    strengths = {scenario: listed([f"{run['strength']:,}" for run in results.of(f"{scenario}, SGD, {CHOSEN}")])
                 for scenario in (*(f"split {name}" for name in SCENARIOS), PERMUTED_CASES)}  # fmt: skip
    each = "; ".join(f"{scenario} {those}" for scenario, those in strengths.items() if those)
    told.append(f"The strengths chosen from {STRENGTHS[0]} to {STRENGTHS[-1]:,}, seed by seed: {each}.")
    edge = [scenario for scenario in strengths
            if any(run["strength"] == STRENGTHS[-1] for run in results.of(f"{scenario}, SGD, {CHOSEN}"))]  # fmt: skip
    if edge:
        told.append(f"In {listed(edge)} that is the largest one tried: a still larger one might do better.")
    return " ".join(told)


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


def chosen(settings: Settings, given: Tasks, seed: int) -> Values:
    """Train with each strength of EWC; return what `taught` does for the one that validation images choose."""
    found: list[tuple[float, float, Values]] = []
    for strength in settings["strengths"]:
        learner, left = _after_all(settings, given, seed, strength)
        held = float(np.mean([_right(learner, task, task.held) for task in given.tasks]))
        found.append((held, strength, {"left": left} | measures(np.array(left), given.chance)))
    _, best, values = max(found, key=lambda one: one[0])
    return values | {"strength": best, "swept": [[strength, round(held, 5)] for held, strength, _ in found]}


def taught(settings: Settings, given: Tasks, seed: int) -> Values:
    """Train on all tasks one after the other, or at once; return the accuracy on each and its measures."""
    _, left = _after_all(settings, given, seed)
    return {"left": left} | measures(np.array(left), given.chance)


def _after_all(
    settings: Settings, given: Tasks, seed: int, strength: float | None = None
) -> tuple[Learner, list[list[float]]]:
    """Return a learner that has learned all tasks, and R; the strength is EWC's."""
    method, way, steps, size = (settings[name] for name in ("method", "way", "steps", "batch"))
    kind: type[Learner] = ByNodes if method == "bank" else LEARNERS[method]
    hidden = () if method == "bank" else (HIDDEN,)
    width, count = given.tasks[0].train[0].shape[1], len(given.tasks)
    network = Network.build((width,), hidden, given.outputs, "relu")
    total = steps * count if way == "joint" else steps
    hold = "anchored" if way == "both" else way if way in kind.holds else ""
    common = network, backend(), seed, total, given.groups, hold
    learner = kind(*common) if strength is None else ByGradient(*common, strength)
    stream, left = Stream(seed), []
    if way == "joint":
        for step in range(total):
            learner.learn(*drawn(given.tasks, stream, step, size))
        return learner, [[_right(learner, task, task.test) for task in given.tasks]]
    kept: list[Kept] = []
    for number, task in enumerate(given.tasks):
        for step in range(steps):
            learner.learn(*with_old(task, kept, stream, number * steps + step, size))
        left.append([_right(learner, other, other.test) for other in given.tasks])
        learner.remember(*drawn([task], stream, (number + 1) * steps, size * 4, again=1))
        learner.switch()
        if way in ("replay", "both"):
            kept += kept_of(task, stream, number)
    return learner, left


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


def _right(learner: Learner, task: Task, samples: Kept) -> float:
    """Return a task's accuracy on samples by the outputs that may be predicted."""
    features, labels = samples
    answers = task.asked[learner.logits(task.seen(features))[:, task.asked].argmax(axis=1)]
    return round(float((answers == labels).mean()), 5)
