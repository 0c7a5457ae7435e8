"""What is measured of a population when its run has ended, on the test split.

accuracy     of every network, and of two baselines: single networks that learned for as many epochs, from the same
             images, with one optimiser throughout
attacks      images made for a source network, shown to targets (attacks.py):
             the best network on itself, on its siblings, on a mix of three of them (layer by layer);
             an untrained child of the population on itself and on ten other children; the baselines likewise

Children are not trained, as published: their clean accuracy is far below their parents', so what they resist must be
read beside it, and over the images that both networks get right. Shapes: P networks, D genes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.hybrid.attacks import Attack, Outcome, attack_images, outcome
from genreg_np.hybrid.breeding import breed, first_networks
from genreg_np.hybrid.similarity import cluster_counts, mean_pairwise
from genreg_np.hybrid.strategy import MixedContext, MixedState, accuracies, learning_order
from genreg_np.layers.base import Array
from genreg_np.model import Float32
from genreg_np.streams import Stream

FIRST_BASELINE = 1 << 30  # numbers of fresh networks that no population has
CHILDREN = 11  # one is attacked, ten others are targets
BASELINES = 2
MIXED = 3  # networks a mix is made of


@dataclass(frozen=True)
class Pairing:
    """Images made for one network, and who is shown them."""

    name: str
    source: Float32  # (D,)
    targets: Float32  # (n, D)


@dataclass(frozen=True)
class Measured:
    """What `measure` found; fractions."""

    layers: tuple[str, ...]  # (T,) names
    similarity: list[list[float]]  # (G + 1, T) mean cosine of all pairs, generation by generation
    clusters: list[list[int]]  # (G + 1, T)
    test: list[float]  # (P,) accuracy of the population, fittest first
    baselines: list[float]  # accuracy of single networks
    attacks: list[dict[str, Any]]  # a row for each attack and pairing

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return dataclasses.asdict(self)


def measure(
    state: MixedState,
    context: MixedContext,
    stream: Stream,
    features: Array,
    labels: NDArray[np.int64],
    attacks: Sequence[Attack],
    attacked: int,
    say: Callable[[str], None] = lambda line: None,
) -> Measured:
    """Measure a population.

    Parameters
    ----------
    state, context, stream
        Of the run, after its last generation.
    features : (N, I)
        Of the test split, on the backend.
    labels : (N,) int64
    attacks : sequence of Attack
    attacked : int
        How many images, the first ones, are attacked.
    say : callable
        Told in a line what is under way.
    """
    say("training two single networks for as many epochs")
    baselines = train_baselines(state, context, stream)
    rows: list[dict[str, Any]] = []
    if attacks and attacked:
        for pairing in all_pairings(state, context, stream, baselines):
            say(f"attacking {pairing.name}")
            rows += attack_rows(pairing, context, stream, features[:attacked], labels[:attacked], attacks)
    host = context.backend.to_host(state.population)
    return Measured(
        tuple(context.layers),
        [[round(float(value), 6) for value in row] for row in mean_pairwise(state.similarity)],
        [cluster_counts(matrix) for matrix in state.similarity],
        accuracies(context, host, features, labels).tolist(),
        accuracies(context, baselines, features, labels).tolist(),
        rows,
    )


def train_baselines(state: MixedState, context: MixedContext, stream: Stream) -> Float32:
    """Return two single networks (2, D) that learned for as many epochs as the population."""
    numbers = FIRST_BASELINE + np.arange(BASELINES)
    genes = first_networks(context.backend, context.network, stream, numbers)
    epochs = state.generation * context.options.epochs
    if epochs:
        order = learning_order(context, stream, 0, epochs)
        genes, _ = context.backend.descend(context.descent, genes, context.features, context.labels, order)
    found: Float32 = context.backend.to_host(genes)
    return found


def all_pairings(state: MixedState, context: MixedContext, stream: Stream, baselines: Float32) -> list[Pairing]:
    """Return whose images are shown to whom."""
    backend, options = context.backend, context.options
    population = backend.to_host(state.population)
    parents = state.population[: options.parent_count]
    bred = breed(
        backend, context.network, context.parts, options, parents, CHILDREN, stream, state.generation
    )  # the next generation's, had there been one
    children = backend.to_host(bred)
    pairings = [
        Pairing("baseline on itself", baselines[0], baselines[:1]),
        Pairing("second baseline on baseline", baselines[1], baselines[:1]),
        Pairing("best on itself", population[0], population[:1]),
        Pairing("best on siblings", population[0], population[1:]),
    ]
    if len(population) > MIXED:
        pairings.append(Pairing("best on a mix", population[0], mix(population[1 : 1 + MIXED], context)[None]))
    return [
        *pairings,
        Pairing("child on itself", children[0], children[:1]),
        Pairing("child on children", children[0], children[1:]),
    ]


def mix(donors: Float32, context: MixedContext) -> Float32:
    """Return a network (D,) whose layers come from the donors (n, D) in turn; parts of a layer from the same one."""
    mixed: Float32 = donors[0].copy()
    for index, (weights, biases) in enumerate(context.network.weight_slices):
        donor = donors[index % len(donors)]
        mixed[weights], mixed[biases] = donor[weights], donor[biases]
    return mixed


def attack_rows(
    pairing: Pairing,
    context: MixedContext,
    stream: Stream,
    features: Array,
    labels: NDArray[np.int64],
    attacks: Sequence[Attack],
) -> list[dict[str, Any]]:
    """Make images for the source, by each attack, and show them to the targets."""
    backend, network = context.backend, context.network

    def predicted(images: Array) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        source, *targets = (
            backend.logits(network, genes, images).argmax(axis=1) for genes in (pairing.source, *pairing.targets)
        )
        return source, targets

    clean, rows = predicted(features), []
    for attack in attacks:
        changed = predicted(attack_images(backend, network, pairing.source, features, labels, attack, stream))
        found = [
            outcome(labels, (clean[0], changed[0]), (before, after))
            for before, after in zip(clean[1], changed[1], strict=True)
        ]
        row: dict[str, Any] = {"attack": attack.name, "epsilon": attack.epsilon, "pairing": pairing.name}
        for item in dataclasses.fields(Outcome):  # a mean over targets
            values = [getattr(one, item.name) for one in found]
            known = [value for value in values if value == value]
            row[item.name] = float(np.mean(known)) if known else None
        row["attacked_least"], row["attacked_most"] = (end(one.attacked for one in found) for end in (min, max))
        rows.append(row | {"targets": len(found), "images": len(labels)})
    return rows
