"""Downloading a dataset's files from the first mirror that has the right bytes.

A download is kept in memory until it has been checked, and then written whole: nothing broken, wrong or half done
ever reaches the cache. Where no mirror's host answers within PROBE_SECONDS there is no network. That is found out in
threads that nobody waits for, because a name server that does not answer cannot be interrupted.
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

PROBE_SECONDS = 8.0  # no host answered by then: no network
GRACE_SECONDS = 1.0  # what the other hosts get once one has answered
TIMEOUT_SECONDS = (5.0, 15.0)  # connecting, and waiting for the next bytes

Progress = Callable[[str, int, int], None]  # file name, bytes so far, bytes in all (0 where unknown)
Check = Callable[[BinaryIO], None]  # refuses with a DataError what is not the file


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
    """Where a download lands: in memory, up to a limit, reported to `progress`."""

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
    """Return the bytes of a file behind a URL, checked; DataError says what is wrong with this mirror."""
    import pooch

    meter = _Meter()
    sink = _Sink(url.rpartition("/")[2], limit_bytes, meter, progress)
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
        check(sink)
    except DataError:
        raise DataError("it sent something else than the dataset, or not all of it") from None
    return sink.getvalue()


def download_files(
    name: str,
    needed: Mapping[str, Check],
    mirrors: Sequence[str],
    folder: Path,
    limit_bytes: int,
    progress: Progress | None = None,
) -> None:
    """Download files into a folder, each whole and checked.

    Parameters
    ----------
    name : str
        The dataset's, for errors.
    needed : mapping
        File name, on a mirror and in the folder: what refuses other bytes, called with a stream of them.
    mirrors : sequence of str
        Base URLs, tried in this order.
    folder : Path
        Made if need be.
    limit_bytes : int
        Of one file: a mirror cannot fill the memory.
    progress : callable, optional
        Called with (file name, bytes so far, bytes in all or 0) as they come.

    Raises
    ------
    DataError
        Where no mirror answers within PROBE_SECONDS, none has the right bytes, or the folder cannot be written.
    MissingExtraError
        Without pooch.
    """
    try:
        import pooch  # noqa: F401
    except ImportError:
        raise missing_extra("pooch", "train", f"download {name}") from None
    way_out = f"go online, put its files into {folder}, or name the folder that has them with --data-dir"
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
                alive.append(alive.pop(alive.index(mirror)))  # the other files ask it last
        else:
            raise DataError(f"{name}, {file} cannot be downloaded ({'; '.join(failures)}): {way_out}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_atomic(folder / file, content)
        except OSError as error:
            raise DataError(
                f"{folder}: cannot be written ({error.strerror}); name another folder with --data-dir"
            ) from None
