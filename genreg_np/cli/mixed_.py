"""`genreg-np mixed`: alternate gradient descent and recombination, and measure the result."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from genreg_np.cli import mixed_report, report_
from genreg_np.cli.output import Progress, print_json
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
    stopped_lines,
    watch,
)
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.data import READER_OPTIONS
from genreg_np.errors import MissingExtraError, RunError, UsageError
from genreg_np.model import Float32
from genreg_np.report.attacks import PAPER_FGSM, Attack
from genreg_np.runs.config import TrainConfig, parse_assignment, read_preset
from genreg_np.runs.result import Result, Watcher
from genreg_np.runs.run_folder import RunFolder
from genreg_np.runs.training import resume, train
from genreg_np.strategies.mixed.networks import NETWORKS, network_name, parse_network
from genreg_np.strategies.mixed.options import FITNESSES, GENES

if TYPE_CHECKING:
    from genreg_np.report.measure import Measured
    from genreg_np.runs.evolution import Evolution

SETTINGS = {  # options whose setting has another name
    "population": "population_size",
    "mutation_rate": "child_mutation_rate",
}
FEW_STEPS = 500  # too few for a network to learn much: MNIST's six epochs are 3,300
PUBLISHED = (  # settings, the notebook's values, and a line about each
    ("selection", "test", "parents are chosen by test accuracy, which is then no longer a test"),
    ("training", "all", "validation images are learned from"),
    ("order", "fixed", "images come in a fixed order"),
    ("first_parents", "unsorted", "the first parents are unsorted"),
    ("edges", "fresh", "weights outside whole blocks are drawn anew in every child"),
)
EXAMPLES = """\b
Examples:
  genreg-np mixed                                   784-256-128-10, six generations
  genreg-np mixed --paper --network vertical        as published
  genreg-np mixed --gene unit --fitness diversity   a bonus for being different
  genreg-np mixed --dataset digits --network 64,32|32 --generations 20
  genreg-np mixed --resume runs/mnist-mixed-0 --generations 12

Everything else is a setting: see genreg-np train --strategy mixed --help
"""


HELP = """\
Train a population by alternating gradient descent and recombination.

