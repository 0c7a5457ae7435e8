"""`genreg-np train --env NAME`: evolve a policy for a Gymnasium environment."""

from __future__ import annotations

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
from genreg_np.cli.runs import choose_device, fresh_folder, go_on, seconds_of
from genreg_np.cli.settings_help import GIVEN, given_settings
from genreg_np.cli.signals import INTERRUPTED, Stopping
from genreg_np.control import Episodes, episodes
from genreg_np.control.episodes import PRESET
from genreg_np.control.noted import noted_task
from genreg_np.engines.fitness import FASTER
from genreg_np.errors import RunError, UsageError
from genreg_np.fitness import finite_or_none
from genreg_np.runs.config import TrainConfig, default_preset, merged, parse_assignment, read_preset
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.own_folder import OWN_FITNESS
from genreg_np.runs.run_folder import RunFolder
from genreg_np.runs.start import check_total
from genreg_np.settings import usable_processors
from genreg_np.strategies import population_class

if TYPE_CHECKING:
    from genreg_np.model import Model

BUDGET = "60s"  # if nothing else ends a run
RESCORE = 30  # episodes to confirm a policy that would be the best ever
JUDGED = 100  # fresh episodes at the end
JUDGING = 2  # their stream of seeds: a run uses 0 and 1
ENDED = {"budget": "the budget", "target": "the target", "generations": "their number"}
NOT_ENDED = 2**31  # generations, if something else ends a run
PRESETS = {None: PRESET, "cma-es": PRESET, "evolution-strategy": "policy-large"}  # by strategy; others have their own
SETTINGS = ("strategy", "hidden", "network", "generations", "seed")
KNOWN = (  # options that can be combined with --env
    *SETTINGS, "env", "episodes", "steps", "preset", "budget", "target", "backend", "device", "threads", "engine",
    "address", "init_model", "out", "resume_run", "extend", "assignments", "config_file", "quiet", "verbose", "as_json",
    "report",
)  # fmt: skip
OF_DATA = ("dataset", "class_weight", "familiarity", "target", "keep", "validate_every", "champion")  # settings
AGAIN = ("preset", "strategy", "hidden", "network", "seed", "init_model", "out", "config_file", "episodes", "steps")


@dataclass
class Task:
    """A run on an environment."""

    episodes: Episodes
    evolution: Evolution
    folder: Path
    rescore: int

    @property
    def generations(self) -> int:
        """The total number of generations; NOT_ENDED if something else ends the run."""
        return self.evolution.config.generations

    @property
    def named(self) -> str:
        """The option that a command needs to find the environment, or ""."""
        return f" --env {shlex.quote(self.episodes.name)}" if ":" in self.episodes.name else ""


def is_of_env(run: str) -> bool:
    """Return whether a run folder is that of a policy; raises as reading it does."""
    with RunFolder.open(Path(run)) as folder:
        return "env" in folder.read_config()[2]


def look_for(env: str | None) -> None:
    """Let the module in --env be found in the working directory, after all other places."""
    if env is not None and ":" in env and os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())


def train_policy(options: dict[str, Any], progress: Progress, stopping: Stopping) -> int:
    """Start or resume a run, print the results, and return the exit code."""
    is_new = options["resume_run"] is None
    stopping.last_words = ["stopped; no run was started" if is_new else "stopped; the run is unchanged"]
    _check(options)
    task = (_new if is_new else _resumed)(options, progress)
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
        stopping.last_words = _stopped(task)
        if ended != "stopped" and not stopping.asked:
            progress.say(f"playing {JUDGED} fresh episodes ...")
            returns = _judged(task)
    except KeyboardInterrupt:
        pass
    finally:
        progress.stop()
    stopping.all_is_saved()
    if options["as_json"]:
        print_json(_json(task, ended, returns))
    for line in _stopped(task) if returns is None else _told(task, ended, returns):
        progress.say(line)
    if returns is None:
        return INTERRUPTED
    if options["report"]:
        from genreg_np.cli import report_

        progress.say(f"report {report_.of_own_run(folder, None)}")
    return 0


