"""Structure: topologies that evolve with their weights, compared with networks of fixed shape.

As in GENREG, a population survives by trust - here the log-probability earned in a generation - and breeds from the
survivors' mean. In addition, a weight of exactly 0 is no connection, and no network may store more numbers than a
limit. The least important weights of each parent are removed until it keeps to the limit; a mutation of a weight of 0
adds a connection; a unit without inputs or outputs does not count. Places are homologous in all genomes, like those
with the same historical marking in NEAT (Stanley & Miikkulainen 2002, "Evolving neural networks through augmenting
topologies"); removal by size is that of Mocanu et al. 2018, "Scalable training of artificial neural networks with
adaptive sparse connectivity" (SET), with selection instead of gradients.

    importance of a weight    |w| times the root mean square of its input (Sun et al. 2023, "A simple and effective
                              pruning approach for large language models")
    numbers stored            for each layer the minimum of: all weights; the connections, plus a bit per place, 32 bits
                              being a number; the connections and the place of each. Plus the biases of live units

Shapes: G genomes of D genes, H hidden units, I inputs, K classes, N images.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Brood
from genreg_np.data.dataset import Dataset, Split
from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import differs, interval, listed, mean_text, percent, points
from genreg_np.experiments.training import backend, config_of, images, population_of
from genreg_np.fitness import Score
from genreg_np.model import Float32, Network, mapped
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train
from genreg_np.strategies.genreg import Genreg
from genreg_np.streams import Purpose

SEEN = 500  # training images that measure the input of a weight
LIMITS = (500, 1000, 2500, 5000)  # numbers stored, for MNIST at 14 x 14
GENERATIONS = {500: 4000, 1000: 4000, 2500: 6000, 5000: 12_000}
KINDS = {"evolved": "structure evolves", "dense": "dense, selection", "backpropagation": "dense, backpropagation"}
AIMS = (0.9, 0.95)  # accuracies that evolved structure was to reach within 5,000 numbers
WIDTH, HALF = 40, 2  # most hidden units; pixels averaged into one, each way
XOR, XOR_LIMITS = "XOR", (18, 22, 30, 60)
SOLVED = 0.99  # mean probability of the right answer from which on XOR is learned


class Structure(Study):
    """The study `structure`."""

    name = "structure"
    question = "Can structure evolve with the weights, and is it worth it?"
    about = """
