"""TwilioCallTrigger: waiting for a call off the worker, on the triggerer's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.watch import Awaited, CallWatch
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.triggers.killed_task import end_call_of_killed_task
from airflow_provider_twiliocall.triggers.shared_poller import SharedPoller, poller_for
from airflow_provider_twiliocall.twilio.ending import WhenKilled

# When a trigger fires before the scheduler has seen the executor's event for the deferral, the scheduler takes
# that event for the death of the resumed task and fails it. Measured: 0 to 2 s fail often, 5 s never did.
SHORTEST_DEFERRAL_S = 6.0


class TwilioCallTrigger(BaseTrigger):
    """Wait until a call is over, and fire once, with the call as Twilio shows it then.

    Its arguments and its event are kept in Airflow's database as plain text: they hold the connection's id and
    SIDs, never a secret or a whole phone number.

    The event's payload is ``{"phase": "wait", "call_sid": …, "reason": …, "call": {…} | None, "why": str | None}``,
    with the last three as in :class:`.CallOutcome`, before it is judged, and its ``is_for_a_person`` where that is so.

    A call that has to leave Twilio's queue by some time, and has not, is canceled there and then: a worker that had to
    be woken for it might come too late.

    When a person marks the deferred task failed or success, or clears it, the call is ended as ``when_killed``
    says (Airflow 3.3 and later). A trigger that merely goes over to another triggerer leaves the call alone, and
    so does one that cannot tell.

    :param twilio_conn_id: the connection, of type ``twilio``
    :param call_sid: the call to wait for
    :param poll_interval: seconds between two looks at the call
    :param deadline: Unix time at which to give up; None waits for ever. A connection that Airflow does not find is
        waited for as long
    :param when_killed: ``cancel`` ends the call unless somebody is on the line, ``hang_up`` ends it in any state,
        ``leave`` does not touch it
    :param queue_deadline: when a call still in Twilio's queue is canceled, which ends the wait: a
        :class:`.QueueDeadline` as JSON
    :param timeout_at: Unix time at which the task's execution_timeout is over
    :param awaits: ``end``, or ``ring`` to wait only until the call has left Twilio's queue
    :param account_sid: the account whose call it is, where it is not the connection's
    """

    def __init__(
        self,
        twilio_conn_id: str,
        call_sid: str,
        poll_interval: float = 5,
        deadline: float | None = None,
        when_killed: WhenKilled = "leave",
        *,
        queue_deadline: dict[str, Any] | None = None,
        timeout_at: float | None = None,
        awaits: Awaited = "end",
        account_sid: str | None = None,
    ) -> None:
        super().__init__()
        self.twilio_conn_id = twilio_conn_id
        self.call_sid = call_sid
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.when_killed = when_killed
        self.queue_deadline = queue_deadline
        self.timeout_at = timeout_at
        self.awaits = awaits
        self.account_sid = account_sid
        self._poller: SharedPoller | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments from which another triggerer makes this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "twilio_conn_id": self.twilio_conn_id,
                "call_sid": self.call_sid,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "when_killed": self.when_killed,
                "queue_deadline": self.queue_deadline,
                "timeout_at": self.timeout_at,
                "awaits": self.awaits,
                "account_sid": self.account_sid,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event, no sooner than the scheduler can bear."""
        earliest = clock.monotonic() + SHORTEST_DEFERRAL_S
        result = await self._wait()
        await asyncio.sleep(max(0.0, earliest - clock.monotonic()))
        yield TriggerEvent({"phase": "wait", "call_sid": self.call_sid, **result.to_event()})

    async def on_kill(self) -> None:
        """End the call as ``when_killed`` says, where the task was killed in earnest."""
        if self.when_killed == "leave":
            return
        hook = self._poller.hook if self._poller else None
        hook = hook or TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)
        await end_call_of_killed_task(hook, self.call_sid, self.when_killed, self.task_instance)

    async def _wait(self) -> CallOutcome:
        watch = CallWatch(
            self.call_sid,
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            queue_deadline=QueueDeadline.from_json(self.queue_deadline),
            timeout_at=self.timeout_at,
            awaits=self.awaits,
        )
        self._poller = poller_for(self.twilio_conn_id, self.account_sid)
        return await self._poller.wait(watch)
