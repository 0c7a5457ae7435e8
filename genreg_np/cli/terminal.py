"""Output streams of the command line: stream errors do not end a command, and text is made safe for terminals.

Names of classes and files, notes, messages: much of what is printed comes from files that anybody may have written. So
`say` is the only way to print, and `terminal` wraps the process's streams for everything else that prints (click,
warnings):

    a control character, a direction mark of text, a lone surrogate     is shown as its escape
    a character that the stream's encoding lacks                        is shown as its escape
    a closed stream, a reader that has exited (head, less)              nothing more is written to it
    a full disk                                                         the same, and main reports it
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

# Controls (C0 except the newline, DEL, C1), direction marks and overrides, line separators, surrogates.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
PLAIN = str.maketrans({"█": "#", "…": "~"})  # replacements in encodings that lack these


def clean(text: str) -> str:
    r"""Return a text with unsafe characters replaced by escapes like \x1b."""
    return UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode("ascii"), text)


def clean_line(text: str) -> str:
    r"""Return a cleaned text as a single line, with line breaks as \n, so that it cannot forge another line."""
    return clean(text).replace("\n", r"\n")


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each cleaned, on stdout, or on stderr if `err`."""
    stream = sys.stderr if err else sys.stdout
    for line in lines:
        stream.write(clean_line(line) + "\n")
    stream.flush()


def say_error(error: object) -> None:
    """Print an error as one line on stderr."""
    say(f"error: {' '.join(str(error).split())}", err=True)


class Terminal(io.TextIOBase):
    """A text stream that wraps another one, which may fail, be closed, or lack characters.

    Parameters
    ----------
    stream : TextIO
        The wrapped stream.
    raw : bool
        Let control characters through, for drawing.

    Attributes
    ----------
    failure : str
        Why text was lost, in the system's words; empty if none was, or if the reader has exited.
    """

    errors = "backslashreplace"

    def __init__(self, stream: TextIO, raw: bool = False) -> None:
        self._stream, self._is_raw = stream, raw
        self._lost = False
        self.failure = ""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the wrapped stream."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    def raw(self) -> Terminal:
        """Return the same stream with control characters let through, for drawing."""
        return Terminal(self._stream, raw=True)

    def isatty(self) -> bool:
        """Return whether the wrapped stream is a terminal."""
        with contextlib.suppress(OSError, ValueError):
            return self._stream.isatty()
        return False

    def fileno(self) -> int:
        """Return the file descriptor of the wrapped stream."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True: the stream can be written to."""
        return True

    def write(self, text: str) -> int:
        """Write text, as far as possible."""
        shown = text if self._is_raw else clean(text)
        try:
            shown.encode(self.encoding)
        except UnicodeEncodeError:
            shown = shown.translate(PLAIN).encode(self.encoding, self.errors).decode(self.encoding)
        self._attempt(self._stream.write, shown)
        return len(text)

    def flush(self) -> None:
        """Flush the wrapped stream."""
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
        """Stop writing; discard what the wrapped stream still buffers, also at exit."""
        self._lost, self.failure = True, failure
        with contextlib.suppress(OSError, ValueError):
            descriptor = self._stream.fileno()
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, descriptor)
            os.close(nowhere)


@contextlib.contextmanager
def terminal() -> Iterator[Terminal]:
    """Wrap the process's streams; yield the wrapper of stdout."""
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
    """Open missing standard descriptors, so that no other file gets the number of stdout or stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            nowhere = os.open(os.devnull, os.O_RDWR)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
