"""
Training on macro-F1, with the option to reject
===============================================

A digit the network is unsure of is rejected: it counts as a miss, but never as a false alarm. This score consists of
counts, a threshold and a maximum, so it has no gradient. A network evolved on it learns when to answer.
"""

import matplotlib.pyplot as plt
import numpy as np

from genreg_np import Evolution, TrainConfig, load_dataset

SURE = 0.6  # minimum probability for an answer
digits = load_dataset("digits")


def score(model, split="train"):
    """Return macro-F1 with rejection on a split's first 600 digits; 1 is perfect."""
    inputs, labels = digits.split(split).inputs[:600], digits.split(split).labels[:600]
    probabilities = model.predict_proba(inputs)
    answers = np.where(probabilities.max(axis=1) >= SURE, probabilities.argmax(axis=1), -1)
    right = [np.sum((answers == digit) & (labels == digit)) for digit in range(10)]
    asked = [np.sum(answers == digit) + np.sum(labels == digit) for digit in range(10)]
    return float(np.mean(2 * np.array(right) / np.array(asked)))


records = []
config = TrainConfig.from_preset("small", population_size=100, weight_range=1.0, mutation_scale=0.2)
evolution = Evolution(config, digits)
evolution.run(150, fitness=score, on_record=records.append)
best = evolution.champion()
print(f"macro-F1 with rejection on test images: {score(best, 'test'):.3f}")

# %%
# Left: the score by generation. Right: the effect of other thresholds: the more digits are rejected, the larger the
# share of correct answers.

probabilities, labels = best.predict_proba(digits.test.inputs), digits.test.labels
right = probabilities.argmax(axis=1) == labels
thresholds = np.linspace(0, 0.99, 100)
answered = np.array([np.mean(probabilities.max(axis=1) >= least) for least in thresholds])
correct = np.array([right[probabilities.max(axis=1) >= least].mean() for least in thresholds])

figure, (left, axis) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
generations = [record["generation"] for record in records]
left.plot(generations, [record["fitness_maximum"] for record in records], label="best")
left.plot(generations, [record["fitness_mean"] for record in records], label="mean")
left.set(xlabel="generation", ylabel="macro-F1 with rejection")
left.legend(frameon=False)
axis.plot(100 * answered, 100 * correct)
axis.set(xlabel="test digits answered, %", ylabel="correct among these, %")
plt.show()
