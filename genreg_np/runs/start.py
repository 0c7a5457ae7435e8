"""The start of a run: the problem for its strategy, and checks of arguments, initial models and memory."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends import memory, stacked
from genreg_np.backends.base import Backend, Work
from genreg_np.backends.memory import Plan
from genreg_np.data.dataset import Dataset
from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness
from genreg_np.layers.base import Layer
from genreg_np.layers.description import words
from genreg_np.layers.normalise import ScaleShift
from genreg_np.layers.recurrent import check_samples
from genreg_np.layers.targets import Targets
from genreg_np.model import Dense, Model, Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.provenance import fingerprint_of_network
from genreg_np.settings import names_of
from genreg_np.strategies import REGISTRY, strategy_class
from genreg_np.strategies.base import AnyStrategy, Takes
from genreg_np.strategies.problem import HiddenLayers, Problem, network_for
from genreg_np.streams import Stream

KINDS: dict[str, tuple[type, str]] = {  # types of arguments by name, and how to make one
    "config": (TrainConfig, 'TrainConfig.from_preset("small") makes one'),
    "dataset": (Dataset, "Dataset.from_arrays(inputs, labels) makes one"),
    "network": (
        Network,
        'Network.build((4,), hidden=(3,), outputs=2) makes one, Network.build((4,), "elman 3 / dense 2") another',
    ),
    "initial": (Model, 'load("model.npz") reads one'),
}


def check_kinds(needed: Sequence[str] = (), **arguments: object) -> None:
    """Refuse arguments of the wrong type; None is allowed except for `needed` ones.

    Raises
    ------
    UsageError
        The message says how to make one.
    """
    for name, value in arguments.items():
        kind, made = KINDS[name]
        if not isinstance(value, kind) and (value is not None or name in needed):
            raise UsageError(f"{name} must be a {kind.__name__}, not {type(value).__name__}: {made}")


def backend_of(backend: object, threads: int | None) -> Backend:
    """Return a backend by its name, or the given Backend, which has its own threads.

    Raises
    ------
    UsageError
        For anything else, or if threads are given with a Backend.
    BackendError, MissingExtraError
        As backends.create does.
    """
    if isinstance(backend, str):
        return backends.create(backend, threads)
    if not isinstance(backend, Backend):
        raise UsageError(
            f"backend must be a name ({', '.join(backends.names())}) or a Backend, not {type(backend).__name__}"
        )
    if threads is not None:
        raise UsageError(f"threads = {threads} needs a backend's name: a Backend has its own, leave it out")
    return backend


def check_shared(backend: Backend, strategy: type[AnyStrategy]) -> None:
    """Refuse a backend that distributes genomes for a strategy without a population.

    Raises
    ------
    UsageError
        For such a backend, if the strategy does not judge whole genomes.
    """
    if backend.shares_out and not strategy.keeps_population:
        able = ", ".join(name for name in REGISTRY if strategy_class(name).keeps_population)
        raise UsageError(
            f"strategy {strategy.name} has no genomes that an engine could score: leave the engine out, or choose one "
            f"of {able}"
        )


def check_described(config: TrainConfig, network: Network | None) -> None:
    """Refuse a network that differs from the one described in the configuration.

    Raises
    ------
    UsageError
        If they differ; the message shows both.
    """
    if network is not None and config.network:
        try:
            same = words(network.learning) == config.network
        except UsageError:  # it has layers that cannot be written in words
            same = False
        if not same:
            raise UsageError(
                f"the configuration describes the network {config.network!r}, but another one is given "
                f"({network.describe()}): leave one of them out"
            )


def outputs_named(class_names: Any, network: Network | None) -> tuple[str, ...]:
    """Return the names of a network's classes; () if its outputs are values.

    Raises
    ------
    UsageError
        If they are not a list, or their number is neither 0 nor that of the outputs.
    """
    names = names_of(class_names, "class_names")
    if names and network is not None and len(names) != network.outputs:
        raise UsageError(f"{len(names)} class_names, but the network has {network.outputs} outputs: one each, or none")
    return names


def works_for(
    strategy: type[AnyStrategy], dataset: Dataset | None, config: TrainConfig, network: Network | None
) -> tuple[Work, ...]:
    """Return the work for a backend; refuse layers that the strategy cannot train before anything is computed.

    Raises
    ------
    UsageError
        For such a layer, naming it; or if a description does not fit the dataset.
    """
    if network is None and dataset is not None and config.network:
        network = hidden_layers(config).build(dataset)
    if network is None:
        return strategy.works(config.options, len(config.hidden) + 1)
    if dataset is not None:
        check_samples(network.layers)
    for number, layer in enumerate(network.learning, start=1):
        where = f"layer {number}, {layer.words()!r}"
        if strategy.takes is Takes.DENSE and not isinstance(layer, Dense):
            others = "gradient" if layer.only_by_gradient else "genreg or gradient"
            raise UsageError(
                f"{where}: strategy {strategy.name} trains only dense layers, with activations such as tanh or relu: "
                f"choose another, such as {others}, or leave it out"
            )
        if strategy.takes is not Takes.ANY and layer.only_by_gradient:
            raise UsageError(
                f"{where}: has an effect only with a strategy that uses gradients, such as gradient, which "
                f"{strategy.name} is not: choose one, or leave it out"
            )
    works = strategy.works(config.options, len(network.learning))
    return works if network.is_dense else (*works, *stacked.works(network))


def check_total(config: TrainConfig, new: TrainConfig, reached: int, extend: bool = False) -> None:
    """Refuse an invalid total of generations for a run in progress.

    Raises
    ------
    UsageError
        If the run has done more already, or its steps were planned for another total and `extend` is false.
    """
    if new.generations < reached:
        raise UsageError(f"generations {new.generations} is less than the {reached} this run has already done")
    annealed = (config.annealed or new.annealed) and reached > 0  # at generation 0 no step has been taken by the plan
    if annealed and new.generations != config.generations and not extend:
        raise UsageError(
            f"the steps of this run are planned over {config.generations} generations: with another total it differs "
            "from a run of that length from the start; add --extend to accept that"
        )


def described(
    config: TrainConfig, dataset: Dataset, network: str | Network | None
) -> tuple[TrainConfig, Network | None]:
    """Return the configuration of a run on a given network, and the network itself if no description expresses it.

    Raises
    ------
    UsageError
        If `network` is neither a Network nor a valid description.
    """
    if network is None:
        return config, None
    if isinstance(network, str):
        return config.replace(network=network), None
    check_kinds(network=network)
    try:
        same = config.replace(network=words(network.learning))
        if fingerprint_of_network(network_for(dataset, hidden_layers(same))) == fingerprint_of_network(network):
            return same, None
    except UsageError:  # it has layers that cannot be written in words, or is for other inputs
        pass
    return config, network


def hidden_layers(config: TrainConfig) -> HiddenLayers:
    """Return the hidden layers that a configuration describes."""
    return HiddenLayers(config.hidden, config.activation, config.network)


def values_named(targets: Targets | None, dataset: Dataset | None, network: Network | None) -> Targets | None:
    """Return the names and scaling of output values: a dataset's targets, those given, or None for classes.

    Raises
    ------
    UsageError
        If targets are given with a dataset, which has its own, or their number is not that of the outputs.
    """
    if targets is None:
        return dataset.targets if dataset is not None and dataset.of_numbers else None
    if dataset is not None:
        raise UsageError(f"targets are for a network without a dataset, but {dataset.name} has its own: leave them out")
    assert network is not None
    if len(targets.names) != network.outputs:
        raise UsageError(f"{len(targets.names)} targets, but the network has {network.outputs} outputs: one each")
    return targets


def pose(
    strategy: type[AnyStrategy], dataset: Dataset | None, config: TrainConfig, backend: Backend, network: Network | None
) -> Problem:
    """Return the problem for a strategy, with the given network, or the one that the strategy builds.

    Raises
    ------
    UsageError
        If the dataset does not fit.
    """
    if dataset is not None and all_alike(dataset.train.inputs):
        alike = f"{dataset.name}: all training inputs are the same, so classes cannot be distinguished"
        warnings.warn(alike, RuntimeWarning, stacklevel=2)
    if network is not None or dataset is None:
        assert network is not None
        problem = Problem.of(network, dataset)
    else:
        problem = strategy.problem(dataset, hidden_layers(config), config.options, Stream(config.seed), backend)
    if dataset is not None and (config.class_weight == "balanced" or dataset.train.weights is not None):
        problem = problem.weighted(dataset, config.class_weight == "balanced", strategy.draws_by_class)
    if strategy.takes is not Takes.ANY:  # layers that a saved model lacks have no genes: they are left out now
        problem = dataclasses.replace(problem, network=problem.network.finished)
    return problem


def check_start(initial: Model, network: Network, class_names: Sequence[str], feature_names: Sequence[str]) -> None:
    """Refuse a model that a run cannot start from.

    Raises
    ------
    UsageError
        If its network differs, or lacks what training needs, or shared classes or columns are in another order.
    """
    theirs_network, _ = core_of(initial)
    if theirs_network.learning != network.finished.learning:
        raise UsageError(
            f"the model to start from is {theirs_network.describe()}, "
            f"but this run needs {network.finished.describe()}: choose matching --network, or --hidden and "
            "--set activation=..., or leave out --init"
        )
    if network.statistic_slices:
        kinds = ", ".join(sorted({layer.kind for layer in network.learning if layer.statistics}))
        raise UsageError(f"a saved model no longer has {kinds} layers, so no run can start from it: leave out --init")
    for what, names, known in (
        ("classes", class_names, initial.class_names),
        ("columns", feature_names, initial.feature_names),
    ):
        place = {name: index for index, name in enumerate(known)}
        theirs, ours = (", ".join(map(short_name, some[:12])) for some in (known, names))
        if any(place.get(name, index) != index for index, name in enumerate(names)):
            raise UsageError(
                f"the model to start from has the same {what} in another order: {theirs}, "
                f"but this run {ours}; put the data into the model's order"
            )
        if names and known and tuple(names) != tuple(known):
            warnings.warn(
                f"the model to start from has the {what} {theirs}, this run {ours}: they are matched by position",
                RuntimeWarning,
                stacklevel=2,
            )


def core_of(model: Model) -> tuple[Network, NDArray[np.float32]]:
    """Return the network that evolved and its genes (D,), without the layer that rescales output values.

    Raises
    ------
    UsageError
        For a model of 8-bit integers.
    """
    network, genes = model.network, model.genes
    last = network.layers[-1]
    if Targets.read(model.header) is None or not isinstance(last, ScaleShift):
        return network, genes
    return Network(network.input_shape, network.layers[:-1]), genes[: -last.gene_count]


def start_genes(initial: Model, dataset: Dataset | None) -> NDArray[np.float32]:
    """Return the genes (D,) that a run starts from: those of a model, rescaled for this run's targets.

    Raises
    ------
    UsageError
        If only one of them predicts numbers, or they predict different ones.
    """
    network, genes = core_of(initial)
    ours = dataset.targets if dataset is not None and dataset.of_numbers else None
    theirs = Targets.read(initial.header)
    if dataset is None or (ours is None and theirs is None):
        return genes
    if ours is None or theirs is None or ours.names != theirs.names:
        raise UsageError(
            f"the model to start from predicts {_predicted(theirs)}, but this run {_predicted(ours)}: leave out --init"
        )
    last = network.layers[-1]
    own = genes[len(genes) - last.gene_count :]
    arrays = [part.reshape(one.shape) for part, one in zip(_parts(own, last), last.parameters, strict=True)]
    shift = (theirs.offset - ours.offset) / ours.scale
    found = last.scaled(arrays, (theirs.scale / ours.scale).astype(np.float32), shift.astype(np.float32))
    if found is None:  # its last layer cannot be rescaled, so it is left as it is
        return genes
    return np.concatenate([genes[: len(genes) - last.gene_count], *(array.ravel() for array in found)])


def _parts(genes: NDArray[np.float32], layer: Layer) -> list[NDArray[np.float32]]:
    """Return the genes of each of a layer's parameters, flat."""
    ends = np.cumsum([parameter.size for parameter in layer.parameters])[:-1]
    return list(np.split(genes, ends))


