"""What the commands of `genreg-np search` have in common: their options, and the search that these stand for."""

from __future__ import annotations

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

FINAL_SEEDS = "How often it is trained; the first is the model (of GANs the best).  [default: 2]"
F = TypeVar("F", bound=Callable[..., Any])
SETTINGS = (
    "metric", "genome", "mode", "conditional", "selection", "population", "begin", "generations", "max_epochs",
    "max_layers", "max_parameters", "max_macs", "max_seconds", "augmentation", "head", "weights", "second",
    "final_epochs", "final_seeds", "seed",
)  # fmt: skip
MOST_PARAMETERS = "100,000; an autoencoder's 300,000; a GAN's 600,000"
BUDGETS = "5m; a table's 60s"
MOST_MACS = "by the budget; an autoencoder's 8 million"
Set = tuple[Path, "SearchConfig", Dataset, dict[str, Any], "float | None"]


def of_data(command: F) -> F:
    """Add the argument and the options that say what is learned from."""
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
        click.option("--target", type=float, help="Stop searching when an individual reaches it."),
        click.option("--selection", help="steady, crossover, elitist, differential or random.  [default: steady]"),
        click.option("--population", type=int, help="Individuals.  [default: 24]"),
        click.option("--genome", type=click.Path(), help="A file such as winner.toml: the very first individual."),
        click.option("--begin", help="What the first individuals are: hand-made or random.  [default: hand-made]"),
        click.option("--generations", type=click.IntRange(min=1), help="Breed so many populations."),
        click.option("--budget", help=f"Take about this long instead, all in all: 60s, 5m, 1h.  [default: {BUDGETS}]"),
        click.option("--max-seconds", type=float, help="That one may learn at a time; it is killed then."),
    )


def of_networks(command: F) -> F:
    """Add the options of how large networks may be, and how long one may learn."""
    return _with(
        command,
        click.option("--max-epochs", type=float, help="How often one sees each image before the end, at most."),
        click.option("--max-layers", type=int, help="Convolutions and dense layers of one."),
        click.option("--max-parameters", type=int, help=f"Weights and biases.  [default: {MOST_PARAMETERS}]"),
        click.option("--max-macs", type=int, help=f"Multiply-adds for an image.  [default: {MOST_MACS}]"),
        click.option("--final-epochs", type=int, help="Of the winner's training, at most.  [default: by the budget]"),
        click.option("--final-seeds", type=int, help=FINAL_SEEDS),
        click.option("--backend", help="auto, cpu, numpy, numba or cupy.  [default: auto]"),
        click.option("--dashboard", is_flag=True, help="Write trials for optuna-dashboard, too."),
    )


def of_the_run(command: F) -> F:
    """Add the options of where any search is computed, and of what is written."""
    return _with(
        command,
        click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one for each core]"),
        click.option("--engine", help="Where individuals learn: processes, serial or ray.  [default: processes]"),
        click.option("--address", help="Of a Ray cluster: HOST:PORT, or auto.  [default: one started here]"),
        click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]"),
        click.option("--out", type=click.Path(), help="The search's folder.  [default: a new one in runs/]"),
        click.option("--resume", type=click.Path(), help="Go on with a search."),
        click.option("--report", is_flag=True, help="Make a page to look at when it ends."),
        click.option("--quiet", is_flag=True, help="Print nothing but errors."),
        click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout."),
    )


def _with(command: F, *options: Callable[[Any], Any]) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def set_up(kind: dict[str, Any], options: dict[str, Any], budget: float | None, progress: Progress) -> Set:
    """Return folder, configuration, data, their origin, and the budget of a new search or of one that goes on.

    Parameters
    ----------
    kind : dict
        Settings of what is searched for, which options may change.
    options : dict
        As they were given; None what was not.
    budget : float or None
        Seconds.
    progress : Progress

    Raises
    ------
    UsageError
        For options that contradict one another or the search that goes on.
    """
    from genreg_np.search.config import DEFAULT_SECONDS, SearchConfig, settings_for

    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations say the same thing twice: give one of them")
    if options["data"] and options["dataset"]:
        raise UsageError("DATA and --dataset say the same thing twice: give one of them")
    given = {name: options[name] for name in SETTINGS if options.get(name) is not None}
    if "genome" in given:
        given["genome"] = text_of(Path(given["genome"]))
        if options["generations"] == 1:  # it alone
            kind = kind | {"population": 1, "selection": "random"}
    named = options["data"] or options["dataset"]
    if options["resume"] is not None:
        return _gone_on_with(kind, options, given, named, budget, progress)
    if not options["generations"] and budget is None:
        budget = DEFAULT_SECONDS
    config = SearchConfig.from_dict(settings_for(budget, kind["kind"]) | kind | given)
    dataset, source, origin = read_data({"dataset": named or "auto"}, options, progress)
    out = options["out"]
    what = "search" if config.kind == "classifier" else config.kind
    folder = Path(out) if out else fresh_folder(_stem(source), f"{what}-{config.selection}", config.seed)
    if not config.generations and (folder / "search.json").exists():
        raise UsageError(
            f"{folder}: holds a search that has ended: go on with --resume {folder}, or choose another --out"
        )
    return folder, config, dataset, origin, budget


def _gone_on_with(
    kind: dict[str, Any],
    options: dict[str, Any],
    given: dict[str, Any],
    named: str | None,
    budget: float | None,
    progress: Progress,
) -> Set:
    """Return what a search that is in a folder goes on with."""
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.folder import SearchFolder

    folder = Path(options["resume"])
    if options["out"]:
        raise UsageError("--resume names the folder: leave out --out")
    with SearchFolder.open(folder) as own:
        config, origin = own.read_config()
    if config.kind != kind["kind"]:
        raise UsageError(f"{folder}: holds a search for another kind, {config.kind}, not {kind['kind']}")
    origin |= {"source": lasting(named)} if named else {}
    origin |= {"data_dir": options["data_dir"]} if options["data_dir"] else {}
    if origin.get("source") is None:
        raise UsageError(f"{folder}: its data have no name or path: say where they are with --dataset")
    config = SearchConfig.from_dict(config.to_dict() | given)
    if config.generations and budget is not None:
        raise UsageError("--resume of a search by generations takes --generations, not --budget")
    if not config.generations and budget is None:
        raise UsageError("--resume of a search under a budget needs --budget: for how much longer is it to go on?")
    dataset = load_again(folder, origin, 1, named=bool(named))
    progress.say(f"dataset {dataset.name}")
    return folder, config, dataset, origin, budget


def text_of(path: Path) -> str:
    """Return the genome that a file holds.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    from genreg_np.search.folder import MOST_TOML_BYTES

    try:
        return read_text(path, MOST_TOML_BYTES)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"--genome {path}: cannot be read ({why})") from None


def _stem(source: str) -> str:
    """Return what a folder is called after: a dataset's name, or the last part of its path."""
    return re.sub(r"\.\w+$", "", Path(source).name) or "images"
