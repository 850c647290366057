"""Which calls alerts have placed: one Airflow Variable for each, where the notifiers of all processes can read it.

Twilio's list of calls says nothing about who placed a call. Without a record of its own, an alert would take the call
that somebody placed with an operator for that of another alert, and the phone would stay silent.

The name of a Variable has the SID of the call; its value is the time. Variables have no compare-and-set, so no process
changes what another one has written. A request that is lost costs one more ring, never a silence.

The requests go to Airflow's API alone, and not to the secrets backends, which have none of these Variables. Also, only
the API says whether there is none or whether it cannot be read.

Variables cannot be reached everywhere (seen on Airflow 3.2 and 3.3):

- tasks, callbacks of DAG files, and triggers may read and write them. On 3.1 only one thread may ask at a time.
- On 3.3 a ``SyncCallback`` may neither read nor write; a request to write is not even answered there. On 3.2 it has no
  way to Airflow's API.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from functools import partial
from typing import Any

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.compat import comms_for_threads
from airflow_provider_twiliocall.notifications.deadline import Deadline, OutOfTimeError

logger = logging.getLogger(__name__)

PREFIX = "twilio_call_alert_"

_NO_ANSWER = "Cannot %s in an Airflow Variable whether an alert has placed call %s: %s"
_DESCRIPTION = "An alert has placed this call. Written and deleted by TwilioCallNotifier."
# An answer takes 10 to 50 ms, the first one of a DAG processor or a triggerer 3 to 6 s. Who asks waits to ring …
LONGEST_QUESTION_S = 1.5
# … and what is written may go on beside the second look, which begins after a pause anyway.
LONGEST_CHANGE_S = 0.25

Send = Callable[[Any], Any]
"""Sends a request to Airflow, from any thread, and returns the answer, or raises that there is none."""


class AlertRecord:
    """The record, as far as this callback can reach it.

    :param ask: sends a request that reads; None where that is not possible
    :param change: sends a request that writes or deletes; None where that is not possible
    """

    def __init__(self, ask: Send | None = None, change: Send | None = None) -> None:
        self._ask = ask
        self._change = change

    @property
    def may_write(self) -> bool:
        """Whether Airflow takes requests that change something."""
        return self._change is not None

    @classmethod
    def for_callback(cls, context: Mapping[str, Any]) -> AlertRecord:
        """Return the record for a callback that Airflow runs in a worker, a DAG processor or an executor."""
        comms = comms_for_threads()
        if comms is None:
            return cls()

        def send(request: Any, longest: float) -> Any:
            return Deadline(longest).bound(lambda: comms.send(request), most=longest)

        # A context without a DAG is that of a deadline on the executor.
        return cls._with(send, may_write="dag" in context)

    @classmethod
    def for_trigger(cls, loop: asyncio.AbstractEventLoop) -> AlertRecord:
        """Return the record for a callback in the triggerer.

        :param loop: the triggerer's
        """
        comms = comms_for_threads()
        if comms is None:
            return cls()

        def send(request: Any, longest: float) -> Any:
            # Without a further thread, for the triggerer has many alerts.
            return asyncio.run_coroutine_threadsafe(comms.asend(request), loop).result(longest)

        return cls._with(send, may_write=True)

    @classmethod
    def _with(cls, send: Callable[..., Any], *, may_write: bool) -> AlertRecord:
        change = partial(send, longest=LONGEST_CHANGE_S) if may_write else None
        return cls(partial(send, longest=LONGEST_QUESTION_S), change)

    def has(self, call_sid: str) -> bool | None:
        """Say whether an alert has placed the call; None where that is not known."""
        if self._ask is None:
            return None
        from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, VariableResult

        try:
            answer = self._ask(GetVariable(key=PREFIX + call_sid))
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

        key, value = PREFIX + call_sid, str(round(clock.time()))
        self._send(PutVariable(key=key, value=value, description=_DESCRIPTION), call_sid)

    def forget(self, call_sid: str) -> None:
        """Delete what was written of a call that no longer covers an alert."""
        from airflow.sdk.execution_time.comms import DeleteVariable

        self._send(DeleteVariable(key=PREFIX + call_sid), call_sid)

    def _send(self, request: Any, call_sid: str) -> None:
        if self._change is None:
            return
        try:
            self._change(request)
        except (OutOfTimeError, TimeoutError, FutureTimeoutError):
            logger.debug("What is kept in Airflow of call %s is still on its way.", call_sid)
        except Exception as error:
            logger.warning(_NO_ANSWER, "keep", call_sid, str(error) or type(error).__name__)
