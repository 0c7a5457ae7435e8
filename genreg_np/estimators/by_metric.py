"""The second half of training on a metric: a trained network is evolved on the metric itself.

Learning by likelihood first brings the network near the optimum. Then mirrored mutants of all its weights are ranked by
the metric of their answers to all samples, and the network moves in the direction that the ranks indicate (strategy
evolution-strategy). Mutations are large: what improves the mean over all mutants generalises to other samples, whereas
the metric of a single network has many accidental maxima. With rare classes many mutants score equally; of equals the
one with the higher likelihood is ahead.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.estimators.judging import Fitness, judge_of, log_likelihood
from genreg_np.model import Model
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.generations import Record
from genreg_np.runs.start import core_of

MUTANTS = {"population_size": 100, "sigma": 0.1, "step_size": 0.01}
REHEARSED = 2  # generations used to convert a time to a number of generations


def evolved(
    model: Model,
    data: Dataset,
    fitness: Fitness,
    config: TrainConfig,
    backend: str,
    threads: int | None,
    left: float | None,
    on_record: Callable[[Record], None],
    classes: NDArray[Any] | None = None,
) -> Model:
    """Return a model after its evolution on a metric.

    Parameters
    ----------
    model : Model
        The starting point.
    data : Dataset
        Its training split is used.
    fitness : str or callable
    config : TrainConfig
        Of strategy evolution-strategy; `left` may reduce its number of generations.
    backend : str
    threads : int, optional
    left : float, optional
        Seconds that are left.
    on_record : callable
        Called with the record of each generation: `fitness_mean` and `fitness_maximum` of its mutants.
    classes : (K,) ndarray, optional
        The user's classes, for scorers.
    """
    labels = data.train.labels
    judge = judge_of(fitness, labels, not data.of_numbers, data.outputs, classes)
    tie = None if data.of_numbers else functools.partial(log_likelihood, labels)

    def begun(config: TrainConfig) -> Evolution:
        network, _ = core_of(model)
        return Evolution(config, data, network=network, backend=backend, threads=threads, initial=model)

    if left is not None:
        rehearsal, started = begun(config), time.perf_counter()
        rehearsal.run(REHEARSED, judge=judge, tie=tie)
        each = (time.perf_counter() - started) / REHEARSED
        config = config.replace(generations=max(1, min(config.generations, int(left / each) - REHEARSED)))
    evolution = begun(config)
    evolution.run(judge=judge, tie=tie, on_record=on_record)
    genes = evolution.champion_genes()["best"]
    return evolution.model_of(genes, {**model.training, "metric": fitness if isinstance(fitness, str) else "custom"})
