"""Folders in which nobody but the user, or root, can have put anything.

A cache of compiled code is code. It is trusted as ssh trusts its keys: every folder and every symbolic link on the way
belongs to the user or to root, and no folder can be written by others, or only so that they cannot touch what is not
theirs (a sticky folder, as /tmp). Windows, whose folders have no such owners, is taken at its word.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

MOST_LINKS = 40
OTHERS_WRITE, OTHERS = 0o022, 0o077

Status = Callable[[str], os.stat_result]


def distrust(folder: Path, user: int, status: Status = os.lstat, target: Callable[[str], str] = os.readlink) -> str:
    """Return why others may have put something into a folder, or into what there is of the way; "" if they cannot.

    Parameters
    ----------
    folder : Path
        Absolute.
    user : int
        The number of the user whose folder it must be, or root's.
    status, target : callable
        os.lstat and os.readlink, or what stands for them.

    Raises
    ------
    OSError
        If the way cannot be looked at.
    """
    place, rest, links = os.sep, list(folder.parts[:0:-1]), 0
    while True:
        try:
            found = status(place)
        except FileNotFoundError:
            return ""
        if found.st_uid not in (0, user):
            return f"{place} belongs to another user"
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                return f"{folder} is behind too many links"
            rest += reversed(Path(target(place)).parts)
            place = os.path.dirname(place)
        elif not stat.S_ISDIR(found.st_mode):
            return f"{place} is not a folder"
        elif found.st_mode & OTHERS_WRITE and not (found.st_mode & stat.S_ISVTX and rest):
            return f"{place} can be written by others (chmod go-w would end that)"
        if not rest:
            return ""
        step = rest.pop()
        place = os.path.dirname(place) if step == os.pardir else os.path.join(place, step)


def make_private(folder: Path) -> str:
    """Make a folder, and what is missing on the way, closed to others; return why it cannot be trusted, "" if it can.

    Nothing is made where the way is not to be trusted.

    Raises
    ------
    OSError
        If it cannot be made.
    """
    user = os.geteuid() if hasattr(os, "geteuid") else None
    if user is not None and (problem := distrust(folder, user)):
        return problem
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(0o700, exist_ok=True)
    if user is None:
        return ""
    if folder.stat().st_mode & OTHERS:
        return f"{folder} is open to others (chmod 700 would end that)"
    return distrust(folder, user) or distrust_content(folder, user)


def distrust_content(folder: Path, user: int) -> str:
    """Return what in a closed folder others have put there before it was closed; "" if there is nothing."""
    for entry in os.scandir(folder):
        found = entry.stat(follow_symlinks=False)
        if found.st_uid not in (0, user) or entry.is_symlink():
            return f"{entry.path} belongs to another user, or is a link"
        if entry.is_dir() and (problem := distrust_content(Path(entry.path), user)):
            return problem
    return ""
