"""What a caller learns about a run: its result, and callbacks on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from genreg_np.backends.base import Told
from genreg_np.model import Model
from genreg_np.runs.evaluation import Evaluation
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.generations import Record
from genreg_np.runs.no_folder import NoFolder
from genreg_np.runs.numbers import NumberEvaluation
from genreg_np.runs.run_folder import RunFolder

Folder = RunFolder | NoFolder


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Parameters
    ----------
    run : Path or None
        The run folder, if there is one.
    model : Model or None
        The chosen champion, as saved in model.npz; None if the run was stopped before its first generation.
    genome : str
        Which champion it is: best or consensus, or another one of the strategy.
    generations : int
        The number of generations done.
    seconds : float
        From arrays in memory to the saved model, including earlier processes of a resumed run.
    ended : str
        Why it ended: generations, target or stopped.
    validation : dict of float
        Accuracy of each champion on the validation split, 0 .. 1; for numbers the mean R2, 1 at best.
    test : dict of Evaluation, or of NumberEvaluation
        `accuracy`, `per_class` and `confusion` of each champion on the test split; for numbers `r2`, `rmse` and `mae`.
        Empty for a stopped run, which does not use that split.
    """

    run: Path | None
    model: Model | None
    genome: str
    generations: int
    seconds: float
    ended: str
    validation: dict[str, float]
    test: dict[str, Evaluation | NumberEvaluation]

    @property
    def metric(self) -> str:
        """The metric of scores: accuracy, or r2 for numbers."""
        return "r2" if self.model is not None and self.model.value_names else "accuracy"

    @property
    def validation_score(self) -> float | None:
        """Accuracy or R2 on the validation split, by which the model may have been chosen; None without a model."""
        return self.validation.get(self.genome)

    @property
    def test_score(self) -> float | None:
        """The model's accuracy or R2 on the test split; None for a stopped run."""
        return self.test[self.genome].score if self.test else None

    @property
    def validation_accuracy(self) -> float | None:
        """The model's accuracy on the validation split; None without a model, or if it predicts numbers."""
        return self.validation_score if self.metric == "accuracy" else None

    @property
    def test_accuracy(self) -> float | None:
        """The model's accuracy on the test split; None for a stopped run, or if the model predicts numbers."""
        return self.test_score if self.metric == "accuracy" else None


@dataclass(frozen=True)
class Watcher:
    """Callbacks to follow a run and to stop it; all are optional.

    Phases are "preparing" (reading data, compiling kernels, computing features), "measuring" (a budget), "generations",
    "finishing" (final saving, validation and test) and, within that, "refitting" (see the setting `keep`). Exceptions
    raised in one of the first two, including KeyboardInterrupt, lose nothing: a new run leaves no folder, or one that
    can be resumed.

    Parameters
    ----------
    on_start : callable, optional
        on_start(evolution, folder), before the first generation. `folder.path` is the run folder, or None.
    on_record : callable, optional
        on_record(record), after each generation: a dict of `generation`, `seconds`, the strategy's measurements, and
        `validation_accuracy` after a validation. `records.append` collects them all.
    should_stop : callable, optional
        should_stop() -> bool, called before each generation; returning true ends the run.
    on_phase : callable, optional
        on_phase(phase, folder), at the beginning of each phase.
    on_compiling : callable, optional
        on_compiling(kernels compiled, kernels in all, seconds left), as in Evolution: some calls come from another
        thread, and an exception raised there is raised by the run when everything is compiled.
    """

    on_start: Callable[[Evolution, Folder], None] = lambda evolution, folder: None
    on_record: Callable[[Record], None] = lambda record: None
    should_stop: Callable[[], bool] = lambda: False
    on_phase: Callable[[str, Folder], None] = lambda phase, folder: None
    on_compiling: Told | None = None
