"""The kinds of individuals that can be searched for: a module here and an entry in NETWORKS or REGISTRY each."""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.errors import UsageError
from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Space
from genreg_np.search.kinds.autoencoders import Autoencoders
from genreg_np.search.kinds.base import Kind
from genreg_np.search.kinds.classifiers import Classifiers
from genreg_np.search.kinds.gans import Gans
from genreg_np.search.kinds.tables import Tables

NETWORKS: dict[str, type[Kind]] = {kind.name: kind for kind in (Classifiers, Autoencoders, Gans)}
REGISTRY: dict[str, type[Kind] | type[Tables]] = {**NETWORKS, Tables.name: Tables}


def kind_of(config: SearchConfig, shape: tuple[int, ...], class_names: Sequence[str]) -> Kind:
    """Return the kind of a search, for images of a shape.

    Raises
    ------
    UsageError
        For settings of a search for pipelines.
    """
    if config.kind not in NETWORKS:
        raise UsageError(f"kind = {config.kind!r} is not for images: choose one of {', '.join(NETWORKS)}")
    return NETWORKS[config.kind](config, shape, class_names)


def space_of(config: SearchConfig) -> Space:
    """Return the genes of a search."""
    return REGISTRY[config.kind].space_of(config)
