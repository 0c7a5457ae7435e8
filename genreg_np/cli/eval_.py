"""`genreg-np eval`: how well a model does on a split of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np.cli.output import confusion_lines, per_class_lines, percent, print_json
from genreg_np.cli.terminal import say
from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.infer import ModelError

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset
    from genreg_np.infer import Model


@click.command(
    "eval",
    help="Measure a model's accuracy: overall, per class, and who is taken for whom.",
    epilog="\b\nExample:\n  genreg-np eval runs/mnist-seed-mnist-64-0/model.npz --dataset mnist --split test",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--dataset", help="Name or path; by default the one the model was trained on.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option("--data-dir", help="Where to look for datasets first.")
@click.option("--label", help="The label column of a .csv.")
@click.option("--size", help="Resize a folder's images to HxW; by default to the model's size.")
@click.option("--variations", type=int, help="Random views per letter (letters only).")
@click.option("--backend", default="cpu", show_default=True, help="cpu (NumPy alone) or cupy.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(
    model_path: str, dataset: str | None, split: str, data_dir: str | None, label: str | None, size: str | None,
    variations: int | None, backend: str, as_json: bool,
) -> None:  # fmt: skip
    """Print accuracy, and who is taken for whom."""
    from genreg_np.cli.infer_ import load_model
    from genreg_np.data import is_image_folder, load_dataset
    from genreg_np.data.images import parse_size
    from genreg_np.evaluation import Evaluation

    model = load_model(model_path, backend)
    name = dataset or trained_on(model_path, model)
    views = variations or 1
    if variations is None and name == model.trained("config", "dataset"):
        trained_views = model.trained("config", "variations")
        views = trained_views if type(trained_views) is int else 1
    shape = parse_size(size) if size else None
    if shape is None and len(model.input_shape) == 2 and is_image_folder(name):
        shape = model.input_shape
    data = load_dataset(name, data_dir=data_dir, variations=views, label=label, size=shape)
    check_fit(name, data, model)
    part, names = data.split(split), model.class_names
    places = np.array([names.index(class_name) for class_name in data.class_names], np.int64)
    result = Evaluation.of(model.predict(in_order(part.inputs, data, model)), places[part.labels], len(names))
    if as_json:
        print_json(
            {
                "accuracy": result.accuracy,
                "n": result.n,
                "dataset": data.name,
                "split": split,
                "classes": names,  # the order of the confusion matrix
                "per_class": dict(zip(names, result.per_class, strict=True)),
                "confusion": result.confusion.tolist(),
            }
        )
        return
    say(f"{data.name}, {split} split, {result.n} inputs: accuracy {percent(result.accuracy)}")
    if data.note:
        say(data.note)
    if model.feature_names and not data.feature_names:
        say("columns are taken in the order they stand in: the data have no names to go by, the model has")
    if isinstance(note := model.trained("note"), str):
        say(f"of the model: {short_name(note, 160)}")
    say("", *per_class_lines(result, names))
    say("", *confusion_lines(result, names))


def trained_on(path: str, model: Model, others: str = "") -> str:
    """Return the built-in dataset that a model was trained on; a header's file name could be any file.

    Raises
    ------
    UsageError
        If it says none; `others` are words for what else could be named.
    """
    from genreg_np.data import dataset_names

    name = model.trained("config", "dataset")
    if not isinstance(name, str):
        raise UsageError(f"{path} does not say what it was trained on: name a --dataset{others}")
    if name not in dataset_names():
        raise UsageError(
            f"{path} was trained on {short_name(name, 60)!r}: say where that is with --dataset PATH{others}"
        )
    return name


def check_fit(name: str, data: Dataset, model: Model) -> None:
    """Refuse a dataset of other inputs, columns or classes than the model's."""
    if data.feature_names and model.feature_names:
        try:
            model.columns(data.feature_names)
        except ModelError as error:
            raise UsageError(f"{name}: {error}") from None
    if data.input_shape != model.input_shape:
        raise UsageError(
            f"{name} has inputs of shape {data.input_shape}, the model takes {model.input_shape}: "
            "name its own with --dataset"
        )
    if sorted(data.class_names) != sorted(model.class_names):
        raise UsageError(
            f"{name} has the {_listed(data.class_names)}, the model knows the {_listed(model.class_names)}: "
            "name its own with --dataset"
        )
    if data.input_range != model.input_range:
        raise UsageError(
            f"{name} has {_described(data.input_range)}, the model takes {_described(model.input_range)}: "
            "name its own with --dataset, or scale the data as they were in training"
        )


def in_order(inputs: NDArray[np.generic], data: Dataset, model: Model) -> NDArray[np.generic]:
    """Return inputs of a dataset that fits, columns in the model's order where both have names."""
    if not (data.feature_names and model.feature_names):
        return inputs
    ordered: NDArray[np.generic] = inputs[:, model.columns(data.feature_names)]
    return ordered


def _listed(names: tuple[str, ...], most: int = 12) -> str:
    shown = ", ".join(short_name(name) for name in names[:most]) or "none"
    return f"{len(names)} classes {shown}" + (", ..." if len(names) > most else "")


def _described(value_range: tuple[float, float] | None) -> str:
    return "float features" if value_range is None else "raw values {:g} to {:g}".format(*value_range)
