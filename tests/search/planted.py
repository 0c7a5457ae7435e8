"""Lessons that something happens to: importable, so that workers can do them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from genreg_np.search.lessons.base import Learned, Lesson, learn

if TYPE_CHECKING:  # workers for images start without scikit-learn
    from genreg_np.search.tabular.lesson import PipelineLesson


MARK = "GENREG_PLANTED_MARK"  # names the file that tells that somebody hangs


def _chosen(lesson: Lesson, one_of: int = 3) -> bool:
    """Whether it happens: to some individuals, and never at the end."""
    return lesson.seed % one_of == 0 and "final" not in Path(lesson.states[0]).name


def hangs(lesson: Lesson) -> Learned:
    """Never come back; few do, since each is waited for."""
    if _chosen(lesson, 5):
        if MARK in os.environ:
            Path(os.environ[MARK]).touch()
        time.sleep(600)
    return learn(lesson)


def eats(lesson: Lesson) -> Learned:
    """Take all the memory there is."""
    if _chosen(lesson):
        pieces = [np.empty(1 << 27) for _ in range(64)]  # 64 GiB: what is asked for counts, touched or not
        return Learned("ok", str(len(pieces)))
    return learn(lesson)


def dies(lesson: Lesson) -> Learned:
    """End the process, as a fault of a library does."""
    if _chosen(lesson):
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(lesson)


def raises(lesson: Lesson) -> Learned:
    """Fail as code does that has an error."""
    if _chosen(lesson):
        raise ZeroDivisionError("something of nothing")
    return learn(lesson)


def killed_once(lesson: Lesson) -> Learned:
    """Die the first time, as one does that another process's hunger for memory ended."""
    mark = Path(lesson.states[-1] + ".tried")
    if _chosen(lesson) and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return learn(lesson)


def always_dies(lesson: Lesson) -> Learned:
    """End the process, whoever it is."""
    os._exit(3)


def sleeps(lesson: PipelineLesson) -> Learned:
    """Never come back from boosting."""
    if lesson.genome["model"] == "boosting":
        time.sleep(600)
    return lesson.learn()


def takes_memory(lesson: PipelineLesson) -> Learned:
    """Let boosting take all the memory there is."""
    if lesson.genome["model"] == "boosting":
        pieces = [np.empty(1 << 27) for _ in range(64)]
        return Learned("ok", str(len(pieces)))
    return lesson.learn()


def nothing_is_fitted(lesson: PipelineLesson) -> Learned:
    """Fail, whatever is asked for."""
    raise ZeroDivisionError("a fault of a library")


def hangs_at_the_end(lesson: Lesson) -> Learned:
    """Never come back from the first training of a winner."""
    _once_at_the_end(lesson, lambda: time.sleep(600))
    return learn(lesson)


def eats_at_the_end(lesson: Lesson) -> Learned:
    """Take all the memory there is in the first training of a winner."""
    _once_at_the_end(lesson, lambda: [np.empty(1 << 27) for _ in range(64)])
    return learn(lesson)


def _once_at_the_end(lesson: Lesson, happens: Callable[[], object]) -> None:
    mark = Path(lesson.states[-1]).parent / "happened"
    if "final" in Path(lesson.states[0]).name and not mark.exists():
        mark.touch()
        happens()


def never_ends(lesson: Lesson) -> Learned:
    """Never come back from any training of a winner."""
    if "final" in Path(lesson.states[0]).name:
        time.sleep(600)
    return learn(lesson)


def hangs_when_chosen(lesson: Lesson) -> Learned:
    """Never come back where a finalist of the lowest rung is judged on the split that chooses."""
    if "select" in lesson.judged and len(lesson.rungs) == 1:
        time.sleep(600)
    return learn(lesson)
