"""Theory: eight laws, each with its prediction and a measurement (laws.py)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.experiments import laws, plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import exponent, listed, mean_text, points
from genreg_np.experiments.training import method_settings, trained
from genreg_np.experiments.variance import intensity, truncation
from genreg_np.report.shown import Picture, Shown, Table

GENERATIONS, BREEDERS = 600, 300
MOMENTS = (10, 20, 50, 100, 300, 600)  # generations at which heritability is compared
OF_20 = 20  # images of each class in the published configuration
WIDTHS = (8, 16, 32, 64, 128)
LEVELS = {"selection": 0.8, "node perturbation": 0.9, "backpropagation": 0.9}  # validation accuracy to reach
LONGEST = {"selection": 1500, "node perturbation": 1500, "backpropagation": 1500}
PARENTS = ("rank", "published")
AIMED = 0.15  # of the breeder's equation: how far the children's gain may be from it
BRED = {"children": "children above the generation before, the response that it predicts",
        "bred": "children before mutation", "parents": "chosen parents above their generation"}  # fmt: skip
KINDS: Mapping[str, Callable[[Mapping[str, Any], int], Values]] = {
    "population": laws.of_population,
    "heritability": laws.of_heritability,
    "progress": laws.of_progress,
    "dimension": laws.of_dimension,
    "parents": trained,
    "estimates": laws.of_estimates,
}


class Theory(Study):
    """The study `theory`."""

    name = "theory"
    question = "What does theory predict for such a population, and does it hold?"
    about = """
Each law has a prediction and a measurement, some in several rows. Price's equation, breeder's equation, heritability
and drift are for GENREG as published, 784-32-10, 600 generations, measured every tenth; accuracy is then the mean
probability of the right class over 1,000 training images. [theory.md](../theory.md) explains the laws, and when such an
algorithm converges.

