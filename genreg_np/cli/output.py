"""Output of commands: tables, a progress bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from genreg_np.cli.terminal import UNSAFE, Terminal, clean_line, say
from genreg_np.data.dataset import Dataset
from genreg_np.data.labels import short_name
from genreg_np.runs.evaluation import Evaluation

READING_LINE_SECONDS = 2.0  # between lines about the progress of reading
PLAIN_LINE_SECONDS = 2.0  # least time between progress lines if stdout is not a terminal


def percent(fraction: float | None) -> str:
    """Return e.g. "81.47 %"."""
    return "-" if fraction is None or fraction != fraction else f"{100 * fraction:.2f} %"


def duration(seconds: float) -> str:
    """Return e.g. "21.6 s", "4 min 05 s"."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def about(seconds: float) -> str:
    """Return an estimate in whole seconds or minutes, rounded up, e.g. "about 8 s"."""
    return f"about {math.ceil(seconds / 60)} min" if seconds > 90 else f"about {max(1, math.ceil(seconds))} s"


def print_json(value: Any) -> None:
    """Print a JSON value on one line of stdout, in any encoding; characters unsafe for terminals are escaped."""
    unicode = (sys.stdout.encoding or "utf-8").lower().startswith("utf")
    text = json.dumps(value, ensure_ascii=not unicode, allow_nan=False, sort_keys=True)
    say(UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text))


def per_class_lines(evaluation: Evaluation, names: Sequence[str]) -> list[str]:
    """Return a line per class: name, accuracy, a bar, and the classes it is most often confused with."""
    names = [short_name(name) for name in names]
    width = max(5, *(len(name) for name in names))
    lines = [f"  {'class':<{width}}  accuracy  {'':20}  most often taken for"]
    for index, (name, accuracy) in enumerate(zip(names, evaluation.per_class, strict=True)):
        if accuracy is None:
            continue
        errors = evaluation.confusion[index].copy()
        errors[index] = 0
        worst = [other for other in (-errors).argsort(kind="stable")[:3] if errors[other]]
        taken = ", ".join(f"{names[other]} ({errors[other]})" for other in worst)
        lines.append(f"  {name:<{width}}  {100 * accuracy:6.2f} %  {'█' * round(20 * accuracy):<20}  {taken}".rstrip())
    return lines


def confusion_lines(evaluation: Evaluation, names: Sequence[str]) -> list[str]:
    """Return the confusion matrix as lines: rows true classes, columns predicted ones."""
    short = [short_name(name, 8) for name in names]
    label = max(4, *(len(name) for name in short))
    width = max(len(str(evaluation.confusion.max())), *(len(name) for name in short)) + 1
    lines = [f"  {'true':<{label}} |" + "".join(f"{name:>{width}}" for name in short) + "   (predicted)"]
    for name, row in zip(short, evaluation.confusion, strict=True):
        lines.append(f"  {name:<{label}} |" + "".join(f"{count or '.':>{width}}" for count in row))
    return lines


class DownloadLines:
    """Reports which file is being downloaded, and how much of it.

    Parameters
    ----------
    say : callable
        Prints a line.
    live : bool
        Redraw one line on stderr (a terminal) instead.
    """

    def __init__(self, say: Callable[[str], None], live: bool = False) -> None:
        self._say, self._live, self._said = say, live, ""

    def __call__(self, name: str, done: int, total: int) -> None:
        """Take the file name, the bytes so far, and the total bytes or 0."""
        if self._live:
            share = f"{100 * done // total:3d} %" if total else f"{done >> 10:,} KiB"
            line = raw(sys.stderr)
            line.write(f"\r{clean_line(f'fetching {name}  {share}')}" + ("\n" if total and done >= total else ""))
            line.flush()
        elif name != self._said:
            self._said = name
            self._say(f"fetching {name}" + (f" ({total / 1e6:.1f} MB)" if total else ""))


