"""Predict with a `model.npz`: one file, NumPy and the standard library, no state. Copy it into any application.

    model = load("model.npz")
    model.predict(images)          # (N,) class numbers
    model.predict_proba(images)    # (N, K) probabilities
    model.top(images, 3)           # [[("7", 0.93), ("9", 0.05), ...], ...]

    predict("model.npz", images)   # the same in one call, for a script

A model file is an uncompressed zip of plain arrays: `header` holds UTF-8 JSON (the network, the class names, the
range of raw input values, names of columns, where the weights came from), the rest are weights. Nothing in it is ever
executed.

Inputs are (N, *input_shape), or one input of shape input_shape. A DataFrame's columns are taken by name, in whatever
order they stand, where the model knows names. Integers are raw values, mapped from the model's `input_range`
(0 .. 255 for images) to 0 .. 1; floats are taken as already mapped. Each dense layer computes `a(W x + b)` in float32
with W (O, I), b (O,); the last layer's values are the logits. Fixed layers come before them:

    levels        floor(255 x + 1/2)       deskew, detectors       below, exact in whole numbers 0 .. 255
    standardise   (x - mean) * scale       branches                several stacks of one input, end to end
    project       matrix x                 responses, statistics   below, of levels

A model of 8-bit integers has quantise and dense-int8 instead, whose whole numbers are exact in any language.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import errno
import json
import math
import os
import re
import stat
import zipfile
from typing import Any, Callable, Dict, List, Tuple, Union  # noqa: UP035 - this file also runs on Python 3.9

import numpy as np

__all__ = ["Model", "ModelError", "load", "predict", "read_arrays", "read_npy"]

FORMAT_NAME = "genreg-np model"
FORMAT_VERSION = 1
MOST_EXPANSION = 1100  # bytes that a byte of a compressed file may become
CHUNK_BYTES = 16 << 20  # inputs are taken in pieces of about this size, so that any batch fits in memory
MOST_VALUES = 1 << 22  # of an input and of a layer: a small file must not ask for more memory than real models need
MOST_ROOM = 1 << 28  # bytes that a layer may need to compute one input, and about what a batch takes between layers
MOST_LAYERS = 1000
MOST_HEADER_BYTES, MOST_NESTING = 4 << 20, 32
LEVEL = 255  # the largest level
MOST_INT8 = 127  # -128 is not used
BYTE, ONE_BYTE = np.dtype(np.uint8), np.float32(255)
MOST_RESPONSE = 32767  # of a detector: so that 16 bits hold it
MOST_WINDOW = 22  # MOST_RESPONSE * MOST_WINDOW**2 < 2**24: sums of float32 are then exact in any order
BEYOND = "the model's outputs are no finite numbers: its weights and these inputs are too large for float32"
UNMOVED = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
NPY_HEADER = re.compile(  # what NumPy writes, and what others write after it; NumPy's own parser reads much more
    r"\{\s*'descr'\s*:\s*'([<>|=]?[?A-Zb-z][0-9]{0,9})'\s*,\s*'fortran_order'\s*:\s*(True|False)\s*,\s*"
    r"'shape'\s*:\s*\(((?:[0-9]{1,19}L?,\s?)*(?:[0-9]{1,19}L?)?)\)\s*,?\s*\}\s*"
)
MOST_NPY_HEADER = 1 << 16

PathLike = Union[str, "os.PathLike[str]"]
Arrays = Dict[str, np.ndarray]  # noqa: UP006
Layer = Tuple[int, int, Callable[[np.ndarray], np.ndarray]]  # noqa: UP006 - inputs, outputs, function of (n, inputs)


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


def read_arrays(path: PathLike, limit_bytes: int = 2 << 30, compressed: bool = True) -> dict[str, np.ndarray]:
    """Read the arrays of an .npz file without trusting it.

    Object arrays are refused, and every array's declared shape is compared with the size of its zip entry and with
    the limit before any memory is set aside.

    Parameters
    ----------
    path : str or path
        An .npz file.
    limit_bytes : int
        The most that all arrays together may take.
    compressed : bool
        Whether entries may be compressed; what is read takes no more memory than the file does where they may not.

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
        with open(path, "rb", opener=_regular) as opened, zipfile.ZipFile(opened) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            methods = {entry.compress_type for entry in entries}
            if not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise ModelError(f"{path}: is compressed in a way no .npz file is")
            if not compressed and zipfile.ZIP_DEFLATED in methods:
                raise ModelError(f"{path}: is compressed, as genreg-np writes no such file; save it with genreg-np")
            if total > (MOST_EXPANSION if compressed else 1) * os.fstat(opened.fileno()).st_size:
                raise ModelError(f"{path}: claims arrays of {total:,} bytes, which cannot come from so small a file")
            if total > limit_bytes:
                raise ModelError(f"{path}: its arrays take {total:,} bytes, more than the limit of {limit_bytes:,}")
            for entry in entries:
                name = entry.filename[:-4] if entry.filename.endswith(".npy") else ""
                if not name or name in arrays:
                    raise ModelError(
                        f"{path}: entry {entry.filename!r} does not belong in an .npz file of plain arrays"
                    )
                with archive.open(entry) as file:
                    arrays[name] = read_npy(file, entry.file_size, f"{path}: array {name!r}")
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


