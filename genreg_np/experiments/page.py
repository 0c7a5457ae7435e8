"""The page of a study, NAME.md in plain Markdown, and its pictures, NAME-*.png."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genreg_np.experiments.base import Answer, Case, Results
from genreg_np.experiments.record import Record, file_of
from genreg_np.report.shown import Picture, Shown, Table, plain_style


def write_page(record: Record, cases: Sequence[Case]) -> str:
    """Write page and pictures of the measurements so far; return the page's name.

    Raises
    ------
    RunError
        If they cannot be written.
    MissingExtraError
        Without matplotlib.
    """
    text, pictures = page_of(record, cases)
    for name, png in pictures.items():
        record.folder.write(name, png)
    name = file_of(record.study, record.size, "md")
    record.folder.write(name, text.encode("utf-8"))
    return name


@plain_style()
def page_of(record: Record, cases: Sequence[Case]) -> tuple[str, dict[str, bytes]]:
    """Return the text of a page, and its pictures by file name; raises as write_page does."""
    results = record.results(cases)
    shown = list(record.study.shown(results))
    stem = file_of(record.study, record.size, "")[:-1]
    parts = [part for section in shown for part in section.parts]
    pictures = {f"{stem}-{part.name}.png": part.png for part in parts if isinstance(part, Picture)}
    lines = [*_opening(record, cases, results), *(line for section in shown for line in _section(section, stem))]
    return "\n".join(lines).rstrip("\n") + "\n", pictures


def _opening(record: Record, cases: Sequence[Case], results: Results) -> Iterator[str]:
    study, size = record.study, record.size
    yield f"# {study.question}"
    yield ""
    yield from study.about.strip().split("\n")
    yield ""
    extra = "" if size.name == "full" else f" --{size.name}"
    minutes = record.seconds(cases) / 60
    seeds = sorted({len(results.of(case.name)) for case in cases if results.of(case.name)})
    counted = " to ".join(str(count) for count in sorted({seeds[0], seeds[-1]})) if seeds else "no"
    yield (
        f"`genreg-np experiment {study.name}{extra}` measures it: {minutes:.0f} minutes on one thread, {counted} "
        f"seeds per row. Raw results: [{file_of(study, size, 'json')}]({file_of(study, size, 'json')}). "
        "Numbers are means over seeds; ± is half the width of a 95 % confidence interval."
    )
    yield ""
    if used := record.used(cases):
        yield "Measured on " + "; ".join(used) + "."
        yield ""
    if size.name != "full":
        yield "These are the same questions on the 8x8 digits, at a small scale: a trial, not the study.\n"
    if found := list(study.answers(results)):
        yield "## Findings"
        yield ""
        yield from (_answer(answer) for answer in found)
        yield ""


def _answer(answer: Answer) -> str:
    return f"* *{answer.claim}* ({answer.text}): {answer.finding}"


def _section(section: Shown, stem: str) -> Iterator[str]:
    yield f"## {section.title}"
    yield ""
    if section.words:
        yield section.words
        yield ""
    for part in section.parts:
        if isinstance(part, Picture):
            yield f"![{part.says}]({stem}-{part.name}.png)"
            yield ""
            yield part.caption
        else:
            yield from _table(part)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield "| " + " | ".join(table.head) + " |"
    yield "|" + "---|" * len(table.head)
    for row in table.rows:
        yield "| " + " | ".join(row) + " |"
    if table.caption:
        yield ""
        yield table.caption
