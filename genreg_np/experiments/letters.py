"""Letters: does training on one view, or thirty, generalise to unseen views and typefaces?

GENREG's thirty variations are views in one typeface: sizes from half to one and a half, rotated by up
to 25 degrees, shifted by up to 15 of 100 pixels, black or white on any colour that is far enough from it (facts:
data/letters.py). A network is trained on one plain view of each letter, on thirty, or on a fixed thousand, from which
every batch draws. It is tested on unseen views, and on those it was trained on: the difference is what other views
would be good for. In the second part it is tested on unseen typefaces.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.download import Progress
from genreg_np.data.letters import LETTERS, draw_letter
from genreg_np.experiments import plots, typeset
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import listed, percent
from genreg_np.experiments.training import backend, config_of
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.runs.training import train

METHODS: Mapping[str, Mapping[str, Any]] = {
    "GENREG as published": {"preset": "seed-alphabet", "hidden": [32], "images_per_class": 10, "generations": 600,
                            "target": 0.0},
    "selection": {"preset": "selection", "hidden": [64], "images_per_class": 30, "generations": 1000},
    "node perturbation": {"preset": "nodes", "hidden": [128], "shift": 0, "generations": 5000},
    "detector bank": {"preset": "fast", "hidden": [128], "activation": "relu", "deskew": False, "generations": 5000},
    "backpropagation": {"preset": "convolution", "shift": 0, "generations": 3000,
                        "network": "conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 128 / relu / dense 26"},
}  # fmt: skip
MOST_KNOWN = 13_000  # images of training that a network is tested on
OURS, SEEDS = "detector bank", "GENREG as published"
CALLED = {SEEDS: "GENREG's mechanism, 625-32-26"}  # name on the page
TRAINED_ON = {"one view": 1, "thirty views": 30, "many views": 1000}  # views of each letter
AIMED, TRIED = 0.97, "thirty views"  # accuracy on unseen views that was aimed at, and the claim's number of views
LEARNED = 0.9  # accuracy on the views of training from which on they count as learned
LATER = (  # checked: the page of that run, in the author's repository
    "A later run by GENREG's author, 10,000-32-26 for 134,000 generations on four styles, rotated and shifted, has "
    "75.0 % of 520 tests, 78.4 % in its heading."
)
TAUGHT = typeset.FACES[:4]
TESTED = {"full": 1000, "quick": 20, "toy": 4}  # unseen views of each letter
MOST = {"full": 1000, "quick": 60, "toy": 8}


class Letters(Study):
    """The study `letters`."""

    name = "letters"
    question = "Thirty views of each letter: does a network recognise unseen views and typefaces?"
    about = """
