"""The tables of docs/answers.md: claims and open questions of GENREG and two articles, what was found, and how.

Findings of the studies of `genreg-np experiment` come from docs/experiments/NAME.json, all others from bench/results.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import mixed_tables
import search_answers
from accuracies import quickest, saved, spread
from rungs import known_runs
from tables import RESULTS, table

from genreg_np.experiments import REGISTRY, study
from genreg_np.experiments.base import SIZES, TEXTS
from genreg_np.experiments.record import file_of, results_of, runs_in

PAGES = RESULTS.parents[1] / "docs" / "experiments"
NO_DATA = "Not measured: the data are not at hand here."


@dataclass(frozen=True)
class Row:
    """A claim or a question, and what was found."""

    source: str  # the number of a text: experiments.base.TEXTS
    claim: str
    found: Callable[[], str]
    measured_by: str  # Markdown: a command, a page


SEEDS = 5  # of accuracies without a note, as the page's opening says


def test(rung: str) -> str:
    """Return a rung's test accuracy in %, with the number of seeds unless there are SEEDS of them."""
    runs = known_runs(rung)
    if len(runs) == 1:
        return f"{100 * saved(runs[0]):.1f} % (one seed)"
    counted = "" if len(runs) == SEEDS else f" ({len(runs)} seeds)"
    return f"{spread([saved(run) for run in runs])} %{counted}"


def champion(rung: str) -> str:
    """Return the test accuracy of GENREG's champion, the most trusted genome, and that of the survivors' mean, in %."""
    best = spread([run["test"]["best"] for run in known_runs(rung)])
    mean = spread([run["test"]["consensus"] for run in known_runs(rung)])
    return f"{best} %; the survivors' mean, our addition, {mean} %"


def seconds(rung: str) -> str:
    """Return how long a rung takes, for the quickest seed."""
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
    return (
        "As published nobody outlives a generation. In a population with elites, judged by log-probability: trust that "
        f"lasts as published {lasts}, earned anew in each generation {anew}."
    )


def speed() -> str:
    found = min(run["curve"][0] for run in known_runs("gradient"))
    return (
        f"As published it takes {seconds('seed-mnist-64')} here to {champion('seed-mnist-64')}. Backpropagation of the "
        f"same network, in the same code, is right on {100 * found[1]:.1f} % of the validation split after "
        f"{found[0]:.2f} s. Node perturbation is as fast: {test('nodes-4s')} in 4 s, on images shifted by "
        f"up to a pixel; PyTorch with Adam {test('torch-mlp-4s')} in 4 s, on images that are not shifted."
    )


def typical() -> str:
    return (
        f"With a quarter of those weights, {parameters('gradient')}, backpropagation reaches {test('gradient')}; node "
        f"perturbation {test('nodes')}. A network of convolutions with {parameters('convolution')} weights: "
        f"{test('convolution')}."
    )


def single() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    alone = mixed_tables.spread([value for run in runs for value in run["baseline_accuracies"]])
    best, mean = (
        mixed_tables.spread([run["curve"][5][f"{which}_accuracy"] for run in runs]) for which in ("best", "mean")
    )
    return (
        f"A network alone for as many epochs {alone} %; twenty after six generations {mean} % on average, the best of "
        f"them {best} %, but chosen by the test images themselves, as published."
    )


def vanishes() -> str:
    runs = mixed_tables.measured("cells")["plain"]
    layers = runs[0]["layers"]
    alike = ", ".join(
        mixed_tables.spread([run["similarity"][place] for run in runs], 1) for place in range(len(layers))
    )
    return f"After twelve generations the mean cosine of two networks is {alike} in layers 1 to 3, where 1 is the same."


def output_layer() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    kinds = [mixed_tables.spread([run["clusters_by_generation"][6][place] for run in runs], 1, 1) for place in range(3)]
    return (
        f"Clusters of twenty networks, layers 1 to 3: {', '.join(kinds)}. A likely reason: the published code "
        "exchanges blocks of 64 x 64 weights, of which the output layer has 2 and the first 52."
    )


def resistance() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    rows = [mixed_tables.attacked(run, "paper-fgsm", None, "child on children") for run in runs]
    under, clean, both = (
        mixed_tables.spread([row.get(key) for row in rows]) for key in ("attacked", "clean", "attacked_of_both")
    )
    strangers = [mixed_tables.attacked(run, "paper-fgsm", None, "second baseline on baseline") for run in runs]
    apart = mixed_tables.spread([row.get("attacked_of_both") for row in strangers])
    return (
        f"Confounded: children are not trained, and get {clean} % right without any attack, {under} % under it. Of "
        f"images that both networks knew they keep {both} %, two networks that never met {apart} %."
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
        f"With a bonus for diversity siblings keep {bonus} % of the images right that another was attacked by (eps "
        f".1), without it {plain} %; two networks trained alone keep as much, and are more accurate."
    )


