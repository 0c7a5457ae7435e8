"""`genreg-np train`: what scripts rely on, and one clear line for every misuse."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.cli import train_
from genreg_np.infer import load
from genreg_np.runs.config import TrainConfig, default_preset, parse_assignment, preset_names, settings
from genreg_np.strategies import REGISTRY
from tests.cli import FAST, one_line
from tests.helpers import PATIENCE, Clock


def words_and_meanings(out: str) -> dict[str, str]:
    """Return the settings of a help text, as KEY=VALUE, with their meanings."""
    listed = out[out.index("Settings for --set") : out.index("Strategies (")].splitlines()[1:]
    entries = re.findall(
        r"^  (\S+?)=(\S*(?: \S+)*)(?: {2,}|\n {8,})(.*(?:\n {8,}.*)*)", "\n".join(listed), re.MULTILINE
    )
    return {f"{name}={value}": " ".join(meaning.split()) for name, value, meaning in entries}


def test_train_help_is_short_and_names_every_strategy_and_preset(genreg) -> None:
    """It has the settings of the preset that a run takes by itself, and says how to see others."""
    out = genreg("train", "--help").out
    assert len(out.splitlines()) <= 64
    for name in (*preset_names(), *REGISTRY):
        assert re.search(rf"[ \n]{name}[,\n]", out), name
    assert "--preset NAME --help" in out
    assert "--strategy NAME --help" in out
    assert "as in preset fast" in out
    assert "  detectors=24  " in out
    assert "survival_cutoff" not in out


@pytest.mark.parametrize("name", [*REGISTRY, *preset_names()])
def test_help_beside_a_strategy_or_preset_has_all_its_settings_as_set_takes_them(genreg, name: str) -> None:
    """Name, value and meaning of each; what is printed, given to --set, is the same configuration."""
    option = "--strategy" if name in REGISTRY else "--preset"
    given = {"strategy": name} if name in REGISTRY else {}
    preset = default_preset("mnist", name) if given else name
    outcome = genreg("train", option, name, "--help")
    assert outcome.code == 0
    assert f"as in preset {preset}" in outcome.out
    config = TrainConfig.from_preset(preset, **given)
    found = words_and_meanings(outcome.out)
    assert TrainConfig.from_dict(dict(map(parse_assignment, found))) == config
    meanings = {word.partition("=")[0]: meaning for word, meaning in found.items()}
    wanted = settings(config.strategy)
    assert meanings == {key: item.metadata["help"] for key, item in wanted.items()}


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help", "--preset", "nodes"],
        ["--preset", "nodes", "--help"],
        ["--quiet", "-h", "--generations", "5", "--preset=nodes", "--seed", "1"],
    ],
)
def test_help_works_anywhere_on_the_line(genreg, arguments: list[str]) -> None:
    outcome = genreg("train", *arguments)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == genreg("train", "--preset", "nodes", "--help").out
    assert "generations=25000" in outcome.out


def test_help_goes_by_the_dataset_too(genreg) -> None:
    out = genreg("train", "--help", "--dataset", "letters").out
    assert "as in preset alphabet" in out
    assert "hidden=128" not in out, "which has an option of its own"


@pytest.mark.parametrize(
    ("arguments", "preset", "values"),
    [
        (["--set", "strategy=evolution-strategy"], "evolution-strategy and --set", {}),
        (["--preset", "nodes", "--set", "sigma=0.25"], "nodes and --set", {"sigma": 0.25}),
        (["--dataset", "digits", "--set", "seed=3"], "nodes-small and --set", {"seed": 3}),
        (["--set", "dataset=letters"], "alphabet and --set", {"dataset": "letters"}),
        (["--config", "run.toml"], "nodes and --config", {"sigma": 0.5, "seed": 7}),
        (["--config", "run.toml", "--set", "seed=8"], "nodes and --config and --set", {"sigma": 0.5, "seed": 8}),
        (["--strategy", "genreg", "--config", "plain.toml"], "seed-mnist-64 and --config", {"seed": 9}),
    ],
)
def test_help_goes_by_set_and_config_as_a_run_does(
    genreg, arguments: list[str], preset: str, values: dict[str, object]
) -> None:
    """A run's own config.toml too, with what it says of changes and of the data."""
    tables = "[[changes]]\nsetting = 'sigma'\n[origin]\nsource = 'mnist'\n"
    Path("run.toml").write_text(f"strategy = 'node-perturbation'\nsigma = 0.5\nseed = 7\n{tables}", "utf-8")
    Path("plain.toml").write_text("seed = 9", "utf-8")
    outcome = genreg("train", *arguments, "--help")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"as in preset {preset}" in outcome.out
    found = TrainConfig.from_dict(dict(map(parse_assignment, words_and_meanings(outcome.out))))
    assert found == TrainConfig.from_preset(preset.partition(" ")[0], **values)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--preset", "nods"], "unknown preset 'nods' (did you mean 'nodes'?)"),
        (["--strategy", "nods"], "unknown strategy 'nods'"),
        (["--preset", "nodes", "--strategy", "genreg"], "'pairs' is a setting of node-perturbation"),
        (
            ["--preset", "small", "--strategy", "node-perturbation"],
            "is a setting of genreg, genreg-2, evolution-strategy, mixed, random-search, cma-es, not of ",
        ),
        (["--config", "none.toml"], "none.toml: cannot be read (No such file or directory)"),
        (["--config", "words.toml"], "words.toml: is not TOML ("),
        (["--config", "good.toml", "--set", "seed=-1"], "seed = -1 must be at least 0"),
        (["--set", "sigma"], "--set 'sigma' must look like KEY=VALUE"),
        (["--set", "strategy=nods"], "unknown strategy 'nods'"),
        (["--set", "strategy=5"], "unknown strategy 5"),
        (["--strategy", "genreg", "--set", "sigmas=1"], "--set or --config: no setting 'sigmas' for strategy genreg"),
        (["--preset", "nodes", "--config", "good.toml"], "--set or --config: 'pairs' is a setting of"),
        (["--bogus"], "--bogus"),
    ],
)
def test_help_beside_what_there_is_not_is_one_line(genreg, arguments: list[str], expected: str) -> None:
    Path("words.toml").write_text("no settings", "utf-8")
    Path("good.toml").write_text('strategy = "genreg"', "utf-8")
    for line in ([*arguments, "--help"], ["--help", *arguments]):
        outcome = genreg("train", *line)
        assert expected in one_line(outcome, 2)
        assert outcome.out == ""


