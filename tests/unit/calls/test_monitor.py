"""Monitoring a call: its deadlines, how a wait that ended is judged, ending it, and being told to stop."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.calls.monitor import CallMonitor, no_redial_of
from airflow_provider_twiliocall.calls.outcome import judge
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import WaitEnd, WaitResult
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallUnansweredError,
)
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.entry import Entry
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioRejectedError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.params import CreateCallParams
from tests.support.interruption import AWAY as AWAY_FOR_THE_STORE
from tests.support.task_context import StateStore
from tests.support.turned_clock import TurnedClock
from tests.unit.scripted_twilio import SID, ScriptedTwilio, call

NOW = 1_700_000_000.0
PARAMS = CreateCallParams(to="+15551234567", from_="+15557654321", twiml="<Response/>")
AWAY = TwilioUnreachableError("away")
LOST = TwilioAmbiguousError("lost")
REFUSED = TwilioRejectedError("no", http_status=401, code=20003)
IS_OVER = TwilioRejectedError("over", http_status=400, code=21220)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> TurnedClock:
    return TurnedClock(NOW).install(monkeypatch)


@pytest.fixture
def published() -> list[Call]:
    """What was said of the call, where people see it."""
    return []


@pytest.fixture
def journal() -> CallJournal:
    journal = CallJournal(StateStore(), 0)
    journal.placing(PARAMS)
    journal.placed(SID)
    return journal


def monitoring(
    twilio: ScriptedTwilio,
    journal: CallJournal | None = None,
    published: list[Call] | None = None,
    **how: Any,
) -> CallMonitor:
    return CallMonitor(
        twilio,  # type: ignore[arg-type]
        SID,
        journal or CallJournal(None, 0),
        **{
            "when_killed": "cancel",
            "poll_interval": 5,
            "queue_timeout": 100,
            "awaits": "end",
            "judge": judge,
            "publish": (published if published is not None else []).append,
            **how,
        },
    )


def written(journal: CallJournal) -> Entry:
    entry = journal.read()
    assert entry is not None
    return entry


def result(end: WaitEnd, status: str = "ringing") -> WaitResult:
    return WaitResult(end, call(status), "something is wrong")


def over(status: str, **fields: Any) -> WaitResult:
    return WaitResult(WaitEnd.OVER, call(status, **fields))


def any_poll(monitor: CallMonitor) -> CallPoll:
    return monitor.poll(None, PARAMS, timeout_at=None)


# Deadlines


def test_the_deadlines_count_from_the_creation_of_the_call() -> None:
    placed = call("queued", date_created="Tue, 14 Nov 2023 22:13:00 +0000")
    created = NOW - 20
    watch = monitoring(ScriptedTwilio("queued")).poll(placed, PARAMS, timeout_at=NOW + 7).watch
    assert watch.queue_deadline == created + 100
    assert watch.deadline == created + 100 + 65 + 14_400 + 60
    assert watch.timeout_at == NOW + 7


def test_the_queues_deadline_is_by_twilios_clock_and_the_calls_by_that_of_this_machine() -> None:
    twilio = ScriptedTwilio("queued")
    twilio.clock_offset = 90
    placed = call("queued", date_created="Tue, 14 Nov 2023 22:14:50 +0000")
    watch = monitoring(twilio).poll(placed, PARAMS, timeout_at=None).watch
    assert watch.queue_deadline == NOW + 90 + 100
    assert watch.deadline == NOW + 100 + 65 + 14_400 + 60


def test_a_closing_that_comes_before_the_end_of_the_queues_time_counts(journal: CallJournal) -> None:
    placed = call("queued", date_created="Tue, 14 Nov 2023 22:13:20 +0000")
    watch = (
        monitoring(ScriptedTwilio("queued")).poll(placed, PARAMS, timeout_at=None, latest_ring=NOW + 30).watch
    )
    assert watch.queue_deadline == NOW + 30
    assert watch.deadline == NOW + 30 + 65 + 14_400 + 60


def test_what_an_earlier_try_has_promised_of_the_queue_holds(journal: CallJournal) -> None:
    journal.placed(SID, queue_deadline=NOW + 20)
    watch = monitoring(ScriptedTwilio("queued"), journal).poll(None, PARAMS, timeout_at=None).watch
    assert watch.queue_deadline == NOW + 20


def test_a_call_that_could_not_be_seen_is_taken_for_a_fresh_one() -> None:
    params = PARAMS.replace(timeout=30, time_limit=600)
    watch = monitoring(ScriptedTwilio(AWAY)).poll(None, params, timeout_at=None).watch
    assert watch.deadline == NOW + 100 + 35 + 600 + 60


# Sitting it out


def test_a_wait_on_the_worker_looks_until_the_call_is_over(clock: TurnedClock) -> None:
    twilio = ScriptedTwilio("queued", "ringing", "in-progress", "completed")
    monitor = monitoring(twilio)
    assert monitor.poll_until_complete(any_poll(monitor)) == over("completed")
    assert clock.now == pytest.approx(NOW + 15)


# Verdicts


def test_a_call_that_ended_well_is_returned_and_told(published: list[Call]) -> None:
    assert monitoring(ScriptedTwilio("completed"), published=published).conclude(over("completed")) == SID
    assert published == [call("completed")]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (over("busy"), TwilioCallUnansweredError),
        (over("no-answer"), TwilioCallUnansweredError),
        (over("canceled"), TwilioCallEndedForGoodError),
        (over("completed", answered_by="machine_start"), TwilioCallUnansweredError),
        (result(WaitEnd.REFUSED), TwilioCallFateUnknownError),
        (result(WaitEnd.DEADLINE), TwilioCallFateUnknownError),
    ],
)
def test_any_other_end_of_a_wait_fails_by_its_meaning(
    result: WaitResult, expected: type[Exception], published: list[Call]
) -> None:
    monitor = monitoring(
        ScriptedTwilio("in-progress"), published=published, judge=partial(judge, accept_answered_by={"human"})
    )
    with pytest.raises(expected):
        monitor.conclude(result)
    assert published[0] == result.call


@pytest.mark.parametrize(
    ("when_killed", "asked"),
    [("cancel", ["canceled"]), ("hang_up", ["canceled", "completed"]), ("leave", ["look"])],
)
def test_a_call_that_should_have_been_over_by_now_is_ended(when_killed: str, asked: list[str]) -> None:
    twilio = ScriptedTwilio("in-progress")
    with pytest.raises(TwilioCallFateUnknownError, match="how it ended cannot be told: something is wrong"):
        monitoring(twilio, when_killed=when_killed).conclude(result(WaitEnd.DEADLINE))
    assert twilio.asked == asked


@pytest.mark.parametrize(
    ("age", "why", "was_too_late"),
    [
        (100, r"after 100 s \(queue_timeout\) and was canceled.* a longer queue_timeout, help", False),
        (60, "when it was too late for it to ring and was canceled", True),
    ],
)
def test_a_call_that_was_canceled_while_queued_is_written_down_as_ended_by_the_task(
    journal: CallJournal, published: list[Call], age: int, why: str, was_too_late: bool
) -> None:
    created = pendulum.from_timestamp(NOW)
    back = call("canceled", date_created=created, end_time=created.add(seconds=age))
    with pytest.raises(TwilioCallUnansweredError, match=f"still in Twilio's queue {why}") as no:
        monitoring(ScriptedTwilio(AWAY), journal, published).conclude(
            WaitResult(WaitEnd.CANCELED_WHILE_QUEUED, back)
        )
    assert (no.value.ended_by_us, no.value.was_too_late) == (True, was_too_late)
    assert written(journal).ended_by_us == "cancel"
    assert published == [back]


def test_a_call_that_does_not_wait_for_its_end_can_only_be_canceled_while_queued_for_being_too_late() -> None:
    monitor = monitoring(ScriptedTwilio(AWAY), awaits="ring", queue_timeout=math.inf)
    with pytest.raises(TwilioCallUnansweredError, match="when it was too late for it to ring") as no:
        monitor.conclude(result(WaitEnd.CANCELED_WHILE_QUEUED, "canceled"))
    assert no.value.was_too_late


def test_who_canceled_a_call_is_left_to_a_retry_where_the_store_is_away() -> None:
    monitor = monitoring(ScriptedTwilio(AWAY), CallJournal(StateStore(fault=AWAY_FOR_THE_STORE), 0))
    with pytest.raises(TwilioCallInterruptedError, match=r"cannot be read now .* A retry looks again"):
        monitor.conclude(over("canceled"))


@pytest.mark.parametrize("end", [WaitEnd.OVER, WaitEnd.LEFT_QUEUE])
def test_a_call_that_was_canceled_while_queued_by_a_trigger_whose_event_was_lost_was_canceled_while_queued(
    journal: CallJournal, end: WaitEnd
) -> None:
    journal.placed(SID, queue_deadline=NOW)
    back = call("canceled", end_time=pendulum.from_timestamp(NOW))
    with pytest.raises(TwilioCallUnansweredError, match="was canceled") as no:
        monitoring(ScriptedTwilio(AWAY), journal).conclude(WaitResult(end, back))
    assert no.value.ended_by_us


def test_a_task_out_of_time_knows_a_call_that_a_trigger_has_canceled_while_queued(
    journal: CallJournal,
) -> None:
    journal.placed(SID, queue_deadline=NOW)
    back = call("canceled", end_time=pendulum.from_timestamp(NOW))
    with pytest.raises(TwilioCallUnansweredError, match="was canceled"):
        monitoring(ScriptedTwilio(IS_OVER, back), journal).time_out("nobody took the trigger's event in time")
    assert written(journal).ended_by_us == "cancel"


@pytest.mark.parametrize("status", ["ringing", "busy", "canceled"])
def test_a_call_that_has_left_the_queue_is_returned_where_no_more_is_waited_for(
    published: list[Call], status: str
) -> None:
    monitor = monitoring(ScriptedTwilio(AWAY), published=published, awaits="ring")
    assert monitor.conclude(result(WaitEnd.LEFT_QUEUE, status)) == SID
    assert published == [call(status)]


def test_so_is_one_that_is_over_when_the_time_of_such_a_task_is_up() -> None:
    monitor = monitoring(ScriptedTwilio(IS_OVER, "busy"), awaits="ring")
    assert monitor.conclude(result(WaitEnd.TIMED_OUT, "queued")) == SID


# Out of time


def test_a_task_out_of_time_ends_its_call(journal: CallJournal, published: list[Call]) -> None:
    with pytest.raises(AirflowTaskTimeout, match="was ended by this task, and is canceled"):
        monitoring(ScriptedTwilio("canceled"), journal, published).conclude(result(WaitEnd.TIMED_OUT))
    assert written(journal).ended_by_us == "cancel"
    assert published[-1] == call("canceled")


def test_a_task_out_of_time_whose_call_goes_on_leaves_it_to_the_retry(journal: CallJournal) -> None:
    with pytest.raises(AirflowTaskTimeout, match="is in-progress and goes on"):
        monitoring(ScriptedTwilio("in-progress"), journal).conclude(result(WaitEnd.TIMED_OUT))
    assert written(journal).ended_by_us is None


@pytest.mark.parametrize("answer", ["in-progress", AWAY, REFUSED], ids=["goes on", "away", "refused"])
def test_without_a_journal_a_task_out_of_time_whose_call_may_go_on_is_not_retried(
    answer: str | TwilioError,
) -> None:
    with pytest.raises(TwilioCallFateUnknownError, match="It is not dialled again"):
        monitoring(ScriptedTwilio(answer)).time_out("time is up")


@pytest.mark.parametrize(("fault", "ended_by_us"), [(AWAY, None), (REFUSED, None), (LOST, "cancel")])
def test_a_call_of_which_nobody_knows_whether_it_was_ended_is_said_to_be_only_where_it_may_be(
    journal: CallJournal, fault: TwilioError, ended_by_us: str | None
) -> None:
    with pytest.raises(AirflowTaskTimeout, match=f"Call {SID} may go on"):
        monitoring(ScriptedTwilio(fault), journal).time_out("time is up")
    assert written(journal).ended_by_us == ended_by_us


@pytest.mark.parametrize(
    ("when_killed", "answers"),
    [
        ("cancel", [IS_OVER, "completed"]),
        ("hang_up", [IS_OVER, "completed"]),
        ("leave", ["completed"]),
    ],
)
def test_a_call_that_had_ended_well_by_itself_is_no_timeout(
    when_killed: str, answers: list[str | TwilioError], journal: CallJournal
) -> None:
    monitor = monitoring(ScriptedTwilio(*answers), journal, when_killed=when_killed)
    assert monitor.time_out("time is up") == SID
    assert written(journal).ended_by_us is None


def test_a_call_is_ended_once() -> None:
    twilio = ScriptedTwilio("canceled")
    monitor = monitoring(twilio)
    monitor.end("one reason")
    monitor.end("another")
    assert twilio.asked == ["canceled"]


# Told to stop


def test_a_task_that_was_told_to_stop_leaves_at_the_next_pause(
    journal: CallJournal, clock: TurnedClock
) -> None:
    monitor = monitoring(ScriptedTwilio("canceled", "queued"), journal)
    monitor.on_kill()
    with pytest.raises(TwilioCallInterruptedError, match="A retry dials again"):
        monitor.poll_until_complete(any_poll(monitor))
    assert clock.now == NOW
    assert written(journal).ended_by_us == "cancel"


def test_nothing_is_written_down_within_the_signal_handler(journal: CallJournal) -> None:
    monitoring(ScriptedTwilio("canceled"), journal).on_kill()
    assert written(journal).ended_by_us is None


def test_a_call_that_this_task_hung_up_is_not_judged_though_it_completed(journal: CallJournal) -> None:
    monitor = monitoring(ScriptedTwilio("in-progress", "completed"), journal, when_killed="hang_up")
    monitor.on_kill()
    with pytest.raises(TwilioCallInterruptedError):
        monitor.conclude(over("completed"))
    assert written(journal).ended_by_us == "hang_up"


def test_a_call_that_was_over_before_the_task_was_told_to_stop_is_judged(journal: CallJournal) -> None:
    monitor = monitoring(ScriptedTwilio(IS_OVER, "completed"), journal)
    monitor.on_kill()
    assert monitor.conclude(over("completed")) == SID
    assert written(journal).ended_by_us is None


@pytest.mark.parametrize("fault", [AWAY, REFUSED, TwilioError("odd")])
def test_a_signal_handler_never_raises(fault: TwilioError, caplog: pytest.LogCaptureFixture) -> None:
    monitoring(ScriptedTwilio(fault)).on_kill()
    assert f"call {SID} could not be ended" in caplog.text


def test_a_call_that_shall_be_left_is_not_touched_by_the_signal_handler() -> None:
    twilio = ScriptedTwilio("ringing")
    monitoring(twilio, when_killed="leave").on_kill()
    assert twilio.asked == []


def test_a_second_signal_knows_that_the_first_may_have_canceled_the_call(journal: CallJournal) -> None:
    monitor = monitoring(ScriptedTwilio(LOST, IS_OVER, "canceled"), journal)
    monitor.on_kill()
    monitor.on_kill()
    with pytest.raises(TwilioCallInterruptedError, match="and the call was ended"):
        monitor.leave_if_stopped()
    assert written(journal).ended_by_us == "cancel"


def test_a_second_signal_that_comes_while_the_first_waits_for_its_answer_is_not_forgotten(
    journal: CallJournal,
) -> None:
    class CanceledByTheSecond(ScriptedTwilio):
        def update_call(self, sid: str, **changes: Any) -> Call:
            if not self.asked:
                self.asked.append("first")
                monitor.on_kill()
                raise IS_OVER
            return super().update_call(sid, **changes)

    monitor = monitoring(CanceledByTheSecond("canceled", "canceled"), journal)
    monitor.on_kill()
    with pytest.raises(TwilioCallInterruptedError, match="and the call was ended"):
        monitor.leave_if_stopped()
    assert written(journal).ended_by_us == "cancel"


def test_a_signal_that_ends_the_call_while_the_task_does_so_is_not_forgotten(journal: CallJournal) -> None:
    class CanceledByASignal(ScriptedTwilio):
        def update_call(self, sid: str, **changes: Any) -> Call:
            if not self.asked:
                self.asked.append("first")
                monitor.on_kill()
                raise IS_OVER
            return super().update_call(sid, **changes)

    monitor = monitoring(CanceledByASignal("canceled", "canceled"), journal)
    with pytest.raises(AirflowTaskTimeout):
        monitor.time_out("it took too long")
    assert written(journal).ended_by_us == "cancel"


def test_a_task_told_to_stop_before_it_knew_its_call_ends_it(journal: CallJournal) -> None:
    with pytest.raises(TwilioCallInterruptedError, match="A retry dials again"):
        monitoring(ScriptedTwilio("canceled"), journal).stop()
    assert written(journal).ended_by_us == "cancel"


# Faults that nobody thought of


class Oddity(Exception):
    """Something that went wrong, in another place altogether."""


def test_without_a_journal_an_error_of_another_kind_does_not_dial_again() -> None:
    with (
        pytest.raises(TwilioCallFateUnknownError, match=r"Oddity: the API server is away") as failed,
        no_redial_of(SID, CallJournal(None, 0)),
    ):
        raise Oddity("the API server is away")
    assert isinstance(failed.value, AirflowFailException)


def test_with_a_journal_an_error_of_another_kind_is_left_to_the_retry(journal: CallJournal) -> None:
    with pytest.raises(Oddity), no_redial_of(SID, journal):
        raise Oddity


@pytest.mark.parametrize(
    "verdict",
    [
        TwilioCallUnansweredError("as judged", call("busy")),
        TwilioCallInterruptedError("as judged"),
        TwilioCallEndedForGoodError("as judged"),
        AirflowTaskTimeout("as judged"),
    ],
    ids=type,
)
def test_a_verdict_passes_as_it_is(verdict: BaseException) -> None:
    with pytest.raises(type(verdict)), no_redial_of(SID, CallJournal(None, 0)):
        raise verdict
