"""Leaderboard of a search: the best individuals, and why others failed."""

from __future__ import annotations

from collections import Counter

from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Searched
from genreg_np.search.pareto import front_of, rows_of
from genreg_np.search.stored import StoredSearch
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.trials import Trial

SHOWN, REASONS = 10, 5


def section(subject: Searched) -> Shown | None:
    """Show the best individuals of a search; None for other subjects."""
    search = subject.search
    if search is None or not search.trials:
        return None
    parts = [_table(search)]
    if search.config.second and (front := front_of(search.trials, search.config.second)):
        parts.append(_front(search, front))
    failed = [trial for trial in search.trials if not trial.is_ok]
    if failed and search.config.kind != "gan":  # of pairs there is a table for each: samples.py
        reasons = Counter((trial.status, trial.why) for trial in failed).most_common(REASONS)
        rows = [(status, f"{count:,}", why) for (status, why), count in reasons]
        parts.append(Table(("ended", "trials", "why"), rows, "trials that failed"))
    return Shown("Search", _words(search, len(failed)), parts)


def _words(search: StoredSearch, failed: int) -> str:
    """Return sentences on what was tried, and with what result."""
    individuals, rungs = len({trial.child for trial in search.trials}), {trial.rung for trial in search.trials}
    counts = [len([trial for trial in search.trials if trial.rung == rung]) for rung in sorted(rungs)]
    ladder = ", ".join(f"{count:,}" for count in counts)
    more = "more folds for judging" if of_tables(search) else "more and more samples to learn from"
    said = [
        f"{individuals:,} individuals were tried with selection {search.config.selection}: {ladder} of them at rungs "
        f"with {more}."
    ]
    if failed:
        said.append(f"{failed:,} trial{'s' * (failed != 1)} failed.")
    if search.notes.get("ended"):
        said.append(f"It ended by {search.notes['ended']}.")
    if (winner := search.winner) is not None:
        place = [trial.child for trial in search.leaders].index(winner.child) + 1
        if of_tables(search):  # what it was chosen by is in short above
            said.append(f"The result is individual {winner.child}, number {place} by its folds.")
        else:
            by = "the same images in other folds" if search.has_folds else "images that were not used for selection"
            said.append(f"Individual {winner.child} won: number {place} in the search, best of the leaders by {by}.")
    elif not of_tables(search):
        said.append("There is no winner yet: the model is the best so far.")
    elif search.handed_over:
        said.append(f"The result is {search.handed_over}.")
    return " ".join(said)


def _front(search: StoredSearch, front: list[Trial]) -> Table:
    second, metric = search.config.second, search.config.metric
    rows = rows_of(front, second, metric)
    return Table(("individual", second, metric), rows, f"no individual is better in both {metric} and {second}")


def of_tables(search: StoredSearch) -> bool:
    """Return whether individuals are pipelines, which are judged by folds and have no weights to count."""
    return search.config.kind == "table"


def _table(search: StoredSearch) -> Table:
    metric = search.config.metric
    caption = "best, each at the highest rung that it reached"
    if of_tables(search):
        leaders = search.leaders[:SHOWN]
        scoring = Scoring(metric)
        pipelines = [(_name(search, one), scoring.shown(one.score), f"{one.samples}", one.network) for one in leaders]
        caption = f"the {len(pipelines)} {caption}; with settings that differ from the usual ones"
        return Table(("individual", scoring.words, "folds", "pipeline"), pipelines, caption)
    rows = [
        (
            _name(search, trial),
            f"{trial.metrics.get(metric, float('nan')):.4f}",
            f"{trial.select[metric]:.4f}" if metric in trial.select else "-",
            f"{trial.samples:,}",
            f"{trial.parameters:,}",
            f"{trial.macs:,}",
            trial.network,
        )
        for trial in search.leaders[:SHOWN]
    ]
    head = ("individual", f"{metric}, search", "select", "samples", "weights", "multiply-adds", "network")
    return Table(head, rows, f"the {len(rows)} {caption}")


def _name(search: StoredSearch, trial: Trial) -> str:
    return f"{trial.child}{' (winner)' if search.winner and trial.child == search.winner.child else ''}"
