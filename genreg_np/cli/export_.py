"""`genreg-np export`: export a model for a microcontroller, a browser or another runtime."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np.cli.output import percent, print_json
from genreg_np.cli.reading import reader_arguments, reader_options
from genreg_np.cli.targets import reject_option
from genreg_np.cli.terminal import say
from genreg_np.errors import DataError, GenregError, UsageError
from genreg_np.export import TARGETS
from genreg_np.infer import ModelError

MAX_LOSS = 0.3  # percentage points
TRY = {  # commands for the folder that was written
    "python": "python example.py",
    "c": "gcc -std=c99 -O2 {name}.c main.c -o {name} -lm && ./{name} --check",
}


@click.command(
    "export",
    help="Write a folder that runs a model elsewhere, without genreg-np.",
    epilog="\b\nExamples:\n"
    "  genreg-np export runs/mnist-nodes-0/model.npz --to c --int8 --out firmware/\n"
    "  genreg-np export policy.npz --to c --int8 --calibrate observations.npy --out firmware/\n"
    "  genreg-np export model.npz --to python --out app/\n"
    "\nThe targets are described in docs/export.md.",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--to", "target", required=True, type=click.Choice(tuple(TARGETS)), help="What to write.")
@click.option("--out", required=True, metavar="DIR", type=click.Path(), help="The folder to write; created if needed.")
@click.option("--name", default="model", show_default=True, help="Name of files and functions.")
@click.option("--int8", is_flag=True, help="Quantise to 8-bit integers first, calibrated on validation inputs.")
@click.option(
    "--max-loss", type=click.FloatRange(0, 100),
    help="Points of validation accuracy that --int8 may cost.  [default: 0.3]",
)  # fmt: skip
@click.option("--dataset", metavar="NAME|PATH", help="Data to calibrate on; by default those of the training.")
@click.option("--data-dir", type=click.Path(), help="Where to look for the dataset first.")
@reader_options
@click.option(
    "--calibrate", metavar="FILE", type=click.Path(),
    help="Calibrate --int8 on inputs without labels instead: an .npy array, an IDX file, an image, a folder.",
)  # fmt: skip
@reject_option
@click.option("--force", is_flag=True, help="Write even if the folder has other files in it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    model_path: str,
    target: str,
    out: str,
    name: str,
    int8: bool,
    max_loss: float | None,
    dataset: str | None,
    data_dir: str | None,
    calibrate: str | None,
    reject: float | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Write a model for another runtime."""
    from genreg_np.export import check_request, export
    from genreg_np.model import load

    told: dict[str, Any] = {}
    model = load(model_path)
    loses_distance = "familiarity" in model.header and (int8 or target in ("c", "onnx"))
    if (Path(out) / f"{name}.npz").exists() and (Path(out) / f"{name}.npz").samefile(model_path):
        raise UsageError(f"{out} contains MODEL itself: choose another folder or another --name")
    check_request(target, out, name, force, reject=reject)
    reading = reader_arguments(options)
    measured = bool(dataset or data_dir or reading.keys() - {"range"} or max_loss is not None)
    if calibrate is not None and (measured or not int8):
        lacking = "no labels: omit --dataset, --data-dir, --label and the like" if int8 else "--int8: add it"
        raise UsageError(f"--calibrate is for {lacking}")
    if (measured or reading) and not int8:
        raise UsageError(
            "--max-loss, --dataset, --data-dir, --label and the like are for --int8: add it, or leave them out"
        )
    if calibrate is not None:
        model, told = _calibrated(model, calibrate, reading.get("range"))
    elif int8:
        limit = MAX_LOSS if max_loss is None else max_loss
        if limit != limit:
            raise UsageError("--max-loss nan must be a number of points")
        model, told = _quantised(model_path, model, dataset, data_dir, options, limit)
    written = export(model, target, out, name, force, reject=reject)
    if loses_distance:
        say("what is exported does not recognise unfamiliar inputs: int8, c and onnx leave out the distance", err=True)
    if as_json:
        files = {path.name: path.stat().st_size for path in written}
        print_json({"target": target, "out": out, "files": files, **told})
        return
    if told:
        say(*_told_lines(told))
    for path in written:
        say(f"wrote {path}  ({path.stat().st_size:,} bytes)")
    if target in TRY:
        say(f"try:  cd {shlex.quote(str(Path(out)))} && {TRY[target].format(name=name)}")


