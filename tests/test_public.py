"""The public names together: from arrays to a model that is asked, with and without a folder."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genreg_np
from genreg_np import backends
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.no_folder import NoFolder
from tests.helpers import NETWORK, TINY, Clock, dataset_for, one_line, own, tiny_config, tiny_dataset

DATA = tiny_dataset()


def stop_after(generations: int) -> genreg_np.Watcher:
    seen: list[dict[str, Any]] = []
    return genreg_np.Watcher(on_record=seen.append, should_stop=lambda: len(seen) >= generations)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("strategy", list(TINY))
def test_training_without_a_folder_writes_nothing_and_gives_the_same(empty: Path, strategy: str) -> None:
    """The same bytes of the model, and the same result but for the folder and the seconds."""
    config, data = tiny_config(strategy=strategy), dataset_for(strategy, DATA)
    bare = genreg_np.train(config, data, backend="numpy")
    assert list(empty.iterdir()) == []
    kept = genreg_np.train(config, data, "run", backend="numpy")
    assert bare.model is not None
    assert bare.model.pack() == (empty / "run/model.npz").read_bytes()
    assert bare.run is None
    for name in ("genome", "generations", "ended", "validation"):
        assert getattr(bare, name) == getattr(kept, name)
    assert bare.test_accuracy == kept.test_accuracy == bare.test[bare.genome].accuracy
    assert bare.validation_accuracy == kept.validation[kept.genome]


def test_a_budget_a_start_and_a_watcher_need_no_folder(empty: Path) -> None:
    """What goes with a folder goes without: the same number of generations, phases, records and bytes."""
    start = genreg_np.train(tiny_config(seed=9), DATA, backend="numpy").model
    found = []
    for out in (None, "run"):
        phases: list[str] = []
        records: list[dict[str, Any]] = []
        paths: list[Path | None] = []
        watcher = genreg_np.Watcher(
            on_start=lambda evolution, folder, paths=paths: paths.append(folder.path),
            on_record=records.append,
            on_phase=lambda phase, folder, phases=phases: phases.append(phase),
        )
        how = {"budget_seconds": 0.5, "initial": start, "watcher": watcher, "clock": Clock(0.01)}
        result = genreg_np.train(tiny_config(), DATA, out, backend="numpy", **how)
        assert paths == [out and Path(out)]
        assert len(records) == result.generations > 1
        found.append((phases, records, result.generations, result.model.pack()))
        assert (empty / "run").exists() == (out is not None)
    assert found[0] == found[1]


def test_a_run_without_a_folder_is_not_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints of large populations take memory: none is made for nothing."""
    monkeypatch.setattr(genreg_np.Evolution, "pack", lambda evolution: pytest.fail("packed"))
    genreg_np.train(tiny_config(), DATA, backend="numpy", clock=Clock(40.0))


def test_no_folder_takes_what_a_run_folder_takes() -> None:
    """Its methods are a run folder's, with the same parameters."""
    from genreg_np.runs.run_folder import RunFolder

    for name, method in inspect.getmembers(NoFolder, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(method).parameters) == list(
                inspect.signature(getattr(RunFolder, name)).parameters
            )


@pytest.mark.parametrize("budget", [0, -1.0, float("nan"), float("inf"), 10**400, True, "60s"])
def test_a_budget_that_is_no_number_of_seconds_is_one_line(empty: Path, budget: Any) -> None:
    """With a folder or without, and none is begun."""
    for out in (None, "run"):
        with pytest.raises(UsageError, match="budget_seconds = ") as error:
            genreg_np.train(tiny_config(), DATA, out, backend="numpy", budget_seconds=budget)
        one_line(error.value)
    assert list(empty.iterdir()) == []


def test_arrays_in_the_place_of_a_dataset_are_told_the_way(empty: Path) -> None:
    """What users of other libraries try first; no folder is begun."""
    inputs, labels = DATA.train.inputs, DATA.train.labels
    for call in (genreg_np.train, genreg_np.Evolution):
        with pytest.raises(UsageError, match=r"dataset must be a Dataset, not tuple: Dataset\.from_arrays") as error:
            call(tiny_config(), (inputs, labels))
        one_line(error.value)
        with pytest.raises(UsageError, match="config must be a TrainConfig, not ndarray") as error:
            call(inputs, labels)
        one_line(error.value)
    with pytest.raises(UsageError, match="not tuple"):
        genreg_np.train(tiny_config(), (inputs, labels), "run")
    assert list(empty.iterdir()) == []


