"""`genreg-np experiment`: GENREG's open questions, each a study that can be run again."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from genreg_np.cli.output import DownloadLines, Progress, duration, print_json
from genreg_np.cli.runs import seconds_of
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.cli.terminal import say
from genreg_np.errors import GenregError, UsageError, missing_extra

if TYPE_CHECKING:
    from genreg_np.experiments.running import Told

HELP = """\
Run a study of a question that GENREG's author left open, measured over several seeds.

Without NAME, the studies are listed. Results go to FOLDER/NAME.json as they come in; tables, pictures and answers to
FOLDER/NAME.md. Nothing is measured twice: the same command continues where it was stopped.
"""
EXAMPLES = """\b
Examples:
  genreg-np experiment
  genreg-np experiment capacity --quick
  genreg-np experiment mutation --seeds 5 --budget 30m
"""


@click.command("experiment", help=HELP, epilog=EXAMPLES)
@click.argument("name", required=False)
@click.option("--quick", is_flag=True, help="The same question on the 8x8 digits, in a minute; needs no data.")
@click.option("--toy", is_flag=True, hidden=True)
@click.option(
    "--seeds", type=click.IntRange(1, 100), help="Seeds for each case.  [default: 3, more for some; --quick 2]"
)
@click.option("--budget", help="Start no measurement after 60s, 5m, 1h; the rest is left for the next time.")
@click.option("--only", multiple=True, metavar="CASE", help="Only cases whose names begin with this; repeatable.")
@click.option("--workers", type=click.IntRange(0, 64), help="Number of processes.  [default: one per core]")
@click.option("--anew", is_flag=True, help="Repeat measurements that are already there.")
@click.option("--data-dir", help="Where to look for datasets first.")
@click.option("--out", type=click.Path(), default="experiments", help="The folder to write to.  [default: experiments]")
@click.option("--quiet", is_flag=True, help="Print only the answers.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
@click.pass_obj
def command(
    stopping: Stopping, name: str | None, quick: bool, toy: bool, seeds: int | None, budget: str | None,
    only: tuple[str, ...], workers: int | None, anew: bool, data_dir: str | None, out: str, quiet: bool, as_json: bool,
) -> int:  # fmt: skip
    """List the studies, or run one."""
    if name is None:
        from genreg_np.experiments import REGISTRY, study

        _refuse_options()
        return _list({known: study(known).question for known in REGISTRY}, as_json)
    if quick and toy:
        raise UsageError("--quick and --toy are two sizes: choose one of them")
    progress, size = Progress(quiet, as_json), "toy" if toy else "quick" if quick else "full"
    stopping.last_words = ["stopped; nothing was measured"]
    try:
        return _studied(stopping, progress, name, size, seeds, seconds_of(budget), only, workers, anew, data_dir, out,
                        as_json)  # fmt: skip
    except KeyboardInterrupt:
        pass
    except (ImportError, GenregError):
        if not stopping.asked:  # else it is what became of a KeyboardInterrupt in a package that was being imported
            raise
    for line in stopping.last_words:
        progress.say(line)
    return INTERRUPTED


def _studied(
    stopping: Stopping, progress: Progress, name: str, size_name: str, seeds: int | None, seconds: float | None,
    only: tuple[str, ...], workers: int | None, anew: bool, data_dir: str | None, out: str, as_json: bool,
) -> int:  # fmt: skip
    """Run the measurements and write the page."""
    from genreg_np.experiments import study
    from genreg_np.experiments.base import SIZES, chosen_cases
    from genreg_np.experiments.page import trial_of, write_page
    from genreg_np.experiments.record import Record, StudyFolder, file_of
    from genreg_np.experiments.running import run_study, to_measure

    chosen, size = study(name), SIZES[size_name]
    cases = chosen_cases(chosen, size, only)
    _needs()
    with _data_in(data_dir), StudyFolder.create(Path(out)) as folder:
        record = Record.read(chosen, size, folder)
        due = to_measure(record, cases, seeds, anew)
        try:
            chosen.check([case for case, _ in due], DownloadLines(progress.say))
        except BaseException:
            folder.discard()  # if it is empty
            raise
        progress.say(f"study {name}: {len(cases)} cases; {_counted(len(due))} to do")
        stopping.last_words = ["stopped. What was measured is saved; resume with the same command."]

        def told(one: Told) -> None:
            what = f"{one.case.name}, seed {one.seed}"
            how = f"failed: {one.failed}" if one.failed else duration(one.seconds)
            progress.say(f"{one.done}/{one.total}  {what}: {how}")

        _warm_up(due, progress)
        ended = run_study(record, due, budget=seconds or math.inf, workers=workers, told=told)
        everything = chosen_cases(chosen, size, ())
        page = Path(out) / write_page(record, everything)
        answers = list(chosen.answers(record.results(everything)))
        trial = trial_of(record, everything)
    stopping.all_is_saved()
    for case, why in ended.failed.items():
        say(f"warning: {case} failed: {why}", err=True)
    if as_json:
        told_of = [{"document": one.source, "claim": one.claim, "finding": one.finding} for one in answers]
        print_json(
            {"study": name, "size": size.name, "page": str(page),
             "results": str(Path(out) / file_of(chosen, size, "json")),
             "measured": ended.measured, "left": ended.left, "failed": ended.failed, "answers": told_of}
        )  # fmt: skip
    else:
        if trial:
            say("", f"this is {trial}")
        for one in answers:
            say("", f"{'asked' if one.added else 'claimed'} ({one.text}): {one.claim}", f"found: {one.finding}")
        say("", f"page {page}")
        if ended.left:
            say(f"{_counted(ended.left)} left: resume with the same command")
    return 1 if ended.failed else 0


def _refuse_options() -> None:
    """Raise an error for an option that says something of a study, when none is named."""
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if given and parameter.name != "as_json":
            raise UsageError(f"{parameter.opts[0]} needs the name of a study")


def _needs() -> None:
    """Raise an error if a package for measuring or for drawing the page is missing."""
    from genreg_np.report.shown import new_figure

    for package in ("scipy", "sklearn"):
        try:
            importlib.import_module(package)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != package:
                raise
            raise missing_extra(f"{package.replace('sklearn', 'scikit-learn')}", "train", "run a study") from None
    new_figure()


def _warm_up(due: Sequence[object], progress: Progress) -> None:
    """Compile the kernels here, with progress, so that all processes find them compiled."""
    if due:
        from genreg_np.backends.base import Work
        from genreg_np.experiments.training import backend

        backend().warm_up((Work.BROODS, Work.PAIRS, Work.LOGITS, Work.FOLLOWING), progress.compiling)
        progress.stop()


@contextlib.contextmanager
def _data_in(folder: str | None) -> Iterator[None]:
    """Let this process and its children look for datasets in a folder first."""
    before = os.environ.get("GENREG_DATA")
    if folder is not None:
        os.environ["GENREG_DATA"] = os.path.abspath(folder)
    try:
        yield
    finally:
        if folder is not None:
            os.environ.pop("GENREG_DATA")
            os.environ |= {} if before is None else {"GENREG_DATA": before}


def _list(questions: dict[str, str], as_json: bool) -> int:
    if as_json:
        print_json(questions)
        return 0
    width = max(map(len, questions))
    say(*(f"  {name:<{width}}  {question}" for name, question in questions.items()))
    say("", "try one in a minute:", f"  genreg-np experiment {next(iter(questions))} --quick")
    return 0


def _counted(count: int) -> str:
    return f"{count} measurement{'' if count == 1 else 's'}"