Signs: *VG* is the variance between genomes' true accuracies (an estimate below 0 counts as 0), *VE* the variance that
one image adds to a score, *n* the number of images of a score; *h2* = VG / (VG + VE / n) is heritability, the share of
the differences between scores that would be there again on other images; *i* is by how many standard deviations the
chosen parents' scores exceed their generation's. On the quadratic, *c* is the same of the survivors' weighted mean,
*mu_w* the number of equally weighted survivors that would average as well, and `phi*` the progress of a generation as
a share of the distance to the optimum, times the number of weights. *cos^2* is 1 for vectors along one line, 0 for
vectors at right angles.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return the cases of each law."""
        few = size.name != "full"
        population = {"preset": "seed-mnist-32", "dataset": size.data,
                      "generations": size.generations(GENERATIONS), "breeders": size.generations(BREEDERS)}  # fmt: skip
        found = [
            Case("population", population),
            Case(
                "heritability",
                {
                    "preset": "seed-mnist-32",
                    "dataset": size.data,
                    "moments": [size.generations(moment) for moment in size.pick(MOMENTS, MOMENTS[::5], MOMENTS[-1:])],
                },
                0 if few else 2,
            ),
            Case("progress", {"inputs": 20 if few else 200, "population": 100}),
            Case("estimates", {"dataset": size.data, "hidden": 32, "images": 200 if few else 1000}),
        ]
        for scheme in PARENTS:
            settings = {"preset": "selection", "dataset": size.data, "hidden": [32], "crossover": "weight",
                        "population_size": 200, "child_mutation_rate": 0.05, "mutation_scale": 0.03,
                        "images_per_class": 20, "generations": size.generations(GENERATIONS), "parent_weights": scheme,
                        "validate_every": size.generations(GENERATIONS)}  # fmt: skip
            found.append(Case(f"parents, {scheme}", settings))
        for width in size.pick(WIDTHS, (8, 32), (8,)):
            for method, level in LEVELS.items():
                settings = method_settings(method, size.data, max(20, size.generations(LONGEST[method])))
                settings |= {"hidden": [width], "validate_every": 5 if method == "selection" else 2, "level": level}
                found.append(Case(f"dimension, {method}, {width}", settings))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Measure one law."""
        kind = (
            "population" if "breeders" in settings else "heritability" if "moments" in settings
            else "progress" if "inputs" in settings else "estimates" if "images" in settings
            else "dimension" if "level" in settings else "parents"
        )  # fmt: skip
        return KINDS[kind](settings, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield all laws in a table, then details of some of them."""
        rows = list(_rows(results))
        yield Shown("Predictions and measurements", "", (Table(["law", "predicted", "measured"], rows),))
        if results.measured("heritability"):
            rows = [[f"{generation}", f"{images}", mean_text(expected, digits=3), mean_text(happened, digits=3)]
                    for generation, images, expected, happened in _heritability(results)]  # fmt: skip
            words = (
                "Heritability of a score, VG / (VG + VE / n), and its repeatability: the correlation of "
                f"genomes' scores on two batches without a common image, the mean of {laws.DRAWS} pairs of "
                "batches for each seed."
            )
            yield Shown("Heritability", words, (Table(["generation", "images of each class", "predicted", "measured"],
                                                      rows),))  # fmt: skip
        if runs := results.of("progress"):
            table = _pairs(
                runs, "steps", ("step", "noise"), ("step, as a share of mu_w c", "noise, of a step's gain"), 1
            )
            words = (
                "Normalised progress per generation, phi*; mu_w c would be the best step in infinitely many dimensions."
            )
            yield Shown("Progress on a quadratic", words, (_progress(runs), table))
        if runs := results.of("estimates"):
            table = _pairs(runs, "estimates", ("of", "pairs"), ("what is mutated", "pairs"), 1)
            words = f"cos^2 of estimate and gradient, {runs[0]['genes']:,} genes, {runs[0]['images']:,} images."
            yield Shown("Two-point estimates", words, (table,))
        if widths := [int(name.rpartition(", ")[2]) for name in results.names("dimension, selection, ")]:
            rows = [[f"{width}", f"{results.of(f'dimension, selection, {width}')[0]['genes']:,}",
                     *(_evaluations(results, method, width) for method in LEVELS)] for width in widths]  # fmt: skip
            head = ["hidden units", "genes", *(f"{method}, to {100 * level:.0f} %" for method, level in LEVELS.items())]
            words = (
                "Thousands of evaluations of an image until validation accuracy is reached; a pair counts as two. "
                "Selection is timed to a lower accuracy than the others: compare widths, not methods. Accuracy is "
                f"looked at every {_looked(results)} thousand evaluations: differences below that cannot be seen."
            )
            yield Shown("Evaluations against dimension", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about the laws."""
        if runs := results.of("population"):
            share = [run["price"]["weighting"] / run["price"]["selection"] for run in runs]
            children, bred, parents = (_share_of_expected(runs, part) for part in ("children", "bred", "parents"))
            yield Answer(
                "000", "Theory: lacking formal convergence guarantees or sample complexity bounds",
                "no convergence guarantee holds for GENREG as published, and no useful bound on samples is known "
                f"(docs/theory.md). The breeder's equation predicts how much better children are than the generation "
                f"before. {_aimed(runs)} children gain {children} of what it says, and {bred} before they are "
                f"mutated. What comes nearer is the step before: chosen parents exceed their generation by {parents} "
                f"of it. Weighting parents by trust contributes {mean_text(share, 100, 1)} % of that lead, survival "
                "the rest.",
            )  # fmt: skip
            gained = [run["price"]["selection"] for run in runs]
            lost = [-run["price"]["transmission"] / run["price"]["selection"] for run in runs]
            yield Answer(
                "000", "High-trust genomes reproduce, and evolutionary pressure drives optimisation",
                f"by Price's equation, summed over every tenth generation, selection adds {mean_text(gained, 100, 1)} "
                f"points of accuracy, of which {mean_text(lost, 100, 0)} % are lost again in the children.",
            )  # fmt: skip
        if looks := [look for look in _heritability(results) if look[1] == OF_20]:
            told = ", ".join(
                f"{np.mean(happened):.2f} in generation {generation} ({np.mean(expected):.2f} predicted)"
                for generation, _, expected, happened in looks
            )
            yield Answer(
                "000", "Stable fitness signals: how much of a score is the genome's own",
                f"of scores on {OF_20} images of each digit, those on two batches correlate by {told}.", added=True,
            )  # fmt: skip
        if found := _exponents(results, "selection"):
            yield Answer(
                "000", "Sample complexity",
                "for selection, the evaluations until 80 % validation accuracy were expected to grow with the number "
                f"of genes; they fall{_falling(results, 'selection')}. The exponent of {mean_text(found)}, where 1 was "
                "expected, is that of a power law that fits only roughly.",
            )  # fmt: skip


def _rows(results: Results) -> Iterator[list[str]]:
    """Yield a row for each law that was measured."""
    if runs := results.of("population"):
        yield ["Price's equation: change = selection + transmission, an identity", "error 0",
               f"error at most {max(run['price']['off'] for run in runs):.0e}"]  # fmt: skip
        share = [run["price"]["weighting"] / run["price"]["selection"] for run in runs]
        yield ["Selection by weighting survivors, beyond truncation: its share",
               f"{100 * _weighting():.0f} % by order statistics (under 5 % was expected at first)",
               f"{mean_text(share, 100, 1)} %"]  # fmt: skip
        expected = mean_text([run["breeder"]["expected"] for run in runs], 100, 1)
        looks = f"over the first {runs[0]['breeder']['looks']:.0f} measurements, points"
        law = f"Breeder's equation, sum of i VG / sqrt(VG + VE / n) {looks}"
        for part, words in BRED.items():
            gained = mean_text([run["breeder"][part] for run in runs], 100, 1)
            yield [f"{law}: {words}", expected, f"{gained}, {_share_of_expected(runs, part)} of it"]
        yield from _repeated(results)
        drifts = [run["drift"] for run in runs]
        if all(drift["pixels"] for drift in drifts):
            yield [f"Neutral drift: variance of the weights of {drifts[0]['pixels']} dark pixels",
                   mean_text([drift["expected"] for drift in drifts], digits=3),
                   mean_text([drift["happened"] for drift in drifts], digits=3)]  # fmt: skip
    if runs := results.of("progress"):
        ratios = [float(np.mean([step["happened"] / step["expected"] for step in run["steps"] if step["step"] <= 1]))
                  for run in runs]  # fmt: skip
        yield ["Progress rate of the survivors' mean on the sphere, steps up to mu_w c", "ratio 1",
               f"ratio {mean_text(ratios)}"]  # fmt: skip
    for method in LEVELS:
        if exponents := _exponents(results, method):
            yield [f"Evaluations against genes, exponent: {method}", "1" if method == "selection" else "0",
                   mean_text(exponents)]  # fmt: skip
    if results.measured(*(f"parents, {scheme}" for scheme in PARENTS)):
        yield ["Parents weighted by ranks or by values: difference in accuracy, points", "0",
               points(results.gap(*(f"parents, {scheme}" for scheme in PARENTS)))]  # fmt: skip
    for of in ("units", "weights"):
        ratios = [float(np.mean([one["happened"] / one["expected"] for one in run["estimates"] if one["of"] == of]))
                  for run in results.of("estimates")]  # fmt: skip
        if ratios:
            yield [f"Two-point estimates by mutating {of}: cos^2 with the gradient", "ratio 1",
                   f"ratio {mean_text(ratios)}"]  # fmt: skip


def _repeated(results: Results) -> Iterator[list[str]]:
    """Yield rows of heritability and repeatability of scores by the published number of images, over a run."""
    for generation, images, expected, happened in _heritability(results):
        if images == OF_20:
            yield [f"Repeatability (h2) of a score of {OF_20} images of each class, generation {generation}",
                   mean_text(expected), mean_text(happened)]  # fmt: skip
    if not results.measured("heritability"):
        for count in laws.REPEATED:
            both = [run["heritability"][str(count)] for run in results.of("population")]
            measured = [pair[1] for pair in both if pair[1] is not None]
            yield [f"Repeatability (h2) of a score at the end, images of each class: {count}",
                   mean_text([pair[0] for pair in both]), mean_text(measured)]  # fmt: skip


def _heritability(results: Results) -> Iterator[tuple[int, int, list[float], list[float]]]:
    """Yield generation, images of each class, and each seed's predicted and measured heritability."""
    for looks in zip(*(run["heritability"] for run in results.of("heritability")), strict=True):
        measured = [look["happened"] for look in looks if look["happened"] is not None]
        yield looks[0]["generation"], looks[0]["images"], [look["expected"] for look in looks], measured


def _shares(runs: Sequence[Values], part: str) -> list[float]:
    """Return each run's gain as a share of what the breeder's equation predicts."""
    return [run["breeder"][part] / run["breeder"]["expected"] for run in runs]


def _share_of_expected(runs: Sequence[Values], part: str) -> str:
    """Return mean and interval of `_shares`, and each run's."""
    own = _shares(runs, part)
    return f"{mean_text(own)} ({listed([f'{one:.2f}' for one in own])} by run)" if len(own) > 1 else mean_text(own)


def _aimed(runs: Sequence[Values]) -> str:
    """Return whether the children's gain is as close to the breeder's equation as was aimed at."""
    near = abs(float(np.mean(_shares(runs, "children"))) - 1) <= AIMED
    return f"That it is right within {100 * AIMED:.0f} % was the aim, which is {'met' if near else 'missed'}:"


def _weighting() -> float:
    """Return the share of selection by weights, 1 - i / i_w, for 40 survivors of 200 genomes as published."""
    return 1 - truncation(200, 40) / intensity(200, 40)


def _pairs(runs: Sequence[Values], name: str, keys: Sequence[str], titles: Sequence[str], scale: float) -> Table:
    """Return a table of predictions and measurements for a list of settings."""
    rows = []
    for parts in zip(*(run[name] for run in runs), strict=True):
        expected = np.mean([part["expected"] for part in parts])
        rows.append([*(f"{parts[0][key]}" for key in keys), f"{scale * expected:.3g}",
                     mean_text([part["happened"] for part in parts], scale, 4 if expected < 0.1 else 2)])  # fmt: skip
    return Table([*titles, "predicted", "measured"], rows)


def _progress(runs: Sequence[Values]) -> Picture:
    """Return a picture of progress against the step, predicted and measured, one line per noise."""
    named, expected = dict[str, plots.Line](), dict[str, tuple[list[float], list[float]]]()
    steps = [run["steps"] for run in runs]
    for noise in dict.fromkeys(step["noise"] for step in steps[0]):
        own = [[step for step in some if step["noise"] == noise] for some in steps]
        places = [step["step"] for step in own[0]]
        columns = list(zip(*own, strict=True))
        named[f"noise {noise:g}, measured"] = (places, [[step["happened"] for step in column] for column in columns])
        expected[f"noise {noise:g}, predicted"] = (
            places, [float(np.mean([step["expected"] for step in column])) for column in columns]
        )  # fmt: skip
    png = plots.lines(named, "step, as a share of mu_w c", "progress per generation, phi*", expected=expected)
    says = "Progress on a quadratic against the step, as predicted and as measured, without and with noise."
    return Picture("progress", png, says, "Bands are 95 % intervals over seeds; black lines are predictions.")


def _evaluations(results: Results, method: str, width: int) -> str:
    """Return thousands of evaluations to a method's level, and how many seeds reached it, unless all did."""
    name = f"dimension, {method}, {width}"
    found, runs = [value / 1e3 for value in results.numbers(name, "evaluations")], len(results.of(name))
    return mean_text(found, digits=0) + (f" ({len(found)} of {runs})" if len(found) < runs else "")


def _falling(results: Results, method: str) -> str:
    """Return a method's mean evaluations from the narrowest to the widest network, as the end of a sentence."""
    names = [name for name in results.names(f"dimension, {method}, ") if results.numbers(name, "evaluations")]
    means = [float(np.mean(results.numbers(name, "evaluations"))) for name in names]
    widths = [name.rpartition(", ")[2] for name in names]
    if len(means) < 2:
        return ""
    ratios = listed([f"{before / after:.1f}" for before, after in itertools.pairwise(means)])
    return (
        f" from {means[0] / 1e6:.1f} million with {widths[0]} hidden units to {means[-1] / 1e6:.1f} million with "
        f"{widths[-1]}, from width to width by factors of {ratios}"
    )


def _looked(results: Results) -> str:
    """Return the steps, in thousands of evaluations, at which each method's accuracy is looked at."""
    found = []
    for method in LEVELS:
        names = results.names(f"dimension, {method}, ")
        counts = [int(count) for name in names for count in results.numbers(name, "evaluations")]
        if counts:
            found.append(f"{math.gcd(*counts) / 1e3:g} ({method})")
    return listed(found)


def _exponents(results: Results, method: str) -> list[float]:
    """Return each seed's exponent of evaluations against genes, from all widths that reached the level."""
    points_of: dict[int, list[tuple[int, int]]] = {}
    for name in results.names(f"dimension, {method}, "):
        for seed, run in results.values[name].items():
            if run["evaluations"]:
                points_of.setdefault(seed, []).append((run["genes"], run["evaluations"]))
    return [exponent(*zip(*own, strict=True)) for _, own in sorted(points_of.items()) if len(own) > 1]
