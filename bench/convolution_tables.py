"""The tables of docs/benchmarks.md about convolutions, from the results of bench/convolution.py."""

from __future__ import annotations

from collections.abc import Callable

from convolution import LAYOUTS
from tables import read, table


def steps() -> str:
    """Return the times of a step of each network, ours and PyTorch's."""
    found = read("convolution")
    rows = [
        [
            row["network"],
            f"{row['milliseconds']['ours']:.2f}",
            *(f"{row['milliseconds'][layout]:.2f}" for layout in LAYOUTS),
            f"**{row['times_as_fast']:.2f}**",
        ]
        for row in found["steps"]
    ]
    head = ["two convolutions", "ours, ms", *(f"PyTorch, {layout}, ms" for layout in LAYOUTS), "times as fast"]
    two, machine = found["side_by_side"], found["machine"]
    after = (
        f"Two such networks ({two['network']}) on two threads: {two['times_as_fast']:.2f} times as fast as one after "
        f"the other. Kernels compile in {found['compile_seconds']:.1f} s, once on a machine. {machine['processor']}, "
        f"{machine['peer']}, load {machine['load']}."
    )
    once = read("infer-convolution")
    ours, theirs = (f"{once['microseconds'][name]:.0f} us" for name in ("infer.py", "onnxruntime"))
    after += (
        f"\n\nOne prediction of `{once['network']}` by `infer.py`, NumPy alone, takes {ours}, by onnxruntime "
        f"{once['machine']['onnxruntime']} from Python {theirs}: {once['ratio']:.2f} times as long "
        "(`bench/infer_convolution.py`, by turns). C that is exported and compiled by `gcc -O3 -march=native` takes "
        f"{once['microseconds']['C']:.0f} us, {once['ratio of C']:.2f} times as long as onnxruntime."
    )
    return f"{table(head, rows)}\n\n{after}"


def layers() -> str:
    """Return the times of a step of the first network with other layers."""
    found = read("convolution-layers")
    rows = [
        [
            row["network"],
            f"{row['milliseconds']['ours']:.2f}",
            *(f"{row['milliseconds'][layout]:.2f}" for layout in LAYOUTS),
            f"**{row['times_as_fast']:.2f}**",
            f"{row['times_the_plain']:.2f}",
        ]
        for row in found["steps"]
    ]
    head = ["after each convolution", "ours, ms", *(f"PyTorch, {layout}, ms" for layout in LAYOUTS)]
    machine = found["machine"]
    after = (
        f"The kernels of these layers and those above compile in {found['compile_seconds']:.1f} s, on the first run "
        f"that needs them. {machine['processor']}, {machine['peer']}, load {machine['load']}."
    )
    return f"{table([*head, 'times as fast', 'relu / max 2 = 1'], rows)}\n\n{after}"


PAGE: dict[str, Callable[[], str]] = {"convolution": steps, "convolution-layers": layers}
