"""The operator against the simulator, over HTTP: one call each, and what becomes of the task."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import timedelta
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, TaskDeferred

from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
    TwilioConnectionError,
)
from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from airflow_provider_twiliocall.twilio.twiml import message_to_twiml
from tests.integration.task_context import RecordingTaskInstance, context

try:
    from airflow.sdk import serde
except ImportError:  # Airflow 3.1
    from airflow.serialization import serde  # type: ignore[attr-defined,no-redef]

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"

ANSWERS = "+15005550006"
TALKS_LONG = "+15005551003"
BUSY = "+15005551100"
NO_ANSWER = "+15005551101"
CANCELED_ELSEWHERE = "+15005551104"
STAYS_QUEUED = "+15005551105"
VOICEMAIL = "+15005551200"
FAX = "+15005551203"
FAILS = "+15005551300"
FAILS_WITHOUT_A_REASON = "+15005551304"
SOMEBODY = "+15551230001"

# Simulated seconds of ringing, of which a hundred are a real one.
LONG_ENOUGH_TO_DEFER = 50


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)


@pytest.fixture
def ti() -> RecordingTaskInstance:
    return RecordingTaskInstance()


def place(to: str = ANSWERS, ti: RecordingTaskInstance | None = None, **arguments: Any) -> str:
    """Execute a task that places a call and does not wait for it."""
    return CreateCallOperator(task_id="ring", to=to, message="hello", **arguments).execute(context(ti))


def waiting(to: str = ANSWERS, **arguments: Any) -> CreateCallOperator:
    return CreateCallOperator(
        task_id="ring",
        **{"to": to, "message": "hello", "wait_for_completion": True, "poll_interval": 0.02, **arguments},
    )


def place_and_wait(to: str = ANSWERS, ti: RecordingTaskInstance | None = None, **arguments: Any) -> str:
    """Execute a task that places a call and waits for it on the worker."""
    return waiting(to, **arguments).execute(context(ti))


def on(operation: str, **fault: Any) -> Fault:
    return Fault(operations=frozenset({operation}), **fault)


def posts(simulator: TwilioSimulator) -> int:
    return [request.operation for request in simulator.requests].count("create")


def form(simulator: TwilioSimulator) -> dict[str, str]:
    return dict(simulator.requests[0].form)


def changed(simulator: TwilioSimulator, **changes: Any) -> str:
    return json.dumps(json.loads(simulator.airflow_connection) | changes)


# Placing


def test_a_call_is_placed_and_its_sid_returned(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    sid = place(ti=ti)
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]
    assert ti.xcoms["call_sid"] == sid
    assert ti.xcoms["call"]["sid"] == sid
    assert ti.xcoms["call"]["status"] == "queued"
    assert form(twilio_simulator) == {
        "To": ANSWERS,
        "From": twilio_simulator.from_number,
        "Twiml": message_to_twiml("hello"),
    }
    assert twilio_simulator.refused == []


def test_xcom_and_log_show_no_more_than_the_last_four_digits(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        place_and_wait(SOMEBODY, ti)
    shown = json.dumps(ti.xcoms) + caplog.text
    assert "to +1*******0001" in caplog.text
    assert ti.xcoms["call"]["to"] == "+1*******0001"
    assert SOMEBODY not in shown
    assert twilio_simulator.from_number not in shown
    assert twilio_simulator.auth_token not in shown


def test_a_task_that_does_not_wait_looks_at_nothing(twilio_simulator: TwilioSimulator) -> None:
    place(BUSY)
    assert [request.operation for request in twilio_simulator.requests] == ["create"]


def test_a_message_that_is_too_long_is_cut_rather_than_refused(twilio_simulator: TwilioSimulator) -> None:
    CreateCallOperator(task_id="ring", to=ANSWERS, message="word " * 2000).execute(context())
    assert len(form(twilio_simulator)["Twiml"]) <= 4000
    assert "The rest of this message was cut." in form(twilio_simulator)["Twiml"]


def test_a_task_given_its_own_caller_id_calls_from_it(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.own("+15557654321")
    place(from_="+1 555 765 4321")
    assert form(twilio_simulator)["From"] == "+15557654321"


def test_an_account_that_a_template_renders_to_nothing_is_the_connections(
    twilio_simulator: TwilioSimulator,
) -> None:
    place(account_sid="None")
    assert twilio_simulator.account_sid in twilio_simulator.requests[0].path


class ForgetfulTaskInstance(RecordingTaskInstance):
    """A task instance whose XComs cannot be written: an API server that is away."""

    def xcom_push(self, key: str, value: Any) -> None:
        raise ConnectionError("the API server is away")


def test_a_call_that_cannot_be_noted_down_is_not_dialled_again(twilio_simulator: TwilioSimulator) -> None:
    assert place_and_wait(ANSWERS, ForgetfulTaskInstance()) == twilio_simulator.calls[0]["sid"]
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("+15005550001", 21217),
        ("+15005550002", 21214),
        ("+15005550003", 21215),
        ("+15005550004", 21216),
    ],
)
def test_a_number_that_twilio_refuses_is_not_dialled_again(
    twilio_simulator: TwilioSimulator, number: str, code: int
) -> None:
    with pytest.raises(TwilioCallRefusedError, match=f"was not placed: .*code {code}") as refused:
        place(number)
    assert isinstance(refused.value, AirflowFailException)
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


def test_a_short_pause_that_twilio_asks_for_is_sat_out(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=20429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    sid = place()
    assert time.monotonic() - began >= 1
    assert posts(twilio_simulator) == 2
    assert [call["sid"] for call in twilio_simulator.calls] == [sid]


def test_a_long_pause_is_left_to_the_tasks_retry(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(
        on("create", kind="status", status=429, code=20429, headers={"Retry-After": "600"})
    )
    with pytest.raises(TwilioCallNotPlacedError, match=r"was not placed: .*code 20429") as failed:
        place()
    assert not isinstance(failed.value, AirflowFailException)
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


def test_too_many_calls_at_once_are_left_to_the_tasks_retry(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=10004))
    with pytest.raises(TwilioCallNotPlacedError, match="wait for some to end"):
        place()
    assert posts(twilio_simulator) == 1
    assert twilio_simulator.calls == []


LOST_ANSWERS = [
    pytest.param({"kind": "drop", "after": True}, id="dropped"),
    pytest.param({"kind": "cut"}, id="cut"),
    pytest.param({"kind": "html", "after": True}, id="html"),
    pytest.param({"kind": "html", "after": True, "status": 201}, id="html-as-if-good"),
    pytest.param({"kind": "truncated"}, id="truncated"),
    pytest.param({"kind": "status", "after": True, "status": 500}, id="500"),
    pytest.param({"kind": "status", "after": True, "status": 503, "headers": {"Retry-After": "0"}}, id="503"),
]


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_a_call_whose_answer_is_lost_is_not_dialled_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("create", **fault))
    with pytest.raises(TwilioCallFateUnknownError, match="Look in Twilio's call log for a call to") as failed:
        place(SOMEBODY, ti)
    assert isinstance(failed.value, AirflowFailException)
    assert SOMEBODY not in str(failed.value)
    assert posts(twilio_simulator) == len(twilio_simulator.calls) == 1
    assert ti.xcoms == {}


@pytest.mark.parametrize("fault", LOST_ANSWERS)
def test_at_least_once_leaves_a_lost_answer_to_the_tasks_retry(
    twilio_simulator: TwilioSimulator, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("create", **fault))
    with pytest.raises(TwilioCallNotPlacedError, match="may have been placed or not"):
        place(delivery="at_least_once")
    assert posts(twilio_simulator) == len(twilio_simulator.calls) == 1


def test_a_twilio_that_cannot_be_reached_is_left_to_the_tasks_retry(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TwilioSimulator() as gone:
        monkeypatch.setenv(VARIABLE, gone.airflow_connection)
    with pytest.raises(TwilioCallNotPlacedError, match=r"was not placed: No connection to 127\.0\.0\.1"):
        place()
    assert gone.requests == []


def test_wrong_credentials_are_not_tried_again(
    twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password="wrong"))
    with pytest.raises(TwilioCallRefusedError, match=r"code 20003.*Check login"):
        place()
    assert posts(twilio_simulator) == 1


def test_a_missing_connection_is_named(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioConnectionError, match="There is no connection 'nowhere'") as failed:
        place(twilio_conn_id="nowhere")
    assert isinstance(failed.value, AirflowFailException)
    assert twilio_simulator.requests == []


def test_a_call_can_be_placed_for_a_subaccount(twilio_simulator: TwilioSimulator) -> None:
    subaccount = "AC" + "5" * 32
    with pytest.raises(TwilioCallRefusedError):
        place(account_sid=subaccount)
    assert subaccount in twilio_simulator.requests[0].path


# Waiting: how a call ended


def test_a_completed_call_succeeds_and_its_end_is_in_xcom(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    sid = place_and_wait(ANSWERS, ti)
    assert twilio_simulator.calls[0]["status"] == "completed"
    assert ti.xcoms["call_sid"] == sid
    assert ti.xcoms["call"]["status"] == "completed"
    assert ti.xcoms["call"]["duration"] == 8
    assert {"answered_by", "price"} <= set(ti.xcoms["call"])


@pytest.mark.parametrize(
    ("number", "status", "said"),
    [
        (BUSY, "busy", "was not answered: the line was busy"),
        (NO_ANSWER, "no-answer", "got no answer: nobody picked up, or the callee declined"),
        (FAILS, "failed", "failed: 13224 Dial: Twilio does not support calling this number"),
        (FAILS_WITHOUT_A_REASON, "failed", "Twilio's notifications do not say why"),
    ],
)
def test_a_call_that_reached_nobody_fails_the_task_and_a_retry_may_dial_again(
    ti: RecordingTaskInstance, number: str, status: str, said: str
) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=said) as failed:
        place_and_wait(number, ti, timeout=5)
    assert not isinstance(failed.value, AirflowFailException)
    assert ti.xcoms["call"]["status"] == status


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (CANCELED_ELSEWHERE, "was canceled before it was answered, and not by this task"),
        ("+15005551301", "failed: 13227 Geo Permission configuration .*Settings > Geo permissions"),
        ("+15005551302", "failed: 32205 .*Settings > Geo permissions"),
        ("+15005551303", "failed: 21215 .*Settings > Geo permissions"),
    ],
)
def test_a_call_that_no_redial_can_help_fails_the_task_for_good(number: str, said: str) -> None:
    with pytest.raises(TwilioCallEndedForGoodError, match=said) as failed:
        place_and_wait(number)
    assert isinstance(failed.value, AirflowFailException)


def test_a_failed_call_whose_reason_cannot_be_asked_is_judged_without_it(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.inject(on("notifications", kind="status", status=408))
    with pytest.raises(TwilioCallUnansweredError, match="do not say why"):
        place_and_wait(FAILS)


def test_a_busy_line_is_dialled_again_by_the_next_try(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    task = waiting(SOMEBODY)
    with pytest.raises(TwilioCallUnansweredError):
        task.execute(context())
    assert task.execute(context()) == twilio_simulator.calls[1]["sid"]
    assert [call["status"] for call in twilio_simulator.calls] == ["busy", "completed"]


# Waiting: who answered


def test_a_voicemail_gets_the_message_and_fails_the_task(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"voicemail .*\(machine_end_beep\), and only human"):
        place_and_wait(VOICEMAIL, accept_answered_by={"human", "unknown"})
    assert form(twilio_simulator)["MachineDetection"] == "DetectMessageEnd"


def test_an_authors_own_machine_detection_is_kept(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match="machine_start"):
        place_and_wait(VOICEMAIL, accept_answered_by="human", machine_detection="Enable")
    assert form(twilio_simulator)["MachineDetection"] == "Enable"


def test_accepting_a_machine_at_its_first_word_asks_for_detection_of_that(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    place_and_wait(VOICEMAIL, ti, accept_answered_by={"human", "machine_start"})
    assert form(twilio_simulator)["MachineDetection"] == "Enable"
    assert ti.xcoms["call"]["answered_by"] == "machine_start"


def test_a_fax_is_not_somebody_else(twilio_simulator: TwilioSimulator) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"but something else answered \(fax\)"):
        place_and_wait(FAX, accept_answered_by="human, unknown")


def test_a_wanted_human_succeeds(twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance) -> None:
    place_and_wait(ANSWERS, ti, accept_answered_by={"human", "unknown"})
    assert ti.xcoms["call"]["answered_by"] == "human"


def test_a_voicemail_counts_where_nobody_cares_who_answers(ti: RecordingTaskInstance) -> None:
    place_and_wait(VOICEMAIL, ti)
    assert ti.xcoms["call"]["status"] == "completed"


# Waiting: Twilio's queue


@pytest.mark.parametrize("queue_timeout", [0.1, timedelta(milliseconds=100)])
def test_a_call_queued_for_too_long_is_canceled_and_a_retry_may_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, queue_timeout: float | timedelta
) -> None:
    with pytest.raises(TwilioCallUnansweredError, match=r"still in Twilio's queue .* and was canceled"):
        place_and_wait(STAYS_QUEUED, ti, queue_timeout=queue_timeout)
    assert twilio_simulator.calls[0]["status"] == "canceled"
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503, "times": 3},
        {"kind": "status", "status": 429, "times": 2},
        {"kind": "drop", "times": 2},
        {"kind": "html", "times": 2},
        {"kind": "truncated", "times": 1},
    ],
    ids=lambda fault: str(fault["kind"]),
)
def test_canceling_goes_on_through_weather(twilio_simulator: TwilioSimulator, fault: dict[str, Any]) -> None:
    twilio_simulator.inject(on("update", **fault))
    with pytest.raises(TwilioCallUnansweredError, match="was canceled"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "canceled"
    assert twilio_simulator.faults[0]["spent"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop", "after": True}, {"kind": "cut"}, {"kind": "status", "after": True, "status": 500}],
    ids=lambda fault: str(fault["kind"]),
)
def test_a_cancellation_whose_answer_is_lost_is_the_tasks_own(
    twilio_simulator: TwilioSimulator, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("update", **fault))
    with pytest.raises(TwilioCallUnansweredError, match=r"\(queue_timeout\) and was canceled"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "canceled"


def test_a_call_that_may_not_be_canceled_is_not_dialled_again(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("update", kind="status", status=401, code=20003, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=r"could not be canceled: .*code 20003"):
        place_and_wait(STAYS_QUEUED, queue_timeout=0.05)
    assert twilio_simulator.calls[0]["status"] == "queued"


def test_a_call_that_left_the_queue_at_the_last_moment_is_waited_for(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "talk": 100})
    twilio_simulator.inject(on("get", kind="stale", seconds=1.0, times=None))
    sid = place_and_wait(SOMEBODY, queue_timeout=0.3)
    assert "update" in [request.operation for request in twilio_simulator.requests]
    assert twilio_simulator.calls[0]["sid"] == sid
    assert twilio_simulator.calls[0]["status"] == "completed"


def test_a_call_that_is_over_when_it_is_to_be_canceled_is_judged(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.inject(on("get", kind="stale", seconds=1.0, times=None))
    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        place_and_wait(BUSY, queue_timeout=0.2)
    assert "update" in [request.operation for request in twilio_simulator.requests]


# Waiting: weather


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"kind": "not-found", "times": 2}, id="404 for a fresh SID"),
        pytest.param({"kind": "stale", "seconds": 0.1, "times": 10}, id="stale"),
        pytest.param({"kind": "drop"}, id="dropped"),
        pytest.param({"kind": "cut"}, id="cut"),
        pytest.param({"kind": "html"}, id="html"),
        pytest.param({"kind": "html", "status": 200, "times": 2}, id="html-as-if-good"),
        pytest.param({"kind": "truncated", "times": 2}, id="truncated"),
        pytest.param({"kind": "status", "status": 429, "code": 20429}, id="429"),
        pytest.param({"kind": "status", "status": 503}, id="503"),
        pytest.param({"kind": "status", "status": 408, "times": 3}, id="408"),
    ],
)
def test_a_wait_survives_weather_and_ends_right(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, fault: dict[str, Any]
) -> None:
    twilio_simulator.inject(on("get", **fault))
    place_and_wait(ANSWERS, ti)
    assert ti.xcoms["call"]["status"] == "completed"
    assert twilio_simulator.faults[0]["struck"] > 0
    assert posts(twilio_simulator) == 1


def test_credentials_revoked_in_mid_wait_do_not_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, skip=1, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=r"how it ended cannot be told: .*code 20003") as end:
        place_and_wait(TALKS_LONG, ti)
    assert isinstance(end.value, AirflowFailException)
    assert ti.xcoms["call_sid"] in str(end.value)
    assert posts(twilio_simulator) == 1


def test_a_fault_nobody_thought_of_does_not_dial_again(
    ti: RecordingTaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "airflow_provider_twiliocall.waiting.CallWait.pause", lambda wait: {}["nobody thought of this"]
    )
    with pytest.raises(TwilioCallFateUnknownError, match="nobody thought of this") as failed:
        place_and_wait(TALKS_LONG, ti)
    assert ti.xcoms["call_sid"] in str(failed.value)


# Deferred


def defer(task: CreateCallOperator, ti: RecordingTaskInstance) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(ti))
    return deferred.value


def fire(trigger: Any) -> dict[str, Any]:
    """Run a trigger to its event, as a triggerer does: rebuilt from what was serialized."""
    _, kwargs = trigger.serialize()

    async def first_event() -> Any:
        return await TwilioCallTrigger(**kwargs).run().__anext__()

    return json.loads(json.dumps(asyncio.run(first_event()).payload))


def resume(
    task: CreateCallOperator, deferred: TaskDeferred, event: dict[str, Any], ti: RecordingTaskInstance
) -> str:
    """Resume the task with the event, as Airflow's task runner does."""
    return task.resume_execution(
        deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context(ti)
    )


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
    task = waiting(STAYS_QUEUED, deferrable=True, queue_timeout=0.2)
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    assert event["end"] == "queued_too_long"
    with pytest.raises(TwilioCallUnansweredError, match="was canceled"):
        resume(task, deferred, event, ti)
    assert twilio_simulator.calls[0]["status"] == "canceled"
    assert ti.xcoms["call"]["status"] == "canceled"


