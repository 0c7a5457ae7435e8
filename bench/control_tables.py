"""The tables of docs/own-scores.md: what policies reach in a given time, comparisons, and when processes pay."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from tables import RESULTS, read, table

AIMS = {"CartPole-v1": "475", "Acrobot-v1": "-90", "Pendulum-v1": "-200", "LunarLander-v3": "200"}
OURS = "genreg-np"


def crane() -> str:
    """Return the results of the page's first part."""
    found = read("control")["crane"]
    mean, rest = -found["mean"], 1e3 * found["rest"]
    return (
        f"Here training took {found['seconds']:.0f} seconds. Over ten seconds, from each of 100 starts that it has "
        f"never seen, the load is {mean:.2f} m from the mark on average, the way there included; from 2.5 m it is "
        f"within 0.1 m after {found['settled']:.1f} seconds, and hangs {rest:.0f} mm beside the mark in the end "
        "(`bench/control.py crane`)."
    )


def policies() -> str:
    """Return the table of environments."""
    found, machine = read("control")["policies"], read("control")["machines"]["policies"]
    rows = []
    for env, runs in found.items():
        means = [run["mean"] for run in runs]
        seconds = max(run["seconds"] for run in runs)
        rows.append([
            env, runs[0]["network"].partition(",")[0], f"{seconds:.0f}", AIMS[env],
            f"{statistics.mean(means):.1f} ({min(means):.1f} - {max(means):.1f})", str(len(runs)),
        ])  # fmt: skip
    head = ["environment", "network", "seconds", "usually called solved", "mean return (least - most)", "seeds"]
    told = (
        "What preset `policy` reaches by `examples/control.py`, two processes, each policy judged in 100 episodes that "
        f"no run has met (`bench/control.py policies`, {machine['processor']}, {machine['cores']} cores):"
    )
    return f"{told}\n\n{table(head, rows)}\n\n{answers()}"


def answers() -> str:
    """Return how long one action takes."""
    found = read("control")["answers"]
    return (
        f"One observation through a policy 4-16-2 takes {1e6 * found['outputs']:.1f} microseconds in Python by "
        f"`model.outputs`, {1e6 * found['step']:.1f} by `model.step`, and {1e9 * found['C']:.0f} nanoseconds in C "
        "(`bench/control.py answers`)."
    )


def peers() -> str:
    """Return what other packages reach in the same time."""
    found = read("control")["peers"]
    envs = [env for env in found if env != "lines"]
    seconds = {env: round(max(run["seconds"] for run in found[env][OURS])) for env in envs}
    rows = []
    for name in found[envs[0]]:
        cells = [name]
        for env in envs:
            runs = found[env][name]
            means = [run["mean"] for run in runs if "mean" in run]
            cells.append(f"{statistics.mean(means):.0f} ({min(means):.0f} - {max(means):.0f})" if means else "-")
        rows.append([*cells, str(found["lines"][name])])
    head = ["", *(f"{env}, {seconds[env]} s" for env in envs), "lines"]
    told = (
        "Beside others, one process each, as long, as many episodes a score: mean returns in 100 fresh episodes, and "
        "the lines of code that a user writes for it, settings included (`bench/control.py peers`; the scripts are in "
        "`bench/peers/control`):"
    )
    return f"{told}\n\n{table(head, rows)}"


def engines() -> str:
    """Return when two processes pay."""
    rows = [
        [f"{1e3 * line['seconds']:g} ms", _shown(line["serial"]), _shown(line["two processes"]), f"{line['ratio']:.2f}"]
        for line in read("control")["engines"]
    ]
    head = ["a score takes", "a generation of 24, `workers=0`", "`workers=2`", "times as fast"]
    told = (
        "Medians of generations, the first three left out, in which processes start and are tried (`bench/control.py "
        "engines`):"
    )
    return f"{told}\n\n{table(head, rows)}"


def _shown(medians: list[float]) -> str:
    return f"{1e3 * statistics.median(medians):.1f} ms"


def walker() -> str:
    """Return the results of thirty minutes."""
    run: dict[str, Any] = read("control")["walker"]["runs"][0]
    points = []
    for minutes in (1, 3, 10, 30):
        found = [best for seconds, best in run["curve"] if seconds <= 60 * minutes]
        points.append(f"{found[-1]:.0f} after {minutes} min" if found else "")
    reached = ", ".join(filter(None, points))
    return (
        f"BipedalWalker-v3 by a network {run['network'].partition(',')[0]}: the best ever reaches {reached}; "
        f"{run['mean']:.0f} in 100 fresh episodes (`bench/control.py walker`, one seed)."
    )


PAGE: dict[str, Callable[[], str]] = {}
if (RESULTS / "control.json").exists():
    MADE = {"policies": policies, "peers": peers, "engines": engines, "walker": walker, "crane": crane}
    PAGE |= {name: make for name, make in MADE.items() if name in read("control")}
