"""The lesson of one network: gradient descent for any aim, judged on parts or by cross-validation.

Each rung has its own schedule, which begins where the previous one ended (warm restarts: Loshchilov & Hutter 2017).

Shapes: M training images, I inputs, D genes, E statistics, V outputs.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Work
from genreg_np.data.alike import fingerprints
from genreg_np.engines.base import OK
from genreg_np.errors import FitnessError
from genreg_np.files import pack_arrays, write_atomic
from genreg_np.layers.base import array_module
from genreg_np.layers.description import parse
from genreg_np.model import Float32, Network
from genreg_np.search.aims import REGISTRY as AIMS
from genreg_np.search.aims.base import Aim, Known
from genreg_np.search.lessons.base import Learned, Lesson, Unsaved, backend_for, part_there, saving
from genreg_np.search.trials import DIVERGED
from genreg_np.strategies.gradient import GradientContext, GradientDescent, GradientOptions, GradientState
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Purpose, Stream

WORKS = (Work.LOGITS, Work.MAPS, Work.TAILS, Work.MOVING, Work.FOLLOWING)  # that a backend must support
STATE = ("genes", "statistics", "moments")  # what is stored of an individual between rungs


@dataclass(frozen=True)
class NetworkLesson(Lesson):
    """The task of a worker that trains a network.

    Parameters
    ----------
    aim : str
        What it learns: an aim of search/aims.
    words : str
        The description of the network.
    options : mapping
        Settings of the strategy `gradient`.
    also : tuple of str
        Metrics of a single class to measure as well.
    folds, repeats : int
        Of cross-validation, instead of parts to judge on; 0 repeats for none.
    """

    aim: str
    words: str
    options: Mapping[str, Any]
    also: tuple[str, ...] = ()
    folds: int = 0
    repeats: int = 0

    @property
    def network(self) -> Network:
        """The network."""
        return Network(self.input_shape, parse(self.words, self.input_shape))

    def prepare(self) -> None:
        """Prepare the backend."""
        backend_for(self.backend, WORKS)

    def learn(self) -> Learned:
        """Train from the rung below to this one, save the state, and judge."""
        backend, network = backend_for(self.backend, WORKS), self.network
        options = GradientOptions(**self.options)
        features, labels = part_there(self.train, backend)
        started = time.perf_counter()
        learning = _Learning(backend, network, options, features, labels, self)
        measures: dict[str, Mapping[str, float]] = {}
        steps = 0
        try:
            if self.repeats:
                for number, name in enumerate(self.judged):
                    measures[name], steps = learning.validated(number * self.repeats)
            else:
                kept = learning.to_rung(len(self.rungs) - 1)
                steps = kept.state.generation
                for name, part in self.judged.items():
                    seen, own = part_there(part, backend)
                    measures[name] = learning.measures(learning.answers(kept, seen), part.read()[0], own)
        except FitnessError as error:
            return Learned(DIVERGED, str(error), seconds=time.perf_counter() - started)
        except Unsaved as error:
            return error.learned
        seconds = 0.0 if learning.stored else time.perf_counter() - started  # of a part of the work they say nothing
        return Learned(OK, measures=measures, seconds=seconds, pace=learning.pace, steps=steps)

    def finished(self, steps: int | None) -> tuple[Network, Float32] | None:
        """Return the network for inference after `steps` steps (None: any), and its genes (D,); None if not stored."""
        kept = kept_in(self.states[-1], self.network, steps)
        return None if kept is None else kept.finished(AIMS[self.aim], self.network)

    def described(self) -> dict[str, Any]:
        """Return the description of the training for a model's header."""
        return {"network": self.words, "config": dict(self.options)}


@dataclass(frozen=True)
class Kept:
    """What is stored of an individual at the end of a rung."""

    state: GradientState
    known: Known = None  # computed from its training images

    def finished(self, aim: Aim, network: Network) -> tuple[Network, Float32]:
        """Return the network for inference, and its genes."""
        finished, genes = network.finish(self.state.genes, self.state.statistics)
        return aim.finished(finished, genes, self.known)

    def pack(self) -> bytes:
        """Return the bytes of a state file."""
        known = {} if self.known is None else {"known": self.known}
        generation = {"generation": np.array(self.state.generation, np.int64)}
        return pack_arrays({name: getattr(self.state, name) for name in STATE} | generation | known)


