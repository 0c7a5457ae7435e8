"""Evaluations: best and median of a search over time, compared with random individuals; and agreement of rungs.

If a cost is minimised as well, the sentence on chance counts it, and the pictures show scores alone.

The result of n random individuals is estimated from the search's own random ones: the mean of the best of n of them,
over all ways to draw n, as far as there are enough. Whether short rungs predict long ones is measured by the rank
correlation (Spearman) of the individuals judged at both.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.report.sections.leaderboard import of_tables
from genreg_np.report.shown import COLOURS, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Searched
from genreg_np.search.chance import BETTER, WORSE, against_random, is_bred, is_random
from genreg_np.search.stored import StoredSearch

FEWEST = 4
DRAWN = 12  # individuals whose scores by rung are drawn


def section(subject: Searched) -> Shown | None:
    """Show the course of a search; None for fewer than four individuals."""
    search = subject.search
    if search is None or len(search.rung(0)) < FEWEST:
        return None
    parts = [_course(search)]
    if len(search.rung(1)) > 1 and not of_tables(search):
        parts.append(_ladder(search))
    return Shown("Course of the search", " ".join([*_against_chance(search), *_correlated(search)]), parts)


def best_of_random(scores: Sequence[float]) -> NDArray[np.float64]:
    """Return the mean best of n scores drawn without replacement, for n = 1 .. all."""
    ordered, count = np.sort(np.asarray(scores, np.float64)), len(scores)
    factorials = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])  # logarithms
    found = np.empty(count)
    for n in range(1, count + 1):
        places = np.arange(n - 1, count)  # of the best of n among all in order, and the ways to choose n - 1 below it
        ways = factorials[places] - factorials[n - 1] - factorials[places - n + 1]
        shares = np.exp(ways - ways.max())
        found[n - 1] = (shares * ordered[places]).sum() / shares.sum()
    return found


def rank_correlation(one: Sequence[float], other: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation; None for fewer than four, or if all are equal."""
    if len(one) < FEWEST:
        return None
    first, second = (_ranks(np.asarray(values, np.float64)) for values in (one, other))
    if not (np.ptp(first) and np.ptp(second)):
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks, with the mean rank for equal values."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[places]
    return ranks


def _against_chance(search: StoredSearch) -> list[str]:
    second = search.config.second
    first, found = search.rung(0), against_random(search.trials, second)
    random = [trial.score for trial in first if is_random(trial)]
    bred = [trial.score for trial in first if is_bred(trial)]
    if found.share is None or not random or not bred:
        return [
            f"Too few to say whether breeding is better than chance: {found.bred:,} bred and {found.random:,} random "
            "individuals at the first rung."
        ]
    medians = [search.shown(float(np.median(scores))) for scores in (bred, random)]
    by = f", by the Pareto front of {search.scored_by} and {second}," if second else ""
    verdict = {BETTER: "better than", WORSE: "worse than"}.get(found.verdict, "not clearly better than")
    return [
        f"Breeding is {verdict} random search here: a bred individual beats a random one{by} "
        f"{100 * found.share:.0f} % of the time at the first rung (95 % interval {100 * found.low:.0f} to "
        f"{100 * found.high:.0f} %; {found.bred:,} bred, {found.random:,} random, those that failed last; median "
        f"scores {medians[0]} and {medians[1]})."
    ]


def _correlated(search: StoredSearch) -> list[str]:
    said = []
    for rung in range(max(trial.rung for trial in search.trials)):
        below = {trial.child: trial.score for trial in search.rung(rung)}
        pairs = [(below[trial.child], trial.score) for trial in search.rung(rung + 1) if trial.child in below]
        found = rank_correlation(*zip(*pairs, strict=True)) if pairs else None
        if found is not None:
            said.append(f"The rankings at rungs {rung} and {rung + 1} correlate by {found:.2f}.")
    return said


