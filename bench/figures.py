"""Write the tables of README.md and docs/benchmarks.md from the JSON in bench/results.

They stand between the marks `<!-- NAME -->` and `<!-- end -->`.

    python bench/figures.py            rewrites the pages
    python bench/figures.py --check    only says whether they are up to date
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results"
LINES = {  # preset: what it is, what was published
    "seed-mnist-64": ("GENREG as published, 784-64-10, MNIST, 600 generations", "81.47 / 81.20, one run"),
    "seed-mnist-32": ("the same, 784-32-10", "72.52, one run"),
    "readme-text": ("GENREG's README taken literally (one parent)", "-"),
    "seed-alphabet": ("GENREG on 26 rendered letters, 10,000-128-26", "100, by generation 1,862"),
    "alphabet": ("the letters by log-probability (ours)", "-"),
    "small": ("8x8 digits by log-probability, 64-32-10 (ours)", "-"),
}
PUBLISHED = {  # per digit, from the published evaluation files
    "published, generation 600 (81.20 %)": [87.1, 94.5, 80.7, 73.4, 78.2, 70.9, 86.3, 82.2, 76.7, 79.3],
    "published, generation 500 (81.47 %)": [93.7, 96.7, 80.3, 75.4, 84.7, 61.4, 84.9, 83.8, 73.6, 76.2],
}


def read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
    return document


def spread(values: list[float]) -> str:
    """Return "mean (least - most)" in percent."""
    return f"{statistics.fmean(values):.1f} ({min(values):.1f} - {max(values):.1f})"


def accuracy_table() -> str:
    rows = [
        "| preset | test accuracy of the best genome, % | of the consensus, % | seconds | seeds | published, % |",
        "|---|---|---|---|---|---|",
    ]
    for preset, (what, published) in LINES.items():
        runs = read(f"accuracy-{preset}")["runs"]
        best, consensus = ([100 * run["test"][name] for run in runs] for name in ("best", "consensus"))
        seconds = statistics.median(run["seconds"] for run in runs)
        rows.append(
            f"| `{preset}`: {what} | {spread(best)} | {spread(consensus)} | {seconds:.0f} | {len(runs)} | {published} |"
        )
    return "\n".join(rows)


def digit_table() -> str:
    """Return the accuracy of each digit, published and ours: the run nearest the median."""
    runs = sorted(read("accuracy-seed-mnist-64")["runs"], key=lambda run: float(run["test"]["best"]))
    middle = runs[len(runs) // 2]
    ours = [100 * value for value in middle["per_class"]["best"]]
    label = f"ours, best genome, seed {middle['seed']} ({100 * middle['test']['best']:.2f} %)"
    rows = ["| digit, % | " + " | ".join("0123456789") + " |", "|---|" + "---|" * 10]
    for name, values in {**PUBLISHED, label: ours}.items():
        rows.append(f"| {name} | " + " | ".join(f"{value:.1f}" for value in values) + " |")
    return "\n".join(rows)


def speed_table() -> str:
    rows = ["| one generation, median ms | numba | numpy |", "|---|---|---|"]
    for preset, figures in read("speed")["milliseconds_per_generation"].items():
        rows.append(f"| `{preset}` | {figures['numba']['median_ms']:.0f} | {figures['numpy']['median_ms']:.0f} |")
    return "\n".join(rows)


NOTES = {  # how an operator differs from ours
    "gemm": "one product (12,800 x 784) @ (784 x 200) with all cores: the arithmetic of the first layers alone",
    "numba, gene = weight": "crossover of single weights, masked mutation: GENREG as published",
    "numba, gene = unit": "crossover of hidden units, masked mutation",
    "numba, gene = none": "one parent, masked mutation",
    "numpy, gene = weight": "the specification",
    "evosax": "SimpleGA, jitted, crossover rate .5; adds dense noise to every gene",
    "EvoTorch": "GeneticAlgorithm with GaussianMutation (rate .07); no crossover of single weights, so none",
    "PyGAD": "uniform crossover, random mutation; fitness in one batch",
}


def peers_table() -> str:
    rows = ["| one generation | median ms | x GEMM | of the work |", "|---|---|---|---|"]
    for name, figures in read("peers")["figures"].items():
        rows.append(f"| {name} | {figures['median_ms']:,.1f} | {figures['times_gemm']:.2f} | {NOTES[name]} |")
    return "\n".join(rows)


def machine_line() -> str:
    machine = read("peers")["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return f"{machine['processor']}, {machine['cores']} cores, shared and noisy; {versions}; {machine['time'][:10]}."


PAGES = {
    "README.md": {"accuracy": accuracy_table, "digits": digit_table, "speed": speed_table},
    "docs/benchmarks.md": {"machine": machine_line, "peers": peers_table, "speed": speed_table},
}


def main() -> int:
    """Rewrite, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = False
    for page, tables in PAGES.items():
        text = (ROOT / page).read_text("utf-8")
        new = text
        for name, table in tables.items():
            pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            new, count = pattern.subn(lambda match, table=table: match[1] + table() + "\n" + match[2], new)
            assert count == 1, f"{page} has {count} places for {name}"
        if check:
            print(f"{page} is up to date" if new == text else f"{page} is not what bench/results say: make figures")
            stale |= new != text
        else:
            (ROOT / page).write_text(new, "utf-8")
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