The alphabet is drawn as GENREG draws it, in one typeface, in views of any size, rotation, place, ink and
background, at 25 x 25 pixels: in grey, or as ink, the distance of each pixel from the background. Networks are trained
on one plain view of each letter, on thirty, or on a fixed thousand, from which each batch draws some; fresh views in
each generation were not measured. Networks are tested on 1,000 unseen views of each letter; chance is 3.8 %. Accuracy
on the views of training, where it was recorded, tells two things: if it is low, little was learned at all, and unseen
views say nothing about generalising; if it is hardly higher than on unseen views, fresh ones could hardly add to it. In
the second part, four typefaces are used for training and three others for testing. GENREG's mechanism is the published
one on a smaller network, 625-32-26, and 10 images of each letter, for 600 generations, where the published alphabet
took 10,000-128-26 and 1,862 generations; selection trains 625-64-26, node perturbation 625-128-26, backpropagation a
convolutional network; the detector bank is preset `fast` with a hidden layer of 128 units, without any gradient. Rows
compare recipes, not methods alone, and take different times.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each method with each number of views, in ink and in grey; then typefaces."""
        found = []
        for seen_as in size.pick(typeset.SEEN_AS, typeset.SEEN_AS, ("ink",)):
            for method, own in METHODS.items():
                few = seen_as == "grey"
                for words, count in TRAINED_ON.items():
                    if (few and words != "many views") or (size.name == "toy" and words == "thirty views"):
                        continue
                    name = f"{method}, {words}, {seen_as}"
                    found.append(Case(name, self._settings(size, own, count, seen_as, [typeset.OWN])))
        for words, faces in (("one typeface", [typeset.OWN]), ("four typefaces", list(TAUGHT))):
            settings = self._settings(size, METHODS[OURS], TRAINED_ON["many views"], "ink", faces)
            found.append(Case(f"typefaces, {words}", settings | {"others": True}))
        return found

    def _settings(self, size: Size, own: Settings, count: int, seen_as: str, faces: Sequence[str]) -> dict[str, Any]:
        views = min(count, MOST[size.name])
        generations = size.generations(own["generations"])
        return {**own, "generations": generations, "validate_every": max(1, generations // 10), "views": views,
                "seen_as": seen_as, "faces": list(faces), "tested": TESTED[size.name]}  # fmt: skip

    def check(self, cases: Sequence[Case], progress: Progress | None = None) -> None:
        """Check that letters can be drawn."""
        draw_letter("A")
        for face in typeset.FACES:
            typeset.typeface(face)

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one network, and test it on views, or on typefaces."""
        own = dict(settings)
        views, seen_as, faces = own.pop("views"), own.pop("seen_as"), own.pop("faces")
        tested, others = own.pop("tested"), own.pop("others", False)
        data = dataset_of(faces, views, seen_as, tested)
        result = train(config_of(own, seed), data, backend=backend())
        assert result.model is not None
        known = data.train.inputs[:: -(-len(data.train) // MOST_KNOWN)]
        labels = data.train.labels[:: -(-len(data.train) // MOST_KNOWN)]
        found: Values = {"test": result.test_accuracy, "seconds": round(result.seconds, 1),
                         "train": round(float(np.mean(result.model.predict(known) == labels)), 5),
                         "parameters": result.model.network.gene_count}  # fmt: skip
        if others:
            for face in typeset.FACES:
                split = typeset.of_faces([face], typeset.UNSEEN, max(2, tested // 10), seen_as)
                right = result.model.predict(split.inputs) == split.labels
                found[face] = round(float(np.mean(right)), 5)
        return found

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield accuracy on unseen views, and on typefaces."""
        rows = []
        for seen_as in typeset.SEEN_AS:
            for method in METHODS:
                names = [f"{method}, {words}, {seen_as}" for words in TRAINED_ON]
                if any(results.measured(name) for name in names):
                    rows.append(
                        [
                            CALLED.get(method, method),
                            seen_as,
                            *(percent(results.numbers(name, "test")) for name in names),
                        ]
                    )
        head = ["trained by", "seen as", *(_views(results, words) for words in TRAINED_ON)]
        words = "Test accuracy, %, by the views used for training."
        yield Shown("Unseen views", words, (*_picture(results), Table(head, rows)))
        rows = []
        for name in results.names():
            both = results.numbers(name, "train"), results.numbers(name, "test")
            if all(both) and not name.startswith("typefaces"):
                method, views, seen_as = name.split(", ")
                rows.append([CALLED.get(method, method), seen_as, _views(results, views), *map(percent, both)])
        if rows:
            head = ["trained by", "seen as", "trained on", "on the views of training, %", "on unseen views, %"]
            yield Shown("Views of training", "", (Table(head, rows),))
        taught = {"one typeface": [typeset.OWN], "four typefaces": list(TAUGHT)}
        rows = [
            [face, *(percent(results.numbers(f"typefaces, {words}", face)) + (" (trained)" if face in faces else "")
                     for words, faces in taught.items())]
            for face in typeset.FACES
        ]  # fmt: skip
        if results.measured("typefaces, four typefaces"):
            words = f"With the {OURS}, in ink, 1,000 views of each letter in total. Test accuracy, %."
            yield Shown("Typefaces", words, (Table(["tested on", *(f"trained on {name}" for name in taught)], rows),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about views and typefaces."""
        wanted = [f"{method}, {words}, ink" for method in (SEEDS, OURS) for words in TRAINED_ON]
        if results.measured(*wanted):
            published, ours = (
                ", ".join(f"{_of_both(results, f'{method}, {words}, ink')} from {_views(results, words)}"
                          for words in TRAINED_ON)
                for method in (SEEDS, OURS)
            )  # fmt: skip
            yield Answer(
                "000", "Augmented alphabet: testing generalization across 30 font variations",
                f"on unseen views, GENREG's mechanism (625-32-26) reaches {published}; the {OURS}, without "
                f"gradients, {ours}. {_aimed(results)}{_unlearned(results)}",
            )  # fmt: skip
            yield Answer(
                "001", "Alphabet recognition: 100 % mastery",
                f"the announced 100 % are for the 26 images used in training. {LATER} Here 625-32-26, trained on one "
                f"view of each letter, as ink, reaches {_of_both(results, wanted[0])} on other views in the same "
                "typeface (chance 3.8 %); docs/accuracy.md has the accuracy of the document's network on its own 26 "
                "images.",
            )  # fmt: skip
        if results.measured("typefaces, one typeface", "typefaces, four typefaces"):
            unseen = [face for face in typeset.FACES if face not in TAUGHT]
            means = [
                [float(np.mean([run[face] for face in unseen])) for run in results.of(f"typefaces, {words}")]
                for words in ("one typeface", "four typefaces")
            ]
            yield Answer(
                "000", "Generalization across font variations: other typefaces",
                f"with the {OURS}, in the unseen typefaces {', '.join(unseen)}: {percent(means[0])} % after training "
                f"on one typeface, {percent(means[1])} % after four.", added=True,
            )  # fmt: skip


def _aimed(results: Results) -> str:
    """Return with how many views the detector bank reaches the aim, as a sentence."""
    reached = [_views(results, words) for words in TRAINED_ON
               if np.mean(results.numbers(f"{OURS}, {words}, ink", "test")) >= AIMED]  # fmt: skip
    how = f"is reached by the {OURS} with {listed(reached)}" if reached else "is missed"
    return f"The aim, {100 * AIMED:.0f} %, {how}{'' if TRIED in reached or not reached else f', not with {TRIED}'}."


def _views(results: Results, words: str) -> str:
    """Return a number of views in words, "1,000 views" for the most."""
    most = max((case.settings["views"] for case in results.cases), default=0)
    return f"{most:,} views" if words == "many views" else words


def _of_both(results: Results, name: str) -> str:
    """Return a case's accuracy on unseen views, and on those of training if it was recorded."""
    known = results.numbers(name, "train")
    return f"{percent(results.numbers(name, 'test'))} %" + (f" ({percent(known)} % on its own)" if known else "")


def _unlearned(results: Results) -> str:
    """Return what of GENREG's mechanism's rows says nothing about generalising, as a sentence."""
    names = {words: f"{SEEDS}, {words}, ink" for words in TRAINED_ON}
    low = [_views(results, words) for words, name in names.items()
           if results.numbers(name, "train") and np.mean(results.numbers(name, "train")) < LEARNED]  # fmt: skip
    if not low:
        return ""
    return (
        f" From {listed(low)} GENREG's mechanism has not learned its own views either: within these generations that "
        "is a limit of learning, and says nothing about generalising."
    )


def _picture(results: Results) -> Iterator[Picture]:
    """Yield a picture of the accuracy on unseen views against the views used for training."""
    views, named = {case.name: case.settings["views"] for case in results.cases}, dict[str, plots.Line]()
    for method in METHODS:
        names = [f"{method}, {words}, ink" for words in TRAINED_ON]
        if results.measured(*names):
            counts = [views[name] for name in names]
            named[CALLED.get(method, method)] = (counts, [results.numbers(name, "test") for name in names])
    if named:
        across = "views of each letter used for training"
        png = plots.lines(named, across, "accuracy on unseen views, %", logarithmic=True, scale=100)
        says = "Accuracy on unseen views against the number of views used for training, one line per recipe."
        yield Picture("views", png, says, "As ink; bands are 95 % intervals over seeds.")


def dataset_of(faces: Sequence[str], count: int, seen_as: str, tested: int) -> Dataset:
    """Return views for training, one or many per letter, and unseen ones for validation and testing."""
    if count == 1:
        plain = typeset.smaller(np.stack([draw_letter(letter) for letter in LETTERS]))
        plain = typeset.as_ink(plain) if seen_as == "ink" else plain
        learned = Split(plain, np.arange(len(LETTERS), dtype=np.int64))
    else:
        learned = typeset.of_faces(faces, typeset.PLAIN, count, seen_as)
    judged = typeset.of_faces(faces, typeset.JUDGED, max(2, tested // 10), seen_as)
    return Dataset("letters", learned, judged, typeset.of_faces(faces, typeset.UNSEEN, tested, seen_as), LETTERS)
