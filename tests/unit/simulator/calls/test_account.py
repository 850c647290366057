"""The queue and the life of calls to the second, by a clock turned by hand."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.simulator import Clock
from airflow_provider_twiliocall.simulator.calls.account import FROM_NUMBER, Account
from airflow_provider_twiliocall.simulator.calls.simulated_call import SimulatedCall
from airflow_provider_twiliocall.simulator.problem import Problem
from airflow_provider_twiliocall.simulator.twilio_api.resources import call_body
from airflow_provider_twiliocall.twilio.call import CallStatus

HUMAN, VOICEMAIL, NEVER_DIALED = "+15005551000", "+15005551200", "+15005551105"


@pytest.fixture
def clock() -> Clock:
    return Clock(read=lambda: 1_000_000.0)


@pytest.fixture
def account(clock: Clock) -> Account:
    return Account(clock)


def place(account: Account, to: str = HUMAN, **form: str) -> SimulatedCall:
    return account.create((("To", to), ("From", FROM_NUMBER), *form.items()))


def shown(account: Account, call: SimulatedCall) -> dict[str, Any]:
    return call_body(account.find(call.sid), account.clock)


def test_a_call_rings_talks_ends_and_is_priced_to_the_second(account: Account, clock: Clock) -> None:
    call = place(account)
    statuses = []
    for seconds in (0, 2.9, 0.1, 7.9, 0.1):
        clock.skip(seconds)
        statuses.append(shown(account, call)["status"])
    clock.skip(4.9)
    before = shown(account, call)["price"]
    clock.skip(0.1)

    assert statuses == ["ringing", "ringing", "in-progress", "in-progress", "completed"]
    assert (before, shown(account, call)["price"]) == (None, "-0.01300")


def test_a_call_that_was_canceled_in_the_queue_takes_nobodys_turn(account: Account, clock: Clock) -> None:
    calls = [place(account) for _ in range(4)]
    account.end(calls[1].sid, CallStatus.CANCELED)
    clock.skip(60)

    assert [shown(account, call)["queue_time"] for call in calls] == ["0", "0", "1000", "2000"]
    assert shown(account, calls[1])["start_time"] is None


def test_a_call_that_never_leaves_the_queue_holds_nobody_up(account: Account, clock: Clock) -> None:
    stuck, next_one = place(account, NEVER_DIALED), place(account)
    clock.skip(3600)

    assert (stuck.status, next_one.status) == (CallStatus.QUEUED, CallStatus.QUEUED)
    assert shown(account, next_one)["status"] == "completed"
    assert shown(account, stuck)["status"] == "queued"


def test_more_calls_a_second_leave_the_queue_sooner(clock: Clock) -> None:
    account = Account(clock, calls_per_second=4)
    calls = [place(account) for _ in range(3)]
    clock.skip(60)

    assert [shown(account, call)["queue_time"] for call in calls] == ["0", "250", "500"]


def test_a_call_placed_to_an_idle_queue_goes_at_once(account: Account, clock: Clock) -> None:
    place(account)
    clock.skip(100)
    later = place(account)

    assert shown(account, later)["queue_time"] == "0"


def test_a_hang_up_during_the_talk_gives_the_seconds_talked(account: Account, clock: Clock) -> None:
    call = place(account)
    clock.skip(3 + 5)
    account.end(call.sid, CallStatus.COMPLETED)
    clock.skip(60)

    assert (shown(account, call)["status"], shown(account, call)["duration"]) == ("completed", "5")


def test_completing_a_call_nobody_answered_does_not_make_it_a_conversation(
    account: Account, clock: Clock
) -> None:
    call = place(account)
    clock.skip(1)
    account.end(call.sid, CallStatus.COMPLETED)
    clock.skip(60)

    assert (shown(account, call)["status"], shown(account, call)["duration"]) == ("canceled", "0")


def test_who_answered_is_known_once_detection_has_listened(account: Account, clock: Clock) -> None:
    call = place(account, VOICEMAIL, MachineDetection="DetectMessageEnd")
    clock.skip(15 + 9.9)
    before = shown(account, call)
    clock.skip(0.1)
    after = shown(account, call)

    assert (before["status"], before["answered_by"]) == ("in-progress", None)
    assert (after["status"], after["answered_by"]) == ("in-progress", "machine_end_beep")


def test_a_time_limit_ends_a_call_before_detection_knows(account: Account, clock: Clock) -> None:
    call = place(account, VOICEMAIL, MachineDetection="DetectMessageEnd", TimeLimit="5")
    clock.skip(60)

    assert (shown(account, call)["answered_by"], shown(account, call)["duration"]) == (None, "5")


def test_a_call_is_shown_as_it_was(account: Account, clock: Clock) -> None:
    call = place(account)
    placed = clock.now()
    clock.skip(60)
    account.find(call.sid)

    then = call_body(call, clock, placed + 1)

    assert (then["status"], then["end_time"], then["duration"], then["price"]) == ("ringing", None, "0", None)


def test_a_call_that_is_over_cannot_be_ended(account: Account, clock: Clock) -> None:
    call = place(account)
    clock.skip(60)

    with pytest.raises(Problem) as refusal:
        account.end(call.sid, CallStatus.COMPLETED)
    assert refusal.value.code == 21220


def test_what_happens_next_is_known(account: Account, clock: Clock) -> None:
    idle = account.next_instant()
    place(account)
    account.advance()

    assert (idle, account.next_instant()) == (None, clock.now() + 3)


@pytest.mark.parametrize("number", ["5005551000", "client:alice", "+0123456789"])
def test_only_numbers_in_e164_can_be_owned(account: Account, number: str) -> None:
    with pytest.raises(ValueError, match=r"not E\.164"):
        account.own(number)
