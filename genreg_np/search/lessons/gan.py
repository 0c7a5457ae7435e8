"""The lesson of a pair: generator and discriminator learn from each other, and a judge measures the images.

Each rung has checkpoints, at which generated images are compared with real ones that nothing has learned from. The
measures are stored with the state, together with a sheet of images from fixed noise. A pair with non-finite numbers, or
one that health.py gives up, ends there.

The last training of a winner is judged by all measures at each checkpoint, and the best checkpoint is what is kept:
also where the training fails after it, if it breaks no rule.

In the mode of three losses (E-GAN: Wang et al. 2019) three generators are trained in parallel from the same weights,
each with its own loss, and at regular intervals the one with the best images replaces all.

Shapes: N images, I pixels, Z noise, K classes, P generators.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Work
from genreg_np.engines.base import OK
from genreg_np.errors import FitnessError
from genreg_np.files import open_to_append, write_atomic
from genreg_np.layers.description import words
from genreg_np.model import Float32, Network, load
from genreg_np.search.gan import health, pair
from genreg_np.search.gan.judge import CLASSED, MOST_IMAGES, MOST_PIXELS, Judge, Reals, Seen, spread
from genreg_np.search.gan.kept import End, Kept, Measures, kept_in, packed
from genreg_np.search.gan.pair import Context, State
from genreg_np.search.gan.rules import Rules, drawn, shown
from genreg_np.search.lessons.base import Learned, Lesson, Part, Unsaved, backend_for, part_there, saving
from genreg_np.search.trials import DIVERGED, REMOVED
from genreg_np.streams import Stream

WORKS = (Work.LOGITS, Work.MAPS, Work.TAILS, Work.FOLLOWING)  # that a backend must support
CHECKPOINTS = 4  # per rung; the last three make the fitness
SHEET = 40  # images per sheet
QUICK = 1000  # images for choosing among three generators, and for the discriminator's accuracy
CHOSEN_EVERY = 200  # steps between choices
JUDGED, SHOWN = Stream(0), 1 << 31  # the noise for judged and for shown images: the same for all pairs


class _Removed(Exception):
    """A pair was removed; carries its checkpoints so far."""


@dataclass(frozen=True)
class GanLesson(Lesson):
    """The task of a worker that trains a pair.

    Parameters
    ----------
    generator, discriminator : Network
    rules : Rules
    judge, judged_by : str
        The judge's file, and its digest.
    held : Part
        The real images that checkpoints are judged against.
    compared : int
        The most real images, and as many generated ones, that are compared at a time.
    diary : str
        A file to which each checkpoint adds a line; "" for none.
    """

    generator: Network
    discriminator: Network
    rules: Rules
    judge: str
    judged_by: str
    held: Part
    compared: int
    diary: str = ""

    def prepare(self) -> None:
        """Prepare the backend."""
        backend_for(self.backend, WORKS)

    def learn(self) -> Learned:
        """Train from the rung below to this one, save the state, and judge."""
        backend, started = backend_for(self.backend, WORKS), time.perf_counter()
        learning = _Learning(self, backend)
        measures: dict[str, dict[str, float]] = {}
        classes, samples = len(self.class_names), self.rungs[-1]
        try:
            kept = learning.to_rung(len(self.rungs) - 1)
            for name, part in self.judged.items():
                if part == self.held:
                    measures[name] = health.fitness(kept.course, classes, samples)
                else:  # at one checkpoint, as no other state was judged on it, and by the full rules
                    measures[name] = health.fitness((learning.judged(kept.state, part),), classes)
        except FitnessError as error:
            return Learned(DIVERGED, str(error), seconds=time.perf_counter() - started)
        except Unsaved as error:
            return error.learned
        except _Removed as removal:
            why, checkpoints = removal.args
            told = {"search": health.fitness(checkpoints, classes, samples)}
            return Learned(REMOVED, why, told, time.perf_counter() - started)
        why, end = "", kept.end
        if broken := health.broken(kept.course, classes, samples):
            why = f"infeasible: {', '.join(broken)}"
        elif end.failed:
            why = f"as it was at checkpoint {end.place + 1} of {CHECKPOINTS}, since its training failed after it: "
            why += end.failed
        seconds = time.perf_counter() - started if learning.pace else 0.0  # where nothing was trained they say nothing
        return Learned(OK, why, measures, seconds, learning.pace, end.step)

    def finished(self, steps: int | None) -> tuple[Network, Float32] | None:
        """Return the generator after `steps` steps (None: any), and its genes (D,); None if its state is missing."""
        kept = self.kept(-1, steps)
        if kept is None:
            return None
        genes, statistics = kept.state.answering
        return self.generator.finish(genes[0], statistics[0])

    def kept(self, rung: int, steps: int | None) -> Kept | None:
        """Return what is stored of a rung after `steps` steps (None: any); None if that is missing."""
        return kept_in(Path(self.states[rung]), self.generator, self.discriminator, len(self.rules.losses), steps)

    def described(self) -> dict[str, Any]:
        """Return the description of the training for a model's header; of a winner, which checkpoint it is of."""
        rules, kept = self.rules, self.kept(-1, None) if self.is_final else None
        return {
            "config": {
                "losses": list(rules.losses), "batch_size": rules.batch_size,
                "discriminator": words(self.discriminator.layers),
            },
            "generator": {
                "noise": dataclasses.asdict(rules.noise), "image": list(self.input_shape),
                "classes": list(self.class_names) if rules.classes else [],
            },
            **({} if kept is None else {"checkpoint": kept.end.place + 1}),
        }  # fmt: skip


