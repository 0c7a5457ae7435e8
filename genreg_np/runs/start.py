"""How a run begins: what its strategy is to solve, and refusals of what cannot be started from or held in memory."""

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

KINDS: dict[str, tuple[type, str]] = {  # of arguments, by their names, and what makes one
    "config": (TrainConfig, 'TrainConfig.from_preset("small") makes one'),
    "dataset": (Dataset, "Dataset.from_arrays(inputs, labels) makes one"),
    "network": (
        Network,
        'Network.build((4,), hidden=(3,), outputs=2) makes one, Network.build((4,), "elman 3 / dense 2") another',
    ),
    "initial": (Model, 'load("model.npz") reads one'),
}


def check_kinds(needed: Sequence[str] = (), **arguments: object) -> None:
    """Refuse arguments that are not what their names say, None excepted unless it is needed.

    Raises
    ------
    UsageError
        With what makes one.
    """
    for name, value in arguments.items():
        kind, made = KINDS[name]
        if not isinstance(value, kind) and (value is not None or name in needed):
            raise UsageError(f"{name} must be a {kind.__name__}, not {type(value).__name__}: {made}")


def backend_of(backend: object, threads: int | None) -> Backend:
    """Return a backend by its name, or the one that is given, which has its own threads.

    Raises
    ------
    UsageError
        For what is neither, or threads beside a Backend.
    BackendError, MissingExtraError
        As backends.create.
    """
    if isinstance(backend, str):
        return backends.create(backend, threads)
    if not isinstance(backend, Backend):
        raise UsageError(
            f"backend must be a name ({', '.join(backends.names())}) or a Backend, not {type(backend).__name__}"
        )
    if threads is not None:
        raise UsageError(f"threads = {threads} goes with a backend's name: a Backend has its own, leave it out")
    return backend


def check_shared(backend: Backend, strategy: type[AnyStrategy]) -> None:
    """Refuse to share out genomes where there are none.

    Raises
    ------
    UsageError
        For a backend that does nothing else, and a strategy that judges no whole genomes.
    """
    if backend.shares_out and not strategy.keeps_population:
        able = ", ".join(name for name in REGISTRY if strategy_class(name).keeps_population)
        raise UsageError(
            f"strategy {strategy.name} has no genomes that an engine could score: leave the engine out, or choose one "
            f"of {able}"
        )


def check_described(config: TrainConfig, network: Network | None) -> None:
    """Refuse a network beside a description of another one.

    Raises
    ------
    UsageError
        With both.
    """
    if network is not None and config.network:
        try:
            same = words(network.learning) == config.network
        except UsageError:  # it has layers that have no words
            same = False
        if not same:
            raise UsageError(
                f"the configuration describes the network {config.network!r}, and another one is given "
                f"({network.describe()}): leave one of them out"
            )


def outputs_named(class_names: Any, network: Network | None) -> tuple[str, ...]:
    """Return the names of what a network tells apart; none where its outputs are values.

    Raises
    ------
    UsageError
        If they are no list, or neither none nor as many as outputs.
    """
    names = names_of(class_names, "class_names")
    if names and network is not None and len(names) != network.outputs:
        raise UsageError(f"{len(names)} class_names, but the network has {network.outputs} outputs: one each, or none")
    return names


def works_for(
    strategy: type[AnyStrategy], dataset: Dataset | None, config: TrainConfig, network: Network | None
) -> tuple[Work, ...]:
    """Return what a backend will have to do; refuse layers that a strategy cannot train, before anything is computed.

    Raises
    ------
    UsageError
        Naming the layer; or if a description does not fit the dataset.
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
                f"{where}: strategy {strategy.name} trains dense layers, with tanh, relu and the like on them, and no "
                f"others: choose another, such as {others}, or leave it out"
            )
        if strategy.takes is not Takes.ANY and layer.only_by_gradient:
            raise UsageError(
                f"{where}: means something only under a strategy with gradients, such as gradient, which "
                f"{strategy.name} is not: choose one, or leave it out"
            )
    works = strategy.works(config.options, len(network.learning))
    return works if network.is_dense else (*works, *stacked.works(network))


def check_total(config: TrainConfig, new: TrainConfig, reached: int, extend: bool = False) -> None:
    """Refuse a total of generations that a run under way cannot have.

    Raises
    ------
    UsageError
        If it has done more already, or its steps were planned by another total and it is not to be extended.
    """
    if new.generations < reached:
        raise UsageError(f"generations {new.generations} is less than the {reached} this run has already done")
    annealed = (config.annealed or new.annealed) and reached > 0  # no step has been planned before
    if annealed and new.generations != config.generations and not extend:
        raise UsageError(
            f"the steps of this run are planned over {config.generations} generations: another total gives another run "
            "than one of that length from the start; add --extend to go on so"
        )


def described(
    config: TrainConfig, dataset: Dataset, network: str | Network | None
) -> tuple[TrainConfig, Network | None]:
    """Return the configuration of a run on a network or a description of one, and the network where none describes it.

    Raises
    ------
    UsageError
        For what is neither, or is no description.
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
    except UsageError:  # it has layers that have no words, or is for other inputs
        pass
    return config, network


def hidden_layers(config: TrainConfig) -> HiddenLayers:
    """Return the layers that a configuration asks for."""
    return HiddenLayers(config.hidden, config.activation, config.network)


