"""Download a dataset's files from the first mirror that has the right bytes.

A download is kept in memory until it has been checked, and then written in one step: nothing broken, wrong or
incomplete ever reaches the cache. If no mirror's host answers within PROBE_SECONDS, there is no network. This is tested
in threads that are never joined, because waiting for a name server cannot be interrupted.
"""

from __future__ import annotations

import io
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from genreg_np.errors import DataError, missing_extra
from genreg_np.files import write_atomic

PROBE_SECONDS = 8.0  # without an answer by then, there is no network
GRACE_SECONDS = 1.0  # for the other hosts once one has answered
TIMEOUT_SECONDS = (5.0, 15.0)  # for connecting, and for the next bytes

Progress = Callable[[str, int, int], None]  # file name, bytes so far, total bytes (0 if unknown)
Check = Callable[[BinaryIO], None]  # raises a DataError for a wrong file


def _connect(mirror: str, seconds: float) -> None:
    """Open and close a connection to a mirror's host, or to the proxy that leads there."""
    import urllib.request  # takes longer to import than everything a prediction needs

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
    """Return the mirrors whose hosts accept a connection, in the given order, probing all of them at once.

    Parameters
    ----------
    mirrors : sequence of str
        Base URLs.
    seconds : float
        When to give up on all of them.
    grace : float
        How long to wait for the others once one has answered, in seconds.
    connect : callable
        Connects to a mirror or raises OSError; a call that never returns is abandoned.
    """
    answers: queue.SimpleQueue[tuple[str, bool]] = queue.SimpleQueue()

    def probe(mirror: str) -> None:
        try:
            connect(mirror, seconds)
        except (OSError, ValueError):  # ValueError: an invalid host name or proxy
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
    """A progress bar for pooch, which sets the total; _Sink counts the bytes."""

    total = 0

    def update(self, size: int) -> None:
        """Ignore the estimate."""

    def reset(self) -> None:
        """Ignore the end."""

    def close(self) -> None:
        """Ignore the end."""


class _Sink(io.BytesIO):
    """Stores a download in memory, up to a limit, and reports to `progress`."""

    def __init__(self, file: str, limit_bytes: int, meter: _Meter, progress: Progress | None) -> None:
        super().__init__()
        self.file, self.limit_bytes, self.meter, self.progress = file, limit_bytes, meter, progress

    def write(self, chunk: Any) -> int:
        if self.tell() + len(chunk) > self.limit_bytes:
            raise DataError(f"it sends more than {self.limit_bytes:,} bytes")
        written = super().write(chunk)
        if self.progress:
            self.progress(self.file, self.tell(), self.meter.total)
        return written


def _download(url: str, check: Check, limit_bytes: int, progress: Progress | None) -> bytes:
    """Return the checked bytes of a file at a URL; a DataError says what is wrong with this mirror."""
    import pooch

    meter = _Meter()
    sink = _Sink(url.rpartition("/")[2], limit_bytes, meter, progress)
    downloader = pooch.HTTPDownloader(
        progressbar=meter, chunk_size=1 << 16, timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "identity"}
    )
    try:
        downloader(url, sink, None)
    except OSError as error:  # the base class of all errors of requests
        status = getattr(getattr(error, "response", None), "status_code", None)
        raise DataError(f"HTTP status {status}" if status else "the connection failed or broke off") from None
    sink.seek(0)
    try:
        check(sink)
    except DataError:
        raise DataError("it sent something other than the dataset, or not all of it") from None
    return sink.getvalue()


def download_files(
    name: str,
    needed: Mapping[str, Check],
    mirrors: Sequence[str],
    folder: Path,
    limit_bytes: int,
    progress: Progress | None = None,
) -> None:
    """Download files into a folder, each complete and checked.

    Parameters
    ----------
    name : str
        The dataset's name, for errors.
    needed : mapping
        File name, on a mirror and in the folder: a check of its bytes, called with a stream.
    mirrors : sequence of str
        Base URLs, tried in this order.
    folder : Path
        Created if necessary.
    limit_bytes : int
        Limit for one file, so that a mirror cannot exhaust memory.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0) as they arrive.

    Raises
    ------
    DataError
        If no mirror answers within PROBE_SECONDS, none has the right bytes, or the folder cannot be written to.
    MissingExtraError
        Without pooch.
    """
    try:
        import pooch  # noqa: F401
    except ImportError:
        raise missing_extra("pooch", "train", f"download {name}") from None
    way_out = f"go online, put its files into {folder}, or name their folder with --data-dir"
    alive = answering(mirrors)
    if not alive:
        hosts = ", ".join(str(urlsplit(mirror).hostname) for mirror in mirrors)
        raise DataError(f"{name} cannot be downloaded, no mirror answers ({hosts}): {way_out}")
    for file, check in needed.items():
        failures: list[str] = []
        for mirror in list(alive):
            try:
                content = _download(f"{mirror}{file}", check, limit_bytes, progress)
                break
            except DataError as error:
                failures.append(f"{urlsplit(mirror).hostname}: {error}")
                alive.append(alive.pop(alive.index(mirror)))  # it is tried last for the other files
        else:
            raise DataError(f"{name}, {file} cannot be downloaded ({'; '.join(failures)}): {way_out}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / file, content)
        except OSError as error:
            raise DataError(
                f"{folder}: cannot be written ({error.strerror}); name another folder with --data-dir"
            ) from None
