"""What is known of a call that is waited for, and what to do next. No I/O.

The same for a worker that sleeps between looks, a sensor that pokes and a trigger on an event loop: each feeds what it
sees to :meth:`CallWatch.observe`, which says how often to look, what an error on the way means, when a call has been in
Twilio's queue for too long, and when the wait is over.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import TwilioConnectionNotFoundError
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.ending import Ending
from airflow_provider_twiliocall.twilio.errors import (
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline

logger = logging.getLogger(__name__)

# A fresh SID may be unknown to some of Twilio's servers for a moment. One still unknown after this was
# mistyped, deleted, or belongs to another account.
NOT_FOUND_PATIENCE_S = 300.0
NOT_FOUND_LOOKS = 3

LONGEST_BACKOFF_S = 60.0
# A fault that lasts is said again after so long.
REMINDER_S = 600.0
# While the call may leave Twilio's queue at a time at which it must not ring any more.
LONGEST_BACKOFF_WHEN_LATE_S = 10.0

Fault = TwilioError | TwilioConnectionNotFoundError
"""What can keep one look from being made, while the next one may be."""

# Should one of these last, it is for a person to fix: they are about the connection, or the SID.
_FOR_A_PERSON = (TwilioConnectionNotFoundError, TwilioNotFoundError, TwilioRejectedError)

Awaited = Literal["end", "ring"]
"""What a wait is for: that the call is over, or that it has left Twilio's queue."""


@dataclass(frozen=True)
class LookAgain:
    """The call goes on, or could not be seen.

    :param at: Unix time of the next look
    """

    at: float


@dataclass(frozen=True)
class CancelInQueue:
    """The call has been in Twilio's queue for too long: cancel it there, and observe what came of that."""

    call: Call


Decision = LookAgain | CancelInQueue | CallOutcome
"""What to do next."""


