"""Rebuild episodes from the notes of runs and models (Episodes.facts), which are not trusted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genreg_np.control.episodes import OPTION, UNNOTED, Episodes, episodes
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.run_config import is_plain

OWN = ("env", "episodes", "steps", "render_mode", "source")  # arguments of Episodes, not options of an environment


def noted_task(notes: Mapping[str, Any], where: str, env: str | None = None, steps: int | None = None) -> Episodes:
    """Return the task that notes describe.

    Parameters
    ----------
    notes : mapping
        Contains what `Episodes.facts` returned, among other things.
    where : str
        The file or folder they are from, for error messages.
    env : str, optional
        The environment as named by the user; a function of a module is called only if the user named it.
    steps : int, optional
        Most steps of an episode, replacing the noted number.

    Raises
    ------
    RunError
        If they are not what `facts` returns.
    UsageError
        If the environment cannot be created, or must be named.
    """
    name, count, most = (notes.get(key) for key in ("env", "env_episodes", "env_steps"))
    options = {key.removeprefix(OPTION): value for key, value in notes.items() if key.startswith(OPTION)}
    numbers = all(type(number) is int and number > 0 for number in (count, most))
    if not isinstance(name, str) or not numbers or not all(map(is_plain, options.values())) or set(options) & set(OWN):
        raise RunError(f"{where}: its notes on the environment are not what train --env writes")
    if ":" in name and env is None:
        raise UsageError(f"{where} was made with {name}, which is imported only if you name it: add --env {name}")
    if unnoted := notes.get(UNNOTED):
        raise UsageError(f"{where}: options {unnoted} of its environment are not noted: play and resume in Python")
    return episodes(name, count, steps or most, **options)  # type: ignore[arg-type]
