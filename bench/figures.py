"""Write the tables of the docs pages and the plots of docs/figures from bench/results and the registries.

Tables are placed between the marks `<!-- NAME -->` and `<!-- end -->`.

    python bench/figures.py            rewrites pages and plots
    python bench/figures.py --check    only reports whether they are up to date
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import accuracies
import answers
import control_tables
import convolution_tables
import estimator_tables
import gpu_tables
import layer_tables
import microcontroller_tables
import mixed_tables
import photograph_tables
import pipeline_tables
import plots
import report_tables
import scaling_tables
import search_tables
import tables
import tabular_tables
import unsure_tables
from support import support
from tables import read, table
from targets import targets_table

ROOT = Path(__file__).resolve().parents[1]
PUBLISHED = {  # per digit, from the published evaluation files
    "published, generation 600 (81.20 %)": [87.1, 94.5, 80.7, 73.4, 78.2, 70.9, 86.3, 82.2, 76.7, 79.3],
    "published, generation 500 (81.47 %)": [93.7, 96.7, 80.3, 75.4, 84.7, 61.4, 84.9, 83.8, 73.6, 76.2],
}


def digit_table() -> str:
    """Return the accuracy of each digit, published and ours: the run closest to the median."""
    runs = sorted(read("accuracy-seed-mnist-64")["runs"], key=lambda run: float(run["test"]["best"]))
    middle = runs[len(runs) // 2]
    ours = [100 * value for value in middle["per_class"]["best"]]
    label = f"ours, best genome, seed {middle['seed']} ({100 * middle['test']['best']:.2f} %)"
    rows = [[name, *(f"{value:.1f}" for value in values)] for name, values in {**PUBLISHED, label: ours}.items()]
    return table(["digit, %", *"0123456789"], rows)


FEW = ("fast", "best", "nodes", "selection", "seed-mnist-64")  # presets on README and the first page of the docs
PAGES = {
    "README.md": {"accuracy": lambda: accuracies.presets(FEW)},
    "docs/index.md": {"accuracy": lambda: accuracies.presets(FEW)},
    "docs/accuracy.md": {
        "machine": accuracies.machine,
        "presets": accuracies.presets,
        "digits": digit_table,
        "ladder": accuracies.ladder,
        "time": accuracies.time_to,
        "fashion": accuracies.fashion,
        "ablation": accuracies.ablation,
        "exact": accuracies.exact,
        "sizes": accuracies.sizes,
    },
    "docs/answers.md": answers.PAGE,
    "docs/experiments/mixed.md": mixed_tables.PAGE,
    "docs/export.md": {"support": support},
    "docs/estimators.md": estimator_tables.PAGE,
    "docs/own-scores.md": control_tables.PAGE,
    "docs/scaling.md": scaling_tables.PAGE,
    "docs/search.md": search_tables.PAGE,
    "docs/search-gan.md": search_tables.GAN,
    "docs/search-tables.md": pipeline_tables.PAGE,
    "docs/layers.md": layer_tables.PAGE,
    "docs/microcontrollers.md": microcontroller_tables.PAGE,
    "docs/photographs.md": photograph_tables.PAGE,
    "docs/report.md": report_tables.PAGE,
    "docs/tables.md": tabular_tables.PAGE,
    "docs/unsure.md": unsure_tables.PAGE,
    "docs/benchmarks.md": {
        "machine": tables.machine,
        "targets": targets_table,
        "generation": tables.generation,
        "operators": tables.operators,
        "population": tables.sweep("population", "population"),
        "images": tables.sweep("images", "images"),
        "hidden": tables.sweep("hidden", "hidden units", fitted=False),
        "threads": tables.threads,
        "limits": tables.limits,
        "stages": tables.stages,
        "reach": tables.reach,
        "startup": tables.startup,
        "compiling": tables.compiling,
        "versions": tables.versions,
        "imports": tables.imports,
        "memory": tables.memory,
        "gpu": gpu_tables.gpus,
        **convolution_tables.PAGE,
        "memory of a run": tables.memory_of_a_run,
        "prediction": tables.prediction,
        "starts": tables.starts,
        "exported sizes": tables.exported_sizes,
        "int8 in C": tables.int8_in_c,
    },
}


def main() -> int:
    """Rewrite the pages and plots, or check them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = False
    for page, parts in PAGES.items():
        text = (ROOT / page).read_text("utf-8")
        new = text
        for name, write in parts.items():
            pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
            new, count = pattern.subn(lambda match, write=write: match[1] + write() + "\n" + match[2], new)
            assert count == 1, f"{page} has {count} places for {name}"
        if check:
            print(f"{page} is up to date" if new == text else f"{page} is not what bench/results say: make figures")
            stale |= new != text
        else:
            (ROOT / page).write_text(new, "utf-8")
    if not check:
        plots.draw_all()
    for plot in plots.SOURCES:
        if not plots.is_current(plot):
            print(f"docs/figures/{plot}.svg is not what bench/results say: make figures")
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
