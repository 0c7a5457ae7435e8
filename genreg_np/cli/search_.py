"""`genreg-np search`: networks and their optimisers found by evolution."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from genreg_np.cli import report_
from genreg_np.cli.output import Progress, duration, print_json
from genreg_np.cli.runs import next_lines, seconds_of
from genreg_np.cli.search_board import Board
from genreg_np.cli.search_options import of_data, of_the_run, of_the_search, set_up
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.cli.terminal import say
from genreg_np.errors import UsageError

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset
    from genreg_np.search.config import SearchConfig
    from genreg_np.search.searching import Search
    from genreg_np.search.trials import Trial

HELP = """\
Find a network and the optimiser that trains it by evolution; nobody designs anything.
"""
EXAMPLES = """\b
Examples:
  genreg-np search images mnist --budget 5m
  genreg-np search autoencoder mnist
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


AUTOENCODER_HELP = """\
Find a network that gives an image back through a code of few numbers: the fewer, the more it has understood.

DATA is as for search images. Nobody is better in both, likeness and length of code, than those in the table at the
end; the winner is the one that is most alike. Saved are model.npz and its halves, encoder.npz and decoder.npz.
"""
AUTOENCODER_EXAMPLES = """\b
Examples:
  genreg-np search autoencoder mnist --budget 5m
  genreg-np infer runs/mnist-autoencoder-steady-0/encoder.npz digits/ --save codes/
"""
LARGER = {"max_parameters": 300_000, "max_macs": 8_000_000}  # than classifiers, which give but a few numbers
UNBOUNDED = {"log-loss": "", "squared-error": "", "psnr": " dB"}  # metrics that are no shares, and their units


@click.group("search", help=HELP, epilog=EXAMPLES)
def command() -> None:
    """See HELP."""


@command.command("images", help=IMAGES_HELP, epilog=IMAGES_EXAMPLES)
@of_data
@click.option("--metric", help="accuracy, balanced-accuracy, f1, precision, recall, log-loss; f1:CLASS.")
@of_the_search
@click.option("--second", help="A cost to be low as well: parameters or macs; ends with a table of the front.")
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
@of_the_search
@click.option("--second", help="A cost to be low as well: code, parameters or macs.  [default: code]")
@of_the_run
@click.pass_obj
def autoencoder(stopping: Stopping, /, **options: Any) -> int:
    """Search for an autoencoder."""
    return _search(stopping, {"kind": "autoencoder", "metric": "psnr", "second": "code", **LARGER}, options)


