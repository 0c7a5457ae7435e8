"""What docs/answers.md says about searches, from bench/results; the rows are in answers.py."""

from __future__ import annotations

import statistics
from math import comb

import pipeline_tables
from tables import read


def article() -> str:
    found = read("search")["budgets"]
    told = []
    for name in ("crossover", "elitist"):
        lines = found[f"mnist, {name}, 60 s"]
        accuracy = statistics.mean(100 * line["mean_accuracy"] for line in lines)
        score = statistics.mean(line["f1"] for line in lines)
        told.append(f"{name} {accuracy:.2f} %, F1 {score:.3f}")
    return (
        f"In about a minute on two cores, mean of {len(lines)} seeds: {'; '.join(told)}. In so short a time mostly a "
        "network wins that was made by hand, and began the search."
    )


def better_than_chance() -> str:
    lines = read("search")["selections"]
    random = {line["seed"]: line["best"] for line in lines["random"]}
    told = []
    for name in ("steady", "crossover", "elitist"):
        gaps = [line["best"] - random[line["seed"]] for line in lines[name]]
        half = 1.96 * statistics.stdev(gaps) / len(gaps) ** 0.5
        told.append(f"{name} {statistics.mean(gaps):+.3f} ± {half:.3f}")
    return (
        f"Log loss less that of random search, in short searches of 48 individuals: {', '.join(told)} (below 0 would "
        f"be better; 95 % of {len(random)} seeds)."
    )


def loops() -> str:
    share = read("search-engine")["loops, all"]["of PyTorch's time"]
    return f"The same genomes on the same samples take {100 * share:.0f} % of the time of a plain PyTorch loop."


def optimisers() -> str:
    found = read("optimisers")
    names, rates = list(found["optimisers"]), sorted({run["rate"] for run in found["runs"]})
    of = {(name, rate): [run for run in found["runs"] if (run["optimiser"], run["rate"]) == (name, rate)]
          for name in names for rate in rates}  # fmt: skip
    best = {name: max((_mean(of[name, rate], "validation"), rate) for rate in rates)[1] for name in names}
    test = {pair: 100 * _mean(runs, "test") for pair, runs in of.items()}
    apart = {rate: max(test[name, rate] for name in names) - min(test[name, rate] for name in names) for rate in rates}
    worst = max(rates, key=lambda rate: apart[rate])
    at_one = ", ".join(f"{name} {test[name, worst]:.1f} %" for name in names)
    at_best = ", ".join(f"{name} {test[name, rate]:.1f} % ({rate:g})" for name, rate in best.items())
    seeds = len(of[names[0], worst])
    return (
        f"784-64-10, {found['steps']:,} steps, {seeds} seeds, rates of {rates[0]:g} to {rates[-1]:g}: at one learning "
        f"rate they do, most at {worst:g}: {at_one}. Each at the rate that is best for it by validation: {at_best}."
    )


def _mean(runs: list[dict[str, float]], name: str) -> float:
    return statistics.fmean(run[name] for run in runs)


def pipelines() -> str:
    text = pipeline_tables.pipelines()
    counted = text.partition(" Of ")[2].partition(". New folds")[0].replace("above it", "above the best usual model")
    return f"Searches of a minute on tables. Of {counted}."


def two_populations() -> str:
    budgets = read("search")["budgets"]
    one, two = (
        statistics.mean(100 * line["mean_accuracy"] for line in budgets[f"mnist, {name}, 60 s"])
        for name in ("steady", "two populations")
    )
    seeds = len(budgets["mnist, two populations, 60 s"])
    return (
        f"Built (`--augmentation evolved`, `--weights`). After a minute on MNIST, {seeds} seeds: {two:.2f} % by two, "
        f"{one:.2f} % by one."
    )


def healthy() -> str:
    name, lines = next(iter(read("search-gan")["searches"].items()))
    shares = [[well for line in lines for well in line[f"{which}, healthy"]] for which in ("random", "last population")]
    random, last = (f"{100 * statistics.mean(one):.0f} % of {len(one)}" for one in shares)
    ours, real = (statistics.mean(line[which]["fcd"] for line in lines) for which in ("test", "floor"))
    return (
        f"Built, with planted failures that prove the judge. In searches ({name}, {len(lines)} seeds) {random} random "
        f"pairs are healthy, and {last} in the last populations; fcd {ours:.2f}, of real images {real:.2f}."
    )


def tiny() -> str:
    draws = read("search-tiny")["draws"]
    told, truth, gains = (
        statistics.mean(100 * value for value in values)
        for values in (
            [draw["classes, best of 16 by 16 test images, as told"] for draw in draws],
            [draw["classes, the same, in truth"] for draw in draws],
            [draw["classes"] - draw["classes, random, median"] for draw in draws],
        )
    )
    lucky = sum(comb(16, right) * 0.25**right * 0.75 ** (16 - right) for right in range(9, 17))
    return (
        f"One that guesses gets 9 of 16 or more with probability {100 * lucky:.2f} %, the best of a hundred of them "
        f"with {100 * (1 - (1 - lucky) ** 100):.0f} %. On {len(draws)} such sets of Fashion-MNIST the best of 16 "
        f"random networks by 16 test images has {told:.0f} % of these right, and {truth:.0f} % of 1,000 others; of "
        f"these a search that is judged by cross-validation has {gains:.1f} points more right than the median of the "
        "random networks."
    )
