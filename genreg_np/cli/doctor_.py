"""`genreg-np doctor`: check what works on this machine."""

from __future__ import annotations

import importlib.util
import os
import platform
from importlib import metadata

import click

from genreg_np.backends.base import Work
from genreg_np.cli.output import Progress, duration
from genreg_np.cli.signals import Stopping
from genreg_np.cli.terminal import say
from genreg_np.errors import GenregError
from genreg_np.settings import usable_processors
from genreg_np.version import __version__

PACKAGES = {
    "numpy": "", "click": "", "tomli-w": "", "pillow": "images", "numba": "train", "scipy": "train",
    "threadpoolctl": "train", "rich": "train", "scikit-learn": "train", "pooch": "train", "matplotlib": "plots",
}  # fmt: skip


@click.command(
    "doctor",
    help="Check what works on this machine: versions, backends, threads, data.",
    epilog="\b\nExamples:\n  genreg-np doctor\n  genreg-np doctor --selftest   (compare the backends)",
)
@click.option("--selftest", is_flag=True, help="Check that the backends agree, bit for bit where they must.")
@click.option("--data-dir", help="Where to look for datasets first.")
def command(selftest: bool, data_dir: str | None) -> int:
    """Print what works; return 1 if an installed backend fails."""
    say(f"genreg-np {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    say(f"processors: {os.cpu_count()}")
    say("", "packages")
    for name, extra in PACKAGES.items():
        try:
            say(f"  {name:<14} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            way_out = f"pip install 'genreg-np[{extra}]'" if extra else "pip install genreg-np"
            say(f"  {name:<14} missing: {way_out}")
    say("", "backends")
    healthy = [_backend(name, selftest) for name in ("numpy", "numba", "cupy")]
    _threads()
    say("", "datasets")
    from genreg_np.data import describe_datasets

    for info in describe_datasets(data_dir):
        say(f"  {info.name:<14} {info.where}")
    return 0 if all(healthy) else 1


def _backend(name: str, selftest: bool) -> bool:
    """Print a line about one backend; return whether it works or is not installed."""
    from genreg_np import backends

    try:
        backend = backends.create(name)
        cold = [work for work in Work if backends.must_compile(name, [work])]
    except GenregError as error:
        say(f"  {name:<7} not here: {error}")
        return True
    line = f"  {name:<7} ready: {backend.describe()}"
    if name == "numpy" or not selftest:
        some = "not" if len(cold) == len(Work) else "not all"  # a run compiles what it needs
        say(line + (", the specification" if name == "numpy" else f", kernels {some} compiled yet" if cold else ""))
        return True
    from genreg_np.backends.selftest import disagreements

    progress = Progress(quiet=False, to_stderr=False, prefix=f"  {name:<7} ")

    def leave() -> bool:
        progress.stop()
        return True

    stopping = click.get_current_context().find_object(Stopping)
    assert stopping is not None
    stopping.leave = leave
    try:
        ready = backend.warm_up(told=progress.compiling)
    finally:
        progress.stop()
    progress.say(("" if progress.compiled else f"kernels ready in {duration(ready)}, ") + "comparing ...")
    wrong = disagreements(backend)
    say(line + (", agrees with numpy" if not wrong else ", DISAGREES with numpy:"))
    for problem in wrong:
        say(f"    {problem}")
    return not wrong


def _threads() -> None:
    """Print how many threads are used and whether BLAS can be limited."""
    say(f"  threads: {usable_processors()} by default (--threads)")
    if not importlib.util.find_spec("threadpoolctl"):
        say("  threadpoolctl is missing: BLAS may use several threads, so the same seed may give other bytes")
