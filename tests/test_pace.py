"""How long compiling still takes: never negative, right where machines are alike, and learning where they are not."""

from __future__ import annotations

import importlib.util
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.backends.numba.pace import SECONDS, STARTING, USUAL, Pace, telling
from tests.helpers import PATIENCE, patient

needs_numba = pytest.mark.skipif(
    not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
)
EVENTS = st.tuples(st.floats(0, 1e4), st.sampled_from([*SECONDS, "?"]))  # so much later a name is finished
SLOW, QUICK, OTHER = sorted(SECONDS, key=lambda name: -SECONDS[name])[:3]


class Hand:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@needs_numba
def test_every_kernel_has_its_seconds() -> None:
    """As bench/kernel_seconds.py measures them; one that is missing would count as a usual one."""
    from genreg_np.backends.numba.warm import EXAMPLES

    assert set(SECONDS) == set(EXAMPLES)


@pytest.mark.parametrize("slower", [1.0, 0.5, 3.0])
def test_an_estimate_is_right_where_all_takes_as_many_times_as_long(slower: float) -> None:
    """From the first kernel on; before that it is what the machine takes where seconds were measured."""
    clock, names = Hand(), list(SECONDS)
    pace, whole = Pace(names, clock=clock), slower * sum(SECONDS.values())
    assert pace.seconds_left() == pytest.approx(sum(SECONDS.values()))
    spent = 0.0
    for number, name in enumerate(names, 1):
        clock.now += slower * SECONDS[name]
        spent += slower * SECONDS[name]
        pace.finish(name)
        assert pace.done == number
        assert pace.seconds_left() == pytest.approx(whole - spent, abs=1e-9)
    assert pace.of == len(names)


def test_of_two_processes_the_longer_one_counts_and_the_second_has_yet_to_start() -> None:
    clock = Hand()
    assert Pace([QUICK], [SLOW], clock).seconds_left() == pytest.approx(SECONDS[SLOW] + STARTING)
    pace = Pace([SLOW, "unknown"], [QUICK], clock)
    assert pace.seconds_left() == pytest.approx(max(SECONDS[SLOW] + USUAL, SECONDS[QUICK] + STARTING))


def test_an_estimate_grows_where_a_kernel_takes_longer_than_foreseen() -> None:
    """Before anything is finished: what waits will take longer, too."""
    clock = Hand()
    pace = Pace([SLOW, QUICK], clock=clock)
    clock.now += SECONDS[SLOW]
    foreseen = pace.seconds_left()
    assert foreseen == pytest.approx(SECONDS[QUICK])
    clock.now += SECONDS[SLOW]
    assert pace.seconds_left() == pytest.approx(2 * SECONDS[QUICK])


def test_what_another_process_left_is_done_by_this_one() -> None:
    clock = Hand()
    pace = Pace([QUICK], [SLOW, OTHER], clock)
    clock.now += SECONDS[QUICK]
    pace.finish(QUICK)
    pace.alone()
    assert pace.seconds_left() == pytest.approx(SECONDS[SLOW] + SECONDS[OTHER])
    assert (pace.done, pace.of) == (1, 3)


def test_no_kernel_counts_twice_and_no_other_word_counts() -> None:
    pace = Pace([QUICK], [SLOW])
    for name in (SLOW, SLOW, "", "no kernel's name"):
        pace.finish(name)
    assert pace.done == 1


@patient
@given(st.lists(EVENTS, max_size=30), st.integers(0, len(SECONDS)))
def test_no_estimate_is_negative_or_endless(events: list[tuple[float, str]], first: int) -> None:
    """Whatever takes however long, and in whatever order it ends."""
    clock = Hand()
    pace = Pace(list(SECONDS)[:first], list(SECONDS)[first:], clock)
    for seconds, name in events:
        clock.now += seconds
        pace.finish(name)
        assert 0 <= pace.seconds_left() < math.inf
    assert 0 <= pace.done <= pace.of


def test_it_is_told_at_the_beginning_in_between_and_at_the_end() -> None:
    told: list[tuple[int, int, float]] = []
    between = threading.Event()

    def tell(done: int, of: int, left: float) -> None:
        told.append((done, of, left))
        if threading.current_thread() is not threading.main_thread():
            between.set()

    pace = Pace([SLOW, QUICK])
    with telling(pace, tell):
        assert told[0][:2] == (0, 2)
        pace.finish(SLOW)
        assert between.wait(PATIENCE)
    assert told[-1] == (2, 2, 0.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "genreg-np telling"]


def test_the_end_is_not_told_where_it_was_not_reached() -> None:
    told: list[int] = []
    with pytest.raises(KeyboardInterrupt), telling(Pace([SLOW]), lambda done, *_: told.append(done)):
        raise KeyboardInterrupt
    assert set(told) == {0}


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_is_raised_in_between_is_raised_at_the_end(
    capfd: pytest.CaptureFixture[str], kind: type[BaseException]
) -> None:
    """The block ends as if nothing were; nothing more is told, and nothing printed."""
    told: list[int] = []
    raised, mistake = threading.Event(), kind("a mistake")

    def tell(done: int, *_: object) -> None:
        told.append(done)
        if threading.current_thread() is not threading.main_thread():
            raised.set()
            raise mistake

    pace = Pace([SLOW, QUICK])

    def compile_all() -> None:
        with telling(pace, tell):
            assert raised.wait(PATIENCE)
            pace.finish(SLOW)
            pace.finish(QUICK)

    with pytest.raises(kind) as caught:
        compile_all()
    assert caught.value is mistake
    assert pace.done == 2
    assert told == [0, 0]
    assert capfd.readouterr().err == ""


def test_what_the_block_raises_counts_more_than_what_is_raised_in_between() -> None:
    raised = threading.Event()

    def tell(*_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raised.set()
            raise ValueError("a mistake")

    def stop() -> None:
        with telling(Pace([SLOW]), tell):
            assert raised.wait(PATIENCE)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()


@needs_numba
def test_kernels_and_their_seconds_are_dearest_first() -> None:
    """Then every other one is about half of the work."""
    from genreg_np.backends.numba.warm import EXAMPLES

    assert list(EXAMPLES) == list(SECONDS) == sorted(SECONDS, key=lambda name: -SECONDS[name])
