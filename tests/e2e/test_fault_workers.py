"""Fault table: workers that die, are evicted, or run out of time; and clocks that differ."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from airflow_provider_twiliocall.simulator import Fault
from tests.e2e.stage import LIMIT_S, QUICK, RINGS, TALKS, Row, Stage
from tests.support.gate import creates_call_to

LONGER_THAN_A_ROW_S = 600


def rang_once_and_was_seen_to_the_end(stage: Stage, run: Any, number: str, word: str) -> None:
    """The second try takes up the first one's call."""
    run.wait(LIMIT_S)
    [call] = stage.calls_to(number)
    assert (run.state, run.try_number("ring")) == ("success", 2)
    assert run.xcom("ring") == call["sid"]
    assert run.xcom("ring", "call")["status"] == "completed"
    assert word in run.log("ring", 2)
    assert stage.placings_of(number) == 1


# A worker dies


def worker_killed_before_the_post_rings_nobody_and_is_not_dialled_again(stage: Stage) -> None:
    number = stage.number(QUICK)
    with stage.gate.hold(creates_call_to(number)) as hold:
        run = stage.ring("ring_sync_cancel", number)
        hold.wait_for_held(limit=LIMIT_S)
        stage.airflow.worker_of(run, "ring").kill()
    run.wait(LIMIT_S)
    assert (run.state, run.try_number("ring")) == ("failed", 2)
    assert stage.calls_to(number) == []
    assert "did not learn its SID" in run.log("ring", 2)
    assert "Twilio's list of calls shows none that it could be" in run.log("ring", 2)


def worker_killed_after_twilio_accepted_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    stage.fault_on_create(number, "delay", after=True, seconds=LONGER_THAN_A_ROW_S)
    run = stage.ring("ring_sync_cancel", number)
    stage.wait_for_call(number)
    stage.airflow.worker_of(run, "ring").kill()
    rang_once_and_was_seen_to_the_end(stage, run, number, "is the one: going on with it")


def worker_killed_between_answer_and_journal_rings_once(stage: Stage) -> None:
    number = stage.number(QUICK)
    run = stage.ring("ring_sync_cancel", number)
    with stage.holding_the_journal_of(run, "placed") as hold:
        hold.wait_for_held(limit=LIMIT_S)
        stage.airflow.worker_of(run, "ring").kill()
    rang_once_and_was_seen_to_the_end(stage, run, number, "is the one: going on with it")


def worker_killed_while_it_waits_rings_once(stage: Stage) -> None:
    number = stage.number(TALKS)
    run = stage.ring("ring_sync_cancel", number)
    stage.wait_until_journalled(run)
    stage.airflow.worker_of(run, "ring").kill()
    stage.wait_for_words(run, "going on with it", 2)
    stage.hang_up(number)
    rang_once_and_was_seen_to_the_end(
        stage, run, number, "of an earlier try is in-progress: going on with it"
    )


def outcome_of_a_call_that_ended_while_nobody_waited_is_not_lost(stage: Stage) -> None:
    number = stage.number(TALKS)
    run = stage.ring("ring_sync_cancel", number)
    stage.wait_until_journalled(run)
    stage.airflow.worker_of(run, "ring").kill()
    stage.hang_up(number)
    rang_once_and_was_seen_to_the_end(stage, run, number, "and is over")


def retry_whose_callee_renders_to_nobody_sees_the_call_before_to_its_end(stage: Stage) -> None:
    number = stage.number(TALKS)
    run = stage.ring("ring_nobody_later", number)
    stage.wait_until_journalled(run)
    stage.airflow.worker_of(run, "ring").kill()
    stage.wait_for_words(run, "going on with it", 2)
    stage.hang_up(number)
    rang_once_and_was_seen_to_the_end(stage, run, number, "its arguments cannot be used")


# A worker is evicted while somebody is on the line


def evicted_with_cancel_the_conversation_goes_on_and_the_retry_takes_it_up(stage: Stage) -> None:
    conversation_survives_eviction(stage, "ring_sync_cancel")


