"""Runs: stopped, killed, resumed, changed in mid-run, held by a lock; the files are always whole."""

from __future__ import annotations

import itertools
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from genreg_np import files
from genreg_np.errors import RunError, UsageError
from genreg_np.infer import load
from genreg_np.runs.checkpoint import read_checkpoint
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.result import Watcher
from genreg_np.runs.run_folder import RunFolder
from genreg_np.runs.training import resume, train
from genreg_np.strategies import REGISTRY
from tests.helpers import CPU_BACKENDS, PATIENCE, Clock, dataset_for, one_line, tiny_config, tiny_dataset


def finish(folder: Path, backend: str = "numpy", **changes: object) -> bytes:
    """Train the tiny run to its end and return the model's bytes."""
    dataset = dataset_for(str(changes.get("strategy")), tiny_dataset())
    train(tiny_config(**changes), dataset, folder, backend=backend)
    return (folder / "model.npz").read_bytes()


def stop_after(generations: int) -> Watcher:
    """Return a watcher that stops a run after so many generations."""
    seen: list[object] = []
    return Watcher(on_record=seen.append, should_stop=lambda: len(seen) >= generations)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("at", [1, pytest.param(2, marks=pytest.mark.soak), 5])
@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_resume_ends_byte_identical_to_a_run_never_stopped(
    tmp_path: Path, strategy: str, backend: str, at: int
) -> None:
    whole = finish(tmp_path / "whole", backend, strategy=strategy)
    config, dataset = tiny_config(strategy=strategy), dataset_for(strategy, tiny_dataset())
    stopped = train(config, dataset, tmp_path / "run", backend=backend, watcher=stop_after(at))
    assert stopped.ended == "stopped"
    assert stopped.test == {}, "a stopped run does not look at the test split"
    result = resume(tmp_path / "run", dataset=dataset)
    assert result.ended == "generations"
    assert (tmp_path / "run/model.npz").read_bytes() == whole


def test_metrics_of_a_resumed_run_are_those_of_a_run_never_stopped(tmp_path: Path) -> None:
    finish(tmp_path / "whole")
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(3))
    with (tmp_path / "run/metrics.jsonl").open("a") as file:
        file.write('{"generation": 4, "lost": true}\n{"generation": 5, "best_tr')
    resume(tmp_path / "run", dataset=tiny_dataset())

    def lines(name: str) -> list[dict[str, object]]:
        found = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [{key: value for key, value in line.items() if key != "seconds"} for line in found]

    assert lines("run") == lines("whole")


def test_seconds_go_on_and_leave_out_the_time_between(tmp_path: Path) -> None:
    """By a clock that has gone on by a million seconds in between."""
    tick = 2.0**-10
    stopping = {"backend": "numpy", "watcher": stop_after(3), "clock": Clock(tick)}
    first = train(tiny_config(), tiny_dataset(), tmp_path / "run", **stopping)
    second = resume(tmp_path / "run", dataset=tiny_dataset(), clock=Clock(tick, start=1e6))
    saved = [json.loads(line)["seconds"] for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    steps = [later - sooner for sooner, later in itertools.pairwise(saved)]
    assert steps == pytest.approx([tick, tick, 2 * tick, tick, tick], abs=1e-5), "what a resumed run prepares counts"
    assert second.seconds > first.seconds > saved[2]


def test_raising_the_total_goes_on_as_if_it_had_been_the_total(tmp_path: Path) -> None:
    whole = finish(tmp_path / "whole", generations=9)
    finish(tmp_path / "run", generations=6)
    resume(tmp_path / "run", dataset=tiny_dataset(), changes={"generations": 9})
    assert (tmp_path / "run/model.npz").read_bytes() == whole


def test_a_rate_changed_in_mid_run_is_used_and_logged(tmp_path: Path) -> None:
    unchanged = finish(tmp_path / "whole")
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(3))
    resume(tmp_path / "run", dataset=tiny_dataset(), changes={"child_mutation_rate": 0.5})
    event = {"generation": 3, "setting": "child_mutation_rate", "old": 0.07, "new": 0.5}
    training = load(tmp_path / "run/model.npz").header["training"]
    assert training["changes"] == [event]
    assert training["config"]["child_mutation_rate"] == 0.5
    assert 'setting = "child_mutation_rate"' in (tmp_path / "run/config.toml").read_text()
    assert load(tmp_path / "run/model.npz").arrays["layers.0.weight"].tobytes() not in unchanged


