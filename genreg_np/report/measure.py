"""Evaluate a population on the test split when its run has ended.

accuracy     of every network, and of two baselines: single networks trained for as many epochs, on the same images,
             with one optimiser throughout
attacks      images made for a source network, shown to targets (attacks.py):
             the best network on itself, on its siblings, on a mix of three of them (layer by layer);
             an untrained child of the population on itself and on ten other children; the baselines likewise

Children are not trained, as published: their clean accuracy is far below their parents', so their robustness must be
read beside it, and over the images that both networks get right. A baseline whose loss or weights become NaN or
infinite has diverged: it has no accuracy and takes no part in the attacks. Shapes: P networks, D genes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Array
from genreg_np.model import Float32
from genreg_np.report.attacks import Attack, Outcome, attack_images, outcome
from genreg_np.strategies.mixed.breeding import FIRST_BASELINE, children_of, first_networks
from genreg_np.strategies.mixed.context import MixedContext
from genreg_np.strategies.mixed.similarity import cluster_counts, mean_pairwise
from genreg_np.strategies.mixed.strategy import MixedState, accuracies, diverged, learning_order

if TYPE_CHECKING:
    from genreg_np.runs.evolution import Evolution

CHILDREN = 11  # one is attacked, ten others are targets
BASELINES = 2
MIXED = 3  # networks in a mix


@dataclass(frozen=True)
class Source:
    """A network for which images are made, and the targets that are shown them."""

    genes: Float32  # (D,)
    shown: dict[str, Float32]  # by the pairing's name: targets (n, D)


@dataclass(frozen=True)
class Measured:
    """The result of `measure`; fractions."""

    layers: tuple[str, ...]  # (T,) names
    similarity: list[list[float]]  # (G + 1, T) mean cosine of all pairs, generation by generation
    clusters: list[list[int]]  # (G + 1, T)
    test: list[float]  # (P,) accuracy of the population, fittest first
    baselines: list[float | None]  # accuracy of single networks; None if diverged
    attacks: list[dict[str, Any]]  # a row for each attack and pairing

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, fit for JSON."""
        return dataclasses.asdict(self)


def measure(
    evolution: Evolution,
    attacks: Sequence[Attack],
    attacked: int | None = None,
    say: Callable[[str], None] = lambda line: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Measured | None:
    """Measure a population.

    Parameters
    ----------
    evolution : Evolution
        An evolution with strategy mixed on a dataset, after its last generation.
    attacks : sequence of Attack
    attacked : int, optional
        The number of test images, from the first, to attack; by default all.
    say : callable
        Called with lines on the progress.
    should_stop : callable
        Called before each part of the work.

    Returns
    -------
    Measured or None
        None if it was stopped.
    """
    state, context, dataset = mixed_state(evolution), evolution.context, evolution.dataset
    assert dataset is not None
    features = context.backend.features(context.network, dataset.test.inputs, dataset.input_range)
    features, labels = context.backend.to_device(features), dataset.test.labels
    if should_stop():
        return None
    say("training two single networks for as many epochs")
    baselines = train_baselines(evolution)
    rows: list[dict[str, Any]] = []
    for source in sources_of(evolution, baselines) if attacks and attacked != 0 else ():
        if should_stop():
            return None
        say(f"attacking {' and '.join(source.shown)}")
        rows += attack_rows(evolution, source, features[:attacked], labels[:attacked], attacks)
    if should_stop():
        return None
    return Measured(
        tuple(context.layers),
        [[round(float(value), 6) for value in row] for row in mean_pairwise(state.similarity)],
        [cluster_counts(matrix) for matrix in state.similarity],
        accuracies(context, state.population, features, labels).tolist(),
        _accuracies_of(baselines, context, features, labels),
        rows,
    )


def train_baselines(evolution: Evolution) -> list[Float32 | None]:
    """Return two single networks (D,) trained for as many epochs as the population; None for one that diverged."""
    context, stream = evolution.context, evolution.stream
    genes = first_networks(context.backend, context.network, stream, FIRST_BASELINE + np.arange(BASELINES))
    lost = np.zeros(BASELINES, np.bool_)
    if epochs := evolution.generation * context.options.epochs:
        order = learning_order(context, stream, 0, epochs)
        genes, losses = context.backend.descend(context.descent, genes, context.features, context.labels, order)
        lost = diverged(context.backend, genes, losses)
    found = context.backend.to_host(genes)
    return [None if gone else one for one, gone in zip(found, lost, strict=True)]


def _accuracies_of(
    networks: Sequence[Float32 | None], context: MixedContext, features: Array, labels: NDArray[np.int64]
) -> list[float | None]:
    """Return the accuracy of each network, None for None."""
    known = [genes for genes in networks if genes is not None]
    found = iter(accuracies(context, np.stack(known), features, labels).tolist() if known else [])
    return [None if genes is None else next(found) for genes in networks]


def mixed_state(evolution: Evolution) -> MixedState:
    """Return the state of a run of this strategy."""
    return cast(MixedState, evolution.state)


def sources_of(evolution: Evolution, baselines: Sequence[Float32 | None]) -> list[Source]:
    """Return the sources with their targets. Children are those that the next generation would have had."""
    context, state = evolution.context, mixed_state(evolution)
    parents = state.population[: context.options.parent_count]
    bred = children_of(context, parents, CHILDREN, evolution.stream, evolution.generation)
    population, children = context.backend.to_host(state.population), context.backend.to_host(bred)
    of_best = {"best on itself": population[:1], "best on siblings": population[1:]}
    if len(population) > MIXED:
        of_best["best on a mix"] = mix(population[1 : 1 + MIXED], context)[None]
    sources = []
    first, second = baselines
    if first is not None:
        sources.append(Source(first, {"baseline on itself": first[None]}))
        if second is not None:
            sources.append(Source(second, {"second baseline on baseline": first[None]}))
    return [
        *sources,
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
    evolution: Evolution, source: Source, features: Array, labels: NDArray[np.int64], attacks: Sequence[Attack]
) -> list[dict[str, Any]]:
    """Make images for the source with each attack, and show them to the targets: a row for each attack and pairing."""
    backend, network = evolution.backend, evolution.network

    def predicted(networks: Float32, images: Array) -> list[NDArray[np.int64]]:
        return [backend.logits(network, genes, images).argmax(axis=1) for genes in networks]

    def all_predicted(images: Array) -> dict[str, list[NDArray[np.int64]]]:
        return {name: predicted(targets, images) for name, targets in source.shown.items()}

    clean, rows = (predicted(source.genes[None], features)[0], all_predicted(features)), []
    for attack in attacks:
        images = attack_images(backend, network, source.genes, features, labels, attack, evolution.stream)
        own, after = predicted(source.genes[None], images)[0], all_predicted(images)
        for name, before in clean[1].items():
            pairs = zip(before, after[name], strict=True)
            found = [outcome(labels, (clean[0], own), pair) for pair in pairs]
            row = {"attack": attack.name, "epsilon": attack.epsilon, "pairing": name, **summary(found)}
            rows.append(row | {"targets": len(found), "images": len(labels)})
    return rows


def summary(outcomes: Sequence[Outcome]) -> dict[str, float | None]:
    """Return the means over targets, None if no target has a value, and the least and most still right."""
    found: dict[str, float | None] = {}
    for item in dataclasses.fields(Outcome):
        known = [value for one in outcomes if (value := getattr(one, item.name)) == value]
        found[item.name] = float(np.mean(known)) if known else None
    attacked = [one.attacked for one in outcomes]
    return found | {"attacked_least": min(attacked), "attacked_most": max(attacked)}
