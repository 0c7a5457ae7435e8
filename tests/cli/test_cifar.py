"""CIFAR from the command line: trained on as photographs are, and its models take pictures of any size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genreg_np import data
from genreg_np.data import cifar
from genreg_np.data.cifar import CIFAR_10
from tests.cli import one_line
from tests.data.making_cifar import contents_of, small, write_folder

image = pytest.importorskip("PIL.Image")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with a CIFAR-10 of 120 pictures, as its Python archive unpacks."""
    source = small(CIFAR_10, 100, 20)
    for where in (data, cifar):
        monkeypatch.setattr(where, "CIFAR" if where is data else "SOURCES", {"cifar-10": source})
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    form = source.forms[1]
    write_folder(contents_of(source, form), tmp_path / "data" / form.folder)
    return tmp_path / "data"


def test_it_is_trained_on_and_its_model_takes_pictures(genreg, folder: Path, tmp_path: Path) -> None:
    few = ("--generations", "2", "--set", "detectors=4", "--set", "more_sizes=[]", "--set", "grid=2")
    run = tmp_path / "run"
    out = genreg("train", "--dataset", "cifar-10", "--data-dir", folder, *few, "--out", run).out
    assert "dataset cifar-10: 90 train, 10 validation, 20 test, 32x32 pixels in colour, fit crop" in out
    assert "preset photos" in out
    assert "cifar-10, test split, 20 inputs" in genreg("eval", run / "model.npz", "--data-dir", folder).out
    path = tmp_path / "one.png"
    pixels = data.load_dataset("cifar-10", data_dir=folder).test.inputs[0].transpose(1, 2, 0)
    image.fromarray(pixels).resize((96, 64)).save(path)
    (answer,) = json.loads(genreg("infer", run / "model.npz", path, "--json").out)
    assert answer["class"].startswith("thing_")
    resumed = genreg("train", "--resume", run, "--extend", "--generations", "3")
    assert resumed.code == 0, resumed.out


def test_a_run_of_a_path_goes_on(genreg, folder: Path, tmp_path: Path) -> None:
    few = ("--generations", "2", "--strategy", "random-search", "--hidden", "4", "--set", "population_size=4")
    run = tmp_path / "run"
    out = genreg("train", "--dataset", folder / "cifar-10-batches-py", *few, "--out", run)
    assert "dataset cifar-10: 90 train" in out.out
    resumed = genreg("train", "--resume", run, "--extend", "--generations", "3")
    assert resumed.code == 0, resumed.out


def test_what_is_damaged_is_one_line(genreg, folder: Path) -> None:
    (folder / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    line = one_line(genreg("train", "--dataset", "cifar-10", "--data-dir", folder), 1)
    assert "data_batch_3: cannot be read as a pickle of arrays" in line
    assert "os.system" in line
