"""The run folder, and checkpoints of any strategy: whole files of plain arrays and one JSON header, never a pickle.

    config.toml       what determines the run: settings, [[changes]] made in mid-run, and its [origin]: data, backend
    run.json          what does not: times, backend, threads, versions, resumes
    metrics.jsonl     a line per generation
    checkpoint.npz    the strategy's state
    model.npz         the network

Every file but metrics.jsonl is replaced as a whole (files.py); metrics.jsonl grows by lines and is cut back to the
checkpoint when a run goes on. The folder is held by a lock of the operating system, which dies with its process. It may
have come from anybody: what is read is checked, and nothing is read or written through a symbolic link.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import typing
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from genreg_np import infer
from genreg_np.errors import RunError, UsageError
from genreg_np.files import (
    open_regular,
    open_to_append,
    pack_arrays,
    read_text,
    remove_leftovers,
    write_atomic,
)
from genreg_np.model import Dense, Network
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.run_config import are_changes, pack_run_config, read_run_config

MOST_JSON_BYTES, MOST_LINE_BYTES = 1 << 20, 1 << 16
OWN = (
    ".lock", "config.toml", "run.json", "metrics.jsonl", "checkpoint.npz", "initial.npz", "model.npz",
    "measures.json", "figures",
)  # fmt: skip
CHECKPOINT_FORMAT, CHECKPOINT_VERSION = "genreg-np checkpoint", 1
SAVE_EVERY_SECONDS = 30.0  # what a run that is killed loses at most
MOST_GENERATIONS, MOST_COUNTED = 2**32 - 1, 2**62  # a counter of random words has 32 bits, an index of arrays 63


@dataclass(frozen=True)
class SavedRun:
    """What a checkpoint holds beside the strategy's state."""

    config: TrainConfig
    network: Network | None  # None where it has fixed layers: they are made again from the dataset
    class_names: tuple[str, ...]
    input_range: tuple[float, float] | None
    genes: int  # D, whatever the network
    seconds: float
    best_ever: BestEver | None = None
    changes: Sequence[dict[str, Any]] = ()  # of settings in mid-run

    def header(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        described: dict[str, Any] = {
            "config": self.config.to_dict(),
            "class_names": self.class_names,
            "input_range": self.input_range,
            "genes": self.genes,
            "seconds": round(self.seconds, 6),
        }
        if self.network is not None and not self.network.fixed:
            described["network"] = self.network.header()
        if self.best_ever is not None:
            described["best_ever"] = self.best_ever.facts()  # its genes are an array of the file
        if self.changes:
            described["changes"] = list(self.changes)
        return described

    @classmethod
    def from_header(cls, header: dict[str, Any], path: Path) -> SavedRun:
        """Read what `header` returned.

        Raises
        ------
        RunError
            If something is missing.
        """
        try:
            network = None
            if described := header.get("network"):
                shape = tuple(described["input_shape"])
                if not shape or any(type(extent) is not int or extent < 1 for extent in shape):
                    raise ValueError("impossible input shape")
                if "dense" in described:  # as it was written before layers were
                    network = Network(shape, tuple(Dense(*layer) for layer in described["dense"]))
                else:
                    network = Network.read(described, {})
            settings, names, value_range = header["config"].items(), header["class_names"], header["input_range"]
            genes, seconds = header["genes"], header["seconds"]
            if type(genes) is not int or type(seconds) not in (int, float) or not 0 <= seconds < math.inf:
                raise ValueError("impossible numbers")
            if not all(isinstance(name, str) for name in names):
                raise ValueError("class names that are no text")
            value_range = infer.checked_range(value_range)
            changes = header.get("changes", [])
            if not are_changes(changes):
                raise ValueError("changes that are none")
        except UsageError as error:  # a kind of layer that is not here, or layers that do not fit
            raise RunError(f"{path}: {error}; the file is damaged, or of another version") from None
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunError(f"{path}: its header is incomplete; the file is damaged") from None
        config = TrainConfig.from_dict(dict(settings), str(path))
        return cls(config, network, tuple(names), value_range, genes, float(seconds), changes=changes)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def pack_checkpoint(state: Any, saved: SavedRun) -> bytes:
    """Return a checkpoint's bytes: the arrays of a state dataclass, and its scalars and what else is saved as JSON."""
    values = {item.name: getattr(state, item.name) for item in dataclasses.fields(state)}
    arrays = {f"state.{name}": value for name, value in values.items() if isinstance(value, np.ndarray)}
    scalars = {name: value for name, value in values.items() if not isinstance(value, np.ndarray)}
    if saved.best_ever is not None:
        arrays["best_ever"] = saved.best_ever.genes
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
            raise RunError(f"{path}: its generation is no whole number up to {MOST_GENERATIONS:,}; the file is damaged")
    except infer.ModelError as error:
        raise RunError(str(error)) from None
    except (KeyError, ValueError, TypeError, RecursionError):
        raise RunError(f"{path}: is not a genreg-np checkpoint, or a damaged one") from None
    # Copies: arrays read from a file are read-only, which compiled kernels take for another type.
    fields |= {name.removeprefix("state."): array.copy() for name, array in arrays.items()}
    return header, fields


def read_checkpoint(path: Path) -> tuple[SavedRun, dict[str, Any]]:
    """Return what a checkpoint holds: the run, and its state's fields by name.

    Raises
    ------
    RunError
        If it is missing, damaged or of another version.
    """
    header, fields = _read_state(path)
    saved = SavedRun.from_header(header, path)
    genes, facts = fields.pop("best_ever", None), header.get("best_ever")
    if genes is None and facts is None:
        return saved, fields
    try:
        return dataclasses.replace(saved, best_ever=BestEver.of(genes, facts, saved.genes)), fields
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{path}: its best_ever is incomplete or not finite; the file is damaged") from None


def restored(start: Any, fields: dict[str, Any], path: Path) -> Any:
    """Return a state with saved fields, checked: whatever computes with it may trust its shapes and its numbers.

    Parameters
    ----------
    start : dataclass
        The state of this run before its first generation, in NumPy's arrays.
    fields : dict
        What read_checkpoint returned.
    path : Path
        Named in the error.

    Raises
    ------
    RunError
        If fields are missing, of other types, shapes or lengths than this run's, or not finite.
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
            raise RunError(f"{path}: its {name} has shape {value.shape}, where {shape} belongs; the file is damaged")
    return state


def _alike(saved: Any, like: Any, declared: Any) -> bool:
    """Whether a saved field is an array of the type and rank of another, or a number of the declared type, finite."""
    if isinstance(like, np.ndarray):
        return (
            isinstance(saved, np.ndarray)
            and (saved.dtype, saved.ndim) == (like.dtype, like.ndim)
            and bool(np.isfinite(saved).all())
        )
    if not isinstance(saved, declared) or isinstance(saved, bool):
        return False
    return 0 <= saved <= MOST_COUNTED if isinstance(saved, int) else saved is None or math.isfinite(saved)


class Packs(typing.Protocol):
    """What can be a file: a model, an evolution."""

    def pack(self) -> bytes:
        """Return the file's bytes."""
        ...


class RunFolder:
    """A run's files, held by this process until `close`.

    Use `RunFolder.create` for a new run and `RunFolder.open` to go on with one.
    """

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self._metrics: IO[str] | None = None
        self._written: set[str] = set()

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a new run folder and hold it.

        Raises
        ------
        RunError
            If the folder already holds a run, is in use, or cannot be written.
        """
        with _as_run_error(path):
            path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, _hold(path))
        if (path / "config.toml").exists() or (path / "checkpoint.npz").exists() or (path / "model.npz").exists():
            folder.close()
            raise RunError(f"{path}: already holds a run: go on with --resume {path}, or choose another --out")
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Hold an existing run folder.

        Raises
        ------
        RunError
            If there is no run, it is in use, or it cannot be written.
        """
        if not (path / "config.toml").is_file():
            raise RunError(f"{path}: holds no run (no config.toml); name the folder that train printed")
        return cls(path, _hold(path))

    def discard(self) -> None:
        """Take away what was written to a new folder, and the folder where nothing else is in it; let go of it."""
        self.close()
        with contextlib.suppress(OSError):
            for name in (*self._written, ".lock"):
                (self.path / name).unlink()
            self.path.rmdir()

    def close(self) -> None:
        """Let go of the folder."""
        if self._metrics:
            self._metrics.close()
            self._metrics = None
        self._lock.close()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, data: bytes) -> None:
        """Replace one file as a whole.

        Raises
        ------
        RunError
            If it cannot be written; the file saved before is then untouched.
        """
        with _as_run_error(self.path / name):
            write_atomic(self.path / name, data)
        self._written.add(name)

    def save(self, name: str, what: Packs) -> None:
        """Write a model, or a checkpoint; raises as `write`."""
        self.write(name, what.pack())

    def write_config(self, config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> None:
        """Write config.toml: the settings in force, the changes that led to them, the origin of data and arithmetic."""
        self.write("config.toml", pack_run_config(config, changes, origin))

    def read_config(self) -> tuple[TrainConfig, list[dict[str, Any]], dict[str, Any]]:
        """Return what write_config wrote."""
        return read_run_config(self.path / "config.toml")

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write a readable JSON file."""
        self.write(name, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("utf-8"))

    def read_json(self, name: str) -> dict[str, Any]:
        """Return a JSON file's values; an absent or damaged one is empty (nothing in it determines a result)."""
        try:
            values = json.loads(read_text(self.path / name, MOST_JSON_BYTES, follow_links=False))
        except (OSError, ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) and infer.is_shallow(values) else {}

    def record(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        with _as_run_error(self.path / "metrics.jsonl"):
            if self._metrics is None:
                self._metrics = open_to_append(self.path / "metrics.jsonl")
            self._metrics.write(json.dumps(line) + "\n")
            self._metrics.flush()

    def cut_metrics(self, generation: int) -> None:
        """Drop lines of generations past `generation`, and a last line that was cut short."""
        path, kept = self.path / "metrics.jsonl", io.BytesIO()
        with (
            _as_run_error(path, "read"),
            open_regular(path, follow_links=False) if path.exists() else io.BytesIO() as file,
        ):
            for line in iter(lambda: file.readline(MOST_LINE_BYTES), b""):
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    if json.loads(line)["generation"] <= generation:
                        kept.write(line.rstrip(b"\n") + b"\n")
        self.write("metrics.jsonl", kept.getvalue())


def _hold(path: Path) -> IO[str]:
    """Lock a run folder for this process, and clear away half-written files of one that was killed."""
    for name in OWN:
        if (path / name).is_symlink():
            raise RunError(f"{path}: its {name} is a symbolic link, and a run folder has none; replace it by the file")
    with _as_run_error(path):
        file = open_to_append(path / ".lock")
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        file.close()
        raise RunError(
            f"{path}: another process is working on this run; wait for it, or choose another --out"
        ) from None
    remove_leftovers(path)
    return file


@contextlib.contextmanager
def _as_run_error(path: Path, doing: str = "written") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: cannot be {doing} ({error.strerror or error}); what was saved before is untouched"
        ) from None
