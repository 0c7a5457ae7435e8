"""The interface of all backends: score a generation, rebuild a few of its genomes.

The genomes of a generation are never all in memory. A `Brood` describes them: the survivors of the previous generation,
two parents for each child, and the seed. From that alone any genome can be built, scored, discarded and built again,
bit for bit, on any thread or backend:

    genome = parents[0]'s genes, each gene group replaced by parents[1]'s where its crossover bit is 1
    genome = genome + mask * scale * z        (streams.py; the first `elites` genomes are left as they are)

In a brood without survivors (generation 0) every gene is drawn uniformly: weights from +-weight_range, all others from
+-bias_range around their initial values.

Large arrays stay on the backend's device: `rebuild` and `mutate` return survivors there, `to_device` moves features
there, and both are passed back to the backend as they are. For a CPU, the device is ordinary memory.

Node perturbation has one genome and, for each image, mirrored pairs of mutants of its units (`Perturbation`).
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.genes import crossover_runs
from genreg_np.backends.gradients import GradientBackend
from genreg_np.backends.images import ImageBackend
from genreg_np.backends.memory import Plan, physical
from genreg_np.errors import UsageError
from genreg_np.fitness import ImageFitness, Score
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.groups import Gene as Gene
from genreg_np.model import Float32, Network
from genreg_np.streams import Purpose

Told = Callable[[int, int, float], None]  # kernels compiled, kernels in total, seconds left: Backend.warm_up

PIECE_BYTES = 64 << 20  # memory limit of a piece of images on its way through layers that are not all dense
IMAGE_TILE = 512  # images in one BLAS call when many are scored: a fixed shape, so bytes never depend on threads


ACTIVATION_CODES = {name: code for code, name in enumerate(ACTIVATIONS)}  # their numbers in kernels


@dataclass(frozen=True, kw_only=True)
class Brood:
    """All genomes of one generation, as data."""

    network: Network
    seed: int
    generation: int
    survivors: Float32  # (S, D), NumPy's or the backend's own; S = 0 for generation 0
    parents: NDArray[np.int32]  # (P, 2) rows of survivors
    gene: Gene = Gene.NONE
    mutation_rate: float = 0.0  # probability per gene
    mutation_scale: float = 0.0  # standard deviation of the added noise
    elites: int = 0  # this many genomes, the first ones, are unmutated copies of their first parent
    weight_range: float = 0.0  # generation 0 draws weights from U(-weight_range, weight_range)
    bias_range: float = 0.0  # and all other genes from U(-bias_range, bias_range) around their initial values

    def __post_init__(self) -> None:
        rows = len(self.survivors)
        if rows and self.size and not 0 <= self.parents.min() <= self.parents.max() < rows:  # kernels do not check
            raise ValueError(f"parents {self.parents.min()} .. {self.parents.max()} of {rows} survivors")

    @classmethod
    def unchanged(cls, network: Network, genomes: Float32, seed: int = 0, generation: int = 1) -> Brood:
        """Return a brood of the genomes (P, D) as they are: each its own parent, none mutated."""
        parents = np.repeat(np.arange(len(genomes), dtype=np.int32)[:, None], 2, axis=1)
        return cls(
            network=network,
            seed=seed,
            generation=generation,
            survivors=genomes,
            parents=parents,
            elites=len(genomes),
        )

    @property
    def size(self) -> int:
        """P, the number of genomes."""
        return len(self.parents)

    @functools.cached_property
    def runs(self) -> NDArray[np.int64]:
        """Runs of genes that share a crossover bit, (R, 2): the start of each, and its bit."""
        return crossover_runs(self.network, self.gene)


@dataclass(frozen=True)
class Batch:
    """The images on which all genomes of a generation are scored, and how."""

    features: Float32 = field(repr=False)  # (N, I) C-contiguous, or (M, I) from which `rows` picks
    labels: NDArray[Any]  # (N,) int64 classes, or (N, K) float32 target numbers
    weights: NDArray[np.float64]  # (N,) weight of each image's score
    score: Score
    reward: float = 0.0
    penalty: float = 0.0
    rows: NDArray[np.int64] | None = field(default=None, repr=False)  # (N,) rows of `features`; None: all, in order
    function: ImageFitness | None = None  # called by Score.CUSTOM
    shifts: NDArray[np.int64] | None = None  # (N,) places by which to roll each input's features, 0 .. I-1
    importance: NDArray[np.float64] | None = field(default=None, repr=False)  # (M,) of all rows, besides `weights`

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def of_numbers(self) -> bool:
        """Whether labels are numbers, not classes."""
        return self.labels.ndim == 2

    @property
    def inputs(self) -> Float32:
        """The batch's own features, (N, I)."""
        features = self.features if self.rows is None else self.features[self.rows]
        if self.shifts is None:
            return features
        places = (np.arange(features.shape[1]) - self.shifts[:, None]) % features.shape[1]
        return np.take_along_axis(features, places, axis=1)


