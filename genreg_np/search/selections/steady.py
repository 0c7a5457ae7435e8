"""Ageing evolution: the young replace the old, whether they are fitter or not.

The population is the last P individuals that were judged. A child is a mutant of the best of a random sample of them
(Real et al. 2019, "Regularized Evolution for Image Classifier Architecture Search"), of those that break no rule if
there are any: individuals that were lucky once die like all others, and only what is good repeatedly persists. There
are no generations to wait for; a child is bred from individuals up to eight children ago, whatever the number of
workers.
"""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection, mutated, tournament
from genreg_np.search.trials import Trial

LAG = 8  # children bred without waiting for one another
SHARE, LEAST = 0.25, 3  # share of the population in a tournament, and how many at least


class Steady(Selection):
    """The selection `steady`."""

    name = "steady"

    def needs(self, child: int) -> int:
        """Return all but the last eight; none while the first population is drawn."""
        return child - LAG if child >= self.population else 0

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a mutant; a random individual in the first population, or if all have failed."""
        living = [trial for trial in judged[-self.population :] if trial.is_ok]
        sound = [trial for trial in living if not trial.metrics.get("violations")]  # of pairs: gan/health.py
        if not living:
            return Bred(space.drawn(draws))
        parent = tournament(sound or living, max(LEAST, round(SHARE * self.population)), draws)
        return mutated(parent, space, draws)
