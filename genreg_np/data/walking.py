"""List the files of a folder and all its subfolders, without entering hidden folders or links to folders."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

from genreg_np.errors import DataError

HIDDEN_FOLDERS = ("__MACOSX", "__pycache__")  # besides those whose names begin with a dot


def is_hidden(name: str) -> bool:
    """Return whether a folder of this name is skipped."""
    return name.startswith(".") or name in HIDDEN_FOLDERS


def files_below(folder: Path) -> tuple[list[Path], int]:
    """Return all files in a folder and its subfolders, sorted, and the number of links to folders.

    Links to folders are not followed, as they may be circular. Files whose names begin with a dot are left out.

    Raises
    ------
    DataError
        For a folder that cannot be read.
    """
    found, links = [], 0
    try:
        for place, folders, files in os.walk(folder, onerror=_raise):
            links += sum(os.path.islink(os.path.join(place, name)) for name in folders)
            folders[:] = [name for name in folders if not is_hidden(name)]
            found += [Path(place, name) for name in files if not name.startswith(".")]
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); check the folder") from None
    return sorted(found), links


def not_read(endings: Counter[str]) -> str:
    """Return a note on files of kinds that are not read, counted by extension; "" for none."""
    if not endings:
        return ""
    kinds = ", ".join(f"{count:,} {ending or 'without extension'}" for ending, count in endings.most_common(4))
    kinds += ", ..." if len(endings) > 4 else ""
    total = endings.total()
    return f"{total:,} {'file' if total == 1 else 'files'} of kinds that are not read ({kinds})"


def ending_of(file: Path) -> str:
    """Return the extension of a file's name, in lower case."""
    return file.suffix.lower()


def _raise(error: OSError) -> None:
    raise error
