"""`keep = refit`: what the validation split found best is trained again, and learns from that split as well.

Data of one's own are few, and a sixth of them is held out to choose by. Once it has chosen - a champion, and the
generation it is of - nothing is left for it to say, and a run from the start, of the same seed and settings and up to
that generation, learns from both splits, as do the fixed layers that scale inputs and fill in what is missing. Scores
on the validation split are those of before. (Goodfellow, Bengio & Courville 2016, "Deep Learning", algorithm 7.2.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from genreg_np.data.dataset import Dataset
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution

Start = Callable[[TrainConfig, Dataset], Evolution]  # begins a run as another was begun


@dataclass(frozen=True)
class Refit:
    """A run that has learned from both splits, and its champion, with what the first one reached on validation."""

    run: Evolution
    champion: BestEver


def refitted(
    run: Evolution, genome: str, found: BestEver, start: Start, should_stop: Callable[[], bool]
) -> Refit | None:
    """Train a champion again, from the rows that it was trained on and those that chose it.

    Parameters
    ----------
    run : Evolution
        What chose it.
    genome : str
        Its name.
    found : BestEver
        What it reached on the validation split, and when.
    start : callable
        start(config, dataset) -> a run as `run` was begun.
    should_stop : callable
        Asked before each generation.

    Returns
    -------
    Refit or None
        None where it was stopped.
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
    """Go on up to a generation; whether it was reached."""
    while run.generation < generation:
        if should_stop():
            return False
        run.step()
    return True
