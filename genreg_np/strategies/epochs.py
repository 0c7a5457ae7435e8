"""Batches with every training image once per epoch, in an order that is a pure function of seed and epoch.

Shapes: M training images, N images of a batch.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch
from genreg_np.errors import UsageError
from genreg_np.fitness import Score
from genreg_np.model import Network
from genreg_np.strategies.problem import Problem
from genreg_np.streams import Purpose, Stream

UNMOVED = np.zeros(1, np.int64)  # the offsets of images that are not shifted
WORDS = 4096  # drawn at a time, for several epochs if they are short: each call takes as long as some thousand words


def training_batch(problem: Problem, batch_size: int, scoring: tuple[Score, float, float]) -> Batch:
    """Return all labelled features as one batch, with the weights (N,) of the batches to be drawn from it.

    Raises
    ------
    UsageError
        Without labelled data, or without the user's fitness if scoring needs it.
    """
    if problem.features is None or problem.labels is None:
        raise UsageError(
            "this strategy scores images: it needs a dataset (those that keep a population, such as genreg, take a "
            "fitness of whole models)"
        )
    if scoring[0] is Score.CUSTOM and problem.image_fitness is None:
        raise UsageError("fitness = custom needs a function: pass image_fitness= to Evolution, train or resume")
    weights = np.ones(min(batch_size, len(problem.labels)))
    own, importance = problem.image_fitness, problem.weights
    return Batch(problem.features, problem.labels, weights, *scoring, function=own, importance=importance)


def genome_batch(problem: Problem, batch_size: int, scoring: tuple[Score, float, float]) -> Batch | None:
    """Return the same for strategies that score whole genomes; None if their fitness comes from the user."""
    if problem.features is None or problem.labels is None or scoring[0] is Score.CUSTOM:
        return None
    return training_batch(problem, batch_size, scoring)


def no_batch() -> UsageError:
    """Return the error for a generation that is to be scored without a dataset or built-in fitness."""
    return UsageError(
        "there is no dataset or built-in fitness to score with: use ask() and tell(), or run(fitness=...)"
    )


def draw_batch(whole: Batch, offsets: NDArray[np.int64], stream: Stream, generation: int) -> Batch:
    """Return a generation's images; a last batch of an epoch that would be too small is omitted.

    Parameters
    ----------
    whole : Batch
        All M images and labels, and the weights (N,) of a batch.
    offsets : (n,) int64
        Places by which an image's features may be rolled, one of them drawn for each image and epoch.
    """
    rows, draws = rows_of(len(whole.labels), len(whole.weights), stream, generation)
    shifts = offsets[(draws * len(offsets)) >> 16] if len(offsets) > 1 else None
    weights = whole.weights if whole.importance is None else whole.weights * whole.importance[rows]
    return dataclasses.replace(whole, rows=rows, labels=whole.labels[rows], weights=weights, shifts=shifts)


def rows_of(images: int, size: int, stream: Stream, generation: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of a generation's batch of `size` images, and a draw from 0 .. 65,535 for each, (N,)."""
    epoch, place = divmod(generation, images // size)
    order, draws = epoch_order(stream, epoch, images)
    rows = order[place * size : (place + 1) * size].copy()
    return rows, draws[rows]


@functools.lru_cache(maxsize=2)
def epoch_order(stream: Stream, epoch: int, images: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the order of all images in an epoch, and a draw from 0 .. 65,535 for each, both (M,).

    A pure function, cached because it is expensive.
    """
    together = max(1, WORDS // images)
    words = _epoch_words(stream, epoch // together * together, together, images)[epoch % together]
    return np.argsort(words, kind="stable"), (words & np.uint32(0xFFFF)).astype(np.int64)


@functools.lru_cache(maxsize=2)
def _epoch_words(stream: Stream, first: int, epochs: int, images: int) -> NDArray[np.uint32]:
    """Return a word for each image in each of several epochs, (E, M)."""
    blocks = np.arange(-(-images // 4))
    numbers = np.arange(first, first + epochs)[:, None]
    return stream.blocks(Purpose.EPOCH, numbers, np.zeros_like(numbers), blocks).reshape(epochs, -1)[:, :images]


def flat_offsets(network: Network, shift: int) -> NDArray[np.int64]:
    """Return the places by which to roll features to shift an image by up to `shift` pixels each way.

    Raises
    ------
    UsageError
        If the network does not see images.
    """
    if not shift:
        return UNMOVED
    if len(network.input_shape) < 2 or network.fixed:
        raise UsageError(f"shift = {shift} moves images, but the network sees features of {network.input_shape}")
    by_channels = len(network.input_shape) == 3 and network.input_shape[0] in (1, 3)
    height, width = network.input_shape[1:] if by_channels else network.input_shape[:2]
    places = math.prod(network.feature_shape)
    together = 1 if by_channels else places // (height * width)  # adjacent values of a pixel
    moves = np.arange(-shift, shift + 1)
    offsets: NDArray[np.int64] = (moves[:, None] * width + moves).ravel() * together % places
    return offsets
