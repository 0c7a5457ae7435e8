"""Check that fitness rewards accuracy: a fitness of the wrong sign trains a network to be wrong.

After a tenth of the generations, validation accuracy a on n images of K classes is compared with chance, p = 1 / K. If
a < p - 4 sqrt(p (1 - p) / n), and training accuracy has fallen although fitness has risen, a warning is given once.
"""

from __future__ import annotations

import warnings
from typing import Any


class Direction:
    """Watches the records of a run.

    Parameters
    ----------
    classes, images : int
        K and n of the validation split.
    """

    def __init__(self, classes: int, images: int) -> None:
        chance = 1 / max(1, classes)
        self._lowest = chance - 4 * (chance * (1 - chance) / max(1, images)) ** 0.5
        self._first: dict[str, Any] = {}  # the first record seen
        self._judged = False

    def look(self, record: dict[str, Any], generations: int) -> None:
        """Take a generation's record, out of `generations` in all; warns at most once."""
        first = self._first = self._first or record
        accuracy = record.get("validation_accuracy")
        if self._judged or accuracy is None or record["generation"] < generations / 10:
            return
        self._judged = True
        worse = record.get("mean_accuracy", 1.0) < first.get("mean_accuracy", 0.0)
        if accuracy < self._lowest and worse and record.get("mean_trust", 0.0) > first.get("mean_trust", 0.0):
            warnings.warn(
                f"validation accuracy is {100 * accuracy:.1f} %, below chance, although fitness has risen: "
                "does the fitness (or the reward and the penalty) have the right sign?",
                RuntimeWarning,
                stacklevel=2,
            )