def _course(search: StoredSearch) -> Picture:
    """Draw best, median, bred and random at the first rung, by number of individuals judged.

    The bred ones are counted apart, so that as many random ones can be compared with them.
    """
    first = search.rung(0)
    scores = np.array([trial.score for trial in first])
    bred = np.maximum.accumulate([trial.score for trial in first if is_bred(trial)] or [-np.inf])
    any_bred = bool(np.isfinite(bred[0]))
    counts = np.arange(1, len(scores) + 1)
    best = np.maximum.accumulate(scores)
    median = np.array([np.median(scores[: count + 1]) for count in range(len(scores))])
    random = best_of_random([trial.score for trial in first if is_random(trial)])
    figure = new_figure()
    panel = figure.subplots()
    sign, each = search.sign, np.arange(1, len(random) + 1)
    panel.plot(counts, sign * scores, ".", color="0.55", markersize=4, label="each individual")
    panel.plot(counts, sign * best, color=COLOURS[0], linewidth=1.8, label="best so far")
    if any_bred:
        panel.plot(
            np.arange(1, len(bred) + 1), sign * bred, color=COLOURS[3], linewidth=1.8, label="best of the first n bred"
        )
    panel.plot(counts, sign * median, "--", color=COLOURS[1], label="median so far")
    if len(random):
        panel.plot(each, sign * random, ":", color=COLOURS[2], linewidth=1.8, label="best of n random")
    low = float(np.quantile(scores, 0.1))
    panel.set(xlabel="individuals", ylabel=f"{search.scored_by} at the first rung")
    if low < best[-1]:
        panel.set_ylim(*sorted((sign * low, sign * (best[-1] + 0.05 * (best[-1] - low)))))
    panel.grid(alpha=0.25)
    figure.legend(frameon=False, loc="outside upper center", ncols=2)
    says = [f"best {search.shown(best[-1])}", f"median {search.shown(median[-1])}"]
    says += [f"the best of {len(bred)} bred ones {search.shown(bred[-1])}"] if any_bred else []
    says += [f"the best of {len(random)} random ones {search.shown(random[-1])} on average"] if len(random) else []
    caption = "No individual has been bred yet." if not any_bred else "No individual was random."
    if any_bred and len(random):
        caption = (
            f"Where the line of the bred is {'above' if sign > 0 else 'below'} the dotted one, as many bred "
            "individuals found something better than random ones do on average."
        )
        if search.config.second:
            caption += f" These are scores alone; individuals were bred for {search.config.second} as well."
    return Picture(
        "evaluations", png_of(figure), f"Scores at the first rung by individuals: {', '.join(says)}.", caption
    )


def _ladder(search: StoredSearch) -> Picture:
    """Draw the scores of the leaders by samples."""
    figure = new_figure()
    panel = figure.subplots()
    says = []
    for place, leader in enumerate(search.leaders[:DRAWN]):
        own = sorted((t for t in search.trials if t.child == leader.child and t.is_ok), key=lambda trial: trial.rung)
        won = search.winner is not None and leader.child == search.winner.child
        style = {"color": COLOURS[1], "linewidth": 2.2} if won else {"color": COLOURS[0], "alpha": 0.5, "linewidth": 1}
        samples, scores = [trial.samples for trial in own], [search.sign * trial.score for trial in own]
        panel.plot(samples, scores, "o-", markersize=3, label="the winner" if won else None, **style)
        if place < 3:
            says.append(f"individual {leader.child} ends at {scores[-1]:.4f}")
    rungs = sorted({trial.samples for trial in search.trials})
    panel.set(xscale="log", xlabel="samples learned from", ylabel=search.scored_by)
    panel.set_xticks(rungs, [f"{samples:,}" for samples in rungs])
    panel.minorticks_off()
    panel.grid(alpha=0.25)
    if search.winner is not None:
        panel.legend(frameon=False)
    return Picture(
        "ladder", png_of(figure), f"Scores of the leaders, rung by rung: {'; '.join(says)}.",
        "A line for each of the best: those ahead early need not be ahead later.",
    )  # fmt: skip
