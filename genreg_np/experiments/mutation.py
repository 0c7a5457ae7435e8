"""Mutation: how much, of which genomes, and in how large a population?

GENREG as published, 784-32-10, 600 generations, with one setting changed at a time: the rate and the scale of the
children's mutation; mutation of the survivors themselves ("base mutation"), which the published code names but does not
apply; either of them off, with two parents and with one; and populations of 50 to 5,000 at equal evaluations.

    distance    the root mean square distance of two survivors, by genes, at the end: the remaining diversity
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import differs, listed, mean_text, percent, points
from genreg_np.experiments.training import LOOKS, TESTED, trained
from genreg_np.report.shown import Picture, Shown, Table

GENERATIONS, POPULATION = 600, 200
RATES = (0.01, 0.03, 0.15, 0.3)
SCALES = (0.02, 0.05, 0.2, 0.4)
POPULATIONS = (50, 100, 500, 1000, 5000)
PUBLISHED = "as published"
SWITCHES: Mapping[str, Mapping[str, object]] = {  # which genomes mutate, and how many parents a child has
    PUBLISHED: {},
    "children and survivors": {"base_mutation_rate": 0.08},
    "survivors alone": {"base_mutation_rate": 0.08, "child_mutation_rate": 0.0},
    "nobody": {"child_mutation_rate": 0.0},
    "one parent; children": {"crossover": "none"},
    "one parent; survivors alone": {"crossover": "none", "base_mutation_rate": 0.08, "child_mutation_rate": 0.0},
    "one parent; nobody": {"crossover": "none", "child_mutation_rate": 0.0},
}


class Mutation(Study):
    """The study `mutation`."""

    name = "mutation"
    question = "Which mutation matters, how much of it, and in how large a population?"
    about = f"""
