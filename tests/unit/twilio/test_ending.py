"""Ending a call: what each wish asks of Twilio in each state, whether it was us, and transient errors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_provider_twiliocall.twilio.ending import (
    LONGEST_PAUSE_S,
    Ending,
    HowToEnd,
    WhenKilled,
    cancel_queued_call,
    end_call,
    look_instead,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import (
    CALL_IS_OVER,
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from tests.support.turned_clock import TurnedClock
from tests.unit.scripted_twilio import SID, ScriptedTwilio, call

IS_OVER = TwilioRejectedError("over", http_status=400, code=CALL_IS_OVER)
REFUSED = TwilioRejectedError("no", http_status=401, code=20003)
PAGE_OF_A_PROXY = TwilioRejectedError("Forbidden", http_status=403)
AWAY = TwilioUnreachableError("away")
LOST = TwilioAmbiguousError("lost")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock().install(monkeypatch)


# What each wish asks


@pytest.mark.parametrize(
    ("how", "answers", "asked", "expected"),
    [
        ("cancel", ["canceled"], ["canceled"], ("canceled", True)),
        ("hang_up", ["canceled"], ["canceled"], ("canceled", True)),
        ("cancel", ["in-progress"], ["canceled"], ("in-progress", False)),
        ("cancel", [IS_OVER, "in-progress"], ["canceled", "look"], ("in-progress", False)),
        ("cancel", [IS_OVER, "completed"], ["canceled", "look"], ("completed", False)),
        ("hang_up", [IS_OVER, "busy"], ["canceled", "look"], ("busy", False)),
        ("hang_up", ["in-progress", "completed"], ["canceled", "completed"], ("completed", True)),
        # Twilio has taken the wish, and answers with the call as it was before.
        ("cancel", ["queued", "canceled"], ["canceled", "look"], ("canceled", True)),
        ("cancel", ["ringing", "in-progress"], ["canceled", "look"], ("in-progress", False)),
        ("cancel", ["ringing", "completed"], ["canceled", "look"], ("completed", False)),
        ("hang_up", ["queued", "canceled"], ["canceled", "look"], ("canceled", True)),
        (
            "hang_up",
            ["ringing", "in-progress", "completed"],
            ["canceled", "look", "completed"],
            ("completed", True),
        ),
        (
            "hang_up",
            [IS_OVER, "in-progress", "completed"],
            ["canceled", "look", "completed"],
            ("completed", True),
        ),
        (
            "hang_up",
            [IS_OVER, "in-progress", IS_OVER, "completed"],
            ["canceled", "look", "completed", "look"],
            ("completed", False),
        ),
    ],
)
def test_a_wish_asks_no_more_than_it_needs_and_knows_whose_end_it_was(
    how: HowToEnd, answers: list[str | TwilioError], asked: list[str], expected: tuple[str, bool]
) -> None:
    client = ScriptedTwilio(*answers)
    ending = end_call(client, SID, how)  # type: ignore[arg-type]
    assert (ending.call.status.value, ending.by_us) == expected
    assert client.asked == asked


@pytest.mark.parametrize("look", ["queued", AWAY, TwilioNotFoundError("fresh", code=20404)], ids=str)
@pytest.mark.parametrize("how", ["cancel", "hang_up"])
def test_what_twilio_has_taken_and_does_not_show_yet_is_asked_again_and_was_us(
    how: HowToEnd, look: str | TwilioError
) -> None:
    client = ScriptedTwilio("queued", look, IS_OVER, "canceled")
    ending = retry_until(lambda: end_call(client, SID, how), SID, how=how, until=60)  # type: ignore[arg-type]
    assert ending == Ending(call("canceled"), by_us=True)


def test_what_twilio_has_taken_and_never_shows_stays_open() -> None:
    client = ScriptedTwilio("queued")
    with pytest.raises(TwilioAmbiguousError, match=f"Twilio has agreed to end call {SID}"):
        retry_until(lambda: end_call(client, SID, "cancel"), SID, until=60)  # type: ignore[arg-type]


@pytest.mark.parametrize("answers", [[REFUSED], ["in-progress", REFUSED]])
def test_a_refusal_is_passed_on(answers: list[str | TwilioError]) -> None:
    with pytest.raises(TwilioRejectedError, match="20003"):
        end_call(ScriptedTwilio(*answers), SID, "hang_up")  # type: ignore[arg-type]


def test_a_call_that_is_left_alone_is_only_looked_at() -> None:
    client = ScriptedTwilio("ringing")
    assert look_instead(client, SID) == Ending(call("ringing"), by_us=False)  # type: ignore[arg-type]
    assert client.asked == ["look"]


@pytest.mark.parametrize(
    ("answers", "asked", "expected"),
    [
        (["queued", "canceled"], ["canceled"], ("canceled", True)),
        (["ringing"], [], ("ringing", False)),
        (["queued", IS_OVER, "in-progress"], ["canceled", "look"], ("in-progress", False)),
        (["completed"], [], ("completed", False)),
    ],
)
def test_only_a_call_that_is_queued_is_taken_out_of_the_queue(
    answers: list[str | TwilioError], asked: list[str], expected: tuple[str, bool]
) -> None:
    seen, *rest = answers
    client = ScriptedTwilio(*rest)
    ending = cancel_queued_call(client, call(str(seen)))  # type: ignore[arg-type]
    assert (ending.call.status.value, ending.by_us) == expected
    assert client.asked == asked


@pytest.mark.parametrize(
    ("ending", "said"),
    [
        (Ending(call("canceled"), by_us=True), "was ended by this task, and is canceled."),
        (Ending(call("completed"), by_us=False), "was over already: completed."),
        (Ending(call("in-progress"), by_us=False), "is in-progress and goes on."),
    ],
)
def test_an_ending_says_what_came_of_it(ending: Ending, said: str) -> None:
    assert str(ending) == f"Call {SID} {said}"


# Transient errors


def scripted(*answers: Ending | TwilioError) -> Callable[[], Ending]:
    turns = iter(answers)

    def end() -> Ending:
        answer = next(turns)
        if isinstance(answer, TwilioError):
            raise answer
        return answer

    return end


ENDED = Ending(call("canceled"), by_us=True)


@pytest.mark.parametrize(
    "error",
    [AWAY, LOST, PAGE_OF_A_PROXY, TwilioThrottledError("later"), TwilioNotFoundError("fresh", code=20404)],
)
def test_a_transient_error_is_waited_out(error: TwilioError, clock: TurnedClock) -> None:
    assert retry_until(scripted(error, error, ENDED), SID, until=60) == ENDED
    assert clock.slept == [1, 2]


def test_pauses_grow_up_to_a_minute(clock: TurnedClock) -> None:
    retry_until(scripted(*[AWAY] * 9, ENDED), SID, until=10_000)
    assert clock.slept[:3] == [1, 2, 4]
    assert clock.slept[-1] == LONGEST_PAUSE_S


def test_a_transient_error_that_lasts_is_passed_on_when_time_is_up(clock: TurnedClock) -> None:
    with pytest.raises(TwilioUnreachableError):
        retry_until(scripted(*[AWAY] * 100), SID, until=30)
    assert clock.now <= 30


def test_twilios_own_refusal_is_passed_on_at_once(clock: TurnedClock) -> None:
    with pytest.raises(TwilioRejectedError):
        retry_until(scripted(REFUSED), SID, until=1000)
    assert clock.slept == []


def test_a_call_found_canceled_after_an_answer_was_lost_was_canceled_by_us() -> None:
    found = Ending(call("canceled"), by_us=False)
    assert retry_until(scripted(LOST, found), SID, until=60).by_us


def test_a_call_found_canceled_after_twilio_was_away_was_canceled_by_somebody_else() -> None:
    found = Ending(call("canceled"), by_us=False)
    assert not retry_until(scripted(AWAY, found), SID, until=60).by_us


def test_a_call_that_goes_on_after_an_answer_was_lost_was_not_ended() -> None:
    going_on = Ending(call("in-progress"), by_us=False)
    assert not retry_until(scripted(LOST, going_on), SID, until=60).by_us


@pytest.mark.parametrize("status", ["completed", "busy", "no-answer", "failed"])
def test_a_call_that_no_cancellation_can_have_ended_is_not_ours_after_a_lost_answer(status: str) -> None:
    client = ScriptedTwilio(LOST, IS_OVER, status)
    ending = retry_until(lambda: end_call(client, SID, "cancel"), SID, until=60)  # type: ignore[arg-type]
    assert not ending.by_us


@pytest.mark.parametrize(("how", "said"), [("leave", "look at"), ("cancel", "end"), ("hang_up", "end")])
def test_what_cannot_be_done_for_now_is_what_was_wanted(
    how: WhenKilled, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    retry_until(scripted(AWAY, ENDED), SID, how=how, until=60)
    assert f"Cannot {said} call {SID} for now: away" in caplog.text


@pytest.mark.parametrize("first", [["ringing", "ringing"], [LOST]], ids=["stale", "lost"])
def test_a_call_that_completed_while_only_its_cancellation_was_asked_for_was_not_ended_by_us(
    first: list[str | TwilioError],
) -> None:
    client = ScriptedTwilio(*first, IS_OVER, "completed")
    ending = retry_until(lambda: end_call(client, SID, "hang_up"), SID, how="hang_up", until=60)  # type: ignore[arg-type]
    assert ending == Ending(call("completed"), by_us=False)


def test_a_call_whose_hang_up_got_no_answer_and_that_is_completed_then_was_ended_by_us() -> None:
    client = ScriptedTwilio("in-progress", LOST, IS_OVER, "completed")
    ending = retry_until(lambda: end_call(client, SID, "hang_up"), SID, how="hang_up", until=60)  # type: ignore[arg-type]
    assert ending == Ending(call("completed"), by_us=True)
