"""What is printed: under any encoding, into any stream, and whatever a stranger wrote into the files it comes from."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import genreg_np.cli
from genreg_np.cli import COMMANDS, doctor_, main
from genreg_np.cli.output import print_json
from genreg_np.cli.terminal import Terminal, clean, say
from genreg_np.infer import load
from genreg_np.model import Network
from tests.cli import one_line
from tests.helpers import model_of
from tests.make_champion import make_champion, write_pickle

NAMES = ("żółć", "数字", "\x1b]0;mine\x07red", "\u202edeb", "\x9b31m", "\u2066café")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u061c\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LEARN = ["--preset", "small", "--generations", 2, "--set", "population_size=20", "--set", "images_per_class=4"]
TABLE = ("--models", "linear", "--folds", 2, "--population", 2, "--generations", 1, "--engine", "serial")
SEARCH = ["--generations", 1, "--population", 2, "--max-epochs", 1, "--final-epochs", 1, "--engine", "serial"]
MIX = ["--network", "8,4", "--population", 2, "--generations", 1, "--no-figures", "--eps", "0.1", "--attack-images", 4]

CALLS: dict[str, list[object]] = {
    "train": ["train", "--dataset", "own.npz", *LEARN, "--backend", "numpy", "--out", "trained"],
    "train --json": ["train", "--dataset", "own.npz", *LEARN, "--backend", "numpy", "--out", "trained", "--json"],
    "mixed": ["mixed", "--dataset", "own.npz", *MIX, "--backend", "numpy", "--out", "mixed"],
    "mixed --json": ["mixed", "--dataset", "own.npz", *MIX, "--backend", "numpy", "--out", "mixed", "--json"],
    "search": ["search", "images", "own.npz", *SEARCH, "--backend", "numpy", "--out", "se\x1barched"],
    "search autoencoder": [
        "search",
        "autoencoder",
        "own.npz",
        *SEARCH,
        "--max-macs",
        "500000",
        "--backend",
        "numpy",
        "--out",
        "copi\x1bed",
    ],
    "search --json": ["search", "images", "own.npz", *SEARCH, "--backend", "numpy", "--out", "searched", "--json"],
    "search table": ["search", "table", "\x1bown.csv", *TABLE, "--positive", NAMES[0], "--out", "se\u202earched"],
    "sample": ["sample", "generator.npz", "--n", "4", "--out", "sh\x1beet.png"],
    "eval": ["eval", "model.npz", "--dataset", "own.npz"],
    "eval --json": ["eval", "model.npz", "--dataset", "own.npz", "--json"],
    "infer": ["infer", "model.npz", "\u202eone.npy", "--top", 6],
    "infer --json": ["infer", "model.npz", "\u202eone.npy", "--json"],
    "infer, faulty": ["infer", "model.npz", "\x1b[31mnone.npy"],
    "infer, stdin": ["infer", "model.npz"],
    "experiment": ["experiment"],
    "play": ["play", "policy.npz", "--env", "CartPole-v1"],
    "play --json": ["play", "policy.npz", "--env", "CartPole-v1", "--json"],
    "play, error": ["play", "policy.npz", "--env", "\x1b[2JPole-v1"],
    "report": ["report", "model.npz", "--dataset", "own.npz", "--out", "\x1brep\u202eort"],
    "report --json": ["report", "model.npz", "--dataset", "own.npz", "--out", "żółć", "--json"],
    "report, no data": ["report", "model.npz", "--out", "report"],
    "info": ["info", "model.npz"],
    "info --json": ["info", "model.npz", "--json"],
    "export": ["export", "model.npz", "--to", "python", "--out", "exp\u202eorted"],
    "export --json": ["export", "model.npz", "--to", "python", "--out", "exported", "--json"],
    "demo": ["demo", "model.npz", "--no-open", "--out", "\x9bpage.html"],
    "convert": ["convert", "champion.pkl", "con\x07verted.npz"],
    "data list": ["data", "list"],
    "data list --json": ["data", "list", "--json"],
    "data fetch": ["data", "fetch", "digits"],
    "data show": ["data", "show", "own.npz", "--out", "sheet\x1b.png"],
    "doctor": ["doctor"],
    "help": ["--help"],
    "no arguments": [],
    "usage": ["eval", "model.npz", "--b\x1bogus"],
    "error": ["info", "\x1b[2Jnone\n.npz"],
}
CODES = {"usage": 2, "error": 1, "infer, faulty": 1, "infer, stdin": 2, "play, error": 2}
SLOW = ("search", "report")  # words that slow calls begin with
VARYING = {"seconds", "model", "run"}  # of JSON


@pytest.fixture(autouse=True)
def _files(_in_empty_folder: None, undrawn: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model, data and inputs whose names are hard to print; no compiling."""
    pytest.importorskip("PIL")
    rows = [f"{place * 7 % 31},{NAMES[place % 2]}" for place in range(40)]
    Path("\x1bown.csv").write_text("\n".join([f"{NAMES[0]},label", *rows]) + "\n", "utf-8")
    images = np.random.default_rng(0).integers(0, 255, (60, 4, 4)).astype(np.uint8)
    names = np.array(NAMES)
    np.savez("own.npz", x=images, y=np.arange(60) % len(NAMES), class_names=names)
    np.save("\u202eone.npy", images[:2])
    model = model_of(Network.build((4, 4), (3,), len(NAMES)), class_names=NAMES, training={"note": "n\x1b[8m\x85"})
    model.save("model.npz")
    model_of(Network.build((4,), (3,), 2), input_range=None).save("policy.npz")
    noise = {"size": 2, "kind": "normal", "spread": 1.0}
    told = {"generator": {"noise": noise, "image": [4, 4], "classes": list(NAMES)}}
    drawing = Network.build((2 + len(NAMES),), (3,), 16)
    model_of(drawing, class_names=(), input_range=None, training=told).save("generator.npz")
    write_pickle(Path("champion.pkl"), make_champion(16, 3, 2))
    monkeypatch.setattr(doctor_, "_backend", lambda name, selftest: True)


