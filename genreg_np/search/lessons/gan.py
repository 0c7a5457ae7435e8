"""The lesson of a pair: generator and discriminator learn from each other, and a judge measures the images.

Each rung has checkpoints, at which generated images are compared with real ones that nothing has learned from. The
measures are stored with the state, together with a sheet of images from fixed noise. A pair with non-finite numbers, or
one that health.py gives up, ends there.

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
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Work
from genreg_np.engines.base import OK
from genreg_np.errors import FitnessError
from genreg_np.files import open_to_append, pack_arrays, write_atomic
from genreg_np.infer import read_arrays
from genreg_np.layers.description import words
from genreg_np.model import Float32, Network, load
from genreg_np.search.gan import health, pair
from genreg_np.search.gan.judge import MOST_TRAINED, Judge, Reals, Seen, spread
from genreg_np.search.gan.pair import Context, Side, State
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


class _Kept(NamedTuple):
    """What is stored of a pair at the end of a rung."""

    state: State
    checkpoints: tuple[dict[str, float], ...]
    sheets: NDArray[np.uint8]  # (checkpoints, SHEET, I)


@dataclass(frozen=True)
class Growth:
    """How a pair's images developed: a sheet and measures at each of c checkpoints.

    Parameters
    ----------
    sheets : (c, SHEET, I) uint8
        Images from fixed noise.
    checkpoints : tuple of mappings
        The measures.
    """

    sheets: NDArray[np.uint8]
    checkpoints: tuple[dict[str, float], ...]

    @classmethod
    def read(cls, path: Path) -> Growth:
        """Return the growth stored in a state file.

        Raises
        ------
        ValueError
            If the file is not a state of a pair.
        """
        try:
            arrays = read_arrays(path, compressed=False)
            sheets, checkpoints = arrays["sheets"], _told_in(arrays)
        except (KeyError, ValueError) as error:
            raise ValueError("is not a state of a pair") from error
        if sheets.dtype != np.uint8 or sheets.ndim != 3 or not sheets.size or len(sheets) != len(checkpoints):
            raise ValueError("is not a state of a pair")
        return cls(sheets, checkpoints)


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
                    measures[name] = health.fitness(kept.checkpoints, classes, samples)
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
        broken = health.broken(kept.checkpoints, classes, samples)
        why = f"infeasible: {', '.join(broken)}" if broken else ""
        seconds = time.perf_counter() - started if learning.pace else 0.0  # where nothing was trained they say nothing
        return Learned(OK, why, measures, seconds, learning.pace, kept.state.step)

    def finished(self, steps: int | None) -> tuple[Network, Float32] | None:
        """Return the generator after `steps` steps (None: any), and its genes (D,); None if its state is missing."""
        kept = kept_in(Path(self.states[-1]), self, steps)
        if kept is None:
            return None
        genes, statistics = kept.state.answering
        return self.generator.finish(genes[0], statistics[0])

    def described(self) -> dict[str, Any]:
        """Return the description of the training for a model's header."""
        rules = self.rules
        return {
            "config": {
                "losses": list(rules.losses), "batch_size": rules.batch_size,
                "discriminator": words(self.discriminator.layers),
            },
            "generator": {
                "noise": dataclasses.asdict(rules.noise), "image": list(self.input_shape),
                "classes": list(self.class_names) if rules.classes else [],
            },
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

    def to_rung(self, rung: int) -> _Kept:
        """Return what is stored at the end of a rung, from its file or by training from the rung below."""
        last = self._lesson.steps(rung, self._batch)
        path = Path(self._lesson.states[rung])
        if (kept := kept_in(path, self._lesson, last)) is not None:
            return kept
        before = self.to_rung(rung - 1) if rung else None
        kept = self._learned(before, last)
        with saving():
            write_atomic(path, packed(kept))
        return kept

    def _learned(self, before: _Kept | None, last: int) -> _Kept:
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
        while state.step < last:
            began = time.perf_counter()
            state = pair.step(state, context, stream)
            self._times.append(time.perf_counter() - began)
            if len(rules.losses) > 1 and (state.step % CHOSEN_EVERY == 0 or state.step in marks):
                began = time.perf_counter()
                state = self._best_of(state)
                self._choices.append(time.perf_counter() - began)
            if state.step in marks:
                checkpoints.append(self.judged(state, lesson.held))
                self._tell(checkpoints[-1], state.step)
                images = self._generated(state, SHEET, SHOWN)[0]
                sheets.append(np.rint(images * 255).astype(np.uint8)[None])
                done = (state.step - first) / max(1, last - first)
                deviation = float(images.std(axis=0).mean())
                if why := health.removed(checkpoints, deviation, done, len(lesson.class_names)):
                    raise _Removed(why, checkpoints)
        return _Kept(state, tuple(checkpoints), np.concatenate(sheets))

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

    def judged(self, state: State, part: Part) -> dict[str, float]:
        """Return the measures of a pair's images compared with the real ones of a part."""
        lesson, backend = self._lesson, self._backend
        reals = reals_of(lesson.judge, lesson.judged_by, part, lesson.train, lesson.compared, backend)
        assert reals.held.labels is not None
        images, classes = self._generated(state, len(reals.held.images), 0, asked=reals.held.labels)
        seen = judge_of(lesson.judge, lesson.judged_by).seen(images, backend)
        if not np.isfinite(seen.logits).all():
            raise FitnessError("its images are not finite")
        found = reals.measured(seen)
        if not all(map(math.isfinite, found.values())):
            raise FitnessError("its measures are not finite")
        found["critic"] = self._critic(state, reals.held, images, classes)
        if lesson.rules.classes:
            found["agreement"] = float((seen.logits.argmax(axis=1) == classes).mean())
        return found

    def _generated(
        self, state: State, count: int, number: int, place: int = 0, asked: NDArray[np.int64] | None = None
    ) -> tuple[Float32, NDArray[np.int64]]:
        """Return `count` images (N, I) of the place-th generator, and the requested classes (N,): `asked`, if given."""
        lesson = self._lesson
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
        lesson = self._lesson
        reals = reals_of(
            lesson.judge, lesson.judged_by, lesson.held, lesson.train, lesson.compared, self._backend
        )  # fmt: skip
        costs = []
        few = spread(len(reals.held.images), QUICK)
        assert reals.held.labels is not None
        for place in range(len(lesson.rules.losses)):
            images, _ = self._generated(state, len(few), 0, place, reals.held.labels[few])
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
    return Reals.of(
        seen_of(judge, digest, held, most, backend), seen_of(judge, digest, train, MOST_TRAINED, backend)
    )  # fmt: skip


@functools.lru_cache(maxsize=6)
def seen_of(judge: str, digest: str, part: Part, most: int, backend: Backend) -> Seen:
    """Return at most `most` images of a part as seen by a judge; once, whatever they are compared with."""
    images, labels = part.read()
    some = spread(len(labels), most)
    return judge_of(judge, digest).seen(np.ascontiguousarray(images[some]), backend, labels[some])


def packed(kept: _Kept) -> bytes:
    """Return the bytes of a state file."""
    state = kept.state
    sides = {
        f"{name}.{array}": getattr(side, array)
        for name, side in (("generators", state.generators), ("discriminator", state.discriminator))
        for array in pair.ARRAYS
    }
    told = np.frombuffer(json.dumps(kept.checkpoints).encode("utf-8"), np.uint8)
    step = np.array(state.step, np.int64)
    return pack_arrays(sides | {"average": state.average, "step": step, "told": told, "sheets": kept.sheets})


def kept_in(path: Path, lesson: GanLesson, step: int | None) -> _Kept | None:
    """Return what a state file stores of a pair; None unless it fits the networks and the step, if given."""
    networks = {"generators": lesson.generator, "discriminator": lesson.discriminator}
    counts = {"generators": len(lesson.rules.losses), "discriminator": 1}
    try:
        arrays = read_arrays(path, compressed=False)
        sides = {name: Side(*(arrays[f"{name}.{array}"] for array in pair.ARRAYS)) for name in networks}
        average, sheets, told, kept_step = arrays["average"], arrays["sheets"], _told_in(arrays), int(arrays["step"])
    except (KeyError, OverflowError, TypeError, ValueError):
        return None
    for name, network in networks.items():
        count, genes, statistics = counts[name], network.gene_count, len(network.first_statistics)
        shapes = (count, genes), (count, statistics), (count, 2, genes)
        own = [getattr(sides[name], array) for array in pair.ARRAYS]
        if tuple(array.shape for array in own) != shapes or any(array.dtype != np.float32 for array in own):
            return None
    genes, statistics = (getattr(sides["generators"], name).shape[1] for name in pair.ARRAYS[:2])
    if average.shape != (counts["generators"], genes + statistics) or step not in (None, kept_step):
        return None
    return _Kept(State(kept_step, sides["generators"], sides["discriminator"], average), told, sheets)


def _told_in(arrays: Mapping[str, NDArray[Any]]) -> tuple[dict[str, float], ...]:
    """Return the measures at each checkpoint; raises KeyError or ValueError if they are not those of a pair."""
    try:
        told = json.loads(arrays["told"].tobytes())
    except RecursionError:
        told = None
    if not isinstance(told, list) or not all(
        isinstance(one, dict) and all(map(_is_usual, one.values())) for one in told
    ):
        raise ValueError("are not measures")
    return tuple(told)


def _is_usual(value: Any) -> bool:
    """Return whether a value is a number of a usual size."""
    return type(value) in (int, float) and -1e300 < value < 1e300