def test_train_json_has_the_promised_fields_on_its_last_line(genreg) -> None:
    outcome = genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--json")
    result = json.loads(outcome.out.strip().splitlines()[-1])
    promised = {
        "method",
        "dataset",
        "seed",
        "generations",
        "seconds",
        "validation_accuracy",
        "test_accuracy",
        "run",
        "model",
    }
    assert promised <= set(result)
    assert result["generations"] == 3
    assert 0 <= result["test_accuracy"] <= 1
    assert Path(result["model"]).exists()
    assert len(outcome.out.strip().splitlines()) == 1, "progress must not mix with the result"


def test_train_prints_accuracy_classes_model_and_what_to_try_next(genreg) -> None:
    out = genreg("train", "--dataset", "digits", "--out", "run", *FAST).out
    assert re.search(r"test accuracy +\d+\.\d\d %", out)
    assert re.search(r"^ +7 +\d+\.\d\d %", out, re.MULTILINE)
    assert "run/model.npz" in out
    assert "genreg-np eval run/model.npz" in out


def test_metrics_have_a_line_per_generation_with_the_promised_fields(model: Path) -> None:
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["generation"] for line in lines] == [1, 2, 3]
    for line in lines:
        assert {"seconds", "best_trust", "mean_trust", "mean_accuracy"} <= set(line)
    assert "validation_accuracy" in lines[-1]


def test_options_override_config_file_which_overrides_preset(genreg) -> None:
    Path("my.toml").write_text('seed = 5\nhidden = [7]\ndataset = "digits"\n')
    outcome = genreg(
        "train", "--preset", "small", "--config", "my.toml", "--hidden", "9,8", *FAST, "--out", "run", "--json"
    )
    assert outcome.code == 0, outcome.err
    training = load("run/model.npz").header["training"]
    assert training["seed"] == 5
    assert training["config"]["hidden"] == [9, 8]
    assert training["config"]["elites"] == 4


def test_runs_without_out_get_fresh_folders(genreg) -> None:
    for _ in range(2):
        assert genreg("train", "--dataset", "digits", *FAST, "--quiet").code == 0
    assert Path("runs/digits-small-0/model.npz").exists()
    assert Path("runs/digits-small-0-2/model.npz").exists()


