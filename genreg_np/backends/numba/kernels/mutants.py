"""Scores of the mutants of one layer on a tile of images, from the next layer's pre-activations base +- spread.

Shapes: T images of a tile, one per column; N units of the next layer, or of the mutated one if it is the last; K
pairs, M the order of H, C classes, D genes.
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.bits import unit_float
from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.network import (
    LOG_PROBABILITY,
    MARGIN,
    REWARD_SAMPLED,
    activate,
    best_classes,
    exponential,
    logarithm,
)


@part()
def answer(base, spread, sign, genes, layers, layer):
    """Return the logits (C, T) of one mutant of `layer`, from the next pre-activations, base + sign * spread."""
    values = np.empty_like(base)
    for unit in range(len(base)):
        for t in range(base.shape[1]):
            values[unit, t] = base[unit, t] + sign * spread[unit, t]
    following = layer + 1
    if following < len(layers):
        activate(values, np.zeros(len(values), np.float32), layers[following, 3])
    for later in range(following + 1, len(layers)):
        inputs, outputs, start, code = layers[later]
        middle = start + inputs * outputs
        values = np.dot(genes[start:middle].reshape(outputs, inputs), values)
        activate(values, genes[middle : middle + outputs], code)
    return values


@part()
def log_scores(scores, logits, labels, top):
    """Fill scores (T,) with the labels' log-probabilities, from logits (C, T) and their maxima, top (T,)."""
    total = np.zeros(len(top), np.float32)
    for c in range(len(logits)):
        row = logits[c]
        for t in range(len(top)):
            total[t] += exponential(max(row[t] - top[t], np.float32(-87)))
    for t in range(len(top)):
        scores[t] = logits[labels[t], t] - top[t] - logarithm(total[t])


@part()
def score_images(scores, best, logits, labels, kind, reward, penalty, draws, shift):
    """Fill scores (T,) of logits (C, T), and best (T,) with the most probable class (numpy_.image_scores).

    The class is drawn by `draws` (T,) + shift, modulo 2**32.
    """
    classes, images = logits.shape
    top = np.empty(images, np.float32)
    best_classes(logits, best, top)
    if kind == LOG_PROBABILITY:
        log_scores(scores, logits, labels, top)
    elif kind == MARGIN:
        for t in range(images):
            rival = np.float32(-np.inf)
            for c in range(classes):
                if c != labels[t]:
                    rival = max(rival, logits[c, t])
            scores[t] = min(logits[labels[t], t] - rival, np.float32(1))
    elif kind == REWARD_SAMPLED:
        cumulative = np.zeros((classes + 1, images), np.float32)
        for c in range(classes):
            for t in range(images):
                e = exponential(max(logits[c, t] - top[t], np.float32(-87)))
                cumulative[c + 1, t] = cumulative[c, t] + e
        for t in range(images):
            draw = unit_float(np.uint32(draws[t] + shift)) * cumulative[classes, t]
            drawn = 0
            for c in range(classes - 1):
                drawn += cumulative[c + 1, t] <= draw
            scores[t] = reward if drawn == labels[t] else penalty
    else:
        for t in range(images):
            scores[t] = reward if best[t] == labels[t] else penalty


@kernel()
def compare_by_log(advantages, base, spreads, labels, pairs):
    """Fill the first K advantages (M, T) with the pairs' differences of log-probability, from logits base +- spread.

    With p_c = exp(base_c) and q_c = exp(v_c), the pair's normalisers are sum p q and sum p / q: one exponential
    instead of two. The change of a logit is clipped to +-60.
    """
    classes, images = base.shape
    odds, top = np.empty((classes, images), np.float32), np.empty(images, np.float32)
    for t in range(images):
        top[t] = base[0, t]
    for c in range(1, classes):
        row = base[c]
        for t in range(images):
            top[t] = row[t] if row[t] > top[t] else top[t]
    for c in range(classes):
        row, own = base[c], odds[c]
        for t in range(images):
            own[t] = exponential(max(row[t] - top[t], np.float32(-87)))
    upper, lower = np.empty(images, np.float32), np.empty(images, np.float32)
    for pair in range(pairs):
        spread, target = spreads[pair], advantages[pair]
        for t in range(images):
            upper[t], lower[t] = np.float32(0), np.float32(0)
        for c in range(classes):
            own, change = odds[c], spread[c]
            for t in range(images):
                q = exponential(min(max(change[t], np.float32(-60)), np.float32(60)))
                upper[t] += own[t] * q
                lower[t] += own[t] / q
        for t in range(images):
            target[t] = np.float32(2) * spread[labels[t], t] - logarithm(upper[t] / lower[t])


@kernel()
def compare_by_score(advantages, base, spreads, labels, draws, task, net, layer, pairs):
    """Fill the first K advantages (M, T) with the score differences of the layer's pairs, for any fitness.

    task = kind, reward, penalty; `draws` (T,) choose the classes (score_images); net = genes (D,), layers.
    """
    kind, reward, penalty = task
    genes, layers = net
    count = len(labels)
    scores, best = np.empty((2, count), np.float32), np.empty(count, np.int32)
    for pair in range(pairs):
        shift, target = np.uint32((pair << 32) // pairs), advantages[pair]
        for twin in range(2):
            values = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
            score_images(scores[twin], best, values, labels, kind, reward, penalty, draws, shift)
        for t in range(count):
            target[t] = scores[0, t] - scores[1, t]


@kernel()
def answer_pairs(answers, start, base, spreads, net, layer):
    """Fill the logits (K, 2, N, C) of a layer's mutants, from image `start` on, for a user's fitness function."""
    genes, layers = net
    for pair in range(len(answers)):
        for twin in range(2):
            found = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
            target = answers[pair, twin]
            for t in range(base.shape[1]):
                for c in range(len(found)):
                    target[start + t, c] = found[c, t]


@part()
def add_scores(total, scores, best, labels, weights):
    """Add up weighted scores (T,) and right predictions."""
    for t in range(len(labels)):
        total[0] += scores[t] * weights[t]
        total[1] += best[t] == labels[t]


@kernel()
def total_by_log(total, logits, labels, weights):
    """Add up the weighted log-probabilities of a tile's labels and its right predictions, from logits (C, T)."""
    count = len(labels)
    scores, best, top = np.empty(count, np.float32), np.empty(count, np.int32), np.empty(count, np.float32)
    best_classes(logits, best, top)
    log_scores(scores, logits, labels, top)
    add_scores(total, scores, best, labels, weights)


@kernel()
def total_by_score(total, logits, labels, weights, draws, task):
    """Add up a tile's weighted scores, for any fitness, and its right predictions, from logits (C, T)."""
    kind, reward, penalty = task
    count = len(labels)
    scores, best = np.empty(count, np.float32), np.empty(count, np.int32)
    score_images(scores, best, logits, labels, kind, reward, penalty, draws, np.uint32(0))
    add_scores(total, scores, best, labels, weights)
