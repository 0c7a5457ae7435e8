"""`genreg-np eval`: how well a model does on a split of a dataset."""

from __future__ import annotations

import click

from genreg_np.cli.output import confusion_lines, per_class_lines, percent, print_json
from genreg_np.errors import UsageError


@click.command(
    "eval",
    epilog="\b\nExample:\n  genreg-np eval runs/mnist-seed-mnist-64-0/model.npz --dataset mnist --split test",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--dataset", help="Name or path; by default the one the model was trained on.")
@click.option("--split", default="test", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option("--data-dir", help="Where to look for datasets first.")
@click.option("--label", help="The label column of a .csv.")
@click.option("--size", help="Resize a folder's images to HxW.")
@click.option("--variations", type=int, help="Random views per letter (letters only).")
@click.option("--backend", default="cpu", show_default=True, help="cpu (NumPy alone) or cupy.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def command(
    model_path: str, dataset: str | None, split: str, data_dir: str | None, label: str | None, size: str | None,
    variations: int | None, backend: str, as_json: bool,
) -> None:  # fmt: skip
    """Measure a model's accuracy: overall, per class, and who is taken for whom."""
    from genreg_np import infer
    from genreg_np.cli.infer_ import check_backend
    from genreg_np.data import load_dataset
    from genreg_np.data.images import parse_size
    from genreg_np.evaluation import Evaluation

    check_backend(backend)
    model = infer.load(model_path)
    trained = model.header.get("training", {}).get("config", {})
    name = dataset or trained.get("dataset")
    if not name:
        raise UsageError(f"{model_path} does not say what it was trained on: name a --dataset")
    views = variations or (trained.get("variations", 1) if name == trained.get("dataset") else 1)
    data = load_dataset(name, data_dir=data_dir, variations=views, label=label, size=parse_size(size) if size else None)
    if data.input_shape != model.input_shape or len(data.class_names) != len(model.class_names):
        raise UsageError(
            f"{name} has inputs of shape {data.input_shape} and {len(data.class_names)} classes, the model takes "
            f"{model.input_shape} and knows {len(model.class_names)}: name its own with --dataset"
        )
    part = data.split(split)
    result = Evaluation.of(model.predict(part.inputs), part.labels, len(data.class_names))
    if as_json:
        print_json(
            {
                "accuracy": result.accuracy,
                "n": result.n,
                "dataset": data.name,
                "split": split,
                "per_class": dict(zip(data.class_names, result.per_class, strict=True)),
                "confusion": result.confusion.tolist(),
            }
        )
        return
    click.echo(f"{data.name}, {split} split, {result.n} inputs: accuracy {percent(result.accuracy)}")
    if data.note:
        click.echo(data.note)
    click.echo()
    click.echo("\n".join(per_class_lines(result, data.class_names)))
    click.echo()
    click.echo("\n".join(confusion_lines(result, data.class_names)))
