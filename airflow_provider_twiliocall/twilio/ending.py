"""Ending a call: the one way in which this package does it, and whether it was us who ended it.

Twilio may refuse because the call is over (21220), answer with the call as it was a moment ago, or not answer at all.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, Protocol

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import (
    CALL_IS_OVER,
    TwilioAmbiguousError,
    TwilioError,
    TwilioRejectedError,
    TwilioUnreachableError,
)

logger = logging.getLogger(__name__)

HowToEnd = Literal["cancel", "hang_up"]
WhenKilled = Literal["cancel", "hang_up", "leave"]

# How long a call is tried to be ended through transient errors, in seconds: by who calls a method of client or hook …
PATIENCE_TO_END_S = 10.0
# … by a trigger, to whose on_kill Airflow gives 30 s ([triggerer] on_kill_timeout) …
PATIENCE_ON_KILL_S = 20.0
# … by a task that is out of time …
PATIENCE_OUT_OF_TIME_S = 30.0
# … and by a task that is the last to know of the call.
PATIENCE_AS_THE_LAST_S = 60.0

LONGEST_PAUSE_S = 60.0

_OVER = frozenset(status for status in CallStatus if status.is_terminal)
_TOO_LATE_TO_CANCEL = _OVER | {CallStatus.IN_PROGRESS}

# What each wish may end a call in. A cancellation never completes a call.
ENDS_IN: dict[WhenKilled, frozenset[CallStatus]] = {
    "cancel": frozenset({CallStatus.CANCELED}),
    "hang_up": frozenset({CallStatus.CANCELED, CallStatus.COMPLETED}),
    "leave": frozenset(),
}


class CancellationUnclearError(TwilioAmbiguousError):
    """A cancellation was sent, and it is not known whether it was done. Nothing that completes a call was sent."""


class CallApi(Protocol):
    """What of :class:`.TwilioClient` it takes to end a call."""

    def get_call(self, sid: str) -> Call:
        """Fetch the call."""

    def update_call(self, sid: str, *, status: CallStatus) -> Call:
        """Ask for another status."""


@dataclass(frozen=True)
class Ending:
    """What came of the wish to end a call.

    :param call: as it stands then
    :param by_us: whether the wish is what ended it
    """

    call: Call
    by_us: bool

    def __str__(self) -> str:
        if self.by_us:
            return f"Call {self.call.sid} was ended by this task, and is {self.call.status}."
        if self.call.status.is_terminal:
            return f"Call {self.call.sid} was over already: {self.call.status}."
        return f"Call {self.call.sid} is {self.call.status} and goes on."


def end_call(twilio: CallApi, call_sid: str, how: HowToEnd) -> Ending:
    """End a call: with ``cancel`` unless somebody is already on the line, with ``hang_up`` in any state."""
    try:
        ending = _cancel(twilio, call_sid)
    except TwilioRejectedError as error:
        if error.code != CALL_IS_OVER:
            raise
        ending = Ending(_as_it_stands(twilio, call_sid, may_be=_TOO_LATE_TO_CANCEL), by_us=False)
    if how == "cancel" or ending.call.status.is_terminal:
        return ending
    try:
        return Ending(twilio.update_call(call_sid, status=CallStatus.COMPLETED), by_us=True)
    except TwilioRejectedError as error:
        if error.code != CALL_IS_OVER:
            raise
        return Ending(_as_it_stands(twilio, call_sid, may_be=_OVER), by_us=False)


def look_instead(twilio: CallApi, call_sid: str) -> Ending:
    """Leave a call alone, and see how it stands."""
    return Ending(twilio.get_call(call_sid), by_us=False)


def cancel_queued_call(twilio: CallApi, call: Call) -> Ending:
    """Take a call out of Twilio's queue; one that has left it by itself is let be, its phone may be ringing.

    :param call: as seen just now
    """
    if call.status is not CallStatus.QUEUED:
        return Ending(call, by_us=False)
    try:
        return Ending(twilio.update_call(call.sid, status=CallStatus.CANCELED), by_us=True)
    except TwilioRejectedError as error:
        if error.code != CALL_IS_OVER:
            raise
        return Ending(_as_it_stands(twilio, call.sid, may_be=_TOO_LATE_TO_CANCEL), by_us=False)


def cancel_if_queued(twilio: CallApi, call_sid: str) -> Ending:
    """Take a call out of Twilio's queue if it is there; one that rings goes on."""
    return cancel_queued_call(twilio, twilio.get_call(call_sid))