GENREG's mechanism (784-32-10, 200 genomes, 600 generations, children mutate each weight with probability .07 by
N(0, .1)), with one setting changed at a time. *Base mutation* is that of the survivors themselves before they have
children: the published configuration has a rate of .08, but the published code never applies it. Populations of other
sizes are run for equal evaluations. Test accuracy in per cent; the distance is that of two survivors at the end, over
all weights: the remaining diversity.
{TESTED}
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return switches, rates, scales and populations."""
        changes: dict[str, dict[str, object]] = {name: dict(own) for name, own in SWITCHES.items()}
        if size.name != "toy":
            changes |= {f"rate {rate:g}": {"child_mutation_rate": rate} for rate in RATES}
            changes |= {f"scale {scale:g}": {"mutation_scale": scale} for scale in SCALES}
        for population in size.pick(POPULATIONS, POPULATIONS[:-1], ()):
            generations = size.generations(GENERATIONS * POPULATION // population)
            changes[f"population {population:,}"] = {"population_size": population, "generations": generations}
        found = []
        for name, own in changes.items():
            settings = {
                "preset": "seed-mnist-32", "dataset": size.data, "generations": size.generations(GENERATIONS), **own
            }  # fmt: skip
            settings["validate_every"] = max(1, int(str(settings["generations"])) // LOOKS)
            found.append(Case(name, settings, 2 if name == PUBLISHED and size.name == "full" else 0))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one population."""
        return trained(settings, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield which genomes mutate, how much, and in which population."""
        switches = [name for name in SWITCHES if results.measured(name)]
        yield Shown("Who mutates", "", (_table("mutates", results, switches), _curves(results, switches)))
        for title, prefix, own in (("Rate", "rate ", 0.07), ("Scale", "scale ", 0.1)):
            found = {float(name.removeprefix(prefix)): name for name in results.names(prefix)}
            if found and results.measured(PUBLISHED):
                found[own] = PUBLISHED
                names = [found[value] for value in sorted(found)]
                labels = [f"{value:g}" for value in sorted(found)]
                words = "Of the children's mutation; everything else as published."
                yield Shown(title, words, (_table(title.lower(), results, names, labels),))
        if populations := results.names("population "):
            sizes = {int(name.split()[1].replace(",", "")): name for name in populations} | {POPULATION: PUBLISHED}
            names = [sizes[count] for count in sorted(sizes)]
            labels = [f"{count:,}" for count in sorted(sizes)]
            words = "At equal evaluations: the larger the population, the fewer generations."
            yield Shown("Population", words, (_table("genomes", results, names, labels),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about mutation."""
        if results.measured("nobody", "survivors alone", "one parent; nobody", "one parent; survivors alone"):
            told = []
            for name in ("survivors alone", "nobody", "one parent; survivors alone", "one parent; nobody"):
                told.append(f"{name.replace('; ', ', ')} {percent(results.numbers(name, 'test'))} %, "
                            f"{points(gains(results, name))} points in the second half")  # fmt: skip
            gaps = results.gap("survivors alone", PUBLISHED)
            needed = all(differs(results.gap(PUBLISHED, name)) for name in ("nobody", "one parent; nobody"))
            verdict = "what matters is that something mutates: " if needed and not differs(gaps) else ""
            yield Answer(
                "000", "Disabling child mutation completely flatlined learning",
                f"{verdict}with children's mutation, as published, {percent(results.numbers(PUBLISHED, 'test'))} %; "
                f"without it, by who mutates: {'; '.join(told)}. Survivors alone less children alone, seed by seed: "
                f"{points(gaps)} points. The published code never mutates survivors: without children's mutation, "
                "nothing mutates.",
            )  # fmt: skip
        if results.measured(PUBLISHED, "children and survivors"):
            gaps = results.gap("children and survivors", PUBLISHED)
            yield Answer(
                "000", "Base mutation maintains diversity, and is less important than child mutation",
                f"in addition to children's mutation, for the seeds that both have, it changes accuracy by "
                f"{points(gaps)} points and the survivors' distance from "
                f"{mean_text(distances(results, PUBLISHED), digits=1)} to "
                f"{mean_text(distances(results, 'children and survivors'), digits=1)}, similar to twice the rate for "
                f"children ({mean_text(distances(results, 'rate 0.15'), digits=1)}). Other ratios of the two rates "
                "were not measured. The published code never applies it.",
            )  # fmt: skip
        yield from self._sizes(results)
        yield from self._rates(results)

    def _sizes(self, results: Results) -> Iterator[Answer]:
        populations = results.names("population ")
        if populations and results.measured(PUBLISHED):
            sizes = {POPULATION: PUBLISHED} | {int(name.split()[1].replace(",", "")): name for name in populations}
            gaps = {count: results.gap(name, PUBLISHED) for count, name in sorted(sizes.items())}
            del gaps[POPULATION]
            worse, better = (
                [f"{count:,}" for count, own in gaps.items() if differs(own) and sign * np.mean(own) > 0]
                for sign in (-1, 1)
            )
            apart = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {how}"
                     for names, how in ((worse, "worse"), (better, "better")) if names]  # fmt: skip
            alike = [f"{count:,}" for count, own in gaps.items() if not differs(own)]
            if alike:
                apart.append(f"{listed(alike)} cannot be told from {POPULATION}")
            by = ", ".join(f"{points(own)} with {count:,}" for count, own in gaps.items())
            told = ", ".join(
                f"{percent(results.numbers(sizes[count], 'test'))} % with {count:,}" for count in sorted(sizes)
            )
            yield Answer(
                "000", "Larger populations might improve results but increase compute",
                f"at equal evaluations, compared with {POPULATION} genomes, {'; '.join(apart)}: {told}. Seed by seed, "
                f"in points: {by}. At equal generations it was not measured.",
            )  # fmt: skip

    def _rates(self, results: Results) -> Iterator[Answer]:
        rates = {float(name.split()[1]): name for name in results.names("rate ")}
        if rates and results.measured(PUBLISHED):
            rates[0.07] = PUBLISHED
            told = ", ".join(f"{percent(results.numbers(rates[rate], 'test'))} % at {rate:g}" for rate in sorted(rates))
            yield Answer("000", "Mutation rate ablation", f"test accuracy by the children's rate: {told}.")


def gains(results: Results, case: str) -> list[float]:
    """Return the rise of validation accuracy over the second half of each of a case's runs."""
    found = []
    for values in results.of(case):
        heights = [height for _, height in values["curve"]]
        found.append(float(np.mean(heights[-2:]) - np.mean(heights[len(heights) // 2 - 1 : len(heights) // 2 + 1])))
    return found


def distances(results: Results, case: str) -> list[float]:
    """Return the survivors' distance at the end, seed by seed."""
    return [float(values["distance"][-1]) for values in results.of(case) if values.get("distance")]


def _table(what: str, results: Results, names: Sequence[str], labels: Sequence[str] = ()) -> Table:
    rows = [
        [label, percent(results.numbers(name, "test")), mean_text(distances(results, name), digits=1),
         points(gains(results, name)), f"{len(results.of(name))}"]
        for name, label in zip(names, labels or names, strict=True)
        if results.measured(name)
    ]  # fmt: skip
    head = [what, "test accuracy, %", "survivors' distance", "gained in the second half, points", "seeds"]
    return Table(head, rows)


def _curves(results: Results, names: Sequence[str]) -> Picture:
    named = {}
    for name in names:
        curves = [values["curve"] for values in results.of(name)]
        places = [place for place, _ in curves[0]]
        named[name] = (places, [[curve[number][1] for curve in curves] for number in range(len(places))])
    png = plots.lines(named, "generation", "validation accuracy, %", scale=100)
    says = "Validation accuracy over the generations, one line per choice of who mutates."
    return Picture("switches", png, says, "Who mutates, and with how many parents; bands are 95 % intervals.")
