"""What a model's C takes of a machine: bytes of flash and of RAM of the smallest program that predicts, c_flash.c.

    flash = code and constants (.text, .rodata), and the first values of variables (.data)
    RAM   = variables (.data, .bss) less the image, which the caller has anyway, and the deepest stack

Linked by -Os with what is not needed left out, without start-up code. For a microcontroller the C library's share is in
it (newlib-nano; arithmetic of floats, where the processor has none); on a PC the C library is shared, and is not. The
stack is the longest path of calls from model_predict, by the frames that gcc states; the C library's are not known.
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
    """Return the machines that there is a compiler for."""
    return {name: one for name, one in MACHINES.items() if shutil.which(one.compiler)}


def footprint(folder: Path, machine: Machine, options: tuple[str, ...] = ()) -> dict[str, int]:
    """Return bytes of `flash`, of `variables` and of `stack` of the model.c that lies in a folder."""
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
    """Return the bytes of stack that a function and those it calls take at most, by what gcc wrote of a file's calls.

    Raises
    ------
    ValueError
        If a frame's size is not known beforehand.
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
