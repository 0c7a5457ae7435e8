"""New networks: drawn at random, or recombined from two parents.

child       each gene from one of two distinct parents, by a fair coin; a gene is a layer, a block, a unit or a weight
            (backends/genes.py), as in the strategy `genreg`. Then masked Gaussian mutation, if any.
newcomer    weights and biases from U(+-1 / sqrt(inputs of the unit)), as in generation 0

Networks of generation 0 are drawn by unique numbers:

    0, 1, ...                the first population, then the newcomers of each generation
    FIRST_REPLACEMENT, ...   replacements of networks that diverged
    FIRST_BASELINE, ...      single networks to compare with (report/measure.py)

If 64 does not divide a layer, the notebook's blocks omit the remainder (for 784 inputs and 13 blocks of 60, the last
4), and its children have fresh random weights there: `edges = fresh`.

Shapes: S parents, P children, N newcomers, D genes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Brood
from genreg_np.backends.genes import crossover_runs
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.errors import UsageError
from genreg_np.layers.base import Array, array_module
from genreg_np.layers.groups import grid_end
from genreg_np.model import Float32, Model, Network
from genreg_np.settings import whole_number, whole_numbers
from genreg_np.strategies.mixed.context import MixedContext
from genreg_np.strategies.mixed.networks import in_parts
from genreg_np.strategies.mixed.options import GENES, MixedOptions
from genreg_np.streams import Purpose, Stream, unit_floats

FIRST_REPLACEMENT, FIRST_BASELINE = 1 << 29, 1 << 30
OF_DATA = ("picture", "columns", "label", "table", "task", "values")  # what headers of models say about their data


def draw_parents(children: int, parents: int, stream: Stream, generation: int) -> NDArray[np.int32]:
    """Draw two distinct parents for each child, all pairs equally likely: (P, 2) rows of the survivors."""
    first = stream.integers(Purpose.PARENTS, generation, 0, children, parents)
    second = stream.integers(Purpose.PARENTS, generation, 1, children, parents - 1)
    return np.stack([first, second + (second >= first)], axis=1).astype(np.int32)


def children_of(context: MixedContext, survivors: Array, children: int, stream: Stream, generation: int) -> Array:
    """Return untrained children (P, D) of the survivors (S, D), on the device."""
    options, network = context.options, context.network
    brood = Brood(
        network=network,
        seed=stream.seed,
        generation=generation,
        survivors=survivors,
        parents=draw_parents(children, len(survivors), stream, generation),
        gene=GENES[options.gene],
        mutation_rate=options.child_mutation_rate,
        mutation_scale=options.mutation_scale,
    )
    genes = context.backend.rebuild(brood, np.arange(children))
    if options.edges == "fresh" and options.gene == "block":
        draw_edges(context, genes, stream, generation)
    return genes


def newcomer_numbers(options: MixedOptions, generation: int) -> NDArray[np.int64]:
    """Return the numbers of the newcomers (N,) of a generation, counted from 0."""
    count = options.newcomer_count
    return options.population_size + generation * count + np.arange(count)


def check_numbers(options: MixedOptions, generations: int) -> None:
    """Refuse a run so long that fresh networks could run out of numbers.

    Raises
    ------
    UsageError
        If there are not enough numbers to replace all networks in every generation.
    """
    everyone = options.population_size + options.newcomer_count
    if (generations + 1) * everyone > FIRST_REPLACEMENT:
        raise UsageError(
            f"generations = {generations:,} is too many for {everyone:,} networks each: "
            f"the numbers of fresh networks last for {FIRST_REPLACEMENT // everyone - 1:,}"
        )


def first_networks(backend: Backend, network: Network, stream: Stream, numbers: NDArray[np.int64]) -> Array:
    """Return networks of generation 0 by their numbers, (n, D), from U(+-1 / sqrt(fan in)), PyTorch's default."""
    brood = Brood(
        network=network,
        seed=stream.seed,
        generation=0,
        survivors=np.empty((0, network.gene_count), np.float32),
        parents=np.zeros((1, 2), np.int32),
        weight_range=0.5,
        bias_range=0.5,
    )
    genes = backend.rebuild(brood, numbers)
    with backend.computing():
        for parameter, place in network.parameter_slices:
            genes[:, place] *= spread(parameter.fan_in)
    return genes


