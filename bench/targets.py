"""Our targets, compared with the measurements."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tables import exponent, median, read, table

WEIGHT, UNIT, NONE = (f"numba, gene = {gene}" for gene in ("weight", "unit", "none"))
NUMPY = "numpy, gene = weight"


@dataclass(frozen=True)
class Target:
    """A target for a measured figure."""

    what: str
    wanted: float
    unit: str  # follows the number
    measured: float | None  # None: not measured in this run
    at_most: bool = True  # or at least

    @property
    def reached(self) -> bool:
        """Whether the measured figure reaches the target."""
        assert self.measured is not None
        return self.measured <= self.wanted if self.at_most else self.measured >= self.wanted

    def row(self) -> list[str]:
        """Return the cells of a table row."""
        sign, digits = ("at most" if self.at_most else "at least"), 2 if self.wanted < 10 or self.unit == " %" else 1
        wanted = f"{sign} {self.wanted:g}{self.unit}"
        if self.measured is None:
            return [self.what, wanted, "-", "not measured"]
        return [self.what, wanted, f"{self.measured:.{digits}f}{self.unit}", "yes" if self.reached else "**no**"]


def targets() -> Iterator[Target]:
    """Yield every target with its result."""
    points = {point["case"]: point for point in read("generation")["points"]}
    mnist = points["MNIST"]

    def times(slower: str, faster: str) -> float | None:
        above, below = median(mnist, slower), median(mnist, faster)
        return above / below if above and below else None

    yield Target("MNIST, gene = weight", 25, " ms", median(mnist, WEIGHT))
    yield Target("the same over the GEMM of its first layers", 2.2, " x", times(WEIGHT, "gemm"))
    for name in (UNIT, NONE):
        gene = name.removeprefix("numba, ")
        yield Target(f"MNIST, {gene}", 12, " ms", median(mnist, name))
        yield Target("the same over the GEMM", 1.1, " x", times(name, "gemm"))
    yield Target("gene = weight, faster than evosax by", 6, " x", times("evosax", WEIGHT), at_most=False)
    for peer in ("evosax", "EvoTorch"):
        yield Target(f"gene = none, faster than {peer} by", 14, " x", times(peer, NONE), at_most=False)
    yield Target("letters, dark inputs skipped", 120, " ms", median(points["letters"], WEIGHT))
    yield Target("letters, no dark input", 170, " ms", median(points["letters, no dark input"], WEIGHT))
    yield Target("numpy alone, MNIST", 350, " ms", median(mnist, NUMPY))
    runs = read("reach")["variants"]["log-probability"]
    worst = 100 * min(run["test_accuracy"] for run in runs)
    yield Target("test accuracy after 20 s in a cold process, worst seed", 81.47, " %", worst, at_most=False)
    one, two = ({point["case"]: point for point in read("threads")["points"]}.get(count) for count in (1, 2))
    faster = median(one, WEIGHT) / median(two, WEIGHT) if one and two else None  # type: ignore[operator]
    yield Target("2 threads, gene = weight, faster than 1 by", 1.8, " x", faster, at_most=False)
    for case in ("population", "images"):
        fits = [fit for name in (WEIGHT, UNIT, NONE) if (fit := exponent(read(case)["points"], name)) is not None]
        yield Target(f"growth exponent in {case}, worst of ours", 1.05, "", max(fits, default=None))
    peak = read("memory")["peak_mb"] / 1000
    yield Target("memory of a run with a population of 10,000", 1.5, " GB", peak)


def targets_table() -> str:
    return table(["aim", "wanted", "measured", "reached"], [target.row() for target in targets()])
