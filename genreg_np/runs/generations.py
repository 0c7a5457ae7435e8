"""A strategy's generations, one at a time: a step on a dataset, or ask and tell; and evaluation of its champions."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend, Brood, Told
from genreg_np.data.checked import range_of
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness, as_numbers, summary
from genreg_np.layers.targets import Targets
from genreg_np.model import Model, Network
from genreg_np.runs.best_ever import BestEver, best_of
from genreg_np.runs.champion import chosen, training_of
from genreg_np.runs.checkpoint import SavedRun, pack_checkpoint
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.direction import Direction
from genreg_np.runs.evaluation import Evaluation, Look, Looks
from genreg_np.runs.familiarity import sample_of, with_familiarity
from genreg_np.runs.kept import Standing, better
from genreg_np.runs.looked import class_facts, kin_facts, weight_facts
from genreg_np.runs.numbers import NumberEvaluation
from genreg_np.runs.start import (
    backend_of,
    check_described,
    check_kinds,
    check_memory,
    check_shared,
    check_start,
    in_units,
    outputs_named,
    pose,
    start_genes,
    values_named,
    works_for,
)
from genreg_np.strategies import population_class, strategy_class
from genreg_np.strategies.base import AnyPopulationStrategy, State
from genreg_np.strategies.problem import as_classes
from genreg_np.streams import Stream

Record = dict[str, Any]
Seen = Mapping[str, tuple[NDArray[np.float32], Look]]  # champions (D,), and each one's result on a split
T = TypeVar("T")


class Generations:
    """The part of `Evolution` that performs single generations; see that class for the parameters."""

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
        targets: Targets | None = None,
        image_fitness: ImageFitness | None = None,
        on_compiling: Told | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        check_kinds(config=config, dataset=dataset, network=network, initial=initial)
        self.class_names = outputs_named(class_names, None if dataset else network)
        self.input_range = None if input_range is None else range_of(input_range, "input_range")
        if dataset is None and network is None:
            raise UsageError("an evolution needs a dataset, or a network and your own fitness")
        if dataset is not None:
            dataset.check_trainable()
            self.class_names, self.input_range = dataset.class_names, dataset.input_range
        self.targets = values_named(targets, dataset, network)
        self.config = config or TrainConfig.from_preset("small")
        if image_fitness is not None:
            self.config = self.config.with_image_fitness()
            if dataset is not None and dataset.of_numbers:
                image_fitness = in_units(image_fitness, dataset.targets)
        if dataset is not None:
            self.config = self.config.for_data(dataset)
        self.backend = backend_of(backend, threads)
        self.strategy = strategy_class(self.config.strategy)
        check_shared(self.backend, self.strategy)
        check_described(self.config, network if dataset is None else None)
        works = works_for(self.strategy, dataset, self.config, network)
        self.compile_seconds = self.backend.warm_up(works, on_compiling)
        self.clock = clock
        started = clock()
        self.dataset = dataset
        self.stream = Stream(self.config.seed)
        problem = pose(self.strategy, dataset, self.config, self.backend, network)
        features = None if problem.features is None else self.backend.to_device(problem.features)
        self.network = problem.network
        self._problem = dataclasses.replace(problem, features=features, image_fitness=image_fitness)
        self.context = self._prepare(self.config)
        self.state = self._start(initial)
        self._looks = Looks(dataset, self.network.finished, self.backend)
        self.best_ever: BestEver | None = None
        self.kept: Standing = {}  # each champion's best on validation so far, unless the setting `keep` is last
        self.changes: list[dict[str, Any]] = []
        self._asked: Brood | None = None
        told_apart = dataset is not None and not dataset.of_numbers
        self._direction = Direction(len(self.class_names), len(dataset.validation)) if dataset and told_apart else None
        self.seconds = clock() - started

    def _prepare(self, config: TrainConfig) -> Any:
        self._problem = dataclasses.replace(self._problem, generations=config.generations)
        check_memory(self.strategy, self._problem, config.options, self.backend)
        return self.strategy.prepare(self._problem, config.options, self.backend)

    def _start(self, initial: Model | None) -> State:
        state: State
        if initial is None:
            state = self.strategy.start(self.context, self.stream)
        else:
            state = self.strategy.seeded(start_genes(initial, self.dataset))
            check_start(initial, self.network, self.class_names, self.dataset.feature_names if self.dataset else ())
        return state

    @property
    def generation(self) -> int:
        """Generations scored so far."""
        return int(self.state.generation)

    def change(self, **settings: Any) -> None:
        """Change settings during a run, such as child_mutation_rate; logged in `changes`, and in the champion.

        Raises
        ------
        UsageError
            For a setting that can no longer change, with the reason.
        """
        config = self.config.changed(**settings)
        self.context = self._prepare(config)
        self.changes += self.config.changes_to(config, self.generation, settings)
        self.config = config
        self._asked = None

    # One generation

    def step(self) -> Record:
        """Evolve one generation on the dataset and return its record; validates when due."""
        started = self.clock()
        self.state = self.strategy.step(self.state, self.context, self.stream)
        self._asked = None
        return self._record(started)

    def ask(self) -> list[Model]:
        """Return the P genomes of the next generation as models; calling it again returns the same ones.

        Raises
        ------
        UsageError
            If the strategy has no population.
        """
        self._asked = self._population().breed(self.state, self.context, self.stream, told=True)
        genomes = self.backend.to_host(self.backend.rebuild(self._asked, np.arange(self._asked.size)))
        return [self.model_of(genes) for genes in genomes]

    def answers(self, most_bytes: int) -> Iterator[NDArray[np.float32]]:
        """Yield the answers of the next generation's genomes to the training split in batches, (G, N, K).

        Answers are logits, or predicted numbers in the data's units. `tell` takes their fitness in the same order.

        Parameters
        ----------
        most_bytes : int
            Most bytes of a batch, unless a single genome takes more.
        """
        if self.dataset is None:
            raise UsageError("answers() needs a dataset: without one, use ask() and score its models")
        self._asked = asked = self._population().breed(self.state, self.context, self.stream, told=True)
        features = self._problem.features
        assert features is not None  # there is a dataset
        each = 4 * len(self.dataset.train) * self.network.outputs
        some = max(1, most_bytes // each)
        for first in range(0, asked.size, some):
            chosen = np.arange(first, min(asked.size, first + some))
            found = self.backend.outputs(asked, features, chosen)
            yield self.dataset.targets.unscaled(found).astype(np.float32) if self.dataset.of_numbers else found

    def _population(self) -> type[AnyPopulationStrategy]:
        """Return the strategy if it keeps a population; otherwise raise an error."""
        return population_class(self.config.strategy)

    def centre(self, state: Any) -> NDArray[np.float32] | None:
        """Return the genome (D,) around which the strategy draws the next generation, if there is one."""
        return self._population().centre(state)

    def tell(
        self,
        fitness: Sequence[float] | NDArray[np.floating],
        confirm: Callable[[Model], float] | None = None,
    ) -> Record:
        """Take one number per genome from `ask` as its fitness, higher is better; select, and return the record.

        +inf is perfect, ahead of every finite number of its generation; NaN and -inf count as its worst finite one.

        Parameters
        ----------
        fitness : (P,) float
        confirm : callable, optional
            confirm(model) -> float, for a noisy fitness: the number that counts for the best ever. It is called with a
            candidate, and with the genome around which the next generation is drawn, if there is one.

        Raises
        ------
        UsageError
            Without a call of `ask` before.
        FitnessError
            If there are not P numbers, or none is finite or +inf; `tell` can then be called again.
        """
        asked, started = self._asked, self.clock()
        if asked is None:
            raise UsageError("tell() without ask(): ask for this generation's genomes first")
        numbers = as_numbers(fitness, asked.size)
        state = self._population().select(self.state, self.context, asked, numbers)
        best = best_of(
            self.best_ever,
            numbers,
            state.generation,
            lambda number: self.backend.to_host(self.backend.rebuild(asked, np.array([number])))[0],
            confirm and (lambda genes: confirm(self.model_of(genes))),
            self.centre(state),
        )
        self.best_ever, self.state, self._asked = best, state, None
        return self._record(started, summary(numbers) | (best.metrics() if best else {}))

    def _record(self, started: float, told: Record | None = None) -> Record:
        record: Record = {"generation": self.generation, **self.state.metrics(), **(told or {})}
        due, last = self.generation % self.config.validate_every == 0, self.generation >= self.config.generations
        if self.dataset is not None and (due or last):
            seen = self._seen()
            now = self._standing(seen)
            record |= self._validation(now) | self._facts(seen)
            if due and self.config.keep != "last":  # only in generations in which a longer run would validate too
                self.kept = better(self.kept, now)
        if self.dataset is not None and self.dataset.of_numbers and "mean_accuracy" in record:
            record["mean_r2"] = record.pop("mean_accuracy")
        if self._direction:
            self._direction.look(record, self.config.generations)
        self.seconds += self.clock() - started
        return record | {"seconds": round(self.seconds, 6)}

    def _seen(self) -> Seen:
        """Return the champions of the last generation, (D,), and each one's result on the validation split."""
        return {name: (genes, self._looks.look(genes, "validation")) for name, genes in self.champion_genes().items()}

    def _standing(self, seen: Seen | None = None) -> Standing:
        """Return the champions of the last generation with their scores on the validation split."""
        return {
            name: BestEver(genes.copy(), look.score, self.generation)
            for name, (genes, look) in (seen or self._seen()).items()
        }

    def _facts(self, seen: Seen) -> Record:
        """Return the entries of a record about champions and survivors, for a report."""
        assert self.dataset is not None
        labels, classes = self.dataset.validation.labels, len(self.class_names)
        found = weight_facts(next(iter(seen.values()))[0]) | kin_facts(*self.state.kin())
        for whose, (_, look) in _recorded(seen):
            found |= class_facts(look.right, labels, classes, whose) if look.right is not None else {}
        return found

    # Champions

    def champions(self) -> dict[str, Model]:
        """Return the run's candidates by name.

        `best` is the most trusted genome of the last generation, `consensus` its survivors' mean; others by strategy.
        Under a custom fitness, `best_ever` is the best genome of all generations.

        Raises
        ------
        UsageError
            Before the first generation.
        """
        if self.generation == 0:
            raise UsageError("no generation has been scored yet: run() first")
        models = {name: self.model_of(genes) for name, genes in self.champion_genes().items()}
        if self.best_ever:
            models["best_ever"] = self.model_of(self.best_ever.genes, self.best_ever.facts())
        return models

    def champion(self) -> Model:
        """Return the run's result so far: the model that `train` would save if it were stopped here.

        On a dataset two settings choose it. `keep`: the champions of the last generation, or each one's best on the
        validation split. `champion`: one of these by name, or the one that predicts the validation split best. It is
        not tested: `train` uses the test split at the end, and trains again if `keep` is refit. Under a custom fitness
        it is the best genome of all generations, `best_ever` of `champions`.

        Raises
        ------
        UsageError
            Before the first generation, or if there is neither a dataset nor a best genome so far.
        """
        models = self.champions()
        if "best_ever" in models:
            return models["best_ever"]
        if self.dataset is None:
            raise UsageError("no dataset to choose a champion by, and no best_ever: take one of champions()")
        candidates = self.candidates()
        return self.result_of(chosen(self.config.champion, candidates), candidates)

    def candidates(self) -> Standing:
        """Return the candidates of a run on a dataset by name: the last generation's champions, or those kept."""
        return better(self.kept if self.config.keep != "last" else {}, self._standing())

    def result_of(
        self, genome: str, candidates: Standing, test: Mapping[str, float] | None = None, by: Generations | None = None
    ) -> Model:
        """Return the model of one of `candidates`, trained by this run or `by`, with the header of training_of."""
        assert self.dataset is not None
        about = self.generation, genome, candidates, test or {}, self.changes
        by = by or self
        training = training_of(self.config, self.dataset, *about, refit=by is not self)
        model = by.model_of(candidates[genome].genes, training)
        return by._familiar(model, self.dataset) if self.config.familiarity else model

    def _familiar(self, model: Model, dataset: Dataset) -> Model:
        """Return the model with the ability to recognise unfamiliar inputs."""
        network, part = self.network.finished, dataset.train
        labels = as_classes(part.labels)
        chosen = sample_of(labels, math.prod(network.feature_shape))
        seen = self.backend.features(network, part.inputs[chosen], dataset.input_range)
        validation = self.backend.to_host(self._looks.features("validation"))
        return with_familiarity(model, seen, labels[chosen], validation, len(network.fixed))

    def pack(self) -> bytes:
        """Return a checkpoint's bytes."""
        told = self.network if self.dataset is None or not self.network.fixed else None
        about = self.class_names, self.input_range, self.network.gene_count, self.seconds, self.best_ever, self.changes
        targets = self.targets if self.dataset is None else None
        saved = SavedRun(self.config, told, *about, kept=self.kept, targets=targets)
        return pack_checkpoint(self.on_host(self.state), saved)

    def plan(self) -> str:
        """Describe how a generation is computed, and how much memory that takes."""
        return str(self.strategy.plan(self._problem, self.config.options, self.backend))

    def champion_genes(self) -> dict[str, NDArray[np.float32]]:
        """Return the genes (D,) of each champion of the last generation, for `network.finished`, which is saved."""
        return self.champions_of(self.state)

    def champions_of(self, state: Any) -> dict[str, NDArray[np.float32]]:
        """Return the genes (D,) of each champion of a state, for `network.finished`."""
        with self.backend.computing():
            champions = self.strategy.champions(state)
        kept = state.kept_statistics()
        return {name: self.network.finish(self.backend.to_host(genes), kept)[1] for name, genes in champions.items()}

    def on_host(self, state: Any) -> Any:
        """Return a strategy's state with NumPy arrays in place of the backend's."""
        values = {item.name: self.backend.to_host(getattr(state, item.name)) for item in dataclasses.fields(state)}
        return dataclasses.replace(state, **values)

    def accuracies(self, split: str) -> dict[str, float]:
        """Return the accuracy, or for numbers the mean R2, of each champion of the last generation on a split."""
        champions = self.champion_genes()
        return {name: self._looks.look(genes, split).score for name, genes in champions.items()}

    def predict(self, genes: NDArray[np.float32], split: str) -> NDArray[Any]:
        """Return a genome's predictions for a split, equal for any number of threads: classes (N,) or numbers."""
        return self._looks.predict(genes, split)

    def evaluation(self, genes: NDArray[np.float32], split: str) -> Evaluation | NumberEvaluation:
        """Return the full evaluation of a genome (D,) on a split."""
        return self._looks.evaluation(genes, split)

    def model_of(self, genes: NDArray[np.float32], training: dict[str, Any] | None = None) -> Model:
        """Return a genome (D,) as a model; `training` describes its origin, by default its generation."""
        names = self.dataset.feature_names if self.dataset else ()
        picture = self.dataset.picture if self.dataset else None
        told = {"generation": self.generation} if training is None else training
        columns, label = (self.dataset.columns, self.dataset.label) if self.dataset else ((), "")
        table = self.dataset.table if self.dataset else None
        about = self.class_names, self.input_range, told, names, picture, self.targets, columns, label, table
        return Model.build(self.network.finished, genes, *about)

    def _validation(self, standing: Standing) -> Record:
        """Return the entries of a record for scores on the validation split."""
        of_numbers = self.dataset is not None and self.dataset.of_numbers
        name = "validation_score" if of_numbers else "validation_accuracy"
        return {f"{whose}{name}": found.fitness for whose, found in _recorded(standing)}


def _recorded(found: Mapping[str, T]) -> Iterator[tuple[str, T]]:
    """Yield the champions' values, each with the prefix of its entries in a record: "" for the first."""
    for place, (name, one) in enumerate(found.items()):
        yield f"{name}_" if place else "", one
