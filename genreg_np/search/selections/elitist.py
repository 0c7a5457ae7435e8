"""Elitist selection, as the article has it: the fit are carried over with their scores, the rest are new random ones.

A generation is P individuals, of which the fittest quarter of all so far are kept; they are not judged again, so the
others of the next generation, new random ones, are all that is computed. Nobody has parents: what is found is what
random search finds, and what it adds is that whoever is fit stays.
"""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection
from genreg_np.search.trials import Trial


class Elitist(Selection):
    """The selection `elitist`."""

    name = "elitist"
    summary = "the fit are kept with their scores, the rest are new random ones"
    least = 1

    def needs(self, child: int) -> int:
        """Return 0: new ones are random, whoever is kept."""
        return 0

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return any genome."""
        return Bred(space.drawn(draws), how="new and random")
