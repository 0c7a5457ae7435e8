"""The contract of all backends: score a generation, rebuild a few of its genomes.

A generation's genomes are never all in memory. They are described by a `Brood`: the survivors of the generation before,
two parents for each child, and the seed. Any genome can be built from that alone, scored, thrown away and built again,
bit for bit, on any thread or backend:

    genome = parents[0]'s genes, each gene group replaced by parents[1]'s where its crossover bit is 1
    genome = genome + mask * scale * z        (streams.py; the first `elites` genomes are left as they are)

In a brood without survivors (generation 0) every gene is drawn uniformly from +-weight_range or +-bias_range.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.layers import Deskew, FixedLayer, Levels, Standardise, UInt8
from genreg_np.model import PIECE, Float32, Network, mapped
from genreg_np.streams import Purpose

Warps = NDArray[np.float64]

IMAGE_TILE = 512  # images in one BLAS call when many are judged: a fixed shape, so that bytes never depend on threads


class Gene(IntEnum):
    """What crossover exchanges as a whole."""

    NONE = 0  # a child is a copy of its first parent
    WEIGHT = 1  # every weight and bias on its own
    UNIT = 2  # a unit's incoming weights and its bias
    LAYER = 3  # a layer's weights and biases


class Score(IntEnum):
    """What one genome earns for one image; arguments in `Batch.reward`, `Batch.penalty`."""

    REWARD_SAMPLED = 0  # reward if the class sampled from softmax is right, else penalty
    REWARD_ARGMAX = 1  # reward if the most probable class is right, else penalty
    LOG_PROBABILITY = 2  # log of the right class's probability


@dataclass(frozen=True)
class Brood:
    """All genomes of one generation, as data."""

    network: Network
    seed: int
    generation: int
    survivors: Float32  # (S, D); S = 0 for generation 0
    parents: NDArray[np.int32]  # (P, 2) rows of survivors
    gene: Gene
    mutation_rate: float  # probability per gene
    mutation_scale: float  # standard deviation of the added noise
    elites: int  # the first so many genomes are copies of their first parent, not mutated
    weight_range: float  # generation 0 draws weights from U(-weight_range, weight_range)
    bias_range: float  # and biases from U(-bias_range, bias_range)

    @property
    def size(self) -> int:
        """P, the number of genomes."""
        return len(self.parents)


@dataclass(frozen=True)
class Batch:
    """The images all genomes of a generation are judged on, and how."""

    features: Float32 = field(repr=False)  # (N, I) C-contiguous
    labels: NDArray[np.int64]  # (N,)
    weights: NDArray[np.float64]  # (N,) how much each image's score counts
    score: Score
    reward: float = 0.0
    penalty: float = 0.0

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Judgement:
    """What `Backend.score` returns."""

    fitness: NDArray[np.float64]  # (P,) weighted sum of the image scores
    accuracy: NDArray[np.float64]  # (P,) fraction of images predicted right


class Backend(ABC):
    """Arithmetic over a population. Every backend passes the same tests against `numpy_`, the specification."""

    name: str

    def warm_up(self) -> float:
        """Do what has to be done once per process (compiling); return the seconds it took."""
        return 0.0

    @abstractmethod
    def score(self, brood: Brood, batch: Batch) -> Judgement:
        """Judge every genome of the brood on the batch."""

    @abstractmethod
    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes, (C, D) float32, the same bits in every backend."""

    @abstractmethod
    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; row g draws as genome g, rows before `first` stay unchanged."""

    @abstractmethod
    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome (D,) for features (N, I), the same bytes for any number of threads."""

    def levels(self, layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None = None) -> UInt8:
        """Apply layers of levels to levels (N, I) uint8: (N, O) uint8, the same bits in every backend.

        Parameters
        ----------
        warps : (N, 6) float64, optional
            How each image is moved when it is deskewed (infer.deskew).
        """
        pieces = []
        for start in range(0, len(levels), PIECE):
            values = levels[start : start + PIECE].astype(np.float32)
            for layer in layers:
                if isinstance(layer, Deskew) and warps is not None:
                    values = infer.deskew(values, *layer.shape, warps[start : start + PIECE])
                else:
                    values = layer.apply(values)
            pieces.append(values.astype(np.uint8))
        return np.concatenate(pieces)

    def standardise(self, layer: Standardise, levels: UInt8) -> Float32:
        """Apply a layer to levels (N, I) uint8: (N, I) float32, the same bits in every backend."""
        return layer.apply(levels.astype(np.float32))

    def features(
        self, network: Network, inputs: NDArray[np.generic], input_range: tuple[float, float] | None
    ) -> Float32:
        """Return what the first dense layer sees, (N, I) float32, bit for bit what infer.py computes."""
        layers = network.fixed
        if not (layers and isinstance(layers[0], Levels)):
            return network.features(inputs, input_range)
        whole = next((index for index, layer in enumerate(layers) if not layer.whole), len(layers))
        levels = self.levels(layers[1:whole], to_levels(inputs, input_range))
        if whole < len(layers) and isinstance(layer := layers[whole], Standardise):
            features, whole = self.standardise(layer, levels), whole + 1
        else:
            features = levels.astype(np.float32)
        for layer in layers[whole:]:
            features = layer.apply(features)
        return features


def to_levels(inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> UInt8:
    """Return inputs (N, ...) as levels (N, I) uint8, as the layer Levels makes them."""
    level = Levels(1)
    if inputs.dtype != np.uint8 or input_range is None:
        return level.apply(mapped(inputs, input_range)).astype(np.uint8)
    table = level.apply(mapped(np.arange(256, dtype=np.uint8), input_range)).astype(np.uint8)[:, 0]
    flat = inputs.reshape(len(inputs), -1).astype(np.uint8, copy=False)
    return flat if (table == np.arange(256)).all() else table[flat]


def crossover_runs(network: Network, gene: Gene) -> NDArray[np.int64]:
    """Return where each run of genes that share a crossover bit begins, and the bit: (R, 2) int64.

    Weights and biases of a unit lie apart, so a unit appears in two runs with the same bit.
    """
    runs: list[tuple[int, int]] = []
    unit = 0
    for index, (layer, (weights, biases)) in enumerate(zip(network.dense, network.weight_slices, strict=True)):
        if gene is Gene.UNIT:
            runs += [(weights.start + row * layer.inputs, unit + row) for row in range(layer.outputs)]
            runs += [(biases.start + row, unit + row) for row in range(layer.outputs)]
            unit += layer.outputs
        elif gene is Gene.LAYER:
            runs.append((weights.start, index))
    return np.array(runs, np.int64).reshape(-1, 2)
