"""One Airflow on SQLite and one simulated Twilio, in which every DAG runs once; and a PostgreSQL for the faults."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Airflow, Run
from tests.e2e.postgresql import PostgreSQL
from tests.e2e.reminder_hours import closing_soon_in_tokyo, open_in_tokyo, open_soon_in_tokyo
from tests.e2e.stage import Stage, build_stage, play

HERE = Path(__file__).parent
FAULT_DAG_FILES = sorted((HERE / "dags").glob("fault_*.py"))
DAG_FILES = [
    *(HERE.parent.parent / "example_dags").glob("*.py"),
    *(
        path
        for path in (HERE / "dags").glob("*.py")
        if path not in FAULT_DAG_FILES and not path.name.startswith("cluster_")
    ),
]
ENDINGS = {
    # Long enough to be there still when a worker that is slow to write XComs looks for the first time.
    "01": {"outcome": "human", "ring": 50},
    "02": ["busy", "human"],
    "03": "busy",
    "04": "voicemail",
    "05": "failed:13227",
    "06": "canceled",
}
RUN_ONCE = (
    "operator_sync",
    # Early, to be there before the window opens, or closes; not first, for that one waits until Airflow knows the DAGs.
    "waits_for_its_window",
    "closes_while_queued",
    "operator_deferred",
    "called_back",
    "sensor_poke",
    "sensor_reschedule",
    "sensor_deferred",
    "ring",
    "wait_for_answer",
    "redial_busy_line",
    "refuse_voicemail",
    "sensor",
    "reminders",
    "local_time_reminders",
    "escalation",
    "deadline_alert",
    "notifier_of_tasks",
    "notifier_of_a_dag",
    "notifier_of_a_dag_that_succeeds",
    "notifier_in_the_triggerer",
    "notifier_on_the_executor",
)
# Forty tasks at once make Airflow slow, and others count seconds.
RUN_AFTERWARDS = ("failure_alert",)
CONF = {
    "local_time_reminders": open_in_tokyo,
    "waits_for_its_window": open_soon_in_tokyo,
    "closes_while_queued": closing_soon_in_tokyo,
}
PARALLELISM = 4
RUN_LIMIT_S = 400.0
SPEED = 8.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the faults come first, the longest in front: they share a stage, which needs no other Airflow beside it."""
    first = (
        "test_fault_workers.py",
        "test_fault_creates.py",
        "test_fault_people.py",
        "test_fault_processes.py",
    )
    items.sort(key=lambda item: first.index(item.path.name) if item.path.name in first else len(first))


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as postgresql:
        yield postgresql


@pytest.fixture(scope="session")
def stage(postgresql: PostgreSQL) -> Iterator[Stage]:
    with build_stage(postgresql.url, FAULT_DAG_FILES) as stage:
        yield stage


@pytest.fixture(scope="session")
def played(stage: Stage, request: pytest.FixtureRequest) -> Iterator[dict[str, Future[None]]]:
    """What becomes of the rows that were asked for, of all modules: they play side by side."""
    rows = [item.callspec.params["row"] for item in request.session.items if "row" in item.fixturenames]
    with play(rows, stage) as played:
        yield played


@pytest.fixture(scope="session")
def simulator() -> Iterator[TwilioSimulator]:
    with TwilioSimulator(speed=SPEED, calls_per_second=100) as simulator:
        for exchange in ("+150055520", "+150055521"):
            for line, ending in ENDINGS.items():
                simulator.script(exchange + line, ending)
        simulator.script("+15005552202", "busy")
        # Long enough for the scheduler to see that the task has deferred.
        simulator.script("+15005552502", {"outcome": "human", "presses": ("9", "2")})
        simulator.script("+15005552503", {"outcome": "human", "ring": 50, "presses": ("1",)})
        simulator.script("+15005552501", {"outcome": "human", "ring": 50, "talk": 80})
        simulator.script("+15005552402", "queued")
        simulator.script("+15005552203", {"outcome": "human", "talk": 14_000})
        # At this speed the queue is faster than any notifier. Twilio's lets one call go in a second, so that a
        # second call is still there to be canceled.
        for number in ("+15005551002", "+15005552306", "+15005552307"):
            simulator.script(number, ["human", "queued"])
        yield simulator


@pytest.fixture(scope="session")
def airflow(simulator: TwilioSimulator) -> Iterator[Airflow]:
    wrong = {**json.loads(simulator.airflow_connection), "password": "0" * 32}
    connections = {
        "AIRFLOW_CONN_TWILIO_DEFAULT": simulator.airflow_connection,
        "AIRFLOW_CONN_TWILIO_WRONG": json.dumps(wrong),
        "AIRFLOW_VAR_LATE_ON_THE_EXECUTOR": "+15005552307",
    }
    airflow = Airflow(DAG_FILES, connections, parallelism=PARALLELISM)
    told = json.loads(simulator.airflow_connection)
    told["extra"]["webhook_url"] = airflow.url
    airflow.environment["AIRFLOW_CONN_TWILIO_CALLED_BACK"] = json.dumps(told)
    with airflow:
        oncall = {"connection_id": "late_in_the_triggerer", "conn_type": "generic"}
        airflow.rest.call("POST", "connections", json={**oncall, "extra": json.dumps({"to": "+15005552306"})})
        yield airflow


def run_all(airflow: Airflow, dag_ids: Iterable[str]) -> dict[str, Run]:
    """Run DAGs, all at the same time."""
    runs = {dag_id: airflow.trigger(dag_id, CONF.get(dag_id, dict)()) for dag_id in dag_ids}
    return {dag_id: run.wait(RUN_LIMIT_S) for dag_id, run in runs.items()}


@pytest.fixture(scope="session")
def runs(airflow: Airflow) -> dict[str, Run]:
    """The one run of each DAG, all of them over."""
    try:
        return {**run_all(airflow, RUN_ONCE), **run_all(airflow, RUN_AFTERWARDS)}
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


@pytest.fixture(scope="session")
def told(simulator: TwilioSimulator) -> Callable[[str], list[str]]:
    """The TwiML of each call that Twilio was asked for to a number, oldest first."""

    def collect(number: str) -> list[str]:
        creates = [dict(each.form) for each in simulator.requests if each.operation == "create"]
        return [form["Twiml"] for form in creates if form["To"] == number]

    return collect