After Cooke and de Alfaro. At the end, the networks' accuracy is measured on the test split, and their robustness to
adversarial images made for one of them.
"""


@click.command("mixed", help=HELP, epilog=EXAMPLES)
@click.option("--network", help=f"{', '.join(NETWORKS)}, or widths like 256,64|64.  [default: horizontal]")
@click.option("--population", type=int, help="Networks that survive.  [default: 20]")
@click.option("--generations", type=int, help="Generations in all.  [default: 6]")
@click.option("--epochs", type=int, help="Epochs of gradient descent per generation.  [default: 1]")
@click.option("--gene", help=f"What crossover exchanges: {', '.join(GENES)}.  [default: block]")
@click.option(
    "--newcomers",
    type=float,
    help="Fresh networks per generation, as a fraction of the others, rounded down.  [default: 0.1]",
)
@click.option("--mutation-rate", type=float, help="Probability that a child's weight mutates.  [default: 0]")
@click.option("--fitness", help=f"Fitness for choosing parents: {', '.join(FITNESSES)}.  [default: accuracy]")
@click.option("--paper", is_flag=True, help="Do what the published notebook did: choose by test accuracy, and more.")
@click.option("--eps", default="0.05,0.1,0.2", show_default=True, help="Largest changes of a pixel by attacks.")
@click.option("--paper-fgsm", is_flag=True, help="Also attack as the notebook did: 0.1623, pixels leave 0 .. 1.")
@click.option("--attack-images", type=click.IntRange(min=0), help="Test images to attack, 0: none.  [default: all]")
@click.option("--figures/--no-figures", default=True, help="Draw figures, if matplotlib is installed.")
@click.option("--report", is_flag=True, help="Write a report page at the end.")
@click.option("--dataset", help="A name from data list, a folder of images, a .npz, .csv or .tsv.")
@click.option("--data-dir", help="Where to look for datasets first.")
@reader_options
@click.option("--backend", help="auto, cpu, numpy, numba or cupy.  [default: auto]")
@click.option("--device", type=click.IntRange(min=0), help="Which GPU the cupy backend uses.")
@click.option("--threads", type=int, help="Number of threads; by default all.")
@click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]")
@click.option("--out", type=click.Path(), help="The run folder.  [default: runs/DATASET-mixed-SEED]")
@click.option("--resume", "resume_run", type=click.Path(), help="Resume a run, or measure it again.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help="Any setting; repeatable.")
@click.option("--quiet", is_flag=True, help="Print only errors.")
@click.option("--verbose", is_flag=True, help="Print every setting, the backend and its threads.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
@click.pass_obj
def command(stopping: Stopping, /, **options: Any) -> int:
    """Start or resume a run, measure its population, and print the results."""
    if options["report"]:
        report_.check()
    progress, started = Progress(options["quiet"], options["as_json"]), Started()
    attacks = parse_attacks(options["eps"], options["paper_fgsm"] or options["paper"])
    watcher = watch(progress, options, stopping, started, "mixed")
    result = measured = None

    def print_result() -> None:
        if options["as_json"]:
            print_json(mixed_report.to_json(result, started, measured))

    stopping.leave = leaving(progress, stopping, started, print_result)
    try:
        go = _start if options["resume_run"] is None else _resume
        result = go(options, watcher, progress)
    except KeyboardInterrupt:
        for line in stopping.last_words:
            progress.say(line)
    finally:
        progress.stop()
    if result is not None and result.ended != "stopped":
        stopping.waiting_for = "this part of the measurement"
        measured = _measure(started.evolution, attacks, options["attack_images"], progress, lambda: stopping.asked)
    stopping.all_is_saved()
    print_result()
    if result is not None and measured is not None:
        _report(result, started, measured, options, progress)
        if options["report"]:
            progress.say(f"report {report_.of_own_run(folder_of(result), started.evolution.dataset)}")
        return 0
    if result is not None:
        _say_stopped(result, progress)
        if options["report"] and result.generations:
            for line in report_.later_lines(folder_of(result)):
                progress.say(line)
    return INTERRUPTED


def parse_attacks(epsilons: str, paper: bool) -> list[Attack]:
    """Return the attacks to measure.

    Raises
    ------
    UsageError
        For an epsilon that is not a number from 0 to 1.
    """
    attacks = [PAPER_FGSM] if paper else []
    for text in filter(None, epsilons.split(",")):
        try:
            epsilon = float(text)
        except ValueError:
            epsilon = math.nan
        if math.isnan(epsilon):
            raise UsageError(f"--eps {epsilons!r} must be numbers like 0.05,0.1")
        attacks += [Attack("fgsm", epsilon), Attack("pgd", epsilon)]
    return attacks


def _settings(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings given as options."""
    names = ("population", "generations", "epochs", "gene", "newcomers", "mutation_rate", "fitness", "dataset", "seed")
    settings = {SETTINGS.get(name, name): options[name] for name in names if options[name] is not None}
    if options["network"] is not None:
        hidden, parts = parse_network(options["network"])
        settings |= {"hidden": hidden, "parts": parts}
    return settings | dict(parse_assignment(text) for text in options["assignments"])


