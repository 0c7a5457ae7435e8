"""Exporting: all of a folder or nothing, and what a target cannot express is named before anything is written."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from genreg_np import export, files
from genreg_np.errors import GenregError, UsageError
from genreg_np.export.quantise import TAKES, quantise
from genreg_np.model import Network, load
from tests.forking import forked
from tests.helpers import INT8, KINDS, model_of, one_line, python
from tests.zoo import DEEP, SHOWN, ZOO, exhibit_for, exhibit_of, kinds_in, kinds_shown

DENSE = exhibit_of("dense, relu").model


def fill_up_after(written: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let so many files be written; then the disk is full."""
    left = iter(range(written))

    def write(path: Path, data: bytes) -> None:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        files.write_atomic(path, data)

    monkeypatch.setattr(export, "write_atomic", write)


def test_the_zoo_has_every_kind_of_layer() -> None:
    """A layer that no exhibit has is one that no exporter is tested on; the zoo has all that the runtime computes."""
    assert kinds_shown() == set(KINDS)
    floats = [name for name in ZOO if not name.startswith("int8")]
    assert kinds_shown(name for name in floats if not name.startswith("layer of") and name not in DEEP) == set(SHOWN)
    assert kinds_shown(name for name in ZOO if name.startswith("int8")) & INT8 == INT8


@pytest.mark.parametrize("name", export.TARGETS)
def test_a_target_says_what_it_is_and_takes(name: str) -> None:
    """A summary in one line, and kinds of layer that exist."""
    module = export.target(name)
    assert one_line(module.SUMMARY)
    assert set(KINDS) >= module.TAKES >= {"dense"}


@pytest.mark.parametrize("exhibit", ZOO)
@pytest.mark.parametrize("to", export.TARGETS)
def test_a_target_writes_what_it_takes_and_names_what_it_does_not(to: str, exhibit: str) -> None:
    """Files of names that can be written anywhere, or one line with the layer, its place and who takes it."""
    model, takes = exhibit_of(exhibit).model, export.target(to).TAKES
    if kinds_in(model) <= takes:
        found = export.files_of(model, to, "mine")
        assert found
        assert all(re.fullmatch(r"[A-Za-z0-9_.]+", name) and isinstance(data, bytes) for name, data in found.items())
        return
    with pytest.raises(UsageError, match=rf"^layer [0-9.]+ \([a-z0-9-]+\) cannot be expressed in {to}") as raised:
        export.files_of(model, to, "mine")
    line = one_line(raised.value)
    kind = line[line.index("(") + 1 : line.index(")")]
    others = [other for other in export.TARGETS if kind in export.target(other).TAKES]
    assert kind not in takes
    assert (f"--to {' or '.join(others)} supports it" if others else "no target supports it") in line


@pytest.mark.parametrize("name", export.TARGETS)
def test_equal_models_give_equal_files(name: str) -> None:
    """Nothing of the time or place of writing is in them."""
    assert export.files_of(DENSE, name) == export.files_of(DENSE, name)


@pytest.mark.parametrize("name", ZOO)
def test_a_python_folder_predicts_as_the_model_does(tmp_path: Path, name: str) -> None:
    """Copied away, in a fresh interpreter: the same bytes of outputs, and the example runs."""
    exhibit = exhibit_for("python", name)
    export.export(exhibit.model, "python", tmp_path / "app")
    np.save(tmp_path / "inputs.npy", exhibit.inputs)
    code = "import numpy as np, infer; print(infer.load('model.npz').outputs(np.load('../inputs.npy')).tobytes().hex())"
    assert forked(code, tmp_path / "app").strip() == exhibit.model.outputs(exhibit.inputs).tobytes().hex()
    assert forked("import runpy; runpy.run_path('example.py')", tmp_path / "app")


def test_a_python_folder_needs_nothing_but_numpy(tmp_path: Path) -> None:
    """Neither genreg_np nor any other package is imported by it."""
    export.export(DENSE, "python", tmp_path / "app")
    code = (
        "import sys; sys.path.insert(0, '.'); before = set(sys.modules); import runpy; runpy.run_path('example.py'); "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    )
    assert set(python(code, cwd=tmp_path / "app").splitlines()[-1].split()) == {"numpy", "infer"}


# Folders


