"""Two populations in parallel: models with their optimisers, and augmentation policies.

Of every three children two are models and one is a policy. A model is judged under the best known policy, a policy by
the score of the best known model under it; each population is bred by its own selection, from its own results only. The
fitness of both is the search's: a metric, or a weighted sum of metrics and costs.

So neither has to search the product of both spaces. The price is that a score belongs to a pair, and that older pairs
had a different other half.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Genome, Space
from genreg_np.search.selections.base import Bred, Selection, best_of
from genreg_np.search.trials import Trial

OF_THREE = 3
POLICY = 2  # index of the policy among three children


class Paired(Selection):
    """Two selections in one.

    Parameters
    ----------
    models, policies : Selection
    policy : sequence of str
        The blocks of genes that belong to a policy; all others belong to a model.
    """

    name = "paired"

    def __init__(self, models: Selection, policies: Selection, policy: Sequence[str]) -> None:
        super().__init__(max(2, models.population))
        self._models, self._policies, self._blocks = models, policies, tuple(policy)

    def needs(self, child: int) -> int:
        """Return how many children its own population needs; if none, those before its generation, for a partner."""
        own, place, position = self._own(child)
        wanted = own.needs(place)
        return position(wanted - 1) + 1 if wanted else self.first_of_generation(child)

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return a model with the best policy, or a policy with the best model."""
        own, place, position = self._own(child)
        is_policy = own is self._policies
        blocks = [block for block in space.blocks if (block in self._blocks) == is_policy]
        mine, others = space.only(blocks), space.only([block for block in space.blocks if block not in blocks])
        kin = [_as_own(trial, number, mine) for number, trial in enumerate(self._kin(judged, is_policy))]
        bred = own.breed(place, kin[: own.needs(place)], mine, draws)
        best = best_of(self._kin(judged, not is_policy), 1) or best_of(judged, 1)
        rest = best[0].genome if best else others.drawn(draws)
        genome: Genome = {gene.name: {**rest, **bred.genome}[gene.name] for gene in space.genes}
        parents = tuple(position(parent) for parent in bred.parents)
        what, other = ("policy", "model") if is_policy else ("model", "policy")
        beside = f", with the {other} of {best[0].child}" if best else ""
        return Bred(genome, parents, f"{what}: {bred.how}{beside}")

    def _own(self, child: int) -> tuple[Selection, int, Callable[[int], int]]:
        """Return the population of a child, its place in it, and a function from places to children."""
        group, one = divmod(child, OF_THREE)
        if one == POLICY:
            return self._policies, group, lambda place: OF_THREE * place + POLICY
        return self._models, POLICY * group + one, lambda place: place + place // POLICY

    @staticmethod
    def _kin(judged: Sequence[Trial], is_policy: bool) -> list[Trial]:
        return [trial for trial in judged if (trial.child % OF_THREE == POLICY) == is_policy]


def _as_own(trial: Trial, number: int, space: Space) -> Trial:
    """Return a trial as its own population sees it: with its number there, and its own genes."""
    genome = {gene.name: trial.genome[gene.name] for gene in space.genes}
    return dataclasses.replace(trial, child=number, genome=genome, expressed=space.expressed(genome))
