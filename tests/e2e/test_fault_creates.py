"""Fault table: what becomes of the one request that rings a phone."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from tests.e2e.stage import HTTP_TIMEOUT_S, LIMIT_S, QUICK, TALKS, Row, Stage
from tests.support.gate import Gate, creates_call_to

MORE_THAN_A_TIMEOUT_S = HTTP_TIMEOUT_S + 2


def rings_once(stage: Stage, dag_id: str, number: str) -> None:
    """A lost answer is looked for and found, within the one try."""
    run = stage.ring(dag_id, number).wait(LIMIT_S)
    [call] = stage.calls_to(number)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert run.xcom("ring") == call["sid"]
    assert run.xcom("ring", "call")["status"] == "completed"
    assert "Nobody can say yet whether the call" in run.log("ring")
    assert "is the one: going on with it" in run.log("ring")
    assert stage.placings_of(number) == 1


def reset_after_twilio_accepted_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "drop", after=True)
    rings_once(stage, "ring_sync_cancel", number)


def reset_after_twilio_accepted_rings_once_deferred_too(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "drop", after=True)
    rings_once(stage, "ring_deferred_cancel", number)


def two_resets_in_waiting_ring_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "drop", after=True, times=2)
    rings_once(stage, "ring_sync_cancel", number)


def read_timeout_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "delay", after=True, seconds=MORE_THAN_A_TIMEOUT_S)
    rings_once(stage, "ring_sync_cancel", number)


def error_500_after_twilio_accepted_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "status", status=500, after=True)
    rings_once(stage, "ring_sync_cancel", number)


def error_502_after_twilio_accepted_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "html", status=502, after=True)
    rings_once(stage, "ring_sync_cancel", number)


def error_503_with_retry_after_after_twilio_accepted_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "status", status=503, headers={"Retry-After": "1"}, after=True)
    rings_once(stage, "ring_sync_cancel", number)


def truncated_answer_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "truncated")
    rings_once(stage, "ring_sync_cancel", number)


def html_in_place_of_the_answer_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "html", status=200, after=True)
    rings_once(stage, "ring_sync_cancel", number)


def error_500_before_twilio_accepted_is_not_dialled_again_at_most_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "status", status=500)
    run = stage.ring("ring_sync_cancel", number).wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("failed", 1)
    assert stage.calls_to(number) == []
    assert stage.placings_of(number) == 1
    assert "Nobody can say whether the call" in run.log("ring")
    assert "clear this task to dial" in run.log("ring")


def error_500_before_twilio_accepted_is_dialled_again_at_least_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "status", status=500)
    run = stage.ring("ring_at_least_once", number).wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert len(stage.calls_to(number)) == 1
    assert "better two rings than none" in run.log("ring")


def two_throttlings_ring_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "status", status=429, code=20429, times=2)
    run = stage.ring("ring_sync_cancel", number).wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert len(stage.calls_to(number)) == 1
    assert stage.placings_of(number) == 3
    assert "Twilio takes no more requests for now" in run.log("ring")


def two_tries_without_a_connection_ring_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    with Gate(stage.twilio.url) as gate:
        gate.refuse()
        stage.connect("twilio_refusing", gate.url)
        run = stage.ring("ring_sync_cancel", number, connection="twilio_refusing")
        stage.wait_for_try(run, 3)
        gate.accept()
        run.wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("success", 3)
    assert len(stage.calls_to(number)) == 1
    assert "was not placed: No connection to" in run.log("ring", 1)
    assert "was not placed: No connection to" in run.log("ring", 2)


def two_tasks_that_lose_their_answers_at_once_both_fail_and_nothing_rings_again(stage: Stage) -> None:
    number = stage.number(TALKS)
    stage.fault_on_create(number, "drop", after=True, times=2)
    # Two tasks start seconds apart, and the first is to be patient with the second.
    stage.connect("twilio_patient", stage.gate.url, http_timeout=60)
    with stage.gate.hold(creates_call_to(number)) as hold:
        run = stage.ring("ring_twice", number, connection="twilio_patient")
        hold.wait_for_held(2, limit=LIMIT_S)
        hold.release()
        run.wait(LIMIT_S)
    sids = [call["sid"] for call in stage.calls_to(number)]
    assert (run.task_state("ring"), run.task_state("ring_too")) == ("failed", "failed")
    assert (run.try_number("ring"), run.try_number("ring_too")) == (1, 1)
    assert len(sids) == stage.placings_of(number) == 2
    assert all(sid in run.log("ring") and sid in run.log("ring_too") for sid in sids)
    assert "It may be any of" in run.log("ring")


ROWS = (
    error_500_before_twilio_accepted_is_not_dialled_again_at_most_once,
    two_tries_without_a_connection_ring_once,
    two_tasks_that_lose_their_answers_at_once_both_fail_and_nothing_rings_again,
    error_500_before_twilio_accepted_is_dialled_again_at_least_once,
    reset_after_twilio_accepted_rings_once,
    reset_after_twilio_accepted_rings_once_deferred_too,
    two_resets_in_waiting_ring_once,
    read_timeout_rings_once,
    error_500_after_twilio_accepted_rings_once,
    error_502_after_twilio_accepted_rings_once,
    error_503_with_retry_after_after_twilio_accepted_rings_once,
    truncated_answer_rings_once,
    html_in_place_of_the_answer_rings_once,
    two_throttlings_ring_once,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_create(row: Row, played: dict[str, Future[None]]) -> None:
    played[row.__name__].result()