class CallWatch:
    """What is known of one call, and what to do next.

    :param poll_interval: seconds between two looks while all is well
    :param deadline: Unix time at which to give up; None waits for ever
    :param queue_deadline: when a call still in Twilio's queue is canceled; None for never, or once the call was seen to
        have left it
    :param timeout_at: Unix time at which whoever waits has no more time, whatever the call does; None for never
    :param awaits: what the wait is for
    :param log_level: at which each status is logged
    """

    def __init__(
        self,
        call_sid: str,
        *,
        poll_interval: float,
        deadline: float | None = None,
        queue_deadline: QueueDeadline | None = None,
        timeout_at: float | None = None,
        awaits: Awaited = "end",
        log_level: int = logging.INFO,
    ) -> None:
        self.call_sid = call_sid
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.queue_deadline = queue_deadline
        self.timeout_at = timeout_at
        self.awaits = awaits
        self._log_level = log_level
        self._status: CallStatus | None = None
        self._last_seen: Call | None = None
        self._clock_offset = 0.0
        # What to say of a cancellation that was asked for, and perhaps carried out though no answer said so.
        self._canceled_for: Reason | None = None
        self._fault: Fault | None = None
        self._faults_in_a_row = 0
        self._fault_said_at = 0.0
        # Since when the call has not been found; whoever has looked before, in another process, may set it.
        self.unknown_since: float | None = None

    def unknown_for_long(self, now: float) -> bool:
        """Whether the call has not been found for longer than a fresh one may stay unknown."""
        return self.unknown_since is not None and now - self.unknown_since >= NOT_FOUND_PATIENCE_S

    @property
    def is_for_a_person(self) -> bool:
        """Whether what kept the latest look from being made is for a person to fix, should it last."""
        return isinstance(self._fault, _FOR_A_PERSON) or self._never_got_to_twilio

    @property
    def _never_got_to_twilio(self) -> bool:
        # An answer of 500 or more is likely Twilio's, which is out of order.
        is_unreachable = (
            isinstance(self._fault, TwilioUnreachableError) and (self._fault.http_status or 0) < 500
        )
        return is_unreachable and self._status is None

    @property
    def may_be_queued(self) -> bool:
        """Whether the call was not seen to have left Twilio's queue."""
        return self._status in (None, CallStatus.QUEUED)

    @property
    def fault(self) -> Fault | None:
        """What kept the latest look from being made; None where it was made."""
        return self._fault

    def observe(self, news: Call | Fault, now: float, *, clock_offset: float = 0.0) -> Decision:
        """Say what to do about a look at the call.

        A transient error (404, 429, 5xx, no connection to Twilio, garbage, an Airflow that does not find its
        connection) is logged when it changes, and the wait goes on.

        :param news: the call as Twilio shows it, or what kept it from being seen
        :param now: Unix time
        :param clock_offset: seconds that Twilio's clock is ahead
        """
        if not isinstance(news, Call):
            return self.missed(news, now)
        self._clock_offset = clock_offset
        if self.queue_deadline and self._is_queued_too_long(news, now, self.queue_deadline):
            self._canceled_for = self.queue_deadline.reason
            return CancelInQueue(news)
        return self._seen(news, now)

    def is_news(self, status: CallStatus) -> bool:
        """Whether a call in this status may end the wait."""
        return status.is_terminal or (self.awaits == "ring" and status is not CallStatus.QUEUED)

    def observe_going_on(
        self, status: CallStatus, now: float, *, clock_offset: float = 0.0
    ) -> LookAgain | None:
        """Say what to do about a call that Twilio's list shows going on; None where the call itself must be looked at.

        A list may be behind, so it decides neither to give up on a call nor to cancel it in the queue.

        :param status: one that is no news
        :param now: Unix time
        :param clock_offset: as for :meth:`observe`
        """
        if status is not CallStatus.QUEUED and self._canceled_for is None:
            self.queue_deadline = None
        queue_deadline = self.queue_deadline.at - clock_offset if self.queue_deadline else None
        if any(moment and now >= moment for moment in (self.deadline, self.timeout_at, queue_deadline)):
            return None
        self._clock_offset = clock_offset
        if status != self._status:
            # What a look at the call has shown is out of date.
            self._last_seen = None
        self._can_be_seen(status)
        return LookAgain(now + self._pause(now))

    def observe_cancellation(self, news: Ending | Fault, now: float) -> LookAgain | CallOutcome:
        """Say what to do once the call was canceled in Twilio's queue, or could not be.

        :param now: Unix time
        """
        if not isinstance(news, Ending):
            return self.missed(news, now)
        if not news.by_us:
            self._canceled_for = None
        return self._seen(news.call, now)

    def _is_queued_too_long(self, call: Call, now: float, deadline: QueueDeadline) -> bool:
        if call.status is CallStatus.QUEUED:
            return now + self._clock_offset >= deadline.at
        if self._canceled_for is None:
            # For good: an answer that is behind must not stop a phone that was seen ringing.
            self.queue_deadline = None
        return False

    def _seen(self, call: Call, now: float) -> LookAgain | CallOutcome:
        self._can_be_seen(call.status)
        self._last_seen = call
        if self._canceled_for and call.status is CallStatus.CANCELED:
            return CallOutcome(self._canceled_for, call)
        if self.awaits == "ring" and call.status is not CallStatus.QUEUED and not self._canceled_for:
            return CallOutcome(Reason.LEFT_QUEUE, call)
        if call.status.is_terminal:
            return CallOutcome.of(call)
        return self._go_on(now, f"it is still {call.status}")

    def _can_be_seen(self, status: CallStatus) -> None:
        if self._fault:
            logger.info("Call %s can be seen again.", self.call_sid)
        self._fault, self._faults_in_a_row, self.unknown_since = None, 0, None
        if status != self._status:
            logger.log(self._log_level, "Call %s is %s.", self.call_sid, status)
        self._status = status

    def missed(self, fault: Fault, now: float) -> LookAgain | CallOutcome:
        """Say what to do about a look that could not be made.

        :param now: Unix time
        """
        # Without a code it is not Twilio's word, but that of something on the way: a proxy's page, say.
        if isinstance(fault, TwilioRejectedError) and fault.code is not None:
            queued = "in Twilio's queue it could not be canceled: " if self._canceled_for else ""
            return CallOutcome(Reason.UNKNOWN, self._last_seen, f"{queued}{fault}")
        is_new = self._fault is None or _kind_of(fault) != _kind_of(self._fault)
        if is_new or now >= self._fault_said_at + REMINDER_S:
            logger.warning("Cannot see call %s for now, and go on waiting: %s", self.call_sid, fault)
            self._fault_said_at = now
        self._fault = fault
        self._faults_in_a_row += 1
        if isinstance(fault, TwilioNotFoundError):
            self.unknown_since = self.unknown_since or now
            if self._faults_in_a_row >= NOT_FOUND_LOOKS and self.unknown_for_long(now):
                return CallOutcome(Reason.UNKNOWN, self._last_seen, str(fault))
        else:
            self.unknown_since = None
        return self._go_on(now, str(fault))

    def _go_on(self, now: float, why: str) -> LookAgain | CallOutcome:
        if self.deadline and now >= self.deadline:
            return self._not_seen_to_end(Reason.OVERDUE, why)
        if self.timeout_at and now >= self.timeout_at:
            return self._not_seen_to_end(Reason.TIMED_OUT, why)
        return LookAgain(now + self._pause(now))

    def _not_seen_to_end(self, reason: Reason, why: str) -> CallOutcome:
        return CallOutcome(reason, self._last_seen, why, is_for_a_person=self.is_for_a_person)

    def _pause(self, now: float) -> float:
        """Return the seconds until the next look: the poll interval, or more while there are transient errors."""
        queue_deadline = self.queue_deadline.at - self._clock_offset if self.queue_deadline else None
        pause = self.poll_interval
        if self._fault:
            is_late = queue_deadline is not None and now >= queue_deadline
            longest = LONGEST_BACKOFF_WHEN_LATE_S if is_late else LONGEST_BACKOFF_S
            pause = min(pause * 2 ** min(self._faults_in_a_row, 10), max(longest, pause))
            if isinstance(self._fault, TwilioThrottledError) and self._fault.retry_after:
                pause = max(pause, min(self._fault.retry_after, LONGEST_BACKOFF_S))
        moments = (self.deadline, queue_deadline, self.timeout_at)
        ahead = [moment - now for moment in moments if moment and moment > now]
        return min([pause, *ahead])


def _kind_of(fault: Fault) -> tuple[object, ...]:
    """Tell faults apart, but for what differs each time: the text has the request's id."""
    return type(fault), getattr(fault, "http_status", None), getattr(fault, "code", None)
