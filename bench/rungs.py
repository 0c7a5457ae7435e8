"""The rungs of the ladder: what is trained, on what, for how long. ladder.py measures, accuracies.py makes tables."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from genreg_np.runs.config import TrainConfig, merged, read_preset


@dataclass(frozen=True)
class Rung:
    """A method to train, with several seeds."""

    what: str  # a description, for tables
    preset: str = ""  # one of ours
    changes: Mapping[str, Any] = field(default_factory=dict)  # to the preset
    budget: float | None = None  # seconds; None: the preset's own generations
    dataset: str = "mnist"
    seeds: int = 5
    published: str = "-"  # accuracy, %
    peer: str = ""  # for backpropagation: the network that backpropagation.py trains; then budget is its own,
    step: float = 1e-3  # and so are Adam's initial learning rate
    batch: int = 128  # and the batch size (both chosen by validation: tune_peers.py)

    def config(self, seed: int) -> TrainConfig:
        """Return the configuration of a seed, with the preset's generations."""
        values = merged(read_preset(self.preset) | {"dataset": self.dataset}, self.changes)
        return TrainConfig.from_dict(values | {"seed": seed})

    def settings(self) -> dict[str, Any]:
        """Return what a result depends on besides seed and machine."""
        if self.peer:
            own = {} if self.peer == "sklearn-mlp" else {"step": self.step, "batch": self.batch}
            return {"peer": self.peer, "budget": self.budget, "dataset": self.dataset, **own}
        known = self.config(0).determining() | {"budget": self.budget}
        left_out = ("seed", "generations") if self.budget else ("seed",)  # a budget determines the generations
        return {key: value for key, value in known.items() if key not in left_out}


RESULTS = Path(__file__).parent / "results"
SIGNS = {"activation": "step", "sigma": 0.5}
REWARD = {"fitness": "reward", "sigma": 1.0}
LARGE = {"detectors": 24, "first_detectors": 14, "second_detectors": 13, "copies": 6, "generations": 24_000}
LARGE_MAPS = "conv 32 3 / relu / max 2 / conv 64 3 / relu / max 2 / dropout 0.4 / dense 10"
EIGHT_MAPS = "conv 8 5 / relu / max 4 / dense 10"
CROSSOVER = {  # a population whose children mix the weights of two parents, as published
    "crossover": "weight", "population_size": 200, "elites": 4, "child_mutation_rate": 0.05, "mutation_scale": 0.03,
    "final_scale": 0.05, "images_per_class": 20,
}  # fmt: skip
RUNGS: dict[str, Rung] = {
    "random-search": Rung("random search: the best of fresh networks", "random-search", budget=30, seeds=3),
    "evolution-strategy": Rung("plain evolution strategy (Salimans et al.)", "evolution-strategy", budget=60),
    "readme-text": Rung("GENREG's README taken literally (one parent)", "readme-text"),
    "seed-mnist-64": Rung("GENREG as published, 600 generations", "seed-mnist-64", published="81.47 / 81.20, one run"),
    "seed-mnist-32": Rung("GENREG as published, 784-32-10", "seed-mnist-32", published="72.52, one run"),
    "selection": Rung("pure selection by log-probability, 60 s", "selection", budget=60),
    "selection-5m": Rung("pure selection, 5 minutes, batches growing to 1,600", "selection",
                         {"final_images": 160, "final_scale": 0.05}, 300, seeds=3),
    "selection-crossover": Rung("pure selection by crossover of single weights, 60 s", "selection", CROSSOVER, 60),
    "nodes-4s": Rung("node perturbation, 784-64-10, 4 s", "nodes", budget=4),
    "nodes": Rung("node perturbation, 784-64-10, 40 s", "nodes", budget=40),
    "nodes-32": Rung("node perturbation, 784-32-10, 16 pairs, 40 s", "nodes", {"hidden": [32], "pairs": 16}, 40),
    "nodes-step": Rung("node perturbation, hard steps for activations, 40 s", "nodes", SIGNS, 40),
    "nodes-reward": Rung("node perturbation, by the reward +10 / -1.5 alone, 40 s", "nodes", REWARD, 40),
    "fast": Rung("24 random filters, pooled; head by node perturbation", "fast"),
    "middle": Rung("two stages of filters, four versions of each image", "middle"),
    "best": Rung("one and two stages side by side, eight versions", "best"),
    "best-5m": Rung("one and two stages, more filters, six versions, longer", "best", LARGE, seeds=3),
    "genreg-2": Rung("GENREG 2.0, warm-started in closed form", "genreg-2", published="99.10, mean of 5"),
    "genreg-2-cold": Rung("GENREG 2.0's search from random weights, 600 generations", "genreg-2",
                          {"warm_start": False, "generations": 600}, seeds=1),
    "gradient": Rung("backpropagation, 784-64-10, the same code as below", "gradient"),
    "convolution": Rung("backpropagation, conv 16 3 - max 2 - conv 32 3 - max 2, 8 epochs moved by up to a pixel",
                        "convolution"),
    "convolution-large": Rung("backpropagation, conv 32 3 - max 2 - conv 64 3 - max 2, dropout, 20 epochs, moved",
                              "convolution", {"network": LARGE_MAPS, "generations": 17_180}, seeds=3),
    "filters": Rung("pure selection, conv 8 5 - max 4 - dense 10, 60 s", "filters", budget=60, seeds=3),
    "filters-5m": Rung("the same, 5 minutes, batches growing to 600", "filters",
                       {"final_images": 60, "final_scale": 0.05}, 300, seeds=1),
    "filters-published": Rung("GENREG as published (trust, +10 / -1.5) on conv 8 5 - max 4 - dense 10, 600 generations",
                              "seed-mnist-64", {"network": EIGHT_MAPS}, seeds=3),
    "filters-gradient": Rung("backpropagation, conv 8 5 - max 4 - dense 10, 8 epochs, moved", "convolution",
                             {"network": EIGHT_MAPS}, seeds=3),
    "nodes-fashion": Rung("node perturbation, 784-64-10, 40 s", "nodes", budget=40, dataset="fashion-mnist"),
    "fast-fashion": Rung("preset fast", "fast", dataset="fashion-mnist"),
    "best-fashion": Rung("preset best", "best", dataset="fashion-mnist", seeds=3),
    "fashion": Rung("preset fashion: filters of two sizes, finely pooled", "fashion", dataset="fashion-mnist"),
    "seed-alphabet": Rung("GENREG on 26 rendered letters, 10,000-128-26", "seed-alphabet", dataset="letters", seeds=3,
                          published="100, by generation 1,862"),
    "alphabet": Rung("the letters by log-probability (ours)", "alphabet", dataset="letters"),
    "nodes-small": Rung("8x8 digits by node perturbation", "nodes-small", dataset="digits"),
    "small": Rung("8x8 digits by log-probability, 64-32-10 (ours)", "small", dataset="digits"),
    "sklearn-mlp": Rung("scikit-learn's MLPClassifier, 784-64-10, Adam, early stopping", peer="sklearn-mlp"),
    "torch-mlp-4s": Rung("PyTorch, 784-64-10, Adam, step falling to 0 in 4 s", peer="mlp", budget=4, step=0.008),
    "torch-mlp": Rung("PyTorch, 784-64-10, Adam, step falling to 0 in 40 s", peer="mlp", budget=40, step=0.004),
    "torch-mlp-moved": Rung("PyTorch, 784-64-10, images moved by up to a pixel, step falling to 0 in 40 s",
                            peer="mlp-moved", budget=40, step=0.004),
    "torch-lenet-25s": Rung("PyTorch, LeNet-5, Adam, step falling to 0 in 25 s", peer="lenet", budget=25, step=0.008,
                            batch=64),
    "torch-lenet": Rung("PyTorch, LeNet-5, Adam, step falling to 0 in 110 s", peer="lenet", budget=110, step=0.004,
                        batch=64, seeds=3),
}  # fmt: skip