def _regular(path: str, flags: int) -> int:
    """Open a file as open() does, but no pipe or device, which could be read without end."""
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise OSError(errno.EINVAL, "is not a regular file", path)
    return descriptor


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def read_npy(file: Any, size: int, where: str) -> np.ndarray:
    """Read one array from a binary stream of `size` bytes in .npy format, whose header must agree with the size.

    Raises
    ------
    ModelError
        If it is no plain array of numbers or text, or not of that size; the message begins with `where`.
    """
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\x01\x00", b"\x02\x00"):
        raise ModelError(f"{where} is not in .npy format, version 1.0 or 2.0")
    width = 2 * start[6]
    length = int.from_bytes(file.read(width), "little")
    described = file.read(length) if length <= MOST_NPY_HEADER else b""
    header = NPY_HEADER.fullmatch(described.decode("latin-1"))
    if not header:
        raise ModelError(f"{where} has a header that is damaged, or not that of a plain array")
    if "O" in header[1]:
        raise ModelError(f"{where} holds pickled objects; only plain numbers are read, never code")
    try:
        dtype = np.dtype(header[1])
    except (TypeError, ValueError):
        dtype = np.dtype("V")
    if dtype.kind not in "biufU":
        raise ModelError(f"{where} has type {header[1]!r}; only numbers and text are read")
    shape = tuple(int(extent.rstrip("L")) for extent in re.findall("[0-9]+L?", header[3]))
    wanted = math.prod(shape) * dtype.itemsize
    if wanted != size - 8 - width - length:
        raise ModelError(f"{where} claims shape {shape} of {dtype}, which is not what the file holds")
    data = file.read(wanted)
    if len(data) != wanted:
        raise ModelError(f"{where} is cut short")
    if dtype.kind == "U" and not _is_unicode(np.frombuffer(data, np.dtype(np.uint32).newbyteorder(dtype.byteorder))):
        raise ModelError(f"{where} holds text that is no Unicode")
    try:
        return np.frombuffer(data, dtype).reshape(shape, order="F" if header[2] == "True" else "C")
    except (ValueError, OverflowError):  # too many axes, or of nothing by too much
        raise ModelError(f"{where} has the impossible shape {shape}") from None


def _is_unicode(codes: np.ndarray) -> bool:
    """Whether all numbers are those of characters: Python fails on larger ones, and prints no half of a pair."""
    return not ((codes > 0x10FFFF) | ((codes >= 0xD800) & (codes < 0xE000))).any()


