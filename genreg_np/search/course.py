"""The course of a search: which individuals are bred and promoted, as a pure function of results.

    rung 0        children 0, 1, 2, ... as the selection breeds them
    rung r + 1    item j is chosen once the first eta (j + 1) items of rung r have been judged: the best of those not
                  yet promoted

Each choice depends on the results up to a number, never on when they arrived. So any number of workers, with any
interruptions, produces the same trials; time decides only how many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from genreg_np.errors import UsageError
from genreg_np.search.draws import Draws
from genreg_np.search.genes import Genome, Space
from genreg_np.search.ladder import Ladder
from genreg_np.search.selections.base import UNSELECTED, Bred, Selection
from genreg_np.search.trials import Trial

MOST_ATTEMPTS = 1000  # genomes drawn for a child before one is mutated from another individual, or giving up
MOST_TWINS = 20  # duplicates of earlier genomes that are redrawn


@dataclass(frozen=True)
class Job:
    """A trial to run."""

    number: int
    rung: int
    item: int  # index within its rung
    child: int
    bred: Bred
    before: Trial | None = None  # the same individual at the rung below


class Course:
    """Keeps what has been bred and judged, and decides what comes next.

    Parameters
    ----------
    space : Space
    selection : Selection
    ladder : Ladder
    seed : int
    fault_of : callable
        fault_of(genome) -> str: why a genome is not feasible, in a word or two; "" if it is.
    first : sequence of genomes
        The first children, instead of ones bred by the selection.
    ranked : callable
        ranked(trials of one rung) -> the same trials with the scores to compare them by (pareto.py).
    """

    def __init__(
        self,
        space: Space,
        selection: Selection,
        ladder: Ladder,
        seed: int,
        fault_of: Callable[[Genome], str],
        first: tuple[Bred, ...] = (),
        ranked: Callable[[Sequence[Trial]], Sequence[Trial]] = lambda trials: trials,
    ) -> None:
        self.ladder, self.space, self._selection, self._seed = ladder, space, selection, seed
        self._fault_of, self._first, self._ranked = fault_of, first, ranked
        self.bred: list[Bred] = []
        self.faults: dict[str, int] = {}  # infeasible genomes, by reason
        self._keys: set[str] = set()
        self._chosen: list[list[int]] = [[] for _ in ladder.samples]  # children by rung and item
        self._results: list[dict[int, Trial]] = [{} for _ in ladder.samples]  # by rung and child
        self._handed: set[int] = set()

    def at_once(self, most: int) -> int:
        """Return about how many trials can run at the same time, promotions included, `most` at most."""
        children, eta = self._selection.at_once(most), self.ladder.eta
        return min(most, children * eta // (eta - 1) if len(self.ladder.samples) > 1 else children)

    # What comes next

    def jobs(self, children: int) -> Iterator[Job]:
        """Yield the trials that can start now and have not been handed out, highest rungs first.

        Parameters
        ----------
        children : int
            How many children to breed at most.

        Raises
        ------
        UsageError
            If the limits allow no genome.
        """
        self._promote()
        for rung in range(len(self.ladder.samples) - 1, 0, -1):
            for item, child in enumerate(self._chosen[rung]):
                yield from self._job(rung, item, child)
        while len(self.bred) < children and self._is_due(len(self.bred)):
            self._breed(len(self.bred))
            self._chosen[0].append(len(self.bred) - 1)
            yield from self._job(0, len(self.bred) - 1, len(self.bred) - 1)

    def _job(self, rung: int, item: int, child: int) -> Iterator[Job]:
        number = self.ladder.number(rung, item)
        if number not in self._handed:
            self._handed.add(number)
            before = self._results[rung - 1][child] if rung else None
            yield Job(number, rung, item, child, self.bred[child], before)

    def _is_due(self, child: int) -> bool:
        """Return whether everything that a child depends on has been judged."""
        return child < len(self._first) or self._known(0) >= self._selection.needs(child)

    def _known(self, rung: int) -> int:
        """Return how many items of a rung have been judged, counted up to the first that has not."""
        results = self._results[rung]
        return next(
            (place for place, child in enumerate(self._chosen[rung]) if child not in results), len(self._chosen[rung])
        )

    def _breed(self, child: int) -> None:
        if child < len(self._first):
            bred = self._first[child]
        else:
            judged = [self._results[0][place] for place in range(self._selection.needs(child))]
            bred = self._feasible(child, self._ranked(judged))
        self.bred.append(bred)
        self._keys.add(self.space.key(bred.genome))

    def _feasible(self, child: int, judged: Sequence[Trial]) -> Bred:
        """Return the first feasible child, or a mutant if there is none; as a rule it differs from all earlier ones."""
        twins = 0
        for attempt in range(MOST_ATTEMPTS):
            bred = self._selection.breed(child, judged, self.space, Draws(self._seed, child, attempt))
            fault = self._fault_of(bred.genome)
            if fault:
                self.faults[fault] = self.faults.get(fault, 0) + 1
                continue
            if self.space.key(bred.genome) not in self._keys or twins == MOST_TWINS:
                return bred
            twins += 1
        if self.bred:
            return self._mutant(child)
        reasons = ", ".join(f"{count:,} for {fault}" for fault, count in self.faults.items())
        raise UsageError(f"the limits leave no individual: {MOST_ATTEMPTS:,} genomes were refused ({reasons})")

    def _mutant(self, child: int) -> Bred:
        """Return a feasible mutant of an earlier individual, chosen at random; that individual if it has none."""
        draws = Draws(self._seed, child, MOST_ATTEMPTS)
        for _ in range(MOST_ATTEMPTS):
            parent = draws.below(child)
            before = self.bred[parent].genome
            genome = self.space.mutated(before, draws)
            if self.space.key(genome) not in self._keys and not self._fault_of(genome):
                changes = ", ".join(self.space.changes(genome, before)) or "nothing"
                return Bred(genome, (parent,), f"{UNSELECTED}: {changes}")
        return Bred(before, (parent,), f"{UNSELECTED}: nothing")

    def _promote(self) -> None:
        """Promote individuals, as far as the results allow."""
        for rung in range(1, len(self.ladder.samples)):
            below, chosen = self._chosen[rung - 1], self._chosen[rung]
            while (len(chosen) + 1) * self.ladder.eta <= self._known(rung - 1):
                seen = below[: (len(chosen) + 1) * self.ladder.eta]
                waiting = [self._results[rung - 1][child] for child in seen if child not in chosen]
                chosen.append(max(self._ranked(waiting), key=lambda trial: trial.rank).child)

    def waiting(self, rung: int) -> list[Trial]:
        """Return the results at a rung of individuals that are not at the next one, the best first."""
        above = self._chosen[rung + 1] if rung + 1 < len(self._chosen) else []
        left = [trial for child, trial in self._results[rung].items() if child not in above]
        return sorted(self._ranked(left), key=lambda trial: trial.rank, reverse=True)

    # Results

    def judged(self, trial: Trial) -> None:
        """Record a result."""
        self._results[trial.rung][trial.child] = trial

    @property
    def trials(self) -> list[Trial]:
        """All results, ordered by number."""
        return sorted((trial for rung in self._results for trial in rung.values()), key=lambda trial: trial.number)