def evicted_with_leave_the_conversation_goes_on_and_the_retry_takes_it_up(stage: Stage) -> None:
    conversation_survives_eviction(stage, "ring_sync_leave")


def conversation_survives_eviction(stage: Stage, dag_id: str) -> None:
    number = stage.number(TALKS)
    run = stage.ring(dag_id, number)
    stage.wait_until_journalled(run)
    stage.wait_for_call(number, "in-progress")
    stage.airflow.worker_of(run, "ring").evict()
    stage.wait_for_words(run, "going on with it", 2)
    stage.hang_up(number)
    rang_once_and_was_seen_to_the_end(stage, run, number, "going on with it")
    assert "told to stop" in run.log("ring", 1)


def evicted_with_hang_up_a_half_heard_call_is_no_success_and_is_placed_again(stage: Stage) -> None:
    number = stage.number(TALKS, QUICK)
    run = stage.ring("ring_sync_hang_up", number)
    stage.wait_until_journalled(run)
    stage.wait_for_call(number, "in-progress")
    stage.airflow.worker_of(run, "ring").evict()
    half_heard_is_placed_again(stage, run, number)


def evicted_while_it_rings_with_cancel_is_placed_again(stage: Stage) -> None:
    number = stage.number(RINGS, QUICK)
    run = stage.ring("ring_sync_cancel", number)
    stage.wait_until_journalled(run)
    stage.wait_for_call(number, "ringing")
    stage.airflow.worker_of(run, "ring").evict()
    run.wait(LIMIT_S)
    first, second = stage.calls_to(number)
    assert (run.state, run.try_number("ring")) == ("success", 2)
    assert (first["status"], second["status"]) == ("canceled", "completed")
    assert run.xcom("ring") == second["sid"]
    assert "was ended by an earlier try: placing it again" in run.log("ring", 2)


def half_heard_is_placed_again(stage: Stage, run: Any, number: str) -> None:
    run.wait(LIMIT_S)
    first, second = stage.calls_to(number)
    assert (run.state, run.try_number("ring")) == ("success", 2)
    assert (first["status"], second["status"]) == ("completed", "completed")
    assert run.xcom("ring") == second["sid"]
    assert "was ended by an earlier try: placing it again" in run.log("ring", 2)
    assert stage.requests_about(first["sid"])[-1].form == (("Status", "completed"),)


# execution_timeout while somebody is on the line


def out_of_time_with_cancel_the_conversation_goes_on(stage: Stage) -> None:
    conversation_survives_the_timeout(stage, "ring_sync_cancel_in_time")


def out_of_time_deferred_with_cancel_the_conversation_goes_on(stage: Stage) -> None:
    conversation_survives_the_timeout(stage, "ring_deferred_cancel_in_time")


def out_of_time_with_leave_the_conversation_goes_on(stage: Stage) -> None:
    conversation_survives_the_timeout(stage, "ring_sync_leave_in_time")


def out_of_time_deferred_with_leave_the_conversation_goes_on(stage: Stage) -> None:
    conversation_survives_the_timeout(stage, "ring_deferred_leave_in_time")


def conversation_survives_the_timeout(stage: Stage, dag_id: str) -> None:
    number = stage.number(TALKS)
    run = stage.ring(dag_id, number)
    stage.wait_for_words(run, "going on with it", 2)
    stage.hang_up(number)
    rang_once_and_was_seen_to_the_end(stage, run, number, "going on with it")
    assert "AirflowTaskTimeout" in run.log("ring", 1)


def out_of_time_with_hang_up_a_half_heard_call_is_placed_again(stage: Stage) -> None:
    half_heard_at_the_timeout(stage, "ring_sync_hang_up_in_time")


def out_of_time_deferred_with_hang_up_a_half_heard_call_is_placed_again(stage: Stage) -> None:
    half_heard_at_the_timeout(stage, "ring_deferred_hang_up_in_time")


def half_heard_at_the_timeout(stage: Stage, dag_id: str) -> None:
    number = stage.number(TALKS, QUICK)
    run = stage.ring(dag_id, number)
    half_heard_is_placed_again(stage, run, number)
    assert "AirflowTaskTimeout" in run.log("ring", 1)


