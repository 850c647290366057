"""Monitoring a placed call to its end for a task: waiting, ending the call, judging it."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import Outcome, Verdict
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import (
    Awaited,
    CallWatch,
    LookAgain,
    WaitEnd,
    WaitResult,
    deadline_of_call,
    queue_deadline_of_call,
)
from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallJournalError,
    TwilioCallUnansweredError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.entry import CLOCK_SLACK_S
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.ending import (
    ENDS_IN,
    PATIENCE_OUT_OF_TIME_S,
    Ending,
    HowToEnd,
    WhenKilled,
    end_call,
    look_instead,
    may_have_ended_in,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import TwilioAmbiguousError, TwilioError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

# What Airflow leaves a task between the signal and SIGKILL is 5 s, and the journal wants some of them.
ON_KILL_S = 3.0
ON_KILL_CONNECT_S = 1.0
ON_KILL_READ_S = 2.0

# Twilio's limit for `timeout`.
LONGEST_RING_S = 600

# A signal handler cannot wake a thread that sleeps; it looks up this often.
_NAP_S = 0.2

_LOOK_IT_UP = "Look it up in Twilio's call log"
_NOT_AGAIN = "It is not dialled again, because this Airflow keeps no journal in which a retry would find it"


class CallMonitor:
    """One placed call of one task, from its SID to the verdict.

    :param when_killed: what becomes of the call when the task has to go first
    :param judge: says what the end of the call means for the task
    :param queue_timeout: seconds the call may stay in Twilio's queue
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
        judge: Callable[[Call], Outcome],
        publish: Callable[[Call], None],
    ) -> None:
        self.call_sid = call_sid
        self._hook = hook
        self._journal = journal
        self._when_killed = when_killed
        self._poll_interval = poll_interval
        self._queue_timeout = queue_timeout
        self._awaits = awaits
        self._judge_call = judge
        self._publish = publish
        self.is_out_of_time = False
        self._is_stopped = False
        self._ending: Ending | None = None
        # What on_kill may have ended the call in, though no answer said so.
        self._may_have_ended_in: frozenset[CallStatus] = frozenset()

    @property
    def account_sid(self) -> str | None:
        """The account that is asked for the call, where it is not the connection's."""
        return self._hook.account_sid

    # Waiting ----------------------------------------------------------------------------------------------

    def poll(
        self,
        call: Call | None,
        params: CreateCallParams | None,
        *,
        timeout_at: float | None,
        latest_ring: float = math.inf,
    ) -> CallPoll:
        """Return what looks at the call, and knows when the wait is over.

        :param call: as Twilio has shown it; None where it could not be seen, which is taken for a call of just now
        :param params: what it was placed with; None where that is not known, and it may last as long as any
        :param timeout_at: Unix time at which the task's own time is up
        :param latest_ring: Unix time after which it must not begin to ring any more
        """
        offset = self._hook.clock_offset
        queue_deadline = min(
            queue_deadline_of_call(
                call,
                now=clock.time(),
                queue_timeout=self._queue_timeout,
                latest_ring=latest_ring,
                clock_offset=offset,
            ),
            # What an earlier try has promised holds, unless this one is to be stricter.
            self._journal.queue_deadline_of(self.call_sid) or math.inf,
        )
        watch = CallWatch(
            self.call_sid,
            poll_interval=self._poll_interval,
            deadline=deadline_of_call(
                queue_deadline - offset,
                ring_timeout=params.timeout if params else LONGEST_RING_S,
                time_limit=params.time_limit if params else None,
            ),
            queue_deadline=queue_deadline,
            timeout_at=timeout_at,
            awaits=self._awaits,
        )
        # The connection is fetched at the first look.
        return CallPoll(watch, lambda: self._hook.watcher)

    def poll_until_complete(self, poll: CallPoll) -> WaitResult:
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

    def conclude(self, result: WaitResult) -> str:
        """Return the SID of a call that ended well, or has left Twilio's queue where that is all that was waited for.

        :raises TwilioCallUnansweredError: nobody wanted was reached; a retry dials again
        :raises TwilioCallEndedForGoodError: a retry would be in vain, or unwanted
        :raises TwilioCallFateUnknownError: how it ended cannot be told
        :raises AirflowTaskTimeout: the task's time is up
        """
        if result.end is WaitEnd.CANCELED_WHILE_QUEUED and result.call:
            self._publish(result.call)
            self._raise_canceled_while_queued(result.call)
        # A call that we ended has no outcome to judge, and one that goes on is none of a stopped task's business.
        self.leave_if_stopped()
        if result.call:
            self._publish(result.call)
        if result.end in (WaitEnd.OVER, WaitEnd.LEFT_QUEUE) and result.call:
            return self._judge(result.call)
        if result.end is WaitEnd.TIMED_OUT:
            return self.time_out("the task's execution_timeout is over")
        if result.end is WaitEnd.DEADLINE and (
            call := self._over_by_itself("it should have been over by now")
        ):
            return self._judge(call)
        raise TwilioCallFateUnknownError(
            f"Call {self.call_sid} was placed, but how it ended cannot be told: {_open(result.problem)}. It is not "
            f"dialled again. {_LOOK_IT_UP}"
        )

    def _judge(self, call: Call) -> str:
        if self._was_canceled_while_queued(call):
            self._raise_canceled_while_queued(call)
        if self._awaits == "ring":
            logger.info("Call %s has left Twilio's queue, and is %s.", call.sid, call.status)
            return call.sid
        outcome = self._judge_call(call)
        if outcome.verdict is Verdict.REDIAL:
            raise TwilioCallUnansweredError(outcome.sentence, call)
        if outcome.verdict is Verdict.GIVE_UP:
            raise TwilioCallEndedForGoodError(outcome.sentence)
        logger.info(outcome.sentence)
        return call.sid

    def _was_canceled_while_queued(self, call: Call) -> bool:
        """Whether a trigger did so, or an earlier process, that could not tell of it any more."""
        try:
            return self._journal.was_canceled_while_queued(call)
        except TwilioCallJournalError as error:
            raise TwilioCallInterruptedError(
                f"Call {self.call_sid} was canceled, and whether by this task cannot be read now from Airflow's task "
                f"state store ({error.__cause__}). A retry looks again"
            ) from error

    def _raise_canceled_while_queued(self, call: Call) -> NoReturn:
        self._journal.ended_by_us("cancel")
        was_too_late = self._was_too_late(call)
        why = (
            "when it was too late for it to ring and was canceled. More calls per second help"
            if was_too_late
            else f"after {self._queue_timeout:g} s (queue_timeout) and was canceled. More calls per second, or a "
            "longer queue_timeout, help"
        )
        raise TwilioCallUnansweredError(
            f"Call {self.call_sid} was still in Twilio's queue {why}",
            call,
            ended_by_us=True,
            was_too_late=was_too_late,
        )

    def _was_too_late(self, call: Call) -> bool:
        """Whether its time to ring was over before its time in the queue was."""
        canceled_at = call.end_time or call.date_updated
        if math.isinf(self._queue_timeout) or call.date_created is None or canceled_at is None:
            return math.isinf(self._queue_timeout)
        return (canceled_at - call.date_created).total_seconds() < self._queue_timeout - CLOCK_SLACK_S

    def time_out(self, why: str) -> str:
        """End the call of a task that is out of time; return the SID of one that had ended well by itself.

        :raises AirflowTaskTimeout: otherwise; or what :meth:`conclude` raises of a call that had ended badly
        """
        if call := self._over_by_itself(why):
            return self._judge(call)
        ending = self._ending
        fate = str(ending) if ending else f"Call {self.call_sid} may go on."
        if not self._journal.is_kept and not (ending and ending.by_us):
            raise TwilioCallAbandonedError(
                f"Out of time: {why}. {fate} {_NOT_AGAIN}. {_LOOK_IT_UP}"
            ) from None
        self.is_out_of_time = True
        raise AirflowTaskTimeout(f"Out of time: {why}. {fate}") from None

    # Ending -----------------------------------------------------------------------------------------------

    def end(self, why: str) -> None:
        """End the call as ``when_killed`` says, through transient errors, unless :meth:`on_kill` has done so.

        Either way it is written down that we did, before the request where there still is one to send.
        """
        how = self._when_killed
        if self._ending is None and how != "leave":
            if not self._journal.ended_by_us(how) and how == "hang_up":
                # A conversation that was cut short, and nobody could tell: better to let it go on.
                how = "cancel"
            self._end_now(partial(end_call, self._hook.watcher, self.call_sid, how), how, why)
        elif self._ending is None:
            logger.info(
                "Call %s is looked at once more, and not ended (when_killed='leave'): %s.", self.call_sid, why
            )
            self._end_now(partial(look_instead, self._hook.watcher, self.call_sid), how, why)
        elif self._ending.by_us and how != "leave":
            self._journal.ended_by_us(how)
        if self._ending and not self._ending.by_us:
            self._journal.not_ended_by_us()

    def _end_now(self, end: Callable[[], Ending], how: WhenKilled, why: str) -> None:
        try:
            ending = retry_until(
                end,
                self.call_sid,
                how=how,
                until=clock.time() + PATIENCE_OUT_OF_TIME_S,
            )
        except TwilioError as error:
            logger.error("What becomes of call %s is not known (%s): %s", self.call_sid, why, error)
            if not isinstance(error, TwilioAmbiguousError) and not self._may_have_ended_in:
                # It goes on by itself, and how it ends is its own.
                self._journal.not_ended_by_us()
            return
        # A signal may have come meanwhile.
        ending = self._keep(ending, asked_before=self._may_have_ended_in)
        logger.info("%s (%s)", ending, why)
        self._publish(ending.call)

    def _keep(self, ending: Ending, *, asked_before: frozenset[CallStatus]) -> Ending:
        """Remember what came of the wish to end the call. What this task has ended once was ended by it for good.

        :param asked_before: what another request of this task may have ended the call in, though no answer said so
        """
        was_ours = self._ending is not None and self._ending.by_us
        by_us = ending.by_us or was_ours or ending.call.status in asked_before
        self._ending = Ending(ending.call, by_us)
        return self._ending

    def _over_by_itself(self, why: str) -> Call | None:
        """End the call; return it where it was over in that very moment: that is an outcome, and not to be lost."""
        self.end(why)
        if self._ending and self._ending.call.status.is_terminal and not self._ending.by_us:
            return self._ending.call
        return None

    def on_kill(self) -> None:
        """End the call from within a signal handler.

        Neither Airflow's store, XCom nor connections can be used in here: the thread that was interrupted may
        hold the lock they need. Hence a session of its own, too; and what came of it that thread writes down.
        """
        self._is_stopped = True
        how = self._when_killed
        # Twice, where both Airflow and the machine send a SIGTERM: the second finds the call over, and not by itself.
        if how == "leave" or self._ending or not self._hook.is_ready:
            return
        # Another signal may come before this one's request has an answer.
        asked_before = self._may_have_ended_in
        self._may_have_ended_in |= ENDS_IN[how]
        came_of_it = self._end_briefly(how)
        if isinstance(came_of_it, Ending):
            ending = self._keep(came_of_it, asked_before=asked_before)
            logger.info("The task was told to stop. %s", ending)
        else:
            self._may_have_ended_in = asked_before | may_have_ended_in(came_of_it, how)
            logger.error(
                "The task was told to stop, and call %s could not be ended yet: %s", self.call_sid, came_of_it
            )

    def _end_briefly(self, how: HowToEnd) -> Ending | Exception:
        """End the call, and return what came of it within :data:`ON_KILL_S`.

        In a thread, where one can be had: a socket's time limits begin again with every byte, hold for each of a host's
        addresses, and know nothing of a name server. An exception that escaped from a signal handler would surface
        anywhere.
        """
        came_of_it: list[Ending | Exception] = []

        def end() -> None:
            try:
                client = self._hook.client_with(
                    connect_timeout=ON_KILL_CONNECT_S, read_timeout=ON_KILL_READ_S, repeats_reads=False
                )
                came_of_it.append(end_call(client, self.call_sid, how))
            except Exception as error:
                came_of_it.append(error)

        thread = threading.Thread(target=end, name="twilio-on-kill", daemon=True)
        try:
            thread.start()
        except Exception as error:
            # "can't start new thread": the client's own time limits have to do.
            logger.warning("Call %s is ended without a thread of its own: %s", self.call_sid, error)
            end()
        else:
            thread.join(ON_KILL_S)
        return came_of_it[0] if came_of_it else TimeoutError(f"no answer within {ON_KILL_S:g} s")

    def stop(self) -> None:
        """Go, because the task was told to stop, as :meth:`leave_if_stopped` does."""
        self._is_stopped = True
        self.leave_if_stopped()

    def leave_if_stopped(self) -> None:
        """End the call, write that down and go; but stay to see a call that was over by itself.

        :raises TwilioCallInterruptedError: the task was told to stop
        :raises TwilioCallAbandonedError: the same, where a retry would not know of the call
        """
        if not self._is_stopped or self._over_by_itself("the task was told to stop"):
            return
        stopped = f"The task was told to stop before call {self.call_sid} was over"
        if self._ending and self._ending.by_us:
            raise TwilioCallInterruptedError(f"{stopped}, and the call was ended. A retry dials again")
        if self._journal.is_kept:
            raise TwilioCallInterruptedError(f"{stopped}, and the call may go on. A retry takes it up")
        raise TwilioCallAbandonedError(f"{stopped}, and the call may go on. {_NOT_AGAIN}. {_LOOK_IT_UP}")


