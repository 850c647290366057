"""A Twilio that answers one call's requests in turn, and keeps what it was asked."""

from __future__ import annotations

from typing import Any

from airflow_provider_twiliocall.twilio.call import Call, CallStatus
from airflow_provider_twiliocall.twilio.errors import TwilioError

SID = "CA" + "1" * 32


def call(status: str, **fields: Any) -> Call:
    """The call, in a status."""
    return Call.model_validate({"sid": SID, "status": status, **fields})


class ScriptedTwilio:
    """Client and hook in one.

    :param answers: to one request after the other, the last one to all that follow: the call, in that status or as it
        is given, or an error
    """

    clock_offset = 0.0
    is_ready = True

    def __init__(self, *answers: str | Call | TwilioError) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.client = self.watcher = self

    def for_account(self, account_sid: str | None) -> ScriptedTwilio:
        return self

    def client_with(self, **limits: float) -> ScriptedTwilio:
        return self

    def get_call(self, sid: str) -> Call:
        self.asked.append("look")
        return self._answer()

    def update_call(self, sid: str, *, status: CallStatus) -> Call:
        self.asked.append(status.value)
        return self._answer()

    def _answer(self) -> Call:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Call) else call(answer)
