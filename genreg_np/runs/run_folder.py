"""The run folder: files of plain arrays, TOML and JSON, no pickle.

    config.toml       what determines the run: settings, [[changes]] made during the run, its [origin]: data, backend
    run.json          what does not: times, backend, threads, versions, resumes
    metrics.jsonl     a line per generation
    checkpoint.npz    the strategy's state (checkpoint.py)
    model.npz         the network

Every file but metrics.jsonl is replaced as a whole (files.py); metrics.jsonl grows by lines and is cut back to the
checkpoint when a run is resumed. The folder is not trusted: everything read from it is checked.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from genreg_np.files import open_regular
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.held_folder import HeldFolder, as_run_error
from genreg_np.runs.run_config import pack_run_config, read_run_config

MOST_LINE_BYTES = 1 << 16
SAVE_EVERY_SECONDS = 30.0  # the most that a run loses if it is killed


class RunFolder(HeldFolder):
    """A run's files."""

    own = (
        ".lock", "config.toml", "run.json", "metrics.jsonl", "checkpoint.npz", "initial.npz", "model.npz",
        "measures.json", "figures",
    )  # fmt: skip
    marks = ("config.toml", "checkpoint.npz", "model.npz")
    what, maker = "run", "train"

    def write_config(self, config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> None:
        """Write config.toml: current settings, the changes that led to them, the origin of data and arithmetic."""
        self.write("config.toml", pack_run_config(config, changes, origin))

    def read_config(self) -> tuple[TrainConfig, list[dict[str, Any]], dict[str, Any]]:
        """Return what write_config wrote."""
        return read_run_config(self.path / "config.toml")

    def record(self, line: dict[str, Any]) -> None:
        """Append a record to metrics.jsonl."""
        self.append("metrics.jsonl", json.dumps(line) + "\n")

    def cut_metrics(self, generation: int) -> None:
        """Drop the lines of generations after `generation`, and an incomplete last line."""
        path, kept = self.path / "metrics.jsonl", io.BytesIO()
        with (
            as_run_error(path, "read"),
            open_regular(path, follow_links=False) if path.exists() else io.BytesIO() as file,
        ):
            for line in iter(lambda: file.readline(MOST_LINE_BYTES), b""):
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    if json.loads(line)["generation"] <= generation:
                        kept.write(line.rstrip(b"\n") + b"\n")
        self.write("metrics.jsonl", kept.getvalue())
