"""What a caller hears of a run: its result at the end, and what happens on the way."""

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
    """What a run came to.

    Parameters
    ----------
    run : Path or None
        The run folder; None where there is none.
    model : Model or None
        The chosen champion, as it is saved in model.npz; None if the run was stopped before its first generation.
    genome : str
        Which champion it is: best or consensus, or what else the strategy has.
    generations : int
        How many were done.
    seconds : float
        From arrays in memory to the saved model, earlier processes of a resumed run included.
    ended : str
        Why: generations, target or stopped.
    validation : dict of float
        Accuracy of each champion on the validation split, 0 .. 1; of numbers their mean R2, 1 at best.
    test : dict of Evaluation, or of NumberEvaluation
        `accuracy`, `per_class` and `confusion` of each champion on the test split; of numbers `r2`, `rmse` and `mae`.
        Empty for a stopped run, which does not look at it.
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
        """What scores are: accuracy, or r2 of numbers."""
        return "r2" if self.model is not None and self.model.value_names else "accuracy"

    @property
    def validation_score(self) -> float | None:
        """Accuracy or R2 on the validation split, by which the model may have been chosen; None without one."""
        return self.validation.get(self.genome)

    @property
    def test_score(self) -> float | None:
        """The model's accuracy or R2 on the test split; None for a stopped run."""
        return self.test[self.genome].score if self.test else None

    @property
    def validation_accuracy(self) -> float | None:
        """The model's accuracy on the validation split; None without a model, and of one that predicts numbers."""
        return self.validation_score if self.metric == "accuracy" else None

    @property
    def test_accuracy(self) -> float | None:
        """The model's accuracy on the test split; None for a stopped run, and of a model that predicts numbers."""
        return self.test_score if self.metric == "accuracy" else None


@dataclass(frozen=True)
class Watcher:
    """What a caller may hear of a run, and how it may stop it; every part is optional.

    Phases are "preparing" (data are read, kernels compiled, features computed), "measuring" (a budget), "generations",
    "finishing" (what is saved, validated and tested at the end) and, within that, "refitting" (see the setting `keep`).
    An exception that is raised in one of the first two loses nothing, KeyboardInterrupt included: a new run leaves no
    folder, or one that can be gone on with.

    Parameters
    ----------
    on_start : callable, optional
        on_start(evolution, folder), before the first generation. `folder.path` is where the run is kept, or None.
    on_record : callable, optional
        on_record(record), after each generation: a dict of `generation`, `seconds`, what the strategy measures, and
        `validation_accuracy` where there was a look at it. `records.append` keeps them all.
    should_stop : callable, optional
        should_stop() -> bool, asked before each generation; true ends the run there.
    on_phase : callable, optional
        on_phase(phase, folder), as each phase begins.
    on_compiling : callable, optional
        on_compiling(kernels compiled, of how many, seconds it still takes), as Evolution takes it: in between
        from another thread, and what it raises there comes from the run, when all is compiled.
    """

    on_start: Callable[[Evolution, Folder], None] = lambda evolution, folder: None
    on_record: Callable[[Record], None] = lambda record: None
    should_stop: Callable[[], bool] = lambda: False
    on_phase: Callable[[str, Folder], None] = lambda phase, folder: None
    on_compiling: Told | None = None