def _predicted(targets: Targets | None) -> str:
    return "classes" if targets is None else "numbers called " + ", ".join(map(short_name, targets.names[:8]))


def check_memory(strategy: type[AnyStrategy], problem: Problem, options: Any, backend: Backend) -> None:
    """Refuse settings that need more memory than there is, before any is allocated.

    Raises
    ------
    UsageError
        The message says what would fit: a smaller population, or smaller layers.
    """
    network, limit = problem.network, backend.memory()
    smaller = "choose fewer or smaller hidden layers"
    genes = Plan("one network", f"{network.gene_count:,} weights and biases x 4 bytes", 4 * network.gene_count)
    memory.check(genes, limit, smaller)

    def plan_for(size: int) -> Plan:
        return strategy.plan(problem, dataclasses.replace(options, population_size=size), backend)

    ranges = {item.name: item.metadata for item in dataclasses.fields(options)}
    if "population_size" not in ranges:
        memory.check(strategy.plan(problem, options, backend), limit, smaller)
        return
    least, most = ranges["population_size"]["low"], options.population_size
    needed = plan_for(most)
    if needed.bytes > limit:
        fits = memory.largest(lambda size: plan_for(size).bytes <= limit, least, most)
        memory.check(needed, limit, f"population_size = {fits:,} would fit" if fits >= least else smaller)


def all_alike(inputs: NDArray[np.generic]) -> bool:
    """Return whether all inputs are equal; stops at the first that differs."""
    return all(np.array_equal(one, inputs[0]) for one in inputs)


def in_units(function: ImageFitness, targets: Targets) -> ImageFitness:
    """Convert a user's fitness of numbers in the data's units to one of scaled numbers, as networks learn them."""
    return lambda values, wanted: function(
        targets.unscaled(values).astype(np.float32), targets.unscaled(wanted).astype(np.float32)
    )
