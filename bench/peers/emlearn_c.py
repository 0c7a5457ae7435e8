"""emlearn: the same network as C. Prints the median nanoseconds of an image: python emlearn_c.py FOLDER C_PREDICT.c."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import emlearn
import numpy as np
from sklearn.neural_network import MLPClassifier

SHIM = """#include <stdint.h>
#include <digits.h>
#define MODEL_INPUTS 784
static int model_predict(const uint8_t *image)
{
    float x[MODEL_INPUTS];
    for (int i = 0; i < MODEL_INPUTS; i++)
        x[i] = (float)image[i] / 255;
    return digits_predict(x, MODEL_INPUTS);
}
"""
PASSES = "20"


def main() -> None:
    """Convert, compile as ours is compiled, run."""
    folder, harness = Path(sys.argv[1]).resolve(), str(Path(sys.argv[2]).resolve())
    arrays = np.load(folder / "float" / "python" / "model.npz")
    weights = [(arrays[f"layers.{k}.weight"], arrays[f"layers.{k}.bias"]) for k in range(2)]
    network = MLPClassifier((64,))
    network.partial_fit(np.zeros((10, 784), np.float32), np.arange(10), classes=np.arange(10))
    network.coefs_ = [weight.T.astype(np.float64) for weight, _ in weights]
    network.intercepts_ = [bias.astype(np.float64) for _, bias in weights]
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.chdir(place)  # emlearn builds a program of its own in a folder "tmp" below
        emlearn.convert(network, method="inline").save(file=str(place / "digits.h"), name="digits")
        (place / "model.h").write_text(SHIM)
        np.load(folder / "images.npy").tofile(place / "images.bin")
        include = ["-I", str(place), "-I", emlearn.includedir]
        command = ["gcc", "-O3", *include, harness, "-o", str(place / "predict"), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        done = subprocess.run(
            [place / "predict", place / "images.bin", PASSES], check=True, capture_output=True, text=True
        )
    print(float(np.median(np.array(done.stdout.split(), float))))


if __name__ == "__main__":
    main()
