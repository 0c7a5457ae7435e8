"""Recreate the initial genes of a run: a run with the same seed and settings begins with the same ones.

They depend on the seed and the network, not on the training data, so a few inputs of each class suffice, and save time.
"""

from __future__ import annotations

import dataclasses
from typing import cast

import numpy as np

from genreg_np.data.dataset import SPLITS, Dataset, Split
from genreg_np.errors import GenregError
from genreg_np.infer import ModelError
from genreg_np.model import Float32, Model, load
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.stored import StoredRun
from genreg_np.strategies.base import AnyPopulationStrategy

MOST_INPUTS = 2000  # of a split
BY_DATA = ("genreg-2",)  # strategies whose first genes depend on all training images, and on evolved filters


def initial_genes(run: StoredRun, model: Model, dataset: Dataset | None) -> Float32 | None:
    """Return the genes (D,) of a genome of a run's generation 0; None if they cannot be made, or not quickly.

    Parameters
    ----------
    run : StoredRun
    model : Model
        The run's result.
    dataset : Dataset or None
        The data it was trained on; None if they are not available, or the fitness was a custom one.
    """
    if run.config.strategy in BY_DATA or model.is_int8:
        return None
    start = run.path / "initial.npz"
    try:
        evolution = Evolution(
            run.config,
            None if dataset is None else _some_of(dataset),
            network=model.network if dataset is None else None,
            backend="numpy",
            initial=load(start) if start.exists() else None,
        )
        genes = _first_of(evolution)
    except (GenregError, ModelError):
        return None
    return genes if evolution.network.finished.learning == model.network.learning else None


def _first_of(evolution: Evolution) -> Float32:
    """Return the champion that a run begins with, or a genome of generation 0 if there is only a population.

    The latter calls `breed` instead of `ask`, which would build all genomes.
    """
    state = evolution.state
    if evolution.strategy.keeps_population and not np.any(getattr(state, "genes", 0)):
        brood = cast(type[AnyPopulationStrategy], evolution.strategy).breed(state, evolution.context, evolution.stream)
        genes = evolution.backend.to_host(evolution.backend.rebuild(brood, np.zeros(1, np.int64)))[0]
        return evolution.network.finish(genes, state.kept_statistics())[1]
    return next(iter(evolution.champions_of(state).values()))


def _some_of(dataset: Dataset) -> Dataset:
    """Return a dataset with at most MOST_INPUTS inputs per split, some of each class."""
    train, validation, test = (_some(dataset.split(name)) for name in SPLITS)
    return dataclasses.replace(dataset, train=train, validation=validation, test=test)


def _some(split: Split) -> Split:
    order = np.argsort(split.labels, kind="stable")
    _, first = np.unique(split.labels[order], return_index=True)
    chosen = np.union1d(order[:: -(-len(order) // MOST_INPUTS) or 1], order[first])
    return Split(split.inputs[chosen], split.labels[chosen])
