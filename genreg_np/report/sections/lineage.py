"""Lineage: whom the winner of a search was bred of, back to a random individual, and what each step changed."""

from __future__ import annotations

from genreg_np.report.sections.leaderboard import of_tables
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Searched
from genreg_np.search.stored import StoredSearch
from genreg_np.search.trials import Trial

MOST = 30  # ancestors


def section(subject: Searched) -> Shown | None:
    """Show the ancestors of the winner, or of the best so far; nothing where nobody was bred."""
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
    """Return what the individual is whose ancestors are shown."""
    return "winner" if search.winner is not None else "best single one"


def ancestors(search: StoredSearch, child: int) -> list[Trial]:
    """Return an individual and its ancestors at the first rung, itself first; of several parents the first is taken."""
    first = {trial.child: trial for trial in search.trials if trial.rung == 0}
    line: list[Trial] = []
    while child in first and len(line) < MOST and first[child] not in line:
        line.append(first[child])
        if not line[-1].parents:
            break
        child = line[-1].parents[0]
    return line


def changes(search: StoredSearch, one: Trial, parent: Trial) -> str:
    """Return what an individual has otherwise than its parent, as gene: before > after."""
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
        ("individual", "score", *weights, "also bred of", "what it has otherwise than the one below"), rows,
        f"the {_who(search)} at the top, whom it was bred of below; scores at the first rung",
    )  # fmt: skip
