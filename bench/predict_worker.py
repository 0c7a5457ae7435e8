"""Time one image through one Python implementation: python predict_worker.py IMPLEMENTATION FOLDER."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PASSES = 5


def set_up(name: str, folder: Path) -> Callable[[np.ndarray], object]:
    """Return a function that predicts one image (28, 28) of bytes."""
    part = folder / ("int8" if name.endswith("int8") else "float")
    if name.startswith("infer.py"):
        sys.path.insert(0, str(part / "python"))
        import infer

        predict: Callable[[np.ndarray], object] = infer.load(part / "python" / "model.npz").predict
        return predict
    if name.startswith("onnxruntime"):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(part / "onnx" / "model.onnx"), options, ["CPUExecutionProvider"])
        return lambda image: session.run(["label"], {"input": image[None]})
    network = scikit_learn(np.load(part / "python" / "model.npz"))
    return lambda image: network.predict(image.reshape(1, -1) / np.float32(255))


def scikit_learn(arrays: Any) -> Any:
    """Return scikit-learn's MLPClassifier with the model's weights."""
    from sklearn.neural_network import MLPClassifier

    layers = [(arrays[f"layers.{k}.weight"], arrays[f"layers.{k}.bias"]) for k in range(2)]
    network = MLPClassifier((len(layers[0][1]),))
    count = len(layers[1][1])
    inputs = np.zeros((count, layers[0][0].shape[1]), np.float32)
    network.partial_fit(inputs, np.arange(count), classes=np.arange(count))
    network.coefs_ = [np.ascontiguousarray(weight.T) for weight, _ in layers]
    network.intercepts_ = [bias for _, bias in layers]
    return network


def main() -> None:
    """Predict every image in turn, several times."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    images, predict = list(np.load(folder / "images.npy")), set_up(sys.argv[1], folder)
    best = [float("inf")] * len(images)
    for _ in range(PASSES):
        for index, image in enumerate(images):
            begun = time.perf_counter()
            predict(image)
            best[index] = min(best[index], time.perf_counter() - begun)
    print(json.dumps({"implementation": name, "us": 1e6 * float(np.median(best))}))


if __name__ == "__main__":
    main()