def _search(stopping: Stopping, kind: dict[str, Any], options: dict[str, Any]) -> int:
    """Search, and print what it came to; `kind` are settings of what is searched for."""
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
            stopping.last_words = _stopped(folder, config, options)
            progress.say(f"search folder {folder}")
            progress.say("starting workers ...")
        board.phase(phase)

    found = None
    try:
        found = search_images(
            dataset, config, folder, budget=budget, target=options["target"], workers=options["workers"],
            engine=options["engine"] or "processes", backend=options["backend"] or "auto",
            watcher=Watcher(on_trial, on_phase, progress.say, progress.compiling),
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
    _report(found, config, dataset, progress)
    for line in _next(found.folder, config, origin):
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


def _stopped(folder: Path, config: SearchConfig, options: dict[str, Any]) -> list[str]:
    command = "images" if config.kind == "classifier" else config.kind
    until = f"--generations {config.generations}" if config.generations else f"--budget {options['budget'] or '5m'}"
    until += "" if options["target"] is None else f" --target {options['target']:g}"
    return [
        f"stopped; what has been tried is in {folder}. Go on with:",
        f"  genreg-np search {command} --resume {folder} {until}",
        f"  (the best so far, if there is one: {folder / 'model.npz'})",
    ]


def _next(folder: Path, config: SearchConfig, origin: dict[str, Any]) -> list[str]:
    """Return the command to try next."""
    if config.kind == "autoencoder":
        lines = ["", "try next:", f"  genreg-np infer {folder / 'encoder.npz'} PICTURE --save codes"]
    else:
        lines = next_lines(folder / "model.npz", origin)
    return [*lines, f"  genreg-np search explain {folder}"]


def _report(found: Any, config: Any, dataset: Dataset, progress: Progress) -> None:
    """Say what a search came to."""
    from genreg_np.search.folder import trials_in
    from genreg_np.search.metrics import interval
    from genreg_np.search.pareto import cost_of, front_of

    trials = list(trials_in(found.folder / "trials.jsonl"))
    individuals, bred = ({trial.child for trial in those} for those in (trials, [t for t in trials if t.parents]))
    none = "; a longer budget breeds" if not bred and config.children is None else ""
    progress.say(
        f"{found.trials:,} trial{'s' * (found.trials != 1)} of {len(individuals):,} individuals, {len(bred):,} of them "
        f"bred{none}; {duration(found.seconds)}, ended by {found.ended}"
    )
    if found.winner is None:
        progress.say("every individual failed: this is the default network, trained; trials.jsonl says why")
    saved, own = found.model.network.gene_count, found.winner.parameters if found.winner else 0
    folded = f" ({saved:,} as saved: normalisation is folded into them)" if own > saved else ""
    progress.say(f"network {found.network}, {own or saved:,} weights and biases{folded}")
    for name, (mean, spread) in found.test.items():
        if name in ("accuracy", "f1", "squared-error", config.metric):
            first = found.finals[0][name]
            times, unit = (1, UNBOUNDED[name]) if name in UNBOUNDED else (100, " %")
            digits = 4 if times == 1 and not unit else 2
            shown = f"{times * first:.{digits}f}{unit}"
            both = f"{times * mean:.{digits}f} ± {times * spread:.{digits}f}{unit}"
            over = f" ({len(found.finals)} trainings: {both})" if len(found.finals) > 1 else ""
            if name == "accuracy":
                images = len(dataset.test)
                low, high = interval(first, images)
                about = f"95 % interval {100 * low:.1f} .. {100 * high:.1f}"
                over = f", {round(first * images):,} of {images:,} ({about}){over}"
            progress.say(f"test {name} {shown}{over}{_of_the_mean(dataset) if name == 'psnr' else ''}")
    if config.second:
        progress.say(f"nobody was better in both, {config.metric} and {config.second}, than one of these:")
        for trial in front_of(trials, config.second):
            size = f"{cost_of(trial, config.second):>11,} {config.second}"
            judged = f"individual {trial.child}, {trial.samples:,} samples"
            progress.say(f"  {size}  {config.metric} {trial.metrics[config.metric]:.4f}  {judged}")
    progress.say(f"model {found.folder / 'model.npz'}")


def _of_the_mean(dataset: Dataset) -> str:
    """Return how like the mean training image is, in place of a copy."""
    from genreg_np.model import mapped
    from genreg_np.search.aims.itself import decibels

    train, test = (mapped(split.inputs, dataset.input_range) for split in (dataset.train, dataset.test))
    return f"; the mean training image instead: {decibels(test - train.mean(axis=0)):.2f} dB"


def _to_json(found: Any, folder: Path) -> dict[str, Any]:
    if found is None:
        return {"ended": "stopped", "folder": str(folder)}
    return {
        "ended": found.ended, "folder": str(found.folder), "model": str(found.folder / "model.npz"),
        "network": found.network, "genome": dict(found.genome), "trials": found.trials,
        "seconds": round(found.seconds, 3), "test": [dict(one) for one in found.finals],
        "winner": None if found.winner is None else found.winner.child,
    }  # fmt: skip


@command.command("explain", help="Show individual NUMBER of a search, or its winner, and where it came from.")
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
    if number not in individuals:
        known = f"; the numbers run from {min(individuals)} to {max(individuals)}" if individuals else ""
        raise UsageError(f"{run}: has no individual {'' if number is None else number}{known}")
    own = individuals[number]
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
