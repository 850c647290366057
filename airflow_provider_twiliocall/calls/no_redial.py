"""What goes wrong beside a call that was placed is no reason to dial again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_twiliocall.exceptions import (
    TwilioCallAbandonedError,
    TwilioCallInterruptedError,
    TwilioConnectionError,
    TwilioConnectionNotFoundError,
)

if TYPE_CHECKING:
    from airflow_provider_twiliocall.journal.call_journal import CallJournal

LOOK_IT_UP = "Look it up in Twilio's call log"
NOT_AGAIN = "It is not dialled again, because this Airflow keeps no journal in which a retry would find it"


@contextmanager
def no_redial_of(call_sid: str | None, journal: CallJournal) -> Iterator[None]:
    """Let no error of another kind, an API server that is away say, pass as a reason to dial again.

    Where a journal is kept it may pass: a retry takes up the call. So does one whose connection cannot be had or used,
    since the call goes on meanwhile.

    :raises TwilioCallInterruptedError: in place of an error of the connection, where a journal is kept
    :raises TwilioCallAbandonedError: in place of any error that is not about the task itself, where none is
    """
    try:
        yield
    except (TwilioConnectionError, TwilioConnectionNotFoundError) as error:
        if not journal.is_kept:
            raise _abandoned(call_sid, error) from error
        raise TwilioCallInterruptedError(
            f"Call {call_sid} may still ring, and cannot be monitored now: {error}. A retry takes it up"
        ) from error
    except (TwilioCallInterruptedError, AirflowFailException):
        raise
    except Exception as error:
        if journal.is_kept:
            raise
        raise _abandoned(call_sid, error) from error


def _abandoned(call_sid: str | None, error: Exception) -> TwilioCallAbandonedError:
    return TwilioCallAbandonedError(
        f"Call {call_sid} was placed, but what became of it could not be seen to the end "
        f"({type(error).__name__}: {error}). {NOT_AGAIN}. {LOOK_IT_UP}"
    )
