"""The tables of docs/search-tables.md: what searches reach on sixteen tables, usual models, anchors, and peers."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tables import RESULTS, read, standard_error, table

NOT_MODELS = ("no model", "usual together")  # besides the usual models of a library
PAIR = ("usual svm", "usual boosting")  # of the article that describes such searches
PEERS = ("FLAML", "TPOT")


def _usual(lines: list[dict[str, Any]]) -> dict[str, list[tuple[float, float]]]:
    """Return the held-out scores of each usual model and the winner, for searches that fitted that model in time."""
    names = [name for name in lines[0]["beside"] if name not in NOT_MODELS]
    found = {name: [(line["beside"][name]["held"], line["held"]) for line in lines] for name in names}
    return {name: own for name, held in found.items() if (own := [pair for pair in held if pair[0] == pair[0]])}


def _best(usual: dict[str, list[tuple[float, float]]]) -> tuple[str, float, list[float]]:
    """Return the usual model that the winner beats by least, by how much, and that model's scores."""
    gains = {name: statistics.mean(own - theirs for theirs, own in pairs) for name, pairs in usual.items()}
    best = min(gains, key=gains.__getitem__)
    return best, gains[best], [theirs for theirs, _ in usual[best]]


def _against(tables: dict[str, list[dict[str, Any]]], models: tuple[str, ...] = ()) -> str:
    """Return on how many tables winners are above the best of some usual models (by default all), and below it."""
    above, below, clearly = 0, [], []
    for name, lines in tables.items():
        usual = _usual(lines)
        best, gain, reached = _best({one: usual[one] for one in models or usual})
        above += gain > 0
        if gain < -standard_error(reached):
            below.append(name)
        if gain < -standard_error([own - theirs for theirs, own in usual[best]]):
            clearly.append(name)
    return (
        f"above it on {above}, below it by more than its standard error on {_counted(below)}, and by more than the "
        f"standard error of the difference on {_counted(clearly)}"
    )


def _counted(names: list[str]) -> str:
    return f"{len(names)} ({', '.join(names)})" if names else "none"


def _called(line: dict[str, Any]) -> str:
    """Return what won, in a word or two."""
    words = line["words"]
    is_usual = all(part.startswith("usual ") for part in words.removeprefix("together: ").split("; "))
    return line["model"] if not is_usual else "usual together" if words.startswith("together") else words


def pipelines() -> str:
    """Return a row for each table, and on how many of them searches beat the usual models."""
    found = read("search-pipelines")
    rows, gaps, flattered = [], [], []
    for name, lines in found["tables"].items():
        best, _, reached = _best(_usual(lines))
        mean = statistics.mean(line["held"] for line in lines)
        wanted, error = statistics.mean(reached), standard_error(reached)
        some = "" if len(reached) == len(lines) else f", fitted in time in {len(reached)} of {len(lines)}"
        again = [line["score"] for line in lines]
        gaps.append(statistics.mean(again) - mean)
        flattered.append(statistics.mean(line["best of the search"] for line in lines) - mean)
        models = sorted({_called(line) for line in lines})
        rows.append([
            name, f"{mean:.3f}", f"{statistics.mean(again):.3f}", f"{wanted:.3f} ({best.removeprefix('usual ')}{some})",
            f"{error:.3f}", f"{statistics.mean(line['trials'] for line in lines):,.0f}", ", ".join(models),
        ])  # fmt: skip
    head = ["table", "winner", "by new folds", "best usual model", "its standard error", "trials", "winners"]
    seeds, cores = len(next(iter(found["tables"].values()))), found["machine"]["cores"]
    processors = sorted({line["on"]["processor"] for lines in found["tables"].values() for line in lines})
    budget = statistics.median(line["seconds"] for lines in found["tables"].values() for line in lines)
    return (
        f"{table(head, rows)}\n\n"
        f"Accuracy, for numbers R2, on the fifth of the rows that was held out; means of {seeds} searches of 60 s "
        f"(the median took {budget:.0f} s), each with different rows held out. The best usual model is chosen with "
        "hindsight: the one that the winner beats by least, or loses to by most, on the same held-out rows. Of "
        f"{len(rows)} tables winners are {_against(found['tables'])}. If only the support vector machine and boosting "
        f"count as usual, winners are {_against(found['tables'], PAIR)}. New folds say on average "
        f"{statistics.mean(gaps):+.4f} more than the hold-out (standard error {standard_error(gaps):.4f}); the best of "
        f"the search by its own folds says {statistics.mean(flattered):+.4f} (standard error "
        f"{standard_error(flattered):.4f}). "
        f"{' and '.join(processors)}, {cores} cores."
    )


def anchors() -> str:
    """Return what support vector machines reach in few evaluations."""
    rows = [
        [
            name, f"{lines[0]['individuals']}", f"{statistics.mean(line['best by 3 folds'] for line in lines):.4f}",
            f"{min(line['best by 3 folds'] for line in lines):.4f}",
            f"{statistics.mean(line['held'] for line in lines):.4f}",
        ]
        for name, lines in read("search-pipelines")["anchors"].items()
    ]  # fmt: skip
    head = ["table", "individuals", "best by 3 folds", "worst search", "rows held out"]
    return (
        "Support vector machines alone: the best of so many individuals by three folds of all rows, mean and worst of "
        f"{len(next(iter(read('search-pipelines')['anchors'].values())))} searches; and what searches that held out "
        f"a fifth of the rows reach on that fifth.\n\n{table(head, rows)}"
    )


def peers() -> str:
    """Return the mean ranks of searches and of other programs on the same rows, and each table's scores."""
    found = read("pipeline-peers")
    names = [name for name in ("genreg-np", *PEERS) if all(name in methods for methods in found["tables"].values())]
    rows, ranks = [], {name: [] for name in names}
    for one, methods in found["tables"].items():
        scores = {name: [line["score"] for line in methods[name] if line["score"] is not None] for name in names}
        means = {name: statistics.mean(own) if own else float("-inf") for name, own in scores.items()}
        for name in names:
            ranks[name].append(1 + sum(means[other] > means[name] for other in names))
        rows.append([one, *(f"{means[name]:.3f}" if scores[name] else "none" for name in names)])
    rows.append(["mean rank", *(f"{statistics.mean(ranks[name]):.2f}" for name in names)])
    took = {
        name: statistics.median(line["seconds"] for methods in found["tables"].values() for line in methods[name]
                                if "seconds" in line)
        for name in PEERS
    }  # fmt: skip
    whys = {
        line["why"]: f"{name} on {one}" for one, methods in found["tables"].items() for name in PEERS
        for line in methods[name] if line["score"] is None
    }  # fmt: skip
    failed = "".join(f"; none, {where}: {why}" for why, where in whys.items())
    told = ", ".join(f"{name} {version} (median {took[name]:.0f} s)" for name, version in found["versions"].items())
    return (
        f"{table(['table', *names], rows)}\n\n"
        f"Accuracy, for numbers R2, on rows that none of them saw, after {found['seconds']:g} s on two cores; "
        f"{len(found['seeds'])} draw{'s' * (len(found['seeds']) != 1)} of each. {told}{failed}."
    )


PAGE: dict[str, Callable[[], str]] = {}
if (RESULTS / "search-pipelines.json").exists():
    PAGE["pipelines"] = pipelines
    if "anchors" in read("search-pipelines"):
        PAGE["anchors"] = anchors
if (RESULTS / "pipeline-peers.json").exists():
    PAGE["pipeline-peers"] = peers
