"""Export: a trained model as something another system runs, a file of this package a target.

    export(model, "c", "firmware/digits")        writes digits' model.h, model.c, main.c

Every target computes what infer.py does; tests/test_export.py holds each to it on every kind of model that can be
trained. A target that cannot express a layer says so before anything is written.
"""

from __future__ import annotations

import importlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

from genreg_np.errors import GenregError, UsageError, did_you_mean
from genreg_np.files import write_atomic
from genreg_np.model import Model

__all__ = ["TARGETS", "export", "files_of", "kinds_of", "target"]

MODULES = {"python": "python_", "c": "c"}  # target: its module in this package
TARGETS = tuple(MODULES)


class Target(Protocol):
    """What a target's module offers."""

    SUMMARY: str  # what comes out, in a few words
    TAKES: frozenset[str]  # the kinds of layer it can express

    def files(self, model: Model, name: str) -> dict[str, bytes]:
        """Return the files to write, by name; raises before that for what the target cannot express."""
        ...


def target(name: str) -> Any:
    """Return a target's module, a `Target`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in MODULES:
        raise UsageError(f"unknown target {name!r}" + did_you_mean(name, MODULES))
    return importlib.import_module(f"genreg_np.export.{MODULES[name]}")


def kinds_of(layers: list[dict[str, Any]], where: str = "layer ") -> Iterator[tuple[str, str]]:
    """Yield (name, kind) of each layer of a model's header, those within branches after their own."""
    for index, layer in enumerate(layers):
        yield f"{where}{index}", layer["kind"]
        for number, branch in enumerate(layer.get("branches", ())):
            yield from kinds_of(branch, f"{where}{index}.{number}.")


def files_of(model: Model, to: str, name: str = "model") -> dict[str, bytes]:
    """Return what `export` would write, by file name.

    Raises
    ------
    UsageError
        If the target is unknown, `name` is no identifier, or a layer cannot be expressed.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name):
        raise UsageError(
            f"name {name!r} must be a letter, then letters, digits or _, at most 41: it names files and code"
        )
    chosen: Target = target(to)
    for where, kind in kinds_of(model.header["network"]["layers"]):
        if kind not in chosen.TAKES:
            raise UsageError(
                f"{where} ({kind}) cannot be expressed in {to}; docs/export.md says which target takes what"
            )
    return chosen.files(model, name)


def export(model: Model, to: str, out: str | os.PathLike[str], name: str = "model", force: bool = False) -> list[Path]:
    """Write a model for a target, all of it or nothing.

    Parameters
    ----------
    model : Model
    to : str
        One of TARGETS.
    out : path
        The folder to write; made if it is not there.
    name : str
        What files and, in C, functions are called.
    force : bool
        Write into a folder that has other files; those of the same names are replaced.

    Returns
    -------
    list of Path
        The files, in the order they were written.

    Raises
    ------
    UsageError
        If the folder has files and `force` is not given, or the target cannot express the model.
    GenregError
        If the folder cannot be written.
    """
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out}: is a file; name a folder to write into")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UsageError(f"{out}: has files in it; choose another folder, or add --force to write among them")
    files = files_of(model, to, name)
    try:
        if out.is_dir() and any(out.iterdir()):
            for file, content in files.items():
                write_atomic(out / file, content)
        else:
            _write_folder(out, files)
    except OSError as error:
        raise GenregError(f"{out}: cannot be written ({error.strerror or error}); choose another folder") from None
    return [out / file for file in files]


def _write_folder(out: Path, files: dict[str, bytes]) -> None:
    """Make a folder that has all its files from the moment it is there."""
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        for file, content in files.items():
            write_atomic(temporary / file, content)
        if out.is_dir():
            out.rmdir()  # empty: not every system renames onto it
        temporary.rename(out)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
