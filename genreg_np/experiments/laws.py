"""Predictions of theory for a population, and for gradient estimates, compared with measurements.

Each function returns plain numbers, predicted and measured. theory.py names the laws.

Shapes: P genomes, S survivors, D genes, U units, K pairs, N images.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Brood, Perturbation
from genreg_np.experiments.base import Values
from genreg_np.experiments.training import backend, config_of, evolution_of, population_of
from genreg_np.experiments.variance import (
    best_scores,
    components,
    intensity,
    parts_of,
    repeatability,
    right,
    some_of_each,
)
from genreg_np.fitness import Score
from genreg_np.layers.loss import negative_log_likelihood
from genreg_np.model import Float32, Network
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies.base import first_genes
from genreg_np.strategies.genreg import Genreg, parent_weights
from genreg_np.streams import Purpose, Stream

WATCHED = 100  # images of each class that measure genomes' true accuracy
EVERY = 10  # generations between measurements
SEED = 1 << 33  # of images and draws, different from that of any run
REPEATED = (1, 5, 20, 50)  # images of each class
DRAWS = 10  # pairs of batches whose correlation is averaged
STEPS = 60  # of a walk towards the optimum of a quadratic, for each step size


class Recording:
    """A backend that records which genomes it rebuilt last: the survivors."""

    def __init__(self, own: Any) -> None:
        self._own = own
        self.chosen = np.empty(0, np.int64)

    def rebuild(self, brood: Brood, chosen: NDArray[np.int64]) -> Float32:
        """Rebuild genomes, and record their numbers."""
        self.chosen = np.asarray(chosen)
        found: Float32 = self._own.rebuild(brood, chosen)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def price(before: NDArray[np.float64], after: NDArray[np.float64], slots: NDArray[np.int64]) -> dict[str, float]:
    """Return the terms of Price's equation between two generations.

    Parameters
    ----------
    before, after : (P,) float64
        A trait of all genomes of a generation, and of the next one.
    slots : (P, 2) int
        Each child's two parents, as numbers of genomes of the previous generation; each counts half a child.

    Returns
    -------
    dict
        `change` of the mean, the sum of `selection`, Cov(w, z) / mean(w), and `transmission`, E(w dz) / mean(w).
    """
    children = np.bincount(slots.ravel(), minlength=len(before)) / 2  # w
    inherited = np.bincount(slots.ravel(), weights=np.repeat(after, 2), minlength=len(before)) / 2
    with np.errstate(invalid="ignore"):
        moved = np.where(children > 0, inherited / children - before, 0.0)  # dz, of a parent's children
    mean = children.mean()
    selection = float(np.mean(children * before) - mean * before.mean()) / mean
    transmission = float(np.mean(children * moved)) / mean
    return {"change": float(after.mean() - before.mean()), "selection": selection, "transmission": transmission}


def of_population(settings: Mapping[str, Any], seed: int) -> Values:
    """Measure a run: Price's equation, the breeder's equation, heritability, and drift without selection."""
    kept = {name: value for name, value in settings.items() if name != "breeders"}
    evolution = evolution_of({**kept, "validate_every": 1 << 30}, seed)
    total, breeders = int(settings["generations"]), int(settings["breeders"])
    labels, classes = evolution.context.labels, len(evolution.class_names)
    rows = some_of_each(labels, classes, WATCHED, Stream(SEED))
    images = evolution.config.images_per_class
    recording = Recording(evolution.backend)
    evolution.context = dataclasses.replace(evolution.context, backend=recording)
    sums = dict.fromkeys(("selection", "transmission", "change", "truncation", "weighting", "mutation"), 0.0)
    off = 0.0
    breeder = dict.fromkeys(("looks", "expected", "parents", "bred", "children"), 0.0)
    brood = population_of(evolution)[2]
    strong = intensity(brood.size, evolution.config.options.survivor_count)
    for generation in range(total):
        watched = generation % EVERY == 0
        if watched:
            brood = population_of(evolution)[2]
            chance = right(evolution, brood, rows)
            before, (between, within) = chance.mean(axis=1), components(chance, classes)
        evolution.step()
        if not watched:
            continue
        chosen = recording.chosen
        children = population_of(evolution)[2]
        after = right(evolution, children, rows).mean(axis=1)
        terms = price(before, after, chosen[children.parents])
        off = max(off, abs(terms["selection"] + terms["transmission"] - terms["change"]))
        plain = right(evolution, dataclasses.replace(children, mutation_rate=0.0), rows).mean()
        truncation = float(before[chosen].mean() - before.mean())
        terms |= {"truncation": truncation, "weighting": terms["selection"] - truncation,
                  "mutation": float(after.mean() - plain)}  # fmt: skip
        for name in sums:
            sums[name] += terms[name]
        if generation < breeders:
            breeder["looks"] += 1
            breeder["expected"] += strong * between / (between + within / (images * classes)) ** 0.5
            breeder["parents"] += terms["selection"]
            breeder["bred"] += float(plain - before.mean())
            breeder["children"] += terms["change"]
    last = population_of(evolution)[2]
    chance, throws = right(evolution, last, rows), Stream(SEED + seed)
    parts = parts_of(evolution, rows)
    return {
        "price": {**sums, "off": off},
        "breeder": breeder,
        "heritability": {
            str(count): [parts.heritability(count, classes), repeatability(chance, classes, count, throws)]
            for count in REPEATED
        },
        "drift": drift(evolution, total),
    }


def of_heritability(settings: Mapping[str, Any], seed: int) -> Values:
    """Compare heritability predicted from VG and VE with the repeatability of scores, at moments of a run.

    Repeatability is the mean over DRAWS of the correlation of scores on two batches without a common image.
    """
    kept = {name: value for name, value in settings.items() if name != "moments"}
    evolution = evolution_of({**kept, "validate_every": 1 << 30}, seed)
    classes = len(evolution.class_names)
    rows = some_of_each(evolution.context.labels, classes, WATCHED, Stream(SEED))
    each, moments, found = len(rows) // classes, list(settings["moments"]), []
    for generation in range(1, max(moments) + 1):
        evolution.step()
        if generation not in moments:
            continue
        chance = right(evolution, population_of(evolution)[2], rows)
        between, within = components(chance, classes)
        shuffled = Stream(SEED + seed)
        for count in REPEATED:
            correlations = []
            for draw in range(DRAWS):
                order = np.concatenate([
                    label * each + shuffled.permutation(Purpose.SPLIT, generation, draw * classes + label, each)
                    for label in range(classes)
                ])  # fmt: skip
                throws = Stream(SEED + seed * DRAWS + draw)
                correlations.append(repeatability(chance[:, order], classes, count, throws))
            measured = [value for value in correlations if value is not None]
            found.append({"generation": generation, "images": count,
                          "expected": between / (between + within / (count * classes)),
                          "happened": float(np.mean(measured)) if measured else None})  # fmt: skip
    return {"heritability": found}


def drift(evolution: Evolution, generations: int) -> dict[str, float]:
    """Return the variance of weights under no selection, those of pixels dark in all images: 1/12 + G r s^2."""
    options = evolution.config.options
    features = np.asarray(evolution.context.features)
    dark = np.flatnonzero(features.max(axis=0) == features.min(axis=0))
    (weights, _), *_ = evolution.network.unpack(evolution.champion_genes()["best"])
    expected = options.weight_range**2 / 3 + generations * options.child_mutation_rate * options.mutation_scale**2
    return {"pixels": len(dark), "expected": expected, "happened": float(weights[:, dark].var()) if len(dark) else 0.0}


def of_progress(settings: Mapping[str, Any], seed: int) -> Values:
    """Walk towards the optimum of a quadratic by the survivors' mean, for several step sizes, with and without noise.

    This is GENREG's own breeding with crossover = mean and all genes mutated: the (mu/mu_w, lambda)-ES with weights w
    by rank. Theory (Beyer 2001, "The theory of evolution strategies", chapter 6; noise and weights as in Arnold 2006)
    predicts, for normalised steps s* = s D / R at distance R, with a = s*^2 / (mu_w D), v the noise of a fitness
    relative to its change by a step, c = sum w_i E z_i and mu_w = 1 / sum w_i^2,

        phi* = c s* (1 + a / 2) / (sqrt(1 + s*^2 / (2 D) + v^2) sqrt(1 + a)) - D (sqrt(1 + a) - 1)
    """
    inputs = int(settings["inputs"])
    network = Network.build((inputs,), (), 10)
    size, population = network.gene_count, int(settings["population"])
    config = config_of(
        {"preset": "selection", "population_size": population, "child_mutation_rate": 1.0, "mutation_scale": 1.0,
         "final_scale": 1.0, "crossover": "mean", "generations": STEPS}, seed
    )  # fmt: skip
    run = Evolution(config, network=network, backend=backend())
    survivors = config.options.survivor_count
    scores = best_scores(population, survivors)
    shares = np.arange(survivors, 0, -1, dtype=np.float64)
    shares /= shares.sum()
    strong, effective = float(shares @ scores), float(1 / np.square(shares).sum())
    found = []
    for noisy in (0.0, 0.5):
        for part in (0.25, 0.5, 1.0, 1.5):
            step = part * effective * strong  # s*; 1 is the best without noise
            apart = step**2 / (effective * size)
            gain = strong * step * (1 + apart / 2) / ((1 + step**2 / (2 * size) + noisy**2) * (1 + apart)) ** 0.5
            expected = gain - size * ((1 + apart) ** 0.5 - 1)
            found.append({"step": part, "noise": noisy, "expected": expected,
                          "happened": _walk(run, seed, size, step, noisy)})  # fmt: skip
    return {"steps": found, "intensity": strong, "effective": effective}


def _walk(run: Evolution, seed: int, size: int, step: float, noisy: float) -> float:
    """Return the mean normalised progress of STEPS generations with a step size, each starting at distance 1."""
    stream, (first, context, _) = Stream(SEED + seed), population_of(run)
    gains, start = [], np.full((1, size), 1 / size**0.5, np.float32)
    for number in range(STEPS):
        parents = np.zeros((context.options.population_size, 2), np.int32)
        brood = Brood(network=context.network, seed=seed, generation=1 + number, survivors=start, parents=parents,
                      mutation_rate=1.0, mutation_scale=step / size)  # fmt: skip
        genomes = context.backend.rebuild(brood, np.arange(brood.size)).astype(np.float64)
        fitness = -np.square(genomes).sum(axis=1)
        thrown = stream.normals(Purpose.PREDICTION, number, 0, brood.size)
        state = Genreg.select(first, context, brood, fitness + noisy * step * 2 / size * thrown, None)
        weights = parent_weights(context.options, state, True)
        mean = weights @ state.survivors.astype(np.float64) / weights.sum()
        gains.append(size * (1 - float(np.linalg.norm(mean))))
    return float(np.mean(gains))


def of_dimension(settings: Mapping[str, Any], seed: int) -> Values:
    """Return how many evaluations of an image a method needs for a validation accuracy; None if it never reaches it.

    A pair of mutants counts as two evaluations, as does a forward and backward pass.
    """
    level, own = float(settings["level"]), {name: settings[name] for name in settings if name != "level"}
    evolution = evolution_of(own, seed)
    options = evolution.config.options
    for _ in range(int(settings["generations"])):
        record = evolution.step()
        seen = [value for name, value in record.items() if name.endswith("validation_accuracy")]
        if seen and max(seen) >= level:
            break
    else:
        return {"evaluations": None, "genes": evolution.network.gene_count}
    if hasattr(options, "images_per_class"):
        each = options.population_size * options.images_per_class * len(evolution.class_names)
    else:
        each = options.batch_size * 2 * getattr(options, "pairs", 1) * (len(evolution.network.learning) if
                                                                       hasattr(options, "pairs") else 1)  # fmt: skip
    return {"evaluations": evolution.generation * each, "genes": evolution.network.gene_count}


def of_estimates(settings: Mapping[str, Any], seed: int) -> Values:
    """Return how well mirrored pairs estimate the gradient: cos^2 of estimate and gradient, predicted and measured.

    Weights mutated, K pairs of Gaussian directions in D genes:         K / (K + D + 1)
    units mutated, K orthogonal pairs of U units for each of N images:  |g|^2 / (|g|^2 + sum_l (U_l / K - 1) e_l / N),
    e_l the mean of |delta_i|^2 |x_i|^2 (A_i - 1) / (U_l - 1) over images: the error of one image's pairs averages out
    over N images. A of an image's units are active: the others get no credit, since their mutants are equal.
    """
    from genreg_np.experiments.training import images

    data = images(settings["dataset"])
    run = evolution_of({"preset": "nodes", "dataset": settings["dataset"], "shift": 0, "hidden": [settings["hidden"]],
                        "generations": 2}, seed, data)  # fmt: skip
    stream, count = Stream(SEED + seed), int(settings["images"])
    rows = stream.integers(Purpose.BATCH, 0, 0, count, len(data.train))
    features = np.ascontiguousarray(np.asarray(run.context.batch.features)[rows])
    labels = data.train.labels[rows]
    network, genes = run.network, first_genes(run.network, 1.0, Stream(seed))
    gradient = -backend().learner(network, negative_log_likelihood).gradient(
        genes, network.first_statistics, features, labels
    ).gradient  # fmt: skip
    batch = Batch(features, labels, np.ones(count), Score.LOG_PROBABILITY)
    missed, units = _missed(network, genes, features, labels)
    length = float(np.square(gradient, dtype=np.float64).sum())
    found: list[dict[str, Any]] = []
    for pairs in (1, 4, 16, 64):
        lost = sum(max(0.0, width / pairs - 1) * error for width, error in zip(units, missed, strict=True)) / count
        happened = [
            cosine_squared(backend().perturb(network, genes, batch, Perturbation(pairs, 0.01, seed, number)).change,
                           gradient) for number in range(5)
        ]  # fmt: skip
        found.append({"of": "units", "pairs": pairs, "expected": length / (length + lost),
                      "happened": float(np.mean(happened))})  # fmt: skip
    for pairs in (16, 64, 256):
        found.append({"of": "weights", "pairs": pairs, "expected": pairs / (pairs + network.gene_count + 1),
                      "happened": _by_weights(network, genes, features, labels, gradient, pairs, stream)})  # fmt: skip
    return {"estimates": found, "genes": network.gene_count, "images": count}


def _missed(
    network: Network, genes: Float32, features: Float32, labels: NDArray[np.int64]
) -> tuple[list[float], list[int]]:
    """Return mean |delta|^2 |x|^2 and the number of units of both layers of a network with one hidden ReLU layer."""
    (weights, biases), (out, last) = network.unpack(genes)
    hidden = np.maximum(features @ weights.T + biases, 0)
    logits = hidden @ out.T + last
    chance = np.exp(logits - logits.max(axis=1, keepdims=True))
    chance /= chance.sum(axis=1, keepdims=True)
    at_outputs = -chance
    at_outputs[np.arange(len(labels)), labels] += 1
    at_hidden = (at_outputs @ out) * (hidden > 0)
    active = ((hidden > 0).sum(axis=1) - 1) / max(1, len(biases) - 1)
    found = [
        float((share * np.square(delta).sum(axis=1) * (1 + np.square(seen).sum(axis=1))).mean(dtype=np.float64))
        for delta, seen, share in ((at_hidden, features, active), (at_outputs, hidden, np.ones(len(labels))))
    ]
    return found, [len(biases), len(last)]


def _by_weights(
    network: Network, genes: Float32, features: Float32, labels: NDArray[np.int64], gradient: Float32, pairs: int,
    stream: Stream,
) -> float:  # fmt: skip
    """Return cos^2 of the gradient and an estimate from mirrored mutants of all weights."""
    estimate = np.zeros(len(genes))
    scale = 1e-3

    def score(of: Float32) -> float:
        logits = backend().logits(network, of, features).astype(np.float64)
        top = logits.max(axis=1)
        return float((logits[np.arange(len(labels)), labels] - top
                      - np.log(np.exp(logits - top[:, None]).sum(axis=1))).mean())  # fmt: skip

    for pair in range(pairs):
        way = stream.normals(Purpose.MUTATION, pairs, pair, len(genes))
        up, down = ((genes + sign * scale * way).astype(np.float32) for sign in (1, -1))
        estimate += (score(up) - score(down)) / (2 * scale) * way
    return cosine_squared(estimate, gradient)


def cosine_squared(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return cos^2 of the angle between two vectors (D,)."""
    first, second = one.astype(np.float64), other.astype(np.float64)
    return float((first @ second) ** 2 / ((first @ first) * (second @ second)))
