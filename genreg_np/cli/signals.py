"""Handle Ctrl-C, SIGTERM and SIGHUP (a closed terminal) in every phase of a command.

If stopping loses nothing (while data are read, kernels compiled, a budget measured), the command ends at once: the
handler raises KeyboardInterrupt. If something worth finishing is in progress, such as a generation, the command says so
and waits for it; a second Ctrl-C ends the process, and files are complete at any moment (files.py).

Python runs handlers in the main thread, and only between two of its bytecode steps, while a kernel may run for minutes.
So everything urgent is done by a thread that the system wakes: it says what the command waits for, takes the second
Ctrl-C, and ends a process whose main thread does not get to its KeyboardInterrupt.

Inside a compiler no KeyboardInterrupt is raised: LLVM calls Python back in places where an exception is printed and
lost, and Numba then fails with another one or continues. There the command cleans up and the process ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from genreg_np.cli.terminal import clean_line

STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
INTERRUPTED = 130  # exit code after any of them
COMPILERS = ("numba", "llvmlite")  # packages
GRACE_SECONDS = 1.2  # for the main thread to end by itself if stopping loses nothing
LEAVE_SECONDS = 0.5  # for `leave` in a thread, which the main thread may block forever
REPEAT_SECONDS = 0.3  # `timeout` and process groups send a signal twice: within this time it counts as one
SHOW_CURSOR = "\x1b[?25h"


class Stopping:
    """Whether a command was asked to stop, and what it does then.

    Attributes
    ----------
    asked : bool
        Whether to stop as soon as the current step is finished.
    waiting_for : str
        The step in progress that is worth finishing, in words for the user; empty if stopping loses nothing.
    last_words : list of str
        Lines to print if the command ends at once.
    leave : callable
        Called if the process ends without a KeyboardInterrupt, to do what the command would do about one: remove
        unfinished files, end the output. Returns whether it printed the last words.
    """

    def __init__(self) -> None:
        self.asked = False
        self.waiting_for = ""
        self.last_words: list[str] = []
        self.leave: Callable[[], bool] = lambda: False
        self._first: float | None = None  # when the first signal came
        self._over = threading.Event()
        self._raised = False
        self._leaving = threading.Lock()  # acquired once and for all by the thread that calls `leave`

    def all_is_saved(self) -> None:
        """Note that everything is saved: if the command ends now, nothing is lost and nothing needs to be printed."""
        self.waiting_for, self.last_words, self.leave = "", [], lambda: False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Stop after the current step, or at once if there is none. Runs in the main thread."""
        if self._over.is_set():
            return
        self.asked = True
        if self.waiting_for:
            return
        if _compiles(frame):
            if not self._leaving.acquire(blocking=False):  # already ending
                return
            _end(*([] if self.leave() else self.last_words))
        self._raised = True
        raise KeyboardInterrupt

    def hear(self, now: float, end: Callable[..., Any]) -> None:
        """Take a signal that arrived at `now` (seconds); `end` prints lines and ends the process. Runs in a thread."""
        if self._first is None:
            self._first = now
            if self.waiting_for:
                _write(f"stopping after {self.waiting_for} (Ctrl-C again ends at once; what was saved is kept) ...")
            else:
                threading.Thread(target=self._end_if_late, args=(end,), daemon=True).start()
        elif now - self._first >= REPEAT_SECONDS:
            if self.waiting_for or not self.last_words:
                end("ended at once; what was saved is kept")
            else:
                self._end_now(end)

    def _end_if_late(self, end: Callable[..., Any]) -> None:
        if not self._over.wait(GRACE_SECONDS) and not self.waiting_for:
            self._end_now(end)

    def _end_now(self, end: Callable[..., Any]) -> None:
        """End the process, whatever its main thread is doing; nothing is lost by that. Runs in a thread."""
        said: list[bool] = []
        if not self._raised and not self._leaving.acquire(blocking=False):  # the main thread is doing it
            time.sleep(LEAVE_SECONDS)
        elif not self._raised:
            leaving = threading.Thread(target=lambda: said.append(self.leave()), daemon=True)
            leaving.start()
            leaving.join(LEAVE_SECONDS)
        end(*([] if any(said) else self.last_words))

    def listen(self, wire: int) -> None:
        """Take signals as the system writes their numbers to a pipe, until its other end is closed."""
        while numbers := os.read(wire, 64):
            for number in numbers:
                if number in STOPS:
                    self.hear(time.monotonic(), _end)

    def over(self) -> None:
        """Ignore further signals, as the command has ended."""
        self._over.set()


def _compiles(frame: FrameType | None) -> bool:
    """Return whether a frame is, or was called directly or indirectly by, a compiler's."""
    while frame is not None:
        if (frame.f_globals.get("__name__") or "").partition(".")[0] in COMPILERS:
            return True
        frame = frame.f_back
    return False


@contextlib.contextmanager
def listening() -> Iterator[Stopping]:
    """Install the signal handlers; outside the main thread, where Python cannot, leave signals as they are.

    SIGHUP stays ignored if it was, as under nohup.
    """
    stopping = Stopping()
    if threading.current_thread() is not threading.main_thread():
        yield stopping
        return
    wire, woken = os.pipe()
    if os.name == "posix":  # not needed on Windows, where Python has it only from 3.12 on
        os.set_blocking(woken, False)
    wakeup = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    ignored = {number for number in STOPS[2:] if signal.getsignal(number) is signal.SIG_IGN}
    handlers = {number: signal.signal(number, stopping.handle) for number in STOPS if number not in ignored}
    thread = threading.Thread(target=stopping.listen, args=(wire,), daemon=True)
    thread.start()
    try:
        yield stopping
    finally:
        stopping.over()
        for number, handler in handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(wakeup)
        os.close(woken)
        thread.join()
        os.close(wire)


def _write(*lines: str) -> None:
    """Write to stderr, bypassing buffers that the main thread may be using."""
    with contextlib.suppress(OSError):
        os.write(2, "".join(f"{line}\n" for line in ("", *map(clean_line, lines))).encode(errors="backslashreplace"))


def _end(*lines: str) -> None:
    """End the process, whatever its main thread is doing."""
    if os.name == "posix":  # a progress bar hides the cursor
        for descriptor in (1, 2):
            with contextlib.suppress(OSError):
                if os.isatty(descriptor):
                    os.write(descriptor, SHOW_CURSOR.encode())
    if lines:
        _write(*lines)
    os._exit(INTERRUPTED)
