"""Monitoring a call: its deadlines, how a wait that ended is judged, ending it, and being told to stop."""

from __future__ import annotations

from functools import partial
from typing import Any

import pendulum
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.calls.monitor import CallMonitor
from airflow_provider_twiliocall.calls.no_redial import no_redial_of
from airflow_provider_twiliocall.calls.outcome import CallOutcome, judge
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
)
from airflow_provider_twiliocall.journal.call_journal import CallJournal
from airflow_provider_twiliocall.journal.entry import Entry
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
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


def seen(reason: Reason, status: str = "ringing") -> CallOutcome:
    return CallOutcome(reason, call(status), "something is wrong")


def over(status: str, **fields: Any) -> CallOutcome:
    return CallOutcome.of(call(status, **fields))


def any_poll(monitor: CallMonitor) -> CallPoll:
    return monitor.poll(None, PARAMS, timeout_at=None)


# Deadlines


def test_the_deadlines_count_from_that_of_the_queue() -> None:
    deadline = QueueDeadline(NOW + 80)
    watch = monitoring(ScriptedTwilio("queued")).poll(deadline, PARAMS, timeout_at=NOW + 7).watch
    assert watch.queue_deadline == deadline
    assert watch.deadline == NOW + 80 + 65 + 14_400 + 60
    assert watch.timeout_at == NOW + 7


def test_the_queues_deadline_is_by_twilios_clock_and_the_calls_by_that_of_this_machine() -> None:
    twilio = ScriptedTwilio("queued")
    twilio.clock_offset = 90
    watch = monitoring(twilio).poll(QueueDeadline(NOW + 190), PARAMS, timeout_at=None).watch
    assert watch.queue_deadline == QueueDeadline(NOW + 190)
    assert watch.deadline == NOW + 100 + 65 + 14_400 + 60


def test_a_call_placed_with_other_limits_may_last_as_long_as_they_say() -> None:
    params = PARAMS.replace(timeout=30, time_limit=600)
    deadline = QueueDeadline(NOW + 100)
    watch = monitoring(ScriptedTwilio(AWAY)).poll(deadline, params, timeout_at=None).watch
    assert watch.deadline == NOW + 100 + 35 + 600 + 60


# Waiting on the worker


def test_a_wait_on_the_worker_looks_until_the_call_is_over(clock: TurnedClock) -> None:
    twilio = ScriptedTwilio("queued", "ringing", "in-progress", "completed")
    monitor = monitoring(twilio)
    assert monitor.poll_until_complete(any_poll(monitor)) == over("completed")
    assert clock.now == pytest.approx(NOW + 15)


# Outcomes


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (over("completed", answered_by="human"), Reason.COMPLETED),
        (over("completed", answered_by="machine_start"), Reason.VOICEMAIL),
        (over("busy"), Reason.BUSY),
        (over("no-answer"), Reason.NO_ANSWER),
        (over("canceled"), Reason.CANCELED_ELSEWHERE),
        (seen(Reason.UNKNOWN), Reason.UNKNOWN),
        (seen(Reason.OVERDUE), Reason.UNKNOWN),
    ],
)
def test_what_became_of_the_call_is_judged_and_told(
    seen: CallOutcome, expected: Reason, published: list[Call]
) -> None:
    monitor = monitoring(
        ScriptedTwilio("in-progress"), published=published, judge=partial(judge, accept_answered_by={"human"})
    )
    assert monitor.conclude(seen).reason is expected
    assert published[0] == seen.call


@pytest.mark.parametrize(
    ("when_killed", "asked"),
    [("cancel", ["canceled"]), ("hang_up", ["canceled", "completed"]), ("leave", ["look"])],
)
def test_a_call_that_should_have_been_over_by_now_is_ended(when_killed: str, asked: list[str]) -> None:
    twilio = ScriptedTwilio("in-progress")
    outcome = monitoring(twilio, when_killed=when_killed).conclude(seen(Reason.OVERDUE))
    assert "how it ended cannot be told: something is wrong. " in str(outcome.why)
    assert outcome.call_sid == SID
    assert twilio.asked == asked


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (Reason.QUEUE_TIMEOUT, "after 100 s (queue_timeout) and was canceled."),
        (Reason.WINDOW_CLOSED, "when it was too late for it to ring and was canceled."),
    ],
)
def test_a_call_that_was_canceled_while_queued_is_written_down_as_ended_by_the_task(
    journal: CallJournal, published: list[Call], reason: Reason, why: str
) -> None:
    canceled = call("canceled")
    outcome = monitoring(ScriptedTwilio(AWAY), journal, published).conclude(CallOutcome(reason, canceled))
    assert (outcome.reason, outcome.call) == (reason, canceled)
    assert f"still in Twilio's queue {why}" in str(outcome.why)
    assert written(journal).ended_by_us == "cancel"
    assert published == [canceled]


