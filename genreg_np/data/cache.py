"""Where the IDX datasets are: looking for them on this machine, and fetching them from a mirror.

A dataset is looked for in these folders, in this order: --data-dir, $GENREG_DATA, the user's cache, Debian's
/usr/share/datasets; in each of them under NAME/, under the folders that torchvision makes, and directly. Every file
counts as the right one by the SHA-256 of its decompressed bytes, for mirrors and packages compress differently.

A download is kept in memory until it has been checked, and then written whole: nothing broken, wrong or half done
ever reaches the cache. Where no mirror's host answers within PROBE_SECONDS there is no network. That is found out in
threads that nobody waits for, because a name server that does not answer cannot be interrupted.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from genreg_np.data.idx import PathLike, parse_idx, read_idx
from genreg_np.errors import DataError, UsageError, missing_extra
from genreg_np.files import user_cache_dir, write_atomic

PROBE_SECONDS = 8.0  # no host answered by then: no network
GRACE_SECONDS = 1.0  # what the other hosts get once one has answered
TIMEOUT_SECONDS = (5.0, 15.0)  # connecting, and waiting for the next bytes
LIMIT_BYTES = 128 << 20  # of one file: a mirror cannot fill the memory
DEBIAN_FOLDER = Path("/usr/share/datasets")

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all (0 where unknown)


@dataclass(frozen=True)
class Source:
    """An IDX dataset: what its files are called, what is in them, and where they can be had."""

    name: str  # as on the command line
    description: str  # one line
    class_names: tuple[str, ...]
    files: Mapping[str, str]  # file name without .gz: SHA-256 of the decompressed bytes; images and labels in turn
    mirrors: tuple[str, ...]  # base URLs, tried in this order
    folders: tuple[str, ...] = ()  # other folders it is known to lie in
    held_out: int = 5000  # training images, from the end, that are validation


def search_folders(data_dir: PathLike | None = None) -> list[Path]:
    """Return the folders in which datasets are looked for, in order; all but $GENREG_DATA need not exist.

    Parameters
    ----------
    data_dir : path-like, optional
        The user's own choice, the first.

    Raises
    ------
    UsageError
        Where GENREG_DATA is set and names no folder.
    """
    variable = os.environ.get("GENREG_DATA")
    if variable and not os.path.isdir(os.path.expanduser(variable)):
        raise UsageError(f"GENREG_DATA={variable} names no folder; correct it or unset it")
    named = [folder for folder in (data_dir, variable) if folder]
    folders = [Path(os.path.expanduser(folder)) for folder in named]
    with contextlib.suppress(RuntimeError):  # a user without a home
        folders.append(user_cache_dir())
    return [*folders, DEBIAN_FOLDER]


def locate(folder: Path, file: str) -> Path | None:
    """Return the path of one of a dataset's files in a folder: gzipped or not, with its last dash or a dot.

    Parameters
    ----------
    folder : Path
        The folder, existing or not.
    file : str
        The official name without .gz.
    """
    for name in (file, file.replace("-idx", ".idx")):
        for path in (folder / f"{name}.gz", folder / name):
            if os.path.isfile(path):
                return path
    return None


def is_intact(path: Path, sha256: str) -> bool:
    """Tell whether a file is a whole IDX array with the right decompressed bytes.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    sha256 : str
        Of the decompressed bytes.
    """
    try:
        read_idx(path, LIMIT_BYTES, sha256=sha256)
    except DataError:
        return False
    return True


def is_whole(source: Source, folder: Path) -> bool:
    """Tell whether a folder has all files of a dataset, each of them intact.

    Parameters
    ----------
    source : Source
        The dataset.
    folder : Path
        The folder, existing or not.
    """
    paths = {file: locate(folder, file) for file in source.files}
    return all(path is not None and is_intact(path, source.files[file]) for file, path in paths.items())


def find(source: Source, data_dir: PathLike | None = None, others: Sequence[Source] = ()) -> Path | None:
    """Return the first folder that has all the files of a dataset, or None; the files are not checked.

    Parameters
    ----------
    source : Source
        The dataset.
    data_dir : path-like, optional
        Where to look first.
    others : sequence of Source
        Datasets with the same file names: files in a folder not named after a dataset may be theirs, and are then
        passed over. The test labels, ten kilobytes, tell.
    """
    for base in search_folders(data_dir):
        nameless = (base / "raw", base)
        for folder in (base / source.name, *(base / known for known in source.folders), *nameless):
            paths = [locate(folder, file) for file in source.files]
            if not all(paths):
                continue
            last = paths[-1]
            signatures = [list(other.files.values())[-1] for other in others if other is not source]
            if folder in nameless and last and any(is_intact(last, signature) for signature in signatures):
                continue
            return folder
    return None


def download_folder(source: Source, data_dir: PathLike | None = None) -> Path:
    """Return the folder that a download goes to: under `data_dir` if given, else in the user's cache.

    Parameters
    ----------
    source : Source
        The dataset.
    data_dir : path-like, optional
        The user's own choice.

    Raises
    ------
    DataError
        For a user without a home folder who named none.
    """
    if data_dir:
        return Path(os.path.expanduser(data_dir)) / source.name
    try:
        return user_cache_dir() / source.name
    except RuntimeError:
        raise DataError(f"{source.name}: no home folder to keep it in; name a folder with --data-dir") from None


def _connect(mirror: str, seconds: float) -> None:
    """Open and close a connection to a mirror's host, or to the proxy that leads there."""
    import urllib.request  # takes longer to import than all that a prediction needs

    parts = urlsplit(mirror)
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    port = parts.port or {"https": 443, "socks5": 1080, "socks5h": 1080}.get(parts.scheme, 80)
    socket.create_connection((parts.hostname or "", port), timeout=seconds).close()