def test_a_change_survives_a_kill_before_the_next_save(tmp_path: Path) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(3))

    def die() -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        resume(
            tmp_path / "run", dataset=tiny_dataset(), changes={"mutation_scale": 0.3}, watcher=Watcher(should_stop=die)
        )
    resume(tmp_path / "run", dataset=tiny_dataset())
    changes = load(tmp_path / "run/model.npz").header["training"]["changes"]
    assert [change["setting"] for change in changes] == ["mutation_scale"]


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", [9]), ("seed", 4), ("weight_range", 0.1), ("activation", "relu")]
)
def test_a_change_that_cannot_apply_is_refused_with_the_reason(tmp_path: Path, name: str, value: object) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(2))
    with pytest.raises(UsageError, match=rf"{name} cannot be changed .*: .+"):
        resume(tmp_path / "run", dataset=tiny_dataset(), changes={name: value})


def test_population_and_batch_may_change_in_mid_run(tmp_path: Path) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(2))
    changes = {"population_size": 12, "images_per_class": 3, "survival_cutoff": 0.5, "elites": 2}
    result = resume(tmp_path / "run", dataset=tiny_dataset(), changes=changes)
    assert result.generations == 6


def test_data_that_changed_since_are_refused(tmp_path: Path) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(2))
    with pytest.raises(RunError, match="not those this run began with"):
        resume(tmp_path / "run", dataset=tiny_dataset(noise=41.0))


def test_a_run_stopped_before_its_first_generation_can_go_on(tmp_path: Path) -> None:
    whole = finish(tmp_path / "whole")
    result = train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(0))
    assert (result.ended, result.generations, result.model) == ("stopped", 0, None)
    resume(tmp_path / "run", dataset=tiny_dataset())
    assert (tmp_path / "run/model.npz").read_bytes() == whole


def test_a_run_from_a_model_stopped_at_once_still_starts_from_it(tmp_path: Path) -> None:
    start = train(tiny_config(), tiny_dataset(), tmp_path / "start", backend="numpy").model
    for name, watcher in (("whole", None), ("run", stop_after(0))):
        train(tiny_config(), tiny_dataset(), tmp_path / name, backend="numpy", initial=start, watcher=watcher)
    resume(tmp_path / "run", dataset=tiny_dataset())
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert (tmp_path / "run/model.npz").read_bytes() != finish(tmp_path / "other")


def test_a_run_that_reached_its_target_is_not_trained_on(tmp_path: Path) -> None:
    learning = {"fitness": "log-probability", "trust_decay": 1.0, "trust_decay_per": "generation"}
    reached = finish(tmp_path / "run", target=0.5, generations=200, **learning)
    assert load(tmp_path / "run/model.npz").header["training"]["generations"] < 200
    assert resume(tmp_path / "run", dataset=tiny_dataset()).ended == "target"
    assert (tmp_path / "run/model.npz").read_bytes() == reached


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_a_budget_becomes_a_total_before_the_first_generation(tmp_path: Path, strategy: str) -> None:
    """A run stopped at once has its number of generations in config.toml, and ends as a run of that number."""
    config, dataset = tiny_config(strategy=strategy, generations=100_000), dataset_for(strategy, tiny_dataset())
    budget = {"budget_seconds": 0.5, "clock": Clock(0.01)}
    train(config, dataset, tmp_path / "run", backend="numpy", watcher=stop_after(1), **budget)
    result = resume(tmp_path / "run", dataset=dataset)
    assert result.ended == "generations"
    assert 1 < result.generations < 100_000
    assert f"generations = {result.generations}\n" in (tmp_path / "run/config.toml").read_text()
    whole = finish(tmp_path / "whole", strategy=strategy, generations=result.generations)
    assert (tmp_path / "run/model.npz").read_bytes() == whole


def test_a_budget_shorter_than_a_generation_is_refused(tmp_path: Path) -> None:
    """The line says how long a generation takes, and no folder is left."""
    with pytest.raises(UsageError, match="too short") as raised:
        train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", budget_seconds=1, clock=Clock(9.0))
    one_line(raised.value)
    assert not (tmp_path / "run").exists()


def interrupted(number: int) -> bool:
    raise KeyboardInterrupt


