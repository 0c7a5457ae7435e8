"""Columns by name: whatever order they stand in, a model gets the features that it was trained on."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise
from genreg_np.infer import Model as TinyModel
from genreg_np.infer import ModelError, load
from genreg_np.model import Model, Network
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train
from genreg_np.strategies.mixed.breeding import recombine
from tests import zoo
from tests.helpers import model_of, one_line, tiny_config

NAMES = ("length", "width", "height")
MODEL = model_of(Network.build((3,), (4,), 2), input_range=None, feature_names=NAMES)
NAMELESS = model_of(Network.build((3,), (4,), 2), input_range=None)
ROWS = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)


class Frame(SimpleNamespace):
    """What infer.py needs of a DataFrame: names of columns, and an array."""

    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        return self.values


def frame(*names: object, values: np.ndarray = ROWS) -> Frame:
    """Return a table whose columns have these names."""
    return Frame(columns=list(names), values=values)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
def test_named_columns_are_taken_by_name(order: tuple[int, ...]) -> None:
    """In any order: the same outputs, classes and probabilities as in the model's own."""
    table = frame(*(NAMES[place] for place in order), values=ROWS[:, order])
    np.testing.assert_array_equal(MODEL.outputs(table), MODEL.outputs(ROWS))
    np.testing.assert_array_equal(MODEL.predict(table), MODEL.predict(ROWS))
    np.testing.assert_array_equal(MODEL.predict_proba(table), MODEL.predict_proba(ROWS))
    np.testing.assert_array_equal(MODEL.prepare(table), ROWS)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("length", "width", "depth"), "lack 'height'"),
        (("length", "width", "height", "label"), "unknown to the model, 'label'"),
        (("length", "width", "height", "width"), "more than once 'width'"),
        ((0, 1, 2), "lack 'length', 'width', 'height'"),
    ],
)
def test_columns_that_are_not_the_models_are_refused_by_name(names: tuple[object, ...], words: str) -> None:
    """One line that names what is missing, unknown or there twice, and the columns that are needed."""
    with pytest.raises(ModelError) as error:
        MODEL.predict(frame(*names, values=np.zeros((2, len(names)), np.float32)))
    assert words in one_line(error)
    assert "'length', 'width', 'height'" in one_line(error)


def test_hundreds_of_names_are_told_in_one_short_line() -> None:
    """Names without end do not fill the screen."""
    names = tuple(f"{'column ' * 20}{place}" for place in range(300))
    model = model_of(Network.build((300,), (), 2), input_range=None, feature_names=names)
    with pytest.raises(ModelError) as error:
        model.predict(frame(*reversed(names[1:]), values=np.zeros((1, 299), np.float32)))
    assert len(one_line(error)) < 600


def test_a_model_without_names_goes_by_order_as_ever() -> None:
    """An older file, or one trained on arrays: a table's columns are taken as they stand."""
    assert NAMELESS.feature_names == ()
    assert "feature_names" not in NAMELESS.header
    np.testing.assert_array_equal(NAMELESS.outputs(frame("x", "y", "z")), MODEL.outputs(ROWS))


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_real_tables_and_their_rows(kind: str) -> None:
    """Reversed columns, one row of a table, and a name of another type than text."""
    library = pytest.importorskip(kind)
    table = library.DataFrame({name: ROWS[:, place] for place, name in reversed(list(enumerate(NAMES)))})
    np.testing.assert_array_equal(MODEL.outputs(table), MODEL.outputs(ROWS))
    if kind == "pandas":
        np.testing.assert_array_equal(MODEL.outputs(table.iloc[2]), MODEL.outputs(ROWS[2]))
        with pytest.raises(ModelError, match="lack 'length'"):
            MODEL.outputs(library.DataFrame(ROWS))


def test_names_are_part_of_the_file_and_survive_everything(tmp_path: Path) -> None:
    """Saved, read by the tiny runtime, pickled for a worker process, quantised."""
    MODEL.save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    assert type(loaded) is TinyModel
    for model in (loaded, pickle.loads(pickle.dumps(loaded)), quantise(MODEL, ROWS)):
        assert model.feature_names == NAMES


@pytest.mark.parametrize("names", [["a"], ["a", "b", "b"], "abc", [1, 2, 3], {"a": 1}, [["a"], "b", "c"], 7])
def test_names_that_are_no_names_are_refused(names: object) -> None:
    """Another number of them, one twice, other types: whoever wrote the file."""
    with pytest.raises(ModelError) as error:
        TinyModel({**MODEL.header, "feature_names": names}, MODEL.arrays)
    assert "feature" in one_line(error)


def test_training_keeps_the_names_of_columns(tmp_path: Path) -> None:
    """In the model of a run and in every champion; a run's other bytes are those without names."""
    config = tiny_config(generations=2)
    run = train(config, zoo.named_features(), tmp_path / "named", backend="numpy")
    bare = train(config, zoo.features(), tmp_path / "bare", backend="numpy")
    assert run.model is not None
    assert bare.model is not None
    assert run.model.feature_names == tuple("wxyz")
    assert {name: value for name, value in run.model.header.items() if name != "feature_names"} == bare.model.header
    evolution = Evolution(config, zoo.named_features(), backend="numpy")
    evolution.run()
    assert evolution.champions()["best"].feature_names == tuple("wxyz")


@pytest.mark.parametrize("what", ["columns", "classes"])
def test_a_start_from_a_model_of_another_order_is_refused(what: str) -> None:
    """A name in another place means other weights; other names are a warm start for another task, and said."""
    data, config = zoo.named_features(), tiny_config(generations=1)
    evolution = Evolution(config, data, backend="numpy")
    network = evolution.network
    genes = np.zeros(network.gene_count, np.float32)

    def start(classes: tuple[str, ...], columns: tuple[str, ...]) -> Evolution:
        initial = Model.build(network, genes, classes, None, feature_names=columns)
        return Evolution(config, data, backend="numpy", initial=initial)

    with pytest.raises(UsageError, match=f"the same {what} in another order"):
        start(*((data.class_names, tuple("zyxw")) if what == "columns" else (data.class_names[::-1], tuple("wxyz"))))
    with pytest.raises(UsageError, match=f"the same {what} in another order"):
        start(*((data.class_names, tuple("azbc")) if what == "columns" else (("b", "d", "e"), tuple("wxyz"))))
    with pytest.warns(RuntimeWarning, match="matched by position") as said:
        start(("1", "2", "3"), tuple("abcd"))
    assert len(said) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        start(data.class_names, ())
        start(data.class_names, data.feature_names)


def test_models_of_other_columns_do_not_recombine() -> None:
    """The same network, but features in another order."""
    other = Model.build(MODEL.network, MODEL.genes, MODEL.class_names, None, feature_names=NAMES[::-1])
    with pytest.raises(UsageError, match="names of features differ"):
        recombine(MODEL, other)
    assert recombine(MODEL, MODEL, gene="weight").feature_names == NAMES
