"""The call of a request whose answer was lost: finding it at Twilio, and what to do where it cannot be found."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import pendulum

from airflow_provider_twiliocall.calls.look_up import PATIENCE_S, SHORT_PATIENCE_S, CallLookUp, named
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.exceptions import TwilioCallSupersededError
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.twilio.phone_number import redact_phone_number

if TYPE_CHECKING:
    from airflow_provider_twiliocall.arguments.literals import Delivery
    from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.journal.entry import Entry
    from airflow_provider_twiliocall.twilio.call import Call
    from airflow_provider_twiliocall.twilio.params import CreateCallParams

logger = logging.getLogger(__name__)


class UnconfirmedCall:
    """The call that a task may have placed, and whose SID it has not learnt.

    :param params: what the request asked for
    :param delivery: what to do when nobody can say whether the phone rings: ``at_most_once`` fails for good,
        ``at_least_once`` dials again
    :param others: gives the calls that other tasks of the run are known to have placed
    :param claim: makes a call that was found known to them
    """

    def __init__(
        self,
        hook: TwilioCallHook,
        params: CreateCallParams,
        journal: CallJournal,
        *,
        delivery: Delivery,
        others: Callable[[], Collection[str]],
        claim: Callable[[str], None],
    ) -> None:
        self._hook = hook
        self._params = params
        self._journal = journal
        self._delivery = delivery
        self._others = others
        self._claim = claim
        self._callee = redact_phone_number(params.to)

    def of(self, sent: Entry, why: str) -> Call | CallOutcome | None:
        """Look for the call of a request; None where ``delivery`` wants a second one instead.

        :param why: nobody can say whether it was placed
        :return: of the outcomes UNKNOWN where ``delivery`` forbids a second one, and MAYBE_PLACED where Twilio
            cannot be asked now, and a retry asks again
        :raises TwilioCallSupersededError: another try has taken over
        """
        at_most_once = self._delivery == "at_most_once"
        try:
            patience = PATIENCE_S if at_most_once else SHORT_PATIENCE_S
            found = self._look_up(sent).find(patience=patience, certain=at_most_once)
            if len(found) == 1:
                # Before it is claimed: it may be the call of the try that has taken over, and then it is not ours.
                self._journal.still_holds()
            if len(found) == 1 and self._is_ours_alone(found[0]):
                logger.info("Call %s to %s is the one: going on with it.", found[0].sid, self._callee)
                return found[0]
        except TwilioCallSupersededError:
            raise
        except Exception as error:
            if not at_most_once:
                logger.warning("The call could not be looked for, so it is placed again: %s", error)
                return None
            return self._cannot_look(why, error)
        if not at_most_once:
            logger.warning("%s: dialling again, better two rings than none.", _what_was_found(found))
            return None
        moment = pendulum.from_timestamp(sent.sent)
        return CallOutcome(
            Reason.UNKNOWN,
            why=f"Nobody can say whether the call to {self._callee} was placed ({why}). {_what_was_found(found)}. It "
            "is not dialled again, because that could ring twice. Look in Twilio's call log for a call to "
            f"{self._callee} created at {moment.to_datetime_string()} UTC or shortly after: if none is this "
            "task's, clear this task to dial",
        )

    def of_interrupted(self, sent: Entry) -> Call | None:
        """Look for the call of a request that was interrupted; None where it is not certain which it is.

        :raises TwilioCallSupersededError: another try has taken over
        """
        try:
            found = self._look_up(sent).find(patience=SHORT_PATIENCE_S, certain=True)
        except Exception as error:
            logger.warning("It cannot be seen what became of the request that was interrupted: %s", error)
            return None
        if len(found) != 1:
            return None
        self._journal.still_holds()
        return found[0] if self._is_ours_alone(found[0]) else None

    def of_earlier_run(self, sent: Entry) -> str | None:
        """Return the SID of the call that a run before a clear may have placed; None where it is not certain.

        :raises TwilioError: Twilio's list cannot be read
        """
        found = self._look_up(sent).find(patience=SHORT_PATIENCE_S, certain=False)
        if len(found) > 1:
            logger.warning("The run before may have placed one of %s: they are left alone.", named(found))
        return found[0].sid if len(found) == 1 else None

    def _is_ours_alone(self, call: Call) -> bool:
        """Claim a call, and see whether another task of the run did so at the same time."""
        self._claim(call.sid)
        return call.sid not in self._others()

    def _cannot_look(self, why: str, error: Exception) -> CallOutcome:
        unclear = (
            f"Nobody can say if the call to {self._callee} was placed ({why}), and Twilio cannot be asked"
        )
        if self._journal.is_kept:
            why = f"{unclear} now ({error}). A retry of this task asks again before it dials"
            return CallOutcome(Reason.MAYBE_PLACED, why=why)
        return CallOutcome(
            Reason.UNKNOWN,
            why=f"{unclear} ({error}). It is not dialled again. Look for it in Twilio's call log: if there is none, "
            "clear this task to dial",
        )

    def _look_up(self, entry: Entry) -> CallLookUp:
        return CallLookUp(
            self._hook,
            self._params,
            entry,
            taken_sids=lambda: {*self._journal.known_sids, *self._others()},
        )


def _what_was_found(calls: list[Call]) -> str:
    if not calls:
        return "Twilio's list of calls shows none that it could be"
    if len(calls) == 1:
        return f"Call {calls[0].sid} may be it, but another task of this run has found it too"
    return f"It may be any of {named(calls)}"
