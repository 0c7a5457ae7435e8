"""Curriculum: in which order are images learned, and does it depend on the method?

Four methods train 784-64-10. At evaluations that are closer together at the start, the champion (the survivors' mean of
a population) predicts images that are not used for training. An image's time is the first evaluation from which on it
stays right; if it is wrong at the last evaluation, it counts as the latest.

    agreement       rank correlation (Spearman) of times between two seeds, or two methods and two seeds
    difficulty      of an image, without any network: how many of its 10 nearest training images have another label
    trade-off       correlation of the changes of two digits' accuracies between evaluations, over the second half, and
                    that of the same changes in random order, digit by digit, as expected by chance

Sources: Hacohen, Choshen & Weinshall 2020, "Let's agree to agree" (networks learn examples in the same order);
Toneva et al. 2019, "An empirical study of example forgetting" (events in which a right image becomes wrong).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import FEWEST, differs, interval, listed, mean_text, percent, points
from genreg_np.experiments.training import FULL, METHODS, evolution_of, images, method_settings, shown_as, stepped
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.streams import Purpose, Stream

LOOKS, LATE = 60, 40  # evaluations over a run, ever more rarely; over its second half
SHUFFLES = 50  # of changes, for the correlation by chance
WATCHED = 2000  # validation images whose times are kept
NEIGHBOURS = 10
FORESEEN = 0.6  # agreement between methods that was predicted
SEED = 1 << 34  # of shuffles, different from that of any run
WIDE, NARROW = "GENREG as published", "GENREG as published, 32 units"
EASY, HARD = (0, 1), (5, 8)  # the digits that GENREG's README calls easy and hard
EARLY = (1 / 30, 1 / 6)  # shares of a run in which easy digits are said to be mastered: generations 20 to 100
LAST = 5  # evaluations at the end of a run


class Curriculum(Study):
    """The study `curriculum`."""

    name = "curriculum"
    question = "Does a curriculum emerge: in which order are images learned, by which method?"
    about = """
