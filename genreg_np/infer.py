"""Predict with a `model.npz`, using NumPy and the standard library only. Copy this file into any application.

    model = load("model.npz")
    model.predict(images)          # (N,) class numbers
    model.predict_proba(images)    # (N, K) probabilities
    model.top(images, 3)           # [[("7", 0.93), ("9", 0.05), ...], ...]
    state = model.start()          # a recurrent policy's memory; () if it has none
    state, outputs = model.step(state, observation)

A model file is a zip of plain arrays; nothing in it is ever executed. `header` holds JSON (the network, class and
column names, the range of raw values, where the weights came from); the rest are weights. Inputs are
(N, *input_shape), or a single input of shape input_shape; if the model has feature names, a DataFrame's columns are
matched by name. Integers are raw values, mapped from the model's `input_range` (0 .. 255 for images) to 0 .. 1; floats
must already be mapped. A dense layer computes `a(W x + b)` in float32 with W (O, I), b (O,); the last layer's values
are the logits. All other kinds of layers are in the files that ELSEWHERE names: copy those that a model needs along
with this one, or append them to it. Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import errno
import importlib.machinery
import importlib.util
import json
import math
import os
import re
import stat
import sys
import zipfile
from typing import Any, Callable, Union  # noqa: UP035 - this file also runs on Python 3.9

import numpy as np

__all__ = ["Model", "ModelError", "load", "predict", "read_arrays", "read_npy"]

FORMAT_NAME, FORMAT_VERSION = "genreg-np model", 1
MOST_EXPANSION = 1100  # bytes that one byte of a compressed file may expand to
CHUNK_BYTES, CACHE_BYTES = 16 << 20, 1 << 19  # size of the chunks a batch is split into; the same for convolutions
MOST_VALUES = 1 << 22  # in an input or a layer's output: a small file must not claim more memory than real models need
MOST_ROOM = 1 << 28  # bytes that a layer may need for one input, and roughly what a batch takes between layers
MOST_LAYERS, MOST_NESTING, MOST_HEADER_BYTES, MOST_NPY_HEADER = 1000, 32, 4 << 20, 1 << 16
BYTE, FULL_BYTE = np.dtype(np.uint8), np.float32(255)
NO_CLASSES = "this model gives values, not classes: call outputs() instead"
IN_ORDER = "this model remembers, so inputs have an order: call start(), then step() with one observation after another"
BEYOND = "the model's outputs are not finite: its weights and these inputs are too large for float32"
SCALES = ("prelu", "scale-shift", "group-norm", "instance-norm", "layer-norm")
SUMS = ("dense-int8", "convolution-int8", "transposed-convolution-int8", "pooling-int8", "adaptive-pooling-int8")
INT8 = ("quantise", *SUMS, "residual-int8", "lookup-int8", "normalisation-int8")
REMEMBERS = ("elman",)  # recurrent kinds: their functions also take a list, pop its first array and append a new one
LEARNED = ("convolution", "transposed-convolution", "residual", "concatenate", *REMEMBERS, *SCALES)
WEIGHTED = ("dense", *LEARNED, *INT8[1:])
PLAIN = ("activation", "pooling", "adaptive-pooling", "upsample", "minibatch-deviation")
ELSEWHERE = {  # the file that defines each kind of layer not defined here
    **dict.fromkeys(("standardise", "project", "branches", *LEARNED, *PLAIN), "infer_layers"),
    **dict.fromkeys(("levels", "deskew", "detectors", "deviations", "responses", "statistics"), "infer_images"),
    **dict.fromkeys(INT8, "infer_int8"),
    "columns": "infer_table",
}
NPY_HEADER = re.compile(  # what NumPy and compatible programs write; NumPy's own parser accepts much more
    r"\{\s*'descr'\s*:\s*'([<>|=]?[?A-Zb-z][0-9]{0,9})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,\s*"
    r"'shape'\s*:\s*\(((?:[0-9]{1,19}L?,\s?)*(?:[0-9]{1,19}L?)?)\)\s*,?\s*\}\s*"
)

PathLike = Union[str, "os.PathLike[str]"]
Arrays = dict[str, np.ndarray]
Function = Callable[..., np.ndarray]  # of (n, inputs); see REMEMBERS for a second argument
Layer = tuple[int, int, Function]  # inputs, outputs, function of (n, inputs)
Maker = Callable[[dict[str, Any], Arrays, str, str], Layer]  # of a layer's header, arrays, their prefix, its name


class ModelError(ValueError):
    """A file that is not a usable model, or an input that the model cannot take. The message is one line."""


def require(fine: Any, words: str) -> None:
    """Raise ModelError with this message unless `fine` is true."""
    if not fine:
        raise ModelError(words)


ACTIVATIONS: dict[str, Function] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, np.float32(0)),
    "leaky-relu": lambda z: np.where(z > 0, z, z * np.float32(0.01)),
    "sigmoid": lambda z: np.float32(0.5) * (np.tanh(np.float32(0.5) * z) + np.float32(1)),
    "step": lambda z: (z > 0).astype(np.float32),
    "sign": lambda z: np.where(z > 0, np.float32(1), np.float32(-1)),
}


def read_arrays(path: PathLike, limit_bytes: int = 2 << 30, compressed: bool = True) -> Arrays:
    """Return the arrays of an untrusted .npz file by name, in the order of the file.

    Object arrays are refused. Each array's declared shape is checked against the size of its zip entry, and the total
    against `limit_bytes`, before any memory is allocated. Unless entries may be `compressed`, the arrays take no more
    memory than the file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, too large, or holds anything but plain arrays.
    """
    arrays: Arrays = {}
    try:
        with open(path, "rb", opener=_regular) as opened, zipfile.ZipFile(opened) as archive:
            entries, size = archive.infolist(), os.fstat(opened.fileno()).st_size
            total, methods = sum(entry.file_size for entry in entries), {entry.compress_type for entry in entries}
            require(methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}, "is compressed in a way no .npz file is")
            if not compressed and zipfile.ZIP_DEFLATED in methods:
                raise ModelError("is compressed, as genreg-np writes no such file; save it with genreg-np")
            if total > (MOST_EXPANSION if compressed else 1) * size:
                raise ModelError(f"claims arrays of {total:,} bytes, which cannot come from so small a file")
            require(total <= limit_bytes, f"its arrays take {total:,} bytes, more than the limit of {limit_bytes:,}")
            for entry in entries:
                name, file_name = entry.filename[:-4], entry.filename
                if not name or not file_name.endswith(".npy") or name in arrays:
                    raise ModelError(f"entry {file_name!r} does not belong in an .npz file of plain arrays")
                with archive.open(entry) as file:
                    arrays[name] = read_npy(file, entry.file_size, f"array {name!r}")
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except OSError as error:
        known = {errno.ENOENT: "no such file", errno.EISDIR: "is a folder, not an .npz file"}
        why = known.get(error.errno or 0) or f"cannot be read ({error.strerror or error})"
        raise ModelError(f"{path}: {why}") from None
    except Exception as error:  # zipfile and zlib raise errors of many types on damaged files
        line = " ".join(str(error).split()) or type(error).__name__
        raise ModelError(f"{path}: not a readable .npz file ({line}); it may be damaged or of another kind") from None
    return arrays


def _regular(path: str, flags: int) -> int:
    """Open a file as open() does, but refuse pipes and devices, which may never end."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise OSError(errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL, "is not a regular file", path)
    return descriptor


