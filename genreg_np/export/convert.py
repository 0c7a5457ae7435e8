"""Read champions and checkpoints of the original GENREG program, which are pickles, without trusting them.

    h = tanh(W1 x + b1), z = W2 h + b2        x (I,) = pixel / 255, W1 (H, I), b1 (H,), W2 (K, H), b2 (K,)

A champion is {"extraction_info": {"source_generation": G, ...}, "genome": {"trust": t, ...}, "controller":
{"input_size": I, "hidden_size": H, "output_size": K, "w1", "b1", "w2", "b2"}, ...}; a checkpoint is {"generation": G,
"genomes": [{"trust": t, "controller": {...}, ...}, ...], ...}. Both are plain dicts, lists, strings and numbers
(github.com/A1CST/GENREG_MNIST_UBUNTU).

A pickle is a program, so there are three safeguards. Before anything is loaded, every instruction is compared with
the few that make plain values, and every count with a memory limit. The loader then refuses classes and external
objects in any case. Finally, only the entries named above are read, and their shapes are checked before copying.
"""

from __future__ import annotations

import io
import math
import os
import pickle
import pickletools
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import numpy as np

from genreg_np.errors import DataError
from genreg_np.files import open_regular
from genreg_np.model import Float32, Model, Network

T = TypeVar("T")

MAX_FILE_BYTES = 512 << 20
MAX_OBJECTS = 4_000_000  # all but floats; an empty list is one byte in the file and 64 in memory
MAX_INTEGER = 1 << 63  # in absolute value: larger ones could be chosen to collide in a dict
FLOAT_BYTES = 9  # size of a float in the file, which bounds the number of weights it can hold

# No tuples: a champion has none, and hashing nested ones as keys recurses without limit.
ALLOWED_INSTRUCTIONS = frozenset([
    "PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET",
    "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "SHORT_BINUNICODE", "BINUNICODE", "EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS",
])  # fmt: skip

