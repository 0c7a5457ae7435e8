"""Export a trained model to run on other systems; each target is a module of this package.

    export(model, "c", "firmware/digits")        writes model.h, model.c, model_test.h, main.c

Every target computes the same as infer.py; tests/export checks this for every kind of model that can be trained. A
target that cannot express a layer raises an error before anything is written.
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

REGISTRY = {  # modules, each a `Target`
    "python": "genreg_np.export.python_",
    "c": "genreg_np.export.c",
    "onnx": "genreg_np.export.onnx_",
    "html": "genreg_np.export.html",
}
TARGETS = REGISTRY.keys()  # a view, so that it includes targets registered later


class Target(Protocol):
    """The interface of a target's module."""

    SUMMARY: str  # its output in a few words
    TAKES: frozenset[str]  # the kinds of layers it can express

    def files(self, model: Model, name: str, **options: Any) -> dict[str, bytes]:
        """Return the files to write, by name; raises for anything that the target cannot express.

        The target's options are its named keyword parameters, such as `reject` of html; most targets have none.
        """
        ...


def target(name: str) -> Any:
    """Return a target's module, which implements `Target`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    return look_up(REGISTRY, name, "target")


def kinds_of(layers: list[dict[str, Any]], where: str = "layer ") -> Iterator[tuple[str, str]]:
    """Yield (name, kind) of each layer of a model's header, followed by the layers nested in it."""
    for index, layer in enumerate(layers):
        yield f"{where}{index}", layer["kind"]
        for inner, stack in stacks_of(layer, f"{where}{index}"):
            yield from kinds_of(stack, f"{inner}.")


def stacks_of(layer: dict[str, Any], where: str) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (place, layers) of each stack nested in a layer of a model's header; `where` is the layer's own place.

    No other entries of a header contain stacks.
    """
    if layer["kind"] in ("residual", "residual-int8"):
        yield where, layer["layers"]
    elif layer["kind"] in ("branches", "concatenate"):
        yield from ((f"{where}.{number}", branch) for number, branch in enumerate(layer["branches"]))


def files_of(model: Model, to: str, name: str = "model", **options: Any) -> dict[str, bytes]:
    """Return the files that `export` would write, by name.

    Raises
    ------
    UsageError
        If the target is unknown or has no such option, `name` is not an identifier, or a layer cannot be expressed.
    """
    chosen, options = _asked(to, name, options)
    for where, kind in kinds_of(model.header["network"]["layers"]):
        if kind not in chosen.TAKES:
            others = [other for other in REGISTRY if kind in target(other).TAKES]
            instead = f"--to {' or '.join(others)} supports it" if others else "no target supports it"
            raise UsageError(f"{where} ({kind}) cannot be expressed in {to}; {instead} (docs/export.md)")
    return chosen.files(model, name, **options)


def _asked(to: str, name: str, options: dict[str, Any]) -> tuple[Target, dict[str, Any]]:
    """Return a target and the options that are given; raises UsageError for an invalid name or option."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,40}", name):
        raise UsageError(
            f"name {name!r} must be a letter followed by letters, digits or _, at most 41 characters: it is used in "
            "the names of files and code"
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
    """Refuse what `export` would refuse for any model, so that none is made in vain, which may take long.

    Raises
    ------
    UsageError
        If the folder has files and `force` is not given, the target is unknown, or it does not accept the name or an
        option.
    GenregError
        If the folder cannot be read.
    """
    if not os.fspath(out):
        raise UsageError("the name of the folder to write is empty: give one")
    _asked(to, name, options)
    with _writable(Path(out)):
        _check_folder(Path(out), force)


def export(
    model: Model, to: str, out: str | os.PathLike[str], name: str = "model", force: bool = False, **options: Any
) -> list[Path]:
    """Write a model for a target, completely or not at all.

    Parameters
    ----------
    model : Model
    to : str
        One of TARGETS.
    out : path
        The folder to write into; created if necessary.
    name : str
        The name of the files and, in C, of the functions.
    force : bool
        Write into a folder that has files; those of the same names are replaced.
    **options
        Options of the target; None counts as not given. html: `reject`, a probability from 0 to 1 below which the page
        calls an answer unsure.

    Returns
    -------
    list of Path
        The files, in the order they were written.

    Raises
    ------
    UsageError
        If the folder has files and `force` is not given, or the target cannot express the model or has no such option.
    GenregError
        If the folder cannot be written to.
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
    """Turn system errors into an error that the folder cannot be written to."""
    try:
        yield
    except OSError as error:
        raise GenregError(f"{out}: cannot be written ({error.strerror or error}); choose another folder") from None


def _check_folder(out: Path, force: bool) -> None:
    for place in (out, *out.parents):
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place}: is a file; name a folder to write into")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UsageError(f"{out}: is not empty; choose another folder, or add --force to write into it")


def _check_places(out: Path, files: Iterable[str]) -> None:
    """Refuse to replace anything but regular files."""
    for file in files:
        if (out / file).exists() and not (out / file).is_file():
            raise UsageError(f"{out / file}: is not a regular file and is not replaced; choose another folder")


def _write(out: Path, files: dict[str, bytes]) -> None:
    """Write all files under temporary names before renaming the first of them."""
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
                folder.rmdir()  # only if it is empty
        raise
