"""The parts of a generation's scores: differences between genomes, and the noise of the images they were scored on.

A genome g predicts image i correctly with probability p_gi (GENREG samples its predictions). Scored on n images of each
of K classes, its score is the mean of as many coin flips. The difficulty of the images is common to all genomes; the
parts that differ are:

    VG      variance between genomes' true means
    VE      variance per image: interaction of genome and image within classes, and the coin flip, p (1 - p)
    h2(n)   = VG / (VG + VE / (n K))             heritability of a score: its repeatability on a second batch

Selection of the best 20 %, with parents drawn by trust, makes parents better than the population by

    S(n)    = i VG / sqrt(VG + VE / (n K)),      i the intensity of selection

and their children are worse by a load, due to recombination and mutation. The mean changes by S(n) - load.

Sources: Falconer & Mackay 1996, "Introduction to quantitative genetics", chapters 8 and 11; Muehlenbein & Schlierkamp-
Voosen 1993, "Predictive models for the breeder genetic algorithm".

Shapes: P genomes, S survivors, N images of K classes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Brood
from genreg_np.experiments.training import population_of
from genreg_np.runs.evolution import Evolution
from genreg_np.streams import Purpose, Stream

PIECE = 50  # genomes whose outputs are held at a time


@dataclass(frozen=True)
class Parts:
    """The parts of the scores of one generation."""

    generation: int
    mean: float  # of p over the generation
    between: float  # VG
    within: float  # VE
    parents: float  # the mean p of parents, weighted by their numbers of children
    recombined: float  # the mean p of their children without mutation
    children: float  # the mean p of their children
    slope: float  # of a regression of unmutated children's p on their parents' mean

    @property
    def load(self) -> float:
        """How much worse children are than their parents."""
        return self.parents - self.children

    def heritability(self, images: int, classes: int) -> float:
        """Return h2 of a score by `images` images of each class."""
        return self.between / (self.between + self.within / (images * classes))

    def differential(self, images: int, classes: int, intensity: float) -> float:
        """Return S, how much better parents are than their generation."""
        noisy = self.between + self.within / (images * classes)
        return intensity * self.between / noisy**0.5 if noisy else 0.0


def best_scores(population: int, survivors: int) -> NDArray[np.float64]:
    """Return the expected values of the largest of `population` normal deviates, largest first, (S,) (Blom 1958)."""
    from scipy.stats import norm

    ranks = np.arange(population, population - survivors, -1)
    found: NDArray[np.float64] = norm.ppf((ranks - 0.375) / (population + 0.25))
    return found


def truncation(population: int, survivors: int) -> float:
    """Return i of truncation alone: how many deviations survivors are above the mean."""
    return float(best_scores(population, survivors).mean())


def intensity(population: int, survivors: int) -> float:
    """Return i: how many deviations parents are above the mean, with survivors weighted by trust - min."""
    scores = best_scores(population, survivors)
    weights = scores - scores.min()
    return float((weights * scores).sum() / weights.sum()) if weights.any() else float(scores.mean())


def right(evolution: Evolution, brood: Brood, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return each genome's probability of the right class for some training images, (P, N)."""
    features, labels = evolution.context.features, evolution.context.labels[rows]
    seen = np.ascontiguousarray(features[rows])
    found = []
    for first in range(0, brood.size, PIECE):
        some = np.arange(first, min(first + PIECE, brood.size))
        logits = evolution.backend.outputs(brood, seen, some).astype(np.float64)
        logits -= logits.max(axis=2, keepdims=True)
        np.exp(logits, out=logits)
        found.append(logits[:, np.arange(len(rows)), labels] / logits.sum(axis=2))
    return np.concatenate(found)


def some_of_each(labels: NDArray[np.int64], classes: int, count: int, stream: Stream) -> NDArray[np.int64]:
    """Return rows of up to `count` images of each class, class by class, without replacement, equally many of each."""
    found = []
    for label in range(classes):
        rows = np.flatnonzero(labels == label)
        found.append(rows[stream.permutation(Purpose.BATCH, 0, label, len(rows))[:count]])
    least = min(map(len, found))
    return np.concatenate([rows[:least] for rows in found])


def components(chance: NDArray[np.float64], classes: int) -> tuple[float, float]:
    """Return VG and VE of probabilities (P, N) for images ordered by class, equally many of each."""
    genomes, images = chance.shape
    by_class = chance.reshape(genomes, classes, -1)
    each = by_class.shape[2]
    rest = by_class - by_class.mean(axis=2, keepdims=True) - by_class.mean(axis=0) + by_class.mean(axis=(0, 2))[:, None]
    interaction = float(np.square(rest).sum() / (classes * (genomes - 1) * max(1, each - 1)))
    means = chance.mean(axis=1)
    between = float(means.var(ddof=1)) - interaction / images
    return max(between, 1e-12), interaction + float((chance * (1 - chance)).mean())


def parts_of(evolution: Evolution, rows: NDArray[np.int64]) -> Parts:
    """Return the parts of the next generation of a run, measured on training images ordered by class."""
    state, _, brood = population_of(evolution)
    classes = len(evolution.class_names)
    own = right(evolution, brood, rows)
    between, within = components(own, classes)
    parents, recombined, slope = own.mean(), own.mean(), float("nan")
    if len(state.survivors):
        unchanged = Brood.unchanged(brood.network, brood.survivors)
        each = right(evolution, unchanged, rows).mean(axis=1)
        middle = each[brood.parents].mean(axis=1)
        plain = right(evolution, dataclasses.replace(brood, mutation_rate=0.0), rows).mean(axis=1)
        parents, recombined = middle.mean(), plain.mean()
        slope = float(np.cov(middle, plain)[0, 1] / middle.var(ddof=1)) if middle.var() else float("nan")
    return Parts(evolution.generation, float(own.mean()), between, within, float(parents), float(recombined),
                 float(own.mean()), slope)  # fmt: skip


def repeatability(chance: NDArray[np.float64], classes: int, images: int, stream: Stream) -> float | None:
    """Return the correlation of genomes' scores on two batches without a common image: the measured h2.

    `chance` is (P, N), with images ordered by class; None if there are not enough of them.
    """
    genomes, each = len(chance), chance.shape[1] // classes
    if each < 2 * images:
        return None
    scores = []
    by_class = chance.reshape(genomes, classes, each)
    for batch in range(2):
        seen = by_class[:, :, batch * images : (batch + 1) * images].reshape(genomes, -1)
        thrown: NDArray[Any] = np.stack(
            [stream.uniform(Purpose.PREDICTION, 2 * images + batch, genome, seen.shape[1]) for genome in range(genomes)]
        )
        scores.append((thrown < seen).mean(axis=1))
    if not all(np.ptp(score) for score in scores):
        return None
    return float(np.corrcoef(*scores)[0, 1])