IMAGE_SHAPES = {784: (28, 28), 10_000: (100, 100)}
CLASS_NAMES = {10: tuple("0123456789"), 26: tuple("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
DATASETS = {(784, 10): "mnist", (10_000, 26): "letters"}
COLUMN_MAJOR = 10_000  # the original letters were flattened from a (width, height) surface


class _Refused(Exception):
    """Why a file cannot be converted, as part of a sentence."""


def read_champion(path: str | os.PathLike[str]) -> Model:
    """Read an original champion, or the most trusted genome of an original checkpoint, as a model.

    The weights are used unchanged, with one exception: the published letter nets (10,000 inputs) read their image
    column by column, so the columns of W1 are reordered for an image read row by row.

    A checkpoint saved at exit holds children that were never evaluated, with inherited trust; one saved during a run
    holds evaluated genomes.

    Parameters
    ----------
    path : str or path
        A best_genome_*.pkl or checkpoint_gen_*.pkl file of the original program, at most 512 MiB.

    Returns
    -------
    Model
        Input shape (28, 28) for 784 inputs, (100, 100) for 10,000, else (I,); classes 0 .. 9 for 10 outputs, A .. Z
        for 26, else none; `training` names the source, and the dataset if the sizes identify it.

    Raises
    ------
    DataError
        If the file is missing, damaged, not an original champion, or asks for anything but plain values.
    """
    try:
        content = _read_bytes(path)
        value = _load_plain_values(content)
        controller, origin = _choose_genome(value)
        return _build_model(controller, f"{_printable(Path(path).name)} ({origin})", len(content) // FLOAT_BYTES)
    except _Refused as reason:
        raise DataError(
            f"{path}: is not an original GENREG champion ({reason}); give a best_genome_*.pkl or checkpoint_gen_*.pkl "
            "file as the original program wrote it"
        ) from None


def _read_bytes(path: str | os.PathLike[str]) -> bytes:
    try:
        with open_regular(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES:
                raise _Refused(f"it takes {size:,} bytes, more than the limit of {MAX_FILE_BYTES:,}")
            content = file.read(size)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; give the path of an original GENREG champion (.pkl)") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a folder; give one .pkl file in it") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check its permissions") from None
    if not content:
        raise _Refused("it is empty")
    return content


def _load_plain_values(content: bytes) -> object:
    """Return the value of a pickle of dicts, lists, strings and numbers; refuse any other pickle."""
    _check_instructions(content)
    try:
        return _PlainUnpickler(io.BytesIO(content)).load()
    except MemoryError:
        raise
    except Exception:  # a damaged pickle may raise anything
        raise _Refused("its pickle is damaged") from None


def _check_instructions(content: bytes) -> None:
    """Compare each instruction of a pickle with the few allowed ones, and each count with its limit.

    `genops` only decodes: it runs nothing, and reads no more than the bytes that are there.
    """
    if content[0] != 0x80:
        raise _Refused("it is not a pickle of protocol 2 or later")
    objects, stored = 0, 0
    try:
        for instruction, argument, start in pickletools.genops(content):
            name, position = instruction.name, start or 0
            if name == "BINFLOAT":
                continue
            if name not in ALLOWED_INSTRUCTIONS:
                raise _Refused(f"its pickle asks for {name} at byte {position}, but champions hold plain values only")
            objects += 1
            if objects > MAX_OBJECTS:
                raise _Refused(f"it holds more than {MAX_OBJECTS:,} values other than weights")
            number = argument if isinstance(argument, int) else 0
            if name == "FRAME" and number > len(content) - position:
                raise _Refused("its pickle is cut short")
            if name == "LONG1" and abs(number) >= MAX_INTEGER:
                raise _Refused("it holds a whole number of more than 64 bits")
            if name in ("BINPUT", "LONG_BINPUT", "MEMOIZE"):
                # The loader allocates memory up to the largest index; writers number the stored values in order.
                if number > stored + 1:
                    raise _Refused(f"its pickle stores value {number:,} after only {stored:,}")
                stored += 1
            if name == "STOP" and position != len(content) - 1:
                raise _Refused("its pickle ends before the file does")
    except (ValueError, OverflowError):
        raise _Refused("its pickle is damaged or cut short") from None


class _PlainUnpickler(pickle.Unpickler):
    """Loads values that need no class: the second safeguard, which no allowed instruction reaches."""

    def find_class(self, module_name: str, global_name: str, /) -> NoReturn:
        raise pickle.UnpicklingError("classes are refused")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise pickle.UnpicklingError("external objects are refused")


def _choose_genome(value: object) -> tuple[dict[str, Any], str]:
    """Return the controller of the champion, or of a checkpoint's most trusted genome, and a description of it."""
    if type(value) is not dict:
        raise _Refused("it holds no dict")
    if "genomes" not in value:
        generation = _entry(value, "extraction_info", dict).get("source_generation")
        trust = _entry(value, "genome", dict).get("trust")
        origin = "original GENREG champion"
        origin += f", generation {generation}" if type(generation) is int else ""
        origin += f", trust {trust:.2f}" if _is_finite(trust) else ""
        return _entry(value, "controller", dict), origin
    genomes = _entry(value, "genomes", list)
    if not genomes or not all(type(genome) is dict and _is_finite(genome.get("trust")) for genome in genomes):
        raise _Refused("'genomes' is not a list of genomes, each with a finite 'trust'")
    best = max(genomes, key=lambda genome: genome["trust"])  # the first of ties
    origin = (
        f"original GENREG checkpoint, generation {_entry(value, 'generation', int)}, "
        f"most trusted of {len(genomes)} genomes, trust {best['trust']:.2f}"
    )
    return _entry(best, "controller", dict), origin


def _build_model(controller: dict[str, Any], source: str, most_weights: int) -> Model:
    inputs, hidden, outputs = (_entry(controller, f"{layer}_size", int) for layer in ("input", "hidden", "output"))
    if min(inputs, hidden, outputs) < 1:
        raise _Refused(f"its sizes are {inputs}-{hidden}-{outputs}")
    # One list may be used for many rows, so a small file can claim any number of weights.
    claimed = hidden * (inputs + 1) + outputs * (hidden + 1)
    if claimed > most_weights:
        raise _Refused(f"sizes {inputs}-{hidden}-{outputs} need {claimed:,} weights, more than the file can hold")
    first = _weights(controller, "w1", (hidden, inputs))
    if inputs == COLUMN_MAJOR:
        first = first.reshape(hidden, *IMAGE_SHAPES[inputs]).transpose(0, 2, 1)
    parts = (
        first,
        _weights(controller, "b1", (hidden,)),
        _weights(controller, "w2", (outputs, hidden)),
        _weights(controller, "b2", (outputs,)),
    )
    training: dict[str, Any] = {"source": source}
    if (inputs, outputs) in DATASETS:
        training["config"] = {"dataset": DATASETS[inputs, outputs]}
    return Model.build(
        Network.build(IMAGE_SHAPES.get(inputs, (inputs,)), (hidden,), outputs, "tanh"),
        np.concatenate([part.ravel() for part in parts]),
        CLASS_NAMES.get(outputs, ()),
        (0.0, 255.0) if inputs in IMAGE_SHAPES else None,
        training,
    )


def _weights(controller: dict[str, Any], name: str, shape: tuple[int, ...]) -> Float32:
    """Return a list, or a list of lists, as float32 of a shape; it must hold finite floats and fit exactly."""
    values = _entry(controller, name, list)
    rows = values if len(shape) == 2 else [values]
    count = shape[0] if len(shape) == 2 else 1
    if len(rows) != count or any(type(row) is not list or len(row) != shape[-1] for row in rows):
        raise _Refused(f"{name!r} is not {' rows of '.join(map(str, shape))} weights, as its sizes say")
    if any(set(map(type, row)) != {float} for row in rows):
        raise _Refused(f"{name!r} holds something other than floats")
    with np.errstate(over="ignore"):
        weights = np.array(values, np.float64).astype(np.float32)
    if not np.isfinite(weights).all():
        raise _Refused(f"{name!r} holds NaN or infinite weights")
    return weights


def _entry(owner: dict[str, Any], name: str, kind: type[T]) -> T:
    value = owner.get(name)
    if type(value) is not kind:
        raise _Refused(f"{name!r} is missing or not of type {kind.__name__}")
    return value


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _printable(name: str) -> str:
    """Return a file name as one line of valid UTF-8 text."""
    return " ".join(os.fsencode(name).decode("utf-8", "replace").split())
