"""`genreg-np search`: networks and their optimisers found by evolution."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genreg_np.cli import report_
from genreg_np.cli.output import Progress, duration, percent, print_json
from genreg_np.cli.reading import reader_options
from genreg_np.cli.runs import fresh_folder, next_lines, read_data, seconds_of
from genreg_np.cli.search_board import Board
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.cli.terminal import say
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.runs.provenance import lasting, load_again

if TYPE_CHECKING:
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.searching import Search
    from genreg_np.search.trials import Trial

HELP = """\
Find a network and the optimiser that trains it by evolution; nobody designs anything.
"""
EXAMPLES = """\b
Examples:
  genreg-np search images mnist --budget 5m
  genreg-np search explain runs/mnist-search-steady-0 12
"""
IMAGES_HELP = """\
Find a classifier of images, with its optimiser: train many small networks a little, the best of them longer.

DATA is a name in data list, or a folder of images with a folder for each class. The winner is trained anew on
everything but the test split, and becomes model.npz.
"""
IMAGES_EXAMPLES = """\b
Examples:
  genreg-np search images mnist --budget 5m
  genreg-np search images photos/ --metric f1 --max-parameters 20000
  genreg-np search images mnist --selection crossover --generations 4
  genreg-np search images mnist --resume runs/mnist-search-steady-0 --budget 10m
