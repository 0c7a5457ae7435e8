"""Each champion's best genome on the validation split of a run on a dataset; saved if `keep` is not last.

Accuracy on few validation images fluctuates long after anything is learned, and falls for good if a network overfits
its training images. Of equals the later one is kept, which was trained for longer; if no validation was better than the
last one, the last genome is saved.
"""

from __future__ import annotations

from collections.abc import Mapping

from genreg_np.runs.best_ever import BestEver

Standing = dict[str, BestEver]  # champions by name; their fitness is the accuracy on the validation split, 0 .. 1


def better(before: Mapping[str, BestEver], now: Standing) -> Standing:
    """Return the better one of `before` and `now` for each champion of `now`; `before` may lack some."""
    return {
        name: before[name] if name in before and before[name].fitness > found.fitness else found
        for name, found in now.items()
    }
