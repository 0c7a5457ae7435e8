"""Networks as estimators of scikit-learn: its own checks, tables and images, what is kept, and what is refused."""

from __future__ import annotations

import itertools
import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="estimators are scikit-learn's")

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.metrics import fbeta_score, get_scorer, log_loss, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.extmath import softmax

from genreg_np import Dataset, Evolution, GenregClassifier, GenregRegressor, TrainConfig, load, load_dataset, train
from genreg_np.errors import UsageError
from genreg_np.estimators import by_metric
from genreg_np.estimators.checked import jobs_of
from genreg_np.estimators.judging import COUNTED, confusion, judge_of
from genreg_np.runs.judged import apart
from genreg_np.settings import usable_processors
from tests.helpers import one_line

QUICK: dict[str, Any] = {"max_iter": 300, "random_state": 0}


@pytest.mark.parametrize("kind", [GenregClassifier, GenregRegressor])
def test_the_checks_of_scikit_learn_pass(kind: Any) -> None:
    """All of them, with no expected failures."""
    check_estimator(kind(**QUICK | {"max_iter": 100}))


def test_classes_are_told_by_their_names_and_the_model_is_saved(tmp_path: Path) -> None:
    inputs, labels = load_wine(return_X_y=True)
    names = np.array(["barolo", "grignolino", "barbera"])[labels]
    found = GenregClassifier(**QUICK).fit(inputs[::2], names[::2])
    assert is_classifier(found)
    assert found.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    assert found.score(inputs[1::2], names[1::2]) > 0.9
    shares = found.predict_proba(inputs)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found.classes_[shares.argmax(axis=1)], found.predict(inputs))
    np.testing.assert_array_equal(found.decision_function(inputs).argmax(axis=1), shares.argmax(axis=1))
    assert found.n_iter_ == len(found.loss_curve_) == 300
    assert found.loss_curve_[-1] < found.loss_curve_[0]
    assert found.validation_scores_[-1] > 0.7
    found.model_.save(tmp_path / "model.npz")
    places = load(tmp_path / "model.npz").predict(inputs.astype(np.float32))
    np.testing.assert_array_equal(found.classes_[places], found.predict(inputs))


def test_of_two_classes_one_number_tells() -> None:
    inputs, labels = load_breast_cancer(return_X_y=True)
    found = GenregClassifier(**QUICK).fit(inputs[::2], labels[::2])
    values = found.decision_function(inputs)
    assert values.shape == labels.shape
    np.testing.assert_array_equal(values > 0, found.predict(inputs) == 1)


def test_numbers_are_predicted_one_or_several() -> None:
    inputs, labels = load_diabetes(return_X_y=True)
    found = GenregRegressor(**QUICK).fit(inputs, labels)
    assert is_regressor(found)
    assert found.score(inputs, labels) > 0.3
    both = np.stack([labels, -2 * labels], axis=1)
    several = GenregRegressor(**QUICK).fit(inputs, both)
    assert several.predict(inputs).shape == both.shape
    assert several.score(inputs, both) > 0.3


def test_images_are_taken_as_they_are() -> None:
    digits = load_digits()
    images = (digits.images * 15.9).astype(np.uint8)
    found = GenregClassifier(max_iter=600, random_state=0).fit(images[::2], digits.target[::2])
    assert found.model_.input_shape == (8, 8)
    assert found.score(images[1::2], digits.target[1::2]) > 0.85
    with pytest.raises(ValueError, match=r"images of \(4, 16\)") as raised:
        found.predict(images.reshape(-1, 4, 16))
    assert one_line(raised.value)
    masks = GenregClassifier(**QUICK).fit(digits.images[:200] > 8, digits.target[:200])
    assert masks.model_.input_range == (0.0, 1.0)
    assert masks.predict(digits.images[:3] > 8).shape == (3,)
    fractions = GenregClassifier(**QUICK).fit(digits.images[:200] / 16, digits.target[:200])
    assert fractions.predict(digits.images[:3] / 16).shape == (3,)


def frame(rows: int = 90) -> tuple[Any, Any]:
    """Return a DataFrame of numbers, words and dates, and classes that the word tells."""
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, rows)
    found = pandas.DataFrame({
        "size": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        "place": np.array(["hill", "shore"])[kinds],
        "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 700, rows), "D"),
    })  # fmt: skip
    return found, np.array(["low", "high"])[kinds]


