"""The tables of docs/unsure.md: what models of digits answer and refuse, from the results of bench/unsure.py."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tables import read, table

KINDS = {"letters": "letters", "shapes": "shapes", "clothes": "clothes", "look-alikes": "letters like digits"}
UNFAMILIAR = ("letters", "shapes", "clothes")
WAYS = {
    "probability, 0.9": "probability below 0.9",
    "distance": "distance",
    "--reject 0.9": "both: `--reject 0.9`",
    "probability, 95 %": "probability, 95 % answered",
    "both, 95 %": "both, 95 % answered",
}


def refused() -> str:
    """Return a row for each preset and way of refusing: means over seeds, in percent."""
    rows = []
    for preset, runs in read("unsure")["presets"].items():
        for way, words in WAYS.items():
            found = [run["ways"][way] for run in runs]
            means = [statistics.mean(one["refused"][kind] for kind in UNFAMILIAR) for one in found]
            rows.append([
                f"`{preset}`",
                words,
                _percent(one["answered"] for one in found),
                _percent((one["accuracy_of_answered"] for one in found), 2),
                *(_percent(one["refused"][kind] for one in found) for kind in UNFAMILIAR),
                f"**{_percent(means)}** ({100 * min(means):.1f} - {100 * max(means):.1f})",
                _percent(one["refused"]["look-alikes"] for one in found),
            ])  # fmt: skip
    kinds = [f"{KINDS[kind]}, %" for kind in UNFAMILIAR]
    head = ["preset", "refused by", "test images answered, %", "accuracy on those, %", *kinds, "mean of the three, %"]
    return table([*head, f"{KINDS['look-alikes']}, %"], rows)


def costs() -> str:
    """Return a row for each preset: what the distance adds to a model, and the time to fit it."""
    rows = []
    for preset, runs in read("unsure")["presets"].items():
        first = runs[0]
        size = f"{(first['model_bytes'] - first['distance_bytes']) / 1000:.0f} KB"
        seconds = statistics.median(run["fit_processor_seconds"] for run in runs)
        rows.append([
            f"`{preset}`", f"{first['features']:,}", size, f"{first['distance_bytes'] / 1000:.0f} KB", f"{seconds:.2f}"
        ])  # fmt: skip
    return table(["preset", "features", "model", "distance", "processor seconds to fit it, median"], rows)


def pictures() -> str:
    """Return how many pictures of each kind were shown, and the number of seeds."""
    document = read("unsure")
    shown = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in document["pictures"].items())
    seeds = " and ".join(str(count) for count in sorted({len(runs) for runs in document["presets"].values()}))
    return f"Shown: {shown}; means over {seeds} seeds of each preset."


def _percent(shares: Any, digits: int = 1) -> str:
    return f"{100 * statistics.mean(shares):.{digits}f}"


PAGE: dict[str, Callable[[], str]] = {"refused": refused, "costs": costs, "shown": pictures}
