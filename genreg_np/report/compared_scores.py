"""Runs on custom scores side by side: the best ever of each, in a table and as curves in one picture."""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.report.names import PLAIN, drawn
from genreg_np.report.own_score import OwnScore, best_line, duration, perfect_since, shown
from genreg_np.report.scales import scale_of
from genreg_np.report.sections.scores import draw_best
from genreg_np.report.shown import COLOURS, DASHES, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject

NOTHING = "-"
CAPTION = "At which generation, and of how many, the best ever was found; genes are weights and biases."


def compared_scores(subjects: Sequence[Subject]) -> Shown:
    """Show the results of two or more subjects, all on custom scores."""
    scores = [OwnScore.of(subject) for subject in subjects]
    head = ("", "score", "best ever", "at", "of", "scores", "time", "genes")
    rows = [_row(subject, score) for subject, score in zip(subjects, scores, strict=True)]
    picture = _picture(subjects)
    return Shown(
        "Side by side", _words(subjects, scores), [Table(head, rows, CAPTION), *([picture] if picture else [])]
    )


def _row(subject: Subject, score: OwnScore) -> tuple[str, ...]:
    return (
        subject.name,
        score.name or NOTHING,
        shown(score.best),
        NOTHING if score.generation is None else f"{score.generation:,}",
        NOTHING if score.generations is None else f"{score.generations:,}",
        NOTHING if score.count is None else f"{score.count:,}",
        NOTHING if score.seconds is None else duration(score.seconds),
        NOTHING if subject.model.is_int8 else f"{subject.model.network.gene_count:,}",
    )


def _words(subjects: Sequence[Subject], scores: Sequence[OwnScore]) -> str:
    """Return sentences on which run reached the most, and on how far that can be said."""
    names = sorted({score.name for score in scores if score.name})
    if len(names) > 1:
        return f"They were scored by different functions ({', '.join(names)}): their scores cannot be compared."
    best = max((score.best for score in scores if score.best is not None), default=None)
    if best is None:
        return ""
    winners = [one.name for one, score in zip(subjects, scores, strict=True) if score.best == best]
    said = f"{' and '.join(winners)} reached the most, {shown(best)}." if len(winners) < len(subjects) else (
        f"All reached {shown(best)}."
    )  # fmt: skip
    counts = {score.count for score in scores if score.count}
    unlike = " They used different numbers of scores." if len(counts) > 1 else ""
    return f"{said}{unlike} One run of each says little: another seed may reverse it."


def _picture(subjects: Sequence[Subject]) -> Picture | None:
    """Draw the best ever of each run by generation; None if none was finite in two generations."""
    runs = [(subject.name, subject.run.records) for subject in subjects if subject.run is not None]
    lines = [best_line(records) for _, records in runs]
    if not any(len(line[1]) > 1 for line in lines):
        return None
    figure = new_figure(height=3.4)
    panel = figure.subplots()
    says, perfects = [], [perfect_since(records) for _, records in runs]
    labels = drawn([name for name, _ in runs], 24)
    for number, ((name, records), line, label, perfect) in enumerate(zip(runs, lines, labels, perfects, strict=True)):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        end = records[-1]["generation"] if records else 0
        draw_best(panel, line, end if perfect is None else perfect, colour, label, dash)
        ends = [f"ends at {shown(line[1][-1])}"] if line[1] else []
        if perfect is not None:
            panel.axvline(perfect, color=colour, linestyle=":", linewidth=1.4)
            ends.append(f"is +inf from generation {perfect:,} on")
        if ends:
            says.append(f"{name} {', '.join(ends)}")
    values = [value for _, found in lines for value in found]
    late = [value for _, found in lines for value in found[len(found) // 4 :]]
    scale = scale_of(values, late)
    scale.put_on(panel)
    panel.set(xlabel="generation", ylabel="best ever")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(alpha=0.25)
    legend = figure.legend(loc="outside upper left", frameon=False, ncols=2)
    for text in legend.get_texts():
        text.set(**PLAIN)
    caption = "The best ever of each run; generations of different strategies need not cost the same."
    more = [scale.words, "A dotted line: it is +inf from there on." if perfects.count(None) < len(perfects) else ""]
    return Picture(
        "best-ever",
        png_of(figure),
        f"Best ever by generation: {'; '.join(says)}.",
        " ".join([caption, *filter(None, more)]),
    )
