"""Checkpoints of any strategy: one file of plain arrays and a JSON header, no pickle; the file is not trusted."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import RunError, UsageError
from genreg_np.files import pack_arrays
from genreg_np.layers.targets import Targets
from genreg_np.model import Dense, Network
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.run_config import are_changes

CHECKPOINT_FORMAT, CHECKPOINT_VERSION = "genreg-np checkpoint", 1
FIXED = "network.layers"  # prefix of the names of fixed layers' arrays
MOST_GENERATIONS, MOST_COUNTED = 2**32 - 1, 2**62  # a counter of random words has 32 bits, an index of arrays 63


@dataclass(frozen=True)
class SavedRun:
    """The contents of a checkpoint besides the strategy's state."""

    config: TrainConfig
    network: Network | None  # None if it has fixed layers that are rebuilt from the dataset
    class_names: tuple[str, ...]
    input_range: tuple[float, float] | None
    genes: int  # D, for any network
    seconds: float
    best_ever: BestEver | None = None
    changes: Sequence[dict[str, Any]] = ()  # of settings during the run
    kept: Mapping[str, BestEver] = field(default_factory=dict)  # champions by name, of the finished network (kept.py)
    targets: Targets | None = None  # names and scaling of output values, if no dataset defines them

    def genomes(self) -> dict[str, BestEver]:
        """Return the genomes that are stored as arrays, by the arrays' names."""
        told = {} if self.best_ever is None else {"best_ever": self.best_ever}
        return told | {f"kept.{name}": found for name, found in self.kept.items()}

    def fixed_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return the arrays of fixed layers by their names in the file."""
        layers = self.network.fixed if self.network is not None else ()
        return {
            f"{FIXED}.{index}.{name}": array
            for index, layer in enumerate(layers)
            for name, array in layer.arrays().items()
        }

    def header(self) -> dict[str, Any]:
        """Return the contents as plain JSON values."""
        described: dict[str, Any] = {
            "config": self.config.to_dict(),
            "class_names": self.class_names,
            "input_range": self.input_range,
            "genes": self.genes,
            "seconds": round(self.seconds, 6),
        }
        if self.network is not None:
            described["network"] = self.network.header()
        if self.targets is not None:
            described |= {"task": "values", "values": self.targets.header()}
        if self.best_ever is not None:
            described["best_ever"] = self.best_ever.facts()
        if self.kept:
            described["kept"] = {name: found.facts() for name, found in self.kept.items()}
        if self.changes:
            described["changes"] = list(self.changes)
        return described

    @classmethod
    def from_header(cls, header: dict[str, Any], fixed: Mapping[str, NDArray[np.generic]], path: Path) -> SavedRun:
        """Read what `header` and `fixed_arrays` returned.

        Raises
        ------
        RunError
            If anything is missing or invalid.
        """
        try:
            network = None
            if described := header.get("network"):
                shape = tuple(described["input_shape"])
                if not shape or any(type(extent) is not int or extent < 1 for extent in shape):
                    raise ValueError("impossible input shape")
                if "dense" in described:  # the format before layers were introduced
                    network = Network(shape, tuple(Dense(*layer) for layer in described["dense"]))
                else:
                    network = Network.read(described, fixed)
                    own = described["layers"][: len(network.fixed)]
                    infer.stack(own, dict(fixed), "layers", math.prod(shape))  # checks arrays as of a model file
            settings, names, value_range = header["config"].items(), header["class_names"], header["input_range"]
            genes, seconds = header["genes"], header["seconds"]
            if type(genes) is not int or type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
                raise ValueError("impossible numbers")
            if not all(isinstance(name, str) for name in names):
                raise ValueError("class names that are not text")
            value_range = infer.checked_range(value_range)
            changes = header.get("changes", [])
            if not are_changes(changes):
                raise ValueError("invalid changes")
            targets = Targets.read(header)
            if "values" in header and (targets is None or network is None or len(targets.names) != network.outputs):
                raise ValueError("invalid targets")
        except UsageError as error:  # an unknown kind of layer, or layers that do not fit together
            raise RunError(f"{path}: {error}; the file is damaged, or of another version") from None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise RunError(f"{path}: its header is incomplete; the file is damaged") from None
        config = TrainConfig.from_dict(dict(settings), str(path))
        about = tuple(names), value_range, genes, float(seconds)
        return cls(config, network, *about, changes=changes, targets=targets)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def pack_checkpoint(state: Any, saved: SavedRun) -> bytes:
    """Return a checkpoint's bytes: the arrays of a state dataclass, and its scalars and everything else as JSON."""
    values = {item.name: getattr(state, item.name) for item in dataclasses.fields(state)}
    arrays = {f"state.{name}": value for name, value in values.items() if isinstance(value, np.ndarray)}
    scalars = {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}
    arrays |= {name: found.genes for name, found in saved.genomes().items()} | saved.fixed_arrays()
    whole = {"format": CHECKPOINT_FORMAT, "version": CHECKPOINT_VERSION, "state": scalars, **saved.header()}
    text = json.dumps(whole, sort_keys=True).encode("utf-8")
    return pack_arrays({"header": np.frombuffer(text, np.uint8), **arrays})


