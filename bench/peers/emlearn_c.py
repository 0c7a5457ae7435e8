"""emlearn: a network of dense layers as C, with the names used by `genreg-np export --to c`.

    python emlearn_c.py MODEL.npz FOLDER      writes model.h, model.c and digits.h; prints emlearn's include folder

`save` of emlearn 0.23.2 writes the network for its loop over layers, in float32: with inference=["inline"] it raises a
ValueError, `dtype` is ignored for networks, and the fixed-point layer (eml_net_fixedpoint.h) has no code yet.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import emlearn
import numpy as np
from sklearn.neural_network import MLPClassifier

HEADER = """#include <stdint.h>
#define MODEL_INPUTS 784
int model_predict(const uint8_t *image);
"""
SOURCE = """#include "model.h"
#include <digits.h>
int model_predict(const uint8_t *image)
{
    float x[MODEL_INPUTS];
    for (int i = 0; i < MODEL_INPUTS; i++)
        x[i] = (float)image[i] / 255;
    return digits_predict(x, MODEL_INPUTS);
}
"""


def main() -> None:
    """Convert a network, and write it."""
    arrays, place = np.load(sys.argv[1]), Path(sys.argv[2]).resolve()
    weights = [(arrays[f"layers.{k}.weight"], arrays[f"layers.{k}.bias"]) for k in range(2)]
    network = MLPClassifier((64,))
    network.partial_fit(np.zeros((10, 784), np.float32), np.arange(10), classes=np.arange(10))
    network.coefs_ = [weight.T.astype(np.float64) for weight, _ in weights]
    network.intercepts_ = [bias.astype(np.float64) for _, bias in weights]
    os.chdir(place)  # emlearn builds a program of its own in a subfolder "tmp"
    emlearn.convert(network, method="inline").save(file="digits.h", name="digits")
    Path("model.h").write_text(HEADER)
    Path("model.c").write_text(SOURCE)
    print(emlearn.includedir)


if __name__ == "__main__":
    main()
