"""`genreg-np train`: start or resume a run."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from genreg_np.cli import report_
from genreg_np.cli.measured import FEW, number_lines
from genreg_np.cli.output import Progress, duration, per_class_lines, percent, print_json
from genreg_np.cli.reading import reader_options
from genreg_np.cli.runs import (
    Started,
    choose_device,
    folder_of,
    fresh_folder,
    leaving,
    next_lines,
    read_data,
    saved_run,
    seconds_of,
    shared_out,
    stopped_lines,
    watch,
)
from genreg_np.cli.settings_help import GIVEN, SettingsCommand, early_config, given_settings
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.cli.train_env import is_of_env, train_policy
from genreg_np.data import READER_OPTIONS, dataset_names, is_image_folder
from genreg_np.data.dataset import Dataset
from genreg_np.data.rows import is_table
from genreg_np.errors import UsageError
from genreg_np.fitness import BUILT_IN, ERRORS
from genreg_np.runs.config import (
    TrainConfig,
    default_preset,
    merged,
    parse_assignment,
    read_preset,
)
from genreg_np.runs.evaluation import Evaluation
from genreg_np.runs.measures import interval
from genreg_np.runs.numbers import NumberEvaluation
from genreg_np.runs.result import Result, Watcher
from genreg_np.runs.training import resume, train
from genreg_np.strategies import REGISTRY, strategy_class
from genreg_np.strategies.problem import HiddenLayers

EXAMPLES = """\b
Examples:
  genreg-np train --preset seed-mnist-64        GENREG as published
  genreg-np train --dataset photos/             a folder for each class
  genreg-np train --env CartPole-v1 --budget 10s
