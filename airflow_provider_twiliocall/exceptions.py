"""How a task fails, by whether Airflow may run it again."""

from __future__ import annotations

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

try:
    from airflow.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout
except ImportError:  # Airflow 3.1
    from airflow.exceptions import TaskDeferralError, TaskDeferralTimeout  # type: ignore[no-redef]

__all__ = [
    "TaskDeferralError",
    "TaskDeferralTimeout",
    "TwilioCallEndedForGoodError",
    "TwilioCallFateUnknownError",
    "TwilioCallNotPlacedError",
    "TwilioCallRefusedError",
    "TwilioCallUnansweredError",
    "TwilioConnectionError",
]


class TwilioConnectionError(AirflowFailException):
    """The Airflow connection cannot be used as it is; the message says which field to mend. Not retried."""


class TwilioCallRefusedError(AirflowFailException):
    """The call was not placed, and placing it again as it is cannot help. Not retried."""


class TwilioCallFateUnknownError(AirflowFailException):
    """Nobody can say whether the phone rang. Not retried, because a retry could ring it twice."""


class TwilioCallEndedForGoodError(AirflowFailException):
    """The call ended in a way that dialling again cannot mend. Not retried."""


class TwilioCallUnansweredError(AirflowException):
    """The call ended without reaching anybody who was wanted. A retry of the task dials again."""


class TwilioCallNotPlacedError(AirflowException):
    """Twilio provably did not place the call, for now. A retry of the task dials again."""
