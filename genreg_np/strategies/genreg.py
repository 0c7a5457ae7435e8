"""GENREG: networks earn trust for right predictions, and the most trusted reproduce with mutation.

One generation, P genomes, S survivors, N images (the same for all genomes):

    batch      images_per_class images of each class, in random class order
    score      each genome's predictions earn a reward or a penalty                 backends
    trust      decays, then grows by the fitness earned                             trust.py
    selection  the top S survive; two parents for each of the P children            selection.py
    children   crossover, then masked Gaussian mutation; they replace all genomes   backends

Source: the GENREG README and the published training code, which differ: the code has two parents and crossover, samples
predictions, and decays trust per image. The defaults are the code's mechanism with the README's rates.
All deviations from the code are listed in docs/deviations.md.

Extensions, all optional: every child descends from the survivors' mean, weighted as in the draw of parents; mutation
falls from mutation_scale to a fraction of it, geometrically over the run; batches grow linearly; survival goes by trust
per generation in which it was earned, so a child can displace an elder whose trust is merely older (trust.py). The
preset `selection` uses the first two. With the mean as parent it is the (mu/mu_w, lambda) evolution strategy with
sparse mutation (Rechenberg 1973; Hansen & Ostermeier 2001).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.errors import UsageError
from genreg_np.layers.base import Array
from genreg_np.layers.groups import Gene
from genreg_np.model import Float32, Network
from genreg_np.settings import option
from genreg_np.strategies import rewards, selection, trust
from genreg_np.strategies.base import PopulationStrategy, State, brood_works, counted
from genreg_np.strategies.epochs import no_batch
from genreg_np.strategies.problem import TENTHS, Problem, as_classes
from genreg_np.strategies.rewards import RewardSettings
from genreg_np.streams import Purpose, Stream, by_words, scale_words

GENES = {
    "weight": Gene.WEIGHT,
    "unit": Gene.UNIT,
    "block": Gene.BLOCK,
    "layer": Gene.LAYER,
    "none": Gene.NONE,
    "mean": Gene.NONE,
}
ONLY_AT_START = "only generation 0 draws from it"


@dataclass(frozen=True)
class GenregOptions(RewardSettings):
    """Settings of GENREG; docs/deviations.md lists the original names."""

    population_size: int = option(200, "genomes per generation", low=2, high=1_000_000)
    survival_cutoff: float = option(0.2, "fraction that survives as parents", above=0, high=1)
    elites: int = option(0, "best survivors kept unchanged, with their trust", low=0)
    crossover: str = option(
        "weight",
        "unit that crossover exchanges; none: one parent; mean: the one parent is the survivors' weighted mean",
        choices=tuple(GENES),
    )
    child_mutation_rate: float = option(0.07, "probability that a child's gene mutates", low=0, high=1)
    base_mutation_rate: float = option(0.0, "the same for survivors, elites excepted", low=0, high=1)
    mutation_scale: float = option(0.1, "standard deviation of the noise added to a gene", low=0, high=1000)
    trust_decay: float = option(0.001, "fraction of trust lost per trust_decay_per", low=0, high=1)
    trust_decay_per: str = option("image", "how often trust decays", choices=trust.DECAY_PERIODS)
    trust_inheritance: float = option(0.03, "fraction of its parents' summed trust a child begins with", low=0, high=1)
    fitness: str = option("reward", "fitness of a genome", choices=fitnesses.FITNESSES)
    prediction: str = rewards.prediction("sampled", "how a class is predicted in training")
    correct_reward: float = rewards.correct_reward()
    wrong_penalty: float = rewards.wrong_penalty()
    parent_weights: str = option(
        "auto", "roulette weights of parents; auto: published for reward, else rank", choices=selection.PARENT_WEIGHTS
    )
    images_per_class: int = option(20, "images of each class per generation", low=1, high=100_000)
    final_images: int = option(0, "the same at the end, growing linearly; 0: no growth", low=0, high=100_000)
    final_scale: float = option(1.0, "fraction of mutation_scale left at the end", above=0, high=1)
    survival: str = option("trust", "criterion of survival; mean: trust per generation", choices=("trust", "mean"))
    weight_range: float = option(0.5, "first weights are drawn from +- this", low=0, high=1000, fixed=ONLY_AT_START)
    bias_range: float = option(0.1, "first biases are drawn from +- this", low=0, high=1000, fixed=ONLY_AT_START)

    @property
    def survivor_count(self) -> int:
        """S, the number of survivors."""
        return selection.survivor_count(self.population_size, self.survival_cutoff)

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return self.final_scale != 1 or self.final_images > 0

    @property
    def effort(self) -> float:
        """The average cost of a generation over a run, as a multiple of the first."""
        return (self.images_at(0) + self.images_at(1)) / 2 / self.images_per_class

    def scale_at(self, done: float) -> float:
        """Return the mutation scale after a fraction `done` of the run."""
        return self.mutation_scale * float(self.final_scale**done)

    def images_at(self, done: float) -> int:
        """Return the images of each class after a fraction `done` of the run."""
        growth = self.final_images - self.images_per_class if self.final_images else 0
        return self.images_per_class + int(growth * done)


@dataclass(frozen=True)
class GenregContext:
    """What a run computes once and never saves."""

    options: GenregOptions
    backend: Backend
    network: Network
    features: Float32 | None = field(repr=False)  # (N_train, I) on the device, None for the user's own fitness
    labels: NDArray[Any] | None  # (N_train,), or (N_train, K) numbers
    weights: NDArray[np.float64] | None  # (N_train,) sample weights; None: all equal
    by_class: tuple[NDArray[np.int64], ...]  # K arrays of rows of `features`; for numbers, a tenth each
    generations: int  # of the whole run

    def done(self, generation: int) -> float:
        """Return the fraction of the run before a generation, at most 1."""
        return min(1.0, generation / max(1, self.generations))


@dataclass(frozen=True)
class GenregState(State):
    """The state between generations."""

    survivors: Float32  # (S, D) of the last scored generation, best first, on the device; S = 0 at the start
    trust: NDArray[np.float64]  # (S,) their trust
    evidence: NDArray[np.float64]  # (S,) the trust they would have if each generation had earned 1
    mean_trust: float = 0.0  # of the whole last generation
    mean_accuracy: float | None = None  # fraction of its images the last generation predicted right
    non_finite: int = 0  # fitness values replaced so far

    def shapes(self, start: GenregState) -> dict[str, tuple[int, ...]]:
        """Return the required shapes of arrays: any number of survivors, but at least one after a generation."""
        survivors = max(len(self.survivors), 1 if self.generation else 0)
        return {
            "survivors": (survivors, start.survivors.shape[1]),
            "trust": (survivors,),
            "evidence": (survivors,),
        }

    def kin(self) -> tuple[Array | None, NDArray[np.float64] | None]:
        """Return the survivors (S, D) and their trust (S,)."""
        return self.survivors, self.trust

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation."""
        measured = {"best_trust": float(self.trust[0]), "mean_trust": self.mean_trust}
        if self.mean_accuracy is not None:
            measured["mean_accuracy"] = self.mean_accuracy
        return measured | counted(self.non_finite)