@pytest.mark.usefixtures("firing_at_once")
def test_a_deferred_call_that_left_the_queue_at_the_last_moment_is_waited_for_in_the_triggerer_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("get", kind="stale", times=None))
    task = waiting(TALKS_LONG, deferrable=True, queue_timeout=0.2)
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    with pytest.raises(TaskDeferred) as again:
        resume(task, deferred, event, ti)
    assert event["end"] == "queued_too_long"
    assert again.value.trigger.call_sid == deferred.trigger.call_sid
    assert again.value.trigger.deadline == deferred.trigger.deadline
    assert again.value.trigger.queue_deadline is None


@pytest.mark.usefixtures("firing_at_once")
def test_credentials_revoked_while_deferred_do_not_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance
) -> None:
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, skip=1, times=None))
    task = waiting(TALKS_LONG, deferrable=True)
    deferred = defer(task, ti)
    event = fire(deferred.trigger)
    assert event["end"] == "refused"
    with pytest.raises(TwilioCallFateUnknownError, match=f"{event['call_sid']} was placed, but .*20003"):
        resume(task, deferred, event, ti)


@pytest.mark.usefixtures("firing_at_once")
def test_a_call_that_twilio_never_says_is_over_is_not_dialled_again(ti: RecordingTaskInstance) -> None:
    task = waiting(TALKS_LONG, deferrable=True)
    deferred = defer(task, ti)
    deferred.trigger.deadline = time.time()
    event = fire(deferred.trigger)
    assert event["end"] == "deadline"
    with pytest.raises(TwilioCallFateUnknownError, match="how it ended cannot be told: it is still"):
        resume(task, deferred, event, ti)


