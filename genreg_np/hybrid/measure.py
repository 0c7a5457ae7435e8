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
class Source:
    """A network that images are made for, and who is shown them."""

    genes: Float32  # (D,)
    shown: dict[str, Float32]  # by the pairing's name: targets (n, D)


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
        for source in sources_of(state, context, stream, baselines):
            say(f"attacking {' and '.join(source.shown)}")
            rows += attack_rows(source, context, stream, features[:attacked], labels[:attacked], attacks)
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


def sources_of(state: MixedState, context: MixedContext, stream: Stream, baselines: Float32) -> list[Source]:
    """Return whose images are shown to whom. The children are those of the next generation, had there been one."""
    backend = context.backend
    parents = state.population[: context.options.parent_count]
    bred = breed(backend, context.network, context.parts, context.options, parents, CHILDREN, stream, state.generation)
    population, children = backend.to_host(state.population), backend.to_host(bred)
    of_best = {"best on itself": population[:1], "best on siblings": population[1:]}
    if len(population) > MIXED:
        of_best["best on a mix"] = mix(population[1 : 1 + MIXED], context)[None]
    return [
        Source(baselines[0], {"baseline on itself": baselines[:1]}),
        Source(baselines[1], {"second baseline on baseline": baselines[:1]}),
        Source(population[0], of_best),
        Source(children[0], {"child on itself": children[:1], "child on children": children[1:]}),
    ]


def mix(donors: Float32, context: MixedContext) -> Float32:
    """Return a network (D,) whose layers come from the donors (n, D) in turn; parts of a layer from the same one."""
    mixed: Float32 = donors[0].copy()
    for index, (weights, biases) in enumerate(context.network.weight_slices):
        donor = donors[index % len(donors)]
        mixed[weights], mixed[biases] = donor[weights], donor[biases]
    return mixed


def attack_rows(
    source: Source,
    context: MixedContext,
    stream: Stream,
    features: Array,
    labels: NDArray[np.int64],
    attacks: Sequence[Attack],
) -> list[dict[str, Any]]:
    """Make images for the source, by each attack, and show them to the targets: a row for each attack and pairing."""
    backend, network = context.backend, context.network

    def predicted(networks: Float32, images: Array) -> list[NDArray[np.int64]]:
        return [backend.logits(network, genes, images).argmax(axis=1) for genes in networks]

    def all_predicted(images: Array) -> dict[str, list[NDArray[np.int64]]]:
        return {name: predicted(targets, images) for name, targets in source.shown.items()}

    clean, rows = (predicted(source.genes[None], features)[0], all_predicted(features)), []
    for attack in attacks:
        images = attack_images(backend, network, source.genes, features, labels, attack, stream)
        own, after = predicted(source.genes[None], images)[0], all_predicted(images)
        for name, before in clean[1].items():
            pairs = zip(before, after[name], strict=True)
            found = [outcome(labels, (clean[0], own), pair) for pair in pairs]
            row = {"attack": attack.name, "epsilon": attack.epsilon, "pairing": name, **summary(found)}
            rows.append(row | {"targets": len(found), "images": len(labels)})
    return rows


def summary(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the means over targets, None where no target has a value, and the least and most still right."""
    found: dict[str, float | None] = {}
    for item in dataclasses.fields(Outcome):
        known = [value for one in outcomes if (value := getattr(one, item.name)) == value]
        found[item.name] = float(np.mean(known)) if known else None
    attacked = [one.attacked for one in outcomes]
    return found | {"attacked_least": min(attacked), "attacked_most": max(attacked)}
