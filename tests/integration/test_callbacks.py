"""A task whose call Twilio tells the receiver of: it is looked at seldom, and woken when it is over."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.operators.call_callbacks import INTERVAL_WHEN_TOLD_S
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.plugins.task_record import TaskRecord, task_of
from airflow_provider_twiliocall.simulator import TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from tests.integration.mounted_receiver import TIMEOUT_S, mounted_receiver
from tests.integration.ring_task import BUSY, SOMEBODY, VARIABLE, defer, resume, waiting
from tests.support.airflow_database import TaskRow, session_of
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.waiting import wait_until

# Simulated seconds of ringing, of which a hundred are a real one.
LONG_ENOUGH_TO_DEFER = {"outcome": "human", "ring": 50, "talk": 5}
AUTHORS_OWN = "http://127.0.0.1:9/mine"


@pytest.fixture(scope="module")
def public_url() -> Iterator[str]:
    with mounted_receiver() as url:
        yield url


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, public_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = json.loads(twilio_simulator.airflow_connection)
    fields["extra"]["webhook_url"] = public_url
    monkeypatch.setenv(VARIABLE, json.dumps(fields))
    twilio_simulator.script(SOMEBODY, LONG_ENOUGH_TO_DEFER)


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


def created(simulator: TwilioSimulator) -> dict[str, str]:
    [form] = [dict(request.form) for request in simulator.requests if request.operation == "create"]
    return form


def look_event(call_sid: str) -> dict[str, object]:
    """What the receiver wakes a task with."""
    return {"phase": "wait", "call_sid": call_sid, "look": True}


def test_a_deferred_task_has_twilio_tell_the_receiver_and_looks_seldom(
    twilio_simulator: TwilioSimulator,
    public_url: str,
    ti: RecordingTaskInstance,
    any_store: StateStore | None,
) -> None:
    deferred = defer(waiting(SOMEBODY, deferrable=True), ti, any_store)
    form = created(twilio_simulator)
    assert form["StatusCallback"].startswith(f"{public_url}/twilio-call/status/")
    assert ti.id in form["StatusCallback"]
    assert form["StatusCallbackMethod"] == "POST"
    assert deferred.trigger.poll_interval == INTERVAL_WHEN_TOLD_S


def test_the_address_names_no_number(twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance) -> None:
    store = StateStore()
    defer(waiting(SOMEBODY, deferrable=True), ti, store)
    assert SOMEBODY.strip("+") not in created(twilio_simulator)["StatusCallback"]
    assert SOMEBODY not in json.dumps(store.values)


@pytest.mark.parametrize(
    "arguments",
    [
        {"deferrable": False},
        {"deferrable": True, "status_callback": AUTHORS_OWN},
        {"deferrable": True, "message": None, "application_sid": "AP" + "0" * 32},
    ],
    ids=["waits on the worker", "the author has one", "Twilio ignores it"],
)
def test_who_has_no_use_for_the_receiver_does_not_ask_for_it(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, arguments: dict[str, object]
) -> None:
    task = waiting(SOMEBODY, **arguments)
    if arguments["deferrable"]:
        assert defer(task, ti).trigger.poll_interval == task.poll_interval
    else:
        task.execute(context(ti))
    assert created(twilio_simulator).get("StatusCallback") == arguments.get("status_callback")


def test_without_a_public_address_nothing_changes(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    task = waiting(SOMEBODY, deferrable=True)
    assert defer(task, ti).trigger.poll_interval == task.poll_interval
    assert "StatusCallback" not in created(twilio_simulator)


def test_a_task_that_is_woken_looks_and_ends(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, any_store: StateStore | None
) -> None:
    task = waiting(SOMEBODY, deferrable=True)
    deferred = defer(task, ti, any_store)
    call_sid = deferred.trigger.call_sid
    wait_until(lambda: twilio_simulator.calls[0]["status"] == "completed", "the call to end", TIMEOUT_S, 0.05)
    assert resume(task, deferred, look_event(call_sid), ti, any_store) == call_sid
    assert ti.xcoms["call"]["status"] == "completed"


def test_a_task_that_is_woken_too_early_waits_on_and_looks_as_often_as_its_author_said(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, any_store: StateStore | None
) -> None:
    task = waiting(SOMEBODY, deferrable=True)
    deferred = defer(task, ti, any_store)
    again = defer_again(task, deferred, ti, any_store)
    assert again.call_sid == deferred.trigger.call_sid
    assert again.poll_interval == task.poll_interval
    assert len(twilio_simulator.calls) == 1


def test_the_end_of_a_call_wakes_its_task(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    row = TaskRow()
    ti.id = row.id
    defer(waiting(SOMEBODY, deferrable=True), ti, StateStore())
    push(row, ti)
    row.defer()
    wait_until(lambda: row.now["state"] == "scheduled", "the task to be woken", TIMEOUT_S, 0.05)
    [webhook] = twilio_simulator.webhooks
    assert webhook["status"] == 204


def test_a_busy_line_is_told_too(twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance) -> None:
    row = TaskRow()
    ti.id = row.id
    twilio_simulator.script(BUSY, {"outcome": "busy", "ring": 50})
    defer(waiting(BUSY, deferrable=True), ti, StateStore())
    push(row, ti)
    row.defer()
    wait_until(lambda: row.now["state"] == "scheduled", "the task to be woken", TIMEOUT_S, 0.05)


def push(row: TaskRow, ti: RecordingTaskInstance) -> None:
    """What the task's process has pushed is in the database."""
    with session_of() as session:
        task = task_of(session, row.id)
        assert task is not None
        TaskRecord(session, task).push_xcom("call_sid", ti.xcoms["call_sid"])


def defer_again(
    task: CreateCallOperator, deferred: TaskDeferred, ti: RecordingTaskInstance, store: StateStore | None
) -> TwilioCallTrigger:
    """Wake the task, which defers again; return the new trigger."""
    with pytest.raises(TaskDeferred) as again:
        resume(task, deferred, look_event(deferred.trigger.call_sid), ti, store)
    trigger: TwilioCallTrigger = again.value.trigger
    return trigger
