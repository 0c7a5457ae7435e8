"""`genreg-np search table`: find a pipeline for a table by evolution, and judge it on held-out rows."""

from __future__ import annotations

import math
import os
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genreg_np.cli import report_
from genreg_np.cli.output import Progress, duration
from genreg_np.cli.runs import fresh_folder, seconds_of
from genreg_np.cli.search_board import Board
from genreg_np.cli.search_conduct import Ending, conduct
from genreg_np.cli.search_options import SETTINGS, of_breeding, of_the_run, text_of
from genreg_np.cli.search_told import stopped
from genreg_np.cli.signals import Stopping
from genreg_np.errors import UsageError, missing_extra

if TYPE_CHECKING:
    from genreg_np.search.chance import Chance
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.found_table import FoundTable
    from genreg_np.search.tabular.reading import Reading

HELP = """\
Find a pipeline for a table: the preparation of its columns, and a model with its settings.

DATA is a .csv or .tsv. A fifth of its rows is held out, and the winner is measured on it once. The result is
pipeline.py, a scikit-learn script; or model.npz, if a network of this package wins.
"""
EXAMPLES = """\b
Examples:
  genreg-np search table penguins.csv --label species --budget 60s
  genreg-np search table credit.csv --models svm,boosting --metric f1
  genreg-np search table sales.csv --label price --metric neg_mean_absolute_error
  genreg-np search table visits.csv --group-column patient --generations 10
"""
REPEATABLE: Any = {"multiple": True, "default": ()}
OPTIONS = {"group": "group-column", "time": "time-column"}  # options whose names differ from the settings'
READING = ("label", "keep", "drop", "kind", "task", "header", "separator", "group", "time", "positive")


@click.command("table", help=HELP, epilog=EXAMPLES)
@click.argument("data", required=False)
@click.option("--label", help="The column to predict.  [default: class, label or target, else the last]")
@click.option("--task", help="classes or values.  [default: by the label column]")
@click.option("--keep", **REPEATABLE, metavar="COLUMN", help="Keep an uninformative column.")
@click.option("--drop", **REPEATABLE, metavar="COLUMN", help="Leave a column out.")
@click.option("--kind", **REPEATABLE, metavar="COLUMN=KIND", help="numbers, words, flags, dates or text.")
@click.option("--header/--no-header", default=None, help="Whether the first row names the columns.")
@click.option("--separator", help="comma, semicolon, tab, pipe or blank.")
@click.option("--group-column", "group", help="Rows with equal values here are never on both sides of a fold.")
@click.option("--time-column", "time", help="Test rows come later than training rows by this column.")
@click.option("--metric", help="Any scorer of scikit-learn.  [default: accuracy, or r2 for numbers]")
@click.option("--positive", metavar="CLASS", help="Positive class of f1, precision ...  [default: the second by name]")
@click.option("--models", help="Some of linear, svm, boosting, forest, neighbours, network.  [default: all]")
@click.option("--two-populations", is_flag=True, help="Breed column preparation and models separately.")
@click.option("--folds", type=click.IntRange(2, 100), help="Folds of cross-validation.  [default: 5]")
@of_breeding
@of_the_run
@click.pass_obj
def table(stopping: Stopping, /, **options: Any) -> int:
    """Search and print the results."""
    try:
        from genreg_np.search.tables import search_table
    except ImportError:
        raise missing_extra("scikit-learn", "train", "search pipelines") from None
    from genreg_np.search.searching import Watcher

    if options["report"]:
        report_.check()
    started, progress = time.monotonic(), Progress(options["quiet"], options["as_json"])
    reading, config, folder, budget = _set_up(options)
    board = Board(progress, budget, folder / "no diary", False, started)
    stopping.last_words = ["stopped; no search was started"]

    def on_phase(phase: str) -> None:
        if phase == "searching":
            stopping.last_words = stopped(folder, config, options, usual="60s")
            progress.say(f"search folder {folder}")
        if phase != "preparing":
            board.phase(phase)

    def search() -> FoundTable:
        return search_table(
            reading, config, folder, budget=budget, target=options["target"], workers=options["workers"],
            engine=options["engine"] or "processes", address=options["address"] or "",
            watcher=Watcher(board.took, on_phase, progress.say), started=started,
        )  # fmt: skip

    def tell(found: FoundTable) -> None:
        for line in _told(found):
            progress.say(line)

    ending = Ending(lambda found: report_.of_own_table(found.folder), _json, tell)
    return conduct(search, ending, folder, board, progress, stopping, options)