def test_a_frame_of_words_and_dates_is_read_again_as_it_was() -> None:
    table, labels = frame()
    found = GenregClassifier(**QUICK).fit(table, labels)
    assert found.feature_names_in_.tolist() == list(table.columns)
    later = table.copy()
    later.loc[0, "place"] = "moor"
    later.loc[1, "place"] = None
    assert (found.predict(later) == labels)[2:].mean() > 0.95
    assert found.model_.predict({name: table[name].astype(str).tolist() for name in table}).shape == labels.shape
    with pytest.raises(ValueError, match="must be a DataFrame"):
        found.predict(np.zeros((3, 3)))
    said = table.assign(said=[f"note {row} on the water there" for row in range(len(table))])
    with pytest.raises(ValueError, match="column 'said': is text") as raised:
        GenregClassifier(**QUICK).fit(said, labels)
    assert one_line(raised.value)


def test_it_works_where_estimators_do() -> None:
    inputs, labels = load_wine(return_X_y=True)
    assert (
        cross_val_score(make_pipeline(StandardScaler(), GenregClassifier(**QUICK)), inputs, labels, cv=3).mean() > 0.9
    )
    grid = GridSearchCV(GenregClassifier(**QUICK), {"hidden_layer_sizes": [(4,), 8]}, cv=2, n_jobs=2)
    assert grid.fit(inputs, labels).best_score_ > 0.85
    again = clone(grid.best_estimator_)
    assert again.get_params()["max_iter"] == 300
    kept = pickle.loads(pickle.dumps(grid.best_estimator_))
    np.testing.assert_array_equal(kept.predict(inputs), grid.predict(inputs))


def test_the_same_state_gives_the_same_model_and_another_another() -> None:
    inputs, labels = load_wine(return_X_y=True)
    one, other = (GenregClassifier(**QUICK).fit(inputs, labels).model_ for _ in range(2))
    assert one.pack() == other.pack()
    assert GenregClassifier(max_iter=300, random_state=1).fit(inputs, labels).model_.pack() != one.pack()


def test_a_warm_start_goes_on_from_the_model() -> None:
    inputs, labels = load_wine(return_X_y=True)
    found = GenregClassifier(max_iter=60, random_state=0, warm_start=True, early_stopping=False).fit(inputs, labels)
    before = found.loss_curve_
    found.fit(inputs, labels)
    assert np.mean(found.loss_curve_[:5]) < np.mean(before[:5])


@pytest.mark.parametrize("weights", ["balanced", {"rare": 20.0, "usual": 1.0}])
def test_classes_can_count_otherwise(weights: Any) -> None:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random(300) < 0.08, "rare", "usual")
    inputs = rng.normal(size=(300, 2)) + 0.8 * (labels == "rare")[:, None]
    found = [GenregClassifier(class_weight=one, **QUICK).fit(inputs, labels) for one in (None, weights)]
    shares = [(one.predict(inputs) == "rare").mean() for one in found]
    assert shares[0] < 0.08 < shares[1]


def test_a_strategy_and_its_settings_are_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs, labels = load_wine(return_X_y=True)
    how: dict[str, Any] = {"strategy": "evolution-strategy", "settings": {"population_size": 40}, "random_state": 0}
    found = GenregClassifier(max_iter=40, verbose=True, run_folder=tmp_path / "run", **how).fit(inputs, labels)
    assert found.model_.training["config"]["population_size"] == 40
    assert (tmp_path / "run/model.npz").read_bytes() == found.model_.pack()
    assert "generation 40: validation " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preset": "tabels"}, "did you mean 'tables'"),
        ({"strategy": "genrag"}, "did you mean 'genreg'"),
        ({"settings": {"sigmar": 1}}, "did you mean 'sigma'"),
        ({"validation_fraction": 1.0}, "validation_fraction = 1.0 must be a number between 0 and 1"),
        ({"max_iter": 0}, "max_iter = 0 must be at least 1"),
        ({"hidden_layer_sizes": (0,)}, "hidden"),
        ({"time_budget": -1.0}, "budget"),
        ({"backend": "gpu"}, "backend"),
        ({"n_jobs": 0}, "n_jobs = 0 is not allowed"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], said: str) -> None:
    inputs, labels = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match=r"\w") as raised:
        GenregClassifier(**QUICK | changes).fit(inputs, labels)
    assert said in one_line(raised.value)


# Trained on a metric


def imbalanced(rows: int = 500, seed: int = 0) -> tuple[Any, Any]:
    """Return rows of which one in ten is of the second class, and hardly told from the first."""
    rng = np.random.default_rng(seed)
    labels = (rng.random(rows) < 0.1).astype(int)
    return rng.normal(size=(rows, 3)) + 1.1 * labels[:, None] * np.array([1, 1, 0]), labels


def own_f1(y: Any, scores: Any) -> float:
    said = scores.argmax(axis=1)
    return float(2 * np.sum(said * y) / max(1, said.sum() + y.sum()))


