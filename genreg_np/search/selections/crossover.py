"""Selection with crossover and mutation, generation by generation.

The first P individuals are random. In later generations each has two parents, each the best of three drawn from the P
fittest of all previous generations; it takes each block (architecture, optimiser, data) as a whole from one of them,
and one or two of its genes mutate.
"""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection, best_of, tournament
from genreg_np.search.trials import Trial

CONTENDERS = 3


class Crossover(Selection):
    """The selection `crossover`."""

    name = "crossover"

    def needs(self, child: int) -> int:
        """Return the number of individuals in previous generations."""
        return self.first_of_generation(child)

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a child of two of the fittest; a random one in the first generation, or if all have failed."""
        fittest = best_of(judged, self.population)
        if not fittest:
            return Bred(space.drawn(draws))
        one, other = (tournament(fittest, CONTENDERS, draws) for _ in range(2))
        crossed = space.crossed(one.genome, other.genome, draws)
        genome = space.mutated(crossed, draws)
        changes = ", ".join(space.changes(genome, crossed)) or "nothing"
        return Bred(genome, (one.child, other.child), f"crossed, and mutated: {changes}")
