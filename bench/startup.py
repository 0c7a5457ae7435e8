"""How long imports take, over the interpreter and over NumPy: medians of fresh processes, taken in turn.

    python bench/startup.py

Writes bench/results/startup.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import machine

CASES = {"python": "pass", "genreg_np": "import genreg_np", "numpy": "import numpy", "infer": "import genreg_np.infer"}
RUNS = 21


def main() -> None:
    """Measure and print the differences."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(RUNS):
        for name, code in CASES.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times[name].append(1000 * (time.perf_counter() - start))
    median = {name: round(statistics.median(values), 1) for name, values in times.items()}
    over = {
        "genreg_np over python": round(median["genreg_np"] - median["python"], 1),
        "genreg_np.infer over numpy": round(median["infer"] - median["numpy"], 1),
    }
    document = {"machine": machine.describe(), "runs": RUNS, "median_ms": median, "difference_ms": over}
    target = Path(__file__).parent / "results" / "startup.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(over)


if __name__ == "__main__":
    main()
