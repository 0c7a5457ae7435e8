"""The page: sections on one subject, or on several side by side, as one file that needs no other and no network."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from string import Template

import numpy as np

from genreg_np.errors import UsageError
from genreg_np.report.compared import beside, compared
from genreg_np.report.compared_scores import compared_scores
from genreg_np.report.pipelines import PipelineSubject
from genreg_np.report.sections import REGISTRY, absent_of, shown_of
from genreg_np.report.shown import Picture, Shown, Table, plain_style
from genreg_np.report.subject import Subject
from genreg_np.version import __version__

FOLDER = Path(__file__).parent
Shows = Subject | PipelineSubject


@np.errstate(all="ignore")  # weights may be too large for float32, which is reported where it matters
@plain_style()
def page_of(subjects: Sequence[Shows]) -> tuple[str, dict[str, bytes]]:
    """Make a page.

    Parameters
    ----------
    subjects : sequence of Subject
        One, or several to show side by side.

    Returns
    -------
    tuple of str and dict
        The page, and its PNG pictures by file name, preceded by the subject's number if there are several.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    UsageError
        For several subjects that include a search for pipelines, or only some runs on a custom score.
    """
    several = len(subjects) > 1
    subjects = [subject.with_answers() for subject in subjects]
    models = [subject for subject in subjects if isinstance(subject, Subject)]
    if several:
        if len(models) < len(subjects):
            raise UsageError("a search for pipelines has a page of its own: leave it out of --compare")
        if len({subject.is_own for subject in models}) > 1:
            raise UsageError(
                "a run on a dataset and one on a custom score have no common measure: compare runs of one kind"
            )
        common = beside(models)
        models = [dataclasses.replace(subject, beside=common) for subject in models]
        subjects = models
    shown = [dict(shown_of(subject)) for subject in subjects]
    names = [name for name in REGISTRY if any(name in one for one in shown)]
    table = (compared_scores if models[0].is_own else compared)(models) if several else None
    pictures = {}
    for picture in (part for part in (table.parts if table else ()) if isinstance(part, Picture)):
        pictures[f"{picture.name}.png"] = picture.png
    for number, one in enumerate(shown, start=1):
        for picture in (part for section in one.values() for part in section.parts if isinstance(part, Picture)):
            pictures[f"{f'{number}-' if several else ''}{picture.name}.png"] = picture.png
    style = (FOLDER / "page.css").read_text("utf-8")
    titles = {name: next(one[name].title for one in shown if name in one) for name in names}
    sections = [_section(name, title, subjects, shown) for name, title in titles.items()]
    if table is not None:
        titles = {"compared": table.title, **titles}
        sections.insert(0, _whole("compared", table.title, "\n".join(_body(table))))
    text = Template((FOLDER / "page.html").read_text("utf-8")).substitute(
        title=html.escape(" and ".join(subject.name for subject in subjects)),
        figures=" ".join(pictures),
        made=f"made by genreg-np {__version__}",
        several=' class="several"' if several else "",
        style=style,
        style_hash=f"sha256-{base64.b64encode(hashlib.sha256(style.encode('utf-8')).digest()).decode('ascii')}",
        links="\n".join(f'<a href="#{name}">{html.escape(title)}</a>' for name, title in titles.items()),
        sections="\n".join([*sections, *_ends(subjects, shown)]),
    )
    return text, pictures


def figures_of(page: str) -> list[str]:
    """Return the names of a page's picture files; empty for any other page."""
    found = re.search('<meta name="figures" content="([^"]*)">', page)
    return [name for name in found[1].split() if re.fullmatch(r"[0-9a-z-]+\.png", name)] if found else []


def _ends(subjects: Sequence[Shows], shown: Sequence[dict[str, Shown]]) -> Iterator[str]:
    """Yield the lines at the end of a page: remarks, and what is not shown."""
    for subject, one in zip(subjects, shown, strict=True):
        for line in (*subject.remarks, *absent_of(subject, one)):
            whose = f"{subject.name}: " if len(subjects) > 1 else ""
            yield f'<p class="quiet">{_text(whose + line)}</p>'


def _section(name: str, title: str, subjects: Sequence[Shows], shown: Sequence[dict[str, Shown]]) -> str:
    """Return a section on all subjects."""
    if len(subjects) == 1:
        inner = "\n".join(_body(shown[0][name]))
    else:
        columns = [
            f"<div><h3>{html.escape(subject.name)}</h3>\n"
            + ("\n".join(_body(one[name])) if name in one else '<p class="quiet">nothing to show</p>')
            + "</div>"
            for subject, one in zip(subjects, shown, strict=True)
        ]
        inner = '<div class="runs">\n' + "\n".join(columns) + "\n</div>"
    return _whole(name, title, inner)


def _whole(name: str, title: str, inner: str) -> str:
    return f'<section id="{name}">\n<h2>{html.escape(title)}</h2>\n{inner}\n</section>'


def _body(shown: Shown) -> Iterator[str]:
    if shown.words:
        yield f"<p>{_text(shown.words)}</p>"
    yield '<div class="parts">'
    for part in shown.parts:
        yield _picture(part) if isinstance(part, Picture) else _table(part)
    yield "</div>"


def _text(text: str) -> str:
    """Return text for a page; a number, its per cent sign and its error stay on one line."""
    return html.escape(text).replace(" %", "&nbsp;%").replace(" ± ", "&nbsp;±&nbsp;")


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure><img alt="{html.escape(picture.says)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(picture.caption)}</figcaption></figure>"
    )


def _table(table: Table) -> str:
    most = table.most_open or len(table.rows)
    caption = f"<caption>{_text(table.caption)}</caption>" if table.caption else ""
    shown, more = _rows(table.head, table.rows[:most], caption), len(table.rows) - most
    if more > 0:
        shown += f"<details><summary>{more:,} more</summary>{_rows(table.head, table.rows[most:])}</details>"
    return f'<div class="scrolls">{shown}</div>'


def _rows(names: Sequence[str], rows: Sequence[Sequence[str]], caption: str = "") -> str:
    head = "".join(f'<th scope="col">{_text(cell)}</th>' for cell in names)
    first = "<td>{}</td>" if any(names) else '<th scope="row">{}</th>'
    body = "\n".join(
        "<tr>" + first.format(_text(row[0])) + "".join(f"<td>{_text(cell)}</td>" for cell in row[1:]) + "</tr>"
        for row in rows
    )
    head = f"<thead><tr>{head}</tr></thead>" if any(names) else ""
    return f"<table>{caption}{head}\n<tbody>{body}</tbody></table>"
