"""`genreg-np eval`: measure a model on a split of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np.cli.measured import ALL, Measured, of_table, tell_classes, tell_numbers
from genreg_np.cli.output import print_json
from genreg_np.cli.reading import reader_arguments, reader_options
from genreg_np.cli.terminal import say
from genreg_np.cli.unsure import Rejection, answer_option
from genreg_np.data.dataset import SPLITS
from genreg_np.data.fitting import GREY, RGB, STRETCH, remembered
from genreg_np.data.held_out import BY_CLASS
from genreg_np.data.labels import listed, short_name
from genreg_np.errors import UsageError
from genreg_np.infer import ModelError

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset
    from genreg_np.infer import Model


@click.command(
    "eval",
    help="Measure a model: accuracy, per-class results and the confusion matrix; for numbers, R2 and errors.",
    epilog="\b\nExamples:\n  genreg-np eval runs/mnist-seed-mnist-64-0/model.npz --dataset mnist --split test\n"
    "  genreg-np eval model.npz --dataset new.csv          (all rows of a new table)",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--dataset", help="Name or path; by default the dataset the model was trained on.")
@click.option(
    "--split",
    type=click.Choice([*SPLITS, ALL]),
    help="[default: test; all for a new table]",
)
@click.option("--data-dir", help="Where to look for datasets first.")
@reader_options
@click.option("--variations", type=int, help="Random views per letter (letters only).")
@answer_option
@click.option("--backend", default="cpu", show_default=True, help="cpu (NumPy alone) or cupy.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(
    model_path: str, dataset: str | None, split: str | None, data_dir: str | None, variations: int | None,
    backend: str, reject: float | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Print how well a model predicts."""
    from genreg_np.cli.infer_ import load_model
    from genreg_np.data.for_model import is_for_tables
    from genreg_np.data.generated import Generator
    from genreg_np.data.rows import is_table

    model = load_model(model_path, backend)
    if Generator.found(model) is not None:
        raise UsageError(
            f"{model_path}: generates images, so it has no accuracy; genreg-np sample {model_path} shows some"
        )
    rejection = Rejection.of(model, model_path, reject)
    name = dataset or trained_on(model_path, model)
    if not (model.class_names or model.value_names):
        raise UsageError(
            f"the model gives {model.output_count:,} values and no classes, so eval cannot measure it: infer prints "
            "the values"
        )
    if is_table(name) and is_for_tables(model):
        measured = of_table(model, name, split, options)
    else:
        views = variations or 1
        if variations is None and name == model.trained("config", "dataset"):
            trained_views = model.trained("config", "variations")
            views = trained_views if type(trained_views) is int else 1
        measured = of_dataset(model, name, split or "test", options, data_dir=data_dir, variations=views)
    tell = tell_classes if model.class_names else tell_numbers
    found, lines = tell(model, measured, rejection, reject)
    if as_json:
        print_json({"dataset": measured.name, "split": measured.split, "notes": measured.notes, **found})
        return
    say(*lines)


def of_dataset(model: Model, name: str, split: str, options: dict[str, Any], **where: Any) -> Measured:
    """Return a split of a dataset to measure a model on; the dataset must fit the model."""
    from genreg_np.data import dataset_names

    data = load_for(model, name, options, **where)
    places = check_fit(name, data, model)
    part = data.everything if split == ALL else data.split(split)
    if not len(part):
        raise UsageError(f"{name}: too few samples, its {split} split is empty: measure all with --split all")
    notes = [data.note] if data.note else []
    if split != ALL and BY_CLASS in data.note and name not in dataset_names():
        notes.append(
            f"measured on {len(part):,} of {len(data.everything):,} samples, which were held out here; --split all "
            "measures all of them, which is right for data that the model was not trained on"
        )
    if bool(model.feature_names) != bool(data.feature_names):
        which = "data have no column names, the model has" if model.feature_names else "model has no column names"
        notes.append(f"columns are matched by position: the {which}")
    labels = places[part.labels] if model.class_names else part.labels
    mean = data.train.labels.mean(axis=0) if data.of_numbers else None
    return Measured(data.name, split, in_order(part.inputs, data, model), labels, tuple(notes), mean)


def trained_on(path: str, model: Model, others: str = "") -> str:
    """Return the built-in dataset that a model was trained on; a file name in a header could be any file.

    Raises
    ------
    UsageError
        If the header names none; `others` are words for other ways to give inputs.
    """
    from genreg_np.data import dataset_names

    name = model.trained("config", "dataset")
    if not isinstance(name, str):
        raise UsageError(f"{path} does not say what it was trained on: give a --dataset{others}")
    if name not in dataset_names():
        raise UsageError(f"{path} was trained on {short_name(name, 60)!r}: give its place with --dataset PATH{others}")
    return name


def load_for(model: Model, name: str, options: dict[str, Any], **where: Any) -> Dataset:
    """Load a dataset as the options say; folders of images as in the model's training unless options differ."""
    from genreg_np.data import is_image_folder, load_dataset

    reading = reader_arguments(options)
    channels, known = model.input_shape[:-2], remembered(model.header)
    if len(model.input_shape) > 1 and channels in ((), (3,)) and is_image_folder(name):
        usual: dict[str, Any] = {"size": model.input_shape[-2:], "color": RGB if channels else GREY, "fit": STRETCH}
        if known:
            usual |= {"fit": known.fit, "ranges": known.ranges}
        reading = usual | reading
    return load_dataset(name, **where, **reading)


def check_fit(name: str, data: Dataset, model: Model) -> NDArray[np.int64]:
    """Refuse a dataset whose inputs, columns or classes are not the model's.

    Returns the model's index of each class of the data. The data may lack some of the model's classes.
    """
    if data.feature_names and model.feature_names:
        try:
            model.columns(data.feature_names)
        except ModelError as error:
            raise UsageError(f"{name}: {error}") from None
    if data.input_shape != model.input_shape:
        raise UsageError(
            f"{name} has inputs of shape {data.input_shape}, the model takes {model.input_shape}: "
            "give matching data with --dataset"
        )
    if data.of_numbers != bool(model.value_names) or (data.of_numbers and data.outputs != model.output_count):
        raise UsageError(
            f"{name} has {data.counted}, and the model {words_of(model)}: give matching data with --dataset, or "
            "another column with --label"
        )
    if unknown := [class_name for class_name in data.class_names if class_name not in model.class_names]:
        raise UsageError(
            f"{name} has {listed(unknown)}, which the model does not know; it knows {listed(model.class_names)}: "
            "give matching data with --dataset, or another column with --label"
        )
    if data.input_range != model.input_range:
        raise UsageError(
            f"{name} has {_described(data.input_range)}, the model takes {_described(model.input_range)}: "
            "give matching data with --dataset, or scale the data as in training"
        )
    return np.array([model.class_names.index(class_name) for class_name in data.class_names], np.int64)


def in_order(inputs: NDArray[np.generic], data: Dataset, model: Model) -> NDArray[np.generic]:
    """Return inputs of a matching dataset, with columns in the model's order if both have names."""
    if not (data.feature_names and model.feature_names):
        return inputs
    ordered: NDArray[np.generic] = inputs[:, model.columns(data.feature_names)]
    return ordered


def words_of(model: Model) -> str:
    """Return what a model predicts, in words."""
    if model.class_names:
        return f"tells {len(model.class_names)} classes apart"
    return f"predicts {listed(model.value_names).removeprefix('classes ').removeprefix('class ')}"


def _described(value_range: tuple[float, float] | None) -> str:
    return "float features" if value_range is None else "raw values {:g} to {:g}".format(*value_range)