@dataclass(frozen=True)
class Judgement:
    """The result of `Backend.score`."""

    fitness: NDArray[np.float64]  # (P,) weighted sum of the image scores
    accuracy: NDArray[np.float64]  # (P,) fraction of images predicted right; for numbers, see fitness.explained

    def of(self, chosen: NDArray[np.integer] | None) -> Judgement:
        """Return the scores of the chosen genomes (C,), or of all."""
        if chosen is None:
            return self
        numbers = numbers_of(len(self.fitness), chosen)
        return Judgement(self.fitness[numbers], self.accuracy[numbers])


@dataclass(frozen=True)
class Perturbation:
    """Mirrored pairs of mutants for every image, as data.

    Pair k = 0 .. K-1 of layer l's mutants adds +sigma e_k and -sigma e_k to the layer's pre-activations (O,), with

        e_k[u] = H[k, u mod M] * r[u]

    where M is K rounded up to a power of two, H (M, M) is Sylvester's Hadamard matrix, H[k, j] = (-1)**popcount(k & j),
    and r[u] = +-1 is a bit of the image's own random words: bit 0 is +1. The pairs of an image are orthogonal if M
    divides O. Units are numbered through all layers; bit b of genome i's words under Purpose.SIGNS belongs to unit b
    of the batch's image i.
    """

    pairs: int  # K
    sigma: float  # in units of the pre-activation
    seed: int
    generation: int
    relative: bool = False  # divide an image's advantages by their root mean square, so all images count alike

    @property
    def order(self) -> int:
        """M, the size of the Hadamard matrix."""
        return 1 << (self.pairs - 1).bit_length()


@dataclass(frozen=True)
class Estimate:
    """The result of `Backend.perturb`."""

    change: Float32  # (D,) the direction in which fitness increases, per gene
    fitness: float  # mean weighted score of the unmutated network
    accuracy: float  # fraction of images whose most probable class is right


class Work(IntEnum):
    """The kinds of work a strategy needs from a backend: only these are compiled."""

    BROODS = 0  # score, rebuild, mutate; logits are part of every work
    PAIRS = 1  # perturb
    IMAGES = 2  # levels, standardise
    GRADIENTS = 3  # descend
    SCORED_PAIRS = 4  # perturb, for a fitness other than log-probability or more than one hidden layer
    LOGITS = 5  # nothing else: a learner's gradients are the layers' own arithmetic
    MAPS = 6  # layers of maps, forward and backward
    TAILS = 7  # the same for layers other than convolution, batch norm, relu and max pooling
    MOVING = 8  # moved: rotated images and the like
    FOLLOWING = 9  # follow: a gradient step of a single network
    ERRORS = 10  # score by errors of numbers
    ERROR_PAIRS = 11  # perturb by errors of numbers


