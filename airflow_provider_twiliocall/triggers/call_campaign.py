"""CallCampaignTrigger: waiting for many calls of one task off the worker, on the triggerer's event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.watch import CallWatch
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.triggers.killed_task import end_call_of_killed_task
from airflow_provider_twiliocall.triggers.shared_poller import SharedPoller, poller_for
from airflow_provider_twiliocall.triggers.twilio_call import SHORTEST_DEFERRAL_S

logger = logging.getLogger(__name__)

# The end of a wait that is not the end of a call, as far as anybody can see.
_NOBODY_KNOWS = frozenset({Reason.UNKNOWN, Reason.OVERDUE, Reason.TIMED_OUT})


class CallCampaignTrigger(BaseTrigger):
    """Wait until all calls are over, or for a moment, whichever comes first; fire once.

    The worker asks Twilio again how each call has ended, so the event need not say it. Its payload is
    ``{"phase": "campaign", "going_on": …, "given_up": […], "not_found_since": {…}}``: the number of calls that are not
    over; the SIDs of those whose end nobody will see; and since when, as Unix time, a call is not found, by SID.

    Its arguments are kept in Airflow's database as plain text: they hold the connection's id and SIDs, never a secret
    or a phone number.

    :param twilio_conn_id: the connection, of type ``twilio``
    :param call_sids: the calls to wait for; there may be none
    :param until: Unix time at which to fire at the latest; None for never
    :param deadline: Unix time at which to give up on a call; None waits for ever
    :param poll_interval: seconds between two looks at the calls
    :param queue_deadlines: when a call still in Twilio's queue is canceled, by SID: a :class:`.QueueDeadline` as JSON
    :param when_killed: ``cancel`` takes the calls that have a queue deadline out of Twilio's queue where the task is
        killed while it is deferred; ``leave`` does not touch them
    :param given_up: calls that an earlier trigger of the campaign has given up; they go into the event
    :param not_found_since: Unix time since which a call is not found, by SID
    :param account_sid: the account whose calls they are, where it is not the connection's
    """

    def __init__(
        self,
        twilio_conn_id: str,
        call_sids: Sequence[str],
        *,
        until: float | None = None,
        deadline: float | None = None,
        poll_interval: float = 5,
        queue_deadlines: Mapping[str, dict[str, Any]] | None = None,
        when_killed: Literal["cancel", "leave"] = "leave",
        given_up: Sequence[str] = (),
        not_found_since: Mapping[str, float] | None = None,
        account_sid: str | None = None,
    ) -> None:
        super().__init__()
        self.twilio_conn_id = twilio_conn_id
        self.call_sids = list(call_sids)
        self.until = until
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.queue_deadlines = dict(queue_deadlines or {})
        self.when_killed = when_killed
        self.given_up = list(given_up)
        self.not_found_since = dict(not_found_since or {})
        self.account_sid = account_sid
        self._poller: SharedPoller | None = None

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path and arguments from which another triggerer makes this trigger again."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "twilio_conn_id": self.twilio_conn_id,
                "call_sids": self.call_sids,
                "until": self.until,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "queue_deadlines": self.queue_deadlines,
                "when_killed": self.when_killed,
                "given_up": self.given_up,
                "not_found_since": self.not_found_since,
                "account_sid": self.account_sid,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield the one event, no sooner than the scheduler can bear."""
        earliest = clock.monotonic() + SHORTEST_DEFERRAL_S
        going_on = await self._wait()
        await asyncio.sleep(max(0.0, earliest - clock.monotonic()))
        yield TriggerEvent(
            {
                "phase": "campaign",
                "going_on": going_on,
                "given_up": self.given_up,
                "not_found_since": self.not_found_since,
            }
        )

    async def on_kill(self) -> None:
        """Cancel the calls that are in Twilio's queue, where the task was killed in earnest."""
        if self.when_killed == "leave" or not self.queue_deadlines:
            return
        hook = self._poller.hook if self._poller else None
        hook = hook or TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)
        await asyncio.gather(
            *(
                end_call_of_killed_task(hook, call_sid, "cancel_queued", self.task_instance)
                for call_sid in self.queue_deadlines
            )
        )

    async def _wait(self) -> int:
        waits = [asyncio.ensure_future(self._wait_for(call_sid)) for call_sid in self.call_sids]
        left = None if self.until is None else max(0.0, self.until - clock.time())
        try:
            if not waits:
                await asyncio.sleep(left or 0.0)
                return 0
            _, going_on = await asyncio.wait(waits, timeout=left)
            return len(going_on)
        finally:
            for wait in waits:
                wait.cancel()
            # What they leave behind is in the event.
            await asyncio.gather(*waits, return_exceptions=True)

    async def _wait_for(self, call_sid: str) -> None:
        watch = CallWatch(
            call_sid,
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            queue_deadline=QueueDeadline.from_json(self.queue_deadlines.get(call_sid)),
            log_level=logging.DEBUG,
        )
        watch.unknown_since = self.not_found_since.pop(call_sid, None)
        self._poller = poller_for(self.twilio_conn_id, self.account_sid)
        try:
            outcome = await self._poller.wait(watch)
            if outcome.reason in _NOBODY_KNOWS:
                self.given_up.append(call_sid)
        except Exception:
            logger.exception("Call %s could not be looked at.", call_sid)
        finally:
            if watch.unknown_since is not None:
                self.not_found_since[call_sid] = watch.unknown_since