class ReadingLines:
    """Reports how many pictures of a folder have been read, if that takes a while.

    Parameters
    ----------
    say : callable
        Prints a line.
    clock : callable
        The time in seconds, from any start.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._say, self._clock, self._said_at = say, clock, clock()

    def __call__(self, done: int, total: int) -> None:
        """Take the number of pictures read so far, and the total."""
        now = self._clock()
        if now - self._said_at >= READING_LINE_SECONDS and done < total:
            self._said_at = now
            self._say(f"{done:,} of {total:,} images read ...")


def pictures_words(dataset: Dataset) -> str:
    """Return a description of the pictures of a dataset from an image folder; "" for other datasets."""
    if not dataset.picture:
        return ""
    height, width = dataset.input_shape[-2:]
    colour = "colour" if len(dataset.input_shape) == 3 else "grey"
    return f", {height}x{width} pixels in {colour}, fit {dataset.picture['fit']}"


class Progress:
    """A run's progress: a live bar (with rich) on a terminal, otherwise an occasional line.

    Parameters
    ----------
    quiet : bool
        Print nothing.
    to_stderr : bool
        Print to stderr, leaving stdout to the result (with --json).
    prefix : str
        The beginning of every line.
    clock : callable
        The time in seconds, from any start.

    Attributes
    ----------
    compiled : bool
        Whether kernels had to be compiled, and now are.
    """

    def __init__(
        self, quiet: bool, to_stderr: bool, prefix: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet, self._to_stderr, self._prefix, self._clock = quiet, to_stderr, prefix, clock
        self._printed_at = -math.inf
        self._compiling_since: float | None = None
        self.compiled = False
        self._accuracy = ""
        self._bar: Any = None  # a rich Progress
        self._task: Any = None

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(clean_line(self._prefix + line), highlight=False, markup=False, emoji=False)
        else:
            say(self._prefix + line, err=self._to_stderr)

    def compiling(self, done: int, total: int, seconds_left: float) -> None:
        """Show how many kernels are compiled, as Backend.warm_up reports it: a line, a bar, and a line at the end.

        The first and the last call must come from the same thread; those in between may come from another.
        """
        from genreg_np.backends import compiled_how_often
        from genreg_np.backends.numba.pace import GIGAHERTZ

        if self._compiling_since is None:
            self._compiling_since = self._clock()
            self.say(
                f"compiling {total} kernels, {compiled_how_often()} ({about(seconds_left)} at {GIGAHERTZ} GHz) ..."
            )
            self._draw("kernel", total, done, transient=True)
        if (bar := self._bar) is not None:
            bar.update(self._task, completed=done, told=f"{about(seconds_left)} left")
        if done == total and not self.compiled:
            self.compiled = True
            self.stop()
            self.say(f"kernels compiled in {duration(self._clock() - self._compiling_since)}")

    def start(self, total: int, done: int) -> None:
        """Start with `done` of `total` generations."""
        self._draw("generation", total, done)

    def console(self) -> Any:
        """Return a console of rich to draw on; None if nothing can or should be drawn."""
        stream = sys.stderr if self._to_stderr else sys.stdout
        if self._quiet or not stream.isatty():
            return None
        try:
            from rich.console import Console
        except ImportError:
            return None
        console = Console(file=raw(stream))
        return None if console.is_dumb_terminal else console  # a dumb one cannot move the cursor back to redraw a line

    def _draw(self, what: str, total: int, done: int, *, transient: bool = False) -> None:
        """Start a bar if one can be drawn; a transient bar leaves no trace and shows no times."""
        console = self.console()
        if console is None:
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = [TextColumn(what), MofNCompleteColumn(), BarColumn(), TextColumn("{task.fields[told]}")]
        if not transient:
            columns += [TimeElapsedColumn(), TextColumn("eta"), TimeRemainingColumn()]
        bar = Bar(*columns, console=console, transient=transient)
        bar.start()
        self._task = bar.add_task("", total=total or None, completed=done, told="")
        self._bar = bar

    def update(self, record: dict[str, Any], total: int) -> None:
        """Show a generation's record."""
        generation = record["generation"]
        if "best_accuracy" in record:  # strategy mixed, where the whole population counts
            self._accuracy = f"mean accuracy {percent(record['mean_accuracy'])}"
        elif "validation_accuracy" in record:
            best = max(record["validation_accuracy"], record.get("consensus_validation_accuracy", 0.0))
            self._accuracy = f"validation {percent(best)}"
        elif "validation_score" in record:
            best = max(record["validation_score"], record.get("consensus_validation_score", -math.inf))
            self._accuracy = f"validation R2 {best:.4f}"
        elif "best_ever_fitness" in record:
            best, mean = record["best_ever_fitness"], record["fitness_mean"]
            self._accuracy = f"best ever {_shown(best, 'perfect')}, mean {_shown(mean, 'not finite')}"
        count = record.get("non_finite", 0)
        undefined = f"  {count:,} fitness values not finite so far" if count else ""
        if self._bar is not None:
            self._bar.update(self._task, completed=generation, total=total or None, told=self._accuracy + undefined)
        elif record.keys() & {"validation_accuracy", "validation_score", "best_ever_fitness"}:
            now = self._clock()
            if now - self._printed_at >= PLAIN_LINE_SECONDS or generation == total:
                self._printed_at = now
                own = "best_ever_fitness" in record  # the user's fitness, to which trust adds nothing
                earned = f"  best trust {record['best_trust']:.2f}" if "best_trust" in record and not own else ""
                for name in ("loss", "fitness"):
                    earned = f"  {name} {record[name]:.4f}" if name in record else earned
                of = f"/{total}" if total else ""
                line = f"generation {generation}{of}  {self._accuracy}{earned}  {duration(record['seconds'])}"
                self.say(line + undefined)

    def stop(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _shown(number: float | None, otherwise: str) -> str:
    """Return a fitness in few digits, or `otherwise` if it is None, as JSON has it for infinity and NaN."""
    return otherwise if number is None else f"{number:.6g}"


def raw(stream: Any) -> Any:
    """Return a stream that lets control characters through, for drawing."""
    return stream.raw() if isinstance(stream, Terminal) else stream
