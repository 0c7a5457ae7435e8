"""The tables of docs/benchmarks.md, each from one or two files in bench/results."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"
FIT_FROM = 200  # growth exponents are fitted to sizes from here on
PUBLISHED_ACCURACY = 0.8147  # seed-mnist-64, after 40 minutes
NOTES = {  # what an implementation does in a generation, and how it differs from ours
    "gemm": "one product (12,800 x 784) @ (784 x 200) by NumPy on all cores: the first layers' arithmetic alone",
    "numba, gene = weight": "crossover of single weights, masked mutation: GENREG as published",
    "numba, gene = unit": "crossover of whole hidden units, masked mutation",
    "numba, gene = none": "one parent, masked mutation",
    "numpy, gene = weight": "the specification, in one thread",
    "whole step of a run": "numba, gene = weight, with fresh images, trust and selection: as `genreg-np train` does it",
    "evosax": "SimpleGA, jitted as a whole; crossover of single weights at rate .5; adds noise to *every* gene",
    "EvoTorch": "GeneticAlgorithm, GaussianMutation at rate .07; has no crossover of single weights, so none",
    "PyGAD": "uniform crossover; mutates 7 % of the genes by a *uniform* step; fitness in one batch",
}


def read(name: str) -> dict[str, Any]:
    """Return the results of a case."""
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return document


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def number(value: float | None) -> str:
    """Return a measured value with about three digits; a dash if it was not measured."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def standard_error(values: list[float]) -> float:
    """Return the standard error of a mean."""
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0


def median(point: dict[str, Any], name: str) -> float | None:
    """Return an implementation's median milliseconds at a point."""
    return point["figures"][name]["median_ms"] if name in point["figures"] else None


def exponent(points: list[dict[str, Any]], name: str) -> float | None:
    """Return b of time = a size**b, a least-squares fit to the logarithms; None for fewer than three sizes."""
    known = [(p["case"], median(p, name)) for p in points if p["case"] >= FIT_FROM and name in p["figures"]]
    if len(known) < 3:
        return None
    return statistics.linear_regression(*zip(*((math.log(x), math.log(y)) for x, y in known), strict=True)).slope


