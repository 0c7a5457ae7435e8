"""Checkpoints of a pair in training, printed as they come: the diary of a search for generators, read as it grows."""

from __future__ import annotations

import contextlib
import json
import re
import threading
from pathlib import Path
from typing import Any

from genreg_np.cli.output import Progress

SECONDS = 0.5  # between reads
TOLD = ("fcd", "coverage", "tvd", "modes", "confident", "critic")
FINAL = re.compile(r"-final-(\d+)-")


class Diary:
    """Prints lines as they are added to a file, from construction until `close`.

    Parameters
    ----------
    path : Path
        It need not exist.
    progress : Progress
    """

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress = path, progress
        self._at = path.stat().st_size if path.exists() else 0
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Print what is left, and stop."""
        self._closed.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._closed.wait(SECONDS):
            self._tell()
        self._tell()

    def _tell(self) -> None:
        try:
            with open(self._path, "rb") as file:
                file.seek(self._at)
                added = file.read()
        except OSError:  # not written yet
            return
        whole = added[: added.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                self._progress.say(_words(json.loads(line)))


def _words(told: dict[str, Any]) -> str:
    training = FINAL.search(told["lesson"])
    what = f"training {int(training[1]) + 1}" if training else "the pair"
    measures = ", ".join(f"{name} {told[name]:.3g}" for name in TOLD)
    return f"{what}, {told['samples']:,} of {told['of']:,} samples: {measures}"
