"""Capacity: how many hidden units does a digit need?

One hidden layer of 2 to 256 units, trained by four methods: at equal evaluations, with the same number of generations
and equal batches for every width; and at equal seconds, which give narrow networks more generations.

    knee        the fewest units within a point of the best width
    viable      the fewest units whose mean reaches an accuracy
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import mean_text, percent, points
from genreg_np.experiments.training import FULL, METHODS, method_settings, trained
from genreg_np.report.shown import Picture, Shown, Table

WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = 10.0  # per run, in the part at equal seconds
LEVELS = (0.70, 0.80, 0.90, 0.95, 0.97)
NEAR = 0.01
PARTS = {"evaluations": "equal evaluations", "seconds": "equal seconds"}


class Capacity(Study):
    """The study `capacity`."""

    name = "capacity"
    question = "How many hidden units does a digit need, and by which method?"
    about = f"""
One hidden layer, 2 to 256 units, by four methods: GENREG as published, selection by log-probability, node perturbation
and backpropagation. At equal evaluations, every width gets the same number of generations and equal batches: equal
across widths, not across methods. At equal seconds ({SECONDS:g} on one thread), narrow networks get more generations.
Accuracies are test accuracies in per cent; for populations, the most trusted genome or the survivors' mean is tested,
whichever has the higher validation accuracy.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each width with each method, at equal evaluations and at equal seconds."""
        found = []
        for width in size.pick(WIDTHS, (2, 8, 32, 128), (2, 8)):
            for method in METHODS:
                settings = method_settings(method, size.data, size.generations(FULL[method]), hidden=[width])
                more = 2 if size.name == "full" and width in (32, 64) and method == "GENREG as published" else 0
                found.append(Case(name_of("evaluations", method, width), settings, more))
                timed = settings | {"budget": size.share * SECONDS}
                if size.name != "toy":
                    found.append(Case(name_of("seconds", method, width), timed))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one network."""
        own = dict(settings)
        return trained(own, seed, own.pop("budget", None))

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield a table and a plot for each part, and the viable widths."""
        for part, words in PARTS.items():
            if not results.names(f"{part}, "):
                continue
            table, picture = _table(results, part), _picture(results, part)
            yield Shown(f"At {words}", "", (picture, table))
        rows = [
            [method, *(_units(viable(results, "evaluations", method, level)) for level in LEVELS),
             _units(knee(results, method))]
            for method in METHODS
        ]  # fmt: skip
        head = ["fewest hidden units for", *(f"{100 * level:.0f} %" for level in LEVELS), "the knee"]
        words = (
            "By mean test accuracy at evaluations that are equal across widths, not across methods; a dash means not "
            "reached, or not measured. The knee is the narrowest width within a point of the best."
        )
        yield Shown("Minimum viable capacity", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about widths."""
        published = "GENREG as published"
        narrow, wide = (results.numbers(name_of("evaluations", published, width), "test") for width in (32, 64))
        if narrow and wide:
            gap = results.gap(*(name_of("evaluations", published, width) for width in (64, 32)))
            yield Answer(
                "000",
                "A 32-neuron model cannot separate ten classes, a 64-neuron model can",
                f"with the published mechanism 32 units reach {percent(narrow)} %, 64 units {percent(wide)} %, a "
                f"difference of {points(gap)} points; with backpropagation 32 units reach "
                f"{percent(results.numbers(name_of('evaluations', 'backpropagation', 32), 'test'))} %.",
            )
        if units := viable(results, "evaluations", "backpropagation", 0.9):
            own = {name: viable(results, "evaluations", name, 0.9) for name in METHODS if name != "backpropagation"}
            reached = ", ".join(f"{method} {_units(count)}" for method, count in own.items())
            yield Answer(
                "000",
                "What is minimum viable capacity for digit recognition?",
                f"it depends on the method: backpropagation reaches 90 % with {units} units ({reached}; a dash: no "
                "width that was measured).",
            )
        yield from self._sweep(results)
        yield from self._phases(results)

    def _phases(self, results: Results) -> Iterator[Answer]:
        name = name_of("evaluations", "GENREG as published", 64)
        runs = [values for values in results.of(name) if values.get("deviation")]
        if not runs:
            return
        last = runs[0]["curve"][-1][0]
        told = []
        for part in (1 / 6, 2 / 3, 1):
            places = [min(range(len(run["curve"])), key=lambda at: abs(run["curve"][at][0] - part * last))
                      for run in runs]  # fmt: skip
            accuracy = percent([run["curve"][at][1] for run, at in zip(runs, places, strict=True)])
            spread = mean_text([run["deviation"][at] for run, at in zip(runs, places, strict=True)], digits=0)
            told.append(f"{accuracy} % after {runs[0]['curve'][places[0]][0]} generations (deviation of the survivors' "
                        f"trust {spread})")  # fmt: skip
        yield Answer(
            "000", "Phases: 10 to 60 % by generation 100, 75 % by 400, 81 % by 600; variance decreases",
            f"validation accuracy is {', '.join(told)}.",
        )  # fmt: skip

    def _sweep(self, results: Results) -> Iterator[Answer]:
        knees = {method: knee(results, method) for method in METHODS}
        if all(knees.values()):
            told = ", ".join(f"{method} at {count} units" for method, count in knees.items())
            yield Answer(
                "000", "Architecture sweep: 16/32/64/128/256 hidden neurons",
                f"the fewest units within a point of the best width: {told}.",
            )  # fmt: skip


def name_of(part: str, method: str, width: int) -> str:
    """Return the name of a case."""
    return f"{part}, {method}, {width}"


def widths_of(results: Results, part: str, method: str) -> list[int]:
    """Return the widths that were measured."""
    return [int(name.rpartition(", ")[2]) for name in results.names(f"{part}, {method}, ")]


def means_of(results: Results, part: str, method: str) -> dict[int, float]:
    """Return the mean test accuracy of each width measured."""
    widths = widths_of(results, part, method)
    return {width: float(np.mean(results.numbers(name_of(part, method, width), "test"))) for width in widths}


def viable(results: Results, part: str, method: str, level: float) -> int | None:
    """Return the fewest units whose mean accuracy is at least `level`; None if there are none."""
    return next((width for width, mean in means_of(results, part, method).items() if mean >= level), None)


def knee(results: Results, method: str) -> int | None:
    """Return the fewest units within a point of the best width, at equal evaluations."""
    means = means_of(results, "evaluations", method)
    return next((width for width, mean in means.items() if mean >= max(means.values()) - NEAR), None)


def _units(count: int | None) -> str:
    return "-" if count is None else f"{count}"


def _table(results: Results, part: str) -> Table:
    rows = []
    for width in dict.fromkeys(width for method in METHODS for width in widths_of(results, part, method)):
        cells = [percent(results.numbers(name_of(part, method, width), "test")) for method in METHODS]
        rows.append([f"{width}", *cells])
    return Table(["hidden units", *METHODS], rows)


def _picture(results: Results, part: str) -> Picture:
    named = {}
    for method in METHODS:
        widths = widths_of(results, part, method)
        named[method] = (widths, [results.numbers(name_of(part, method, width), "test") for width in widths])
    png = plots.lines(named, "hidden units", "test accuracy, %", logarithmic=True, scale=100)
    return Picture(
        part, png, f"Test accuracy against hidden units at {PARTS[part]}, one line per method.",
        "Bands are 95 % intervals over seeds.",
    )  # fmt: skip
