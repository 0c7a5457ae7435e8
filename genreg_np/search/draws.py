"""The random choices of a search, in sequence: a pure function of seed, child and attempt."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TypeVar

from genreg_np.streams import Purpose, Stream

T = TypeVar("T")
AT_ONCE = 64  # words drawn at a time
TWELVE = 12  # uniform draws whose sum is nearly normal, with variance 1; no library's logarithm can alter a bit


class Draws:
    """The random choices for one child.

    Parameters
    ----------
    seed : int
        The seed of the search.
    child : int
        The number of the child.
    attempt : int
        0 at first; counts up after each rejected genome.
    """

    def __init__(self, seed: int, child: int, attempt: int = 0) -> None:
        self._words = self._drawn(Stream(seed), child, attempt)

    def unit(self) -> float:
        """Return a number in [0, 1)."""
        return next(self._words) / 2**32

    def below(self, count: int) -> int:
        """Return an integer in 0 .. count - 1."""
        return next(self._words) * count >> 32

    def one_of(self, things: Sequence[T]) -> T:
        """Return one of the items."""
        return things[self.below(len(things))]

    def some_of(self, things: Sequence[T], count: int) -> list[T]:
        """Return `count` distinct items, or all of them, shuffled, if there are fewer."""
        left = list(things)
        return [left.pop(self.below(len(left))) for _ in range(min(count, len(left)))]

    def normal(self) -> float:
        """Return an approximately standard normal number, in -6 .. 6."""
        return math.fsum(self.unit() for _ in range(TWELVE)) - TWELVE / 2

    @staticmethod
    def _drawn(stream: Stream, child: int, attempt: int) -> Iterator[int]:
        words = AT_ONCE
        done = 0
        while True:
            yield from map(int, stream.words(Purpose.SEARCH, child, attempt, words)[done:])
            done, words = words, 2 * words