def _open(sentence: str | None) -> str:
    """A sentence without its full stop, to go on in another one."""
    return (sentence or "nobody knows why").rstrip(".")


@contextmanager
def no_redial_of(call_sid: str | None, journal: CallJournal) -> Iterator[None]:
    """Let no error of another kind, an API server that is away say, pass as a reason to dial again.

    Where a journal is kept it may pass: a retry takes up the call. So does one whose connection cannot be had or used,
    since the call goes on meanwhile.

    :raises TwilioCallInterruptedError: in place of an error of the connection, where a journal is kept
    :raises TwilioCallAbandonedError: in place of any error that is not a judgement of the call, where none is
    """
    try:
        yield
    except (TwilioConnectionError, TwilioConnectionNotFoundError) as error:
        if not journal.is_kept:
            raise _abandoned(call_sid, error) from error
        raise TwilioCallInterruptedError(
            f"Call {call_sid} may still ring, and cannot be monitored now: {error}. A retry takes it up"
        ) from error
    except (TwilioCallUnansweredError, TwilioCallInterruptedError, AirflowFailException):
        raise
    except Exception as error:
        if journal.is_kept:
            raise
        raise _abandoned(call_sid, error) from error


def _abandoned(call_sid: str | None, error: Exception) -> TwilioCallAbandonedError:
    return TwilioCallAbandonedError(
        f"Call {call_sid} was placed, but what became of it could not be seen to the end "
        f"({type(error).__name__}: {error}). {_NOT_AGAIN}. {_LOOK_IT_UP}"
    )
