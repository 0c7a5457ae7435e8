"""CMA-ES: a normal distribution over genomes whose mean, step and shape are learned from its best samples.

One generation, P genomes of D genes around the mean m, with step sigma and covariance C = B diag(s^2) B^T:

    genomes    x_i = m + sigma y_i,   y_i = B (s * z_i),   z_i ~ N(0, 1)                                       (38-40)
    mean       m += sigma y_w,   y_w = sum w_i y_i over the best half                                        (41, 42)
    step       p_s = (1 - cs) p_s + sqrt(cs (2 - cs) mu) B z_w;   sigma *= exp(cs / ds (|p_s| / E|N| - 1))   (43, 44)
    shape      p_c = (1 - cc) p_c + h sqrt(cc (2 - cc) mu) y_w                                                   (45)
               C = (1 - c1 - cm + (1 - h) c1 cc (2 - cc)) C + c1 p_c p_c^T + cm sum w_i y_i y_i^T                (47)

With FULL genes or more, only the diagonal of C is learned, at rates (D + 2) / 3 times as large: a full matrix would
need D^2 numbers, and D^3 operations for its axes. h is 0 while the step grows quickly, else 1; a step grows at most by
a factor of e in a generation. Only positive weights are used, w_i ~ log((P + 1) / 2) - log i. Axes are computed again
when C has had time to change, every 1 / (10 D (c1 + cm)) generations.

Sources: Hansen 2016, "The CMA evolution strategy: a tutorial", arXiv 1604.00772v1 (equations); Ros & Hansen 2008, "A
simple modification in CMA-ES achieving linear time and space complexity" (the diagonal).

Shapes: B (D, D) or none, s (D,). All of this is float64 on the CPU; genomes are float32 on the backend's device.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import fitness as fitnesses
from genreg_np.backends.base import Backend, Batch, Brood, Work
from genreg_np.backends.memory import Plan
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.errors import FitnessError
from genreg_np.model import Float32, Network
from genreg_np.settings import option
from genreg_np.strategies import rewards
from genreg_np.strategies.base import PopulationStrategy, Scored, State, brood_works, first_genes, plan_of
from genreg_np.strategies.epochs import UNMOVED, draw_batch, genome_batch, no_batch
from genreg_np.strategies.problem import Problem
from genreg_np.strategies.rewards import RewardSettings
from genreg_np.streams import Purpose, Stream

FULL = 500  # with this many genes or more, only the diagonal is learned
SMALLEST, LARGEST = 1e-12, 1e12  # limits of step and scales: values beyond them make no sense in a search
Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class CmaOptions(RewardSettings):
    """Settings of CMA-ES."""

    population_size: int = option(
        20, "genomes per generation; usually 4 + 3 ln D for D genes, more if fitness is noisy", low=4, high=1_000_000
    )
    sigma: float = option(
        0.1, "initial standard deviation of a gene", above=0, high=1000, fixed="only the first generation uses it"
    )
    batch_size: int = option(1000, "images per generation", low=1, high=1_000_000)
    fitness: str = option("log-probability", "fitness of a genome", choices=fitnesses.FITNESSES)
    prediction: str = rewards.prediction("argmax")
    correct_reward: float = rewards.correct_reward()
    wrong_penalty: float = rewards.wrong_penalty()
    initial_gain: float = option(
        1.0, "deviation of the first weights, times 1 / sqrt(inputs)", low=0, high=1000,
        fixed="only generation 0 draws from it",
    )  # fmt: skip


@dataclass(frozen=True)
class Rates:
    """Constants that depend only on D and P: table 1 of the tutorial."""

    weights: Float64  # (P // 2,) of the best samples; they sum to 1
    effective: float  # mu, the effective number of samples
    step_path: float  # cs
    damping: float  # ds
    shape_path: float  # cc
    one: float  # c1
    many: float  # cm
    length: float  # E|N|, for D normal numbers
    every: int  # generations between computations of the axes

    @classmethod
    @functools.lru_cache(maxsize=16)
    def of(cls, genes: int, population: int, full: bool) -> Rates:
        """Return the rates for the given numbers of genes and genomes; `full` is whether all of C is learned."""
        weights = np.log((population + 1) / 2) - np.log(np.arange(1, population // 2 + 1))
        weights /= weights.sum()
        mu, size = float(1 / np.square(weights).sum()), float(genes)
        step_path = (mu + 2) / (size + mu + 5)
        one = 2 / ((size + 1.3) ** 2 + mu)
        many = min(1 - one, 2 * (mu - 2 + 1 / mu) / ((size + 2) ** 2 + mu))
        every = max(1, int(1 / (10 * size * (one + many)))) if full else 1
        if not full:
            one = min(1.0, one * (size + 2) / 3)
            many = min(1 - one, many * (size + 2) / 3)
        return cls(
            weights,
            mu,
            step_path,
            1 + 2 * max(0.0, ((mu - 1) / (size + 1)) ** 0.5 - 1) + step_path,
            (4 + mu / size) / (size + 4 + 2 * mu / size),
            one,
            many,
            size**0.5 * (1 - 1 / (4 * size) + 1 / (21 * size**2)),
            every,
        )


@dataclass(frozen=True)
class CmaContext:
    """What a run computes once and never saves."""

    options: CmaOptions
    backend: Backend
    network: Network
    batch: Batch | None  # the whole training set, from which a generation takes some rows; None without a dataset
    zeros: Any = field(repr=False)  # (P, D) float32 on the device, to which noise is added


@dataclass(frozen=True)
class CmaState(Scored, State):
    """The state between generations."""

    genes: Float32  # (D,) the mean, rounded
    mean: Float64  # (D,) m
    covariance: Float64  # (D, D) C, or its diagonal (D,)
    axes: Float64  # (D, D) B; (0, 0) if C is its diagonal
    scales: Float64  # (D,) s
    step_path: Float64  # (D,) p_s
    shape_path: Float64  # (D,) p_c
    sigma: float = 0.0  # 0 before the first generation: the value of the settings
    best_fitness: float = 0.0  # of the last generation, a mean over its images
    mean_fitness: float = 0.0
    mean_accuracy: float | None = None
    non_finite: int = 0  # fitness values replaced so far

    def metrics(self) -> dict[str, float]:
        """Return the recorded metrics of the last generation."""
        return super().metrics() | {"sigma": self.sigma}


class CmaEs(PopulationStrategy[CmaOptions, CmaContext, CmaState]):
    """The strategy `cma-es`."""

    name = "cma-es"
    summary = "a normal distribution that adapts its shape and step to its best samples: for few genes and any score"
    Options = CmaOptions

    @staticmethod
    def works(options: CmaOptions, depth: int) -> tuple[Work, ...]:
        """Return the works that a backend must compile for it; `depth` is the number of learning layers."""
        return brood_works(options.fitness)

    @staticmethod
    def prepare(problem: Problem, options: CmaOptions, backend: Backend) -> CmaContext:
        """Collect what stays the same in all generations."""
        network = problem.network
        zeros = np.zeros((options.population_size, network.gene_count), np.float32)
        batch = genome_batch(problem, options.batch_size, options.scoring)
        return CmaContext(options, backend, network, batch, backend.to_device(zeros))

    @classmethod
    def start(cls, context: CmaContext, stream: Stream) -> CmaState:
        """Draw the first mean."""
        return cls.seeded(first_genes(context.network, context.options.initial_gain, stream))

    @staticmethod
    def seeded(genes: Float32) -> CmaState:
        """Return the first state with one genome (D,) as the mean."""
        genes = np.array(genes, np.float32)
        size, nothing = len(genes), np.zeros(len(genes))
        full = size < FULL
        return CmaState(
            0, genes, genes.astype(np.float64), np.eye(size) if full else np.ones(size),
            np.eye(size) if full else np.empty((0, 0)), np.ones(size), nothing, nothing,
        )  # fmt: skip

    @classmethod
    def breed(cls, state: CmaState, context: CmaContext, stream: Stream, told: bool = False) -> Brood:
        """Return samples of the distribution."""
        shaped = _shaped(state, _noise(state, context, stream.seed))
        genomes = (state.mean + _step(state, context) * shaped).astype(np.float32)
        there = context.backend.to_device(genomes)
        return Brood.unchanged(context.network, there, stream.seed, state.generation)

    @classmethod
    def batch(cls, state: CmaState, context: CmaContext, stream: Stream) -> Batch:
        """Return the next images of an epoch."""
        if context.batch is None:
            raise no_batch()
        return draw_batch(context.batch, UNMOVED, stream, state.generation)

    @classmethod
    def select(
        cls, state: CmaState, context: CmaContext, brood: Brood, fitness: NDArray[np.float64],
        accuracy: float | None = None,
    ) -> CmaState:  # fmt: skip
        """Adapt the distribution to the best half of its samples.

        Raises
        ------
        FitnessError
            If no fitness is finite or +inf, or the distribution is no longer finite.
        """
        earned = fitnesses.replace_non_finite(fitness)
        rates = Rates.of(len(state.mean), len(fitness), len(state.axes) > 0)
        undefined = ~np.isfinite(fitness) & ~earned.perfect
        best = np.lexsort((-earned.values, undefined, ~earned.perfect))[: len(rates.weights)]
        noise = _noise(state, context, brood.seed)[best]
        with np.errstate(over="ignore", invalid="ignore"), single_threaded_blas():
            found = _adapted(state, _step(state, context), rates, noise)
        images = 1 if accuracy is None or context.batch is None else len(context.batch.weights)
        values = earned.values / images
        scored = (float(values.max()), fitnesses.mean_and_deviation(values)[0], accuracy)
        after = CmaState(state.generation + 1, *found, *scored, state.non_finite + earned.replaced)
        if not all(np.isfinite(part).all() for part in (after.genes, after.covariance, after.scales)):
            raise FitnessError(
                f"generation {after.generation}: the distribution became infinite or NaN: lower sigma "
                f"({context.options.sigma:g})"
            )
        return after

    @staticmethod
    def plan(problem: Problem, options: CmaOptions, backend: Backend) -> Plan:
        """Return how a generation is computed, and the memory it takes."""
        genes = problem.network.gene_count
        what = f"{options.population_size:,} samples of a normal distribution"
        matrices = 4 * genes if genes < FULL else 0  # of float64, two numbers of 4 bytes each
        return plan_of(what, genes, 16 + 6 * options.population_size + 2 * matrices, problem.features)

    @staticmethod
    def champions(state: CmaState) -> dict[str, Float32]:
        """Return `best`, the mean of the distribution."""
        return {"best": state.genes}

    @staticmethod
    def centre(state: CmaState) -> Float32:
        """Return the mean of the distribution."""
        return state.genes


def _step(state: CmaState, context: CmaContext) -> float:
    """Return sigma of the next generation."""
    return state.sigma or context.options.sigma


def _noise(state: CmaState, context: CmaContext, seed: int) -> Float64:
    """Return a generation's deviates z, (P, D)."""
    drawn = context.backend.mutate(context.zeros, seed, state.generation, Purpose.MUTATION, 1.0, 1.0, 0)
    return np.asarray(context.backend.to_host(drawn), np.float64)


