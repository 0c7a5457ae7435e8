"""`keep = best`: each champion is saved as it was when it predicted the validation split best."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import Watcher, load, resume, train
from genreg_np.cli.info_ import description
from genreg_np.data.dataset import Split
from genreg_np.errors import RunError, UsageError
from genreg_np.export import onnx_
from genreg_np.export.facts import facts
from genreg_np.runs.best_ever import BestEver
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.kept import better
from genreg_np.runs.result import Result
from genreg_np.runs.run_folder import RunFolder
from genreg_np.strategies import REGISTRY
from tests.helpers import CPU_BACKENDS, NETWORK, dataset_for, model_of, one_line, tiny_config, tiny_dataset
from tests.test_checkpoints import changed

GENERATIONS = 12
SETTINGS: dict[str, Any] = {"generations": GENERATIONS, "validate_every": 2, "keep": "best"}


def data_of(strategy: str = "genreg") -> Any:
    """Return data whose validation labels mean nothing, so that accuracy there rises and falls."""
    data = tiny_dataset()
    labels = np.random.default_rng(1).permutation(data.validation.labels)
    return dataset_for(strategy, dataclasses.replace(data, validation=Split(data.validation.inputs, labels)))


def looked_at(strategy: str = "genreg", backend: str = "numpy", **changes: Any) -> tuple[Result, list[Any]]:
    """Train, and return the result and what each look saw: generation, each champion's accuracy and genes."""
    looks: list[Any] = []
    started: list[Evolution] = []

    def look(record: dict[str, Any]) -> None:
        if "validation_accuracy" in record:
            run = started[0]
            genes = {name: array.copy() for name, array in run.champion_genes().items()}
            looks.append((record["generation"], run.accuracies("validation"), genes))

    watcher = Watcher(on_start=lambda run, folder: started.append(run), on_record=look)
    config = tiny_config(strategy=strategy, **{**SETTINGS, **changes})
    return train(config, data_of(strategy), backend=backend, watcher=watcher), looks


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_what_is_saved_is_the_best_that_validation_saw(strategy: str, backend: str) -> None:
    """Of every champion; of equal looks the last one. And genes that were kept are not overwritten by learning on."""
    result, looks = looked_at(strategy, backend)
    assert [generation for generation, _, _ in looks] == [2, 4, 6, 8, 10, 12]
    for name, reached in result.validation.items():
        assert reached == max(accuracies[name] for _, accuracies, _ in looks)
    best = max(looks, key=lambda look: (look[1][result.genome], look[0]))
    assert result.model is not None
    assert result.model.training["generation"] == best[0]
    assert result.model.training["generations"] == GENERATIONS
    assert result.model.genes.tobytes() == best[2][result.genome].tobytes()
    split = data_of(strategy).validation
    assert np.mean(result.model.predict(split.inputs) == split.labels) == pytest.approx(result.validation_accuracy)


def test_it_is_not_always_the_last_one() -> None:
    """Or the tests here would say nothing."""
    results = {strategy: looked_at(strategy)[0].model for strategy in REGISTRY}
    kept = {strategy: model.training["generation"] for strategy, model in results.items() if model}
    assert len([generation for generation in kept.values() if generation < GENERATIONS]) >= 3, kept


def test_by_default_the_last_state_is_saved() -> None:
    """As it always was; nothing is said of it in the model."""
    result, looks = looked_at(keep="last")
    assert result.model is not None
    assert "generation" not in result.model.training
    assert result.validation == looks[-1][1]
    assert result.model.genes.tobytes() == looks[-1][2][result.genome].tobytes()


def test_the_test_split_is_that_of_what_is_saved() -> None:
    """For every champion."""
    result, _ = looked_at()
    assert result.model is not None
    split = data_of().test
    assert result.test_accuracy == np.mean(result.model.predict(split.inputs) == split.labels)
    assert result.model.training["accuracies"] == {
        "validation": result.validation,
        "test": {name: evaluation.accuracy for name, evaluation in result.test.items()},
    }


