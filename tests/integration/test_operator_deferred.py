"""The operator that waits in the triggerer, against the simulator: from the deferral to the verdict."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.ring_task import (
    BUSY,
    SOMEBODY,
    STAYS_QUEUED,
    TALKS_LONG,
    defer,
    fire,
    on,
    operations,
    place_and_wait,
    posts,
    resume,
    statuses,
    waiting,
)
from tests.support.task_context import RecordingTaskInstance, StateStore, context

pytestmark = pytest.mark.usefixtures("connection")

try:
    from airflow.sdk import serde
except ImportError:  # Airflow 3.1
    from airflow.serialization import serde  # type: ignore[attr-defined,no-redef]

# Simulated seconds of ringing, of which a hundred are a real one.
LONG_ENOUGH_TO_DEFER = 50

# Without it, a message is cut off when its words should be said: in a second of this simulator's.
NO_LIMIT_S = 14_400

# Twilio's dates are whole seconds: less would be over, by them, before the task defers.
QUEUE_TIMEOUT_S, STALE_S = 2, 3


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


# Deferred


@pytest.fixture
def firing_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_provider_twiliocall.triggers.twilio_call.SHORTEST_DEFERRAL_S", 0.0)


def test_a_deferred_task_leaves_nothing_secret_in_its_trigger(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    deferred = defer(waiting(TALKS_LONG, deferrable=True), ti)
    path, kwargs = deferred.trigger.serialize()
    kept = json.dumps([path, kwargs, deferred.method_name, deferred.kwargs])
    assert path == "airflow_provider_twiliocall.triggers.twilio_call.TwilioCallTrigger"
    assert kwargs["call_sid"] == ti.xcoms["call_sid"] == twilio_simulator.calls[0]["sid"]
    assert serde.deserialize(serde.serialize(kwargs)) == kwargs
    assert TALKS_LONG not in kept
    assert twilio_simulator.from_number not in kept
    assert twilio_simulator.auth_token not in kept


def test_airflows_own_timeout_comes_after_the_triggers_deadline(ti: RecordingTaskInstance) -> None:
    deferred = defer(waiting(TALKS_LONG, deferrable=True, timeout=30, time_limit=120, queue_timeout=60), ti)
    left = deferred.trigger.deadline - time.time()
    assert 270 < left <= 60 + 30 + 5 + 120 + 60
    assert deferred.timeout > timedelta(seconds=left)


def test_a_call_that_is_over_before_the_task_defers_is_settled_at_once(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("create", kind="delay", after=True, seconds=0.2))
    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        place_and_wait(BUSY, deferrable=True)


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_task_succeeds_when_the_call_completed(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    task = waiting(SOMEBODY, deferrable=True)
    deferred = defer(task, ti)
    assert resume(task, deferred, fire(deferred.trigger), ti) == twilio_simulator.calls[0]["sid"]
    assert ti.xcoms["call"]["status"] == "completed"
    assert ti.xcoms["call"]["to"] == "+1*******0001"
    assert posts(twilio_simulator) == 1


@pytest.mark.usefixtures("firing_at_once")
@pytest.mark.parametrize(
    ("ending", "expected", "said"),
    [
        ({"outcome": "busy"}, TwilioCallUnansweredError, "the line was busy"),
        ({"outcome": "voicemail"}, TwilioCallUnansweredError, "voicemail"),
        ({"outcome": "canceled"}, TwilioCallEndedForGoodError, "not by this task"),
        ({"outcome": "failed"}, TwilioCallUnansweredError, "13224"),
        ({"outcome": "failed", "error_code": 13227}, TwilioCallEndedForGoodError, "13227"),
    ],
)
def test_a_deferred_task_judges_as_one_that_waits_on_the_worker(
    twilio_simulator: TwilioSimulator,
    ti: RecordingTaskInstance,
    ending: dict[str, Any],
    expected: type[AirflowException],
    said: str,
) -> None:
    twilio_simulator.script(SOMEBODY, {"ring": LONG_ENOUGH_TO_DEFER, **ending})
    task = waiting(SOMEBODY, deferrable=True, accept_answered_by={"human"})
    deferred = defer(task, ti)
    with pytest.raises(expected, match=said):
        resume(task, deferred, fire(deferred.trigger), ti)


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_call_queued_for_too_long_is_canceled(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    task = waiting(STAYS_QUEUED, deferrable=True, queue_timeout=QUEUE_TIMEOUT_S)
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    # By the trigger: a worker may take its time to resume the task.
    assert twilio_simulator.calls[0]["status"] == "canceled"
    with pytest.raises(
        TwilioCallUnansweredError, match=r"queue after 2 s \(queue_timeout\) and was canceled"
    ):
        resume(task, deferred, event, ti)
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_call_that_left_the_queue_at_the_last_moment_is_waited_for(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    # Its status is shown as it was a few seconds ago: queued, when it is in progress.
    twilio_simulator.inject(on("get", kind="stale", seconds=STALE_S, times=None))
    task = waiting(SOMEBODY, deferrable=True, queue_timeout=QUEUE_TIMEOUT_S, poll_interval=0.1)
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "talk": 300})
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    assert "update" in operations(twilio_simulator)
    assert resume(task, deferred, event, ti) == twilio_simulator.calls[0]["sid"]


@pytest.mark.usefixtures("firing_at_once")
def test_credentials_revoked_while_deferred_do_not_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, skip=1, times=None))
    task = waiting(TALKS_LONG, deferrable=True)
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    assert event["reason"] == "unknown"
    with pytest.raises(TwilioCallFateUnknownError, match=f"{event['call_sid']} was placed, but .*20003"):
        resume(task, deferred, event, ti)


@pytest.mark.usefixtures("firing_at_once")
def test_a_call_that_twilio_never_says_is_over_is_not_dialled_again(ti: RecordingTaskInstance) -> None:
    task = waiting(TALKS_LONG, deferrable=True)
    deferred = defer(task, ti)
    deferred.trigger.deadline = time.time()
    event = fire(deferred.trigger)
    assert event["reason"] == "overdue"
    with pytest.raises(TwilioCallFateUnknownError, match="how it ended cannot be told: it is still"):
        resume(task, deferred, event, ti)


# A deferral that broke off: Airflow has given up on the trigger, not Twilio on the call

TIMEOUT = {"error": "Trigger timeout"}
FAILURE = {"error": "Trigger failure", "traceback": ["Traceback"]}


def test_a_wait_whose_trigger_failed_goes_on_in_another(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    task = waiting(TALKS_LONG, deferrable=True)
    deferred = defer(task, ti)
    with pytest.raises(TaskDeferred) as again:
        task.resume_execution("__fail__", FAILURE, context(ti))
    assert again.value.trigger.call_sid == deferred.trigger.call_sid == ti.xcoms["call_sid"]
    assert again.value.trigger.deadline >= deferred.trigger.deadline
    assert "update" not in operations(twilio_simulator)
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize(("when_killed", "store"), [("cancel", None), ("cancel", "kept"), ("hang_up", None)])
def test_a_call_whose_trigger_nobody_answered_in_time_is_ended(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, when_killed: str, store: str | None
) -> None:
    task = waiting(STAYS_QUEUED, deferrable=True, when_killed=when_killed)
    journal = StateStore() if store else None
    defer(task, ti, journal)
    with pytest.raises(AirflowTaskTimeout, match=r"nobody took the trigger's event in time.* was ended by"):
        task.resume_execution("__fail__", TIMEOUT, context(ti, journal))
    assert statuses(twilio_simulator) == ["canceled"]
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.usefixtures("firing_at_once")
@pytest.mark.parametrize("why", [TIMEOUT, FAILURE], ids=["timeout", "failure"])
def test_a_call_that_was_canceled_while_queued_though_the_trigger_could_not_tell_is_the_tasks_own(
    ti: RecordingTaskInstance, why: dict[str, Any]
) -> None:
    store = StateStore()
    task = waiting(STAYS_QUEUED, deferrable=True, queue_timeout=QUEUE_TIMEOUT_S)
    deferred = defer(task, ti, store)
    assert fire(deferred.trigger)["reason"] == "queue timeout"
    with pytest.raises(TwilioCallUnansweredError, match=r"\(queue_timeout\) and was canceled"):
        task.resume_execution("__fail__", why, context(ti, store))


def test_a_timed_out_call_with_somebody_on_the_line_is_left_to_the_retry_that_finds_it_in_the_journal(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    store = StateStore()
    task = waiting(TALKS_LONG, deferrable=True, when_killed="cancel", time_limit=NO_LIMIT_S)
    deferred = defer(task, ti, store)
    twilio_simulator.wait_for(deferred.trigger.call_sid, "in-progress")
    with pytest.raises(AirflowTaskTimeout, match="is in-progress and goes on"):
        task.resume_execution("__fail__", TIMEOUT, context(ti, store))
    assert defer(task, ti, store).trigger.call_sid == deferred.trigger.call_sid
    assert posts(twilio_simulator) == 1


def test_a_timed_out_call_with_somebody_on_the_line_is_not_dialled_again_where_no_journal_is_kept(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    task = waiting(TALKS_LONG, deferrable=True, when_killed="cancel", time_limit=NO_LIMIT_S)
    deferred = defer(task, ti)
    twilio_simulator.wait_for(deferred.trigger.call_sid, "in-progress")
    with pytest.raises(TwilioCallFateUnknownError, match=r"goes on\..* not dialled again") as failed:
        task.resume_execution("__fail__", TIMEOUT, context(ti))
    assert isinstance(failed.value, AirflowFailException)
    assert statuses(twilio_simulator) == ["in-progress"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("why", [TIMEOUT, FAILURE], ids=["timeout", "failure"])
def test_a_call_that_is_over_when_its_deferral_broke_off_is_judged(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, why: dict[str, Any]
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    task = waiting(SOMEBODY, deferrable=True)
    defer(task, ti)
    twilio_simulator.wait_for(ti.xcoms["call_sid"])
    assert task.resume_execution("__fail__", why, context(ti)) == ti.xcoms["call_sid"]
    assert ti.xcoms["call"]["status"] == "completed"


# The task's own time: Airflow does not mind execution_timeout while a task is deferred


def test_the_trigger_is_told_when_the_tasks_time_is_up(ti: RecordingTaskInstance) -> None:
    task = waiting(TALKS_LONG, deferrable=True, execution_timeout=timedelta(minutes=5))
    began = time.time()
    deferred = defer(task, ti)
    assert began + 300 <= deferred.trigger.timeout_at <= time.time() + 300
    assert timedelta(seconds=300) < deferred.timeout < timedelta(seconds=600)


@pytest.mark.usefixtures("firing_at_once")
@pytest.mark.parametrize("when_killed", ["cancel", "hang_up"])
def test_a_deferred_task_that_is_out_of_time_ends_its_call(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, when_killed: str
) -> None:
    task = waiting(
        STAYS_QUEUED, deferrable=True, when_killed=when_killed, execution_timeout=timedelta(seconds=1)
    )
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    assert event["reason"] == "timed out"
    with pytest.raises(AirflowTaskTimeout, match=r"execution_timeout is over.* was ended by this task"):
        resume(task, deferred, event, ti)
    assert statuses(twilio_simulator) == ["canceled"]
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_task_that_is_out_of_time_leaves_a_call_that_it_shall_leave(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    store = StateStore()
    task = waiting(STAYS_QUEUED, deferrable=True, when_killed="leave", execution_timeout=timedelta(seconds=1))
    deferred = defer(task, ti, store)
    with pytest.raises(AirflowTaskTimeout, match=r"execution_timeout is over.* goes on"):
        resume(task, deferred, fire(deferred.trigger), ti, store)
    assert "update" not in operations(twilio_simulator)
    assert statuses(twilio_simulator) == ["queued"]


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_task_that_is_out_of_time_asks_twilio_once(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    store = StateStore()
    task = waiting(TALKS_LONG, deferrable=True, execution_timeout=timedelta(seconds=1), time_limit=NO_LIMIT_S)
    deferred = defer(task, ti, store)
    twilio_simulator.wait_for(deferred.trigger.call_sid, "in-progress")
    event = fire(deferred.trigger)
    with pytest.raises(AirflowTaskTimeout, match="execution_timeout is over"):
        resume(task, deferred, event, ti, store)
    assert operations(twilio_simulator).count("update") == 1


@pytest.mark.usefixtures("firing_at_once")
def test_a_call_that_ended_in_the_very_moment_the_time_was_up_is_judged_and_not_lost(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    task = waiting(SOMEBODY, deferrable=True, execution_timeout=timedelta(minutes=5))
    deferred = defer(task, ti)
    deferred.trigger.timeout_at = time.time()
    event = fire(deferred.trigger)
    twilio_simulator.wait_for(event["call_sid"])
    assert event["reason"] == "timed out"
    assert resume(task, deferred, event, ti) == event["call_sid"]
