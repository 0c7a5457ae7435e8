"""The tables of docs/answers.md: every claim and open question of the seed documents, what was found, and how.

What the studies of `genreg-np experiment` found comes from docs/experiments/NAME.json; the rest from bench/results.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mixed_tables
from accuracies import quickest, saved, spread
from rungs import known_runs
from tables import RESULTS, read, table

from genreg_np.experiments import REGISTRY, study
from genreg_np.experiments.base import SIZES
from genreg_np.experiments.record import file_of, results_of, runs_in

PAGES = RESULTS.parents[1] / "docs" / "experiments"
SEEDS = ("000", "001", "002", "003")
NO_DATA = "Not measured: the data are not at hand here."


@dataclass(frozen=True)
class Row:
    """A claim or a question, and what was found."""

    source: str  # which seed document
    claim: str
    found: Callable[[], str]
    measured_by: str  # Markdown: a command, a page


def test(rung: str) -> str:
    """Return a rung's test accuracy, %."""
    return f"{spread([saved(run) for run in known_runs(rung)])} %"


def seconds(rung: str) -> str:
    """Return how long a rung takes, of the quickest seed."""
    return f"{quickest(known_runs(rung))['seconds']:.0f} s"


def parameters(rung: str) -> str:
    return f"{known_runs(rung)[0]['parameters']:,}"


def ninety() -> str:
    return (
        f"Yes. Selection alone, 784-64-10: {test('selection')} in a minute, {test('selection-5m')} in five; on maps "
        f"{test('filters-5m')}. Without gradients, by node perturbation: {test('nodes')}; on random filters "
        f"{test('fast')} in {seconds('fast')}, {test('best')} in {seconds('best')}."
    )


def equilibrium() -> str:
    kept, inherited = 0.999**200, 2 * 0.03
    return (
        f"Only for a genome that lives on, and in the published code none does: all are replaced. A child inherits "
        f"{inherited:.2f} of its parents' mean trust, of which a generation keeps {kept:.2f}: trust comes to "
        f"{1 / (1 - inherited * kept):.2f} generations' earnings, where 1 / decay would be {1 / (1 - kept):.1f}."
    )


def lasting() -> str:
    lasts, anew = test("ablation-trust"), test("ablation-base")
    return f"No difference that shows: trust that lasts as published {lasts}, earned anew each generation {anew}."


def speed() -> str:
    return (
        f"As published it takes {seconds('seed-mnist-64')} here for {test('seed-mnist-64')}, which backpropagation of "
        f"the same network passes within a second. Node perturbation is not slower: {test('nodes-4s')} in 4 s, PyTorch "
        f"with Adam {test('torch-mlp-4s')} in 4 s."
    )


def typical() -> str:
    return (
        f"With a quarter of those weights, {parameters('gradient')}, backpropagation reaches {test('gradient')}; node "
        f"perturbation {test('nodes')}. A network of convolutions with {parameters('convolution')} weights: "
        f"{test('convolution')}."
    )


def article() -> str:
    found = read("search")["budgets"]
    told = []
    for name in ("crossover", "elitist"):
        lines = found[f"mnist, {name}, 60 s"]
        accuracy = statistics.mean(100 * line["mean_accuracy"] for line in lines)
        score = statistics.mean(line["f1"] for line in lines)
        told.append(f"{name} {accuracy:.2f} %, F1 {score:.3f}")
    return f"Passed within a minute on two cores, mean of {len(lines)} seeds: {'; '.join(told)}."


def better_than_chance() -> str:
    lines = read("search")["selections"]
    random = {line["seed"]: line["best"] for line in lines["random"]}
    told = []
    for name in ("steady", "crossover", "elitist"):
        gaps = [line["best"] - random[line["seed"]] for line in lines[name]]
        half = 1.96 * statistics.stdev(gaps) / len(gaps) ** 0.5
        told.append(f"{name} {statistics.mean(gaps):+.3f} ± {half:.3f}")
    return (
        f"In short searches of 48 individuals no selection is better than random search: log loss less random's, "
        f"{', '.join(told)} (lower is better, {len(random)} seeds)."
    )


