"""Strategies, by which networks evolve: one file each, one line here; base.py defines the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from genreg_np.errors import UsageError
from genreg_np.settings import look_up

if TYPE_CHECKING:
    from genreg_np.strategies.base import AnyPopulationStrategy, AnyStrategy

REGISTRY = {
    "genreg": "genreg_np.strategies.genreg:Genreg",
    "node-perturbation": "genreg_np.strategies.node_perturbation:NodePerturbation",
    "detector-bank": "genreg_np.strategies.detector_bank:DetectorBank",
    "genreg-2": "genreg_np.strategies.genreg_2:Genreg2",
    "evolution-strategy": "genreg_np.strategies.evolution_strategy:EvolutionStrategy",
    "mixed": "genreg_np.strategies.mixed.strategy:Mixed",
    "gradient": "genreg_np.strategies.gradient:GradientDescent",
    "random-search": "genreg_np.strategies.random_search:RandomSearch",
    "cma-es": "genreg_np.strategies.cma_es:CmaEs",
}


def strategy_class(name: str) -> type[AnyStrategy]:
    """Return the strategy called `name`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    found: type[AnyStrategy] = look_up(REGISTRY, name, "strategy")
    return found


def population_class(name: str) -> type[AnyPopulationStrategy]:
    """Return the strategy called `name`, which must keep a population.

    Raises
    ------
    UsageError
        For an unknown name, or a strategy that has no genomes to hand out; the message lists those that have.
    """
    found = strategy_class(name)
    if not found.keeps_population:
        able = [other for other in REGISTRY if strategy_class(other).keeps_population]
        raise UsageError(
            f"strategy {name} has no genomes to hand out: choose one of {', '.join(able)} for your own fitness"
        )
    return cast("type[AnyPopulationStrategy]", found)
