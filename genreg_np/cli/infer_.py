"""`genreg-np infer`: classes of images, by the tiny runtime. Imports NumPy, click and, for image files, Pillow."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.cli.output import percent, print_json
from genreg_np.cli.reading import range_option
from genreg_np.cli.terminal import say, say_error
from genreg_np.data.labels import short_name
from genreg_np.errors import DataError, UsageError
from genreg_np.files import open_regular

if TYPE_CHECKING:
    from genreg_np.data.images import Picture

Inputs = list[tuple[str, NDArray[np.generic]]]  # (name, one input) each

DARK, LIGHT = 0.4, 0.6  # mean brightness of a border, 0 .. 1: below and above are other backgrounds
MOST_FILE_BYTES = 1 << 30  # of one file
COLOUR, DEEP = "colour", "more than 8 bits"
ARRAY_SUFFIXES = (".npy", ".idx", ".gz", "-ubyte")  # what a folder is searched for, besides images


@dataclass(frozen=True)
class Taking:
    """How images are taken."""

    resize: bool  # scale images of another size
    centre: bool | None  # centre and scale as MNIST did; None: where images are scaled and the model is of that kind
    invert: bool  # swap black and white
    as_is: bool  # do not ask whether black and white are swapped
    range: tuple[float, float] | None  # black and white of more than 8 bits
    met: set[str] = field(default_factory=set)  # COLOUR and DEEP, where some image was

    def take(self, picture: Picture) -> NDArray[np.uint8]:
        """Return a picture's grey levels; say once that colours are lost."""
        if picture.depth is not None:
            self.met.add(DEEP)
        if picture.coloured and COLOUR not in self.met:
            self.met.add(COLOUR)
            say(f"{picture.where}: colours are taken in grey, as the model was trained on grey images", err=True)
        return picture.grey(None, self.range)

    def check_range_used(self) -> None:
        """Refuse a range where no image had more than 8 bits, as for folders of a dataset."""
        if self.range and DEEP not in self.met:
            raise UsageError("--range is for images of more than 8 bits, and these have no more: leave it out")

    def centres(self, shape: tuple[int, ...], model: infer.Model) -> bool:
        """Tell whether an image of a shape is centred; one of the model's own size is taken as it is unless asked."""
        if not self.centre and (self.centre is False or not self.resize or shape == model.input_shape):
            return False
        from genreg_np.data.centring import is_written, takes_centred

        return takes_centred(model) and (bool(self.centre) or is_written(model))


HELP = """\
Predict the class of images: PNG, JPEG, NPY, IDX; files, folders, or one image on stdin.

NPY and IDX files may hold one input or many. An image of another size is refused unless --resize is given.
With --resize, a model of digits or letters like MNIST's also gets them centred and scaled as MNIST's were, unless
--no-centre is given. A file that cannot be taken is reported on stderr, the others are predicted, and the exit code
is 1. In folders, files of other kinds are passed over.
"""