class Backend(ImageBackend, GradientBackend, ABC):
    """Arithmetic over a population; every backend passes the same tests against `numpy_`, the specification."""

    name: str
    shares_out: bool = False  # whether it has its genomes scored elsewhere

    @classmethod
    def create(cls, threads: int | None, device: int, host: Callable[[], Backend]) -> Backend:
        """Return a backend for this machine.

        Parameters
        ----------
        threads : int or None
            Number of threads; as many as it can use by default.
        device : int
            Number of the GPU, for a backend that runs on one.
        host : callable
            Returns the fastest CPU backend, for a backend that leaves some work to it.

        Raises
        ------
        UsageError
            For a number of threads that it cannot use.
        BackendError
            If it cannot run here.
        """
        if threads not in (None, 1):
            raise UsageError(
                f"threads {threads}: the {cls.name} backend runs in one thread; leave it out, or use numba"
            )
        return cls()

    @classmethod
    def must_compile(cls, works: Sequence[Work]) -> bool:
        """Whether these works first have to compile kernels (slow, but later processes find them compiled)."""
        return False

    def warm_up(self, works: Sequence[Work] = tuple(Work), told: Told | None = None) -> float:
        """Compile what these works need, once per process; return the seconds it took.

        Parameters
        ----------
        works : sequence of Work
        told : callable, optional
            told(kernels compiled, kernels in total, estimated seconds left), called only if kernels are compiled that
            are in no cache: at the beginning, every half second from another thread, and at the end with all of them
            and 0. It is not called again once it has raised; an exception in that thread is raised here when all
            kernels are compiled.
        """
        return 0.0

    def describe(self) -> str:
        """Describe in a few words what it runs on."""
        return "1 thread"

    @abstractmethod
    def plan(self, brood: Brood, images: int) -> Plan:
        """Return how a generation like this one is scored on N images, with the formula of the memory it takes."""

    def memory(self) -> int:
        """Return how many bytes a run may take here."""
        return physical()

    def to_device(self, features: Float32) -> Float32:
        """Return features (M, I) on the backend's device, once for many calls."""
        return features

    def to_host(self, value: Any) -> Any:
        """Return an array of the backend as a NumPy array, and anything else as it is."""
        return value

    @abstractmethod
    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Score genomes of the brood on the batch.

        Parameters
        ----------
        chosen : (C,) int, optional
            Numbers of the genomes; all by default. A genome's score is the same to the bit whichever others are
            chosen, so a brood can be split among processes or machines.
        """

    @abstractmethod
    def outputs(self, brood: Brood, features: Float32, chosen: NDArray[np.integer] | None = None) -> Float32:
        """Return the outputs of genomes of the brood, a NumPy array (C, N, K) float32, for any objective.

        Parameters
        ----------
        features : (N, I) float32
            On the backend's device.
        chosen : (C,) int, optional
            As in `score`, which scores these same outputs.
        """

    @abstractmethod
    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes on the device, (C, D) float32, the same bits in every backend."""

    @abstractmethod
    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; row g draws as genome g, rows before `first` are unchanged."""

    @abstractmethod
    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome (D,) for features (N, I), the same bytes for any number of threads.

        Genes and logits are NumPy arrays; features are a NumPy array or on the backend's device.
        """

    @abstractmethod
    def perturb(self, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
        """Estimate how the genes (D,) of one network should change, from mirrored pairs of mutants per image.

        For each image i, layer l and pair k, with F the batch's score of the mutated network's output,

            d = (F(+sigma e) - F(-sigma e)) / (2 sigma),      c = weight of i * mean over k of d e        (O,)
            change of W = mean over i of c x^T,               change of b = mean over i of c

        where x is the layer's input in the unmutated network. Relative advantages are d / sqrt(mean of d^2 over all
        pairs of all layers), or 0 where all d are 0. The pairs of layer l mutate only its own units, and a unit whose
        two mutants have the same value, a(z + sigma) = a(z - sigma), contributes nothing: its c is 0.
        With Score.REWARD_SAMPLED word i of genome 0 (Purpose.PREDICTION) plus floor(k 2**32 / K) draws image i's class.
        """


def numbers_of(size: int, chosen: NDArray[np.integer] | None) -> NDArray[np.int64]:
    """Return the numbers of the chosen genomes out of `size`, (C,); all by default.

    Raises
    ------
    ValueError
        If they are not a 1-D array of whole numbers, or one of them is out of range.
    """
    if chosen is None:
        return np.arange(size)
    numbers = np.asarray(chosen)
    if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and len(numbers)):
        raise ValueError(f"chosen must be numbers of genomes, (C,) int, not {numbers.shape} {numbers.dtype}")
    numbers = numbers.astype(np.int64)
    if len(numbers) and not 0 <= numbers.min() <= numbers.max() < size:
        raise ValueError(f"genomes {numbers.min()} .. {numbers.max()} of {size}")
    return numbers


def tiles_of(size: int, tile: int, chosen: NDArray[np.integer] | None) -> NDArray[np.int64]:
    """Return the numbers of the tiles that hold chosen genomes, (n,), in order; raises as numbers_of does.

    A tile is always computed in full: its shape, and so its last bits, never depend on which genomes are chosen.
    """
    if chosen is None:
        return np.arange(-(-size // tile))
    return np.unique(numbers_of(size, chosen) // tile)


def brood_plan(what: str, survivors: tuple[int, ...], count: int, kind: str, each: int) -> Plan:
    """Return the plan of a generation that holds two sets of survivors (S, D) and `count` items of `each` bytes."""
    size, genes = survivors
    formula = f"2 x {size:,} survivors x {genes:,} genes x 4 bytes + {count:,} {kind} x {each:,} bytes"
    return Plan(what, formula, 8 * size * genes + count * each)


def genome_bytes(network: Network, images: int, most: int = IMAGE_TILE) -> int:
    """Return the bytes of a genome that is built in full and scored on N images: its genes, its values layer by layer.

    Layers that are not all dense process at most `most` images at a time, and keep their inputs too.
    """
    if network.is_dense:
        return 4 * (network.gene_count + images * sum(layer.outputs for layer in network.dense))
    piece = min(images, piece_of(network, most))
    return 4 * (network.gene_count + images * network.outputs) + piece * image_bytes(network)


def image_bytes(network: Network) -> int:
    """Return the bytes of an image on its way through all layers, each with its inputs and what it keeps."""
    return 8 * sum(math.prod(shape) for shape in network.shapes)


def piece_of(network: Network, most: int = IMAGE_TILE) -> int:
    """Return how many images a network that is not all dense processes at once: fewer if its maps are large."""
    return max(1, min(most, PIECE_BYTES // image_bytes(network)))


def first_draws(network: Network, weight_range: float, bias_range: float) -> tuple[Float32, Float32]:
    """Return width and first value of each parameter's draw in generation 0, (Q,) each: (u - 1/2) width + first."""
    parameters = [parameter for parameter, _ in network.parameter_slices]
    widths = [2 * (weight_range if parameter.role == "weight" else bias_range) for parameter in parameters]
    firsts = [0.0 if parameter.role == "weight" else parameter.first for parameter in parameters]
    return np.array(widths, np.float32), np.array(firsts, np.float32)
