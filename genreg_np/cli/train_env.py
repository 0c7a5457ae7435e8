"""`genreg-np train --env NAME`: evolve a policy for an environment of Gymnasium."""

from __future__ import annotations

import contextlib
import math
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from genreg_np.cli.output import Progress, duration, print_json
from genreg_np.cli.runs import fresh_folder, go_on, seconds_of, stopped_lines
from genreg_np.cli.settings_help import GIVEN, given_settings
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.control import Episodes, episodes
from genreg_np.control.episodes import MOST_SEED, PRESET
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.config import TrainConfig, default_preset, merged, parse_assignment, read_preset
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.run_folder import RunFolder
from genreg_np.strategies import population_class
from genreg_np.streams import Purpose, Stream

if TYPE_CHECKING:
    from genreg_np.model import Model

BUDGET = "60s"  # where nothing else ends a run
RESCORE = 30  # episodes by which a policy that would be the best ever is judged
JUDGED = 100  # fresh episodes at the end
JUDGING = 2  # which stream of seeds is for these: a run has 0 and 1
NOT_ENDED = 2**31  # generations, where something else ends a run
SETTINGS = ("strategy", "hidden", "network", "generations", "seed")
KNOWN = (  # options that mean something beside --env
    *SETTINGS, "env", "episodes", "preset", "budget", "target", "backend", "device", "threads", "init_model", "out",
    "resume_run", "assignments", "config_file", "quiet", "verbose", "as_json", "report",
)  # fmt: skip
AGAIN = ("preset", "strategy", "hidden", "network", "seed", "init_model", "out", "config_file", "episodes")


@dataclass
class Task:
    """What is to be done."""

    episodes: Episodes
    evolution: Evolution
    folder: Path
    generations: int
    rescore: int


def is_of_env(run: str) -> bool:
    """Whether a run folder is that of a policy."""
    with contextlib.suppress(RunError, UsageError), RunFolder.open(Path(run)) as folder:
        return "env" in folder.read_config()[2]
    return False


def look_here() -> None:
    """Have the module of --env module:function looked for in the working directory, too."""
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def check_registered(name: str, where: str) -> None:
    """Refuse an environment that a file names and that is a function of a module: files may come from anybody.

    Raises
    ------
    UsageError
        With the option that names it.
    """
    if ":" in name:
        raise UsageError(f"{where} names a function, {name}, which no file may have called: name it by --env {name}")


def train_policy(options: dict[str, Any], progress: Progress, stopping: Stopping) -> int:
    """Start a run or go on with one, print what it came to, and return the exit code."""
    stopping.last_words = ["stopped; no run was begun"]
    _check(options)
    task = (_new if options["resume_run"] is None else _resumed)(options, progress)
    evolution, folder = task.evolution, task.folder
    progress.say(f"network {evolution.network.describe()}; backend {evolution.backend.name}")
    progress.say(f"run folder {folder}" + (f", from generation {evolution.generation}" if evolution.generation else ""))
    if options["verbose"]:
        for name, value in evolution.config.to_dict().items():
            progress.say(f"  {name} = {value}")
    returns, ended = None, "stopped"
    try:
        stopping.waiting_for = "this generation"
        ended = _run(task, options, progress, lambda: stopping.asked)
        stopping.waiting_for = ""
        stopping.last_words = [f"stopped; the policy is in {folder / 'model.npz'}"]
        if ended != "stopped":
            progress.say(f"playing {JUDGED} fresh episodes ...")
            returns = _judged(task, evolution.champion())
    except KeyboardInterrupt:
        for line in stopping.last_words:
            progress.say(line)
    finally:
        progress.stop()
    stopping.all_is_saved()
    if options["as_json"]:
        print_json(_json(task, ended, returns))
    if returns is None:
        if ended == "stopped":
            for line in stopped_lines(folder, evolution.generation, "train"):
                progress.say(line)
        return INTERRUPTED
    for line in _told(task, ended, returns):
        progress.say(line)
    if options["report"]:
        from genreg_np.cli import report_

        progress.say(f"report {report_.of_own_run(folder, None)}")
    return 0


def _check(options: dict[str, Any]) -> None:
    """Refuse what has nothing to do with episodes."""
    for name, value in options.items():
        if name not in KNOWN and value not in (None, (), False):
            raise UsageError(f"--{name.replace('_', '-')} is for data, and --env has none: leave it out")
    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations say the same thing twice: give one of them")
    seconds_of(options["budget"])
    if options["target"] is not None and math.isnan(options["target"]):
        raise UsageError("--target nan is no mean return")
    look_here()


