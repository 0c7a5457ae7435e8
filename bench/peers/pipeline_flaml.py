"""FLAML on a table: `pipeline_flaml.py TRAIN TEST LABEL TASK --seconds S --seed N`; prints its score as JSON."""

from __future__ import annotations

from flaml import AutoML
from pipeline_common import answered, read


def main() -> None:
    """Search, and print the score."""
    asked, train, test, labels = read()
    began = AutoML()
    task = "classification" if asked.task == "classes" else "regression"
    metric = "accuracy" if asked.task == "classes" else "r2"
    began.fit(
        train, labels, task=task, metric=metric, time_budget=asked.seconds, seed=asked.seed, n_jobs=2, verbose=0,
        eval_method="cv", n_splits=5,
    )  # fmt: skip
    answered(asked, began.predict(test), str(began.best_estimator))


if __name__ == "__main__":
    main()
