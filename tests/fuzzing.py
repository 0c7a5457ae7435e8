"""Feeds every reader of files with mutated ones: it takes them or refuses them in its own way, and nothing else.

    report = fuzz(inputs=1000, seed=0, targets=warmed())

Input `number` of a target is a function of (seed, target, number), so that any failure can be made again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gzip
import io
import itertools
import os
import pickle
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import numpy as np

from genreg_np import infer
from genreg_np.data import scaled
from genreg_np.data.archive import read_archive
from genreg_np.data.arrays import load_npz
from genreg_np.data.idx import read_idx, write_idx
from genreg_np.data.images import read_image
from genreg_np.data.pictures import How, Pictures
from genreg_np.data.plain_pickle import read_plain_pickle
from genreg_np.data.table import load_csv
from genreg_np.errors import GenregError
from genreg_np.export.convert import read_champion
from genreg_np.runs.checkpoint import read_checkpoint, restored
from genreg_np.runs.config import read_toml
from genreg_np.runs.run_config import pack_run_config, read_run_config
from genreg_np.runs.run_folder import RunFolder
from genreg_np.strategies import REGISTRY
from tests import mutations
from tests.data.making_cifar import packed, python_2
from tests.helpers import evolution, tiny_config
from tests.make_champion import make_champion
from tests.zoo import exhibit_of

SHOWN = 20  # failures that a report tells of in full
MODELS = (
    "dense, tanh",
    "standardised features",
    "two stages",
    "deskew and detectors",
    "genreg-2",
    "int8, relu",
    "maps, two stages",
)


@dataclass(frozen=True)
class Target:
    """A reader, what it is fed with, and how that is changed."""

    read: Callable[[Path], object]
    samples: Callable[[], list[bytes]]
    mutate: mutations.Mutation


@dataclass
class Report:
    """What came of it."""

    inputs: dict[str, int] = field(default_factory=dict)  # of each target
    taken: dict[str, int] = field(default_factory=dict)  # how many of them were read without an error
    failures: list[str] = field(default_factory=list)
    failed: int = 0
    slowest_seconds: float = 0.0
    slowest: str = ""


def _predict(path: Path) -> None:
    model = infer.load(path)
    with np.errstate(all="ignore"):  # weights of 1e38 overflow, and NumPy would say so
        model.outputs(np.zeros((1, *model.input_shape), np.float32))


@functools.cache
def _starts() -> dict[str, object]:
    return {name: evolution(strategy=name).state for name in REGISTRY}


def _restore(path: Path) -> None:
    saved, fields = read_checkpoint(path)
    restored(_starts()[saved.config.strategy], fields, path)


def _checkpoints() -> list[bytes]:
    packed = []
    for name in REGISTRY:
        run = evolution(strategy=name)
        run.run(2)
        packed.append(run.pack())
    return packed


def _read_npy(path: Path) -> None:
    content = path.read_bytes()
    infer.read_npy(io.BytesIO(content), len(content), str(path))


def _folder_reader(name: str) -> Callable[[Path], object]:
    """Return a reader of a run folder's file, which must have its own name."""

    def read(path: Path) -> object:
        folder = RunFolder(path.parent, open(os.devnull, encoding="utf-8"))  # noqa: SIM115
        with folder:
            os.replace(path, path.parent / name)
            return folder.read_json(name) if name == "run.json" else folder.cut_metrics(3)

    return read


def _config() -> list[bytes]:
    origin = {
        "source": "digits",
        "data_dir": "/data",
        "label": "kind",
        "size": [8, 8],
        "backend": "numpy",
        "data": "0" * 64,
    }
    changes = [{"generation": 3, "setting": "mutation_scale", "old": 0.1, "new": 0.2}]
    return [pack_run_config(tiny_config(strategy=name), changes, origin) for name in REGISTRY]


def _images() -> list[bytes]:
    from PIL import Image

    rng, found = np.random.default_rng(0), []
    for kind, (mode, channels) in itertools.product(
        ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"), (("L", ()), ("RGB", (3,)), ("RGBA", (4,)))
    ):
        buffer = io.BytesIO()
        with contextlib.suppress(OSError):  # not every kind takes every mode
            Image.fromarray(rng.integers(0, 256, (9, 7, *channels), np.uint8), mode).save(buffer, kind)
            found.append(buffer.getvalue())
    buffer = io.BytesIO()
    Image.fromarray(rng.integers(0, 4096, (9, 7), np.uint16)).save(buffer, "PNG")
    return [*found, buffer.getvalue()]


def _idx() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder) / "array", []
        for array in (np.arange(60, dtype=np.uint8).reshape(5, 4, 3), np.arange(7, dtype=np.uint8)):
            write_idx(path, array)
            found.append(path.read_bytes())
    return found


