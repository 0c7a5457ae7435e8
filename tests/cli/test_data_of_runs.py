"""The data of a run that goes on: named, moved, told by a stranger; and the command that is said to come next."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from genreg_np.cli import runs
from genreg_np.data import Dataset, load_dataset
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.training import resume, train
from tests.cli import FAST, one_line


@pytest.fixture
def table() -> Path:
    """A table whose label is not its last column."""
    rng = np.random.default_rng(0)
    rows = [
        f"{centre + rng.normal()},{kind},{rng.normal()}" for centre, kind in ((0, "ant"), (9, "bee")) for _ in range(20)
    ]
    Path("data").mkdir()
    Path("data/first.csv").write_text("x,kind,y\n" + "\n".join(rows) + "\n")
    return Path("data/first.csv")


def next_command(out: str) -> list[str]:
    """Return the command that is said to come next."""
    return shlex.split(re.search(r"try next:\n  genreg-np (.*)\n", out)[1])


@pytest.mark.parametrize("moved", [False, True])
def test_the_next_command_of_a_run_that_went_on_works(genreg, table: Path, moved: bool) -> None:
    """With the table and its column, wherever the table lies now, and named as short as can be."""
    call = ("train", "--dataset", table, "--label", "kind", "--out", "run", *FAST)
    named = []
    assert next_command(genreg(*call).out)[2:] == ["--dataset", "data/first.csv", "--label", "kind"]
    if moved:
        table.rename("second.csv")
        named = ["--dataset", "second.csv"]
    again = genreg("train", "--resume", "run", "--generations", 5, *named)
    assert f"dataset {named[1] if moved else table.absolute()}\n" in again.out
    command = next_command(again.out)
    assert command[2:] == ["--dataset", "second.csv" if moved else "data/first.csv", "--label", "kind"]
    done = genreg(*command)
    assert done.code == 0, done.err


def test_the_next_command_leaves_size_and_fit_to_the_model(genreg) -> None:
    image = pytest.importorskip("PIL.Image")
    for name, level in (("dark", 0), ("light", 200)):
        Path(f"pictures/{name}").mkdir(parents=True)
        for number in range(8):
            image.new("L", (9, 7), level + 5 * number).save(f"pictures/{name}/{number}.png")
    assert genreg("train", "--dataset", "pictures", "--size", "4x5", "--out", "run", *FAST, "--quiet").code == 0
    command = next_command(genreg("train", "--resume", "run", "--generations", 5).out)
    assert command[2:] == ["--dataset", "pictures"]
    assert genreg(*command).code == 0


def test_a_file_that_is_called_like_a_dataset_is_not_taken_for_it(table: Path) -> None:
    table.rename("digits")
    assert runs._shown(str(Path("digits").absolute())) == str(Path("digits").absolute())


def test_a_moved_dataset_is_asked_for_by_its_option(genreg, table: Path) -> None:
    assert genreg("train", "--dataset", table, "--label", "kind", "--out", "run", *FAST, "--quiet").code == 0
    table.rename("second.csv")
    line = one_line(genreg("train", "--resume", "run", "--generations", 5, "--quiet"), 1)
    assert str(table.absolute()) in line
    assert "--dataset PATH" in line


def test_a_dataset_that_was_named_is_found_from_any_folder(
    genreg, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is kept as an absolute one, at the start and where it is named again."""
    assert genreg("train", "--dataset", table, "--label", "kind", "--out", "run", *FAST, "--quiet").code == 0
    table.rename("second.csv")
    call = ("train", "--resume", "run", "--dataset", "second.csv", "--generations", 5, "--quiet")
    assert genreg(*call).code == 0
    monkeypatch.chdir("data")
    assert genreg("train", "--resume", "../run", "--generations", 6, "--quiet").code == 0


@pytest.mark.parametrize("command", ["train", "mixed"])
def test_a_run_folder_of_a_stranger_reads_no_file_unasked(genreg, table: Path, command: str) -> None:
    """Without a fingerprint it could name any file; named by the user, it is read, and known again from then on."""
    options = FAST if command == "train" else ["--network", "4,4", "--population", 2, "--generations", 1]
    options = [*options, *(["--no-figures", "--attack-images", 0] if command == "mixed" else [])]
    call = (command, "--dataset", table, "--label", "kind", "--backend", "numpy", "--out", "run", *options, "--quiet")
    assert genreg(*call).code == 0
    config = Path("run/config.toml")
    config.write_text(re.sub(r'data = ".*"\n', "", config.read_text()))
    undrawn = ["--no-figures"] if command == "mixed" else []
    again = (command, "--resume", "run", "--generations", 5, "--quiet", *undrawn)
    line = one_line(genreg(*again), 2)
    assert str(table.absolute()) in line
    assert "--dataset PATH" in line
    assert genreg(*again, "--dataset", table).code == 0
    assert genreg(command, "--resume", "run", "--generations", 6, "--quiet", *undrawn).code == 0