"""


@click.group("search", help=HELP, epilog=EXAMPLES)
def command() -> None:
    """See HELP."""


def limits(command: Any) -> Any:
    """Add the options of what an individual may be."""
    for option in reversed(
        (
            click.option("--max-epochs", type=float, help="How often one sees each image before the end, at most."),
            click.option("--max-layers", type=int, help="Convolutions and dense layers of one."),
            click.option("--max-parameters", type=int, help="Weights and biases of one.  [default: 100,000]"),
            click.option("--max-macs", type=int, help="Multiply-adds for an image.  [default: by the budget]"),
            click.option("--max-seconds", type=float, help="That one may learn at a time; it is killed then."),
        )
    ):
        command = option(command)
    return command


@command.command("images", help=IMAGES_HELP, epilog=IMAGES_EXAMPLES)
@click.argument("data", required=False)
@click.option("--dataset", help="The same as DATA.")
@click.option("--data-dir", help="Where to look for datasets first.")
@reader_options
@click.option("--metric", help="accuracy, balanced-accuracy, f1, precision, recall, log-loss; f1:CLASS.")
@click.option("--target", type=float, help="Stop searching when an individual reaches it.")
@click.option("--selection", help="steady, crossover, elitist, differential or random.  [default: steady]")
@click.option("--population", type=int, help="Individuals.  [default: 24]")
@click.option("--begin", help="What the first individuals are: hand-made or random.  [default: hand-made]")
@click.option("--generations", type=int, help="Breed so many populations.")
@click.option("--budget", help="Take about this long instead, all in all: 60s, 5m, 1h.  [default: 5m]")
@limits
@click.option("--second", help="A cost to be low as well: parameters or macs; ends with a table of the front.")
@click.option("--augmentation", help="simple, joint, evolved (a population of its own) or none.  [default: simple]")
@click.option("--weights", help='Select by a sum instead: "accuracy=1,parameters=-0.001" (thousands; macs: millions).')
@click.option("--final-epochs", type=int, help="Of the winner's training, at most.  [default: by the budget]")
@click.option("--final-seeds", type=int, help="How often it is trained; the first is the model.  [default: 2]")
@click.option("--workers", type=click.IntRange(min=1), help="Processes.  [default: one for each core]")
@click.option("--engine", help="Where individuals learn: processes or serial.  [default: processes]")
@click.option("--backend", help="auto, cpu, numpy, numba or cupy.  [default: auto]")
@click.option("--seed", type=int, help="Seed of all randomness.  [default: 0]")
@click.option("--out", type=click.Path(), help="The search's folder.  [default: runs/DATASET-search-SELECTION-SEED]")
@click.option("--resume", type=click.Path(), help="Go on with a search.")
@click.option("--report", is_flag=True, help="Make a page to look at when it ends.")
@click.option("--dashboard", is_flag=True, help="Write trials for optuna-dashboard, too.")
@click.option("--quiet", is_flag=True, help="Print nothing but errors.")
@click.option("--json", "as_json", is_flag=True, help="End with one line of JSON on stdout.")
@click.pass_obj
def images(stopping: Stopping, /, **options: Any) -> int:
    """Search, and print what it came to."""
    from genreg_np.search.images import search_images
    from genreg_np.search.mirror import optuna
    from genreg_np.search.searching import Watcher

    if options["report"]:
        report_.check()
    if options["dashboard"]:
        optuna()
    progress = Progress(options["quiet"], options["as_json"])
    budget = seconds_of(options["budget"])
    folder, config, dataset, origin, budget = _set_up(options, budget, progress)
    board = Board(progress, budget)
    mirror: _Mirrored | None = None
    stopping.last_words = ["stopped; no search was begun"]

    def on_trial(trial: Trial, search: Search) -> None:
        board.took(trial, search)
        if mirror:
            mirror.took(trial)

    def on_phase(phase: str) -> None:
        nonlocal mirror
        if phase == "searching" and options["dashboard"]:
            mirror = _Mirrored(folder, config, progress)
        if phase == "searching":
            stopping.last_words = _stopped(folder)
            progress.say(f"search folder {folder}")
        board.phase(phase)

    found = None
    try:
        found = search_images(
            dataset, config, folder, budget=budget, target=options["target"], workers=options["workers"],
            engine=options["engine"] or "processes", backend=options["backend"] or "auto",
            watcher=Watcher(on_trial, on_phase, progress.compiling),
        )  # fmt: skip
    except KeyboardInterrupt:
        board.stop()
        for line in stopping.last_words:
            progress.say(line)
    finally:
        board.stop()
    stopping.all_is_saved()
    if options["as_json"]:
        print_json(_to_json(found, folder))
    if found is None:
        return INTERRUPTED
    if options["report"]:
        progress.say(f"report {report_.of_own_search(found.folder, dataset)}")
    _report(found, config, len(dataset.test), progress)
    for line in next_lines(found.folder / "model.npz", origin):
        progress.say(line)
    return 0


class _Mirrored:
    """Writes trials for a dashboard, those of before too; what cannot be written ends that, not the search."""

    def __init__(self, folder: Path, config: SearchConfig, progress: Progress) -> None:
        from genreg_np.search.folder import trials_in
        from genreg_np.search.kinds import space_of
        from genreg_np.search.mirror import Mirror

        self._progress = progress
        self._mirror: Mirror | None = Mirror(folder, space_of(config))
        progress.say(f"watch it with: optuna-dashboard {self._mirror.path}")
        for trial in trials_in(folder / "trials.jsonl"):
            self.took(trial)

    def took(self, trial: Trial) -> None:
        """Write a trial."""
        if self._mirror is not None:
            try:
                self._mirror.took(trial)
            except Exception as error:  # of another package's storage
                self._mirror = None
                self._progress.say(f"no more trials are written for the dashboard: {type(error).__name__}: {error}")


def _set_up(
    options: dict[str, Any], budget: float | None, progress: Progress
) -> tuple[Path, Any, Dataset, dict[str, Any], float | None]:
    """Return folder, configuration, data, their origin, and the budget of a new search or of one that goes on."""
    from genreg_np.search.config import DEFAULT_SECONDS, SearchConfig, settings_for
    from genreg_np.search.folder import SearchFolder

    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations say the same thing twice: give one of them")
    if options["data"] and options["dataset"]:
        raise UsageError("DATA and --dataset say the same thing twice: give one of them")
    given = {name: options[name] for name in _SETTINGS if options[name] is not None}
    named = options["data"] or options["dataset"]
    if options["resume"] is not None:
        folder = Path(options["resume"])
        if options["out"]:
            raise UsageError("--resume names the folder: leave out --out")
        with SearchFolder.open(folder) as own:
            config, origin = own.read_config()
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
    if not options["generations"] and budget is None:
        budget = DEFAULT_SECONDS
    config = SearchConfig.from_dict(settings_for(budget) | given)
    dataset, source, origin = read_data({"dataset": named or "auto"}, options, progress)
    out = options["out"]
    folder = Path(out) if out else fresh_folder(_stem(source), f"search-{config.selection}", config.seed)
    return folder, config, dataset, origin, budget


_SETTINGS = (
    "metric", "selection", "population", "begin", "generations", "max_epochs", "max_layers", "max_parameters",
    "max_macs", "max_seconds", "augmentation", "weights", "second", "final_epochs", "final_seeds", "seed",
)  # fmt: skip


def _stem(source: str) -> str:
    """Return what a folder is called after: a dataset's name, or the last part of its path."""
    return re.sub(r"\.\w+$", "", Path(source).name) or "images"


