"""TensorFlow Lite Micro: time `invoke` on one image after another, with the interpreter of the package tflite-micro.

    python tflite_micro_predict.py MODEL.tflite IMAGES.npy PASSES

IMAGES : (N, 28, 28) uint8. Prints a JSON object: `ns`, the median over images of the minimum over the passes;
`classes`, one for each image; `arena`, the bytes that the interpreter reports (head: inputs, outputs and intermediate
values; tail: records of each tensor and layer, with pointers of this machine's size). Setting the input and reading the
output are not timed. The package's x86 kernels are the runtime's reference kernels.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tempfile
import time

import numpy as np
from tflite_micro.python.tflite_micro import runtime


def arena(interpreter: runtime.Interpreter) -> dict[str, int]:
    """Return the bytes of the arena in use, which the interpreter only prints to the descriptor of stderr."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        interpreter.print_allocations()
        os.dup2(kept, 2)
        file.seek(0)
        told = file.read().decode()
    return {part: int(number) for part, number in re.findall(r"Arena allocation (\w+) (\d+) bytes", told)}


def main() -> None:
    """Predict, and print the results."""
    model, images, passes = sys.argv[1], np.load(sys.argv[2]), int(sys.argv[3])
    interpreter = runtime.Interpreter.from_file(model)
    whole = interpreter.get_input_details(0)["dtype"] is np.int8
    given = images[:, None, :, :, None]
    given = (given.astype(np.int16) - 128).astype(np.int8) if whole else given.astype(np.float32) / np.float32(255)
    times, classes = np.zeros((passes, len(given)), np.int64), []
    for turn in range(passes):
        for k, image in enumerate(given):
            interpreter.set_input(image, 0)
            begun = time.perf_counter_ns()
            interpreter.invoke()
            times[turn, k] = time.perf_counter_ns() - begun
            if turn == 0:
                classes.append(int(interpreter.get_output(0).argmax()))
    told = {"ns": float(np.median(times.min(axis=0))), "classes": classes, "arena": arena(interpreter)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
