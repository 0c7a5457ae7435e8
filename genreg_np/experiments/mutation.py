"""Mutation: how much, of which genomes, and in how large a population?

GENREG as published, 784-32-10, 600 generations, with one setting changed at a time: the rate and the scale of the
children's mutation; mutation of the survivors themselves ("base mutation"), which the published code names but does not
apply; either of them off, with two parents and with one; and populations of 50 to 5,000 at equal evaluations, some of
them also at equal generations.

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
BASES = (0.02, 0.3)  # rates of the survivors' mutation, beside none and .08
POPULATIONS = (50, 100, 500, 1000, 5000)  # at equal evaluations
EQUAL, EQUALLY = (50, 100, 500), "equal generations, population "  # populations at equal generations; their cases
PUBLISHED = "as published"
ALONE = "base alone "  # how cases begin in which survivors mutate at some rate, and children do not
VARIED = {  # settings that are varied: how their cases' names begin, and the published or other named case of a value
    "rate of the children's mutation": ("rate ", {0.07: PUBLISHED}),
    "scale of the children's mutation": ("scale ", {0.1: PUBLISHED}),
    "base rate, in addition to the children's": ("base rate ", {0.0: PUBLISHED, 0.08: "children and survivors"}),
    "base rate, without the children's": (ALONE, {0.0: "nobody", 0.08: "survivors alone"}),
}
RATE, SCALE = list(VARIED)[:2]
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
            changes |= {f"base rate {rate:g}": {"base_mutation_rate": rate} for rate in BASES}
            changes |= {f"{ALONE}{rate:g}": {"base_mutation_rate": rate, "child_mutation_rate": 0.0}
                        for rate in BASES}  # fmt: skip
            changes |= {f"{EQUALLY}{count:,}": {"population_size": count} for count in EQUAL}
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
        switches = {name: name for name in SWITCHES if results.measured(name)}
        pictures = (_curves(results, list(switches)), _diversity(results, "choice of who mutates", switches))
        yield Shown("Who mutates", "", (_table("mutates", results, switches), *pictures))
        for what, (prefix, _) in VARIED.items():
            found = values_of(results, what)
            if results.names(prefix) and results.measured(PUBLISHED):
                named = {f"{value:g}": name for value, name in found.items()}
                kind, title = prefix.strip(), what[0].upper() + what[1:]
                parts = (_table(kind, results, named), _diversity(results, kind, named, f"{kind} "))
                words = "Children do not mutate; everything else as published." if ALONE in prefix else (
                    "Everything else as published.")  # fmt: skip
                yield Shown(title, words, parts)
        if populations := results.names("population "):
            sizes = {int(name.split()[1].replace(",", "")): name for name in populations} | {POPULATION: PUBLISHED}
            named = {f"{count:,}": sizes[count] for count in sorted(sizes)}
            words = "At equal evaluations: the larger the population, the fewer generations."
            yield Shown("Population", words, (_table("genomes", results, named),
                                              _diversity(results, "number of genomes", named)))  # fmt: skip
        if results.names(EQUALLY) and results.measured(PUBLISHED):
            named = {f"{count:,}": name for count, name in self._equally(results).items()}
            words = "At equal generations: the larger the population, the more evaluations."
            yield Shown("Population, at equal generations", words, (_table("genomes", results, named),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about mutation."""
        alone = ("one parent; children", "one parent; survivors alone")
        if results.measured("nobody", "survivors alone", "one parent; nobody", *alone):
            told = []
            for name in ("survivors alone", "nobody", *alone, "one parent; nobody"):
                told.append(f"{name.replace('; ', ', ')} {percent(results.numbers(name, 'test'))} %, "
                            f"{points(gains(results, name))} points in the second half")  # fmt: skip
            needed = all(differs(results.gap(PUBLISHED, name)) for name in ("nobody", "one parent; nobody"))
            verdict = "without any mutation learning stops: " if needed else ""
            yield Answer(
                "000", "Disabling child mutation completely flatlined learning",
                f"{verdict}with children's mutation, as published, {percent(results.numbers(PUBLISHED, 'test'))} %; "
                f"otherwise, by who mutates: {'; '.join(told)}. The published code never mutates survivors: without "
                "children's mutation, nothing mutates.",
            )  # fmt: skip
            two, one = results.gap(PUBLISHED, "survivors alone"), results.gap(*alone)
            yield Answer(
                "000", "Child mutation is far more important than base mutation",
                f"children's mutation alone less survivors' alone, seed by seed: {points(one)} points with one parent, "
                f"which {_decided(one)}; {points(two)} with two, which {_decided(two)}.{_without(results)}",
            )  # fmt: skip
        if results.measured(PUBLISHED, "children and survivors"):
            gaps = results.gap("children and survivors", PUBLISHED)
            yield Answer(
                "000", "Base mutation maintains diversity, and prevents convergence",
                f"in addition to children's mutation, for the seeds that both have, it changes accuracy by "
                f"{points(gaps)} points and the survivors' distance from "
                f"{mean_text(distances(results, PUBLISHED), digits=1)} to "
                f"{mean_text(distances(results, 'children and survivors'), digits=1)}, similar to twice the rate for "
                f"children ({mean_text(distances(results, 'rate 0.15'), digits=1)}). The published code never applies "
                "it.",
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
                f"in points: {by}.{self._longer(results)}",
            )  # fmt: skip

    def _equally(self, results: Results) -> dict[int, str]:
        """Return the populations that were measured at equal generations, in order of size."""
        found = {int(name.removeprefix(EQUALLY).replace(",", "")): name for name in results.names(EQUALLY)}
        return dict(sorted((found | {POPULATION: PUBLISHED}).items()))

    def _longer(self, results: Results) -> str:
        """Return what populations reach at equal generations, as a sentence."""
        if not results.names(EQUALLY):
            return " At equal generations it was not measured."
        told = []
        for count, name in self._equally(results).items():
            gap = "" if name == PUBLISHED else f" ({points(results.gap(name, PUBLISHED))})"
            told.append(f"{percent(results.numbers(name, 'test'))} % with {count:,}{gap}")
        return f" At equal generations: {', '.join(told)}."

    def _rates(self, results: Results) -> Iterator[Answer]:
        told = []
        for what, (prefix, _) in VARIED.items():
            found = values_of(results, what)
            if results.names(prefix) and len(found) > 1:
                each = ", ".join(f"{percent(results.numbers(name, 'test'))} % at {value:g}"
                                 for value, name in found.items())  # fmt: skip
                told.append(f"by the {what}, {each}")
        if told:
            yield Answer(
                "000", "Mutation rate ablation: testing different child vs base mutation ratios",
                f"test accuracy is, {'; '.join(told)}.",
            )  # fmt: skip
        rates, scales = values_of(results, RATE), values_of(results, SCALE)
        if results.measured(PUBLISHED) and len(rates) > 1 and len(scales) > 1:
            yield Answer(
                "000", "No learning rate, no optimiser, no gradient clipping",
                "what is set instead, the rate and the scale of mutation, needs little care. Compared with the "
                f"published values, seed by seed: of rates from {min(rates):g} to {max(rates):g} "
                f"{_clearly(results, rates)}; of scales from {min(scales):g} to {max(scales):g} "
                f"{_clearly(results, scales)}.",
            )  # fmt: skip