# Clocks


def lost_answer_with_the_worker_90_s_behind_twilio_rings_once(stage: Stage) -> None:
    lost_answer_elsewhere(stage, "ahead")


def lost_answer_with_the_worker_90_s_ahead_of_twilio_rings_once(stage: Stage) -> None:
    lost_answer_elsewhere(stage, "behind")


def lost_answer_elsewhere(stage: Stage, where: str) -> None:
    number, twilio = stage.number(QUICK), stage.elsewhere[where]
    twilio.inject(Fault(kind="drop", after=True, operations=frozenset({"create"}), to=number))
    run = stage.ring("ring_sync_cancel", number, connection=f"twilio_{where}").wait(LIMIT_S)
    [call] = stage.calls_to(number, twilio)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert run.xcom("ring") == call["sid"]
    assert "is the one: going on with it" in run.log("ring")


def unrelated_call_just_before_is_not_taken_for_ours(stage: Stage) -> None:
    number = stage.number(TALKS, QUICK)
    stage.place_by_somebody_else(number)
    stage.fault_on_create(number, "drop", after=True)
    # A task takes longer to start than the two seconds that a call may be older than its request.
    run = stage.ring("ring_sync_cancel", number).wait(LIMIT_S)
    _, ours = stage.calls_to(number)
    assert (run.state, run.try_number("ring")) == ("success", 1)
    assert run.xcom("ring") == ours["sid"]


def mapped_task_whose_index_means_another_person_rings_that_one(stage: Stage) -> None:
    first, second = stage.number(QUICK), stage.number(QUICK)
    stage.set_variable("people", [first])
    stage.fault_on_create(first, "delay", after=True, seconds=LONGER_THAN_A_ROW_S)
    run = stage.ring("ring_mapped", first)
    stage.wait_for_call(first)
    worker = stage.airflow.worker_of(run, "ring", 0)
    stage.set_variable("people", [second])
    worker.kill()
    run.wait(LIMIT_S)
    [to_first], [to_second] = stage.calls_to(first), stage.calls_to(second)
    assert (run.state, run.try_number("ring", 0)) == ("success", 2)
    assert run.xcom("ring", map_index=0) == to_second["sid"] != to_first["sid"]
    assert "about a call between two others" in run.log("ring", 2, 0)


ROWS = (
    worker_killed_before_the_post_rings_nobody_and_is_not_dialled_again,
    worker_killed_after_twilio_accepted_rings_once,
    worker_killed_between_answer_and_journal_rings_once,
    worker_killed_while_it_waits_rings_once,
    outcome_of_a_call_that_ended_while_nobody_waited_is_not_lost,
    retry_whose_callee_renders_to_nobody_sees_the_call_before_to_its_end,
    mapped_task_whose_index_means_another_person_rings_that_one,
    evicted_with_cancel_the_conversation_goes_on_and_the_retry_takes_it_up,
    evicted_with_leave_the_conversation_goes_on_and_the_retry_takes_it_up,
    evicted_with_hang_up_a_half_heard_call_is_no_success_and_is_placed_again,
    evicted_while_it_rings_with_cancel_is_placed_again,
    out_of_time_with_cancel_the_conversation_goes_on,
    out_of_time_deferred_with_cancel_the_conversation_goes_on,
    out_of_time_with_leave_the_conversation_goes_on,
    out_of_time_deferred_with_leave_the_conversation_goes_on,
    out_of_time_with_hang_up_a_half_heard_call_is_placed_again,
    out_of_time_deferred_with_hang_up_a_half_heard_call_is_placed_again,
    lost_answer_with_the_worker_90_s_behind_twilio_rings_once,
    lost_answer_with_the_worker_90_s_ahead_of_twilio_rings_once,
    unrelated_call_just_before_is_not_taken_for_ours,
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_worker(row: Row, played: dict[str, Future[None]]) -> None:
    played[row.__name__].result()
