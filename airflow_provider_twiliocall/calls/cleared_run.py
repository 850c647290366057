"""A person has cleared the task: before its new run dials, the call of the run before is ended."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.exceptions import TwilioCallNotPlacedError
from airflow_provider_twiliocall.twilio.ending import (
    PATIENCE_AS_THE_LAST_S,
    Ending,
    HowToEnd,
    end_call,
    retry_until,
)
from airflow_provider_twiliocall.twilio.errors import TwilioError, TwilioNotFoundError, TwilioRejectedError

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.placement import Placement
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.entry import Entry

logger = logging.getLogger(__name__)

# For so long after the request, a call that Twilio does not know may be one that it does not know yet.
FRESH_FOR_S = 60.0


class _CallForgottenError(Exception):
    """Twilio does not know a call that is too old to be unknown yet."""


@dataclass
class ClearedRun:
    """The run before, and the call that it has left.

    :param hook: asks in the name of the account of that call, as far as this try may
    :param own_hook: asks in the name of this try's own
    :param account_sid: the account that this try speaks for, as far as its arguments can be used
    :param earlier: what the journal has of the call
    :param placement: of the call that this try asks for; None where its arguments cannot be used
    :param subject: the call, to begin a sentence about it with
    """

    hook: TwilioCallHook
    own_hook: TwilioCallHook
    account_sid: str
    earlier: Entry
    placement: Placement | None
    subject: str

    def end(self, how: HowToEnd) -> bool:
        """End its call; return whether it may still ring.

        :raises TwilioCallNotPlacedError: it could not be ended now; a retry tries again
        """
        if not self.earlier.is_of_account(self.account_sid):
            self._warn_of_another_account(self.account_sid)
            return True
        try:
            call_sid = self.earlier.call_sid or self._unconfirmed()
            if call_sid is None:
                return True
            ending = self._end(call_sid, how)
        except (TwilioError, _CallForgottenError) as error:
            return self._may_ring_after(error)
        logger.info("The run before: %s", ending)
        return not ending.call.status.is_terminal

    def _may_ring_after(self, error: TwilioError | _CallForgottenError) -> bool:
        is_hidden = isinstance(error, (TwilioNotFoundError, _CallForgottenError))
        own_account = self.own_hook.client.account_sid
        is_refused = is_hidden or isinstance(error, TwilioRejectedError)
        if is_refused and not self.earlier.is_of_account(own_account):
            self._warn_of_another_account(own_account, f" {error}")
            return True
        if is_hidden:
            logger.warning("%s is not there any more: %s", self.subject, error)
            return False
        raise TwilioCallNotPlacedError(
            f"{self.subject} may still ring and could not be ended ({error}), so no other was placed. A retry "
            "tries again"
        ) from None

    def _warn_of_another_account(self, own_account: str, said: str = "") -> None:
        logger.warning(
            "%s cannot be ended and may still ring: it was placed with account %s, and this try speaks for %s.%s",
            self.subject,
            self.earlier.account_sid,
            own_account,
            said,
        )

    def _unconfirmed(self) -> str | None:
        if self.placement is None:
            logger.warning(
                "%s cannot be looked for, because the arguments of this try cannot be used.", self.subject
            )
            return None
        if not self.earlier.is_for(self.placement.params, self.account_sid):
            return None
        return self.placement.find_unconfirmed_of_earlier_run(self.earlier)

    def _end(self, call_sid: str, how: HowToEnd) -> Ending:
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
