"""`genreg-np data`: list, download and view datasets."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import click

from genreg_np.cli.output import DownloadLines, pictures_words, print_json
from genreg_np.cli.reading import reader_arguments, reader_options
from genreg_np.cli.terminal import say


@click.group(
    "data",
    help="List, download and view datasets.",
    epilog="\b\nExamples:\n  genreg-np data list\n  genreg-np data fetch mnist\n"
    "  genreg-np data show digits --out digits.png",
)
def command() -> None:
    """Hold the subcommands."""


@command.command("list", help="List the named datasets and where they are.")
@click.option("--data-dir", help="Where to look first.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON.")
def list_command(data_dir: str | None, as_json: bool) -> None:
    """Print a line or two for each dataset."""
    from genreg_np.data import describe_datasets

    infos = describe_datasets(data_dir)
    if as_json:
        print_json([vars(info) for info in infos])
        return
    for info in infos:
        say(f"{info.name:<14} {info.description}", f"{'':<14} {info.where}")
    say("Also: a folder of images with a subfolder per class, a .csv or .tsv with a label column, a .npz.")


@command.command("fetch", help="Download a dataset, unless it is already on this machine.")
@click.argument("name")
@click.option("--data-dir", help="Where to look first, and where to put it; by default the user's cache.")
def fetch_command(name: str, data_dir: str | None) -> None:
    """Download a dataset if necessary, and print where it is."""
    from genreg_np.data import fetch

    folder = fetch(name, data_dir, DownloadLines(lambda line: say(line, err=True), sys.stderr.isatty()))
    say(f"{name}: {folder}" if folder else f"{name}: built in, nothing to fetch")


@command.command(
    "show",
    help="Write a contact sheet with a row of pictures per class; for a table, describe its columns.",
    epilog="\b\nExamples:\n  genreg-np data show photos/ --out sheet.png\n"
    "  genreg-np data show table.csv --label species",
)
@click.argument("dataset")
@click.option("--out", type=click.Path(), help="The picture to write.  [default: DATASET.png]")
@click.option("--split", default="train", show_default=True, type=click.Choice(["train", "validation", "test"]))
@click.option("--per-class", default=10, show_default=True, type=click.IntRange(1, 100), help="Pictures in a row.")
@click.option("--variations", default=1, show_default=True, help="Random views per letter (letters only).")
@click.option("--data-dir", help="Where to look for datasets first.")
@functools.partial(reader_options, hidden=False)
def show_command(
    dataset: str, out: str | None, split: str, per_class: int, variations: int, data_dir: str | None, **reading: Any
) -> None:
    """Write a dataset's contact sheet, or describe a table."""
    from genreg_np.data import load_dataset
    from genreg_np.data.rows import is_table
    from genreg_np.data.sheet import contact_sheet

    if is_table(dataset) and Path(dataset).exists():
        from genreg_np.data.about import about_table

        say(*about_table(dataset, reader_arguments(reading)))
        return
    loaded = load_dataset(dataset, data_dir=data_dir, variations=variations, **reader_arguments(reading))
    target = Path(out or f"{Path(dataset).stem}.png")
    contact_sheet(loaded, split, target, per_class)
    if loaded.note:
        say(*loaded.note.split("; "))
    say(f"{loaded.name}, {split} split{pictures_words(loaded)}: {target}")