def read_npy(file: Any, size: int, where: str) -> np.ndarray:
    """Read one array in .npy format from a binary stream of `size` bytes; its header must agree with that size.

    Raises
    ------
    ModelError
        If it is not a plain array of numbers or text of that size; the message begins with `where`.
    """
    start = file.read(8)
    require(start in (b"\x93NUMPY\x01\x00", b"\x93NUMPY\x02\x00"), f"{where} is not in .npy format, version 1.0 or 2.0")
    width = 2 * start[6]
    length = int.from_bytes(file.read(width), "little")
    described = file.read(length) if length <= MOST_NPY_HEADER else b""
    header = NPY_HEADER.fullmatch(described.decode("latin-1"))
    if not header:
        raise ModelError(f"{where} has a header that is damaged, or not that of a plain array")
    require("O" not in header[1], f"{where} holds pickled objects; only plain numbers are read, never code")
    try:
        dtype = np.dtype(header[1])
    except (TypeError, ValueError):
        dtype = np.dtype("V")
    require(dtype.kind in "biufU", f"{where} has type {header[1]!r}; only numbers and text are read")
    shape = tuple(int(extent.rstrip("L")) for extent in re.findall("[0-9]+L?", header[3]))
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != size - 8 - width - length:
        raise ModelError(f"{where} claims shape {shape} of {dtype}, which is not what the file holds")
    data = file.read(wanted)
    require(len(data) == wanted, f"{where} is cut short")
    if dtype.kind == "U":  # Python fails on codes beyond Unicode and cannot print lone surrogates
        codes = np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        if ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any():
            raise ModelError(f"{where} holds text that is not valid Unicode")
    try:
        return np.frombuffer(data, dtype).reshape(shape, order="F" if header[2] == "True" else "C")
    except (ValueError, OverflowError):  # too many axes, or an empty array with a huge extent
        raise ModelError(f"{where} has the impossible shape {shape}") from None


