"""A run on a fitness of one's own in a folder: saved by the clock, however it ends, and gone on with to the byte."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genreg_np
from genreg_np.errors import RunError, UsageError
from genreg_np.model import Model, Network
from genreg_np.runs.checkpoint import read_checkpoint
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.run_folder import RunFolder
from genreg_np.runs.training import resume, train
from tests.helpers import NETWORK, evolution, one_line, outcome, own, smallness, tiny_config, tiny_dataset

pytestmark = pytest.mark.filterwarnings("error")


class Hands:
    """A clock that shows what it is set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a run, without the time."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [record | {"seconds": 0} for record in found]


def loaded(folder: Path) -> Evolution:
    """Return the run of a folder as it was last saved."""
    return Evolution.load(folder / "checkpoint.npz", backend="numpy")


def perfect_if_first_gene_is_large(model: Model) -> float:
    """Be infinite now and then, undefined now and then."""
    first = float(model.genes[0])
    return np.inf if first > 0.6 else np.nan if first < -0.6 else first


class Interrupted:
    """A fitness that raises at its n-th call."""

    def __init__(self, call: int, error: BaseException) -> None:
        self.left, self.error = call, error

    def __call__(self, model: Model) -> float:
        self.left -= 1
        if self.left == 0:
            raise self.error
        return smallness(model)


def test_a_run_folder_holds_what_trains_does(tmp_path: Path) -> None:
    """Settings, notes, a line per generation, a checkpoint, and the best ever as the model."""
    run, heard = own(), []
    assert run.run(5, fitness=smallness, out=tmp_path / "run", on_record=heard.append) == "generations"
    names = {path.name for path in (tmp_path / "run").iterdir()}
    assert names == {".lock", "config.toml", "run.json", "metrics.jsonl", "checkpoint.npz", "model.npz"}
    assert lines(tmp_path / "run") == [record | {"seconds": 0} for record in heard]
    assert [record["generation"] for record in heard] == [1, 2, 3, 4, 5]
    model = genreg_np.load(tmp_path / "run/model.npz")
    assert model.genes.tobytes() == run.champions()["best_ever"].genes.tobytes()
    assert run.best_ever is not None
    assert model.training["fitness"] == run.best_ever.fitness == smallness(model)
    assert model.training["generation"] == run.best_ever.generation
    assert (model.training["generations"], model.training["seed"]) == (5, 3)
    notes = json.loads((tmp_path / "run/run.json").read_text())
    assert (notes["ended"], notes["generations"]) == ("generations", 5)
    assert notes["best_ever"] == run.best_ever.facts()
    with RunFolder.open(tmp_path / "run") as folder:
        config, changes, origin = folder.read_config()
    assert config == run.config
    assert changes == []
    assert origin == {"fitness": "tests.helpers.smallness", "rescore": 0, "episodes": 1, "backend": "numpy"}


def test_a_folder_changes_nothing_about_the_run(tmp_path: Path) -> None:
    """Kept or not, it ends in the same state."""
    kept, free = own(), own()
    kept.run(4, fitness=smallness, out=tmp_path / "run")
    free.run(4, fitness=smallness)
    assert outcome(kept) == outcome(free)


@pytest.mark.parametrize("fitness", [smallness, perfect_if_first_gene_is_large])
@pytest.mark.parametrize("stop", [0, 1, 3])
@pytest.mark.parametrize("rescore", [0, 2])
def test_gone_on_with_a_run_ends_in_the_bytes_of_one_never_stopped(
    tmp_path: Path, fitness: Callable[[Model], float], stop: int, rescore: int
) -> None:
    """Stopped after any generation: the model, the metrics and the state are equal; every line is valid JSON."""
    own().run(6, fitness=fitness, rescore=rescore, out=tmp_path / "whole")
    seen: list[object] = []
    own().run(
        6,
        fitness=fitness,
        rescore=rescore,
        out=tmp_path / "run",
        on_record=seen.append,
        should_stop=lambda: len(seen) >= stop,
    )
    assert json.loads((tmp_path / "run/run.json").read_text())["ended"] == "stopped"
    again = loaded(tmp_path / "run")
    assert again.generation == stop
    again.run(6, fitness=fitness, rescore=rescore, out=tmp_path / "run")
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    assert outcome(loaded(tmp_path / "run")) == outcome(loaded(tmp_path / "whole"))
    assert "Infinity" not in (tmp_path / "run/metrics.jsonl").read_text()
    assert "NaN" not in (tmp_path / "run/metrics.jsonl").read_text()
    notes = json.loads((tmp_path / "run/run.json").read_text())
    assert [resumed["generation"] for resumed in notes["resumes"]] == [stop]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("mine"), SystemExit(3)], ids=repr)
