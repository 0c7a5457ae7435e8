"""What a page about a search for pipelines is about: no model is shown anything; the search has measured its winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genreg_np.errors import RunError
from genreg_np.search.found_table import FoundTable
from genreg_np.search.stored import StoredSearch


@dataclass(frozen=True)
class PipelineSubject:
    """A search for pipelines that has ended, to look at.

    Parameters
    ----------
    name : str
        What the page calls it.
    search : StoredSearch
    found : FoundTable
    remarks : tuple of str
        Sentences that the page ends with.
    """

    name: str
    search: StoredSearch
    found: FoundTable
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, search: StoredSearch) -> PipelineSubject:
        """Return a search as a subject.

        Raises
        ------
        RunError
            If it has not ended yet, or its record of that is damaged.
        """
        if "found" not in search.notes:
            raise RunError(f"{search.path}: has no page yet: the search has not ended")
        try:
            found = FoundTable.of(search.notes["found"], search.path)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise RunError(f"{search.path / 'search.json'}: is damaged; search again") from None
        said = search.notes.get("remarks")
        remarks = tuple(map(str, said)) if isinstance(said, list) else ()
        return cls(search.path.name, search, found, remarks)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the label; none of numbers."""
        names = self.search.notes.get("class_names")
        return tuple(map(str, names)) if isinstance(names, list) else ()

    def measured(self, name: str) -> Mapping[str, float]:
        """Return what the search measured of its winner by the rows held out; nothing of what it did not."""
        measured = self.search.notes.get("measured")
        found = measured.get(name) if isinstance(measured, dict) else None
        return {
            str(key): float(value)
            for key, value in (found.items() if isinstance(found, dict) else ())
            if isinstance(value, int | float)
        }

    def with_answers(self) -> PipelineSubject:
        """Return it: nothing of it is computed for a page."""
        return self
