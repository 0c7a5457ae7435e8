"""TPOT on a table: `pipeline_tpot.py TRAIN TEST LABEL TASK --seconds S --seed N`; prints its score as JSON."""

from __future__ import annotations

from pipeline_common import answered, read
from sklearn.preprocessing import LabelEncoder
from tpot import TPOTClassifier, TPOTRegressor


def main() -> None:
    """Search, and print the score."""
    asked, train, test, labels = read()
    words = dict.fromkeys(train.select_dtypes("category"), "object")  # the kind of column that TPOT encodes
    train, test = train.astype(words), test.astype(words)
    kind = TPOTClassifier if asked.task == "classes" else TPOTRegressor
    names = LabelEncoder().fit(labels) if asked.task == "classes" else None
    found = kind(
        search_space="linear-light", preprocessing=True, cv=5, n_jobs=2, max_time_mins=asked.seconds / 60,
        max_eval_time_mins=asked.seconds / 600, random_state=asked.seed, verbose=0,
    )  # fmt: skip
    found.fit(train, labels if names is None else names.transform(labels))
    predicted = found.predict(test)
    answered(asked, predicted if names is None else names.inverse_transform(predicted), type(found).__name__)


if __name__ == "__main__":
    main()
