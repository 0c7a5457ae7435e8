"""`genreg-np convert`: an original GENREG champion as a model file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from genreg_np.errors import GenregError, UsageError


@click.command(
    "convert",
    epilog="\b\nExample:\n"
    "  genreg-np convert best_genome_mnist_gen00565.pkl champion.npz\n"
    "  genreg-np eval champion.npz --dataset mnist",
)
@click.argument("source", metavar="SOURCE", type=click.Path())
@click.argument("target", metavar="TARGET", type=click.Path())
@click.option("--force", is_flag=True, help="Overwrite TARGET.")
def command(source: str, target: str, force: bool) -> None:
    """Turn an original GENREG champion (a pickle) into a model file.

    Of a checkpoint, the most trusted genome is taken. Nothing in SOURCE is run: a file that holds anything but plain
    numbers, text, lists and dicts is refused.
    """
    from genreg_np.convert import read_champion

    _check_target(Path(source), Path(target), force)
    model = read_champion(source)
    try:
        model.save(target)
    except OSError as error:
        raise GenregError(f"{target}: cannot be written ({error.strerror}); choose a folder you may write to") from None
    click.echo(f"wrote {target}: {model.network.describe()}, from {model.training['source']}")
    follow_up = "eval" if "config" in model.training else "info"
    click.echo(f"try:  genreg-np {follow_up} {shlex.quote(target)}")


def _check_target(source: Path, target: Path, force: bool) -> None:
    """Refuse a target that cannot or must not be written, before the source is read."""
    if target.is_dir():
        raise UsageError(f"{target}: is a folder; name the file to write in it, e.g. {target / 'champion.npz'}")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: the folder {target.parent} does not exist; create it first")
    if target.exists() and source.exists() and target.samefile(source):
        raise UsageError(f"{target}: is SOURCE itself; choose another name, so that the original is kept")
    if target.exists() and not force:
        raise UsageError(f"{target}: exists; add --force to overwrite it, or choose another name")
