"""Each example DAG does, in Airflow's own processes, what its docstring promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Run
from tests.e2e.conftest import DAG_FILES, RUN_ONCE

Dialled = Callable[[str], int]
EXAMPLES = [path.stem for path in DAG_FILES if path.parent.name == "example_dags"]


@pytest.mark.parametrize("dag_id", EXAMPLES)
def test_every_example_runs_and_succeeds(dag_id: str, runs: dict[str, Run]) -> None:
    assert dag_id in RUN_ONCE
    assert runs[dag_id].state == "success"


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


def test_no_request_was_one_that_twilio_would_not_have_understood(
    runs: dict[str, Run], simulator: TwilioSimulator
) -> None:
    assert simulator.refused == []
