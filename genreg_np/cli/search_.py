"""`genreg-np search`: find networks and their optimisers by evolution."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genreg_np.cli import report_, search_table
from genreg_np.cli.output import Progress
from genreg_np.cli.runs import seconds_of
from genreg_np.cli.search_board import Board
from genreg_np.cli.search_conduct import Ending, conduct
from genreg_np.cli.search_options import of_breeding, of_data, of_networks, of_the_run, set_up
from genreg_np.cli.search_told import next_of, report, stopped, to_json
from genreg_np.cli.signals import Stopping
from genreg_np.cli.terminal import say
from genreg_np.errors import UsageError

if TYPE_CHECKING:
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.images import Found
    from genreg_np.search.searching import Search
    from genreg_np.search.stored import StoredSearch
    from genreg_np.search.trials import Trial

HELP = """\
Find a network and the optimiser that trains it by evolution, without designing either.
"""
EXAMPLES = """\b
Examples:
  genreg-np search images mnist --budget 5m
  genreg-np search autoencoder mnist
  genreg-np search gan mnist --budget 7m
  genreg-np search table penguins.csv --label species
  genreg-np search explain runs/mnist-search-steady-0 12
"""
IMAGES_HELP = """\
Find a classifier of images and its optimiser: train many small networks briefly, and the best of them longer.

DATA is a name from data list, or a folder of images with a subfolder per class. The winner is trained from scratch on
everything but the test split, and saved as model.npz.
"""
IMAGES_EXAMPLES = """\b
Examples:
  genreg-np search images mnist --budget 5m
  genreg-np search images photos/ --metric f1 --max-parameters 20000
  genreg-np search images mnist --selection crossover --generations 4
  genreg-np search images mnist --resume runs/mnist-search-steady-0 --budget 10m
"""


AUTOENCODER_HELP = """\
Find a network that reproduces an image from a short code.

DATA is as for search images. The table at the end is the Pareto front of similarity and code length; the winner has
the highest similarity. Saved are model.npz and its halves, encoder.npz and decoder.npz.
"""
AUTOENCODER_EXAMPLES = """\b
Examples:
  genreg-np search autoencoder mnist --budget 5m
  genreg-np infer runs/mnist-autoencoder-steady-0/encoder.npz digits/ --save codes/
"""
GAN_HELP = """\
Find a generator of images, the discriminator that trains it, their loss and both optimisers.

DATA is as for search images. Pairs with mode collapse, or whose discriminator wins, are removed from the population.
The result is generator.npz, which turns noise into images. --genome FILE --generations 1 trains a single pair.
"""
GAN_EXAMPLES = """\b
Examples:
  genreg-np search gan mnist --budget 7m
  genreg-np search gan mnist --conditional
  genreg-np search gan mnist --genome runs/mnist-gan-steady-0/winner.toml --generations 1
  genreg-np sample runs/mnist-gan-steady-0