def load(path: PathLike) -> Model:
    """Read a model file.

    Raises
    ------
    ModelError
        If the file is missing, damaged, or not a model this version can run.
    """
    arrays = read_arrays(path, compressed=False)
    header_bytes = arrays.pop("header", None)
    if header_bytes is None or header_bytes.dtype != np.uint8 or header_bytes.ndim != 1:
        raise ModelError(f"{path}: has no header, so it is not a genreg-np model")
    if len(header_bytes) > MOST_HEADER_BYTES:
        raise ModelError(
            f"{path}: its header takes {len(header_bytes):,} bytes, more than the limit of {MOST_HEADER_BYTES:,}"
        )
    try:
        header = json.loads(header_bytes.tobytes().decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise ModelError(f"{path}: its header is damaged") from None
    if not is_shallow(header):
        raise ModelError(f"{path}: its header is nested deeper than {MOST_NESTING} levels")
    try:
        # JSON can escape half a surrogate pair: text that could be neither printed nor saved again.
        json.dumps(header, ensure_ascii=False).encode("utf-8")
    except ValueError:
        raise ModelError(f"{path}: its header holds text that is no Unicode") from None
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


def predict(path: PathLike, inputs: Any) -> np.ndarray:
    """Read a model file and return the most probable class of each input, (N,) int64. To predict often, load once.

    Raises
    ------
    ModelError
        As load and Model.predict do.
    """
    return load(path).predict(inputs)


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
    feature_names : tuple of str
        A name for each input, in order; empty where inputs have none.
    """

    def __init__(self, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        network = _entry(header, "network", dict)
        self.header = header
        self.arrays = {name: _read_only(array) for name, array in arrays.items()}
        self.input_shape = tuple(_whole(extent) for extent in _entry(network, "input_shape", list))
        self.class_names = tuple(str(name) for name in _entry(header, "class_names", list))
        self.input_range = checked_range(header.get("input_range"))
        layers = _entry(network, "layers", list)
        if min(self.input_shape, default=0) < 1:
            raise ModelError("the network has no inputs")
        self._width = math.prod(self.input_shape)
        if self._width > MOST_VALUES:
            raise ModelError(f"an input of {self._width:,} values is beyond the limit of {MOST_VALUES:,}")
        self.feature_names = _feature_names(header, self._width)
        self._of_bytes = self.input_range == (0.0, 255.0)
        if not any(layer["kind"] in ("dense", "dense-int8") for layer in layers):
            raise ModelError("the network has no layers of weights")
        _check_int8(layers)
        _, width, self._forward = stack(layers, self.arrays, "layers", self._width)
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

    def prepare(self, inputs: Any) -> np.ndarray:
        """Return inputs as (N, I) float32, integers mapped from `input_range` to 0 .. 1.

        Raises
        ------
        ModelError
            For another shape, NaN or infinite values, values outside the range, or named columns that are not the
            model's.
        """
        array = self._named(inputs) if self.feature_names else _array(inputs)
        width = self._width
        if array.dtype is BYTE and self._of_bytes and array.shape == self.input_shape:
            return _mapped_bytes(array.reshape(1, width))  # one image: the least that can be done
        if array.dtype.kind not in "biuf":
            raise ModelError(f"inputs must be numbers, not {array.dtype}")
        if array.shape == self.input_shape:
            array = array[None]
        if array.shape[1:] != self.input_shape and (array.ndim != 2 or array.shape[1] != width):
            raise ModelError(
                f"inputs have shape {array.shape}, but the model takes {self.input_shape} or "
                f"{('N', *self.input_shape)}".replace("'", "")
            )
        array = array.reshape(len(array), width)
        if array.dtype.kind == "f":
            with np.errstate(over="ignore"):
                array = np.ascontiguousarray(array, np.float32)
            low, high = (array.min(), array.max()) if array.size else (0.0, 0.0)  # NaN if one of them is
            if not (math.isfinite(low) and math.isfinite(high)):
                raise ModelError("inputs hold NaN, infinite or too large values; the model would answer nonsense")
            if self.input_range and (low < -0.001 or high > 1.001):
                raise ModelError(
                    f"float inputs run from {low:g} to {high:g}, but must lie in 0 .. 1: "
                    f"pass raw values {self.input_range[0]:g} .. {self.input_range[1]:g} as integers, or map them first"
                )
            return array
        if not self.input_range:
            return np.ascontiguousarray(array, np.float32)
        if array.dtype == np.uint8 and self._of_bytes:
            return _mapped_bytes(array)
        low, high = self.input_range
        if array.size and (array.min() < low or array.max() > high):
            raise ModelError(f"integer inputs run from {array.min()} to {array.max()}, outside {low:g} .. {high:g}")
        return (array.astype(np.float32) - np.float32(low)) / np.float32(high - low)

    def outputs(self, inputs: Any) -> np.ndarray:
        """Return the last layer's values, (N, outputs) float32: logits of the classes, or values."""
        array = self._named(inputs) if self.feature_names else _array(inputs)
        if array.shape == self.input_shape or array.ndim < 2:
            return self._forward(self.prepare(array))
        step = max(1, CHUNK_BYTES // (4 * self._width))
        pieces = [self._forward(self.prepare(array[at : at + step])) for at in range(0, max(1, len(array)), step)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def predict_proba(self, inputs: Any) -> np.ndarray:
        """Return the probability of each class, (N, K) float32, rows summing to 1."""
        self._needs_classes()
        logits = self.outputs(inputs)
        largest = logits.max(axis=1, keepdims=True)
        if not np.isfinite(largest).all():
            raise ModelError(BEYOND)
        exponentials = np.exp(logits - largest)
        probabilities: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
        return probabilities

    def predict(self, inputs: Any) -> np.ndarray:
        """Return the most probable class of each input, (N,) int64; ties go to the lowest class."""
        self._needs_classes()
        values = self.outputs(inputs)
        classes: np.ndarray = values.argmax(axis=1)
        # Of a row with NaN in it, argmax names that place. One look at one number: most calls are for one input.
        if classes.size and not math.isfinite(values.item(classes.item()) if classes.size == 1 else values.max()):
            raise ModelError(BEYOND)
        return classes

    def top(self, inputs: Any, k: int = 3) -> list[list[tuple[str, float]]]:
        """Return for each input its k most probable (class name, probability), best first."""
        probabilities = self.predict_proba(inputs)
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, : max(1, k)]
        return [[(self.class_names[c], float(row[c])) for c in order] for row, order in zip(probabilities, best)]  # noqa: B905

    def columns(self, names: Any) -> list[int]:
        """Return where each of the model's features stands among columns of these names.

        Raises
        ------
        ModelError
            For a name that is missing, that the model does not know, or that stands there twice.
        """
        given = [str(name) for name in names]
        place = {name: index for index, name in enumerate(given)}
        known = set(self.feature_names)
        faults = {
            "lack": [name for name in self.feature_names if name not in place],
            "have, unknown to the model,": [name for name in place if name not in known],
            "have more than once": [name for index, name in enumerate(given) if place[name] > index],
        }
        for fault, wrong in faults.items():
            if wrong:
                raise ModelError(
                    f"the inputs {fault} {_listed(wrong)}: pass the columns the model was trained on "
                    f"({_listed(self.feature_names)}), or an array without names in that order"
                )
        return [place[name] for name in self.feature_names]

    def _named(self, inputs: Any) -> np.ndarray:
        """Return inputs as an array, its columns in the model's order where they have names."""
        array = _array(inputs)
        names = getattr(inputs, "columns", None)  # of a DataFrame; one row of it has an index instead
        if names is None and array.ndim == 1 and hasattr(inputs, "to_numpy"):
            names = getattr(inputs, "index", None)
        return array if names is None else array[..., self.columns(names)]

    def _needs_classes(self) -> None:
        if not self.class_names:
            raise ModelError("this model gives values, not classes: call outputs() instead")


def stack(layers: list[dict[str, Any]], arrays: Arrays, where: str, width: int) -> Layer:
    """Check layers, one after another, and return them as one: (inputs, outputs, function of (n, inputs) float32).

    Parameters
    ----------
    layers : list of dict
        As in a model's header.
    arrays : dict of str to ndarray
        The weights of layer 3 of "layers" are "layers.3.weight", "layers.3.bias".
    where : str
        What the layers' arrays are called before their number.
    width : int
        How many inputs arrive.

    Raises
    ------
    ModelError
        If a layer is malformed, misses its arrays or does not fit the one before it.
    """
    functions: List[Callable[[np.ndarray], np.ndarray]] = []  # noqa: UP006
    first = widest = width
    if len(layers) > MOST_LAYERS:
        raise ModelError(f"{len(layers):,} layers are more than the limit of {MOST_LAYERS:,}")
    for index, layer in enumerate(layers):
        name = f"layer {index}" if where == "layers" else f"layer {where[7:]}.{index}"
        if not isinstance(layer["kind"], str) or layer["kind"] not in LAYERS:
            raise ModelError(f"{name} is of the unknown kind {str(layer['kind'])[:40]!r}; use a newer infer.py")
        inputs, outputs, function = LAYERS[layer["kind"]](layer, arrays, f"{where}.{index}", name)
        if inputs != width:
            raise ModelError(f"{name} takes {inputs} inputs, but {width} arrive")
        if outputs > MOST_VALUES:
            raise ModelError(f"{name} gives {outputs:,} outputs, more than the limit of {MOST_VALUES:,}")
        width, widest = outputs, max(widest, outputs)
        functions.append(function)
    rows = max(1, MOST_ROOM // (4 * widest))  # more than usually arrive: a wide layer must not blow up a long batch

    def run(x: np.ndarray) -> np.ndarray:
        if len(x) > rows:
            return np.concatenate([run(x[start : start + rows]) for start in range(0, len(x), rows)])
        for function in functions:
            x = function(x)
        return x

    return first, width, run


def _dense(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs, activation = _whole(layer["inputs"]), _whole(layer["outputs"]), layer["activation"]
    weight = _weights(arrays, f"{where}.weight", (outputs, inputs))
    bias = _weights(arrays, f"{where}.bias", (outputs,))
    if activation not in ACTIVATIONS:
        raise ModelError(f"{name} has the unknown activation {activation!r}; use a newer infer.py")
    activate, columns = ACTIVATIONS[activation], weight.T

    def run(x: np.ndarray) -> np.ndarray:
        z: np.ndarray = x.dot(columns)
        z += bias
        return activate(z)

    return inputs, outputs, run


def _quantise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """Turn inputs into whole numbers: q = floor(a x + b) in float64, cut to low .. 127."""
    inputs, low = _whole(layer["inputs"]), _whole(layer["low"])
    a, b = (_weights(arrays, f"{where}.{part}", (inputs,)).astype(np.float64) for part in ("a", "b"))
    if not -MOST_INT8 <= low <= 0:
        raise ModelError(f"{name} cuts at {low}, beyond 8 bits")
    return inputs, inputs, lambda x: np.clip(np.floor(a * x + b), low, MOST_INT8).astype(np.float32)


def _dense_int8(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    """A dense layer of whole numbers, exact in any order and any language.

        acc = sum over i of weight[o, i] q[i] + bias[o]               int32
        t = floor((acc * multiplier[o] + half) / 2**shift)            half = 2**(shift - 1), or 0 for shift 0
        hidden:  q = table[t - low], t cut to low .. low + T - 1      T entries
        last:    logit = t * unit                                     unit is a power of two

    |acc * multiplier| + half < 2**53, so float64 computes it exactly; so does float32 acc where it stays below 2**24.
    """
    inputs, outputs, shift = (_whole(layer[key]) for key in ("inputs", "outputs", "shift"))
    weight = _array_of(arrays, f"{where}.weight", (outputs, inputs), np.int8)
    bias, multiplier = (_array_of(arrays, f"{where}.{part}", (outputs,), np.int32) for part in ("bias", "multiplier"))
    most = MOST_INT8 * np.abs(weight.astype(np.int16)).sum(axis=1, dtype=np.int64) + np.abs(bias.astype(np.int64))
    if not 0 <= shift <= 46 or (most >= 2**31).any() or (multiplier < 0).any():
        raise ModelError(f"{name} has an impossible shift, multiplier or sum")
    half = float(2 ** (shift - 1)) if shift else 0.0
    largest = float((most.astype(np.float64) * multiplier).max()) + half
    if largest >= 2**53:
        raise ModelError(f"{name} has products beyond 53 bits")
    kind = np.float32 if most.max() < 2**24 else np.float64
    columns, added = np.ascontiguousarray(weight.T.astype(kind)), bias.astype(kind)
    factor, scale = multiplier.astype(np.float64), 2.0**-shift

    def steps(q: np.ndarray) -> np.ndarray:
        acc = np.add(q.astype(kind) @ columns, added).astype(np.float64)
        counted: np.ndarray = np.floor((acc * factor + half) * scale)
        return counted

    if "unit" in layer:
        unit = layer["unit"]
        if type(unit) is not float or not 2.0**-40 <= unit <= 2.0**40 or math.frexp(unit)[0] != 0.5:
            raise ModelError(f"{name} has a unit that is no power of two")
        if largest * scale >= 2**24:
            raise ModelError(f"{name} has logits beyond 24 bits")
        return inputs, outputs, lambda q: (steps(q) * unit).astype(np.float32)
    low, entries = _whole(layer["low"]), arrays.get(f"{where}.table")
    table = _array_of(arrays, f"{where}.table", (0 if entries is None else entries.size,), np.int8).astype(np.float32)
    if not len(table) or table.min() < -MOST_INT8 or abs(low) > MOST_VALUES:
        raise ModelError(f"{name} has an impossible table")
    high = low + len(table) - 1
    return inputs, outputs, lambda q: table[np.clip(steps(q), low, high).astype(np.int64) - low]


def _check_int8(layers: list[dict[str, Any]]) -> None:
    """Refuse 8-bit integers that are not taken: quantise and dense-int8 come last, and only the last gives logits."""
    previous = False  # whether 8-bit integers arrive
    for index, layer in enumerate(layers):
        if (layer["kind"] == "dense-int8") != previous:
            arrive, take = ("8-bit integers", "none") if previous else ("other numbers", "8-bit integers")
            raise ModelError(f"layer {index} takes {take}, but {arrive} arrive")
        previous = layer["kind"] == "quantise" or (layer["kind"] == "dense-int8" and "unit" not in layer)
        if layer["kind"] == "dense-int8" and not previous and index < len(layers) - 1:
            raise ModelError(f"layer {index} has a unit, but only the last layer may")
    if previous:
        raise ModelError("the last layer gives 8-bit integers, but no logits")


def _standardise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = _whole(layer["inputs"])
    mean, scale = (_weights(arrays, f"{where}.{part}", (inputs,)) for part in ("mean", "scale"))
    return inputs, inputs, lambda x: (x - mean) * scale


def _project(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs = _whole(layer["inputs"]), _whole(layer["outputs"])
    matrix = _weights(arrays, f"{where}.matrix", (outputs, inputs))
    return inputs, outputs, lambda x: x @ matrix.T


def _levels(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = _whole(layer["inputs"])
    return inputs, inputs, lambda x: np.clip(np.floor(x * np.float32(LEVEL) + np.float32(0.5)), 0, LEVEL)


def _deskew(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (_whole(extent) for extent in _entry(layer, "shape", list))
    if min(height, width) < 1:
        raise ModelError(f"{name} takes images of {height} x {width} pixels")
    area, centred = height * width, layer["centred"]
    if type(centred) is not bool:
        raise ModelError(f"{name} neither centres nor leaves images where they are")
    return area, area, _in_pieces(lambda x: deskew(x, height, width, centred), 128 * area, name)


def deskew(
    levels: np.ndarray, height: int, width: int, centred: bool = True, warps: np.ndarray = UNMOVED
) -> np.ndarray:
    """Shear images upright, and centre them if asked: levels (n, height * width), whole numbers, to the same.

    With (cx, cy) the centre of brightness, mu11 and mu02 the mixed and the vertical second moment about it, and (u, v)
    an output pixel seen from the middle of the image (not centred: from the centre of brightness),

        slant = mu11 / mu02, cut to -1 .. 1        p = a u + b v + e        q = c u + d v + f
        output(u, v) = input(cx + p + slant q, cy + q)

    bilinear, in steps of 1/256 pixel, dark outside the image. `warps` (n or 1, 6) float64 are a, b, c, d, e, f: moves
    of each image for augmentation, by default none.
    """
    n, area = len(levels), height * width
    u, v = np.tile(np.arange(float(width)), height), np.repeat(np.arange(float(height)), width)
    moments = levels.astype(np.float64) @ np.stack([np.ones(area), u, v, u * v, v * v], axis=1)
    mass, x, y, xy, yy = moments.T[..., None]  # whole numbers, so exact in any order
    lit = mass > 0
    spread = mass * yy - y * y
    tall = lit & (spread > 0)
    slant = np.clip(np.divide(mass * xy - x * y, spread, out=np.zeros_like(mass), where=tall), -1, 1)
    x, y = (np.divide(total, mass, out=np.zeros_like(mass), where=lit) for total in (x, y))
    u, v = (u - (width - 1) / 2, v - (height - 1) / 2) if centred else (u - x, v - y)
    a, b, c, d, e, f = warps.T[..., None]
    q = (c * u + d * v) + f
    places = (x + ((a * u + b * v) + e)) + slant * q, y + q
    padded = np.zeros((n, height + 4, width + 4))
    padded[:, 2:-2, 2:-2] = levels.reshape(n, height, width)
    (column, right), (row, below) = (
        (np.clip(np.floor(steps / 256), -2, extent).astype(np.int64) + 2, steps % 256)
        for steps, extent in ((np.floor(256 * place + 0.5), extent) for place, extent in zip(places, (width, height)))  # noqa: B905
    )
    flat, corner = padded.reshape(n, (height + 4) * (width + 4)), row * (width + 4) + column
    upper, lower = (
        np.take_along_axis(flat, corner + step, 1) * (256 - right)
        + np.take_along_axis(flat, corner + step + 1, 1) * right
        for step in (0, width + 4)
    )
    sampled: np.ndarray = np.floor((upper * (256 - below) + lower * below + 32768) / 65536)
    return sampled.astype(np.float32)


def _detectors(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    shape = tuple(_whole(extent) for extent in _entry(layer, "shape", list))
    size, margin, window, stride = (_whole(layer[key]) for key in ("size", "margin", "window", "stride"))
    filters = _array_of(arrays, f"{where}.filters", (_whole(layer["filters"]), size, size), np.int8)
    gain, signed = layer["gain"], layer["signed"]
    if len(shape) != 3 or min(*shape, len(filters), size, window, stride) < 1 or not 0 <= margin < size:
        raise ModelError(f"{name} has impossible extents")
    grid = [(extent + 2 * margin - size + 1 - window) // stride + 1 for extent in shape[1:]]
    if min(grid) < 1 or window > MOST_WINDOW:
        raise ModelError(f"{name} pools {window} x {window} responses: more than there are, or than {MOST_WINDOW}")
    if type(gain) is not float or not 0 < gain < 1e9 or type(signed) is not bool:
        raise ModelError(f"{name} has an impossible gain or sign")
    if LEVEL * max(np.maximum(filters, 0).sum((1, 2)).max(), -np.minimum(filters, 0).sum((1, 2)).min()) > MOST_RESPONSE:
        raise ModelError(f"{name} has filters whose responses are beyond 16 bits")
    outputs = shape[0] * len(filters) * (1 + signed) * math.prod(grid)
    tall, wide = (extent + 2 * margin - size + 1 for extent in shape[1:])
    room = 4 * shape[0] * tall * wide * (size * size + 2 * len(filters))
    settings = (shape, filters, margin, window, stride, signed, gain)
    windows = 4 * (grid[0] * tall + grid[1] * wide)
    return math.prod(shape), outputs, _in_pieces(lambda x: detect(x, *settings), room, name, windows)


def _in_pieces(
    function: Callable[[np.ndarray], np.ndarray], row_bytes: int, name: str, fixed_bytes: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of (n, inputs) that computes so many rows at a time that they take about CHUNK_BYTES.

    `name` is the layer's, which is refused if a row and what is needed for any number of rows take more than MOST_ROOM.
    """
    if row_bytes + fixed_bytes > MOST_ROOM:
        raise ModelError(
            f"{name} would take {row_bytes + fixed_bytes:,} bytes for one input, more than the limit of {MOST_ROOM:,}"
        )
    step = max(1, CHUNK_BYTES // row_bytes)
    return lambda x: np.concatenate([function(x[at : at + step]) for at in range(0, max(1, len(x)), step)])


def detect(
    levels: np.ndarray,
    shape: tuple[int, ...],
    filters: np.ndarray,
    margin: int,
    window: int,
    stride: int,
    signed: bool,
    gain: float,
) -> np.ndarray:
    """Slide filters over images and pool what they answer; levels to levels, exact whole numbers in float32.

        response r(y, x) = sum over the filter of filter(i, j) * image(y + i - margin, x + j - margin)
        output = min(255, floor(gain * sqrt(sum over a window of max(r, 0)))), and the same of max(-r, 0) if signed;
                 of |r| otherwise

    Parameters
    ----------
    levels : (n, C * H * W) float32
        C images each of H x W = shape[1:] pixels; every filter sees every image.
    filters : (F, size, size) int8

    Returns
    -------
    (n, C * F * signs * rows * columns) float32
    """
    count, (height, width) = len(levels) * shape[0], shape[1:]
    images, size = levels.reshape(count, height, width), filters.shape[1]
    tall, wide = height + 2 * margin - size + 1, width + 2 * margin - size + 1
    rows, columns = (_windows(extent, window, stride) for extent in (tall, wide))
    taps = filters.reshape(len(filters), -1).T.astype(np.float32)
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    response = (patches.reshape(-1, size * size) @ taps).reshape(count, tall, wide * len(filters))
    pooled = np.empty((count, len(filters), 1 + signed, len(rows), len(columns)), np.float32)
    for sign, half in enumerate((response, -response) if signed else (np.abs(response),)):
        strips = (rows @ np.maximum(half, 0)).reshape(count * len(rows), wide, len(filters))
        sums = (columns @ strips).reshape(count, len(rows), len(columns), len(filters))
        pooled[:, :, sign] = sums.transpose(0, 3, 1, 2)
    found = np.minimum(np.floor(np.float32(gain) * np.sqrt(pooled)), np.float32(LEVEL))
    return found.reshape(len(levels), shape[0] * math.prod(pooled.shape[1:]))


def _windows(extent: int, window: int, stride: int) -> np.ndarray:
    """Return which of `extent` places lie in which window, (windows, extent) float32."""
    first, place = np.arange(0, extent - window + 1, stride)[:, None], np.arange(extent)
    return ((first <= place) & (place < first + window)).astype(np.float32)


RESPONSES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": ACTIVATIONS["relu"],
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "gaussian": lambda r: np.exp(-r * r),
    "leaky-relu": lambda r: np.where(r > 0, r, r * np.float32(0.1)),
    "square": np.square,
    "tanh": np.tanh,
}


def _responses(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (_whole(extent) for extent in _entry(layer, "shape", list))
    functions, size = tuple(_entry(layer, "functions", list)), _whole(layer["size"])
    taps = _weights(arrays, f"{where}.filters", (len(functions), size, size))
    grids = [tuple(_whole(extent) for extent in grid) for grid in _entry(layer, "grids", list)]
    if not functions or any(not isinstance(function, str) or function not in RESPONSES for function in functions):
        raise ModelError(f"{name} has an unknown function; use a newer infer.py")
    tall, wide = height - size + 1, width - size + 1
    if size < 1 or not grids or any(not (0 < rows <= tall and 0 < columns <= wide) for rows, columns in grids):
        raise ModelError(f"{name} has impossible extents")
    outputs = len(functions) * sum(rows * columns for rows, columns in grids)

    def run(x: np.ndarray) -> np.ndarray:
        pools = np.concatenate([np.kron(cells(tall, rows), cells(wide, columns)) for rows, columns in grids])
        found = respond(patches_of(x, height, width, size), taps, functions, pools)
        return found.reshape(len(x), outputs)

    room, pools = 4 * tall * wide * (size * size + 2 * len(functions)), 4 * tall * wide * (outputs // len(functions))
    return height * width, outputs, _in_pieces(run, room, name, 3 * pools)


def patches_of(levels: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """Return every size x size patch of levels (n, height * width), as 0 .. 1: (n, places, size * size) float32."""
    images = (levels / np.float32(LEVEL)).reshape(-1, height, width)
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows.reshape(len(levels), (height - size + 1) * (width - size + 1), size * size)


def respond(patches: np.ndarray, taps: np.ndarray, functions: tuple[str, ...], pools: np.ndarray) -> np.ndarray:
    """Return the pooled responses f(filter . patch) of images, (n, F, G) float32.

    Parameters
    ----------
    patches : (n, places, T) float32
    taps : (F, size, size) float32
        One function of RESPONSES for each.
    pools : (G, places) float32
        How much a place counts in a pool.
    """
    images, places, size = patches.shape
    order = sorted(range(len(functions)), key=functions.__getitem__)  # filters of one function side by side
    response = taps.reshape(-1, size)[order] @ patches.reshape(-1, size).T
    first = 0
    for function in sorted(set(functions)):
        last = first + functions.count(function)
        response[first:last] = RESPONSES[function](response[first:last])
        first = last
    pooled = np.empty((images, len(taps), len(pools)), np.float32)
    pooled[:, order] = (response.reshape(-1, places) @ pools.T).reshape(len(taps), images, len(pools)).swapaxes(0, 1)
    return pooled


def cells(extent: int, count: int) -> np.ndarray:
    """Return how much each of `extent` places counts in the mean of each of `count` cells, (count, extent) float32."""
    size = extent // count
    means: np.ndarray = (np.arange(extent) // size == np.arange(count)[:, None]) / np.float32(size)
    return means.astype(np.float32)


def _statistics(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (_whole(extent) for extent in _entry(layer, "shape", list))
    if min(height, width) < 7:
        raise ModelError(f"{name} takes images of {height} x {width} pixels, but needs 7 x 7")
    outputs = 9 * (4 * 4 + 7 * 7) + height // 2 + width // 2
    pairs = 16 * (height * (height // 2) + width * (width // 2))
    return (
        height * width,
        outputs,
        _in_pieces(lambda x: statistics(x, height, width), 256 * height * width, name, pairs),
    )


def statistics(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return simple statistics of images: levels (n, height * width) to (n, 9 * 65 + height // 2 + width // 2) float32.

    Means of 4 x 4 and 7 x 7 cells; means of pairs of rows and of columns; and histograms of the direction of the
    brightness' slope, 8 bins over -pi .. pi, in the same cells, weighted by its steepness and divided by their sum.
    """
    whole = levels.reshape(-1, height, width)
    images = whole / np.float32(LEVEL)
    grids = [(cells(height, parts), cells(width, parts).T) for parts in (4, 7)]
    found = [rows @ images @ columns for rows, columns in grids]
    found += [cells(height, height // 2) @ images.mean(axis=2)[..., None]]
    found += [cells(width, width // 2) @ images.mean(axis=1)[..., None]]
    # Slopes as whole numbers: rounding must not decide on which side of a diagonal a direction lies.
    across, down = np.zeros_like(whole), np.zeros_like(whole)
    across[:, :, 1:-1], down[:, 1:-1] = whole[:, :, 2:] - whole[:, :, :-2], whole[:, 2:] - whole[:, :-2]
    steepness = np.sqrt(across * across + down * down) / np.float32(2 * LEVEL)
    bins = np.clip((np.arctan2(down, across) + np.pi) * (8 / (2 * np.pi)), 0, 7).astype(np.int8)
    for rows, columns in grids:
        sums = [rows @ np.where(bins == direction, steepness, np.float32(0)) @ columns for direction in range(8)]
        histogram = np.stack(sums, axis=-1).reshape(len(images), 8 * len(rows) * columns.shape[1])
        found.append(histogram / (histogram.sum(axis=1, keepdims=True) + np.float32(1e-6)))
    return np.concatenate([part.reshape(len(images), math.prod(part.shape[1:])) for part in found], axis=1)


def _branches(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = _whole(layer["inputs"])
    branches: List[Layer] = []  # noqa: UP006
    for number, branch in enumerate(_entry(layer, "branches", list)):
        if not isinstance(branch, list) or any(part["kind"] in NO_BRANCH for part in branch):
            raise ModelError(f"{name} holds what is no stack of fixed layers")
        branches.append(stack(branch, arrays, f"{where}.{number}", inputs))
    if not branches:
        raise ModelError(f"{name} has no branches")
    outputs = sum(width for _, width, _ in branches)
    return inputs, outputs, lambda x: np.concatenate([function(x) for _, _, function in branches], axis=1)


NO_BRANCH = ("branches", "dense", "quantise", "dense-int8")  # what is no part of a branch
LAYERS: dict[str, Callable[[dict[str, Any], Arrays, str, str], Layer]] = {
    "dense": _dense,
    "quantise": _quantise,
    "dense-int8": _dense_int8,
    "standardise": _standardise,
    "project": _project,
    "levels": _levels,
    "deskew": _deskew,
    "detectors": _detectors,
    "responses": _responses,
    "statistics": _statistics,
    "branches": _branches,
}


def _weights(arrays: Arrays, name: str, shape: tuple[int, ...]) -> np.ndarray:
    array = _array_of(arrays, name, shape, np.float32)
    if not np.isfinite(array).all():
        raise ModelError(f"array {name!r} holds NaN or infinite weights")
    return array


def _array_of(arrays: Arrays, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    array = arrays.get(name)
    if array is None or array.dtype != dtype or array.shape != shape:
        found = "is missing" if array is None else f"is {array.shape} {array.dtype}"
        raise ModelError(f"array {name!r} {found}, but the network needs {shape} {np.dtype(dtype)}")
    return array


def _feature_names(header: dict[str, Any], width: int) -> tuple[str, ...]:
    names = header.get("feature_names", [])
    if not isinstance(names, list) or any(type(name) is not str for name in names):
        raise ModelError("its header is malformed: 'feature_names' is not a list of text")
    if names and (len(names) != width or len(set(names)) != width):
        raise ModelError(f"{len(names)} feature names, {len(set(names))} of them different, for {width} inputs")
    return tuple(names)


def _listed(names: Any) -> str:
    """Return names as a piece of a line, the first few of them."""
    shown = [repr(name if len(name) <= 40 else f"{name[:39]}…") for name in names[:8]]
    return ", ".join(shown) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _entry(part: dict[str, Any], key: str, kind: type) -> Any:
    """Return an entry of the header, which must be a dict or a list."""
    if not isinstance(part[key], kind):
        raise ModelError(f"its header is malformed: {key!r} is not a {kind.__name__}")
    return part[key]


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise ModelError(f"its header is malformed: {str(value)[:40]!r} where a whole number belongs")
    return value


def is_shallow(value: Any, levels: int = MOST_NESTING) -> bool:
    """Whether lists and mappings of JSON are nested at most so deep."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels > 0 and all(is_shallow(part, levels - 1) for part in inner)


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


def _mapped_bytes(array: np.ndarray) -> np.ndarray:
    """Return bytes as (x - 0) / (255 - 0) in float32, as other integers are mapped; none can be out of range."""
    mapped: np.ndarray = np.divide(array, ONE_BYTE, dtype=np.float32)
    return mapped


def checked_range(value: Any) -> tuple[float, float] | None:
    """Return an `input_range` of a header as two floats, or None where there is none; ModelError if it is no range."""
    if value is None:
        return None
    if type(value) not in (list, tuple) or any(type(bound) not in (int, float) for bound in value):
        raise ModelError("its header is malformed: 'input_range' is not two numbers")
    low, high = (float(bound) for bound in value)
    with np.errstate(over="ignore", under="ignore"):
        width = np.float32(high - low)
        ends = np.float32(low), np.float32(high)
    if not (low < high and np.isfinite((width, *ends)).all() and width > 0):
        raise ModelError(f"input_range {value} is not a range")
    return low, high
