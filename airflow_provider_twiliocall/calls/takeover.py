"""Taking over what an earlier try has left: its call comes first, before this try checks what it would dial itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.placement import Placed, Placement
from airflow_provider_twiliocall.calls.recovery import Delivery
from airflow_provider_twiliocall.exceptions import (
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallNotPlacedError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.attempt import CallAttempt
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.ending import (
    PATIENCE_AS_THE_LAST_S,
    Ending,
    HowToEnd,
    WhenKilled,
    end_call,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioNotFoundError, TwilioRejectedError
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.twilio.call import Call

logger = logging.getLogger(__name__)

# How long an answer of Twilio's may be behind, and how long one is waited for where no second look will come.
STALE_FOR_S = 15.0
PATIENCE_TO_SEE_S = 60.0
_PAUSE_BETWEEN_LOOKS_S = 5.0

# For so long after the request, a call that Twilio does not know may be one that it does not know yet.
FRESH_FOR_S = 60.0


class _CallForgottenError(Exception):
    """Twilio does not know a call that is too old to be unknown yet."""


@dataclass
class Takeover:
    """An earlier try's call, and what this try does about it.

    Nothing of this try's own arguments is needed to monitor that call or to end it. They tell, where they can be used,
    whether the task still means the same person, and how to look for a call whose SID was not learned. Where they
    cannot, ``account_sid`` may be what is wrong: then the earlier call's account is asked for, with the same
    credentials, and Twilio says whether they may see it.

    :param earlier: what the journal has of it; some request that may have placed a call
    :param placement: of the call that this try asks for; None where its arguments cannot be used
    :param problem: why they cannot
    :param delivery: what to do when the earlier call cannot be monitored: ``at_most_once`` fails for good,
        ``at_least_once`` dials
    :param when_killed: what becomes of the call of a run that a person has cleared
    """

    hook: TwilioCallHook
    journal: CallJournal
    earlier: Entry
    placement: Placement | None
    problem: str | None = None
    delivery: Delivery = "at_most_once"
    when_killed: WhenKilled = "cancel"

    def __post_init__(self) -> None:
        # The call this try is about, as soon as it is known to be.
        self.call_sid: str | None = None
        # Whether the earlier call is left to itself, and its phone may ring.
        self.may_ring = False
        self._own_hook = self.hook
        if self.placement is None:
            self.hook = self.hook.for_account(self.earlier.account_sid)

    @property
    def subject(self) -> str:
        """The earlier call, to begin a sentence about it with."""
        of = "the run before" if self._is_cleared else "an earlier try"
        if self.earlier.call_sid:
            return f"Call {self.earlier.call_sid} of {of}"
        return f"A call of {of} whose SID was not learned (sent at {self._sent})"

    def take_over(self) -> Placed | None:
        """Return the earlier call, also one that is over by now.

        :return: None where there is none to go on with: this try is to dial
        :raises TwilioCallInterruptedError: the connection cannot be had or used; a retry takes over
        :raises TwilioCallNotPlacedError: what became of the call cannot be seen now
        :raises TwilioCallFateUnknownError: it may ring or have rung, and ``delivery`` forbids a second call
        :raises TwilioCallMaybePlacedError: the same, and a retry looks again
        :raises TwilioCallSupersededError: another try has taken over
        """
        try:
            return self._take_over()
        except (TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            raise TwilioCallInterruptedError(
                f"{self.subject} may still ring, and cannot be monitored or ended now: {error}. No other was placed. A "
                "retry goes on with it"
            ) from error

    def _take_over(self) -> Placed | None:
        if self._is_cleared:
            self._end_earlier_run()
            return None
        if self._is_to_be_left_alone():
            self.may_ring = True
            return None
        if self.earlier.call_sid is None:
            return self._find_unconfirmed()
        if self.placement is None:
            logger.warning(
                "%s is monitored. Whether this try would call the same person cannot be told, because its arguments "
                "cannot be used: %s",
                self.subject,
                self.problem,
            )
        # Not yet one that may have been ended by us: what is over then is nothing to judge.
        self.call_sid = None if self.earlier.ended_by_us else self.earlier.call_sid
        taken = self._look_at(self.earlier.call_sid)
        self.call_sid = taken.call_sid if taken else None
        return taken

    # Whose call it is -------------------------------------------------------------------------------------

    @property
    def _is_cleared(self) -> bool:
        return self.earlier.max_tries != self.journal.max_tries

    @property
    def _sent(self) -> str:
        return f"{pendulum.from_timestamp(self.earlier.sent).to_datetime_string()} UTC"

    @cached_property
    def _account(self) -> str:
        named = self.placement.params.account_sid if self.placement else self.earlier.account_sid
        return named or self.hook.client.account_sid

    def _is_to_be_left_alone(self) -> bool:
        """Say whether it is a call to somebody else, from another number, or one that cannot be monitored from here.

        :raises TwilioCallFateUnknownError: it is to the same person, cannot be monitored, and ``delivery`` forbids a
            second call
        """
        params = self.placement.params if self.placement else None
        is_to_another = params is not None and not self.earlier.is_to(params)
        if not is_to_another and not self.earlier.is_of_account(self._account):
            self._cannot_be_monitored()
            return True
        if params is None or (not is_to_another and self.earlier.is_for(params, self._account)):
            return False
        logger.warning(
            "An earlier try was about a call between two others (%s): it is left alone, and this one to %s is placed.",
            self.earlier.call_sid or "whose SID is not known",
            redact_phone_number(params.to),
        )
        return True

    def _cannot_be_monitored(self) -> None:
        why = (
            f"{self.subject} was placed with account {self.earlier.account_sid}. This try speaks for account "
            f"{self._account}, which cannot see that call"
        )
        if self.delivery == "at_most_once":
            raise TwilioCallFateUnknownError(
                f"{why}. Nobody is dialled again, because the phone may ring or have rung. Look it up in the call log "
                f"of {self.earlier.account_sid}. Clear this task to dial"
            )
        logger.warning("%s: dialling again, better two rings than none.", why)

    def _find_unconfirmed(self) -> Placed | None:
        if self.placement is not None:
            found = self.placement.find_unconfirmed(self.earlier)
            self.may_ring = found is None
            return found
        if self.delivery == "at_least_once":
            self.may_ring = True
            return None
        raise TwilioCallFateUnknownError(
            f"An earlier try sent a call at {self._sent} and did not learn its SID. It cannot be looked for, because "
            f"the arguments of this try cannot be used: {self.problem}\nLook in Twilio's call log for a call created "
            "then or shortly after. If none is this task's, fix the arguments and clear this task to dial"
        )

    # Looking at it ---------------------------------------------------------------------------------------

    def _look_at(self, call_sid: str) -> Placed | None:
        """Return the call; None for one that an earlier try has ended."""
        earlier = self.earlier
        try:
            call = self._see(call_sid)
        except TwilioError as error:
            raise TwilioCallFateUnknownError(
                f"An earlier try placed call {call_sid}, and Twilio refuses to say what became of it ({error}). It "
                "is not dialled again. Look it up in Twilio's call log"
            ) from None
        if call is None:
            return Placed(call_sid, None)
        if not call.status.is_terminal:
            self.call_sid = call_sid
            logger.info("Call %s of an earlier try is %s: going on with it.", call_sid, call.status)
            if earlier.ended_by_us:
                self.journal.not_ended_by_us()
            return Placed(call_sid, call)
        if _was_ended_by_us(earlier, call):
            logger.info("Call %s was ended by an earlier try: placing it again.", call_sid)
            self.journal.remember(CallAttempt.of(call, step=earlier.step, ended_by_us=True))
            return None
        logger.info("Call %s was placed before, and is over.", call_sid)
        return Placed(call_sid, call)

    def _see(self, call_sid: str) -> Call | None:
        """Return the call, or None where it cannot be seen now and whoever waits for it will.

        One that this task has asked Twilio to end is looked at until it is certain whether that ended it: who
        waits for it could not tell any more.
        """
        ended_by_us = self.earlier.ended_by_us
        started = clock.monotonic()
        while True:
            waited = clock.monotonic() - started
            try:
                call = self.hook.get_call(call_sid)
                if call.status.is_terminal or not ended_by_us or waited >= STALE_FOR_S:
                    return call
            except TwilioError as error:
                if isinstance(error, TwilioRejectedError) and error.code is not None:
                    raise
                logger.warning("Call %s of an earlier try cannot be seen for now: %s", call_sid, error)
                if not ended_by_us:
                    return None
                if waited >= PATIENCE_TO_SEE_S:
                    raise TwilioCallNotPlacedError(
                        f"An earlier try has asked Twilio to end call {call_sid}, and what came of that cannot be "
                        f"seen now ({error}), so no other was placed. A retry looks again"
                    ) from None
            clock.sleep(_PAUSE_BETWEEN_LOOKS_S)

    # Ending it --------------------------------------------------------------------------------------------

    def _end_earlier_run(self) -> None:
        """Before a deliberate new run: end what the run before has left ringing."""
        logger.info("The task was cleared, so this is a new run, and its call is placed again.")
        self.may_ring = True
        if self.when_killed == "leave":
            return
        if not self.earlier.is_of_account(self._account):
            self._warn_of_another_account()
            return
        try:
            if call_sid := self.earlier.call_sid or self._unconfirmed_of_earlier_run():
                ending = self._end(call_sid)
                logger.info("The run before: %s", ending)
                self.may_ring = not ending.call.status.is_terminal
        except (TwilioError, _CallForgottenError) as error:
            self._could_not_be_ended(error)

    def _could_not_be_ended(self, error: TwilioError | _CallForgottenError) -> None:
        is_hidden = isinstance(error, (TwilioNotFoundError, _CallForgottenError))
        if (is_hidden or isinstance(error, TwilioRejectedError)) and self._is_of_another_account:
            self._warn_of_another_account(error)
        elif is_hidden:
            logger.warning("%s is not there any more: %s", self.subject, error)
            self.may_ring = False
        else:
            raise TwilioCallNotPlacedError(
                f"{self.subject} may still ring and could not be ended ({error}), so no other was placed. A retry "
                "tries again"
            ) from None

    @property
    def _is_of_another_account(self) -> bool:
        return not self.earlier.is_of_account(self._own_hook.client.account_sid)

    def _warn_of_another_account(self, error: Exception | None = None) -> None:
        logger.warning(
            "%s cannot be ended and may still ring: it was placed with account %s, and this try speaks for %s.%s",
            self.subject,
            self.earlier.account_sid,
            self._own_hook.client.account_sid if error else self._account,
            f" {error}" if error else "",
        )

    def _unconfirmed_of_earlier_run(self) -> str | None:
        if self.placement is None:
            logger.warning(
                "%s cannot be looked for, because the arguments of this try cannot be used.", self.subject
            )
            return None
        if not self.earlier.is_for(self.placement.params, self._account):
            return None
        return self.placement.find_unconfirmed_of_earlier_run(self.earlier)

    def _end(self, call_sid: str) -> Ending:
        how: HowToEnd = "hang_up" if self.when_killed == "hang_up" else "cancel"
        looks = 0

        def end() -> Ending:
            nonlocal looks
            looks += 1
            try:
                return end_call(self.hook.client, call_sid, how)
            except TwilioNotFoundError as error:
                if looks > 1 and clock.time() >= self.earlier.sent + FRESH_FOR_S:
                    raise _CallForgottenError(str(error)) from None
                raise

        return retry_until(end, call_sid, how=how, until=clock.time() + PATIENCE_AS_THE_LAST_S)


def _was_ended_by_us(earlier: Entry, call: Call) -> bool:
    # A cancellation never completes a call: one that completed was heard to its end.
    if call.status is CallStatus.COMPLETED:
        return earlier.ended_by_us == "hang_up"
    if call.status is CallStatus.CANCELED:
        return earlier.ended_by_us is not None or earlier.was_canceled_while_queued(call)
    return False
