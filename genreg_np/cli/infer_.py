"""`genreg-np infer`: predict with the stand-alone runtime. Imports NumPy, click and, for image files, Pillow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.cli.inputs import Taking, files_in, read_file, read_stdin
from genreg_np.cli.output import percent, print_json
from genreg_np.cli.reading import range_option
from genreg_np.cli.terminal import say, say_error
from genreg_np.cli.unsure import Rejection, answer_option, words
from genreg_np.data.fitting import FITS
from genreg_np.data.labels import short_name
from genreg_np.data.rows import is_table
from genreg_np.errors import DataError, UsageError

HELP = """\
Predict classes, or numbers if the model predicts numbers, for images or for a table's rows.

Images are PNG, JPEG, NPY or IDX: files, folders, or one image on stdin. Tables are CSV or TSV, compressed or not:
columns are matched by name, extra ones are carried through, and --out writes a table with the predictions.

NPY and IDX files may hold one input or many. A model trained on a folder of images takes pictures of any size and
scales them as in training. Other models refuse pictures of another size unless --resize is given. With --resize,
images for a model of digits or letters like MNIST's are also centred and scaled as MNIST's were, unless --no-centre
is given. A file that cannot be used is reported on stderr, the others are predicted, and the exit code is 1.
Subfolders are searched, except hidden ones; files of other kinds are left out and counted.
"""


@click.command(
    "infer",
    help=HELP,
    epilog="\b\nExamples:\n"
    "  genreg-np infer model.npz seven.png --top 3\n"
    "  genreg-np infer model.npz seven.jpg --resize --invert       (a photograph of a digit on paper)\n"
    "  genreg-np infer model.npz photos/ --json\n"
    "  genreg-np infer model.npz photos/ --reject 0.9           (answer unsure when in doubt)\n"
    "  genreg-np infer model.npz t10k-images-idx3-ubyte.gz\n"
    "  cat seven.png | genreg-np infer model.npz\n"
    "  genreg-np infer model.npz new.csv --out predictions.csv\n"
    "  genreg-np infer encoder.npz photos/ --save codes/           (for a model that gives values)",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.argument("paths", metavar="[IMAGE]...", nargs=-1, type=click.Path())
@click.option("--top", default=1, show_default=True, type=click.IntRange(min=1), help="How many classes to show.")
@click.option("--resize", is_flag=True, help="Scale images of another size to the model's.")
@click.option(
    "--fit",
    type=click.Choice(FITS),
    help="How images are scaled.  [default: as in training, otherwise stretch]",
)
@click.option(
    "--centre/--no-centre",
    default=None,
    help="Centre and scale the writing as MNIST did; --resize implies it for 28 x 28 digits and letters.",
)
@click.option("--invert", is_flag=True, help="Swap black and white (for dark ink on light paper).")
@click.option("--as-is", is_flag=True, help="Accept images that look inverted.")
@range_option
@answer_option
@click.option(
    "--save",
    metavar="FOLDER",
    type=click.Path(),
    help="Write the output values of a model without classes, as .npy files and pictures.",
)
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(),
    help="Write a table's rows with their predictions, as .csv or .tsv.",
)
@click.option("--header/--no-header", default=None, help="Whether a table's first row names the columns.")
@click.option("--separator", metavar="SIGN", help="A table's separator: comma, semicolon, tab, pipe or blank.")
@click.option("--backend", default="cpu", show_default=True, help="cpu (NumPy alone) or cupy.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON: a list of {file, class, probability, top}."
)
def command(
    model_path: str, paths: tuple[str, ...], top: int, reject: float | None, save: str | None, out: str | None,
    header: bool | None, separator: str | None, backend: str, as_json: bool, **taking: Any,
) -> int:  # fmt: skip
    """Print a model's prediction for each input."""
    model = load_model(model_path, backend)
    if not paths and sys.stdin.isatty():
        from genreg_np.cli.info_ import description, first_command

        say(*description(model_path, model), "", f"try:  {first_command(model_path, model)}")
        return 0
    faults: list[DataError] = []

    def attempt(call: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        try:
            return call(*arguments)
        except DataError as error:
            faults.append(error)
            say_error(error)
            return []

    if save is not None and model.class_names:
        raise UsageError(
            "--save is for models that give values: this one predicts classes; --json prints its probabilities"
        )
    if top > 1 and not model.class_names:
        raise UsageError(f"--top {top} is for models with classes, and this one gives values: leave it out")
    how, rejection = Taking(**taking), Rejection.of(model, model_path, reject)
    _say_centring(how, model, model_path)
    if tables := [path for path in paths if is_table(path) and _takes_rows(model)]:
        if len(tables) < len(paths):
            raise UsageError(f"{tables[0]} is a table, but other inputs are not: use a command for each kind")
        if given := [name for name, value in {"save": save, **taking}.items() if value not in (None, False)]:
            way = "--out FILE writes the predictions of a table" if given[0] == "save" else "leave it out"
            raise UsageError(f"--{given[0].replace('_', '-')} is for images, and {tables[0]} is a table: {way}")
        return _predict_tables(model, tables, top, rejection, out, (header, separator), as_json)
    if out is not None or header is not None or separator is not None:
        raise UsageError("--out, --header and --separator are for tables (.csv, .tsv): leave them out")
    files: list[Path | None] = [None]
    if paths:
        files = [file for path in paths for file in ([None] if path == "-" else attempt(files_in, Path(path)))]
    results = [result for file in files for result in attempt(_predict_file, file, model, top, how, rejection)]
    if results:
        how.check_range_used()
    if save is not None:
        from genreg_np.cli.saving import save_values

        save_values(results, Path(save), model_path)
    if as_json:
        print_json(results)
    elif save is not None:
        say(f"{len(results):,} saved in {save}")
    else:
        _print_lines(results)
    return 1 if faults else 0


def _takes_rows(model: infer.Model) -> bool:
    from genreg_np.data.for_model import is_for_tables  # imported here: pictures do not need it

    return is_for_tables(model)


def _predict_tables(
    model: infer.Model, paths: list[str], top: int, rejection: Rejection | None, out: str | None,
    reading: tuple[bool | None, str | None], as_json: bool,
) -> int:  # fmt: skip
    """Predict all rows of tables, and write them to a file, as JSON, or as one line each; of several, skip bad ones."""
    from genreg_np.cli.tables import Predictions, line_of, predicted

    if out is not None and len(paths) > 1:
        raise UsageError("--out takes the rows of one table: use a command for each table")
    if out is not None and any(_is_same(path, out) for path in paths):
        raise UsageError(f"--out {out} is the input table: name another file")
    written = Predictions(Path(out), rejection is not None) if out is not None else None
    found: list[dict[str, Any]] = []
    faults = 0
    try:
        for path in paths:
            rows: list[dict[str, Any]] = []
            try:
                for stream, batch, results in predicted(Path(path), model, top, rejection, *reading):
                    if written is not None:
                        written.add(stream, batch, results)
                    if as_json:
                        rows += [{"file": path, **result} if len(paths) > 1 else result for result in results]
                    elif written is None:
                        say(*(line_of(result) for result in results))
            except (DataError, UsageError) as error:
                if len(paths) == 1:
                    raise
                faults += 1
                say_error(error)
                rows = []
            found += rows
        if written is not None:
            written.finish()
            if not as_json:
                say(f"{written.rows:,} row{'' if written.rows == 1 else 's'} predicted: {out}")
    finally:
        if written is not None:
            written.discard()
    if as_json:
        print_json(found)
    return 1 if faults else 0


def _is_same(path: str, other: str) -> bool:
    """Return whether two paths are of the same existing file."""
    return Path(path).exists() and Path(other).exists() and Path(path).samefile(other)


def _predict_file(
    path: Path | None, model: infer.Model, top: int, how: Taking, rejection: Rejection | None
) -> list[dict[str, Any]]:
    """Return the predictions for all inputs of one file, or of stdin."""
    inputs = read_stdin(model, how) if path is None else read_file(path, model, how)
    return [_predict(name, one, model, top, rejection) for name, one in inputs]


def _say_centring(how: Taking, model: infer.Model, path: str) -> None:
    """Refuse --centre for models it is not meant for; say so if --resize implies it."""
    if how.centre:
        from genreg_np.data.centring import takes_centred

        if not takes_centred(model):
            raise UsageError(f"--centre is for models of 28 x 28 images, bright on dark, as MNIST's, unlike {path}")
    elif how.centres((), model):
        say("images of other sizes are centred and scaled as MNIST's were (--no-centre: scaled only)", err=True)


def _print_lines(results: list[dict[str, Any]]) -> None:
    """Print a line for each prediction."""
    width = max((len(str(result["file"])) for result in results), default=0)
    for result in results:
        values, best = result.get("values", []), result.get("top", [])
        answer = "  ".join(
            [f"{value:g}" for value in values]
            + [f"{short_name(entry['class'])} {percent(entry['probability'])}" for entry in best]
        )
        say(f"{result['file']:<{width}}  {words(result) if result.get('reason') else answer}")


def load_model(path: str, backend: str) -> infer.Model:
    """Read a model to predict with NumPy alone, or on a GPU."""
    if backend.partition(":")[0] == "cupy":
        from genreg_np.backends.inference import load_on

        return load_on(path, backend)
    if backend not in ("cpu", "numpy", "auto"):
        raise UsageError(f"--backend {backend!r} must be cpu (NumPy alone) or cupy")
    return infer.load(path)


def _predict(
    name: str, one: NDArray[np.generic], model: infer.Model, top: int, rejection: Rejection | None
) -> dict[str, Any]:
    try:
        if not model.class_names:
            values = model.outputs(one)[0]
            if not np.isfinite(values).all():
                raise infer.ModelError(infer.BEYOND)
            return {"file": name, "values": [float(value) for value in values]}
        best = model.top(one, top)[0]
        unsure = rejection.entry(best[0][1], one) if rejection else {}
    except infer.ModelError as error:
        raise DataError(f"{name}: {error}") from None
    entries = [{"class": label, "probability": probability} for label, probability in best]
    return {"file": name, **entries[0], "top": entries, **unsure}
