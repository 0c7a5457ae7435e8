"""The tables of docs/experiments/mixed.md, from the results of bench/mixed.py."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from tables import RESULTS, number, table

from genreg_np.strategies.mixed import published

MISSING = "Not measured yet: `python bench/mixed.py`."
RESISTED = 0.1  # epsilon of the attack used to compare recipes
SHOWN = ("best on siblings", "child on children", "second baseline on baseline")
FULL = ("baseline on itself", "best on itself", "best on a mix", "child on itself", *SHOWN)

Run = dict[str, Any]


def known(case: str) -> dict[str, Any]:
    """Return the results of a case; empty if there are none."""
    path = RESULTS / f"mixed-{case}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def measured(case: str) -> dict[str, list[Run]]:
    """Return the runs of each variant that has any."""
    return {name: variant["runs"] for name, variant in known(case).items() if variant["runs"]}


def spread(values: Sequence[float | None], factor: float = 100, digits: int = 2) -> str:
    """Return mean and standard deviation over seeds; a dash if there are no values."""
    numbers = [factor * value for value in values if value is not None]
    if not numbers:
        return "-"
    deviation = f" ± {statistics.stdev(numbers):.{digits}f}" if len(numbers) > 1 else ""
    return f"{statistics.fmean(numbers):.{digits}f}{deviation}"


def attacked(run: Run, attack: str, epsilon: float | None, pairing: str) -> Run:
    """Return a run's row for an attack; empty if it was not measured."""
    for row in run["attacks"]:
        if (row["attack"], row["pairing"]) == (attack, pairing) and epsilon in (None, row["epsilon"]):
            return dict(row)
    return {}


def filled(write: Callable[[], str]) -> Callable[[], str]:
    """Return a function that writes a table, or a note if nothing was measured."""

    def or_missing() -> str:
        return write() or MISSING

    return or_missing


@filled
def machine() -> str:
    """Return the machine and the seeds of the runs, and whether they differ between runs."""
    variants = [runs for case in ("paper", "cells") for runs in measured(case).values()]
    counts = Counter(described(run["machine"]) for runs in variants for run in runs)
    if not counts:
        return ""
    all_seeds = sorted({run["seed"] for runs in variants for run in runs})
    seeds = f"seeds {', '.join(map(str, all_seeds))}"
    if any(sorted(run["seed"] for run in runs) != all_seeds for runs in variants):
        seeds += ", not all of them in every row"
    if len(counts) == 1:
        return f"{next(iter(counts))}; {seeds}."
    each = "; ".join(f"{count} runs: {about}" for about, count in counts.most_common())
    return f"Not all runs on the same machine and versions. {each}. Together {seeds}."


def described(about: dict[str, Any]) -> str:
    """Return processor, cores and versions of a run."""
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"{about['processor']}, {about['cores']} cores; {versions}"


@filled
def steps() -> str:
    """Return the milliseconds of a step of all networks."""
    found = known("steps")
    if not found:
        return ""
    first = next(iter(found["figures"].values()))["median_ms"]
    rows = [
        [name, number(figure["median_ms"]), f"{figure['median_ms'] / first:.2f}"]
        for name, figure in found["figures"].items()
    ]
    return table([f"a step of {found['population']} networks, batch {found['batch']}", "median ms", "of ours"], rows)


@filled
def slopes() -> str:
    """Return how close the weights are to PyTorch's."""
    found = {name: value for name, value in known("slopes").items() if "," in name}
    rows = [
        [name, *(f"{value[backend]['root_mean_square']:.1e}" for backend in ("numpy", "numba"))]
        for name, value in found.items()
    ]
    return table(["network, optimiser", "numpy", "numba"], rows) if rows else ""


@filled
def accuracy() -> str:
    """Return the mean accuracy of the population by generation, published and ours."""
    found = measured("paper")
    rows = []
    for name, runs in found.items():
        for generation, (mean, best, worst) in enumerate(published.ACCURACY[name]):
            curves = [run["curve"][generation] for run in runs if generation < len(run["curve"])]
            ours = [spread([one[f"{which}_accuracy"] for one in curves]) for which in ("mean", "best", "worst")]
            theirs = [f"{100 * value:.2f}" for value in (mean, best, worst)]
            rows.append([name, str(generation + 1), theirs[0], ours[0], theirs[1], ours[1], theirs[2], ours[2]])
    head = ["network", "generation", "mean, published", "ours", "best, published", "ours", "worst, published", "ours"]
    return table(head, rows) if rows else ""


@filled
def single() -> str:
    """Return the accuracy of the baseline, and the seconds of evolution."""
    rows = []
    for name, runs in measured("paper").items():
        baselines = [value for run in runs for value in run["baseline_accuracies"]]
        rows.append([name, spread(baselines), spread([run["seconds"] for run in runs], 1, 1)])
    if not rows:
        return ""
    theirs = ", ".join(f"{100 * value:.2f}" for value in published.BASELINE)
    rows.insert(0, ["published", theirs, "about 2,100"])
    return table(["", "single networks for six epochs, %", "seconds of evolution"], rows)


