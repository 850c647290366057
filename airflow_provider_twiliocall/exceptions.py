"""How a task fails, by whether Airflow may run it again."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException


class TwilioConnectionError(AirflowFailException):
    """The Airflow connection cannot be used as it is; the message says which field to fix. Not retried."""


class TwilioConnectionNotFoundError(AirflowException):
    """Airflow does not find the connection. A retry looks again.

    Airflow says "not found" also while its API server or a secrets backend is away.
    """


class TwilioCallRefusedError(AirflowFailException):
    """The call was not placed, and placing it again as it is cannot help. Not retried."""


class TwilioCallFateUnknownError(AirflowFailException):
    """Nobody can say whether the phone rang, or how its call ended. Not retried: a retry could ring it twice."""


class TwilioCallAbandonedError(TwilioCallFateUnknownError):
    """The task itself had to stop before its call was over, and a retry would not know of it. Not retried."""


class TwilioCallEndedForGoodError(AirflowFailException):
    """The call ended in a way that dialling again cannot help. Not retried."""


class TwilioCallUnansweredError(AirflowException):
    """The call ended without reaching anybody who was wanted. A retry of the task dials again."""


class TwilioCallNotPlacedError(AirflowException):
    """Twilio provably did not place the call, for now. A retry of the task dials again."""


class TwilioCallJournalError(TwilioCallNotPlacedError):
    """Nothing was dialled, because what was dialled before cannot be read or written down. A retry tries again."""


class TwilioCallMaybePlacedError(AirflowException):
    """It may have been placed, and the author would rather ring twice than not at all. A retry dials again."""


class TwilioCallInterruptedError(AirflowException):
    """The task was told to stop before its call was over. A retry goes on with the call, or dials again if it ended."""


class TwilioCallSupersededError(AirflowFailException):
    """Another try of the same task has taken over; this one has no say any more. Not retried."""
