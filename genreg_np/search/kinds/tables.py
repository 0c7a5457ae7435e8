"""The kind `table`: pipelines, which need not be networks (search/tabular)."""

from __future__ import annotations

from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Space
from genreg_np.search.tabular.space import Traits, models_of, space_of


class Tables:
    """The kind `table`; search/tables.py has its lessons and results."""

    name = "table"
    file = "pipeline.py"

    @staticmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes, given the table's traits in the configuration."""
        return space_of(models_of(config.models), Traits.read(config.traits))
