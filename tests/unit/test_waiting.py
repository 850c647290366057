"""Waiting for a call: what each look means, how long the pauses are, and when it stops."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable

import pytest

from airflow_provider_twiliocall import waiting
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.errors import (
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.waiting import CallWait, WaitEnd, WaitResult, deadline_of_call

SID = "CA" + "1" * 32
NUMBER = "+15551234567"
START = 1_000_000.0
AWAY = TwilioUnreachableError("nobody there", http_status=503)
UNKNOWN = TwilioNotFoundError("not known", http_status=404, code=20404)


class Clock:
    """A clock turned by hand, in the place of the module ``time``."""

    def __init__(self) -> None:
        self.now = START

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def call(status: str) -> Call:
    return Call.model_validate({"sid": SID, "status": status, "to": NUMBER, "from": "+15557654321"})


def scripted(*answers: str | TwilioError) -> Callable[[str], Call]:
    """Answer each look in turn: with a call in that status, or with an error."""
    turns = iter(answers)

    def get_call(sid: str) -> Call:
        answer = next(turns)
        if isinstance(answer, TwilioError):
            raise answer
        return call(answer)

    return get_call


def wait_seeing(
    *answers: str | TwilioError,
    deadline: float | None = None,
    queue_deadline: float | None = None,
    timeout_at: float | None = None,
    poll_interval: float = 5,
) -> CallWait:
    return CallWait(
        SID,
        scripted(*answers),
        poll_interval=poll_interval,
        deadline=deadline,
        queue_deadline=queue_deadline,
        timeout_at=timeout_at,
    )


@pytest.mark.parametrize("status", ["completed", "busy", "failed", "no-answer", "canceled"])
def test_a_call_that_is_over_ends_the_wait(status: str) -> None:
    assert wait_seeing(status).look() == WaitResult(WaitEnd.OVER, call(status))


@pytest.mark.parametrize("status", ["queued", "ringing", "in-progress", "of-the-future"])
def test_a_call_that_goes_on_keeps_the_wait_going(status: str) -> None:
    assert wait_seeing(status).look() is None


def test_a_wait_without_deadlines_pauses_for_the_poll_interval() -> None:
    wait = wait_seeing("ringing", poll_interval=7)
    wait.look()
    assert wait.pause() == 7


def test_a_call_still_going_on_at_the_deadline_ends_the_wait(clock: Clock) -> None:
    wait = wait_seeing("ringing", "in-progress", deadline=START + 10)
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == WaitResult(WaitEnd.DEADLINE, call("in-progress"), "it is still in-progress")


def test_a_call_over_by_the_deadline_is_over_all_the_same(clock: Clock) -> None:
    wait = wait_seeing("completed", deadline=START - 10)
    assert wait.look() == WaitResult(WaitEnd.OVER, call("completed"))


def test_a_call_still_queued_at_the_queue_deadline_ends_the_wait(clock: Clock) -> None:
    wait = wait_seeing("queued", "queued", deadline=START + 100, queue_deadline=START + 10)
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == WaitResult(WaitEnd.QUEUED_TOO_LONG, call("queued"))


def test_a_call_that_rings_at_the_queue_deadline_is_waited_for(clock: Clock) -> None:
    wait = wait_seeing("ringing", queue_deadline=START - 1)
    assert wait.look() is None
    assert wait.pause() == 5


def test_a_call_that_goes_on_when_the_tasks_time_is_up_ends_the_wait(clock: Clock) -> None:
    wait = wait_seeing("ringing", "in-progress", deadline=START + 100, timeout_at=START + 10)
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == WaitResult(WaitEnd.TIMED_OUT, call("in-progress"), "it is still in-progress")


def test_a_call_over_when_the_tasks_time_is_up_is_over_all_the_same(clock: Clock) -> None:
    wait = wait_seeing("completed", timeout_at=START - 10)
    assert wait.look() == WaitResult(WaitEnd.OVER, call("completed"))


def test_weather_when_the_tasks_time_is_up_ends_the_wait_too(clock: Clock) -> None:
    wait = wait_seeing("ringing", AWAY, timeout_at=START + 10)
    wait.look()
    clock.now += 10
    assert wait.look() == WaitResult(WaitEnd.TIMED_OUT, call("ringing"), str(AWAY))


def test_a_deadline_that_has_passed_comes_before_the_tasks_own_time(clock: Clock) -> None:
    wait = wait_seeing("ringing", deadline=START, timeout_at=START)
    assert wait.look() == WaitResult(WaitEnd.DEADLINE, call("ringing"), "it is still ringing")


def test_a_pause_never_oversleeps_the_tasks_time(clock: Clock) -> None:
    assert wait_seeing(deadline=START + 4, queue_deadline=START + 3, timeout_at=START + 2).pause() == 2


def test_a_pause_never_oversleeps_a_deadline(clock: Clock) -> None:
    assert wait_seeing(deadline=START + 3, queue_deadline=START + 2).pause() == 2
    assert wait_seeing(deadline=START + 3).pause() == 3


def test_a_refusal_ends_the_wait_with_the_call_as_last_seen() -> None:
    wait = wait_seeing("ringing", TwilioRejectedError("no", http_status=401, code=20003))
    wait.look()
    result = wait.look()
    assert result is not None and (result.end, result.call) == (WaitEnd.REFUSED, call("ringing"))
    assert "Check login" in str(result.problem)


@pytest.mark.parametrize("weather", [AWAY, UNKNOWN, TwilioThrottledError("later"), TwilioError("odd")])
def test_weather_is_waited_out(weather: TwilioError) -> None:
    wait = wait_seeing(weather, "completed")
    assert wait.look() is None
    assert wait.look() == WaitResult(WaitEnd.OVER, call("completed"))


def test_weather_is_logged_once_for_each_change_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
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


def test_pauses_grow_in_weather_up_to_a_minute_and_shrink_again_after_it() -> None:
    wait = wait_seeing(*[AWAY] * 12, "ringing")
    pauses = [(wait.look(), wait.pause())[1] for _ in range(13)]
    assert pauses == [10, 20, 40, *[60] * 9, 5]


def test_a_poll_interval_beyond_a_minute_is_kept_in_weather() -> None:
    wait = wait_seeing(AWAY, poll_interval=300)
    wait.look()
    assert wait.pause() == 300


@pytest.mark.parametrize(("asked", "paused"), [(30.0, 30), (3600.0, 60), (0.5, 10), (None, 10)])
def test_a_pause_that_twilio_asks_for_is_kept_up_to_a_minute(asked: float | None, paused: float) -> None:
    wait = wait_seeing(TwilioThrottledError("later", http_status=429, retry_after=asked))
    wait.look()
    assert wait.pause() == paused


def test_weather_at_the_deadline_ends_the_wait_and_says_what_it_was(clock: Clock) -> None:
    wait = wait_seeing("ringing", AWAY, AWAY, deadline=START + 10)
    wait.look()
    assert wait.look() is None
    clock.now += 10
    assert wait.look() == WaitResult(WaitEnd.DEADLINE, call("ringing"), str(AWAY))


def test_a_call_unknown_for_five_minutes_ends_the_wait(clock: Clock) -> None:
    wait = wait_seeing(UNKNOWN, UNKNOWN, UNKNOWN)
    assert wait.look() is None
    clock.now += 299
    assert wait.look() is None
    clock.now += 1
    assert wait.look() == WaitResult(WaitEnd.REFUSED, None, str(UNKNOWN))


@pytest.mark.parametrize("between", ["ringing", AWAY])
def test_a_call_unknown_now_and_then_is_waited_for(clock: Clock, between: str | TwilioError) -> None:
    wait = wait_seeing(UNKNOWN, between, UNKNOWN)
    wait.look()
    wait.look()
    clock.now += 1000
    assert wait.look() is None


def test_a_refusal_that_is_not_twilios_own_word_does_not_end_the_wait(clock: Clock) -> None:
    page_of_a_proxy = TwilioRejectedError("Forbidden", http_status=403)
    wait = wait_seeing(page_of_a_proxy, "completed")
    assert wait.look() is None
    assert wait.look() == WaitResult(WaitEnd.OVER, call("completed"))


def test_a_call_that_another_process_did_not_find_for_long_ends_the_wait(clock: Clock) -> None:
    wait = wait_seeing(UNKNOWN, UNKNOWN, UNKNOWN)
    wait.unknown_since = START - 300
    assert [wait.look(), wait.look()] == [None, None]
    assert wait.look() == WaitResult(WaitEnd.REFUSED, None, str(UNKNOWN))


@pytest.mark.parametrize(
    "result",
    [
        WaitResult(WaitEnd.OVER, call("completed")),
        WaitResult(WaitEnd.DEADLINE, None, "no connection"),
        WaitResult(WaitEnd.QUEUED_TOO_LONG, call("queued")),
        WaitResult(WaitEnd.TIMED_OUT, call("ringing"), "it is still ringing"),
    ],
)
def test_a_result_travels_as_json_without_a_whole_phone_number(result: WaitResult) -> None:
    text = json.dumps(result.to_event())
    assert NUMBER not in text
    back = WaitResult.from_event(json.loads(text))
    assert (back.end, back.problem) == (result.end, result.problem)
    assert (back.call and back.call.status) == (result.call and result.call.status)


def test_a_call_is_over_after_queue_ringing_and_talking_with_some_margin() -> None:
    deadline = deadline_of_call(START, queue_timeout=100, ring_timeout=30, time_limit=600)
    assert deadline == START + 100 + 30 + 5 + 600 + 60


@pytest.mark.parametrize("time_limit", [None, 14_400, 10**17])
def test_no_call_is_waited_for_beyond_twilios_own_limit(time_limit: int | None) -> None:
    deadline = deadline_of_call(START, queue_timeout=100, ring_timeout=None, time_limit=time_limit)
    assert deadline == START + 100 + 60 + 5 + 14_400 + 60