Mutation adds connections, and a rule made by hand removes them: before parents breed, their least important weights, by
weight times input, are set to 0 until a limit of numbers stored is kept, including the places of connections. Selection
decides whose weights and connections live on, not how many there are. On MNIST children are scored with what mutation
has added to their parents, on XOR cut down to the limit; what is tested, the survivors' mean, or on XOR the best of
them, is cut down. It is compared with dense networks of one hidden layer within the same limits, trained by the same
selection and by backpropagation. The tasks are MNIST at 14 x 14, without gradients in the first two, and XOR, starting
without any connection. Networks by selection are those of the last generation: nothing is chosen by validation images.
Test accuracy in per cent.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return evolved and fixed networks for each limit, and XOR."""
        found = [
            Case(
                f"{XOR}, {limit}",
                {
                    "limit": limit,
                    "generations": 80 if size.name == "toy" else 800,
                    "kind": "evolved",
                    "hidden": 6,
                    "scored": "cut down",
                },
                7 if size.name == "full" else 0,
            )
            for limit in size.pick(XOR_LIMITS, XOR_LIMITS[-2:], XOR_LIMITS[-1:])
        ]
        for limit in size.pick(LIMITS, (500, 1000), (500,)):
            common = {"dataset": size.data, "limit": limit, "generations": size.generations(GENERATIONS[limit])}
            found += [Case(f"{kind}, {limit}", common | {"kind": kind, "hidden": WIDTH})
                      for kind in KINDS]  # fmt: skip
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Evolve one network, with its structure or without."""
        if settings["kind"] == "backpropagation":
            return by_gradient(settings, seed)
        data = xor() if "dataset" not in settings else small(settings["dataset"])
        return evolved(settings, seed, data)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield accuracy against numbers stored, and XOR."""
        limits = [int(name.rpartition(", ")[2]) for name in results.names("evolved, ")]
        rows = [
            [f"{limit:,}",
             *(cell for kind in KINDS for cell in (percent(results.numbers(f"{kind}, {limit}", "test")),
                                                   mean_text(_stored(results, kind, limit), digits=0))),
             mean_text(results.numbers(f"evolved, {limit}", "connections"), digits=0),
             mean_text(results.numbers(f"evolved, {limit}", "units"), digits=1)]
            for limit in limits
        ]  # fmt: skip
        head = ["numbers at most", *(title for words in KINDS.values() for title in (f"{words}, %", "stored")),
                "evolved: connections", "units"]  # fmt: skip
        parts: list[Table | Picture] = [Table(head, rows)]
        if len(limits) > 1 and results.measured(*(f"{kind}, {limit}" for kind in KINDS for limit in limits)):
            named = {words: ([float(np.mean(_stored(results, kind, limit))) for limit in limits],
                             [results.numbers(f"{kind}, {limit}", "test") for limit in limits])
                     for kind, words in KINDS.items()}  # fmt: skip
            png = plots.lines(
                named, "numbers stored, mean", "test accuracy, %", logarithmic=True, scale=100, ticks=limits
            )
            says = "Test accuracy against the numbers stored, evolved and fixed structures."
            caption = "Each point is a limit; bands are 95 % intervals of accuracy over seeds."
            parts.append(Picture("limits", png, says, caption))
        yield Shown("Accuracy against size", "", parts)
        rows = []
        for name in results.names(f"{XOR}, "):
            runs = results.of(name)
            known = [run for run in runs if run["right"] == 1]
            cells = [
                mean_text([run[part] for run in known if run[part]], digits=1)
                for part in ("solved", "connections", "units")
            ]
            rows.append([name.rpartition(" ")[2], f"{len(known)} of {len(runs)}", *cells])
        if rows:
            words = (
                "Starting without connections, with at most six hidden units. For the seeds that learned it, with the "
                "first generation in which a child, cut down to the limit, is sure of all four answers:"
            )
            head = ["numbers at most", "learned by", "in generation", "connections", "hidden units"]
            yield Shown("XOR", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about evolved structure."""
        limits = [int(name.rpartition(", ")[2]) for name in results.names("evolved, ")]
        if not limits:
            return
        told = []
        for limit in limits:
            own, gaps = (
                results.numbers(f"evolved, {limit}", "test"),
                results.gap(f"evolved, {limit}", f"dense, {limit}"),
            )
            told.append(f"{percent(own)} % with {_counted(results, 'evolved', limit)} numbers stored ({points(gaps)} "
                        f"points compared with a dense one's {_counted(results, 'dense', limit)})")  # fmt: skip
        best = ", ".join(f"{percent(results.numbers(f'backpropagation, {limit}', 'test'))} % with "
                         f"{_counted(results, 'backpropagation', limit)}" for limit in limits)  # fmt: skip
        yield Answer(
            "000", "Evolutionary architecture search (evolve network structure itself)",
            f"{_verdict(results, limits)}a topology that evolves with the weights, without gradients, reaches "
            f"{'; '.join(told)}. {_aimed(results, limits)}Within a limit, which the evolved ones need not use up, it "
            f"takes{_slower(results, limits)}. With backpropagation, dense networks reach {best}.",
        )  # fmt: skip


def _stored(results: Results, kind: str, limit: int) -> list[float]:
    """Return the numbers that each seed's network stores."""
    return results.numbers(f"{kind}, {limit}", "stored")


def _counted(results: Results, kind: str, limit: int) -> str:
    """Return the mean of the numbers stored, in words; a dash if it was not measured."""
    found = _stored(results, kind, limit)
    return f"{np.mean(found):,.0f}" if found else "-"


def _verdict(results: Results, limits: Sequence[int]) -> str:
    """Return where evolved structure is better or worse than dense networks, as the start of a sentence."""
    gaps = {limit: results.gap(f"evolved, {limit}", f"dense, {limit}") for limit in limits}
    named = {limit: f"{_counted(results, 'evolved', limit)} against {_counted(results, 'dense', limit)}"
             for limit in limits}  # fmt: skip
    better = [named[limit] for limit, own in gaps.items() if differs(own) and np.mean(own) > 0]
    worse = [named[limit] for limit, own in gaps.items() if differs(own) and np.mean(own) < 0]
    alike = [named[limit] for limit, own in gaps.items() if len(own) > 1 and not differs(own)]
    found = [("better than dense networks with", better), ("worse with", worse),
             ("not to be told from them with", alike)]  # fmt: skip
    told = "; ".join(f"{words} {listed(names)} numbers stored" for words, names in found if names)
    return f"{told}: " if told else ""