Four methods train 784-64-10. They are evaluated ever more rarely, and over the second half of a run forty times at
equal distances. An image is learned at the first evaluation from which on it stays right; one that is wrong at the last
evaluation counts as the latest. Agreement is the rank correlation of these times over 2,000 images of the validation
split, between two seeds of a method, or of two methods; difficulty is how many of an image's ten nearest training
images are of another class, which depends on no network. *GENREG's mechanism* is GENREG's training as published; of it,
as of selection, the survivors' mean is evaluated, which is this project's.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each method, and the narrow network of the claim."""
        found = {name: method_settings(name, size.data, size.generations(FULL[name])) for name in METHODS}
        found[NARROW] = found["GENREG as published"] | {"hidden": [32]}
        more = 2 if size.name == "full" else 0
        return [Case(name, settings, more) for name, settings in found.items()] + [
            Case("difficulty", {"dataset": size.data, "neighbours": NEIGHBOURS})
        ]

    def measure(self, settings: Settings, seed: int) -> Values:
        """Evaluate one run, or measure the images alone."""
        return difficulty(settings) if "neighbours" in settings else watched(settings, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield agreement, the order of classes, and trade-offs."""
        names = [name for name in (*METHODS, NARROW) if results.measured(name)]
        if len(names) < 2:
            return
        rows = [[shown_as(name), *(_cell(results, name, other) for other in names), _cell(results, name, "difficulty"),
                 mean_text([run["forgotten"] for run in results.of(name)], digits=2)] for name in names]  # fmt: skip
        head = ["agreement with", *map(shown_as, names), "difficulty", "times forgotten, per image"]
        words = (
            "Rank correlations of the times at which images are learned, always of two runs with different seeds: the "
            "mean of all pairs. Between methods ± is half the 95 % interval of pairs without a common run; of two "
            "seeds of one method, which share runs, brackets have the least and the most."
        )
        yield Shown("Agreement", words, (Table(head, rows),))
        yield Shown("Order of the classes", "", (_classes(results, names), _course(results, names)))
        rows = [[shown_as(name), *(mean_text(column) for column in _trades(results, name)),
                 mean_text([-lost for lost in _lost(results, name)], 100, 1),
                 *(percent(column) for digits in (EASY, HARD) for column in _phases(results, name, digits)[:2])]
                for name in names]  # fmt: skip
        words = (
            "Do digits improve at each other's cost? The correlation of the changes of two digits' accuracies between "
            "evaluations over the second half of a run, as the mean over all pairs and the lowest pair; then both for "
            "the same changes in random order; then what 0 and 1, the easiest digits, gain in the second half, in "
            "points. The last columns have the accuracy of easy and hard digits early, on average over the evaluations "
            f"from 1/{1 / EARLY[0]:.0f} to 1/{1 / EARLY[1]:.0f} of a run, and at its last {LAST} evaluations."
        )
        head = ["", "mean correlation", "lowest pair", "mean, by chance", "lowest, by chance", "gained by 0 and 1",
                "0 and 1, early, %", "at the end", "5 and 8, early, %", "at the end"]  # fmt: skip
        yield Shown("Trade-offs", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about curriculum and trade-offs."""
        names = [name for name in METHODS if results.measured(name)]
        others = [name for name in names if name != WIDE and agreement(results, WIDE, name)]
        own, hard = agreement(results, WIDE, WIDE), agreement(results, WIDE, "difficulty")
        if others and own and hard:
            ours = {shown_as(name): _told(results, WIDE, name) for name in others}
            every = {f"{shown_as(one)} with {shown_as(other)}": float(np.mean(agreement(results, one, other)))
                     for one, other in itertools.combinations(names, 2) if agreement(results, one, other)}  # fmt: skip
            yield Answer(
                "000", "Does a natural curriculum emerge from evolutionary pressure?",
                f"{_emerges(results, names)}two seeds of GENREG's mechanism learn images in orders whose rank "
                f"correlation is {_ranged(own)}, and images among whose ten nearest training images more "
                f"have another label come later ({mean_text(hard)}). Other methods learn them in an order like "
                f"GENREG's: {listed([f'{name} {told}' for name, told in ours.items()])}. {_foreseen(every)} "
                "Images that stay wrong count as the latest, and account for part of it: without them the correlation "
                f"is {_ranged(agreement(results, WIDE, WIDE, True))} between two seeds, "
                f"{_ranged([one for name in others for one in agreement(results, WIDE, name, True)])} with other "
                "methods.",
            )  # fmt: skip
        if results.measured(NARROW):
            own, lowest, chance, lucky = _trades(results, NARROW)
            narrow, wide = ([-lost for lost in _lost(results, name)] for name in (NARROW, WIDE))
            yield Answer(
                "000", "Capacity forces trade-offs: 32 units sacrifice easy digits for hard ones",
                f"{_sacrificed(results)}Over the second half of a run, the changes of two digits' accuracies have a "
                f"mean correlation of {mean_text(own)} with 32 units, {mean_text(_trades(results, WIDE)[0])} with 64, "
                f"{mean_text(_trades(results, 'backpropagation')[0])} by backpropagation, and {mean_text(chance)} in "
                f"random order; of the pair that trades off most {mean_text(lowest)} with 32 units, "
                f"{mean_text(_trades(results, WIDE)[1])} with 64, "
                f"{mean_text(_trades(results, 'backpropagation')[1])} by backpropagation, and {mean_text(lucky)} in "
                f"random order{_no_more(lowest, _trades(results, WIDE)[1])}. In that half the accuracy of 0 and 1 "
                f"changes by {mean_text(narrow, 100, 1)} points with 32 units, by {mean_text(wide, 100, 1)} with 64.",
            )  # fmt: skip


def watched(settings: Settings, seed: int) -> Values:
    """Train, and return when each watched image was learned, and each class's accuracy at each evaluation."""
    evolution = evolution_of({**settings, "validate_every": 1 << 30}, seed)
    total = int(settings["generations"])
    labels = images(settings["dataset"]).validation.labels[:WATCHED]
    seen: list[NDArray[np.bool_]] = []
    early = {max(1, round(total ** (look / (LOOKS - 1)))) for look in range(LOOKS)}
    late = {round(total / 2 + total / 2 * look / LATE) for look in range(LATE + 1)}
    at = sorted(early | late - {0})

    def look(run: object) -> None:
        champions = evolution.champion_genes()
        genes = champions.get("consensus", champions["best"])
        seen.append(evolution.predict(genes, "validation")[:WATCHED] == labels)

    stepped(evolution, total, dict.fromkeys(at, look))
    right = np.array(seen)
    classes = len(evolution.class_names)
    return {
        "looks": at,
        "late": sorted(late - {0}),
        "times": times_of(right).tolist(),
        "labels": labels.tolist(),
        "accuracy": [[round(float(row[labels == label].mean()), 4) for label in range(classes)] for row in right],
        "forgotten": round(float((right[:-1] & ~right[1:]).sum() / right.shape[1]), 4),
    }


def times_of(right: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the first evaluation (N,) from which on each image stays right, from (L, N); L if the last is wrong."""
    wrong = ~right
    last = len(wrong) - np.argmax(wrong[::-1], axis=0)  # the evaluation after the last wrong one
    return np.where(wrong.any(axis=0), last, 0)


def difficulty(settings: Settings) -> Values:
    """Return how many of each watched image's nearest training images are of another class."""
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


def agreement(results: Results, one: str, other: str, learned: bool = False) -> list[float]:
    """Return the rank correlations of learning times of two runs with different seeds, of one case or of two.

    With `learned`, only over images that both runs have learned in the end.
    """
    from genreg_np.report.sections.evaluations import rank_correlation  # needs scikit-learn; listing studies does not

    if one == other:
        runs = list(itertools.combinations(results.of(one), 2))
    elif other == "difficulty":
        runs = [(run, hard) for run in results.of(one) for hard in results.of(other)[:1]]
    else:
        seeds = itertools.product(results.values.get(one, {}).items(), results.values.get(other, {}).items())
        runs = [(first, second) for (seed, first), (another, second) in seeds if seed != another]
    found = []
    for pair in runs:
        times = np.array([run["times"] for run in pair])
        if learned:
            times = times[:, [all(time < len(run["looks"]) for time, run in zip(image, pair, strict=True))
                              for image in times.T]]  # fmt: skip
        found.append(rank_correlation(*times.tolist()) if times.size else None)
    return [value for value in found if value is not None]


def _told(results: Results, one: str, other: str) -> str:
    """Return the agreement of two methods, "0.56 ± 0.10": the mean of all pairs of runs with different seeds.

    The interval is that of pairs without a common run, the mean of those of all ways to form as many as possible.
    """
    found = agreement(results, one, other)
    first, second = (results.values.get(name, {}) for name in (one, other))
    seeds = sorted(first.keys() & second.keys())
    if len(seeds) < FEWEST:
        return mean_text(found)
    widths = []
    for shift in range(1, len(seeds)):
        turned = [*seeds[shift:], *seeds[:shift]]
        pairs = [agreement(Results(results.size, [], {one: {seed: first[seed]}, other: {partner: second[partner]}}),
                           one, other) for seed, partner in zip(seeds, turned, strict=True)]  # fmt: skip
        widths.append(interval([value for pair in pairs for value in pair]))
    return f"{np.mean(found):.2f} ± {np.mean(widths):.2f}"


def _emerges(results: Results, names: Sequence[str]) -> str:
    """Return as the start of a sentence whether images have an order that recurs, with the easy ones first."""
    hard = {name: agreement(results, name, "difficulty") for name in names}
    first = {name for name, found in hard.items() if differs(found) and np.mean(found) > 0}
    if WIDE not in first or min(agreement(results, WIDE, WIDE)) <= 0:
        return "these seeds do not show one: "
    every = ", as they do by every method here" if first == set(names) else ""
    return f"yes, in that easy images come first{every}: "


def _foreseen(every: Mapping[str, float]) -> str:
    """Return how the prediction of agreement compares, by pairs of methods, as a sentence."""
    above = [name for name, mean in every.items() if mean > FORESEEN]
    with_ours = [name for name in above if shown_as(WIDE) in name]
    return (
        f"Foreseen was more than {FORESEEN:g} between any two methods: so it is for {len(above)} of {len(every)} pairs"
        f"{', none of them with GENREG' if above and not with_ours else ''}, on average "
        f"{np.mean(list(every.values())):.3f}."
    )


def phases_of(run: Values, digits: Sequence[int]) -> tuple[float, float] | None:
    """Return the mean accuracy of some digits in the EARLY part of a run and over its LAST evaluations."""
    looks = np.array(run["looks"])
    accuracy = np.array(run["accuracy"])[:, list(digits)].mean(axis=1)
    early = (looks >= EARLY[0] * looks[-1]) & (looks <= EARLY[1] * looks[-1])
    late = [run["looks"].index(look) for look in run["late"][-LAST:]]
    return (float(accuracy[early].mean()), float(accuracy[late].mean())) if early.any() and late else None


def _phases(results: Results, name: str, digits: Sequence[int]) -> list[list[float]]:
    """Return each seed's early and late accuracy of some digits, and the change between."""
    both = [pair for pair in (phases_of(run, digits) for run in results.of(name)) if pair is not None]
    return [[early for early, _ in both], [late for _, late in both], [late - early for early, late in both]]


def _sacrificed(results: Results) -> str:
    """Return whether the narrow network loses on easy digits what it mastered early, as sentences."""
    early, late, gained = _phases(results, NARROW, EASY)
    hard = _phases(results, NARROW, HARD)
    wide = _phases(results, WIDE, EASY)
    if not gained:
        return ""
    lost = differs(gained) and float(np.mean(gained)) < 0
    last = results.of(NARROW)[0]["looks"][-1]
    told = "yes" if lost else "no loss that exceeds chance"
    return (
        f"{told}: with 32 units 0 and 1 are mastered early, {percent(early)} % on average from generation "
        f"{EARLY[0] * last:.0f} to {EARLY[1] * last:.0f}, and have {percent(late)} % at the end, a change of "
        f"{points(gained)} points ({sum(gain < 0 for gain in gained)} of {len(gained)} seeds lose; with 64 units "
        f"{points(wide[2])}), while 5 and 8 change by {points(hard[2])}. "
    )


def _no_more(narrow: Sequence[float], wide: Sequence[float]) -> str:
    """Return as the end of a sentence that fewer units are not seen to trade off more, unless they are."""
    gaps = [one - other for one, other in zip(narrow, wide, strict=False)]
    return "" if len(gaps) < 2 or differs(gaps) else ", no more with fewer units as far as these seeds tell"


def _ranged(values: Sequence[float]) -> str:
    """Return the mean, minimum and maximum of values that are not independent."""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "-"


def _cell(results: Results, one: str, other: str) -> str:
    if other == "difficulty":
        return mean_text(agreement(results, one, other))
    return _ranged(agreement(results, one, one)) if one == other else _told(results, one, other)


def _classes(results: Results, names: Sequence[str]) -> Table:
    """Return each class's mean place in the order of learning, 0 for the first."""
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
        rows.append([shown_as(name), *cells])
    caption = "The mean place of a class's images in the order of learning: 0 is the first of all, 100 the last."
    return Table(["class", *map(str, classes)], rows, caption)


def _course(results: Results, names: Sequence[str]) -> Picture:
    named = {}
    for name in names:
        runs = results.of(name)
        share = [look / runs[0]["looks"][-1] for look in runs[0]["looks"]]
        named[shown_as(name)] = (share, [[float(np.mean(run["accuracy"][number])) for run in runs]
                               for number in range(len(share))])  # fmt: skip
    png = plots.lines(named, "share of the run", "accuracy, %", logarithmic=True, scale=100)
    return Picture("course", png, "Accuracy over the share of a run that is done, one line per method.",
                   "The progress of each method: only the order of times is compared.")  # fmt: skip


def changes_of(run: Values) -> NDArray[np.float64]:
    """Return the changes of each class's accuracy between the evaluations of the second half, (L - 1, K)."""
    places = [run["looks"].index(look) for look in run["late"]]
    accuracy: NDArray[np.float64] = np.array([run["accuracy"][place] for place in places])
    changes: NDArray[np.float64] = accuracy[1:] - accuracy[:-1]
    return changes


def correlation(changes: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return the mean and the lowest correlation of two classes' changes (n, K); None if a class never changes."""
    if len(changes) < 3 or not all(np.ptp(changes, axis=0)):
        return None
    matrix = np.atleast_2d(np.corrcoef(changes.T))
    found = matrix[np.triu_indices(changes.shape[1], 1)]
    return float(found.mean()), float(found.min())


def _trades(results: Results, name: str) -> list[list[float]]:
    """Return for each seed the mean and the lowest correlation of two classes' changes, then both in random order."""
    found = []
    for seed, run in sorted(results.values.get(name, {}).items()):
        changes = changes_of(run)
        if (own := correlation(changes)) is None:
            continue
        stream = Stream(SEED + seed)
        shuffled = [
            np.stack([column[stream.permutation(Purpose.SPLIT, shuffle, label, len(column))]
                      for label, column in enumerate(changes.T)], axis=1)
            for shuffle in range(SHUFFLES)
        ]  # fmt: skip
        chance = [pair for pair in map(correlation, shuffled) if pair is not None]
        found.append([*own, *np.mean(chance, axis=0)])
    return [list(column) for column in zip(*found, strict=True)] or [[], [], [], []]


def _lost(results: Results, name: str) -> list[float]:
    """Return each seed's loss of the easiest digits over the second half: first five evaluations minus last five."""
    found = []
    for run in results.of(name):
        places = [run["looks"].index(look) for look in run["late"]]
        easy = np.array(run["accuracy"])[places][:, list(EASY)].mean(axis=1)
        found.append(float(easy[:5].mean() - easy[-5:].mean()))
    return found