# A deferral that broke off: Airflow has given up on the trigger, not Twilio on the call

BROKEN_OFF = [{"error": "Trigger timeout"}, {"error": "Trigger failure", "traceback": ["Traceback"]}]


@pytest.mark.parametrize("why", BROKEN_OFF, ids=["timeout", "failure"])
def test_a_deferral_that_broke_off_is_no_reason_to_dial_again(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, why: dict[str, Any]
) -> None:
    task = waiting(TALKS_LONG, deferrable=True)
    defer(task, ti)
    with pytest.raises(TwilioCallFateUnknownError, match="how it ended cannot be told") as failed:
        task.resume_execution("__fail__", why, context(ti))
    assert isinstance(failed.value, AirflowFailException)
    assert ti.xcoms["call_sid"] in str(failed.value)
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("why", BROKEN_OFF, ids=["timeout", "failure"])
def test_a_call_that_is_over_when_its_deferral_broke_off_is_judged(
    twilio_simulator: TwilioSimulator, ti: RecordingTaskInstance, why: dict[str, Any]
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    task = waiting(SOMEBODY, deferrable=True)
    defer(task, ti)
    twilio_simulator.wait_for(ti.xcoms["call_sid"])
    assert task.resume_execution("__fail__", why, context(ti)) == ti.xcoms["call_sid"]
    assert ti.xcoms["call"]["status"] == "completed"
