"""Lineage: the ancestors of the winner of a search, back to a random individual, and what each step changed."""

from __future__ import annotations

from genreg_np.report.sections.leaderboard import of_tables
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Searched
from genreg_np.search.stored import StoredSearch
from genreg_np.search.trials import Trial

MOST = 30  # ancestors


def section(subject: Searched) -> Shown | None:
    """Show the ancestors of the winner, or of the best so far; None if it was not bred."""
    search = subject.search
    if search is None or not search.leaders:
        return None
    line = ancestors(search, (search.winner or search.leaders[0]).child)
    if len(line) < 2:
        return None
    first, last = line[-1], line[0]
    words = (
        f"The {_who(search)} has {len(line) - 1} ancestor{'s' if len(line) > 2 else ''}: from "
        f"{search.shown(first.score)} to {search.shown(last.score)} at the first rung."
    )
    return Shown("Lineage", words, [_table(search, line)])


def _who(search: StoredSearch) -> str:
    """Return the name of the individual whose ancestors are shown."""
    return "winner" if search.winner is not None else "best single individual"


def ancestors(search: StoredSearch, child: int) -> list[Trial]:
    """Return an individual followed by its ancestors at the first rung; of several parents, the first is followed."""
    first = {trial.child: trial for trial in search.trials if trial.rung == 0}
    line: list[Trial] = []
    while child in first and len(line) < MOST and first[child] not in line:
        line.append(first[child])
        if not line[-1].parents:
            break
        child = line[-1].parents[0]
    return line


def changes(search: StoredSearch, one: Trial, parent: Trial) -> str:
    """Return how an individual differs from its parent, as gene: before > after."""
    before, now = dict(parent.expressed), dict(one.expressed)
    told = [
        f"{name}: {before.get(name, '-')} > {now.get(name, '-')}"
        for name in (gene.name for gene in search.space.genes)
        if before.get(name) != now.get(name)
    ]
    return "; ".join(told) or "nothing that is expressed"


def _table(search: StoredSearch, line: list[Trial]) -> Table:
    rows = []
    for one, parent in zip(line, [*line[1:], None], strict=True):
        others = ", ".join(map(str, one.parents[1:]))
        changed = one.how if parent is None else changes(search, one, parent)
        weights = () if of_tables(search) else (f"{one.parameters:,}",)
        rows.append((str(one.child), search.shown(one.score), *weights, others or "-", changed))
    weights = () if of_tables(search) else ("weights",)
    return Table(
        ("individual", "score", *weights, "other parents", "changes from the one below"), rows,
        f"the {_who(search)} at the top, its ancestors below; scores at the first rung",
    )  # fmt: skip
