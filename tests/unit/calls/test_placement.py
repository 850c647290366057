"""Placing a call: how long Twilio's pauses are sat out, and what each error means for a retry of the task."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_twiliocall.calls import look_up
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.placement import MOST_REQUESTS, Placed, Placement
from airflow_provider_twiliocall.exceptions import TwilioCallInterruptedError
from airflow_provider_twiliocall.journal.call_journal import CallJournal
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
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.turned_clock import TurnedClock

NUMBER = "+15551234567"
PARAMS = CreateCallParams(to=NUMBER, from_="+15557654321", twiml="<Response/>")
CALL = Call.model_validate({"sid": "CA" + "1" * 32, "status": "queued"})


class ScriptedHook:
    """Answer each POST in turn, and count them; Twilio's list of calls stays empty."""

    settings = SimpleNamespace(read_timeout=15.0)
    clock_offset = 0.0

    def __init__(self, *answers: Call | TwilioError) -> None:
        self.answers = list(answers)
        self.posts = 0
        self.client = self.watcher = SimpleNamespace(
            clock_offset=None, account_sid="AC" + "a" * 32, list_calls=lambda **_: []
        )

    def create_call(self, params: CreateCallParams) -> Call:
        self.posts += 1
        answer = self.answers.pop(0)
        if isinstance(answer, TwilioError):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock().install(monkeypatch)


def dial(hook: ScriptedHook, **how: Any) -> Placed | CallOutcome:
    return Placement(hook, PARAMS, CallJournal(None, 0), **how).dial()  # type: ignore[arg-type]


def place(hook: ScriptedHook, **how: Any) -> Call | None:
    placed = dial(hook, **how)
    assert isinstance(placed, Placed)
    return placed.call


def why_not(hook: ScriptedHook, reason: Reason, **how: Any) -> str:
    outcome = dial(hook, **how)
    assert isinstance(outcome, CallOutcome)
    assert outcome.reason is reason
    return str(outcome.why)


def throttled(retry_after: float | None = None, **facts: Any) -> TwilioThrottledError:
    return TwilioThrottledError("later", retry_after=retry_after, **{"http_status": 429, **facts})


def test_a_call_that_twilio_takes_is_returned_after_one_post() -> None:
    hook = ScriptedHook(CALL)
    assert place(hook) is CALL
    assert hook.posts == 1


def test_a_short_pause_is_sat_out_as_long_as_twilio_asks(clock: TurnedClock) -> None:
    hook = ScriptedHook(throttled(20), throttled(5), CALL)
    assert place(hook) is CALL
    assert clock.slept == [20, 5]


def test_pauses_that_twilio_does_not_name_grow(clock: TurnedClock) -> None:
    place(ScriptedHook(throttled(), throttled(), throttled(), CALL))
    assert 1 <= clock.slept[0] <= 1.5 and 2 <= clock.slept[1] <= 3 and 4 <= clock.slept[2] <= 6


def test_a_pause_of_zero_seconds_is_no_leave_to_hammer(clock: TurnedClock) -> None:
    hook = ScriptedHook(*[throttled(0)] * 100)
    why_not(hook, Reason.NOT_PLACED)
    assert hook.posts < 10


def test_a_pause_longer_than_a_minute_is_left_to_the_tasks_retry(clock: TurnedClock) -> None:
    hook = ScriptedHook(throttled(61))
    assert "was not placed: later" in why_not(hook, Reason.NOT_PLACED)
    assert (hook.posts, clock.slept) == (1, [])


def test_pauses_longer_than_a_minute_together_are_left_to_the_tasks_retry(clock: TurnedClock) -> None:
    hook = ScriptedHook(throttled(40), throttled(40))
    why_not(hook, Reason.NOT_PLACED)
    assert (hook.posts, clock.slept) == (2, [40])


@pytest.mark.parametrize("code", [10004, 22005])
@pytest.mark.parametrize("http_status", [400, 429])
def test_too_many_calls_at_once_are_left_to_the_tasks_retry(code: int, http_status: int) -> None:
    hook = ScriptedHook(throttled(1, code=code, http_status=http_status))
    why_not(hook, Reason.NOT_PLACED)
    assert hook.posts == 1


def test_twilio_out_of_reach_is_left_to_the_tasks_retry() -> None:
    hook = ScriptedHook(TwilioUnreachableError("no route"))
    assert "was not placed: no route" in why_not(hook, Reason.NOT_PLACED)
    assert hook.posts == 1


@pytest.mark.parametrize("error", [TwilioRejectedError("no"), TwilioNotFoundError("no"), TwilioError("no")])
def test_a_refused_call_fails_for_good(error: TwilioError) -> None:
    hook = ScriptedHook(error)
    assert "was not placed: no" in why_not(hook, Reason.REFUSED)
    assert hook.posts == 1


def test_an_unknown_fate_fails_for_good_and_says_where_to_look(clock: TurnedClock) -> None:
    hook = ScriptedHook(TwilioAmbiguousError("reset"))
    why = why_not(hook, Reason.UNKNOWN)
    assert "Look in Twilio's call log for a call to +1*******4567" in why
    assert "if none is this task's, clear this task to dial" in why
    assert NUMBER not in why
    assert hook.posts == 1
    assert clock.now == look_up.PATIENCE_S


def test_an_unknown_fate_is_dialled_again_where_two_rings_are_better_than_none(clock: TurnedClock) -> None:
    hook = ScriptedHook(TwilioAmbiguousError("reset"), CALL)
    assert place(hook, delivery="at_least_once") is CALL
    assert hook.posts == 2
    assert clock.now == look_up.SHORT_PATIENCE_S


def test_fates_that_stay_unknown_are_left_to_the_tasks_retry_where_two_rings_are_better_than_none() -> None:
    hook = ScriptedHook(*[TwilioAmbiguousError("reset")] * (MOST_REQUESTS + 1))
    why = why_not(hook, Reason.MAYBE_PLACED, delivery="at_least_once")
    assert "a retry of this task dials again" in why
    assert hook.posts == MOST_REQUESTS


def test_a_request_whose_fate_is_unknown_is_remembered_when_it_has_become_too_late_for_another() -> None:
    hook = ScriptedHook(TwilioAmbiguousError("reset"))
    placement = Placement(
        hook,  # type: ignore[arg-type]
        PARAMS,
        CallJournal(None, 0),
        delivery="at_least_once",
        latest_ring=look_up.SHORT_PATIENCE_S,
    )
    outcome = placement.dial()
    assert isinstance(outcome, CallOutcome)
    assert (outcome.reason, placement.is_unclear) == (Reason.TOO_LATE, True)


def test_a_task_told_to_stop_dials_nothing() -> None:
    hook = ScriptedHook(CALL)
    with pytest.raises(TwilioCallInterruptedError, match="nothing was dialled"):
        place(hook, is_stopped=lambda: True)
    assert hook.posts == 0
