"""Differential evolution, as in DEHB (Awad, Mallik & Hutter 2021): genomes are points of a cube, and differences step.

A genome is a point x in [0, 1]^G, each gene at its place. For the i-th of a population, a mutant and a child are

    v = a + F (b - c)          a, b, c three others of the population          (rand/1)
    u = v or x, gene by gene: v with probability C, one gene at least          (binomial crossover)

and the child takes the place of x if it is fitter. What leaves the cube is drawn anew. F = C = .5 as there. The first P
are random; later ones see the population as it was when their generation began.

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
    summary = "differences of genomes step, and children replace whom they beat: DEHB"
    least = 4

    def needs(self, child: int) -> int:
        """Return all of the generations before."""
        return self.first_of_generation(child)

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a child of the one whose place it would take, and of three others."""
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
        """Return the population: of each place the fittest so far, of equals the latest."""
        return [
            max(judged[place :: self.population], key=lambda trial: (trial.score, trial.tie, trial.child))
            for place in range(self.population)
        ]
