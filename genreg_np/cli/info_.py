"""`genreg-np info`: what a model file holds."""

from __future__ import annotations

from pathlib import Path

import click

from genreg_np import infer
from genreg_np.cli.output import percent, print_json


@click.command("info", epilog="\b\nExample:\n  genreg-np info runs/mnist-seed-mnist-64-0/model.npz")
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as one line of JSON.")
def command(model_path: str, as_json: bool) -> None:
    """Say what a model file holds: its network, classes, accuracies and where its weights came from."""
    model = infer.load(model_path)
    if as_json:
        print_json(model.header)
    else:
        click.echo("\n".join(description(model_path, model)))


def description(path: str, model: infer.Model) -> list[str]:
    """Return what there is to say of a model, as lines."""
    layers = model.header["network"]["layers"]
    dense = [layer for layer in layers if layer["kind"] == "dense"]
    genes = sum(layer["outputs"] * (layer["inputs"] + 1) for layer in dense)
    widths = "-".join(str(width) for width in (dense[0]["inputs"], *(layer["outputs"] for layer in dense)))
    activations = ", ".join(dict.fromkeys(layer["activation"] for layer in dense[:-1])) or "linear"
    raw = "features as they are"
    if model.input_range:
        raw = f"raw values {model.input_range[0]:g} to {model.input_range[1]:g}"
    lines = [
        f"{path}: {Path(path).stat().st_size:,} bytes",
        f"network      {widths}, {activations}, {genes:,} weights and biases",
        f"input        {model.input_shape}, {raw}",
        f"classes      {', '.join(model.class_names) or 'none: the outputs are values'}",
    ]
    training = model.header.get("training", {})
    if "method" in training:
        lines.append(
            f"trained by   {training['method']}, {training['genome']} genome, {training['generations']} generations, "
            f"seed {training['seed']}, on {training['config']['dataset']}"
        )
    for split, accuracies in training.get("accuracies", {}).items():
        lines.append(f"{split:<12} " + ", ".join(f"{name} {percent(value)}" for name, value in accuracies.items()))
    if "source" in training:
        lines.append(f"converted    from {training['source']}")
    return lines
