"""The plots of docs/benchmarks.md, one per case, from the JSON in bench/results: docs/figures/CASE.svg.

Transparent, in greys and medium colours, so that they are readable on light and dark pages. Each contains a digest of
its results (`digest`), so that figures.py can detect an outdated plot without drawing it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from statistics import median as middle
from typing import Any

import scaling_tables
import tables
from tables import PUBLISHED_ACCURACY, limit_ms, median, read

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "figures"
INK, FAINT = "#7a828b", "#7a828b40"
COLOURS = {
    "gemm": "#8b929a",
    "numba, gene = weight": "#d1603d",
    "numba, gene = unit": "#d19a2e",
    "numba, gene = none": "#2f9270",
    "numpy, gene = weight": "#8479c9",
    "evosax": "#3f8fc4",
    "EvoTorch": "#b8649f",
    "PyGAD": "#9a8c5a",
    **dict.fromkeys(("infer.py", "infer.py, int8", "C, float", "C, int8"), "#d1603d"),
}
STYLE = {
    "svg.hashsalt": "genreg-np",
    "svg.fonttype": "none",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": FAINT,
    "axes.axisbelow": True,
    "figure.constrained_layout.use": True,
}
CURVES = {  # rung: name and colour in the plot of accuracy against time
    "random-search": ("random search", "#8b929a"),
    "seed-mnist-64": ("GENREG as published", "#d1603d"),
    "evolution-strategy": ("evolution strategy", "#9a8c5a"),
    "selection-5m": ("selection", "#d19a2e"),
    "nodes": ("node perturbation", "#2f9270"),
    "fast": ("fast", "#1fa3a3"),
    "best": ("best", "#3f8fc4"),
    "torch-mlp": ("backprop, 784-64-10", "#b8649f"),
    "torch-lenet": ("backprop, LeNet-5", "#8479c9"),
}
RECIPES = {  # of mixed evolution: name and colour in its plot
    "plain": ("plain", "#8b929a"),
    "newcomers 10 %": ("newcomers", "#3f8fc4"),
    "mutation": ("mutation", "#d19a2e"),
    "diversity bonus": ("diversity bonus", "#2f9270"),
}
FILTERS = {  # rung: how its filters were trained
    "filters": "selection by log-probability, 60 s",
    "filters-published": "GENREG as published: trust, +10 / -1.5",
    "filters-gradient": "backpropagation",
}
SOURCES = {  # plot: the results it is drawn from
    "generation": ("generation",),
    "population": ("population",),
    "images": ("images",),
    "hidden": ("hidden",),
    "threads": ("threads",),
    "limits": ("limits",),
    "reach": ("reach",),
    "startup": ("startup",),
    "memory": ("population", "memory"),
    "prediction": ("prediction",),
    "accuracy": tuple(f"accuracy-{rung}" for rung in CURVES),
    "mixed": ("mixed-cells",),
    "filters": tuple(f"accuracy-{rung}" for rung in FILTERS),
    **({"scaling": ("scaling",)} if (tables.RESULTS / "scaling.json").exists() else {}),
}


def digest(plot: str) -> str:
    """Return a digest of the results that a plot is drawn from."""
    content = b"".join((tables.RESULTS / f"{name}.json").read_bytes() for name in SOURCES[plot])
    return "results " + hashlib.sha256(content).hexdigest()[:16]


def is_current(plot: str) -> bool:
    """Return whether a plot was drawn from the current results."""
    path = FOLDER / f"{plot}.svg"
    return path.exists() and digest(plot) in path.read_text("utf-8")


def draw_all(suffix: str = "svg") -> None:
    """Draw every plot."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    FOLDER.mkdir(exist_ok=True)
    with plt.rc_context(STYLE):
        for plot in SOURCES:
            figure = DRAWN[plot](plt)
            metadata = {"Date": None, "Creator": None, "Description": digest(plot)} if suffix == "svg" else None
            figure.savefig(FOLDER / f"{plot}.{suffix}", transparent=True, metadata=metadata, dpi=150)
            plt.close(figure)


