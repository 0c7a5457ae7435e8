"""Datasets by name or path, and `auto`."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np import data
from genreg_np.data import download
from genreg_np.data.mnist import FASHION_MNIST, FILES, MNIST
from genreg_np.errors import DataError, MissingExtraError, UsageError
from tests.data.conftest import source_of


@pytest.fixture
def offline(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bare machine without a network. Returns the cache folder."""
    monkeypatch.setattr(download, "answering", lambda mirrors: [])
    return bare_machine


def test_importing_the_package_imports_nothing_heavy() -> None:
    heavy = ("PIL", "sklearn", "scipy", "pooch", "requests", "numba", "click")
    script = f"import sys, genreg_np.data; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_an_unknown_name_or_path_is_explained() -> None:
    with pytest.raises(UsageError, match="did you mean 'mnist'"):
        data.load_dataset("mnst")
    with pytest.raises(UsageError, match=r"table\.csv: no such file"):
        data.load_dataset("table.csv")
    with pytest.raises(UsageError, match="did you mean 'fashion-mnist'"):
        data.fetch("fashion_mnist")


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.xlsx").write_bytes(b"PK")
    with pytest.raises(UsageError, match=r"a folder, a \.csv, a \.tsv or an \.npz"):
        data.load_dataset(tmp_path / "data.xlsx")


@pytest.mark.parametrize(
    ("name", "option"), [("digits", {"size": (8, 8)}), ("mnist", {"label": "y"}), ("digits", {"variations": 3})]
)
def test_an_option_that_does_not_apply_is_refused(name: str, option: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"applies to .* only"):
        data.load_dataset(name, **option)  # type: ignore[arg-type]


def test_paths_are_told_by_what_they_are(tmp_path: Path, originals: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    for index in range(12):
        (tmp_path / "pictures" / "ab"[index % 2]).mkdir(parents=True, exist_ok=True)
        image.new("L", (4, 4), index).save(tmp_path / "pictures" / "ab"[index % 2] / f"{index}.png")
    np.savez(tmp_path / "d.npz", x=np.zeros((12, 2), np.uint8), y=np.arange(12) % 2)
    (tmp_path / "t.CSV").write_text("\n".join(f"{index * 7 % 13},{index % 2}" for index in range(12)))
    assert data.load_dataset(tmp_path / "pictures", size=(3, 3)).input_shape == (3, 3)
    assert data.load_dataset(str(tmp_path / "d.npz")).input_shape == (2,)
    assert data.load_dataset(tmp_path / "t.CSV", label="2").input_shape == (1,)
    assert data.is_image_folder(tmp_path / "pictures")
    assert not any(map(data.is_image_folder, [tmp_path / "d.npz", originals, "digits", "auto"]))
    own = data.load_dataset(originals)
    assert own.input_shape == (4, 4)
    assert (len(own.train) + len(own.validation), len(own.test)) == (40, 20)


@pytest.mark.usefixtures("offline")
def test_auto_is_digits_where_mnist_cannot_be_had() -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("pooch")
    dataset = data.load_dataset("auto")
    assert dataset.name == "digits"
    assert dataset.note.startswith("digits instead of mnist: mnist cannot be downloaded, no mirror answers")
    assert "\n" not in dataset.note
    assert "not to be downloaded" in data.load_dataset("auto", download=False).note


@pytest.mark.usefixtures("offline")
def test_auto_says_when_pooch_is_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    name, reason = data.find_auto()
    assert name == "digits"
    assert "pooch is needed to download mnist: pip install 'genreg-np[train]'" in reason


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_a_named_dataset_never_becomes_another(name: str) -> None:
    pytest.importorskip("pooch")
    with pytest.raises(DataError, match=f"^{name} cannot be downloaded"):
        data.load_dataset(name)
    with pytest.raises(DataError, match=f"^{name} is not in .*genreg-np data fetch {name}"):
        data.load_dataset(name, download=False)


@pytest.mark.usefixtures("offline")
def test_auto_takes_mnist_where_it_is(originals: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small = source_of(originals)
    monkeypatch.setattr(data, "MNIST", small)
    monkeypatch.setitem(data.SOURCES, "mnist", small)
    shutil.copytree(originals, tmp_path / "here" / "mnist")
    dataset = data.load_dataset("auto", data_dir=tmp_path / "here")
    assert (dataset.name, dataset.note) == ("mnist", "")
    assert data.fetch("mnist", tmp_path / "here") == tmp_path / "here" / "mnist"


def test_the_list_says_where_each_dataset_is(offline: Path, originals: Path) -> None:
    infos = {info.name: info for info in data.describe_datasets()}
    assert (
        tuple(infos) == data.dataset_names() == ("mnist", "fashion-mnist", "cifar-10", "cifar-100", "digits", "letters")
    )
    assert infos["mnist"].where == "not here: genreg-np data fetch mnist"
    assert not infos["mnist"].available
    shutil.copytree(originals, offline / "mnist")
    assert data.describe_datasets()[0].where == str(offline / "mnist")
    assert data.describe_datasets()[0].available


def test_the_list_says_which_package_is_missing(offline: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    infos = {info.name: info for info in data.describe_datasets()}
    assert infos["digits"].where == "not here: pip install 'genreg-np[train]'"
    assert infos["letters"].where == "not here: pip install 'genreg-np[images]'"


@pytest.mark.usefixtures("offline")
def test_auto_says_both_when_neither_mnist_nor_digits_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pooch")
    for module in ("sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"mnist cannot be downloaded.*scikit-learn is needed") as error:
        data.load_dataset("auto")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("name", "module", "extra"), [("digits", "sklearn", "train"), ("letters", "PIL", "images")])
def test_what_is_built_in_is_not_there_without_its_package(
    name: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=rf"genreg-np\[{extra}\]"):
        data.fetch(name)


def test_there_is_nothing_to_fetch_of_what_is_built_in() -> None:
    pytest.importorskip("sklearn")
    assert data.fetch("digits") is None


def test_the_sources_are_complete() -> None:
    for source in (MNIST, FASHION_MNIST):
        assert tuple(source.files) == FILES
        assert all(len(sha256) == 64 for sha256 in source.files.values())
        assert len(source.mirrors) == 2
        assert all(mirror.endswith("/") for mirror in source.mirrors)
        assert len(source.class_names) == 10


@pytest.mark.data
@pytest.mark.skipif("GENREG_DATA" not in os.environ, reason="GENREG_DATA is not set: no real MNIST here")
def test_the_real_mnist_is_what_it_should_be() -> None:
    dataset = data.load_dataset("mnist", download=False)
    assert [len(dataset.split(name)) for name in data.SPLITS] == [55_000, 5_000, 10_000]
    assert dataset.input_shape == (28, 28)
    assert dataset.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert dataset.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert round(float(dataset.test.inputs.mean()), 4) == 33.7912
