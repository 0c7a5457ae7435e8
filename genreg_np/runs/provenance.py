"""The data of a run: which they are, where they are, and what a model records about them.

A run folder names its data and holds their fingerprint, so that a run is resumed with the same data. But run folders
are not trusted: a file or folder is read again only if the user named it, or if it matches the fingerprint byte for
byte.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.data import dataset_names, is_image_folder, load_dataset, reader_arguments
from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.data.fitting import GREY, STRETCH
from genreg_np.errors import RunError, UsageError
from genreg_np.model import Network

IN_MEMORY = "arrays in memory"  # the source of data without a name or path


def is_path(source: str) -> bool:
    """Return whether a dataset is a file or folder of the user, not a named one."""
    return source not in ("auto", IN_MEMORY, *dataset_names())


def lasting(source: str | os.PathLike[str]) -> str:
    """Return a dataset's name, or its absolute path."""
    name = os.fspath(source)
    return os.path.abspath(name) if is_path(name) else name


def load_again(folder: Path, origin: dict[str, Any], variations: int, named: bool) -> Dataset:
    """Load the data of a run again, with the same options.

    Parameters
    ----------
    folder : Path
        The run folder, for messages.
    origin : dict
        The arguments of load_dataset: `source` (name, path or IN_MEMORY), `data_dir` and READER_OPTIONS; `data` is the
        fingerprint.
    variations : int
        Views per letter.
    named : bool
        Whether the user named the source in this call.

    Raises
    ------
    UsageError
        For arrays that were in memory, or a file or folder without a fingerprint that was not named.
    RunError
        For a file or folder that no longer exists.
    GenregError
        For data that cannot be read.
    """
    source = origin["source"]
    if source == IN_MEMORY:
        raise UsageError(
            f"{folder}: this run's data were arrays in memory: pass dataset= to resume(), or name a file of the same "
            "data with --dataset PATH"
        )
    if is_path(source) and not named:
        if "data" not in origin:
            raise UsageError(
                f"{folder}: has no fingerprint of its data, so {source} is not read unless you name it: --dataset PATH"
            )
        if not os.path.exists(source):
            raise RunError(f"{folder}: its data are no longer at {source}: give their place with --dataset PATH")
    arguments = reader_arguments(origin)
    if is_path(source) and "fit" not in arguments and is_image_folder(source):
        arguments = _as_it_was_read(source) | arguments
    return load_dataset(source, data_dir=origin.get("data_dir"), variations=variations, **arguments)


def _as_it_was_read(folder: str) -> dict[str, Any]:
    """Return how a folder of images was read by runs that recorded no `fit`: stretched or of one size, in grey."""
    from genreg_np.data.folder import first_size

    return {"fit": STRETCH, "color": GREY, "size": first_size(folder)}


def fingerprint_of_names(dataset: Dataset) -> str | None:
    """Return the SHA-256 of a dataset's column names in order, or None if it has none."""
    if not dataset.feature_names:
        return None
    return hashlib.sha256(repr(dataset.feature_names).encode("utf-8", "backslashreplace")).hexdigest()


def fingerprint(dataset: Dataset) -> str:
    """Return the SHA-256 of everything in a dataset that can affect a run's arrays."""
    about: tuple[Any, ...] = (dataset.class_names, dataset.input_range)
    about += (dataset.value_names,) if dataset.of_numbers else ()
    about += (dataset.columns,) if dataset.columns else ()
    digest = hashlib.sha256(repr(about).encode("utf-8"))
    for name in SPLITS:
        part = dataset.split(name)
        for array in (part.inputs, part.labels, *(() if part.weights is None else (part.weights,))):
            digest.update(f"{array.shape} {array.dtype}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def display_name(setting: str, dataset: Dataset) -> str:
    """Return a built-in dataset's name, or a file's or folder's name without the path (a folder's with a slash).

    Arrays in memory are marked as such, so that their name is not mistaken for one that can be loaded.
    """
    if dataset.origin is None:
        return f"{dataset.name} (in memory)"
    if not is_path(setting):
        return dataset.name
    return Path(setting).name + ("" if Path(setting).suffix else "/")


def data_header(setting: str, dataset: Dataset, config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a model's header says of the data it learned from, for `infer`, `eval`, `export` and `demo`.

    Parameters
    ----------
    setting : str
        The dataset's name or path, as it was given.
    dataset : Dataset
    config : mapping
        The rest of the header's `config`, which names the data.
    """
    origin = dataset.origin or {}
    digest = {"sha256": origin["sha256"]} if "sha256" in origin else {}
    return {"config": {**config, "dataset": display_name(setting, dataset)}, **background(dataset), **digest}


def background(dataset: Dataset) -> dict[str, float]:
    """Return the mean brightness of the training images' borders, 0 .. 1, to detect inverted pictures later."""
    inputs, value_range = dataset.train.inputs, dataset.input_range
    if inputs.ndim != 3 or value_range is None:
        return {}
    border = np.concatenate([inputs[:, 0], inputs[:, -1], inputs[:, :, 0], inputs[:, :, -1]], axis=1)
    low, high = value_range
    return {"background": round(float((border.mean(dtype=np.float64) - low) / (high - low)), 3)}


def fingerprint_of_network(network: Network | None) -> str | None:
    """Return a hash of a network, or None without one, if a run builds its own."""
    if network is None:
        return None
    parts = [getattr(layer, "parts", 1) for layer in network.learning]
    digest = hashlib.sha256(json.dumps([network.header(), parts], sort_keys=True).encode("utf-8"))
    for layer in network.fixed:
        for name, array in sorted(layer.arrays().items()):
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]