def _check(options: dict[str, Any]) -> None:
    """Refuse options that do not apply to episodes, and invalid values."""
    for name, value in options.items():
        if name not in KNOWN and value not in (None, (), False):
            raise UsageError(f"--{name.replace('_', '-')} is for data, and --env has none: leave it out")
    if options["budget"] and options["generations"]:
        raise UsageError("--budget and --generations cannot be combined: give one of them")
    seconds_of(options["budget"])
    if options["target"] is not None and math.isnan(options["target"]):
        raise UsageError("--target must be a mean return, not nan")
    if options["threads"] is not None and options["threads"] < 1:
        raise UsageError(f"--threads {options['threads']}: the processes that play must be 1 or more")
    if options["env"] is not None and not options["env"].strip():
        raise UsageError("--env is empty: name an environment, such as CartPole-v1")
    choose_device(options)
    look_for(options["env"])


def _new(options: dict[str, Any], progress: Progress) -> Task:
    """Return a new run."""
    from genreg_np.model import load

    if options["extend"]:
        raise UsageError("--extend needs --resume")
    given = given_settings(options, SETTINGS)
    if wrong := [name for name in OF_DATA if name in given]:
        raise UsageError(f"{wrong[0]} is a setting of runs on data, and --env has none: leave it out")
    strategy = given.get("strategy")
    preset = options["preset"] or PRESETS.get(strategy) or default_preset("", strategy)
    config = TrainConfig.from_dict(merged(read_preset(preset), given), GIVEN)
    population_class(config.strategy)
    if not given.get("generations"):
        if config.annealed:
            raise UsageError(
                f"strategy {config.strategy} plans its steps by the number of generations: give --generations N, "
                "or --set annealing=none"
            )
        config = config.replace(generations=NOT_ENDED)
        if not options["budget"] and options["target"] is None:
            options["budget"] = BUDGET
            progress.say(f"for {BUDGET}: change that with --budget, --generations or --target")
    out = Path(options["out"]) if options["out"] else None
    if out is not None and (out / "config.toml").exists():
        raise RunError(f"{out}: already holds a run: resume it with --resume {out}, or choose another --out")
    task = episodes(options["env"], options["episodes"] or 1, options["steps"])
    unlimited = "" if task.is_limited else f"; no limit is declared: {task.steps:,} steps at most"
    progress.say(f"environment {task.name}, {task.episodes} episode{'s' * (task.episodes > 1)} a score{unlimited}")
    progress.say(f"strategy {config.strategy}, preset {preset}, seed {config.seed}")
    initial = load(options["init_model"]) if options["init_model"] else None
    how = {"backend": options["backend"] or "auto", "on_compiling": progress.compiling}
    evolution = task.evolution(config, initial, **how)
    return Task(task, evolution, out or fresh_folder(task.name, preset, config.seed), RESCORE)


def _resumed(options: dict[str, Any], progress: Progress) -> Task:
    """Return a run to resume."""
    for name in AGAIN:
        if options[name] is not None:
            flag = {"init_model": "init", "config_file": "config"}.get(name, name)
            raise UsageError(f"--{flag} cannot be combined with --resume: the run has its own")
    run = Path(options["resume_run"])
    with RunFolder.open(run) as folder:
        config, _, origin = folder.read_config()
    if OWN_FITNESS not in origin or "env" not in origin:
        raise UsageError(f"{run} is not a run of train --env: leave out --env")
    if options["env"] not in (None, origin["env"]):
        raise UsageError(f"--env {options['env']} with --resume: the run's own is {origin['env']}")
    task = noted_task(origin, str(run), options["env"])
    rescore = origin.get("rescore")
    if type(rescore) is not int or rescore < 0:
        raise RunError(f"{run}: its origin is not what train writes; restore it")
    changes = dict(parse_assignment(text) for text in options["assignments"])
    changes |= {"generations": options["generations"]} if options["generations"] else {}
    if options["budget"] or options["target"] is not None:
        changes = {"generations": NOT_ENDED} | changes if config.generations == NOT_ENDED else changes
    new = config.changed(**changes)
    if new.generations == NOT_ENDED and not options["budget"] and options["target"] is None:
        raise UsageError("how much longer? give --budget 60s, --generations N or --target X with --resume")
    how = {"backend": options["backend"] or origin.get("backend", "auto"), "on_compiling": progress.compiling}
    evolution = Evolution.load(run / "checkpoint.npz", config=new, **how)
    check_total(config, new, evolution.generation, bool(options["extend"]))
    progress.say(f"environment {task.name}, strategy {new.strategy}, seed {new.seed}")
    return Task(task, evolution, run, rescore)


