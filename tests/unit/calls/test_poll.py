"""Looking at a call as who waits for it does: what each look means, how long the pauses are, and when it stops."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from airflow_provider_twiliocall import clock as the_clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import CallWatch, LookAgain
from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from tests.support.turned_clock import TurnedClock
from tests.unit.scripted_twilio import SID, ScriptedTwilio, call

NUMBER = "+15551234567"
START = 1_000_000.0
AWAY = TwilioUnreachableError("nobody there", http_status=503)
IS_OVER = TwilioRejectedError("over", http_status=400, code=21220)
UNKNOWN = TwilioNotFoundError("not known", http_status=404, code=20404)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(START).install(monkeypatch)


class Waiting:
    """Who waits for the call: looks, and pauses until the next look."""

    def __init__(self, client: ScriptedTwilio, **when: Any) -> None:
        self.watch = CallWatch(SID, **{"poll_interval": 5, **when})
        self._poll = CallPoll(self.watch, lambda: client)  # type: ignore[arg-type, return-value]
        self._next_look = 0.0

    def look(self) -> CallOutcome | None:
        decision = self._poll.look()
        if isinstance(decision, LookAgain):
            self._next_look = decision.at
            return None
        return decision

    def pause(self) -> float:
        return self._next_look - the_clock.time()


def wait_for(client: ScriptedTwilio, **when: Any) -> Waiting:
    return Waiting(client, **when)


def wait_seeing(*answers: str | Call | TwilioError, **when: Any) -> Waiting:
    return wait_for(ScriptedTwilio(*answers), **when)


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
def test_a_call_that_is_over_ends_the_wait(status: str) -> None:
    assert wait_seeing(status).look() == CallOutcome.of(call(status))


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "of-the-future"])
def test_a_call_that_goes_on_keeps_the_wait_going(status: str) -> None:
    assert wait_seeing(status).look() is None


def test_a_wait_without_deadlines_pauses_for_the_poll_interval() -> None:
    wait = wait_seeing("ringing", poll_interval=7)
    wait.look()
    assert wait.pause() == 7


def test_a_call_still_going_on_at_the_deadline_ends_the_wait(clock: TurnedClock) -> None:
    wait = wait_seeing("ringing", "in-progress", deadline=START + 10)
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == CallOutcome(Reason.OVERDUE, call("in-progress"), "it is still in-progress")


def test_a_call_over_by_the_deadline_is_over_all_the_same(clock: TurnedClock) -> None:
    wait = wait_seeing("completed", deadline=START - 10)
    assert wait.look() == CallOutcome.of(call("completed"))


# Twilio's queue


def test_a_call_still_queued_at_the_queue_deadline_is_canceled_while_queued(clock: TurnedClock) -> None:
    client = ScriptedTwilio("queued", "queued", "canceled")
    wait = wait_for(client, deadline=START + 100, queue_deadline=QueueDeadline(START + 10))
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled"))
    assert client.asked == ["look", "look", "canceled"]


def test_a_call_that_rings_at_the_queue_deadline_is_waited_for(clock: TurnedClock) -> None:
    client = ScriptedTwilio("ringing")
    wait = wait_for(client, queue_deadline=QueueDeadline(START - 1))
    assert wait.look() is None
    assert wait.pause() == 5
    assert client.asked == ["look"]


def test_a_call_that_was_seen_ringing_is_not_canceled_while_queued_for_an_answer_that_is_behind(
    clock: TurnedClock,
) -> None:
    client = ScriptedTwilio("ringing", "queued", "queued", "in-progress")
    wait = wait_for(client, queue_deadline=QueueDeadline(START - 1))
    assert [wait.look(), wait.look(), wait.look(), wait.look()] == [None] * 4
    assert client.asked == ["look"] * 4
    # Nor by a trigger that the wait is handed to.
    assert wait.watch.queue_deadline is None


@pytest.mark.parametrize(("ahead", "asked"), [(90.0, ["look", "canceled"]), (-90.0, ["look"])])
def test_a_call_is_canceled_while_queued_by_twilios_clock(
    clock: TurnedClock, ahead: float, asked: list[str]
) -> None:
    client = ScriptedTwilio("queued", "canceled")
    client.clock_offset = ahead
    wait_for(client, queue_deadline=QueueDeadline(START)).look()
    assert client.asked == asked


def test_a_pause_ends_when_the_queues_time_is_up_by_twilios_clock(clock: TurnedClock) -> None:
    client = ScriptedTwilio("queued")
    client.clock_offset = 90.0
    wait = wait_for(client, queue_deadline=QueueDeadline(START + 92))
    wait.look()
    assert wait.pause() == 2


def test_looks_come_closer_to_each_other_when_the_call_may_ring_too_late(clock: TurnedClock) -> None:
    wait = wait_seeing("queued", *[AWAY] * 8, queue_deadline=QueueDeadline(START + 200))
    looks = [wait.look() for _ in range(8)]
    assert looks == [None] * 8
    assert wait.pause() == 60
    clock.now += 200
    assert wait.look() is None
    assert wait.pause() == 10


@pytest.mark.parametrize("awaits", ["end", "ring"])
def test_a_call_that_twilio_shows_as_it_was_after_it_was_canceled_is_looked_at_again(
    clock: TurnedClock, awaits: str
) -> None:
    wait = wait_seeing("queued", "ringing", "canceled", queue_deadline=QueueDeadline(START), awaits=awaits)
    assert wait.look() is None
    assert wait.look() == CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled"))


def test_a_call_that_leaves_the_queue_in_that_moment_is_waited_for(clock: TurnedClock) -> None:
    client = ScriptedTwilio("queued", IS_OVER, "in-progress", "completed")
    wait = wait_for(client, queue_deadline=QueueDeadline(START))
    assert wait.look() is None
    assert wait.look() == CallOutcome.of(call("completed"))
    assert client.asked == ["look", "canceled", "look", "look"]


@pytest.mark.parametrize("lost", [AWAY, TwilioAmbiguousError("lost")])
def test_canceling_while_queued_is_tried_again_after_transient_errors(
    clock: TurnedClock, lost: TwilioError
) -> None:
    client = ScriptedTwilio("queued", lost, "queued", "canceled")
    wait = wait_for(client, queue_deadline=QueueDeadline(START))
    assert wait.look() is None
    assert wait.pause() > 5
    assert wait.look() == CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled"))


def test_a_call_was_canceled_while_queued_also_where_the_answer_that_says_so_was_lost(
    clock: TurnedClock,
) -> None:
    wait = wait_seeing(
        "queued", TwilioAmbiguousError("lost"), "canceled", queue_deadline=QueueDeadline(START)
    )
    assert wait.look() is None
    assert wait.look() == CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled"))


def test_a_call_that_somebody_else_has_canceled_was_not_canceled_while_queued_by_this_wait(
    clock: TurnedClock,
) -> None:
    assert wait_seeing("canceled", queue_deadline=QueueDeadline(START)).look() == CallOutcome.of(
        call("canceled")
    )


def test_a_call_that_may_not_be_canceled_while_queued_ends_the_wait(clock: TurnedClock) -> None:
    refused = TwilioRejectedError("no", http_status=401, code=20003)
    wait = wait_seeing("queued", refused, queue_deadline=QueueDeadline(START))
    assert wait.look() == CallOutcome(
        Reason.UNKNOWN, None, f"in Twilio's queue it could not be canceled: {refused}"
    )


@pytest.mark.parametrize("status", ["ringing", "in-progress", "completed", "busy", "canceled"])
def test_a_wait_for_the_ringing_is_over_once_the_call_has_left_the_queue(
    clock: TurnedClock, status: str
) -> None:
    wait = wait_seeing("queued", status, awaits="ring", queue_deadline=QueueDeadline(START + 10))
    assert wait.look() is None
    assert wait.look() == CallOutcome(Reason.LEFT_QUEUE, call(status))


def test_a_wait_for_the_ringing_cancels_while_queued_what_would_ring_too_late(clock: TurnedClock) -> None:
    wait = wait_seeing("queued", "canceled", awaits="ring", queue_deadline=QueueDeadline(START))
    assert wait.look() == CallOutcome(Reason.QUEUE_TIMEOUT, call("canceled"))


# The task's own time


def test_a_call_that_goes_on_when_the_tasks_time_is_up_ends_the_wait(clock: TurnedClock) -> None:
    wait = wait_seeing("ringing", "in-progress", deadline=START + 100, timeout_at=START + 10)
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == CallOutcome(Reason.TIMED_OUT, call("in-progress"), "it is still in-progress")


def test_a_call_over_when_the_tasks_time_is_up_is_over_all_the_same(clock: TurnedClock) -> None:
    wait = wait_seeing("completed", timeout_at=START - 10)
    assert wait.look() == CallOutcome.of(call("completed"))


def test_a_transient_error_when_the_tasks_time_is_up_ends_the_wait_too(clock: TurnedClock) -> None:
    wait = wait_seeing("ringing", AWAY, timeout_at=START + 10)
    wait.look()
    clock.now += 10
    assert wait.look() == CallOutcome(Reason.TIMED_OUT, call("ringing"), str(AWAY))


def test_a_deadline_that_has_passed_comes_before_the_tasks_own_time(clock: TurnedClock) -> None:
    wait = wait_seeing("ringing", deadline=START, timeout_at=START)
    assert wait.look() == CallOutcome(Reason.OVERDUE, call("ringing"), "it is still ringing")


def test_a_pause_never_oversleeps_the_tasks_time(clock: TurnedClock) -> None:
    wait = wait_seeing(
        "queued", deadline=START + 4, queue_deadline=QueueDeadline(START + 3), timeout_at=START + 2
    )
    wait.look()
    assert wait.pause() == 2


def test_a_refusal_ends_the_wait_with_the_call_as_last_seen() -> None:
    wait = wait_seeing("ringing", TwilioRejectedError("no", http_status=401, code=20003))
    wait.look()
    result = wait.look()
    assert result is not None and (result.reason, result.call) == (Reason.UNKNOWN, call("ringing"))
    assert "Check login" in str(result.why)


@pytest.mark.parametrize("error", [AWAY, UNKNOWN, TwilioThrottledError("later"), TwilioError("odd")])
def test_a_transient_error_is_waited_out(error: TwilioError) -> None:
    wait = wait_seeing(error, "completed")
    assert wait.look() is None
    assert wait.look() == CallOutcome.of(call("completed"))


def test_a_transient_error_is_logged_once_for_each_change_and_its_end_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    wait = wait_seeing(AWAY, AWAY, AWAY, UNKNOWN, "ringing", "ringing", "completed")
    with caplog.at_level(logging.INFO):
        for _ in range(7):
            wait.look()
    assert [message.partition(", and go on")[0] for message in caplog.messages] == [
        f"Cannot see call {SID} for now",
        f"Cannot see call {SID} for now",
        f"Call {SID} can be seen again.",
        f"Call {SID} is ringing.",
        f"Call {SID} is completed.",
    ]


def test_pauses_grow_with_errors_up_to_a_minute_and_shrink_again_after_them() -> None:
    wait = wait_seeing(*[AWAY] * 12, "ringing")
    pauses = [(wait.look(), wait.pause())[1] for _ in range(13)]
    assert pauses == [10, 20, 40, *[60] * 9, 5]


def test_a_poll_interval_beyond_a_minute_is_kept_through_transient_errors() -> None:
    wait = wait_seeing(AWAY, poll_interval=300)
    wait.look()
    assert wait.pause() == 300


@pytest.mark.parametrize(("asked", "paused"), [(30.0, 30), (3600.0, 60), (0.5, 10), (None, 10)])
def test_a_pause_that_twilio_asks_for_is_kept_up_to_a_minute(asked: float | None, paused: float) -> None:
    wait = wait_seeing(TwilioThrottledError("later", http_status=429, retry_after=asked))
    wait.look()
    assert wait.pause() == paused


def test_a_transient_error_at_the_deadline_ends_the_wait_and_says_what_it_was(clock: TurnedClock) -> None:
    wait = wait_seeing("ringing", AWAY, AWAY, deadline=START + 10)
    wait.look()
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == CallOutcome(Reason.OVERDUE, call("ringing"), str(AWAY))


@pytest.mark.parametrize(
    ("fault", "is_for_a_person"),
    [
        (AWAY, False),
        (TwilioThrottledError("later"), False),
        (UNKNOWN, True),
        (TwilioRejectedError("Forbidden", http_status=403), True),
        (TwilioConnectionNotFoundError("There is no connection"), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_at_the_deadline_it_is_known_whether_a_person_has_to_fix_what_was_in_the_way(
    clock: TurnedClock, fault: Exception, is_for_a_person: bool
) -> None:
    wait = wait_seeing("ringing", fault, "ringing", deadline=START + 10)  # type: ignore[arg-type]
    wait.look()
    clock.now += 10
    result = wait.look()
    assert result and CallOutcome.from_event(json.loads(json.dumps(result.to_event()))) == result
    assert (result.reason, result.is_for_a_person) == (Reason.OVERDUE, is_for_a_person)


def test_a_connection_that_airflow_does_not_find_is_waited_for(
    clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    missing = [TwilioConnectionNotFoundError("There is no connection")] * 200
    wait = wait_seeing(*missing, "completed")  # type: ignore[arg-type]
    while (result := wait.look()) is None:
        clock.now += wait.pause()
    assert result.reason is Reason.COMPLETED
    assert clock.now > START + 3 * 3600
    # At first and every ten minutes.
    assert caplog.text.count("There is no connection") == 20


def test_a_call_unknown_for_five_minutes_ends_the_wait(clock: TurnedClock) -> None:
    wait = wait_seeing(UNKNOWN, UNKNOWN, UNKNOWN)
    assert wait.look() is None
    clock.now += 299
    assert wait.look() is None
    clock.now += 1
    assert wait.look() == CallOutcome(Reason.UNKNOWN, None, str(UNKNOWN))


@pytest.mark.parametrize("between", ["ringing", AWAY])
def test_a_call_unknown_now_and_then_is_waited_for(clock: TurnedClock, between: str | TwilioError) -> None:
    wait = wait_seeing(UNKNOWN, between, UNKNOWN)
    wait.look()
    wait.look()
    clock.now += 1000
    assert wait.look() is None


def test_a_refusal_that_is_not_twilios_own_word_does_not_end_the_wait(clock: TurnedClock) -> None:
    page_of_a_proxy = TwilioRejectedError("Forbidden", http_status=403)
    wait = wait_seeing(page_of_a_proxy, "completed")
    assert wait.look() is None
    assert wait.look() == CallOutcome.of(call("completed"))


def test_a_call_that_another_process_did_not_find_for_long_ends_the_wait(clock: TurnedClock) -> None:
    wait = wait_seeing(UNKNOWN, UNKNOWN, UNKNOWN)
    wait.watch.unknown_since = START - 300
    assert [wait.look(), wait.look()] == [None, None]
    assert wait.look() == CallOutcome(Reason.UNKNOWN, None, str(UNKNOWN))
