"""Runs within a study: a configuration trained on a named set of images, with its curve.

Data are read, and kernels compiled, once per process. Everything runs on one thread, since a study measures several
cases at a time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from genreg_np import backends
from genreg_np.backends.base import Backend, Brood
from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset
from genreg_np.experiments.base import Values
from genreg_np.runs.config import TrainConfig, merged, read_preset
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.result import Watcher
from genreg_np.runs.training import train
from genreg_np.strategies.genreg import Genreg, GenregContext, GenregState

METHODS = {  # training methods, by their names in tables: a preset, and changes to it
    "GENREG as published": ("seed-mnist-64", {}),
    "selection": ("selection", {}),
    "node perturbation": ("nodes", {"shift": 0}),
    "backpropagation": ("gradient", {"shift": 0}),
}
TESTED = """
*GENREG's mechanism* is GENREG's training as published; what is tested of it, as of other populations, is the better of
its best genome (GENREG's own choice) and its survivors' mean (this project's), by validation accuracy.
""".strip()
FULL = {"GENREG as published": 600, "selection": 600, "node perturbation": 4000, "backpropagation": 3000}
LOOKS = 20  # evaluations on the validation split over a run


@functools.lru_cache(maxsize=4)
def images(name: str) -> Dataset:
    """Return a named set of images, read once per process."""
    return load_dataset(name)


@functools.cache
def backend() -> Backend:
    """Return the fastest backend of the CPU, on one thread."""
    chosen = backends.create("cpu", None)
    return chosen if chosen.threads == 1 else backends.create(chosen.name, 1)


def config_of(settings: Mapping[str, Any], seed: int) -> TrainConfig:
    """Return the configuration for settings that name a preset and changes to it."""
    changes = {name: value for name, value in settings.items() if name != "preset"}
    return TrainConfig.from_dict(merged(read_preset(settings["preset"]), changes | {"seed": seed}))


def method_settings(method: str, data: str, generations: int, **changes: Any) -> dict[str, Any]:
    """Return the settings of one of METHODS on a set of images, validated LOOKS times."""
    preset, own = METHODS[method]
    every = max(1, generations // LOOKS)
    return {"preset": preset, "dataset": data, **own, "generations": generations, "validate_every": every, **changes}


def shown_as(case: str) -> str:
    """Return the name of a case or method as pages have it: what is tested is not always GENREG's own choice."""
    return case.replace("GENREG as published", "GENREG's mechanism")


def trained(settings: Mapping[str, Any], seed: int, budget: float | None = None) -> Values:
    """Train a network, and return the results of the run.

    Returns
    -------
    dict
        `test` and `validation`: accuracies of the model chosen by validation; `seconds`, `generations`, `parameters`;
        `curve`: generation and validation accuracy of each evaluation; for populations also `distance` and `deviation`,
        the survivors' distance and the standard deviation of their trust, at each.
    """
    looks: list[dict[str, Any]] = []

    def keep(record: dict[str, Any]) -> None:
        if "validation_accuracy" in record:
            looks.append(record)

    data = images(settings["dataset"])
    watcher = Watcher(on_record=keep)
    result = train(config_of(settings, seed), data, backend=backend(), budget_seconds=budget, watcher=watcher)
    assert result.model is not None
    best = {name: [look[name] for look in looks if name in look] for name in ("survivor_distance", "trust_deviation")}
    return {
        "test": round(float(result.test_accuracy or 0), 5),
        "validation": round(float(result.validation_accuracy or 0), 5),
        "seconds": round(result.seconds, 2),
        "generations": result.generations,
        "parameters": result.model.network.gene_count,
        "curve": [[look["generation"], round(_best_of(look), 4)] for look in looks],
        **({"distance": best["survivor_distance"]} if best["survivor_distance"] else {}),
        **({"deviation": best["trust_deviation"]} if best["trust_deviation"] else {}),
    }


def _best_of(look: Mapping[str, Any]) -> float:
    """Return the best accuracy of an evaluation's champions."""
    return float(max(value for name, value in look.items() if name.endswith("validation_accuracy")))


def evolution_of(settings: Mapping[str, Any], seed: int, data: Dataset | None = None) -> Evolution:
    """Return a run that has not started, to be stepped by the caller."""
    data = data or images(settings["dataset"])
    return Evolution(config_of(settings, seed), data, backend=backend())


def population_of(evolution: Evolution) -> tuple[GenregState, GenregContext, Brood]:
    """Return a GENREG run's state between two generations, its context, and the next generation."""
    state, context = evolution.state, evolution.context
    assert isinstance(state, GenregState)
    assert isinstance(context, GenregContext)
    return state, context, Genreg.breed(state, context, evolution.stream)


def stepped(evolution: Evolution, generations: int, at: Mapping[int, Callable[[Evolution], None]]) -> None:
    """Run generations, and call the actions in `at` after the generations of these numbers."""
    for _ in range(generations):
        evolution.step()
        if action := at.get(evolution.generation):
            action(evolution)
