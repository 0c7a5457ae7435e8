"""The subject of a page on a search for pipelines: nothing is predicted, as the search has evaluated its winner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genreg_np.errors import RunError
from genreg_np.search.found_table import FoundTable
from genreg_np.search.stored import StoredSearch
from genreg_np.search.tabular.measuring import checked


@dataclass(frozen=True)
class PipelineSubject:
    """A finished search for pipelines to show on a page.

    Parameters
    ----------
    name : str
        Its name on the page.
    search : StoredSearch
    found : FoundTable
    class_names : tuple of str
        Classes of the label; empty for numbers.
    measured : mapping
        Results of measuring.py for the winner on the rows held out.
    label : str
    remarks : tuple of str
        Sentences at the end of the page.
    """

    name: str
    search: StoredSearch
    found: FoundTable
    class_names: tuple[str, ...]
    measured: Mapping[str, Mapping[str, float]]
    label: str
    remarks: tuple[str, ...] = ()

    @classmethod
    def of(cls, search: StoredSearch) -> PipelineSubject:
        """Return a search as a subject.

        Raises
        ------
        RunError
            If it has not ended yet, or its record of the result is damaged.
        """
        notes = search.notes
        if "found" not in notes:
            raise RunError(f"{search.path}: has no page yet: the search has not ended")
        try:
            found = FoundTable.of(notes["found"], search.path)
            class_names, remarks = (tuple(map(str, notes[name])) for name in ("class_names", "remarks"))
            measured = checked(notes["measured"], len(class_names))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RunError(f"{search.path / 'search.json'}: is damaged ({error}); search again") from None
        return cls(search.path.name, search, found, class_names, measured, str(notes.get("label", "")), remarks)

    def with_answers(self) -> PipelineSubject:
        """Return the subject unchanged: nothing is computed for its page."""
        return self
