"""`genreg-np info`: describe a model file."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click

from genreg_np import infer
from genreg_np.cli.output import percent, print_json
from genreg_np.cli.terminal import say
from genreg_np.data.fitting import remembered
from genreg_np.data.generated import Generator
from genreg_np.data.labels import short_name
from genreg_np.export.facts import earlier, quantised
from genreg_np.export.integers import words
from genreg_np.model import Model


@click.command(
    "info",
    help="Describe a model file: its network, classes, accuracies and the origin of its weights.",
    epilog="\b\nExample:\n  genreg-np info runs/mnist-seed-mnist-64-0/model.npz",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print the whole header as one line of JSON.")
def command(model_path: str, as_json: bool) -> None:
    """Print a description of a model file."""
    model = infer.load(model_path)
    if as_json:
        print_json(model.header)
    else:
        say(*description(model_path, model))


def description(path: str, model: infer.Model) -> list[str]:
    """Return a description of a model, as lines."""
    raw = "features as they are"
    if model.input_range:
        raw = f"raw values {model.input_range[0]:g} to {model.input_range[1]:g}"
    lines = [
        f"{path}: {Path(path).stat().st_size:,} bytes",
        f"network      {_network(model)}",
        f"input        {model.input_shape}, {raw}",
        f"predicts     {', '.join(map(short_name, model.value_names))}"
        if model.value_names
        else f"classes      {', '.join(map(short_name, model.class_names)) or 'none: the outputs are values'}",
    ]
    if taken := remembered(model.header):
        height, width = model.input_shape[-2:]
        colour = "colour" if len(model.input_shape) == 3 else "grey"
        ranges = "".join(f", {kind} {low:g} to {high:g}" for kind, (low, high) in taken.ranges.items())
        pictures = f"{height}x{width} pixels (height x width) in {colour}, fit {taken.fit}{ranges}"
        lines.insert(3, f"pictures     {_short(pictures)}")
    if (drawing := Generator.found(model)) is not None:
        asked = f", and the class: {', '.join(map(short_name, drawing.class_names))}" if drawing.class_names else ""
        noise = f"{drawing.noise.size} numbers of {drawing.noise.kind} noise{_short(asked)}"
        lines[3:] = [f"draws        {drawing.size}, from {noise}: genreg-np sample {path}"]
    if described := model.header.get("columns"):
        names = ", ".join(f"{short_name(column['name'])} ({column['kind']})" for column in described)
        lines.insert(3, f"columns      {_short(names)}")
    elif model.feature_names:
        names = ", ".join(short_name(name) if name else "(no name)" for name in model.feature_names)
        lines.insert(3, f"columns      {_short(names)}")
    if "familiarity" in model.header:
        lines.append("unfamiliar   inputs are recognised by their distance to the training inputs (infer --reject)")
    facts = [
        ("{}", model.trained("method")),
        ("{} genome", model.trained("genome")),
        ("{} generations", model.trained("generations")),
        ("as of generation {}", earlier(model)),
        ("seed {}", model.trained("seed")),
        ("on {}", model.trained("config", "dataset")),
    ]
    itself = Model(model.header, model.arrays)
    of_floats = " (as float32)" if itself.is_int8 else ""
    known = [form.format(_short(value)) for form, value in facts if isinstance(value, str | int)]
    if model.trained("method") is not None and known:
        lines.append(f"trained by   {', '.join(known)}")
    for split in ("validation", "test"):
        accuracies = model.trained("accuracies", split)
        if isinstance(accuracies, dict):
            shown = [f"{_short(name)} {percent(value)}" for name, value in accuracies.items() if _is_fraction(value)]
            lines += [f"{split:<12} {', '.join(shown)}{of_floats}"] if shown else []
    for split in ("validation", "test"):
        scores = model.trained("r2", split)
        if isinstance(scores, dict):
            shown = [f"{_short(name)} R2 {value:.4f}" for name, value in scores.items() if type(value) is float]
            lines += [f"{split:<12} {', '.join(shown)}{of_floats}"] if shown else []
    if itself.is_int8 and (told := quantised(itself)):
        lines.append(f"8 bits       {told}")
    note = model.trained("note")
    if isinstance(note, str):
        lines.append(f"note         {_short(note)}")
    source = model.trained("source")
    if isinstance(source, str):
        lines.append(f"converted    from {_short(source)}")
    return lines


def first_command(path: str, model: infer.Model) -> str:
    """Return a command to try a model with: drawing images, or predicting rows or images."""
    quoted = shlex.quote(path)
    if Generator.found(model) is not None:
        return f"genreg-np sample {quoted}"
    if model.feature_names:
        return f"genreg-np infer {quoted} new.csv --out predictions.csv"
    if len(model.input_shape) == 1:
        return f"genreg-np infer {quoted} values.npy" + ("" if model.class_names else " --save outputs/")
    return f"genreg-np infer {quoted} IMAGE.png" + (" --top 3" if len(model.class_names) > 2 else "")


def _network(loaded: infer.Model) -> str:
    """Return e.g. "784-64-10, tanh, 50,890 weights and biases"."""
    model = Model(loaded.header, loaded.arrays)
    if not model.is_int8:
        return model.network.describe()
    said = words(model)
    learned = f"{said.learned}, {said.activations}"
    if not said.activations:
        learned = f"{' x '.join(str(extent) for extent in model.input_shape)}: {said.learned}"
    return f"{learned}, {said.count:,} weights and biases, 8-bit integers"


def _short(value: object) -> str:
    """Return a value of an untrusted header as text within a line."""
    return short_name(str(value), 160)


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1
