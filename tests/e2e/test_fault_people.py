"""Fault table: people who mark and clear tasks, running and deferred."""

from __future__ import annotations

import re
from concurrent.futures import Future
from datetime import datetime

import pytest

from tests.e2e.airflow_processes import Run
from tests.e2e.stage import LIMIT_S, QUICK, RINGS, TALKS, Row, Stage

HANG_UP_LIMIT_S = 2.0


def status_of(stage: Stage, number: str, *, count: int = 1) -> str:
    return str(stage.calls_to(number)[count - 1]["status"])


def ringing(stage: Stage, dag_id: str, number: str) -> Run:
    """A run whose task waits for a phone that rings."""
    run = stage.ring(dag_id, number)
    stage.wait_until_journalled(run)
    stage.wait_for_call(number, "ringing")
    return run


def ringing_deferred(stage: Stage, dag_id: str, number: str) -> Run:
    """The same, once the trigger waits for it."""
    run = ringing(stage, dag_id, number)
    stage.wait_for_trigger(run)
    return run


# Marked


def marked_failed_while_running_the_call_is_ended_within_two_seconds(stage: Stage) -> None:
    number = stage.number(RINGS)
    run = ringing(stage, "ring_sync_cancel", number)
    run.mark_failed("ring")
    call = stage.wait_for_call(number, "canceled")
    run.wait(LIMIT_S)
    assert run.task_state("ring") == "failed"
    assert len(stage.calls_to(number)) == 1
    stage.wait_for_words(run, "was ended by this task, and is canceled", 1)
    [told] = re.findall(
        r"'timestamp': '(\S+?)'[^\n]*?shouldn't be running anymore. Terminating", run.log("ring")
    )
    told_at = datetime.fromisoformat(told.replace("Z", "+00:00")).timestamp()
    [ended] = stage.requests_about(call["sid"])
    assert ended.received_at - told_at <= HANG_UP_LIMIT_S


def marked_failed_while_running_with_leave_the_call_is_left_alone(stage: Stage) -> None:
    number = stage.number(RINGS)
    run = ringing(stage, "ring_sync_leave", number)
    run.mark_failed("ring")
    stage.wait_for_words(run, "Task killed!", 1)
    assert run.wait(LIMIT_S).state == "failed"
    assert status_of(stage, number) == "ringing"


def marked_failed_in_a_conversation_with_hang_up_the_call_is_ended(stage: Stage) -> None:
    number = stage.number(TALKS)
    run = stage.ring("ring_sync_hang_up", number)
    stage.wait_until_journalled(run)
    stage.wait_for_call(number, "in-progress")
    run.mark_failed("ring")
    stage.wait_for_call(number, "completed")
    assert run.wait(LIMIT_S).state == "failed"
    assert len(stage.calls_to(number)) == 1


def marked_failed_while_deferred_the_call_is_ended(stage: Stage) -> None:
    number = stage.number(RINGS)
    run = ringing_deferred(stage, "ring_deferred_cancel", number)
    run.mark_failed("ring")
    stage.wait_for_call(number, "canceled")
    assert run.wait(LIMIT_S).state == "failed"
    assert len(stage.calls_to(number)) == 1
    stage.wait_for_words(run, "was killed while it waited", 1)


def marked_success_while_deferred_the_call_is_ended(stage: Stage) -> None:
    number = stage.number(RINGS)
    run = ringing_deferred(stage, "ring_deferred_cancel", number)
    run.mark_success("ring")
    stage.wait_for_call(number, "canceled")
    assert run.wait(LIMIT_S).state == "success"
    assert len(stage.calls_to(number)) == 1


def marked_failed_while_deferred_with_leave_the_call_is_left_alone(stage: Stage) -> None:
    number = stage.number(RINGS)
    run = ringing_deferred(stage, "ring_deferred_leave", number)
    run.mark_failed("ring")
    assert run.wait(LIMIT_S).state == "failed"
    stage.wait_for_end_of_trigger(run)
    assert status_of(stage, number) == "ringing"


# Cleared


def cleared_after_success_is_a_new_run_and_rings_again(stage: Stage) -> None:
    number = stage.number(QUICK)
    run = stage.ring("ring_sync_cancel", number).wait(LIMIT_S)
    run.clear("ring")
    stage.wait_for_call(number, count=2)
    run.wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("success", 2)
    assert [call["status"] for call in stage.calls_to(number)] == ["completed", "completed"]
    assert "this is a new run" in run.log("ring", 2)


def cleared_while_deferred_the_first_call_is_ended_before_the_second_is_placed(stage: Stage) -> None:
    number = stage.number(RINGS, QUICK)
    run = ringing_deferred(stage, "ring_deferred_cancel", number)
    run.clear("ring")
    ended_then_placed_again(stage, run, number)


def cleared_while_running_the_first_call_is_ended_before_the_second_is_placed(stage: Stage) -> None:
    number = stage.number(RINGS, QUICK)
    run = ringing(stage, "ring_sync_cancel", number)
    run.clear("ring")
    ended_then_placed_again(stage, run, number)


def ended_then_placed_again(stage: Stage, run: Run, number: str) -> None:
    stage.wait_for_call(number, "completed", count=2)
    run.wait(LIMIT_S)
    first, second = stage.calls_to(number)
    assert run.state == "success"
    assert run.xcom("ring") == second["sid"]
    assert first["status"] == "canceled"
    ended_at = min(request.received_at for request in stage.requests_about(first["sid"]))
    assert ended_at < stage.created_at(second)


def cleared_while_about_to_dial_only_the_new_try_dials(stage: Stage) -> None:
    number = stage.number(QUICK)
    run = stage.ring("ring_sync_cancel", number)
    with stage.holding_the_journal_of(run, "placing") as hold:
        hold.wait_for_held(limit=LIMIT_S)
        run.clear("ring")
        hold.release()
        stage.wait_for_words(run, "this one did not dial", 1)
    stage.wait_for_call(number, "completed")
    run.wait(LIMIT_S)
    assert run.state == "success"
    assert stage.placings_of(number) == len(stage.calls_to(number)) == 1


ROWS = (
    marked_failed_while_deferred_with_leave_the_call_is_left_alone,
    marked_failed_while_running_the_call_is_ended_within_two_seconds,
    marked_failed_while_running_with_leave_the_call_is_left_alone,
    marked_failed_in_a_conversation_with_hang_up_the_call_is_ended,
    marked_failed_while_deferred_the_call_is_ended,
    marked_success_while_deferred_the_call_is_ended,
    cleared_after_success_is_a_new_run_and_rings_again,
    cleared_while_deferred_the_first_call_is_ended_before_the_second_is_placed,
    cleared_while_running_the_first_call_is_ended_before_the_second_is_placed,
    cleared_while_about_to_dial_only_the_new_try_dials,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_person(row: Row, played: dict[str, Future[None]]) -> None:
    played[row.__name__].result()
