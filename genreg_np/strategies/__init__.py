"""How a population evolves: one file per strategy, one line here.

A strategy is a class with
    problem(dataset, config, backend)           -> Problem, for a strategy that brings its own fixed layers; optional
    name, summary, Options                      its word on the command line; what it is, in a line; its settings
    works(options, depth)                       what it has a backend do with so many learning layers, and so what must
                                                be compiled
    prepare(problem, options, backend)          -> context: what can be recomputed (features, index lists)
    start(context, stream)                      -> state: a frozen dataclass of finite arrays and scalars, whose arrays
                                                   keep their shapes, or which says them by shapes(start)
    step(state, context, stream)                -> state after one more generation, drawing its own batch
    plan(problem, options, backend)             -> Plan: how a generation is computed, and its memory; asked before
                                                   anything is prepared
    champions(state)                            -> {name: genes (D,)} of the backend, the faithful one first
"""

from __future__ import annotations

import importlib
from typing import Any

from genreg_np.errors import UsageError, did_you_mean

REGISTRY = {
    "genreg": "genreg_np.strategies.genreg:Genreg",
    "node-perturbation": "genreg_np.strategies.node_perturbation:NodePerturbation",
    "detector-bank": "genreg_np.strategies.detector_bank:DetectorBank",
    "genreg-2": "genreg_np.strategies.genreg_2:Genreg2",
    "evolution-strategy": "genreg_np.strategies.evolution_strategy:EvolutionStrategy",
    "mixed": "genreg_np.hybrid.strategy:Mixed",
    "random-search": "genreg_np.strategies.random_search:RandomSearch",
}


def strategy_class(name: str) -> Any:
    """Return the strategy called `name`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if not isinstance(name, str) or name not in REGISTRY:
        raise UsageError(f"unknown strategy {name!r}" + did_you_mean(str(name), REGISTRY))
    module, _, attribute = REGISTRY[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
