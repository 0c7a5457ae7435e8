"""Every named dataset: the same each time, fit to be trained on, described in one line, and nothing of it leaks."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np import data
from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.errors import DataError, MissingExtraError, UsageError
from tests.helpers import evolution, one_line

SAME_SPLITS = {"letters": "plain letters are 26 images, which are train, validation and test, as published"}


@pytest.fixture(params=data.dataset_names())
def name(request: pytest.FixtureRequest) -> str:
    """Each dataset, out of the registries."""
    return str(request.param)


def loaded(name: str) -> Dataset:
    """Return it, or skip where it is not here: nothing is downloaded."""
    try:
        return data.load_dataset(name, download=False)
    except (DataError, MissingExtraError) as error:
        pytest.skip(one_line(error))


def test_it_is_listed_with_what_it_is(name: str) -> None:
    (info,) = [info for info in data.describe_datasets() if info.name == name]
    assert one_line(info.description)
    assert one_line(info.where)


def test_loaded_twice_it_is_the_same(name: str) -> None:
    """Nothing of time, place or another seed is in it."""
    one, other = loaded(name), loaded(name)
    for split in SPLITS:
        assert one.split(split).inputs.tobytes() == other.split(split).inputs.tobytes()
        assert one.split(split).labels.tobytes() == other.split(split).labels.tobytes()
    assert one.class_names == other.class_names


def test_it_is_fit_to_be_trained_on(name: str) -> None:
    """Three splits of one shape and type, every class in training, values in their range."""
    dataset = loaded(name)
    dataset.check_trainable()
    assert dataset.name == name
    assert dataset.note == "" or one_line(dataset.note)
    for split in map(dataset.split, SPLITS):
        assert split.inputs.shape == (len(split), *dataset.input_shape)
        assert split.inputs.dtype == dataset.train.inputs.dtype
        assert split.labels.shape == (len(split),)
        assert split.labels.dtype == np.int64
        assert len(split) > 0
        assert np.isfinite(split.inputs).all()
        if dataset.input_range is not None:
            assert dataset.input_range[0] <= split.inputs.min() <= split.inputs.max() <= dataset.input_range[1]
        assert 0 <= split.labels.min() <= split.labels.max() < len(dataset.class_names)
    assert set(dataset.train.labels) == set(range(len(dataset.class_names)))


def test_what_is_tested_on_is_not_trained_on(name: str) -> None:
    """No input of train is in test, but for a few that the makers of a dataset left in."""
    dataset = loaded(name)
    known = {one.tobytes() for one in dataset.train.inputs}
    shared = sum(one.tobytes() in known for one in dataset.test.inputs)
    assert (shared == len(dataset.test)) if name in SAME_SPLITS else (shared <= len(dataset.test) / 1000)


def test_a_run_takes_it(name: str) -> None:
    """One generation of a small network, from its inputs to its classes."""
    run = evolution(on=loaded(name), strategy="random-search", generations=1, population_size=2)
    run.run()
    assert 0 <= run.accuracies("validation")["best"] <= 1


@pytest.mark.parametrize("option", [{"label": "y"}, {"size": (3, 3)}, {"range": (0.0, 1.0)}])
def test_an_option_of_files_is_refused(name: str, option: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"only, not to {name}") as raised:
        data.load_dataset(name, **option)  # type: ignore[arg-type]
    one_line(raised.value)
