"""Folders in which only the user, or root, can have put anything.

A cache of compiled code is code. It is trusted under the same rules as ssh keys: every folder and symbolic link on the
path must belong to the user or to root, and no folder may be writable by others, unless it is sticky (like /tmp), so
that they cannot touch files of other owners. On Windows, whose folders have no such owners, nothing is checked.
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
    """Return why others may have put something into a folder, or into the existing part of its path; "" if they cannot.

    Parameters
    ----------
    folder : Path
        Absolute.
    user : int
        Number of the user who must own the folder, unless root does.
    status, target : callable
        os.lstat and os.readlink, or substitutes.

    Raises
    ------
    OSError
        If the path cannot be examined.
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
            return f"{place} can be written by others (run chmod go-w on it)"
        if not rest:
            return ""
        step = rest.pop()
        place = os.path.dirname(place) if step == os.pardir else os.path.join(place, step)


def make_private(folder: Path) -> str:
    """Create a folder, and its missing parents, closed to others; return why it cannot be trusted, "" if it can.

    Nothing is created if the path cannot be trusted.

    Raises
    ------
    OSError
        If it cannot be created.
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
        return f"{folder} is open to others (run chmod 700 on it)"
    return distrust(folder, user) or distrust_content(folder, user)


def distrust_content(folder: Path, user: int) -> str:
    """Return what others put into a folder before it was closed to them; "" if there is nothing."""
    for entry in os.scandir(folder):
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # a file that another process has just renamed
            continue
        if found.st_uid not in (0, user) or entry.is_symlink():
            return f"{entry.path} belongs to another user, or is a link"
        if entry.is_dir() and (problem := distrust_content(Path(entry.path), user)):
            return problem
    return ""