def loops() -> str:
    share = read("search-engine")["loops, all"]["of PyTorch's time"]
    return f"The same genomes on the same samples take {100 * share:.0f} % of the time of a plain PyTorch loop."


def pipelines() -> str:
    import pipeline_tables

    text = pipeline_tables.pipelines()
    return "Evolved within 60 s. Of" + text.partition(" Of ")[2].partition(". New folds")[0] + "."


def single() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    alone = mixed_tables.spread([value for run in runs for value in run["baseline_accuracies"]])
    best = mixed_tables.spread([run["curve"][5]["best_accuracy"] for run in runs])
    return f"So it is: a network alone for as many epochs {alone} %, the best of twenty after six generations {best} %."


def vanishes() -> str:
    runs = mixed_tables.measured("cells")["plain"]
    layers = runs[0]["layers"]
    alike = ", ".join(
        mixed_tables.spread([run["similarity"][place] for run in runs], 1) for place in range(len(layers))
    )
    return f"So it is: after twelve generations the mean cosine of two networks is {alike} in layers 1 to 3."


def output_layer() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    kinds = [mixed_tables.spread([run["clusters_by_generation"][6][place] for run in runs], 1, 1) for place in range(3)]
    return (
        f"So it is, and there is a reason: the published code exchanges blocks of 64 x 64 weights, of which the output "
        f"layer has 2 and the first 52. Clusters of twenty networks, layers 1 to 3: {', '.join(kinds)}."
    )


def resistance() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    rows = [mixed_tables.attacked(run, "paper-fgsm", None, "child on children") for run in runs]
    under, clean, both = (
        mixed_tables.spread([row.get(key) for row in rows]) for key in ("attacked", "clean", "attacked_of_both")
    )
    return (
        f"Confounded: children are not trained, and get {clean} % right without any attack. Under it {under} %; of "
        f"images that both networks knew {both} %, no more than between two networks that never met."
    )


def incentive() -> str:
    cells = mixed_tables.measured("cells")
    plain, bonus = (
        mixed_tables.spread(
            [mixed_tables.attacked(run, "fgsm", 0.1, "best on siblings").get("attacked_of_both") for run in cells[name]]
        )
        for name in ("plain", "diversity bonus")
    )
    return (
        f"A bonus for diversity keeps variety: siblings then resist {bonus} % of a transfer attack (eps .1), without "
        f"it {plain} %; mutation and newcomers change nothing that shows."
    )