def test_nothing_in_the_place_of_settings_or_data_is_one_line(empty: Path) -> None:
    """No folder is begun."""
    for arguments, name in (((None, DATA), "config"), ((tiny_config(), None), "dataset")):
        with pytest.raises(UsageError, match=f"{name} must be a .*, not NoneType: ") as error:
            genreg_np.train(*arguments, "run")
        one_line(error.value)
    for call in (lambda: genreg_np.train(tiny_config(), DATA, "run", watcher=print), lambda: resume_with(print)):
        with pytest.raises(UsageError, match=r"watcher must be a Watcher, not builtin_function") as error:
            call()
        one_line(error.value)
    assert list(empty.iterdir()) == []


def resume_with(watcher: Any) -> None:
    genreg_np.resume("run", watcher=watcher)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"network": (4, 3, 2)}, r"network must be a Network, not tuple: Network\.build"),
        ({"initial": "m.npz"}, r'initial must be a Model, not str: load\("model.npz"\) reads one'),
        ({"backend": None}, r"backend must be a name \(auto, cpu, numpy, .*\) or a Backend, not NoneType"),
        ({"backend": backends.create("numpy"), "threads": 2}, "threads = 2 needs a backend's name"),
        ({"input_range": 5}, "input_range = 5 must be the smallest and largest raw value"),
        ({"input_range": (5, 1)}, r"input_range = \(5, 1\) must be"),
        ({"input_range": (0, float("nan"))}, "input_range = .* must be"),
        ({"class_names": "ab"}, "class_names = 'ab' must be a list of names"),
        ({"class_names": ("a", "b", "c")}, "3 class_names, but the network has 2 outputs"),
    ],
)
def test_what_an_evolution_cannot_be_made_of_is_one_line(arguments: dict[str, Any], words: str) -> None:
    """When it is made, not when its first model is."""
    with pytest.raises(UsageError, match=words) as error:
        genreg_np.Evolution(tiny_config(), **{"network": NETWORK, "backend": "numpy"} | arguments)
    one_line(error.value)


def test_names_and_a_range_of_any_kind_are_a_models() -> None:
    """Lists, NumPy's text and numbers."""
    names, ends = np.array(["no", "yes"]), np.array([0, 255])
    evolution = genreg_np.Evolution(
        tiny_config(), network=NETWORK, class_names=names, input_range=ends, backend="numpy"
    )
    evolution.run(1, fitness=lambda model: float(model.genes[0]))
    assert evolution.champion().class_names == ("no", "yes")
    assert evolution.champion().input_range == (0.0, 255.0)


def test_numpys_numbers_are_seconds(empty: Path) -> None:
    """In config.toml, too."""
    for number in (np.float32(0.5), np.float64(0.5), np.int64(9)):
        out = f"run-{type(number).__name__}"
        genreg_np.train(tiny_config(), DATA, out, backend="numpy", budget_seconds=number, watcher=stop_after(0))
        assert f"budget = {float(number)!r}\n" in (empty / out / "config.toml").read_text()


def test_a_run_needs_a_folder_to_be_gone_on_with(empty: Path) -> None:
    """A run folder of arrays goes on with the same arrays."""
    whole = genreg_np.train(tiny_config(), DATA, backend="numpy")
    genreg_np.train(tiny_config(), DATA, "run", backend="numpy", watcher=stop_after(3))
    result = genreg_np.resume("run", dataset=DATA)
    assert result.model.pack() == whole.model.pack()
    with pytest.raises(RunError, match="holds no run"):
        genreg_np.resume("nowhere", dataset=DATA)


