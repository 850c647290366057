"""Tries of one task that follow one another: each has its own operator and task instance, the journal stays."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_twiliocall.compat import AirflowTaskTimeout
from airflow_provider_twiliocall.simulator import TwilioSimulator
from tests.integration.ring_task import SOMEBODY, defer, waiting
from tests.support.interruption import DeadlyStore, Killed
from tests.support.task_context import RecordingTaskInstance, StateStore, context

# Airflow's count of tries: a retry keeps it, a person who clears the task raises it.
FIRST_RUN, CLEARED = 2, 3


def run(store: StateStore, to: str = SOMEBODY, *, max_tries: int = FIRST_RUN, **arguments: Any) -> str:
    """One try of the task, with a task instance and an operator of its own."""
    ti = RecordingTaskInstance(max_tries=max_tries)
    return waiting(to, poll_interval=2, **arguments).execute(context(ti, store))


def dial_and_vanish(store: StateStore, to: str = SOMEBODY, **arguments: Any) -> str:
    """A try whose call is placed and journalled, and of which nothing is heard any more."""
    ti = RecordingTaskInstance(max_tries=FIRST_RUN)
    deferred = defer(waiting(to, deferrable=True, **arguments), ti, store)
    return str(deferred.trigger.call_sid)


def dial_and_end(store: StateStore, to: str = SOMEBODY, *, when_killed: str) -> str:
    """A try that is out of time, and ends its call as ``when_killed`` says."""
    sid = dial_and_vanish(store, to)
    task = waiting(to, deferrable=True, when_killed=when_killed)
    ti = RecordingTaskInstance(max_tries=FIRST_RUN, xcoms={"call_sid": sid})
    with pytest.raises(AirflowTaskTimeout):
        task.resume_execution("__fail__", {"error": "Trigger timeout"}, context(ti, store))
    return sid


def die(store: DeadlyStore, **arguments: Any) -> StateStore:
    """A try that is killed; what it leaves to the next."""
    with pytest.raises(Killed):
        run(store, **arguments)
    return store.survivor()


def sids(simulator: TwilioSimulator) -> list[str]:
    """The calls that Twilio has taken, oldest first."""
    return [call["sid"] for call in simulator.calls]
