"""Backpropagation on the ladder's networks: PyTorch in the peers' environment, scikit-learn in ours.

    python backpropagation.py mlp|lenet|mlp-constant|lenet-constant|sklearn-mlp DATA.npz SEED SECONDS

Prints one line of JSON. Adam at .001, batches of 128 (64 for LeNet-5), tensors in memory. With a constant step the
network that validated best is tested; otherwise the step falls linearly to 0 over SECONDS, and the last network is.
"""

from __future__ import annotations

import copy
import json
import sys
import time
from typing import Any

import numpy as np

SPLITS = ("train", "validation", "test")
STEP = 1e-3
BATCH = {"mlp": 128, "lenet": 64}


def sklearn_mlp(data: Any, seed: int) -> dict[str, Any]:
    """scikit-learn's defaults with one hidden layer of 64; its own early stopping on a tenth of the training images."""
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
    """Return 784-64-10 with ReLU, or LeNet-5 as it is usually written today (ReLU, max pooling)."""
    nn = torch.nn
    if kind == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def pytorch(what: str, data: Any, seed: int, budget: float) -> dict[str, Any]:
    """Train for `budget` seconds, validation included."""
    import torch

    kind, _, schedule = what.partition("-")
    torch.manual_seed(seed)
    start = time.perf_counter()
    images, labels = {}, {}
    for name in SPLITS:
        images[name] = torch.from_numpy(data[f"{name}_images"])[:, None].float() / 255
        labels[name] = torch.from_numpy(data[f"{name}_labels"].astype(np.int64))
    network, loss = network_of(kind, torch), torch.nn.CrossEntropyLoss()
    optimiser = torch.optim.Adam(network.parameters(), STEP)

    def accuracy(split: str) -> float:
        with torch.no_grad():
            answers = [network(part).argmax(1) for part in images[split].split(1000)]
        return float((torch.cat(answers) == labels[split]).float().mean())

    curve, best, kept, epochs, seen = [], -1.0, None, 0, 0
    while (spent := time.perf_counter() - start) < budget:
        for rows in torch.randperm(len(labels["train"])).split(BATCH[kind]):
            if schedule != "constant":
                spent = time.perf_counter() - start
                if spent >= budget:
                    break
                optimiser.param_groups[0]["lr"] = STEP * (1 - spent / budget)
            optimiser.zero_grad(set_to_none=True)
            loss(network(images["train"][rows]), labels["train"][rows]).backward()
            optimiser.step()
            seen += len(rows)
        epochs += 1
        score = accuracy("validation")
        curve.append([round(time.perf_counter() - start, 2), score])
        if score > best and schedule == "constant":
            best, kept = score, copy.deepcopy(network.state_dict())
    if kept is not None:
        network.load_state_dict(kept)
    test, validation = accuracy("test"), accuracy("validation")
    return {
        "generations": epochs,
        "seconds": round(time.perf_counter() - start, 2),
        "saved": "last" if kept is None else "best",
        "validation": {"last": validation},
        "test": {"last": test},
        "curve": curve,
        "evaluations": seen,
        "parameters": sum(part.numel() for part in network.parameters()),
    }


if __name__ == "__main__":
    what, path, seed, budget = sys.argv[1:]
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    print(
        json.dumps(
            sklearn_mlp(data, int(seed)) if what == "sklearn-mlp" else pytorch(what, data, int(seed), float(budget))
        )
    )