@pytest.mark.parametrize("champion", ["auto", "best", "consensus"])
@pytest.mark.parametrize("strategy", list(TINY))
def test_the_champion_is_the_model_that_training_saves(strategy: str, champion: str) -> None:
    """Byte for byte where training is stopped; of a whole run but for the look at the test split."""
    config, data = tiny_config(strategy=strategy, champion=champion), dataset_for(strategy, DATA)
    evolution = genreg_np.Evolution(config, data, backend="numpy")
    evolution.run(3)
    stopped = genreg_np.train(config, data, backend="numpy", watcher=stop_after(3))
    assert evolution.champion().pack() == stopped.model.pack()
    evolution.run()
    model, whole = evolution.champion(), genreg_np.train(config, data, backend="numpy")
    np.testing.assert_array_equal(model.genes, whole.model.genes)
    assert model.training["genome"] == whole.genome
    assert "test" not in model.training["accuracies"]


def test_auto_takes_what_is_best_on_validation() -> None:
    """Never worse there than another champion; a name is taken at its word."""
    for seed in range(8):
        evolution = genreg_np.Evolution(tiny_config(seed=seed), DATA, backend="numpy")
        evolution.run()
        found = evolution.accuracies("validation")
        assert found[evolution.champion().training["genome"]] == max(found.values())
        evolution.change(champion=min(found, key=lambda name: found[name]))
        assert evolution.champion().training["genome"] == evolution.config.champion


def test_the_champion_of_a_fitness_of_ones_own_is_the_best_ever() -> None:
    """With a dataset or without; what was not scored has none."""
    evolution = own()
    with pytest.raises(UsageError, match="no generation has been scored"):
        evolution.champion()
    evolution.run(2, fitness=lambda model: float(model.genes[0]))
    assert evolution.champion().pack() == evolution.champions()["best_ever"].pack()
    evolution.best_ever = None
    with pytest.raises(UsageError, match="no dataset to choose a champion by") as error:
        evolution.champion()
    one_line(error.value)


def test_from_arrays_to_a_saved_model(empty: Path) -> None:
    """Every step by public names: data, settings, training, saving, loading, asking, going on by hand."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 2))
    side = np.where(points[:, 0] > 0, "right", "left")
    data = genreg_np.Dataset.from_arrays(points, side, test=(points[:40], side[:40]))
    config = genreg_np.TrainConfig.from_preset("nodes-small", generations=60, hidden=8)
    result = genreg_np.train(config, data, backend="numpy")
    assert isinstance(result, genreg_np.Result)
    assert isinstance(result.model, genreg_np.Model)
    assert isinstance(result.model.network, genreg_np.Network)
    assert result.test_accuracy > 0.9
    result.model.save("model.npz")
    loaded = genreg_np.load("model.npz")
    assert [loaded.class_names[k] for k in loaded.predict([[3.0, 0.0], [-3.0, 0.0]])] == ["right", "left"]
    split = genreg_np.Split(points.astype(np.float32), (side == "right").astype(np.int64))
    by_hand = genreg_np.Dataset("points", split, split, split, ("left", "right"), None)
    assert len(split) == len(by_hand.train) == 200
    with pytest.raises(genreg_np.GenregError):
        genreg_np.load_dataset("nowhere.npz")


DESCRIBED = {name: getattr(genreg_np, name) for name in genreg_np.__all__} | {"from_arrays": DATA.from_arrays}
BUILT_OTHERWISE = ("GenregError", "Model", "Network", "TrainConfig", "load")  # or with a help of their own for settings


@pytest.mark.parametrize("name", sorted(set(DESCRIBED) - set(BUILT_OTHERWISE)))
def test_every_parameter_of_a_public_name_is_described(name: str) -> None:
    """Of a function, a constructor, a dataclass: each stands in the section of parameters, in order, and no other."""
    text = inspect.cleandoc(DESCRIBED[name].__doc__ or "")
    section = re.search(r"^Parameters\n-+\n(.*?)(?=\n\n|\Z)", text, re.MULTILINE | re.DOTALL)
    assert section is not None
    lines = [line.partition(" : ")[0] for line in section[1].splitlines() if not line.startswith(" ")]
    assert ", ".join(lines).split(", ") == list(inspect.signature(DESCRIBED[name]).parameters)


def test_what_is_printed_is_short() -> None:
    """A dataset and a model say what they are, not what is in them."""
    data = tiny_dataset()
    assert "Split(inputs (96, 4, 4) uint8, labels (96,))" in repr(data)
    assert len(repr(data)) < 400
    assert repr(own().ask()[0]) == "Model((3,) to 2: dense, dense)"