def _stopped(folder: Path) -> list[str]:
    return [
        f"stopped; what has been tried is in {folder}. Go on with:",
        f"  genreg-np search images --resume {folder}",
        f"  (the best so far, if there is one: {folder / 'model.npz'})",
    ]


def _report(found: Any, config: Any, images: int, progress: Progress) -> None:
    """Say what a search came to; `images` are those of the test split."""
    from genreg_np.search.folder import trials_in
    from genreg_np.search.metrics import interval
    from genreg_np.search.pareto import cost_of, front_of

    progress.say(f"{found.trials:,} trials in {duration(found.seconds)}, ended by {found.ended}")
    if found.winner is None:
        progress.say("every individual failed: this is the default network, trained; trials.jsonl says why")
    progress.say(f"network {found.network}, {found.model.network.gene_count:,} weights and biases")
    for name, (mean, spread) in found.test.items():
        if name in ("accuracy", "f1", config.metric):
            first = found.finals[0][name]
            shown = f"{first:.4f}" if name == "log-loss" else percent(first)
            over = f" ({len(found.finals)} trainings: {mean:.4f} ± {spread:.4f})" if len(found.finals) > 1 else ""
            if name == "accuracy":
                low, high = interval(first, images)
                about = f"95 % interval {100 * low:.1f} .. {100 * high:.1f}"
                over = f", {round(first * images):,} of {images:,} ({about}){over}"
            progress.say(f"test {name} {shown}{over}")
    if config.second:
        progress.say(f"nobody is better in both, {config.metric} and {config.second}, than one of these:")
        for trial in front_of(list(trials_in(found.folder / "trials.jsonl")), config.second):
            size = f"{cost_of(trial, config.second):>11,} {config.second}"
            progress.say(f"  {size}  {config.metric} {trial.metrics[config.metric]:.4f}  trial {trial.number}")
    progress.say(f"model {found.folder / 'model.npz'}")


def _to_json(found: Any, folder: Path) -> dict[str, Any]:
    if found is None:
        return {"ended": "stopped", "folder": str(folder)}
    return {
        "ended": found.ended, "folder": str(found.folder), "model": str(found.folder / "model.npz"),
        "network": found.network, "genome": dict(found.genome), "trials": found.trials,
        "seconds": round(found.seconds, 3), "test": [dict(one) for one in found.finals],
        "winner": None if found.winner is None else found.winner.number,
    }  # fmt: skip


@command.command("explain", help="Show an individual of a search, and where it came from.")
@click.argument("run", type=click.Path())
@click.argument("number", type=int)
def explain(run: str, number: int) -> None:
    """Print a trial's individual."""
    from genreg_np.report.sections.lineage import ancestors
    from genreg_np.search.stored import StoredSearch

    search = StoredSearch.read(Path(run))
    trials = {trial.number: trial for trial in search.trials}
    if number not in trials:
        known = f"; the numbers run from {min(trials)} to {max(trials)}" if trials else ""
        raise UsageError(f"{run}: has no trial {number}{known}")
    own = trials[number]
    say(f"individual {own.child}: {own.network}")
    say(f"{own.parameters:,} weights and biases, {own.macs:,} multiply-adds for an image")
    for trial in sorted((trial for trial in search.trials if trial.child == own.child), key=lambda trial: trial.rung):
        measures = ", ".join(f"{name} {value:.4f}" for name, value in trial.metrics.items())
        said = measures if trial.is_ok else f"{trial.status}: {trial.why}"
        say(f"trial {trial.number}: rung {trial.rung}, {trial.samples:,} samples, {trial.seconds:.1f} s: {said}")
    for place, trial in enumerate(ancestors(search, own.child)):
        parents = f" of {', '.join(map(str, trial.parents))}" if trial.parents else ""
        say(f"{'before it' if place else 'bred'} {trial.child}{parents}: {trial.how}")
    say("", *search.space.to_toml(own.genome).rstrip("\n").split("\n"))
