"""Of each champion of a run on a dataset, the best that the validation split has seen: saved if `keep` is not last.

Accuracy on few validation images rises and falls long after anything is learned, and falls for good where a network
learns its training images by heart. Of equals the later one stays, which was trained for longer; without a look that is
better than the last one, the last one is what is saved.
"""

from __future__ import annotations

from collections.abc import Mapping

from genreg_np.runs.best_ever import BestEver

Standing = dict[str, BestEver]  # champions by name; their fitness is the accuracy on the validation split, 0 .. 1


def better(before: Mapping[str, BestEver], now: Standing) -> Standing:
    """Return, of each champion of `now`, the better one of both; `before` may lack some."""
    return {
        name: before[name] if name in before and before[name].fitness > found.fitness else found
        for name, found in now.items()
    }