def _run(task: Task, options: dict[str, Any], progress: Progress, should_stop: Callable[[], bool]) -> str:
    """Evolve, and return the reason for the end."""
    engine = options["engine"] or FASTER
    processes = 0 if engine == "serial" else options["threads"] or (0 if engine == "ray" else usable_processors())
    total = 0 if task.generations == NOT_ENDED else task.generations
    progress.start(total, task.evolution.generation)
    return task.evolution.run(
        task.generations,
        fitness=task.episodes,
        workers=processes if processes > 1 or engine != FASTER else 0,
        engine=engine,
        address=options["address"] or "",
        rescore=task.rescore,
        target=options["target"],
        budget=seconds_of(options["budget"]),
        out=task.folder,
        on_record=lambda record: progress.update(record, total),
        should_stop=should_stop,
    )


def _judged(task: Task) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the policy's returns in fresh episodes."""
    if task.evolution.best_ever is None:
        raise RunError(
            f"no policy had a finite mean return in the {task.rescore} episodes that confirm the best: "
            f"{task.episodes.name} must give finite rewards"
        )
    model: Model = task.evolution.champion()
    seeds = task.evolution.stream.seeds(task.evolution.generation, JUDGING, JUDGED)
    return task.episodes.returns(model, seeds)


def _json(task: Task, ended: str, returns: Any) -> dict[str, Any]:
    evolution, best = task.evolution, task.evolution.best_ever
    found = (None, None) if returns is None else (finite_or_none(float(returns.mean())), _deviation(returns))
    return {
        "method": evolution.config.strategy,
        "env": task.episodes.name,
        "seed": evolution.config.seed,
        "generations": evolution.generation,
        "seconds": round(evolution.seconds, 3),
        "mean_return": found[0],
        "deviation": found[1],
        "episodes": 0 if returns is None else len(returns),
        "best_ever": None if best is None else best.facts(),
        "run": str(task.folder),
        "model": None if best is None else str(task.folder / "model.npz"),
        "ended": ended,
    }


def _deviation(returns: Any) -> float | None:
    with np.errstate(invalid="ignore"):
        return finite_or_none(float(returns.std()))


def _told(task: Task, ended: str, returns: Any) -> list[str]:
    """Return the lines to print at the end."""
    model, best = task.folder / "model.npz", task.evolution.best_ever
    assert best is not None
    finite = returns[np.isfinite(returns)]
    lines = [""]
    if len(finite):
        mean, error = finite.mean(), finite.std() / math.sqrt(len(finite))
        lines.append(
            f"mean return {mean:.1f} (standard error {error:.1f}) over {len(finite)} fresh episodes, the worst "
            f"{finite.min():.1f}"
        )
    if len(finite) < len(returns):
        lines.append(f"{len(returns) - len(finite)} of {len(returns)} episodes had no finite return")
    done = task.evolution.generation
    modes = (getattr(task.episodes.env, "metadata", None) or {}).get("render_modes") or ()
    film = ["--out", "episode.gif"] if "rgb_array" in modes else ["--episodes", "100"]
    return [
        *lines,
        f"{done} generation{'s' * (done > 1)}, {duration(task.evolution.seconds)}, ended by {ENDED.get(ended, ended)}; "
        f"generation {best.generation} is saved",
        f"model {model}",
        "",
        "try next:",
        f"  {shlex.join(['genreg-np', 'play', str(model), *film])}{task.named}",
        _further(task),
    ]


def _stopped(task: Task) -> list[str]:
    """Return lines about a run that was stopped."""
    done = task.evolution.generation
    saved = f"after generation {done}" if done else "before the first generation had ended"
    return [f"stopped and saved {saved}. Resume with:", _further(task)]


def _further(task: Task) -> str:
    """Return the command that resumes a run, as an indented line."""
    ended = task.evolution.generation >= task.generations
    more = f" --budget {BUDGET}" if task.generations == NOT_ENDED else ""
    more = f" --generations {2 * task.generations}" if ended else more
    return f"{go_on(task.folder, 'train')}{task.named}{more}"
