"""Each example DAG does, in Airflow's own processes, what its docstring promises."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Run, wait_until
from tests.e2e.conftest import DAG_FILES, PARALLELISM, RUN_ONCE

Dialled = Callable[[str], int]
Told = Callable[[str], list[str]]
EXAMPLES = [path.stem for path in DAG_FILES if path.parent.name == "example_dags"]
MEANT_TO_FAIL = ["failure_alert"]
ALERT_LIMIT_S = 60.0


@pytest.mark.parametrize("dag_id", [example for example in EXAMPLES if example not in MEANT_TO_FAIL])
def test_every_example_runs_and_succeeds(dag_id: str, runs: dict[str, Run]) -> None:
    assert dag_id in RUN_ONCE
    assert runs[dag_id].state == "success"


@pytest.mark.parametrize("dag_id", MEANT_TO_FAIL)
def test_an_example_of_failing_runs_and_fails(dag_id: str, runs: dict[str, Run]) -> None:
    assert dag_id in EXAMPLES
    assert runs[dag_id].state == "failed"


def test_ring_returns_the_sid_of_a_call_that_says_hello(
    runs: dict[str, Run], simulator: TwilioSimulator
) -> None:
    sid = runs["ring"].xcom("ring")

    (request,) = [each for each in simulator.requests if each.operation == "create" and each.call_sid == sid]
    assert "hello from ring" in dict(request.form)["Twiml"]


def test_wait_for_answer_hands_the_finished_call_on(runs: dict[str, Run]) -> None:
    sid = runs["wait_for_answer"].xcom("ring")

    assert runs["wait_for_answer"].xcom("note_the_call") == f"{sid}: completed after 8 s"


def test_redial_busy_line_dials_twice(runs: dict[str, Run], dialled: Dialled) -> None:
    assert runs["redial_busy_line"].task("ring")["try_number"] == 2
    assert dialled("+15005551106") == 2


def test_refuse_voicemail_fails_the_reminder_and_writes_instead(runs: dict[str, Run]) -> None:
    run = runs["refuse_voicemail"]

    assert run.task("remind")["state"] == "failed"
    assert run.xcom("write_instead") == "Nobody heard us on +1*******1200: answered by machine_end_beep"


def test_sensor_sees_the_call_end(runs: dict[str, Run]) -> None:
    call = runs["sensor"].xcom("call_is_over")

    assert (call["sid"], call["status"]) == (runs["sensor"].xcom("ring"), "completed")


def test_reminders_calls_each_number(runs: dict[str, Run]) -> None:
    run = runs["reminders"]
    sids = {run.xcom("remind", map_index=index) for index in range(3)}

    assert len(sids) == run.xcom("count_the_reached") == 3


@pytest.fixture(scope="module")
def alert_logs(runs: dict[str, Run]) -> list[str]:
    """What the tasks of failure_alert have logged, once each has said what became of its alert.

    A callback runs when its task, and perhaps the whole run, is over already.
    """

    def log(number: int) -> str | None:
        logged = runs["failure_alert"].log("load_table", map_index=number)
        return logged if "+1*******1002" in logged else None

    what = "what became of the alert of task"
    return [wait_until(partial(log, number), f"{what} {number}", ALERT_LIMIT_S) for number in range(40)]


def test_failure_alert_rings_once_for_forty_failed_tasks(
    runs: dict[str, Run], alert_logs: list[str], simulator: TwilioSimulator, dialled: Dialled
) -> None:
    states = [runs["failure_alert"].task_state("load_table", number) for number in range(len(alert_logs))]
    calls = [call for call in simulator.calls if call["to"] == "+15005551002"]

    assert states == ["failed"] * 40
    assert [call["to"] for call in calls if call["start_time"] is not None] == ["+15005551002"]
    assert {call["status"] for call in calls[1:]} <= {"canceled"}
    # Whoever starts when there is a call sees it, and does not even dial.
    assert dialled("+15005551002") <= PARALLELISM


def test_failure_alert_says_which_task_failed_and_why(alert_logs: list[str], told: Told) -> None:
    said = told("+15005551002")[0]

    assert "Task load table, number " in said
    assert " of DAG failure alert failed on try 1, at " in said
    assert "Connection Error: The warehouse is away" in said


def test_failure_alert_logs_for_every_task_the_call_that_rings(
    alert_logs: list[str], simulator: TwilioSimulator
) -> None:
    first, *_ = [call["sid"] for call in simulator.calls if call["to"] == "+15005551002"]
    covered = [log for log in alert_logs if f"call {first} " in log and "covers this alert" in log]

    (placed,) = [log for log in alert_logs if log not in covered]
    assert f"Placed call {first} to +1*******1002" in placed


def test_deadline_alert_calls_though_the_run_succeeds(runs: dict[str, Run], told: Told) -> None:
    said = wait_until(lambda: told("+15005551003"), "the call of the missed deadline", ALERT_LIMIT_S)

    assert runs["deadline_alert"].task_state("write_the_report") == "success"
    assert ["deadline alert is late." in each for each in said] == [True]


def test_local_time_reminders_ring_by_the_callees_clock_and_spare_who_said_no(
    runs: dict[str, Run], dialled: Dialled
) -> None:
    run = runs["local_time_reminders"]

    states = {name: run.task("remind", map_index)["state"] for map_index, name in enumerate("ABCD")}
    assert states == {"A": "success", "B": "skipped", "C": "success", "D": "skipped"}
    assert [dialled(f"+1500555{line}") for line in (3001, 3002, 1107, 3004)] == [1, 0, 2, 0]
    assert [dial["status"] for dial in run.xcom("remind", "dials", 2)] == ["no-answer", "completed"]


def test_escalation_rings_until_somebody_is_reached(
    runs: dict[str, Run], simulator: TwilioSimulator, dialled: Dialled
) -> None:
    run = runs["escalation"]
    reached = run.xcom("wake_somebody")

    assert [(dial["to"][-4:], dial["status"]) for dial in run.xcom("wake_somebody", "dials")] == [
        ("1100", "busy"),
        ("1201", "completed"),
        ("4001", "completed"),
    ]
    assert (reached["who"], reached["calls"], reached["answered_by"]) == ("head of data", 3, "human")
    assert run.xcom("hand_over") == f"Reached head of data at {reached['when']}, with call number 3"
    assert [dialled(number) for number in ("+15005551100", "+15005551201", "+15005554001")] == [1, 1, 1]


def test_no_request_was_one_that_twilio_would_not_have_understood(
    runs: dict[str, Run], simulator: TwilioSimulator
) -> None:
    assert simulator.refused == []
