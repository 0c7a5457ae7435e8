"""Episodes made again from what runs and models note of them (Episodes.facts), which may have come from anybody."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from genreg_np.control.episodes import OPTION, UNNOTED, Episodes, episodes
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.run_config import is_plain

OWN = ("env", "episodes", "steps", "render_mode", "source")  # no options of an environment: arguments of Episodes


def noted_task(notes: Mapping[str, Any], where: str, env: str | None = None, steps: int | None = None) -> Episodes:
    """Return the task that notes describe.

    Parameters
    ----------
    notes : mapping
        What `Episodes.facts` returned, among other things.
    where : str
        What they are of, for errors.
    env : str, optional
        The environment as the user names it: a function of a module is called for nobody else.
    steps : int, optional
        The most of an episode, instead.

    Raises
    ------
    RunError
        If they are not what `facts` returns.
    UsageError
        If the environment cannot be made, or has to be named.
    """
    name, count, most = (notes.get(key) for key in ("env", "env_episodes", "env_steps"))
    options = {key.removeprefix(OPTION): value for key, value in notes.items() if key.startswith(OPTION)}
    numbers = all(type(number) is int and number > 0 for number in (count, most))
    if not isinstance(name, str) or not numbers or not all(map(is_plain, options.values())) or set(options) & set(OWN):
        raise RunError(f"{where}: what it says of its environment is not what train --env writes")
    if ":" in name and env is None:
        raise UsageError(f"{where} was made with {name}, which a file cannot import by itself: add --env {name}")
    if unnoted := notes.get(UNNOTED):
        raise UsageError(f"{where}: options {unnoted} of its environment are not noted: play and go on in Python")
    return episodes(name, count, steps or most, **options)  # type: ignore[arg-type]