def mutated() -> str:
    cells = mixed_tables.measured("cells")
    plain, mutation = (
        [[run["similarity"][place] for run in cells[name]] for place in range(len(cells[name][0]["layers"]))]
        for name in ("plain", "mutation")
    )
    told = [", ".join(mixed_tables.spread(layer, 1) for layer in layers) for layers in (mutation, plain)]
    apart = [
        f"{place}"
        for place, (ours, theirs) in enumerate(zip(mutation, plain, strict=True), 1)
        if abs(statistics.fmean(ours) - statistics.fmean(theirs)) > statistics.stdev(ours) + statistics.stdev(theirs)
    ]
    tests = [mixed_tables.spread([run["mean_accuracy"] for run in cells[name]]) for name in ("mutation", "plain")]
    differing = f"only in layer {', '.join(apart)}" if apart else "in none"
    return (
        f"One weight in a hundred, by .05: after twelve generations mean cosines are {told[0]} in layers 1 to 3 with "
        f"it, {told[1]} without; they differ by more than both deviations together {differing}. Accuracy {tests[0]} % "
        f"with it, {tests[1]} % without."
    )


def converged() -> str:
    runs = {6: mixed_tables.measured("paper")["horizontal"], 12: mixed_tables.measured("cells")["plain"]}
    kept = [
        mixed_tables.spread(
            [mixed_tables.attacked(run, "fgsm", 0.1, "child on children").get("attacked_of_both") for run in some]
        )
        for some in runs.values()
    ]
    alike = [mixed_tables.spread([statistics.fmean(run["similarity"]) for run in some], 1) for some in runs.values()]
    return (
        f"Resistance does fall as networks become alike: of images that both knew, children keep {kept[0]} % after six "
        f"generations (mean cosine of all layers {alike[0]}), {kept[1]} % after twelve ({alike[1]}), by an attack with "
        "eps .1. The recipes differ: after twelve, parents were chosen by validation images, not by test images."
    )


def alone() -> str:
    runs = mixed_tables.measured("paper")["horizontal"]
    own, siblings = (
        mixed_tables.spread([mixed_tables.attacked(run, "paper-fgsm", None, pair).get("attacked") for run in runs])
        for pair in ("best on itself", "best on siblings")
    )
    return f"By the attack as published {own} % right on the attacked network itself, {siblings} % on its siblings."


def long() -> str:
    quickest_of, *others = sorted(run["seconds"] for run in mixed_tables.measured("paper")["horizontal"])
    return (
        f"Six generations of twenty take {quickest_of:.0f} s on two cores in the quickest of {len(others) + 1} runs; "
        f"the others ({', '.join(f'{each:.0f} s' for each in others)}) ran beside other work."
    )


