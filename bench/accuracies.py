"""The accuracies in docs/accuracy.md and on the first pages, from bench/results/accuracy-RUNG.json."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import Any

from rungs import ABLATIONS, RUNGS, known_runs
from tables import RESULTS, number, read, table

PRESETS = (  # rungs named as the preset they train
    "fast", "middle", "best", "genreg-2", "nodes", "selection", "filters", "seed-mnist-64", "seed-mnist-32",
    "readme-text", "seed-alphabet", "alphabet", "nodes-small", "small", "convolution",
)  # fmt: skip
FASHION = ("nodes-fashion", "fast-fashion", "best-fashion", "fashion")
OTHER_DATA = (*FASHION, "seed-alphabet", "alphabet", "nodes-small", "small")
MARKS = (0.90, 0.95, 0.97, 0.98, 0.99)  # validation accuracies whose times are listed


def saved(run: dict[str, Any]) -> float:
    """Return the test accuracy of the saved genome: the one with the better validation accuracy."""
    test = run["test"]
    return float(test.get(run["saved"], next(iter(test.values()))))


def spread(values: list[float], digits: int = 1) -> str:
    """Return "mean (least - most)" in percent."""
    mean, least, most = (f"{100 * value:.{digits}f}" for value in (statistics.fmean(values), min(values), max(values)))
    return f"{mean} ({least} - {most})"


def quickest(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the least disturbed run: all seeds do the same work, so it is the one that took least time."""
    return min(runs, key=lambda run: float(run["seconds"]))


def middle(runs: list[dict[str, Any]], key: str) -> float | None:
    """Return the median of a measured value; None if it was not measured."""
    values = [run[key] for run in runs if key in run]
    return statistics.median(values) if values else None


def machine() -> str:
    found = known_runs("nodes")[0]["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return f"{found['processor']}, {found['cores']} cores; {versions}."


def presets(names: Sequence[str] = PRESETS) -> str:
    rows = []
    for name in names:
        if not (runs := known_runs(name)):
            continue
        best, consensus = (
            [run["test"][genome] for run in runs if genome in run["test"]] for genome in ("best", "consensus")
        )
        rows.append(
            [
                f"`{name}`: {RUNGS[name].what}",
                spread(best),
                spread(consensus) if consensus else "-",
                f"{quickest(runs)['seconds']:.0f}",
                str(len(runs)),
                RUNGS[name].published,
            ]
        )
    head = ["preset", "test accuracy of the best genome, %", "of the consensus, %", "seconds", "seeds", "published, %"]
    return table(head, rows)


def ladder() -> str:
    rows = []
    for name, rung in RUNGS.items():
        if name in OTHER_DATA or not (runs := known_runs(name)):
            continue
        count = middle(runs, "evaluations")
        rows.append(
            [
                f"{'backpropagation: ' if rung.peer else ''}{rung.what}",
                spread([saved(run) for run in runs], 2),
                number(quickest(runs)["seconds"]),
                "-" if count is None else f"{count / 1e6:,.1f}",
                f"{middle(runs, 'parameters') or math.nan:,.0f}",
                str(len(runs)),
            ]
        )
    head = ["method", "test accuracy, %", "seconds", "image-genome evaluations, millions", "parameters", "seeds"]
    return table(head, rows)


def seconds_to(run: dict[str, Any], mark: float) -> float:
    """Return the seconds until a run first validated at `mark`; infinity if it never did."""
    return next((float(seconds) for seconds, *looks in run["curve"] if max(looks) >= mark), math.inf)


def time_to() -> str:
    rows = []
    for name, rung in RUNGS.items():
        runs = [run for run in known_runs(name) if run["curve"]]
        if name in OTHER_DATA or not runs:
            continue
        times = [seconds_to(quickest(runs), mark) for mark in MARKS]
        rows.append([rung.what, *("-" if math.isinf(value) else number(value) for value in times)])
    return table(["seconds to a validation accuracy of", *(f"{100 * mark:.0f} %" for mark in MARKS)], rows)


def fashion() -> str:
    rows = [
        [RUNGS[name].what, spread([saved(run) for run in runs], 2), number(quickest(runs)["seconds"]), str(len(runs))]
        for name in FASHION
        if (runs := known_runs(name))
    ]
    return table(["Fashion-MNIST", "test accuracy, %", "seconds", "seeds"], rows)


def ablation() -> str:
    rows = []
    for name, rung in ABLATIONS.items():
        if runs := known_runs(name):
            values = [saved(run) for run in runs]
            deviation = f"{100 * statistics.stdev(values):.2f}" if len(values) > 1 else "-"
            rows.append([rung.what, spread(values, 2), deviation, str(len(runs))])
    return table(["600 generations", "test accuracy, %", "deviation", "seeds"], rows)


def exact() -> str:
    """Return how long GENREG 2.0's own settings would take, extrapolated from short timings."""
    if not (RESULTS / "genreg-2-exact.json").exists():
        return "Not measured."
    found = read("genreg-2-exact")
    names = {
        "filters": "filters: 48 rounds of 60 generations of 48, on 2,500 images",
        "features": "features of all images, whitened",
        "heads": "heads: 6,000 generations of 60, on 55,000 images",
    }
    rows = [[words, number(found[name] / 60)] for name, words in names.items()]
    rows.append(["all", number(sum(found[name] for name in names) / 60)])
    return table(["GENREG 2.0's own settings, without referees", "minutes"], rows)


def sizes() -> str:
    rows = [
        [f"`{name}`", *(number(middle(runs, key)) for key in ("model_kilobytes", "peak_memory_mb", "predict_ms"))]
        for name in ("seed-mnist-64", "nodes", "fast", "middle", "best", "genreg-2")
        if (runs := known_runs(name))
    ]
    return table(["preset", "model.npz, KB", "peak memory of training, MB", "one prediction by infer.py, ms"], rows)
