"""One prediction of a small convolutional network by infer.py and by exported C, compared with onnxruntime, in turns.

    python bench/infer_convolution.py

conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 10 on one image of 28 x 28, one thread: `Model.predict` of
bytes, a session's `run` with the argmax of its logits, and the output of `export --to c`, compiled by gcc with OPTIONS.
Writes bench/results/infer-convolution.json.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

WORDS = "conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 10"
OPTIONS = ("-O3", "-march=native")
ROUNDS, CALLS = 41, 100  # turns, and calls of each per turn


def graph_of(arrays: list[Any]) -> bytes:
    """Return the network as ONNX, given the weights and biases of its three layers."""
    from onnx import TensorProto, helper, numpy_helper

    names = ["w0", "b0", "w1", "b1", "w2", "b2"]
    nodes = [
        helper.make_node("Conv", ["x", "w0", "b0"], ["c0"]),
        helper.make_node("Relu", ["c0"], ["r0"]),
        helper.make_node("MaxPool", ["r0"], ["p0"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["p0", "w1", "b1"], ["c1"]),
        helper.make_node("Relu", ["c1"], ["r1"]),
        helper.make_node("MaxPool", ["r1"], ["p1"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["p1"], ["f"]),
        helper.make_node("Gemm", ["f", "w2", "b2"], ["y"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 28, 28])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 10])],
        [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    return bytes(model.SerializeToString())


def main() -> None:
    """Measure, and write the results."""
    import export_c
    import machine
    import numpy as np
    import onnxruntime

    from genreg_np.backends.threads import single_threaded_blas
    from genreg_np.layers.description import parse
    from genreg_np.model import Model, Network
    from genreg_np.strategies.base import first_genes
    from genreg_np.streams import Stream

    network = Network((28, 28), tuple(parse(WORDS, (28, 28))))
    genes = first_genes(network, 2**0.5, Stream(0))
    model = Model.build(network, genes, tuple("0123456789"), (0, 255))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    graph = graph_of(network.parameters_of(genes))
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).integers(0, 256, (CALLS, 28, 28), dtype=np.uint8)

    def there(image: Any) -> int:
        values = (image[None, None] / np.float32(255)).astype(np.float32)
        return int(session.run(None, {"x": values})[0].argmax())

    with single_threaded_blas(), tempfile.TemporaryDirectory() as folder:
        export_c.build(Path(folder), model, images, options=OPTIONS)
        assert [int(model.predict(image)[0]) for image in images] == [there(image) for image in images]
        found: dict[str, list[float]] = {"infer.py": [], "onnxruntime": [], "C": []}
        for _ in range(ROUNDS):
            for name, predict in (("infer.py", model.predict), ("onnxruntime", there)):
                times = []
                for image in images:
                    begun = time.perf_counter()
                    predict(image)
                    times.append(time.perf_counter() - begun)
                found[name].append(1e6 * statistics.median(times))
            found["C"].append(export_c.measure(Path(folder), 1) / 1000)
    ratios = {
        name: round(statistics.median(a / b for a, b in zip(found[name], found["onnxruntime"], strict=True)), 2)
        for name in ("infer.py", "C")
    }
    result = {
        "microseconds": {name: round(statistics.median(times), 1) for name, times in found.items()},
        "ratio": ratios["infer.py"],
        "ratio of C": ratios["C"],
        "network": WORDS,
        "machine": machine.describe() | {"onnxruntime": onnxruntime.__version__},
    }
    print(result["microseconds"], ratios)
    path = Path(__file__).resolve().parent / "results" / "infer-convolution.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    main()
