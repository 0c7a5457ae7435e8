"""Filters evolved by Fisher separability: those whose pooled responses differ most between classes.

For genreg-2 each filter has its own function; for detector banks (filters.py) all have the same.

    fitness    mean over pooled responses x of  sum_c n_c (m_c - m)^2 / (sum_c sum_i (x_i - m_c)^2 + 1e-8)
    genome     25 taps ~ N(0, 0.4^2), a function, its own sigma = 0.08
    generation the best tenth stay, the worst 8 % have no children; tournaments of four, no crossover
               sigma' = sigma exp(0.2 N) in 0.005 .. 0.4,   taps' = taps + sigma' N

A child keeps its parent's function. (Published: the function is mutated too, but by so little that it never changes.)

Shapes: F filters, N images, G pooled responses of a filter, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_images
from genreg_np.backends.threads import in_order
from genreg_np.layers.base import Float32
from genreg_np.layers.images import UInt8
from genreg_np.layers.responses import Responses
from genreg_np.strategies.tournament import adapted, parents_of
from genreg_np.streams import Purpose, Stream

SIZE = 5
GRIDS = ((3, 3), (4, 2), (2, 4))
FUNCTIONS = tuple(infer_images.RESPONSES)
FIRST_TAP, FIRST_SIGMA, SIGMA_RANGE = 0.4, 0.08, (5e-3, 0.4)
HARVESTS, HARVEST = 3, 8  # harvests per round, filters per harvest
ALIKE, MOST = 0.95, 96  # correlation above which a filter is dropped; most filters kept
PIECE = 32  # images at a time, so that responses stay in the cache
JUDGES = 200  # images per class that decide on the harvested filters
COMMON = 1 << 20  # the stream's number of those images, beyond that of any round
STAGE = COMMON // 8  # distance between the round numbers of a bank's stages

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """The extent of evolution."""

    rounds: int  # independent populations
    population: int  # filters per population
    generations: int
    images_per_class: int  # that score them, different ones in each round
    functions: tuple[int, ...] = tuple(range(len(FUNCTIONS)))  # allowed functions of a filter's responses
    size: int = SIZE  # taps each way
    first: int = 0  # number of the first round: different numbers give different filters


@dataclass(frozen=True)
class Judges:
    """Images that score filters, class by class."""

    patches: Float32  # (N, places, T)
    labels: NDArray[np.int64]  # (N,)
    pools: Float32  # (G, places)

    def answers(self, taps: Float32, functions: NDArray[np.int64]) -> Float32:
        """Return the pooled responses of filters (F, size, size), (N, F, G) float32."""
        names = tuple(FUNCTIONS[index] for index in functions)
        starts = range(0, len(self.patches), PIECE)
        parts = [infer_images.respond(self.patches[start : start + PIECE], taps, names, self.pools) for start in starts]
        return np.concatenate(parts)


def evolve(
    images: UInt8, labels: NDArray[np.int64], shape: tuple[int, int], stream: Stream, plan: Plan, threads: int
) -> Responses:
    """Evolve filters on images (N, H * W) uint8; keep separable ones that are unlike each other."""
    taps, functions = _evolved(images, labels, shape, stream, plan, threads)
    kept, _ = select(draw_judges(images, labels, shape, JUDGES, stream, COMMON), taps, functions, MOST)
    return Responses(shape, taps[kept], tuple(FUNCTIONS[index] for index in functions[kept]), GRIDS)


def separable(images: UInt8, labels: NDArray[np.int64], count: int, size: int, stream: Stream, number: int) -> Float32:
    """Evolve filters (count, size, size) whose absolute responses separate the classes of images (n, H, W).

    They are the most separable ones unlike each other; if these are too few, the most separable of the rest are added.
    """
    shape, flat = images.shape[1:], images.reshape(len(images), -1)
    rounds = -(-count // HARVEST)
    plan = Plan(rounds, 32, 12, 20, (FUNCTIONS.index("abs"),), size, number * STAGE)
    taps, functions = _evolved(flat, labels, shape, stream, plan, 1)
    judges = draw_judges(flat, labels, shape, JUDGES, stream, COMMON + number, size)
    kept, rest = select(judges, taps, functions, count)
    chosen: Float32 = taps[np.concatenate([kept, rest])[:count]]
    return chosen


def _evolved(
    images: UInt8, labels: NDArray[np.int64], shape: tuple[int, ...], stream: Stream, plan: Plan, threads: int
) -> tuple[Float32, NDArray[np.int64]]:
    """Return the harvests of all rounds: taps (F, size, size) and functions (F,)."""

    def one_round(number: int) -> list[tuple[Float32, int]]:
        judges = draw_judges(images, labels, shape, plan.images_per_class, stream, number, plan.size)
        return list(harvest(judges, stream, plan, number))

    rounds = in_order(one_round, range(plan.first, plan.first + plan.rounds), threads)
    found = [filter_ for filters in rounds for filter_ in filters]
    return np.stack([taps for taps, _ in found]), np.array([function for _, function in found])


def draw_judges(
    images: UInt8,
    labels: NDArray[np.int64],
    shape: tuple[int, ...],
    per_class: int,
    stream: Stream,
    number: int,
    size: int = SIZE,
) -> Judges:
    """Draw up to `per_class` images of each class."""
    rows: list[NDArray[np.int64]] = []
    for label in range(int(labels.max()) + 1):
        own = np.flatnonzero(labels == label)
        rows.append(own[stream.permutation(Purpose.FILTERS, label, COMMON + number, len(own))[:per_class]])
    chosen = np.concatenate(rows)
    tall, wide = shape[0] - size + 1, shape[1] - size + 1
    grids = [(y, x) for y, x in GRIDS if y <= tall and x <= wide] or [(1, 1)]
    pools = np.concatenate([np.kron(infer_images.cells(tall, y), infer_images.cells(wide, x)) for y, x in grids])
    patches = infer_images.patches_of(images[chosen].astype(np.float32), shape[0], shape[1], size)
    return Judges(patches, labels[chosen], pools)


def separability(answers: Float32, labels: NDArray[np.int64]) -> Float64:
    """Return each filter's fitness, (F,) float64, from responses (N, F, G); NaN counts as 0."""
    values = answers.astype(np.float64)
    overall = values.mean(axis=0)
    between, within = np.zeros_like(overall), np.full_like(overall, 1e-8)
    for label in np.unique(labels):
        own = values[labels == label]
        centre = own.mean(axis=0)
        between += len(own) * (centre - overall) ** 2
        within += ((own - centre) ** 2).sum(axis=0)
    ratio: Float64 = np.nan_to_num((between / within).mean(axis=1), nan=0.0, posinf=0.0)
    return ratio


