"""Which calls alerts have placed: one Airflow Variable for each, where the notifiers of all processes can read it.

Twilio's list of calls says nothing about who placed a call. Without a record of its own, an alert would take the call
that somebody placed with an operator for that of another alert, and the phone would stay silent.

A Variable is named by the SID of the call; its value is the time. Nothing is changed that another process may have
written, for Variables know no compare-and-set. What is lost on the way to Airflow costs one more ring, never a silence.

The requests go to Airflow's API alone, and not through the secrets backends before it: those need not be asked for what
no person has written. And only so the answer "there is none" can be told from no answer.

Variables cannot be reached everywhere (seen on Airflow 3.2 and 3.3):

- tasks, callbacks of DAG files, and triggers may read and write them. On 3.1 only one thread may ask at a time.
- On 3.3 a ``SyncCallback`` may neither read nor write; a request to write is not even answered there. On 3.2 it has no
  way to Airflow's API.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_twiliocall.notifications.deadline import Deadline

logger = logging.getLogger(__name__)

PREFIX = "twilio_call_alert_"

_NO_ANSWER = "Cannot %s in an Airflow Variable whether an alert has placed call %s: %s"
_DESCRIPTION = "An alert has placed this call. Written and deleted by TwilioCallNotifier."
# It takes 10 to 50 ms. With Airflow's API away it may take 20 s, and some requests are never answered.
LONGEST_ANSWER_S = 1.5

Send = Callable[[Any], Any]
"""Sends a request to Airflow, from any thread, and returns the answer, or raises that there is none."""


class AlertRecord:
    """The record, as far as this callback can reach it.

    :param send: None where it cannot be reached
    :param may_write: whether Airflow takes requests that change something
    """

    def __init__(self, send: Send | None = None, *, may_write: bool = False) -> None:
        self._send = send
        self.may_write = send is not None and may_write

    @classmethod
    def for_callback(cls, context: Mapping[str, Any]) -> AlertRecord:
        """Return the record for a callback that Airflow runs in a worker, a DAG processor or an executor."""
        comms = _comms()
        if comms is None:
            return cls()

        def send(request: Any) -> Any:
            return Deadline(LONGEST_ANSWER_S).bound(lambda: comms.send(request), most=LONGEST_ANSWER_S)

        # A context without a DAG is that of a deadline on the executor.
        return cls(send, may_write="dag" in context)

    @classmethod
    def for_trigger(cls, loop: asyncio.AbstractEventLoop) -> AlertRecord:
        """Return the record for a callback in the triggerer.

        :param loop: the triggerer's
        """
        comms = _comms()
        if comms is None:
            return cls()

        def send(request: Any) -> Any:
            # Without a further thread, for the triggerer has many alerts.
            return asyncio.run_coroutine_threadsafe(comms.asend(request), loop).result(LONGEST_ANSWER_S)

        return cls(send, may_write=True)

    def has(self, call_sid: str) -> bool | None:
        """Say whether an alert has placed the call; None where nobody can tell."""
        if self._send is None:
            return None
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

        try:
            answer = self._send(GetVariable(key=PREFIX + call_sid))
        except AirflowRuntimeError as error:
            answer = error.error
        except Exception as error:
            logger.warning(_NO_ANSWER, "read", call_sid, str(error) or type(error).__name__)
            return None
        if isinstance(answer, ErrorResponse):
            return False if answer.error == ErrorType.VARIABLE_NOT_FOUND else None
        return True if isinstance(answer, VariableResult) else None

    def add(self, call_sid: str) -> None:
        """Write down that an alert has placed the call."""
        from airflow.sdk.execution_time.comms import PutVariable

        key, value = PREFIX + call_sid, str(round(time.time()))
        self._change(PutVariable(key=key, value=value, description=_DESCRIPTION), call_sid)

    def forget(self, call_sid: str) -> None:
        """Delete what was written of a call that covers no alert any more, if anything was."""
        from airflow.sdk.execution_time.comms import DeleteVariable

        self._change(DeleteVariable(key=PREFIX + call_sid), call_sid)

    def _change(self, request: Any, call_sid: str) -> None:
        if self._send is None or not self.may_write:
            return
        try:
            self._send(request)
        except Exception as error:
            logger.warning(_NO_ANSWER, "keep", call_sid, str(error) or type(error).__name__)


def _comms() -> Any:
    """Return this process's connection to Airflow's API; None where there is none that threads can share."""
    from airflow import __version__
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import CommsDecoder

    if __version__.startswith("3.1."):
        return None
    comms = getattr(task_runner, "SUPERVISOR_COMMS", None)
    # `airflow dags test` has something else, which has no lock.
    return comms if isinstance(comms, CommsDecoder) else None