@pytest.mark.parametrize("fitness", ["f1", "balanced_accuracy", own_f1])
def test_who_is_trained_on_a_metric_is_better_by_it(fitness: Any) -> None:
    """On rows that it has not seen; by the name of a scorer or by a function."""
    inputs, labels = imbalanced()
    others, wanted = imbalanced(2000, seed=1)
    plain, evolved = (GenregClassifier(fitness=one, **QUICK).fit(inputs, labels) for one in (None, fitness))
    scorer = get_scorer(fitness if isinstance(fitness, str) else "f1")
    assert scorer(evolved, others, wanted) > scorer(plain, others, wanted) + 0.05
    assert evolved.fitness_curve_[-1] > evolved.fitness_curve_[0]
    assert evolved.n_iter_ == 300 + 200
    assert plain.fitness_curve_ == []


def test_any_scorer_is_followed() -> None:
    """Those that are not counted are called, genome by genome."""
    inputs, labels = imbalanced(200)
    found = GenregClassifier(fitness="average_precision", fitness_iter=4, **QUICK).fit(inputs, labels)
    assert len(found.fitness_curve_) == 4
    numbers = GenregRegressor(fitness="d2_absolute_error_score", fitness_iter=4, **QUICK).fit(inputs, inputs[:, 0])
    assert len(numbers.fitness_curve_) == 4


def test_a_right_to_say_nothing_is_learned() -> None:
    """An answer that is sure earns 1 if it is right, and costs 4 if it is wrong; none costs nothing."""
    inputs, labels = imbalanced()

    def earned(y: Any, scores: Any) -> float:
        sure = scores.max(axis=1) > 0.9
        right = scores.argmax(axis=1) == y
        return float(np.mean(sure * np.where(right, 1.0, -4.0)))

    others, wanted = imbalanced(2000, seed=1)
    plain, evolved = (GenregClassifier(fitness=one, **QUICK).fit(inputs, labels) for one in (None, earned))
    assert earned(wanted, evolved.predict_proba(others)) > earned(wanted, plain.predict_proba(others)) - 0.02
    assert earned(labels, evolved.predict_proba(inputs)) > earned(labels, plain.predict_proba(inputs))


def test_numbers_can_be_trained_on_a_metric() -> None:
    inputs, labels = load_diabetes(return_X_y=True)
    found = GenregRegressor(fitness="neg_median_absolute_error", fitness_iter=20, **QUICK).fit(inputs, labels)
    assert found.fitness_curve_[-1] > found.fitness_curve_[0] - 1
    assert found.score(inputs, labels) > 0.3


def test_counted_measures_are_those_of_scikit_learn() -> None:
    """For many genomes at once, also of a class that nobody is taken for, or that there is not."""
    rng = np.random.default_rng(0)
    for classes in (2, 4):
        labels = rng.integers(0, classes, 80)
        answers = rng.normal(size=(6, 80, classes)).astype(np.float32)
        answers[1, :, 0] += 9
        answers[2, :, 1] -= 9
        for name, counted in COUNTED.items():
            if classes > 2 and name in ("f1", "precision", "recall", "jaccard"):
                continue
            score = get_scorer(name)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                wanted = [score._score_func(labels, own.argmax(axis=1), **score._kwargs) for own in answers]
            np.testing.assert_allclose(counted(confusion(answers, labels, classes)), wanted, atol=1e-12, err_msg=name)
        judged = judge_of("neg_log_loss", labels, True, classes)(answers)
        logs = [-log_loss(labels, softmax(own.astype(float)), labels=np.arange(classes)) for own in answers]
        np.testing.assert_allclose(judged, logs, rtol=1e-6)


@pytest.mark.parametrize(
    ("fitness", "said"),
    [
        ("f1_makro", "did you mean 'f1_macro'"),
        ("r2", "does not fit classes"),
        (3, "or a function (y, scores) -> number"),
        (lambda y, scores: "much", "'much', not a number"),
    ],
)
def test_a_fitness_that_cannot_be(fitness: Any, said: str) -> None:
    inputs, labels = imbalanced(100)
    with pytest.raises(ValueError, match=r"\w") as raised:
        GenregClassifier(fitness=fitness, fitness_iter=2, **QUICK).fit(inputs, labels)
    assert said in one_line(raised.value)


