"""The tables of docs/search.md, from the results of bench/search.py and its companions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from tables import RESULTS, read, standard_error, table


def budgets() -> str:
    """Return what searches reach in a given time."""
    found = read("search")
    rows = []
    for name, lines in found["budgets"].items():
        accuracies = [100 * line["mean_accuracy"] for line in lines]
        scores, seconds = [line["f1"] for line in lines], [line["seconds"] for line in lines]
        rows.append(
            [
                name,
                str(len(lines)),
                f"{statistics.mean(accuracies):.2f} % ({min(accuracies):.2f} - {max(accuracies):.2f})",
                f"{statistics.mean(scores):.4f}",
                f"{statistics.mean(seconds):.0f} ({max(seconds):.0f})",
                f"{statistics.median(line['trials'] for line in lines):.0f}",
                f"{min(line['parameters'] for line in lines):,} - {max(line['parameters'] for line in lines):,}",
                "{:.0f} - {:.0f} %".format(*_cost_errors(lines)),
            ]
        )
    head = [
        "search", "seeds", "test accuracy: mean (range)", "F1", "seconds: mean (longest)", "trials", "weights",
        "a trial's seconds are predicted with a median error of",
    ]  # fmt: skip
    return table(head, rows) + f"\n\n{_machine(found)}"


def _cost_errors(lines: Sequence[dict[str, Any]]) -> tuple[float, float]:
    """Return the least and the greatest median error of the predicted seconds of searches, in per cent."""
    errors = [100 * line["cost_error"] for line in lines if line["cost_error"] is not None]
    return min(errors), max(errors)


def selections() -> str:
    """Return how selections compare with random search at equal samples; intervals are of 95 %."""
    lines = read("search")["selections"]
    random = {line["seed"]: line for line in lines["random"]}
    rows = []
    for name, own in lines.items():
        gaps = [line["best"] - random[line["seed"]]["best"] for line in own if line["seed"] in random]
        reached = [
            _reached(line["first"], min(random[line["seed"]]["first"])) for line in own if line["seed"] in random
        ]
        mean, half = statistics.mean(gaps), 1.96 * statistics.stdev(gaps) / len(gaps) ** 0.5
        rows.append(
            [
                f"`{name}`",
                f"{statistics.mean(line['best'] for line in own):.4f}",
                "" if name == "random" else f"{mean:+.4f} ({mean - half:+.4f} .. {mean + half:+.4f})",
                _until(reached, len(own[0]["first"])),
            ]
        )
    seeds = len(random)
    head = [
        "selection", f"best log loss, mean of {seeds}", "minus random's (95 %)",
        "individuals until random's best: median (95 %)",
    ]  # fmt: skip
    return table(head, rows)


def _reached(values: Sequence[float], target: float) -> int:
    """Return after how many individuals a value is reached; one more than there are if none reaches it."""
    return next((place for place, value in enumerate(values, start=1) if value <= target), len(values) + 1)


def _until(counts: Sequence[int], most: int) -> str:
    """Return the median and its 95 % interval by order statistics; counts above `most` are those that never were."""
    ordered, share, place = sorted(counts), 0.0, 0
    while 2 * (share := share + math.comb(len(ordered), place) / 2 ** len(ordered)) <= 0.05:
        place += 1
    ends = [ordered[place - 1], ordered[-place]] if place else []
    middle, *interval = (
        f"{count:.0f}" if count <= most else f"more than {most}" for count in (statistics.median(ordered), *ends)
    )
    return f"{middle} ({' .. '.join(interval)})" if interval else middle


def workers() -> str:
    """Return the overhead of the engine."""
    found = read("search-engine")

    long = "2, longer"
    measured = [run for run in found["workers"] if long in run]

    def middle(get: Callable[[dict[str, Any]], float], runs: Sequence[dict[str, Any]] = found["workers"]) -> float:
        return statistics.median(get(run) for run in runs)

    each = middle(lambda run: run[long]["overhead a trial (ms)"], measured)
    off = middle(lambda run: run[long]["error of the predicted seconds, median"], measured)
    trials, busy, seconds, again = (
        middle(lambda run, name=name: run[long][name], measured) for name in ("trials", "busy", "seconds", "again (s)")
    )
    return (
        f"A search of {trials:.0f} trials in two workers: they are busy {100 * busy:.0f} % of its {seconds:.0f} "
        f"seconds, which include their start; apart from training, a trial costs {each:.0f} ms. Its seconds are "
        f"predicted with a median error of {100 * off:.0f} %; it has two rungs and no budget, and for searches with "
        "one the table above has the errors. Repeating the search from its record takes "
        f"{again:.1f} s.\n\nA search of {middle(lambda run: run['2']['trials']):.0f} trials: two workers are "
        f"{middle(lambda run: run['two workers faster by']):.2f} x as fast as one, and busy "
        f"{100 * middle(lambda run: run['2']['busy']):.0f} % of the time, their start included. "
        f"{_machine(found)}"
    )


def loops() -> str:
    """Return the time of learning relative to PyTorch."""
    found = read("search-engine")
    count, share, middle = len(found["loops"]), *found["loops, all"].values()
    return (
        f"The same {count} random genomes on the same 8,000 samples of MNIST take {100 * share:.0f} % of the time of a "
        f"plain PyTorch loop, one thread each ({100 * middle:.0f} % for the median genome). {_machine(found)}"
    )


def tiny() -> str:
    """Return what is reached on tiny sets, and how much more than by random individuals."""
    draws, rows, told = read("search-tiny")["draws"], [], []

    def row(key: str, name: str) -> None:
        values = [100 * draw[key] for draw in draws]
        rows.append([name, f"{statistics.mean(values):.1f} %", f"{min(values):.1f} - {max(values):.1f}"])

    for head in ("classes", "prototypes"):
        row(head, f"search, `--head {head}`")
        row(f"{head}, by cross-validation", "the same, by its cross-validation (balanced accuracy)")
        row(f"{head}, random, median", f"random individuals of `--head {head}`, the median of 16")
        gains = [100 * (draw[head] - draw[f"{head}, random, median"]) for draw in draws]
        told.append(
            f"with `--head {head}` {statistics.mean(gains):+.1f} points (standard error {standard_error(gains):.1f}; "
            f"better in {sum(gain > 0 for gain in gains)} of {len(gains)} draws)"
        )
    row("random forest", "a random forest on pixels")
    row("classes, best of 16 by 16 test images, as told", "the best of 16 random ones, by 16 test images: as told")
    row("classes, the same, in truth", "the same, in truth")
    seconds = statistics.median(draw[f"{head}, seconds"] for draw in draws for head in ("classes", "prototypes"))
    return (
        f"{table([f'accuracy on 1,000 test images, {len(draws)} draws', 'mean', 'range'], rows)}\n\n"
        f"Against the median random individual of the same head, a search gains {' and '.join(told)}. "
        f"A search took {seconds:.0f} s (median). {_machine(read('search-tiny'))}"
    )


def peers() -> str:
    """Return how long peers take to reach a target."""
    found, rows = read("search-peers"), []
    for name, lines in found.items():
        if not isinstance(lines, list):
            continue
        reached = [line["seconds"] for line in lines if line["seconds"] is not None]
        best = statistics.mean(100 * line["best"] for line in lines)
        seconds = f"{statistics.median(reached):.0f} s" if reached else "-"
        rows.append([name, f"{len(reached)} of {len(lines)}", seconds, f"{best:.2f} %"])
    head = [
        f"{100 * found['target']:.0f} % on the search split within {found['seconds']:.0f} s",
        "reached",
        "after",
        "best",
    ]
    return table(head, rows)


def gans() -> str:
    """Return what searches for generators reach, and the floor."""
    found, rows = read("search-gan"), []
    names = ("fcd", "coverage", "tvd", "modes", "confident", "copying")
    for name, lines in found["searches"].items():
        tests = [line["test"] for line in lines]
        floors = [line["floor"] for line in lines]
        random = [distance for line in lines for distance in line["random, fcd"]]
        random = [math.inf if distance is None else distance for distance in random]
        defaults = [line["default, fcd"] for line in lines if line.get("default, fcd") is not None]
        rows.append(
            [
                name, str(len(lines)),
                *(f"{statistics.mean(one[key] for one in tests):.3g}" for key in names),
                f"{statistics.mean(one['fcd'] for one in floors):.3g}",
                f"{statistics.mean(defaults):.3g}" if defaults else "-",
                f"{statistics.median(random):.0f}" if random else "-",
                f"{statistics.mean(line['seconds'] for line in lines):.0f}",
            ]
        )  # fmt: skip
    head = [
        "search", "seeds", *names, "fcd of real images", "fcd of the default pair after as many samples",
        "fcd of the median random pair after 8,000 samples", "seconds",
    ]  # fmt: skip
    every = [line for lines in found["searches"].values() for line in lines]
    machines = [line.get("machine", found.get("machine")) for line in every]
    busiest = {machine["processor"]: machine for machine in sorted(machines, key=lambda machine: machine["load"])}
    said = "\n".join(_machine({"machine": machine}) for machine in busiest.values())
    once = [line["seed"] for line in every if "default, trainings" not in line]
    before = (
        "\n\nMeasured before selection counted what the judge is unsure of, and with the default pair trained once, "
        "the winner twice."
    )
    return table(head, rows) + f"\n\n{said}" + (before if once else "")


def health() -> str:
    """Return the shares of healthy pairs among random ones and in the last population."""
    found, rows = read("search-gan"), []
    for name, lines in found["searches"].items():
        each = [
            [healthy for line in lines for healthy in line[key]]
            for key in ("random, healthy", "last population, healthy")
        ]
        shares = (f"{100 * statistics.mean(one):.0f} % of {len(one)}" if one else "-" for one in each)
        rows.append([name, *shares])
    return table(["search", "healthy among random genomes", "in the last populations"], rows)


def pair_step() -> str:
    """Return the time of a step, ours and PyTorch's."""
    step = read("search-gan")["step"]
    ratio = step["torch (ms)"] / step["ours (ms)"]
    return (
        f"A step of the pair 64-256-256-784 and 784-256-256-1, batches of 128, takes {step['ours (ms)']:.1f} ms in one "
        f"thread, PyTorch's {step['torch (ms)']:.1f} ms ({step['torch, fused Adam (ms)']:.1f} with its fused Adam): "
        f"{ratio:.2f} x. {_machine(step)}"
    )


def _machine(found: dict[str, Any]) -> str:
    machine = found["machine"]
    rate = f", {machine['gigaflops']} GFLOP/s in a product" if "gigaflops" in machine else ""
    return f"{machine['processor']}, {machine['cores']} cores{rate}, load {machine['load']:.1f}."


GAN = {
    name: write
    for name, (write, part) in {
        "gans": (gans, "searches"),
        "health": (health, "searches"),
        "step": (pair_step, "step"),
    }.items()
    if (RESULTS / "search-gan.json").exists() and part in read("search-gan")
}
MEASURED = {  # each table, and the part of a file that it is made from
    "budgets": (budgets, "search", "budgets"),
    "selections": (selections, "search", "selections"),
    "workers": (workers, "search-engine", "workers"),
    "loops": (loops, "search-engine", "loops"),
    "tiny": (tiny, "search-tiny", "draws"),
    "peers": (peers, "search-peers", "ours"),
}
PAGE = {
    name: write
    for name, (write, file, part) in MEASURED.items()
    if (RESULTS / f"{file}.json").exists() and part in read(file)
}