@pytest.mark.parametrize("at", [pytest.param(1, marks=pytest.mark.soak), 4, 5, 11])
@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_stopped_and_gone_on_with_gives_the_same_bytes(tmp_path: Path, strategy: str, at: int) -> None:
    """Also where it was stopped between two looks, and looked there to say what it has come to."""
    config, data = tiny_config(strategy=strategy, **SETTINGS), data_of(strategy)
    train(config, data, tmp_path / "whole", backend="numpy")
    seen: list[object] = []
    watcher = Watcher(on_record=seen.append, should_stop=lambda: len(seen) >= at)
    stopped = train(config, data, tmp_path / "run", backend="numpy", watcher=watcher)
    assert stopped.ended == "stopped"
    resume(tmp_path / "run", dataset=data)
    for name in ("model.npz", "config.toml"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name


def test_a_run_made_longer_equals_one_of_that_length(tmp_path: Path) -> None:
    """The look at the end of the shorter one fell on no generation of the longer one's, and is not kept."""
    for length in range(1, 12, 2):
        data, folder = data_of(), tmp_path / str(length)
        train(tiny_config(**SETTINGS | {"generations": length}), data, folder, backend="numpy")
        resume(folder, dataset=data, changes={"generations": GENERATIONS})
    train(tiny_config(**SETTINGS), data_of(), tmp_path / "whole", backend="numpy")
    whole = (tmp_path / "whole/model.npz").read_bytes()
    for length in range(1, 12, 2):
        assert (tmp_path / str(length) / "model.npz").read_bytes() == whole, length


def test_a_run_under_way_may_change_its_mind(tmp_path: Path) -> None:
    """From last to best: the looks before are gone. From best to last: no look counts but the last."""
    data = data_of()
    for before, after in (("last", "best"), ("best", "last")):
        folder = tmp_path / before
        train(tiny_config(**SETTINGS | {"keep": before, "generations": 6}), data, folder, backend="numpy")
        result = resume(folder, dataset=data, changes={"keep": after, "generations": GENERATIONS})
        assert result.model is not None
        assert result.model.training["changes"][0]["setting"] == "keep"
        whole, looks = looked_at(keep="last")
        if after == "last":
            assert whole.model is not None
            assert result.model.genes.tobytes() == whole.model.genes.tobytes()
        else:
            assert result.validation["best"] == max(found["best"] for _, found, _ in looks[3:])


def test_a_champion_asked_for_between_two_looks_is_the_better_one() -> None:
    """And asking changes nothing."""
    data = data_of()
    run = Evolution(tiny_config(**SETTINGS, champion="best"), data, backend="numpy")
    run.run(2)
    for _ in range(9):
        run.step()
        now, kept = run.accuracies("validation")["best"], dict(run.kept)
        split = data.validation
        found = np.mean(run.champion().predict(split.inputs) == split.labels)
        assert found == pytest.approx(max(now, kept["best"].fitness))
        assert run.kept == kept


def test_what_a_generation_without_a_record_saw_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupted between a look and its record, a run on a fitness of one's own goes back to the generation before."""
    run = Evolution(tiny_config(**SETTINGS), data_of(), backend="numpy")

    def interrupted(folder: RunFolder, line: dict[str, Any]) -> None:
        if line["generation"] == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run.run(4, fitness=lambda model: float(model.genes.sum()), out=tmp_path / "run")
    assert (run.generation, run.kept) == (1, {})
    assert Evolution.load(tmp_path / "run/checkpoint.npz", data_of(), backend="numpy").kept == {}


def test_better_takes_the_higher_and_of_equals_the_later() -> None:
    """Champions that are new have nothing to be compared with; those that are gone are not brought back."""
    genes = np.zeros(2, np.float32)
    early, late = BestEver(genes, 0.5, 1), BestEver(genes, 0.5, 2)
    higher = dataclasses.replace(early, fitness=0.6)
    assert better({}, {"best": late}) == {"best": late}
    assert better({"best": early}, {"best": late})["best"] is late
    assert better({"best": higher}, {"best": late, "new": early}) == {"best": higher, "new": early}
    assert better({"best": higher, "gone": early}, {"best": late}) == {"best": higher}


SPOILT: dict[str, Any] = {
    "no genes": lambda header, arrays: arrays.pop("kept.best"),
    "no facts": lambda header, arrays: header.pop("kept"),
    "a list": lambda header, arrays: header.update(kept=[1]),
    "one of a number": lambda header, arrays: header["kept"].update(best=3),
    "no accuracy": lambda header, arrays: header["kept"]["best"].pop("fitness"),
    "perfect": lambda header, arrays: header["kept"]["best"].update(fitness=None),
    "more than all right": lambda header, arrays: header["kept"]["best"].update(fitness=1.5),
    "less than none right": lambda header, arrays: header["kept"]["best"].update(fitness=-0.5),
    "a generation yet to come": lambda header, arrays: header["kept"]["best"].update(generation=5),
    "generation 0": lambda header, arrays: header["kept"]["best"].update(generation=0),
    "too few genes": lambda header, arrays: arrays.update({"kept.best": arrays["kept.best"][:-1]}),
    "other numbers": lambda header, arrays: arrays.update({"kept.best": arrays["kept.best"].astype("f8")}),
    "two axes": lambda header, arrays: arrays.update({"kept.best": arrays["kept.best"][None]}),
    "not finite": lambda header, arrays: arrays["kept.best"].fill(np.nan),
}


@pytest.mark.parametrize("what", ["nothing", *SPOILT])
def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path, what: str) -> None:
    """Half of what was kept, or what no champion can have been."""
    run = Evolution(tiny_config(**SETTINGS), data_of(), backend="numpy")
    run.run(4)
    run.save(tmp_path / "c.npz")
    if what == "nothing":
        again = Evolution.load(tmp_path / "c.npz", data_of(), backend="numpy")
        assert again.champion().pack() == run.champion().pack()
        return
    path = changed(tmp_path / "c.npz", lambda header, arrays: SPOILT[what](header, _writable(arrays)))
    with pytest.raises(RunError) as raised:
        Evolution.load(path, data_of(), backend="numpy")
    assert one_line(raised.value).startswith(f"{path}: ")