@pytest.mark.parametrize("by", ["stop", "interrupt", "kill"])
def test_a_run_stopped_while_its_budget_is_measured_has_all_of_it_when_it_goes_on(tmp_path: Path, by: str) -> None:
    """Whatever ended it: it then has the generations of a run that was not stopped, none of its preset's."""
    call = {"backend": "numpy", "budget_seconds": 0.5}
    whole = train(tiny_config(), tiny_dataset(), tmp_path / "whole", clock=Clock(0.01), **call)
    folder = tmp_path / "run"
    if by == "stop":
        result = train(tiny_config(), tiny_dataset(), folder, watcher=stop_after(0), **call)
        assert (result.ended, result.generations, result.model) == ("stopped", 0, None)
    elif by == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config(), tiny_dataset(), folder, watcher=Watcher(should_stop=lambda: interrupted(1)), **call)
    else:
        if not hasattr(os, "fork"):
            pytest.skip("kills are made with fork")
        if (child := os.fork()) == 0:
            train(tiny_config(), tiny_dataset(), folder, watcher=Watcher(should_stop=lambda: os._exit(9)), **call)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert "budget = 0.5" in (folder / "config.toml").read_text()
    again = resume(folder, dataset=tiny_dataset(), clock=Clock(0.01))
    assert again.generations == whole.generations != tiny_config().generations
    assert (folder / "model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()
    assert "budget" not in (folder / "config.toml").read_text()


@pytest.mark.parametrize("strategy", ["genreg", "node-perturbation"])
def test_a_total_that_is_named_takes_the_place_of_a_budget(tmp_path: Path, strategy: str) -> None:
    """Of an annealed run too, of which no step has been planned yet: it is the run of that length from the start."""
    config, call = tiny_config(strategy=strategy), {"budget_seconds": 9.0, "watcher": stop_after(0)}
    train(config, tiny_dataset(), tmp_path / "run", backend="numpy", **call)
    assert resume(tmp_path / "run", dataset=tiny_dataset(), changes={"generations": 4}).generations == 4
    assert (tmp_path / "run/model.npz").read_bytes() == finish(tmp_path / "whole", strategy=strategy, generations=4)


@pytest.mark.parametrize("budget", ['"much"', "-1.0", "nan", "inf", "true", "[1]"])
def test_a_budget_in_a_run_folder_that_is_no_number_of_seconds_is_one_line(tmp_path: Path, budget: str) -> None:
    call = {"budget_seconds": 9.0, "watcher": stop_after(0)}
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", **call)
    path = tmp_path / "run/config.toml"
    path.write_text(path.read_text().replace("budget = 9.0", f"budget = {budget}"))
    with pytest.raises(RunError, match="budget") as raised:
        resume(tmp_path / "run", dataset=tiny_dataset())
    one_line(raised.value)


@pytest.mark.parametrize("tick", [1.0, 40.0])
def test_a_run_is_saved_by_its_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tick: float) -> None:
    """Every thirty seconds: a clock that goes fast saves after each generation, one that goes slowly at the end."""
    saved: list[int] = []
    real = Evolution.pack
    monkeypatch.setattr(Evolution, "pack", lambda evolution: saved.append(evolution.generation) or real(evolution))
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", clock=Clock(tick))
    assert saved == ([1, 2, 3, 4, 5, 6, 6] if tick > 30 else [6])


def test_another_total_of_an_annealed_run_needs_extend(tmp_path: Path) -> None:
    """Its steps are planned by the total: without the word it is refused, with it the change is logged."""
    finish(tmp_path / "run", strategy="node-perturbation")
    more = {"generations": 9}
    with pytest.raises(UsageError, match="--extend") as raised:
        resume(tmp_path / "run", dataset=tiny_dataset(), changes=more)
    one_line(raised.value)
    result = resume(tmp_path / "run", dataset=tiny_dataset(), changes=more, extend=True)
    assert result.generations == 9
    event = {"generation": 6, "setting": "generations", "old": 6, "new": 9}
    assert load(tmp_path / "run/model.npz").header["training"]["changes"] == [event]


def test_a_start_that_fails_leaves_no_folder(tmp_path: Path) -> None:
    for bad in ({"elites": 15}, {"fitness": "custom"}):
        with pytest.raises(UsageError):
            train(tiny_config(**bad), tiny_dataset(), tmp_path / "run", backend="numpy")
        assert not (tmp_path / "run").exists()


def test_a_run_remembers_its_backend_and_settings_without_run_json(tmp_path: Path) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(2))
    (tmp_path / "run/run.json").unlink()
    resume(tmp_path / "run", dataset=tiny_dataset())
    assert json.loads((tmp_path / "run/run.json").read_text())["backend"] == "numpy"


