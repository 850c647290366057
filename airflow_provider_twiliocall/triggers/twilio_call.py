"""TwilioCallTrigger: waiting for a call off the worker, on the triggerer's event loop."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.calls.outcome import CallOutcome
from airflow_provider_twiliocall.calls.poll import CallPoll
from airflow_provider_twiliocall.calls.watch import Awaited, CallWatch, LookAgain
from airflow_provider_twiliocall.exceptions import TwilioConnectionError, TwilioConnectionNotFoundError
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.queue_deadline import QueueDeadline
from airflow_provider_twiliocall.journal.reason import Reason
from airflow_provider_twiliocall.journal.xcom import CALL_SID
from airflow_provider_twiliocall.twilio.ending import (
    PATIENCE_ON_KILL_S,
    HowToEnd,
    WhenKilled,
    end_call,
    retry_until,
)

# When a trigger fires before the scheduler has seen the executor's event for the deferral, the scheduler takes
# that event for the death of the resumed task and fails it. Measured: 0 to 2 s fail often, 5 s never did.
SHORTEST_DEFERRAL_S = 6.0

# Of what PATIENCE_ON_KILL_S leaves of Airflow's 30 s.
PATIENCE_TO_FETCH_S = 5.0

Result = TypeVar("Result")

# An event loop holds its tasks by a weak reference only.
_endings: set[asyncio.Future[None]] = set()


@cache
def _threads() -> ThreadPoolExecutor:
    """Return threads of our own: those of ``asyncio.to_thread`` are few, and every trigger's."""
    return ThreadPoolExecutor(max_workers=16, thread_name_prefix="twilio-call")


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
        self._hook: TwilioCallHook | None = None

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
        # The triggerer cancels a trigger that takes its time once more every second, and that lands in here.
        ending = asyncio.ensure_future(self._end_if_killed(self.when_killed))
        _endings.add(ending)
        ending.add_done_callback(_endings.discard)
        await asyncio.shield(ending)

    async def _end_if_killed(self, how: HowToEnd) -> None:
        hook = self._hook or TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)
        try:
            if self._hook is None:
                await hook.fetch_connection(patience=PATIENCE_TO_FETCH_S)
            if await self._is_still_waited_for():
                self.log.info(
                    "Call %s is left alone: another triggerer goes on waiting for it.", self.call_sid
                )
                return
            end = partial(
                retry_until,
                lambda: end_call(hook.watcher, self.call_sid, how),
                self.call_sid,
                how=how,
                until=clock.time() + PATIENCE_ON_KILL_S,
            )
            ending = await self._in_thread(end)
            self.log.info("The task was killed while it waited. %s", ending)
        except Exception as error:
            self.log.error("The task was killed, and call %s was left alone: %s", self.call_sid, error)

    async def _is_still_waited_for(self) -> bool:
        """Whether the task still waits for this very call: Airflow calls ``on_kill`` on a handover too.

        The task's state alone misleads: after a Clear its next try may be deferred by now, for another call.
        """
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import GetTaskStates
        from airflow.sdk.execution_time.xcom import XCom

        ti: Any = self.task_instance
        whose = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
        answer: Any = await task_runner.SUPERVISOR_COMMS.asend(
            GetTaskStates(
                dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index
            )
        )
        name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
        if answer.task_states[ti.run_id][name] != "deferred":
            return False
        waited_for = await asyncio.to_thread(XCom.get_one, key=CALL_SID, **whose)
        # Nothing there is no proof of another try.
        return waited_for in (None, self.call_sid)

    async def _wait(self) -> CallOutcome:
        hook = TwilioCallHook(self.twilio_conn_id, account_sid=self.account_sid)
        watch = CallWatch(
            self.call_sid,
            poll_interval=self.poll_interval,
            deadline=self.deadline,
            queue_deadline=QueueDeadline.from_json(self.queue_deadline),
            timeout_at=self.timeout_at,
            awaits=self.awaits,
        )
        # The client is built in the thread too: a TLS context takes a while.
        poll = CallPoll(watch, lambda: hook.watcher)
        try:
            while not isinstance(decision := await self._look(hook, poll), CallOutcome):
                await asyncio.sleep(decision.at - clock.time())
            return decision
        except TwilioConnectionError as error:
            # A trigger that raises fails its task as if the call had never been placed, and a retry would dial again.
            return CallOutcome(Reason.UNKNOWN, why=str(error))

    async def _look(self, hook: TwilioCallHook, poll: CallPoll) -> LookAgain | CallOutcome:
        """Look once, having fetched the connection, once, on the event loop; an Airflow that is away may come back."""
        if self._hook is None:
            try:
                await hook.fetch_connection()
            except TwilioConnectionError:
                raise
            except TwilioConnectionNotFoundError as error:
                return poll.watch.missed(error, clock.time())
            except Exception as error:
                problem = f"The connection {self.twilio_conn_id!r} could not be fetched ({error})"
                return poll.watch.missed(TwilioConnectionNotFoundError(problem), clock.time())
            self._hook = hook
        return await self._in_thread(poll.look)

    @staticmethod
    async def _in_thread(do: Callable[[], Result]) -> Result:
        # A thread of ours has no context of its own, and the triggerer finds a line's task log by it.
        run = partial(contextvars.copy_context().run, do)
        return await asyncio.get_running_loop().run_in_executor(_threads(), run)
