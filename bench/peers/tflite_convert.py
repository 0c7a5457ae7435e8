"""TensorFlow: converts one of our networks to .tflite files via Keras, with the same weights.

    python tflite_convert.py MODEL.npz CALIBRATION.npy FOLDER      writes FOLDER/float32.tflite and FOLDER/int8.tflite

CALIBRATION : (N, 28, 28) uint8, representative images for the 8-bit model, whose inputs and outputs are int8. Keras
stores maps as (H, W, C), ours are (C, H, W), so weights are transposed, including those of the dense layer after maps.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf


def network(path: str) -> tf.keras.Model:
    """Return the Keras network of a model with dense, convolution, activation and max pooling layers, for one image."""
    arrays = np.load(path)
    header = json.loads(bytes(arrays["header"]))["network"]
    image = maps = tf.keras.Input(batch_shape=(1, *header["input_shape"], 1))
    weights = []
    for index, layer in enumerate(header["layers"]):
        weight, bias = (arrays.get(f"layers.{index}.{name}") for name in ("weight", "bias"))
        if layer["kind"] == "convolution":
            padding = "same" if layer["same"] else "valid"
            maps = tf.keras.layers.Conv2D(layer["filters"], layer["size"], layer["stride"], padding)(maps)
            weights += [weight.transpose(2, 3, 1, 0), bias]
        elif layer["kind"] == "activation":
            maps = tf.keras.layers.Activation(layer["function"])(maps)
        elif layer["kind"] == "pooling":
            maps = tf.keras.layers.MaxPooling2D(layer["size"], layer["stride"])(maps)
        else:
            inputs, outputs = layer["inputs"], layer["outputs"]
            height, width, channels = maps.shape[1:] if len(maps.shape) == 4 else (1, 1, inputs)
            turned = weight.reshape(outputs, channels, height, width).transpose(2, 3, 1, 0)
            maps = tf.keras.layers.Dense(outputs, layer["activation"])(tf.keras.layers.Flatten()(maps))
            weights += [turned.reshape(inputs, outputs), bias]
    model = tf.keras.Model(image, maps)
    model.set_weights(weights)
    return model


def main() -> None:
    """Convert a model, and write the files."""
    model, images, folder = network(sys.argv[1]), np.load(sys.argv[2]), Path(sys.argv[3])

    def representative() -> Iterator[list[np.ndarray]]:
        for image in images:
            yield [image[None, :, :, None].astype(np.float32) / 255]

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    (folder / "float32.tflite").write_bytes(converter.convert())
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (folder / "int8.tflite").write_bytes(converter.convert())


if __name__ == "__main__":
    main()
