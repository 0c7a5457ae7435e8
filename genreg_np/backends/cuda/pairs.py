"""Node perturbation on a GPU, as in numpy_.estimate, with the mutants of many pairs as columns of one product.

Shapes: O units of a layer, N images, K pairs, C of them at a time, L layers.
"""

from __future__ import annotations

import numpy as np

from genreg_np.backends.base import ACTIVATION_CODES, Batch, Estimate, Perturbation
from genreg_np.backends.cuda.launcher import Array, Launcher, classes_of
from genreg_np.fitness import Score, check_image_scores, explained
from genreg_np.model import Float32, Network


def estimate(
    launcher: Launcher, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation, tile_bytes: int
) -> Estimate:
    """Compute `Backend.perturb`, with about `tile_bytes` of device memory for mutants."""
    cupy, run = launcher.cupy, launcher.launch
    images, pairs, depth = len(batch), perturbation.pairs, len(network.dense)
    generation, seed = perturbation.generation, perturbation.seed
    layers = network.unpack(cupy.asarray(genes))
    weights = launcher.constant(batch.weights)
    rows = np.arange(images) if batch.rows is None else batch.rows
    shifts = np.zeros(images, np.int32) if batch.shifts is None else batch.shifts
    labels, rows_there, shifts_there = launcher.send(classes_of(batch), rows, shifts)
    labels = launcher.targets(batch) if batch.of_numbers else labels

    inputs = [launcher.gather(batch, rows_there, shifts_there).T]  # (I, N) of each layer
    sums = []  # (O, N) pre-activations of each layer
    for layer, (matrix, biases) in zip(network.dense, layers, strict=True):
        sums.append(cupy.matmul(matrix, inputs[-1]))
        launcher.activate(sums[-1], biases, "linear")
        inputs.append(cupy.empty((layer.outputs, images), np.float32))
        unbiased = launcher.constant(np.zeros(layer.outputs, np.float32))
        launcher.activate(sums[-1], unbiased, layer.activation, values=inputs[-1])
    units = sum(layer.outputs for layer in network.dense)
    signs = cupy.empty((units, images), np.float32)
    run("draw_signs", (units * images, 1), signs, units, images, generation, seed)

    widest = max(layer.outputs for layer in network.dense)
    most = max(1, min(pairs, tile_bytes // (16 * widest * images)))  # two mutants each, values of two layers
    advantages = cupy.empty((depth * pairs, images), np.float32)
    own_signs = []
    for index, layer in enumerate(network.dense):
        start = sum(before.outputs for before in network.dense[:index])
        own_signs.append(signs[start : start + layer.outputs])
        for first in range(0, pairs, most):
            count = min(most, pairs - first)
            columns = 2 * count * images
            values = cupy.empty((layer.outputs, columns), np.float32)
            run(
                "mutate_units", (layer.outputs * columns, 1), values, sums[index], own_signs[index], layer.outputs,
                images, first, count, perturbation.order, perturbation.sigma, ACTIVATION_CODES[layer.activation],
            )  # fmt: skip
            for later, (matrix, biases) in zip(network.dense[index + 1 :], layers[index + 1 :], strict=True):
                values = cupy.matmul(matrix, values)
                launcher.activate(values, biases, later.activation)
            if batch.score is Score.CUSTOM:
                scores = _custom_scores(launcher, batch, values)
            elif batch.of_numbers:
                scores = cupy.empty(columns, np.float32)
                how = network.outputs, images, count, batch.score
                run("judge_error_pairs", (columns, 1), scores, values, labels, *how)
            else:
                scores = cupy.empty(columns, np.float32)
                run(
                    "judge_pairs", (columns, 1), scores, values, labels, network.outputs, images, first, count, pairs,
                    batch.score, batch.reward, batch.penalty, generation, seed,
                )  # fmt: skip
            row = index * pairs + first
            run("compare_pairs", (count * images, 1), advantages, scores, row, count, images, perturbation.sigma)
    run("weigh", (images, 1), advantages, weights, depth * pairs, images, perturbation.relative)

    change = cupy.empty(network.gene_count, np.float32)
    ones = launcher.constant(np.ones((images, 1), np.float32))
    slices = network.weight_slices
    for index, (layer, (weight_slice, bias_slice)) in enumerate(zip(network.dense, slices, strict=True)):
        credit = cupy.empty((layer.outputs, images), np.float32)
        run(
            "credit_units", (layer.outputs * images, 1), credit, advantages[index * pairs : (index + 1) * pairs],
            sums[index], own_signs[index], layer.outputs, images, pairs, perturbation.order, perturbation.sigma,
            ACTIVATION_CODES[layer.activation],
        )  # fmt: skip
        change[weight_slice] = cupy.matmul(credit, inputs[index].T).reshape(-1)
        change[bias_slice] = cupy.matmul(credit, ones).reshape(-1)
    fitness, accuracy = _own_score(launcher, batch, inputs[-1], labels, perturbation)
    return Estimate(cupy.asnumpy(change), fitness, accuracy)


def _custom_scores(launcher: Launcher, batch: Batch, logits: Array) -> Array:
    """Return the user's scores of logits (classes, columns), whose columns repeat the batch's images."""
    labels = np.concatenate([batch.labels] * (logits.shape[1] // len(batch)))
    answers = np.ascontiguousarray(launcher.cupy.asnumpy(logits).T)
    return launcher.cupy.asarray(check_image_scores(batch.function, answers, labels))


def _right(answers: Float32, batch: Batch) -> float:
    """Return the fraction of outputs (N, K) that are right, or for numbers the fraction of variance explained."""
    if batch.of_numbers:
        return float(explained(np.square(answers - batch.labels).mean(dtype=np.float64)))
    return float((answers.argmax(axis=1) == batch.labels).mean())


def _own_score(
    launcher: Launcher, batch: Batch, logits: Array, labels: Array, perturbation: Perturbation
) -> tuple[float, float]:
    """Return the unmutated network's mean weighted score, and the fraction whose most probable class is right."""
    cupy, images, classes = launcher.cupy, len(batch), logits.shape[0]
    if batch.score is Score.CUSTOM:
        answers = np.ascontiguousarray(cupy.asnumpy(logits).T)
        own = check_image_scores(batch.function, answers, batch.labels)
        return float((own * batch.weights).mean()), _right(answers, batch)
    if batch.of_numbers:
        found = cupy.asnumpy(launcher.judge_errors(logits[None], batch, labels))
        return float(found[0, 0]) / images, float(explained(found[1, 0]))
    number, weights = launcher.constant(np.zeros(1, np.int32)), launcher.constant(batch.weights)
    scores, right = cupy.empty((1, images), np.float64), cupy.empty((1, images), np.uint8)
    results = cupy.empty((2, 2, 1), np.float64)
    for result, score in zip(results, (Score.REWARD_ARGMAX, batch.score), strict=True):  # the first keeps logits
        launcher.launch(
            "judge", (images, 1), scores, right, logits, number, labels, weights, classes, images, score,
            batch.reward, batch.penalty, perturbation.generation, perturbation.seed,
        )  # fmt: skip
        launcher.launch("total", (1, 1), result, 1, 0, scores, right, 1, images)
    found = cupy.asnumpy(results)
    return float(found[1, 0, 0]) / images, float(found[0, 1, 0])