def test_init_starts_from_a_model(genreg, model: Path) -> None:
    outcome = genreg(
        "train", "--dataset", "digits", "--init", model, "--out", "second", *FAST, "--generations", 1,
        "--set", "child_mutation_rate=0", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    first, second = load(model), load("second/model.npz")
    np.testing.assert_array_equal(first.arrays["layers.0.weight"], second.arrays["layers.0.weight"])


def test_init_of_another_shape_is_refused(genreg, model: Path) -> None:
    line = one_line(genreg("train", "--dataset", "digits", "--init", model, "--hidden", 5, "--out", "b"), 2)
    assert "--hidden" in line


def test_a_setting_of_another_strategy_is_answered_with_its_name(genreg) -> None:
    """Whoever sets a survival cutoff wants a population."""
    line = one_line(genreg("train", "--dataset", "digits", "--set", "survival_cutoff=0.1", "--out", "x"), 2)
    assert "--strategy genreg" in line


def test_budget_becomes_a_number_of_generations_in_the_config(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_, "train", functools.partial(train_.train, clock=Clock(0.01)))
    outcome = genreg(
        "train",
        "--dataset",
        "digits",
        "--preset",
        "small",
        "--budget",
        "1s",
        "--set",
        "population_size=20",
        "--out",
        "run",
        "--json",
    )
    assert outcome.code == 0, outcome.err
    generations = json.loads(outcome.out)["generations"]
    assert f"generations = {generations}\n" in Path("run/config.toml").read_text()


def test_target_ends_the_run(genreg) -> None:
    outcome = genreg("train", "--dataset", "digits", "--target", "0.3", "--out", "run", "--json")
    result = json.loads(outcome.out)
    assert result["ended"] == "target"
    assert result["generations"] < 1000


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--set", "child_mutation_rat=0.1"], "child_mutation_rate"),
        (["--set", "child_mutation_rate=2"], "at most 1"),
        (["--set", "population_size=1"], "at least 2"),
        (["--set", "survival_cutoff=0"], "greater than 0"),
        (["--set", "elites=500"], "survivors"),
        (["--set", "hidden"], "KEY=VALUE"),
        (["--hidden", "0"], "at least 1"),
        (["--hidden", "a,b"], "64,32"),
        (["--preset", "seed-mnist"], "seed-mnist-64"),
        (["--strategy", "genrg"], "genreg"),
        (["--dataset", "mnst"], "mnist"),
        (["--backend", "numpi"], "numpy"),
        (["--budget", "soon"], "60s"),
        (["--seed", "-1"], "at least 0"),
        (["--generations", "0"], "at least 1"),
        (["--threads", "0"], "threads 0"),
        (["--size", "28"], "28x28"),
        (["--extend"], "--resume"),
        (["--config", "missing.toml"], "missing.toml"),
        (["--bogus"], "--bogus"),
    ],
)
def test_usage_errors_are_one_line_with_the_way_out_and_exit_2(genreg, arguments: list[str], expected: str) -> None:
    defaults = [] if "--dataset" in arguments else ["--dataset", "digits"]
    defaults += ["--strategy", "genreg"] if "--set" in arguments else []
    line = one_line(genreg("train", *defaults, *arguments, "--out", "x"), 2)
    assert expected in line


def test_config_file_with_unknown_key_suggests_the_nearest(genreg) -> None:
    Path("my.toml").write_text("mutation_scal = 0.1\n")
    assert "'mutation_scale'" in one_line(genreg("train", "--dataset", "digits", "--config", "my.toml"), 2)


def test_cupy_says_in_one_line_that_it_cannot(genreg) -> None:
    assert "cupy" in one_line(genreg("train", "--dataset", "digits", "--backend", "cupy", "--out", "x"), 1)


