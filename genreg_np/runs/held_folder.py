"""A folder used by one process at a time, held by a lock of the operating system that is released with the process.

Files are replaced as a whole, or grow by lines. The folder is not trusted: nothing is read or written through a
symbolic link.
"""

from __future__ import annotations

import contextlib
import json
import os
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar

from genreg_np import infer
from genreg_np.errors import RunError
from genreg_np.files import open_to_append, read_text, remove_leftovers, write_atomic

MOST_JSON_BYTES = 1 << 24


class Packs(typing.Protocol):
    """Something that can be saved as a file: a model, an evolution."""

    def pack(self) -> bytes:
        """Return the file's bytes."""
        ...


class HeldFolder:
    """A folder's files, held by this process until `close`; `create` makes a new one, `open` takes an existing one."""

    own: ClassVar[tuple[str, ...]]  # its files
    marks: ClassVar[tuple[str, ...]]  # files that show that a folder is not new
    what: ClassVar[str]  # what it holds, such as "run"
    maker: ClassVar[str]  # the command that prints its name

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock
        self._growing: dict[str, IO[str]] = {}
        self._written: set[str] = set()
        self.is_new = False  # whether this process created it

    @classmethod
    def create(cls, path: Path) -> typing.Self:
        """Create a new folder and hold it.

        Raises
        ------
        RunError
            If the folder already holds a run (or `what` it is for), is in use, or cannot be written.
        """
        with as_run_error(path):
            path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, cls._hold(path))
        if any((path / name).exists() for name in cls.marks):
            folder.close()
            raise RunError(f"{path}: already holds a {cls.what}: resume it with --resume {path}, or use another --out")
        folder.is_new = True
        return folder

    @classmethod
    def open(cls, path: Path) -> typing.Self:
        """Hold an existing folder.

        Raises
        ------
        RunError
            If it does not exist, is in use, or cannot be written.
        """
        if not (path / cls.own[1]).is_file():
            raise RunError(f"{path}: holds no {cls.what} (no {cls.own[1]}); name the folder that {cls.maker} printed")
        return cls(path, cls._hold(path))

    def discard(self) -> None:
        """Remove what was written to a new folder, and the folder if nothing else is in it; release it."""
        self.close()
        with contextlib.suppress(OSError):
            for name in (*self._written, ".lock"):
                (self.path / name).unlink(missing_ok=True)
            self.path.rmdir()

    def close(self) -> None:
        """Release the folder."""
        for file in self._growing.values():
            file.close()
        self._growing.clear()
        self._lock.close()

    def __enter__(self) -> typing.Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, name: str, data: bytes) -> None:
        """Replace one file as a whole.

        Raises
        ------
        RunError
            If it cannot be written; an existing file is then unchanged.
        """
        with as_run_error(self.path / name):
            write_atomic(self.path / name, data)
        self._written.add(name)

    def save(self, name: str, what: Packs) -> None:
        """Write a model or a checkpoint; raises as `write` does."""
        self.write(name, what.pack())

    def append(self, name: str, line: str) -> None:
        """Append a line to a file; raises as `write` does."""
        with as_run_error(self.path / name):
            if name not in self._growing:
                self._growing[name] = open_to_append(self.path / name)
            self._growing[name].write(line)
            self._growing[name].flush()

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Write a readable JSON file."""
        self.write(name, (json.dumps(values, indent=1, sort_keys=True) + "\n").encode("utf-8"))

    def read_json(self, name: str) -> dict[str, Any]:
        """Return the values of a JSON file; see `json_of`."""
        return json_of(self.path / name)

    @classmethod
    def _hold(cls, path: Path) -> IO[str]:
        """Lock a folder for this process, and remove unfinished files of a process that was killed."""
        for name in cls.own:
            if (path / name).is_symlink():
                raise RunError(
                    f"{path}: its {name} is a symbolic link, and a {cls.what} folder has none; replace it by the file"
                )
        with as_run_error(path):
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
                f"{path}: another process is working on this {cls.what}; wait for it, or choose another --out"
            ) from None
        remove_leftovers(path)
        return file


def json_of(path: Path) -> dict[str, Any]:
    """Return a JSON file's values, or {} if it is missing or damaged (nothing in it determines a result)."""
    try:
        values = json.loads(read_text(path, MOST_JSON_BYTES, follow_links=False))
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) and infer.is_shallow(values) else {}


@contextlib.contextmanager
def as_run_error(path: Path, doing: str = "written") -> Iterator[None]:
    """Turn an OSError into a one-line RunError."""
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{path}: cannot be {doing} ({error.strerror or error}); what was saved before is unchanged"
        ) from None