def _set_up(options: dict[str, Any]) -> tuple[Reading, SearchConfig, Path, float | None]:
    """Return how the table is read, the settings, the folder and the budget.

    Raises
    ------
    UsageError
        For options that contradict one another or the resumed search.
    """
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.folder import SearchFolder, check_new
    from genreg_np.search.tabular.reading import Reading

    if empty := next((name for name in ("models", "metric") if options[name] == ""), None):
        raise UsageError(f"--{empty} is empty: leave it out for the default, or name one")
    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations cannot be combined: give one of them")
    budget = seconds_of(options["budget"])
    given = {name: options[name] for name in (*SETTINGS, "models", "folds") if options.get(name) is not None}
    if options["two_populations"]:
        given["augmentation"] = "evolved"
    if "genome" in given:
        given["genome"] = text_of(Path(given["genome"]))
    reading = {name: options[name] for name in READING if options[name] not in (None, ())}
    if options["resume"] is None:
        if options["data"] is None:
            raise UsageError("which table? name a .csv file, as in: genreg-np search table data.csv --label y")
        config = SearchConfig.from_dict({"kind": "table", "metric": "", "population": 24} | given)
        told = Reading(options["data"], **reading)
        if not config.generations and budget is None:
            budget = 60.0
        folder = Path(options["out"]) if options["out"] else fresh_folder(
            Path(options["data"]).name.partition(".")[0] or "table", f"table-{config.selection}", config.seed
        )  # fmt: skip
        check_new(folder, config)
        return told, config, folder, budget
    folder = Path(options["resume"])
    if options["out"] or reading:
        name = "out" if options["out"] else OPTIONS.get(first := next(iter(reading)), first)
        raise UsageError(f"--resume names a search that has its own --{name}: leave it out")
    with SearchFolder.open(folder) as own:
        config, origin = own.read_config()
    if config.kind != "table":
        raise UsageError(f"{folder}: holds a search of another kind, {config.kind}, not table")
    config = SearchConfig.from_dict(config.to_dict() | given)
    if config.generations and budget is not None:
        raise UsageError("--resume of a search by generations takes --generations, not --budget")
    if not config.generations and budget is None:
        raise UsageError("--resume of a search with a budget needs --budget: how much longer should it run?")
    path = options["data"] or origin.get("source")
    if not isinstance(path, str):
        raise UsageError(
            f"{folder}: its table was in memory: resume it by fitting the estimator with this folder again"
        )
    known = origin.get("reading")
    kept = {name: known[name] for name in READING if name in known} if isinstance(known, dict) else {}
    return Reading(os.path.relpath(path) if options["data"] is None else path, **kept), config, folder, budget


def _chance(found: FoundTable) -> Chance:
    """Return how bred pipelines compare with random ones."""
    from genreg_np.search.chance import against_random
    from genreg_np.search.folder import trials_in

    return against_random(trials_in(found.folder / "trials.jsonl"))


def _json(found: FoundTable, report: Path | None) -> dict[str, Any]:
    """Return the line of --json."""
    judged = found.judged.plain()
    beside = {one.name: {"score": one.plain()["score"], "test_score": one.plain()["held"]} for one in found.beside}
    return {
        "metric": found.metric, "test_score": judged["held"], "score": judged["score"],
        "standard_error": judged["error"], "gap": None if math.isnan(found.gap) else found.gap, "beside": beside,
        "model": str(found.path), "genome": dict(found.genome), "winner": found.winner, "trials": found.trials,
        "rows": found.rows, "test_rows": found.held_rows, "new_folds": found.new_folds, "ended": found.ended,
        "seconds": found.seconds, "folder": str(found.folder), "report": None if report is None else str(report),
        "against_random": _chance(found).plain(),
    }  # fmt: skip


def _told(found: FoundTable) -> list[str]:
    """Return the results of a search, as lines."""
    from genreg_np.runs.measures import interval
    from genreg_np.search.found_table import NOT_CLEARLY
    from genreg_np.search.tabular.scoring import Scoring

    scoring, judged = Scoring(found.metric), found.judged
    lines = [f"{found.trials:,} trials, {duration(found.seconds)}, ended by {found.ended}", found.words]
    about = ""
    if found.metric == "accuracy" and not math.isnan(judged.held):
        low, high = interval(judged.held, found.held_rows)
        about = f", 95 % interval {low:.4f} to {high:.4f}"
    lines.append(f"{found.called}, {found.held_rows:,} rows held out: {scoring.shown(judged.held)}{about}")
    folds = f"{found.new_folds} new folds" if found.new_folds else "the search's folds"
    lines += ["", f"  {'':<18}{folds:>22}{'held out':>12}"]
    for one in (judged, *found.beside):
        spread = "(one fold)" if math.isnan(one.error) else f"± {one.error:.4f}"
        score = "not judged" if math.isnan(one.score) else f"{scoring.shown(one.score)} {spread}"
        held = "failed" if math.isnan(one.held) else scoring.shown(one.held)
        lines.append(f"  {one.name:<18}{score:>22}{held:>12}")
    if (other := found.not_clearly_better) is not None:
        lines.append(f"{NOT_CLEARLY}: {other.name}, {scoring.shown(other.score)}")
    if not found.new_folds:
        lines.append("there was no time to judge the best again: their scores in the search are optimistic")
    lines.append(_chance(found).words)
    where = shlex.quote(str(found.path))
    lines += ["", f"{'script' if found.file.endswith('.py') else 'model'} {found.path}", "", "try next:"]
    if found.file.endswith(".py"):
        lines.append(f"  python {where} NEW.csv predictions.csv")
    else:
        lines.append(f"  genreg-np infer {where} NEW.csv --out predictions.csv")
    folder = shlex.quote(str(found.folder))
    return [*lines, f"  genreg-np report {folder}", f"  genreg-np search explain {folder}"]
