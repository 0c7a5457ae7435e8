"""A machine without datasets, and small stand-ins for MNIST on disk and behind a local web server."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.data import cache
from genreg_np.data.cache import Source
from genreg_np.data.idx import read_idx, write_idx
from genreg_np.data.mnist import FILES
from genreg_np.errors import DataError


def outcome(call: Callable[[], Any]) -> Any:
    """Return the result of a call, or the DataError it raised, whose message is one line."""
    try:
        return call()
    except DataError as error:
        if "\n" in str(error):
            raise AssertionError(f"more than one line: {error}") from error
        return error


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No GENREG_DATA, an empty cache, no Debian packages, no proxies. Returns the cache folder."""
    for name in ("GENREG_DATA", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "user-cache"
    monkeypatch.setattr(cache, "user_cache_dir", lambda: folder)
    monkeypatch.setattr(cache, "DEBIAN_FOLDER", tmp_path / "no-debian")
    return folder


@pytest.fixture
def originals(tmp_path: Path) -> Path:
    """A folder with four small IDX files under MNIST's names: 40 training and 20 test images of 4x4."""
    rng = np.random.default_rng(1)
    folder = tmp_path / "originals"
    folder.mkdir()
    for images, labels, n in ((FILES[0], FILES[1], 40), (FILES[2], FILES[3], 20)):
        write_idx(folder / f"{images}.gz", rng.integers(0, 256, (n, 4, 4), np.uint8))
        write_idx(folder / f"{labels}.gz", (np.arange(n) % 10).astype(np.uint8))
    return folder


def source_of(folder: Path, mirrors: tuple[str, ...] = ()) -> Source:
    """Describe the files of a folder as a dataset called mnist, served by `mirrors`."""
    hashes = {file: hashlib.sha256(gzip.decompress((folder / f"{file}.gz").read_bytes())).hexdigest() for file in FILES}
    assert read_idx(folder / f"{FILES[0]}.gz", sha256=hashes[FILES[0]]).shape == (40, 4, 4)
    return Source("mnist", "small", tuple("0123456789"), hashes, mirrors, ("MNIST/raw",), held_out=10)


Reply = Callable[[str], tuple[int, bytes, int]]  # path -> status, body, declared length


@pytest.fixture
def serve() -> Iterator[Callable[[dict[str, Reply]], str]]:
    """Serve folders from 127.0.0.1: maps /PREFIX/FILE to a Reply; returns the base address."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(replies: dict[str, Reply]) -> str:
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, prefix, file = self.path.split("/", 2)
                status, body, length = replies[prefix](file)
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()