"""
LEAST_SIDE = 16  # smallest side, in pixels, of pictures for which preset photos is the default
EVEN = 0.5  # probability of a flip
HELP = """\
Train a network by evolution. Ctrl-C saves the run, which can be resumed.
Tables: --keep --drop --kind --weight --header --separator (data show -h)
"""


@click.command("train", cls=SettingsCommand, help=HELP, epilog=EXAMPLES)
@click.option("--dataset", help="A name from data list, an image folder, .npz, .csv.")
@click.option("--data-dir", help="Where to look for datasets first.")
@reader_options
@click.option("--env", metavar="NAME", help="Evolve a policy for a Gymnasium environment.")
@click.option("--episodes", type=click.IntRange(min=1), metavar="N", help="With --env: episodes per score.")
@click.option("--steps", type=click.IntRange(min=1), hidden=True, help="With --env: most steps of an episode.")
@click.option("--strategy", help="How to evolve.  [default: by the preset]")
@click.option("--preset", help="A named configuration.  [default: by the dataset]")
@click.option("--hidden", help="Units per hidden layer: 64 or 64,32.")
@click.option("--network", help='Layers in words: "conv 8 5 / max 4 / dense 10".')
@click.option("--generations", type=int, help="Generations in all.")
@click.option("--budget", help="Train for about this long instead: 60s, 5m, 1h.")
@click.option("--target", type=float, help="Stop at this validation accuracy, or mean return.")
@click.option("--backend", help="auto, cpu, numpy, numba, cupy or cupy:1, a GPU.")
@click.option("--device", type=click.IntRange(min=0), hidden=True, help="Which GPU the cupy backend uses.")
@click.option("--threads", type=int, help="Threads (with --env: processes); by default all.")
@click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]")
@click.option(
    "--class-weight",
    metavar="HOW",
    type=click.Choice(("none", "balanced")),
    help="none, or balanced: all classes count alike.",
)
@click.option("--flip", is_flag=True, default=None, help="Also learn from mirrored pictures.")
@click.option("--familiarity", is_flag=True, default=None, help="Let the model recognise unfamiliar inputs.")
@click.option("--no-familiarity", "familiarity", flag_value=False, default=None, type=bool, hidden=True)  # saves lines
@click.option("--init", "init_model", type=click.Path(), help="Start from a model; populations, from its mutants.")
@click.option("--report", is_flag=True, help="Write a report page at the end.")
@click.option("--out", type=click.Path(), help="The run folder.  [default: runs/DATASET-PRESET-SEED]")
@click.option("--resume", "resume_run", type=click.Path(), help="Resume a run; --extend: an annealed one, for longer.")
@click.option("--extend", is_flag=True, hidden=True, help="With --resume: let an annealed run become longer.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting below; repeatable.")
@click.option("--config", "config_file", type=click.Path(), help="A TOML file of settings.")
@click.option("--engine", metavar="NAME", help="Where genomes are scored: serial, processes or ray.")
@click.option("--address", hidden=True, help="A Ray cluster: HOST:PORT, or auto.  [default: one started here]")
@click.option("--quiet/--verbose", default=None, help="Print only errors, or every setting as well.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
@click.pass_obj
def command(stopping: Stopping, /, **options: Any) -> int:
    """Start or resume a run, and print the results."""
    options["verbose"], options["quiet"] = options["quiet"] is False, bool(options["quiet"])
    if options["report"]:
        report_.check()
    if options["env"] is not None or (options["resume_run"] and is_of_env(options["resume_run"])):
        return train_policy(options, Progress(options["quiet"], options["as_json"]), stopping)
    for name in ("episodes", "steps"):
        if options[name]:
            raise UsageError(f"--{name} needs --env")
    progress, started, result = Progress(options["quiet"], options["as_json"]), Started(), None
    watcher = watch(progress, options, stopping, started, "train")

    def print_result() -> None:
        if options["as_json"]:
            print_json(to_json(result, started))

    stopping.leave = leaving(progress, stopping, started, print_result)
    try:
        go = _start if options["resume_run"] is None else _resume
        with shared_out(options) as options["backend"]:
            result = go(options, watcher, progress)
    except KeyboardInterrupt:
        for line in stopping.last_words:
            progress.say(line)
    finally:
        progress.stop()
    stopping.all_is_saved()
    print_result()
    if result is None:
        return INTERRUPTED
    if result.ended == "stopped":
        for line in stopped_lines(folder_of(result), result.generations, "train"):
            progress.say(line)
        if options["report"] and result.generations:
            for line in report_.later_lines(folder_of(result)):
                progress.say(line)
        return INTERRUPTED
    if not options["as_json"]:
        _report(result, started, progress, bool(options["familiarity"]))
    if options["report"]:
        assert started.evolution is not None
        page = report_.of_own_run(folder_of(result), started.evolution.dataset)
        progress.say(f"report {page}")
    return 0


def _start(options: dict[str, Any], watcher: Watcher, progress: Progress) -> Result:
    """Start a new run."""
    from genreg_np.model import load

    choose_device(options)
    if options["extend"]:
        raise UsageError("--extend needs --resume")
    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations cannot be combined: give one of them")
    for name, example in (("hidden", "64"), ("network", '"conv 8 5 / max 4 / dense 10"')):
        if options[name] is not None and not options[name].strip():
            raise UsageError(f"--{name} is empty: write layers, such as {example}, or leave it out")
    named = ("dataset", "strategy", "hidden", "network", "generations", "target", "familiarity", "seed", "class_weight")
    given = given_settings(options, named)
    budget = seconds_of(options["budget"])
    _, config = early_config(given, options["preset"], str(given.get("dataset", "auto")))
    _check(config)  # before a dataset is downloaded
    settings = merged(read_preset(options["preset"]) if options["preset"] else {}, given)
    dataset, source, origin = read_data(settings, options, progress)
    preset = options["preset"]
    if preset is None:
        pictures = dataset.picture is not None and min(dataset.input_shape[-2:]) >= LEAST_SIDE
        preset = default_preset(
            source, settings.get("strategy"), settings.get("network", ""), pictures, is_table(source)
        )
        settings = merged(read_preset(preset), settings)
    if options["flip"]:
        settings = _flipped(settings)
    if source not in dataset_names() and "keep" not in settings:  # the user's data are often few and soon overfitted
        settings["keep"] = "best"
    if options["init_model"] and "keep" not in given and settings.get("keep") == "refit":
        settings["keep"] = "best"  # a refit would start from scratch, not from the model
    settings = {"familiarity": is_image_folder(source)} | settings | {"dataset": source}
    config = TrainConfig.from_dict(settings, GIVEN).for_data(dataset)
    if dataset.of_numbers and given.get("fitness") in (*BUILT_IN, "margin"):
        raise UsageError(
            f"fitness = {given['fitness']} is for classes, but {dataset.name} has numbers to predict: choose one of "
            f"{', '.join(ERRORS)}"
        )
    if not given.get("network"):
        _check_network(config, dataset, preset)
    initial = load(options["init_model"]) if options["init_model"] else None
    progress.say(f"strategy {config.strategy}, preset {preset}, seed {config.seed}")
    progress.say(f"  {strategy_class(config.strategy).summary}")
    backend = options["backend"] or "auto"
    return train(
        config,
        dataset,
        Path(options["out"]) if options["out"] else fresh_folder(dataset.name, preset, config.seed),
        backend=backend,
        threads=options["threads"],
        budget_seconds=budget,
        initial=initial,
        origin=origin,
        watcher=watcher,
    )


def _flipped(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings, changed to also learn from mirrored pictures."""
    method = strategy_class(settings["strategy"])
    known = {item.name: item.default for item in dataclasses.fields(method.Options)}
    if "flip" not in known:
        able = [name for name in REGISTRY if "flip" in strategy_class(name).Options.__dataclass_fields__]
        raise UsageError(f"--flip is for strategies {' and '.join(able)}, not {method.name}: leave it out")
    return settings | {"flip": True if known["flip"] is False else EVEN}