def _arrays() -> list[bytes]:
    rng, found = np.random.default_rng(0), []
    for save in (np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        images, labels = rng.integers(0, 256, (30, 4, 3), np.uint8), np.arange(30) % 3
        save(buffer, x_train=images, y_train=labels, x_test=images, y_test=labels, class_names=np.array(list("abc")))
        found.append(buffer.getvalue())
    return found


def _npy() -> list[bytes]:
    found = []
    for array in (
        np.arange(6.0).reshape(2, 3),
        np.zeros((0, 3), bool),
        np.array(["a", "bc"]),
        np.asfortranarray(np.eye(3)),
    ):
        buffer = io.BytesIO()
        np.save(buffer, array)
        found.append(buffer.getvalue())
    return found


def _tables() -> list[bytes]:
    rows = [f"{i}.5,{-i},{'abc'[i % 3]}" for i in range(24)]
    numbers = [f"{i % 2};{i}" for i in range(20)]
    return ["\n".join(["height,width,kind", *rows]).encode(), "\n".join(["label;x", *numbers]).encode()]


def _pickles() -> list[bytes]:
    names = [f"thing_{number}" for number in range(10)]
    batch = {"data": np.arange(60, dtype=np.uint8).reshape(5, 12), "labels": [3, 1, 4, 1, 5], "filenames": names}
    return [python_2(batch), python_2({"label_names": names, "num_vis": 3072})]


def _kept_pictures() -> list[bytes]:
    found = []
    for shape in ((2, 5, 4), (2, 3, 5, 4)):
        images = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "kept"
            scaled.save(place, "0" * 40, Pictures(images, [0, 1], {}, {"16 bits": (0.0, 9.0)}, ["a note"]))
            found.append(place.read_bytes())
    return found


TARGETS = {
    "model": Target(_predict, lambda: [exhibit_of(name).model.pack() for name in MODELS], mutations.of_npz),
    "checkpoint": Target(_restore, _checkpoints, mutations.of_npz),
    "config.toml": Target(read_run_config, _config, mutations.of_text),
    "settings": Target(read_toml, _config, mutations.of_text),
    "run.json": Target(
        _folder_reader("run.json"), lambda: [b'{"started": "now", "resumes": [{"generation": 1}]}'], mutations.of_text
    ),
    "metrics.jsonl": Target(
        _folder_reader("metrics.jsonl"),
        lambda: [b"".join(b'{"generation": %d, "mean_trust": 0.5}\n' % number for number in range(6))],
        mutations.of_text,
    ),
    "champion": Target(read_champion, lambda: [pickle.dumps(make_champion(4, 2, 3))], mutations.of_bytes),
    "IDX": Target(read_idx, _idx, mutations.of_bytes),
    "IDX, gzipped": Target(read_idx, lambda: [gzip.compress(data, mtime=0) for data in _idx()], mutations.of_gzip),
    ".npz": Target(load_npz, _arrays, mutations.of_npz),
    ".npy": Target(_read_npy, _npy, mutations.of_npy),
    ".csv": Target(load_csv, _tables, mutations.of_text),
    "image": Target(read_image, _images, mutations.of_bytes),
    "pickle of arrays": Target(lambda path: read_plain_pickle(path.read_bytes(), path), _pickles, mutations.of_bytes),
    ".tar.gz": Target(
        lambda path: read_archive(path, {"f/a": 40}), lambda: [packed({"a": b"12345"}, "f")], mutations.of_gzip
    ),
    "pictures kept": Target(lambda path: scaled.load(path, "0" * 40, 2, How()), _kept_pictures, mutations.of_bytes),
}


def warmed() -> dict[str, Target]:
    """Return all targets with their samples made, and each sample read once: what follows is reading alone."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, target in TARGETS.items():
            samples = target.samples()
            for sample in samples:
                (Path(folder) / "input").write_bytes(sample)
                _, problem = _outcome(target.read, Path(folder) / "input")
                assert not problem, f"{name}: {problem}"
            made[name] = dataclasses.replace(target, samples=lambda samples=samples: samples)
    return made


def fuzz(
    inputs: int,
    seed: int = 0,
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
    *,
    targets: dict[str, Target],
) -> Report:
    """Feed all targets in turn, until there were so many inputs, or that much time is up."""
    report, samples = Report(), {name: target.samples() for name, target in targets.items()}
    start = clock()
    with tempfile.TemporaryDirectory() as folder:
        for number, name in itertools.islice(((n, t) for n in itertools.count() for t in targets), inputs):
            if clock() - start > seconds:
                break
            chance = Random(f"{seed}/{name}/{number}")
            path = Path(folder) / "input"
            path.write_bytes(targets[name].mutate(chance.choice(samples[name]), chance))
            before = clock()
            taken, problem = _outcome(targets[name].read, path)
            if (took := clock() - before) > report.slowest_seconds:
                report.slowest_seconds, report.slowest = took, f"{name}/{number}"
            report.inputs[name] = report.inputs.get(name, 0) + 1
            report.taken[name] = report.taken.get(name, 0) + taken
            report.failed += bool(problem)
            if problem and len(report.failures) < SHOWN:
                report.failures.append(f"{seed}/{name}/{number}: {problem}")
    return report


def _outcome(read: Callable[[Path], object], path: Path) -> tuple[bool, str]:
    """Return whether a file was taken, and what is wrong with how it was taken or refused."""
    printed = io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        warnings.simplefilter("error")
        try:
            read(path)
        except (GenregError, infer.ModelError) as error:
            taken, problem = False, "" if len(str(error).splitlines()) == 1 else f"not one line: {error!r}"
        except Exception:  # whatever it is, it was not meant to be
            taken, problem = False, traceback.format_exc(limit=-4)
        else:
            taken, problem = True, ""
    return taken, problem or (f"it printed {printed.getvalue()!r}" if printed.getvalue() else "")