def load(path: PathLike) -> Model:
    """Read a model file; ModelError if it is missing, damaged, or not a model that this version can run."""
    arrays = read_arrays(path, compressed=False)
    try:
        return Model(_header(arrays.pop("header", np.empty(0))), arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ModelError(f"{path}: its header is incomplete or malformed ({type(error).__name__}: {error})") from None


def _header(stored: Any) -> dict[str, Any]:
    """Return the header of a model file: a JSON object in a known format."""
    require(stored.dtype == np.uint8 and stored.ndim == 1, "has no header, so it is not a genreg-np model")
    if len(stored) > MOST_HEADER_BYTES:
        raise ModelError(f"its header takes {len(stored):,} bytes, more than the limit of {MOST_HEADER_BYTES:,}")
    try:
        header = json.loads(stored.tobytes().decode("utf-8"), parse_constant=int)  # int takes no NaN
    except (ValueError, RecursionError):
        raise ModelError("its header is damaged") from None
    require(is_shallow(header), f"its header is nested deeper than {MOST_NESTING} levels")
    try:  # JSON can escape a lone surrogate: text that can be neither printed nor saved again
        json.dumps(header, ensure_ascii=False).encode("utf-8")
    except ValueError:
        raise ModelError("its header holds text that is not valid Unicode") from None
    require(isinstance(header, dict) and header.get("format") == FORMAT_NAME, "is not a genreg-np model")
    version, newer = header.get("version"), "use the genreg-np (or its infer.py) that wrote it, or a newer one"
    require(version == FORMAT_VERSION, f"has format version {version!r}, this program reads {FORMAT_VERSION}; {newer}")
    return dict(header)


def predict(path: PathLike, inputs: Any) -> np.ndarray:
    """Read a model file and return the most probable class of each input, (N,) int64; to predict often, use load."""
    return load(path).predict(inputs)


class Model:
    """A network with its weights, ready to predict. Immutable, so any number of threads may share it.

    `header` is the file's header; `input_shape` the shape of one input; `class_names` has K names, or none if outputs
    are values, which `value_names` names if they are predicted; `input_range` is the smallest and largest raw integer
    value, or None; `feature_names` has a name for each input, in order, or is empty.
    """

    def __init__(self, header: dict[str, Any], arrays: Arrays) -> None:
        network = entry_of(header, "network", dict)
        self.header = header
        self.arrays = {name: _read_only(array) for name, array in arrays.items()}
        self.input_shape = tuple(whole_number(extent) for extent in entry_of(network, "input_shape", list))
        self.class_names = tuple(str(name) for name in entry_of(header, "class_names", list))
        values = entry_of(header, "values", dict) if header.get("task") == "values" else {"names": []}
        self.value_names = tuple(str(name) for name in entry_of(values, "names", list))
        self.input_range = checked_range(header.get("input_range"))
        layers = entry_of(network, "layers", list)
        require(min(self.input_shape, default=0) >= 1, "the network has no inputs")
        self._width = width = math.prod(self.input_shape)
        require(width <= MOST_VALUES, f"an input of {width:,} values is beyond the limit of {MOST_VALUES:,}")
        self.feature_names = _feature_names(header, width)
        require(any(layer["kind"] in WEIGHTED for layer in layers), "the network has no layers of weights")
        complete(layers)
        for check in CHECKS:
            check(layers)
        self._columns = header.get("columns")
        if self._columns is not None:
            require(layers[0]["kind"] == "columns", "its header is malformed: 'columns' without a layer for them")
            TABLES["check"](header)
        _, self.output_count, self._forward = stack(layers, self.arrays, "layers", width)
        self._start = tuple(_read_only(np.zeros(one["outputs"], "f4")) for one in layers if one["kind"] in REMEMBERS)
        named = len(self.class_names + self.value_names)
        require(named in (0, self.output_count), f"{named} class names for {self.output_count} outputs")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.header, dict(self.arrays))

    def trained(self, *path: str) -> Any:
        """Return an entry of the header's `training`, as in trained("seed"), unchecked; None if it is missing."""
        value = self.header.get("training")
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def prepare(self, inputs: Any) -> np.ndarray:
        """Return inputs as (N, I) float32, integers mapped from `input_range` to 0 .. 1.

        ModelError for another shape, NaN, infinite values, values outside the range, or columns of other names.
        """
        return self._prepared(self._named(inputs))

    def _prepared(self, array: np.ndarray) -> np.ndarray:
        shape, kind = array.shape, array.dtype.kind
        if kind not in "biuf":
            raise ModelError(f"inputs must be numbers, not {array.dtype}")
        if shape != self.input_shape and shape[1:] != self.input_shape and (len(shape) != 2 or shape[1] != self._width):
            takes = f"inputs have shape {shape}, but the model takes {self.input_shape} or {('N', *self.input_shape)}"
            raise ModelError(takes.replace("'", ""))
        array = array.reshape(1 if shape == self.input_shape else shape[0], self._width)
        if kind == "f":
            few = array.size <= 32 and not self.input_range  # Python checks a few numbers faster than NumPy
            if not (few and all(-3e38 < number < 3e38 for number in array.ravel().tolist())):
                with np.errstate(over="ignore"):
                    array = np.ascontiguousarray(array, np.float32)
                known = array[~np.isnan(array)] if self._columns and array.size and math.isnan(array.min()) else array
                low, high = (known.min(), known.max()) if known.size else (0.0, 0.0)  # NaN if any value is
                if not (math.isfinite(low) and math.isfinite(high)):
                    raise ModelError("inputs hold NaN, infinite or too large values; outputs would be meaningless")
                if self.input_range and (low < -0.001 or high > 1.001):
                    raw = "raw values {:g} .. {:g} as integers, or map them first".format(*self.input_range)
                    raise ModelError(f"float inputs run from {low:g} to {high:g}, but must lie in 0 .. 1: pass {raw}")
        if kind == "f" or not self.input_range:
            return np.ascontiguousarray(array, np.float32)
        if array.dtype == BYTE and self.input_range == (0.0, 255.0):  # as `mapped`, but faster; all are in range
            return np.divide(array, FULL_BYTE, dtype=np.float32)  # type: ignore[no-any-return]
        low, high = self.input_range
        if array.size and (array.min() < low or array.max() > high):
            raise ModelError(f"integer inputs run from {array.min()} to {array.max()}, outside {low:g} .. {high:g}")
        return mapped(array, low, high)

    def start(self) -> tuple[np.ndarray, ...]:
        """Return the state before the first observation: (outputs,) float32 for each recurrent layer, else ()."""
        return self._start

    def step(self, state: Any, observation: Any) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Return the state after another observation, and the last layer's values, (outputs,) float32.

        `state`, from start() or the previous step, is not changed. ModelError as in `prepare`, and for a wrong state.
        """
        x = self._prepared(self._named(observation))
        require(len(x) == 1, "step() takes one observation: step through several in their order")
        given = [(getattr(one, "dtype", 0), getattr(one, "shape", 0)) for one in state] if type(state) is tuple else 0
        like = [(one.dtype, one.shape) for one in self._start]
        require(given == like, "the state is not this model's: begin with start(), then hand on what step() returned")
        outputs = self._forward(x, states := list(state)) if like else self._forward(x)
        return tuple(states) if like else (), outputs[0]

    def outputs(self, inputs: Any) -> np.ndarray:
        """Return the last layer's values, (N, outputs) float32: logits of the classes, or values."""
        require(not self._start, IN_ORDER)
        array = self._named(inputs)
        if array.shape == self.input_shape or array.ndim < 2:
            return self._forward(self._prepared(array))
        return in_pieces(lambda some: self._forward(self._prepared(some)), 4 * self._width, "an input")(array)

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """Return the probability of each class, (N, K) float32, rows summing to 1."""
        require(self.class_names, NO_CLASSES if not self._start else IN_ORDER)
        logits = self.outputs(inputs)
        largest = logits.max(axis=1, keepdims=True)
        require(np.isfinite(largest).all(), BEYOND)
        exponentials: np.ndarray = np.exp(logits - largest)
        return exponentials / exponentials.sum(axis=1, keepdims=True)  # type: ignore[no-any-return]

    def predict(self, inputs: Any) -> np.ndarray:
        """Return the most probable class of each input, (N,) int64; of equals, the lowest.

        A model that predicts numbers returns them as float32: (N,), or (N, K) for several.
        """
        require(self.class_names or self.value_names, NO_CLASSES if not self._start else IN_ORDER)
        values = self.outputs(inputs)
        if self.value_names:
            require(np.isfinite(values).all(), BEYOND)
            return values[:, 0] if values.shape[1] == 1 else values
        classes: np.ndarray = values.argmax(axis=1)
        # argmax returns the place of a NaN. A single number is checked on its own: most calls are for one input.
        if classes.size and not math.isfinite(values.item(classes.item()) if classes.size == 1 else values.max()):
            raise ModelError(BEYOND)
        return classes

    def top(self, inputs: Any, k: int = 3) -> list[list[tuple[str, float]]]:
        """Return for each input its k most probable (class name, probability), best first."""
        probabilities = self.predict_proba(inputs)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, k)]
        return [[(self.class_names[c], float(row[c])) for c in order] for row, order in zip(probabilities, best)]  # noqa: B905

    def columns(self, names: Any) -> list[int]:
        """Return each feature's place among columns of these names; ModelError unless they are the model's."""
        given = [str(name) for name in names]
        place = {name: index for index, name in enumerate(given)}
        known = set(self.feature_names)
        faults = {
            "lack": [name for name in self.feature_names if name not in place],
            "have, unknown to the model,": [name for name in place if name not in known],
            "have more than once": [name for index, name in enumerate(given) if place[name] > index],
        }
        for fault, wrong in faults.items():
            told = f"pass the columns the model was trained on ({_listed(self.feature_names)})"
            require(not wrong, f"the inputs {fault} {_listed(wrong)}: {told}, or an array without names in that order")
        return [place[name] for name in self.feature_names]

    def _named(self, inputs: Any) -> np.ndarray:
        """Return inputs as an array, with named columns in the model's order."""
        if self._columns and not (isinstance(inputs, np.ndarray) and inputs.dtype.kind in "biuf"):
            return TABLES["read"](self._columns, inputs)  # type: ignore[no-any-return]
        try:
            array = np.asarray(inputs)
        except (ValueError, TypeError):
            raise ModelError("inputs must be an array of numbers; lists of different lengths were given") from None
        if not self.feature_names:
            return array
        names = getattr(inputs, "columns", None)  # of a DataFrame; a single row has an index instead
        if names is None and array.ndim == 1 and hasattr(inputs, "to_numpy"):
            names = getattr(inputs, "index", None)
        return array if names is None else array[..., self.columns(names)]


