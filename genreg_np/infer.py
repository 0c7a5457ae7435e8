"""Predict with a `model.npz`: one file, NumPy and the standard library, no state. Copy it into any application.

    model = load("model.npz")
    model.predict(images)          # (N,) class numbers
    model.predict_proba(images)    # (N, K) probabilities
    model.top(images, 3)           # [[("7", 0.93), ("9", 0.05), ...], ...]

A model file is an uncompressed zip of plain arrays: `header` holds UTF-8 JSON (the network, the class names, the
range of raw input values, where the weights came from), the rest are weights. Nothing in it is ever executed.

Inputs are (N, *input_shape), or one input of shape input_shape. Integers are raw values, mapped from the model's
`input_range` (0 .. 255 for images) to 0 .. 1; floats are taken as already mapped. Each dense layer computes
`a(W x + b)` in float32 with W (O, I), b (O,); the last layer's values are the logits.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from typing import Any, Callable, Union  # noqa: UP035 - this file also runs on Python 3.9

import numpy as np

__all__ = ["Model", "ModelError", "load", "read_arrays"]

FORMAT_NAME = "genreg-np model"
FORMAT_VERSION = 1
MOST_EXPANSION = 1100  # bytes that a byte of a compressed file may become
CHUNK_BYTES = 16 << 20  # inputs are taken in pieces of about this size, so that any batch fits in memory

PathLike = Union[str, "os.PathLike[str]"]


class ModelError(ValueError):
    """A file that is not a usable model, or an input the model cannot take. The message is one line."""


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda z: z,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, np.float32(0)),
    "leaky-relu": lambda z: np.where(z > 0, z, z * np.float32(0.01)),
    "sigmoid": lambda z: np.float32(0.5) * (np.tanh(np.float32(0.5) * z) + np.float32(1)),
    "step": lambda z: (z > 0).astype(np.float32),
    "sign": lambda z: np.where(z > 0, np.float32(1), np.float32(-1)),
}


def read_arrays(path: PathLike, limit_bytes: int = 2 << 30) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file without trusting it.

    Object arrays are refused, and every array's declared shape is compared with the size of its zip entry and with
    the limit before any memory is set aside.

    Parameters
    ----------
    path : str or path
        An .npz file, compressed or not.
    limit_bytes : int
        The most that all arrays together may take.

    Returns
    -------
    dict of str to ndarray
        The arrays under their names, in the order of the file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, too large, or holds anything but plain arrays.
    """
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if total > MOST_EXPANSION * os.path.getsize(path):
                raise ModelError(f"{path}: claims arrays of {total:,} bytes, which cannot come from so small a file")
            if total > limit_bytes:
                raise ModelError(f"{path}: its arrays take {total:,} bytes, more than the limit of {limit_bytes:,}")
            for entry in entries:
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise ModelError(f"{path}: entry {entry.filename!r} is compressed in a way no .npz file is")
                name = entry.filename[:-4] if entry.filename.endswith(".npy") else ""
                if not name or name in arrays:
                    raise ModelError(
                        f"{path}: entry {entry.filename!r} does not belong in an .npz file of plain arrays"
                    )
                with archive.open(entry) as file:
                    arrays[name] = _read_array(file, entry.file_size, f"{path}: array {name!r}")
    except ModelError:
        raise
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise ModelError(f"{path}: is a folder, not an .npz file") from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror or error})") from None
    except Exception as error:  # zipfile and zlib raise whatever the bytes lead them to
        raise ModelError(
            f"{path}: not a readable .npz file ({_line(error)}); it may be damaged or of another kind"
        ) from None
    return arrays


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _read_array(file: Any, entry_size: int, where: str) -> np.ndarray:
    """Read one .npy stream of `entry_size` bytes: its header must agree with that size to the byte."""
    try:
        version = np.lib.format.read_magic(file)
        if version not in ((1, 0), (2, 0)):
            raise ModelError(f"{where} has .npy version {version}, only 1.0 and 2.0 are read")
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read_header(file)
    except ModelError:
        raise
    except Exception as error:  # numpy's header parser raises whatever the text leads it to
        raise ModelError(f"{where} has a damaged header ({_line(error)})") from None
    if dtype.hasobject:
        raise ModelError(f"{where} holds pickled objects; only plain numbers are read, never code")
    if dtype.kind not in "biufU":
        raise ModelError(f"{where} has type {dtype}; only numbers and text are read")
    size = math.prod(shape) * dtype.itemsize
    if any(type(extent) is not int or extent < 0 for extent in shape) or size != entry_size - file.tell():
        raise ModelError(f"{where} claims shape {shape} of {dtype}, which is not what the file holds")
    data = file.read(size)
    if len(data) != size:
        raise ModelError(f"{where} is cut short")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran_order else "C")


