"""TwilioCallNotifier where callbacks run: in a task, in the DAG processor, in the triggerer and on the executor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Airflow, Run, wait_until

Told = Callable[[str], list[str]]
Rung = Callable[[str], str]

SUCCEEDED, TRIED_AGAIN, FAILED = "+15005552301", "+15005552302", "+15005552303"
DAG_FAILED, DAG_SUCCEEDED, LATE_ASYNC, LATE_SYNC = (
    "+15005552304",
    "+15005552305",
    "+15005552306",
    "+15005552307",
)

# A callback may start when its run is over, and then has ten seconds.
ALERT_LIMIT_S = 60.0


@pytest.fixture
def rung(runs: dict[str, Run], simulator: TwilioSimulator) -> Rung:
    """The only call that has rung a number, once it is there; its SID."""

    def find(number: str) -> str:
        def calls() -> list[dict[str, Any]]:
            return [call for call in simulator.calls if call["to"] == number and call["start_time"]]

        (call,) = wait_until(calls, f"a call to {number}", ALERT_LIMIT_S)
        return str(call["sid"])

    return find


def wait_for_log(airflow: Airflow, files: str, *words: str) -> None:
    """Return once a line of the log files in Airflow's home has all the words."""

    def is_there() -> bool:
        logs = [path.read_text(errors="replace") for path in airflow.home.glob(files) if path.is_file()]
        return any(all(word in line for word in words) for log in logs for line in log.splitlines())

    wait_until(is_there, f"{words} in {files}", ALERT_LIMIT_S)


# Of a task


@pytest.mark.parametrize(
    ("number", "task_id", "try_number"),
    [(SUCCEEDED, "succeed", 1), (TRIED_AGAIN, "fail", 1), (FAILED, "fail", 2)],
)
def test_a_task_rings_from_its_worker(
    number: str, task_id: str, try_number: int, runs: dict[str, Run], rung: Rung
) -> None:
    words = f"Placed call {rung(number)} to +1*******{number[-4:]}"

    wait_until(lambda: words in runs["notifier_of_tasks"].log(task_id, try_number), words, ALERT_LIMIT_S)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (SUCCEEDED, "Task succeed of DAG notifier of tasks succeeded on try 1, at "),
        (TRIED_AGAIN, "Task fail of DAG notifier of tasks failed on try 1 and will be tried again, at "),
        (FAILED, "Task fail of DAG notifier of tasks failed on try 2, at "),
    ],
)
def test_a_task_says_what_became_of_it(number: str, words: str, rung: Rung, told: Told) -> None:
    rung(number)

    assert words in told(number)[0]


@pytest.mark.parametrize("number", [TRIED_AGAIN, FAILED])
def test_a_failed_task_says_the_first_line_of_its_exception(number: str, rung: Rung, told: Told) -> None:
    rung(number)

    assert "Value Error: no rows.</Say>" in told(number)[0]


# Of a DAG


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (DAG_FAILED, "Airflow alert. DAG notifier of a dag failed, at "),
        (DAG_FAILED, "Task fail failed."),
        (DAG_SUCCEEDED, "notifier of a dag that succeeds is done."),
    ],
)
def test_a_dag_rings_from_the_dag_processor(
    number: str, words: str, airflow: Airflow, rung: Rung, told: Told
) -> None:
    sid = rung(number)

    assert words in told(number)[0]
    wait_for_log(airflow, "logs/dag_processor/**/notifiers.py.log", f"Placed call {sid}")


# Of a deadline


def test_a_deadline_missed_rings_from_the_triggerer(airflow: Airflow, rung: Rung, told: Told) -> None:
    sid = rung(LATE_ASYNC)

    assert "DAG notifier in the triggerer missed its deadline, at " in told(LATE_ASYNC)[0]
    wait_for_log(airflow, "triggerer.log", f"Placed call {sid}")


def test_a_deadline_missed_rings_from_the_executor(airflow: Airflow, rung: Rung, told: Told) -> None:
    sid = rung(LATE_SYNC)

    assert "DAG notifier on the executor missed its deadline, at " in told(LATE_SYNC)[0]
    wait_for_log(airflow, "logs/executor_callbacks/notifier_on_the_executor/**/*", f"Placed call {sid}")


@pytest.mark.parametrize(
    ("number", "files"),
    [(LATE_ASYNC, "triggerer.log"), (LATE_SYNC, "logs/executor_callbacks/notifier_on_the_executor/**/*")],
)
def test_a_cooldown_given_as_a_timedelta_reaches_the_callback_of_a_deadline(
    number: str, files: str, airflow: Airflow, rung: Rung
) -> None:
    sid = rung(number)

    wait_for_log(airflow, files, f"call {sid} (", "covers this alert, within the cooldown of 1:02:00")


# What alerts have placed


@pytest.mark.parametrize("number", [FAILED, DAG_FAILED, LATE_ASYNC])
def test_what_a_task_a_dag_or_a_trigger_has_placed_is_known_to_the_alerts_of_all_processes(
    number: str, airflow: Airflow, rung: Rung
) -> None:
    name = f"twilio_call_alert_{rung(number)}"

    def names() -> list[str]:
        return [each["key"] for each in airflow.get("variables", limit=100)["variables"]]

    wait_until(lambda: name in names(), name, ALERT_LIMIT_S)
