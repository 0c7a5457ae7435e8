"""Curriculum: in which order are images learned, and does it depend on who learns?

Four methods train 784-64-10. At looks that lie closer at the start, the champion (of populations the survivors' mean)
predicts images it does not learn from. An image's time is the first look from which on it stays right; one that is
wrong at the last look has none, and counts as the latest.

    agreement       rank correlation (Spearman) of times between two seeds, or two methods
    difficulty      of an image, without any network: how many of its 10 nearest training images have another label
    trade-off       correlation of the changes of two digits' accuracies from look to look, over the second half

Sources: Hacohen, Choshen & Weinshall 2020, "Let's agree to agree" (networks learn examples in the same order);
Toneva et al. 2019, "An empirical study of example forgetting" (events in which a right image becomes wrong).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import mean_text
from genreg_np.experiments.training import FULL, METHODS, evolution_of, images, method_settings, stepped
from genreg_np.report.sections.evaluations import rank_correlation
from genreg_np.report.shown import Picture, Shown, Table

LOOKS = 60
WATCHED = 2000  # validation images whose times are kept
NEIGHBOURS = 10
NARROW = "GENREG as published, 32 units"
EASY = (0, 1)  # digits, as the seeds name them


class Curriculum(Study):
    """The study `curriculum`."""

    name = "curriculum"
    question = "Does a curriculum emerge: in which order are images learned, and by whom?"
    about = """
