"""The run folder: whole files of plain arrays, TOML and JSON, never a pickle.

    config.toml       what determines the run: settings, [[changes]] made in mid-run, and its [origin]: data, backend
    run.json          what does not: times, backend, threads, versions, resumes
    metrics.jsonl     a line per generation
    checkpoint.npz    the strategy's state (checkpoint.py)
    model.npz         the network

Every file but metrics.jsonl is replaced as a whole (files.py); metrics.jsonl grows by lines and is cut back to the
checkpoint when a run goes on. The folder is held by a lock of the operating system, which dies with its process. It may
have come from anybody: what is read is checked, and nothing is read or written through a symbolic link.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from genreg_np import infer
from genreg_np.errors import RunError
from genreg_np.files import open_regular, open_to_append, read_text, remove_leftovers, write_atomic
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.run_config import pack_run_config, read_run_config

MOST_JSON_BYTES, MOST_LINE_BYTES = 1 << 20, 1 << 16
OWN = (
    ".lock", "config.toml", "run.json", "metrics.jsonl", "checkpoint.npz", "initial.npz", "model.npz",
    "measures.json", "figures",
)  # fmt: skip
SAVE_EVERY_SECONDS = 30.0  # what a run that is killed loses at most


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
        """Return a JSON file's values, as `json_of` does."""
        return json_of(self.path / name)

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


def json_of(path: Path) -> dict[str, Any]:
    """Return a JSON file's values; an absent or damaged one is empty (nothing in it determines a result)."""
    try:
        values = json.loads(read_text(path, MOST_JSON_BYTES, follow_links=False))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) and infer.is_shallow(values) else {}


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
