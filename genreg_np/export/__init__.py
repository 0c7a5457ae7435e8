"""Export: a trained model as something another system runs, a file of this package a target.

    export(model, "c", "firmware/digits")        writes model.h, model.c, model_test.h, main.c

Every target computes what infer.py does; tests/export holds each to it on every kind of model that can be
trained. A target that cannot express a layer says so before anything is written.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

from genreg_np.errors import GenregError, UsageError
from genreg_np.files import write_atomic
from genreg_np.model import Model
from genreg_np.settings import look_up

__all__ = ["REGISTRY", "TARGETS", "check_request", "export", "files_of", "kinds_of", "stacks_of", "target"]

REGISTRY = {  # a module each: a `Target`
    "python": "genreg_np.export.python_",
    "c": "genreg_np.export.c",
    "onnx": "genreg_np.export.onnx_",
    "html": "genreg_np.export.html",
}
TARGETS = REGISTRY.keys()  # a view, so that it has what is registered later


class Target(Protocol):
    """What a target's module offers."""

    SUMMARY: str  # what comes out, in a few words
    TAKES: frozenset[str]  # the kinds of layer it can express

    def files(self, model: Model, name: str, **options: Any) -> dict[str, bytes]:
        """Return the files to write, by name; raises before that for what the target cannot express.

        Its options are the keyword parameters it names, such as `reject` of html; most targets have none.
        """
        ...


def target(name: str) -> Any:
    """Return a target's module, a `Target`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    return look_up(REGISTRY, name, "target")


def kinds_of(layers: list[dict[str, Any]], where: str = "layer ") -> Iterator[tuple[str, str]]:
    """Yield (name, kind) of each layer of a model's header, those within another after their own."""
    for index, layer in enumerate(layers):
        yield f"{where}{index}", layer["kind"]
        for inner, stack in stacks_of(layer, f"{where}{index}"):
            yield from kinds_of(stack, f"{inner}.")


def stacks_of(layer: dict[str, Any], where: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (place, layers) of each stack that a layer of a model's header has within it, the layer's place given.

    Whatever else a header has, it has no stacks in it.
    """
    if layer["kind"] in ("residual", "residual-int8"):
        yield where, layer["layers"]
    elif layer["kind"] in ("branches", "concatenate"):
        yield from ((f"{where}.{number}", branch) for number, branch in enumerate(layer["branches"]))


def files_of(model: Model, to: str, name: str = "model", **options: Any) -> dict[str, bytes]:
    """Return what `export` would write, by file name.

    Raises
    ------
    UsageError
        If the target is unknown or has no such option, `name` is no identifier, or a layer cannot be expressed.
    """
    chosen, options = _asked(to, name, options)
    for where, kind in kinds_of(model.header["network"]["layers"]):
        if kind not in chosen.TAKES:
            others = [other for other in REGISTRY if kind in target(other).TAKES]
            instead = f"--to {' or '.join(others)} takes it" if others else "no target takes it"
            raise UsageError(f"{where} ({kind}) cannot be expressed in {to}; {instead} (docs/export.md)")
    return chosen.files(model, name, **options)


def _asked(to: str, name: str, options: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
    """Return a target and those of its options that are given; UsageError for a name or options it does not take."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name):
        raise UsageError(
            f"name {name!r} must be a letter, then letters, digits or _, at most 41: it names files and code"
        )
    chosen: Target = target(to)
    options = {option: value for option, value in options.items() if value is not None}
    for option in sorted(options.keys() - _options_of(to)):
        owners = " or ".join(other for other in REGISTRY if option in _options_of(other))
        raise UsageError(f"{option} is for {f'--to {owners}' if owners else 'no target'}, not for {to}: leave it out")
    return chosen, options


def _options_of(to: str) -> set[str]:
    return inspect.signature(target(to).files).parameters.keys() - {"model", "name"}


def check_request(
    to: str, out: str | os.PathLike[str], name: str = "model", force: bool = False, **options: Any
) -> None:
    """Refuse what `export` would refuse whatever the model is: before one is made for it, which may take long.

    Raises
    ------
    UsageError
        If the folder has files and `force` is not given, or the target is unknown or has no such name or option.
    GenregError
        If the folder cannot be read.
    """
    if not os.fspath(out):
        raise UsageError("the folder to write has no name: give one")
    _asked(to, name, options)
    with _writable(Path(out)):
        _check_folder(Path(out), force)


def export(
    model: Model, to: str, out: str | os.PathLike[str], name: str = "model", force: bool = False, **options: Any
) -> list[Path]:
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
    **options
        What the target takes besides; None counts as not given. html: `reject`, a probability from 0 to 1 below which
        the page calls an answer unsure.

    Returns
    -------
    list of Path
        The files, in the order they were written.

    Raises
    ------
    UsageError
        If the folder has files and `force` is not given, or the target cannot express the model or has no such option.
    GenregError
        If the folder cannot be written.
    """
    check_request(to, out, name, force, **options)
    out = Path(out)
    files = files_of(model, to, name, **options)
    with _writable(out):
        _check_places(out, files)
        _write(out, files)
    return [out / file for file in files]


@contextlib.contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Say of a folder that it cannot be written where the system refuses."""
    try:
        yield
    except OSError as error:
        raise GenregError(f"{out}: cannot be written ({error.strerror or error}); choose another folder") from None


def _check_folder(out: Path, force: bool) -> None:
    for place in (out, *out.parents):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place}: is a file; name a folder to write into")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UsageError(f"{out}: has files in it; choose another folder, or add --force to write among them")


def _check_places(out: Path, files: Iterable[str]) -> None:
    """Refuse to replace what is no ordinary file."""
    for file in files:
        if (out / file).exists() and not (out / file).is_file():
            raise UsageError(f"{out / file}: is no ordinary file and is not replaced; choose another folder")


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Write all files under temporary names before the first of them gets its own."""
    made = [folder for folder in (out, *out.parents) if not folder.exists()]
    out.mkdir(parents=True, exist_ok=True)
    mark = secrets.token_hex(4)
    staged = {file: out / f".{file}.{mark}.tmp" for file in files}
    try:
        for file, content in files.items():
            write_atomic(staged[file], content)
        for file, temporary in staged.items():
            os.replace(temporary, out / file)
    except BaseException:
        for temporary in staged.values():
            with contextlib.suppress(OSError):
                temporary.unlink()
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()  # only where it is empty
        raise