Four methods train 784-64-10, looked at sixty times, ever more rarely. An image is learned at the first look from which
on it stays right. Agreement is the rank correlation of these times over 2,000 images that nobody trains on, between two
seeds of a method or between two methods; difficulty is how many of an image's ten nearest training images are of
another class, which no network has a part in.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each method, and the narrow network of the seeds' claim."""
        found = {name: method_settings(name, size.data, size.generations(FULL[name])) for name in METHODS}
        found[NARROW] = found["GENREG as published"] | {"hidden": [32]}
        return [Case(name, settings) for name, settings in found.items()] + [
            Case("difficulty", {"dataset": size.data, "neighbours": NEIGHBOURS})
        ]

    def measure(self, settings: Settings, seed: int) -> Values:
        """Watch one run, or look at the images alone."""
        return difficulty(settings) if "neighbours" in settings else watched(settings, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield agreement, when classes are learned, and trade-offs."""
        names = [name for name in (*METHODS, NARROW) if results.measured(name)]
        if len(names) < 2:
            return
        rows = [[name, *(_cell(results, name, other) for other in names), _cell(results, name, "difficulty"),
                 mean_text([run["forgotten"] for run in results.of(name)], digits=2)] for name in names]  # fmt: skip
        head = ["agreement with", *names, "difficulty", "times forgotten, per image"]
        words = "Rank correlations of the times at which images are learned: of a method with itself, between seeds."
        yield Shown("Agreement", words, (Table(head, rows),))
        yield Shown("Order of the classes", "", (_classes(results, names), _course(results, names)))
        rows = [[name, *(mean_text(pair) for pair in _trades(results, name)), mean_text(_lost(results, name), 100, 1)]
                for name in names]  # fmt: skip
        words = (
            "Do digits rise at each other's cost? The mean correlation of the changes of two digits' accuracies from "
            "look to look over the second half of a run; beside it what sampling noise alone would give, 0. And what "
            "the easiest digits, 0 and 1, lose from their best to the end (mean of three looks), in points."
        )
        head = ["", "correlation of changes", "lowest pair", "lost by 0 and 1, points"]
        yield Shown("Trade-offs", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield whether there is a curriculum, and trade-offs."""
        names = [name for name in METHODS if results.measured(name)]
        pairs = [pair for one, other in itertools.combinations(names, 2) for pair in agreement(results, one, other)]
        if pairs and results.measured("difficulty"):
            own = [pair for name in names for pair in agreement(results, name, name)]
            hard = [pair for name in names for pair in agreement(results, name, "difficulty")]
            yield Answer(
                "000", "Does a natural curriculum emerge from evolutionary pressure?",
                f"images are learned in much the same order whoever learns: rank correlation {np.mean(pairs):.2f} "
                f"between methods ({min(pairs):.2f} to {max(pairs):.2f}), {np.mean(own):.2f} between seeds of one; and "
                f"{np.mean(hard):.2f} with how alike an image's neighbours are. It is the images' difficulty, not "
                "selection, that orders them."
                if np.mean(pairs) > 0.5
                else f"hardly: the order agrees between methods with a rank correlation of {np.mean(pairs):.2f}.",
            )  # fmt: skip
        if results.measured(NARROW):
            changes, _ = _trades(results, NARROW)
            lost = _lost(results, NARROW)
            wide = _lost(results, "GENREG as published")
            yield Answer(
                "000", "Capacity forces trade-offs: 32 units sacrifice easy digits for hard ones",
                f"from look to look two digits' accuracies change with a correlation of {mean_text(changes)}; 0 and 1 "
                f"lose {mean_text(lost, 100, 1)} points from their best to the end with 32 units, and "
                f"{mean_text(wide, 100, 1)} with 64.",
            )  # fmt: skip


def watched(settings: Settings, seed: int) -> Values:
    """Train, and return when each watched image was learned, and each class's accuracy at each look."""
    evolution = evolution_of({**settings, "validate_every": 1 << 30}, seed)
    total = int(settings["generations"])
    labels = evolution.dataset.validation.labels[:WATCHED] if evolution.dataset else np.empty(0, np.int64)
    seen: list[NDArray[np.bool_]] = []
    at = sorted({max(1, round(total ** (look / (LOOKS - 1)))) for look in range(LOOKS)})

    def look(run: object) -> None:
        champions = evolution.champion_genes()
        genes = champions.get("consensus", champions["best"])
        seen.append(evolution.predict(genes, "validation")[:WATCHED] == labels)

    stepped(evolution, total, dict.fromkeys(at, look))
    right = np.array(seen)
    classes = len(evolution.class_names)
    return {
        "looks": at,
        "times": times_of(right).tolist(),
        "labels": labels.tolist(),
        "accuracy": [[round(float(row[labels == label].mean()), 4) for label in range(classes)] for row in right],
        "test": round(float(right[-1].mean()), 4),
        "forgotten": round(float((right[:-1] & ~right[1:]).sum() / right.shape[1]), 4),
    }


def times_of(right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first look from which on each image stays right, (N,), of (L, N); L where it is wrong at the last."""
    wrong = ~right
    last = len(wrong) - np.argmax(wrong[::-1], axis=0)  # the look after the last wrong one
    return np.where(wrong.any(axis=0), last, 0)


def difficulty(settings: Settings) -> Values:
    """Return for each watched image how many of its nearest training images are of another class."""
    from sklearn.neighbors import NearestNeighbors

    data = images(settings["dataset"])
    count = int(settings["neighbours"])
    flat = [split.inputs.reshape(len(split), -1).astype(np.float32) for split in (data.train, data.validation)]
    near = (
        NearestNeighbors(n_neighbors=count, algorithm="brute")
        .fit(flat[0])
        .kneighbors(flat[1][:WATCHED], return_distance=False)
    )
    other = data.train.labels[near] != data.validation.labels[:WATCHED, None]
    return {"times": other.sum(axis=1).tolist()}


def agreement(results: Results, one: str, other: str) -> list[float]:
    """Return the rank correlations of learning times: of one case between seeds, of two seed by seed."""
    first, second = ([run["times"] for run in results.of(name)] for name in (one, other))
    if other == "difficulty":
        pairs = [(times, second[0]) for times in first] if second else []
    elif one == other:
        pairs = list(itertools.combinations(first, 2))
    else:
        pairs = list(zip(first, second, strict=False))
    found = [rank_correlation(*pair) for pair in pairs]
    return [value for value in found if value is not None]


def _cell(results: Results, one: str, other: str) -> str:
    return mean_text(agreement(results, one, other))


def _classes(results: Results, names: Sequence[str]) -> Table:
    """Return the mean place at which each class's images are learned, 0 first."""
    classes = range(len(results.of(names[0])[0]["accuracy"][0]))
    rows = []
    for name in names:
        cells = []
        for label in classes:
            own = []
            for run in results.of(name):
                times, labels = np.array(run["times"]), np.array(run["labels"])
                ranks = np.argsort(np.argsort(times, kind="stable")) / max(1, len(times) - 1)
                own.append(float(ranks[labels == label].mean()))
            cells.append(f"{100 * np.mean(own):.0f}")
        rows.append([name, *cells])
    caption = "The mean place of a class's images in the order of learning: 0 is the first of all, 100 the last."
    return Table(["class", *map(str, classes)], rows, caption)


def _course(results: Results, names: Sequence[str]) -> Picture:
    named = {}
    for name in names:
        runs = results.of(name)
        share = [look / runs[0]["looks"][-1] for look in runs[0]["looks"]]
        named[name] = (share, [[float(np.mean(run["accuracy"][number])) for run in runs]
                               for number in range(len(share))])  # fmt: skip
    png = plots.lines(named, "share of the run", "accuracy, %", logarithmic=True, scale=100)
    return Picture("course", png, "Accuracy over the share of a run that is done, a line for each method.",
                   "How far each had come: times are compared by their order alone.")  # fmt: skip


def _trades(results: Results, name: str) -> tuple[list[float], list[float]]:
    """Return for each seed the mean, and the lowest, correlation of two classes' changes over the second half."""
    means, lowest = [], []
    for run in results.of(name):
        accuracy = np.array(run["accuracy"])
        changes = np.diff(accuracy[len(accuracy) // 2 :], axis=0)
        if len(changes) < 3 or not all(np.ptp(changes, axis=0)):
            continue
        found = np.corrcoef(changes.T)[np.triu_indices(changes.shape[1], 1)]
        means.append(float(found.mean()))
        lowest.append(float(found.min()))
    return means, lowest


def _lost(results: Results, name: str) -> list[float]:
    """Return for each seed what the easiest digits lose from their best three looks to the last three."""
    found = []
    for run in results.of(name):
        easy = np.array(run["accuracy"])[:, list(EASY)].mean(axis=1)
        smooth = np.convolve(easy, np.ones(3) / 3, "valid")
        found.append(float(smooth.max() - smooth[-1]))
    return found