def test_what_is_left_of_a_time_becomes_a_number_of_generations(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that says that two of them take a second; and no more than were asked for."""
    inputs, labels = imbalanced(100)
    data = Dataset.from_arrays(inputs, labels)
    how: dict[str, Any] = {"hidden": (4,), "activation": "tanh", "seed": 0}
    model = train(TrainConfig.from_preset("tables", generations=20, **how), data).model
    assert model is not None
    ticks = itertools.count()
    monkeypatch.setattr(by_metric, "time", SimpleNamespace(perf_counter=lambda: float(next(ticks))))
    for most, expected in ((100, 18), (5, 5)):
        config = TrainConfig.from_dict({"strategy": "evolution-strategy", "generations": most, **how})
        records: list[Any] = []
        by_metric.evolved(model, data, "f1", config, "numpy", 1, 10.0, records.append)
        assert len(records) == expected


def test_the_unit_of_a_metric_does_not_matter() -> None:
    """Only who earns more than whom; of those who earn the same, who is surer of the truth is ahead."""
    inputs, labels = imbalanced(200)
    how: dict[str, Any] = {"max_iter": 100, "fitness_iter": 20, "random_state": 0}
    one, other = (
        GenregClassifier(fitness=lambda y, scores, unit=unit: unit * own_f1(y, scores), **how).fit(inputs, labels)
        for unit in (1.0, 1024.0)
    )
    np.testing.assert_array_equal(one.model_.genes, other.model_.genes)
    assert apart(np.array([1.0, 2.0, 1.0, 1.0]), np.array([3.0, 0.0, 1.0, 2.0])).argsort().tolist() == [2, 3, 0, 1]
    assert (apart(np.zeros(3), np.array([2.0, 1.0, 3.0])).argsort() == [1, 0, 2]).all()


def test_a_scorer_that_was_made_is_followed() -> None:
    inputs, labels = imbalanced(200)
    made = make_scorer(fbeta_score, beta=2)
    found = GenregClassifier(fitness=made, max_iter=100, fitness_iter=3, random_state=0).fit(inputs, labels)
    assert len(found.fitness_curve_) == 3
    assert clone(found).fitness is not None


def test_a_warm_start_goes_on_with_the_same_classes_and_columns_alone() -> None:
    inputs, labels = load_wine(return_X_y=True)
    found = GenregClassifier(max_iter=50, random_state=0, warm_start=True, fitness="f1_macro", fitness_iter=5)
    found.fit(inputs, labels)
    assert len(found.loss_curve_) == 50
    predicted = found.predict(inputs)
    for others, those in ((inputs[:, :5], labels), (inputs, labels + 1), (inputs[labels < 2], labels[labels < 2])):
        with pytest.raises(ValueError, match="needs the same classes and columns as the previous fit"):
            found.fit(others, those)
        np.testing.assert_array_equal(found.predict(inputs), predicted)
    found.fit(inputs, labels)
    assert found.loss_curve_ == []  # evolved on the metric at once
    assert found.validation_scores_ == []


def test_what_is_kept_is_the_model_and_no_data() -> None:
    inputs, labels = imbalanced(4000)
    found = GenregClassifier(max_iter=50, early_stopping=False, random_state=0).fit(inputs, labels)
    assert len(pickle.dumps(found)) < 20_000 < inputs.nbytes
    assert found.validation_scores_ == []


def test_a_run_folder_is_of_one_fit(tmp_path: Path) -> None:
    inputs, labels = load_wine(return_X_y=True)
    found = GenregClassifier(max_iter=20, random_state=0, run_folder=tmp_path / "run").fit(inputs, labels)
    with pytest.raises(ValueError, match="name a new one for each fit"):
        found.fit(inputs, labels)


def test_what_is_wrong_with_a_function_is_said_before_anything_is_learned() -> None:
    """With its own error, where it has one."""
    inputs, labels = imbalanced(100)
    how: dict[str, Any] = {"max_iter": 2**31, "random_state": 0}
    with pytest.raises(ZeroDivisionError):
        GenregClassifier(fitness=lambda y, scores: 1 / 0, **how).fit(inputs, labels)
    with pytest.raises(ValueError, match="must be functions"):
        Evolution(TrainConfig.from_preset("small"), load_dataset("digits")).run(1, judge="f1")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="preset convolution has layers of its own"):
        GenregClassifier("convolution", hidden_layer_sizes=4).fit(np.zeros((9, 8, 8)), np.arange(9) % 2)
    assert (
        GenregClassifier(strategy="node-perturbation", **QUICK)
        .fit(inputs, labels)
        .model_.training["config"]["averaging"]
        == GenregClassifier(**QUICK).fit(inputs, labels).model_.training["config"]["averaging"]
    )


def test_jobs_are_counted_as_scikit_learn_counts_them() -> None:
    assert jobs_of(None) == 1
    assert jobs_of(-1) == usable_processors()
    assert jobs_of(-2) == max(1, usable_processors() - 1)
    assert jobs_of(-99) == 1