ACCURACY, MIXED = "[accuracy](accuracy.md)", "[mixed](experiments/mixed.md)"
ROWS = (
    Row("000", "81.47 % on MNIST's test split, 784-64-10, 600 generations",
        lambda: f"{test('seed-mnist-64')} (least - most of five seeds).", f"{ACCURACY}, preset `seed-mnist-64`"),
    Row("000", "784-32-10 reaches 72.52 %", lambda: f"{test('seed-mnist-32')}: more than was published.",
        f"{ACCURACY}, preset `seed-mnist-32`"),
    Row("000", "26 letters are mastered after about 1,800 generations",
        lambda: f"{test('seed-alphabet')} of the 26 images trained on, within 1,862 generations; by log-probability "
        f"{test('alphabet')}.", f"{ACCURACY}, preset `seed-alphabet`"),
    Row("000", "The training loop of the README: one parent is copied and mutated",
        lambda: f"Taken literally it reaches {test('readme-text')}; the published code crosses two parents.",
        f"{ACCURACY}, preset `readme-text`"),
    Row("000", "Equilibrium trust = current performance / decay", equilibrium,
        "arithmetic; [deviations](deviations.md)"),
    Row("000", "Trust decay prevents stale champions from dominating", lasting, ACCURACY),
    Row("000", "4 to 8 times slower than gradient descent", speed, ACCURACY),
    Row("000", "A typical MLP: 97 to 98 % with 200,000 parameters; networks are overparameterised", typical,
        f"{ACCURACY}; `genreg-np experiment capacity`"),
    Row("000", "Can evolutionary learning reach 90 % and more on MNIST?", ninety, ACCURACY),
    Row("000", "Can modify hyperparameters in mid-training without restarting",
        lambda: "Yes: `genreg-np train --resume RUN --set KEY=VALUE`; every change is logged in the model.",
        "[methods](methods.md)"),
    Row("000", "Can GENREG evolve filters of convolutions?",
        lambda: f"As published {test('filters-published')} with {parameters('filters')} weights, by log-probability "
        f"{test('filters')} in a minute; backpropagation {test('filters-gradient')}.", ACCURACY),
    Row("000", "Benchmark on Fashion-MNIST",
        lambda: f"Node perturbation {test('nodes-fashion')}, random filters {test('fast-fashion')}, a preset of its "
        f"own {test('fashion')}.", ACCURACY),
    Row("000", "Does this approach scale to CIFAR-10, SVHN, ImageNet?", lambda: NO_DATA,
        "`genreg-np train cifar10 --preset photos`"),
    Row("001", "Training takes about 40 minutes on a GPU",
        lambda: f"The same 600 generations take {seconds('seed-mnist-64')} on two cores.", ACCURACY),
    Row("001", "Per-digit accuracies: 0 and 1 best, 5 and 8 worst", lambda: "So it is; digit by digit in the README.",
        "[README](../README.md)"),
    Row("001", "Can we hit 90 % and more on MNIST?", lambda: "Yes; see above.", ACCURACY),
    Row("002", "98.7 % and an F1 of .987 on MNIST by either selection", article, "[search](search.md)"),
    Row("002", "Evolution finds what an engineer would, without human bias", better_than_chance, "[search](search.md)"),
    Row("002", "Four loops are slow, and can be made short", loops, "[search](search.md)"),
    Row("002", "Pipelines of scaling, features and SVM or boosting for tables", pipelines,
        "[search-tables](search-tables.md)"),
    Row("002", "9 of 16 right with 50 samples of four classes",
        lambda: "Not measured yet: how far the best of many on 16 images is from the truth.", "`bench/search_tiny.py`"),
    Row("002", "GANs that collapse, or whose discriminator wins, leave the population",
        lambda: "Built, with planted failures that prove the judge; not measured over seeds yet.",
        "[search-gan](search-gan.md), `bench/search_gan.py`"),
    Row("002", "Two GAs in parallel, a fitness that is a weighted sum",
        lambda: "Built (`--augmentation evolved`, `--weights`); against one GA not measured yet.",
        "[search](search.md)"),
    Row("002", "CIFAR-10, CIFAR-100 and ImageNet, pre-loaded", lambda: NO_DATA,
        "`genreg-np search images cifar10`"),
    Row("003", "Crossing brings no advantage over gradient descent alone", single, MIXED),
    Row("003", "Beyond six generations the variety disappears", vanishes, MIXED),
    Row("003", "Clustering is most pronounced in the output layer, for some reason", output_layer, MIXED),
    Row("003", "Children of a population resist attacks made for one another: 5 to 15 %, once 33 %", resistance, MIXED),
    Row("003", "There would need to be a motivation for diversity", incentive, MIXED),
)  # fmt: skip


@functools.cache
def studied() -> tuple[Row, ...]:
    """Return what the studies found."""
    rows, size = [], SIZES["full"]
    for name in REGISTRY:
        chosen = study(name)
        runs, _ = runs_in(PAGES / file_of(chosen, size, "json"), chosen, size)
        for answer in chosen.answers(results_of(runs, size, chosen.cases(size))):
            finding = answer.finding[:1].upper() + answer.finding[1:]
            page = f"[{name}](experiments/{name}.md)"
            rows.append(Row(answer.source, answer.claim, lambda finding=finding: finding, page))  # type: ignore[misc]
    return tuple(rows)


def answers(source: str) -> str:
    """Return the table of a seed document."""
    rows = [[row.claim, row.found(), row.measured_by] for row in (*ROWS, *studied()) if row.source == source]
    return table(["claimed, or asked", "found", "by"], rows)


def page() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each mark of the page, and what writes it."""
    for source in SEEDS:
        yield source, functools.partial(answers, source)


PAGE = dict(page())