def settings_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a new run, including those of its preset.

    Raises
    ------
    UsageError
        For settings that cannot be combined.
    """
    settings = read_preset("seed-mixed" if options["paper"] else "mixed") | _settings(options)
    if settings["strategy"] != "mixed":
        raise UsageError(f"strategy = {settings['strategy']!r}: this command is mixed; use genreg-np train for others")
    return settings


def _start(options: dict[str, Any], watcher: Watcher, progress: Progress) -> Result:
    """Start a new run."""
    choose_device(options)
    settings = settings_of(options)
    config = TrainConfig.from_dict(settings, "--set")  # refuses bad values before a dataset is downloaded
    name = network_name(config.hidden, config.parts) or "single-layer"
    dataset, source, origin = read_data(settings, options, progress)
    config = config.replace(dataset=source)
    preset = "seed-mixed" if options["paper"] else "mixed"
    progress.say(
        f"{name} network, {config.population_size} of them and {config.options.newcomer_count} newcomers a generation, "
        f"gene {config.gene}, seed {config.seed}"
    )
    steps = config.generations * config.epochs * -(-len(dataset.train) // config.batch_size)
    if steps < FEW_STEPS:
        progress.say(
            f"only {steps} steps of gradient descent in all: smaller batches give more, for example --set batch_size=10"
        )
    for line in published_lines(config):
        progress.say(line)
    backend = options["backend"] or "auto"
    out = Path(options["out"]) if options["out"] else fresh_folder(dataset.name, preset, config.seed)
    return train(config, dataset, out, backend=backend, threads=options["threads"], origin=origin, watcher=watcher)


def published_lines(config: TrainConfig) -> list[str]:
    """Return lines about what a run does as the published notebook did, and differently from the default."""
    found = [said for name, value, said in PUBLISHED if getattr(config, name) == value]
    if config.gene != "block":  # nothing lies outside blocks
        found = [said for said in found if "blocks" not in said]
    return ["as published:", *(f"  {said}" for said in found)] if found else []


def _resume(options: dict[str, Any], watcher: Watcher, progress: Progress) -> Result:
    """Resume a run."""
    choose_device(options)
    for name in ("network", "seed", "out", *READER_OPTIONS):
        if options[name] is not None:
            raise UsageError(f"--{name} cannot be combined with --resume: the run has its own")
    if options["paper"]:
        raise UsageError("--paper cannot be combined with --resume: start a new run for it (--paper-fgsm can)")
    changes = _settings(options | {"dataset": None})
    config = saved_run(options["resume_run"], options["dataset"], progress)
    if config.strategy != "mixed":
        run = shlex.quote(options["resume_run"])
        raise UsageError(f"{run} is a run of {config.strategy}: resume it with genreg-np train --resume {run}")
    return resume(
        options["resume_run"],
        changes=changes,
        source=options["dataset"],
        backend=options["backend"],
        threads=options["threads"],
        data_dir=options["data_dir"],
        watcher=watcher,
    )


def _say_stopped(result: Result, progress: Progress) -> None:
    """Print what is saved of a run that was stopped during a generation or the measurement."""
    lines = stopped_lines(folder_of(result), result.generations, "mixed")
    if result.ended != "stopped":
        lines[0] = f"stopped; the run is saved, {result.generations} generations. Measure it with:"
    for line in lines:
        progress.say(line)


def _measure(
    evolution: Evolution,
    attacks: list[Attack],
    attacked: int | None,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> Measured | None:
    """Measure the population on the test split; None if it was stopped."""
    from genreg_np.report.measure import measure

    if evolution.network.fixed and attacks:
        progress.say("no attacks: they change pixels, but this network takes features")
        attacks = []
    return measure(evolution, attacks, attacked, progress.say, should_stop)


def _report(result: Result, started: Started, measured: Measured, options: dict[str, Any], progress: Progress) -> None:
    """Print the results before writing measures.json and figures, so that a failed write loses nothing."""
    if not options["as_json"]:
        lines = mixed_report.lines(result, started.evolution, measured)
        for line in [*lines, *next_lines(folder_of(result) / "model.npz", started.origin)]:
            progress.say(line)
    with RunFolder.open(folder_of(result)) as folder:
        folder.write_json("measures.json", measured.to_dict())
        if options["figures"]:
            _draw(folder, np.asarray(started.evolution.state.similarity), measured.layers, progress)


def _draw(folder: RunFolder, similarity: Float32, layers: tuple[str, ...], progress: Progress) -> None:
    """Draw figures, if possible."""
    from genreg_np.report.figures import draw_all

    progress.say("")
    progress.say("drawing figures")
    place, count = folder.path / "figures", 0
    try:
        for name, image in draw_all(similarity, layers):
            place.mkdir(exist_ok=True)
            folder.write(f"figures/{name}", image)
            count += 1
    except (MissingExtraError, RunError, OSError) as error:
        progress.say(f"{'no more' if count else 'no'} figures: {error}")
    else:
        progress.say(f"figures {place} ({count} files)")