LASTING = {"trust_decay": 0.001, "trust_decay_per": "image", "trust_inheritance": 0.03}  # trust, as published
BY_REWARD = {"fitness": "reward", "prediction": "sampled", "parent_weights": "rank"}
HALVING = {"trust_decay": 0.5, "trust_inheritance": 0.25, "survival": "mean"}
ABLATIONS: dict[str, Rung] = {  # each differs from `base` as described
    f"ablation-{name}": Rung(what, "selection", CROSSOVER | {"generations": 600} | changes)
    for name, (what, changes) in {
        "base": ("by crossover of single weights, 4 elites, trust earned anew in each generation", {}),
        "reward": ("fitness: the reward +10 / -1.5 of the sampled class", BY_REWARD),
        "published-weights": ("parents weighted by trust - min + 1, not by rank", {"parent_weights": "published"}),
        "elites": ("no elites", {"elites": 0}),
        "scale": ("mutation does not fall", {"final_scale": 1.0}),
        "growth": ("batches grow to twice their size", {"final_images": 40}),
        "trust": ("trust lasts: decay .001 an image, 3 % inherited, as published", LASTING),
        "trust-mean": ("trust lasts, survival by trust per generation", LASTING | {"survival": "mean"}),
        "trust-half": ("trust halves each generation, a quarter of both parents' is inherited", HALVING),
        "unit": ("crossover of whole units", {"crossover": "unit"}),
        "one-parent": ("one parent, no crossover", {"crossover": "none"}),
        "mean": ("one parent: the survivors' mean", {"crossover": "mean"}),
        "mean-sparse": ("one parent, the survivors' mean; few large mutations",
                        {"crossover": "mean", "child_mutation_rate": 0.003, "mutation_scale": 0.5}),
    }.items()
}  # fmt: skip

ALL = RUNGS | ABLATIONS


def known_runs(name: str) -> list[dict[str, Any]]:
    """Return the runs of a rung that were measured with its current settings, one per seed."""
    path = RESULTS / f"accuracy-{name}.json"
    if not path.exists():
        return []
    document = json.loads(path.read_text("utf-8"))
    runs: list[dict[str, Any]] = document["runs"] if _are_of(document["settings"], ALL[name]) else []
    return runs


def _are_of(measured: Mapping[str, Any], rung: Rung) -> bool:
    """Return whether results have a rung's current settings; settings newer than the results count as defaults."""
    today = rung.settings()
    defaults = {} if rung.peer else TrainConfig.from_dict({"strategy": today["strategy"]}).to_dict()
    younger = {name: value for name, value in defaults.items() if name in today and name not in measured}
    return younger | dict(measured) == today


def evaluations(config: TrainConfig, images: int) -> int:
    """Return how many times a run evaluates one image with one genome; `images` is the size of the training split.

    Mutants of node perturbation count in full, although only the part after the mutated layer is recomputed.
    """
    options, generations = config.options, config.generations
    if config.strategy == "genreg":
        classes = 26 if config.dataset == "letters" else 10
        grown = sum(options.images_at(done / generations) for done in range(generations))
        return int(options.population_size * classes * grown)
    if config.strategy == "genreg-2":
        return int(generations * options.population_size * (options.pool or images))
    if config.strategy in ("evolution-strategy", "random-search"):
        return int(generations * options.population_size * options.batch_size)
    if config.strategy == "gradient":
        return int(generations * options.batch_size)
    layers = len(config.hidden) + 1
    return int(generations * options.batch_size * (1 + 2 * options.pairs * layers))
