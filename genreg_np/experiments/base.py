"""The interface of studies: cases, each measured once per seed, and sections of a page with the results.

    study.cases(size)               what is measured: a name, and all settings that a result depends on besides the seed
    study.measure(settings, seed)   one measurement, as plain JSON values; a pure function, run in any process
    study.shown(results)            the page: tables and pictures
    study.answers(results)          claims and findings

Sizes: `full` is the study; `quick` the same questions on the 8x8 digits in a minute, without any data to download;
`toy` is for tests and takes seconds, and its numbers mean nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from genreg_np.data import load_dataset
from genreg_np.data.download import Progress
from genreg_np.errors import UsageError, nearest
from genreg_np.report.shown import Shown

MOST_SHOWN = 8  # beginnings of cases' names, in an error
Settings = Mapping[str, Any]
Values = dict[str, Any]


@dataclass(frozen=True)
class Size:
    """The extent of a study."""

    name: str
    data: str  # the images, unless a study has its own
    share: float  # of the generations of the full study
    seeds: int

    def generations(self, full: int) -> int:
        """Return the number of generations that replace `full` ones of the full study, at least 2."""
        return max(2, round(self.share * full))

    def pick(self, full: Sequence[Any], quick: Sequence[Any], toy: Sequence[Any] | None = None) -> Sequence[Any]:
        """Return the choices to measure at this size."""
        if self.name == "full":
            return full
        return quick if self.name == "quick" or toy is None else toy


SIZES = {
    size.name: size
    for size in (Size("full", "mnist", 1.0, 3), Size("quick", "digits", 0.1, 2), Size("toy", "digits", 0.004, 2))
}


@dataclass(frozen=True)
class Case:
    """Something to measure for every seed."""

    name: str  # unique in its study
    settings: Settings  # plain JSON values
    more_seeds: int = 0  # in addition to those of other cases, for a row that others are compared with


TEXTS = {  # by the number they have in docs/answers.md: what claims and questions are quoted from
    "000": "GENREG's README",
    "001": "GENREG's announcement",
    "002": "Neuroevolution in Neurales",
    "003": "Cooke and de Alfaro",
}


@dataclass(frozen=True)
class Answer:
    """A claim or question of a text, and the finding of a study."""

    source: str  # of TEXTS
    claim: str
    finding: str
    added: bool = False  # a question of this project, beside those of the text

    @property
    def text(self) -> str:
        """The name of the text, or that the question is not one of it."""
        return "our addition" if self.added else TEXTS[self.source]


@dataclass(frozen=True)
class Results:
    """The measurements of a study: the values of each case's seeds."""

    size: Size
    cases: Sequence[Case]
    values: Mapping[str, Mapping[int, Values]] = field(repr=False)  # by case and seed
    seconds: Mapping[str, Mapping[int, float]] = field(default_factory=dict, repr=False)  # that each measurement took

    def of(self, case: str) -> list[Values]:
        """Return a case's values, seed by seed; empty if it was not measured."""
        return [values for _, values in sorted(self.values.get(case, {}).items())]

    def numbers(self, case: str, name: str) -> list[float]:
        """Return one number of a case, seed by seed."""
        return [float(values[name]) for values in self.of(case) if values.get(name) is not None]

    def both(self, one: str, other: str) -> list[tuple[Values, Values]]:
        """Return the values of two cases for each seed with which both were measured."""
        first, second = (self.values.get(case, {}) for case in (one, other))
        return [(first[seed], second[seed]) for seed in sorted(first.keys() & second.keys())]

    def gap(self, one: str, other: str, name: str = "test") -> list[float]:
        """Return the difference of a number between two cases, for each seed that both have."""
        return [float(first[name]) - float(second[name]) for first, second in self.both(one, other)]

    def measured(self, *cases: str) -> bool:
        """Return whether all of these cases have a value."""
        return all(self.values.get(case) for case in cases)

    def names(self, prefix: str = "") -> list[str]:
        """Return the names of the measured cases that begin with a prefix, in their order."""
        return [case.name for case in self.cases if case.name.startswith(prefix) and self.values.get(case.name)]


class Study(ABC):
    """A study; its instances have no state."""

    name: ClassVar[str]
    question: ClassVar[str]  # one line, for the list of studies
    about: ClassVar[str]  # a paragraph: how it is measured, and what the numbers mean
    version: ClassVar[int] = 1  # of `measure`: results of an earlier version are measured again

    @abstractmethod
    def cases(self, size: Size) -> Sequence[Case]:
        """Return the cases to measure."""

    @abstractmethod
    def measure(self, settings: Settings, seed: int) -> Values:
        """Measure a case for one seed; return plain JSON values."""

    def check(self, cases: Sequence[Case], progress: Progress | None = None) -> None:
        """Check before measuring that this machine has all that the cases need; fetch their data.

        Raises
        ------
        GenregError
            Saying what is missing, and how to get it.
        """
        for data in sorted({str(case.settings["dataset"]) for case in cases if "dataset" in case.settings}):
            load_dataset(data, progress=progress)

    @abstractmethod
    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield the sections of the page, without anything not measured yet."""

    @abstractmethod
    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield the findings, without anything not measured yet."""


def _beginnings(names: Sequence[str]) -> str:
    """Return the first words of names, each once, and no more than MOST_SHOWN of them."""
    words = list(dict.fromkeys(name.partition(", ")[0].partition(" ")[0] for name in names))
    return ", ".join([*words[:MOST_SHOWN], *["..."][: len(words) > MOST_SHOWN]])


def chosen_cases(study: Study, size: Size, only: Sequence[str]) -> list[Case]:
    """Return the cases of a study, or those whose names begin with one of `only`.

    Raises
    ------
    UsageError
        For an unknown case.
    """
    cases = list(study.cases(size))
    for wanted in only:
        if not any(case.name.startswith(wanted) for case in cases):
            names = [case.name for case in cases]
            near = nearest(wanted, names) or f" (cases begin with {_beginnings(names)})"
            raise UsageError(f"study {study.name} has no case {wanted!r}{near}")
    return [case for case in cases if not only or any(case.name.startswith(wanted) for wanted in only)]