def _read_state(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a checkpoint's header and its state's fields by name.

    Raises
    ------
    RunError
        If it is missing, damaged or of another version.
    """
    try:
        arrays = infer.read_arrays(path, limit_bytes=64 << 30, compressed=False)
        text = arrays.pop("header").tobytes()
        if len(text) > infer.MOST_HEADER_BYTES:
            raise RunError(
                f"{path}: its header takes {len(text):,} bytes, more than a checkpoint's; the file is damaged"
            )
        header = json.loads(text.decode("utf-8"), parse_constant=_refuse)
        if header["format"] != CHECKPOINT_FORMAT or header["version"] != CHECKPOINT_VERSION:
            raise RunError(f"{path}: is not a checkpoint of this version of genreg-np")
        fields = dict(header.pop("state"))
        if type(fields["generation"]) is not int or not 0 <= fields["generation"] <= MOST_GENERATIONS:
            raise RunError(
                f"{path}: its generation is not a whole number up to {MOST_GENERATIONS:,}; the file is damaged"
            )
        # Copied, since arrays read from a file are read-only, which is another type to compiled kernels.
        copies = {name.removeprefix("state."): array.copy() for name, array in arrays.items()}
        if copies.keys() & fields.keys() or len(copies) < len(arrays):
            raise ValueError("two values with the same name")
    except infer.ModelError as error:
        raise RunError(str(error)) from None
    except (KeyError, ValueError, TypeError, RecursionError):
        raise RunError(f"{path}: is not a genreg-np checkpoint, or a damaged one") from None
    return header, fields | copies


def read_checkpoint(path: Path) -> tuple[SavedRun, dict[str, Any]]:
    """Return the contents of a checkpoint: the run, and its state's fields by name.

    Raises
    ------
    RunError
        If it is missing, damaged or of another version.
    """
    header, fields = _read_state(path)
    fixed = {name.removeprefix("network."): fields.pop(name) for name in list(fields) if name.startswith(FIXED)}
    saved = SavedRun.from_header(header, fixed, path)
    genes, facts, best = fields.pop("best_ever", None), header.get("best_ever"), None
    try:
        if genes is not None or facts is not None:
            best = BestEver.of(genes, facts, saved.genes)
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path}: its best_ever is incomplete or not finite; the file is damaged") from None
    try:
        kept = {name: BestEver.of(fields.pop(f"kept.{name}"), facts) for name, facts in header.get("kept", {}).items()}
        if not all(0 <= found.fitness <= 1 and found.generation <= fields["generation"] for found in kept.values()):
            raise ValueError("an accuracy outside 0 .. 1, or a generation beyond the checkpoint's")
    except (AttributeError, KeyError, TypeError, ValueError):
        raise RunError(f"{path}: its kept champions are incomplete or not finite; the file is damaged") from None
    return dataclasses.replace(saved, best_ever=best, kept=kept), fields


def restored(start: Any, fields: dict[str, Any], path: Path) -> Any:
    """Return a state with the saved fields, checked so that computations can rely on its shapes and numbers.

    Parameters
    ----------
    start : dataclass
        The state of this run before its first generation, with NumPy arrays.
    fields : dict
        What read_checkpoint returned.
    path : Path
        The file, for the error message.

    Raises
    ------
    RunError
        If fields are missing, not finite, or differ from this run's in type, shape or length.
    """
    try:
        state = type(start)(**fields)
    except (TypeError, ValueError):
        raise RunError(f"{path}: was saved by another version of this strategy, or is damaged") from None
    for name in (item.name for item in dataclasses.fields(start)):
        if not _alike(getattr(state, name), getattr(start, name), typing.get_type_hints(type(start))[name]):
            raise RunError(f"{path}: its {name} is missing, of another kind or not finite; the file is damaged")
    shapes = state.shapes(start)
    for name, value in vars(state).items():
        if isinstance(value, np.ndarray) and value.shape != (shape := shapes.get(name, getattr(start, name).shape)):
            raise RunError(f"{path}: its {name} has shape {value.shape} instead of {shape}; the file is damaged")
    return state


def _alike(saved: Any, like: Any, declared: Any) -> bool:
    """Return whether a saved field is finite, and an array like another in type and rank, or of the declared type."""
    if isinstance(like, np.ndarray):
        return (
            isinstance(saved, np.ndarray)
            and (saved.dtype, saved.ndim) == (like.dtype, like.ndim)
            and bool(np.isfinite(saved).all())
        )
    if not isinstance(saved, declared) or isinstance(saved, bool):
        return False
    return 0 <= saved <= MOST_COUNTED if isinstance(saved, int) else saved is None or math.isfinite(saved)