def _check(config: TrainConfig) -> None:
    """Refuse a configuration that is for another command."""
    if config.spent:
        raise UsageError(
            f"train ends with a test, which such a run does not have ({'; '.join(config.spent.values())}): "
            "use genreg-np mixed --paper"
        )


def _check_network(config: TrainConfig, dataset: Dataset, preset: str) -> None:
    """Refuse a preset's network that does not fit the data, and suggest one that does."""
    layers = HiddenLayers((), config.activation, config.network)
    try:
        if config.network:
            layers.build(dataset)
    except UsageError as error:
        outputs = dataset.outputs
        example = f"conv 16 3 / relu / max 2 / dense {outputs}"
        try:
            HiddenLayers((), config.activation, example).build(dataset)
        except UsageError:
            example = f"dense 64 / relu / dense {outputs}"
        raise UsageError(
            f"{error}. The network of preset {preset} is for 28 x 28 pictures of 10 classes: describe one for these "
            f'data, such as --network "{example}"'
        ) from None


def _resume(options: dict[str, Any], watcher: Watcher, progress: Progress) -> Result:
    """Resume a run."""
    choose_device(options)
    fixed = (
        *READER_OPTIONS,
        "strategy",
        "preset",
        "hidden",
        "network",
        "budget",
        "seed",
        "init_model",
        "out",
        "config_file",
        "flip",
    )
    for name in fixed:
        if options[name] is not None:
            flag = {"init_model": "init", "config_file": "config"}.get(name, name).replace("_", "-")
            way_out = "extend it with --generations N --extend" if name == "budget" else "change rates with --set"
            raise UsageError(f"--{flag} cannot be combined with --resume: the run has its own ({way_out})")
    config = saved_run(options["resume_run"], options["dataset"], progress)
    if config.spent:
        run = shlex.quote(options["resume_run"])
        raise UsageError(f"{run} is a run of genreg-np mixed --paper: resume it with genreg-np mixed --resume {run}")
    changes = dict(parse_assignment(text) for text in options["assignments"])
    changeable = ("target", "generations", "familiarity")
    changes |= {name: options[name] for name in changeable if options[name] is not None}
    return resume(
        options["resume_run"],
        changes=changes,
        extend=options["extend"],
        source=options["dataset"],
        backend=options["backend"],
        threads=options["threads"],
        data_dir=options["data_dir"],
        watcher=watcher,
    )