"""
LARGER = {"max_parameters": 300_000, "max_macs": 8_000_000}  # than for classifiers, which have few outputs
MOST_OF_GAN = 600_000  # weights and biases


@click.group("search", help=HELP, epilog=EXAMPLES)
def command() -> None:
    """Hold the subcommands."""


@command.command("images", help=IMAGES_HELP, epilog=IMAGES_EXAMPLES)
@of_data
@click.option("--metric", help="accuracy, balanced-accuracy, f1, precision, recall, log-loss; f1:CLASS.")
@of_breeding
@of_networks
@click.option("--second", help="A cost to minimise as well: parameters or macs; ends with a table of the front.")
@click.option("--augmentation", help="simple, joint, evolved (a population of its own) or none.  [default: simple]")
@click.option("--head", help="classes, or prototypes: the nearest class mean, for tiny sets.  [default: classes]")
@click.option("--weights", help='Select by a sum instead: "accuracy=1,parameters=-0.001" (thousands; macs: millions).')
@of_the_run
@click.pass_obj
def images(stopping: Stopping, /, **options: Any) -> int:
    """Search for a classifier."""
    return _search(stopping, {"kind": "classifier"}, options)


@command.command("autoencoder", help=AUTOENCODER_HELP, epilog=AUTOENCODER_EXAMPLES)
@of_data
@click.option("--metric", help="psnr (decibels) or squared-error, of pixels of 0 .. 1.  [default: psnr]")
@of_breeding
@of_networks
@click.option("--second", help="A cost to minimise as well: code, parameters or macs.  [default: code]")
@of_the_run
@click.pass_obj
def autoencoder(stopping: Stopping, /, **options: Any) -> int:
    """Search for an autoencoder."""
    return _search(stopping, {"kind": "autoencoder", "metric": "psnr", "second": "code", **LARGER}, options)


@command.command("gan", help=GAN_HELP, epilog=GAN_EXAMPLES)
@of_data
@click.option("--metric", help="fitness, fcd, coverage, tvd ... (docs/search-gan.md).  [default: fitness]")
@of_breeding
@of_networks
@click.option("--conditional", is_flag=True, default=None, help="Give the class to the generator as an input.")
@click.option("--mode", help="pipeline: the loss is a gene; losses: three compete throughout.  [default: pipeline]")
@click.option("--augmentation", help="simple, evolved (with optimisers: two populations) or none.  [default: simple]")
@click.option("--weights", help='Select by a sum instead: "fitness=-1,parameters=-0.001" (thousands; macs: millions).')
@of_the_run
@click.pass_obj
def gan(stopping: Stopping, /, **options: Any) -> int:
    """Search for a generator."""
    return _search(stopping, {"kind": "gan", "metric": "fitness", "max_parameters": MOST_OF_GAN}, options)


command.add_command(search_table.table)


def _search(stopping: Stopping, kind: dict[str, Any], options: dict[str, Any]) -> int:
    """Search and print the results; `kind` holds the settings of the kind of search."""
    started = time.monotonic()  # a budget is for reading the data as well
    from genreg_np.search.folder import DIARY
    from genreg_np.search.images import search_images
    from genreg_np.search.mirror import optuna
    from genreg_np.search.searching import Watcher

    if options["report"]:
        report_.check()
    if options["dashboard"]:
        optuna()
    progress = Progress(options["quiet"], options["as_json"])
    budget = seconds_of(options["budget"])
    folder, config, dataset, origin, budget = set_up(kind, options, budget, progress)
    board = Board(progress, budget, folder / DIARY, config.children == 1, started)
    mirror: _Mirrored | None = None
    stopping.last_words = ["stopped; no search was started"]

    def on_trial(trial: Trial, running: Search[Any]) -> None:
        board.took(trial, running)
        if mirror:
            mirror.took(trial)

    def on_phase(phase: str) -> None:
        nonlocal mirror
        if phase == "searching" and options["dashboard"]:
            mirror = _Mirrored(folder, config, progress)
        if phase == "searching":
            stopping.last_words = stopped(folder, config, options)
            progress.say(f"search folder {folder}")
            progress.say("starting workers ...")
        board.phase(phase)

    def search() -> Found:
        return search_images(
            dataset, config, folder, budget=budget, target=options["target"], workers=options["workers"],
            engine=options["engine"] or "processes", address=options["address"] or "",
            backend=options["backend"] or "auto",
            watcher=Watcher(on_trial, on_phase, progress.say, progress.compiling), started=started,
        )  # fmt: skip

    def tell(found: Found) -> None:
        report(found, config, dataset, progress)
        for line in next_of(found, config, origin):
            progress.say(line)

    ending = Ending(
        lambda found: report_.of_own_search(found.folder, dataset),
        lambda found, page: to_json(found, config, page),
        tell,
    )
    return conduct(search, ending, folder, board, progress, stopping, options)


class _Mirrored:
    """Writes trials for a dashboard, including earlier ones; if writing fails, the search continues without."""

    def __init__(self, folder: Path, config: SearchConfig, progress: Progress) -> None:
        from genreg_np.search.folder import trials_in
        from genreg_np.search.kinds import space_of
        from genreg_np.search.mirror import Mirror

        self._progress = progress
        self._mirror: Mirror | None = None
        try:
            self._mirror = Mirror(folder, space_of(config))
        except Exception as error:  # of another package's storage
            self._end(error)
            return
        progress.say(f"watch it with: optuna-dashboard {self._mirror.path}")
        for trial in trials_in(folder / "trials.jsonl"):
            self.took(trial)

    def took(self, trial: Trial) -> None:
        """Write a trial."""
        if self._mirror is not None:
            try:
                self._mirror.took(trial)
            except Exception as error:
                self._end(error)

    def _end(self, error: Exception) -> None:
        self._mirror = None
        self._progress.say(f"no trials are written for the dashboard: {type(error).__name__}: {error}")


def measured(search: StoredSearch, trial: Trial) -> list[str]:
    """Return the measures of a trial in words; errors of pipelines are shown without a sign."""
    if search.config.kind != "table":
        return [f"{name} {value:.4f}" for name, value in trial.metrics.items()]
    return [
        f"{search.scored_by if name == search.config.metric else name} {abs(value) if search.sign < 0 else value:.4f}"
        for name, value in trial.metrics.items()
    ]


@command.command("explain", help="Show individual NUMBER of a search, or its winner, and its ancestors.")
@click.argument("run", type=click.Path())
@click.argument("number", type=int, required=False)
def explain(run: str, number: int | None) -> None:
    """Print an individual."""
    from genreg_np.report.sections.lineage import ancestors
    from genreg_np.search.stored import StoredSearch

    search = StoredSearch.read(Path(run))
    individuals = {trial.child: trial for trial in search.trials}
    if number is None and (first := search.winner or next(iter(search.leaders), None)):
        number = first.child
        if search.winner is None and (words := search.handed_over):
            say(f"the result is {words}; the best single one is:", "")
    if not individuals:
        raise UsageError(f"{run}: no individual has been judged yet: continue the search with --resume {run}")
    known = f"the numbers run from {min(individuals)} to {max(individuals)}"
    if number is None:
        raise UsageError(f"{run}: every individual has failed so far: name one; {known}")
    if number not in individuals:
        raise UsageError(f"{run}: has no individual {number}; {known}")
    own = individuals[number]
    say(f"individual {own.child}: {own.network}")
    counted = "folds" if search.config.kind == "table" else "samples"
    if counted == "samples":
        say(f"{own.parameters:,} weights and biases, {own.macs:,} multiply-adds for an image")
    for trial in sorted((trial for trial in search.trials if trial.child == own.child), key=lambda trial: trial.rung):
        measures = ", ".join(measured(search, trial))
        said = measures if trial.is_ok else f"{trial.status}: {trial.why}"
        say(f"trial {trial.number}: rung {trial.rung}, {trial.samples:,} {counted}, {trial.seconds:.1f} s: {said}")
    for place, trial in enumerate(ancestors(search, own.child)):
        parents = f" of {', '.join(map(str, trial.parents))}" if trial.parents else ""
        say(f"{'before it' if place else 'bred'} {trial.child}{parents}: {trial.how}")
    say("", *search.space.to_toml(own.genome).rstrip("\n").split("\n"))
