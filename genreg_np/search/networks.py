"""A search for networks for images, with their optimisers: its trials, and the final training of the best.

The finalists are the best individuals, each as it was at the highest rung it reached. A split that was not used for
selection chooses among them, and the winner is trained from scratch on everything except the test split (images.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import os
from collections.abc import Mapping
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.engines.base import Engine, Limits
from genreg_np.infer import ModelError
from genreg_np.model import Model, load
from genreg_np.runs.provenance import data_header
from genreg_np.search.config import SearchConfig
from genreg_np.search.cost import Cost
from genreg_np.search.course import Course, Job
from genreg_np.search.folder import SearchFolder
from genreg_np.search.genes import Genome
from genreg_np.search.kinds.base import Individual, Kind
from genreg_np.search.lessons.base import Learned, Lesson, Part
from genreg_np.search.metrics import Goal
from genreg_np.search.pareto import by_levels
from genreg_np.search.searching import Search, patience, selection_of
from genreg_np.search.selections.base import Bred
from genreg_np.search.trials import Trial

SPARED = 1.1  # safety factor on the predicted time of the end
KEPT = 32  # individuals of a rung whose states are kept for a promotion
FINALISTS = 3  # individuals that the select split chooses among
WHOLE = "it learned from the validation split as well"


class NetworkSearch(Search[Individual]):
    """A running search for networks.

    Parameters
    ----------
    config : SearchConfig
    dataset : Dataset
    parts : mapping of str to Part
        The parts of the dataset, as written by sharing.py.
    folder : SearchFolder
    engine : Engine
    kind : Kind
        The kind of network searched for, prepared.
    backend : str
    trusts_times : bool
        Whether times in the folder's record say how long trials take here: they are of the same backend.
    **how
        Arguments of Search.
    """

    def __init__(
        self,
        config: SearchConfig,
        dataset: Dataset,
        parts: Mapping[str, Part],
        folder: SearchFolder,
        engine: Engine,
        kind: Kind,
        *,
        backend: str = "numba",
        trusts_times: bool = True,
        **how: Any,
    ) -> None:
        self.dataset, self.parts, self.kind = dataset, parts, kind
        self.cost = Cost()
        self._backend, self._trusts_times = backend, trusts_times
        self._goal = Goal.of(config.metric, config.weights, dataset.class_names, kind.metrics)
        sizes = {name: len(part.read()[1]) for name, part in parts.items()}
        self._whole, self._images_judged = sizes[kind.retrained], sizes.get("search", 0) + sizes.get("select", 0)
        self.folds = config.folds_for(sizes["whole"]) if "search" not in parts else 0
        self._images = sizes["train"]  # that a network learns from, without those of the largest fold
        self._images -= -(-self._images // self.folds) if self.folds else 0
        first = {kind.space.key(genome): Bred(genome, how="given") for genome in kind.given()}
        if config.begin == "hand-made":
            names = itertools.chain(["the default network"], itertools.repeat("made by hand"))
            for genome, name in zip(kind.beginnings(), names, strict=False):
                first.setdefault(kind.space.key(genome), Bred(genome, how=name))
        ranked = {"ranked": by_levels(config.second)} if config.second else {}
        by_epochs = kind.is_validated_by_folds and config.is_tiny(sizes["whole"])
        selection, ladder = selection_of(config, kind.policy), config.ladder(self._images, by_epochs)
        course = Course(kind.space, selection, ladder, config.seed, kind.fault_of, tuple(first.values()), **ranked)
        super().__init__(config, folder, engine, course, **how)
        self.most_bytes += sum(os.path.getsize(part.features) for part in parts.values())  # mapped files count as used
        self.selected: dict[int, Mapping[str, float]] = {}  # measures of trials judged on select at the end

    def individual_of(self, job: Job) -> Individual:
        """Return the individual that a job's genome stands for."""
        return self.kind.individual_of(job.bred.genome)

    def scored(self, trial: Trial, job: Job, individual: Individual, learned: Learned) -> Trial:
        """Return a judged trial with its score, and record how long it took."""
        if learned.seconds:
            self.cost.took(self._work(job, individual), learned.seconds)
        measures = learned.measures["search"]
        return dataclasses.replace(
            trial, score=self._goal.score(measures, individual.parameters, individual.macs),
            tie=-measures[self.kind.tie], select=learned.measures.get("select", {}),
        )  # fmt: skip

    def reaches(self, trial: Trial, target: float) -> bool:
        """Return whether a trial has reached a target."""
        return self._goal.metric.reaches(trial.metrics, target)

    def blank(self, job: Job, individual: Individual) -> Trial:
        """Return what is known about a trial before it runs."""
        genome = job.bred.genome
        return Trial(
            job.number, job.child, job.rung, genome, self.space.expressed(genome), job.bred.parents,
            job.bred.how if not job.rung else "promoted", self.course.ladder.samples[job.rung],
            network=self.kind.answering(genome), parameters=individual.parameters, macs=individual.macs,
            predicted=round(self.predicted(job, individual), 3),
        )  # fmt: skip

    def told(self, trial: Trial) -> str:
        """Return a short description of a trial."""
        return f"{trial.samples:,} samples, {trial.parameters:,} weights"

    def lesson(self, job: Job, individual: Individual) -> Lesson:
        """Return the lesson of a job, for a worker."""
        judged = ("search", "select") if job.rung or len(self.course.ladder.samples) == 1 else ("search",)
        return self._lesson_at(job.rung, job.bred.genome, individual, judged)

    def _lesson_at(self, rung: int, genome: Genome, individual: Individual, judged: tuple[str, ...]) -> Lesson:
        """Return the lesson of an individual up to a rung."""
        return self.lesson_of(genome, individual, self.course.ladder.samples[: rung + 1], "train", judged, "")

    def lesson_of(
        self, genome: Mapping[str, Any], individual: Individual, rungs: tuple[int, ...], train: str,
        judged: tuple[str, ...], salt: str,
    ) -> Lesson:  # fmt: skip
        """Return the lesson of an individual: what it learns from and is judged on; `salt` enters its seed."""
        key = self.space.key(genome)
        seed = hashlib.sha256(f"{self.config.seed} {key} {salt}".encode()).digest()
        files = tuple(str(self.folder.states / f"{key}{salt and '-'}{salt}-{rung}.npz") for rung in range(len(rungs)))
        return self.kind.lesson(
            genome, individual, 0 if salt else self.folds,
            seed=int.from_bytes(seed[:8], "big"), rungs=rungs, train=self.parts[train],
            judged={name: self.parts.get(name, self.parts[train]) for name in judged},
            states=files, backend=self._backend, is_capped=bool(self.config.max_epochs), is_final=bool(salt),
        )  # fmt: skip

    def _judged(self, trial: Trial, is_new: bool = True, steps: int = 0) -> None:
        """Take a result, and remove states that are hardly needed again, as there are many in cross-validation.

        These are those of the rung below and, now and then, of all but the KEPT best of a rung that are not promoted;
        never those of leaders. A training that needs one after all does again what it stood for.
        """
        super()._judged(trial, is_new, steps)
        due = [(trial.rung - 1, trial)] if trial.rung else []
        if trial.number % KEPT == 0:
            due += [
                (rung, one)
                for rung in range(len(self.course.ladder.samples))
                for one in self.course.waiting(rung)[KEPT:]
            ]
        if is_new and due:
            leading = {f"{self.space.key(one.genome)}-{one.rung}" for one in self.leaders(FINALISTS)}
            self.folder.forget_states({f"{self.space.key(one.genome)}-{rung}" for rung, one in due} - leading)

    def remember(self, trial: Trial, job: Job, individual: Individual) -> None:
        """Learn from a trial of the record how long trials take, if it was judged on the same backend."""
        if self._trusts_times and trial.is_ok and trial.seconds and trial.pace:  # a stored state takes no time
            self.cost.took(self._work(job, individual), trial.seconds)

    def is_saved(self, trial: Trial) -> bool:
        """Return whether the best so far in the folder is that of a trial."""
        try:
            saved = load(self.folder.path / self.folder.name_so_far(self.kind.file))
        except ModelError:
            return False
        return saved.training.get("trial") == trial.number

    def save(self, trial: Trial, steps: int | None) -> None:
        """Save the best so far as the folder's model; in cross-validation, the one trained without the first fold."""
        individual = self.kind.individual_of(trial.genome)
        lesson = self.lesson(Job(trial.number, trial.rung, 0, trial.child, Bred(trial.genome)), individual)
        if (model := self.model_of(lesson, steps, {"trial": trial.number, "search": dict(trial.metrics)})) is not None:
            names = {name: self.folder.name_so_far(name) for name in (self.kind.file, *self.kind.pieces(model))}
            for name, one in {self.kind.file: model, **self.kind.pieces(model)}.items():
                self.folder.save(names[name], one)

    def model_of(self, lesson: Lesson, steps: int | None, told: Mapping[str, Any]) -> Model | None:
        """Return the model of an individual after `steps` steps of a lesson, or any; None if its state is missing."""
        if (finished := lesson.finished(steps)) is None:
            return None
        training: dict[str, Any] = {
            "method": "search", "seed": self.config.seed, "samples": lesson.rungs[-1], **lesson.described(), **told,
        }  # fmt: skip
        source = (self.dataset.origin or {}).get("source", self.dataset.name)
        training |= data_header(source, self.dataset, training["config"])
        if "search" not in self.parts or lesson.train == self.parts["whole"]:
            training |= {"refit": True, "note": WHOLE}
        return self.kind.model(*finished, self.dataset, training)

    # Time

    def _work(self, job: Job, individual: Individual) -> tuple[float, float, float]:
        return individual.work(self._new_samples(job.rung))

    def _new_samples(self, rung: int) -> int:
        """Return how many samples a trial of a rung learns from, over all folds if there are any.

        The folds of the select split are new at the first rung that is judged on it.
        """
        samples = self.course.ladder.samples
        new = samples[rung] - (samples[rung - 1] if rung else 0)
        if not self.folds:
            return new
        chosen_on = 0 if not rung and len(samples) > 1 else samples[rung] if rung < 2 else new
        return (new + chosen_on) * self._times

    @property
    def _times(self) -> int:
        """How many networks a judgement by cross-validation trains; 1 without."""
        return self.folds * self.config.repeats or 1

    def predicted(self, job: Job, individual: Individual) -> float:
        """Return how long a job is expected to take, in seconds."""
        return self.cost.seconds(self._work(job, individual))

    def finals(self, genome: Genome, winner: Trial | None) -> tuple[int, int]:
        """Return how many samples the final training uses and how often it is repeated, within the time left.

        Parameters
        ----------
        genome : Genome
        winner : Trial or None
            The trial that was judged; None for the default network.
        """
        most, seeds = self._most_samples, self.config.final_seeds
        if self.deadline == math.inf:
            return most, seeds
        pace, time_left = self._pace(genome, winner), (self.deadline - self.clock()) / SPARED
        least = winner.samples if winner else self.course.ladder.samples[0]
        seeds = min(seeds, max(1, self.workers * int(time_left / (least * pace))))
        affordable = time_left / (-(-seeds // self.workers) * pace)
        return int(min(most, max(affordable, least))), seeds

    def remark_late(self, genome: Genome, winner: Trial | None, samples: int) -> None:
        """Say so if a final training, which is never shorter than in the search, takes longer than what is left."""
        seconds, left = samples * self._pace(genome, winner), self.deadline - self.clock()
        if left < seconds:
            name = "the default network" if winner is None else f"individual {winner.child}"
            self.tell(
                f"{name} is trained on {samples:,} samples at least, about {seconds:.0f} s: longer than the "
                f"{max(0.0, left):.0f} s that are left of the budget"
            )

    def final_limits(self, genome: Genome, winner: Trial | None, samples: int) -> Limits:
        """Return the limits of a final training."""
        return self._limits_at_the_end(samples * self._pace(genome, winner))

    def _limits_at_the_end(self, predicted: float) -> Limits:
        """Return the limits of what should take `predicted` seconds; under a budget, by the time that is left."""
        return Limits(min(patience(predicted), self.time_for(predicted, self.deadline)), self.most_bytes)

    @property
    def _most_samples(self) -> int:
        top = self.course.ladder.samples[-1]
        top = top * self._whole // self._images if self.folds else top  # as many epochs
        return max(self.config.final_epochs * self._whole or self.kind.longest * top, top)

    def _pace(self, genome: Genome, trial: Trial | None) -> float:
        """Return the seconds that an individual takes per sample, from its own trial if it has one."""
        if trial is not None and trial.pace:
            return trial.pace
        return self.cost.seconds(self.kind.individual_of(genome).work(1))

    def reserve(self) -> float:
        """Return the seconds to reserve for the end, whichever of the leaders wins."""
        leaders = self.leaders(FINALISTS)
        rounds = -(-self.config.final_seeds // self.workers)
        end = max((rounds * self._most_samples * self._pace(trial.genome, trial) for trial in leaders), default=0.0)
        missing = [self._judging(trial) * self._pace(trial.genome, trial) for trial in leaders if not trial.select]
        return SPARED * (end + sum(missing) / min(self.workers, max(1, len(missing))))

    def _judging(self, trial: Trial) -> int:
        """Return the work of judging a finalist on the select split, in samples to learn from."""
        return trial.samples * self._times if self.folds else self._images_judged

    # The end

    def finalists(self) -> list[Trial]:
        """Return the best individuals, ordered by their scores on the select split: the first one wins.

        Those that were never judged on it at a higher rung are judged on it now.
        """
        leaders = self.leaders(FINALISTS)
        missing = [trial for trial in leaders if not trial.select]
        lessons = [
            self._lesson_at(one.rung, one.genome, self.kind.individual_of(one.genome), ("search", "select"))
            for one in missing
        ]
        found = {trial.number: trial.select for trial in leaders}
        again = [  # as if no state had been stored
            self._pace(one.genome, one) * (self._judging(one) + one.samples * self._times) for one in missing
        ]
        limits = self._limits_at_the_end(max(again, default=0.0))
        for trial, outcome in zip(missing, self._engine.map(lessons, limits), strict=True):
            learned: Learned | None = outcome.value
            found[trial.number] = learned.measures.get("select", {}) if learned is not None else {}
            if found[trial.number]:
                self.selected[trial.number] = found[trial.number]
            else:
                why = outcome.why or (learned.why if learned is not None else "") or outcome.status
                self.tell(f"individual {trial.child} cannot be judged on the select split, and cannot win: {why}")
        judged = sorted(
            (dataclasses.replace(trial, select=found[trial.number]) for trial in leaders if found[trial.number]),
            key=lambda trial: (
                trial.select.get("violations", 0.0),  # of pairs, whatever they are selected by
                -self._goal.score(trial.select, trial.parameters, trial.macs),
                trial.select[self.kind.tie],
                trial.number,
            ),
        )
        if leaders and not judged:
            self.tell("no finalist could be judged on the select split: they are ordered by their scores in the search")
        return judged or leaders