def load(path: PathLike) -> Model:
    """Read a model file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a model this version can run.
    """
    arrays = dict(read_arrays(path))
    header_bytes = arrays.pop("header", None)
    if header_bytes is None or header_bytes.dtype != np.uint8 or header_bytes.ndim != 1:
        raise ModelError(f"{path}: has no header, so it is not a genreg-np model")
    try:
        header = json.loads(header_bytes.tobytes().decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: its header is damaged") from None
    if not isinstance(header, dict) or header.get("format") != FORMAT_NAME:
        raise ModelError(f"{path}: is not a genreg-np model")
    if header.get("version") != FORMAT_VERSION:
        raise ModelError(
            f"{path}: has format version {header.get('version')!r}, this program reads {FORMAT_VERSION}; "
            "use the genreg-np (or its infer.py) that wrote it, or a newer one"
        )
    try:
        return Model(header, arrays)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ModelError(f"{path}: its header is incomplete or malformed ({type(error).__name__}: {error})") from None


class Model:
    """A network with its weights, ready to predict. Immutable, so any number of threads may share it.

    Attributes
    ----------
    header : dict
        What the file says of itself: network, class names, input range, training.
    input_shape : tuple of int
        Shape of one input.
    class_names : tuple of str
        K names; empty where the outputs are values, not classes.
    input_range : tuple of float or None
        Smallest and largest raw value of integer inputs.
    """

    def __init__(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        network = _entry(header, "network", dict)
        self.header = header
        self.arrays = {name: _read_only(array) for name, array in arrays.items()}
        self.input_shape = tuple(_whole(extent) for extent in _entry(network, "input_shape", list))
        self.class_names = tuple(str(name) for name in _entry(header, "class_names", list))
        self.input_range = _input_range(header.get("input_range"))
        layers = _entry(network, "layers", list)
        self._layers = [self._layer(index, layer) for index, layer in enumerate(layers)]
        width = math.prod(self.input_shape)
        if min(self.input_shape, default=0) < 1:
            raise ModelError("the network has no inputs")
        if not any(layer["kind"] == "dense" for layer in layers):
            raise ModelError("the network has no layers of weights")
        for index, (inputs, outputs, _) in enumerate(self._layers):
            if inputs != width:
                raise ModelError(f"layer {index} takes {inputs} inputs, but {width} arrive")
            width = outputs
        if self.class_names and len(self.class_names) != width:
            raise ModelError(f"{len(self.class_names)} class names for {width} outputs")
        self.output_count = width

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.header, dict(self.arrays))

    def trained(self, *path: str) -> Any:
        """Return what the header says of training, e.g. trained("config", "dataset"); None where it does not say.

        Prediction does not depend on it, so it may be anything: check what comes back.
        """
        value = self.header.get("training")
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def _layer(self, index: int, layer: dict[str, Any]) -> tuple[int, int, Callable[[np.ndarray], np.ndarray]]:
        """Check one layer's arrays and return (inputs, outputs, function of (n, inputs) float32)."""
        kind = layer["kind"]
        if kind == "dense":
            inputs, outputs, activation = _whole(layer["inputs"]), _whole(layer["outputs"]), layer["activation"]
            weight = self._weights(f"layers.{index}.weight", (outputs, inputs))
            bias = self._weights(f"layers.{index}.bias", (outputs,))
            if activation not in ACTIVATIONS:
                raise ModelError(f"layer {index} has the unknown activation {activation!r}; use a newer infer.py")
            activate = ACTIVATIONS[activation]
            return inputs, outputs, lambda x: activate(x @ weight.T + bias)
        if kind == "standardise":
            inputs = _whole(layer["inputs"])
            mean = self._weights(f"layers.{index}.mean", (inputs,))
            scale = self._weights(f"layers.{index}.scale", (inputs,))
            return inputs, inputs, lambda x: (x - mean) * scale
        raise ModelError(f"layer {index} is of the unknown kind {kind!r}; use a newer infer.py")

    def _weights(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        array = self.arrays.get(name)
        if array is None or array.dtype != np.float32 or array.shape != shape:
            found = "is missing" if array is None else f"is {array.shape} {array.dtype}"
            raise ModelError(f"array {name!r} {found}, but the network needs {shape} float32")
        if not np.isfinite(array).all():
            raise ModelError(f"array {name!r} holds NaN or infinite weights")
        return array

    def prepare(self, inputs: Any) -> np.ndarray:
        """Return inputs as (N, I) float32, integers mapped from `input_range` to 0 .. 1.

        Raises
        ------
        ModelError
            For another shape, NaN or infinite values, or values outside the range.
        """
        array = _array(inputs)
        if array.dtype.kind not in "biuf":
            raise ModelError(f"inputs must be numbers, not {array.dtype}")
        if array.shape == self.input_shape:
            array = array[None]
        width = math.prod(self.input_shape)
        if array.shape[1:] != self.input_shape and (array.ndim != 2 or array.shape[1] != width):
            raise ModelError(
                f"inputs have shape {array.shape}, but the model takes {self.input_shape} or "
                f"{('N', *self.input_shape)}".replace("'", "")
            )
        array = array.reshape(len(array), width)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = np.ascontiguousarray(array, np.float32)
            if not np.isfinite(array).all():
                raise ModelError("inputs hold NaN, infinite or too large values; the model would answer nonsense")
            if self.input_range and array.size and (array.min() < -0.001 or array.max() > 1.001):
                raise ModelError(
                    f"float inputs run from {array.min():g} to {array.max():g}, but must lie in 0 .. 1: "
                    f"pass raw values {self.input_range[0]:g} .. {self.input_range[1]:g} as integers, or map them first"
                )
            return array
        if not self.input_range:
            return np.ascontiguousarray(array, np.float32)
        low, high = self.input_range
        if array.size and (array.min() < low or array.max() > high):
            raise ModelError(f"integer inputs run from {array.min()} to {array.max()}, outside {low:g} .. {high:g}")
        return (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)

    def outputs(self, inputs: Any) -> np.ndarray:
        """Return the last layer's values, (N, outputs) float32: logits of the classes, or values."""
        array = _array(inputs)
        if array.shape == self.input_shape:
            array = array[None]
        if array.ndim < 2:
            return self._forward(self.prepare(array))
        step = max(1, CHUNK_BYTES // (4 * math.prod(self.input_shape)))
        pieces = [self._forward(self.prepare(array[at : at + step])) for at in range(0, max(1, len(array)), step)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _forward(self, x: np.ndarray) -> np.ndarray:
        for _, _, function in self._layers:
            x = function(x)
        return x

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """Return the probability of each class, (N, K) float32, rows summing to 1."""
        self._needs_classes()
        logits = self.outputs(inputs)
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, inputs: Any) -> np.ndarray:
        """Return the most probable class of each input, (N,) int64; ties go to the lowest class."""
        self._needs_classes()
        classes: np.ndarray = self.outputs(inputs).argmax(axis=1)
        return classes

    def top(self, inputs: Any, k: int = 3) -> list[list[tuple[str, float]]]:
        """Return for each input its k most probable (class name, probability), best first."""
        probabilities = self.predict_proba(inputs)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, k)]
        return [[(self.class_names[c], float(row[c])) for c in order] for row, order in zip(probabilities, best)]  # noqa: B905

    def _needs_classes(self) -> None:
        if not self.class_names:
            raise ModelError("this model gives values, not classes: call outputs() instead")


def _entry(part: dict[str, Any], key: str, kind: type) -> Any:
    """Return an entry of the header, which must be a dict or a list."""
    if not isinstance(part[key], kind):
        raise ModelError(f"its header is malformed: {key!r} is not a {kind.__name__}")
    return part[key]


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ModelError(f"its header is malformed: {str(value)[:40]!r} where a whole number belongs")
    return value


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _array(inputs: Any) -> np.ndarray:
    try:
        return np.asarray(inputs)
    except (ValueError, TypeError):
        raise ModelError("inputs must be an array of numbers; lists of different lengths were given") from None


def _read_only(array: np.ndarray) -> np.ndarray:
    view = np.ascontiguousarray(array).view()
    view.flags.writeable = False
    return view


def _input_range(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if type(value) not in (list, tuple) or any(type(bound) not in (int, float) for bound in value):
        raise ModelError("its header is malformed: 'input_range' is not two numbers")
    low, high = (float(bound) for bound in value)
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise ModelError(f"input_range {value} is not a range")
    return low, high
