"""The watch of a call, as the pure function that it is: what is observed, when, and what is to be done about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import (
    CallWatch,
    CancelInQueue,
    Decision,
    Fault,
    LookAgain,
)
from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.ending import Ending
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from tests.unit.scripted_twilio import SID, call

NUMBER = "+15551234567"
START = 1_000_000.0
AWAY = TwilioUnreachableError("nobody there", http_status=503)
NO_HOST = TwilioUnreachableError("no such host")
LATER = TwilioThrottledError("later", http_status=429, retry_after=30)
UNKNOWN = TwilioNotFoundError("not known", http_status=404, code=20404)
REFUSED = TwilioRejectedError("no", http_status=401, code=20003)
PROXY = TwilioRejectedError("Forbidden", http_status=403)
NO_CONNECTION = TwilioConnectionNotFoundError("There is no connection")


def watch(**how: Any) -> CallWatch:
    return CallWatch(SID, **{"poll_interval": 5, **how})


def ended(reason: Reason, status: str | None, why: str | None = None, *, person: bool = False) -> CallOutcome:
    return CallOutcome(reason, call(status) if status else None, why, is_for_a_person=person)


@pytest.mark.parametrize(
    ("how", "news", "decision"),
    [
        # It goes on: the next look is at the poll interval, or at the first moment that changes something.
        ({}, call("queued"), LookAgain(START + 5)),
        ({}, call("in-progress"), LookAgain(START + 5)),
        ({"poll_interval": 300}, call("ringing"), LookAgain(START + 300)),
        (
            {"deadline": START + 3, "queue_deadline": QueueDeadline(START + 2)},
            call("queued"),
            LookAgain(START + 2),
        ),
        ({"deadline": START + 3}, call("ringing"), LookAgain(START + 3)),
        ({"timeout_at": START + 1, "deadline": START + 3}, call("ringing"), LookAgain(START + 1)),
        ({"queue_deadline": QueueDeadline(START + 2)}, call("ringing"), LookAgain(START + 5)),
        # It is over.
        ({}, call("completed"), CallOutcome.of(call("completed"))),
        ({}, call("canceled"), CallOutcome.of(call("canceled"))),
        ({"deadline": START, "timeout_at": START}, call("busy"), CallOutcome.of(call("busy"))),
        # All that was waited for is that it leaves the queue.
        ({"awaits": "ring"}, call("queued"), LookAgain(START + 5)),
        ({"awaits": "ring"}, call("ringing"), ended(Reason.LEFT_QUEUE, "ringing")),
        ({"awaits": "ring"}, call("failed"), ended(Reason.LEFT_QUEUE, "failed")),
        # It is in the queue for too long.
        ({"queue_deadline": QueueDeadline(START)}, call("queued"), CancelInQueue(call("queued"))),
        (
            {"queue_deadline": QueueDeadline(START), "awaits": "ring"},
            call("queued"),
            CancelInQueue(call("queued")),
        ),
        (
            {"queue_deadline": QueueDeadline(START), "deadline": START},
            call("queued"),
            CancelInQueue(call("queued")),
        ),
        # Time is up.
        ({"deadline": START}, call("ringing"), ended(Reason.OVERDUE, "ringing", "it is still ringing")),
        ({"timeout_at": START}, call("ringing"), ended(Reason.TIMED_OUT, "ringing", "it is still ringing")),
        ({"deadline": START, "timeout_at": START}, AWAY, ended(Reason.OVERDUE, None, str(AWAY))),
        ({"deadline": START}, NO_HOST, ended(Reason.OVERDUE, None, str(NO_HOST), person=True)),
        ({"timeout_at": START}, PROXY, ended(Reason.TIMED_OUT, None, str(PROXY), person=True)),
        # It cannot be seen.
        ({}, AWAY, LookAgain(START + 10)),
        ({}, UNKNOWN, LookAgain(START + 10)),
        ({}, PROXY, LookAgain(START + 10)),
        ({}, NO_CONNECTION, LookAgain(START + 10)),
        ({}, LATER, LookAgain(START + 30)),
        ({"poll_interval": 300}, AWAY, LookAgain(START + 300)),
        ({"deadline": START + 7}, AWAY, LookAgain(START + 7)),
        ({}, REFUSED, ended(Reason.UNKNOWN, None, str(REFUSED))),
    ],
)
def test_the_first_look(how: dict[str, Any], news: Call | Fault, decision: Decision) -> None:
    assert watch(**how).observe(news, START) == decision


@pytest.mark.parametrize(("ahead", "is_up"), [(90.0, True), (0.0, True), (-90.0, False)])
def test_the_queues_time_is_by_twilios_clock(ahead: float, is_up: bool) -> None:
    decision = watch(queue_deadline=QueueDeadline(START)).observe(call("queued"), START, clock_offset=ahead)
    assert isinstance(decision, CancelInQueue) is is_up


@pytest.mark.parametrize(
    ("news", "decision"),
    [
        (Ending(call("canceled"), by_us=True), ended(Reason.QUEUE_TIMEOUT, "canceled")),
        (Ending(call("canceled"), by_us=False), CallOutcome.of(call("canceled"))),
        (Ending(call("completed"), by_us=False), CallOutcome.of(call("completed"))),
        (Ending(call("ringing"), by_us=False), LookAgain(START + 5)),
        (Ending(call("queued"), by_us=True), LookAgain(START + 5)),
        (AWAY, LookAgain(START + 10)),
        (
            REFUSED,
            ended(Reason.UNKNOWN, None, f"in Twilio's queue it could not be canceled: {REFUSED}"),
        ),
    ],
)
def test_what_came_of_canceling_it_in_the_queue(news: Ending | Fault, decision: Decision) -> None:
    watched = watch(queue_deadline=QueueDeadline(START))
    watched.observe(call("queued"), START)
    assert watched.observe_cancellation(news, START) == decision


@pytest.mark.parametrize("came_of_it", [Ending(call("queued"), by_us=True), TwilioAmbiguousError("lost")])
def test_a_cancellation_shows_at_a_later_look(came_of_it: Ending | Fault) -> None:
    watched = watch(queue_deadline=QueueDeadline(START))
    watched.observe(call("queued"), START)
    watched.observe_cancellation(came_of_it, START)
    assert watched.observe(call("canceled"), START + 5) == ended(Reason.QUEUE_TIMEOUT, "canceled")


def test_a_call_that_was_seen_ringing_is_never_canceled() -> None:
    watched = watch(queue_deadline=QueueDeadline(START))
    watched.observe(call("ringing"), START)
    assert watched.observe(call("queued"), START + 5) == LookAgain(START + 10)


@pytest.mark.parametrize(
    ("news", "pauses"),
    [
        ([AWAY] * 5, [10, 20, 40, 60, 60]),
        ([AWAY, AWAY, call("ringing"), AWAY], [10, 20, 5, 10]),
    ],
)
def test_pauses_grow_with_errors(news: list[Call | Fault], pauses: list[float]) -> None:
    watched = watch()
    assert [watched.observe(each, START) for each in news] == [LookAgain(START + pause) for pause in pauses]


@pytest.mark.parametrize(
    ("news", "is_given_up"),
    [
        ([(0, UNKNOWN), (1, UNKNOWN), (300, UNKNOWN)], True),
        ([(0, UNKNOWN), (1, UNKNOWN), (299, UNKNOWN)], False),
        ([(0, UNKNOWN), (300, UNKNOWN)], False),
        ([(0, UNKNOWN), (1, AWAY), (300, UNKNOWN)], False),
        ([(0, UNKNOWN), (1, call("ringing")), (300, UNKNOWN)], False),
    ],
)
def test_a_call_is_given_up_that_nobody_finds_for_five_minutes(
    news: list[tuple[float, Call | Fault]], is_given_up: bool
) -> None:
    watched = watch()
    *_, last = [watched.observe(each, START + after) for after, each in news]
    assert isinstance(last, CallOutcome) is is_given_up


@pytest.mark.parametrize(
    "result",
    [
        CallOutcome.of(call("completed", to=NUMBER)),
        CallOutcome(Reason.OVERDUE, None, "no connection"),
        CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled", to=NUMBER)),
        CallOutcome(Reason.TIMED_OUT, call("ringing", to=NUMBER), "it is still ringing"),
    ],
)
def test_a_result_travels_as_json_without_a_whole_phone_number(result: CallOutcome) -> None:
    text = json.dumps(result.to_event())
    assert NUMBER not in text
    back = CallOutcome.from_event(json.loads(text))
    assert (back.reason, back.why) == (result.reason, result.why)
    assert (back.call and back.call.status) == (result.call and result.call.status)


# What a list shows ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "status", "decision"),
    [
        ({}, CallStatus.QUEUED, LookAgain(START + 5)),
        ({}, CallStatus.IN_PROGRESS, LookAgain(START + 5)),
        ({"deadline": START + 3}, CallStatus.IN_PROGRESS, LookAgain(START + 3)),
        ({"queue_deadline": QueueDeadline(START + 2)}, CallStatus.QUEUED, LookAgain(START + 2)),
        # What is decided now needs a look at the call itself.
        ({"deadline": START}, CallStatus.IN_PROGRESS, None),
        ({"timeout_at": START}, CallStatus.RINGING, None),
        ({"queue_deadline": QueueDeadline(START)}, CallStatus.QUEUED, None),
        # It has left the queue.
        ({"queue_deadline": QueueDeadline(START)}, CallStatus.RINGING, LookAgain(START + 5)),
    ],
)
def test_a_call_that_a_list_shows_going_on(
    how: dict[str, Any], status: CallStatus, decision: LookAgain | None
) -> None:
    assert watch(**how).observe_going_on(status, START) == decision


def test_a_list_by_twilios_clock_tells_whether_a_call_is_queued_too_long() -> None:
    watched = watch(queue_deadline=QueueDeadline(START + 10))
    assert watched.observe_going_on(CallStatus.QUEUED, START, clock_offset=9) == LookAgain(START + 1)
    assert watched.observe_going_on(CallStatus.QUEUED, START, clock_offset=11) is None


@pytest.mark.parametrize(
    ("awaits", "status", "is_news"),
    [
        ("end", CallStatus.IN_PROGRESS, False),
        ("end", CallStatus.BUSY, True),
        ("ring", CallStatus.QUEUED, False),
        ("ring", CallStatus.RINGING, True),
    ],
)
def test_what_is_news_depends_on_what_is_awaited(awaits: Any, status: CallStatus, *, is_news: bool) -> None:
    assert watch(awaits=awaits).is_news(status) is is_news


def test_what_a_list_shows_is_logged_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    watched = watch()
    with caplog.at_level("INFO"):
        watched.observe_going_on(CallStatus.RINGING, START)
        watched.observe_going_on(CallStatus.RINGING, START)
        watched.observe(call("ringing"), START)
        watched.observe(call("completed"), START)
    assert caplog.messages == [f"Call {SID} is ringing.", f"Call {SID} is completed."]


def test_an_end_without_a_look_does_not_tell_of_the_call_as_it_was_before_the_list_showed_another_status() -> (
    None
):
    watched = watch(deadline=START + 8)
    watched.observe(call("queued"), START)
    watched.observe_going_on(CallStatus.IN_PROGRESS, START + 5)
    assert watched.observe(AWAY, START + 8) == ended(Reason.OVERDUE, None, str(AWAY))


def test_a_call_that_a_list_has_shown_was_reached() -> None:
    watched = watch()
    watched.observe_going_on(CallStatus.IN_PROGRESS, START)
    watched.observe(NO_HOST, START + 5)
    assert not watched.is_for_a_person