def values_of(results: Results, what: str) -> dict[float, str]:
    """Return the measured cases of a setting of VARIED by its value, in order."""
    prefix, others = VARIED[what]
    found = {float(name.removeprefix(prefix)): name for name in results.names(prefix)}
    return dict(sorted((found | {value: name for value, name in others.items() if results.measured(name)}).items()))


def _clearly(results: Results, found: Mapping[float, str]) -> str:
    """Return which values of a setting are clearly worse or better than the published one."""
    gaps = {value: results.gap(name, PUBLISHED) for value, name in found.items() if name != PUBLISHED}
    told = []
    for how, sign in (("worse", -1), ("better", 1)):
        those = [f"{value:g} ({points(own)} points)" for value, own in gaps.items()
                 if differs(own) and sign * np.mean(own) > 0]  # fmt: skip
        if those:
            told.append(f"{listed(those)} {'is' if len(those) == 1 else 'are'} clearly {how}")
    return listed(told) or "none differs clearly"


def _without(results: Results) -> str:
    """Return how survivors' mutation alone compares with the published, over its rates, as a sentence."""
    found = {rate: name for rate, name in values_of(results, list(VARIED)[-1]).items() if rate}
    if not results.names(ALONE) or not results.measured(PUBLISHED):
        return ""
    return (
        f" With two parents and survivors' mutation alone, at rates of {min(found):g} to {max(found):g}, compared with "
        f"the published: {_clearly(results, found)}."
    )


def _decided(gaps: Sequence[float]) -> str:
    """Return whether a difference excludes 0, as the end of a sentence."""
    return "is more than chance" if differs(gaps) else "decides nothing"


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


def _table(what: str, results: Results, named: Mapping[str, str]) -> Table:
    """Return a table of cases by their labels."""
    rows = [
        [label, percent(results.numbers(name, "test")), mean_text(distances(results, name), digits=1),
         points(gains(results, name)), f"{len(results.of(name))}"]
        for label, name in named.items()
        if results.measured(name)
    ]  # fmt: skip
    head = [what, "test accuracy, %", "survivors' distance", "gained in the second half, points", "seeds"]
    return Table(head, rows)


def _diversity(results: Results, what: str, named: Mapping[str, str], before: str = "") -> Picture:
    """Return a picture of the survivors' distance over the generations, one line per case, by their labels."""
    drawn: dict[str, plots.Line] = {}
    for label, name in named.items():
        runs = [values for values in results.of(name) if values.get("distance")]
        if runs:
            last = runs[0]["curve"][-1][0]
            places = [100 * place / last for place, _ in runs[0]["curve"]]
            drawn[f"{before}{label}"] = (places, list(zip(*(run["distance"] for run in runs), strict=True)))
    png = plots.lines(drawn, "generations, % of the run", "distance of two survivors")
    says = f"The survivors' distance over the generations, one line per {what}."
    caption = "Remaining diversity; bands are 95 % intervals over seeds."
    return Picture(f"distance-{what.split()[0]}{'-alone' if 'alone' in what else ''}", png, says, caption)


def _curves(results: Results, names: Sequence[str]) -> Picture:
    named = {}
    for name in names:
        curves = [values["curve"] for values in results.of(name)]
        places = [place for place, _ in curves[0]]
        named[name] = (places, [[curve[number][1] for curve in curves] for number in range(len(places))])
    png = plots.lines(named, "generation", "validation accuracy, %", scale=100)
    says = "Validation accuracy over the generations, one line per choice of who mutates."
    return Picture("switches", png, says, "Who mutates, and with how many parents; bands are 95 % intervals.")