class Stream(io.TextIOWrapper):
    """A strict stream into memory, or one that fails as streams of the system do."""

    def __init__(self, encoding: str = "utf-8", error: Exception | None = None) -> None:
        super().__init__(io.BytesIO(), encoding=encoding, errors="strict", newline="")
        self.error = error

    def write(self, text: str) -> int:
        if self.error:
            raise self.error
        return super().write(text)

    def flush(self) -> None:
        if not self.error:
            super().flush()

    def text(self) -> str:
        super().flush()
        return self.buffer.getvalue().decode(self.encoding)


def call(patch: pytest.MonkeyPatch, name: str, out: Any, err: Any, given: Any = None) -> int:
    """Call the command line with these streams; return its exit code."""
    if name.startswith("report"):
        pytest.importorskip("matplotlib", reason="figures need matplotlib")
    if name.startswith("play"):
        pytest.importorskip("gymnasium", reason="environments are Gymnasium's")
    if name.startswith("search table"):
        pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")
    for stream, value in (("stdin", given), ("stdout", out), ("stderr", err)):
        patch.setattr(sys, stream, value)
    with pytest.raises(SystemExit) as exit_info:
        main([str(argument) for argument in CALLS[name]])
    assert (sys.stdin, sys.stdout, sys.stderr) == (given, out, err), "what was replaced is put back"
    return int(exit_info.value.code or 0)


def test_every_command_is_called() -> None:
    assert {arguments[0] for arguments in CALLS.values() if arguments} >= set(COMMANDS)


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        pytest.param(name, encoding, marks=[pytest.mark.soak] * (encoding != "cp1252" and name.startswith(SLOW)))
        for name in CALLS
        for encoding in ("utf-8", "cp1252", "ascii", "utf-16-le")
    ],
)
def test_no_encoding_ends_a_command_and_nothing_raw_is_printed(
    monkeypatch: pytest.MonkeyPatch, name: str, encoding: str
) -> None:
    """Whatever the code page lacks; JSON stays JSON, the same in every encoding."""
    out, err = Stream(encoding), Stream(encoding)
    assert call(monkeypatch, name, out, err) == CODES.get(name, 0), err.text()
    for text in (out.text(), err.text()):
        assert not UNSAFE.search(text), text
        assert "codec" not in text
    if "--json" in name:
        result = json.loads(out.text())
        printed = json.dumps(result, ensure_ascii=False)
        assert any(word in printed for word in ("żółć", "accuracy", "one.npy", "files", "letters", "mean_return"))
    elif not CODES.get(name):
        assert out.text()


