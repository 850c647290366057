"""What a try shows of its calls to people and to other tasks: its XComs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_provider_twiliocall.journal.xcom import ANSWER, CALL, CALL_SID, DIALS

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_twiliocall.answers.answer import Answer
    from airflow_provider_twiliocall.journal.call_journal import CallJournal
    from airflow_provider_twiliocall.twilio.call import Call

logger = logging.getLogger(__name__)


class CallXComs:
    """The XComs of one task instance. A call matters more than a note about it that cannot be kept."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.last_shown: Call | None = None

    def claim(self, call_sid: str) -> None:
        """Say which call the task is about."""
        self._push(CALL_SID, call_sid)

    def show(self, call: Call) -> None:
        """Show the call as it is now."""
        self.last_shown = call
        self._push(CALL, call.to_dict())

    def show_answer(self, answer: Answer | None) -> None:
        """Show what the callee has answered; None where nobody pressed a key."""
        self._push(ANSWER, answer.to_xcom() if answer else None)

    def show_dials(self, journal: CallJournal) -> None:
        """Show the calls that this run has seen to their end."""
        self._push(DIALS, [attempt.to_json() for attempt in journal.attempts])

    def _push(self, key: str, value: Any) -> None:
        try:
            self._context["ti"].xcom_push(key=key, value=value)
        except Exception as error:
            logger.warning("Could not keep XCom %r: %s", key, error)
