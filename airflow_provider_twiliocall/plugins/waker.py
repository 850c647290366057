"""Waking tasks whose calls are over: when it is safe, and only those that still wait for that call.

A task that is woken soon after it has deferred fails: the scheduler takes the end of its process for that of the task.
Its scheduler has seen that end once it has sent a heartbeat since, which it does every few seconds.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.jobs.job import Job
from airflow.models.taskinstance import TaskInstance
from airflow.models.trigger import handle_event_submit
from airflow.triggers.base import TriggerEvent
from airflow.utils.state import State, TaskInstanceState
from sqlalchemy import select

from airflow_provider_twiliocall import clock
from airflow_provider_twiliocall.journal.xcom import CALL_SID, CALL_WOKEN
from airflow_provider_twiliocall.plugins.task_record import TaskKey, TaskRecord

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

logger = logging.getLogger(__name__)

PAUSE_S = 0.5
# The task looks at its call by itself, if seldom.
GIVE_UP_AFTER_S = 90.0
# Of the heartbeat, after the deferral.
_SLACK_S = 2.0
# More than these would only wait for the same heartbeats; their tasks look by themselves.
MOST_PENDING = 5_000

_METHOD = "execute_complete"


@dataclass
class _Wake:
    call_sid: str
    give_up_at: float


class Waker:
    """Wakes tasks from a thread of its own, which ends when there is nobody left to wake.

    :param sessions: opens a session of Airflow's database
    """

    def __init__(self, sessions: Callable[[], AbstractContextManager[Session]]) -> None:
        self._sessions = sessions
        self._pending: dict[TaskKey, _Wake] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self, task: TaskKey, call_sid: str) -> None:
        """Wake a task as soon as it is safe, if it waits for this call then."""
        with self._lock:
            if task not in self._pending and len(self._pending) >= MOST_PENDING:
                return
            self._pending[task] = _Wake(call_sid, clock.monotonic() + GIVE_UP_AFTER_S)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="twilio-call-waker", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            with self._lock:
                pending = dict(self._pending)
                if not pending:
                    self._thread = None
                    return
            for task, wake in pending.items():
                if clock.monotonic() > wake.give_up_at or self._is_done(task, wake):
                    with self._lock:
                        if self._pending.get(task) is wake:
                            del self._pending[task]
            clock.sleep(PAUSE_S)

    def _is_done(self, task: TaskKey, wake: _Wake) -> bool:
        """Wake one task if it can be woken now; say whether nothing is left to do for it."""
        try:
            with self._sessions() as session:
                return wake_if_safe(session, task, wake.call_sid)
        except Exception:
            logger.warning(
                "A task could not be woken now; it is tried again, and looks by itself.", exc_info=True
            )
            return False


def wake_if_safe(session: Session, task: TaskKey, call_sid: str) -> bool:
    """Wake a task that waits for a call, under a lock.

    :return: whether nothing is left to do: it was woken, or has no need of it
    """
    record = TaskRecord(session, task)
    state = session.scalar(select(TaskInstance.state).where(*record.is_the_task))
    if state is None or state in State.finished:
        return True
    if state != TaskInstanceState.DEFERRED:
        # It runs still, or again, and may be about to defer.
        return False
    ti = session.scalar(select(TaskInstance).where(*record.is_the_task).with_for_update(of=TaskInstance))
    if ti is None or ti.state != TaskInstanceState.DEFERRED:
        return False
    if ti.next_method != _METHOD or record.xcom(CALL_SID) != call_sid:
        # It pauses, or waits for another call.
        return True
    if not _has_scheduler_seen(session, ti):
        return False
    # Airflow kills the trigger of a task that was woken, which must not end the call then.
    record.push_xcom(CALL_WOKEN, call_sid)
    event: dict[str, Any] = {"phase": "wait", "call_sid": call_sid, "look": True}
    handle_event_submit(TriggerEvent(event), task_instance=ti, session=session)
    logger.info("Call %s has ended: its task goes on.", call_sid)
    return True


def _has_scheduler_seen(session: Session, ti: TaskInstance) -> bool:
    """Whether the scheduler has learnt that the task's process has ended."""
    if ti.queued_by_job_id is None or ti.updated_at is None:
        return True
    heartbeat = session.scalar(select(Job.latest_heartbeat).where(Job.id == ti.queued_by_job_id))
    return heartbeat is None or heartbeat > pendulum.instance(ti.updated_at).add(seconds=_SLACK_S)
