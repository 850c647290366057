"""An escalation that is killed, cleared, or cut off from Twilio or its journal: it keeps its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallEndedForGoodError,
    TwilioCallInterruptedError,
    TwilioCallJournalError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.escalation_run import ANN, BEN, CLEO, EscalationRun, dialled, escalating, told
from tests.integration.ring_task import VARIABLE, changed, fire, on, statuses
from tests.integration.tries import CLEARED, FIRST_RUN
from tests.support.interruption import AWAY, Killed
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.virtual_time import VirtualTime

LONG_ENOUGH_TO_DEFER = 50
# Twilio's dates are whole seconds: less may be over, by them, before a busy machine defers.
QUEUE_TIMEOUT_S = 4
A_LONG_TIME_S = 3600

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture(autouse=True)
def connection(twilio_simulator: TwilioSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)
    monkeypatch.setattr("airflow_provider_twiliocall.triggers.twilio_call.SHORTEST_DEFERRAL_S", 0.0)


@pytest.fixture
def run(clock: VirtualTime) -> EscalationRun:
    return EscalationRun(clock, ti=RecordingTaskInstance(max_tries=FIRST_RUN))


class MortalStore(StateStore):
    """A store at whose door the process dies: before or after so many writes."""

    def __init__(self, *, writes: int, after: bool) -> None:
        super().__init__()
        self._left = writes
        self._after = after

    def set(self, key: str, value: Any) -> None:
        self._left -= 1
        if self._left == 0 and not self._after:
            raise Killed
        super().set(key, value)
        if self._left == 0:
            raise Killed


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("writes", range(1, 10))
def test_a_process_that_is_killed_at_any_write_leaves_its_place_to_the_next_which_rings_nobody_twice(
    twilio_simulator: TwilioSimulator, run: EscalationRun, writes: int, after: bool
) -> None:
    """Ann is placing and placed, then the refused number, then Ben, and then Ann and Ben in a second round."""
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.script(BEN, ["voicemail", "human"])
    run.store = MortalStore(writes=writes, after=after)

    with pytest.raises(Killed):
        run.try_once(ANN, "+15005550001", BEN)
    reached = run.try_once(ANN, "+15005550001", BEN)

    assert [call["to"] for call in twilio_simulator.calls] == [ANN, BEN, ANN, BEN]
    assert (reached["to"], reached["calls"]) == ("+1*******0002", 4)


@pytest.mark.parametrize(
    ("outcome", "reached_at_last", "calls"),
    [("human", "+1*******0002", [ANN, BEN]), ("busy", "+1*******0003", [ANN, BEN, CLEO])],
)
def test_a_try_that_vanished_while_a_phone_rang_is_gone_on_with(
    twilio_simulator: TwilioSimulator,
    run: EscalationRun,
    outcome: str,
    reached_at_last: str,
    calls: list[str],
) -> None:
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.script(BEN, {"outcome": outcome, "ring": LONG_ENOUGH_TO_DEFER})

    run.begin()
    twilio_simulator.skip(A_LONG_TIME_S)
    reached = run.try_once()

    assert (reached["to"], reached["calls"]) == (reached_at_last, len(calls))
    assert dialled(twilio_simulator) == calls


def test_a_contact_whose_call_was_canceled_while_queued_is_not_rung_again_though_the_event_was_lost(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "queued"})

    deferred = run.begin(queue_timeout=QUEUE_TIMEOUT_S)
    assert fire(deferred.trigger)["reason"] == "queue timeout"
    reached = run.try_once(queue_timeout=QUEUE_TIMEOUT_S)

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 2)
    assert dialled(twilio_simulator) == [ANN, BEN]
    assert statuses(twilio_simulator) == ["canceled", "completed"]


def test_a_try_that_vanished_in_the_pause_goes_on_with_the_next_round(
    twilio_simulator: TwilioSimulator, run: EscalationRun, clock: VirtualTime
) -> None:
    twilio_simulator.script(ANN, ["busy", "human"])
    twilio_simulator.script(BEN, "busy")

    run.play_until_it_pauses(ANN, BEN, round_after=A_LONG_TIME_S)
    clock.sleep(2 * A_LONG_TIME_S)
    reached = run.try_once(ANN, BEN, round_after=A_LONG_TIME_S)

    assert (reached["to"], reached["calls"]) == ("+1*******0001", 3)
    assert run.pauses == []


def test_nobody_reached_stays_so_however_often_the_task_is_tried(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script("*", "busy")

    with pytest.raises(TwilioCallEndedForGoodError):
        run.try_once(ANN, BEN)
    with pytest.raises(TwilioCallEndedForGoodError, match="with 4 calls"):
        run.try_once(ANN, BEN)

    assert len(dialled(twilio_simulator)) == 4


def test_a_cleared_task_begins_with_the_first_contact(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, ["busy", "human"])
    run.try_once()
    run.ti = RecordingTaskInstance(max_tries=CLEARED)

    reached = run.try_once()

    assert (reached["to"], reached["calls"]) == ("+1*******0001", 1)


def test_the_journal_has_no_whole_number(twilio_simulator: TwilioSimulator, run: EscalationRun) -> None:
    twilio_simulator.script("*", "busy")
    with pytest.raises(TwilioCallEndedForGoodError):
        run.try_once(ANN, "+15005550001", BEN)

    kept = json.dumps([run.store.values[KEY], run.ti.xcoms]) if run.store else ""

    assert ANN[-7:] not in kept
    assert "5005550001" not in kept


# Answers that are lost


@pytest.mark.parametrize("delivery", ["at_least_once", "at_most_once"])
def test_a_call_whose_answer_was_lost_is_found_and_gone_on_with(
    twilio_simulator: TwilioSimulator, run: EscalationRun, delivery: str
) -> None:
    twilio_simulator.script(ANN, "busy")
    twilio_simulator.inject(on("create", kind="drop", after=True, to=BEN))

    reached = run.try_once(delivery=delivery)

    assert (reached["to"], reached["calls"]) == ("+1*******0002", 2)
    assert dialled(twilio_simulator) == [ANN, BEN]


def test_at_least_once_a_request_that_came_to_nothing_is_sent_again(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.inject(on("create", kind="drop", to=ANN))

    assert run.try_once()["to"] == "+1*******0001"
    assert dialled(twilio_simulator) == [ANN, ANN]


@pytest.mark.parametrize(("delivery", "sent"), [("at_least_once", 3), ("at_most_once", 1)])
def test_where_nobody_can_say_whether_the_phone_rang_the_next_one_is_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun, delivery: str, sent: int
) -> None:
    twilio_simulator.inject(on("create", kind="drop", to=ANN, times=None))

    reached = run.try_once(delivery=delivery)

    assert reached["to"] == "+1*******0002"
    assert dialled(twilio_simulator) == [ANN] * sent + [BEN]
    assert next(told(run)) == ("0001", "unknown")


def test_where_no_answer_comes_at_all_a_retry_begins_again(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=503, times=12))

    with pytest.raises(TwilioCallNotPlacedError, match="nobody can tell"):
        run.try_once(ANN, BEN)

    assert run.try_once(ANN, BEN)["to"] == "+1*******0001"


def test_at_most_once_it_does_not_because_somebody_may_have_been_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.inject(on("create", kind="status", status=503, times=None))

    with pytest.raises(TwilioCallEndedForGoodError, match="nobody can tell"):
        run.try_once(ANN, BEN, delivery="at_most_once")


# Told to stop, or out of time


@pytest.mark.parametrize(
    ("when_killed", "left", "calls"),
    [("leave", "queued", [ANN]), ("cancel", "canceled", [ANN, ANN]), ("hang_up", "canceled", [ANN, ANN])],
)
def test_a_task_that_is_killed_deals_with_its_call_as_it_was_told_and_keeps_its_place(
    twilio_simulator: TwilioSimulator,
    run: EscalationRun,
    monkeypatch: pytest.MonkeyPatch,
    when_killed: str,
    left: str,
    calls: list[str],
) -> None:
    twilio_simulator.script(ANN, ["queued", "human"])
    task = escalating(when_killed=when_killed)
    stop_after_placing(task, run.ti, monkeypatch)
    with pytest.raises(TwilioCallInterruptedError):
        task.execute(context(run.ti, run.store))

    assert statuses(twilio_simulator) == [left]
    run.begin(when_killed=when_killed)
    assert dialled(twilio_simulator) == calls


def stop_after_placing(task: Any, ti: RecordingTaskInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Airflow tell the task to stop as soon as it has a call."""
    push = ti.xcom_push

    def push_and_stop(key: str, value: Any) -> None:
        push(key, value)
        task.on_kill()

    monkeypatch.setattr(ti, "xcom_push", push_and_stop)