def name_rows(axes: Any, names: Iterable[str]) -> None:
    """Name the rows of a horizontal plot, with the first on top."""
    names = list(names)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")


def dots(axes: Any, values: Mapping[str, float | None], unit: str) -> None:
    """Draw a dot with its number for each value on a logarithmic axis; unmeasured values are left out."""
    known = [value for value in values.values() if value is not None]
    axes.set_xscale("log")
    axes.set_xlim(min(known) / 1.6, max(known) * 8)  # room for the last number
    for place, (name, value) in enumerate(values.items()):
        if value is not None:
            axes.plot(value, place, "o", color=COLOURS.get(name, INK), markersize=6)
            text = f"{tables.number(value)}{unit}"
            axes.annotate(text, (value, place), (7, 0), textcoords="offset points", va="center")
    plain_ticks(axes.xaxis)
    name_rows(axes, values)


def plain_ticks(axis: Any) -> None:
    """Put ticks at 10, 100, 1,000 on a logarithmic axis; also at 20, 50, 200 ... if these were fewer than three."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    steps = (1.0,) if high / low > 100 else (1.0, 2.0, 5.0)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.set_minor_locator(NullLocator())


def apart(values: Sequence[float], gap: float) -> list[float]:
    """Move sorted values as little as possible (least squares) until they are `gap` apart.

    This is isotonic regression of values - i gap by pooling adjacent violators.
    """
    pools: list[list[float]] = []
    for place, value in enumerate(values):
        pools.append([value - place * gap])
        while len(pools) > 1 and fmean(pools[-2]) > fmean(pools[-1]):
            pools[-2:] = [pools[-2] + pools[-1]]
    level = [fmean(pool) for pool in pools for _ in pool]
    return [value + place * gap for place, value in enumerate(level)]


def name_ends(axes: Any, ends: Mapping[str, float], colours: Mapping[str, str]) -> None:
    """Name each line at the right edge in its colour, at the height of its end; names do not overlap."""
    scale = axes.yaxis.get_transform()
    low, high = (float(scale.transform(limit)) for limit in axes.get_ylim())
    heights = sorted(((float(scale.transform(end)) - low) / (high - low), name) for name, end in ends.items())
    places = apart([height for height, _ in heights], 0.06)
    for place, (_, name) in zip(places, heights, strict=True):
        axes.text(1.01, place, name, transform=axes.transAxes, va="center", color=colours[name])


def lines(axes: Any, series: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """Draw lines on log-log axes, each named at its end."""
    axes.set_xscale("log")
    axes.set_yscale("log")
    for name, points in series.items():
        style: dict[str, Any] = {"linestyle": "--"} if name == "gemm" else {"marker": "o", "markersize": 3}
        axes.plot(*zip(*points, strict=True), color=COLOURS[name], linewidth=1.4, **style)
    axes.grid()
    axes.margins(x=0.02)
    plain_ticks(axes.yaxis)
    sizes = sorted({x for points in series.values() for x, _ in points})
    axes.minorticks_off()
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    name_ends(axes, {name: points[-1][1] for name, points in series.items()}, COLOURS)


def generation(plt: Any) -> Any:
    """Draw the times of one generation, on MNIST and on the letters."""
    points = {point["case"]: point for point in read("generation")["points"]}
    figure, axes = plt.subplots(1, 2, figsize=(8, 3), sharey=True)
    for panel, case in zip(axes, ("MNIST", "letters"), strict=True):
        dots(panel, {name: median(points[case], name) for name in points["MNIST"]["figures"]}, " ms")
        panel.set_title(f"{case}, {points[case]['network']}")
    return figure


def sweep(case: str, label: str) -> Callable[[Any], Any]:
    """Return a function that draws time against size."""

    def draw(plt: Any) -> Any:
        points = read(case)["points"]
        series = {
            name: [(point["case"], median(point, name) or math.nan) for point in points if name in point["figures"]]
            for name in points[0]["figures"]
        }
        figure, axes = plt.subplots(figsize=(8, 3.8))
        lines(axes, series)
        axes.set_xlabel(label)
        axes.set_title("one generation, median ms")
        return figure

    return draw


def threads(plt: Any) -> Any:
    """Draw the speed-up by threads."""
    first, *_, last = read("threads")["points"]
    figure, axes = plt.subplots(figsize=(8, 1.9))
    for place, name in enumerate(first["figures"]):
        faster = median(first, name) / median(last, name)  # type: ignore[operator]
        axes.barh(place, faster, height=0.62, color=COLOURS[name])
        text = f"{faster:.2f} x"
        axes.annotate(text, (faster, place), (-5, 0), textcoords="offset points", va="center", ha="right", color="w")
    name_rows(axes, first["figures"])
    axes.set_xlim(0, 1.05 * last["case"])
    axes.axvline(last["case"], color=INK, linewidth=0.8, linestyle="--")
    axes.set_title(f"faster on {last['case']} threads than on 1")
    return figure


def limits(plt: Any) -> Any:
    """Draw the time of each stage, and its lower limit."""
    document = read("limits")
    figure, axes = plt.subplots(1, len(document["stages"]), figsize=(8, 2.6))
    for panel, (case, measured) in zip(axes, document["stages"].items(), strict=True):
        stages = measured["stages"]
        for place, values in enumerate(stages.values()):
            panel.barh(place, values["median_ms"], height=0.62, color=COLOURS["numba, gene = weight"], alpha=0.35)
            panel.barh(place, limit_ms(values, document["limits"]), height=0.62, color=COLOURS["numba, gene = weight"])
        name_rows(panel, stages)
        panel.set_xlabel("ms; solid: the limit")
        panel.set_title(case)
    return figure


def reach(plt: Any) -> Any:
    """Draw validation accuracy of the better champion against seconds, one line per seed."""
    document = read("reach")
    budget, published = document["budget_seconds"], "published, after 40 minutes"
    colours = dict(zip(document["variants"], (COLOURS["numba, gene = weight"], COLOURS["evosax"]), strict=True))
    ends = {published: 100 * PUBLISHED_ACCURACY}
    figure, axes = plt.subplots(figsize=(8, 3.2))
    for name, runs in document["variants"].items():
        curves = [[(seconds, 100 * max(looks)) for seconds, *looks in run["curve"]] for run in runs]
        for curve in curves:
            axes.plot(*zip(*curve, strict=True), color=colours[name], linewidth=1.1)
        ends[name] = fmean(curve[-1][1] for curve in curves)
    axes.axhline(100 * PUBLISHED_ACCURACY, color=INK, linewidth=0.8, linestyle="--")
    axes.set_ylim(0, 100)
    axes.set_xlim(0, budget)
    axes.grid()
    name_ends(axes, ends, colours | {published: INK})
    axes.set_xlabel("seconds")
    axes.set_title("validation accuracy, %")
    return figure


def startup(plt: Any) -> Any:
    """Draw the time from process start to the end of the first generation."""
    found = read("startup")["first_generation_seconds"]
    figure, axes = plt.subplots(figsize=(8, 2.5))
    dots(axes, {name: middle(values) for name, values in found.items()}, " s")
    axes.set_title("a cold process, to the end of its first generation")
    return figure


def memory(plt: Any) -> Any:
    """Draw peak memory against population."""
    points, run = read("population")["points"], read("memory")
    names = [name for name in points[0]["figures"] if name not in ("gemm", "numba, gene = unit", "PyGAD")]
    series = {
        name: [(point["case"], point["figures"][name]["peak_mb"]) for point in points if name in point["figures"]]
        for name in names
    }
    size, peak = run["settings"]["population_size"], run["peak_mb"]
    figure, axes = plt.subplots(figsize=(8, 3.4))
    axes.plot(size, peak, marker="s", color=INK, markersize=5)
    text = "a whole run, MNIST in memory"
    axes.annotate(text, (size, peak), (-8, 0), textcoords="offset points", ha="right", va="center")
    lines(axes, series)
    axes.set_xlabel("population")
    axes.set_title("peak memory of a process, MB")
    return figure


def prediction(plt: Any) -> Any:
    """Draw the time of one image through each implementation."""
    found = read("prediction")["figures"]
    figure, axes = plt.subplots(figsize=(8, 2.8))
    dots(axes, {name: values["median_us"] for name, values in found.items()}, " us")
    axes.set_title("one image through 784-64-10, median microseconds, one core")
    return figure


def accuracy(plt: Any) -> Any:
    """Draw validation error against seconds, one line per seed, on log-log axes."""
    figure, axes = plt.subplots(figsize=(8, 4.6))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends, colours = {}, {}
    for rung, (name, colour) in CURVES.items():
        runs = read(f"accuracy-{rung}")["runs"]
        curves = [[(look[0], 100 * (1 - max(look[1:]))) for look in run["curve"]] for run in runs]
        for curve in curves:
            axes.plot(*zip(*curve, strict=True), color=colour, linewidth=0.9)
        ends[name], colours[name] = fmean(curve[-1][1] for curve in curves), colour
    axes.invert_yaxis()
    marks = (50, 20, 10, 5, 3, 2, 1, 0.5)
    axes.set_yticks(marks, [f"{100 - mark:g}" for mark in marks])
    axes.minorticks_off()
    plain_ticks(axes.xaxis)
    axes.grid()
    name_ends(axes, ends, colours)
    axes.set_xlabel("seconds")
    axes.set_title("validation accuracy, %")
    return figure


def mixed(plt: Any) -> Any:
    """Draw accuracy and similarity by generation in mixed evolution, one line per seed of each recipe."""
    cells = read("mixed-cells")
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2))
    for panel, title in zip(
        axes, ("mean validation accuracy, %", "mean cosine of all pairs, over layers"), strict=True
    ):
        ends, colours = {}, {}
        for recipe, (name, colour) in RECIPES.items():
            curves = []
            for run in cells[recipe]["runs"]:
                if panel is axes[0]:
                    curve = [(place, 100 * one["mean_accuracy"]) for place, one in enumerate(run["curve"], start=1)]
                else:
                    curve = [(place, fmean(layers)) for place, layers in enumerate(run["similarity_by_generation"])]
                curves.append(curve)
                panel.plot(*zip(*curve, strict=True), color=colour, linewidth=0.9)
            ends[name], colours[name] = fmean(curve[-1][1] for curve in curves), colour
        panel.grid()
        panel.set_xlabel("generation")
        panel.set_title(title)
        name_ends(panel, ends, colours)
    return figure


def filters(plt: Any) -> Any:
    """Draw the final filters of each kind of training, seed 0: orange where positive, violet where negative."""
    figure = plt.figure(figsize=(8, 4.2))
    for part, (rung, name) in zip(figure.subfigures(len(FILTERS), 1), FILTERS.items(), strict=True):
        found = read(f"accuracy-{rung}")["runs"][0]["filters"]
        part.suptitle(name, x=0.01, ha="left", fontsize=9, color=INK)
        for panel, taps in zip(part.subplots(1, len(found)), found, strict=True):
            most = max(abs(tap) for line in taps for tap in line)
            panel.imshow(taps, cmap="PuOr_r", vmin=-most, vmax=most)
            panel.set_axis_off()
    return figure


DRAWN: dict[str, Callable[[Any], Any]] = {
    "generation": generation,
    "population": sweep("population", "population"),
    "images": sweep("images", "images in a batch"),
    "hidden": sweep("hidden", "hidden units"),
    "threads": threads,
    "limits": limits,
    "reach": reach,
    "startup": startup,
    "memory": memory,
    "prediction": prediction,
    "accuracy": accuracy,
    "mixed": mixed,
    "filters": filters,
    "scaling": scaling_tables.drawn,
}