def answering(
    mirrors: Sequence[str],
    seconds: float = PROBE_SECONDS,
    grace: float = GRACE_SECONDS,
    connect: Callable[[str, float], None] = _connect,
) -> list[str]:
    """Return the mirrors whose hosts take a connection, in the given order, asking all of them at once.

    Parameters
    ----------
    mirrors : sequence of str
        Base URLs.
    seconds : float
        When to give up on all.
    grace : float
        How much longer to wait for the others once one has answered, in seconds.
    connect : callable
        Connects to a mirror or raises OSError; a call that never returns is left behind.
    """
    answers: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def probe(mirror: str) -> None:
        try:
            connect(mirror, seconds)
        except (OSError, ValueError):  # ValueError: a host name or proxy that is none
            answers.put((mirror, False))
        else:
            answers.put((mirror, True))

    for mirror in mirrors:
        threading.Thread(target=probe, args=(mirror,), daemon=True).start()
    deadline = time.monotonic() + seconds
    alive = set()
    for _ in mirrors:
        try:
            mirror, answered = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if answered:
            alive.add(mirror)
            deadline = min(deadline, time.monotonic() + grace)
    return [mirror for mirror in mirrors if mirror in alive]


class _Meter:
    """What pooch takes for a progress bar: it learns the total here; the bytes are counted by _Sink."""

    total = 0

    def update(self, size: int) -> None:
        """Ignore the estimate."""

    def reset(self) -> None:
        """Ignore the end."""

    def close(self) -> None:
        """Ignore the end."""


class _Sink(io.BytesIO):
    """Where a download lands: in memory, up to LIMIT_BYTES, reported to `progress`."""

    def __init__(self, file: str, meter: _Meter, progress: Progress | None) -> None:
        super().__init__()
        self.file, self.meter, self.progress = file, meter, progress

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > LIMIT_BYTES:
            raise DataError(f"it sends more than {LIMIT_BYTES:,} bytes")
        written = super().write(chunk)
        if self.progress:
            self.progress(self.file, self.tell(), self.meter.total)
        return written


def _download(url: str, sha256: str, progress: Progress | None) -> bytes:
    """Return the bytes of a gzipped IDX file behind a URL, checked; DataError says what is wrong with this mirror."""
    import pooch

    meter = _Meter()
    sink = _Sink(url.rpartition("/")[2], meter, progress)
    downloader = pooch.HTTPDownloader(
        progressbar=meter, chunk_size=1 << 16, timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "identity"}
    )
    try:
        downloader(url, sink, None)
    except OSError as error:  # all errors of requests are
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise DataError(f"HTTP status {status}" if status else "the connection failed or broke off") from None
    sink.seek(0)
    try:
        parse_idx(sink, "it", LIMIT_BYTES, sha256=sha256)
    except DataError:
        raise DataError("it sent something else than the dataset, or not all of it") from None
    return sink.getvalue()


def fetch(source: Source, folder: Path, progress: Progress | None = None) -> Path:
    """Download the files of a dataset that are missing or damaged in a folder.

    Parameters
    ----------
    source : Source
        The dataset and its mirrors.
    folder : Path
        Where the files go, under their official names with .gz; made if need be.
    progress : callable, optional
        Called with (file name, bytes so far, bytes in all or 0) as they come.

    Returns
    -------
    Path
        The folder, with all files in it.

    Raises
    ------
    DataError
        Where no mirror answers within PROBE_SECONDS, none has the right bytes, or the folder cannot be written.
    MissingExtraError
        Without pooch.
    """
    paths = {file: locate(folder, file) for file in source.files}
    needed = {
        file: source.files[file]
        for file, path in paths.items()
        if path is None or not is_intact(path, source.files[file])
    }
    if not needed:
        return folder
    try:
        import pooch  # noqa: F401
    except ImportError:
        raise missing_extra("pooch", "train", f"download {source.name}") from None
    way_out = f"go online, put its files into {folder}, or name the folder that has them with --data-dir"
    mirrors = answering(source.mirrors)
    if not mirrors:
        hosts = ", ".join(str(urlsplit(mirror).hostname) for mirror in source.mirrors)
        raise DataError(f"{source.name} cannot be downloaded, no mirror answers ({hosts}): {way_out}")
    for file, sha256 in needed.items():
        failures: list[str] = []
        for mirror in list(mirrors):
            try:
                content = _download(f"{mirror}{file}.gz", sha256, progress)
                break
            except DataError as error:
                failures.append(f"{urlsplit(mirror).hostname}: {error}")
                mirrors.append(mirrors.pop(mirrors.index(mirror)))  # the other files ask it last
        else:
            raise DataError(f"{source.name}, {file}.gz cannot be downloaded ({'; '.join(failures)}): {way_out}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / f"{file}.gz", content)
        except OSError as error:
            raise DataError(
                f"{folder}: cannot be written ({error.strerror}); name another folder with --data-dir"
            ) from None
    return folder