def values_named(targets: Targets | None, dataset: Dataset | None, network: Network | None) -> Targets | None:
    """Return how what a network gives becomes numbers with names, if it does: a dataset's targets, or those given.

    Raises
    ------
    UsageError
        If targets are given beside a dataset, which has its own, or are not one for each output.
    """
    if targets is None:
        return dataset.targets if dataset is not None and dataset.of_numbers else None
    if dataset is not None:
        raise UsageError(f"targets go with a network alone, and {dataset.name} has its own: leave them out")
    assert network is not None
    if len(targets.names) != network.outputs:
        raise UsageError(f"{len(targets.names)} targets, but the network has {network.outputs} outputs: one each")
    return targets


def pose(
    strategy: type[AnyStrategy], dataset: Dataset | None, config: TrainConfig, backend: Backend, network: Network | None
) -> Problem:
    """Return what a strategy is to solve: on a given network, or one of its own making, or dense layers on the inputs.

    Raises
    ------
    UsageError
        If the dataset does not fit.
    """
    if dataset is not None and all_alike(dataset.train.inputs):
        alike = f"{dataset.name}: all training inputs are the same, so there is nothing to tell classes by"
        warnings.warn(alike, RuntimeWarning, stacklevel=2)
    if network is not None or dataset is None:
        assert network is not None
        problem = Problem.of(network, dataset)
    else:
        problem = strategy.problem(dataset, hidden_layers(config), config.options, Stream(config.seed), backend)
    if dataset is not None and (config.class_weight == "balanced" or dataset.train.weights is not None):
        problem = problem.weighted(dataset, config.class_weight == "balanced", strategy.draws_by_class)
    if strategy.takes is not Takes.ANY:  # what is left out of a saved model has no genes: it is left out at once
        problem = dataclasses.replace(problem, network=problem.network.finished)
    return problem


def check_start(initial: Model, network: Network, class_names: Sequence[str], feature_names: Sequence[str]) -> None:
    """Refuse a model that a run cannot start from.

    Raises
    ------
    UsageError
        If its network is another, or has lost what training needs, or classes or columns that both have stand in
        different places.
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
        raise UsageError(f"a saved model has no layers of {kinds} any more, so no run starts from it: leave out --init")
    for what, names, known in (
        ("classes", class_names, initial.class_names),
        ("columns", feature_names, initial.feature_names),
    ):
        place = {name: index for index, name in enumerate(known)}
        theirs, ours = (", ".join(map(short_name, some[:12])) for some in (known, names))
        if any(place.get(name, index) != index for index, name in enumerate(names)):
            raise UsageError(
                f"the model to start from has the same {what} in another order: {theirs}, "
                f"but this run {ours}; bring the data into the model's order"
            )
        if names and known and tuple(names) != tuple(known):
            warnings.warn(
                f"the model to start from has the {what} {theirs}, this run {ours}: they are taken for "
                "one another as they stand",
                RuntimeWarning,
                stacklevel=2,
            )


def core_of(model: Model) -> tuple[Network, NDArray[np.float32]]:
    """Return the network that evolved, and its genes (D,): without the layer that scales numbers back.

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
    """Return the genes (D,) that a run starts from: those of a model, scaled as this run's numbers are.

    Raises
    ------
    UsageError
        If one of both predicts numbers and the other does not, or other ones.
    """
    network, genes = core_of(initial)
    ours = dataset.targets if dataset is not None and dataset.of_numbers else None
    theirs = Targets.read(initial.header)
    if dataset is None or (ours is None and theirs is None):
        return genes
    if ours is None or theirs is None or ours.names != theirs.names:
        raise UsageError(
            f"the model to start from predicts {_predicted(theirs)}, and this run {_predicted(ours)}: leave out --init"
        )
    last = network.layers[-1]
    own = genes[len(genes) - last.gene_count :]
    arrays = [part.reshape(one.shape) for part, one in zip(_parts(own, last), last.parameters, strict=True)]
    shift = (theirs.offset - ours.offset) / ours.scale
    found = last.scaled(arrays, (theirs.scale / ours.scale).astype(np.float32), shift.astype(np.float32))
    if found is None:  # its last layer is none that can be scaled: it starts as it is
        return genes
    return np.concatenate([genes[: len(genes) - last.gene_count], *(array.ravel() for array in found)])


def _parts(genes: NDArray[np.float32], layer: Layer) -> list[NDArray[np.float32]]:
    """Return the genes of a layer's parameters, each flat."""
    ends = np.cumsum([parameter.size for parameter in layer.parameters])[:-1]
    return list(np.split(genes, ends))


def _predicted(targets: Targets | None) -> str:
    return "classes" if targets is None else "numbers called " + ", ".join(map(short_name, targets.names[:8]))


def check_memory(strategy: type[AnyStrategy], problem: Problem, options: Any, backend: Backend) -> None:
    """Refuse settings that need more memory than there is, before any of it is taken.

    Raises
    ------
    UsageError
        With what would fit: a smaller population, or smaller layers.
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
    """Whether every input equals the first; looks no further than the first that does not."""
    return all(np.array_equal(one, inputs[0]) for one in inputs)


def in_units(function: ImageFitness, targets: Targets) -> ImageFitness:
    """Return a user's fitness of numbers as networks learn them, given one of numbers as they are in the data."""
    return lambda values, wanted: function(
        targets.unscaled(values).astype(np.float32), targets.unscaled(wanted).astype(np.float32)
    )