def _shaped(state: CmaState, noise: Float64) -> Float64:
    """Return y = B (s z) for deviates (n, D)."""
    scaled: Float64 = noise * state.scales
    with single_threaded_blas():
        return scaled @ state.axes.T if len(state.axes) else scaled


def _adapted(
    state: CmaState, sigma: float, rates: Rates, noise: Float64
) -> tuple[Float32, Float64, Float64, Float64, Float64, Float64, Float64, float]:
    """Return genes, mean, covariance, axes, scales, both paths and sigma, from the deviates of the best (n, D)."""
    full = len(state.axes) > 0
    shaped = _shaped(state, noise)
    moved, turned = rates.weights @ shaped, rates.weights @ noise  # y_w, z_w
    mean = state.mean + sigma * moved
    fresh = (rates.step_path * (2 - rates.step_path) * rates.effective) ** 0.5
    step_path = (1 - rates.step_path) * state.step_path + fresh * (state.axes @ turned if full else turned)
    length = float(np.linalg.norm(step_path))
    expected = (1 - (1 - rates.step_path) ** (2 * (state.generation + 1))) ** 0.5 * rates.length
    steady = float(length < (1.4 + 2 / (len(mean) + 1)) * expected)  # h: 0 while the step grows quickly
    fresh = (rates.shape_path * (2 - rates.shape_path) * rates.effective) ** 0.5
    shape_path = (1 - rates.shape_path) * state.shape_path + steady * fresh * moved
    lost = (1 - steady) * rates.one * rates.shape_path * (2 - rates.shape_path)
    if full:
        one, many = np.outer(shape_path, shape_path), (shaped.T * rates.weights) @ shaped
    else:
        one, many = np.square(shape_path), rates.weights @ np.square(shaped)
    covariance = (1 - rates.one - rates.many + lost) * state.covariance + rates.one * one + rates.many * many
    axes, scales = state.axes, state.scales
    if (state.generation + 1) % rates.every == 0 and np.isfinite(covariance).all():
        axes, scales = _axes(covariance)
    grown = sigma * float(np.exp(min(1.0, rates.step_path / rates.damping * (length / rates.length - 1))))
    return (
        mean.astype(np.float32), mean, covariance, axes, scales, step_path, shape_path,
        float(np.clip(grown, SMALLEST, LARGEST)),
    )  # fmt: skip


def _axes(covariance: Float64) -> tuple[Float64, Float64]:
    """Return B and s of a covariance, (D, D) or its diagonal (D,)."""
    if covariance.ndim == 1:
        return np.empty((0, 0)), np.sqrt(np.clip(covariance, SMALLEST**2, LARGEST**2))
    values, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    return axes, np.sqrt(np.clip(values, SMALLEST**2, LARGEST**2))
