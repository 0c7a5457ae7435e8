"""`genreg-np report`: write a report page about a run or a model."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genreg_np.cli.output import print_json
from genreg_np.cli.reading import reader_options
from genreg_np.cli.terminal import say
from genreg_np.errors import GenregError, RunError, UsageError
from genreg_np.files import open_regular, write_atomic

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset
    from genreg_np.report.page import Shows
    from genreg_np.report.subject import Subject

PAGE, FIGURES = "report.html", "report-figures"  # a file and a folder
MOST_HEAD = 1 << 16  # bytes at the beginning of a page, which contain the names of its figures

HELP = """\
Write a report page about a run or a model: report.html, a single file that works offline, and its pictures.

It shows the course of training, confusions and confidence, what units respond to, and the structure of hidden values.
For a run the page is RUN/report.html; for a model, MODEL-report/report.html beside it.
"""
EXAMPLES = """\b
Examples:
  genreg-np report runs/mnist-fast-0
  genreg-np report runs/mnist-fast-0 --compare runs/mnist-nodes-0 --out both/
  genreg-np report model.npz --dataset photos/
"""


@click.command("report", help=HELP, epilog=EXAMPLES)
@click.argument("source", metavar="RUN|MODEL", type=click.Path())
@click.option("--compare", multiple=True, type=click.Path(), metavar="RUN", help="Another run beside it; repeatable.")
@click.option("--dataset", help="Name or path of its data; by default as in training.")
@click.option("--data-dir", help="Where to look for datasets first.")
@reader_options
@click.option("--out", type=click.Path(), help="The folder to write to.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
def command(
    source: str, compare: tuple[str, ...], dataset: str | None, data_dir: str | None, out: str | None, as_json: bool,
    **options: Any,
) -> None:  # fmt: skip
    """Write a page."""
    if compare and dataset:
        raise UsageError("--dataset names the data of one run: leave it out with --compare")
    folder = _folder(Path(source), out, bool(compare))
    check(folder)
    subjects = [_opened(one, dataset, data_dir, options) for one in (source, *compare)]
    page, size, figures = write(subjects, folder)
    if as_json:
        print_json({"report": str(page), "figures": figures, "bytes": size})
    else:
        say(f"{page}: {size:,} bytes; {figures} figures in {folder / FIGURES}")


def check(folder: Path | None = None) -> None:
    """Check, before any computation, that a page can be drawn here, and written to a folder.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    RunError
        If the folder, or its nearest existing parent, cannot be written to, or something is in the page's place.
    """
    from genreg_np.report.shown import new_figure

    new_figure()
    if folder is None:
        return
    page, figures = folder / PAGE, folder / FIGURES
    if page.is_dir() and not page.is_symlink():
        raise RunError(f"{page}: is a folder in the page's place; move it away, or choose another --out")
    if figures.is_symlink():
        raise RunError(f"{figures}: is a symbolic link, and nothing is written through links; remove it")
    nearest = next(place for place in (figures, *figures.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise RunError(f"{folder}: cannot be written ({nearest} is not a folder); choose another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise RunError(f"{folder}: cannot be written ({os.strerror(errno.EACCES)}); choose another --out")


def write(subjects: Sequence[Shows], folder: Path) -> tuple[Path, int, int]:
    """Write the page about some subjects to a folder; return its path, its size in bytes and its number of figures.

    Raises
    ------
    RunError
        If it cannot be written.
    """
    from genreg_np.report.page import figures_of, page_of

    check(folder)
    text, pictures = page_of(subjects)
    page, figures = text.encode("utf-8"), folder / FIGURES
    try:
        figures.mkdir(parents=True, exist_ok=True)
        for name, png in pictures.items():
            write_atomic(figures / name, png)
        for old in set(figures_of(_head(folder / PAGE))) - set(pictures):
            (figures / old).unlink(missing_ok=True)
        write_atomic(folder / PAGE, page)
    except OSError as error:
        raise RunError(f"{folder}: cannot be written ({error.strerror or error}); choose another --out") from None
    return folder / PAGE, len(page), len(pictures)


def _head(page: Path) -> str:
    """Return the beginning of an existing page, or ""."""
    try:
        with open_regular(page, follow_links=False) as file:
            return file.read(MOST_HEAD).decode("utf-8", "replace")
    except OSError:
        return ""


def later_lines(run: Path) -> list[str]:
    """Return lines on how to write the page of a run that was stopped."""
    return ["Write its report with:", f"  genreg-np report {shlex.quote(str(run))}"]


@contextlib.contextmanager
def failing_last() -> Iterator[Callable[[Callable[[], Path]], Path | None]]:
    """Delay the error of a failed page until everything else is printed, since the results are saved."""
    failures: list[GenregError] = []

    def make(write_one: Callable[[], Path]) -> Path | None:
        try:
            return write_one()
        except GenregError as error:
            failures.append(error)
            return None

    yield make
    if failures:
        raise failures[0]


def of_own_run(run: Path, data: Dataset | None) -> Path:
    """Write the page of a run that has just ended into its folder, and return its path; raises as `write` does."""
    from genreg_np.model import load
    from genreg_np.report.subject import Subject
    from genreg_np.runs.stored import StoredRun

    return write([Subject(run.name, load(run / "model.npz"), data, run=StoredRun.read(run))], run)[0]


def of_own_search(folder: Path, data: Dataset) -> Path:
    """Write the page of a search that has just ended into its folder, and return its path; raises as `write` does."""
    from genreg_np.report.opening import of_found

    return write([of_found(folder, data)], folder)[0]


def of_own_table(folder: Path) -> Path:
    """Write the page of a search for pipelines that has just ended, and return its path; raises as `write` does."""
    from genreg_np.report.pipelines import PipelineSubject
    from genreg_np.search.stored import StoredSearch

    return write([PipelineSubject.of(StoredSearch.read(folder))], folder)[0]


def _opened(source: str, dataset: str | None, data_dir: str | None, options: dict[str, Any]) -> Shows:
    """Return a run folder or a model file as a subject; warn if its data are missing."""
    from genreg_np.report.opening import of_run, of_search
    from genreg_np.search.stored import is_search

    path = Path(source)
    subject: Shows
    if is_search(path):
        subject, missing = of_search(path, dataset, data_dir)
    elif path.is_dir():
        subject, missing = of_run(path, dataset, data_dir)
    else:
        subject, missing = _of_model(source, dataset, data_dir, options)
    if missing:
        say(f"{source}: shown without data: {missing}", err=True)
    return subject


def _of_model(source: str, dataset: str | None, data_dir: str | None, options: dict[str, Any]) -> tuple[Subject, str]:
    """Return a model file as a subject, with the named data or the built-in dataset it was trained on."""
    from genreg_np.cli.eval_ import check_fit, load_for, trained_on
    from genreg_np.model import load
    from genreg_np.report.subject import Subject

    model = load(source)
    own = Subject(Path(source).name, model)
    if own.is_own and dataset is None:
        return own, ""
    try:
        name = dataset or trained_on(source, model)
    except UsageError as error:
        return Subject(Path(source).name, model, missing=f"its data are not at hand ({error})"), str(error)
    data = load_for(model, name, options, data_dir=data_dir)
    return Subject(Path(source).name, model, data, check_fit(name, data, model)), ""


def _folder(source: Path, out: str | None, several: bool) -> Path:
    """Return the folder for the page."""
    if out is not None:
        return Path(out)
    if several:
        raise UsageError("--compare makes a page about several runs: choose its folder with --out FOLDER")
    return source if source.is_dir() else source.with_name(f"{source.stem}-report")
