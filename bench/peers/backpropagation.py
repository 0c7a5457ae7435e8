"""Backpropagation on the ladder's networks: PyTorch in the peers' environment, scikit-learn in ours.

    python backpropagation.py mlp|mlp-moved|lenet|sklearn-mlp DATA.npz SEED SECONDS STEP BATCH

Prints one line of JSON. Adam, tensors in memory, a learning rate that falls linearly to 0 over SECONDS; the last
network is tested; `moved`: each batch is shifted by up to a pixel each way, as with `shift = 1`. scikit-learn uses its
defaults.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")


def sklearn_mlp(data: Any, seed: int) -> dict[str, Any]:
    """Train with scikit-learn's defaults, 64 hidden units, and early stopping on a tenth of the training images."""
    from sklearn.neural_network import MLPClassifier

    images = {
        name: data[f"{name}_images"].reshape(len(data[f"{name}_labels"]), -1) / np.float32(255) for name in SPLITS
    }
    start = time.perf_counter()
    network = MLPClassifier((64,), early_stopping=True, random_state=seed).fit(images["train"], data["train_labels"])
    seconds = time.perf_counter() - start
    scores = {name: float(network.score(images[name], data[f"{name}_labels"])) for name in ("validation", "test")}
    return {
        "generations": int(network.n_iter_),
        "seconds": round(seconds, 2),
        "saved": "last",
        "validation": {"last": scores["validation"]},
        "test": {"last": scores["test"]},
        "curve": [],
        "evaluations": int(network.n_iter_ * 0.9 * len(images["train"])),
        "parameters": sum(part.size for part in network.coefs_ + network.intercepts_),
    }


def network_of(kind: str, torch: Any) -> Any:
    """Return 784-64-10 with ReLU, or LeNet-5 in its usual modern form (ReLU, max pooling)."""
    nn = torch.nn
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def pytorch(what: str, data: Any, seed: int, budget: float, step: float, batch: int) -> dict[str, Any]:
    """Train for `budget` seconds, including validation."""
    import torch

    kind, _, moved = what.partition("-")
    torch.manual_seed(seed)
    start = time.perf_counter()
    images, labels = {}, {}
    for name in SPLITS:
        images[name] = torch.from_numpy(data[f"{name}_images"])[:, None].float() / 255
        labels[name] = torch.from_numpy(data[f"{name}_labels"].astype(np.int64))
    network, loss = network_of(kind, torch), torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(network.parameters(), step)

    def accuracy(split: str) -> float:
        with torch.no_grad():
            answers = [network(part).argmax(1) for part in images[split].split(1000)]
        return float((torch.cat(answers) == labels[split]).float().mean())

    curve, epochs, seen = [], 0, 0
    while (spent := time.perf_counter() - start) < budget:
        for rows in torch.randperm(len(labels["train"])).split(batch):
            spent = time.perf_counter() - start
            if spent >= budget:
                break
            optimiser.param_groups[0]["lr"] = step * (1 - spent / budget)
            optimiser.zero_grad(set_to_none=True)
            batch_images = images["train"][rows]
            if moved:
                batch_images = batch_images.roll(torch.randint(-1, 2, (2,)).tolist(), (2, 3))
            loss(network(batch_images), labels["train"][rows]).backward()
            optimiser.step()
            seen += len(rows)
        epochs += 1
        score = accuracy("validation")
        curve.append([round(time.perf_counter() - start, 2), score])
    test, validation = accuracy("test"), accuracy("validation")
    return {
        "generations": epochs,
        "seconds": round(time.perf_counter() - start, 2),
        "saved": "last",
        "validation": {"last": validation},
        "test": {"last": test},
        "curve": curve,
        "evaluations": seen,
        "parameters": sum(part.numel() for part in network.parameters()),
    }


if __name__ == "__main__":
    what, path, seed, budget, step, batch = sys.argv[1:]
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    if what == "sklearn-mlp":
        found = sklearn_mlp(data, int(seed))
    else:
        found = pytorch(what, data, int(seed), float(budget), float(step), int(batch))
    print(json.dumps(found))
