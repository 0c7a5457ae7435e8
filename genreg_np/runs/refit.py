"""`keep = refit`: the best genome on the validation split is trained again, with that split as training data as well.

Users' data are often few, and a sixth of them is held out for validation. Once validation has chosen a champion and its
generation, it is no longer needed: a new run with the same seed and settings, up to that generation, learns from both
splits, as do the fixed layers that scale inputs and fill in missing values. Scores on the validation split are those of
the first run. (Goodfellow, Bengio & Courville 2016, "Deep Learning", algorithm 7.2.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from genreg_np.data.dataset import Dataset
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution

Start = Callable[[TrainConfig, Dataset], Evolution]  # starts a run as another was started


@dataclass(frozen=True)
class Refit:
    """A run that has learned from both splits, and its champion, with the first run's score on validation."""

    run: Evolution
    champion: BestEver


def refitted(
    run: Evolution, genome: str, found: BestEver, start: Start, should_stop: Callable[[], bool]
) -> Refit | None:
    """Train a champion again, on both the training and the validation split.

    Parameters
    ----------
    run : Evolution
        The run that chose it.
    genome : str
        Its name.
    found : BestEver
        Its score on the validation split, and its generation.
    start : callable
        start(config, dataset) -> a run started as `run` was.
    should_stop : callable
        Called before each generation.

    Returns
    -------
    Refit or None
        None if it was stopped.
    """
    assert run.dataset is not None
    first = run.config.replace(**{change["setting"]: change["old"] for change in reversed(run.changes)})
    both = run.dataset.train.with_(run.dataset.validation)
    again = start(first, dataclasses.replace(run.dataset, train=both))
    for change in run.changes:
        if change["generation"] >= found.generation:
            break
        if not _advance(again, change["generation"], should_stop):
            return None
        again.change(**{change["setting"]: change["new"]})
    if not _advance(again, found.generation, should_stop):
        return None
    return Refit(again, dataclasses.replace(found, genes=again.champion_genes()[genome]))


def _advance(run: Evolution, generation: int, should_stop: Callable[[], bool]) -> bool:
    """Continue up to a generation, and return whether it was reached."""
    while run.generation < generation:
        if should_stop():
            return False
        run.step()
    return True
