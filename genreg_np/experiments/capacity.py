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
PHASES = (0, 1 / 6, 2 / 3, 1)  # shares of a run at which the phases of training are looked at; 0: the first look
LATE = 0.85  # share of a run after which it is asked whether it still improves
PUBLISHED, GRADIENT = "GENREG as published", "backpropagation"
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
        yield from self._efficiency(results)
        yield from self._stuck(results)
        yield from self._phases(results)

    def _phases(self, results: Results) -> Iterator[Answer]:
        name = name_of("evaluations", PUBLISHED, 64)
        runs = [values for values in results.of(name) if values.get("deviation")]
        if not runs:
            return
        last = runs[0]["curve"][-1][0]
        told = []
        for part in PHASES:
            places = [_nearest(run, part * last) for run in runs]
            accuracy = percent([run["curve"][at][1] for run, at in zip(runs, places, strict=True)])
            spread = mean_text([run["deviation"][at] for run, at in zip(runs, places, strict=True)], digits=0)
            told.append(f"{accuracy} % after {runs[0]['curve'][places[0]][0]} generations (deviation of the survivors' "
                        f"trust {spread})")  # fmt: skip
        first = runs[0]["curve"][0][0]
        fallen = [run["deviation"][0] - run["deviation"][-1] for run in runs]
        less = "decreases" if differs(fallen) and np.mean(fallen) > 0 else "cannot be told to decrease by these seeds"
        yield Answer(
            "000", "Phases: 10 to 60 % by generation 100, 75 % by 400, 81 % by 600; variance decreases",
            f"validation accuracy is {', '.join(told)}. That deviation {less}: it falls by "
            f"{mean_text(fallen, digits=0)} from generation {first} to {last}.",
        )  # fmt: skip
        before = _nearest(runs[0], LATE * last)
        more = [run["curve"][-1][1] - run["curve"][before][1] for run in runs]
        yield Answer(
            "000", "Still improving at generation 600 and more",
            f"{'yes' if differs(more) and np.mean(more) > 0 else 'these seeds cannot tell'}: validation accuracy "
            f"changes by {points(more)} points from generation {runs[0]['curve'][before][0]} to {last}.",
        )  # fmt: skip

    def _efficiency(self, results: Results) -> Iterator[Answer]:
        found = {level: [viable(results, "evaluations", method, level) for method in (PUBLISHED, GRADIENT)]
                 for level in LEVELS}  # fmt: skip
        both = {level: (own, other) for level, (own, other) in found.items() if own and other}
        widths = widths_of(results, "evaluations", GRADIENT)
        if not both or len(widths) < 2:
            return
        fewer = all(other < own for own, other in both.values())
        told = ", ".join(f"{other} against {own} units for {100 * level:.0f} %" for level, (own, other) in both.items())
        wide = [width for width in widths if width <= widths[-1] / 4][-1:]
        gaps = "".join(
            f" By backpropagation a quarter of the widest network's units ({width} instead of {widths[-1]}) costs "
            f"{_lost(results, width, widths[-1])} points: most of its width can be spared, at that price."
            for width in wide
        )
        yield Answer(
            "000", "Parameter efficiency: most networks are overparameterised, GENREG discovers compact solutions",
            f"{'GENREG needs more units than gradient descent, not fewer' if fewer else 'it depends'}: with "
            f"backpropagation, against GENREG's mechanism, within this study's generations, {told}.{gaps}",
        )  # fmt: skip

    def _stuck(self, results: Results) -> Iterator[Answer]:
        above, known = list[str](), list[str]()
        for part in PARTS:
            for width in widths_of(results, part, GRADIENT):
                ours, theirs = (results.numbers(name_of(part, method, width), "test")
                                for method in (PUBLISHED, GRADIENT))  # fmt: skip
                if ours and theirs:
                    known.append(f"{width}")
                    above += [f"{width}"] if min(theirs) > max(ours) else []
        if not known:
            return
        wide = max(widths_of(results, "evaluations", GRADIENT), default=0)
        ranges = listed(
            [f"{shown_as(method)} {100 * np.ptp(results.numbers(name_of('evaluations', method, wide), 'test')):.1f}"
             for method in (PUBLISHED, GRADIENT) if results.numbers(name_of("evaluations", method, wide), "test")]
        )  # fmt: skip
        yield Answer(
            "000", "GENREG explores broadly, gradient descent can get stuck",
            f"no run by backpropagation was stuck below GENREG's: its worst seed is above the best of GENREG's "
            f"mechanism in {len(above)} of {len(known)} comparisons of equal width, in both parts of this study. "
            f"Between the best and the worst seed with {wide} units lie, in points: {ranges}."
            if len(above) == len(known) else
            f"the worst seed by backpropagation is above the best of GENREG's mechanism in {len(above)} of "
            f"{len(known)} comparisons of equal width.",
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


def _nearest(run: Values, generation: float) -> int:
    """Return the place of the evaluation of a run that is nearest to a generation."""
    return min(range(len(run["curve"])), key=lambda at: abs(run["curve"][at][0] - generation))


def _lost(results: Results, narrow: int, wide: int) -> str:
    """Return by how many points fewer units are worse with backpropagation, seed by seed."""
    return points(results.gap(*(name_of("evaluations", GRADIENT, width) for width in (wide, narrow)))).lstrip("+")


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
