"""
What filters evolve
===================

A small convolutional network is trained on the 8x8 digits three times: by selection on the log-probability of the right
class, by GENREG's trust as published, and by backpropagation for comparison. :doc:`/accuracy` measures the benefit of
evolved filters on MNIST.
"""

import matplotlib.pyplot as plt
import numpy as np

from genreg_np import TrainConfig, load_dataset, train

WORDS = "conv 8 3 / relu / max 2 / dense 10"
digits = load_dataset("digits")
models = {}
for name, preset, generations in (
    ("selection", "small", 200),
    ("GENREG", "seed-mnist-64", 200),
    ("backpropagation", "gradient-small", 400),
):
    result = train(TrainConfig.from_preset(preset, network=WORDS, generations=generations), digits)
    models[name] = result.model
    print(f"{name:16}{generations} generations, test accuracy {result.test_accuracy:.1%}")

# %%
# Eight filters of 3 x 3 weights each, on a separate scale for each network: dark is negative, light is positive.

figure, axes = plt.subplots(3, 8, figsize=(8, 3.6), layout="constrained")
for row, (name, model) in zip(axes, models.items(), strict=True):
    filters = model.network.parameters_of(model.genes)[0][:, 0]  # (8, 3, 3)
    most = np.abs(filters).max()
    for axis, weights in zip(row, filters, strict=True):
        axis.imshow(weights, cmap="gray", vmin=-most, vmax=most)
        axis.set(xticks=[], yticks=[])
    row[0].set_title(name, loc="left", fontsize=10)
plt.show()
