"""Ageing evolution: the young replace the old, whether they are fitter or not.

The population are the last P individuals that were judged. A child is a mutant of the best of some that are drawn from
them (Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search"): who was lucky once dies as
all do, and only what is good again and again lasts. There are no generations to wait for; a child is bred of what was
judged eight children ago, however many workers there are.
"""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection, mutated, tournament
from genreg_np.search.trials import Trial

LAG = 8  # children under way at a time that do not wait for one another
SHARE = 0.25  # of the population that contend
RATE = 0.06  # of expressed genes that mutate: one or two


class Steady(Selection):
    """The selection `steady`."""

    name = "steady"
    summary = "mutants of the best of a few, the old die: ageing evolution"

    def needs(self, child: int) -> int:
        """Return all but the last eight; none while the first population is drawn."""
        return child - LAG if child >= self.population else 0

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a mutant; a random one for the first population, and while nobody is fit."""
        living = [trial for trial in judged[-self.population :] if trial.is_ok]
        if not living:
            return Bred(space.drawn(draws))
        parent = tournament(living, max(2, round(SHARE * self.population)), draws)
        return mutated(parent, space, draws, RATE)
