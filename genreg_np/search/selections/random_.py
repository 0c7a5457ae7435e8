"""Random search, the baseline of all other selections: every individual is new."""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection
from genreg_np.search.trials import Trial


class Random(Selection):
    """The selection `random`."""

    name = "random"
    least = 1

    def needs(self, child: int) -> int:
        """Return 0."""
        return 0

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a random genome."""
        return Bred(space.drawn(draws))
