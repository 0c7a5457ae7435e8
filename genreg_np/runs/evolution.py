"""The main loop, which repeats a strategy's step and records each generation; also ask and tell, for a custom fitness.

    evolution = Evolution(TrainConfig(...), dataset)        a labelled dataset to score on, or
    evolution = Evolution(TrainConfig(...), network=net)    a network, and the user's own fitness

    evolution.run()                                         all generations
    evolution.run(fitness=score, workers=2)                 the same with fitness = score(model)
    evolution.run(fitness=score, target=9.5, out="runs/x")  until 9.5 is reached, kept in a folder
    evolution.run(judge=scores)                             the same with judge(answers of many) -> numbers
    models = evolution.ask(); evolution.tell(numbers)       one generation by hand

The first evolution of a kind on a machine silently compiles kernels, for five to nine seconds, and caches them.

Two Evolutions with the same seed and configuration are equal after equally many generations, whatever was saved,
loaded, asked twice or run on more threads in between.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from genreg_np.backends.base import Backend, Told
from genreg_np.data.dataset import Dataset
from genreg_np.engines.fitness import FASTER, FitnessPool
from genreg_np.errors import RunError, UsageError
from genreg_np.files import write_atomic
from genreg_np.fitness import ImageFitness
from genreg_np.model import Network
from genreg_np.runs.checkpoint import read_checkpoint, restored
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.generations import Generations, Record
from genreg_np.runs.judged import Judge, JudgedRun
from genreg_np.runs.own_folder import OwnFolder
from genreg_np.runs.own_run import OwnRun
from genreg_np.runs.shared_scores import scored_by
from genreg_np.settings import whole_number

Fitness = Callable[..., float]  # fitness(model), or fitness(model, seed)
OWN: dict[str, object] = {  # arguments that need `fitness`, with their defaults
    "workers": 0, "engine": FASTER, "address": "", "limit": None, "episodes": 1, "rescore": 0,
    "target": None, "patience": None, "budget": None, "out": None,
}  # fmt: skip


class Evolution(Generations):
    """An evolution in progress.

    Parameters
    ----------
    config : TrainConfig, optional
        By default the preset `small`.
    dataset : Dataset, optional
        Labelled data to score, validate and test on.
    network : Network, optional
        The network to evolve; by default built from the dataset and `config.hidden`.
    backend : str or Backend
        auto, cpu, numpy, numba, cupy.
    threads : int, optional
        Number of threads; by default all.
    initial : Model, optional
        A model of the same network whose mutated copies are generation 0.
    class_names : tuple of str, optional
        The classes of a network without a dataset; empty if its outputs are values.
    input_range : tuple of float, optional
        Smallest and largest raw value of a network's integer inputs; None if inputs are features.
    targets : Targets, optional
        Names and scaling of the outputs of a network without a dataset: its models then predict numbers.
    image_fitness : callable, optional
        A custom fitness for node-perturbation: image_fitness(logits (n, K), labels (n,)) -> (n,).
    on_compiling : callable, optional
        on_compiling(kernels compiled, kernels in all, seconds left), called while the numba backend compiles what no
        earlier process has compiled: five to nine seconds, once per machine, otherwise silently. It is called at the
        beginning and at the end, and in between from another thread. If it raises an exception there, it is not called
        again, and the exception is raised here when everything is compiled.
    clock : callable
        The time in seconds, from any start: measures `seconds`, budgets and the intervals of saving.

    Attributes
    ----------
    generation : int
        Generations scored so far.
    seconds : float
        Time taken so far, including earlier processes of a loaded run.
    best_ever : BestEver or None
        The best genome so far under a custom fitness: `genes`, `fitness`, `generation`. Set it to None if the fitness
        changes its meaning during the run.
    changes : list of dict
        Settings changed so far: each with its `generation`, `setting`, `old` and `new`.

    Raises
    ------
    UsageError
        If neither a dataset nor a network is given, or they or the settings do not fit together.
    DataError
        If nothing can be learned from the dataset.
    """

    # Many generations

    def run(
        self,
        generations: int | None = None,
        *,
        fitness: Fitness | None = None,
        judge: Judge | None = None,
        tie: Judge | None = None,
        workers: int = 0,
        engine: str = FASTER,
        address: str = "",
        limit: float | None = None,
        episodes: int = 1,
        rescore: int = 0,
        target: float | None = None,
        patience: int | None = None,
        budget: float | None = None,
        out: str | os.PathLike[str] | None = None,
        on_record: Callable[[Record], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> str:
        """Evolve until the total number of generations is reached, or the target, or a stop.

        Parameters
        ----------
        generations : int, optional
            The total, counted from generation 0; by default the configuration's.
        fitness : callable, optional
            fitness(model) -> number, or an array of one; higher is better. +inf is perfect; NaN and -inf count as the
            worst finite number of their generation. Without it genomes are scored on the dataset. If it has a parameter
            `seed`, it also gets a whole number below 2**31: the same for all genomes of a generation, and new ones in
            each generation.
        judge : callable, optional
            judge(answers (G, N, K)) -> (G,) numbers: a fitness of many genomes' answers to the N training samples at
            once, which are logits of K classes, or predicted numbers. For a metric that is cheap to compute this is
            much faster than `fitness`, which takes models.
        tie : callable, optional
            Like `judge`: orders genomes to which it gives the same number.
        workers : int
            Processes that call `fitness` (0: this one). They are spawned, so the function must be importable, and a
            script needs a main guard. They stay until the run ends.
        engine : str
            `faster`: use the `workers` processes as long as they are faster than this one; `processes`: use them
            always, by default one for each processor; `serial`: never; `ray`: use a Ray cluster.
            Without a fitness, `processes` and `ray` distribute the genomes of a generation, which are scored on the
            dataset.
        address : str
            Address of the cluster: HOST:PORT, or auto; by default one is started on this machine.
        limit : float, optional
            Seconds that a call of `fitness` may take; then its process is killed, and the run ends with an error.
        episodes : int
            How often each genome is scored in a generation, each time with another seed; the mean counts.
        rescore : int
            How often a candidate for the best ever is scored again, along with the genome around which the strategy
            draws, if it has one; the mean of those scores counts. If that takes more than half as many calls as a
            generation, it is done only in every second generation, or every third, ...
        target : float, optional
            Stop when the best ever reaches this fitness, in its own units; inf: when it is perfect.
        patience : int, optional
            Stop after this many generations without a better best ever.
        budget : float, optional
            Seconds for this call: it ends before a generation that would exceed them if it took as long as the last;
            the first is always scored.
        out : path, optional
            A run folder to keep the run in: a new one, or the one whose checkpoint.npz this evolution was loaded from.
            It gets a line per generation, a checkpoint every 30 s and at the end, and the best ever as model.npz.
        on_record : callable, optional
            Called with the record of each generation.
        should_stop : callable, optional
            Called before each generation; returning true ends the run.

        Returns
        -------
        str
            Why it ended: "generations", "target", "patience", "budget" or "stopped".

        Raises
        ------
        UsageError
            For an invalid argument, or one that needs `fitness`.
        FitnessError
            If fitness is not a number, or is neither finite nor +inf in a whole generation.
        RunError
            If the folder holds another run, is in use, or cannot be written.
        """
        total = self.config.generations if generations is None else whole_number(generations, "generations")
        own = {
            "workers": workers, "engine": engine, "address": address, "limit": limit, "episodes": episodes,
            "rescore": rescore, "target": target, "patience": patience, "budget": budget, "out": out,
        }  # fmt: skip
        if judge is not None:
            if fitness is not None or own != OWN:
                raise UsageError(f"judge cannot be combined with others: leave out fitness, {', '.join(OWN)}")
            if not callable(judge) or not (tie is None or callable(tie)):
                raise UsageError("judge and tie must be functions: judge(answers (G, N, K)) -> (G,) numbers")
            self._population()
            return self._until(total, JudgedRun(self, judge, tie).step, on_record, should_stop)
        if fitness is None:
            if elsewhere := engine not in (FASTER, "serial"):
                own |= {"engine": FASTER, "workers": 0, "address": ""}
            if own != OWN:
                raise UsageError(
                    f"{', '.join(name for name in OWN if own[name] != OWN[name])} need a fitness of your own: on a "
                    "dataset, set target in TrainConfig, and keep a run with genreg_np.train(config, dataset, out)"
                )
            with scored_by(self, engine, workers, address) if elsewhere else contextlib.nullcontext():
                return self._until(total, self.step, on_record, should_stop)
        with FitnessPool(fitness, workers, engine, limit, address) as pool:
            scored = OwnRun(self, pool, target, rescore, episodes, patience, budget)
            self._population()
            if out is None:
                return self._until(total, scored.step, on_record, should_stop, scored.ended)
            with OwnFolder(self, out, fitness, scored) as folder:
                keep = folder.recorder(on_record)
                return folder.finish(self._until(total, scored.step, keep, should_stop, scored.ended))

    def _until(
        self,
        total: int,
        step: Callable[[], Record],
        on_record: Callable[[Record], None] | None,
        should_stop: Callable[[], bool] | None,
        ended: Callable[[], str] = lambda: "",
    ) -> str:
        """Repeat a step until there is a reason to end, and return the reason."""
        if reason := ended() or ("target" if self._at_target() else ""):  # a resumed run must not go past it
            return reason
        while self.generation < total:
            if should_stop and should_stop():
                return "stopped"
            record = step()
            if on_record:
                on_record(record)
            if reason := ended() or ("target" if _reaches(self.config.target, record) else ""):
                return reason
        return "generations"

    def _at_target(self) -> bool:
        """Return whether the last generation reached the target on the validation split."""
        looked = self.generation and self.generation % self.config.validate_every == 0
        if self.dataset is None or not self.config.target or not looked:
            return False
        return max(self.accuracies("validation").values()) >= self.config.target

    # Saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint atomically; saving between ask and tell is allowed (ask again after loading)."""
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
        on_compiling: Told | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> Evolution:
        """Continue from a checkpoint.

        Parameters
        ----------
        path : str or path
            A file written by `save`.
        dataset : Dataset, optional
            The dataset the run was started with; None if it was started with a network.
        config : TrainConfig, optional
            Changed settings; by default the saved ones.
        network : Network, optional
            Another network than the saved one, with as many genes.
        image_fitness : callable, optional
            The one the run was started with.
        on_compiling : callable, optional
            See Evolution.
        clock : callable
            The time in seconds, from any start.

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
            targets=None if dataset else saved.targets,
            image_fitness=image_fitness,
            on_compiling=on_compiling,
            clock=clock,
        )
        if saved.genes != evolution.network.gene_count:
            raise RunError(
                f"{path}: holds genomes of {saved.genes:,} genes, but this network "
                f"({evolution.network.describe()}) has {evolution.network.gene_count:,}: pass the run's own network"
            )
        evolution.state = restored(evolution.on_host(evolution.state), fields, Path(path))
        count = evolution.network.finished.gene_count
        if any(found.genes.size != count for found in saved.kept.values()):
            raise RunError(f"{path}: its kept champions do not have {count:,} genes each; the file is damaged")
        evolution.best_ever, evolution.kept = saved.best_ever, dict(saved.kept)
        changed = saved.config.changes_to(evolution.config, evolution.generation, saved.config.to_dict())
        evolution.changes = [*saved.changes, *changed]
        evolution.seconds += saved.seconds
        return evolution


def _reaches(target: float, record: Record) -> bool:
    found = [value for name, value in record.items() if name.endswith(("validation_accuracy", "validation_score"))]
    return 0 < target <= max(found, default=0)
