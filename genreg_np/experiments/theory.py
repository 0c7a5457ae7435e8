"""Theory: eight laws, each with what it predicts and what happens here (laws.py measures)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.experiments import laws
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import exponent, mean_text, points
from genreg_np.experiments.training import method_settings, trained
from genreg_np.experiments.variance import intensity, truncation
from genreg_np.report.shown import Shown, Table

GENERATIONS, BREEDERS = 600, 300
WIDTHS = (8, 16, 32, 64, 128)
LEVELS = {"selection": 0.8, "node perturbation": 0.9, "backpropagation": 0.9}  # validation accuracy to be reached
LONGEST = {"selection": 1500, "node perturbation": 1500, "backpropagation": 1500}
PARENTS = ("rank", "published")
KINDS: Mapping[str, Callable[[Mapping[str, Any], int], Values]] = {
    "population": laws.of_population,
    "progress": laws.of_progress,
    "dimension": laws.of_dimension,
    "parents": trained,
    "estimates": laws.of_estimates,
}


class Theory(Study):
    """The study `theory`."""

    name = "theory"
    question = "What does theory predict of such a population, and is it so?"
    about = """
Eight laws, each with what it predicts and what was measured: on GENREG as published (784-32-10, 600 generations) unless
said otherwise. What they mean, and when such an algorithm converges, is in [theory.md](../theory.md).
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return what is measured for each law."""
        few = size.name != "full"
        population = {"preset": "seed-mnist-32", "dataset": size.data,
                      "generations": size.generations(GENERATIONS), "breeders": size.generations(BREEDERS)}  # fmt: skip
        found = [
            Case("population", population),
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
            "population" if "breeders" in settings else "progress" if "inputs" in settings
            else "estimates" if "images" in settings else "dimension" if "level" in settings else "parents"
        )  # fmt: skip
        return KINDS[kind](settings, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield all laws in a table, then what is behind some of them."""
        rows = list(_rows(results))
        yield Shown("Eight laws", "", (Table(["law", "predicted", "measured"], rows),))
        if runs := results.of("progress"):
            table = _pairs(runs, "steps", ("step", "noise"), ("step, of the best", "noise, of a step's gain"), 1)
            yield Shown("Progress on a quadratic", "Normalised progress a generation, phi*.", (table,))
        if runs := results.of("estimates"):
            table = _pairs(runs, "estimates", ("of", "pairs"), ("what is mutated", "pairs"), 1)
            words = f"cos^2 of estimate and gradient, {runs[0]['genes']:,} genes, {runs[0]['images']:,} images."
            yield Shown("Two-point estimates", words, (table,))
        if widths := [int(name.rpartition(", ")[2]) for name in results.names("dimension, selection, ")]:
            rows = [[f"{width}", f"{results.of(f'dimension, selection, {width}')[0]['genes']:,}",
                     *(mean_text([value / 1e6 for value in _evaluations(results, method, width)], digits=2)
                       for method in LEVELS)] for width in widths]  # fmt: skip
            head = ["hidden units", "genes", *(f"{method}, to {100 * level:.0f} %" for method, level in LEVELS.items())]
            words = "Millions of evaluations of an image until validation accuracy is reached; a pair counts two."
            yield Shown("Evaluations against dimension", words, (Table(head, rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield that there is theory now."""
        if results.measured("population", "progress", "estimates"):
            runs = results.of("population")
            ratio = [run["breeder"]["happened"] / run["breeder"]["expected"] for run in runs]
            share = [run["price"]["weighting"] / run["price"]["selection"] for run in runs]
            yield Answer(
                "000", "Theory: lacking formal convergence guarantees or sample complexity bounds",
                f"the breeder's equation predicts selection over {BREEDERS} generations within a ratio of "
                f"{mean_text(ratio)}; weighting parents by trust, beyond who survives, is {mean_text(share, 100, 1)} "
                "% of selection; docs/theory.md says when such an algorithm converges, and why GENREG as published "
                "has no such guarantee.",
            )  # fmt: skip
            yield from self._trust(results)

    def _trust(self, results: Results) -> Iterator[Answer]:
        runs = results.of("population")
        terms = {name: mean_text([run["price"][name] for run in runs], 100, 0)
                 for name in ("selection", "transmission", "mutation", "change")}  # fmt: skip
        yield Answer(
            "000", "High-trust genomes reproduce, and evolutionary pressure drives optimisation",
            f"in one generation of ten, taken apart by Price's equation: selection adds {terms['selection']} points of "
            f"true accuracy in all, and what is passed on loses {terms['transmission']} (mutation alone "
            f"{terms['mutation']}): most of what selection gains is lost again.",
        )  # fmt: skip


def _rows(results: Results) -> Iterator[list[str]]:
    """Yield a row for each law that was measured."""
    if runs := results.of("population"):
        yield ["Price's equation: change = selection + transmission, an identity", "0 off",
               f"{max(run['price']['off'] for run in runs):.0e} off at most"]  # fmt: skip
        share = [run["price"]["weighting"] / run["price"]["selection"] for run in runs]
        yield ["Selection by weighting survivors, beyond truncation: its share", f"{100 * _weighting():.0f} %",
               f"{mean_text(share, 100, 1)} %"]  # fmt: skip
        yield ["Breeder's equation: sum of i VG / sqrt(VG + VE / n), points of accuracy",
               mean_text([run["breeder"]["expected"] for run in runs], 100, 1),
               mean_text([run["breeder"]["happened"] for run in runs], 100, 1)]  # fmt: skip
        for count in laws.REPEATED:
            both = [run["heritability"][str(count)] for run in runs]
            measured = [pair[1] for pair in both if pair[1] is not None]
            yield [f"Heritability of a score by {count} images of each class",
                   mean_text([pair[0] for pair in both]), mean_text(measured)]  # fmt: skip
        drifts = [run["drift"] for run in runs]
        if all(drift["pixels"] for drift in drifts):
            yield [f"Neutral drift: variance of the weights of {drifts[0]['pixels']} dark pixels",
                   mean_text([drift["expected"] for drift in drifts], digits=3),
                   mean_text([drift["happened"] for drift in drifts], digits=3)]  # fmt: skip
    if runs := results.of("progress"):
        ratios = [step["happened"] / step["expected"] for run in runs for step in run["steps"] if step["step"] <= 1
                  and not step["noise"]]  # fmt: skip
        yield ["Progress rate of the survivors' mean on a quadratic, steps up to the best", "ratio 1",
               f"ratio {mean_text(ratios)}"]  # fmt: skip
    for method in LEVELS:
        widths = [int(name.rpartition(", ")[2]) for name in results.names(f"dimension, {method}, ")]
        pairs = [(run["genes"], run["evaluations"]) for width in widths
                  for run in results.of(f"dimension, {method}, {width}") if run["evaluations"]]  # fmt: skip
        if len({genes for genes, _ in pairs}) > 1:
            foreseen = "1 (selection by ranks)" if method == "selection" else "0 (noise by units, not weights)"
            yield [f"Evaluations against genes, exponent: {method}",
                   foreseen if method != "backpropagation" else "0",
                   f"{exponent(*zip(*pairs, strict=True)):.2f}"]  # fmt: skip
    if results.measured(*(f"parents, {scheme}" for scheme in PARENTS)):
        both = [results.numbers(f"parents, {scheme}", "test") for scheme in PARENTS]
        yield ["Parents by ranks or by values: difference in accuracy, points", "0",
               points(*both)]  # fmt: skip
    for of in ("units", "weights"):
        ratios = [one["happened"] / one["expected"] for run in results.of("estimates") for one in run["estimates"]
                  if one["of"] == of]  # fmt: skip
        if ratios:
            yield [f"Two-point estimates by mutating {of}: cos^2 with the gradient", "ratio 1",
                   f"ratio {mean_text(ratios)}"]  # fmt: skip


def _weighting() -> float:
    """Return which share of selection is by weights: 1 - i / i_w, of 40 survivors among 200 genomes as published."""
    return 1 - truncation(200, 40) / intensity(200, 40)


def _pairs(runs: Sequence[Values], name: str, keys: Sequence[str], titles: Sequence[str], scale: float) -> Table:
    """Return what was expected and measured of each of a list of settings."""
    rows = []
    for parts in zip(*(run[name] for run in runs), strict=True):
        expected = np.mean([part["expected"] for part in parts])
        rows.append([*(f"{parts[0][key]}" for key in keys), f"{scale * expected:.3g}",
                     mean_text([part["happened"] for part in parts], scale, 4 if expected < 0.1 else 2)])  # fmt: skip
    return Table([*titles, "predicted", "measured"], rows)


def _evaluations(results: Results, method: str, width: int) -> list[float]:
    return results.numbers(f"dimension, {method}, {width}", "evaluations")
