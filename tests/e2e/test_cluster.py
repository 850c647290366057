"""Mapped calls on a cluster that loses a worker and a triggerer in the middle: each rings once, and tells how it ended.

``CALLS`` in the environment says how many; they are 60 unless set.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Run
from tests.e2e.cluster import WORKERS, Cluster
from tests.e2e.postgresql import PostgreSQL
from tests.e2e.redis_server import RedisServer
from tests.support.debian import CannotInstallError
from tests.support.waiting import wait_until

CALLS = int(os.environ.get("CALLS", "60"))
LIMIT_S = 120.0 + 10.0 * CALLS
# Long enough for a dead triggerer to be noticed, and for another one to take its calls over.
TALK_S = 40
DAGS = [Path(__file__).parent / "dags" / "cluster_many_calls.py"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[TwilioSimulator]:
    with TwilioSimulator(calls_per_second=100) as simulator:
        for number in range(CALLS):
            simulator.script(f"+1500557{number:04}", {"outcome": "human", "ring": 2, "talk": TALK_S})
        yield simulator


@pytest.fixture(scope="module")
def cluster(simulator: TwilioSimulator) -> Iterator[Cluster]:
    environment = {"AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection, "MANY_CALLS": str(CALLS)}
    with ExitStack() as stack:
        try:
            database = stack.enter_context(PostgreSQL()).url
            broker = stack.enter_context(RedisServer()).url
        except CannotInstallError as error:
            pytest.skip(str(error))
        yield stack.enter_context(Cluster(DAGS, environment, database=database, broker=broker))


@pytest.fixture(scope="module")
def run(cluster: Cluster, simulator: TwilioSimulator) -> Run:
    """The run, over, after all that it went through."""
    run = cluster.trigger("many_calls")
    try:
        wait_until(lambda: len(simulator.calls) >= CALLS // 4, "a quarter of the calls", LIMIT_S)
        cluster.kill(WORKERS[0])
        wait_until(lambda: len(simulator.calls) >= CALLS // 2, "half of the calls", LIMIT_S)
        cluster.kill(cluster.triggerers[0])
        wait_until(lambda: len(simulator.calls) >= CALLS * 3 // 4, "three quarters of the calls", LIMIT_S)
        cluster.start(WORKERS[0])
        cluster.start(cluster.triggerers[0])
        cluster.wait_until_healthy()
        # It hands its triggers over to the one that is back.
        cluster.restart(cluster.triggerers[1])
        return run.wait(LIMIT_S)
    except TimeoutError:
        print(cluster.logs())
        raise


def test_all_are_placed_and_nobody_is_rung_twice(run: Run, simulator: TwilioSimulator) -> None:
    rings = Counter(call["to"] for call in simulator.calls)
    assert len(rings) == CALLS
    assert set(rings.values()) == {1}


def test_a_handover_between_triggerers_hangs_nobody_up(run: Run, simulator: TwilioSimulator) -> None:
    assert [request for request in simulator.requests if request.operation == "update"] == []
    assert {call["status"] for call in simulator.calls} == {"completed"}


def test_every_task_tells_how_its_call_ended(run: Run, simulator: TwilioSimulator) -> None:
    assert run.state == "success"
    told = {run.xcom("ring", map_index=index) for index in range(CALLS)}
    assert told == {call["sid"] for call in simulator.calls}
