"""A deferred task that was killed: its call is ended. A trigger that only changes triggerers leaves the call alone."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.hooks.twilio_call import TwilioCallHook
from airflow_provider_twiliocall.journal.xcom import CALL_SID, CALL_WOKEN
from airflow_provider_twiliocall.twilio.ending import (
    PATIENCE_ON_KILL_S,
    Ending,
    HowToEnd,
    cancel_if_queued,
    end_call,
    retry_until,
)

logger = logging.getLogger(__name__)

# Of what PATIENCE_ON_KILL_S leaves of Airflow's 30 s.
PATIENCE_TO_FETCH_S = 5.0

_MOST_ENDINGS_AT_ONCE = 16

How = HowToEnd | Literal["cancel_queued"]
"""How to end the call; ``cancel_queued`` lets a phone that rings go on."""

# An event loop holds its tasks by a weak reference only.
_endings: set[asyncio.Future[None]] = set()
_threads: ThreadPoolExecutor | None = None


async def end_call_of_killed_task(hook: TwilioCallHook, call_sid: str, how: How, ti: Any) -> None:
    """End a call, unless its task still waits for it.

    The triggerer cancels a trigger that takes its time once more every second, and that lands in here: what was begun
    is carried through all the same.

    :param hook: its connection is fetched where that was not done
    :param ti: the trigger's task instance
    """
    global _threads
    # Threads of our own, and not those of the looks: a hang-up never waits behind a look.
    _threads = _threads or ThreadPoolExecutor(_MOST_ENDINGS_AT_ONCE, "twilio-call-end")
    ending = asyncio.ensure_future(_end_if_killed(hook, call_sid, how, ti, _threads))
    _endings.add(ending)
    ending.add_done_callback(_ended)
    await asyncio.shield(ending)


def _ended(ending: asyncio.Future[None]) -> None:
    global _threads
    _endings.discard(ending)
    if not _endings and _threads is not None:
        _threads.shutdown(wait=False)
        _threads = None


async def _end_if_killed(
    hook: TwilioCallHook, call_sid: str, how: How, ti: Any, threads: ThreadPoolExecutor
) -> None:
    try:
        if "connection" not in hook.__dict__:
            await hook.fetch_connection(patience=PATIENCE_TO_FETCH_S)
        if not await _was_killed(call_sid, ti):
            return
        # A thread of ours has no context of its own, and the triggerer finds a line's task log by it.
        end = partial(contextvars.copy_context().run, _end, hook, call_sid, how)
        ending = await asyncio.get_running_loop().run_in_executor(threads, end)
        logger.info("The task was killed while it waited. %s", ending)
    except Exception as error:
        logger.error("The task was killed, and call %s was left alone: %s", call_sid, error)


def _end(hook: TwilioCallHook, call_sid: str, how: How) -> Ending:
    until = clock.time() + PATIENCE_ON_KILL_S
    try:
        if how == "cancel_queued":
            return retry_until(partial(cancel_if_queued, hook.watcher, call_sid), call_sid, until=until)
        return retry_until(partial(end_call, hook.watcher, call_sid, how), call_sid, how=how, until=until)
    finally:
        hook.close()


async def _was_killed(call_sid: str, ti: Any) -> bool:
    """Whether the task does not wait for this very call any more, and not because the call has woken it.

    Airflow calls ``on_kill`` on a handover to another triggerer too, and when an event from elsewhere wakes the task.
    The task's state alone misleads: after a Clear its next try may be deferred by now, for another call.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetTaskStates
    from airflow.sdk.execution_time.xcom import XCom

    whose = {"dag_id": ti.dag_id, "task_id": ti.task_id, "run_id": ti.run_id, "map_index": ti.map_index}
    answer: Any = await task_runner.SUPERVISOR_COMMS.asend(
        GetTaskStates(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id], map_index=ti.map_index)
    )
    name = ti.task_id if ti.map_index < 0 else f"{ti.task_id}_{ti.map_index}"
    if answer.task_states[ti.run_id][name] == "deferred":
        waited_for = await asyncio.to_thread(XCom.get_one, key=CALL_SID, **whose)
        # Nothing there is no proof of another try.
        if waited_for in (None, call_sid):
            logger.info("Call %s is left alone: another triggerer goes on waiting for it.", call_sid)
            return False
    if await asyncio.to_thread(XCom.get_one, key=CALL_WOKEN, **whose) == call_sid:
        logger.info("Call %s is over, as Twilio has said: its task was woken.", call_sid)
        return False
    return True