@pytest.mark.parametrize("name", ["eval", "info", "infer"])
def test_json_is_the_same_under_any_encoding(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    results = []
    for encoding in ("utf-8", "cp1252", "ascii"):
        out = Stream(encoding)
        assert call(monkeypatch, f"{name} --json", out, Stream()) == 0
        results.append(json.loads(out.text()))
    assert results[0] == results[1] == results[2]
    assert "żółć" in json.dumps(results[0], ensure_ascii=False) or name == "infer"


SOME = {("stdout", "full disk"), ("stdout", "broken pipe"), ("stderr", "closed"), ("both", "none")}
EVERY = ("train", "info", "info --json", "infer", "usage", "error")  # calls that are made with every stream


@pytest.mark.parametrize(
    ("name", "which", "fault"),
    [
        pytest.param(name, which, fault, marks=[pytest.mark.soak] * ((which, fault) not in SOME and name not in EVERY))
        for name in CALLS
        for which in ("stdout", "stderr", "both")
        for fault in ("none", "closed", "broken pipe", "full disk")
    ],
)
def test_no_stream_ends_a_command(monkeypatch: pytest.MonkeyPatch, name: str, which: str, fault: str) -> None:
    """All is done, with the usual exit code; that a full disk lost the output is said, and is a failure."""

    def stream() -> Stream | None:
        errors = {
            "broken pipe": BrokenPipeError(32, "Broken pipe"),
            "full disk": OSError(28, "No space left on device"),
        }
        faulty = Stream(error=errors.get(fault))
        if fault == "closed":
            faulty.close()
        return None if fault == "none" else faulty

    out = Stream() if which == "stderr" else stream()
    err = Stream() if which == "stdout" else stream()
    code = call(monkeypatch, name, out, err)
    lost = which != "stderr" and fault == "full disk" and name not in CODES
    assert code == (1 if lost else CODES.get(name, 0))
    if which == "stdout":
        said = err.text()
        assert "Traceback" not in said
        assert ("error: stdout cannot be written (No space left on device)\n" in said) == lost
    if CALLS[name][:1] in (["train"], ["mixed"]):
        assert load(Path(str(CALLS[name][0]).replace("train", "trained")) / "model.npz").class_names == NAMES


def test_text_that_does_nothing_is_left_alone() -> None:
    assert clean("łódź 数字 👩‍🔬 a\nb…█") == "łódź 数字 👩‍🔬 a\nb…█"
    assert clean("a\x1b[31m\r\t\x85\u202e\ud800\x7f") == r"a\x1b[31m\r\t\x85\u202e\ud800\x7f"


def test_a_line_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line break in a name cannot forge a line of ours."""
    say("a\nerror: b", "c")
    assert capsys.readouterr().out == "a\\nerror: b\nc\n"


def test_json_escapes_what_may_not_reach_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "\x7f\x9b\u202e\ud800é"})
    out = capsys.readouterr().out
    assert out == '{"a": "\\u007f\\u009b\\u202e\\ud800é"}\n'
    assert json.loads(out) == {"a": "\x7f\x9b\u202e\ud800é"}


def test_a_bar_may_draw_and_its_lines_are_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rich's own control sequences pass; a class name's, its markup and its emoji codes do not."""
    pytest.importorskip("rich")
    from genreg_np.cli.output import Progress

    class Screen(Stream):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    monkeypatch.setattr(sys, "stdout", Terminal(screen))
    monkeypatch.setenv("TERM", "xterm")
    progress = Progress(quiet=False, to_stderr=False)
    progress.start(10, 0)
    progress.say("[bold]:bug:\x1b[31m")
    progress.update({"generation": 10, "seconds": 1.0}, 10)
    progress.stop()
    assert r"[bold]:bug:\x1b[31m" in screen.text()
    assert "\x1b[" in screen.text(), "the bar draws"


def test_nothing_but_say_prints() -> None:
    """No command can forget to clean what it prints, and the library prints nothing, but for verbose estimators."""
    for path in Path(genreg_np.cli.__file__).parents[1].rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        aloud = [node for one in tree.body if getattr(one, "name", "") == "_aloud" for node in ast.walk(one)]
        assert not aloud or path.name == "training.py"
        for node in ast.walk(tree):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) and node not in aloud else ""
            assert called not in ("print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"), path


COMMAND = [sys.executable, "-c", "from genreg_np.cli import main; main()"]


@pytest.mark.skipif(os.name != "posix", reason="descriptors")
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_files_of_a_run_never_get_the_number_of_a_closed_stream(closed: tuple[int, ...]) -> None:
    """`>&-` closes a descriptor, and the next file that is opened gets its number."""
    run = [*COMMAND, *map(str, CALLS["train"])]
    shell = ["sh", "-c", '"$@" ' + " ".join(f"{number}>&-" if number else "<&-" for number in closed), "sh"]
    done = subprocess.run([*shell, *run], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert load("trained/model.npz").class_names == NAMES


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_has_gone_is_no_error_at_exit_either() -> None:
    """Python writes what is left at exit, and would fail then."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*COMMAND, "eval", "model.npz", "--dataset", "own.npz"], stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="/dev/full")
def test_a_full_disk_is_said_once() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "eval", "model.npz", "--dataset", "own.npz"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 1
    assert done.stderr == b"error: stdout cannot be written (No space left on device)\n"


HELP_OF_ALL = """
import contextlib, sys
from genreg_np.cli import main
for name in sys.argv[1:]:
    with contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
"""


def test_help_needs_no_docstrings() -> None:
    """`python -OO` drops them."""

    def printed(*flags: str, arguments: list[str]) -> str:
        command = [sys.executable, *flags, "-c", HELP_OF_ALL, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    names = ["", *COMMANDS, "data list", "data fetch", "data show"]
    plain = printed(arguments=names)
    assert printed("-OO", arguments=names) == plain
    assert "\b" not in plain
    assert r"\b" not in plain
    assert plain.count("Usage:") == len(names)


def test_an_error_of_the_command_line_itself_is_one_line(genreg) -> None:
    """With click 8.1 too, which raises other errors than later ones."""
    assert "nothere.npz" in one_line(genreg("infer", "nothere.npz", "x.png"), 1)
    assert "bogus" in one_line(genreg("infer", "--bogus"), 2)
    for arguments in ((), ("data",)):
        outcome = genreg(*arguments)
        assert (outcome.code, outcome.err) == (0, "")
        assert "Usage: genreg-np" in outcome.out