def _aimed(results: Results, limits: Sequence[int]) -> str:
    """Return the fewest numbers stored with which each of AIMS is reached by the whole interval, as a sentence."""
    told = []
    for aim in AIMS:
        reached = [limit for limit in limits
                   if len(own := results.numbers(f"evolved, {limit}", "test")) > 1
                   and np.mean(own) - interval(own) >= aim]  # fmt: skip
        told += [f"{100 * aim:.0f} % with {_counted(results, 'evolved', reached[0])}"] if reached else []
    return f"Its whole interval is at or above {listed(told)}. " if told else ""


def _slower(results: Results, limits: Sequence[int]) -> str:
    """Return how much longer it takes to evolve structure too, as a sentence."""
    ratios = [
        taken / results.seconds[f"dense, {limit}"][seed]
        for limit in limits
        for seed, taken in results.seconds.get(f"evolved, {limit}", {}).items()
        if seed in results.seconds.get(f"dense, {limit}", {})
    ]
    return f" {min(ratios):.1f} to {max(ratios):.1f} times as long as a dense one" if ratios else " longer"


@dataclasses.dataclass(frozen=True)
class Samples:
    """Features (N, I) and labels (N,) of training and test splits, and the features of the validation split."""

    train: tuple[Float32, NDArray[np.int64]]
    test: tuple[Float32, NDArray[np.int64]]
    validation: Float32
    classes: int


def xor() -> Samples:
    """Return XOR: all splits are its four rows."""
    rows = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    both = rows, np.array([0, 1, 1, 0], np.int64)
    return Samples(both, both, rows, 2)