@pytest.mark.parametrize("call", [1, 50, 60])
def test_a_run_that_ends_by_an_exception_is_saved_and_can_go_on(
    tmp_path: Path, error: BaseException, call: int
) -> None:
    """The exception reaches the caller; what was scored in whole generations is in the folder."""
    own().run(5, fitness=smallness, out=tmp_path / "whole")
    run = Evolution(tiny_config(), network=NETWORK, backend="numpy", clock=Hands())  # nothing is saved by the time
    with pytest.raises(type(error)) as raised:
        run.run(5, fitness=Interrupted(call, error), out=tmp_path / "run")
    assert raised.value is error
    ended = json.loads((tmp_path / "run/run.json").read_text())["ended"]
    assert ended == ("failed" if isinstance(error, ValueError) else "interrupted")
    again = loaded(tmp_path / "run")
    assert again.generation == run.generation == (call - 1) // 20
    assert (tmp_path / "run/model.npz").exists() == (again.generation > 0)
    again.run(5, fitness=smallness, out=tmp_path / "run")
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")


def test_a_generation_without_a_record_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between selecting and recording: no line is missing afterwards."""
    own().run(5, fitness=smallness, out=tmp_path / "whole")
    run = own()
    real = RunFolder.record

    def interrupted(folder: RunFolder, line: dict[str, Any]) -> None:
        if line["generation"] == 3:
            raise KeyboardInterrupt
        real(folder, line)

    monkeypatch.setattr(RunFolder, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.run(5, fitness=smallness, out=tmp_path / "run")
    monkeypatch.undo()
    again = loaded(tmp_path / "run")
    assert again.generation == run.generation == 2
    again.run(5, fitness=smallness, out=tmp_path / "run")
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


@pytest.mark.parametrize("killed_after", [1, 2, 3, 4])
def test_a_run_that_was_killed_goes_on_from_its_last_save(tmp_path: Path, killed_after: int) -> None:
    """Saved at the start, then whenever thirty seconds have gone by; lines past the checkpoint are cut away."""
    own().run(6, fitness=smallness, out=tmp_path / "whole")
    clock, saved, times = Hands(), [], [10, 31, 60, 70, 100, 100]  # when generations end
    clock.now = times[0]

    def keep_a_copy(record: dict[str, Any]) -> None:
        clock.now = times[record["generation"] % 6]
        saved.append(read_checkpoint(tmp_path / "run/checkpoint.npz")[1]["generation"])
        if record["generation"] == killed_after:
            shutil.copytree(tmp_path / "run", tmp_path / "killed")

    run = Evolution(tiny_config(), network=NETWORK, backend="numpy", clock=clock)
    run.run(6, fitness=smallness, out=tmp_path / "run", on_record=keep_a_copy)
    assert saved == [0, 0, 3, 3, 5, 5]
    again = loaded(tmp_path / "killed")
    assert again.generation == saved[killed_after - 1]
    again.run(6, fitness=smallness, out=tmp_path / "killed")
    assert (tmp_path / "killed/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert lines(tmp_path / "killed") == lines(tmp_path / "whole")


def test_a_folder_killed_before_its_first_save_takes_the_run_from_the_start(tmp_path: Path) -> None:
    """It has settings and nothing else; with other settings it is another run."""
    own().run(2, fitness=smallness, out=tmp_path / "whole")
    own().run(0, fitness=smallness, out=tmp_path / "run")
    (tmp_path / "run/checkpoint.npz").unlink()
    with pytest.raises(UsageError, match="seed cannot be changed"):
        own(seed=4).run(2, fitness=smallness, out=tmp_path / "run")
    own().run(2, fitness=smallness, out=tmp_path / "run")
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


def test_the_same_evolution_goes_on_in_its_folder(tmp_path: Path) -> None:
    """Without being loaded: first some generations, then more."""
    own().run(5, fitness=smallness, out=tmp_path / "whole")
    run = own()
    for total in (2, 5, 5):
        run.run(total, fitness=smallness, out=tmp_path / "run")
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


@pytest.mark.parametrize(
    "other",
    [own, lambda: own(seed=9), lambda: Evolution(tiny_config(), network=Network.build((3,), (5,), 2), backend="numpy")],
    ids=["the same from the start", "another seed", "another network"],
)
def test_a_folder_that_holds_another_run_is_refused(tmp_path: Path, other: Callable[[], Evolution]) -> None:
    """The line says how to go on with what is there, which stays as it was."""
    own().run(3, fitness=smallness, out=tmp_path / "run")
    before = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    with pytest.raises(RunError, match=r"at generation 3.*Evolution\.load") as raised:
        other().run(5, fitness=smallness, out=tmp_path / "run")
    assert one_line(raised.value).startswith(f"{tmp_path / 'run'}: ")
    assert {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()} == before
    loaded(tmp_path / "run").run(4, fitness=smallness, out=tmp_path / "run")  # and nobody holds it any more


def test_runs_on_a_dataset_and_on_a_fitness_of_ones_own_do_not_take_each_others_folders(tmp_path: Path) -> None:
    """Each names the way that is right for what is there."""
    train(tiny_config(), tiny_dataset(), tmp_path / "dataset", backend="numpy")
    with pytest.raises(RunError, match="holds a run on a dataset") as raised:
        own().run(2, fitness=smallness, out=tmp_path / "dataset")
    one_line(raised.value)
    own().run(2, fitness=smallness, out=tmp_path / "own")
    with pytest.raises(UsageError, match=r"Evolution\.load") as refused:
        resume(tmp_path / "own", dataset=tiny_dataset())
    one_line(refused.value)


def test_a_folder_is_held_while_the_run_goes_on(tmp_path: Path) -> None:
    """Nobody else writes into it."""

    def intrude(record: object) -> None:
        with pytest.raises(RunError, match="another process"):
            RunFolder.open(tmp_path / "run")

    own().run(1, fitness=smallness, out=tmp_path / "run", on_record=intrude)
    RunFolder.open(tmp_path / "run").close()


def test_a_setting_changed_in_mid_run_is_logged(tmp_path: Path) -> None:
    """In config.toml and in the model, as with train."""
    own().run(2, fitness=smallness, out=tmp_path / "run")
    again = loaded(tmp_path / "run")
    again.change(mutation_scale=0.5)
    again.run(4, fitness=smallness, out=tmp_path / "run")
    event = {"generation": 2, "setting": "mutation_scale", "old": 0.1, "new": 0.5}
    assert genreg_np.load(tmp_path / "run/model.npz").training["changes"] == [event]
    with RunFolder.open(tmp_path / "run") as folder:
        assert folder.read_config()[1] == [event]


def test_a_full_disk_is_one_clear_error_and_not_hidden_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was saved before is untouched, and what failed first is what is raised."""
    run = own()

    def full(folder: RunFolder, line: dict[str, Any]) -> None:
        raise RunError("metrics.jsonl: cannot be written (No space left on device)")

    monkeypatch.setattr(RunFolder, "record", full)
    with pytest.raises(RunError, match=r"metrics\.jsonl") as raised:
        run.run(2, fitness=smallness, out=tmp_path / "run")
    one_line(raised.value)
    assert loaded(tmp_path / "run").generation == 0


def test_a_dataset_may_go_with_a_fitness_of_ones_own(tmp_path: Path) -> None:
    """The dataset's classes and inputs are in the model, no path is."""
    run = evolution(dataset="/home/me/pictures")
    run.run(2, fitness=smallness, out=tmp_path / "run")
    model = genreg_np.load(tmp_path / "run/model.npz")
    assert model.class_names == tiny_dataset().class_names
    assert b"/home/me" not in (tmp_path / "run/model.npz").read_bytes()
    again = Evolution.load(tmp_path / "run/checkpoint.npz", tiny_dataset(), backend="numpy")
    assert isinstance(again.config, TrainConfig)
    assert again.run(3, fitness=smallness, out=tmp_path / "run") == "generations"


def test_workers_and_a_folder_go_together(tmp_path: Path) -> None:
    """With two processes, the bytes of one."""
    own().run(2, fitness=smallness, out=tmp_path / "alone")
    own().run(2, fitness=smallness, workers=2, out=tmp_path / "shared")
    assert (tmp_path / "alone/model.npz").read_bytes() == (tmp_path / "shared/model.npz").read_bytes()
