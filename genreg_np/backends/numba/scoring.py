"""Scores and outputs of a brood, computed by threads that share its tiles; which thread takes which does not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Brood, Judgement, numbers_of, tiles_of
from genreg_np.backends.numba.broods import BroodTiles, Judging, Share
from genreg_np.backends.numba.stacks import StackedTiles
from genreg_np.fitness import Score
from genreg_np.layers.composite import Stack
from genreg_np.model import Float32


def score(
    brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None, share_out: Share, stack: Callable[[], Stack]
) -> Judgement:
    """Compute Backend.score; `stack` creates the layers of one thread for networks that are not all dense."""
    return _computed(brood, batch, chosen, share_out, stack).judgement.of(chosen)


def outputs(
    brood: Brood, features: Float32, chosen: NDArray[np.integer] | None, share_out: Share, stack: Callable[[], Stack]
) -> Float32:
    """Compute Backend.outputs."""
    count = len(features)
    batch = Batch(features, np.zeros(count, np.int64), np.ones(count), Score.LOG_PROBABILITY)
    numbers = numbers_of(brood.size, chosen)
    distinct, places = np.unique(numbers, return_inverse=True)
    answers = np.empty((len(distinct), count, brood.network.outputs), np.float32)
    _computed(brood, batch, distinct, share_out, stack, answers)
    return answers if len(distinct) == len(numbers) and chosen is None else answers[places]


def _computed(
    brood: Brood,
    batch: Batch,
    chosen: NDArray[np.integer] | None,
    share_out: Share,
    stack: Callable[[], Stack],
    answers: Float32 | None = None,
) -> Judging:
    """Compute all tiles that hold chosen genomes; store their outputs in `answers` if it is given."""
    tiles = BroodTiles(brood, batch) if brood.network.is_dense else StackedTiles(brood, batch, stack)
    one, size = tiles.plan(share_out)
    if answers is not None:
        assert chosen is not None
        tiles.keep_answers(answers, chosen)
    needed = tiles_of(brood.size, size, chosen)

    def do(first: int, last: int) -> None:
        for tile in needed[first:last]:
            one(tile, tile + 1)

    share_out(len(needed), do)
    return tiles