def harvest(judges: Judges, stream: Stream, plan: Plan, number: int) -> Iterator[tuple[Float32, int]]:
    """Evolve one population; yield taps and function of its best filters, HARVESTS times."""
    size, extent = plan.population, (plan.size, plan.size)
    taps = FIRST_TAP * stream.normals(Purpose.FILTERS, 0, number, size * plan.size**2).reshape(size, *extent)
    drawn = stream.integers(Purpose.SELF_ADAPTATION, 0, number, size, len(plan.functions))
    functions = np.array(plan.functions)[drawn]
    sigmas = np.full(size, FIRST_SIGMA)
    times = {plan.generations * (part + 1) // HARVESTS for part in range(HARVESTS)}
    for generation in range(1, plan.generations + 1):
        fitness = separability(judges.answers(taps.astype(np.float32), functions), judges.labels)
        order = np.argsort(-fitness, kind="stable")
        taps, functions, sigmas = taps[order], functions[order], sigmas[order]
        if generation in times:
            yield from zip(taps[:HARVEST].astype(np.float32), functions[:HARVEST].tolist(), strict=True)
        parents, kept = parents_of(size, stream, generation, number)
        normals = stream.normals(Purpose.FILTERS, generation, number, size * (plan.size**2 + 1))
        sigmas = adapted(sigmas, parents, kept, normals[:size], SIGMA_RANGE)
        children = taps[parents] + sigmas[:, None, None] * normals[size:].reshape(size, *extent)
        taps, functions = np.concatenate([taps[:kept], children[kept:]]), functions[parents]


def select(
    judges: Judges, taps: Float32, functions: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which filters to keep, at most `most`, and which not; the most separable first in both.

    No filter kept has a correlation above ALIKE with one kept before it.
    """
    columns, fitness = [], []
    for start in range(0, len(taps), HARVEST):
        answers = judges.answers(taps[start : start + HARVEST], functions[start : start + HARVEST])
        fitness.append(separability(answers, judges.labels))
        deviation = answers.std(axis=0)
        standard = (answers - answers.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
        flat = standard.transpose(1, 0, 2).reshape(answers.shape[1], -1)
        columns.append(flat / np.maximum(np.sqrt((flat * flat).sum(axis=1, keepdims=True)), np.float32(1e-6)))
    vectors, scores = np.concatenate(columns), np.concatenate(fitness)
    order = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    for index in order:
        if len(kept) < most and (not kept or np.abs(vectors[kept] @ vectors[index]).max() <= ALIKE):
            kept.append(int(index))
    return np.array(kept), order[~np.isin(order, kept)]