@dataclass(frozen=True)
class _Learning:
    backend: Backend
    network: Network
    options: GradientOptions
    features: Any  # (M, I) on the backend's device
    labels: NDArray[np.int64]
    lesson: NetworkLesson
    fold: str = ""  # appended to the names of its states
    times: list[float] = dataclasses.field(default_factory=list)  # seconds per step
    stored: list[Path] = dataclasses.field(default_factory=list)  # states of the lesson's rung that were there before

    @property
    def pace(self) -> float:
        """Seconds per sample; 0 if all states were stored."""
        batch = min(self.options.batch_size, len(self.labels))
        return float(np.median(self.times)) / batch if self.times else 0.0

    @property
    def aim(self) -> Aim:
        """What the individual learns."""
        return AIMS[self.lesson.aim]

    def to_rung(self, rung: int) -> Kept:
        """Return what is stored at the end of a rung, from its file or by training from the rung below."""
        last = self.lesson.steps(rung, min(self.options.batch_size, len(self.labels)))
        path = Path(self.lesson.states[rung] + self.fold)
        if (kept := kept_in(path, self.network, last)) is not None:
            if rung == len(self.lesson.rungs) - 1:
                self.stored.append(path)
            return kept
        context, stream = self._context(last), Stream(self.lesson.seed)
        if rung:
            state = self.to_rung(rung - 1).state
            context = dataclasses.replace(context, first=state.generation)
        else:
            state = GradientDescent.start(context, stream)
        while state.generation < last:
            began = time.perf_counter()
            state = GradientDescent.step(state, context, stream)
            self.times.append(time.perf_counter() - began)
        kept = Kept(state, self.aim.learned(functools.partial(self._values, state), self.labels, self._classes))
        with saving():
            write_atomic(path, kept.pack())
        return kept

    @property
    def _classes(self) -> int:
        return len(self.lesson.class_names)

    def _context(self, last: int) -> GradientContext:
        """Return the context of steps up to a last one."""
        problem = Problem(self.network, self.features, self.labels, last)
        loss = self.aim.loss(self._classes, self.options.label_smoothing)
        context = GradientDescent.prepare(problem, self.options, self.backend, loss)
        return context if self.aim.by_labels else dataclasses.replace(context, labels=None)

    def _values(self, state: GradientState, rows: NDArray[np.int64]) -> Float32:
        """Return the outputs (n, V) for training images without augmentation."""
        finished, genes = self.network.finish(state.genes, state.statistics)
        return self.backend.logits(finished, genes, self.features[array_module(self.features).asarray(rows)])

    def answers(self, kept: Kept, features: Any) -> Float32:
        """Return the predictions (N, V) for features (N, I).

        Raises
        ------
        FitnessError
            If they are not finite.
        """
        finished, genes = kept.finished(self.aim, self.network)
        with np.errstate(all="ignore"):
            found = self.aim.answers(self.backend.logits(finished, genes, features))
        if not np.isfinite(found).all():
            raise FitnessError("its predictions are not finite")
        return found

    def measures(self, answers: Float32, features: Float32, labels: NDArray[np.int64]) -> Mapping[str, float]:
        """Return the measures of predictions (N, V) for images."""
        return self.aim.measures(answers, features, labels, self.lesson.class_names, self.lesson.also)

    def validated(self, first: int) -> tuple[dict[str, float], int]:
        """Return measures by cross-validation, averaged over repeats with folds numbered from `first`; and the steps.

        In a repeat, each image is predicted by the network that has not learned from it, and all predictions are
        measured together.
        """
        rung, found, steps = len(self.lesson.rungs) - 1, [], 0
        features, _ = self.lesson.train.read()
        first_of = first_alike(features)
        for repeat in range(first, first + self.lesson.repeats):
            folds = folds_of(self.labels, self.lesson.folds, repeat, first_of)
            answers: dict[int, Float32] = {}
            for fold in np.unique(folds).tolist():
                there = array_module(self.features).asarray
                others, held = (there(np.flatnonzero(chosen)) for chosen in (folds != fold, folds == fold))
                learning = dataclasses.replace(
                    self, features=self.features[others], labels=self.labels[folds != fold],
                    fold=f".{repeat}-{fold}" if repeat or fold else "",
                )  # fmt: skip
                kept = learning.to_rung(rung)
                answers[fold] = learning.answers(kept, self.features[held])
                steps = steps or kept.state.generation
            order = np.argsort(folds, kind="stable")  # of the images, as they were predicted
            answered = np.concatenate(list(answers.values()))
            found.append(self.measures(answered, features[order], self.labels[order]))
        return {name: float(np.mean([one[name] for one in found])) for name in found[0]}, steps


def first_alike(features: Float32) -> NDArray[np.int64]:
    """Return the index of the first image that equals each of (N, I), pixel by pixel: its own for most, (N,)."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(one, place) for place, one in enumerate(fingerprints(features))], np.int64)


def folds_of(
    labels: NDArray[np.int64], folds: int, repeat: int, first_of: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Return the fold of each image (N,): each class is dealt out evenly, in a different order in each repeat.

    Equal images are in one fold, that of the first: `first_of` (N,), from `first_alike`.
    """
    found = np.empty(len(labels), np.int64)
    keys = Stream(0).words(Purpose.SPLIT, 1 + repeat, 0, len(labels))
    dealt = 0
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[np.argsort(keys[own], kind="stable")]
        found[own] = (dealt + np.arange(len(own))) % folds
        dealt += len(own)
    return found if first_of is None else found[first_of]


def kept_in(path: str | Path, network: Network, generation: int | None) -> Kept | None:
    """Return what a state file stores of an individual; None unless it fits the network and the step, if given."""
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as file:
            arrays = {name: np.asarray(file[name]) for name in STATE}
            steps = int(file["generation"])
            known = np.asarray(file["known"]) if "known" in file else None
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    genes, statistics, moments = (arrays[name] for name in STATE)
    shapes = (network.gene_count,), network.first_statistics.shape, (2, network.gene_count)
    if (genes.shape, statistics.shape, moments.shape) != shapes or generation not in (None, steps):
        return None
    floats = (genes, statistics, moments, *(() if known is None else (known,)))
    if any(array.dtype != np.float32 for array in floats):
        return None
    return Kept(GradientState(steps, genes, statistics, moments, np.zeros_like(genes)), known)
