"""`genreg-np train`: start a run, or go on with one."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import click

from genreg_np.backends import compiled_how_often, must_compile
from genreg_np.cli.output import Progress, duration, per_class_lines, percent, print_json
from genreg_np.cli.runs import (
    INTERRUPTED,
    choose_device,
    config_of,
    fresh_folder,
    next_lines,
    read_data,
    stop_on_signal,
    stopped_lines,
    watch,
)
from genreg_np.config import (
    TrainConfig,
    default_preset,
    parse_assignment,
    preset_names,
    read_preset,
    read_toml,
)
from genreg_np.errors import UsageError
from genreg_np.run_config import CHANGES, ORIGIN
from genreg_np.strategies import REGISTRY, strategy_class
from genreg_np.training import Result, Watcher, resume, train


def _examples() -> str:
    lines = [
        "Examples:",
        "  genreg-np train                                      MNIST in seconds, or digits where it cannot be had",
        "  genreg-np train --preset seed-mnist-64               GENREG as published",
        "  genreg-np train --preset nodes --budget 10s          node perturbation, 784-64-10",
        "  genreg-np train --dataset photos/ --budget 60s       a folder with a subfolder per class",
        "  genreg-np train --resume runs/mnist-seed-mnist-64-0 --set child_mutation_rate=0.05",
        "",
        "\b",
        "Settings for --set and --config (default, where the preset says nothing else):",
    ]
    parts: dict[str, Any] = {"": TrainConfig} | {name: strategy_class(name).Options for name in REGISTRY}
    for heading, options in parts.items():
        lines += [f" strategy {heading}:"] if heading else []
        for item in dataclasses.fields(options):
            if "help" in item.metadata:
                default = ",".join(map(str, item.default)) if isinstance(item.default, tuple) else item.default
                lines.append(f"  {item.name:<22} {item.metadata['help']} ({default})")
    lines += ["", "\b", "Presets: " + ", ".join(preset_names())]
    return "\b\n" + "\n".join(lines)


@click.command("train", epilog=_examples())
@click.option("--dataset", help="mnist, fashion-mnist, digits, letters, a folder of images, a .npz or a .csv.")
@click.option("--data-dir", help="Where to look for datasets first.")
@click.option("--label", help="The label column of a .csv.")
@click.option("--size", help="Resize a folder's images to HxW.")
@click.option("--strategy", help="How to evolve: " + ", ".join(REGISTRY) + ".")
@click.option("--preset", help="A named configuration; by default chosen by the dataset.")
@click.option("--hidden", help="Units per hidden layer: 64 or 64,32.")
@click.option("--generations", type=int, help="Generations in all.")
@click.option("--budget", help="Train for about this long instead: 60s, 5m, 1h.")
@click.option("--target", type=float, help="Stop at this validation accuracy, as a fraction.")
@click.option("--backend", help="auto, cpu, numpy, numba or cupy.  [default: auto]")
@click.option("--device", type=click.IntRange(min=0), help="Which GPU the cupy backend uses.")
@click.option("--threads", type=int, help="How many threads; by default all.")
@click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]")
@click.option("--init", "init_model", type=click.Path(), help="Start from mutated copies of a model.")
@click.option("--out", type=click.Path(), help="The run folder.  [default: runs/DATASET-PRESET-SEED]")
@click.option("--resume", "resume_run", type=click.Path(), help="Go on with a run.")
@click.option("--extend", is_flag=True, help="With --resume: let --generations raise the total of an annealed run.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting below; repeatable.")
@click.option("--config", "config_file", type=click.Path(), help="A TOML file of settings.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--verbose", is_flag=True, help="Print every setting, the backend and its threads.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
def command(**options: Any) -> int:
    """Train a network by evolution.

    Ctrl-C saves the run and says how to go on with it. Nothing that was saved is ever lost.
    """
    progress = Progress(options["quiet"], options["as_json"])
    with stop_on_signal() as stopped:
        watcher = watch(progress, options, stopped, [])
        try:
            result = _start(options, watcher, progress) if options["resume_run"] is None else _resume(options, watcher)
        finally:
            progress.stop()
    _report(result, progress, options)
    return INTERRUPTED if result.ended == "stopped" else 0


def _start(options: dict[str, Any], watcher: Watcher, progress: Progress) -> Result:
    """Start a new run."""
    from genreg_np.model import load

    choose_device(options)
    if options["extend"]:
        raise UsageError("--extend goes with --resume")
    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations say the same thing twice: give one of them")
    named = ("dataset", "strategy", "hidden", "generations", "target", "seed")
    settings = read_preset(options["preset"]) if options["preset"] else {}
    if options["config_file"]:
        settings |= {
            name: value for name, value in read_toml(options["config_file"]).items() if name not in (CHANGES, ORIGIN)
        }
    settings |= {name: options[name] for name in named if options[name] is not None}
    settings |= dict(parse_assignment(text) for text in options["assignments"])
    budget = _seconds(options["budget"])
    _check(settings)  # before a dataset is fetched for it
    dataset, source, origin = read_data(settings, options, progress)
    preset = options["preset"]
    if preset is None:
        preset = default_preset(source, settings.get("strategy"))
        settings = read_preset(preset) | settings
    config = TrainConfig.from_dict(settings | {"dataset": source})
    initial = load(options["init_model"]) if options["init_model"] else None
    out = Path(options["out"]) if options["out"] else fresh_folder(dataset.name, preset, config.seed)
    progress.say(f"strategy {config.strategy}, preset {preset}, seed {config.seed}")
    progress.say(f"  {strategy_class(config.strategy).summary}")
    backend = options["backend"] or "auto"
    if must_compile(backend, strategy_class(config.strategy).works):
        progress.say(f"compiling kernels, {compiled_how_often()} (up to a minute) ...")
    return train(
        config,
        dataset,
        out,
        backend=backend,
        threads=options["threads"],
        budget_seconds=budget,
        initial=initial,
        origin=origin,
        watcher=watcher,
    )


def _check(settings: dict[str, Any]) -> None:
    """Refuse unknown settings, bad values and what another command is for, early."""
    config = TrainConfig.from_dict(settings, "--set or --config")
    if config.spent:
        raise UsageError(
            f"train ends with a test, but of such a run there is none ({'; '.join(config.spent.values())}): "
            "use genreg-np mixed --paper"
        )


def _resume(options: dict[str, Any], watcher: Watcher) -> Result:
    """Go on with a run."""
    choose_device(options)
    fixed = (
        "label",
        "size",
        "strategy",
        "preset",
        "hidden",
        "budget",
        "seed",
        "init_model",
        "out",
        "config_file",
    )
    for name in fixed:
        if options[name] is not None:
            flag = {"init_model": "init", "config_file": "config"}.get(name, name)
            raise UsageError(
                f"--{flag} cannot be combined with --resume: the run has its own (change rates with --set)"
            )
    if config_of(options["resume_run"]).spent:
        run = shlex.quote(options["resume_run"])
        raise UsageError(f"{run} is a run of genreg-np mixed --paper: go on with it by genreg-np mixed --resume {run}")
    changes = dict(parse_assignment(text) for text in options["assignments"])
    if options["target"] is not None:
        changes["target"] = options["target"]
    if options["generations"] is not None:
        changes["generations"] = options["generations"]
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


def _report(result: Result, progress: Progress, options: dict[str, Any]) -> None:
    """Print what the run came to, and the command to try next."""
    model_path = result.run / "model.npz"
    if result.ended == "stopped":
        for line in stopped_lines(result, "train"):
            progress.say(line)
    if result.model is None:
        return
    if options["as_json"]:
        print_json(
            {
                "method": result.model.training["method"],
                "dataset": result.model.training["config"]["dataset"],
                "seed": result.model.training["seed"],
                "generations": result.generations,
                "seconds": round(result.seconds, 3),
                "genome": result.genome,
                "validation_accuracy": result.validation[result.genome],
                "test_accuracy": result.test_accuracy,
                "run": str(result.run),
                "model": str(model_path),
                "ended": result.ended,
            }
        )
        return
    if result.ended == "stopped":
        return
    names = result.model.class_names
    chosen = result.test[result.genome]
    progress.say("")
    progress.say(f"test accuracy {percent(chosen.accuracy)}  ({result.genome}, chosen on validation: " + ", ".join(
        f"{name} {percent(value)}" for name, value in result.validation.items()) + ")")  # fmt: skip
    for name, evaluation in result.test.items():
        if name != result.genome:
            progress.say(f"  test accuracy of the {name}: {percent(evaluation.accuracy)}")
    if "consensus" in result.test:
        progress.say(
            "  best: GENREG's champion, the most trusted genome. consensus: the survivors' mean weights, our addition."
        )
    if len(names) <= 40:
        for line in per_class_lines(chosen, names):
            progress.say(line)
    progress.say(f"{result.generations} generations, {duration(result.seconds)}")
    progress.say(f"model {model_path}")
    for line in next_lines(model_path, options):
        progress.say(line)


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(s|m|h|)", text.strip())
    if not match or float(match[1]) <= 0:
        raise UsageError(f"--budget {text!r} must look like 60s, 5m or 1h")
    return float(match[1]) * {"s": 1, "": 1, "m": 60, "h": 3600}[match[2]]