def _new(options: dict[str, Any], progress: Progress) -> Task:
    """Return a run that begins."""
    from genreg_np.model import load

    given = given_settings(options, SETTINGS)
    strategy = given.get("strategy")
    preset = options["preset"] or (PRESET if strategy is None else default_preset("", strategy))
    config = TrainConfig.from_dict(merged(read_preset(preset), given), GIVEN)
    population_class(config.strategy)
    by_clock = not given.get("generations") and (options["budget"] or options["target"] is None)
    if by_clock and config.annealed:
        raise UsageError(
            f"strategy {config.strategy} plans its steps by how many generations there are, which a budget does not "
            "say: give --generations N, or --set annealing=none"
        )
    task = episodes(options["env"], options["episodes"] or 1)
    progress.say(f"environment {task.name}, {task.episodes} episode{'s' * (task.episodes > 1)} a score")
    progress.say(f"strategy {config.strategy}, preset {preset}, seed {config.seed}")
    initial = load(options["init_model"]) if options["init_model"] else None
    if initial is not None:
        task.fits(initial)
    evolution = task.evolution(config, backend=options["backend"] or "auto", initial=initial)
    if by_clock and not options["budget"]:
        options["budget"] = BUDGET
        progress.say(f"for {BUDGET}: --budget, --generations or --target say how long")
    folder = Path(options["out"]) if options["out"] else fresh_folder(task.name, preset, config.seed)
    generations = config.generations if given.get("generations") else NOT_ENDED
    return Task(task, evolution, folder, generations, RESCORE)


def _resumed(options: dict[str, Any], progress: Progress) -> Task:
    """Return a run that goes on."""
    for name in AGAIN:
        if options[name] is not None:
            flag = {"init_model": "init", "config_file": "config"}.get(name, name)
            raise UsageError(f"--{flag} cannot be combined with --resume: the run has its own")
    run = Path(options["resume_run"])
    if not (options["budget"] or options["generations"] or options["target"] is not None):
        raise UsageError("how much longer? give --budget 60s, --generations N or --target X beside --resume")
    with RunFolder.open(run) as folder:
        config, _, origin = folder.read_config()
    try:
        own = {name.removeprefix("option_"): value for name, value in origin.items() if name.startswith("option_")}
        if options["env"] not in (None, origin["env"]):
            raise UsageError(f"--env {options['env']} beside --resume: the run's own is {origin['env']}")
        if options["env"] is None:
            check_registered(origin["env"], str(run))
        task = episodes(origin["env"], origin["env_episodes"], origin["env_steps"], **own)
        rescore = origin["rescore"]
    except (KeyError, TypeError):
        raise RunError(f"{run}: its origin is not what train writes; restore it") from None
    changes = dict(parse_assignment(text) for text in options["assignments"])
    changes |= {"generations": options["generations"]} if options["generations"] else {}
    config = config.changed(**changes)
    backend = options["backend"] or origin.get("backend", "auto")
    evolution = Evolution.load(run / "checkpoint.npz", config=config, backend=backend)
    progress.say(f"environment {task.name}, strategy {config.strategy}, seed {config.seed}")
    return Task(task, evolution, run, options["generations"] or NOT_ENDED, rescore)


def _run(task: Task, options: dict[str, Any], progress: Progress, should_stop: Callable[[], bool]) -> str:
    """Evolve, and return why it ended."""
    processes = options["threads"] or os.cpu_count() or 1
    total = 0 if task.generations == NOT_ENDED else task.generations
    progress.start(total, task.evolution.generation)
    return task.evolution.run(
        task.generations,
        fitness=task.episodes,
        workers=processes if processes > 1 else 0,
        rescore=task.rescore,
        target=options["target"],
        budget=seconds_of(options["budget"]),
        out=task.folder,
        on_record=lambda record: progress.update(record, total),
        should_stop=should_stop,
    )


def _judged(task: Task, model: Model) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what a policy reaches in fresh episodes."""
    stream = Stream(task.evolution.config.seed)
    words = stream.words(Purpose.EPISODE, task.evolution.generation, JUDGING, JUDGED)
    return task.episodes.returns(model, [int(word) % MOST_SEED for word in words])


def _json(task: Task, ended: str, returns: Any) -> dict[str, Any]:
    evolution, best = task.evolution, task.evolution.best_ever
    return {
        "method": evolution.config.strategy,
        "env": task.episodes.name,
        "seed": evolution.config.seed,
        "generations": evolution.generation,
        "seconds": round(evolution.seconds, 3),
        "mean_return": None if returns is None else float(returns.mean()),
        "deviation": None if returns is None else float(returns.std()),
        "episodes": 0 if returns is None else len(returns),
        "best_ever": None if best is None else best.facts(),
        "run": str(task.folder),
        "model": None if best is None else str(task.folder / "model.npz"),
        "ended": ended,
    }


def _told(task: Task, ended: str, returns: Any) -> list[str]:
    """Return what is said at the end."""
    model, best = task.folder / "model.npz", task.evolution.best_ever
    assert best is not None
    mean, error = returns.mean(), returns.std() / math.sqrt(len(returns))
    return [
        "",
        f"mean return {mean:.1f} +- {error:.1f} over {len(returns)} fresh episodes, the worst {returns.min():.1f}",
        f"{task.evolution.generation} generations, {duration(task.evolution.seconds)}; "
        f"generation {best.generation} is saved",
        f"model {model}",
        "",
        "try next:",
        f"  {shlex.join(['genreg-np', 'play', str(model), '--out', 'episode.gif'])}",
        f"{go_on(task.folder, 'train')} --budget {BUDGET}",
    ]
