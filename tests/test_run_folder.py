"""Run folders that may have come from anybody: links, pipes and files of any content are refused or do no harm."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from genreg_np.errors import GenregError, RunError
from genreg_np.infer import load
from genreg_np.runs.result import Watcher
from genreg_np.runs.run_folder import RunFolder
from genreg_np.runs.training import resume, train
from tests.helpers import one_line, tiny_config, tiny_dataset

posix = pytest.mark.skipif(os.name != "posix", reason="links and FIFOs of POSIX")


def begun(folder: Path) -> Path:
    """Return a run folder whose run was stopped after two generations."""
    train(
        tiny_config(),
        tiny_dataset(),
        folder,
        backend="numpy",
        watcher=Watcher(should_stop=lambda: (folder / "metrics.jsonl").exists()),
    )
    return folder


def refused(folder: Path) -> str:
    """Return the line with which the folder is refused to be gone on with."""
    with pytest.raises(GenregError) as raised:
        resume(folder, dataset=tiny_dataset())
    return one_line(raised.value)


@posix
@pytest.mark.parametrize("name", RunFolder.own)
@pytest.mark.parametrize("there", [True, False], ids=["a file", "nothing"])
def test_nothing_is_written_or_made_through_a_link_in_a_new_run_folder(tmp_path: Path, name: str, there: bool) -> None:
    """A folder that holds a link by a name of ours is refused, whatever the link leads to."""
    folder, target = tmp_path / "run", tmp_path / "target"
    folder.mkdir()
    if there:
        target.write_text("the user's own")
    (folder / name).symlink_to(target)
    with pytest.raises(RunError, match=r"symbolic link|already holds a run") as raised:
        train(tiny_config(), tiny_dataset(), folder, backend="numpy")
    one_line(raised.value)
    assert (target.read_text() if there else target.exists()) == ("the user's own" if there else False)


@posix
@pytest.mark.parametrize("name", RunFolder.own)
def test_a_run_folder_with_a_link_is_not_gone_on_with(tmp_path: Path, name: str) -> None:
    """Links are refused by name, before anything is read or written."""
    folder = begun(tmp_path / "run")
    elsewhere = tmp_path / "elsewhere"
    (folder / name).rename(elsewhere) if (folder / name).exists() else elsewhere.mkdir()
    before = elsewhere.read_bytes() if elsewhere.is_file() else None
    (folder / name).symlink_to(elsewhere)
    assert f"its {name} is a symbolic link" in refused(folder)
    assert (elsewhere.read_bytes() if elsewhere.is_file() else None) == before


@posix
@pytest.mark.parametrize("name", [".lock", "config.toml", "metrics.jsonl", "checkpoint.npz"])
def test_a_pipe_in_a_run_folder_is_not_waited_for(tmp_path: Path, name: str) -> None:
    """Whatever opens it could wait for ever."""
    folder = begun(tmp_path / "run")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder)


@posix
def test_notes_that_are_a_pipe_are_as_good_as_absent(tmp_path: Path) -> None:
    """Nothing in run.json determines a result."""
    folder = begun(tmp_path / "run")
    (folder / "run.json").unlink()
    os.mkfifo(folder / "run.json")
    assert resume(folder, dataset=tiny_dataset()).ended == "generations"
    assert (folder / "run.json").is_file()


def test_only_our_own_leftovers_are_cleared_away(tmp_path: Path) -> None:
    """The folder may be one in which others keep their files."""
    mine, theirs = tmp_path / ".model.npz.0123abcd.tmp", tmp_path / ".editor.tmp"
    for path in (mine, theirs):
        path.touch()
    RunFolder.create(tmp_path).close()
    assert (mine.exists(), theirs.exists()) == (False, True)


DEEP = 100_000
CONFIGS: dict[str, bytes] = {
    "deep lists": b"seed = " + b"[" * DEEP,
    "deep tables": b"seed = " + b"{a=" * DEEP,
    "a deep key": b".".join([b"a"] * 3000) + b" = 1",
    "no UTF-8": b"dataset = '\xff'",
    "too long": b"#" * (1 << 21),
    "a number of many digits": b"seed = 1" + b"0" * 5000,
    "a date": b"seed = 2020-01-01",
    "not a number": b"mutation_scale = nan",
    "a table": b"[seed]\na = 1",
}


@pytest.mark.parametrize("name", list(CONFIGS))
def test_settings_that_are_none_are_refused(tmp_path: Path, name: str) -> None:
    folder = begun(tmp_path / "run")
    (folder / "config.toml").write_bytes(CONFIGS[name])
    assert refused(folder).startswith(str(folder / "config.toml")) or "must be" in refused(folder)


CHANGE = {"generation": 1, "setting": "mutation_scale", "old": 0.1, "new": 0.2}
TABLES: dict[str, dict[str, Any]] = {
    "origin of a number": {"origin": 3},
    "origin of a list": {"origin": [1]},
    "source of a number": {"origin": {"source": 3}},
    "data of a list": {"origin": {"data": ["x"]}},
    "data_dir of truth": {"origin": {"data_dir": True}},
    "backend of a list": {"origin": {"backend": []}},
    "a table in the origin": {"origin": {"more": {"a": 1}}},
    "changes of a number": {"changes": 3},
    "a change of a number": {"changes": [3]},
    "a change without a setting": {"changes": [{"generation": 1}]},
    "a change with more": {"changes": [CHANGE | {"more": 1}]},
    "a change at a word": {"changes": [CHANGE | {"generation": "1"}]},
    "a change of nobody": {"changes": [CHANGE | {"setting": 1}]},
    "a change to infinity": {"changes": [CHANGE | {"new": float("inf")}]},
    "a change to a table": {"changes": [CHANGE | {"new": {"a": 1}}]},
}


@pytest.mark.parametrize("name", list(TABLES))
def test_an_origin_or_changes_of_other_types_are_refused(tmp_path: Path, name: str) -> None:
    """They would go on into readers of datasets and into the model's header."""
    folder = begun(tmp_path / "run")
    (folder / "config.toml").write_text(tomli_w.dumps(tiny_config().to_dict() | TABLES[name]))
    assert "what train writes" in refused(folder)


@pytest.mark.parametrize("levels", [100, DEEP])
@pytest.mark.parametrize("name", ["run.json", "metrics.jsonl"])
def test_nesting_in_notes_and_metrics_does_no_harm(tmp_path: Path, name: str, levels: int) -> None:
    """Neither determines a result: what cannot be read is left out."""
    folder = begun(tmp_path / "run")
    deep = f'{{"generation": 10, "started": {"[" * levels}{"]" * levels}}}'
    (folder / name).write_text(deep + "\n")
    assert resume(folder, dataset=tiny_dataset()).ended == "generations"
    assert json.loads((folder / "run.json").read_text())["started"] is None or name == "metrics.jsonl"
    assert "[[[" not in (folder / name).read_text()
    assert load(folder / "model.npz").trained("generations") == 6
