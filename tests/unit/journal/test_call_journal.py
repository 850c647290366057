"""The journal of a task's call: what is written when, what is read back, and a store that does not obey."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest
from airflow.sdk.execution_time.timeout import TimeoutPosix

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError, TwilioCallSupersededError
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.entry import Entry, State
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.journal.store import KEY
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.interruption import AWAY, SUPERSEDED, SignallingStore, UnsteadyStore
from tests.support.task_context import RecordingTaskInstance, StateStore, context
from tests.support.turned_clock import TurnedClock

NUMBER, CALLER = "+15551234567", "+15557654321"
PARAMS = CreateCallParams(to=NUMBER, from_=CALLER, twiml="<Response/>")
SID, LATER_SID = "CA" + "1" * 32, "CA" + "2" * 32
ACCOUNT, ANOTHER_ACCOUNT = "AC" + "1" * 32, "AC" + "2" * 32
NOW = 1_700_000_000.0


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(NOW).install(monkeypatch)


@pytest.fixture
def store() -> StateStore:
    return StateStore()


@pytest.fixture
def journal(store: StateStore) -> CallJournal:
    return CallJournal(store, max_tries=2)


def read_by_the_next_try(store: StateStore) -> Entry:
    entry = CallJournal(store, max_tries=2).read()
    assert entry is not None
    return entry


# What is written


def test_a_journal_nobody_has_written_in_says_nothing(journal: CallJournal) -> None:
    assert journal.read() is None
    assert journal.known_sids == frozenset()


def test_what_is_placing_is_read_by_the_next_try(journal: CallJournal, store: StateStore) -> None:
    written = journal.placing(PARAMS, clock_offset=-1.5)
    assert read_by_the_next_try(store) == written
    assert (written.state, written.max_tries, written.sent) == (State.PLACING, 2, NOW)
    assert (written.clock_offset, written.call_sid, written.ended_by_us) == (-1.5, None, None)


def test_what_is_placed_is_read_with_its_sid(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    assert (read_by_the_next_try(store).state, read_by_the_next_try(store).call_sid) == (State.PLACED, SID)


def test_what_is_provably_not_placed_is_read_as_that(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.not_placed()
    assert read_by_the_next_try(store).state is State.NOT_PLACED


@pytest.mark.parametrize("how", ["cancel", "hang_up"])
def test_an_end_that_is_ours_is_read_as_that(journal: CallJournal, store: StateStore, how: Any) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.ended_by_us(how)
    assert read_by_the_next_try(store).ended_by_us == how


def test_an_end_that_was_not_ours_after_all_is_withdrawn(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.ended_by_us("cancel")
    journal.not_ended_by_us()
    assert read_by_the_next_try(store).ended_by_us is None


def test_an_end_already_written_costs_no_round_trip(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    before = store.round_trips
    journal.not_ended_by_us()
    assert store.round_trips == before


def test_a_try_that_resumes_reads_before_it_writes_who_ended_the_call(
    journal: CallJournal, store: StateStore
) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    CallJournal(store, max_tries=2).ended_by_us("hang_up")
    assert read_by_the_next_try(store).ended_by_us == "hang_up"
    assert read_by_the_next_try(store).call_sid == SID


def test_earlier_calls_are_remembered(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.placing(PARAMS)
    journal.placed(LATER_SID)
    journal.placing(PARAMS)
    assert journal.known_sids == {SID, LATER_SID}
    assert read_by_the_next_try(store).earlier_sids == (SID, LATER_SID)


def test_a_call_placed_again_is_not_said_to_be_ended(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.ended_by_us("cancel")
    journal.placing(PARAMS)
    journal.placed(LATER_SID)
    assert read_by_the_next_try(store).ended_by_us is None


def test_what_a_later_version_adds_is_ignored(journal: CallJournal, store: StateStore) -> None:
    written = journal.placing(PARAMS)
    store.values[KEY]["of_the_future"] = {"more": 1}
    assert read_by_the_next_try(store) == written


def test_what_an_earlier_version_did_not_know_has_its_default(
    journal: CallJournal, store: StateStore
) -> None:
    written = journal.placing(PARAMS)
    del store.values[KEY]["earlier_sids"], store.values[KEY]["clock_offset"], store.values[KEY]["ended_by_us"]
    assert read_by_the_next_try(store) == written


def test_it_is_of_the_task_instance_of_a_context(store: StateStore) -> None:
    journal = CallJournal.of(context(RecordingTaskInstance(max_tries=5), store))
    journal.placing(PARAMS)
    assert journal.is_kept
    assert read_by_the_next_try(store).max_tries == 5


# Whom it is about


def test_the_journal_holds_no_number(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    assert NUMBER[2:] not in json.dumps(store.values)
    assert CALLER[2:] not in json.dumps(store.values)


def test_what_an_earlier_version_has_written_is_of_any_account(
    journal: CallJournal, store: StateStore
) -> None:
    journal.placing(PARAMS)
    del store.values[KEY]["account_sid"], store.values[KEY]["callee"]
    entry = read_by_the_next_try(store)
    assert entry.is_of_account(ACCOUNT)
    assert entry.is_for(PARAMS, ACCOUNT) and entry.is_to(PARAMS)
    assert not entry.is_to(PARAMS.replace(to="+15551234568"))


# A store that does not obey


def test_what_cannot_be_read_forbids_to_dial() -> None:
    with pytest.raises(TwilioCallNotPlacedError, match="so nothing was dialled"):
        CallJournal(StateStore(fault=AWAY), 0).read()


def test_what_cannot_be_written_forbids_to_dial(journal: CallJournal, store: StateStore) -> None:
    store.fault = AWAY
    with pytest.raises(TwilioCallNotPlacedError, match="a retry could ring twice"):
        journal.placing(PARAMS)


def test_a_superseded_process_may_not_dial(journal: CallJournal, store: StateStore) -> None:
    store.fault = SUPERSEDED
    with pytest.raises(TwilioCallSupersededError, match="did not dial"):
        journal.placing(PARAMS)


def test_a_superseded_process_is_told_of_the_call_it_has_placed(
    journal: CallJournal, store: StateStore
) -> None:
    journal.placing(PARAMS)
    store.fault = SUPERSEDED
    with pytest.raises(TwilioCallSupersededError, match=f"while this one placed call {SID}"):
        journal.placed(SID)


def test_a_sid_is_written_again_where_the_store_was_away(clock: TurnedClock) -> None:
    store = UnsteadyStore(faults=[None, AWAY, AWAY])
    journal = CallJournal(store, 2)
    journal.placing(PARAMS)
    journal.placed(SID)
    assert read_by_the_next_try(store).call_sid == SID
    assert clock.now > NOW


def test_a_sid_that_cannot_be_written_is_given_up_after_some_seconds(
    journal: CallJournal, store: StateStore, clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    journal.placing(PARAMS)
    store.fault = AWAY
    journal.placed(SID)
    assert 0 < clock.now - NOW < 30
    assert SID in caplog.text
    assert read_by_the_next_try(StateStore(store.values)).state is State.PLACING


def test_a_sid_whose_writing_was_interrupted_goes_along_with_what_is_written_next() -> None:
    store = SignallingStore(state="placed", signals=[signal.SIGALRM])
    journal = CallJournal(store, 2)
    journal.placing(PARAMS)
    with pytest.raises(AirflowTaskTimeout), TimeoutPosix(3600):
        journal.placed(SID)
    journal.ended_by_us("cancel")
    assert read_by_the_next_try(store).call_sid == SID


def test_a_sid_that_could_not_be_written_goes_along_with_what_is_written_next(
    journal: CallJournal, store: StateStore
) -> None:
    journal.placing(PARAMS)
    store.fault = AWAY
    journal.placed(SID)
    store.fault = None
    journal.ended_by_us("cancel")
    assert read_by_the_next_try(store).call_sid == SID
    assert read_by_the_next_try(store).ended_by_us == "cancel"


@pytest.mark.parametrize("fault", [AWAY, SUPERSEDED, 500])
def test_what_is_no_condition_for_dialling_does_not_fail_the_task(
    journal: CallJournal, store: StateStore, fault: int, caplog: pytest.LogCaptureFixture
) -> None:
    journal.placing(PARAMS)
    store.fault = fault
    journal.not_placed()
    journal.ended_by_us("cancel")
    assert caplog.text.count("could not be written") == 2


def test_an_end_is_no_reason_to_fail_where_the_journal_cannot_be_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    CallJournal(StateStore(fault=AWAY), 0).ended_by_us("cancel")
    assert "It could not be written down who ended the call" in caplog.text


# No store: Airflow 3.1 and 3.2


def test_without_a_store_it_is_kept_for_this_try_alone() -> None:
    journal = CallJournal.of(context())
    written = journal.placing(PARAMS)
    assert not journal.is_kept
    assert journal.read() == written
    assert CallJournal.of(context()).read() is None


def test_without_a_store_there_is_nothing_to_fail() -> None:
    journal = CallJournal(None, 0)
    journal.placed(SID)
    journal.not_placed()
    journal.ended_by_us("hang_up")
    assert journal.read() is None


# Several dials


def ended(call_sid: str, step: int = 0) -> CallAttempt:
    return CallAttempt(step, call_sid, "+1*******4567", "busy", Reason.BUSY)


def test_what_has_ended_is_written_down_with_the_next_call(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.remember(ended(SID))
    journal.placing(PARAMS, step=1)

    read = CallJournal(store, max_tries=2)
    read.read()
    assert (read.step, read.attempts) == (1, (ended(SID),))


def test_what_has_ended_takes_no_round_trip_of_its_own(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.placed(SID)
    before = store.round_trips

    journal.remember(ended(SID))

    assert journal.attempts == (ended(SID),)
    assert store.round_trips == before


def test_a_call_ends_once(journal: CallJournal) -> None:
    journal.placing(PARAMS)
    journal.remember(ended(SID))
    journal.remember(ended(SID))

    assert journal.attempts == (ended(SID),)


def test_what_could_not_be_placed_is_remembered_each_time(journal: CallJournal) -> None:
    refused = CallAttempt.of_problem("no such number", Reason.REFUSED, step=0, callee="+15551234567")
    journal.remember(refused)
    journal.remember(refused)

    assert journal.attempts == (refused, refused)


def test_a_clear_begins_at_the_first_step_with_no_dials(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.remember(ended(SID))
    journal.placing(PARAMS, step=4)
    journal.placed(LATER_SID)

    cleared = CallJournal(store, max_tries=3)
    cleared.read()
    assert (cleared.step, cleared.attempts, cleared.call_sid()) == (0, (), None)


def test_a_deferral_carries_it_where_there_is_no_store() -> None:
    journal = CallJournal(None, 0)
    journal.placing(PARAMS)
    journal.placed(SID)
    journal.remember(ended(SID))
    journal.placing(PARAMS, step=1)
    journal.placed(LATER_SID)

    carried = json.loads(json.dumps(journal.to_carry()))

    resumed = CallJournal(None, 0, carried=carried)
    assert (resumed.step, resumed.attempts, resumed.call_sid()) == (1, (ended(SID),), LATER_SID)
    assert NUMBER not in json.dumps(carried) and CALLER not in json.dumps(carried)


def test_what_was_carried_gives_way_to_the_store(store: StateStore) -> None:
    older = CallJournal(None, 0)
    older.placing(PARAMS, step=7)

    journal = CallJournal(store, 0, carried=older.to_carry())

    assert journal.read() is None and journal.to_carry() is None


def test_what_was_added_can_be_written_down_without_a_call(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS, step=1)
    journal.not_placed()
    refused = CallAttempt.of_problem("no such number", Reason.REFUSED, step=1, callee="+15551234567")
    journal.remember(refused)
    journal.flush()

    read = CallJournal(store, max_tries=2)
    read.read()
    assert (read.step, read.attempts) == (1, (refused,))
    assert journal.attempts == (refused,)


def test_what_could_not_be_written_down_stays_known(journal: CallJournal, store: StateStore) -> None:
    journal.placing(PARAMS)
    journal.remember(ended(SID))
    store.fault = 0
    journal.flush()

    assert journal.attempts == (ended(SID),)


def test_nothing_is_written_down_before_the_first_call(journal: CallJournal, store: StateStore) -> None:
    journal.remember(ended(SID))
    journal.flush()

    assert store.values == {}
    assert journal.attempts == (ended(SID),)


# Canceled in Twilio's queue

UP = 1_700_000_000.0
CANCELED = {"sid": SID, "status": "canceled", "end_time": "Tue, 14 Nov 2023 22:13:20 +0000"}


@pytest.mark.parametrize(
    ("fields", "queue_deadline", "expected"),
    [
        pytest.param({}, QueueDeadline(UP), Reason.QUEUE_TIMEOUT, id="too long"),
        pytest.param({}, QueueDeadline(UP, Reason.WINDOW_CLOSED), Reason.WINDOW_CLOSED, id="too late"),
        pytest.param({}, QueueDeadline(UP + 60), None, id="before"),
        pytest.param({}, None, None, id="nobody waits for it"),
        pytest.param({"status": "completed"}, QueueDeadline(UP), None, id="not canceled"),
        pytest.param({"sid": LATER_SID}, QueueDeadline(UP), None, id="another call"),
    ],
)
def test_a_later_process_knows_why_a_call_was_canceled_in_the_queue(
    store: StateStore, fields: dict[str, str], queue_deadline: QueueDeadline | None, expected: Reason | None
) -> None:
    journal = CallJournal(store, 0)
    journal.placing(PARAMS)
    journal.placed(SID, queue_deadline=queue_deadline)
    canceled = Call.model_validate(CANCELED | fields)
    assert CallJournal(store, 0).why_canceled(canceled) is expected


def test_until_when_a_call_may_stay_in_the_queue_is_told_of_the_one_placed_last(store: StateStore) -> None:
    journal = CallJournal(store, 0)
    journal.placing(PARAMS)
    journal.placed(SID, queue_deadline=QueueDeadline(UP))
    assert journal.queue_deadline_of(SID) == QueueDeadline(UP)
    assert journal.queue_deadline_of(LATER_SID) is None
