"""
What filters evolve
===================

A convolutional network trained on the 8x8 digits three times: evolved by selection alone, by GENREG's trust, and by
backpropagation for comparison. The first layer's filters show what each looks for. Evolved filters keep much of the
noise that they began with, since selection only removes what does harm; see :doc:`/accuracy`.
"""

import matplotlib.pyplot as plt
import numpy as np

from genreg_np import TrainConfig, load_dataset, train

WORDS = "conv 8 3 / relu / max 2 / dense 10"
digits = load_dataset("digits")
models = {}
for name, preset, generations in (
    ("selection", "small", 300),
    ("GENREG", "seed-mnist-64", 300),
    ("backpropagation", "gradient-small", 400),
):
    result = train(TrainConfig.from_preset(preset, network=WORDS, generations=generations), digits)
    models[name] = result.model
    print(f"{name:16}{generations} generations, test accuracy {result.test_accuracy:.1%}")

# %%
# Eight filters of 3 x 3 weights each; dark is negative, light positive.

figure, axes = plt.subplots(3, 8, figsize=(8, 3.6), layout="constrained")
for row, (name, model) in zip(axes, models.items(), strict=True):
    filters = model.network.parameters_of(model.genes)[0][:, 0]  # (8, 3, 3)
    most = np.abs(filters).max()
    for axis, weights in zip(row, filters, strict=True):
        axis.imshow(weights, cmap="gray", vmin=-most, vmax=most)
        axis.set(xticks=[], yticks=[])
    row[0].set_title(name, loc="left", fontsize=10)
plt.show()
