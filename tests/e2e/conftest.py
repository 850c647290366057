"""One Airflow on SQLite and one simulated Twilio, in which every DAG runs once; and a PostgreSQL for the faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Airflow, Run
from tests.e2e.postgresql import PostgreSQL
from tests.e2e.stage import Stage, build_stage

HERE = Path(__file__).parent
FAULT_DAG_FILES = sorted((HERE / "dags").glob("fault_*.py"))
DAG_FILES = [
    *(HERE.parent.parent / "example_dags").glob("*.py"),
    *(path for path in (HERE / "dags").glob("*.py") if path not in FAULT_DAG_FILES),
]
ENDINGS = {
    "01": "human",
    "02": ["busy", "human"],
    "03": "busy",
    "04": "voicemail",
    "05": "failed:13227",
    "06": "canceled",
}
RUN_ONCE = (
    "operator_sync",
    "operator_deferred",
    "sensor_poke",
    "sensor_reschedule",
    "sensor_deferred",
    "ring",
    "wait_for_answer",
    "redial_busy_line",
    "refuse_voicemail",
    "sensor",
    "reminders",
)
RUN_LIMIT_S = 400.0
SPEED = 8.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the faults come first: their Airflow has gone by the time the one of the session starts."""
    items.sort(key=lambda item: not item.path.name.startswith("test_fault"))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as postgresql:
        yield postgresql


@pytest.fixture(scope="session")
def stage(postgresql: PostgreSQL) -> Iterator[Stage]:
    with build_stage(postgresql.url, FAULT_DAG_FILES) as stage:
        yield stage


@pytest.fixture(scope="session")
def simulator() -> Iterator[TwilioSimulator]:
    with TwilioSimulator(speed=SPEED, calls_per_second=100) as simulator:
        for exchange in ("+150055520", "+150055521"):
            for line, ending in ENDINGS.items():
                simulator.script(exchange + line, ending)
        simulator.script("+15005552202", "busy")
        simulator.script("+15005552203", {"outcome": "human", "talk": 14_000})
        yield simulator


@pytest.fixture(scope="session")
def airflow(simulator: TwilioSimulator) -> Iterator[Airflow]:
    wrong = {**json.loads(simulator.airflow_connection), "password": "0" * 32}
    connections = {
        "AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection,
        "AIRFLOW_CONN_TWILIO_WRONG": json.dumps(wrong),
    }
    with Airflow(DAG_FILES, connections) as airflow:
        yield airflow


@pytest.fixture(scope="session")
def runs(airflow: Airflow) -> dict[str, Run]:
    """The one run of each DAG, all of them over."""
    runs = {dag_id: airflow.trigger(dag_id) for dag_id in RUN_ONCE}
    try:
        return {dag_id: run.wait(RUN_LIMIT_S) for dag_id, run in runs.items()}
    except TimeoutError:
        print(airflow.logs())
        raise


@pytest.fixture(scope="session")
def dialled(simulator: TwilioSimulator) -> Callable[[str], int]:
    """How often Twilio was asked to call a number."""

    def count(number: str) -> int:
        return sum(
            request.operation == "create" and ("To", number) in request.form for request in simulator.requests
        )

    return count
