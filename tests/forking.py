"""Run code in an interpreter that has nothing of ours, hundreds of times: forked, not started, each time."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

SERVER = """
import contextlib, io, json, os, sys, traceback
sys.path.append({packages!r})
sys.modules["genreg_np"] = None
import {imports}
for line in sys.stdin:
    folder, code = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        sys.path[:0] = ["."]
        error, printed = "", io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, "<code>", "exec"), {{"__name__": "__main__"}})
        except BaseException:
            error = traceback.format_exc()
        print(json.dumps([printed.getvalue(), error]), flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        print(json.dumps(["", "it died"]), flush=True)
"""


@functools.cache
def packages_of(python: str) -> str:
    """Return the folder that a Python has NumPy in."""
    command = [python, "-c", "import numpy; print(numpy.__file__)"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    return str(Path(found.stdout.strip()).parents[1])


@functools.cache
def _server(python: str, imports: str) -> subprocess.Popen[str]:
    """Start what forks, with some modules, without sites, warnings as errors; it ends with the pipe it reads."""
    return subprocess.Popen(
        [python, "-S", "-E", "-W", "error", "-c", SERVER.format(packages=packages_of(python), imports=imports)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )


def forked(code: str, folder: Path, python: str = sys.executable, imports: str = "numpy") -> str:
    """Run code in a folder, as the main module of an interpreter, with modules that are imported already.

    Returns what it printed.
    """
    server = _server(python, imports)
    assert server.stdin is not None
    assert server.stdout is not None
    server.stdin.write(json.dumps([str(folder), code]) + "\n")
    server.stdin.flush()
    printed, error = json.loads(server.stdout.readline())
    assert not error, error
    return str(printed)
