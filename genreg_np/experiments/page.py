"""The page of a study, NAME.md in plain Markdown, and its pictures, NAME-*.png."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from genreg_np.experiments.base import Answer, Case, Results
from genreg_np.experiments.record import Record, file_of
from genreg_np.experiments.summary import FEWEST
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


def trial_of(record: Record, cases: Sequence[Case]) -> str:
    """Return in a sentence that measurements are a trial, not the study; empty for the full size."""
    if record.size.name == "full":
        return ""
    small = any(case.settings.get("dataset") == "digits" for case in cases)
    seeds = _seeds(record.results(cases), cases)
    counted = f"{seeds} {'seed' if seeds == '1' else 'seeds'}"
    return f"a trial{' on the 8x8 digits' if small else ''} with {counted}: no answer to the question"


def _seeds(results: Results, cases: Sequence[Case]) -> str:
    """Return how many seeds the measured cases have, in words."""
    seeds = sorted({len(results.of(case.name)) for case in cases if results.of(case.name)})
    return " to ".join(str(count) for count in sorted({seeds[0], seeds[-1]})) if seeds else "no"


def _opening(record: Record, cases: Sequence[Case], results: Results) -> Iterator[str]:
    study, size = record.study, record.size
    yield f"# {study.question}"
    yield ""
    if trial := trial_of(record, cases):
        yield f"**This is {trial}.** Of the full study, whose data and lengths are others, this is said:"
        yield ""
    yield from study.about.strip().split("\n")
    yield ""
    extra = "" if size.name == "full" else f" --{size.name}"
    minutes = record.seconds(cases) / 60
    raw = file_of(study, size, "json")
    few = any(0 < len(results.of(case.name)) < FEWEST for case in cases)
    yield (
        f"`genreg-np experiment {study.name}{extra}` measures it: {minutes:.0f} minutes on one thread, "
        f"{_seeds(results, cases)} seeds per row. Raw results: [{raw}]({raw}). "
        "Numbers are means over seeds; ± is half the width of a 95 % confidence interval."
        + (f" Of fewer than {FEWEST} seeds each one's value is shown, with a / between." if few else "")
    )
    yield ""
    if used := record.used(cases):
        yield "Measured on " + "; ".join(used) + "."
        yield ""
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
