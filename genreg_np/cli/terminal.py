"""What the command line writes to: no stream ends a command, and no text of a file reaches a terminal raw.

Names of classes and files, notes, messages: much of what is printed comes out of files, which anybody may have written.
So `say` is the one way to print, and `terminal` stands between everything else that prints (click, warnings) and the
process's streams:

    a control character, one that turns the direction of text, half a surrogate pair    is shown as its escape
    a character that the stream's encoding lacks                                        is shown as its escape
    a closed stream, a reader that has gone (head, less)                                is written to no more
    a full disk                                                                         the same, and main says so
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
import warnings
from collections.abc import Iterator
from typing import Any, TextIO

# Controls (C0 but the newline, DEL, C1), marks and overrides of direction, line separators, surrogates.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
PLAIN = str.maketrans({"█": "#", "…": "~"})  # signs of our own, where an encoding lacks them


def clean(text: str) -> str:
    r"""Return a text that does nothing to a terminal but show: unsafe characters as escapes like \x1b."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def clean_line(text: str) -> str:
    r"""Return a text that is one line and nothing else: a line break in it could forge another one."""
    return clean(text).replace("\n", r"\n")


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each cleaned, on stderr if `err`."""
    stream = sys.stderr if err else sys.stdout
    for line in lines:
        stream.write(clean_line(line) + "\n")
    stream.flush()


def say_error(error: object) -> None:
    """Print what went wrong, as one line on stderr."""
    say(f"error: {' '.join(str(error).split())}", err=True)


class Terminal(io.TextIOBase):
    """A text stream over another one, which may fail, be closed, or lack characters.

    Parameters
    ----------
    stream : TextIO
        Where text goes.
    raw : bool
        Leave control characters as they are: for what draws with them.

    Attributes
    ----------
    failure : str
        Why text was lost, in the system's words; empty where it was not, or where nobody reads any more.
    """

    errors = "backslashreplace"

    def __init__(self, stream: TextIO, raw: bool = False) -> None:
        self._stream, self._is_raw = stream, raw
        self._lost = False
        self.failure = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream below."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def raw(self) -> Terminal:
        """Return the same stream for what draws with control characters."""
        return Terminal(self._stream, raw=True)

    def isatty(self) -> bool:
        """Whether a terminal is at the end of it."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Return the descriptor of the stream below."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Whether it can be written to."""
        return True

    def write(self, text: str) -> int:
        """Write text as far as that is possible."""
        shown = text if self._is_raw else clean(text)
        try:
            shown.encode(self.encoding)
        except UnicodeEncodeError:
            shown = shown.translate(PLAIN).encode(self.encoding, self.errors).decode(self.encoding)
        self._attempt(self._stream.write, shown)
        return len(text)

    def flush(self) -> None:
        """Send what was written."""
        self._attempt(self._stream.flush)

    def _attempt(self, call: Any, *arguments: str) -> None:
        if self._lost:
            return
        try:
            call(*arguments)
        except BrokenPipeError:
            self._give_up("")
        except OSError as error:
            self._give_up(error.strerror or str(error))
        except ValueError:  # it was closed
            self._give_up("")

    def _give_up(self, failure: str) -> None:
        """Write no more; what the stream below still holds goes nowhere, at exit too."""
        self._lost, self.failure = True, failure
        with contextlib.suppress(OSError, ValueError):
            descriptor = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Stand between what is printed and the process's streams; give what stands before stdout."""
    _fill_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr, warnings.showwarning
    with contextlib.ExitStack() as nowhere:
        if sys.stdin is None:
            sys.stdin = nowhere.enter_context(open(os.devnull, encoding="utf-8"))
        out, err = (
            Terminal(nowhere.enter_context(open(os.devnull, "w", encoding="utf-8")) if stream is None else stream)
            for stream in (sys.stdout, sys.stderr)
        )
        sys.stdout, sys.stderr = out, err
        warnings.showwarning = lambda message, *_: say(f"warning: {' '.join(str(message).split())}", err=True)
        try:
            yield out
        finally:
            sys.stdin, sys.stdout, sys.stderr, warnings.showwarning = before


def _fill_descriptors() -> None:
    """Open what the process was started without, so that no file of ours gets the number of stdout or stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
