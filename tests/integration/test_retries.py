"""What a new try does about the call of the one before, by what the journal says and what became of the call."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.twilio.call import CallStatus
from tests.integration.ring_task import (
    SOMEBODY,
    STAYS_QUEUED,
    on,
    operations,
    place,
    posts,
    statuses,
    waiting,
)
from tests.integration.tries import FIRST_RUN, dial_and_end, dial_and_vanish, die, run, sids
from tests.support.interruption import DeadlyStore
from tests.support.task_context import StateStore, context
from tests.support.virtual_time import VirtualTime

pytestmark = pytest.mark.usefixtures("connection", "real_pace", "clock")

LONG_ENOUGH_S = 120
WHILE_IT_RINGS_S, WHILE_THEY_TALK_S = 1, 10


@pytest.fixture
def store() -> StateStore:
    return StateStore()


# The journal says nothing


def test_a_first_try_places_its_call_and_writes_it_down_without_numbers(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = run(store)
    written = store.values[KEY]
    assert sids(twilio_simulator) == [sid]
    assert (written["state"], written["call_sid"], written["max_tries"]) == ("placed", sid, FIRST_RUN)
    assert SOMEBODY[-7:] not in json.dumps(written)
    assert twilio_simulator.from_number[-7:] not in json.dumps(written)


def test_the_journal_costs_three_round_trips_for_a_placed_call(store: StateStore) -> None:
    run(store)
    assert store.round_trips <= 3


def test_a_short_pause_of_twilios_costs_two_round_trips_more_because_nothing_was_placed_and_it_is_fenced_again(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=429, code=20429, headers={"Retry-After": "1"}))
    run(store)
    assert store.round_trips <= 5


# Placed, and the call is alive


@pytest.mark.parametrize(
    "ending",
    [
        {"outcome": "human", "ring": 50},
        {"outcome": "human", "ring": 0, "talk": 60},
    ],
    ids=["ringing", "in-progress"],
)
def test_a_call_that_is_alive_is_gone_on_with(
    twilio_simulator: TwilioSimulator, store: StateStore, ending: dict[str, Any]
) -> None:
    twilio_simulator.script(SOMEBODY, ending)
    sid = dial_and_vanish(store)
    assert run(store) == sid
    assert statuses(twilio_simulator) == ["completed"]
    assert posts(twilio_simulator) == 1


def test_a_queued_call_is_gone_on_with_and_canceled_when_its_own_time_is_up(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    dial_and_vanish(store, STAYS_QUEUED)
    with pytest.raises(TwilioCallUnansweredError, match="queue_timeout"):
        run(store, STAYS_QUEUED, queue_timeout=60)
    assert statuses(twilio_simulator) == ["canceled"]


def test_a_call_that_is_alive_is_enough_for_a_task_that_does_not_wait(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store, STAYS_QUEUED)
    assert run(store, STAYS_QUEUED, wait_for_completion=False) == sid
    assert posts(twilio_simulator) == 1


def test_a_call_that_cannot_be_seen_for_now_is_waited_for_and_not_dialled_again(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store)
    twilio_simulator.inject(Fault(kind="not-found", times=3))
    assert run(store) == sid
    assert posts(twilio_simulator) == 1


def test_a_call_of_which_twilio_refuses_to_tell_is_not_dialled_again(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store)
    twilio_simulator.inject(on("get", kind="status", status=401, code=20003, times=None))
    with pytest.raises(TwilioCallFateUnknownError, match=f"placed call {sid}, and Twilio refuses to say"):
        run(store)
    assert posts(twilio_simulator) == 1


# Placed, and the call is over


@pytest.mark.parametrize("is_waiting", [True, False])
def test_a_call_that_completed_well_is_returned_and_nothing_is_dialled(
    twilio_simulator: TwilioSimulator, store: StateStore, is_waiting: bool
) -> None:
    sid = dial_and_vanish(store)
    twilio_simulator.skip(LONG_ENOUGH_S)
    assert run(store, wait_for_completion=is_waiting) == sid
    assert posts(twilio_simulator) == 1


def test_a_call_canceled_by_somebody_else_fails_the_task_for_good(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    sid = dial_and_vanish(store, STAYS_QUEUED)
    twilio_simulator.end(sid)
    with pytest.raises(TwilioCallEndedForGoodError, match="not by this task") as failed:
        run(store, STAYS_QUEUED)
    assert isinstance(failed.value, AirflowFailException)
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize("bad_end", ["busy", "no-answer", "rejected", "failed", "voicemail", "fax"])
def test_a_call_that_ended_badly_is_placed_again_for_that_is_what_a_retry_is_for(
    twilio_simulator: TwilioSimulator, store: StateStore, bad_end: str
) -> None:
    twilio_simulator.script(SOMEBODY, [bad_end, "human"])
    sid = dial_and_vanish(store, accept_answered_by={"human"})
    twilio_simulator.skip(LONG_ENOUGH_S)
    again = run(store, accept_answered_by={"human"})
    assert [sid, again] == sids(twilio_simulator)


def test_a_call_that_no_redial_can_help_is_not_placed_again(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, "failed:13227")
    dial_and_vanish(store)
    twilio_simulator.skip(LONG_ENOUGH_S)
    with pytest.raises(TwilioCallEndedForGoodError, match="13227"):
        run(store)
    assert posts(twilio_simulator) == 1


def test_a_busy_line_of_two_tries_before_is_forgotten_once_the_call_is_placed_again(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "busy", "human"])
    with pytest.raises(TwilioCallUnansweredError):
        run(store)
    with pytest.raises(TwilioCallUnansweredError):
        run(store)
    assert run(store) == sids(twilio_simulator)[2]
    assert run(store) == sids(twilio_simulator)[2]


# Placed, and ended by us


@pytest.mark.parametrize("when_killed", ["cancel", "hang_up"])
def test_a_call_that_this_task_canceled_is_placed_again(
    twilio_simulator: TwilioSimulator, store: StateStore, when_killed: str
) -> None:
    twilio_simulator.script(SOMEBODY, ["queued", "human"])
    sid = dial_and_end(store, when_killed=when_killed)
    again = run(store, when_killed=when_killed)
    assert [sid, again] == sids(twilio_simulator)
    assert statuses(twilio_simulator) == ["canceled", "completed"]


def test_a_call_that_this_task_hung_up_is_placed_again_though_it_says_completed(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "human", "ring": 0, "talk": 600}, "human"])
    sid = dial_and_end(store, when_killed="hang_up")
    assert statuses(twilio_simulator) == ["completed"]
    again = run(store, when_killed="hang_up")
    assert [sid, again] == sids(twilio_simulator)


def test_a_call_that_this_task_could_not_cancel_and_that_was_heard_to_its_end_is_returned(
    twilio_simulator: TwilioSimulator, store: StateStore
) -> None:
    twilio_simulator.script(SOMEBODY, {"outcome": "human", "ring": 0, "talk": 60})
    sid = dial_and_end(store, when_killed="cancel")
    twilio_simulator.skip(LONG_ENOUGH_S)
    assert run(store) == sid
    assert posts(twilio_simulator) == 1


@pytest.mark.parametrize(
    ("how", "after", "status", "dialled"),
    [
        ("cancel", WHILE_IT_RINGS_S, "canceled", 2),
        ("cancel", WHILE_THEY_TALK_S, "completed", 1),
        ("hang_up", WHILE_IT_RINGS_S, "canceled", 2),
        ("hang_up", WHILE_THEY_TALK_S, "completed", 2),
    ],
)
def test_a_journal_that_promises_an_end_is_read_with_what_became_of_the_call(
    twilio_simulator: TwilioSimulator, store: StateStore, how: str, after: float, status: str, dialled: int
) -> None:
    twilio_simulator.script(SOMEBODY, [{"outcome": "human", "ring": 3, "talk": 600}, "human"])
    sid = dial_and_vanish(store)
    twilio_simulator.skip(after)
    twilio_simulator.end(sid, CallStatus(status))
    store.values[KEY]["ended_by_us"] = how
    run(store)
    assert posts(twilio_simulator) == dialled


# Placing, and no SID


@pytest.mark.parametrize("delivery", ["at_most_once", "at_least_once"])
def test_a_call_whose_sid_the_earlier_try_took_to_the_grave_is_found_and_gone_on_with(
    twilio_simulator: TwilioSimulator, delivery: str
) -> None:
    left = die(DeadlyStore(before="placed"))
    assert run(left, delivery=delivery) == sids(twilio_simulator)[0]
    assert posts(twilio_simulator) == 1
    assert left.values[KEY]["state"] == "placed"


def test_at_most_once_a_try_killed_between_journal_and_post_is_not_dialled_by_the_next(
    twilio_simulator: TwilioSimulator,
) -> None:
    left = die(DeadlyStore(after="placing"))
    with pytest.raises(TwilioCallFateUnknownError, match="the try before ended without Twilio's answer"):
        run(left)
    assert posts(twilio_simulator) == 0


def test_at_least_once_a_try_killed_between_journal_and_post_is_dialled_by_the_next(
    twilio_simulator: TwilioSimulator,
) -> None:
    left = die(DeadlyStore(after="placing"))
    sid = run(left, delivery="at_least_once")
    assert sids(twilio_simulator) == [sid]


def test_a_try_killed_before_the_journal_has_placed_nothing_and_the_next_one_dials(
    twilio_simulator: TwilioSimulator,
) -> None:
    left = die(DeadlyStore(before="placing"))
    sid = run(left)
    assert sids(twilio_simulator) == [sid]
    assert "list" not in operations(twilio_simulator)


def test_a_fate_that_stays_unknown_stays_undialled_however_often_the_task_is_tried(
    twilio_simulator: TwilioSimulator,
) -> None:
    left = die(DeadlyStore(after="placing"))
    with pytest.raises(TwilioCallFateUnknownError):
        run(left)
    with pytest.raises(TwilioCallFateUnknownError):
        run(left)
    assert posts(twilio_simulator) == 0


def test_an_unconfirmed_call_that_is_over_when_it_is_found_is_judged(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.script(SOMEBODY, "busy")
    left = die(DeadlyStore(before="placed"))
    twilio_simulator.skip(LONG_ENOUGH_S)
    with pytest.raises(TwilioCallUnansweredError, match="the line was busy"):
        run(left)
    assert posts(twilio_simulator) == 1


def test_a_call_of_an_earlier_try_is_not_taken_for_the_lost_one(
    twilio_simulator: TwilioSimulator,
) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    store = StateStore()
    with pytest.raises(TwilioCallUnansweredError):
        run(store)
    left = die(DeadlyStore(store.values, after="placing"))
    with pytest.raises(TwilioCallFateUnknownError, match="shows none that it could be"):
        run(left)


@pytest.mark.parametrize("ahead", [90, -90])
def test_a_next_try_on_a_worker_with_a_wrong_clock_finds_the_call_that_this_one_has_lost(
    twilio_simulator: TwilioSimulator, clock: VirtualTime, ahead: float
) -> None:
    clock.ahead = ahead
    left = die(DeadlyStore(before="placed"))
    assert run(left) == sids(twilio_simulator)[0]
    assert posts(twilio_simulator) == 1


def test_an_unconfirmed_call_is_also_found_an_hour_later(
    twilio_simulator: TwilioSimulator, clock: VirtualTime
) -> None:
    left = die(DeadlyStore(before="placed"))
    clock.sleep(3600)
    assert run(left) == sids(twilio_simulator)[0]


# Without a store: Airflow 3.1 and 3.2


def test_without_a_journal_a_retry_knows_nothing_and_dials(twilio_simulator: TwilioSimulator) -> None:
    twilio_simulator.script(SOMEBODY, ["busy", "human"])
    with pytest.raises(AirflowException):
        waiting(SOMEBODY, poll_interval=2).execute(context())
    assert place(SOMEBODY) == sids(twilio_simulator)[1]
