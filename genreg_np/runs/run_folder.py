"""The run folder: whole files of plain arrays, TOML and JSON, never a pickle.

    config.toml       what determines the run: settings, [[changes]] made in mid-run, and its [origin]: data, backend
    run.json          what does not: times, backend, threads, versions, resumes
    metrics.jsonl     a line per generation
    checkpoint.npz    the strategy's state (checkpoint.py)
    model.npz         the network

Every file but metrics.jsonl is replaced as a whole (files.py); metrics.jsonl grows by lines and is cut back to the
checkpoint when a run goes on. What is read is checked: the folder may have come from anybody.
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
SAVE_EVERY_SECONDS = 30.0  # what a run that is killed loses at most


class RunFolder(HeldFolder):
    """A run's files."""

    own = (
        ".lock", "config.toml", "run.json", "metrics.jsonl", "checkpoint.npz", "initial.npz", "model.npz",
        "measures.json", "figures",
    )  # fmt: skip
    marks = ("config.toml", "checkpoint.npz", "model.npz")
    what, maker = "run", "train"

    def write_config(self, config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> None:
        """Write config.toml: the settings in force, the changes that led to them, the origin of data and arithmetic."""
        self.write("config.toml", pack_run_config(config, changes, origin))

    def read_config(self) -> tuple[TrainConfig, list[dict[str, Any]], dict[str, Any]]:
        """Return what write_config wrote."""
        return read_run_config(self.path / "config.toml")

    def record(self, line: dict[str, Any]) -> None:
        """Add a line to metrics.jsonl."""
        self.append("metrics.jsonl", json.dumps(line) + "\n")

    def cut_metrics(self, generation: int) -> None:
        """Drop lines of generations past `generation`, and a last line that was cut short."""
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