def _writable(arrays: dict[str, Any]) -> dict[str, Any]:
    arrays |= {name: array.copy() for name, array in arrays.items()}
    return arrays


def test_notes_say_which_generation_it_is(tmp_path: Path) -> None:
    """As the model does."""
    result = train(tiny_config(**SETTINGS), data_of(), tmp_path / "run", backend="numpy")
    notes = json.loads((tmp_path / "run/run.json").read_text("utf-8"))
    assert result.model is not None
    assert notes["generation"] == result.model.training["generation"]
    assert load(tmp_path / "run/model.npz").training == result.model.training


def test_what_is_told_of_a_model_names_the_generation_where_it_is_not_the_last(tmp_path: Path) -> None:
    """By `info`, on pages and in ONNX."""
    training = {"method": "genreg", "genome": "best", "generations": 900, "seed": 3}
    for generation, told in ((300, "900 generations, as of generation 300"), (900, "900 generations")):
        model = model_of(NETWORK, training=training | {"generation": generation})
        model.save(tmp_path / "model.npz")
        assert f"best genome, {told}, seed 3" in "\n".join(description(str(tmp_path / "model.npz"), model))
        assert dict(facts(model, 1000))["Method"] == f"genreg, {told}, seed 3"
        assert onnx_.metadata(model, "m")["generation"] == str(generation)


def test_it_does_not_go_by_images_that_were_learned_from() -> None:
    """Where validation images are trained on, the best on them says nothing."""
    with pytest.raises(UsageError, match=r"keep = best uses the validation split, but .* used for training"):
        TrainConfig.from_preset("seed-mixed", keep="best")
