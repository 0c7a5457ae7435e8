"""The loop: a strategy's step, again and again, with a record of each. Also ask and tell, for a fitness of one's own.

    evolution = Evolution(TrainConfig(...), dataset)        a labelled dataset to score on, or
    evolution = Evolution(TrainConfig(...), network=net)    a network, and the user's own fitness

    evolution.run()                                         all generations
    evolution.run(fitness=score, workers=2)                 the same with fitness = score(model)
    models = evolution.ask(); evolution.tell(numbers)       one generation by hand

Two Evolutions of one seed and configuration are equal after equally many generations, whatever was saved, loaded,
asked twice or run on more threads in between.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends.base import Backend, Brood, ImageFitness
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.checkpoint import SavedRun, pack_checkpoint, read_checkpoint, restored
from genreg_np.config import TrainConfig
from genreg_np.data.dataset import Dataset
from genreg_np.direction import Direction
from genreg_np.errors import RunError, UsageError
from genreg_np.files import write_atomic
from genreg_np.model import Model, Network
from genreg_np.strategies import strategy_class
from genreg_np.strategies.base import check_memory, pose
from genreg_np.streams import Stream
from genreg_np.workers import FitnessPool

Record = dict[str, Any]
Fitness = Callable[[Model], float]


class Evolution:
    """A population under way.

    Parameters
    ----------
    config : TrainConfig, optional
        By default the preset `small`.
    dataset : Dataset, optional
        Labelled data to score, validate and test on.
    network : Network, optional
        The net to evolve; by default built from the dataset and `config.hidden`.
    backend : str or Backend
        auto, cpu, numpy, numba, cupy.
    threads : int, optional
        How many threads; by default all.
    initial : Model, optional
        A model of the same network whose mutated copies are generation 0.
    class_names : tuple of str, optional
        What a network without a dataset tells apart; none where its outputs are values.
    input_range : tuple of float, optional
        Smallest and largest raw value of a network's integer inputs; None where inputs are features.
    image_fitness : callable, optional
        A fitness of one's own for node-perturbation: image_fitness(logits (n, K), labels (n,)) -> (n,).

    Attributes
    ----------
    generation : int
        Generations scored so far.
    seconds : float
        Time spent so far, including earlier processes of a loaded run.

    Raises
    ------
    UsageError
        If neither a dataset nor a network is given, or they or the settings do not fit together.
    """

    def __init__(
        self,
        config: TrainConfig | None = None,
        dataset: Dataset | None = None,
        *,
        network: Network | None = None,
        backend: str | Backend = "auto",
        threads: int | None = None,
        initial: Model | None = None,
        class_names: Sequence[str] = (),
        input_range: tuple[float, float] | None = None,
        image_fitness: ImageFitness | None = None,
    ) -> None:
        if dataset is None and network is None:
            raise UsageError("an evolution needs a dataset, or a network and your own fitness")
        self.config = config or TrainConfig.from_preset("small")
        if dataset is None or image_fitness is not None:
            self.config = self.config.with_own_fitness(dataset is not None)
        self.backend = backends.create(backend, threads) if isinstance(backend, str) else backend
        self.strategy = strategy_class(self.config.strategy)
        self.compile_seconds = self.backend.warm_up(self.strategy.works)
        started = time.perf_counter()
        self.dataset = dataset
        self.class_names = dataset.class_names if dataset else tuple(class_names)
        self.input_range = dataset.input_range if dataset else input_range
        self.stream = Stream(self.config.seed)
        problem = pose(self.strategy, dataset, self.config, self.backend, network)
        features = None if problem.features is None else self.backend.to_device(problem.features)
        self.network = problem.network
        self._problem = dataclasses.replace(problem, features=features, image_fitness=image_fitness)
        self.context = self._prepare(self.config)
        self.state = self._start(initial)
        self._features: dict[str, NDArray[np.float32]] = {}
        self._asked: Brood | None = None
        self._direction = Direction(len(self.class_names), len(dataset.validation)) if dataset else None
        self.seconds = time.perf_counter() - started

    def _prepare(self, config: TrainConfig) -> Any:
        self._problem = dataclasses.replace(self._problem, generations=config.generations)
        check_memory(self.strategy, self._problem, config.options, self.backend)
        return self.strategy.prepare(self._problem, config.options, self.backend)

    def _start(self, initial: Model | None) -> Any:
        if initial is None:
            return self.strategy.start(self.context, self.stream)
        if not hasattr(self.strategy, "seeded"):
            raise UsageError(f"strategy {self.config.strategy} cannot start from a model: leave out --init")
        if initial.network.dense != self.network.dense:
            raise UsageError(
                f"the model to start from is {initial.network.describe()}, "
                f"but this run needs {self.network.describe()}: choose matching --hidden and --set activation=..."
            )
        return self.strategy.seeded(initial.genes)

    @property
    def generation(self) -> int:
        """Generations scored so far."""
        return int(self.state.generation)

    def change(self, **settings: Any) -> None:
        """Change settings of a run under way, such as child_mutation_rate.

        Raises
        ------
        UsageError
            For a setting that cannot apply any more, with the reason.
        """
        config = self.config.changed(**settings)
        self.context = self._prepare(config)
        self.config = config
        self._asked = None

    # One generation

    def step(self) -> Record:
        """Evolve one generation on the dataset and return its record; validates when it is time to."""
        started = time.perf_counter()
        self.state = self.strategy.step(self.state, self.context, self.stream)
        self._asked = None
        return self._record(started)

    def ask(self) -> list[Model]:
        """Return the genomes of the next generation as models, P of them; asking again returns the same.

        From the first call on the fitness is the user's: `config.fitness` becomes "custom", which `step` cannot score.

        Raises
        ------
        UsageError
            If the strategy has no population to hand out.
        """
        if not hasattr(self.strategy, "breed"):
            raise UsageError(f"strategy {self.config.strategy} has no genomes to hand out: use genreg for ask and tell")
        if self.config.fitness != "custom":
            self.change(fitness="custom")
        self._asked = self.strategy.breed(self.state, self.context, self.stream)
        genomes = self.backend.to_host(self.backend.rebuild(self._asked, np.arange(self._asked.size)))
        return [self._model(genes) for genes in genomes]

    def tell(self, fitness: Sequence[float] | NDArray[np.floating]) -> Record:
        """Take the fitness of the asked genomes, one number each, higher is better; select, and return the record.

        Raises
        ------
        UsageError
            If nothing was asked.
        FitnessError
            If there are not P numbers, or none is finite.
        """
        if self._asked is None:
            raise UsageError("tell() without ask(): ask for this generation's genomes first")
        started = time.perf_counter()
        self.state = self.strategy.select(self.state, self.context, self._asked, fitness)
        self._asked = None
        return self._record(started)

    def _record(self, started: float) -> Record:
        record: Record = {"generation": self.generation, **self.state.metrics()}
        last = self.generation >= self.config.generations
        if self.dataset is not None and (self.generation % self.config.validate_every == 0 or last):
            record |= self._validation()
        if self._direction:
            self._direction.look(record, self.config.generations)
        self.seconds += time.perf_counter() - started
        return record | {"seconds": round(self.seconds, 6)}

    # Many generations

    def run(
        self,
        generations: int | None = None,
        *,
        fitness: Fitness | None = None,
        workers: int = 0,
        on_record: Callable[[Record], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> str:
        """Evolve until the total number of generations is reached, or the target, or a stop.

        Parameters
        ----------
        generations : int, optional
            The total, counted from generation 0; by default the configuration's.
        fitness : callable, optional
            fitness(model) -> number, higher is better. Without it the dataset is scored.
        workers : int
            Processes that call `fitness` (0: this one). They are spawned, so the function must be importable.
        on_record : callable, optional
            Called with the record of each generation.
        should_stop : callable, optional
            Asked before each generation; true ends the run there.

        Returns
        -------
        str
            Why it ended: "generations", "target" or "stopped".
        """
        total = self.config.generations if generations is None else generations
        if self._at_target():
            return "target"
        with FitnessPool(fitness, workers) as pool:
            while self.generation < total:
                if should_stop and should_stop():
                    return "stopped"
                if fitness is None:
                    record = self.step()
                else:
                    started = time.perf_counter()
                    models = self.ask()
                    with single_threaded_blas():  # as in the workers: the same numbers, and no contention
                        numbers = pool.map(models)
                    self.seconds += time.perf_counter() - started
                    record = self.tell(numbers)
                if on_record:
                    on_record(record)
                if _reaches(self.config.target, record):
                    return "target"
        return "generations"

    def _at_target(self) -> bool:
        """Whether the last generation reached the target: a run that is gone on with must not run past it."""
        looked = self.generation and self.generation % self.config.validate_every == 0
        if self.dataset is None or not self.config.target or not looked:
            return False
        return _reaches(self.config.target, self._validation())

    def _validation(self) -> Record:
        """Return the champions' accuracies on the validation split, as a record names them."""
        accuracies = self.accuracies("validation")
        first = next(iter(accuracies))
        return {
            f"{'' if name == first else name + '_'}validation_accuracy": value for name, value in accuracies.items()
        }

    # Champions

    def champions(self) -> dict[str, Model]:
        """Return the run's candidates by name: `best`, the most trusted genome of the last generation, and others.

        Raises
        ------
        UsageError
            Before the first generation.
        """
        if self.generation == 0:
            raise UsageError("no generation has been scored yet: run() first")
        return {name: self._model(genes) for name, genes in self.champion_genes().items()}

    def plan(self) -> str:
        """Say how a generation is computed, and what memory that takes."""
        return str(self.strategy.plan(self._problem, self.config.options, self.backend))

    def champion_genes(self) -> dict[str, NDArray[np.float32]]:
        """Return each champion's genes (D,)."""
        needed = getattr(self.strategy, "for_champions", lambda state: state)
        champions: dict[str, NDArray[np.float32]] = self.strategy.champions(self.on_host(needed(self.state)))
        return champions

    def on_host(self, state: Any) -> Any:
        """Return a strategy's state with NumPy's arrays in place of the backend's."""
        values = {item.name: self.backend.to_host(getattr(state, item.name)) for item in dataclasses.fields(state)}
        return dataclasses.replace(state, **values)

    def accuracies(self, split: str) -> dict[str, float]:
        """Return each champion's accuracy on a split of the dataset."""
        labels = self._dataset().split(split).labels
        champions = self.champion_genes()
        return {name: float(np.mean(self.predict(genes, split) == labels)) for name, genes in champions.items()}

    def predict(self, genes: NDArray[np.float32], split: str) -> NDArray[np.int64]:
        """Return a genome's predicted classes (N,) for a split, the same for any number of threads."""
        if split not in self._features:
            dataset = self._dataset()
            features = self.backend.features(self.network, dataset.split(split).inputs, dataset.input_range)
            self._features[split] = self.backend.to_device(features)
        classes: NDArray[np.int64] = self.backend.logits(self.network, genes, self._features[split]).argmax(axis=1)
        return classes

    def _dataset(self) -> Dataset:
        if self.dataset is None:
            raise UsageError("this evolution has no dataset to predict")
        return self.dataset

    def _model(self, genes: NDArray[np.float32]) -> Model:
        return Model.build(self.network, genes, self.class_names, self.input_range, {"generation": self.generation})

    # Saving

    def pack(self) -> bytes:
        """Return a checkpoint's bytes."""
        network, genes = self.network, self.network.gene_count
        saved = SavedRun(self.config, network, self.class_names, self.input_range, genes, self.seconds)
        return pack_checkpoint(self.on_host(self.state), saved)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint, atomically; it may be saved between ask and tell (ask again after loading)."""
        write_atomic(Path(path), self.pack())

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        dataset: Dataset | None = None,
        *,
        config: TrainConfig | None = None,
        network: Network | None = None,
        backend: str | Backend = "auto",
        threads: int | None = None,
        image_fitness: ImageFitness | None = None,
    ) -> Evolution:
        """Go on from a checkpoint.

        Parameters
        ----------
        path : str or path
            What `save` wrote.
        dataset : Dataset, optional
            The dataset it was started with; none if it was started with a network.
        config : TrainConfig, optional
            Settings changed since, by default the saved ones.
        network : Network, optional
            Needed only if it was started with a network that has fixed layers.
        image_fitness : callable, optional
            The one it was started with.

        Raises
        ------
        RunError
            If the checkpoint is missing, damaged, or of another network.
        """
        saved, fields = read_checkpoint(Path(path))
        if dataset is None and network is None and saved.network is None:
            raise RunError(f"{path}: was saved with a dataset or fixed layers: pass the same dataset or network")
        evolution = cls(
            config or saved.config,
            dataset,
            network=network if dataset or network else saved.network,
            backend=backend,
            threads=threads,
            class_names=saved.class_names,
            input_range=saved.input_range,
            image_fitness=image_fitness,
        )
        if saved.genes != evolution.network.gene_count:
            raise RunError(
                f"{path}: holds genomes of {saved.genes:,} genes, but this network "
                f"({evolution.network.describe()}) has {evolution.network.gene_count:,}: pass what it was started with"
            )
        evolution.state = restored(evolution.on_host(evolution.state), fields, Path(path))
        evolution.seconds += saved.seconds
        return evolution


def _reaches(target: float, record: Record) -> bool:
    found = [value for name, value in record.items() if name.endswith("validation_accuracy")]
    return 0 < target <= max(found, default=0)
