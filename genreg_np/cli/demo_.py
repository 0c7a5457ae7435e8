"""`genreg-np demo`: write a page to draw on, and open it in the browser."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from pathlib import Path

import click

from genreg_np.cli.targets import check_target, reject_option
from genreg_np.cli.terminal import say
from genreg_np.errors import GenregError

HELP = """\
Draw a digit or show a photograph in the browser, and see what a model answers.

Writes a single file that contains the model and runs it in the browser, offline: pass it on, or put it on a web
server as it is. A model of colour images takes photographs; one of other inputs gets fields to enter them.

Browsers from Snap or Flatpak packages may not read temporary folders: with --out, name a file in your home.
"""


@click.command(
    "demo",
    help=HELP,
    epilog="\b\nExamples:\n"
    "  genreg-np demo runs/mnist-fast-0/model.npz\n"
    "  genreg-np demo model.npz --reject 0.9\n"
    "  genreg-np demo model.npz --out digits.html --no-open",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--out", type=click.Path(), help="The file to write; by default one in a new temporary folder.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
@reject_option
@click.option("--no-open", is_flag=True, help="Write the page without opening it.")
def command(model_path: str, out: str | None, force: bool, reject: float | None, no_open: bool) -> None:
    """Write a page and open it."""
    from genreg_np.export import files_of
    from genreg_np.files import write_atomic
    from genreg_np.model import load

    target = None if out is None else Path(out)
    if target is not None:
        check_target(target, force, Path(model_path), "MODEL", "model.html")
    (page,) = files_of(load(model_path), "html", reject=reject).values()
    try:
        if target is None:
            target = Path(tempfile.mkdtemp(prefix="genreg-np-")) / "model.html"
        write_atomic(target, page)
    except OSError as error:
        raise GenregError(
            f"{target or tempfile.gettempdir()}: cannot be written ({error.strerror}); name a file with --out"
        ) from None
    say(f"wrote {target}: {len(page):,} bytes, all in one file")
    if not no_open and not _opened(target.absolute().as_uri()):
        say("no browser can be opened here: open the file in a browser on this or any other machine")


def _opened(address: str) -> bool:
    """Open an address in the user's browser; return whether that succeeded."""
    graphical = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not graphical and not os.environ.get("BROWSER"):
        return False  # webbrowser would take over the terminal with a text browser, which runs no JavaScript
    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False
