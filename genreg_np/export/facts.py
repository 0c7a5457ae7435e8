"""Facts about a model as (term, text), for readers who did not train it.

The header of a model file may contain anything about its training, so entries of an unexpected kind are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from genreg_np import infer
from genreg_np.data.fitting import PARTS, remembered
from genreg_np.data.labels import short_name
from genreg_np.export.integers import LONGEST, dense_words, words
from genreg_np.layers.description import words as network_words
from genreg_np.model import Model


def facts(model: Model, size: int) -> list[tuple[str, str]]:
    """Return a model's network, weights, training and accuracy.

    Parameters
    ----------
    model : Model
    size : int
        Bytes of all arrays.
    """
    return list(_facts(model, size))


def _facts(model: Model, size: int) -> Iterator[tuple[str, str]]:
    fixed: Iterable[str]
    if model.is_int8:
        said = words(model)
        fixed, learned, activations, count = said.fixed, said.learned, said.activations, said.count
    else:
        network = model.network
        fixed, count = [layer.kind for layer in network.fixed], network.gene_count
        layers: list[dict[str, Any]] = model.header["network"]["layers"][len(network.fixed) :]
        learned, activations = dense_words(layers) if network.is_dense else (network_words(network.learning), "")
    if fixed:
        learned = f"{', '.join(fixed)}, then {learned}"
    elif activations:
        learned = f"{learned}, {activations}"
    yield "Network", learned
    numbers = "8-bit integers" if model.is_int8 else "float32"
    yield "Weights", f"{count:,} learned, {numbers}; {_bytes(size)} in all"
    method, generations, seed = (model.trained(key) for key in ("method", "generations", "seed"))
    if isinstance(method, str):
        counted = [f"{generations:,} generations"] if type(generations) is int else []
        counted += [f"as of generation {kept:,}"] if (kept := earlier(model)) is not None else []
        seeded = [f"seed {seed}"] if type(seed) is int else []
        yield "Method", ", ".join([_short(method), *counted, *seeded])
    if taken := remembered(model.header):
        rows, columns = model.input_shape[-2:]
        colour = "colour" if len(model.input_shape) == 3 else "grey"
        yield "Pictures", f"in {colour}, {rows}x{columns} pixels (height x width), {PARTS[taken.fit]}"
    if names := model.value_names:
        yield "Predicts", ", ".join(_short(name) for name in names)
    dataset = model.trained("config", "dataset")
    if isinstance(dataset, str):
        yield "Trained on", _short(dataset)
    for split in ("test", "validation"):
        genome = saved if isinstance(saved := model.trained("genome"), str) else "best"  # a search's are genes
        if accuracy := _percent(model.trained("accuracies", split, genome)):
            yield "Accuracy", f"{accuracy} on the {split} split{', as float32' if model.is_int8 else ''}"
            break
        if type(score := model.trained("r2", split, genome)) is float and score <= 1:
            yield "R2", f"{score:.4f} on the {split} split"
            break
    if model.is_int8 and (told := quantised(model)):
        yield "8 bits", told


def earlier(model: infer.Model) -> int | None:
    """Return the generation of a model if training continued after it; else None."""
    generation, generations = model.trained("generation"), model.trained("generations")
    known = type(generation) is int and type(generations) is int
    return generation if known and generation < generations else None


def quantised(model: Model) -> str:
    """Return a description of the accuracy and calibration of a model of 8-bit integers; "" if not stored."""
    whole, as_float = (_percent(model.trained("int8", f"{kind}validation_accuracy")) for kind in ("", "float32_"))
    inputs, dataset = (model.trained("int8", key) for key in ("inputs", "dataset"))
    words = [f"{whole} on the validation split"] if whole else []
    words += [f"{as_float} {'there ' if whole else 'on the validation split '}as float32"] if as_float else []
    if type(inputs) is int and inputs > 0:
        of = f" of {_short(dataset)}" if isinstance(dataset, str) else ""
        words.append(f"calibrated on {inputs:,} {'input' if inputs == 1 else 'inputs'}{of}")
    return ", ".join(words)


def _percent(value: Any) -> str:
    """Return an accuracy as text; "" if it is not one."""
    return f"{100 * value:.2f} %" if type(value) in (int, float) and 0 <= value <= 1 else ""


def _bytes(size: int) -> str:
    return f"{size / 1000:,.0f} kB" if size >= 10_000 else f"{size:,} bytes"


def _short(text: str) -> str:
    return short_name(text, LONGEST)
