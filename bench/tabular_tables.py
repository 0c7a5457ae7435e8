"""The table of docs/tables.md: sixteen tables, our results and scikit-learn's."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tables import RESULTS, read, table

OURS = ("default", "selection")
OTHERS = ("linear", "boosting", "MLP")
FLOOR = "majority or mean"


def tabular() -> str:
    """Return accuracy or R2 of each method, and on how many tables ours are within a standard error of the best."""
    found = read("tabular")
    rows, within, seconds = [], dict.fromkeys(OURS, 0), []
    for name, methods in found["tables"].items():
        means = {method: statistics.mean(draw["score"] for draw in draws) for method, draws in methods.items()}
        best = max(OTHERS, key=means.__getitem__)
        scores = [draw["score"] for draw in methods[best]]
        error = statistics.stdev(scores) / len(scores) ** 0.5 if len(scores) > 1 else 0.0
        for method in OURS:
            within[method] += means[method] >= means[best] - error
        taken = statistics.mean(draw["seconds"] for draw in methods["default"])
        seconds.append(taken)
        shown = [f"{means[method]:.3f}" for method in (*OURS, *OTHERS, FLOOR)]
        rows.append([name, *shown, f"{error:.3f}", f"{taken:.1f}"])
    head = ["table", *OURS, "linear model", "boosting", "MLP", FLOOR, "standard error of the best", "seconds"]
    counted = ", ".join(f"{method} on {count}" for method, count in within.items())
    machine, seeds = found["machine"], len(found["seeds"])
    return (
        f"{table(head, rows)}\n\n"
        f"Accuracy, from *diabetes* on R2, of 30 % of the rows; means of {seeds} draws. Within one standard error of "
        f"the best of scikit-learn's three, of {len(rows)} tables: {counted}. Seconds are those of the default, from "
        f"the file to the predictions, at most {max(seconds):.1f}. {machine['processor']}, {machine['cores']} cores."
    )


PAGE: dict[str, Callable[[], str]] = {"tabular": tabular} if (RESULTS / "tabular.json").exists() else {}
