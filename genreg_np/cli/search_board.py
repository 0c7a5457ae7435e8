"""The progress of a search: a leaderboard on a terminal, an occasional line elsewhere."""

from __future__ import annotations

import math
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreg_np.cli.output import Progress, duration
from genreg_np.cli.search_diary import Diary
from genreg_np.cli.terminal import clean_line
from genreg_np.search.trials import DIVERGED, REMOVED

if TYPE_CHECKING:
    from genreg_np.search.searching import Search
    from genreg_np.search.trials import Trial

LINE_SECONDS = 5.0  # least time between lines if stdout is not a terminal
SHOWN = 5  # individuals of the leaderboard
PHASES = {
    "preparing": "splitting the data ...",
    "judging": "training the judge of images, unless it is cached ...",
    "training": "training the winner from scratch ...",
    "judging again": "judging the best again, on folds not used for selection ...",
}


class Board:
    """Shows a search.

    Parameters
    ----------
    progress : Progress
        Prints its lines.
    budget : float or None
        Total seconds for the search.
    diary : Path
        The file to which lessons write their progress, if any.
    alone : bool
        Whether there is a single individual, which is shown in more detail.
    started : float, optional
        The time.monotonic from which the budget counts; by default now.
    """

    def __init__(
        self, progress: Progress, budget: float | None, diary: Path, alone: bool, started: float | None = None
    ) -> None:
        self._progress, self._budget, self._path, self._alone = progress, budget, diary, alone
        self._started = time.monotonic() if started is None else started
        self._printed = -math.inf
        self._values: list[float] = []
        self._stopped: dict[str, int] = {}
        self._live: Any = None
        self._diary: Diary | None = None

    def phase(self, phase: str) -> None:
        """Announce a phase."""
        if phase == "searching" and not self._alone:
            self._live = _live(self._progress.console())
        elif phase in ("training", "judging again"):
            self.stop()
        if phase == "training" or (phase == "searching" and self._alone):
            self._diary = Diary(self._path, self._progress)
        if phase in PHASES:
            self._progress.say(PHASES[phase])

    def took(self, trial: Trial, search: Search[Any]) -> None:
        """Show a trial that has ended."""
        if trial.is_ok:
            self._values.append(trial.metrics[search.config.metric])
        else:
            self._stopped[trial.status] = self._stopped.get(trial.status, 0) + 1
            if trial.status not in (DIVERGED, REMOVED):
                self._progress.say(f"trial {trial.number} {trial.status}: {trial.why}")
        now = time.monotonic()
        if self._live is not None:
            self._live.update(self._table(search))
        elif now - self._printed >= LINE_SECONDS and search.best is not None:
            self._printed = now
            self._progress.say(self._line(search))

    def stop(self) -> None:
        """Stop updating the board."""
        if self._diary is not None:
            self._diary.close()
            self._diary = None
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self, search: Search[Any]) -> str:
        assert search.best is not None
        spent = duration(time.monotonic() - self._started) + (f" of {duration(self._budget)}" if self._budget else "")
        stopped = "".join(f", {count} {status}" for status, count in self._stopped.items())
        best, metric, tried = search.best, search.config.metric, len(search.course.trials)
        return (
            f"{tried:,} trial{'s' * (tried != 1)}, {search.running} running, {spent}: "
            f"best {search.called} {search.shown(best.metrics[metric])} "
            f"(individual {best.child}, {search.told(best)}), "
            f"median {search.shown(statistics.median(self._values or [best.metrics[metric]]))}{stopped}"
        )

    def _table(self, search: Search[Any]) -> Any:
        from rich.table import Table

        table = Table(title=clean_line(self._line(search)) if search.best else None, title_justify="left")
        for name in ("individual", search.called, "what", "seconds", "how"):
            table.add_column(name, justify="left" if name in ("what", "how") else "right")
        for trial in search.leaders(SHOWN):
            table.add_row(
                str(trial.child), search.shown(trial.metrics[search.config.metric]), clean_line(search.told(trial)),
                f"{trial.seconds:.1f}", clean_line(trial.how),
            )  # fmt: skip
        return table


def _live(console: Any) -> Any:
    """Return a live display for the table on a console of rich; None without one."""
    if console is None:
        return None
    from rich.live import Live

    live = Live(console=console, refresh_per_second=4)
    live.start()
    return live