def _cancel(twilio: CallApi, call_sid: str) -> Ending:
    """Cancel a call, and see what came of it: Twilio may agree, and answer with the call as it was a moment ago.

    :raises CancellationUnclearError: no answer came, or Twilio has agreed and does not show yet what came of it
    """
    try:
        call = twilio.update_call(call_sid, status=CallStatus.CANCELED)
    except TwilioAmbiguousError as error:
        raise CancellationUnclearError(
            error.message, http_status=error.http_status, code=error.code, request_id=error.request_id
        ) from error
    if call.status in _TOO_LATE_TO_CANCEL:
        return Ending(call, by_us=call.status.is_terminal)
    try:
        call = _as_it_stands(twilio, call_sid, may_be=_TOO_LATE_TO_CANCEL)
    except TwilioError as error:
        raise CancellationUnclearError(
            f"Twilio has agreed to end call {call_sid}, and what came of that cannot be seen: {error}"
        ) from error
    return Ending(call, by_us=call.status is CallStatus.CANCELED)


def _as_it_stands(twilio: CallApi, call_sid: str, *, may_be: Collection[CallStatus]) -> Call:
    """Fetch a call that Twilio has refused to end, and see that the answer is no older than the refusal."""
    call = twilio.get_call(call_sid)
    if call.status not in may_be:
        raise TwilioUnreachableError(
            f"Twilio shows call {call_sid} as {call.status}, which it cannot be any more"
        )
    return call


def may_have_ended_in(fault: Exception, how: WhenKilled) -> frozenset[CallStatus]:
    """Return the statuses in which a call may be that was ended by a request that failed so; none if it cannot be.

    :param how: what the request was for
    """
    if isinstance(fault, CancellationUnclearError):
        return ENDS_IN["cancel"]
    # A time-out of our own says as little as a lost answer.
    return ENDS_IN[how] if isinstance(fault, (TwilioAmbiguousError, TimeoutError)) else frozenset()


def retry_until(
    end: Callable[[], Ending],
    call_sid: str,
    *,
    until: float,
    how: WhenKilled = "cancel",
    pause: float = 1.0,
) -> Ending:
    """Repeat one of the above until it comes through; to ask twice does no harm here.

    :param how: what it asks for
    :param until: Unix time at which to give up
    :param pause: seconds before the second attempt; the later ones come at growing distances
    :raises TwilioAmbiguousError: where it did not, and yet may have been carried out
    :raises TwilioError: the last one, where it provably was not
    """
    # An answer that was lost may have told of success: what is in such a status then was ended by us.
    ours: frozenset[CallStatus] = frozenset()
    lost: TwilioAmbiguousError | None = None
    while True:
        try:
            ending = end()
            return Ending(ending.call, ending.by_us or ending.call.status in ours)
        except TwilioError as fault:
            if isinstance(fault, TwilioAmbiguousError):
                lost = fault
                ours |= may_have_ended_in(fault, how)
            # A fresh SID may be unknown for a moment, which TwilioNotFoundError says; that is transient too.
            refused = isinstance(fault, TwilioRejectedError) and fault.code is not None
            if refused or clock.time() + pause > until:
                raise lost or fault from None
            what = "look at" if how == "leave" else "end"
            logger.warning("Cannot %s call %s for now: %s", what, call_sid, fault)
            clock.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)