def machine() -> str:
    found = read("generation")["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    when = f"{found['time'][:10]}, load {found['load']} before"
    return f"{found['processor']}, {found['cores']} cores; {versions}; {when}."


def generation() -> str:
    points = {point["case"]: point for point in read("generation")["points"]}
    gemm = median(points["MNIST"], "gemm") or math.nan
    rows = []
    for name in points["MNIST"]["figures"]:
        ours = median(points["MNIST"], name) or math.nan
        letters = [number(median(points[case], name)) for case in ("letters", "letters, no dark input")]
        rows.append([name, number(ours), f"{ours / gemm:.2f}", *letters])
    return table(["one generation, median ms", "MNIST", "x GEMM", "letters", "letters, no dark input"], rows)


def operators() -> str:
    return table(["", "what it does"], [[name, NOTES[name]] for name in read("generation")["points"][0]["figures"]])


def sweep(case: str, head: str, fitted: bool = True) -> Callable[[], str]:
    """Return a function that tabulates a sweep; if `fitted`, a last row has the growth exponents."""

    def write() -> str:
        points = read(case)["points"]
        names = list(points[0]["figures"])
        rows = [[f"{point['case']:,}", *(number(median(point, name)) for name in names)] for point in points]
        if fitted:
            fits = [exponent(points, name) for name in names]
            rows.append([f"*exponent from {FIT_FROM}*", *("-" if fit is None else f"*{fit:.2f}*" for fit in fits)])
        return table([head, *names], rows)

    return write


def threads() -> str:
    points = read("threads")["points"]
    rows = []
    for name in points[0]["figures"]:
        times = [median(point, name) or math.nan for point in points]
        rows.append([name, *map(number, times), *(f"{times[0] / time:.2f}" for time in times[1:])])
    counts = [str(point["case"]) for point in points]
    return table(["median ms", *counts, *(f"1 to {count}: faster by" for count in counts[1:])], rows)


def limits() -> str:
    found = read("limits")["limits"]
    return (
        f"Measured: {found['gemm_gflops']:,.0f} GFLOP/s in a product of 4,096 x 4,096 matrices, "
        f"{found['bandwidth_gb_per_s']:.1f} GB/s in the triad a = b + s c over arrays of 512 MB."
    )


def limit_ms(stage: dict[str, float], found: dict[str, float]) -> float:
    """Return the minimum milliseconds that a stage's operations and bytes take on this machine."""
    return max(stage["operations"] / found["gemm_gflops"], stage["bytes"] / found["bandwidth_gb_per_s"]) / 1e6


def stages() -> str:
    document = read("limits")
    rows = []
    for case, measured in document["stages"].items():
        total = 0.0
        for stage, values in measured["stages"].items():
            least = limit_ms(values, document["limits"])
            total += values["median_ms"]
            cells = [f"{values['median_ms']:.1f}", f"{least:.1f}", f"{100 * least / values['median_ms']:.0f} %"]
            rows.append([case if stage == "batch" else "", stage, *cells])
        rows.append(["", "*sum; the whole, measured*", f"*{total:.1f}; {measured['whole_ms']:.1f}*", "", ""])
    return table(["", "stage", "median ms", "limit ms", "of the limit"], rows)


def seconds_to(accuracy: float, run: dict[str, Any]) -> float:
    """Return the seconds until a run validated at `accuracy`, by either champion; infinity if it never did."""
    return next((seconds for seconds, *looks in run["curve"] if max(looks) >= accuracy), math.inf)


def reach() -> str:
    rows = []
    for name, runs in read("reach")["variants"].items():
        test = [100 * run["test_accuracy"] for run in runs]
        reached = statistics.median(seconds_to(PUBLISHED_ACCURACY, run) for run in runs)
        rows.append(
            [
                f"`{name}`",
                f"{statistics.median(run['generations'] for run in runs):,.0f}",
                f"{statistics.fmean(test):.1f} ({min(test):.1f} - {max(test):.1f})",
                "not within the budget" if math.isinf(reached) else f"{reached:.1f}",
                f"{statistics.median(run['wall_seconds'] for run in runs):.1f}",
                str(len(runs)),
            ]
        )
    head = [
        "",
        "generations",
        "test accuracy, %",
        "seconds to 81.47 % of validation",
        "seconds of the process",
        "seeds",
    ]
    return table(head, rows)


def startup() -> str:
    found = read("startup")["first_generation_seconds"]
    rows = [[name, f"{statistics.median(values):.1f}", str(len(values))] for name, values in found.items()]
    return table(["a cold process, to the end of its first generation", "median seconds", "processes"], rows)


def compiling() -> str:
    """Return how long kernels take to compile, in this version and in one with larger kernels."""
    found = read("versions")
    rows = [
        [name.removeprefix("compiling for "), f"{one['other']:.1f}", f"{one['this']:.1f}", f"{one['ratio']:.2f}"]
        for name, one in found["compiling (s)"].items()
    ]
    return table(["kernels of a preset, seconds to compile", f"before ({found['other']})", "now", "now / before"], rows)


def versions() -> str:
    """Return how this version's steps compare with the other's."""
    found = read("versions")
    rows = [
        [name, number(one["other"]), number(one["this"]), f"{one['ratio']:.2f}"]
        for name, one in found["steps (ms)"].items()
    ]
    head = ["median of turns; milliseconds unless said", f"before ({found['other']})", "now", "now / before"]
    return table(head, rows)


def imports() -> str:
    found = read("startup")["imports"]["difference_ms"]
    return "\n".join(f"* {name}: {value:.0f} ms" for name, value in found.items())


def memory() -> str:
    points = read("population")["points"]
    names = [name for name in points[0]["figures"] if name not in ("gemm", "numba, gene = unit", "PyGAD")]
    rows = []
    for point in points:
        peaks = [point["figures"][name]["peak_mb"] if name in point["figures"] else None for name in names]
        rows.append([f"{point['case']:,}", *map(number, peaks)])
    return table(["population; peak MB", *names], rows)


def memory_of_a_run() -> str:
    found = read("memory")
    settings = found["settings"]
    return (
        f"`genreg-np train` with a population of {settings['population_size']:,}, MNIST and all: "
        f"{found['peak_mb'] / 1000:.2f} GB."
    )


def prediction() -> str:
    rows = [
        [name, f"{figure['median_us']:.2f}", f"{figure['fastest_us']:.2f}"]
        for name, figure in read("prediction")["figures"].items()
    ]
    return table(["one image, microseconds", "median of turns", "fastest turn"], rows)


def starts() -> str:
    return table(["from nothing", ""], [[name, number(value)] for name, value in read("prediction")["starts"].items()])


def exported_sizes() -> str:
    found = read("prediction")
    rows = [[name, f"{value:,}"] for name, value in found["sizes"].items()]
    accuracy = [[f"{name}, test accuracy", f"{100 * value:.2f} %"] for name, value in found["test_accuracy"].items()]
    return table(["784-64-10", "bytes"], [*rows, *accuracy])


def int8_in_c() -> str:
    found = read("export-int8")
    rows = []
    for name, model in found["models"].items():
        times, counts = model["microseconds"], model["bytes"]
        for option, time in times.items():
            rows.append([f"{name}, gcc {option}, us", *(f"{time[version]:.2f}" for version in ("other", "this"))])
        for what in counts["this"]:
            rows.append([f"{name}, {what}, bytes", *(f"{counts[version][what]:,}" for version in ("other", "this"))])
    measured = table(["784-64-10, 8-bit integers in C", f"before ({found['other'][:7]})", "now"], rows)
    machine = found["machine"]
    return f"{measured}\n\n{machine['processor']}, gcc {machine['gcc']}, load {machine['load']}."