def test_fewer_generations_than_done_are_refused(tmp_path: Path) -> None:
    finish(tmp_path / "run")
    with pytest.raises(UsageError, match="already done"):
        resume(tmp_path / "run", dataset=tiny_dataset(), changes={"generations": 3})


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(tiny_config(), [], {})
        with pytest.raises(RunError, match="another process"):
            RunFolder.create(tmp_path / "run")
        with pytest.raises(RunError, match="another process"):
            RunFolder.open(tmp_path / "run")
    RunFolder.open(tmp_path / "run").close()


def test_a_finished_run_is_never_overwritten(tmp_path: Path) -> None:
    before = finish(tmp_path / "run")
    with pytest.raises(RunError, match="--resume"):
        train(tiny_config(seed=9), tiny_dataset(), tmp_path / "run", backend="numpy")
    assert (tmp_path / "run/model.npz").read_bytes() == before


def test_resume_of_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no run"):
        resume(tmp_path / "nowhere")


@pytest.mark.parametrize("damage", ["truncated", "random", "empty", "state"])
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    finish(tmp_path / "run")
    path = tmp_path / "run/checkpoint.npz"
    content = path.read_bytes()
    path.write_bytes({
        "truncated": content[: len(content) // 2], "random": b"\x07" * 999, "empty": b"",
        "state": content.replace(b"survivors", b"survivers"),
    }[damage])  # fmt: skip
    with pytest.raises(RunError) as caught:
        resume(tmp_path / "run", dataset=tiny_dataset())
    assert len(str(caught.value).splitlines()) == 1
    assert "checkpoint.npz" in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(RunError, match="cannot be written"):
            train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


def test_a_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="cannot be written"):
        train(tiny_config(), tiny_dataset(), tmp_path / "file" / "run", backend="numpy")


@pytest.mark.parametrize("name", ["checkpoint.npz", "model.npz", "run.json"])
def test_a_full_disk_loses_nothing_that_was_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    train(tiny_config(), tiny_dataset(), tmp_path / "run", backend="numpy", watcher=stop_after(3))
    before = (tmp_path / "run" / name).read_bytes()
    real = files.os.fsync
    full = False

    def fsync(descriptor: int) -> None:
        if full:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)

    def fill(record: object) -> None:
        nonlocal full
        full = True

    with pytest.raises(RunError, match="No space left on device"):
        resume(tmp_path / "run", dataset=tiny_dataset(), watcher=Watcher(on_record=fill))
    if name != "run.json":  # which was rewritten, whole, when the run went on
        assert (tmp_path / "run" / name).read_bytes() == before
    assert not list((tmp_path / "run").glob("*.tmp")) + list((tmp_path / "run").glob(".*.tmp"))
    full = False
    resume(tmp_path / "run", dataset=tiny_dataset())
    assert (tmp_path / "run/model.npz").read_bytes() == finish(tmp_path / "whole")


COMMAND = [sys.executable, "-c", "from genreg_np.cli import main; main()"]
LONG = ["train", "--preset", "small", "--generations", "100000", "--backend", "numpy", "--set", "population_size=20",
        "--out", "run", "--quiet"]  # fmt: skip


def start_long_run(folder: Path) -> subprocess.Popen[bytes]:
    """Start a run that would take minutes, and wait until it has recorded a few generations."""
    process = subprocess.Popen([*COMMAND, *LONG], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    metrics = folder / "run/metrics.jsonl"
    deadline = time.monotonic() + PATIENCE
    while not (metrics.exists() and metrics.read_text().count("\n") > 5):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_says_how_to_go_on_and_exits_130(tmp_path: Path, number: signal.Signals) -> None:
    process = start_long_run(tmp_path)
    process.send_signal(number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    saved, state = read_checkpoint(tmp_path / "run/checkpoint.npz")
    lines = (tmp_path / "run/metrics.jsonl").read_text().splitlines()
    assert state["generation"] == len(lines), "nothing recorded is lost"
    assert saved.seconds > 0
    assert load(tmp_path / "run/model.npz").output_count == 10


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_run_can_go_on_and_frees_its_folder(tmp_path: Path) -> None:
    process = start_long_run(tmp_path)
    process.kill()
    process.communicate(timeout=PATIENCE)
    again = [*COMMAND, "train", "--resume", "run", "--generations", "12", "--quiet"]
    done = subprocess.run(again, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert load(tmp_path / "run/model.npz").header["training"]["generations"] == 12
