"""The task that rings somebody, run over HTTP as Airflow runs it, and the numbers that it calls."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_provider_twiliocall.operators.twilio_call import CreateCallOperator
from airflow_provider_twiliocall.simulator import Fault, TwilioSimulator
from airflow_provider_twiliocall.triggers.twilio_call import TwilioCallTrigger
from tests.support.task_context import RecordingTaskInstance, StateStore, context

VARIABLE = "AIRFLOW_CONN_TWILIO_DEFAULT"

ANSWERS = "+15005550006"
TALKS_LONG = "+15005551003"
BUSY = "+15005551100"
NO_ANSWER = "+15005551101"
CANCELED_ELSEWHERE = "+15005551104"
STAYS_QUEUED = "+15005551105"
VOICEMAIL = "+15005551200"
FAX = "+15005551203"
FAILS = "+15005551300"
FAILS_WITHOUT_A_REASON = "+15005551304"
SOMEBODY = "+15551230001"
SOMEBODY_ELSE = "+15551230002"


def place(to: str = ANSWERS, ti: RecordingTaskInstance | None = None, **arguments: Any) -> str:
    """Execute a task that places a call and does not wait for it."""
    return CreateCallOperator(task_id="ring", to=to, message="hello", **arguments).execute(context(ti))


def waiting(to: str = ANSWERS, **arguments: Any) -> CreateCallOperator:
    """A task that places a call and waits for it."""
    return CreateCallOperator(
        **{
            "task_id": "ring",
            "to": to,
            "message": "hello",
            "wait_for_completion": True,
            "poll_interval": 0.02,
            **arguments,
        },
    )


def place_and_wait(
    to: str = ANSWERS,
    ti: RecordingTaskInstance | None = None,
    store: StateStore | None = None,
    **arguments: Any,
) -> str:
    """Execute a task that places a call and waits for it on the worker."""
    return waiting(to, **arguments).execute(context(ti, store))


def defer(
    task: CreateCallOperator, ti: RecordingTaskInstance, store: StateStore | None = None
) -> TaskDeferred:
    """Execute a task until it defers."""
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(context(ti, store))
    return deferred.value


def fire(trigger: Any) -> dict[str, Any]:
    """Run a trigger to its event, as a triggerer does: rebuilt from what was serialized."""
    _, kwargs = trigger.serialize()

    async def first_event() -> Any:
        return await TwilioCallTrigger(**kwargs).run().__anext__()

    return json.loads(json.dumps(asyncio.run(first_event()).payload))


def resume(
    task: CreateCallOperator,
    deferred: TaskDeferred,
    event: dict[str, Any],
    ti: RecordingTaskInstance,
    store: StateStore | None = None,
) -> str:
    """Resume the task with the event, as Airflow's task runner does."""
    return task.resume_execution(
        deferred.method_name, {**(deferred.kwargs or {}), "event": event}, context(ti, store)
    )


def on(operation: str, **fault: Any) -> Fault:
    """A fault that strikes one kind of request."""
    return Fault(operations=frozenset({operation}), **fault)


def posts(simulator: TwilioSimulator) -> int:
    """How often Twilio was asked to place a call, whatever came of it."""
    return operations(simulator).count("create")


def operations(simulator: TwilioSimulator) -> list[str]:
    """What Twilio was asked for, in order."""
    return [request.operation for request in simulator.requests]


def statuses(simulator: TwilioSimulator) -> list[str]:
    """How the calls stand, oldest first."""
    return [call["status"] for call in simulator.calls]


def form(simulator: TwilioSimulator) -> dict[str, str]:
    """The first request's form."""
    return dict(simulator.requests[0].form)


def changed(simulator: TwilioSimulator, **changes: Any) -> str:
    """The simulator's connection, but for some of it."""
    return json.dumps(json.loads(simulator.airflow_connection) | changes)
