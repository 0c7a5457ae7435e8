"""Capacity: how many hidden units does a digit need?

One hidden layer of 2 to 256 units, trained by four methods: at equal evaluations, with the same number of generations
and equal batches for every width; and at equal budgets of seconds, which give narrow networks more generations.

    as good     widths whose difference from the best mean, seed by seed, has a 95 % interval that includes 0
    viable      the fewest units whose 95 % interval lies at or above an accuracy
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import differs, interval, listed, mean_text, percent, points
from genreg_np.experiments.training import FULL, METHODS, TESTED, method_settings, shown_as, trained
from genreg_np.report.shown import Picture, Shown, Table

WIDTHS = (2, 4, 8, 16, 32, 64, 128, 256)
SECONDS = 10.0  # per run, in the part at equal seconds
LEVELS = (0.70, 0.80, 0.90, 0.95, 0.97)
PUBLISHED = "GENREG as published"
PARTS = {"evaluations": "equal evaluations", "seconds": "equal budgets of seconds"}


class Capacity(Study):
    """The study `capacity`."""

    name = "capacity"
    question = "How many hidden units does a digit need, and by which method?"
    about = f"""
One hidden layer, 2 to 256 units, by four methods: GENREG's mechanism, selection by log-probability, node perturbation
and backpropagation. At equal evaluations, every width gets the same number of generations and equal batches: equal
across widths, not across methods. A budget of {SECONDS:g} seconds on one thread gives narrow networks more generations.
{TESTED} Test accuracy in per cent.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each width with each method, at equal evaluations and at equal seconds."""
        found = []
        for width in size.pick(WIDTHS, (2, 8, 32, 128), (2, 8)):
            for method in METHODS:
                settings = method_settings(method, size.data, size.generations(FULL[method]), hidden=[width])
                more = 2 if size.name == "full" and width in (32, 64) and method == PUBLISHED else 0
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
            yield Shown(f"At {words}", _taken(results) if part == "seconds" else "", (picture, table))
        rows = [
            [shown_as(method), *(_units(viable(results, "evaluations", method, level)) for level in LEVELS),
             ", ".join(map(str, as_good(results, method))) or "-"]
            for method in METHODS
        ]  # fmt: skip
        head = ["fewest hidden units for", *(f"{100 * level:.0f} %" for level in LEVELS), "as good as the best"]
        words = (
            "Within this study's generations only: longer runs reach more with as many units. A level counts as "
            "reached if the 95 % interval lies above it; a dash means not reached, or not measured. The last column "
            "has the best width and those that cannot be told from it, seed by seed."
        )
        yield Shown("Minimum viable capacity", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about widths."""
        published = PUBLISHED
        narrow, wide = (results.numbers(name_of("evaluations", published, width), "test") for width in (32, 64))
        if narrow and wide:
            gap = results.gap(*(name_of("evaluations", published, width) for width in (64, 32)))
            yield Answer(
                "000",
                "A 32-neuron model cannot separate ten classes, a 64-neuron model can",
                f"with GENREG's mechanism 32 units reach {percent(narrow)} %, 64 units {percent(wide)} %, a "
                f"difference of {points(gap)} points; with backpropagation 32 units reach "
                f"{percent(results.numbers(name_of('evaluations', 'backpropagation', 32), 'test'))} %.",
            )
        if units := viable(results, "evaluations", "backpropagation", 0.9):
            own = {name: viable(results, "evaluations", name, 0.9) for name in METHODS if name != "backpropagation"}
            reached = ", ".join(f"{shown_as(method)} {_units(count)}" for method, count in own.items())
            yield Answer(
                "000",
                "What is minimum viable capacity for digit recognition?",
                f"it depends on the method and on how long it runs. Within this study's generations only, "
                f"backpropagation reaches 90 %, with its whole interval, with {units} units ({reached}; a dash: no "
                "width that was measured). Longer runs need fewer: docs/accuracy.md has selection with 64 units.",
            )
        yield from self._sweep(results)
        yield from self._phases(results)

    def _phases(self, results: Results) -> Iterator[Answer]:
        name = name_of("evaluations", PUBLISHED, 64)
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
        found = {method: as_good(results, method) for method in METHODS}
        if all(found.values()):
            told = "; ".join(
                f"{shown_as(method)} {listed([str(width) for width in widths])}" for method, widths in found.items()
            )
            yield Answer(
                "000", "Architecture sweep: 16/32/64/128/256 hidden neurons",
                f"the best number of units, and those that {_seeds(results)} seeds cannot tell from it: {told}.",
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
    """Return the fewest units whose whole interval, or only run, is at `level` or above; None if there are none."""
    for width, mean in means_of(results, part, method).items():
        if mean - np.nan_to_num(interval(results.numbers(name_of(part, method, width), "test"))) >= level:
            return width
    return None


def as_good(results: Results, method: str) -> list[int]:
    """Return the best width at equal evaluations and all that differ from it by no more than chance, in order."""
    means = means_of(results, "evaluations", method)
    if not means:
        return []
    best, *others = (name_of("evaluations", method, width) for width in sorted(means, key=lambda one: -means[one]))
    worse = {name for name in others if differs(gaps := results.gap(best, name)) or len(gaps) < 2}
    return [width for width in means if name_of("evaluations", method, width) not in worse]


def _seeds(results: Results) -> int:
    """Return how many seeds every width has."""
    return min(len(results.of(name)) for name in results.names("evaluations, "))


def _taken(results: Results) -> str:
    """Return what runs with a budget of seconds took."""
    took = {
        method: [run["seconds"] for width in widths_of(results, "seconds", method)
                 for run in results.of(name_of("seconds", method, width))] for method in METHODS
    }  # fmt: skip
    every = [value for values in took.values() for value in values]
    means = ", ".join(f"{shown_as(method)} {np.mean(values):.1f}" for method, values in took.items() if values)
    return (
        f"A budget of {results.size.share * SECONDS:g} s is turned into generations by a timing made beforehand: runs "
        f"took {min(every):.1f} to {max(every):.1f} s, on average {means}."
    )


def _units(count: int | None) -> str:
    return "-" if count is None else f"{count}"


def _table(results: Results, part: str) -> Table:
    rows = []
    for width in dict.fromkeys(width for method in METHODS for width in widths_of(results, part, method)):
        cells = [percent(results.numbers(name_of(part, method, width), "test")) for method in METHODS]
        rows.append([f"{width}", *cells])
    return Table(["hidden units", *map(shown_as, METHODS)], rows)


def _picture(results: Results, part: str) -> Picture:
    named = {}
    for method in METHODS:
        widths = widths_of(results, part, method)
        named[shown_as(method)] = (widths, [results.numbers(name_of(part, method, width), "test") for width in widths])
    png = plots.lines(named, "hidden units", "test accuracy, %", logarithmic=True, scale=100)
    return Picture(
        part, png, f"Test accuracy against hidden units at {PARTS[part]}, one line per method.",
        "Bands are 95 % intervals over seeds.",
    )  # fmt: skip
