"""Elitist selection as in the article: the fit are kept with their scores, the rest are new random individuals.

Those that are kept are not judged again and have no children: only new random individuals are computed, so it finds
what random search finds. Keeping the fit is what the leaderboard of every search does.
"""

from __future__ import annotations

from genreg_np.search.selections.random_ import Random


class Elitist(Random):
    """The selection `elitist`."""

    name = "elitist"
