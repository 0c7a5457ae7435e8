"""Turns an estimate of how genes should change into a step: Adam.

    m += (1 - b1) (g - m),   s += (1 - b2) (g^2 - s)
    genes += rate sqrt(1 - b2^t) / (1 - b1^t) m / (sqrt(s) + eps)

Source: Kingma & Ba 2015, section 2, with g an estimate to ascend, in generation t = 1, 2, ...
Shapes: D genes.
"""

from __future__ import annotations

import numpy as np

from genreg_np.model import Float32, Network

MEMORY, SQUARE_MEMORY, EPSILON = 0.9, 0.999, np.float32(1e-8)  # b1, b2, eps


def ascend(
    genes: Float32, mean: Float32, square: Float32, change: Float32, generation: int, rate: float
) -> tuple[Float32, Float32, Float32]:
    """Return genes, mean and square after one step.

    Parameters
    ----------
    genes, mean, square, change : (D,) float32
        Genes, m, s and g.
    generation : int
        Number of previous steps, t - 1.
    rate : float
        Approximate change of a gene.
    """
    mean = mean + np.float32(1 - MEMORY) * (change - mean)
    square = square + np.float32(1 - SQUARE_MEMORY) * (change * change - square)
    # Both running means start at 0: the rate corrects for that.
    rate *= (1 - SQUARE_MEMORY ** (generation + 1)) ** 0.5 / (1 - MEMORY ** (generation + 1))
    direction: Float32 = np.divide(mean, np.sqrt(square) + EPSILON)
    return genes + np.float32(rate) * direction, mean, square


def annealed_rate(rate: float, annealing: str, generation: int, generations: int) -> float:
    """Return the rate of a generation: falling linearly to 0 over the run, or constant for annealing = none."""
    return rate * max(0.0, 1 - generation / max(1, generations)) if annealing == "linear" else rate


def weight_decay(network: Network, decay: float) -> Float32:
    """Return the weight decay of each gene (D,), 0 for biases."""
    decays = np.zeros(network.gene_count, np.float32)
    for weights in (place for parameter, place in network.parameter_slices if parameter.role == "weight"):
        decays[weights] = decay
    return decays


def running_average(
    average: Float32, averaged: int, genes: Float32, generation: int, generations: int, last: float
) -> tuple[Float32, int]:
    """Return the mean genes (D,) over the last fraction of a run so far, and the number of generations in it.

    Parameters
    ----------
    average : (D,) float32
        The previous mean, over `averaged` generations.
    genes : (D,) float32
        The genes of generation `generation`, counted from 0.
    last : float
        The fraction of the run to average over, 0 .. 1.
    """
    averaged = averaged + 1 if generation >= (1 - last) * generations else 0
    if averaged:
        average = average + np.float32(1 / averaged) * (genes - average)
    return average, averaged
