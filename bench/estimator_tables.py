"""The tables of docs/estimators.md: the benefit of training on the metric itself, and how long fits take."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from tables import RESULTS, read, table

WAYS = ("on the metric", "likelihood", "likelihood, tuned", "class weights", "boosting, class weights")
OURS = WAYS[0]
CALLED = dict(zip(WAYS[1:], ("likelihood", "tuned biases", "class weights", "boosting"), strict=True))


def metrics() -> str:
    """Return a table for each metric, and on how many tables training on it is at least as good as each alternative."""
    found, said = read("estimators")["metrics"], []
    seeds = len(next(iter(found.values())))
    for metric in ("macro-F1", "cost"):
        sign, rows, wins = -1 if metric == "cost" else 1, [], dict.fromkeys(WAYS[1:], 0)
        for name, lines in found.items():
            means = {way: statistics.mean(line[metric][way] for line in lines) for way in WAYS}
            for way in wins:
                wins[way] += means[OURS] >= means[way]
            rows.append([name, f"{lines[0]['rarest']}", *(f"{sign * means[way]:.3f}" for way in WAYS)])
        told = ", ".join(f"{CALLED[way]} on {count}" for way, count in wins.items())
        less = ", where less is better," if metric == "cost" else ""
        said.append(
            f"{table([metric, 'rows of the rarest class', *WAYS], rows)}\n\n"
            f"On {len(rows)} tables, training on the {metric}{less} is at least as good as {told}."
        )
    return "\n\n".join([
        f"Scores on rows that none of them saw, means of {seeds} draws (`bench/estimators.py metrics`). A network of "
        "32 units is trained in four ways: evolved on the metric; by likelihood; by likelihood, with biases then tuned "
        "for the metric on all rows that it learned from (for two classes that is a threshold); and with balanced "
        "class weights. Beside it is scikit-learn's histogram gradient boosting with class weights. A missed "
        "sample costs the more, the rarer its class is.",
        *said,
    ])  # fmt: skip


def speed() -> str:
    """Return the times of a fit and of a prediction."""
    found, machine = read("estimators")["speed"], read("estimators")["machine"]
    return (
        f"A fit of `GenregClassifier()` to breast cancer (569 rows, 30 columns) takes {found['fit']:.1f} s once "
        f"kernels are compiled; predicting 100,000 rows takes {1e3 * found['predict']:.0f} ms. scikit-learn's "
        "`MLPClassifier` with as many units predicts them in "
        f"{1e3 * found['MLPClassifier, predict']:.0f} ms, and needs them scaled and without missing values "
        f"({found['predict'] / found['MLPClassifier, predict']:.1f} x; one thread of {machine['processor']})."
    )


PAGE: dict[str, Callable[[], str]] = {}
if (RESULTS / "estimators.json").exists():
    PAGE |= {name: make for name, make in (("metrics", metrics), ("speed", speed)) if name in read("estimators")}
