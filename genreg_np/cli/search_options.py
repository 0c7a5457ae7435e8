"""Code shared by the commands of `genreg-np search`: their options, and the search set up from them."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from genreg_np.cli.output import Progress
from genreg_np.cli.reading import reader_options
from genreg_np.cli.runs import fresh_folder, read_data
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.files import read_text
from genreg_np.runs.provenance import lasting, load_again

if TYPE_CHECKING:
    from genreg_np.search.config import SearchConfig

FINAL_EPOCHS = "Most epochs of the final training; at least the samples of the top rung.  [default: by the budget]"
FINAL_SEEDS = "Trainings of the winner; the first (for GANs the best) is the model.  [default: 2]"
F = TypeVar("F", bound=Callable[..., Any])
SETTINGS = (
    "metric", "genome", "mode", "conditional", "selection", "population", "begin", "generations", "max_epochs",
    "max_layers", "max_parameters", "max_macs", "max_seconds", "augmentation", "head", "weights", "second",
    "final_epochs", "final_seeds", "seed",
)  # fmt: skip
MOST_PARAMETERS = "100,000; an autoencoder's 300,000; a generator's 600,000"
POPULATIONS = "24; of GANs 10 or 12"
BUDGETS = "5m; a table's 60s"
MOST_MACS = "by the budget; an autoencoder's 8 million"
Set = tuple[Path, "SearchConfig", Dataset, dict[str, Any], "float | None"]


def of_data(command: F) -> F:
    """Add the argument and options for the data."""
    return _with(
        command,
        click.argument("data", required=False),
        click.option("--dataset", help="The same as DATA."),
        click.option("--data-dir", help="Where to look for datasets first."),
        reader_options,
    )


def of_breeding(command: F) -> F:
    """Add the options of any search: how individuals are bred, and for how long."""
    return _with(
        command,
        click.option("--target", type=float, help="Stop searching when an individual reaches this metric."),
        click.option("--selection", help="steady, crossover, elitist, differential or random.  [default: steady]"),
        click.option("--population", type=int, help=f"Number of individuals.  [default: {POPULATIONS}]"),
        click.option("--genome", type=click.Path(), help="A file such as winner.toml: the very first individual."),
        click.option("--begin", help="The first individuals: hand-made or random.  [default: hand-made]"),
        click.option("--generations", type=click.IntRange(min=1), help="Breed this many populations."),
        click.option("--budget", help=f"Take about this long in total instead: 60s, 5m, 1h.  [default: {BUDGETS}]"),
        click.option("--max-seconds", type=float, help="Longest time for one lesson; it is killed after that."),
    )


def of_networks(command: F) -> F:
    """Add the options that limit the size of networks and the length of their training."""
    return _with(
        command,
        click.option("--max-epochs", type=float, help="Most epochs of one individual during the search."),
        click.option("--max-layers", type=int, help="Most convolutions and dense layers."),
        click.option("--max-parameters", type=int, help=f"Most weights and biases.  [default: {MOST_PARAMETERS}]"),
        click.option("--max-macs", type=int, help=f"Most multiply-adds for an image.  [default: {MOST_MACS}]"),
        click.option("--final-epochs", type=int, help=FINAL_EPOCHS),
        click.option("--final-seeds", type=int, help=FINAL_SEEDS),
        click.option("--backend", help="auto (a CPU, never a GPU), numpy, numba or cupy.  [default: auto]"),
        click.option("--dashboard", is_flag=True, help="Also write trials for optuna-dashboard."),
    )


def of_the_run(command: F) -> F:
    """Add the options of any search for computing and output."""
    return _with(
        command,
        click.option("--workers", type=click.IntRange(min=1), help="Number of processes.  [default: one per core]"),
        click.option("--engine", help="Where individuals are trained: processes, serial or ray.  [default: processes]"),
        click.option("--address", help="A Ray cluster: HOST:PORT, or auto.  [default: one started here]"),
        click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]"),
        click.option("--out", type=click.Path(), help="The search's folder.  [default: a new one in runs/]"),
        click.option("--resume", type=click.Path(), help="Resume a search."),
        click.option("--report", is_flag=True, help="Write a report page at the end."),
        click.option("--quiet", is_flag=True, help="Print only errors."),
        click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout."),
    )


def _with(command: F, *options: Callable[[Any], Any]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def set_up(kind: dict[str, Any], options: dict[str, Any], budget: float | None, progress: Progress) -> Set:
    """Return folder, configuration, data, their origin, and the budget of a new or resumed search.

    Parameters
    ----------
    kind : dict
        Settings of the kind of search, which options may change.
    options : dict
        The command's options; None for those not given.
    budget : float or None
        Seconds.
    progress : Progress

    Raises
    ------
    UsageError
        For options that contradict one another or the resumed search.
    """
    from genreg_np.search.config import DEFAULT_SECONDS, SearchConfig, settings_for
    from genreg_np.search.folder import check_new
    from genreg_np.search.kinds import NETWORKS

    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations cannot be combined: give one of them")
    if options["data"] and options["dataset"]:
        raise UsageError("DATA and --dataset cannot be combined: give one of them")
    given = {name: options[name] for name in SETTINGS if options.get(name) is not None}
    if "genome" in given:
        given["genome"] = text_of(Path(given["genome"]))
        if options["generations"] == 1 and options["resume"] is None:  # train only this one
            if others := " and ".join(f"--{name}" for name in ("population", "selection") if name in given):
                raise UsageError(
                    f"--genome with --generations 1 trains the given individual alone: leave out {others}, "
                    "or breed more generations"
                )
            kind = kind | {"population": 1, "selection": "random"}
            progress.say("only the given individual is trained: --genome with --generations 1")
    named = options["data"] or options["dataset"]
    if options["resume"] is not None:
        return _gone_on_with(kind, options, given, named, budget, progress)
    if not options["generations"] and budget is None:
        budget = DEFAULT_SECONDS
    config = SearchConfig.from_dict(settings_for(budget, kind["kind"]) | kind | given)
    if options["out"]:
        check_new(Path(options["out"]), config)
    dataset, source, origin = read_data({"dataset": named or "auto"}, options, progress)
    if NETWORKS[config.kind].is_validated_by_folds and config.is_tiny(len(dataset.train) + len(dataset.validation)):
        config = dataclasses.replace(config, rungs=())  # those of the plan are for larger sets
    out = options["out"]
    what = "search" if config.kind == "classifier" else config.kind
    folder = Path(out) if out else fresh_folder(_stem(source), f"{what}-{config.selection}", config.seed)
    return folder, config, dataset, origin, budget


def _gone_on_with(
    kind: dict[str, Any],
    options: dict[str, Any],
    given: dict[str, Any],
    named: str | None,
    budget: float | None,
    progress: Progress,
) -> Set:
    """Return the same as set_up for a search that is resumed."""
    from genreg_np.data import READER_OPTIONS
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.folder import SearchFolder

    folder = Path(options["resume"])
    if options["out"]:
        raise UsageError("--resume names the folder: leave out --out")
    if read := [name for name in READER_OPTIONS if options.get(name) not in (None, ())]:
        option = read[0].replace("_", "-")
        raise UsageError(f"--resume names a search that has its own --{option}: leave it out")
    with SearchFolder.open(folder) as own:
        config, origin = own.read_config()
    if config.kind != kind["kind"]:
        raise UsageError(f"{folder}: holds a search of another kind, {config.kind}, not {kind['kind']}")
    origin |= {"source": lasting(named)} if named else {}
    origin |= {"data_dir": options["data_dir"]} if options["data_dir"] else {}
    if origin.get("source") is None:
        raise UsageError(f"{folder}: its data have no name or path: give them with --dataset")
    config = SearchConfig.from_dict(config.to_dict() | given)
    if config.generations and budget is not None:
        raise UsageError("--resume of a search by generations takes --generations, not --budget")
    if not config.generations and budget is None:
        raise UsageError("--resume of a search with a budget needs --budget: how much longer should it run?")
    dataset = load_again(folder, origin, 1, named=bool(named))
    progress.say(f"dataset {dataset.name}")
    return folder, config, dataset, origin, budget


def text_of(path: Path) -> str:
    """Return the genome in a file.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    from genreg_np.search.folder import MOST_TOML_BYTES

    try:
        return read_text(path, MOST_TOML_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"--genome {path}: cannot be read ({why})") from None


def _stem(source: str) -> str:
    """Return the name to call a folder after: a dataset's name, or the last part of its path."""
    return re.sub(r"\.\w+$", "", Path(source).name) or "images"
