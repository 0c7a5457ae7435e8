"""sklearn-genetic-opt on scikit-learn's multilayer perceptron: the best search accuracy within a given time.

    python search_sklearn_genetic.py TRAIN.npy LABELS.npy SEARCH.npy LABELS.npy --seconds 300 --seed 0

Needs sklearn-genetic-opt, but not genreg-np. Default population, crossover and mutation; three folds of the training
images; both cores. Writes one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
from sklearn.neural_network import MLPClassifier
from sklearn_genetic import GASearchCV
from sklearn_genetic.callbacks import TimerStopping
from sklearn_genetic.space import Categorical, Continuous, Integer


def main() -> None:
    """Search until time is up."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs=4)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    began = time.perf_counter()
    np.random.seed(arguments.seed)  # noqa: NPY002  it takes no seed of its own
    train, labels, seen, wanted = (np.load(path) for path in arguments.files)
    search = GASearchCV(
        MLPClassifier(max_iter=3, batch_size=128, random_state=arguments.seed),
        cv=3, scoring="accuracy", n_jobs=2, generations=1000, population_size=10,
        param_grid={
            "hidden_layer_sizes": Integer(32, 256), "alpha": Continuous(1e-6, 1e-2, distribution="log-uniform"),
            "learning_rate_init": Continuous(1e-4, 1e-2, distribution="log-uniform"),
            "activation": Categorical(["relu", "tanh"]),
        },
    )  # fmt: skip
    search.fit(train, labels, callbacks=[TimerStopping(total_seconds=int(arguments.seconds))])
    accuracy = float((search.predict(seen) == wanted).mean())
    print(json.dumps({"seed": arguments.seed, "seconds": None, "best": accuracy, "took": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