def test_who_canceled_a_call_is_left_to_a_retry_where_the_store_is_away() -> None:
    monitor = monitoring(ScriptedTwilio(AWAY), CallJournal(StateStore(fault=AWAY_FOR_THE_STORE), 0))
    with pytest.raises(TwilioCallInterruptedError, match=r"cannot be read now .* A retry looks again"):
        monitor.conclude(over("canceled"))


@pytest.mark.parametrize("reason", [Reason.CANCELED_ELSEWHERE, Reason.LEFT_QUEUE])
@pytest.mark.parametrize("promised", [Reason.QUEUE_TIMEOUT, Reason.WINDOW_CLOSED])
def test_a_call_that_was_canceled_while_queued_by_a_trigger_whose_event_was_lost_was_canceled_for_that(
    journal: CallJournal, reason: Reason, promised: Reason
) -> None:
    journal.placed(SID, queue_deadline=QueueDeadline(NOW, promised))
    canceled = call("canceled", end_time=pendulum.from_timestamp(NOW))
    outcome = monitoring(ScriptedTwilio(AWAY), journal).conclude(CallOutcome(reason, canceled))
    assert outcome.reason is promised
    assert written(journal).ended_by_us == "cancel"


def test_a_task_out_of_time_knows_a_call_that_a_trigger_has_canceled_while_queued(
    journal: CallJournal,
) -> None:
    journal.placed(SID, queue_deadline=QueueDeadline(NOW))
    canceled = call("canceled", end_time=pendulum.from_timestamp(NOW))
    outcome = monitoring(ScriptedTwilio(IS_OVER, canceled), journal).time_out("nobody took the event in time")
    assert outcome.reason is Reason.QUEUE_TIMEOUT
    assert written(journal).ended_by_us == "cancel"


@pytest.mark.parametrize("status", ["ringing", "busy", "canceled"])
def test_a_call_that_has_left_the_queue_is_enough_where_no_more_is_waited_for(
    published: list[Call], status: str
) -> None:
    monitor = monitoring(ScriptedTwilio(AWAY), published=published, awaits="ring")
    assert monitor.conclude(seen(Reason.LEFT_QUEUE, status)).reason is Reason.LEFT_QUEUE
    assert published == [call(status)]


def test_so_is_one_that_is_over_when_the_time_of_such_a_task_is_up() -> None:
    monitor = monitoring(ScriptedTwilio(IS_OVER, "busy"), awaits="ring")
    assert monitor.conclude(seen(Reason.TIMED_OUT, "queued")).reason is Reason.LEFT_QUEUE


# Out of time


def test_a_task_out_of_time_ends_its_call(journal: CallJournal, published: list[Call]) -> None:
    with pytest.raises(AirflowTaskTimeout, match="was ended by this task, and is canceled"):
        monitoring(ScriptedTwilio("canceled"), journal, published).conclude(seen(Reason.TIMED_OUT))
    assert written(journal).ended_by_us == "cancel"
    assert published[-1] == call("canceled")


def test_a_task_out_of_time_whose_call_goes_on_leaves_it_to_the_retry(journal: CallJournal) -> None:
    with pytest.raises(AirflowTaskTimeout, match="is in-progress and goes on"):
        monitoring(ScriptedTwilio("in-progress"), journal).conclude(seen(Reason.TIMED_OUT))
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
    assert monitor.time_out("time is up").reason is Reason.COMPLETED
    assert written(journal).ended_by_us is None


def test_a_call_is_ended_once() -> None:
    twilio = ScriptedTwilio("canceled")
    monitor = monitoring(twilio)
    monitor.ender.end("one reason")
    monitor.ender.end("another")
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
    assert monitor.conclude(over("completed")).reason is Reason.COMPLETED
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
    "end",
    [
        TwilioCallInterruptedError("told to stop"),
        TwilioCallFateUnknownError("for good"),
        AirflowTaskTimeout("out of time"),
    ],
    ids=type,
)
def test_what_ends_the_task_itself_passes_as_it_is(end: BaseException) -> None:
    with pytest.raises(type(end)), no_redial_of(SID, CallJournal(None, 0)):
        raise end
