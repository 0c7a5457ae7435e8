"""Elitist selection, as the article has it: the fit are carried over with their scores, the rest are new random ones.

Who is carried over is not judged again, and nobody has parents: all that is computed are new random individuals, and
what is found is what random search finds. That whoever is fit stays is the leaderboard, which every search keeps.
"""

from __future__ import annotations

from genreg_np.search.selections.random_ import Random


class Elitist(Random):
    """The selection `elitist`."""

    name = "elitist"
    summary = "the fit are kept with their scores, the rest are new random ones"