def small(name: str) -> Samples:
    """Return images at half their size each way if they are as large as MNIST's or larger."""
    data = images(name)
    parts = []
    for split in (data.train, data.test, data.validation):
        values = mapped(split.inputs, data.input_range)
        side = data.input_shape[0]
        if side >= 2 * 14:
            cells = values.reshape(-1, side // HALF, HALF, side // HALF, HALF)
            values = np.ascontiguousarray(cells.mean(axis=(2, 4)).reshape(len(values), -1))
        parts.append((values, split.labels))
    return Samples(parts[0], parts[1], parts[2][0], len(data.class_names))


def evolved(settings: Settings, seed: int, data: Samples) -> Values:
    """Evolve a network within a limit of numbers stored, with its structure or as a dense one."""
    features, labels = data.train
    inputs, limit, total = features.shape[1], int(settings["limit"]), int(settings["generations"])
    dense = settings["kind"] == "dense"
    width = dense_width(limit, inputs, data.classes) if dense else int(settings["hidden"])
    network = Network.build((inputs,), (width,), data.classes, "relu")
    tiny = len(features) < 10
    changes = {"child_mutation_rate": 0.1, "mutation_scale": 1.0} if tiny else {}
    config = TrainConfig.from_preset("selection", seed=seed, generations=total, **changes)
    run = Evolution(config, network=network, backend=backend())
    state, context, _ = population_of(run)
    stream = run.stream
    by_class = [np.flatnonzero(labels == label) for label in range(data.classes)]
    pruning = None if dense else Pruning(network, features[:SEEN], limit)
    solved = None
    for generation in range(total):
        brood = Genreg.breed(state, context, stream)
        if pruning is not None:
            brood = pruning.of_parents(brood, first=tiny and generation == 0)
        rows = np.arange(4) if tiny else drawn(by_class, context.options.images_per_class, stream, generation)
        batch = Batch(features, labels[rows], np.ones(len(rows)), Score.LOG_PROBABILITY, rows=rows)
        scored = brood
        if tiny and pruning is not None:
            children = backend().rebuild(brood, np.arange(brood.size))
            scored = Brood.unchanged(network, pruning.all_pruned(children), seed, 1 + generation)
        judged = backend().score(scored, batch)
        state = Genreg.select(state, context, brood, judged.fitness, 0.0)
        if tiny and solved is None and math.exp(judged.fitness.max() / len(rows)) > SOLVED:
            solved = generation + 1
    survivors = state.survivors
    genes = survivors[0] if tiny else survivors.mean(axis=0, dtype=np.float64).astype(np.float32)
    genes = genes if pruning is None else pruning.pruned(genes)
    found = stored(network, genes)
    right = backend().logits(network, genes, data.test[0]).argmax(axis=1) == data.test[1]
    share = round(float(right.mean()), 5)
    return found | ({"right": share, "solved": solved} if tiny else {"test": share})


def drawn(by_class: Sequence[NDArray[np.int64]], each: int, stream: Any, generation: int) -> NDArray[np.int64]:
    """Return rows of `each` samples of each class, with replacement."""
    picks = [stream.integers(Purpose.BATCH, generation, label, each, len(rows)) for label, rows in enumerate(by_class)]
    return np.concatenate([rows[pick] for rows, pick in zip(by_class, picks, strict=True)])


def dense_width(limit: int, inputs: int, classes: int) -> int:
    """Return the largest number of hidden units of a dense network that stores at most `limit` numbers."""
    return max(1, (limit - classes) // (inputs + 1 + classes))


@dataclasses.dataclass(frozen=True)
class Pruning:
    """Removes the least important weights from genomes with one hidden layer, down to a limit."""

    network: Network
    features: Float32  # (N, I) that measure importance
    limit: int

    def of_parents(self, brood: Brood, first: bool = False) -> Brood:
        """Return a brood whose parents keep to the limit; with `first`, of one parent without connections."""
        if first:
            nothing = np.zeros((1, self.network.gene_count), np.float32)
            return dataclasses.replace(brood, survivors=nothing, parents=np.zeros_like(brood.parents), elites=0)
        if not len(brood.survivors):
            return brood
        return dataclasses.replace(brood, survivors=np.stack([self.pruned(genes) for genes in brood.survivors]))

    def pruned(self, genes: Float32) -> Float32:
        """Return genes (D,) with as many weights as the limit allows, including places and biases."""
        found: Float32 = self.all_pruned(genes[None])[0]
        return found

    def all_pruned(self, genomes: Float32) -> Float32:
        """Return genomes (G, D), each pruned."""
        (first, biases), (second, last) = (
            (genomes[:, weights].reshape(len(genomes), layer.outputs, layer.inputs), genomes[:, own])
            for (weights, own), layer in zip(self.network.weight_slices, self.network.dense, strict=True)
        )
        hidden = np.maximum(self.features @ first.transpose(0, 2, 1) + biases[:, None], 0)
        matters = [np.abs(first) * _size(self.features), np.abs(second) * _size(hidden)[:, None]]
        flat = np.concatenate([each.reshape(len(genomes), -1) for each in matters], axis=1)
        total, own = flat.shape[1], biases.shape[1] + last.shape[1]
        places = sum(math.ceil(each[0].size / 32) for each in matters)
        count = self.limit - places - own
        if 2 * count < total - places:  # few: their places are stored one by one
            count = max(count, (self.limit - own) // 2)
        if count >= total:
            return genomes
        least = np.partition(flat, total - count, axis=1)[:, total - count] if count > 0 else np.full(len(flat), np.inf)
        kept = genomes.copy()
        bounds = np.maximum(least, np.finfo(np.float32).tiny)[:, None]
        for (weights, _), own_matters in zip(self.network.weight_slices, matters, strict=True):
            kept[:, weights] *= own_matters.reshape(len(genomes), -1) >= bounds
        return kept


def _size(values: Float32) -> Float32:
    """Return the root mean square of each column of values (..., N, n)."""
    found: Float32 = np.sqrt(np.square(values).mean(axis=-2))
    return found


def stored(network: Network, genes: Float32) -> dict[str, int]:
    """Return how many numbers genes (D,) store as a sparse network, and its connections and units."""
    (weights, _), (out, last) = network.unpack(genes)
    live = (weights != 0).any(axis=1) & (out != 0).any(axis=0)
    layers = [weights[live], out[:, live]]
    counts = [int((layer != 0).sum()) for layer in layers]
    numbers = sum(
        min(layer.size, count + math.ceil(layer.size / 32), 2 * count)
        for layer, count in zip(layers, counts, strict=True)
    )
    return {"stored": numbers + int(live.sum()) + len(last), "connections": sum(counts), "units": int(live.sum())}


def by_gradient(settings: Settings, seed: int) -> Values:
    """Train the dense network of a limit by backpropagation on the same images."""
    data, labels = small(settings["dataset"]), images(settings["dataset"]).validation.labels
    inputs = data.train[0].shape[1]
    network = Network.build(
        (inputs,), (dense_width(int(settings["limit"]), inputs, data.classes),), data.classes, "relu"
    )
    steps = max(2, int(settings["generations"]))
    config = config_of({"preset": "gradient", "shift": 0, "generations": steps, "validate_every": steps}, seed)
    names = tuple(map(str, range(data.classes)))
    splits = Split(*data.train), Split(data.validation, labels), Split(*data.test)
    result = train(config, Dataset(settings["dataset"], *splits, names, None), network=network, backend=backend())
    assert result.model is not None
    return {"test": result.test_accuracy, "stored": network.gene_count}