def test_trains_on_a_table_and_predicts_from_raw_columns(genreg) -> None:
    rng = np.random.default_rng(0)
    rows = ["height,width,kind"]
    for kind, centre in (("ant", 100.0), ("bee", 400.0), ("wasp", 900.0)):
        rows += [f"{centre + rng.normal() * 20},{rng.normal() * 0.01},{kind}" for _ in range(40)]
    Path("insects.csv").write_text("\n".join(rows) + "\n")
    outcome = genreg("train", "--dataset", "insects.csv", "--generations", 300, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["test_accuracy"] > 0.9
    assert load("run/model.npz").class_names == ("ant", "bee", "wasp")
    assert load("run/model.npz").predict(np.array([[900.0, 0.0]]))[0] == 2
    assert json.loads(genreg("eval", "run/model.npz", "--dataset", "insects.csv", "--json").out)["accuracy"] > 0.9


def test_trains_on_a_folder_of_images(genreg) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for kind, level in (("dark", 40), ("light", 200)):
        Path("pictures", kind).mkdir(parents=True)
        for index in range(12):
            pixels = np.clip(level + rng.normal(0, 20, (6, 5)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(f"pictures/{kind}/{index}.png")
    outcome = genreg("train", "--dataset", "pictures", "--generations", 40, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").input_shape == (6, 5)
    assert json.loads(outcome.out)["dataset"] == "pictures/"


def test_a_reader_that_goes_away_does_not_end_the_run(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from genreg_np.cli import main; main()", "train", "--dataset", "digits", *FAST]
    process = subprocess.Popen([*command, "--out", "run"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    process.wait(timeout=PATIENCE)
    assert b"Traceback" not in process.stderr.read()
    assert load("run/model.npz").output_count == 10


def test_budget_and_generations_together_are_refused(genreg) -> None:
    assert "--budget" in one_line(genreg("train", "--dataset", "digits", "--budget", "5s", "--generations", 9), 2)


def test_rates_may_be_written_without_a_leading_zero(genreg) -> None:
    outcome = genreg(
        "train", "--dataset", "digits", "--out", "run", *FAST, "--set", "child_mutation_rate=.05", "--quiet"
    )
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").header["training"]["config"]["child_mutation_rate"] == 0.05


def test_a_moved_dataset_can_be_named_at_resume_and_another_one_cannot(genreg) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{centre + rng.normal()},{kind}" for centre, kind in ((0, "a"), (9, "b")) for _ in range(20)]
    Path("first.csv").write_text("x,kind\n" + "\n".join(rows) + "\n")
    assert genreg("train", "--dataset", "first.csv", "--out", "run", *FAST, "--quiet").code == 0
    Path("first.csv").rename("second.csv")
    assert genreg("train", "--resume", "run", "--dataset", "second.csv", "--generations", 5, "--quiet").code == 0
    Path("second.csv").write_text("x,kind\n" + "\n".join(rows[1:]) + "\n")
    assert "not those this run began with" in one_line(
        genreg("train", "--resume", "run", "--dataset", "second.csv", "--generations", 7), 1
    )


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("sigma=0.2", ""),  # of node perturbation, which is what digits are learned by
        ("population_size=50", "not of node-perturbation"),
        ("sigm=0.2", "strategy node-perturbation (did you mean 'sigma'?)"),
    ],
)
def test_settings_are_those_of_the_preset_that_data_choose(genreg, tmp_path: Path, setting: str, words: str) -> None:
    """Not those of a strategy that nobody named."""
    how = "--generations", 2, "--backend", "numpy", "--out", tmp_path / "run"
    done = genreg("train", "--dataset", "digits", "--set", setting, *how)
    assert done.code == (2 if words else 0)
    assert words in done.err


def test_help_checks_settings_against_the_preset_that_data_choose(genreg) -> None:
    """As a run does: `detectors` is a setting of what MNIST is learned by."""
    done = genreg("train", "--set", "detectors=30", "--help")
    assert done.code == 0
    assert "detectors=30" in done.out
    assert "not of node-perturbation" in genreg("train", "--dataset", "digits", "--set", "detectors=30", "--help").err


def test_of_data_of_ones_own_the_best_on_validation_is_saved(genreg) -> None:
    """Whatever the preset: they are few, and soon known by heart; --set says otherwise. Named sets go by the preset."""
    draw, labels = np.random.default_rng(0), np.arange(300) % 3
    np.savez("mine.npz", inputs=draw.normal(size=(300, 4)).astype(np.float32), labels=labels)  # nothing to be learned
    base = ["train", *FAST, "--generations", "40", "--set", "validate_every=1", "--json"]
    own, last, named = (
        genreg(*base, "--dataset", *more)
        for more in (("mine.npz",), ("mine.npz", "--set", "keep=last", "--out", "last"), ("digits", "--out", "named"))
    )
    said = json.loads(own.out)
    looks = [json.loads(line) for line in (Path(said["run"]) / "metrics.jsonl").read_text("utf-8").splitlines()]
    best = max(look[name] for look in looks for name in ("validation_accuracy", "consensus_validation_accuracy"))
    assert said["validation_accuracy"] == best
    assert said["generation"] == load(said["model"]).header["training"]["generation"] <= said["generations"] == 40
    assert [json.loads(one.out)["generation"] for one in (last, named)] == [40, 40]
    spoken = genreg("train", *FAST, "--generations", "40", "--set", "validate_every=1", "--dataset", "mine.npz")
    line = f"; generation {said['generation']} is saved, the best on validation"
    assert (line in spoken.out + spoken.err) == (said["generation"] < 40)
