"""Every study at toy size: it can be measured, its page says what was measured, and nothing of what was not."""

from __future__ import annotations

import json
import math
import re
import warnings
from pathlib import Path

import pytest

from genreg_np.errors import UsageError
from genreg_np.experiments import REGISTRY, study
from genreg_np.experiments.base import SIZES, Results, chosen_cases
from genreg_np.experiments.page import page_of, trial_of, write_page
from genreg_np.experiments.record import Record, StudyFolder, file_of
from genreg_np.experiments.running import run_study, to_measure
from genreg_np.report.shown import Table
from tests.helpers import ROOT

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
TOY = SIZES["toy"]
PUBLISHED = ROOT / "docs" / "experiments"


@pytest.mark.parametrize("name", REGISTRY)
def test_a_study_is_measured_kept_and_shown(name: str, tmp_path: Path) -> None:
    """In this process, one seed of every case; then all that is said of it is looked at."""
    chosen = study(name)
    with StudyFolder.create(tmp_path) as folder:
        record = Record.read(chosen, TOY, folder)
        ended = run_study(record, to_measure(record, chosen.cases(TOY), 1), workers=0)
        assert ended.failed == {}
        every_case_is_kept(record)
        the_page_has_all_its_sections_and_pictures(record)
        what_was_not_measured_is_not_claimed(record)
        the_same_seed_gives_the_same_values(record)


def every_case_is_kept(measured: Record) -> None:
    """What was measured is in the file, and is not to be measured again."""
    cases = measured.study.cases(TOY)
    again = Record.read(measured.study, TOY, measured.folder)
    assert to_measure(again, cases, 1) == []
    assert again.results(cases).names() == [case.name for case in cases]


def the_page_has_all_its_sections_and_pictures(measured: Record) -> None:
    """A table for each section, pictures beside it, no number that is none."""
    cases = measured.study.cases(TOY)
    text, pictures = page_of(measured, cases)
    assert text.startswith(f"# {measured.study.question}\n")
    assert text.count("\n## ") >= 2
    assert set(re.findall(r"\]\(([^)]*\.png)\)", text)) == set(pictures)
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())
    assert "nan" not in text
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({line.count(" | ") for line in table.splitlines() if not line.startswith("|---")}) == 1
    name = write_page(measured, cases)
    assert (measured.folder.path / name).read_text("utf-8") == text


def what_was_not_measured_is_not_claimed(measured: Record) -> None:
    """Of nothing nothing is said; of one case, or of half of them, no number that is none."""
    chosen, cases = measured.study, measured.study.cases(TOY)
    assert list(chosen.answers(Results(TOY, cases, {}))) == []
    known = measured.results(cases).values
    halves = [list(known)[::2], list(known)[1::2]]
    for names in [[], *([name] for name in known), *halves]:
        some = Results(TOY, cases, {name: known[name] for name in names})
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # of NumPy, of nothing to be averaged
            texts = [answer.finding for answer in chosen.answers(some)]
            for section in chosen.shown(some):
                tables = [part for part in section.parts if isinstance(part, Table)]
                texts += [section.words, *(cell for table in tables for row in table.rows for cell in row)]
        assert not any("nan" in text for text in texts)


def the_same_seed_gives_the_same_values(measured: Record) -> None:
    """But for what is a time."""
    case = min(measured.study.cases(TOY), key=lambda case: str(case.settings))
    (before,) = measured.results([case]).of(case.name)[:1]
    after = json.loads(json.dumps(measured.study.measure(dict(case.settings), 0)))
    assert {**after, "seconds": 0} == {**before, "seconds": 0}


@pytest.mark.parametrize("name", REGISTRY)
def test_settings_are_plain_and_tell_cases_apart(name: str) -> None:
    """At every size: they are written to JSON, and say all that a result depends on."""
    for size in SIZES.values():
        cases = study(name).cases(size)
        texts = [json.dumps(dict(case.settings), sort_keys=True) for case in cases]
        assert len(set(texts)) == len(texts)
        assert len({case.name for case in cases}) == len(cases)


@pytest.mark.parametrize("name", REGISTRY)
def test_the_published_page_says_what_its_results_say(name: str, tmp_path: Path) -> None:
    """docs/experiments has a page of every study, written from the results beside it."""
    chosen, size = study(name), SIZES["full"]
    (tmp_path / file_of(chosen, size, "json")).write_bytes((PUBLISHED / file_of(chosen, size, "json")).read_bytes())
    with StudyFolder.create(tmp_path) as folder:
        text, pictures = page_of(Record.read(chosen, size, folder), chosen.cases(size))
    assert (PUBLISHED / file_of(chosen, size, "md")).read_text("utf-8") == text
    assert all((PUBLISHED / picture).is_file() for picture in pictures)


def test_a_trial_says_that_it_is_none_of_the_study(tmp_path: Path) -> None:
    """Before anything else; the full page has no such line."""
    chosen = study("capacity")
    with StudyFolder.create(tmp_path) as folder:
        trial, full = (Record.read(chosen, SIZES[size], folder) for size in ("quick", "full"))
        cases = chosen.cases(SIZES["quick"])
        assert trial_of(trial, cases) == "a trial on the 8x8 digits with no seeds: no answer to the question"
        assert page_of(trial, cases)[0].split("\n\n")[1].startswith("**This is a trial on the 8x8 digits")
        assert trial_of(full, chosen.cases(SIZES["full"])) == ""


def test_a_case_that_is_unknown_is_answered_shortly() -> None:
    """By the nearest one, or by how cases begin; not by all of their names."""
    with pytest.raises(UsageError, match="did you mean 'nobody'"):
        chosen_cases(study("mutation"), SIZES["full"], ["nobdy"])
    with pytest.raises(UsageError) as error:
        chosen_cases(study("capacity"), SIZES["full"], ["nothing"])
    assert str(error.value) == "study capacity has no case 'nothing' (cases begin with evaluations, seconds)"


def test_cases_are_chosen_by_the_beginning_of_their_names() -> None:
    """And one that there is not is refused, with those that there are."""
    chosen = study("structure")
    names = [case.name for case in chosen_cases(chosen, TOY, ["evolved"])]
    assert names
    assert all(name.startswith("evolved") for name in names)
    with pytest.raises(UsageError, match="has no case 'grown'"):
        chosen_cases(chosen, TOY, ["grown"])


def test_sizes_grow() -> None:
    """And none is without a generation."""
    toy, quick, full = (SIZES[name] for name in ("toy", "quick", "full"))
    assert 2 <= toy.generations(600) < quick.generations(600) < full.generations(600) == 600
    assert toy.generations(1) == 2
    assert math.isclose(full.share, 1)
