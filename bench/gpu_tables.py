"""Results on real GPUs for docs/benchmarks.md: one table for each bench/results/gpu-NAME.json."""

from __future__ import annotations

import json
from typing import Any

from tables import RESULTS, number, table

HEAD = ["a generation or batch, median ms", "GPU", "kernels and products", "CPU", "GPU faster by", "same bytes for"]


def gpus() -> str:
    """Return each card's libraries, checks and times."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(RESULTS.glob("gpu-*.json"))]
    return "\n\n".join(_card(document) for document in found)


def _card(document: dict[str, Any]) -> str:
    parts, machine = document["parts"], document["machine"]
    device, tests = parts["device"], parts["tests"]
    cases = {name: part for name, part in parts.items() if "a step on the CPU (ms)" in part}
    threads = next(iter(cases.values()))["threads of the CPU"]
    wrong = len(parts["self-test"]["wrong"]) + len(tests["wrong"])
    repeated = all(case["a second run is the same to the byte"] for case in cases.values())
    said = [
        f"{document['card']}, beside {threads} threads of {machine['processor']}; CuPy {device['cupy']}, CUDA "
        f"{device['runtime'] // 1000}.{device['runtime'] % 1000 // 10}, numpy {machine['versions']['numpy']}, numba "
        f"{machine['versions']['numba']}; {machine['time'][:10]}.",
        f"Kernels compile in {device['kernels (s)']:.1f} s, once. {device['float32 product (TFLOP/s)']:.0f} TFLOP/s in "
        f"a large product, {device['copy (GB/s)']:,.0f} GB/s in a copy.",
        f"Self-test and tests on the card: {tests['summary'].partition(' passed')[0]} passed, {wrong} wrong.",
        "Every run, made twice, gave the same bytes."
        if repeated
        else "Not every run, made twice, gave the same bytes.",
    ]
    if "search" in parts:
        said.append(_searched(parts["search"]))
    rows = [
        [
            name,
            number(case["a step on the GPU (ms)"]),
            number(case["of which kernels and products (ms)"]),
            number(case["a step on the CPU (ms)"]),
            f"{case['a step on the CPU (ms)'] / case['a step on the GPU (ms)']:.1f} x",
            f"{case['generations with the same bytes']} of {2 if name == 'mixed' else 20}",
        ]
        for name, case in cases.items()
    ]
    return " ".join(said) + "\n\n" + table(HEAD, rows)


def _searched(part: dict[str, Any]) -> str:
    """Return the results of training individuals of a search."""
    names = ("a trial on the GPU, one thread (s)", "a trial on the CPU, one thread (s)")
    there, here = (part[name] for name in names)
    off, most = part["log loss, GPU over CPU, less 1: median and largest"]
    return (
        "An individual of `search images` (4,000 samples, 1.5 million multiply-adds at most) takes "
        f"{there:.2f} s on the card, {here:.2f} s on one thread of the CPU, by the median; their log losses are "
        f"{100 * off:.2f} % apart by the median, {100 * most:.1f} % at most."
    )