@click.command(
    "infer",
    help=HELP,
    epilog="\b\nExamples:\n"
    "  genreg-np infer model.npz seven.png --top 3\n"
    "  genreg-np infer model.npz seven.jpg --resize --invert       (a photograph of a digit on paper)\n"
    "  genreg-np infer model.npz photos/ --resize --json\n"
    "  genreg-np infer model.npz t10k-images-idx3-ubyte.gz\n"
    "  cat seven.png | genreg-np infer model.npz",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.argument("paths", metavar="[IMAGE]...", nargs=-1, type=click.Path())
@click.option("--top", default=1, show_default=True, type=click.IntRange(min=1), help="How many classes to show.")
@click.option("--resize", is_flag=True, help="Scale images of another size to the model's.")
@click.option(
    "--centre/--no-centre",
    default=None,
    help="Centre and scale what is written as MNIST did; --resize implies it for 28 x 28 digits and letters.",
)
@click.option("--invert", is_flag=True, help="Swap black and white (for dark ink on light paper).")
@click.option("--as-is", is_flag=True, help="Take images that look inverted as they are.")
@range_option
@click.option("--backend", default="cpu", show_default=True, help="cpu (NumPy alone) or cupy.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one line of JSON: a list of {file, class, probability, top}."
)
def command(model_path: str, paths: tuple[str, ...], top: int, backend: str, as_json: bool, **taking: Any) -> int:
    """Print what a model answers to each input."""
    model = load_model(model_path, backend)
    if not paths and sys.stdin.isatty():
        from genreg_np.cli.info_ import description

        say(*description(model_path, model))
        say("", f"try:  genreg-np infer {shlex.quote(model_path)} IMAGE.png --top 3")
        return 0
    faults: list[DataError] = []

    def attempt(call: Callable[..., list[Any]], *arguments: Any) -> list[Any]:
        try:
            return call(*arguments)
        except DataError as error:
            faults.append(error)
            say_error(error)
            return []

    how = Taking(**taking)
    _say_centring(how, model, model_path)
    files = [file for path in paths for file in attempt(files_in, Path(path))] if paths else [None]
    results = [result for file in files for result in attempt(_predict_file, file, model, top, how)]
    if results:
        how.check_range_used()
    if as_json:
        print_json(results)
    else:
        _print_lines(results)
    return 1 if faults else 0


def _predict_file(path: Path | None, model: infer.Model, top: int, how: Taking) -> list[dict[str, Any]]:
    """Return the predictions for all inputs of one file, or of stdin."""
    inputs = _read_stdin(model, how) if path is None else read_file(path, model, how)
    return [_predict(name, one, model, top) for name, one in inputs]


def _say_centring(how: Taking, model: infer.Model, path: str) -> None:
    """Refuse --centre for models it is not meant for; say where --resize brings it along."""
    if how.centre:
        from genreg_np.data.centring import takes_centred

        if not takes_centred(model):
            raise UsageError(f"--centre is for models of 28 x 28 images, bright on dark, as MNIST's: {path} is none")
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
        say(f"{result['file']:<{width}}  {answer}")


def load_model(path: str, backend: str) -> infer.Model:
    """Read a model that predicts with NumPy alone, or on a GPU."""
    if backend.partition(":")[0] == "cupy":
        from genreg_np.backends.inference import load_on

        return load_on(path, backend)
    if backend not in ("cpu", "numpy", "auto"):
        raise UsageError(f"--backend {backend!r} must be cpu (NumPy alone) or cupy")
    return infer.load(path)


def _predict(name: str, one: NDArray[np.generic], model: infer.Model, top: int) -> dict[str, Any]:
    try:
        if not model.class_names:
            values = model.outputs(one)[0]
            if not np.isfinite(values).all():
                raise infer.ModelError(infer.BEYOND)
            return {"file": name, "values": [float(value) for value in values]}
        best = model.top(one, top)[0]
    except infer.ModelError as error:
        raise DataError(f"{name}: {error}") from None
    entries = [{"class": label, "probability": probability} for label, probability in best]
    return {"file": name, **entries[0], "top": entries}


def _inverted(one: NDArray[np.generic], model: infer.Model) -> NDArray[np.generic]:
    low, high = model.input_range or (0.0, 1.0)
    if one.dtype.kind == "f":
        return (1 - one).astype(np.float32)
    return np.asarray(low + high - one.astype(np.int64), np.int64)


def files_in(path: Path) -> list[Path]:
    """Return the file, or those of a folder that are readable by their names, sorted."""
    if not path.is_dir():
        return [path]
    from genreg_np.data.images import SUFFIXES

    endings = (*SUFFIXES, *ARRAY_SUFFIXES)
    try:
        visible = sorted(item for item in path.iterdir() if not item.name.startswith("."))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if inner := sum(item.is_dir() for item in visible):
        say(f"{path}: folders in it are not entered, of which there are {inner:,}: name them as well", err=True)
    known = [item for item in visible if item.name.lower().endswith(endings) and item.is_file()]
    if not known:
        raise DataError(f"{path}: no file in it ends in {', '.join(endings)}; name the files, or another folder")
    return known


def read_file(path: Path, model: infer.Model, how: Taking) -> Inputs:
    """Read one file: an array file may hold many inputs."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return _decode(str(path), content, model, how)


def _read_stdin(model: infer.Model, how: Taking) -> Inputs:
    try:
        content = sys.stdin.buffer.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"stdin cannot be read ({error.strerror}): name a file, or send one image") from None
    if not content:
        raise UsageError("no image: name a file, or send one image to stdin")
    return _decode("-", content, model, how)


def _decode(name: str, content: bytes, model: infer.Model, how: Taking) -> Inputs:
    if not content:
        raise DataError(f"{name}: is empty")
    if len(content) > MOST_FILE_BYTES:
        raise DataError(f"{name}: takes more than {MOST_FILE_BYTES:,} bytes; split it")
    if content.startswith(b"\x93NUMPY"):
        return _split(name, _read_npy(name, content), model, how)
    if content[:2] == b"\x1f\x8b" or (content[:2] == b"\0\0" and content[3:4] != b"\0"):
        from genreg_np.data.idx import parse_idx

        return _split(name, parse_idx(io.BytesIO(content), name), model, how)
    return [(name, _read_image(name, content, model, how))]


def _read_npy(name: str, content: bytes) -> NDArray[np.generic]:
    try:
        return infer.read_npy(io.BytesIO(content), len(content), name)
    except infer.ModelError as error:
        raise DataError(str(error)) from None


def _split(name: str, array: NDArray[np.generic], model: infer.Model, how: Taking) -> Inputs:
    if array.shape == model.input_shape:
        named = [(name, array)]
    elif array.shape[1:] == model.input_shape:
        named = [(f"{name}[{index}]", one) for index, one in enumerate(array)]
    else:
        raise DataError(f"{name}: holds shape {array.shape}, but the model takes {model.input_shape} or many of it")
    return [(each, _inverted(one, model)) for each, one in named] if how.invert else named


def _read_image(name: str, content: bytes, model: infer.Model, how: Taking) -> NDArray[np.generic]:
    """Return a grey image as the model takes it, (H, W) in the model's range."""
    from genreg_np.data.centring import border_mean, centred
    from genreg_np.data.images import decode_picture, resized

    if len(model.input_shape) != 2 or not model.input_range:
        raise DataError(
            f"{name}: pictures are read in grey, but the model takes arrays {model.input_shape}: "
            "send them as .npy, as in np.save('one.npy', array)"
        )
    image = decode_picture(io.BytesIO(content), name, how.take)
    centring = how.centres(image.shape, model)
    if how.resize and not centring:
        image = resized(image, model.input_shape)
    if not centring and image.shape != model.input_shape:
        height, width = model.input_shape
        raise DataError(
            f"{name}: is {image.shape[0]}x{image.shape[1]} pixels (height x width), but the model takes "
            f"{height}x{width}: add --resize to scale it"
        )
    if not (how.invert or how.as_is):
        _check_polarity(name, border_mean(image, model.input_shape), model.trained("background"))
    if centring:
        found = centred(255 - image if how.invert else image)
        if found is None:
            raise DataError(f"{name}: is empty, there is nothing on it to centre; add --no-centre to take it as it is")
        return found
    one: NDArray[np.generic] = image
    if model.input_range != (0.0, 255.0):
        one = image.astype(np.float32) / np.float32(255)
    return _inverted(one, model) if how.invert else one


def _check_polarity(name: str, border: float, background: Any) -> None:
    """Refuse an image whose border (0 .. 1) is light where those of training were dark (`background`), or dark."""
    if type(background) not in (int, float):
        return
    if (background < DARK and border > LIGHT) or (background > LIGHT and border < DARK):
        seen, usual = ("light", "dark") if border > LIGHT else ("dark", "light")
        raise DataError(
            f"{name}: looks inverted: its border is {seen}, that of the training images was {usual}; "
            "add --invert to swap black and white, or --as-is to take it as it is"
        )
