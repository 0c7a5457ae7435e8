"""What is searched for in tables: pipelines, which are no networks of one kind (search/tabular)."""

from __future__ import annotations

from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Space
from genreg_np.search.tabular.space import Traits, models_of, space_of


class Tables:
    """The kind `table`; its lessons and results are those of search/tables.py."""

    name = "table"
    file = "pipeline.py"

    @staticmethod
    def space_of(config: SearchConfig) -> Space:
        """Return the genes, by what the configuration tells of the table."""
        return space_of(models_of(config.models), Traits.read(config.traits))