def run_on_arrays(**settings: object) -> tuple[np.ndarray, np.ndarray]:
    """Train on arrays, by a preset that is for MNIST, and keep the run; return them."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.integers(0, 255, (40, 4, 4)).astype(np.uint8), np.arange(40) % 2
    config = TrainConfig.from_preset("small", generations=2, population_size=20, **settings)
    train(config, Dataset.from_arrays(inputs, labels, name="digits"), "run", backend="numpy")
    return inputs, labels


@pytest.mark.parametrize("settings", [{}, {"dataset": "mnist"}, {"dataset": "gone.csv"}])
def test_a_run_on_arrays_in_memory_loads_nothing_in_their_place(
    genreg, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    """Whatever its settings and its data are called: it says so, from Python and on the command line."""
    inputs, labels = run_on_arrays(**settings)
    monkeypatch.setattr("genreg_np.runs.provenance.load_dataset", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(UsageError, match=r"run: this run's data were arrays in memory: pass dataset= to resume") as no:
        resume("run")
    assert len(str(no.value).splitlines()) == 1
    assert "arrays in memory: pass dataset=" in one_line(genreg("train", "--resume", "run", "--quiet"), 2)
    again = resume("run", dataset=Dataset.from_arrays(inputs, labels, name="digits"), changes={"generations": 3})
    assert again.generations == 3
    assert 'source = "arrays in memory"\n' in Path("run/config.toml").read_text()
    assert "was trained on 'digits (in memory)'" in one_line(genreg("eval", "run/model.npz"), 2)


def test_a_file_takes_the_place_of_arrays_in_memory_where_it_is_the_same(genreg) -> None:
    """By its fingerprint; the run then goes on with the file."""
    inputs, labels = run_on_arrays()
    np.savez("other.npz", x=inputs + 1, y=labels)
    np.savez("same.npz", x=inputs, y=labels)
    again = ("train", "--resume", "run", "--quiet", "--generations")
    assert "are not those this run began with" in one_line(genreg(*again, 3, "--dataset", "other.npz"), 1)
    assert genreg(*again, 3, "--dataset", "same.npz").code == 0
    assert genreg(*again, 4).code == 0


def test_what_was_loaded_from_python_is_loaded_so_again(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By its path and its options, from any folder, whatever the settings say; a named one by its name."""
    config = TrainConfig.from_preset("small", generations=2, population_size=20)
    for name, options in ((str(table), {"label": "kind"}), ("digits", {})):
        train(config, load_dataset(name, **options), f"run-{len(options)}", backend="numpy")
    monkeypatch.chdir("data")
    for number in (0, 1):
        assert resume(f"../run-{number}", changes={"generations": 3}).generations == 3


def test_a_named_dataset_needs_no_fingerprint(genreg) -> None:
    assert genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--quiet").code == 0
    config = Path("run/config.toml")
    config.write_text(re.sub(r'data = ".*"\n', "", config.read_text()))
    again = genreg("train", "--resume", "run", "--generations", 5)
    assert again.code == 0
    assert again.out.startswith("dataset digits\n")


def test_runs_that_begin_at_the_same_instant_get_a_folder_each() -> None:
    """A folder is taken by being made, not by being looked for."""
    folders = [runs.fresh_folder("digits", "small", 0) for _ in range(3)]
    assert [str(folder) for folder in folders] == [f"runs/digits-small-0{number}" for number in ("", "-2", "-3")]
    assert all(folder.is_dir() for folder in folders)


@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_a_default_folder_that_cannot_be_made_is_one_line(kind: str) -> None:
    """And no search without end."""
    if kind == "file":
        Path("runs").write_text("in the way")
    else:
        Path("runs").symlink_to("nowhere/at/all")
    with pytest.raises(RunError, match="--out"):
        runs.fresh_folder("digits", "small", 0)


def test_a_refused_run_leaves_no_default_folder(genreg) -> None:
    one_line(genreg("train", "--dataset", "digits", "--set", "fitness=custom", "--strategy", "genreg"), 2)
    assert not list(Path("runs").iterdir())
