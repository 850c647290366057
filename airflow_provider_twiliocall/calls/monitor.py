"""Monitoring a placed call for a task: from its SID until it is known what became of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.call_deadline import deadline_of_call
from airflow_provider_twiliocall.calls.ender import CallEnder
from airflow_provider_twiliocall.calls.no_redial import LOOK_IT_UP, NOT_AGAIN
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import Awaited, CallWatch, LookAgain
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallInterruptedError,
    TwilioCallJournalError,
)
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call
from airflow_provider_twiliocall.twilio.ending import WhenKilled

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# Twilio's limit for `timeout`.
LONGEST_RING_S = 600

# A signal handler cannot wake a thread that sleeps; it looks up this often.
_NAP_S = 0.2


class CallMonitor:
    """One placed call of one task, from its SID to its outcome.

    :param when_killed: what becomes of the call when the task has to go first
    :param judge: says what the end of the call means for the task
    :param queue_timeout: seconds the call may stay in Twilio's queue, to tell people
    :param awaits: whether the call is monitored to its end, or only until it has left that queue
    :param publish: shows people what is known of the call
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        call_sid: str,
        journal: CallJournal,
        *,
        when_killed: WhenKilled,
        poll_interval: float,
        queue_timeout: float,
        awaits: Awaited,
        judge: Callable[[Call], CallOutcome],
        publish: Callable[[Call], None],
    ) -> None:
        self.call_sid = call_sid
        self._hook = hook
        self._journal = journal
        self._poll_interval = poll_interval
        self._queue_timeout = queue_timeout
        self._awaits = awaits
        self._judge_call = judge
        self._publish = publish
        self.ender = CallEnder(hook, call_sid, journal, when_killed=when_killed, publish=publish)
        self.is_out_of_time = False
        self._is_stopped = False

    @property
    def account_sid(self) -> str | None:
        """The account that is asked for the call, where it is not the connection's."""
        return self._hook.account_sid

    # Waiting ----------------------------------------------------------------------------------------------

    def poll(
        self,
        queue_deadline: QueueDeadline | None,
        params: CreateCallParams | None,
        *,
        timeout_at: float | None,
    ) -> CallPoll:
        """Return what looks at the call, and knows when the wait is over.

        :param queue_deadline: until when it may stay in Twilio's queue; None for ever
        :param params: what it was placed with; None where that is not known, and it may last as long as any
        :param timeout_at: Unix time at which the task's own time is up
        """
        watch = CallWatch(
            self.call_sid,
            poll_interval=self._poll_interval,
            deadline=deadline_of_call(
                queue_deadline,
                clock_offset=self._hook.clock_offset,
                ring_timeout=params.timeout if params else LONGEST_RING_S,
                time_limit=params.time_limit if params else None,
            ),
            queue_deadline=queue_deadline,
            timeout_at=timeout_at,
            awaits=self._awaits,
        )
        # The connection is fetched at the first look.
        return CallPoll(watch, lambda: self._hook.watcher)

    def poll_until_complete(self, poll: CallPoll) -> CallOutcome:
        """Wait on this worker.

        :raises TwilioCallInterruptedError: the task was told to stop
        """
        try:
            while isinstance(decision := poll.look(), LookAgain):
                self._pause(decision.at - clock.time())
            return decision
        except KeyboardInterrupt:
            # Airflow takes Ctrl-C for a failed try, and the next one would dial again if this one ended its call.
            logger.warning("Interrupted: call %s may go on.", self.call_sid)
            raise

    def _pause(self, seconds: float) -> None:
        until = clock.monotonic() + seconds
        self.leave_if_stopped()
        while (rest := until - clock.monotonic()) > 0:
            clock.sleep(min(rest, _NAP_S))
            self.leave_if_stopped()

    # The end ----------------------------------------------------------------------------------------------

    def conclude(self, seen: CallOutcome) -> CallOutcome:
        """Return what became of the call, judged and said, from how the wait for it ended.

        :raises TwilioCallInterruptedError: the task was told to stop, or who canceled the call cannot be told now
        :raises TwilioCallAbandonedError: the task has to go before the call is over, and no retry would know of it
        :raises AirflowTaskTimeout: the task's time is up
        """
        is_canceled_in_queue = seen.reason in (Reason.QUEUE_TIMEOUT, Reason.WINDOW_CLOSED)
        if not is_canceled_in_queue:
            # A call that we ended has no outcome to judge, and one that goes on is none of a stopped task's business.
            self.leave_if_stopped()
        if seen.call:
            self._publish(seen.call)
        if seen.call and is_canceled_in_queue:
            return self._canceled_in_queue(seen.call, seen.reason)
        match seen.reason:
            case Reason.TIMED_OUT:
                return self.time_out("the task's execution_timeout is over")
            case Reason.OVERDUE:
                over = self.ender.end("it should have been over by now")
                return self._judge(over) if over else self._unknown(seen)
            case Reason.UNKNOWN:
                return self._unknown(seen)
        return self._judge(seen.call) if seen.call else self._unknown(seen)

    def _judge(self, call: Call) -> CallOutcome:
        if reason := self._why_canceled(call):
            return self._canceled_in_queue(call, reason)
        if self._awaits == "ring":
            why = f"Call {call.sid} has left Twilio's queue, and is {call.status}."
            return CallOutcome(Reason.LEFT_QUEUE, call, why)
        return self._judge_call(call)

    def _unknown(self, seen: CallOutcome) -> CallOutcome:
        what = (seen.why or "nobody knows why").rstrip(".")
        why = (
            f"Call {self.call_sid} was placed, but how it ended cannot be told: {what}. It is not dialled again. "
            f"{LOOK_IT_UP}"
        )
        return replace(seen, reason=Reason.UNKNOWN, why=why, call_sid=self.call_sid)

    def _why_canceled(self, call: Call) -> Reason | None:
        """Say whether a trigger, or an earlier process, canceled it in the queue and could not tell any more."""
        try:
            return self._journal.why_canceled(call)
        except TwilioCallJournalError as error:
            raise TwilioCallInterruptedError(
                f"Call {self.call_sid} was canceled, and whether by this task cannot be read now from Airflow's task "
                f"state store ({error.__cause__}). A retry looks again"
            ) from error

    def _canceled_in_queue(self, call: Call, reason: Reason) -> CallOutcome:
        self._journal.ended_by_us("cancel")
        if reason is Reason.WINDOW_CLOSED:
            why = "when it was too late for it to ring and was canceled. More calls per second shorten the queue"
        else:
            # This try may have none, and the call be an earlier one's.
            limit = "its time" if math.isinf(self._queue_timeout) else f"{self._queue_timeout:g} s"
            advice = "Give a longer queue_timeout, or buy more calls per second"
            why = f"after {limit} (queue_timeout) and was canceled. {advice}"
        return CallOutcome(reason, call, f"Call {self.call_sid} was still in Twilio's queue {why}")

    # Going first ------------------------------------------------------------------------------------------

    def time_out(self, why: str) -> CallOutcome:
        """End the call of a task that is out of time; return the outcome of one that was over by itself.

        :raises AirflowTaskTimeout: otherwise
        :raises TwilioCallAbandonedError: the same, where the call may go on and a retry would not know of it
        """
        if over := self.ender.end(why):
            return self._judge(over)
        fate = str(self.ender.ending or f"Call {self.call_sid} may go on.")
        if not self._journal.is_kept and not self.ender.has_ended_it:
            raise TwilioCallAbandonedError(f"Out of time: {why}. {fate} {NOT_AGAIN}. {LOOK_IT_UP}") from None
        self.is_out_of_time = True
        raise AirflowTaskTimeout(f"Out of time: {why}. {fate}") from None

    def on_kill(self) -> None:
        """End the call from within a signal handler; the thread that was interrupted leaves at its next step."""
        self._is_stopped = True
        self.ender.on_kill()

    def stop(self) -> None:
        """Go, because the task was told to stop, as :meth:`leave_if_stopped` does."""
        self._is_stopped = True
        self.leave_if_stopped()

    def leave_if_stopped(self) -> None:
        """End the call, write that down and go; but stay to see a call that was over by itself.

        :raises TwilioCallInterruptedError: the task was told to stop
        :raises TwilioCallAbandonedError: the same, where a retry would not know of the call
        """
        if not self._is_stopped or self.ender.end("the task was told to stop"):
            return
        stopped = f"The task was told to stop before call {self.call_sid} was over"
        if self.ender.has_ended_it:
            raise TwilioCallInterruptedError(f"{stopped}, and the call was ended. A retry dials again")
        if self._journal.is_kept:
            raise TwilioCallInterruptedError(f"{stopped}, and the call may go on. A retry takes it up")
        raise TwilioCallAbandonedError(f"{stopped}, and the call may go on. {NOT_AGAIN}. {LOOK_IT_UP}")