def test_the_phone_rings_on_by_default_when_somebody_marks_the_deferred_task(run: EscalationRun) -> None:
    assert run.begin().trigger.when_killed == "leave"


def test_out_of_time_is_no_reason_to_ring_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    # So that a busy machine does not let the phone ring out.
    twilio_simulator.clock.speed = 1.0
    twilio_simulator.script(ANN, {"outcome": "human", "ring": 60, "talk": 10_000})
    waiting = run.begin(time_limit=14_400)
    with pytest.raises(AirflowTaskTimeout):
        time_out(run, waiting)

    assert dialled(twilio_simulator) == [ANN]


def test_out_of_time_without_a_journal_is_no_reason_to_ring_the_next_either(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    run.store = None
    # So that a busy machine does not let the phone ring out.
    twilio_simulator.clock.speed = 1.0
    twilio_simulator.script(ANN, {"outcome": "human", "ring": 60, "talk": 10_000})
    waiting = run.begin(time_limit=14_400)
    with pytest.raises(TwilioCallAbandonedError):
        time_out(run, waiting)

    assert dialled(twilio_simulator) == [ANN]


def time_out(run: EscalationRun, waiting: Any) -> None:
    """Resume the task with the event of a trigger whose task has no more time."""
    event = {
        "phase": "wait",
        "call_sid": waiting.trigger.call_sid,
        "reason": "timed out",
        "call": None,
        "why": None,
    }
    kept = {**(waiting.kwargs or {}), "event": event}
    escalating(time_limit=14_400).resume_execution("execute_complete", kept, context(run.ti, run.store))


# Airflow, or the connection, is away


def test_a_journal_that_cannot_be_written_is_left_to_a_retry(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    run.store = StateStore(fault=AWAY)

    with pytest.raises(TwilioCallJournalError):
        run.try_once()

    assert dialled(twilio_simulator) == []


def test_a_connection_that_cannot_be_used_fails_the_task_for_good_before_anybody_is_tried(
    twilio_simulator: TwilioSimulator, run: EscalationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, changed(twilio_simulator, password=""))
    with pytest.raises(TwilioConnectionError, match="password is empty") as failed:
        run.try_once()

    assert isinstance(failed.value, AirflowFailException)
    assert dialled(twilio_simulator) == []


def test_a_connection_that_is_not_found_is_left_to_a_retry_before_anybody_is_tried(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    with pytest.raises(TwilioConnectionNotFoundError) as failed:
        run.try_once(twilio_conn_id="nobody_has_created_it")

    assert not isinstance(failed.value, AirflowFailException)
    assert dialled(twilio_simulator) == []


def test_a_connection_that_is_not_found_between_two_contacts_is_left_to_a_retry_that_goes_on_there(
    twilio_simulator: TwilioSimulator, run: EscalationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(ANN, ["busy", "human"])
    run.play_until_it_pauses(ANN, round_after=A_LONG_TIME_S)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(TwilioCallInterruptedError, match="A retry goes on where this one has come to"):
        run.try_once(ANN, round_after=A_LONG_TIME_S)
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)

    assert run.try_once(ANN, round_after=A_LONG_TIME_S)["calls"] == 2


def test_a_trigger_that_failed_is_no_reason_to_ring_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    first = run.begin()

    again = run.defer(
        lambda task: task.resume_execution(
            "__fail__", {"error": "Trigger failure", "traceback": []}, context(run.ti, run.store)
        )
    )

    assert again.trigger.call_sid == first.trigger.call_sid
    assert run.finish(again)["to"] == "+1*******0001"
    assert CLEO not in dialled(twilio_simulator)


# The earlier try's call comes first


def retried(run: EscalationRun, contacts: Any, **arguments: Any) -> Any:
    """A retry for which the list of contacts has rendered to this."""
    run.contacts = contacts
    return run.try_once(**arguments)


@pytest.mark.parametrize("contacts", ["None", ["nobody"], ["nobody", BEN]], ids=str)
def test_a_phone_that_rings_is_followed_whatever_the_contacts_have_become(
    twilio_simulator: TwilioSimulator, run: EscalationRun, contacts: Any
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()

    reached = retried(run, contacts)

    assert (reached["to"], reached["calls"]) == ("+1*******0001", 1)
    assert dialled(twilio_simulator) == [ANN]


@pytest.mark.parametrize(
    ("contacts", "said"),
    [
        ("None", r"^Nothing more was dialled \(before: busy\): contacts names nobody"),
        (["nobody"], r"^Nobody was reached with 1 calls"),
    ],
    ids=str,
)
def test_nobody_is_left_to_ring_after_a_phone_that_was_followed_in_vain(
    twilio_simulator: TwilioSimulator, run: EscalationRun, contacts: Any, said: str
) -> None:
    twilio_simulator.script(ANN, {"outcome": "busy", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()

    with pytest.raises(AirflowFailException, match=said):
        retried(run, contacts)

    assert dialled(twilio_simulator) == [ANN]


def test_the_others_are_rung_after_a_contact_that_was_followed_in_vain_and_is_none_any_more(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "busy", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()

    assert retried(run, ["nobody", BEN])["to"] == "+1*******0002"
    assert dialled(twilio_simulator) == [ANN, BEN]


def test_contacts_that_cannot_be_used_are_refused_with_how_the_calls_before_ended(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "busy", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()
    twilio_simulator.skip(A_LONG_TIME_S)

    with pytest.raises(
        TwilioCallRefusedError, match=r"^Nothing more was dialled \(before: busy\); fix these"
    ):
        retried(run, ["nobody"])


def test_a_clear_ends_the_call_before_also_where_the_new_contacts_are_refused(
    twilio_simulator: TwilioSimulator, run: EscalationRun
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()
    run.ti = RecordingTaskInstance(max_tries=CLEARED)

    with pytest.raises(TwilioCallRefusedError, match="Nothing was dialled: contacts names nobody"):
        retried(run, "None", when_killed="cancel")

    assert statuses(twilio_simulator) == ["canceled"]


@pytest.mark.parametrize(
    "has_a_store",
    [pytest.param(True, id="with a journal"), pytest.param(False, id="without")],
)
def test_a_deferred_call_is_followed_though_its_trigger_failed_and_the_contacts_are_wrong(
    twilio_simulator: TwilioSimulator, run: EscalationRun, has_a_store: bool
) -> None:
    run.store = run.store if has_a_store else None
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin()
    run.contacts = "None"

    again = run.defer(
        lambda task: task.resume_execution(
            "__fail__", {"error": "Trigger failure", "traceback": []}, context(run.ti, run.store)
        )
    )

    assert run.finish(again)["to"] == "+1*******0001"
    assert dialled(twilio_simulator) == [ANN]


def test_a_call_of_another_account_is_left_and_at_most_once_the_next_contact_is_rung(
    twilio_simulator: TwilioSimulator, run: EscalationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    run.begin(delivery="at_most_once")
    run.store.values[KEY]["account_sid"] = "AC" + "5" * 32  # type: ignore[union-attr]

    reached = run.try_once(delivery="at_most_once")

    assert reached["to"] == "+1*******0002"
    assert dialled(twilio_simulator) == [ANN, BEN]
    assert next(told(run)) == ("0001", "unknown")


def test_a_call_that_cannot_be_followed_for_want_of_a_connection_is_no_reason_to_ring_the_next(
    twilio_simulator: TwilioSimulator, run: EscalationRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    twilio_simulator.script(ANN, {"outcome": "human", "ring": LONG_ENOUGH_TO_DEFER})
    sid = run.begin().trigger.call_sid
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(TwilioCallInterruptedError, match=f"Call {sid} of an earlier try may still ring"):
        run.try_once()
    monkeypatch.setenv(VARIABLE, twilio_simulator.airflow_connection)

    assert run.try_once()["to"] == "+1*******0001"
    assert dialled(twilio_simulator) == [ANN]