def test_a_folder_with_files_is_refused_without_force(tmp_path: Path) -> None:
    """Refused, nothing of it is touched; forced, files of the same names are replaced and others are kept."""
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty") as caught:
        export.export(DENSE, "python", tmp_path)
    one_line(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    export.export(DENSE, "python", tmp_path, force=True)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert load(tmp_path / "model.npz").pack() == DENSE.pack()


def test_an_empty_folder_is_filled_and_missing_ones_are_made(tmp_path: Path) -> None:
    """The paths that come back are the files that are there."""
    for out in (tmp_path, tmp_path / "a" / "b"):
        written = export.export(DENSE, "python", out / "model")
        assert sorted(written) == sorted((out / "model").iterdir())


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """It is named, and stays."""
    (tmp_path / "x").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        export.export(DENSE, "python", tmp_path / "x")
    assert (tmp_path / "x").read_text() == "mine"


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_disk_that_fills_up_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """Whichever file fails: no folder, no temporary one, and one line."""
    fill_up_after(written, monkeypatch)
    with pytest.raises(GenregError, match="No space left") as caught:
        export.export(DENSE, "python", tmp_path / "app")
    one_line(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_a_files_place_is_found_before_anything_is_written(tmp_path: Path) -> None:
    """Forced into a folder where a file's name is taken by a folder: refused, no other file is there."""
    (tmp_path / "example.py").mkdir()
    with pytest.raises(UsageError, match="not a regular file") as caught:
        export.export(DENSE, "python", tmp_path, force=True)
    one_line(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["example.py"]


@pytest.mark.parametrize("written", [0, 1, 2])
def test_a_forced_export_that_fails_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """All are written aside before the first is replaced."""
    export.export(exhibit_of("dense, tanh").model, "python", tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    fill_up_after(written, monkeypatch)
    with pytest.raises(GenregError, match="No space left"):
        export.export(DENSE, "python", tmp_path, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_an_empty_folder_stays_the_folder_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written into, not replaced: also by its relative name, through a link, and with its own permissions."""
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    node = (tmp_path / "real").stat()
    export.export(DENSE, "python", tmp_path / "link")
    assert (tmp_path / "real").stat().st_ino == node.st_ino
    assert (tmp_path / "real").stat().st_mode == node.st_mode
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert len(export.export(DENSE, "python", ".")) == 3


@pytest.mark.parametrize("out", ["", "x" * 300])
def test_a_folder_that_cannot_be_named_is_refused_in_one_line(tmp_path: Path, out: str) -> None:
    """Nothing, and more than a name may have."""
    with pytest.raises(GenregError, match=r"give one|cannot be written") as caught:
        export.export(DENSE, "python", tmp_path / out if out else out)
    one_line(caught.value)


@pytest.mark.parametrize("names", [("a", "b"), ()])
def test_the_example_of_a_range_without_0_runs(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Its inputs lie in the range, whether the model gives classes or values."""
    for number, bounds in enumerate([(-300.0, -5.0), (0.5, 9.5), (3.0, 9.0)]):
        out = tmp_path / str(number)
        export.export(model_of(Network.build((4,), (), 2), input_range=bounds, class_names=names), "python", out)
        assert python("import runpy, sys; sys.path.insert(0, '.'); runpy.run_path('example.py')", cwd=out)


# Refusals


def test_an_unknown_target_is_refused_with_the_nearest() -> None:
    """A typing mistake is answered with what was meant."""
    with pytest.raises(UsageError, match="did you mean 'python'"):
        export.files_of(DENSE, "pyton")


@pytest.mark.parametrize("name", ["", "9lives", "a b", "../up", "x" * 42, "café", "a\n"])
def test_a_name_that_is_no_identifier_is_refused(name: str) -> None:
    """It names files and code: nothing may leave the folder or break the code."""
    with pytest.raises(UsageError, match="must be a letter") as caught:
        export.files_of(DENSE, "python", name)
    one_line(caught.value)


@pytest.mark.parametrize("to", export.TARGETS)
def test_an_option_is_taken_by_its_target_and_refused_by_others(to: str) -> None:
    """In one line that says whose it is; None is as if it were not given."""
    assert export.files_of(DENSE, to, reject=None) == export.files_of(DENSE, to)
    if to == "html":
        assert export.files_of(DENSE, to, reject=0.9) != export.files_of(DENSE, to)
    else:
        with pytest.raises(UsageError, match=f"reject is for --to html, not for {to}") as caught:
            export.files_of(DENSE, to, reject=0.9)
        one_line(caught.value)
    with pytest.raises(UsageError, match=f"rejekt is for no target, not for {to}"):
        export.files_of(DENSE, to, rejekt=0.9)


@pytest.mark.parametrize("reject", [-0.01, 1.01, float("nan"), float("inf"), "0.9", True, [0.9]])
def test_a_threshold_that_is_no_probability_is_refused(reject: object) -> None:
    with pytest.raises(UsageError, match="must be a number from 0 to 1") as caught:
        export.files_of(DENSE, "html", reject=reject)
    one_line(caught.value)


def test_values_have_no_threshold() -> None:
    """Without classes there is no probability."""
    with pytest.raises(UsageError, match="models with classes") as caught:
        export.files_of(exhibit_of("values, not classes").model, "html", reject=0.9)
    one_line(caught.value)


@pytest.mark.parametrize("reject", [0, 1, np.float32(0.5), np.float64(0.9)])
def test_a_threshold_may_be_a_number_of_any_kind(reject: float) -> None:
    expected = export.files_of(DENSE, "html", reject=float(reject))
    assert export.files_of(DENSE, "html", reject=reject) == expected


def test_a_layer_that_a_target_cannot_express_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it is deep inside branches."""
    module = export.target("python")
    monkeypatch.setattr(module, "TAKES", module.TAKES - {"detectors"})
    with pytest.raises(UsageError, match=r"layer 2\.0\.0 \(detectors\) cannot be expressed in python"):
        export.files_of(exhibit_of("branches, hidden layer").model, "python")


@pytest.mark.parametrize("name", ZOO)
def test_what_int8_cannot_express_is_named(name: str) -> None:
    """Functions of their own, statistics, projections, and what is int8 already."""
    exhibit = exhibit_of(name)
    if kinds_in(exhibit.model) <= TAKES:
        pytest.skip("int8 takes it")
    with pytest.raises(UsageError, match=r"computed in 8-bit integers|already has 8-bit integers") as caught:
        quantise(exhibit.model, exhibit.inputs)
    one_line(caught.value)


def test_int8_needs_something_to_calibrate_by() -> None:
    """No inputs, no scales."""
    with pytest.raises(UsageError, match="at least one"):
        quantise(DENSE, exhibit_of("dense, relu").inputs[:0])


def test_an_int8_model_can_be_saved_and_loaded(tmp_path: Path) -> None:
    """The same bytes, a quarter of the size, and it says that it cannot be trained."""
    whole = exhibit_of("int8, relu").model
    whole.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert again.pack() == whole.pack()
    for part in ("network", "genes"):
        with pytest.raises(UsageError, match="8-bit integers") as caught:
            getattr(again, part)
        one_line(caught.value)