def stack(layers: list[dict[str, Any]], arrays: Arrays, where: str, width: int) -> Layer:
    """Check a sequence of layers and return them as one layer.

    Arrays of layer 3 are called f"{where}.3.weight" ...; `width` is the number of inputs. ModelError if one is wrong.
    """
    functions: list[Function] = []
    first = widest = width
    require(len(layers) <= MOST_LAYERS, f"{len(layers):,} layers are more than the limit of {MOST_LAYERS:,}")
    complete(layers)
    for index, layer in enumerate(layers):
        name = f"layer {index}" if where == "layers" else f"layer {where[7:]}.{index}"
        kind, known = layer["kind"], isinstance(layer["kind"], str) and layer["kind"] in LAYERS
        require(known, f"{name} is of the unknown kind {str(kind)[:40]!r}; use a newer infer.py")
        inputs, outputs, function = LAYERS[kind](layer, arrays, f"{where}.{index}", name)
        require(inputs == width, f"{name} takes {inputs} inputs, but {width} arrive")
        require(outputs <= MOST_VALUES, f"{name} gives {outputs:,} outputs, more than the limit of {MOST_VALUES:,}")
        width, widest = outputs, max(widest, outputs)
        # Activations are monotonic, so max pooling can come first: fewer activations are computed.
        swapped = index and kind == "pooling" and layer["method"] == "max" and layers[index - 1]["kind"] == "activation"
        functions.insert(len(functions) - bool(swapped), function)
    remembering = [done for done, layer in zip(functions, layers) if layer["kind"] in REMEMBERS]  # noqa: B905
    # Long batches are split, so that wide layers fit in memory; convolutions are fastest on what fits in the cache.
    room = CACHE_BYTES if any("convolution" in layer["kind"] for layer in layers) else MOST_ROOM
    rows = max(1, room // (4 * widest))

    def run(x: np.ndarray, states: list[np.ndarray] | None = None) -> np.ndarray:
        if len(x) > rows:
            return np.concatenate([run(x[start : start + rows]) for start in range(0, len(x), rows)])
        for function in functions:
            x = function(x, states) if function in remembering else function(x)
        return x

    return first, width, run


def in_pieces(function: Function, row_bytes: int, name: str, fixed_bytes: int = 0) -> Function:
    """Return a function of (n, inputs) that processes rows in chunks of about CHUNK_BYTES.

    The layer `name` is refused if one row and the fixed memory together take more than MOST_ROOM.
    """
    room = row_bytes + fixed_bytes
    require(room <= MOST_ROOM, f"{name} would take {room:,} bytes for one input, more than the limit of {MOST_ROOM:,}")
    step = max(1, CHUNK_BYTES // max(1, row_bytes))

    def run(x: np.ndarray) -> np.ndarray:
        if len(x) <= step:
            return function(x)
        return np.concatenate([function(x[at : at + step]) for at in range(0, len(x), step)])

    return run


def complete(layers: list[dict[str, Any]]) -> None:
    """Add the kinds that these layers need to LAYERS, by importing the files that define them."""
    text = json.dumps(layers, default=str)  # includes nested layers
    kinds = [kind for kind in ELSEWHERE if kind not in LAYERS and f'"kind": "{kind}"' in text]
    files = dict.fromkeys(ELSEWHERE[kind] for kind in kinds)
    try:
        for file in files:
            _run(file)
    except ImportError as error:
        raise ModelError(
            f"needs {' and '.join(f'{file}.py' for file in files)} for layers of kind {', '.join(kinds)} ({error}): "
            "copy from the same genreg-np beside infer.py, or get one file with `genreg-np export --to python`"
        ) from None


def _run(file: str) -> None:
    """Import a file from this file's package, or run the one beside this file.

    Outside a package, or if this file was renamed, the other cannot import it, so it is given this module's names.
    """
    me = sys.modules.get(f"{__package__}.infer")
    if me is not None and vars(me) is globals():
        importlib.import_module(f"{__package__}.{file}")
        return
    spec = importlib.machinery.PathFinder.find_spec(file, [os.path.dirname(os.path.abspath(__file__))])
    if spec is None or spec.loader is None:
        raise ImportError("not found")
    module = importlib.util.module_from_spec(spec)
    vars(module).update((name, value) for name, value in globals().items() if not name.startswith("__"))
    spec.loader.exec_module(module)


def _dense(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs, activation = whole_number(layer["inputs"]), whole_number(layer["outputs"]), layer["activation"]
    weight = weights_of(arrays, f"{where}.weight", (outputs, inputs))
    bias = weights_of(arrays, f"{where}.bias", (outputs,))[None]  # with as many axes as z, the sum takes half the time
    require(activation in ACTIVATIONS, f"{name} has the unknown activation {activation!r}; use a newer infer.py")
    activate, columns = ACTIVATIONS[activation], weight.T

    def run(x: np.ndarray) -> np.ndarray:
        z: np.ndarray = x.dot(columns)
        z += bias
        return activate(z)

    return inputs, outputs, run


LAYERS: dict[str, Maker] = {"dense": _dense}  # by kind; other files add theirs
TABLES: dict[str, Callable[..., Any]] = {}  # added by infer_table.py: reading rows and checking columns
CHECKS: list[Callable[[list[dict[str, Any]]], None]] = []  # of all layers of a network; other files add theirs


def weights_of(arrays: Arrays, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array, which must exist, be float32, finite and of this shape."""
    array = array_of(arrays, name, shape, np.float32)
    require(np.isfinite(array).all(), f"array {name!r} holds NaN or infinite weights")
    return array


def array_of(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Return an array, which must exist and have this shape and dtype."""
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.shape != shape:
        found = "is missing" if array is None else f"is {array.shape} {array.dtype}"
        raise ModelError(f"array {name!r} {found}, but the network needs {shape} {np.dtype(dtype)}")
    return array


def entry_of(part: dict[str, Any], key: str, kind: type) -> Any:
    """Return an entry of the header, which must be of this kind: dict or list."""
    require(isinstance(part[key], kind), f"its header is malformed: {key!r} is not a {kind.__name__}")
    return part[key]


def whole_number(value: Any) -> int:
    """Return a number of the header, which must be an int."""
    require(type(value) is int, f"its header is malformed: {str(value)[:40]!r} where a whole number belongs")
    return int(value)


def _feature_names(header: dict[str, Any], width: int) -> tuple[str, ...]:
    names = header.get("feature_names", [])
    if not isinstance(names, list) or any(type(name) is not str for name in names):
        raise ModelError("its header is malformed: 'feature_names' is not a list of text")
    if names and (len(names) != width or len(set(names)) != width):
        raise ModelError(f"{len(names)} feature names, {len(set(names))} of them different, for {width} inputs")
    return tuple(names)


def _listed(names: Any) -> str:
    """Return the first few names as text for a message."""
    shown = [repr(name if len(name) <= 40 else f"{name[:39]}…") for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def is_shallow(value: Any, levels: int = MOST_NESTING) -> bool:
    """Return whether JSON lists and mappings are nested at most this deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(is_shallow(part, levels - 1) for part in inner)


def _read_only(array: np.ndarray) -> np.ndarray:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def mapped(raw: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return raw values low .. high as 0 .. 1, float32."""
    return (raw.astype(np.float32) - np.float32(low)) / np.float32(high - low)


def checked_range(value: Any) -> tuple[float, float] | None:
    """Return a header's `input_range` as two floats, or None if there is none; ModelError if it is not a range."""
    if value is None:
        return None
    if type(value) not in (list, tuple) or any(type(bound) not in (int, float) for bound in value):
        raise ModelError("its header is malformed: 'input_range' is not two numbers")
    low, high = (float(bound) for bound in value)
    with np.errstate(over="ignore", under="ignore"):
        width, *ends = np.float32(high - low), np.float32(low), np.float32(high)
    require(low < high and np.isfinite((width, *ends)).all() and width > 0, f"input_range {value} is not a range")
    return low, high
