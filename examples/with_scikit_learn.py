"""Use a network with scikit-learn: in a Pipeline, in a GridSearchCV, and trained on a custom score.

A bank wants to know who will not repay a loan. Missing a defaulter costs five times as much as refusing someone who
would repay. This cost is not a likelihood and has no gradient; it is a line of NumPy, and the network is evolved on it.

    python examples/with_scikit_learn.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.datasets import make_classification
from sklearn.metrics import make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer

from genreg_np import GenregClassifier

MISSED = 5.0  # cost of a missed defaulter; refusing someone who would repay costs 1


def saved(y: Any, scores: Any) -> float:
    """Return minus the mean cost; `y` (N,) are the classes, 0 or 1, `scores` (N, 2) their probabilities."""
    predicted = scores.argmax(axis=1)
    return -float(np.mean(np.where(y == 1, MISSED * (predicted == 0), predicted == 1)))


def cost(y: Any, predicted: Any) -> float:
    """Return the mean cost of predictions, for a scikit-learn scorer; lower is better."""
    return -saved(y, np.eye(2)[predicted])


def main() -> None:
    """Train on likelihood and on the cost, and compare."""
    inputs, labels = make_classification(2000, 12, n_informative=5, weights=[0.88], class_sep=0.8, random_state=3)
    learned, tested, known, wanted = train_test_split(inputs, labels, stratify=labels, random_state=0)

    usual = GenregClassifier(max_iter=1500, random_state=0)
    shares = cross_val_score(make_pipeline(PowerTransformer(), usual), learned, known, cv=3)
    print(f"accuracy over three folds: {shares.mean():.3f}")

    grid = GridSearchCV(
        usual, {"hidden_layer_sizes": [(8,), (32,)]}, scoring=make_scorer(cost, greater_is_better=False), cv=3
    )
    print(f"hidden units with the lowest cost: {grid.fit(learned, known).best_params_['hidden_layer_sizes'][0]}")

    evolved = GenregClassifier(fitness=saved, max_iter=1500, random_state=0).fit(learned, known)
    for name, model in (("trained on likelihood", usual.fit(learned, known)), ("evolved on the cost", evolved)):
        print(f"{name}: cost {cost(wanted, model.predict(tested)):.3f} for each of {len(wanted)} unseen people")
    evolved.model_.save("debtors.npz")
    print("saved debtors.npz, for genreg-np infer, genreg-np export and any copy of infer.py")


if __name__ == "__main__":
    main()
