"""Checks of a command's output file, and the option that pages share."""

from __future__ import annotations

from pathlib import Path

import click

from genreg_np.errors import UsageError

reject_option = click.option(
    "--reject",
    metavar="P",
    type=float,
    help='The page says "unsure" if the largest probability is below P, from 0 to 1.',
)


def check_target(target: Path, force: bool, source: Path, source_name: str, example: str) -> None:
    """Refuse a target that cannot or must not be written, before `source` is read.

    `source_name` is the command's name for its source, `example` a possible name of the target.
    """
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name the file to write in it, e.g. {target / example}")
    if target.exists() and not target.is_file():
        raise UsageError(f"{target}: is not a regular file and is not replaced; name another")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target}: is {source_name} itself; choose another name, so that it is kept")
    if target.exists() and not force:
        raise UsageError(f"{target}: exists; add --force to overwrite it, or choose another name")
