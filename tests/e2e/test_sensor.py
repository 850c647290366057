"""TwilioCallSensor in Airflow's own processes: poking, rescheduled and deferred alike."""

from __future__ import annotations

import pytest

from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.e2e.airflow_processes import Airflow, Run

TASK_LIMIT_S = 120.0

# Whom the DAGs of sensors call; notifiers do end calls of theirs, when two are placed at one moment.
SENSED = "+150055522"


@pytest.fixture(params=["poke", "reschedule", "deferred"])
def run(request: pytest.FixtureRequest, runs: dict[str, Run]) -> Run:
    return runs[f"sensor_{request.param}"]


def test_an_answered_call_succeeds_and_is_handed_on(run: Run) -> None:
    assert run.task("answered")["state"] == "success"
    call = run.xcom("answered")
    assert call == run.xcom("answered", "call")
    assert (call["sid"], call["status"]) == (run.xcom("ring_answered"), "completed")


def test_a_busy_line_fails_the_sensor_and_a_retry_could_not_help(run: Run) -> None:
    busy = run.task("busy")

    assert (busy["state"], busy["try_number"]) == ("failed", 1)
    assert "the line was busy" in run.log("busy")


def test_a_busy_line_skips_a_sensor_that_fails_softly(run: Run) -> None:
    assert run.task("busy_soft")["state"] == "skipped"


def test_a_call_that_does_not_end_in_time_fails_the_sensor(run: Run) -> None:
    assert run.task("timed_out")["state"] == "failed"


def test_a_call_that_does_not_end_in_time_skips_a_sensor_that_fails_softly(run: Run) -> None:
    assert run.task("timed_out_soft")["state"] == "skipped"


def test_a_sensor_that_gave_up_leaves_the_call_alone(run: Run, simulator: TwilioSimulator) -> None:
    assert simulator.wait_for(run.xcom("ring_endless"), "in-progress")


@pytest.mark.parametrize(("name", "state"), [("poke", "running"), ("deferred", "deferred")])
def test_a_sensor_marked_as_failed_leaves_the_call_alone(
    name: str, state: str, airflow: Airflow, runs: dict[str, Run], simulator: TwilioSimulator
) -> None:
    run = airflow.trigger(f"killed_sensor_{name}")
    run.wait_for_task("killed", state, TASK_LIMIT_S)
    call_sid = run.xcom("ring")

    run.mark_failed("killed")
    run.wait(TASK_LIMIT_S)

    assert run.task("killed")["state"] == "failed"
    assert simulator.wait_for(call_sid, "in-progress")
    assert sensed_calls_that_were_changed(simulator) == []


def sensed_calls_that_were_changed(simulator: TwilioSimulator) -> list[str]:
    """The calls, of all that sensors waited for, that anybody asked Twilio to change."""
    sensed = {call["sid"] for call in simulator.calls if call["to"].startswith(SENSED)}
    changed = [request.call_sid for request in simulator.requests if request.operation == "update"]
    return [sid for sid in changed if sid in sensed]
