"""The footprint of a model's C code: bytes of flash and RAM of the smallest program that predicts, c_flash.c.

    flash = code and constants (.text, .rodata), and the initial values of variables (.data)
    RAM   = variables (.data, .bss) less the image, which the caller has anyway, and the deepest stack

Linked with -Os and unused sections removed, without start-up code. On a microcontroller the C library's share is
included (newlib-nano; floating-point arithmetic if the processor has none); on a PC the C library is shared, and is
not. The stack is the longest path of calls from model_predict, by the frame sizes that gcc reports; those of the C
library are unknown.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from export_c import scratch

SOURCE = Path(__file__).with_name("c_flash.c")
SMALL = ("-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", "-fcallgraph-info=su")
LINK = ("-nostartfiles", "-Wl,--gc-sections", "-Wl,--entry=main", "-lm")
KEPT = re.compile(r"^(\.text|\.rodata|\.data|\.bss)\S*\s+(\d+)", re.MULTILINE)
NODE = re.compile(r'^node: { title: "([^"]+)" label: "[^"]*?\\n(\d+) bytes \((\w+)\)', re.MULTILINE)
EDGE = re.compile(r'^edge: { sourcename: "([^"]+)" targetname: "([^"]+)"', re.MULTILINE)


@dataclass(frozen=True)
class Machine:
    """A processor to compile for."""

    compiler: str
    size: str
    options: tuple[str, ...]


MACHINES = {
    "Cortex-M3": Machine(
        "arm-none-eabi-gcc",
        "arm-none-eabi-size",
        ("-mthumb", "-mcpu=cortex-m3", "--specs=nano.specs", "--specs=nosys.specs"),
    ),
    "x86-64": Machine("gcc", "size", ("-fno-pie", "-no-pie")),
}


def there() -> dict[str, Machine]:
    """Return the machines for which a compiler is installed."""
    return {name: one for name, one in MACHINES.items() if shutil.which(one.compiler)}


def footprint(folder: Path, machine: Machine, options: tuple[str, ...] = ()) -> dict[str, int]:
    """Return the bytes of `flash`, `variables` and `stack` of the model.c in a folder."""
    every = [machine.compiler, *machine.options, *SMALL, *scratch(folder), *options, "-I."]
    for source in ("model.c", str(SOURCE)):
        subprocess.run([*every, "-c", source], cwd=folder, check=True)
    subprocess.run([*every, "model.o", "c_flash.o", "-o", "flash", *LINK], cwd=folder, check=True)
    told = subprocess.run([machine.size, "-A", "flash"], cwd=folder, check=True, capture_output=True, text=True).stdout
    bytes_of = dict.fromkeys((".text", ".rodata", ".data", ".bss"), 0)
    for section, size in KEPT.findall(told):
        bytes_of[section] += int(size)
    image = int(re.search(r"#define MODEL_INPUTS (\d+)", Path(folder, "model.h").read_text())[1])  # type: ignore[index]
    return {
        "flash": bytes_of[".text"] + bytes_of[".rodata"] + bytes_of[".data"],
        "variables": bytes_of[".data"] + bytes_of[".bss"] - image,
        "stack": deepest(Path(folder, "model.ci").read_text(), "model_predict"),
    }


def deepest(graph: str, function: str) -> int:
    """Return the most stack, in bytes, that a function and those it calls take, from gcc's call graph of a file.

    Raises
    ------
    ValueError
        If the size of a frame is not known at compile time.
    """
    frames: dict[str, int] = {}
    for name, size, kind in NODE.findall(graph):
        if kind != "static":
            raise ValueError(f"the stack of {name} is not known: {kind}")
        frames[name] = int(size)
    calls: dict[str, set[str]] = {}
    for source, target in EDGE.findall(graph):
        calls.setdefault(source, set()).add(target)

    def below(name: str) -> int:
        return frames.get(name, 0) + max((below(target) for target in calls.get(name, ())), default=0)

    return below(function)
