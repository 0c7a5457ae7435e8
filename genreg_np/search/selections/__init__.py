"""Selections: how the parents of a child are chosen. One module and one entry in REGISTRY each."""

from __future__ import annotations

from genreg_np.search.selections.base import Selection
from genreg_np.settings import look_up

REGISTRY = {
    "steady": "genreg_np.search.selections.steady:Steady",
    "crossover": "genreg_np.search.selections.crossover:Crossover",
    "elitist": "genreg_np.search.selections.elitist:Elitist",
    "differential": "genreg_np.search.selections.differential:Differential",
    "random": "genreg_np.search.selections.random_:Random",
}


def create(name: str, population: int) -> Selection:
    """Return a selection by name.

    Raises
    ------
    UsageError
        For an unknown name, or an unsupported population size.
    """
    found: Selection = look_up(REGISTRY, name, "selection")(population)
    return found