class Genreg(PopulationStrategy[GenregOptions, GenregContext, GenregState]):
    """The strategy `genreg`."""

    draws_by_class = True

    name = "genreg"
    summary = "a population that survives by trust and reproduces with mutation: selection alone"
    Options = GenregOptions

    @staticmethod
    def works(options: GenregOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return brood_works(options.fitness)

    @staticmethod
    def prepare(problem: Problem, options: GenregOptions, backend: Backend) -> GenregContext:
        """Sort the training images by class.

        Raises
        ------
        UsageError
            For settings that contradict each other.
        """
        if options.elites > kept(options, options.survivor_count):
            most = "less than" if options.crossover == "mean" else "at most"
            raise UsageError(
                f"elites = {options.elites} must be {most} the {options.survivor_count} survivors "
                f"(population_size {options.population_size} x survival_cutoff {options.survival_cutoff:g})"
            )
        by_class: tuple[NDArray[np.int64], ...] = ()
        if problem.labels is not None:
            classes = as_classes(problem.labels)
            by_class = tuple(np.flatnonzero(classes == number) for number in range(groups(problem)))
        return GenregContext(
            options, backend, problem.network, problem.features, problem.labels, problem.weights, by_class,
            problem.generations,
        )  # fmt: skip

    @staticmethod
    def start(context: GenregContext, stream: Stream) -> GenregState:
        """Return the state before generation 0; its genomes are drawn from the stream when they are scored."""
        return GenregState(0, np.empty((0, context.network.gene_count), np.float32), np.empty(0), np.empty(0))

    @classmethod
    def batch(cls, state: GenregState, context: GenregContext, stream: Stream) -> Batch:
        """Draw the generation's images of each class, with replacement."""
        return draw_from_classes(context, stream, state.generation)

    @classmethod
    def breed(cls, state: GenregState, context: GenregContext, stream: Stream, told: bool = False) -> Brood:
        """Return the genomes of the next generation: the survivors' children, or generation 0."""
        options, size = context.options, context.options.population_size
        survivors, parents, elites = state.survivors, np.zeros((size, 2), np.int32), 0
        scale = options.scale_at(context.done(state.generation))
        if len(survivors):
            elites = kept(options, len(survivors))
            if options.base_mutation_rate:
                survivors = context.backend.mutate(
                    survivors,
                    stream.seed,
                    state.generation,
                    Purpose.BASE_MUTATION,
                    options.base_mutation_rate,
                    scale,
                    first=elites,
                )
            weights = parent_weights(options, state, told)
            if options.crossover == "mean":
                survivors = with_mean(survivors, weights, elites)
                parents[:] = np.minimum(np.arange(size, dtype=np.int32), elites)[:, None]
            else:
                parents = selection.draw_parents(weights, size, elites, stream, state.generation)
        return Brood(
            network=context.network,
            seed=stream.seed,
            generation=state.generation,
            survivors=survivors,
            parents=parents,
            gene=GENES[options.crossover],
            mutation_rate=options.child_mutation_rate,
            mutation_scale=scale,
            elites=elites,
            weight_range=options.weight_range,
            bias_range=options.bias_range,
        )

    @classmethod
    def select(
        cls,
        state: GenregState,
        context: GenregContext,
        brood: Brood,
        fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> GenregState:
        """Turn the fitness (P,) of a brood into trust, and keep its most trusted genomes; perfect ones come first.

        Raises
        ------
        FitnessError
            If no fitness is finite or +inf.
        """
        options = context.options
        earned = fitnesses.replace_non_finite(fitness)
        images, told = 1, accuracy is None
        if not told:
            images = options.images_at(context.done(state.generation)) * len(context.by_class)

        def after_earning(held: NDArray[np.float64], earned: NDArray[np.float64]) -> NDArray[np.float64]:
            before = np.zeros(brood.size)
            if len(held):
                if options.crossover == "mean":
                    held = with_mean(held, parent_weights(options, state, told), brood.elites)
                one_parent = brood.gene is Gene.NONE
                before = trust.inherit(held, brood.parents, options.trust_inheritance, brood.elites, one_parent)
            return trust.accumulate(before, earned, images, options.trust_decay, options.trust_decay_per)

        after, evidence = after_earning(state.trust, earned.values), after_earning(state.evidence, np.ones(brood.size))
        ranked_by = standing(options, after, evidence)
        chosen = selection.survivors(ranked_by, options.survivor_count, earned.perfect)
        if earned.perfect.any():  # no other genome is trusted more
            share = evidence if options.survival == "mean" else 1.0
            after = np.where(earned.perfect, trust.bounded(ranked_by).max() * share, after)
        after, evidence = trust.bounded(after), trust.bounded(evidence)
        return GenregState(
            state.generation + 1,
            context.backend.rebuild(brood, chosen),
            after[chosen],
            evidence[chosen],
            float(after.mean()),
            accuracy,
            state.non_finite + earned.replaced,
        )

    @staticmethod
    def plan(problem: Problem, options: GenregOptions, backend: Backend) -> Plan:
        """Return how the backend scores a generation, and the memory it takes."""
        network = problem.network
        parents = options.elites + 1 if options.crossover == "mean" else options.survivor_count
        survivors = np.broadcast_to(np.float32(0), (parents, network.gene_count))
        brood = Brood(
            network=network,
            seed=0,
            generation=1,
            survivors=survivors,
            parents=np.zeros((options.population_size, 2), np.int32),
            gene=GENES[options.crossover],
            mutation_rate=options.child_mutation_rate,
            mutation_scale=options.mutation_scale,
            elites=options.elites,
        )
        return backend.plan(brood, options.images_at(1.0) * groups(problem))

    @staticmethod
    def seeded(genes: Float32) -> GenregState:
        """Return the first state of a run whose first generation is mutated copies of one genome (D,)."""
        return GenregState(0, np.array(genes[None], np.float32), np.zeros(1), np.zeros(1))

    @staticmethod
    def champions(state: GenregState) -> dict[str, Any]:
        """Return `best`, the most trusted genome of the last generation, and `consensus`, the survivors' mean.

        The consensus is ours, not GENREG's. It is computed on the device, so that survivors need not be moved.
        """
        # deviation: consensus
        consensus = state.survivors.mean(axis=0, dtype=np.float64).astype(np.float32)
        return {"best": state.survivors[0], "consensus": consensus}


def groups(problem: Problem) -> int:
    """Return the number of groups that have equally many samples in a batch: classes, or tenths of all numbers."""
    if problem.labels is None or problem.labels.ndim == 1:
        return problem.network.outputs
    return min(TENTHS, len(problem.labels))


def standing(options: GenregOptions, trust: NDArray[np.float64], evidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the criterion of survival, (n,): trust, or trust per generation in which it was earned."""
    if options.survival == "trust":
        return trust
    return np.divide(trust, evidence, out=np.zeros_like(trust), where=evidence > 0)


def kept(options: GenregOptions, survivors: int) -> int:
    """Return how many of the survivors are kept unchanged; a mean of all takes the place of one."""
    return min(options.elites, survivors - (options.crossover == "mean"))


def parent_weights(options: GenregOptions, state: GenregState, told: bool) -> NDArray[np.float64]:
    """Return each survivor's weight as a parent, (S,); `told` is whether fitness comes from the user."""
    scheme = options.parent_weights
    if scheme == "auto":
        # deviation: rank weights
        scheme = "published" if options.fitness == "reward" and not told else "rank"
    return selection.parent_weights(standing(options, state.trust, state.evidence), scheme)


def with_mean(values: Any, weights: NDArray[np.float64], elites: int) -> Any:
    """Return the first `elites` of S survivors' values, followed by the weighted mean of all.

    `values` is (S,) or (S, D), of any backend, `weights` (S,); the result is (elites + 1,) or (elites + 1, D). The sum
    is taken one by one in order, so that every backend gives the same bits.
    """
    shares = (weights / weights.sum()).tolist()
    mean = values[0] * shares[0]
    for place in range(1, len(shares)):
        mean = mean + values[place] * shares[place]
    result = values[: elites + 1].copy()
    result[elites] = mean
    return result


def draw_from_classes(context: GenregContext, stream: Stream, generation: int) -> Batch:
    """Draw the generation's images of each class, with replacement, class after class in random order.

    Returns
    -------
    Batch
        N = K * images_per_class images, more if batches grow; each is weighted by its place (trust.image_weights).
    """
    if context.features is None or context.labels is None or context.options.fitness == "custom":
        raise no_batch()
    options, classes = context.options, len(context.by_class)
    images = options.images_at(context.done(generation))
    wanted = ((Purpose.CLASS_ORDER, classes), (Purpose.BATCH, classes * images))
    order_words, words = stream.draws(generation, wanted)
    order = by_words(order_words)
    sizes = np.array([len(context.by_class[label]) for label in order])
    picks = scale_words(words.reshape(classes, -1), sizes[:, None])
    rows = np.concatenate([context.by_class[label][pick] for label, pick in zip(order, picks, strict=True)])
    score, reward, penalty = options.scoring
    weights = trust.image_weights(len(rows), options.trust_decay, options.trust_decay_per)
    if context.weights is not None:
        weights = weights * context.weights[rows]
    return Batch(context.features, context.labels[rows], weights, score, reward, penalty, rows)