def _quantised(
    path: str, model: Any, dataset: str | None, data_dir: str | None, options: dict[str, Any], max_loss: float
) -> tuple[Any, dict[str, Any]]:
    """Return the model in 8-bit integers, and its validation accuracy before and after."""
    from genreg_np.cli.eval_ import check_fit, in_order, load_for, trained_on
    from genreg_np.export.quantise import check, quantise, recorded

    check(model)
    name = dataset or trained_on(path, model, ", or inputs without labels with --calibrate")
    views = model.trained("config", "variations")
    data = load_for(model, name, options, data_dir=data_dir, variations=views if type(views) is int else 1)
    places = check_fit(name, data, model)
    part = data.validation
    if not len(part):
        raise UsageError(f"{name}: its validation split, used to calibrate, is empty: give a larger --dataset")
    inputs = in_order(part.inputs, data, model)
    whole = quantise(model, inputs)
    right = [int((one.predict(inputs) == places[part.labels]).sum()) for one in (model, whole)]
    before, after = (count / len(part) for count in right)
    if 100 * (right[0] - right[1]) > max_loss * len(part) * (1 + 1e-12):  # a loss equal to the limit is allowed
        raise GenregError(
            f"int8 costs {100 * (before - after):.2f} points of validation accuracy ({percent(before)} to "
            f"{percent(after)}), more than --max-loss {max_loss:g}: raise it, or leave out --int8"
        )
    whole = recorded(whole, dataset=data.name, validation_accuracy=after, float32_validation_accuracy=before)
    return whole, {"dataset": data.name, "validation_accuracy": before, "int8_validation_accuracy": after}


def _calibrated(model: Any, file: str, value_range: tuple[float, float] | None) -> tuple[Any, dict[str, Any]]:
    """Return the model in 8-bit integers, calibrated on inputs without labels, and how its outputs differ on them."""
    from genreg_np.cli.inputs import Taking, files_in, read_file
    from genreg_np.export.quantise import check, quantise

    check(model)
    how = Taking(resize=False, centre=False, invert=False, as_is=True, range=value_range)
    found = [_prepared(name, one, model) for path in files_in(Path(file)) for name, one in read_file(path, model, how)]
    if not found:
        raise DataError(f"{file}: holds no inputs to calibrate on; at least one is needed")
    how.check_range_used()
    inputs = np.concatenate(found)
    whole = quantise(model, inputs)
    before, after = (one.outputs(inputs).astype(np.float64) for one in (model, whole))
    same = float(np.mean(before.argmax(axis=1) == after.argmax(axis=1)))
    told: dict[str, Any] = {"calibrated_on": len(inputs), "alike": bool((inputs == inputs[0]).all())}
    told |= {"largest_difference": float(np.abs(after - before).max())}
    told |= {"lowest_output": float(before.min()), "highest_output": float(before.max())}
    return whole, told | ({"same_answer": same} if model.output_count > 1 else {})


def _prepared(name: str, one: NDArray[np.generic], model: Any) -> NDArray[np.float32]:
    """Return an input as (1, I) float32; a folder may mix files of raw values and of mapped ones."""
    try:
        return np.asarray(model.prepare(one), np.float32)
    except ModelError as error:
        raise DataError(f"{name}: {error}") from None


def _told_lines(told: dict[str, Any]) -> list[str]:
    """Return lines about a quantised model."""
    if "dataset" in told:
        before, after = percent(told["validation_accuracy"]), percent(told["int8_validation_accuracy"])
        return [f"validation accuracy {before} in float32, {after} in int8 ({told['dataset']})"]
    count = told["calibrated_on"]
    few = "there is only one calibration input" if count == 1 else "all calibration inputs are equal"
    lines = [f"{few}: int8 may be far off for others"] if told["alike"] else []
    lines += [
        f"calibrated on {count:,} {'input' if count == 1 else 'inputs'}: outputs from {told['lowest_output']:g} to "
        f"{told['highest_output']:g}, from which int8 differs by {told['largest_difference']:.2g} at most"
    ]
    if "same_answer" in told:
        lines.append(f"float32 and int8 have the same largest output for {percent(told['same_answer'])} of them")
    return lines