class _Learning:
    """A running lesson."""

    def __init__(self, lesson: GanLesson, backend: Backend) -> None:
        self._lesson, self._backend = lesson, backend
        self._images, self._labels = part_there(lesson.train, backend)
        self._times: list[float] = []  # of steps
        self._choices: list[float] = []  # of choices among three generators
        self._batch = min(lesson.rules.batch_size, len(self._labels))

    @property
    def pace(self) -> float:
        """Seconds per sample; 0 if all states were stored."""
        step = float(np.median(self._times)) if self._times else 0.0
        choice = float(np.median(self._choices)) / CHOSEN_EVERY if self._choices else 0.0
        return (step + choice) / self._batch

    def to_rung(self, rung: int) -> Kept:
        """Return what is stored at the end of a rung, from its file or by training from the rung below."""
        last = self._lesson.steps(rung, self._batch)
        if (kept := self._lesson.kept(rung, last)) is not None:
            return kept
        before = self.to_rung(rung - 1) if rung else None
        kept = self._learned(before, last)
        with saving():
            write_atomic(Path(self._lesson.states[rung]), packed(kept))
        return kept

    def _learned(self, before: Kept | None, last: int) -> Kept:
        """Train up to a step, from the rung below or from scratch."""
        lesson = self._lesson
        first = before.state.step if before else 0
        rules = dataclasses.replace(lesson.rules, batch_size=self._batch)
        context = Context(
            self._backend, lesson.generator, lesson.discriminator, rules, lesson.input_shape, self._images,
            self._labels, first, last,
        )  # fmt: skip
        stream = Stream(lesson.seed)
        state = before.state.copy() if before else pair.start(context, stream, Stream(lesson.seed ^ 1))
        checkpoints, sheets = (list(before.checkpoints), [before.sheets]) if before else ([], [])
        marks = [first + (last - first) * place // CHECKPOINTS for place in range(1, CHECKPOINTS + 1)]
        best: tuple[float, State, int] | None = None  # of a winner's training: fitness, state and place of a checkpoint
        failed = ""
        try:
            while state.step < last:
                began = time.perf_counter()
                state = pair.step(state, context, stream)
                self._times.append(time.perf_counter() - began)
                if len(rules.losses) > 1 and (state.step % CHOSEN_EVERY == 0 or state.step in marks):
                    began = time.perf_counter()
                    state = self._best_of(state)
                    self._choices.append(time.perf_counter() - began)
                if state.step in marks:
                    self._look(state, checkpoints, sheets, (state.step - first) / max(1, last - first))
                    if lesson.is_final and (best is None or self._merit(checkpoints) < best[0]):
                        best = self._merit(checkpoints), state.copy(), len(checkpoints) - 1
        except (FitnessError, _Removed) as failure:
            if best is None or best[0] >= health.PENALTY:
                raise
            failed = str(failure.args[0])
        _, kept, place = best or (0.0, state, len(checkpoints) - 1)
        return Kept(kept, tuple(checkpoints), np.concatenate(sheets), End(last, place, failed))

    def _look(self, state: State, checkpoints: list[Measures], sheets: list[NDArray[np.uint8]], done: float) -> None:
        """Add a checkpoint and its sheet after a share `done` of the steps; raises _Removed for a pair that is removed.

        All measures are needed at the last one, and wherever a state may be kept or a trial ends.
        """
        lesson, is_whole = self._lesson, self._lesson.is_final or done == 1
        checkpoints.append(self.judged(state, lesson.held, is_whole=is_whole))
        self._tell(checkpoints[-1], state.step)
        images = self._generated(state, SHEET, SHOWN)[0]
        sheets.append(np.rint(images * 255).astype(np.uint8)[None])
        deviation = float(images.std(axis=0).mean()) / self._reals(lesson.held).deviation
        if why := health.removed(checkpoints, deviation, done, len(lesson.class_names)):
            if not is_whole:
                checkpoints[-1] = self.judged(state, lesson.held)
            raise _Removed(why, checkpoints)

    def _merit(self, checkpoints: Sequence[Measures]) -> float:
        """Return the fitness of the state at the last checkpoint alone."""
        lesson = self._lesson
        return health.at_the_end(health.fitness(checkpoints, len(lesson.class_names), lesson.rungs[-1]))

    def _tell(self, measures: Mapping[str, float], step: int) -> None:
        """Append a line to the diary; failing to write it is no reason to stop."""
        lesson = self._lesson
        line = {
            "lesson": Path(lesson.states[-1]).stem,
            "samples": min(step * self._batch, lesson.rungs[-1]),
            "of": lesson.rungs[-1],
            **measures,
        }
        if lesson.diary:
            with contextlib.suppress(OSError), open_to_append(lesson.diary) as file:
                file.write(json.dumps(line) + "\n")

    def judged(self, state: State, part: Part, is_whole: bool = True) -> Measures:
        """Return the measures of a pair's images compared with the real ones of a part.

        Unless `is_whole`, copies and duplicates are not looked for.
        """
        lesson, reals = self._lesson, self._reals(part)
        images, classes = self._generated(state, CLASSED, 0, reals.held.labels)
        seen = judge_of(lesson.judge, lesson.judged_by).seen(images, self._backend)
        if not np.isfinite(seen.logits).all():
            raise FitnessError("its images are not finite")
        found = reals.measured(seen) if is_whole else reals.likened(seen)
        if not all(map(math.isfinite, found.values())):
            raise FitnessError("its measures are not finite")
        found["critic"] = self._critic(state, reals.held, images, classes)
        if lesson.rules.classes:
            found["agreement"] = float((seen.logits.argmax(axis=1) == classes).mean())
        return found

    def _reals(self, part: Part) -> Reals:
        """Return the real images of a part, and those that are learned from."""
        lesson = self._lesson
        return reals_of(lesson.judge, lesson.judged_by, part, lesson.train, lesson.compared, self._backend)

    def _generated(
        self, state: State, count: int, number: int, asked: NDArray[np.int64] | None = None, place: int = 0
    ) -> tuple[Float32, NDArray[np.int64]]:
        """Return `count` images (N, I) of the place-th generator, and the requested classes (N,).

        With labels that are `asked`, there are as many as these are or a multiple, at least `count`, and the classes
        are these labels again and again: as often as among real images.
        """
        lesson = self._lesson
        if asked is not None:
            asked = np.tile(asked, -(-count // len(asked)))
            count = len(asked)
        inputs, classes = drawn(lesson.rules, JUDGED, number, count, asked)
        genes, statistics = state.answering
        network, own = lesson.generator.finish(genes[place], statistics[place])
        with np.errstate(all="ignore"):
            columns = self._backend.to_device(np.ascontiguousarray(inputs.T))
            return self._backend.to_host(self._backend.logits(network, own, columns)), classes

    def _critic(self, state: State, held: Seen, images: Float32, classes: NDArray[np.int64]) -> float:
        """Return the discriminator's accuracy on unseen images, half of them real.

        By rank: real images should be above the median of all its outputs, whatever the loss.
        """
        lesson, few = self._lesson, spread(len(held.images), QUICK)
        assert held.labels is not None
        rules = dataclasses.replace(lesson.rules, instance_noise=0.0, shift=0, flip=False)
        network, genes = lesson.discriminator.finish(state.discriminator.genes[0], state.discriminator.statistics[0])
        found = []
        for own, labels in ((held.images[few], held.labels[few]), (images[few], classes[few])):
            seen = shown(rules, lesson.input_shape, network.input_shape, own.T, labels)
            columns = self._backend.to_device(np.ascontiguousarray(seen.T))
            found.append(self._backend.to_host(self._backend.logits(network, genes, columns))[:, 0])
        count = min(map(len, found))
        real, generated = (values[:count] for values in found)
        middle = np.median(np.concatenate([real, generated]))
        return float(((real > middle).mean() + (generated <= middle).mean()) / 2)

    def _best_of(self, state: State) -> State:
        """Return a state in which the generator with the best images has replaced all."""
        lesson, reals, costs = self._lesson, self._reals(self._lesson.held), []
        assert reals.held.labels is not None
        few = reals.held.labels[spread(len(reals.held.images), QUICK)]
        for place in range(len(lesson.rules.losses)):
            images, _ = self._generated(state, QUICK, 0, few, place)
            seen = judge_of(lesson.judge, lesson.judged_by).seen(images, self._backend)
            costs.append(health.cost(reals.likened(seen)) if np.isfinite(seen.logits).all() else math.inf)
        best = int(np.argmin(costs))
        average = np.repeat(state.average[best : best + 1], len(costs), axis=0)
        return dataclasses.replace(state, generators=state.generators.only(best), average=average)


@functools.lru_cache(maxsize=2)
def judge_of(path: str, digest: str) -> Judge:
    """Return the judge from a file with the given digest; once for all lessons of a worker."""
    return Judge.of(load(path))


@functools.lru_cache(maxsize=4)
def reals_of(judge: str, digest: str, held: Part, train: Part, most: int, backend: Backend) -> Reals:
    """Return `most` real images, and those learned from, as seen by a judge; once for all lessons of a worker."""
    return Reals.of(seen_of(judge, digest, held, most, backend), *learned_from(judge, digest, train, backend))


@functools.lru_cache(maxsize=6)
def seen_of(judge: str, digest: str, part: Part, most: int, backend: Backend) -> Seen:
    """Return at most `most` images of a part as seen by a judge; once, whatever they are compared with."""
    images, labels = part.read()
    some = spread(len(labels), most)
    return judge_of(judge, digest).seen(np.ascontiguousarray(images[some]), backend, labels[some])


@functools.lru_cache(maxsize=2)
def learned_from(judge: str, digest: str, train: Part, backend: Backend) -> tuple[Float32, Float32]:
    """Return the judge's features (M, F) of all images that are learned from, and the pixels (m, I) of some."""
    images, _ = train.read()
    blocks = [images[first : first + MOST_IMAGES] for first in range(0, len(images), MOST_IMAGES)]
    features = [judge_of(judge, digest).features(np.ascontiguousarray(block), backend) for block in blocks]
    return np.concatenate(features), np.ascontiguousarray(images[spread(len(images), MOST_PIXELS)])
