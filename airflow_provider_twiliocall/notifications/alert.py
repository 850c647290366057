"""One alert to one contact: rung by a deadline, whatever Twilio does, or found to be covered by another call."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.notifications.cooldown import Cooldown, random_wait
from airflow_provider_twiliocall.notifications.deadline import Deadline, OutOfTimeError
from airflow_provider_twiliocall.twilio.errors import (
    TwilioAmbiguousError,
    TwilioError,
    TwilioNotFoundError,
    TwilioRejectedError,
    TwilioThrottledError,
    TwilioUnreachableError,
)
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number
from airflow_provider_twiliocall.twilio.recent_calls import recent_calls

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.notifications.alert_record import AlertRecord
    from airflow_provider_twiliocall.notifications.this_process import WaitingTime
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.client import TwilioClient
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)

AfterRefusal = Callable[[TwilioError], "tuple[TwilioClient, CreateCallParams] | None"]

# How many requests are sent that may each make the phone ring. Those that Twilio provably did not take do not count.
MOST_UNANSWERED = 2

LONGEST_LOOK_S = 2.0
# Deleting the record of calls that no longer cover an alert, after the call of this one.
LONGEST_CLEANING_S = 1.5
CLEANED_BEFORE_S = 7 * 86_400.0
MOST_CLEANED = 5
# Giving way takes so long: to cancel and to look once more …
RESERVE_S = 2.5
# … and so does placing the call again after that look.
LAST_RESERVE_S = 1.0
# The shortest time in which it makes sense to dial again …
_SHORTEST_S = 0.5
# … and to send a request again that did not reach Twilio: one that is broken off may have reached it.
_WHOLE_ATTEMPT_S = 3.0
# Lists may lag behind; and a request that was given up may only just be on its way.
_PAUSE_S = 0.5
# Dates are whole seconds, and the Date header by which the clocks are compared is too.
_CLOCK_SLACK_S = 2.0


class AlertFailedError(Exception):
    """It is not known whether the phone rings. The message says what went wrong."""


@dataclass(frozen=True)
class Alerted:
    """The call that tells a contact.

    :param call: the call that rings, or has rung
    :param is_ours: whether it was placed for this alert, and not for another one
    """

    call: Call
    is_ours: bool


class Alert:
    """An alert to one contact; ``placed`` is the call that Twilio took for it, as soon as it has.

    :param params: complete, with the number to call from
    :param cooldown: how long a call covers later alerts; None: each of them rings
    :param seconds: how long all may take, from when it begins to ring
    :param waiting_time: how long it may wait before it looks whether another call covers it
    :param record: of the calls that alerts have placed
    :param after_refusal: gives what to ask for instead when Twilio has refused a call, and the client to ask with;
        None where asking for less cannot help
    """

    def __init__(
        self,
        client: TwilioClient,
        params: CreateCallParams,
        *,
        cooldown: timedelta | None,
        delivery: Delivery,
        seconds: float,
        waiting_time: WaitingTime,
        record: AlertRecord,
        after_refusal: AfterRefusal = lambda refusal: None,
    ) -> None:
        self.callee = redact_phone_number(params.to)
        self._lasts = cooldown
        self._delivery = delivery
        self._seconds = seconds
        self._waiting_time = waiting_time
        self._record = record
        self._after_refusal = after_refusal
        self._unanswered = 0
        self.placed: Call | None = None
        self.is_settled = threading.Event()
        """Set once a call is placed, covers the alert, or cannot be placed; what follows is the second look."""
        self._ask_for(client, params)

    def _ask_for(self, client: TwilioClient, params: CreateCallParams) -> None:
        self._client, self._params = client, params
        self._addresses = {"to": params.to, "from_": params.from_ or ""}
        self._cooldown = (
            Cooldown(client, **self._addresses, lasts=self._lasts, placed_by_alert=self._record.has)
            if self._lasts
            else None
        )

    def ring(self) -> Alerted:
        """Place the call, unless another one covers the alert.

        :raises TwilioError: where Twilio refused it, or provably never had it
        :raises AlertFailedError: where nobody can say whether it was placed
        """
        # Not before: it may have waited for a thread.
        self._deadline = Deadline(self._seconds)
        try:
            return self._ring()
        finally:
            self.is_settled.set()

    def _ring(self) -> Alerted:
        if self._cooldown is None:
            return self._place()
        clock.sleep(min(random_wait(), self._waiting_time.left, self._deadline.left))
        if (covering := self._look(self._cooldown.covering_call, most=LONGEST_LOOK_S)) is not None:
            return Alerted(covering, is_ours=False)
        alerted = self._place()
        # Not with the cooldown from before: less may have been asked for since, from another number.
        if alerted.is_ours and self._deadline.left > RESERVE_S:
            alerted = self._give_way(self._cooldown, alerted)
        if alerted.is_ours:
            self._clean(self._cooldown)
        return alerted

    def _look(self, look: Callable[[], Call | None], *, most: float) -> Call | None:
        """Ask Twilio's list; None also where it cannot be read."""
        try:
            return self._deadline.bound(look, most=most)
        except Exception as error:
            logger.warning("Cannot look at the calls to %s, so it is rung: %s", self.callee, error)
            return None

    def _give_way(self, cooldown: Cooldown, placed: Alerted) -> Alerted:
        until = self._deadline.at - RESERVE_S
        try:
            call = self._deadline.bound(
                lambda: cooldown.give_way(placed.call, until=until), most=self._deadline.left - LAST_RESERVE_S
            )
        except Exception as error:
            logger.warning("Cannot look at the calls to %s again: %s", self.callee, error)
            call = cooldown.as_far_as_known(placed.call)
        if call is None:
            logger.warning(
                "The call to %s that this alert gave way to may be gone. It is placed again.", self.callee
            )
            self.placed = None
            return self._place()
        if call.sid != placed.call.sid:
            self._record.forget(placed.call.sid)
        return Alerted(call, is_ours=call.sid == placed.call.sid)

    def _clean(self, cooldown: Cooldown) -> None:
        """Delete what is kept of the calls before the cooldown. They do not cover alerts any more."""

        def clean() -> None:
            for call in islice(cooldown.calls_before(CLEANED_BEFORE_S), MOST_CLEANED):
                self._record.forget(call.sid)

        if not self._record.may_write:
            return
        try:
            self._deadline.bound(clean, most=LONGEST_CLEANING_S)
        except Exception as error:
            logger.debug("Cannot look for earlier calls to %s: %s", self.callee, error)

    # Placing ----------------------------------------------------------------------------------------------

    def _place(self) -> Alerted:
        pause = _PAUSE_S
        while True:
            sent = clock.time()
            try:
                call = self._deadline.bound(
                    lambda: self._client.create_call(self._params), most=self._time_for_an_answer()
                )
                self.placed = call
                self.is_settled.set()
                self._record.add(call.sid)
                return Alerted(call, is_ours=True)
            except (OutOfTimeError, TwilioAmbiguousError) as error:
                self._unanswered += 1
                logger.warning(
                    "It is not known yet whether the call to %s was placed: %s", self.callee, error
                )
                if (found := self._find(sent)) is not None:
                    if self._was_created_since(sent, found.call):
                        self._record.add(found.call.sid)
                    return found
                self._refuse_another(error)
            except (TwilioRejectedError, TwilioNotFoundError) as error:
                if (less := self._after_refusal(error)) is None:
                    raise
                self._ask_for(*less)
            except (TwilioThrottledError, TwilioUnreachableError) as error:
                # It did not reach Twilio. Never shorter than our own pause, even with "Retry-After: 0".
                asked = error.retry_after if isinstance(error, TwilioThrottledError) else None
                pause = max(asked or 0.0, pause * random.uniform(1.0, 1.5))
                if pause + _WHOLE_ATTEMPT_S > self._deadline.left:
                    raise
                logger.warning("The call to %s is tried again in %.1f s: %s", self.callee, pause, error)
                clock.sleep(pause)

    def _time_for_an_answer(self) -> float:
        """Return how long to wait for an answer: half of what is left, unless this is the last request."""
        is_last = self._unanswered + 1 == MOST_UNANSWERED
        return self._deadline.left * (0.9 if is_last else 0.5)

    def _refuse_another(self, error: Exception) -> None:
        unclear = f"it is not known whether the phone rings: {error}"
        if self._delivery == "at_most_once":
            raise AlertFailedError(
                f"{unclear}. With delivery='at_most_once' it is not dialled again"
            ) from None
        if self._unanswered >= MOST_UNANSWERED or self._deadline.left < _SHORTEST_S:
            raise AlertFailedError(f"{unclear}. It was dialled {self._unanswered} times") from None
        logger.warning("Dialling %s again: two rings are better than none.", self.callee)

    # A lost answer ----------------------------------------------------------------------------------------

    def _find(self, sent: float) -> Alerted | None:
        """Look briefly for the call of a request that got no answer, or for another that covers the alert."""
        brief = Deadline(min(LONGEST_LOOK_S, self._deadline.left / 2))
        look = self._cooldown.covering_call if self._cooldown else lambda: self._only_call_since(sent)
        while True:
            if (call := self._look(look, most=brief.left)) is not None:
                # With a cooldown it may be the call of another notifier, which covers this alert.
                return Alerted(call, is_ours=self._cooldown is None)
            if brief.left < _PAUSE_S:
                return None
            clock.sleep(_PAUSE_S)

    def _was_created_since(self, sent: float, call: Call) -> bool:
        """Say whether a call may be the one that was asked for at that moment, and not an earlier one."""
        earliest = sent + (self._client.clock_offset or 0.0) - _CLOCK_SLACK_S
        return call.date_created is not None and call.date_created.timestamp() >= earliest

    def _only_call_since(self, sent: float) -> Call | None:
        seconds = clock.time() - sent + _CLOCK_SLACK_S
        calls = list(recent_calls(self._client, **self._addresses, seconds=seconds))
        # One of several may be the call of another alert, and without a cooldown each alert rings.
        return calls[0] if len(calls) == 1 else None
