"""The tables of docs/scaling.md, and its figure: measurements, and what they imply for more machines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tables import RESULTS, read, table

from genreg_np.engines.fitness import CHUNKS
from genreg_np.engines.ray_ import RayEngine

LINE = 125e6  # bytes per second: a gigabit
PROCESSORS = 8  # per machine
MACHINES = (1, 10, 100, 1000)
GENOMES = 10_000
LENGTHS = (0.01, 1.0, 60.0)  # seconds per score
COLOURS = ("#d1603d", "#3f8fc4", "#2f9270", "#8479c9")
LEAST = RayEngine.least_seconds  # seconds per task


def speed_up(machines: int, length: float, overhead: float, to_all: float, to_each: float) -> float:
    """Return the speed-up over one processor for a generation of scores that take `length` seconds each.

    The driver hands out tasks one after another (`overhead` each). It sends `to_all` bytes in total, and `to_each` for
    every machine, over one line. The generation ends with its last task.
    """
    workers = machines * PROCESSORS
    work = GENOMES * length
    tasks = min(GENOMES, max(workers, min(CHUNKS * workers, work / LEAST)))
    handing, sending = tasks * overhead, (to_all + machines * to_each) / LINE
    return work / (max(work / workers, handing) + sending + work / tasks)


def columns() -> dict[str, tuple[float, float, float]]:
    """Return the calculated cases: name, seconds per score, bytes for all, bytes per machine."""
    generation = read("scaling")["generation"]
    sent = GENOMES * read("scaling")["policy"]
    policies = {f"policies, {length:g} s each": (length, sent, 0.0) for length in LENGTHS}
    each = generation["serial"] / GENOMES
    return policies | {f"784-64-10 on data, {1e3 * each:.1f} ms each": (each, 0.0, generation["survivors"])}


def scaling() -> str:
    """Return the measurements, and the calculation."""
    found = read("scaling")
    tasks, generation, about = found["tasks"], found["generation"], found["machines"]["tasks"]
    overhead, survivors = tasks["overhead"], generation["survivors"]
    rows = [
        ["an empty task on two nodes", f"{1e3 * overhead:.1f} ms"],
        ["tasks of a second: two nodes against one", f"{tasks['ratio']:.2f} times as fast"],
        ["a node killed among its tasks", f"nothing lost {found['lost nodes']} times of 10"],
        ["a driver killed in mid-run, and gone on with", f"the same bytes {found['lost drivers']} times of 10"],
        ["a generation of 10,000 genomes 784-64-10 by serial, processes, ray", _equal(generation)],
        ["what goes out for it beside the survivors", f"{generation['beside'] / 1e6:.2f} MB"],
        ["the survivors", f"{survivors / 1e6:.0f} MB"],
        ["all its weights", f"{generation['weights'] / 1e6:,.0f} MB"],
    ]
    head = ["machines of 8 processors", *columns()]
    grown = [
        [f"{machines:,}", *(_told(speed_up(machines, length, overhead, *sent)) for length, *sent in columns().values())]
        for machines in MACHINES
    ]
    return (
        f"Measured with local nodes of one processor each (`bench/scaling.py`, {about['processor']}, {about['cores']} "
        f"cores, Ray {about['ray']}):\n\n{table(['', ''], rows)}\n\n"
        "From these figures follows how many times as fast as one processor a generation of 10,000 genomes would be, "
        "where the driver hands out one task after another, sends models or survivors over one line of a gigabit, and "
        "waits for the last task. It is a calculation, not a measurement:\n\n"
        f"{table(head, grown)}\n\n"
        "![Times as fast as one processor, by machines](figures/scaling.svg)\n\n"
        "It stops making sense where handing out a task takes as long as doing it, and where survivors take longer to "
        "send than to score: large populations of small networks on data want one machine, and scores that take "
        "seconds as many as there are. A lost node costs what its tasks had done so far: a quarter of a second each, "
        "or one score where that takes longer."
    )


def _told(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def _equal(generation: dict[str, Any]) -> str:
    seconds = ", ".join(f"{generation[name]:.1f} s" for name in ("serial", "processes", "ray"))
    return f"{'equal bytes' if generation['equal'] else 'DIFFERENT BYTES'} ({seconds}, starting included)"


def drawn(plt: Any) -> Any:
    """Draw the calculated speed-up over one processor against the number of machines."""
    found = read("scaling")
    overhead = found["tasks"]["overhead"]
    machines = [round(10 ** (step / 8)) for step in range(25)]
    figure, axes = plt.subplots(figsize=(5.4, 3.4))
    axes.plot(machines, [PROCESSORS * count for count in machines], color="#7a828b", linestyle=":", label="all of them")
    for (name, (length, *sent)), colour in zip(columns().items(), COLOURS, strict=True):
        fast = [speed_up(count, length, overhead, *sent) for count in machines]
        axes.plot(machines, fast, color=colour, label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(f"machines of {PROCESSORS} processors")
    axes.set_title("times as fast as one processor, calculated")
    axes.grid()
    axes.legend(frameon=False)
    return figure


PAGE: dict[str, Callable[[], str]] = {"scaling": scaling} if (RESULTS / "scaling.json").exists() else {}
