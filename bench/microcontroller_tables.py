"""The tables of docs/microcontrollers.md, from the results of bench/microcontrollers.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from microcontrollers import BUILDS, FRAMEWORK
from tables import read, table


def small() -> str:
    """Return each network by each implementation, or why one is left out."""
    found = read("microcontrollers")
    rows = []
    for network in found["networks"]:
        rows.append([f"**{network['network']}**", *[""] * 8])
        rows += [_row(row) for row in network["rows"]]
    head = ["", "accuracy, %", "unlike our float32", *(f"us, `{build}`" for build in BUILDS), "times as long as ours"]
    head += ["flash, Cortex-M3", "flash, x86-64", "RAM"]
    every = [row for network in found["networks"] for row in network["rows"] if "left out" in row]
    why = dict.fromkeys(f"* {row['who']}, {row['type']}: {row['left out']}." for row in every)
    return "\n\n".join([table(head, rows), *(["Why there is a dash:", "\n".join(why)] if why else []), _machine(found)])


def _row(row: dict[str, Any]) -> list[str]:
    name = f"{row['who']}, {row['type']}"
    if "left out" in row:
        return [name, *["-"] * 8]
    times, ratios, size = row["microseconds"], row["times as long as ours"], row["bytes"]
    beside = " / ".join(f"{ratio:.2f}" for ratio in ratios.values()) if row["who"] != "genreg-np" else ""
    right = [f"{100 * row['accuracy']:.2f}", f"{row['unlike our float32']:,}"]
    if "arena" in size:
        flash = f"{size['model']:,} + {FRAMEWORK:,} (cited) + kernels"
        taken = [f"{times['package']:,.2f} (package)", "-", beside or "-", flash, f"{size['model']:,} + runtime"]
        return [name, *right, *taken, f"{size['arena']['total']:,} + stack"]
    flashes = [f"{size[machine]['flash']:,}" if machine in size else "-" for machine in ("Cortex-M3", "x86-64")]
    ram = f"{size['Cortex-M3']['variables'] + size['Cortex-M3']['stack']:,}" if "Cortex-M3" in size else "-"
    return [name, *right, *(f"{times[build]:,.2f}" for build in BUILDS), beside, *flashes, ram]


def _machine(found: dict[str, Any]) -> str:
    around, settings = found["machine"], found["settings"]
    versions = [
        f"{name} {around['versions'][name]}"
        for name in ("emlearn", "tensorflow-cpu", "tflite-micro")
        if name in around["versions"]
    ]
    return (
        f"{around['processor']}, {'; '.join([*around['compilers'].values(), *versions])}; load {around['load']}. "
        f"Medians of {settings['turns']} turns over {settings['timed images']:,} images; 8-bit networks calibrated on "
        f"{settings['calibration images']} validation images."
    )


def cited() -> str:
    """Return the figures from others' documentation."""
    rows = [[one["what"], one["figure"], one["source"], one["date"]] for one in read("microcontrollers")["cited"]]
    return table(["cited, not measured here", "", "source", "date"], rows)


def integers() -> str:
    """Return each model in floats and in integers."""
    found = read("integers")
    rows = []
    for name, model in found["models"].items():
        for kind in ("float32", "int8"):
            times = [f"{model['microseconds'][build][kind]:,.1f}" for build in BUILDS]
            size = model["bytes"][kind]
            memory = f"{size['stack'] + size.get('memory', 0):,}"
            rows.append(
                [f"{name}, {kind}", f"{100 * model['test accuracy'][kind]:.2f}", *times, f"{size['flash']:,}", memory]
            )
    unlike = sum(model["classes unlike infer.py's"] for model in found["models"].values())
    head = ["", "accuracy, %", *(f"us, `{build}`" for build in BUILDS), "flash, Cortex-M3", "RAM, as the header says"]
    around = found["machine"]
    told = (
        f"{around['processor']}, load {around['load']}. On 10,000 test images {unlike} classes of the integer models "
        "differ from `infer.py`'s."
    )
    return "\n\n".join([table(head, rows), told])


PAGE: dict[str, Callable[[], str]] = {"microcontrollers": small, "integers": integers, "cited": cited}
