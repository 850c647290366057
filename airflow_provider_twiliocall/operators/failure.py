"""How a task fails: the one place where what became of a call turns into an exception."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
)

from airflow_provider_twiliocall.exceptions import (
    TwilioCallEndedForGoodError,
    TwilioCallFateUnknownError,
    TwilioCallInterruptedError,
    TwilioCallMaybePlacedError,
    TwilioCallNotPlacedError,
    TwilioCallRefusedError,
    TwilioCallUnansweredError,
    TwilioConnectionNotFoundError,
)
from airflow_provider_twiliocall.journal.reason import Reason

if TYPE_CHECKING:
    from airflow_provider_twiliocall.calls.outcome import CallOutcome
    from airflow_provider_twiliocall.journal.call_journal import CallJournal

_KINDS: dict[Reason, type[AirflowException]] = {
    Reason.REFUSED: TwilioCallRefusedError,
    Reason.UNKNOWN: TwilioCallFateUnknownError,
    Reason.NOT_PLACED: TwilioCallNotPlacedError,
    Reason.MAYBE_PLACED: TwilioCallMaybePlacedError,
}


def failure_of(outcome: CallOutcome, *, for_good: bool) -> AirflowException:
    """Return the exception with which a task fails for an outcome.

    :param for_good: whether a retry of the task must not dial again
    """
    kind = _KINDS.get(outcome.reason, TwilioCallUnansweredError)
    if for_good and not issubclass(kind, AirflowFailException):
        kind = TwilioCallEndedForGoodError
    return kind(outcome.why)


def without_multiplying_rings(error: BaseException, journal: CallJournal) -> BaseException:
    """Return how a task that dials again by itself fails: so that a retry rings nobody who was rung in vain."""
    if isinstance(error, TwilioConnectionNotFoundError) and journal.is_kept and journal.is_begun:
        return TwilioCallInterruptedError(f"{error}. A retry goes on where this one has come to")
    if isinstance(error, (AirflowFailException, AirflowSkipException)):
        return error
    has_rung = any(attempt.call_sid and not attempt.ended_by_us for attempt in journal.attempts)
    if has_rung and not journal.is_kept:
        return TwilioCallEndedForGoodError(f"{error}. It was dialled before, and a retry would begin again")
    return error
