"""What a selection is: a rule that breeds a child from earlier individuals.

    needs(child)        how many of the first individuals must have been judged, at the lowest rung, before it is bred
    breed(...)          its genome: a pure function of their results and of the child's draws

Nothing else is remembered. So a search breeds the same children for any number of workers, and resumes from its record
alone. All results are from the lowest rung, so they are compared after equal numbers of samples.

Shapes: P the population.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Genome, Space
from genreg_np.search.trials import Trial
from genreg_np.settings import whole_number

RANDOM, UNSELECTED = "random", "mutated, as nothing that was drawn fits the limits"  # how a child was bred
SETTLED = 6  # populations after which all depends on earlier ones; where generations begin, of two populations also


@dataclass(frozen=True)
class Bred:
    """A child, its parents, and how it was bred."""

    genome: Genome
    parents: tuple[int, ...] = ()
    how: str = RANDOM


class Selection(ABC):
    """A rule of selection with a population of P individuals."""

    name: ClassVar[str]
    least: ClassVar[int] = 2

    def __init__(self, population: int) -> None:
        self.population = whole_number(population, "population", least=self.least)

    @abstractmethod
    def needs(self, child: int) -> int:
        """Return how many of the first individuals must have been judged before this one is bred."""

    @abstractmethod
    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a child.

        Parameters
        ----------
        child : int
        judged : sequence of Trial
            The first `needs(child)` individuals, in order, including failed ones.
        space : Space
        draws : Draws
            The child's random choices.
        """

    def at_once(self, most: int) -> int:
        """Return how many children can be judged at the same time, `most` at most, after the first populations."""
        judged = SETTLED * self.population
        return next((more for more in range(most) if self.needs(judged + more) > judged), most)

    def first_of_generation(self, child: int) -> int:
        """Return the first child of a child's generation, where a generation is P children."""
        return child - child % self.population


def best_of(trials: Sequence[Trial], count: int) -> list[Trial]:
    """Return the best judged trials, best first; fewer than `count` if there are fewer."""
    return sorted((trial for trial in trials if trial.is_ok), key=lambda trial: trial.rank, reverse=True)[:count]


def tournament(trials: Sequence[Trial], size: int, draws: Draws) -> Trial:
    """Return the best of `size` randomly drawn trials."""
    return max(draws.some_of(trials, size), key=lambda trial: trial.rank)


def mutated(parent: Trial, space: Space, draws: Draws) -> Bred:
    """Return a mutated child of one parent."""
    genome = space.mutated(parent.genome, draws)
    return Bred(genome, (parent.child,), f"mutated: {', '.join(space.changes(genome, parent.genome)) or 'nothing'}")