def spread(inputs: int) -> float:
    """Return the width of the interval for the first weights of units with `inputs` inputs."""
    return float(np.float32(2 / inputs**0.5))


def outside_blocks(network: Network) -> tuple[NDArray[np.int64], Float32]:
    """Return the genes outside all whole blocks of the notebook, and the width of each gene's interval, (n,) each."""
    places, widths = [], []
    for layer, (weights, biases) in zip(network.dense, network.weight_slices, strict=True):
        for rows in layer.part_rows:
            outside = np.ones((len(rows), layer.inputs), np.bool_)
            outside[: grid_end(len(rows)), : grid_end(layer.inputs)] = False
            first = weights.start + rows.start * layer.inputs
            found = [first + np.flatnonzero(outside), biases.start + np.array(rows[grid_end(len(rows)) :], np.int64)]
            places += found
            widths.append(np.full(sum(map(len, found)), spread(layer.inputs), np.float32))
    return np.concatenate(places), np.concatenate(widths)


def draw_edges(context: MixedContext, genes: Array, stream: Stream, generation: int) -> None:
    """Draw the genes of children (P, D) outside all whole blocks again, in place."""
    places, widths = outside_blocks(context.network)
    if len(places) == 0:
        return
    draws = [unit_floats(stream.words(Purpose.EDGES, generation, child, len(places))) for child in range(len(genes))]
    values = (np.array(draws) - np.float32(0.5)) * widths
    with context.backend.computing():
        xp = array_module(genes)
        genes[:, xp.asarray(places)] = xp.asarray(values)


def recombine(first: Model, second: Model, gene: str = "layer", seed: int = 0, parts: tuple[int, ...] = ()) -> Model:
    """Return a child of two models: each gene comes from one parent or the other, by a fair coin.

    Parameters
    ----------
    first, second : Model
        Two models of the same network.
    gene : str
        layer, block, unit or weight.
    seed : int
        Seed of the coin flips.
    parts : tuple of int
        Number of parallel parts of each hidden layer, which are separate genes; one by default.

    Raises
    ------
    UsageError
        If the models differ in layers, classes or range of inputs, parts do not fit, or there is nothing to exchange.
    """
    network = first.network
    if not _same_layers(first, second):
        raise UsageError(
            f"networks {network.describe()} and {second.network.describe()} cannot recombine: "
            "their layers must be the same"
        )
    for what, one, other in (
        ("class names", first.class_names, second.class_names),
        ("ranges of inputs", first.input_range, second.input_range),
        ("names of features", first.feature_names, second.feature_names),
        ("predicted numbers", first.header.get("values"), second.header.get("values")),
    ):
        if one != other:
            raise UsageError(f"models whose {what} differ cannot recombine: {one} and {other}")
    if gene not in GENES:
        raise UsageError(f"gene {gene!r} must be one of {', '.join(GENES)}")
    seed = whole_number(seed, "seed", least=0)
    network = in_parts(network, whole_numbers(parts, "parts", least=1))
    check_recombines(network, gene)
    genes = np.stack([first.genes, second.genes])
    pair = np.array([[0, 1]], np.int32)
    brood = Brood(network=network, seed=seed, generation=0, survivors=genes, parents=pair, gene=GENES[gene])
    child = NumpyBackend().rebuild(brood, np.arange(1))[0]
    told = {"method": "mixed", "gene": gene}
    bred = Model.build(network, child, first.class_names, first.input_range, told, first.feature_names)
    return Model(bred.header | {name: first.header[name] for name in OF_DATA if name in first.header}, bred.arrays)


def _same_layers(first: Model, second: Model) -> bool:
    """Return whether two models have the same layers, and the same arrays in fixed layers."""
    pairs = zip(first.network.fixed, second.network.fixed, strict=False)
    return first.header["network"] == second.header["network"] and all(
        np.array_equal(array, other.arrays()[name]) for one, other in pairs for name, array in one.arrays().items()
    )


def check_recombines(network: Network, gene: str) -> None:
    """Refuse a network that consists of a single gene.

    Raises
    ------
    UsageError
        If a child could only be a copy of one parent.
    """
    if gene != "weight" and len(np.unique(crossover_runs(network, GENES[gene])[:, 1])) < 2:
        raise UsageError(
            f"a network of one {gene} ({network.describe()}) cannot recombine: a child would be a copy; "
            "choose a smaller gene, or give it more layers"
        )
