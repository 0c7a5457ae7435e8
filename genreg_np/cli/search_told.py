"""What `genreg-np search` prints when it ends or is stopped."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genreg_np.cli.output import Progress, duration
from genreg_np.cli.runs import next_lines

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.images import Found

UNITS = {"psnr": " dB", "copying-psnr": " dB"}  # of measures that are not fractions
OF_GANS = ("modes", "fcd", "coverage", "tvd", "confident")
SHOWN = ("accuracy", "f1", "squared-error", "fcd", "coverage", "tvd", "modes", "confident", "copying", "agreement")


AGAIN = ("target", "workers", "engine", "address", "backend", "dashboard")  # options that a folder does not hold


def stopped(folder: Path, config: SearchConfig, options: dict[str, Any], usual: str = "5m") -> list[str]:
    """Return lines on how to resume a search that was stopped; `usual` is the budget without --budget."""
    from genreg_np.search.folder import name_so_far
    from genreg_np.search.kinds import REGISTRY

    kind = REGISTRY[config.kind]
    command = "images" if config.kind == "classifier" else config.kind
    until = (
        ["--generations", str(config.generations)] if config.generations else ["--budget", options["budget"] or usual]
    )
    words = ["genreg-np", "search", command, "--resume", str(folder), *until]
    for name in AGAIN:
        if (value := options.get(name)) not in (None, False):
            words += [f"--{name}"] if value is True else [f"--{name}", f"{value:g}" if name == "target" else str(value)]
    lines = [f"stopped; all trials so far are in {folder}. Resume with:", f"  {shlex.join(words)}"]
    if config.kind != "table":
        lines.append(f"  (the best so far, if any: {folder / name_so_far(folder, kind.file)})")
    return lines


def next_of(found: Found, config: SearchConfig, origin: dict[str, Any]) -> list[str]:
    """Return the commands to try next."""
    folder = shlex.quote(str(found.folder))
    if config.kind == "classifier":
        lines = next_lines(found.path, origin)
    elif config.kind == "autoencoder":
        encoder = shlex.quote(str(found.folder / "encoder.npz"))
        lines = ["", "try next:", f"  genreg-np infer {encoder} PICTURE --save codes"]
    else:
        lines = [
            "",
            "try next:",
            f"  genreg-np sample {folder}",
            f"  genreg-np export {shlex.quote(str(found.path))} --to html --out page",
        ]
    return [*lines, f"  genreg-np search explain {folder}"]


def report(found: Found, config: SearchConfig, dataset: Dataset, progress: Progress) -> None:
    """Print the results of a search."""
    from genreg_np.runs.measures import interval
    from genreg_np.search.chance import against_random
    from genreg_np.search.metrics import SHARES
    from genreg_np.search.pareto import front_of, rows_of

    trials = found.tried
    individuals, bred = ({trial.child for trial in those} for those in (trials, [t for t in trials if t.parents]))
    none = "; a longer budget breeds" if not bred and config.children is None else ""
    those = f"{len(individuals):,} individual{'s' * (len(individuals) != 1)}"
    progress.say(
        f"{found.trials:,} trial{'s' * (found.trials != 1)} of {those}, {len(bred):,} of them bred{none}; "
        f"{duration(found.seconds)}, ended by {found.ended}"
    )
    if found.winner is None:
        which = "one that was given" if config.genome else "default network"
        progress.say(f"every individual failed: this is the {which}, trained; trials.jsonl says why")
    elif found.winner.why:
        progress.say(f"none was better than individual {found.winner.child}, which is {found.winner.why}")
    if found.why:
        progress.say(f"what was saved is {found.why}")
    saved, own = found.model.network.gene_count, found.winner.parameters if found.winner else 0
    folded = f" ({saved:,} as saved: normalisation is folded into them)" if own > saved else ""
    progress.say(f"network {found.network}, {own or saved:,} weights and biases{folded}")
    for name, (mean, spread) in found.test.items():
        if name in (*SHOWN, config.metric):
            first = found.finals[0][name]
            times, unit = (100, " %") if name.partition(":")[0] in SHARES else (1, UNITS.get(name, ""))
            digits = 4 if times == 1 and not unit else 2
            shown = f"{times * first:.{digits}f}{unit}"
            both = f"{times * mean:.{digits}f} ± {times * spread:.{digits}f}{unit}"
            over = f" ({len(found.finals)} trainings: {both})" if len(found.finals) > 1 else ""
            if name == "accuracy":
                images = len(dataset.test)
                low, high = interval(first, images)
                about = f"95 % interval {100 * low:.1f} .. {100 * high:.1f}"
                over = f", {round(first * images):,} of {images:,} ({about}){over}"
            floor = f" (real images {times * found.floor[name]:.{digits}f}{unit})" if name in found.floor else ""
            progress.say(f"test {name} {shown}{floor}{over}{_of_the_mean(dataset) if name == 'psnr' else ''}")
    if config.second:
        progress.say(f"Pareto front of {config.metric} and {config.second}:")
        front = front_of(trials, config.second)
        for trial, (child, cost, value) in zip(front, rows_of(front, config.second, config.metric), strict=True):
            judged = f"individual {child}, {trial.samples:,} samples"
            progress.say(f"  {cost:>11} {config.second}  {config.metric} {value}  {judged}")
    if len(individuals) > 1:
        progress.say(against_random(trials, config.second).words)
    progress.say(f"model {found.path}")


def _of_the_mean(dataset: Dataset) -> str:
    """Return the score of the mean training image in place of a reconstruction."""
    from genreg_np.model import mapped
    from genreg_np.search.aims.itself import decibels

    train, test = (mapped(split.inputs, dataset.input_range) for split in (dataset.train, dataset.test))
    return f"; the mean training image instead: {decibels(test - train.mean(axis=0)):.2f} dB"


def to_json(found: Found, config: SearchConfig, report: Path | None) -> dict[str, Any]:
    """Return the line of --json."""
    from genreg_np.search.chance import against_random

    test = dict(found.finals[0]) if found.finals else {}
    of_all = {"test_accuracy": test.get("accuracy")} if config.kind == "classifier" else {}
    of_gans: dict[str, Any] = {}
    if config.kind == "gan":
        of_gans = {name: test.get(name) for name in OF_GANS}
        of_gans |= {"floor": dict(found.floor), "judge": found.judge, "why": found.why}
    return {
        "best_score": None if found.winner is None else found.winner.metrics[config.metric],
        "test_score": test.get(config.metric),
        **of_all, **of_gans, "evaluations": found.trials, "report": None if report is None else str(report),
        "ended": found.ended, "folder": str(found.folder), "model": str(found.path),
        "network": found.network, "genome": dict(found.genome), "trials": found.trials,
        "seconds": round(found.seconds, 3), "test": [dict(one) for one in found.finals],
        "winner": None if found.winner is None else found.winner.child,
        "against_random": against_random(found.tried, config.second).plain(),
    }  # fmt: skip