@filled
def likeness() -> str:
    """Return mean cosine and clusters by generation, in the paper's mode."""
    rows = []
    for name, runs in measured("paper").items():
        for generation in range(len(runs[0]["similarity_by_generation"])):
            alike = [
                spread([run["similarity_by_generation"][generation][layer] for run in runs], 1)
                for layer in range(len(runs[0]["layers"]))
            ]
            kinds = [
                spread([run["clusters_by_generation"][generation][layer] for run in runs], 1, 1)
                for layer in range(len(runs[0]["layers"]))
            ]
            pairs = [f"{layer}: {a} ({k})" for layer, a, k in zip(runs[0]["layers"], alike, kinds, strict=True)]
            rows.append([name, str(generation), "; ".join(pairs)])
    return table(["network", "generation", "layer: mean cosine (clusters)"], rows) if rows else ""


@filled
def paper_attacks() -> str:
    """Return the results of the published attack, published and ours, and of measures it leaves out."""
    rows = []
    for name, runs in measured("paper").items():
        for pairing in FULL:
            found = [attacked(run, "paper-fgsm", None, pairing) for run in runs]
            theirs = published.ATTACKED[name].get(pairing)
            keys = ("attacked", "clean", "attacked_of_both", "transfer")
            ours = [spread([row.get(key) for row in found]) for key in keys]
            rows.append([name, pairing, "-" if theirs is None else f"{100 * theirs:.2f}", *ours])
    head = ["network", "images made for", "published", "ours", "clean", "of both right", "transfer"]
    return table(head, rows) if rows else ""


@filled
def corrected_attacks() -> str:
    """Return the same for attacks that keep pixels in their range."""
    rows = []
    for name, runs in measured("paper").items():
        epsilons = sorted({row["epsilon"] for row in runs[0]["attacks"] if row["attack"] != "paper-fgsm"})
        for attack in ("fgsm", "pgd"):
            for epsilon in epsilons:
                cells = []
                for pairing in ("best on itself", *SHOWN):
                    found = [attacked(run, attack, epsilon, pairing) for run in runs]
                    both = [spread([row.get(key) for row in found]) for key in ("attacked", "transfer")]
                    cells.append(" / ".join(both))
                rows.append([name, f"{attack} {epsilon:g}", *cells])
    return table(["network", "attack", "best on itself", *SHOWN], rows) if rows else ""


@filled
def cells() -> str:
    """Return the results of each recipe."""
    rows = []
    for name, runs in measured("cells").items():
        row = [name, str(len(runs))]
        for place in (5, -1):  # after six generations, and at the end
            curves = [run["curve"][place] for run in runs if place < len(run["curve"])]
            row.append(spread([one["mean_accuracy"] for one in curves]))
        row.append(spread([run["mean_accuracy"] for run in runs]))
        row.append(spread([run["test_accuracy"] for run in runs]))
        for layer in range(len(runs[0]["layers"])):
            row.append(spread([run["similarity"][layer] for run in runs], 1))
        for pairing in ("best on siblings", "child on children"):
            row.append(spread([attacked(run, "fgsm", RESISTED, pairing).get("attacked_of_both") for run in runs]))
        rows.append(row)
    if not rows:
        return ""
    rows.append(_singles(next(iter(measured("cells").values()))))
    layers = [f"alike {layer}" for layer in next(iter(measured("cells").values()))[0]["layers"]]
    head = ["recipe", "seeds", "validation, gen. 6", "at the end", "test, mean", "test, fittest", *layers]
    return table([*head, "siblings resist", "children resist"], rows)


def _singles(runs: list[Run]) -> list[str]:
    """Return the row of two single networks trained for as many epochs and never crossed."""
    accuracies = [value for run in runs for value in run["baseline_accuracies"]]
    resisted = [attacked(run, "fgsm", RESISTED, "second baseline on baseline").get("attacked_of_both") for run in runs]
    likeness = ["-"] * len(runs[0]["layers"])
    return ["two single networks", str(len(runs)), "-", "-", spread(accuracies), "-", *likeness, spread(resisted), "-"]


@filled
def newcomers() -> str:
    """Return how many newcomers survive, by generation."""
    rows = []
    for name, runs in {**measured("paper"), **measured("cells")}.items():
        if any(record["newcomers_kept"] for run in runs for record in run["curve"]) or "newcomers" in name:
            length = min(len(run["curve"]) for run in runs)
            counts = [statistics.fmean(run["curve"][at]["newcomers_kept"] for run in runs) for at in range(length)]
            rows.append([name, " ".join(f"{count:.1f}" for count in counts)])
    return table(["recipe", "newcomers among the 20 after generation 1, 2, ..., mean over seeds"], rows) if rows else ""


PAGE = {
    "machine": machine,
    "steps": steps,
    "slopes": slopes,
    "accuracy": accuracy,
    "single": single,
    "likeness": likeness,
    "paper attacks": paper_attacks,
    "corrected attacks": corrected_attacks,
    "cells": cells,
    "newcomers": newcomers,
}
