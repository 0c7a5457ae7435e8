"""Optuna and PyTorch on the space of `genreg-np search images`: the time until an individual reaches a target.

    python search_optuna.py TRAIN.npy LABELS.npy SEARCH.npy LABELS.npy --target 0.99 --seconds 300 --seed 0

Needs torch and optuna, and genreg_np on PYTHONPATH for the genes and the networks they describe. TPE sampler, pruner of
successive halving by three, one thread of PyTorch per core. Writes one line of JSON: seconds to the target (null:
never), the best accuracy on the search split, and the number of trials.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import threading
import time
from typing import Any

import numpy as np
import optuna
import torch
from search_torch import network_of, optimiser_of
from torch import nn

from genreg_np.search.config import SearchConfig
from genreg_np.search.genes import Choice
from genreg_np.search.kinds import kind_of
from genreg_np.strategies.gradient import SCHEDULES

RUNGS = (1, 3, 9, 27)  # in units of UNIT samples
UNIT = 8000


def suggested(trial: optuna.Trial, kind: Any) -> dict[str, Any]:
    """Return a genome; only expressed genes are suggested."""
    genome: dict[str, Any] = {gene.name: gene.at(0.5) for gene in kind.space.genes}
    for gene in kind.space.genes:
        if not kind.space.is_expressed(gene, genome):
            continue
        if isinstance(gene, Choice):
            genome[gene.name] = gene.values[trial.suggest_categorical(gene.name, list(range(len(gene.values))))]
        else:
            genome[gene.name] = trial.suggest_float(gene.name, gene.low, gene.high, log=gene.log)
    return genome


def moved(images: torch.Tensor, shift: int, rotation: float) -> torch.Tensor:
    """Return images randomly rotated by up to `rotation` degrees and shifted by up to `shift` pixels."""
    if not shift and not rotation:
        return images
    count, side = len(images), images.shape[-1]
    angle = (torch.rand(count) * 2 - 1) * math.radians(rotation)
    there = torch.randint(-shift, shift + 1, (count, 2)) * (2 / side)
    sine, cosine = angle.sin(), angle.cos()
    rows = (torch.stack([cosine, -sine, there[:, 0]], 1), torch.stack([sine, cosine, there[:, 1]], 1))
    grid = nn.functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    return nn.functional.grid_sample(images, grid, align_corners=False)


def main() -> None:
    """Search until the target is reached or time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=4)
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    torch.set_num_threads(1)
    train, labels, seen, wanted = (torch.from_numpy(np.load(path)) for path in arguments.files)
    train, seen = (images.reshape(-1, 1, 28, 28) for images in (train, seen))
    kind = kind_of(SearchConfig(max_macs=2_500_000), (28, 28), "0123456789")
    best, reached, lock = 0.0, [], threading.Lock()

    def objective(trial: optuna.Trial) -> float:
        nonlocal best
        genome = suggested(trial, kind)
        if fault := kind.fault_of(genome):
            raise optuna.TrialPruned(fault)
        options = kind.options_of(genome)
        network = network_of(kind.words_of(genome), [28, 28])
        optimiser, batch = optimiser_of(options, network), options["batch_size"]
        schedule, accuracy, done = SCHEDULES[options["schedule"]], 0.0, 0
        for rung in RUNGS:
            network.train()
            steps, first = math.ceil(rung * UNIT / batch), done
            while done < steps:
                for group in optimiser.param_groups:
                    group["lr"] = options["learning_rate"] * schedule(done - first, steps - first)
                rows = torch.randint(len(train), (batch,))
                optimiser.zero_grad()
                values = network(moved(train[rows], options["shift"], options["rotation"]))
                nn.functional.cross_entropy(values, labels[rows], label_smoothing=options["label_smoothing"]).backward()
                optimiser.step()
                done += 1
                if reached or time.perf_counter() - began > arguments.seconds:
                    raise optuna.TrialPruned
            network.eval()
            with torch.no_grad():
                accuracy = float((network(seen).argmax(1) == wanted).float().mean())
            with lock:
                best = max(best, accuracy)
                if accuracy >= arguments.target:
                    reached.append(time.perf_counter() - began)
            trial.report(accuracy, rung)
            if trial.should_prune():
                raise optuna.TrialPruned
        return accuracy

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=arguments.seed),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
    )  # fmt: skip
    ended = lambda study, trial: study.stop() if reached else None  # noqa: E731
    study.optimize(objective, timeout=arguments.seconds, n_jobs=os.cpu_count() or 1, callbacks=[ended])
    found = {"seconds": reached[0] if reached else None, "best": best, "trials": len(study.trials)}
    print(json.dumps({"seed": arguments.seed, **found}))


if __name__ == "__main__":
    main()
