"""TwilioCallTrigger: waiting for a call off the worker, on the triggerer's event loop."""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_twiliocall.exceptions import TwilioConnectionError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.waiting import LONGEST_BACKOFF_S, CallWait, WaitEnd, WaitResult

# When a trigger fires before the scheduler has seen the executor's event for the deferral, the scheduler takes
# that event for the death of the resumed task and fails it. Measured: 0 to 2 s fail often, 5 s never did.
SHORTEST_DEFERRAL_S = 6.0

MISSING_CONNECTION_PATIENCE_S = 120.0


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads of our own: those of ``asyncio.to_thread`` are few, and every trigger's."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix="twilio-call")


class TwilioCallTrigger(BaseTrigger):
    """Wait until a call is over, and fire once, with the call as Twilio shows it then.

    Its arguments and its event are kept in Airflow's database as plain text: they hold the connection's id and
    SIDs, never a secret or a whole phone number.

    The event's payload is ``{"phase": "wait", "call_sid": …, "deadline": …, "end": …, "call": {…} | None,
    "problem": str | None}``, with the last three as in :class:`.WaitResult`.

    :param twilio_conn_id: the connection, of type ``twilio``
    :param call_sid: the call to wait for
    :param poll_interval: seconds between two looks at the call
    :param deadline: Unix time at which to give up; None waits for ever
    :param queue_deadline: Unix time at which a call still queued ends the wait
    :param account_sid: the account whose call it is, where it is not the connection's
    """

    def __init__(
        self,
        twilio_conn_id: str,
        call_sid: str,
        poll_interval: float = 5,
        deadline: float | None = None,
        *,
        queue_deadline: float | None = None,
        account_sid: str | None = None,
    ) -> None:
        super().__init__()
        self.twilio_conn_id = twilio_conn_id
        self.call_sid = call_sid
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.queue_deadline = queue_deadline
        self.account_sid = account_sid

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments from which another triggerer makes this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "twilio_conn_id": self.twilio_conn_id,
                "call_sid": self.call_sid,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "queue_deadline": self.queue_deadline,
                "account_sid": self.account_sid,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event, no sooner than the scheduler can bear."""
        earliest = time.monotonic() + SHORTEST_DEFERRAL_S
        result = await self._wait()
        await asyncio.sleep(max(0.0, earliest - time.monotonic()))
        yield TriggerEvent(
            {"phase": "wait", "call_sid": self.call_sid, "deadline": self.deadline, **result.to_event()}
        )

    async def _wait(self) -> WaitResult:
        hook = TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)
        try:
            if (unfetched := await self._fetch_connection(hook)) is not None:
                return unfetched
            wait = CallWait(
                self.call_sid,
                # The client is built in the thread too: a TLS context takes a while.
                lambda sid: hook.watcher.get_call(sid),
                poll_interval=self.poll_interval,
                deadline=self.deadline,
                queue_deadline=self.queue_deadline,
            )
            loop = asyncio.get_running_loop()
            # A thread of ours has no context of its own, and the triggerer finds a line's task log by it.
            look = partial(contextvars.copy_context().run, wait.look)
            while (result := await loop.run_in_executor(_threads(), look)) is None:
                await asyncio.sleep(wait.pause())
            return result
        except TwilioConnectionError as error:
            return WaitResult(WaitEnd.REFUSED, None, str(error))

    async def _fetch_connection(self, hook: TwilioCallHook) -> WaitResult | None:
        """Fetch the connection once; an API server that is away for a while is weather too.

        Returns how the wait ended if it did: a trigger that raises fails its task as if the call had never
        been placed, and a retry would dial again.
        """
        started, pause = time.monotonic(), self.poll_interval
        while True:
            try:
                await hook.fetch_connection()
                return None
            except Exception as fault:
                # Airflow calls a connection missing also while its API server is away.
                missing = isinstance(fault, TwilioConnectionError)
                if missing and time.monotonic() >= started + MISSING_CONNECTION_PATIENCE_S:
                    raise
                if self.deadline and time.time() >= self.deadline:
                    problem = f"connection {self.twilio_conn_id!r} could not be fetched ({fault})"
                    return WaitResult(WaitEnd.DEADLINE, None, problem)
                self.log.warning("Cannot fetch connection %r for now: %s", self.twilio_conn_id, fault)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_BACKOFF_S)
