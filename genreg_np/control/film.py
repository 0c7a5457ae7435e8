"""Film an episode as an animated GIF."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from genreg_np.control.episodes import Episodes
from genreg_np.engines.worker import line_of
from genreg_np.errors import FitnessError, UsageError, missing_extra
from genreg_np.infer import Model
from genreg_np.settings import is_number

FRAMES_A_SECOND = 25  # of the GIF, at most: its durations are in hundredths of a second
WIDEST = 400  # pixels
LONGEST = 2_000  # frames
HOLD = 1_000  # milliseconds of the last frame


def filmed(task: Episodes, model: Model, seed: int) -> tuple[list[float], bytes]:
    """Play and film one episode.

    Returns
    -------
    list of float
        The reward of each step.
    bytes
        The episode as a GIF at its own speed, with frames left out if necessary.

    Raises
    ------
    UsageError
        If the environment cannot draw pictures.
    FitnessError
        If it fails.
    MissingExtraError
        Without Pillow, or the packages with which the environment draws.
    """
    try:
        from PIL import Image
    except ImportError:
        raise missing_extra("pillow", "images", "film an episode") from None

    with _unseen():
        return _filmed(task, model, seed, Image)


def _filmed(task: Episodes, model: Model, seed: int, image: Any) -> tuple[list[float], bytes]:
    try:
        env = task.made(render_mode="rgb_array")
    except UsageError:  # for example a function without this option, which may work without it
        env = None
    if getattr(env, "render_mode", None) != "rgb_array":
        raise UsageError(f"{task.name} draws no pictures (it has no render mode rgb_array): leave out --out")
    told: Any = (getattr(env, "metadata", None) or {}).get("render_fps")
    rate = float(told) if is_number(told) and 0 < told < 1e4 else float(FRAMES_A_SECOND)
    every = max(1, round(rate / FRAMES_A_SECOND))
    rewards: list[float] = []
    frames: list[Any] = []
    try:
        for reward in task.played(model, seed, env):
            if len(rewards) % every == 0 and len(frames) < LONGEST:
                frames.append(_frame(env, task.name, image))
            rewards.append(reward)
        frames.append(_frame(env, task.name, image))
    finally:
        env.close()
    durations = [round(1000 * every / rate)] * (len(frames) - 1) + [HOLD]
    buffer = io.BytesIO()
    frames[0].save(
        buffer, "GIF", save_all=True, append_images=frames[1:], duration=durations, loop=0, optimize=False, disposal=1
    )
    return rewards, buffer.getvalue()


@contextlib.contextmanager
def _unseen() -> Iterator[None]:
    """Keep pygame, with which most environments draw, from opening a window and printing a greeting."""
    wanted = {"PYGAME_HIDE_SUPPORT_PROMPT": "1", "SDL_VIDEODRIVER": "dummy"}
    absent = [name for name in wanted if name not in os.environ]
    os.environ.update({name: wanted[name] for name in absent})
    try:
        yield
    finally:
        for name in absent:
            os.environ.pop(name, None)


def _frame(env: Any, name: str, image: Any) -> Any:
    """Return the environment's drawing, (H, W, 3) of 0 .. 255, as a picture with few colours, at most WIDEST wide."""
    try:
        picture = image.fromarray(np.asarray(env.render(), np.uint8))
    except Exception as error:
        raise FitnessError(f"{name}: its picture cannot be drawn: {line_of(error)}") from error
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)), image.Resampling.LANCZOS)
    return picture.quantize(64, method=image.Quantize.FASTOCTREE, dither=image.Dither.NONE)