ACCURACY, MIXED = "[accuracy](accuracy.md)", "[mixed](experiments/mixed.md)"
ROWS = (
    Row("000", "81.47 % on MNIST's test split, 784-64-10, 600 generations",
        lambda: f"{champion('seed-mnist-64')} (least - most of five seeds). 81.47 % is the checkpoint of generation "
        "500; that of 600, whose digits are listed, has 81.20 %.", f"{ACCURACY}, preset `seed-mnist-64`"),
    Row("000", "784-32-10 reaches 72.52 %", lambda: f"{champion('seed-mnist-32')}.",
        f"{ACCURACY}, preset `seed-mnist-32`"),
    Row("000", "26 letters are mastered after about 1,800 generations",
        lambda: f"{test('seed-alphabet')} of the 26 images trained on, within 1,862 generations; by log-probability "
        f"{test('alphabet')}.", f"{ACCURACY}, preset `seed-alphabet`"),
    Row("000", "The training loop of the README: one parent is copied and mutated",
        lambda: f"Taken literally it reaches {test('readme-text')}; the published code crosses two parents.",
        f"{ACCURACY}, preset `readme-text`"),
    Row("000", "Equilibrium trust = current performance / decay", equilibrium,
        "arithmetic; [deviations](deviations.md)"),
    Row("000", "High performers accumulate trust; its decay prevents stale champions", lasting, ACCURACY),
    Row("000", "4 to 8 times slower than gradient descent; has not matched it", speed, ACCURACY),
    Row("000", "A typical MLP: 97 to 98 % with 200,000 parameters in 5 to 10 minutes, CNNs 99 % in 10 to 20", typical,
        f"{ACCURACY}; `genreg-np experiment capacity`"),
    Row("000", "Can evolutionary learning reach 90 % and more on MNIST?", ninety, ACCURACY),
    Row("000", "Hyperparameters can be changed in mid-training; gradient descent must restart",
        lambda: "`genreg-np train --resume RUN --set KEY=VALUE` changes either; every change is logged in the model.",
        "[methods](methods.md)"),
    Row("000", "Can GENREG evolve filters of convolutions?",
        lambda: f"As published {test('filters-published')} with {parameters('filters')} weights, by log-probability "
        f"{test('filters')} in a minute; backpropagation {test('filters-gradient')}.", ACCURACY),
    Row("000", "Benchmark on Fashion-MNIST",
        lambda: f"Node perturbation {test('nodes-fashion')}, random filters {test('fast-fashion')}, a preset of its "
        f"own {test('fashion')}.", ACCURACY),
    Row("000", "Does this approach scale to CIFAR-10, SVHN, ImageNet, to high resolutions?",
        lambda: f"{NO_DATA} CIFAR is read where it lies; of SVHN and ImageNet a folder of pictures is.",
        "`genreg-np train --dataset cifar-10 --preset photos`"),
    Row("001", "Training takes about 40 minutes on a GPU",
        lambda: f"The same 600 generations take {seconds('seed-mnist-64')} on two cores.", ACCURACY),
    Row("001", "Per-digit accuracies: 0 and 1 best, 5 worst, then 8 and 3",
        lambda: "0 and 1 are best and 5 is worst in the median run; what comes next differs from run to run, and in "
        "one of five a digit is never learned.", "[digit by digit](accuracy.md#the-presets)"),
    Row("001", "Inference runs on low-end CPUs", lambda: "On microcontrollers without an operating system, too.",
        "[microcontrollers](microcontrollers.md)"),
    Row("001", "Can we hit 90 % and more on MNIST? Has not beaten gradient baselines yet", ninety, ACCURACY),
    Row("002", "98.7 % and an F1 of .987 on MNIST by either selection", search_answers.article, "[search](search.md)"),
    Row("002", "Evolution finds what an engineer would, without human bias",
        search_answers.better_than_chance, "[search](search.md)"),
    Row("002", "Four loops are slow, and can be made short", search_answers.loops, "[search](search.md)"),
    Row("002", "Any metric may be chosen; at most 5 epochs and so many layers",
        lambda: "Built: `--metric`, `--max-epochs`, `--max-layers` and other limits.", "[search](search.md)"),
    Row("002", "Two optimisers on one architecture differ much",
        search_answers.optimisers, "`python bench/optimisers.py`"),
    Row("002", "Pipelines of scaling, features and SVM or boosting for tables", search_answers.pipelines,
        "[search-tables](search-tables.md)"),
    Row("002", "9 of 16 right with 50 samples of four classes, the most one could hope for", search_answers.tiny,
        "`python bench/search_tiny.py`"),
    Row("002", "Few-shot learners, autoencoders; detection, segmentation, text, reinforcement learning",
        lambda: "The first two are built (`--head prototypes`, `search autoencoder`), the others are not.",
        "[search](search.md)"),
    Row("002", "GANs that collapse, or whose discriminator wins, leave the population",
        search_answers.healthy,
        "[search-gan](search-gan.md), `python bench/search_gan.py searches`"),
    Row("002", "Two GAs in parallel, a fitness that is a weighted sum",
        search_answers.two_populations,
        "[search](search.md)"),
    Row("002", "A GPU makes training ten times faster",
        lambda: "Of populations: measured on two cards, in the benchmarks.", "[benchmarks](benchmarks.md#on-a-gpu)"),
    Row("002", "CIFAR-10, CIFAR-100 and ImageNet, pre-loaded", lambda: NO_DATA,
        "`genreg-np search images cifar-10`"),
    Row("003", "Crossing brings no advantage over gradient descent alone", single, MIXED),
    Row("003", "A simulation takes thirty-five minutes, a baseline one", long, MIXED),
    Row("003", "A layer is a gene; genes may lie one above another or side by side",
        lambda: "The published code exchanges blocks of 64 x 64 weights: by these both networks have the same genes.",
        "[mixed](mixed.md)"),
    Row("003", "Beyond six generations the variety disappears", vanishes, MIXED),
    Row("003", "Clustering is most pronounced in the output layer, for some reason", output_layer, MIXED),
    Row("003", "None resists an attack of its own (below 1 %), nor one made for another (1 to 3 %)", alone, MIXED),
    Row("003", "Children of a population resist attacks made for one another: 5 to 15 %, once 33 %", resistance, MIXED),
    Row("003", "In converged populations about 4 % resist an attack made for another child", converged, MIXED),
    Row("003", "Mutations might offset the loss in diversity", mutated, MIXED),
    Row("003", "Who kept some diversity did better; there would need to be a motivation for it", incentive, MIXED),
)  # fmt: skip


@functools.cache
def studied() -> tuple[Row, ...]:
    """Return the rows of the studies' findings."""
    rows, size = [], SIZES["full"]
    for name in REGISTRY:
        chosen = study(name)
        runs, _ = runs_in(PAGES / file_of(chosen, size, "json"), chosen, size)
        for answer in chosen.answers(results_of(runs, size, chosen.cases(size))):
            claim = f"{answer.claim} (our addition)" if answer.added else answer.claim
            finding = answer.finding[:1].upper() + answer.finding[1:]
            page = f"[{name}](experiments/{name}.md)"
            rows.append(Row(answer.source, claim, lambda finding=finding: finding, page))  # type: ignore[misc]
    return tuple(rows)


def answers(source: str) -> str:
    """Return the table of a text."""
    rows = [[row.claim, row.found(), row.measured_by] for row in (*ROWS, *studied()) if row.source == source]
    return table(["claimed, or asked", "found", "by"], rows)


def page() -> Iterator[tuple[str, Callable[[], str]]]:
    """Yield each mark of the page, and the function that writes its content."""
    for source in TEXTS:
        yield source, functools.partial(answers, source)


PAGE = dict(page())
