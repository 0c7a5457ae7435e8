"""The cases that time one generation: as published, and over population, images, hidden units and threads.

Each returns a list of points: a workload's sizes and the figures of every implementation for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import workload as workloads
from ours import GENERATIONS, IMPLEMENTATIONS
from workers import Effort, Launch, measure
from workload import Workload

PEERS = ("evosax", "EvoTorch", "PyGAD")
POPULATIONS = (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
IMAGES = (50, 100, 200, 500, 1000, 2000, 5000)
HIDDEN = (16, 32, 64, 128, 256, 512, 1024)
MOST_MS, MOST_MB = 3000, 2500  # a peer, or numpy, that needs more is dropped from a sweep

Point = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """The settings of a measurement."""

    peers: str | None = None  # the peers' Python
    quick: bool = False  # only the smallest sizes, once, to check that everything works

    @property
    def effort(self) -> Effort:
        """How long to measure a single workload."""
        return Effort(turns=1, seconds=1) if self.quick else Effort(turns=8, seconds=6)

    @property
    def sweep_effort(self) -> Effort:
        """How long to measure one of many sizes."""
        return self.effort if self.quick else Effort(turns=3, seconds=1.5)

    def launches(self, ours: Iterable[str], peers: Iterable[str] = PEERS) -> dict[str, Launch]:
        """Return ours and, if their environment is given, the peers."""
        theirs = {name: Launch(name, self.peers) for name in peers} if self.peers else {}
        return {name: Launch(name) for name in ours} | theirs

    def sizes(self, values: tuple[int, ...]) -> tuple[int, ...]:
        """Return the sizes to measure."""
        return values[:2] if self.quick else values


def generation(bench: Bench) -> list[Point]:
    """Measure one generation as published, on MNIST and on the letters, these also without always-dark inputs."""
    cases = {
        "MNIST": (workloads.mnist(preset="seed-mnist-64"), PEERS),
        "letters": (workloads.letters(preset="seed-alphabet"), PEERS[:2]),  # PyGAD takes minutes
        "letters, no dark input": (workloads.letters(dark=False), ()),
    }
    points = []
    for name, (workload, peers) in cases.items():
        ours = [key for key in IMPLEMENTATIONS if workload.preset or key != "whole step of a run"]
        points.append(_point(name, workload, bench.launches(ours, peers), bench.effort))
    return points


def population(bench: Bench) -> list[Point]:
    """Measure 50 to 20,000 genomes."""
    return _sweep(bench, bench.sizes(POPULATIONS), lambda size: workloads.mnist(population=size))


def images(bench: Bench) -> list[Point]:
    """Measure 50 to 5,000 images per batch."""
    return _sweep(bench, bench.sizes(IMAGES), lambda size: workloads.mnist(images=size))


def hidden(bench: Bench) -> list[Point]:
    """Measure 16 to 1,024 hidden units."""
    return _sweep(bench, bench.sizes(HIDDEN), lambda size: workloads.mnist(hidden=size))


def threads(bench: Bench) -> list[Point]:
    """Measure the published workload on 1, 2, 4 ... threads, up to the number of cores."""
    counts = [2**power for power in range(8) if 2**power <= (os.cpu_count() or 1)]
    launches = {
        f"{name} | {count}": Launch(name, environment=_threads(count))
        for name in ("gemm", *GENERATIONS)
        for count in counts
        if not name.startswith("numpy")
    }
    point = _point("MNIST", workloads.mnist(), launches, bench.effort)
    by_count: dict[int, dict[str, Any]] = {count: {} for count in counts}
    for key, figures in point["figures"].items():
        name, _, count = key.partition(" | ")
        by_count[int(count)][name] = figures
    return [point | {"case": count, "figures": figures} for count, figures in by_count.items()]


def _threads(count: int) -> dict[str, str]:
    return {"NUMBA_NUM_THREADS": str(count), "OPENBLAS_NUM_THREADS": str(count)}


def _sweep(bench: Bench, sizes: Iterable[int], draw: Callable[[int], Workload]) -> list[Point]:
    """Measure from the smallest size up; drop a peer, or numpy, that has become too slow or too large."""
    points: list[Point] = []
    names = bench.launches(("gemm", *GENERATIONS), PEERS[:2])  # PyGAD takes 10 s, whatever the size
    for size in sizes:
        points.append(_point(size, draw(size), names, bench.sweep_effort))
        figures = points[-1]["figures"]
        names = {name: launch for name, launch in names.items() if _goes_on(name, figures[name])}
    return points


def _goes_on(name: str, figures: dict[str, Any]) -> bool:
    """Return whether an implementation is also measured at the next size."""
    return name.startswith(("gemm", "numba")) or (figures["median_ms"] < MOST_MS and figures["peak_mb"] < MOST_MB)


def _point(case: str | int, workload: Workload, launches: dict[str, Launch], effort: Effort) -> Point:
    figures = measure(workload, launches, effort)
    medians = "  ".join(f"{name} {figure['median_ms']:.1f}" for name, figure in figures.items())
    print(f"  {case}: {medians}", flush=True)
    return {"case": case, **workload.describe(), "figures": figures}
