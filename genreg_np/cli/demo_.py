"""`genreg-np demo`: a page to draw on, opened in the browser."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from pathlib import Path

import click

from genreg_np.errors import GenregError, UsageError


@click.command(
    "demo",
    epilog="\b\nExamples:\n"
    "  genreg-np demo runs/mnist-fast-0/model.npz\n"
    "  genreg-np demo model.npz --out digits.html --no-open",
)
@click.argument("model_path", metavar="MODEL", type=click.Path())
@click.option("--out", type=click.Path(), help="The file to write; by default one in a new temporary folder.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
@click.option("--no-open", is_flag=True, help="Write the page and do not open it.")
def command(model_path: str, out: str | None, force: bool, no_open: bool) -> None:
    """Draw a digit and see what a model answers, in the browser.

    Writes one file that holds the model and runs it in the browser, without any network: pass it on, or put it on a
    web server as it is. A model of other inputs gets a page with fields to enter them.

    Browsers from Snap or Flatpak packages may not read temporary folders: with --out, name a file in your home.
    """
    from genreg_np.export import files_of
    from genreg_np.files import write_atomic
    from genreg_np.model import load

    target = None if out is None else Path(out)
    if target is not None:
        _check(Path(model_path), target, force)
    (page,) = files_of(load(model_path), "html").values()
    try:
        if target is None:
            target = Path(tempfile.mkdtemp(prefix="genreg-np-")) / "model.html"
        write_atomic(target, page)
    except OSError as error:
        raise GenregError(
            f"{target or tempfile.gettempdir()}: cannot be written ({error.strerror}); name a file with --out"
        ) from None
    click.echo(f"wrote {target}: {len(page):,} bytes, all in one file")
    if not no_open and not _opened(target.absolute().as_uri()):
        click.echo("no browser can be opened from here: open that file in one, on this or any other machine")


def _check(model: Path, target: Path, force: bool) -> None:
    """Refuse a target that cannot or must not be written, before the model is read."""
    if target.exists() and not target.is_dir() and not target.is_file():
        raise UsageError(f"{target}: is no ordinary file and is not replaced; name another")
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name the file to write in it, e.g. {target / 'model.html'}")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.exists() and model.exists() and target.samefile(model):
        raise UsageError(f"{target}: is MODEL itself; choose another name, so that the model is kept")
    if target.exists() and not force:
        raise UsageError(f"{target}: exists; add --force to overwrite it, or choose another name")


def _opened(address: str) -> bool:
    """Open an address in the user's browser; return whether there is one that shows pages."""
    graphical = sys.platform in ("win32", "darwin") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if not graphical and not os.environ.get("BROWSER"):
        return False  # webbrowser would take over the terminal with a text browser, which runs no JavaScript
    try:
        return webbrowser.open(address)
    except (webbrowser.Error, OSError):
        return False
