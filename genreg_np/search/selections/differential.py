"""Differential evolution (Storn & Price 1997): genomes are points in a cube.

A genome is a point x in [0, 1]^G, with a coordinate for each gene. For the i-th of the population, mutant and child are

    v = a + F (b - c)          a, b, c three others of the population          (rand/1)
    u = v or x, gene by gene: v with probability C, at least once              (binomial crossover)

and the child replaces x if it is fitter. Coordinates outside the cube are redrawn. F = C = .5, as in DEHB
(Awad, Mallik & Hutter 2021). The first P are random; later ones use the population as it was at the start of their
generation. Of DEHB only these numbers are taken: it evolves a population at every rung (docs/deviations.md).

Shapes: G genes, P the population.
"""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Space
from genreg_np.search.selections.base import Bred, Selection
from genreg_np.search.trials import Trial

SCALE, CROSSING = 0.5, 0.5  # F, C


class Differential(Selection):
    """The selection `differential`."""

    name = "differential"
    least = 4

    def needs(self, child: int) -> int:
        """Return the number of individuals in previous generations."""
        return self.first_of_generation(child)

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a child of the individual that it may replace, and of three others."""
        if not judged:
            return Bred(space.drawn(draws))
        population = self._living(judged)
        target = population[child % self.population]
        a, b, c = draws.some_of([trial for trial in population if trial is not target], 3)
        sure = draws.below(len(space.genes))
        genome = {}
        for place, gene in enumerate(space.genes):
            here, start, end, base = (gene.place(trial.genome[gene.name]) for trial in (target, c, b, a))
            moved = base + SCALE * (end - start)
            crossing, anew = draws.unit() < CROSSING or place == sure, draws.unit()
            found = moved if crossing else here
            genome[gene.name] = gene.at(found if 0 <= found <= 1 else anew)
        return Bred(genome, (target.child, a.child, b.child, c.child), f"differs from {target.child}")

    def _living(self, judged: Sequence[Trial]) -> list[Trial]:
        """Return the population: the fittest so far in each place; the latest among equals."""
        return [
            max(judged[place :: self.population], key=lambda trial: (trial.score, trial.tie, trial.child))
            for place in range(self.population)
        ]
