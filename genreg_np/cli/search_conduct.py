"""Code shared by the commands that search: conduct a search, and tell how it ended."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from genreg_np.cli import report_
from genreg_np.cli.output import Progress, print_json
from genreg_np.cli.search_board import Board
from genreg_np.cli.signals import INTERRUPTED, Stopping

Result = TypeVar("Result")
NOTHING = "stopped before anything was tried: nothing was kept"


@dataclass(frozen=True)
class Ending(Generic[Result]):
    """What a command does with the result of its search.

    Parameters
    ----------
    page : callable
        page(found) -> Path: writes the report page.
    json : callable
        json(found, page) -> dict: the line of --json.
    tell : callable
        tell(found): prints the results.
    """

    page: Callable[[Result], Path]
    json: Callable[[Result, Path | None], dict[str, Any]]
    tell: Callable[[Result], None]


def conduct(
    search: Callable[[], Result], ending: Ending[Result], folder: Path, board: Board, progress: Progress,
    stopping: Stopping, options: dict[str, Any],
) -> int:  # fmt: skip
    """Search, and print the results or how to resume; return the command's exit code."""
    found = None
    try:
        found = search()
    except KeyboardInterrupt:
        board.stop()
        kept = (folder / "config.toml").exists()
        for line in stopping.last_words if kept else [NOTHING]:
            progress.say(line)
    finally:
        board.stop()
        if options["out"] is None and options["resume"] is None:
            with contextlib.suppress(OSError):  # removed only if it is empty
                folder.rmdir()
    stopping.all_is_saved()
    if found is None:
        if options["as_json"]:
            print_json({"ended": "stopped", "folder": str(folder)})
        return INTERRUPTED
    result = found
    with report_.failing_last() as make:
        page = make(lambda: ending.page(result)) if options["report"] else None
        if options["as_json"]:
            print_json(ending.json(result, page))
        if page is not None:
            progress.say(f"report {page}")
        ending.tell(result)
    return 0
