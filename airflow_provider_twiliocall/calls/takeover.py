"""Taking over what an earlier try has left: its call comes first, before this try checks what it would dial itself."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.cleared_run import ClearedRun
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.placement import Placed, Placement
from airflow_provider_twiliocall.exceptions import (
    TwilioCallInterruptedError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.call import CallStatus
from airflow_provider_twiliocall.twilio.ending import (
    WhenKilled,
)
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioRejectedError
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.twilio.call import Call

logger = logging.getLogger(__name__)

# How long an answer of Twilio's may be behind, and how long one is waited for where no second look will come.
STALE_FOR_S = 15.0
PATIENCE_TO_SEE_S = 60.0
_PAUSE_BETWEEN_LOOKS_S = 5.0


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

    def take_over(self) -> Placed | CallOutcome | None:
        """Return the earlier call, also one that is over by now; or what came of it.

        :return: None where there is none to go on with: this try is to dial. Of the outcomes: those by us, of one
            that an earlier try has ended; NOT_PLACED where what became of one that it may have ended cannot be seen
            now; UNKNOWN and MAYBE_PLACED where it may ring or have rung, and ``delivery`` forbids a second call
        :raises TwilioCallInterruptedError: the connection cannot be had or used; a retry takes over
        :raises TwilioCallNotPlacedError: the call of a run that a person has cleared cannot be ended now
        :raises TwilioCallSupersededError: another try has taken over
        """
        try:
            return self._take_over()
        except (TwilioConnectionError, TwilioConnectionNotFoundError) as error:
            raise TwilioCallInterruptedError(
                f"{self.subject} may still ring, and cannot be monitored or ended now: {error}. No other was placed. A "
                "retry goes on with it"
            ) from error

    def _take_over(self) -> Placed | CallOutcome | None:
        if self._is_cleared:
            logger.info("The task was cleared, so this is a new run, and its call is placed again.")
            self.may_ring = True
            if self.when_killed != "leave":
                self.may_ring = self._cleared_run().end(self.when_killed)
            return None
        if self._is_of_two_others():
            self.may_ring = True
            return None
        if not self.earlier.is_of_account(self._account):
            return self._cannot_be_monitored()
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
        self.call_sid = taken.call_sid if isinstance(taken, Placed) else None
        return taken

    def _cleared_run(self) -> ClearedRun:
        return ClearedRun(
            self.hook, self._own_hook, self._account, self.earlier, self.placement, subject=self.subject
        )

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

    def _is_of_two_others(self) -> bool:
        """Say whether it is a call to somebody else, or from another number, as far as that can be told."""
        params = self.placement.params if self.placement else None
        if params is None:
            return False
        is_to_another = not self.earlier.is_to(params)
        is_of_account = self.earlier.is_of_account(self._account)
        if not is_to_another and (not is_of_account or self.earlier.is_for(params, self._account)):
            return False
        logger.warning(
            "An earlier try was about a call between two others (%s): it is left alone, and this one to %s is placed.",
            self.earlier.call_sid or "whose SID is not known",
            redact_phone_number(params.to),
        )
        return True

    def _cannot_be_monitored(self) -> CallOutcome | None:
        why = (
            f"{self.subject} was placed with account {self.earlier.account_sid}. This try speaks for account "
            f"{self._account}, which cannot see that call"
        )
        if self.delivery == "at_most_once":
            return CallOutcome(
                Reason.UNKNOWN,
                why=f"{why}. Nobody is dialled again, because the phone may ring or have rung. Look it up in the call "
                f"log of {self.earlier.account_sid}. Clear this task to dial",
            )
        self.may_ring = True
        logger.warning("%s: dialling again, better two rings than none.", why)
        return None

    def _find_unconfirmed(self) -> Placed | CallOutcome | None:
        if self.placement is not None:
            found = self.placement.find_unconfirmed(self.earlier)
            self.may_ring = found is None
            return found
        if self.delivery == "at_least_once":
            self.may_ring = True
            return None
        return CallOutcome(
            Reason.UNKNOWN,
            why=f"An earlier try sent a call at {self._sent} and did not learn its SID. It cannot be looked for, "
            f"because the arguments of this try cannot be used: {self.problem}\nLook in Twilio's call log for a call "
            "created then or shortly after. If none is this task's, fix the arguments and clear this task to dial",
        )

    # Looking at it ---------------------------------------------------------------------------------------

    def _look_at(self, call_sid: str) -> Placed | CallOutcome:
        earlier = self.earlier
        seen = self._see(call_sid)
        if isinstance(seen, CallOutcome):
            return seen
        if seen is None or not seen.status.is_terminal:
            if seen is not None:
                self.call_sid = call_sid
                logger.info("Call %s of an earlier try is %s: going on with it.", call_sid, seen.status)
                if earlier.ended_by_us:
                    self.journal.not_ended_by_us()
            return Placed(call_sid, seen)
        if reason := _why_we_ended(earlier, seen):
            why = f"Call {call_sid} was canceled in Twilio's queue by an earlier try."
            if reason is Reason.ENDED_BY_US:
                why = f"Call {call_sid} was ended by an earlier try: placing it again."
            return CallOutcome(reason, seen, why)
        logger.info("Call %s was placed before, and is over.", call_sid)
        return Placed(call_sid, seen)

    def _see(self, call_sid: str) -> Call | CallOutcome | None:
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
                    why = (
                        f"An earlier try placed call {call_sid}, and Twilio refuses to say what became of it "
                        f"({error}). It is not dialled again. Look it up in Twilio's call log"
                    )
                    return CallOutcome(Reason.UNKNOWN, why=why, call_sid=call_sid)
                logger.warning("Call %s of an earlier try cannot be seen for now: %s", call_sid, error)
                if not ended_by_us:
                    return None
                if waited >= PATIENCE_TO_SEE_S:
                    why = (
                        f"An earlier try has asked Twilio to end call {call_sid}, and what came of that cannot be seen "
                        f"now ({error}), so no other was placed. A retry looks again"
                    )
                    return CallOutcome(Reason.NOT_PLACED, why=why)
            clock.sleep(_PAUSE_BETWEEN_LOOKS_S)


def _why_we_ended(earlier: Entry, call: Call) -> Reason | None:
    """Return why a call is over that an earlier try has ended; None for any other."""
    # A cancellation never completes a call: one that completed was heard to its end.
    if call.status is CallStatus.COMPLETED:
        return Reason.ENDED_BY_US if earlier.ended_by_us == "hang_up" else None
    if call.status is not CallStatus.CANCELED:
        return None
    if earlier.queue_deadline and earlier.queue_deadline.has_canceled(call):
        return earlier.queue_deadline.reason
    return Reason.ENDED_BY_US if earlier.ended_by_us else None