def to_json(result: Result | None, started: Started) -> dict[str, Any]:
    """Return what --json prints; entries that a stopped run did not reach are None."""
    model = result.model if result else None
    training: dict[str, Any] = model.training if model else {}
    run = result.run if result else started.run
    scores: dict[str, Any] = {
        "validation_accuracy": result.validation_accuracy if result else None,
        "test_accuracy": result.test_accuracy if result else None,
    }
    if result and result.metric != "accuracy":
        scores = {"validation_score": result.validation_score, "test_score": result.test_score, "metric": result.metric}
    return {
        "method": training.get("method"),
        "dataset": training.get("config", {}).get("dataset"),
        "seed": training.get("seed"),
        "generations": result.generations if result else 0,
        "seconds": round(result.seconds, 3) if result else None,
        "genome": training.get("genome"),
        "generation": training.get("generation", result.generations) if result else None,
        **scores,
        "run": str(run) if run else None,
        "model": str(run / "model.npz") if run and model else None,
        "ended": result.ended if result else "stopped",
    }


def _report(result: Result, started: Started, progress: Progress, unfamiliar_asked: bool) -> None:
    """Print the run's results, and the command to try next."""
    assert result.model is not None
    model_path = folder_of(result) / "model.npz"
    progress.say("")
    for line in _numbers_told(result) if result.model.value_names else _classes_told(result):
        progress.say(line)
    kept = result.model.training.get("generation", result.generations)
    of_these = "" if kept == result.generations else f"; generation {kept} is saved, the best on validation"
    if result.model.training.get("refit"):
        of_these = f"; generation {kept} was the best on validation, and is saved as trained with that split as well"
    progress.say(f"{result.generations} generations, {duration(result.seconds)}{of_these}")
    if unfamiliar_asked and "familiarity" not in result.model.header:
        progress.say("there are too few data, or too similar ones, for the model to recognise unfamiliar inputs")
    progress.say(f"model {model_path}")
    for line in next_lines(model_path, started.origin):
        progress.say(line)


def _classes_told(result: Result) -> list[str]:
    """Return lines about classes: accuracies, and a line for each class."""
    assert result.model is not None
    chosen, names = result.test[result.genome], result.model.class_names
    assert isinstance(chosen, Evaluation)
    lines = [f"test accuracy {percent(chosen.accuracy)}{_between(chosen)}  ({_among(result, percent)})"]
    for name, evaluation in result.test.items():
        if name != result.genome:
            lines.append(f"  test accuracy of the {name}: {percent(evaluation.score)}")
    if "consensus" in result.test:
        lines.append(
            "  best: GENREG's champion, the most trusted genome. consensus: the survivors' mean weights, our addition."
        )
    return lines + (per_class_lines(chosen, names) if len(names) <= 40 else [])


def _between(chosen: Evaluation) -> str:
    """Return the interval of an accuracy that is measured on few inputs."""
    if chosen.n >= FEW:
        return ""
    low, high = interval(chosen.accuracy, chosen.n)
    return f" of {chosen.n:,}, 95 % interval {percent(low)} to {percent(high)}"


def _numbers_told(result: Result) -> list[str]:
    """Return lines about numbers: R2, and errors beside those of predicting the mean."""
    chosen = result.test[result.genome]
    assert isinstance(chosen, NumberEvaluation)
    return [f"test R2 {chosen.score:.4f}  ({_among(result, '{:.4f}'.format)})", *number_lines(chosen)]


def _among(result: Result, shown: Callable[[float], str]) -> str:
    """Return the champions' results on the validation split."""
    one = len(result.validation) == 1
    each = ", ".join(f"{'' if one else name + ' '}{shown(value)}" for name, value in result.validation.items())
    return f"validation {each}" if one else f"{result.genome}, chosen on validation: {each}"
