"""Many machines: tasks of Ray end as those of processes do, what is lost is done again, strangers are refused."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import engines
from genreg_np.engines import ray_
from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, TIMEOUT, Engine, Limits
from genreg_np.engines.fitness import FitnessPool
from genreg_np.errors import MissingExtraError, RunError
from genreg_np.runs.evolution import Evolution
from tests.helpers import DATASET, PATIENCE, one_line, outcome, own, smallness, tiny_config
from tests.test_engines import dies_unless_marked, for_ever, half, one_over

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def on_ray_of(function: Any, workers: int = 2) -> Engine:
    return engines.create("ray", function, workers)


@pytest.mark.usefixtures("on_ray")
class TestTasks:
    """On a Ray of two processors."""

    def test_what_a_function_raises_is_an_outcome(self) -> None:
        with on_ray_of(one_over) as engine:
            found = list(engine.map([2, 0, 4]))
        assert [one.status for one in found] == [OK, FAILED, OK]
        assert found[1].why == "ZeroDivisionError: division by zero"

    def test_a_task_is_killed_past_its_limit_and_others_go_on(self) -> None:
        with on_ray_of(for_ever) as engine:
            engine.submit("long", PATIENCE, Limits(seconds=0.3))
            engine.submit("short", 0.0)
            found = {one.name: one for one in engine.completed()}
        assert (found["long"].status, found["long"].why) == (TIMEOUT, "took longer than 0.3 s")
        assert found["short"].value == 0.0

    def test_a_task_under_way_can_be_cancelled(self) -> None:
        with on_ray_of(for_ever) as engine:
            engine.submit("a", PATIENCE)
            engine.submit("b", 0.0)
            engine.cancel("a")
            assert {one.name: one.status for one in engine.completed()} == {"a": CANCELLED, "b": OK}

    def test_a_task_whose_worker_dies_is_done_again_once(self, tmp_path: Path) -> None:
        with on_ray_of(dies_unless_marked) as engine:
            engine.submit("once", str(tmp_path / "mark.txt"))
            engine.submit("always", str(tmp_path / "never"))
            found = {one.name: one for one in engine.completed()}
        assert (found["once"].status, found["once"].value) == (OK, "done")
        assert (found["always"].status, found["always"].why) == (CRASH, ray_.DIED)

    def test_functions_of_a_script_go_along(self) -> None:
        """And what they close over: they need be importable nowhere."""
        share = 7
        with on_ray_of(lambda number: number * share) as engine:
            assert [one.value for one in engine.map([1, 2])] == [7, 14]

    def test_what_is_shared_is_there_for_every_task(self) -> None:
        with on_ray_of(lambda argument: float(argument[0].value[argument[1]])) as engine:
            shared = engine.share(np.arange(5.0))
            assert [one.value for one in engine.map([(shared, place) for place in range(5)])] == [0, 1, 2, 3, 4]

    def test_a_folder_that_a_node_does_not_see_is_refused(self, tmp_path: Path) -> None:
        with on_ray_of(half) as engine:
            engine.check_seen(tmp_path)
            with pytest.raises(RunError, match="does not see") as raised:
                engine.check_seen(tmp_path / "none")
        one_line(raised.value)

    def test_a_node_with_other_versions_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Before anything comes of it; both are named."""
        monkeypatch.setattr(ray_, "_versions", lambda: {"numpy": "1.0"})
        with on_ray_of(half) as engine, pytest.raises(RunError, match=r"has numpy \S+, but this one 1.0") as raised:
            list(engine.map([1]))
        one_line(raised.value)

    @pytest.mark.parametrize("rescore", [0, 2])
    def test_a_run_gives_the_same_bytes(self, rescore: int) -> None:
        here, there = own(), own()
        here.run(3, fitness=smallness, rescore=rescore)
        there.run(3, fitness=smallness, rescore=rescore, engine="ray")
        assert outcome(there) == outcome(here)

    def test_genomes_are_shared_out_to_the_same_bytes(self) -> None:
        here, there = (Evolution(tiny_config(), DATASET, backend="numpy") for _ in range(2))
        here.run(4)
        there.run(4, engine="ray")
        assert outcome(there) == outcome(here)

    def test_a_pool_is_as_large_as_the_cluster(self) -> None:
        with FitnessPool(half, engine="ray") as pool:
            assert (pool.workers, pool.used) == (2, 2)
            assert pool.map([2.0, 4.0]) == [[1.0], [2.0]]


def test_without_ray_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"genreg-np\[ray\]") as raised:
        engines.create("ray", half)
    one_line(raised.value)


@pytest.fixture
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, beside one that has none and drives."""
    utils = pytest.importorskip("ray.cluster_utils", reason="many machines are Ray's")
    ray = sys.modules["ray"]
    if ray.is_initialized():
        ray.shutdown()
    made = utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.mark.soak
def test_a_node_that_is_lost_changes_nothing(cluster: Any) -> None:
    """Ten times out of ten: a node is killed in the midst of its tasks, and others do them."""
    for _ in range(10):
        with engines.create("ray", for_ever, 2, address=cluster.address) as engine:
            nodes = [node for node in cluster.list_all_nodes() if node is not cluster.head_node]
            ended = []
            for number in range(6):
                engine.submit(number, 1.0 + number / 1000)
            for one in engine.completed():
                ended.append(one)
                if len(ended) == 1:
                    cluster.remove_node(nodes[0], allow_graceful=False)
                    cluster.add_node(num_cpus=1)
        assert {one.name: one.value for one in ended} == {number: 1.0 + number / 1000 for number in range(6)}


@pytest.mark.soak
def test_an_address_where_nothing_answers_is_refused() -> None:
    pytest.importorskip("ray", reason="many machines are Ray's")
    with pytest.raises(RunError, match=r"127\.0\.0\.1:1 cannot be reached") as raised:
        engines.create("ray", half, address="127.0.0.1:1")
    one_line(raised.value)
